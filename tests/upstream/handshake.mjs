/*
 * handshake.mjs - what a backend is told of a client, and what a client is told of a backend that does not
 * want it.
 */
import { connect } from 'node:net';
import { check, equal, withDeadline } from '../e2e/harness.mjs';
import { KINDS, open, refused, start } from './clients.mjs';
import { sleep } from './gateway.mjs';

const NAMES = { raw: 'websocket_raw' };

async function mirror(url, kind, options = {}) {
	const line = await open(url, kind, { ...options, query: `?do=mirror${options.more ?? ''}` });
	const told = JSON.parse(await line.next());

	await line.close();
	return { ...told, line };
}

async function tellsWho({ url, gateway }, kind) {
	const port = new URL(gateway.url).port;
	const { url: asked, headers } = await mirror(url('/app'), kind, { headers: { origin: 'http://page.example' } });

	equal(asked, '/base?do=mirror', 'resource');
	equal(headers.origin, 'http://page.example', 'Origin');
	equal(headers['x-forwarded-for'], '127.0.0.1', 'X-Forwarded-For');
	equal(headers['x-forwarded-proto'], 'http', 'X-Forwarded-Proto');
	equal(headers['x-forwarded-host'], `127.0.0.1:${port}`, 'X-Forwarded-Host');
	equal(headers.forwarded, `for=127.0.0.1;proto=http;host="127.0.0.1:${port}"`, 'Forwarded');
	equal(headers['x-sockjs-transport'], NAMES[kind] ?? kind, 'X-Sockjs-Transport');
}

async function believesProxies({ url }) {
	const { headers } = await mirror(url('/app'), 'xhr', { headers: {
		'x-forwarded-for': '198.51.100.7, 2001:db8::5', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'www.example.com' } });

	equal(headers['x-forwarded-for'], '2001:db8::5', 'X-Forwarded-For');
	equal(headers['x-forwarded-proto'], 'https', 'X-Forwarded-Proto');
	equal(headers['x-forwarded-host'], 'www.example.com', 'X-Forwarded-Host');
	equal(headers.forwarded, 'for="[2001:db8::5]";proto=https;host="www.example.com"', 'Forwarded');
	const second = (await mirror(url('/app'), 'raw', { headers: {
		forwarded: ['for=10.0.0.1;host=evil', 'for="[2001:db8::6]:4711";proto=wss;host=www.example.org'] } })).headers;

	equal(second['x-forwarded-for'], '2001:db8::6', 'X-Forwarded-For');
	equal(second.forwarded, 'for="[2001:db8::6]";proto=https;host="www.example.org"', 'Forwarded');
}

/* HAProxy's option forwardfor appends a line to those that the client has sent. */
async function readsAllLines({ url }) {
	const { headers } = await mirror(url('/headers'), 'raw', { headers: {
		'x-forwarded-for': ['10.0.0.1', '203.0.113.9'], 'x-forwarded-proto': ['https', 'http'], cookie: ['a=b', 'c=d'] } });

	equal(headers['x-forwarded-for'], '203.0.113.9', 'X-Forwarded-For');
	equal(headers['x-forwarded-proto'], 'http', 'X-Forwarded-Proto');
	equal(headers.cookie, 'a=b; c=d', 'Cookie');
}

const SECRETS = { authorization: 'Bearer x', cookie: 'a=b', 'x-other': 'no', 'x-sockjs-transport': 'forged', forwarded: 'for=forged' };

async function forwardsHeaders({ url }) {
	const none = (await mirror(url('/app'), 'raw', { headers: SECRETS })).headers;
	const one = (await mirror(url('/allowed'), 'xhr_streaming', { headers: SECRETS })).headers;
	const both = (await mirror(url('/headers'), 'raw', { headers: SECRETS })).headers;

	for (const headers of [none, one, both]) {
		equal(headers['x-other'], undefined, 'X-Other');
		check(!JSON.stringify(headers).includes('forged'), 'a forged header came through');
	}
	equal([none.authorization, none.cookie], [undefined, undefined], 'where none is allowed');
	equal([one.authorization, one.cookie], ['Bearer x', undefined], 'where one is');
	equal([both.authorization, both.cookie], ['Bearer x', 'a=b'], 'where both are');
}

