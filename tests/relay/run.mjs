#!/usr/bin/env node
/*
 * run.mjs - the gateway as a relay: what its clients say and hear, what the broker behind it does, and what
 * becomes of both when one of them fails. The broker is a fake one (fake_broker.mjs), which notes every frame; with
 * --real yes, RabbitMQ and ActiveMQ as well.
 *
 *	run.mjs --server ./sockjsd [--threads N] [--only REGEXP] [--real yes]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, equal, readArguments, Suite } from '../e2e/harness.mjs';
import { sleep, TOKEN, until } from '../reload/gateway.mjs';
import { makeCertificates } from '../upstream/tls.mjs';
import { ActiveMq, missing, RabbitMq } from './brokers.mjs';
import { FakeBroker } from './fake_broker.mjs';
import { client, finish, ready, readyz, send, startGateway, subscribe } from './clients.mjs';
import { Line } from './frames.mjs';

const args = readArguments(['server', 'threads', 'only', 'real']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'relay-'));
const program = args.server ?? './sockjsd';
const threads = Number(args.threads ?? 2);
let names = 0;

process.setMaxListeners(200);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* --- a gateway and its clients ------------------------------------------------------------------------ */

const configOf = (relay, { stomp, endpoint, ...more } = {}) => ({
	listen: ['127.0.0.1:0', { address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }], threads, log_level: 'info',
	internal: { listen: '127.0.0.1:0', token: TOKEN, ready_needs_backends: true },
	endpoints: [{ prefix: '/stomp', application: 'stomp', ...endpoint,
		stomp: { access: 'open', ...stomp, relay: { mode: 'shared', retry_delay_ms: 50, retry_delay_max_ms: 200, ...relay } } }],
	...more,
});

const start = (config) => startGateway(program, folder, `g${names++}`, config);

/* The gateway is up, and so are its links. */
async function withGateway(relay, more, fn) {
	const gateway = await start(configOf(relay, more));

	try {
		await ready(gateway, 'the links are up');
		await fn(gateway);
	} finally {
		await finish(gateway);
	}
}

async function withRelay(options, relay, fn, more) {
	const broker = await new FakeBroker(options).start();

	try {
		await withGateway({ servers: `127.0.0.1:${broker.port}`, kind: options.manners === 'activemq' ? 'activemq' : 'rabbitmq',
			...broker.credentials?.('root'), ...relay }, more, (gateway) => fn(broker, gateway));
	} finally {
		await broker.stop({ reset: true });
	}
}

/* An ERROR, and the end. */
async function refused(line, code) {
	const frame = await line.next('ERROR');

	equal(frame.get('code'), String(code), `the code of ${frame}`);
	await line.ended;
	return frame;
}

const MANNERS = ['rabbitmq', 'activemq'];

/* --- what works ------------------------------------------------------------------------------------------ */

for (const manners of MANNERS) {
	await suite.test(`${manners}: topics go there and come back, under our names`, () => withRelay({ manners }, {}, async (broker, gateway) => {
		const [a, b] = [await client(gateway), await client(gateway)];

		await subscribe(a, 'one', '/topic/prices/eur');
		await subscribe(a, 'star', '/topic/prices/*');
		await subscribe(b, 'rest', '/topic/prices/**');
		equal(broker.subscribed(),
			['/topic/prices.eur', '/topic/prices.*', manners === 'activemq' ? '/topic/prices.>' : '/topic/prices.#'].sort(), 'what is subscribed there');
		await send(b, '/topic/prices/eur', 'hello', { 'x-own': 'a\\cb', 'content-type': 'text/plain' });
		const frames = [await a.next('MESSAGE'), await a.next('MESSAGE'), await b.next('MESSAGE')];
		equal(frames.map((f) => f.get('subscription')).sort(), ['one', 'rest', 'star'], 'who gets it');
		for (const f of frames) {
			equal([f.text, f.get('destination'), f.get('x-own'), f.get('content-type')], ['hello', '/topic/prices/eur', 'a\\cb', 'text/plain'], 'what it is');
			equal(['receipt', 'ack', 'redelivered', 'login', 'passcode', 'gap'].filter((h) => f.get(h) !== undefined), [], 'headers of the broker alone');
			equal(f.headers.filter(([n]) => ['message-id', 'subscription', 'destination'].includes(n)).length, 3, 'each of its own headers once');
		}
		equal(broker.got('SEND').map((f) => f.get('destination')), ['/topic/prices.eur'], 'what was sent there');
	}));
}

for (const manners of MANNERS)
	await suite.test(`${manners}: names with signs and letters of all kinds`, () => withRelay({ manners }, {}, async (broker, gateway) => {
		const line = await client(gateway), names = ['/topic/50%/%2E', '/topic/\u00e9t\u00e9/\u{1f600}', '/topic/a b/c\\cd', '/topic/-_~!$&()+;=@[]'];

		for (const [i, n] of names.entries())
			await subscribe(line, `s${i}`, n);
		for (const [i, n] of names.entries()) {
			await send(line, n, n);
			const f = await line.next('MESSAGE');
			equal([f.get('subscription'), f.get('destination')], [`s${i}`, n], 'what comes');
		}
	}));

await suite.test('a destination that is not relayed is ours', () => withRelay({}, { prefixes: ['/topic/far'] }, async (broker, gateway) => {
	const line = await client(gateway);

	await subscribe(line, 'near', '/topic/near/x');
	await subscribe(line, 'far', '/topic/far/x');
	await send(line, '/topic/near/x', 'n');
	equal((await line.next('MESSAGE')).text, 'n', 'ours');
	await send(line, '/topic/far/x', 'f');
	equal((await line.next('MESSAGE')).get('subscription'), 'far', 'theirs');
	equal(broker.subscribed(), ['/topic/far.x'], 'what the broker has');
	line.send('SUBSCRIBE', { id: 'both', destination: '/topic/**' });
	await refused(line, 4633);
}));

await suite.test('subscriptions are merged, linger, and end', () => withRelay({}, { linger_ms: 300 }, async (broker, gateway) => {
	const lines = await Promise.all(Array.from({ length: 20 }, () => client(gateway)));

	await Promise.all(lines.map((l) => subscribe(l, 'x', '/topic/x')));
	equal(broker.got('SUBSCRIBE').length, 1, 'subscriptions there');
	equal(broker.publish('/topic/x', 'all'), 1, 'messages of the broker');
	for (const l of lines)
		equal((await l.next('MESSAGE')).text, 'all', 'what each gets');
	for (const l of lines)
		l.send('UNSUBSCRIBE', { id: 'x', receipt: 'u' });
	await Promise.all(lines.map((l) => l.receipt('u')));
	await subscribe(lines[0], 'y', '/topic/x');
	equal(broker.got('SUBSCRIBE').length, 1, 'who is back at once is no news');
	await sleep(600);
	equal(broker.got('UNSUBSCRIBE').length, 0, 'a topic that somebody has again stays');
	lines[0].cut();
	await until(() => broker.got('UNSUBSCRIBE').length === 1, 'the topic is given up');
	equal(broker.subscribed().length, 0, 'what the broker has');
	await subscribe(lines[1], 'z', '/topic/x');
	equal(broker.publish('/topic/x', 'again'), 1, 'it can be had again');
	equal((await lines[1].next('MESSAGE')).text, 'again', 'what comes');
}));

