/*
 * patience.mjs - a backend that takes its time to answer: what its clients see meanwhile, what
 * becomes of what they say, and of those who do not wait.
 */
import { createRequire } from 'node:module';
import { check, equal, patient, withDeadline } from '../e2e/harness.mjs';
import { KINDS, open, refused, start } from './clients.mjs';
import { sleep, until } from './gateway.mjs';

const SockJS = createRequire(import.meta.url)('sockjs-client');
const OF_SOCKJS = KINDS.filter((kind) => kind !== 'raw');
const SLOW_MS = 1500; /* far more than open_after_ms */
const IMPATIENT_MS = 1300; /* longer than what does not count */

/* Whether a line has opened, as of now. */
function isOpen(line) {
	return Promise.race([line.opened.then(() => true), Promise.resolve().then(() => false)]);
}

/* --- before the backend --------------------------------------------------------- */

async function opensBefore({ url, main }, kind) {
	const others = new Set(main.lines);
	const line = await open(url('/app'), kind, { query: `?do=slow&n=${SLOW_MS}` });

	check([...main.lines].every((l) => others.has(l)), `${kind}: the backend had accepted it`);
	for (let i = 0; i < 20; i++)
		line.send(`early ${i}`);
	for (let i = 0; i < 20; i++)
		equal(await line.next(), `early ${i}`, `echo, ${kind}`);
	return line;
}

/* All at once, so that no backend is asked more than once for each. */
async function allOpenBefore(world) {
	const before = world.main.asked;
	const lines = await Promise.all(OF_SOCKJS.map((kind) => opensBefore(world, kind)));

	equal(world.main.asked - before, lines.length, 'times the backend was asked');
	await Promise.all(lines.map((line) => line.close()));
}

async function waitsFor({ url, main }, path, kind, options = {}) {
	const before = main.asked;
	const line = start(url(path), kind, { ...options, query: '?do=slow&n=700' });

	await until('it is asked', () => (main.asked > before ? null : 'no'));
	await sleep(450);
	check(!await isOpen(line), `${kind} opened before the backend had answered`);
	await withDeadline(line.opened, 10000, `${kind} opens`);
	check(main.lines.size > 0, `${kind} opened before the backend had answered`);
	await line.close();
}

/* What the page says at once, in `onopen`, must not keep it from hearing why it ends. */
async function refusedAfter({ url }, kind, status, code) {
	const line = await open(url('/refused'), kind, { query: `?do=refuseLater&n=${status}` });

	line.send('hello');
	equal((await line.over()).code, code, `code, ${kind}`);
}

/* Beyond what a session may hold for an application that has paused, the client has to wait. */
async function holdsWithinBounds({ url }) {
	const line = await open(url('/small'), 'xhr_streaming', { query: `?do=slow&n=${SLOW_MS}` });
	const first = line.post(['e'.repeat(25000), 'f'.repeat(25000)]);

	await sleep(50);
	const second = await line.post(['g'.repeat(50000)]);
	equal([second.status, Boolean(second.retryAfter)], [503, true], 'beyond the bound');
	equal(await Promise.race([first, sleep(1).then(() => 'waits')]), 'waits', 'what was within it');
	equal((await first).status, 204, 'and later');
	equal([(await line.next()).length, (await line.next()).length], [25000, 25000], 'its echo');
	await line.close();
}

/* Who leaves meanwhile, in whatever way, leaves nothing behind. */
async function leaves({ url }, kind, how) {
	const line = await open(url('/app'), kind, { query: '?do=slow&n=600' });

	line.send('something');
	line[how]();
	await line.over().catch(() => {});
}

/* --- sockjs-client as it is --------------------------------------------------------- */

/* What a page sees, with the transports and time-outs of the library. */
function page(url, query, transports) {
	return new Promise((resolve) => {
		const seen = { heard: [] };
		const socket = new SockJS(`${url}?${query}`, null, transports && { transports });

		socket.onopen = () => {
			seen.transport = socket.transport;
			socket.send('hello');
		};
		socket.onmessage = (e) => {
			seen.heard.push(e.data);
			socket.close();
		};
		socket.onclose = (e) => resolve({ ...seen, code: e.code, reason: e.reason, wasClean: e.wasClean });
	});
}

async function connectsAtFirst({ url, main }, transports) {
	const before = main.asked;
	const { transport, heard } = await withDeadline(page(url('/app'), 'do=slow&n=800', transports), 20000, 'the page has done');

	equal([transport, heard], [transports?.[0] ?? 'websocket', ['hello']], 'transport, and what came back');
	equal(main.asked - before, 1, 'times the backend was asked');
}

async function hearsWhy({ url }, transports) {
	const { transport, code, reason, wasClean } = await withDeadline(page(url('/app'), 'do=refuseLater&n=403', transports), 20000, 'the page has done');

	equal({ transport, code, reason, wasClean }, { transport: transports[0], code: 4403, reason: 'Forbidden', wasClean: true }, 'close event');
}

/* --- those who do not wait ------------------------------------------------------------ */

/* One after the other, each with no more patience than this; how many got in. */
async function impatient(url, n, ms) {
	let opened = 0;

	for (let i = 0; i < n; i++) {
		const line = start(url, 'raw');
		const got = await Promise.race([line.opened.then(() => true), line.closed.then(() => false), sleep(ms).then(() => false)]);

		opened += got;
		line.ws.terminate();
	}
	return opened;
}

