/*
 * check.mjs - one conversation with the chat, step by step; says what differs.
 *
 *	node check.mjs [URL]	ws://127.0.0.1:9000/chat, the backend itself; or
 *				ws://127.0.0.1:8081/chat/websocket, through the gateway
 *
 * The chat has to be empty.
 */
import assert from 'node:assert/strict';
import WebSocket from 'ws';

const PATIENCE_MS = 5000;
const url = process.argv[2] ?? 'ws://127.0.0.1:9000/chat';

function connect(headers = {}, protocols = []) {
	const socket = new WebSocket(url, protocols, { headers });
	const waiting = [], messages = [];

	socket.on('message', (data) => {
		const message = JSON.parse(data);

		if (waiting.length)
			waiting.shift()(message);
		else
			messages.push(message);
	});
	return {
		socket,
		say: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
		next: () => messages.length ? messages.shift() : new Promise((resolve) => waiting.push(resolve)),
		closed: new Promise((resolve, reject) => {
			socket.on('close', resolve);
			socket.on('error', reject);
		}),
	};
}

async function expect(clients, message) {
	for (const client of clients)
		assert.deepEqual(await client.next(), message);
}

async function greeting() {
	const ada = connect({ Origin: new URL(url).origin.replace('ws', 'http'), 'X-Forwarded-For': '192.0.2.1' }, ['chat']);
	const bob = connect();

	for (const client of [ada, bob]) {
		const welcome = await client.next();

		assert.equal(welcome.type, 'welcome');
		assert.deepEqual(welcome.here, []);
		assert.deepEqual(Object.keys(welcome.saw).sort(),
			['origin', 'sec-websocket-protocol', 'x-forwarded-for', 'x-sockjs-transport']);
	}
	return [ada, bob];
}

async function talk(ada, bob) {
	const both = [ada, bob];

	bob.say({ type: 'say', text: 'hello?' });
	await expect([bob], { type: 'error', text: 'Join first.' });
	ada.say({ type: 'join', name: ' Ada ' });
	await expect(both, { type: 'joined', name: 'Ada', here: ['Ada'] });
	ada.say({ type: 'join', name: 'Eve' });
	await expect([ada], { type: 'error', text: 'You are here already.' });
	bob.say({ type: 'join', name: 'Böb <i>' });
	await expect(both, { type: 'joined', name: 'Böb <i>', here: ['Ada', 'Böb <i>'] });
	for (const text of ['hello', '\u{1f600}'.repeat(500), 'a "\\ \u0000 \u2028.']) {
		bob.say({ type: 'say', text });
		await expect(both, { type: 'said', name: 'Böb <i>', text });
	}
	bob.say({ type: 'say', text: 'x'.repeat(501) });
	await expect([bob], { type: 'error', text: 'A text has 1 to 500 characters.' });
}

async function mumble(bob) {
	for (const text of ['', '{', 'null', '[]', '3', '"join"', '{}', '{"type":"toString"}', '{"type":["join"]}']) {
		bob.say(text);
		await expect([bob], { type: 'error', text: 'This is not understood.' });
	}
}

async function part(ada, bob) {
	bob.socket.terminate();
	await expect([ada], { type: 'left', name: 'Böb <i>', here: ['Ada'] });
	ada.socket.close(1000);
	assert.equal(await ada.closed, 1000);
}

const timer = setTimeout(() => {
	console.error(`check: nothing came within ${PATIENCE_MS} ms`);
	process.exit(1);
}, PATIENCE_MS);
const [ada, bob] = await greeting();

await talk(ada, bob);
await mumble(bob);
await part(ada, bob);
clearTimeout(timer);
console.log(`check: ${url} is the chat it should be`);
