/*
 * doctor.js - the page of the doctor: wires the buttons, the examination and what is shown of it.
 *
 * What is measured is in doctor_facts.js and those it calls; what it means in doctor_diagnosis.js.
 * `#examine` in the address begins at once.
 */
import { bestTransport, diagnose } from './doctor_diagnosis.js';
import { Examination } from './doctor_facts.js';
import { beSilent, LONG, SHORT } from './doctor_idle.js';
import { Line } from './doctor_line.js';
import { drawScale, drawSilences, drawTrip, scaleFor } from './doctor_picture.js';
import { makeReport } from './doctor_report.js';
import { showMeasures, showSeen } from './doctor_show.js';
import { patience, trials } from './doctor_trial.js';
import { humanMs } from './framelog.js';

const TICK_MS = 250;

const $ = (id) => document.getElementById(id);
const main = $('doctor');
/* `?at=/prefix` examines another endpoint. */
const base = new URL(new URLSearchParams(location.search).get('at') ?? 'doctor', new URL('./', location.href)).href;

let facts = null;
let diagnosis = null;
let drawing = false;

/* ---- trips --------------------------------------------------------------------------- */

const STATES = { untried: 'waits', running: 'under way', works: 'works', slow: 'slow', failed: 'fails' };

function figure(trial) {
	if (!trial.opened)
		return trial.words;
	const echo = trial.echoMs === null || trial.state === 'failed' ? trial.words : `${trial.words ? `${trial.words} · ` : ''}echo ${humanMs(trial.echoMs)} ms`;

	return `open after ${humanMs(trial.openMs)} ms${echo ? ` · ${echo}` : ''}`;
}

function tripRow(kind) {
	const li = document.createElement('li');

	li.dataset.line = kind.line;
	li.dataset.state = 'untried';
	li.innerHTML = '<div class="who"><b></b> <span class="state"></span><small></small></div><svg class="trip" aria-hidden="true"></svg>';
	li.querySelector('b').textContent = kind.label;
	li.querySelector('.state').textContent = STATES.untried;
	return li;
}

function showTrip(i, scale) {
	const trial = facts.transports[i];
	const li = $('trips').children[i];

	li.dataset.state = trial.state;
	li.querySelector('.state').textContent = STATES[trial.state];
	li.querySelector('small').textContent = figure(trial);
	drawTrip(li.querySelector('svg'), trial, scale);
}

function drawTrips() {
	const scale = scaleFor(facts.transports);

	trials.forEach((_, i) => showTrip(i, scale));
	drawScale($('scale'), scale);
}

/* At most once for each painted picture. */
function redraw() {
	if (drawing)
		return;
	drawing = true;
	requestAnimationFrame(() => {
		drawing = false;
		drawTrips();
	});
}

/* ---- verdict ------------------------------------------------------------------------- */

/* What stands in ‹...› is to be typed as it is. */
function write(place, text) {
	const parts = text.split(/[‹›]/).map((part, i) => {
		const code = document.createElement(i % 2 ? 'code' : 'span');

		code.textContent = part;
		return code;
	});

	place.replaceChildren(...parts);
}

function otherRow(finding) {
	const li = document.createElement('li');
	const title = document.createElement('b');
	const words = document.createElement('span');

	li.dataset.severity = finding.severity;
	title.textContent = finding.headline;
	write(words, finding.administrator);
	li.append(title, words);
	return li;
}

function showVerdict() {
	const [first, ...others] = diagnosis.findings;

	main.dataset.severity = first.severity;
	main.dataset.cause = diagnosis.cause;
	main.dataset.causes = diagnosis.causes.join(' ');
	$('headline').textContent = first.headline;
	$('for-visitor').textContent = first.visitor;
	write($('for-administrator'), first.administrator);
	$('others').replaceChildren(...others.map(otherRow));
	$('others').hidden = others.length === 0;
	$('advice').hidden = false;
	$('lead').hidden = true;
	$('report').textContent = JSON.stringify(makeReport(facts, diagnosis), null, 2);
}

function judgeAgain() {
	diagnosis = diagnose(facts);
	showVerdict();
}

function setState(state) {
	main.dataset.state = state;
	$('examine').disabled = $('quiet').disabled = $('quiet-long').disabled = $('tell').disabled = state !== 'done';
	$('examine').disabled = state === 'running' || state === 'quiet';
}

