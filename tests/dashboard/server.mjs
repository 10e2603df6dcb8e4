/*
 * server.mjs - a server with an internal address, and who comes to it: clients of its endpoints, and
 * watchers of the feed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { check, patient, withDeadline } from '../e2e/harness.mjs';

export const TOKEN = 'correct-horse-battery-staple';
const CLIENT = fileURLToPath(new URL('../../node_modules/sockjs-client/dist/sockjs.min.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
const WAIT_MS = 15000;
let files = 0;

process.setMaxListeners(50); /* one for each server */
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

export function placeFor(name) {
	return join(folder, name);
}

export class Server {
	#program;
	#child = null;
	#file = placeFor(`${++files}.json`);
	#ports = { public: 0, internal: 0 };
	#given = null; /* those that it was started with */
	config;

	constructor(program, { internal = {}, threads = 2, ...more } = {}) {
		this.#program = program;
		this.config = {
			listen: ['127.0.0.1:0'], threads, log_level: 'error', client_library: CLIENT,
			internal: { listen: '127.0.0.1:0', token: TOKEN, ...internal },
			endpoints: [{ prefix: '/echo', application: 'echo' }, { prefix: '/ticker', application: 'ticker' }], ...more,
		};
		process.on('exit', () => this.#child?.kill('SIGKILL'));
	}

	/* With the addresses as they are given: a port of 0 stays one while it runs. */
	#write(ports) {
		const isUnix = this.config.internal.listen.startsWith('unix:');
		const fixed = { ...this.config, listen: [`127.0.0.1:${ports.public}`],
			internal: { ...this.config.internal, ...(isUnix ? {} : { listen: `127.0.0.1:${ports.internal}` }) } };

		writeFileSync(this.#file, JSON.stringify(fixed));
		return isUnix;
	}

	async start() {
		const isUnix = this.#write(this.#given = this.#ports);

		this.#child = spawn(this.#program, ['-c', this.#file], { stdio: ['ignore', 'pipe', 'inherit'] });
		await withDeadline(this.#announced(), 20000, 'the server says where it listens');
		this.#ports = { public: new URL(this.url).port, internal: isUnix ? 0 : new URL(this.internal).port };
		return this;
	}

	#announced() {
		return new Promise((resolve, reject) => {
			this.#child.on('exit', () => reject(new Error('the server ended early')));
			createInterface({ input: this.#child.stdout }).on('line', (line) => {
				this.url = /^listening on (\S+)/.exec(line)?.[1] ?? this.url;
				const internal = /^internal on (\S+)/.exec(line)?.[1];
				if (!internal)
					return;
				this.internal = internal;
				resolve();
			});
		});
	}

	get page() {
		return `${this.internal}/dashboard/`;
	}

	/* What has changed of its configuration counts some time after this. */
	reload() {
		this.#write(this.#given);
		this.#child.kill('SIGHUP');
	}

	/* Its exit code. */
	async stop(signal = 'SIGTERM') {
		const child = this.#child;

		this.#child = null;
		if (!child || child.exitCode !== null)
			return child?.exitCode;
		const ended = once(child, 'exit');
		child.kill(signal);
		return (await withDeadline(ended, 30000, `the server ends after ${signal}`))[0];
	}

	/* A request to the internal address (or another); resolves to { status, headers, text }. */
	ask(path, { base = this.internal, method = 'GET', headers = {}, body, agent, socketPath } = {}) {
		return withDeadline(new Promise((resolve, reject) => {
			const { hostname, port } = socketPath ? {} : new URL(base);
			const r = request({ ...(socketPath ? { socketPath } : { hostname, port }), path, method, headers, agent }, (answer) => {
				let text = '';

				answer.setEncoding('utf8').on('data', (d) => { text += d; }).on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
			});

			r.on('error', reject);
			r.end(body);
		}), WAIT_MS, `an answer to ${path}`);
	}

	async metric(name) {
		const { text } = await this.ask('/metrics');

		return Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ')[1]);
	}
}

/* Waits until something is so. */
export async function until(what, isSo, ms = WAIT_MS) {
	const end = Date.now() + patient(ms);

	while (!await isSo()) {
		check(Date.now() < end, `in time: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 30));
	}
}

/* A client of an endpoint, by WebSocket; `.closed` is [code, reason]. */
export async function client(server, path = '/echo/websocket', options = {}) {
	const socket = new WebSocket(server.url.replace(/^http/, 'ws') + path, options);

	socket.closed = once(socket, 'close').then(([code, reason]) => [code, String(reason)]);
	await withDeadline(once(socket, 'open'), WAIT_MS, `a WebSocket at ${path}`);
	return socket;
}

const watchers = new Set();

/* Whoever is still there, for a test may have failed. */
export function leaveAll() {
	watchers.forEach((w) => w.leave());
}

/* Who watches, by a plain WebSocket: what it was told, and how it ended. */
export class Watcher {
	told = [];
	end = null;

	constructor(server, { token = TOKEN, headers = {}, path = '/dashboard/feed/websocket', stays = false } = {}) {
		if (!stays)
			watchers.add(this);
		this.socket = new WebSocket(server.internal.replace(/^http/, 'ws') + path, { headers });
		this.socket.on('message', (data) => {
			const message = JSON.parse(data);

			this.told.push(message);
			if (message.type === 'token' && token !== null)
				this.socket.send(typeof token === 'string' ? JSON.stringify({ token }) : token);
		});
		this.socket.on('error', () => {});
		this.socket.on('unexpected-response', (r, answer) => {
			this.end = [answer.statusCode, ''];
			r.destroy();
		});
		this.socket.on('close', (code, reason) => { this.end ??= [code, String(reason)]; });
	}

	get hello() {
		return this.told.find((m) => m.type === 'hello');
	}

	get now() {
		return this.told.findLast((m) => m.type === 'now');
	}

	count(type) {
		return this.told.filter((m) => m.type === type).length;
	}

	async isIn() {
		await until('the watcher is let in', () => this.hello || this.end);
		check(this.hello, `let in, not ended: ${this.end}`);
		return this;
	}

	/* Until it was told something that is so. */
	async sees(what, isSo) {
		await until(what, () => this.now && isSo(this.now)).catch((e) => {
			throw new Error(`${e.message}; last: ${JSON.stringify(this.now)?.slice(0, 600)}`);
		});
		return this.now;
	}

	async ends() {
		await until('the watcher is closed', () => this.end);
		return this.end;
	}

	leave() {
		watchers.delete(this);
		this.socket.terminate();
	}
}
