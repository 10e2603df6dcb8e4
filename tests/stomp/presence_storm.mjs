/*
 * tests/stomp/presence_storm.mjs - who is there, while many come and go by chance: whoever watches gets
 * a state and then what changes, without a hole and nothing twice, and knows in the end who is there.
 *
 *	node tests/stomp/presence_storm.mjs --server sockjsd [--seconds 5] [--threads 4] [--seed 1]
 *
 * Guests come by every carrier, as one of few users or as nobody, subscribe and unsubscribe, fall
 * silent, and leave in due form or in the midst of it. Watchers begin again now and then. In the end
 * all watchers, the command and the guests themselves agree.
 */
import { createHmac } from 'node:crypto';
import { patient } from '../e2e/harness.mjs';
import { CARRIERS, Client, diceOf, readOptions, start } from './storm.mjs';

const options = readOptions({ server: './sockjsd', seconds: '5', threads: '4', seed: '1' });
const ROOMS = ['tea', 'coffee', 'milk'], USERS = 12, GUESTS = 40, WATCHERS = 9, BEAT_MS = 400, SETTLED_MS = 15000;
const SECRET = 'a-secret-of-at-least-32-octets-for-HS256';
const dice = diceOf(options.seed);
const sleep = (ms) => new Promise((later) => setTimeout(later, ms));
const wrong = [];
let over = false, visits = 0, silences = 0, changes = 0, states = 0;