function begin() {
	setState('running');
	main.dataset.severity = 'none';
	delete main.dataset.cause;
	$('headline').textContent = 'Examining the way to the gateway';
	for (const id of ['lead', 'before', 'advice', 'others', 'quiet-card', 'seen-card', 'tell-card', 'stream-card', 'silences'])
		$(id).hidden = true;
	$('told').textContent = $('quiet-doing').textContent = '';
	$('trips').replaceChildren(...trials.map(tripRow));
	$('trips-card').hidden = false;
}

function finish() {
	$('doing').textContent = '';
	$('examine').textContent = 'Examine again';
	$('quiet-card').hidden = !connectsBy();
	$('tell-card').hidden = !bestTransport(facts);
	showMeasures(facts);
	showSeen(facts);
	judgeAgain();
	setState('done');
	drawTrips();
}

async function examine() {
	const examination = new Examination(base);

	facts = examination.facts;
	begin();
	examination.addEventListener('doing', (e) => { $('doing').textContent = e.detail; });
	examination.addEventListener('trial', redraw);
	redraw();
	await examination.run();
	finish();
}

/* ---- silence --------------------------------------------------------------------------- */

/* By what a visitor is connected, in the words of doctor_idle.js. */
function connectsBy() {
	if (facts.socket.state === 'works')
		return 'socket';
	if (facts.post.state !== 'ok')
		return null;
	return facts.stream.state === 'flows' ? 'xhr_streaming' : 'xhr';
}

function silenceWords(idle) {
	if (!idle)
		return '';
	return idle.cutMs ? '' : `Well: ${idle.survivedMs / 1000} s of silence were survived.`;
}

async function listen(steps) {
	const by = connectsBy();
	const chosen = (by === 'socket' ? steps : steps.slice(-4)).map((ms) => ({ ms, state: 'running', afterMs: 0 }));
	const began = performance.now();
	const draw = () => drawSilences($('silences'), chosen, performance.now() - began);
	const tick = setInterval(draw, TICK_MS);

	setState('quiet');
	$('silences').removeAttribute('hidden');
	$('quiet-doing').textContent = `Silence, by ${{ socket: 'WebSocket', xhr_streaming: 'a stream', xhr: 'polling' }[by]}`;
	draw();
	const { idle, age } = await beSilent(base, by, steps, facts.roundTripMs, (result) => {
		Object.assign(chosen.find((s) => s.ms === result.ms), { state: result.survived ? 'survived' : result.noticed ? 'cut' : 'lost', afterMs: result.afterMs });
		draw();
	});

	clearInterval(tick);
	Object.assign(facts, { idle, age });
	$('quiet-doing').textContent = silenceWords(idle);
	judgeAgain();
	setState('done');
}

/* ---- telling ------------------------------------------------------------------------------- */

async function tell() {
	const name = bestTransport(facts);
	const wait = patience(facts.roundTripMs);

	$('tell').disabled = true;
	const line = new Line(new SockJS(base, null, { transports: name === 'raw-websocket' ? undefined : [name], timeout: wait }));

	await line.until(() => line.openMs !== null || line.closed, wait);
	const answer = line.isOpen ? await line.ask({ do: 'report', report: makeReport(facts, diagnosis) }, wait) : null;

	line.close();
	$('told').textContent = answer?.kept ? `Sent, as what was found from ${answer.network}.` : `It could not be sent${answer?.message ? `: ${answer.message}` : ''}.`;
	$('tell').disabled = Boolean(answer?.kept);
}

/* ---- start ----------------------------------------------------------------------------------- */

function start() {
	if (typeof SockJS === 'undefined') {
		$('lead').textContent = 'sockjs.min.js is missing here, and without it there is nothing to try.';
		$('examine').disabled = true;
		return;
	}
	$('examine').addEventListener('click', examine);
	$('quiet').addEventListener('click', () => listen(SHORT));
	$('quiet-long').addEventListener('click', () => listen([...SHORT, ...LONG]));
	$('tell').addEventListener('click', tell);
	addEventListener('resize', () => facts && redraw());
	if (location.hash === '#examine')
		examine();
}

start();
