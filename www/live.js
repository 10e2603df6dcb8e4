/*
 * live.js - the live page: wires the form, the connection and the displays.
 *
 * All knowledge of SockJS is in connection.js, of transports and services in
 * transports.js.  The choices are kept in the address (#service=..&transport=..),
 * so that a page can be shared or linked to; `&connect` connects at once.
 */
import { Connection } from './connection.js';
import { FrameLog, humanBytes, humanMs } from './framelog.js';
import { Sparkline } from './sparkline.js';
import { Track } from './track.js';
import { serviceNamed, services, transportNamed, transports } from './transports.js';

const PROBE_MS = 1000;
/* There is always something new to draw: how long it lasts, or how long to wait. */
const CLOCK_MS = 250;
const BURST_BYTES = 100 * 1024;
const BURST_MOST = 200;
const UNICODE = 'Grüße · 世界 · Ελλάδα · שלום · 🚂👩‍🚀 · 𝔘 · \u0000\u0007\u001b\u007f · \u200f\u2028\ufeff\uffff · \ud800 · \udfff';

const $ = (id) => document.getElementById(id);
const main = document.querySelector('main');
const hasClient = typeof SockJS !== 'undefined';
const connection = new Connection();
const log = new FrameLog($('log'));
const spark = new Sparkline($('spark'));
const track = new Track($('rail'));

let service = services[0];
let transport = transports[0];
let burst = null;
let drawing = false;
let changing = false;

/* ---- choices ---------------------------------------------------------- */

function choice(group, value, label, note) {
	const box = document.createElement('label');
	const input = document.createElement('input');
	const text = document.createElement('span');

	input.type = 'radio';
	input.name = group;
	input.value = value;
	text.className = 'label';
	text.textContent = label;
	box.append(input, text);
	if (note) {
		const small = document.createElement('small');
		small.textContent = note;
		box.append(small);
	}
	return box;
}

function buildChoices() {
	for (const s of services)
		$('services').append(choice('service', s.name, s.label));
	for (const t of transports) {
		const box = choice('transport', t.name, t.label, t.note);
		box.dataset.line = t.line;
		box.classList.toggle('framed', Boolean(t.framed));
		$('transports').append(box);
	}
}

function readAddress() {
	const wish = new URLSearchParams(location.hash.slice(1));

	service = serviceNamed(wish.get('service'));
	transport = transportNamed(wish.get('transport'));
	document.querySelector(`[name=service][value=${service.name}]`).checked = true;
	document.querySelector(`[name=transport][value=${transport.name}]`).checked = true;
	return wish.has('connect');
}

function choose() {
	const form = new FormData($('choose'));

	service = serviceNamed(form.get('service'));
	transport = transportNamed(form.get('transport'));
	history.replaceState(null, '', `#service=${service.name}&transport=${transport.name}`);
	showChoice();
	/* Changing trains: leave this line; onState() boards the next one. */
	if (connection.state !== 'off') {
		changing = true;
		connection.disconnect();
	}
}

function showChoice() {
	const chat = service.answers === 'tagged';

	main.dataset.line = transport.line;
	$('service-hint').textContent = service.hint;
	$('message').placeholder = service.placeholder;
	$('message').inputMode = service.name === 'amplify' ? 'numeric' : 'text';
	$('name-field').hidden = !chat;
	$('probe-label').hidden = service.answers !== 'same';
	$('connect').disabled = !hasClient && transport.raw === undefined;
	/* A chat is to be heard; a stream of echoed frames is not. */
	$('log').setAttribute('aria-live', chat ? 'polite' : 'off');
}

/* ---- what the connection says ------------------------------------------ */

const STATES = {
	off: () => 'Not connected',
	connecting: () => (connection.failures ? 'Trying again' : 'Connecting'),
	open: () => 'Connected',
	waiting: () => (connection.counts.cuts ? 'Cut off' : 'No connection'),
};

function showState() {
	const { state } = connection;
	const open = state === 'open';
	const talks = open && service.answers !== null;

	main.dataset.state = state;
	$('state').textContent = STATES[state]();
	$('outage').hidden = state !== 'waiting';
	$('transport-used').textContent = open ? `by ${connection.transport}` : '';
	$('connect').textContent = state === 'off' ? 'Connect' : state === 'open' ? 'Disconnect' : 'Stop';
	main.dataset.line = transportNamed(open ? connection.transport : transport.name).line;
	for (const id of ['message', 'send'])
		$(id).disabled = !talks;
	for (const id of ['unicode', 'burst'])
		$(id).disabled = !talks || service.answers === 'next';
	if (state !== 'open') {
		endBurst('');
		spark.clear(); /* what was measured is no figure of what comes next */
	}
	redraw();
}

function onFrame({ detail: frame }) {
	track.run(frame.dir);
	if (frame.kind !== 'probe')
		log.add(frame);
	redraw();
}

function onAnswer({ detail: frame }) {
	if (frame.kind !== 'burst')
		spark.add(frame.rtt);
	else if (burst && --burst.left === 0)
		endBurst(burstReport(burst));
}

/* ---- figures: drawn at most once for each painted picture ---------------- */

