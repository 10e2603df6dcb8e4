#!/usr/bin/env node
/*
 * hooks.mjs - what a web-hook costs: the time that a SEND to a backend's own destination takes longer than
 * one that nobody is asked about, beside the time that curl itself takes for the same request to the
 * same backend. And how many a second there are, with many clients.
 *
 *	hooks.mjs [--server ./sockjsd] [--rounds 5] [--requests 2000]
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import WebSocket from 'ws';
import { readArguments } from '../tests/e2e/harness.mjs';

const args = readArguments(['server', 'rounds', 'requests']);
const rounds = Number(args.rounds ?? 5), requests = Number(args.requests ?? 2000);
const folder = mkdtempSync(join(tmpdir(), 'bench-hooks-'));
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/* A process of its own, as a backend is. */
const BACKEND = `require('node:http').createServer((request, response) => {
	request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json', 'content-length': 2 }).end('{}'));
}).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

async function firstLine(child, pattern) {
	for await (const line of createInterface({ input: child.stdout })) {
		const found = pattern.exec(line);
		if (found)
			return found[1];
	}
	throw new Error('it has said nothing');
}

/* Milliseconds of each of so many requests over one kept connection. */
function curl(url, body) {
	const file = join(folder, 'body');

	writeFileSync(file, body);
	const text = execFileSync('curl', ['-s', '-H', 'Content-Type: application/json', '--data-binary', `@${file}`, '-w', '%{time_total}\\n', '-o', '/dev/null', `${url}?[1-${requests}]`], { maxBuffer: 1e8 }).toString();

	return text.trim().split('\n').filter((l) => /^[\d.]+$/.test(l)).map((l) => Number(l) * 1000).slice(1);
}

async function connect(url) {
	const socket = new WebSocket(url, ['v12.stomp']);

	await once(socket, 'open');
	socket.send('CONNECT\naccept-version:1.2\nheart-beat:0,0\n\n\0');
	await once(socket, 'message');
	return socket;
}

async function send(socket, destination, n) {
	const times = [];

	for (let i = 0; i < n; i++) {
		const begun = performance.now();
		socket.send(`SEND\ndestination:${destination}\nreceipt:${i}\n\nhello\0`);
		await once(socket, 'message');
		times.push(performance.now() - begun);
	}
	return times.slice(1);
}

const backend = spawn(process.execPath, ['-e', BACKEND], { stdio: ['ignore', 'pipe', 'inherit'] });
const url = `http://127.0.0.1:${await firstLine(backend, /^(\d+)$/)}/hook`;
const file = join(folder, 'sockjsd.json');

writeFileSync(file, JSON.stringify({ listen: ['127.0.0.1:0'], threads: 1, log_level: 'error',
	endpoints: [{ prefix: '/stomp', application: 'stomp', allowed_origins: ['*'], stomp: { access: 'open', heartbeat_ms: [0, 0] },
		hooks: { url, events: ['disconnect'], destinations: ['/app/**'] } }] }));
const server = spawn(args.server ?? './sockjsd', ['-c', file], { stdio: ['ignore', 'pipe', 'inherit'] });
const address = `${(await firstLine(server, /^listening on (\S+)/)).replace('http', 'ws')}`.replace(/\/$/, '') + '/stomp';
const body = JSON.stringify({ event: 'message', endpoint: '/stomp', session: 1, name: '0123456789abcdef', destination: '/app/x', headers: {}, body: 'hello', id: '0'.repeat(32) });

try {
	const socket = await connect(address), ratios = [];

	for (let round = 1; round <= rounds; round++) {
		const own = median(curl(url, body));
		const plain = median(await send(socket, '/topic/x', requests)), hooked = median(await send(socket, '/app/x', requests));

		ratios.push((hooked - plain) / own);
		console.log(`round ${round}: curl ${(own * 1000).toFixed(0)} us; SEND to a topic ${(plain * 1000).toFixed(0)} us, to the backend ${(hooked * 1000).toFixed(0)} us: ${ratios.at(-1).toFixed(2)} of curl's own`);
	}
	console.log(`a web-hook adds ${median(ratios).toFixed(2)} of curl's own time (limit 1.5)`);
	const many = await Promise.all(Array.from({ length: 64 }, () => connect(address)));
	const begun = performance.now();
	await Promise.all(many.map((s) => send(s, '/app/x', 300)));
	console.log(`64 clients: ${(64 * 300 / (performance.now() - begun) * 1000).toFixed(0)} web-hooks a second`);
	many.forEach((s) => s.terminate());
	socket.terminate();
} finally {
	server.kill('SIGTERM');
	await once(server, 'exit');
	backend.kill();
	rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
