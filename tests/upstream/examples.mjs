/*
 * examples.mjs - the chats of examples/upstream, which know nothing of SockJS, behind the gateway:
 * over every transport, and with sockjs-client as it comes from npm.
 *
 * Owns the processes of the chats, and ends them.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join as path } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { check, equal, withDeadline } from '../e2e/harness.mjs';
import { KINDS, open } from './clients.mjs';
import { until } from './gateway.mjs';

globalThis.SockJS = createRequire(import.meta.url)('sockjs-client');
await import('../e2e/client.js');

const { e2e } = globalThis;
const FOLDER = path(dirname(fileURLToPath(import.meta.url)), '../../examples/upstream');
const START_MS = 20000;
const ROUNDS = 3, SAYINGS = 100; /* fewer at a time than what a chat lets somebody be behind */
const MESSAGE_MAX_BYTES = 4096; /* of a chat */
const TEXTS = ['hello', 'Grüße, 世界 🚂', '\u{1f600}'.repeat(500), 'a "\\ \u0000 \u001f\u007f.', 'a\u2028b\u2029</script>'];
/* Those of sockjs-client that need no document, and what the backend is told. */
const TRANSPORTS = { websocket: 'websocket', 'xhr-streaming': 'xhr_streaming', eventsource: 'eventsource', 'xhr-polling': 'xhr' };

/* --- the chats ---------------------------------------------------------------- */

function findPython() {
	const python = ['/usr/bin/python3', 'python3'].find((p) => spawnSync(p, ['-c', 'import websockets']).status === 0);

	check(python, 'there is no Python with websockets; Debian: python3-websockets');
	return python;
}

function buildGo(folder) {
	execFileSync('go', ['build', '-o', path(folder, 'chat'), path(FOLDER, 'chat.go')], { stdio: ['ignore', 'ignore', 'pipe'] });
	return path(folder, 'chat');
}

const COMMANDS = {
	node: () => [process.execPath, path(FOLDER, 'chat.mjs')],
	python: () => [findPython(), path(FOLDER, 'chat.py')],
	go: (folder) => [buildGo(folder)],
};

/* Its URL, once it says where it listens. */
async function startChat([program, ...args]) {
	const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, PORT: '0' } });
	const lines = createInterface({ input: child.stdout });

	process.on('exit', () => child.kill('SIGKILL'));
	const [said] = await withDeadline(Promise.race([once(lines, 'line'), once(child, 'exit')]), START_MS, `${program} listens`);
	const [, url] = /listening on (\S+)$/.exec(said) ?? [];
	check(url, `${program} says ${said}`);
	return url;
}

/* All that can be started; what cannot is told by its test. */
export async function startExamples(folder) {
	const chats = {};

	for (const [name, command] of Object.entries(COMMANDS)) {
		chats[name] = { url: `unix:${folder}/no-${name}` };
		try {
			chats[name].url = await startChat(command(folder));
		} catch (e) {
			chats[name].error = e;
			chats[name].missing = name === 'go' && e.code === 'ENOENT';
		}
	}
	return chats;
}

/* --- conversations ------------------------------------------------------------- */

/* One who speaks JSON over anything with send() and next(). */
class Person {
	constructor(line, name) {
		this.line = line;
		this.name = name;
	}

	tell(message) {
		this.line.send(JSON.stringify(message));
	}

	async hears(type, expected) {
		const message = JSON.parse(await this.line.next(`"${type}" for ${this.name}`));

		equal(message.type, type, `what ${this.name} hears`);
		for (const [key, value] of Object.entries(expected))
			equal(message[key], value, `${key} of "${type}" for ${this.name}`);
		return message;
	}
}

/* sockjs-client with send() and next(). */
class Library {
	constructor(url, transport) {
		this.messages = [];
		this.socket = new SockJS(url, null, { transports: [transport], timeout: START_MS });
		this.socket.onmessage = (e) => { this.messages.push(e.data); this.wake?.(); };
		this.socket.onclose = (e) => { this.end = { code: e.code, reason: e.reason }; this.wake?.(); };
		this.opened = new Promise((resolve) => { this.socket.onopen = resolve; });
	}

	send(text) {
		this.socket.send(text);
	}

	async next(what) {
		while (this.messages.length === 0) {
			check(!this.end, `closed (${JSON.stringify(this.end)}) instead of ${what}`);
			await withDeadline(new Promise((resolve) => { this.wake = resolve; }), START_MS, what);
		}
		return this.messages.shift();
	}

	close() {
		this.socket.close();
	}
}

async function openLibrary(url, transport) {
	const line = new Library(url, transport);

	await withDeadline(line.opened, START_MS, `sockjs-client opens by ${transport}`);
	equal(line.socket.transport, transport, 'transport');
	return line;
}

/* The first of a conversation; who was in the last one may just be leaving. */
async function openEmpty(url, name) {
	let person;

	await until('the room is empty', async () => {
		person = new Person(await open(url, 'raw'), name);
		const { here } = await person.hears('welcome', {});
		if (here.length > 0)
			await person.line.close();
		return here.length > 0 ? here.join() : null;
	});
	return person;
}

