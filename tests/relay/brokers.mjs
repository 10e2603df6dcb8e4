/*
 * brokers.mjs - real servers for the tests of the relay and of the engine: RabbitMQ, ActiveMQ and nats-server, each on
 * loopback alone, on free ports, in a temporary folder of its own; no service of the system is touched.
 *
 *	const broker = new RabbitMq({ users: { alice: { password: 'secret' } } });
 *	await broker.start();            it answers a CONNECT by now
 *	broker.url, broker.port          stomp://127.0.0.1:PORT; of TLS tlsUrl, tlsPort; more below
 *	await broker.stop()              in order; the exit code, or the signal's name
 *	await broker.kill()              SIGKILL, all of its processes
 *	await broker.restart()           same ports, same data; after kill() too
 *	broker.pause(), broker.resume()  SIGSTOP, SIGCONT
 *	broker.memory(), broker.cpu()    octets resident, seconds of processor
 *	broker.connections()             that it has accepted at its ports for clients
 *	broker.log()                     what it has said
 *	await broker.remove()            ends it, and removes its folder
 *
 * Whatever ends this program, SIGKILL too, no server and no folder outlives it: a keeper, a small shell, notices the
 * end of its standard input, and ends what it was told of by process group, and nothing else.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { patient, withDeadline } from '../e2e/harness.mjs';
import { Line } from './frames.mjs';

const START_MS = 60000;
const STOP_MS = 40000;
const ANSWER_MS = 5000;
const TICKS = 100; /* of /proc, a second: sysconf(_SC_CLK_TCK) is that everywhere */

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/* --- who ends what is left ----------------------------------------------------------------------- */

const KEEPER = `
trap '' HUP INT TERM
groups=
while read -r verb what; do
	case $verb in
	run) groups="$groups $what" ;;
	ran) left=; for g in $groups; do [ "$g" = "$what" ] || left="$left $g"; done; groups=$left ;;
	folder) set -- "$@" "$what" ;;
	esac
done
for g in $groups; do kill -s KILL -- "-$g" 2>/dev/null; done
[ $# = 0 ] || { sleep 0.1; rm -rf -- "$@"; }
`;
let keeper = null;

function tell(line) {
	if (!keeper) {
		keeper = spawn('sh', ['-c', KEEPER], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
		keeper.unref();
		keeper.stdin.unref();
		keeper.stdin.on('error', () => {});
	}
	keeper.stdin.write(`${line}\n`);
}

/* --- ports ------------------------------------------------------------------------------------------ */

const taken = new Set();

function isFree(port) {
	return new Promise((resolve) => {
		const server = createServer();

		server.once('error', () => resolve(false));
		server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
	});
}

/* Below those that the kernel gives to connections, so that a server that is started again finds it free. */
export async function freePort() {
	for (let tries = 0; tries < 200; tries++) {
		const port = 10000 + Math.floor(Math.random() * 20000);

		if (!taken.has(port) && await isFree(port)) {
			taken.add(port);
			return port;
		}
	}
	throw new Error('no port is free');
}

/* --- what the kernel knows of processes ----------------------------------------------------------------- */

function stat(pid) {
	const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
	const words = text.slice(text.lastIndexOf(')') + 2).split(' ');

	return { state: words[0], session: Number(words[3]), ticks: words.slice(11, 15).reduce((sum, w) => sum + Number(w), 0) };
}

/* Each server leads a session of its own, which none of its processes leaves. */
function processesOf(session) {
	return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
		try {
			const s = stat(pid);
			return s.session === session && s.state !== 'Z';
		} catch {
			return false;
		}
	});
}

/* Sockets that are connected to one of these ports here, and that somebody has accepted: they have an inode by then. */
function acceptedAt(ports) {
	const wanted = new Set(ports.map((p) => p.toString(16).toUpperCase().padStart(4, '0')));
	const lines = ['tcp', 'tcp6'].flatMap((file) => readFileSync(`/proc/net/${file}`, 'utf8').trim().split('\n').slice(1));

	return lines.map((l) => l.trim().split(/\s+/)).filter(([, local, , state, , , , , , inode]) =>
		wanted.has(local.split(':').at(-1)) && state === '01' && inode !== '0').length;
}

