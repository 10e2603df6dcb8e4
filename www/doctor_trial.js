/*
 * doctor_trial.js - one transport, tried: it opens, says what the server saw, echoes, pushes.
 *
 * By sockjs-client as it is, or by a bare WebSocket.  What happens is noted as it happens,
 * for the picture: events of { ms, what: open | push | echo | end }.
 */
import { judge } from './doctor_diagnosis.js';
import { Line } from './doctor_line.js';
import { RawSocket } from './rawsocket.js';

export const PUSHES = 10;
const PUSH_MS = 100;
const SINGLE_ECHOES = 3;
const ECHOES = 12;
const ECHO_BYTES = 200;

/* In the order in which clients try them. */
export const trials = [
	{ name: 'websocket', label: 'websocket', line: 'ws' },
	{ name: 'raw-websocket', label: 'raw websocket', line: 'raw', raw: true },
	{ name: 'xhr-streaming', label: 'xhr-streaming', line: 'xs', http: true },
	{ name: 'eventsource', label: 'eventsource', line: 'es', http: true },
	{ name: 'htmlfile', label: 'htmlfile', line: 'hf', http: true },
	{ name: 'xhr-polling', label: 'xhr-polling', line: 'xp', http: true, polls: true },
	{ name: 'jsonp-polling', label: 'jsonp-polling', line: 'jp', http: true, polls: true },
];

/* How long something may take that takes a few round trips. */
export function patience(roundTripMs) {
	return Math.max(2500, 6 * roundTripMs + 1000);
}

function connect(url, kind, openMs) {
	if (kind.raw)
		return new RawSocket(`${url}/websocket`, kind.name);
	return new SockJS(url, null, { transports: [kind.name], timeout: openMs });
}

function median(numbers) {
	const sorted = [...numbers].sort((a, b) => a - b);

	return sorted.length ? sorted[sorted.length >> 1] : null;
}

async function echoOneByOne(line, trial, wait) {
	const times = [];

	for (let i = 0; i < SINGLE_ECHOES && line.isOpen; i++) {
		const answer = await line.ask({ do: 'echo', seq: i }, wait);

		trial.echoes.sent++;
		if (!answer)
			break;
		trial.echoes.got++;
		trial.event('echo');
		times.push(answer.ms);
	}
	trial.echoMs = median(times);
}

/* Side by side, as a page sends that has much to say. */
async function echoMany(line, trial, wait) {
	let got = 0;

	for (let i = 0; i < ECHOES; i++)
		line.order({ do: 'echo', seq: SINGLE_ECHOES + i, bytes: ECHO_BYTES }, () => {
			got++;
			trial.event('echo');
		});
	trial.echoes.sent += ECHOES;
	await line.until(() => got === ECHOES || !line.isOpen, 2 * wait);
	trial.echoes.got += got;
}

/* A stream that flows shows each push in time; one that is held shows them in heaps. */
async function push(line, trial, wait) {
	const offsets = [];

	line.order({ do: 'push', count: PUSHES, every_ms: PUSH_MS, bytes: 32 }, (answer, ms) => {
		offsets.push(ms - answer.at_ms);
		trial.event('push');
	});
	await line.until(() => offsets.length === PUSHES || !line.isOpen, PUSHES * PUSH_MS + wait);
	trial.pushes.got = offsets.length;
	if (offsets.length)
		trial.pushes.spreadMs = Math.max(...offsets) - Math.min(...offsets);
}

async function run(line, trial, wait, roundTripMs) {
	trial.opened = true;
	trial.openMs = line.openMs;
	trial.event('open', line.openMs);
	trial.seen = await line.ask({ do: 'seen' }, wait) ?? null;
	await echoOneByOne(line, trial, wait);
	if (trial.echoes.got === SINGLE_ECHOES) {
		await push(line, trial, wait);
		await echoMany(line, trial, wait);
	}
	trial.lateMs = trial.echoMs === null ? 0 : Math.max(0, trial.echoMs - roundTripMs);
}

function freshTrial(kind, line, roundTripMs, onEvent) {
	const trial = {
		name: kind.name, state: 'running', words: '', polls: Boolean(kind.polls), opened: false, openMs: null, echoMs: null, lateMs: 0, seen: null, roundTripMs,
		echoes: { sent: 0, got: 0 }, pushes: { of: PUSHES, got: 0, spreadMs: 0 }, events: [],
	};

	trial.event = (what, ms = line.now()) => {
		trial.events.push({ what, ms });
		onEvent(trial);
	};
	return trial;
}

/* In due form, so that no poll is left behind whose answer nobody expects any more. */
async function leave(line, wait) {
	if (line.isOpen)
		line.order({ do: 'close' });
	await line.until(() => line.closed !== null, wait / 3);
	line.close();
}

/* -> trial, judged; onEvent(trial) whenever there is something new. */
export async function tryTransport(url, kind, roundTripMs, onEvent) {
	const wait = patience(roundTripMs);
	const openMs = Math.max(3500, 8 * roundTripMs);
	const line = new Line(connect(url, kind, openMs));
	const trial = freshTrial(kind, line, roundTripMs, onEvent);

	await line.until(() => line.openMs !== null || line.closed !== null, openMs + 500);
	if (line.isOpen)
		await run(line, trial, wait, roundTripMs);
	else
		trial.words = line.closed && line.now() < openMs * 0.9 ? 'is refused' : 'nothing comes';
	trial.closed = line.closed;
	trial.ms = line.closed && !trial.opened ? Math.min(line.closed.ms, line.now()) : line.now();
	Object.assign(trial, judge(trial));
	trial.sends = trial.opened ? trial.echoes.got === trial.echoes.sent && trial.echoes.got > 0 : null;
	trial.event(trial.state === 'failed' ? 'fail' : 'end', trial.ms);
	if (line.isOpen)
		await leave(line, wait);
	return trial;
}
