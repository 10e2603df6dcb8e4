#!/usr/bin/env node
/*
 * run.mjs - clients on every transport through nginx, HAProxy, Apache and Caddy, as packaging/proxies
 * configures them, with TLS at the proxy and two gateways behind it.
 *
 *	run.mjs --server ./sockjsd [--only REGEXP]
 *
 * What is sent has to arrive while its stream is open, so a proxy that collects answers fails; each request of a
 * session has to reach the gateway that has it; and the gateways have to know who the clients are, whatever those say.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { check, equal, readArguments, Suite, together, WHOLE_MS, withDeadline } from '../e2e/harness.mjs';
import { Gateway, TOKEN, until } from '../reload/gateway.mjs';
import { certificateIn, freePort, makeCertificate, NAMES, Proxy } from './proxies.mjs';

const args = readArguments(['server', 'only']);
const folder = process.env.PROXIES_FOLDER ?? mkdtempSync(join(tmpdir(), 'proxies-'));

/* Who is believed by every client here Node reads as it starts, so there is a second one. */
if (!process.env.PROXIES_FOLDER) {
	const { certificate } = makeCertificate(folder);
	const { status } = spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit',
		env: { ...process.env, PROXIES_FOLDER: folder, NODE_EXTRA_CA_CERTS: certificate } });

	rmSync(folder, { recursive: true, force: true });
	process.exit(status ?? 1);
}

process.setMaxListeners(50);
globalThis.SockJS = createRequire(import.meta.url)('sockjs-client');
await import('../e2e/client.js');

const { e2e } = globalThis;
const TRANSPORTS = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'];
const CLIENT = '127.0.0.7'; /* where clients come from, for whom the proxy is another */
const FORGED = { 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'http',
	Forwarded: 'for=203.0.113.9;host=evil.example', 'X-Sockjs-Session': 'mine' };
const WAIT_MS = 15000;
const SESSIONS = 40; /* all on one of two gateways by chance: once in a million million */

const suite = new Suite(args.only);
const gateways = [];
let serial = 0;

/* ---- gateways -------------------------------------------------------------- */

async function startGateway(i) {
	const health = await freePort();
	const gateway = await new Gateway(args.server ?? './sockjsd', folder, `gateway${i}`).start({
		listen: ['127.0.0.1:0'], threads: 1, trusted_proxies: ['127.0.0.1'], log_level: 'warn', limits: { connections: 1000 },
		internal: { listen: `127.0.0.1:${health}`, token: TOKEN },
		endpoints: [{ prefix: '/echo', application: 'echo' }, { prefix: '/deep/down/echo', application: 'echo' }],
	});

	gateways.push(Object.assign(gateway, { address: `127.0.0.1:${gateway.port}`, health }));
}

/* All sessions of both, or those of one address. */
async function sessions(address) {
	const answers = await Promise.all(gateways.map((g) => g.command('sessions', address ? { address } : {})));

	return answers.map(({ json }) => json.sessions);
}

/* ---- a client without a library, from an address of its own -------------------- */

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

class Plain {
	constructor(proxy, prefix = '/echo') {
		this.proxy = proxy;
		this.base = `${proxy.url}${prefix}/${String(serial % 1000).padStart(3, '0')}/plain${serial++}`;
	}

	/* Resolves to the answer's head; its body comes as it comes. */
	begin(transport, body, query = '') {
		const headers = { ...FORGED, Referer: `${this.proxy.url}/page.html`, 'Content-Length': Buffer.byteLength(body ?? '') };
		const type = transport === 'jsonp_send' ? 'application/x-www-form-urlencoded' : 'text/plain';

		return withDeadline(new Promise((resolve, reject) => {
			const r = request(`${this.base}/${transport}${query}`, { method: body === undefined ? 'GET' : 'POST', agent,
				localAddress: CLIENT, headers: body === undefined ? headers : { ...headers, 'Content-Type': type } }, resolve);

			r.on('error', reject);
			r.end(body);
		}), WAIT_MS, `an answer by ${transport}`);
	}

	async ask(transport, body, query) {
		const answer = await this.begin(transport, body, query);
		let text = '';

		for await (const data of answer.setEncoding('utf8'))
			text += data;
		return `${answer.statusCode} ${text}`;
	}

	async send(text) {
		equal(await this.ask('xhr_send', JSON.stringify([text])), '204 ', 'answer to xhr_send');
	}

	/* An answer that goes on; what has come of it. */
	async stream(transport, query) {
		const answer = await this.begin(transport, transport === 'xhr_streaming' ? '' : undefined, query);
		const stream = { text: '', isOpen: true };

		equal(answer.statusCode, 200, 'status');
		answer.setEncoding('utf8').on('data', (data) => { stream.text += data; });
		answer.on('close', () => { stream.isOpen = false; });
		stream.has = (text) => until(() => stream.text.includes(text), `${transport} has ${text}`, WAIT_MS);
		stream.end = () => answer.destroy();
		return stream;
	}
}

async function openSocket(proxy, path, origin, headers = {}) {
	const ws = new WebSocket(proxy.url.replace('https', 'wss') + path, { origin, headers, localAddress: CLIENT });
	const refused = once(ws, 'unexpected-response').then(([, answer]) => answer.statusCode);

	ws.on('error', () => {});
	return withDeadline(Promise.race([once(ws, 'open').then(() => ws), refused]), WAIT_MS, 'a WebSocket, or its refusal');
}

/* ---- what has to hold through each ------------------------------------------------ */

async function echoes(proxy, transport) {
	for (const kind of ['plain', '1,000 ordered'])
		equal(await e2e.echo(`${proxy.url}/echo`, transport, kind), null, kind);
}

