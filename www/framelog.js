/*
 * framelog.js - the list of frames as they come and go.
 *
 * Rows are collected and written once for each painted picture, so that a
 * burst of a thousand frames costs one layout; only the newest are kept.
 */
const KEEP = 400;
const SHOWN_CHARS = 200;
const BULK_CHARS = 4096;
const SHOWN_OF_BULK = 60;

const TYPES = { o: 'open', a: 'message', m: 'message', h: 'heartbeat', c: 'close' };

/* Makes visible what has no picture: control characters, lone surrogates, joiners, marks of direction. */
export function visible(text) {
	return text.replace(
		/[\u0000-\u001f\u007f-\u009f\u200b-\u200c\u200e-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff0-\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
		(c) => (c < ' ' ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

export function humanBytes(n) {
	if (n < 1024)
		return `${n} B`;
	if (n < 1024 * 1024)
		return `${(n / 1024).toFixed(n < 10240 ? 1 : 0)} KiB`;
	return `${(n / 1048576).toFixed(1)} MiB`;
}

export function humanMs(ms) {
	return ms < 10 ? ms.toFixed(1) : Math.round(ms).toString();
}

export function clock(time) {
	const two = (n) => String(n).padStart(2, '0');

	return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

export function cell(className, text) {
	const span = document.createElement('span');

	span.className = className;
	span.textContent = text;
	return span;
}

/* Cut by UTF-16 unit, but never through a pair. */
export function shorten(text, limit = text.length > BULK_CHARS ? SHOWN_OF_BULK : SHOWN_CHARS) {
	if (text.length <= limit)
		return text;
	const end = /[\ud800-\udbff]/.test(text[limit - 1]) ? limit - 1 : limit;

	return `${text.slice(0, end)}…`;
}

function meta(frame) {
	const parts = [];

	if (frame.size)
		parts.push(humanBytes(frame.size));
	if (frame.rtt !== undefined)
		parts.push(`${humanMs(frame.rtt)} ms`);
	if (frame.identical === false)
		parts.push('differs!');
	return parts.join(' · ');
}

function row(frame) {
	const li = document.createElement('li');
	const body = cell('body', '');

	li.dataset.dir = frame.dir;
	li.dataset.type = frame.type;
	li.classList.toggle('own', Boolean(frame.own) || frame.dir === 'out');
	li.classList.toggle('bad', frame.identical === false);
	li.append(cell('time', clock(frame.time)));
	const arrow = cell('arrow', frame.dir === 'out' ? '→' : '←');
	arrow.setAttribute('aria-label', frame.dir === 'out' ? 'sent' : 'received');
	arrow.setAttribute('role', 'img');
	li.append(arrow);
	const type = cell('type', frame.type);
	type.title = TYPES[frame.type];
	li.append(type);
	if (frame.from)
		body.append(cell('from', frame.from));
	body.append(cell('text', visible(shorten(frame.text))));
	li.append(body, cell('meta', meta(frame)));
	return li;
}

export class FrameLog {
	#list;
	#makeRow;
	#waiting = [];
	#scheduled = false;

	constructor(list, makeRow = row) {
		this.#list = list;
		this.#makeRow = makeRow;
	}

	add(frame) {
		this.#waiting.push(frame);
		if (this.#waiting.length > KEEP)
			this.#waiting.shift();
		if (this.#scheduled)
			return;
		this.#scheduled = true;
		requestAnimationFrame(() => this.#write());
	}

	clear() {
		this.#waiting = [];
		this.#list.replaceChildren();
	}

	#write() {
		const box = this.#list;
		const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;

		this.#scheduled = false;
		box.append(...this.#waiting.map(this.#makeRow));
		this.#waiting = [];
		while (box.childElementCount > KEEP)
			box.firstElementChild.remove();
		if (atEnd)
			box.scrollTop = box.scrollHeight;
	}
}
