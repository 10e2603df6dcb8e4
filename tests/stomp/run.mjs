#!/usr/bin/env node
/*
 * run.mjs - the application "stomp" and the clients that people have: every library on every
 * transport, at an endpoint that is open to everybody and at one with users and rules; and what
 * they do when the server is started again.
 *
 *	run.mjs --server ./sockjsd [--threads N] [--only REGEXP]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { globalAgent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, equal, readArguments, Suite, WHOLE_MS, withDeadline } from '../e2e/harness.mjs';
import { Gateway, sleep, until } from '../upstream/gateway.mjs';
import { makeCertificates } from '../upstream/tls.mjs';
import { Inbox, testClient, testSilence } from './checks.mjs';
import { KINDS, SOCKJS, Stompjs7, WAIT_MS } from './clients.mjs';
import { foreignRestart, testForeign } from './foreign.mjs';

const LISTEN_MS = 21000; /* more than twice the heart-beat of ten seconds, which is when clients give up */

const args = readArguments(['server', 'threads', 'only']);
const server = args.server ?? './sockjsd';
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'stomp-'));
const certificates = makeCertificates(folder);
const gateway = new Gateway(server, join(folder, 'sockjsd.json'));

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function user(login, roles = []) {
	const password = execFileSync(server, ['--hash-password'], { input: `passcode of ${login}\n`, encoding: 'utf8' }).trim();

	return { login, password, roles };
}

const USERS = [user('alice'), user('other'), user('operator', ['staff'])];
const RULES = [
	{ destination: '/topic/staff/**', send: { roles: ['staff'] }, subscribe: 'authenticated' },
	{ destination: '/presence/topic/rules/**', subscribe: 'authenticated' },
	{ destination: '/topic/rules/**', send: 'authenticated', subscribe: 'authenticated' },
	{ destination: '/user/**', send: 'authenticated', subscribe: 'authenticated' },
];
const FREE = Array(6).fill('127.0.0.1:0');

/* The same addresses again after a restart. */
function config(addresses = FREE) {
	const tls = { certificate: certificates.files.good.cert, key: certificates.files.good.key };
	const raw = (address, endpoint, more = {}) => ({ address, protocol: 'stomp', endpoint, ...more });
	const [http, open, openTls, rules, rulesTls, quick] = addresses;
	const endpoint = (prefix, stomp) => ({ prefix, application: 'stomp', allowed_origins: ['*'], stomp });

	return {
		threads: Number(args.threads ?? 2),
		listen: [http, raw(open, '/open'), raw(openTls, '/open', { tls }), raw(rules, '/rules'), raw(rulesTls, '/rules', { tls }), raw(quick, '/quick')],
		internal: { listen: '127.0.0.1:0' },
		shutdown_timeout_ms: 3000,
		endpoints: [
			endpoint('/open', { access: 'open', presence: ['/topic/*/*/*/presence'] }),
			endpoint('/quick', { access: 'open', heartbeat_ms: [2000, 2000] }),
			endpoint('/rules', { access: RULES, users: USERS, presence: ['/topic/*/*/*/presence'] }),
			endpoint('/guard', { access: RULES, users: USERS, max_failures_per_minute: 0 }),
		],
	};
}

function places() {
	const url = (prefix) => gateway.url + prefix;
	const [, open, openTls, rules, rulesTls] = gateway.urls;

	return [
		{ name: 'open', url: url('/open'), tcp: open, tls: openTls, ca: certificates.ca },
		{ name: 'rules', url: url('/rules'), guard: url('/guard'), tcp: rules, tls: rulesTls, ca: certificates.ca, login: 'alice' },
	];
}

/* Over all endpoints. */
async function sumOf(gauge) {
	const text = await (await fetch(`${gateway.internal}/metrics`, { headers: { connection: 'close' } })).text();
	const values = [...text.matchAll(new RegExp(`^${gauge}(?:\\{.*\\})? (\\d+)$`, 'gm'))].map(([, n]) => Number(n));

	check(values.length > 0, `no ${gauge}`);
	return values.reduce((a, b) => a + b);
}

/* A few at a time: so many that the machine is busy, so few that nobody waits too long. */
async function inTurns(jobs, width) {
	const rest = [...jobs];

	await Promise.all(Array.from({ length: width }, async () => {
		while (rest.length > 0)
			await rest.shift()();
	}));
}

