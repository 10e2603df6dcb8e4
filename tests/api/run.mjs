#!/usr/bin/env node
/*
 * run.mjs - commands from outside: /api of the internal address, with two reactors, real
 * subscribers, and askers who get everything wrong.
 *
 *	run.mjs --server ./sockjsd [--threads N] [--only REGEXP]
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import SockJS from 'sockjs-client';
import WebSocket, { WebSocketServer } from 'ws';
import { check, equal, readArguments, Suite, withDeadline } from '../e2e/harness.mjs';
import { testOperators } from './operators.mjs';
import { testUnruly } from './unruly.mjs';

const args = readArguments(['server', 'threads', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'api-'));
const TOKEN = 'correct-horse-battery';
const program = args.server ?? './sockjsd';
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const description = JSON.parse(readFileSync(new URL('../../doc/openapi.json', import.meta.url)));

process.setMaxListeners(50); /* one for each server */
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* --- the server ----------------------------------------------------------------- */

const configuration = (more = {}) => ({
	listen: ['127.0.0.1:0', { address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }], threads: Number(args.threads ?? 2), log_level: 'error',
	internal: { listen: '127.0.0.1:0', token_file: 'token', ...more },
	endpoints: [
		{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open', heartbeat_ms: [0, 0],
			history: [{ destination: '/topic/kept/*', messages: 20 }], presence: ['/topic/rooms/*'],
			users: [{ login: 'ann', password: hash }, { login: 'bob', password: hash }] } },
		{ prefix: '/echo', application: 'echo' },
		{ prefix: '/app', application: 'upstream', upstream: {
			url: [`ws://127.0.0.1:${backend.address().port}/`, 'ws://127.0.0.1:1/x?key=between-us'] } },
		{ prefix: '/unruly', application: 'unruly', subpaths: true },
		{ prefix: '/doctor', application: 'doctor' },
	],
});

class Server {
	/* `log`: an array that gets its lines. */
	async start(name, config, log) {
		this.file = join(folder, name);
		writeFileSync(this.file, JSON.stringify(config));
		this.child = spawn(program, ['-c', this.file], { stdio: ['ignore', 'pipe', log ? 'pipe' : 'inherit'] });
		if (log)
			createInterface({ input: this.child.stderr }).on('line', (line) => log.push(line));
		process.on('exit', () => this.child.kill('SIGKILL'));
		await withDeadline(new Promise((resolve, reject) => {
			this.child.on('exit', () => reject(new Error('the server ended early')));
			createInterface({ input: this.child.stdout }).on('line', (line) => {
				this.url ??= /^listening on http(:\S+)/.exec(line)?.[1];
				this.tcp ??= /^listening on stomp:(\S+)/.exec(line)?.[1];
				this.internal = /^internal on (\S+)/.exec(line)?.[1];
				if (this.internal)
					resolve();
			});
		}), 20000, 'the server says where it listens');
		this.agent = new Agent({ keepAlive: true, maxSockets: 8 });
		return this;
	}

	/* A request; resolves to { status, text, json, head }. */
	ask(path, body, { method = 'POST', token = TOKEN, type = 'application/json', headers = {} } = {}) {
		const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
		const all = { 'Content-Length': Buffer.byteLength(text), ...headers };

		if (type && text)
			all['Content-Type'] = type;
		if (token !== null)
			all.Authorization = `Bearer ${token}`;
		return withDeadline(new Promise((resolve, reject) => {
			const r = request(this.internal + path, { method, headers: all, agent: this.agent }, (answer) => {
				let got = '';

				answer.setEncoding('utf8').on('data', (d) => { got += d; }).on('end', () => {
					let json = null;

					try { json = JSON.parse(got); } catch { /* not all is JSON */ }
					resolve({ status: answer.statusCode, text: got, json, head: answer.headers });
				});
			});

			r.on('error', reject);
			r.end(text);
		}), 15000, `an answer to ${path}`);
	}

	async do(name, body) {
		const answer = await this.ask(`/api/${name}`, body);

		equal(answer.status, 200, `status of ${name}: ${answer.text}`);
		return answer.json;
	}

	/* Over all endpoints. */
	async metric(name) {
		const { text } = await this.ask('/metrics', undefined, { method: 'GET' });
		const values = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, 'gm'))];

		return values.reduce((sum, [, n]) => sum + Number(n), 0);
	}

	/* A refusal, with its code and field. */
	async refuses(name, body, status, code, field, options) {
		const answer = await this.ask(`/api/${name}`, body, options);

		equal([answer.status, answer.json?.error?.code, answer.json?.error?.field], [status, code, field],
			`refusal of ${String(body).slice(0, 80)}`);
		check(answer.json.error.message.length > 10, 'it says why');
	}

	/* Its exit code, once it has ended by itself. */
	async end() {
		this.child.removeAllListeners('exit');
		if (this.child.exitCode === null)
			await withDeadline(once(this.child, 'exit'), 15000, 'the server ends');
		return this.child.exitCode;
	}

	stop() {
		this.child.kill('SIGTERM');
		return this.end();
	}
}

/* --- subscribers ------------------------------------------------------------------ */

class Client {
	frames = [];
	#wake = () => {};

