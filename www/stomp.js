/*
 * stomp.js - the page of STOMP: two users, side by side.
 *
 * Each is a panel of its own (stompuser.js) that knows of the other where to send to.
 * The lines that they take are kept in the address (#one=websocket&two=xhr-polling), so
 * that a page can be shared or linked to; `&connect` connects both at once.
 */
import { UserPanel } from './stompuser.js';

const CHAT = '/topic/chat';
const OWN_NOTES = '/user/queue/notes';

const wish = new URLSearchParams(location.hash.slice(1));
const users = [
	{ id: 'one', name: 'Ada', transport: 'raw-prefix', subscriptions: [CHAT, OWN_NOTES] },
	{ id: 'two', name: 'Bob', transport: 'xhr-streaming', subscriptions: ['/topic/**', OWN_NOTES] },
];
const panels = users.map((user) => new UserPanel({ ...user, transport: wish.get(user.id) ?? user.transport }));
const both = document.getElementById('both');

function showBoth() {
	const idle = panels.filter((panel) => panel.state === 'off');

	both.textContent = idle.length ? 'Connect both' : 'Disconnect both';
	both.disabled = panels.every((panel) => !panel.works);
}

function toggleBoth() {
	const idle = panels.filter((panel) => panel.state === 'off');

	for (const panel of idle.length ? idle : panels)
		panel.toggle();
}

function keepChoice() {
	history.replaceState(null, '', `#${panels.map((panel) => `${panel.id}=${panel.transport}`).join('&')}`);
}

panels.forEach((panel, i) => {
	panel.meet(panels[1 - i]);
	panel.addEventListener('state', showBoth);
	panel.addEventListener('choice', keepChoice);
	document.getElementById('users').append(panel.element);
});
both.addEventListener('click', toggleBoth);
showBoth();
if (wish.has('connect'))
	toggleBoth();
