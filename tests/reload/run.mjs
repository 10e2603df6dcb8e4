#!/usr/bin/env node
/*
 * run.mjs - the configuration is read again while thousands of sessions are open: what goes at once, what
 * for new sessions, what not, and that nobody is lost.
 *
 *	run.mjs --server ./sockjsd [--threads N] [--sessions N] [--reloads N] [--only REGEXP]
 */
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { WebSocketServer } from 'ws';
import { check, equal, patient, readArguments, Suite } from '../e2e/harness.mjs';
import { ask, Gateway, Poller, Raw, sleep, TOKEN, until } from './gateway.mjs';

const args = readArguments(['server', 'threads', 'sessions', 'reloads', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'reload-'));
const program = args.server ?? './sockjsd';
const threads = Number(args.threads ?? 2);
const SESSIONS = Number(args.sessions ?? 10000), RELOADS = Number(args.reloads ?? 100);

process.setMaxListeners(50);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const plain = (more = {}) => ({
	listen: ['127.0.0.1:0'], threads, log_level: 'info', internal: { listen: '127.0.0.1:0', token: TOKEN },
	endpoints: [{ prefix: '/echo', application: 'echo' }], ...more,
});
const echo = (more) => ({ prefix: '/echo', application: 'echo', ...more });
let names = 0;
const start = (config, env) => new Gateway(program, folder, `g${names++}`).start(config, env);

async function finish(gateway) {
	equal(await gateway.stop(), 0, 'exit code');
	const bad = gateway.log.filter((l) => /Sanitizer|runtime error/.test(l));

	equal(bad, [], 'nothing is said by a sanitizer');
}

/* --- what is under way ----------------------------------------------------------------------- */

await suite.test('a poll that waits outlives the access log', async () => {
	for (const how of ['reload', 'hangUp']) {
		const log = join(folder, `${how}.log`);
		const gateway = await start(plain({ access_log: { file: log } }));
		const poller = await new Poller(gateway.port, '/echo').open();
		const waiting = poller.poll();

		await gateway[how](plain());
		equal((await poller.send('x')).status, 204, 'a send');
		equal((await waiting).body, 'a["x"]\n', 'what the poll has waited for');
		await gateway[how](plain({ access_log: { file: log } }));
		equal((await poller.echo('y')).body, 'a["y"]\n', 'the next one');
		await finish(gateway);
		equal(readFileSync(log, 'utf8').split('\n').filter((l) => /xhr /.test(l)).length, 2, 'polls in the log');
	}
});

/* --- what is wrong ------------------------------------------------------------------------- */

await suite.test('what is wrong changes nothing, and is said with its file and key', async () => {
	const gateway = await start(plain()), session = await new Raw(gateway.port, '/echo').open();
	const refused = async (config, pattern) => {
		gateway.write(config);
		const { status, json } = await gateway.command('reload');

		equal([status, json.error?.code], [422, 'configuration'], `answer to ${pattern}`);
		check(pattern.test(json.error.message), `${json.error.message} has ${pattern}`);
	};

	await refused('{', /g\d+\.json/);
	await refused(plain({ treads: 2 }), /treads: unknown key/);
	await refused(plain({ endpoints: [echo({ heartbeat_delay_ms: 'often' })] }), /endpoints\[0\]\.heartbeat_delay_ms/);
	await refused(plain({ listen: [{ address: '127.0.0.1:0', tls: { certificate: '/nowhere', key: '/nowhere' } }] }), /listen\[0\]\.tls\.certificate: cannot read/);
	await refused(plain({ endpoints: [{ prefix: '/s', application: 'stomp', stomp: { users: 'nowhere.json' } }] }), /endpoints\[0\].*stomp\.users/);
	rmSync(gateway.file);
	const { status } = await gateway.command('reload');

	equal(status, 422, 'without a file');
	equal((await ask(gateway.port, 'GET', '/echo/info')).status, 200, 'it serves as before');
	equal(await session.echo('x'), 'x', 'echo');
	equal([await gateway.metric('sockjs_config_reloads_total'), await gateway.metric('sockjs_config_last_reload_successful')], [6, 0], 'metrics');
	await gateway.reload(plain());
	equal(await gateway.metric('sockjs_config_last_reload_successful'), 1, 'then it is well');
	await finish(gateway);
});

await suite.test('an address that is taken changes nothing', async () => {
	const gateway = await start(plain()), other = await start(plain());

	gateway.write(plain({ listen: ['127.0.0.1:0', `127.0.0.1:${other.port}`], endpoints: [echo({ prefix: '/new' })] }));
	const { status, json } = await gateway.command('reload');

	equal(status, 503, 'it may pass');
	check(new RegExp(`listen\\[1\\].*127.0.0.1:${other.port}`).test(json.error.message), json.error.message);
	equal((await ask(gateway.port, 'GET', '/new/info')).status, 404, 'nothing is new');
	await finish(other);
	await finish(gateway);
});

