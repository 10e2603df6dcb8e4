#!/usr/bin/env node
/*
 * stomp.mjs - clients of STOMP go on in another process: with what they have subscribed, what they have begun and half
 * said, what they have not acknowledged, and what is kept for them.
 *
 *	stomp.mjs --server ./sockjsd [--threads N] [--only REGEXP]
 */
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { check, equal, readArguments, Suite, withDeadline } from '../e2e/harness.mjs';
import { encode, FrameReader } from '../relay/frames.mjs';
import { client, send, subscribe } from '../relay/clients.mjs';
import { sleep, TOKEN } from '../reload/gateway.mjs';
import { Restarting } from './restarting.mjs';

const args = readArguments(['server', 'threads', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'restart-stomp-'));
const program = args.server ?? './sockjsd';
const THREADS = Number(args.threads ?? 2);

process.setMaxListeners(100);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const config = (stomp = {}, more = {}) => ({
	listen: ['127.0.0.1:0', { address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }], threads: THREADS, log_level: 'info',
	shutdown_timeout_ms: 300, internal: { listen: '127.0.0.1:0', token: TOKEN },
	endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open', ...stomp } }], ...more,
});

let names = 0;
async function start(c = config()) {
	const g = await new Restarting(program, folder, `g${names++}`).start(c);

	g.stomp = `stomp://127.0.0.1:${/:(\d+)$/.exec(g.urls[1])[1]}`;
	return g;
}

async function finish(g, ...lines) {
	lines.forEach((l) => l.socket.destroy());
	equal(await g.stop(), 0, 'exit code');
	g.leave();
	equal([...g.ended].filter(([, code]) => code !== 0), [], 'processes that did not end well');
	equal(g.log.filter((l) => /Sanitizer|runtime error/.test(l)), [], 'nothing is said by a sanitizer');
}

/* The next message is this one. */
async function hears(line, text, what) {
	const frame = await line.next('MESSAGE');

	equal(frame.text, text, what);
	return frame;
}

/* Nobody hears more than he should: what comes last is the receipt of a frame that does nothing. */
async function nothingMore(line, what) {
	const n = `n-${names++}`;

	line.send('BEGIN', { transaction: n, receipt: n });
	await line.receipt(n);
	line.send('ABORT', { transaction: n });
	equal(line.frames.filter((f) => f.command === 'MESSAGE').map((f) => f.text), [], what);
}

await suite.test('subscriptions go on, and a frame that is half there', async () => {
	const g = await start(), a = await client(g), b = await client(g);
	const halves = ['SE', 'SEND\ndestination:/topic/t', 'SEND\ndestination:/topic/t\n\nha', ''];

	await subscribe(a, '1', '/topic/t');
	await subscribe(a, '2', '/topic/*');
	await subscribe(b, 'x', '/user/own');
	for (const [i, half] of halves.entries()) {
		const whole = `SEND\ndestination:/topic/t\n\nhalf ${i}\0`;
		const text = half.endsWith('ha') ? `SEND\ndestination:/topic/t\n\nhalf ${i}\0` : whole;

		b.socket.write(text.slice(0, half.length));
		await sleep(50);
		await g.restart();
		b.socket.write(text.slice(half.length));
		for (const id of ['1', '2']) {
			const frame = await a.next('MESSAGE');
			equal([frame.text, ['1', '2'].includes(frame.get('subscription'))], [`half ${i}`, true], `by subscription ${id}`);
		}
		await send(a, `/user/${b.answer.get('session')}/own`, `to you ${i}`);
		await hears(b, `to you ${i}`, 'a message to a session by its name');
		equal(await g.metric('sockjs_stomp_clients'), 2, 'clients');
		equal(await g.metric('sockjs_stomp_subscriptions'), 3, 'subscriptions');
	}
	a.send('UNSUBSCRIBE', { id: '2' });
	await send(b, '/topic/t', 'once');
	await hears(a, 'once', 'after an UNSUBSCRIBE');
	await nothingMore(a, 'more');
	await finish(g, a, b);
});

