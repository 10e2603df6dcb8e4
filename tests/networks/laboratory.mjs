/*
 * laboratory.mjs - one network with its gateway: built, visited for the first time, visited again, and
 * taken down. Each has a gateway of its own, whose evidence is of nobody else.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { check, patient, Server } from '../e2e/harness.mjs';
import { Proxy as Hostile } from '../hostile/proxy.mjs';
import { now } from './application.mjs';
import { factsOf } from './facts.mjs';
import { withLever } from './levers.mjs';
import { Line } from './line.mjs';
import { Software } from './software.mjs';

const require = createRequire(import.meta.url);
const CLIENT = readFileSync(require.resolve('sockjs-client/dist/sockjs.min.js'), 'utf8');
const VISIT = readFileSync(new URL('visit.js', import.meta.url), 'utf8');
const ALONE_MS = 1500; /* for so long nobody else opens */
const QUICK_MS = 8000, OPENINGS = 2; /* what opens so quickly is opened so often again */

globalThis.SockJS = require('sockjs-client');
await import('./visit.js');

let serial = 0;

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/* Not more than so many at a time. */
export class Slots {
	#free;
	#waiting = [];

	constructor(count) { this.#free = count; }

	async with(body) {
		if (this.#free)
			this.#free--;
		else
			await new Promise((resolve) => this.#waiting.push(resolve));
		try {
			return await body();
		} finally {
			if (this.#waiting.length)
				this.#waiting.shift()();
			else
				this.#free++;
		}
	}
}

/* --- who visits ------------------------------------------------------------------- */

/* In the page. */
const greet = (url) => Promise.race([fetch(url).then((answer) => answer.text()).catch(() => {}), new Promise((resolve) => { setTimeout(resolve, 15000); })]);

/* Each visitor has a context of Chromium to itself, so that none uses connections of another. */
class Page {
	static async open(network, browser, plan) {
		const p = Object.assign(new Page(), { url: plan.url, isCold: network.row.isCold });

		p.context = await browser.newContext({ ignoreHTTPSErrors: true, ...(network.proxy && { proxy: { server: network.proxy, bypass: '<-loopback>' } }) });
		p.page = await p.context.newPage();
		/* The page itself does not come by the network, which may be unable to bring it. */
		await p.page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>A visitor</title>' }));
		await p.page.goto(`${network.url}/page`);
		await p.page.unroute('**/*');
		await p.page.addScriptTag({ content: CLIENT });
		await p.page.addScriptTag({ content: VISIT });
		await p.page.evaluate((given) => { globalThis.visit = new globalThis.Visit(given); }, plan);
		return p;
	}

	/* A connection is already there, as the page itself would have come by one. */
	async greet() {
		if (!this.isCold)
			await this.page.evaluate(greet, this.url);
	}

	call(name, ...args) {
		return this.page.evaluate(([n, a]) => globalThis.visit[n](...a), [name, args]);
	}

	/* A page that has left says nothing more. */
	close() { return this.context.close(); }
}

class Here {
	static async open(_, __, plan) {
		const h = new Here();

		h.visit = new globalThis.Visit(plan);
		return h;
	}

	async greet() {}

	call(name, ...args) { return this.visit[name](...args); }

	async close() {}
}

const VISITORS = { chromium: Page, node: Here };

/* --- the network ------------------------------------------------------------------- */

export class Network {
	#chain = [];

	constructor(world, row, levers, folder) {
		Object.assign(this, { world, row, levers, folder });
	}

	/* The gateway, then what stands before it, from there to the client. */
	async start() {
		mkdirSync(this.folder, { recursive: true, mode: 0o755 });
		if (this.row.line)
			this.line = new Line(this.row.line).make();
		await this.#startGateway();
		for (const [i, link] of [...this.row.via].reverse().entries())
			await this.#add(link, join(this.folder, `${i}`));
		return this;
	}

	async #startGateway() {
		const { row, world, levers, line } = this;
		const file = join(this.folder, 'gateway.json');
		const endpoint = { prefix: '/app', application: 'upstream', allowed_origins: ['*'], upstream: { url: world.application.url, forward_path: true }, ...row.endpoint };

		writeFileSync(file, JSON.stringify({ threads: 1, log_level: 'error', endpoints: [withLever(world.known, endpoint, levers)] }));
		this.address = `${line?.address ?? '127.0.0.1'}`;
		const command = (port) => `${line ? `${line.prefix} ` : ''}${world.server} -c ${file} -l ${this.address}:${port}`;
		this.gateway = new Server({ server: command(0) });
		await this.gateway.start();
		this.command = command(this.gateway.port);
		this.target = new URL(this.gateway.url).host;
		this.url = this.gateway.url;
	}

	/* Another one, which has seen nobody, at the same address. */
	async renew() {
		check(await this.gateway.stop() === 0, 'the gateway ends well');
		this.gateway = new Server({ server: this.command });
		await this.gateway.start();
	}

	async #add(link, folder) {
		const before = this.#chain.at(-1)?.target ?? this.target;
		const started = link.kind === 'hostile' ? await Hostile.start(before, link.rules) : await Software.start(link, folder, before);

		if (link.kind === 'hostile')
			this.hostile = started;
		this.#chain.push(Object.assign(started, { target: new URL(started.url).host }));
		if (started.isForward)
			this.proxy = started.url;
		else
			this.url = started.url;
	}

	/* What the hostile proxy has done, by the clock on the wall. */
	async deeds() {
		if (!this.hostile)
			return [];
		return (await this.hostile.log()).map((deed) => ({ ...deed, at: Date.parse(deed.time) }));
	}

	async stop() {
		for (const link of [...this.#chain].reverse())
			await link.stop();
		const code = await this.gateway?.stop();
		this.line?.remove();
		check(code === 0, `the gateway ends well, not with ${code}`);
	}
}

/* --- visits ------------------------------------------------------------------------ */

const USUAL = { echoes: 50, pad: 0, pace_ms: 20, pushes: 20, push_ms: 250, tries: 3, again_ms: 200, open_ms: 110000, patience_ms: 12000, linger_ms: 45000 };
const FIRST_REST_MS = 70000, LATER_REST_MS = 50000; /* of silence; no multiple of 20 s, at which some are cut */
const SHORT = { pushes: 8, open_ms: 30000, linger_ms: 0 };
const LEARNS_MS = 40000; /* for what takes 35 s without a lever */
const DEAD_MS = 3000; /* what is known not to come is not waited for */

function planOf(world, row, expect, url) {
	const plan = { ...USUAL, ...(world.isShort && SHORT), ...row.plan, id: ++serial, url: `${url}/app` };
	const waits = expect.echoes === 'all' && expect.answer !== false;

	plan.patience_ms += 20 * row.rtt;
	if (world.isShort)
		plan.patience_ms = waits ? patient(plan.patience_ms / 2) : DEAD_MS;
	return plan;
}

/* Nobody else begins while a page is made and while it opens, for the processors are few; what takes long
 * only waits, and does so among others. */
async function begin(network, client, plan) {
	const { world } = network, slots = world.slots[client];
	let visitor, opening;

	await slots.with(async () => {
		visitor = await VISITORS[client].open(network, world.browser, plan);
		await visitor.greet();
		await visitor.call('begin');
		opening = visitor.call('open');
		opening.catch?.(() => {}); /* it is heard of below */
		await Promise.race([opening, sleep(ALONE_MS)]);
	});
	try {
		await opening;
		return visitor;
	} catch (e) {
		await visitor.close();
		throw e;
	}
}

/* Opens, and goes; ms, or null. */
async function opening(network, client, plan) {
	const visitor = await begin(network, client, { ...plan, id: ++serial });

	try {
		const events = await visitor.call('end');
		const opened = events.find((e) => e.what === 'open');

		return opened ? opened.at - events[0].at : null;
	} finally {
		await visitor.close();
	}
}

/* Until the server has no session of the visit any more; or never, which is seen in the facts. */
async function withoutSessions({ application }, plan) {
	const end = now() + patient(LEARNS_MS);
	const all = () => Array.from({ length: plan.tries }, (_, i) => application.of(`${plan.id}.${i + 1}`)).flat();

	while (now() < end && all().some((session) => !session.closed))
		await sleep(50);
}

async function visit(network, client, expect, isLater) {
	const { world, row } = network;
	const plan = planOf(world, row, expect, network.url);
	plan.rest_ms = world.isShort ? row.quick.rest_ms ?? 1000 : isLater && !row.restsLong ? LATER_REST_MS : FIRST_REST_MS;
	const visitor = await begin(network, client, plan);

	try {
		await visitor.call('talk');
		if (expect.learns === 'server')
			await withoutSessions(world, plan);
		await visitor.call('rest', plan.rest_ms);
		await visitor.call('ask');
		const ended = now();
		const events = await visitor.call('end');

		return { ...factsOf({ plan, events, ended, deeds: await network.deeds(), sessionsOf: (number) => world.application.of(`${plan.id}.${number}`) }), plan };
	} finally {
		await visitor.close();
	}
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/* What opens quickly is opened again, by a visitor that is as new as the first. */
async function openAgain(network, client, facts, isFirst) {
	const all = [facts.openMs];

	if (network.world.isShort || facts.openMs === null || facts.openMs > QUICK_MS)
		return;
	for (let i = 0; i < OPENINGS; i++) {
		if (isFirst)
			await network.renew();
		const ms = await opening(network, client, facts.plan);
		if (ms !== null)
			all.push(ms);
	}
	facts.openMs = median(all);
}

/* The first page of a browser is slower than all others. */
export async function warm(world, client) {
	const network = await new Network(world, { via: [], endpoint: {} }, 'off', join(world.folder, 'warm')).start();

	for (let i = 0; i < OPENINGS; i++)
		await opening(network, client, { ...USUAL, url: `${network.url}/app` });
	await network.stop();
}

/* Both visits of a network: what became of them. */
export async function runRow(world, row, levers, client, expectedOf) {
	const network = new Network(world, row, levers, join(world.folder, `${++serial}`));

	try {
		await network.start();
		const first = await visit(network, client, expectedOf(false), false);
		const later = await visit(network, client, expectedOf(true), true);
		await openAgain(network, client, later, false);
		await openAgain(network, client, first, true);
		return { first, later };
	} finally {
		await network.stop();
	}
}
