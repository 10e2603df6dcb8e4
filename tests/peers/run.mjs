#!/usr/bin/env node
/*
 * run.mjs - several gateways that share sessions: whatever request comes to whichever of them, and what becomes of
 * sessions when a gateway, or the engine, comes and goes.
 *
 *	run.mjs --server ./sockjsd [--threads N] [--only REGEXP]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request as secure } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { check, equal, readArguments, Suite, together } from '../e2e/harness.mjs';
import { Deaf, Hearing, SockJS } from '../e2e/sockjs_client.mjs';
import { missing, Nats } from '../relay/brokers.mjs';
import { ask, Gateway, sleep, TOKEN, until } from '../reload/gateway.mjs';
import { makeCertificates } from '../upstream/tls.mjs';
import { Balancer } from './balancers.mjs';
import { Answer, Session } from './sessions.mjs';

const args = readArguments(['server', 'threads', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'peers-'));
const program = args.server ?? './sockjsd';
const threads = Number(args.threads ?? 2);
let names = 0;

process.setMaxListeners(400);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* --- gateways ------------------------------------------------------------------------------------------- */

const configOf = (engine, more = {}) => ({
	listen: ['127.0.0.1:0'], threads, log_level: 'info', shutdown_timeout_ms: 300, internal: { listen: '127.0.0.1:0', token: TOKEN },
	engine: { kind: 'nats', retry_delay_ms: 50, retry_delay_max_ms: 200, ...engine },
	endpoints: [{ prefix: '/echo', application: 'echo', allowed_origins: ['*'] }, { prefix: '/all', application: 'broadcast' },
		{ prefix: '/own', application: 'echo' }, { prefix: '/slow', application: 'echo', disconnect_delay_ms: 60000 }],
	...more,
});

const start = (engine, more) => new Gateway(program, folder, `g${names++}`).start(configOf(engine, more));

/* Each knows all, and where their sessions are. */
async function settled(...gateways) {
	for (const g of gateways)
		await until(async () => await g.metric('sockjs_peers_gateways') === gateways.length && await g.metric('sockjs_peers_settled') === 1,
			`a gateway knows ${gateways.length}, and all is settled`);
}

async function kill(gateway, signal = 'SIGKILL') {
	gateway.isKilled = true;
	gateway.child.removeAllListeners('exit');
	gateway.child.kill(signal);
	await until(() => gateway.child.exitCode !== null || gateway.child.signalCode !== null, 'a gateway ends');
}

async function finish(gateways) {
	for (const g of gateways)
		if (!g.isKilled)
			equal(await g.stop(), 0, 'exit code of a gateway');
}

async function withGateways(count, fn, more) {
	const lacking = missing(Nats);
	check(!lacking, lacking);
	const server = await new Nats({}).start();
	const gateways = [];

	try {
		gateways.push(...await Promise.all(Array.from({ length: count }, (_, i) => start({ servers: server.url }, typeof more === 'function' ? more(i) : more))));
		await settled(...gateways);
		await fn(...gateways, server);
	} finally {
		await finish(gateways);
		await server.stop();
		await server.remove?.();
	}
}

/* Some sessions at each of the gateways: whose it is says its table alone. */
async function openMany(count, gateways, prefix = '/slow') {
	const sessions = Array.from({ length: count }, () => new Session(prefix));

	await Promise.all(sessions.map((s, i) => s.open(gateways[i % gateways.length])));
	return sessions;
}

const open = (gateway) => gateway.metric('sockjs_sessions');

/* --- what comes anywhere ---------------------------------------------------------------------------------- */

const say = (frame, transport) => ({
	xhr: `${frame}\n`, xhr_streaming: `${frame}\n`, eventsource: `data: ${frame}\r\n\r\n`,
	htmlfile: `<script>\np(${JSON.stringify(frame)});\n</script>\r\n`, jsonp: `cb(${JSON.stringify(frame)});\r\n`,
})[transport];

async function streams(transport, a, b) {
	for (const gateway of [a, b]) {
		const s = new Session(), stream = s.stream(gateway, transport);

		await stream.has(say('o', transport));
		for (const to of [a, b, a, b]) {
			equal(await s.send(to, `by ${to.port}`), 204, 'status of a send');
			await stream.has(say(`a["by ${to.port}"]`, transport));
		}
		stream.leave();
		await until(async () => await s.send(b, 'x') === 404 && await s.send(a, 'x') === 404, 'the client has left for both gateways');
	}
}