await suite.test('a client over a WebSocket, and one that comes meanwhile', async () => {
	const g = await start(), ws = new WebSocket(`ws://127.0.0.1:${g.port}/stomp/websocket`, ['v12.stomp']), reader = new FrameReader(), frames = [];
	const next = () => withDeadline((async () => { while (frames.length === 0) await sleep(5); return frames.shift(); })(), 10000, 'a frame');

	ws.on('message', (data) => frames.push(...reader.push(Buffer.from(data))));
	await new Promise((resolve) => { ws.on('open', resolve); });
	const silent = new WebSocket(`ws://127.0.0.1:${g.port}/stomp/websocket`, ['v12.stomp']);
	await new Promise((resolve) => { silent.on('open', resolve); });
	ws.send(encode('CONNECT', { 'accept-version': '1.2', host: 'x' }).toString());
	equal((await next()).command, 'CONNECTED', 'answer');
	ws.send(encode('SUBSCRIBE', { id: 's', destination: '/topic/w', receipt: 'r' }).toString());
	equal((await next()).command, 'RECEIPT', 'answer');
	await g.restart();
	ws.send(encode('SEND', { destination: '/topic/w' }, 'here').toString());
	equal((await next()).text, 'here', 'its own message');
	const answered = new Promise((resolve) => { silent.on('message', (data) => resolve(String(data))); });
	silent.send(encode('CONNECT', { 'accept-version': '1.2', host: 'x' }).toString());
	check(/^CONNECTED/.test(await answered), 'who had not said CONNECT');
	ws.terminate();
	silent.terminate();
	await finish(g);
});

await suite.test('transactions go on', async () => {
	const g = await start(), a = await client(g), b = await client(g);

	await subscribe(b, 's', '/topic/t');
	a.send('BEGIN', { transaction: 'x' });
	a.send('BEGIN', { transaction: 'y' });
	for (let i = 0; i < 5; i++)
		await send(a, '/topic/t', `${i}`, { transaction: i % 2 ? 'x' : 'y' });
	await g.restart();
	await send(a, '/topic/t', '5', { transaction: 'x' });
	a.send('ABORT', { transaction: 'y', receipt: 'abort' });
	await a.receipt('abort');
	await g.restart();
	a.send('COMMIT', { transaction: 'x', receipt: 'commit' });
	await a.receipt('commit');
	for (const i of [1, 3, 5])
		await hears(b, `${i}`, 'what was committed');
	await nothingMore(b, 'more');
	await finish(g, a, b);
});

await suite.test('what is kept for those who come back is there, under the same names', async () => {
	const g = await start(config({ history: [{ destination: '/topic/kept/**', messages: 100 }] })), a = await client(g);
	const ids = [];

	await subscribe(a, 's', '/topic/kept/a');
	for (let i = 0; i < 30; i++) {
		if (i % 10 === 5)
			await g.restart();
		await send(a, '/topic/kept/a', `${i}`);
		ids.push((await hears(a, `${i}`, 'a message')).get('message-id'));
	}
	equal(new Set(ids).size, 30, 'different ids');
	await g.restart();
	const b = await client(g);
	b.send('SUBSCRIBE', { id: 's', destination: '/topic/kept/a', 'last-message-id': ids[3], receipt: 'r' });
	equal((await b.receipt('r')).get('recovered'), 'true', 'recovered');
	for (let i = 4; i < 30; i++)
		equal((await hears(b, `${i}`, 'what was missed')).get('message-id'), ids[i], 'its id');
	await nothingMore(b, 'more');
	await finish(g, a, b);
});

