#!/usr/bin/env node
/*
 * run.mjs - web-hooks: a backend by HTTP that guards endpoints, is the application of plain sessions, and
 * misbehaves in every way.
 *
 *	run.mjs --server ./sockjsd [--threads N] [--only REGEXP]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';
import { check, equal, readArguments, Suite } from '../e2e/harness.mjs';
import { Gateway, sleep, until } from '../upstream/gateway.mjs';
import { Backend, Liar, SECRET } from './backend.mjs';
import { testExamples } from './examples.mjs';
import { stompTests } from './stomp.mjs';
import { KINDS, Polling, Raw, SockjsWebsocket } from './sessions.mjs';

const args = readArguments(['server', 'threads', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'hooks-'));
const program = args.server ?? './sockjsd';
const THREADS = Number(args.threads ?? 2);
const TOKEN = 'correct-horse-battery';

process.setMaxListeners(0);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* --- a gateway with one endpoint --------------------------------------------------------- */

async function withGateway(endpoint, fn, more = {}) {
	const gateway = new Gateway(program, join(folder, 'sockjsd.json'));

	await gateway.start({ listen: ['127.0.0.1:0'], threads: THREADS, internal: { listen: '127.0.0.1:0', token: TOKEN },
		endpoints: [{ prefix: '/e', request_headers: ['cookie', 'x-own'], ...endpoint }], ...more });
	gateway.endpoint = `${gateway.url}/e`;
	try {
		await fn(gateway);
	} finally {
		equal(await gateway.stop(), 0, 'how the gateway ends');
	}
}

async function withBackend(answer, options, fn, more) {
	const backend = await new Backend(answer).start();
	const { hooks, ...endpoint } = { application: 'hooks', ...options };

	try {
		await withGateway({ ...endpoint, hooks: { url: backend.url, ...hooks } }, (gateway) => fn(gateway, backend), more);
	} finally {
		await backend.stop();
	}
}

async function figure(gateway, name, label) {
	const text = await (await fetch(`${gateway.internal}/metrics`)).text();
	const lines = text.split('\n').filter((l) => l.startsWith(`${name}{`) && (!label || l.includes(label)));

	return lines.reduce((sum, l) => sum + Number(/ (\S+)$/.exec(l)[1]), 0);
}