function forTransport({ transport }, place) {
	return transport === 'tcp' ? { ...place, url: place.tcp.replace('stomp:', 'http:'), guard: null } : place;
}

/* Who only listens is not taken for dead, with every default. */
async function listens(transport) {
	const client = new Stompjs7(transport);
	const inbox = new Inbox();

	await client.open({ url: `${gateway.url}/open`, beat: 10000 });
	await client.subscribed(`/topic/listens/${transport}`, inbox.take);
	await sleep(LISTEN_MS);
	await client.sent(`/topic/listens/${transport}`, 'still here');
	await inbox.has(1);
	await client.close();
}

/* Subscriptions are made anew by onConnect, as the library's users do it. */
async function comeBack(transport, restarted) {
	const client = new Stompjs7(transport);
	const inbox = new Inbox();

	client.onConnect = () => client.client.subscribe(`/topic/back/${transport}`, inbox.take);
	await client.open({ url: `${gateway.url}/open`, reconnect: 100, beat: 10000 });
	await restarted.begin();
	await restarted.done;
	await until('it has come back', () => (client.connections > 1 ? null : 'not yet'));
	await client.sent(`/topic/back/${transport}`, 'hello');
	equal((await inbox.has(1))[0].body, 'hello', 'message');
	await client.close();
}

/* Once all are there. */
function restart(parties) {
	let missing = parties;
	let begin;
	const all = new Promise((resolve) => { begin = resolve; });
	const done = withDeadline(all, WAIT_MS, 'all are there').then(async () => {
		const addresses = gateway.urls.map((url) => url.replace(/^.*\/\//, ''));

		equal(await gateway.stop(), 0, 'exit code');
		await gateway.start(config(addresses));
	});

	done.catch(() => {});
	return { done, begin: () => (--missing === 0 ? begin() : undefined) };
}

async function testRestart() {
	if (args.only && !/restart/.test(args.only))
		return;
	const foreign = foreignRestart(suite, places());
	const transports = ['ws', ...SOCKJS];
	const restarted = restart(transports.length + foreign.length);

	await Promise.all([
		...transports.map((t) => suite.test(`@stomp/stompjs, ${t}: comes back after a restart`, () => comeBack(t, restarted))),
		...foreign.map((f) => f(restarted)),
	]);
}

/* Each client that fails stays a failure: of its address. Ten may at once, and one more every six seconds. */
async function throttled() {
	const codes = [];

	for (let i = 0; i < 40 && !codes.includes('4622'); i++) {
		const client = new Stompjs7('ws');

		await client.open({ url: `${gateway.url}/rules`, login: `nobody ${i}`, passcode: 'x' }).catch((e) => codes.push(e.frame?.headers.code));
		await client.client.deactivate();
	}
	check(codes.indexOf('4622') >= 10 && codes.slice(0, -1).every((code) => code === '4620'), `codes: ${codes}`);
}

async function main() {
	await gateway.start(config());
	await gateway.metric('sockjs_sessions'); /* whoever answers has all that it needs */
	await sleep(200);
	const descriptors = gateway.descriptors();
	const listeners = args.only && !/listens/.test(args.only) ? []
		: ['ws', ...SOCKJS].map((t) => suite.test(`@stomp/stompjs, ${t}: listens for ${LISTEN_MS} ms`, () => listens(t)));

	await inTurns([
		...places().map((place) => () => testForeign(suite, place)),
		...places().flatMap((place) => KINDS.map((kind) => () => testClient(suite, kind, forTransport(kind, place)))),
	], 4);
	await testSilence(suite, KINDS, (kind) => (kind.transport === 'tcp' ? gateway.urls[5].replace('stomp:', 'http:') : `${gateway.url}/quick`));
	await Promise.all(listeners);
	globalAgent.destroy();
	await suite.step('nothing is left of any session', () => gateway.quiet(descriptors));
	await suite.step('nothing is left of any client or subscription', async () => {
		for (const gauge of ['clients', 'subscriptions'])
			equal(await sumOf(`sockjs_stomp_${gauge}`), 0, gauge);
	});
	await testRestart();
	await suite.test('too many wrong passcodes from one address', throttled);
	await suite.step('the gateway is still there', async () => check(!gateway.died, 'it ended by itself'));
}

await suite.step('the tests run to their end', main, WHOLE_MS);
await suite.step('the gateway ends without a leak', async () => {
	equal(await gateway.stop(), 0, 'exit code');
});
suite.finish();
