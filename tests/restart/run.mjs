#!/usr/bin/env node
/*
 * run.mjs - another process goes on in the midst of everything, and clients notice nothing; what comes to nothing
 * changes nothing.
 *
 *	run.mjs --server ./sockjsd [--threads N] [--only REGEXP]
 *
 * What thousands of sessions make of it: tests/handover.c.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { check, equal, readArguments, Suite, withDeadline } from '../e2e/harness.mjs';
import { ask, Poller, Raw, TOKEN, until } from '../reload/gateway.mjs';
import { Restarting } from './restarting.mjs';
import { frame, get, handshake, post, Wire } from './wire.mjs';

const args = readArguments(['server', 'threads', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'restart-'));
const program = args.server ?? './sockjsd';
const threads = Number(args.threads ?? 2);
const heir = join(dirname(fileURLToPath(import.meta.url)), 'heir.py');
const MEGABYTES = 4 << 20;

process.setMaxListeners(100);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const echo = (more) => ({ prefix: '/echo', application: 'echo', send_buffer_bytes: 64 << 20, max_message_bytes: 64 << 20, max_body_bytes: 64 << 20, ...more });
const plain = (more = {}) => ({
	listen: ['127.0.0.1:0'], threads, log_level: 'info', shutdown_timeout_ms: 300, internal: { listen: '127.0.0.1:0', token: TOKEN },
	endpoints: [echo()], ...more,
});
let names = 0;
const start = (config = plain(), env = {}, of = program) => new Restarting(of, folder, `g${names++}`).start(config, env);

/* All processes have ended as they should; `odd` are those of whom that is not expected. */
async function finish(gateway, odd = []) {
	equal(await gateway.stop(), 0, 'exit code');
	const others = [...gateway.ended].filter(([pid, code]) => code !== 0 && !odd.includes(pid));

	gateway.leave();
	equal(others, [], 'processes that did not end well');
	equal(gateway.log.filter((l) => /Sanitizer|runtime error/.test(l)), [], 'nothing is said by a sanitizer');
}

/* Sessions of several kinds, and whether they go on. */
class Company {
	constructor(gateway) { this.gateway = gateway; }

	async open() {
		const { port } = this.gateway, stream = Wire.to(port).write(post('/echo/1/s/xhr_streaming', ''));

		this.raw = await new Raw(port, '/echo').open();
		this.poller = await new Poller(port, '/echo').open();
		await stream.through('\r\n\r\n');
		await stream.chunk('a prelude');
		equal(await stream.chunk(), 'o\n', 'the open frame of a stream');
		this.stream = stream;
		this.kept = Wire.to(port);
		await this.goesOn('at the start');
		return this;
	}

	async goesOn(when) {
		this.kept.write(post('/echo/1/s/xhr_send', JSON.stringify([when])));
		equal((await this.kept.answer()).status, 204, `a send by a connection that is kept, ${when}`);
		equal(await this.stream.chunk(), `a${JSON.stringify([when])}\n`, `a stream ${when}`);
		equal(await this.raw.echo(when), when, `a WebSocket ${when}`);
		equal((await this.poller.echo(when)).body, `a${JSON.stringify([when])}\n`, `a poll ${when}`);
	}

	leave() {
		for (const w of [this.stream, this.kept])
			w.close();
		this.raw.end();
	}
}

/* --- how it is asked for ------------------------------------------------------------------------ */

for (const how of ['signal', 'restart', 'ctl'])
	await suite.test(`sessions go on in another process, and in the next one (${how})`, async () => {
		const g = await start(), company = await new Company(g).open(), { port, internal } = g;

		for (let i = 0; i < 3; i++) {
			const before = g.pid;

			await g[how]();
			check(g.pid !== before, 'it is another process');
			equal(await g.end(before), 0, 'exit code of the old one');
			equal([Number(/:(\d+)$/.exec(g.urls[0])[1]), g.internal], [port, internal], 'where it listens');
			await company.goesOn(`after restart ${i + 1}`);
			equal((await ask(port, 'GET', '/echo/info')).status, 200, 'who is new is served');
			equal(await g.metric('sockjs_sessions'), 3, 'sessions');
		}
		company.leave();
		await finish(g);
	});

await suite.test('the command is for those who may', async () => {
	const g = await start(), { pid } = g;

	equal((await g.command('restart', {}, 'guess')).status, 401, 'with another token');
	equal(g.pid, pid, 'nothing has happened');
	await finish(g);
});

