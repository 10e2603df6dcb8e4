#!/usr/bin/env node
/*
 * bench/broker.mjs - what the broker does for backends, and for those who come back.
 *
 *   broker.mjs [--server PATH] [--rounds N] [--subscribers N] [--threads N]
 *
 * publish   10,000 messages by POST /api/publish, 1,000 in a request, to a topic that many have subscribed
 *           by WebSocket: the time until the last has got the last, and what a delivery costs
 * recovery  a client has missed 1,000 messages and subscribes with last-message-id: what that costs
 *
 * Messages have 64 octets. The clients count the octets of what comes, which must be the same for all, and
 * as many as the first of them has read frame by frame; they share the processors with the server.
 */
import assert from 'node:assert';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { median } from './report.mjs';

const TOKEN = 'of-a-benchmark-that-nobody-needs-to-guess';
const MESSAGES = 10000;
const MISSED = 1000;
const BODY = 'x'.repeat(64);

const { values: options } = parseArgs({ options: {
	server: { type: 'string', default: './sockjsd' },
	rounds: { type: 'string', default: '3' },
	subscribers: { type: 'string', default: '1000' },
	threads: { type: 'string', default: '1' },
} });

/* --- the server ------------------------------------------------------------------------------ */

const folder = mkdtempSync(join(tmpdir(), 'broker-'));
let server;

process.on('exit', () => {
	server?.kill('SIGKILL');
	rmSync(folder, { recursive: true, force: true });
});

/* Resolves to { port, internal }. */
function start() {
	const file = join(folder, 'sockjsd.json');

	writeFileSync(file, JSON.stringify({
		listen: ['127.0.0.1:0'], threads: Number(options.threads), log_level: 'error',
		internal: { listen: '127.0.0.1:0', token: TOKEN },
		endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: {
			access: 'open', history: [{ destination: '/topic/kept', messages: 2 * MISSED }] } }],
	}));
	server = spawn(options.server, ['-c', file], { stdio: ['ignore', 'pipe', 'inherit'] });
	return new Promise((resolve, reject) => {
		let port;

		server.on('exit', () => reject(new Error('the server has ended')));
		createInterface({ input: server.stdout }).on('line', (line) => {
			port ??= /^listening on http:.*:(\d+)/.exec(line)?.[1];
			const internal = /^internal on (\S+)/.exec(line)?.[1];
			if (internal)
				resolve({ port: Number(port), internal });
		});
	});
}

/* Milliseconds of the processor that all its threads have had. */
function used() {
	const folder = `/proc/${server.pid}/task`;
	const nanoseconds = (thread) => Number(readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]);

	return readdirSync(folder).reduce((sum, thread) => sum + nanoseconds(thread), 0) / 1e6;
}

async function command(name, value) {
	const answer = await fetch(`${address.internal}/api/${name}`, { method: 'POST', body: JSON.stringify(value),
		headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' } });

	assert.strictEqual(answer.status, 200);
	return answer.json();
}

/* --- clients ---------------------------------------------------------------------------------- */

/* Masked by a key of zeroes. */
function clientFrame(text) {
	const length = Buffer.byteLength(text);
	const head = length < 126 ? [0x81, 0x80 | length] : [0x81, 0x80 | 126, length >> 8, length & 0xff];

	return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), Buffer.from(text)]);
}

class Client {
	octets = 0;
	text = '';

	constructor() {
		this.socket = connect(address.port, '127.0.0.1');
		this.socket.on('data', (data) => {
			this.octets += data.length;
			if (this.wanted) {
				this.text += data.toString('latin1');
				if (this.text.includes(this.wanted))
					this.got();
			}
		});
		this.socket.on('close', () => { assert(this.leaves, 'a client was closed'); });
	}

	/* What the server says up to this text. */
	async ask(what, wanted) {
		this.wanted = wanted;
		this.text = '';
		const answer = new Promise((resolve) => { this.got = resolve; });
		this.socket.write(what);
		await answer;
		this.wanted = null;
		return this.text;
	}

