/*
 * sparkline.js - the last round trips as one small line.
 *
 * Draws into an <svg> that has a polyline, a circle and nothing else; keeps
 * the samples and says their median.
 */
const KEEP = 40;
const PAD = 4;
/* Few samples are not stretched over the whole width. */
const LEAST_SPREAD = 16;

export class Sparkline {
	#svg;
	#samples = [];

	constructor(svg) {
		this.#svg = svg;
	}

	clear() {
		this.#samples = [];
		this.draw();
	}

	add(ms) {
		this.#samples.push(ms);
		if (this.#samples.length > KEEP)
			this.#samples.shift();
	}

	get summary() {
		const sorted = [...this.#samples].sort((a, b) => a - b);

		if (sorted.length === 0)
			return null;
		return { min: sorted[0], median: sorted[sorted.length >> 1], max: sorted[sorted.length - 1], n: sorted.length };
	}

	draw() {
		const { clientWidth: width, clientHeight: height } = this.#svg;
		const top = Math.max(...this.#samples, 1);
		const step = (width - 2 * PAD) / (Math.max(this.#samples.length, LEAST_SPREAD) - 1);
		const points = this.#samples.map((ms, i) => [
			width - PAD - (this.#samples.length - 1 - i) * step,
			height - PAD - (ms / top) * (height - 2 * PAD),
		]);
		const last = points.at(-1);
		const dot = this.#svg.querySelector('circle');

		this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
		this.#svg.querySelector('polyline').setAttribute('points',
			points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' '));
		dot.toggleAttribute('hidden', !last);
		if (!last)
			return;
		dot.setAttribute('cx', last[0].toFixed(1));
		dot.setAttribute('cy', last[1].toFixed(1));
	}
}
