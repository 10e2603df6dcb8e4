/*
 * frameworks.mjs - applications on Tornado and on gorilla/websocket, as Debian has them, behind the
 * gateway. Nothing in them knows of it; both compare the Origin with the Host, and answer 403.
 *
 * Owns their processes, and ends them.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, join as path } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { check, equal, withDeadline } from '../e2e/harness.mjs';
import { KINDS, open, start } from './clients.mjs';

const FOLDER = path(dirname(fileURLToPath(import.meta.url)), 'frameworks');
const START_MS = 20000;
const GOPATH = '/usr/share/gocode';
const ELSEWHERE = 'https://example.com';

function findTornado() {
	return ['/usr/bin/python3', 'python3'].find((p) => spawnSync(p, ['-c', 'import tornado.websocket']).status === 0);
}

function hasGorilla() {
	return existsSync(`${GOPATH}/src/github.com/gorilla/websocket`) && spawnSync('go', ['version']).status === 0;
}

function buildGorilla(folder) {
	execFileSync('go', ['build', '-o', path(folder, 'gorilla_echo'), path(FOLDER, 'gorilla_echo.go')],
		{ stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, GOPATH, GO111MODULE: 'off', GOFLAGS: '' } });
	return path(folder, 'gorilla_echo');
}

/* Each is [program, arguments]; null: it cannot be had here. */
const COMMANDS = {
	tornado: () => findTornado() && [findTornado(), path(FOLDER, 'tornado_echo.py')],
	gorilla: (folder) => hasGorilla() && [buildGorilla(folder)],
};

async function startOne([program, ...args]) {
	const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] }); /* it logs each 403 */
	const lines = createInterface({ input: child.stdout });

	process.on('exit', () => child.kill('SIGKILL'));
	const [said] = await withDeadline(Promise.race([once(lines, 'line'), once(child, 'exit')]), START_MS, `${program} listens`);
	const [, url] = /listening on (\S+)$/.exec(said) ?? [];
	check(url, `${program} says ${said}`);
	return url;
}

/* The URL of each; what cannot be started has none. */
export async function startFrameworks(folder) {
	const urls = {};

	for (const [name, command] of Object.entries(COMMANDS)) {
		const program = command(folder);
		if (program)
			urls[name] = await startOne(program);
		else
			console.log(`frameworks: no ${name} here, its tests are left out`);
	}
	return urls;
}

/* In front of one, in each way that options name. */
export function waysToAsk(name, url) {
	return [
		[`/${name}`, url, {}],
		[`/${name}-origin`, url, { origin: 'own' }],
		[`/${name}-own`, url, { host: 'own', origin: 'own' }],
		[`/${name}-host`, url, { host: 'own' }],
		[`/${name}-fixed`, url, { host: 'app.example', origin: 'https://app.example' }],
	];
}

async function talks(url, kind, origin) {
	const line = await open(url, kind, { headers: { origin } });

	line.send('Grüße');
	equal(await line.next(), 'Grüße', `echo, ${kind}`);
	await line.close();
}

async function isRefused(url, kind, origin) {
	const how = await start(url, kind, { headers: { origin } }).over();

	equal(how.status ?? how.code, kind === 'raw' ? 403 : 4403, `refusal, ${kind}`);
}

async function testOne({ suite, url, gateway }, name) {
	const ours = () => gateway.url;
	const each = (what, body) => suite.test(`frameworks, ${name}: ${what}`, () => Promise.all(KINDS.map(body)));

	await each("a page of the gateway's own origin, nothing configured", (kind) => talks(url(`/${name}`), kind, ours()));
	await each('a page from elsewhere, nothing configured, is 403', (kind) => isRefused(url(`/${name}`), kind, ELSEWHERE));
	await each('a page from elsewhere, with origin "own"', (kind) => talks(url(`/${name}-origin`), kind, ELSEWHERE));
	await each('a page from elsewhere, with host and origin "own"', (kind) => talks(url(`/${name}-own`), kind, ELSEWHERE));
	await each('a page from elsewhere, with a fixed host and origin', (kind) => talks(url(`/${name}-fixed`), kind, ELSEWHERE));
	await each('host "own" alone is 403', (kind) => isRefused(url(`/${name}-host`), kind, ours()));
}

export async function testFrameworks(world) {
	for (const name of Object.keys(world.frameworks))
		await testOne(world, name);
}
