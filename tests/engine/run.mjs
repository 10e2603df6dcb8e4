#!/usr/bin/env node
/*
 * run.mjs - several gateways that are one broker by way of a real nats-server: what is published at one comes to
 * the subscribers of all, and what becomes of that when the server, or a gateway, fails.
 *
 *	run.mjs --server ./sockjsd [--threads N] [--only REGEXP]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, equal, readArguments, Suite } from '../e2e/harness.mjs';
import { presenceTests } from './presence.mjs';
import { missing, Nats, NatsCluster } from '../relay/brokers.mjs';
import { client, finish, ready, readyz, send, startGateway, subscribe } from '../relay/clients.mjs';
import { Line } from '../relay/frames.mjs';
import { sleep, TOKEN, until } from '../reload/gateway.mjs';
import { makeCertificates } from '../upstream/tls.mjs';
import { Way } from './way.mjs';

const args = readArguments(['server', 'threads', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'engine-'));
const program = args.server ?? './sockjsd';
const threads = Number(args.threads ?? 2);
let names = 0;

process.setMaxListeners(200);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const hash = spawnSync(program, ['--hash-password'], { input: 'secret\n', encoding: 'utf8' }).stdout.trim();

/* --- gateways and their clients ------------------------------------------------------------------------ */

const configOf = (engine, { stomp, atTop, ...more } = {}) => {
	const nats = { kind: 'nats', retry_delay_ms: 50, retry_delay_max_ms: 200, ...engine };

	return {
		listen: ['127.0.0.1:0', { address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }], threads, log_level: 'info',
		internal: { listen: '127.0.0.1:0', token: TOKEN, ready_needs_backends: true },
		...atTop && { engine: nats },
		endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open', ...stomp, ...!atTop && { engine: nats } } }],
		...more,
	};
};

const start = (engine, more) => startGateway(program, folder, `g${names++}`, configOf(engine, more));

const isReady = (gateway) => ready(gateway, 'the engine is there');

const finishAll = (gateways) => Promise.all(gateways.filter((g) => !g.isKilled).map(finish));

/* So many gateways on one server. */
async function withGateways(count, fn, { engine, nats, ...more } = {}) {
	const lacking = missing(Nats);
	check(!lacking, lacking);
	const server = await new Nats(nats ?? {}).start();
	const gateways = [];

	try {
		for (let i = 0; i < count; i++)
			gateways.push(await start({ servers: server.url, ...engine }, more));
		await Promise.all(gateways.map(isReady));
		await fn(...gateways, server);
	} finally {
		await finishAll(gateways);
		await server.stop();
		await server.remove?.();
	}
}

async function texts(line, count) {
	const got = [];

	while (got.length < count)
		got.push((await line.next('MESSAGE')).text);
	return got;
}

/* All that comes from now on. */
function collect(line) {
	const got = [];

	(async () => {
		for (;;)
			got.push((await line.next('MESSAGE', 1e6)).text);
	})().catch(() => {});
	return got;
}

/* What is published to a topic of nobody else comes last. */
async function nothingElse(line, by, marker) {
	await subscribe(line, marker, `/topic/markers/${marker}`);
	await send(by, `/topic/markers/${marker}`, marker);
	equal((await line.next('MESSAGE')).text, marker, 'what comes next');
}

/* A client of NATS that says lines and hears them. */
class Raw {
	text = '';

	constructor(port) {
		this.socket = connect(port, '127.0.0.1');
		this.socket.setEncoding('latin1');
		this.socket.on('data', (piece) => { this.text += piece; });
		this.socket.on('error', () => {});
		this.socket.write('CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n');
	}

	publish(subject, body, headers = null) {
		const head = headers ? `NATS/1.0\r\n${Object.entries(headers).map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n` : '';

		this.socket.write(head ? `HPUB ${subject} ${head.length} ${head.length + body.length}\r\n${head}${body}\r\n` : `PUB ${subject} ${body.length}\r\n${body}\r\n`);
	}

	end() {
		this.socket.destroy();
	}
}

/* A way on which messages from a server are lost whose subject is one of `drops`; and as often as `lags` says, it has
 * nothing of what is asked for, as if it were one of a cluster that has just begun. */
class Sieve extends Way {
	drops = null;
	dropped = 0;
	lags = 0;

	change(text) {
		if (this.lags === 0 || !/consumer_create_response/.test(text))
			return text;
		this.lags--;
		return text.replace(/"num_pending":\d/, '"num_pending":0');
	}

	pass(from, to) {
		let rest = '';

		from.setEncoding('latin1');
		from.on('data', (piece) => {
			rest += piece;
			for (let end; (end = rest.indexOf('\r\n')) >= 0;) {
				const [, verb, subject, size] = /^(H?MSG) (\S+) .*?(\d+)$/.exec(rest.slice(0, end)) ?? [];
				const next = end + 2 + (verb ? Number(size) + 2 : 0);

				if (rest.length < next)
					break;
				if (verb && this.drops?.test(subject))
					this.dropped++;
				else
					to.write(this.change(rest.slice(0, next)), 'latin1');
				rest = rest.slice(next);
			}
		});
		from.on('end', () => to.end());
	}
}

/* --- topics ---------------------------------------------------------------------------------------------- */

await suite.test('topics: what is published at one gateway comes to the subscribers of all, once', () => withGateways(3, async (a, b, c) => {
	const lines = [await client(a), await client(b), await client(c)];

	for (const line of lines)
		await subscribe(line, '0', '/topic/tea/green');
	for (const [i, line] of lines.entries())
		await send(line, '/topic/tea/green', `from ${i}`, { 'content-type': 'text/plain', 'x-own': ' a\\cb \\n%41 ', 'Nats-Msg-Id': 'mine', empty: '' });
	for (const line of lines) {
		const frames = [await line.next('MESSAGE'), await line.next('MESSAGE'), await line.next('MESSAGE')];

		equal(frames.map((f) => f.text).sort(), ['from 0', 'from 1', 'from 2'], 'what comes');
		for (const f of frames)
			equal([f.get('destination'), f.get('content-type'), f.get('x-own'), f.get('Nats-Msg-Id'), f.get('empty'), f.get('receipt')],
				['/topic/tea/green', 'text/plain', ' a\\cb \\n%41 ', 'mine', '', undefined], 'its headers');
	}
	for (const [i, line] of lines.entries())
		await nothingElse(line, lines[(i + 1) % 3], `m${i}`);
}));

await suite.test('topics: patterns that overlap get a message once for each subscription', () => withGateways(2, async (a, b) => {
	const [one, other] = [await client(a), await client(b)];
	const patterns = ['/topic/a/b', '/topic/a/*', '/topic/a/**', '/topic/**', '/topic/*/b', '/topic/a/b'];

	for (const [i, p] of patterns.entries())
		await subscribe(other, `p${i}`, p);
	for (let i = 0; i < 50; i++)
		await send(one, '/topic/a/b', `n${i}`);
	const got = await Promise.all(Array.from({ length: 50 * patterns.length }, () => other.next('MESSAGE')));

	for (const i of patterns.keys())
		equal(got.filter((f) => f.get('subscription') === `p${i}`).map((f) => f.text), Array.from({ length: 50 }, (_, n) => `n${n}`), patterns[i]);
	await subscribe(one, 'deep', '/topic/a/**');
	await send(other, '/topic/a', 'none included');
	await send(other, '/topic/a/b/c/d', 'all');
	equal((await texts(one, 2)).sort(), ['all', 'none included'], 'any number of segments');
	await nothingElse(one, other, 'x');
}));

