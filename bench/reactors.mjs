#!/usr/bin/env node
/*
 * bench/reactors.mjs - what a second reactor gains: messages in a second with one and with two.
 *
 *   reactors.mjs [--server PATH] [--rounds N] [--seconds S]
 *
 * The load has to leave the processors to the server, so it is one that costs the server much and the client
 * little: messages of 16 KiB that come in stored blocks (RFC 1951), and that the server compresses for its
 * answer. The client takes the answers by their length; of each connection it inflates the first.
 */
import assert from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { constants, inflateRawSync } from 'node:zlib';

import { median } from './report.mjs';

const CONNECTIONS = 64;
const SIZE = 16384;
const HANDSHAKE = 'GET /echo/websocket HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
	'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
	'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n\r\n';
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/* --- one message ---------------------------------------------------------------------------- */

/* Letters without much order: compressing them is work, and they become half as long. */
function makeText() {
	const letters = Buffer.alloc(SIZE);
	let seed = 1;

	for (let i = 0; i < SIZE; i++) {
		seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
		letters[i] = 0x61 + (seed >>> 16) % 16;
	}
	return letters;
}

const text = makeText();

/* A masked frame, by a key of zeroes, with one stored block that is not the last: the mask changes nothing. */
function frame() {
	const block = Buffer.alloc(5);
	const head = Buffer.alloc(8);

	block.writeUInt16LE(SIZE, 1);
	block.writeUInt16LE(SIZE ^ 0xffff, 3);
	const payload = Buffer.concat([block, text, Buffer.from([0])]); /* and an empty block, without its tail */
	head[0] = 0xc1;
	head[1] = 0x80 | 126;
	head.writeUInt16BE(payload.length, 2);
	return Buffer.concat([head, payload]);
}

/* The length of the frame at the beginning of DATA, or 0 if it is not all there. */
function frameLength(data) {
	if (data.length < 4)
		return 0;
	const short = data[1] & 0x7f;
	const length = short < 126 ? 2 + short : 4 + data.readUInt16BE(2);

	return data.length < length ? 0 : length;
}

function check(data) {
	const payload = data.subarray((data[1] & 0x7f) < 126 ? 2 : 4, frameLength(data));

	assert.equal(data[0], 0xc1, 'the answer is not a compressed text');
	assert.deepEqual(inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH }), text);
}

/* --- connections ------------------------------------------------------------------------------ */

/* Opens one that has the first message back; what comes then is counted by `count`. */
async function open(port, sent, count) {
	const socket = connect(port, '127.0.0.1');
	let data = Buffer.alloc(0), isOpen = false, answers = 0;

	socket.setNoDelay(true);
	socket.write(HANDSHAKE);
	await new Promise((resolve, reject) => {
		socket.on('error', reject);
		socket.on('data', (more) => {
			let length;

			data = data.length ? Buffer.concat([data, more]) : more;
			if (!isOpen) {
				const end = data.indexOf('\r\n\r\n');
				if (end < 0)
					return;
				assert.match(data.toString('latin1', 0, end), /^HTTP\/1.1 101 [^]*permessage-deflate/);
				data = data.subarray(end + 4);
				isOpen = true;
				socket.write(sent);
			}
			while ((length = frameLength(data))) {
				if (answers++ === 0) {
					check(data);
					resolve();
				}
				data = data.subarray(length);
				count();
				socket.write(sent);
			}
		});
	});
	return socket;
}

async function start(server, threads) {
	const child = spawn(server, ['--demo', '-l', '127.0.0.1:0', '-t', String(threads), '--log-level', 'error'], { stdio: ['ignore', 'pipe', 'inherit'] });

	for await (const line of createInterface({ input: child.stdout })) {
		const port = /:(\d+)/.exec(/listening on (\S+)/.exec(line)?.[1] ?? '')?.[1];
		if (port)
			return { child, port: Number(port) };
	}
	throw new Error(`${server} does not start`);
}

/* Messages in a second. */
async function rate(server, threads, seconds) {
	const { child, port } = await start(server, threads);
	const sent = frame();
	let n = 0;
	const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => open(port, sent, () => n++)));
	const before = n, since = performance.now();

	await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
	const result = (n - before) / (performance.now() - since) * 1000;
	sockets.forEach((socket) => socket.destroy());
	child.kill();
	await once(child, 'close');
	return result;
}

/* --- the comparison ------------------------------------------------------------------------------ */

const { values } = parseArgs({ options: { server: { type: 'string' }, rounds: { type: 'string' }, seconds: { type: 'string' } } });
const server = values.server ?? './sockjsd';
const one = [], two = [];

for (let round = 0; round < Number(values.rounds ?? 5); round++) {
	one.push(await rate(server, 1, Number(values.seconds ?? 2)));
	two.push(await rate(server, 2, Number(values.seconds ?? 2)));
}
const ratios = one.map((n, round) => two[round] / n);
console.log(`messages in a second, medians: one reactor ${Math.round(median(one))}, two ${Math.round(median(two))}: ${median(ratios).toFixed(2)} times (${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)})`);
