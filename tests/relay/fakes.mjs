#!/usr/bin/env node
/*
 * fakes.mjs - the fake broker is what it says: it works, it fails as told, and where a relay can tell the difference
 * it answers as the real ones do. Whoever rests a test on a fake rests on this.
 *
 *	fakes.mjs [--only REGEXP] [--real no]		`no` leaves out what needs RabbitMQ, ActiveMQ and nats-server
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { Client } from '@stomp/stompjs';
import { check, equal, readArguments, Suite, withDeadline } from '../e2e/harness.mjs';
import { sleep, until } from '../upstream/gateway.mjs';
import { makeCertificates } from '../upstream/tls.mjs';
import { ActiveMq, missing, makeNkey, Nats, NatsCluster, RabbitMq } from './brokers.mjs';
import { FakeBroker } from './fake_broker.mjs';
import { Line } from './frames.mjs';

const args = readArguments(['only', 'real']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'fakes-'));
const certificates = makeCertificates(folder);
const GONE_MS = 3000;

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

async function withFake(options, fn) {
	const broker = await new FakeBroker(options).start();

	try {
		await fn(broker);
	} finally {
		await broker.stop({ reset: true });
	}
}

async function connected(broker, headers) {
	const line = new Line(broker.url);
	const frame = await line.connect({ ...broker.credentials?.('root'), ...headers });

	equal(frame.command, 'CONNECTED', 'the answer');
	return line;
}

const ends = (line) => withDeadline(line.ended, GONE_MS, 'the link ends');

/* --- what works ------------------------------------------------------------------------------------ */

for (const manners of ['plain', 'rabbitmq', 'activemq']) {
	await suite.test(`${manners}: topics, patterns, receipts, and frames noted`, () => withFake({ manners }, async (broker) => {
		const many = manners === 'activemq' ? '>' : '#';
		const [a, b] = [await connected(broker), await connected(broker)];

		for (const [id, destination] of [['one', '/topic/a.b'], ['two', '/topic/a.*'], ['three', `/topic/${many}`], ['none', '/topic/a']])
			a.send('SUBSCRIBE', { id, destination, receipt: id });
		for (const id of ['one', 'two', 'three', 'none'])
			await a.receipt(id);
		b.send('SEND', { destination: '/topic/a.b', 'x-own': 'v\\c1', receipt: 'r' }, 'hello');
		await b.receipt('r');
		const got = [await a.next('MESSAGE'), await a.next('MESSAGE'), await a.next('MESSAGE')];
		equal(got.map((f) => f.get('subscription')), ['one', 'two', 'three'], 'who gets it');
		equal([got[0].text, got[0].get('x-own'), got[0].get('destination')], ['hello', 'v\\c1', '/topic/a.b'], 'what it is');
		equal(got[0].get('receipt'), manners === 'rabbitmq' ? 'r' : undefined, 'receipt in MESSAGE');
		equal(broker.publish('/topic/a', 'x'), 2, 'subscribers of a publication of the test');
		equal([broker.got('SUBSCRIBE').length, broker.got('SEND')[0].link.number], [4, 2], 'what is noted');
		equal(broker.subscribed().length, 4, 'subscriptions');
	}));
	await suite.test(`${manners}: a queue, with acks, in turns, and again when a link goes`, () => withFake({ manners }, async (broker) => {
		const [a, b] = [await connected(broker), await connected(broker)];

		for (const line of [a, b]) {
			line.send('SUBSCRIBE', { id: 'q', destination: '/queue/q', ack: 'client', receipt: 'r' });
			await line.receipt('r');
		}
		for (let i = 0; i < 4; i++)
			b.send('SEND', { destination: '/queue/q' }, `m${i}`);
		const [first, second] = [await a.next('MESSAGE'), await a.next('MESSAGE')];
		a.send('ACK', { id: second.get('ack'), receipt: 'ack' });
		await a.receipt('ack');
		b.cut();
		const again = [await a.next('MESSAGE'), await a.next('MESSAGE')];
		equal([first.text, second.text, ...again.map((f) => f.text)], ['m0', 'm2', 'm1', 'm3'], 'messages');
		equal(again[0].get('redelivered'), manners === 'plain' ? undefined : 'true', 'redelivered');
	}));
	await suite.test(`${manners}: @stomp/stompjs works with it`, () => withFake({ manners }, async (broker) => {
			const client = new Client({ webSocketFactory: () => overTcp(new Socket(), broker.port), heartbeatIncoming: 0, heartbeatOutgoing: 0, reconnectDelay: 0 });

		await withDeadline(new Promise((resolve) => { client.onConnect = resolve; client.activate(); }), GONE_MS, 'CONNECTED');
		const got = new Promise((resolve) => { client.subscribe('/topic/x', resolve); });
		client.publish({ destination: '/topic/x', body: 'Grüße 🚂' });
		equal((await withDeadline(got, GONE_MS, 'a message')).body, 'Grüße 🚂', 'body');
		await withDeadline(client.deactivate(), GONE_MS, 'deactivate()');
	}));
}

