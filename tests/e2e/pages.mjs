/*
 * pages.mjs - the start page and the live page of www/ as a visitor uses them.
 *
 * Buttons are pressed, keys are typed, and what is asserted is what the page
 * says.  Both pages must work under their own content security policy, so a
 * message on the console is a failure.
 */
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { transports } from './browser.mjs';
import { check, equal, patient } from './harness.mjs';

const WAIT_MS = patient(15000);
export const PICTURES_MS = 200000;
export const PHONE = { width: 360, height: 740 };
export const DESK = { width: 1440, height: 900 };
const README = fileURLToPath(new URL('../../README.md', import.meta.url));
/* The page's own transports: without sockjs-client. */
const RAW = { 'raw-websocket': '/websocket', 'raw-prefix': '' };

export async function visit(browser, url, options = {}) {
	const context = await browser.newContext({ viewport: DESK, reducedMotion: 'reduce', ...options });
	const page = await context.newPage();

	page.complaints = [];
	page.hosts = new Set();
	page.setDefaultTimeout(WAIT_MS);
	page.on('console', (m) => m.type() === 'error' && page.complaints.push(m.text()));
	page.on('pageerror', (e) => page.complaints.push(e.message));
	page.on('request', (r) => page.hosts.add(new URL(r.url()).host));
	await page.goto(url);
	return page;
}

export async function leave(page) {
	const { complaints } = page;

	await page.context().close();
	equal(complaints, [], 'complaints on the console');
}

export function says(page, selector, pattern) {
	return page.waitForFunction(([s, p]) => new RegExp(p).test(document.querySelector(s)?.textContent ?? ''), [selector, pattern.source])
		.catch(async () => {
			throw new Error(`${selector} says "${await page.textContent(selector)}", not ${pattern}`);
		});
}

/* The first of these is to be seen, or not any more, perhaps in a moment. */
export async function shows(page, selector, what) {
	await page.locator(selector).first().waitFor({ state: 'visible' }).catch(() => check(false, what));
}

export async function hides(page, selector, what) {
	await page.locator(selector).first().waitFor({ state: 'hidden' }).catch(() => check(false, what));
}

function inState(page, state) {
	return page.waitForSelector(`main[data-state=${state}]`);
}

function ride(page, transport) {
	return says(page, '#transport-used', new RegExp(`^by ${transport}$`));
}

async function send(page, text) {
	await page.fill('#message', text);
	await page.click('#send');
}

function logged(page, dir, text) {
	return page.locator(`#log li[data-dir=${dir}]`, { hasText: text }).first().waitFor();
}

/* Changing the service or the transport while connected boards the new line by itself. */
function pick(page, group, value) {
	return page.check(`[name=${group}][value=${value}]`, { force: true });
}

/* ---- tests ---------------------------------------------------------------- */

async function startPage(browser, url) {
	const page = await visit(browser, `${url}/`);

	check(/sockjsd/.test(await page.title()), 'title');
	await shows(page, 'svg.map-wide', 'the map is to be seen');
	equal([...page.hosts], [new URL(url).host], 'hosts asked');
	await page.click('text=Try it live');
	await ride(page, 'websocket');
	await leave(page);
}

/* The first block of code in a chapter. */
function blockOf(text, chapter) {
	const match = new RegExp(`^## ${chapter}$[^]*?^\`\`\`\\w+\\n([^]*?)^\`\`\``, 'm').exec(text);

	check(match, `README.md has code in "${chapter}"`);
	return match[1];
}

