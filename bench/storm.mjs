#!/usr/bin/env node
/*
 * bench/storm.mjs - all clients come back at once: how long they need, and what others notice of it.
 *
 *	storm.mjs [--server PATH] [--storm PATH] [--clients N] [--echoers N] [--rounds N] [--threads N]
 *	          [--only REGEXP]
 *
 * WebSockets (15,000), from 60 addresses. All are cut in one moment, and each is there again as soon as it is
 * let in; or their server drains, and who is closed goes to a second one. Meanwhile 100 other sessions echo 64
 * octets ten times a second; an echo counts from when it was due. Medians of all rounds, and the worst.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { median } from './report.mjs';

const { values: options } = parseArgs({ options: {
	server: { type: 'string', default: './sockjsd' },
	storm: { type: 'string', default: 'bench/storm' },
	clients: { type: 'string', default: '15000' },
	echoers: { type: 'string', default: '100' },
	rounds: { type: 'string', default: '3' },
	threads: { type: 'string', default: '1' },
	only: { type: 'string', default: '.' },
} });
const folder = mkdtempSync(join(tmpdir(), 'storm-'));
const children = new Set();

process.on('exit', () => {
	for (const child of children)
		child.kill('SIGKILL');
	rmSync(folder, { recursive: true, force: true });
});

/* --- programs ------------------------------------------------------------------------------- */

function start(program, args) {
	const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
	const lines = [], waiting = [];

	children.add(child);
	child.on('exit', () => children.delete(child));
	createInterface({ input: child.stdout }).on('line', (line) => (waiting.length ? waiting.shift()(line) : lines.push(line)));
	return {
		child,
		line: () => (lines.length ? Promise.resolve(lines.shift()) : new Promise((resolve) => { waiting.push(resolve); })),
		say: (text) => child.stdin.write(`${text}\n`),
		ended: new Promise((resolve) => { child.on('exit', resolve); }),
	};
}

async function serve(more) {
	const file = join(folder, `${Math.random()}.json`);

	writeFileSync(file, JSON.stringify({ listen: ['127.0.0.1:0'], internal: { listen: '127.0.0.1:0' }, threads: Number(options.threads),
		log_level: 'error', endpoints: [{ prefix: '/echo', application: 'echo' }], ...more }));
	const s = start(options.server, ['-c', file]);

	s.port = /:(\d+)$/.exec(await s.line())[1];
	s.internal = /http\S+/.exec(await s.line())[0];
	return s;
}

/* Turns by their length in seconds, as far as they were counted. */
async function turns(s) {
	const text = await (await fetch(`${s.internal}/metrics`)).text();

	return [...text.matchAll(/^sockjs_loop_turn_seconds_bucket\{.*?le="([^"]+)"\} (\d+)/gm)].map(([, le, n]) => [le, Number(n)]);
}

/* The bound below which the longest turn was, and how many were of 10 ms or more. */
function longest(before, after) {
	const more = after.map(([le, n], i) => [le, n - before[i][1]]);
	const all = more.at(-1)[1];

	return { turn: more.find(([, n]) => n === all)[0], long: all - more.findLast(([le]) => Number(le) <= 0.0105)[1] };
}

const peak = (s) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${s.child.pid}/status`, 'latin1'))[1]) / 1024;

/* Milliseconds that the first thread has run, and that it was ready and had to wait for others. */
const scheduled = (s) => readFileSync(`/proc/${s.child.pid}/schedstat`, 'latin1').split(' ').slice(0, 2).map((ns) => ns / 1e6);

/* --- one storm ------------------------------------------------------------------------------- */

async function storm({ limits = {}, drain }) {
	const first = await serve({ limits, ...(drain && { drain_ms: drain }) }), second = drain ? await serve({ limits }) : undefined;
	const server = second ?? first;
	const echo = start(options.storm, ['echo', options.echoers, server.port]);

	await echo.line();
	const crowd = start(options.storm, ['crowd', options.clients, first.port, ...(second ? [second.port] : [])]);

	await crowd.line();
	echo.say('mark');
	await echo.line();
	await new Promise((resolve) => setTimeout(resolve, 2000));
	echo.say('mark');
	const calm = JSON.parse(await echo.line()), then = await turns(server), ran = scheduled(server);

	if (drain)
		first.child.kill('SIGTERM');
	else
		crowd.say('cut');
	crowd.say('back');
	const back = JSON.parse(await crowd.line());

	echo.say('mark');
	const during = JSON.parse(await echo.line());
	const [run, stood] = scheduled(server).map((n, i) => n - ran[i]);
	const result = { ...longest(then, await turns(server)), back, calm, during, run, stood, peak: peak(server) };

	for (const p of [crowd, echo])
		p.child.stdin.end();
	await Promise.all([crowd.ended, echo.ended]);
	server.child.kill('SIGTERM');
	await Promise.all([server.ended, first.ended]);
	return result;
}

/* --- all -------------------------------------------------------------------------------------- */

const STORMS = {
	'no limit': {},
	'`connection_rate` 5000': { limits: { connection_rate: 5000 } },
	'`connection_rate` 2000': { limits: { connection_rate: 2000 } },
	'`connection_rate` 1000': { limits: { connection_rate: 1000 } },
	'drain over 5 s': { drain: 5000 },
	'drain over 15 s': { drain: 15000 },
};
const ms = (us) => (us / 1000).toFixed(us < 10000 ? 1 : 0);

console.log('| | all back, s | one client: median, p99, longest, s | tries that failed | longest turn of each round, ms, less than | turns > 10 ms | echo before: p50, p99, ms | echo meanwhile: p50, p99, longest, ms | memory, MiB | processor: had, waited for, ms |');
console.log('|---|---|---|---|---|---|---|---|---|---|');
for (const [name, how] of Object.entries(STORMS).filter(([n]) => new RegExp(options.only).test(n))) {
	const runs = [];

	for (let i = 0; i < Number(options.rounds); i++)
		runs.push(await storm(how));
	const m = (pick) => median(runs.map(pick)), s = (pick) => (m(pick) / 1e6).toFixed(2);

	if (runs.some((r) => r.back.missing))
		console.log(`${name}: missing at the end: ${runs.map((r) => r.back.missing)}`);
	console.log(`| ${name} | ${s((r) => r.back.all)} | ${s((r) => r.back.p50)}, ${s((r) => r.back.p99)}, ${s((r) => r.back.max)} | ` +
		`${m((r) => r.back.failures)} | ${runs.map((r) => Number(r.turn.replace('+Inf', 'Infinity')) * 1000).sort((a, b) => a - b).join(', ')} | ${m((r) => r.long)} | ` +
		`${ms(m((r) => r.calm.p50))}, ${ms(m((r) => r.calm.p99))} | ${ms(m((r) => r.during.p50))}, ${ms(m((r) => r.during.p99))}, ${ms(m((r) => r.during.max))} | ` +
		`${m((r) => r.peak).toFixed(0)} | ${m((r) => r.run).toFixed(0)}, ${m((r) => r.stood).toFixed(0)} |`);
}
