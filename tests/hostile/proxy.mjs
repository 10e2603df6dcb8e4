/*
 * proxy.mjs - a sockjs-hostile, and what can be asked of it; clients and servers that tell what they
 * have seen.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import WebSocket from 'ws';
import { check, patient, withDeadline } from '../e2e/harness.mjs';

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/* Waits until `test` gives something. */
export async function until(what, test, sooner = 10000) {
	const deadline = performance.now() + patient(sooner);

	for (;;) {
		const found = await test();
		if (found)
			return found;
		check(performance.now() < deadline, `never: ${typeof what === 'function' ? what() : what}`);
		await sleep(10);
	}
}

export class Proxy {
	static program = './sockjs-hostile';
	static all = new Set();

	static async start(target, rules = [], options = []) {
		const p = new Proxy();

		p.target = target;
		p.stderr = [];
		p.child = spawn(Proxy.program, ['--target', target, '--control', '127.0.0.1:0', '--log-level', 'warn', ...options, ...rules],
			{ stdio: ['ignore', 'pipe', 'pipe'] });
		Proxy.all.add(p);
		createInterface({ input: p.child.stderr }).on('line', (line) => p.stderr.push(line));
		const [line] = await withDeadline(Promise.race([once(createInterface({ input: p.child.stdout }), 'line'),
			once(p.child, 'exit').then(() => { throw new Error(`it ended: ${p.stderr.join(' ')}`); })]), 20000, 'the proxy says that it is ready');
		const [, host, port, control] = /^listening on http:\/\/([\d.]+):(\d+) for \S+, control on (http:\/\/\S+)$/.exec(line);

		Object.assign(p, { host, port: Number(port), control, url: `http://${host}:${port}` });
		return p;
	}

	async ask(path, method = 'GET', body = undefined, headers = {}) {
		const answer = await fetch(this.control + path, { method, body, headers: { connection: 'close', ...headers } });

		return { status: answer.status, text: await answer.text() };
	}

	async json(path, method = 'GET') {
		return JSON.parse((await this.ask(path, method)).text);
	}

	async log(after = 0) {
		return (await this.ask(`/log?after=${after}`)).text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
	}

	/* A line of the log that says so, once it is there. */
	said(message, fields = {}) {
		return until(`the log says "${message}" ${JSON.stringify(fields)}`, async () => (await this.log()).find((line) => line.message === message &&
			Object.entries(fields).every(([key, value]) => line[key] === value)));
	}

	connection(number) {
		return this.json('/connections').then((all) => all.find((c) => c.connection === number));
	}

	async stop() {
		Proxy.all.delete(this);
		if (this.child.exitCode === null && this.child.signalCode === null) {
			const exit = once(this.child, 'exit');

			this.child.kill('SIGTERM');
			await withDeadline(exit, 15000, 'the proxy stops');
		}
		check(!this.stderr.some((l) => /Sanitizer|runtime error/.test(l)), this.stderr.slice(0, 8).join('\n'));
		check(this.child.exitCode === 0, `exit code ${this.child.exitCode} ${this.child.signalCode}: ${this.stderr.join(' ').slice(0, 300)}`);
	}
}

process.on('exit', () => { for (const p of Proxy.all) p.child.kill('SIGKILL'); });

/* --- plain octets --------------------------------------------------------------------- */

/* A TCP connection that remembers what came, when, and how it ended. */
export class Line {
	text = '';
	pieces = [];
	ended = null; /* 'fin' or 'rst' */

	constructor(socket) {
		this.socket = socket;
		socket.setNoDelay(true);
		socket.on('data', (d) => {
			this.text += d.toString('latin1');
			this.pieces.push([performance.now(), d.length]);
		});
		socket.on('end', () => { this.ended ??= 'fin'; });
		socket.on('error', () => { this.ended ??= 'rst'; });
		socket.on('close', () => { this.closed = true; });
	}

	static async to(port, text = '') {
		const socket = connect({ port, host: '127.0.0.1' });

		await withDeadline(once(socket, 'connect'), 10000, 'a connection');
		const line = new Line(socket);
		if (text)
			line.send(text);
		return line;
	}

	send(text) {
		this.socket.write(Buffer.from(text, 'latin1'));
	}

	has(pattern) {
		return until(() => `${pattern} comes; there is ${JSON.stringify(this.text.slice(-300))}, ${this.ended}`, () =>
			(typeof pattern === 'string' ? this.text.includes(pattern) : pattern.test(this.text)));
	}

	end(how) {
		return until(() => `it ends by ${how}, not ${this.ended}`, () => this.ended === how);
	}

	/* A reset right behind octets may look to Node like an end. */
	over() {
		return until('it ends', () => this.ended);
	}

	close() {
		this.socket.destroy();
	}
}

/* A server that does what the test tells it to; its connections are lines. */
export class Backend {
	lines = [];

	static async start(serve = () => {}) {
		const b = new Backend();

		b.server = createServer((socket) => {
			const line = new Line(socket);

			b.lines.push(line);
			serve(line, b.lines.length);
		});
		b.server.listen(0, '127.0.0.1');
		await once(b.server, 'listening');
		b.target = `127.0.0.1:${b.server.address().port}`;
		return b;
	}

	line(number) {
		return until(`connection ${number} of the server`, () => this.lines[number - 1]);
	}

	stop() {
		for (const line of this.lines)
			line.close();
		this.server.close();
	}
}

export const request = (path, { method = 'GET', headers = [], body = null } = {}) =>
	[`${method} ${path} HTTP/1.1`, 'Host: test', ...headers, ...(body === null ? [] : [`Content-Length: ${body.length}`]), '', body ?? ''].join('\r\n');

/* A backend that answers each whole request without a body by this text. */
export const answering = (text) => Backend.start((line) => {
	let from = 0;

	line.socket.on('data', () => {
		for (let at; (at = line.text.indexOf('\r\n\r\n', from)) >= 0; from = at + 4)
			line.send(text);
	});
});

/* --- WebSockets ------------------------------------------------------------------------- */

export class Socket {
	messages = [];
	ended = null;

	constructor(url, options = {}) {
		this.ws = new WebSocket(url, { perMessageDeflate: false, ...options });
		this.ws.on('message', (m) => this.messages.push(m.toString()));
		this.ws.on('close', (code) => { this.ended = code; });
		this.ws.on('error', (e) => { this.error = e.message; });
	}

	static async open(url, options) {
		const s = new Socket(url, options);

		await until(`${url} opens (${s.error})`, () => s.ws.readyState === WebSocket.OPEN || s.error);
		check(!s.error, `${url}: ${s.error}`);
		return s;
	}

	async has(message) {
		await until(`"${message}" among ${JSON.stringify(this.messages.slice(-5))}`, () => this.messages.includes(message));
	}

	close() {
		this.ws.terminate();
	}
}
