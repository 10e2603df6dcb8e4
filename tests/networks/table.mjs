/*
 * table.mjs - doc/networks.md, from the results of a run: what was measured, and nothing else.
 */
import { arch, cpus, loadavg, release } from 'node:os';
import { sentence } from './levers.mjs';
import { versionOf } from './software.mjs';

const SHORT = { 'websocket': 'ws', 'xhr-streaming': 'xs', 'eventsource': 'es', 'xhr-polling': 'poll', 'jsonp-polling': 'jsonp' };
const KINDS = { real: 'Real proxies', hostile: 'A hostile proxy, a rule or two at a time', lines: 'Real lines' };
const CLIENTS = { chromium: 'sockjs-client in Chromium', node: 'sockjs-client in Node' };
const LATE_MS = 10000; /* longer than that nobody should wait for a sign of life */

const ms = (value) => (value === null || value === undefined ? '–' : Math.max(0, Math.round(value)).toLocaleString('en'));
const seconds = (value) => (value === null || value === undefined ? '–' : (Math.max(0, value) / 1000).toFixed(1));
const name = (transport) => SHORT[transport] ?? transport ?? '–';
const both = (first, later) => (first === later ? first : `${first} / ${later}`);

/* --- of one visit, each as a cell --------------------------------------------------- */

const opens = (f) => (f.by ? `${name(f.by)} ${ms(f.openMs)}${f.finallyBy !== f.by ? `, at last ${name(f.finallyBy)}` : ''}` : 'never');

const echoes = (f) => (f.talk ? `${f.talk.echoes.count === f.plan.echoes ? '' : '**'}${f.talk.echoes.count}${f.talk.echoes.count === f.plan.echoes ? '' : '**'} of ${f.plan.echoes}${f.tries > 1 ? `, ${f.tries} tries` : ''}` : '–');

const latency = (of) => (of?.count ? `${ms(of.median)}, ${ms(of.worst)}` : '–');

const pushes = (f) => (f.talk?.pushes.sent ? `${f.talk.pushes.count} of ${f.plan.pushes}: ${latency(f.talk.pushes)}` : '–');

const after = (f) => (!f.by ? '–' : f.isAnswered ? `yes${f.cuts ? `, ${f.cuts} cuts` : ''}` : '**no**');

const side = (end, learned) => (learned ? `${learned.code} after ${seconds(learned.after)}` : `not in ${seconds(end.watched)}`);

/* The first end: what the client has learned, then the server. */
const learned = (f) => {
	const [end] = f.ended;

	return end ? `${end.isCertain ? '' : '≤ '}${side(end, end.client)}; ${side(end, end.server)}` : '–';
};

const lost = (f) => (f.up + f.down ? `${f.up} up, ${f.down} down${f.holes ? `, **${f.holes} without a word**` : ''}` : '0');

const ghosts = (f) => (f.ghosts.all ? `${f.ghosts.all} (${f.ghosts.whenOpen}, ${f.ghosts.atEnd})` : '0');

const COLUMNS = [['opens by, after ms', opens], ['echoes', echoes], ['their way there and back, ms', (f) => latency(f.talk?.echoes)], ['pushes in order; ms', pushes],
	['longest silence, s', (f) => seconds(f.silence)], ['answer after the silence', after], ['an end: what the client learned, and the server, s after', learned], ['lost', lost], ['ghosts', ghosts]];

/* In a few words, for the comparison. */
function inShort(f) {
	if (!f.by)
		return 'never';
	const bad = [f.talk.echoes.count < f.plan.echoes && `**${f.talk.echoes.count} of ${f.plan.echoes}**`, f.cuts && `${f.cuts} cuts`,
		!f.isAnswered && (f.ended.some((e) => !e.client) ? '**silent**' : 'no answer'), f.holes && '**lost without a word**',
		f.talk.pushes.count && f.talk.pushes.median > 2 * f.plan.rtt + 100 && `pushes ${ms(f.talk.pushes.median)} late`, f.silence > 35000 + LATE_MS && `${seconds(f.silence)} s of silence`];

	return [opens(f), ...bad.filter(Boolean)].join(', ');
}

/* --- tables --------------------------------------------------------------------------- */

const row = (...cells) => `| ${cells.join(' | ')} |`;
const table = (heads, rows) => [row(...heads), `|${'---|'.repeat(heads.length)}`, ...rows].join('\n');

function detail(results) {
	return table(['network', ...COLUMNS.map(([head]) => head)], results.map((r) => (r.skipped ? row(r.name, `not measured: ${r.skipped}`, ...COLUMNS.slice(1).map(() => '')) :
		row(r.name, ...COLUMNS.map(([, cell]) => both(cell(r.first), cell(r.later)))))));
}

function comparison(results, levers) {
	const names = [...new Set(results.map((r) => r.name))];
	const cell = (of, lever, when) => {
		const result = results.find((r) => r.name === of && r.levers === lever);

		return !result ? '' : result.skipped ? 'not measured' : inShort(result[when]);
	};

	return table(['network', ...levers.flatMap((l) => [`${l}, first`, `${l}, later`])], names.map((n) => row(n, ...levers.flatMap((l) => [cell(n, l, 'first'), cell(n, l, 'later')]))));
}

/* --- what is promised with every lever ------------------------------------------------------- */

const NOISE_MS = 100; /* of a busy machine */

/* Of the same network, without and with the levers. */
function pairs(results) {
	return results.filter((r) => r.levers === 'off' && r.first).map((off) => ({ off, on: results.find((r) => r.levers === 'on' && r.name === off.name && r.client === off.client && r.first) })).filter(({ on }) => on);
}

const list = (all, sentence) => `${sentence}: ${all.length ? all.join('; ') : 'none'}.`;

