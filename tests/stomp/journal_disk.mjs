/*
 * tests/stomp/journal_disk.mjs - a broker with a journal, step by step: what is there after which end,
 * what is refused and told when the disk fails, is full, in use or damaged.
 *
 *	node tests/stomp/journal_disk.mjs --server sockjsd
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { byTcp, Client, drain, sleep, start, stop } from './journal_tools.mjs';
import { patient } from '../e2e/harness.mjs';

const options = { server: './sockjsd' };
for (let i = 2; i < process.argv.length; i += 2)
	options[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];

let directory, journal, passed = 0, failed = 0, limits = '';

function check(what, good, ...more) {
	if (good)
		passed++;
	else {
		failed++;
		console.log(`FAILED journal: ${what}`, ...more);
	}
}

const begin = (threads, more = {}) => start(`${limits} exec ${options.server}`, directory, threads, { journal, errors: 'keep', ...more });

/* Sends so many; answers with what was said to each. */
function sendAll(at, destination, from, to, body = '') {
	const words = [];
	return new Promise((all) => {
		const done = (c, word) => {
			words.push(word);
			if (words.length === to - from) {
				c.cut();
				all(words);
			}
		};
		const client = new Client(at, byTcp, {
			CONNECTED: (headers, text, c) => {
				for (let i = from; i < to; i++)
					c.send('SEND', { destination, receipt: i }, String(i) + body);
			},
			RECEIPT: (headers, text, c) => done(c, 'ok'),
			ERROR: (headers, text, c) => done(c, `${headers.code} ${text}`),
		});
		void client;
	});
}

/* Subscribes, and answers with what comes until the RECEIPT, and what that says. */
function recall(at, destination, since) {
	const got = [];
	return new Promise((all) => {
		const client = new Client(at, byTcp, {
			CONNECTED: (headers, text, c) => c.send('SUBSCRIBE', { id: 't', destination, receipt: 'r', 'last-message-id': since ?? 'none' }),
			MESSAGE: (headers, body) => got.push({ body, id: headers['message-id'] }),
			RECEIPT: (headers) => { client.cut(); all({ got, recovered: headers.recovered }); },
		});
	});
}

/* Takes so many, and answers all but the last with what `answer` says. After `enough` it waits a little
 * for more, of which there should be none. */
function take(at, queue, count, answer, enough = count) {
	const got = [];
	return new Promise((all) => {
		const client = new Client(at, byTcp, {
			CONNECTED: (headers, text, c) => c.send('SUBSCRIBE', { id: 'q', destination: queue, ack: 'client-individual' }),
			MESSAGE: (headers, body, c) => {
				got.push({ body, headers });
				if (answer && got.length < count)
					c.send(answer, { id: headers.ack });
				if (got.length === count)
					all({ got, client });
				else if (got.length === enough)
					setTimeout(() => all({ got, client }), 300);
			},
		});
	});
}

const bodies = (all) => all.map((m) => m.body).join(' ');

/* --- ends ----------------------------------------------------------------------------------- */

async function whatIsThereAfterAStop() {
	let at = await begin(2);
	await sendAll(at, '/queue/a', 0, 5);
	await sendAll(at, '/topic/a', 0, 3);
	await take(at, '/queue/a', 5);
	check('a stop is in good order', await stop(at, 'SIGTERM') === 0);

	at = await begin(2);
	const { got, recovered } = await recall(at, '/topic/a');
	check('a history is there', bodies(got) === '0 1 2' && recovered === 'false', got, recovered);
	const { got: first, client } = await take(at, '/queue/a', 5);
	check('what was delivered is again, and marked', bodies(first) === '0 1 2 3 4' && first.every((m) => m.headers.redelivered === 'true'), first);
	check('a stop is nobody\'s fault', first.every((m) => m.headers['delivery-count'] === '1'), first[0].headers);
	client.cut();
	await stop(at, 'SIGKILL');

	at = await begin(3);
	const second = await recall(at, '/topic/a', got[1].id);
	check('ids of before are known, whoever owns it', bodies(second.got) === '2' && second.recovered === 'true', second);
	await stop(at, 'SIGTERM');
	check('there is a journal for each thread', readdirSync(journal).sort().join(' ') === '0 1 2 intact', readdirSync(journal));
	await stop(await begin(1), 'SIGTERM');
	check('what is not needed goes', readdirSync(journal).sort().join(' ') === '0 intact', readdirSync(journal));
}

