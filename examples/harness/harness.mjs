/*
 * harness.mjs - a server that misbehaves as told, and a network that does, for one test file.
 *
 * $SOCKJSD and $SOCKJS_HOSTILE are the programs; else they are looked for in $PATH.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const START_MS = 60000;
const WAIT_MS = 20000;

/* Starts a program; resolves, as soon as a line of its output fits, to [child, what has fitted]. */
async function start(program, args, ready, env = {}) {
	const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } });
	const timer = setTimeout(() => child.kill(), START_MS);
	let text = '';

	child.on('error', (e) => console.error(`${program}: ${e.message}`));
	process.on('exit', () => child.kill());
	for await (const line of createInterface({ input: child.stdout })) {
		text += `${line}\n`;
		const found = ready.exec(text);
		if (found) {
			clearTimeout(timer);
			child.stdout.resume();
			return [child, found];
		}
	}
	throw new Error(`${program} has ended, or was not ready in time: ${text}`);
}

export class Harness {
	#token = randomBytes(16).toString('hex');
	#children = [];

	async start() {
		const [server, [, direct, internal]] = await start(process.env.SOCKJSD ?? 'sockjsd',
			['--demo', '-l', '127.0.0.1:0', '--internal', '127.0.0.1:0', '--log-level', 'warn'],
			/^listening on (http:\S+)\ninternal on (\S+)\n/m, { SOCKJSD_TOKEN: this.#token });
		this.#children.push(server);
		const [proxy, [, url, control]] = await start(process.env.SOCKJS_HOSTILE ?? 'sockjs-hostile',
			['--target', new URL(direct).host, '--control', '127.0.0.1:0', '--log-level', 'warn'],
			/^listening on (\S+) for \S+ control on (\S+)\n/m);
		this.#children.push(proxy);
		Object.assign(this, { direct, internal, url, control });
		return this;
	}

	async stop() {
		await Promise.all(this.#children.map((child) => {
			const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null;
			child.kill();
			return gone;
		}));
	}

	/* --- the network: sockjs-hostile --------------------------------------------------- */

	/* What it is like from now on: rules, one a line; none: it is well. */
	async network(...rules) {
		const answer = await fetch(`${this.control}/rules`, { method: 'PUT', body: rules.join('\n') });

		if (!answer.ok)
			throw new Error(await answer.text());
	}

	/* --- the server: sockjsd ------------------------------------------------------------- */

	/* Where a client finds a session that does these things wrong, through the network. */
	path(name, ...wishes) {
		return `${this.url}/unruly/${[`name-${name}`, ...wishes].join('/')}`;
	}

	async command(name, body) {
		const answer = await fetch(`${this.internal}/api/${name}`, { method: 'POST', body: JSON.stringify(body),
			headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.#token}` } });
		const json = await answer.json();

		if (!answer.ok)
			throw new Error(`${name}: ${json.error.message}`);
		return json;
	}

	/* What the newest session of this name has received, as soon as there are so many messages. */
	async received(name, count = 0, more = {}) {
		const seen = await this.command('received', { name, count, wait_ms: WAIT_MS, ...more });

		if (seen.timed_out)
			throw new Error(`${name}: ${seen.count} messages in place of ${count}, and it is ${seen.open ? 'open' : 'closed'}`);
		return { ...seen, bodies: seen.messages.map((m) => m.body) };
	}

	/* How it has ended, as soon as it has. */
	async closed(name) {
		return (await this.received(name, 0, { closed: true })).close;
	}

	async inject(name, message) {
		const { session } = await this.received(name);

		await this.command('send', { session, message });
	}

	async close(name, code, reason) {
		const { session } = await this.received(name);

		await this.command('disconnect', { session, code, reason });
	}
}