	constructor(server, path = '/stomp', headers = {}) {
		this.socket = new WebSocket(`ws${server.url}${path}/websocket`, { headers });
		this.socket.on('message', (data) => {
			const text = data.toString();

			for (const frame of path === '/stomp' ? text.split('\0') : [text])
				if (frame.trim())
					this.frames.push(frame.replace(/^\n+/, ''));
			this.#wake();
		});
		this.socket.on('close', (code, reason) => { this.closed = [code, reason.toString()]; this.#wake(); });
		this.socket.on('error', () => {});
	}

	send(command, headers = {}, body = '') {
		const lines = Object.entries(headers).map(([k, v]) => `${k}:${v}\n`).join('');

		this.socket.send(`${command}\n${lines}\n${body}\0`);
	}

	async until(condition, what, ms = 15000) {
		const wait = async () => {
			while (!condition())
				await new Promise((resolve) => { this.#wake = resolve; });
		};

		await withDeadline(wait(), ms, what);
	}

	async come(login) {
		await once(this.socket, 'open');
		this.send('CONNECT', { 'accept-version': '1.2', host: 'x', ...(login ? { login, passcode: 'secret' } : {}) });
		await this.until(() => this.frames.length > 0, 'CONNECTED');
		check(this.frames[0].startsWith('CONNECTED'), this.frames[0]);
		this.name = /^session:(.*)$/m.exec(this.frames.shift())[1];
		return this;
	}

	async subscribe(destination, id = 's') {
		this.send('SUBSCRIBE', { id, destination, receipt: id });
		await this.until(() => this.frames.some((f) => f.includes(`receipt-id:${id}`)), 'RECEIPT');
		this.frames = [];
		return this;
	}

	get bodies() {
		return this.frames.map((f) => f.slice(f.indexOf('\n\n') + 2));
	}

	/* The bodies that have come are these. */
	async hears(...bodies) {
		await this.until(() => this.frames.length >= bodies.length, `${bodies.length} messages`);
		equal(this.bodies, bodies, 'messages');
		this.frames = [];
	}

	leave() {
		this.socket.terminate();
	}
}

/* --- tests --------------------------------------------------------------------------- */

const hash = (await new Promise((resolve, reject) => {
	const child = execFile(program, ['--hash-password'], (e, out) => (e ? reject(e) : resolve(out)));

	child.stdin.end('secret\n');
})).trim();

writeFileSync(join(folder, 'token'), `${TOKEN}\r\n`);
/* What /app is in front of: it says back what it hears. */
const backend = new WebSocketServer({ host: '127.0.0.1', port: 0 });

backend.on('connection', (socket) => socket.on('message', (data) => socket.send(data.toString())));
await once(backend, 'listening');
const server = await new Server().start('main.json', configuration());
const crowd = [];

await suite.test('nobody may give commands without the token', async () => {
	for (const token of [null, '', 'correct-horse-batterx', 'correct-horse-batter', `${TOKEN}x`, 'x'.repeat(4000)])
		await server.refuses('publish', { destination: '/topic/a' }, 401, 'unauthorized', undefined, { token });
	await server.refuses('nothing', {}, 401, 'unauthorized', undefined, { token: null });
	const basic = await server.ask('/api/users', {}, { token: null, headers: { Authorization: `Basic ${TOKEN}` } });
	equal(basic.status, 401, 'another scheme');
	equal(basic.head['www-authenticate'], 'Bearer', 'the scheme wanted');
	const metrics = await server.ask('/metrics', undefined, { method: 'GET' });
	check(metrics.text.includes('sockjs_refusals_total{reason="token"} 8'), 'refusals are counted');
});

await suite.test('the description is there, and has every command', async () => {
	const answer = await server.ask('/api/openapi.json', undefined, { method: 'GET', token: null });

	equal(answer.json, description, 'the description');
	for (const path of Object.keys(description.paths))
		if (description.paths[path].post)
			check((await server.ask(path, ['/api/drain', '/api/restart'].includes(path) ? { x: 1 } : {})).status !== 404, `${path} is known`);
	const version = await new Promise((resolve) => execFile(program, ['-V'], (e, out) => resolve(out.split(' ')[1])));
	equal(description.info.version, version, 'its version');
	for (const name of ['publish', 'history', 'users', 'presence', 'disconnect', 'send', 'broadcast', 'sessions', 'session',
		'endpoints', 'backends', 'backend', 'gateways', 'limited', 'networks', 'forget_networks', 'received', 'doctor', 'config', 'log', 'restart', 'drain'])
		check(description.paths[`/api/${name}`], `${name} is described`);
});

await suite.test('every example of the description works', async () => {
	const echo = await new Client(server, '/echo');
	await once(echo.socket, 'open');
	for (const [path, { post }] of Object.entries(description.paths).filter(([p]) => !['/api/drain', '/api/restart'].includes(p))) /* have tests of their own */
		for (const { value } of Object.values(post?.requestBody.content['application/json'].examples ?? {})) {
			const answer = await server.ask(path, value);

			if (path === '/api/backend')
				equal(answer.json?.error?.code, 'no_backend', path); /* ours are elsewhere */
			else if (!['/api/send', '/api/session', '/api/received'].includes(path))
				equal([path, answer.status], [path, 200], answer.text);
			else
				equal(answer.json?.error?.code ?? 'sent', answer.status === 200 ? 'sent' : 'no_session', path);
		}
	echo.leave();
});

await suite.test('a message comes to subscribers in all reactors, and the answer counts them', async () => {
	for (let i = 0; i < 8; i++)
		crowd.push(await (await new Client(server).come()).subscribe('/topic/a'));
	equal(await server.do('publish', { destination: '/topic/a', body: 'né', headers: { a: 'b:c\n' } }), { received: 8 }, 'answer');
	for (const c of crowd) {
		await c.until(() => c.frames.length > 0, 'the message');
		check(/\na:b\\cc\\n\n/.test(c.frames[0]), 'its header is escaped');
		await c.hears('né');
	}
	equal(await server.do('publish', { destination: '/topic/none' }), { received: 0 }, 'nobody');
});

await suite.test('many messages are counted one by one, and come in order', async () => {
	const messages = Array.from({ length: 1000 }, (_, i) => ({ destination: i % 10 ? '/topic/a' : '/topic/none', body: `${i}` }));
	const answer = await server.do('publish', { messages });

	equal(answer.received, 7200, 'all');
	equal(answer.messages.map((m) => m.received), messages.map((m, i) => (i % 10 ? 8 : 0)), 'each');
	for (const c of crowd)
		await c.hears(...messages.filter((m, i) => i % 10).map((m) => m.body));
});

await suite.test('a private message comes to the sessions of its user alone', async () => {
	const anns = [await new Client(server).come('ann'), await new Client(server).come('ann')];
	const bob = await new Client(server).come('bob');

	for (const c of [...anns, bob])
		await c.subscribe('/user/queue/news');
	equal(await server.do('publish', { destination: '/user/ann/queue/news', body: '1' }), { received: 2 }, 'ann');
	equal(await server.do('publish', { destination: `/user/${bob.name}/queue/news`, body: '2' }), { received: 1 }, 'bob, by session');
	for (const c of anns)
		await c.hears('1');
	await bob.hears('2');
	for (const c of [...anns, bob])
		c.leave();
});

await suite.test('a body that is not text comes as it is', async () => {
	const octets = Buffer.from([0, 255, 1, 0, 128]);
	const [c] = crowd;
	let got;

	c.socket.once('message', (data) => { got = data; });
	await server.do('publish', { destination: '/topic/a', body_base64: octets.toString('base64') });
	await c.until(() => got, 'the message');
	check(got.includes(octets), 'the octets');
	await sleep(20);
	for (const each of crowd)
		each.frames = [];
});

await suite.test('a request that is wrong is refused as a whole, with the member to blame', async () => {
	const good = { destination: '/topic/a' };

	for (const [body, field] of [
		[{}, 'destination'], [{ destination: 7 }, 'destination'], [{ destination: '/topic/*' }, 'destination'],
		[{ destination: '' }, 'destination'], [{ destination: '/topic//a' }, 'destination'],
		[{ destination: `/topic/${'x'.repeat(2000)}` }, 'destination'],
		[{ ...good, body: 1 }, 'body'], [{ ...good, body: null }, 'body'], [{ ...good, body: 'a', body_base64: '' }, 'body_base64'],
		[{ ...good, body_base64: 'a' }, 'body_base64'], [{ ...good, headers: [] }, 'headers'],
		[{ ...good, headers: { a: 1 } }, 'headers'], [{ ...good, headers: { '': 'a' } }, 'headers'],
		[{ ...good, headers: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`h${i}`, ''])) }, 'headers'],
		[{ ...good, more: 1 }, 'more'], [{ ...good, endpoint: 1 }, 'endpoint'],
		[{ ...good, idempotency_key: '' }, 'idempotency_key'], [{ ...good, idempotency_key: 'k'.repeat(129) }, 'idempotency_key'],
		[{ messages: [] }, 'messages'], [{ messages: {} }, 'messages'],
		[{ messages: Array.from({ length: 1001 }, () => good) }, 'messages'], [{ messages: [good], body: '' }, 'body'],
		[{ messages: [good, 7] }, 'messages[1].'], [{ messages: [good, { ...good, body: 7 }] }, 'messages[1].body'],
		[{ messages: [{ ...good, endpoint: '/stomp' }] }, 'messages[0].endpoint'],
	])
		await server.refuses('publish', body, 400, 'wrong_argument', field);
	await server.refuses('publish', { ...good, endpoint: '/nobody' }, 404, 'no_endpoint', 'endpoint');
	await server.refuses('publish', { ...good, endpoint: '/echo' }, 404, 'no_application', 'endpoint');
	await server.refuses('publish', { ...good, body: 'x'.repeat(500000) }, 413, 'too_large', 'body');
	await server.refuses('publish', { ...good, headers: { a: 'x'.repeat(200000) } }, 413, 'too_large', 'body');
	await sleep(100);
	equal(crowd.map((c) => c.frames.length), crowd.map(() => 0), 'nothing was published');
});

await suite.test('what is no JSON object is refused', async () => {
	for (const body of ['x', '[]', '7', '"a"', '{', '{}{}', '{"a":1,"a":2}', '{"a":"\\u0000"}', '{"a":"\\ud800"}', '\0', '[['.repeat(100000),
		'{"a":'.repeat(5000), '{"destination":"/topic/a"}x', '\ufeff{}', `{"a":1${'0'.repeat(400)}}`])
		await server.refuses('publish', body, 400, 'not_json', undefined);
	await server.refuses('publish', '{}', 415, 'content_type', undefined, { type: 'text/plain' });
	await server.refuses('publish', '{}', 415, 'content_type', undefined, { type: 'application/jsonp' });
	await server.refuses('publish', '{}', 415, 'content_type', undefined, { type: null });
	await server.refuses('publish', '{}', 400, 'wrong_argument', 'destination', { type: 'Application/JSON ; charset=utf-8' });
	for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS'])
		await server.refuses('publish', undefined, 405, 'method', undefined, { method });
	for (const name of ['nothing', 'publish/', 'Publish', '', 'x'.repeat(1000), '%70ublish'])
		equal((await server.ask(`/api/${name}`, {})).status, 404, name);
});

await suite.test('a body that is too large is not read', async () => {
	const answer = await server.ask('/api/publish', JSON.stringify({ destination: '/topic/a', body: 'x'.repeat(1100000) }))
		.catch(() => ({ status: 413 }));

	equal(answer.status, 413, 'status');
});

await suite.test('with the same idempotency key a message is published once', async () => {
	const body = { destination: '/topic/a', body: 'once', idempotency_key: 'k1' };

	equal(await server.do('publish', body), { received: 8 }, 'first');
	equal(await server.do('publish', body), { received: 8 }, 'second');
	await server.refuses('publish', { ...body, body: 'other' }, 422, 'key_reused', 'idempotency_key');
	await server.do('broadcast', { endpoint: '/echo', message: 'x', idempotency_key: 'k1' });
	await server.do('publish', { destination: '/topic/a', body: 'end' });
	for (const c of crowd)
		await c.hears('once', 'end');
	const all = await Promise.all(Array.from({ length: 20 }, () => server.ask('/api/publish', { ...body, idempotency_key: 'k2' })));
	check(all.every((a) => a.status === 200 || a.json.error.code === 'in_progress'), 'all at once');
	await server.do('publish', { destination: '/topic/a', body: 'end' });
	for (const c of crowd)
		await c.hears('once', 'end');
	await server.refuses('publish', { destination: '/', idempotency_key: 'k3' }, 400, 'wrong_argument', 'destination');
	await server.do('publish', { destination: '/topic/none', idempotency_key: 'k3' });
});

await suite.test('more keys than there is room for push out the oldest', async () => {
	const publish = (key) => server.do('publish', { destination: '/topic/none', body: key, idempotency_key: key });

	for (let i = 0; i < 17000; i += 100)
		await Promise.all(Array.from({ length: 100 }, (_, j) => publish(`many${i + j}`)));
	await server.refuses('publish', { destination: '/topic/a', idempotency_key: 'many16999' }, 422, 'key_reused', 'idempotency_key');
	equal(await server.do('publish', { destination: '/topic/none', idempotency_key: 'many0' }), { received: 0 }, 'the first is forgotten');
}, 60000);

await suite.test('what is kept of a destination is read, from the end or after a message', async () => {
	const destination = '/topic/kept/a';
	const messages = Array.from({ length: 25 }, (_, i) => ({ destination, body: `${i}`, headers: { n: `${i}` } }));
	const subscriber = await (await new Client(server).come()).subscribe(destination);
	const bodies = (answer) => answer.messages.map((m) => m.body);
	const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => `${from + i}`);

	equal(await server.do('history', { destination }), { messages: [], recovered: false, more: false }, 'nothing yet');
	await server.do('publish', { messages });
	await subscriber.until(() => subscriber.frames.length >= 25, 'the messages');
	const ids = subscriber.frames.map((f) => /\nmessage-id:(.*)/.exec(f)[1]);

	const all = await server.do('history', { destination });
	equal([bodies(all), all.more], [numbers(5, 25), false], 'all that is kept');
	equal(all.messages.map((m) => m.message_id), ids.slice(5), 'they are called as subscribers know them');
	equal(all.messages[3].headers, { n: '8' }, 'headers');
	const latest = await server.do('history', { destination, limit: 3 });
	equal([bodies(latest), latest.more], [numbers(22, 25), true], 'the latest');

	const page = await server.do('history', { destination, after: ids[9], limit: 10 });
	equal([bodies(page), page.recovered, page.more], [numbers(10, 20), true, true], 'a page');
	const next = await server.do('history', { destination, after: page.messages[9].message_id, limit: 10 });
	equal([bodies(next), next.recovered, next.more], [numbers(20, 25), true, false], 'the next');
	equal(await server.do('history', { destination, after: ids[24] }), { messages: [], recovered: true, more: false }, 'after the last');
	for (const after of [ids[3], 'of-another-server', ids[9].replace(/^./, (c) => (c === '1' ? '2' : '1'))]) {
		const lost = await server.do('history', { destination, after });
		equal([bodies(lost), lost.recovered], [numbers(5, 25), false], `what is lost is said: ${after}`);
	}

	for (const body_base64 of ['/wD+', 'YQBi'])
		await server.do('publish', { destination, body_base64 });
	equal((await server.do('history', { destination, limit: 2 })).messages.map((m) => [m.body, m.body_base64]),
		[[undefined, '/wD+'], [undefined, 'YQBi']], 'what is no text, or has a NUL');
	for (let i = 0; i < 6; i++)
		await server.do('publish', { destination, body: 'é'.repeat(100000) });
	const long = await server.do('history', { destination });
	equal([long.messages.length, long.more], [5, true], 'a megabyte at a time');

	for (const [body, field] of [[{}, 'destination'], [{ destination: '/topic/other' }, 'destination'], [{ destination: '/topic/kept/*' }, 'destination'],
		[{ destination: 5 }, 'destination'], [{ destination, after: 5 }, 'after'], [{ destination, limit: 0 }, 'limit'],
		[{ destination, limit: 1001 }, 'limit'], [{ destination, page: 1 }, 'page']])
		await server.refuses('history', body, 400, 'wrong_argument', field);
	subscriber.leave();
});

