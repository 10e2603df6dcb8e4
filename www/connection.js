/*
 * connection.js - one SockJS connection, watched.
 *
 * Wraps sockjs-client (the global SockJS) and adds what the live page shows:
 * counts, times, the round trip of each answered message, and a new attempt
 * with growing pauses after a cut.  Knows nothing of the page; it speaks by
 * events: `state`, `frame` (detail: see emitFrame()), `rtt`, `burst`.
 *
 * States: off, connecting, open, waiting (for the next attempt).
 */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8000;
/* A connection that lasted this long was a good one: the pauses start anew. */
const SETTLED_MS = 5000;
/*
 * The least time a transport gets to open.  The client's own measure, twice the
 * round trip and some 600 ms, takes a busy machine for a broken transport.
 */
const PATIENCE_MS = 3000;
const CLOSED_BY_USER = 1000;

const encoder = new TextEncoder();

export function byteLength(text) {
	return encoder.encode(text).length;
}

function freshCounts() {
	return { sent: 0, received: 0, bytesSent: 0, bytesReceived: 0, heartbeats: 0, reconnects: 0, mismatches: 0 };
}

export class Connection extends EventTarget {
	state = 'off';
	transport = null;
	openedAt = null;
	counts = freshCounts();
	#socket = null;
	#options = null;
	#pending = [];
	#timer = 0;
	#pause = FIRST_PAUSE_MS;
	#serial = 0;

	/* options: { url, transport, answers, reconnect: () => bool } */
	connect(options) {
		this.#options = options;
		this.counts = freshCounts();
		this.#pause = FIRST_PAUSE_MS;
		this.#open();
	}

	disconnect() {
		clearTimeout(this.#timer);
		if (!this.#socket) {
			this.#setState('off');
			return;
		}
		this.#options.reconnect = () => false;
		this.#socket.close(CLOSED_BY_USER, 'Closed by the page');
	}

	/* Sends text; `kind` is text, probe or burst and comes back with the answer. */
	send(text, kind = 'text', author = '') {
		const tag = ++this.#serial;
		const tagged = this.#options.answers === 'tagged';
		const wire = tagged ? JSON.stringify({ from: author, text, tag: `${this.#tagBase}-${tag}` }) : text;
		const size = byteLength(wire);

		this.counts.sent++;
		this.counts.bytesSent += size;
		if (this.#options.answers)
			this.#pending.push({ wire, kind, at: performance.now() });
		this.#socket.send(wire);
		this.#emitFrame({ dir: 'out', type: 'm', text, size, kind, from: tagged ? author : '' });
	}

	get unanswered() {
		return this.#pending.length;
	}

	#tagBase = Math.random().toString(36).slice(2, 8);

	#open() {
		const { url, transport } = this.#options;
		const transports = transport === 'auto' ? undefined : [transport];
		const socket = new SockJS(url, null, { transports, timeout: PATIENCE_MS });

		this.#socket = socket;
		this.#pending = [];
		this.#setState('connecting');
		socket.onopen = () => this.#opened();
		socket.onmessage = (e) => this.#received(e.data);
		socket.onheartbeat = () => {
			this.counts.heartbeats++;
			this.#emitFrame({ dir: 'in', type: 'h', text: 'heartbeat', size: 0, kind: 'event' });
		};
		socket.onclose = (e) => this.#closed(e);
	}

	#opened() {
		this.transport = this.#socket.transport;
		this.openedAt = performance.now();
		this.#setState('open');
		this.#emitFrame({ dir: 'in', type: 'o', text: `open, by ${this.transport}`, size: 0, kind: 'event' });
	}

	#received(text) {
		const size = byteLength(text);
		const frame = { dir: 'in', type: 'a', text, size, kind: 'text' };

		this.counts.received++;
		this.counts.bytesReceived += size;
		if (this.#options.answers === 'tagged')
			this.#openEnvelope(frame);
		this.#match(frame, text);
		this.#emitFrame(frame);
	}

	/* A chat message of this page is JSON; of any other client it is plain text. */
	#openEnvelope(frame) {
		try {
			const { from, text } = JSON.parse(frame.text);
			if (typeof text === 'string')
				Object.assign(frame, { from: String(from ?? ''), text });
		} catch {
			/* not ours: shown as it is */
		}
	}

	#match(frame, wire) {
		const { answers } = this.#options;
		const head = this.#pending[0];

		if (!head || !answers || (answers === 'tagged' && head.wire !== wire))
			return;
		this.#pending.shift();
		frame.kind = head.kind;
		frame.rtt = performance.now() - head.at;
		frame.own = true;
		if (answers === 'same') {
			frame.identical = head.wire === wire;
			if (!frame.identical)
				this.counts.mismatches++;
		}
		this.dispatchEvent(new CustomEvent('rtt', { detail: frame }));
	}

	#closed(e) {
		const wanted = this.#options.reconnect() && e.code !== CLOSED_BY_USER;

		if (this.openedAt !== null && performance.now() - this.openedAt > SETTLED_MS)
			this.#pause = FIRST_PAUSE_MS;
		this.#socket = null;
		this.transport = null;
		this.openedAt = null;
		this.#emitFrame({ dir: 'in', type: 'c', text: `closed: ${e.code} ${e.reason}`, size: 0, kind: 'event' });
		if (!wanted) {
			this.#setState('off');
			return;
		}
		this.counts.reconnects++;
		this.#setState('waiting');
		this.#timer = setTimeout(() => this.#open(), this.#pause);
		this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
	}

	#setState(state) {
		this.state = state;
		this.dispatchEvent(new CustomEvent('state', { detail: state }));
	}

	/* frame: { dir: in|out, type: o|a|m|h|c, text, size, kind, from?, rtt?, own?, identical? } */
	#emitFrame(frame) {
		frame.time = new Date();
		this.dispatchEvent(new CustomEvent('frame', { detail: frame }));
	}
}