async function join(person, others) {
	person.tell({ type: 'join', name: person.name });
	for (const p of [person, ...others])
		await p.hears('joined', { name: person.name, here: [...others.map((o) => o.name), person.name].sort() });
}

/* Each text comes to both, once, in order. */
async function say(speaker, both, texts) {
	for (const text of texts)
		speaker.tell({ type: 'say', text });
	for (const text of texts)
		for (const p of both)
			await p.hears('said', { name: speaker.name, text });
}

/* Ada comes by what is tested, Böb by a bare WebSocket. */
async function talk(url, openAda, told) {
	const bob = await openEmpty(url, 'Böb <i>');
	let ada;

	try {
		await join(bob, []);
		ada = new Person(await openAda(), 'Ada');
		equal((await ada.hears('welcome', { here: [bob.name] })).saw['x-sockjs-transport'], told, 'transport that the backend is told');
		await join(ada, [bob]);
		await converse(ada, bob);
	} finally { /* the next ones want an empty room */
		ada?.line.close();
		await bob.line.close();
	}
}

async function converse(ada, bob) {
	await say(ada, [ada, bob], TEXTS);
	await say(bob, [ada, bob], TEXTS);
	for (let round = 0; round < ROUNDS; round++)
		for (const p of [ada, bob])
			await say(p, [ada, bob], Array.from({ length: SAYINGS }, (_, i) => `${round}.${i} of ${p.name}`));
	ada.tell({ type: 'say' });
	await ada.hears('error', {});
	ada.line.close();
	await bob.hears('left', { name: 'Ada', here: [bob.name] });
}

/* The backend's own code for a message that it will not have. */
async function saysTooMuch(url, kind) {
	const line = await open(url, kind);

	line.send('x'.repeat(MESSAGE_MAX_BYTES + 1));
	equal((await line.over()).code, 1009, 'code');
}

async function testChat({ suite, url }, name) {
	const chat = url(`/chat-${name}`);

	await suite.test(`examples, ${name}: its own check, through the gateway`, async () => {
		const child = spawn(process.execPath, [path(FOLDER, 'check.mjs'), `${chat.replace('http', 'ws')}/websocket`], { stdio: 'ignore' });

		equal((await once(child, 'exit'))[0], 0, 'exit code');
	});
	for (const kind of KINDS) {
		const told = kind === 'raw' ? 'websocket_raw' : kind;

		await suite.test(`examples, ${name}, ${kind}: a conversation`, () => talk(chat, () => open(chat, kind), told));
		await suite.test(`examples, ${name}, ${kind}: the backend's close code`, () => saysTooMuch(chat, kind));
	}
	for (const [transport, told] of Object.entries(TRANSPORTS))
		await suite.test(`examples, ${name}, sockjs-client by ${transport}: a conversation`, () =>
			talk(chat, () => openLibrary(chat, transport), told));
}

/* --- sockjs-client before a backend that does as it is asked ------------------------ */

async function testLibrary({ suite, url }, transport) {
	const well = async (complaint) => equal(await complaint, null, 'complaint');
	const closing = (habit) => new Promise((resolve) => {
		const client = new Library(`${url('/app')}?do=${habit}`, transport);

		client.socket.onopen = () => client.send('now');
		client.socket.onclose = (e) => resolve({ code: e.code, reason: e.reason, wasClean: e.wasClean });
	});

	for (const kind of ['plain', '100 KiB', '1,000 ordered'])
		await suite.test(`sockjs-client, ${transport}: echoes ${kind}`, () => well(e2e.echo(url('/big'), transport, kind)));
	await suite.test(`sockjs-client, ${transport}: the backend's code and reason`, async () =>
		equal(await closing('closeLater&n=4567'), { code: 4567, reason: 'as asked', wasClean: true }, 'close event'));
	await suite.test(`sockjs-client, ${transport}: a backend that hangs up`, async () =>
		equal(await closing('hangUp'), { code: 1012, reason: 'The application went away', wasClean: true }, 'close event'));
	await suite.test(`sockjs-client, ${transport}: a backend that refuses`, async () =>
		equal(await closing('refuse&n=403'), { code: 4403, reason: 'Forbidden', wasClean: true }, 'close event'));
	await suite.test(`sockjs-client, ${transport}: closes by itself`, async () =>
		equal(await e2e.clientClose(url('/app'), transport), '{"code":3001,"reason":"Enough","wasClean":true}', 'close event'));
}

export async function testExamples(world) {
	const { suite, chats } = world;

	for (const [name, { error, missing }] of Object.entries(chats)) {
		if (missing) {
			console.log(`examples, ${name}: skipped, since there is no compiler for it`);
			continue;
		}
		await suite.test(`examples, ${name}: it starts`, async () => check(!error, error?.message));
		if (!error)
			await testChat(world, name);
	}
	for (const transport of Object.keys(TRANSPORTS))
		await testLibrary(world, transport);
}
