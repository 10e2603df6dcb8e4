/*
 * doctor_stream.js - a streaming response, read part by part as it arrives (fetch).
 *
 * A session is opened by POST .../xhr_streaming, as sockjs-client does, but its parts are
 * seen as they come: so it can be told whether they are held, and by how many octets.  Orders go by
 * .../xhr_send, whether the stream has shown anything or not.
 */
import { sessionId } from './doctor_line.js';
import { patience } from './doctor_trial.js';

const SMALL = 6;
const SMALL_MS = 150;
const LONG = 100;
const LONG_MS = 15;
const LONG_BYTES = 960;
const BULK = 20;
const BULK_MS = 8;
const BULK_BYTES = 4096;
const ECHOES = 3;
const HEAP_MS = 12;

function sleep(ms) {
	return new Promise((resolve) => { setTimeout(resolve, ms); });
}

export class Stream {
	bytes = 0;
	messages = [];
	parts = [];
	ended = false;
	began = performance.now();
	#rest = '';
	#decoder = new TextDecoder();
	#wake = () => {};
	#abort = new AbortController();

	constructor(base, transport = 'xhr_streaming') {
		this.url = `${base}/000/${sessionId()}`;
		this.#read(transport).catch(() => {}).finally(() => {
			this.ended = true;
			this.endedAt = performance.now();
			this.#wake();
		});
	}

	/* Its status; 0: it could not be sent. */
	async send(order, ms) {
		const body = JSON.stringify([JSON.stringify(order)]);

		try {
			const response = await fetch(`${this.url}/xhr_send`, {
				method: 'POST', body, headers: { 'Content-Type': 'text/plain' }, signal: AbortSignal.timeout(ms), cache: 'no-store',
			});

			return response.status;
		} catch {
			return 0;
		}
	}

	async until(look, ms) {
		const end = performance.now() + ms;

		while (!look() && performance.now() < end)
			await Promise.race([sleep(end - performance.now()), new Promise((resolve) => { this.#wake = resolve; })]);
		return look();
	}

	of(is) {
		return this.messages.filter((m) => m.is === is);
	}

	close() {
		this.#abort.abort();
	}

	async #read(transport) {
		const response = await fetch(`${this.url}/${transport}`, { method: 'POST', signal: this.#abort.signal, cache: 'no-store' });

		this.status = response.status;
		if (!response.ok)
			return;
		for (const reader = response.body.getReader(); ;) {
			const { value, done } = await reader.read();

			if (done)
				return;
			this.#part(value);
		}
	}

	#part(octets) {
		const ms = performance.now() - this.began;
		const lines = (this.#rest + this.#decoder.decode(octets, { stream: true })).split('\n');

		this.bytes += octets.length;
		this.parts.push({ ms, bytes: octets.length });
		this.#rest = lines.pop();
		for (const line of lines)
			this.#line(line, ms);
		this.#wake();
	}

	#line(line, ms) {
		this.opened ||= line === 'o';
		if (line[0] === 'a')
			for (const text of JSON.parse(line.slice(1)))
				this.messages.push({ ...JSON.parse(text), ms });
	}
}

/* Octets that came together at most: parts with hardly any time between them are one heap. */
function largestHeap(parts, from) {
	let largest = 0, heap = 0, before = -Infinity;

	for (const { ms, bytes } of parts) {
		heap = ms - before > HEAP_MS ? bytes : heap + bytes;
		before = ms;
		if (ms >= from)
			largest = Math.max(largest, heap);
	}
	return largest;
}

/* Six pushes, one each 150 ms: whether each came in its time. */
async function flows(stream, wait) {
	await stream.send({ do: 'push', id: 1, count: SMALL, every_ms: SMALL_MS }, wait);
	await stream.until(() => stream.of('push').length === SMALL || stream.ended, SMALL * SMALL_MS + wait / 2);
	const offsets = stream.of('push').map((m) => m.ms - m.at_ms);

	return offsets.length === SMALL && Math.max(...offsets) - Math.min(...offsets) < SMALL_MS * 1.5;
}

/* How late an answer by the stream is, compared with that of the request which has asked for it. */
async function lateness(stream, wait) {
	const late = [];

	for (let i = 0; i < ECHOES && !stream.ended; i++) {
		const began = performance.now();

		await stream.send({ do: 'echo', id: 10 + i }, wait);
		const asked = performance.now() - began;
		await stream.until(() => stream.of('echo').length > i || stream.ended, wait);
		late.push(Math.max(0, performance.now() - began - asked));
	}
	return late.sort((a, b) => a - b)[late.length >> 1] ?? 0;
}

/* Octets after which the response was cut, or 0; fewer than those after which the gateway itself ends it. */
async function pull(stream, wait) {
	await stream.send({ do: 'push', id: 20, count: BULK, every_ms: BULK_MS, bytes: BULK_BYTES }, wait);
	await stream.until(() => stream.of('push').some((m) => m.id === 20 && m.seq === BULK) || stream.ended, 2 * wait);
	return stream.ended && stream.of('push').filter((m) => m.id === 20).length < BULK ? stream.bytes : 0;
}

/* More and more is pushed: what comes first, comes with as much as is held. */
async function held(stream, wait) {
	const from = performance.now() - stream.began;

	await stream.send({ do: 'stop' }, wait);
	await stream.send({ do: 'push', id: 30, count: LONG, every_ms: LONG_MS, bytes: LONG_BYTES }, wait);
	await stream.until(() => stream.of('push').some((m) => m.id === 30 && m.seq === LONG) || stream.ended, LONG * LONG_MS + wait / 2);
	if (stream.of('push').some((m) => m.id === 30) && !stream.ended)
		return { held: 'octets', heldBytes: largestHeap(stream.parts, from) };
	await stream.send({ do: 'close' }, wait);
	await stream.until(() => stream.ended, wait);
	return stream.bytes > 0 ? { held: 'end', heldBytes: 0 } : { held: null, heldBytes: 0 };
}

/* -> facts.stream */
export async function lookAtStream(base, roundTripMs) {
	const wait = patience(roundTripMs);
	const stream = new Stream(base);
	const facts = { state: 'broken', held: null, heldBytes: 0, lateMs: 0, cutBytes: 0, firstMs: null };

	await stream.until(() => stream.opened || stream.ended, 700 + 3 * roundTripMs);
	if (stream.ended && !stream.opened)
		return facts;
	if (await flows(stream, wait))
		Object.assign(facts, { state: 'flows', held: 'no', lateMs: await lateness(stream, wait), cutBytes: await pull(stream, wait) });
	else
		Object.assign(facts, await held(stream, wait));
	if (facts.state !== 'flows')
		facts.state = facts.held ? 'held' : 'broken';
	facts.firstMs = stream.parts[0]?.ms ?? null;
	stream.close();
	return facts;
}
