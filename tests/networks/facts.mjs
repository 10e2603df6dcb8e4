/*
 * facts.mjs - from what both sides of a visit have noted to what can be said of it. Times are in ms.
 */

/* What the hostile proxy does to spoil a connection that goes on. */
const SPOILS = new Set(['black', 'stall', 'drop']);
const RECEIVERS = new Set(['websocket', 'xhr_streaming', 'eventsource', 'htmlfile', 'xhr', 'jsonp']);

const median = (values) => (values.length ? [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] : null);
const worst = (values) => (values.length ? Math.max(...values) : null);
const summary = (values) => ({ count: values.length, median: median(values), worst: worst(values) });
const texts = (events, first) => events.filter((e) => e.text?.startsWith(first)).map((e) => e.text.trim());

/* Messages that came out of order, and those that came twice. */
function disorder(sent, came) {
	const places = came.map((text) => sent.indexOf(text));

	return { strange: places.filter((p) => p < 0).length, twice: came.length - new Set(came).size, swapped: places.filter((p, i) => i > 0 && p < places[i - 1]).length };
}

/* Of those that were said in one direction: what never came, and what was followed by something that came. */
function losses(said, came) {
	const got = new Set(came);
	const lost = said.filter((text) => !got.has(text));
	const last = Math.max(-1, ...said.map((text, i) => (got.has(text) ? i : -1)));

	return { lost: lost.length, holes: lost.filter((text) => said.indexOf(text) < last).length };
}

/* The session that the client speaks with: of its transport, and if there are several the one that has heard most. */
function used(sessions, transport) {
	return [...sessions].filter((s) => s.transport === transport).sort((a, b) => b.heard.length - a.heard.length || b.opened - a.opened)[0];
}

function ghostsOf(sessions, mine, openedAt, ended) {
	const ghosts = sessions.filter((s) => s !== mine);
	const alive = (at) => ghosts.filter((s) => s.opened <= at && (s.closed === null || s.closed.at > at)).length;

	return { all: ghosts.length, whenOpen: openedAt === null ? ghosts.length : alive(openedAt), atEnd: alive(ended),
		lastLeft: ghosts.length && ghosts.every((s) => s.closed) ? worst(ghosts.map((s) => s.closed.at - s.opened)) : null };
}

function echoTimes(events) {
	const sent = new Map(events.filter((e) => e.what === 'send').map((e) => [e.text, e.at]));

	return events.filter((e) => e.what === 'message' && sent.has(e.text)).map((e) => e.at - sent.get(e.text));
}

/* The longest time in which the client, which took itself for connected, heard nothing. */
function longestSilence(events, openedAt, until) {
	const heard = [openedAt, ...events.filter((e) => e.what === 'message' || e.what === 'heartbeat').map((e) => e.at), until];

	return worst(heard.slice(1).map((at, i) => at - heard[i]));
}

/* What the hostile proxy has done to the connections by which this one received. */
function deedsOf(deeds, path, from, until) {
	const mine = new Map();

	for (const d of deeds.filter(({ message, transport, path: asked }) => message === 'request' && RECEIVERS.has(transport) && asked.startsWith(path)))
		mine.set(d.connection, Math.min(d.at, mine.get(d.connection) ?? Infinity));
	return deeds.filter((d) => d.at >= Math.max(from, mine.get(d.connection) ?? Infinity) && d.at <= until);
}

/* When the network broke it, if anybody can tell: when it began to lose things, or the cut after which nobody heard anything. */
function brokenAt(deeds, lastHeard) {
	const spoilt = deeds.find((d) => d.message === 'a frame is dropped' || (d.message === 'a rule acts' && SPOILS.has(d.kind) && d.kind !== 'drop'));
	const cuts = deeds.filter((d) => d.message === 'cut');

	return (spoilt ?? cuts.find((d) => d.at >= lastHeard - 1000) ?? cuts.at(-1))?.at ?? null;
}

