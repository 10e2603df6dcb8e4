/*
 * line.js - one user's line to the broker: STOMP over SockJS, in one room at a time.
 *
 * All that is said to the gateway is said here; what is heard goes to the listener:
 *
 *	state(state, text)		off, connecting, open, cut, lost (and tried again), refused
 *	entering(room)			what the gateway has kept of the room follows,
 *	entered(room, caughtUp)		up to here: { count, isReturn, isWhole }
 *	said(room, { from, text, isOld })
 *	here(room, names)
 */
const EVERYTHING = '0'; /* no message has this id: so nothing is recovered, and all that is kept comes */
const COME_BACK_MS = 1000;
/* Errors that another attempt may find gone; of all others a person has to know first. */
const PASSING = new Set(['4611', '4641', '4642', '4643']);

export class Line {
	#client;
	#listener;
	#login;
	#room;
	#subscriptions = [];
	#isOff = false; /* because it was cut or ended here */
	#timer = null;
	#refusal = null;

	constructor({ login, passcode, transport, room }, listener) {
		let socket;

		this.#login = login;
		this.#room = room;
		this.#listener = listener;
		this.#client = new StompJs.Client({
			webSocketFactory: () => (socket = new SockJS('/stomp', null, transport ? { transports: [transport] } : {})),
			/* With a client-id the broker knows who comes back before it knows that he has gone. */
			connectHeaders: { login, passcode, 'client-id': crypto.randomUUID() },
			reconnectDelay: COME_BACK_MS,
			beforeConnect: () => listener.state('connecting', 'Connecting …'),
			onConnect: () => {
				listener.state('open', `${login}, connected by ${socket.transport}.`);
				this.#subscribe();
			},
			onStompError: (frame) => this.#refused(frame),
			onWebSocketClose: (event) => this.#closed(event),
		});
		this.#client.activate();
	}

	/* `room` has a name; by the lastId that is put into it one comes back later. */
	enter(room) {
		for (const subscription of this.#subscriptions)
			subscription.unsubscribe();
		this.#room = room;
		this.#subscribe();
	}

	say(text) {
		this.#client.publish({ destination: `/topic/rooms/${this.#room.name}`, headers: { from: this.#login }, body: text });
	}

	/* As when the network goes: without a word to the broker. */
	cut(ms) {
		this.#goOff({ force: true });
		this.#timer = setTimeout(() => this.comeBack(), ms);
		this.#listener.state('cut', 'The connection is cut.');
	}

	comeBack() {
		clearTimeout(this.#timer);
		this.#isOff = false;
		this.#client.activate();
	}

	end() {
		clearTimeout(this.#timer);
		this.#goOff();
		this.#listener.state('off', 'Not connected.');
	}

	#goOff(options) {
		this.#isOff = true;
		this.#nobodyHere();
		this.#client.deactivate(options);
	}

	#subscribe() {
		if (!this.#client.connected)
			return;
		this.#subscriptions = [this.#subscribeChat(this.#room), this.#subscribePresence(this.#room)];
	}

	/* What was kept comes before the receipt, what is new comes after it; and the receipt has an id by
	 * which one comes back even if nothing was said. */
	#subscribeChat(room) {
		const receipt = crypto.randomUUID(), isReturn = Boolean(room.lastId);
		let count = 0, isOld = true;

		this.#listener.entering(room);
		this.#client.watchForReceipt(receipt, ({ headers }) => {
			isOld = false;
			room.lastId = headers['last-message-id'];
			this.#listener.entered(room, { count, isReturn, isWhole: headers.recovered === 'true' });
		});
		return this.#client.subscribe(`/topic/rooms/${room.name}`, ({ headers, body }) => {
			room.lastId = headers['message-id'];
			count += isOld;
			this.#listener.said(room, { from: headers.from ?? 'somebody', text: body, isOld });
		}, { receipt, 'last-message-id': room.lastId ?? EVERYTHING });
	}

	/* First who is there, then who comes and who goes. */
	#subscribePresence(room) {
		const names = new Set();

		return this.#client.subscribe(`/presence/topic/rooms/${room.name}`, ({ headers, body }) => {
			const { users = [], joined = [], left = [] } = JSON.parse(body);

			if (headers.presence === 'state')
				names.clear();
			left.forEach((name) => names.delete(name));
			[...users, ...joined].forEach((name) => names.add(name));
			this.#listener.here(room, [...names].sort());
		});
	}

	#nobodyHere() {
		this.#subscriptions = [];
		this.#listener.here(this.#room, []);
	}

	#refused({ headers, body }) {
		this.#refusal = `${headers.message} (${headers.code})${body ? `: ${body}` : ''}`;
		if (!PASSING.has(headers.code))
			this.#client.deactivate();
	}

	#closed({ code, reason }) {
		const why = this.#refusal ?? `closed with ${code}${reason ? `, ${reason}` : ''}`;

		this.#refusal = null;
		if (this.#isOff)
			return;
		this.#nobodyHere();
		if (this.#client.active)
			this.#listener.state('lost', `Trying again: ${why}`);
		else
			this.#listener.state('refused', why);
	}
}