/* --- what goes at once ----------------------------------------------------------------------- */

await suite.test('a signal does it, and signals that come together are one or a few', async () => {
	const gateway = await start(plain());
	const line = await gateway.hangUp(plain({ limits: { idle_timeout_ms: 5000 } }));

	check(/changed="limits.idle_timeout_ms"/.test(line), line);
	for (let i = 0; i < 20; i++)
		gateway.child.kill('SIGHUP');
	await until(() => gateway.log.filter((l) => /was reloaded/.test(l)).length >= 2, 'they are obeyed');
	await finish(gateway);
});

await suite.test('origins and transports go at once, and old sessions go on', async () => {
	const origin = (o) => ({ Origin: `http://${o}.example` });
	const gateway = await start(plain({ endpoints: [echo({ allowed_origins: ['http://a.example'] })] }));
	const poller = await new Poller(gateway.port, '/echo', origin('a')).open();
	const raw = await new Raw(gateway.port, '/echo', origin('a')).open();
	const changes = await gateway.reload(plain({ endpoints: [echo({ allowed_origins: ['http://b.example'], transports: ['websocket', 'websocket_raw', 'xhr'] })] }));

	equal(changes.changed, ['endpoints["/echo"].transports', 'endpoints["/echo"].allowed_origins'], 'changed');
	equal((await new Poller(gateway.port, '/echo', origin('a')).poll()).status, 403, 'nobody new from a');
	equal((await ask(gateway.port, 'GET', '/echo/info', { headers: origin('a') })).status, 403, 'no info for a');
	await new Poller(gateway.port, '/echo', origin('b')).open();
	equal((await ask(gateway.port, 'POST', '/echo/0/new/xhr_streaming', { headers: origin('b') })).status, 404, 'no streaming any more');
	equal((await poller.echo('still')).body, 'a["still"]\n', 'polling goes on');
	equal(await raw.echo('here'), 'here', 'so does a WebSocket');
	await gateway.reload(plain({ endpoints: [echo({ allowed_origins: ['http://c.example'], transports: ['websocket'] })] }));
	equal((await poller.echo('again')).body, 'a["again"]\n', 'and over two');
	equal((await ask(gateway.port, 'POST', `${poller.path}x/xhr`, { headers: origin('a') })).status, 404, 'which is of sessions, not of clients');
	await finish(gateway);
});

await suite.test('limits go at once', async () => {
	const gateway = await start(plain({ limits: { sessions_per_address: 2 } }));
	const open = () => new Raw(gateway.port, '/echo').open();

	await open();
	await open();
	equal((await ask(gateway.port, 'POST', '/echo/0/a/xhr')).status, 429, 'a third');
	await gateway.reload(plain({ limits: { sessions_per_address: 3, header_bytes: 65536 } }));
	await open();
	equal((await ask(gateway.port, 'POST', '/echo/0/b/xhr')).status, 429, 'a fourth');
	equal((await ask(gateway.port, 'GET', '/echo/info', { headers: { 'X-Long': 'x'.repeat(40000) } })).status, 200, 'a longer head');
	await gateway.reload(plain());
	await open();
	equal((await ask(gateway.port, 'GET', '/echo/info', { headers: { 'X-Long': 'x'.repeat(40000) } })).status, 431, 'no more');
	await finish(gateway);
});

await suite.test('how much of an address is one client goes at once, and what is open stays as it was', async () => {
	const limits = (more) => plain({ trusted_proxies: ['127.0.0.1'], limits: { sessions_per_address: 2, ...more } });
	const gateway = await start(limits());
	const open = (ip) => new Raw(gateway.port, '/echo', { 'X-Forwarded-For': ip }).open();
	const status = (ip) => open(ip).then((s) => (s.end(), 200), (e) => Number(/\d+$/.exec(e.message)));
	const limited = async () => (await gateway.command('limited')).json.addresses.filter((a) => a.sessions > 0).map((a) => `${a.address} ${a.sessions}`).sort();
	const before = [await open('198.51.100.1'), await open('198.51.100.1'), await open('2001:db8:0:1::1'), await open('2001:db8:0:1::2')];

	equal(await limited(), ['198.51.100.1 2', '2001:db8:0:1::/64 2'], 'at a limit');
	await gateway.reload(limits({ ipv4_prefix: 24, ipv6_prefix: 56 }));
	const after = [await open('198.51.100.1'), await open('198.51.100.255'), await open('2001:db8:0:1::1'), await open('2001:db8:0:ff::1')];

	equal([await status('198.51.100.7'), await status('198.51.101.7')], [429, 200], 'of a /24 and the next one');
	equal([await status('2001:db8::1'), await status('2001:db8:0:100::1')], [429, 200], 'of a /56 and the next one');
	equal(await limited(), ['198.51.100.0/24 2', '198.51.100.1 2', '2001:db8:0:1::/64 2', '2001:db8::/56 2'], 'by both');
	for (const s of [...before, after[0]])
		s.end();
	await until(async () => (await limited()).join() === '198.51.100.0/24 1,2001:db8::/56 2', 'each is released where it was');
	await open('198.51.100.9');
	await gateway.reload(limits());
	await open('198.51.100.9');
	await finish(gateway);
});

