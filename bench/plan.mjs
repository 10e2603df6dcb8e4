/*
 * bench/plan.mjs - what is measured, and where sockjsd must stand.
 *
 * A workload is a row of the table. `kind`, `transport` and the options `load` are what
 * bench/loadgen is told; for a peer, `as` names another transport, `kinds` another kind, and `more` has further
 * options. Rows of a `group` have a table of their own. With `backend` the peers stand in front
 * of another server, which echoes; the floor is then what the load gets from such a server directly. With `over`
 * they listen for TLS, or on a unix socket.
 *
 * Each of the `limits` is a multiple of what the peer `of` takes, or of what sockjsd itself takes in another
 * row; or of the latency that `of` adds to the floor's; or it is plain bytes.
 */
const FLOOR = 'floor';
const WS = ['floor', 'sockjsd', 'lws', 'ws'];
const SOCKJS = ['floor', 'sockjsd', 'sockjs-node'];
const OWN = ['floor', 'sockjsd'];

/* A connection by TLS takes so long to open that a hundred would be nearly all that is measured. */
const FEW_AT_ONCE = ['-c', 20];

function echo(id, title, transport, peers, load, limit, more) {
	return { id, title, unit: 'message', peers, kind: 'echo', transport, load, limits: limit ? [{ ratio: limit, of: FLOOR }] : [], ...more };
}

function fanout(id, title, receivers, transport, peers, of, more) {
	return { id, title, unit: 'delivery', peers, kind: 'fanout', transport, load: ['-c', receivers], limits: [{ ratio: 1, of }], ...more };
}

function idle(id, title, transport, peers, bytes, more) {
	return { id, title, unit: 'bytes', peers, kind: 'idle', transport, load: ['-c', 10200, '-t', 0.5, '-w', 1], limits: bytes ? [{ bytes }] : [], once: true, ...more };
}

/* So few that none has come to the end of its time when the last has come. */
const SOON = { load: ['-c', 2200, '-t', 0.5, '-w', 0.5] };

/* A row measured by the same server's figure in another row. */
function among(id, title, transport, than) {
	return { id, title, unit: 'message', peers: ['floor', 'sockjsd'], kind: 'echo', transport, load: ['--crowd', 15000], limits: [{ ratio: 1.2, row: than }] };
}

function proxied(id, title, load, limits, more) {
	return { id, title, unit: 'message', peers: ['floor', 'sockjsd', 'nginx'], backend: true, kind: 'echo', transport: 'ws', load, limits, ...more };
}

/* Connections that are new for each operation, with requests as long as a browser's. */
function opening(id, title, load, limit, more) {
	return { id, title, unit: 'session', peers: OWN, kind: 'churn', transport: 'ws', load: ['--browser', ...load], limits: [{ ratio: limit, of: FLOOR }], ...more };
}

function firstPost(id, title, load, limit, more) {
	return { id, title, unit: 'request', peers: OWN, kind: 'first-post', transport: 'xhr_streaming', load: ['--browser', ...load], limits: [{ ratio: limit, of: FLOOR }], ...more };
}

/* STOMP beside a plain message of the same server, and of the floor, of as many octets; and beside other brokers. */
const BROKERS = ['floor', 'plain', 'sockjsd', 'nats', 'rabbitmq'];
const FEW = { peers: BROKERS.filter((name) => name !== 'rabbitmq') };
const STOMP = { group: 'stomp', transport: 'stomp', as: { floor: 'ws', plain: 'ws', nats: 'nats' } };
const MESSAGE_BYTES = 169; /* what a MESSAGE has with 64 octets of body */

function receipt(id, title, load, limit, more) {
	return { ...STOMP, id, title, unit: 'message', peers: BROKERS, kind: 'receipt', kinds: { floor: 'echo', plain: 'echo' }, load, limits: limit ? [{ ratio: limit, of: 'plain' }] : [], ...more };
}

function topic(id, title, subscribers, more) {
	const long = ['-s', MESSAGE_BYTES];

	return { ...STOMP, id, title, unit: 'delivery', peers: BROKERS, kind: 'fanout', load: ['-c', subscribers], more: { floor: long, plain: long }, limits: [{ ratio: 1.1, of: 'plain' }], ...more };
}