async function cleansQuery({ url }) {
	const ask = async (kind, more) => (await mirror(url('/headers'), kind, { more })).url;

	equal(await ask('raw', '&t=1234567890123&c=d'), '/own?a=b&do=mirror&t=1234567890123&c=d', 'raw');
	equal(await ask('xhr', '&t=mine&c=d&t=1234567890123'), '/own?a=b&do=mirror&t=mine&c=d', 'xhr');
	equal(await ask('xhr_streaming', '&t=5&x=1&t=1234567890123'), '/own?a=b&do=mirror&t=5&x=1', 'xhr_streaming');
	equal(await ask('eventsource', '&t=17'), '/own?a=b&do=mirror&t=17', 'eventsource');
	equal(await ask('jsonp', '&t=17'), '/own?a=b&do=mirror&t=17', 'jsonp, whose last is c');
	equal(await ask('raw', '&a=%22%0d%0a&&b'), '/own?a=b&do=mirror&a=%22%0d%0a&b', 'escapes stay');
}

async function subprotocols({ url }) {
	const chosen = await mirror(url('/app'), 'raw', { protocols: ['first', 'second'] });
	const none = await mirror(url('/app'), 'raw', { more: '&none' });
	const configured = await mirror(url('/headers'), 'xhr');

	equal(chosen.headers['sec-websocket-protocol'].replace(/ /g, ''), 'first,second', 'offered');
	equal(chosen.line.ws.protocol, 'second', 'what comes back');
	equal(none.headers['sec-websocket-protocol'], undefined, 'offered without any');
	equal([configured.headers['sec-websocket-protocol'], configured.protocol], ['only', 'only'], 'of the configuration');
	const offers = await mirror(url('/headers'), 'raw', { protocols: ['second'] });
	equal(offers.headers['sec-websocket-protocol'], 'second', 'the client comes before the configuration');
	const long = await mirror(url('/headers'), 'raw', { protocols: ['s'.repeat(2048)] });
	equal(long.line.ws.protocol.length, 2048, 'a long one');
	const tooLong = await refused(url('/headers'), 'raw', { query: '?do=mirror', protocols: ['s'.repeat(2450)] });
	equal(tooLong.status, 502, 'one for which a response has no room');
	const many = await refused(url('/headers'), 'raw', { protocols: Array.from({ length: 65 }, (_, i) => `p${i}`) });
	equal(many.status, 400, 'too many');
	const bare = await mirror(url('/headers'), 'raw');
	equal([bare.headers['sec-websocket-protocol'], bare.line.ws.protocol], ['only', ''], 'a client that offers none gets none');
}

/* status of a bare WebSocket, code of all the others */
const REFUSALS = [
	['refuse&n=400', 502, 1014], ['refuse&n=401', 401, 4401], ['refuse&n=403', 403, 4403], ['refuse&n=404', 404, 4404],
	['refuse&n=410', 502, 1014], ['refuse&n=429', 429, 4429], ['refuse&n=500', 502, 1014], ['refuse&n=502', 502, 1014],
	['refuse&n=503', 503, 1013], ['refuse&n=599', 502, 1014], ['redirect', 502, 1014], ['ok', 502, 1014],
	['badAccept', 502, 1014], ['badExtension', 502, 1014], ['badSubprotocol', 502, 1014], ['garbage', 502, 1014],
	['bigHead', 502, 1014], ['manyHeaders', 502, 1014],
	['hangUpAtOnce', 502, 1013], ['resetAtOnce', 502, 1013], ['hangUpIn101', 502, 1013], ['never', 504, 1013],
];

async function refuses({ url }, [habit, status, code]) {
	const query = `?do=${habit}`;
	let ends = [];

	if (habit === 'never')
		ends = await Promise.all(KINDS.map((kind) => start(url('/quick'), kind, { query }).over()));
	for (const kind of habit === 'never' ? [] : KINDS) {
		await sleep(5); /* a backend that rests, rests for 1 ms */
		ends.push(await start(url('/app'), kind, { query }).over()); /* which may open before, if all is slow */
	}
	ends.forEach((how, i) => {
		const want = KINDS[i] === 'raw' ? { status } : { code };
		const got = KINDS[i] === 'raw' ? { status: how.status } : { code: how.code };
		equal(got, want, KINDS[i]);
		check(KINDS[i] === 'raw' || how.reason, `${KINDS[i]}: a reason is missing`);
	});
}

