/*
 * feed.js - the connection to the server: figures each second, over SockJS, or a plain WebSocket where
 * sockjs.min.js is not at hand.
 *
 * Events: `state` (connecting, token, certificate, open, waiting), `hello`, `now`. The token goes in the
 * first message, never in an address; who has shown a certificate is not asked for it. Whatever ends, it comes back by itself; for the token it asks again
 * only if the server does not want the one it has.
 */
const KEY = 'sockjsd.token';
const DELAYS_MS = [500, 1000, 2000, 4000, 8000, 15000];
/* Where nothing has come for so long the connection is dead, whatever it says. */
const SILENCE_MS = 15000;
const NOT_ALLOWED = 4401;
const NO_CERTIFICATE = 4403;

/* Storage may be forbidden: then this tab asks again when it is loaded anew. */
let kept = null;

export const token = {
	get() {
		try {
			return kept ?? sessionStorage.getItem(KEY);
		} catch {
			return kept;
		}
	},
	set(value) {
		kept = value;
		try {
			if (value === null)
				sessionStorage.removeItem(KEY);
			else
				sessionStorage.setItem(KEY, value);
		} catch { /* as above */ }
	},
};

export class Feed extends EventTarget {
	state = 'connecting';
	nextTryAt = null;
	wasRefused = false;
	isKnown = false; /* it has been open before */
	#url;
	#socket = null;
	#failures = 0;
	#retry = null;
	#watchdog = null;

	constructor(url) {
		super();
		this.#url = url;
	}

	connect() {
		clearTimeout(this.#retry);
		this.nextTryAt = null;
		this.#drop();
		this.#set('connecting');
		const socket = this.#open();
		this.#socket = socket;
		this.#listen(socket);
		this.#expect();
	}

	/* What somebody has typed. */
	login(value) {
		token.set(value);
		this.wasRefused = false;
		if (this.state === 'token' && this.#socket?.readyState === 1)
			this.#sayToken();
		else
			this.connect();
	}

	#open() {
		if (typeof SockJS !== 'undefined')
			return new SockJS(this.#url);
		return new WebSocket(`${this.#url.replace(/^http/, 'ws')}/websocket`);
	}

	#listen(socket) {
		const mine = (fn) => (event) => socket === this.#socket && fn(event);

		socket.onmessage = mine(({ data }) => this.#take(data));
		socket.onclose = mine(({ code }) => this.#ended(code));
	}

	#drop() {
		const socket = this.#socket;

		this.#socket = null;
		clearTimeout(this.#watchdog);
		socket?.close();
	}

	#expect() {
		clearTimeout(this.#watchdog);
		this.#watchdog = setTimeout(() => {
			this.#drop();
			this.#wait();
		}, SILENCE_MS);
	}

	#take(data) {
		const message = JSON.parse(data);

		this.#expect();
		if (message.type === 'token') {
			this.#asked();
		} else if (message.type === 'hello') {
			this.#failures = 0;
			this.wasRefused = false;
			this.isKnown = true;
			this.dispatchEvent(new CustomEvent('hello', { detail: message }));
			this.#set('open');
		} else if (message.type === 'now') {
			this.dispatchEvent(new CustomEvent('now', { detail: message }));
		}
	}

	#asked() {
		if (token.get() !== null) {
			this.#sayToken();
			return;
		}
		clearTimeout(this.#watchdog);
		this.#set('token');
	}

	#sayToken() {
		this.#socket.send(JSON.stringify({ token: token.get() }));
		this.#expect();
	}

	#ended(code) {
		clearTimeout(this.#watchdog);
		this.#socket = null;
		if (code === NOT_ALLOWED) {
			token.set(null);
			this.wasRefused = true;
			this.#set('token');
		} else if (code === NO_CERTIFICATE) { /* another try would show the same one */
			this.#set('certificate');
		} else if (this.state !== 'token') { /* who types may take his time */
			this.#wait();
		}
	}

	#wait() {
		const most = DELAYS_MS[Math.min(this.#failures++, DELAYS_MS.length - 1)];
		const ms = most * (0.75 + Math.random() / 4);

		this.nextTryAt = performance.now() + ms;
		this.#retry = setTimeout(() => this.connect(), ms);
		this.#set('waiting');
	}

	#set(state) {
		this.state = state;
		this.dispatchEvent(new CustomEvent('state'));
	}
}
