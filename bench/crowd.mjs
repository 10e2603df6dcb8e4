/*
 * bench/crowd.mjs - thousands of browsers that speak STOMP over WebSocket, in one program and as bare as they may be: no more is
 * read of what comes than tells one frame from another, so that what is measured is not themselves.
 */
import { connect } from 'node:net';
import { patient, withDeadline } from '../tests/e2e/harness.mjs';

const NUL = '\0';
const OPENED = 'HTTP/1.1 101 ';

/* Masked by a key of zeros. */
function clientFrame(text) {
	const length = Buffer.byteLength(text);
	const head = length < 126 ? [0x81, 0x80 | length] : [0x81, 0xfe, length >> 8, length & 255];
	const frame = Buffer.alloc(head.length + 4 + length);

	frame.set(head);
	frame.write(text, head.length + 4);
	return frame;
}

const stomp = (command, headers, body = '') =>
	clientFrame(`${command}\n${Object.entries(headers).map(([k, v]) => `${k}:${v}\n`).join('')}\n${body}${NUL}`);

export class Browser {
	messages = 0;
	closed = false;
	left = false;        /* by its own will */
	onMessage = null;    /* (octets, begin, end) of a frame MESSAGE */
	onClosed = null;
	#rest = null;
	#opened = false;
	#answers = new Map(); /* what is waited for: '101', 'CONNECTED', or the id of a receipt */
	#receipts = 0;

	/* `path` is that of a WebSocket without SockJS frames. */
	constructor(port, path) {
		this.socket = connect(port, '127.0.0.1').setNoDelay(true);
		this.socket.on('error', (e) => { this.why = e.code; }).on('close', () => this.#end()).on('data', (d) => this.#take(d));
		this.socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
			'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v12.stomp\r\n\r\n');
	}

	#end() {
		this.closed = true;
		for (const { reject } of this.#answers.values())
			reject(new Error(`closed (${this.why ?? 'EOF'})`));
		this.#answers.clear();
		this.onClosed?.();
	}

	#take(piece) {
		let data = this.#rest ? Buffer.concat([this.#rest, piece]) : piece, at = 0;

		if (!this.#opened) {
			const end = data.indexOf('\r\n\r\n');

			if (end < 0) {
				this.#rest = data;
				return;
			}
			if (data.toString('latin1', 0, OPENED.length) !== OPENED) {
				this.why = data.toString('latin1', 0, 40);
				this.socket.destroy();
				return;
			}
			this.#opened = true;
			this.#resolve('101');
			at = end + 4;
		}
		while (at + 2 <= data.length) {
			const short = data[at + 1], head = short < 126 ? 2 : short === 126 ? 4 : 10;

			if (at + head > data.length)
				break;
			const begin = at + head, end = begin + (head === 2 ? short : head === 4 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2)));

			if (end > data.length)
				break;
			if ((data[at] & 15) <= 2)
				this.#frame(data, begin, end);
			else if ((data[at] & 15) === 8)
				this.why ??= `close ${data.readUInt16BE(begin)}`;
			at = end;
		}
		this.#rest = at < data.length ? data.subarray(at) : null;
	}

	#frame(data, begin, end) {
		if (data[begin] === 0x4d /* M */) {
			this.messages++;
			this.onMessage?.(data, begin, end);
		} else if (data[begin] !== 10 /* a heart-beat */) {
			this.#answer(data.toString('utf8', begin, end));
		}
	}

	#answer(text) {
		const what = text.startsWith('CONNECTED') ? 'CONNECTED' : /\nreceipt-id:(.*)/.exec(text)?.[1];

		if (text.startsWith('ERROR')) {
			this.why = text.split(NUL)[0];
			this.socket.destroy();
			return;
		}
		this.#resolve(what);
	}

	#resolve(what) {
		this.#answers.get(what)?.resolve();
		this.#answers.delete(what);
	}

	#until(what) {
		if (this.closed)
			return Promise.reject(new Error(`closed (${this.why ?? 'EOF'})`));
		return withDeadline(new Promise((resolve, reject) => { this.#answers.set(what, { resolve, reject }); }), patient(60000), what);
	}

	/* Not before the answer to the handshake: Cowboy refuses who is in a hurry. */
	async connect(headers = {}) {
		await this.#until('101');
		this.socket.write(stomp('CONNECT', { 'accept-version': '1.2', host: '/', 'heart-beat': '0,0', ...headers }));
		return this.#until('CONNECTED');
	}

	/* Until it holds. */
	subscribe(id, destination) {
		const receipt = `r${this.#receipts++}`;

		this.socket.write(stomp('SUBSCRIBE', { id, destination, receipt }));
		return this.#until(receipt);
	}

	send(destination, body) {
		this.socket.write(stomp('SEND', { destination }, body));
	}

	/* In order: what it has sent is there by then. */
	async leave() {
		const receipt = `r${this.#receipts++}`;

		this.left = true;
		this.socket.write(stomp('DISCONNECT', { receipt }));
		await this.#until(receipt);
		this.socket.destroy();
	}

	cut() {
		this.left = true;
		this.socket.destroy();
	}
}

/* What `make` makes of 0 to `count` - 1, so many at a time. */
export async function gather(count, atOnce, make) {
	const all = Array(count);
	let next = 0;
	const work = async () => {
		while (next < count) {
			const i = next++;

			all[i] = await make(i);
		}
	};

	await Promise.all(Array.from({ length: atOnce }, work));
	return all;
}
