/*
 * application.mjs - the application behind every gateway of the laboratory: it echoes, pushes what it is
 * asked for, and notes what it has heard, said, and when each of its sessions ended. A session belongs to
 * the connection of a visit that is in the path of its URL.
 */
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';

export const now = () => performance.timeOrigin + performance.now();

const NAMES = { xhr_streaming: 'xhr-streaming', xhr: 'xhr-polling', jsonp: 'jsonp-polling' };

class Session {
	heard = [];
	said = [];
	closed = null;

	constructor(ws, visit, transport) {
		Object.assign(this, { ws, visit, transport, opened: now() });
		ws.on('message', (data) => this.#hear(data.toString()));
		ws.on('error', () => {});
		ws.on('close', (code, reason) => {
			clearInterval(this.timer);
			this.closed = { at: now(), code, reason: reason.toString() };
		});
	}

	#hear(text) {
		this.heard.push({ at: now(), text: text.slice(0, 40) });
		if (text.startsWith('P '))
			this.#push(...text.split(' ').slice(1).map(Number));
		else
			this.#say(text);
	}

	#say(text) {
		if (this.ws.readyState !== 1)
			return;
		this.said.push({ at: now(), text: text.slice(0, 40) });
		this.ws.send(text);
	}

	#push(connection, count, every) {
		let i = 0;

		this.timer = setInterval(() => {
			this.#say(`p ${connection} ${i++} ${now()}`);
			if (i === count)
				clearInterval(this.timer);
		}, every);
	}
}

export class Application {
	#sessions = new Map(); /* by what the path says */

	/* On a unix socket, so that gateways in network namespaces reach it too. */
	async start(folder) {
		this.path = join(folder, 'application.sock');
		this.server = http.createServer().listen(this.path);
		new WebSocketServer({ server: this.server, perMessageDeflate: false }).on('connection', (ws, req) => {
			const visit = /visit-([\d.]+)/.exec(req.url)?.[1] ?? '';
			const transport = req.headers['x-sockjs-transport'];

			this.of(visit).push(new Session(ws, visit, NAMES[transport] ?? transport));
		});
		await once(this.server, 'listening');
		return this;
	}

	get url() { return `unix:${this.path}:/`; }

	/* All sessions of one connection. */
	of(visit) {
		if (!this.#sessions.has(visit))
			this.#sessions.set(visit, []);
		return this.#sessions.get(visit);
	}
}
