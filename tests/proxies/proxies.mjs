/*
 * proxies.mjs - the proxies of packaging/proxies, each started as its configuration stands there. Only what
 * belongs to a machine is put in its place: addresses, the certificate, and the frame that a system has around
 * a site. Owns the processes it started, and ends those alone.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { check } from '../e2e/harness.mjs';

const SHIPPED = new URL('../../packaging/proxies/', import.meta.url);
const MODULES = '/usr/lib/apache2/modules';
const APACHE_MODULES = ['mpm_event', 'authz_core', 'env', 'headers', 'rewrite', 'ssl', 'proxy', 'proxy_http',
	'slotmem_shm', 'proxy_balancer', 'lbmethod_byrequests'];
const GRACE_MS = 500;

export async function freePort() {
	const probe = createServer().listen(0, '127.0.0.1');

	await once(probe, 'listening');
	const { port } = probe.address();
	probe.close();
	await once(probe, 'close');
	return port;
}

/* Replaces what must be there: a configuration that has changed is noticed. */
function put(text, ...pairs) {
	for (const [from, to] of pairs) {
		check(text.includes(from), `"${from}" is not in the configuration`);
		text = text.replaceAll(from, to);
	}
	return text;
}

/* Each: the file, what of it belongs to a machine, the frame around it, the program, and how it is made
 * to forget WebSockets. */
const KINDS = {
	nginx: {
		file: 'nginx.conf',
		local: (p) => [['listen 443 ssl', `listen 127.0.0.1:${p.port} ssl`], ['server 127.0.0.1:8080;', `server ${p.gateways[0].address};`],
			['#server 127.0.0.1:8090;', `server ${p.gateways[1].address};`],
			['/etc/ssl/example.com.pem', p.certificate], ['/etc/ssl/private/example.com.key', p.key]],
		frame: (p, site) => `daemon off;\n${process.getuid() === 0 ? 'user root;\n' : ''}worker_processes 1;
			pid ${p.folder}/nginx.pid;\nerror_log stderr warn;\nevents { worker_connections 512; }
			http {\naccess_log off;\n${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
		.map((what) => `${what}_temp_path ${p.folder}/${what};\n`).join('')}${site}\n}\n`,
		command: (p) => ['nginx', '-p', p.folder, '-e', 'stderr', '-c', p.config],
		blind: [['proxy_set_header Upgrade $http_upgrade;', '']],
	},
	haproxy: {
		file: 'haproxy.cfg',
		local: (p) => [['bind :443 ssl', `bind 127.0.0.1:${p.port} ssl`], ['/etc/haproxy/example.com.pem', p.both],
			['server gateway1 127.0.0.1:8080 check port 8082', `server gateway1 ${p.gateways[0].address} check port ${p.gateways[0].health}`],
			['#server gateway2 127.0.0.1:8090 check port 8092', `server gateway2 ${p.gateways[1].address} check port ${p.gateways[1].health}`],
			['maxconn 100000', 'maxconn 500']],
		frame: (p, text) => text,
		command: (p) => ['haproxy', '-db', '-f', p.config],
		blind: [['option forwardfor', 'option forwardfor\n\thttp-request deny if { req.hdr(Upgrade) -m found }']],
	},
	apache: {
		file: 'apache.conf',
		local: (p) => [['*:443', `127.0.0.1:${p.port}`], ['sockjsd1 127.0.0.1:8080', `sockjsd1 ${p.gateways[0].address}`],
			['sockjsd2 127.0.0.1:8080', `sockjsd2 ${p.gateways[1].address}`],
			['/etc/ssl/example.com.pem', p.certificate], ['/etc/ssl/private/example.com.key', p.key]],
		frame: (p, site) => `ServerRoot ${p.folder}\nServerName localhost\nDefaultRuntimeDir ${p.folder}\nPidFile ${p.folder}/apache.pid
			${APACHE_MODULES.map((m) => `LoadModule ${m}_module ${MODULES}/mod_${m}.so\n`).join('')}
			${process.getuid() === 0 ? 'User nobody\nGroup nogroup\n' : ''}Mutex pthread\nErrorLog ${p.folder}/error.log
			StartServers 1\nThreadsPerChild 64\nMaxRequestWorkers 64\nListen 127.0.0.1:${p.port}\n${site}`,
		command: (p) => ['apache2', '-f', p.config, '-DFOREGROUND'],
		blind: [['upgrade=websocket ', '']],
	},
	caddy: {
		file: 'Caddyfile',
		local: (p) => [['example.com {', `{\n\tadmin off\n\tauto_https off\n}\n\nhttps://127.0.0.1:${p.port} {`], ['to 127.0.0.1:8080', `to ${p.gateways[0].address}`],
			['#to 127.0.0.1:8090', `to ${p.gateways[1].address}`],
			['/etc/ssl/example.com.pem', p.certificate], ['/etc/ssl/private/example.com.key', p.key]],
		frame: (p, text) => text,
		command: (p) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', p.config],
		blind: [['header_up -Forwarded', 'header_up -Forwarded\n\t\t\theader_up -Upgrade\n\t\t\theader_up -Connection']],
	},
};

export const NAMES = Object.keys(KINDS);

/* Of a folder: a certificate for 127.0.0.1, its key, and both in one file, as HAProxy wants it. */
export function certificateIn(folder) {
	return { certificate: join(folder, 'one.pem'), key: join(folder, 'one.key'), both: join(folder, 'both.pem') };
}

export function makeCertificate(folder) {
	const { certificate, key, both } = certificateIn(folder);
	const { status, stderr } = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
		'-keyout', key, '-out', certificate, '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']);

	check(status === 0, `openssl: ${stderr}`);
	writeFileSync(both, readFileSync(certificate) + readFileSync(key));
	return { certificate };
}

export class Proxy {
	log = '';

	constructor(name, folder, gateways, certificate) {
		Object.assign(this, { name, gateways, ...certificate, kind: KINDS[name], folder: join(folder, name) });
		this.config = join(this.folder, 'config');
		mkdirSync(this.folder, { recursive: true });
	}

	/* With `blind` it knows nothing of WebSockets. */
	async start(blind = false) {
		this.isOver = false;
		this.port = await freePort();
		this.url = `https://127.0.0.1:${this.port}`;
		const shipped = put(readFileSync(new URL(this.kind.file, SHIPPED), 'utf8'), ...this.kind.local(this));
		writeFileSync(this.config, this.kind.frame(this, blind ? put(shipped, ...this.kind.blind) : shipped));
		const [program, ...args] = this.kind.command(this);
		const path = `${process.env.PATH}:/usr/sbin:/sbin`;

		check(path.split(':').some((d) => existsSync(join(d, program))), `${program} is not installed`);
		this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true,
			env: { ...process.env, PATH: path, HOME: this.folder, XDG_DATA_HOME: this.folder, XDG_CONFIG_HOME: this.folder } });
		process.on('exit', () => this.#kill('SIGKILL'));
		for (const output of [this.child.stdout, this.child.stderr])
			output.on('data', (data) => { this.log = (this.log + data).slice(-4000); });
		this.ended = once(this.child, 'exit').then(() => { this.isOver = true; });
		return this;
	}

	/* It and its workers, which are a group. */
	#kill(signal) {
		try {
			process.kill(-this.child.pid, signal);
		} catch { /* it has ended */ }
	}

	/* Some wait for clients that are still there; nobody waits for them. */
	async stop() {
		const late = setTimeout(() => this.#kill('SIGKILL'), GRACE_MS);

		this.#kill('SIGTERM');
		await this.ended;
		clearTimeout(late);
		this.#kill('SIGKILL');
	}
}
