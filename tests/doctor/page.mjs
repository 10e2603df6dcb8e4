/*
 * page.mjs - www/doctor.html in Chromium, through proxies that do what bad networks do: it names the cause.
 */
import { launch } from '../e2e/browser.mjs';
import { check, equal, patient } from '../e2e/harness.mjs';
import { says, visit } from '../e2e/pages.mjs';
import { Proxy } from '../hostile/proxy.mjs';

const DONE_MS = patient(60000);
const PHONE = { width: 360, height: 740 };
const HELD = ['strip upgrade', 'hold'];

/* [ network, rules, cause, others ] */
const networks = [
	['Upgrade stripped', ['strip upgrade'], 'upgrade_refused', ''],
	['Upgrade hangs', ['hang on upgrade'], 'upgrade_hangs', ''],
	['101, then no frames', ['after 101: black'], 'websocket_silent', ''],
	['black after ten frames', ['after 10 frames: black'], 'websocket_black', ''],
	['frames of the client dropped', ['drop client frames'], 'websocket_one_way', ''],
	['streams held until their end', HELD, 'streams_held', 'upgrade_refused'],
	['streams held by 4 KiB', ['strip upgrade', 'hold 4096'], 'streams_held', 'upgrade_refused'],
	['POST refused', ['strip upgrade', '403 on POST *'], 'post_refused', 'upgrade_refused'],
	['/info refused', ['502 on info'], 'info_unreachable', ''],
];

const GOOD = 'page: a good network, and what was found is sent';
const HEADERS = 'page: headers that were added and lost';
const nameOf = ([network, , cause]) => `page: ${network}: ${cause}`;
const NAMES = [GOOD, HEADERS, ...networks.map(nameOf)];

async function examine(page) {
	await page.click('#examine');
	await page.waitForSelector('main[data-state=done]', { timeout: DONE_MS });
	return [await page.getAttribute('main', 'data-cause'), await page.getAttribute('main', 'data-causes')];
}

function statesOf(page) {
	return page.$$eval('#trips li', (rows) => rows.map((r) => r.dataset.state));
}

async function well(browser, server) {
	const page = await visit(browser, `${server.url}/doctor.html`);

	equal(await examine(page), ['ok', ''], 'causes');
	equal(await page.getAttribute('main', 'data-severity'), 'good', 'severity');
	check((await statesOf(page)).every((s) => s === 'works'), 'every transport works');
	check(await page.locator('#trips li:first-child .train').count() >= 10, 'pushes are drawn');
	await says(page, '#request', /GET by HTTP\/1\.1/);
	await page.click('#tell');
	await says(page, '#told', /^Sent, as what was found from 127\.0\.0\.0\/24/);
	equal(page.complaints, [], 'complaints on the console');
	await page.context().close();
}

async function headers(browser, proxy) {
	const page = await visit(browser, `${proxy.url}/doctor.html#examine`, { viewport: PHONE });

	await page.waitForSelector('main[data-state=done]', { timeout: DONE_MS });
	equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width, 'width on a phone');
	await says(page, '#headers tr.added', /via/);
	await says(page, '#headers tr.lost', /accept-encoding/);
	await page.context().close();
}

async function through(rules, body) {
	const proxy = await Proxy.start(rules.target, rules.list, []);

	try {
		await body(proxy);
	} finally {
		await proxy.stop();
	}
}

export async function testPage(suite, server) {
	let browser;

	if (!NAMES.some((name) => suite.wants(name)))
		return;
	await suite.step('Chromium starts', async () => { browser = await launch(); });
	const target = () => server.url.replace('http://', '');

	await suite.test(GOOD, () => well(browser, server));
	await suite.test(HEADERS, () => through(
		{ target: target(), list: ['add request Via "1.1 squid"', 'remove request Accept-Encoding'] }, (proxy) => headers(browser, proxy)));
	for (const [network, list, cause, others] of networks)
		await suite.test(nameOf([network, list, cause]), () => through({ target: target(), list }, async (proxy) => {
			const page = await visit(browser, `${proxy.url}/doctor.html`);

			equal(await examine(page), [cause, others], 'causes');
			check((await page.textContent('#for-administrator')).length > 20, 'there is advice');
			await page.context().close();
		}));
	await suite.step('Chromium stops', () => browser.close());
}
