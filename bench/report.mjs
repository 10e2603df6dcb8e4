/*
 * bench/report.mjs - from all runs to medians, ratios and a table.
 *
 * A ratio is the median of the rounds' ratios, not the ratio of the medians: in a round the peers ran one after
 * another, and what disturbed one probably disturbed the other.
 */
export function median(numbers) {
	const sorted = numbers.filter(Number.isFinite).sort((a, b) => a - b);
	const middle = sorted.length >> 1;

	if (!sorted.length)
		return null;
	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function mean(numbers) {
	const known = numbers.filter(Number.isFinite);

	return known.length ? known.reduce((a, b) => a + b) / known.length : null;
}

/* --- medians ------------------------------------------------------------------------------- */

function cost(run) {
	return run?.server_us ?? run?.bytes_each ?? NaN;
}

function ratio(runs, others) {
	return median(runs.map((run, round) => cost(run) / cost(others?.[round])));
}

function latencies(runs) {
	const of = (name) => median(runs.map((run) => run?.latency_us?.[name] ?? NaN));

	return { p50: of('p50'), p99: of('p99'), 'p99.9': of('p99.9'), max: of('max') };
}

function summarizePeer(runs, all) {
	return {
		cost: median(runs.map(cost)),
		ratio: ratio(runs, all.floor),
		latency_us: latencies(runs),
		failed: runs.find((run) => run.failed)?.failed,
		runs,
	};
}

/* What it takes longer than to ask directly, as a multiple of what another one takes longer. */
function addedLatency(own, other, direct) {
	const added = (runs, round) => runs[round]?.latency_us?.p50 - direct?.[round]?.latency_us?.p50;

	return median(own.map((_, round) => added(own, round) / added(other, round)));
}

/* What came out where there is a limit; null where there is nothing to compare. */
function judge(limit, row, runs) {
	const own = row.sockjsd;
	const other = limit.row ? runs[limit.row]?.sockjsd : row[limit.of];

	if (!own || !(limit.bytes || other))
		return null;
	if (limit.bytes)
		return median(own.map(cost));
	return limit.added ? addedLatency(own, other, row.floor) : ratio(own, other);
}

/* The limits, with the value reached and whether they were kept where that can be said. */
function judgeAll(workload, runs) {
	return workload.limits.map((limit) => {
		const value = judge(limit, runs[workload.id], runs);

		return { ...limit, value, kept: value === null ? null : value <= (limit.bytes ?? limit.added ?? limit.ratio) };
	});
}

export function summarize({ plan, peers, runs, options, machine, start }) {
	return {
		date: new Date(start).toISOString().slice(0, 10),
		machine,
		rounds: options.rounds,
		seconds: options.seconds,
		/* share of the two processors that went to anybody else, backends apart, on average; 0 is an undisturbed run */
		others_busy: mean(plan.filter((w) => !w.backend).flatMap((w) => Object.values(runs[w.id]).flat()).map((run) => run.others_busy)),
		peers: peers.map(({ name, what }) => ({ name, what })),
		rows: plan.map((w) => ({
			id: w.id, group: w.group, title: w.title, unit: w.unit, limits: judgeAll(w, runs),
			peers: Object.fromEntries(peers.filter((p) => runs[w.id][p.name]).map((p) => [p.name, summarizePeer(runs[w.id][p.name], runs[w.id])])),
		})),
	};
}

/* --- the tables ------------------------------------------------------------------------------ */

export function significant(n) {
	if (n >= 1000)
		return Math.round(n).toLocaleString('en-US');
	return n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2);
}

function cell(row, name) {
	const peer = row.peers[name];

	if (!peer)
		return '–';
	if (peer.cost === null)
		return 'fails';
	const text = row.unit === 'bytes' ? Math.round(peer.cost).toLocaleString('en-US') : significant(peer.cost);
	const compared = name !== 'floor' && row.unit !== 'bytes' && peer.ratio !== null ? ` (${peer.ratio.toFixed(2)})` : '';

	return `${text}${compared}${peer.failed ? ' *' : ''}`;
}

function limitText(limit) {
	if (limit.bytes)
		return `≤ ${limit.bytes} B`;
	if (limit.added)
		return `latency added ≤ ${limit.added} × ${limit.of}`;
	if (limit.row)
		return `≤ ${limit.ratio} × alone`;
	if (limit.of === 'floor')
		return `≤ ${limit.ratio}`;
	return limit.ratio === 1 ? `≤ ${limit.of}` : `≤ ${limit.ratio} × ${limit.of}`;
}

export function limitsText(row) {
	return row.limits.map(limitText).join(', ');
}

function verdictText(limit) {
	if (limit.kept === null)
		return '–';
	return `${limit.kept ? 'yes' : '**no**'}, ${limit.bytes ? Math.round(limit.value) : limit.value.toFixed(2)}`;
}

function table(head, rows) {
	return [head, head.map((_, i) => (i ? '---:' : '---')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/* The tables of all groups, each with the peers that are in it. */
function tables(result, rows, make) {
	const groups = [...new Set(rows.map((row) => row.group))];

	return groups.map((group) => {
		const own = rows.filter((row) => row.group === group);

		return make(own, result.peers.map((p) => p.name).filter((name) => own.some((row) => row.peers[name])));
	}).join('\n\n');
}

function costs(result) {
	return tables(result, result.rows, (rows, names) => table(['workload', ...names, 'wanted', 'reached'],
		rows.map((row) => [row.title, ...names.map((name) => cell(row, name)), limitsText(row), row.limits.map(verdictText).join('; ')])));
}

function latencyTable(result) {
	const text = (row, name) => {
		const l = row.peers[name]?.latency_us;
		return l?.p50 ? [l.p50, l.p99, l['p99.9'], l.max].map((us) => significant(us / 1000)).join(' / ') : '–';
	};

	return tables(result, result.rows.filter((row) => row.unit !== 'bytes'), (rows, names) => table(['workload', ...names],
		rows.map((row) => [row.title, ...names.map((n) => text(row, n))])));
}

/* Above this, what else ran has changed the figures by more than what they are to show. */
const DISTURBED = 0.1;

function othersText({ others_busy: share }) {
	if (share === null)
		return 'what other processes did is not known.'; /* a backend was among them in every row */
	return `other processes had ${Math.round(100 * share)} % of the two processors.${share > DISTURBED ? ' **That is a disturbed run: its ratios are rough, its times too long.**' : ''}`;
}

function failures(result) {
	const lines = result.rows.flatMap((row) => Object.entries(row.peers).filter(([, peer]) => peer.failed).map(([name, peer]) => `* failed: ${row.title}, ${name}: ${peer.failed}\n`));

	return lines.length ? `\n${lines.join('')}` : '';
}

export function markdown(result) {
	const { machine } = result;

	return `${result.date}, ${machine.processors} × ${machine.processor}, Linux ${machine.kernel}; ${result.rounds} rounds of ${result.seconds} s;
${othersText(result)}

Processor time of the server in µs for each operation, medians; in brackets multiples of the floor. Idle sessions: bytes.

${costs(result)}
${failures(result)}
Latencies in ms: median / 99 % / 99.9 % / longest.

${latencyTable(result)}

${result.peers.map((p) => `* ${p.name}: ${p.what}`).join('\n')}
`;
}
