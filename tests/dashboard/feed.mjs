/*
 * feed.mjs - what the feed tells, whom it lets in, and what strangers can do to it.
 */
import { Agent, request } from 'node:http';
import SockJS from 'sockjs-client';
import { check, equal } from '../e2e/harness.mjs';
import { client, leaveAll, placeFor, Server, TOKEN, until, Watcher } from './server.mjs';

const PENDING_MOST = 64;
const WATCHERS_MOST = 32;

/* ---- what is told ---------------------------------------------------------- */

/* Of a server that has just begun there is no history yet: who comes some time later is told one. */
async function comesToHistory(server) {
	let watcher;

	await until('there is a history', async () => {
		watcher?.leave();
		watcher = await new Watcher(server).isIn();
		return watcher.hello.history.at.length >= 1;
	});
	return watcher;
}

async function tellsFigures(server) {
	const watcher = await comesToHistory(server);
	const { hello } = watcher;

	check(/^\d+\.\d+\.\d+$/.test(hello.version), 'a version');
	equal([hello.threads, hello.commands], [server.config.threads, true], 'threads, commands');
	for (const [name, column] of Object.entries(hello.history))
		equal(column.length, hello.history.at.length, `rows of ${name}`);
	await until('three figures', () => watcher.count('now') >= 3);
	const [first, second] = watcher.told.filter((m) => m.type === 'now');
	check(second.at_ms > first.at_ms, 'time goes on');
	equal(second.loops.length, server.config.threads, 'loops');
	check(second.resident > 1e6 && second.processor_ms > 0, 'memory and processor');
	watcher.leave();
}

/* A stream that stays open; it ends with its socket. */
function stream(server, kind, id, method) {
	const r = request(`${server.url}/echo/000/${id}/${kind}`, { method });

	r.on('error', () => {}).on('response', (answer) => answer.resume());
	r.end();
	return r;
}

async function countsSessions(server) {
	const watchers = await Promise.all([1, 2, 3].map(() => new Watcher(server).isIn()));
	const [watcher] = watchers;
	const before = await watcher.sees('nobody else', (now) => now.sessions === 0 && now.watchers === 3);
	const sockets = await Promise.all([client(server), client(server), client(server, '/echo/000/abc/websocket')]);
	const streams = [stream(server, 'xhr_streaming', 'a', 'POST'), stream(server, 'eventsource', 'b', 'GET')];

	for (const s of sockets.slice(0, 2))
		for (let i = 0; i < 5; i++)
			s.send('12345');
	const now = await watcher.sees('five sessions and ten messages', (n) => n.sessions === 5 && n.messages_in === before.messages_in + 10);
	equal(Object.entries(now.transports).filter(([, n]) => n > 0).sort(),
		[['eventsource', 1], ['websocket', 1], ['websocket_raw', 2], ['xhr_streaming', 1]], 'transports');
	equal(now.endpoints, [['/echo', 5], ['/ticker', 0]], 'endpoints');
	equal([now.bytes_in - before.bytes_in, now.messages_out - before.messages_out], [50, 10], 'octets in, messages out');
	equal(now.opened - before.opened, 5, 'opened');
	await watcher.sees('all of one address', (n) => JSON.stringify(n.addresses?.top) === '[["127.0.0.1",5]]');
	sockets.forEach((s) => s.close(1000));
	streams.forEach((s) => s.destroy());
	const after = await watcher.sees('all are gone', (n) => n.sessions === 0 && n.closed.length > 0);
	equal(after.closed.filter(([name]) => ['normal', 'interrupted'].includes(name)).map(([name, code]) => [name, code]),
		[['normal', 1000], ['interrupted', 1002]], 'reasons');
	check(Object.values(after.transports).every((n) => n === 0), 'no transport carries anybody');
	watchers.forEach((w) => w.leave());
}

async function countsRefusals(server) {
	const watcher = await new Watcher(server).isIn();

	await server.ask('/echo/nothing/here', { base: server.url });
	await watcher.sees('a refusal', (now) => now.refused.some(([name, n]) => name === 'not_found' && n > 0));
	watcher.leave();
}

