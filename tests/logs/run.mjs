#!/usr/bin/env node
/*
 * run.mjs - logs of sessions and of requests: what stands in them and what must not, rotation, a
 * disk that is full.
 *
 *	run.mjs --server ./sockjsd [--only REGEXP]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import SockJS from 'sockjs-client';
import WebSocket, { WebSocketServer } from 'ws';
import { check, equal, patient, readArguments, Suite, withDeadline } from '../e2e/harness.mjs';

const args = readArguments(['server', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'logs-'));
const program = args.server ?? './sockjsd';
const TOKEN = 'correct-horse-battery';
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

process.setMaxListeners(50);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* --- a server, and its files -------------------------------------------------------- */

class Server {
	async start(name, more, delay = 60000) {
		const config = { listen: ['127.0.0.1:0'], threads: 2, log_level: 'info', shutdown_timeout_ms: 500,
			internal: { listen: '127.0.0.1:0' },
			endpoints: [{ prefix: '/echo', application: 'echo', allowed_origins: ['https://page.example'], disconnect_delay_ms: delay }], ...more };

		this.name = name;
		writeFileSync(join(folder, `${name}.json`), JSON.stringify(config));
		this.log = [];
		this.child = spawn(program, ['-c', join(folder, `${name}.json`)], { stdio: ['ignore', 'pipe', 'pipe'] });
		createInterface({ input: this.child.stderr }).on('line', (line) => this.log.push(line));
		process.on('exit', () => this.child.kill('SIGKILL'));
		await withDeadline(new Promise((resolve, reject) => {
			this.child.on('exit', () => reject(new Error(`the server ended early: ${this.log.join('\n')}`)));
			createInterface({ input: this.child.stdout }).on('line', (line) => {
				this.url ??= /^listening on http(:\S+)/.exec(line)?.[1];
				this.internal = /^internal on (\S+)/.exec(line)?.[1];
				if (this.internal)
					resolve();
			});
		}), 20000, 'the server says where it listens');
		return this;
	}

	path(file) {
		return join(folder, file);
	}

	lines(file) {
		const path = this.path(file);

		return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
	}

	/* The lines of a file, once there are so many. */
	async has(file, count) {
		for (let waited = 0; this.lines(file).length < count && waited < patient(15000); waited += 20)
			await sleep(20);
		const lines = this.lines(file);
		check(lines.length >= count, `${count} lines in ${file}: ${lines.join('\n')}`);
		return lines;
	}

	async says(pattern) {
		for (let waited = 0; !this.log.some((l) => pattern.test(l)) && waited < patient(15000); waited += 20)
			await sleep(20);
		return check(this.log.some((l) => pattern.test(l)), `${pattern} in ${this.log.join('\n')}`);
	}

	ask(path, { method = 'GET', body = '', headers = {} } = {}) {
		return withDeadline(new Promise((resolve, reject) => {
			const r = request(`http${this.url}${path}`, { method, headers, agent: false }, (answer) => {
				let text = '';

				answer.setEncoding('utf8').on('data', (d) => { text += d; }).on('end', () => resolve({ status: answer.statusCode, text }));
			});

			r.on('error', reject);
			r.end(body);
		}), 15000, `an answer to ${path}`);
	}

