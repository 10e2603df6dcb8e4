#!/usr/bin/env node
/*
 * inherited.mjs - sockets that who starts the daemon has opened (socket activation): they are found by
 * name, shared by threads, go on over restarts without a connection refused, and over reloads.
 *
 *	inherited.mjs --server ./sockjsd [--only REGEXP]
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { check, equal, patient, readArguments, Suite, withDeadline } from '../e2e/harness.mjs';
import { ask, Gateway, Raw, TOKEN, until } from './gateway.mjs';

const args = readArguments(['server', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'activate-'));
const program = args.server ?? './sockjsd';
const helper = join(dirname(fileURLToPath(import.meta.url)), 'activate.py');
const echo = { prefix: '/echo', application: 'echo' };
const configuration = (listen, more = {}) => ({ listen, threads: 2, log_level: 'info', internal: { listen: '127.0.0.1:0', token: TOKEN },
	endpoints: [echo], ...more });
let names = 0;

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* Who has the sockets; start() makes a server, as often as one likes. */
class Manager {
	lines = [];
	log = [];

	constructor(sockets, config) {
		this.file = join(folder, `m${names++}.json`);
		this.write(config);
		this.sockets = sockets;
		this.child = spawn('python3', [helper, ...sockets, '--', program, '-c', this.file], { stdio: ['pipe', 'pipe', 'pipe'] });
		process.on('exit', () => this.#kill());
		createInterface({ input: this.child.stdout }).on('line', (line) => this.#hear(line));
		createInterface({ input: this.child.stderr }).on('line', (line) => this.log.push(line));
	}

	#kill() {
		try {
			if (this.pid)
				process.kill(this.pid, 'SIGKILL');
		} catch { /* it has ended */ }
		this.child.kill('SIGKILL');
	}

	#hear(line) {
		const [, internal] = /^internal on (\S+)/.exec(line) ?? [];

		this.lines.push(line);
		if (internal)
			this.internal = internal;
		if (line.startsWith('started '))
			this.pid = Number(line.slice(8));
		if (line.startsWith('ended ')) {
			this.pid = 0;
			this.internal = undefined;
		}
	}

	write(config) { writeFileSync(this.file, JSON.stringify(config)); }

	/* What it has said, from a line on. */
	said(pattern, from = 0) { return this.lines.slice(from).map((l) => pattern.exec(l)).find(Boolean); }

	async bound() {
		await until(() => this.lines.length >= this.sockets.length, 'the sockets are open');
		return this.lines.slice(0, this.sockets.length).map((l) => Number(/:(\d+)$/.exec(l)?.[1]));
	}

	/* Without waiting for it. */
	begin() { this.child.stdin.write('start\n'); }

	async start() {
		this.begin();
		await until(() => this.internal, `the server runs: ${this.log.join('\n')}`);
		return this;
	}

	/* Its exit status, and the signal to stop. */
	async stop() {
		const from = this.lines.length;

		process.kill(this.pid, 'SIGTERM');
		return Number((await until(() => this.said(/^ended (-?\d+)/, from), 'the server ends'))[1]);
	}

	/* That of one that does not run for long. */
	async fails() {
		const from = this.lines.length;

		this.begin();
		return Number((await until(() => this.said(/^ended (-?\d+)/, from), 'the server ends'))[1]);
	}

	async end() {
		equal(await this.stop(), 0, 'exit code');
		this.leave();
	}

	leave() {
		equal(this.log.filter((l) => /Sanitizer|runtime error/.test(l)), [], 'nothing is said by a sanitizer');
		this.child.stdin.end();
	}

	command(name, body = {}) { return Gateway.prototype.command.call(this, name, body); }

	async reload(config) { return Gateway.prototype.reload.call(this, config); }
}

const info = (port, socket) => ask(port, 'GET', '/echo/info', { socket });

await suite.test('who comes before there is a server waits, and is served', async () => {
	const path = join(folder, 'early');
	const m = new Manager(['web=127.0.0.1:0', `local=unix:${path}`], configuration(['fd:web', 'fd:local']));
	const [port] = await m.bound();
	const early = [...Array(20)].map(() => info(port)), local = info(0, connect(path));

	await m.start();
	for (const { status } of await Promise.all(early))
		equal(status, 200, 'answer');
	equal((await local).status, 200, 'answer on the unix socket');
	equal(m.lines.filter((l) => l.startsWith('listening')), [`listening on http://127.0.0.1:${port}`, `listening on unix:${path}`], 'what it says');
	equal(m.log.filter((l) => /inherited/.test(l)), [], 'nothing is left over');
	await m.end();
	check(existsSync(path), 'the path is there still');
});

