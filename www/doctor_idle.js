/*
 * doctor_idle.js - after how long the network cuts what is quiet.
 *
 * Several connections are silent side by side, each for another time; so all of it takes as long
 * as the longest.  One more is never silent: if that is cut, it is for its age.
 */
import { Line } from './doctor_line.js';
import { Stream } from './doctor_stream.js';
import { patience } from './doctor_trial.js';
import { RawSocket } from './rawsocket.js';

export const SHORT = [5000, 10000, 20000, 40000, 70000];
export const LONG = [130000, 190000, 310000];
const BUSY_MS = 2000;
/* A browser has six connections to a host; one is for what is sent. */
const STREAMS_MOST = 4;

function sleep(ms) {
	return new Promise((resolve) => { setTimeout(resolve, ms); });
}

/* -> { ms, survived, noticed, afterMs } */
async function bySocket(base, ms, wait) {
	const line = new Line(new RawSocket(`${base}/websocket`, 'raw-websocket'));

	await line.until(() => line.openMs !== null || line.closed, wait);
	if (!line.isOpen)
		return null;
	const began = line.now();
	const answer = await line.ask({ do: 'silence', ms }, ms + wait);
	const cut = line.closed ? line.closed.ms - began : null;

	line.close();
	return { ms, survived: Boolean(answer), noticed: cut !== null && !answer, afterMs: cut ?? ms };
}

async function byHttp(base, transport, ms, wait) {
	const stream = new Stream(base, transport);

	await stream.until(() => stream.ended, Math.min(1000, wait / 2));
	if (transport === 'xhr') { /* the first poll has opened it, the second one waits */
		const first = stream.url;

		return byPoll(first, ms, wait);
	}
	const began = performance.now();

	if (await stream.send({ do: 'silence', id: 1, ms }, wait) !== 204)
		return null;
	await stream.until(() => stream.of('silence').length > 0 || stream.ended, ms + wait);
	const survived = stream.of('silence').length > 0;
	const result = { ms, survived, noticed: stream.ended && !survived, afterMs: stream.ended ? stream.endedAt - began : ms };

	stream.close();
	return result;
}

async function byPoll(url, ms, wait) {
	const post = (what, body, limit) => fetch(`${url}/${what}`, { method: 'POST', body, cache: 'no-store', signal: AbortSignal.timeout(limit) });
	const began = performance.now();

	try {
		await post('xhr_send', JSON.stringify([JSON.stringify({ do: 'silence', id: 1, ms })]), wait);
		const text = await (await post('xhr', undefined, ms + wait)).text();

		return { ms, survived: text.includes('silence'), noticed: !text.includes('silence'), afterMs: performance.now() - began };
	} catch (e) {
		return { ms, survived: false, noticed: e.name !== 'TimeoutError', afterMs: performance.now() - began };
	}
}

/* Goes on until `isOver()`; when it was cut, or null. */
async function stayBusy(base, wait, isOver) {
	const line = new Line(new RawSocket(`${base}/websocket`, 'raw-websocket'));
	let cutMs = null;

	await line.until(() => line.openMs !== null || line.closed, wait);
	while (line.isOpen && !isOver()) {
		if (!await line.ask({ do: 'echo' }, wait))
			break;
		await Promise.race([sleep(BUSY_MS), line.until(() => !line.isOpen, BUSY_MS)]);
	}
	if (line.closed && line.openMs !== null && !isOver())
		cutMs = line.closed.ms;
	line.close();
	return cutMs;
}

/* What the steps come to. */
export function summary(results) {
	const known = results.filter(Boolean);
	const cut = known.filter((r) => !r.survived).sort((a, b) => a.afterMs - b.afterMs);

	if (known.length === 0)
		return null;
	return {
		survivedMs: Math.max(0, ...known.filter((r) => r.survived && (!cut.length || r.ms < cut[0].afterMs)).map((r) => r.ms)),
		cutMs: cut.length ? Math.round(cut[0].afterMs) : 0,
		noticed: cut.length ? cut[0].noticed : false,
	};
}

/* `by`: socket, xhr_streaming or xhr. -> { idle, age } of facts; onStep(result) as each is known. */
export async function beSilent(base, by, steps, roundTripMs, onStep) {
	const wait = patience(roundTripMs);
	const longest = Math.max(...steps);
	const chosen = by === 'socket' ? steps : steps.slice(-STREAMS_MOST);
	let over = false;
	const one = async (ms) => {
		const result = by === 'socket' ? await bySocket(base, ms, wait) : await byHttp(base, by, ms, wait);

		if (result)
			onStep(result);
		return result;
	};
	const busy = by === 'socket' ? stayBusy(base, wait, () => over) : Promise.resolve(null);
	const results = await Promise.all(chosen.map(one));

	over = true;
	const cutMs = await busy;
	const idle = summary(results);

	/* One that is quiet and one that is not were cut at one time: it is not for the quiet. */
	if (cutMs && idle?.cutMs && idle.cutMs > cutMs * 0.8)
		return { idle: null, age: { cutMs: Math.round(cutMs) }, longest };
	return { idle, age: cutMs ? { cutMs: Math.round(cutMs) } : null, longest };
}
