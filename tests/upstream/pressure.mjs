/*
 * pressure.mjs - a slow end slows the other one down, both ways; never memory.
 */
import { check, equal } from '../e2e/harness.mjs';
import { KINDS, open } from './clients.mjs';
import { sleep, until } from './gateway.mjs';

const MIB = 1 << 20;

/* Waits until a number does not change any more. */
async function settled(what, number) {
	let last = -1, since = performance.now();

	await until(what, () => {
		const now = number();

		if (now !== last) {
			last = now;
			since = performance.now();
		}
		return performance.now() - since > 400 ? null : `it is ${now}`;
	}, 15000);
	return last;
}

/* Its reader stops; what is on the way stays within the kernel's buffers and ours. Then it goes on. */
async function stalledReader({ url, gateway, main }, kind) {
	const before = gateway.rss();
	const line = await open(url('/small'), kind, { query: '?do=count&n=1000000&pad=1000' });
	let next = 0, wrong = null;

	line.onmessage = (text) => {
		wrong ??= parseInt(text, 10) === next ? null : `${text} instead of ${next}`;
		next++;
	};
	const { lastWs } = main;
	await until('it flows', () => (next > 100 ? null : next));
	line.pause();
	const held = await settled('the backend is held up', () => lastWs._socket.bytesWritten);
	const grown = gateway.rss() - before;
	check(lastWs.bufferedAmount > 0, `the backend is not slowed down: ${held} octets, ${JSON.stringify(line.end)}`);
	check(grown < 16 * MIB, `memory grew by ${(grown / MIB).toFixed(1)} MiB`);
	line.resume();
	const from = next;
	await until('it flows again', () => (next > from + 30000 ? null : next), 15000);
	check(wrong === null, wrong);
	line.vanish();
}

const FILLER = 's'.repeat(20000);

/* Both send numbered messages until they are held up, and say how many. */
async function pushFrames(line) {
	let sent = 0;
	const pump = setInterval(() => {
		while (line.ws.bufferedAmount < MIB)
			line.send(`${sent++} ${FILLER}`);
	}, 5);

	await settled('the client is held up', () => line.ws._socket.bytesWritten);
	clearInterval(pump);
	check(line.ws.bufferedAmount > 0, 'the client is not slowed down');
	return sent;
}

/* As sockjs-client: a request at a time. */
async function pushRequests(line) {
	for (let sent = 0; sent < 4000;) {
		const answer = await Promise.race([line.post([`${sent++} ${FILLER}`]), sleep(500)]);

		if (answer === undefined)
			return sent;
		check([200, 204].includes(answer.status), `status ${answer.status}`);
	}
	throw new Error('the client is not slowed down');
}

/* The backend stops reading: the client's socket is not read, its requests are not answered. */
async function stalledBackend({ url, gateway, main }, kind) {
	const before = gateway.rss();
	const line = await open(url('/small'), kind, { query: '?do=stalled' });
	const { lastWs } = main;
	const heard = [];

	lastWs.on('message', (data) => heard.push(parseInt(data.toString(), 10)));
	const sent = await (line.ws ? pushFrames(line) : pushRequests(line));
	const grown = gateway.rss() - before;
	check(grown < 16 * MIB, `memory grew by ${(grown / MIB).toFixed(1)} MiB`);
	lastWs._socket.resume();
	await until('all of it is heard', () => (heard.length >= sent ? null : `${heard.length} of ${sent}; ${JSON.stringify(line.end)}`), 20000);
	check(heard.length === sent && heard.every((n, i) => n === i), 'the order is another');
	line.vanish();
}

