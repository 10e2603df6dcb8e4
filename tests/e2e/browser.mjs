/*
 * browser.mjs - Chromium, and pages in it that carry the test client.
 *
 * Each page is a browser context of its own: contexts share no connections, so
 * that the six per host of one do not starve another.
 *
 * Which transports Chromium can be made to use (sockjs-client 1.6.1, by its
 * source): all but xdr-streaming and xdr-polling, which need XDomainRequest of
 * Internet Explorer.  htmlfile does without ActiveX: it then uses a plain hidden
 * frame, on the same origin only.  The iframe forms wrap eventsource, htmlfile
 * and xhr-polling and are enabled everywhere; they are meant for a page of
 * another origin, so their page is opened on http://localhost and connects to
 * http://127.0.0.1.
 */
import { chromium } from 'playwright-core';
import { fileURLToPath } from 'node:url';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
	'--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--host-resolver-rules=MAP localhost 127.0.0.1, MAP *.test 127.0.0.1'];
const CLIENT = fileURLToPath(new URL('client.js', import.meta.url));

/* `wire` is the last part of the address that its receiver asks for. */
export const transports = [
	{ name: 'websocket', wire: 'websocket' },
	{ name: 'xhr-streaming', wire: 'xhr_streaming' },
	{ name: 'eventsource', wire: 'eventsource' },
	{ name: 'iframe-eventsource', wire: 'eventsource', framed: true },
	{ name: 'htmlfile', wire: 'htmlfile' },
	{ name: 'iframe-htmlfile', wire: 'htmlfile', framed: true },
	{ name: 'xhr-polling', wire: 'xhr' },
	{ name: 'iframe-xhr-polling', wire: 'xhr', framed: true },
	{ name: 'jsonp-polling', wire: 'jsonp' },
];

const RECEIVERS = new Set(transports.map((t) => t.wire));

export function launch(more = []) {
	return chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: [...FLAGS, ...more] });
}

/* The same server by another name is another origin. */
export function elsewhere(url) {
	return url.replace('127.0.0.1', 'localhost');
}

/* Notes which receivers the page really asked for, and whether from a frame. */
function watchWire(page) {
	const seen = new Map();
	const note = (address, framed) => {
		const match = /\/[^/.]+\/[^/.]+\/([a-z_]+)$/.exec(new URL(address).pathname);
		if (match && RECEIVERS.has(match[1]))
			seen.set(match[1], framed);
	};

	page.on('websocket', (ws) => note(ws.url(), false));
	page.on('request', (request) => {
		/* A navigation of a frame is the frame's own: htmlfile asks from its parent. */
		const frame = request.isNavigationRequest() ? request.frame().parentFrame() : request.frame();
		note(request.url(), Boolean(frame?.parentFrame()));
	});
	return seen;
}

/*
 * A bare page of the server with the client in it: the greeting of /echo, since
 * every SockJS server has it and it carries no policy of its own.  Or a page of
 * another server; then the client comes from `library`.
 */
export async function openPage(browser, origin, path = '/echo', library = origin) {
	const context = await browser.newContext();
	const page = await context.newPage();

	page.seen = watchWire(page);
	await page.goto(origin + path);
	await page.addScriptTag({ url: `${library}/sockjs.min.js` });
	await page.addScriptTag({ path: CLIENT });
	return page;
}

/* Calls e2e.NAME(...args) in the page. */
export function call(page, name, ...args) {
	return page.evaluate(([n, a]) => globalThis.e2e[n](...a), [name, args]);
}
