#!/usr/bin/env node
/*
 * bench/chat.mjs - a chat at several gateways while one comes and one is killed: what those get who stay, and what it takes. Needs
 * nats-server.
 *
 *   chat.mjs [--server PATH] [--clients N] [--room N] [--gateways N] [--every S] [--seconds S] [--threads N] [--rounds N]
 *
 * Clients speak STOMP over WebSocket. Those of a room are at all gateways, and each sends there every so many seconds, in turn, so that a
 * room hears something all the time. It goes on like that for a while (`calm`); another gateway is started, and an equal share of the clients leaves in
 * order and goes there (`added`); then one of the first is killed by SIGKILL, and its clients come back elsewhere, each after a
 * second at most (`killed`). In the end the account: of each connection everything that was sent to its room since
 * it had subscribed, by whom, in which order, how often. Only what was on its way through the gateway that was killed may be missing, which
 * is what was sent there in the last second before; that is counted by itself. Fails if anything else is wrong.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Nats } from '../tests/relay/brokers.mjs';
import { ready } from '../tests/relay/clients.mjs';
import { Gateway, sleep, TOKEN, until } from '../tests/reload/gateway.mjs';
import { Browser, gather } from './crowd.mjs';
import { median } from './report.mjs';
import { cpuOf } from './subscribers.mjs';

const { values: options } = parseArgs({ options: {
	server: { type: 'string', default: './sockjsd' },
	clients: { type: 'string', default: '5000' },
	room: { type: 'string', default: '50' },
	gateways: { type: 'string', default: '3' },
	every: { type: 'string', default: '10' },
	seconds: { type: 'string', default: '15' },
	threads: { type: 'string', default: '1' },
	rounds: { type: 'string', default: '1' },
} });
const [count, room, first, every, seconds, threads, rounds] =
	['clients', 'room', 'gateways', 'every', 'seconds', 'threads', 'rounds'].map((n) => Number(options[n]));
const rooms = Math.max(1, Math.floor(count / room));
const PHASES = ['warm', 'calm', 'added', 'killed', 'end'];
const UNSURE_MS = 1000; /* what was sent so long before a connection ended, or a gateway, has come */
const now = () => performance.now();
const folder = mkdtempSync(join(tmpdir(), 'bench-chat-'));
let names = 0;

process.setMaxListeners(100);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

async function startGateway(nats) {
	const gateway = await new Gateway(options.server, folder, `g${names++}`).start({
		listen: ['127.0.0.1:0'], threads, log_level: 'warn', internal: { listen: '127.0.0.1:0', token: TOKEN, ready_needs_backends: true },
		engine: { kind: 'nats', servers: nats.url },
		endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open' } }],
	});

	await ready(gateway, 'the engine is there');
	gateway.killedAt = Infinity;
	return gateway;
}

/* --- one who chats --------------------------------------------------------------------------------------- */

/* What has come from one connection of a publisher: numbers, of which each is one more than the last, or this is noted. */
class Heard {
	missing = [];
	again = 0; /* twice, or later than a later one */

	constructor(number) {
		this.first = this.last = number;
	}

	take(number) {
		if (number <= this.last) {
			this.again++;
			return;
		}
		for (let n = this.last + 1; n < number; n++)
			this.missing.push(n);
		this.last = number;
	}
}

class Member {
	sent = [];     /* of each of its connections: { gateway, times } */
	visits = [];   /* of each of its connections: { since, until, cut, heard } */
	silence = PHASES.map(() => 0);
	browser = null; /* while it is in its room */

	constructor(chat, index) {
		Object.assign(this, { chat, index, room: index % rooms });
	}

	async enter(gateway) {
		const b = new Browser(gateway.port, '/stomp/websocket'), visit = { since: Infinity, until: Infinity, cut: false, heard: new Map() };

		b.onMessage = (data, begin, end) => this.hear(visit, data, begin, end);
		await b.connect();
		await b.subscribe('room', `/topic/chat/room${this.room}`);
		visit.since = this.heardAt = now();
		this.visits.push(visit);
		this.sent.push({ gateway, times: [] });
		this.browser = b;
		this.gateway = gateway;
		b.onClosed = () => this.cut(b, visit);
		if (b.closed)
			this.cut(b, visit);
	}

	hear(visit, data, begin, end) {
		const at = now(), [who, which, number, when] = data.latin1Slice(data.indexOf('\n\n', begin) + 2, end).split(' ', 4).map(Number);
		const key = who * 64 + which, heard = visit.heard.get(key), phase = this.chat.phase;

		if (heard)
			heard.take(number);
		else
			visit.heard.set(key, new Heard(number));
		this.chat.delays[phase].push(at - when);
		this.silence[phase] = Math.max(this.silence[phase], at - this.heardAt);
		this.heardAt = at;
		visit.firstAt ??= at;
	}

