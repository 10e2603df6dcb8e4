#!/usr/bin/env node
/*
 * publish.mjs - messages published by POST /api/publish while many have subscribed: how many a
 * second, and what a delivery costs. Server on one processor, subscribers and publisher on the other.
 *
 *	publish.mjs [--server ./sockjsd] [--subscribers 1000] [--messages 20000] [--size 64] [--rounds 3]
 *		[--rate 10000] [--at-a-time 128]
 *
 * One request after another, each when its time has come and the one before was answered.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const { values: args } = parseArgs({ options: {
	server: { type: 'string', default: './sockjsd' }, subscribers: { type: 'string', default: '1000' },
	messages: { type: 'string', default: '20000' }, size: { type: 'string', default: '64' },
	rounds: { type: 'string', default: '3' }, rate: { type: 'string', default: '10000' },
	'at-a-time': { type: 'string', default: '128' },
} });
const AT_A_TIME = Number(args['at-a-time']), TOKEN = 'publish-me-to-everybody';
const folder = mkdtempSync(join(tmpdir(), 'publish-'));
const loadgen = new URL('loadgen', import.meta.url).pathname;

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/* As loadgen checks it (load/message.c). */
function message(number, size) {
	let text = '0'.repeat(8) + number.toString(16).padStart(8, '0');

	for (let i = 0; text.length < size; i++)
		text += String.fromCharCode(97 + (number + i) % 26);
	return text;
}

const lines = (child, onLine) => createInterface({ input: child.stdout }).on('line', onLine);

async function startServer() {
	const file = join(folder, 'sockjsd.json');

	writeFileSync(file, JSON.stringify({
		listen: ['127.0.0.1:0'], threads: 1, log_level: 'error', internal: { listen: '127.0.0.1:0', token: TOKEN },
		endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open' }, allowed_origins: ['*'] }],
	}));
	const child = spawn('taskset', ['-c', '0', args.server, '-c', file], { stdio: ['ignore', 'pipe', 'inherit'] });
	let place;

	process.on('exit', () => child.kill('SIGKILL'));
	const internal = await new Promise((resolve) => lines(child, (line) => {
		place ??= /^listening on http:\/\/(\S+)/.exec(line)?.[1];
		if (line.startsWith('internal on '))
			resolve(line.slice(12));
	}));
	return { child, place, internal };
}

const agent = new Agent({ keepAlive: true });

function publish(internal, body) {
	return new Promise((resolve, reject) => {
		const r = request(`${internal}/api/publish`, { method: 'POST', agent, headers: {
			'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), Authorization: `Bearer ${TOKEN}`,
		} }, (answer) => {
			answer.resume().on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`))));
		});

		r.on('error', reject);
		r.end(body);
	});
}

async function round() {
	const server = await startServer(), count = Number(args.messages);
	const load = spawn(loadgen, ['-c', args.subscribers, '-s', args.size, '-n', count,
		'--connect', server.place, '--pid', server.child.pid, 'receive', 'stomp'], { stdio: ['ignore', 'pipe', 'inherit'] });
	const requests = [];
	let result;

	for (let from = 0; from < count; from += AT_A_TIME)
		requests.push(JSON.stringify({ messages: Array.from({ length: Math.min(AT_A_TIME, count - from) },
			(_, i) => ({ destination: '/topic/bench', body: message(from + i, Number(args.size)) })) }));
	load.on('exit', (code) => code && process.exit(1));
	await new Promise((resolve) => lines(load, (line) => {
		if (line === 'ready')
			resolve();
		else
			result = JSON.parse(line);
	}));
	const begun = performance.now();

	for (const [i, body] of requests.entries()) {
		const early = begun + (i * AT_A_TIME * 1000) / Number(args.rate) - performance.now();

		if (early > 0)
			await new Promise((resolve) => setTimeout(resolve, early));
		await publish(server.internal, body);
	}
	await once(load, 'exit');
	server.child.kill('SIGTERM');
	await once(server.child, 'exit');
	return { perSecond: count / result.seconds, each: result.server_us * 1000, busy: result.server_busy, load: result.load_busy };
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const all = [];

for (let i = 0; i < Number(args.rounds); i++)
	all.push(await round());
console.log(`${args.messages} messages of ${args.size} octets to ${args.subscribers} subscribers, medians of ${all.length}:`);
console.log(`  ${Math.round(median(all.map((r) => r.perSecond)))} messages a second, ${Math.round(median(all.map((r) => r.each)))} ns ` +
	`of the server's processor for a delivery; it was busy to ${Math.round(100 * median(all.map((r) => r.busy)))} %, the load's to ` +
	`${Math.round(100 * median(all.map((r) => r.load)))} %`);
agent.destroy();