await suite.test('of two that come together one is refused', async () => {
	const g = await start(), company = await new Company(g).open(), before = g.served, old = g.pid;
	const answers = await Promise.all([g.command('restart'), g.command('restart'), g.command('restart')]);
	const done = answers.filter(({ status }) => status === 200);

	equal(answers.map(({ status }) => status).sort(), [200, 409, 409], 'answers');
	equal(answers.find(({ status }) => status === 409).json.error.code, 'in_progress', 'code');
	g.pid = done[0].json.pid;
	await until(() => g.served > before, 'the new process serves');
	equal(await g.end(old), 0, 'exit code of the old process');
	await company.goesOn('afterwards');
	company.leave();
	await finish(g);
});

await suite.test('one that drains is not restarted', async () => {
	const g = await start(plain({ drain_ms: 2000 })), sessions = await Promise.all([...Array(10)].map(() => new Raw(g.port, '/echo').open())), { pid } = g;

	equal((await g.command('drain')).status, 200, 'drain');
	check([503, 409].includes((await g.command('restart')).status), 'it is refused');
	g.kill('SIGUSR2');
	await until(() => sessions.every((s) => s.closed), 'all sessions are closed');
	equal(sessions.flatMap((s) => s.frames).filter((f) => f !== 'close 1001' && f !== 'close 1012'), [], 'and in due form');
	equal(await g.end(pid), 0, 'exit code');
	equal([...g.ended.values()].filter((code) => code !== 0), [], 'others');
	g.leave();
});

await suite.test('it stops when it is told to, right after a restart and in the midst of one', async () => {
	for (const again of [false, true]) {
		const g = await start(), session = await new Raw(g.port, '/echo').open(), first = g.pid;

		if (again)
			g.kill('SIGUSR2');
		else
			await g.signal();
		process.kill(g.pid, 'SIGTERM');
		await until(() => session.closed, 'the session ends');
		equal(session.frames.filter((f) => !/^close 1001$|^close 1012$/.test(f)), [], 'and in due form');
		await g.end(first);
		await until(() => g.ended.size === (again ? g.ended.size : 2), 'all processes end');
		equal([...g.ended.values()].filter((code) => code !== 0 && !again), [], 'exit codes');
		equal(g.ended.get(first), 0, 'exit code of the first');
		equal(g.log.filter((l) => /Sanitizer|runtime error/.test(l)), [], 'nothing is said by a sanitizer');
		g.leave();
	}
});

await suite.test('a service manager hears which process it is now', async () => {
	const path = join(folder, 'notify'), g = await start(plain(), { NOTIFY_PATH: path }), old = g.pid;

	await until(() => g.notified.find(([pid, t]) => pid === old && /READY=1/.test(t)), 'it is ready');
	await g.restart();
	const main = await until(() => g.notified.find(([, t]) => /MAINPID=/.test(t)), 'another process is the main one');

	check(new RegExp(`MAINPID=${g.pid}\\b`).test(main[1]), `${main[1]} names ${g.pid}`);
	equal(main[0], old, 'the old process says so: nobody else may');
	await g.end(old);
	const next = g.pid;

	await g.restart();
	await until(() => g.notified.find(([pid, t]) => pid === next && t.includes(`MAINPID=${g.pid}`)), 'and again');
	await finish(g);
});

/* --- what comes to nothing ---------------------------------------------------------------------- */

await suite.test('a configuration that is wrong changes nothing, and one that is right is taken then', async () => {
	const g = await start(), company = await new Company(g).open(), odd = [];

	for (const wrong of ['{', plain({ treads: 2 }), plain({ listen: [{ address: '127.0.0.1:0', tls: { certificate: '/nowhere', key: '/nowhere' } }] })]) {
		g.write(wrong);
		await g.fails(/new process/i);
		await company.goesOn('afterwards');
	}
	odd.push(...g.ended.keys());
	await g.restart(plain());
	await company.goesOn('in the end');
	company.leave();
	await finish(g, odd);
});

await suite.test('an address that is taken by somebody else changes nothing', async () => {
	const other = await start(), g = await start(), company = await new Company(g).open();

	g.write(plain({ listen: ['127.0.0.1:0', `127.0.0.1:${other.port}`] }));
	await g.fails(/./);
	await company.goesOn('afterwards');
	company.leave();
	await finish(g, [...g.ended.keys()]);
	await finish(other);
});

/* A program of its own that can be taken away. */
function copied() {
	const to = join(folder, `copy${names++}`);

	copyFileSync(program, to);
	chmodSync(to, 0o755);
	return to;
}

