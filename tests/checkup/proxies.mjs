/*
 * proxies.mjs - real proxies, as they come and as they do harm; and forward proxies.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { check, equal } from '../e2e/harness.mjs';
import { Proxy, until } from '../hostile/proxy.mjs';
import { freePort, makeCertificate } from '../proxies/proxies.mjs';
import { Doctor, shown, way } from './doctor.mjs';

const children = new Set();
process.on('exit', () => { for (const child of children) end(child, 'SIGKILL'); });

/* It and its workers, which are a group. */
function end(child, signal) {
	try {
		process.kill(-child.pid, signal);
	} catch { /* it has ended */ }
}

const answers = (port) => new Promise((resolve) => {
	const socket = connect({ port, host: '127.0.0.1' }, () => { socket.destroy(); resolve(true); });

	socket.on('error', () => resolve(false));
});

const nginx = (site) => (p) => [['nginx', '-p', p.folder, '-e', 'stderr', '-c', p.config], `daemon off;
	${process.getuid() === 0 ? 'user root;' : ''} worker_processes 1; pid ${p.folder}/nginx.pid; error_log stderr error; events { worker_connections 256; }
	http { access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((w) => `${w}_temp_path ${p.folder}/${w};`).join(' ')}
	map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
	server { listen 127.0.0.1:${p.port}; location / { proxy_pass http://${p.target}; ${site} } } }\n`];
const upgrades = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;';
const haproxy = (more, timeouts = '1m') => (p) => [['haproxy', '-db', '-f', p.config], `global\n\tmaxconn 200\ndefaults\n\tmode http\n\ttimeout connect 5s
	timeout client ${timeouts}\n\ttimeout server ${timeouts}\n${more}\nfrontend in\n\tbind 127.0.0.1:${p.port}\n${p.refuses ?? ''}\tdefault_backend out\nbackend out\n\tserver one ${p.target}\n`];
const denies = { refuses: '\thttp-request deny if { req.hdr(Upgrade) -m found }\n' };
/* The inner one eats X-Accel-Buffering. */
const twoNginx = (p) => {
	const [command, text] = nginx('')(p);
	const outer = `server { listen 127.0.0.1:${p.port}; location / { proxy_pass http://unix:${p.folder}/inner; } }`;

	return [command, text.replace(`listen 127.0.0.1:${p.port}`, `listen unix:${p.folder}/inner`).replace(/ \}\n$/, ` ${outer} }\n`)];
};
const lighttpd = (p) => [['lighttpd', '-D', '-f', p.config], `server.document-root = "${p.folder}"\nserver.bind = "127.0.0.1"\nserver.port = ${p.port}
	server.modules = ( "mod_proxy" )\nproxy.server = ( "" => (( "host" => "127.0.0.1", "port" => ${p.target.split(':')[1]} )) )\n`];
const caddy = (more) => (p) => [['caddy', 'run', '--adapter', 'caddyfile', '--config', p.config], `{\n\tadmin off\n\tauto_https off\n}\nhttp://127.0.0.1:${p.port} {
	${more}\n\treverse_proxy ${p.target} {\n\t\theader_up Host {host}:{port}\n\t}\n}\n`];
const squid = (safe) => (p) => [['squid', '-N', '-n', `doctor${p.port}`, '-f', p.config], `http_port 127.0.0.1:${p.port}\npinger_enable off\nnetdb_filename none\ncache deny all
cache_mem 1 MB\naccess_log none\ncache_log ${p.folder}/cache.log\npid_filename none\ncoredump_dir ${p.folder}\nshutdown_lifetime 0 seconds\nvisible_hostname squid.example
acl ok port ${safe}\nhttp_access deny CONNECT !ok\nhttp_access allow all\n`];
const privoxy = (p) => [['privoxy', '--no-daemon', p.config], `confdir ${p.folder}\nlogdir ${p.folder}\nlisten-address 127.0.0.1:${p.port}\nactionsfile ${p.folder}/a.action\nfilterfile ${p.folder}/a.filter\nbuffer-limit 4096\n`,
	{ 'a.action': '{ +filter{nothing} +prevent-compression }\n/\n', 'a.filter': 'FILTER: nothing\ns/never-to-be-found/x/\n' }];
const tinyproxy = (more) => (p) => [['tinyproxy', '-d', '-c', p.config], `Port ${p.port}\nListen 127.0.0.1\nTimeout 600\nLogLevel Error\nMaxClients 100\n${more}\n`];

