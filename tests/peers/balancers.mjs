/*
 * balancers.mjs - nginx and HAProxy before several gateways, request by request in turn. Owns the processes that it
 * started, and ends those alone.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { until } from '../reload/gateway.mjs';
import { freePort } from '../proxies/proxies.mjs';

const isRoot = process.getuid() === 0;

/* `cookie`: sessions go by it, if the gateways set it; `names` are theirs. */
const KINDS = {
	nginx: {
		text: (b) => `daemon off;\n${isRoot ? 'user root;\n' : ''}worker_processes 1;\npid ${b.folder}/nginx.pid;\nerror_log stderr warn;
			events { worker_connections 4096; }
			http {\naccess_log off;\nkeepalive_timeout 65;\n${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${b.folder}/${what};\n`).join('')}
			map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
			upstream gateways { ${b.ports.map((p) => `server 127.0.0.1:${p} max_fails=0;`).join(' ')} keepalive 32; }
			server { listen 127.0.0.1:${b.port}; client_max_body_size 10m; client_body_buffer_size 1m;
			location / { proxy_pass http://gateways; proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering on;
			proxy_read_timeout 300s; proxy_next_upstream error timeout;
			proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; } } }\n`,
		command: (b) => ['nginx', '-p', b.folder, '-e', 'stderr', '-c', b.config],
	},
	haproxy: {
		text: (b) => `global\n\tmaxconn 5000\ndefaults\n\tmode http\n\toption http-no-delay\n\toption abortonclose\n\toption forwardfor\n\ttimeout connect 5s
	timeout client 300s\n\ttimeout server 300s\n\ttimeout tunnel 300s\n\tretries 3\n\toption redispatch
frontend all\n\tbind 127.0.0.1:${b.port}\n\tdefault_backend gateways
backend gateways\n\tbalance roundrobin\n\thttp-reuse safe\n${b.cookie ? `\tcookie ${b.cookie}\n` : ''}${b.ports.map((p, i) =>
		`\tserver g${i} 127.0.0.1:${p}${b.cookie ? ` cookie g${i}` : ''}\n`).join('')}`,
		command: (b) => ['haproxy', '-db', '-f', b.config],
	},
};

export class Balancer {
	log = '';

	constructor(kind, folder, ports, { cookie } = {}) {
		this.kind = KINDS[kind];
		this.folder = join(folder, kind);
		this.ports = ports;
		this.cookie = cookie;
	}

	async start(port = 0) {
		mkdirSync(this.folder, { recursive: true });
		this.port = port || await freePort();
		this.config = join(this.folder, 'balancer.conf');
		writeFileSync(this.config, this.kind.text(this));
		const [program, ...args] = this.kind.command(this);

		this.child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
		this.child.stderr.on('data', (text) => { this.log += text; });
		process.on('exit', () => this.child.kill('SIGKILL'));
		await until(() => this.answers(), `${program} listens`);
		return this;
	}

	answers() {
		return new Promise((resolve) => {
			const probe = connect(this.port, '127.0.0.1');

			probe.on('connect', () => { probe.destroy(); resolve(true); });
			probe.on('error', () => resolve(false));
		});
	}

	async stop() {
		if (this.child.exitCode !== null)
			return;
		this.child.kill('SIGTERM');
		await once(this.child, 'exit');
	}
}
