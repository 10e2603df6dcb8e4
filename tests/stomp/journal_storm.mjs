/*
 * tests/stomp/journal_storm.mjs - a broker with a journal, killed at any moment and started again: all
 * that was accepted comes, twice only with the mark, in its order; who has missed something of a topic
 * gets that, and nothing else.
 *
 *	node tests/stomp/journal_storm.mjs --server sockjsd [--rounds 20] [--sync interval] [--seed 1]
 *
 * In each round the server has another number of threads by chance. Producers ask for receipts; there is
 * one consumer for each queue, so that it sees their order, and it forgets to acknowledge now and then.
 * Two subscribers of each topic, by TCP and by WebSocket, come back with last-message-id after each
 * crash; in the end both have got the same. At last the end of the newest segment is cut off at some
 * places, as a crash of the machine may do.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { byTcp, byWebSocket, Client, drain, PATIENCE_MS, sleep, start, stop, until } from './journal_tools.mjs';

const options = { server: './sockjsd', rounds: '20', sync: 'interval', seed: '1', cuts: '6' };
for (let i = 2; i < process.argv.length; i += 2)
	options[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];

const QUEUES = 3, TOPICS = 2, WINDOW = 32;
const directory = mkdtempSync(join(tmpdir(), 'journal-storm-'));
const journal = join(directory, 'journal');

let state = BigInt(options.seed);
function dice(n) {
	state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
	return Number((state >> 33n) % BigInt(n));
}

const wrong = [];
const blame = (text) => wrong.length < 50 && wrong.push(text);

const config = { journal, journal_sync: options.sync, journal_interval_ms: 50, prefetch: 20 };

async function begin(threads, more = {}) {
	const at = await start(`exec ${options.server}`, directory, threads, { ...config, ...more });
	if (!at.tcp)
		throw new Error(`the server does not start: ${at.said}`);
	at.server.stderr.on('data', (data) => blame(`the server says ${data}`));
	return at;
}

const ERROR = (headers, body) => blame(`an ERROR: ${headers.message}: ${body}`);

/* --- queues --------------------------------------------------------------------------------------- */

const sent = Array(QUEUES).fill(0), accepted = new Set(), deliveries = new Map(), acknowledged = new Set();
let again = 0;

function produce(at, queue) {
	const under = new Set();
	const more = (c) => {
		while (under.size < WINDOW && !at.quiet) {
			const name = `${queue}.${sent[queue]++}`;
			under.add(name);
			c.send('SEND', { destination: `/queue/storm${queue}`, receipt: name, n: name }, name);
		}
	};
	return new Client(at, queue % 2 ? byTcp : byWebSocket, {
		ERROR,
		CONNECTED: (headers, body, c) => more(c),
		RECEIPT: (headers, body, c) => {
			accepted.add(headers['receipt-id']);
			under.delete(headers['receipt-id']);
			more(c);
		},
	});
}

function consume(at, queue, forgets) {
	let last = -1;
	return new Client(at, queue % 2 ? byWebSocket : byTcp, {
		ERROR,
		CONNECTED: (headers, body, c) => c.send('SUBSCRIBE', { id: 'q', destination: `/queue/storm${queue}`, ack: 'client-individual' }),
		MESSAGE: (headers, body, c) => {
			const number = Number(body.split('.')[1]), before = deliveries.get(body) ?? 0;
			if (headers.n !== body)
				blame(`${body} has lost its header`);
			if (number <= last)
				blame(`${body} comes after ${last}`);
			last = number;
			if (headers.redelivered === 'true')
				again++;
			else if (before > 0)
				blame(`${body} came twice without the mark`);
			deliveries.set(body, before + 1);
			if (forgets && dice(40) === 0)
				return; /* in this life */
			c.send('ACK', { id: headers.ack });
			acknowledged.add(body);
		},
	});
}

/* --- topics ----------------------------------------------------------------------------------------- */

const published = Array(TOPICS).fill(0);
const subscribers = [];
for (let topic = 0; topic < TOPICS; topic++)
	for (const carrier of [byTcp, byWebSocket])
		subscribers.push({ topic, carrier, got: [], last: null });
let recovered = 0, code;

function publish(at, topic) {
	const client = new Client(at, byTcp, {
		ERROR,
		CONNECTED: (headers, body, c) => {
			const more = () => {
				if (at.quiet)
					return;
				for (let i = 0; i < 5; i++)
					c.send('SEND', { destination: `/topic/storm${topic}` }, String(published[topic]++));
				setTimeout(more, 2);
			};
			more();
		},
	});
	return client;
}

function listen(at, s) {
	return new Promise((ready) => {
		s.client = new Client(at, s.carrier, {
			ERROR,
		CONNECTED: (headers, body, c) => {
				const since = s.last ? { 'last-message-id': s.last } : {};
				c.send('SUBSCRIBE', { id: 't', destination: `/topic/storm${s.topic}`, receipt: 'r', ...since });
			},
			RECEIPT: (headers) => {
				if (s.last && headers.recovered !== 'true')
					blame(`a subscriber of topic ${s.topic} is told recovered:${headers.recovered} for ${s.last}`);
				recovered += headers.recovered === 'true';
				ready();
			},
			MESSAGE: (headers, body) => {
				s.got.push(Number(body));
				s.last = headers['message-id'];
			},
		});
	});
}