await suite.test('the token of commands, and the log', async () => {
	const gateway = await start(plain());

	equal((await gateway.reload(plain({ internal: { listen: '127.0.0.1:0', token: 'another-one-of-these' }, log_format: 'json' }))).changed,
		['internal.token', 'log_format'], 'changed');
	equal((await gateway.command('endpoints')).status, 401, 'the old one');
	equal((await gateway.command('endpoints', {}, 'another-one-of-these')).status, 200, 'the new one');
	await until(() => gateway.log.some((l) => l.startsWith('{') && JSON.parse(l)), 'the log is JSON now');
	await gateway.reload(plain({ internal: { listen: '127.0.0.1:0' } }), 'another-one-of-these');
	equal((await gateway.command('endpoints', {}, 'another-one-of-these')).status, 404, 'none');
	const session = await new Raw(gateway.port, '/echo').open();

	await gateway.hangUp(plain());
	await until(async () => (await gateway.command('endpoints')).status === 200, 'commands are taken again');
	const { json } = await gateway.command('sessions');

	equal(json.sessions.length, 1, 'who came meanwhile is listed');
	equal((await gateway.command('disconnect', { session: json.sessions[0].session })).status, 200, 'and found by its number');
	await until(() => session.closed || session.frames.length > 0, 'it is over');
	await finish(gateway);
});

await suite.test('whom it believes and answers, its pages, and where it writes', async () => {
	const [first, second] = ['one', 'two'].map((name) => {
		const log = join(folder, `${name}.log`), www = join(folder, name);

		mkdirSync(www);
		writeFileSync(join(www, 'index.html'), name);
		return { www, session_log: { file: log, format: 'json' } };
	});
	const lines = (log) => readFileSync(log, 'utf8').split('\n').slice(0, -1).map((l) => JSON.parse(l));
	const visit = async (gateway) => {
		const raw = await new Raw(gateway.port, '/echo', { 'X-Forwarded-For': '192.0.2.7' }).open();

		raw.end();
	};
	const gateway = await start(plain(first));

	await visit(gateway);
	await until(() => lines(first.session_log.file).length === 1, 'a line in the first log');
	const { changed } = await gateway.reload(plain({ ...second, trusted_proxies: ['127.0.0.1'], allowed_hosts: ['gateway'] }));

	equal(changed, ['www', 'trusted_proxies', 'allowed_hosts', 'session_log.file'], 'changed');
	await visit(gateway);
	await until(() => lines(second.session_log.file).length === 1, 'a line in the second log');
	equal(lines(first.session_log.file).length, 1, 'none more in the first');
	equal([lines(first.session_log.file)[0].address, lines(second.session_log.file)[0].address], ['127.0.0.1', '192.0.2.7'], 'who the clients are');
	equal((await ask(gateway.port, 'GET', '/')).body, 'two', 'the pages');
	equal((await ask(gateway.port, 'GET', '/echo/info', { headers: { Host: 'another' } })).status, 421, 'another host');
	await finish(gateway);
});

/* --- addresses -------------------------------------------------------------------------------- */

await suite.test('new addresses are bound before old ones go, and nobody on them is lost', async () => {
	const gateway = await start(plain({ listen: ['127.0.0.1:0', '127.0.0.2:0'] }));
	const port = Number(/:(\d+)$/.exec(gateway.urls[1])?.[1] ?? 0) || Number(/:(\d+)$/.exec(await until(() => gateway.urls[1], 'the second address')));
	const old = await new Raw(port, '/echo', {}, connect(port, '127.0.0.2')).open();
	const changes = await gateway.reload(plain({ listen: ['127.0.0.1:0', '127.0.0.3:0'] }));

	equal([changes.opened, changes.closed], [['127.0.0.3:0'], ['127.0.0.2:0']], 'opened and closed');
	const fresh = Number(/127\.0\.0\.3:(\d+)$/.exec(changes.listening[1])[1]);

	equal((await ask(fresh, 'GET', '/echo/info', { host: '127.0.0.3' })).status, 200, 'the new one');
	const gone = await ask(port, 'GET', '/echo/info', { host: '127.0.0.2' }).catch((e) => e.code);

	equal(gone, 'ECONNREFUSED', 'the old one');
	equal(await old.echo('still'), 'still', 'who came by it');
	await finish(gateway);
});

