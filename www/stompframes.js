/*
 * stompframes.js - STOMP frames as they pass, to be shown.
 *
 * @stomp/stompjs reads and writes frames for itself. This reads the same octets once
 * more, whatever the borders of the messages that carry them, and hands on
 * each frame, and each heart-beat between frames, as it is on the wire.
 */
const LF = 10;
const CR = 13;
const NUL = 0;
const ESCAPES = { '\\n': '\n', '\\r': '\r', '\\c': ':', '\\\\': '\\' };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function join(a, b) {
	const both = new Uint8Array(a.length + b.length);

	both.set(a);
	both.set(b, a.length);
	return both;
}

/* Where the empty line is that ends the head: { end, body }, or null as long as there is none. */
function headOf(bytes) {
	for (let lf = bytes.indexOf(LF); lf >= 0; lf = bytes.indexOf(LF, lf + 1)) {
		const next = bytes[lf + 1] === CR ? lf + 2 : lf + 1;

		if (bytes[next] === LF)
			return { end: lf, body: next + 1 };
	}
	return null;
}

/* Nothing is escaped in CONNECT and CONNECTED. */
function unescaped(text, command) {
	return command.startsWith('CONNECT') ? text : text.replace(/\\[nrc\\]/g, (e) => ESCAPES[e]);
}

function parseHead(text) {
	const [command, ...lines] = text.split(/\r?\n/);
	const headers = lines.map((line) => {
		const colon = line.indexOf(':');

		return [line.slice(0, colon), line.slice(colon + 1)].map((part) => unescaped(part, command));
	});

	return { command, headers };
}

/* The first one of this name counts. */
export function header(frame, name) {
	return frame.headers.find(([key]) => key === name)?.[1];
}

/* One for each direction. `found` gets { command, headers: [[name, value]], body, size }, or
 * { beat: true, size }. */
export class FrameReader {
	#rest = new Uint8Array(0);
	#found;

	constructor(found) {
		this.#found = found;
	}

	/* `data` is text or an ArrayBuffer. */
	read(data) {
		const bytes = typeof data === 'string' ? encoder.encode(data) : new Uint8Array(data);

		this.#rest = this.#rest.length ? join(this.#rest, bytes) : bytes;
		while (this.#rest.length && (this.#beat() || this.#frame()));
	}

	#take(n) {
		this.#rest = this.#rest.subarray(n);
		return n;
	}

	#beat() {
		const size = this.#rest[0] === LF ? 1 : this.#rest[0] === CR && this.#rest[1] === LF ? 2 : 0;

		if (size)
			this.#found({ beat: true, size: this.#take(size) });
		return size > 0;
	}

	#frame() {
		const head = headOf(this.#rest);
		const frame = head && parseHead(decoder.decode(this.#rest.subarray(0, head.end)));
		const length = frame && header(frame, 'content-length');
		const end = head && (length === undefined ? this.#rest.indexOf(NUL, head.body) : head.body + Number(length));

		if (!head || !(end >= 0 && end < this.#rest.length))
			return false;
		frame.body = decoder.decode(this.#rest.subarray(head.body, end));
		frame.size = this.#take(end + 1);
		this.#found(frame);
		return true;
	}
}