/* --- the storm --------------------------------------------------------------------------------------- */

async function round(life, end) {
	const at = await begin([1, 2, 4][dice(3)]);
	await Promise.race([Promise.all(subscribers.map((s) => listen(at, s))), at.ended, sleep(PATIENCE_MS)]);
	const clients = [];
	for (let q = 0; q < QUEUES; q++)
		clients.push(produce(at, q), consume(at, q, life > 0));
	for (let t = 0; t < TOPICS; t++)
		clients.push(publish(at, t));
	await end(at, life);
	for (const c of clients)
		c.cut();
	for (const s of subscribers)
		s.client.cut();
}

async function kill(at, life) {
	await sleep(life);
	await stop(at, 'SIGKILL');
}

const missing = () => [...accepted].filter((m) => !deliveries.has(m));
const isSame = (t) => {
	const [a, b] = subscribers.filter((s) => s.topic === t).map((s) => s.got);
	return a.length === b.length && a.every((n, i) => n === b[i]);
};

/* Nobody sends any more; all that is left comes, and the stop is in good order. */
async function finish(at) {
	at.quiet = true;
	await until(() => missing().length === 0);
	await sleep(300);
	for (let t = 0; t < TOPICS; t++)
		await until(() => isSame(t));
	code = await stop(at, 'SIGTERM');
}

/* --- a torn end ------------------------------------------------------------------------------------------ */

async function fill(at, queue, count) {
	let receipts = 0;
	const client = new Client(at, byTcp, {
		ERROR,
		CONNECTED: (headers, body, c) => {
			for (let i = 0; i < count; i++)
				c.send('SEND', { destination: queue, receipt: i }, String(i));
		},
		RECEIPT: () => receipts++,
	});
	await until(() => receipts === count);
	client.cut();
}

async function cutTheEnd() {
	const whole = join(directory, 'whole'), cut = join(directory, 'cut'), lengths = [];
	let at = await begin(1, { journal: whole });
	await fill(at, '/queue/torn', 300);
	await stop(at, 'SIGKILL');
	const segment = readdirSync(join(whole, '0')).filter((name) => name.endsWith('.segment')).sort().pop();
	const size = statSync(join(whole, '0', segment)).size;
	for (let i = 0; i < Number(options.cuts); i++) {
		rmSync(cut, { recursive: true, force: true });
		cpSync(whole, cut, { recursive: true });
		/* In front of its marks, an end that is missing is damage, and not a crash's */
		truncateSync(join(cut, '0', segment), size - 1 - dice(Math.floor(size / 3)));
		at = await begin(1, { journal: cut });
		const got = (await drain(at, '/queue/torn')).map((m) => Number(m.body));
		if (!got.every((n, k) => n === k))
			blame(`after a cut, the queue has ${got.slice(0, 5)}...`);
		lengths.push(got.length);
		await stop(at, 'SIGKILL');
	}
	return lengths;
}

/* --- all of it --------------------------------------------------------------------------------------------- */

const began = Date.now();
let cuts = [], rest = ['nobody has looked'];
try {
	for (let i = 0; i < Number(options.rounds); i++)
		await round(20 + dice(250), kill);
	await round(0, finish);
	const at = await begin(2);
	rest = (await Promise.all(Array.from({ length: QUEUES }, (_, q) => drain(at, `/queue/storm${q}`)))).flat().map((m) => m.body);
	await stop(at, 'SIGKILL');
	cuts = options.sync === 'never' ? await cutTheEnd() : [];
} catch (e) {
	blame(String(e));
}
const late = subscribers.flatMap((s) => s.got.map((n, i) => [s.got[i - 1] ?? -1, n]).filter(([a, b]) => b <= a));
const checks = [
	['all that was accepted came', missing().length === 0],
	['nothing else happened', wrong.length === 0],
	['subscribers came back to what they had missed', recovered > 0],
	['no message of a topic came twice, or too late', late.length === 0],
	['all subscribers of a topic got the same', Array.from({ length: TOPICS }, (_, t) => isSame(t)).every((same) => same)],
	['what was acknowledged before a stop in good order is gone', rest.length === 0],
	['the server ends in order', code === 0],
];
for (const [name, good] of checks)
	if (!good)
		console.log(`FAILED journal: ${name}`, name.startsWith('nothing') ? wrong.slice(0, 5) : missing().slice(0, 5), late.slice(0, 5), rest.slice(0, 5), code);
console.log(`${options.sync}: ${options.rounds} kills, ${accepted.size} accepted, ${deliveries.size} delivered, ${again} again, ` +
	`${subscribers.map((s) => s.got.length)} of topics, ${recovered} recovered, ${cuts.length} cuts (${cuts}), ${Date.now() - began} ms, seed ${options.seed}`);
console.log(`${checks.filter((c) => c[1]).length} passed, ${checks.filter((c) => !c[1]).length} failed`);
if (checks.every((c) => c[1]))
	rmSync(directory, { recursive: true });
else
	console.log(`its files are in ${directory}`);
process.exit(checks.every((c) => c[1]) ? 0 : 1);