await suite.test('a unix socket comes and goes', async () => {
	const path = join(folder, 'socket');
	const gateway = await start(plain());

	await gateway.reload(plain({ listen: ['127.0.0.1:0', { address: `unix:${path}`, mode: '0600' }] }));
	equal((await ask(0, 'GET', '/echo/info', { socket: connect(path) })).status, 200, 'it is there');
	await gateway.reload(plain());
	equal(await ask(0, 'GET', '/echo/info', { socket: connect(path) }).catch((e) => e.code), 'ENOENT', 'it is gone');
	await gateway.reload(plain({ listen: ['127.0.0.1:0', { address: `unix:${path}` }] }));
	await finish(gateway);
	check(!readdirSync(folder).includes('socket'), 'it goes with the server');
});

/* --- endpoints --------------------------------------------------------------------------------- */

await suite.test('an endpoint that is gone goes on for those it has', async () => {
	const both = plain({ endpoints: [echo(), { prefix: '/room', application: 'broadcast' }] });
	const gateway = await start(both);
	const poller = await new Poller(gateway.port, '/room').open(), raw = await new Raw(gateway.port, '/room').open();
	const changes = await gateway.reload(plain());

	equal(changes.removed, ['/room'], 'removed');
	equal((await ask(gateway.port, 'GET', '/room/info')).status, 404, 'no info');
	equal((await ask(gateway.port, 'GET', '/room')).status, 404, 'no greeting');
	equal((await new Poller(gateway.port, '/room').poll()).status, 404, 'nobody new');
	equal((await ask(gateway.port, 'GET', '/room/websocket')).status, 404, 'no WebSocket');
	raw.send('hello');
	equal(await raw.next('the broadcast'), 'hello', 'one hears it');
	equal((await poller.poll()).body, 'a["hello"]\n', 'and the other');
	equal(await gateway.metric('sockjs_endpoint_sessions'), 2, 'they are counted');
	await gateway.reload(both);
	const third = await new Raw(gateway.port, '/room').open();

	third.send('new');
	equal([await raw.next('it'), await third.next('it')], ['new', 'new'], 'who comes then is heard by all');
	await finish(gateway);
});

await suite.test('limits of endpoints are for new sessions', async () => {
	const gateway = await start(plain({ endpoints: [echo({ max_message_bytes: 100 })] }));
	const old = await new Raw(gateway.port, '/echo').open();
	const changes = await gateway.reload(plain({ endpoints: [echo({ max_message_bytes: 50 })] }));
	const fresh = await new Raw(gateway.port, '/echo').open();

	equal(changes.new_sessions, ['endpoints["/echo"].max_message_bytes'], 'new_sessions');
	equal(await old.echo('x'.repeat(80)), 'x'.repeat(80), 'an old one');
	equal(await fresh.echo('x'.repeat(80)), 'close 1009', 'a new one');
	await finish(gateway);
});

await suite.test('what needs a restart stays, and is said each time', async () => {
	const gateway = await start(plain());

	for (let i = 0; i < 2; i++)
		equal((await gateway.reload(plain({ threads: threads + 1, io_uring: 'off' }))).restart, ['threads', 'io_uring'], 'restart');
	const { json } = await gateway.command('config');

	equal(json.threads, threads, 'the configuration in effect');
	check(gateway.log.some((l) => /need a restart.*threads, io_uring/.test(l)), 'the log');
	await finish(gateway);
});

/* --- backends, brokers, certificates -------------------------------------------------------------- */

await suite.test('backends: old sessions keep theirs, new ones get the new one', async () => {
	const backends = await Promise.all(['one', 'two'].map((name) => new Promise((resolve) => {
		const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => resolve(server));

		server.on('connection', (ws) => ws.on('message', (m) => ws.send(`${name}: ${m}`)));
	})));
	const config = (i) => plain({ endpoints: [{ prefix: '/app', application: 'upstream', upstream: { url: `ws://127.0.0.1:${backends[i].address().port}/` } }] });
	const gateway = await start(config(0));
	const old = await new Raw(gateway.port, '/app').open();

	equal(await old.echo('a'), 'one: a', 'before');
	equal((await gateway.reload(config(1))).new_sessions, ['endpoints["/app"].upstream.url'], 'new_sessions');
	const fresh = await new Raw(gateway.port, '/app').open();

	equal([await old.echo('b'), await fresh.echo('b')], ['one: b', 'two: b'], 'each has its own');
	old.end();
	await until(() => backends[0].clients.size === 0, 'the old one is left');
	equal(await fresh.echo('c'), 'two: c', 'the new one goes on');
	/* Checks begin with a reload, and end with one. */
	const checked = plain({ endpoints: [{ prefix: '/app', application: 'upstream',
		upstream: { url: 'ws://127.0.0.1:1/', check: { kind: 'tcp', interval_ms: 100, fall: 1 } } }] });

	await gateway.reload(checked);
	await until(async () => await gateway.metric('sockjs_upstream_checks_total') > 2, 'checks are made');
	await gateway.reload(config(1));
	equal(await gateway.metric('sockjs_upstream_checks_total'), 0, 'and nobody counts them any more');
	await finish(gateway);
	for (const backend of backends)
		backend.close();
});

