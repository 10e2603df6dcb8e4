#!/usr/bin/env node
/*
 * probe.mjs - asks a real RabbitMQ and a real ActiveMQ what the relay rests on, and prints what they did, octet by
 * octet. By hand, when a version changes; it judges nothing.
 *
 *	probe.mjs [--only REGEXP] [--broker rabbitmq|activemq]
 */
import { readArguments } from '../e2e/harness.mjs';
import { ActiveMq, RabbitMq } from './brokers.mjs';
import { Line } from './frames.mjs';

const args = readArguments(['only', 'broker']);
const only = args.only && new RegExp(args.only);
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const lines = new Set();
let seen = 0; /* of the broker's log */
const QUIET_MS = 400; /* nothing more is expected to come after it */

/* --- how it is asked ---------------------------------------------------------------------------------- */

async function question(broker, name, body) {
	if (only && !only.test(name))
		return;
	console.log(`\n=== ${broker.name}: ${name}`);
	try {
		await body(broker);
	} catch (e) {
		console.log(`    (the probe stopped: ${e.message.slice(0, 300)})`);
	}
	const log = broker.log();
	if (log.length > seen)
		console.log(log.slice(seen).trim().split('\n').slice(0, 12).map((l) => `    | ${l.slice(0, 240)}`).join('\n'));
	seen = log.length;
	lines.forEach((l) => l.cut());
	lines.clear();
}

function say(what, ...more) {
	console.log(`    ${what}`, ...more);
}

async function connected(broker, headers = {}, options) {
	const line = new Line(broker.url, options);

	lines.add(line);
	const frame = await line.connect({ ...broker.credentials('root'), ...headers });
	if (frame.command !== 'CONNECTED')
		throw new Error(`not connected: ${frame}`);
	return line;
}

/* Waits until nothing has come for a while; what came meanwhile. */
async function settled(line, quiet = QUIET_MS) {
	for (let seen = -1; seen !== line.all.length && !line.closed;) {
		seen = line.all.length;
		await Promise.race([sleep(quiet), line.ended]);
	}
	return line.frames.splice(0);
}

function short(frame, most = 700) {
	const text = frame.toString();

	return text.length > most ? `${text.slice(0, most)}... (${frame.raw.length} octets)` : text;
}

async function fate(line, broker) {
	if (line.closed)
		return `link closed (${line.why})`;
	const alive = await line.alive(3000);
	line.frames.splice(0);
	return alive ? 'link lives' : line.closed ? `link closed (${line.why}) at the next frame` : 'link is there and answers no more';
}

/* One thing on a link of its own. */
async function tries(broker, what, frames, { headers = {}, quiet, most } = {}) {
	let line;

	try {
		line = await connected(broker, headers);
	} catch (e) {
		return say(`${what}: ${e.message}`);
	}
	for (const frame of frames)
		line.send(...frame);
	const answers = await settled(line, quiet);
	say(`${what}: ${await fate(line, broker)}`);
	answers.forEach((f) => say(`    ${short(f, most)}`));
	if (line.rest.length)
		say(`    rest ${JSON.stringify(line.rest.toString())}`);
	line.cut();
	lines.delete(line);
	return answers;
}

/* What a subscriber gets of what another link sends. */
async function pair(broker, destination, versions = {}) {
	const to = await connected(broker, { 'accept-version': versions.to ?? '1.2' });
	const from = await connected(broker, { 'accept-version': versions.from ?? '1.2' });

	to.send('SUBSCRIBE', { id: 's', destination, receipt: 'sub' });
	await to.receipt('sub');
	return { to, from };
}

/* --- the links themselves --------------------------------------------------------------------------------- */

async function links(broker) {
	const open = async (what, headers, command = 'CONNECT') => {
		const line = new Line(broker.url);
		lines.add(line);
		await line.open;
		const began = performance.now();
		line.send(command, headers);
		const answers = await settled(line, 800);
		say(`${what}: ${line.closed ? `closed (${line.why})` : 'open'} after ${Math.round(performance.now() - began)} ms`);
		answers.forEach((f) => say(`    ${short(f)}`));
		line.cut();
	};
	const { login, passcode, host } = broker.credentials('root');

	await open('CONNECT of all versions', { 'accept-version': '1.0,1.1,1.2', host: host ?? 'x', login, passcode, 'heart-beat': '10000,10000' });
	await open('CONNECT 1.0', { login, passcode });
	await open('STOMP command', { 'accept-version': '1.2', host: host ?? 'x', login, passcode }, 'STOMP');
	await open('heart-beat 500,500', { 'accept-version': '1.2', host: host ?? 'x', login, passcode, 'heart-beat': '500,500' });
	await open('heart-beat 0,10000', { 'accept-version': '1.2', host: host ?? 'x', login, passcode, 'heart-beat': '0,10000' });
	await open('heart-beat 10000,0', { 'accept-version': '1.2', host: host ?? 'x', login, passcode, 'heart-beat': '10000,0' });
	await open('no heart-beat', { 'accept-version': '1.2', host: host ?? 'x', login, passcode });
	await open('wrong passcode', { 'accept-version': '1.2', host: host ?? 'x', login, passcode: 'wrong' });
	await open('unknown user', { 'accept-version': '1.2', host: host ?? 'x', login: 'nobody', passcode });
	await open('no login', { 'accept-version': '1.2', host: host ?? 'x' });
	await open('no host', { 'accept-version': '1.2', login, passcode });
	await open('unknown host', { 'accept-version': '1.2', host: 'nowhere', login, passcode });
	await open('accept-version 2.0', { 'accept-version': '2.0', host: host ?? 'x', login, passcode });
	await open('bad heart-beat', { 'accept-version': '1.2', host: host ?? 'x', login, passcode, 'heart-beat': 'abc' });
	await open('SEND before CONNECT', { destination: '/topic/x' }, 'SEND');
	const silent = new Line(broker.url);
	lines.add(silent);
	await silent.open;
	const began = performance.now();
	await Promise.race([silent.ended, sleep(35000)]);
	say(`no CONNECT at all: ${silent.closed ? `closed (${silent.why})` : 'open'} after ${Math.round((performance.now() - began) / 1000)} s, ${silent.all.join(' ')}`);
}

