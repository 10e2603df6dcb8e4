/*
 * bench/plot.mjs - the result as a picture: one line for each workload, one mark for each peer.
 *
 * Processor time is drawn as a multiple of the floor, memory in bytes, both on logarithmic scales. Every
 * peer has a shape as well as a colour. Light or dark follows the reader's preference.
 */
import { limitsText, significant } from './report.mjs';

const WIDTH = 1180;
const LEFT = 316, RIGHT = 846; /* of the scale */
const ROW = 28, HEAD = 96, GAP = 78, FOOT = 44;

const STYLE = `
	svg { --page: #fff; --ink: #1b1f24; --quiet: #667079; --line: #e3e7eb; --band: #f6f8fa; --floor: #8a939c;
	      --sockjsd: #0b62c4; --lws: #b77400; --ws: #1a7f4b; --sockjs-node: #c8402b; --nchan: #8a4bb8; --nginx: #0e7c86;
	      --plain: #6f9fd8; --nats: #8d5524; --rabbitmq: #c2185b; --other: #6f9fd8; }
	@media (prefers-color-scheme: dark) {
		svg { --page: #0f1419; --ink: #e6eaee; --quiet: #97a1ab; --line: #2a323a; --band: #171d24; --floor: #7d8791;
		      --sockjsd: #5aa9ff; --lws: #f0b03f; --ws: #4cc38a; --sockjs-node: #ff7e67; --nchan: #c795f0; --nginx: #45c4ce;
		      --plain: #8fb8e8; --nats: #d6a06a; --rabbitmq: #ff7eb0; --other: #8fb8e8; }
	}
	text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink); }
	.title { font-size: 18px; font-weight: 600; }
	.quiet { fill: var(--quiet); font-size: 12px; }
	.value { font-variant-numeric: tabular-nums; }
	.own { font-weight: 600; fill: var(--sockjsd); }
	.missed { fill: var(--sockjs-node); font-weight: 600; }`;

/* --- pieces --------------------------------------------------------------------------------- */