await suite.test('backends: what operators have set stays, and what is known of them, too', async () => {
	let checked = 0;
	const backend = await new Promise((resolve) => {
		const server = createServer((request, response) => {
			checked += request.url === '/check';
			response.end();
		});

		new WebSocketServer({ server }).on('connection', (ws) => ws.on('message', (m) => ws.send(`${m}`)));
		server.listen(0, '127.0.0.1', () => resolve(server));
	});
	const at = `ws://127.0.0.1:${backend.address().port}/`, other = 'ws://127.0.0.1:1/';
	const config = (url, more = {}, upstream = {}) => plain({ endpoints: [{ prefix: '/app', application: 'upstream',
		upstream: { url, check: { kind: 'http', path: '/check', interval_ms: 100 }, ...upstream }, ...more }] });
	const gateway = await start(config([at, other]));
	const states = async () => {
		const { json } = await gateway.command('backends', { endpoint: '/app' });

		return json.backends.map((b) => [b.url, b.mode, b.weight]);
	};

	await until(() => checked > 0, 'it is checked');
	await gateway.command('backend', { endpoint: '/app', backend: other, state: 'drain' });
	await gateway.command('backend', { endpoint: '/app', backend: at, weight: 7 });
	const session = await new Raw(gateway.port, '/app').open();

	equal(await session.echo('a'), 'a', 'an echo');
	/* Other options of the endpoint: the same application goes on, with its connections. */
	await gateway.reload(config([at, other], { heartbeat_delay_ms: 20000 }));
	const { json } = await gateway.command('backends', { endpoint: '/app' });

	equal(json.backends[0].connections, 1, 'the connection is its own yet');
	equal(await states(), [[at, 'ready', 7], [other, 'drain', 1]], 'what was set');
	/* Other backends, and an option that it has copied: another one, to which that is handed over. */
	await gateway.reload(config([other, at, 'ws://127.0.0.1:2/']));
	equal(await states(), [[other, 'drain', 1], [at, 'ready', 7], ['ws://127.0.0.1:2/', 'ready', 1]], 'what was set, elsewhere');
	await gateway.reload(config([other, at], { send_buffer_bytes: 65536 }));
	equal(await states(), [[other, 'drain', 1], [at, 'ready', 7]], 'and again');
	await gateway.reload(config([`${at} weight=3`, other]));
	equal(await states(), [[at, 'ready', 3], [other, 'drain', 1]], 'but for a weight that the configuration changes');
	/* Back to what the session began with: that one is there yet. */
	await gateway.reload(config([at, other]));
	equal((await gateway.command('backends', { endpoint: '/app' })).json.backends[0].connections, 1, 'the first one goes on');
	equal((await states())[1], [other, 'drain', 1], 'as operators have it');
	/* Nobody needs to know how it does, when no sessions may come. */
	await gateway.reload(config([other], {}, { check: { kind: 'none' } }));
	await sleep(150);
	const before = checked;

	await sleep(500);
	equal(checked, before, 'it is not checked any more');
	equal(await session.echo('b'), 'b', 'an echo');
	await gateway.reload(config([at, other]));
	await until(() => checked > before, 'until it is back');
	session.end();
	await finish(gateway);
	backend.close();
});

