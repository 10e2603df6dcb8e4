/*
 * session.js - one session, looked at each second, and closed by a button.
 *
 * It shows whatever the server tells of a session: members that it knows in words of its own, any
 * other by its name.
 */
import { command, Refusal, sentence } from './commands.js';
import { Sparkline } from './sparkline.js';
import { $, brief, duration, element, milliseconds, number, octets, plain, say, transportNamed } from './words.js';

const LOOK_MS = 1000;

/* ---- what is known of it ------------------------------------------------------ */

const ago = (ms) => `${duration(ms / 1000)} ago`;
const yes = (b) => (b ? 'yes' : 'no');

/* Members in the order in which they are shown. */
const MEMBERS = {
	endpoint: ['Endpoint', String],
	transport: ['Transport', (name) => transportNamed(name).label],
	framing: ['Framing', String],
	subprotocol: ['Subprotocol', String],
	address: ['Address', String],
	user: ['User', String],
	origin: ['Origin', String],
	user_agent: ['User agent', String],
	transports: ['Has been carried by', (list) => list.map((name) => transportNamed(name).label).join(', ') || '–'],
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
	cause: ['Ended by', plain],
};
/* Shown elsewhere, */
const APART = new Set(['session', 'state', 'buffered', 'messages_in', 'bytes_in', 'messages_out', 'bytes_out', 'events']);
/* and over the whole width. */
const WIDE = new Set(['user_agent', 'origin', 'transports']);

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

/* "xhr-polling", "4500", "slow": what an event is about. */
function about(event) {
	return [event.transport ? transportNamed(event.transport).label : null, event.code, event.cause ? plain(event.cause) : null]
		.filter((part) => part !== null && part !== undefined).join(', ');
}

function eventRow(event) {
	return element('li', { title: event.at, 'data-line': event.transport ? transportNamed(event.transport).line : undefined },
		element('span', { class: 'after' }, `+${milliseconds(event.after_ms)}`), element('b', {}, plain(event.event)), element('span', { class: 'of' }, about(event)));
}

export class SessionView {
	#id = null;
	#timer = null;
	#isOver = false;
	#spark = new Sparkline($('detail-spark'));
	#cells = new Map();
	#before = null; /* the look before this one, and when that was */
	#events = '';
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
		$('detail').classList.remove('blank');
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
		this.#before = null;
		this.#events = '';
		$('detail-members').replaceChildren();
		for (const part of ['state', 'about', 'buffered', 'trouble', 'in', 'out', 'in-sub', 'out-sub'])
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
		this.#drawTraffic(view);
		const names = Object.keys(view).filter((name) => !APART.has(name));
		const order = Object.keys(MEMBERS);
		names.sort((a, b) => (order.indexOf(a) + 1 || 99) - (order.indexOf(b) + 1 || 99));
		for (const name of names)
			say(this.#cell(name), words(name, view[name]));
		this.#drawLine(view.events ?? []);
	}

	#drawTraffic(view) {
		const at = performance.now();
		const before = this.#before;

		for (const way of ['in', 'out']) {
			const n = view[`messages_${way}`];
			const seconds = before ? (at - before.at) / 1000 : 0;
			const rate = seconds > 0 ? `${brief((n - before.view[`messages_${way}`]) / seconds)}/s · ` : '';
			say($(`detail-${way}`), number(n));
			say($(`detail-${way}-sub`), `${rate}${octets(view[`bytes_${way}`])}`);
		}
		this.#before = { at, view };
	}

	#cell(name) {
		let cell = this.#cells.get(name);

		if (!cell) {
			cell = element('dd');
			this.#cells.set(name, cell);
			$('detail-members').append(element('div', { class: WIDE.has(name) ? 'whole' : undefined }, element('dt', {}, MEMBERS[name]?.[0] ?? plain(name)), cell));
		}
		return cell;
	}

	/* Anew only if something has happened. */
	#drawLine(events) {
		const known = JSON.stringify(events);

		if (known === this.#events)
			return;
		this.#events = known;
		$('detail-line-box').hidden = events.length === 0;
		$('detail-line').replaceChildren(...events.map(eventRow));
	}

	#ended() {
		this.#isOver = true;
		$('detail').classList.toggle('blank', this.#before === null);
		say($('detail-state'), 'ended');
		say($('detail-about'), this.#before ? '' : 'or never was');
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
