/*
 * sessions.mjs - SockJS sessions as bare as they may be, each request of which goes to whichever gateway the test says.
 */
import { request } from 'node:http';
import { until } from '../reload/gateway.mjs';
import { equal } from '../e2e/harness.mjs';

let count = 0;

/* A request whose answer is read as it comes. */
export class Answer {
	text = '';
	ended = false;
	broken = false;

	constructor(gateway, method, path, { body, headers = {}, ca } = {}) {
		const tls = gateway.secure;

		this.done = new Promise((resolve) => {
			const to = tls ?? request;

			this.request = to({ host: '127.0.0.1', port: gateway.port, method, path, agent: false, ca, headers: { ...headers, ...body !== undefined && { 'content-length': Buffer.byteLength(body) } } });
			this.request.on('response', (answer) => {
				this.status = answer.statusCode;
				this.headers = answer.headers;
				answer.setEncoding('utf8').on('data', (d) => { this.text += d; });
				answer.on('error', () => {}).on('close', () => {
					this.ended = true;
					this.broken = !answer.complete;
					resolve(this);
				});
			});
			this.request.on('error', (e) => {
				this.ended = this.broken = true;
				this.error = e;
				resolve(this);
			});
			this.request.end(body);
		});
	}

	has(text) {
		return until(() => this.text.includes(text) || (this.ended && `ended before ${text}`), `an answer has ${text}`)
			.then((so) => equal(so, true, `an answer with ${text} (${this.text.slice(-200)})`));
	}

	leave() {
		this.request.destroy();
	}
}

export class Session {
	constructor(prefix = '/echo', options = {}) {
		this.path = `${prefix}/000/s${process.pid}x${count++}`;
		this.options = options;
	}

	ask(gateway, transport, body, method = 'POST') {
		return new Answer(gateway, method, `${this.path}/${transport}`, { ...this.options, body });
	}

	async poll(gateway) {
		const { status, text } = await this.ask(gateway, 'xhr', '').done;

		return status === 200 ? text.trim() : status;
	}

	async open(gateway) {
		equal(await this.poll(gateway), 'o', 'the first frame of a session');
		return this;
	}

	async send(gateway, ...texts) {
		return (await this.ask(gateway, 'xhr_send', JSON.stringify(texts)).done).status;
	}

	stream(gateway, transport = 'xhr_streaming') {
		const url = transport === 'htmlfile' || transport === 'jsonp' ? `${transport}?c=cb` : transport;

		return this.ask(gateway, url, undefined, transport === 'xhr_streaming' ? 'POST' : 'GET');
	}
}
