/*
 * page.mjs - the page, in a real Chromium: what an operator sees of clients that come and go, and what
 * he does to them.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { check, equal } from '../e2e/harness.mjs';
import { DESK, hides, leave, PHONE, PICTURES_MS, says, shows, visit } from '../e2e/pages.mjs';
import { client, Server, TOKEN, until } from './server.mjs';

const OTHER_TOKEN = 'another-token-altogether';

function inState(page, state) {
	return page.waitForSelector(`body[data-state=${state}]`);
}

async function signIn(page, token = TOKEN) {
	await inState(page, 'token');
	await page.fill('#token', token);
	await page.click('#login button');
}

/* A page that is in. */
async function watch(browser, server, hash = '', options = {}) {
	const page = await visit(browser, server.page + hash, options);

	await signIn(page);
	await inState(page, 'open');
	return page;
}

const tile = (name) => `[data-tile=${name}] .big span`;
const cell = (table, key, column) => `#${table} tr[data-key="${key}"] > :nth-child(${column})`;

/* ---- coming in --------------------------------------------------------------- */

async function asksForToken(browser, server) {
	const page = await visit(browser, server.page);

	await signIn(page, 'not-the-token-of-this-server');
	await says(page, '#login-trouble', /not the token/);
	await hides(page, '#overview', 'nothing is shown');
	await signIn(page);
	await inState(page, 'open');
	await says(page, '#about', /^sockjsd \d+\.\d+\.\d+ · since/);
	await hides(page, '#login', 'nobody is asked any more');
	await page.reload();
	await inState(page, 'open');
	check(!page.url().includes(TOKEN) && !await page.content().then((html) => html.includes(TOKEN)), 'the token stands nowhere');
	equal([...page.hosts], [new URL(server.internal).host], 'hosts asked');
	const others = await page.context().newPage();
	await others.goto(server.page);
	await inState(others, 'token'); /* another tab knows nothing of it */
	await leave(page);
}

async function withoutToken(browser, program) {
	const server = await new Server(program, { internal: { token: null } }).start();
	const page = await visit(browser, server.page);
	const socket = await client(server);

	await inState(page, 'open');
	await says(page, tile('sessions'), /^1$/);
	await says(page, '#addresses', /for those who know a token/);
	await hides(page, '#limited-panel', 'no addresses at a limit');
	await page.click('nav a[href="#sessions"]');
	await shows(page, '#sessions-closed', 'it says what is missing');
	await hides(page, '#browse', 'no sessions are listed');
	socket.terminate();
	await leave(page);
	await server.stop();
}

/* ---- figures ------------------------------------------------------------------ */

async function showsFigures(browser, server) {
	const page = await watch(browser, server);

	await says(page, tile('sessions'), /^0$/);
	const sockets = await Promise.all([client(server), client(server), client(server, '/echo/000/page/websocket')]);
	const timer = setInterval(() => sockets[0].send('x'.repeat(1000)), 100);
	await says(page, tile('sessions'), /^3$/);
	await says(page, tile('in'), /^\d+(\.\d+)?$/);
	await says(page, '[data-tile=in] .sub', /KiB\/s/);
	await says(page, cell('endpoints', '/echo', 4), /^3$/);
	await says(page, cell('endpoints', '/echo', 2), /^echo$/);
	await says(page, cell('addresses', '127.0.0.1', 3), /^3$/);
	await says(page, '.chart.wide .legend li[data-line=raw] b', /^2$/);
	await says(page, '.chart.wide .legend li[data-line=ws] b', /^1$/);
	await hides(page, '.chart.wide .legend li[data-line=jp]', 'a transport that nobody has had is not listed');
	await page.waitForFunction(() => document.querySelector('.chart.wide .area[data-line=ws]')?.getAttribute('d').length > 20);
	clearInterval(timer);
	sockets[0].close(1000);
	await says(page, cell('closed', 'normal', 4), /^\d+$/);
	await says(page, tile('sessions'), /^2$/);
	await says(page, '.chart.wide .legend li[data-line=raw] b', /^1$/);
	sockets.forEach((s) => s.terminate());
	await leave(page);
}

async function pointsAtThePast(browser, server) {
	const page = await watch(browser, server);

	await page.waitForFunction(() => document.querySelectorAll('.chart.wide .scale').length > 5);
	await page.hover('.chart.wide .plot', { position: { x: 300, y: 60 } });
	await says(page, '.chart.wide .when', /^at \d\d:\d\d:\d\d$/);
	await page.check('[name=range][value="120"]', { force: true });
	await page.hover('#overview h2');
	await says(page, '.chart.wide .when', /^$/);
	check((await page.getAttribute('.chart.wide .plot', 'aria-label')).startsWith('Sessions by transport: '), 'the chart says itself in words');
	await leave(page);
}

