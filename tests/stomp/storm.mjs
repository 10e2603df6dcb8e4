/*
 * tests/stomp/storm.mjs - what storms are made of: chance that comes again, a STOMP client over any
 * carrier, which needs no library that would hide something, and a server with one broker.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import SockJS from 'sockjs-client';
import WebSocket from 'ws';

const TOKEN = 'correct-horse-battery';

/* `options` with what the command line says. */
export function readOptions(options) {
	for (let i = 2; i < process.argv.length; i += 2)
		options[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];
	return options;
}

/* dice(n) is below n. */
export function diceOf(seed) {
	let state = BigInt(seed);

	return (n) => {
		state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
		return Number((state >> 33n) % BigInt(n));
	};
}

/* --- carriers: open(url or port) gives { send, cut, end } and calls back -------------------- */

export function byWebSocket(at, on) {
	const ws = new WebSocket(`ws://127.0.0.1:${at.http}/stomp/websocket`, ['v12.stomp']);
	ws.on('open', on.open);
	ws.on('message', (data) => on.data(data.toString()));
	ws.on('close', on.close);
	ws.on('error', () => {});
	return { send: (text) => ws.readyState === 1 && ws.send(text), cut: () => ws.terminate() };
}

function bySockJS(transport) {
	return (at, on) => {
		const s = new SockJS(`http://127.0.0.1:${at.http}/stomp`, null, { transports: [transport] });
		s.onopen = on.open;
		s.onmessage = (e) => on.data(e.data);
		s.onclose = on.close;
		return { send: (text) => s.readyState === 1 && s.send(text), cut: () => s.close() };
	};
}

function byTcp(at, on) {
	const s = net.connect(at.tcp, '127.0.0.1', on.open);
	s.setEncoding('utf8');
	s.on('data', on.data);
	s.on('close', on.close);
	s.on('error', () => {});
	return { send: (text) => s.writable && s.write(text), cut: () => s.resetAndDestroy?.() ?? s.destroy() };
}

export const CARRIERS = [byWebSocket, byTcp, bySockJS('websocket'), bySockJS('xhr-streaming'), bySockJS('xhr-polling')];

/* --- a client of STOMP ------------------------------------------------------------------------ */

function frame(command, headers = {}, body = '') {
	const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
	return `${command}\n${lines.join('')}\n${body}\0`;
}

export class Client {
	constructor(at, carrier, on, headers = {}) {
		let rest = '';
		this.wire = carrier(at, {
			open: () => this.send('CONNECT', { 'accept-version': '1.2', 'heart-beat': '0,0', ...headers }),
			data: (text) => {
				const frames = (rest + text).split('\0');
				rest = frames.pop();
				for (const text of frames)
					this.take(text.replace(/^\n+/, ''), on);
			},
			close: () => on.close?.(),
		});
	}
	send(command, headers, body) { this.wire.send(frame(command, headers, body)); }
	take(text, on) {
		const [head, body] = [text.slice(0, text.indexOf('\n\n')), text.slice(text.indexOf('\n\n') + 2)];
		const [command, ...lines] = head.split('\n');
		const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
		on[command]?.(headers, body, this);
	}
}

/* --- the server --------------------------------------------------------------------------------- */

/* With one endpoint, /stomp, and these options of its broker. ask(NAME, BODY) is a command, figure(NAME) a counter. */
export async function start(server, threads, stomp) {
	const directory = mkdtempSync(join(tmpdir(), 'storm-'));
	const file = join(directory, 'sockjsd.json');
	writeFileSync(file, JSON.stringify({
		listen: ['127.0.0.1:0', { address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }],
		threads: Number(threads),
		endpoints: [{ prefix: '/stomp', application: 'stomp', allowed_origins: ['*'], disconnect_delay_ms: 2000, stomp }],
		internal: { listen: '127.0.0.1:0', token: TOKEN },
	}));
	const child = spawn(server, ['-c', file, '--log-level', 'error'], { stdio: ['ignore', 'pipe', 'inherit'] });
	const at = {};
	await new Promise((ready) => createInterface({ input: child.stdout }).on('line', (line) => {
		const [, port] = line.match(/:(\d+)$/) ?? [];

		if (port)
			at[line.startsWith('internal') ? 'internal' : line.includes('stomp://') ? 'tcp' : 'http'] = Number(port);
		if (at.tcp && at.http && at.internal)
			ready();
	}));
	return {
		at,
		ask: async (name, body) => {
			const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
			const answer = await fetch(`http://127.0.0.1:${at.internal}/api/${name}`, { method: 'POST', headers, body: JSON.stringify(body) });

			return answer.json();
		},
		figure: async (name) => {
			const text = await (await fetch(`http://127.0.0.1:${at.internal}/metrics`)).text();

			return Number(text.match(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm'))[1]);
		},
		stop: () => new Promise((ended) => {
			child.on('exit', (code) => {
				rmSync(directory, { recursive: true });
				ended(code);
			});
			child.kill('SIGTERM');
		}),
	};
}