/* In its place: a script. */
function replace(file, script) {
	writeFileSync(`${file}.new`, script, { mode: 0o755 });
	renameSync(`${file}.new`, file);
}

await suite.test('a program that is not there changes nothing', async () => {
	const copy = copied(), g = await start(plain(), {}, copy), company = await new Company(g).open();

	rmSync(copy);
	await g.fails(/No such file/);
	await company.goesOn('afterwards');
	copyFileSync(program, copy);
	await g.restart();
	await company.goesOn('with a new one');
	company.leave();
	await finish(g, [...g.ended.keys()]);
});

for (const [how, why] of [['fails', /has ended|ended/], ['refuses', /I do not like this\./], ['dies with all', /has ended/],
	['refuses all', /I cannot go on with this\./], ['says nonsense', /odd|nonsense|ended|not/]])
	await suite.test(`a program that ${how} changes nothing`, async () => {
		const copy = copied(), g = await start(plain(), {}, copy), company = await new Company(g).open();

		replace(copy, `#!/bin/sh\nexec python3 '${heir}' '${how}'\n`);
		for (let i = 0; i < 2; i++) {
			await g.fails(why);
			await company.goesOn('afterwards');
			equal(await g.metric('sockjs_sessions'), 3, 'sessions');
		}
		const odd = [...g.ended.keys()];

		copyFileSync(program, `${copy}.new`);
		renameSync(`${copy}.new`, copy);
		await g.restart();
		await company.goesOn('in the end');
		company.leave();
		await finish(g, odd);
	});

await suite.test('a program that hangs before it is ready holds up nobody', async () => {
	const copy = copied(), g = await start(plain(), {}, copy), company = await new Company(g).open();

	replace(copy, `#!/bin/sh\nexec python3 '${heir}' hangs\n`);
	const failing = g.fails(/ended/);
	const [pid] = await until(() => g.heirs.length > 0 && g.heirs, 'it is there');

	await company.goesOn('meanwhile');
	equal((await g.command('restart')).status, 409, 'another restart');
	process.kill(pid, 'SIGKILL');
	await failing;
	await company.goesOn('afterwards');
	company.leave();
	await finish(g, [pid]);
});

await suite.test('a program that hangs with everything holds up everybody for some seconds, no longer', async () => {
	const copy = copied(), g = await start(plain({ limits: { idle_timeout_ms: 60000 }, endpoints: [echo({ heartbeat_delay_ms: 60000, disconnect_delay_ms: 60000, networks: { adapt: false } })] }), {}, copy), company = await new Company(g).open();

	replace(copy, `#!/bin/sh\nexec python3 '${heir}' 'hangs with all'\n`);
	const failing = g.fails(/too long/);
	const [pid] = await until(() => g.heirs.length > 0 && g.heirs, 'it is there');

	await failing;
	await company.goesOn('afterwards');
	company.leave();
	try {
		process.kill(pid, 'SIGKILL');
	} catch { /* it was ended */ }
	await finish(g, [pid]);
}, 60000);

/* --- another configuration ------------------------------------------------------------------------ */

await suite.test('the number of threads may be another one, both ways', async () => {
	const g = await start(plain({ threads: 1 })), company = await new Company(g).open();
	const sockets = await Promise.all([...Array(50)].map(() => new Raw(g.port, '/echo').open()));

	for (const n of [4, 2, 1, 3]) {
		await g.restart(plain({ threads: n }));
		equal(await g.metric('sockjs_threads'), n, 'threads');
		await company.goesOn(`with ${n}`);
		for (const [i, s] of sockets.entries())
			equal(await s.echo(`${n} ${i}`), `${n} ${i}`, 'each of many');
		equal((await Promise.all([...Array(20)].map(() => ask(g.port, 'GET', '/echo/info')))).filter((a) => a.status !== 200), [], 'new ones');
	}
	for (const s of sockets)
		s.end();
	company.leave();
	await finish(g);
});

await suite.test('an address may come, and go: who came by it goes on', async () => {
	const path = join(folder, 'come'), g = await start(plain({ listen: ['127.0.0.1:0', `unix:${path}`] }));
	const company = await new Company(g).open(), local = await new Raw(0, '/echo', {}, connect(path)).open();

	await g.restart(plain());
	await company.goesOn('at the other address');
	equal(await local.echo('x'), 'x', 'who came by an address that is gone');
	await until(() => !existsSync(path), 'its file is gone');
	await g.restart(plain({ listen: ['127.0.0.1:0', `unix:${path}`] }));
	const late = await new Raw(0, '/echo', {}, connect(path)).open();

	equal([await local.echo('y'), await late.echo('z')], ['y', 'z'], 'old and new');
	company.leave();
	local.end();
	late.end();
	await finish(g);
	check(!existsSync(path), 'the file is gone at the end');
});

