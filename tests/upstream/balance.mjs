/*
 * balance.mjs - which backend a session goes to; backends that go, rest, and come back.
 */
import { check, equal, patient } from '../e2e/harness.mjs';
import { open, refused, start } from './clients.mjs';
import { sleep, until } from './gateway.mjs';

const UNAVAILABLE_MAX = 3; /* 503s in a row until a backend rests */

async function openMany(url, n, options) {
	const lines = [];

	for (let i = 0; i < n; i++)
		lines.push(await open(url, 'raw', options));
	return lines;
}

async function closeAll(lines) {
	await Promise.all(lines.map((l) => l.close()));
}

function counts({ three }) {
	return three.map((b) => b.lines.size);
}

async function nobody(world) {
	await until('the backends are alone', () => (counts(world).every((n) => n === 0) ? null : counts(world).join()));
}

async function roundRobin(world) {
	const lines = await openMany(world.url('/round'), 9);

	equal(counts(world), [3, 3, 3], 'connections');
	await closeAll(lines);
	await nobody(world);
}

/* New ones go where there are fewest; here: where two have left. */
async function leastConnections(world) {
	const lines = await openMany(world.url('/least'), 9);

	equal(counts(world), [3, 3, 3], 'connections');
	for (const ws of [...world.three[1].lines].slice(0, 2))
		ws.close(1000);
	await until('two have left', () => (world.three[1].lines.size === 1 ? null : 'not yet'));
	await sleep(50);
	const more = await openMany(world.url('/least'), 2);
	equal(counts(world), [3, 3, 3], 'connections after two have left');
	await closeAll([...lines.filter((l) => !l.end), ...more]);
	await nobody(world);
}

/* The same client to the same backend, different ones to different ones. */
async function hashed(world) {
	const where = new Map();

	for (let i = 0; i < 24; i++) {
		for (let again = 0; again < 2; again++) {
			const line = await open(world.url('/hash'), 'raw', { headers: { 'x-forwarded-for': `192.0.2.${i}` } });
			const found = counts(world).indexOf(1);
			check(!again || where.get(i) === found, `client ${i} came to ${found} after ${where.get(i)}`);
			where.set(i, found);
			await line.close();
			await nobody(world);
		}
	}
	equal(new Set(where.values()).size, 3, 'backends in use');
}

/* One goes: nobody is refused. It comes back: it gets its share again. */
async function ejectedAndBack(world) {
	const { three, url } = world;
	const lines = await openMany(url('/eject'), 6);

	await three[0].stop();
	await until('its sessions are told', () => (lines.filter((l) => l.end?.code === 1012).length === 2 ? null : lines.map((l) => l.end?.code).join()));
	const more = await openMany(url('/eject'), 6);
	equal(three[0].lines.size, 0, 'connections at who is gone');
	await three[0].start();
	await allAreBack(world, more);
	await closeAll([...lines, ...more].filter((l) => !l.end));
	await nobody(world);
}

/* Each has got a new session. */
async function allAreBack(world, lines) {
	const before = counts(world);

	await until('all are back', async () => {
		await open(world.url('/eject'), 'raw').then((l) => lines.push(l), () => {});
		return counts(world).every((n, i) => n > before[i]) ? null : counts(world).join();
	}, 8000);
}

/* It answers 503: others are asked, and it is left alone for a while. */
async function unavailable(world) {
	const { three, url } = world;

	Object.assign(three[0], { habit: 'refuse', number: 503 });
	const before = three[0].asked;
	const lines = await openMany(url('/eject'), 6);
	equal(three[0].lines.size, 0, 'connections at who is unavailable');
	check(three[0].asked - before <= UNAVAILABLE_MAX, `it was asked ${three[0].asked - before} times`);
	Object.assign(three[1], { habit: 'refuse', number: 503 });
	Object.assign(three[2], { habit: 'refuse', number: 503 });
	equal((await refused(url('/eject'), 'raw')).status, 503, 'status when all are');
	three.forEach((b) => { b.habit = undefined; });
	await allAreBack(world, lines);
	await closeAll(lines);
	await nobody(world);
}

/* A 503 now and then is the affair of who got it: nobody else is kept away. */
async function unavailableToSome(world) {
	const { three, url } = world;

	for (let i = 0; i < 4; i++) {
		for (let j = 1; j < UNAVAILABLE_MAX; j++)
			equal((await refused(url('/trial'), 'raw', { query: '?do=refuse&n=503' })).status, 503, 'status');
		const asked = three[0].asked;
		const line = await open(url('/trial'), 'raw');
		equal(three[0].asked - asked, 1, 'times it was asked for who gets in');
		await line.close();
	}
	await nobody(world);
}

