/*
 * stomp.mjs - @stomp/stompjs in Chromium, over a WebSocket and over every transport of
 * sockjs-client, at the gateway of broker.mjs.
 */
import { fileURLToPath } from 'node:url';
import { BEAT_MS, STAFF } from './broker.mjs';
import { call, elsewhere, openPage, transports } from './browser.mjs';
import { check, equal, together } from './harness.mjs';

const CLIENT = fileURLToPath(new URL('stomp_client.js', import.meta.url));
const FORBIDDEN = 4630;
/* A bare WebSocket to the prefix: what a client of STOMP does by itself. */
const LINES = [{ name: 'bare websocket', transport: null }, ...transports.map((t) => ({ ...t, transport: t.name }))];
const AT_A_TIME = 2;

async function openStompPage(browser, url, framed) {
	const page = await openPage(browser, framed ? elsewhere(url) : url);

	await page.addScriptTag({ url: `${url}/stomp.umd.min.js` });
	await page.addScriptTag({ path: CLIENT });
	return page;
}

async function well(promise) {
	const complaint = await promise;

	check(complaint === null, String(complaint));
}

async function refuses(page, broker, transport) {
	equal(await call(page, 'refusal', broker, transport, STAFF),
		{ code: String(FORBIDDEN), receipt: 'never', closed: FORBIDDEN }, 'refusal');
}

async function testLine(browser, url, suite, { name, transport, framed }) {
	const broker = `${url}/stomp`;
	const page = await openStompPage(browser, url, framed);

	await suite.test(`stompjs, ${name}: 200 messages in order, receipts, and deactivate() ends`,
		() => well(call(page, 'conversation', broker, transport)));
	await Promise.all([
		suite.test(`stompjs, ${name}: heart-beats keep the connection`, () => well(call(page, 'heartBeats', broker, transport, BEAT_MS))),
		suite.test(`stompjs, ${name}: ERROR says what is refused, and the connection ends with its code`, () => refuses(page, broker, transport)),
	]);
	await page.context().close();
}

export function testStomp(browser, url, suite) {
	return together(AT_A_TIME, LINES.map((line) => () => testLine(browser, url, suite, line)));
}