/* Each message is sent when the one before has come, so none can wait for the next, nor for the end. */
async function streamsAtOnce(proxy, transport, query) {
	const client = new Plain(proxy);
	const stream = await client.stream(transport, query);

	for (const text of ['one', 'two', 'three']) {
		await client.send(text);
		await stream.has(text);
	}
	check(stream.isOpen, 'the stream has ended');
	stream.end();
}

async function polls(proxy) {
	const client = new Plain(proxy, '/deep/down/echo');

	equal(await client.ask('xhr', ''), '200 o\n', 'first poll');
	const poll = client.ask('xhr', '');
	await client.send('for who waits');
	equal(await poll, '200 a["for who waits"]\n', 'answer to a poll that waited');
}

async function pollsByJsonp(proxy) {
	const client = new Plain(proxy);

	check((await client.ask('jsonp', undefined, '?c=cb')).endsWith('cb("o");\r\n'), 'first poll');
	equal(await client.ask('jsonp_send', `d=${encodeURIComponent('["by form"]')}`), '200 ok', 'answer to jsonp_send');
	check((await client.ask('jsonp', undefined, '?c=cb')).includes('by form'), 'the echo');
}

async function takesSockets(proxy) {
	const ws = await openSocket(proxy, '/echo', proxy.url, FORGED);

	check(ws instanceof WebSocket, `refused with ${ws}`);
	ws.send('Grüße');
	equal(String((await withDeadline(once(ws, 'message'), WAIT_MS, 'an echo'))[0]), 'Grüße', 'echo');
	ws.close(3001, 'enough');
	equal((await withDeadline(once(ws, 'close'), WAIT_MS, 'a close'))[0], 3001, 'code of the close');
}

async function knowsClients(proxy) {
	const client = new Plain(proxy);
	const ws = await openSocket(proxy, '/echo', proxy.url, FORGED);
	const stream = await client.stream('xhr_streaming');

	await stream.has('o\n');
	const found = (await sessions(`${CLIENT}/32`)).flat().map((s) => s.transport);
	check(found.includes('websocket_raw') && found.includes('xhr_streaming'), `from ${CLIENT} have come ${found}`);
	equal((await sessions('203.0.113.9')).flat(), [], 'sessions of who was forged');
	ws.terminate();
	stream.end();
}

async function keepsOriginsApart(proxy) {
	equal(await openSocket(proxy, '/echo', 'https://evil.example', FORGED), 403, 'status for a page from elsewhere');
}

async function findsItsGateway(proxy) {
	/* Those of before may end meanwhile. */
	const opened = () => Promise.all(gateways.map((g) => g.metric('sockjs_sessions_opened_total')));
	const before = await opened();

	await together(8, Array.from({ length: SESSIONS }, () => async () => {
		const client = new Plain(proxy);

		equal(await client.ask('xhr', ''), '200 o\n', 'first poll');
		await client.send('home');
		equal(await client.ask('xhr', ''), '200 a["home"]\n', 'second poll');
	}));
	const after = await opened();

	check(after.every((n, i) => n > before[i]), `sessions before ${before}, after ${after}`);
}

/* Before the next heartbeat, at which the worst of proxies would find out. */
async function leaves(proxy) {
	const client = new Plain(proxy);
	const stream = await client.stream('xhr_streaming');

	await stream.has('o\n');
	stream.end();
	await until(async () => !(await client.ask('xhr', '')).includes('c[2010'), 'the gateway sees that the client has left', WAIT_MS);
}

async function isUp(proxy) {
	await until(async () => {
		check(!proxy.isOver, `${proxy.name} has ended: ${proxy.log}`);
		return (await fetch(`${proxy.url}/echo/info`).catch(() => null))?.ok;
	}, `${proxy.name} answers: ${proxy.log}`, 20000);
}

const HOLDS = [
	...TRANSPORTS.map((transport) => [`echoes by ${transport}`, (p) => echoes(p, transport)]),
	['xhr_streaming arrives at once', (p) => streamsAtOnce(p, 'xhr_streaming')],
	['eventsource arrives at once', (p) => streamsAtOnce(p, 'eventsource')],
	['htmlfile arrives at once', (p) => streamsAtOnce(p, 'htmlfile', '?c=cb')],
	['a poll that waits is answered', polls],
	['jsonp echoes', pollsByJsonp],
	['a bare WebSocket at the prefix echoes and closes', takesSockets],
	['the gateway knows its clients, whatever they say', knowsClients],
	['a client that leaves its stream has left the gateway', leaves],
	['a page from elsewhere is refused, whatever it says', keepsOriginsApart],
	['sessions are on two gateways, and each request finds its own', findsItsGateway],
];

async function through(name) {
	const proxy = new Proxy(name, folder, gateways, certificateIn(folder));

	await proxy.start();
	await suite.step(`${name} starts`, () => isUp(proxy));
	for (const [what, body] of HOLDS.filter(([, body]) => body !== leaves || name !== 'apache')) /* which looks when it writes */
		await suite.test(`${name}: ${what}`, () => body(proxy));
	await proxy.stop();
	await proxy.start(true);
	await suite.step(`${name} starts, without WebSockets`, () => isUp(proxy));
	await suite.test(`${name}: who is refused the WebSocket goes by xhr-streaming`, async () =>
		equal(await e2e.chosen(`${proxy.url}/echo`), 'xhr-streaming', 'transport'));
	await proxy.stop();
}

await suite.step('the tests run to their end', async () => {
	await Promise.all([startGateway(1), startGateway(2)]);
	for (const name of NAMES)
		await through(name);
	equal(gateways.flatMap((g) => g.log), [], 'complaints of the gateways');
}, WHOLE_MS);
suite.finish();
