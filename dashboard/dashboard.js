/*
 * dashboard.js - the page for operators: wires the feed, the commands and what is shown.
 *
 * Figures come by the feed each second. What only commands know (backends, addresses at a limit, one
 * session) is asked for while it can be seen.
 */
import { command, Refusal } from './commands.js';
import { Feed } from './feed.js';
import { History } from './history.js';
import { aboutServer, Overview } from './panels.js';
import { SessionView } from './session.js';
import { Sessions } from './sessions.js';
import { $, say } from './words.js';

const CLOCK_MS = 250;
const BACKENDS_MS = 2000;
const SELDOM_MS = 10000;
const NETWORKS = 12; /* the worst */

const feed = new Feed(new URL('feed', location.href.split('#')[0]).href);
const history_ = new History();
const overview = new Overview();
const sessions = new Sessions();
const session = new SessionView();

let about = null;
let endpoints = [];

/* ---- views --------------------------------------------------------------------- */

function readAddress() {
	const [name, query] = location.hash.slice(1).split('?');

	return { view: name === 'sessions' ? 'sessions' : 'overview', query: new URLSearchParams(query ?? '') };
}

function showView() {
	const { view, query } = readAddress();
	const id = Number(query.get('session'));

	document.body.dataset.view = view;
	for (const name of ['overview', 'sessions'])
		$(name).hidden = name !== view || !feed.isKnown;
	for (const a of document.querySelectorAll('.top nav a'))
		if (a.hash === `#${view}`)
			a.setAttribute('aria-current', 'page');
		else
			a.removeAttribute('aria-current');
	if (view === 'sessions' && about?.commands) {
		sessions.choose(query);
		sessions.load();
	}
	if (view === 'sessions' && about?.commands && Number.isSafeInteger(id) && id > 0)
		session.show(id);
	else
		session.leave();
	redraw();
}

function redraw() {
	if (document.body.dataset.view === 'overview' && feed.isKnown && history_.last)
		overview.show(history_, Number(document.querySelector('[name=range]:checked').value));
}

/* ---- the connection -------------------------------------------------------------- */

const STATES = {
	connecting: () => (feed.isKnown ? 'Connecting again' : 'Connecting'),
	token: () => 'Not signed in',
	certificate: () => 'Not let in',
	open: () => (history_.last?.draining ? 'Draining' : 'Live'),
	waiting: () => 'The server does not answer',
};

function showState() {
	const { state } = feed;

	document.body.dataset.state = state;
	say($('state'), STATES[state]());
	say($('about'), about && state === 'open' ? aboutServer(about) : '');
	$('retry').hidden = state !== 'waiting';
	$('login').hidden = state !== 'token';
	$('no-certificate').hidden = state !== 'certificate';
	say($('login-trouble'), state === 'token' && feed.wasRefused ? 'That is not the token of this server.' : '');
	if (state === 'token' && !$('login').contains(document.activeElement))
		$('token').focus();
}

function showCountdown() {
	if (feed.nextTryAt !== null)
		say($('countdown'), `Next try in ${Math.max(1, Math.ceil((feed.nextTryAt - performance.now()) / 1000))} s`);
}

feed.addEventListener('state', showState);
feed.addEventListener('hello', ({ detail }) => {
	about = detail;
	history_.hello(detail);
	overview.hello(detail);
	$('sessions-closed').hidden = about.commands;
	$('browse').hidden = !about.commands;
	$('limited-panel').hidden = !about.commands;
	askSeldom();
	showView();
});
feed.addEventListener('now', ({ detail }) => {
	history_.add(detail);
	sessions.showEndpoints(detail.endpoints.map(([prefix]) => prefix));
	showState();
	redraw();
});

/* ---- what only commands know ------------------------------------------------------ */

/* Nothing of it is worth a word when it fails: the feed tells whether the server is there. */
async function asked(promise, otherwise) {
	try {
		return await promise;
	} catch (e) {
		if (!(e instanceof Refusal) && e.name !== 'TimeoutError' && e.name !== 'TypeError')
			throw e;
		return otherwise;
	}
}

function mayAsk() {
	return feed.state === 'open' && about?.commands && !document.hidden;
}

async function askSeldom() {
	if (!mayAsk() && !about?.commands)
		return;
	endpoints = (await asked(command('endpoints'), { endpoints })).endpoints;
	overview.showEndpoints(endpoints);
	sessions.showEndpoints(endpoints.map((e) => e.prefix));
	overview.showNetworks(await asked(command('networks', { limit: NETWORKS }), null));
	overview.showLimited((await asked(command('limited', { limit: 20 }), { addresses: [] })).addresses);
	await askBackends();
}

async function askBackends() {
	const prefixes = endpoints.filter((e) => e.commands.includes('backends')).map((e) => e.prefix);
	const answers = await Promise.all(prefixes.map((endpoint) => asked(command('backends', { endpoint }), { backends: [] })));

	overview.showBackends(answers.flatMap((a, i) => a.backends.map((b) => ({ endpoint: prefixes[i], b }))));
}

/* ---- start -------------------------------------------------------------------------- */

function start() {
	addEventListener('hashchange', showView);
	$('range').addEventListener('change', redraw);
	$('login').addEventListener('submit', (e) => {
		e.preventDefault();
		feed.login($('token').value.trim());
		$('token').value = '';
	});
	for (const id of ['try-now', 'try-again'])
		$(id).addEventListener('click', () => feed.connect());
	$('detail-leave').addEventListener('click', () => {
		location.hash = sessions.addressOfList;
	});
	session.onGone = () => sessions.load();
	setInterval(showCountdown, CLOCK_MS);
	setInterval(() => mayAsk() && document.body.dataset.view === 'overview' && askBackends(), BACKENDS_MS);
	setInterval(() => mayAsk() && askSeldom(), SELDOM_MS);
	showView();
	feed.connect();
}

start();
