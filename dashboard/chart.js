/*
 * chart.js - lines, or areas one upon the other, over time: an <svg>, its key, and nothing else.
 *
 * The key names each line and says what it is now, or where the pointer is: so nothing ever covers
 * what it tells. Colours come from the style sheet, by data-line. What is drawn is thinned out to
 * what the width can show.
 */
import { clock, element, say } from './words.js';

const NS = 'http://www.w3.org/2000/svg';
const LEFT = 54;
const BOTTOM = 20;
const TOP = 8;
const PIXELS_PER_POINT = 2;
const LEAST_S = 60;

function svg(name, attributes = {}) {
	const e = document.createElementNS(NS, name);

	for (const [key, value] of Object.entries(attributes))
		e.setAttribute(key, value);
	return e;
}

/* A round number that is not below, of which half is one, too. */
function roundUp(n, base) {
	if (base === 1024)
		return 2 ** Math.ceil(Math.log2(n));
	const power = 10 ** Math.floor(Math.log10(n));

	return [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].find((m) => m * power >= n) * power;
}

export class Chart {
	#options;
	#lines;
	#box;
	#svg;
	#keys = new Map();
	#samples = [];
	#from = 0;
	#to = 1;
	#pointer = null;

	/*
	 * options: title, unit(text of a value), lines: [{ name, label, line, value(sample) }], stacked,
	 * least (what the axis reaches in any case), base (1024: of octets), fold (how samples become one: 'mean' or 'most')
	 */
	constructor(options) {
		this.#options = options;
		this.#lines = options.lines;
		this.#svg = svg('svg', { class: 'plot', role: 'img' });
		this.#box = element('figure', { class: `chart panel${options.wide ? ' wide' : ''}` },
			element('figcaption', {}, element('h3', {}, options.title), element('span', { class: 'when' })),
			this.#svg, this.#makeKey());
		this.#svg.addEventListener('pointermove', (e) => this.#point(e.offsetX));
		this.#svg.addEventListener('pointerleave', () => this.#point(null));
		new ResizeObserver(() => this.#draw()).observe(this.#svg);
	}

	get element() {
		return this.#box;
	}

	#makeKey() {
		const list = element('ul', { class: 'legend' });

		for (const line of this.#lines) {
			const value = element('b');
			const item = element('li', { 'data-line': line.line, class: line.dashed ? 'dashed' : undefined }, element('i'), element('span', {}, line.label), value);

			this.#keys.set(line.name, { item, value });
			list.append(item);
		}
		return list;
	}

	show(samples, seconds) {
		this.#samples = samples;
		this.#to = samples.at(-1)?.at ?? 1;
		/* Where less than that is known, that is shown larger. */
		this.#from = this.#to - Math.min(seconds, Math.max(LEAST_S, this.#to - (samples[0]?.at ?? 0)));
		this.#draw();
	}

	/* ---- what is drawn ------------------------------------------------------- */

	/* Points of x and a value for each line; null where there is none. */
	#points(width) {
		const most = Math.max(1, Math.floor(width / PIXELS_PER_POINT));
		const step = Math.max(1, Math.ceil((this.#to - this.#from) / most));
		const groups = new Map();

		/* By the clock, so that those of the past stay as they are while time goes on. */
		for (const s of this.#samples) {
			const group = groups.get(Math.floor(s.at / step));
			if (group)
				group.push(s);
			else
				groups.set(Math.floor(s.at / step), [s]);
		}
		return [...groups.values()].map((samples) => this.#fold(samples));
	}

	#fold(samples) {
		const values = this.#lines.map((line) => {
			const all = samples.map((s) => line.value(s)).filter((v) => v !== null && v !== undefined);

			if (all.length === 0)
				return null;
			return this.#options.fold === 'most' ? Math.max(...all) : all.reduce((a, b) => a + b) / all.length;
		});
		return { at: samples.at(-1).at, values, follows: samples.every((s) => s.follows) };
	}

	#top(points) {
		const { stacked, least, base } = this.#options;
		const heights = points.map(({ values }) => (stacked ? values.reduce((a, b) => a + (b ?? 0), 0) : Math.max(...values.map((v) => v ?? 0))));

