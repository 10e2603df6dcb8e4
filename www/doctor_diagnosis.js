/*
 * doctor_diagnosis.js - from facts to causes, and from causes to advice.
 *
 * Pure: no page, no network, no clock.  diagnose() is given what was measured and says
 * what it means, the most important cause first.  The words are those of doc/doctor.md.
 *
 * facts: {
 *   info:   { state: ok | failed | hangs | foreign, status, ms, websocket },
 *   get:    { state: ok | failed | hangs },                  any other answer of this server
 *   post:   { state: ok | refused | hangs | origin | untried, status },
 *   roundTripMs,
 *   socket: { state: works | refused | hangs | silent | one_way | black | cut | off | untried, openMs, sent, answered, greeted, cutBytes },
 *   stream: { state: flows | held | broken | untried, held: no | end | octets, heldBytes, lateMs, cutBytes },
 *   transports: [ { name, state: works | slow | failed | untried, ... } ],
 *   idle:   null or { survivedMs, cutMs, noticed },
 *   age:    null or { cutMs },
 *   seen:   null or what the server saw, host: what the page thinks its host is,
 * }
 */
const FAR_MS = 400;
/* A client that waits for an acknowledgement waits for 40 ms, or for 200. */
const LATE_MS = 120;
const LATE_MOST_MS = 700;
/* What a gateway says by itself at least as often. */
const HEARTBEAT_MS = 25000;

function seconds(ms) {
	return ms < 10000 ? (ms / 1000).toFixed(1).replace(/\.0$/, '') : String(Math.round(ms / 1000));
}

function kib(bytes) {
	return bytes < 1024 ? `${bytes} octets` : `${Math.round(bytes / 1024)} KiB`;
}

function works(facts, name) {
	return facts.transports.some((t) => t.name === name && t.state === 'works');
}

function socketWorks(facts) {
	return facts.socket.state === 'works';
}

function anythingWorks(facts) {
	return facts.transports.some((t) => t.state === 'works' || t.state === 'slow');
}

function quietCut(facts, noticed) {
	return Boolean(facts.idle?.cutMs) && facts.idle.noticed === noticed;
}

function heldUntil({ stream }) {
	return stream.held === 'octets' && stream.heldBytes ? `until about ${kib(stream.heldBytes)} have come` : 'until they end';
}

/* ---- causes, the worst first ----------------------------------------------------- */

