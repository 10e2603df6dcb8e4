#!/usr/bin/env node
/*
 * run.mjs - every transport of sockjs-client in a real Chromium, @stomp/stompjs over each of them,
 * and the pages.
 *
 *   run.mjs --server "./sockjsd --demo -l 127.0.0.1:0 --www www"
 *   run.mjs --url http://127.0.0.1:8081            (no restart tests then)
 *           [--screenshots DIR] [--only REGEXP]
 *           [--production yes]    with the limits of an endpoint that sets none
 */
import { withBroker } from './broker.mjs';
import { call, elsewhere, launch, openPage, transports } from './browser.mjs';
import { check, equal, readArguments, Server, Suite, WHOLE_MS, withDeadline } from './harness.mjs';
import { testOrigins } from './origins.mjs';
import { testPages } from './pages.mjs';
import { testStomp } from './stomp.mjs';
import { testStompPage, testStompPageWithLogins } from './stomp_page.mjs';

const GO_AWAY = '{"code":3000,"reason":"Go away!","wasClean":true}';
const NOTICE_MS = 5000;
const BETWEEN_POLLS_MS = 1000;

const args = readArguments(['server', 'url', 'screenshots', 'only', 'production']);
const ECHO_KINDS = ['plain', 'unicode', args.production ? '64 KiB' : '100 KiB', '1,000 ordered'];
const server = new Server(args);
const suite = new Suite(args.only);
const program = args.server?.split(' ')[0] ?? '';

function pageFor(browser, transport) {
	return openPage(browser, transport.framed ? elsewhere(server.url) : server.url);
}

/* null is success; anything else is the sentence that says why not. */
async function well(promise) {
	const complaint = await promise;

	check(complaint === null, String(complaint));
}

async function latePoll(sessionId, ms) {
	const response = await fetch(`${server.url}/echo/000/${sessionId}/xhr`, { method: 'POST', signal: AbortSignal.timeout(ms) });

	return (await response.text()).trim();
}

/*
 * After the client left, the session must be over: a late poll gets 1002, or
 * opens a new session where the old one is forgotten already, but never goes on
 * finding the receiver still attached (2010).  A polling client may leave just
 * between two polls: then the session lives on, our poll becomes its receiver
 * and waits, and leaving that one must end the session.
 */
async function sessionEnds(sessionId, polling) {
	const end = Date.now() + NOTICE_MS;
	let frame = 'c[2010';

	while (frame.startsWith('c[2010') && Date.now() < end) {
		frame = await latePoll(sessionId, polling ? BETWEEN_POLLS_MS : NOTICE_MS).catch((e) => {
			check(polling && e.name === 'TimeoutError', `a poll after the client left: ${e.message}`);
			return 'c[2010';
		});
	}
	check(frame === 'o' || frame.startsWith('c[1002'), `a poll after the client left got ${frame}`);
}

/*
 * Can a poll show that the client left?  A websocket is not in the map of ids,
 * and no browser takes back a script tag it asked for: jsonp stays until its answer.
 */
function leavesTrace({ wire }) {
	return wire !== 'jsonp' && wire !== 'websocket';
}

async function testClientClose(page, transport) {
	const id = `left-${transport.name}-${process.pid}`;
	const closed = await call(page, 'clientClose', `${server.url}/echo`, transport.name, id);

	equal(closed, '{"code":3001,"reason":"Enough","wasClean":true}', 'close event');
	if (leavesTrace(transport))
		await sessionEnds(id, transport.wire === 'xhr');
}

function testWire(page, transport) {
	equal([...page.seen.keys()], [transport.wire], 'receivers asked for');
	equal(page.seen.get(transport.wire), Boolean(transport.framed), 'asked from a frame');
}

async function testTransport(browser, transport) {
	const { name } = transport;
	const page = await pageFor(browser, transport);
	const echo = `${server.url}/echo`;

	for (const kind of ECHO_KINDS)
		await suite.test(`${name}: echoes ${kind}`, () => well(call(page, 'echo', echo, name, kind)));
	await suite.test(`${name}: sees the server close`, async () => {
		equal(await call(page, 'serverClose', `${server.url}/close`, name), GO_AWAY, 'close event');
	});
	await suite.test(`${name}: closes by itself${leavesTrace(transport) ? ', and the server notices' : ''}`, () => testClientClose(page, transport));
	await suite.test(`${name}: is what really went over the wire`, async () => testWire(page, transport));
	await page.context().close();
}

/* Two pages, two transports, each hears itself and the other exactly once. */
async function testBroadcast(browser, transport, partner, partnerName) {
	const page = await pageFor(browser, transport);
	const room = `${server.url}/broadcast`;
	const mine = `from ${transport.name} ünï 🚂`;
	const theirs = `to ${transport.name} ünï 🚂`;

	equal(await call(page, 'join', 'me', room, transport.name), transport.name, 'transport');
	await call(page, 'say', 'me', mine);
	await call(partner, 'say', partnerName, theirs);
	for (const text of [mine, theirs]) {
		equal(await call(page, 'heard', 'me', text), 1, `times ${transport.name} heard "${text}"`);
		equal(await call(partner, 'heard', partnerName, text), 1, `times ${partnerName} heard "${text}"`);
	}
	await call(page, 'leave', 'me');
	await page.context().close();
}

