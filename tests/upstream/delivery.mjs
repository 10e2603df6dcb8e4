/*
 * delivery.mjs - what a backend is told of its messages when their client is gone
 * (upstream.report_delivery): never more than is so, on whatever transport and however the client
 * goes; and exactly that where nothing is under way.
 */
import { dirname, join } from 'node:path';
import { check, equal, patient, withDeadline } from '../e2e/harness.mjs';
import { Proxy } from '../hostile/proxy.mjs';
import { KINDS, open } from './clients.mjs';
import { sleep, until } from './gateway.mjs';

const GAP_MS = 30; /* messages that go out with less between them may be told as one */
const POLLS = ['xhr', 'jsonp'];
const PINGED = ['raw', 'websocket'];

/* The Close that a backend has heard, with its report. */
async function reportOf(ws) {
	await until('the backend is told', () => (ws.closedWith ? null : 'nothing'));
	const { code, reason } = ws.closedWith;

	check(Buffer.byteLength(reason) <= 123, `too long: ${reason}`);
	return { code, ...JSON.parse(reason) };
}

/* Each number is at most the one before it, and the client has what it is said to have. */
function isHonest(report, heard, accepted) {
	equal(report.accepted, accepted, 'accepted');
	check(report.accepted >= report.sent && report.sent >= report.acknowledged && report.acknowledged >= report.confirmed,
		`not in order: ${JSON.stringify(report)}`);
	check(report.confirmed <= heard, `${report.confirmed} are said to be confirmed, ${heard} were heard`);
}

/* A client that has heard `n` messages, each in a turn of its own; and the backend's end of it. */
async function served(world, url, kind, n, options = {}) {
	const line = await open(url, kind, { query: '?do=silent', ...options });
	const ws = world.main.lastWs;

	line.pings = 0;
	line.ws?.on('ping', () => line.pings++);
	for (let i = 0; i < n; i++) {
		ws.send(`message ${i}`);
		equal(await line.next(), `message ${i}`, 'a message');
		await sleep(GAP_MS);
	}
	return { line, ws };
}

/* All that the client says by itself has come to the backend. */
async function isHeard(line, ws) {
	const heard = new Promise((resolve) => { ws.once('message', resolve); });

	line.send('I am here');
	await withDeadline(heard, patient(10000), 'the backend hears the client');
}

/* The first ping may have stood before the last message; the pong to the second goes before what the
 * client says then. */
async function answersPings(line, ws) {
	const before = line.pings;

	await until('two pings', () => (line.pings >= before + 2 ? null : `${line.pings - before}`));
	await isHeard(line, ws);
}

/* --- nothing is under way --------------------------------------------------------------------- */

async function quietly(world, url, kind) {
	const { line, ws } = await served(world, url, kind, 5);
	const proves = PINGED.includes(kind) || POLLS.includes(kind);

	if (PINGED.includes(kind))
		await answersPings(line, ws);
	else if (POLLS.includes(kind))
		await sleep(100); /* for its next poll */
	line.vanish();
	equal(await reportOf(ws), { code: 1001, accepted: 5, sent: 5, acknowledged: 5, confirmed: proves ? 5 : 0,
		reason: 'Connection interrupted' }, 'what the backend is told');
}

/* A client that closes in due form has its own words in it; without a code there is one all the same. */
async function inDueForm(world) {
	for (const [close, told] of [[[4321, 'said "all"'], [4321, 'said "all"']], [[4321, ''], [4321, undefined]], [[], [1000, undefined]]]) {
		const { line, ws } = await served(world, world.url('/report'), 'raw', 2);

		await answersPings(line, ws);
		await line.close(...close);
		const { code, reason, ...counts } = await reportOf(ws);
		equal([code, reason], told, 'code and reason');
		equal(counts, { accepted: 2, sent: 2, acknowledged: 2, confirmed: 2 }, 'counts');
	}
}

/* Two messages of a stream are proven when its response ends and the client comes back for more. */
async function whenResponsesEnd(world, kind) {
	const { line, ws } = await served(world, world.url('/report-short'), kind, 3);

	await sleep(100);
	line.vanish();
	const { confirmed } = await reportOf(ws);
	equal(confirmed, 3, 'confirmed: each response has ended after one message');
}

/* --- a client that takes nothing ------------------------------------------------------------------ */

