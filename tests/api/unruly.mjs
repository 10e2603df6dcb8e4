/*
 * unruly.mjs - the application that misbehaves, and what it has received: POST /api/received, with two
 * reactors, and clients by WebSocket and by polling.
 */
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { check, equal, withDeadline } from '../e2e/harness.mjs';
import WebSocket from 'ws';

let last = 0;
const sessionId = () => `s${++last}x${process.pid}`;

/* A POST by a connection of its own, so that it comes to any reactor; resolves to [status, text]. */
function post(url, body = '', agent = undefined) {
	return withDeadline(new Promise((resolve, reject) => {
		const r = request(url, { method: 'POST', agent, headers: { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body) } }, (answer) => {
			let text = '';

			answer.setEncoding('utf8').on('data', (d) => { text += d; }).on('end', () => resolve([answer.statusCode, text]));
		});

		r.on('error', reject);
		r.end(body);
	}), 20000, `an answer of ${url}`);
}

/* A session by polling, which has opened. */
async function poll(server, path) {
	const base = `http${server.url}/unruly${path}/000/${sessionId()}`;

	equal(await post(`${base}/xhr`), [200, 'o\n'], 'it opens');
	return { poll: () => post(`${base}/xhr`), send: (...m) => post(`${base}/xhr_send`, JSON.stringify(m)), base };
}

/* A bare WebSocket whose events are in a list. */
async function open(server, path) {
	const socket = new WebSocket(`ws${server.url}/unruly${path}`);
	const events = [];
	let wake = () => {};
	const add = (event) => { events.push(event); wake(); };

	socket.on('open', () => add('open'));
	socket.on('message', (data) => add(data.toString()));
	socket.on('close', (code, reason) => add([code, reason.toString()]));
	socket.on('unexpected-response', (r, answer) => add(answer.statusCode));
	socket.on('error', () => {});
	return { socket, next: () => withDeadline((async () => {
		while (!events.length)
			await new Promise((resolve) => { wake = resolve; });
		return events.shift();
	})(), 15000, `an event of ${path}`) };
}

const bodies = (answer) => answer.messages.map((m) => m.body);

