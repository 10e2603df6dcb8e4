#!/usr/bin/env node
/*
 * bench/run.mjs - runs the plan, and writes what came out; script/bench is how to call it.
 *
 *   run.mjs --build DIR [--other SOCKJSD] [--out DIR] [--workloads LIST] [--peers LIST] [--rounds N] [--seconds S] [--quick]
 *           [--publish] [--list]
 *
 * Every measurement has a fresh server. In a round each workload comes once, its peers right after one another,
 * in an order that is drawn anew; so that what else the machine does falls on all alike.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, promisify } from 'node:util';

import { backendCommand, findPeers } from './peers.mjs';
import { workloads } from './plan.mjs';
import { plot } from './plot.mjs';
import { markdown, summarize } from './report.mjs';

const PATIENCE_MS = 240000;
const QUICK = { rounds: 3, seconds: 0.3 };
const FULL = { rounds: 3, seconds: 1 };

function say(text) {
	process.stderr.write(`bench: ${text}\n`);
}

function fail(text) {
	say(text);
	process.exit(2);
}

/* --- what was asked for ------------------------------------------------------------------ */

function readOptions() {
	const string = { type: 'string' };
	const { values } = parseArgs({
		options: {
			build: string, other: string, out: string, workloads: string, peers: string, rounds: string, seconds: string,
			quick: { type: 'boolean' }, publish: { type: 'boolean' }, list: { type: 'boolean' },
		},
	});
	const usual = values.quick ? QUICK : FULL;

	return {
		...values,
		build: resolve(values.build ?? '.'),
		out: values.out ?? 'build/bench',
		rounds: Number(values.rounds ?? usual.rounds),
		seconds: Number(values.seconds ?? usual.seconds),
	};
}

/* Those whose names are in a list of names, or of beginnings of names followed by `*`. */
function choose(all, list, key, what) {
	const fits = (one, name) => (name.endsWith('*') ? one[key].startsWith(name.slice(0, -1)) : one[key] === name);
	const names = list?.split(',') ?? ['*'];
	const unknown = names.find((name) => !all.some((one) => fits(one, name)));

	if (unknown !== undefined)
		fail(`no such ${what}: ${unknown}; there are: ${all.map((one) => one[key]).join(', ')}`);
	return all.filter((one) => names.some((name) => fits(one, name)));
}

function choosePlan(options) {
	if (options.workloads)
		return choose(workloads, options.workloads, 'id', 'workload');
	return options.quick ? workloads.filter((w) => w.quick) : workloads;
}

function takesPart(peer, workload) {
	return workload.peers.includes(peer.like ?? peer.name);
}

function choosePeers(all, plan, options) {
	const present = choose(all, options.peers, 'name', 'peer').filter((peer) => plan.some((w) => takesPart(peer, w))).filter((peer) => {
		if (peer.missing)
			say(`without ${peer.name}: ${peer.missing}`);
		return !peer.missing;
	});

	if (!present.length)
		fail('there is nothing to measure');
	return present;
}

/* --- one measurement --------------------------------------------------------------------- */

function commandLine(workload, peer, options) {
	const name = peer.like ?? peer.name;
	const transport = workload.as?.[name] ?? workload.transport;
	const usual = ['-t', options.seconds, '-w', Math.min(0.4, options.seconds / 2)];

	const command = (workload.backend && peer.before) || (workload.over && peer.over[workload.over]) || peer.command;
	const load = [...(workload.load ?? []), ...(workload.more?.[name] ?? [])];

	return [...usual, ...(peer.options ?? []), ...load, workload.kinds?.[name] ?? workload.kind, transport, '--', ...command].map(String);
}

/* What loadgen printed, or { failed: why }. */
async function measure(workload, peer, options) {
	try {
		const { stdout } = await promisify(execFile)(join(options.build, 'bench/loadgen'), commandLine(workload, peer, options), { timeout: PATIENCE_MS });

		return JSON.parse(stdout);
	} catch (e) {
		const why = e.killed ? `not done in ${PATIENCE_MS / 1000} s` : (e.stderr || e.message).trim().split('\n').pop();

		say(`${workload.id}, ${peer.name}: ${why}`);
		return { failed: why };
	}
}

