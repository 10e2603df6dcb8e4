/*
 * forward.mjs - as a forward proxy: absolute URIs and CONNECT.
 */
import { check, equal } from '../e2e/harness.mjs';
import { answering, Backend, Line, request } from './proxy.mjs';

const hello = () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');

export async function testForward({ with: withProxy, target }) {
	await withProxy('an absolute URI goes to the target, as a path', [], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('http://somewhere.example:81/a?b', { headers: ['Proxy-Connection: keep-alive'] }));

		await line.has('hello');
		equal(backend.lines[0].text, 'GET /a?b HTTP/1.1\r\nHost: test\r\n\r\n', 'the request');
	}, { target: hello });
	await withProxy('CONNECT is a tunnel in which HTTP is understood', ['502 on /refused'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('somewhere.example:80', { method: 'CONNECT' }));

		await line.has(/^HTTP\/1.1 200 [^]*\r\n\r\n$/);
		line.send(request('/through'));
		await line.has('hello');
		equal(backend.lines[0].text, 'GET /through HTTP/1.1\r\nHost: test\r\n\r\n', 'the request');
		line.send(request('/refused'));
		await line.has('HTTP/1.1 502');
	}, { target: hello });
	await withProxy('what is no HTTP in a tunnel goes through as it is', [], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('somewhere.example:443', { method: 'CONNECT' }));

		await line.has(/\r\n\r\n$/);
		line.send('\x16\x03\x01\x02\x00\x01\x00');
		await (await backend.line(1)).has('\x16\x03\x01\x02\x00\x01\x00');
		backend.lines[0].send('\x16\x03\x03answer');
		await line.has('\x16\x03\x03answer');
		equal((await proxy.connection(1)).phase, 'opaque', 'phase');
		line.socket.end();
		await backend.lines[0].end('fin');
	}, { target: hello });
	await withProxy('a server that speaks first in a tunnel is heard', [], async (proxy) => {
		const line = await Line.to(proxy.port, request('somewhere.example:25', { method: 'CONNECT' }));

		await line.has('220 welcome\r\n');
		line.send('HELO\r\n');
		await line.has('250 HELO\r\n');
	}, { target: () => Backend.start((l) => {
		l.send('220 welcome\r\n');
		l.socket.on('data', (d) => l.send(`250 ${d}`));
	}) });
	await withProxy('connect only 443: others are refused', ['connect only 443'], async (proxy) => {
		await (await Line.to(proxy.port, request('a.example:80', { method: 'CONNECT' }))).has('HTTP/1.1 403 ');
		await (await Line.to(proxy.port, request('a.example:443', { method: 'CONNECT' }))).has('HTTP/1.1 200 ');
		await (await Line.to(proxy.port, request('/plain'))).has('hello');
	}, { target: hello });
	await withProxy('CONNECT to what is not there is 502', [], async (proxy) => {
		await (await Line.to(proxy.port, request('a.example:443', { method: 'CONNECT' }))).has('HTTP/1.1 502 ');
	}, { target: () => '127.0.0.1:1' });
	await withProxy('--anywhere: it goes where it is told to', [], async (proxy, backend) => {
		await (await Line.to(proxy.port, request(`http://${target}/echo/info`))).has('"websocket":true');
		const line = await Line.to(proxy.port, request(target, { method: 'CONNECT' }));
		await line.has(/\r\n\r\n$/);
		line.send(request('/echo/info', { headers: ['Connection: close'] }));
		await line.has('"websocket":true');
		await (await Line.to(proxy.port, request('/x'))).has('hello');
		check(backend.lines.length === 1, 'the target got the last one alone');
	}, { target: hello, options: ['--anywhere'] });
}
