/*
 * example_pages.mjs - the pages of examples/stomp and examples/hooks as visitors use them.
 *
 * As in tests/e2e/pages.mjs, what is asserted is what the page says, and a message on the console is a failure.
 */
import { check, equal, together } from '../e2e/harness.mjs';
import { leave, PHONE, says, visit } from '../e2e/pages.mjs';

const KEPT = 20; /* messages of a room, by sockjsd.json */
const CUT_MS = 10000; /* by rooms.js */
const ANY = '[a-z-]+'; /* transport: sockjs-client takes the next one when a busy machine is slow */
export const PAGE_MS = 90000; /* some pages are opened, and the machine may have other work */
const OWN_LOG = '.log:not([hidden])';

function inState(page, state) {
	return page.waitForSelector(`body[data-state=${state}]`);
}

async function say(page, ...texts) {
	await page.evaluate((all) => {
		for (const text of all) {
			document.querySelector('#text').value = text;
			document.querySelector('#say').requestSubmit();
		}
	}, texts);
}

function hears(page, text, log = OWN_LOG) {
	return page.locator(`${log} li`, { hasText: text }).first().waitFor();
}

function rows(page, selector) {
	return page.$$eval(`${OWN_LOG} ${selector}`, (all) => all.map((e) => e.textContent));
}

async function nothingIsWider(page) {
	equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width, 'width');
}

async function everyControlHasAName(page) {
	const nameless = await page.$$eval('button, input, select', (all) => all
		.filter((e) => !(e.textContent.trim() || [...e.labels ?? []].some((l) => l.textContent.trim())))
		.map((e) => e.outerHTML));

	equal(nameless, [], 'controls without a name');
}

/* --- examples/stomp ---------------------------------------------------------------------- */

async function connect(browser, url, name, { transport = '', room, ...options } = {}) {
	const page = await visit(browser, `${url}#${name}`, options);

	await page.selectOption('#transport', transport);
	if (room)
		await page.check(`[name=room][value=${room}]`, { force: true });
	await page.click('#toggle');
	await inState(page, 'open');
	await says(page, '#status', new RegExp(`^${name}, connected by ${transport || ANY}\\.$`));
	await hears(page, /lately|^The last/);
	return page;
}

const isHere = (page, ...names) => says(page, '#here', new RegExp(`^${names.join('')}$`));

async function cut(page) {
	await page.click('#cut');
	await inState(page, 'cut');
}

async function comeBack(page) {
	await page.click('#cut');
	await inState(page, 'open');
}

async function chat(browser, url) {
	const [ann, bob] = await Promise.all([connect(browser, url, 'ann'), connect(browser, url, 'bob', { transport: 'xhr-streaming' })]);

	equal(await rows(ann, '.note'), ['Nothing was said here lately'], 'what a first visitor finds');
	await isHere(ann, 'ann \\(you\\)', 'bob');
	await isHere(bob, 'ann', 'bob \\(you\\)');
	await say(ann, 'fish & <chips> 世界 🚂');
	for (const page of [ann, bob])
		await hears(page, 'annfish & <chips> 世界 🚂');
	const cleo = await connect(browser, url, 'cleo', { transport: 'xhr-polling', viewport: PHONE });
	equal(await rows(cleo, 'li'), ['The last message', 'annfish & <chips> 世界 🚂'], 'what a newcomer finds');
	await isHere(bob, 'ann', 'bob \\(you\\)', 'cleo');
	await say(bob, 'x'.repeat(500));
	await hears(cleo, 'bobxxx');
	await nothingIsWider(cleo);
	await everyControlHasAName(cleo);
	for (const page of [ann, cleo])
		await leave(page);
	await isHere(bob, 'bob \\(you\\)');
	await leave(bob);
}

/* Exactly what was missed, marked as such, and in order; whatever the transport. */
async function recovery(browser, url, transport) {
	const options = { transport, room: 'coffee' };
	const [ann, bob] = await Promise.all([connect(browser, url, 'ann', options), connect(browser, url, 'bob', { room: 'coffee' })]);

	await isHere(bob, 'ann', 'bob \\(you\\)');
	await cut(ann); /* she has not heard a message yet, in the first round */
	check(await ann.isDisabled('#text'), 'nobody talks into a line that is cut');
	await isHere(bob, 'bob \\(you\\)');
	await say(bob, 'one', 'two', 'three');
	await hears(bob, 'bobthree');
	await comeBack(ann);
	await hears(ann, '3 messages while you were away');
	equal(await rows(ann, '.missed'), ['bobone', 'bobtwo', 'bobthree'], 'what was missed');
	await isHere(bob, 'ann', 'bob \\(you\\)');
	await cut(ann);
	await comeBack(ann);
	await hears(ann, 'You have missed nothing');
	await say(bob, 'four');
	await hears(ann, 'bobfour');
	equal(await rows(ann, '.missed'), ['bobone', 'bobtwo', 'bobthree'], 'what was missed, still');
	await leave(ann);
	await leave(bob);
}

