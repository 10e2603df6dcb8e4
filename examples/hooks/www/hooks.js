/*
 * hooks.js - the page: STOMP for the rooms and the news, plain SockJS for the dice, on two connections.
 *
 * Who may come, what is said in the end and which rooms there are: the backend has decided it.
 */
const ROWS_MAX = 500;
const KEPT = new Set(['4630', '4631', '4632']); /* a frame was refused, and the connection stays */

const $ = (id) => document.getElementById(id);
let client = null; /* of STOMP */
let dice = null;
let room = null; /* its name, and its subscription while there is one */

/* --- showing ------------------------------------------------------------------------ */

function element(name, text = '', className = '') {
	const e = document.createElement(name);

	e.textContent = text;
	e.className = className;
	return e;
}

function addRow(log, text, className = '', from = '') {
	const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40, row = element('li', '', className);

	row.append(...(from ? [element('b', from)] : []), text);
	log.append(row);
	while (log.childElementCount > ROWS_MAX)
		log.firstElementChild.remove();
	if (isAtEnd)
		log.scrollTop = log.scrollHeight;
}

function showState(state, text) {
	const isOpen = state === 'open', isFree = state === 'off' || state === 'refused';

	document.body.dataset.state = state;
	$('status').textContent = text;
	$('toggle').textContent = isFree ? 'Enter' : 'Leave';
	for (const control of document.querySelectorAll('#change *, #say *'))
		control.disabled = !isOpen;
	$('roll').disabled = $('quit').disabled = !isOpen;
}

function open(path) {
	const transport = $('transport').value;

	return new SockJS(path, null, transport ? { transports: [transport] } : {});
}

/* --- rooms: what the backend does about STOMP ---------------------------------------- */

/* The answer is the one message of this subscription, which is over with it. */
function askForRooms(answer) {
	client.subscribe('/app/rooms', ({ body }) => answer(JSON.parse(body).rooms));
}

function showRooms(rooms) {
	const labels = rooms.map(({ name }) => {
		const label = element('label'), radio = element('input');

		Object.assign(radio, { type: 'radio', name: 'room', value: name, checked: name === room?.name });
		radio.addEventListener('change', () => enterRoom(name));
		label.append(radio, element('span', name));
		return label;
	});

	$('rooms').replaceChildren($('rooms').firstElementChild, ...labels);
}

function enterRoom(name) {
	room?.subscription?.unsubscribe();
	if (name !== room?.name)
		$('said').replaceChildren();
	room = { name, subscription: client.subscribe(`/topic/rooms/${name}`, showSaid) };
	askForRooms((rooms) => {
		showRooms(rooms);
		$('topic').value = rooms.find((r) => r.name === name)?.topic ?? '';
	});
}

function showSaid({ headers: { from, kind }, body }) {
	if (kind === 'topic') {
		$('topic').value = body;
		addRow($('said'), `${from} has set the topic: ${body}`, 'note');
	} else
		addRow($('said'), body, '', from);
}

/* The body is the reason of the backend, if it was the backend's no. */
function showError({ headers: { code, message }, body }) {
	const text = `${body || message} (${code})`;

	if (KEPT.has(code))
		return addRow($('said'), text, 'wrong');
	client.deactivate(); /* it would come back with the same name for ever */
	showState('refused', text);
}

function enter() {
	let socket;

	client = new StompJs.Client({
		webSocketFactory: () => (socket = open('/stomp')),
		connectHeaders: { login: $('name').value },
		reconnectDelay: 1000,
		beforeConnect: () => showState('connecting', 'Connecting …'),
		onConnect: ({ headers }) => {
			showState('open', `${headers['user-name']}, connected by ${socket.transport}.`);
			client.subscribe('/topic/news', ({ body }) => addRow($('news'), body));
			client.subscribe('/user/queue/replies', ({ body }) => addRow($('said'), body, 'note'));
			if (room)
				enterRoom(room.name);
			else
				askForRooms((rooms) => enterRoom(rooms[0].name));
		},
		onStompError: showError,
		onWebSocketClose: () => {
			if (room)
				room.subscription = null;
			if (client.active)
				showState('connecting', 'Not connected; trying again …');
		},
	});
	client.activate();
}

function leave() {
	client.deactivate();
	dice?.close();
	showState('off', 'Not connected.');
}

/* --- dice: a session of the application hooks ------------------------------------------ */

function sitDown() {
	dice = open(`/dice?name=${encodeURIComponent($('name').value)}`);
	dice.onopen = () => dice.send('roll');
	dice.onmessage = ({ data }) => addRow($('rolls'), data);
	dice.onclose = ({ code, reason }) => {
		dice = null;
		addRow($('rolls'), `Closed: ${code}${reason ? `, ${reason}` : ''}`, 'note');
	};
}

$('roll').addEventListener('click', () => {
	if (dice)
		dice.send('roll');
	else
		sitDown();
});

$('quit').addEventListener('click', () => dice?.send('quit'));

/* --- forms ------------------------------------------------------------------------------- */

$('login').addEventListener('submit', (event) => {
	event.preventDefault();
	if (client?.active)
		leave();
	else
		enter();
});

$('say').addEventListener('submit', (event) => {
	event.preventDefault();
	client.publish({ destination: `/topic/rooms/${room.name}`, body: $('text').value });
	$('text').value = '';
});

$('change').addEventListener('submit', (event) => {
	event.preventDefault();
	client.publish({ destination: `/app/rooms/${room.name}/topic`, body: $('topic').value });
});

$('name').value = decodeURIComponent(location.hash.slice(1));
if (!window.SockJS || !window.StompJs)
	showState('refused', 'This page needs /sockjs.min.js and /stomp.umd.min.js, and they are not there.');
