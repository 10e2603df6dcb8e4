/*
 * diagnosis.mjs - what facts come to: a case for each network that is known to be bad.
 *
 * Pure: facts as the page would have measured them go in, causes come out.
 */
import { bestTransport, diagnose, judge } from '../../www/doctor_diagnosis.js';
import { makeReport } from '../../www/doctor_report.js';
import { compareHeaders } from '../../www/doctor_seen.js';
import { check, equal } from '../e2e/harness.mjs';

const NAMES = ['websocket', 'raw-websocket', 'xhr-streaming', 'eventsource', 'htmlfile', 'xhr-polling', 'jsonp-polling'];
const SOCKETS = NAMES.slice(0, 2), STREAMS = NAMES.slice(2, 5);

function transportsWithout(...failed) {
	return NAMES.map((name) => ({
		name, state: failed.includes(name) ? 'failed' : 'works', opened: !failed.includes(name), openMs: 20, echoMs: 2, lateMs: 0, sends: true,
	}));
}

function facts(more = {}) {
	return {
		host: 'example.com', info: { state: 'ok', status: 200, ms: 5, websocket: true }, get: { state: 'ok' }, post: { state: 'ok', status: 204 }, roundTripMs: 12,
		socket: { state: 'works', openMs: 20, sent: 20, answered: 20, greeted: 5, cutBytes: 0 },
		stream: { state: 'flows', held: 'no', heldBytes: 0, lateMs: 1, cutBytes: 0, firstMs: 9 },
		transports: transportsWithout(), idle: null, age: null, seen: null, ...more,
	};
}

const socket = (state, more = {}) => ({ state, openMs: null, sent: 20, answered: 0, greeted: 0, cutBytes: 0, ...more });
const held = { state: 'held', held: 'end', heldBytes: 0, lateMs: 0, cutBytes: 0, firstMs: null };
const noSockets = { transports: transportsWithout(...SOCKETS) };
const refused = { socket: socket('refused'), ...noSockets };
const nothing = { transports: NAMES.map((name) => ({ name, state: 'untried' })) };

/* [ network, what differs from a good one, causes, severity of the first ] */
const cases = [
	['a direct one, nginx with Upgrade, Varnish with pipe', {}, 'ok', 'good'],
	['Upgrade stripped, 403, 502; HTTP/1.0; nginx as it comes; tinyproxy 443 only', refused, 'upgrade_refused', 'fair'],
	['Upgrade hangs', { socket: socket('hangs'), ...noSockets }, 'upgrade_hangs', 'fair'],
	['101, then no frames', { socket: socket('silent', { openMs: 20 }), ...noSockets }, 'websocket_silent', 'fair'],
	['frames of the client dropped', { socket: socket('one_way', { greeted: 5 }), ...noSockets }, 'websocket_one_way', 'bad'],
	['the first frame of the client lost', { socket: socket('one_way', { greeted: 5, answered: 19 }), ...noSockets }, 'websocket_one_way', 'bad'],
	['101 and o, then black', { socket: socket('black'), ...noSockets }, 'websocket_black', 'bad'],
	['black after ten frames', { socket: socket('black', { answered: 3, greeted: 5 }), ...noSockets }, 'websocket_black', 'bad'],
	['streams held until their end (two nginx, privoxy, lighttpd)', { ...refused, stream: held, transports: transportsWithout(...SOCKETS, ...STREAMS) }, 'streams_held upgrade_refused', 'bad'],
	['held by 4 KiB', { ...refused, stream: { ...held, held: 'octets', heldBytes: 4100 } }, 'streams_held upgrade_refused', 'bad'],
	['held, and WebSocket works (mitmproxy)', { stream: held, transports: transportsWithout(...STREAMS) }, 'streams_held', 'fair'],
	['hold, and Upgrade hangs', { socket: socket('hangs'), stream: held, transports: transportsWithout(...SOCKETS, ...STREAMS) }, 'streams_held upgrade_hangs', 'bad'],
	['101 black, and hold', { socket: socket('silent'), stream: held, transports: transportsWithout(...SOCKETS, ...STREAMS) }, 'streams_held websocket_silent', 'bad'],
	['HAProxy without http-no-delay and Upgrade', { ...refused, stream: { ...facts().stream, lateMs: 207 } }, 'upgrade_refused streams_late', 'fair'],
	['a read time-out of 20 s', { idle: { survivedMs: 10000, cutMs: 20000, noticed: true } }, 'idle_cut', 'bad'],
	['a read time-out of 60 s', { idle: { survivedMs: 40000, cutMs: 60000, noticed: true } }, 'idle_cut', 'fair'],
	['idle 20 s, silent; a NAT', { idle: { survivedMs: 10000, cutMs: 20000, noticed: false } }, 'idle_silent', 'bad'],
	['silences that were survived', { idle: { survivedMs: 70000, cutMs: 0, noticed: false } }, 'ok', 'good'],
	['age 60 s', { age: { cutMs: 60000 } }, 'cut_by_age', 'fair'],
	['64 KiB', { socket: socket('works', { answered: 20, cutBytes: 65536 }) }, 'cut_by_octets', 'fair'],
	['POST 403, and Upgrade stripped', { ...refused, post: { state: 'refused', status: 403 }, ...nothing }, 'post_refused upgrade_refused', 'bad'],
	['Host rewritten on an endpoint with its own origin only', { ...refused, post: { state: 'origin', status: 403 }, seen: { host: 'inner:8080', headers: [] }, ...nothing }, 'origin_rewritten upgrade_refused', 'bad'],
	['/info hangs', { info: { state: 'hangs', status: 0 }, ...nothing }, 'info_unreachable', 'bad'],
	['/info answered by a portal', { info: { state: 'foreign', status: 200 }, ...nothing }, 'info_unreachable', 'bad'],
	['400 ms there and back', { roundTripMs: 400 }, 'far', 'fair'],
	['800 ms each way, and hold', { ...refused, roundTripMs: 1600, stream: held, transports: transportsWithout(...SOCKETS, ...STREAMS) }, 'streams_held upgrade_refused far', 'bad'],
	['nothing reaches the server', { info: { state: 'failed', status: 0 }, get: { state: 'failed' }, socket: socket('refused'), roundTripMs: 0, ...nothing }, 'unreachable', 'bad'],
	['WebSocket is not offered', { info: { state: 'ok', websocket: false }, socket: socket('off'), ...noSockets }, 'ok', 'fair'],
];