	async metric(name) {
		const text = await (await fetch(`${this.internal}/metrics`)).text();

		return Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\d+)$`, 'm').exec(text)?.[1]);
	}

	async stop() {
		this.child.removeAllListeners('exit');
		this.child.kill('SIGTERM');
		if (this.child.exitCode === null)
			await withDeadline(once(this.child, 'exit'), 15000, 'the server ends');
		equal(this.child.exitCode, 0, 'exit code');
	}
}

async function open(server, path, options) {
	const socket = new WebSocket(`ws${server.url}${path}`, options);

	await withDeadline(once(socket, 'open'), 15000, `${path} opens`);
	return socket;
}

/* Fields of a line as text. */
const fieldsOf = (line) => Object.fromEntries([...line.matchAll(/ (\w+)=("(?:[^"\\]|\\.)*"|\S+)/g)]
	.map(([, key, value]) => [key, value.startsWith('"') ? JSON.parse(value) : Number(value)]));

/* --- sessions ------------------------------------------------------------------------ */

await suite.test('a session has a line when it has ended, with how it went and why it is over', async () => {
	const server = await new Server().start('sessions', { session_log: { file: 'sessions.log' } });
	const socket = await open(server, '/echo/websocket', { headers: { Origin: 'https://page.example', 'User-Agent': 'Test/1' } });

	socket.send('hello');
	await withDeadline(once(socket, 'message'), 15000, 'the echo');
	equal(server.lines('sessions.log'), [], 'not before');
	socket.close(4001, 'I go');
	const [line] = await server.has('sessions.log', 1);
	const f = fieldsOf(line);
	check(/^\d{4}-\d\d-\d\dT[\d:.]+Z info {2}session ended session=1 began=/.test(line), line);
	equal([f.endpoint, f.address, f.transport, f.transports, f.tried_before], ['/echo', '127.0.0.1', 'websocket_raw', 'websocket_raw', ''], 'what');
	equal([f.messages_in, f.bytes_in, f.messages_out, f.bytes_out], [1, 5, 1, 5], 'counts');
	equal([f.code, f.cause, f.reason, f.heard], [4001, 'client', 'I go', 1], 'why');
	equal([f.origin, f.user_agent], ['https://page.example', 'Test/1'], 'from where');
	check(Math.abs(Date.parse(f.began) - Date.now()) < 60000 && f.duration_ms >= 0, f.began);
	const polling = await open(server, '/echo/000/s/websocket');
	polling.terminate();
	equal(fieldsOf((await server.has('sessions.log', 2))[1]).cause, 'broken', 'one that broke');
	await open(server, '/echo/websocket');
	await server.stop();
	equal(fieldsOf(server.lines('sessions.log')[2]).cause, 'stop', 'one that the server has closed as it stopped');
});

await suite.test('who falls back to another transport is seen, in the log and in the metrics', async () => {
	const server = await new Server().start('fallback', { session_log: { file: 'fallback.log', format: 'json' } }, 300);
	const headers = { 'User-Agent': 'Browser/7' };
	const failed = await open(server, '/echo/000/one/websocket', { headers });

	failed.terminate();
	await server.has('fallback.log', 1);
	equal((await server.ask('/echo/000/two/xhr', { method: 'POST', headers })).text, 'o\n', 'it opens');
	equal((await server.ask('/echo/000/three/xhr', { method: 'POST', headers: { 'User-Agent': 'Another' } })).text, 'o\n', 'another');
	const lines = (await server.has('fallback.log', 3)).map((l) => JSON.parse(l));
	const of = (agent, transport) => lines.find((l) => l.user_agent === agent && l.transport === transport);
	equal([of('Browser/7', 'xhr').tried_before, of('Another', 'xhr').tried_before, of('Browser/7', 'websocket').tried_before], ['websocket', '', ''], 'what was tried');
	equal([of('Browser/7', 'xhr').message, of('Browser/7', 'xhr').cause], ['session ended', 'away'], 'it did not come back');
	await server.stop();
});

await suite.test('nothing that a client says forges a line', async () => {
	const server = await new Server().start('forged', { session_log: { file: 'forged.log' }, access_log: { file: 'forged-access.log' } });
	const evil = 'a" code=1 x="\\" \u001b[31m';
	const raw = (text) => withDeadline(new Promise((resolve) => {
		const socket = connect(Number(server.url.split(':').at(-1)), '127.0.0.1', () => socket.end(text));

		socket.on('close', resolve).on('error', resolve).resume();
	}), 15000, 'an answer');
	const socket = await open(server, '/echo/websocket');

	socket.close(4000, 'x" code=7\ncause="client\u2028');
	const [line] = await server.has('forged.log', 1);
	equal([fieldsOf(line).code, fieldsOf(line).cause], [4000, 'client'], line);
	equal(server.lines('forged.log').length, 1, 'one line');
	await server.ask(`/no/${encodeURIComponent(evil)}?${encodeURIComponent(evil)}`);
	await raw('GET /a"b\\c HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\x80"\\\r\nConnection: close\r\n\r\n');
	await raw('\x16\x03\x01 nonsense\r\n\r\n');
	await raw('GET /\x1b[31m HTTP/1.1\r\n\r\n');
	const lines = await server.has('forged-access.log', 5);
	const form = /^[\d.]+ - - \[[^\]]+\] "[\x20-\x21\x23-\x7e]*" \d{3} \d+ "[\x20-\x21\x23-\x7e]*" "[\x20-\x21\x23-\x7e]*" \d+\.\d{3} "[\x20-\x21\x23-\x7e]*" \S+( aborted)?$/;
	check(lines.every((l) => form.test(l)), lines.filter((l) => !form.test(l)).join('\n'));
	equal(lines.length, 5, lines.join('\n'));
	await server.stop();
});

/* --- requests ------------------------------------------------------------------------ */

const parse = (line) => {
	const m = /^(\S+) - - \[([^\]]+)\] "([^"]*)" (\d+) (\d+) "([^"]*)" "([^"]*)" (\d+\.\d+) "([^"]*)" (\S+)( aborted)?$/.exec(line);

	check(m, line);
	return { address: m[1], request: m[3], status: Number(m[4]), octets: Number(m[5]), referer: m[6], agent: m[7], id: m[9], refusal: m[10], aborted: !!m[11] };
};

await suite.test('a request has a line in the combined format, without secrets', async () => {
	const server = await new Server().start('access', { access_log: { file: 'access.log' }, trusted_proxies: ['127.0.0.1'],
		internal: { listen: '127.0.0.1:0', token: TOKEN } });
	const one = async (path, options, n) => {
		const answer = await server.ask(path, options);
		return [answer, parse((await server.has('access.log', n))[n - 1])];
	};
	let [answer, line] = await one('/echo/info?t=1&access_token=SECRET&flag', { headers: { 'X-Forwarded-For': '203.0.113.9', 'X-Request-ID': 'r-17',
		Referer: 'https://page.example/a?key=SECRET', 'User-Agent': 'A "b"' } }, 1);
	equal([line.address, line.request, line.status, line.octets], ['203.0.113.9', 'GET /echo/info?t=...&access_token=...&... HTTP/1.1', 200, answer.text.length], 'the line');
	equal([line.referer, line.agent, line.id, line.refusal], ['https://page.example/a', 'A \\x22b\\x22', 'r-17', '-'], 'the rest');
	[answer, line] = await one('/echo/000/SECRET/xhr', { method: 'POST', headers: { Origin: 'https://page.example' } }, 2);
	check(/^POST \/echo\/000\/~[0-9a-f]{8}\/xhr HTTP\/1\.1$/.test(line.request), line.request);
	const digest = line.request;
	[, line] = await one('/echo/000/SECRET/xhr_send', { method: 'POST', body: '["x"]', headers: { Origin: 'https://page.example' } }, 3);
	equal([line.status, line.request.split('/')[3]], [204, digest.split('/')[3]], 'the same session is found by its digest');
	[, line] = await one('/echo/000/SECRET/xhr', { method: 'POST', headers: { Origin: 'https://evil.example' } }, 4);
	equal([line.status, line.refusal], [403, 'origin'], 'why it was refused');
	[, line] = await one('/echo/000/OTHER/xhr_send', { method: 'POST', body: '["x"]' }, 5);
	equal([line.status, line.refusal], [404, 'no_session'], 'likewise');
	const socket = await open(server, '/echo/000/SECRET2/websocket?token=SECRET');
	line = parse((await server.has('access.log', 6))[5]);
	check(/^GET \/echo\/000\/~[0-9a-f]{8}\/websocket\?token=\.\.\. HTTP\/1\.1$/.test(line.request) && line.status === 101, JSON.stringify(line));
	socket.terminate();
	await (await fetch(`${server.internal}/api/log`, { method: 'POST', headers: { Authorization: `Bearer ${TOKEN}` } })).text();
	line = parse((await server.has('access.log', 7))[6]);
	equal([line.request, line.status], ['POST /api/log HTTP/1.1', 200], 'a command');
	/* Refused before anybody has read the target. */
	await withDeadline(new Promise((resolve) => connect(Number(server.url.split(':').at(-1)), '127.0.0.1')
		.on('close', resolve).on('error', () => {}).resume()
		.end('GET /echo/info?token=SECRET HTTP/1.1\r\n\r\n')), 10000, 'an answer');
	line = parse((await server.has('access.log', 8))[7]);
	equal([line.request, line.status], ['GET /echo/info?token=... HTTP/1.1', 400], 'no host');
	equal(server.lines('access.log').filter((l) => /SECRET|OTHER/.test(l)), [], 'no secret');
	await server.stop();
});

await suite.test('an answer that takes long has its line when it ends, also one that is broken off', async () => {
	const server = await new Server().start('long', { access_log: { file: 'long.log', format: 'json' } });
	const client = (path) => new Promise((resolve, reject) => {
		const r = request(`http${server.url}${path}`, { method: 'POST', agent: false }, (answer) => answer.once('data', () => resolve(r)));

		r.on('error', reject).end();
	});
	const stream = await client('/echo/000/a/xhr_streaming');

	equal(server.lines('long.log'), [], 'not before');
	stream.on('error', () => {}).destroy();
	const first = JSON.parse((await server.has('long.log', 1))[0]);
	equal([first.target.replace(/~\w+/, '~'), first.status, first.aborted], ['/echo/000/~/xhr_streaming', 200, 1], 'a stream');
	equal((await server.ask('/echo/000/b/xhr', { method: 'POST' })).text, 'o\n', 'it opens');
	const poll = request(`http${server.url}/echo/000/b/xhr`, { method: 'POST', agent: false }).on('error', () => {});
	poll.end();
	for (let waited = 0; await server.metric('sockjs_receivers') < 1 && waited < patient(15000); waited += 20)
		await sleep(20);
	poll.destroy();
	const polls = () => server.lines('long.log').map((l) => JSON.parse(l)).filter((l) => l.target.endsWith('/xhr'));
	for (let waited = 0; polls().length < 2 && waited < patient(15000); waited += 20)
		await sleep(20);
	equal(polls().map((l) => [l.status, l.aborted, l.octets]), [[200, 0, 2], [499, 1, 0]], 'a poll that was answered by nothing');
	await server.stop();
});

await suite.test('every request of sockjs-client is there, also those that are recognised', async () => {
	const server = await new Server().start('client', { access_log: { file: 'client.log' } });
	const socket = new SockJS(`http${server.url}/echo`, null, { transports: ['xhr-polling'] });
	let heard = 0;

	await withDeadline(new Promise((resolve) => { socket.onopen = resolve; }), 15000, 'it opens');
	await withDeadline(new Promise((resolve) => {
		socket.onmessage = () => { if (++heard < 20) socket.send('x'); else resolve(); };
		socket.send('x');
	}), 20000, 'the echoes');
	socket.close();
	const requests = await server.metric('sockjs_http_requests_total');
	check(requests > 40, `${requests} requests`);
	for (let waited = 0; server.lines('client.log').filter((l) => l.includes('/xhr_send ')).length < 20 && waited < patient(15000); waited += 50)
		await sleep(50);
	equal(server.lines('client.log').filter((l) => l.includes('/xhr_send ')).length, 20, 'messages');
	check(server.lines('client.log').filter((l) => / "POST \S+\/xhr HTTP/.test(l)).length >= 20, 'polls');
	await server.stop();
});

await suite.test('a web socket that waits for its backend has the status that it got', async () => {
	const backend = new WebSocketServer({ host: '127.0.0.1', port: 0, verifyClient: ({ req }, done) => done(!req.url.includes('no'), 403) });
	await once(backend, 'listening');
	const url = (path) => `ws://127.0.0.1:${backend.address().port}/${path}`;
	const server = await new Server().start('gateway', { access_log: { file: 'gateway.log' }, endpoints: [
		{ prefix: '/yes', application: 'upstream', upstream: { url: url('yes') } }, { prefix: '/no', application: 'upstream', upstream: { url: url('no') } }] });
	const socket = await open(server, '/yes/websocket');
	equal(parse((await server.has('gateway.log', 1))[0]).status, 101, 'one that was let in');
	const refused = new WebSocket(`ws${server.url}/no/websocket`);
	refused.on('error', () => {});
	equal(parse((await server.has('gateway.log', 2))[1]).status, 403, 'one that was not');
	socket.terminate();
	await server.stop();
	backend.close();
});

