#!/usr/bin/env node
/*
 * storm.mjs - so many acknowledged messages while everything between their senders and readers is cut and killed, one
 * after another: servers of the cluster, gateways, their connections to it, connections of clients. Whatever was
 * acknowledged has to come to every reader, once and in the order of its sender.
 *
 *	storm.mjs --server ./sockjsd [--messages 41000] [--senders 40] [--readers 12] [--gateways 3] [--seed 1]
 *
 * Half of the senders are clients of STOMP, which have an answer (the RECEIPT) or none: a message without one may come
 * or not, and later than those that its sender says by another connection. The others publish by /api/publish, and repeat with the same key until it is done. A reader that loses
 * its connection goes to another gateway, and on from the last that it has seen.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments } from '../e2e/harness.mjs';
import { missing, Nats, NatsCluster } from '../relay/brokers.mjs';
import { client, readyz, startGateway } from '../relay/clients.mjs';
import { sleep, TOKEN, until } from '../reload/gateway.mjs';
import { Way } from './way.mjs';

const args = readArguments(['server', 'messages', 'senders', 'readers', 'gateways', 'seed']);
const program = args.server ?? './sockjsd';
const MESSAGES = Number(args.messages ?? 41000), SENDERS = Number(args.senders ?? 40);
const READERS = Number(args.readers ?? 12), GATEWAYS = Number(args.gateways ?? 3);
const TOPICS = 4, BETWEEN_DEEDS_MS = 400, BACK_MS = 20;
const folder = mkdtempSync(join(tmpdir(), 'engine-storm-'));
let random = Number(args.seed ?? 1);

process.setMaxListeners(1000);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* Numbers that are the same for the same seed (a linear congruence). */
function below(n) {
	random = (random * 1103515245 + 12345) % 2147483648;
	return Math.floor(random / 65536) % n;
}

const pick = (list) => list[below(list.length)];
const topicOf = (sender) => `/topic/kept/${sender % TOPICS}`;

/* --- what stands ---------------------------------------------------------------------------------------- */

const cluster = await (async () => {
	const lacking = missing(Nats);

	if (lacking)
		throw new Error(lacking);
	return new NatsCluster().start();
})();

/* Each gateway has ways of its own to the servers, so that they can be cut. */
class Place {
	incarnations = 0;
	logs = []; /* of those that were killed */

	constructor(number) {
		this.number = number;
		this.ways = cluster.servers.map((s) => new Way(s.port));
	}

	config() {
		const servers = this.ways.map((w) => `nats://127.0.0.1:${w.port}`);
		const engine = { kind: 'nats', servers, replicas: 3, lost_after_ms: 60000, retry_delay_ms: 50, retry_delay_max_ms: 200 };

		return {
			listen: ['127.0.0.1:0', { address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }], threads: 2, log_level: 'info',
			internal: { listen: '127.0.0.1:0', token: TOKEN, ready_needs_backends: true },
			endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open', engine,
				history: [{ destination: '/topic/kept/**', messages: 100000, seconds: 3600 }] } }],
		};
	}

	async start() {
		await Promise.all(this.ways.map((w) => w.open()));
		await this.begin();
		return this;
	}

	async begin() {
		this.logs.push(this.gateway?.log ?? []);
		this.gateway = await startGateway(program, folder, `g${this.number}-${this.incarnations++}`, this.config());
		this.gateway.child.removeAllListeners('exit');
		await until(async () => await readyz(this.gateway) === 200, 'the engine is there', 30000);
		this.lives = true;
	}

	async kill() {
		this.lives = false;
		this.gateway.child.kill('SIGKILL');
	}

	cut() {
		for (const way of this.ways)
			way.sockets.forEach((s) => s.destroy());
	}

	async stop() {
		for (const line of [...this.logs, this.gateway.log].flat().filter((l) => /may not come|cannot be had/.test(l)))
			console.log(`gateway ${this.number}: ${line}`);
		const code = await this.gateway.stop();

		this.ways.forEach((w) => w.close());
		return code === 0 && !this.gateway.log.some((l) => /Sanitizer|runtime error/.test(l));
	}
}

const places = await Promise.all(Array.from({ length: GATEWAYS }, (_, i) => new Place(i).start()));