async function testBroadcasts(browser) {
	const partner = await openPage(browser, server.url);
	const room = `${server.url}/broadcast`;

	await call(partner, 'join', 'websocket', room, 'websocket');
	await call(partner, 'join', 'xhr-streaming', room, 'xhr-streaming');
	for (const transport of transports) {
		const other = transport.name === 'websocket' ? 'xhr-streaming' : 'websocket';
		await suite.test(`${transport.name}: talks to a page on ${other}`, () => testBroadcast(browser, transport, partner, other));
	}
	await partner.context().close();
}

/* CORS: the transports that need no frame, used from a page of another origin. */
async function testForeignOrigin(browser) {
	const page = await openPage(browser, elsewhere(server.url));

	for (const name of ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling', 'jsonp-polling'])
		await suite.test(`${name}: works from another origin`, () => well(call(page, 'echo', `${server.url}/echo`, name, 'plain')));
	await page.context().close();
}

async function testChoices(browser) {
	const page = await openPage(browser, server.url);

	await suite.test('auto takes websocket', async () => {
		equal(await call(page, 'chosen', `${server.url}/echo`), 'websocket', 'transport');
	});
	await suite.test('auto takes xhr-streaming where websocket is disabled', async () => {
		equal(await call(page, 'chosen', `${server.url}/disabled_websocket_echo`), 'xhr-streaming', 'transport');
	});
	await suite.test('a service that needs it sets the cookie JSESSIONID', async () => {
		await well(call(page, 'echo', `${server.url}/cookie_needed_echo`, 'xhr-streaming', 'plain'));
		const cookies = await page.context().cookies();
		equal(cookies.map((c) => [c.name, c.value]), [['JSESSIONID', 'dummy']], 'cookies');
	});
	await page.context().close();
}

/* All transports at once: the server goes, every page notices; it returns, every page comes back. */
async function testRestart(browser, signal) {
	const echo = `${server.url}/echo`;
	const pages = await Promise.all(transports.map((t) => pageFor(browser, t)));
	const notices = [];

	await suite.step(`all transports are connected before ${signal}`, async () => {
		const joined = await Promise.all(transports.map((t, i) => call(pages[i], 'join', 'me', echo, t.name)));
		equal(joined, transports.map((t) => t.name), 'transports');
	});
	transports.forEach((t, i) => notices.push(call(pages[i], 'gone', 'me').catch((e) => e.message)));
	await suite.step(`the server stops by ${signal}`, async () => {
		equal(await server.stop(signal), signal === 'SIGKILL' ? signal : 0, 'exit code');
	});
	await suite.step(`the server starts again on its port after ${signal}`, () => server.start());
	for (const [i, t] of transports.entries()) {
		await suite.test(`${t.name}: notices ${signal} and comes back`, async () => {
			const closed = await notices[i];
			check(closed?.code, `did not notice: ${JSON.stringify(closed)}`);
			await well(call(pages[i], 'comeBack', echo, t.name));
		});
	}
	await Promise.all(pages.map((p) => p.context().close()));
}

async function testDemo(browser) {
	await testPages(browser, server, suite, args.screenshots);
	await testStompPage(browser, server, suite, args.screenshots);
}

async function testOthers(browser, program) {
	await testOrigins(browser, program, suite);
	await withBroker(program, suite, async (url) => {
		await testStomp(browser, url, suite);
		await testStompPageWithLogins(browser, url, suite);
	});
}

async function main() {
	await server.start();
	const browser = await launch();

	try {
		for (const transport of transports)
			await testTransport(browser, transport);
		await testBroadcasts(browser);
		await testForeignOrigin(browser);
		await testChoices(browser);
		if (!args.production) /* they are about the demo's services */
			await testDemo(browser);
		if (program.endsWith('sockjsd') && !args.production) /* these have servers of their own */
			await testOthers(browser, program);
		if (server.restartable && /SIG|^$/.test(args.only ?? '')) {
			await testRestart(browser, 'SIGTERM');
			await testRestart(browser, 'SIGKILL');
		}
		await suite.step('the server is still there', async () => check(!server.died, 'it ended by itself'));
	} finally {
		await withDeadline(browser.close(), 10000, 'the browser closes').catch((e) => console.log(e.message));
		await suite.step('the server stops when asked', async () => {
			if (server.restartable)
				equal(await server.stop(), 0, 'exit code');
		});
	}
}

await suite.step('the tests run to their end', main, WHOLE_MS);
suite.finish();