/* --- what all of them have in common ------------------------------------------------------------------- */

class Broker {
	folder = null;
	starts = 0; /* how often it was begun */
	#child = null;
	#ended = null;
	#paused = false;

	get pid() {
		return this.#child?.pid ?? null;
	}

	get running() {
		return this.#child !== null;
	}

	/* Did it end without being asked to? */
	get died() {
		return this.#child !== null && (this.#child.exitCode !== null || this.#child.signalCode !== null);
	}

	get host() {
		return '127.0.0.1';
	}

	get url() {
		return `stomp://127.0.0.1:${this.port}`;
	}

	get tlsUrl() {
		return `stomps://127.0.0.1:${this.tlsPort}`;
	}

	log() {
		const file = join(this.folder, 'out');

		return existsSync(file) ? readFileSync(file, 'utf8') : '';
	}

	async start() {
		if (this.#child)
			throw new Error(`${this.name} runs already`);
		if (!this.folder) {
			this.folder = mkdtempSync(join(tmpdir(), `${this.name}-`));
			tell(`folder ${this.folder}`);
			await this.prepare();
		}
		await this.before?.();
		this.#begin(this.command());
		try {
			await this.#untilItAnswers();
		} catch (e) {
			await this.kill();
			throw e;
		}
		return this;
	}

	#begin({ program, args = [], env = {} }) {
		const out = openSync(join(this.folder, 'out'), 'a');

		this.starts++;
		this.#child = spawn(program, args, { stdio: ['ignore', out, out], cwd: this.folder, detached: true, env: { ...process.env, ...env } });
		this.#ended = once(this.#child, 'exit').catch((e) => [e.code]);
		if (this.#child.pid)
			tell(`run ${this.#child.pid}`);
	}

	async #untilItAnswers() {
		const deadline = performance.now() + patient(START_MS);
		let why = 'nothing yet';

		while (performance.now() < deadline) {
			if (this.died || !this.pid)
				throw new Error(`${this.name} ended early: ${this.log().trim().split('\n').slice(-5).join(' | ')}`);
			const failed = await withDeadline(this.answers(), ANSWER_MS, 'an answer').then(() => null, (e) => e);
			if (!failed)
				return;
			why = failed.message;
			await sleep(100);
		}
		throw new Error(`${this.name} does not answer: ${why}`);
	}

	/* Its own processes that are left when the first has ended, if it did not end them. */
	async #sweep(pid) {
		try {
			process.kill(-pid, 'SIGKILL');
		} catch { /* nobody is left */ }
		for (let left; (left = processesOf(pid)).length; await sleep(20)) {
			for (const p of left) {
				try {
					process.kill(p, 'SIGKILL');
				} catch { /* it has gone meanwhile */ }
			}
		}
		tell(`ran ${pid}`);
	}

	async #end(signal) {
		const child = this.#child;

		if (!child?.pid) {
			this.#child = null;
			return 0;
		}
		this.#paused = false;
		if (!this.died) {
			process.kill(signal === 'SIGKILL' ? -child.pid : child.pid, signal);
			if (signal !== 'SIGKILL')
				process.kill(child.pid, 'SIGCONT');
		}
		try {
			const [code, by] = await withDeadline(this.#ended, STOP_MS, `${this.name} ends after ${signal}`);
			return code ?? by;
		} finally {
			this.#child = null;
			await this.#sweep(child.pid);
		}
	}

	stop() {
		return this.#end('SIGTERM');
	}

	kill() {
		return this.#end('SIGKILL');
	}

	async restart() {
		await this.stop();
		return this.start();
	}

	/* It answers nothing, and the kernel still accepts for it. */
	pause() {
		process.kill(this.pid, 'SIGSTOP');
		this.#paused = true;
	}

	resume() {
		process.kill(this.pid, 'SIGCONT');
		this.#paused = false;
	}

	get paused() {
		return this.#paused;
	}

	memory() {
		return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
	}

	cpu() {
		let ticks = 0;

		for (const pid of processesOf(this.pid)) {
			try {
				ticks += stat(pid).ticks;
			} catch { /* it has gone meanwhile */ }
		}
		return ticks / TICKS;
	}

	connections() {
		return acceptedAt(this.clientPorts());
	}

	async remove() {
		await this.kill();
		await this.after?.();
		if (this.folder)
			rmSync(this.folder, { recursive: true, force: true });
		this.folder = null;
	}
}