async function hole(browser, url) {
	const [ann, bob] = await Promise.all(['ann', 'bob'].map((name) => connect(browser, url, name, { room: 'attic' })));
	const many = Array.from({ length: KEPT + 5 }, (_, i) => `line ${i}`);

	await say(bob, 'before');
	await hears(ann, 'bobbefore');
	await cut(ann);
	await say(bob, ...many);
	await hears(bob, `line ${KEPT + 4}`);
	await comeBack(ann);
	await hears(ann, `Some may be missing here; ${KEPT} messages could be kept`);
	equal(await rows(ann, '.hole ~ .missed'), many.slice(-KEPT).map((text) => `bob${text}`), 'what could be kept');
	await leave(ann);
	await leave(bob);
}

/* Another room is an absence, too; and a cut ends by itself. */
async function rooms(browser, url) {
	const [ann, bob] = await Promise.all(['ann', 'bob'].map((name) => connect(browser, url, name)));

	await say(bob, 'stay');
	await hears(ann, 'bobstay');
	await ann.check('[name=room][value=attic]', { force: true });
	await isHere(ann, 'ann \\(you\\)');
	await isHere(bob, 'bob \\(you\\)');
	await say(bob, 'gone');
	await hears(bob, 'bobgone');
	await ann.check('[name=room][value=tea]', { force: true });
	await hears(ann, '1 message while you were away');
	await hears(ann, 'bobgone');
	await ann.clock.install();
	await cut(ann);
	await ann.clock.fastForward(CUT_MS);
	await inState(ann, 'open');
	await leave(ann);
	await leave(bob);
}

async function wrongPasscode(browser, url) {
	const page = await visit(browser, `${url}#ann`);

	await page.fill('#passcode', 'wrong');
	await page.click('#toggle');
	await inState(page, 'refused');
	await says(page, '#status', /^Not authenticated \(4620\)/);
	await page.fill('#passcode', 'ann-demo');
	await page.click('#toggle');
	await inState(page, 'open');
	await page.click('#toggle');
	await inState(page, 'off');
	await leave(page);
}

export async function testRoomsPage(browser, url, suite) {
	const test = (name, body) => suite.test(`examples, page of stomp: ${name}`, body, PAGE_MS);

	/* Each lane has rooms of its own. */
	await together(2, [
		async () => {
			await test('chat, who is here, and what a newcomer finds', () => chat(browser, url));
			await test('more is missed than is kept, and said', () => hole(browser, url));
			await test('another room, and a cut that ends by itself', () => rooms(browser, url));
		},
		async () => {
			for (const transport of ['websocket', 'xhr-polling'])
				await test(`a cut, and what was missed, ${transport}`, () => recovery(browser, url, transport));
			await test('a wrong passcode', () => wrongPasscode(browser, url));
		},
	]);
}

/* --- examples/hooks ----------------------------------------------------------------------- */

async function enter(browser, url, name, options) {
	const page = await visit(browser, `${url}#${name}`, options);

	await page.click('#toggle');
	await says(page, '#status', new RegExp(`^${name}, connected by ${ANY}\\.$`));
	await page.waitForFunction(() => document.querySelector('[name=room]:checked') && document.querySelector('#topic').value);
	return page;
}

async function refusedName(browser, url) {
	const page = await visit(browser, `${url}#root`);

	await page.click('#toggle');
	await inState(page, 'refused');
	await says(page, '#status', /^The name root is reserved\. \(4620\)$/);
	await leave(page);
}

export async function testHooksPage(browser, url) {
	await refusedName(browser, url);
	const [ann, bob] = await Promise.all([enter(browser, url, 'ann'), enter(browser, url, 'bob', { viewport: PHONE })]);

	await say(bob, 'What the heck?', 'x'.repeat(201));
	await hears(ann, 'bobWhat the ****?', '#said');
	await hears(bob, 'A text has 1 to 200 characters. (4631)', '#said');
	await ann.fill('#topic', 'Lemon');
	await ann.click('#change button');
	await hears(ann, 'You have set the topic of tea.', '#said');
	await hears(bob, 'ann has set the topic: Lemon', '#said');
	equal(await bob.inputValue('#topic'), 'Lemon', 'topic');
	await bob.check('[name=room][value=attic]', { force: true });
	await bob.waitForFunction(() => document.querySelector('#topic').value.startsWith('What is'));
	await bob.click('#roll');
	await hears(bob, /^You have rolled [1-6]\.$/, '#rolls');
	await hears(ann, /^bob has rolled [1-6]\.$/, '#news');
	await bob.click('#quit');
	await hears(bob, 'Closed: 4000, Good night.', '#rolls');
	await hears(ann, 'bob has left the table.', '#news');
	await nothingIsWider(bob);
	await everyControlHasAName(bob);
	await bob.click('#toggle');
	await hears(ann, 'bob has left.', '#news');
	await leave(bob);
	await leave(ann);
}