		return roundUp(Math.max(least ?? 1, ...heights), base);
	}

	#draw() {
		const { clientWidth: width, clientHeight: height } = this.#svg;

		if (width === 0)
			return;
		const points = this.#points(width - LEFT);
		const top = this.#top(points);
		const x = (at) => LEFT + (at - this.#from) / (this.#to - this.#from) * (width - LEFT - 2);
		const y = (value) => TOP + (1 - value / top) * (height - TOP - BOTTOM);

		this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
		this.#svg.replaceChildren(...this.#axes(x, y, top, width, height),
			...(this.#options.stacked ? this.#areas(points, x, y) : this.#curves(points, x, y)), ...this.#mark(x, height));
		this.#tell();
	}

	#axes(x, y, top, width, height) {
		const parts = [];

		for (const share of [0, 0.5, 1]) {
			const at = y(top * share);
			parts.push(svg('line', { class: 'grid', x1: LEFT, x2: width, y1: at, y2: at }));
			const label = svg('text', { class: 'scale', x: LEFT - 6, y: at + 4, 'text-anchor': 'end' });
			label.textContent = this.#options.scale(top * share);
			parts.push(label);
		}
		const ticks = width > 420 ? 4 : 2;
		for (let i = 0; i <= ticks; i++) {
			const at = this.#from + (this.#to - this.#from) * i / ticks;
			const label = svg('text', { class: 'scale', x: x(at), y: height - 4, 'text-anchor': i === 0 ? 'start' : i === ticks ? 'end' : 'middle' });
			label.textContent = clock(at, this.#to - this.#from < 300);
			parts.push(label);
		}
		return parts;
	}

	/* Runs of points that follow one upon the other. */
	#runs(points, value) {
		const runs = [];
		let run = null;

		for (const p of points) {
			const v = value(p);
			if (v === null) {
				run = null;
				continue;
			}
			if (!run || !p.follows)
				runs.push(run = []);
			run.push([p.at, v]);
		}
		return runs;
	}

	#curves(points, x, y) {
		return this.#lines.map((line, i) => {
			const d = this.#runs(points, (p) => p.values[i])
				.map((run) => `M${run.map(([at, v]) => `${x(at).toFixed(1)} ${y(v).toFixed(1)}`).join('L')}${run.length === 1 ? 'h1' : ''}`).join('');
			return svg('path', { class: line.dashed ? 'curve dashed' : 'curve', 'data-line': line.line, d });
		});
	}

	/* The last one lies on all others. */
	#areas(points, x, y) {
		return this.#lines.map((line, i) => {
			const upTo = (p, n) => p.values.slice(0, n).reduce((a, b) => a + (b ?? 0), 0);
			const d = this.#runs(points, (p) => (p.values.some((v) => v !== null) ? p : null)).map((run) => {
				const upper = run.map(([at, p]) => `${x(at).toFixed(1)} ${y(upTo(p, i + 1)).toFixed(1)}`);
				const lower = run.map(([at, p]) => `${x(at).toFixed(1)} ${y(upTo(p, i)).toFixed(1)}`).reverse();
				return `M${upper.join('L')}L${lower.join('L')}Z`;
			}).join('');
			return svg('path', { class: 'area', 'data-line': line.line, d });
		});
	}

	/* ---- what is told ---------------------------------------------------------- */

	#point(offset) {
		const width = this.#svg.clientWidth;

		this.#pointer = offset === null ? null : this.#from + (offset - LEFT) / (width - LEFT - 2) * (this.#to - this.#from);
		this.#draw();
	}

	#pointed() {
		if (this.#pointer === null)
			return this.#samples.at(-1);
		return this.#samples.reduce((best, s) => (!best || Math.abs(s.at - this.#pointer) < Math.abs(best.at - this.#pointer) ? s : best), undefined);
	}

	#mark(x, height) {
		const s = this.#pointer === null ? null : this.#pointed();

		return s ? [svg('line', { class: 'mark', x1: x(s.at), x2: x(s.at), y1: TOP, y2: height - BOTTOM })] : [];
	}

	#tell() {
		const s = this.#pointed();
		const words = [];

		say(this.#box.querySelector('.when'), this.#pointer === null || !s ? '' : `at ${clock(s.at, true)}`);
		for (const line of this.#lines) {
			const { item, value } = this.#keys.get(line.name);
			const v = s ? line.value(s) : null;
			const text = v === null || v === undefined ? '–' : this.#options.unit(v);

			item.hidden = Boolean(line.ifAny) && !this.#samples.some((sample) => line.value(sample) > 0);
			say(value, text);
			if (!item.hidden)
				words.push(`${line.label} ${text}`);
		}
		this.#svg.setAttribute('aria-label', `${this.#options.title}: ${words.join(', ')}`);
	}
}