await suite.test('topics: names of all kinds, and bodies', () => withGateways(2, async (a, b) => {
	const [one, other] = [await client(a), await client(b)];
	const destinations = ['/topic/50%/%2E', '/topic/a.b.>', '/topic/\u00e9t\u00e9/\u{1f600}', '/topic/a b/c\\cd', '/topic/-_~!$&()+;=@[]', '/topic/a>/>'];
	const bodies = ['', 'x', '\u{1f600}'.repeat(1000), 'y'.repeat(60000)];

	for (const [i, d] of destinations.entries())
		await subscribe(other, `d${i}`, d);
	for (const [i, d] of destinations.entries()) {
		await send(one, d, bodies[i % bodies.length]);
		const f = await other.next('MESSAGE');
		equal([f.get('subscription'), f.get('destination'), f.text], [`d${i}`, d, bodies[i % bodies.length]], d);
	}
}));

await suite.test('topics: with a dot between segments', () => withGateways(2, async (a, b) => {
	const [one, other] = [await client(a), await client(b)];

	await subscribe(other, 'star', '/topic/prices.*.x/y');
	await send(one, '/topic/prices.eur.x/y', 'yes');
	const f = await other.next('MESSAGE');
	equal([f.text, f.get('destination')], ['yes', '/topic/prices.eur.x/y'], 'what comes');
}, { stomp: { separator: '.' } }));

await suite.test('topics: each publisher keeps its order, whatever the threads', () => withGateways(2, async (a, b) => {
	const publishers = await Promise.all(Array.from({ length: 4 }, (_, i) => client(i % 2 ? a : b)));
	const readers = await Promise.all(Array.from({ length: 6 }, (_, i) => client(i % 2 ? a : b)));
	const count = 500;

	for (const r of readers)
		await subscribe(r, '0', '/topic/order');
	for (let n = 0; n < count; n++)
		for (const [i, p] of publishers.entries())
			p.send('SEND', { destination: '/topic/order' }, `${i} ${n}`);
	for (const r of readers) {
		const got = await texts(r, count * publishers.length);

		for (const i of publishers.keys())
			equal(got.filter((t) => t.startsWith(`${i} `)), Array.from({ length: count }, (_, n) => `${i} ${n}`), `of publisher ${i}`);
	}
}));

await suite.test('topics: who leaves gets nothing more, and the server is told', () => withGateways(2, async (a, b, server) => {
	const [one, other] = [await client(a), await client(b)];
	const count = async () => (await server.ask('subsz')).num_subscriptions;
	const before = await count();

	for (let i = 0; i < 20; i++)
		await subscribe(other, `s${i}`, `/topic/many/${i}`);
	await until(async () => await count() === before + 20, 'all are subscribed');
	for (let i = 0; i < 20; i++)
		other.send('UNSUBSCRIBE', { id: `s${i}` });
	await until(async () => await count() === before, 'none is');
	await subscribe(other, 'again', '/topic/many/3');
	await send(one, '/topic/many/3', 'hello');
	equal(await texts(other, 1), ['hello'], 'who comes back');
	other.cut();
	await until(async () => await count() === before, 'none is, when the client has gone');
}));

/* --- users --------------------------------------------------------------------------------------------------- */

await suite.test('users: wherever their sessions are, and a session by its own name', () => withGateways(2, async (a, b) => {
	const [ann, twin, bob] = [await client(a, { login: 'ann', passcode: 'secret' }), await client(b, { login: 'ann', passcode: 'secret' }), await client(b, { login: 'b/b %', passcode: 'secret' })];

	for (const line of [ann, twin, bob])
		await subscribe(line, 'mine', '/user/queue/errors');
	await send(bob, '/user/ann/queue/errors', 'to ann');
	for (const line of [ann, twin]) {
		const f = await line.next('MESSAGE');
		equal([f.text, f.get('destination')], ['to ann', '/user/queue/errors'], 'what ann gets');
	}
	await send(ann, '/user/b%2Fb%20%25/queue/errors', 'to bob');
	equal(await texts(bob, 1), ['to bob'], 'what bob gets');
	await send(ann, `/user/${twin.answer.get('session')}/queue/errors`, 'to the twin alone');
	equal(await texts(twin, 1), ['to the twin alone'], 'what the twin gets');
	await nothingElse(ann, bob, 'u1');
	await nothingElse(bob, ann, 'u2');
	await nothingElse(twin, ann, 'u3');
}, { stomp: { users: [{ login: 'ann', password: hash }, { login: 'b/b %', password: hash }] } }));

/* --- others who speak to the engine --------------------------------------------------------------------------- */

await suite.test('what others publish there comes, and nonsense harms nobody', () => withGateways(1, async (a, server) => {
	const line = await client(a), raw = new Raw(server.port);

	await subscribe(line, '0', '/topic/**');
	raw.publish('sockjsd.t.topic.from.outside', 'plain');
	raw.publish('sockjsd.t.topic.from.outside', 'with', { 'x-a': '1', 'Nats-X': 'hidden', 'Sockjsd-From': 'nonsense' });
	const frames = [await line.next('MESSAGE'), await line.next('MESSAGE')];
	equal(frames.map((f) => [f.text, f.get('destination'), f.get('x-a'), f.get('Nats-X')]),
		[['plain', '/topic/from/outside', undefined, undefined], ['with', '/topic/from/outside', '1', undefined]], 'what comes');
	for (const subject of ['sockjsd.t.topic.%00', 'sockjsd.t.topic.%2a', 'sockjsd.t.topic.%ff', 'sockjsd.t.topic.a%0ab', 'sockjsd.t.queue.x', 'sockjsd.t.user.x.y', 'sockjsd.t.presence.topic.x', 'sockjsd.t.relay.x'])
		raw.publish(subject, 'bad');
	raw.publish('sockjsd.t.topic.x', 'bad', { 'a%0ab': 'c%0d%00' });
	await sleep(200);
	raw.publish('sockjsd.t.topic.end', 'end');
	for (let f; (f = await line.next('MESSAGE')).text !== 'end';)
		check(f.get('destination') === '/topic/x', `a destination that is none: ${f}`);
	raw.end();
}));

/* --- commands ------------------------------------------------------------------------------------------------- */

await suite.test('commands: what is published by one comes everywhere', () => withGateways(2, async (a, b) => {
	const line = await client(b);

	await subscribe(line, '0', '/topic/news');
	await a.command('publish', { destination: '/topic/news', body: 'one', headers: { 'x-a': 'b' } });
	await a.command('publish', { messages: [{ destination: '/topic/news', body: 'two' }, { destination: '/topic/news', body: 'three' }] });
	equal(await texts(line, 3), ['one', 'two', 'three'], 'what comes');
}));