await suite.test('queues: what waits, what is not acknowledged, and in which order', async () => {
	const g = await start(config({ prefetch: 3 })), sender = await client(g), a = await client(g);

	for (let i = 0; i < 10; i++)
		await send(sender, '/queue/q', `${i}`);
	await subscribe(a, 's', '/queue/q', { ack: 'client-individual' });
	const got = [await hears(a, '0'), await hears(a, '1'), await hears(a, '2')];
	await g.restart();
	await nothingMore(a, 'more than its prefetch');
	a.send('ACK', { id: got[1].get('ack') });
	await hears(a, '3', 'the next');
	await g.restart();
	a.send('ACK', { id: got[0].get('ack'), receipt: 'ack' });
	await a.receipt('ack');
	await hears(a, '4', 'the next');
	await g.restart();
	a.socket.destroy();
	const b = await client(g), redelivered = [];
	await subscribe(b, 's', '/queue/q', { ack: 'auto' });
	for (const i of [2, 3, 4, 5, 6, 7, 8, 9])
		redelivered.push((await hears(b, `${i}`, 'what comes again, and what waits')).get('redelivered') ?? '');
	equal(redelivered, ['true', 'true', 'true', '', '', '', '', ''], 'redelivered');
	await nothingMore(b, 'more');
	equal(await g.metric('sockjs_stomp_queued_messages'), 0, 'queued');
	await finish(g, sender, b);
});

/* --- who is there --------------------------------------------------------------------------------- */

const SECRET = 'a-secret-of-at-least-32-octets-for-HS256';
const ROOM = '/topic/rooms/tea';