export async function testUnruly({ suite, Server, configuration }) {
	const server = await new Server().start('unruly1.json', configuration());
	const test = (name, body) => suite.test(`unruly: ${name}`, body);

	await test('what a session has received is told, in pages, wherever it lives', async () => {
		for (let i = 0; i < 6; i++) {
			const client = await open(server, `/name-many-${i}`);

			equal(await client.next(), 'open', 'it opens');
			for (let k = 1; k <= 5; k++)
				client.socket.send(`m${k}`);
			const all = await server.do('received', { name: `many-${i}`, count: 5, wait_ms: 15000 });
			equal([bodies(all), all.open, all.transport, all.next, all.timed_out],
				[['m1', 'm2', 'm3', 'm4', 'm5'], true, 'websocket_raw', null, false], 'all');
			const page = await server.do('received', { session: all.session, after: 1, limit: 2 });
			equal([bodies(page), page.next], [['m2', 'm3'], 3], 'a page');
			client.socket.close(4100, 'bye');
			const end = await server.do('received', { name: `many-${i}`, closed: true, wait_ms: 15000 });
			equal(end.close, { code: 4100, reason: 'bye' }, 'how it has ended');
		}
	});

	await test('octets that are no text come as they are', async () => {
		const client = await open(server, '/name-octets/silent');
		const octets = Buffer.from([0, 255, 10]);

		await client.next();
		client.socket.send(octets);
		const { messages: [m] } = await server.do('received', { name: 'octets', count: 1, wait_ms: 15000 });
		equal([m.binary, m.octets, m.body_base64], [true, 3, octets.toString('base64')], 'the message');
		client.socket.terminate();
	});

	await test('one may wait for who is not there yet, and for who comes back', async () => {
		const first = server.do('received', { name: 'late', wait_ms: 15000 });
		const a = await open(server, '/name-late');
		const { session } = await first;

		const second = server.do('received', { name: 'late', newer_than: session, count: 1, wait_ms: 15000 });
		a.socket.terminate();
		const b = await open(server, '/name-late');
		equal(await b.next(), 'open', 'it opens');
		b.socket.send('again');
		equal(bodies(await second), ['again'], 'of the second');
		b.socket.terminate();
		const { open: isOpen, timed_out: isLate } = await server.do('received', { name: 'late', count: 2, wait_ms: 15000 });
		equal([isOpen, isLate], [false, false], 'nobody waits for who is gone');
	});

	await test('its number is what send and disconnect want', async () => {
		const client = await open(server, '/name-bob/silent');

		await client.next();
		const { session } = await server.do('received', { name: 'bob' });
		equal((await server.do('sessions', { user: 'bob' })).sessions.map((s) => s.session), [session], 'by its name as a user');
		await server.do('send', { session, message: 'news' });
		equal(await client.next(), 'news', 'the message');
		await server.do('disconnect', { session, code: 4001, reason: 'enough' });
		equal(await client.next(), [4001, 'enough'], 'the end');
	});

	await test('sends fail from a message on, in whatever reactor they arrive', async () => {
		for (let i = 0; i < 4; i++) {
			const s = await poll(server, `/name-fail-${i}/fail-after-1`);
			const agent = new Agent({ keepAlive: true, maxSockets: 1 });

			equal((await s.send('1'))[0], 204, 'the first');
			for (let k = 0; k < 6; k++)
				equal(await s.send('2'), [500, 'The application lets sends fail.\n'], 'by a connection of its own');
			for (let k = 0; k < 4; k++)
				equal((await post(`${s.base}/xhr_send`, '["2"]', agent))[0], 500, 'by one that stays');
			agent.destroy();
			equal(bodies(await server.do('received', { name: `fail-${i}` })), ['1'], 'what has come');
			equal(await s.poll(), [200, 'a["1"]\n'], 'the session goes on');
		}
		const ws = await open(server, '/fail');
		await ws.next();
		ws.socket.send('x');
		equal(await ws.next(), [1011, 'A send has failed'], 'by WebSocket');
		check(await server.metric('sockjs_refusals_total') > 0, 'refusals are counted');
	});

	await test('it is slow, deaf, silent, or closes, as it is told', async () => {
		const slow = await open(server, '/name-slow/slow-150');
		await slow.next();
		['1', '2', '3'].forEach((m) => slow.socket.send(m));
		await server.do('received', { name: 'slow', count: 3, wait_ms: 15000 });
		const { messages } = await server.do('received', { name: 'slow' });
		check(messages[2].at_ms - messages[0].at_ms >= 299, `in ${messages.map((m) => m.at_ms)}`);
		slow.socket.terminate();

		const deaf = await poll(server, '/name-deaf/deaf-after-1');
		equal((await deaf.send('1'))[0], 204, 'what is heard');
		const late = deaf.send('2').catch(() => null); /* answered when it is heard, or never will be */
		equal((await server.do('received', { name: 'deaf', count: 2, wait_ms: 300 })).timed_out, true, 'what is not');
		await server.do('disconnect', { session: (await server.do('received', { name: 'deaf' })).session });
		await late;

		const ends = await open(server, '/close-4002-after-2/delay-30/twice/reason-Two%20are%20enough');
		await ends.next();
		ends.socket.send('a');
		ends.socket.send('b');
		for (const m of ['a', 'a', 'b', 'b'])
			equal(await ends.next(), m, 'an answer');
		equal(await ends.next(), [4002, 'Two are enough'], 'the end');
	});

	await test('a handshake is refused at once, late, or for nonsense', async () => {
		equal(await (await open(server, '/refuse-418')).next(), 418, 'at once');
		equal(await (await open(server, '/hold-50/refuse-403')).next(), 403, 'late');
		const held = await open(server, '/hold-50');
		equal(await held.next(), 'open', 'late, but well');
		held.socket.terminate();
		const nonsense = await open(server, '/delay-soon');
		await nonsense.next();
		equal(await nonsense.next(), [4400, 'delay-soon: needs milliseconds from 1 to 60000'], 'nonsense');
	});

	await test('what makes no sense is refused', async () => {
		await server.refuses('received', {}, 400, 'wrong_argument', 'name');
		await server.refuses('received', { name: 5 }, 400, 'wrong_argument', 'name');
		await server.refuses('received', { name: 'x', of: 1 }, 400, 'wrong_argument', 'of');
		await server.refuses('received', { name: 'x', closed: 1, wait_ms: 1 }, 400, 'wrong_argument', 'closed');
		await server.refuses('received', { name: 'x', closed: true }, 400, 'wrong_argument', 'closed');
		await server.refuses('received', { name: 'x', count: 1 }, 400, 'wrong_argument', 'count');
		await server.refuses('received', { name: 'x', wait_ms: 60001 }, 400, 'wrong_argument', 'wait_ms');
		await server.refuses('received', { name: 'x', limit: 0 }, 400, 'wrong_argument', 'limit');
		await server.refuses('received', { session: 0 }, 400, 'wrong_argument', 'session');
		await server.refuses('received', { name: 'nobody' }, 404, 'no_session', 'name');
		await server.refuses('received', { session: 999999999 }, 404, 'no_session', 'session');
		await server.refuses('received', { name: 'x', endpoint: '/echo' }, 404, 'no_application', 'endpoint');
	});

	await test('who waits does not keep a server, nor does the configuration keep who waits', async () => {
		const other = await new Server().start('unruly.json', configuration());
		const config = configuration();
		const waits = other.do('received', { name: 'eve', count: 1, wait_ms: 60000 });
		const client = await open(other, '/name-eve');

		equal(await client.next(), 'open', 'it opens');
		config.endpoints.pop();
		writeFileSync(other.file, JSON.stringify(config));
		await other.do('reload', {});
		client.socket.send('all the same');
		equal(bodies(await waits), ['all the same'], 'a session stays, and so does who waits');
		client.socket.terminate();
		const third = await new Server().start('unruly3.json', configuration());
		const left = third.ask('/api/received', { name: 'eve', wait_ms: 60000 }).catch(() => null);
		await third.do('log', {});
		equal(await third.stop(), 0, 'it stops');
		await left;
		equal(await other.stop(), 0, 'so does the other');
	});
	await test('its server stops', async () => {
		server.child.kill('SIGTERM'); /* who polls would be waited for */
		equal(await server.stop(), 0, 'exit code');
	});
}