await suite.test('nobody is refused at a TCP address or a unix socket meanwhile', async () => {
	const path = join(folder, 'busy'), g = await start(plain({ listen: ['127.0.0.1:0', `unix:${path}`] }));
	const count = { answered: 0 };
	let goesOn = true;

	async function visitor(to) {
		while (goesOn) {
			const { status } = await ask(g.port, 'GET', '/echo/info', { socket: to() }).catch((e) => ({ status: e.code ?? e.message }));

			count[status === 200 ? 'answered' : status] = (count[status === 200 ? 'answered' : status] ?? 0) + 1;
		}
	}
	const visitors = [...Array(6)].map((_, i) => visitor(i % 2 ? () => connect(path) : () => connect(g.port, '127.0.0.1')));

	for (let i = 0; i < 5; i++) {
		const seen = count.answered;

		await g.restart();
		await until(() => count.answered > seen + 50, 'visitors are answered');
	}
	goesOn = false;
	await Promise.all(visitors);
	equal(Object.keys(count), ['answered'], `what they got: ${JSON.stringify(count)}`);
	await finish(g);
});

await suite.test('what is configured otherwise holds then; sessions of an endpoint that is gone end', async () => {
	const g = await start(plain({ endpoints: [echo(), echo({ prefix: '/other' })] }));
	const company = await new Company(g).open(), other = await new Raw(g.port, '/other').open();

	await g.restart(plain({ endpoints: [echo({ heartbeat_delay_ms: 300 }), { prefix: '/new', application: 'echo' }] }));
	await until(() => other.closed, 'the session of the endpoint that is gone ends');
	equal((await ask(g.port, 'GET', '/new/info')).status, 200, 'the new endpoint');
	equal((await ask(g.port, 'GET', '/other/info')).status, 404, 'the one that is gone');
	await company.goesOn('afterwards');
	equal(await company.stream.chunk('a heartbeat'), 'h\n', 'a heartbeat at its new pace');
	company.leave();
	await finish(g);
});

await suite.test('who has given up its rights restarts without them', async () => {
	if (process.getuid() !== 0)
		return;
	chmodSync(folder, 0o755);
	const g = await start(plain({ user: 'nobody', group: 'nogroup' })), company = await new Company(g).open();

	for (let i = 0; i < 2; i++) {
		await g.restart();
		await company.goesOn(`after restart ${i + 1}`);
	}
	company.leave();
	await finish(g);
});

/* --- in the midst of it --------------------------------------------------------------------------- */

/* With restarts between the parts of what is said. */
async function inParts(g, wire, parts) {
	for (const [i, part] of parts.entries()) {
		if (i > 0)
			await g.restart();
		wire.write(part);
	}
}

/* Where to cut. */
const cut = (text, ...at) => [0, ...at].map((from, i) => text.slice(from, at[i]));

await suite.test('a request is half there: in its line, its headers, its body', async () => {
	const g = await start(), poller = await new Poller(g.port, '/echo').open(), wire = Wire.to(g.port);
	const body = JSON.stringify(['half', 'whole']), request = post(`${poller.path}/xhr_send`, body);
	const waiting = poller.poll();

	await inParts(g, wire, cut(request, 3, 20, request.indexOf('Content-L') + 5, request.length - body.length - 2,
		request.length - body.length + 4, request.length - 1));
	equal((await wire.answer()).status, 204, 'its answer');
	equal((await waiting).body, 'a["half","whole"]\n', 'what it has brought, to a poll that has waited since before all this');
	wire.close();
	await finish(g);
});

await suite.test('a body in chunks is half there', async () => {
	const g = await start(), poller = await new Poller(g.port, '/echo').open(), wire = Wire.to(g.port);
	const request = `POST ${poller.path}/xhr_send HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n["abc\r\n3\r\nd"]\r\n0\r\n\r\n`;
	const body = request.indexOf('\r\n\r\n') + 4;

	await inParts(g, wire, cut(request, body + 1, body + 5, body + 9, body + 15, request.length - 2));
	equal((await wire.answer()).status, 204, 'its answer');
	equal((await poller.poll()).body, 'a["abcd"]\n', 'what it has brought');
	wire.close();
	await finish(g);
});

