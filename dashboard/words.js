/*
 * words.js - numbers, times and names as people read them; and elements that hold nothing but text.
 */

/* In the order in which they are drawn; `line` is the colour on the map of the start page. */
export const TRANSPORTS = [
	{ name: 'websocket', line: 'ws', label: 'websocket' },
	{ name: 'websocket_raw', line: 'raw', label: 'raw websocket' },
	{ name: 'xhr_streaming', line: 'xs', label: 'xhr-streaming' },
	{ name: 'eventsource', line: 'es', label: 'eventsource' },
	{ name: 'htmlfile', line: 'hf', label: 'htmlfile' },
	{ name: 'xhr', line: 'xp', label: 'xhr-polling' },
	{ name: 'jsonp', line: 'jp', label: 'jsonp-polling' },
	{ name: 'tcp', line: 'tcp', label: 'tcp' },
];

export function transportNamed(name) {
	return TRANSPORTS.find((t) => t.name === name) ?? { name, line: 'auto', label: String(name) };
}

const whole = new Intl.NumberFormat('en');

export function number(n) {
	return Number.isFinite(n) ? whole.format(Math.round(n)) : '–';
}

/* Three figures at most where there is little room: 12.3k, 4.56M. */
export function brief(n) {
	if (!Number.isFinite(n))
		return '–';
	for (const [size, unit] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']])
		if (Math.abs(n) >= size * (unit === 'k' ? 10 : 1))
			return threeFigures(n / size) + unit;
	return Math.abs(n) >= 1000 ? whole.format(Math.round(n)) : threeFigures(n);
}

function threeFigures(n) {
	const size = Math.abs(n);

	return n.toFixed(size >= 100 || Number.isInteger(n) ? 0 : size >= 10 ? 1 : 2).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
}

export function octets(n) {
	if (!Number.isFinite(n))
		return '–';
	for (const [size, unit] of [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB']])
		if (n >= size)
			return `${threeFigures(n / size)} ${unit}`;
	return `${threeFigures(n)} B`;
}

export function milliseconds(ms) {
	return ms >= 10000 ? duration(ms / 1000) : ms >= 1000 ? `${threeFigures(ms / 1000)} s` : `${threeFigures(ms)} ms`;
}

/* "4 s", "3 min 20 s", "5 h 7 min", "12 d 3 h". */
export function duration(seconds) {
	const s = Math.max(0, Math.floor(seconds));
	const parts = [[Math.floor(s / 86400), 'd'], [Math.floor(s / 3600) % 24, 'h'], [Math.floor(s / 60) % 60, 'min'], [s % 60, 's']];
	const first = parts.findIndex(([n]) => n > 0);

	if (first < 0)
		return '0 s';
	return parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}`).join(' ');
}

export function clock(seconds, withSeconds = false) {
	return new Date(seconds * 1000).toLocaleTimeString('en-GB', withSeconds ? {} : { hour: '2-digit', minute: '2-digit' });
}

/* Its name as it stands in the metrics, without the strokes. */
export function plain(name) {
	return String(name).replaceAll('_', ' ');
}

/* ---- elements -------------------------------------------------------------- */

export const $ = (id) => document.getElementById(id);

/* An element with attributes, and children that are elements or text; never markup. */
export function element(name, attributes = {}, ...children) {
	const e = document.createElement(name);

	for (const [key, value] of Object.entries(attributes))
		if (value !== undefined && value !== null && value !== false)
			e.setAttribute(key, value === true ? '' : value);
	e.append(...children.filter((c) => c !== null && c !== undefined).map((c) => (c instanceof Node ? c : String(c))));
	return e;
}

/* Changes a text only where it is another one, so that nothing is painted, or read out, anew. */
export function say(e, text) {
	if (e.textContent !== text)
		e.textContent = text;
}