/* Requests wait while the backend does not read, and beyond the bound they are refused. */
async function senderIsRefused({ url, main }) {
	const line = await open(url('/small'), 'xhr', { query: '?do=stalled' });
	const { lastWs } = main;
	let answered = 0, bytes = 0;
	const heard = [];

	lastWs.on('message', (data) => heard.push(data.length));
	const text = 'r'.repeat(20000);
	let refusal = null;
	while (!refusal && bytes < 64 * MIB) {
		const post = line.post([text]);
		const how = await Promise.race([post, sleep(300)]);
		bytes += text.length;
		if (how === undefined) { /* held; the next ones are refused when the buffer is full */
			const others = await Promise.all(Array.from({ length: 3 }, () => Promise.race([line.post([text]), sleep(1000).then(() => null)])));
			refusal = others.find((o) => o?.status === 503);
			check(refusal, `none was refused: ${JSON.stringify(others)}`);
		} else if (how.status === 503) {
			refusal = how;
		} else {
			equal(how.status, 204, 'status');
			answered++;
		}
	}
	check(refusal, 'the sender was never held up');
	check(Number(refusal.retryAfter) > 0, `Retry-After: ${refusal.retryAfter}`);
	lastWs._socket.resume();
	await until('what was taken is heard', () => (heard.length >= answered + 1 ? null : `${heard.length} of ${answered}`));
	line.vanish();
}

/* Text that is larger on the wire than it is, in messages near the limit. */
async function largerOnTheWire({ url }, kind) {
	const line = await open(url('/app'), kind, { query: '?do=quoted&n=3000' });

	await sleep(100);
	for (let i = 0; i < 3000; i++)
		equal(JSON.parse(JSON.stringify(await line.next(`message ${i}`))).startsWith(`{"n":${i},`), true, `message ${i}`);
	await line.close();
}

/* A reader that is slow, but reads: messages of any allowed size all come. */
async function largeOnesToASlowReader({ url, gateway }, kind) {
	const n = 30 * 1024; /* half of what its buffer takes, about */
	const line = await open(url('/small'), kind, { query: `?do=flood&n=${n}` });
	let bytes = 0;

	line.onmessage = (text) => { bytes += text.length; };
	for (let i = 0; i < 12; i++) {
		line.pause();
		await sleep(60);
		line.resume();
		await sleep(20);
	}
	check(!line.end, `it ended: ${JSON.stringify(line.end)}`);
	check(bytes > 10 * n, `${bytes} octets`);
	check(!gateway.died, 'it is gone');
	line.vanish();
}

/* A client that takes nothing for too long is closed; the backend hears of it. */
async function stuckClient({ url, main }, kind) {
	const line = await open(url('/stuck'), kind, { query: '?do=flood&n=4000' });
	const { lastWs } = main;

	line.pause();
	await until('the backend is told', () => (lastWs.closedWith ? null : 'not yet'), 8000);
	equal(lastWs.closedWith.code, 4500, 'code');
	line.vanish();
}

/* An echo that is jammed both ways goes on when its reader does: no deadlock. */
async function jammedBothWays({ url }) {
	const line = await open(url('/small'), 'raw', { query: '?do=echo' });
	const text = 'j'.repeat(5000);
	let back = 0;
	const n = 4000;

	line.onmessage = () => { back++; };
	line.pause();
	for (let i = 0; i < n; i++)
		line.send(text);
	await sleep(700);
	line.resume();
	await until('all come back', () => (back === n ? null : `${back}; ${JSON.stringify(line.end)}`), 20000);
	line.vanish();
}

const STREAMS = ['raw', 'websocket', 'xhr_streaming', 'eventsource', 'htmlfile'];

export async function testPressure(world) {
	const { suite } = world;

	for (const kind of STREAMS) {
		await suite.test(`pressure, ${kind}: a reader that stops holds its backend up`, () => stalledReader(world, kind));
		await suite.test(`pressure, ${kind}: large messages to a slow reader`, () => largeOnesToASlowReader(world, kind));
	}
	for (const kind of KINDS)
		await suite.test(`pressure, ${kind}: a backend that stops reading holds its client up`, () => stalledBackend(world, kind));
	for (const kind of ['raw', 'xhr_streaming'])
		await suite.test(`pressure, ${kind}: a client that takes nothing is closed`, () => stuckClient(world, kind));
	for (const kind of ['websocket', 'xhr_streaming', 'jsonp', 'xhr'])
		await suite.test(`pressure, ${kind}: what grows on the wire`, () => largerOnTheWire(world, kind));
	await suite.test('pressure: beyond the bound a sender is told to come again', () => senderIsRefused(world));
	await suite.test('pressure: jammed both ways', () => jammedBothWays(world));
}
