/*
 * tests/stomp/queue_storm.mjs - many messages through queues to consumers that die: none is lost, and
 * what comes twice has the mark.
 *
 *	node tests/stomp/queue_storm.mjs --server sockjsd [--messages 3000] [--threads 4] [--seed 1] [--journal SYNC]
 *
 * Producers ask for a receipt of each message and begin again after an error. Consumers come by
 * WebSocket, by SockJS and by TCP, acknowledge each message for itself, and leave after a while: in due
 * form, or in the midst of it. At the end, when nobody forgets any more, each message with a receipt was
 * acknowledged or is a dead letter, and the queues are empty.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { patient } from '../e2e/harness.mjs';
import { byWebSocket, CARRIERS, Client, diceOf, readOptions, start } from './storm.mjs';

const options = readOptions({ server: './sockjsd', messages: '3000', threads: '4', seed: '1', journal: '' });
const MESSAGES = Number(options.messages), QUEUES = 3, CONSUMERS = 12, WINDOW = 64;
const LIMIT_MS = 20000 + MESSAGES * 5;
const dice = diceOf(options.seed);

/* --- the storm --------------------------------------------------------------------------------- */

const accepted = new Set(), done = new Map(), acknowledged = new Set(), dead = new Set(), wrong = [];
let seen = 0, redelivered = 0, deaths = 0, isCareful = false;

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
				if (luck > 2 || isCareful) {
					c.send('ACK', { id: headers.ack });
					acknowledged.add(body);
				} else if (luck === 0) /* or it forgets it, until it leaves */
					c.send('NACK', { id: headers.ack });
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

const missing = () => [...accepted].filter((m) => !acknowledged.has(m) && !dead.has(m));

const journal = mkdtempSync(join(tmpdir(), 'queue-storm-'));
const kept = options.journal ? { journal: join(journal, 'journal'), journal_sync: options.journal } : {};
const { at, figure, stop } = await start(options.server, options.threads, { access: 'open', max_deliveries: 50, ...kept });
const began = Date.now();
let finished = false;
const over = () => finished;

await listenToTheDead(at);
for (let i = 0; i < CONSUMERS; i++)
	consume(at, over);
const share = Math.ceil(MESSAGES / 4);
await Promise.all([0, 1, 2, 3].map((i) => produce(at, i * share, Math.min(MESSAGES, (i + 1) * share))));
isCareful = true;
for (const c of consumers)
	c.wire.cut();
let left;
while ((missing().length > 0 || (left = await figure('sockjs_stomp_queued_messages')) > 0) && Date.now() - began < patient(LIMIT_MS))
	await new Promise((later) => setTimeout(later, 50));
finished = true;
for (const c of consumers)
	c.wire.cut();
const code = await Promise.race([stop(), new Promise((later) => setTimeout(() => later('no end'), patient(15000)).unref())]);
const checks = [
	['every message was accepted', accepted.size === MESSAGES],
	['none is lost', missing().length === 0],
	['nothing is left', left === 0],
	['none comes twice without the mark', wrong.length === 0],
	['consumers died', deaths > 0 && redelivered > 0],
	['the server ends in order', code === 0],
];
for (const [name, good] of checks)
	if (!good)
		console.log(`FAILED queues: ${name}`, name.startsWith('none comes') ? wrong.slice(0, 5) : missing().slice(0, 5), code);
rmSync(journal, { recursive: true });
console.log(`${MESSAGES} messages, ${seen} deliveries, ${redelivered} again, ${deaths} deaths, ${dead.size} dead letters, ${Date.now() - began} ms, seed ${options.seed}`);
console.log(`${checks.filter((c) => c[1]).length} passed, ${checks.filter((c) => !c[1]).length} failed`);
process.exit(checks.every((c) => c[1]) ? 0 : 1);
