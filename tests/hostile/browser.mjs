/*
 * browser.mjs - Chromium that has the proxy in its settings: absolute URIs, and CONNECT for WebSockets.
 */
import { check, equal } from '../e2e/harness.mjs';
import { launch } from '../e2e/browser.mjs';

/* In the page: by what it opens, and three echoes. */
const echoThree = () => new Promise((resolve) => {
	const socket = new globalThis.SockJS('/echo');
	const messages = [];

	socket.onopen = () => ['a', 'b', 'c'].forEach((m) => socket.send(m));
	socket.onclose = (e) => resolve([socket.transport, e.code]);
	socket.onmessage = (m) => {
		messages.push(m.data);
		if (messages.length === 3)
			resolve([socket.transport, messages.join('')]);
	};
});

export async function testBrowser({ suite, with: withProxy }) {
	let browser;

	if (!suite.wants('Chromium'))
		return;
	await suite.step('Chromium starts', async () => { browser = await launch(); });
	const opens = (name, rules, transport, more = async () => {}) => withProxy(`Chromium through the proxy, ${name}: opens by ${transport}`, rules, async (proxy) => {
		const context = await browser.newContext({ proxy: { server: proxy.url, bypass: '<-loopback>' } });

		try {
			const page = await context.newPage();

			await page.goto('http://gateway.example/echo');
			await page.addScriptTag({ url: 'http://gateway.example/sockjs.min.js' });
			equal(await page.evaluate(echoThree), [transport, 'abc'], 'transport and echoes');
			await more(proxy);
		} finally {
			await context.close();
		}
	});

	await opens('no rules', [], 'websocket', async (proxy) => {
		const tunnel = (await proxy.json('/connections')).find((c) => c.tunnel);

		check(tunnel?.phase === 'frames' && tunnel.client.frames >= 3, JSON.stringify(tunnel));
	});
	await opens('CONNECT to 443 only', ['connect only 443'], 'xhr-streaming');
	await opens('Upgrade hangs in the tunnel', ['hang on upgrade'], 'xhr-streaming');
	await opens('streams held, Upgrade refused', ['403 on upgrade', 'hold'], 'xhr-polling');
	await suite.step('Chromium stops', () => browser.close());
}
