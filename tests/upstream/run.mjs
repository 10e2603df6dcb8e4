#!/usr/bin/env node
/*
 * run.mjs - the application "upstream": a real gateway between real clients, on every
 * transport, and backends of all manners.
 *
 *	run.mjs --server ./sockjsd [--threads N] [--only REGEXP]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, equal, readArguments, Suite, WHOLE_MS } from '../e2e/harness.mjs';
import { testBalance, testDown } from './balance.mjs';
import { Backend } from './backend.mjs';
import { testBackends } from './backends.mjs';
import { testCrowd, testRestart } from './crowd.mjs';
import { testCertificates } from './certificates.mjs';
import { testDelivery } from './delivery.mjs';
import { open, start } from './clients.mjs';
import { startExamples, testExamples } from './examples.mjs';
import { startFrameworks, testFrameworks, waysToAsk } from './frameworks.mjs';
import { Gateway, sleep } from './gateway.mjs';
import { MadeUp, testGenerator } from './generator.mjs';
import { testHandshake } from './handshake.mjs';
import { testHostile } from './hostile.mjs';
import { testMessages } from './messages.mjs';
import { testPatience } from './patience.mjs';
import { testPressure } from './pressure.mjs';
import { testSlow } from './slow.mjs';
import { makeCertificates, testTls } from './tls.mjs';

const args = readArguments(['server', 'threads', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'upstream-'));
const MIB = 1 << 20;

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* What is shared by all groups of tests. */
const world = {
	suite,
	folder,
	program: args.server ?? './sockjsd',
	gateway: new Gateway(args.server ?? './sockjsd', join(folder, 'sockjsd.json')),
	main: new Backend(),
	unix: new Backend(),
	three: [new Backend({ name: '0' }), new Backend({ name: '1' }), new Backend({ name: '2' })],
	certificates: makeCertificates(folder),
	tls: {},
	madeUp: new MadeUp(),
};

/* An endpoint in front of `url`; `upstream` and `more` are its options. */
function endpoint(prefix, url, upstream = {}, more = {}) {
	return { prefix, application: 'upstream', allowed_origins: ['*'], heartbeat_delay_ms: 5000, disconnect_delay_ms: 2000,
		upstream: { url, retry_delay_ms: 1, retry_delay_max_ms: 1, close_timeout_ms: 500, ...upstream }, ...more };
}

