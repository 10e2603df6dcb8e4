/*
 * bench/peers.mjs - the servers, how each is started, and whether it is there.
 *
 * All get one thread on one processor. `options` are what bench/loadgen must know about a
 * peer; `missing` is the sentence why it cannot take part; `once`, that it starts so slowly that one round must do; `before` is the command of one that stands
 * before a backend in some rows, and answers by itself in others; `over` are those of one that listens for TLS or on a unix socket. One that is `like` another takes part wherever that one does.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
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

function freePort(wanted = 0) {
	return new Promise((resolve, reject) => {
		const server = createServer();

		server.on('error', reject);
		server.listen(wanted, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});
}

/* A copy in FOLDER of a configuration, with its @NAMES@ filled in; its path. */
function fillIn(folder, file, values) {
	const config = join(folder, basename(file));
	const text = readFileSync(join(here, file), 'utf8');

	mkdirSync(folder, { recursive: true });
	writeFileSync(config, text.replace(/@(\w+)@/g, (_, name) => values[name]));
	return config;
}

/* nginx cannot choose a port by itself, and wants a folder. */
async function nginxPeer({ name, what, config, options, folder, missing, values }) {
	const dir = join(folder, name);
	const port = await freePort();
	const nginx = ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/sbin/nginx'].find(existsSync);

	return {
		name, what: `nginx ${versionOf(nginx ?? 'nginx', '-v')}, ${what}`,
		command: [nginx, '-p', dir, '-e', 'stderr', '-c', fillIn(dir, config, { ...values, PORT: port, DIR: dir })],
		options: ['--connect', `127.0.0.1:${port}`, ...options],
		missing: nginx ? missing : 'there is no nginx',
	};
}

function nchan(folder) {
	const module = NCHAN_MODULES.find(existsSync);

	return nginxPeer({
		name: 'nchan', what: 'with nchan', config: 'peers/nchan.conf', folder,
		options: ['--path', '/subscribe', '--publish', '/publish'],
		missing: module ? null : 'nginx has no nchan module', values: { MODULE: module },
	});
}

function proxy(folder, backend) {
	return nginxPeer({ name: 'nginx', what: 'proxy_pass', config: 'peers/proxy.conf', folder, options: [], missing: null, values: { BACKEND: backend } });
}

async function nats(folder) {
	const server = ['/usr/sbin/nats-server', '/usr/bin/nats-server', '/usr/local/bin/nats-server'].find(existsSync);
	const port = await freePort();

	return {
		name: 'nats', what: `nats-server ${versionOf(server ?? 'nats-server', '-v')}, its protocol over WebSocket`,
		command: [server, '-c', fillIn(join(folder, 'nats'), 'peers/nats.conf', { PORT: port, CLIENTS: await freePort() })],
		options: ['--connect', `127.0.0.1:${port}`],
		missing: server ? null : 'there is no nats-server',
	};
}

/* Below those that the kernel gives to connections, where Erlang takes its own for somebody else's. */
async function lowPort() {
	for (let tries = 0; tries < 20; tries++) {
		const port = await freePort(10000 + Math.floor(Math.random() * 20000)).catch(() => null);

		if (port)
			return port;
	}
	return freePort();
}

async function rabbitmq(folder) {
	const home = '/usr/lib/rabbitmq';
	const version = existsSync(home) ? readdirSync(join(home, 'lib')).join().replace(/[^\d.]/g, '') : '';
	const ports = [await lowPort(), await lowPort(), await lowPort()];

	return {
		name: 'rabbitmq', what: `RabbitMQ ${version}, web-stomp; one round`, once: true,
		command: [join(here, 'peers/rabbitmq.sh'), join(folder, 'rabbitmq'), ...ports],
		options: ['--path', '/ws', '-w', 1],
		missing: version ? null : 'there is no RabbitMQ',
	};
}

/* A certificate for the day and its key, as every openssl makes them. */
function makeCertificate(folder) {
	const paths = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') };
	const { status } = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
		'-subj', '/CN=localhost', '-days', '1', '-keyout', paths.key, '-out', paths.certificate]);

	if (status !== 0)
		throw new Error('openssl cannot make a certificate');
	return paths;
}

/* sockjsd.json with another place to listen at, in FOLDER; its path. */
function listenElsewhere(folder, name, place) {
	const config = JSON.parse(readFileSync(join(here, 'sockjsd.json'), 'utf8'));
	const path = join(folder, name);

	writeFileSync(path, JSON.stringify({ ...config, listen: [place] }));
	return path;
}

function floorPeer(build, folder, { certificate, key }) {
	const floor = join(build, 'bench/floor');

	return {
		...program('floor', 'bare epoll, no checks', floor, []),
		over: { tls: [floor, '0', certificate, key], unix: [floor, `unix:${join(folder, 'floor.sock')}`] },
	};
}

function sockjsdPeer(name, sockjsd, folder, tls, backend) {
	const run = (config) => ['-t', '1', '-c', config];
	const upstream = fillIn(folder, 'upstream.json', { BACKEND: backend });

	return {
		...program(name, `sockjsd ${versionOf(sockjsd, '-V')}`, sockjsd, run(join(here, 'sockjsd.json'))),
		before: [sockjsd, ...run(upstream)],
		over: {
			tls: [sockjsd, ...run(listenElsewhere(folder, 'tls.json', { address: '127.0.0.1:0', tls }))],
			unix: [sockjsd, ...run(listenElsewhere(folder, 'unix.json', `unix:${join(folder, 'sockjsd.sock')}`))],
		},
	};
}

/* What stands behind those that are in front of something. */
export function backendCommand(build) {
	return [join(build, 'sockjsd'), '-t', '1', '-c', join(here, 'sockjsd.json')];
}

/* In the order of the table's columns. BUILD is where `make bench` was run, FOLDER for what is temporary, BACKEND the
 * address of what backendCommand() has started, OTHER another sockjsd, if there is one to compare with. */
export async function findPeers(build, folder, backend, other) {
	const tls = makeCertificate(folder);
	const own = sockjsdPeer('sockjsd', join(build, 'sockjsd'), folder, tls, backend);

	return [
		floorPeer(build, folder, tls),
		own,
		...(other ? [{ ...sockjsdPeer('other', other, folder, tls, backend), like: 'sockjsd', what: other }] : []),
		{ ...own, name: 'plain', what: 'sockjsd without STOMP: echo and broadcast' },
		program('lws', `libwebsockets ${versionOf('pkg-config', '--modversion', 'libwebsockets')}`, join(build, 'bench/lws_echo'), []),
		npmPeer('ws', 'ws', 'ws.mjs'),
		npmPeer('sockjs-node', 'sockjs', 'sockjs.mjs'),
		await nchan(folder),
		await proxy(folder, backend),
		await nats(folder),
		await rabbitmq(folder),
	];
}