/* A socket as @stomp/stompjs wants one, which is no WebSocket. */
function overTcp(socket, port) {
	const like = { send: (data) => socket.write(data), close: () => socket.end(), readyState: 0, protocol: 'v12.stomp', bufferedAmount: 0 };

	socket.on('data', (data) => like.onmessage({ data: data.toString() }));
	socket.on('close', () => { like.readyState = 3; like.onclose?.({ code: 1000 }); });
	socket.on('error', () => {});
	socket.connect(port, '127.0.0.1', () => { like.readyState = 1; like.onopen(); });
	return like;
}

/* --- how it fails ------------------------------------------------------------------------------------ */

for (const [connect, answer] of [['silent', null], ['close', 'EOF'], ['reset', 'ECONNRESET'], ['error', 'ERROR'], ['garbage', null], ['http', 'EOF'], ['message', 'MESSAGE'], ['half', null], ['unknown version', 'CONNECTED'],
	[Buffer.from('CONNECTED\nversion:1.2\n\nwith a body\0'), 'CONNECTED']])
	await suite.test(`a CONNECT that is answered with ${Buffer.isBuffer(connect) ? 'octets' : connect}`, () => withFake({}, async (broker) => {
		broker.faults = { connect };
		const line = new Line(broker.url);
		const got = await withDeadline(line.connect(), answer ? GONE_MS : 300, 'anything').then((f) => f.command, () => line.why ?? null);

		equal(got, answer, 'what came');
		equal(broker.got('CONNECT').length, 1, 'CONNECTs noted');
	}));
for (const accept of ['reset', 'close', 'stall'])
	await suite.test(`a connection that is met with ${accept}`, () => withFake({}, async (broker) => {
		broker.faults = { accept };
		const line = new Line(broker.url);
		await withDeadline(line.connect(), accept === 'stall' ? 500 : GONE_MS, 'anything').then(() => check(false, 'it was answered'), () => {});
		if (accept !== 'stall')
			await until('it is closed', () => (line.closed ? null : 'open'));
		equal([line.closed, broker.frames.length], [accept !== 'stall', 0], 'closed, and frames read');
	}));
for (const does of ['reset', 'close', 'error', 'error and stay', 'stall', 'ignore', 'garbage'])
	await suite.test(`the third frame is met with ${does}`, () => withFake({}, async (broker) => {
		const line = await connected(broker);

		broker.faults = { at: { frame: 3, does } };
		line.send('SEND', { destination: '/topic/a', receipt: 'two' });
		await line.receipt('two');
		line.send('SEND', { destination: '/topic/a', receipt: 'three' });
		line.send('SEND', { destination: '/topic/a', receipt: 'four' });
		const goesOn = ['error and stay', 'ignore'].includes(does);
		const four = await line.receipt('four', goesOn ? GONE_MS : 300).then(() => true, () => false);
		equal(four, goesOn, 'the fourth is answered');
		equal(line.closed, ['reset', 'close', 'error'].includes(does), 'closed');
		equal(line.all.some((f) => f.command === 'ERROR'), does.startsWith('error'), 'an ERROR');
		equal(line.all.some((f) => f.get('receipt-id') === 'three'), false, 'a receipt of the third');
	}));