/* A crash while journals move: what has its new place already is still at its old one. */
async function halfMoved() {
	const before = join(directory, 'before');
	let at = await begin(4);
	for (let q = 0; q < 8; q++)
		await sendAll(at, `/queue/m${q}`, 0, 5);
	await sendAll(at, '/topic/m', 0, 4);
	await sleep(100); /* a RECEIPT of a topic does not wait for the journal */
	const { got } = await recall(at, '/topic/m');
	await stop(at, 'SIGKILL');
	cpSync(journal, before, { recursive: true });
	await stop(await begin(1), 'SIGKILL');
	for (const n of ['1', '2', '3'])
		cpSync(join(before, n), join(journal, n), { recursive: true });
	at = await begin(2);
	const after = await recall(at, '/topic/m', got[1].id);
	check('a history that is half moved is whole', bodies(after.got) === '2 3' && after.recovered === 'true', after);
	let queues = [];
	for (let q = 0; q < 8; q++)
		queues.push(bodies(await drain(at, `/queue/m${q}`)));
	check('and each message comes once', queues.every((all) => all === '0 1 2 3 4'), queues);
	await stop(at, 'SIGTERM');
	at = await begin(3);
	queues = [];
	for (let q = 0; q < 8; q++)
		queues.push(bodies(await drain(at, `/queue/m${q}`)));
	check('and never again', queues.every((all) => all === ''), queues);
	await stop(at, 'SIGTERM');
}

async function poison() {
	const counts = [];
	let at;
	for (let life = 0; life < 3; life++) {
		at = await begin(2);
		if (life === 0)
			await sendAll(at, '/queue/poison', 0, 1);
		const { got } = await take(at, '/queue/poison', 2, 'NACK');
		counts.push(...got.map((m) => m.headers['delivery-count'] ?? '1'));
		await sleep(100); /* nobody waits for a count to be written */
		await stop(at, 'SIGKILL'); /* with the last one not answered, which is not counted */
	}
	check('what comes in vain is counted over restarts', counts.join(' ') === '1 2 2 3 3 4', counts);
	at = await begin(2);
	const { got } = await take(at, '/queue/poison', 3, 'NACK', 2);
	check('until it comes no more', bodies(got) === '0 0', got);
	await sleep(100);
	await stop(at, 'SIGKILL');
	at = await begin(2);
	const letters = await drain(at, '/queue/dead-letters');
	check('but as a dead letter', letters.length === 1 && letters[0].headers['delivery-count'] === '5' && letters[0].again, letters);
	check('of which nothing is left', (await drain(at, '/queue/poison')).length === 0);
	await stop(at, 'SIGTERM');
}

async function letters() {
	let at = await begin(4, { queue_expires_ms: 30 });
	await sendAll(at, '/queue/old', 0, 1);
	await sleep(100);
	await sendAll(at, '/queue/old', 1, 2); /* notices it */
	await sleep(100);
	await stop(at, 'SIGKILL');
	at = await begin(3);
	const dead = await drain(at, '/queue/dead-letters');
	check('a dead letter lasts', dead[0]?.body === '0' && dead[0].headers.death === 'expired', dead);
	check('and the dead is gone', !dead.slice(1).concat(await drain(at, '/queue/old')).some((m) => m.body === '0'));
	await stop(at, 'SIGTERM');
}

/* Nobody comes to most of the threads, and what waits there is seen all the same. */
async function expiryIsSeenAfterARestart() {
	let at = await begin(3, { queue_expires_ms: 700 });
	for (let q = 0; q < 6; q++)
		await sendAll(at, `/queue/old${q}`, 0, 1);
	await stop(at, 'SIGKILL');
	await sleep(600);
	at = await begin(4, { queue_expires_ms: 700 });
	await sleep(400);
	const dead = await drain(at, '/queue/dead-letters');
	check('what has expired while nobody was there is seen', dead.length === 6 && dead.every((m) => m.headers.death === 'expired'), dead.length);
	await stop(at, 'SIGTERM');
}

/* --- refusals --------------------------------------------------------------------------------- */

