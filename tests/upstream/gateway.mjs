/*
 * gateway.mjs - a sockjsd with a configuration of its own, and what can be seen of it
 * from outside: memory, descriptors, counters.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { check, patient, withDeadline } from '../e2e/harness.mjs';

const START_MS = 20000;
const STOP_MS = 20000;

export function sleep(ms) {
	return new Promise((resolve) => { setTimeout(resolve, ms); });
}

/* Waits until what is asked for is so; the one place where anything is looked at again and again. */
export async function until(what, test, sooner = 10000) {
	const ms = patient(sooner);
	const deadline = performance.now() + ms;

	for (;;) {
		const complaint = await test();
		if (!complaint)
			return;
		check(performance.now() < deadline, `not within ${ms} ms: ${what} (${complaint})`);
		await sleep(20);
	}
}

export class Gateway {
	#child = null;
	#program;
	#file;
	log = [];

	constructor(program, file) {
		this.#program = program;
		this.#file = file;
		process.on('exit', () => this.#child?.kill('SIGKILL'));
	}

	async start(config, args = []) {
		writeFileSync(this.#file, JSON.stringify(config, null, '\t'));
		this.log = [];
		this.#child = spawn(this.#program, ['-c', this.#file, '--log-level', 'info', ...args], {
			stdio: ['ignore', 'pipe', 'pipe'],
			/* What was freed must not look like a leak to who measures the memory */
			env: { ...process.env, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=4:malloc_context_size=5` },
		});
		createInterface({ input: this.#child.stderr }).on('line', (line) => this.log.push(line));
		await withDeadline(this.#announced(this.#child), START_MS, 'the gateway says "listening on"');
	}

	#announced(child) {
		return new Promise((resolve, reject) => {
			child.on('error', reject);
			child.on('exit', (code, signal) => reject(new Error(`the gateway ended: ${signal ?? code} ${this.log.slice(-3).join(' ')}`)));
			this.urls = [];
			createInterface({ input: child.stdout }).on('line', (line) => {
				const [, kind, address] = /^(listening|internal) on (\S+)/.exec(line) ?? [];
				if (kind === 'listening')
					this.urls.push(address.replace(/\/$/, ''));
				if (kind === 'internal') {
					this.internal = address.replace(/\/$/, '');
					this.url = this.urls[0];
					resolve();
				}
			});
		});
	}

	/* Exit code, or the signal's name; what a sanitizer had to say is an error. */
	async stop(signals = ['SIGTERM']) {
		const child = this.#child;

		this.#child = null;
		if (!child)
			return 0;
		const exit = child.exitCode !== null || child.signalCode !== null ? [child.exitCode, child.signalCode] : null;
		const ended = exit ? Promise.resolve(exit) : once(child, 'exit');
		for (const signal of signals)
			child.kill(signal);
		let code, by;
		try {
			[code, by] = await withDeadline(ended, STOP_MS, 'the gateway ends when told to');
		} catch (e) {
			child.kill('SIGKILL');
			throw e;
		}
		const report = this.log.findIndex((l) => /Sanitizer|runtime error/.test(l));
		if (report >= 0)
			console.log(this.log.slice(report, report + 60).join('\n'));
		check(report < 0, 'a sanitizer has found something');
		return code ?? by;
	}

	get pid() {
		return this.#child.pid;
	}

	get died() {
		return this.#child !== null && (this.#child.exitCode !== null || this.#child.signalCode !== null);
	}

	rss() {
		return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]) * 1024;
	}

	descriptors() {
		return readdirSync(`/proc/${this.pid}/fd`).length;
	}

	async metric(name) {
		const text = await (await fetch(`${this.internal}/metrics`, { headers: { connection: 'close' } })).text();

		return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
	}

	/* Waits until nothing is left of any session: neither session nor descriptor. */
	async quiet(before, ms = 12000) {
		await until('everything is as it was', async () => {
			const sessions = (await this.metric('sockjs_sessions')) + (await this.metric('sockjs_sessions_connecting'));
			const fds = this.descriptors();

			return sessions > 0 || fds > before ? `${sessions} sessions, ${fds} descriptors instead of ${before}` : null;
		}, ms);
	}

	/* Whether a line of the log says so. */
	said(pattern) {
		return this.log.some((line) => pattern.test(line));
	}
}