await suite.test('a large body is half there', async () => {
	const g = await start(), poller = await new Poller(g.port, '/echo').open(), wire = Wire.to(g.port);
	const text = 'x'.repeat(MEGABYTES), request = post(`${poller.path}/xhr_send`, JSON.stringify([text]));

	await inParts(g, wire, cut(request, 1 << 20, 3 << 20));
	equal((await wire.answer()).status, 204, 'its answer');
	check((await poller.poll()).body === `a["${text}"]\n`, 'what it has brought');
	wire.close();
	await finish(g);
});

await suite.test('requests that wait behind others are answered in their order', async () => {
	const g = await start(), wire = Wire.to(g.port);

	wire.write(post('/echo/1/p/xhr', ''));
	equal((await wire.answer()).body, 'o\n', 'a session');
	/* The first waits for what comes by another connection; all others wait for the first. */
	wire.write(post('/echo/1/p/xhr', '') + get('/echo/info') + post('/echo/1/p/xhr_send', '["b"]') + post('/echo/1/p/xhr', '') + get('/nowhere').slice(0, 10));
	await g.restart();
	await g.restart();
	const other = Wire.to(g.port).write(post('/echo/1/p/xhr_send', '["a"]'));

	equal((await other.answer()).status, 204, 'a send');
	equal((await wire.answer()).body, 'a["a"]\n', 'the poll that has waited');
	check(/"websocket"/.test((await wire.answer()).body), 'the info');
	equal((await wire.answer()).status, 204, 'the send behind it');
	equal((await wire.answer()).body, 'a["b"]\n', 'the poll behind that');
	wire.write(get('/nowhere').slice(10));
	equal((await wire.answer()).status, 404, 'what was half there');
	for (const w of [wire, other])
		w.close();
	await finish(g);
});

await suite.test('a poll waits as long as it would have', async () => {
	const g = await start(plain({ endpoints: [echo({ heartbeat_delay_ms: 3000 })] })), poller = await new Poller(g.port, '/echo').open();
	const begun = performance.now(), waiting = poller.poll();

	await g.restart();
	await g.restart();
	equal((await waiting).body, 'h\n', 'a heartbeat');
	check(performance.now() - begun > 2900, 'not before its time');
	await finish(g);
});

await suite.test('who has left between two polls is missed when it is time, not before', async () => {
	const g = await start(plain({ endpoints: [echo({ disconnect_delay_ms: 2500 })] })), poller = await new Poller(g.port, '/echo').open();

	await g.restart();
	equal((await poller.echo('x')).body, 'a["x"]\n', 'he is back in time');
	await g.restart();
	await until(async () => await g.metric('sockjs_sessions') === 0, 'the session is over when he stays away');
	equal((await poller.send('y')).status, 404, 'a send');
	await finish(g);
});

await suite.test('streams end at their limit, that counts what the old processes have sent', async () => {
	const g = await start(plain({ endpoints: [echo({ response_limit_bytes: 1000 })] }));

	/* How many messages such a response has. */
	async function length(between) {
		const poller = new Poller(g.port, '/echo'), wire = Wire.to(g.port).write(post(`${poller.path}/xhr_streaming`, ''));
		let n = 0;

		await wire.through('\r\n\r\n');
		await wire.chunk('a prelude');
		equal(await wire.chunk(), 'o\n', 'open');
		for (let got; ; n++) {
			await poller.send('x'.repeat(100));
			if ((got = await wire.chunk('a message, or the end')) === '')
				break;
			equal(got, `a["${'x'.repeat(100)}"]\n`, 'a message');
			await between();
		}
		wire.close();
		return n;
	}
	const as = await length(() => {});

	check(as > 3 && as < 12, `a response has some messages: ${as}`);
	equal(await length(() => g.restart()), as, 'with a restart before each');
	await finish(g);
});

await suite.test('a handshake of a WebSocket is half there', async () => {
	const g = await start(), wire = Wire.to(g.port), request = handshake('/echo');

	await inParts(g, wire, [...cut(request, 10, request.length - 3), frame('x')]);
	check(/^HTTP\/1.1 101/.test(await wire.through('\r\n\r\n')), 'it is answered');
	equal((await wire.message()).toString(), 'x', 'and an echo');
	wire.close();
	await finish(g);
});

