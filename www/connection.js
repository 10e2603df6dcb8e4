/*
 * connection.js - one connection, watched.
 *
 * Wraps sockjs-client (the global SockJS) or a bare WebSocket and adds what the live
 * page shows: counts, times, the round trip of each answered message, and new
 * attempts with growing pauses.  Knows nothing of the page; it speaks by events:
 * `state`, `frame` (detail: see emitFrame()), `rtt`, `burst`.
 *
 * States: off, connecting, open, waiting (for the next attempt).  From a cut until
 * the next open it is one outage, however many attempts that takes: one cut is
 * counted, and one frame tells why.
 */
import { RawSocket } from './rawsocket.js';

const FIRST_PAUSE_MS = 500;
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

/* As String.prototype.toWellFormed(), which older browsers lack. */
function wellFormed(text) {
	return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}

function freshCounts() {
	return { sent: 0, received: 0, bytesSent: 0, bytesReceived: 0, heartbeats: 0, cuts: 0, mismatches: 0 };
}

export class Connection extends EventTarget {
	state = 'off';
	transport = null;
	openedAt = null;
	counts = freshCounts();
	/* In an outage: attempts that have failed, and when the next one is due. */
	failures = 0;
	nextTryAt = null;
	#socket = null;
	#options = null;
	#pending = [];
	#timer = 0;
	#pause = FIRST_PAUSE_MS;
	#serial = 0;

	/* options: { url, transport, raw, answers, reconnect: () => bool }; `raw` is the path, behind
	 * the service's, of a bare WebSocket (undefined: by SockJS) */
	connect(options) {
		this.#options = options;
		this.counts = freshCounts();
		this.failures = 0;
		this.#pause = FIRST_PAUSE_MS;
		this.#open();
	}

	/* The attempt that is due later is made now. */
	tryNow() {
		if (this.state !== 'waiting')
			return;
		clearTimeout(this.#timer);
		this.#pause = FIRST_PAUSE_MS;
		this.#open();
	}

	disconnect() {
		clearTimeout(this.#timer);
		this.nextTryAt = null;
		if (!this.#socket) {
			this.#setState('off');
			return;
		}
		this.#options.reconnect = () => false;
		this.#socket.close(CLOSED_BY_USER, 'Closed by the page');
	}

	/* Sends text; `kind` is text, probe or burst and comes back with the answer. */
	send(said, kind = 'text', author = '') {
		/* Lone surrogates pass SockJS, which escapes them; in a WebSocket's UTF-8 there are none. */
		const text = this.#options.raw === undefined ? said : wellFormed(said);
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

	#newSocket() {
		const { url, transport, raw } = this.#options;
		const transports = transport === 'auto' ? undefined : [transport];

		if (raw !== undefined)
			return new RawSocket(url + raw, transport);
		return new SockJS(url, null, { transports, timeout: PATIENCE_MS });
	}

	#open() {
		const socket = this.#newSocket();

		this.#socket = socket;
		this.#pending = [];
		this.nextTryAt = null;
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
		this.failures = 0;
		this.#setState('open');
		this.#emitFrame({ dir: 'in', type: 'o', text: `open, by ${this.transport}`, size: 0, kind: 'event' });
	}

	#received(text) {
		const size = byteLength(text);
		const type = this.#options.raw === undefined ? 'a' : 'm';
		const frame = { dir: 'in', type, text, size, kind: 'text' };

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
		const wasOpen = this.openedAt !== null;
		const wanted = this.#options.reconnect() && e.code !== CLOSED_BY_USER;

		if (wasOpen && performance.now() - this.openedAt > SETTLED_MS)
			this.#pause = FIRST_PAUSE_MS;
		this.#socket = null;
		this.transport = null;
		this.openedAt = null;
		this.#pending = [];
		if (this.failures++ === 0)
			this.#emitFrame({ dir: 'in', type: 'c', text: `${wasOpen ? 'closed' : 'not reached'}: ${e.code} ${e.reason}`, size: 0, kind: 'event' });
		if (!wanted) {
			this.#setState('off');
			return;
		}
		this.counts.cuts += wasOpen ? 1 : 0;
		this.#wait();
	}

	#wait() {
		this.nextTryAt = performance.now() + this.#pause;
		this.#timer = setTimeout(() => this.#open(), this.#pause);
		this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
		this.#setState('waiting');
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
