/*
 * cmdline.mjs - the command line: exit codes, and sentences that tell where a rule is wrong.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, equal } from '../e2e/harness.mjs';

export async function testCommandLine({ suite, program }) {
	const run = (...args) => {
		const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 60000 });

		return { status, stdout, stderr };
	};

	await suite.test('--help teaches, --version tells', async () => {
		const help = run('--help');

		equal(help.status, 0, 'exit code');
		for (const word of ['strip upgrade', 'after 10 frames: black', 'cut idle 20s silent', '--control', 'Exit status'])
			check(help.stdout.includes(word), `${word} in the help`);
		check(/^sockjs-hostile \d+\.\d+\.\d+\n$/.test(run('-V').stdout), run('-V').stdout);
	});
	await suite.test('what is wrong on the command line is said in one sentence, with exit code 2', async () => {
		for (const [args, pattern] of [
			[[], /which server is behind it/], [['--frob'], /unknown option '--frob'/], [['--target'], /a value is missing after '--target'/],
			[['-t', 'nowhere'], /--target must be HOST:PORT, not 'nowhere'/], [['-t', 'a:1', '--seed', 'x'], /--seed must be a number/],
			[['-t', 'a:1', '--connections', '0'], /--connections must be 1 to 60000/], [['-t', 'a:1', '--anywhere=yes'], /takes no value/],
			[['-t', 'a:1', '--log-level', 'loud'], /--log-level must be/], [['-t', 'a:1', '--scenario', '/no/such'], /cannot read '\/no\/such'/],
			[['-t', 'a:1', '-l', 'unix:x'], /an address is HOST:PORT/],
		]) {
			const { status, stderr } = run(...args);

			equal(status, 2, `exit code of ${args.join(' ')}`);
			check(pattern.test(stderr), stderr);
		}
	});
	await suite.test('a rule that is wrong is shown, with the place', async () => {
		const { status, stderr } = run('--check', 'delay 800', 'drop frist client frame');

		equal(status, 2, 'exit code');
		equal(stderr, 'sockjs-hostile: rule 2, column 6: \'frist\' means nothing in a rule of the kind \'drop\'\n    drop frist client frame\n         ^\n', 'what is said');
		equal(run('--check', 'delay 800', 'drop first client frame; black on info').stdout, 'the rules are right: 3\n', 'right ones');
	});
	await suite.test('a scenario is a file of rules, with comments; errors have its lines', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'hostile-')), file = join(folder, 'scenario');

		try {
			writeFileSync(file, '# a bad day\n\ndelay 100 jitter 50\n  after 10 frames: black\n');
			equal(run('--check', '--scenario', file).stdout, 'the rules are right: 2\n', 'a right one');
			writeFileSync(file, '# a bad day\n\ndelay 100; dleay 5\n');
			check(run('--check', '--scenario', file).stderr.startsWith(`sockjs-hostile: ${file}:3:12: an action stands here`), 'a wrong one');
		} finally {
			rmSync(folder, { recursive: true });
		}
	});
	await suite.test('an address that is taken is exit code 1', async () => {
		const first = run('-t', 'a:1', '-l', '192.0.2.1:1');

		equal(first.status, 1, 'exit code');
	});
}