/* What a page that comes later can draw. */
async function remembers(server) {
	const socket = await client(server);

	await until('a later page has a history with a session in it', async () => {
		const watcher = await new Watcher(server).isIn();
		watcher.leave();
		return watcher.hello.history.sessions.some((n) => n > 0) && watcher.hello.history.at.length >= 2;
	});
	socket.terminate();
}

async function comesBy(server, name) {
	const told = [];
	const s = new SockJS(`${server.internal}/dashboard/feed`, null, { transports: [name] });

	s.onmessage = ({ data }) => {
		const message = JSON.parse(data);

		told.push(message.type);
		if (message.type === 'token')
			s.send(JSON.stringify({ token: TOKEN }));
	};
	await until(`figures by ${name}`, () => told.filter((type) => type === 'now').length >= 3);
	equal(told.slice(0, 2), ['token', 'hello'], `what comes first by ${name}`);
	s.close();
}

async function everyTransport(server) {
	await Promise.all(['websocket', 'xhr-streaming', 'xhr-polling'].map((name) => comesBy(server, name)));
}

/* ---- whom it lets in --------------------------------------------------------- */

async function refusesTokens(server) {
	const refused = 'sockjs_refusals_total{reason="token"}';
	const before = await server.metric(refused);
	const wrong = ['not-the-token-of-this-server', '', TOKEN.slice(0, -1), `${TOKEN}x`];
	const malformed = [Buffer.from([0, 1, 255]), Buffer.from('[]'), Buffer.from('{"token":17}'), Buffer.from('{"token":null}'),
		Buffer.from('{'), Buffer.from(`{"token":"a","token":"${TOKEN}"}`), Buffer.from('['.repeat(4000))];

	for (const token of [...wrong, ...malformed]) {
		const watcher = new Watcher(server, { token });
		equal((await watcher.ends())[0], 4401, `code after ${String(token).slice(0, 40)}`);
		check(!watcher.hello && !watcher.now, 'it was told nothing');
	}
	equal(await server.metric(refused) - before, wrong.length + malformed.length, 'refusals counted');
	const long = new Watcher(server, { token: Buffer.alloc(5000, 'x') });
	equal((await long.ends())[0], 1009, 'code of one that is too long');
}

async function closesTheSilent(watcher) {
	equal(await watcher.ends(), [4408, 'The token did not come in time'], 'its end');
	equal(watcher.told.map((m) => m.type), ['token'], 'what it was told');
}

/* A page of somebody else in a browser that can reach us. */
async function refusesOtherPages(server) {
	const { host } = new URL(server.internal);
	const evil = { Origin: 'https://evil.example' };

	equal((await new Watcher(server, { headers: evil }).ends())[0], 403, 'a WebSocket of another origin');
	equal((await new Watcher(server, { headers: { Origin: 'null' } }).ends())[0], 403, 'a WebSocket of no origin');
	for (const [path, method] of [['xhr_streaming', 'POST'], ['xhr', 'POST'], ['eventsource', 'GET'], ['htmlfile?c=x', 'GET']]) {
		const answer = await server.ask(`/dashboard/feed/000/evil/${path}`, { method, headers: evil });
		equal(answer.status, 403, `${path} of another origin`);
		check(!answer.headers['access-control-allow-origin'], 'no allowance');
	}
	/* Its name leads to our address all of a sudden. */
	equal((await new Watcher(server, { headers: { Host: 'evil.example', Origin: 'http://evil.example' } }).ends())[0], 421, 'DNS rebinding');
	equal((await server.ask('/dashboard/', { headers: { Host: 'evil.example' } })).status, 421, 'the page, for another host');
	await (await new Watcher(server, { headers: { Origin: `http://${host}` } }).isIn()).leave();
}