/* A connection to any of those that live. */
async function connection() {
	for (;;) {
		const living = places.filter((p) => p.lives);

		if (living.length > 0) {
			try {
				const place = pick(living), line = await client(place.gateway);

				line.at = `${place.number}-${place.incarnations}`;
				return line;
			} catch { /* it has just been killed */ }
		}
		await sleep(BACK_MS);
	}
}

/* --- senders ----------------------------------------------------------------------------------------------- */

let acknowledged = 0;
const enough = () => acknowledged >= MESSAGES;

class StompSender {
	acknowledged = new Set();
	next = 0;
	reconnected = -1;

	constructor(number) { this.number = number; }

	async run() {
		while (!enough()) {
			this.line = await connection();
			this.reconnected++;
			await this.publish().catch(() => {});
			this.line.socket.destroy();
		}
	}

	async publish() {
		while (!enough() && !this.line.closed) {
			const n = this.next++;

			this.line.send('SEND', { destination: topicOf(this.number), receipt: `r${n}` }, `${this.number} ${n}`);
			await this.line.receipt(`r${n}`, 60000);
			this.acknowledged.add(n);
			acknowledged++;
		}
	}
}

class ApiSender {
	acknowledged = new Set();
	next = 0;
	reconnected = 0;

	constructor(number) { this.number = number; }

	async run() {
		for (let n = 0; !enough(); n++) {
			this.next = n + 1;
			while (!await this.publish(n)) {
				this.reconnected++;
				await sleep(BACK_MS);
			}
			this.acknowledged.add(n);
			acknowledged++;
		}
	}

	async publish(n) {
		const living = places.filter((p) => p.lives);

		try {
			const { status } = await pick(living).gateway.command('publish', {
				destination: topicOf(this.number), body: `${this.number} ${n}`, idempotency_key: `${this.number}-${n}` });
			return status === 200;
		} catch {
			return false; /* killed before it has answered */
		}
	}
}

/* --- readers ------------------------------------------------------------------------------------------------- */

class Reader {
	got = [];
	ids = []; /* of these, for who has to look into it */
	reconnected = -1;
	unrecovered = 0;
	gaps = 0;
	stopped = false;

	constructor(number) { this.destination = `/topic/kept/${number % TOPICS}`; }

	async run() {
		while (!this.stopped) {
			this.line = await connection();
			this.reconnected++;
			await this.subscribe().then(() => this.read()).catch(() => {});
			this.line.socket.destroy();
		}
	}

	/* What comes before the RECEIPT stays in the line's list. From a place that nobody knows all is told. */
	async subscribe() {
		this.line.send('SUBSCRIBE', { id: 'x', destination: this.destination, receipt: 's', 'last-message-id': this.last ?? 'none' });
		const receipt = await this.line.receipt('s', 200000);
		if (this.last && receipt.get('recovered') !== 'true') {
			this.unrecovered++;
			console.log(`reader of ${this.destination}, which was at ${this.last}, may have missed something, says gateway ${this.line.at}`);
		}
		this.last ??= receipt.get('last-message-id');
	}

	async read() {
		for (;;) {
			const frame = await this.line.next('MESSAGE', 1e8);

			this.last = frame.get('message-id');
			this.got.push(frame.text);
			this.ids.push(`${this.last} of gateway ${this.line.at}`);
			if (frame.get('gap'))
				this.gaps++;
		}
	}

	stop() {
		this.stopped = true;
		this.line?.socket.destroy();
	}
}

/* --- what befalls them ----------------------------------------------------------------------------------------- */

const done = { 'server killed': 0, 'server stopped': 0, 'gateway killed': 0, 'gateway cut': 0, 'clients cut': 0 };

const deeds = {
	async 'server killed'() {
		const server = pick(cluster.servers);

		await server.kill();
		await sleep(300);
		await server.start();
	},
	/* It stands still for a while, and nobody is told. */
	async 'server stopped'() {
		const server = pick(cluster.servers);

		server.pause();
		await sleep(700);
		server.resume();
	},
	async 'gateway killed'() {
		const place = pick(places);

		await place.kill();
		await sleep(100);
		await place.begin();
	},
	async 'gateway cut'() {
		pick(places).cut();
	},
	async 'clients cut'() {
		for (const one of [...senders, ...readers])
			if (below(2) === 0)
				one.line?.socket.destroy();
	},
};

