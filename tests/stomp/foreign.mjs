/*
 * foreign.mjs - clients in other languages, each a program that runs the same list of checks over
 * raw TCP and TLS and says what came of it, a line each: "ok NAME" or "FAILED NAME: WHY".
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { check, equal, withDeadline } from '../e2e/harness.mjs';

const PROGRAM_MS = 40000;
const PROGRAMS = [
	['stomp.py', '/usr/bin/python3', 'stomp_py.py'],
	['Net::Stomp', '/usr/bin/perl', 'net_stomp.pl'],
];

const children = new Set();

process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

function begin([, interpreter, file], place, verb, url) {
	const { hostname, port } = new URL(url.replace('stomp', 'http'));
	const child = spawn(interpreter, [fileURLToPath(new URL(file, import.meta.url)), verb, hostname, port,
		url.startsWith('stomps') ? place.ca : '', place.login ?? '', place.name], { stdio: ['ignore', 'pipe', 'inherit'] });

	child.on('error', () => {}); /* told by its exit */
	children.add(child);
	child.on('close', () => children.delete(child));
	return child;
}

/* Each line that the program says becomes a test of the suite. */
async function run(suite, program, place, way, url) {
	const child = begin(program, place, 'checks', url);
	const prefix = `${place.name}: ${program[0]}, ${way}`;
	let tests = 0;

	createInterface({ input: child.stdout }).on('line', (line) => {
		const [, ok, name, why] = /^(ok|FAILED) ([^:]*):? ?(.*)$/.exec(line) ?? [null, 'FAILED', line, 'not understood'];

		tests++;
		suite.step(`${prefix}: ${name}`, async () => check(ok === 'ok', why));
	});
	await suite.step(`${prefix}: runs to its end`, async () => {
		const [code] = await withDeadline(once(child, 'close'), PROGRAM_MS, 'the end');

		equal(code, 0, 'exit code');
		check(tests > 5, `only ${tests} tests`);
	}, PROGRAM_MS + 1000);
}

export async function testForeign(suite, place) {
	if (!suite.wants(`${place.name}: stomp.py Net::Stomp`))
		return;
	await Promise.all(PROGRAMS.flatMap((program) => [['TCP', place.tcp], ['TLS', place.tls]].map(
		([way, url]) => run(suite, program, place, way, url))));
}

async function comesBack(program, place, url, restarted) {
	const child = begin(program, place, 'restart', url);
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

	equal((await withDeadline(lines.next(), PROGRAM_MS, 'connected')).value, 'connected', 'first line');
	await restarted.begin();
	equal((await withDeadline(lines.next(), PROGRAM_MS, 'back')).value, 'back', 'second line');
	equal((await once(child, 'close'))[0], 0, 'exit code');
}

/* A test for each program and way; each takes the restart that it waits for. */
export function foreignRestart(suite, [place]) {
	return PROGRAMS.flatMap((program) => [['TCP', place.tcp], ['TLS', place.tls]].map(([way, url]) => (restarted) => suite.test(
		`${program[0]}, ${way}: comes back after a restart`, () => comesBack(program, place, url, restarted))));
}