async function api(gateway, command, body) {
	const answer = await fetch(`${gateway.internal}/api/${command}`, { method: 'POST', body: JSON.stringify(body),
		headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' } });

	return { status: answer.status, json: await answer.json() };
}

/* --- the application hooks ---------------------------------------------------------------- */

const echo = (event) => (event.event === 'message' ? { json: { messages: event.messages } } : {});

await suite.test('hooks: every kind of client is connected, heard, answered, and its end told', async () => {
	await withBackend(echo, { hooks: { secret: SECRET } }, async (gateway, backend) => {
		for (const Kind of KINDS) {
			backend.forget();
			const client = new Kind(gateway.endpoint, { query: '?room=7', headers: { cookie: 'a=b', 'x-own': 'mine', 'x-other': 'hidden' } });

			check(await client.opened, `${client.name}: opens`);
			const connect = await backend.heard('connect');
			equal([connect.endpoint, connect.transport, connect.remote, connect.tls, connect.headers], ['/e', client.name, '127.0.0.1', false, { cookie: 'a=b', 'x-own': 'mine' }], 'what it is told');
			check(connect.query.startsWith('room=7'), 'the query');
			check(/^[0-9a-f]{32}$/.test(connect.id) && connect.http['idempotency-key'] === connect.id && connect.http['sockjsd-event'] === 'connect', 'the id');
			check(connect.signed, 'the signature');
			for (const text of ['a', 'Grüße 🚂', '', '"\\\u0000\u2028', 'x'.repeat(50000)]) {
				await client.send(text);
				equal(await client.take(), text, `${client.name}: what comes back`);
			}
			client.close(3001, 'bye');
			const end = await backend.heard('disconnect');
			equal([end.session, end.endpoint], [connect.session, '/e'], 'whose end it is');
			if (Kind === Raw)
				equal([end.code, end.reason], [3001, 'bye'], 'how it ended');
		}
	});
});

await suite.test('hooks: messages are in order, one request at a time for each session, many messages in one', async () => {
	const slow = async (event) => {
		if (event.event === 'message')
			await sleep(20);
		return echo(event);
	};

	await withBackend(slow, {}, async (gateway, backend) => {
		const clients = await Promise.all(Array.from({ length: 20 }, async () => {
			const client = new SockjsWebsocket(gateway.endpoint);
			await client.opened;
			return client;
		}));
		const texts = Array.from({ length: 500 }, (_, i) => `${i}`);

		for (const text of texts)
			clients.forEach((c) => c.send(text));
		for (const c of clients)
			equal(await c.takeMany(texts.length), texts, 'all of them, in order');
		check(backend.events('message').length < 20 * 500 / 4, `${backend.events('message').length} requests for 10,000 messages`);
		const open = new Map();
		clients.forEach((c) => c.close());
		await backend.heard('disconnect', 20);
		for (const e of backend.asked) {
			check(open.get(e.session) !== 'disconnect', 'nothing follows the end');
			open.set(e.session, e.event);
		}
	});
});

await suite.test('hooks: what a client sends before it leaves is heard before its end', async () => {
	await withBackend(async (e) => { await sleep(e.event === 'message' ? 100 : 0); return {}; }, {}, async (gateway, backend) => {
		const client = new Raw(gateway.endpoint);

		await client.opened;
		client.send('1');
		client.send('2');
		client.send('3');
		client.close(1000);
		await backend.heard('disconnect');
		equal(backend.events('message').flatMap((e) => e.messages), ['1', '2', '3'], 'all of it');
		equal(backend.asked.at(-1).event, 'disconnect', 'and then the end');
	});
});

await suite.test('hooks: who a client is stands in all that follows; answers greet, send octets, and close', async () => {
	const answer = (e) => {
		if (e.event === 'connect')
			return { json: { user: 'ann', attributes: { plan: 'gold', seats: [1, 2] }, messages: ['welcome', 'here'] } };
		if (e.event === 'message' && e.messages[0] === 'octets')
			return { json: { messages: [{ base64: Buffer.from([0, 255, 1]).toString('base64') }] } };
		return e.event === 'message' ? { json: { messages: ['last'], close: { code: 4001, reason: 'enough' } } } : {};
	};

	await withBackend(answer, {}, async (gateway, backend) => {
		for (const Kind of KINDS) {
			const client = new Kind(gateway.endpoint);

			backend.forget();
			equal(await client.takeMany(2), ['welcome', 'here'], 'the greeting');
			if (Kind === Raw) {
				client.send('octets');
				equal([...await client.take()], [0, 255, 1], 'octets');
				client.send(Buffer.from([9, 8]));
			} else {
				await client.send('enough?');
			}
			equal(await client.take(), 'last', 'the last word');
			equal(await client.end(), { code: 4001, reason: 'enough' }, 'the end');
			const message = backend.events('message').at(-1);
			equal([message.user, message.attributes], ['ann', { plan: 'gold', seats: [1, 2] }], 'who it is');
			if (Kind === Raw)
				equal(message.messages, [{ base64: 'CQg=' }], 'its octets');
			equal((await backend.heard('disconnect')).user, 'ann', 'who has left');
		}
	});
});

await suite.test('hooks: /api/send pushes to the session that an event has named', async () => {
	await withBackend(() => ({}), {}, async (gateway, backend) => {
		const client = new Polling(gateway.endpoint);

		await client.opened;
		const { session } = await backend.heard('connect');
		equal((await api(gateway, 'send', { session, message: 'pushed' })).status, 200, 'the answer');
		equal(await client.take(), 'pushed', 'what came');
		client.close();
	});
});

await suite.test('hooks: what is not wanted is not asked', async () => {
	await withBackend(echo, { hooks: { events: ['message'] } }, async (gateway, backend) => {
		const client = new Raw(gateway.endpoint);

		await client.opened;
		client.send('x');
		equal(await client.take(), 'x', 'the echo');
		client.close();
		await gateway.quiet(1000);
		equal(backend.asked.map((e) => e.event), ['message'], 'what was asked');
	});
});

await suite.test('hooks: a stop tells all ends, and waits for it', async () => {
	const backend = await new Backend(async (e) => { await sleep(e.event === 'disconnect' ? 300 : 0); return {}; }).start();

	await withGateway({ application: 'hooks', hooks: { url: backend.url } }, async (gateway) => {
		const clients = KINDS.map((Kind) => new Kind(gateway.endpoint));

		await Promise.all(clients.map((c) => c.opened));
	});
	equal(backend.events('disconnect').length, KINDS.length, 'ends that were told');
	await backend.stop();
});

await suite.test('hooks: a backend that hangs keeps no gateway from its end', async () => {
	const backend = await new Backend((e) => (e.event === 'connect' ? {} : new Promise(() => {}))).start();

	await withGateway({ application: 'hooks', hooks: { url: backend.url, timeout_ms: 60000 } }, async (gateway) => {
		const clients = Array.from({ length: 12 }, (_, i) => new KINDS[i % 3](gateway.endpoint)); /* in all threads */

		await Promise.all(clients.map((c) => c.opened));
		for (const [i, client] of clients.entries())
			if (i % 2)
				client.send('heard, and never answered');
		await backend.heard('message', 6);
		clients[0].close();
		clients[1].close();
		await backend.heard('disconnect');
	}, { shutdown_timeout_ms: 500 });
	await backend.stop();
});

/* --- a guard ------------------------------------------------------------------------------ */

const NAMED = (e) => (e.event !== 'connect' ? {} : e.query.includes('bad') ? { status: 403, json: { reason: 'not you' } } : { json: { user: 'ann' } });

await suite.test('guard: a no is the status for a bare WebSocket, and c[4403] for SockJS; the reason is the backend\'s', async () => {
	await withBackend(NAMED, { application: 'echo' }, async (gateway) => {
		for (const Kind of KINDS) {
			const client = new Kind(gateway.endpoint, { query: '?bad' });
			const good = new Kind(gateway.endpoint, { query: '?good' });

			equal(await client.end(), Kind === Raw ? { status: 403 } : { code: 4403, reason: 'not you' }, client.name);
			check(await good.opened, `${good.name}: the good one opens`);
			await good.send('x');
			equal(await good.take(), 'x', 'and is served');
			good.close();
		}
		equal(await figure(gateway, 'sockjs_hook_refusals_total', 'connect'), KINDS.length, 'refusals counted');
	});
});

await suite.test('guard: in front of an upstream, whose backend gets the headers that were granted, not the client\'s', async () => {
	const upgrades = [];
	const upstream = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: (set) => [...set][0] ?? false });

	upstream.on('connection', (socket, request) => {
		upgrades.push(request.headers);
		socket.on('message', (m, isBinary) => socket.send(m, { binary: isBinary }));
	});
	await new Promise((resolve) => upstream.once('listening', resolve));
	const answer = (e) => (e.event === 'connect' ? { json: { headers: { 'X-User': 'ann', 'X-Own': 'granted' } } } : {});
	await withBackend(answer, { application: 'upstream', upstream: { url: `ws://127.0.0.1:${upstream.address().port}/`, forward_headers: ['x-own'] }, hooks: { events: ['connect', 'disconnect'] } }, async (gateway, backend) => {
		for (const Kind of KINDS) {
			const client = new Kind(gateway.endpoint, { headers: { 'x-own': 'forged', 'x-user': 'root' } });

			check(await client.opened, `${client.name}: opens`);
			await client.send('through');
			equal(await client.take(), 'through', 'the echo');
			const seen = upgrades.pop();
			equal([seen['x-user'], seen['x-own']], ['ann', 'granted'], `${client.name}: headers`);
			client.close();
		}
		await backend.heard('disconnect', KINDS.length);
		const chosen = new Raw(gateway.endpoint, { protocols: ['p1', 'p2'] });
		check(await chosen.opened, 'opens');
		equal(chosen.socket.protocol, 'p1', 'the subprotocol is the upstream\'s choice');
		equal(backend.events('connect').at(-1).subprotocols, ['p1', 'p2'], 'and was told');
		chosen.close();
	});
	upstream.close();
});