await suite.test('no connection is refused while the server starts again, and again', async () => {
	const m = new Manager(['web=127.0.0.1:0'], configuration(['fd:3']));
	const [port] = await m.bound();
	const count = { answered: 0, refused: 0, broken: 0 };
	let goes_on = true;

	/* Who is cut in the midst of his question by a stop asks again, as browsers do. */
	async function visitor() {
		while (goes_on) {
			try {
				count[(await info(port)).status === 200 ? 'answered' : 'broken']++;
			} catch (e) {
				count[e.code === 'ECONNREFUSED' ? 'refused' : 'broken']++;
			}
		}
	}
	await m.start();
	const visitors = [...Array(8)].map(visitor);

	for (let i = 0; i < 3; i++) {
		await until(() => count.answered > 50 * (i + 1), 'visitors are answered');
		equal(await m.stop(), 0, 'exit code');
		const waiting = info(port);

		await m.start();
		equal((await waiting).status, 200, 'who came between two');
	}
	const before = count.answered;

	await until(() => count.answered > before + 50, 'visitors are answered at the end');
	goes_on = false;
	await withDeadline(Promise.all(visitors), 15000, 'all visitors have their answer');
	equal(count.refused, 0, `refused, of ${JSON.stringify(count)}`);
	await m.end();
});

await suite.test('a reload keeps it, and finds another one that is named then', async () => {
	const m = new Manager(['web=127.0.0.1:0', 'more=127.0.0.1:0'], configuration(['fd:web']));
	const [web, more] = await m.bound();

	await m.start();
	await until(() => m.log.find((l) => /no address takes connections.*fd:4 \\?"more\\?" \(127\.0\.0\.1/.test(l)), 'one is left over');
	const session = await new Raw(web, '/echo').open(), early = info(more);

	equal((await m.reload(configuration(['fd:web', 'fd:more']))).changed ?? [], [], 'changed');
	equal((await early).status, 200, 'who has waited for the second');
	equal(await session.echo('x'), 'x', 'a session of before');
	await m.reload(configuration(['fd:more']));
	equal(await session.echo('y'), 'y', 'it goes on without its address');
	const late = info(web);

	await m.reload(configuration(['fd:more', 'fd:3']));
	equal((await late).status, 200, 'by its number it is there again');
	m.write(configuration(['fd:more', 'fd:3', 'fd:web']));
	const { status, json } = await m.command('reload');

	equal(status, 422, 'not by both');
	check(/fd:web: another address listens at this socket: fd:3 "web"/.test(json.error.message), json.error.message);
	m.write(configuration(['fd:more', 'fd:3', 'fd:other']));
	check(/fd:other: nothing of this name was inherited, but fd:3 "web" .*, fd:4 "more"/.test((await m.command('reload')).json.error.message), 'which there are');
	equal((await info(web)).status, 200, 'all goes on');
	await m.end();
});

await suite.test('sockets of one port are shared out, the internal address may be one, and TLS is none of its affair', async () => {
	const m = new Manager(['web=127.0.0.1:0', 'web=127.0.0.1:0', 'operators=127.0.0.1:0'],
		configuration(['fd:web'], { internal: { listen: 'fd:operators', token: TOKEN } }));
	const [port, same, operators] = await m.bound();

	equal(port, same, 'one port');
	await m.start();
	equal(m.internal, `http://127.0.0.1:${operators}`, 'where operators go');
	const sessions = await Promise.all([...Array(60)].map(() => new Raw(port, '/echo').open()));

	for (const s of sessions)
		equal(await s.echo('x'), 'x', 'echo');
	equal((await fetch(`${m.internal}/readyz`)).status, 200, 'ready');
	for (const s of sessions)
		s.end();
	await m.end();
});

await suite.test('what is wrong is said with what there is', async () => {
	const m = new Manager(['web=127.0.0.1:0'], configuration(['fd:wob']));

	await m.bound();
	equal(await m.fails(), 2, 'exit code');
	check(m.log.some((l) => /m\d+\.json: listen\[0\].*fd:wob: nothing of this name was inherited, but fd:3 "web" \(127\.0\.0\.1:\d+\)/.test(l) ||
		/fd:wob: nothing of this name was inherited, but fd:3 "web" \(127\.0\.0\.1:\d+\)/.test(l)), m.log.join('\n'));
	m.write(configuration([{ address: 'fd:web', mode: '600' }]));
	equal(await m.fails(), 2, 'exit code');
	m.leave();
	const alone = new Gateway(program, folder, `alone${names++}`);
	const failure = await alone.start(configuration(['fd:web'])).catch((e) => e);

	check(/fd:web: no socket was inherited: \$LISTEN_PID is not set/.test(failure.message), failure.message);
});

suite.finish();
