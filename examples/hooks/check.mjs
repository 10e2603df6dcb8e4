/*
 * check.mjs - one conversation with a backend, step by step; says what differs.
 *
 *	node check.mjs [GATEWAY [BACKEND]]	http://127.0.0.1:8081 http://127.0.0.1:9000/sockjsd
 *
 * BACKEND is asked without the gateway, too: with signatures that are none. SECRET_FILE says where
 * the secret is. Nobody else may be there.
 */
import { Client } from '@stomp/stompjs';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

const PATIENCE_MS = 15000;
const [gateway = 'http://127.0.0.1:8081', backend = 'http://127.0.0.1:9000/sockjsd'] = process.argv.slice(2);
const secretFile = resolve(dirname(fileURLToPath(import.meta.url)), process.env.SECRET_FILE ?? 'hooks.secret');
const secret = readFileSync(secretFile, 'utf8').split('\n')[0];

/* What comes, each taken once. */
class Inbox {
	#waiting = [];
	#things = [];

	put(thing) {
		if (this.#waiting.length)
			this.#waiting.shift()(thing);
		else
			this.#things.push(thing);
	}

	next() {
		return this.#things.length ? this.#things.shift() : new Promise((resolve) => this.#waiting.push(resolve));
	}
}

/* --- STOMP --------------------------------------------------------------------------- */

function stompClient(login) {
	const errors = new Inbox(), connected = new Inbox();
	const client = new Client({
		webSocketFactory: () => new WebSocket(`${gateway.replace('http', 'ws')}/stomp`, ['v12.stomp']),
		connectHeaders: { login },
		reconnectDelay: 0,
		onConnect: (frame) => connected.put(frame),
		onStompError: ({ headers, body }) => errors.put({ code: headers.code, reason: body }),
	});

	client.activate();
	return { client, errors, connected };
}

/* Resolves when the subscription is active, to what comes by it. */
function subscribe({ client }, destination) {
	const inbox = new Inbox();

	return new Promise((resolve) => {
		client.watchForReceipt(destination, () => resolve(inbox));
		client.subscribe(destination, ({ headers, body }) => inbox.put({ from: headers.from, kind: headers.kind, body }),
			{ receipt: destination });
	});
}

async function enter(login) {
	const person = stompClient(login);

	assert.equal((await person.connected.next()).headers['user-name'], login);
	person.room = await subscribe(person, '/topic/rooms/tea');
	person.news = await subscribe(person, '/topic/news');
	person.replies = await subscribe(person, '/user/queue/replies');
	person.say = (body, destination = '/topic/rooms/tea', headers = {}) => person.client.publish({ destination, body, headers });
	return person;
}

async function expect(people, where, message) {
	for (const person of people)
		assert.deepEqual(await person[where].next(), { from: undefined, kind: undefined, ...message });
}

async function expectError({ errors }, error) {
	assert.deepEqual(await errors.next(), error);
}

async function topicOfTea(person) {
	const inbox = await subscribe(person, '/app/rooms');
	const { rooms } = JSON.parse((await inbox.next()).body);

	assert.deepEqual(rooms.map(({ name }) => name), ['tea', 'coffee', 'attic']);
	return rooms[0].topic;
}

async function refusals() {
	for (const [login, reason] of [
		['', 'A name has 1 to 15 letters and digits.'],
		['0123456789abcdef', 'A name has 1 to 15 letters and digits.'],
		['a b', 'A name has 1 to 15 letters and digits.'],
		['Admin', 'The name Admin is reserved.'],
	]) {
		const stranger = stompClient(login);

		await expectError(stranger, { code: '4620', reason });
		await stranger.client.deactivate();
	}
}

async function talk(ann, bob) {
	const both = [ann, bob];

	bob.say(' Hello? ', undefined, { from: 'ann' });
	await expect(both, 'room', { from: 'bob', body: 'Hello?' });
	bob.say('What the Heck, check your headers.');
	await expect(both, 'room', { from: 'bob', body: 'What the ****, check your headers.' });
	for (const text of ['', 'x'.repeat(201)]) {
		bob.say(text);
		await expectError(bob, { code: '4631', reason: 'A text has 1 to 200 characters.' });
	}
	bob.say('\u{1f600}'.repeat(200));
	await expect(both, 'room', { from: 'bob', body: '\u{1f600}'.repeat(200) });
}

async function change(ann, bob) {
	const topic = `Two lumps, and a "\\ ${Date.now()}`;

	assert.notEqual(await topicOfTea(ann), topic);
	ann.say(topic, '/app/rooms/tea/topic');
	await expect([ann, bob], 'room', { from: 'ann', kind: 'topic', body: topic });
	await expect([ann], 'replies', { body: 'You have set the topic of tea.' });
	assert.equal(await topicOfTea(bob), topic);
	ann.say(topic, '/app/rooms/cellar/topic');
	await expectError(ann, { code: '4632', reason: 'There is no such room.' });
}

/* What ann may, since the backend has made her an editor. */
async function edit(ann, bob) {
	ann.say('Cake at five.', '/topic/news');
	await expect([ann, bob], 'news', { from: 'ann', body: 'Cake at five.' });
	bob.say('No cake.', '/topic/news');
	assert.equal((await bob.errors.next()).code, '4630');
}

/* --- the dice, by plain WebSocket ------------------------------------------------------ */

function sitDown(name) {
	const socket = new WebSocket(`${gateway.replace('http', 'ws')}/dice/websocket?name=${name}`), inbox = new Inbox();

	socket.on('message', (data) => inbox.put(data.toString()));
	socket.on('close', (code, reason) => inbox.put({ code, reason: reason.toString() }));
	socket.on('unexpected-response', (request, { statusCode }) => inbox.put(statusCode));
	return { socket, inbox };
}

async function play(ann) {
	const { socket, inbox } = sitDown('cl%C3%A9o');

	assert.equal(await inbox.next(), 'Welcome, cléo. Say roll or quit.');
	socket.send('cheat');
	assert.equal(await inbox.next(), 'Say roll or quit.');
	for (let i = 0; i < 20; i++)
		socket.send('roll');
	for (let i = 0; i < 20; i++) {
		const [, rolled] = /^You have rolled ([1-6])\.$/.exec(await inbox.next()) ?? [];

		assert.ok(rolled);
		await expect([ann], 'news', { body: `cléo has rolled ${rolled}.` });
	}
	socket.send('quit');
	assert.deepEqual(await inbox.next(), { code: 4000, reason: 'Good night.' });
	await expect([ann], 'news', { body: 'cléo has left the table.' });
	assert.equal(await sitDown('root').inbox.next(), 403);
}

/* --- the backend alone ----------------------------------------------------------------- */

async function ask(signature, body) {
	const answer = await fetch(backend, { method: 'POST', body, headers: signature ? { 'sockjsd-signature': signature } : {} });

	return [answer.status, await answer.json()];
}

async function signatures() {
	const body = JSON.stringify({ event: 'subscribe', endpoint: '/stomp', destination: '/app/rooms', variables: {} });
	const at = (time, key = secret) => `t=${time},v1=${createHmac('sha256', key).update(`${time}.${body}`).digest('hex')}`;
	const now = Math.floor(Date.now() / 1000);

	for (const wrong of [null, '', 'v1=', at(now - 3600), at(now + 3600), at(now, 'another'), at(now).replace(/v1=..../, 'v1=0000'), at(now).slice(0, -2)])
		assert.deepEqual(await ask(wrong, body), [401, { reason: 'This is not signed.' }]);
	assert.deepEqual(await ask(at(now), `${body} `), [401, { reason: 'This is not signed.' }]);
	assert.equal((await ask(at(now), body))[0], 200);
}

const timer = setTimeout(() => {
	console.error(`check: nothing came within ${PATIENCE_MS} ms`);
	process.exit(1);
}, PATIENCE_MS);

await signatures();
await refusals();
const ann = await enter('ann'), bob = await enter('bob');

await talk(ann, bob);
await change(ann, bob);
await edit(ann, bob);
await play(ann);
await bob.client.deactivate();
await expect([ann], 'news', { body: 'bob has left.' });
await ann.client.deactivate();
clearTimeout(timer);
console.log(`check: ${gateway} is what it should be`);