/* What no server of today sends, and what no server should. */
async function showsWhateverComes(browser, server) {
	const page = await visit(browser, 'about:blank');
	const evil = '<img src=x onerror="document.title=\'owned\'">';

	await page.routeWebSocket(/\/dashboard\/feed\//, (ws) => {
		const real = ws.connectToServer();
		real.onMessage((data) => {
			const changed = String(data).replaceAll('"/ticker"', JSON.stringify(evil));
			ws.send(changed.replace(/"fallbacks":(?:null|\[.*?\]),/, '').replace('"addresses":', `"fallbacks":[{"from":"websocket","to":"xhr","why":${JSON.stringify(evil)},"count":7}],"addresses":`));
		});
	});
	await page.route('**/sockjs.min.js', (route) => route.fulfill({ contentType: 'text/javascript', body: '' }));
	await page.goto(server.page);
	await signIn(page);
	await inState(page, 'open');
	await says(page, '#fallbacks', /xhr-polling.*7/);
	equal(await page.locator('#fallbacks tbody td').nth(1).textContent(), evil.replaceAll('_', ' '), 'text as it is');
	check((await page.textContent('#endpoints')).includes(evil), 'a prefix as it is');
	equal([await page.title(), await page.locator('td img, th img').count()], ['Dashboard · sockjsd', 0], 'title and images');
	await leave(page);
}

/* What no network did: the page goes by what the command says. */
async function showsNetworks(browser, server) {
	const evil = '<img src=x onerror="document.title=\'owned\'">';
	const story = { reached: { eventsource: 12, xhr: 3 }, failures: { stream_held: 1234 }, refused: 0, median_ms: 4000, delays: [[4000, 15]] };
	const scores = { held: 3, flows: 0, silent: 0, speaks: 0 };
	const networks = [
		{ network: '203.0.113.0/24', endpoint: '/echo', streams: 'short', websocket: 'taken', heartbeat_ms: 10000, scores, ...story, browsers: [{ browser: 'chrome', ...story }, { browser: 'edge', ...story, failures: {} }] },
		{ network: '2001:db8:7::/48', endpoint: '/ticker', streams: 'long', websocket: 'refused', heartbeat_ms: 25000, scores, reached: {}, failures: { websocket_silent: 2, silence_cut: 5, [evil]: 1 }, refused: 7, median_ms: null, delays: [[null, 1]], browsers: [] },
		{ network: '198.51.100.0/24', endpoint: '/echo', streams: 'long', websocket: 'taken', heartbeat_ms: 25000, scores, reached: { websocket: 9 }, failures: {}, refused: 0, median_ms: 0, delays: [[0, 9]], browsers: [] },
	];
	const page = await visit(browser, 'about:blank');

	await page.route('**/api/networks', (route) => route.fulfill({ contentType: 'application/json', body: JSON.stringify({ networks, count: 812 }) }));
	await page.goto(server.page);
	await signIn(page);
	await inState(page, 'open');
	await shows(page, '#networks-panel', 'there is something to be seen');
	await says(page, '#networks-count', /of 812 known/);
	equal(await page.locator('#networks tbody tr').count(), 2, 'rows, of those that break something');
	const cells = (key) => page.locator(`#networks tr[data-key="${key}"] > *`).allTextContents();
	equal(await cells('/echo 203.0.113.0/24'), ['203.0.113.0/24', 'streams held back 1,234', 'chrome', '/echo', 'short', 'as usual', '10 s', 'eventsource 12, xhr-polling 3', '≤ 4 s'], 'streams');
	equal(await cells('/ticker 2001:db8:7::/48'), ['2001:db8:7::/48', `idle ones cut 5, WebSockets silent 2, ${evil.replaceAll('_', ' ')} 1`, '·', '/ticker', 'as usual', 'refused, 7 so far', '25 s', '·', '> 16 s'], 'WebSockets');
	equal(await page.locator('#networks .strong').allTextContents(), ['short', 'refused, 7 so far'], 'what stands out');
	equal(await page.getAttribute('#networks tbody a', 'href'), '#sessions?address=203.0.113.0%2F24', 'the sessions from there');
	equal([await page.title(), await page.locator('#networks img').count()], ['Dashboard · sockjsd', 0], 'title and images');
	await leave(page);
	const other = await watch(browser, server);
	await says(other, tile('sessions'), /^\d+$/);
	await hides(other, '#networks-panel', 'nothing breaks');
	await leave(other);
}

