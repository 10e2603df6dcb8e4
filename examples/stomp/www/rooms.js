/*
 * rooms.js - the page: who logs in, which room is shown, and what line.js hears of it.
 *
 * #bob in the address fills in the name and the passcode of the demonstration.
 */
import { Line } from './line.js';

const ROOMS = ['tea', 'coffee', 'attic'];
const CUT_MS = 10000;
const ROWS_MAX = 500; /* of a room */

const $ = (id) => document.getElementById(id);
const rooms = new Map();
let current = null;
let line = null;
let login = null;
let countdown = null;

function element(name, text = '', className = '') {
	const e = document.createElement(name);

	e.textContent = text;
	e.className = className;
	return e;
}

/* --- what is said in a room ---------------------------------------------------- */

function addRow(room, row) {
	const { log } = room, isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;

	log.append(row);
	while (log.childElementCount > ROWS_MAX)
		log.firstElementChild.remove();
	if (isAtEnd || row.matches('.mine'))
		log.scrollTop = log.scrollHeight;
}

function showMessage(room, { from, text, isOld }) {
	const row = element('li', '', [from === login ? 'mine' : '', isOld && room.isReturn ? 'missed' : ''].join(' ').trim());

	row.append(element('b', from), text);
	addRow(room, row);
}

const messages = (count) => `${count} message${count === 1 ? '' : 's'}`;

/* The sentence above what was kept, and whether there is a hole before it. */
function summary({ count, isReturn, isWhole }) {
	if (!isReturn)
		return [count ? `The last ${count === 1 ? 'message' : messages(count)}` : 'Nothing was said here lately', false];
	if (isWhole)
		return [count ? `${messages(count)} while you were away` : 'You have missed nothing', false];
	return [`Some may be missing here${count ? `; ${messages(count)} could be kept` : ''}`, true];
}

function addHeading(room) {
	room.heading = element('li', 'Looking …', 'note');
	room.isReturn = Boolean(room.lastId);
	addRow(room, room.heading);
}

function fillHeading(room, caughtUp) {
	const [text, hasHole] = summary(caughtUp);

	room.heading.replaceChildren(element('span', text));
	room.heading.classList.toggle('hole', hasHole);
}

/* --- rooms ----------------------------------------------------------------------- */

function makeRoom(name) {
	const log = element('ol', '', 'log'), label = element('label'), radio = element('input');

	log.tabIndex = 0;
	log.setAttribute('role', 'log');
	log.setAttribute('aria-labelledby', 'said-title');
	log.hidden = true;
	$('logs').append(log);
	Object.assign(radio, { type: 'radio', name: 'room', value: name });
	radio.addEventListener('change', () => show(rooms.get(name)));
	label.append(radio, element('span', name));
	$('rooms').append(label);
	rooms.set(name, { name, log, radio, lastId: null });
}

function show(room) {
	if (current)
		current.log.hidden = true;
	current = room;
	room.log.hidden = false;
	room.radio.checked = true;
	showNames(room, []);
	line?.enter(room);
}

function showNames(room, names) {
	if (room !== current)
		return;
	const rows = names.map((name) => element('li', name === login ? `${name} (you)` : name));

	$('here').replaceChildren(...(rows.length ? rows : [element('li', '–', 'nobody')]));
}

/* --- the line -------------------------------------------------------------------- */

function showState(state, text) {
	const isOpen = state === 'open', isFree = state === 'off' || state === 'refused';

	clearInterval(countdown);
	if (isFree)
		line = null;
	document.body.dataset.state = state;
	$('status').textContent = text;
	$('text').disabled = $('send').disabled = !isOpen;
	$('cut').disabled = !isOpen && state !== 'cut';
	$('cut').textContent = `Cut it for ${CUT_MS / 1000} seconds`;
	$('toggle').textContent = isFree ? 'Connect' : 'Leave';
	if (state === 'cut')
		countDown();
}

/* Not in the status, or it would be read aloud every second. */
function countDown() {
	const end = Date.now() + CUT_MS;
	const tick = () => { $('cut').textContent = `Come back now (${Math.ceil((end - Date.now()) / 1000)} s)`; };

	tick();
	countdown = setInterval(tick, 1000);
}

const listener = {
	state: showState,
	entering: addHeading,
	entered: fillHeading,
	said: showMessage,
	here: showNames,
};

$('login').addEventListener('submit', (event) => {
	event.preventDefault();
	if (line)
		return line.end();
	login = $('name').value;
	line = new Line({ login, passcode: $('passcode').value, transport: $('transport').value, room: current }, listener);
});

$('say').addEventListener('submit', (event) => {
	event.preventDefault();
	line.say($('text').value);
	$('text').value = '';
});

$('cut').addEventListener('click', () => {
	if (document.body.dataset.state === 'cut')
		line.comeBack();
	else
		line.cut(CUT_MS);
});

ROOMS.forEach(makeRoom);
show(rooms.get(ROOMS[0]));
if (location.hash.length > 1) {
	$('name').value = decodeURIComponent(location.hash.slice(1));
	$('passcode').value = `${$('name').value}-demo`;
}
if (!window.SockJS || !window.StompJs)
	showState('refused', 'This page needs /sockjs.min.js and /stomp.umd.min.js, and they are not there.');
