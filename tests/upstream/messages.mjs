/*
 * messages.mjs - what goes through: text, binary, order, closes, over every transport.
 */
import { check, equal } from '../e2e/harness.mjs';
import { KINDS, open, refused, start } from './clients.mjs';
import { sleep, until } from './gateway.mjs';

const MANY = 3000;
const TEXTS = ['', 'x', 'Grüße, 世界 🚂', 'a "quoted" \\ line\r\nand \u0000 controls \u001f\u007f', '\u2028\u2029</script>', 'k'.repeat(60000)];

async function echoes(url, kind) {
	const line = await open(url, kind);

	for (const text of TEXTS) {
		line.send(text);
		equal(await line.next(`the echo of ${text.length}`), text, 'echo');
	}
	await line.close();
}

/* All at once: the client does not wait for o. */
async function countsUp(url, kind) {
	const line = start(url, kind, { query: `?do=tally&n=${MANY}` });

	if (kind === 'raw' || kind === 'websocket')
		await line.opened;
	for (let i = 0; i < MANY; i++)
		line.send(`${i} of many`);
	equal(await line.next('the tally'), `all ${MANY}`, 'tally');
	await line.close();
}

async function countsDown(url, kind) {
	const line = await open(url, kind, { query: `?do=count&n=${MANY}` });

	for (let i = 0; i < MANY; i++)
		equal(await line.next(`number ${i}`), String(i), 'number');
	await line.close();
}

/* What stands right behind the 101 comes after o, and before the close. */
async function saysGoodbye(url, kind) {
	const line = await open(url, kind, { query: '?do=goodbye&n=4321' });

	equal(await line.rest(), ['first words'], 'messages');
	equal(line.end, { code: 4321, reason: 'goodbye' }, 'close');
}

async function saysAllAndGoes(url, kind) {
	const line = await open(url, kind, { query: '?do=sayAndGo&n=200' });

	equal((await line.rest()).length, 200, 'messages');
	equal(line.end, { code: 4321, reason: 'said it all' }, 'close');
}

/* While the client goes on talking. */
async function saysAllAndResets(url, kind) {
	const line = await open(url, kind, { query: '?do=sayAndReset&n=200' });
	const talk = setInterval(() => line.send('blah'), 5);

	equal((await line.rest().finally(() => clearInterval(talk))).length, 200, 'messages');
	equal(line.end, { code: 4321, reason: 'said it all' }, 'close');
}

/* The client is away while its backend says more than waits for it here, and is reset. */
export async function resetBehindSlowClient({ url }, prefix) {
	const base = `${url(prefix)}/000/slow${process.pid}`;
	const poll = async (query = '') => (await fetch(`${base}/xhr${query}`, { method: 'POST' })).text();
	const heard = [];
	let text = await poll('?do=pourAndReset&n=90');

	equal(text, 'o\n', 'open');
	await sleep(300);
	while (!text.startsWith('c')) {
		text = await poll();
		if (text.startsWith('a'))
			heard.push(...JSON.parse(text.slice(1)).map((m) => parseInt(m, 10)));
	}
	equal(heard, Array.from({ length: 90 }, (_, i) => i), 'messages');
	equal(text, 'c[4321,"said it all"]\n', 'close');
}

async function closesAre(url, kind, habit, expected) {
	const line = await open(url, kind, { query: `?do=${habit}` });

	line.send('now');
	await line.over();
	equal(line.end, expected, 'close');
}

async function clientVanishes({ main, url }, kind) {
	const line = await open(url('/app'), kind, { query: '?do=echo' });
	const { lastWs } = main;

	line.send('here');
	equal(await line.next(), 'here', 'echo');
	line.vanish();
	await until('the backend hears of it', () => (lastWs.closedWith ? null : 'not yet'));
	equal(lastWs.closedWith.code, 1001, 'the code for the backend');
}

async function clientCloses({ main, url }, kind, code, expected, reason = 'bye') {
	const line = await open(url('/app'), kind, { query: '?do=echo' });
	const { lastWs } = main;

	line.ws.close(...(code ? [code, reason] : []));
	await line.over();
	await until('the backend hears of it', () => (lastWs.closedWith ? null : 'not yet'));
	equal(lastWs.closedWith, { code: expected, reason: code ? reason : '' }, 'close at the backend');
}

async function leavesWhileOthersWork({ main, gateway, url }) {
	const before = main.asked;

	for (let i = 0; i < 40; i++) {
		const line = start(url('/app'), KINDS[i % KINDS.length], { query: '?do=slow&n=100' });
		line.ws?.on('error', () => {});
		setTimeout(() => (line.ws ? line.ws.terminate() : line.vanish()), i * 4);
	}
	await until('some have come through', () => (main.asked > before ? null : 'none'));
	const line = await open(url('/app'), 'raw');
	line.send('still here');
	equal(await line.next(), 'still here', 'echo');
	await line.close();
	check(!gateway.died, 'it is gone');
}