await suite.test('pieces of one octet are whole frames in the end', () => withFake({}, async (broker) => {
	broker.faults = { pieces: 1 };
	const line = await connected(broker);
	line.send('SUBSCRIBE', { id: 's', destination: '/topic/a', receipt: 'r' });
	await line.receipt('r');
	broker.publish('/topic/a', 'x'.repeat(500));
	equal((await line.next('MESSAGE')).body.length, 500, 'octets');
}));
await suite.test('heart-beats come, and stop when told to; silence of the other is noticed', () => withFake({ manners: 'activemq' }, async (broker) => {
	broker.faults = { beats: 250 };
	const line = await connected(broker, { 'heart-beat': '0,50' });
	await until('beats', () => (line.beats >= 2 ? null : `${line.beats}`));
	let { beats } = line;
	await until('they stop', async () => {
		const before = beats;

		await sleep(300);
		beats = line.beats;
		return beats === before ? null : `${beats}`;
	});
	check(beats <= 6, `${beats} beats`);
	const other = await connected(broker, { 'heart-beat': '100,0' });
	await ends(other);
	equal(broker.links[1].why, 'no heart-beat', 'why');
}));
for (const [what, faults, expected] of [['escapes that there are not', { escapes: 'undefined' }, ['x-bad', 'a\\tb']], ['a lone backslash', { escapes: 'cut' }, ['x-bad', 'value\\']],
	['headers twice', { adds: [['subscription', 'other']] }, ['subscription', 'other']]])
	await suite.test(`a MESSAGE with ${what}`, () => withFake({}, async (broker) => {
		broker.faults = faults;
		const line = await connected(broker);
		line.send('SUBSCRIBE', { id: 's', destination: '/topic/a', receipt: 'r' });
		await line.receipt('r');
		broker.publish('/topic/a', 'x');
		equal((await line.next('MESSAGE')).headers.at(-1), expected, 'the last header');
	}));
await suite.test('a MESSAGE for nobody, one without subscription, wrong lengths', () => withFake({}, async (broker) => {
	const line = await connected(broker);
	line.send('SUBSCRIBE', { id: 's', destination: '/topic/a', receipt: 'r' });
	await line.receipt('r');
	broker.faults = { strangers: true, omits: ['subscription'] };
	broker.publish('/topic/a', 'x');
	equal([(await line.next('MESSAGE')).get('subscription'), (await line.next('MESSAGE')).get('subscription')], ['nobody-has-this', undefined], 'subscriptions');
	broker.links[0].faults = { strangers: false, omits: [], length: 3 };
	broker.publish('/topic/a', 'abc');
	await until('it waits for more', () => (line.rest.includes('content-length:6') ? null : `rest ${line.rest}`));
}));
await suite.test('receipts that never come, come twice, or come late', () => withFake({}, async (broker) => {
	const line = await connected(broker);
	for (const [receipts, count] of [['none', 0], ['twice', 2], ['unknown', 2], [100, 1]]) {
		broker.faults = { receipts };
		const before = line.all.length;
		line.send('SEND', { destination: '/topic/a', receipt: 'r' });
		await until('receipts', () => (line.all.length - before >= count ? null : `${line.all.length - before}`));
		await sleep(250);
		equal(line.all.length - before, count, `receipts of ${receipts}`);
	}
}));
await suite.test('who is stalled is not read; what he is told still comes', () => withFake({}, async (broker) => {
	const line = await connected(broker);
	line.send('SUBSCRIBE', { id: 's', destination: '/topic/a', receipt: 'r' });
	await line.receipt('r');
	broker.links[0].stall();
	const seen = broker.frames.length;
	for (let i = 0; i < 2000; i++)
		line.send('SEND', { destination: '/topic/b' }, 'x'.repeat(10000));
	broker.publish('/topic/a', 'still');
	equal((await line.next('MESSAGE')).text, 'still', 'body');
	await sleep(100);
	check(line.socket.writableLength > 0, 'our octets are stuck');
	equal(broker.frames.length, seen, 'frames that it read');
	broker.links[0].flow();
	await until('all come', () => (broker.got('SEND').length === 2000 ? null : `${broker.got('SEND').length}`));
}));
await suite.test('rabbitmq: an alarm holds up who publishes twice, and nobody else; nobody is cut for it', () => withFake({ manners: 'rabbitmq' }, async (broker) => {
	const [a, b] = [await connected(broker, { 'heart-beat': '1000,1000' }), await connected(broker)];
	broker.hold();
	a.send('SEND', { destination: '/topic/a', receipt: 'r1' }, 'x');
	await a.receipt('r1');
	a.send('SEND', { destination: '/topic/a', receipt: 'r2' }, 'y');
	a.send('SUBSCRIBE', { id: 's', destination: '/topic/a', receipt: 's' });
	b.send('SUBSCRIBE', { id: 's', destination: '/topic/a', receipt: 's' });
	await b.receipt('s');
	await a.receipt('r2', 3500).then(() => check(false, 'it was taken'), () => {});
	check(!a.closed && a.beats >= 2, `closed ${a.closed}, ${a.beats} beats`);
	broker.release();
	await a.receipt('r2');
	await a.receipt('s');
	equal((await b.next('MESSAGE')).text, 'y', 'body');
}));
await suite.test('activemq: a subscriber who does not read holds up all publishers', () => withFake({ manners: 'activemq', memory: 1 << 20 }, async (broker) => {
	const [to, from, other] = [await connected(broker), await connected(broker), await connected(broker)];
	to.send('SUBSCRIBE', { id: 's', destination: '/topic/a', receipt: 's' });
	await to.receipt('s');
	to.socket.pause();
	for (let i = 0; i < 300; i++)
		from.send('SEND', { destination: '/topic/a' }, 'x'.repeat(100000));
	await until('what waits for it is too much', () => (broker.links[0].pending > 1 << 20 ? null : `${broker.links[0].pending}`));
	other.send('SEND', { destination: '/topic/b', receipt: 'o' }, 'x');
	await other.receipt('o', 200).then(() => check(false, 'it was taken'), () => {});
	to.socket.resume();
	await other.receipt('o');
	await until('all messages', () => (to.all.length === 302 ? null : `${to.all.length}`));
}));
for (const kind of ['header', 'headers', 'command', 'body', 'promise', 'beats'])
	await suite.test(`a flood of ${kind} is as long as told, or until it is cut`, () => withFake({}, async (broker) => {
		const line = await connected(broker);
		line.socket.removeAllListeners('data');
		line.socket.resume();
		const sent = await withDeadline(broker.links[0].flood(kind, 4 << 20), GONE_MS, 'its end');
		check(sent >= 4 << 20, `${sent} octets`);
		const endless = broker.links[0].flood(kind, Infinity);
		await sleep(20);
		line.cut();
		await withDeadline(endless, GONE_MS, 'it stops');
	}));