export const workloads = [
	echo('ws', 'WebSocket echo, 100 connections', 'ws', WS, [], 1.05, { quick: true }),
	echo('ws-1000', 'WebSocket echo, 1,000 connections', 'ws', WS, ['-c', 1000], 1.05),
	echo('ws-deep', 'WebSocket echo, 100 × 16 under way', 'ws', WS, ['-d', 16], 1.25, { quick: true }),
	echo('ws-1000-deep', 'WebSocket echo, 1,000 × 16 under way', 'ws', WS, ['-c', 1000, '-d', 16], 1.25),
	echo('ws-16k', 'WebSocket echo of 16 KiB', 'ws', WS, ['-s', 16384], null),
	echo('ws-1000-16k', 'WebSocket echo of 16 KiB, 1,000 connections', 'ws', WS, ['-c', 1000, '-s', 16384], null),
	echo('sockjs', 'SockJS websocket echo, 100 connections', 'websocket', SOCKJS, [], 1.08, { quick: true }),
	echo('sockjs-deep', 'SockJS websocket echo, 100 × 16', 'websocket', SOCKJS, ['-d', 16], 1.5),
	echo('streaming', 'xhr_streaming echo, 100 sessions', 'xhr_streaming', SOCKJS, [], 1.35, { quick: true }),
	echo('streaming-deep', 'xhr_streaming echo, 100 × 16', 'xhr_streaming', SOCKJS, ['-d', 16], 1.35),
	echo('eventsource', 'eventsource echo, 100 sessions', 'eventsource', SOCKJS, [], null),
	echo('polling', 'xhr polling echo, 100 sessions', 'xhr', SOCKJS, [], 1.5, { quick: true }),
	echo('polling-tls', 'xhr polling echo by TLS, 20 sessions', 'xhr', OWN, FEW_AT_ONCE, null, { over: 'tls' }),
	echo('polling-unix', 'xhr polling echo on a unix socket', 'xhr', OWN, [], null, { over: 'unix' }),
	{
		id: 'post', title: 'POST → 204 (xhr_send), 100 sessions', unit: 'request', quick: true,
		peers: [...SOCKJS, 'nchan'], kind: 'post', transport: 'xhr_streaming', as: { nchan: 'post' }, limits: [{ ratio: 1.35, of: FLOOR }],
	},
	fanout('fanout-ws-3000', 'Fan-out, 3,000 WebSockets', 3000, 'ws', ['floor', 'sockjsd', 'nchan'], FLOOR),
	fanout('fanout-ws', 'Fan-out, 5,000 WebSockets', 5000, 'ws', [...WS, 'nchan'], FLOOR, { quick: true }),
	fanout('fanout-http-3000', 'Fan-out, 3,000 HTTP streams', 3000, 'xhr_streaming', ['floor', 'sockjsd', 'nchan'], 'nchan', { as: { nchan: 'chunks' } }),
	fanout('fanout-http', 'Fan-out, 5,000 HTTP streams', 5000, 'xhr_streaming', [...SOCKJS, 'nchan'], 'nchan', { as: { nchan: 'chunks' }, quick: true }),
	{ id: 'churn', title: 'Open, echo, close a WebSocket', unit: 'session', peers: WS, kind: 'churn', transport: 'ws', limits: [{ ratio: 1.3, of: FLOOR }] },
	opening('open', 'Open, echo, close, as a browser', [], 1.3, { quick: true }),
	opening('open-tls', 'Open, echo, close by TLS', FEW_AT_ONCE, 1.2, { over: 'tls' }),
	opening('open-tls-resumed', 'Open, echo, close by TLS, resumed', [...FEW_AT_ONCE, '--resume'], 1.2, { over: 'tls' }),
	opening('open-unix', 'Open, echo, close on a unix socket', [], 1.4, { over: 'unix' }),
	firstPost('first-post', 'First xhr_send of a connection', [], 1.2, { quick: true }),
	firstPost('first-post-tls', 'First xhr_send by TLS', FEW_AT_ONCE, 1.2, { over: 'tls' }),
	firstPost('first-post-tls-resumed', 'First xhr_send by TLS, resumed', [...FEW_AT_ONCE, '--resume'], 1.2, { over: 'tls' }),
	firstPost('first-post-unix', 'First xhr_send on a unix socket', [], 1.2, { over: 'unix' }),
	proxied('upstream', 'Before a backend, 100 connections', [], [{ ratio: 2.2, of: FLOOR }, { ratio: 1.1, of: 'nginx' }], { quick: true }),
	proxied('upstream-deep', 'Before a backend, 100 × 16 under way', ['-d', 16], [{ ratio: 3, of: FLOOR }]),
	proxied('upstream-one', 'Before a backend, one connection', ['-c', 1], [{ added: 1.5, of: 'nginx' }]),
	among('ws-crowd', 'WebSocket echo among 15,000 idle', 'ws', 'ws'),
	among('streaming-crowd', 'xhr_streaming echo among 15,000 idle', 'xhr_streaming', 'streaming'),
	idle('idle-silent', 'A connection without a word', 'silent', OWN, null, SOON),
	idle('idle-kept', 'A connection kept after an answer', 'kept', OWN, null, SOON),
	idle('idle-ws', 'An idle WebSocket session', 'ws', [...WS, 'nchan'], 512),
	idle('idle-streaming', 'An idle xhr_streaming session', 'xhr_streaming', [...SOCKJS, 'nchan'], 819, { as: { nchan: 'chunks' } }),
	idle('idle-polling', 'An idle polling session', 'xhr', SOCKJS, 819),
	receipt('stomp', 'SEND → RECEIPT, 100 connections', [], 1.3, { quick: true }),
	receipt('stomp-1000', 'SEND → RECEIPT, 1,000 connections', ['-c', 1000], 1.3, FEW),
	receipt('stomp-deep', 'SEND → RECEIPT, 100 × 16 under way', ['-d', 16], null, FEW),
	receipt('stomp-1000-deep', 'SEND → RECEIPT, 1,000 × 16 under way', ['-c', 1000, '-d', 16], null, FEW),
	{ ...receipt('stomp-patterns', 'SEND → RECEIPT beside 10,000 patterns', ['--crowd', 100, '--topics', 100], null), peers: ['floor', 'sockjsd'], limits: [{ ratio: 1.1, row: 'stomp' }], more: { floor: ['--crowd', 0] } },
	topic('stomp-topic-1000', 'Topic with 1,000 subscribers', 1000),
	topic('stomp-topic', 'Topic with 5,000 subscribers', 5000, { quick: true }),
	{ ...STOMP, ...idle('idle-stomp', 'An idle STOMP client, subscribed', 'stomp', ['sockjsd', 'nats', 'rabbitmq'], 1024), more: { rabbitmq: ['-c', 2000] } },
	{ ...STOMP, id: 'idle-subscription', title: 'A further subscription', unit: 'bytes', peers: ['sockjsd', 'nats'], kind: 'subscriptions', load: ['-c', 1000, '--topics', 100, '-w', 1], limits: [{ bytes: 200 }], once: true },
	idle('idle-upstream', 'An idle WebSocket before a backend', 'ws', ['sockjsd', 'nginx'], 1024, { backend: true, load: ['-c', 5000, '-t', 0.5, '-w', 1] }),
];