/* What it is called, how it is configured, the causes, the options of the doctor, and what else must be so. */
const PROXIES = [
	['nginx as it comes', nginx(''), ['upgrade_refused'], { more: (found) => equal(found.best, 'xhr_streaming', 'what clients use') }],
	['nginx as it comes, endpoint with its own origin only', nginx(''), ['origin_rewritten'], { path: '/own' }],
	['nginx with Upgrade', nginx(upgrades), ['ok'], { more: (found) => check(found.info.answer.headers.some((h) => h.name === 'Server' && /nginx/.test(h.value)), `no Server: ${JSON.stringify(found.info.answer)}`) }],
	['nginx that buffers and ignores X-Accel', nginx('proxy_ignore_headers X-Accel-Buffering; proxy_http_version 1.0;'), ['streams_held', 'upgrade_refused'], {}],
	['nginx with a read time-out of 3 s', nginx(`${upgrades} proxy_read_timeout 3s;`), ['idle_cut'], { options: ['--idle', '8'] }],
	['HAProxy', haproxy('\toption http-no-delay'), ['ok'], {}],
	['HAProxy without Upgrade and without http-no-delay', haproxy(''), ['streams_late', 'upgrade_refused'], { facts: denies,
		more: (found) => check(way(found, 'xhr_streaming').lag_ms >= 150, shown(found)) }],
	['HAProxy with a time-out of 3 s', haproxy('\toption http-no-delay', '3s'), ['idle_cut'], { options: ['--idle', '8'] }],
	['two nginx in a row', twoNginx, ['streams_held', 'upgrade_refused'], { more: (found) => equal(found.best, 'xhr', 'what clients use') }],
	['lighttpd', lighttpd, ['streams_held', 'upgrade_refused'], { more: (found) => equal(found.best, 'xhr', 'what clients use') }],
	['caddy', caddy(''), ['ok'], { more: (found) => check(found.info.answer.headers.some((h) => h.name === 'Server' && h.value === 'Caddy'), `no Server: ${JSON.stringify(found.info.answer)}`) }],
	['caddy that compresses', caddy('encode gzip'), ['streams_held'], { more: (found) => check(way(found, 'xhr_streaming').flow !== 'at-once', shown(found)) }],
	['Squid that lets any port through', squid('1-65535'), ['ok'], { isForward: true }],
	['Squid that lets port 443 through', squid('443'), ['upgrade_refused'], { isForward: true }],
	['privoxy', privoxy, ['streams_held'], { isForward: true }],
	['tinyproxy that lets any port through', tinyproxy(''), ['ok'], { isForward: true }],
	['tinyproxy that lets port 443 through', tinyproxy('ConnectPort 443'), ['upgrade_refused'], { isForward: true,
		more: (found) => { equal(way(found, 'websocket').failure.kind, 'proxy', 'why'); equal(found.best, 'xhr_streaming', 'what clients use'); } }],
];

async function start(world, name, kind, facts) {
	const p = { ...facts, target: world.target, port: await freePort(), folder: join(world.folder, name.replace(/\W/g, '')), log: '' };
	p.config = join(p.folder, 'config');
	mkdirSync(p.folder, { recursive: true });
	const [[program, ...args], text, files = {}] = kind(p);
	for (const [file, content] of Object.entries({ config: text, ...files }))
		writeFileSync(join(p.folder, file), content);
	p.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
	children.add(p.child);
	for (const output of [p.child.stdout, p.child.stderr])
		output.on('data', (d) => { p.log = (p.log + d).slice(-2000); });
	p.child.on('error', (e) => { p.log += e.message; p.isOver = true; });
	p.ended = once(p.child, 'close').then(() => { p.isOver = true; children.delete(p.child); });
	await until(() => `${name} listens: ${p.log}`, async () => p.isOver || answers(p.port));
	check(!p.isOver, `${name}: ${p.log}`);
	return p;
}

async function testForward({ suite, target, folder }) {
	/* The name is one that only the proxy would look up. */
	const by = async (name, rules, causes, more = () => {}) => suite.test(`by the hostile proxy, ${name}: ${causes}`, async () => {
		const proxy = await Proxy.start(target, rules);

		try {
			const found = await Doctor.json('http://gateway.invalid:8080/echo', ['--proxy', proxy.url]);
			check(JSON.stringify(found.causes) === JSON.stringify(causes), shown(found));
			more(found);
		} finally {
			await proxy.stop();
		}
	});

	await by('which does no harm', [], ['ok'], (found) => check(found.line.proxy, 'it went by the proxy'));
	await by('which lets CONNECT to port 443 pass alone', ['connect only 443'], ['upgrade_refused']);
	await by('which holds streams', ['connect only 443', 'hold'], ['streams_held', 'upgrade_refused']);
	await suite.test('TLS goes through a forward proxy, and the certificate is checked', async () => {
		const { certificate } = makeCertificate(folder);
		const port = await freePort();
		writeFileSync(join(folder, 'tls.json'), JSON.stringify({ listen: [{ address: `127.0.0.1:${port}`, tls: { certificate, key: certificate.replace('.pem', '.key') } }],
			endpoints: [{ prefix: '/echo', application: 'echo' }] }));
		const child = spawn(Doctor.program, ['-c', join(folder, 'tls.json'), '--log-level', 'error'], { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
		children.add(child);
		const ended = once(child, 'close').then(() => children.delete(child));
		await until('the gateway listens', () => answers(port));
		const proxy = await Proxy.start(`127.0.0.1:${port}`, ['connect only ' + port]);

		try {
			const url = `https://127.0.0.1:${port}/echo`;
			equal((await Doctor.json(url, ['--ca', certificate])).causes, ['ok'], 'directly');
			equal((await Doctor.json(url, ['--ca', certificate, '--proxy', proxy.url])).causes, ['ok'], 'by the proxy');
			equal((await Doctor.json(url, ['--insecure', '--proxy', proxy.url])).causes, ['ok'], 'of any certificate');
			const refused = await Doctor.json(url, []);
			equal([refused.cause, refused.line.failure.kind], ['unreachable', 'tls'], 'of strangers');
		} finally {
			await proxy.stop();
			end(child, 'SIGTERM');
			await ended;
		}
	});
}

export async function testProxies(world) {
	for (const [name, kind, causes, { path = '/echo', options = [], facts = {}, isForward, more = () => {} }] of PROXIES)
		await world.suite.test(`${name}: ${causes.join(', ')}`, async () => {
			const p = await start(world, name, kind, facts);
			const url = `http://127.0.0.1:${p.port}`;

			try {
				const found = await (isForward ? Doctor.json(world.url + path, ['--proxy', url, ...options]) : Doctor.json(url + path, options));
				check(JSON.stringify(found.causes) === JSON.stringify(causes), shown(found));
				more(found);
			} finally {
				end(p.child, 'SIGTERM');
				await Promise.race([p.ended, until('it ends', () => p.isOver, 2000).catch(() => end(p.child, 'SIGKILL'))]);
				await p.ended;
			}
		});
	await testForward(world);
}
