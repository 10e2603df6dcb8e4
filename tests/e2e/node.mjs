#!/usr/bin/env node
/*
 * node.mjs - two more clients of the gateway: sockjs-client under Node (with
 * faye-websocket, its own XMLHttpRequest that sends chunked bodies, and the
 * eventsource package), and `ws` on the raw and on the SockJS websocket.
 *
 *   node.mjs --server "./sockjsd --demo -l 127.0.0.1:0 --www www"
 *   node.mjs --url http://127.0.0.1:8081 [--only REGEXP]
 *            [--production yes]    with the limits of an endpoint that sets none
 */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import WebSocket from 'ws';
import { check, equal, readArguments, Server, Suite, WHOLE_MS, withDeadline } from './harness.mjs';

globalThis.SockJS = createRequire(import.meta.url)('sockjs-client');
await import('./client.js');

/* Those of sockjs-client that need no document. */
const TRANSPORTS = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'];
const GO_AWAY = '{"code":3000,"reason":"Go away!","wasClean":true}';
const WAIT_MS = 10000;
/* Longer than first_message_timeout_ms. */
const LISTEN_MS = 70000;
const MIB = 1024 * 1024;

const { e2e } = globalThis;
const args = readArguments(['server', 'url', 'only', 'production']);
const ECHO_KINDS = ['plain', 'unicode', args.production ? '64 KiB' : '100 KiB', '1,000 ordered'];
const RAW_LONG = args.production ? 64 * 1024 : MIB;
const server = new Server(args);
const suite = new Suite(args.only);

/* ---- sockjs-client ------------------------------------------------------- */

async function well(promise) {
	const complaint = await promise;

	check(complaint === null, String(complaint));
}

async function meet(name, other) {
	const room = `${server.url}/broadcast`;
	const text = `${name} to ${other}`;

	equal(await e2e.join('one', room, name), name, 'transport');
	equal(await e2e.join('two', room, other), other, 'transport');
	e2e.say('one', text);
	equal(await e2e.heard('one', text), 1, 'times heard by the speaker');
	equal(await e2e.heard('two', text), 1, 'times heard by the other');
	await e2e.leave('one');
	await e2e.leave('two');
}

async function testSockjsClient(name) {
	const echo = `${server.url}/echo`;
	const other = name === 'websocket' ? 'xhr-polling' : 'websocket';

	for (const kind of ECHO_KINDS)
		await suite.test(`sockjs-client, ${name}: echoes ${kind}`, () => well(e2e.echo(echo, name, kind)));
	await suite.test(`sockjs-client, ${name}: talks to ${other}`, () => meet(name, other));
	await suite.test(`sockjs-client, ${name}: sees the server close`, async () => {
		equal(await e2e.serverClose(`${server.url}/close`, name), GO_AWAY, 'close event');
	});
	await suite.test(`sockjs-client, ${name}: closes by itself`, async () => {
		equal(await e2e.clientClose(echo, name), '{"code":3001,"reason":"Enough","wasClean":true}', 'close event');
	});
}

async function testRestart() {
	const echo = `${server.url}/echo`;

	for (const name of TRANSPORTS)
		await e2e.join(name, echo, name);
	const notices = TRANSPORTS.map((name) => e2e.gone(name));
	equal(await server.stop(), 0, 'exit code');
	await server.start();
	for (const [i, name] of TRANSPORTS.entries()) {
		const closed = await notices[i];
		check(closed?.code, `${name} did not notice`);
		await well(e2e.comeBack(echo, name));
	}
}

/* ---- ws -------------------------------------------------------------------- */

/* A WebSocket whose messages wait in a list until they are asked for. */
class Line {
	#messages = [];
	#wake = () => {};

	constructor(path, protocols = [], options = {}) {
		this.ws = new WebSocket(server.url.replace('http', 'ws') + path, protocols, { maxPayload: 16 * MIB, ...options });
		this.closed = new Promise((resolve) => {
			this.ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
		});
		this.ws.on('message', (data, binary) => {
			this.#messages.push({ data, binary });
			this.#wake();
		});
		this.ws.on('error', () => {}); /* told by `opened` or by the close code */
	}

	async opened() {
		await withDeadline(once(this.ws, 'open'), WAIT_MS, 'open');
		return this;
	}

