/*
 * stomp_page.mjs - the page of STOMP as a visitor uses it: two users, side by side.
 *
 * As in pages.mjs, what is asserted is what the page says, and a message on the console
 * is a failure.  Most of it at the demo; logins and what is refused at broker.mjs.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { PASSCODES, STAFF } from './broker.mjs';
import { check, equal, together } from './harness.mjs';
import { DESK, leave, PHONE, PICTURES_MS, says, visit } from './pages.mjs';

const USERS = ['one', 'two'];
const AT_A_TIME = 2;
const MOST_ROWS = 400;
const LONG = 'a long word, and another ';
/* Where the wide layout begins. */
const TABLET = { width: 820, height: 1100 };

const part = (user, name) => `#${user} [data-part=${name}]`;

function inState(page, user, state) {
	return page.waitForSelector(`#${user}[data-state=${state}]`);
}

/* Both connected, and all that they subscribe to has a receipt. */
async function settled(page) {
	for (const user of USERS) {
		await inState(page, user, 'open');
		await page.waitForFunction((id) => document.querySelectorAll(`#${id} .chip:not([data-state=active])`).length === 0, user);
	}
	return page;
}

async function bothConnected(browser, url, transports = {}, options = {}) {
	const hash = new URLSearchParams({ ...transports, connect: '' });

	return settled(await visit(browser, `${url}/stomp.html#${hash}`, options));
}

async function send(page, user, text, destination) {
	if (destination)
		await page.fill(part(user, 'destination'), destination);
	await page.fill(part(user, 'message'), text);
	await page.click(part(user, 'send'));
}

function row(page, user, command, text = '') {
	return page.locator(`#${user} .log li[data-command=${command}]`, { hasText: text });
}

function logged(page, user, command, text) {
	return row(page, user, command, text).first().waitFor();
}

/* ---- talking ---------------------------------------------------------------- */

async function talk(browser, url, transports) {
	const page = await bothConnected(browser, url, transports);

	for (const [user, transport] of Object.entries(transports))
		await says(page, part(user, 'used'), new RegExp(`^by ${transport.replace('raw-prefix', 'websocket')}$`));
	await send(page, 'one', 'fish & <chips> 世界 🚂', '/topic/chat');
	for (const user of USERS)
		await logged(page, user, 'MESSAGE', 'Adafish & <chips> 世界 🚂');
	await page.click(part('two', 'to-other'));
	check(/^\/user\/\w+\/queue\/notes$/.test(await page.inputValue(part('two', 'destination'))), 'Ada has an address of her own');
	await send(page, 'two', 'for Ada alone');
	await logged(page, 'one', 'MESSAGE', '/user/queue/notes Bobfor Ada alone');
	await page.click(part('one', 'to-other'));
	await send(page, 'one', 'for Bob alone');
	await logged(page, 'two', 'MESSAGE', '/user/queue/notes Adafor Bob alone');
	equal(await row(page, 'one', 'MESSAGE', 'for Bob alone').count(), 0, 'times Ada heard what is Bob\'s');
	await page.click('#both');
	for (const user of USERS)
		await inState(page, user, 'off');
	await leave(page);
}

async function receipts(browser, url) {
	const page = await bothConnected(browser, url);

	await send(page, 'one', 'with one');
	await row(page, 'one', 'SEND', 'with one').and(page.locator('.answered')).waitFor();
	check(/✓ [\d.]+ ms$/.test(await row(page, 'one', 'SEND', 'with one').locator('.meta').textContent()), 'how long it took');
	await logged(page, 'one', 'RECEIPT', 'of SEND');
	await says(page, part('one', 'receipt'), /^[\d.]+ ms$/);
	equal(await page.textContent(part('one', 'receipts')), '3 receipts', 'receipts');
	await page.uncheck(part('one', 'wants-receipt'));
	await send(page, 'one', 'without one');
	await logged(page, 'one', 'MESSAGE', 'without one');
	equal(await row(page, 'one', 'SEND', 'without one').locator('.header', { hasText: 'receipt:' }).count(), 0, 'receipts asked for');
	await page.click(part('one', 'connect'));
	await inState(page, 'one', 'off');
	await logged(page, 'one', 'RECEIPT', 'of DISCONNECT');
	await leave(page);
}