async function polls(a, b) {
	for (let i = 0; i < 8; i++) {
		const s = await new Session().open(i % 2 ? a : b);

		for (let n = 0; n < 6; n++) {
			equal(await s.send(n % 2 ? a : b, `${n}`, 'ü\u2028'), 204, 'status of a send');
			equal(await s.poll(n & 2 ? a : b), `a["${n}","ü\\u2028"]`, 'a poll');
		}
	}
}

async function jsonp(a, b) {
	for (const first of [a, b]) {
		const s = new Session(), poll = (g) => s.ask(g, 'jsonp?c=cb', undefined, 'GET').done;

		equal((await poll(first)).text, '/**/cb("o");\r\n', 'jsonp opens');
		for (const g of [a, b]) {
			const sent = await new Answer(g, 'POST', `${s.path}/jsonp_send`, { body: 'd=%5B%22x%22%5D', headers: { 'content-type': 'application/x-www-form-urlencoded' } }).done;

			equal([sent.status, sent.text], [200, 'ok'], 'jsonp_send');
			equal((await poll(g)).text, '/**/cb("a[\\"x\\"]");\r\n', 'jsonp polls');
		}
	}
}

async function testTransports() {
	for (const transport of ['xhr_streaming', 'eventsource', 'htmlfile'])
		await suite.test(`${transport}: a session goes on at any gateway`, () => withGateways(2, (a, b) => streams(transport, a, b)));
	await suite.test('xhr: a session goes on at any gateway', () => withGateways(2, polls));
	await suite.test('jsonp: a session goes on at any gateway', () => withGateways(2, jsonp));
	await suite.test('three gateways: each message comes once, in order', () => withGateways(3, async (...all) => {
		const gateways = all.slice(0, 3);

		await together(20, Array.from({ length: 40 }, () => async () => {
			const s = await new Session().open(gateways[0]), got = [];

			for (let n = 0; n < 40; n++) {
				equal(await s.send(gateways[n % 3], n), 500, 'a number is no message') ;
				equal(await s.send(gateways[n % 3], `${n}`), 204, 'status of a send');
				if (n % 5 === 4)
					got.push(...JSON.parse((await s.poll(gateways[(n / 5 | 0) % 3])).slice(1)));
			}
			equal(got, Array.from({ length: 40 }, (_, n) => `${n}`), 'messages');
		}));
		const passed = await Promise.all(gateways.map((g) => g.metric('sockjs_peers_passed_on_total')));
		const received = await Promise.all(gateways.map((g) => g.metric('sockjs_peers_received_total')));

		check(passed.every((n) => n > 500), `requests passed on: ${passed}`);
		equal(received.reduce((x, y) => x + y), passed.reduce((x, y) => x + y), 'requests received');
		equal(await Promise.all(gateways.map((g) => g.metric('sockjs_peers_asked_total'))), [0, 0, 0], 'sessions asked for, of gateways that are settled');
	}), 90000);
	await suite.test('a large message and a slow client', () => withGateways(2, async (a, b) => {
		for (const g of [a, b]) {
			const s = new Session(), stream = s.stream(g), text = 'x'.repeat(60000);

			await stream.has('o\n');
			stream.request.socket.pause();
			for (let i = 0; i < 8; i++)
				equal(await s.send(i % 2 ? a : b, `${i}${text}`), 204, 'status of a send');
			stream.request.socket.resume();
			for (let i = 0; i < 2; i++)
				await stream.has(`${i}${text}`);
			stream.leave();
		}
	}));
	await suite.test('HTTP/1.0, and requests one behind the other on a connection', () => withGateways(2, async (a, b) => {
		const s = await new Session().open(a);
		const exchange = (port, text, enough) => new Promise((resolve, reject) => {
			let got = '';
			const socket = connect(port, '127.0.0.1', () => socket.write(text));

			socket.setEncoding('latin1').on('data', (d) => { got += d; if (enough(got)) socket.destroy(); }).on('close', () => resolve(got)).on('error', reject);
		});
		const send = (version, body) => `POST ${s.path}/xhr_send HTTP/${version}\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

		for (const g of [a, b]) {
			check((await exchange(g.port, send('1.0', '["old"]'), () => false)).startsWith('HTTP/1.1 204 '), 'an answer to HTTP/1.0');
			equal(await s.poll(g), 'a["old"]', 'a poll');
			const both = await exchange(g.port, send('1.1', '["1"]') + send('1.1', '["2"]') + `POST ${s.path}/xhr HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`, (t) => /a\[.*\n/.test(t));

			equal([both.match(/HTTP\/1.1 204/g)?.length, /a\["1","2"\]/.test(both)], [2, true], `answers to requests in a row: ${both}`);
		}
	}));
}

/* --- whose a request is ----------------------------------------------------------------------------------- */

async function addresses(a, b) {
	const sessions = Array.from({ length: 12 }, (_, i) => new Session('/slow', { headers: { 'x-forwarded-for': `192.0.2.${i + 1}` } }));

	await Promise.all(sessions.map((s, i) => s.open(i % 2 ? a : b)));
	const seen = [];

	for (const g of [a, b])
		seen.push(...(await g.command('sessions', { limit: 100 })).json.sessions.map((s) => s.remote ?? s.address));
	equal(seen.sort(), sessions.map((_, i) => `192.0.2.${i + 1}`).sort(), 'addresses of clients');
}

async function pretenders(a, b) {
	const s = await new Session().open(a);

	for (const value of ['', 'x', `${'0'.repeat(32)} client=192.0.2.1:1`, `${'f'.repeat(40)} client=1.2.3.4:5 tls`, 'secret= client=']) {
		for (const g of [a, b]) {
			const { status, text } = await new Answer(g, 'POST', `${s.path}/xhr_send`, { body: '["x"]', headers: { 'sockjsd-peer': value } }).done;

			equal([status, /no gateway that is known/.test(text)], [400, true], `an answer to "${value}"`);
		}
	}
	check(await a.metric('sockjs_refusals_total\\{reason="peer"\\}') >= 0, 'counted');
	equal(await s.send(b, 'x'), 204, 'a send');
	equal(await s.poll(a), 'a["x"]', 'nothing else has come');
}

async function testClients() {
	await suite.test('a client keeps its address, behind a proxy as well', () => withGateways(2, addresses, { trusted_proxies: ['127.0.0.1'] }));
	await suite.test('who says to be a gateway, and is none, is refused', () => withGateways(2, pretenders));
	await suite.test('limits by address do not count gateways', () => withGateways(2, async (a, b) => {
		await openMany(20, [a, b]);
	}, { limits: { connections_per_address: 30 } }));
	await suite.test('requests of other pages are refused where they come', () => withGateways(2, async (a, b) => {
		for (const g of [a, b]) {
			const { status } = await new Answer(g, 'POST', `${new Session('/own').path}/xhr`, { body: '', headers: { origin: 'http://elsewhere.example' } }).done;

			equal(status, 403, 'status');
		}
		equal(await a.metric('sockjs_peers_passed_on_total') + await b.metric('sockjs_peers_passed_on_total'), 0, 'requests passed on');
	}));
	const certificates = makeCertificates(mkdtempSync(join(folder, 'tls-')));
	const tls = (peers) => () => ({ listen: [{ address: '127.0.0.1:0', tls: { certificate: certificates.files.good.cert, key: certificates.files.good.key } }], peers });
	const ca = readFileSync(certificates.ca);

	await suite.test('TLS from gateway to gateway', () => withGateways(2, async (a, b) => {
		a.secure = b.secure = secure;
		for (let i = 0; i < 8; i++) {
			const s = await new Session('/echo', { ca }).open(i % 2 ? a : b);

			for (const g of [a, b]) {
				equal(await s.send(g, 'x'), 204, 'a send');
				equal(await s.poll(g), 'a["x"]', 'a poll');
			}
		}
		check(await a.metric('sockjs_peers_passed_on_total') + await b.metric('sockjs_peers_passed_on_total') > 0, 'requests passed on');
	}, tls({ tls: { ca: certificates.ca } })));
	await suite.test('TLS: a gateway whose certificate is not good is not spoken to', () => withGateways(2, async (a, b) => {
		a.secure = b.secure = secure;
		const answers = await Promise.all(Array.from({ length: 20 }, () => new Session('/echo', { ca }).poll(a)));

		check(answers.includes('o') && answers.includes(503), `answers: ${answers}`);
		equal(await b.metric('sockjs_peers_received_total'), 0, 'requests received');
	}, tls({ tls: { name: 'gateway.example', ca: certificates.ca } })));
	await suite.test('an address that others cannot use is said', async () => {
		const gateway = new Gateway(program, folder, `g${names++}`);
		await gateway.start(configOf({ servers: 'nats://127.0.0.1:1' }, { listen: [`unix:${folder}/only`] })).catch(() => {});
		gateway.child.removeAllListeners('exit');
		await until(() => gateway.child.exitCode !== null, 'it ends');
		check(/peers\.address: missing/.test(gateway.log.join()), `what is said: ${gateway.log}`);
	});
}

/* --- gateways come and go ----------------------------------------------------------------------------------- */

async function oneComes() {
	const server = await new Nats({}).start(), gateways = [await start({ servers: server.url })];
	const [a] = gateways;

	try {
		await settled(a);
		const sessions = await openMany(30, [a], '/echo');

		gateways.push(await start({ servers: server.url }));
		const [, b] = gateways;

		await until(async () => await b.metric('sockjs_peers_gateways') === 2, 'the second knows the first');
		await Promise.all(sessions.map(async (s, i) => {
			equal(await s.send(b, `${i}`), 204, 'a send by way of who has just come');
			equal(await s.poll(b), `a["${i}"]`, 'a poll');
		}));
		check(await b.metric('sockjs_peers_asked_total') >= 30, 'all were asked');
		await until(async () => await a.metric('sockjs_peers_strays') > 5, 'the first knows which of its sessions are looked for elsewhere');
		equal(await b.metric('sockjs_peers_settled'), 0, 'settled');
		await openMany(20, [a, b], '/slow');
		check(await b.metric('sockjs_sessions') > 3, 'new sessions are shared out');
		await until(async () => await a.metric('sockjs_peers_strays') === 0, 'no strays are left');
		await until(async () => await b.metric('sockjs_peers_settled') === 1, 'all is settled');
	} finally {
		await finish(gateways);
		await server.stop();
		await server.remove?.();
	}
}

/* All requests have gone by way of `b`. */
async function oneIsKilled(a, b) {
	const sessions = await openMany(40, [b]);
	const lost = await open(a), stayed = await open(b);

	equal(lost + stayed, 40, 'sessions');
	check(lost > 5 && stayed > 5, `shares: ${lost}, ${stayed}`);
	await kill(a);
	const sends = await Promise.all(sessions.map((s) => s.send(b, 'x')));

	equal([sends.filter((n) => n === 404).length, sends.filter((n) => n === 204).length], [lost, stayed], 'sends refused, and taken');
	const polls = await Promise.all(sessions.map((s) => s.poll(b)));

	equal(polls.filter((p) => p === 'c[1002,"Connection interrupted"]').length, lost, `sessions closed, of ${polls}`);
	equal(polls.filter((p) => p === 'a["x"]').length, stayed, 'sessions that go on');
	await openMany(20, [b]);
}

/* The other one is taken to be there until its beats are missed, and is tried again now and then. */
async function opensMeanwhile(a, b) {
	await kill(a);
	do
		await openMany(20, [b]);
	while (await b.metric('sockjs_peers_gateways') > 1);
	check(await b.metric('sockjs_peers_failures_total\\{reason="refused"\\}') > 1, 'it was tried more than once');
}

async function streamsAreCut(a, b, signal) {
	const sessions = Array.from({ length: 20 }, () => new Session()), streams = sessions.map((s) => s.stream(b));

	await Promise.all(streams.map((s) => s.has('o\n')));
	const lost = await open(a);

	check(lost > 2, `streams of the other gateway: ${lost}`);
	if (signal === 'SIGSTOP')
		a.child.kill(signal);
	else
		await kill(a, signal);
	await until(() => streams.filter((s) => s.ended).length === lost, 'the streams of the gateway that is gone end', 20000);
	await until(async () => await b.metric('sockjs_peers_gateways') === 1, 'it is gone');
	for (const [i, s] of sessions.entries())
		if (!streams[i].ended) {
			equal(await s.send(b, 'here'), 204, 'a send');
			await streams[i].has('a["here"]\n');
			streams[i].leave();
		}
	await openMany(10, [b]);
	if (signal !== 'SIGSTOP')
		return;
	a.child.kill('SIGCONT');
	await until(async () => await b.metric('sockjs_peers_gateways') === 2 && await a.metric('sockjs_peers_gateways') === 2, 'it is there again');
	const s = await new Session().open(a);

	equal(await s.send(b, 'again'), 204, 'a send');
	equal(await s.poll(a), 'a["again"]', 'a poll');
}

async function engineGoes(a, b, server) {
	const sessions = await openMany(20, [a, b]);

	await server.stop('SIGKILL');
	await until(async () => await a.metric('sockjs_peers_up') === 0 && await b.metric('sockjs_peers_up') === 0, 'the engine is away');
	await sleep(4000); /* longer than gateways that are not heard of are there */
	for (const [i, s] of sessions.entries()) {
		equal(await s.send(i % 3 ? a : b, 'meanwhile'), 204, 'a send while the engine is away');
		equal(await s.poll(i % 2 ? a : b), 'a["meanwhile"]', 'a poll');
	}
	const more = await openMany(10, [a, b]);

	for (const s of more)
		equal([await s.send(a, 'x'), await s.poll(b)], [204, 'a["x"]'], 'a session that began meanwhile');
	await server.start();
	await settled(a, b);
	for (const s of [...sessions, ...more]) {
		equal(await s.send(b, 'later'), 204, 'a send when it is back');
		equal(await s.poll(a), 'a["later"]', 'a poll');
	}
}

async function oneDrains(a, b) {
	const sessions = await openMany(30, [b]), there = await open(a);

	check(there > 3, `sessions of the one that drains: ${there}`);
	a.isKilled = true;
	a.child.removeAllListeners('exit');
	a.child.kill('SIGTERM');
	await until(async () => (await open(b)) + (await openMany(1, [b])).length > 0 && await b.metric('sockjs_peers_gateways') >= 1, 'it goes on');
	const polls = await Promise.all(sessions.map((s) => s.ask(b, 'xhr', '')).map(async (p) => {
		await until(() => p.ended || p.text, 'an answer', 3000).catch(() => p.leave());
		return p.text.trim();
	}));
	const closed = polls.filter((p) => /^c\[/.test(p));

	check(closed.length >= there, `closed: ${closed.length} of ${there}`);
	await until(() => a.child.exitCode !== null, 'it ends');
	equal(a.child.exitCode, 0, 'exit code');
	await openMany(10, [b]);
}

async function testFailures() {
	await suite.test('a gateway comes: sessions are found where they are', oneComes, 60000);
	await suite.test('a gateway is killed: its sessions end at once, others go on', () => withGateways(2, oneIsKilled));
	await suite.test('a gateway is killed: sessions that would be its open elsewhere, also before it is missed', () => withGateways(2, opensMeanwhile));
	await suite.test('a gateway is killed: streams by way of others end', () => withGateways(2, (a, b) => streamsAreCut(a, b, 'SIGKILL')));
	await suite.test('a gateway that is stopped for a while', () => withGateways(2, (a, b) => streamsAreCut(a, b, 'SIGSTOP')), 60000);
	await suite.test('the engine goes, and comes back', () => withGateways(2, engineGoes), 60000);
	await suite.test('a gateway drains: new sessions go to others', () => withGateways(2, oneDrains, { drain_ms: 500 }));
	await suite.test('who does not share sessions', () => withGateways(1, async (a, server) => {
		const b = await start({ servers: server.url }, { peers: { sessions: false }, endpoints: [{ prefix: '/echo', application: 'echo' }, { prefix: '/s', application: 'stomp', stomp: { access: 'open' } }] });

		try {
			const s = await new Session().open(a);

			equal(await s.send(b, 'x'), 404, 'a send to who has no such session');
			equal(await a.metric('sockjs_peers_gateways'), 1, 'gateways');
		} finally {
			await finish([b]);
		}
	}));
}

/* --- groups ------------------------------------------------------------------------------------------------- */

async function socket(gateway, prefix) {
	const ws = new WebSocket(`ws://127.0.0.1:${gateway.port}${prefix}/websocket`);

	ws.got = [];
	ws.on('message', (d) => ws.got.push(d.toString())).on('error', () => {});
	await until(() => ws.readyState === WebSocket.OPEN, 'a WebSocket is open');
	return ws;
}

async function testGroups() {
	await suite.test('a group goes over all gateways, in the order of each', () => withGateways(3, async (...all) => {
		const gateways = all.slice(0, 3), members = [];

		for (const g of [...gateways, ...gateways])
			members.push(await socket(g, '/all'));
		for (let i = 0; i < 300; i++)
			members[i % 3].send(`${i % 3} ${i}`);
		for (const m of members) {
			await until(() => m.got.length >= 300, 'all messages have come');
			for (const k of [0, 1, 2])
				equal(m.got.filter((t) => t.startsWith(`${k} `)), Array.from({ length: 100 }, (_, i) => `${k} ${i * 3 + k}`), 'messages of one gateway');
		}
		await sleep(100);
		equal(members.map((m) => m.got.length), members.map(() => 300), 'none comes twice');
		members.forEach((m) => m.close());
	}));
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

async function commands(...all) {
	const token = join(folder, 'token');

	writeFileSync(token, TOKEN);

	const gateways = all.slice(0, 3), [a, b, c] = gateways;
	const sessions = await openMany(30, gateways);
	const listed = (await a.command('gateways')).json;

	equal([listed.gateways.length, listed.settled, listed.gateways.filter((g) => g.self).length], [3, true, 1], 'gateways');
	const ids = new Map(listed.gateways.map((g) => [g.address, g.gateway]));
	const idOf = (g) => ids.get(`127.0.0.1:${g.port}`);

	for (const g of gateways) {
		const { status, json } = await g.command('sessions', { gateway: 'all', limit: 1000 });

		equal([status, json.missing, json.gateways.length], [200, 0, 3], 'answers');
		equal(json.gateways.reduce((n, one) => n + one.answer.sessions.length, 0), 30, 'sessions of all');
		equal(json.gateways.map((one) => one.gateway).sort(), [...ids.values()].sort(), 'whose the answers are');
	}
	for (const g of gateways) /* one by one, through another gateway than its own */
		for (const { session } of (await g.command('sessions', { limit: 3 })).json.sessions) {
			const by = g === a ? b : a;

			equal((await by.command('session', { session, gateway: idOf(g) })).json.session, session, 'a session of another gateway');
			equal(await by.command('disconnect', { session, gateway: idOf(g), code: 4000 }), { status: 200, json: { disconnected: 1 } }, 'a session is closed');
		}
	const polls = await Promise.all(sessions.map(async (s) => {
		const poll = s.ask(a, 'xhr', '');

		await until(() => poll.ended, 'an answer', 1500).catch(() => poll.leave());
		return poll.text;
	}));

	equal(polls.filter((t) => t.startsWith('c[4000')).length, 9, 'sessions closed');
	equal((await a.command('session', { session: 1e9, gateway: idOf(b) })).status, 404, 'no such session there');
	equal((await a.command('sessions', { gateway: '0123456789abcdef' })).json.error.code, 'no_gateway', 'no such gateway');
	equal((await a.command('sessions', { gateway: 'x' })).status, 404, 'no such gateway');
	equal((await a.command('sessions', { gateway: 7 })).status, 400, 'what is no gateway');
	equal((await a.command('sessions', { gateway: 'all', limit: 0 })).json.gateways.map((g) => g.status), [400, 400, 400], 'what is refused everywhere');
	equal((await a.command('endpoints', { gateway: idOf(a) })).status, 200, 'itself');
	const ctl = (...more) => spawnSync(program, ['ctl', '--api', a.internal, '--token-file', token, ...more], { encoding: 'utf8' });

	check(ctl('gateways').stdout.includes(idOf(c)), 'sockjsd ctl gateways');
	check(ctl('endpoints', '--gateway', idOf(b)).stdout.includes('/slow'), 'sockjsd ctl endpoints of another gateway');
	equal(JSON.parse(ctl('sessions', '--gateway', 'all').stdout).gateways.length, 3, 'sockjsd ctl sessions of all');
	equal(ctl('sessions', '--gateway', 'x').status, 1, 'exit status for no gateway');
	c.child.kill('SIGSTOP');
	const { json } = await a.command('sessions', { gateway: 'all' });

	c.child.kill('SIGCONT');
	equal([json.gateways.length, json.missing], [2, 1], 'answers, when one is silent');
}

async function testCommands() {
	await suite.test('commands at another gateway, and at all', () => withGateways(3, commands), 60000);
	await suite.test('commands of a gateway that shares nothing', async () => {
		const alone = await new Gateway(program, folder, `g${names++}`).start({ ...configOf({}), engine: undefined });

		try {
			equal((await alone.command('gateways')).json, { gateways: [], settled: false }, 'gateways');
			equal((await alone.command('sessions', { gateway: 'all' })).json.error.code, 'no_gateway', 'all');
		} finally {
			await finish([alone]);
		}
	});
}

/* --- behind balancers ----------------------------------------------------------------------------------------- */

/* Clients have them in turn. */
const KINDS = ['xhr-streaming', 'eventsource', 'xhr-polling'];

/* What a requester of sockjs-client says of an answer that is cut off in the middle. */
async function hearsCut(Driver) {
	let answer;
	const server = createServer((_, a) => { answer = a; a.write('o\n'); });

	await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
	const driver = new Driver('POST', `http://127.0.0.1:${server.address().port}/`, null), heard = [];
	const over = new Promise((resolve) => { driver.req.on('close', resolve); });

	driver.on('chunk', () => answer.destroy());
	driver.on('finish', (status) => heard.push(status));
	await over;
	await sleep(0); /* what is said of its end is said now */
	server.close();
	return heard;
}

/* sockjs-client with one transport: each message once, in order. */
function converse(url, transport, count, pace = 0) {
	return new Promise((resolve) => {
		const client = new SockJS(`${url}/echo`, null, { transports: transport }), got = [];
		const next = () => (got.length < count ? client.send(`${got.length}`) : client.close());

		client.onopen = next;
		client.onmessage = ({ data }) => { got.push(data); setTimeout(next, pace); };
		client.onclose = ({ code, reason }) => resolve({ got, code, reason });
	});
}

async function balanced(kind, a, b, options = {}) {
	const balancer = await new Balancer(kind, mkdtempSync(join(folder, 'b-')), [a.port, b.port], options).start();

	try {
		const url = `http://127.0.0.1:${balancer.port}`;

		await together(12, Array.from({ length: 36 }, (_, i) => async () => {
			const { got, code, reason } = await converse(url, KINDS[i % 3], 12);

			equal(got, Array.from({ length: 12 }, (_, n) => `${n}`), `echoes (${code} ${reason})`);
		}));
	} finally {
		await balancer.stop();
	}
}

async function cookies(a, b) {
	const balancer = await new Balancer('haproxy', mkdtempSync(join(folder, 'b-')), [a.port, b.port], { cookie: 'GATEWAY' }).start();

	try {
		for (let i = 0; i < 6; i++) {
			const s = new Session();
			const first = await s.ask(balancer, 'xhr', '').done, cookie = /GATEWAY=g\d/.exec(first.headers['set-cookie'])?.[0];

			check(cookie, `a cookie: ${first.headers['set-cookie']}`);
			s.options = { headers: { cookie } };
			const before = await a.metric('sockjs_peers_passed_on_total') + await b.metric('sockjs_peers_passed_on_total');

			for (let n = 0; n < 10; n++)
				equal([await s.send(balancer, 'x'), await s.poll(balancer)], [204, 'a["x"]'], 'there and back');
			equal(await a.metric('sockjs_peers_passed_on_total') + await b.metric('sockjs_peers_passed_on_total'), before, 'requests passed on, once the cookie is there');
			equal((await s.ask(balancer, 'xhr_send', '["y"]').done).headers['set-cookie'], undefined, 'a cookie that is known is not set again');
		}
	} finally {
		await balancer.stop();
	}
}

/* Three gateways behind HAProxy, which knows nothing of sessions. */
async function withCrowd(fn) {
	const server = await new Nats({}).start(), gateways = [];
	const add = async () => gateways.push(await start({ servers: server.url }));

	for (let i = 0; i < 3; i++)
		await add();
	await settled(...gateways);
	const balancer = await new Balancer('haproxy', mkdtempSync(join(folder, 'b-')), gateways.map((g) => g.port)).start();

	try {
		await fn(`http://127.0.0.1:${balancer.port}`, gateways, add);
	} finally {
		await balancer.stop();
		await finish(gateways);
		await server.stop();
		await server.remove?.();
	}
}

/* What they all say by now that are not over, for who wonders why. */
const unfinished = (talks) => talks.filter((t) => !t.end).map((t) => `${t.transport} ${t.client._transport?.url} (${t.got.length})`);

/* Clients who say nothing hear of it when their session is gone, or the way to it: whoever is left has a session. */
async function silentHear(url, gateways) {
	const talks = Array.from({ length: 45 }, (_, i) => {
		const talk = { transport: KINDS[i % 3], got: [], end: null };
		const client = talk.client = new SockJS(`${url}/echo`, null, { transports: talk.transport });

		client.onopen = () => { talk.isOpen = true; };
		client.onmessage = ({ data }) => talk.got.push(data);
		client.onclose = (e) => { talk.end = e; };
		return talk;
	});
	const left = () => talks.filter((t) => !t.end);

	await until(() => talks.every((t) => t.isOpen), 'all are there');
	await until(async () => await open(gateways[0]) + await open(gateways[1]) + await open(gateways[2]) === 45, 'all have a session');
	const victims = await open(gateways[2]);

	check(victims > 3, `sessions at the gateway that is killed: ${victims}`);
	await kill(gateways[2]);
	await until(async () => await open(gateways[0]) + await open(gateways[1]) === left().length && left().length <= 45 - victims, 'who has no session any more has heard so', 20000)
		.catch((e) => check(false, `${e.message}: ${unfinished(talks)}`));
	const rest = left();

	check(rest.length > 3, `who is left: ${rest.length}`);
	for (const t of rest)
		t.client.send('still here');
	await until(() => rest.every((t) => t.end || t.got.length === 1), 'those that are left talk').catch((e) => check(false, `${e.message}: ${unfinished(rest.filter((t) => !t.got.length))}`));
	equal(rest.map((t) => t.end), rest.map(() => null), 'those that are left stay');
	rest.forEach((t) => t.client.close());
	await until(() => rest.every((t) => t.end), 'they leave');
}

/* Clients of all kinds talk while one gateway comes, and another one is killed: what has ended has ended loudly. */
async function storm(url, gateways, add, kills) {
	const crowd = (count, messages) => Promise.all(Array.from({ length: count }, (_, i) => converse(url, KINDS[i % 3], messages, 40)));
	const all = crowd(45, 60);

	await sleep(800);
	await add();
	if (!kills) {
		equal((await all).map((e) => e.got.length), Array.from({ length: 45 }, () => 60), 'echoes while a gateway comes');
		return;
	}
	await kill(gateways[2]);
	const ends = await all;

	for (const { got } of ends)
		equal(got, got.map((_, n) => `${n}`), 'echoes');
	/* How many it met is chance: who had a session there, or a stream or a request by it at that moment */
	check(ends.some((e) => e.got.length === 60), 'somebody talks to the end');
	equal((await crowd(6, 5)).map((e) => [e.got.length, e.code, e.reason]), KINDS.concat(KINDS).map(() => [5, 1000, 'Normal closure']), 'echoes for who comes afterwards');
}

async function testBalancers() {
	for (const kind of ['nginx', 'haproxy'])
		await suite.test(`${kind}, request by request in turn: sockjs-client on all transports`, () => withGateways(2, (a, b) => balanced(kind, a, b), { trusted_proxies: ['127.0.0.1'] }), 60000);
	await suite.test('haproxy, by the cookie of the gateway: nothing is passed on any more', () => withGateways(2, cookies, (i) => ({ peers: { cookie: 'GATEWAY', name: `g${i}` } })));
	await suite.test('an answer that is cut off: sockjs-client in Node is deaf to it, that of these tests is not', async () =>
		equal([await hearsCut(Deaf), await hearsCut(Hearing)], [[], [0]], 'what is heard'));
	await suite.test('a gateway comes while clients talk: nobody notices', () => withCrowd((...all) => storm(...all, false)), 90000);
	await suite.test('a gateway is killed while clients are silent: all who have lost their session hear it', () => withCrowd(silentHear), 60000);
	await suite.test('a gateway comes and another is killed while clients talk', () => withCrowd((...all) => storm(...all, true)), 90000);
}

await testTransports();
await testClients();
await testFailures();
await testGroups();
await testCommands();
await testBalancers();
suite.finish();