/* Who is asked for, and who asks, as the options say. */
async function names({ url, gateway, main, tls }) {
	const port = new URL(gateway.url).port;
	const [client, own] = [`127.0.0.1:${port}`, `127.0.0.1:${main.port}`];
	const told = async (path, headers = { origin: 'http://page.example' }) => {
		const { headers: h } = await mirror(url(path), 'raw', { headers });
		return [h.host, h.origin];
	};

	equal(await told('/app'), [client, 'http://page.example'], 'as the client says');
	equal(await told('/app', { origin: 'http://page.example', 'x-forwarded-host': 'www.example.com' }), ['www.example.com', 'http://page.example'], 'as a trusted proxy says');
	equal(await told('/app', {}), [client, undefined], 'a client without an Origin');
	equal(await told('/named-own'), [own, `http://${own}`], 'both own');
	equal(await told('/named-host'), [own, 'http://page.example'], 'host own');
	equal(await told('/named-origin'), [client, `http://${client}`], 'origin own');
	equal(await told('/named-fixed'), ['app.example:81', 'https://app.example'], 'both fixed');
	equal(await told('/named-fixed', {}), ['app.example:81', 'https://app.example'], 'both fixed, without an Origin');
	equal((await mirror(url('/unix'), 'raw')).headers.host, client, 'a unix socket');
	equal((await mirror(url('/unix-own'), 'raw')).headers.host, 'localhost', 'a unix socket, own');
	equal((await mirror(url('/wss-own'), 'raw')).headers.origin, `https://localhost:${new URL(tls.good.url).port}`, 'over TLS, own');
}

/* /paths has /base and a query of its own, /slash ends in one. */
async function paths({ url, gateway }) {
	const asked = async (path, kind = 'raw', query = '') => (await mirror(url(path), kind, { more: query })).url;

	for (const kind of KINDS) {
		equal(await asked('/paths', kind), '/base?a=b&do=mirror', `none, ${kind}`);
		equal(await asked('/paths/rooms', kind), '/base/rooms?a=b&do=mirror', `a path, ${kind}`);
		if (kind !== 'raw') /* else it looks like a session */
			equal(await asked('/paths/rooms/7/now', kind), '/base/rooms/7/now?a=b&do=mirror', `a long path, ${kind}`);
	}
	equal(await asked('/slash'), '/x/?do=mirror', 'none, behind a slash');
	equal(await asked('/slash/rooms'), '/x/rooms?do=mirror', 'a path, behind a slash');
	equal(await asked('/paths/caf%C3%A9/%2e%2e%2e/a%20b', 'xhr'), '/base/caf%C3%A9/%2e%2e%2e/a%20b?a=b&do=mirror', 'escapes stay');
	for (const path of ['/..', '/../x', '/x/..', '/%2e%2e', '/.%2E/x', '/.', '/x//y', '//', '/a%2fb', '/a%5cb', '/a%00b', '/%zz'])
		equal(await status(gateway, `/paths${path}/000/abc/websocket`), path === '/a%00b' ? 400 : 404, path);
	equal(await status(gateway, '/app/rooms/websocket'), 404, 'where no path is allowed');
	equal((await fetch(url('/paths/rooms/7/info'))).status, 200, 'info behind a path');
}

async function status(gateway, target) {
	const line = await rawRequest(gateway, `GET ${target} HTTP/1.1\r\nHost: h\r\n${WEBSOCKET}\r\n`);

	return Number(line.split(' ')[1]);
}

/* What a bare WebSocket gets beside its status; the lines of an answer. */
async function answerTo({ url }, query, kind = 'raw') {
	const line = start(url('/app'), kind, { query });
	const response = await withDeadline(new Promise((resolve) => {
		line.ws.on('upgrade', resolve);
		line.ws.on('unexpected-response', (req, r) => resolve(r));
	}), 10000, 'an answer');

	line.vanish();
	return { status: response.statusCode, cookies: response.headers['set-cookie'], retryAfter: response.headers['retry-after'],
		raw: response.rawHeaders };
}

const COOKIES = ['sid=abc; Path=/; HttpOnly', 'other="x y"; Max-Age=5'];

async function cookies(world) {
	for (const code of [101, 401, 403, 404, 429, 500, 503]) {
		const { status, cookies } = await answerTo(world, `?do=cookies&n=${code}`);

		equal([status, cookies], [code === 500 ? 502 : code, COOKIES], `cookies with ${code}`);
	}
	equal((await answerTo(world, '?do=cookies&n=101', 'websocket')).cookies, undefined, 'SockJS has none');
	equal((await answerTo(world, '?do=manyCookies&n=101')).cookies.length, 16, 'of very many');
	check((await answerTo(world, '?do=longCookies&n=101')).cookies.join('').length <= 8192, 'and of long ones');
}

async function comesBack(world) {
	const told = async (code, seconds) => {
		const { status, retryAfter } = await answerTo(world, `?do=refuseUntil&n=${code}&bytes=${seconds}`);

		equal(status, code, 'status');
		return retryAfter;
	};

	equal(await told(503, '77'), '77', 'with 503');
	equal(await told(429, '88'), '88', 'with 429');
	equal(await told(429, ''), undefined, 'with 429, where it does not say');
	equal(await told(503, '0'), '1', 'at once');
	equal(await told(503, '99999999999999'), '31536000', 'a year is enough');
	check(['5', '1'].includes(await told(503, 'Fri, 31 Dec 2038 23:59:59 GMT')), 'a date is not passed on');
	equal(await told(403, '99'), undefined, 'with 403');
}