await suite.test('web-hooks: who was let in by one backend is told of to that one', async () => {
	const backends = await Promise.all(['one', 'two'].map((name) => new Promise((resolve) => {
		const server = createServer(async (request, response) => {
			let body = '';

			for await (const chunk of request)
				body += chunk;
			server.heard.push(JSON.parse(body).event);
			setTimeout(() => response.end('{}'), 30); /* so that something is under way */
		});

		server.heard = [];
		server.listen(0, '127.0.0.1', () => resolve(server));
	})));
	const config = (i) => plain({ endpoints: [echo({ hooks: { url: `http://127.0.0.1:${backends[i].address().port}/`, events: ['connect', 'disconnect'] } }),
		{ prefix: '/hooked', application: 'hooks', hooks: { url: `http://127.0.0.1:${backends[i].address().port}/`, events: ['connect', 'message', 'disconnect'] } }] });
	const gateway = await start(config(0));
	const [a, b] = await Promise.all(['/echo', '/hooked'].map((prefix) => new Raw(gateway.port, prefix).open()));

	await gateway.reload(config(1));
	const fresh = await new Raw(gateway.port, '/echo').open();

	equal([await a.echo('a'), await fresh.echo('f')], ['a', 'f'], 'each goes on');
	b.send('a message');
	a.end();
	b.end();
	await until(() => backends[0].heard.length === 5, 'the old backend hears of the end of its sessions');
	equal(backends[0].heard.slice().sort(), ['connect', 'connect', 'disconnect', 'disconnect', 'message'], 'what it has heard');
	equal(backends[1].heard, ['connect'], 'what the new one has');
	await sleep(500); /* the old application leaves */
	equal(await fresh.echo('g'), 'g', 'the new one is not touched');
	await finish(gateway);
	equal(backends[1].heard, ['connect', 'disconnect'], 'the new one hears of the end');
	backends.forEach((backend) => backend.close());
});