async function beats(broker) {
	for (const pair of ['1000,1000', '0,1000', '2000,2000', '10000,10000']) {
		const line = new Line(broker.url);
		lines.add(line);
		const frame = await line.connect({ ...broker.credentials('root'), 'heart-beat': pair });
		const began = performance.now();
		const before = line.beats;
		await Promise.race([line.ended, sleep(pair === '10000,10000' ? 45000 : 12000)]);
		const seconds = (performance.now() - began) / 1000;
		say(`heart-beat ${pair}, granted ${frame.get('heart-beat')}, we are silent: ${line.closed ? `closed (${line.why})` : 'open'} after ${seconds.toFixed(1)} s; ${line.beats - before} beats heard; ${line.all.slice(1).join(' ')}`);
		line.cut();
	}
}

/* --- (b) refusals -------------------------------------------------------------------------------------------- */

async function refusals(broker) {
	const alice = { headers: broker.credentials('alice') };
	const t = (what, frames, options) => tries(broker, what, frames, options);
	const sub = (destination, more = {}) => ['SUBSCRIBE', { id: 's1', destination, ...more }];

	await t('SUBSCRIBE denied topic, receipt', [sub('/topic/secret.a', { receipt: 'r1' })], alice);
	await t('SUBSCRIBE denied topic', [sub('/topic/secret.a')], alice);
	await t('SUBSCRIBE allowed topic, receipt', [sub('/topic/open.a', { receipt: 'r1' })], alice);
	await t('SUBSCRIBE denied queue, receipt', [sub('/queue/secret', { receipt: 'r1' })], alice);
	await t('SEND denied topic, receipt', [['SEND', { destination: '/topic/secret.a', receipt: 'r1' }, 'x']], alice);
	await t('SEND denied topic', [['SEND', { destination: '/topic/secret.a' }, 'x']], alice);
	await t('SEND denied queue, receipt', [['SEND', { destination: '/queue/secret', receipt: 'r1' }, 'x']], alice);
	await t('SEND denied topic, then SEND allowed with receipt', [['SEND', { destination: '/topic/secret.a' }, 'x'], ['SEND', { destination: '/topic/open.a', receipt: 'r2' }, 'x']], alice);
	for (const destination of ['/nonsense/x', 'plain', '/topic/a/b', '/topic/', '/topic', '/exchange/none/x', '/amq/queue/none', '/temp-queue/x', '/queue/', '/topic/*', '/topic/a.%2F.b', '/topic/a%41', '/topic/ä', `/topic/${'x'.repeat(255)}`, `/topic/${'x'.repeat(256)}`, `/topic/${'ä'.repeat(128)}`]) {
		const shown = destination.length > 60 ? `${destination.slice(0, 10)}... of ${Buffer.from(destination).length} octets` : destination;
		await t(`SEND ${shown}, receipt`, [['SEND', { destination, receipt: 'r1' }, 'x']]);
		await t(`SUBSCRIBE ${shown}, receipt`, [sub(destination, { receipt: 'r1' })]);
	}
	await t('SEND without destination', [['SEND', { receipt: 'r1' }, 'x']]);
	await t('SUBSCRIBE without id', [['SUBSCRIBE', { destination: '/topic/a', receipt: 'r1' }]]);
	await t('SUBSCRIBE twice the same id, other topics', [sub('/topic/a', { receipt: 'r1' }), sub('/topic/b', { receipt: 'r2' })]);
	await t('SUBSCRIBE twice the same id and topic, then SEND', [sub('/topic/a', { receipt: 'r1' }), sub('/topic/a', { receipt: 'r2' }), ['SEND', { destination: '/topic/a' }, 'x']]);
	await t('UNSUBSCRIBE unknown id, receipt', [['UNSUBSCRIBE', { id: 'none', receipt: 'r1' }]]);
	await t('UNSUBSCRIBE unknown id', [['UNSUBSCRIBE', { id: 'none' }]]);
	await t('UNSUBSCRIBE without id', [['UNSUBSCRIBE', { receipt: 'r1' }]]);
	await t('DISCONNECT with receipt', [['DISCONNECT', { receipt: 'bye' }]]);
	await t('DISCONNECT without', [['DISCONNECT', {}]]);
	await t('DISCONNECT with receipt behind 3 SENDs with receipts', [1, 2, 3].map((n) => ['SEND', { destination: '/topic/a', receipt: `r${n}` }, 'x']).concat([['DISCONNECT', { receipt: 'bye' }]]));
	await t('ACK unknown id, receipt', [['ACK', { id: 'none', receipt: 'r1' }]]);
	await t('NACK unknown id, receipt', [['NACK', { id: 'none', receipt: 'r1' }]]);
	await t('BEGIN twice', [['BEGIN', { transaction: 't' }], ['BEGIN', { transaction: 't', receipt: 'r1' }]]);
	await t('COMMIT unknown', [['COMMIT', { transaction: 'none', receipt: 'r1' }]]);
	await t('ABORT unknown', [['ABORT', { transaction: 'none', receipt: 'r1' }]]);
	await t('SEND in unknown transaction', [['SEND', { destination: '/topic/a', transaction: 'none', receipt: 'r1' }, 'x']]);
	await t('unknown command', [['HELLO', { receipt: 'r1' }]]);
	await t('second CONNECT', [['CONNECT', { 'accept-version': '1.2', host: '/', receipt: 'r1' }]]);
	await t('a header line without colon', [['SEND\nnocolon', { destination: '/topic/a', receipt: 'r1' }, 'x']]);
	await t('an undefined escape', [['SEND', { destination: '/topic/a', 'x-own': 'a\\tb', receipt: 'r1' }, 'x']]);
	await t('content-length too small', [['SEND', { destination: '/topic/a', 'content-length': '1', receipt: 'r1' }, 'xyz']]);
	await t('content-length no number', [['SEND', { destination: '/topic/a', 'content-length': 'abc', receipt: 'r1' }, 'xyz']]);
	await t('content-length negative', [['SEND', { destination: '/topic/a', 'content-length': '-1', receipt: 'r1' }, 'xyz']]);
	const nack = await connected(broker);
	nack.send('SUBSCRIBE', { id: 'q', destination: '/queue/nack', ack: 'client-individual' });
	nack.send('SEND', { destination: '/queue/nack' }, 'first');
	const message = await nack.next('MESSAGE');
	say(`MESSAGE of a queue, client-individual: ${message}`);
	nack.send('NACK', { id: message.get('ack'), receipt: 'n' });
	(await settled(nack, 1500)).slice(0, 3).forEach((f) => say(`    after NACK: ${short(f)}`));
	say(`    ${await fate(nack)}`);
}

/* --- (c) headers that come back --------------------------------------------------------------------------------- */