async function subscriptions(browser, url) {
	const page = await bothConnected(browser, url);
	const chip = page.locator('#one .chip', { hasText: '/topic/prices/*' });

	await page.fill(part('one', 'pattern'), '/topic/prices/*');
	await page.press(part('one', 'pattern'), 'Enter');
	await settled(page);
	await send(page, 'two', '1.2345', '/topic/prices/eur');
	await logged(page, 'one', 'MESSAGE', '1.2345');
	await chip.getByRole('button', { name: 'Unsubscribe /topic/prices/*' }).click();
	await logged(page, 'one', 'RECEIPT', 'of UNSUBSCRIBE');
	await send(page, 'two', '1.5432', '/topic/prices/eur');
	await row(page, 'two', 'SEND', '1.5432').and(page.locator('.answered')).waitFor();
	await send(page, 'two', 'the last', '/topic/chat');
	await logged(page, 'one', 'MESSAGE', 'the last');
	equal(await row(page, 'one', 'MESSAGE', '1.5432').count(), 0, 'messages of what is not subscribed any more');
	await leave(page);
}

/* ---- what goes wrong ---------------------------------------------------------- */

async function mistake(browser, url) {
	const page = await bothConnected(browser, url);
	const place = () => page.evaluate(() => document.querySelector('#two .frames').offsetTop);
	const before = await place();

	await page.click(part('two', 'to-nobody'));
	await send(page, 'two', 'oops');
	await inState(page, 'two', 'off');
	await says(page, part('two', 'trouble'), /^4633 Bad destination: \S+/);
	await logged(page, 'two', 'ERROR', '4633 Bad destination');
	await logged(page, 'two', 'closed', 'closed: 4633');
	equal(await place(), before, 'where the frames begin');
	equal(await page.textContent(part('two', 'session')), '–', 'session');
	check(await page.isDisabled(part('one', 'to-other')), 'nobody is there to send to');
	await send(page, 'one', 'still here', '/topic/chat');
	await logged(page, 'one', 'MESSAGE', 'still here');
	await page.click(part('two', 'connect'));
	await settled(page);
	equal(await page.textContent(part('two', 'trouble')), '', 'trouble');
	await leave(page);
}

async function outage(browser, server) {
	const page = await bothConnected(browser, server.url, { one: 'xhr-streaming', two: 'raw-prefix' });

	await server.stop();
	try {
		for (const user of USERS)
			await inState(page, user, 'waiting');
	} finally {
		await server.start(); /* the tests after this one need it */
	}
	await settled(page);
	await send(page, 'one', 'back again', '/topic/chat');
	await logged(page, 'two', 'MESSAGE', 'back again');
	/* Refused connections are told on the console; here they are no fault of the page. */
	await page.context().close();
}

async function withoutLibrary(browser, url) {
	const page = await visit(browser, `${url}/live.html`);

	await page.route('**/stomp.umd.min.js', (route) => route.fulfill({ status: 200, contentType: 'text/javascript', body: '' }));
	await page.goto(`${url}/stomp.html#connect`);
	for (const user of USERS) {
		await says(page, part(user, 'trouble'), /stomp\.umd\.min\.js is missing/);
		check(await page.isDisabled(part(user, 'connect')), 'nobody can connect');
	}
	check(await page.isDisabled('#both'), 'nor both');
	await leave(page);
}

/* ---- how it is to be used ------------------------------------------------------ */

async function changeTrains(browser, url) {
	const page = await bothConnected(browser, url);

	for (const transport of ['jsonp-polling', 'websocket', 'iframe-eventsource']) {
		await page.selectOption(part('two', 'transport'), transport);
		await says(page, part('two', 'used'), new RegExp(`^by ${transport}$`));
		await settled(page);
		await send(page, 'two', `hello by ${transport}`, '/topic/chat');
		await logged(page, 'one', 'MESSAGE', `hello by ${transport}`);
	}
	check(page.url().endsWith('#one=raw-prefix&two=iframe-eventsource'), `the address keeps the choice: ${page.url()}`);
	await leave(page);
}

