/*
 * crowd.mjs - many sessions at once, and a backend that dies and comes back among them.
 */
import http from 'node:http';
import { check, equal } from '../e2e/harness.mjs';
import { KINDS, open, start } from './clients.mjs';
import { sleep, until } from './gateway.mjs';

const MANY = 2000;
const AT_ONCE = 100;

async function inTurns(n, body) {
	const results = [];
	let next = 0;

	await Promise.all(Array.from({ length: AT_ONCE }, async () => {
		while (next < n) {
			const i = next++;
			results[i] = await body(i);
		}
	}));
	return results;
}

async function manyAtOnce({ url, gateway, main }) {
	const agent = new http.Agent({ keepAlive: true });

	await until('the backend is alone', () => (main.lines.size === 0 ? null : `${main.lines.size}`));
	const lines = await inTurns(MANY, (i) =>
		open(url('/crowd'), i % 10 < 6 ? 'raw' : KINDS[i % 10 - 4 < 6 ? i % 10 - 4 : 1], { agent: i % 10 < 6 ? undefined : agent }));

	equal(await gateway.metric('sockjs_sessions'), MANY, 'sessions');
	equal(main.lines.size, MANY, 'connections to the backend');
	for (let round = 0; round < 2; round++) {
		lines.forEach((l, i) => l.send(`${round} of ${i}`));
		await inTurns(MANY, async (i) => equal(await lines[i].next(`round ${round} of ${i}`), `${round} of ${i}`, 'echo'));
	}
	/* Half say goodbye, half are gone */
	lines.forEach((l, i) => (i % 2 ? l.vanish() : l.close()));
	await until('the backend is alone', () => (main.lines.size === 0 ? null : `${main.lines.size}`), 15000);
	agent.destroy();
}

/* Dies under load and comes back, twice; whoever was there is told 1012, whoever comes gets in again. */
async function diesAndReturns({ url, main, gateway }) {
	const counts = { 1012: 0, 1013: 0 };
	let stop = false, served = 0;
	const odd = [];

	const worker = async (i) => {
		while (!stop) {
			const line = start(url('/crowd'), KINDS[i % KINDS.length]);
			const how = await Promise.race([line.opened.then(() => null), line.closed]);
			for (let n = 0; !how && !line.end && n < 500 && !stop; n++) {
				line.send(`${n}`);
				const text = await line.next().catch(() => null);
				if (text !== null && text !== `${n}`)
					odd.push(`${text} instead of ${n}`);
				served += text !== null;
			}
			if (!line.end)
				line.vanish();
			else if (line.end.status)
				counts[line.end.status === 502 || line.end.status === 503 ? 1013 : 'odd'] = (counts[1013] ?? 0) + 1;
			else
				counts[line.end.code] = (counts[line.end.code] ?? 0) + 1;
			if (line.end?.code !== undefined && ![1000, 1001, 1005, 1006, 1012, 1013].includes(line.end.code))
				odd.push(`code ${line.end.code}`);
			await sleep(10);
		}
	};
	const workers = Array.from({ length: 42 }, (_, i) => worker(i));
	for (let round = 0; round < 2; round++) {
		const from = served;
		await until('it serves', () => (served > from + 200 ? null : `${served}`), 15000);
		await main.stop();
		await sleep(300);
		await main.start();
	}
	const from = served;
	await until('it serves again', () => (served > from + 200 ? null : `${served}`), 15000);
	stop = true;
	await main.stop();
	await Promise.all(workers);
	await main.start();
	check(odd.length === 0, odd.slice(0, 3).join(', '));
	check(counts[1012] > 0 && counts[1013] > 0, JSON.stringify(counts));
	check(!gateway.died, 'it is gone');
}

export async function testCrowd(world) {
	await world.suite.test(`crowd: ${MANY} sessions at once`, () => manyAtOnce(world));
}

export async function testRestart(world) {
	await world.suite.test('restart: the backend dies under load and comes back', () => diesAndReturns(world));
	await world.suite.test('restart: and serves as before', async () => {
		const line = await open(world.url('/app'), 'raw');

		line.send('x');
		equal(await line.next(), 'x', 'echo');
		await line.close();
	});
}
