/*
 * presence.mjs - who is present, over several gateways: tests of run.mjs, whose tools it is given.
 *
 * A watcher checks that what it is told has no hole and nothing twice: nobody goes who was not there, nor comes who is.
 */
import { createHmac } from 'node:crypto';
import { check, equal, patient } from '../e2e/harness.mjs';
import { client, subscribe } from '../relay/clients.mjs';
import { sleep, until } from '../reload/gateway.mjs';

const SECRET = 'a-secret-of-at-least-32-octets-for-HS256';
const TEA = '/topic/rooms/tea';
const config = { stomp: { presence: ['/topic/rooms/*'], tokens: { algorithm: 'HS256', secret: SECRET } } };

function token(sub) {
	const text = [{ alg: 'HS256', typ: 'JWT' }, { sub, exp: Math.floor(Date.now() / 1000) + 36000 }]
		.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');

	return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

async function come(gateway, user, room = TEA) {
	const line = await client(gateway, user ? { token: token(user) } : {});

	await subscribe(line, 'here', room);
	return line;
}

/* While the engine is away nobody is answered: a SUBSCRIBE to what was not subscribed here before waits for it. */
async function comeAlone(gateway, user) {
	const line = await client(gateway, { token: token(user) });

	line.send('SUBSCRIBE', { id: 'here', destination: TEA });
	return line;
}

class Watcher {
	there = new Set();
	changes = 0;
	said = [];

	async start(gateway, room = TEA) {
		this.line = await client(gateway);
		this.line.send('SUBSCRIBE', { id: 'w', destination: `/presence${room}`, receipt: 'w' });
		await this.line.receipt('w');
		const [state] = this.line.frames.splice(0, 1);
		equal([state.command, state.get('presence')], ['MESSAGE', 'state'], 'what comes first');
		const { users, ...counts } = JSON.parse(state.text);
		this.first = users.length;
		this.there = new Set(users);
		this.counts = counts;
		this.#listen().catch((e) => { this.wrong ??= /closed|not in time/.test(e.message) ? undefined : e; });
		return this;
	}

	async #listen() {
		for (;;) {
			const { joined, left, ...counts } = JSON.parse((await this.line.next('MESSAGE', 1e6)).text);

			this.said.push([joined.length, left.length]);
			for (const user of left)
				check(this.there.delete(user), `${user} goes, who was not there`);
			for (const user of joined) {
				check(!this.there.has(user), `${user} comes, who is there`);
				this.there.add(user);
			}
			this.counts = counts;
			this.changes++;
		}
	}

	get users() {
		return [...this.there].sort();
	}

	async sees(users, anonymous, what) {
		const wanted = JSON.stringify([[...users].sort(), users.length, anonymous, false]);

		await until(() => {
			if (this.wrong)
				throw this.wrong;
			return JSON.stringify([this.users, this.counts.count, this.counts.anonymous, this.counts.more]) === wanted;
		}, `${what}: ${users.length < 20 ? users : users.length} and ${anonymous}`).catch((e) => {
			throw new Error(`${e.message}, but ${this.there.size < 20 ? this.users : this.there.size} ${JSON.stringify(this.counts)}`);
		});
	}
}

const watch = (gateway, room) => new Watcher().start(gateway, room);

async function pageOf(gateway, body = {}) {
	const { status, json } = await gateway.command('presence', { destination: TEA, limit: 1000, ...body });

	equal(status, 200, JSON.stringify(json));
	return json;
}

const named = (json) => json.users.map((u) => `${u.user}${u.sessions}`);

function cutOff(gateway) {
	gateway.child.kill('SIGKILL');
	gateway.isKilled = true;
}