await suite.test('web-hooks: which headers a backend is told goes at once, whatever application is behind it', async () => {
	const heard = [];
	const backend = await new Promise((resolve) => {
		const server = createServer(async (request, response) => {
			let body = '';

			for await (const chunk of request)
				body += chunk;
			heard.push(JSON.parse(body));
			response.end('{}');
		}).listen(0, '127.0.0.1', () => resolve(server));
	});
	const hooks = { url: `http://127.0.0.1:${backend.address().port}/`, events: ['connect'] };
	const config = (names) => plain({ endpoints: [echo({ hooks, request_headers: names }),
		{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open' }, hooks, request_headers: names }] });
	const gateway = await start(config(['x-old']));
	const headers = { 'x-old': '1', 'x-new': '2' };
	const told = async () => {
		heard.length = 0;
		const raw = await new Raw(gateway.port, '/echo', headers).open();
		const stomp = await new Raw(gateway.port, '/stomp', headers).open();

		stomp.send('CONNECT\naccept-version:1.2\nhost:x\n\n\0');
		await until(() => heard.length === 2, 'both ask');
		raw.end();
		stomp.end();
		return heard.map((e) => e.headers);
	};

	equal(await told(), [{ 'x-old': '1' }, { 'x-old': '1' }], 'before');
	equal((await gateway.reload(config(['x-new']))).changed, ['endpoints["/echo"].request_headers', 'endpoints["/stomp"].request_headers'], 'changed');
	equal(await told(), [{ 'x-new': '2' }, { 'x-new': '2' }], 'afterwards');
	await finish(gateway);
	backend.close();
});

const jwt = (sub, secret) => {
	const text = [{ alg: 'HS256', typ: 'JWT' }, { sub, exp: Math.floor(Date.now() / 1000) + 3600 }]
		.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');

	return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
};

class Stomp {
	constructor(raw) { this.raw = raw; }

	static async connect(gateway, token) {
		const s = new Stomp(await new Raw(gateway.port, '/stomp').open());

		s.raw.send(`CONNECT\naccept-version:1.2\nhost:x\nheart-beat:0,0\n`);
		s.raw.send(`${token ? `token:${token.slice(0, 80)}` : 'x:y'}`);
		s.raw.send(`${token ? token.slice(80) : ''}\n\n\0`);
		return s;
	}

	async frame(what) {
		const text = await this.raw.next(what);

		return text.split('\n')[0];
	}
}

await suite.test('a broker: tokens and access go at once, subscribers and queues stay', async () => {
	const secrets = ['a-secret-of-at-least-32-octets-for-HS256', 'another-secret-of-at-least-32-octets-HS256'];
	const config = (i, access, more = {}) => plain({ endpoints: [{ prefix: '/stomp', application: 'stomp',
		stomp: { anonymous: false, access, heartbeat_ms: [0, 0], tokens: { algorithm: 'HS256', secret: secrets[i] }, ...more } }] });
	const closed = [{ destination: '/topic/open', send: { users: ['a', 'b'] }, subscribe: { users: ['a', 'b'] } }];
	const gateway = await start(config(0, 'open'));
	const a = await Stomp.connect(gateway, jwt('a', secrets[0]));

	equal(await a.frame('CONNECTED'), 'CONNECTED', 'with the first secret');
	a.raw.send('SUBSCRIBE\nid:1\ndestination:/topic/open\n\n\0');
	const changes = await gateway.reload(config(1, closed, { prefetch: 7 }));

	equal(changes.changed, ['endpoints["/stomp"].stomp.access', 'endpoints["/stomp"].stomp.tokens'], 'changed');
	equal(changes.restart, ['endpoints["/stomp"].stomp.prefetch'], 'restart');
	await until(async () => {
		const s = await Stomp.connect(gateway, jwt('x', secrets[0]));

		return await s.frame('ERROR') === 'ERROR';
	}, 'the old secret is no longer good');
	const b = await Stomp.connect(gateway, jwt('b', secrets[1]));

	equal(await b.frame('CONNECTED'), 'CONNECTED', 'the new one is');
	b.raw.send('SEND\ndestination:/topic/open\n\nhello\0');
	equal(await a.frame('a message'), 'MESSAGE', 'who was there hears who is new');
	a.raw.send('SEND\ndestination:/topic/closed\n\nhello\0');
	equal(await a.frame('an error'), 'ERROR', 'access goes for who was there as well');
	await finish(gateway);
});

await suite.test('a broker with a journal comes by a reload, goes, and comes again', async () => {
	const journal = join(folder, 'journal');
	const config = (more = {}) => plain({ endpoints: [echo(), { prefix: '/stomp', application: 'stomp',
		stomp: { anonymous: true, access: 'open', heartbeat_ms: [0, 0], journal, ...more } }] });
	const join_ = async (gateway) => {
		const s = await Stomp.connect(gateway);

		equal(await s.frame('CONNECTED'), 'CONNECTED', 'it is connected');
		return s;
	};
	let gateway = await start(plain());

	equal((await gateway.reload(config())).added, ['/stomp'], 'added');
	const a = await join_(gateway);

	a.raw.send('SEND\ndestination:/queue/q\nreceipt:1\n\nkept\0');
	equal(await a.frame('a receipt'), 'RECEIPT', 'it is kept');
	a.raw.end();
	equal((await gateway.reload(plain())).removed, ['/stomp'], 'removed');
	equal((await ask(gateway.port, 'GET', '/stomp/info')).status, 404, 'it is gone');
	gateway.write(config({ max_deliveries: 3 }));
	equal((await gateway.command('reload')).status, 422, 'it does not come again as another one');
	await gateway.reload(config());
	const b = await join_(gateway);

	b.raw.send('SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client\n\n\0');
	equal(await b.frame('the message'), 'MESSAGE', 'the queue is still there');
	await finish(gateway);
	gateway = await start(config());
	const c = await join_(gateway);

	c.raw.send('SUBSCRIBE\nid:1\ndestination:/queue/q\n\n\0');
	equal(await c.frame('the message'), 'MESSAGE', 'and on the disk');
	await finish(gateway);
});

await suite.test('certificates are read anew', async () => {
	const make = (cn) => {
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', `/CN=${cn}`,
			'-keyout', join(folder, `${cn}.key`), '-out', join(folder, `${cn}.pem`)], { stdio: 'ignore' });
	};
	const use = (cn) => ['key', 'pem'].forEach((end) => copyFileSync(join(folder, `${cn}.${end}`), join(folder, `now.${end}`)));
	const config = plain({ listen: [{ address: '127.0.0.1:0', tls: { certificate: join(folder, 'now.pem'), key: join(folder, 'now.key') } }] });
	const shown = (port, session) => new Promise((resolve, reject) => {
		const s = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false, session, maxVersion: 'TLSv1.2' }, () => {
			resolve([s.getPeerCertificate().subject?.CN, s.isSessionReused(), s.getSession()]);
			s.end();
		}).on('error', reject);
	});

	make('first');
	make('second');
	use('first');
	const gateway = await start(config);
	const [cn, , ticket] = await shown(gateway.port);
	const socket = tlsConnect({ port: gateway.port, host: '127.0.0.1', rejectUnauthorized: false });
	const old = await new Raw(0, '/echo', {}, socket).open();

	equal(cn, 'first', 'at first');
	use('second');
	await gateway.reload(config);
	equal((await shown(gateway.port))[0], 'second', 'at once');
	equal((await shown(gateway.port, ticket))[1], true, 'tickets go on');
	equal(await old.echo('still'), 'still', 'who was there');
	writeFileSync(join(folder, 'now.key'), 'garbage');
	equal((await gateway.command('reload')).status, 422, 'a key that is none');
	equal((await shown(gateway.port))[0], 'second', 'changes nothing');
	await finish(gateway);
});

/* --- many ------------------------------------------------------------------------------------------- */

/* Each is another configuration than the one before, in all that can change. */
const nth = (i, more = {}) => plain({
	log_level: i % 3 ? 'warn' : 'info',
	listen: ['127.0.0.1:0', ...(i % 2 ? ['127.0.0.2:0'] : [])],
	limits: { header_bytes: 16384 + 1024 * (i % 3), connections: 50000 + i, sessions_per_address: 100000 + i },
	endpoints: [echo({ heartbeat_delay_ms: 25000 + i, disconnect_delay_ms: 600000, allowed_origins: [`http://h${i}.example`] }),
		{ prefix: '/app', application: 'upstream', upstream: { url: `ws://127.0.0.1:${1 + i}/`, check: { kind: 'tcp', interval_ms: 1000 } } },
		{ prefix: '/stomp', application: 'stomp', stomp: { anonymous: true, access: 'open' }, max_sessions: 10 + i },
		...(i % 2 ? [{ prefix: `/extra${i}`, application: 'broadcast' }] : [])],
	...more,
});