/* --- failures -------------------------------------------------------------------------------------------------- */

for (const lost of ['refuse', 'local'])
	await suite.test(`the engine is away: ${lost}`, () => withGateways(2, async (a, b, server) => {
		const [one, other, near] = [await client(a), await client(b), await client(a)];

		for (const line of [other, near])
			await subscribe(line, '0', '/topic/x');
		await server.stop();
		await until(async () => await readyz(a) === 503, 'it is not ready');
		await send(one, '/topic/x', 'held');
		equal(await texts(near, 1), ['held'], 'those here get it at once');
		if (lost === 'refuse') {
			await until(async () => (await a.command('publish', { destination: '/topic/else', body: '' })).status === 503, 'it is given up');
			const refused = await client(a);

			refused.send('SEND', { destination: '/topic/x' }, 'no');
			equal((await refused.next('ERROR')).get('code'), '4644', 'the code');
			equal((await a.command('publish', { destination: '/topic/x', body: 'no' })).status, 503, 'a command');
			const commits = await client(a);

			commits.send('BEGIN', { transaction: 't' });
			commits.send('COMMIT', { transaction: 't', receipt: 'empty' });
			await commits.receipt('empty');
			commits.send('BEGIN', { transaction: 't' });
			commits.send('SEND', { destination: '/topic/x', transaction: 't' }, 'no');
			commits.send('COMMIT', { transaction: 't' });
			equal((await commits.next('ERROR')).get('code'), '4644', 'a transaction');
		} else {
			await subscribe(near, 'new', '/topic/new');
			await send(one, '/topic/x', 'here alone');
			equal(await texts(near, 1), ['here alone'], 'those here go on');
			await send(one, '/topic/new', 'new');
			equal(await texts(near, 1), ['new'], 'new subscriptions, too');
		}
		await server.start();
		await Promise.all([isReady(a), isReady(b)]);
		const got = collect(other);
		await until(async () => {
			await send(one, '/topic/x', 'back');
			await sleep(50);
			return got.includes('back');
		}, 'what is published comes again');
		check(!got.includes('here alone'), 'what went to those here alone does not come late');
	}, { engine: { lost, lost_after_ms: 6000 } }));

await suite.test('a SUBSCRIBE while the engine is away is answered when it is back', () => withGateways(1, async (a, server) => {
	const line = await client(a);
	let answered = false;

	await server.stop();
	await until(async () => await readyz(a) === 503, 'it is not ready');
	const waits = subscribe(line, 'late', '/topic/late').then(() => { answered = true; });
	line.send('SUBSCRIBE', { id: 'gone', destination: '/topic/gone', receipt: 'r-gone' });
	line.send('UNSUBSCRIBE', { id: 'gone', receipt: 'u-gone' });
	await line.receipt('u-gone');
	await sleep(300);
	check(!answered, 'it was answered before the engine was there');
	await server.start();
	await waits;
	await send(line, '/topic/late', 'hello');
	equal(await texts(line, 1), ['hello'], 'what comes');
}));

await suite.test('a gateway is killed, and another comes', () => withGateways(2, async (a, b, server) => {
	const one = await client(a), other = await client(b);

	await subscribe(one, '0', '/topic/x');
	await subscribe(other, '0', '/topic/x');
	b.child.kill('SIGKILL');
	b.isKilled = true;
	await send(one, '/topic/x', 'alone');
	equal(await texts(one, 1), ['alone'], 'who is left');
	const c = await start({ servers: server.url });
	await isReady(c);
	const third = await client(c);
	await subscribe(third, '0', '/topic/x');
	await send(one, '/topic/x', 'again');
	equal(await texts(third, 1), ['again'], 'who has come');
	await finish(c);
}));

await suite.test('a cluster of three: one server after the other goes, gateways find the others', async () => {
	const cluster = await new NatsCluster().start();
	const [a, b] = [await start({ servers: cluster.urls }), await start({ servers: [...cluster.urls].reverse() })];

	try {
		await Promise.all([isReady(a), isReady(b)]);
		const [one, other] = [await client(a), await client(b)];

		await subscribe(other, '0', '/topic/x');
		const got = collect(other);
		for (const server of cluster.servers) {
			await server.stop();
			await Promise.all([isReady(a), isReady(b)]);
			await until(async () => {
				await send(one, '/topic/x', server.url);
				await sleep(50);
				return got.includes(server.url);
			}, `without ${server.url}`);
			await server.start();
		}
	} finally {
		await finishAll([a, b]);
		await cluster.stop();
		await cluster.remove?.();
	}
});

await suite.test('the engine is away, and much is published: those here go on', () => withGateways(1, async (a, server) => {
	const [one, near] = [await client(a), await client(a)];
	const count = 300, body = 'x'.repeat(1000); /* more than may wait, and less than makes a subscriber slow */

	await subscribe(near, '0', '/topic/x');
	await server.stop();
	await until(async () => await readyz(a) === 503, 'it is not ready');
	for (let i = 0; i < count; i++)
		one.send('SEND', { destination: '/topic/x' }, body);
	await texts(near, count);
	await server.start();
	await isReady(a);
	await send(one, '/topic/x', 'end');
	equal(await texts(near, 1), ['end'], 'what comes last');
}, { engine: { lost: 'local', lost_after_ms: 500, queue_bytes: 65536 } }));

await suite.test('what the engine forbids is refused to who asks for it, and to nobody else', () => withGateways(1, async (a) => {
	const [one, other] = [await client(a), await client(a)];

	await subscribe(other, '0', '/topic/fine');
	one.send('SUBSCRIBE', { id: '0', destination: '/topic/secret/x' });
	check(/does not let us/.test(String(await one.next('ERROR'))), 'a sentence');
	await send(other, '/topic/fine', 'hello');
	equal(await texts(other, 1), ['hello'], 'the others');
}, { nats: { authorization: 'users: [ { user: "g", password: "p", permissions: { subscribe: { deny: "sockjsd.t.topic.secret.>" } } } ]' },
	engine: { user: 'g', password: 'p' } }));

/* --- what cannot be -------------------------------------------------------------------------------------------- */

await suite.test('queues are refused with a sentence', () => withGateways(1, async (a) => {
	for (const command of ['SEND', 'SUBSCRIBE']) {
		const line = await client(a);

		line.send(command, { destination: '/queue/work', id: '0' }, '');
		const frame = await line.next('ERROR');
		check(/no queues/.test(frame.get('message') + frame.text), `a sentence: ${frame}`);
	}
}));

await suite.test('a login, and one that is wrong', async () => {
	const server = await new Nats({ user: 'gateway', password: 'secret' }).start();
	const good = await start({ servers: server.url, user: 'gateway', password: 'secret' }, { atTop: true });
	const bad = await start({ servers: server.url, user: 'gateway', password: 'wrong' });

	try {
		await isReady(good);
		equal(await readyz(bad), 503, 'who is not let in is not ready');
		await until(() => bad.log.some((l) => /cannot be used.*Authorization/.test(l)), 'it says why');
	} finally {
		await finishAll([good, bad]);
		await server.stop();
		await server.remove?.();
	}
});