/* ---- sessions -------------------------------------------------------------------- */

async function drillsDown(browser, server) {
	const [kept, closed] = [await client(server), await client(server, '/ticker/websocket')];
	const page = await watch(browser, server, '#sessions');

	await says(page, '#sessions-count', /^\d+ sessions$/); /* the watcher's is one of them */
	await page.selectOption('#f-endpoint', '/ticker');
	await says(page, '#sessions-count', /^1 session$/);
	check(page.url().endsWith('#sessions?endpoint=%2Fticker'), `what is looked for stands in the address: ${page.url()}`);
	await page.click('#session-list tbody a');
	await says(page, '#h-detail', /^Session \d+$/);
	await says(page, '#detail-state', /^open$/);
	await says(page, '#detail-about', /^by raw websocket for/);
	const age = await page.textContent('#detail-about');
	await page.waitForFunction((before) => document.querySelector('#detail-about').textContent !== before, age);
	await says(page, '#detail-members', /127\.0\.0\.1/);
	await says(page, '#detail-line', /^\+0 msbegan/);
	await says(page, '#detail-out', /^[1-9]\d*$/); /* the ticker ticks */
	await says(page, '#detail-out-sub', /\/s · \d+ B$/);
	await page.click('#detail-close');
	await page.click('#confirm button[value=no]');
	await says(page, '#detail-state', /^open$/);
	await page.click('#detail-close');
	await page.fill('#confirm-code', '17');
	await page.click('#confirm button[value=yes]');
	await shows(page, '#confirm', 'no such code');
	await page.fill('#confirm-code', '3333');
	await page.fill('#confirm-reason', 'enough of you');
	await page.click('#confirm button[value=yes]');
	equal(await closed.closed, [3333, 'enough of you'], 'what the client was told');
	await says(page, '#detail-state', /^ended$/);
	check(await page.isDisabled('#detail-close'), 'it cannot be closed again');
	await says(page, '#sessions-count', /^0 sessions$/);
	equal(kept.readyState, 1, 'the other one is open');
	await page.click('#detail-leave');
	await hides(page, '#detail', 'back to the list');
	kept.terminate();
	await page.context().close(); /* Chromium tells of a session that is not there on the console */
}

async function listsByPages(browser, server) {
	const sockets = await Promise.all(Array.from({ length: 60 }, () => client(server)));
	const page = await watch(browser, server, '#sessions?endpoint=%2Fecho');
	const first = () => page.textContent('#session-list tbody th a');

	await says(page, '#sessions-count', /^60 sessions$/);
	const before = await first();
	await page.click('#next');
	await page.waitForFunction((text) => document.querySelector('#session-list tbody th a')?.textContent !== text, before);
	equal(await page.locator('#session-list tbody tr').count(), 10, 'rows of the second page');
	check(await page.isDisabled('#next'), 'there is no third');
	await page.click('#first');
	await page.waitForFunction((text) => document.querySelector('#session-list tbody th a')?.textContent === text, before);
	await page.fill('#f-address', 'nonsense');
	await page.keyboard.press('Enter');
	await says(page, '#sessions-trouble', /must be an IP address/);
	sockets.forEach((s) => s.terminate());
	/* Chromium tells each refusal on the console, and this one was wanted. */
	await page.context().close();
}

/* ---- outages ------------------------------------------------------------------------ */

async function comesBack(browser, program) {
	const server = await new Server(program).start();
	const page = await watch(browser, server);

	await says(page, tile('sessions'), /^0$/);
	await server.stop();
	await inState(page, 'waiting');
	await says(page, '#state', /does not answer/);
	await says(page, '#countdown', /^Next try in \d+ s$/);
	await server.start();
	await inState(page, 'open'); /* by itself, and without a question */
	const socket = await client(server);
	await says(page, tile('sessions'), /^1$/);
	socket.terminate();
	await server.stop('SIGKILL');
	await inState(page, 'waiting');
	server.config.internal.token = OTHER_TOKEN;
	await server.start();
	await inState(page, 'token');
	await says(page, '#login-trouble', /not the token/);
	await signIn(page, OTHER_TOKEN);
	await inState(page, 'open');
	await page.context().close(); /* refused connections are told on the console */
	await server.stop();
}

