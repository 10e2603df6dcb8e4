/*
 * gateway.mjs - a sockjsd whose configuration is written anew while it runs; and its clients, as bare
 * as they may be, for there are thousands of them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { equal, patient, withDeadline } from '../e2e/harness.mjs';

export const TOKEN = 'correct-horse-battery';
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* Until it is so; what it says last is the complaint. */
export async function until(fn, what, ms = 15000) {
	const begun = Date.now();
	let last;

	while (!(last = await fn())) {
		if (Date.now() - begun > patient(ms))
			throw new Error(`not so in time: ${what}`);
		await sleep(20);
	}
	return last;
}

export class Gateway {
	log = [];
	urls = [];

	constructor(program, folder, name) {
		this.program = program;
		this.file = join(folder, `${name}.json`);
	}

	write(config) {
		this.config = config;
		writeFileSync(this.file, typeof config === 'string' ? config : JSON.stringify(config));
	}

	/* Whatever ends this program, its process does not outlive it. */
	abandon() { this.child.kill('SIGKILL'); }

	/* Its process. */
	launch(env) {
		return spawn(this.program, ['-c', this.file], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
	}

	/* A line of its standard output. Where its metrics are is said last. */
	hear(line) {
		const url = /^listening on (\S+)/.exec(line)?.[1];

		if (url)
			this.urls.push(url);
		this.internal = /^internal on (\S+)/.exec(line)?.[1] ?? this.internal;
	}

	async start(config, env = {}) {
		this.write(config);
		this.child = this.launch(env);
		process.on('exit', () => this.abandon());
		createInterface({ input: this.child.stderr }).on('line', (line) => this.log.push(line));
		await withDeadline(new Promise((resolve, reject) => {
			this.child.on('exit', () => reject(new Error(`the server ended early: ${this.log.join('\n')}`)));
			createInterface({ input: this.child.stdout }).on('line', (line) => {
				this.hear(line);
				if (this.internal)
					resolve();
			});
		}), 20000, 'the server says where it listens');
		this.port = Number(/:(\d+)$/.exec(this.urls[0])?.[1]);
		return this;
	}

	async command(name, body = {}, token = TOKEN) {
		const answer = await fetch(`${this.internal}/api/${name}`, { method: 'POST', body: JSON.stringify(body),
			headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } });

		return { status: answer.status, json: await answer.json() };
	}

	/* What has changed. */
	async reload(config, token) {
		this.write(config);
		const { status, json } = await this.command('reload', {}, token);

		equal(status, 200, `status of a reload: ${JSON.stringify(json)}`);
		return json;
	}

	/* By a signal: when the log tells of it. */
	async hangUp(config) {
		const seen = this.log.length;

		this.write(config);
		this.child.kill('SIGHUP');
		return until(() => this.log.slice(seen).find((l) => /reloaded/.test(l)), 'the log tells of a reload');
	}