const causes = [
	{
		word: 'unreachable',
		severity: 'bad',
		applies: (f) => f.info.state !== 'ok' && f.get.state !== 'ok' && f.socket.state !== 'works' && !anythingWorks(f),
		headline: () => 'Nothing reaches the server',
		visitor: () => 'Look whether you are connected at all, and try another network, such as that of your telephone.',
		administrator: () => 'Neither a GET nor a WebSocket gets an answer: look whether the gateway runs, whether its name leads there, and whether a firewall stands between.',
	}, {
		word: 'info_unreachable',
		severity: 'bad',
		applies: (f) => f.info.state !== 'ok' && (f.get.state === 'ok' || f.socket.state === 'works'),
		headline: (f) => (f.info.state === 'foreign' ? 'Somebody else answers for the server' : 'The first question of the client has no answer'),
		visitor: () => 'The page cannot connect by any transport from here; another network will do.',
		administrator: (f) => `‹PREFIX/info› ${f.info.state === 'hangs' ? 'hangs' : f.info.state === 'foreign' ? 'is answered by something that is not this gateway' : `fails${f.info.status ? ` with ${f.info.status}` : ''}`}, and SockJS clients give up then: let the whole prefix of the endpoint through to the gateway, uncached.`,
	}, {
		word: 'origin_rewritten',
		severity: 'bad',
		applies: (f) => f.post.state === 'origin',
		headline: () => 'The server takes this page for a stranger',
		visitor: () => 'What you send is refused: there is nothing you can do about it here, so please tell whoever runs this site.',
		administrator: (f) => `A proxy changes Host or Origin on the way${f.seen?.host && f.host && f.seen.host !== f.host ? ` (the page is at ${f.host}, the server was asked for ${f.seen.host})` : ''}: pass Host on (nginx: ‹proxy_set_header Host $host›), or list the page's origin in ‹allowed_origins›.`,
	}, {
		word: 'post_refused',
		severity: 'bad',
		applies: (f) => f.post.state === 'refused' || f.post.state === 'hangs',
		headline: (f) => (socketWorks(f) ? 'Requests with a body are refused; WebSocket works' : 'You can listen, but nothing you send arrives'),
		visitor: (f) => (socketWorks(f) ? 'You are well as long as WebSocket works.' : 'Messages come in, but yours do not get out; another network will do.'),
		administrator: (f) => `POST to ‹PREFIX/*/*/xhr_send› ${f.post.state === 'hangs' ? 'has no answer' : `is answered with ${f.post.status || 'an error'} before it reaches the gateway`}: let POST through, of text/plain and application/xml too, or let ‹Upgrade: websocket› pass, which needs none.`,
	}, {
		word: 'websocket_one_way',
		severity: 'bad',
		applies: (f) => f.socket.state === 'one_way',
		headline: (f) => (f.socket.answered > 0 ? 'The first message by WebSocket is lost' : 'WebSocket opens, but what you send is lost'),
		visitor: () => 'The connection looks open and is not: what you write may vanish without a word. Another network will do.',
		administrator: () => 'Something on the way lets a WebSocket open and drops frames of the client: take it out of inspection, use TLS end to end, or refuse Upgrade outright, so that clients fall back at once.',
	}, {
		word: 'websocket_black',
		severity: 'bad',
		applies: (f) => f.socket.state === 'black',
		headline: () => 'WebSocket opens, and then goes dark',
		visitor: () => 'The connection looks open and is not: messages get lost in both directions. Another network will do.',
		administrator: (f) => `After ${f.socket.answered + f.socket.greeted} messages nothing passes any more, and neither side is told: take the WebSocket out of inspection, use TLS end to end, or refuse Upgrade outright, so that clients fall back at once.`,
	}, {
		word: 'idle_silent',
		severity: 'bad',
		applies: (f) => quietCut(f, false),
		headline: (f) => `A quiet connection is forgotten within ${seconds(f.idle.cutMs)} s`,
		visitor: () => 'After a pause messages may not come any more, although you seem to be connected: reload the page then.',
		administrator: (f) => `A NAT or firewall forgets connections that were quiet for ${seconds(f.idle.survivedMs)} to ${seconds(f.idle.cutMs)} s, and tells nobody: lengthen its time-out, or set ‹heartbeat_delay_ms› and ‹websocket.ping_interval_ms› well below that.`,
	}, {
		word: 'streams_held',
		severity: (f) => (socketWorks(f) ? 'fair' : 'bad'),
		applies: (f) => f.stream.state === 'held',
		headline: (f) => (socketWorks(f) ? 'Streams are held back; WebSocket works' : 'A proxy collects answers before it passes them on'),
		visitor: (f) => (socketWorks(f)
			? 'You will hardly notice, since WebSocket works from here.'
			: 'It works, but takes a few seconds to connect, since the client has to find out that only short answers come through.'),
		administrator: (f) => `Responses are held ${heldUntil(f)}: switch buffering off for this prefix (nginx: ‹proxy_buffering off› and no ‹proxy_ignore_headers› for ‹X-Accel-Buffering›; no gzip, no scan of whole bodies), or let ‹Upgrade: websocket› pass.`,
	}, {
		word: 'idle_cut',
		severity: (f) => (f.idle.cutMs > HEARTBEAT_MS ? 'fair' : 'bad'),
		applies: (f) => quietCut(f, true),
		headline: (f) => `Quiet connections are cut after ${seconds(f.idle.cutMs)} s`,
		visitor: (f) => (f.idle.cutMs > HEARTBEAT_MS
			? 'Heartbeats keep you connected: you should not notice.'
			: `When nothing happens for ${seconds(f.idle.cutMs)} s you are cut off, and connect anew.`),
		administrator: (f) => (f.idle.cutMs > HEARTBEAT_MS
			? `Something cuts what is quiet for ${seconds(f.idle.cutMs)} s; keep ‹heartbeat_delay_ms› and ‹websocket.ping_interval_ms› below that, as the usual 25 s are.`
			: `A read time-out of ${seconds(f.idle.cutMs)} s is shorter than the gateway's 25 s between heartbeats: raise it (nginx: ‹proxy_read_timeout 75s›; HAProxy: ‹timeout tunnel 1h›, ‹timeout server 75s›), or set ‹heartbeat_delay_ms› and ‹websocket.ping_interval_ms› to half of it.`),
	}, {
		word: 'cut_by_age',
		severity: 'fair',
		applies: (f) => Boolean(f.age?.cutMs),
		headline: (f) => `Connections are cut after ${seconds(f.age.cutMs)} s, whatever passes`,
		visitor: () => 'You are cut off now and then, and connect anew; a message that is under way just then is lost.',
		administrator: (f) => `Something ends connections that are ${seconds(f.age.cutMs)} s old although they are in use: raise that limit for ‹Upgrade: websocket› and for this prefix.`,
	}, {
		word: 'cut_by_octets',
		severity: 'fair',
		applies: (f) => Boolean(f.socket.cutBytes || f.stream.cutBytes),
		headline: (f) => `Connections are cut after about ${kib(f.socket.cutBytes || f.stream.cutBytes)}`,
		visitor: () => 'You are cut off whenever much has come, and connect anew; messages that are under way just then are lost.',
		administrator: (f) => `Something ends a connection after some ${kib(f.socket.cutBytes || f.stream.cutBytes)}: look for a limit of a response's or tunnel's size; for streams a smaller ‹response_limit_bytes› helps.`,
	}, {
		word: 'websocket_silent',
		severity: 'fair',
		applies: (f) => f.socket.state === 'silent',
		headline: () => 'WebSocket opens, but no frame comes through',
		visitor: () => 'It works by HTTP instead; only connecting takes a moment longer.',
		administrator: () => 'A proxy passes the 101 of a WebSocket and nothing behind it: make it a tunnel from there on (no buffering, no inspection), or let it refuse Upgrade, which is quicker for clients.',
	}, {
		word: 'upgrade_hangs',
		severity: 'fair',
		applies: (f) => f.socket.state === 'hangs',
		headline: () => 'The handshake of WebSocket has no answer',
		visitor: () => 'It works by HTTP instead; only connecting takes a moment longer.',
		administrator: () => 'Requests with ‹Upgrade: websocket› are swallowed: pass Upgrade and Connection on with HTTP/1.1, or have them refused at once; "transports" without websocket spares clients the wait.',
	}, {
		word: 'upgrade_refused',
		severity: 'fair',
		applies: (f) => f.socket.state === 'refused',
		headline: (f) => (anythingWorks(f) ? 'WebSocket is refused; HTTP works' : 'WebSocket is refused'),
		visitor: () => 'It works by HTTP instead, with a little more traffic. There is nothing you need to do.',
		administrator: () => 'Upgrade is taken away or refused on the way: let ‹Upgrade: websocket› pass with HTTP/1.1 (nginx: ‹proxy_http_version 1.1› with Upgrade and Connection set; forward proxies: CONNECT), or serve by TLS, into which proxies do not look.',
	}, {
		word: 'streams_late',
		severity: (f) => (socketWorks(f) ? 'good' : 'fair'),
		applies: (f) => f.stream.state === 'flows' && f.stream.lateMs >= LATE_MS && f.stream.lateMs <= LATE_MOST_MS,
		headline: (f) => `Each message by a stream is ${Math.round(f.stream.lateMs)} ms late`,
		visitor: () => 'It works; answers take a fifth of a second longer than they need to.',
		administrator: () => 'A proxy waits for acknowledgements between parts of a response, as HAProxy does: ‹option http-no-delay› there, or let ‹Upgrade: websocket› pass.',
	}, {
		word: 'far',
		severity: 'fair',
		applies: (f) => f.roundTripMs >= FAR_MS,
		headline: (f) => `The server is far away: ${Math.round(f.roundTripMs)} ms there and back`,
		visitor: () => 'It works, but everything takes its time; a network with less delay would help.',
		administrator: () => 'Each round trip counts when clients connect: serve /info and the gateway from somewhere nearer, keep connections alive, and let WebSocket pass, which needs fewest of them.',
	},
];