await suite.test('users come in pages, with all their sessions', async () => {
	const ann = [await new Client(server).come('ann'), await new Client(server).come('ann')];
	const bob = await new Client(server).come('bob');

	await ann[0].subscribe('/topic/x');
	const first = await server.do('users', { limit: 1 });
	equal([first.users.map((u) => [u.user, u.session_count]), first.next], [[['ann', 2]], 'ann'], 'the first page');
	const s = first.users[0].sessions.find((x) => x.name === ann[0].name);
	equal([s.transport, s.address, s.subscriptions, typeof s.session], ['websocket_raw', '127.0.0.1', 1, 'number'], 'a session');
	check(first.anonymous >= 8, 'the anonymous are counted');
	const second = await server.do('users', { limit: 1, cursor: first.next });
	equal([second.users.map((u) => u.user), second.next], [['bob'], null], 'the second');
	equal((await server.do('users', { user: 'bob' })).users[0].sessions[0].name, bob.name, 'one user');
	equal((await server.do('users', { user: 'eve' })).users, [], 'a user who is not there');
	for (const [body, field] of [[{ limit: 0 }, 'limit'], [{ limit: 1001 }, 'limit'], [{ limit: '5' }, 'limit'], [{ limit: 1.5 }, 'limit'],
		[{ cursor: 5 }, 'cursor'], [{ page: 1 }, 'page']])
		await server.refuses('users', body, 400, 'wrong_argument', field);

	equal(await server.do('disconnect', { user: 'ann', reason: 'Enough.' }), { disconnected: 2 }, 'disconnecting');
	for (const c of ann) {
		await c.until(() => c.closed, 'the close');
		equal(c.closed[0], 4624, 'its code');
		check(c.frames.some((f) => f.startsWith('ERROR') && f.includes('Enough.')), 'its ERROR');
	}
	equal(await server.do('disconnect', { user: 'bob', code: 4001, reason: 'bye' }), { disconnected: 1 }, 'with a code');
	await bob.until(() => bob.closed, 'the close');
	equal(bob.closed, [4001, 'bye'], 'code and reason');
	equal(await server.do('disconnect', { user: 'bob' }), { disconnected: 0 }, 'nobody is left');
});

await suite.test('who is at a destination is listed in pages, at once', async () => {
	const destination = '/topic/rooms/api';
	const come = async (user) => (await new Client(server).come(user)).subscribe(destination);
	const empty = { users: [], next: null, count: 0, unnamed: 0, anonymous: 0 };

	equal(await server.do('presence', { destination }), empty, 'nobody');
	const there = [await come('bob'), await come('ann'), await come('ann'), await come()];
	equal(await server.do('presence', { destination }),
		{ users: [{ user: 'ann', sessions: 2 }, { user: 'bob', sessions: 1 }], next: null, count: 2, unnamed: 0, anonymous: 1 }, 'all');
	equal(await server.do('presence', { destination, limit: 1 }),
		{ users: [{ user: 'ann', sessions: 2 }], next: 'ann', count: 2, unnamed: 0, anonymous: 1 }, 'a page');
	equal(await server.do('presence', { destination, limit: 1, cursor: 'ann' }),
		{ users: [{ user: 'bob', sessions: 1 }], next: null, count: 2, unnamed: 0, anonymous: 1 }, 'the next');
	equal(await server.metric('sockjs_stomp_presence_users'), 2, 'the gauge');
	equal(await server.do('presence', { destination: '/topic/rooms/other' }), empty, 'elsewhere');
	await server.refuses('publish', { destination: `/presence${destination}`, body: 'x' }, 400, 'wrong_argument', 'destination');
	for (const [body, field] of [[{}, 'destination'], [{ destination: '/topic/other' }, 'destination'], [{ destination: '/topic/rooms/*' }, 'destination'],
		[{ destination: `/presence${destination}` }, 'destination'], [{ destination: 5 }, 'destination'], [{ destination, limit: 0 }, 'limit'],
		[{ destination, limit: 1001 }, 'limit'], [{ destination, cursor: 5 }, 'cursor'], [{ destination, after: 'a' }, 'after']])
		await server.refuses('presence', body, 400, 'wrong_argument', field);
	equal(await server.do('disconnect', { user: 'ann' }), { disconnected: 2 }, 'ann has to go');
	await there[1].until(() => there[1].closed, 'the close');
	await there[2].until(() => there[2].closed, 'the close');
	equal((await server.do('presence', { destination })).users, [{ user: 'bob', sessions: 1 }], 'and is not there any more');
	there[0].leave();
	there[3].leave();
});

await suite.test('a session is sent to, and closed, by its number', async () => {
	const ann = await new Client(server).come('ann');
	const { session } = (await server.do('users', { user: 'ann' })).users[0].sessions[0];
	const echoes = [];

	for (let i = 0; i < 6; i++) {
		echoes.push(new Client(server, '/echo'));
		await once(echoes[i].socket, 'open');
	}
	for (let i = 1; i <= 6; i++)
		equal(await server.do('send', { session: session + i, message: `to ${i}` }), { received: 1 }, 'send');
	for (let i = 1; i <= 6; i++)
		await echoes[i - 1].until(() => echoes[i - 1].frames[0] === `to ${i}`, `message ${i}`);
	equal(await server.do('broadcast', { endpoint: '/echo', message: 'all' }), { received: 6 }, 'broadcast');
	for (const c of echoes)
		await c.until(() => c.frames[1] === 'all', 'the broadcast');
	equal(await server.do('disconnect', { session: session + 1, code: 3001, reason: 'a' }), { disconnected: 1 }, 'disconnect');
	await echoes[0].until(() => echoes[0].closed, 'the close');
	equal(echoes[0].closed, [3001, 'a'], 'code and reason');
	await server.refuses('send', { session: session + 1, message: 'x' }, 404, 'no_session', 'session');
	await server.refuses('send', { session: session + 2, message: 'x'.repeat(600000) }, 413, 'too_large', 'message');
	for (const [name, body, field] of [['send', { session: 0, message: '' }, 'session'], ['send', { session: '1', message: '' }, 'session'],
		['send', { message: '' }, 'session'], ['send', { session: 1 }, 'message'], ['send', { session: -1, message: '' }, 'session'],
		['broadcast', { message: '' }, 'endpoint'], ['broadcast', { endpoint: '/echo' }, 'message'],
		['disconnect', {}, 'session'], ['disconnect', { session: 1, code: 1006 }, 'code'], ['disconnect', { session: 1, code: 5000 }, 'code'],
		['disconnect', { session: 1, user: 'a' }, 'user'], ['disconnect', { user: '' }, 'user'],
		['disconnect', { session: 1, reason: 'é'.repeat(70) }, 'reason']])
		await server.refuses(name, body, 400, 'wrong_argument', field);
	await server.refuses('broadcast', { endpoint: '/no', message: '' }, 404, 'no_endpoint', 'endpoint');
	for (const c of [...echoes, ann])
		c.leave();
});

const run = (argv, { input = '', env = {}, command = 'publish' } = {}) => new Promise((resolve) => {
	const child = execFile(program, [command, ...argv], { env: { ...process.env, ...env } }, (e, out, err) =>
		resolve({ code: e ? e.code : 0, out, err }));

	child.stdin.on('error', () => {}).end(input);
});

/* --- for operators ------------------------------------------------------------------- */

/* All sessions that match, by pages of so many; they are checked to be in order. */
async function allSessions(of, wanted = {}, limit = 1000) {
	const all = [];
	let after = 0, page;

	do {
		page = await of.do('sessions', { ...wanted, limit, after });
		check(page.sessions.length <= limit, 'no more than wanted');
		check(page.next === null || (page.next === page.sessions.at(-1).session && page.sessions.length === limit), 'next');
		all.push(...page.sessions);
		after = page.next;
	} while (after !== null);
	check(all.every((s, i) => i === 0 || s.session > all[i - 1].session), 'by number, none twice');
	return { all, count: page.count };
}

const numbers = (list) => list.map((s) => s.session);

async function openMany(of, count, path, headers) {
	const all = [];

	for (let i = 0; i < count; i++) {
		all.push(new Client(of, path, headers));
		if (i % 50 === 49)
			await Promise.all(all.slice(-50).map((c) => c.socket.readyState || once(c.socket, 'open')));
	}
	await Promise.all(all.map((c) => c.socket.readyState || once(c.socket, 'open')));
	return all;
}

/* Who has left may still be there for a moment. */
async function nobodyIsAt(of, endpoint) {
	for (let i = 0; i < 1000 && (await of.do('sessions', { endpoint })).count > 0; i++)
		await sleep(10);
	equal((await of.do('sessions', { endpoint })).count, 0, `sessions at ${endpoint}`);
}

/* The answer to a poll. */
const poll = (of, path) => withDeadline(new Promise((resolve, reject) => {
	const r = request(`http${of.url}${path}`, { method: 'POST', agent: of.agent }, (answer) => {
		let got = '';

		answer.setEncoding('utf8').on('data', (d) => { got += d; }).on('end', () => resolve(got));
	});

	r.on('error', reject).end();
}), 15000, `an answer to ${path}`);

await suite.test('sessions of all reactors come in pages, by number, and one in detail', async () => {
	await nobodyIsAt(server, '/echo');
	const open = await openMany(server, 40, '/echo');
	const whole = await server.do('sessions', { endpoint: '/echo', limit: 1000 });

	equal([whole.sessions.length, whole.next, whole.count], [40, null, 40], 'one page for all');
	for (const limit of [1, 7, 40, 41]) {
		const { all, count } = await allSessions(server, { endpoint: '/echo' }, limit);
		equal([numbers(all), count], [numbers(whole.sessions), 40], `pages of ${limit}`);
	}
	equal((await server.do('sessions', { endpoint: '/echo', limit: 40 })).next, null, 'the last page is full');
	const [first] = whole.sessions;
	check(Math.abs(Date.parse(first.since) - Date.now()) < 60000, `since ${first.since}`);
	equal([first.endpoint, first.transport, first.address, first.state, first.buffered],
		['/echo', 'websocket_raw', '127.0.0.1', 'open', 0], 'a row');

	const details = [];
	for (const s of whole.sessions)
		details.push(await server.do('session', { session: s.session }));
	equal(numbers(details), numbers(whole.sessions), 'each in detail');
	if (Number(args.threads ?? 2) > 1)
		check(new Set(details.map((d) => d.thread)).size > 1, 'they are in several reactors');
	const { framing, attached, heard, blocked_ms, waiting, paused, code } = details[0];
	equal({ framing, attached, heard, blocked_ms, waiting, paused, code },
		{ framing: 'raw', attached: true, heard: false, blocked_ms: null, waiting: 0, paused: [], code: null }, 'what is known');
	const names = Object.keys(description.components.schemas.SessionDetails.properties).sort();
	equal(Object.keys(details[0]).sort(), names, 'members are those of the description');

	open[0].socket.send('x');
	await open[0].until(() => open[0].frames.length === 1, 'the echo');
	const heardNow = [];
	for (const s of whole.sessions)
		heardNow.push((await server.do('session', { session: s.session })).heard);
	equal(heardNow.filter(Boolean).length, 1, 'one client was heard');
	await server.refuses('session', { session: 999999999 }, 404, 'no_session', 'session');
	for (const [body, field] of [[{}, 'session'], [{ session: 'x' }, 'session'], [{ session: 1, code: 1 }, 'code']])
		await server.refuses('session', body, 400, 'wrong_argument', field);
	for (const c of open)
		c.leave();
});