await suite.test('guard: headers that no request could have, or only the gateway may say, are a failure', async () => {
	for (const headers of [[{ name: 'X-User', value: 'ann' }], 'X-User: ann', { 'X-User': 'ann\0' }, { 'X-User': 'a\r\nX-Evil: b' }, { 'x y': 'a' }, { Host: 'elsewhere' }, { 'Content-Length': '5' }, { 'Sec-WebSocket-Key': 'x' }, { a: 1 }])
		await withBackend(() => ({ json: { headers } }), { application: 'echo' }, async (gateway) => {
			equal(await new Raw(gateway.endpoint).end(), { status: 502 }, JSON.stringify(headers));
			equal((await new SockjsWebsocket(gateway.endpoint).end()).code, 1014, JSON.stringify(headers));
		});
});

const SENSELESS = [{ messages: 'x' }, { messages: { a: 1 } }, { messages: ['x', 3] }, { messages: [{ base64: '?' }] }, { close: 'yes' }, { close: { code: '4001' } },
	{ close: { code: 7 } }, { close: { code: 99999 } }, { close: { code: 4001, reason: 3 } }];

await suite.test('guard: messages and a close that are none are a failure, and nothing of them is done', async () => {
	let json;

	await withBackend(() => ({ json }), { application: 'echo' }, async (gateway) => {
		for (json of SENSELESS)
			equal(await new Raw(gateway.endpoint).end(), { status: 502 }, JSON.stringify(json));
		equal(await figure(gateway, 'sockjs_hook_failures_total', '"answer"'), SENSELESS.length, 'counted');
	});
});