/* --- files --------------------------------------------------------------------------- */

await suite.test('SIGUSR1 opens the files anew, and no line is lost on the way', async () => {
	const server = await new Server().start('rotated', { access_log: { file: 'rotated.log' } });

	for (let i = 0; i < 5; i++)
		await server.ask(`/before/${i}`);
	await server.has('rotated.log', 5);
	renameSync(server.path('rotated.log'), server.path('rotated.log.1'));
	await server.ask('/between');
	server.child.kill('SIGUSR1');
	await server.says(/a log was opened anew file=".*rotated\.log"/);
	await server.ask('/after');
	const after = await server.has('rotated.log', 1);
	const all = [...server.lines('rotated.log.1'), ...after].map((l) => parse(l).request.split(' ')[1]);
	equal(all, ['/before/0', '/before/1', '/before/2', '/before/3', '/before/4', '/between', '/after'], 'all lines');
	await server.stop();
});

await suite.test('a disk that is full costs lines, which are counted, and says so once', async () => {
	symlinkSync('/dev/full', join(folder, 'full.log'));
	const server = await new Server().start('full', { access_log: { file: 'full.log' } });

	for (let i = 0; i < 3; i++) {
		equal((await server.ask('/echo/info')).status, 200, 'it serves all the same');
		for (let waited = 0; await server.metric('sockjs_log_lines_dropped_total{log="access"}') < i + 1 && waited < patient(15000); waited += 50)
			await sleep(50);
	}
	equal(server.log.filter((l) => l.includes('a log cannot be written')).length, 1, 'said once');
	rmSync(join(folder, 'full.log'));
	server.child.kill('SIGUSR1');
	await server.says(/a log was opened anew/);
	await server.ask('/echo/info');
	await server.says(/a log can be written again .*lost=\d+/);
	check(server.lines('full.log').length >= 1, 'it works again');
	await server.stop();
});