function connectionFacts({ events, number, plan, ended, deeds, sessions }) {
	const began = events.find((e) => e.what === 'connect').at;
	const opened = events.find((e) => e.what === 'open'), closed = events.find((e) => e.what === 'close');
	const facts = { number, transport: opened?.transport ?? null, openMs: opened ? opened.at - began : null, code: closed?.code ?? null, reason: closed?.reason ?? null };

	facts.ghosts = ghostsOf(sessions, opened && used(sessions, opened.transport), opened?.at ?? null, ended);
	if (!opened)
		return facts;
	const mine = used(sessions, opened.transport), until = closed?.at ?? ended;
	const sent = texts(events.filter((e) => e.what === 'send'), ''), came = texts(events.filter((e) => e.what === 'message'), '');
	const heard = mine?.heard.map((h) => h.text.trim()) ?? [], said = mine?.said.map((s) => s.text.trim()) ?? [];
	const isOfTalk = (text) => /^e \d+ \d+/.test(text);
	const lastHeard = Math.max(opened.at, ...events.filter((e) => e.what === 'message' || e.what === 'heartbeat').map((e) => e.at), ...(mine?.heard.map((h) => h.at) ?? []));
	const broke = closed || events.some((e) => e.what === 'unanswered') || (mine?.closed && mine.closed.at < ended);
	const told = broke ? brokenAt(deedsOf(deeds, `${new URL(plan.url).pathname}/visit-${plan.id}.${number}/`, began, until), lastHeard) : null;
	const brokeAt = told ?? lastHeard;

	return { ...facts, lifeMs: until - opened.at, isTalkedOver: events.some((e) => e.what === 'talked'),
		echoes: { sent: sent.filter(isOfTalk).length, ...summary(echoTimes(events.filter((e) => e.what !== 'send' || isOfTalk(e.text)))), count: came.filter(isOfTalk).length },
		pushes: { sent: texts(mine?.said ?? [], 'p ').length, ...summary(events.filter((e) => e.what === 'message' && e.text.startsWith('p ')).map((e) => e.at - Number(e.text.split(' ')[3]))) },
		isAnswered: came.some((text) => /^e \d+ last/.test(text)), isUnanswered: events.some((e) => e.what === 'unanswered'),
		disorder: { up: disorder(sent, heard), down: disorder(said, came) }, up: losses(sent, heard), down: losses(said, came),
		silence: longestSilence(events, opened.at, until),
		end: broke ? { isCertain: told !== null, client: closed ? { code: closed.code, after: closed.at - brokeAt } : null,
			server: mine?.closed ? { code: mine.closed.code, after: mine.closed.at - brokeAt } : null, watched: ended - brokeAt } : null };
}

/* All of a visit. */
export function factsOf({ plan, events, ended, deeds, sessionsOf }) {
	const count = Math.max(...events.map((e) => e.connection));
	const restAt = events.find((e) => e.what === 'rest').at;
	const connections = Array.from({ length: count }, (_, i) => connectionFacts({ events: events.filter((e) => e.connection === i + 1), number: i + 1, plan, ended, deeds, sessions: sessionsOf(i + 1) }));
	const open = connections.filter((c) => c.transport), opened = events.find((e) => e.what === 'open');
	const isOfRest = (e) => e.what === 'close' && e.at >= restAt;
	const ghosts = connections.map((c) => c.ghosts);

	return { connections, by: opened?.transport ?? null, openMs: opened ? opened.at - events[0].at : null, finallyBy: open.at(-1)?.transport ?? null,
		/* the connection in which the talk came to its end, or the first */
		talk: open.find((c) => c.isTalkedOver) ?? open[0] ?? null, tries: open.filter((c) => c.echoes.sent > 1).length,
		isAnswered: open.some((c) => c.isAnswered), cuts: events.filter(isOfRest).length,
		silence: worst(open.map((c) => c.silence)), ended: open.filter((c) => c.end).map((c) => c.end),
		up: open.reduce((n, c) => n + c.up.lost, 0), down: open.reduce((n, c) => n + c.down.lost, 0), holes: open.reduce((n, c) => n + c.up.holes + c.down.holes, 0),
		ghosts: { all: worst(ghosts.map((g) => g.all)) ?? 0, whenOpen: worst(ghosts.map((g) => g.whenOpen)) ?? 0, atEnd: ghosts.reduce((n, g) => n + g.atEnd, 0), lastLeft: worst(ghosts.map((g) => g.lastLeft ?? 0)) } };
}

/* What may never be, whatever the network; and what is not as it is expected. */
export function complaints(facts, expect) {
	const wrong = [];
	const say = (is, what) => { if (!is) wrong.push(what); };
	const { talk } = facts;

	for (const { number, disorder: d } of facts.connections.filter((c) => c.transport))
		for (const [way, { strange, twice, swapped }] of Object.entries(d ?? {}))
			say(!strange && !twice && !swapped, `connection ${number}, ${way}: ${strange} strange messages, ${twice} twice, ${swapped} out of order`);
	if (expect.by?.length === 0)
		say(facts.by === null, `it opens by ${facts.by}`);
	else
		say(facts.by !== null && (!expect.by || expect.by.includes(facts.by)), `it opens by ${facts.by} instead of ${expect.by}`);
	const enough = { all: talk && talk.echoes.count === facts.plan.echoes && talk.isTalkedOver !== (expect.pushes === false), some: talk && talk.echoes.count < facts.plan.echoes, none: !talk?.echoes.count };
	say(enough[expect.echoes] ?? true, `${talk?.echoes.count} echoes of ${facts.plan.echoes} are not ${expect.echoes}`);
	if (expect.pushes)
		say(talk?.pushes.count === facts.plan.pushes, `${talk?.pushes.count} pushes of ${facts.plan.pushes}`);
	if (typeof expect.answer === 'boolean')
		say(facts.isAnswered === expect.answer, expect.answer ? 'no answer after the silence' : 'an answer after the silence');
	if (typeof expect.cut === 'boolean')
		say((facts.cuts > 0 || facts.ended.length > 0) === expect.cut, expect.cut ? 'it is not cut' : `it is cut ${facts.cuts} times`);
	if (expect.learns)
		say(facts.ended.length && facts.ended.every((e) => e.server), 'the server has not learned of an end');
	return wrong;
}