function tokenOf(user) {
	const text = [{ alg: 'HS256', typ: 'JWT' }, { sub: user, exp: Math.floor(Date.now() / 1000) + 3600 }]
		.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');

	return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

/* --- who comes and goes ------------------------------------------------------------------------ */

class Guest {
	constructor() {
		this.rooms = new Map(); /* id of a subscription to its room */
	}

	/* One session; settles when it is over. */
	visit(at) {
		const user = dice(USERS + 3);

		this.user = user < USERS ? `user${user}` : null;
		this.rooms.clear();
		this.beats = true;
		return new Promise((gone) => {
			this.client = new Client(at, CARRIERS[dice(CARRIERS.length)], {
				CONNECTED: async () => {
					visits++;
					this.here = true;
					this.timer = setInterval(() => this.beats && this.client.wire.send('\n'), BEAT_MS / 2);
					await this.live();
				},
				ERROR: (headers) => headers.code !== '4611' && wrong.push(`a guest: ${headers.message}`),
				close: () => {
					clearInterval(this.timer);
					this.here = false;
					gone();
				},
			}, { 'heart-beat': `${BEAT_MS},0`, ...(this.user ? { token: tokenOf(this.user) } : {}) });
		});
	}

	async live() {
		for (let deeds = 1 + dice(12); this.here && !over && deeds > 0; deeds--) {
			this.act();
			await sleep(dice(120));
		}
		this.beats = true; /* who is still there when it is over, is awake */
		if (over || !this.here)
			return;
		if (dice(2))
			this.client.send('DISCONNECT');
		else
			this.client.wire.cut();
	}

	act() {
		const id = `${dice(4)}`;

		if (dice(15) === 0) {
			silences++;
			this.beats = false;
			setTimeout(() => { this.beats = true; }, BEAT_MS * (2 + dice(2)));
		} else if (this.rooms.has(id)) {
			this.rooms.delete(id);
			this.client.send('UNSUBSCRIBE', { id });
		} else {
			this.rooms.set(id, ROOMS[dice(ROOMS.length)]);
			this.client.send('SUBSCRIBE', { id, destination: `/topic/rooms/${this.rooms.get(id)}` });
		}
	}

	isIn(room) { return this.here && [...this.rooms.values()].includes(room); }
}

/* --- who watches --------------------------------------------------------------------------------- */

class Watcher {
	number = 0;

	constructor(room) {
		this.room = room;
	}

	watch(at, carrier) {
		return new Promise((gone) => {
			this.there = null;
			this.client = new Client(at, carrier, {
				CONNECTED: () => this.subscribe(),
				MESSAGE: (headers, body) => this.take(headers, JSON.parse(body)),
				RECEIPT: (headers) => headers['receipt-id'] === `${this.number}` && !this.there && this.blame('a receipt before the state'),
				ERROR: (headers, body) => this.blame(`${headers.message}: ${body}`),
				close: () => {
					this.there = null;
					gone();
				},
			});
		});
	}

	blame(what) { wrong.push(`${this.room}: ${what}`); }

	subscribe() {
		this.there = null;
		this.client.send('SUBSCRIBE', { id: ++this.number, destination: `/presence/topic/rooms/${this.room}`, receipt: this.number });
	}

	again() {
		this.client.send('UNSUBSCRIBE', { id: this.number });
		this.subscribe();
	}

	take(headers, body) {
		if (headers.subscription !== `${this.number}`)
			return; /* of the one before */
		if ((headers.presence === 'state') !== (this.there === null))
			this.blame(`${headers.presence} ${this.there ? 'in the midst' : 'at first'}`);
		if (headers.presence === 'state') {
			states++;
			this.there = new Set(body.users);
		} else {
			changes++;
			for (const user of body.left)
				if (!this.there?.delete(user))
					this.blame(`${user} goes and was not there`);
			for (const user of body.joined) {
				if (this.there?.has(user))
					this.blame(`${user} comes and is there`);
				this.there?.add(user);
			}
		}
		if (this.there && (this.there.size !== body.count || body.more))
			this.blame(`${this.there.size} are there, not ${body.count}`);
		this.anonymous = body.anonymous;
	}

	get knows() { return JSON.stringify([[...this.there ?? []].sort(), this.anonymous]); }
}

/* --- the storm -------------------------------------------------------------------------------------- */

const { at, ask, stop } = await start(options.server, options.threads, {
	access: 'open', heartbeat_ms: [0, BEAT_MS], presence: ['/topic/rooms/*'], max_failures_per_minute: 0,
	tokens: { algorithm: 'HS256', secret: SECRET },
});
const began = Date.now();
const guests = Array.from({ length: GUESTS }, () => new Guest());
const watchers = Array.from({ length: WATCHERS }, (_, i) => new Watcher(ROOMS[i % ROOMS.length]));

for (const guest of guests)
	(async () => {
		while (!over) {
			await guest.visit(at);
			await sleep(dice(50));
		}
	})();
for (const [i, watcher] of watchers.entries())
	(async () => {
		while (!over)
			await watcher.watch(at, CARRIERS[i % CARRIERS.length]);
	})();
/* On a busy machine little happens in that time. */
function isEnough() {
	return visits > GUESTS && silences > 0 && states > WATCHERS && changes > 0;
}

while (Date.now() - began < Number(options.seconds) * (isEnough() ? 1000 : patient(1000))) {
	const watcher = watchers[dice(WATCHERS)];

	await sleep(20 + dice(80));
	if (!watcher.there)
		continue;
	if (dice(4))
		watcher.again();
	else
		watcher.client.wire.cut();
}
over = true;

/* What each of them says of a room. */
async function opinions(room) {
	const inside = guests.filter((g) => g.isIn(room));
	const answer = await ask('presence', { destination: `/topic/rooms/${room}` });

	return [
		JSON.stringify([[...new Set(inside.filter((g) => g.user).map((g) => g.user))].sort(), inside.filter((g) => !g.user).length]),
		JSON.stringify([answer.users.map((u) => u.user), answer.anonymous]),
		...watchers.filter((w) => w.room === room && w.there).map((w) => w.knows),
	];
}

async function dissent() {
	const all = await Promise.all(ROOMS.map(opinions));

	return all.filter((each) => new Set(each).size > 1);
}

await sleep(500);
const settling = Date.now();
let left = await dissent();
while (left.length > 0 && Date.now() - settling < patient(SETTLED_MS)) {
	await sleep(100);
	left = await dissent();
}
const watching = watchers.filter((w) => w.there).length;
for (const one of [...guests, ...watchers])
	one.client?.wire.cut();
const code = await Promise.race([stop(), new Promise((later) => setTimeout(() => later('no end'), patient(15000)).unref())]);
const checks = [
	['nothing comes twice and there is no hole', wrong.length === 0, wrong.slice(0, 5)],
	['all agree who is there', left.length === 0, left],
	['guests came and went, and some were silent, and watchers were told', isEnough(), [visits, silences, states, changes]],
	['most watchers were there at the end', watching >= WATCHERS - 3, watching],
	['the server ends in order', code === 0, code],
];
for (const [name, good, what] of checks)
	if (!good)
		console.log(`FAILED presence: ${name}`, what);
console.log(`${visits} visits, ${silences} silences, ${states} states, ${changes} changes, settled in ${Date.now() - settling} ms, seed ${options.seed}`);
console.log(`${checks.filter((c) => c[1]).length} passed, ${checks.filter((c) => !c[1]).length} failed`);
process.exit(checks.every((c) => c[1]) ? 0 : 1);