await suite.test('a client that does not read is seen by what is buffered', async () => {
	await nobodyIsAt(server, '/echo');
	const [c] = await openMany(server, 1, '/echo');
	const { session } = (await server.do('sessions', { endpoint: '/echo' })).sessions.at(-1);
	const row = async () => (await server.do('sessions', { after: session - 1, limit: 1 })).sessions[0];

	const message = randomBytes(75000).toString('base64'); /* what compresses well would all go out */

	c.socket.pause();
	for (let i = 0; i < 200 && (await row()).buffered === 0; i++)
		await server.do('send', { session, message });
	check((await row()).buffered > 0, 'its row');
	let details = await server.do('session', { session });
	check(details.buffered > 0 && details.held >= details.buffered && details.blocked_ms >= 0, JSON.stringify(details));
	check(details.unacknowledged > 0, 'its client has not taken it');
	c.socket.resume();
	for (let i = 0; i < 500 && details.buffered > 0; i++) {
		await sleep(10);
		details = await server.do('session', { session });
	}
	equal([details.buffered, details.blocked_ms], [0, null], 'when it reads again');
	c.leave();
});

const events = (details) => details.events.map(({ event, transport, code, cause }) => [event, transport, code, cause].filter((x) => x !== undefined).join(' '));

await suite.test('a session tells what went in and out, and what has happened to it', async () => {
	const own = await new Server().start('record.json', configuration());
	const one = async (wanted) => {
		const { sessions } = await own.do('sessions', wanted);

		equal(sessions.length, 1, JSON.stringify(wanted));
		return own.do('session', { session: sessions[0].session });
	};
	const [raw] = await openMany(own, 1, '/echo', { Origin: `http${own.url}`, 'User-Agent': 'Test/1.0 "é"' });

	for (const text of ['a', 'bb', 'ccc'])
		raw.socket.send(text);
	await raw.until(() => raw.frames.length === 3, 'the echoes');
	let details = await one({ endpoint: '/echo', min_messages: 6, min_bytes: 12 });
	equal([details.messages_in, details.bytes_in, details.messages_out, details.bytes_out], [3, 6, 3, 6], 'counts');
	equal([details.origin, details.user_agent, details.user, details.cause], [`http${own.url}`, 'Test/1.0 "?"', null, null], 'who it is');
	equal(events(details), ['began websocket_raw', 'attached websocket_raw', 'opened', 'first_message'], 'the time line');
	equal(details.transports, ['websocket_raw'], 'transports');
	check(details.events.every((e, i) => i === 0 || e.after_ms >= details.events[i - 1].after_ms), 'in order');
	check(Math.abs(Date.parse(details.events[0].at) - Date.now()) < 60000, details.events[0].at);
	equal((await own.do('sessions', { min_messages: 7 })).count, 0, 'nobody had so many');
	equal((await own.do('sessions', { min_bytes: 13 })).count, 0, 'nor so much');

	const path = '/echo/000/line';
	equal(await poll(own, `${path}/xhr`), 'o\n', 'it opens');
	for (let i = 0; i < 20; i++) {
		const { session } = (await own.do('sessions', { transport: 'xhr' })).sessions[0];

		await own.do('send', { session, message: `${i}` });
		equal(await poll(own, `${path}/xhr`), `a["${i}"]\n`, 'a poll');
	}
	details = await one({ transport: 'xhr' });
	equal(events(details).slice(0, 3), ['began xhr', 'attached xhr', 'opened'], 'polls that come at once do not fill it');
	equal([details.messages_out, details.bytes_out], [20, 30], 'what was said to it');
	await own.do('disconnect', { session: details.session, code: 3001, reason: 'bye' });
	await poll(own, `${path}/xhr`);
	details = await own.do('session', { session: details.session });
	equal([details.cause, events(details).includes('closing 3001 operator'), events(details).at(-1)], ['operator', true, 'closed'], 'its end');

	const gateway = await openMany(own, 1, '/app');
	await gateway[0].socket.readyState || await once(gateway[0].socket, 'open');
	details = await one({ endpoint: '/app' });
	check(events(details).includes('backend_dialled') && events(details).includes('backend_opened'), events(details).join());

	const ann = await new Client(own).come('ann');
	details = await one({ user: 'ann' });
	equal([details.user, details.endpoint, events(details).includes('identified')], ['ann', '/stomp', true], 'who has logged in');
	equal((await own.do('sessions', { user: 'bob' })).count, 0, 'nobody of that name');

	const more = await openMany(own, 5, '/echo');
	for (let i = 0; i < 5; i++) {
		for (let j = 0; j <= i; j++)
			more[i].socket.send('x'.repeat(100));
		await more[i].until(() => more[i].frames.length === i + 1, 'echoes');
	}
	const most = await own.do('sessions', { endpoint: '/echo', sort: 'bytes', limit: 3 });
	equal([most.sessions.map((s) => s.bytes_in), most.next, most.count], [[500, 400, 300], null, 6], 'those that had most');
	equal((await own.do('sessions', { endpoint: '/echo', sort: 'age', limit: 1 })).sessions[0].bytes_in, 6, 'the oldest');
	for (const c of [raw, ann, ...gateway, ...more])
		c.leave();
	equal(await own.stop(), 0, 'exit code');
});

await suite.test('sessions are found by endpoint, transport, address and state', async () => {
	const proxied = await new Server().start('proxied.json', { ...configuration(), trusted_proxies: ['127.0.0.1'] });
	const from = { '203.0.113.7': 3, '203.0.113.200': 2, '2001:db8::5': 2, '2001:db8:1::5': 1 };
	const open = [await new Client(proxied).come('ann')];
	const count = async (wanted) => {
		const { all, count: said } = await allSessions(proxied, wanted, 2);
		equal(all.length, said, 'the count');
		return said;
	};

	for (const [address, n] of Object.entries(from))
		open.push(...await openMany(proxied, n, '/echo', { 'X-Forwarded-For': address }));
	equal(await poll(proxied, '/echo/000/poll/xhr'), 'o\n', 'a session that polls');
	equal(await count({}), 10, 'all');
	equal([await count({ endpoint: '/echo' }), await count({ endpoint: '/stomp' }), await count({ endpoint: '/app' })], [9, 1, 0], 'endpoints');
	equal([await count({ transport: 'websocket_raw' }), await count({ transport: 'xhr' }), await count({ transport: 'jsonp' })], [9, 1, 0], 'transports');
	for (const [address, n] of [['203.0.113.7', 3], ['203.0.113.0/24', 5], ['203.0.113.128/25', 2], ['2001:db8::/32', 3], ['2001:db8::/48', 2],
		['127.0.0.1', 2], ['0.0.0.0/0', 7], ['unix', 0], ['10.0.0.0/8', 0]])
		equal([address, await count({ address })], [address, n], 'addresses');
	equal(await count({ address: '203.0.113.0/24', endpoint: '/stomp' }), 0, 'two at a time');
	equal([await count({ state: 'open' }), await count({ state: 'closing' }), await count({ state: 'closed' })], [10, 0, 0], 'states');

	const { session } = (await proxied.do('sessions', { transport: 'xhr' })).sessions[0];
	await proxied.do('disconnect', { session, code: 3001, reason: 'bye' });
	equal([await count({ state: 'open' }), await count({ state: 'closing' })], [9, 1], 'one is closing');
	equal((await proxied.do('session', { session })).code, 3001, 'its code');
	await proxied.refuses('disconnect', { session }, 404, 'no_session', 'session');
	await proxied.refuses('send', { session, message: 'x' }, 404, 'no_session', 'session');
	equal(await poll(proxied, '/echo/000/poll/xhr'), 'c[3001,"bye"]\n', 'it is told');
	equal([await count({ state: 'closed' }), await count({})], [1, 9], 'closed ones are not among all');

	for (const [body, field] of [[{ limit: 0 }, 'limit'], [{ limit: 1001 }, 'limit'], [{ limit: 'x' }, 'limit'], [{ after: -1 }, 'after'],
		[{ after: '1' }, 'after'], [{ transport: 'tube' }, 'transport'], [{ transport: '' }, 'transport'], [{ transport: 'web' }, 'transport'],
		[{ transport: 5 }, 'transport'], [{ address: '1.2.3' }, 'address'], [{ address: '1.2.3.4/33' }, 'address'], [{ address: 5 }, 'address'],
		[{ state: 'dead' }, 'state'], [{ state: null }, 'state'], [{ user: 5 }, 'user'], [{ sort: 'luck' }, 'sort'], [{ sort: 'held', after: 5 }, 'after'],
		[{ min_bytes: -1 }, 'min_bytes'], [{ min_messages: 'x' }, 'min_messages'], [{ min_held: 1.5 }, 'min_held'], [{ endpoint: 5 }, 'endpoint']])
		await proxied.refuses('sessions', body, 400, 'wrong_argument', field);
	await proxied.refuses('sessions', { endpoint: '/nobody' }, 404, 'no_endpoint', 'endpoint');
	for (const c of open)
		c.leave();
	equal(await proxied.stop(), 0, 'exit code');
});