function names(text, word) {
	check(text.includes(word), `"${text}" names ${word}`);
}

export async function testDiagnosis(suite) {
	for (const [network, more, causes, severity] of cases)
		await suite.test(`diagnosis: ${network}: ${causes}`, () => {
			const diagnosis = diagnose(facts(more));
			const [first] = diagnosis.findings;

			equal([diagnosis.cause, ...diagnosis.causes].join(' '), causes, 'causes');
			equal(first.severity, severity, 'severity');
			for (const part of ['headline', 'visitor', 'administrator'])
				check(first[part].length > 5 && !/undefined|NaN|null/.test(first[part]), `${part}: ${first[part]}`);
		});
	await suite.test('diagnosis: advice has what was measured', () => {
		names(diagnose(facts({ stream: { ...held, held: 'octets', heldBytes: 4100 } })).findings[0].administrator, '4 KiB');
		names(diagnose(facts({ idle: { survivedMs: 10000, cutMs: 20000, noticed: true } })).findings[0].headline, '20 s');
		names(diagnose(facts({ post: { state: 'origin', status: 403 }, seen: { host: 'inner:8080' } })).findings[0].administrator, 'inner:8080');
	});
	await suite.test('diagnosis: a report has what it may have', () => {
		const all = facts({ ...refused, seen: { headers: [{ name: 'Via', value: `1.1 squid\u001b${'x'.repeat(100)}` }] }, idle: { survivedMs: 5, cutMs: 0, noticed: false } });
		const report = makeReport(all, diagnose(all));

		equal(report.cause, 'upgrade_refused', 'cause');
		equal(report.transports[0], { name: 'websocket', state: 'failed' }, 'one that has failed');
		check(/^[ -~]{1,40}$/.test(report.via), report.via);
		equal(bestTransport(all), 'xhr-streaming', 'best transport');
	});
	await suite.test('diagnosis: a transport is judged by what passed', () => {
		const trial = (more) => judge({ opened: true, openMs: 20, lateMs: 0, roundTripMs: 5, echoes: { sent: 15, got: 15 }, pushes: { of: 10, got: 10, spreadMs: 9 }, ...more });

		equal(trial({}).state, 'works', 'a good one');
		equal(trial({ opened: false }).state, 'failed', 'one that does not open');
		equal(trial({ echoes: { sent: 15, got: 14 } }).state, 'failed', 'one message lost');
		equal(trial({ pushes: { of: 10, got: 9, spreadMs: 0 } }).state, 'failed', 'one push lost');
		equal(trial({ pushes: { of: 10, got: 10, spreadMs: 800 } }).state, 'slow', 'pushes in a heap');
		equal(trial({ openMs: 2000 }).state, 'slow', 'one that opens slowly');
		equal(trial({ lateMs: 207 }).state, 'slow', 'late messages');
	});
	await suite.test('diagnosis: headers are compared with what was sent', () => {
		const seen = { transport: 'xhr', headers: [{ name: 'Host', value: 'inner' }, { name: 'Via', value: '1.1 a' }, { name: 'User-Agent', value: 'me' }, { name: 'Cookie', octets: 3 }] };
		const rows = compareHeaders(seen, { host: 'example.com', agent: 'me', origin: 'http://example.com' });

		equal(rows.map((r) => `${r.what} ${r.name}`), ['lost accept-encoding', 'changed host', 'added via', 'same user-agent', 'same cookie'], 'rows');
	});
}