const slower = ({ off, on }) => ['first', 'later'].filter((when) => off[when].by && (!on[when].by || on[when].openMs > off[when].openMs + on[when].plan.rtt + NOISE_MS))
	.map((when) => `${on.name}, ${when} (${ms(off[when].openMs)}, now ${on[when].by ? ms(on[when].openMs) : 'never'})`);

const visits = (r) => ['first', 'later'].map((when) => ({ when, name: r.name, facts: r[when] }));
const late = ({ facts }) => facts.ended.some((end) => end.isCertain && (end.server ? end.server.after : end.watched) > LATE_MS);
const said = ({ name: of, when }) => `${of}, ${when}`;

function promises(results) {
	const both = pairs(results), all = both.flatMap(({ on }) => visits(on));
	const opening = both.filter(({ on }) => on.promise).map(({ off, on }) => row(on.name, ...['first', 'later'].map((when) =>
		`${ms(off[when].openMs)} → ${ms(on[when].openMs)}${on.promise[when] ? ` of ${ms(on.promise[when])}${on[when].openMs <= on.promise[when] ? '' : ' **missed**'}` : ''}`)));

	return [table(['network', 'to open, first, ms', 'to open, later, ms'], opening), '',
		`* ${list(both.flatMap(slower), `Slower by more than a round trip (and ${NOISE_MS} ms), or not open any more`)}`,
		`* ${list(all.filter(late).map(said), `Where the server learned of an end later than ${LATE_MS / 1000} s after it`)}`,
		`* ${list(all.filter(({ facts }) => facts.by && facts.talk.echoes.count < facts.plan.echoes).map(said), 'Where messages do not pass whatever the client tries')}`,
		`* ${list(all.filter(({ facts }) => !facts.by).map(said), 'Where nothing reaches the client')}`,
		`* ${list(all.filter(({ facts }) => facts.holes).map(said), 'Where a message was lost without a word')}`,
		`* ${list(all.filter(({ facts }) => facts.ghosts.atEnd > 1).map(said), 'Where more than one ghost was left')}`, ''].join('\n');
}

const INTRODUCTION = `# Bad networks, measured

What clients behind proxies, firewalls and bad lines meet when the gateway is \`sockjsd\`: each row is a network that the laboratory
(\`tests/networks/\`) builds on loopback, with a gateway of its own in front of an application that notes what it hears, and two visitors,
one after the other: the *first* of the network, and a *later* one, from whom the gateway may know better. The client is
\`sockjs-client\` 1.6.1, unchanged. This file is written by the run:

\`\`\`sh
node tests/networks/run.mjs --server ./sockjsd --hostile ./sockjs-hostile --table doc/networks.md
node tests/networks/run.mjs --server ./sockjsd --only 'held' --levers off,on,short     # some rows, some levers
\`\`\`

A visitor opens, sends SENT messages, 20 ms apart, which are echoed, takes PUSHED messages that the application sends, 250 ms apart, hears and says nothing
for FIRST s (the later visitor for LATER), and sends one more. Where it is closed it comes again, at most three times.

* *Opens*: by ws websocket, xs xhr-streaming, es eventsource, poll xhr-polling; milliseconds to \`open\`, and where that is quick the median of three openings.
* *Their way*, *pushes*: median and worst. They are as late as the line makes them; HAProxy alone adds of its own.
* *Silence*: in which the client took itself for connected and heard nothing, not even a heartbeat.
* *An end*: close code, and seconds since the network broke, as the hostile proxy tells, or (≤) since something has passed; "not in" so many seconds that were watched.
* *Lost*: messages that were accepted and never came, to the application (up) and to the client (down); without a word, if later ones came.
* *Ghosts*: sessions that no client has any more: in all (when the client was open, at the end of its visit).

Two values are those of the first and of the later visitor, one is that of both. All is on one machine, so real round trips come on top.
`;

export function document(results, { levers, clients, seconds: took }) {
	const { first, later } = results.find((r) => r.first) ?? {};
	const kinds = [...new Set(results.flatMap((r) => r.software ?? []))];
	const parts = [INTRODUCTION.replace('SENT', first?.plan.echoes).replace('PUSHED', first?.plan.pushes)
		.replace('FIRST', first?.plan.rest_ms / 1000).replace('LATER', later?.plan.rest_ms / 1000)];

	parts.push(`Measured in ${Math.round(took / 60)} minutes on ${cpus().length} processors (${arch()}, Linux ${release()}; the load average at the end was ${loadavg()[1].toFixed(1)}, of the laboratory and of whatever else there was), ${results.filter((r) => r.first).length} rows measured, ${results.filter((r) => r.skipped).length} not, with ${kinds.sort().map((k) => `${k} ${versionOf(k)}`).join(', ')}.\n`);
	parts.push(`Levers, each as its name on the command line: ${levers.map((l) => `*${l}*, ${sentence(l)}`).join('; ')}.\n`);
	for (const client of clients)
		for (const [kind, title] of Object.entries(KINDS)) {
			const these = results.filter((r) => r.client === client && r.kind === kind);

			if (!these.length)
				continue;
			parts.push(`## ${title}: ${CLIENTS[client]}\n`);
			if (levers.includes('off') && levers.includes('on'))
				parts.push('### What is promised\n', promises(these));
			if (levers.length > 1)
				parts.push('### Before and after\n', `${comparison(these, levers)}\n`);
			for (const lever of levers)
				parts.push(`### Levers: ${lever}\n`, `${detail(these.filter((r) => r.levers === lever))}\n`);
		}
	return parts.join('\n');
}

/* One line of a run. */
export const line = (facts) => `${inShort(facts)}; ${COLUMNS.slice(1).map(([, cell]) => cell(facts)).join('; ')}`;