/* The first session after a rest leaves without an answer: the next need not wait for one. */
async function trialWithoutVerdict(world) {
	const { three, url, gateway } = world;
	const log = gateway.log.length;

	await three[0].stop();
	equal((await refused(url('/trial'), 'raw')).status, 502, 'status while it is gone');
	await three[0].start();
	equal((await refused(url('/trial'), 'raw')).status, 503, 'status while it rests');
	three[0].habit = 'never';
	const { asked } = three[0];
	let trial;
	await until('one is let through', async () => {
		trial = start(url('/trial'), 'raw');
		await Promise.race([trial.over(), until('it is asked', () => (three[0].asked > asked ? null : 'no'), 1000)]).catch(() => {});
		return three[0].asked > asked ? null : 'it rests';
	});
	equal((await refused(url('/trial'), 'raw')).status, 503, 'status during the trial');
	three[0].habit = undefined;
	trial.ws.terminate();
	const left = performance.now();
	await until('the next is let through', () => open(url('/trial'), 'raw').then((line) => line.close().then(() => null), () => 'refused'), 2000);
	check(performance.now() - left < patient(1000), `it took ${Math.round(performance.now() - left)} ms`);
	equal(gateway.log.slice(log).filter((l) => /an upstream rests/.test(l)).length, 1, 'failures in the log');
	await nobody(world);
}

/* One takes connections and says nothing: the others are there in time. */
async function hung(world) {
	const { three, url } = world;

	three[1].habit = 'never';
	const lines = [];
	for (let i = 0; i < 4; i++)
		lines.push(await open(url('/hung'), 'raw'));
	equal(three[2].lines.size, 4, 'connections at the other');
	three[1].habit = undefined;
	await closeAll(lines);
	await nobody(world);
}

/* What one client can make a backend do is no reason to keep all the others from it. */
async function poison(world) {
	const { three, url } = world;

	for (let i = 0; i < 4; i++)
		check((await refused(url('/eject'), 'raw', { query: '?do=hangUpAtOnce' })).status === 502, 'it is refused');
	const lines = await openMany(url('/eject'), 6);
	check(three.every((b) => b.lines.size > 0), `connections: ${counts(world)}`);
	await closeAll(lines);
	await nobody(world);
}

export async function testBalance(world) {
	const { suite } = world;

	await suite.test('balance: round robin', () => roundRobin(world));
	await suite.test('balance: least connections', () => leastConnections(world));
	await suite.test('balance: hash', () => hashed(world));
	await suite.test('health: one goes and comes back', () => ejectedAndBack(world));
	await suite.test('health: 503 sends to the others', () => unavailable(world));
	await suite.test('health: a 503 now and then keeps nobody away', () => unavailableToSome(world));
	await suite.test('health: who leaves before an answer keeps nobody away', () => trialWithoutVerdict(world));
	await suite.test('health: one client cannot spoil a backend for all', () => poison(world));
	await suite.test('health: one that is hung does not take all the time', () => hung(world));
}

/* Nobody is there: the first is told so, the others at once; and they do not knock. */
export async function testDown({ suite, url, gateway }) {
	await suite.test('down: 502, then 503 at once', async () => {
		equal((await refused(url('/down'), 'raw')).status, 502, 'the first');
		const started = performance.now();
		const ends = await Promise.all(['raw', 'websocket', 'xhr_streaming', 'eventsource', 'htmlfile', 'xhr', 'jsonp'].map((kind) =>
			start(url('/down'), kind).over()));
		equal(ends.map((e) => e.status ?? e.code), [503, 1013, 1013, 1013, 1013, 1013, 1013], 'the others');
		check(performance.now() - started < patient(700), `it took ${Math.round(performance.now() - started)} ms`);
	});
	await suite.test('down: a bare WebSocket is told when to come again', async () => {
		let line;

		await until('it rests', async () => {
			line = start(url('/down'), 'raw');
			return (await line.over()).status === 503 ? null : '502';
		});
		equal((await line.over()).status, 503, 'status');
		check(Number(line.retryAfter) > 0, `Retry-After: ${line.retryAfter}`);
	});
	await suite.test('down: Retry-After is the rest that is left, rounded up', async () => {
		const told = async () => {
			const line = start(url('/down-long'), 'raw');

			equal((await line.over()).status, 503, 'status');
			return Number(line.retryAfter);
		};

		equal((await refused(url('/down-long'), 'raw')).status, 502, 'the first');
		const first = await told();
		check(first >= 30 && first <= 50, `Retry-After: ${first} of a rest of 40 s, give or take a quarter`);
		await sleep(1100);
		const later = await told();
		check(later < first && later >= first - 10, `Retry-After: ${later} after ${first}`);
	});
	await suite.test('down: Retry-After is at least 1', async () => {
		await until('it rests', async () => {
			const line = start(url('/down'), 'raw');
			const { status } = await line.over();

			if (status === 503)
				check(['1', '2'].includes(line.retryAfter), `Retry-After: ${line.retryAfter} of a rest of 1 s`);
			return status === 503 ? null : String(status);
		});
	});
	await suite.test('down: Retry-After is 5 where nobody rests', async () => {
		const line = start(url('/app'), 'raw', { query: '?do=refuse&n=503' });

		equal((await line.over()).status, 503, 'status');
		equal(line.retryAfter, '5', 'Retry-After');
	});
	await suite.test('down: it is tried again after its rest', async () => {
		await until('a 502 again', async () => ((await refused(url('/down'), 'raw')).status === 502 ? null : '503'), 4000);
		check(gateway.said(/cannot be reached/), 'the log says so');
	});
}