async function startPageTells(browser, url) {
	const readme = await readFile(README, 'utf8');
	const page = await visit(browser, `${url}/`);
	const version = (await (await fetch(`${url}/version.txt`)).text()).trim();

	check(/^\d+\.\d+\.\d+/.test(version), `a version: ${version}`);
	await says(page, '#version', new RegExp(`sockjsd ${version.replaceAll('.', '\\.')}`));
	await shows(page, '#version', 'the version is to be seen');
	const commands = blockOf(readme, 'Two commands').trim().split('\n').map((line) => line.replace(/\s*#.*/, ''));
	equal(await page.locator('.commands pre').allTextContents(), commands, 'commands');
	equal(await page.textContent('#snippet-c'), blockOf(readme, 'A service in C'), 'the service in C');
	equal(await page.textContent('#snippet-configuration'), blockOf(readme, 'A configuration'), 'the configuration');
	await shows(page, 'a[href$="/doc/upstream.md"]', 'a link to documentation');
	await shows(page, 'a[href="https://github.com/sockjsd/sockjsd"]', 'a link to the source');
	await leave(page);
}

/* Whoever copies it gets an echo. */
async function pageSnippetWorks(browser, url) {
	const page = await visit(browser, `${url}/`);
	const snippet = await page.textContent('#snippet-page');
	const said = [];

	await page.context().close();
	const bare = await visit(browser, `${url}/echo`);
	bare.on('console', (m) => said.push(m.text()));
	const heard = bare.waitForEvent('console', (m) => m.text() === 'hello');
	await bare.setContent(snippet);
	await heard;
	equal(said, ['hello'], 'what the snippet says');
	await leave(bare);
}

async function liveEcho(browser, url) {
	const page = await visit(browser, `${url}/live.html`);

	equal(await page.textContent('#connect'), 'Connect', 'button');
	await page.click('#connect');
	await ride(page, 'websocket');
	await send(page, 'fish & <chips>');
	await logged(page, 'out', 'fish & <chips>');
	await logged(page, 'in', 'fish & <chips>');
	await says(page, '#rtt', /^\d+(\.\d)?$/);
	check(Number(await page.textContent('#sent')) >= 1, 'sent is counted');
	check(await page.getAttribute('#spark polyline', 'points'), 'the sparkline is drawn');
	await page.click('#connect');
	await inState(page, 'off');
	await logged(page, 'in', 'closed: 1000');
	await leave(page);
}

async function liveUnicodeAndBurst(browser, url) {
	const page = await visit(browser, `${url}/live.html#service=echo&transport=xhr-streaming&connect`);

	await ride(page, 'xhr-streaming');
	await page.click('#unicode');
	await logged(page, 'in', '世界');
	await page.fill('#burst-count', '5');
	await page.click('#burst');
	await says(page, '#verdict', /^5 × 100 KiB came back in/);
	equal(await page.locator('#log li.bad').count(), 0, 'echoes that differ');
	check(!/differ/.test(await page.textContent('#bytes-received')), 'no mismatch is counted');
	await leave(page);
}

async function liveTransports(browser, url) {
	const page = await visit(browser, `${url}/live.html`);

	await page.click('#connect');
	await inState(page, 'open');
	for (const { name } of transports) {
		await pick(page, 'transport', name);
		await ride(page, name);
		await send(page, `hello by ${name}`);
		await logged(page, 'in', `hello by ${name}`);
	}
	await leave(page);
}

async function liveRaw(browser, url) {
	const page = await visit(browser, `${url}/live.html`);
	const asked = [];

	page.on('websocket', (ws) => asked.push(new URL(ws.url()).pathname));
	for (const name of Object.keys(RAW)) {
		await pick(page, 'transport', name);
		if (asked.length === 0)
			await page.click('#connect');
		await ride(page, name);
		await send(page, `hello by ${name}`);
		await page.locator('#log li[data-dir=in][data-type=m]', { hasText: `hello by ${name}` }).waitFor();
		await page.click('#unicode');
		await page.locator('#log li[data-dir=in]', { hasText: '世界' }).last().waitFor();
	}
	equal(await page.locator('#log li.bad').count(), 0, 'echoes that differ');
	equal(asked, Object.values(RAW).map((place) => `/echo${place}`), 'WebSockets');
	await pick(page, 'service', 'close');
	await logged(page, 'in', 'closed: 3000 Go away!');
	await leave(page);
}

async function liveChat(browser, url) {
	const one = await visit(browser, `${url}/live.html#service=broadcast&transport=websocket&connect`);
	const two = await visit(browser, `${url}/live.html#service=broadcast&transport=jsonp-polling&connect`);

	await Promise.all([inState(one, 'open'), inState(two, 'open')]);
	await one.fill('#name', 'Ada');
	await two.fill('#name', 'Bob');
	await send(one, 'is anybody there?');
	await logged(two, 'in', 'Adais anybody there?');
	await send(two, 'yes, by script tags');
	await logged(one, 'in', 'Bobyes, by script tags');
	await leave(one);
	await leave(two);
}

async function liveServices(browser, url) {
	const page = await visit(browser, `${url}/live.html#service=amplify&transport=auto&connect`);

	await inState(page, 'open');
	await send(page, '11');
	await page.locator('#log li[data-dir=in]', { hasText: '2.0 KiB' }).waitFor();
	await pick(page, 'service', 'ticker');
	await logged(page, 'in', 'tick');
	check(await page.isDisabled('#send'), 'nothing can be sent to the ticker');
	await pick(page, 'service', 'close');
	await logged(page, 'in', 'closed: 3000 Go away!');
	/* This service means it: no new attempt, although "reconnect" is ticked. */
	await inState(page, 'off');
	check(await page.isChecked('#reconnect'), 'reconnect is ticked');
	await leave(page);
}

async function liveKeyboard(browser, url) {
	const page = await visit(browser, `${url}/live.html`);

	await page.focus('[name=transport]:checked');
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('Enter');
	await ride(page, 'xhr-streaming');
	await page.focus('#message');
	await page.keyboard.type('typed');
	await page.keyboard.press('Enter');
	await logged(page, 'in', 'typed');
	const nameless = await page.$$eval('button, input', (all) => all
		.filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || [...e.labels ?? []].some((l) => l.textContent.trim())))
		.map((e) => e.outerHTML));
	equal(nameless, [], 'controls without a name');
	await leave(page);
}