await suite.test('pages are whole and have nobody twice while sessions come and go', async () => {
	const steady = [];
	const passing = [];
	let over = false, came = 0;

	for (let i = 0; i < 10; i++) { /* those who go stand between those who stay */
		steady.push(...await openMany(server, 15, '/echo'));
		passing.push(...await openMany(server, 15, '/echo'));
	}
	const before = numbers((await allSessions(server, { endpoint: '/echo' })).all);
	const churn = (async () => {
		while (!over) {
			passing.shift().leave();
			passing.push(...await openMany(server, 1, '/echo'));
			came++;
		}
	})();
	const seen = [];
	for (const limit of [2, 3, 5, 8, 13, 21, 34, 55])
		seen.push(new Set(numbers((await allSessions(server, { endpoint: '/echo' }, limit)).all)));
	over = true;
	await churn;
	const stayed = before.filter((n) => seen.at(-1).has(n));
	check(came > 20, `${came} came`);
	check(stayed.length >= 150, `${stayed.length} stayed`);
	for (const page of seen)
		check(stayed.every((n) => page.has(n)), 'who was there all the time is on every list');
	for (const c of [...steady, ...passing])
		c.leave();
}, 60000);

await suite.test('10,000 sessions are listed while others are served', async () => {
	const config = configuration();
	config.threads = 1;
	config.endpoints.push({ prefix: '/idle', application: 'echo', disconnect_delay_ms: 600000 });
	const large = await new Server().start('large.json', config);
	const echo = await openMany(large, 1, '/echo');
	const opened = async (i) => { equal(await poll(large, `/idle/000/s${i}/xhr`), 'o\n', 'a session'); };

	for (let i = 0; i < 10000; i += 50)
		await Promise.all(Array.from({ length: 50 }, (_, j) => opened(i + j)));
	const { all, count } = await allSessions(large, { endpoint: '/idle' });
	equal([all.length, count], [10000, 10000], 'all of them');
	equal((await allSessions(large, {}, 777)).all.length, 10001, 'in other pages');

	/* Echoes go on within one request: who made the page in one go would let hardly any through,
	 * those alone that come before and after (4). */
	const [c] = echo;
	let most = 0;
	for (let i = 0; i < 60 && most < 8; i++) {
		let listing = true, echoes = 0;

		c.frames = [];
		const answer = large.do('sessions', { limit: 1000 }).finally(() => { listing = false; });
		while (listing) {
			c.socket.send('x');
			await c.until(() => c.frames.length > echoes, 'an echo');
			echoes++;
		}
		equal((await answer).count, 10001, 'count');
		most = Math.max(most, echoes);
	}
	console.log(`        ${most} echoes while a page was made`);
	check(most >= 8, `${most} echoes while a page was made`);
	c.leave();
	large.child.kill('SIGTERM'); /* who polls would be waited for */
	await sleep(100);
	equal(await large.stop(), 0, 'exit code');
}, 120000);

await suite.test('endpoints and backends are told, with how they are doing', async () => {
	await nobodyIsAt(server, '/echo');
	const open = await openMany(server, 3, '/echo');
	const { endpoints } = await server.do('endpoints', {});

	equal(endpoints.map((e) => [e.prefix, e.application]), [['/stomp', 'stomp'], ['/echo', 'echo'], ['/app', 'upstream'], ['/unruly', 'unruly'], ['/doctor', 'doctor']], 'in order');
	equal([endpoints[1].sessions, endpoints[1].ready, endpoints[1].commands, endpoints[1].limits.max_message_bytes], [3, true, [], 65536], 'echo');
	equal(endpoints[2].commands, ['backends', 'backend'], 'upstream');
	check(endpoints[0].transports.includes('xhr_streaming'), 'transports');
	equal(Object.keys(endpoints[0]).sort(), Object.keys(description.components.schemas.Endpoint.properties).sort(), 'members');
	equal((await server.do('endpoints', { endpoint: '/echo' })).endpoints.map((e) => e.prefix), ['/echo'], 'one');
	await server.refuses('endpoints', { endpoint: '/x' }, 404, 'no_endpoint', 'endpoint');
	await server.refuses('endpoints', { x: 1 }, 400, 'wrong_argument', 'x');

	const fresh = await new Server().start('backends.json', configuration());
	const states = async () => (await fresh.do('backends', {})).backends.map((b) => b.state);
	equal(await states(), ['untried', 'untried'], 'at first');
	const clients = await openMany(fresh, 4, '/app'); /* in turn, so one of them tries the one that is not there */
	for (const c of clients) {
		c.socket.send('hello');
		await c.until(() => c.frames.length > 0, 'an answer of the backend');
	}
	const { balance, backends } = await fresh.do('backends', { endpoint: '/app' });
	equal([balance, backends[0].state, backends[0].connections, backends[0].failures], ['round_robin', 'up', 4, 0], 'one that works');
	check(backends[0].worked_ms_ago >= 0 && backends[0].failed_ms_ago === null, 'when');
	check(['down', 'resting', 'trial'].includes(backends[1].state) && backends[1].failures > 0 && backends[1].worked_ms_ago === null,
		`one that does not: ${JSON.stringify(backends[1])}`);
	equal(backends[1].url, 'ws://127.0.0.1:1/x?***', 'what only it is to know is not told');
	equal(Object.keys(backends[0]).sort(), Object.keys(description.components.schemas.Backend.properties).sort(), 'members');
	await fresh.refuses('backends', { endpoint: '/echo' }, 404, 'no_application', 'endpoint');
	await fresh.refuses('backends', { x: 1 }, 400, 'wrong_argument', 'x');
	for (const c of [...open, ...clients])
		c.leave();
	equal(await fresh.stop(), 0, 'exit code');
});

await suite.test('addresses that are at a limit are told, and how often they were refused', async () => {
	const limited = await new Server().start('limited.json', { ...configuration(), trusted_proxies: ['127.0.0.1'],
		limits: { sessions_per_address: 3 } });
	const clients = [];
	const come = async (address, n) => clients.push(...await openMany(limited, n, '/echo', { 'X-Forwarded-For': address }));
	const tryToCome = async (address) => {
		const c = new Client(limited, '/echo', { 'X-Forwarded-For': address });
		await c.until(() => c.closed, 'a refusal');
	};
	const told = async () => (await limited.do('limited', {})).addresses.sort((a, b) => (a.address < b.address ? -1 : 1));

	await come('203.0.113.7', 2);
	equal(await limited.do('limited', {}), { addresses: [], count: 0 }, 'within its limit');
	await come('203.0.113.7', 1);
	await come('2001:db8::7', 3);
	await tryToCome('2001:db8::8'); /* of the same /64 */
	await come('198.51.100.1', 1);
	equal(await told(), [
		{ address: '2001:db8::/64', connections: 0, sessions: 3, refused: 1, limits: ['sessions_per_address'] },
		{ address: '203.0.113.7', connections: 0, sessions: 3, refused: 0, limits: ['sessions_per_address'] }], 'two are at it');
	equal(await limited.do('limited', { limit: 1 }).then((a) => [a.addresses.length, a.count]), [1, 2], 'so many at most');
	clients[3].leave();
	for (let i = 0; i < 500 && (await told())[0].sessions === 3; i++)
		await sleep(10);
	equal((await told())[0], { address: '2001:db8::/64', connections: 0, sessions: 2, refused: 1, limits: [] }, 'who was refused is told still');
	const { out } = await run(['--api', limited.internal, '--token-file', join(folder, 'token'), 'limited'], { command: 'ctl' });
	check(/^ADDRESS .*\n(.*\n)*203\.0\.113\.7 +0 +3 +0 +sessions_per_address\n/.test(out), out);
	for (const [body, field] of [[{ limit: 0 }, 'limit'], [{ limit: 1001 }, 'limit'], [{ address: 'x' }, 'address']])
		await limited.refuses('limited', body, 400, 'wrong_argument', field);
	equal((await server.do('limited', {})).count, 0, 'without limits nobody');
	for (const c of clients)
		c.leave();
	equal(await limited.stop(), 0, 'exit code');
});

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36';
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0';

/* A request of a client at some address; resolves to its answer as soon as that has begun. */
function visit(server, path, address, agent, body) {
	return withDeadline(new Promise((resolve, reject) => {
		const r = request(`http${server.url}${path}`, { method: 'POST', agent: false, headers: { 'X-Forwarded-For': address, 'User-Agent': agent } },
			(answer) => resolve(answer.on('error', () => {}).resume()));
		r.on('error', reject).end(body);
	}), 15000, path);
}