function escape(text) {
	return String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

function text(x, y, content, { anchor = 'start', kind = '' } = {}) {
	return `<text x="${x}" y="${y}" text-anchor="${anchor}" class="${kind}">${escape(content)}</text>`;
}

function line(x1, y1, x2, y2, color, more = '') {
	return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="var(--${color})" ${more}/>`;
}

const shapes = {
	sockjsd: (x, y) => `<circle cx="${x}" cy="${y}" r="6.5"/>`,
	other: (x, y) => `<circle cx="${x}" cy="${y}" r="3.5"/>`,
	lws: (x, y) => `<path d="M${x} ${y - 6}l6 6-6 6-6-6z"/>`,
	ws: (x, y) => `<rect x="${x - 4.5}" y="${y - 4.5}" width="9" height="9"/>`,
	'sockjs-node': (x, y) => `<path d="M${x} ${y - 6}l6 10.5h-12z"/>`,
	nchan: (x, y) => `<path d="M${x - 5} ${y - 5}l10 10m0-10l-10 10" stroke="var(--nchan)" stroke-width="2.6" fill="none"/>`,
	nginx: (x, y) => `<path d="M${x - 6.5} ${y}h13m-6.5-6.5v13" stroke="var(--nginx)" stroke-width="2.6" fill="none"/>`,
	plain: (x, y) => `<circle cx="${x}" cy="${y}" r="5.5" stroke="var(--plain)" stroke-width="2.6" fill="none"/>`,
	nats: (x, y) => `<path d="M${x} ${y + 6}l6-10.5h-12z"/>`,
	rabbitmq: (x, y) => `<path d="M${x} ${y - 6.5}l6 4.5-2.3 7.5h-7.4l-2.3-7.5z"/>`,
	floor: (x, y) => line(x, y - 7, x, y + 7, 'floor', 'stroke-width="3"'),
};

function mark(name, x, y, title) {
	return `<g fill="var(--${name})" stroke="var(--page)" stroke-width="1.2"><title>${escape(title)}</title>${shapes[name](x.toFixed(1), Math.round(y))}</g>`;
}

/* From a number to a place, logarithmically. */
function scale(least, most) {
	const width = Math.log(most / least);

	return (n) => LEFT + ((RIGHT - LEFT) * Math.log(Math.min(Math.max(n, least), most) / least)) / width;
}

/* --- a panel: rows on one scale ---------------------------------------------------------------- */

function panel({ rows, top, ticks, tickText, place, value, ownText, wanted, caption }) {
	const bottom = top + rows.length * ROW;
	const parts = [text(LEFT, top - 26, caption, { kind: 'quiet' })];

	rows.forEach((row, i) => {
		if (i % 2 === 0)
			parts.push(`<rect x="16" y="${top + i * ROW}" width="${WIDTH - 32}" height="${ROW}" fill="var(--band)"/>`);
	});
	for (const tick of ticks) {
		const x = place(tick).toFixed(1);
		parts.push(line(x, top, x, bottom, 'line'), text(x, top - 8, tickText(tick), { anchor: 'middle', kind: 'quiet' }));
	}
	rows.forEach((row, i) => {
		const y = top + i * ROW + ROW / 2;
		const limit = wanted(row);

		parts.push(text(LEFT - 16, y + 4.5, row.title, { anchor: 'end' }));
		if (limit)
			parts.push(`<path d="M${place(limit).toFixed(1)} ${y - 11}v22m0-22h-4m4 22h-4" stroke="var(--sockjsd)" stroke-width="1.6" fill="none"/>`);
		for (const [name, peer] of Object.entries(row.peers).reverse())
			if (value(peer))
				parts.push(mark(name, place(value(peer)), y, `${name}: ${significant(peer.cost)}`));
		if (row.peers.sockjsd?.cost)
			parts.push(text(RIGHT + 22, y + 4.5, ownText(row), { kind: 'value own' }));
		const kept = row.limits.every((limit) => limit.kept);
		if (row.limits.some((limit) => limit.kept !== null))
			parts.push(text(WIDTH - 24, y + 4.5, `${kept ? '✓' : '✗'} ${limitsText(row)}`, { anchor: 'end', kind: kept ? 'quiet' : 'missed' }));
	});
	return parts.join('\n');
}

function legend(result) {
	let x = LEFT;

	return result.peers.map(({ name }) => {
		const piece = mark(name, x, 54, name) + text(x + 12, 58.5, name);
		x += 32 + 7.2 * name.length;
		return piece;
	}).join('\n');
}

function largest(rows, value) {
	return Math.max(...rows.flatMap((row) => Object.values(row.peers).map((peer) => value(peer) ?? 0)));
}

function panels(result) {
	const costs = result.rows.filter((row) => row.unit !== 'bytes');
	const sizes = result.rows.filter((row) => row.unit === 'bytes');
	const most = Math.max(2.5, largest(costs, (peer) => peer.ratio) * 1.1);
	const top = HEAD + 26;
	const parts = [];
	let y = top;

	if (costs.length) {
		parts.push(panel({
			rows: costs, top: y, place: scale(0.7, most), value: (peer) => peer.ratio,
			ticks: [1, 1.5, 2, 3, 5, 10, 20, 50, 100].filter((n) => n < most), tickText: (n) => `${n}×`,
			ownText: (row) => `${significant(row.peers.sockjsd.cost)} µs`,
			wanted: ({ limits }) => limits.find((limit) => limit.of === 'floor')?.ratio,
			caption: 'processor time of the server for each operation, as a multiple of the floor',
		}));
		y += costs.length * ROW + GAP;
	}
	if (sizes.length) {
		parts.push(panel({
			rows: sizes, top: y, place: scale(32, Math.max(2048, largest(sizes, (peer) => peer.cost) * 1.2)), value: (peer) => peer.cost,
			ticks: [32, 128, 512, 2048, 8192, 32768].filter((n) => n < largest(sizes, (peer) => peer.cost) * 1.2), tickText: (n) => (n < 1024 ? `${n} B` : `${n / 1024} KiB`),
			ownText: (row) => `${Math.round(row.peers.sockjsd.cost)} B`,
			wanted: ({ limits }) => limits.find((limit) => limit.bytes)?.bytes,
			caption: 'memory of the server for each session, user space',
		}));
		y += sizes.length * ROW;
	} else {
		y -= GAP;
	}
	return { body: parts.join('\n'), height: y + FOOT };
}

export function plot(result) {
	const { body, height } = panels(result);
	const { machine } = result;

	return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>sockjsd beside its peers</title>
<style>${STYLE}
</style>
<rect width="${WIDTH}" height="${height}" fill="var(--page)"/>
${text(24, 34, 'sockjsd beside its peers', { kind: 'title' })}
${text(24, 58.5, 'one thread, less is better')}
${text(RIGHT + 22, HEAD, 'sockjsd')}
${text(WIDTH - 24, HEAD, 'wanted', { anchor: 'end', kind: 'quiet' })}
${legend(result)}
${body}
${text(24, height - 18, `${result.date}, ${machine.processors} × ${machine.processor}, Linux ${machine.kernel}; medians of ${result.rounds} rounds of ${result.seconds} s; 64-byte messages unless said otherwise`, { kind: 'quiet' })}
</svg>
`;
}