async function silentGoesToTheBack(world, path) {
	const { three, url, gateway } = world;
	const log = gateway.log.length;
	const said = (pattern) => gateway.log.slice(log).filter((l) => pattern.test(l)).length;
	const place = await whereAddressGoes(world, path);

	place.habit = 'never';
	const opened = await impatient(url(path), 8, IMPATIENT_MS);
	check(opened >= 3, `${opened} of 8 impatient clients got in`);
	equal(said(/warn.*does not answer, others are asked first/), 1, 'warnings that one is at the back');
	place.habit = undefined;
	await until('it is back', async () => {
		await open(url(path), 'raw').then((line) => line.close());
		return said(/warn.*an upstream is back/) === 1 ? null : 'not yet';
	}, 10000);
	check(three.length === 3, '');
}

/* The backend that the clients of this test come to, or will come to in their turn. */
async function whereAddressGoes({ three, url }, path) {
	const line = await open(url(path), 'raw');
	const place = three.find((b) => b.lines.size > 0);

	await line.close();
	await until('it has gone', () => (place.lines.size === 0 ? null : 'no'));
	return place;
}

async function hastyClientsSayNothing(world) {
	const { url, gateway } = world;
	const log = gateway.log.length;
	const place = await whereAddressGoes(world, '/silent-hash');

	place.habit = 'never';
	await impatient(url('/silent-hash'), 12, 150);
	place.habit = undefined;
	await sleep(50);
	equal(gateway.log.slice(log).filter((l) => /does not answer/.test(l)).length, 0, 'warnings');
	const line = await open(url('/silent-hash'), 'raw');
	check(place.lines.size > 0, 'it lost its clients');
	await line.close();
}

/* One request that its backend cannot answer keeps nobody else away, not even from the only one. */
async function slowRequest({ url, three }) {
	equal((await refused(url('/alone'), 'raw', { query: '?do=never' })).status, 504, 'the slow one');
	equal((await refused(url('/alone'), 'raw', { query: '?do=never' })).status, 504, 'and another');
	const line = await open(url('/alone'), 'raw');
	check(three[0].lines.size === 1, 'it is there');
	await line.close();
	for (let i = 0; i < 3; i++)
		equal((await refused(url('/alone'), 'raw', { query: '?do=never' })).status, 504, 'time-outs in a row');
	equal((await refused(url('/alone'), 'raw')).status, 503, 'after three it rests');
	await until('but not for long', () => open(url('/alone'), 'raw').then((l) => l.close().then(() => null), () => 'no'), 3000);
}

/* However long an only backend was gone, it is found soon when it is back. */
async function longOutage({ url, three }) {
	await three[0].stop();
	for (let end = performance.now() + 4000; performance.now() < end; await sleep(50))
		await refused(url('/alone'), 'raw');
	await three[0].start();
	const back = performance.now();
	await until('it is found', () => open(url('/alone'), 'raw').then((l) => l.close().then(() => null), () => 'refused'), 2000);
	check(performance.now() - back < patient(1500), `it took ${Math.round(performance.now() - back)} ms`);
}

export async function testPatience(world) {
	const { suite } = world;
	const each = (what, body) => suite.test(`slow: ${what}`, () => Promise.all(OF_SOCKJS.map(body)));

	await suite.test('slow: o comes before the backend, and what is said is kept', () => allOpenBefore(world));
	await each('with open_after_ms 0 it does not', (kind) => waitsFor(world, '/after', kind));
	await each('refused after o: 4403', (kind) => refusedAfter(world, kind, 403, 4403));
	await each('refused after o: 1014', (kind) => refusedAfter(world, kind, 500, 1014));
	await suite.test('slow: refused after o: 1013', () => refusedAfter(world, 'xhr_streaming', 503, 1013));
	await each('a client may leave meanwhile', (kind) => leaves(world, kind, 'close'));
	await each('a client may vanish meanwhile', (kind) => leaves(world, kind, 'vanish'));
	await suite.test('slow: a bare WebSocket waits', () => waitsFor(world, '/app', 'raw'));
	await suite.test('slow: so does who has offered subprotocols', () => waitsFor(world, '/app', 'websocket', { protocols: ['second'] }));
	await suite.test('slow: what is kept is bounded', () => holdsWithinBounds(world));
	await suite.test('slow: sockjs-client connects by its first transport', () => connectsAtFirst(world));
	for (const transport of ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling']) {
		await suite.test(`slow: sockjs-client connects by ${transport}`, () => connectsAtFirst(world, [transport]));
		await suite.test(`slow: sockjs-client by ${transport} hears why it ends`, () => hearsWhy(world, [transport]));
	}
	await suite.test('silent: it goes to the back, by hash', () => silentGoesToTheBack(world, '/silent-hash'));
	await suite.test('silent: it goes to the back, by turns', () => silentGoesToTheBack(world, '/silent-round'));
	await suite.test('silent: who leaves at once speaks against nobody', () => hastyClientsSayNothing(world));
	await suite.test('silent: one slow request rests no backend', () => slowRequest(world));
	await suite.test('alone: after a long outage it is found soon', () => longOutage(world));
}
