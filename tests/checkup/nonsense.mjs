/*
 * nonsense.mjs - servers that are none: whatever they say, the doctor ends in a bounded time, with a word.
 */
import { createServer } from 'node:net';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { check, together } from '../e2e/harness.mjs';
import { Doctor, shown } from './doctor.mjs';

const INFO = '{"websocket":true,"origins":["*:*"],"cookie_needed":false,"entropy":1}';
const http = (body, head = '') => `HTTP/1.1 200 OK\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`;
const accept = (request) => createHash('sha1').update(/Sec-WebSocket-Key: (\S+)/i.exec(request)[1] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
const switches = (request) => `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(request)}\r\n\r\n`;

/* A pseudo-random sequence that is the same each time. */
function* octets(seed) {
	for (let x = seed; ; yield x & 255)
		x = (Math.imul(x, 1103515245) + 12345) >>> 8;
}

const noise = (seed, n) => {
	const from = octets(seed);

	return Buffer.from(Array.from({ length: n }, () => from.next().value));
};

/* Sends for as long as it is taken. */
const forever = (socket, text) => {
	const more = () => {
		while (!socket.destroyed && socket.write(text));
	};

	socket.on('drain', more);
	more();
};

const frame = (text) => Buffer.concat([Buffer.from(text.length < 126 ? [0x81, text.length] : [0x81, 126, text.length >> 8, text.length & 255]), Buffer.from(text)]);

/* What is said to a request; after /info where that is right. */
const MANNERS = {
	'closes at once': (s) => s.end(),
	'resets at once': (s) => s.resetAndDestroy(),
	'says nothing': () => {},
	'speaks something else': (s) => s.write('220 mail.example ESMTP\r\n'),
	'says noise': (s) => s.write(noise(1, 20000)),
	'has a head without an end': (s) => { s.write('HTTP/1.1 200 OK\r\n'); forever(s, `X-Long: ${'x'.repeat(1000)}\r\n`); },
	'has interim answers for ever': (s) => forever(s, 'HTTP/1.1 100 Continue\r\n\r\n'),
	'has two lengths': (s) => s.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'),
	'has a chunk without an end': (s) => { s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'); forever(s, '1'.repeat(4096)); },
	'says in /info what is no JSON': (s) => s.write(http('<html>Sign in</html>')),
	'says in /info what is nested deeply': (s) => s.write(http('['.repeat(15000))),
	'redirects': (s) => s.write('HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n'),
	'asks for a login': (s) => s.write('HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\n\r\n'),
};
const AFTER_INFO = {
	'closes at once behind /info': (s) => s.end(),
	'says noise behind /info': (s, r, n) => s.write(noise(n, 3000)),
	'has one line for ever': (s) => { s.write('HTTP/1.1 200 OK\r\n\r\n'); forever(s, 'x'.repeat(65536)); },
	'has short lines for ever': (s) => { s.write('HTTP/1.1 200 OK\r\n\r\n'); forever(s, 'h\n'.repeat(32768)); },
	'opens for ever': (s) => { s.write('HTTP/1.1 200 OK\r\n\r\no\n'); forever(s, 'o\n'.repeat(32768)); },
	'opens, and says noise': (s, r, n) => { s.write('HTTP/1.1 200 OK\r\n\r\no\n'); s.write(noise(n, 5000)); },
	'opens, and says messages without being asked': (s) => { s.write('HTTP/1.1 200 OK\r\n\r\no\n'); forever(s, 'a["{\\"id\\":-5,\\"is\\":\\"push\\",\\"at_ms\\":99999999999999}"]\n'.repeat(500)); },
	'closes each session': (s) => s.write(http('c[3000,"\\u001b[2J\x1b[2JGo away!"]\n')),
	'polls without an end': (s) => s.write(http('o\n')),
	'switches, and says noise': (s, r, n) => { if (/Upgrade/i.test(r)) s.write(switches(r)); s.write(noise(n, 3000)); },
	'switches, and says frames for ever': (s, r) => { if (/Upgrade/i.test(r)) { s.write(switches(r)); s.write(frame('o')); forever(s, Buffer.concat(Array(500).fill(frame('a["x"]')))); } },
	'switches, and says pings for ever': (s, r) => { if (/Upgrade/i.test(r)) { s.write(switches(r)); s.write(frame('o')); forever(s, Buffer.from([0x89, 0].concat(Array(2000).fill([0x89, 0]).flat()))); } },
	'switches with a wrong key': (s, r) => s.write(switches(r.replace(/(Sec-WebSocket-Key: )./i, '$1A') + 'Sec-WebSocket-Key: A')),
	'switches where nobody has asked': (s) => s.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'),
	'says all to everything': (s, r, n) => s.write(http(['o\n', 'a["x"]\n', 'h\n', 'c[1]\n', 'a[\n', 'a["\\ud800"]\n', '"'][n % 7])),
};

async function testOne({ suite }, name, manner, hasInfo) {
	await suite.test(`a server that ${name}`, async () => {
		const sockets = new Set();
		let number = 0;
		const server = createServer((socket) => {
			const n = ++number;

			sockets.add(socket);
			socket.on('error', () => {});
			socket.on('close', () => sockets.delete(socket));
			socket.once('data', (d) => {
				const text = d.toString('latin1');

				if (hasInfo && /^GET \/x\/info /.test(text))
					socket.end(http(INFO));
				else
					manner(socket, text, n);
			});
		}).listen(0, '127.0.0.1');

		await once(server, 'listening');
		try {
			const found = await Doctor.json(`http://127.0.0.1:${server.address().port}/x`, ['--timeout', '2']);
			check(found.cause !== 'ok', `it is well: ${shown(found)}`);
			const said = await Doctor.run([`http://127.0.0.1:${server.address().port}/x`, '--timeout', '1']);
			check(said.code === 1 && !/[^\n -~]/.test(said.stdout + said.stderr), `exit code ${said.code}, or it prints what a terminal obeys`);
		} finally {
			for (const socket of sockets)
				socket.destroy();
			server.close();
		}
	}, 90000);
}

export async function testNonsense(world) {
	const all = [MANNERS, AFTER_INFO].flatMap((manners, i) => Object.entries(manners).map(([name, manner]) => () => testOne(world, name, manner, i === 1)));

	await together(4, all);
}
