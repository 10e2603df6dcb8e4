/*
 * tests/stomp/queue_storm.mjs - many messages through queues to consumers that die: none is lost, and
 * what comes twice has the mark.
 *
 *	node tests/stomp/queue_storm.mjs --server sockjsd [--messages 3000] [--threads 4] [--seed 1]
 *
 * Producers ask for a receipt of each message and begin again after an error. Consumers come by
 * WebSocket, by SockJS and by TCP, acknowledge each message for itself, and leave after a while: in due
 * form, or in the midst of it. At the end each message with a receipt was acknowledged or is a dead
 * letter.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SockJS from 'sockjs-client';
import WebSocket from 'ws';

const options = { server: './sockjsd', messages: '3000', threads: '4', seed: '1' };
for (let i = 2; i < process.argv.length; i += 2)
	options[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];

const MESSAGES = Number(options.messages), QUEUES = 3, CONSUMERS = 12, WINDOW = 64;
const LIMIT_MS = 20000 + MESSAGES * 5;

let state = BigInt(options.seed);
function dice(n) {
	state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
	return Number((state >> 33n) % BigInt(n));
}

/* --- carriers: open(url or port) gives { send, cut, end } and calls back -------------------- */

function byWebSocket(at, on) {
	const ws = new WebSocket(`ws://127.0.0.1:${at.http}/stomp/websocket`, ['v12.stomp']);
	ws.on('open', on.open);
	ws.on('message', (data) => on.data(data.toString()));
	ws.on('close', on.close);
	ws.on('error', () => {});
	return { send: (text) => ws.readyState === 1 && ws.send(text), cut: () => ws.terminate() };
}

function bySockJS(transport) {
	return (at, on) => {
		const s = new SockJS(`http://127.0.0.1:${at.http}/stomp`, null, { transports: [transport] });
		s.onopen = on.open;
		s.onmessage = (e) => on.data(e.data);
		s.onclose = on.close;
		return { send: (text) => s.readyState === 1 && s.send(text), cut: () => s.close() };
	};
}

function byTcp(at, on) {
	const s = net.connect(at.tcp, '127.0.0.1', on.open);
	s.setEncoding('utf8');
	s.on('data', on.data);
	s.on('close', on.close);
	s.on('error', () => {});
	return { send: (text) => s.writable && s.write(text), cut: () => s.resetAndDestroy?.() ?? s.destroy() };
}

const CARRIERS = [byWebSocket, byTcp, bySockJS('websocket'), bySockJS('xhr-streaming'), bySockJS('xhr-polling')];

/* --- a client of STOMP ------------------------------------------------------------------------ */

function frame(command, headers = {}, body = '') {
	const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
	return `${command}\n${lines.join('')}\n${body}\0`;
}

class Client {
	constructor(at, carrier, on) {
		let rest = '';
		this.wire = carrier(at, {
			open: () => this.send('CONNECT', { 'accept-version': '1.2', 'heart-beat': '0,0' }),
			data: (text) => {
				const frames = (rest + text).split('\0');
				rest = frames.pop();
				for (const text of frames)
					this.take(text.replace(/^\n+/, ''), on);
			},
			close: () => on.close?.(),
		});
	}
	send(command, headers, body) { this.wire.send(frame(command, headers, body)); }
	take(text, on) {
		const [head, body] = [text.slice(0, text.indexOf('\n\n')), text.slice(text.indexOf('\n\n') + 2)];
		const [command, ...lines] = head.split('\n');
		const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
		on[command]?.(headers, body, this);
	}
}

/* --- the storm --------------------------------------------------------------------------------- */

const accepted = new Set(), done = new Map(), dead = new Set(), wrong = [];
let seen = 0, redelivered = 0, deaths = 0;

function consume(at, over) {
	const life = 5 + dice(200);
	let got = 0;
	return new Promise((gone) => {
		const client = new Client(at, CARRIERS[dice(CARRIERS.length)], {
			CONNECTED: (headers, body, c) => {
				for (let q = 0; q < QUEUES; q++)
					c.send('SUBSCRIBE', { id: q, destination: `/queue/storm${q}`, ack: 'client-individual', 'prefetch-count': 1 + dice(20) });
			},
			MESSAGE: (headers, body, c) => {
				if (c.left)
					return; /* what was on its way: others have it by now */
				seen++;
				const marked = headers.redelivered === 'true';
				if (marked)
					redelivered++;
				else if (done.has(body))
					wrong.push(`${body} came twice without the mark`);
				done.set(body, (done.get(body) ?? 0) + 1);
				const luck = dice(50);
				if (luck === 0)
					c.send('NACK', { id: headers.ack });
				else if (luck > 2) /* or it forgets it, until it leaves */
					c.send('ACK', { id: headers.ack });
				if (++got >= life && !over()) {
					deaths++;
					c.left = true;
					if (dice(3) === 0)
						c.send('DISCONNECT', {});
					else
						c.wire.cut();
				}
			},
			close: gone,
		});
		consumers.add(client);
	}).then(() => (over() ? undefined : consume(at, over)));
}