await suite.test('what networks break is told with its cause, by browser, and forgotten on demand', async () => {
	const lines = [];
	const broken = await new Server().start('networks.json', { ...configuration(), log_level: 'info', trusted_proxies: ['127.0.0.1'] }, lines);
	const told = async (more) => (await broken.do('networks', more ?? {})).networks;
	const logged = async (line) => {
		for (let i = 0; i < 500 && !lines.some((l) => line.test(l)); i++)
			await sleep(10);
		check(lines.some((l) => line.test(l)), `${line} is in the log`);
	};
	const streams = [];

	/* Two clients give a stream up for the next, and answer to that; one of another network is heard at once. */
	for (const [number, address, agent] of [['101', '203.0.113.7', CHROME], ['102', '203.0.113.8', FIREFOX]])
		streams.push(await visit(broken, `/echo/${number}/first${number}/xhr_streaming`, address, agent));
	await sleep(400); /* who comes back at once has given nothing up */
	for (const [number, address, agent] of [['101', '203.0.113.7', CHROME], ['102', '203.0.113.8', FIREFOX]]) {
		streams.push(await visit(broken, `/echo/${number}/second${number}/xhr_streaming`, address, agent));
		equal((await visit(broken, `/echo/${number}/second${number}/xhr_send`, address, agent, '["x"]')).statusCode, 204, 'a message');
	}
	streams.push(await visit(broken, '/echo/103/third/xhr_streaming', '2001:db8:7::1', CHROME));
	equal((await visit(broken, '/echo/103/third/xhr_send', '2001:db8:7::1', CHROME, '["x"]')).statusCode, 204, 'a message');
	equal((await visit(broken, '/echo/104/fourth/websocket', '2001:db8:7::2', FIREFOX)).statusCode, 405, 'no handshake, and no GET');
	const stripped = await fetch(`http${broken.url}/echo/104/fourth/websocket`, { headers: { 'X-Forwarded-For': '192.0.2.4', 'User-Agent': FIREFOX } });
	equal(stripped.status, 400, 'a handshake without Upgrade');
	streams.push(await visit(broken, '/echo/000/program/xhr_streaming', '198.51.100.1', 'program'));
	equal((await visit(broken, '/echo/000/program/xhr_send', '198.51.100.1', 'program', '["x"]')).statusCode, 204, 'a message');

	const [worst, ...rest] = await told();
	const [good, gone, ...others] = rest.sort((a, b) => (a.network < b.network ? 1 : -1));
	equal(others, [], 'of programs nothing is learned');
	equal([worst.network, worst.endpoint, worst.streams, worst.websocket, worst.heartbeat_ms], ['203.0.113.0/24', '/echo', 'short', 'taken', 10000], 'the worst is the first');
	equal([worst.reached, worst.failures, worst.refused], [{ xhr_streaming: 2 }, { stream_held: 2 }, 0], 'all of it');
	check(worst.median_ms >= 500 && worst.delays.length > 0 && worst.delays.reduce((sum, [, n]) => sum + n, 0) === 2, JSON.stringify(worst.delays));
	equal(worst.browsers.map((b) => [b.browser, b.reached, b.failures]), [['chrome', { xhr_streaming: 1 }, { stream_held: 1 }], ['firefox', { xhr_streaming: 1 }, { stream_held: 1 }]], 'by browser');
	equal([gone.network, gone.websocket, gone.failures, gone.reached], ['192.0.2.0/24', 'taken', { websocket_stripped: 1 }, {}], 'one that takes Upgrade off');
	check(worst.scores.held > 1.9 && worst.scores.flows === 0, JSON.stringify(worst.scores));
	equal([good.network, good.streams, good.reached, good.failures, good.median_ms, good.delays], ['2001:db8:7::/48', 'long', { xhr_streaming: 1 }, {}, 0, [[0, 1]]], 'a good one');
	for (const [members, schema] of [[worst, 'Network'], [worst.browsers[0], 'NetworkStory']])
		equal(Object.keys(members).sort(), Object.keys(description.components.schemas[schema].properties).sort(), `members of ${schema}`);
	await logged(/a network holds streams back.*203\.0\.113\.0\/24/);

	equal((await told({ network: '203.0.113.99' })).map((n) => n.network), ['203.0.113.0/24'], 'that of an address');
	equal((await told({ network: '2001::/16' })).map((n) => n.network), ['2001:db8:7::/48'], 'those in a network');
	equal(await told({ endpoint: '/stomp' }), [], 'of another endpoint');
	equal(await broken.do('networks', { limit: 1 }).then((a) => [a.networks.map((n) => n.network), a.count]), [['203.0.113.0/24'], 3], 'so many at most');
	for (const [body, status, code, field] of [[{ network: 'x' }, 400, 'wrong_argument', 'network'], [{ network: 'unix' }, 400, 'wrong_argument', 'network'],
		[{ network: 5 }, 400, 'wrong_argument', 'network'], [{ endpoint: '/none' }, 404, 'no_endpoint', 'endpoint'], [{ x: 1 }, 400, 'wrong_argument', 'x']])
		for (const name of ['networks', 'forget_networks'])
			await broken.refuses(name, { network: 'all', ...body }, status, code, field);
	for (const limit of [0, 1001, 'x'])
		await broken.refuses('networks', { limit }, 400, 'wrong_argument', 'limit');
	await broken.refuses('forget_networks', {}, 400, 'wrong_argument', 'network');

	const ctl = (...argv) => run(['--api', broken.internal, '--token-file', join(folder, 'token'), 'networks', ...argv], { command: 'ctl' });
	equal(await broken.do('forget_networks', { network: '192.0.2.0/24', endpoint: '/echo' }), { forgotten: 1 }, 'that one');
	const { out } = await ctl();
	check(/^NETWORK .*\n203\.0\.113\.0\/24 +\/echo +short +taken +10s +\d+ +0 +xhr_streaming:2 +stream_held:2\n2001:db8:7::\/48 +\/echo +long +taken +10s +0 +0 +xhr_streaming:1 +-\n$/.test(out), out);
	equal((await ctl('--network', '2001:db8:7::5', '--json')).out.trim().slice(0, 40), '{"networks":[{"network":"2001:db8:7::/48', 'one, for programs');
	equal((await ctl('--forget', '203.0.113.7')).out, 'forgotten: 1\n', 'one is forgotten');
	equal((await told()).map((n) => n.network), ['2001:db8:7::/48'], 'the other is not');
	await logged(/networks are forgotten.*203\.0\.113\.7/);
	equal(await broken.do('forget_networks', { network: 'all', endpoint: '/stomp' }), { forgotten: 0 }, 'of another endpoint none');
	equal(await broken.do('forget_networks', { network: 'all' }), { forgotten: 1 }, 'all');
	equal(await broken.do('networks', {}), { networks: [], count: 0 }, 'nothing is known');
	for (const stream of streams)
		stream.destroy();
	equal(await broken.stop(), 0, 'exit code');
});

/* Paths of what differs, with what is there in the second. */
function differences(a, b, path = '') {
	if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object')
		return a === b ? [] : [[path, b]];
	return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((k) => differences(a[k], b[k], `${path}.${k}`));
}

await suite.test('the configuration is shown as --print-config has it, but for its secrets', async () => {
	const config = configuration({ token_file: null, token: TOKEN });
	config.endpoints[1].hooks = { url: 'http://127.0.0.1:1/hook?key=a-secret', secret: 'a-secret-of-ours' };
	config.endpoints[0].stomp.tokens = { issuer: 'i', audience: 'a', algorithm: 'HS256', secret: 'a-secret-of-tokens-that-is-long-enough' };
	const open = await new Server().start('open.json', config);
	const printed = JSON.parse(await new Promise((resolve) => {
		execFile(program, ['-c', open.file, '--print-config'], (e, out) => resolve(out));
	}));
	const shown = await open.ask('/api/config', {});

	equal(differences(printed, shown.json).sort(), [
		['.endpoints.0.stomp.tokens.secret', '***'], ['.endpoints.0.stomp.users.0.password', '***'],
		['.endpoints.0.stomp.users.1.password', '***'], ['.endpoints.1.hooks.secret', '***'],
		['.endpoints.1.hooks.url', 'http://127.0.0.1:1/hook?***'], ['.endpoints.2.upstream.url.1', 'ws://127.0.0.1:1/x?***'],
		['.internal.token', '***']], 'what differs');
	for (const secret of [TOKEN, hash, 'secret-of', 'a-secret', 'between-us'])
		check(!shown.text.includes(secret), secret);
	equal(shown.json.endpoints[0].stomp.users[0].login, 'ann', 'logins are none');
	await open.refuses('config', { x: 1 }, 400, 'wrong_argument', 'x');
	equal(await open.stop(), 0, 'exit code');
});

await suite.test('the log level is set while the server runs, for all threads', async () => {
	const log = [];
	const quiet = await new Server().start('quiet.json', configuration(), log);
	const openings = () => log.filter((line) => line.includes('session open')).length;
	const until = async (condition, what) => {
		for (let i = 0; i < 1000 && !condition(); i++)
			await sleep(10);
		check(condition(), what);
	};

	equal(await quiet.do('log', {}), { level: 'error' }, 'it is told');
	const clients = await openMany(quiet, 8, '/echo');
	equal(await quiet.do('log', { level: 'debug' }), { level: 'debug' }, 'it is set');
	clients.push(...await openMany(quiet, 24, '/echo'));
	await until(() => openings() >= 24, 'sessions are logged');
	equal(openings(), 24, 'those before were not');
	check(log.some((l) => l.includes('the log level was set by a command') && l.includes('debug') && l.includes('error')), 'and so is the command');
	equal((await quiet.do('config', {})).log_level, 'debug', 'it is in effect');
	for (const level of ['loud', '', 5, null])
		await quiet.refuses('log', { level }, 400, 'wrong_argument', 'level');
	await quiet.refuses('log', { to: 'debug' }, 400, 'wrong_argument', 'to');
	equal(await quiet.do('log', {}), { level: 'debug' }, 'a refusal changes nothing');
	equal(await quiet.do('log', { level: 'silent' }), { level: 'silent' }, 'silence');
	const lines = log.length;
	clients.push(...await openMany(quiet, 8, '/echo'));
	await quiet.do('log', {});
	await sleep(50);
	check(log.slice(lines).every((l) => !l.includes('session open')), 'nothing is said any more');
	for (const c of clients)
		c.leave();
	equal(await quiet.stop(), 0, 'exit code');
});

await suite.test('a restart is begun by a command, and nobody notices', async () => {
	const first = await new Server().start('restarted.json', configuration());
	const clients = await openMany(first, 6, '/echo');

	await first.refuses('restart', { now: true }, 400, 'wrong_argument', 'now');
	const { restarted, pid } = await first.do('restart', {});

	equal(restarted, true, 'the answer');
	equal(await first.end(), 0, 'exit code of the process before');
	try {
		const found = (await first.do('sessions', {})).sessions.length;

		equal(found, 6, 'sessions at the new process');
		equal(clients.filter((c) => c.closed), [], 'nobody was cut off');
		const again = await first.do('restart', {});

		check(again.pid !== pid, 'once more');
		process.kill(again.pid, 'SIGTERM');
		for (const c of clients)
			await c.until(() => c.closed, 'the close');
		equal(clients.map((c) => c.closed[0]), clients.map(() => 1001), 'in order');
	} catch (e) {
		process.kill(pid, 'SIGKILL');
		throw e;
	}
});

await suite.test('an orderly stop is begun by a command, and only once', async () => {
	const log = [];
	const slow = await new Server().start('slow.json', { ...configuration(), drain_ms: 1500, log_level: 'info' }, log);
	const clients = await openMany(slow, 6, '/echo');
	const [example] = Object.values(description.paths['/api/drain'].post.requestBody.content['application/json'].examples);

	await slow.refuses('drain', { now: true }, 400, 'wrong_argument', 'now');
	equal((await slow.ask('/readyz', undefined, { method: 'GET' })).status, 200, 'a refusal begins nothing');
	equal(await slow.do('drain', example.value), { draining: true, sessions: 6 }, 'the answer');
	equal((await slow.ask('/readyz', undefined, { method: 'GET' })).status, 503, 'it drains');
	equal((await slow.do('drain', {})).draining, true, 'once more');
	for (const c of clients)
		await c.until(() => c.closed, 'the close');
	equal(clients.map((c) => c.closed[0]), clients.map(() => 1001), 'in order, not cut off');
	equal(await slow.end(), 0, 'exit code');
	equal(log.filter((l) => l.includes('stopping')).length, 1, 'it is logged once');

	const empty = await new Server().start('empty.json', configuration());
	equal(await empty.do('drain', {}), { draining: true, sessions: 0 }, 'where nobody is the answer comes, too');
	equal(await empty.end(), 0, 'exit code');
});

