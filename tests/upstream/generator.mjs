/*
 * generator.mjs - thousands of sessions with backends made up by chance (plans.mjs), and
 * clients whose timing is as well: each client gets its end, a healthy backend beside them is
 * not disturbed, and nothing is left.
 *
 * HOSTILE_SEED and HOSTILE_SESSIONS in the environment look elsewhere, and for longer; a client
 * that gets no end tells the number of its session, which HOSTILE_ONLY plays alone.
 */
import net from 'node:net';
import tls from 'node:tls';
import { check, equal, withDeadline } from '../e2e/harness.mjs';
import { open, start } from './clients.mjs';
import { sleep } from './gateway.mjs';
import { Chance, makePlan, play, promised, tell } from './plans.mjs';

const SEED = Number(process.env.HOSTILE_SEED ?? 1);
const SESSIONS = Number(process.env.HOSTILE_SESSIONS ?? 3000);
const ONLY = process.env.HOSTILE_ONLY;
const AT_ONCE = 64;
const END_MS = 8000; /* beyond all the gateway's timeouts, under a sanitizer and with others beside us */
const ECHO_MS = 4000;
const TARGETS = 4;
const MIB = 1 << 20;

/* What a gateway may say to a client by itself, and what a backend may have it say. */
const STATUSES = [401, 403, 404, 429, 502, 503, 504];
const CODES = [1000, 1001, 1003, 1007, 1009, 1011, 1012, 1013, 1014];

/* --- the backends ---------------------------------------------------------------- */

function planOf(number) {
	return makePlan(SEED * 1000003 + number);
}

/* The gateway goes on to another backend when one is of no use. A session that has met one such meets one
 * that accepts it, or it would mostly be refused. */
const met = new Set();

function planFor(request) {
	const number = Number(/[?&]n=(\d+)/.exec(request)?.[1] ?? 0);
	const plan = planOf(number);

	if (met.has(number))
		plan.answer = null;
	met.add(number);
	return plan;
}

/* Reads a request, and plays the plan of the session that it names. */
function serve(socket, plain) {
	let text = '';

	plain.setNoDelay(); /* or a reset takes back what was written */
	socket.on('error', () => {});
	plain.on('error', () => {});
	const hear = (piece) => {
		text += piece.toString('latin1');
		if (!text.includes('\r\n\r\n'))
			return;
		socket.off('data', hear);
		socket.on('data', () => {});
		play(planFor(text), socket, text, () => plain.resetAndDestroy());
	};
	socket.on('data', hear);
}

/* Plain or behind TLS. */
export class MadeUp {
	#server;
	#pair;
	port = 0;

	constructor(pair) {
		this.#pair = pair;
	}

	async start() {
		const plain = new Map(); /* what is under each TLS connection */

		if (this.#pair) {
			this.#server = tls.createServer({ ...this.#pair, allowHalfOpen: true }, (socket) => serve(socket, plain.get(socket.remotePort)));
			this.#server.on('tlsClientError', () => {});
			this.#server.on('connection', (socket) => {
				const { remotePort } = socket;

				plain.set(remotePort, socket);
				socket.on('close', () => { if (plain.get(remotePort) === socket) plain.delete(remotePort); });
			});
		} else {
			this.#server = net.createServer({ allowHalfOpen: true }, (socket) => serve(socket, socket));
		}
		await new Promise((resolve) => { this.#server.listen(0, '127.0.0.1', 1024, resolve); });
		this.port = this.#server.address().port;
	}

	/* One that rests, or is on trial, does not keep all the others waiting. */
	get urls() {
		return Array.from({ length: TARGETS }, (_, i) => `${this.#pair ? 'wss' : 'ws'}://127.0.0.1:${this.port}/${i}`);
	}
}

/* --- the clients ------------------------------------------------------------------ */