async function refusals() {
	const at = await begin(2);
	const second = await begin(1);
	check('a journal in use is refused', /endpoints\[0\]\.stomp\.journal: .*in use by process \d+/.test(second.said) && await second.ended === 1, second.said);
	await sendAll(at, '/queue/a', 0, 100);
	await stop(at, 'SIGTERM');
	const owner = ['0', '1'].map((n) => join(journal, n, '0000000000000001.segment')).sort((a, b) => readFileSync(b).length - readFileSync(a).length)[0];
	const whole = readFileSync(owner), damaged = Buffer.from(whole);
	damaged[1000] ^= 1;
	writeFileSync(owner, damaged);
	const third = await begin(2);
	check('a damaged one is refused', /endpoints\[0\]\.stomp\.journal: .*segment/.test(third.said) && await third.ended === 2, third.said);
	const fourth = await begin(2, { journal_repair: true });
	const left = await drain(fourth, '/queue/a');
	check('or repaired', left.length >= 98 && left.length <= 100, left.length);
	await stop(fourth, 'SIGTERM');
	const fifth = await begin(2, { journal: '/proc/none/journal' });
	check('one that cannot be written is refused', /endpoints\[0\]\.stomp\.journal: cannot write/.test(fifth.said), fifth.said);
	const sixth = await begin(2);
	await sendAll(sixth, '/queue/a', 0, 1);
	await stop(sixth, 'SIGTERM');
	const seventh = await begin(2, { queues: 'topics' });
	check('queues that would be topics are refused', /endpoints\[0\]\.stomp\.queues: /.test(seventh.said), seventh.said);
}

async function fullJournal() {
	const body = 'x'.repeat(20000);
	let at = await begin(1, { journal_max_bytes: 1 << 20 });
	const words = await sendAll(at, '/queue/full', 0, 100, body), taken = words.filter((w) => w === 'ok').length;
	check('a full journal refuses', taken > 10 && taken < 100 && words.some((w) => w.startsWith('4640 The journal is full.')), taken, words[99]);
	const topic = await sendAll(at, '/topic/full', 0, 3, body);
	check('but no topic', topic.every((w) => w === 'ok'), topic);
	const { recovered } = await recall(at, '/topic/full');
	check('whose history is memory then', recovered === 'false');
	await stop(at, 'SIGKILL');
	at = await begin(1, { journal_max_bytes: 1 << 20 });
	const { got, client } = await take(at, '/queue/full', taken, 'ACK');
	check('what was taken is there', got.length === taken && got.every((m) => m.headers.redelivered));
	client.cut();
	await sleep(200);
	check('and there is room again', (await sendAll(at, '/queue/full', 0, 10, body)).every((w) => w === 'ok'));
	await stop(at, 'SIGTERM');
}

async function failingDisk() {
	const body = 'x'.repeat(10000);
	limits = 'ulimit -f 400;'; /* in 512 octets, or 1024 */
	let at = await begin(1);
	limits = '';
	await sendAll(at, '/topic/f', 0, 2);
	await sleep(100);
	const { got } = await recall(at, '/topic/f');
	const words = [...await sendAll(at, '/queue/f', 0, 8, body), ...await sendAll(at, '/queue/f', 8, 80, body)];
	const taken = words.filter((w) => w === 'ok').length;
	check('a disk that fails refuses', taken >= 8 && taken < 80 && words[79].startsWith('4642 The disk has failed'), taken, words[79]);
	check('and is told', /journal failed/.test(at.said), at.said);
	await sendAll(at, '/topic/f', 2, 4);
	await sleep(100);
	check('topics go on', bodies((await recall(at, '/topic/f', got[0].id)).got) === '1 2 3');
	const first = await take(at, '/queue/f', 5, 'ACK');
	check('what is there is delivered', first.got.length >= 5 && first.got.every((m) => !m.headers.redelivered));
	first.client.cut();
	await sleep(100);
	await stop(at, 'SIGTERM');
	check('the journal is not intact', !existsSync(join(journal, 'intact')));
	at = await begin(1);
	const after = await recall(at, '/topic/f', got[1].id);
	check('ids of before are not believed', after.recovered === 'false' && bodies(after.got) === '0 1', after);
	const rest = await drain(at, '/queue/f');
	check('all that was accepted comes, and is marked', rest.length >= taken - 32 && rest.every((m) => m.again), rest.length, taken);
	await stop(at, 'SIGTERM');
}

/* --- all of it ---------------------------------------------------------------------------------- */

for (const test of [whatIsThereAfterAStop, halfMoved, poison, letters, expiryIsSeenAfterARestart, refusals, fullJournal, failingDisk]) {
	directory = mkdtempSync(join(tmpdir(), 'journal-disk-'));
	journal = join(directory, 'journal');
	const late = setTimeout(() => { console.log(`FAILED journal: ${test.name} does not end\n0 passed, 1 failed`); process.exit(1); }, patient(40000));
	await test().catch((e) => check(`${test.name}: ${e.stack}`, false));
	clearTimeout(late);
	rmSync(directory, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