async function keyboard(browser, url) {
	const page = await visit(browser, `${url}/stomp.html`);

	await page.focus(part('one', 'name'));
	await page.keyboard.press('Enter');
	await inState(page, 'one', 'open');
	await page.locator('#one .chip button').first().focus(); /* of the chat, in which others talk */
	await page.keyboard.press('Enter');
	equal(await page.evaluate(() => document.activeElement.dataset.part), 'pattern', 'focus behind a chip that goes');
	await page.fill(part('one', 'destination'), `/user/${await page.textContent(part('one', 'session'))}/queue/notes`);
	await page.focus(part('one', 'message'));
	await page.keyboard.type('typed');
	await page.keyboard.press('Enter');
	await logged(page, 'one', 'MESSAGE', 'typed');
	await says(page, part('one', 'heard'), /^Ada to \/user\/queue\/notes: typed$/);
	const nameless = await page.$$eval('button, input, select', (all) => all
		.filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || [...e.labels ?? []].some((l) => l.textContent.trim())))
		.map((e) => e.outerHTML));
	equal(nameless, [], 'controls without a name');
	await leave(page);
}

/* Whatever is said, lists have an end, and nothing is wider than the screen. */
async function bounded(browser, url) {
	const page = await bothConnected(browser, url, {}, { viewport: PHONE });

	await page.fill(part('one', 'destination'), '/topic/flood');
	await page.evaluate(([times, text]) => {
		for (let i = 0; i < times; i++) {
			document.querySelector('#one [data-part=message]').value = text;
			document.querySelector('#one [data-part=compose]').requestSubmit();
		}
	}, [MOST_ROWS / 2, LONG.repeat(20)]);
	await send(page, 'one', 'x'.repeat(9999), `/topic/${'segment'.repeat(30)}`);
	await send(page, 'one', 'the last', '/topic/chat');
	await logged(page, 'two', 'MESSAGE', 'the last');
	for (const user of USERS)
		check(await page.locator(`#${user} .log li`).count() <= MOST_ROWS, 'rows of the list');
	const longest = await page.$$eval('.log .text', (all) => Math.max(...all.map((e) => e.textContent.length)));
	check(longest <= 201, `the longest body that is shown has ${longest} units`);
	equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width, 'width');
	await leave(page);
}

async function colours(browser, url) {
	const seen = [];

	for (const colorScheme of ['light', 'dark']) {
		const page = await visit(browser, `${url}/stomp.html`, { colorScheme });
		seen.push(await page.evaluate(() => ['.user', '.user input', '.opening'].map((s) => {
			const { backgroundColor, color } = getComputedStyle(document.querySelector(s));
			return `${color} on ${backgroundColor}`;
		})));
		await leave(page);
	}
	seen[0].forEach((light, i) => check(light !== seen[1][i], `dark is another than light: ${light}`));
}

async function startPageLeads(browser, url) {
	const page = await visit(browser, `${url}/`);

	await page.click('.services-section a[href^="stomp.html"]');
	await settled(page);
	await page.click('nav >> text=Live');
	await page.click('nav >> text=STOMP');
	await page.waitForSelector('#two[data-state=off]');
	await leave(page);
}

/* ---- at broker.mjs ---------------------------------------------------------------- */

async function logins(browser, url) {
	const page = await visit(browser, `${url}/stomp.html`);

	await page.fill(part('one', 'passcode'), PASSCODES.Ada);
	await page.fill(part('two', 'passcode'), 'wrong');
	await page.click('#both');
	await says(page, part('one', 'identity'), /^user Ada$/);
	await inState(page, 'two', 'off');
	await says(page, part('two', 'trouble'), /^4620 Not authenticated/);
	check(!(await page.content()).includes(PASSCODES.Ada), 'no passcode is shown');
	await page.fill(part('two', 'passcode'), PASSCODES.Bob);
	await page.locator('#two .chip', { hasText: '/topic/**' }).getByRole('button').click();
	await page.click(part('two', 'connect'));
	await says(page, part('two', 'identity'), /^user Bob$/);
	await send(page, 'two', 'hello, whoever is Ada', '/user/Ada/queue/notes');
	await logged(page, 'one', 'MESSAGE', 'hello, whoever is Ada');
	await leave(page);
}