/* A WebSocket that does not wait for its 101 before it says something. */
async function eager(url, c, number) {
	const { hostname, port, pathname } = new URL(url);
	const path = c.once(2) ? `${pathname}/websocket` : `${pathname}/000/e${c.below(1 << 30)}/websocket`;
	const socket = net.connect(port, hostname);
	const word = Buffer.concat([Buffer.from([0x81, 0x85, 0, 0, 0, 0]), Buffer.from('["e"]')]);
	const words = Buffer.concat(Array.from({ length: c.below(20) }, () => word));
	const wait = c.once(4) ? 0 : c.between(1, 30); /* in one segment with its request they are 400 */

	socket.on('error', () => {});
	socket.write(Buffer.concat([Buffer.from(`GET ${path}?n=${number} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
		+ 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'), ...(wait ? [] : [words])]));
	if (wait)
		setTimeout(() => socket.write(words), wait);
	let text = '';
	socket.on('data', (piece) => {
		text = (text + piece.toString('latin1')).slice(0, 64);
		/* An answer that is no 101 leaves the connection open for a next request */
		if (/^HTTP\/1\.1 [^1]/.test(text))
			socket.end();
	});
	const ended = new Promise((resolve) => { socket.on('close', resolve); });
	if (c.once(3))
		setTimeout(() => socket.resetAndDestroy(), c.below(200));
	await withDeadline(ended, END_MS, 'an eager client gets its end');
	check(text === '' || /^HTTP\/1\.1 \d\d\d /.test(text), `an answer like "${text}"`);
	return Number(text.slice(9, 12)) || 'left';
}

const KINDS = ['raw', 'raw', 'websocket', 'xhr_streaming', 'xhr', 'eventsource', 'jsonp'];

function leaveLater(c, line) {
	if (!c.once(4))
		return false;
	setTimeout(() => (line.ws ? line.ws.terminate() : line.vanish()), c.below(300));
	return true;
}

/* A client that stays hears all that was said, and only that; unless every backend rests, or was too slow. */
function checkWords(kind, plan, isTls, heard, end) {
	const words = promised(plan, isTls);

	if (!words || [503, 504].includes(end.status) || end.code === 1013)
		return false;
	equal(end.code, words.code, `code by ${kind}`);
	equal(heard, words.messages, `messages by ${kind}`);
	return true;
}

async function patient(url, c, number, seen) {
	const kind = c.of(KINDS);
	const line = start(url, kind, { query: `?n=${number}`, deflate: c.once(2) });
	const leaves = leaveLater(c, line);
	const words = c.below(10);
	let goes = leaves;

	/* Over HTTP a client may speak before it hears `o` */
	if (!line.ws && c.once(2))
		line.send('eager');
	line.opened.then(() => {
		for (let i = 0; i < words && !line.end; i++)
			line.send(`${i} ${'w'.repeat(c.of([1, 100, 5000]))}`);
		if (line.ws && c.once(4)) {
			line.pause();
			setTimeout(() => line.ws._socket?.resume(), c.below(400));
		}
		if (c.once(6)) {
			goes = true;
			setTimeout(() => (line.ws ? line.ws.close(3333, 'enough') : line.vanish()), c.below(100));
		}
	});
	const end = await withDeadline(line.closed, END_MS, `a client by ${kind} gets its end`);

	if (!leaves)
		checkEnd(kind, end, line.error);
	if (!goes && checkWords(kind, planOf(number), /-tls$/.test(url), line.messages, end))
		seen.exact++;
	return end.status ?? (leaves ? 'left' : end.code);
}

function checkEnd(kind, end, error) {
	const known = end.status ? STATUSES.includes(end.status) : CODES.includes(end.code) || (end.code >= 3000 && end.code < 5000);

	check(known, `${kind} ends with ${JSON.stringify(end)} ${error ?? ''}`);
}

/* --- a healthy one beside them ------------------------------------------------------ */

class Healthy {
	echoes = 0;
	#goesOn = true;

	async echo(url, kind) {
		const line = await open(url, kind);

		while (this.#goesOn) {
			const word = `beside ${this.echoes}`;

			line.send(word);
			const heard = await withDeadline(line.next(), ECHO_MS, `an echo by ${kind} of the healthy backend`).catch((e) => {
				e.message += ` (${line.sendStatus ? `xhr_send: ${line.sendStatus}` : ''} after ${line.heard}, end ${JSON.stringify(line.end)})`;
				throw e;
			});
			equal(heard, word, 'echo');
			this.echoes++;
			await sleep(20);
		}
		line.ws ? await line.close() : line.vanish();
	}

	begin(url) {
		this.all = Promise.all(['raw', 'xhr_streaming', 'websocket', 'xhr'].map((kind) => this.echo(url, kind)));
		this.all.catch((e) => { this.error = e; });
	}

	async end() {
		this.#goesOn = false;
		await this.all;
	}
}

/* --- all of it ---------------------------------------------------------------------- */

async function one({ url }, number, seen) {
	const c = new Chance(SEED * 7919 + number);
	const prefix = c.once(5) ? '/made-up-tls' : '/made-up';
	let how;

	try {
		how = await (c.once(6) ? eager : patient)(url(prefix), c, number, seen);
	} catch (e) {
		e.message += ` (HOSTILE_SEED=${SEED} HOSTILE_ONLY=${number} ${prefix}: ${tell(planOf(number))})`;
		throw e;
	}
	seen.set(how, (seen.get(how) ?? 0) + 1);
}

/* So many at once; the first that goes wrong is told when all have ended. */
async function many(world, from, to, seen) {
	let next = from, error = null;
	const worker = async () => {
		while (next < to && !error)
			await one(world, next++, seen).catch((e) => { error ??= e; });
	};

	await Promise.all(Array.from({ length: AT_ONCE }, worker));
	if (error)
		throw error;
}

function count(seen, test) {
	return [...seen].reduce((sum, [how, n]) => sum + (test(how) ? n : 0), 0);
}

/* That the plans are worth something: many sessions opened, many did not, in many ways. */
function checkVariety(seen) {
	check(count(seen, (how) => how === 101 || (how > 999 && how < 5000 && how !== 1013)) > SESSIONS / 5, 'too few sessions were opened');
	check(count(seen, (how) => how >= 400 && how < 600) > SESSIONS / 50, 'too few were refused');
	check(seen.exact > SESSIONS / 100, `only ${seen.exact} sessions were compared word for word`);
	check(seen.size > 12, `only ${seen.size} kinds of ends`);
}

export async function testGenerator(world) {
	const { suite, gateway, url } = world;
	const name = `generator: ${SESSIONS} sessions of backends made up by chance, seed ${SEED}`;

	await suite.test(name, async () => {
		const seen = Object.assign(new Map(), { exact: 0 }), healthy = new Healthy();

		if (ONLY !== undefined) {
			await one(world, Number(ONLY), seen);
			return;
		}
		healthy.begin(url('/app'));
		let before;
		try {
			await many(world, 0, SESSIONS / 5, seen);
			before = gateway.rss();
			await many(world, SESSIONS / 5, SESSIONS, seen);
		} finally {
			await healthy.end();
		}
		check(healthy.echoes > 100, `only ${healthy.echoes} echoes of the healthy backend`);
		checkVariety(seen);
		check(!gateway.died, 'the gateway has died');
		check(gateway.rss() - before < 32 * MIB, `memory grew by ${((gateway.rss() - before) / MIB).toFixed(1)} MiB`);
	}, Math.max(40000, SESSIONS * 30));
}