	async come() {
		await this.ask(`GET /stomp HTTP/1.1\r\nHost: 127.0.0.1:${address.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
			'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
			'Sec-WebSocket-Protocol: v12.stomp\r\n\r\n', '\r\n\r\n');
		await this.ask(clientFrame('CONNECT\naccept-version:1.2\nhost:bench\n\n\0'), 'CONNECTED');
		return this;
	}

	subscribe(destination, headers = '') {
		return this.ask(clientFrame(`SUBSCRIBE\nid:0\ndestination:${destination}\n${headers}receipt:r\n\n\0`), 'RECEIPT');
	}

	leave() {
		this.leaves = true;
		this.socket.destroy();
	}
}

/* How often the body is in what has come. */
const bodiesIn = (text) => text.split(BODY).length - 1;

/* --- publish ------------------------------------------------------------------------------------ */

async function publish(subscribers) {
	const messages = Array.from({ length: 1000 }, () => ({ destination: '/topic/all', body: BODY }));
	const reader = subscribers[0]; /* reads them all, and says with that when the others have */
	let received = 0;

	for (const s of subscribers)
		s.octets = 0;
	const before = used(), from = performance.now();
	const last = reader.ask('', 'END OF ALL');
	for (let i = 0; i < MESSAGES; i += messages.length)
		received += (await command('publish', { messages })).received;
	await command('publish', { destination: '/topic/all', body: 'END OF ALL' });
	const answered = performance.now() - from;
	await last;
	while (subscribers.some((s) => s.octets < reader.octets))
		await new Promise((resolve) => { setTimeout(resolve, 5); });
	const ms = performance.now() - from;

	assert.strictEqual(received, MESSAGES * subscribers.length);
	assert.strictEqual(bodiesIn(reader.text), MESSAGES);
	assert(subscribers.every((s) => s.octets === reader.octets), 'all have got as much');
	return { answered, ms, each: (used() - before) * 1000 / received };
}

/* --- recovery ------------------------------------------------------------------------------------- */

async function recovery(last, clients = 50) {
	const all = [];
	let text;

	for (let i = 0; i < clients; i++)
		all.push(await new Client().come());
	const before = used();
	for (const client of all)
		text = await client.subscribe('/topic/kept', `last-message-id:${last}\n`);
	const ms = (used() - before) / clients;

	assert.strictEqual(bodiesIn(text), MISSED);
	assert(text.includes('recovered:true'));
	all.forEach((client) => client.leave());
	return ms;
}

/* ----------------------------------------------------------------------------------------------------- */

const address = await start();
const subscribers = [];
const results = [];

for (let i = 0; i < Number(options.subscribers); i++) {
	subscribers.push(await new Client().come());
	await subscribers[i].subscribe('/topic/all');
}
await command('publish', { destination: '/topic/kept', body: 'the last that they have got' });
const [{ message_id: last }] = (await command('history', { destination: '/topic/kept' })).messages;
await command('publish', { messages: Array.from({ length: MISSED }, () => ({ destination: '/topic/kept', body: BODY })) });

for (let i = 0; i < Number(options.rounds); i++) {
	const p = await publish(subscribers);
	const r = await recovery(last);

	results.push({ ...p, recovery: r });
	console.log(`round ${i + 1}: ${MESSAGES} messages to ${subscribers.length}: answered in ${p.answered.toFixed(0)} ms, all there in ` +
		`${p.ms.toFixed(0)} ms, ${p.each.toFixed(3)} us of processor for a delivery; ${MISSED} recovered: ${r.toFixed(3)} ms of processor`);
}
const of = (name, digits) => median(results.map((r) => r[name])).toFixed(digits);
console.log(`medians: answered in ${of('answered', 0)} ms, all there in ${of('ms', 0)} ms, ${of('each', 3)} us a delivery, ` +
	`recovery ${of('recovery', 3)} ms`);
process.exit(0);
