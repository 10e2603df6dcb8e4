/*
 * rows_hostile.mjs - networks of one or two rules of sockjs-hostile.
 */
const ws = ['websocket'], streaming = ['xhr-streaming'], polling = ['xhr-polling'];
/* What it comes to when every attempt has run out of time. */
const last = [...polling, 'jsonp-polling'];
const hostile = (...rules) => [{ kind: 'hostile', rules }];
const held = { by: [...streaming, 'eventsource', 'htmlfile', ...polling], later: { by: [...streaming, ...polling] } }; /* on a busy machine attempts come too late to tell anything */
/* Nothing can reach who is there already; but the gateway learns of it, and who comes later is served. */
const unreachable = { by: null, echoes: null, pushes: null, answer: null, learns: 'server', later: { by: streaming, echoes: 'all', pushes: true, answer: true, learns: null } };
/* Heartbeats rise until a connection is cut: that one is, the next one is not. */
const oneIsAnswered = { answer: null, cut: null, eventually: true };
const UNDER_A_SECOND = { first: 1000, later: 1000 };
const SOON = { heartbeat_delay_ms: 4000, websocket: { ping_interval_ms: 4000 }, networks: { first_heartbeat_ms: 1000 } };
const dead = { echoes: 'none', pushes: false, answer: false, cut: null };

/* Each way; a TCP connect costs a round trip too, and here is part of the first request. */
const delay = (ms, ...rules) => ({ via: hostile(...rules, `after 1 client bytes: delay ${ms}ms client`, `delay ${3 * ms}ms client`, `delay ${ms}ms server`), rtt: 2 * ms });

const slow = (ms, most) => ({ ...delay(ms, 'strip upgrade', 'hold'), expect: { by: last }, adapts: { by: null }, promise: most });

export const rows = {
	'no rules': { via: hostile(), expect: { by: ws } },
	'Upgrade stripped': { via: hostile('strip upgrade'), expect: { by: streaming } },
	'Upgrade refused, 403': { via: hostile('403 on upgrade'), expect: { by: streaming } },
	'Upgrade refused, 502': { via: hostile('502 on upgrade'), expect: { by: streaming }, quick: {} },
	'HTTP/1.0': { via: hostile('http 1.0'), expect: { by: streaming } },
	'streams held until their end, Upgrade stripped': { via: hostile('strip upgrade', 'hold'), expect: { by: polling }, adapts: held, promise: UNDER_A_SECOND, quick: { node: true } },
	'streams held, 64 KiB, Upgrade stripped': { via: hostile('strip upgrade', 'hold 64KiB'), expect: { by: polling }, adapts: held, promise: UNDER_A_SECOND },
	'streams held, 3 KiB, Upgrade stripped': { via: hostile('strip upgrade', 'hold 3KiB'), expect: { by: [...polling, ...streaming] }, adapts: held, promise: UNDER_A_SECOND },
	'Upgrade hangs': { via: hostile('hang on upgrade'), expect: { by: streaming }, quick: {} },
	'101, then no frames': { via: hostile('after 101: black'), expect: { by: streaming }, quick: {} },
	'the first frame of the client is lost': { via: hostile('drop first client frame'), expect: { by: ws, echoes: 'some', pushes: false }, adapts: { by: null, echoes: null, pushes: null }, plan: { patience_ms: 5000 } },
	'101 and `o`, then black': { via: hostile('after open: black'), expect: { by: ws, ...dead }, adapts: unreachable, quick: { node: true } },
	'frames of the client are dropped': { via: hostile('drop all client frames'), expect: { by: ws, ...dead }, adapts: { by: null, echoes: 'all', pushes: true, answer: true, later: { by: streaming } } },
	'black after ten frames': { via: hostile('on websocket: after 10 server frames: black'), expect: { by: ws, echoes: 'some', pushes: false, answer: false, cut: null },
		adapts: unreachable, quick: {} },
	'streams held, Upgrade hangs': { via: hostile('hang on upgrade', 'hold'), expect: { by: polling }, adapts: held },
	'101, then no frames; streams held': { via: hostile('after 101: black', 'hold'), expect: { by: polling }, adapts: held },
	'idle for 20 s, forgotten': { via: hostile('cut idle 20s silent'), expect: { by: ws, answer: false, cut: true }, adapts: oneIsAnswered,
		quick: { via: hostile('cut idle 2s silent'), endpoint: SOON, rest_ms: 6000, node: true } },
	'idle for 20 s, forgotten; Upgrade stripped': { via: hostile('strip upgrade', 'cut idle 20s silent'), expect: { by: streaming, answer: false, cut: true }, adapts: oneIsAnswered },
	'idle for 20 s, forgotten; Upgrade stripped, streams held': { via: hostile('strip upgrade', 'hold', 'cut idle 20s silent'), expect: { by: polling, answer: null, cut: null }, adapts: { ...held, ...oneIsAnswered } },
	'idle for 20 s, cut': { via: hostile('cut idle 20s'), expect: { by: ws, cut: true }, adapts: { cut: null } },
	'cut at an age of 60 s': { via: hostile('age 60s: cut'), restsLong: true, expect: { by: ws, cut: true } },
	'cut at an age of 60 s, Upgrade stripped': { via: hostile('strip upgrade', 'age 60s: cut'), restsLong: true, expect: { by: streaming, answer: null, cut: null } },
	'cut after 64 KiB': { via: hostile('after 64KiB: cut'), plan: { pad: 2000 }, expect: { by: ws, echoes: 'some', pushes: false, answer: null, cut: null }, adapts: { echoes: null } },
	'cut after 64 KiB, Upgrade stripped': { via: hostile('strip upgrade', 'after 64KiB: cut'), plan: { pad: 2000 }, expect: { by: streaming, echoes: null, pushes: null, answer: null, cut: null } },
	'100 ms each way': { ...delay(100), expect: { by: ws }, quick: {} },
	'800 ms each way': { ...delay(800), expect: { by: ws } },
	'800 ms each way, Upgrade stripped': { ...delay(800, 'strip upgrade'), expect: { by: streaming } },
	'100 ms each way, streams held': { ...slow(100, { first: 8000, later: 4000 }), quick: { plan: { echoes: 10 } } },
	'200 ms each way, streams held, the page is from elsewhere': { ...slow(200, { first: 8000, later: 4000 }), isCold: true },
	'200 ms each way, streams held': slow(200, { first: 8000, later: 4000 }),
	'400 ms each way, streams held': slow(400, { later: 4000 }),
	'800 ms each way, streams held': slow(800, { later: 4000 }),
	'/info hangs': { via: hostile('hang on /info'), expect: { by: [], ...dead }, plan: { open_ms: 20000 } },
	'Origin rewritten, endpoint for its own origin only': { via: hostile('set request Origin http://other.example on *'), endpoint: { allowed_origins: [] }, expect: { by: [], ...dead }, plan: { open_ms: 20000 } },
	'sends answered with 403, Upgrade stripped': { via: hostile('strip upgrade', '403 on POST /app/*'), expect: { by: ['eventsource', 'iframe-eventsource', 'htmlfile'], ...dead } },
};
