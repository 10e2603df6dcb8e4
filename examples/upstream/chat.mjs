/*
 * chat.mjs - a chat on plain WebSocket, with the package `ws`.
 *
 *	node chat.mjs		ws://127.0.0.1:9000/chat; PORT=n for another port
 *
 * It knows nothing of SockJS: whoever comes through the gateway is a WebSocket
 * client like any other. Messages are described in README.md; chat.py and chat.go
 * are the same program.
 */
import { WebSocketServer } from 'ws';

const SHOWN = ['x-forwarded-for', 'x-sockjs-transport', 'origin', 'sec-websocket-protocol'];
const NAME_MAX = 32;
const TEXT_MAX = 500;
const MESSAGE_MAX_BYTES = 4096;
const BEHIND_MAX_BYTES = 1 << 20; /* who reads more slowly than that is let go */

const people = new Map(); /* each socket that is open, and its name once it has joined */

const server = new WebSocketServer({
	host: '127.0.0.1', /* the gateway decides who may come, by origin; nobody else shall reach this */
	port: Number(process.env.PORT || 9000),
	path: '/chat',
	maxPayload: MESSAGE_MAX_BYTES,
	handleProtocols: (offered) => offered.has('chat') && 'chat',
});

/* --- saying ------------------------------------------------------------------- */

function tell(socket, message) {
	socket.send(JSON.stringify(message));
}

function tellAll(message) {
	const text = JSON.stringify(message);

	for (const socket of people.keys()) {
		if (socket.bufferedAmount > BEHIND_MAX_BYTES)
			socket.terminate();
		else
			socket.send(text);
	}
}

function here() {
	return [...people.values()].filter((name) => name !== null).sort();
}

/* --- being told ---------------------------------------------------------------- */

/* A text of 1 to max characters, without the blanks around it; else null. */
function textOf(value, max) {
	const text = typeof value === 'string' ? value.trim() : '';
	const length = [...text].length;

	return length >= 1 && length <= max ? text : null;
}

/* Each returns what is wrong, if anything is. */
const verbs = {
	join(socket, { name }) {
		const wanted = textOf(name, NAME_MAX);

		if (people.get(socket) !== null)
			return 'You are here already.';
		if (wanted === null)
			return `A name has 1 to ${NAME_MAX} characters.`;
		people.set(socket, wanted);
		tellAll({ type: 'joined', name: wanted, here: here() });
	},

	say(socket, { text }) {
		const said = textOf(text, TEXT_MAX);

		if (people.get(socket) === null)
			return 'Join first.';
		if (said === null)
			return `A text has 1 to ${TEXT_MAX} characters.`;
		tellAll({ type: 'said', name: people.get(socket), text: said });
	},
};

function onMessage(socket, data, isBinary) {
	let message = null;
	let wrong = 'This is not understood.';

	try {
		message = isBinary ? null : JSON.parse(data);
	} catch {
		/* is answered like everything that is no message */
	}
	if (typeof message?.type === 'string' && Object.hasOwn(verbs, message.type))
		wrong = verbs[message.type](socket, message);
	if (wrong)
		tell(socket, { type: 'error', text: wrong });
}

function onClose(socket) {
	const name = people.get(socket);

	people.delete(socket);
	if (name !== null)
		tellAll({ type: 'left', name, here: here() });
}

server.on('connection', (socket, request) => {
	const saw = {};

	for (const name of SHOWN)
		saw[name] = request.headers[name] ?? null;
	people.set(socket, null);
	socket.on('message', (data, isBinary) => onMessage(socket, data, isBinary));
	socket.on('close', () => onClose(socket));
	socket.on('error', () => {}); /* 'close' follows */
	tell(socket, { type: 'welcome', server: 'Node, ws', saw, here: here() });
});

server.on('listening', () => {
	console.log(`chat: listening on ws://127.0.0.1:${server.address().port}/chat`);
});

server.on('error', (err) => {
	console.error(`chat: ${err.message}`);
	process.exit(1);
});
