/*
 * harness.mjs - what every end-to-end program needs: a server, a list of
 * tests, deadlines, and one verdict.
 *
 * Owns the server process it started, and ends that one alone, by its pid.
 * Nothing here sleeps to let something happen: every wait is for an event, and
 * has a deadline.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const START_MS = 20000;
const STOP_MS = 15000;
const TEST_MS = 40000;
export const WHOLE_MS = 300000;

/* Deadlines are multiplied by it: a machine may be slow, or busy. */
const PATIENCE = Math.max(1, Number(process.env.PATIENCE) || 1);
const PATIENCE_MOST = 4; /* of a test, or all: somebody waits for the verdict */

export function patient(ms) {
	return ms * PATIENCE;
}

/* --name value pairs; a name without a value is an error. */
export function readArguments(allowed) {
	const args = {};

	for (let i = 2; i < process.argv.length; i += 2) {
		const name = process.argv[i].replace(/^--/, '');
		if (!allowed.includes(name) || process.argv[i + 1] === undefined) {
			console.error(`usage: ${process.argv[1]} ${allowed.map((a) => `[--${a} ${a.toUpperCase()}]`).join(' ')}`);
			process.exit(2);
		}
		args[name] = process.argv[i + 1];
	}
	return args;
}

export async function withDeadline(promise, sooner, what, most = PATIENCE) {
	const ms = sooner * Math.min(PATIENCE, most);
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
	});

	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}

/* Runs all of them, so many at a time: those that mostly wait need not wait for each other. */
export async function together(atATime, jobs) {
	const waiting = [...jobs];
	const work = async () => {
		while (waiting.length)
			await waiting.shift()();
	};

	await Promise.all(Array.from({ length: atATime }, work));
}

export function check(condition, what) {
	if (!condition)
		throw new Error(what);
}

export function equal(actual, expected, what) {
	const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];

	check(a === e, `${what}: ${String(a).slice(0, 200)} instead of ${String(e).slice(0, 200)}`);
}

/* Splits a command line as a shell would: blanks part words, quotes hold them together. */
function words(command) {
	return [...command.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"']+)+/g)].map(([w]) => w.replace(/["']/g, ''));
}

/*
 * The server under test.  With a command it can be stopped and started again
 * on the port it got the first time; with an address it is only visited.
 */
export class Server {
	#command;
	#child = null;
	url = null;

	constructor({ server, url }) {
		this.#command = server;
		/* Whatever ends this program, the server does not outlive it. */
		process.on('exit', () => this.#child?.kill('SIGKILL'));
		this.url = url?.replace(/\/$/, '') ?? null;
	}

	get restartable() {
		return this.#command !== undefined;
	}

	get port() {
		return new URL(this.url).port;
	}

	async start() {
		if (!this.restartable)
			return;
		const fixed = this.url ? this.#command.replaceAll('127.0.0.1:0', `127.0.0.1:${this.port}`) : this.#command;
		const [program, ...args] = words(fixed);

		this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
		this.url = await withDeadline(this.#announced(this.#child), START_MS, 'the server says "listening on"');
	}

	#announced(child) {
		return new Promise((resolve, reject) => {
			child.on('error', reject);
			child.on('exit', (code, signal) => reject(new Error(`the server ended early: ${signal ?? code}`)));
			createInterface({ input: child.stdout }).on('line', (line) => {
				const address = /^listening on (http:\/\/\S+)/.exec(line);
				if (address)
					resolve(address[1].replace(/\/$/, ''));
			});
		});
	}

	/* Asks it to stop and waits until it has; returns its exit code, or the signal's name. */
	async stop(signal = 'SIGTERM') {
		const child = this.#child;

		this.#child = null;
		if (!child)
			return 0;
		if (child.exitCode !== null || child.signalCode !== null)
			return child.exitCode ?? child.signalCode;
		const exit = once(child, 'exit');
		child.kill(signal);
		try {
			const [code, killedBy] = await withDeadline(exit, STOP_MS, `the server ends after ${signal}`);
			return code ?? killedBy;
		} catch (e) {
			child.kill('SIGKILL');
			throw e;
		}
	}

	/* Did it end without being asked to? */
	get died() {
		return this.#child !== null && (this.#child.exitCode !== null || this.#child.signalCode !== null);
	}
}

export class Suite {
	passed = 0;
	failed = 0;
	#only;

	constructor(only) {
		this.#only = only && new RegExp(only);
	}

	wants(name) {
		return !this.#only || this.#only.test(name);
	}

	/* Runs one test, if it is among those asked for. */
	async test(name, body, ms) {
		if (this.wants(name))
			await this.step(name, body, ms);
	}

	/* Runs what later tests rest on; a failure is told and counted, and the next one runs. */
	async step(name, body, ms = TEST_MS) {
		const began = performance.now();

		try {
			await withDeadline(body(), ms, name, PATIENCE_MOST);
			this.passed++;
			console.log(`ok      ${name} (${Math.round(performance.now() - began)} ms)`);
		} catch (e) {
			this.failed++;
			console.log(`FAILED  ${name}: ${e.message.split('\n')[0]}`);
		}
	}

	/* Ends the program: a test that failed may have left a request or a timer behind. */
	finish() {
		console.log(`${this.passed} passed, ${this.failed} failed`);
		process.exit(this.failed || !this.passed ? 1 : 0);
	}
}