for (const [name, good] of [['good', true], ['expired', false], ['wrongName', false]])
	await suite.test(`TLS with a certificate that is ${name}`, () => withFake({ tls: certificates[name] }, async (broker) => {
		const line = new Line(broker.url, { ca: readFileSync(certificates.ca) });
		const got = await line.connect().then((f) => f.command, (e) => e.code ?? e.message);
		equal(got === 'CONNECTED', good, `it is believed (${got})`);
	}));
await suite.test('hooks see each frame first, and may be all that happens', () => withFake({}, async (broker) => {
	broker.on.SEND = (frame, link) => { link.send('ERROR', { message: 'mine' }); return true; };
	broker.on.SUBSCRIBE = () => {};
	const line = await connected(broker);
	line.send('SEND', { destination: '/topic/a', receipt: 'r' });
	equal((await line.next()).get('message'), 'mine', 'message');
	line.send('SUBSCRIBE', { id: 's', destination: '/topic/a', receipt: 's' });
	await line.receipt('s');
	equal(broker.links[0].deliver('s', 'by hand', { 'x-own': 'v' }), undefined, 'nothing');
	equal((await line.next('MESSAGE')).text, 'by hand', 'body');
}));
await suite.test('it stops, and starts at the same port', () => withFake({}, async (broker) => {
	const { port } = broker;
	const line = await connected(broker);
	await broker.stop();
	await ends(line);
	equal(await new Line(broker.url).connect().then(() => 'connected', (e) => e.code), 'ECONNREFUSED', 'while it is stopped');
	await broker.start();
	equal(broker.port, port, 'port');
	await connected(broker);
}));

/* --- as the real ones do -------------------------------------------------------------------------------------- */

