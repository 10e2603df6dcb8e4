/*
 * slow.mjs - a backend that reads slowly is not dead, and one that reads nothing is: what its TCP
 * acknowledges tells them apart, not what waits in our queue.
 */
import { check, equal } from '../e2e/harness.mjs';
import { open } from './clients.mjs';
import { until } from './gateway.mjs';

const MESSAGE = 'm'.repeat(50000);
const PLENTY = 60; /* 3 MB: more than all buffers on the way hold */
const RATE = 500000; /* octets in a second: it takes seconds, and pings are due after 300 ms */

/* Each message comes, however many pings have had to wait behind them. */
async function crawls({ url }, path) {
	const line = await open(url(path), 'raw', { query: `?do=crawl&n=${PLENTY}&pad=${RATE}` });

	for (let i = 0; i < PLENTY; i++)
		line.send(MESSAGE);
	equal(await line.next('that all has come'), `all ${PLENTY}`, 'what the backend says');
	await line.close();
}

/* A Close waits behind them, too. */
async function crawlsToItsEnd({ url }, path, backend) {
	const line = await open(url(path), 'raw', { query: `?do=crawl&n=${PLENTY}&pad=${RATE}` });
	const ws = backend.lastWs;

	for (let i = 0; i < PLENTY; i++)
		line.send(MESSAGE);
	line.ws.close(4321, 'said it all');
	await until('the backend is told', () => (ws.closedWith ? null : `it has heard ${ws.heard} messages`), 20000);
	equal([ws.heard, ws.closedWith], [PLENTY, { code: 4321, reason: 'said it all' }], 'what the backend has heard');
}

/* It reads nothing, with and without something on its way. */
async function hangs({ url }, path, backend, messages) {
	const line = await open(url(path), 'raw', { query: '?do=stalled' });
	const ws = backend.lastWs;

	for (let i = 0; i < messages; i++)
		line.send(MESSAGE);
	equal((await line.over()).code, 1012, 'code');
	ws.terminate(); /* it would never notice */
}

/* Nor do messages that its system takes, but it does not, keep it alive. */
async function hangsWhileSpokenTo({ url }, path, backend) {
	const line = await open(url(path), 'raw', { query: '?do=stalled' });
	const ws = backend.lastWs;
	const talk = setInterval(() => line.send('are you there?'), 20);

	const { code } = await line.over();
	clearInterval(talk);
	check(code === 1012, `code ${code}`);
	ws.terminate();
}

export async function testSlow(world) {
	const { suite, main, tls, unix } = world;
	const backends = { '/quick': main, '/quick-tls': tls.good, '/quick-unix': unix };
	const each = (what, body) => suite.test(`slow reader: ${what}`, () =>
		Promise.all(Object.entries(backends).map(([path, backend]) => body(path, backend))));

	await each('all of it comes', (path) => crawls(world, path));
	await each('the last words and the Close come', (path, backend) => crawlsToItsEnd(world, path, backend));
	await each('one that hangs is found out, idle', (path, backend) => hangs(world, path, backend, 0));
	await each('one that hangs is found out, among much that is on its way', (path, backend) => hangs(world, path, backend, PLENTY));
	await each('one that hangs is found out, while it is spoken to', (path, backend) => hangsWhileSpokenTo(world, path, backend));
}