/* Is it a broker of STOMP, and ready for these? */
async function answersStomp(url, headers) {
	const line = new Line(url);

	try {
		const { command, text } = await line.connect(headers);
		if (command !== 'CONNECTED')
			throw new Error(`${command}: ${text}`);
	} finally {
		line.cut();
	}
}

/* --- RabbitMQ ---------------------------------------------------------------------------------------------- */

const RABBIT = '/usr/lib/rabbitmq/bin';
const GUEST = { guest: { password: 'guest', tags: 'administrator' } };

/* As RabbitMQ keeps it: a salt, and SHA-256 of salt and password. */
function rabbitHash(password) {
	const salt = randomBytes(4);

	return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]).toString('base64');
}

/*
 * What it has from the start. `users` are { NAME: { password, tags, permissions, topics } }: permissions are
 * { VHOST: [configure, write, read] }, all of the first vhost unless given; topics { VHOST: [write, read] }, expressions
 * for routing keys of the exchange amq.topic, that is a.b of /topic/a.b.
 */
function rabbitDefinitions(users, vhosts) {
	const entries = Object.entries(users);

	return {
		users: entries.map(([name, { password, tags = '' }]) => ({ name, password_hash: rabbitHash(password),
			hashing_algorithm: 'rabbit_password_hashing_sha256', tags })),
		vhosts: vhosts.map((name) => ({ name })),
		permissions: entries.flatMap(([user, { permissions = { [vhosts[0]]: ['.*', '.*', '.*'] } }]) =>
			Object.entries(permissions).map(([vhost, [configure, write, read]]) => ({ user, vhost, configure, write, read }))),
		topic_permissions: entries.flatMap(([user, { topics = {} }]) =>
			Object.entries(topics).map(([vhost, [write, read]]) => ({ user, vhost, exchange: 'amq.topic', write, read }))),
	};
}

export class RabbitMq extends Broker {
	name = 'rabbitmq';
	#env;
	#epmd = null;

	/*
	 * users, vhosts   as above; the first user is who asks whether it is ready
	 * definitions     more of a definitions file: { queues: [...], policies: [...] }
	 * tls             { cert, key, ca } are paths; with `ca` and `verify` it wants a certificate of the client
	 * webStomp        STOMP over WebSocket at ws://127.0.0.1:webPort/ws
	 * conf            more lines of rabbitmq.conf
	 */
	constructor({ users = GUEST, vhosts = ['/'], definitions = {}, tls = null, webStomp = false, conf = [] } = {}) {
		super();
		this.options = { users, vhosts, definitions, tls, webStomp, conf };
	}

	/* CONNECT is known to it with these. */
	credentials(user = Object.keys(this.options.users)[0]) {
		return { login: user, passcode: this.options.users[user].password, host: this.options.vhosts[0] };
	}

	get webUrl() {
		return `ws://127.0.0.1:${this.webPort}/ws`;
	}

	clientPorts() {
		return [this.port, this.tlsPort, this.webPort].filter(Boolean);
	}

