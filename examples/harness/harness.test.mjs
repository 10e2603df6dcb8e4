/*
 * harness.test.mjs - how a client is tested with the harness: sockjs-client here, yours in its place.
 *
 *	node --test
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import SockJS from 'sockjs-client';
import { Harness } from './harness.mjs';

const harness = new Harness();

before(() => harness.start());
after(() => harness.stop());

/* A client whose events can be waited for. */
function connect(url, options) {
	const client = new SockJS(url, null, options);
	const waiting = [], events = [];
	const tell = (event) => (waiting.length ? waiting.shift()(event) : events.push(event));

	client.onopen = () => tell({ opened: client.transport });
	client.onmessage = ({ data }) => tell({ message: data });
	client.onclose = ({ code, reason }) => tell({ closed: code, reason });
	client.next = () => (events.length ? events.shift() : new Promise((resolve) => waiting.push(resolve)));
	return client;
}

test('what the client sends has come to the server', async () => {
	const client = connect(harness.path('ann'));

	assert.deepEqual(await client.next(), { opened: 'websocket' });
	client.send('one');
	client.send('two');
	assert.deepEqual((await harness.received('ann', 2)).bodies, ['one', 'two']);
	client.close();
	assert.equal((await harness.closed('ann')).code, 1000);
});

test('the server speaks first, and sends the client away', async () => {
	const client = connect(harness.path('bob', 'silent'));

	await client.next();
	await harness.inject('bob', 'news');
	assert.deepEqual(await client.next(), { message: 'news' });
	await harness.close('bob', 4001, 'That was all.');
	assert.deepEqual(await client.next(), { closed: 4001, reason: 'That was all.' });
});

test('answers come late, and then the end', async () => {
	const client = connect(harness.path('cid', 'delay-100', 'close-4002-after-2', 'reason-Two%20are%20enough'));

	await client.next();
	const began = performance.now();
	client.send('1');
	client.send('2');
	assert.deepEqual(await client.next(), { message: '1' });
	assert.ok(performance.now() - began >= 95);
	assert.deepEqual(await client.next(), { message: '2' });
	assert.deepEqual(await client.next(), { closed: 4002, reason: 'Two are enough' });
});

test('a send that fails ends the session', async () => {
	const client = connect(harness.path('dan', 'fail-after-1'), { transports: ['xhr-polling'] });

	await client.next();
	client.send('well');
	assert.deepEqual(await client.next(), { message: 'well' });
	client.send('lost');
	assert.equal((await client.next()).closed, 1006);
	assert.deepEqual((await harness.received('dan')).bodies, ['well']);
});

test('where WebSocket is forbidden it opens by another transport', async () => {
	await harness.network('403 on upgrade');
	try {
		const client = connect(harness.path('eve'));

		const { opened } = await client.next();
		assert.notEqual(opened, 'websocket');
		client.send('all the same');
		assert.deepEqual((await harness.received('eve', 1)).bodies, ['all the same']);
		client.close();
	} finally {
		await harness.network();
	}
});

test('nonsense in the path is said, not guessed', async () => {
	const client = connect(harness.path('fay', 'delay-soon'));

	assert.ok((await client.next()).opened);
	const { closed, reason } = await client.next();
	assert.deepEqual([closed, reason], [4400, 'delay-soon: needs milliseconds from 1 to 60000']);
});