	async metric(name) {
		const text = await (await fetch(`${this.internal}/metrics`)).text();
		const values = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? ([\\d.e+]+)$`, 'gm'))];

		return values.reduce((sum, [, n]) => sum + Number(n), 0);
	}

	/* Octets that the process has in memory. */
	get memory() {
		return Number(readFileSync(`/proc/${this.child.pid}/statm`, 'latin1').split(' ')[1]) * 4096;
	}

	async stop() {
		this.child.removeAllListeners('exit');
		this.child.kill('SIGTERM');
		if (this.child.exitCode === null)
			await withDeadline(once(this.child, 'exit'), 20000, 'the server ends');
		if (this.child.exitCode !== 0)
			console.log(this.log.slice(-200).join('\n')); /* a sanitizer's report, perhaps */
		return this.child.exitCode;
	}
}

/* --- clients --------------------------------------------------------------------------- */

/* One answer to one request on a connection of its own. */
export function ask(port, method, path, { body = '', headers = {}, host = '127.0.0.1', socket } = {}) {
	return withDeadline(new Promise((resolve, reject) => {
		const s = socket ?? connect(port, host);
		const lines = Object.entries({ Host: 'gateway', Connection: 'close', 'Content-Length': Buffer.byteLength(body), ...headers });
		let got = '';

		s.setEncoding('latin1').on('data', (d) => { got += d; }).on('error', reject).on('close', () => {
			const status = Number(/^HTTP\/1\.1 (\d+)/.exec(got)?.[1]);

			resolve({ status, head: got.split('\r\n\r\n')[0], body: got.slice(got.indexOf('\r\n\r\n') + 4) });
		});
		s.write(`${method} ${path} HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${body}`);
	}), 15000, `an answer to ${path}`);
}

/* A session by polling. */
export class Poller {
	static count = 0;

	constructor(port, prefix, headers = {}) {
		Object.assign(this, { port, headers, path: `${prefix}/0/p${Poller.count++}${process.pid}` });
	}

	async open() {
		const { status, body } = await this.poll();

		if (status !== 200 || body !== 'o\n')
			throw new Error(`no session: ${status} ${body}`);
		return this;
	}

	poll() { return ask(this.port, 'POST', `${this.path}/xhr`, { headers: this.headers }); }

	send(text) {
		return ask(this.port, 'POST', `${this.path}/xhr_send`, { headers: this.headers, body: JSON.stringify([text]) });
	}

	/* There and back. */
	async echo(text) {
		const sent = await this.send(text);

		if (sent.status !== 204)
			return sent;
		return this.poll();
	}
}

/* A WebSocket without SockJS frames: /prefix/websocket. */
export class Raw {
	frames = [];
	closed = false;
	#wake = () => {};
	#rest = Buffer.alloc(0);

	constructor(port, prefix, headers = {}, socket = connect(port, '127.0.0.1')) {
		const lines = Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`).join('');

		this.socket = socket;
		this.socket.on('error', () => {}).on('close', () => {
			this.closed = true;
			this.#wake();
		}).on('data', (d) => this.#take(d));
		this.socket.write(`GET ${prefix}/websocket HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
			`Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}\r\n`);
	}

	#take(data) {
		this.#rest = Buffer.concat([this.#rest, data]);
		if (this.status === undefined) {
			const end = this.#rest.indexOf('\r\n\r\n');

			if (end < 0)
				return;
			this.status = Number(this.#rest.toString('latin1', 9, 12));
			this.#rest = this.#rest.subarray(end + 4);
		}
		/* A server's frames have no masks, and none here is longer than 65,535 octets. */
		while (this.#rest.length >= 4 || (this.#rest.length >= 2 && this.#rest[1] < 126)) {
			const head = this.#rest[1] < 126 ? 2 : 4, opcode = this.#rest[0] & 15;
			const end = head + (head === 2 ? this.#rest[1] : this.#rest.readUInt16BE(2));

			if (this.#rest.length < end)
				break;
			if (opcode !== 9) /* a ping */
				this.frames.push(opcode === 8 ? `close ${this.#rest.readUInt16BE(head)}` : this.#rest.toString('utf8', head, end));
			this.#rest = this.#rest.subarray(end);
			if (opcode === 8)
				this.socket.end(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
		}
		this.#wake();
	}

	async #wait(fn, what) {
		while (!fn()) {
			if (this.closed)
				throw new Error(`the connection ended before ${what}: ${this.frames}`);
			await withDeadline(new Promise((resolve) => { this.#wake = resolve; }), 30000, what);
		}
	}

	async open() {
		await this.#wait(() => this.status !== undefined, 'the answer to a handshake');
		if (this.status !== 101)
			throw new Error(`no session: ${this.status}`);
		return this;
	}

	send(text) {
		const body = Buffer.from(text), frame = Buffer.alloc(6 + body.length);

		frame[0] = 0x81;
		frame[1] = 0x80 | body.length; /* a mask of zeros */
		body.copy(frame, 6);
		this.socket.write(frame);
	}

	async next(what) {
		await this.#wait(() => this.frames.length > 0, what);
		return this.frames.shift();
	}

	async echo(text) {
		this.send(text);
		return this.next(`an echo of ${text}`);
	}

	end() { this.socket.destroy(); }
}
