/*
 * bench/peers.mjs - the servers, how each is started, and whether it is there.
 *
 * All get one thread on one processor. `options` are what bench/loadgen must know about a
 * peer; `missing` is the sentence why it cannot take part.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const NCHAN_MODULES = ['/usr/lib/nginx/modules/ngx_nchan_module.so', '/usr/lib64/nginx/modules/ngx_nchan_module.so'];

function program(name, what, path, args) {
	return { name, what, command: [path, ...args], missing: existsSync(path) ? null : `${path} is not built` };
}

/* The version that a program or library has by its own account, or an empty string. */
function versionOf(command, ...args) {
	const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });

	return /\d+(\.\d+)+/.exec(`${stdout} ${stderr}`)?.[0] ?? '';
}

function npmPeer(name, module, script) {
	const manifest = join(here, 'node_modules', module, 'package.json');
	const version = existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : '';

	return {
		name, what: `npm ${module} ${version}, Node ${process.version}`, command: [process.execPath, join(here, 'peers', script)],
		options: ['-w', 1], /* until it is compiled */
		missing: version ? null : `npm has not brought ${module}: script/bootstrap bench`,
	};
}

function freePort() {
	return new Promise((resolve, reject) => {
		const server = createServer();

		server.on('error', reject);
		server.listen(0, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});
}

/* nginx cannot choose a port by itself, and wants a folder. */
async function nchan(folder) {
	const module = NCHAN_MODULES.find(existsSync);
	const dir = join(folder, 'nginx');
	const config = join(dir, 'nginx.conf');
	const port = await freePort();
	const text = readFileSync(join(here, 'peers', 'nginx.conf'), 'utf8');
	const nginx = ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/sbin/nginx'].find(existsSync);
	const peer = { name: 'nchan', what: `nginx ${versionOf(nginx ?? 'nginx', '-v')} with nchan`, command: [nginx ?? 'nginx', '-p', dir, '-e', 'stderr', '-c', config] };

	peer.options = ['--connect', `127.0.0.1:${port}`, '--path', '/subscribe', '--publish', '/publish'];
	peer.missing = !nginx ? 'there is no nginx' : !module ? 'nginx has no nchan module' : null;
	if (peer.missing)
		return peer;
	mkdirSync(dir, { recursive: true });
	writeFileSync(config, text.replaceAll('@PORT@', port).replaceAll('@DIR@', dir).replaceAll('@MODULES@', `load_module ${module};`));
	return peer;
}

/* In the order of the table's columns. BUILD is where `make bench` was run, FOLDER for what is temporary. */
export async function findPeers(build, folder) {
	return [
		program('floor', 'bare epoll, no checks', join(build, 'bench/floor'), []),
		program('sockjsd', `sockjsd ${versionOf(join(build, 'sockjsd'), '-V')}`, join(build, 'sockjsd'), ['-t', '1', '-c', join(here, 'sockjsd.json')]),
		program('lws', `libwebsockets ${versionOf('pkg-config', '--modversion', 'libwebsockets')}`, join(build, 'bench/lws_echo'), []),
		npmPeer('ws', 'ws', 'ws.mjs'),
		npmPeer('sockjs-node', 'sockjs', 'sockjs.mjs'),
		await nchan(folder),
	];
}
