/*
 * backends.mjs - weights, backups, checks, drain and return: what operators do with backends, at a
 * gateway with several threads and commands, beside real backends that go and come back.
 */
import { execFile } from 'node:child_process';
import net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { check, equal } from '../e2e/harness.mjs';
import { Backend } from './backend.mjs';
import { open, refused, start } from './clients.mjs';
import { Gateway, until } from './gateway.mjs';

const TOKEN = '0123456789abcdef0123';
const QUICK = { interval_ms: 100, timeout_ms: 1500, rise: 2, fall: 2 };

/* --- those that do not do well: what a check meets, and what is said of it -------------- */

const head = 'HTTP/1.1 200 OK\r\n';

function drip(socket, text, ms) {
	const timer = setInterval(() => socket.write(text), ms);

	socket.on('close', () => clearInterval(timer));
}

const HOSTILE = {
	'a status that is not expected': [(s) => s.end('HTTP/1.1 500 Oh\r\n\r\n'), /it answers 500/],
	'silence': [() => {}, /in time/],
	'a head that comes slowly': [(s) => { s.write(head); drip(s, 'X: y\r\n', 30); }, /in time/],
	'a header without end': [(s) => { s.write(`${head}X: `); drip(s, 'y'.repeat(4000), 1); }, /long|large|in time/],
	'headers without end': [(s) => { s.write(head); drip(s, 'X: y\r\n'.repeat(50), 1); }, /too many header lines/],
	'interim answers without end': [(s) => { drip(s, 'HTTP/1.1 102 Wait\r\n\r\n', 1); }, /interim/],
	'garbage': [(s) => s.write(Buffer.from(Array.from({ length: 500 }, (_, i) => (i * 31 + 128) & 255))), /not HTTP/],
	'another protocol': [(s) => s.write('SSH-2.0-OpenSSH_9.6\r\n'), /not HTTP/],
	'the end at once': [(s) => s.end(), /hung up/],
	'the end in the midst of the head': [(s) => s.end(`${head}X: y`), /hung up/],
	'a reset': [(s) => s.resetAndDestroy(), /reset|hung up/],
};

async function listen(server) {
	await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
	return server.address().port;
}

async function startHostile() {
	const servers = [];

	for (const [what, [act, why]] of Object.entries(HOSTILE)) {
		const sockets = new Set();
		const server = net.createServer((socket) => {
			sockets.add(socket);
			socket.on('error', () => {}).on('close', () => sockets.delete(socket));
			socket.once('data', () => act(socket));
		});

		servers.push({ what, why, server, sockets, url: `ws://127.0.0.1:${await listen(server)}/health` });
	}
	return servers;
}

/* --- the world ------------------------------------------------------------------------------ */

/* An application with a page that says how it does: `status`. */
class Checked extends Backend {
	status = 200;
	checks = 0;

	async start(...args) {
		await super.start(...args);
		this.server.on('request', (req, res) => {
			this.checks++;
			this.asked_for = req.url;
			res.writeHead(req.url === '/health' ? this.status : 404, { 'content-type': 'text/plain' });
			res.end('so it is\n'.repeat(1000));
		});
	}
}

function endpoint(prefix, url, upstream = {}) {
	return { prefix, application: 'upstream', allowed_origins: ['*'],
		upstream: { url, retry_delay_ms: 100, retry_delay_max_ms: 200, close_timeout_ms: 500, connect_timeout_ms: 2000, ...upstream } };
}