const sub = (destination, more = {}) => ['SUBSCRIBE', { id: 's1', destination, receipt: 'r1', ...more }];
const send = (destination, more = {}) => ['SEND', { destination, receipt: 'r1', ...more }, 'ab'];
const CASES = {
	'SUBSCRIBE denied': { alice: [sub('/topic/secret.a')] }, 'SUBSCRIBE denied, no receipt': { alice: [sub('/topic/secret.a', { receipt: undefined })] },
	'SEND denied': { alice: [send('/topic/secret.a')] }, 'SEND denied, no receipt': { alice: [send('/topic/secret.a', { receipt: undefined })] },
	'SEND to the unknown': { root: [send('/nonsense/x')] }, 'SUBSCRIBE to the unknown': { root: [sub('/nonsense/y')] }, 'SEND plain': { root: [send('plain')] },
	slashes: { root: [sub('/topic/a/b'), send('/topic/a/b', { receipt: 'r2' })] }, 'empty topic': { root: [send('/topic/')] }, 'no exchange': { root: [sub('/exchange/none/x')] },
	'SEND without destination': { root: [['SEND', { receipt: 'r1' }, 'x']] }, 'the same id': { root: [sub('/topic/a'), sub('/topic/b', { receipt: 'r2' })] },
	'the same id and topic': { root: [sub('/topic/a'), sub('/topic/a', { receipt: 'r2' }), send('/topic/a', { receipt: undefined })] },
	'UNSUBSCRIBE of none': { root: [['UNSUBSCRIBE', { id: 'none', receipt: 'r1' }]] }, DISCONNECT: { root: [['DISCONNECT', { receipt: 'bye' }]] },
	'ACK of none': { root: [['ACK', { id: 'none', receipt: 'r1' }]] }, 'BEGIN twice': { root: [['BEGIN', { transaction: 't' }], ['BEGIN', { transaction: 't', receipt: 'r1' }]] },
	'COMMIT of none': { root: [['COMMIT', { transaction: 'none', receipt: 'r1' }]] }, 'SEND in no transaction': { root: [send('/topic/a', { transaction: 'none' })] },
	'an unknown command': { root: [['HELLO', { receipt: 'r1' }]] }, 'a second CONNECT': { root: [['CONNECT', { 'accept-version': '1.2', host: '/', receipt: 'r1' }]] },
	'an undefined escape': { root: [send('/topic/a', { 'x-own': 'a\\tb' })] }, 'no colon': { root: [['SEND\nnocolon', { destination: '/topic/a', receipt: 'r1' }, 'x']] },
	...Object.fromEntries(['priority:abc', 'priority:99', 'expires:abc', 'expiration:abc', 'timestamp:abc', 'user-id:somebody', 'message-id:mine', 'subscription:mine', 'redelivered:mine', 'CC:a', 'reply-to:/topic/r',
		'persistent:true', 'persistent:false', 'x-own:a\\c\\\\b\\nc', 'content-length:2', 'correlation-id:c', 'transformation:jms-map-json', 'x-own: v '].map((h) => {
		const [name, value] = [h.slice(0, h.indexOf(':')), h.slice(h.indexOf(':') + 1)];
		return [`SEND with ${h}`, { root: [sub('/topic/h', { id: 'h', receipt: 'sub' }), send('/topic/h', { [name]: value })] }];
	})),
	'an empty body': { root: [sub('/topic/e'), ['SEND', { destination: '/topic/e' }]] },
	'a NACK': { root: [['SUBSCRIBE', { id: 'q', destination: '/queue/nack', ack: 'client-individual' }], ['SEND', { destination: '/queue/nack' }, 'x']] },
	'wrong passcode': { connect: { passcode: 'wrong' } }, 'nobody': { connect: { login: 'nobody' } }, 'no common version': { connect: { 'accept-version': '2.0' } }, 'a bad heart-beat': { connect: { 'heart-beat': 'abc' } },
	'heart-beat 500,2000': { connect: { 'heart-beat': '500,2000' } }, 'heart-beat 0,500': { connect: { 'heart-beat': '0,500' } }, 'version 1.0': { connect: { 'accept-version': undefined } },
	'an unknown host': { connect: { host: 'nowhere' } },
};

/* Without what differs each time; headers in one order, for that of ActiveMQ is by chance. */
function plainly(frame) {
	const vague = { session: 's', 'message-id': 'm', ack: 'a', timestamp: 't' };
	const headers = frame.headers.map(([n, v]) => `${n}:${vague[n] ?? v}`).filter((h) => !(frame.command === 'ERROR' && /^(content-length|message):/.test(h))).sort();

	return `${frame.command} ${headers.join(' ')} ${frame.command === 'ERROR' ? '' : frame.text}`;
}

async function outcome(broker, { connect, ...frames }) {
	const line = new Line(broker.url);
	const [[user, list] = ['root', []]] = Object.entries(frames);
	const { login, passcode, host } = broker.credentials(user);

	await line.connect({ login, passcode, host: host ?? '/', ...connect }).catch(() => {});
	if (!connect)
		line.all.length = 0;
	for (const frame of list) {
		line.send(...frame);
		await sleep(30); /* the real one may take them in another order of its own threads */
	}
	for (let seen = -1; seen !== line.all.length && !line.closed; await sleep(250))
		seen = line.all.length;
	/* What of one kind has an order; RECEIPT and MESSAGE have none between them. */
	const all = [...line.all].sort((a, b) => (a.command < b.command ? -1 : a.command > b.command ? 1 : 0)).map(plainly);
	const lives = !line.closed && (connect ? true : await line.alive(1500));
	line.cut();
	return [...all, lives ? 'lives' : 'closed'];
}