await suite.test('a thousand clients are a few connections', () => withRelay({}, {}, async (broker, gateway) => {
	const lines = await Promise.all(Array.from({ length: 1000 }, () => client(gateway)));

	await Promise.all(lines.map(async (l, i) => {
		await subscribe(l, 'all', '/topic/all');
		await subscribe(l, 'some', `/topic/some/${i % 50}`);
	}));
	equal([broker.open.length, broker.got('SUBSCRIBE').length], [threads, 51], 'connections, and subscriptions');
	await send(lines[0], '/topic/all', 'x');
	await Promise.all(lines.map((l) => l.next('MESSAGE')));
	lines.forEach((l) => l.cut());
}));

for (const links of [0, 1])
	await suite.test(`all subscribers see one order, whoever sends, over ${links || 'as many as there are threads'}`, () => withRelay({}, { links }, async (broker, gateway) => {
		const readers = await Promise.all(Array.from({ length: 8 }, () => client(gateway)));
		const writers = await Promise.all(Array.from({ length: 4 }, () => client(gateway)));
		const EACH = 500;
	
		await Promise.all(readers.map((l) => subscribe(l, 'x', '/topic/x')));
		for (let i = 0; i < EACH; i++)
			writers.forEach((w, n) => w.send('SEND', { destination: '/topic/x' }, `${n}:${i}`));
		await Promise.all(readers.map((l) => until(() => l.frames.length === EACH * writers.length, 'all have come')));
		const [first, ...others] = readers.map((l) => l.frames.map((f) => f.text).join());
		others.forEach((o) => check(o === first, 'the same order'));
		for (let n = 0; n < writers.length; n++)
			equal(first.split(',').filter((t) => t.startsWith(`${n}:`)).map((t) => Number(t.split(':')[1])), Array.from({ length: EACH }, (_, i) => i), 'the order of a sender');
		equal(broker.links.length, links || threads, 'connections');
	}));

await suite.test('our login, vhost and heart-beats', () => withRelay({}, { login: 'us', passcode: 'secret', vhost: 'v', heartbeat_ms: [2000, 3000] }, async (broker) => {
	const connect = broker.got('CONNECT')[0];

	equal(['login', 'passcode', 'host', 'heart-beat'].map((h) => connect.get(h)), ['us', 'secret', 'v', '2000,3000'], 'CONNECT');
}));

await suite.test('a passcode may be in a file', () => {
	writeFileSync(join(folder, 'passcode'), 'from a file\nmore\n');
	return withRelay({}, { login: 'us', passcode_file: join(folder, 'passcode') }, async (broker) => {
		equal(broker.got('CONNECT')[0].get('passcode'), 'from a file', 'passcode');
	});
});

/* --- what may not pass ------------------------------------------------------------------------------------- */

const REFUSED = {
	rabbitmq: [
		['SUBSCRIBE', { id: 'q', destination: '/queue/x' }, 4638],
		['SUBSCRIBE', { id: 'q', destination: '/topic/x', ack: 'client' }, 4638],
		['SUBSCRIBE', { id: 'q', destination: '/topic/x', durable: 'true' }, 4638],
		['SUBSCRIBE', { id: 'q', destination: '/topic/x', 'x-queue-name': 'mine' }, 4638],
		['SUBSCRIBE', { id: 'q', destination: '/topic/a.b' }, 4633],
		['SUBSCRIBE', { id: 'q', destination: '/topic/a#' }, 4633],
		['SUBSCRIBE', { id: 'q', destination: '/topic/a%2Fb' }, 4633],
		['SUBSCRIBE', { id: 'q', destination: `/topic/${'x'.repeat(256)}` }, 4633],
		['SUBSCRIBE', { id: 'q', destination: '/relay/topic/x' }, 4633],
		['SUBSCRIBE', { id: 'q', destination: '/**' }, 4633],
		['SEND', { destination: '/queue/x' }, 4638],
		['SEND', { destination: '/topic/a.b' }, 4633],
		['SEND', { destination: '/relay/topic/x' }, 4633],
		['SEND', { destination: '/topic/x', 'reply-to': '/temp-queue/x' }, 4638],
		['SEND', { destination: '/topic/x', 'user-id': 'root' }, 4638],
		['SEND', { destination: '/topic/x', CC: 'x' }, 4638],
		['SEND', { destination: '/topic/x', 'x-max-length': 'x' }, 4638],
		['SEND', { destination: '/topic/x', expiration: 'abc' }, 4607],
		['SEND', { destination: '/topic/x', expiration: '99999999999' }, 4607],
		['SEND', { destination: '/topic/x', priority: '256' }, 4607],
		['SEND', { destination: '/topic/x', timestamp: '-1' }, 4607],
		['SEND', { destination: '/topic/x', 'x-long': 'x'.repeat(10001) }, 4601],
		['SEND', { destination: '/topic/x', ['n'.repeat(256)]: 'x' }, 4601],
	],
	activemq: [
		['SUBSCRIBE', { id: 'q', destination: '/topic/x', selector: 'a = 1' }, 4638],
		['SUBSCRIBE', { id: 'q', destination: '/topic/x', 'activemq.prefetchSize': '1' }, 4638],
		['SUBSCRIBE', { id: 'q', destination: '/topic/a,b' }, 4633],
		['SUBSCRIBE', { id: 'q', destination: '/topic/ActiveMQ/Advisory' }, 4633],
		['SUBSCRIBE', { id: 'q', destination: '/topic/**' }, 4633],
		['SEND', { destination: '/topic/a?b' }, 4633],
		['SEND', { destination: '/topic/x', priority: 'abc' }, 4607],
		['SEND', { destination: '/topic/x', expires: 'abc' }, 4607],
		['SEND', { destination: '/topic/x', AMQ_SCHEDULED_DELAY: '1' }, 4638],
		['SEND', { destination: '/topic/x', transformation: 'jms-map-xml' }, 4638],
	],
};

for (const manners of MANNERS)
	await suite.test(`${manners}: what could cost others the link does not reach it`, () => withRelay({ manners }, {}, async (broker, gateway) => {
		const other = await client(gateway);

		await subscribe(other, 'x', '/topic/x');
		const frames = broker.frames.length, links = broker.links.length;
		for (const [command, headers, code] of REFUSED[manners]) {
			const line = await client(gateway);

			line.send(command, headers, command === 'SEND' ? 'body' : '');
			await refused(line, code).catch((e) => { throw new Error(`${command} ${JSON.stringify(headers).slice(0, 80)}: ${e.message}`); });
		}
		const line = await client(gateway);
		line.send('BEGIN', { transaction: 't' });
		line.send('SEND', { destination: '/topic/x', transaction: 't' });
		await refused(line, 4638);
		equal(broker.frames.length, frames, 'frames that the broker has got');
		equal(broker.links.length, links, 'connections');
		await send(other, '/topic/x', 'still');
		equal((await other.next('MESSAGE')).text, 'still', 'the other one goes on');
	}));