function endpoints(w, tls, ca) {
	const [a, b, c] = w.backends.map((each) => each.url);
	const http = { kind: 'http', path: '/health', ...QUICK };

	return [
		endpoint('/weights', [{ url: a, weight: 3 }, b, `${c} weight=0`]),
		endpoint('/least', [{ url: a, weight: 3 }, b, `${c} weight=2`], { balance: 'least_connections' }),
		endpoint('/full', [{ url: a, max_sessions: 2 }, `${b} max_sessions=1 backup`]),
		endpoint('/backup', [a, { url: b, backup: true }], { check: { kind: 'tcp', ...QUICK } }),
		endpoint('/checked', [a, b], { check: http }),
		endpoint('/drain', [a, b]),
		endpoint('/secret', [`${a}/?key=1`, `${a}/?key=2`]),
		endpoint('/ws', `${w.other.url}/sub?x=y`, { check: { kind: 'websocket', ...QUICK }, subprotocols: ['only'] }),
		endpoint('/ws-refused', `${a}/?do=refuse&n=403`, { check: { kind: 'websocket', ...QUICK } }),
		endpoint('/tcp-nobody', 'ws://127.0.0.1:1/', { check: { kind: 'tcp', ...QUICK } }),
		endpoint('/no-name', 'ws://nobody.invalid/', { check: { kind: 'tcp', ...QUICK } }),
		endpoint('/tls', tls.good.url, { check: { kind: 'websocket', ...QUICK }, tls: { ca } }),
		endpoint('/tls-expired', tls.expired.url, { check: { kind: 'tcp', ...QUICK }, tls: { ca } }),
		endpoint('/tls-plain', a.replace('ws:', 'wss:'), { check: { kind: 'http', ...QUICK } }),
		...w.hostile.map((h, i) => endpoint(`/hostile-${i}`, h.url, { check: { kind: 'http', ...QUICK, interval_ms: 150 } })),
	];
}