const ALL = ['.*', '.*', '.*'];
const REAL = {
	activemq: [ActiveMq, { users: { root: { password: 'root', groups: 'admins' }, alice: { password: 'alice', groups: 'people' } },
		allow: [['topic', '>', 'admins', 'admins', 'admins'], ['queue', '>', 'admins', 'admins', 'admins'], ['topic', 'ActiveMQ.Advisory.>', 'admins,people', 'admins,people', 'admins,people'],
			['topic', 'alive', 'people,admins', 'people,admins', 'people,admins']] }],
	rabbitmq: [RabbitMq, { users: { root: { password: 'root', permissions: { '/': ALL } }, alice: { password: 'alice', permissions: { '/': ALL }, topics: { '/': ['^alive', '^alive'] } } } }],
};

for (const [manners, [Kind, options]] of Object.entries(REAL)) {
	if (args.real === 'no' || missing(Kind) || !Object.keys(CASES).some((name) => suite.wants(`${manners}, as the real one: ${name}`)))
		continue;
	const real = new Kind(options);
	const fake = await new FakeBroker({ manners, users: { root: 'root', alice: 'alice' }, hosts: manners === 'rabbitmq' ? ['/'] : null,
		denies: (user, verb, destination) => user === 'alice' && destination !== '/topic/alive' }).start();

	fake.credentials = (user) => ({ login: user, passcode: user, host: '/' });
	await suite.step(`${manners}: starts`, () => real.start(), 90000);
	for (const [name, frames] of Object.entries(CASES))
		await suite.test(`${manners}, as the real one: ${name}`, async () => equal(await outcome(fake, frames), await outcome(real, frames), 'what comes'));
	await suite.step(`${manners}: what can be known of it, and pause, kill, restart`, async () => {
		const line = await connected(real);
		const before = real.connections();

		check(before >= 1 && real.memory() > 1 << 20 && real.cpu() > 0, `${before} connections, ${real.memory()} octets, ${real.cpu()} s`);
		real.pause();
		line.send('SEND', { destination: '/topic/a', receipt: 'p' });
		await line.receipt('p', 500).then(() => check(false, 'it answers while paused'), () => {});
		real.resume();
		await line.receipt('p');
		await real.kill();
		await ends(line);
		const { port } = real;
		await real.start();
		equal(real.port, port, 'port');
		await connected(real);
		await real.stop();
	}, 120000);
	await fake.stop({ reset: true });
	await real.remove();
}

if (args.real !== 'no' && !missing(Nats)) {
	await suite.test('nats: users, tokens, keys, TLS; a cluster with a leader', async () => {
		for (const options of [{}, { user: 'u', password: 'p' }, { token: 't' }, { nkey: makeNkey().publicKey }, { tls: { ...certificates.files.good, ca: certificates.ca } }]) {
			const nats = await new Nats(options).start();
			equal(nats.died, false, 'it died');
			await nats.remove();
		}
		const cluster = await new NatsCluster().start();
		const leader = await cluster.leader();
		await leader.kill();
		await until('another leads', async () => {
			const now = await cluster.leader().catch(() => null);
			return now && now !== leader ? null : 'not yet';
		}, 15000);
		await cluster.remove();
	});
	await suite.test('whatever ends the program, its servers and folders go too', async () => {
		const program = `import { Nats } from '${new URL('brokers.mjs', import.meta.url).pathname}'; const n = await new Nats().start(); console.log(n.pid, n.folder); setInterval(() => {}, 1000);`;
		for (const signal of ['SIGKILL', 'SIGTERM']) {
			const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
			const [said] = await withDeadline(once(child.stdout, 'data'), 20000, 'it is started');
			const [pid, place] = String(said).trim().split(' ');
			child.kill(signal);
			await until('it is gone', () => {
				const state = existsSync(`/proc/${pid}`) ? execFileSync('ps', ['-o', 'stat=', '-p', pid]).toString()[0] : 'Z';
				return state === 'Z' && !existsSync(place) ? null : `process ${state}, folder ${existsSync(place)}`;
			}, 5000);
		}
	});
}

suite.finish();