async function openMany(gateway, count) {
	const raws = [], pollers = [];

	while (raws.length + pollers.length < count) {
		const some = Math.min(200, count - raws.length - pollers.length);

		raws.push(...await Promise.all(Array.from({ length: some - 4 }, () => new Raw(gateway.port, '/echo').open())));
		pollers.push(...await Promise.all(Array.from({ length: 4 }, () => new Poller(gateway.port, '/echo').open())));
	}
	return { raws, pollers };
}

await suite.test(`${SESSIONS} sessions, and ${RELOADS} reloads under load: none is lost, and nothing grows`, async () => {
	const gateway = await start(nth(0)), errors = [];
	const { raws, pollers } = await openMany(gateway, SESSIONS);
	let over = false, echoes = 0, opened = 0;
	/* Some talk all the time, some come and go, some poll. */
	const talk = async (raw) => {
		for (let i = 0; !over; i++, echoes++)
			equal(await raw.echo(`m${i}`), `m${i}`, 'an echo');
	};
	const visit = async () => {
		for (; !over; opened++) {
			const raw = await new Raw(gateway.port, '/echo').open();

			equal(await raw.echo('x'), 'x', 'an echo of who came');
			raw.end();
		}
	};
	const poll = async (poller) => {
		for (let i = 0; !over; i++, echoes++) {
			const { body } = await poller.echo(`p${i}`);

			equal(body, `a["p${i}"]\n`, 'an echo by polling');
		}
	};
	const workers = [...raws.slice(0, 20).map(talk), ...pollers.slice(0, 5).map(poll), visit(), visit()]
		.map((w) => w.catch((e) => errors.push(e.message)));
	const once = async (i) => {
		const { json, status } = await (gateway.write(nth(i)), gateway.command('reload'));

		if (status !== 200)
			errors.push(`reload ${i}: ${JSON.stringify(json)}`);
		return json;
	};
	let last;

	for (let i = 1; i <= RELOADS / 2; i++)
		last = await once(i);
	const halfway = gateway.memory;

	for (let i = RELOADS / 2 + 1; i <= RELOADS; i++)
		last = await once(i);
	const grown = gateway.memory - halfway;

	over = true;
	await Promise.all(workers);
	equal(errors.slice(0, 3), [], 'errors');
	check(last.sessions >= SESSIONS - 2, `${last.sessions} sessions`);
	const lost = raws.filter((r) => r.closed).length;

	equal(lost, 0, 'connections lost');
	for (let i = 0; i < raws.length; i += 500)
		equal((await Promise.all(raws.slice(i, i + 500).map((r) => r.echo('end')))).filter((t) => t !== 'end'), [], 'all echo');
	for (const poller of pollers.slice(5, 30))
		equal((await poller.echo('end')).body, 'a["end"]\n', 'pollers too');
	check(grown < 48 << 20, `${grown} octets more`); /* a sanitizer keeps what was freed for a while */
	console.log(`        ${echoes} echoes, ${opened} came and went, ${Math.round(grown / 1024)} KiB more in the second half`);
	for (const raw of raws)
		raw.end();
	await finish(gateway);
}, patient(150000));

await suite.test('400 reloads, each of something else, and memory stays as it is', async () => {
	/* A sanitizer would keep what was freed. */
	const gateway = await start(nth(0), { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1:thread_local_quarantine_size_kb=16` });
	/* Applications leave reactor by reactor, and that takes them half a second. */
	const settled = async () => (await sleep(patient(300)), gateway.memory);
	let before;

	for (let i = 1; i <= 400; i++) {
		await gateway.reload(nth(i));
		if (i === 200)
			before = await settled();
	}
	const grown = await settled() - before;

	console.log(`        ${Math.round(grown / 1024)} KiB more in the second half`);
	check(grown < 8 << 20, `${grown} octets more`); /* a sanitizer remembers threads, and each reload has one */
	await finish(gateway);
}, patient(60000));

await suite.test('a stop in the midst of it', async () => {
	for (let i = 0; i < 5; i++) {
		const gateway = await start(nth(0)), session = await new Raw(gateway.port, '/echo').open();

		gateway.write(nth(i + 1));
		gateway.child.kill('SIGHUP');
		await sleep(i * 5);
		await finish(gateway);
		check(session.frames.length > 0 || session.closed, 'the session is closed');
	}
});

suite.finish();