	say() {
		const { times } = this.sent.at(-1), at = now();

		this.browser.send(`/topic/chat/room${this.room}`, `${this.index} ${this.sent.length - 1} ${times.length} ${at.toFixed(2)} `.padEnd(64, 'x'));
		times.push(at);
	}

	async move(gateway) {
		const b = this.browser, visit = this.visits.at(-1);

		this.browser = null;
		visit.until = now();
		await b.leave();
		await this.enter(gateway);
	}

	cut(b, visit) {
		if (b.left || this.browser !== b)
			return;
		this.browser = null;
		visit.until = now();
		visit.cut = true;
		if (this.gateway.killedAt === Infinity)
			this.chat.torn.push(b.why);
		else
			this.chat.backs.push(this.back());
	}

	async back() {
		await sleep(Math.random() * 1000);
		await this.enter(this.chat.living());
	}
}

/* --- what must have come ------------------------------------------------------------------------------------ */

/* Of one connection that hears, and one that has sent to its room. */
function check(account, visit, { gateway, times }, heard) {
	const end = visit.until - UNSURE_MS; /* what came just before it left is nobody's affair */
	const missing = [...heard?.missing ?? []];

	for (let n = 0; n < times.length; n++) {
		if (times[n] <= visit.since || times[n] >= end)
			continue;
		account.due++;
		if (!heard || n < heard.first || n > heard.last)
			missing.push(n);
	}
	account.again += heard?.again ?? 0;
	for (const n of missing)
		account[times[n] < gateway.killedAt - UNSURE_MS ? 'missing' : 'unsure']++;
}

function accountOf(members) {
	const account = { due: 0, missing: 0, unsure: 0, again: 0 };
	const mates = Array.from({ length: rooms }, (_, r) => members.filter((m) => m.room === r));

	for (const m of members)
		for (const visit of m.visits)
			for (const other of mates[m.room])
				other.sent.forEach((sent, which) => check(account, visit, sent, visit.heard.get(other.index * 64 + which)));
	return account;
}

/* --- the chat ------------------------------------------------------------------------------------------------ */

class Chat {
	phase = 0;
	delays = PHASES.map(() => []);
	used = [];   /* at the beginning of each phase: when, and seconds of processor of each */
	backs = [];
	torn = [];   /* connections that ended for no reason of ours */
	turn = 0;

	constructor(nats, gateways) {
		Object.assign(this, { nats, gateways, members: Array.from({ length: count }, (_, i) => new Member(this, i)) });
	}

	living() {
		const all = this.gateways.filter((g) => g.killedAt === Infinity);

		return all[this.turn++ % all.length];
	}

	begin(phase) {
		this.phase = PHASES.indexOf(phase);
		this.used[this.phase] = { at: now(), nats: this.nats.cpu(), gateways: this.gateways.map((g) => (g.killedAt < Infinity ? g.last : cpuOf(g.child.pid))),
			memory: this.gateways.map((g) => (g.killedAt < Infinity ? 0 : g.memory)), natsMemory: this.nats.memory() };
	}

	/* Everybody in turn, each when it is due, for so long as it is wanted. */
	async talk() {
		const begun = now(), step = every * 1000 / count;

		for (let i = 0; !this.isOver; i++) {
			const late = begun + i * step - now();

			if (late > 1)
				await sleep(late);
			const m = this.members[i % count];
			if (m.browser)
				m.say();
		}
	}

	async add() {
		const gateway = await startGateway(this.nats), share = first + 1;

		this.gateways.push(gateway);
		const movers = this.members.filter((_m, i) => Math.floor(i / rooms / first) % share === 0);
		await gather(movers.length, 8, async (i) => {
			await sleep(seconds * 1000 / 3 * 8 / movers.length);
			await movers[i].move(gateway);
		});
		return movers.length;
	}

	async kill() {
		const [gateway] = this.gateways, hit = this.members.filter((m) => m.gateway === gateway);

		gateway.last = cpuOf(gateway.child.pid);
		gateway.killedAt = now();
		gateway.child.removeAllListeners('exit');
		gateway.child.kill('SIGKILL');
		await until(() => hit.every((m) => m.gateway !== gateway && m.browser), 'all of them are back', 60000);
		await Promise.all(this.backs);
		return hit;
	}

