#!/usr/bin/env node
/*
 * bench/hops.mjs - what it costs that a request of SockJS comes to a gateway that has not its session, and is passed on: the same
 * echoes with all requests where the session is, and with all of them at the other gateway. Needs nats-server.
 *
 *   hops.mjs [--server PATH] [--rounds N] [--sessions N] [--seconds S] [--only TRANSPORT]
 *
 * Two gateways, one thread each. All requests of all sessions go to the first; half of the sessions are there, the others at the second one, which
 * the counter sockjs_peers_passed_on_total tells when they are opened. The halves take turns, one message under way for each session; a message is one
 * request to send, and the echo by the stream or a poll. What it costs is the processor time of both gateways. And one session alone says what
 * is added to the time that an echo takes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { patient, withDeadline } from '../tests/e2e/harness.mjs';
import { Nats } from '../tests/relay/brokers.mjs';
import { Gateway, TOKEN, until } from '../tests/reload/gateway.mjs';
import { median } from './report.mjs';
import { cpuOf } from './subscribers.mjs';

const { values: options } = parseArgs({ options: {
	server: { type: 'string', default: './sockjsd' },
	rounds: { type: 'string', default: '5' },
	sessions: { type: 'string', default: '100' },
	seconds: { type: 'string', default: '3' },
	only: { type: 'string', default: 'xhr_streaming,xhr' },
} });
const [rounds, count, seconds] = ['rounds', 'sessions', 'seconds'].map((n) => Number(options[n]));
const folder = mkdtempSync(join(tmpdir(), 'bench-hops-'));
let names = 0;

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* --- a session ------------------------------------------------------------------------------------------- */

/* A connection that is kept, one request at a time; what comes is text that grows until somebody has found what he waits for. */
class Link {
	text = '';
	wanted = null;

	constructor(port) {
		this.socket = connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1');
		this.socket.on('data', (piece) => {
			this.text += piece;
			this.#look();
			this.onPiece?.();
		}).on('error', () => {}).on('close', () => this.wanted?.reject(new Error(`closed before ${this.wanted.what}: ${this.text.slice(-300)}`)));
	}

