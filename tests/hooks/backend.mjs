/*
 * backend.mjs - a backend for web-hooks whose answers a test makes up as it goes, and who notes what it
 * was asked; and one that speaks no HTTP worth the name.
 */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { until } from '../upstream/gateway.mjs';

export const SECRET = 'a-secret-of-many-octets';

/* What a backend does about Sockjsd-Signature; examples/hooks has the same in three languages. */
export function isSigned(secret, header, body, now = Date.now() / 1000) {
	const [, at, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? [];

	return mac === createHmac('sha256', secret).update(`${at}.${body}`).digest('hex') && Math.abs(now - at) < 300;
}

export class Backend {
	asked = []; /* { event, id, ..., headers of HTTP as `http` } in the order they came */
	active = 0;
	mostActive = 0;
	connections = 0;

	/* `answer` gets the event and gives { status, json, text, delay } or a promise of it. */
	constructor(answer = () => ({})) {
		this.answer = answer;
	}

	async start({ tls = null } = {}) {
		const serve = (request, response) => this.#serve(request, response);

		this.server = tls ? createTlsServer(tls, serve) : createServer(serve);
		this.server.on('connection', (socket) => {
			this.connections++;
			socket.on('error', () => {});
		});
		await new Promise((resolve) => this.server.listen(this.port ?? 0, '127.0.0.1', resolve));
		this.port = this.server.address().port;
		this.url = `http${tls ? 's' : ''}://127.0.0.1:${this.port}/hook`;
		return this;
	}

	async #serve(request, response) {
		const chunks = [];

		for await (const chunk of request)
			chunks.push(chunk);
		const body = Buffer.concat(chunks).toString();
		const event = JSON.parse(body);

		Object.defineProperty(event, 'http', { value: request.headers });
		Object.defineProperty(event, 'signed', { value: isSigned(SECRET, request.headers['sockjsd-signature'], body) });
		this.asked.push(event);
		this.mostActive = Math.max(this.mostActive, ++this.active);
		try {
			const { status = 200, json, text, headers = {}, reset } = (await this.answer(event, this.asked.length, response)) ?? {};

			if (reset)
				request.socket.resetAndDestroy();
			else if (!response.writableEnded)
				response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text ?? (json === undefined ? '' : JSON.stringify(json)));
		} finally {
			this.active--;
		}
	}

	events(name) {
		return this.asked.filter((e) => e.event === name);
	}

	async heard(name, count = 1, ms = 10000) {
		await until(`${count} times ${name}`, () => (this.events(name).length >= count ? null : `${this.events(name).length} so far`), ms);
		return this.events(name)[count - 1];
	}

	forget() {
		this.asked.length = 0;
	}

	stop() {
		this.server.closeAllConnections?.();
		return new Promise((resolve) => this.server.close(resolve));
	}
}

/* Answers every connection with these octets, whatever it was asked, then ends or not. */
export class Liar {
	constructor(octets, { ends = true } = {}) {
		this.octets = octets;
		this.ends = ends;
	}

	async start() {
		this.server = createTcpServer((socket) => {
			socket.on('error', () => {});
			socket.once('data', () => {
				if (this.ends)
					socket.end(this.octets);
				else
					socket.write(this.octets);
			});
		});
		await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
		this.url = `http://127.0.0.1:${this.server.address().port}/`;
		return this;
	}

	stop() {
		this.server.close();
	}
}