async function themes(browser, url) {
	const page = await visit(browser, `${url}/live.html`, { colorScheme: 'light' });
	const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	const light = await paper();

	await page.click('#theme');
	const dark = await paper();
	check(light !== dark, `the button changes the colours (${light})`);
	await page.reload();
	equal(await paper(), dark, 'the choice is kept');
	await page.click('#theme');
	equal(await paper(), light, 'and can be taken back');
	await page.emulateMedia({ colorScheme: 'dark' });
	equal(await paper(), light, 'the choice outranks the system');
	await leave(page);
}

async function fitsPhone(browser, url) {
	for (const file of ['', 'live.html#service=broadcast&transport=auto&connect']) {
		const page = await visit(browser, `${url}/${file}`, { viewport: PHONE });
		equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width, `width of /${file}`);
		await leave(page);
	}
}

/* The server is away for longer than some attempts take. */
async function oneOutage(browser, server, transport) {
	const page = await visit(browser, `${server.url}/live.html#service=echo&transport=${transport}&connect`);
	const closings = page.locator('#log li[data-type=c]');

	await inState(page, 'open');
	await says(page, '#rtt', /^\d/);
	await server.stop();
	try {
		await inState(page, 'waiting');
		await says(page, '#countdown', /^Try 3 in \d s$/);
		equal(await page.textContent('#state'), 'Cut off', 'state');
		equal(await page.textContent('#rtt'), '–', 'round trip');
		equal(await page.textContent('#rtt-summary'), 'no answers yet', 'round trips');
		equal(await page.textContent('#uptime'), '–', 'time connected');
	} finally {
		await server.start(); /* the tests after this one need it */
	}
	await page.click('#try-now', { timeout: 2000 }).catch(() => {}); /* it may be trying already */
	await inState(page, 'open');
	await hides(page, '#outage', 'no countdown any more');
	equal(await page.textContent('#reconnects'), '1 cut', 'cuts');
	equal(await closings.count(), 1, 'closings in the list');
	await send(page, 'back again');
	await logged(page, 'in', 'back again');
	/* Refused connections are told on the console; here they are no fault of the page. */
	await page.context().close();
}

