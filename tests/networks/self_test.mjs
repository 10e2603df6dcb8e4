/*
 * self_test.mjs - of the laboratory itself: what it says of visits that were made up, one that went well and
 * some that show what must not be overlooked; and what it gives to servers that know more or fewer options.
 */
import { check, equal } from '../e2e/harness.mjs';
import { complaints, factsOf } from './facts.mjs';
import { knows, withLever } from './levers.mjs';

const PLAN = { id: 7, url: 'http://127.0.0.1:1/app', echoes: 3, pushes: 1 };
const EXPECT = { by: ['websocket'], echoes: 'all', pushes: true, answer: true, cut: false };

/* Three echoes, a push, a silence, an answer; `change` makes of the events of both sides what it likes. */
function visit(change = () => {}) {
	let at = 1000;
	const event = (what, more = {}) => ({ at: at += 10, what, connection: 1, ...more });
	const echo = (text) => [event('send', { text }), event('message', { text })];
	const events = [{ ...event('begin'), connection: 0 }, event('connect'), event('open', { transport: 'websocket' }), ...['e 1 0', 'e 1 1', 'e 1 2'].flatMap(echo),
		event('send', { text: 'P 1 1 250' }), event('message', { text: `p 1 0 ${at}` }), event('talked'), ...echo('e 1 done'), event('rest'), ...echo('e 1 last'), event('end')];
	const told = (what) => events.filter((e) => e.what === what && e.text).map(({ at: when, text }) => ({ at: when, text }));
	const session = { transport: 'websocket', opened: 1025, heard: told('send'), said: told('message'), closed: null };
	const world = { events, sessions: [session], deeds: [] };

	change(world, event);
	return { ...factsOf({ plan: PLAN, events: world.events, ended: at, deeds: world.deeds, sessionsOf: () => world.sessions }), plan: PLAN };
}

const without = (list, text) => list.filter((e) => e.text !== text);
const complains = (facts, pattern, expect = EXPECT) => check(pattern.test(complaints(facts, expect).join('; ')), `${complaints(facts, expect)} is not ${pattern}`);

async function testFacts(suite) {
	await suite.test('facts: of a visit that went well there is nothing to complain', async () => {
		const facts = visit();

		equal(complaints(facts, EXPECT), [], 'complaints');
		equal([facts.by, facts.talk.echoes.count, facts.talk.pushes.count, facts.up, facts.down, facts.ended, facts.ghosts.all], ['websocket', 3, 1, 0, 0, [], 0], 'facts');
	});
	await suite.test('facts: a message that comes twice, or before another, is seen', async () => {
		complains(visit((w) => w.events.splice(9, 0, { ...w.events[8] })), /1 twice/);
		complains(visit((w) => { [w.sessions[0].heard[0], w.sessions[0].heard[1]] = [w.sessions[0].heard[1], w.sessions[0].heard[0]]; }), /up: .* 1 out of order/);
		complains(visit((w) => { w.sessions[0].heard[0].text = 'e 1 9'; }), /up: 1 strange/);
	});
	await suite.test('facts: a message that is lost is seen, and that nobody was told', async () => {
		const facts = visit((w) => {
			w.sessions[0].heard = without(w.sessions[0].heard, 'e 1 1');
			w.sessions[0].said = without(w.sessions[0].said, 'e 1 1');
			w.events = w.events.filter((e) => e.what !== 'message' || e.text !== 'e 1 1');
		});

		equal([facts.up, facts.down, facts.holes], [1, 0, 1], 'up, down, without a word');
		complains(facts, /2 echoes of 3/);
	});
	await suite.test('facts: an end that one side has not learned of, and when the other has', async () => {
		const facts = visit((w, event) => {
			w.events = w.events.filter((e) => e.what !== 'message' || e.text !== 'e 1 last');
			w.events.push(event('unanswered'));
			w.deeds = [{ message: 'request', transport: 'websocket', path: '/app/visit-7.1/0/x/websocket', connection: 3, at: 1020 }, { message: 'cut', connection: 2, at: 1130 },
				{ message: 'cut', connection: 3, at: w.events.at(-3).at }];
			w.sessions[0].closed = { at: w.events.at(-3).at + 5, code: 1001 };
		});
		const [end] = facts.ended;

		equal([end.isCertain, end.client, end.server], [true, null, { code: 1001, after: 5 }], 'the end');
		complains(facts, /no answer after the silence/);
		complains(visit(), /the server has not learned/, { ...EXPECT, learns: 'server' });
	});
	await suite.test('facts: sessions that no client has are ghosts, as long as they last', async () => {
		const ghost = (closed) => ({ transport: 'xhr-streaming', opened: 1021, heard: [], said: [], closed });
		const { ghosts } = visit((w) => w.sessions.push(ghost({ at: 1025, code: 1001 }), ghost({ at: 1090, code: 1001 }), ghost(null)));

		equal([ghosts.all, ghosts.whenOpen, ghosts.atEnd], [3, 2, 1], 'all, when the client was open, at the end');
	});
}

async function testLevers(suite) {
	const options = (...names) => ({ networks: new Set(names.filter((n) => n !== 'prove')), websocket: new Set(['ping_interval_ms', ...names.filter((n) => n === 'prove')]) });
	const none = options(), some = options('adapt', 'streams', 'first_heartbeat_ms', 'prove');
	const own = { prefix: '/app', websocket: { ping_interval_ms: 4000 }, networks: { first_heartbeat_ms: 1000 } };
	const { networks, ...rest } = own;

	await suite.test('levers: a server is not given what it does not know', async () => {
		equal(withLever(none, own, 'off'), rest, 'without options');
		equal([knows(none, 'off'), knows(none, 'on'), knows(none, 'prove'), knows(some, 'prove'), knows(some, 'refuse')], [true, false, false, true, false], 'what is known');
	});
	await suite.test('levers: none, all, or one alone; times of a row count where their lever is in use', async () => {
		equal(withLever(some, own, 'off').networks, { adapt: false }, 'none');
		equal(withLever(some, own, 'on').networks, networks, 'all');
		equal(withLever(some, own, 'streams').networks, { adapt: true, streams: 'auto', first_heartbeat_ms: 0 }, 'one alone');
		equal(withLever(some, own, 'heartbeat').networks.first_heartbeat_ms, 1000, 'the one of the row');
		equal(withLever(some, own, 'prove').websocket, { prove: 'auto', ping_interval_ms: 4000 }, 'both groups');
	});
}

export async function testItself(suite) {
	await testFacts(suite);
	await testLevers(suite);
}