/* A request by hand; the status line, or what else comes first. */
function rawRequest(gateway, text) {
	const { hostname, port } = new URL(gateway.url);
	const answer = new Promise((resolve, reject) => {
		const socket = connect(Number(port), hostname, () => socket.write(text));
		let all = '';

		socket.on('data', (chunk) => {
			all += chunk.toString('latin1');
			if (all.includes('\r\n')) {
				resolve(all.split('\r\n')[0]);
				socket.destroy();
			}
		});
		socket.on('close', () => resolve(`closed after ${JSON.stringify(all)}`));
		socket.on('error', reject);
	});

	return withDeadline(answer, 10000, 'an answer');
}

const WEBSOCKET = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';

/* Nothing that a client says may become a line of ours; what cannot be said is the client's mistake. */
async function oddRequests({ gateway, main }) {
	for (const [what, target, headers] of [
		['octets that are not ASCII in the query', '/app/websocket?do=mirror&x=\xe4\xf6', ''],
		['a subprotocol offered twice', '/app/websocket?do=mirror', 'Sec-WebSocket-Protocol: a, b, a\r\n'],
		['a hash in the query', '/app/websocket?do=mirror&x=#y', ''],
		['an Origin with a blank', '/app/websocket?do=mirror', 'Origin: http://a b\r\n'],
		['a host with quotes', '/app/websocket?do=mirror', 'X-Forwarded-Host: a"b\\c\r\n'],
		['a host with control characters', '/app/websocket?do=mirror', 'X-Forwarded-Host: a\x01b\r\n'],
	]) {
		const line = await rawRequest(gateway, `GET ${target} HTTP/1.1\r\nHost: h\r\n${WEBSOCKET}${headers}\r\n`);

		check(/^HTTP\/1.1 (101|400|403) /.test(line), `${what}: ${line}`);
	}
	check(!gateway.said(/Out of memory/i), 'memory is not what is missing');
	check(main.asked > 0, 'none was asked');
}

/* What an eager client has sent waits for o, within bounds. */
async function eagerClients({ url, main }) {
	const line = start(url('/app'), 'xhr_streaming', { query: '?do=slow&n=600' });

	await sleep(100);
	const sent = line.post(['eager']);
	equal(await withDeadline(Promise.race([sent, sleep(200).then(() => 'waits')]), 5000, 'a request'), 'waits', 'before o');
	equal((await sent).status, 204, 'after it');
	await line.opened;
	equal(await line.next(), 'eager', 'echo');
	await line.close();
	const big = start(url('/small'), 'xhr', { query: '?do=slow&n=800' });

	await sleep(100);
	const first = big.post(['e'.repeat(25000), 'f'.repeat(25000)]);
	await sleep(50);
	const second = await big.post(['e'.repeat(50000)]);
	equal([second.status, Boolean(second.retryAfter)], [503, true], 'beyond the bound');
	equal((await first).status, 204, 'what was within it');
	equal([(await big.next()).length, (await big.next()).length], [25000, 25000], 'its echo');
	await big.close();
	check(main.lines.size >= 0, '');
}

export async function testHandshake(world) {
	const { suite } = world;

	for (const kind of KINDS)
		await suite.test(`who is there: ${kind}`, () => tellsWho(world, kind));
	await suite.test('who is there: a trusted proxy is believed', () => believesProxies(world));
	await suite.test('who is there: the last line tells, whatever the client has said before', () => readsAllLines(world));
	await suite.test('who is there: over TLS', async () => {
		const { headers } = await mirror(`${world.gateway.urls[1]}/app`, 'raw');

		equal(headers['x-forwarded-proto'], 'https', 'X-Forwarded-Proto');
	});
	await suite.test('headers: only those that are allowed', () => forwardsHeaders(world));
	await suite.test("the query: without sockjs-client's own", () => cleansQuery(world));
	await suite.test('subprotocols: offered, chosen, brought back', () => subprotocols(world));
	for (const row of REFUSALS)
		await suite.test(`refused (${row[0]}): ${row[1]} or ${row[2]}`, () => refuses(world, row));
	await suite.test('Host and Origin: as configured', () => names(world));
	await suite.test('the path behind the prefix', () => paths(world));
	await suite.test("the backend's cookies", () => cookies(world));
	await suite.test("the backend's Retry-After", () => comesBack(world));
	await suite.test('requests that cannot be passed on', () => oddRequests(world));
	await suite.test('eager clients wait, within bounds', () => eagerClients(world));
}
