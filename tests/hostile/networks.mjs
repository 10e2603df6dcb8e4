/*
 * networks.mjs - sockjs-client through each of the networks that are known to be bad: by which
 * transport it opens, and what becomes of its messages.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SockJS from 'sockjs-client';
import { check, equal, Server } from '../e2e/harness.mjs';
import { Line, Proxy, request, until } from './proxy.mjs';

/* A client that counts what comes back. */
async function open(proxy, transports = undefined, ms = 15000) {
	const socket = new SockJS(`http://127.0.0.1:${proxy.port}/echo`, null, { transports });
	const client = { socket, messages: [], ended: null, began: performance.now() };

	socket.onmessage = (m) => client.messages.push(m.data);
	socket.onclose = (e) => { client.ended = e.code; };
	await until('it opens or ends', () => socket.readyState === 1 || client.ended !== null, ms);
	client.transport = socket.transport;
	return client;
}

async function echoes(client, count = 10) {
	for (let i = 0; i < count; i++)
		client.socket.send(`m${i}`);
	await until(`${count} echoes, ${client.messages.length} are here`, () => client.messages.length >= count || client.ended !== null, 15000);
	equal(client.messages, Array.from({ length: count }, (_, i) => `m${i}`), 'echoes');
}

export async function testNetworks({ with: withProxy, suite, server }) {
	const opens = (name, rules, transports, more = async () => {}) => withProxy(`${name}: sockjs-client opens by ${transports.join(' or ')}, and all echoes come`, rules, async (proxy) => {
		const client = await open(proxy);

		check(transports.includes(client.transport), `it opens by ${client.transport}, ${client.ended}`);
		await echoes(client);
		await more(proxy, client);
		client.socket.close();
	});

	/* xhr-streaming and xhr-polling are all that Node has beside WebSocket and EventSource. */
	const falls = ['xhr-streaming'], polls = ['xhr-polling'];
	await opens('no rules', [], ['websocket']);
	await opens('Upgrade stripped', ['strip upgrade'], falls);
	await opens('Upgrade refused by 403', ['403 on upgrade'], falls);
	await opens('Upgrade refused by 502', ['502 on upgrade'], falls);
	await opens('HTTP/1.0', ['http 1.0'], falls);
	await opens('streams held until their end, and Upgrade stripped', ['strip upgrade', 'hold'], polls);
	await opens('streams held by 64 KiB, and Upgrade stripped', ['strip upgrade', 'hold 64KiB'], polls);
	await opens('streams held by 3 KiB, and Upgrade stripped', ['strip upgrade', 'hold 3KiB'], [...falls, ...polls]);
	await opens('Upgrade hangs', ['hang on upgrade'], falls);
	await opens('101, then no frames', ['after 101: black'], falls);
	await opens('close-delimited', ['strip upgrade', 'close-delimited'], falls);
	await opens('hold, and Upgrade hangs', ['hang on upgrade', 'hold'], polls);
	await opens('101, then no frames, and hold', ['after 101: black', 'hold'], polls);
	await opens('hold, Upgrade stripped, and 30 ms each way', ['strip upgrade', 'hold', 'delay 30ms'], polls);
	await opens('hold, Upgrade stripped, and idle connections are forgotten', ['strip upgrade', 'hold', 'cut idle 1s silent'], polls, async (proxy) => {
		await proxy.said('cut', { how: 'silent' });
	});
	await opens('50 ms each way', ['delay 50ms'], ['websocket']);
	await opens('one octet at a time', ['pieces 1'], ['websocket', ...falls]);
	await opens('posts come twice, but messages once from each', ['strip upgrade', 'duplicate on xhr_send 0%'], falls);

	await withProxy('the first frame of the client is lost: one message is missing, without a word', ['drop first client frame'], async (proxy) => {
		const client = await open(proxy);

		client.socket.send('one');
		client.socket.send('two');
		await until('the second', () => client.messages.includes('two'));
		equal([client.transport, client.messages, client.ended], ['websocket', ['two'], null], 'what it has');
		client.socket.close();
	});
	await withProxy('101 and `o`, then black: it is open, and nothing comes', ['after open: black'], async (proxy) => {
		const client = await open(proxy);

		client.socket.send('one');
		await until('it is lost', async () => (await proxy.json('/stats')).client.lost_frames > 0);
		equal([client.transport, client.messages, client.ended], ['websocket', [], null], 'what it has');
		client.socket.close();
	});
	await withProxy('client frames are dropped: the server still speaks', ['drop all client frames'], async (proxy) => {
		const client = await open(proxy);

		client.socket.send('one');
		await until('it is lost', async () => (await proxy.json('/stats')).client.lost_frames > 0);
		equal([client.transport, client.messages], ['websocket', []], 'what it has');
		client.socket.close();
	});
	await withProxy('black after ten frames: what comes later is lost', ['after 10 frames: black'], async (proxy) => {
		const client = await open(proxy);

		for (let i = 0; i < 50; i++)
			client.socket.send(`m${i}`);
		await until('they are lost', async () => (await proxy.connection((await proxy.json('/connections')).find((c) => c.phase === 'frames').connection)).client.frames >= 50);
		check(client.messages.length < 10 && client.ended === null, `${client.messages.length} echoes, ${client.ended}`);
		client.socket.close();
	});
	await withProxy('idle, silent: open for ever, and nothing comes', ['cut idle 400ms silent'], async (proxy) => {
		const client = await open(proxy);

		await echoes(client, 1);
		await until('it is forgotten', async () => (await proxy.json('/connections')).some((c) => c.phase === 'frames' && c.forgotten));
		client.socket.send('late');
		await until('it is lost', async () => (await proxy.json('/stats')).client.lost_bytes > 0);
		equal([client.messages, client.ended], [['m0'], null], 'what it has');
		client.socket.close();
	});
	for (const [name, rule] of [['age', 'age 500ms: cut on websocket'], ['64 KiB', 'after 64KiB: cut']])
		await withProxy(`${name}: the client ends with 1006, and may come again`, [rule], async (proxy) => {
			const client = await open(proxy);
			const timer = setInterval(() => client.socket.readyState === 1 && client.socket.send('x'.repeat(4000)), 5);

			await until('it ends', () => client.ended !== null).finally(() => clearInterval(timer));
			check([1002, 1006].includes(client.ended), `${client.ended}`);
			const again = await open(proxy);
			equal(again.transport, 'websocket', 'again');
			again.socket.close();
		});
	await withProxy('/info hangs: it never opens', ['hang on /info'], async (proxy) => {
		const socket = new SockJS(`http://127.0.0.1:${proxy.port}/echo`);

		await proxy.said('a rule acts', { kind: 'hang' });
		equal(socket.readyState, 0, 'it is connecting');
		socket.close();
	});
	await suite.test('Origin is rewritten before an endpoint for its own origin: nobody may come in', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'hostile-'));

		writeFileSync(join(folder, 'own.json'), JSON.stringify({ listen: ['127.0.0.1:0'], endpoints: [{ prefix: '/own', application: 'echo' }] }));
		const own = new Server({ server: `${server} -c ${join(folder, 'own.json')} --log-level error` });
		await own.start();
		const proxy = await Proxy.start(own.url.replace('http://', ''), ['set request Origin http://other.example connection 2-']);

		try {
			for (const status of [200, 403]) {
				const line = await Line.to(proxy.port, request('/own/info', { headers: ['Origin: http://test'] }));

				await line.has(`HTTP/1.1 ${status} `);
			}
		} finally {
			await proxy.stop();
			await own.stop();
			rmSync(folder, { recursive: true });
		}
	});
	await withProxy('posts are refused, Upgrade stripped: no message passes', ['strip upgrade', '403 on POST xhr_send'], async (proxy) => {
		const client = await open(proxy, ['xhr-streaming']);

		client.socket.send('one');
		await proxy.said('a rule acts', { kind: 'status' });
		equal(client.messages, [], 'echoes');
		client.socket.close();
	});
	await withProxy('polls are answered one by one through a path that holds, and messages keep their order', ['hold', 'delay 20ms jitter 20ms'], async (proxy) => {
		const client = await open(proxy, ['xhr-polling']);

		await echoes(client, 20);
		client.socket.close();
	});
}