const SENT = [
	['nothing', {}], ['x-own', { 'x-own': 'v' }], ['X-Own and x-own', { 'X-Own': 'V', 'x-own': 'v' }], ['empty value', { 'x-own': '' }],
	['repeated', [['x-own', 'first'], ['x-own', 'second']]], ['UTF-8', { 'x-grün': 'Grüße 🚂' }], ['blanks', { 'x-own': ' v ' }], ['raw colon', { 'x-own': 'a:b' }],
	['content-type', { 'content-type': 'application/json' }], ['content-type long', { 'content-type': 'a'.repeat(300) }], ['content-encoding', { 'content-encoding': 'gzip' }],
	['content-length', { 'content-length': '2' }], ['persistent true', { persistent: 'true' }], ['persistent false', { persistent: 'false' }], ['priority 4', { priority: '4' }],
	['priority abc', { priority: 'abc' }], ['priority 99', { priority: '99' }], ['priority -1', { priority: '-1' }], ['expires', { expires: '4102444800000' }], ['expires abc', { expires: 'abc' }],
	['expiration 5000', { expiration: '5000' }], ['expiration abc', { expiration: 'abc' }], ['timestamp 1', { timestamp: '1' }], ['timestamp abc', { timestamp: 'abc' }],
	['correlation-id', { 'correlation-id': 'c' }], ['reply-to /topic/r', { 'reply-to': '/topic/r' }], ['reply-to /queue/r', { 'reply-to': '/queue/r' }],
	['reply-to /temp-queue/r', { 'reply-to': '/temp-queue/r' }], ['reply-to nonsense', { 'reply-to': 'nonsense' }], ['type', { type: 't' }], ['user-id', { 'user-id': 'somebody' }], ['user-id root', { 'user-id': 'root' }], ['app-id', { 'app-id': 'a' }],
	['cluster-id', { 'cluster-id': 'a' }], ['message-id', { 'message-id': 'mine' }], ['amqp-message-id', { 'amqp-message-id': 'mine' }], ['subscription', { subscription: 'mine' }],
	['ack', { ack: 'mine' }], ['redelivered', { redelivered: 'mine' }], ['id', { id: 'mine' }], ['receipt', { receipt: 'mine' }], ['receipt-id', { 'receipt-id': 'mine' }], ['login, passcode', { login: 'l', passcode: 'p' }],
	['host, session, server', { host: 'h', session: 's', server: 's' }], ['transformation jms-map-json', { transformation: 'jms-map-json' }], ['transformation none', { transformation: 'none' }], ['selector', { selector: 's' }],
	['JMSXGroupID', { JMSXGroupID: 'g' }], ['JMSXUserID', { JMSXUserID: 'u' }], ['AMQ_SCHEDULED_DELAY 1', { AMQ_SCHEDULED_DELAY: '1' }], ['AMQ_SCHEDULED_DELAY x', { AMQ_SCHEDULED_DELAY: 'x' }], ['amq-msg-type', { 'amq-msg-type': 'text' }], ['browser', { browser: 'true' }], ['delivery-mode', { 'delivery-mode': '2' }],
	['transaction', { transaction: 'mine' }], ['mandatory', { mandatory: 'true' }], ['x-death', { 'x-death': 'a' }], ['CC', { CC: 'a' }], ['BCC', { BCC: 'a' }], ['x-queue-type', { 'x-queue-type': 'stream' }], ['durable', { durable: 'true' }], ['auto-delete', { 'auto-delete': 'true' }], ['destination-type', { 'destination-type': 'topic' }], ['name with blank', { 'x own': 'v' }], ['empty name', { '': 'v' }],
];

async function headers(broker) {
	let { to } = await pair(broker, '/topic/headers');

	for (const [what, sent] of SENT) {
		const list = Array.isArray(sent) ? sent : Object.entries(sent);
		const from = await connected(broker);

		from.send('SEND', [['destination', '/topic/headers'], ...list], 'ab');
		const message = await to.next('MESSAGE', 1200).catch(() => null);
		const answers = (await settled(from, 200)).map((f) => short(f, 260));
		const names = new Set(list.map(([n]) => n));
		const usual = ['subscription', 'destination', 'message-id', 'redelivered', 'content-length', 'expires', 'priority', 'timestamp', 'persistent'];
		const shown = message?.headers.filter(([n]) => what === 'nothing' || names.has(n) || !usual.includes(n)).map(([n, v]) => `${n}:${v.length > 60 ? `${v.slice(0, 10)}... (${v.length})` : v}`);
		say(`${what.padEnd(28)} -> ${message ? JSON.stringify(shown) : 'NO MESSAGE'}; ${await fate(from)}${answers.length ? `; ${answers.join(' ')}` : ''}`);
		if (what === 'nothing')
			say(`    ${message}`);
		from.cut();
		lines.delete(from);
		if (!message) {
			const clean = await connected(broker);
			clean.send('SEND', { destination: '/topic/headers' }, 'clean');
			if (!await to.next('MESSAGE', 1500).catch(() => null)) {
				say(`    and its subscriber gets nothing any more${to.closed ? `: closed (${to.why})` : ', though it is connected'}`);
				to.cut();
				({ to } = await pair(broker, '/topic/headers'));
			}
			clean.cut();
		}
	}
}

async function escapes(broker) {
	const VALUES = ['a\\nb', 'a\\cb', 'a\\\\b', 'a\\rb', 'a:b', 'a\\tb', 'ab\\', 'a\\\\nb', 'a\rb', 'ab\r'];

	for (const from of ['1.0', '1.1', '1.2'])
		for (const to of ['1.0', '1.1', '1.2'])
			for (const value of VALUES) {
				if (from !== to && from !== '1.2' && to !== '1.2')
					continue;
				const p = await pair(broker, '/topic/escapes', { from, to });
				p.from.send('SEND', { destination: '/topic/escapes', 'x-own': value }, 'x');
				const message = await p.to.next('MESSAGE', 600).catch(() => null);
				const answer = (await settled(p.from, 150)).map((f) => short(f, 200)).join(' ');
				const line = message && message.raw.toString().split('\n').filter((l) => l.startsWith('x-own'));
				say(`${from} -> ${to}  ${JSON.stringify(value).padEnd(10)} -> ${line ? JSON.stringify(line) : 'nothing'}${p.from.closed ? `, sender closed (${p.from.why})` : ''} ${answer}`);
				p.from.cut();
				p.to.cut();
				lines.delete(p.from);
				lines.delete(p.to);
			}
	for (const [what, name] of [['colon in a name', 'x\\cown'], ['LF in a name', 'x\\nown']]) {
		const p = await pair(broker, '/topic/escapes');
		p.from.send('SEND', { destination: '/topic/escapes', [name]: 'v' }, 'x');
		const message = await p.to.next('MESSAGE', 600).catch(() => null);
		say(`${what}: ${message}`);
	}
	const p = await pair(broker, '/topic/escapes.a\\cb\\\\c');
	p.from.send('SEND', { destination: '/topic/escapes.a\\cb\\\\c', receipt: 'r\\c1' }, 'x');
	say(`a destination and a receipt with escapes: ${await p.to.next('MESSAGE', 1000).catch((e) => e.message)}`);
	say(`    ${(await settled(p.from)).map(String)}`);
}