const well = {
	word: 'ok',
	severity: 'good',
	headline: (f) => (f.idle && !f.idle.cutMs ? `All is well, also after ${seconds(f.idle.survivedMs)} s of silence` : 'All is well'),
	visitor: () => 'Every way to the server works from here, the best one at once.',
	administrator: () => 'Nothing is held, refused or changed on the way; nothing needs to be done.',
};

/* Not a fault of any network: the gateway offers no WebSocket there, or a transport failed alone. */
function restOf(facts) {
	const failed = facts.transports.filter((t) => t.state === 'failed').map((t) => t.name);

	if (failed.length === 0)
		return well;
	return {
		...well,
		severity: 'fair',
		headline: () => `${failed.join(' and ')} failed; the others work`,
		visitor: () => 'It works from here. Run the test once more to see whether that was chance.',
		administrator: () => `No cause is known by which ${failed.join(' and ')} would fail alone: the time line shows where.`,
	};
}

function finding(cause, facts) {
	return {
		cause: cause.word,
		severity: typeof cause.severity === 'function' ? cause.severity(facts) : cause.severity,
		headline: cause.headline(facts),
		visitor: cause.visitor(facts),
		administrator: cause.administrator(facts),
	};
}

/* { cause, causes: others, findings: [ { cause, severity: good | fair | bad, headline, visitor, administrator } ] } */
export function diagnose(facts) {
	const rows = causes.filter((c) => c.applies(facts));
	const unreachable = rows[0]?.word === 'unreachable';
	const findings = (unreachable ? rows.slice(0, 1) : rows.length ? rows : [restOf(facts)]).map((c) => finding(c, facts));

	return { cause: findings[0].cause, causes: findings.slice(1).map((f) => f.cause), findings };
}