	/* Nothing has come for a second. */
	async drain() {
		const heard = () => this.delays.reduce((n, d) => n + d.length, 0);

		for (let before = -1; before !== heard();) {
			before = heard();
			await sleep(1000);
		}
	}
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

function figures(chat, phase, stayed) {
	const k = PHASES.indexOf(phase), [a, b] = [chat.used[k], chat.used[k + 1]], delays = Float64Array.from(chat.delays[k]).sort();
	const s = (b.at - a.at) / 1000, gateways = b.gateways.reduce((n, g, i) => n + g - (a.gateways[i] ?? 0), 0);

	return { seconds: s, rate: delays.length / s, p50: quantile(delays, 0.5), p99: quantile(delays, 0.99), longest: delays.at(-1),
		silence: Math.max(...stayed.map((m) => m.silence[k])), gateways: gateways / s, nats: (b.nats - a.nats) / s,
		each: gateways / delays.length * 1e6, natsEach: (b.nats - a.nats) / delays.length * 1e6,
		memory: Math.max(...b.memory) / 2 ** 20, natsMemory: b.natsMemory / 2 ** 20 };
}

async function run(nats, gateways) {
	const chat = new Chat(nats, gateways), { members } = chat;

	await gather(count, 64, (i) => members[i].enter(gateways[Math.floor(i / rooms) % first]));
	const talking = chat.talk();
	await sleep(every * 500);
	chat.begin('calm');
	await sleep(seconds * 1000);
	chat.begin('added');
	const begun = now(), moved = await chat.add(), addedIn = now() - begun;
	await sleep(Math.max(2000, seconds * 1000 - addedIn));
	chat.begin('killed');
	const hit = await chat.kill(), { killedAt } = gateways[0];
	await sleep(seconds * 1000);
	chat.begin('end');
	chat.isOver = true;
	await talking;
	await chat.drain();
	const stayed = members.filter((m) => m.visits.length === 1), returns = hit.map((m) => m.visits.at(-1).since - killedAt).sort((a, b) => a - b);
	const found = { moved, hit: hit.length, stayed: stayed.length, back: [quantile(returns, 0.5), returns.at(-1)], torn: chat.torn, ...accountOf(members),
		heard: chat.delays.reduce((n, d) => n + d.length, 0), phases: PHASES.slice(1, 4).map((p) => figures(chat, p, stayed)) };

	members.forEach((m) => m.browser.cut());
	return found;
}

async function once() {
	const nats = await new Nats({}).start(), gateways = [];

	try {
		for (let i = 0; i < first; i++)
			gateways.push(await startGateway(nats));
		return await run(nats, gateways);
	} finally {
		for (const g of gateways)
			if (g.killedAt === Infinity)
				await g.stop();
		await nats.remove();
	}
}

const found = [];

for (let i = 0; i < rounds; i++) {
	found.push(await once());
	console.error(JSON.stringify(found.at(-1)));
}
const m = (pick) => median(found.map(pick)), sum = (pick) => found.reduce((n, f) => n + pick(f), 0);

console.log(`${count} clients in ${rooms} rooms, each says 64 octets every ${every} s; ${first} gateways, ${threads} threads each, one is added, to which ${m((f) => f.moved)} clients go,`);
console.log(`and one killed, from which ${m((f) => f.hit)} come back elsewhere: half of them in ${m((f) => f.back[0]).toFixed(0)} ms, all in ${m((f) => f.back[1]).toFixed(0)} ms, up to 1000 of which they wait; ${rounds} rounds`);
console.log('| | deliveries a second | from client to client, ms: median, 99 %, longest | longest silence of one who stayed, s | processors: gateways + NATS | us a delivery | MiB: largest gateway, NATS |');
console.log('|---|---:|---|---:|---:|---:|---:|');
for (const [k, phase] of ['nothing happens', 'a gateway is added', 'a gateway is killed'].entries()) {
	const p = (name, digits) => m((f) => f.phases[k][name]).toFixed(digits);

	console.log(`| ${phase} | ${p('rate', 0)} | ${p('p50', 1)}, ${p('p99', 1)}, ${p('longest', 0)} | ${(m((f) => f.phases[k].silence) / 1000).toFixed(2)} | ` +
		`${p('gateways', 2)} + ${p('nats', 2)} | ${p('each', 2)} + ${p('natsEach', 2)} | ${p('memory', 1)}, ${p('natsMemory', 1)} |`);
}
console.log(`of ${sum((f) => f.due)} deliveries that were due (${sum((f) => f.heard)} came): ${sum((f) => f.missing)} missing, ${sum((f) => f.again)} twice or out of order, ` +
	`${sum((f) => f.unsure)} lost with the gateway that was killed; connections that ended otherwise: ${sum((f) => f.torn.length)}`);
process.exit(sum((f) => f.missing + f.again + f.torn.length) ? 1 : 0);