	post(path, body) {
		this.socket.write(`POST ${path} HTTP/1.1\r\nHost: bench\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
	}

	#look() {
		if (!this.wanted)
			return;
		const at = this.text.indexOf(this.wanted.what);

		if (at >= 0) {
			const { what, resolve } = this.wanted;

			this.text = this.text.slice(at + what.length);
			this.wanted = null;
			resolve();
		}
	}

	/* Everything up to it is gone then. */
	until(what) {
		if (this.socket.destroyed)
			return Promise.reject(new Error(`closed before ${what}`));
		return new Promise((resolve, reject) => {
			this.wanted = { what, resolve, reject };
			this.#look();
		});
	}

	end() {
		this.wanted = null;
		this.socket.destroy();
	}
}

const PLAIN_END = '0\r\n\r\n'; /* of a response in chunks */

class Session {
	number = 0;

	constructor(port, transport) {
		this.transport = transport;
		this.path = `/echo/0/h${process.pid}x${names++}`;
		this.down = new Link(port);
		this.up = new Link(port);
	}

	receive() {
		this.down.post(`${this.path}/${this.transport}`, '');
	}

	async open() {
		this.receive();
		await withDeadline(this.down.until('o\n'), patient(10000), 'a session opens');
		if (this.transport === 'xhr')
			this.receive();
		else
			this.down.onPiece = () => this.#goOn();
		return this;
	}

	/* A stream ends after so many octets, with an echo or behind it, and is asked for again. */
	#goOn() {
		if (this.down.text.includes(PLAIN_END)) {
			this.down.text = '';
			this.receive();
		}
	}

	async echo() {
		const text = `${this.number++} `.padEnd(64, 'x'), begun = performance.now();

		this.up.post(`${this.path}/xhr_send`, `["${text}"]`);
		const sent = this.up.until(' 204 ').then(() => this.up.until('\r\n\r\n'));
		await this.down.until(`a["${text}"]\n`);
		const took = performance.now() - begun;
		await sent;
		if (this.transport === 'xhr') {
			this.down.text = '';
			this.receive();
		}
		return took;
	}

	end() {
		this.down.end();
		this.up.end();
	}
}

/* --- gateways --------------------------------------------------------------------------------------------- */

async function startGateway(nats) {
	return new Gateway(options.server, folder, `g${names++}`).start({
		listen: ['127.0.0.1:0'], threads: 1, log_level: 'warn', internal: { listen: '127.0.0.1:0', token: TOKEN },
		limits: { idle_timeout_ms: 600000 }, /* a half waits while the other has its turn */
		engine: { kind: 'nats', servers: nats.url }, endpoints: [{ prefix: '/echo', application: 'echo' }],
	});
}

const passedOn = (gateway) => gateway.metric('sockjs_peers_passed_on_total');

/* So many that are at the first gateway, and at the second. */
async function openHalves(gateway, transport) {
	const here = [], there = [];

	while (here.length < count || there.length < count) {
		const before = await passedOn(gateway), session = await new Session(gateway.port, transport).open();
		const half = await passedOn(gateway) > before ? there : here;

		if (half.length < count)
			half.push(session);
		else
			session.end();
	}
	return { here, there };
}

/* --- what is measured --------------------------------------------------------------------------------------- */

async function load(sessions, ms, gateways) {
	const used = () => gateways.map((g) => cpuOf(g.child.pid)), times = [];
	const work = async (session, end) => {
		while (performance.now() < end)
			times.push(await session.echo());
	};

	await Promise.all(sessions.map((s) => work(s, performance.now() + ms / 5)));
	times.length = 0;
	const before = used();
	await Promise.all(sessions.map((s) => work(s, performance.now() + ms)));
	const after = used();

	return { cost: after.map((a, i) => (a - before[i]) / times.length * 1e6), latency: median(times), rate: times.length / ms * 1000 };
}

const sum = (a) => a.reduce((x, y) => x + y);

async function measure(transport, gateways) {
	const halves = await openHalves(gateways[0], transport);
	const found = { here: [], there: [], hereAlone: [], thereAlone: [] };

	for (let i = 0; i < rounds; i++)
		for (const half of i % 2 ? ['there', 'here'] : ['here', 'there']) {
			found[half].push(await load(halves[half], seconds * 1000, gateways));
			found[`${half}Alone`].push(await load(halves[half].slice(0, 1), seconds * 300, gateways));
		}
	Object.values(halves).flat().forEach((s) => s.end());
	return found;
}

const nats = await new Nats({}).start();
const gateways = [await startGateway(nats), await startGateway(nats)];

try {
	for (const g of gateways)
		await until(async () => await g.metric('sockjs_peers_gateways') === 2 && await g.metric('sockjs_peers_settled') === 1, 'the gateways know each other');
	console.log(`${count} sessions, one message of 64 octets under way for each, ${rounds} rounds; medians`);
	console.log('| | us an echo where its session is | passed on: the gateway that is asked + that of the session | ratio | echoes a second | one session alone, median ms: there, passed on | added |');
	console.log('|---|---:|---:|---:|---:|---:|---:|');
	for (const transport of options.only.split(',')) {
		const { here, there, hereAlone, thereAlone } = await measure(transport, gateways);
		const cost = (all, k) => median(all.map((f) => f.cost[k])).toFixed(1);
		const ratios = there.map((f, i) => sum(f.cost) / sum(here[i].cost));
		const [a, b] = [hereAlone, thereAlone].map((all) => median(all.map((f) => f.latency)));

		console.log(`| ${transport} | ${median(here.map((f) => sum(f.cost))).toFixed(1)} | ${cost(there, 0)} + ${cost(there, 1)} | ${median(ratios).toFixed(2)} | ` +
			`${[here, there].map((all) => median(all.map((f) => f.rate)).toFixed(0)).join(', ')} | ${a.toFixed(3)}, ${b.toFixed(3)} | ` +
			`${median(thereAlone.map((f, i) => f.latency - hereAlone[i].latency)).toFixed(3)} |`);
	}
} finally {
	for (const g of gateways)
		await g.stop();
	await nats.remove();
}
process.exit(0);