async function limits(broker) {
	let { to } = await pair(broker, '/topic/limits');

	for (const [what, sent, size = 1] of [
		...[1000, 8000, 10000, 10300, 20000, 65000, 70000, 1 << 20].map((n) => [`a value of ${n}`, { 'x-own': 'v'.repeat(n) }]),
		...[200, 255, 256, 1000].map((n) => [`a name of ${n}`, { ['n'.repeat(n)]: 'v' }]),
		...[100, 900, 1100, 5000, 20000].map((n) => [`${n} headers`, Object.fromEntries(Array.from({ length: n }, (_, i) => [`h${i}`, 'v']))]),
		...[1 << 20, 8 << 20, 32 << 20].map((n) => [`a body of ${n >> 20} MiB`, {}, n]),
		['a body of 32 MiB with content-length', { 'content-length': String(32 << 20) }, 32 << 20],
		['a body of 200 MiB promised', { 'content-length': String(200 << 20) }, 10],
	]) {
		const from = await connected(broker);
		const began = performance.now();
		from.send('SEND', { destination: '/topic/limits', ...sent, receipt: 'r' }, 'b'.repeat(size));
		const message = await to.next('MESSAGE', /promised/.test(what) ? 1500 : 8000).catch((e) => (to.closed ? e.message : null));
		const answers = (await settled(from, 300)).map((f) => short(f, 200));
		say(`${what}: ${message ? message.raw ? `a MESSAGE of ${message.raw.length} octets after ${Math.round(performance.now() - began)} ms` : message : 'NO MESSAGE'}; ${from.closed ? `closed (${from.why})` : 'open'}; ${answers.join(' ')}`);
		from.cut();
		if (!message) {
			to.cut();
			({ to } = await pair(broker, '/topic/limits'));
		}
	}
}

/* --- (e) who waits for whom ---------------------------------------------------------------------------------------- */

async function nobodyListens(broker) {
	const from = await connected(broker);
	const times = [];

	for (let i = 0; i < 200; i++) {
		const began = performance.now();
		from.send('SEND', { destination: '/topic/nobody', receipt: `n${i}` }, 'x'.repeat(64));
		await from.receipt(`n${i}`);
		times.push(performance.now() - began);
	}
	times.sort((a, b) => a - b);
	say(`SEND with receipt, no subscriber: median ${times[100].toFixed(2)} ms, 99 % ${times[198].toFixed(2)} ms`);
	for (let i = 0; i < 2000; i++)
		from.send('SEND', { destination: '/topic/nobody', receipt: `m${i}` }, 'x'.repeat(64));
	const ids = [];
	for (let i = 0; i < 2000; i++)
		ids.push((await from.next('RECEIPT')).get('receipt-id'));
	say(`2000 SENDs with receipts at once: receipts ${ids.every((id, i) => id === `m${i}`) ? 'in order' : 'OUT OF ORDER'}`);
}

async function stalled(broker) {
	for (const [octets, receipts] of [[1000, true], [100000, true], [1000, false]]) {
		const destination = `/topic/stalled.${octets}.${receipts}`;
		const { to, from } = await pair(broker, destination);
		const other = await connected(broker);

		to.socket.pause();
		let sent = 0, confirmed = 0, stop = false, writable = Date.now();
		const most = octets === 1000 ? 150000 : 3000;
		const counting = (async () => {
			while (!stop) {
				await from.next((f) => /^s\d/.test(f.get('receipt-id')), 60000).then(() => { confirmed++; }, () => { stop = true; });
			}
		})();
		const began = Date.now();
		while (sent < most && !from.closed && Date.now() - began < 40000) {
			const more = from.send('SEND', { destination, ...(receipts ? { receipt: `s${sent}` } : {}) }, 'x'.repeat(octets));
			sent++;
			if (!more) {
				const drained = await Promise.race([new Promise((r) => { from.socket.once('drain', () => r(true)); }), sleep(5000).then(() => false)]);
				if (!drained)
					break;
			} else if (sent % 100 === 0) {
				await new Promise(setImmediate);
			}
		}
		await sleep(1500);
		stop = true;
		const blocked = from.socket.writableLength;
		say(`${octets} octets each${receipts ? ', with receipts' : ''}: ${sent} written, ${confirmed} receipts, ${blocked} octets stuck in our socket (${blocked ? 'BLOCKED' : 'not blocked'}), link ${from.closed ? `closed ${from.why}` : 'open'}, subscriber ${to.closed ? `closed ${to.why}` : 'open'}; memory ${broker.memory() >> 20} MiB`);
		say(`    another link, another topic: ${await other.alive(3000) ? 'served' : 'STUCK TOO'}`);
		other.send('SEND', { destination, receipt: 'same' }, 'x');
		say(`    another link, same topic: ${await other.receipt('same', 3000).then(() => 'served', () => 'STUCK TOO')}`);
		if (blocked || confirmed < sent) {
			from.send('SUBSCRIBE', { id: 'more', destination: '/topic/else', receipt: 'else' });
			say(`    a SUBSCRIBE on the publisher's link: ${await from.receipt('else', 3000).then(() => 'served', () => 'STUCK')}`);
		}
		const at = to.all.length;
		to.socket.resume();
		await sleep(4000);
		say(`    the subscriber reads again: ${to.all.length - at} messages in 4 s, ${from.socket.writableLength} octets stuck, subscriber ${to.closed ? `closed ${to.why}` : 'open'}`);
		from.cut();
		to.cut();
		other.cut();
		void counting;
		await sleep(500);
	}
}