async function takesNothing(world, url, kind) {
	const { line, ws } = await served(world, url, kind, 3);
	let accepted = 3;

	line.pause();
	for (let i = 0; i < 400; i++)
		ws.send(`${i} ${'x'.repeat(20000)}`, () => accepted++);
	await sleep(500);
	line.vanish();
	const report = await reportOf(ws);
	check(report.accepted > 3 && report.accepted <= accepted, `${report.accepted} accepted of ${accepted}`);
	check(report.acknowledged >= 3, `${report.acknowledged} acknowledged of three that it has heard`);
	check(report.acknowledged < report.accepted, 'more than its system can take is acknowledged');
	isHonest(report, 3, report.accepted);
	ws.terminate();
}

/* --- a hostile network ------------------------------------------------------------------------ */

/* The backend speaks on until it is told; the gateway is closed by whatever the network does, or is
 * left by its client in the end. */
async function throughHostility(world, kind, rules) {
	const proxy = await Proxy.start(new URL(world.gateway.url).host, rules, ['--seed', String(++world.seed)]);

	try {
		const line = await open(`${proxy.url}/report`, kind, { query: '?do=silent' });
		const ws = world.main.lastWs;
		let said = 0;

		while (!ws.closedWith && said < 40) {
			ws.send(`message ${said++}`);
			await sleep(GAP_MS);
		}
		await sleep(300); /* what is under way comes, pings are answered, or not */
		line.vanish();
		if (!ws.closedWith)
			await proxy.ask('/cut?how=rst', 'POST');
		const report = await reportOf(ws);
		/* A poll that a client repeats when its connection breaks loses what was in its answer */
		const gap = line.messages.findIndex((m, i) => m !== `message ${i}`);
		const heard = gap < 0 ? line.heard : gap;
		isHonest(report, heard, report.accepted);
		check(report.accepted <= said, `${report.accepted} accepted of ${said}`);
		return { report, heard };
	} finally {
		await proxy.stop();
	}
}

/* "open" and ten frames: what came before the end of the world is known to have come, and no more. */
async function blackHole(world, kind) {
	const { report, heard } = await throughHostility(world, kind, ['after 12 server frames: black']);

	check(heard < report.accepted, `${heard} heard of ${report.accepted}`); /* a frame has as many as came together */
}

const NETWORKS = {
	raw: [['after 12 server frames: cut rst'], ['delay 50ms', 'after 2KiB: cut'], ['after 3 client frames: black client']],
	websocket: [['after 12 server frames: cut rst'], ['after 100ms: black server'], ['rate 2KiB', 'after 1s: cut rst']],
	xhr_streaming: [['after 2500 server bytes: cut rst'], ['hold 4096'], ['after 400ms: black']],
	eventsource: [['after 600 server bytes: cut'], ['delay 80ms', 'after 500ms: cut rst']],
	xhr: [['after 2KiB: cut rst'], ['delay 60ms', 'after 600ms: cut rst'], ['on xhr: after 6 requests: black']],
	jsonp: [['after 3KiB: cut'], ['on jsonp: after 4 requests: reset']],
};

/* --- all ------------------------------------------------------------------------------------- */

export async function testDelivery(world) {
	const { suite, url } = world;

	Proxy.program = join(dirname(world.program), 'sockjs-hostile');
	world.seed = 0;
	for (const kind of KINDS)
		await suite.test(`delivery: ${kind}: a client that goes when all is quiet`, () => quietly(world, url('/report'), kind));
	for (const kind of PINGED)
		await suite.test(`delivery: ${kind} by TLS: likewise`, () => quietly(world, `${world.gateway.urls[1]}/report`, kind));
	await suite.test('delivery: a compressed WebSocket: likewise', async () => {
		const { line, ws } = await served(world, url('/report'), 'raw', 5, { deflate: true });

		await answersPings(line, ws);
		line.vanish();
		equal((await reportOf(ws)).confirmed, 5, 'confirmed');
	});
	await suite.test('delivery: a WebSocket that is closed in due form', () => inDueForm(world));
	for (const kind of ['xhr_streaming', 'eventsource'])
		await suite.test(`delivery: ${kind}: responses that end prove what was in them`, () => whenResponsesEnd(world, kind));
	for (const kind of ['raw', 'xhr_streaming'])
		await suite.test(`delivery: ${kind}: a client that takes nothing`, () => takesNothing(world, url('/report'), kind));
	await suite.test('delivery: raw by TLS: a client that takes nothing', () => takesNothing(world, `${world.gateway.urls[1]}/report`, 'raw'));
	for (const kind of PINGED)
		await suite.test(`delivery: ${kind}: a black hole after ten messages`, () => blackHole(world, kind));
	for (const [kind, networks] of Object.entries(NETWORKS))
		for (const rules of networks)
			await suite.test(`delivery: ${kind}: ${rules.join(', ')}`, () => throughHostility(world, kind, rules));
}