await suite.test('10,000 messages of a second come to 20 subscribers, in order', async () => {
	for (const c of crowd.splice(0))
		c.leave();
	const all = await Promise.all(Array.from({ length: 20 }, async () => (await new Client(server).come()).subscribe('/topic/fast')));
	const began = performance.now();

	for (let i = 0; i < 10; i++) {
		const messages = Array.from({ length: 1000 }, (_, j) => ({ destination: '/topic/fast', body: `${i * 1000 + j}` }));

		equal((await server.do('publish', { messages })).received, 20000, 'received');
	}
	console.log(`        published within ${Math.round(performance.now() - began)} ms`);
	for (const c of all) {
		await c.until(() => c.frames.length === 10000, '10,000 messages');
		check(c.bodies.every((b, i) => b === `${i}`), 'in order');
		c.leave();
	}
}, 60000);

/* A STOMP client by one transport of sockjs-client, by plain TCP, or by a WebSocket that compresses. */
class Carried {
	text = '';
	bodies = [];
	frames = 0;

	constructor(kind) {
		this.kind = kind;
		if (kind === 'tcp')
			this.wire = connect(Number(server.tcp.split(':').pop()), '127.0.0.1');
		else if (kind === 'deflate')
			this.wire = new WebSocket(`ws${server.url}/stomp/websocket`, { perMessageDeflate: { threshold: 0 } });
		else
			this.wire = new SockJS(`http${server.url}/stomp`, null, { transports: [kind] });
		this.open = new Promise((resolve) => {
			if (kind === 'tcp')
				this.wire.setEncoding('utf8').on('connect', resolve).on('data', (d) => this.take(d));
			else if (kind === 'deflate')
				this.wire.on('open', resolve).on('message', (d) => this.take(d));
			else
				Object.assign(this.wire, { onopen: resolve, onmessage: (e) => this.take(e.data) });
		});
	}

	take(data) {
		this.frames++;
		const all = (this.text + data).split('\0');

		this.text = all.pop();
		for (const frame of all)
			this.bodies.push([/^destination:(.*)$/m.exec(frame)?.[1], frame.slice(frame.indexOf('\n\n') + 2)]);
	}

	say(text) {
		if (this.kind === 'tcp')
			this.wire.write(text);
		else
			this.wire.send(text);
	}

	async come(destination, receipt) {
		await withDeadline(this.open, 15000, `${this.kind} opens`);
		this.say('CONNECT\naccept-version:1.2\nhost:x\n\n\0');
		while (this.bodies.length < 1)
			await sleep(5);
		this.say(`SUBSCRIBE\nid:0\ndestination:${destination}\nreceipt:${receipt}\n\n\0`);
		while (this.bodies.length < 2)
			await sleep(5);
		this.bodies = [];
	}

	leave() {
		if (this.kind === 'tcp')
			this.wire.destroy();
		else
			this.wire.close();
	}
}

await suite.test('many messages come as runs, each for itself and in order, by every transport', async () => {
	const kinds = ['websocket', 'xhr-streaming', 'xhr-polling', 'eventsource', 'tcp', 'deflate'];
	const all = kinds.map((kind) => new Carried(kind));
	const body = (i) => `${i} "${'é\\'.repeat(i % 40)}" ${i % 7 ? '' : '\ud83d\ude00'}`;
	const said = [];

	await Promise.all(all.map((c) => c.come('/topic/runs/*', 'r')));
	for (let i = 0; i < 6; i++) {
		/* Runs of 400, of 3, and none, among others that go to nobody, and one that is binary */
		const messages = Array.from({ length: 500 }, (_, j) => ({
			destination: `/topic/${j % 100 === 99 ? 'no' : 'runs'}/${j < 400 ? 'a' : j % 6 < 3 ? 'b' : 'c'}`, body: body(i * 500 + j),
		}));

		messages[250] = { destination: '/topic/runs/a', body_base64: Buffer.from([0xff, 0xfe]).toString('base64') };
		said.push(...messages.filter((m) => !m.destination.includes('no')).map((m) => [m.destination, m.body]));
		const answer = await server.do('publish', { messages });
		for (let j = 0; j < 500; j++)
			equal(answer.messages[j].received, j % 100 === 99 ? 0 : all.length, `${j} has come to so many`);
	}
	const text = said.filter(([, body]) => body !== undefined);
	const to = (list, destination) => list.filter(([d]) => d === destination).map(([, body]) => body);
	for (const c of all) {
		/* What is not text goes to those alone who can take it */
		const expected = ['tcp', 'deflate'].includes(c.kind) ? said.length : text.length;
		const until = Date.now() + 60000;

		while (c.bodies.length < expected && Date.now() < until)
			await sleep(10);
		equal(c.bodies.length, expected, `messages by ${c.kind}`);
		/* Each destination has an order of its own; what is not text is not compared */
		for (const letter of 'abc') {
			const all = to(said, `/topic/runs/${letter}`), wanted = to(text, `/topic/runs/${letter}`);
			let bodies = to(c.bodies, `/topic/runs/${letter}`);

			if (bodies.length > wanted.length)
				bodies = bodies.filter((_, i) => all[i] !== undefined);
			equal(bodies.findIndex((b, i) => b !== wanted[i]), -1, `the first that is wrong by ${c.kind}, of ${letter}`);
		}
		c.leave();
	}
});

/* The text format, and the names, as Prometheus wants them (what its promtool would say). */
await suite.test('the metrics are such as Prometheus takes', async () => {
	const { text, head } = await server.ask('/metrics', undefined, { method: 'GET' });
	const types = new Map(), seen = new Set();
	let current;

	check(head['content-type'].startsWith('text/plain; version=0.0.4'), head['content-type']);
	check(text.endsWith('\n'), 'the last line ends');
	for (const line of text.trimEnd().split('\n')) {
		const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);

		if (comment?.[1] === 'HELP') {
			current = comment[2];
			check(!types.has(current), `one head for ${current}`);
			check(comment[3].length > 5, `help for ${current}`);
			types.set(current, null);
			continue;
		}
		if (comment) {
			equal(comment[2], current, 'TYPE behind its HELP');
			check(['counter', 'gauge', 'histogram'].includes(comment[3]), line);
			types.set(current, comment[3]);
			continue;
		}
		const [, name, labels, value] = /^([a-z_]+)(\{(?:[a-z_]+="[^"\\\n]*",?)+\})? (\d+(?:\.\d+)?)$/.exec(line) ?? [];

		const isHistogram = types.get(current) === 'histogram';

		equal(isHistogram ? name.replace(/_(bucket|count|sum)$/, '') : name, current, `a sample behind its head: ${line}`);
		check(!seen.has(name + labels), `${line} once only`);
		seen.add(name + labels);
		check(Number.isFinite(Number(value)), line);
		equal(types.get(current) === 'counter', name.endsWith('_total'), `counters, and nothing else, are totals: ${name}`);
		check(!/milli|minute|hour|percent|kilo|_ms(_|$)/.test(name), `base units: ${name}`);
	}
	for (const name of ['sockjs_build_info', 'process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_start_time_seconds', 'process_max_fds'])
		check(types.has(name), name);
	const began = Number(/^process_start_time_seconds (\S+)$/m.exec(text)[1]);

	for (const prefix of ['/stomp', '/echo'])
		check(new RegExp(`^sockjs_endpoint_sessions\\{endpoint="${prefix}"\\} \\d+$`, 'm').test(text), `sessions of ${prefix}`);
	check(began <= Date.now() / 1000 + 1 && began > Date.now() / 1000 - 3600, 'it began not long ago');
	check(Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)[1]) > 1e6, 'it takes some memory');
});

/* A connection that writes, and says what came back until the end. */
async function talk(text, ms = 5000) {
	const socket = connect(new URL(server.internal).port, '127.0.0.1');
	let got = '';

	socket.on('data', (d) => { got += d; }).on('error', () => {});
	socket.write(text);
	await Promise.race([once(socket, 'close'), sleep(ms)]);
	socket.destroy();
	return got;
}

const plain = (body, more = '') => `POST /api/publish HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n` +
	`Content-Type: application/json\r\n${more || `Content-Length: ${body.length}\r\n`}\r\n${body}`;

await suite.test('a connection is kept, with what is asked one after another, and ended in good order', async () => {
	const body = '{"destination":"/topic/none"}';

	let got = await talk(plain(body, `Content-Length: ${body.length}\r\nConnection: close\r\n`));
	check(/^HTTP\/1.1 200 .*\r\nConnection: close\r\n.*\{"received":0\}\n$/s.test(got), got);
	got = await talk(plain(`1d\r\n${body}\r\n0\r\n\r\n`, 'Transfer-Encoding: chunked\r\n'));
	check(/^HTTP\/1.1 200 .*\{"received":0\}\n$/s.test(got), got);
	got = await talk(plain('{"destination":"x"}') + plain(body, `Content-Length: ${body.length}\r\nConnection: close\r\n`));
	check(/^HTTP\/1.1 400 .*\nHTTP\/1.1 200 .*Connection: close.*\{"received":0\}\n$/s.test(got), got);
	const before = server.agent;
	server.agent = new Agent({ keepAlive: true, maxSockets: 1 });
	for (let i = 0; i < 50; i++)
		equal((await server.ask('/api/publish', body)).head.connection, undefined, 'kept');
	equal(Object.values(server.agent.freeSockets).flat().length, 1, 'one connection for all');
	server.agent.destroy();
	server.agent = before;
});

await suite.test('askers who leave at once, or never finish, harm nobody', async () => {
	const body = JSON.stringify({ messages: Array.from({ length: 1000 }, () => ({ destination: '/topic/none' })) });

	for (let i = 0; i < 50; i++) {
		const socket = connect(new URL(server.internal).port, '127.0.0.1').on('error', () => {});

		await once(socket, 'connect');
		socket.write(plain(body).slice(0, i % 3 ? undefined : 500));
		if (i % 2)
			socket.resetAndDestroy?.() ?? socket.destroy();
		else
			setTimeout(() => socket.destroy(), i % 7);
	}
	equal(await server.do('publish', { destination: '/topic/none' }), { received: 0 }, 'others');
});

