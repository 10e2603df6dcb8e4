/*
 * origins.mjs - whose pages may use a session over plain http, where browsers send
 * no Sec-Fetch-Site: a gateway with every default, reached by a name, and pages of its own,
 * of a friend and of a stranger.
 */
import { createServer } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { call, openPage, transports } from './browser.mjs';
import { check, equal, Server } from './harness.mjs';

const LIBRARY = fileURLToPath(import.meta.resolve('sockjs-client/dist/sockjs.min.js'));
/* On plain http the page of htmlfile sets document.domain, so that it sees no page around it but one that does so too: ours, iframe.html. */
const NAMES = transports.map((t) => t.name).filter((name) => name !== 'htmlfile');

/* Pages without anything, for any host that is asked for. */
async function servePages() {
	const pages = createServer((req, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>page</title>'));

	pages.listen(0, '127.0.0.1');
	await once(pages, 'listening');
	return pages;
}

/* How a script or a frame of such an address ends in this page, and what it has called meanwhile. */
function load(page, tag, url, policy) {
	return page.evaluate(([name, src, referrerPolicy]) => new Promise((resolve) => {
		const element = Object.assign(document.createElement(name), { src, referrerPolicy });
		const stolen = [];

		globalThis.steal = (frame) => stolen.push(frame);
		element.onload = () => resolve(stolen);
		element.onerror = () => resolve(stolen);
		document.body.append(element);
	}), [tag, url, policy]);
}

async function stealsNothing(browser, gateway, stranger) {
	const context = await browser.newContext();
	const page = await context.newPage();
	const answers = new Map();

	page.on('response', (response) => answers.set(new URL(response.url()).pathname, response.status()));
	await page.goto(stranger);
	for (const policy of ['', 'no-referrer', 'unsafe-url']) {
		for (const [tag, wire] of [['script', 'jsonp'], ['iframe', 'htmlfile']]) {
			const path = `/own/000/stolen-${policy || 'default'}/${wire}`;

			equal(await load(page, tag, `${gateway}${path}?c=steal`, policy), [], `what ${wire} has told the page`);
			equal(answers.get(path), 403, `the answer to ${wire} (referrer policy "${policy}")`);
		}
	}
	await context.close();
}

async function works(page, base, name) {
	const complaint = await call(page, 'echo', base, name, 'plain');

	check(complaint === null, String(complaint));
}

/* `program` is that of the gateway. */
export async function testOrigins(browser, program, suite) {
	const pages = await servePages();
	const folder = mkdtempSync(join(tmpdir(), 'origins-'));
	const friend = `http://friend.test:${pages.address().port}`, stranger = `http://stranger.test:${pages.address().port}`;
	const file = join(folder, 'sockjsd.json');

	writeFileSync(file, JSON.stringify({ listen: ['127.0.0.1:0'], client_library: LIBRARY, allowed_hosts: ['gateway.test'], endpoints: [
		{ prefix: '/own', application: 'echo' }, { prefix: '/friends', application: 'echo', allowed_origins: [friend] }] }));
	const server = new Server({ server: `${program} -c ${file} --log-level warn` });

	try {
		await server.start();
		const gateway = server.url.replace('127.0.0.1', 'gateway.test');
		const own = await openPage(browser, gateway, '/own');

		for (const name of NAMES)
			await suite.test(`${name}: works for a page of the gateway's own, on plain http`, () => works(own, `${gateway}/own`, name));
		const visitor = await openPage(browser, friend, '/', gateway);

		for (const name of NAMES)
			await suite.test(`${name}: works for a page that is allowed, on plain http`, () => works(visitor, `${gateway}/friends`, name));
		await suite.test('a page that is not allowed reads no session by a script or a frame', () => stealsNothing(browser, gateway, stranger));
		await own.context().close();
		await visitor.context().close();
	} finally {
		await suite.step('the gateway with every default stops when asked', async () => equal(await server.stop(), 0, 'exit code'));
		pages.close();
		rmSync(folder, { recursive: true });
	}
}
