#!/usr/bin/env node
/*
 * bench/gateways.mjs - what it costs that several gateways are one broker: many subscribers of one topic at one gateway,
 * and one who sends; there too, without an engine, or at another gateway, by way of NATS. Needs nats-server.
 *
 *   gateways.mjs [--server PATH] [--rounds N] [--subscribers N] [--messages N] [--threads N] [--every MS]
 *
 * Once one message every so many milliseconds, and once all at once, when many go out together. All are clients of STOMP
 * over TCP, who count octets. A delivery costs processor time of the gateway that has the
 * subscribers, of the one that has the sender, and of NATS.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Nats } from '../tests/relay/brokers.mjs';
import { ready, startGateway } from '../tests/relay/clients.mjs';
import { Line } from '../tests/relay/frames.mjs';
import { TOKEN, until } from '../tests/reload/gateway.mjs';
import { median } from './report.mjs';
import { cpuOf, sendToAll, subscribers } from './subscribers.mjs';

const { values: options } = parseArgs({ options: {
	server: { type: 'string', default: './sockjsd' },
	rounds: { type: 'string', default: '3' },
	subscribers: { type: 'string', default: '1000' },
	messages: { type: 'string', default: '2000' },
	threads: { type: 'string', default: '1' },
	every: { type: 'string', default: '4' },
} });
const [rounds, count, messages, threads, every] = ['rounds', 'subscribers', 'messages', 'threads', 'every'].map((n) => Number(options[n]));
const BODY = 'x'.repeat(64), TOPIC = '/topic/bench/x';
process.setMaxListeners(100);
const folder = mkdtempSync(join(tmpdir(), 'bench-gateways-'));
let names = 0;

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

async function start(stomp) {
	const gateway = await startGateway(options.server, folder, `g${names++}`, {
		listen: ['127.0.0.1:0', { address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }], threads, log_level: 'warn',
		internal: { listen: '127.0.0.1:0', token: TOKEN, ready_needs_backends: true },
		endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open', ...stomp } }],
	});

	await ready(gateway, 'the engine is there');
	return gateway;
}

/* Of each: microseconds of a delivery. */
async function measureAt(pace, here, there, nats) {
	const all = await subscribers(count, here.stomp, {}, TOPIC), sender = new Line(there.stomp);
	const used = () => [cpuOf(here.child.pid), there === here ? 0 : cpuOf(there.child.pid), nats?.cpu() ?? 0];

	await sender.connect({});
	sender.send('SEND', { destination: TOPIC }, BODY);
	await until(() => all.every((s) => s.octets > 100), 'the first has come', 60000);
	const before = used(), begun = performance.now();
	await sendToAll(all, sender, TOPIC, BODY, messages, pace);
	const seconds = (performance.now() - begun) / 1000, after = used();
	[...all, sender].forEach((s) => s.cut());
	return { cost: after.map((a, i) => (a - before[i]) / count / messages * 1e6), rate: count * messages / seconds };
}

async function measure(...where) {
	return [await measureAt(every, ...where), await measureAt(0, ...where)];
}

async function alone() {
	const gateway = await start({});

	try {
		return await measure(gateway, gateway, null);
	} finally {
		await gateway.stop();
	}
}

async function joined(stomp) {
	const nats = await new Nats({}).start();
	const both = [];

	try {
		for (let i = 0; i < 2; i++)
			both.push(await start({ engine: { kind: 'nats', servers: nats.url }, ...stomp }));
		return await measure(both[0], both[1], nats);
	} finally {
		await Promise.all(both.map((g) => g.stop()));
		await nats.remove();
	}
}

const ways = {
	'one gateway, no engine': alone,
	'from another gateway, by NATS': () => joined({}),
	'the same, with a history': () => joined({ history: [{ destination: '/topic/**', messages: 1000 }] }),
};
const found = Object.fromEntries(Object.keys(ways).map((w) => [w, [[], []]]));

for (let i = 0; i < rounds; i++)
	for (const [way, run] of Object.entries(ways))
		(await run()).forEach((figures, k) => found[way][k].push(figures));
console.log(`${count} subscribers, ${messages} messages of ${BODY.length} octets, ${threads} threads, ${rounds} rounds; medians`);
for (const [k, pace] of [`a message every ${every} ms`, 'all at once'].entries()) {
	const sums = Object.values(found).map((all) => median(all[k].map((f) => f.cost.reduce((a, b) => a + b))));

	console.log(`| ${pace} | us a delivery: its gateway + that of the sender + NATS | all, to the first row | deliveries a second |`);
	console.log('|---|---|---|---|');
	for (const [i, [way, all]] of Object.entries(found).entries()) {
		const each = [0, 1, 2].map((n) => median(all[k].map((f) => f.cost[n])).toFixed(3));

		console.log(`| ${way} | ${each.join(' + ')} | ${(sums[i] / sums[0]).toFixed(2)} | ${Math.round(median(all[k].map((f) => f.rate)))} |`);
	}
}
process.exit(0);
