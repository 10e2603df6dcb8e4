#!/usr/bin/env node
/*
 * bench/relay.mjs - many subscribers of one topic of RabbitMQ: directly; through the gateway with a connection for
 * each (per-client, as Spring's relay does); and through the gateway with connections that they share. Needs RabbitMQ
 * (script/bootstrap relay).
 *
 *   relay.mjs [--server PATH] [--rounds N] [--subscribers N] [--messages N] [--threads N]
 *
 * All are clients of STOMP over TCP, so the broker's own and the gateway's are one and the same program. One client
 * sends; a delivery costs the processor time of broker and gateway together. Clients count octets.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Gateway, TOKEN, until } from '../tests/reload/gateway.mjs';
import { RabbitMq } from '../tests/relay/brokers.mjs';
import { Line } from '../tests/relay/frames.mjs';
import { median } from './report.mjs';
import { cpuOf, sendToAll, subscribers } from './subscribers.mjs';

const { values: options } = parseArgs({ options: {
	server: { type: 'string', default: './sockjsd' },
	rounds: { type: 'string', default: '3' },
	subscribers: { type: 'string', default: '1000' },
	messages: { type: 'string', default: '1000' },
	threads: { type: 'string', default: '2' },
} });
const [rounds, count, messages, threads] = ['rounds', 'subscribers', 'messages', 'threads'].map((n) => Number(options[n]));
const BODY = 'x'.repeat(64);
const folder = mkdtempSync(join(tmpdir(), 'bench-relay-'));

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

async function measure(broker, url, credentials, destination, gateway) {
	const idle = [broker.memory(), gateway?.memory ?? 0];
	const all = await subscribers(count, url, credentials, destination);
	const sender = new Line(url), connections = broker.connections();
	await sender.connect(credentials);
	sender.send('SEND', { destination }, BODY); /* without a receipt, which RabbitMQ would pass on */
	await until(() => all.every((s) => s.octets > 100), 'the first has come', 60000);
	const memory = [broker.memory(), gateway?.memory ?? 0], before = [broker.cpu(), gateway ? cpuOf(gateway.child.pid) : 0];
	const begun = performance.now();

	await sendToAll(all, sender, destination, BODY, messages);
	const after = [broker.cpu(), gateway ? cpuOf(gateway.child.pid) : 0];
	const seconds = (performance.now() - begun) / 1000, deliveries = count * messages;
	const figures = { connections, broker: (after[0] - before[0]) / deliveries * 1e6, gateway: (after[1] - before[1]) / deliveries * 1e6,
		kib: (memory[0] - idle[0] + memory[1] - idle[1]) / count / 1024, rate: deliveries / seconds };

	all.forEach((s) => s.cut());
	sender.cut();
	return figures;
}

async function direct() {
	const broker = new RabbitMq({});

	await broker.start();
	try {
		return await measure(broker, broker.url, broker.credentials(), '/topic/bench.x', null);
	} finally {
		await broker.remove();
	}
}

async function through(mode) {
	const broker = new RabbitMq({});

	await broker.start();
	const { login, passcode, host: vhost } = broker.credentials();
	const gateway = await new Gateway(options.server, folder, mode).start({
		listen: ['127.0.0.1:0', { address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }], threads, log_level: 'warn',
		internal: { listen: '127.0.0.1:0', token: TOKEN, ready_needs_backends: true },
		endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open',
			relay: { servers: `127.0.0.1:${broker.port}`, mode, login, passcode, vhost } } }],
	});
	try {
		await until(async () => (await fetch(`${gateway.internal}/readyz`)).status === 200, 'the links are up');
		return await measure(broker, `stomp://127.0.0.1:${/:(\d+)$/.exec(gateway.urls[1])[1]}`, {}, '/topic/bench/x', gateway);
	} finally {
		await gateway.stop();
		await broker.remove();
	}
}

const ways = { 'RabbitMQ alone': direct, 'per-client': () => through('per-client'), shared: () => through('shared') };
const found = Object.fromEntries(Object.keys(ways).map((w) => [w, []]));

for (let i = 0; i < rounds; i++)
	for (const [way, run] of Object.entries(ways))
		found[way].push(await run());
console.log(`${count} subscribers, ${messages} messages of ${BODY.length} octets, ${threads} threads, ${rounds} rounds; medians`);
console.log('| | connections at the broker | us a delivery: broker + gateway | KiB a subscriber, both | deliveries a second |');
console.log('|---|---|---|---|---|');
for (const [way, all] of Object.entries(found)) {
	const m = (k) => median(all.map((f) => f[k]));

	console.log(`| ${way} | ${m('connections')} | ${m('broker').toFixed(2)} + ${m('gateway').toFixed(2)} | ${m('kib').toFixed(1)} | ${Math.round(m('rate'))} |`);
}
process.exit(0);
