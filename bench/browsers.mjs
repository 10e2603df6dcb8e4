#!/usr/bin/env node
/*
 * bench/browsers.mjs - thousands of browsers on RabbitMQ: through the gateway, on connections that they share, and directly, by
 * RabbitMQ's own web-stomp. Needs RabbitMQ (script/bootstrap relay).
 *
 *   browsers.mjs [--server PATH] [--rounds N] [--browsers N] [--room N] [--seconds S] [--rate N] [--threads N]
 *
 * All speak STOMP over WebSocket, have subscribed one topic for all and one of a room of `--room`, and send by turns to their rooms,
 * `--rate` messages a second together; and every two seconds one of them sends to all. There are no heart-beats. What is
 * compared is the broker's: its processor time, to have them there and to serve them, its memory beyond that when nobody is there, its
 * connections. What the gateway takes is said beside it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RabbitMq } from '../tests/relay/brokers.mjs';
import { Gateway, sleep, TOKEN, until } from '../tests/reload/gateway.mjs';
import { Browser, gather } from './crowd.mjs';
import { median } from './report.mjs';
import { cpuOf } from './subscribers.mjs';

const { values: options } = parseArgs({ options: {
	server: { type: 'string', default: './sockjsd' },
	rounds: { type: 'string', default: '1' },
	browsers: { type: 'string', default: '10000' },
	room: { type: 'string', default: '50' },
	seconds: { type: 'string', default: '20' },
	rate: { type: 'string', default: '100' },
	threads: { type: 'string', default: '2' },
} });
const [rounds, count, room, seconds, rate, threads] = ['rounds', 'browsers', 'room', 'seconds', 'rate', 'threads'].map((n) => Number(options[n]));
const rooms = Math.max(1, Math.floor(count / room)), BODY = 'x'.repeat(64);
const SETTLE_MS = 5000;
const folder = mkdtempSync(join(tmpdir(), 'bench-browsers-'));

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* Messages in turn, each when it is due; how many deliveries that makes. */
async function talk(all, name) {
	const members = Array.from({ length: rooms }, (_, r) => all.filter((_b, i) => i % rooms === r));
	const begun = performance.now();
	let due = 0, calls = 0;

	for (let i = 0; i < seconds * rate; i++) {
		const late = begun + i / rate * 1000 - performance.now();
		const r = i % rooms, turn = Math.floor(i / rooms);

		if (late > 1)
			await sleep(late);
		members[r][turn % members[r].length].send(name(`room${r}`), BODY);
		due += members[r].length;
		if (i >= calls * rate * 2) {
			all[calls++].send(name('all'), BODY);
			due += count;
		}
	}
	return due;
}

/* Broker and gateway: seconds of processor, octets of memory. */
const cpus = (broker, gateway) => [broker.cpu(), gateway ? cpuOf(gateway.child.pid) : 0];
const memories = (broker, gateway) => [broker.memory(), gateway?.memory ?? 0];
const less = (a, b) => a.map((n, i) => n - b[i]);

async function measure(broker, idle, gateway, where) {
	const begun = performance.now(), before = [idle.cpu, 0];
	const all = await gather(count, 64, async (i) => {
		const b = new Browser(where.port, where.path);

		await b.connect(where.credentials);
		await b.subscribe('all', where.name('all'));
		await b.subscribe('room', where.name(`room${i % rooms}`));
		return b;
	});
	const joined = (performance.now() - begun) / 1000, there = cpus(broker, gateway), connections = broker.connections();
	const calm = memories(broker, gateway), heard = () => all.reduce((n, b) => n + b.messages, 0);

	const talked = performance.now(), due = await talk(all, where.name);
	await until(() => heard() >= due || all.some((b) => b.closed), 'all have got all', 300000);
	const took = (performance.now() - talked) / 1000, after = cpus(broker, gateway), full = memories(broker, gateway);

	await sleep(1000);
	const lost = all.filter((b) => b.closed).length;

	if (heard() !== due || lost)
		throw new Error(`${heard()} deliveries of ${due}, ${lost} browsers lost: ${all.find((b) => b.closed)?.why}`);
	all.forEach((b) => b.cut());
	return { connections, joined, took, due, join: less(there, before), talk: less(after, there),
		memory: less(full.map((n, i) => Math.max(n, calm[i])), [idle.memory, gateway?.idle ?? 0]) };
}

/* A broker of its own, and what it needs when nobody is there. */
async function withBroker(fn) {
	const broker = await new RabbitMq({ webStomp: true }).start();

	try {
		await sleep(SETTLE_MS);
		return await fn(broker, { memory: broker.memory(), cpu: broker.cpu() });
	} finally {
		await broker.remove();
	}
}

const direct = () => withBroker((broker, idle) => measure(broker, idle, null,
	{ port: broker.webPort, path: '/ws', credentials: broker.credentials(), name: (n) => `/topic/bench.${n}` }));

const through = () => withBroker(async (broker, idle) => {
	const { login, passcode, host: vhost } = broker.credentials();
	const gateway = await new Gateway(options.server, folder, 'shared').start({
		listen: ['127.0.0.1:0'], threads, log_level: 'warn', internal: { listen: '127.0.0.1:0', token: TOKEN, ready_needs_backends: true },
		endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open',
			relay: { servers: `127.0.0.1:${broker.port}`, mode: 'shared', login, passcode, vhost } } }],
	});

	try {
		await until(async () => (await fetch(`${gateway.internal}/readyz`)).status === 200, 'the links are up');
		gateway.idle = gateway.memory;
		return await measure(broker, idle, gateway, { port: gateway.port, path: '/stomp/websocket', name: (n) => `/topic/bench/${n}` });
	} finally {
		await gateway.stop();
	}
});

const ways = { 'web-stomp': direct, 'through the gateway, `shared`': through };
const found = Object.fromEntries(Object.keys(ways).map((w) => [w, []]));
const MIB = 1 << 20;

for (let i = 0; i < rounds; i++)
	for (const [way, run] of Object.entries(ways)) {
		found[way].push(await run());
		console.error(way, JSON.stringify(found[way].at(-1)));
	}
const [alone, shared] = Object.values(found);
const m = (all, pick) => median(all.map(pick));
const ratio = (pick) => median(shared.map((s, i) => pick(s) / pick(alone[i]))).toFixed(3);
const cost = (f) => f.join[0] + f.talk[0];

console.log(`${count} browsers in ${rooms} rooms, ${seconds * rate} messages of ${BODY.length} octets to rooms, ${alone[0].due} deliveries; ${threads} threads, ${rounds} rounds`);
console.log('| | connections at the broker | processor of the broker + gateway, s: to come | to get all | MiB more than idle: broker + gateway | s until all were there |');
console.log('|---|---:|---:|---:|---:|---:|');
for (const [way, all] of Object.entries(found)) {
	const two = (name, unit, digits) => [0, 1].map((k) => (m(all, (f) => f[name][k]) / unit).toFixed(digits)).join(' + ');

	console.log(`| ${way} | ${m(all, (f) => f.connections)} | ${two('join', 1, 2)} | ${two('talk', 1, 2)} | ${two('memory', MIB, 1)} | ${m(all, (f) => f.joined).toFixed(1)} |`);
}
console.log(`of the broker, shared to web-stomp: processor ${ratio(cost)} (to come ${ratio((f) => f.join[0])}, to get all ${ratio((f) => f.talk[0])}), ` +
	`memory beyond idle ${ratio((f) => f.memory[0])}; processor of broker and gateway together ${ratio((f) => cost(f) + f.join[1] + f.talk[1])}`);
process.exit(0);
