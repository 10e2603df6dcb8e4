/*
 * tests/stomp/journal_tools.mjs - what the tests of the journal share: a server with one, and clients.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import WebSocket from 'ws';
import { patient } from '../e2e/harness.mjs';

export const PATIENCE_MS = patient(20000);
export const sleep = (ms) => new Promise((later) => setTimeout(later, ms));

export async function until(good) {
	for (const began = Date.now(); !good() && Date.now() - began < PATIENCE_MS;)
		await sleep(20);
	return good();
}

/* --- a client of STOMP ------------------------------------------------------------------------ */

export function byTcp(at, on) {
	const s = net.connect(at.tcp, '127.0.0.1', on.open);
	s.setEncoding('utf8');
	s.on('data', on.data);
	s.on('error', () => {});
	return { send: (text) => s.writable && s.write(text), cut: () => s.destroy() };
}

export function byWebSocket(at, on) {
	const ws = new WebSocket(`ws://127.0.0.1:${at.http}/stomp/websocket`, ['v12.stomp']);
	ws.on('open', on.open);
	ws.on('message', (data) => on.data(data.toString()));
	ws.on('error', () => {});
	return { send: (text) => ws.readyState === 1 && ws.send(text), cut: () => ws.terminate() };
}

export class Client {
	constructor(at, carrier, on) {
		let rest = '';
		this.wire = carrier(at, {
			open: () => this.send('CONNECT', { 'accept-version': '1.2', 'heart-beat': '0,0' }),
			data: (text) => {
				const frames = (rest + text).split('\0');
				rest = frames.pop();
				for (const frame of frames)
					this.take(frame.replace(/^\n+/, ''), on);
			},
		});
	}
	send(command, headers, body = '') {
		const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
		this.wire.send(`${command}\n${lines.join('')}\n${body}\0`);
	}
	take(text, on) {
		const end = text.indexOf('\n\n');
		const [command, ...lines] = text.slice(0, end).split('\n');
		const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
		on[command]?.(headers, text.slice(end + 2), this);
	}
	cut() { this.wire.cut(); }
}

/* --- the server --------------------------------------------------------------------------------- */

/* Answers with where it listens, and what it has said if it does not. */
export async function start(command, directory, threads, stomp) {
	const file = join(directory, 'sockjsd.json');
	writeFileSync(file, JSON.stringify({
		listen: ['127.0.0.1:0', { address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }],
		threads,
		shutdown_timeout_ms: 2000,
		endpoints: [{ prefix: '/stomp', application: 'stomp', allowed_origins: ['*'], send_buffer_bytes: 64 << 20,
			stomp: { access: 'open', history: [{ destination: '/topic/*', messages: 100000 }], ...stomp } }],
	}));
	const server = spawn('sh', ['-c', `${command} -c ${file} --log-level error`], { stdio: ['ignore', 'pipe', 'pipe'] });
	const at = { server, ended: new Promise((ended) => server.on('exit', (code, signal) => ended(code ?? signal))) };
	const begun = new Promise((ready) => server.stdout.on('data', (data) => {
		for (const line of String(data).split('\n')) {
			const port = line.match(/:(\d+)$/)?.[1];
			if (port && line.includes('stomp://'))
				at.tcp = Number(port);
			else if (port)
				at.http = Number(port);
		}
		if (at.tcp && at.http)
			ready();
	}));
	at.said = '';
	server.stderr.on('data', (data) => { at.said += data; });
	await Promise.race([begun, at.ended]);
	return at;
}

export async function stop(at, signal) {
	at.server.kill(signal);
	return await at.ended;
}

/* What is in a queue, all of it: until the mark that is sent behind it comes. */
export function drain(at, queue) {
	const got = [];
	return new Promise((all) => {
		const client = new Client(at, byTcp, {
			CONNECTED: (headers, body, c) => {
				c.send('SEND', { destination: queue, receipt: 'end' }, 'end');
				c.send('SUBSCRIBE', { id: 'd', destination: queue });
			},
			MESSAGE: (headers, body) => {
				if (body !== 'end')
					return got.push({ body, again: headers.redelivered === 'true', headers });
				client.cut();
				all(got);
			},
		});
	});
}
