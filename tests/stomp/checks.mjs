/*
 * checks.mjs - what every client must be able to do, whatever its library and transport: the same
 * list for all of clients.mjs.
 *
 * A place is an endpoint as its clients see it: open to everybody, as that of --demo, or with users
 * and rules and every default, as an operator would have it.
 */
import { check, equal, withDeadline } from '../e2e/harness.mjs';
import { sleep } from '../upstream/gateway.mjs';
import { Refused, Stompjs7, WAIT_MS } from './clients.mjs';

const MANY = 500;
const FEW = 20; /* where the library loses what TCP has cut in two */
const BEAT_MS = 2000; /* clients give up after twice as long, and may be kept from their timers for a while */
const SILENCE_MS = 9000;

/* Texts that have broken parsers before. */
const TEXTS = ['plain', 'Grüße, 世界 🚂', 'a\nb\r\nc', ':colon\\backslash', '  blanks  ', '', '\u2028"quotes"\t</script>', 'x'.repeat(2000)];

function textOf(i) {
	return `${i} ${TEXTS[i % TEXTS.length]}`;
}

/* What a subscription brings, to be asked for when so many are wanted. */
export class Inbox {
	messages = [];
	#wake = () => {};

	take = (frame) => {
		this.messages.push(frame);
		this.#wake();
	};