await suite.test('a file that cannot be opened is said at the start, and with -: they are on standard error', async () => {
	const failed = await new Server().start('nowhere', { session_log: { file: 'no/such/folder/s.log' } }).then(() => null, (e) => e.message);

	check(/session_log\.file: cannot open .*no\/such\/folder\/s\.log: No such file/.test(failed), failed);
	const server = await new Server().start('stderr', { access_log: { file: '-' }, session_log: { file: '-', format: 'json' } });
	(await open(server, '/echo/websocket')).close();
	await server.says(/"GET \/echo\/websocket HTTP\/1\.1" 101 0 /);
	await server.says(/"message":"session ended"/);
	await server.stop();
});

await suite.test('for the journal a line begins with its priority, and for nobody else', async () => {
	const out = join(folder, 'journal');

	for (const [name, says, begins] of [['to it', (st) => `${st.dev}:${st.ino}`, /^<6>\d{4}-/], ['elsewhere', (st) => `${st.dev}:${st.ino + 1}`, /^\d{4}-/]]) {
		const file = openSync(out, 'w');
		writeFileSync(join(folder, 'journal.json'), JSON.stringify({ listen: ['127.0.0.1:0'], endpoints: [{ prefix: '/echo', application: 'echo' }] }));
		const child = spawn(program, ['-c', join(folder, 'journal.json')], { stdio: ['ignore', 'pipe', file], env: { ...process.env, JOURNAL_STREAM: says(fstatSync(file)) } });
		const ended = once(child, 'exit');
		await withDeadline(once(child.stdout, 'data'), 20000, 'it listens');
		child.kill('SIGUSR1'); /* a line */
		child.kill('SIGTERM');
		await withDeadline(ended, 15000, 'it ends');
		closeSync(file);
		const lines = readFileSync(out, 'utf8').split('\n').slice(0, -1);
		check(lines.length > 1 && lines.every((l) => begins.test(l) || (name === 'to it' && /^<4>\d{4}-\S+ warn/.test(l))), `${name}: ${lines.join('\n')}`);
	}
});

suite.finish();
