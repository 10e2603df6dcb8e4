/*
 * doctor_show.js - figures, and what the server saw, as lists of the page.
 */
import { compareHeaders, describeRequest } from './doctor_seen.js';
import { humanBytes, humanMs, visible } from './framelog.js';

const $ = (id) => document.getElementById(id);
/* Headers that are not worth a look stand behind a button. */
const WHATS = { lost: 'lost on the way', changed: 'changed on the way', added: 'added on the way', same: '' };

function pair(term, value, remark) {
	const div = document.createElement('div');
	const dt = document.createElement('dt');
	const dd = document.createElement('dd');
	const small = document.createElement('small');

	dt.textContent = term;
	dd.textContent = value;
	small.textContent = remark;
	dd.append(small);
	div.append(dt, dd);
	return div;
}

/* ---- figures ------------------------------------------------------------------------- */

const SOCKET = {
	works: ['works', (s) => `open after ${humanMs(s.openMs)} ms, ${s.answered} of ${s.sent} echoes`],
	refused: ['refused', () => 'the handshake fails at once'],
	hangs: ['hangs', () => 'the handshake has no answer'],
	silent: ['silent', () => 'it opens, and no frame comes'],
	one_way: ['one way', (s) => `${s.greeted} messages came, ${s.answered} of ${s.sent} echoes`],
	black: ['goes dark', (s) => `after ${s.greeted + s.answered} messages`],
	cut: ['cut', (s) => `after ${s.greeted + s.answered} messages`],
	off: ['not offered', () => 'the gateway has it switched off'],
	untried: ['untried', () => ''],
};

function streamWords({ state, held, heldBytes, firstMs, lateMs }) {
	if (state === 'flows')
		return ['flows', `first octets after ${humanMs(firstMs)} ms, answers ${humanMs(lateMs)} ms late`];
	if (state === 'untried')
		return ['untried', 'nothing could be sent'];
	if (held === 'octets')
		return ['held', `until about ${humanBytes(heldBytes)} have come`];
	return held === 'end' ? ['held', 'until the response ends'] : ['broken', 'nothing came at all'];
}

const POSTS = {
	ok: ['arrive', ''], refused: ['refused', ''], hangs: ['hang', 'no answer'], origin: ['refused', 'the page is taken for a foreign one'], untried: ['untried', ''],
};

export function showMeasures(facts) {
	const { socket, stream, post } = facts;
	const [sends, why] = POSTS[post.state];

	$('measures').replaceChildren(
		pair('Round trip', facts.roundTripMs ? `${humanMs(facts.roundTripMs)} ms` : '–', 'of a small request'),
		pair('WebSocket', SOCKET[socket.state][0], SOCKET[socket.state][1](socket)),
		pair('Streams', ...streamWords(stream)),
		pair('What you send', sends, why || (post.status ? `answered with ${post.status}` : '')));
	$('stream-card').hidden = false;
}

/* ---- what the server saw ------------------------------------------------------------------ */

function headerRow({ name, value, what, sent }) {
	const tr = document.createElement('tr');
	const th = document.createElement('th');
	const td = document.createElement('td');
	const code = document.createElement('code');
	const tag = document.createElement('small');

	tr.className = what;
	th.scope = 'row';
	th.textContent = name;
	code.textContent = visible(what === 'lost' ? sent || 'missing' : value);
	tag.textContent = what === 'changed' ? `${WHATS.changed}; sent was ${visible(sent)}` : WHATS[what];
	td.append(code, tag);
	tr.append(th, td);
	return tr;
}

function headline(rows, seen) {
	const count = (what) => rows.filter((r) => r.what === what).length;
	const parts = ['lost', 'changed', 'added'].filter(count).map((what) => `${count(what)} ${what}`);
	const more = seen.more_headers ? ` (and ${seen.more_headers} more headers than are shown)` : '';

	return `${parts.length ? `Of the headers ${parts.join(', ')} on the way` : 'Nothing was lost, changed or added that would show'}: the request by which ${seen.transport.replace('_', '-')} has opened, as it arrived${more}.`;
}

function showAll(button, rows) {
	const quiet = rows.filter((r) => r.what === 'same').length;
	const open = button.getAttribute('aria-expanded') === 'true';

	$('headers').classList.toggle('all', open);
	button.hidden = quiet === 0;
	button.textContent = open ? 'Hide the others' : `Show ${quiet === rows.length ? 'all' : 'the other'} ${quiet} headers`;
}

export function showSeen({ seen }) {
	const page = { host: location.host, origin: location.origin, scheme: location.protocol.slice(0, -1), agent: navigator.userAgent };
	const button = $('more-headers');

	$('seen-card').hidden = !seen?.headers;
	if (!seen?.headers)
		return;
	const rows = compareHeaders(seen, page);

	$('seen-words').textContent = headline(rows, seen);
	$('request').replaceChildren(...describeRequest(seen, page).map((r) => pair(...r)));
	$('headers').tBodies[0].replaceChildren(...rows.map(headerRow));
	button.onclick = () => {
		button.setAttribute('aria-expanded', String(button.getAttribute('aria-expanded') !== 'true'));
		showAll(button, rows);
	};
	showAll(button, rows);
}