await suite.test('a message of a WebSocket is half there: in the head, the mask, the payload, between fragments', async () => {
	const g = await start(), wire = Wire.to(g.port).write(handshake('/echo')), text = 'häll\u00f6 '.repeat(40000);
	const bytes = Buffer.from(text), whole = Buffer.concat([frame(bytes.subarray(0, 100001), { fin: false }), frame('', { opcode: 9 }),
		frame(bytes.subarray(100001, 100003), { opcode: 0, fin: false }), frame(bytes.subarray(100003), { opcode: 0 })]);

	await wire.through('\r\n\r\n');
	await inParts(g, wire, cut(whole, 1, 4, 12, 50000, 100015, 100016, 100030, whole.length - 1));
	equal((await wire.take(2, 'a pong')).toString('hex'), '8a00', 'the ping between fragments');
	check((await wire.message()).equals(bytes), 'the echo');
	wire.close();
	await finish(g);
});

await suite.test('a WebSocket that compresses keeps its dictionaries, both ways', async () => {
	const g = await start();
	const socket = new WebSocket(`ws://127.0.0.1:${g.port}/echo/websocket`, { perMessageDeflate: { threshold: 0 } });
	const next = () => withDeadline(new Promise((resolve) => socket.once('message', (m) => resolve(m.toString()))), 15000, 'an echo');

	await withDeadline(new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)), 15000, 'open');
	check(/permessage-deflate/.test(socket.extensions), 'it compresses');
	for (let i = 0; i < 4; i++) {
		for (const text of [`the same text as ever, ${'and so on, '.repeat(50)}${i}`, 'the same text as ever', JSON.stringify({ i })]) {
			socket.send(text);
			equal(await next(), text, 'an echo');
		}
		await g.restart();
	}
	socket.terminate();
	await finish(g);
});

await suite.test('a compressed message is half there', async () => {
	const g = await start(plain({ endpoints: [echo({ websocket: { compression: true } })] }));
	const socket = new WebSocket(`ws://127.0.0.1:${g.port}/echo/websocket`, { perMessageDeflate: { threshold: 0 } });

	await withDeadline(new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)), 15000, 'open');
	const text = [...Array(60000)].map((_, i) => (i * i % 9973).toString(36)).join(' '), write = socket._socket.write;
	let held = [];

	/* What would be written is held, and goes in parts. */
	socket._socket.write = (data, ...rest) => {
		held.push(Buffer.from(data));
		rest.at(-1)?.call?.(null);
		return true;
	};
	await new Promise((resolve) => socket.send(text, resolve));
	await until(() => held.length > 0, 'it is compressed');
	const whole = Buffer.concat(held);

	socket._socket.write = write;
	held = undefined;
	const echoed = withDeadline(new Promise((resolve) => socket.once('message', (m) => resolve(m.toString()))), 30000, 'an echo');

	await inParts(g, { write: (part) => socket._socket.write(part) }, cut(whole, 5, whole.length >> 1, whole.length - 2));
	check(await echoed === text, 'the echo');
	socket.terminate();
	await finish(g);
});

await suite.test('who does not read gets all when he does, by every kind of wire', async () => {
	const g = await start(plain({ endpoints: [echo(), { ...echo({ prefix: '/amplify', response_limit_bytes: 1 << 30 }), application: 'amplify' }] }));
	const ws = Wire.to(g.port).write(handshake('/amplify')), stream = Wire.to(g.port).write(post('/amplify/1/x/xhr_streaming', ''));

	await ws.through('\r\n\r\n');
	await stream.through('\r\n\r\n');
	await stream.chunk('a prelude');
	equal(await stream.chunk(), 'o\n', 'open');
	for (const w of [ws, stream])
		w.socket.pause();
	for (let i = 0; i < 24; i++) {
		ws.write(frame('18'));
		equal((await Wire.to(g.port).write(post('/amplify/1/x/xhr_send', '["18"]', 'Connection: close\r\n')).answer()).status, 204, 'a send');
	}
	await g.restart();
	await g.restart();
	for (const w of [ws, stream])
		w.socket.resume();
	for (let i = 0; i < 24; i++)
		equal((await ws.message()).length, 1 << 18, 'a message');
	ws.write(frame('3'));
	equal((await ws.message()).toString(), 'xxxxxxxx', 'and then the next one');
	for (let got = 0; got < 24;)
		got += ((await stream.chunk()).match(/"x{262144}"/g) ?? []).length;
	for (const w of [ws, stream])
		w.close();
	await finish(g);
});