/* --- what some peers stand in front of ------------------------------------------------------ */

/* It shares the processor of the load, and says where it listens. */
async function startBackend(build) {
	const child = spawn('taskset', ['-c', '1', ...backendCommand(build)], { stdio: ['ignore', 'pipe', 'inherit'] });

	child.on('error', () => {}); /* then there is no line either */
	for await (const line of createInterface({ input: child.stdout })) {
		const address = /listening on http:\/\/([^/ ]+)/.exec(line)?.[1];

		if (address)
			return { child, address };
	}
	return fail('the backend does not start');
}

/* --- the rounds ---------------------------------------------------------------------------- */

function shuffled(list) {
	const copy = [...list];

	for (let i = copy.length - 1; i > 0; i--) {
		const j = Math.floor(Math.random() * (i + 1));
		[copy[i], copy[j]] = [copy[j], copy[i]];
	}
	return copy;
}

/* { workload id: { peer name: [what came out in each round] } } */
async function runRounds(plan, peers, options) {
	const runs = Object.fromEntries(plan.map((w) => [w.id, {}]));

	for (let round = 0; round < options.rounds; round++) {
		say(`round ${round + 1} of ${options.rounds}`);
		for (const workload of shuffled(plan.filter((w) => round === 0 || !w.once))) {
			for (const peer of shuffled(peers.filter((p) => takesPart(p, workload) && (round === 0 || !p.once)))) {
				runs[workload.id][peer.name] ??= [];
				runs[workload.id][peer.name][round] = await measure(workload, peer, options);
			}
		}
	}
	return runs;
}

/* --- what is written ------------------------------------------------------------------------ */

function write(result, dir) {
	mkdirSync(dir, { recursive: true });
	writeFileSync(join(dir, 'result.json'), `${JSON.stringify(result, null, '\t')}\n`);
	writeFileSync(join(dir, 'table.md'), markdown(result));
	writeFileSync(join(dir, 'plot.svg'), plot(result));
}

/* The tables between the two marks of the README, the plot beside it. */
function publish(result) {
	const readme = new URL('README.md', import.meta.url);
	const text = readFileSync(readme, 'utf8');

	writeFileSync(readme, text.replace(/(<!-- table: begin.*-->\n)[^]*(<!-- table: end -->)/, (_, begin, end) => `${begin}\n${markdown(result)}\n${end}`));
	writeFileSync(new URL('plot.svg', import.meta.url), plot(result));
}

function machine() {
	return { processor: cpus()[0].model.trim(), processors: cpus().length, kernel: release() };
}

async function main() {
	const options = readOptions();
	const folder = mkdtempSync(join(tmpdir(), 'sockjsd-bench-'));
	let backend;

	try {
		if (!options.list)
			backend = await startBackend(options.build);
		const all = await findPeers(options.build, folder, backend?.address, options.other && resolve(options.other));
		if (options.list) {
			workloads.forEach((w) => console.log(`${w.id.padEnd(18)} ${w.title}: ${w.peers.join(', ')}`));
			all.forEach((p) => console.log(`${p.name.padEnd(18)} ${p.missing ?? p.what}`));
			return;
		}
		const plan = choosePlan(options);
		const peers = choosePeers(all, plan, options);
		const start = Date.now();
		const runs = await runRounds(plan, peers, options);
		const result = summarize({ plan, peers, runs, options, machine: machine(), start });

		write(result, options.out);
		if (options.publish)
			publish(result);
		process.stdout.write(markdown(result));
		say(`${Math.round((Date.now() - start) / 1000)} s; ${join(options.out, 'result.json')}, table.md, plot.svg`);
	} finally {
		backend?.child.kill();
		rmSync(folder, { recursive: true, force: true });
	}
}

await main();
