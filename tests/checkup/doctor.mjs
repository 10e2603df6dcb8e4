/*
 * doctor.mjs - `sockjsd doctor` as a child, and what it says.
 */
import { spawn } from 'node:child_process';
import { check, patient } from '../e2e/harness.mjs';

const children = new Set();
process.on('exit', () => { for (const child of children) child.kill('SIGKILL'); });

export class Doctor {
	static program = './sockjsd';

	/* { code, stdout, stderr }; a sanitizer's report is an error. */
	static run(args, env = {}) {
		return new Promise((resolve, reject) => {
			const child = spawn(Doctor.program, ['doctor', ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
			const said = { stdout: '', stderr: '' };

			children.add(child);
			for (const name of ['stdout', 'stderr'])
				child[name].on('data', (d) => { said[name] += d; });
			child.on('error', reject);
			child.on('close', (code, signal) => {
				children.delete(child);
				if (signal || /Sanitizer|runtime error/.test(said.stderr))
					reject(new Error(`${signal} ${said.stderr.slice(0, 1500)}`));
				else
					resolve({ code, ...said });
			});
		});
	}

	/* A busy machine is slow too: unless the time is part of the test, it has more. */
	static async json(url, args = []) {
		const time = args.includes('--timeout') ? [] : ['--timeout', String(Math.min(30, patient(10)))];
		const said = await Doctor.run([url, '--json', ...time, ...args]);

		check(said.code === 0 || said.code === 1, `exit code ${said.code}: ${said.stderr}`);
		check(said.stderr === '', `on standard error: ${said.stderr}`);
		const found = JSON.parse(said.stdout);
		check((said.code === 0) === (found.cause === 'ok'), `${found.cause} and exit code ${said.code}`);
		return found;
	}
}

/* For a message: one line for each transport. */
export const shown = (found) => JSON.stringify({ causes: found.causes, best: found.best, line: found.line, info: found.info.failure,
	ways: found.transports.map((w) => `${w.name} ${w.open} ${w.failure?.kind} ${w.failure?.status} ${w.flow ?? ''} ${w.held_octets ?? ''} lag ${w.lag_ms} ${w.echoed}/${w.sent} ${w.pongs ?? ''}/${w.pings ?? ''} ${w.send_failure?.status}`),
	idle: found.idle });

export const way = (found, name) => found.transports.find((w) => w.name === name);
