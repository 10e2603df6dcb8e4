/*
 * wire.mjs - a connection octet by octet, so that a restart may come between any two of them.
 */
import { connect } from 'node:net';
import { check, withDeadline } from '../e2e/harness.mjs';

export class Wire {
	got = Buffer.alloc(0);
	isOver = false;
	#wake = () => {};

	constructor(socket) {
		this.socket = socket;
		socket.on('data', (d) => {
			this.got = Buffer.concat([this.got, d]);
			this.#wake();
		}).on('error', (e) => { this.error = e; }).on('close', () => {
			this.isOver = true;
			this.#wake();
		});
	}

	static to(port) { return new Wire(connect(port, '127.0.0.1')); }

	write(text) {
		this.socket.write(text);
		return this;
	}

	async #wait(fn, what) {
		while (!fn()) {
			check(!this.isOver, `the connection ended before ${what} (${this.error?.code ?? 'in order'})`);
			await withDeadline(new Promise((resolve) => { this.#wake = resolve; }), 20000, what);
		}
	}

	/* So many octets, which are taken out of what has come. */
	async take(n, what = `${n} octets`) {
		await this.#wait(() => this.got.length >= n, what);
		const taken = this.got.subarray(0, n);

		this.got = this.got.subarray(n);
		return taken;
	}

	/* Up to and with this text. */
	async through(text, what = JSON.stringify(text)) {
		await this.#wait(() => this.got.includes(text), what);
		return (await this.take(this.got.indexOf(text) + text.length)).toString('latin1');
	}

	/* One answer with a length; its head and body. */
	async answer(what = 'an answer') {
		const head = await this.through('\r\n\r\n', what);
		const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);

		return { status: Number(head.slice(9, 12)), head, body: (await this.take(length, `the body of ${what}`)).toString('latin1') };
	}

	/* One chunk of an answer that has them. */
	async chunk(what = 'a chunk') {
		const n = parseInt(await this.through('\r\n', what), 16), body = await this.take(n + 2, what);

		return body.toString('latin1', 0, n);
	}

	/* One message of a WebSocket's server. */
	async message(what = 'a message') {
		let n = (await this.take(2, what))[1];

		if (n === 126)
			n = (await this.take(2, what)).readUInt16BE();
		else if (n === 127)
			n = Number((await this.take(8, what)).readBigUInt64BE());
		return this.take(n, what);
	}

	async end(what = 'the end') {
		this.socket.resume();
		if (!this.isOver)
			await withDeadline(new Promise((resolve) => this.socket.once('close', resolve)), 20000, what);
	}

	close() { this.socket.destroy(); }
}

export const post = (path, body, more = '') =>
	`POST ${path} HTTP/1.1\r\nHost: gateway\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`;
export const get = (path, more = '') => `GET ${path} HTTP/1.1\r\nHost: gateway\r\n${more}\r\n`;
export const handshake = (prefix, more = '') => get(`${prefix}/websocket`, 'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
	`Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}`);

/* A frame of a client, whose mask is zeros. */
export function frame(payload, { opcode = 1, fin = true, rsv1 = false } = {}) {
	const body = Buffer.from(payload), n = body.length;
	const head = Buffer.alloc(n < 126 ? 6 : n < 65536 ? 8 : 14);

	head[0] = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode;
	head[1] = 0x80 | (n < 126 ? n : n < 65536 ? 126 : 127);
	if (n >= 65536)
		head.writeBigUInt64BE(BigInt(n), 2);
	else if (n >= 126)
		head.writeUInt16BE(n, 2);
	return Buffer.concat([head, body]);
}