await suite.test('hooks: an answer to messages that makes no sense is none', async () => {
	let json;

	await withBackend((e) => (e.event === 'message' ? { json } : {}), {}, async (gateway) => {
		for (json of SENSELESS) {
			const client = new Raw(gateway.endpoint);

			client.opened.then(() => client.send('x'));
			equal((await client.end()).code, 1013, JSON.stringify(json));
		}
		equal(await figure(gateway, 'sockjs_hook_failures_total', '"answer"'), SENSELESS.length, 'counted');
	});
});

await suite.test('guard: no headers are no failure, whatever a language writes for them', async () => {
	for (const headers of [null, [], {}])
		await withBackend(() => ({ json: { headers } }), { application: 'echo' }, async (gateway) => {
			const client = new Raw(gateway.endpoint);

			client.opened.then(() => client.send('x'));
			equal(await client.take(), 'x', JSON.stringify(headers));
			client.close();
		});
});

await suite.test('guard: a client that leaves while the backend thinks leaves nothing', async () => {
	await withBackend(async () => { await sleep(1500); return {}; }, { application: 'echo', hooks: { events: ['connect', 'disconnect'] } }, async (gateway, backend) => {
		let before = 0;

		for (let round = 1; round <= 3; round++) {
			const clients = Array.from({ length: 12 }, (_, i) => new KINDS[i % 3](gateway.endpoint));

			await backend.heard('connect', 12 * round);
			clients.forEach((c) => (c.socket ? c.socket.terminate() : c.close()));
			await sleep(2000);
			before ||= gateway.descriptors(); /* with connections that are kept alive */
			await gateway.quiet(before, 15000);
		}
		equal(backend.events('disconnect').length, 0, 'who was not in does not leave');
	});
});

/* --- backends that misbehave -------------------------------------------------------------- */

async function isUnavailable(gateway, what) {
	const raw = new Raw(gateway.endpoint), sockjs = new SockjsWebsocket(gateway.endpoint);

	equal(await raw.end(), { status: 503 }, `${what}: a bare WebSocket`);
	equal((await sockjs.end()).code, 1013, `${what}: SockJS`);
}