async function api(w, command, body) {
	const response = await fetch(`${w.gateway.internal}/api/${command}`, { method: 'POST', body: JSON.stringify(body),
		headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', connection: 'close' } });

	return { status: response.status, answer: await response.json() };
}

async function backends(w, prefix) {
	return (await api(w, 'backends', { endpoint: prefix })).answer.backends;
}

/* Until the i-th backend of an endpoint is so. */
async function becomes(w, prefix, i, wanted) {
	await until(`${prefix}: backend ${i} is ${JSON.stringify(wanted)}`, async () => {
		const b = (await backends(w, prefix))[i];

		return Object.entries(wanted).every(([k, v]) => b[k] === v) ? null : JSON.stringify(b);
	});
}

async function set(w, prefix, backend, wish) {
	const { status, answer } = await api(w, 'backend', { endpoint: prefix, backend, ...wish });

	equal(status, 200, `${JSON.stringify(wish)}: ${JSON.stringify(answer)}`);
	return answer;
}

const opened = new Set(); /* by the test that runs: a failure must not be one of the next, too */

async function openMany(url, n, kinds = ['raw']) {
	const lines = [];

	for (let i = 0; i < n; i++) {
		lines.push(await open(url, kinds[i % kinds.length]));
		opened.add(lines.at(-1));
	}
	return lines;
}

async function closeAll(w, lines) {
	await Promise.all(lines.filter((l) => !l.end).map((l) => l.close()));
	await until('the backends are alone', () => (w.backends.every((b) => b.lines.size === 0) ? null : counts(w).join()));
}

async function alone(w, test) {
	opened.clear();
	try {
		await test(w);
	} catch (e) {
		w.backends.forEach((b) => { b.status = 200; });
		await closeAll(w, [...opened]).catch(() => {});
		throw e;
	}
}

function counts(w) {
	return w.backends.map((b) => b.lines.size);
}

async function echoes(line, text = 'are you there?') {
	line.send(text);
	equal(await line.next(), text, 'echo');
}

/* Half of `n` new ones are at the first, give or take one, the others at the second. */
function hasItsShare(w, before, n) {
	const now = counts(w).slice(0, 2).map((x, i) => x - before[i]);

	check(now[0] + now[1] === n && Math.abs(now[0] - n / 2) <= 1, `new connections: ${now}`);
}

/* --- shares and backups ------------------------------------------------------------------ */

async function weights(w) {
	const lines = await openMany(w.url('/weights'), 40, ['raw', 'websocket', 'xhr_streaming']);

	equal(counts(w), [30, 10, 0], 'connections');
	await closeAll(w, lines);
}

async function leastByWeight(w) {
	const lines = await openMany(w.url('/least'), 30);

	equal(counts(w), [15, 5, 10], 'connections');
	for (const ws of [...w.backends[2].lines])
		ws.close(1000);
	await until('they have left', async () => ((await backends(w, '/least'))[2].connections === 0 ? null : 'not yet'));
	lines.push(...await openMany(w.url('/least'), 5));
	equal(counts(w), [15, 5, 5], 'where there was room');
	await closeAll(w, lines);
}

async function newWeight(w) {
	equal((await set(w, '/weights', w.backends[0].url, { weight: 0 })).weight, 0, 'weight');
	let lines = await openMany(w.url('/weights'), 6);
	equal(counts(w), [0, 6, 0], 'connections');
	await closeAll(w, lines);
	await set(w, '/weights', w.backends[0].url, { weight: 3 });
	lines = await openMany(w.url('/weights'), 8);
	equal(counts(w), [6, 2, 0], 'connections');
	await closeAll(w, lines);
}

async function full(w) {
	const lines = await openMany(w.url('/full'), 3);

	equal(counts(w), [2, 1, 0], 'connections');
	const line = start(w.url('/full'), 'raw');
	equal((await line.over()).status, 503, 'status');
	equal(line.retryAfter, '5', 'Retry-After');
	await lines[0].close();
	await until('there is a place', async () => ((await backends(w, '/full'))[0].connections === 1 ? null : 'no'));
	lines.push(await open(w.url('/full'), 'websocket'));
	equal(counts(w), [2, 1, 0], 'connections after one has left');
	await closeAll(w, lines);
}

async function backup(w) {
	const [a, b] = w.backends;
	const lines = await openMany(w.url('/backup'), 4);

	equal(counts(w), [4, 0, 0], 'while the primary is there');
	await a.stop();
	await becomes(w, '/backup', 0, { state: 'down', check: 'failed' });
	const there = await openMany(w.url('/backup'), 4);
	equal(b.lines.size, 4, 'at the backup');
	await a.start();
	await becomes(w, '/backup', 0, { state: 'up', check: 'passed' });
	lines.push(...await openMany(w.url('/backup'), 4));
	equal(counts(w), [4, 4, 0], 'the primary is back'); /* those it had are lost */
	await Promise.all(there.map((l) => echoes(l)));
	await closeAll(w, [...lines, ...there]);
}

/* --- checks -------------------------------------------------------------------------------- */

/* It fails: nothing new, and what it has stays. */
async function unhealthy(w) {
	const [a] = w.backends;
	await becomes(w, '/checked', 0, { state: 'up', check: 'passed' });
	const lines = await openMany(w.url('/checked'), 6);
	const log = w.gateway.log.length;

	equal(counts(w), [3, 3, 0], 'connections');
	a.status = 503;
	await becomes(w, '/checked', 0, { state: 'down', check: 'failed', why: 'it answers 503' });
	lines.push(...await openMany(w.url('/checked'), 6));
	equal(counts(w), [3, 9, 0], 'while it fails');
	await Promise.all(lines.map((l) => echoes(l)));
	a.status = 204;
	await becomes(w, '/checked', 0, { state: 'up', check: 'passed' });
	lines.push(...await openMany(w.url('/checked'), 4));
	hasItsShare(w, [3, 9], 4);
	/* Others that never do well have lines of their own whenever their time is over */
	const linesOf = (what) => w.gateway.log.slice(log).filter((l) => l.includes(what) && l.includes(`upstream="${a.url}"`));

	equal(linesOf('fails its checks').length, 1, 'lines of its failure');
	equal(linesOf('passes its checks').length, 1, 'lines of its return');
	await closeAll(w, lines);
	a.status = 200;
}

/* One for the process, whatever the number of its threads. */
async function oneChecker(w) {
	const [a] = w.backends;
	const before = a.checks;
	const started = performance.now();

	await until('ten checks', () => (a.checks >= before + 10 ? null : String(a.checks - before)));
	const intervals = (performance.now() - started) / QUICK.interval_ms;
	check(a.checks - before <= intervals * 1.2 + 2, `${a.checks - before} checks in ${intervals.toFixed(1)} intervals`);
	equal(a.asked_for, '/health', 'path');
}

async function allDown(w) {
	const [a, b] = w.backends;
	const ready = async () => (await fetch(`${w.gateway.internal}/readyz`)).status;

	await until('it is ready', async () => ((await backends(w, '/checked')).every((x) => x.state === 'up') ? null : 'no'));
	Object.assign(a, { status: 500 });
	Object.assign(b, { status: 500 });
	await becomes(w, '/checked', 0, { state: 'down' });
	await becomes(w, '/checked', 1, { state: 'down' });
	const line = start(w.url('/checked'), 'raw');
	equal((await line.over()).status, 503, 'a bare WebSocket');
	check(Number(line.retryAfter) > 0, `Retry-After: ${line.retryAfter}`);
	equal((await refused(w.url('/checked'), 'websocket')).code, 1013, 'a SockJS client');
	equal(await ready(), 503, '/readyz');
	Object.assign(a, { status: 200 });
	Object.assign(b, { status: 200 });
	await becomes(w, '/checked', 0, { state: 'up' });
	await closeAll(w, [await open(w.url('/checked'), 'raw')]);
}

/* --- drain and return ------------------------------------------------------------------------ */

/* Says something again and again until told to stop, or closed; how often it was answered. */
async function converse(line, isOver) {
	let n = 0;

	for (; !isOver() && !line.end; n++)
		await echoes(line, `${n}`).catch((e) => { if (!line.end) throw e; });
	return n;
}

async function drainUnderLoad(w) {
	const [a, b] = w.backends;
	const lines = await openMany(w.url('/drain'), 60, ['raw', 'websocket', 'xhr_streaming']);
	let isOver = false;

	equal(counts(w), [30, 30, 0], 'connections');
	const talks = lines.map((l) => converse(l, () => isOver));
	const log = w.gateway.log.length;
	const now = await set(w, '/drain', a.url, { state: 'drain' });
	equal([now.state, now.mode, now.why], ['drain', 'drain', 'a command'], 'how it is then');
	const more = await openMany(w.url('/drain'), 12);
	equal(counts(w), [30, 42, 0], 'new ones go elsewhere; those that are there stay');
	equal(lines.filter((l) => l.end).length, 0, 'who was closed');
	await set(w, '/drain', a.url, { close: true, over_ms: 400 });
	await until('it is free', () => (a.lines.size === 0 ? null : counts(w).join()));
	await until('its clients are told', () => (lines.filter((l) => l.end).length === 30 ? null : String(lines.filter((l) => l.end).length)));
	check(lines.filter((l) => l.end).every((l) => l.end.code === 1012), 'they may come back: 1012');
	equal(a.closedWith.code, 1001, 'what it is told');
	equal(b.lines.size, 42, 'the others');
	isOver = true;
	check((await Promise.all(talks)).every((n) => n > 0), 'all have talked');
	await set(w, '/drain', a.url, { state: 'ready' });
	more.push(...await openMany(w.url('/drain'), 4));
	hasItsShare(w, [0, 42], 4);
	equal(w.gateway.log.slice(log).filter((l) => /state of an upstream was set/.test(l)).length, 2, 'lines in the log');
	await closeAll(w, [...lines, ...more]);
}

/* Who says ready in the midst of it keeps what is left. */
async function changedMind(w) {
	const [a] = w.backends;
	const lines = await openMany(w.url('/drain'), 20);

	await set(w, '/drain', a.url, { state: 'drain', close: true, over_ms: 60000 });
	await set(w, '/drain', a.url, { state: 'ready' });
	await Promise.all(lines.map((l) => echoes(l).catch((e) => { if (!l.end) throw e; })));
	check(lines.filter((l) => l.end).length < 5, `${lines.filter((l) => l.end).length} were closed`);
	await closeAll(w, lines);
}

async function down(w) {
	const [a] = w.backends;

	await set(w, '/checked', a.url, { state: 'down' });
	await until('no check comes', async () => {
		const { checks } = a;

		await new Promise((resolve) => { setTimeout(resolve, 3 * QUICK.interval_ms); });
		return a.checks === checks ? null : 'checks';
	});
	const lines = await openMany(w.url('/checked'), 3);
	equal(counts(w), [0, 3, 0], 'connections');
	await set(w, '/checked', a.url, { state: 'ready' });
	await becomes(w, '/checked', 0, { state: 'up', check: 'passed' });
	await closeAll(w, lines);
}

async function wrongCommands(w) {
	const [a] = w.backends;

	for (const [body, status, field] of [
		[{ backend: a.url, state: 'off' }, 400, 'state'], [{ backend: a.url, weight: 257 }, 400, 'weight'], [{ backend: a.url, weight: '3' }, 400, 'weight'],
		[{ backend: a.url, close: true }, 400, 'close'], [{ backend: a.url, state: 'drain', close: 'yes' }, 400, 'close'],
		[{ backend: a.url, state: 'drain', close: true, over_ms: -1 }, 400, 'over_ms'], [{ backend: a.url, state: 'drain', over_ms: 1 }, 400, 'over_ms'], [{ backend: 'ws://elsewhere/' }, 404, 'backend'], [{}, 400, 'backend'],
		[{ backend: a.url, what: 1 }, 400, 'what'],
	]) {
		const { status: got, answer } = await api(w, 'backend', { endpoint: '/drain', ...body });
		equal([got, answer.error.field], [status, field], JSON.stringify(body));
	}
	equal((await backends(w, '/drain'))[0].mode, 'ready', 'nothing has changed');
}

/* What is hidden is not shown, and they can be told apart. */
async function names(w) {
	const [a] = w.backends;

	equal((await backends(w, '/secret')).map((b) => b.url), [`${a.url}/?***`, `${a.url}/?***#2`], 'names');
	equal((await set(w, '/secret', `${a.url}/?***#2`, { state: 'drain' })).mode, 'drain', 'by its name');
	equal((await backends(w, '/secret')).map((b) => b.mode), ['ready', 'drain'], 'modes');
	await set(w, '/secret', `${a.url}/?key=2`, { state: 'ready' });
}

async function ctl(w) {
	const [a] = w.backends;
	const run = (...words) => promisify(execFile)(w.program, ['ctl', '-c', w.file, '--api', w.gateway.internal, '--endpoint', '/drain', ...words]);

	check(/drain/.test((await run('backend', a.url, 'drain', '--close', '--over-ms', '10')).stdout), 'it says so');
	equal((await backends(w, '/drain'))[0].state, 'drain', 'state');
	check(/WHY[^]*a command/.test((await run('backends')).stdout), 'the list has the reason');
	await run('backend', a.url, 'ready', '--weight', '7');
	equal(await backends(w, '/drain').then(([x]) => [x.mode, x.weight]), ['ready', 7], 'state and weight');
	await run('backend', a.url, '--weight', '1');
	const error = await run('backend', a.url, 'off').catch((e) => e);
	equal(error.code, 1, 'exit code');
	check(/state must be ready, drain or down/.test(error.stderr), error.stderr);
}

/* --- what is counted --------------------------------------------------------------------------- */

async function metrics(w) {
	const [a] = w.backends;
	const text = await (await fetch(`${w.gateway.internal}/metrics`)).text();
	const value = (name, labels) => Number(new RegExp(`^sockjs_upstream_${name}\\{endpoint="/weights",backend="${a.url}"${labels ?? ''}\\} ([\\d.]+)$`, 'm')
		.exec(text)?.[1]);

	equal(value('up'), 1, 'up');
	equal(value('weight'), 3, 'weight');
	equal(value('sessions'), 0, 'sessions');
	equal(value('opened_total'), 36, 'opened: 30 and 6');
	equal(value('connect_seconds_count'), 36, 'times');
	equal(value('connect_seconds_bucket', ',le="\\+Inf"'), 36, 'times of any length');
	equal(value('state', ',state="up"'), 1, 'state');
	equal(value('state', ',state="drain"'), 0, 'another state');
	equal(value('failures_total', ',reason="connect"'), 0, 'failures');
	check(/sockjs_upstream_checks_total\{endpoint="\/tcp-nobody",backend="[^"]*",result="failed"\} [1-9]/.test(text), 'checks that failed');
	check(/sockjs_upstream_failures_total\{endpoint="\/checked",[^}]*reason="lost"\} 0$/m.test(text), 'what was drained is not lost');
}

/* --- all ------------------------------------------------------------------------------------------ */

async function startAll(world) {
	const w = { backends: ['a', 'b', 'c'].map((name) => new Checked({ name })), other: new Checked({ name: 'other' }), hostile: await startHostile(), program: world.program,
		file: join(world.folder, 'backends.json') };

	await Promise.all([...w.backends, w.other].map((b) => b.start(0)));
	w.gateway = new Gateway(world.program, w.file);
	await w.gateway.start({ threads: 3, listen: ['127.0.0.1:0'], internal: { listen: '127.0.0.1:0', token: TOKEN, ready_needs_backends: true },
		shutdown_timeout_ms: 3000, endpoints: endpoints(w, world.tls, world.certificates.ca) });
	w.url = (prefix) => w.gateway.url + prefix;
	return w;
}

export async function testBackends(world) {
	const { suite } = world;
	const w = await startAll(world);
	const test = (what, body) => suite.test(`backends: ${what}`, () => alone(w, body));

	await test('sessions are shared by weight', weights);
	await test('the least used is so for its weight', leastByWeight);
	await test('a weight may be changed', newWeight);
	await test('the weights are counted', metrics);
	await test('who is full gets nothing until somebody leaves', full);
	await test('a backup is there while the primary is not', backup);
	await test('who fails its checks gets nothing new', unhealthy);
	await test('there is one check for all threads', oneChecker);
	await test('all are down: 503, until one is back', allDown);
	await test('drain under load, with sessions closed and not', drainUnderLoad);
	await test('ready ends the closing', changedMind);
	await test('who is taken down is not checked', down);
	await test('what makes no sense is refused', wrongCommands);
	await test('secrets in URLs are not shown', names);
	await test('ctl backend', ctl);
	await test('check by a handshake of a WebSocket', () => becomes(w, '/ws', 0, { state: 'up', check: 'passed' }));
	await test('a check by a handshake tells the backend that it leaves', () => until('1001',
		() => (w.other.closedWith?.code === 1001 ? null : JSON.stringify(w.other.closedWith))));
	await test('check over TLS', () => becomes(w, '/tls', 0, { state: 'up', check: 'passed' }));
	for (const [prefix, why] of [['/ws-refused', /it answers 403/], ['/tcp-nobody', /refused/], ['/no-name', /.../], ['/tls-expired', /TLS: .*expired/], ['/tls-plain', /TLS: /],
		...w.hostile.map((h, i) => [`/hostile-${i}`, h.why, h.what])])
		await test(`a check that meets ${w.hostile.find((h) => h.why === why)?.what ?? prefix} has failed`, async () => {
			await becomes(w, prefix, 0, { state: 'down', check: 'failed' });
			const [b] = await backends(w, prefix);
			check(why.test(b.why), `why: ${b.why}`);
			equal((await refused(w.url(prefix), 'raw')).status, 503, 'a session');
		});
	await suite.step('backends: the gateway stops among checks, and nothing leaks', async () => {
		equal(await w.gateway.stop(), 0, 'exit code');
	});
	for (const { server, sockets } of w.hostile) {
		sockets.forEach((s) => s.destroy());
		server.close();
	}
	await Promise.all([...w.backends, w.other].map((b) => b.stop()));
}