await suite.test('one engine for two endpoints: each is one broker with its like elsewhere', async () => {
	const server = await new Nats().start();
	const gateways = [];

	try {
		for (let i = 0; i < 2; i++) {
			const config = configOf({ servers: server.url }, { atTop: true });

			config.endpoints.push({ prefix: '/other', application: 'stomp', stomp: { access: 'open' } });
			config.listen.push({ address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/other' });
			gateways.push(await startGateway(program, folder, `g${names++}`, config));
		}
		await Promise.all(gateways.map(isReady));
		const [a, b] = gateways;
		const [one, like, other, elsewhere] = [await client(a), await client(b), await client({ stomp: a.stomps[1] }), await client({ stomp: b.stomps[1] })];

		for (const line of [like, other, elsewhere])
			await subscribe(line, '0', '/topic/x');
		await send(one, '/topic/x', 'stomp');
		await send(other, '/topic/x', 'other');
		equal([await texts(like, 1), await texts(other, 1), await texts(elsewhere, 1)], [['stomp'], ['other'], ['other']], 'what comes');
		await nothingElse(other, elsewhere, 'o');
		await nothingElse(like, one, 'l');
	} finally {
		await finishAll(gateways);
		await server.stop();
		await server.remove?.();
	}
});

await suite.test('TLS: a server that proves its name, and one that does not', async () => {
	const made = makeCertificates(folder);
	const server = await new Nats({ tls: { ...made.files.good, ca: made.ca } }).start();
	const url = `tls://localhost:${server.port}`;
	const good = await start({ servers: url, tls: { ca: made.ca } });
	const bad = await start({ servers: url });

	try {
		await isReady(good);
		await until(() => bad.log.some((l) => /cannot be used/.test(l)), 'it says that it cannot');
		equal(await readyz(bad), 503, 'who does not believe it');
	} finally {
		await finishAll([good, bad]);
		await server.stop();
		await server.remove?.();
	}
});

await suite.test('what one gateway would tell as if it were all is refused at the start', async () => {
	const err = await start({ servers: 'nats://127.0.0.1:1' }, { stomp: { journal: 'journal' } }).catch((e) => e);

	check(/stomp\.journal: is of one gateway alone/.test(err.message), err.message);
});

/* --- commands: of all -------------------------------------------------------------------------------------- */

const known = { stomp: { users: ['ann', 'bob', 'cid'].map((login) => ({ login, password: hash })) } };
const knows = (gateway, others) => until(() => gateway.log.filter((l) => /another gateway is there/.test(l)).length >= others, 'it knows the others');

await suite.test('commands: users are those of all gateways, in pages; a user is disconnected wherever he is', () => withGateways(3, async (a, b, c) => {
	const gateways = [a, b, c], lines = {};

	await Promise.all(gateways.map((g) => knows(g, 2)));
	for (const [name, gateway] of [['ann', a], ['ann', c], ['bob', b], ['cid', b], ['cid', a]])
		(lines[name] ??= []).push(await client(gateway, { login: name, passcode: 'secret' }));
	const nobody = await client(c);
	for (const gateway of gateways) {
		const { json } = await gateway.command('users', {});

		equal(json.users.map((u) => [u.user, u.session_count, new Set(u.sessions.map((s) => s.gateway)).size]), [['ann', 2, 2], ['bob', 1, 1], ['cid', 2, 2]], 'who is there');
		equal([json.anonymous, json.next, json.gateways, json.missing], [1, null, 3, 0], 'and what else is said');
		const names = [];
		for (let cursor; ;) {
			const page = (await gateway.command('users', { limit: 1, ...cursor && { cursor } })).json;
			names.push(...page.users.map((u) => u.user));
			if (!(cursor = page.next))
				break;
		}
		equal(names, ['ann', 'bob', 'cid'], 'by pages');
		equal((await gateway.command('users', { user: 'bob' })).json.users.map((u) => u.user), ['bob'], 'one');
	}
	equal((await b.command('disconnect', { user: 'ann', reason: 'enough' })).json, { disconnected: 2, gateways: 3, missing: 0 }, 'who is disconnected');
	for (const line of lines.ann)
		await line.next('ERROR');
	equal((await a.command('users', {})).json.users.map((u) => u.user), ['bob', 'cid'], 'who is left');
	b.isKilled = true;
	b.child.kill('SIGKILL');
	const [first] = [(await a.command('users', {})).json];
	equal([first.users.map((u) => u.user), first.missing], [['cid'], 1], 'one does not answer');
	await until(() => a.log.some((l) => /another gateway is gone/.test(l)), 'it is known to be gone', 10000);
	equal((await a.command('users', {})).json.missing, 0, 'nobody waits for it any more');
	c.isKilled = true; /* and stopped: that is told at once */
	const gone = a.log.filter((l) => /another gateway is gone/.test(l)).length;
	await finish(c);
	await until(() => a.log.filter((l) => /another gateway is gone/.test(l)).length > gone, 'it has said farewell', 2000);
	equal((await a.command('users', {})).json.gateways, 1, 'it is alone');
	nobody.cut();
}, known));

await suite.test('a client-id takes over from another gateway; of two at once one stays', () => withGateways(2, async (a, b) => {
	const come = (gateway, id) => client(gateway, { login: 'ann', passcode: 'secret', 'client-id': id });
	const isReplaced = async (line) => equal((await line.next('ERROR')).get('code'), '4623', 'why it is closed');

	let line = await come(a, 'tab');
	const other = await come(a, 'another');
	for (const gateway of [b, a, b, b, a]) {
		const next = await come(gateway, 'tab');
		await isReplaced(line);
		line = next;
	}
	for (let i = 0; i < 10; i++) {
		const both = [new Line(a.stomp), new Line(b.stomp)];
		await Promise.all(both.map((l) => l.connect({ login: 'ann', passcode: 'secret', 'client-id': `both ${i}` })));
		await until(() => both.filter((l) => l.closed).length === 1, 'one is closed');
		await sleep(50);
		equal(both.filter((l) => l.closed).length, 1, 'and not the other');
	}
	check(!line.closed && !other.closed, 'others stay');
}, known));

/* --- who is present ------------------------------------------------------------------------------------------ */

await presenceTests(suite, { withGateways, start, isReady, finishAll, knows, Way, NatsCluster });

/* --- histories ------------------------------------------------------------------------------------------------- */

const kept = { stomp: { history: [{ destination: '/topic/kept/**', messages: 100 }] } };
const keptLong = { stomp: { history: [{ destination: '/topic/kept/**', seconds: 3600 }] } };

await suite.test('history: what is kept is that of all gateways, by one order and one name', () => withGateways(2, async (a, b) => {
	const [one, two, watch] = [await client(a), await client(b), await client(a)];

	await subscribe(watch, 'w', '/topic/kept/tea');
	for (let i = 0; i < 10; i++)
		await send(i % 2 ? one : two, '/topic/kept/tea', `m${i}`, { 'x-own': `${i}` });
	const seen = [];
	while (seen.length < 10)
		seen.push(await watch.next('MESSAGE'));
	equal(seen.map((f) => f.text), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => `m${i}`), 'what comes');
	equal(seen[3].get('x-own'), '3', 'a header');
	let news = 0;
	for (const gateway of [a, b]) {
		const late = await client(gateway);

		late.send('SUBSCRIBE', { id: 'l', destination: '/topic/kept/tea', 'last-message-id': seen[3].get('message-id'), receipt: 's' });
		const receipt = await late.receipt('s');
		equal([receipt.get('recovered'), receipt.get('last-message-id')], ['true', seen.at(-1).get('message-id')], 'the receipt');
		const frames = [];
		while (frames.length < seen.length - 4)
			frames.push(await late.next('MESSAGE'));
		equal(frames.map((f) => [f.text, f.get('message-id'), f.get('x-own')]), seen.slice(4).map((f) => [f.text, f.get('message-id'), f.get('x-own')]), 'what was missed');
		await send(one, '/topic/kept/tea', `new ${news++}`);
		seen.push(await watch.next('MESSAGE'));
		equal((await late.next('MESSAGE')).text, seen.at(-1).text, 'and what is new');
		const { json } = await gateway.command('history', { destination: '/topic/kept/tea', limit: 3 });
		equal(json.messages.map((m) => m.message_id), seen.slice(-3).map((f) => f.get('message-id')), 'by /api/history');
	}
}, kept));

/* SUBSCRIBE with what was seen last, which is answered with whether all came. */
async function resume(line, id, destination, last) {
	line.send('SUBSCRIBE', { id, destination, 'last-message-id': last, receipt: `s-${id}` });
	const receipt = await line.receipt(`s-${id}`);

	return [receipt.get('recovered'), receipt.get('last-message-id')];
}

await suite.test('history: of a gateway that begins, and of a place that nobody knows any more', () => withGateways(1, async (a, server) => {
	const one = await client(a);

	for (let i = 0; i < 150; i++)
		one.send('SEND', { destination: '/topic/kept/tea' }, `m${i}`);
	await send(one, '/topic/kept/tea', 'm150');
	await send(one, '/topic/kept/other', 'other');
	const [first] = (await a.command('history', { destination: '/topic/kept/tea', limit: 1000 })).json.messages;
	equal(first.body, 'm51', 'the first of a hundred');
	const b = await start({ servers: server.url }, kept);
	try {
		await isReady(b);
		const [two, three, four] = [await client(b), await client(b), await client(b)];
		equal((await resume(two, 'x', '/topic/kept/tea', first.message_id))[0], 'true', 'all is there');
		equal(await texts(two, 99), Array.from({ length: 99 }, (_, i) => `m${i + 52}`), 'what comes');
		equal((await resume(three, 'x', '/topic/kept/tea', 'nonsense'))[0], 'false', 'nobody knows where that was');
		equal(await texts(three, 100), Array.from({ length: 100 }, (_, i) => `m${i + 51}`), 'so all comes');
		const [recovered, last] = await resume(four, 'x', '/topic/kept/empty', 'nonsense');
		equal(recovered, 'false', 'where nothing was');
		const five = await client(b);
		equal((await resume(five, 'x', '/topic/kept/empty', last))[0], 'true', 'that place is known');
		await send(one, '/topic/kept/empty', 'first');
		equal([await texts(four, 1), await texts(five, 1)], [['first'], ['first']], 'what comes');
	} finally {
		await finishAll([b]);
	}
}, kept));

await suite.test('history: what a gateway has missed comes when it is back, in order and once', () => withGateways(1, async (a, server) => {
	const way = await new Way(server.port).open();
	const b = await start({ servers: `nats://127.0.0.1:${way.port}`, lost_after_ms: 60000 }, keptLong);

	try {
		await isReady(b);
		const [one, other, pattern, quiet] = [await client(a), await client(b), await client(b), await client(b)];

		await subscribe(quiet, '0', '/topic/kept/quiet');
		await subscribe(other, '0', '/topic/kept/tea');
		await subscribe(pattern, '0', '/topic/kept/*');
		await send(one, '/topic/kept/tea', 'before');
		equal([await texts(other, 1), await texts(pattern, 1)], [['before'], ['before']], 'what comes');
		const expected = [];
		for (let round = 0; round < 3; round++) {
			way.close();
			for (let i = 0; i < 20; i++) {
				expected.push(`r${round} ${i}`);
				await send(one, '/topic/kept/tea', expected.at(-1));
			}
			await send(one, '/topic/kept/quiet', `q${round}`);
			await way.open();
			if (round > 0)
				await isReady(b);
			for (let i = 20; i < 40; i++) {
				expected.push(`r${round} ${i}`);
				await send(one, '/topic/kept/tea', expected.at(-1));
			}
		}
		equal(await texts(other, 120), expected, 'what one topic gets');
		equal(await texts(quiet, 3), ['q0', 'q1', 'q2'], 'another');
		const all = await texts(pattern, 123);
		equal([all.filter((t) => t[0] === 'r'), all.filter((t) => t[0] === 'q')], [expected, ['q0', 'q1', 'q2']], 'and what a pattern gets');
		check(await b.metric('sockjs_engine_filled_total') >= 60, 'some were found in the stream');
		await send(one, '/topic/kept/tea', 'last');
		await nothingElse(quiet, one, 'end');
		equal([await texts(other, 1), await texts(pattern, 1)], [['last'], ['last']], 'and what is last');
	} finally {
		await finishAll([b]);
		way.close();
	}
}, keptLong));

await suite.test('history: who publishes faster than it is kept is held back, and loses nothing', () => withGateways(2, async (a, b, server) => {
	const senders = [await client(a), await client(b), await client(a)], other = await client(b);
	const MANY = 1000, body = 'x'.repeat(500);

	await subscribe(other, '0', '/topic/kept/tea');
	for (const round of [0, 1]) {
		if (round === 1) /* it takes nothing for a while, and then all */
			server.pause();
		for (const [s, line] of senders.entries())
			for (let i = 0; i < MANY; i++)
				line.send('SEND', { destination: '/topic/kept/tea', n: `${s} ${i}` }, body);
		if (round === 1) {
			await sleep(500);
			const held = await a.metric('sockjs_engine_queued_bytes');
			check(held < 2000000, `what waits is bounded: ${held}`);
			server.resume();
		}
		const got = senders.map(() => []);
		for (let i = 0; i < MANY * senders.length; i++) {
			const [s, n] = (await other.next('MESSAGE', 20000)).get('n').split(' ');
			got[s].push(Number(n));
		}
		for (const one of got)
			equal(one, Array.from({ length: MANY }, (_, i) => i), 'all comes, in order');
	}
	for (const line of senders)
		check(!line.closed, 'nobody is closed');
}, { ...keptLong, engine: { queue_bytes: 100000 } }));

await suite.test('history: what was missed and is kept no more is told', () => withGateways(1, async (a, server) => {
	const way = await new Way(server.port).open();
	const b = await start({ servers: `nats://127.0.0.1:${way.port}`, lost_after_ms: 60000 }, kept);

	try {
		await isReady(b);
		const [one, other, pattern] = [await client(a), await client(b), await client(b)];

		await subscribe(other, '0', '/topic/kept/tea');
		await subscribe(pattern, '0', '/topic/kept/*');
		for (const count of [0, 50, 150]) {
			const frames = [];

			way.close();
			for (let i = 0; i < count; i++)
				await send(one, '/topic/kept/tea', `m${i}`);
			await way.open();
			await isReady(b);
			await send(one, '/topic/kept/tea', 'last');
			for (const line of [other, pattern]) {
				do
					frames.push(await line.next('MESSAGE'));
				while (frames.at(-1).text !== 'last');
			}
			const each = frames.length / 2;
			equal(frames.map((f) => f.get('gap')), Array.from(frames, (_, i) => (count === 150 && i % each === 0 ? 'true' : undefined)), 'what says that some are lost');
			check(count === 150 ? each >= 100 && each <= 101 : each === count + 1, `${each} come of ${count}`);
		}
	} finally {
		await finishAll([b]);
		way.close();
	}
}, kept));

await suite.test('history: a server is killed again and again: what was acknowledged is there, once and in order', () => withGateways(2, async (a, b, server) => {
	const [one, other, pattern] = [await client(a), await client(b), await client(b)];
	let sent = 0, stop = false;

	await subscribe(other, '0', '/topic/kept/tea');
	await subscribe(pattern, '0', '/topic/**');
	const [got, all] = [collect(other), collect(pattern)];
	const publishing = (async () => {
		while (!stop)
			await Promise.all(Array.from({ length: 20 }, () => send(one, '/topic/kept/tea', `m${sent++}`)));
	})();
	publishing.catch(() => {}); /* it is awaited below */
	for (let i = 0; i < 4; i++) {
		await sleep(300);
		await server.kill();
		await server.start();
		await Promise.all([isReady(a), isReady(b)]);
	}
	stop = true;
	await publishing;
	await until(() => got.length >= sent && all.length >= sent, `all ${sent} come`);
	const expected = Array.from({ length: sent }, (_, i) => `m${i}`);
	equal([got, all], [expected, expected], 'what has come');
}, { ...keptLong, engine: { lost_after_ms: 60000 } }));

await suite.test('history: a cluster whose servers are killed one after another keeps what was acknowledged', async () => {
	const cluster = await new NatsCluster().start();
	const engine = { replicas: 3, lost_after_ms: 60000 };
	const gateways = [await start({ servers: cluster.urls, ...engine }, keptLong), await start({ servers: [...cluster.urls].reverse(), ...engine }, keptLong)];

	try {
		await Promise.all(gateways.map(isReady));
		const writers = await Promise.all(gateways.map((g) => client(g)));
		const readers = await Promise.all(gateways.map((g) => client(g)));
		let stop = false;

		for (const line of readers)
			await subscribe(line, '0', '/topic/kept/tea');
		const got = readers.map(collect), sent = [0, 0];
		const publishing = writers.map(async (line, w) => {
			while (!stop) {
				await Promise.all(Array.from({ length: 5 }, () => send(line, '/topic/kept/tea', `${w} ${sent[w]++}`)));
				await sleep(5);
			}
		});
		Promise.all(publishing).catch(() => {}); /* it is awaited below */
		for (const server of cluster.servers) {
			await sleep(300);
			await server.kill();
			await sleep(1000);
			await server.start();
			await sleep(300);
		}
		stop = true;
		await Promise.all(publishing);
		/* What got lost between two servers of the cluster is found with the next message */
		await until(async () => {
			await send(writers[0], '/topic/kept/tea', `0 ${sent[0]++}`);
			await sleep(200);
			return got.every((g) => g.length >= sent[0] + sent[1]);
		}, 'both have as many as were sent', 20000).catch((e) => check(false, `${e.message}: ${got.map((g) => g.length)} of ${sent[0] + sent[1]}`));
		equal(got[0], got[1], 'one order for both');
		for (const w of [0, 1])
			equal(got[0].filter((t) => t.startsWith(`${w} `)), Array.from({ length: sent[w] }, (_, i) => `${w} ${i}`), `what ${w} has sent`);
	} finally {
		await finishAll(gateways);
		await cluster.stop();
		await cluster.remove?.();
	}
});

await suite.test('history: a transaction is answered when all of it is kept; a key keeps a message once', () => withGateways(2, async (a, b) => {
	const [one, other] = [await client(a), await client(b)];

	await subscribe(other, '0', '/topic/kept/tea');
	one.send('BEGIN', { transaction: 't' });
	for (let i = 0; i < 3; i++)
		one.send('SEND', { destination: '/topic/kept/tea', transaction: 't' }, `t${i}`);
	one.send('COMMIT', { transaction: 't', receipt: 'c' });
	await one.receipt('c');
	equal((await b.command('history', { destination: '/topic/kept/tea' })).json.messages.map((m) => m.body), ['t0', 't1', 't2'], 'what is kept');
	equal(await texts(other, 3), ['t0', 't1', 't2'], 'what comes');
	for (const gateway of [a, b, a])
		equal((await gateway.command('publish', { destination: '/topic/kept/tea', body: 'once', idempotency_key: 'a key\n' })).status, 200, 'status');
	for (const gateway of [a, b])
		equal((await gateway.command('publish', { messages: [{ destination: '/topic/kept/tea', body: 'x' }, { destination: '/topic/kept/tea', body: 'y' }], idempotency_key: 'two' })).status, 200, 'status');
	equal(await texts(other, 3), ['once', 'x', 'y'], 'what comes');
	await nothingElse(other, one, 'end');
}, kept));

await suite.test('history: without an engine that keeps it nothing is taken', () => withGateways(1, async (a, server) => {
	const line = await client(a);

	await subscribe(line, '0', '/topic/kept/tea');
	await subscribe(line, '1', '/topic/live');
	await server.stop();
	await until(async () => await readyz(a) === 503, 'it is not ready');
	const waits = send(line, '/topic/kept/tea', 'late');
	await server.start();
	await waits;
	equal(await texts(line, 1), ['late'], 'what was sent in between');
	await server.stop();
	await until(async () => (await a.command('publish', { destination: '/topic/kept/tea', body: 'x' })).status === 503, 'it is refused');
	await send(line, '/topic/live', 'goes on');
	equal(await texts(line, 1), ['goes on'], 'what is not kept');
	line.send('SEND', { destination: '/topic/kept/tea', receipt: 'no' }, 'x');
	equal((await line.next('ERROR')).get('receipt-id'), 'no', 'a SEND is refused');
}, { ...kept, engine: { lost: 'local', lost_after_ms: 1500 } }));

await suite.test('history: a stream that was made anew is another', () => withGateways(1, async (a, server) => {
	const line = await client(a);

	await subscribe(line, '0', '/topic/kept/tea');
	for (let i = 0; i < 5; i++)
		await send(line, '/topic/kept/tea', `old ${i}`);
	const last = (await line.next('MESSAGE')).get('message-id');
	await texts(line, 4);
	await server.stop();
	rmSync(join(server.folder, 'store'), { recursive: true });
	await until(async () => await readyz(a) === 503, 'it is not ready');
	await server.start();
	await isReady(a);
	await send(line, '/topic/kept/tea', 'new');
	equal(await texts(line, 1), ['new'], 'what comes');
	const other = await client(a);
	equal((await resume(other, '0', '/topic/kept/tea', last))[0], 'false', 'the old place is not known');
	equal(await texts(other, 1), ['new'], 'what comes');
}, kept));

await suite.test('history: NATS without JetStream is not ready, and says why', async () => {
	const server = await new Nats({ jetstream: false }).start();
	const gateway = await start({ servers: server.url, lost_after_ms: 500 }, kept);

	try {
		await until(() => gateway.log.some((l) => /engine cannot be used/.test(l)), 'it says why');
		equal(await readyz(gateway), 503, 'readyz');
	} finally {
		await finishAll([gateway]);
		await server.stop();
		await server.remove?.();
	}
});

await suite.test('history: JetStream alone fails, and comes back: readyz, metrics and the log tell, and nothing is lost', () => withGateways(2, async (a, b, server) => {
	const [one, other, quiet] = [await client(a), await client(b), await client(b)];

	await subscribe(other, '0', '/topic/kept/tea');
	await subscribe(quiet, '0', '/topic/**');
	await send(one, '/topic/kept/tea', 'before');
	equal([await texts(other, 1), await texts(quiet, 1)], [['before'], ['before']], 'what comes');
	for (let round = 0; round < 2; round++) {
		await server.stop();
		await server.configure({ jetstream: false });
		await server.start();
		await until(async () => await a.metric('sockjs_engine_connected') === 1 && await b.metric('sockjs_engine_connected') === 1, 'there is a connection');
		equal([await readyz(a), await readyz(b), await a.metric('sockjs_engine_up')], [503, 503, 0], 'but nothing is kept');
		await until(() => a.log.some((l) => /engine cannot be used.*JetStream|cannot be used.*nobody/i.test(l)) || a.log.some((l) => /engine cannot be used/.test(l)), 'the log says why');
		await server.stop();
		await server.configure({ jetstream: true });
		await server.start();
		await Promise.all([isReady(a), isReady(b)]);
		await send(one, '/topic/kept/tea', `after ${round}`);
		equal([await texts(other, 1), await texts(quiet, 1)], [[`after ${round}`], [`after ${round}`]], 'what comes');
	}
}, { ...keptLong, engine: { lost_after_ms: 60000 } }));

/* Calls JetStream's API as an operator would. */
async function jetstream(port, verb, name, body = '') {
	const raw = new Raw(port), inbox = `_INBOX.test.${names++}`;

	raw.socket.write(`SUB ${inbox} 1\r\nPUB $JS.API.${verb}.${name} ${inbox} ${Buffer.byteLength(body)}\r\n${body}\r\n`);
	const json = JSON.parse(await until(() => /MSG \S+ 1(?: \S+)? \d+\r\n(.*)\r\n/.exec(raw.text)?.[1], `an answer to ${verb}`));
	raw.end();
	check(!json.error, `${verb}: ${JSON.stringify(json.error)}`);
	return json;
}

await suite.test('history: the stream is deleted while there is a connection: it is told, and made anew', () => withGateways(1, async (a, server) => {
	const line = await client(a);

	await subscribe(line, '0', '/topic/kept/tea');
	for (let i = 0; i < 5; i++)
		await send(line, '/topic/kept/tea', `m${i}`);
	await texts(line, 5);
	await jetstream(server.port, 'STREAM.DELETE', 'sockjsd');
	await until(() => a.log.some((l) => /the engine keeps nothing/.test(l)), 'the log tells');
	await isReady(a);
	await send(line, '/topic/kept/tea', 'new');
	equal(await texts(line, 1), ['new'], 'what comes');
}, { ...keptLong, engine: { lost_after_ms: 60000 } }));

await suite.test('history: what a cluster loses on its way is found when its stream has another leader, without a next message', async () => {
	const cluster = await new NatsCluster().start(), [{ port }] = cluster.servers;
	const way = await new Sieve(port).open();
	const a = await start({ servers: `nats://127.0.0.1:${way.port}`, replicas: 3, lost_after_ms: 60000 }, keptLong);

	try {
		await isReady(a);
		const [one, other, pattern, first] = [await client(a), await client(a), await client(a), await client(a)];

		await subscribe(other, '0', '/topic/kept/tea');
		await subscribe(pattern, '0', '/topic/kept/*');
		await subscribe(first, '0', '/topic/kept/first');
		await send(one, '/topic/kept/tea', 'm0');
		equal([await texts(other, 1), await texts(pattern, 1)], [['m0'], ['m0']], 'what comes');
		for (let round = 1; round <= 2; round++) {
			const dropped = way.dropped, filled = await a.metric('sockjs_engine_filled_total');

			way.drops = /^sockjsd\.t\./;
			for (const to of ['tea', ...round === 1 ? ['first'] : []])
				await send(one, `/topic/kept/${to}`, `lost ${round}`);
			await until(() => way.dropped > dropped + (round === 1), 'it is lost');
			way.drops = null;
			equal([other.frames.length, first.frames.length], [0, 0], 'nothing comes');
			await jetstream(port, 'STREAM.LEADER.STEPDOWN', 'sockjsd');
			equal(await texts(other, 1), [`lost ${round}`], 'it is found');
			if (round === 1)
				equal([await texts(first, 1), await texts(pattern, 2)], [['lost 1'], ['lost 1', 'lost 1']], 'where nothing had come, too');
			else
				equal(await texts(pattern, 1), ['lost 2'], 'by a pattern, too');
			check(await a.metric('sockjs_engine_filled_total') > filled, 'in the stream');
		}
		await send(one, '/topic/kept/tea', 'last');
		equal([await texts(other, 1), await texts(pattern, 1)], [['last'], ['last']], 'what comes then');
	} finally {
		await finishAll([a]);
		way.close();
		await cluster.stop();
		await cluster.remove?.();
	}
});

await suite.test('history: what a server of a cluster does not have yet is looked for again', async () => {
	const cluster = await new NatsCluster().start();
	const way = await new Sieve(cluster.servers[0].port).open();
	const engine = { replicas: 3, lost_after_ms: 60000 };
	const gateways = [await start({ servers: cluster.urls, ...engine }, keptLong), await start({ servers: `nats://127.0.0.1:${way.port}`, ...engine }, keptLong)];

	try {
		await Promise.all(gateways.map(isReady));
		const [one, other] = await Promise.all(gateways.map((g) => client(g)));

		for (const text of ['zero', 'first', 'second'])
			await send(one, '/topic/kept/tea', text);
		const [zero] = (await gateways[0].command('history', { destination: '/topic/kept/tea', limit: 1000 })).json.messages;

		way.lags = 2;
		equal((await resume(other, '0', '/topic/kept/tea', zero.message_id))[0], 'true', 'all is there');
		equal(await texts(other, 2), ['first', 'second'], 'what was missed');
		equal(way.lags, 0, 'answers that are still to be wrong');
		way.drops = /^sockjsd\.t\./;
		await send(one, '/topic/kept/tea', 'lost');
		await until(() => way.dropped > 0, 'it is lost');
		way.drops = null;
		way.lags = 2;
		await send(one, '/topic/kept/tea', 'next');
		const frames = [await other.next('MESSAGE'), await other.next('MESSAGE')];

		equal(frames.map((f) => [f.text, f.get('gap')]), [['lost', undefined], ['next', undefined]], 'what comes then');
		equal(way.lags, 0, 'answers that are still to be wrong');
	} finally {
		await finishAll(gateways);
		way.close();
		await cluster.stop();
		await cluster.remove?.();
	}
});

/* Of two gateways the second has lost a message, and does not know it yet. */
async function withOneBehind(fn) {
	await withGateways(1, async (a, server) => {
		const way = await new Sieve(server.port).open();
		const b = await start({ servers: `nats://127.0.0.1:${way.port}`, lost_after_ms: 60000 }, keptLong);

		try {
			await isReady(b);
			const [one, there, watch] = [await client(a), await client(a), await client(b)];

			for (const line of [there, watch])
				await subscribe(line, '0', '/topic/kept/tea');
			await send(one, '/topic/kept/tea', 'm0');
			const before = (await watch.next('MESSAGE')).get('message-id');
			way.drops = /^sockjsd\.t\./;
			await send(one, '/topic/kept/tea', 'm1');
			await until(() => way.dropped > 0, 'it is lost');
			way.drops = null;
			equal(await texts(there, 2), ['m0', 'm1'], 'what comes elsewhere');
			await fn({ b, way, one, watch, before, last: there.all.findLast((f) => f.command === 'MESSAGE').get('message-id') });
		} finally {
			await finishAll([b]);
			way.close();
		}
	}, keptLong);
}

await suite.test('history: who comes back while a gateway looks for what it has missed gets it once', () => withOneBehind(async ({ b, way, one, watch, before }) => {
	way.lags = 2; /* it is not found at first, nor when something else is asked for, and again a second later */
	await send(one, '/topic/kept/tea', 'm2');
	await until(() => way.lags === 1, 'it is looked for');
	const late = await client(b);
	equal((await resume(late, 'x', '/topic/kept/tea', before))[0], 'true', 'all is there');
	await send(one, '/topic/kept/tea', 'm3');
	equal([await texts(late, 3), await texts(watch, 3)], [['m1', 'm2', 'm3'], ['m1', 'm2', 'm3']], 'what was missed, and what is new');
	await nothingElse(late, one, 'end');
}));

await suite.test('history: who has had more elsewhere gets nothing of it again', () => withOneBehind(async ({ b, one, watch, last }) => {
	const late = await client(b);

	equal((await resume(late, 'x', '/topic/kept/tea', last))[0], 'true', 'all is there');
	await send(one, '/topic/kept/tea', 'm2');
	equal([await texts(late, 1), await texts(watch, 2)], [['m2'], ['m1', 'm2']], 'what comes');
	await nothingElse(late, one, 'end');
}));

await suite.test('history: a last message that was lost is found when the stream is quiet', () => withGateways(1, async (a, server) => {
	const way = await new Sieve(server.port).open();
	const b = await start({ servers: `nats://127.0.0.1:${way.port}`, lost_after_ms: 60000 }, keptLong);

	try {
		await isReady(b);
		const [one, other, pattern] = [await client(a), await client(b), await client(b)];

		await subscribe(other, '0', '/topic/kept/tea');
		await subscribe(pattern, '0', '/topic/kept/deep/**');
		for (const [round, to] of ['tea', 'deep/er', 'tea'].entries()) {
			const reader = to === 'tea' ? other : pattern;

			way.drops = /^sockjsd\.t\./;
			await send(one, `/topic/kept/${to}`, `lost ${round}`);
			await until(() => way.dropped > round, 'it is lost');
			way.drops = null;
			equal((await reader.next('MESSAGE', 20000)).text, `lost ${round}`, 'it is found');
		}
		const filled = await b.metric('sockjs_engine_filled_total');
		await send(one, '/topic/kept/of/nobody', 'x');
		await sleep(9000);
		equal([await b.metric('sockjs_engine_filled_total'), other.frames, pattern.frames], [filled, [], []], 'what nobody wants is not looked for');
	} finally {
		await finishAll([b]);
		way.close();
	}
}, keptLong));

async function within(ms, line, destination, body) {
	line.send('SEND', { destination, receipt: body }, body);
	await line.next((f) => f.command === 'RECEIPT' && f.get('receipt-id') === body, ms);
}

await suite.test('history: the server that leads is killed while another stands still: what was on its way is found', async () => {
	const cluster = await new NatsCluster().start();
	const engine = { replicas: 3, lost_after_ms: 60000, ping_interval_ms: 1000 }; /* whose server stands still looks for another */
	const gateways = await Promise.all(cluster.servers.map((s) => start({ servers: s.url, ...engine }, keptLong)));

	try {
		await Promise.all(gateways.map(isReady));
		const readers = await Promise.all(gateways.map((g) => client(g)));
		const all = [];
		for (const r of readers) {
			await subscribe(r, '0', '/topic/kept/**');
			all.push(collect(r));
		}
		const leads = async () => cluster.servers.findIndex((s) => s.options.serverName === leader);
		let sent = 0, leader;

		for (let round = 0; round < 3; round++) {
			await until(async () => { /* all have what there is, so who leads goes on to */
				const info = await jetstream(cluster.servers[0].port, 'STREAM.INFO', 'sockjsd').catch(() => null);

				({ leader } = info?.cluster ?? {});
				return leader && info.cluster.replicas.every((r) => r.current && !r.offline);
			}, 'the stream is whole', 60000);
			const at = await leads(), victim = cluster.servers[(at + 1) % 3];
			const writer = await client(gateways[(at + 2) % 3]);

			victim.pause();
			for (let i = 0; i < 20; i++)
				await within(60000, writer, `/topic/kept/${round}/${i}`, `m${sent++}`); /* another may have to be elected */
			await cluster.servers[at].kill(); /* what its routes had for the other is lost with it */
			victim.resume();
			await cluster.servers[at].start();
			await Promise.all(gateways.map(isReady));
			const expected = Array.from({ length: sent }, (_, i) => `m${i}`);
			for (const [i, got] of all.entries()) {
				await until(() => got.length >= sent, `all come to gateway ${i}, round ${round}`, 40000);
				equal([...got].sort(), [...expected].sort(), 'once');
			}
		}
	} finally {
		await finishAll(gateways);
		await cluster.stop();
		await cluster.remove?.();
	}
});

await suite.test('history: where all is well nothing is looked for again', () => withGateways(2, async (a, b) => {
	const [one, other] = [await client(a), await client(b)];

	await subscribe(other, '0', '/topic/kept/**');
	const got = collect(other), end = Date.now() + 9000;
	let sent = 0;
	while (Date.now() < end) {
		await send(one, `/topic/kept/${sent % 7}`, `m${sent++}`);
		await sleep(10);
	}
	await until(() => got.length === sent, 'all come');
	equal([await a.metric('sockjs_engine_filled_total'), await b.metric('sockjs_engine_filled_total')], [0, 0], 'what was looked for');
}, keptLong));

suite.finish();