async function memoryAlarm(broker) {
	const beating = { 'heart-beat': '1000,1000' };
	const [never, quiet, from, silent] = [await connected(broker, beating), await connected(broker, beating), await connected(broker, beating), await connected(broker, beating)];
	const { to } = await pair(broker, '/topic/alarm');
	const ours = setInterval(() => [never, quiet, from].forEach((l) => !l.closed && l.write('\n')), 500);
	const got = () => to.all.filter((f) => f.command === 'MESSAGE').length;
	const answers = async (line, what, command, headers) => say(`${what}: ${await line.receipt(headers.receipt, 2500).then(() => 'RECEIPT', () => (line.closed ? `closed (${line.why})` : 'nothing'))}; subscriber has ${got()}`);
	const asks = async (line, what, command, headers) => {
		line.send(command, headers);
		await answers(line, what, command, headers);
	};

	for (const line of [quiet, from, silent])
		await asks(line, 'before the alarm, SEND with receipt', 'SEND', { destination: '/topic/alarm', receipt: 'before' });
	await broker.ctl('set_vm_memory_high_watermark', '0.0001');
	await sleep(2500);
	const counts = [never, quiet, from, silent].map((l) => l.beats);
	await asks(from, 'alarm: 1st SEND of a link that has published before', 'SEND', { destination: '/topic/alarm', receipt: 'a1' });
	await asks(from, '    its 2nd', 'SEND', { destination: '/topic/alarm', receipt: 'a2' });
	await asks(from, '    its SUBSCRIBE', 'SUBSCRIBE', { id: 'x', destination: '/topic/y', receipt: 'a3' });
	await asks(quiet, 'alarm: SUBSCRIBE of a link that has published before the alarm, and not since', 'SUBSCRIBE', { id: 'x', destination: '/topic/y', receipt: 'q1' });
	await asks(never, 'alarm: SUBSCRIBE of a link that never published', 'SUBSCRIBE', { id: 'x', destination: '/topic/y', receipt: 'i' });
	await asks(never, '    its 1st SEND', 'SEND', { destination: '/topic/alarm', receipt: 'z1' });
	await asks(never, '    its 2nd SEND', 'SEND', { destination: '/topic/alarm', receipt: 'z2' });
	const fresh = new Line(broker.url);
	lines.add(fresh);
	say(`a new link: ${await fresh.connect(broker.credentials('root')).then((f) => f.command, (e) => e.message.slice(0, 80))}`);
	await asks(fresh, '    its SUBSCRIBE', 'SUBSCRIBE', { id: 'x', destination: '/topic/y', receipt: 'f' });
	let written = 0;
	while (written < 64 << 20 && from.socket.writableLength < 1 << 20) {
		from.send('SEND', { destination: '/topic/alarm' }, 'x'.repeat(10000));
		written += 10000;
		await new Promise(setImmediate);
	}
	await sleep(15000);
	const names = ['never', 'quiet', 'publisher', 'publisher before, silent'];
	say(`10 kB SENDs: ${written} octets written, ${from.socket.writableLength} stuck; 15 s later: ${[never, quiet, from, silent].map((l, i) => `${names[i]} ${l.closed ? `closed (${l.why})` : 'open'} ${l.beats - counts[i]} beats`).join(', ')}; subscriber has ${got()}`);
	const lifted = Date.now();
	await broker.ctl('set_vm_memory_high_watermark', '0.4');
	for (const [line, id] of [[from, 'a1'], [from, 'a2'], [from, 'a3'], [never, 'z1'], [never, 'z2']])
		say(`alarm lifted: ${id} ${line.all.some((f) => f.get('receipt-id') === id) || await line.receipt(id, 3000).then(() => true, () => false) ? 'has come' : 'has not come'} (${Date.now() - lifted} ms)`);
	await sleep(2000);
	say(`    subscriber has ${got()}, publisher ${from.socket.writableLength} stuck, ${from.closed ? 'closed' : 'open'}`);
	clearInterval(ours);
}

/* --- (f) to (i) ---------------------------------------------------------------------------------------------------------- */

async function overlapping(broker) {
	const many = broker.name === 'rabbitmq' ? '#' : '>';
	const line = await connected(broker);

	for (const [id, destination] of [['exact', '/topic/over.a'], ['star', '/topic/over.*'], ['many', `/topic/over.${many}`], ['again', '/topic/over.a']])
		line.send('SUBSCRIBE', { id, destination, receipt: id });
	await sleep(600);
	line.send('SEND', { destination: '/topic/over.a' }, 'x');
	(await settled(line)).filter((f) => f.command === 'MESSAGE').forEach((f) => say(String(f)));
	line.send('SEND', { destination: '/topic/over' }, 'x');
	const parent = await settled(line);
	say(`SEND to /topic/over matches: ${parent.map((f) => f.get('subscription')).join() || 'nothing'}`);
	line.send('SEND', { destination: '/topic/over.a.b' }, 'x');
	say(`SEND to /topic/over.a.b matches: ${(await settled(line)).map((f) => f.get('subscription')).join() || 'nothing'}`);
	for (const pattern of ['/topic/over.*.c', `/topic/${many}.c`, '/topic/ov*', `/topic/over.${many}.d`, '/topic/*', `/topic/${many}`]) {
		const l = await connected(broker);
		l.send('SUBSCRIBE', { id: 'p', destination: pattern, receipt: 'p' });
		await settled(l, 300);
		for (const d of ['over', 'over.c', 'over.b.c', 'over.b.c.d', 'over.d', 'over.'])
			l.send('SEND', { destination: `/topic/${d}` }, d);
		const got = (await settled(l, 500)).map((f) => (f.command === 'MESSAGE' ? f.text : f.command)).join(' ');
		say(`${pattern} matches of over, over.c, over.b.c, over.b.c.d, over.d, over. : ${got || 'nothing'}`);
		l.cut();
	}
	const sender = await connected(broker);
	for (const d of ['/topic/over.*', `/topic/over.${many}`]) {
		const l = await connected(broker);
		l.send('SUBSCRIBE', { id: 'exact', destination: '/topic/over.a', receipt: 'x' });
		await l.receipt('x');
		sender.send('SEND', { destination: d, receipt: `w${d}` }, 'to a pattern');
		await sleep(400);
		say(`SEND to the pattern ${d}: subscriber of /topic/over.a gets ${l.frames.filter((f) => f.command === 'MESSAGE').map(String).join() || 'nothing'}; sender ${(await settled(sender, 200)).map(String)}`);
		l.cut();
	}
}

