/*
 * examples.mjs - examples/harness as it comes: its tests in Node and in Python, and in Java where there
 * are a compiler and JUnit 5 (Debian: junit5).
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, withDeadline } from '../e2e/harness.mjs';

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../../examples/harness');
const JARS = ['junit-jupiter-api', 'junit-jupiter-engine', 'junit-platform-commons', 'junit-platform-engine', 'junit-platform-launcher',
	'junit-platform-console', 'junit-platform-reporting', 'opentest4j', 'apiguardian-api', 'picocli'];
const WHOLE_MS = 35000;

/* It ends well and has said so, or what it has said is the complaint. */
async function run(world, program, args, verdict) {
	const child = spawn(program, args, { cwd: FOLDER, stdio: ['ignore', 'pipe', 'pipe'],
		env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', SOCKJSD: resolve(world.server), SOCKJS_HOSTILE: resolve(world.program) } });
	const said = [];
	const leave = () => child.kill('SIGKILL');

	process.on('exit', leave);
	for (const stream of [child.stdout, child.stderr])
		stream.on('data', (data) => said.push(data));
	const [code] = await withDeadline(once(child, 'close'), WHOLE_MS, `${program} ${args[0]} ends`, 4).finally(leave);
	process.off('exit', leave);
	check(code === 0 && verdict.test(said.join('')) && !/Sanitizer|runtime error/.test(said.join('')), `exit code ${code}: ${said.join('').slice(-3000).replaceAll('\n', ' | ')}`);
}

async function runJava(world) {
	const folder = mkdtempSync(join(tmpdir(), 'harness-'));
	const classes = [...JARS.map((name) => `/usr/share/java/${name}.jar`), folder].join(':');

	try {
		await run(world, 'javac', ['-cp', classes, '-d', folder, 'HarnessTest.java'], /^/);
		await run(world, 'java', ['-cp', classes, 'org.junit.platform.console.ConsoleLauncher', '--select-class', 'HarnessTest'], /[1-9]\d* tests successful/);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

export async function testExamples(world) {
	const test = (name, body) => world.suite.test(`examples, harness in ${name}`, body, 4 * WHOLE_MS);

	await test('Node', () => run(world, process.execPath, ['--test'], /^# pass [1-9]/m));
	await test('Python', () => run(world, 'python3', ['-m', 'unittest'], /^Ran [1-9]/m));
	if (JARS.every((name) => existsSync(`/usr/share/java/${name}.jar`)) && spawnSync('javac', ['--version']).status === 0)
		await test('Java', () => runJava(world));
	else
		console.log('examples, harness in Java: skipped, since JUnit 5 or a compiler is not here');
}
