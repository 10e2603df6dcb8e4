/*
 * requests.mjs - rules that are decided by the head of a request: what client and server see.
 */
import { check, equal } from '../e2e/harness.mjs';
import { answering, Backend, Line, request, Socket, until } from './proxy.mjs';

const upgrade = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'];
const hello = () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');

export async function testRequests({ with: withProxy }) {
	await withProxy('without rules a request goes through as it is, and the connection serves the next', [], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/a?b'));

		await line.has('hello');
		line.send(request('/c', { method: 'POST', body: 'body' }));
		await line.has(/hello[^]*hello/);
		equal(backend.lines.length, 1, 'connections of the server');
		equal(backend.lines[0].text, 'GET /a?b HTTP/1.1\r\nHost: test\r\n\r\nPOST /c HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody', 'what the server got');
		equal(line.text, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'.repeat(2), 'what the client got');
		line.socket.end();
		await backend.lines[0].end('fin');
		await proxy.said('connection ended', { requests: 2 });
	}, { target: hello });
	await withProxy('strip upgrade: the server does not see that it was asked', ['strip upgrade'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/echo/websocket', { headers: upgrade }));

		await line.has('hello');
		check(!/upgrade:|connection:/i.test(backend.lines[0].text) && /Sec-WebSocket-Key/.test(backend.lines[0].text), backend.lines[0].text);
		await proxy.said('a rule acts', { rule: 1, kind: 'strip', path: '/echo/websocket' });
	}, { target: hello });
	for (const status of [403, 502])
		await withProxy(`${status} on upgrade: it is refused, others are not`, [`${status} on upgrade`], async (proxy, backend) => {
			const line = await Line.to(proxy.port, request('/x', { headers: upgrade }));

			await line.has(`HTTP/1.1 ${status} `);
			await line.end('fin');
			await (await Line.to(proxy.port, request('/y'))).has('hello');
			check(backend.lines.every((l) => !l.text.includes('/x')), 'the server has not seen it');
		}, { target: hello });
	await withProxy('a status for a method and a transport alone', ['502 on POST xhr_streaming, /exact'], async (proxy) => {
		for (const [path, method, code] of [['/echo/1/2/xhr_streaming', 'POST', 502], ['/echo/1/2/xhr_streaming', 'GET', 200],
			['/echo/1/2/xhr', 'POST', 200], ['/some/exact', 'GET', 502], ['/inexact', 'GET', 200]])
			await (await Line.to(proxy.port, request(path, { method, body: '' }))).has(`HTTP/1.1 ${code} `);
	}, { target: hello });
	await withProxy('hang: no answer, and the server is not asked', ['hang on /info'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/echo/info'));

		await proxy.said('a rule acts', { kind: 'hang' });
		equal((await proxy.connection(1)).phase, 'hung', 'phase');
		await (await Line.to(proxy.port, request('/other'))).has('hello');
		equal([line.text, backend.lines.length], ['', 1], 'answer, connections of the server');
		line.close();
		await until('it is gone', async () => !(await proxy.connection(1)));
	}, { target: hello });
	await withProxy('http 1.0: the server is asked in that, and the client gets what it says', ['http 1.0'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/x', { headers: upgrade }));

		await line.has(/until the end$/);
		await line.end('fin');
		check(/^GET \/x HTTP\/1.0\r\n/.test(backend.lines[0].text) && /Connection: close/.test(backend.lines[0].text) && !/Upgrade:/.test(backend.lines[0].text), backend.lines[0].text);
		const post = await Line.to(proxy.port, request('/y', { method: 'POST', headers: ['Transfer-Encoding: chunked'] }));
		post.send('3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n');
		await post.has(/until the end$/);
		check(backend.lines[1].text.endsWith('Connection: close\r\nContent-Length: 6\r\n\r\nonetwo') && !/chunked/.test(backend.lines[1].text), backend.lines[1].text);
	}, { target: () => Backend.start((l) => l.socket.once('data', () => l.socket.end('HTTP/1.0 200 OK\r\n\r\nuntil the end'))) });
	await withProxy('close-delimited: chunks are taken out, the end is the end', ['close-delimited'], async (proxy) => {
		const line = await Line.to(proxy.port, request('/x'));

		await line.end('fin');
		equal(line.text, 'HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\nonetwo', 'the response');
	}, { target: () => answering('HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3;x=y\r\ntwo\r\n0\r\n\r\n') });
	await withProxy('headers of requests and responses are set, added and removed', ['set request Host other.example', 'add request X-Forwarded-For $client',
		'remove request Origin', 'set response X-Accel-Buffering "a b"', 'remove response Server'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/x', { headers: ['Origin: http://a', 'origin: http://b'] }));

		await line.has('hi');
		equal(backend.lines[0].text, 'GET /x HTTP/1.1\r\nHost: other.example\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n', 'the request');
		equal(line.text, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Accel-Buffering: a b\r\n\r\nhi', 'the response');
	}, { target: () => answering('HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 2\r\nx-accel-buffering: no\r\n\r\nhi') });
	await withProxy('duplicate: a POST comes twice, its answer once', ['duplicate'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/send', { method: 'POST', body: 'message' }));

		await line.has('hello');
		await (await backend.line(2)).has('message');
		const [first, second] = backend.lines.map((l) => l.text);
		equal(second, first, 'the second copy');
		line.send(request('/get'));
		await line.has(/hello[^]*hello/);
		equal((await proxy.json('/stats')).copies, 1, 'copies');
		check(/^HTTP[^]*helloHTTP[^]*hello$/.test(line.text) && line.text.split('hello').length === 3, line.text);
	}, { target: hello });
	await withProxy('once, N times, P%: as often as that, and by seed the same again', ['503 on /once once', '504 2 times on /twice', '502 50% on /half'], async (proxy) => {
		const codes = async (path, count) => {
			const all = [];

			for (let i = 0; i < count; i++) {
				const line = await Line.to(proxy.port, request(path));
				await line.has(/^HTTP\/1.1 \d+/);
				all.push(Number(/ (\d+)/.exec(line.text)[1]));
				line.close();
			}
			return all;
		};
		equal(await codes('/once', 3), [503, 200, 200], 'once');
		equal(await codes('/twice', 4), [504, 504, 200, 200], 'twice');
		const half = (await codes('/half', 30)).filter((c) => c === 502).length;
		check(half > 3 && half < 27, `${half} of 30`);
	}, { target: hello });
	await withProxy('connection 2, 4-, every 3; after N requests', ['501 connection 2', '502 connection 4-5', '503 connection every 3', '504 after 1 requests'], async (proxy) => {
		for (const code of [200, 501, 503, 502, 502, 503, 200])
			await (await Line.to(proxy.port, request('/'))).has(`HTTP/1.1 ${code} `);
		const line = await Line.to(proxy.port, request('/'));

		await line.has('hello');
		line.send(request('/'));
		await line.has('HTTP/1.1 504 ');
	}, { target: hello });
	await withProxy('at and for: an outage by the clock of the rules', [], async (proxy) => {
		const began = performance.now();

		equal((await proxy.ask('/rules', 'PUT', '503 for 1s')).status, 200, 'the rule');
		await (await Line.to(proxy.port, request('/'))).has('HTTP/1.1 ');
		await until('it is over', async () => {
			const line = await Line.to(proxy.port, request('/'));
			await line.has('HTTP/1.1 ');
			line.close();
			return line.text.includes('200 OK');
		});
		check(performance.now() - began >= 999, 'not before');
		check((await proxy.log()).some((l) => l.kind === 'status'), 'it was');
	}, { target: hello });
	await withProxy('the server that is not there is 502', [], async (proxy) => {
		await (await Line.to(proxy.port, request('/'))).has('HTTP/1.1 502 ');
		await proxy.said('the server cannot be reached');
	}, { target: () => '127.0.0.1:1' });
	await withProxy('a WebSocket of sockjsd goes through', [], async (proxy) => {
		const socket = await Socket.open(`ws://127.0.0.1:${proxy.port}/echo/websocket`);

		socket.ws.send('hello');
		await socket.has('hello');
		const c = await proxy.connection(1);
		equal([c.phase, c.client.frames, c.server.frames, c.path], ['frames', 1, 1, '/echo/websocket'], 'the connection');
		socket.close();
	});
}