/* What a page would use: the first that works in the order of sockjs-client. */
export function bestTransport(facts) {
	const order = ['websocket', 'xhr-streaming', 'eventsource', 'htmlfile', 'xhr-polling', 'jsonp-polling'];

	return order.find((name) => works(facts, name)) ?? facts.transports.find((t) => t.state === 'slow')?.name ?? null;
}

/* ---- what one transport comes to --------------------------------------------------- */

/*
 * trial: { opened, openMs, lateMs, polls, echoes: { sent, got }, pushes: { of, got, spreadMs }, roundTripMs, words }
 * -> { state, held, words }
 */
export function judge(trial) {
	const { opened, echoes, pushes, roundTripMs } = trial;

	if (!opened)
		return { state: 'failed', held: null, words: trial.words || 'does not open' };
	if (echoes.got === 0 && pushes.got === 0)
		return { state: 'failed', held: null, words: 'opens, and nothing passes' };
	if (echoes.got < echoes.sent)
		return { state: 'failed', held: null, words: `${echoes.sent - echoes.got} of ${echoes.sent} messages lost` };
	if (pushes.got < pushes.of)
		return { state: 'failed', held: null, words: `${pushes.of - pushes.got} of ${pushes.of} pushes lost` };
	if (pushes.spreadMs > Math.max(400, 2 * roundTripMs + 200))
		return { state: 'slow', held: 'octets', words: 'messages come in heaps' };
	if (trial.openMs > Math.max(1500, 6 * roundTripMs))
		return { state: 'slow', held: 'no', words: 'opens slowly' };
	if (!trial.polls && trial.lateMs >= LATE_MS && trial.lateMs > roundTripMs / 2)
		return { state: 'slow', held: 'no', words: `each message ${Math.round(trial.lateMs)} ms late` };
	return { state: 'works', held: 'no', words: trial.polls ? '' : 'flows' };
}