	async has(n) {
		while (this.messages.length < n)
			await withDeadline(new Promise((resolve) => { this.#wake = resolve; }), WAIT_MS,
				`message ${this.messages.length + 1} of ${n}`);
		equal(this.messages.length, n, 'messages');
		return this.messages;
	}
}

async function greets(client, connected, place, versions) {
	equal(connected.version, versions?.[0] ?? client.constructor.version, 'version');
	check(/^sockjsd\//.test(connected.server), `server is ${connected.server}`);
	check(/^\d+,\d+$/.test(connected['heart-beat']), `heart-beat is ${connected['heart-beat']}`);
	check(connected.session?.length > 8, `session is ${connected.session}`);
	equal(connected['user-name'], place.login, 'user-name');
}

async function wildcards(client, place, topic) {
	const one = new Inbox();
	const deep = new Inbox();

	const first = await client.subscribed(`${topic}/w/*/x`, one.take);
	await client.subscribed(`${topic}/w/**`, deep.take);
	for (const tail of ['a/x', 'a/y', 'b/x', 'a/b/x'])
		await client.sent(`${topic}/w/${tail}`, tail);
	/* There is an order for each destination; of several there is none. */
	equal((await one.has(2)).map((m) => m.body).sort(), ['a/x', 'b/x'], 'of *');
	equal((await deep.has(4)).map((m) => m.body).sort(), ['a/b/x', 'a/x', 'a/y', 'b/x'], 'of **');
	one.messages.sort((a, b) => (a.body < b.body ? -1 : 1));
	equal(one.messages[0].headers.destination, `${topic}/w/a/x`, 'destination');
	first.unsubscribe();
	await client.sent(`${topic}/w/c/x`, 'late');
	await deep.has(5);
	await one.has(2);
}

/* Only the body is looked at: not every library unescapes headers. */
async function manyInOrder(client, place, topic) {
	const inbox = new Inbox();
	const n = client.transport === 'tcp' ? FEW : MANY;
	const end = client.name('end');

	await client.subscribed(`${topic}/many`, inbox.take);
	for (let i = 0; i < n; i++) {
		const text = client.transport === 'tcp' ? `${i} 🚂` : textOf(i);

		if (client.transport === 'tcp')
			await client.sent(`${topic}/many`, text);
		else
			client.send(`${topic}/many`, text, i === n - 1 ? { receipt: end } : {});
	}
	if (client.transport !== 'tcp')
		await client.receipt(end);
	for (const [i, m] of (await inbox.has(n)).entries())
		equal(m.body, client.transport === 'tcp' ? `${i} 🚂` : textOf(i), `message ${i}`);
}

async function binary(client, place, topic) {
	const inbox = new Inbox();

	await client.subscribed(`${topic}/binary`, inbox.take);
	for (let i = 0; i < 256; i++)
		client.send(`${topic}/binary`, Uint8Array.from({ length: i * 8 + 1 }, (_, k) => (k * 7 + i) & 255), { 'content-type': 'application/octet-stream' });
	for (const [i, m] of (await inbox.has(256)).entries()) {
		equal(m.headers['content-type'], 'application/octet-stream', 'content-type');
		check(Buffer.compare(Buffer.from(m.binaryBody), Buffer.from(Array.from({ length: i * 8 + 1 }, (_, k) => (k * 7 + i) & 255))) === 0,
			`body ${i} differs`);
	}
}

async function headersOfItsOwn(client, place, topic) {
	const inbox = new Inbox();

	await client.subscribed(`${topic}/headers`, inbox.take);
	await client.sent(`${topic}/headers`, 'x', { 'x-own': 'välue', priority: '9' });
	const [{ headers }] = await inbox.has(1);
	equal([headers['x-own'], headers.priority], ['välue', '9'], 'headers');
	check(headers.receipt === undefined, 'the sender\'s receipt is shown');
	check(headers['message-id'], 'no message-id');
}

async function transactions(client, place, topic) {
	const inbox = new Inbox();
	const destination = `${topic}/transactions`;

	await client.subscribed(destination, inbox.take);
	client.begin('good');
	client.begin('bad');
	for (let i = 0; i < 3; i++) {
		await client.sent(destination, `good ${i}`, { transaction: 'good' });
		await client.sent(destination, `bad ${i}`, { transaction: 'bad' });
	}
	await client.sent(destination, 'outside');
	equal((await inbox.has(1))[0].body, 'outside', 'before the end of the transaction');
	client.abort('bad');
	client.commit('good');
	await client.sent(destination, 'behind');
	equal((await inbox.has(5)).slice(1).map((m) => m.body), ['good 0', 'good 1', 'good 2', 'behind'], 'messages');
}

/* Two of one list: by name where there are users, by session where everybody is nobody. */
async function users(client, connected, place, topic, another) {
	const [mine, theirs] = [new Inbox(), new Inbox()];
	const rest = `queue${topic.replace('/topic', '')}`;
	const other = await another('other');

	await client.subscribed(`/user/${rest}`, mine.take);
	await other.client.subscribed(`/user/${rest}`, theirs.take);
	const to = (c) => encodeURIComponent(c['user-name'] ?? c.session);
	await other.client.sent(`/user/${to(connected)}/${rest}`, 'for me');
	await client.sent(`/user/${to(other.connected)}/${rest}`, 'for the other');
	equal((await mine.has(1)).map((m) => [m.body, m.headers.destination]), [['for me', `/user/${rest}`]], 'mine');
	equal((await theirs.has(1)).map((m) => m.body), ['for the other'], 'the other\'s');
	await other.client.close();
}

/* How a client learns what was wrong, and that it is over. */
/* Whoever watches applies what it is told. */
async function presence(client, place, topic, another) {
	const inbox = new Inbox();
	const destination = `${topic}/presence`;
	const watched = `/presence${destination}`;
	const said = async (n) => JSON.parse((await inbox.has(n))[n - 1].body);

	await client.subscribed(watched, inbox.take);
	equal(inbox.messages[0]?.headers.presence, 'state', 'the state comes before the receipt');
	equal(await said(1), { users: [], count: 0, anonymous: 0, more: false }, 'nobody');
	const { client: guest, connected } = await another('other');
	const name = connected['user-name'];
	const subscription = await guest.subscribed(destination, () => {});
	equal(await said(2), { joined: name ? [name] : [], left: [], count: name ? 1 : 0, anonymous: name ? 0 : 1, more: false }, 'who comes');
	subscription.unsubscribe();
	equal(await said(3), { joined: [], left: name ? [name] : [], count: 0, anonymous: 0, more: false }, 'who goes');
	equal(inbox.messages[2].headers.destination, watched, 'destination');
	await guest.close();
}

async function isRefused(client, what, code) {
	what();
	const frame = await withDeadline(client.error, WAIT_MS, 'the ERROR frame');
	equal(frame.headers.code, String(code), 'code');
	check(frame.headers.message, 'no message');
	check(frame.body.length > 10, `the body is "${frame.body}"`);
	await withDeadline(client.ended, WAIT_MS, 'the connection ends after ERROR');
	return frame;
}

async function errors(place, topic, another) {
	const cases = [
		[4633, (c) => c.send(`${topic}//x`, 'x', { receipt: 'r1' })],
		[4638, (c) => c.subscribe(`${topic}/x`, () => {}, { id: 'a', selector: 'a = 1', receipt: 'r1' })],
		[4636, (c) => c.send(`${topic}/x`, 'x', { transaction: 'none', receipt: 'r1' })],
		[place.login ? 4630 : 4632, (c) => c.send('/elsewhere/x', 'x', { receipt: 'r1' })],
		...(place.login ? [
			[4630, (c) => c.send('/topic/staff/x', 'x', { receipt: 'r1' })],
			[4630, (c) => c.subscribe('/topic/**', () => {}, { receipt: 'r1' })],
		] : []),
	];

	await Promise.all(cases.map(async ([code, what]) => {
		const { client } = await another();
		const frame = await isRefused(client, () => what(client), code);

		equal(frame.headers['receipt-id'], 'r1', 'receipt-id');
	}));
}

async function wrongPasscode(Kind, transport, place) {
	const client = new Kind(transport);

	try {
		await client.open({ url: place.guard, login: `nobody ${transport} ${Kind.library}`, passcode: 'x' });
	} catch (e) {
		if (!(e instanceof Refused))
			throw e;
		equal(e.frame.headers.code, '4620', 'code');
		check(/wrong/.test(e.frame.body), `the body is "${e.frame.body}"`);
		await withDeadline(client.ended, WAIT_MS, 'the connection ends after ERROR');
		return;
	} finally {
		await client.client.deactivate?.();
	}
	check(false, 'it was let in');
}

async function livesInSilence({ Kind, transport }, url) {
	const client = new Kind(transport);
	const topic = `/topic/silence/${Kind.name}/${transport}`;
	const connected = await client.open({ url, beat: BEAT_MS });
	const inbox = new Inbox();
	let ended = false;

	equal(connected['heart-beat'], `${BEAT_MS},${BEAT_MS}`, 'heart-beat');
	client.ended.then(() => { ended = true; });
	await client.subscribed(topic, inbox.take);
	await sleep(SILENCE_MS);
	check(!ended, 'it was given up');
	await client.sent(topic, 'still here');
	await inbox.has(1);
	await client.close();
}

/* 1.0 knows no heart-beats: the library asks for them all the same, and then sends none. */
async function onlyVersion(another, version) {
	const { client, connected } = await another(null, { versions: [version], beat: 10000 });

	equal(connected.version, version, 'version');
	equal(connected['heart-beat'], version === '1.0' ? '0,0' : '10000,10000', 'heart-beat');
	await client.close();
}

/* All of them together, when nothing else is going on: a library that is kept from its timers gives up. */
export async function testSilence(suite, kinds, urlOf) {
	await Promise.all(kinds.map((kind) => suite.test(`${kind.name}: heart-beats keep it alive in silence`,
		() => livesInSilence(kind, urlOf(kind)))));
}

/* The list, for one library on one transport at one place. */
export async function testClient(suite, { Kind, transport, name }, place) {
	const topic = `/topic/${place.name}/${Kind.name}/${transport}`;
	const another = async (login, options = {}) => {
		const client = new Kind(transport);
		const as = place.login ? { login: login ?? place.login, passcode: `passcode of ${login ?? place.login}` } : {};
		const connected = await client.open({ url: place.url, ...as, ...options });

		return { client, connected };
	};
	const test = (what, body) => suite.test(`${place.name}: ${name}: ${what}`, body);
	const each = (what, body) => test(what, async () => {
		const { client, connected } = await another();

		await body(client, connected);
		await client.close();
	});

	await each('connects', (c, connected) => greets(c, connected, place));
	await Promise.all([
		each('subscribes with wildcards', (c) => wildcards(c, place, topic)),
		each(`${MANY} messages in order`, (c) => manyInOrder(c, place, topic)),
		each('headers of its own', (c) => headersOfItsOwn(c, place, topic)),
		each('transactions', (c) => transactions(c, place, topic)),
		each('user destinations', (c, connected) => users(c, connected, place, topic, another)),
		each('presence', (c) => presence(c, place, topic, another)),
		test('errors', () => errors(place, topic, another)),
		...(place.guard ? [test('a wrong passcode', () => wrongPasscode(Kind, transport, place))] : []),
		...(Kind === Stompjs7 ? ['1.0', '1.1', '1.2'].map((v) => test(`STOMP ${v}`, () => onlyVersion(another, v))) : []),
		...(new Kind(transport).canBinary ? [each('binary bodies', (c) => binary(c, place, topic))] : []),
	]);
}
