/*
 * examples.mjs - examples/hooks and examples/stomp as they come, but for their ports: each backend has the
 * conversation of its own check, and the pages are used in Chromium.
 *
 * Owns the processes of the backends, and ends them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from '../e2e/browser.mjs';
import { check, equal, withDeadline } from '../e2e/harness.mjs';
import { Gateway, until } from '../upstream/gateway.mjs';
import { PAGE_MS, testHooksPage, testRoomsPage } from './example_pages.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const HOOKS = join(ROOT, 'examples/hooks');
const STOMP = join(ROOT, 'examples/stomp');
const CHECK_MS = 30000;

const BACKENDS = {
	node: () => [process.execPath, join(HOOKS, 'backend.mjs')],
	python: () => ['python3', join(HOOKS, 'backend.py')],
	php: (port) => ['php', '-q', '-S', `127.0.0.1:${port}`, join(HOOKS, 'backend.php')],
};

function isThere(program) {
	return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

async function freePorts(count) {
	const servers = await Promise.all(Array.from({ length: count }, async () => {
		const server = createServer().listen(0, '127.0.0.1');

		await once(server, 'listening');
		return server;
	}));
	const ports = servers.map((s) => s.address().port);

	await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
	return ports;
}

/* What the example has, with paths that hold from elsewhere, on free ports. */
function configuration(folder, changes = {}) {
	const config = JSON.parse(readFileSync(join(folder, 'sockjsd.json'), 'utf8'));
	const module = (file) => join(ROOT, file);

	Object.assign(config, { listen: ['127.0.0.1:0'], www: join(folder, config.www), client_library: module(config.client_library),
		stomp_library: module(config.stomp_library), internal: { listen: '127.0.0.1:0' }, threads: 2 }, changes);
	for (const { stomp } of config.endpoints)
		if (stomp?.users)
			stomp.users = join(folder, stomp.users);
	return config;
}

/* --- backends ------------------------------------------------------------------------- */

/* Ends it and its workers, if it has any. */
function end(child) {
	try {
		process.kill(-child.pid, 'SIGKILL');
	} catch {
		/* it is gone */
	}
}

async function startBackend(name, port, env) {
	const [program, ...args] = BACKENDS[name](port);
	const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true, env: { ...process.env, ...env, PORT: port } });
	const said = [];

	child.stderr.on('data', (data) => said.push(data));
	process.on('exit', () => end(child));
	await until(`the backend in ${name} answers`, async () => {
		check(child.exitCode === null, `it ended: ${said.join('')}`);
		return fetch(`http://127.0.0.1:${port}/`, { method: 'POST' }).then(({ status }) => status === 401 ? null : status, (e) => e.message);
	});
	return child;
}

async function withExample(program, folder, name, tests) {
	const [port, internal] = await freePorts(2);
	const env = { SECRET_FILE: join(folder, 'hooks.secret'), TOKEN_FILE: join(folder, 'api.token'), STATE_FILE: join(folder, `${name}.topics`),
		API: `http://127.0.0.1:${internal}`, PHP_CLI_SERVER_WORKERS: '4' };
	const config = configuration(HOOKS, { internal: { listen: `127.0.0.1:${internal}`, token_file: env.TOKEN_FILE } });
	const url = `http://127.0.0.1:${port}/sockjsd`;
	const gateway = new Gateway(program, join(folder, 'example.json'));

	writeFileSync(env.SECRET_FILE, 'what-only-the-two-of-them-know\n');
	writeFileSync(env.TOKEN_FILE, 'correct-horse-battery\n');
	for (const { hooks } of config.endpoints)
		Object.assign(hooks, { url, secret_file: env.SECRET_FILE });
	const backend = await startBackend(name, port, env);
	try {
		await gateway.start(config);
		await tests({ url: gateway.url, backend: url, env });
	} finally {
		equal(await gateway.stop(), 0, 'how the gateway ends');
		end(backend);
	}
}

async function converse({ url, backend, env }) {
	const child = spawn(process.execPath, [join(HOOKS, 'check.mjs'), url, backend], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
	const said = [];

	child.stderr.on('data', (data) => said.push(data));
	const [code] = await withDeadline(once(child, 'exit'), CHECK_MS, 'the check ends');
	check(code === 0, said.join('').replaceAll('\n', ' '));
}

/* --- both ------------------------------------------------------------------------------ */

export async function testExamples(suite, program, folder) {
	for (const name of Object.keys(BACKENDS)) {
		if (name === 'php' && !isThere('php')) {
			console.log('examples, php: skipped, since it is not here');
			continue;
		}
		await suite.test(`examples, ${name}: its own check, through the gateway`, () => withExample(program, folder, name, converse), PAGE_MS);
	}
	for (const example of ['hooks', 'stomp'])
		await suite.test(`examples, ${example}: run is a program, and says how it is used`, async () => {
			equal(spawnSync('bash', ['-n', join(ROOT, 'examples', example, 'run')]).status, 0, 'bash -n');
			if (example === 'hooks')
				equal(spawnSync(join(HOOKS, 'run'), ['cobol'], { stdio: 'ignore' }).status, 2, 'exit code');
		});
	await testPages(suite, program, folder);
}

async function testPages(suite, program, folder) {
	if (!suite.wants('examples, page of'))
		return;
	const browser = await launch();

	try {
		await suite.test('examples, page of hooks: rooms, topics, news and dice', () =>
			withExample(program, folder, 'node', ({ url }) => testHooksPage(browser, `${url}/hooks.html`)), PAGE_MS);
		const gateway = new Gateway(program, join(folder, 'rooms.json'));

		await gateway.start(configuration(STOMP));
		try {
			await testRoomsPage(browser, `${gateway.url}/rooms.html`, suite);
		} finally {
			equal(await gateway.stop(), 0, 'how the gateway ends');
		}
	} finally {
		await browser.close();
	}
}