await suite.test('a file arrives whole', async () => {
	const www = join(folder, 'www'), content = Buffer.alloc(32 << 20, '0123456789abcdef-');

	mkdirSync(www);
	writeFileSync(join(www, 'large.bin'), content);
	const g = await start(plain({ www })), wire = Wire.to(g.port).write(get('/large.bin'));

	await wire.through('\r\n\r\n');
	wire.socket.pause();
	await g.restart();
	wire.socket.resume();
	const first = await wire.take(8 << 20);

	wire.socket.pause();
	await g.restart();
	wire.socket.resume();
	check(Buffer.concat([first, await wire.take(24 << 20)]).equals(content), 'what has come');
	wire.write(get('/echo/info'));
	equal((await wire.answer()).status, 200, 'the next request');
	wire.close();
	await finish(g);
});

await suite.test('groups stay together, and tickers tick on', async () => {
	const g = await start(plain({ endpoints: ['broadcast', 'ticker', 'close'].map((name) => ({ prefix: `/${name}`, application: name })) }));
	const members = await Promise.all([...Array(12)].map(() => new Raw(g.port, '/broadcast').open()));
	const ticker = await new Raw(g.port, '/ticker').open();

	for (let i = 0; i < 3; i++) {
		members[i].send(`from ${i}`);
		for (const m of members)
			equal(await m.next('what is for all'), `from ${i}`, 'for all');
		await g.restart(plain({ endpoints: g.config.endpoints, threads: 1 + i }));
		ticker.frames.length = 0;
		check(typeof await ticker.next('a tick') === 'string', 'a tick');
	}
	for (const m of [...members, ticker])
		m.end();
	await finish(g);
});

await suite.test('connections that say nothing yet, and those that end, are none the worse for it', async () => {
	const g = await start(plain({ limits: { header_timeout_ms: 4000, idle_timeout_ms: 8000 } })), silent = Wire.to(g.port), half = Wire.to(g.port).write('GET /echo');
	const leaving = Wire.to(g.port).write(handshake('/echo'));

	await leaving.through('\r\n\r\n');
	equal((await ask(g.port, 'GET', '/echo/info')).status, 200, 'all before are in');
	leaving.write(frame(Buffer.from([3, 232]), { opcode: 8 }).subarray(0, 5));
	await g.restart();
	leaving.write(frame(Buffer.from([3, 232]), { opcode: 8 }).subarray(5));
	equal((await leaving.take(4)).toString('hex'), '880203e8', 'a Close is answered');
	await leaving.end();
	silent.write(get('/echo/info'));
	equal((await silent.answer()).status, 200, 'who was silent');
	silent.close();
	await half.end('who stops in the midst of a request is cut when it is time');
	await finish(g);
});

/* --- TLS -------------------------------------------------------------------------------------------- */

let pem;

function certificate() {
	if (!pem) {
		pem = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=gateway',
			'-keyout', pem.key, '-out', pem.certificate], { stdio: 'ignore' });
	}
	return pem;
}

const withTls = (more = {}) => plain({ listen: ['127.0.0.1:0', { address: '127.0.0.1:0', tls: certificate() }], ...more });
const tlsPort = (g) => Number(/:(\d+)$/.exec(g.urls[1])[1]);
const tls = (g, more = {}) => tlsConnect({ port: tlsPort(g), host: '127.0.0.1', rejectUnauthorized: false, ...more });

await suite.test('TLS: who is there goes on by way of the old process, who comes is the new one\'s', async () => {
	const g = await start(withTls()), old = g.pid, first = await new Raw(0, '/echo', {}, tls(g)).open();

	await g.restart();
	const second = await new Raw(0, '/echo', {}, tls(g)).open(), middle = g.pid;

	equal([await first.echo('a'), await second.echo('b')], ['a', 'b'], 'both');
	equal(await g.metric('sockjs_sessions'), 2, 'the sessions are at the new process');
	await g.restart();
	equal([await first.echo('c'), await second.echo('d')], ['c', 'd'], 'both, after another restart');
	equal(await g.metric('sockjs_sessions'), 2, 'and at the next one');
	equal([g.ended.has(old), g.ended.has(middle)], [false, false], 'each process carries what it has accepted');
	second.end();
	equal(await g.end(middle), 0, 'the second process ends with the last that it carries');
	check(!g.ended.has(old), 'the first goes on');
	equal(await first.echo('e'), 'e', 'and what it carries');
	first.end();
	equal(await g.end(old), 0, 'the first process ends likewise');
	await until(async () => await g.metric('sockjs_sessions') === 0, 'no session is left');
	await finish(g);
});

