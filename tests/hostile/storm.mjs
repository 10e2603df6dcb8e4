/*
 * storm.mjs - clients, servers and rules made up by chance: nothing breaks, nothing is left behind.
 * Another $HOSTILE_SEED looks elsewhere.
 */
import { check } from '../e2e/harness.mjs';
import { Backend, Line, request, sleep, until } from './proxy.mjs';

const CLIENTS = 1500;

/* The same numbers for the same seed. */
function chance(seed) {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let t = Math.imul(state ^ (state >>> 15), state | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	const below = (n) => Math.floor(next() * n);

	return { below, one: (list) => list[below(list.length)], often: (p) => next() < p };
}

const rules = (c) => Array.from({ length: 1 + c.below(5) }, () => `${c.one(['black', 'stall for 20ms', 'delay 5ms jitter 10ms', 'rate 20KiB', 'pieces 3',
	'coalesce 10ms', 'hold', 'hold 100', 'corrupt byte 30', 'cut', 'cut rst', 'cut silent', 'cut client', 'cut rst server', 'drop first frames', 'drop 30% of frames',
	'502', 'hang', 'strip upgrade', 'http 1.0', 'duplicate', 'close-delimited', 'set request A b', 'remove response Connection', 'connect only 443'])
}${c.one(['', ' once', ' 40%', ' connection every 2', ' on POST', ' on websocket', ' on /b*', ' 3 times'])}${c.one(['', ' after 100 bytes', ' after 10ms', ' after 2 requests'])}`);

const frame = (c) => {
	const n = c.below(300);

	return `\x81${n < 126 ? String.fromCharCode(n) : `\x7e${String.fromCharCode(n >> 8, n & 255)}`}${'f'.repeat(n)}`;
};

/* What a server says, which may be right. */
const answer = (c) => c.one(['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'HTTP/1.1 204 No\r\n\r\n', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil',
	'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\none\r\n0\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell',
	'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'nonsense\r\n\r\n', '', 'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nshort',
	`HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n${frame(c)}${frame(c)}`]);

const ask = (c) => c.one([() => request('/a'), () => request('/b', { method: 'POST', body: 'x'.repeat(c.below(3000)) }), () => request('/c', { method: 'HEAD' }),
	() => request('/ws', { headers: ['Upgrade: websocket', 'Connection: upgrade'] }) + frame(c) + frame(c),
	() => `${request('/d', { method: 'POST', headers: ['Transfer-Encoding: chunked'] })}3\r\none\r\n${c.one(['0\r\n\r\n', 'zz\r\n', '5\r\nfi'])}`,
	() => request('http://h/e'), () => request('h:443', { method: 'CONNECT' }), () => '\x16\x03\x01', () => 'GET / HTTP/1.1\r\nbroken'])();

async function live(c, port) {
	const line = await Line.to(port).catch(() => null); /* it may be cut before */

	if (!line)
		return;
	for (let i = c.below(5); i >= 0 && !line.ended; i--) {
		const text = ask(c);
		const cut = c.below(text.length + 1);

		line.send(text.slice(0, cut));
		await sleep(c.below(8));
		line.send(text.slice(cut));
		await sleep(c.below(25));
	}
	line.socket[c.one(['end', 'destroy', 'resetAndDestroy'])]();
	await sleep(c.below(10));
	line.close();
}

export async function testStorm({ with: withProxy }) {
	const seed = Number(process.env.HOSTILE_SEED) || 1;
	const c = chance(seed);

	await withProxy(`clients, servers and rules made up by chance (seed ${seed})`, ['delay 1ms'], async (proxy) => {
		let left = CLIENTS, busy = true;
		const come = async () => {
			while (left-- > 0)
				await live(c, proxy.port);
		};
		const rule = async () => {
			while (busy) {
				const text = rules(c).join('\n');

				/* Not all go together */
				check([200, 400].includes((await proxy.ask('/rules', 'PUT', text)).status), text);
				await sleep(30);
				if (c.often(0.2))
					await proxy.ask(`/cut?how=${c.one(['fin', 'rst', 'silent'])}`, 'POST');
				await proxy.ask(c.one(['/connections', '/stats', '/log', '/']));
			}
		};
		await Promise.all([rule(), Promise.all(Array.from({ length: 20 }, come)).finally(() => { busy = false; })]);
		await proxy.ask('/rules', 'DELETE');
		await proxy.ask('/cut?how=rst', 'POST');
		let rest;
		await until(() => `all are gone; there is ${JSON.stringify(rest.slice(0, 2))}`, async () => (rest = await proxy.json('/connections')).length === 0, 15000);
	}, { target: () => Backend.start((line) => line.socket.on('data', () => {
		line.send(answer(c));
		if (c.often(0.1))
			line.socket[c.one(['end', 'destroy', 'resetAndDestroy'])]();
	})) });
}