	async prepare() {
		const { users, vhosts, definitions, tls, webStomp, conf } = this.options;
		const at = (name) => join(this.folder, name);

		this.port = await freePort();
		this.tlsPort = tls && await freePort();
		this.webPort = webStomp && await freePort();
		this.names = await freePort();
		for (const name of ['db', 'log', 'home'])
			mkdirSync(at(name));
		writeFileSync(at('definitions.json'), JSON.stringify({ ...rabbitDefinitions(users, vhosts), ...definitions }));
		writeFileSync(at('enabled_plugins'), `[rabbitmq_stomp${webStomp ? ',rabbitmq_web_stomp' : ''}].`);
		writeFileSync(at('rabbitmq.conf'), [
			'listeners.tcp = none',
			`load_definitions = ${at('definitions.json')}`,
			`stomp.listeners.tcp.1 = 127.0.0.1:${this.port}`,
			...(tls ? [`stomp.listeners.ssl.1 = 127.0.0.1:${this.tlsPort}`, `ssl_options.certfile = ${tls.cert}`, `ssl_options.keyfile = ${tls.key}`,
				...(tls.ca ? [`ssl_options.cacertfile = ${tls.ca}`] : []),
				`ssl_options.verify = verify_${tls.verify ? 'peer' : 'none'}`, `ssl_options.fail_if_no_peer_cert = ${Boolean(tls.verify)}`] : []),
			...(webStomp ? ['web_stomp.tcp.ip = 127.0.0.1', `web_stomp.tcp.port = ${this.webPort}`] : []),
			'log.console = false',
			'log.file.level = warning',
			...conf,
		].map((l) => `${l}\n`).join(''));
		this.#env = {
			HOME: at('home'), ERL_CRASH_DUMP_SECONDS: '0', ERL_EPMD_ADDRESS: '127.0.0.1', ERL_EPMD_PORT: String(this.names),
			RABBITMQ_DIST_PORT: String(await freePort()), RABBITMQ_NODENAME: 'rabbit@localhost',
			RABBITMQ_MNESIA_BASE: at('db'), RABBITMQ_LOG_BASE: at('log'), RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'),
			RABBITMQ_ENABLED_PLUGINS_FILE: at('enabled_plugins'), RABBITMQ_PID_FILE: at('rabbit.pid'),
			RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
		};
	}

	/* The names of nodes, kept by a process of ours: Erlang would start one that stays. */
	async before() {
		if (this.#epmd)
			return;
		this.#epmd = spawn('epmd', ['-port', String(this.names), '-address', '127.0.0.1'], { stdio: 'ignore', detached: true });
		tell(`run ${this.#epmd.pid}`);
		const listens = () => new Promise((resolve) => {
			const s = createConnection(this.names, '127.0.0.1', () => { s.destroy(); resolve(true); });
			s.on('error', () => resolve(false));
		});
		const wait = async () => {
			while (!await listens())
				await sleep(50);
		};
		await withDeadline(wait(), ANSWER_MS, 'epmd listens');
	}

	async after() {
		if (!this.#epmd)
			return;
		const ended = once(this.#epmd, 'exit');

		this.#epmd.kill('SIGKILL');
		await ended;
		tell(`ran ${this.#epmd.pid}`);
		this.#epmd = null;
	}

	/* With `detached` the script becomes the server, instead of waiting for it. */
	command() {
		return { program: `${RABBIT}/rabbitmq-server`, args: ['-noinput'], env: { ...this.#env, detached: '1' } };
	}

	async answers() {
		await answersStomp(this.url, this.credentials());
		if (this.tlsPort && !this.options.tls.verify)
			await answersStomp(this.tlsUrl, this.credentials());
	}

	log() {
		const file = join(this.folder, 'log', 'rabbit@localhost.log');

		return super.log() + (existsSync(file) ? readFileSync(file, 'utf8') : '');
	}

	/* rabbitmqctl of this one; what it prints. Takes seconds. */
	async ctl(...args) {
		const { stdout } = await promisify(execFile)(`${RABBIT}/rabbitmqctl`, ['-q', ...args], { env: { ...process.env, ...this.#env } });

		return stdout;
	}
}

/* --- ActiveMQ ------------------------------------------------------------------------------------------------ */

/* XStream and Jettison turn advisories into text; the package does not depend on them. */
const JARS = '/usr/share/activemq/lib/*:/usr/share/activemq/lib/optional/*:/usr/share/java/xstream.jar:/usr/share/java/jettison.jar';
let compiled = null; /* a folder with the classes, made once */

function compile() {
	if (!compiled) {
		compiled = mkdtempSync(join(tmpdir(), 'activemq-classes-'));
		tell(`folder ${compiled}`);
		execFileSync('javac', ['-cp', JARS, '-d', compiled, fileURLToPath(new URL('ActiveMqBroker.java', import.meta.url))],
			{ stdio: ['ignore', 'ignore', 'inherit'] });
	}
	return compiled;
}

export class ActiveMq extends Broker {
	name = 'activemq';

	/*
	 * users      { NAME: { password, groups: 'a,b' } }; nobody is asked for a name if there are none
	 * allow      [['topic', 'secret.>', READERS, WRITERS, ADMINS], ...], groups with commas between, or '-' for nobody;
	 *            who has users too needs entries for what is to be allowed, advisories (ActiveMQ.Advisory.>) among it
	 * nio        stomp+nio
	 * tls        { cert, key, ca } are paths; with `ca` and `verify` it wants a certificate of the client
	 * transport  options of the address, as `transport.hbGracePeriodMultiplier=1.5`
	 * memory     octets for messages; heap that of Java; persistent, advisory, flowControl
	 */
	constructor({ users = {}, allow = [], anonymous, nio = false, tls = null, transport = [], memory = 64 << 20, heap = '512m', persistent = false,
		advisory = true, flowControl = true } = {}) {
		super();
		this.options = { users, allow, anonymous, nio, tls, transport, memory, heap, persistent, advisory, flowControl };
	}

	credentials(user = Object.keys(this.options.users)[0]) {
		return user ? { login: user, passcode: this.options.users[user].password } : {};
	}

	clientPorts() {
		return [this.port, this.tlsPort].filter(Boolean);
	}

	async prepare() {
		const { users, allow, anonymous, nio, tls, transport, memory, persistent, advisory, flowControl } = this.options;
		const at = (name) => join(this.folder, name);
		const query = (more) => ([...transport, ...more].length ? `?${[...transport, ...more].join('&')}` : '');

		this.port = await freePort();
		this.tlsPort = tls && await freePort();
		mkdirSync(at('data'));
		if (tls)
			execFileSync('openssl', ['pkcs12', '-export', '-in', tls.cert, '-inkey', tls.key, '-passout', 'pass:secret', '-out', at('keys.p12')]);
		if (tls?.ca)
			execFileSync('keytool', ['-importcert', '-noprompt', '-alias', 'ca', '-file', tls.ca, '-storetype', 'PKCS12', '-storepass', 'secret',
				'-keystore', at('trust.p12')], { stdio: 'ignore' });
		writeFileSync(at('properties'), [
			`data=${at('data')}`,
			`connector.1=stomp${nio ? '+nio' : ''}://127.0.0.1:${this.port}${query([])}`,
			...(tls ? [`connector.2=stomp+ssl://127.0.0.1:${this.tlsPort}${query(tls.verify ? ['needClientAuth=true'] : [])}`] : []),
			...Object.entries(users).map(([name, { password, groups = '' }]) => `user.${name}=${password} ${groups}`),
			...allow.map((words, i) => `allow.${i}=${words.join(' ')}`),
			...(anonymous ? [`anonymous=${anonymous}`] : []),
			`memory=${memory}`, `persistent=${persistent}`, `advisory=${advisory}`, `flow_control=${flowControl}`,
		].map((l) => `${l}\n`).join(''));
	}

	command() {
		const stores = this.options.tls ? ['keyStore', ...(this.options.tls.ca ? ['trustStore'] : [])] : [];

		return { program: 'java', args: [`-Xmx${this.options.heap}`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto',
			'-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
			...stores.flatMap((s) => [`-Djavax.net.ssl.${s}=${join(this.folder, s === 'keyStore' ? 'keys.p12' : 'trust.p12')}`,
				`-Djavax.net.ssl.${s}Password=secret`, `-Djavax.net.ssl.${s}Type=PKCS12`]),
			'-cp', `${compile()}:/usr/share/java/slf4j-simple.jar:${JARS}`, 'ActiveMqBroker', join(this.folder, 'properties')] };
	}

	async answers() {
		if (!/^ready$/m.test(this.log()))
			throw new Error('not ready');
		await answersStomp(this.url, this.credentials());
		if (this.tlsPort && !this.options.tls.verify)
			await answersStomp(this.tlsUrl, this.credentials());
	}
}

/* --- nats-server ----------------------------------------------------------------------------------------------- */

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function base32(octets) {
	let bits = 0, held = 0, text = '';

	for (const octet of octets) {
		held = (held << 8 | octet) & 0xffff;
		for (bits += 8; bits >= 5; bits -= 5)
			text += BASE32[held >> (bits - 5) & 31];
	}
	return bits ? text + BASE32[held << (5 - bits) & 31] : text;
}

/* CRC-16 of XMODEM, the low octet first. */
function checked(octets) {
	let crc = 0;

	for (const octet of octets) {
		crc ^= octet << 8;
		for (let i = 0; i < 8; i++)
			crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
	}
	return base32(Buffer.concat([octets, Buffer.of(crc & 255, crc >> 8)]));
}

/* A user's key as NATS writes it: `seed` SU..., `publicKey` U..., and the key itself, with which to sign a nonce. */
export function makeNkey() {
	const { privateKey } = generateKeyPairSync('ed25519');
	const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
	const key = createPublicKey(createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' }))).export({ format: 'der', type: 'spki' }).subarray(-32);
	const USER = 20 << 3, SEED = 18 << 3;

	return { privateKey, publicKey: checked(Buffer.concat([Buffer.of(USER), key])),
		seed: checked(Buffer.concat([Buffer.of(SEED | USER >> 5, (USER & 31) << 3), seed])) };
}

const natsProgram = () => ['/usr/sbin/nats-server', '/usr/bin/nats-server', '/usr/local/bin/nats-server'].find(existsSync) ?? 'nats-server';

export class Nats extends Broker {
	name = 'nats';

	/*
	 * jetstream   true unless said otherwise
	 * user, password, token, nkey (a public one): who may come; `authorization` in place of them is that block's text
	 * tls         { cert, key, ca } are paths; with `ca` and `verify` it wants a certificate of the client
	 * websocket   also at ws://127.0.0.1:webPort
	 * conf        more lines of its configuration
	 */
	constructor({ serverName, jetstream = true, user, password, token, nkey, authorization, tls = null, websocket = false, conf = [], cluster = null } = {}) {
		super();
		this.options = { serverName, jetstream, user, password, token, nkey, authorization, tls, websocket, conf, cluster };
	}

	get url() {
		return `nats://127.0.0.1:${this.port}`;
	}

	get monitor() {
		return `http://127.0.0.1:${this.monitorPort}`;
	}

	clientPorts() {
		return [this.port, this.webPort].filter(Boolean);
	}

	/* Ports first: those of a cluster must know each other's. */
	async choosePorts() {
		this.port ??= await freePort();
		this.monitorPort ??= await freePort();
		if (this.options.websocket)
			this.webPort ??= await freePort();
		if (this.options.cluster)
			this.routePort ??= await freePort();
	}

	async prepare() {
		const { serverName, jetstream, user, password, token, nkey, authorization, tls, websocket, conf, cluster } = this.options;
		const q = JSON.stringify;
		const may = authorization ?? (user ? `user: ${q(user)}, password: ${q(password)}` : token ? `token: ${q(token)}` : nkey ? `users: [{ nkey: ${nkey} }]` : '');

		await this.choosePorts();
		writeFileSync(join(this.folder, 'nats.conf'), [
			`listen: "127.0.0.1:${this.port}"`,
			`http: "127.0.0.1:${this.monitorPort}"`,
			...(serverName ? [`server_name: ${q(serverName)}`] : []),
			...(jetstream ? [`jetstream { store_dir: ${q(join(this.folder, 'store'))} }`] : []),
			...(may ? [`authorization { ${may} }`] : []),
			...(tls ? [`tls { cert_file: ${q(tls.cert)}, key_file: ${q(tls.key)}${tls.ca ? `, ca_file: ${q(tls.ca)}` : ''}, verify: ${Boolean(tls.verify)} }`] : []),
			...(websocket ? [`websocket { listen: "127.0.0.1:${this.webPort}", no_tls: true }`] : []),
			...(cluster ? [`cluster { name: ${q(cluster.name)}, listen: "127.0.0.1:${this.routePort}", routes: [${cluster.routes().map(q)}] }`] : []),
			...conf,
		].map((l) => `${l}\n`).join(''));
	}

	/* Other options, from the next start on. */
	async configure(options) {
		Object.assign(this.options, options);
		await this.prepare();
	}

	command() {
		return { program: natsProgram(), args: ['-c', join(this.folder, 'nats.conf')] };
	}

	/* It says INFO and, to who may come with what is known here, PONG. JetStream answers by then too. */
	async answers() {
		const { user, password, token, nkey, authorization, tls } = this.options;

		await greet(this, nkey || authorization || tls?.verify ? null : { user, pass: password, auth_token: token }, Boolean(tls));
		if (this.options.jetstream) {
			const health = await fetch(`${this.monitor}/healthz`);
			const body = await health.text();
			if (!health.ok)
				throw new Error(body);
		}
	}

	async ask(path) {
		return (await fetch(`${this.monitor}/${path}`)).json();
	}
}

/* CONNECT and PING of the protocol of NATS; with nothing to say for oneself INFO will do. */
function greet({ port }, who, overTls) {
	return new Promise((resolve, reject) => {
		let socket = createConnection(port, '127.0.0.1');
		let heard = '';
		const end = (fn, value) => { socket.destroy(); fn(value); };
		const take = (piece) => {
			heard += piece;
			if (/^-ERR.*\r\n/m.test(heard))
				end(reject, new Error(heard.trim()));
			else if (/^PONG\r\n/m.test(heard))
				end(resolve);
		};
		const say = () => socket.write(`CONNECT ${JSON.stringify({ verbose: false, ...who })}\r\nPING\r\n`);

		socket.on('error', (e) => end(reject, e));
		socket.on('close', () => reject(new Error('closed')));
		socket.once('data', (info) => {
			if (!String(info).startsWith('INFO '))
				return end(reject, new Error(String(info)));
			if (!who)
				return end(resolve);
			if (overTls) {
				socket = connectTls({ socket, rejectUnauthorized: false }, say);
				socket.on('error', (e) => end(reject, e));
			} else {
				say();
			}
			socket.on('data', take);
		});
	});
}

/* Three (or so many) that are one: `servers` are Nats each, start() waits until they have a leader. */
export class NatsCluster {
	servers;

	constructor({ size = 3, ...options } = {}) {
		const cluster = { name: 'cluster', routes: () => this.servers.map((s) => `nats://127.0.0.1:${s.routePort}`) };

		this.servers = Array.from({ length: size }, (_, i) => new Nats({ ...options, serverName: `n${i + 1}`, cluster }));
	}

	get urls() {
		return this.servers.map((s) => s.url);
	}

	/* Which of them leads JetStream. */
	async leader() {
		const [running] = this.servers.filter((s) => s.running && !s.paused);
		const { meta_cluster: meta } = await running.ask('jsz');

		return this.servers.find((s) => s.options.serverName === meta?.leader && s.running) ?? null;
	}

	async start() {
		for (const server of this.servers)
			await server.choosePorts();
		await Promise.all(this.servers.map((s) => s.start()));
		const led = async () => {
			while (!await this.leader().catch(() => null))
				await sleep(100);
		};
		await withDeadline(led(), START_MS, 'the cluster has a leader');
		return this;
	}

	async stop() {
		await Promise.all(this.servers.map((s) => s.stop()));
	}

	async remove() {
		await Promise.all(this.servers.map((s) => s.remove()));
	}
}

/* What is missing for one of them, as a sentence, or null. */
export function missing(Kind) {
	const needs = {
		RabbitMq: [[`${RABBIT}/rabbitmq-server`, 'rabbitmq-server']],
		ActiveMq: [['/usr/share/java/activemq-stomp.jar', 'activemq'], ['/usr/bin/javac', 'default-jdk-headless']],
		Nats: [[natsProgram(), 'nats-server']],
	}[Kind.name];
	const [, what] = needs.find(([file]) => !existsSync(file)) ?? [];

	return what ? `${what} is not installed: script/bootstrap` : null;
}
