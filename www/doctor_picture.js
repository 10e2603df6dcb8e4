/*
 * doctor_picture.js - a trip by one transport as a small line of time.
 *
 * Dashed while it waits to open, a stop where it does, solid from there; a train for each push
 * where it arrived, a dot for each echo. What flows has trains at even distances; what is held has
 * them in a heap. A cross where it has failed.
 *
 * Draws into an <svg>; all svgs of a page share one scale (milliseconds).
 */
const NS = 'http://www.w3.org/2000/svg';
const HEIGHT = 44;
const PAD = 9;
const RAIL = 16;
const ECHOES = 33;
const TRAIN = { width: 9, narrow: 3, height: 14 };
const PUSH_MS = 100;

function element(name, attributes) {
	const e = document.createElementNS(NS, name);

	for (const [key, value] of Object.entries(attributes))
		e.setAttribute(key, typeof value === 'number' ? value.toFixed(1) : value);
	return e;
}

/* So that the longest trip fits: whole seconds, at least two. */
export function scaleFor(trials) {
	const longest = Math.max(0, ...trials.map((t) => t.events.at(-1)?.ms ?? 0));

	return Math.max(2000, Math.ceil(longest / 1000) * 1000);
}

function rails(trial, x) {
	const opened = trial.events.find((e) => e.what === 'open');
	const last = trial.events.at(-1);
	const parts = [];

	if (opened || last)
		parts.push(element('path', { class: 'waiting', d: `M${x(0)},${RAIL}H${x(opened?.ms ?? last.ms).toFixed(1)}` }));
	if (opened && last)
		parts.push(element('path', { class: 'rail', d: `M${x(opened.ms).toFixed(1)},${RAIL}H${x(last.ms).toFixed(1)}` }));
	return parts;
}

/* Those that come in their time do not touch. */
function trainWidth(x) {
	return Math.max(TRAIN.narrow, Math.min(TRAIN.width, (x(PUSH_MS) - x(0)) * 0.6));
}

function mark({ what, ms }, x) {
	const at = x(ms);
	const reach = 6;
	const width = trainWidth(x);

	switch (what) {
	case 'open':
		return element('circle', { class: 'stop', cx: at, cy: RAIL, r: 6 });
	case 'push':
		return element('rect', { class: 'train', x: at - width / 2, y: RAIL - TRAIN.height / 2, width, height: TRAIN.height, rx: width / 3 });
	case 'echo':
		return element('circle', { class: 'echo', cx: at, cy: ECHOES, r: 2.2 });
	case 'fail':
		return element('path', { class: 'cross', d: `M${at - reach},${RAIL - reach}l${2 * reach},${2 * reach}m0,${-2 * reach}l${-2 * reach},${2 * reach}` });
	default:
		return element('circle', { class: 'end', cx: at, cy: RAIL, r: 4 });
	}
}

/* Trains go over rails, the stop over all. */
const ORDER = ['push', 'echo', 'end', 'open', 'fail'];

export function drawTrip(svg, trial, scaleMs) {
	const width = svg.clientWidth || 300;
	const x = (ms) => PAD + (Math.min(ms, scaleMs) / scaleMs) * (width - 2 * PAD);
	const grid = [];

	for (let s = 1000; s <= scaleMs; s += 1000)
		grid.push(element('path', { class: 'second', d: `M${x(s).toFixed(1)},2V${HEIGHT - 2}` }));
	svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
	const marks = [...trial.events].sort((a, b) => ORDER.indexOf(a.what) - ORDER.indexOf(b.what)).map((e) => mark(e, x));

	svg.replaceChildren(...grid, ...rails(trial, x), ...marks);
}

/* The seconds under all of them. */
export function drawScale(svg, scaleMs) {
	const width = svg.clientWidth || 300;
	const step = scaleMs > 12000 ? 5000 : scaleMs > 6000 ? 2000 : 1000;
	const labels = [];

	svg.setAttribute('viewBox', `0 0 ${width} 18`);
	for (let ms = 0; ms <= scaleMs; ms += step) {
		const text = element('text', { x: PAD + (ms / scaleMs) * (width - 2 * PAD), y: 13, class: ms === 0 ? 'first' : ms + step > scaleMs ? 'last' : '' });

		text.textContent = `${ms / 1000} s`;
		labels.push(text);
	}
	svg.replaceChildren(...labels);
}

/* ---- silences ------------------------------------------------------------------------ */

/* A bar for each step as it fills, and what became of it. `steps`: [ { ms, state: running | survived | cut | lost, afterMs } ] */
export function drawSilences(svg, steps, nowMs) {
	const width = svg.clientWidth || 300;
	const row = 30, left = 52, right = width < 420 ? 84 : 150;
	const longest = Math.max(...steps.map((s) => s.ms));
	const x = (ms) => left + Math.sqrt(Math.min(ms, longest) / longest) * (width - left - right);
	const parts = [];

	svg.setAttribute('viewBox', `0 0 ${width} ${steps.length * row}`);
	svg.style.height = `${steps.length * row}px`;
	steps.forEach((step, i) => {
		const y = i * row + row / 2;
		const reached = step.state === 'running' ? Math.min(nowMs, step.ms) : step.state === 'survived' ? step.ms : Math.min(step.afterMs, step.ms);
		const label = element('text', { class: 'step', x: left - 12, y: y + 5 });
		const words = element('text', { class: `words ${step.state}`, x: x(step.ms) + 14, y: y + 5 });

		label.textContent = `${step.ms / 1000} s`;
		words.textContent = { running: '', survived: 'well', cut: `cut after ${Math.round(step.afterMs / 1000)} s`, lost: 'lost silently' }[step.state];
		parts.push(label, element('path', { class: 'whole', d: `M${left},${y}H${x(step.ms).toFixed(1)}` }),
			element('path', { class: `bar ${step.state}`, d: `M${left},${y}H${x(reached).toFixed(1)}` }), words);
	});
	svg.replaceChildren(...parts);
}
