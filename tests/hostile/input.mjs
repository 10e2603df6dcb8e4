/*
 * input.mjs - hostile input from either side: it harms nobody but itself.
 */
import { check, equal } from '../e2e/harness.mjs';
import { answering, Backend, Line, request, Socket, until } from './proxy.mjs';

const malformed = ['GET\r\n\r\n', '\x16\x03\x01', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n', 'GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n', 'GET / HTTP/1.1\nHost: x\n\n',
	'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
	`GET /${'x'.repeat(40000)} HTTP/1.1\r\n\r\n`, `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(200)}\r\n`, 'GET / HTTP/2.0\r\n\r\n', 'GET nowhere HTTP/1.1\r\n\r\n',
	'GET http:///x HTTP/1.1\r\n\r\n', 'GET http://a@b/x HTTP/1.1\r\n\r\n'];
const responses = ['HTTP/1.1 2000 OK\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', 'nonsense\r\n\r\n', 'HTTP/1.1 200 OK\r\nA b\r\n\r\n',
	'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(40000)}\r\n\r\n`];

export async function testInput({ with: withProxy }) {
	await withProxy('what is no request is refused, and others are served', [], async (proxy) => {
		for (const text of malformed) {
			const line = await Line.to(proxy.port, text);

			await line.has(/^HTTP\/1.1 (400|414|431|505) /);
			await line.end('fin');
			line.close();
		}
		await (await Line.to(proxy.port, request('/'))).has('hello');
	}, { target: () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello') });
	await withProxy('what is no response is 502', [], async (proxy) => {
		for (let i = 0; i < responses.length; i++)
			await (await Line.to(proxy.port, request('/'))).has('HTTP/1.1 502 ');
	}, { target: () => Backend.start((line, n) => line.socket.once('data', () => line.send(responses[(n - 1) % responses.length]))) });
	await withProxy('chunks that are none, of both sides, end the connection', [], async (proxy) => {
		const bad = await Line.to(proxy.port, request('/', { method: 'POST', headers: ['Transfer-Encoding: chunked'] }));

		bad.send('zz\r\n');
		await bad.end('rst');
		const good = await Line.to(proxy.port, request('/'));
		await good.over();
		await proxy.said('the body of a response is malformed');
		equal((await proxy.log()).filter((l) => l.message === 'cut' && l.how === 'rst').length, 2, 'resets');
	}, { target: () => answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX\r\n') });
	await withProxy('a request octet by octet, and a response too', [], async (proxy) => {
		const line = await Line.to(proxy.port);

		for (const c of request('/', { method: 'POST', body: 'body' })) {
			line.send(c);
			await new Promise((resolve) => { setImmediate(resolve); });
		}
		await line.has('hello');
	}, { target: () => Backend.start((l) => l.socket.on('data', () => {
		if (l.text.endsWith('body'))
			[...'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'].forEach((c, i) => setTimeout(() => l.send(c), i));
	})) });
	await withProxy('pipelined requests are answered in their order', [], async (proxy, backend) => {
		const line = await Line.to(proxy.port, [1, 2, 3, 4].map((i) => request(`/${i}`)).join(''));

		await line.has(/(hello[^]*){4}/);
		check(/\/1 [^]*\/2 [^]*\/3 [^]*\/4 /.test(backend.lines[0].text), backend.lines[0].text);
	}, { target: () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello') });
	await withProxy('what are no frames goes through as it is', ['drop first client frame'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/x', { headers: ['Upgrade: websocket', 'Connection: upgrade'] }));

		await line.has('\r\n\r\n');
		line.send('\x82\x7e\x00\x01x');
		await backend.lines[0].has('\x82\x7e\x00\x01x');
		equal((await proxy.connection(1)).phase, 'opaque', 'phase');
	}, { target: () => Backend.start((l) => l.socket.once('data', () => l.send('HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n'))) });
	await withProxy('the server that breaks in a response is a broken response', [], async (proxy) => {
		const line = await Line.to(proxy.port, request('/'));

		await line.has('part');
		await line.end('fin');
		const second = await Line.to(proxy.port, request('/'));
		await second.over();
		await proxy.said('a side has broken', { connection: 2, way: 'server' });
	}, { target: () => Backend.start((line, n) => line.socket.once('data', () => {
		line.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
		if (n === 1)
			line.socket.end();
		else
			line.socket.resetAndDestroy();
	})) });
	await withProxy('a server that ends its idle connection costs no request', [], async (proxy, backend) => {
		const line = await Line.to(proxy.port);

		for (let i = 1; i <= 20; i++) {
			line.send(request(`/${i}`));
			await until(`answer ${i}`, () => line.text.split('hello').length === i + 1);
			if (i % 2)
				backend.lines.at(-1).socket[i % 4 === 1 ? 'end' : 'resetAndDestroy']();
			if (i % 2)
				await until('the proxy knows', async () => (await proxy.connection(1)).server.state === 'none');
		}
		equal([backend.lines.length, line.ended], [10 + 1, null], 'connections of the server, end');
	}, { target: () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello') });
	await withProxy('a response without a body is one, and requests follow', [], async (proxy) => {
		const line = await Line.to(proxy.port, request('/1', { method: 'POST', body: '' }) + request('/2') + request('/3', { method: 'HEAD' }));

		await line.has(/204[^]*200[^]*304[^]*\r\n\r\n$/);
		equal((await proxy.connection(1)).phase, 'idle', 'phase');
	}, { target: () => Backend.start((l) => {
		const answers = ['204 No\r\n', '200 OK\r\nContent-Length: 0\r\n', '304 No\r\nContent-Length: 9\r\n'];
		let from = 0;

		l.socket.on('data', () => {
			for (let at; (at = l.text.indexOf('\r\n\r\n', from)) >= 0; from = at + 4)
				l.send(`HTTP/1.1 ${answers.shift()}\r\n`);
		});
	}) });
	await withProxy('no more connections than are allowed are served at a time', [], async (proxy) => {
		const first = await Line.to(proxy.port, request('/')), second = await Line.to(proxy.port, request('/'));

		await Promise.all([first.has('hello'), second.has('hello')]);
		const third = await Line.to(proxy.port, request('/'));
		await proxy.said('accepting nothing');
		equal(third.text, '', 'it waits');
		first.close();
		await third.has('hello');
	}, { target: () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'), options: ['--connections', '2'] });
	await withProxy('hundreds that come and go leave nothing behind', ['delay 1ms', 'drop 5% of frames', 'cut rst 30% after 3 frames'], async (proxy) => {
		const some = async (i) => {
			const socket = new Socket(`ws://127.0.0.1:${proxy.port}/echo/websocket`);

			await until('it opens or fails', () => socket.ws.readyState !== 0);
			for (let k = 0; k < 5 && socket.ws.readyState === 1; k++)
				socket.ws.send(`${i} ${k}`);
			await new Promise((resolve) => { setTimeout(resolve, i % 40); });
			socket.close();
		};

		await Promise.all(Array.from({ length: 150 }, (_, i) => some(i)));
		await until('all are gone', async () => (await proxy.json('/stats')).open === 0, 15000);
	});
}