function endpoints() {
	const { main, three, tls, certificates: c } = world;
	const pair = (name) => ({ certificate: c.files[name].cert, key: c.files[name].key });
	const ours = `${main.url}/base`;
	const all = three.map((b) => b.url);
	/* A backend that reads slowly may be held up for a moment by what else the machine does */
	const quick = { connect_timeout_ms: 500, ping_interval_ms: 300, pong_timeout_ms: 1200 };
	const small = { send_buffer_bytes: 65536, max_body_bytes: 65536, response_limit_bytes: 512 * MIB, websocket: { compression: false } };

	return [
		endpoint('/app', ours),
		/* Who is one of many is slow to come back for a next poll */
		endpoint('/crowd', ours, {}, { disconnect_delay_ms: 10000 }),
		endpoint('/quick', ours, quick),
		endpoint('/quick-tls', tls.good.url, { ...quick, tls: { ca: c.ca } }),
		endpoint('/quick-unix', `unix:${folder}/backend.sock`, quick),
		endpoint('/base64', ours, { binary: 'base64' }),
		endpoint('/refused', ours),
		endpoint('/after', ours, { open_after_ms: 0 }),
		endpoint('/headers', `${main.url}/own?a=b`, { forward_headers: ['authorization', 'cookie'], subprotocols: ['only'] }),
		...[['/made-up', world.madeUp], ['/made-up-tls', world.madeUpTls]].map(([prefix, b]) => endpoint(prefix, b.urls,
			{ compression: true, tls: { verify: false }, connect_timeout_ms: 2000, ping_interval_ms: 200, pong_timeout_ms: 200, close_timeout_ms: 200,
				send_buffer_bytes: 32768 },
			{ ...small, websocket: {}, send_timeout_ms: 1000, disconnect_delay_ms: 1000 })),
		endpoint('/allowed', ours, { forward_headers: ['authorization'] }),
		endpoint('/deflate', ours, { compression: true }),
		endpoint('/small', ours, { send_buffer_bytes: 32768 }, small),
		endpoint('/away', ours, { send_buffer_bytes: 32768 }, { ...small, disconnect_delay_ms: 20000 }),
		endpoint('/stuck', ours, { send_buffer_bytes: 32768 }, { ...small, send_timeout_ms: 500 }),
		endpoint('/big', ours, {}, { max_message_bytes: 8 * MIB, max_body_bytes: 8 * MIB, send_buffer_bytes: 16 * MIB }),
		...[['/report', {}], ['/report-short', { response_limit_bytes: 1 }]].map(([prefix, more]) => endpoint(prefix, ours, { report_delivery: true },
			{ websocket: { ping_interval_ms: 100, pong_timeout_ms: 2000 }, ...more })),
		endpoint('/unix', `unix:${folder}/backend.sock:/path?x=y`),
		endpoint('/unix-own', `unix:${folder}/backend.sock`, { host: 'own' }),
		endpoint('/named-own', ours, { host: 'own', origin: 'own' }),
		endpoint('/named-host', ours, { host: 'own' }),
		endpoint('/named-origin', ours, { origin: 'own' }),
		endpoint('/named-fixed', ours, { host: 'app.example:81', origin: 'https://app.example' }),
		endpoint('/wss-own', tls.good.url.replace('127.0.0.1', 'localhost'), { host: 'own', origin: 'own', tls: { ca: c.ca } }),
		endpoint('/paths', `${main.url}/base?a=b`, { forward_path: true }),
		endpoint('/slash', `${main.url}/x/`, { forward_path: true }),
		endpoint('/nobody', `unix:${folder}/nobody.sock`),
		endpoint('/name', `ws://localhost:${main.port}/`),
		endpoint('/noname', 'ws://no-such-name.invalid/', { connect_timeout_ms: 3000 }),
		...Object.entries(world.chats).map(([name, chat]) => endpoint(`/chat-${name}`, chat.url)),
		...Object.entries(world.frameworks).flatMap(([name, url]) => waysToAsk(name, url)).map((way) => endpoint(...way)),
		endpoint('/round', all),
		endpoint('/least', all, { balance: 'least_connections' }),
		endpoint('/hash', all, { balance: 'hash' }),
		endpoint('/eject', all, { retry_delay_ms: 200, retry_delay_max_ms: 400 }),
		endpoint('/trial', three[0].url, { retry_delay_ms: 300, retry_delay_max_ms: 300 }),
		endpoint('/hung', [three[1].url, three[2].url], { retry_delay_ms: 30000, retry_delay_max_ms: 30000, connect_timeout_ms: 2000 }),
		endpoint('/silent-hash', all.slice(0, 2), { balance: 'hash', retry_delay_ms: 1000, retry_delay_max_ms: 1000 }),
		endpoint('/silent-round', all.slice(0, 2), { retry_delay_ms: 1000, retry_delay_max_ms: 1000 }),
		endpoint('/alone', three[0].url, { retry_delay_ms: 500, retry_delay_max_ms: 30000, connect_timeout_ms: 400 }),
		endpoint('/down-long', 'ws://127.0.0.1:1/', { retry_delay_ms: 40000, retry_delay_max_ms: 40000 }),
		endpoint('/down', 'ws://127.0.0.1:1/', { retry_delay_ms: 1000, retry_delay_max_ms: 1000 }),
		endpoint('/wss', tls.good.url.replace('127.0.0.1', 'localhost'), { tls: { ca: c.ca } }),
		endpoint('/wss-small', tls.good.url, { send_buffer_bytes: 32768, tls: { ca: c.ca } }, small),
		endpoint('/wss-away', tls.good.url, { send_buffer_bytes: 32768, tls: { ca: c.ca } }, { ...small, disconnect_delay_ms: 20000 }),
		endpoint('/wss-address', tls.good.url, { tls: { ca: c.ca } }),
		endpoint('/wss-unknown', tls.good.url),
		endpoint('/wss-name', tls.wrongName.url.replace('127.0.0.1', 'localhost'), { tls: { ca: c.ca } }),
		endpoint('/wss-expired', tls.expired.url.replace('127.0.0.1', 'localhost'), { tls: { ca: c.ca } }),
		...['TLSv1.3', 'TLSv1.2'].flatMap((version) => [
			endpoint(`/wss-mutual-${version.replace('.', '')}`, tls[version].url, { tls: { ca: c.ca, ...pair('client') } }),
			endpoint(`/wss-mutual-${version.replace('.', '')}-none`, tls[version].url, { tls: { ca: c.ca } }),
			endpoint(`/wss-mutual-${version.replace('.', '')}-stranger`, tls[version].url, { tls: { ca: c.ca, ...pair('stranger') } }),
		]),
		endpoint('/wss-offered', tls.good.url, { tls: { ca: c.ca, ...pair('client') } }),
		endpoint('/wss-anything', tls.expired.url, { tls: { verify: false } }),
		endpoint('/wss-plain', main.url.replace('ws:', 'wss:'), quick),
		endpoint('/ws-tls', tls.good.url.replace('wss:', 'ws:'), quick),
	];
}

