/*
 * doctor_socket.js - a WebSocket, looked at frame by frame.
 *
 * Some let it open, and then nothing passes, or only one way. So the server is asked, in the URL, to
 * say something by itself: then it can be told whose frames are lost.
 */
import { sessionId } from './doctor_line.js';
import { patience } from './doctor_trial.js';

const GREETINGS = 5;
const ECHOES = 20;
const ECHO_EVERY_MS = 15;
const BULK = 28;
const BULK_MS = 8;
const BULK_BYTES = 4096;

function sleep(ms) {
	return new Promise((resolve) => { setTimeout(resolve, ms); });
}

/* SockJS frames of one WebSocket, counted as they come. */
class Watched {
	opened = false;
	closed = false;
	began = performance.now();
	openMs = null;
	welcomed = false;
	greeted = 0;
	answers = [];
	bulk = 0;
	#wake = () => {};

	constructor(url) {
		this.socket = new WebSocket(url);
		this.socket.onopen = () => this.#on(() => {
			this.opened = true;
			this.openMs = performance.now() - this.began;
		});
		this.socket.onclose = () => this.#on(() => { this.closed = true; });
		this.socket.onmessage = (e) => this.#on(() => this.#frame(String(e.data)));
	}

	send(order) {
		if (this.socket.readyState === WebSocket.OPEN)
			this.socket.send(JSON.stringify([JSON.stringify(order)]));
	}

	async until(look, ms) {
		const end = performance.now() + ms;

		while (!look() && performance.now() < end)
			await Promise.race([sleep(end - performance.now()), new Promise((resolve) => { this.#wake = resolve; })]);
		return look();
	}

	#on(what) {
		what();
		this.#wake();
	}

	#frame(frame) {
		this.welcomed ||= frame === 'o';
		if (frame[0] !== 'a')
			return;
		for (const text of JSON.parse(frame.slice(1))) {
			const answer = JSON.parse(text);

			if (answer.is === 'echo')
				this.answers.push(answer.seq);
			else if (answer.is === 'push' && answer.id === null)
				this.greeted++;
			else if (answer.is === 'push')
				this.bulk++;
		}
	}
}

async function echo(watched, wait) {
	const all = () => watched.answers.length === ECHOES || watched.closed;

	for (let i = 0; i < ECHOES && !watched.closed; i++) {
		watched.send({ do: 'echo', id: i, seq: i });
		await sleep(ECHO_EVERY_MS);
	}
	await watched.until(all, wait);
	await watched.until(() => watched.greeted === GREETINGS || watched.closed, wait / 2);
}

/* Octets after which it was cut, or 0. */
async function pull(watched, wait) {
	watched.send({ do: 'push', id: 100, count: BULK, every_ms: BULK_MS, bytes: BULK_BYTES });
	await watched.until(() => watched.bulk === BULK || watched.closed, 2 * wait);
	return watched.bulk < BULK && watched.closed ? Math.max(1, watched.bulk) * BULK_BYTES : 0;
}

function stateOf(watched) {
	const answered = watched.answers.length;

	if (answered === ECHOES)
		return 'works';
	if (watched.closed)
		return 'cut';
	if (answered > 0 && watched.answers.at(-1) === ECHOES - 1)
		return 'one_way'; /* the last one came, an earlier one did not */
	return answered === 0 && watched.greeted === GREETINGS ? 'one_way' : 'black';
}

/* -> facts.socket */
export async function lookAtSocket(base, roundTripMs) {
	const wait = patience(roundTripMs);
	const watched = new Watched(`${base.replace(/^http/, 'ws')}/000/${sessionId()}/websocket?greet=${GREETINGS}`);
	const facts = { state: 'hangs', openMs: null, sent: 0, answered: 0, greeted: 0, cutBytes: 0 };

	await watched.until(() => watched.opened || watched.closed, wait);
	facts.openMs = watched.openMs;
	if (watched.opened) {
		await watched.until(() => watched.welcomed || watched.closed, wait);
		if (watched.welcomed)
			await echo(watched, wait);
		facts.state = watched.welcomed ? stateOf(watched) : watched.closed ? 'refused' : 'silent';
		facts.cutBytes = facts.state === 'works' ? await pull(watched, wait) : 0;
	} else if (watched.closed) {
		facts.state = 'refused';
	}
	watched.socket.close();
	return Object.assign(facts, { sent: ECHOES, answered: watched.answers.length, greeted: watched.greeted });
}