async function refusedSubscription(browser, url) {
	const page = await visit(browser, `${url}/stomp.html`);
	const chip = page.locator('#one .chip', { hasText: STAFF });

	await page.click(part('one', 'connect'));
	await inState(page, 'one', 'open');
	await page.fill(part('one', 'pattern'), STAFF);
	await page.press(part('one', 'pattern'), 'Enter');
	await inState(page, 'one', 'off');
	await says(page, part('one', 'trouble'), /^4630 Access denied/);
	await page.locator('#one .chip[data-state=refused]', { hasText: STAFF }).waitFor();
	await page.click(part('one', 'connect'));
	await says(page, part('one', 'receipts'), /^2 receipts$/);
	equal(await page.getAttribute('#one', 'data-state'), 'open', 'state without what was refused');
	await chip.getByRole('button').click();
	await says(page, part('one', 'receipts'), /^2 receipts$/);
	await leave(page);
}

async function heartBeats(browser, url, transport) {
	const page = await visit(browser, `${url}/stomp.html#one=${transport}`);

	await page.click(part('one', 'connect'));
	await says(page, part('one', 'beats'), /^→ 1 s ← 1 s$/);
	await says(page, part('one', 'beat-counts'), /^→ [2-9] ← [2-9] so far$/);
	equal(await page.locator('#one .log li[data-command=beats]').count(), 1, 'rows of heart-beats');
	for (const dir of ['in', 'out'])
		check(await page.locator(`#one .ticks .${dir}`).count() >= 2, `ticks of heart-beats, ${dir}`);
	equal(await page.getAttribute('#one', 'data-state'), 'open', 'state');
	await leave(page);
}

/* ---- pictures ------------------------------------------------------------------------ */

async function picture(browser, url, dir, [device, viewport], colorScheme) {
	const page = await bothConnected(browser, url, {}, { viewport, colorScheme });

	await send(page, 'one', 'Hello, everybody. Grüße, 世界 🚂');
	await send(page, 'two', 'Hello, Ada');
	await page.click(part('one', 'to-other'));
	await send(page, 'one', 'for your eyes only');
	await logged(page, 'two', 'MESSAGE', 'for your eyes only');
	await page.screenshot({ path: path.join(dir, `stomp-${device}-${colorScheme}.png`), fullPage: true });
	await leave(page);
}

async function pictures(browser, url, dir) {
	await mkdir(dir, { recursive: true });
	for (const device of [['phone', PHONE], ['tablet', TABLET], ['desk', DESK]]) {
		for (const colorScheme of ['light', 'dark'])
			await picture(browser, url, dir, device, colorScheme);
	}
}

export async function testStompPage(browser, server, suite, screenshots) {
	const { url } = server;
	const test = (name, body, ms) => suite.test(`stomp page: ${name}`, body, ms);

	await together(AT_A_TIME, [
		() => test('two users talk by topic and each to the other alone', () => talk(browser, url, { one: 'raw-prefix', two: 'xhr-streaming' })),
		() => test('so they do by polling and without SockJS', () => talk(browser, url, { one: 'xhr-polling', two: 'raw-prefix' })),
		() => test('a receipt is told beside what it is of', () => receipts(browser, url)),
		() => test('a pattern is subscribed and unsubscribed', () => subscriptions(browser, url)),
		() => test('a mistake ends one connection, says why, and nothing moves', () => mistake(browser, url)),
		() => test('changes trains while it is connected', () => changeTrains(browser, url)),
		() => test('works by keyboard, and every control has a name', () => keyboard(browser, url)),
		() => test('a phone of 360 px is wide enough, lists have an end', () => bounded(browser, url)),
		() => test('is light and dark', () => colours(browser, url)),
		() => test('says when its library is missing', () => withoutLibrary(browser, url)),
		() => test('the start page leads there', () => startPageLeads(browser, url)),
	]);
	if (server.restartable)
		await test('comes back after an outage, with its subscriptions', () => outage(browser, server));
	if (screenshots)
		await test(`screenshots are in ${screenshots}`, () => pictures(browser, url, screenshots), PICTURES_MS);
}

export async function testStompPageWithLogins(browser, url, suite) {
	const test = (name, body) => suite.test(`stomp page: ${name}`, body);

	await together(AT_A_TIME, [
		() => test('a login is used, and a wrong one refused', () => logins(browser, url)),
		() => test('a subscription that is refused is not tried again', () => refusedSubscription(browser, url)),
		...['raw-prefix', 'xhr-streaming'].map((transport) => () => test(`heart-beats are ticks, both ways: ${transport}`,
			() => heartBeats(browser, url, transport))),
	]);
}