export async function testMessages(world) {
	const { suite, url } = world;

	for (const kind of KINDS) {
		await suite.test(`${kind}: echoes`, () => echoes(url('/app'), kind));
		await suite.test(`${kind}: ${MANY} to the backend, in order`, () => countsUp(url('/app'), kind));
		await suite.test(`${kind}: ${MANY} to the client, in order`, () => countsDown(url('/app'), kind));
		await suite.test(`${kind}: a backend that says something and closes at once`, () => saysGoodbye(url('/app'), kind));
		await suite.test(`${kind}: a backend that says all and hangs up`, () => saysAllAndGoes(url('/app'), kind));
		await suite.test(`${kind}: a backend that says all and resets`, () => saysAllAndResets(url('/app'), kind));
		await suite.test(`${kind}: the backend's code and reason`, () =>
			closesAre(url('/app'), kind, 'closeLater&n=4567', { code: 4567, reason: 'as asked' }));
		await suite.test(`${kind}: a close without a code is 1000`, () =>
			closesAre(url('/app'), kind, 'closeWithout', { code: 1000, reason: '' }));
		await suite.test(`${kind}: a backend that hangs up is 1012`, () =>
			closesAre(url('/app'), kind, 'hangUp', { code: 1012, reason: 'The application went away' }));
		await suite.test(`${kind}: a backend that resets is 1012`, () =>
			closesAre(url('/app'), kind, 'reset', { code: 1012, reason: 'The application went away' }));
		await suite.test(`${kind}: a client that vanishes is 1001`, () => clientVanishes(world, kind));
	}
	await suite.test('a backend that is reset while its client is away: what it said comes, then its close', () =>
		resetBehindSlowClient(world, '/away'));
	for (const kind of ['raw', 'websocket']) {
		await suite.test(`${kind}: the client's code and reason`, () => clientCloses(world, kind, 3456, 3456));
		await suite.test(`${kind}: the client closes without a code`, () => clientCloses(world, kind, 0, 1005));
	}
	await suite.test('raw: a reason of 123 octets', () => clientCloses(world, 'raw', 4999, 4999, 'é'.repeat(61)));
	await suite.test('binary: passes to and from a bare WebSocket', async () => {
		const line = await open(url('/app'), 'raw', { query: '?do=binary' });

		equal((await line.next()).toString('hex'), '000102faff', 'first');
		line.send(Buffer.from([9, 0, 255]));
		equal((await line.next()).toString('hex'), '0900ff', 'echo');
		await line.close();
	});
	for (const kind of KINDS.slice(1)) {
		await suite.test(`binary, ${kind}: ends the session with 1003`, async () => {
			const line = await open(url('/app'), kind, { query: '?do=binary' });

			equal((await line.over()).code, 1003, 'code');
			await until('the backend is told', () => (world.main.closedWith?.code === 1003 ? null : JSON.stringify(world.main.closedWith)));
		});
		await suite.test(`binary, ${kind}: becomes base64 where that is configured`, async () => {
			const line = await open(url('/base64'), kind, { query: '?do=binary' });

			equal(await line.next(), 'AAEC+v8=', 'text');
			await line.close();
		});
	}
	await suite.test('binary: nothing at all is an empty text in base64', async () => {
		const line = await open(url('/base64'), 'websocket', { query: '?do=emptyBinary' });

		equal(await line.next(), '', 'text');
		await line.close();
	});
	await suite.test('compression: offered, agreed on, and undone', async () => {
		const line = await open(url('/deflate'), 'raw', { query: '?do=mirror', deflate: true });

		check(JSON.parse(await line.next()).headers['sec-websocket-extensions']?.startsWith('permessage-deflate'), 'it is offered');
		for (const text of ['z'.repeat(50000), 'short', JSON.stringify(Array.from({ length: 3000 }, (_, i) => i))]) {
			line.send(text);
			equal(await line.next(), text, 'echo');
		}
		await line.close();
	});
	await suite.test('large: 8 MiB each way, where that is configured', async () => {
		const line = await open(url('/big'), 'raw');
		const text = 'L'.repeat(7 << 20);

		line.send(text);
		check(await line.next() === text, 'the echo differs');
		await line.close();
	});
	await suite.test('large: a message from the backend that no buffer holds is 1009', async () => {
		const line = await open(url('/app'), 'raw', { query: '?do=big&n=1000000' });

		equal((await line.over()).code, 1009, 'code');
	});
	await suite.test('large: the longest that is promised comes through', async () => {
		const line = await open(url('/app'), 'eventsource', { query: `?do=big&n=${256 * 1024 - 64}` });

		equal((await line.next()).length, 256 * 1024 - 64, 'length');
		await line.close();
	});
	await suite.test('clients that leave while their backend thinks', () => leavesWhileOthersWork(world));
	await suite.test('unix: a backend on a unix socket, with its own path and query', async () => {
		const line = await open(url('/unix'), 'raw', { query: '?do=mirror' });
		const { url: asked, headers } = JSON.parse(await line.next());

		equal(asked, '/path?x=y&do=mirror', 'resource');
		equal(headers.host, new URL(url('')).host, 'host');
		await line.close();
	});
	await suite.test('unix: nobody there', async () => {
		equal((await refused(url('/nobody'), 'raw')).status, 502, 'status');
	});
	await suite.test('a name of the hosts file', async () => {
		const line = await open(url('/name'), 'raw');

		line.send('by name');
		equal(await line.next(), 'by name', 'echo');
		await line.close();
	});
	await suite.test('a name that does not exist', async () => {
		const { status } = await refused(url('/noname'), 'raw');

		check(status === 502 || status === 504, `status ${status}`);
	});
}
