/*
 * panels.js - the overview: tiles, charts and tables, each from what it needs of the figures.
 */
import { Chart } from './chart.js';
import { Sparkline } from './sparkline.js';
import { $, brief, clock, duration, element, milliseconds, number, octets, plain, say, transportNamed, TRANSPORTS } from './words.js';

const MINUTE_S = 60;
const ROWS_MOST = 12;

/* ---- tables ------------------------------------------------------------------ */

/*
 * A table whose rows are kept by their key, so that only texts change. `columns`: [{ head, kind }],
 * where kind is 'text', 'number' or 'bar' ('aside': not on a phone); a row: { key, cells, line, href, strong },
 * the last the numbers of cells that stand out.
 */
export class Table {
	#table;
	#body;
	#columns;
	#empty;
	#rows = new Map();

	constructor(table, columns, empty) {
		this.#table = table;
		this.#columns = columns;
		this.#body = element('tbody');
		this.#empty = element('tr', { class: 'empty' }, element('td', { colspan: columns.length }, empty));
		table.append(element('thead', {}, element('tr', {}, ...columns.map((c) => element('th', { scope: 'col', class: c.kind }, c.head)))), this.#body);
	}

	show(rows, empty = null) {
		const kept = new Map();

		for (const row of rows) {
			const tr = this.#rows.get(row.key) ?? this.#make(row);
			row.cells.forEach((text, i) => this.#fill(tr.children[i], text, this.#columns[i], row));
			[...tr.children].forEach((cell, i) => cell.classList.toggle('strong', Boolean(row.strong?.includes(i))));
			tr.classList.toggle('bad', Boolean(row.isBad));
			tr.classList.toggle('chosen', Boolean(row.isChosen));
			kept.set(row.key, tr);
		}
		this.#rows = kept;
		if (empty !== null)
			say(this.#empty.firstChild, empty);
		const wanted = rows.length ? [...kept.values()] : [this.#empty];
		if (wanted.length !== this.#body.children.length || wanted.some((tr, i) => tr !== this.#body.children[i]))
			this.#body.replaceChildren(...wanted);
	}

	#make(row) {
		const tr = element('tr', { 'data-line': row.line, 'data-key': row.key });

		this.#columns.forEach((c, i) => tr.append(element(i === 0 ? 'th' : 'td', { class: c.kind, scope: i === 0 ? 'row' : undefined, 'data-head': c.head })));
		return tr;
	}

	#fill(cell, text, column, row) {
		if (column.kind === 'bar') {
			if (!cell.firstChild)
				cell.append(element('i'));
			cell.firstChild.style.inlineSize = `${(100 * text).toFixed(1)}%`;
			return;
		}
		if (!row.href || cell.tagName !== 'TH') {
			say(cell, text);
			return;
		}
		if (!cell.firstChild)
			cell.append(element('a', {}));
		cell.firstChild.setAttribute('href', row.href);
		say(cell.firstChild, text);
	}
}

/* ---- tiles --------------------------------------------------------------------- */

const TILES = [
	{ name: 'sessions', label: 'Sessions', value: (s) => s.sessions, text: number, sub: (s) => [s.connecting ? `${number(s.connecting)} connecting` : '', `${number(s.opened)} opened since the start`].filter(Boolean).join(' · ') },
	{ name: 'in', label: 'Messages in', small: ' /s', value: (s) => s.rates?.messages_in, text: brief, sub: (s) => (s.rates ? `${octets(s.rates.bytes_in)}/s` : '–') },
	{ name: 'out', label: 'Messages out', small: ' /s', value: (s) => s.rates?.messages_out, text: brief, sub: (s) => (s.rates ? `${octets(s.rates.bytes_out)}/s` : '–') },
	{ name: 'connections', label: 'Connections', value: (s) => s.connections, text: number, sub: (s, about) => `of ${brief(about.connection_limit)} allowed` },
	{ name: 'wait', label: 'Loop wait', small: ' ms', value: (s) => s.wait_us / 1000, text: brief, sub: (s, about) => (about.threads === 1 ? 'the longest of a second' : `the longest of ${about.threads} threads`) },
	{ name: 'memory', label: 'Memory', value: (s) => s.resident, text: octets, sub: (s, about) => (about.memory_limit ? `clients may fill ${octets(about.memory_limit)}` : 'no limit') },
	{ name: 'processor', label: 'Processor', small: ' %', value: (s) => (s.rates ? s.rates.processor_ms / 10 : undefined), text: brief, sub: (s, about) => `of ${about.threads * 100} %` },
];

class Tile {
	#spec;
	#value;
	#sub;
	#spark;
	#last = 0;

	constructor(spec) {
		const plot = document.createElementNS('http://www.w3.org/2000/svg', 'svg');

		this.#spec = spec;
		plot.setAttribute('class', 'spark');
		plot.setAttribute('aria-hidden', 'true');
		for (const name of ['polyline', 'circle'])
			plot.append(document.createElementNS('http://www.w3.org/2000/svg', name));
		plot.lastChild.setAttribute('r', '3');
		this.#value = element('span', {}, '–');
		this.#sub = element('span', { class: 'sub' }, '\u00a0');
		this.#spark = new Sparkline(plot);
		this.element = element('div', { class: 'tile panel', 'data-tile': spec.name }, element('dt', {}, spec.label),
			element('dd', {}, element('span', { class: 'big' }, this.#value, element('small', {}, spec.small ?? '')), this.#sub, plot));
	}

	show(samples, about) {
		const s = samples.at(-1);
		const value = this.#spec.value(s);

		say(this.#value, value === undefined ? '–' : this.#spec.text(value));
		say(this.#sub, this.#spec.sub(s, about));
		for (const sample of samples.filter(({ at }) => at > this.#last)) {
			const v = this.#spec.value(sample);
			if (v !== undefined)
				this.#spark.add(v);
		}
		this.#last = s.at;
		this.#spark.draw();
	}

	forget() {
		this.#last = 0;
		this.#spark.clear();
	}
}

/* ---- charts --------------------------------------------------------------------- */

function perSecond(n) {
	return `${brief(n)}/s`;
}

function rate(name) {
	return (s) => (s.rates ? s.rates[name] : null);
}

const CHARTS = [
	{
		title: 'Sessions by transport', wide: true, stacked: true, unit: number, scale: brief, least: 4,
		lines: TRANSPORTS.map(({ name, label, line }) => ({ name, label, line, ifAny: true, value: (s) => s.transports[name] ?? 0 })),
	},
	{
		title: 'Messages a second', unit: perSecond, scale: brief,
		lines: [{ name: 'in', label: 'in', line: 'ws', value: rate('messages_in') }, { name: 'out', label: 'out', line: 'es', value: rate('messages_out') }],
	},
	{
		title: 'Octets a second', unit: (n) => `${octets(n)}/s`, scale: octets, least: 1024, base: 1024,
		lines: [{ name: 'in', label: 'in', line: 'ws', value: rate('bytes_in') }, { name: 'out', label: 'out', line: 'es', value: rate('bytes_out') }],
	},
	{
		title: 'Opened, closed, refused a second', unit: perSecond, scale: brief,
		lines: [{ name: 'opened', label: 'opened', line: 'es', value: rate('opened') }, { name: 'closed', label: 'closed', line: 'xp', dashed: true, value: rate('closed') }, { name: 'refused', label: 'refused', line: 'xs', value: rate('refused') }],
	},
	{
		title: 'Wait for a loop, the longest', unit: milliseconds, scale: milliseconds, least: 2, fold: 'most',
		lines: [{ name: 'worst', label: 'of all threads', line: 'hf', value: (s) => s.wait_us / 1000 }],
	},
];

/* ---- rows of the tables ------------------------------------------------------------ */

/* [name, ..., count] of each, the most frequent first. */
function reasonRows(rows, growth) {
	const most = Math.max(1, ...rows.map((r) => r.at(-1)));

	return [...rows].sort((a, b) => b.at(-1) - a.at(-1)).slice(0, ROWS_MOST)
		.map((r) => ({ key: r[0], name: plain(r[0]), code: r.length > 2 ? r[1] : 0, count: r.at(-1), lately: growth.get(r[0]) ?? 0, share: r.at(-1) / most }));
}

function closedCells({ name, code, count, lately, share }) {
	return [name, code || '·', share, number(count), lately ? `+${number(lately)}` : '·'];
}

function refusedCells({ name, count, lately, share }) {
	return [name, share, number(count), lately ? `+${number(lately)}` : '·'];
}

const STATES_OF_BACKENDS = { up: 'up', untried: 'not tried yet', trial: 'on trial', down: 'down', resting: 'resting' };

function backendRow({ endpoint, b }) {
	return {
		key: `${endpoint} ${b.url}`,
		isBad: b.state === 'down' || b.state === 'resting',
		cells: [b.url, endpoint, STATES_OF_BACKENDS[b.state] ?? plain(b.state ?? '–'), number(b.connections), number(b.failures),
			b.worked_ms_ago === null || b.worked_ms_ago === undefined ? 'never' : `${duration(b.worked_ms_ago / 1000)} ago`,
			b.failed_ms_ago === null || b.failed_ms_ago === undefined ? 'never' : `${duration(b.failed_ms_ago / 1000)} ago`],
	};
}

/* In the words of somebody who looks for the cause. */
const CAUSES = { stream_held: 'streams held back', websocket_silent: 'WebSockets silent', websocket_black: 'WebSockets gone silent', websocket_stripped: 'Upgrade taken off', silence_cut: 'idle ones cut' };
const STREAMS_COLUMN = 4; /* and behind it WebSockets */
const ADAPTED = { long: 'as usual', short: 'short', taken: 'as usual', proved: 'proved first', refused: 'refused' };

/* "eventsource 12, xhr-polling 3", the most frequent first. */
function counted(counts, word) {
	const rows = Object.entries(counts ?? {}).sort((a, b) => b[1] - a[1]);

	return rows.map(([name, n]) => `${word(name)} ${number(n)}`).join(', ') || '·';
}

/* Of those at 0 the first attempt was heard. */
function delayWords(network) {
	if (network.median_ms === 0)
		return 'at once';
	if (network.median_ms)
		return `≤ ${milliseconds(network.median_ms)}`;
	return network.delays?.length ? '> 16 s' : '·';
}

function isBroken(network) {
	return Object.keys(network.failures ?? {}).length > 0 || network.refused > 0;
}

/* Those browsers of a network in which something has failed. */
function browserWords(network) {
	return (network.browsers ?? []).filter(isBroken).map((b) => b.browser).join(', ') || '·';
}

function websocketWords(network) {
	const word = ADAPTED[network.websocket] ?? plain(network.websocket);

	if (!network.refused)
		return word;
	return network.websocket === 'refused' ? `${word}, ${number(network.refused)} so far` : `${word}, ${number(network.refused)} refused before`;
}

function networkRow(n) {
	return {
		key: `${n.endpoint} ${n.network}`,
		href: `#sessions?address=${encodeURIComponent(n.network)}`,
		strong: [n.streams !== 'long' && STREAMS_COLUMN, n.websocket !== 'taken' && STREAMS_COLUMN + 1],
		cells: [n.network, counted(n.failures, (name) => CAUSES[name] ?? plain(name)), browserWords(n), n.endpoint,
			ADAPTED[n.streams] ?? plain(n.streams), websocketWords(n), milliseconds(n.heartbeat_ms),
			counted(n.reached, (name) => transportNamed(name).label), delayWords(n)],
	};
}

/* "sessions_per_address" says nothing new of an address. */
function limitWords(name) {
	return plain(name.replace(/_per_address$/, ''));
}

const COUNT = [{ head: '', kind: 'bar' }, { head: 'Count', kind: 'number' }, { head: 'Last minute', kind: 'number' }];

export class Overview {
	#tiles = TILES.map((spec) => new Tile(spec));
	#charts = CHARTS.map((options) => new Chart(options));
	#about = {};
	#endpoints = new Map(); /* what commands tell of them */
	#now = null;
	#tables = {
		endpoints: new Table($('endpoints'), [{ head: 'Prefix', kind: 'text' }, { head: 'Application', kind: 'text aside' }, { head: '', kind: 'bar' }, { head: 'Sessions', kind: 'number' }, { head: 'Ready', kind: 'text' }], 'There are no endpoints.'),
		closed: new Table($('closed'), [{ head: 'Reason', kind: 'text' }, { head: 'Code', kind: 'number' }, ...COUNT], 'No session has ended yet.'),
		refused: new Table($('refused'), [{ head: 'Reason', kind: 'text' }, ...COUNT], 'Nobody was refused yet.'),
		fallbacks: new Table($('fallbacks'), [{ head: 'From', kind: 'text' }, { head: 'To', kind: 'text' }, { head: 'Why', kind: 'text' }, { head: 'Count', kind: 'number' }], 'Nobody has fallen back.'),
		addresses: new Table($('addresses'), [{ head: 'Address', kind: 'text' }, { head: '', kind: 'bar' }, { head: 'Sessions', kind: 'number' }], 'No sessions.'),
		limited: new Table($('limited'), [{ head: 'Address', kind: 'text' }, { head: 'Limit of', kind: 'text' }, { head: 'Sessions', kind: 'number aside' }, { head: 'Connections', kind: 'number aside' }, { head: 'Refused', kind: 'number' }], 'Nobody is at a limit.'),
		networks: new Table($('networks'), [{ head: 'Network', kind: 'text' }, { head: 'Failures, as guessed', kind: 'text' }, { head: 'In', kind: 'text' }, { head: 'Endpoint', kind: 'text' }, { head: 'Streams', kind: 'text' }, { head: 'WebSockets', kind: 'text' }, { head: 'Heartbeat', kind: 'number' }, { head: 'Reached by', kind: 'text' }, { head: 'Time lost', kind: 'number' }], 'No network is known to break anything.'),
		backends: new Table($('backends'), [{ head: 'Backend', kind: 'text' }, { head: 'Endpoint', kind: 'text' }, { head: 'State', kind: 'text' }, { head: 'Connections', kind: 'number' }, { head: 'Failures in a row', kind: 'number' }, { head: 'Worked', kind: 'text' }, { head: 'Failed', kind: 'text' }], 'There are no backends.'),
		threads: new Table($('threads'), [{ head: 'Thread', kind: 'text' }, { head: '', kind: 'bar' }, { head: 'Longest wait', kind: 'number' }, { head: 'Mean', kind: 'number' }], '–'),
	};

	constructor() {
		$('tiles').append(...this.#tiles.map((t) => t.element));
		$('charts').append(...this.#charts.map((c) => c.element));
		for (const table of Object.values(this.#tables))
			table.show([]);
	}

	hello(about) {
		this.#about = about;
		this.#endpoints.clear();
		for (const tile of this.#tiles)
			tile.forget();
	}

	show(history, seconds) {
		const samples = history.since(seconds);

		this.#now = history.last;
		for (const chart of this.#charts)
			chart.show(samples, seconds);
		if (!this.#now?.loops)
			return;
		for (const tile of this.#tiles)
			tile.show(samples, this.#about);
		this.#showReasons(history);
		this.#showEndpoints();
		this.#showAddresses(this.#now.addresses);
		this.#showThreads(this.#now.loops);
		this.#showFallbacks(this.#now.fallbacks);
	}

	#showReasons(history) {
		const { closed, refused } = this.#now.reasons;

		this.#tables.closed.show(reasonRows(closed, history.growth('closed', MINUTE_S)).map((r) => ({ key: r.key, cells: closedCells(r) })));
		this.#tables.refused.show(reasonRows(refused, history.growth('refused', MINUTE_S)).map((r) => ({ key: r.key, cells: refusedCells(r) })));
	}

	#showEndpoints() {
		const rows = this.#now.endpoints;
		const most = Math.max(1, ...rows.map(([, n]) => n));

		this.#tables.endpoints.show(rows.map(([prefix, n]) => {
			const known = this.#endpoints.get(prefix);
			return {
				key: prefix, isBad: known?.ready === false,
				href: this.#about.commands ? `#sessions?endpoint=${encodeURIComponent(prefix)}` : undefined,
				cells: [prefix, known?.application ?? '·', n / most, number(n), known ? (known.ready ? 'yes' : 'no') : '·'],
			};
		}));
	}

	#showAddresses(addresses) {
		const rows = addresses?.top ?? [];
		const most = Math.max(1, ...rows.map(([, n]) => n));
		const words = !this.#about.commands ? 'Addresses are for those who know a token.' : addresses ? 'No sessions.' : 'Not counted yet.';

		this.#tables.addresses.show(rows.map(([address, n]) => ({
			key: address, href: `#sessions?address=${encodeURIComponent(address)}`,
			cells: [address, n / most, addresses.at_most_missing ? `${number(n)} to ${number(n + addresses.at_most_missing)}` : number(n)],
		})), words);
	}

	#showThreads(loops) {
		const most = Math.max(1, ...loops.map(([worst]) => worst));
		const rows = loops.map(([worst, mean], i) => ({ worst, mean, i })).sort((a, b) => (loops.length > ROWS_MOST ? b.worst - a.worst : a.i - b.i)).slice(0, ROWS_MOST);

		this.#tables.threads.show(rows.map(({ worst, mean, i }) => ({
			key: String(i), cells: [`thread ${i}`, worst / most, milliseconds(worst / 1000), milliseconds(mean / 1000)],
		})));
	}

	#showFallbacks(fallbacks) {
		$('fallbacks-panel').hidden = !Array.isArray(fallbacks);
		if (Array.isArray(fallbacks))
			this.#tables.fallbacks.show(fallbacks.slice(0, ROWS_MOST).map((f) => ({
				key: `${f.from} ${f.to} ${f.why}`, line: transportNamed(f.to).line,
				cells: [transportNamed(f.from).label, transportNamed(f.to).label, plain(f.why), number(f.count)],
			})));
	}

	/* ---- what commands tell ------------------------------------------------------- */

	showEndpoints(endpoints) {
		this.#endpoints = new Map(endpoints.map((e) => [e.prefix, e]));
		if (this.#now?.endpoints)
			this.#showEndpoints();
	}

	showLimited(limited) {
		$('limited-panel').hidden = limited === null;
		this.#tables.limited.show((limited ?? []).slice(0, ROWS_MOST).map((a) => ({
			key: a.address, cells: [a.address, a.limits.map(limitWords).join(', ') || '·', number(a.sessions), number(a.connections), number(a.refused)],
		})));
	}

	/* Null: not for everybody. */
	showNetworks(answer) {
		const broken = (answer?.networks ?? []).filter(isBroken);

		$('networks-panel').hidden = broken.length === 0;
		say($('networks-count'), answer ? `the worst, of ${number(answer.count)} known` : '');
		this.#tables.networks.show(broken.map(networkRow));
	}

	showBackends(backends) {
		$('backends-panel').hidden = backends.length === 0;
		this.#tables.backends.show(backends.map(backendRow));
	}
}

export function aboutServer(about) {
	return `sockjsd ${about.version} · since ${new Date(about.began * 1000).toLocaleDateString('en-GB')} ${clock(about.began)}`;
}
