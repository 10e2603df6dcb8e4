/*
 * control.mjs - the control address: rules while it runs, the log, connections, cuts, counters.
 */
import { check, equal } from '../e2e/harness.mjs';
import { answering, Line, request, Socket, until } from './proxy.mjs';

const hello = () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');

export async function testControl({ with: withProxy }) {
	await withProxy('rules are replaced, added and taken away, and count at once', ['delay 1ms'], async (proxy) => {
		const socket = await Socket.open(`ws://127.0.0.1:${proxy.port}/echo/websocket`);

		equal(await proxy.ask('/rules'), { status: 200, text: 'delay 1ms\n' }, 'at first');
		equal(await proxy.ask('/rules', 'PUT', 'delay 2ms\n# two\nhang on /x'), { status: 200, text: 'delay 2ms\nhang on /x\n' }, 'replaced');
		equal((await proxy.ask('/rules', 'POST', 'black; rate 1MiB')).text, 'delay 2ms\nhang on /x\nblack\n rate 1MiB\n', 'added');
		await until('the connection that was there is black', async () => (await proxy.connection(1)).client.black);
		socket.ws.send('lost');
		await until('it is lost', async () => (await proxy.connection(1)).client.lost > 0);
		equal((await proxy.ask('/rules', 'DELETE')).text, '', 'none');
		socket.ws.send('x');
		await socket.has('x');
		equal(socket.messages, ['x'], 'messages');
		socket.close();
	});
	await withProxy('a wrong rule is 400 with a sentence, and nothing has changed', ['delay 1ms'], async (proxy) => {
		for (const method of ['PUT', 'POST'])
			equal(await proxy.ask('/rules', method, 'black\nafter 3 hours: cut'), { status: 400, text: 'line 2, column 9: a colon stands between the conditions and the action\n' }, method);
		check((await proxy.ask('/rules', 'PUT', 'x'.repeat(70000))).status === 413, 'too long');
		equal((await proxy.ask('/rules')).text, 'delay 1ms\n', 'rules');
	});
	await withProxy('GET / tells of it, /stats counts, /log tells what was done', ['502 on /bad'], async (proxy) => {
		await (await Line.to(proxy.port, request('/good'))).has('hello');
		await (await Line.to(proxy.port, request('/bad'))).has('502');
		const about = await proxy.json('/'), stats = await proxy.json('/stats'), log = await proxy.log();

		equal([about.program, about.seed, about.rules], ['sockjs-hostile', 1, [{ rule: 1, used: 1, text: '502 on /bad' }]], 'GET /');
		equal([stats.connections, stats.requests, stats.rules_acted, stats.malformed], [2, 2, 1, 0], 'GET /stats');
		check(stats.client.bytes > 0 && stats.server.bytes > 0, 'octets');
		const acted = log.find((l) => l.message === 'a rule acts');
		equal([acted.connection, acted.rule, acted.kind, acted.text, acted.path], [2, 1, 'status', '502 on /bad', '/bad'], 'the log');
		equal(log.map((l) => l.n), log.map((_, i) => i + 1), 'numbers of lines');
		equal((await proxy.log(log.length - 1)).length >= 1, true, 'lines behind one');
		equal((await proxy.log(100000)).length, 0, 'lines behind the last');
		equal((await proxy.ask('/log?after=x')).status, 400, 'no number');
	}, { target: hello });
	await withProxy('the log is a ring', [], async (proxy) => {
		const line = await Line.to(proxy.port, request('/').repeat(1100));

		await until('all are answered', () => line.text.length === 1100 * 43);
		const log = await proxy.log();

		equal(log.length, 2000, 'lines');
		check(log[0].n > 1 && log.at(-1).n === log[0].n + 1999, `${log[0].n} to ${log.at(-1).n}`);
	}, { target: hello });
	for (const [how, end] of [['fin', 'fin'], ['rst', 'rst']])
		await withProxy(`POST /cut?connection=N&how=${how}: that one`, [], async (proxy, backend) => {
			const one = await Line.to(proxy.port, request('/')), two = await Line.to(proxy.port, request('/'));

			await Promise.all([one.has('hello'), two.has('hello')]);
			equal(await proxy.json(`/cut?connection=1&how=${how}`, 'POST'), { cut: 1 }, 'the answer');
			await one.end(end);
			await backend.lines[0].end(end);
			equal(two.ended, null, 'the other one');
			equal(await proxy.json('/cut', 'POST'), { cut: 1 }, 'all others');
			await two.end('fin');
			await backend.lines[1].end('fin');
		}, { target: hello });
	await withProxy('POST /cut?how=silent: nobody hears of it', [], async (proxy) => {
		const socket = await Socket.open(`ws://127.0.0.1:${proxy.port}/echo/websocket`);

		equal(await proxy.json('/cut?how=silent', 'POST'), { cut: 1 }, 'the answer');
		socket.ws.send('x');
		await until('it is lost', async () => (await proxy.connection(1)).client.lost > 0);
		equal([socket.messages, socket.ended], [[], null], 'messages, end');
		socket.close();
	});
	await withProxy('what is asked wrongly is refused: methods, paths, pages, names', [], async (proxy) => {
		for (const [path, method, status] of [['/nothing', 'GET', 404], ['/cut', 'GET', 405], ['/stats', 'POST', 405], ['/rules', 'PATCH', 405],
			['/cut?how=gently', 'POST', 400], ['/cut?connection=0', 'POST', 400]])
			equal((await proxy.ask(path, method)).status, status, `${method} ${path}`);
		equal((await proxy.ask('/', 'GET', undefined, { origin: 'http://page.example' })).status, 403, 'a page');
		const port = Number(new URL(proxy.control).port);
		await (await Line.to(port, 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n')).has('HTTP/1.1 403 ');
		await (await Line.to(port, 'GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n')).has('HTTP/1.1 200 ');
		await (await Line.to(port, 'PUT /rules HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n')).has('HTTP/1.1 411 ');
		await (await Line.to(port, 'nonsense\r\n\r\n')).has('HTTP/1.1 400 ');
	}, { target: hello });
}