const consumers = new Set();

function produce(at, from, to) {
	let next = from;
	return new Promise((all) => {
		const under = new Set();
		const more = (c) => {
			while (under.size < WINDOW && next < to) {
				under.add(String(next));
				c.send('SEND', { destination: `/queue/storm${next % QUEUES}`, receipt: next }, String(next));
				next++;
			}
			if (under.size === 0 && next >= to)
				all(c.wire.cut());
		};
		const client = new Client(at, CARRIERS[dice(2)], {
			CONNECTED: (headers, body, c) => more(c),
			RECEIPT: (headers, body, c) => {
				accepted.add(headers['receipt-id']);
				under.delete(headers['receipt-id']);
				more(c);
			},
			ERROR: (headers, body) => wrong.push(`a producer: ${headers.message}: ${body}`),
		});
		void client;
	});
}

function listenToTheDead(at) {
	return new Promise((ready) => new Client(at, byWebSocket, {
		CONNECTED: (headers, body, c) => c.send('SUBSCRIBE', { id: 'd', destination: '/queue/dead-letters', receipt: 'r' }),
		RECEIPT: ready,
		MESSAGE: (headers, body) => dead.add(body),
	}));
}

async function start() {
	const directory = mkdtempSync(join(tmpdir(), 'queue-storm-'));
	const file = join(directory, 'sockjsd.json');
	writeFileSync(file, JSON.stringify({
		listen: ['127.0.0.1:0', { address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }],
		threads: Number(options.threads),
		endpoints: [{ prefix: '/stomp', application: 'stomp', allowed_origins: ['*'], disconnect_delay_ms: 500, stomp: { access: 'open', max_deliveries: 50 } }],
	}));
	const server = spawn(options.server, ['-c', file, '--log-level', 'error'], { stdio: ['ignore', 'pipe', 'inherit'] });
	const at = {};
	await new Promise((ready) => server.stdout.on('data', (data) => {
		for (const line of String(data).split('\n')) {
			const port = line.match(/:(\d+)$/)?.[1];
			if (port && line.includes('stomp://'))
				at.tcp = Number(port);
			else if (port)
				at.http = Number(port);
		}
		if (at.tcp && at.http)
			ready();
	}));
	return { at, stop: () => new Promise((ended) => { server.on('exit', (code) => { rmSync(directory, { recursive: true }); ended(code); }); server.kill('SIGTERM'); }) };
}

const missing = () => [...accepted].filter((m) => !done.has(m) && !dead.has(m));

const { at, stop } = await start();
const began = Date.now();
let finished = false;
const over = () => finished;

await listenToTheDead(at);
for (let i = 0; i < CONSUMERS; i++)
	consume(at, over);
const share = Math.ceil(MESSAGES / 4);
await Promise.all([0, 1, 2, 3].map((i) => produce(at, i * share, Math.min(MESSAGES, (i + 1) * share))));
while (missing().length > 0 && Date.now() - began < LIMIT_MS)
	await new Promise((later) => setTimeout(later, 50));
finished = true;
for (const c of consumers)
	c.wire.cut();
const code = await Promise.race([stop(), new Promise((later) => setTimeout(() => later('no end'), 15000).unref())]);
const checks = [
	['every message was accepted', accepted.size === MESSAGES],
	['none is lost', missing().length === 0],
	['none comes twice without the mark', wrong.length === 0],
	['consumers died', deaths > 0 && redelivered > 0],
	['the server ends in order', code === 0],
];
for (const [name, good] of checks)
	if (!good)
		console.log(`FAILED queues: ${name}`, name.startsWith('none comes') ? wrong.slice(0, 5) : missing().slice(0, 5), code);
console.log(`${MESSAGES} messages, ${seen} deliveries, ${redelivered} again, ${deaths} deaths, ${dead.size} dead letters, ${Date.now() - began} ms, seed ${options.seed}`);
console.log(`${checks.filter((c) => c[1]).length} passed, ${checks.filter((c) => !c[1]).length} failed`);
process.exit(checks.every((c) => c[1]) ? 0 : 1);
