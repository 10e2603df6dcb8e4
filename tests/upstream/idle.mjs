#!/usr/bin/env node
/*
 * idle.mjs - what an idle session costs the gateway that passes it on: user space, for both connections.
 *
 *	idle.mjs --server ./sockjsd --backend ./tests/upstream/acceptor [--sessions 5000] [--most 1024]
 *
 * With --most it fails when a session costs more. Not for a server with sanitizers.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments } from '../e2e/harness.mjs';
import { Gateway, sleep } from './gateway.mjs';

const WARM = 300; /* sessions that come first, and stay: what is allocated in steps, is */
const AT_ONCE = 50;

const args = readArguments(['server', 'backend', 'sessions', 'most']);
const sessions = Number(args.sessions ?? 5000);
const folder = mkdtempSync(join(tmpdir(), 'upstream-'));
const backend = spawn(args.backend, { stdio: ['pipe', 'pipe', 'inherit'] });
const gateway = new Gateway(args.server, join(folder, 'sockjsd.json'));
const sockets = [];

process.on('exit', () => {
	backend.kill();
	rmSync(folder, { recursive: true, force: true });
});

function openOne() {
	const { hostname, port } = new URL(gateway.url);

	return new Promise((resolve, reject) => {
		const socket = connect(Number(port), hostname, () =>
			socket.write('GET /app/websocket HTTP/1.1\r\nHost: idle\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
				+ 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'));

		socket.once('data', (d) => (d.toString().startsWith('HTTP/1.1 101') ? resolve() : reject(new Error(d.toString().slice(0, 30)))));
		socket.on('error', reject);
		sockets.push(socket);
	});
}

async function openMany(n) {
	for (let i = 0; i < n; i += AT_ONCE)
		await Promise.all(Array.from({ length: Math.min(AT_ONCE, n - i) }, openOne));
	await sleep(500);
}

const [port] = await once(backend.stdout, 'data');
await gateway.start({
	threads: 1,
	listen: ['127.0.0.1:0'],
	internal: { listen: '127.0.0.1:0' },
	endpoints: [{ prefix: '/app', application: 'upstream', allowed_origins: ['*'], upstream: { url: `ws://127.0.0.1:${String(port).trim()}/`, ping_interval_ms: 0 },
		websocket: { ping_interval_ms: 0 } }],
});
await openMany(WARM);
const before = gateway.rss();
await openMany(sessions);
const each = Math.round((gateway.rss() - before) / sessions);
console.log(`${await gateway.metric('sockjs_sessions')} sessions, ${each} bytes for each`);
process.exit(each > Number(args.most ?? Infinity) ? 1 : 0);