await suite.test('headers that an operator does not list stay behind', () => withRelay({}, { headers: ['content-type', 'x-*'] }, async (broker, gateway) => {
	const line = await client(gateway);

	await subscribe(line, 'x', '/topic/x');
	await send(line, '/topic/x', 'b', { 'x-a': '1', own: '2', 'content-type': 'text/plain', 'user-id': 'root', authorization: 'Bearer x', gap: 'true' });
	const frame = broker.got('SEND')[0], message = await line.next('MESSAGE');
	equal(frame.headers.map(([n]) => n).sort(), ['content-length', 'content-type', 'destination', 'receipt', 'x-a'], 'what goes there');
	equal([message.get('x-a'), message.get('own'), message.get('gap')], ['1', undefined, undefined], 'what comes back');
}));

await suite.test('dead letters may be the other broker\'s', () => withRelay({}, { prefixes: ['/queue/dead'] }, async (broker, gateway) => {
	const line = await client(gateway);

	await subscribe(line, 'q', '/queue/mine', { ack: 'client-individual' });
	await send(line, '/queue/mine', 'dies');
	line.send('NACK', { id: (await line.next('MESSAGE')).get('ack') });
	await until(() => broker.got('SEND').length === 1, 'the letter is there');
	const letter = broker.got('SEND')[0];
	equal([letter.text, letter.get('destination'), letter.get('death')], ['dies', '/queue/dead', 'rejected'], 'what it is');
}, { stomp: { max_deliveries: 1, dead_letters: '/queue/dead' } }));