const ANSWERS = {
	'broken JSON': { octets: 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1,', reason: 'answer' },
	'a list': { octets: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]', reason: 'answer' },
	'no HTTP': { octets: 'SSH-2.0-OpenSSH\r\n', reason: 'connection' },
	nothing: { octets: '', reason: 'connection' },
	'less than announced': { octets: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}', reason: 'connection' },
	'an error': { octets: 'HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n', reason: 'status' },
	'a redirect': { octets: 'HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n', reason: 'status' },
	'too much': { octets: `HTTP/1.1 200 OK\r\n\r\n{"x":"${'y'.repeat(2000000)}"}`, reason: 'answer' },
	'a head without an end': { octets: 'HTTP/1.1 200 OK\r\nX: y\r\n', ends: false, reason: 'timeout' },
	'a body without an end': { octets: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{', ends: false, reason: 'timeout' },
};

for (const [name, { octets, ends = true, reason }] of Object.entries(ANSWERS))
	await suite.test(`backend: ${name} is a failure, counted as ${reason}`, async () => {
		const liar = await new Liar(octets, { ends }).start();

		await withGateway({ application: 'echo', hooks: { url: liar.url, timeout_ms: 600 } }, async (gateway) => {
			await isUnavailable(gateway, name);
			equal(await figure(gateway, 'sockjs_hook_failures_total', `"${reason}"`), 2, 'failures of this kind');
			check(gateway.said(/a backend does not answer/), 'the log says it');
		});
		liar.stop();
	});

await suite.test('backend: nobody there, and a name that there is not', async () => {
	for (const url of ['http://127.0.0.1:1/', 'http://nobody.invalid/'])
		await withGateway({ application: 'hooks', hooks: { url, timeout_ms: 3000, open_after_ms: 0 } }, (gateway) => isUnavailable(gateway, url));
});

await suite.test('backend: a name is resolved, and asked by it', async () => {
	const backend = await new Backend(echo).start();

	await withGateway({ application: 'hooks', hooks: { url: `http://localhost:${backend.port}/hook` } }, async (gateway) => {
		const client = new Raw(gateway.endpoint);

		check(await client.opened, 'opens');
		equal(backend.asked[0].http.host, `localhost:${backend.port}`, 'the Host header');
		client.close();
	});
	await backend.stop();
});

await suite.test('backend: a question is asked again after a reset and after 503, a message is not', async () => {
	let calls = 0;
	const flaky = (e) => {
		if (e.event === 'connect' && ++calls <= 2)
			return calls === 1 ? { reset: true } : { status: 503 };
		return e.event === 'message' ? { reset: true } : {};
	};

	await withBackend(flaky, {}, async (gateway, backend) => {
		const client = new Raw(gateway.endpoint);

		check(await client.opened, 'opens in the end');
		equal(new Set(backend.events('connect').map((e) => e.id)).size, 1, 'one id for all three');
		equal(backend.events('connect').length, 3, 'tries');
		client.send('once');
		equal((await client.end()).code, 1013, 'the client hears of it');
		equal(backend.events('message').length, 1, 'a message is not sent twice');
		equal(await figure(gateway, 'sockjs_hook_repetitions_total'), 2, 'repetitions counted');
	});
});

await suite.test('backend: one that is slow slows down who talks to it, within bounds, and nobody else', async () => {
	let blocked = [];
	const hold = (e) => (e.event === 'message' ? new Promise((resolve) => { blocked.push(() => resolve({})); }) : {});

	await withBackend(hold, { hooks: { timeout_ms: 60000, max_batch_bytes: 65536 } }, async (gateway, backend) => {
		const greedy = new Raw(gateway.endpoint), text = 'x'.repeat(1000);
		const before = gateway.rss();

		await greedy.opened;
		for (let i = 0; i < 50000; i++)
			greedy.send(`${i} ${text}`);
		await sleep(1500);
		check(greedy.socket.bufferedAmount > 10e6, 'it is read no more');
		check(gateway.rss() - before < 30e6, `${(gateway.rss() - before) / 1e6} MB`);
		const other = new Raw(gateway.endpoint);
		check(await other.opened, 'another one opens at once');
		const release = setInterval(() => { blocked.forEach((go) => go()); blocked = []; }, 2);
		await until('all 50,000 are heard', () => {
			const n = backend.events('message').reduce((sum, e) => sum + e.messages.length, 0);
			return n === 50000 ? null : `${n}`;
		}, 60000);
		clearInterval(release);
		blocked.forEach((go) => go());
		equal(backend.events('message').flatMap((e) => e.messages.map((m) => parseInt(m, 10))).every((n, i) => n === i), true, 'in order');
		greedy.close();
		other.close();
		const free = setInterval(() => { blocked.forEach((go) => go()); blocked = []; }, 5);
		await backend.heard('disconnect', 2);
		clearInterval(free);
	});
});

await suite.test('backend: connections are bounded and kept alive; too many questions fail at once', async () => {
	await withBackend(async () => { await sleep(300); return {}; }, { application: 'echo', hooks: { max_connections: 2, max_waiting: 4 } }, async (gateway, backend) => {
		const clients = Array.from({ length: 40 }, () => new Raw(gateway.endpoint));
		const opened = (await Promise.all(clients.map((c) => Promise.race([c.opened, c.end().then(() => false)])))).filter(Boolean).length;

		check(opened >= 6 && opened <= 6 * THREADS, `${opened} of 40 got in`);
		check(backend.mostActive <= 2 * THREADS, `${backend.mostActive} at a time`);
		check(backend.connections <= 2 * THREADS, `${backend.connections} connections`);
		check(await figure(gateway, 'sockjs_hook_failures_total', '"busy"') === 40 - opened, 'counted');
		clients.forEach((c) => c.close());
	});
});

await suite.test('backend: where nothing may wait, what finds a connection does not', async () => {
	await withBackend(echo, { hooks: { max_connections: 1, max_waiting: 0 } }, async (gateway) => {
		const client = new Raw(gateway.endpoint);

		client.opened.then(() => client.send('x'));
		equal(await client.take(), 'x', 'the echo');
		client.close();
		await gateway.quiet(1000);
	});
});

await suite.test('backend: by TLS, whose certificate must be good', async () => {
	const key = join(folder, 'key.pem'), cert = join(folder, 'cert.pem');

	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=backend', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
	const backend = await new Backend(echo).start({ tls: { key: readFileSync(key), cert: readFileSync(cert) } });
	await withGateway({ application: 'hooks', hooks: { url: backend.url, open_after_ms: 0 } }, (gateway) => isUnavailable(gateway, 'an unknown certificate'));
	for (const tls of [{ ca: cert }, { verify: false }])
		await withGateway({ application: 'hooks', hooks: { url: backend.url, tls } }, async (gateway) => {
			const client = new Raw(gateway.endpoint);

			check(await client.opened, `opens with ${JSON.stringify(tls)}`);
			client.send('x');
			equal(await client.take(), 'x', 'the echo');
			client.close();
		});
	await backend.stop();
});

/* A backend that waits with its answers until it is told. */
function held() {
	let answer;
	const answers = new Promise((resolve) => { answer = resolve; });

	return { answers, answer };
}

await suite.test('SockJS opens before a slow backend has answered, and is closed if that says no', async () => {
	const { answers, answer } = held();

	await withBackend(async (e) => { await answers; return e.query?.includes('bad') ? { status: 401 } : echo(e); }, {}, async (gateway) => {
		const bad = new SockjsWebsocket(gateway.endpoint, { query: '?bad' }), good = new SockjsWebsocket(gateway.endpoint);

		check(await good.opened, 'opens');
		good.send('early');
		answer();
		equal((await bad.end()).code, 4401, 'the no');
		equal(await good.take(), 'early', 'what was sent early');
		good.close();
	});
});

await suite.test('SockJS that is open before the backend has answered hears nothing that is for others', async () => {
	const { answers, answer } = held();

	await withBackend(async (e) => { await answers; return e.query?.includes('bad') ? { status: 403 } : {}; }, {}, async (gateway) => {
		const bad = new SockjsWebsocket(gateway.endpoint, { query: '?bad' }), good = new SockjsWebsocket(gateway.endpoint);

		await bad.opened;
		equal((await api(gateway, 'broadcast', { endpoint: '/e', message: 'too early' })).json, { received: 0 }, 'to nobody yet');
		answer();
		equal((await bad.end()).code, 4403, 'the no');
		equal(bad.messages, [], 'what the refused one has heard');
		await until('the good one is in', async () => ((await api(gateway, 'broadcast', { endpoint: '/e', message: 'now' })).json.received === 1 ? null : 'not yet'));
		equal(await good.take(), 'now', 'and then it does');
		good.close();
	});
});

await stompTests(suite, { withBackend, figure });

/* --- configuration ------------------------------------------------------------------------- */

function complaint(endpoint) {
	const file = join(folder, 'wrong.json');

	writeFileSync(file, JSON.stringify({ listen: ['127.0.0.1:0'], endpoints: [{ prefix: '/e', ...endpoint }] }));
	try {
		execFileSync(program, ['-c', file, '--check-config'], { stdio: 'pipe' });
		return 'nothing';
	} catch (e) {
		return e.stderr.toString();
	}
}

await suite.test('wrong configurations are named', async () => {
	writeFileSync(join(folder, 'rubbish'), 'no certificate\n');
	const long = join(folder, 'long.secret');

	writeFileSync(long, `${'x'.repeat(513)}\n`);
	const cases = [
		[{ application: 'hooks' }, /endpoints\[0\]\.hooks\.url: missing/],
		[{ application: 'hooks', hooks: { url: 'ftp://x/' } }, /hooks\.url: /],
		[{ application: 'hooks', hooks: { url: 'http://a:b@x/' } }, /hooks\.url: /],
		[{ application: 'hooks', hooks: { url: 'http://:b@x/' } }, /hooks\.url: /],
		[{ application: 'hooks', hooks: { url: `http://${'a'.repeat(300)}:b@x/` } }, /hooks\.url: /],
		[{ application: 'hooks', hooks: { url: 'http://x:99999/' } }, /hooks\.url: /],
		[{ application: 'stomp', stomp: { access: 'open', anonymous: false } }, /endpoints\[0\]\.stomp\.anonymous: false, but nobody can be anybody/],
		[{ application: 'stomp', stomp: { access: 'open' }, hooks: { url: 'http://x/', destinations: ['app'] } }, /hooks\.destinations\[0\]/],
		[{ application: 'echo', hooks: { secret: SECRET } }, /hooks\.url: missing/],
		[{ application: 'echo', hooks: { url: 'http://x/', events: ['subscribe'] } }, /hooks\.events: "subscribe" is not of this application/],
		[{ application: 'echo', hooks: { url: 'http://x/', events: ['message'] } }, /hooks\.events: "message" is not of this application/],
		[{ application: 'echo', hooks: { url: 'http://x/', destinations: ['/app/**'] } }, /hooks\.destinations/],
		[{ application: 'echo', hooks: { url: 'http://x/', secret: SECRET, secret_file: '/x' } }, /hooks\.secret_file/],
		[{ application: 'echo', hooks: { url: 'http://x/', secret_file: '/nowhere/at/all' } }, /hooks\.secret_file.*nowhere/],
		[{ application: 'echo', hooks: { url: 'http://x/', secret_file: long } }, /hooks\.secret_file: the first line/],
		[{ application: 'echo', hooks: { url: 'https://x/', tls: { ca: '/nowhere' } } }, /endpoints\[0\]\.hooks\.tls\.ca.*nowhere/],
		[{ application: 'echo', hooks: { url: 'https://x/', tls: { ca: join(folder, 'rubbish') } } }, /endpoints\[0\]\.hooks\.tls\.ca: cannot use/],
		[{ application: 'echo', hooks: { url: 'http://x/', tls: { ca: '/etc/ssl/certs/ca-certificates.crt' } } }, /hooks\.tls\.ca: means nothing here/],
		[{ application: 'echo', hooks: { url: 'http://x/', secret: 'short' } }, /hooks\.secret/],
	];

	for (const [endpoint, pattern] of cases)
		check(pattern.test(complaint(endpoint)), `${JSON.stringify(endpoint)}: ${complaint(endpoint)}`);
});

await testExamples(suite, program, folder);

suite.finish();