export async function presenceTests(suite, { withGateways, start, isReady, finishAll, knows, Way, NatsCluster }) {
	await suite.test('presence: who comes to one gateway is there at all, once, until the last session goes', () => withGateways(3, async (a, b, c) => {
		const gateways = [a, b, c];

		await Promise.all(gateways.map((g) => knows(g, 2)));
		const watchers = await Promise.all(gateways.map((g) => watch(g)));
		const all = (users, anonymous, what) => Promise.all(watchers.map((w) => w.sees(users, anonymous, what)));
		await all([], 0, 'nobody');
		const ann = await come(a, 'ann');
		await all(['ann'], 0, 'one');
		const bob = await come(b, 'bob'), nobody = await come(c), twin = await come(b, 'ann');
		await all(['ann', 'bob'], 1, 'at three');
		const page = await pageOf(a);
		equal([named(page), page.next, page.count, page.unnamed, page.anonymous, page.gateways, page.missing], [['ann2', 'bob1'], null, 2, 0, 1, 3, 0], 'by a command');
		for (const g of [b, c])
			equal(await pageOf(g), page, 'at another');
		const changes = watchers.map((w) => w.changes);
		ann.cut();
		await until(async () => named(await pageOf(c))[0] === 'ann1', 'one session is left');
		equal(watchers.map((w) => w.changes), changes, 'nobody is told of that');
		twin.send('UNSUBSCRIBE', { id: 'here' });
		await all(['bob'], 1, 'the last has gone');
		nobody.cut();
		bob.cut();
		await all([], 0, 'nobody is left');
	}, config));

	await suite.test('presence: who watches late gets the whole roll, in pages by a command, too', () => withGateways(3, async (a, b, c) => {
		await Promise.all([a, b, c].map((g) => knows(g, 2)));
		const lines = await Promise.all(Array.from({ length: 30 }, (_, i) => come([a, b][i % 2], `user${String(i).padStart(2, '0')}`)));
		await come(b);
		const names = lines.map((_, i) => `user${String(i).padStart(2, '0')}`);
		await (await watch(a)).sees(names, 1, 'at one of them');
		const late = await watch(c);
		equal([late.first, late.counts], [30, { count: 30, anonymous: 1, more: false }], 'the state');
		const got = [];
		for (let cursor; ;) {
			const page = await pageOf(c, { limit: 7, ...cursor && { cursor } });
			got.push(...page.users.map((u) => u.user));
			if (!(cursor = page.next))
				break;
		}
		equal(got, names, 'by pages');
		equal((await pageOf(c, { destination: '/topic/rooms/none' })).count, 0, 'where nobody is');
	}, config));

	await suite.test('presence: a gateway that is killed takes its users with it, and one that stops says so', () => withGateways(3, async (a, b, c, server) => {
		await Promise.all([a, b, c].map((g) => knows(g, 2)));
		await come(a, 'ann');
		await come(b, 'ann');
		await come(b, 'bob');
		await come(c, 'cid');
		const w = await watch(a);
		await w.sees(['ann', 'bob', 'cid'], 0, 'all');
		const killed = Date.now();
		cutOff(b);
		await w.sees(['ann', 'cid'], 0, 'those who are left');
		check(Date.now() - killed > 2000, 'not before its beats have expired');
		equal([(await pageOf(a)).gateways, (await pageOf(a)).missing], [2, 0], 'gateways');
		c.isKilled = true;
		await finishAll([{ ...c, isKilled: false, stop: () => c.stop() }]);
		const stopped = Date.now();
		await w.sees(['ann'], 0, 'who is left');
		check(Date.now() - stopped < patient(2000), 'it has said farewell');
		const d = await start({ servers: server.url }, config);
		await isReady(d);
		await come(d, 'dan');
		await w.sees(['ann', 'dan'], 0, 'another comes');
		await (await watch(d)).sees(['ann', 'dan'], 0, 'and knows');
		await finishAll([d]);
	}, config));

	await suite.test('presence: a restart of nats-server that is short is not noticed; what happens meanwhile is known in the end', () => withGateways(2, async (a, b, server) => {
		await Promise.all([a, b].map((g) => knows(g, 1)));
		const ann = await come(a, 'ann');
		await come(b, 'bob');
		const watchers = [await watch(a), await watch(b)];
		for (const w of watchers)
			await w.sees(['ann', 'bob'], 0, 'before');
		for (let i = 0; i < 3; i++) {
			const changes = watchers.map((w) => w.changes), begun = Date.now();
			await server.kill();
			await server.start();
			await Promise.all([isReady(a), isReady(b)]);
			const isShort = Date.now() - begun < 3000; /* else it would be right to tell */
			await sleep(500);
			check(!isShort || String(watchers.map((w) => w.changes)) === String(changes), 'something was told');
		}
		await server.stop();
		ann.cut();
		await comeAlone(a, 'eve');
		await watchers[0].sees(['bob', 'eve'], 0, 'who is here is told while it is away, and who is not as it was');
		await server.start();
		await Promise.all([isReady(a), isReady(b)]);
		for (const w of watchers)
			await w.sees(['bob', 'eve'], 0, 'after it');
		await server.stop();
		await watchers[0].sees(['eve'], 0, 'those of others go when their time is over');
		await watchers[1].sees(['bob'], 0, 'and there');
		equal([(await pageOf(a)).gateways, (await pageOf(a)).missing], [1, 1], 'which is told');
		await server.start();
		for (const w of watchers)
			await w.sees(['bob', 'eve'], 0, 'and come back');
	}, config));

	await suite.test('presence: a gateway that stood still, or was cut off, is gone and comes back', () => withGateways(1, async (a, server) => {
		const way = await new Way(server.port).open();
		const b = await start({ servers: `nats://127.0.0.1:${way.port}` }, config);

		try {
			await isReady(b);
			await Promise.all([knows(a, 1), knows(b, 1)]);
			const ann = await come(a, 'ann');
			const bob = await come(b, 'bob');
			const watchers = [await watch(a), await watch(b)];
			for (const w of watchers)
				await w.sees(['ann', 'bob'], 0, 'before');
			const changes = watchers[1].changes;
			b.child.kill('SIGSTOP');
			await watchers[0].sees(['ann'], 0, 'it stands still');
			await come(a, 'eve');
			await watchers[0].sees(['ann', 'eve'], 0, 'things go on');
			b.child.kill('SIGCONT');
			await watchers[0].sees(['ann', 'bob', 'eve'], 0, 'it is back');
			await watchers[1].sees(['ann', 'bob', 'eve'], 0, 'and knows what has happened');
			equal(watchers[1].changes, changes + 1, 'and nothing else was told there');
			way.close();
			bob.cut();
			ann.cut();
			await watchers[0].sees(['eve'], 0, 'it is cut off');
			await watchers[1].sees([], 0, 'and alone');
			await comeAlone(b, 'fay');
			await way.open();
			for (const w of watchers)
				await w.sees(['eve', 'fay'], 0, 'they are together');
		} finally {
			await finishAll([b]);
			way.close();
		}
	}, config));

	await suite.test('presence: two thousand in a room over two gateways come and go', () => withGateways(3, async (a, b, c) => {
		await Promise.all([a, b, c].map((g) => knows(g, 2)));
		const names = Array.from({ length: 2000 }, (_, i) => `user${String(i).padStart(4, '0')}`);
		const lines = [];
		const w = await watch(a);

		for (let i = 0; i < names.length; i += 100)
			lines.push(...await Promise.all(names.slice(i, i + 100).map((n, k) => come([a, b][k % 2], n))));
		await w.sees(names, 0, 'all');
		check(Math.max(...w.said.map(([joined, left]) => joined + left)) <= 500, 'no message has more than 500');
		const late = await watch(c);
		equal([late.first, late.counts.count], [1000, 2000], 'a state names a thousand');
		const pages = [];
		for (const g of [a, b, c]) {
			const first = await pageOf(g), second = await pageOf(g, { cursor: first.next });
			pages.push([...first.users, ...second.users]);
			equal([first.count, second.next], [2000, null], 'counts');
		}
		equal(pages[0].map((u) => u.user), names, 'who is there');
		equal([pages[1], pages[2]], [pages[0], pages[0]], 'the same at all');
		for (const line of lines)
			line.cut();
		await w.sees([], 0, 'nobody');
	}, config));

	await suite.test('presence: beyond what may be named, those of other gateways are counted', () => withGateways(2, async (a, b) => {
		await Promise.all([a, b].map((g) => knows(g, 1)));
		const w = await watch(a);
		const lines = await Promise.all(Array.from({ length: 20 }, (_, i) => come(b, `user${i}`)));
		await until(() => w.counts.count === 20 && w.there.size === 5 && w.counts.more, 'five are named, and twenty counted');
		for (const line of lines)
			line.cut();
		await w.sees([], 0, 'nobody');
	}, { stomp: { ...config.stomp, presence_max_users: 5 } }));

	await suite.test('presence: of thousands of rooms those that have changed are found when the engine is back', () => withGateways(2, async (a, b, server) => {
		const rooms = Array.from({ length: 3000 }, (_, i) => `/topic/rooms/r${i}`), there = new Map(rooms.map((r) => [r, new Set()]));
		await Promise.all([a, b].map((g) => knows(g, 1)));
		const [ann, bob] = [await client(a, { token: token('ann') }), await client(b, { token: token('bob') })], watcher = await client(a);
		let wrong = null;

		(async () => {
			for (;;) {
				const f = await watcher.next('MESSAGE', 1e6), said = JSON.parse(f.text), room = there.get(f.get('destination').slice('/presence'.length));
				for (const user of said.left ?? [])
					wrong ??= room.delete(user) ? null : `${user} goes, who was not there`;
				for (const user of said.joined ?? said.users)
					room.add(user);
			}
		})().catch(() => {});
		for (const [i, destination] of rooms.entries()) {
			ann.send('SUBSCRIBE', { id: `${i}`, destination });
			bob.send('SUBSCRIBE', { id: `${i}`, destination });
			watcher.send('SUBSCRIBE', { id: `${i}`, destination: `/presence${destination}` });
		}
		const all = (count, what) => until(() => {
			check(!wrong, wrong);
			return [...there.values()].every((r) => r.size === count(r));
		}, what, 30000).catch((e) => {
			throw new Error(`${e.message}: ${[...there.values()].filter((r) => r.size !== count(r)).length} are not so`);
		});
		await all(() => 2, 'both are in all');
		await server.stop();
		await all(() => 1, 'the other has gone from all');
		for (let i = 0; i < rooms.length; i += 3)
			bob.send('UNSUBSCRIBE', { id: `${i}` });
		await server.start();
		await until(() => rooms.every((r, i) => there.get(r).size === (i % 3 ? 2 : 1)), 'it is back where it still is', 30000);
		check(!wrong, wrong);
	}, { stomp: { ...config.stomp, max_subscriptions: 10000 } }));

	await suite.test('presence: gateways at different servers of a cluster, of which one after the other is killed', async () => {
		const cluster = await new NatsCluster().start();
		const gateways = await Promise.all(cluster.servers.map((_, i) => start({ servers: [...cluster.urls.slice(i), ...cluster.urls.slice(0, i)] }, config)));

		try {
			await Promise.all(gateways.map(isReady));
			await Promise.all(gateways.map((g) => knows(g, 2)));
			const watchers = await Promise.all(gateways.map((g) => watch(g)));
			const users = [];

			for (const server of [null, ...cluster.servers]) {
				await server?.kill();
				for (const [i, g] of gateways.entries()) {
					users.push(`u${users.length}`);
					await comeAlone(g, users.at(-1));
					await comeAlone(gateways[(i + 1) % 3], users.at(-1));
				}
				for (const w of watchers)
					await w.sees(users, 0, `with ${users.length}`);
				await server?.start();
			}
			const page = await pageOf(gateways[0]);
			equal(named(page), [...users].sort().map((u) => `${u}2`), 'with their sessions');
			equal([page.gateways, page.missing], [3, 0], 'of all');
		} finally {
			await finishAll(gateways);
			await cluster.stop();
			await cluster.remove?.();
		}
	});

	await suite.test('presence: by whatever chance, all know in the end who is there', () => withGateways(3, async (a, b, c, server) => {
		const gateways = [a, b, c], rooms = ['/topic/rooms/tea', '/topic/rooms/milk'];
		await Promise.all(gateways.map((g) => knows(g, 2)));
		const watchers = await Promise.all(rooms.flatMap((room) => gateways.map(async (g) => [room, await watch(g, room)])));
		const guests = [];
		let seed = 7;
		const dice = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;

		for (let i = 0; i < 150; i++) {
			if (i === 60)
				await server.kill();
			if (i === 80)
				await server.start();
			if (guests.length > 0 && dice(2) === 0) {
				const [{ line }] = guests.splice(dice(guests.length), 1);
				line.cut();
			} else {
				const user = `u${dice(6)}`, room = rooms[dice(2)];
				guests.push({ user, room, line: await come(gateways[dice(3)], user, room) });
			}
			await sleep(dice(30));
		}
		for (const [room, w] of watchers)
			await w.sees([...new Set(guests.filter((g) => g.room === room).map((g) => g.user))], 0, `in the end, in ${room}`);
	}, { ...config, engine: { lost: 'local', lost_after_ms: 600 } }));
}