async function order(broker) {
	let first = { RECEIPT: 0, MESSAGE: 0 };
	const from = await connected(broker);
	let on = true;
	const sending = (async () => {
		for (let n = 0; on; n++) {
			from.send('SEND', { destination: '/topic/order' }, String(n));
			if (n % 20 === 0)
				await new Promise(setImmediate);
			if (from.socket.writableLength > 1 << 16)
				await new Promise((r) => { from.socket.once('drain', r); });
		}
	})();

	for (let i = 0; i < 100; i++) {
		const to = await connected(broker);
		to.send('SUBSCRIBE', { id: 's', destination: '/topic/order', receipt: 'r' });
		await to.next(() => true).then((f) => { first[f.command]++; });
		to.cut();
		lines.delete(to);
	}
	on = false;
	await sending;
	say(`under a stream of messages to the topic, first of all came: ${JSON.stringify(first)}`);
	const late = { after: 0, of: 0 };
	for (let i = 0; i < 60; i++) {
		const p = await pair(broker, '/topic/order2');
		for (let n = 0; n < 200; n++)
			p.from.send('SEND', { destination: '/topic/order2' }, String(n));
		await p.to.next('MESSAGE');
		p.to.send('UNSUBSCRIBE', { id: 's', receipt: 'u' });
		await p.to.receipt('u');
		const at = p.to.all.length;
		await sleep(60);
		late.of++;
		late.after += p.to.all.slice(at).some((f) => f.command === 'MESSAGE') ? 1 : 0;
		p.to.cut();
		p.from.cut();
		lines.delete(p.to);
		lines.delete(p.from);
	}
	say(`MESSAGE after the RECEIPT of UNSUBSCRIBE: in ${late.after} of ${late.of} tries`);
}

async function visible(broker) {
	const from = await connected(broker);
	let lost = 0, tries = 0;

	for (const [what, exists] of [['a topic that nobody had', false], ['a topic that has a subscriber', true]]) {
		lost = tries = 0;
		const other = await connected(broker);
		other.send('SUBSCRIBE', { id: 'o', destination: '/topic/seen', receipt: 'o' });
		await other.receipt('o');
		const to = await connected(broker);
		for (let i = 0; i < 500; i++) {
			const destination = exists ? '/topic/seen' : `/topic/seen.${i}`;
			to.send('SUBSCRIBE', { id: `v${i}`, destination, receipt: `v${i}` });
			await to.receipt(`v${i}`);
			from.send('SEND', { destination }, `m${i}`);
			tries++;
			await to.next((f) => f.command === 'MESSAGE' && f.text === `m${i}` && f.get('subscription') === `v${i}`, 1500).catch(() => { lost++; });
			to.send('UNSUBSCRIBE', { id: `v${i}` });
			to.frames.length = 0;
		}
		say(`${what}: SEND on another link after RECEIPT of SUBSCRIBE, lost ${lost} of ${tries}`);
	}
	lost = tries = 0;
	for (let i = 0; i < 200; i++) {
		const to = await connected(broker);
		to.write(Buffer.concat([Buffer.from(`SUBSCRIBE\nid:s\ndestination:/topic/one.${i}\n\n\0`), Buffer.from(`SEND\ndestination:/topic/one.${i}\n\nx\0`)]));
		tries++;
		await to.next('MESSAGE', 1500).catch(() => { lost++; });
		to.cut();
		lines.delete(to);
	}
	say(`SUBSCRIBE and SEND glued on one link, no receipt: lost ${lost} of ${tries}`);
}

/* --- (a) streams of RabbitMQ ------------------------------------------------------------------------------------------------ */

