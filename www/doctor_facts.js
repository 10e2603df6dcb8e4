/*
 * doctor_facts.js - the examination: all measurements in order, gathered as facts.
 *
 * Plain requests first, then a WebSocket and a stream looked at closely, then each transport by
 * sockjs-client, two at a time.  It speaks by events: `doing` (a sentence), `trial` (one has news).
 */
import { askElse, askGreeting, askInfo, roundTrip, tryPost } from './doctor_reach.js';
import { lookAtSocket } from './doctor_socket.js';
import { lookAtStream } from './doctor_stream.js';
import { trials, tryTransport } from './doctor_trial.js';

const AT_ONCE = 2;

export function freshFacts() {
	return {
		host: location.host, info: { state: 'untried' }, get: { state: 'untried' }, post: { state: 'untried' }, roundTripMs: 0,
		socket: { state: 'untried', answered: 0, greeted: 0, cutBytes: 0 },
		stream: { state: 'untried', held: null, heldBytes: 0, lateMs: 0, cutBytes: 0 },
		transports: trials.map((t) => ({ name: t.name, state: 'untried', events: [], words: '' })), idle: null, age: null, seen: null,
	};
}

export class Examination extends EventTarget {
	facts = freshFacts();
	#base;

	constructor(base) {
		super();
		this.#base = base;
	}

	async run() {
		const { facts } = this;

		this.#doing('Asking whether anybody is there');
		facts.info = await askInfo(this.#base);
		facts.get = facts.info.state === 'ok' ? { state: 'ok' } : await askElse(this.#base);
		if (facts.info.state === 'ok' || facts.get.state === 'ok')
			await this.#measure();
		else
			facts.socket = await lookAtSocket(this.#base, 0);
		if (facts.info.state === 'ok')
			await this.#tryAll();
		facts.seen = await this.#seen();
		return facts;
	}

	async #measure() {
		const { facts } = this;

		if (facts.info.state === 'ok')
			facts.roundTripMs = await roundTrip(this.#base);
		this.#doing('Sending something');
		facts.post = await tryPost(this.#base);
		this.#doing('Watching a WebSocket and a stream closely');
		const stream = facts.post.state === 'ok' ? lookAtStream(this.#base, facts.roundTripMs) : facts.stream;

		[facts.socket, facts.stream] = await Promise.all([lookAtSocket(this.#base, facts.roundTripMs), stream]);
		if (facts.info.websocket === false && facts.socket.state === 'refused')
			facts.socket.state = 'off';
	}

	async #tryAll() {
		const left = trials.map((kind, i) => ({ kind, i }));
		const worker = async () => {
			for (let next = left.shift(); next; next = left.shift())
				await this.#tryOne(next);
		};

		await Promise.all(Array.from({ length: AT_ONCE }, worker));
	}

	async #tryOne({ kind, i }) {
		this.#doing(`Trying ${kind.label}`);
		this.facts.transports[i] = await tryTransport(this.#base, kind, this.facts.roundTripMs, (trial) => this.#show(i, trial));
		this.#show(i, this.facts.transports[i]);
	}

	async #seen() {
		const withSight = this.facts.transports.find((t) => t.seen && t.name === 'websocket') ?? this.facts.transports.find((t) => t.seen);

		if (withSight)
			return withSight.seen;
		return this.facts.get.state === 'ok' ? askGreeting(this.#base) : null;
	}

	#show(i, trial) {
		this.facts.transports[i] = trial;
		this.dispatchEvent(new CustomEvent('trial', { detail: i }));
	}

	#doing(sentence) {
		this.dispatchEvent(new CustomEvent('doing', { detail: sentence }));
	}
}