await suite.test('sockjsd publish publishes from arguments and standard input', async () => {
	const c = await (await new Client(server).come()).subscribe('/topic/cli');
	const to = ['--api', server.internal, '--token-file', join(folder, 'token')];

	equal(await run([...to, '-H', 'content-type: text/plain', '/topic/cli', 'hello']), { code: 0, out: '1\n', err: '' }, 'an argument');
	await c.until(() => c.frames.length === 1, 'it');
	check(c.frames[0].includes('\ncontent-type:text/plain\n'), 'its header');
	equal((await run([...to, '/topic/cli'], { input: 'from\ninput\n' })).out, '1\n', 'standard input');
	equal((await run(['--key', 'c1', ...to, '/topic/cli', '--', '-x'])).out, '1\n', 'behind --');
	equal((await run(['--key', 'c1', ...to, '/topic/cli', '--', '-x'])).out, '1\n', 'once more');
	await c.hears('hello', 'from\ninput\n', '-x');
	const refused = await run([...to, '/topic/*', '']);
	check(refused.code === 1 && /refused with 400: destination/.test(refused.err), refused.err);
	equal((await run(['--api', server.internal, '/topic/cli', ''], { env: { SOCKJSD_TOKEN: 'wrong' } })).code, 1, 'a wrong token');
	equal((await run(['--api', server.internal, '/topic/cli', ''], { env: { SOCKJSD_TOKEN: TOKEN } })).code, 0, 'a token of the environment');
	equal((await run(['--api', server.internal, '/topic/cli', ''])).code, 2, 'no token');
	equal((await run(['/topic/cli', ''])).code, 2, 'no server');
	c.leave();
});

await suite.test('sockjsd ctl asks and tells, with tables for people and JSON for programs', async () => {
	const mine = await new Server().start('ctl.json', configuration());
	const to = ['--api', mine.internal, '--token-file', join(folder, 'token')];
	const ctl = (...argv) => run([...to, ...argv], { command: 'ctl' });
	const says = async (...argv) => {
		const { code, out, err } = await ctl(...argv);
		equal([code, err], [0, ''], argv.join(' '));
		return out;
	};
	const table = (text) => text.trim().split('\n').map((line) => line.trim().split(/ {2,}/));
	const clients = [...await openMany(mine, 5, '/echo'), ...await openMany(mine, 2, '/app'), await new Client(mine).come('ann')];

	const [head, ...rows] = table(await says('sessions'));
	equal(head, ['SESSION', 'ENDPOINT', 'TRANSPORT', 'ADDRESS', 'STATE', 'AGE', 'HEARD', 'BUFFERED', 'IN', 'OUT', 'USER'], 'the head');
	equal(rows.filter((r) => r.at(-1) === 'ann').map((r) => r[1]), ['/stomp'], 'who is known');
	equal(table(await says('sessions', '--user', 'ann', '--min-messages', '1', '--sort=bytes')).length, 2, 'found by user');
	equal(rows.map((r) => r.slice(1, 5)).sort(), [...Array(2).fill('/app'), ...Array(5).fill('/echo'), '/stomp']
		.map((e) => [e, 'websocket_raw', '127.0.0.1', 'open']), 'the rows');
	const number = rows.find((r) => r[1] === '/echo')[0];
	equal(table(await says('sessions', '--endpoint', '/echo', '--limit=3')).length, 4, 'so many at most');
	equal(table(await says('sessions', '--endpoint=/echo', '--after', number)).length, 5, 'those that come after');
	const json = JSON.parse(await says('--json', 'sessions', '--address', '127.0.0.0/8', '--state', 'open'));
	equal([json.sessions.length, json.count, json.next], [8, 8, null], 'JSON');
	const pages = (await says('sessions', '--json', '--endpoint', '/echo', '--limit', '2')).trim().split('\n').map((l) => JSON.parse(l));
	equal([pages.length, pages[0].sessions.length, pages[0].count], [1, 2, 5], 'a page');

	const one = await says('session', number);
	check(new RegExp(`^session +${number}$`, 'm').test(one) && /^close code +-$/m.test(one) && /^connected now +yes$/m.test(one), one);
	equal(table(one.split('\n\n')[1])[0], ['AT', 'AFTER', 'EVENT', 'TRANSPORT', 'CODE', 'CAUSE'], 'the head of its time line');
	check(/^\S+Z +\S+ +attached +websocket_raw\b/m.test(one) && /^\S+Z +\S+ +opened\b/m.test(one), one);
	equal(JSON.parse(await says('session', number, '--json')).session, Number(number), 'JSON of it');
	equal(await says('close', number, '3005', 'Please come back.'), `session ${number} is being closed\n`, 'closing');
	const closed = () => clients.find((c) => c.closed);
	for (let i = 0; i < 500 && !closed(); i++)
		await sleep(10);
	equal(closed().closed, [3005, 'Please come back.'], 'code and reason');

	equal(table(await says('users')).map((r) => [r[0], r[3]]), [['USER', 'TRANSPORT'], ['ann', 'websocket_raw']], 'users');
	equal(table(await says('users', '--user', 'bob')).length, 1, 'nobody');
	equal(table(await says('endpoints')).slice(1).map((r) => r.slice(0, 3)), [['/stomp', 'stomp', '1'], ['/echo', 'echo', '4'], ['/app', 'upstream', '2'], ['/unruly', 'unruly', '0'], ['/doctor', 'doctor', '0']], 'endpoints');
	const backends = table(await says('backends'));
	equal([backends.length, backends[1][0], backends[1][1], backends[1][2]], [3, '/app', 'up', '2'], 'backends');
	equal(JSON.parse(await says('backends', '--json')).backends.length, 2, 'JSON of them');
	equal(JSON.parse(await says('config')).endpoints.length, 5, 'config');
	equal([await says('log'), await says('log', 'silent'), await says('log')], ['error\n', 'silent\n', 'silent\n'], 'log');

	const fails = async (code, pattern, ...argv) => {
		const answer = await ctl(...argv);
		check(answer.code === code && pattern.test(answer.err) && answer.out === '', `${argv.join(' ')}: ${JSON.stringify(answer)}`);
	};
	await fails(1, /^sockjsd: ctl: refused with 404: There is no such session\.\n$/, 'session', '999999');
	await fails(1, /refused with 400: session must be a number/, 'session', 'x');
	await fails(1, /refused with 400: transport must be one of/, 'sessions', '--transport', 'tube');
	await fails(1, /refused with 400: state is not known here/, 'users', '--state', 'open');
	await fails(2, /--limit is a number/, 'sessions', '--limit', 'many');
	await fails(2, /there is no command 'fly'/, 'fly');
	await fails(2, /too few arguments for 'session'/, 'session');
	await fails(2, /too many arguments for 'drain'/, 'drain', 'now');
	await fails(2, /unknown option '--fast'/, 'drain', '--fast');
	await fails(2, /a value is missing after '--limit'/, 'sessions', '--limit');
	await fails(2, /which command/);
	equal((await run(['sessions'], { command: 'ctl' })).code, 2, 'no server');
	equal((await run(['--api', mine.internal, 'log'], { command: 'ctl', env: { SOCKJSD_TOKEN: 'wrong' } })).code, 1, 'a wrong token');
	equal((await run(['--api', mine.internal, 'log'], { command: 'ctl', env: { SOCKJSD_TOKEN: TOKEN } })).out, 'silent\n', 'a token of the environment');
	equal((await run(['--api', '127.0.0.1:1', '--token-file', join(folder, 'token'), 'log'], { command: 'ctl' })).code, 1, 'nobody there');
	check(/^Usage: sockjsd ctl .*drain/s.test((await run(['--help'], { command: 'ctl' })).out), 'help');

	check(/^draining, \d+ sessions\n$/.test(await says('drain')), 'drain');
	equal(await mine.end(), 0, 'exit code');
});

await suite.test('sockjsd ctl shows nothing to a terminal but text, and survives whatever answers', async () => {
	let answer;
	const fake = createServer((r, a) => r.resume().on('end', () => {
		const text = JSON.stringify(answer);

		a.writeHead(200, { 'Content-Length': Buffer.byteLength(text) }).end(text);
	})).listen(0, '127.0.0.1');
	const ctl = (...argv) => run(['--api', `127.0.0.1:${fake.address().port}`, ...argv], { command: 'ctl', env: { SOCKJSD_TOKEN: TOKEN } });
	const session = { session: 1, name: 'n', transport: 'xhr', address: '::1', subscriptions: 0 };

	await once(fake, 'listening');
	answer = { users: [{ user: 'é\u001b]0;x\u0007\u009b31m\u007f\n', sessions: [session] }], next: null };
	const { out } = await ctl('users');
	check(out.split('\n')[1].startsWith('é?]0;x??31m??  '), JSON.stringify(out));
	check(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(out), JSON.stringify(out));

	const odd = [5, 'x', [5, null, [], {}], [{ session: {}, endpoint: [[1]], limits: 5, age_ms: -5, commands: [5], url: '' }]];
	const commands = [['sessions'], ['users'], ['endpoints'], ['backends'], ['limited'], ['networks'], ['session', '1'], ['log'], ['drain']];
	for (const value of odd) {
		answer = { sessions: value, users: value, endpoints: value, backends: value, addresses: value, networks: value, level: value, next: value, session: value };
		const codes = await Promise.all(commands.map((command) => ctl(...command).then(({ code }) => code)));
		check(codes.every((code) => code === 0 || code === 1), `${JSON.stringify(value)}: ${codes} of ${commands.join(' ')}`);
	}
	fake.close();
}, 60000);

await suite.test('commands that are under way when the server stops do not hold it up', async () => {
	const c = await (await new Client(server).come()).subscribe('/topic/stop');
	const many = { messages: Array.from({ length: 1000 }, () => ({ destination: '/topic/stop', body: 'x'.repeat(500) })) };
	const asked = Array.from({ length: 20 }, () => server.ask('/api/publish', many).then((a) => a.status, () => 0));

	await sleep(30);
	equal(await server.stop(), 0, 'exit code');
	check((await Promise.all(asked)).every((status) => [0, 200, 503].includes(status)), 'answers');
	c.leave();
}, 30000);

await suite.test('with two brokers it must be said which, and without a token there are no commands', async () => {
	const config = configuration();
	config.endpoints.push({ prefix: '/other', application: 'stomp', stomp: { access: 'open' } });
	const two = await new Server().start('two.json', config);

	await two.refuses('publish', { destination: '/topic/a' }, 400, 'wrong_argument', 'endpoint');
	equal(await two.do('publish', { destination: '/topic/a', endpoint: '/other' }), { received: 0 }, 'one of them');
	equal(await two.stop(), 0, 'exit code');

	const closed = await new Server().start('closed.json', configuration({ token_file: null }));
	await closed.refuses('publish', {}, 404, 'disabled', undefined);
	equal((await closed.ask('/api/openapi.json', undefined, { method: 'GET', token: null })).status, 200, 'the description');
	equal(await closed.stop(), 0, 'exit code');

	const none = configuration();
	none.endpoints.shift();
	none.listen.pop();
	const echo = await new Server().start('echo.json', none);
	await echo.refuses('publish', {}, 404, 'no_command', undefined);
	equal(await echo.stop(), 0, 'exit code');
});

await testUnruly({ suite, Server, configuration });
await testOperators({ suite, Server, configuration, run, folder, program, token: TOKEN });
suite.finish();