async function streams(broker) {
	const STREAM = { 'x-queue-type': 'stream', durable: 'true', 'auto-delete': 'false' };
	const subscribe = async (what, destination, more, { wait = 700, keep = false } = {}) => {
		const line = await connected(broker);
		line.send('SUBSCRIBE', { id: 's', destination, receipt: 'r', ...more });
		const got = await settled(line, wait);
		const messages = got.filter((f) => f.command === 'MESSAGE');
		say(`${what}: ${got.filter((f) => f.command !== 'MESSAGE').map((f) => short(f, 420)).join(' ') || 'no answer'}; ${messages.length} messages ${messages.slice(0, 3).map((f) => f.text).join()}${messages.length > 3 ? `...${messages.at(-1).text}` : ''}; ${line.closed ? `closed (${line.why})` : 'open'}`);
		if (!keep)
			line.cut();
		return { line, messages };
	};
	const fill = async (destination, more = {}, count = 10, first = 0) => {
		const line = await connected(broker);
		for (let i = first; i < first + count; i++)
			line.send('SEND', { destination, receipt: `f${i}`, ...more }, `m${i}`);
		await line.receipt(`f${first + count - 1}`);
		line.cut();
	};
	const indi = { ack: 'client-individual', 'prefetch-count': '10' };

	await subscribe('SUBSCRIBE /queue/st, all headers, ack client-individual, prefetch 10', '/queue/st', { ...STREAM, ...indi });
	await fill('/queue/st', STREAM);
	await subscribe('    offset first', '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': 'first' }).then(({ messages: [m] }) => m && say(`        ${m}`));
	await subscribe('    offset first, ack client', '/queue/st', { ...STREAM, ack: 'client', 'prefetch-count': '10', 'x-stream-offset': 'first' });
	await subscribe('    offset first, ack auto', '/queue/st', { ...STREAM, 'prefetch-count': '10', 'x-stream-offset': 'first' });
	await subscribe('    offset first, ack client-individual, no prefetch', '/queue/st', { ...STREAM, ack: 'client-individual', 'x-stream-offset': 'first' });
	await subscribe('    offset first, prefetch 3', '/queue/st', { ...STREAM, ack: 'client-individual', 'prefetch-count': '3', 'x-stream-offset': 'first' });
	await subscribe('    offset last', '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': 'last' });
	await subscribe('    offset next', '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': 'next' });
	await subscribe('    no offset', '/queue/st', { ...STREAM, ...indi });
	await subscribe('    offset offset=4', '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': 'offset=4' }).then(({ messages: [m] }) => m && say(`        ${m}`));
	await subscribe('    offset 4', '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': '4' });
	await subscribe('    offset offset=1000 (beyond)', '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': 'offset=1000' });
	await subscribe('    offset timestamp=0', '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': 'timestamp=0' });
	await subscribe('    offset nonsense', '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': 'nonsense' });
	await subscribe('    without x-queue-type', '/queue/st', { ...indi, 'x-stream-offset': 'first' });
	await subscribe('    without durable, auto-delete', '/queue/st', { 'x-queue-type': 'stream', ...indi, 'x-stream-offset': 'first' });
	await subscribe('    /amq/queue/st, no x-queue-type', '/amq/queue/st', { ...indi, 'x-stream-offset': 'first' }).then(({ messages: [m] }) => m && say(`        ${m}`));
	await subscribe('    /amq/queue/st, ack auto', '/amq/queue/st', { 'x-stream-offset': 'first' });

	const { line, messages } = await subscribe('resuming: prefetch 4, offset first', '/queue/st', { ...STREAM, ack: 'client-individual', 'prefetch-count': '4', 'x-stream-offset': 'first' }, { keep: true });
	for (const m of messages.slice(0, 2))
		line.send('ACK', { id: m.get('ack') });
	const more = await settled(line);
	say(`    two ACKs bring ${more.map((f) => f.text)}`);
	line.send('NACK', { id: messages[2].get('ack'), receipt: 'nk' });
	say(`    a NACK brings ${(await settled(line)).map((f) => short(f))}; ${await fate(line)}`);
	line.cut();
	const last = messages.at(-1)?.get('x-stream-offset');
	say(`    last offset seen: ${last}`);
	await fill('/queue/st', STREAM, 5, 10);
	await subscribe(`    after a reconnect, offset=${Number(last) + 1}`, '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': `offset=${Number(last) + 1}` });
	await broker.restart();
	await subscribe(`    at once after a restart of the broker, offset=${Number(last) + 1}`, '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': `offset=${Number(last) + 1}` });
	for (const began = performance.now(); performance.now() - began < 30000; await sleep(300)) {
		const l = await connected(broker);
		l.send('SUBSCRIBE', { id: 's', destination: '/amq/queue/st', ...indi, receipt: 'r' });
		const f = await l.next();
		l.cut();
		if (f.command === 'RECEIPT') {
			say(`    the stream is there ${Math.round(performance.now() - began)} ms after the broker answers a CONNECT`);
			break;
		}
	}
	await subscribe(`    after a restart of the broker, offset=${Number(last) + 1}`, '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': `offset=${Number(last) + 1}` });
	await fill('/queue/st', STREAM, 3, 15);
	await subscribe('    after more, offset=13', '/queue/st', { ...STREAM, ...indi, 'x-stream-offset': 'offset=13' });

	await subscribe('a topic, x-queue-name', '/topic/ts.a', { ...STREAM, ...indi, 'x-queue-name': 'tstream' });
	await fill('/topic/ts.a', {}, 5);
	await subscribe('    again from first', '/topic/ts.a', { ...STREAM, ...indi, 'x-queue-name': 'tstream', 'x-stream-offset': 'first' }).then(({ messages: [m] }) => m && say(`        ${m}`));
	await subscribe('    another subscription at once, other pattern, same queue', '/topic/ts.#', { ...STREAM, ...indi, 'x-queue-name': 'tstream', 'x-stream-offset': 'first' });
	await subscribe('    /amq/queue/tstream from offset=3', '/amq/queue/tstream', { ...indi, 'x-stream-offset': 'offset=3' }).then(({ messages: [m] }) => m && say(`        ${m}`));
	const un = await subscribe('    then UNSUBSCRIBE', '/topic/ts.a', { ...STREAM, ...indi, 'x-queue-name': 'tstream' }, { keep: true });
	un.line.send('UNSUBSCRIBE', { id: 's', receipt: 'u' });
	say(`        ${(await settled(un.line)).map((f) => short(f))}`);
	await fill('/topic/ts.a', {}, 2, 5);
	await subscribe('    after it: does the queue still fill?', '/amq/queue/tstream', { ...indi, 'x-stream-offset': 'first' });
	await subscribe('a topic pattern in one stream', '/topic/many.#', { ...STREAM, ...indi, 'x-queue-name': 'many', 'x-stream-offset': 'first' });
	await fill('/topic/many.x', { 'x-own': 'v', 'content-type': 'text/plain' }, 1);
	await fill('/topic/many.y.z', {}, 1);
	await subscribe('    from first', '/amq/queue/many', { ...indi, 'x-stream-offset': 'first' }).then(({ messages: m }) => m.forEach((f) => say(`        ${f}`)));
	await subscribe('x-max-age, x-max-length-bytes, x-stream-max-segment-size-bytes', '/topic/lim.#', { ...STREAM, ...indi, 'x-queue-name': 'lim', 'x-max-age': '1h', 'x-max-length-bytes': '1000000', 'x-stream-max-segment-size-bytes': '500000' });
	say(await broker.ctl('list_queues', 'name', 'type', 'durable', 'auto_delete', 'arguments', 'messages'));
	say(await broker.ctl('list_bindings', 'source_name', 'destination_name', 'routing_key'));
	const alone = await connected(broker);
	for (const id of ['one', 'two'])
		alone.send('SUBSCRIBE', { id, destination: '/amq/queue/st', receipt: id, ...indi, 'x-stream-offset': 'first' });
	const both = await settled(alone);
	say(`two subscriptions of one link to one stream: ${both.filter((f) => f.command === 'MESSAGE').map((f) => `${f.get('subscription')}:${f.text}`).join(' ')}`);
	const trunc = await connected(broker);
	trunc.send('SUBSCRIBE', { id: 's', destination: '/queue/st', receipt: 'x', ...STREAM, ...indi, 'prefetch-count': '1000', 'x-stream-offset': 'first' });
	await trunc.receipt('x');
	const began = performance.now();
	const feeder = await connected(broker);
	for (let i = 0; i < 3000; i++)
		feeder.send('SEND', { destination: '/queue/st', ...STREAM }, `big${i}`);
	let seen = 0, gaps = 0, previous = -1;
	while (!trunc.closed && seen < 3018) {
		const m = await trunc.next('MESSAGE', 5000).catch(() => null);
		if (!m)
			break;
		const offset = Number(m.get('x-stream-offset'));
		gaps += previous >= 0 && offset !== previous + 1 ? 1 : 0;
		previous = offset;
		seen++;
		trunc.send('ACK', { id: m.get('ack') });
	}
	say(`3000 SENDs without receipt into the stream while one reads with acks: ${seen} seen, ${gaps} gaps, last offset ${previous}, ${Math.round(performance.now() - began)} ms`);
}

/* --- (g) ActiveMQ alone --------------------------------------------------------------------------------------------------------- */