await suite.test('TLS: megabytes both ways, slow readers, keep-alive, in the midst of it', async () => {
	const g = await start(withTls()), old = g.pid, ws = new Wire(tls(g)), text = 'x'.repeat(MEGABYTES);

	ws.write(handshake('/echo'));
	await ws.through('\r\n\r\n');
	const whole = frame(text), kept = new Wire(tls(g)).write(get('/echo/info'));

	equal((await kept.answer()).status, 200, 'a request');
	ws.socket.pause();
	await inParts(g, ws, cut(whole, 3, 1 << 20, whole.length - 1));
	ws.socket.resume();
	check((await ws.message()).toString() === text, 'the echo');
	kept.write(get('/echo/info'));
	equal((await kept.answer()).status, 200, 'the next request on a connection that was kept');
	ws.write(frame(Buffer.from([3, 232]), { opcode: 8 }));
	equal((await ws.take(4)).toString('hex'), '880203e8', 'a Close is answered');
	await ws.end('and the connection ended');
	kept.close();
	equal(await g.end(old), 0, 'the old process ends');
	await finish(g);
});

await suite.test('TLS: a handshake is under way', async () => {
	const g = await start(withTls()), raw = connect(tlsPort(g), '127.0.0.1'), held = [];
	const write = raw.write.bind(raw);
	let isHeld = true;

	await new Promise((resolve) => raw.once('connect', resolve));
	raw.write = (data, ...rest) => {
		if (!isHeld)
			return write(data, ...rest);
		held.push(data);
		rest.at(-1)?.call?.(null);
		return true;
	};
	/* The first flight in two halves; node writes to a socket of its own by another way, so ours stands between. */
	const { Duplex } = await import('node:stream');
	const between = new Duplex({ read() {}, write(chunk, _, done) { raw.write(chunk); done(); } });

	raw.on('data', (d) => between.push(d)).on('close', () => between.destroy());
	const session = new Raw(0, '/echo', {}, tlsConnect({ socket: between, rejectUnauthorized: false }));

	await until(() => held.length > 0, 'the client has begun');
	const flight = Buffer.concat(held);

	write(flight.subarray(0, flight.length >> 1));
	equal((await ask(g.port, 'GET', '/echo/info')).status, 200, 'what was before is in');
	await g.restart();
	isHeld = false;
	write(flight.subarray(flight.length >> 1));
	/* It has not begun with anything: it may be cut, but not forgotten. */
	await until(() => session.closed || session.status !== undefined, 'it is served, or ended');
	if (!session.closed)
		equal(await session.echo('x'), 'x', 'echo');
	session.end();
	raw.destroy();
	await finish(g);
});

await suite.test('TLS: the old process ends when its time is over', async () => {
	const g = await start(withTls({ restart_drain_ms: 1500 })), old = g.pid, session = await new Raw(0, '/echo', {}, tls(g)).open();

	await g.restart();
	equal(await session.echo('x'), 'x', 'before');
	await until(() => session.closed, 'the connection ends');
	equal(await g.end(old), 0, 'exit code');
	await until(async () => await g.metric('sockjs_sessions') === 0, 'the session has ended');
	await finish(g);
});

await suite.test('TLS: a stop reaches those that the old process carries', async () => {
	const g = await start(withTls()), old = g.pid, session = await new Raw(0, '/echo', {}, tls(g)).open();

	await g.restart();
	equal(await session.echo('x'), 'x', 'before');
	equal(await g.stop(), 0, 'exit code');
	await until(() => session.closed, 'the session ends');
	equal(session.frames, ['close 1001'], 'in due form');
	equal(await g.end(old), 0, 'the old process ends');
	g.leave();
});

await suite.test('TLS: a restart that comes to nothing leaves it as it was', async () => {
	const copy = copied(), g = await start(withTls(), {}, copy), session = await new Raw(0, '/echo', {}, tls(g)).open();

	replace(copy, `#!/bin/sh\nexec python3 '${heir}' 'refuses all'\n`);
	await g.fails(/I cannot go on with this\./);
	equal(await session.echo('x'), 'x', 'echo');
	const odd = [...g.ended.keys()];

	copyFileSync(program, `${copy}.new`);
	renameSync(`${copy}.new`, copy);
	await g.restart();
	equal(await session.echo('y'), 'y', 'echo');
	session.end();
	await finish(g, odd);
});

suite.finish();
