/*
 * flow.mjs - rules about what flows: lost, held, late, slow, in pieces, spoilt, cut.
 */
import { check, equal } from '../e2e/harness.mjs';
import { answering, Backend, Line, Proxy, request, sleep, Socket, until } from './proxy.mjs';

const raw = (proxy) => `ws://127.0.0.1:${proxy.port}/echo/websocket`;

/* Sends 0 to n - 1, one after the other. */
const sendAll = (socket, n) => { for (let i = 0; i < n; i++) socket.ws.send(`m${i}`); };

/* A server that sends a head, and what the test wants later. */
const streaming = () => Backend.start((line) => line.socket.once('data', () => line.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')));
const chunk = (text) => `${text.length.toString(16)}\r\n${text}\r\n`;

export async function testFlow({ with: withProxy }) {
	await withProxy('drop first client frame: one message is lost, no other', ['drop first client frame'], async (proxy) => {
		const socket = await Socket.open(raw(proxy));

		sendAll(socket, 3);
		await socket.has('m2');
		equal(socket.messages, ['m1', 'm2'], 'echoes');
		const line = await proxy.said('a frame is dropped');
		equal([line.way, line.frame, line.rule], ['client', 1, 1], 'the log');
		socket.close();
	});
	await withProxy('drop server frame 2, every 3 client frames', ['drop server frame 2', 'drop every 3 client frames'], async (proxy) => {
		const socket = await Socket.open(raw(proxy));

		sendAll(socket, 7);
		await socket.has('m6');
		equal(socket.messages, ['m0', 'm3', 'm4', 'm6'], 'echoes');
		socket.close();
	});
	for (const seed of [1, 2])
		await withProxy(`drop 30% of client frames: the same again by seed ${seed}, and another by another`, ['drop 30% of client frames'], async (proxy) => {
			const seen = [];

			for (let i = 0; i < 2; i++) {
				const again = i === 0 ? proxy : await Proxy.start(proxy.target, ['drop 30% of client frames'], ['--seed', String(seed)]);
				const socket = await Socket.open(raw(again));

				sendAll(socket, 40);
				socket.ws.ping('last');
				await until('all is there', async () => (await again.connection(1)).client.frames === 41 &&
					(await again.json('/stats')).client.lost_frames + socket.messages.length >= 40);
				seen.push(socket.messages.join(' '));
				socket.close();
				if (i)
					await again.stop();
			}
			equal(seen[1], seen[0], 'what came the second time');
			testFlow.seen ??= seen[0];
			check(seed === 1 || seen[0] !== testFlow.seen, 'another seed, another choice');
		}, { options: ['--seed', String(seed)] });
	await withProxy('after 10 frames: black: nobody is told, in both directions', ['after 10 frames: black'], async (proxy) => {
		const socket = await Socket.open(raw(proxy));

		for (let i = 0; i < 5; i++) {
			socket.ws.send(`m${i}`);
			await socket.has(`m${i}`);
		}
		sendAll(socket, 3);
		await until('it is lost', async () => (await proxy.connection(1)).client.frames === 8);
		equal([socket.messages.length, socket.ended], [5, null], 'echoes, end');
		const c = await proxy.connection(1);
		equal([c.client.black, c.server.black, c.client.lost > 0], [true, true, true], 'black');
		socket.close();
		await until('our end to the client is closed', async () => (await proxy.connection(1)).client.state === 'closed');
		equal((await proxy.connection(1)).server.state, 'open', 'the server does not know');
	});
	await withProxy('after 2 client frames: black client: the server still speaks', ['after 2 client frames: black client'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/x', { headers: ['Upgrade: websocket', 'Connection: upgrade'] }));

		await line.has('101');
		line.send('\x81\x01a\x81\x01b\x81\x01c');
		await until('it is lost', async () => (await proxy.connection(1)).client.frames === 3);
		backend.lines[0].send('\x81\x02ok');
		await line.has('\x81\x02ok');
		check(backend.lines[0].text.endsWith('\x81\x01a\x81\x01b'), 'two have come');
	}, { target: () => Backend.start((l) => l.socket.once('data', () => l.send('HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n'))) });
	await withProxy('after 101: black: not one frame', ['after 101: black'], async (proxy) => {
		const socket = await Socket.open(raw(proxy));

		socket.ws.send('x');
		await until('it is lost', async () => (await proxy.json('/stats')).client.lost_frames === 1);
		equal([socket.messages, socket.ended], [[], null], 'echoes, end');
		socket.close();
	});
	await withProxy('after open: black: the first frame of the server comes through', ['after open: black'], async (proxy) => {
		const socket = await Socket.open(`ws://127.0.0.1:${proxy.port}/echo/000/s1/websocket`);

		await socket.has('o');
		socket.ws.send('["x"]');
		await until('it is lost', async () => (await proxy.json('/stats')).client.lost_frames === 1);
		equal(socket.messages, ['o'], 'messages');
		socket.close();
	});
	await withProxy('black for a time: what comes then is whole frames again', ['after 1 client frames: black for 2s'], async (proxy) => {
		const socket = await Socket.open(raw(proxy));

		socket.ws.send('first');
		await until('it is black', async () => (await proxy.connection(1)).client.black);
		socket.ws.send('lost');
		await proxy.said('a rule is over');
		socket.ws.send('last');
		await socket.has('last');
		check(!socket.messages.includes('lost'), 'lost is lost');
		socket.close();
	});
	await withProxy('after 100 server bytes: black, to the octet', ['after 100 server bytes: black server'], async (proxy) => {
		const line = await Line.to(proxy.port, request('/'));

		await until('all has come', async () => (await proxy.connection(1)).server.bytes >= 1000);
		await until('as much as may', () => line.text.length === 100);
		equal(line.ended, null, 'no end');
	}, { target: () => answering(`HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1000)}`) });
	await withProxy('stall for a time: late, and nothing lost', ['stall for 400ms'], async (proxy) => {
		const began = performance.now();

		await (await Line.to(proxy.port, request('/'))).has('hello');
		check(performance.now() - began >= 395, `${performance.now() - began} ms`);
	}, { target: () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello') });
	await withProxy('hold until the end', ['hold'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/'));
		const server = await backend.line(1);

		server.send(chunk('one') + chunk('two'));
		await until('it is held', async () => (await proxy.connection(1)).client.held > 60);
		equal(line.text, '', 'nothing yet');
		server.send('0\r\n\r\n');
		await line.has(/one[^]*two[^]*0\r\n\r\n$/);
	}, { target: streaming });
	await withProxy('hold 4096: as much as the buffer holds, at a time', ['hold 4096'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/'));
		const server = await backend.line(1);

		await server.has('GET');
		server.send(chunk('x'.repeat(4000)));
		await until('it is held', async () => (await proxy.connection(1)).client.held > 4000);
		equal(line.text, '', 'nothing yet');
		server.send(chunk('y'.repeat(100)));
		await until('one buffer', () => line.text.length >= 4096);
		server.send('0\r\n\r\n');
		await line.has(/0\r\n\r\n$/);
	}, { target: streaming });
	await withProxy('delay: each way', ['delay 150ms'], async (proxy) => {
		const socket = await Socket.open(raw(proxy)), began = performance.now();

		socket.ws.send('x');
		await socket.has('x');
		check(performance.now() - began >= 295, `${performance.now() - began} ms`);
		socket.close();
	});
	await withProxy('delay server with jitter: one way, in order', ['delay 50ms jitter 60ms server'], async (proxy) => {
		const socket = await Socket.open(raw(proxy));

		for (let i = 0; i < 20; i++) {
			socket.ws.send(`m${i}`);
			await sleep(2);
		}
		await socket.has('m19');
		equal(socket.messages, Array.from({ length: 20 }, (_, i) => `m${i}`), 'order');
		socket.close();
	});
	await withProxy('rate: so many octets a second', ['rate 4KiB server'], async (proxy) => {
		const line = await Line.to(proxy.port, request('/')), began = performance.now();

		await line.has(/x{4000}$/);
		check(performance.now() - began > 850, `${performance.now() - began} ms`);
	}, { target: () => answering(`HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n${'x'.repeat(4000)}`) });
	await withProxy('pieces: small writes', ['pieces 10 every 5ms server'], async (proxy) => {
		const line = await Line.to(proxy.port, request('/'));

		await line.has('hello');
		check(line.pieces.length >= 3 && line.pieces.every(([, n]) => n <= 40), JSON.stringify(line.pieces));
	}, { target: () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello') });
	await withProxy('coalesce: what came apart comes together', ['coalesce 1s server'], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/'));
		const server = await backend.line(1);

		await server.has('GET');
		for (const text of ['one', 'two', 'three']) {
			server.send(chunk(text));
			await sleep(20);
		}
		await line.has('three');
		check(line.pieces.length <= 2, JSON.stringify(line.pieces));
	}, { target: streaming });
	await withProxy('corrupt byte N: that octet and no other', ['corrupt byte 20'], async (proxy) => {
		const line = await Line.to(proxy.port, request('/')), sent = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

		await line.has('hello');
		equal([...sent].map((c, i) => (line.text[i] === c ? null : i + 1)).filter(Boolean), [20], 'places');
		equal(line.text.length, sent.length, 'length');
	}, { target: () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello') });
	for (const [how, end] of [['', 'fin'], ['rst', 'rst']])
		await withProxy(`cut idle 300ms ${how}: both hear of it`, [`cut idle 300ms ${how}`], async (proxy, backend) => {
			const line = await Line.to(proxy.port, request('/'));

			await line.has('200');
			await line.end(end);
			await backend.lines[0].end(end);
		}, { target: streaming });
	await withProxy('cut idle silent: as a NAT that forgets', ['cut idle 300ms silent'], async (proxy) => {
		const socket = await Socket.open(raw(proxy));

		socket.ws.send('x');
		await socket.has('x');
		await until('it is forgotten', async () => (await proxy.connection(1)).forgotten);
		socket.ws.send('y');
		await until('it is lost', async () => (await proxy.connection(1)).client.lost > 0);
		equal([socket.messages, socket.ended], [['x'], null], 'the client does not know');
		socket.close();
		await until('the client is gone', async () => (await proxy.connection(1)).client.state === 'closed');
		equal((await proxy.connection(1)).server.state, 'open', 'the server does not know');
	});
	await withProxy('age 300ms: cut; whatever goes on', ['age 300ms: cut'], async (proxy) => {
		const socket = await Socket.open(raw(proxy));

		while (socket.ended === null) {
			socket.ws.send('x');
			await sleep(10);
		}
		equal(socket.ended, 1006, 'code');
	});
	await withProxy('after 64KiB: cut', ['after 64KiB: cut'], async (proxy) => {
		const line = await Line.to(proxy.port, request('/'));

		await line.end('fin');
		check(line.text.length < 65536, `${line.text.length}`);
		const c = await proxy.said('cut');
		equal(c.how, 'fin', 'how');
	}, { target: () => answering(`HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200000)}`) });
	await withProxy('on xhr_streaming: after 50 server bytes: reset', ['on xhr_streaming: after 50 server bytes: reset'], async (proxy) => {
		const line = await Line.to(proxy.port, request('/a/b/xhr'));

		await line.has('hello');
		line.send(request('/a/b/xhr_streaming'));
		await line.over();
		await proxy.said('cut', { how: 'rst' });
	}, { target: () => answering(`HTTP/1.1 200 OK\r\nContent-Length: 105\r\n\r\n${'x'.repeat(100)}hello`) });
	await withProxy('cut client: the server never hears of it', ['after 1 frames: cut client'], async (proxy) => {
		const socket = await Socket.open(raw(proxy));

		socket.ws.send('x');
		await until('the client does', () => socket.ended !== null);
		equal((await proxy.connection(1)).server.state, 'open', 'the server');
	});
	await withProxy('accept nothing for a time', [], async (proxy) => {
		const began = performance.now();

		equal((await proxy.ask('/rules', 'PUT', 'accept nothing for 500ms')).status, 200, 'the rule');
		await (await Line.to(proxy.port, request('/'))).has('hello');
		check(performance.now() - began >= 499, `${performance.now() - began} ms`);
		await proxy.said('accepting nothing');
		await proxy.said('accepting');
	}, { target: () => answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello') });
	await withProxy('a slow reader holds up who sends, and no memory is filled', [], async (proxy, backend) => {
		const line = await Line.to(proxy.port, request('/'));
		const server = await backend.line(1);
		const block = chunk('x'.repeat(65536));

		await line.has('200');
		line.socket.pause();
		let sent = 0;
		for (; sent < 1000 && server.socket.write(block); sent++)
			await sleep(0);
		while (sent < 1000 && server.socket.writableLength < 64 * 65536) {
			server.socket.write(block);
			sent++;
		}
		await sleep(50);
		const c = await proxy.connection(1);
		check(c.client.queued < 600 * 1024, `${c.client.queued} octets are queued`);
		line.socket.resume();
		server.send('0\r\n\r\n');
		await line.has(/\r\n0\r\n\r\n$/);
		check(line.text.length > sent * 65536, 'all of it has come');
	}, { target: streaming });
}
