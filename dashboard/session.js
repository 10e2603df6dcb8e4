/*
 * session.js - one session, looked at each second, and closed by a button.
 *
 * It shows whatever the server tells of a session: members that it knows in words of its own, any
 * other by its name.
 */
import { command, Refusal, sentence } from './commands.js';
import { Sparkline } from './sparkline.js';
import { $, duration, element, number, octets, plain, say, transportNamed } from './words.js';

const LOOK_MS = 1000;

const ago = (ms) => `${duration(ms / 1000)} ago`;
const yes = (b) => (b ? 'yes' : 'no');

/* Members in the order in which they are shown. */
const MEMBERS = {
	endpoint: ['Endpoint', String],
	transport: ['Transport', (name) => transportNamed(name).label],
	framing: ['Framing', String],
	subprotocol: ['Subprotocol', String],
	address: ['Address', String],
	since: ['Since', (text) => new Date(text).toLocaleString('en-GB')],
	age_ms: ['Age', (ms) => duration(ms / 1000)],
	heard_ms_ago: ['Last heard', ago],
	said_ms_ago: ['Last told something', ago],
	blocked_ms: ['Takes nothing since', (ms) => duration(ms / 1000)],
	unacknowledged: ['Sent, not acknowledged', octets],
	held: ['Held in memory', octets],
	waiting: ['Waits for the application', octets],
	paused: ['Paused by', (list) => list.join(', ') || 'nobody'],
	attached: ['A connection is there', yes],
	heard: ['Has answered', yes],
	send_buffer_bytes: ['Room for it', octets],
	thread: ['Thread', String],
	code: ['Close code', String],
};
/* Shown elsewhere. */
const APART = new Set(['session', 'state', 'buffered']);

function scalar(value) {
	if (typeof value === 'number')
		return number(value);
	return typeof value === 'boolean' ? yes(value) : String(value);
}

function words(name, value) {
	if (value === null || value === undefined)
		return '–';
	return MEMBERS[name] ? MEMBERS[name][1](value) : scalar(value);
}

/* The first list of objects among its members, if it has one, is the line of its life. */
function timeLine(view) {
	return Object.entries(view).find(([, v]) => Array.isArray(v) && v.length > 0 && typeof v[0] === 'object');
}

export class SessionView {
	#id = null;
	#timer = null;
	#isOver = false;
	#spark = new Sparkline($('detail-spark'));
	#cells = new Map();
	onGone = () => {};

	constructor() {
		$('detail-close').addEventListener('click', () => this.#ask());
		$('confirm').addEventListener('close', () => this.#answered());
	}

	get id() {
		return this.#id;
	}

	show(id) {
		if (id === this.#id)
			return;
		this.leave();
		this.#id = id;
		this.#isOver = false;
		say($('h-detail'), `Session ${id}`);
		$('detail').hidden = false;
		$('browse').classList.add('open');
		this.#look();
		$('detail').focus({ preventScroll: true });
		if (innerWidth < 960)
			$('detail').scrollIntoView({ block: 'start' });
	}

	leave() {
		clearTimeout(this.#timer);
		this.#id = null;
		this.#spark.clear();
		this.#cells.clear();
		$('detail-members').replaceChildren();
		for (const part of ['state', 'about', 'buffered', 'trouble'])
			say($(`detail-${part}`), '');
		$('detail-line-box').hidden = true;
		$('detail').hidden = true;
		$('browse').classList.remove('open');
	}

	/* ---- looking ------------------------------------------------------------- */

	async #look() {
		const id = this.#id;

		clearTimeout(this.#timer);
		try {
			const view = await command('session', { session: id });
			if (id !== this.#id)
				return;
			say($('detail-trouble'), '');
			this.#draw(view);
		} catch (e) {
			if (id !== this.#id)
				return;
			if (e instanceof Refusal && e.code === 'no_session')
				this.#ended();
			else
				say($('detail-trouble'), sentence(e));
		}
		if (!this.#isOver)
			this.#timer = setTimeout(() => this.#look(), LOOK_MS);
	}

	#draw(view) {
		const { line, label } = transportNamed(view.transport);

		$('detail').dataset.line = line;
		say($('detail-state'), view.state);
		say($('detail-about'), `by ${label} for ${duration(view.age_ms / 1000)}`);
		say($('detail-buffered'), octets(view.buffered));
		$('detail-close').disabled = view.state !== 'open' && view.state !== 'connecting';
		this.#spark.add(view.buffered);
		this.#spark.draw();
		const line_ = timeLine(view);
		const names = Object.keys(view).filter((name) => !APART.has(name) && name !== line_?.[0]);
		const order = Object.keys(MEMBERS);
		names.sort((a, b) => (order.indexOf(a) + 1 || 99) - (order.indexOf(b) + 1 || 99));
		for (const name of names)
			say(this.#cell(name), words(name, view[name]));
		this.#drawLine(line_?.[1]);
	}

	#cell(name) {
		let cell = this.#cells.get(name);

		if (!cell) {
			cell = element('dd');
			this.#cells.set(name, cell);
			$('detail-members').append(element('div', {}, element('dt', {}, MEMBERS[name]?.[0] ?? plain(name)), cell));
		}
		return cell;
	}

	#drawLine(events) {
		$('detail-line-box').hidden = !events;
		if (events)
			$('detail-line').replaceChildren(...events.map((e) => element('li', {}, Object.entries(e).map(([k, v]) => (typeof v === 'string' ? v : `${plain(k)} ${scalar(v)}`)).join(' · '))));
	}

	#ended() {
		this.#isOver = true;
		say($('detail-state'), 'ended');
		say($('detail-about'), '');
		$('detail-close').disabled = true;
		this.onGone();
	}

	/* ---- closing ---------------------------------------------------------------- */

	#ask() {
		say($('confirm-about'), `Session ${this.#id}, ${$('detail-about').textContent || 'as it is'}. Its client is told code and reason, and may come back.`);
		$('confirm').returnValue = '';
		$('confirm').showModal();
	}

	async #answered() {
		const id = this.#id;

		if ($('confirm').returnValue !== 'yes' || id === null)
			return;
		try {
			await command('disconnect', { session: id, code: Number($('confirm-code').value), reason: $('confirm-reason').value });
			say($('detail-trouble'), '');
		} catch (e) {
			say($('detail-trouble'), sentence(e));
		}
		if (id === this.#id)
			this.#look();
	}
}
