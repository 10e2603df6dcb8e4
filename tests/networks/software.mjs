/*
 * software.mjs - proxies as people have them: nginx, HAProxy, Apache, Squid, Varnish, mitmproxy, Caddy,
 * tinyproxy, privoxy and lighttpd, each with a configuration of a few lines and all that it writes in a
 * folder of its own. Owns the processes that it started, and ends those alone.
 *
 * Of each kind: `text` of its configuration, for a `p` with its port, what is behind it (`host`,
 * `targetPort`), its `folder` and the `options` of a row; its `command`; whether clients have it in
 * their settings (`forward`).
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { check } from '../e2e/harness.mjs';
import { freePort } from '../proxies/proxies.mjs';
import { until } from '../reload/gateway.mjs';

const isRoot = process.getuid() === 0;
const MODULES = '/usr/lib/apache2/modules';
const GRACE_MS = 500;
const START_MS = 30000;

const lines = (...all) => `${all.filter(Boolean).join('\n')}\n`;

const KINDS = {
	/* As it comes: HTTP/1.0 to what is behind it, buffers, and its own name in Host. */
	nginx: {
		text: (p, { upgrade, http11, buffering, ignore, timeout }) => lines('daemon off;', isRoot && 'user root;', 'worker_processes 1;', `pid ${p.folder}/pid;`,
			'error_log stderr crit;', 'events { worker_connections 256; }', 'http {', 'access_log off;',
			...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${p.folder}/${what};`),
			'map $http_upgrade $connection_upgrade { default upgrade; "" ""; }',
			`server { listen 127.0.0.1:${p.port}; location / { proxy_pass http://${p.target};`,
			(upgrade || http11) && 'proxy_http_version 1.1;',
			upgrade && 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_set_header Host $http_host;',
			buffering === false && 'proxy_buffering off;', ignore && 'proxy_ignore_headers X-Accel-Buffering;',
			timeout && `proxy_read_timeout ${timeout};`, '} } }'),
		command: (p) => ['nginx', '-p', p.folder, '-e', 'stderr', '-c', p.config],
	},
	haproxy: {
		text: (p, { upgrade, noDelay, timeout = '300s', tunnel }) => lines('global', '\tmaxconn 300', 'defaults', '\tmode http', '\ttimeout connect 5s',
			`\ttimeout client ${timeout}`, `\ttimeout server ${timeout}`, tunnel && `\ttimeout tunnel ${tunnel}`, noDelay && '\toption http-no-delay',
			'frontend all', `\tbind 127.0.0.1:${p.port}`, !upgrade && '\thttp-request del-header upgrade', '\tdefault_backend one', 'backend one', `\tserver one ${p.target}`),
		command: (p) => ['haproxy', '-db', '-f', p.config],
	},
	apache: {
		text: (p, { upgrade, wstunnel }) => lines(`ServerRoot ${p.folder}`, 'ServerName localhost', `DefaultRuntimeDir ${p.folder}`, `PidFile ${p.folder}/pid`,
			...['mpm_event', 'authz_core', 'proxy', 'proxy_http', ...(wstunnel ? ['proxy_wstunnel', 'rewrite'] : [])].map((m) => `LoadModule ${m}_module ${MODULES}/mod_${m}.so`),
			isRoot && 'User nobody\nGroup nogroup', 'Mutex pthread', `ErrorLog ${p.folder}/error.log`, 'StartServers 1', 'ThreadsPerChild 64', 'MaxRequestWorkers 64',
			`Listen 127.0.0.1:${p.port}`,
			wstunnel && `RewriteEngine on\nRewriteCond %{HTTP:Upgrade} =websocket [NC]\nRewriteRule /(.*) ws://${p.target}/$1 [P,L]`,
			`ProxyPass / http://${p.target}/${upgrade ? ' upgrade=websocket' : ''}`),
		command: (p) => ['apache2', '-f', p.config, '-DFOREGROUND'],
	},
	squid: {
		forward: true,
		owner: 'proxy',
		text: (p, { connect: ports, timeout }) => lines(`http_port 127.0.0.1:${p.port}`, ports ? `acl tunnels port ${ports}\nhttp_access deny CONNECT !tunnels` : '', 'http_access allow all',
			'cache deny all', 'pinger_enable off', 'netdb_filename none', 'access_log none', 'cache_store_log none', `cache_log ${p.folder}/cache.log`,
			`coredump_dir ${p.folder}`, `pid_filename ${p.folder}/pid`, 'shutdown_lifetime 0 seconds', timeout && `read_timeout ${timeout}`),
		command: (p) => ['squid', '-N', '-n', `lab${p.port}`, '-f', p.config],
	},
	varnish: {
		owner: 'vcache',
		text: (p, { pipe }) => lines('vcl 4.0;', `backend default { .host = "${p.host}"; .port = "${p.targetPort}"; }`,
			pipe && 'sub vcl_recv { if (req.http.upgrade ~ "(?i)websocket") { return (pipe); } }',
			pipe && 'sub vcl_pipe { if (req.http.upgrade) { set bereq.http.upgrade = req.http.upgrade; set bereq.http.connection = req.http.connection; } }'),
		command: (p) => ['varnishd', '-F', '-n', p.folder, '-a', `127.0.0.1:${p.port}`, '-f', p.config, '-s', 'malloc,32m', '-T', 'none'],
	},
	mitmproxy: {
		forward: true,
		text: () => 'def request(flow):\n    flow.request.headers.pop("upgrade", None)\n',
		command: (p, { strip, stream }) => ['mitmdump', '-q', '--set', `confdir=${p.folder}`, '--listen-host', '127.0.0.1', '-p', p.port,
			...(strip ? ['-s', p.config] : []), ...(stream ? ['--set', 'stream_large_bodies=1'] : [])],
		file: 'strip.py',
	},
	caddy: {
		tls: (options) => options.tls,
		text: (p, { tls, strip, gzip }) => lines('{', '\tadmin off', '\tauto_https off', '}', `${tls ? 'https' : 'http'}://127.0.0.1:${p.port} {`,
			tls && `\ttls ${p.certificate} ${p.key}`, gzip && '\tencode gzip', `\treverse_proxy ${p.target} {`,
			strip && '\t\theader_up -Upgrade\n\t\theader_up -Connection', '\t}', '}'),
		command: (p) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', p.config],
	},
	tinyproxy: {
		forward: true,
		text: (p, { connect: ports }) => lines(`Port ${p.port}`, 'Listen 127.0.0.1', 'Timeout 600', `PidFile "${p.folder}/pid"`, 'LogLevel Critical', 'MaxClients 100', 'Allow 127.0.0.1',
			ports && `ConnectPort ${ports}`),
		command: (p) => ['tinyproxy', '-d', '-c', p.config],
	},
	privoxy: {
		forward: true,
		text: (p, { connect: ports }) => lines('confdir /etc/privoxy', `logdir ${p.folder}`, 'actionsfile match-all.action', 'actionsfile default.action', ports && `actionsfile ${p.folder}/own.action`,
			'filterfile default.filter', `listen-address 127.0.0.1:${p.port}`),
		also: (p, { connect: ports }) => ({ 'own.action': `{ +limit-connect{${ports}} }\n/\n` }),
		command: (p) => ['privoxy', '--no-daemon', p.config],
	},
	lighttpd: {
		text: (p, { upgrade, stream }) => lines('server.modules = ( "mod_proxy" )', `server.document-root = "${p.folder}"`, `server.port = ${p.port}`, 'server.bind = "127.0.0.1"',
			`server.upload-dirs = ( "${p.folder}" )`, stream && 'server.stream-response-body = 2',
			`proxy.server = ( "" => ( ( "host" => "${p.host}", "port" => ${p.targetPort} ) ) )`, upgrade && 'proxy.header = ( "upgrade" => "enable" )'),
		command: (p) => ['lighttpd', '-D', '-f', p.config],
	},
};

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

function isInstalled(program) {
	return PATH.split(':').some((folder) => existsSync(join(folder, program)));
}

/* The programs of a row that are not here. */
export function missing(via) {
	return via.filter(({ kind }) => KINDS[kind]).map(({ kind, ...options }) => KINDS[kind].command({}, options)[0]).filter((program) => !isInstalled(program));
}

/* A proxy that gives up its rights has to write into its folder. */
function give(folder, owner) {
	const [, uid, gid] = /^[^:]*:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8').split('\n').find((l) => l.startsWith(`${owner}:`)) ?? '') ?? [];

	if (isRoot && uid)
		chownSync(folder, Number(uid), Number(gid));
}

export class Software {
	static certificate = {};
	log = '';

	constructor({ kind, ...options }, folder, target) {
		const [host, targetPort] = target.split(':');

		Object.assign(this, { kind: KINDS[kind], name: kind, options, folder, target, host, targetPort, ...Software.certificate });
		this.isForward = this.kind.forward === true;
	}

	static async start(link, folder, target) {
		const p = new Software(link, folder, target);

		mkdirSync(folder, { recursive: true });
		chmodSync(folder, 0o755);
		if (p.kind.owner)
			give(folder, p.kind.owner);
		p.port = await freePort();
		p.url = `${p.kind.tls?.(p.options) ? 'https' : 'http'}://127.0.0.1:${p.port}`;
		p.config = join(folder, p.kind.file ?? 'config');
		writeFileSync(p.config, p.kind.text(p, p.options));
		for (const [name, text] of Object.entries(p.kind.also?.(p, p.options) ?? {}))
			writeFileSync(join(folder, name), text);
		await p.#run();
		return p;
	}

	async #run() {
		const [program, ...args] = this.kind.command(this, this.options).map(String);

		this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true,
			env: { ...process.env, PATH, HOME: this.folder, XDG_DATA_HOME: this.folder, XDG_CONFIG_HOME: this.folder } });
		process.on('exit', () => this.#kill('SIGKILL'));
		for (const output of [this.child.stdout, this.child.stderr])
			output.on('data', (data) => { this.log = (this.log + data).slice(-2000); });
		this.ended = once(this.child, 'exit').then(() => { this.isOver = true; });
		await until(() => {
			check(!this.isOver, `${program} has ended: ${this.log}`);
			return this.#answers();
		}, `${program} listens: ${this.log}`, START_MS);
	}

	#answers() {
		return new Promise((resolve) => {
			const probe = connect(this.port, '127.0.0.1');

			probe.on('connect', () => { probe.destroy(); resolve(true); });
			probe.on('error', () => resolve(false));
		});
	}

	/* It and its workers, which are a group. */
	#kill(signal) {
		try {
			process.kill(-this.child.pid, signal);
		} catch { /* it has ended */ }
	}

	async stop() {
		const late = setTimeout(() => this.#kill('SIGKILL'), GRACE_MS);

		this.#kill('SIGTERM');
		await this.ended;
		clearTimeout(late);
		this.#kill('SIGKILL');
	}
}

/* What is installed of a kind, as it says itself. */
export function versionOf(kind) {
	const [program, ...args] = { nginx: ['nginx', '-v'], haproxy: ['haproxy', '-v'], apache: ['apache2', '-v'], squid: ['squid', '-v'], varnish: ['varnishd', '-V'],
		mitmproxy: ['mitmdump', '--version'], caddy: ['caddy', 'version'], tinyproxy: ['tinyproxy', '-v'], privoxy: ['privoxy', '--version'], lighttpd: ['lighttpd', '-v'] }[kind];
	const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, PATH } });

	return /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? null;
}
