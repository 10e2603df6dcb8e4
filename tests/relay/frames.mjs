/*
 * frames.mjs - frames of STOMP as octets, for who must see what really goes over a line: a reader that keeps every
 * header as it came, a writer that writes what it is told, and a client that does nothing by itself.
 *
 * Headers are lists of [name, value], as they stand in the frame: neither unescaped nor without repetitions.
 */
import net from 'node:net';
import tls from 'node:tls';
import { withDeadline } from '../e2e/harness.mjs';

const WAIT_MS = 10000;

export class Frame {
	constructor(command, headers, body, raw) {
		Object.assign(this, { command, headers, body, raw });
	}

	/* The first of its name counts. */
	get(name) {
		return this.headers.find(([n]) => n === name)?.[1];
	}

	get text() {
		return this.body.toString();
	}

	toString() {
		return JSON.stringify(this.raw.toString('latin1'));
	}
}

/* Pieces of a line in, frames out. `beats` counts the line ends between frames. */
export class FrameReader {
	beats = 0;
	#rest = Buffer.alloc(0);

	/* What has come of a frame that is not whole yet. */
	get rest() {
		return this.#rest;
	}

	push(piece) {
		this.#rest = this.#rest.length ? Buffer.concat([this.#rest, piece]) : piece;
		const frames = [];

		for (let frame; (frame = this.#next());)
			frames.push(frame);
		return frames;
	}

	#skipBeats() {
		let at = 0;

		for (; this.#rest[at] === 10 || this.#rest[at] === 13; at++)
			this.beats += this.#rest[at] === 10 ? 1 : 0;
		this.#rest = this.#rest.subarray(at);
	}

	#next() {
		this.#skipBeats();
		const lf = this.#rest.indexOf('\n\n');
		const crlf = (lf < 0 ? this.#rest : this.#rest.subarray(0, lf)).indexOf('\n\r\n');
		const [end, gap] = crlf >= 0 && (lf < 0 || crlf < lf) ? [crlf, 3] : [lf, 2];

		if (end < 0)
			return null;
		const [command, ...lines] = this.#rest.subarray(0, end).toString().split('\n').map((l) => l.replace(/\r$/, ''));
		const headers = lines.map((l) => (l.includes(':') ? [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 1)] : [l, '']));
		const length = headers.find(([n]) => n === 'content-length')?.[1];
		const start = end + gap;
		const stop = /^\d+$/.test(length ?? '') ? start + Number(length) : this.#rest.indexOf(0, start);

		if (stop < 0 || stop >= this.#rest.length)
			return null;
		const frame = new Frame(command, headers, this.#rest.subarray(start, stop), this.#rest.subarray(0, stop + 1));
		this.#rest = this.#rest.subarray(stop + 1);
		return frame;
	}
}

function pairs(headers) {
	return Array.isArray(headers) ? headers : Object.entries(headers).filter(([, value]) => value !== undefined);
}

/* As they are: nothing is escaped, and no content-length is added. */
export function encode(command, headers = {}, body = '') {
	const head = `${command}\n${pairs(headers).map(([n, v]) => `${n}:${v}\n`).join('')}\n`;

	return Buffer.concat([Buffer.from(head), Buffer.from(body), Buffer.of(0)]);
}

const ESCAPES = { '\\n': '\n', '\\c': ':', '\\\\': '\\', '\\r': '\r' };

export function escape(value, version = '1.2') {
	if (version === '1.0')
		return value;
	return value.replace(/[\\\n:\r]/g, (c) => ({ '\\': '\\\\', '\n': '\\n', ':': '\\c', '\r': version === '1.2' ? '\\r' : '\r' }[c]));
}

/* What is no escape stays as it is. */
export function unescape(value, version = '1.2') {
	if (version === '1.0')
		return value;
	return value.replace(/\\[nc\\r]/g, (e) => (e === '\\r' && version === '1.1' ? e : ESCAPES[e]));
}

/* A connection that says what it is told to, and notes what it hears. */
export class Line {
	frames = []; /* that nobody has taken yet */
	all = []; /* of the whole life */
	closed = false;
	#reader = new FrameReader();
	#waiting = [];

	/* `url` is stomp:// or stomps://; with `ca` the name is verified too. */
	constructor(url, { ca } = {}) {
		const { protocol, hostname, port } = new URL(url);
		const options = { host: hostname, port: Number(port), ca, rejectUnauthorized: Boolean(ca), servername: 'localhost' };

		this.socket = protocol === 'stomps:' ? tls.connect(options) : net.connect(options);
		this.socket.setNoDelay(true);
		this.open = new Promise((resolve, reject) => {
			this.socket.once(protocol === 'stomps:' ? 'secureConnect' : 'connect', resolve);
			this.socket.once('error', reject);
			this.socket.once('close', () => reject(new Error('closed')));
		});
		this.open.catch(() => {});
		this.ended = new Promise((resolve) => { this.socket.on('close', resolve); });
		this.socket.on('error', (e) => { this.why = e.code; });
		this.socket.on('end', () => { this.why ??= 'EOF'; });
		this.socket.on('data', (piece) => this.#take(piece));
		this.socket.on('close', () => {
			this.closed = true;
			this.#waiting.splice(0).forEach((w) => w());
		});
	}

	#take(piece) {
		for (const frame of this.#reader.push(piece)) {
			this.all.push(frame);
			this.frames.push(frame);
		}
		this.#waiting.splice(0).forEach((w) => w());
	}

	get beats() {
		return this.#reader.beats;
	}

	/* Of a frame whose end has not come. */
	get rest() {
		return this.#reader.rest;
	}

	write(octets) {
		return this.socket.write(octets);
	}

	send(command, headers, body) {
		return this.write(encode(command, headers, body));
	}

	/* Takes the next frame that `wanted` wants, a command or a function, and leaves the others. */
	async next(wanted = () => true, ms = WAIT_MS) {
		const fits = typeof wanted === 'string' ? (f) => f.command === wanted : wanted;
		const heard = () => this.all.slice(-2).join(' ') || 'nothing';
		let late = false; /* who has given up takes nothing from others */
		const look = async () => {
			while (!late) {
				const at = this.frames.findIndex(fits);

				if (at >= 0)
					return this.frames.splice(at, 1)[0];
				if (this.closed)
					throw new Error(`closed (${this.why}) before the frame that was waited for; had ${heard()}`);
				await new Promise((resolve) => { this.#waiting.push(resolve); });
			}
			return null;
		};

		try {
			return await withDeadline(look(), ms, typeof wanted === 'string' ? wanted : 'a frame');
		} catch (e) {
			throw new Error(`${e.message}; had ${heard()}`);
		} finally {
			late = true;
		}
	}

	receipt(id, ms) {
		return this.next((f) => f.command === 'RECEIPT' && f.get('receipt-id') === id, ms);
	}

	/* CONNECTED, or what else is answered. */
	async connect(headers = {}) {
		await withDeadline(this.open, WAIT_MS, 'a connection');
		this.send('CONNECT', { 'accept-version': '1.2', host: '/', 'heart-beat': '0,0', ...headers });
		return this.next();
	}

	/* Is it still of use? Asks for a receipt. */
	async alive(ms = 2000) {
		const id = `alive-${this.all.length}-${Math.random()}`;

		if (this.closed)
			return false;
		this.send('SEND', { destination: '/topic/alive', receipt: id });
		return this.receipt(id, ms).then(() => true, () => false);
	}

	cut() {
		this.socket.destroy();
	}
}