function token(sub) {
	const text = [{ alg: 'HS256', typ: 'JWT' }, { sub, roles: ['guest'], exp: Math.floor(Date.now() / 1000) + 36000 }]
		.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');

	return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

await suite.test('who is present stays so, and nobody hears of a restart', async () => {
	const ms = 100, stomp = { presence: ['/topic/rooms/*'], presence_interval_ms: ms, tokens: { algorithm: 'HS256', secret: SECRET } };
	const g = await start(config(stomp));
	const come = async (user) => {
		const line = await client(g, user ? { token: token(user) } : {});

		await subscribe(line, 'here', ROOM);
		return line;
	};
	const change = async () => JSON.parse((await watcher.next('MESSAGE')).text);
	const [ann, again, bob, nobody] = [await come('ann'), await come('ann'), await come('bob'), await come()], watcher = await client(g);

	await sleep(3 * ms);
	await subscribe(watcher, 'w', `/presence${ROOM}`);
	const { users, count, anonymous } = JSON.parse((await watcher.next('MESSAGE')).text);
	equal([users.sort(), count, anonymous], [['ann', 'bob'], 2, 1], 'who is there');
	for (const threads of [THREADS, 3, 1]) {
		await g.restart(config(stomp, { threads }));
		await sleep(4 * ms);
		await nothingMore(watcher, `what is said of ${threads} threads`);
	}
	const { json } = await g.command('presence', { destination: ROOM });
	equal([json.users.map((u) => `${u.user}${u.sessions}`), json.count, json.anonymous], [['ann2', 'bob1'], 2, 1], 'by a command');
	again.socket.destroy();
	bob.socket.destroy();
	let { left, ...counts } = await change();
	equal([left, counts.count, counts.anonymous], [['bob'], 1, 1], 'bob goes, and ann is there once more');
	await g.restart();
	ann.send('UNSUBSCRIBE', { id: 'here' });
	({ left, ...counts } = await change());
	equal([left, counts.count, counts.anonymous], [['ann'], 0, 1], 'the last session goes');
	await finish(g, ann, nobody, watcher);
});

await suite.test('heart-beats go on, both ways', async () => {
	const g = await start(config({ heartbeat_ms: [300, 300] })), a = await client(g, { 'heart-beat': '300,300' }), mute = await client(g, { 'heart-beat': '300,300' });
	const beats = setInterval(() => a.socket.write('\n'), 200);

	for (let i = 0; i < 3; i++) {
		await sleep(300);
		await g.restart();
	}
	await withDeadline(mute.ended, 10000, 'who says nothing is taken for dead');
	const before = a.beats;
	await sleep(1200);
	equal(a.closed, false, 'who says something is there');
	check(a.beats - before >= 2, `${a.beats - before} heart-beats`);
	clearInterval(beats);
	await finish(g, a);
});

await suite.test('a client-id is taken over as ever', async () => {
	const more = { tokens: { algorithm: 'HS256', secret: SECRET } }, g = await start(config(more));
	const a = await client(g, { token: token('ann'), 'client-id': 'page' });

	await g.restart();
	const b = await client(g, { token: token('ann'), 'client-id': 'page' });
	equal((await a.next('ERROR')).get('code'), '4623', 'the one before');
	await g.restart();
	await send(b, '/topic/t', 'here');
	await finish(g, a, b);
});

await suite.test('a journal is its process\'s alone: with one nothing changes', async () => {
	const g = await start(config({ journal: join(folder, 'journal') })), a = await client(g);

	await subscribe(a, 's', '/queue/q');
	await g.fails(/ended before it was ready/);
	check(g.log.some((l) => /stomp\.journal.*in use by process/.test(l)), 'the log says why');
	await send(a, '/queue/q', 'here');
	await hears(a, 'here', 'it goes on');
	g.ended.forEach((code, pid) => pid !== g.pid && g.ended.set(pid, 0));
	await finish(g, a);
});

/* --- many ------------------------------------------------------------------------------------------ */

await suite.test('the number of threads may be another one', async () => {
	const stomp = { history: [{ destination: '/topic/kept/**', messages: 1000 }], prefetch: 5 };
	const g = await start(config(stomp, { threads: 1 })), clients = [];

	for (let i = 0; i < 60; i++) {
		const line = await client(g);

		line.mine = { got: [], kept: [] };
		await subscribe(line, 'all', '/topic/all');
		await subscribe(line, 'kept', `/topic/kept/${i % 7}`);
		await subscribe(line, 'queue', `/queue/${i % 20}`, { ack: 'client-individual' });
		clients.push(line);
	}
	for (const [round, threads] of [4, 2, 3, 1].entries()) {
		for (let i = 0; i < 40; i++)
			await send(clients[i % 60], `/queue/${i % 20}`, `${round} ${i}`);
		for (let i = 0; i < 7; i++)
			await send(clients[i], `/topic/kept/${i}`, `${round} ${i}`);
		await g.restart(config(stomp, { threads }));
		equal(await g.metric('sockjs_threads'), threads, 'threads');
		equal(await g.metric('sockjs_stomp_clients'), 60, 'clients');
		await send(clients[round], '/topic/all', `all ${round}`);
		for (const line of clients)
			for (let all = false; !all;) {
				const frame = await line.next('MESSAGE');

				if (frame.get('ack'))
					line.send('ACK', { id: frame.get('ack') });
				line.mine.got.push(frame);
				all = frame.text === `all ${round}`;
			}
	}
	await sleep(200);
	for (const line of clients) {
		await nothingMoreBut(line);
	}
	const texts = (p) => clients.flatMap((l) => l.mine.got.filter((f) => f.get('destination').startsWith(p)).map((f) => f.text)).sort();
	const wanted = [0, 1, 2, 3].flatMap((r) => [...Array(40)].map((_, i) => `${r} ${i}`)).sort();
	equal(texts('/queue/'), wanted, 'each message of the queues came once');
	for (const [i, line] of clients.entries())
		equal(line.mine.got.filter((f) => f.get('destination').startsWith('/topic/kept/')).map((f) => f.text),
			[0, 1, 2, 3].map((r) => `${r} ${i % 7}`), 'what is kept came once, in order');
	const late = await client(g);
	late.send('SUBSCRIBE', { id: 'x', destination: '/topic/kept/3', 'last-message-id': 'none', receipt: 'r' });
	await late.receipt('r');
	for (const r of [0, 1, 2, 3])
		await hears(late, `${r} 3`, 'a history that has moved');
	await finish(g, late, ...clients);
});

/* What has come since goes to the account. */
async function nothingMoreBut(line) {
	for (const frame of line.frames.splice(0).filter((f) => f.command === 'MESSAGE')) {
		if (frame.get('ack'))
			line.send('ACK', { id: frame.get('ack') });
		line.mine.got.push(frame);
	}
}

suite.finish();