async function neverThere(browser, server) {
	const page = await visit(browser, `${server.url}/live.html`);

	await server.stop();
	try {
		await page.click('#connect');
		await says(page, '#countdown', /^Try 2 in \d s$/);
		equal(await page.textContent('#state'), 'No connection', 'state');
		equal(await page.textContent('#reconnects'), 'no cuts', 'cuts');
		await page.click('#connect'); /* Stop */
		await inState(page, 'off');
		await hides(page, '#outage', 'no countdown any more');
	} finally {
		await server.start();
	}
	await page.context().close();
}

/* ---- pictures ---------------------------------------------------------------- */

async function picture(browser, url, dir, [device, viewport], colorScheme) {
	const page = await visit(browser, `${url}/`, { viewport, colorScheme });

	await page.screenshot({ path: path.join(dir, `start-${device}-${colorScheme}.png`), fullPage: true });
	await page.goto(`${url}/live.html#service=echo&transport=auto&connect`);
	await inState(page, 'open');
	await send(page, 'Hello, gateway');
	await page.click('#unicode');
	await page.fill('#burst-count', '6');
	await page.click('#burst');
	await says(page, '#verdict', /came back/);
	await send(page, 'and good-bye');
	await says(page, '#rtt-summary', /median of [6-9]/);
	await page.screenshot({ path: path.join(dir, `live-${device}-${colorScheme}.png`), fullPage: device === 'phone' });
	await leave(page);
}

async function pictures(browser, url, dir) {
	await mkdir(dir, { recursive: true });
	for (const device of [['phone', PHONE], ['desk', DESK]]) {
		for (const colorScheme of ['light', 'dark'])
			await picture(browser, url, dir, device, colorScheme);
	}
}

export async function testPages(browser, server, suite, screenshots) {
	const { url } = server;

	await suite.test('start page: map, no foreign hosts, leads to the live page', () => startPage(browser, url));
	await suite.test('start page: commands and snippets are those of the README, the version is the server\'s', () => startPageTells(browser, url));
	await suite.test('start page: its page snippet works as it stands', () => pageSnippetWorks(browser, url));
	await suite.test('live page: connects, echoes, shows the round trip, disconnects', () => liveEcho(browser, url));
	await suite.test('live page: unicode and a burst come back unharmed', () => liveUnicodeAndBurst(browser, url));
	await suite.test('live page: changes to every transport', () => liveTransports(browser, url));
	await suite.test('live page: rides the raw WebSocket, at /websocket and at the prefix', () => liveRaw(browser, url));
	await suite.test('live page: two visitors chat on different transports', () => liveChat(browser, url));
	await suite.test('live page: amplify, ticker and close', () => liveServices(browser, url));
	await suite.test('live page: works by keyboard, and every control has a name', () => liveKeyboard(browser, url));
	await suite.test('pages: the colour button works and is remembered', () => themes(browser, url));
	await suite.test('pages: fit a phone of 360 px', () => fitsPhone(browser, url));
	if (server.restartable) {
		for (const transport of ['auto', 'xhr-polling', 'raw-prefix'])
			await suite.test(`live page: an outage is one cut, with a countdown, and the way back: ${transport}`, () => oneOutage(browser, server, transport));
		await suite.test('live page: a server that is not there is no cut', () => neverThere(browser, server));
	}
	if (screenshots)
		await suite.test(`screenshots are in ${screenshots}`, () => pictures(browser, url, screenshots), PICTURES_MS);
}
