/*
 * sessions.mjs - clients of plain sessions for the tests of web-hooks: a bare WebSocket, SockJS within
 * one, and by polling.
 */
import WebSocket from 'ws';
import { randomBytes } from 'node:crypto';
import { check, withDeadline } from '../e2e/harness.mjs';

const PATIENCE_MS = 10000;

/* What they have in common: messages in order, and how it ended. */
class Session {
	messages = [];
	closed = null; /* { code, reason }, or { status } of a refused handshake */
	#wake = () => {};

	got(message) {
		this.messages.push(message);
		this.#wake();
	}

	ended(how) {
		this.closed ??= how;
		this.#wake();
	}

	async #until(test, what) {
		const done = (async () => {
			while (!test())
				await new Promise((resolve) => { this.#wake = resolve; });
		})();

		await withDeadline(done, PATIENCE_MS, `${what}; so far ${JSON.stringify(this.messages).slice(0, 200)}, ${JSON.stringify(this.closed)}`);
	}

	async take() {
		await this.#until(() => this.messages.length > 0 || this.closed, 'a message');
		check(this.messages.length > 0, `the session has ended: ${JSON.stringify(this.closed)}`);
		return this.messages.shift();
	}

	async takeMany(n) {
		const all = [];

		while (all.length < n)
			all.push(await this.take());
		return all;
	}

	async end() {
		await this.#until(() => this.closed, 'the end');
		return this.closed;
	}
}

export class Raw extends Session {
	name = 'websocket_raw';

	constructor(base, { headers = {}, protocols = [], query = '' } = {}) {
		super();
		this.socket = new WebSocket(`${base.replace('http', 'ws')}${query}`, protocols, { headers });
		this.opened = new Promise((resolve) => {
			this.socket.on('open', () => resolve(true));
			this.socket.on('error', () => resolve(false));
		});
		this.socket.on('unexpected-response', (request, response) => this.ended({ status: response.statusCode }));
		this.socket.on('message', (data, isBinary) => this.got(isBinary ? data : data.toString()));
		this.socket.on('close', (code, reason) => this.ended({ code, reason: reason.toString() }));
	}

	send(message) {
		this.socket.send(message);
	}

	close(code, reason) {
		this.socket.close(code, reason);
	}
}

/* Messages of frames as they come. */
class Framed extends Session {
	constructor() {
		super();
		this.opened = new Promise((resolve) => { this.open = resolve; });
	}

	frame(text) {
		if (text === 'o')
			this.open(true);
		else if (text[0] === 'a')
			JSON.parse(text.slice(1)).forEach((m) => this.got(m));
		else if (text[0] === 'c') {
			const [code, reason] = JSON.parse(text.slice(1));

			this.ended({ code, reason });
			this.open(false);
		}
	}
}

export class SockjsWebsocket extends Framed {
	name = 'websocket';

	constructor(base, { headers = {}, query = '' } = {}) {
		super();
		this.socket = new WebSocket(`${base.replace('http', 'ws')}/000/${randomBytes(8).toString('hex')}/websocket${query}`, { headers });
		this.socket.on('message', (data) => this.frame(data.toString()));
		this.socket.on('close', (code) => {
			this.ended({ code });
			this.open(false);
		});
		this.socket.on('error', () => {});
	}

	send(...messages) {
		this.socket.send(JSON.stringify(messages));
	}

	close() {
		this.socket.close();
	}
}

export class Polling extends Framed {
	name = 'xhr';
	#leaving = new AbortController();

	constructor(base, { headers = {}, query = '' } = {}) {
		super();
		this.url = `${base}/000/${randomBytes(8).toString('hex')}`;
		this.query = query;
		this.headers = headers;
		this.#poll();
	}

	async #poll() {
		try {
			while (!this.closed && !this.left) {
				const answer = await fetch(`${this.url}/xhr${this.query}`, { method: 'POST', headers: this.headers, signal: this.#leaving.signal });

				if (answer.status !== 200) {
					this.ended({ status: answer.status });
					this.open(false);
					return;
				}
				this.frame((await answer.text()).replace(/\n$/, ''));
			}
		} catch (e) {
			this.ended({ code: 0, reason: String(e) });
			this.open(false);
		}
	}

	async send(...messages) {
		const answer = await fetch(`${this.url}/xhr_send`, { method: 'POST', headers: this.headers, body: JSON.stringify(messages) });

		check(answer.status === 204, `xhr_send: ${answer.status}`);
	}

	/* It does not come back. */
	close() {
		this.left = true;
		this.#leaving.abort();
	}
}

export const KINDS = [Raw, SockjsWebsocket, Polling];