async function isNotPublic(server) {
	for (const path of ['/dashboard/', '/dashboard/index.html', '/dashboard/feed', '/dashboard/feed/info', '/dashboard/feed/000/a/xhr'])
		equal((await server.ask(path, { base: server.url })).status, 404, `${path} of the public address`);
	/* A connection of the internal address stays one, whatever it was asked before. */
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	for (const [path, method] of [['/dashboard/sockjs.min.js', 'GET'], ['/dashboard/feed/info', 'GET'], ['/dashboard/feed/000/k/xhr', 'POST'], ['/dashboard/style.css', 'GET'], ['/healthz', 'GET']])
		equal((await server.ask(path, { method, agent })).status, 200, `${path} of the internal address`);
	agent.destroy();
}

async function servesFiles(server) {
	const page = await server.ask('/dashboard/');
	const policy = page.headers['content-security-policy'];

	check(/default-src 'none'/.test(policy) && !/unsafe/.test(policy) && /frame-ancestors 'none'/.test(policy), `a policy: ${policy}`);
	equal((await server.ask('/')).headers.location, 'dashboard/', 'where / leads');
	equal((await server.ask('/dashboard/', { headers: { 'If-None-Match': page.headers.etag } })).status, 304, 'asked again');
	check(!/<script>|<style|\son\w+=|style=|https?:\/\//.test(page.text), 'nothing inline, nothing from elsewhere');
	for (const path of ['/dashboard/nothing.js', '/dashboard/../healthz', '/dashboard/%2e%2e/x', '/dashboardx', '/dashboard//style.css'])
		equal((await server.ask(path)).status, 404, path);
	equal((await server.ask('/dashboard/', { method: 'POST' })).status, 405, 'POST');
}

async function withoutToken(program) {
	const server = await new Server(program, { internal: { token: null } }).start();
	const watcher = await new Watcher(server).isIn();
	const socket = await client(server);
	const now = await watcher.sees('a session', (n) => n.sessions === 1);

	equal([watcher.hello.commands, now.addresses, watcher.count('token')], [false, null, 0], 'commands, addresses, questions');
	equal((await new Watcher(server, { headers: { Origin: 'https://evil.example' } }).ends())[0], 403, 'another origin');
	socket.terminate();
	equal(await server.stop(), 0, 'exit code, with a watcher');
}

/* Whoever has said a token that is none any more watches no longer. */
async function followsReloads(program) {
	const server = await new Server(program).start();
	const watcher = await new Watcher(server).isIn();
	const other = 'another-token-altogether';

	await watcher.sees('nothing special', (now) => now.watchers === 1);
	server.config.internal.token = other;
	server.reload();
	equal(await watcher.ends(), [1001, 'The configuration has changed'], 'its end');
	equal((await new Watcher(server).ends())[0], 4401, 'the old token');
	const next = await new Watcher(server, { token: other }).isIn();
	await next.sees('figures', (now) => now.watchers === 1);
	server.config.internal.dashboard = false;
	server.reload();
	equal((await next.ends())[0], 1001, 'its end, when it was turned off');
	equal((await server.ask('/dashboard/')).status, 404, 'the page, then');
	equal(await server.stop(), 0, 'exit code');
}

async function turnedOff(program) {
	const server = await new Server(program, { internal: { dashboard: false } }).start();

	for (const path of ['/', '/dashboard/', '/dashboard/feed/info'])
		equal((await server.ask(path)).status, 404, path);
	equal((await server.ask('/healthz')).status, 200, 'health');
	equal(await server.stop(), 0, 'exit code');
}

/* A browser comes to a unix socket by way of ssh -L, and then its name is checked, too. */
async function onUnixSocket(program) {
	const socketPath = placeFor('internal.sock');
	const server = await new Server(program, { internal: { listen: `unix:${socketPath}` } }).start();
	const status = async (path, host) => (await server.ask(path, { socketPath, headers: { Host: host } })).status;

	equal(await status('/dashboard/', 'localhost:8082'), 200, 'by way of ssh');
	equal(await status('/dashboard/', 'evil.example'), 421, 'the page for another host');
	equal(await status('/dashboard/feed/info', 'evil.example'), 421, 'the feed for another host');
	equal(await status('/healthz', 'whatever'), 200, 'a program');
	equal(await server.stop(), 0, 'exit code');
}

/* ---- crowds ------------------------------------------------------------------ */

async function boundsStrangers(server) {
	const strangers = Array.from({ length: 2 * PENDING_MOST }, () => new Watcher(server, { token: null }));

	await until('the first have made room', () => strangers.filter((s) => s.end).length >= PENDING_MOST);
	const operator = await new Watcher(server).isIn();
	check(strangers.filter((s) => !s.end).length <= PENDING_MOST, 'no more may be about to say the token');
	await until('figures', () => operator.count('now') >= 1);
	strangers.forEach((s) => s.leave());
	operator.leave();
}

async function boundsWatchers(server) {
	const first = await new Watcher(server).isIn();

	await first.sees('nobody else', (now) => now.watchers === 1); /* those of before have gone */
	const watchers = [first, ...await Promise.all(Array.from({ length: WATCHERS_MOST - 1 }, () => new Watcher(server).isIn()))];

	equal(await new Watcher(server).ends(), [4429, 'Too many watch already'], 'one more');
	await watchers[0].sees('all of them', (now) => now.watchers === WATCHERS_MOST);
	watchers.pop().leave();
	await watchers[0].sees('one less', (now) => now.watchers === WATCHERS_MOST - 1);
	await (await new Watcher(server).isIn()).leave();
	watchers.slice(1).forEach((w) => w.leave());
	await first.sees('nobody else again', (now) => now.watchers === 1);
	first.leave();
}

async function slowHarmsHimself(server) {
	const [slow, quick] = await Promise.all([new Watcher(server).isIn(), new Watcher(server).isIn()]);
	const before = quick.count('now');

	slow.socket.pause();
	await until('the other goes on', () => quick.count('now') >= before + 3);
	slow.socket.resume();
	const known = slow.count('now');
	await until('he goes on as well', () => slow.count('now') > known);
	[slow, quick].forEach((w) => w.leave());
}

/* A watcher may say what he likes: it is read slowly, and means nothing. */
async function ignoresTalk(server) {
	const watcher = await new Watcher(server).isIn();

	for (let i = 0; i < 200; i++)
		watcher.socket.send('{"token":"another"}');
	const before = watcher.count('now');
	await until('figures all the same', () => watcher.count('now') >= before + 2);
	equal(watcher.end, null, 'its end');
	watcher.leave();
}

export async function testFeed(suite, server, program) {
	const silent = new Watcher(server, { token: null, stays: true }); /* that takes a while, for others to be tested */
	const test = (name, run) => suite.test(name, () => run().finally(leaveAll));

	await test('feed: says hello, and figures each second', () => tellsFigures(server));
	await test('feed: counts sessions by transport, endpoint, address and reason, and never itself', () => countsSessions(server));
	await test('feed: counts refusals', () => countsRefusals(server));
	await test('feed: remembers for who comes later', () => remembers(server));
	await test('feed: comes by every transport', () => everyTransport(server));
	await test('feed: refuses wrong and malformed tokens, and counts them', () => refusesTokens(server));
	await test('feed: refuses pages of other origins and hosts', () => refusesOtherPages(server));
	await test('feed and page: are not on the public address', () => isNotPublic(server));
	await test('page: files, their policy, and nothing else', () => servesFiles(server));
	await test('feed: closes who never says the token', () => closesTheSilent(silent));
	await test('feed: strangers are bounded, and keep no operator out', () => boundsStrangers(server));
	await test('feed: watchers are bounded', () => boundsWatchers(server));
	await test('feed: a slow watcher harms himself alone', () => slowHarmsHimself(server));
	await test('feed: a watcher who talks is ignored', () => ignoresTalk(server));
	await test('without a token: figures for everybody, and nothing of single clients', () => withoutToken(program));
	await test('internal.dashboard false: there is none', () => turnedOff(program));
	await test('reload: another token, and none at all', () => followsReloads(program));
	await test('unix socket: a page of another host is refused', () => onUnixSocket(program));
}