async function befall() {
	for (let i = 0; !enough(); i++) {
		const name = Object.keys(deeds)[i % Object.keys(deeds).length];

		await sleep(BETWEEN_DEEDS_MS);
		await deeds[name]();
		done[name]++;
		/* Two of three servers have to be there before the next one is killed, or nothing is acknowledged */
		await until(async () => (await cluster.leader().catch(() => null)) !== null, 'the cluster has a leader', 60000);
	}
}

/* --- the account ------------------------------------------------------------------------------------------------- */

let passed = 0, failed = 0;

function verdict(good, sentence) {
	good ? passed++ : failed++;
	console.log(`${good ? 'ok      ' : 'FAILED  '}${sentence}`);
}

const numbersOf = (got, sender) => got.filter((t) => t.startsWith(`${sender.number} `)).map((t) => Number(t.split(' ')[1]));

function tellTwice(reader, i) {
	const first = new Map();

	for (const [at, text] of reader.got.entries()) {
		if (first.has(text))
			console.log(`reader ${i} has had "${text}" twice: ${reader.ids[first.get(text)]}, and ${reader.ids[at]}`);
		first.set(text, at);
	}
}

function account(reader, i) {
	tellTwice(reader, i);
	const mine = senders.filter((s) => topicOf(s.number) === reader.destination);
	let missing = 0, twice = 0, disordered = 0, all = 0;

	for (const sender of mine) {
		const numbers = numbersOf(reader.got, sender), seen = new Set(numbers);

		all += sender.acknowledged.size;
		for (const n of sender.acknowledged) {
			if (!seen.has(n) && missing++ < 3)
				console.log(`reader ${i} has not had "${sender.number} ${n}"`);
		}
		twice += numbers.length - seen.size;
		disordered += numbers.filter((n) => sender.acknowledged.has(n)).filter((n, j, kept) => j > 0 && n < kept[j - 1]).length;
	}
	verdict(missing + twice + disordered === 0 && reader.unrecovered + reader.gaps === 0,
		`reader ${i}: ${reader.got.length} came of ${all} acknowledged: ${missing} missing, ${twice} twice, ${disordered} out of order; ` +
		`came back ${reader.reconnected} times, ${reader.unrecovered} without all, ${reader.gaps} gaps`);
}

const senders = Array.from({ length: SENDERS }, (_, i) => (i % 8 < 4 ? new StompSender(i) : new ApiSender(i)));
const readers = Array.from({ length: READERS }, (_, i) => new Reader(i));
const begun = performance.now();
const reading = readers.map((r) => r.run());

await until(() => readers.every((r) => r.last !== undefined), 'all read', 30000);
await Promise.all([...senders.map((s) => s.run()), befall()]);
const took = (performance.now() - begun) / 1000;

/* All have what all others have */
const last = (r) => senders.filter((s) => topicOf(s.number) === r.destination).every((s) => new Set(numbersOf(r.got, s)).size >= s.acknowledged.size);
await until(() => readers.every(last), 'everything has come', 120000).catch(() => {});
const behind = (performance.now() - begun) / 1000 - took;
await sleep(500);
readers.forEach((r) => r.stop());
await Promise.all(reading);

const befell = Object.entries(done).map(([name, n]) => `${n} times ${name}`).join(', ');
console.log(`${acknowledged} acknowledged of ${SENDERS} senders in ${took.toFixed(1)} s, and the last reader had all ${behind.toFixed(1)} s later; ${senders.reduce((n, s) => n + s.reconnected, 0)} attempts failed; ${befell}`);
readers.forEach(account);
for (let t = 0; t < Math.min(TOPICS, READERS); t++) {
	const same = readers.filter((r) => r.destination === `/topic/kept/${t}`);
	verdict(same.every((r) => r.got.join() === same[0].got.join()), `topic ${t}: one order for all its ${same.length} readers`);
}
for (const place of places)
	verdict(await place.stop(), `gateway ${place.number} stops in order, after ${place.incarnations - 1} kills`);
await cluster.stop();
await cluster.remove();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
