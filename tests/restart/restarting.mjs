/*
 * restarting.mjs - a sockjsd that hands over to another process while it runs, as often as it is asked to; and all the
 * processes that it has been.
 */
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { check, equal } from '../e2e/harness.mjs';
import { ask, Gateway, TOKEN, until } from '../reload/gateway.mjs';

const here = dirname(fileURLToPath(import.meta.url));

function isZombie(pid) {
	try {
		return /^\S+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
	} catch {
		return false; /* it will be told soon */
	}
}

export class Restarting extends Gateway {
	ended = new Map(); /* processes, and their exit codes */
	notified = []; /* what was said to the service manager: [process, text] */
	heirs = []; /* those that do not go on */
	served = 0; /* how many processes have said where they listen */
	#said = [];

	launch(env) {
		const notify = env.NOTIFY_PATH ? ['--notify', env.NOTIFY_PATH] : [];

		return spawn('python3', [join(here, 'keeper.py'), ...notify, '--', this.program, '-c', this.file],
			{ stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
	}

	/* They end when the pipe to their keeper does. */
	abandon() {}

	hear(line) {
		const [what, pid, ...rest] = line.split(' ');

		if (what === 'started')
			this.pid = Number(pid);
		else if (what === 'ended')
			this.ended.set(Number(pid), Number(rest[0]));
		else if (what === 'notified')
			this.notified.push([Number(pid), rest.join(' ')]);
		else if (what === 'heir')
			this.heirs.push(Number(pid));
		else if (what === 'listening')
			this.#said.push(rest[0]);
		else if (what === 'internal') {
			[this.urls, this.#said] = [this.#said, []];
			this.internal = rest[0];
			this.served++;
		}
	}

	/* By a connection of its own: those that are kept are cut with each restart. */
	async command(name, body = {}, token = TOKEN) {
		const port = Number(/:(\d+)$/.exec(this.internal)[1]);
		const { status, body: text } = await ask(port, 'POST', `/api/${name}`, { body: JSON.stringify(body),
			headers: { Host: `localhost:${port}`, authorization: `Bearer ${token}`, 'content-type': 'application/json' } });

		return { status, json: JSON.parse(text) };
	}

	kill(signal) { process.kill(this.pid, signal); }

	/* How a process that is over has ended; waits for it. One whose parent carries connections is known of only when that
	 * has ended, too. */
	async end(pid) {
		await until(() => this.ended.has(pid) || isZombie(pid), `process ${pid} ends`);
		return this.ended.get(pid) ?? 0;
	}

	#follow(pid, before) {
		this.pid = pid;
		return until(() => this.served > before, 'the new process says where it listens');
	}

	/* By command. The new process serves when it is over. */
	async restart(config = this.config) {
		const before = this.served;

		this.write(config);
		const { status, json } = await this.command('restart');

		equal([status, json.restarted], [200, true], `answer to a restart ${JSON.stringify(json)}`);
		await this.#follow(json.pid, before);
		return json.pid;
	}

	/* By a signal. */
	async signal() {
		const before = this.served, seen = this.log.length;

		this.kill('SIGUSR2');
		const line = await until(() => this.log.slice(seen).find((l) => / restarted pid=/.test(l)), 'the log tells of a restart');

		await this.#follow(Number(/pid=(\d+)/.exec(line)[1]), before);
		return this.pid;
	}

	/* By the program for operators, whose output is returned. */
	async ctl() {
		const before = this.served;
		const { stdout } = await promisify(execFile)(this.program, ['ctl', '--api', this.internal, 'restart'],
			{ env: { ...process.env, SOCKJSD_TOKEN: TOKEN } });

		await this.#follow(Number(/(\d+)/.exec(stdout)?.[1]), before);
		return stdout;
	}

	/* One that comes to nothing; what the answer says. */
	async fails(pattern) {
		const pid = this.pid, { status, json } = await this.command('restart');

		equal([status, json.error?.code], [503, 'restart'], `answer to a restart ${JSON.stringify(json)}`);
		check(pattern.test(json.error.message), `${json.error.message} has ${pattern}`);
		await until(() => this.log.find((l) => /error there was no restart/.test(l) && pattern.test(l)), 'the log tells of it');
		equal(this.pid, pid, 'the process');
		return json.error.message;
	}

	async stop() {
		this.child.removeAllListeners('exit');
		this.kill('SIGTERM');
		return this.end(this.pid);
	}

	/* Nothing is left of it. */
	leave() { this.child.stdin.end(); }
}