function redraw() {
	if (drawing)
		return;
	drawing = true;
	requestAnimationFrame(() => {
		drawing = false;
		drawFigures();
	});
}

function drawFigures() {
	const { counts, openedAt } = connection;
	const rtt = spark.summary;

	$('sent').textContent = counts.sent;
	$('received').textContent = counts.received;
	$('bytes-sent').textContent = humanBytes(counts.bytesSent);
	$('bytes-received').textContent = humanBytes(counts.bytesReceived)
		+ (counts.mismatches ? ` · ${counts.mismatches} differ` : '');
	$('reconnects').textContent = counts.cuts === 0 ? 'no cuts' : counts.cuts === 1 ? '1 cut' : `${counts.cuts} cuts`;
	$('countdown').textContent = countdown();
	$('uptime').textContent = openedAt === null ? '–' : duration(performance.now() - openedAt);
	$('rtt').textContent = rtt ? humanMs(rtt.median) : '–';
	$('rtt-summary').textContent = rttWords(rtt);
	spark.draw();
}

/* The first failure was the cut itself. */
function countdown() {
	const { failures, nextTryAt } = connection;

	if (nextTryAt === null)
		return '';
	return `Try ${failures} in ${Math.max(Math.ceil((nextTryAt - performance.now()) / 1000), 1)} s`;
}

function rttWords(rtt) {
	if (!rtt)
		return 'no answers yet';
	if (rtt.n === 1)
		return 'one answer so far';
	return `median of ${rtt.n} · ${humanMs(rtt.min)} to ${humanMs(rtt.max)}`;
}

function duration(ms) {
	const s = Math.floor(ms / 1000);

	return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
}

/* ---- sending ------------------------------------------------------------ */

function sendText(text) {
	connection.send(text, 'text', $('name').value.trim());
}

function startBurst() {
	const n = Math.min(Math.max(Math.floor(Number($('burst-count').value)) || 1, 1), BURST_MOST);
	const filler = 'The quick brown fox jumps over the lazy dog. '.repeat(BURST_BYTES / 45 + 1);

	burst = { n, left: n, at: performance.now() };
	$('burst').disabled = true;
	$('verdict').textContent = `${n} × 100 KiB under way`;
	for (let i = 0; i < n; i++)
		connection.send(`${i + 1}/${n} ${filler}`.slice(0, BURST_BYTES), 'burst', $('name').value.trim());
}

function burstReport({ n, at }) {
	const ms = performance.now() - at;
	const rate = n * BURST_BYTES / (ms / 1000);

	return `${n} × 100 KiB came back in ${humanMs(ms)} ms, ${humanBytes(rate)}/s each way`;
}

function endBurst(verdict) {
	burst = null;
	$('verdict').textContent = verdict;
	$('burst').disabled = connection.state !== 'open' || service.answers === null || service.answers === 'next';
}

function probe() {
	/* One at a time: a slow transport is not to be flooded with questions. */
	if (connection.state === 'open' && service.answers === 'same' && $('probe').checked && connection.unanswered === 0)
		connection.send('probe', 'probe');
}

/* ---- start --------------------------------------------------------------- */

function onState() {
	showState();
	if (connection.state === 'open')
		probe();
	if (connection.state !== 'off' || !changing)
		return;
	changing = false;
	board();
}

function toggleConnection() {
	if (connection.state === 'off') {
		board();
		showTraffic();
		return;
	}
	changing = false;
	connection.disconnect();
}

/* On a phone the choices fill the screen: bring what now happens into view. */
function showTraffic() {
	const status = document.querySelector('.status');

	if (status.getBoundingClientRect().top > innerHeight / 2)
		status.scrollIntoView();
}

function board() {
	spark.clear();
	connection.connect({
		url: new URL(service.name, new URL('./', location.href)).href,
		transport: transport.name,
		raw: transport.raw,
		answers: service.answers,
		reconnect: () => $('reconnect').checked && !service.hangsUp,
	});
}

function start() {
	buildChoices();
	const atOnce = readAddress();

	$('name').value = `guest ${Math.floor(Math.random() * 900) + 100}`;
	showChoice();
	if (!hasClient)
		$('state').textContent = 'sockjs.min.js is missing here: only the raw WebSocket can be ridden';
	connection.addEventListener('state', onState);
	connection.addEventListener('frame', onFrame);
	connection.addEventListener('rtt', onAnswer);
	$('choose').addEventListener('change', choose);
	$('choose').addEventListener('submit', (e) => {
		e.preventDefault();
		toggleConnection();
	});
	$('compose').addEventListener('submit', (e) => {
		e.preventDefault();
		sendText($('message').value);
		$('message').value = '';
	});
	$('try-now').addEventListener('click', () => connection.tryNow());
	$('unicode').addEventListener('click', () => sendText(UNICODE));
	$('burst').addEventListener('click', startBurst);
	$('clear').addEventListener('click', () => log.clear());
	setInterval(probe, PROBE_MS);
	setInterval(redraw, CLOCK_MS);
	if (atOnce && !$('connect').disabled)
		toggleConnection();
}

start();
