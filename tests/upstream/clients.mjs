/*
 * clients.mjs - one client for each transport, all alike: a line that opens, says
 * texts, hears texts, closes, and can stop reading.
 *
 *	const line = await open(url, 'xhr_streaming');
 *	line.send('text'); await line.next(); await line.closed;	// { code, reason }
 *
 * A refusal is a close too: { status } for a bare WebSocket, { code, reason } else.
 */
import http from 'node:http';
import WebSocket from 'ws';
import { withDeadline } from '../e2e/harness.mjs';

export const KINDS = ['raw', 'websocket', 'xhr_streaming', 'eventsource', 'htmlfile', 'xhr', 'jsonp'];
const WAIT_MS = 20000;
let last = 0;

class Line {
	messages = [];
	heard = 0;
	onmessage = null;
	#wake = null;

	constructor() {
		this.opened = new Promise((resolve) => { this.isOpen = resolve; });
		this.closed = new Promise((resolve) => { this.isClosed = resolve; });
		this.closed.then((how) => {
			this.end = how;
			this.#wake?.();
		});
	}

	hear(data) {
		this.heard++;
		if (this.onmessage) {
			this.onmessage(data);
			return;
		}
		this.messages.push(data);
		this.#wake?.();
	}

	/* The next message; an Error if the line closes first. */
	async next(what = 'a message') {
		while (this.messages.length === 0) {
			if (this.end)
				throw new Error(`closed (${JSON.stringify(this.end)}) instead of ${what}`);
			await withDeadline(new Promise((resolve) => { this.#wake = resolve; }), WAIT_MS, what);
		}
		return this.messages.shift();
	}

	/* How it ends. */
	over() {
		return withDeadline(this.closed, WAIT_MS, 'the line closes');
	}

	/* All that comes until it ends. */
	async rest() {
		await this.over();
		return this.messages.splice(0);
	}
}

/* --- WebSocket ------------------------------------------------------------ */

class Raw extends Line {
	constructor(url, { query = '', headers = {}, protocols = [], agent, deflate = false } = {}, path = '/websocket') {
		super();
		this.ws = new WebSocket(url.replace(/^http/, 'ws') + path + query, protocols,
			{ headers, agent, perMessageDeflate: deflate, maxPayload: 1 << 26, rejectUnauthorized: false });
		this.ws.on('message', (data, binary) => this.frame(binary ? data : data.toString()));
		this.ws.on('unexpected-response', (req, response) => {
			this.retryAfter = response.headers['retry-after'];
			this.isClosed({ status: response.statusCode });
			response.resume();
			req.destroy();
		});
		this.ws.on('close', (code, reason) => this.isClosed({ code, reason: reason.toString() }));
		this.ws.on('error', (e) => { this.error = e; });
		this.begin();
	}

	begin() {
		this.ws.on('open', () => this.isOpen());
	}

	frame(data) {
		this.hear(data);
	}

	send(text) {
		this.ws.send(text);
	}

	pause() {
		this.ws._socket.pause();
	}

	resume() {
		this.ws._socket.resume();
	}

	close(code, reason) {
		this.ws.close(code, reason);
		return this.over();
	}

	vanish() {
		if (this.ws._socket?.encrypted) /* that cannot be reset */
			this.ws.terminate();
		else
			this.ws._socket?.resetAndDestroy();
	}
}

/* What every SockJS wire says. */
function take(line, frame) {
	if (frame[0] === 'o')
		line.isOpen();
	else if (frame[0] === 'a')
		JSON.parse(frame.slice(1)).forEach((m) => line.hear(m));
	else if (frame[0] === 'c') {
		const [code, reason] = JSON.parse(frame.slice(1));
		line.isClosed({ code, reason });
	}
}

class Framed extends Raw {
	constructor(url, options) {
		super(url, options, `/000/f${process.pid}-${++last}/websocket`);
	}

	begin() {}

	frame(data) {
		take(this, data);
	}

	send(text) {
		this.ws.send(JSON.stringify([text]));
	}
}

/* --- HTTP ----------------------------------------------------------------- */

/* Splits a stream into what a function finds in it; that returns [frames, rest]. */
const SPLIT = {
	lines(text) {
		const parts = text.split('\n');

		return [parts.slice(0, -1).filter((l) => !/^h*$/.test(l)), parts.at(-1)];
	},
	events(text) {
		const parts = text.split('\r\n\r\n');
		const frames = parts.slice(0, -1).map((e) => e.replace(/^\r\n/, '')).filter((e) => e.startsWith('data: '));

		return [frames.map((e) => decodeURIComponent(e.slice(6))), parts.at(-1)];
	},
	scripts(text) {
		const frames = [];
		const end = text.lastIndexOf('</script>');

		for (const [, body] of text.slice(0, Math.max(end, 0) + 9).matchAll(/<script>\s*p\((".*?")\);?\s*<\/script>/gs))
			frames.push(JSON.parse(body));
		return [frames, end < 0 ? text : text.slice(end + 9)];
	},
	call(text) {
		const [, body] = /^\/\*\*\/cb\d*\((".*")\);\r\n$/s.exec(text) ?? [];

		return body === undefined ? [[], text] : [[JSON.parse(body)], ''];
	},
};

const WIRES = {
	xhr_streaming: { method: 'POST', split: SPLIT.lines },
	xhr: { method: 'POST', split: SPLIT.lines },
	eventsource: { method: 'GET', split: SPLIT.events },
	htmlfile: { method: 'GET', split: SPLIT.scripts, own: 'c=cb' },
	jsonp: { method: 'GET', split: SPLIT.call, own: 'c=cb' },
};

/* An idle connection that the server has closed just as we took it from the pool: as a browser does, we
 * ask again. */
function isStale(request, error) {
	return request.reusedSocket && error.code === 'ECONNRESET' && !request.res;
}

/* Each receiver on a connection of its own choice: the pool of the agent. */
class Http extends Line {
	#queue = [];
	#sending = false;
	busy = 0; /* 503s met by the sender */

	constructor(url, kind, { query = '', headers = {}, agent } = {}) {
		super();
		this.base = `${url}/000/h${process.pid}-${++last}`;
		this.kind = kind;
		this.wire = WIRES[kind];
		this.headers = headers;
		this.agent = agent ?? new http.Agent({ keepAlive: true, maxSockets: 16 });
		this.early = true; /* the session may not be there yet */
		this.opened.then(() => { this.early = false; });
		this.receive(query);
		this.closed.then(() => {
			this.#queue = [];
			if (!agent)
				this.agent.destroy();
		});
	}

	receive(query = '', number = ++last) {
		const { method, split, own } = this.wire;
		/* Each of its own, as sockjs-client has them */
		const all = [query.replace(/^\?/, ''), own && `${own}${number}`].filter(Boolean).join('&');
		let text = '';

		this.request = http.request(`${this.base}/${this.kind}${all && '?'}${all}`,
			{ method, agent: this.agent, headers: this.headers }, (response) => {
				this.response = response;
				response.setEncoding('utf8');
				if (response.statusCode !== 200) {
					this.isClosed({ status: response.statusCode });
					response.resume();
					return;
				}
				response.on('data', (chunk) => {
					const [frames, rest] = split(text + chunk);
					text = rest;
					frames.forEach((f) => take(this, f));
				});
				response.on('end', () => { if (!this.end) setImmediate(() => this.end || this.receive()); });
				response.on('error', () => this.isClosed({ broken: true }));
			});
		this.request.on('error', (e) => (isStale(this.request, e) && !this.end ? this.receive(query, number) : this.isClosed({ broken: true })));
		this.request.end();
	}

	send(text) {
		this.#queue.push(text);
		if (!this.#sending)
			this.#sendAll();
	}

	async #sendAll() {
		this.#sending = true;
		while (this.#queue.length && !this.end) {
			let size = 0, n = 0;
			while (n < this.#queue.length && (n === 0 || size < 50000))
				size += this.#queue[n++].length;
			const { status } = await this.post(this.#queue.slice(0, n));
			if (status === 503 || (status === 404 && this.early)) {
				this.busy += status === 503;
				await new Promise((resolve) => { setTimeout(resolve, 100); });
			} else {
				this.#queue.splice(0, n);
				this.sendStatus = status;
			}
		}
		this.#sending = false;
	}

	/* One request with messages; its status. Messages are in flight while it is not answered. */
	post(messages) {
		const jsonp = this.kind === 'jsonp';

		return new Promise((resolve) => {
			const request = http.request(`${this.base}/${jsonp ? 'jsonp' : 'xhr'}_send`, {
				method: 'POST',
				agent: this.agent,
				headers: { ...this.headers, 'content-type': 'text/plain' },
			}, (response) => {
				response.resume();
				response.on('end', () => resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'] }));
			});
			request.on('error', (e) => resolve(isStale(request, e) ? this.post(messages) : { status: 0 }));
			request.end(JSON.stringify(messages));
		});
	}

	pause() {
		this.response.pause();
	}

	resume() {
		this.response.resume();
	}

	/* A SockJS client cannot say a code; it goes. */
	close() {
		this.vanish();
		return this.over();
	}

	vanish() {
		this.request.destroy();
		this.isClosed({ code: 1000, reason: '' });
	}
}

/* --- all alike -------------------------------------------------------------- */

export function start(url, kind, options) {
	if (kind === 'raw')
		return new Raw(url, options);
	return kind === 'websocket' ? new Framed(url, options) : new Http(url, kind, options);
}

/* Opened, or an Error that says how it closed. */
export async function open(url, kind, options) {
	const line = start(url, kind, options);
	const how = await withDeadline(Promise.race([line.opened, line.closed]), WAIT_MS, `${kind} opens`);

	if (how)
		throw new Error(`${kind} did not open: ${JSON.stringify(how)} ${line.error ?? ''}`);
	return line;
}

/* How a line that never opens ends. */
export async function refused(url, kind, options) {
	const line = start(url, kind, options);
	const how = await withDeadline(Promise.race([line.opened.then(() => ({ opened: true })), line.closed]), WAIT_MS, `${kind} is refused`);

	if (how.opened)
		line.vanish();
	return how;
}