async function activeTopics(broker) {
	const line = await connected(broker);
	const get = async (pattern, ...destinations) => {
		const l = await connected(broker);
		l.send('SUBSCRIBE', { id: 'p', destination: pattern, receipt: 'p' });
		await settled(l, 250);
		for (const d of destinations)
			l.send('SEND', { destination: d }, d);
		const got = await settled(l, 400);
		say(`${pattern} gets of ${destinations.join(' ')}: ${got.map((f) => (f.command === 'MESSAGE' ? `${f.text} (destination:${f.get('destination')})` : short(f, 200))).join(' ') || 'nothing'}`);
		l.cut();
	};

	await get('/topic/a/b', '/topic/a/b', '/topic/a.b');
	await get('/topic/a/*', '/topic/a/b', '/topic/a/*');
	await get('/topic/a.*', '/topic/a.b', '/topic/a.b.c', '/topic/a');
	await get('/topic/a.>', '/topic/a.b', '/topic/a.b.c', '/topic/a');
	await get('/topic/*', '/topic/a/b', '/topic/a', '/topic/a.b');
	await get('/topic/ä ö', '/topic/ä ö');
	await get('/topic/a,/topic/b', '/topic/a', '/topic/b');
	await get('/topic/a,b', '/topic/a', '/topic/b', '/topic/a,b');
	await get('/topic/a?x=y', '/topic/a', '/topic/a?x=y');
	await get('/topic/ActiveMQ.Advisory.>', '/topic/fresh.one');
	for (const advisory of ['ActiveMQ.Advisory.Connection', 'ActiveMQ.Advisory.Consumer.Topic.>', 'ActiveMQ.Advisory.Topic']) {
		const l = await connected(broker);
		l.send('SUBSCRIBE', { id: 'adv', destination: `/topic/${advisory}`, receipt: 'adv' });
		await settled(l, 300);
		const other = await connected(broker);
		other.send('SUBSCRIBE', { id: 'o', destination: '/topic/fresh.two', receipt: 'o' });
		await other.receipt('o');
		other.cut();
		(await settled(l, 500)).slice(0, 2).forEach((f) => say(`${advisory}: ${short(f, 900)}`));
		l.cut();
	}
	line.cut();
}

async function prefetch(broker) {
	for (const [what, more] of [['default, ack auto', {}], ['activemq.prefetchSize:5, ack auto', { 'activemq.prefetchSize': '5' }], ['prefetchSize 5, ack client', { 'activemq.prefetchSize': '5', ack: 'client' }],
		['prefetchSize 5, ack client-individual', { 'activemq.prefetchSize': '5', ack: 'client-individual' }], ['activemq.dispatchAsync:false', { 'activemq.dispatchAsync': 'false' }], ['maximumPendingMessageLimit 10, prefetch 5, ack client', { 'activemq.maximumPendingMessageLimit': '10', 'activemq.prefetchSize': '5', ack: 'client' }], ['prefetch-count:5, ack client (RabbitMQ\'s)', { 'prefetch-count': '5', ack: 'client' }]]) {
		const to = await connected(broker);
		to.send('SUBSCRIBE', { id: 's', destination: '/topic/prefetch', receipt: 'r', ...more });
		await to.receipt('r');
		const from = await connected(broker);
		for (let i = 0; i < 500; i++)
			from.send('SEND', { destination: '/topic/prefetch' }, `m${i}`);
		await from.alive();
		const got = await settled(to, 700);
		say(`${what}: 500 sent, ${got.filter((f) => f.command === 'MESSAGE').length} come${got[0] ? `; the first ${short(got[0], 400)}` : ''}`);
		to.cut();
		from.cut();
	}
	for (const [what, more] of [['ack client', { ack: 'client' }], ['ack auto, the subscriber does not read', {}]]) {
		const to = await connected(broker);
		to.send('SUBSCRIBE', { id: 's', destination: `/topic/prefetch.${more.ack}`, receipt: 'r', ...more });
		await to.receipt('r');
		if (!more.ack)
			to.socket.pause();
		const from = await connected(broker);
		for (let i = 0; i < 40000; i++) {
			if (!from.send('SEND', { destination: `/topic/prefetch.${more.ack}` }, 'm'))
				await Promise.race([new Promise((r) => { from.socket.once('drain', r); }), sleep(3000)]);
		}
		say(`no prefetchSize, ${what}: 40000 sent; the publisher's link is ${await from.alive(5000) ? 'served' : 'STUCK'}`);
		if (more.ack)
			say(`    ${(await settled(to, 1500)).filter((f) => f.command === 'MESSAGE').length} come`);
		to.cut();
		from.cut();
		await sleep(300);
	}
}

/* --- all of them -------------------------------------------------------------------------------------------------------------------- */

const both = [['links', links], ['beats', beats], ['b: refusals', refusals], ['c: headers', headers], ['c: escapes', escapes], ['c: limits', limits], ['e: nobody listens', nobodyListens],
	['f: overlapping', overlapping], ['h: order', order], ['i: visible', visible], ['e: stalled', stalled]];

async function ask(broker, questions) {
	if (args.broker && args.broker !== broker.name)
		return;
	if (only && !questions.some(([name]) => only.test(name)))
		return;
	await broker.start();
	seen = broker.log().length;
	for (const [name, body] of questions)
		await question(broker, name, body);
	await broker.remove();
}

const ALL = ['.*', '.*', '.*'];
await ask(new ActiveMq({
	users: { root: { password: 'root', groups: 'admins' }, alice: { password: 'alice', groups: 'people' } },
	allow: [['topic', '>', 'admins', 'admins', 'admins'], ['queue', '>', 'admins', 'admins', 'admins'], ['topic', 'ActiveMQ.Advisory.>', 'admins,people', 'admins,people', 'admins,people'],
		['topic', 'open.>', 'people,admins', 'people,admins', 'people,admins'], ['topic', 'alive', 'people,admins', 'people,admins', 'people,admins']],
}), [...both, ['g: topics', activeTopics], ['g: prefetch', prefetch]]);
await ask(new RabbitMq({
	users: { root: { password: 'root', tags: 'administrator', permissions: { '/': ALL, other: ALL } },
		alice: { password: 'alice', permissions: { '/': ['^(stomp-subscription-.*|ok.*)$', '^(amq[.]topic|stomp-subscription-.*|ok.*)$', '^(amq[.]topic|stomp-subscription-.*|ok.*)$'] }, topics: { '/': ['^(open[.]|alive)', '^open[.]'] } } },
	vhosts: ['/', 'other'],
}), [...both, ['a: streams', streams], ['e: memory alarm', memoryAlarm]]);
process.exit(0);
