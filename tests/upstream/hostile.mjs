/*
 * hostile.mjs - backends that break the rules, stop talking or never stop: what the client is told,
 * and that it ends.
 */
import { check, equal } from '../e2e/harness.mjs';
import { frame } from './backend.mjs';
import { KINDS, open, start } from './clients.mjs';
import { sleep, until } from './gateway.mjs';

const MIB = 1 << 20;

/* Frames that no server may send, and what a client hears of it. */
const FRAMES = [
	['a masked frame', '818100000000' + '41', 1014],
	['invalid UTF-8', frame(0x81, Buffer.from([0xff])).toString('hex'), 1014],
	['UTF-8 cut at the end of a fragment', '0102e282' + '8001' + '20', 1014],
	['a reserved bit', 'c10141', 1014],
	['an unknown opcode', '830141', 1014],
	['an unknown control opcode', '8b00', 1014],
	['a control frame in fragments', '0900', 1014],
	['a ping of 126 octets', frame(0x89, 'p'.repeat(126)).toString('hex'), 1014],
	['a continuation of nothing', '800141', 1014],
	['a message within a message', '010141' + '810142', 1014],
	['a length that is not minimal', '817e000141', 1014],
	['a length of 64 bits with the first one set', '817f8000000000000000', 1014],
	['a close frame of one octet', '880103', 1014],
	['a close code that none may send', '8802' + '03ee', 1014],
	['a close reason that is not UTF-8', '8803' + '03e8' + 'ff', 1014],
	['compression that was not agreed on', 'c1020300', 1014],
];

async function breaksRules({ url, main }, kind, bytes, code) {
	const line = await open(url('/quick'), kind, { query: `?do=frames&bytes=${bytes}` });

	equal((await line.over()).code, code, 'code');
	check(main.sockets.size >= 0, '');
}

async function ends({ url }, kind, habit, codes) {
	const line = start(url('/quick'), kind, { query: `?do=${habit}` });
	const { code } = await line.over();

	check(codes.includes(code), `code ${code} instead of ${codes}`);
}

/* Whatever a backend does with a Close: the connection to it goes. */
async function letsGo({ url, main, gateway }, habit, after) {
	const before = new Set(main.sockets), fds = gateway.descriptors();
	const line = await open(url('/app'), 'raw', { query: `?do=${habit}` });

	/* those before may still be about to go */
	equal([...main.sockets].filter((socket) => !before.has(socket)).length, 1, 'new connections');
	await after(line);
	await until('the connection to the backend is given up', () =>
		(gateway.descriptors() > fds ? `${gateway.descriptors() - fds} too many` : null), 4000);
}

/* Memory does not grow with what is thrown at us. */
async function memoryStays({ gateway }, ms, most, body) {
	const before = gateway.rss();
	let worst = 0;
	const timer = setInterval(() => { worst = Math.max(worst, gateway.rss()); }, 20);

	try {
		await body();
		await sleep(ms);
	} finally {
		clearInterval(timer);
	}
	check(worst - before < most, `memory grew by ${((worst - before) / MIB).toFixed(1)} MiB`);
}

async function pingsWithoutEnd(world) {
	const { url, main } = world;

	await memoryStays(world, 2500, 24 * MIB, async () => {
		const line = await open(url('/app'), 'raw', { query: '?do=pings' });
		const { lastSocket } = main;

		await until('it pings a lot', () => (lastSocket.poured > 2 * MIB || line.end ? null : `${lastSocket.poured}`), 8000);
		setTimeout(() => line.vanish(), 1500);
	});
}

async function giantFrame(world) {
	await memoryStays(world, 300, 24 * MIB, async () => {
		const line = await open(world.url('/app'), 'raw', { query: '?do=giantFrame' });

		equal((await line.over()).code, 1009, 'code');
	});
}

async function drips({ url }) {
	const line = await open(url('/app'), 'websocket', { query: '?do=drip' });

	equal(await line.next(), 'dripped', 'the first frame');
	line.vanish();
}

export async function testHostile(world) {
	const { suite } = world;

	for (const [what, bytes, code] of FRAMES)
		await suite.test(`hostile: ${what}`, async () => {
			for (const kind of ['raw', 'xhr_streaming'])
				await breaksRules(world, kind, bytes, code);
		});
	for (const kind of KINDS) {
		await suite.test(`hostile, ${kind}: reset right after 101`, () => ends(world, kind, 'resetAfter101', [1012]));
		await suite.test(`hostile, ${kind}: half closed`, () => ends(world, kind, 'halfClose', [1012]));
	}
	await suite.test('hostile: 101 octet by octet, after a 100', () => drips(world));
	await suite.test('hostile: silence is noticed by pings', async () => {
		for (const kind of ['raw', 'eventsource'])
			await ends(world, kind, 'neverReads', [1012]);
	});
	await suite.test('hostile: an empty fragment without end', () => ends(world, 'raw', 'fragments', [1009]));
	await suite.test('hostile: a frame of 2^31 octets', () => giantFrame(world));
	await suite.test('hostile: pings without end, and the pongs never read', () => pingsWithoutEnd(world));
	await suite.test('hostile: a flood after its Close', () => letsGo(world, 'floodAfterClose', async (line) => {
		equal((await line.over()).code, 1000, 'code');
	}));
	await suite.test('hostile: no answer to our Close', () => letsGo(world, 'neverAnswersClose', async (line) => {
		equal((await line.close(3000, 'bye')).code, 3000, 'code');
	}));
	await suite.test('hostile: never reads our Close', () => letsGo(world, 'neverReads', async (line) => {
		equal((await line.close(3000, 'bye')).code, 3000, 'code');
	}));
	await suite.test('hostile: a flood instead of an answer to our Close', () => letsGo(world, 'floodOfText', async (line) => {
		await line.next();
		line.close(3000, 'bye').catch(() => {});
		await sleep(100);
		line.vanish();
	}));
}