	async next() {
		if (this.#messages.length === 0)
			await withDeadline(new Promise((resolve) => { this.#wake = resolve; }), WAIT_MS, 'a message');
		return this.#messages.shift();
	}

	async text() {
		const { data, binary } = await this.next();

		check(!binary, 'text was expected, binary came');
		return data.toString();
	}

	async close(code, reason) {
		this.ws.close(code, reason);
		return withDeadline(this.closed, WAIT_MS, 'close');
	}
}

function open(path, protocols, options) {
	return new Line(path, protocols, options).opened();
}

function rawEchoTests(kind, options) {
	const line = () => open('/echo/websocket', [], options);
	const say = async (data, expected, sendOptions) => {
		const l = await line();
		l.ws.send(data, sendOptions);
		const { data: back, binary } = await l.next();
		check(Buffer.compare(back, Buffer.from(expected)) === 0, `echo differs: ${back.length} bytes for ${Buffer.from(expected).length}`);
		await l.close();
		return binary;
	};

	return [
		[`raw, ${kind}: text`, async () => equal(await say('Grüße, 世界 🚂', 'Grüße, 世界 🚂'), false, 'binary')],
		[`raw, ${kind}: a NUL and other control characters`, async () => equal(await say('\0\x01\x7f', '\0\x01\x7f'), false, 'binary')],
		[`raw, ${kind}: ${RAW_LONG / 1024} KiB of text`, async () => equal(await say('m'.repeat(RAW_LONG), 'm'.repeat(RAW_LONG)), false, 'binary')],
		[`raw, ${kind}: binary stays binary`, async () => {
			const bytes = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7) & 255));
			equal(await say(bytes, bytes), true, 'binary');
		}],
		[`raw, ${kind}: fragments, one of them empty, become one message`, async () => {
			const l = await line();
			l.ws.send('Grü', { fin: false });
			l.ws.send('', { fin: false });
			l.ws.ping('between');
			l.ws.send('ße', { fin: true });
			equal(await l.text(), 'Grüße', 'echo');
			await l.close();
		}],
		[`raw, ${kind}: 500 messages stay in order`, async () => {
			const l = await line();
			for (let i = 0; i < 500; i++)
				l.ws.send(`n${i}`);
			for (let i = 0; i < 500; i++)
				equal(await l.text(), `n${i}`, 'echo');
			await l.close();
		}],
	];
}

async function pingIsAnswered() {
	const l = await open('/echo/websocket');
	const pong = once(l.ws, 'pong');

	l.ws.ping('are you there?');
	const [data] = await withDeadline(pong, WAIT_MS, 'pong');
	equal(data.toString(), 'are you there?', 'pong');
	await l.close();
}

async function closeCodesComeBack() {
	for (const code of [1000, 1001, 3000, 4999]) {
		const l = await open('/echo/websocket');
		equal((await l.close(code, 'bye')).code, code, 'close code');
	}
}

/*
 * Two may be asked for; a service that knows neither answers without one,
 * which `ws` takes for an error, so the handshake's own answer is looked at.
 */
async function subprotocols() {
	const l = new Line('/echo/websocket', ['alpha', 'beta']);
	const [response] = await withDeadline(once(l.ws, 'upgrade'), WAIT_MS, 'upgrade');
	const chosen = response.headers['sec-websocket-protocol'];

	check(chosen === undefined || ['alpha', 'beta'].includes(chosen), `chose ${chosen}, which was not offered`);
	l.ws.terminate();
}

async function stompSubprotocol() {
	const l = await open('/stomp/websocket', ['v10.stomp', 'v12.stomp']);

	equal(l.ws.protocol, 'v12.stomp', 'subprotocol');
	l.ws.send('CONNECT\naccept-version:1.2\nhost:/\n\n\0');
	check((await l.text()).startsWith('CONNECTED\n'), 'the broker answers CONNECTED');
	await l.close();
}

async function sockjsFrames() {
	const l = await open('/echo/000/node-frames/websocket');

	equal(await l.text(), 'o', 'first frame');
	l.ws.send('["a"]');
	equal(await l.text(), 'a["a"]', 'echo');
	l.ws.send('"bare"');
	equal(await l.text(), 'a["bare"]', 'echo of a bare string');
	for (const nothing of ['', '[]'])
		l.ws.send(nothing);
	l.ws.send('["\\u0000\\ud800",""]');
	let echoed = [];
	while (echoed.length < 2)
		echoed = echoed.concat(JSON.parse((await l.text()).slice(1)));
	equal(echoed, ['\u0000\ud800', ''], 'echo of NUL, a lone surrogate and nothing');
	await l.close();
}

async function oneIdTwice() {
	const [a, b] = [await open('/echo/000/node-twin/websocket'), await open('/echo/000/node-twin/websocket')];

	for (const [l, text] of [[a, '["first"]'], [b, '["second"]']]) {
		equal(await l.text(), 'o', 'first frame');
		l.ws.send(text);
		equal(await l.text(), `a${text}`, 'echo');
	}
	await Promise.all([a.close(), b.close()]);
}

async function brokenJson() {
	const [bad, good] = [await open('/echo/000/node-bad/websocket'), await open('/echo/000/node-bad/websocket')];

	for (const l of [bad, good])
		equal(await l.text(), 'o', 'first frame');
	bad.ws.send('["unfinished');
	await withDeadline(bad.closed, WAIT_MS, 'the server closes');
	good.ws.send('["still here"]');
	equal(await good.text(), 'a["still here"]', 'echo on the other');
	await good.close();
}

async function serverCloses() {
	const framed = await open('/close/000/node-close/websocket');

	equal(await framed.text(), 'o', 'first frame');
	equal(await framed.text(), 'c[3000,"Go away!"]', 'close frame');
	await withDeadline(framed.closed, WAIT_MS, 'close');
	const raw = await open('/close/websocket');
	equal(await withDeadline(raw.closed, WAIT_MS, 'close'), { code: 3000, reason: 'Go away!' }, 'close of the raw websocket');
}

async function disabled() {
	const l = new Line('/disabled_websocket_echo/000/x/websocket');
	const [, response] = await withDeadline(once(l.ws, 'unexpected-response'), WAIT_MS, 'refusal');

	equal(response.statusCode, 404, 'status');
	response.resume();
}

async function testWs() {
	for (const [name, body] of [...rawEchoTests('plain', { perMessageDeflate: false }),
		...rawEchoTests('compressed', { perMessageDeflate: { threshold: 0 } })])
		await suite.test(`ws, ${name}`, body);
	await suite.test('ws, raw: a ping is answered with its data', pingIsAnswered);
	await suite.test('ws, raw: close codes come back', closeCodesComeBack);
	await suite.test('ws, raw: no subprotocol is chosen that was not offered', subprotocols);
	await suite.test('ws, SockJS frames: open, arrays, bare strings, NUL, lone surrogates', sockjsFrames);
	await suite.test('ws, SockJS frames: one id works twice at a time', oneIdTwice);
	await suite.test('ws, SockJS frames: broken JSON closes that connection only', brokenJson);
	await suite.test('ws: sees the server close', serverCloses);
	await suite.test('ws: a disabled websocket is 404', disabled);
	if ((await fetch(`${server.url}/stomp/info`)).ok)
		await suite.test('ws: STOMP by its subprotocol', stompSubprotocol);
}

/* Who only listens is not taken for dead. The tests of everything else pass the time. */
function startListening() {
	const echo = `${server.url}/echo`;

	return args.production ? TRANSPORTS.map((name) => [name, e2e.listen(echo, name, LISTEN_MS).catch((e) => e.message)]) : [];
}

async function main() {
	await server.start();
	const listeners = startListening();

	try {
		for (const name of TRANSPORTS)
			await testSockjsClient(name);
		await testWs();
		for (const [name, verdict] of listeners)
			await suite.test(`sockjs-client, ${name}: listens for ${LISTEN_MS} ms without a word`, () => well(verdict), LISTEN_MS);
		if (server.restartable)
			await suite.test('sockjs-client: all transports come back after a restart', testRestart);
		await suite.step('the server is still there', async () => check(!server.died, 'it ended by itself'));
	} finally {
		await suite.step('the server stops when asked', async () => {
			if (server.restartable)
				equal(await server.stop(), 0, 'exit code');
		});
	}
}

await suite.step('the tests run to their end', main, WHOLE_MS);
suite.finish();