for (const [what, stomp, wanted] of [
	['nothing without servers', { relay: { mode: 'shared' } }, /stomp\.relay\.mode: means nothing without stomp\.relay\.servers/],
	['what may be sent and could not come back', { max_body_bytes: 2000000, relay: { servers: 'a', max_body_bytes: 1000000 } }, /stomp\.relay\.max_body_bytes: 1000000 is less than stomp\.max_body_bytes/],
	['waits that shrink', { relay: { servers: 'a', retry_delay_ms: 1000, retry_delay_max_ms: 500 } }, /stomp\.relay\.retry_delay_max_ms: 500 is less/],
	['history of what is relayed', { history: [{ destination: '/topic/a', messages: 1 }], relay: { servers: 'a' } }, /stomp\.history\[0\]\.destination: is relayed/],
	['presence of it', { presence: ['/topic/a/*'], relay: { servers: 'a' } }, /stomp\.presence\[0\]: is relayed/],
	['streams of ActiveMQ', { relay: { servers: 'a', kind: 'activemq', streams: ['/topic/a'] } }, /stomp\.relay\.streams\[0\]: only RabbitMQ has streams/],
	['two passcodes', { relay: { servers: 'a', passcode: 'a', passcode_file: 'b' } }, /stomp\.relay\.passcode_file: means nothing beside/],
	['a passcode that cannot be read', { relay: { servers: 'a', passcode_file: '/none' } }, /stomp\.relay\.passcode_file: cannot read/],
	['a key without its certificate', { relay: { servers: 'a', tls: { key: '/none' } } }, /stomp\.relay\.tls: a certificate and its key go together/],
])
	await suite.test(`a configuration that will not do: ${what}`, () => {
		const file = join(folder, 'bad.json');

		writeFileSync(file, JSON.stringify({ listen: ['127.0.0.1:0'], endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open', ...stomp } }] }));
		const { status, stderr } = spawnSync(program, ['--check-config', '-c', file], { encoding: 'utf8' });
		equal(status, 2, 'exit status');
		check(wanted.test(stderr), `what is said: ${stderr}`);
	});

await suite.test('rules of access are ours', () => withRelay({}, {}, async (broker, gateway) => {
	const line = await client(gateway);

	await subscribe(line, 'x', '/topic/open/x');
	line.send('SEND', { destination: '/topic/shut/x' }, 'x');
	await refused(line, 4630);
	equal(broker.got('SEND').length, 0, 'what was sent there');
}, { stomp: { access: [{ destination: '/topic/open/**', send: 'everybody', subscribe: 'everybody' }] } }));

/* --- TLS ------------------------------------------------------------------------------------------------------------- */

const certificates = makeCertificates(folder);

for (const [what, server, tls, wanted] of [
	['a broker that proves its name', 'good', { ca: certificates.ca }, 200],
	['one that is called otherwise', 'wrongName', { ca: certificates.ca, name: 'elsewhere.example' }, 200],
	['one of another name', 'wrongName', { ca: certificates.ca }, /mismatch/],
	['one whose time is over', 'expired', { ca: certificates.ca }, /certificate/],
	['one that nobody vouches for', 'good', { enabled: true }, /certificate/],
	['one that need not prove anything', 'wrongName', { verify: false }, 200],
])
	await suite.test(`TLS: ${what}`, async () => {
		const broker = await new FakeBroker({ tls: certificates[server] }).start();
		const gateway = await start(configOf({ servers: `127.0.0.1:${broker.port}`, tls }));

		try {
			if (wanted === 200)
				await until(async () => await readyz(gateway) === 200, 'the links are up');
			else
				await until(() => gateway.log.find((l) => /cannot be reached/.test(l) && wanted.test(l)), 'the log tells why').catch((e) => { throw new Error(`${e.message}: ${gateway.log.slice(-3).join()}`); });
			equal(broker.got('CONNECT').length > 0, wanted === 200, 'whether the passcode was said');
		} finally {
			await finish(gateway);
			await broker.stop({ reset: true });
		}
	});

await suite.test('TLS: we have a certificate, too', async () => {
	const broker = await new FakeBroker({ tls: { ...certificates.good, ca: readFileSync(certificates.ca), requestCert: true, rejectUnauthorized: true } }).start();
	const { cert: certificate, key } = certificates.files.client;

	try {
		await withGateway({ servers: `127.0.0.1:${broker.port}`, tls: { ca: certificates.ca, certificate, key } }, {}, async () => {
			equal(broker.open.length > 0, true, 'links');
		});
	} finally {
		await broker.stop({ reset: true });
	}
});

/* --- receipts ------------------------------------------------------------------------------------------------- */

await suite.test('receipts are the broker\'s', () => withRelay({}, {}, async (broker, gateway) => {
	const line = await client(gateway);

	broker.faults = { receipts: 300 };
	const begun = Date.now();
	await subscribe(line, 'x', '/topic/x');
	check(Date.now() - begun >= 290, 'a SUBSCRIBE waits for it');
	const then = Date.now();
	await send(line, '/topic/x', 'x');
	check(Date.now() - then >= 290, 'a SEND does, too');
	line.send('SEND', { destination: '/topic/x' }, 'without');
	equal([(await line.next('MESSAGE')).text, (await line.next('MESSAGE')).text], ['x', 'without'], 'what comes');
}));

await suite.test('many receipts under way come back to whom they belong', () => withRelay({}, {}, async (broker, gateway) => {
	const lines = await Promise.all(Array.from({ length: 10 }, () => client(gateway)));
	const EACH = 2000;

	for (const [n, line] of lines.entries())
		for (let i = 0; i < EACH; i++)
			line.send('SEND', { destination: '/topic/x', receipt: `${n}-${i}` }, 'x');
	await Promise.all(lines.map((l) => until(() => l.frames.length >= EACH, 'all receipts')));
	for (const [n, line] of lines.entries())
		equal(line.frames.map((f) => f.get('receipt-id')), Array.from({ length: EACH }, (_, i) => `${n}-${i}`), 'receipts, in order');
	equal(broker.got('SEND').length, EACH * lines.length, 'messages there');
}));

/* --- failures ------------------------------------------------------------------------------------------------- */

for (const manners of MANNERS)
	await suite.test(`${manners}: a subscription that the broker refuses is that client's trouble`, () => withRelay({ manners }, {}, async (broker, gateway) => {
		const [a, b] = [await client(gateway), await client(gateway)];

		broker.on.SUBSCRIBE = (frame, link) => {
			if (!/secret/.test(frame.get('destination')))
				return false;
			link.send('ERROR', { message: 'Access denied', ...manners === 'activemq' ? { 'receipt-id': frame.get('receipt') } : {} }, 'ACCESS_REFUSED for user root');
			if (manners === 'rabbitmq') {
				link.send('RECEIPT', { 'receipt-id': frame.get('receipt') });
				link.end();
			}
			return true;
		};
		await subscribe(b, 'x', '/topic/x');
		a.send('SUBSCRIBE', { id: 's', destination: '/topic/secret', receipt: 'r' });
		const error = await refused(a, 4630);
		equal(error.get('receipt-id'), 'r', 'the frame that is meant');
		check(!/root|ACCESS/.test(error.raw), `what the broker says is for the log alone: ${error}`);
		check(gateway.log.some((l) => /refuses a subscription/.test(l) && /secret/.test(l)), 'and there it is');
		if (manners === 'rabbitmq')
			return; /* it closes the link */
		await send(b, '/topic/x', 'on');
		equal((await b.next('MESSAGE')).text, 'on', 'the other one goes on');
		const c = await client(gateway), asked = broker.got('SUBSCRIBE').length;
		c.send('SUBSCRIBE', { id: 's', destination: '/topic/secret' });
		await refused(c, 4630);
		equal(broker.got('SUBSCRIBE').length, asked, 'it is not asked again at once');
	}, { stomp: {} }));

await suite.test('close: who has subscribed there is told, and others stay', () => withRelay({}, { prefixes: ['/topic'] }, async (broker, gateway) => {
	const [far, near] = [await client(gateway), await client(gateway)];

	await subscribe(far, 'x', '/topic/x');
	await subscribe(near, 'q', '/queue/near');
	await broker.stop({ reset: true });
	await refused(far, 4644);
	equal(await until(async () => await readyz(gateway), 'readyz'), 503, 'readyz');
	await send(near, '/queue/near', 'on');
	equal((await near.next('MESSAGE')).text, 'on', 'what is ours goes on');
	const late = await client(gateway);
	late.send('SUBSCRIBE', { id: 'x', destination: '/topic/x', receipt: 'r' });
	equal((await refused(late, 4644)).get('receipt-id'), 'r', 'a SUBSCRIBE that comes later');
	near.send('SEND', { destination: '/topic/x' }, 'x');
	await refused(near, 4644);
	equal((await gateway.command('publish', { destination: '/topic/x', body: 'x' })).status, 503, 'a command');
	await broker.start();
	await until(async () => await readyz(gateway) === 200, 'it is back');
	const back = await client(gateway);
	await subscribe(back, 'x', '/topic/x');
	await send(back, '/topic/x', 'again');
	equal((await back.next('MESSAGE')).get('gap'), undefined, 'nobody has missed anything');
}, {}));

await suite.test('wait: subscriptions come back, what was sent goes out, and a gap is told', () => withRelay({}, { when_down: 'wait', prefixes: ['/topic'] }, async (broker, gateway) => {
	const [a, b] = [await client(gateway), await client(gateway)];

	await subscribe(a, 'x', '/topic/x');
	await subscribe(a, 'y', '/topic/y');
	await send(a, '/topic/x', 'before');
	equal((await a.next('MESSAGE')).get('gap'), undefined, 'before');
	await broker.stop({ reset: true });
	await until(async () => await readyz(gateway) === 503, 'readyz');
	b.send('SEND', { destination: '/topic/x', receipt: 'w1' }, 'waits 1');
	b.send('SEND', { destination: '/topic/x', receipt: 'w2' }, 'waits 2');
	b.send('SUBSCRIBE', { id: 'z', destination: '/topic/z', receipt: 'sz' });
	equal((await gateway.command('publish', { destination: '/topic/x', body: 'x' })).status, 503, 'a command does not wait');
	await sleep(200);
	equal(b.frames.length, 0, 'no answer yet');
	await broker.start();
	await Promise.all(['w1', 'w2', 'sz'].map((r) => b.receipt(r)));
	const got = [await a.next('MESSAGE'), await a.next('MESSAGE')];
	equal(got.map((f) => [f.text, f.get('gap')]), [['waits 1', 'true'], ['waits 2', undefined]], 'what comes');
	await send(b, '/topic/y', 'y');
	equal((await a.next('MESSAGE')).get('gap'), 'true', 'each topic says so once');
	await send(b, '/topic/z', 'z');
	equal((await b.next('MESSAGE')).get('gap'), undefined, 'a topic that was not there before');
}));

await suite.test('what was under way when the link broke is not known, and said so', () => withRelay({}, { when_down: 'wait' }, async (broker, gateway) => {
	const line = await client(gateway);

	broker.faults = { receipts: 'none' };
	line.send('SEND', { destination: '/topic/x', receipt: 'r' }, 'x');
	await until(() => broker.got('SEND').length === 1, 'it is there');
	broker.open.forEach((l) => l.reset());
	equal((await refused(line, 4644)).get('receipt-id'), 'r', 'the message that is meant');
}));

await suite.test('several servers: the next one is taken, and topics move there', async () => {
	const [one, two] = [await new FakeBroker({}).start(), await new FakeBroker({}).start()];

	try {
		await withGateway({ servers: [one, two].map((b) => `127.0.0.1:${b.port}`), when_down: 'wait' }, {}, async (gateway) => {
			const line = await client(gateway);

			await subscribe(line, 'x', '/topic/x');
			equal([one.subscribed(), two.open.length], [['/topic/x'], 0], 'the first one is asked');
			await one.stop({ reset: true });
			await until(() => two.subscribed().length === 1, 'topics move');
			await until(async () => await readyz(gateway) === 200, 'the links are up');
			await send(line, '/topic/x', 'here');
			const frame = await line.next('MESSAGE');
			equal([frame.text, frame.get('gap')], ['here', 'true'], 'what comes');
		});
	} finally {
		await one.stop({ reset: true });
		await two.stop({ reset: true });
	}
});

await suite.test('a broker that stalls slows senders down, and costs nobody else anything', () => withRelay({}, { queue_bytes: 65536, prefixes: ['/topic'] }, async (broker, gateway) => {
	const [flood, other] = [await client(gateway), await client(gateway)];
	const body = 'x'.repeat(10000), MANY = 3000;

	await subscribe(other, 'q', '/queue/near');
	broker.open.forEach((l) => l.stall());
	for (let i = 0; i < MANY; i++)
		flood.send('SEND', { destination: '/topic/x' }, body);
	await until(() => flood.socket.writableLength > 0, 'the sender is held back');
	const held = await until(async () => {
		const one = await gateway.metric('sockjs_relay_queued_bytes');

		await sleep(300);
		return one === await gateway.metric('sockjs_relay_queued_bytes') && one;
	}, 'the queue does not grow');
	check(held < 3000000, `what waits is bounded: ${held}`);
	await send(other, '/queue/near', 'on');
	equal((await other.next('MESSAGE')).text, 'on', 'others go on');
	broker.open.forEach((l) => l.flow());
	await until(() => broker.got('SEND').length === MANY, 'all has arrived', 30000);
}, {}));

/* --- from inside ------------------------------------------------------------------------------------------------- */

await suite.test('commands publish there, and hear of it', () => withRelay({}, { prefixes: ['/topic'] }, async (broker, gateway) => {
	const line = await client(gateway);

	await subscribe(line, 'x', '/topic/x');
	equal((await gateway.command('publish', { destination: '/topic/x', body: 'one', headers: { 'x-a': 'b' } })).status, 200, 'status');
	const frame = await line.next('MESSAGE');
	equal([frame.text, frame.get('x-a')], ['one', 'b'], 'what comes');
	const { status, json } = await gateway.command('publish', { messages: [{ destination: '/topic/x', body: '2' }, { destination: '/topic/x', body: '3' }, { destination: '/queue/near', body: 'n' }] });
	equal([status, json.messages?.length], [200, 3], `status of many ${JSON.stringify(json)}`);
	equal([(await line.next('MESSAGE')).text, (await line.next('MESSAGE')).text], ['2', '3'], 'what comes of many');
	equal((await gateway.command('publish', { destination: '/topic/a.b', body: 'x' })).status, 400, 'a name that the broker cannot have');
	equal((await gateway.command('publish', { destination: '/relay/topic/x', body: 'x' })).status, 400, 'a key');
}, { stomp: {} }));

/* By the defaults of a gateway with rules: what is not allowed is not to be had by another name, or header. */
await suite.test('rabbitmq, mixed: no way around the rules', () => withRelay({ manners: 'rabbitmq' }, { mode: 'mixed' }, async (broker, gateway) => {
	const frames = () => broker.frames.filter((f) => f.command === 'SEND' || f.command === 'SUBSCRIBE').length;
	const before = frames();

	for (const [command, headers, code] of [
		['SUBSCRIBE', { id: 'x', destination: '/topic/public/x', 'x-queue-name': 'orders' }, 4638],
		['SUBSCRIBE', { id: 'x', destination: '/topic/public/x', 'x-dead-letter-exchange': '' }, 4638],
		['SUBSCRIBE', { id: 'x', destination: '/reply-queue/orders' }, 4633],
		['SUBSCRIBE', { id: 'x', destination: '/reply-queue/amq.gen-x' }, 4633],
		['SUBSCRIBE', { id: 'x', destination: '/queue/sockjsd/kept/x' }, 4633],
		['SUBSCRIBE', { id: 'x', destination: '/queue/amq/gen-x' }, 4633],
		['SEND', { destination: '/reply-queue/orders' }, 4633],
		['SEND', { destination: '/topic/public/x', CC: 'admin' }, 4638],
		['SEND', { destination: '/topic/public/x', BCC: 'admin' }, 4638],
		['SEND', { destination: '/topic/public/x', 'x-message-ttl': 'abc' }, 4638],
		['SEND', { destination: '/queue/mine', 'x-dead-letter-routing-key': 'admin' }, 4638],
	]) {
		const line = await client(gateway);

		line.send(command, headers, command === 'SEND' ? 'x' : '');
		await refused(line, code).catch((e) => { throw new Error(`${command} ${JSON.stringify(headers)}: ${e.message}`); });
	}
	equal(frames(), before, 'what the broker has got');
}, { stomp: { access: ['/topic/public/**', '/queue/mine', '/reply-queue/**', '/queue/sockjsd/**', '/queue/amq/**'].map((destination) => ({ destination, send: 'everybody', subscribe: 'everybody' })) } }));

await suite.test('activemq, mixed: answers are for whom they are meant', () => withRelay({ manners: 'activemq' }, { mode: 'mixed' }, async (broker, gateway) => {
	for (const [command, headers, code] of [
		['SUBSCRIBE', { id: 'x', destination: '/remote-temp-queue/>' }, 4633],
		['SUBSCRIBE', { id: 'x', destination: '/remote-temp-queue/ID' }, 4633],
		['SUBSCRIBE', { id: 'x', destination: '/temp-queue/>' }, 4633],
		['SEND', { destination: '/remote-temp-queue/a,b' }, 4633],
	]) {
		const line = await client(gateway);

		line.send(command, headers, command === 'SEND' ? 'x' : '');
		await refused(line, code).catch((e) => { throw new Error(`${command} ${JSON.stringify(headers)}: ${e.message}`); });
	}
	const [a, b] = [await client(gateway), await client(gateway)];
	await subscribe(a, 'x', '/topic/x');
	await send(b, '/topic/x', 'on', { JMSPriority: 'abc', JMSReplyTo: '' });
	equal((await a.next('MESSAGE')).text, 'on', 'what the broker cannot read stays here');
	check(broker.got('SEND').every((f) => !f.headers.some(([n]) => n.startsWith('JMS'))), 'headers that go there');
}));

await suite.test('close: all of many who have subscribed there, though the broker is back at once', () => withRelay({}, { retry_delay_ms: 10, retry_delay_max_ms: 10 }, async (broker, gateway) => {
	const lines = await Promise.all(Array.from({ length: 2000 }, () => client(gateway)));

	await Promise.all(lines.map((l) => subscribe(l, 'x', '/topic/x')));
	broker.open.forEach((l) => l.reset());
	await until(() => lines.every((l) => l.closed), 'all are closed', 30000);
	equal(lines.filter((l) => l.all.at(-1).get('code') !== '4644').length, 0, 'and told why');
}));

await suite.test('subscriptions to ever new names wait like all else, when the broker takes nothing', () => withRelay({}, { queue_bytes: 65536, linger_ms: 0 }, async (broker, gateway) => {
	const line = await client(gateway);

	broker.open.forEach((l) => l.stall());
	for (let i = 0; i < 60000; i++) {
		line.send('SUBSCRIBE', { id: `${i}`, destination: `/topic/${'n'.repeat(200)}${i}` });
		line.send('UNSUBSCRIBE', { id: `${i}` });
	}
	await sleep(4000);
	const one = await gateway.metric('sockjs_relay_queued_bytes');
	check(one < 4000000, `what waits is bounded: ${one}`);
	line.cut();
}));

await suite.test('an answer that never comes does not hold up others', () => withRelay({}, {}, async (broker, gateway) => {
	const [lost, other] = [await client(gateway), await client(gateway)];

	broker.on.SEND = (frame, link) => {
		if (frame.get('x-lost') === undefined)
			return false;
		link.error('what?');
		return true;
	};
	lost.send('SEND', { destination: '/topic/x', 'x-lost': '1', receipt: 'never' }, 'x');
	await until(() => broker.got('SEND').length === 1, 'it is there');
	await sleep(300);
	await subscribe(other, 'new', '/topic/new'); /* nobody blames it */
	for (let i = 0; i < 1100; i++)
		lost.send('SEND', { destination: '/topic/x', receipt: `r${i}` }, 'x');
	await lost.receipt('r500');
	equal((await lost.next('ERROR')).get('receipt-id'), 'never', 'in the end it is known');
}));

/* --- a link of a client's own ------------------------------------------------------------------------------------ */

const own = { mode: 'per-client' };
/* Links of the broker that are not ours. */
const linksOf = (broker) => broker.open.length - 1;

/* What holds for the fakes holds for the real ones: `count` says how many connections a broker has. */
const OWN = {
	'a queue, acknowledged, given back, and taken over': async (broker, gateway, kind) => {
		const [a, b, c] = [await client(gateway), await client(gateway), await client(gateway)];

		await subscribe(a, 'q', '/queue/jobs/a', { ack: 'client-individual' });
		for (const body of ['one', 'two', 'three'])
			await send(c, '/queue/jobs/a', body);
		const [one, two, three] = [await a.next('MESSAGE'), await a.next('MESSAGE'), await a.next('MESSAGE')];
		equal([one, two, three].map((f) => [f.text, f.get('destination'), f.get('subscription')]), ['one', 'two', 'three'].map((t) => [t, '/queue/jobs/a', 'q']), 'what comes');
		a.send('ACK', { id: one.get('ack'), receipt: 'ack' });
		await a.receipt('ack');
		a.cut();
		await subscribe(b, 'q', '/queue/jobs/a', { ack: 'client-individual' });
		const again = [await b.next('MESSAGE'), await b.next('MESSAGE')];
		equal(again.map((f) => [f.text, f.get('redelivered')]), [['two', 'true'], ['three', 'true']], 'what was not acknowledged comes again');
		for (const f of again)
			b.send('ACK', { id: f.get('ack'), receipt: f.text });
		await b.receipt('three');
	},
	'transactions': async (broker, gateway) => {
		const [a, b] = [await client(gateway), await client(gateway)];

		await subscribe(a, 't', '/topic/t/x');
		for (const [name, end] of [['lost', 'ABORT'], ['kept', 'COMMIT']]) {
			b.send('BEGIN', { transaction: name });
			b.send('SEND', { destination: '/topic/t/x', transaction: name }, `${name} 1`);
			b.send('SEND', { destination: '/topic/t/x', transaction: name }, `${name} 2`); /* RabbitMQ's receipt would come with COMMIT */
			b.send(end, { transaction: name, receipt: end });
			await b.receipt(end);
		}
		equal([(await a.next('MESSAGE')).text, (await a.next('MESSAGE')).text], ['kept 1', 'kept 2'], 'what comes');
		equal(a.frames.length, 0, 'and nothing else');
	},
	'an answer to a request': async (broker, gateway, kind) => {
		const [asks, answers] = [await client(gateway), await client(gateway)];

		await subscribe(answers, 'rpc', '/queue/rpc');
		if (kind === 'activemq')
			await subscribe(asks, 'mine', '/temp-queue/mine');
		asks.send('SEND', { destination: '/queue/rpc', 'reply-to': '/temp-queue/mine', 'correlation-id': '7' }, 'what?');
		const question = await answers.next('MESSAGE');
		equal([question.text, question.get('correlation-id')], ['what?', '7'], 'the question');
		answers.send('SEND', { destination: question.get('reply-to').replace(/\\c/g, ':'), 'correlation-id': '7' }, 'that.');
		const answer = await asks.next('MESSAGE');
		equal([answer.text, answer.get('correlation-id')], ['that.', '7'], 'the answer');
	},
	'what is said last arrives': async (broker, gateway) => {
		const [a, b, c] = [await client(gateway), await client(gateway), await client(gateway)];
		const MANY = 200;

		await subscribe(a, 'q', '/queue/last');
		for (let i = 0; i < MANY; i++)
			b.send('SEND', { destination: '/queue/last' }, `b${i}`);
		b.send('DISCONNECT', { receipt: 'bye' });
		await b.receipt('bye');
		for (let i = 0; i < MANY; i++)
			c.send('SEND', { destination: '/queue/last' }, `c${i}`);
		c.socket.end();
		await until(() => a.frames.length === 2 * MANY, 'all has come');
		for (const who of ['b', 'c'])
			equal(a.frames.map((f) => f.text).filter((t) => t[0] === who), Array.from({ length: MANY }, (_, i) => `${who}${i}`), 'in order');
	},
	'a version of the client': async (broker, gateway, kind) => {
		const old = await client(gateway, { 'accept-version': '1.0' }); /* which ActiveMQ does not escape for */
		old.send('SUBSCRIBE', { id: 'q', destination: '/queue/v', ack: 'client' });
		await refused(old, 4638);
		for (const version of ['1.1', '1.2']) {
			const line = await client(gateway, { 'accept-version': version });

			await subscribe(line, 'q', `/queue/v${version.replace('.', '')}`, { ack: 'client' });
			await send(line, `/queue/v${version.replace('.', '')}`, 'x');
			const message = await line.next('MESSAGE');
			line.send('ACK', { ...version === '1.1' ? { 'message-id': message.get('message-id'), subscription: 'q' } : { id: message.get('ack') }, receipt: 'ack' });
			await line.receipt('ack');
			line.send('UNSUBSCRIBE', { id: 'q', receipt: 'un' });
			await line.receipt('un');
		}
	},
};

for (const manners of MANNERS) {
	for (const [what, test] of Object.entries(OWN))
		await suite.test(`${manners}, per-client: ${what}`, () => withRelay({ manners }, own, (broker, gateway) => test(broker, gateway, manners)));

	await suite.test(`${manners}, per-client: a link for who needs one, and as long as that`, () => withRelay({ manners }, own, async (broker, gateway) => {
		const [a, b, idle] = [await client(gateway), await client(gateway), await client(gateway)];

		await subscribe(idle, 'near', '/user/queue/x');
		equal(linksOf(broker), 0, 'nobody has needed it');
		await subscribe(a, 'x', '/topic/x');
		await subscribe(b, 'x', '/topic/x');
		equal(linksOf(broker), 2, 'one each');
		equal(await gateway.metric('sockjs_relay_client_links'), 2, 'the gauge');
		a.send('DISCONNECT');
		b.cut();
		await until(() => linksOf(broker) === 0, 'they end');
		equal(broker.got('DISCONNECT').length, 2, 'each has said goodbye');
		await until(async () => await gateway.metric('sockjs_relay_client_links') === 0, 'the gauge');
	}));

	await suite.test(`${manners}, mixed: plain topics are shared, what cannot be is not`, () => withRelay({ manners }, { mode: 'mixed' }, async (broker, gateway) => {
		const [a, b] = [await client(gateway), await client(gateway)];

		await subscribe(a, 'x', '/topic/x');
		await subscribe(b, 'x', '/topic/x');
		equal(broker.open.length, threads, 'links');
		await subscribe(a, 'q', '/queue/q', { ack: 'client' });
		equal(broker.open.length, threads + 1, 'and one more');
		await send(b, '/topic/x', 't');
		equal([(await a.next('MESSAGE')).get('subscription'), (await b.next('MESSAGE')).text], ['x', 't'], 'a topic');
		await send(b, '/queue/q', 'q');
		const message = await a.next('MESSAGE');
		equal([message.get('subscription'), message.text], ['q', 'q'], 'a queue');
		a.send('ACK', { id: message.get('ack'), receipt: 'ack' });
		await a.receipt('ack');
		equal(broker.open.length, threads + 2, 'the sender has one, too');
		a.send('UNSUBSCRIBE', { id: 'q', receipt: 'u' });
		await a.receipt('u');
		a.send('UNSUBSCRIBE', { id: 'x', receipt: 'v' });
		await a.receipt('v');
	}));

	await suite.test(`${manners}, per-client: who lets himself in, and who does not`, () => withRelay({ manners, users: { root: 'toor', ann: 'secret' } }, { ...own, client_login: 'pass', login: 'root', passcode: 'toor' }, async (broker, gateway) => {
		const [good, bad] = [await client(gateway, { login: 'ann', passcode: 'secret' }), await client(gateway, { login: 'ann', passcode: 'wrong' })];

		await subscribe(good, 'x', '/topic/x');
		equal(broker.links.at(-1).user, 'ann', 'who it is there');
		bad.send('SUBSCRIBE', { id: 'x', destination: '/topic/x' });
		await refused(bad, 4620);
		const nobody = await client(gateway); /* whom RabbitMQ would take for a guest */
		nobody.send('SUBSCRIBE', { id: 'x', destination: '/topic/x' });
		await refused(nobody, 4620);
	}));

	await suite.test(`${manners}, per-client: a frame that the broker hates costs its sender alone`, () => withRelay({ manners }, own, async (broker, gateway) => {
		const [a, b] = [await client(gateway), await client(gateway)];

		await subscribe(a, 'x', '/topic/x');
		b.send('SEND', { destination: '/topic/x', ...manners === 'rabbitmq' ? { expiration: 'abc' } : { priority: 'abc' } }, 'x');
		await refused(b, 4644);
		await send(a, '/topic/x', 'on');
		equal((await a.next('MESSAGE')).text, 'on', 'the other one goes on');
	}));

	await suite.test(`${manners}, per-client: the broker goes away, and comes back`, () => withRelay({ manners }, own, async (broker, gateway) => {
		const line = await client(gateway);

		await subscribe(line, 'x', '/topic/x');
		await broker.stop({ reset: true });
		await refused(line, 4644);
		await until(async () => await readyz(gateway) === 503, 'readyz');
		const late = await client(gateway);
		late.send('SEND', { destination: '/topic/x' }, 'x');
		await refused(late, 4644);
		await broker.start();
		await until(async () => await readyz(gateway) === 200, 'it is back');
		const back = await client(gateway);
		await subscribe(back, 'x', '/topic/x');
		equal((await gateway.command('publish', { destination: '/topic/x', body: 'c' })).status, 200, 'a command');
		equal((await back.next('MESSAGE')).text, 'c', 'what comes');
	}));
}

await suite.test('per-client, wait: what is said while the broker is away is said to it later', () => withRelay({}, { ...own, when_down: 'wait' }, async (broker, gateway) => {
	await broker.stop({ reset: true });
	await until(async () => await readyz(gateway) === 503, 'readyz');
	const line = await client(gateway);
	line.send('SUBSCRIBE', { id: 'q', destination: '/queue/q', receipt: 's' });
	line.send('SEND', { destination: '/queue/q', receipt: 'r' }, 'waits');
	await sleep(300);
	equal(line.frames.length, 0, 'no answer yet');
	await broker.start();
	await line.receipt('s');
	await line.receipt('r');
	equal((await line.next('MESSAGE')).text, 'waits', 'what comes');
}));

await suite.test('per-client: a limit of links', () => withRelay({}, { ...own, max_client_links: 2 }, async (broker, gateway) => {
	const lines = [await client(gateway), await client(gateway), await client(gateway)];

	await subscribe(lines[0], 'x', '/topic/x');
	await subscribe(lines[1], 'x', '/topic/x');
	lines[2].send('SUBSCRIBE', { id: 'x', destination: '/topic/x' });
	await refused(lines[2], 4640);
	lines[0].send('DISCONNECT');
	await lines[0].ended;
	await until(() => linksOf(broker) === 1, 'one has gone');
	const next = await client(gateway);
	await subscribe(next, 'x', '/topic/x');
}));

for (const manners of MANNERS)
	await suite.test(`${manners}, per-client: a client that does not read`, () => withRelay({ manners }, own, async (broker, gateway) => {
		const [slow, other] = [await client(gateway), await client(gateway)];
		const body = 'x'.repeat(50000), MANY = 600;

		await subscribe(slow, 'x', '/topic/x');
		await subscribe(other, 'y', '/topic/y');
		slow.socket.pause();
		for (let i = 0; i < MANY; i++)
			broker.publish('/topic/x', body);
		await send(other, '/topic/y', 'on');
		equal((await other.next('MESSAGE')).text, 'on', 'others go on');
		if (manners === 'activemq') { /* which would stop everybody who sends */
			await until(() => linksOf(broker) === 1, 'it is closed');
			return;
		}
		await until(() => broker.open.some((l) => l.pending > 1000000), 'the broker keeps what it has no room for');
		slow.socket.resume();
		await until(() => slow.frames.length === MANY, 'all comes', 30000);
	}, { endpoint: { send_buffer_bytes: 300000 } }));

/* --- real brokers ------------------------------------------------------------------------------------------------ */

async function withReal(Kind, options, relay, fn, more) {
	const broker = new Kind(options);

	await broker.start();
	try {
		const { login, passcode, host: vhost } = broker.credentials?.() ?? {};

		await withGateway({ servers: `127.0.0.1:${broker.port}`, kind: broker.name, login, passcode, vhost, ...relay }, more, (gateway) => fn(broker, gateway));
	} finally {
		await broker.remove();
	}
}

const REAL = args.real === 'yes' ? [RabbitMq, ActiveMq] : [];

for (const Kind of REAL) {
	const name = new Kind().name;

	if (missing(Kind)) {
		console.log(`skipped ${name}: ${missing(Kind)}`);
		continue;
	}
	await suite.test(`real ${name}: names, headers and bodies there and back`, () => withReal(Kind, {}, {}, async (broker, gateway) => {
		const [a, b] = [await client(gateway), await client(gateway)];
		const beyond = new Line(broker.url);

		equal((await beyond.connect(broker.credentials?.() ?? {})).command, 'CONNECTED', 'a client of the broker itself');
		await subscribe(a, 'one', '/topic/prices/eur');
		await subscribe(a, 'star', '/topic/prices/*');
		await subscribe(b, 'rest', '/topic/prices/**');
		await subscribe(b, 'odd', '/topic/50%/%2E');
		await send(b, '/topic/prices/eur', 'h\u00e9llo \0 more', { 'x-own': 'a\\cb', 'content-type': 'text/plain', priority: '3', persistent: 'true', 'content-length': String(Buffer.byteLength('h\u00e9llo \0 more')) });
		const frames = [await a.next('MESSAGE'), await a.next('MESSAGE'), await b.next('MESSAGE')];
		for (const f of frames)
			equal([f.text, f.get('destination'), f.get('x-own'), f.get('content-type'), f.get('priority')], ['h\u00e9llo \0 more', '/topic/prices/eur', 'a\\cb', 'text/plain', '3'], 'what it is');
		beyond.send('SEND', { destination: '/topic/prices.usd', 'x-from': 'beyond' }, 'from there');
		equal([(await a.next('MESSAGE')).text, (await b.next('MESSAGE')).get('destination')], ['from there', '/topic/prices/usd'], 'from another client of the broker');
		await send(a, '/topic/50%/%2E', 'odd');
		equal((await b.next('MESSAGE')).get('destination'), '/topic/50%/%2E', 'a name with signs');
	}));
	await suite.test(`real ${name}: one order for all, from many senders`, () => withReal(Kind, {}, {}, async (broker, gateway) => {
		const readers = await Promise.all(Array.from({ length: 8 }, () => client(gateway)));
		const writers = await Promise.all(Array.from({ length: 4 }, () => client(gateway)));
		const EACH = 1000;

		await Promise.all(readers.map((l) => subscribe(l, 'x', '/topic/x')));
		for (let i = 0; i < EACH; i++)
			writers.forEach((w, n) => w.send('SEND', { destination: '/topic/x' }, `${n}:${i}`));
		await Promise.all(readers.map((l) => until(() => l.frames.length === EACH * writers.length, 'all have come', 30000)));
		const [first, ...others] = readers.map((l) => l.frames.map((f) => f.text).join());
		others.forEach((o) => check(o === first, 'the same order'));
		for (let n = 0; n < writers.length; n++)
			equal(first.split(',').filter((t) => t.startsWith(`${n}:`)).map((t) => Number(t.split(':')[1])), Array.from({ length: EACH }, (_, i) => i), 'the order of a sender');
		equal(broker.connections(), threads, 'connections of the broker');
	}));
	if (name === 'rabbitmq')
		await suite.test('real rabbitmq: what was missed comes from a stream', () => withReal(Kind, {}, { when_down: 'wait', streams: ['/topic/kept/**'], retry_delay_ms: 30000, retry_delay_max_ms: 30000 }, async (broker, gateway) => {
			const a = await client(gateway);
			const beyond = async (...bodies) => {
				const line = new Line(broker.url);

				equal((await line.connect(broker.credentials())).command, 'CONNECTED', 'a client of the broker itself');
				for (const body of bodies) {
					line.send('SEND', { destination: '/topic/kept.x', receipt: body }, body);
					await line.receipt(body);
				}
				line.cut();
			};

			await subscribe(a, 'x', '/topic/kept/x');
			await subscribe(a, 'all', '/topic/kept/*');
			await beyond('one', 'two');
			await until(() => a.frames.length === 4, 'both have come, twice');
			const links = await gateway.metric('sockjs_relay_connects_total');
			await broker.restart();
			await sleep(2000); /* RabbitMQ answers before its streams take anything */
			await beyond('three', 'four', 'five');
			equal(await gateway.metric('sockjs_relay_connects_total'), links, 'nobody was there to hear them');
			await until(() => a.frames.length === 10, 'what was missed comes', 40000);
			await beyond('six');
			await until(() => a.frames.length === 12, 'and what is new');
			for (const id of ['x', 'all'])
				equal(a.frames.filter((f) => f.get('subscription') === id).map((f) => [f.text, f.get('gap')]),
					['one', 'two', 'three', 'four', 'five', 'six'].map((t) => [t, undefined]), 'each once, in order, without a gap');
			/* More than is sent ahead of an acknowledgement */
			await beyond(...Array.from({ length: 3000 }, (_, i) => `m${i}`));
			await until(() => a.frames.length === 6012, 'many', 30000);
		}));
	for (const [what, test] of Object.entries(OWN))
		await suite.test(`real ${name}, per-client: ${what}`, () => withReal(Kind, {}, own, (broker, gateway) => test(broker, gateway, name)));
	await suite.test(`real ${name}, mixed: a durable subscription`, () => withReal(Kind, {}, { mode: 'mixed' }, async (broker, gateway) => {
		const who = name === 'activemq' ? { 'client-id': 'ann' } : {};
		const how = name === 'activemq' ? { 'activemq.subscriptionName': 'mine' } : { durable: 'true', 'auto-delete': 'false' };
		const before = await client(gateway, who), other = await client(gateway);

		await subscribe(before, 'mine', '/topic/kept/x', how);
		before.send('DISCONNECT', { receipt: 'bye' });
		await before.receipt('bye');
		await until(() => broker.connections() <= threads, 'its link has gone');
		await send(other, '/topic/kept/x', 'while away', { persistent: 'true' });
		const after = await client(gateway, who);
		await subscribe(after, 'mine', '/topic/kept/x', how);
		equal((await after.next('MESSAGE')).text, 'while away', 'what comes');
	}));
	await suite.test(`real ${name}: killed, and back`, () => withReal(Kind, {}, { when_down: 'wait' }, async (broker, gateway) => {
		const [a, b] = [await client(gateway), await client(gateway)];

		await subscribe(a, 'x', '/topic/x');
		await send(b, '/topic/x', 'before');
		equal((await a.next('MESSAGE')).text, 'before', 'before');
		await broker.kill();
		await until(async () => await readyz(gateway) === 503, 'readyz');
		for (let i = 0; i < 100; i++)
			b.send('SEND', { destination: '/topic/x', receipt: `w${i}` }, `w${i}`);
		await broker.restart();
		for (let i = 0; i < 100; i++)
			await b.receipt(`w${i}`, 60000);
		await until(() => a.frames.length === 100, 'all have come');
		equal(a.frames.map((f) => f.text), Array.from({ length: 100 }, (_, i) => `w${i}`), 'in order');
		equal(a.frames.map((f) => f.get('gap')).filter(Boolean), ['true'], 'the gap is told once');
	}));
}

suite.finish();