async function startAll() {
	const { main, unix, three, certificates: c, tls } = world;

	for (const [name, pair] of Object.entries({ good: c.good, wrongName: c.wrongName, expired: c.expired }))
		tls[name] = new Backend({ tls: pair });
	for (const version of ['TLSv1.3', 'TLSv1.2'])
		tls[version] = new Backend({ tls: { ...c.good, ca: readFileSync(c.ca), requestCert: true, rejectUnauthorized: true,
			minVersion: version, maxVersion: version } });
	await Promise.all([main, ...three, ...Object.values(tls)].map((b) => b.start(0)));
	world.madeUpTls = new MadeUp(c.good);
	await world.madeUp.start();
	await world.madeUpTls.start();
	await unix.start(`${folder}/backend.sock`);
	world.chats = await startExamples(folder);
	world.frameworks = await startFrameworks(folder);
	await world.gateway.start({
		threads: Number(args.threads ?? 1),
		listen: ['127.0.0.1:0', { address: '127.0.0.1:0', tls: { certificate: c.files.good.cert, key: c.files.good.key } }],
		internal: { listen: '127.0.0.1:0' },
		trusted_proxies: ['127.0.0.1'],
		limits: { connections: 19000, idle_timeout_ms: 2000 },
		shutdown_timeout_ms: 3000,
		endpoints: endpoints(),
	});
	world.url = (prefix) => world.gateway.url + prefix;
	await warmUp();
	world.descriptors = world.gateway.descriptors();
}

/* What is made once, when it is first needed, is no leak: the resolver of each reactor, say. */
async function warmUp() {
	for (let i = 0; i < 8 * Number(args.threads ?? 1); i++) {
		const line = await open(world.url('/name'), 'raw');

		await line.close();
	}
	await world.gateway.metric('sockjs_sessions');
	await sleep(200);
}

/* Each group leaves the gateway as it was. */
async function group(name, body) {
	await body(world);
	await suite.step(`${name}: nothing is left of any session`, () => world.gateway.quiet(world.descriptors));
}

async function main() {
	await startAll();
	await group('messages', testMessages);
	await group('handshake', testHandshake);
	await group('examples', testExamples);
	await group('frameworks', testFrameworks);
	await group('hostile', testHostile);
	await group('generator', testGenerator);
	await group('tls', testTls);
	await group('certificates', testCertificates);
	await group('balance', testBalance);
	await group('down', testDown);
	await group('patience', testPatience);
	await group('slow readers', testSlow);
	await group('pressure', testPressure);
	await group('delivery', testDelivery);
	await group('crowd', testCrowd);
	await group('restart', testRestart);
	await testBackends(world);
	await suite.step('the gateway is still there', async () => check(!world.gateway.died, 'it ended by itself'));
}

await suite.step('the tests run to their end', main, 2 * WHOLE_MS);
await suite.step('the gateway stops when told to, among sessions in every state', async () => {
	if (args.only)
		return;
	for (const kind of ['raw', 'websocket', 'xhr_streaming', 'xhr'])
		for (const habit of ['echo', 'never', 'deaf', 'flood', 'neverReads'])
			start(world.url('/app'), kind, { query: `?do=${habit}` });
	await sleep(500);
});
await suite.step('the gateway ends without a leak', async () => {
	equal(await world.gateway.stop(), 0, 'exit code');
});
suite.finish();