async function withoutClientLibrary(browser, server) {
	const page = await visit(browser, 'about:blank');
	const asked = [];

	page.on('websocket', (ws) => asked.push(new URL(ws.url()).pathname));
	await page.route('**/sockjs.min.js', (route) => route.fulfill({ contentType: 'text/javascript', body: '' }));
	await page.goto(server.page);
	await signIn(page);
	await inState(page, 'open');
	await says(page, tile('sessions'), /^\d+$/);
	equal(asked, ['/dashboard/feed/websocket'], 'WebSockets');
	await leave(page);
}

/* ---- looks ---------------------------------------------------------------------------- */

async function fits(browser, server) {
	const sockets = await Promise.all([1, 2, 3].map(() => client(server)));

	await Promise.all([PHONE, DESK].map(async (viewport) => {
		const page = await watch(browser, server, '', { viewport });
		const width = () => page.evaluate(() => document.documentElement.scrollWidth);

		await says(page, tile('sessions'), /^3$/);
		equal(await width(), viewport.width, 'width of the overview');
		await page.click('nav a[href="#sessions"]');
		await page.click('#session-list tbody a');
		await says(page, '#detail-state', /^open$/);
		equal(await width(), viewport.width, 'width of the sessions');
		await leave(page);
	}));
	sockets.forEach((s) => s.terminate());
}

async function isAccessible(browser, server) {
	const page = await watch(browser, server, '#sessions', { colorScheme: 'light' });
	const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	const light = await paper();

	const nameless = await page.$$eval('button, input, select', (all) => all
		.filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || [...e.labels ?? []].some((l) => l.textContent.trim())))
		.map((e) => e.outerHTML));
	equal(nameless, [], 'controls without a name');
	await page.click('#theme');
	check(await paper() !== light, 'the button changes the colours');
	await page.emulateMedia({ colorScheme: 'dark' });
	await page.click('#theme');
	equal(await paper(), light, 'and outranks the system');
	await page.focus('nav a[href="#overview"]');
	await page.keyboard.press('Enter');
	await page.waitForSelector('#overview:not([hidden])');
	await page.focus('[name=range]:checked');
	await page.keyboard.press('ArrowRight');
	check(await page.isChecked('[name=range][value="1800"]'), 'the range, by keyboard');
	await leave(page);
}

async function pictures(browser, server, dir) {
	const sockets = await Promise.all(Array.from({ length: 20 }, (_, i) => client(server, i % 3 ? '/echo/websocket' : `/ticker/000/p${i}/websocket`)));

	await mkdir(dir, { recursive: true });
	for (const [device, viewport] of [['phone', PHONE], ['desk', DESK]])
		for (const colorScheme of ['light', 'dark']) {
			const page = await watch(browser, server, '', { viewport, colorScheme });
			await says(page, tile('sessions'), /^20$/);
			await until('something is drawn', () => page.locator('.chart .curve[d]').count());
			await page.screenshot({ path: path.join(dir, `dashboard-${device}-${colorScheme}.png`), fullPage: true });
			await leave(page);
		}
	sockets.forEach((s) => s.terminate());
}

export async function testPage(suite, browser, server, program, screenshots) {
	await suite.test('page: asks for the token, keeps it in the tab alone', () => asksForToken(browser, server));
	await suite.test('page: without a token it shows figures, and says what is missing', () => withoutToken(browser, program));
	await suite.test('page: figures change when sessions come and go', () => showsFigures(browser, server));
	await suite.test('page: charts tell the past, and themselves in words', () => pointsAtThePast(browser, server));
	await suite.test('page: shows whatever comes as text, and fall-backs once there are any', () => showsWhateverComes(browser, server));
	await suite.test('page: networks that break something, and the causes as guessed', () => showsNetworks(browser, server));
	await suite.test('page: one session, live, closed by a button', () => drillsDown(browser, server));
	await suite.test('page: lists sessions by pages, says what is refused', () => listsByPages(browser, server));
	await suite.test('page: an outage is told, and over by itself; a new token is asked for', () => comesBack(browser, program));
	await suite.test('page: works without sockjs.min.js', () => withoutClientLibrary(browser, server));
	await suite.test('page: fits a phone and a desk', () => fits(browser, server));
	await suite.test('page: names, keyboard, colours', () => isAccessible(browser, server));
	if (screenshots)
		await suite.test(`screenshots are in ${screenshots}`, () => pictures(browser, server, screenshots), PICTURES_MS);
}
