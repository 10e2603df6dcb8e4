/*
 * stomplog.js - the list of STOMP frames: what a row of it looks like.
 *
 * A frame has its command, where to, body and headers, each cut if it is long; a frame
 * that asked for a receipt tells when it has come.  Heart-beats that follow each other
 * are one row with a tick for each, since they come as long as the connection lasts.
 */
import { cell, clock, FrameLog, humanBytes, humanMs, shorten, visible } from './framelog.js';
import { header } from './stompframes.js';

const SHOWN_OF_HEADER = 72;
const HEADERS_SHOWN = 16;
const TICKS_IN_ROW = 48;
/* Told apart from the rest, in front. */
const SHOWN_BEFORE = new Set(['destination', 'from', 'message', 'code']);
const SECRET = 'passcode';

function cut(text) {
	return text.length > SHOWN_OF_HEADER ? shorten(text, SHOWN_OF_HEADER) : text;
}

function headersOf(frame) {
	const rest = frame.headers.filter(([name]) => !SHOWN_BEFORE.has(name));
	const more = rest.length > HEADERS_SHOWN ? [`and ${rest.length - HEADERS_SHOWN} more`] : [];

	return [...rest.slice(0, HEADERS_SHOWN).map(([name, value]) => visible(cut(`${name}:${name === SECRET ? '…' : value}`))), ...more];
}

/* What the frame is about: where it goes, what is wrong, what it answers. */
function subjectOf(frame) {
	const { command, answers } = frame;

	if (command === 'ERROR')
		return `${header(frame, 'code') ?? ''} ${header(frame, 'message') ?? ''}`;
	if (command === 'RECEIPT' && answers)
		return `of ${answers.command}`;
	return header(frame, 'destination') ?? '';
}

function metaOf(frame) {
	const { answers, answeredAfter } = frame;

	if (answeredAfter !== undefined)
		return `✓ ${humanMs(answeredAfter)} ms`;
	if (frame.command === 'RECEIPT' && answers)
		return `${humanMs(answers.answeredAfter)} ms`;
	return frame.size ? humanBytes(frame.size) : '';
}

function saidIn(frame) {
	const said = cell('said', '');
	const from = frame.headers && header(frame, 'from');

	if (from)
		said.append(cell('from', visible(cut(from))));
	said.append(cell('text', visible(shorten(frame.body ?? frame.text))));
	return said;
}

function bodyOf(frame) {
	const body = cell('body', '');

	if (frame.command)
		body.append(cell('command', frame.command), ' ', cell('subject', visible(cut(subjectOf(frame)))), ' ');
	body.append(saidIn(frame));
	if (frame.headers?.length) {
		const headers = cell('headers', '');

		headers.append(...headersOf(frame).map((text) => cell('header', text)));
		body.append(headers);
	}
	return body;
}

function arrowOf(frame) {
	const arrow = cell('arrow', frame.dir === 'out' ? '→' : '←');

	arrow.setAttribute('role', 'img');
	arrow.setAttribute('aria-label', frame.dir === 'out' ? 'sent' : 'received');
	return arrow;
}

function frameRow(frame) {
	const li = document.createElement('li');

	li.dataset.dir = frame.dir;
	li.dataset.command = frame.closed ? 'closed' : frame.command;
	li.append(arrowOf(frame), bodyOf(frame), cell('time', clock(frame.time)), cell('meta', metaOf(frame)));
	li.classList.toggle('answered', frame.answeredAfter !== undefined);
	frame.row = li;
	return li;
}

/* ---- heart-beats ------------------------------------------------------ */

function tick(dir) {
	const i = document.createElement('i');

	i.className = dir;
	return i;
}

function beatWords({ dirs }) {
	const sent = dirs.filter((dir) => dir === 'out').length;

	return `→ ${sent} ← ${dirs.length - sent}`;
}

function beatsRow(beats) {
	const li = document.createElement('li');
	const ticks = cell('ticks', '');
	const body = cell('body', '');

	li.dataset.command = 'beats';
	ticks.setAttribute('aria-hidden', 'true');
	ticks.append(...beats.dirs.map(tick));
	body.append(cell('command', 'heart-beats'), ticks);
	li.append(cell('arrow', '♥'), body, cell('time', clock(beats.time)), cell('meta', beatWords(beats)));
	beats.row = li;
	return li;
}

function updateBeats(beats, dir) {
	beats.row.querySelector('.ticks').append(tick(dir));
	beats.row.querySelector('.time').textContent = clock(beats.time);
	beats.row.querySelector('.meta').textContent = beatWords(beats);
}

export class StompLog {
	#log;
	/* The row that further heart-beats go into; null behind another frame. */
	#beats = null;

	constructor(list) {
		this.#log = new FrameLog(list, (entry) => (entry.dirs ? beatsRow(entry) : frameRow(entry)));
	}

	add(frame) {
		if (frame.beat) {
			this.#beat(frame);
			return;
		}
		this.#beats = null;
		this.#log.add(frame);
	}

	/* The receipt of this one has come. */
	answered(frame) {
		if (!frame.row)
			return; /* not painted yet: it will be with it */
		frame.row.querySelector('.meta').textContent = metaOf(frame);
		frame.row.classList.add('answered');
	}

	clear() {
		this.#beats = null;
		this.#log.clear();
	}

	#beat({ dir, time }) {
		if (!this.#beats || this.#beats.dirs.length >= TICKS_IN_ROW) {
			this.#beats = { dirs: [dir], time };
			this.#log.add(this.#beats);
			return;
		}
		this.#beats.dirs.push(dir);
		this.#beats.time = time;
		if (this.#beats.row)
			updateBeats(this.#beats, dir);
	}
}
