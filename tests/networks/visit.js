/*
 * visit.js - a visitor of a network, in a page of Chromium and in Node alike: a sockjs-client that opens,
 * has messages echoed, takes what the server pushes, is silent, asks once more, and comes back whenever it
 * is closed. It judges nothing: it notes what happened, and when.
 */
(() => {
	const now = () => performance.timeOrigin + performance.now();
	const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

	/* What no compression makes shorter by much. */
	const noise = (length) => Array.from({ length }, () => Math.floor(Math.random() * 36).toString(36)).join('');

	class Visit {
		events = [];
		count = 0; /* of connections */
		socket = null;
		#waiters = new Set();

		constructor(plan) {
			this.plan = plan;
		}

		begin() { this.note('begin'); }

		note(what, more = {}) {
			this.events.push({ at: now(), what, connection: this.count, ...more });
			for (const look of this.#waiters)
				look();
		}

		/* Until it is so, or `ms` are over; the time begins anew with each event if `sinceLast`. */
		#until(test, ms, sinceLast = false) {
			return new Promise((resolve) => {
				let timer;
				const end = (result) => {
					clearTimeout(timer);
					this.#waiters.delete(look);
					resolve(result);
				};
				const wind = () => {
					clearTimeout(timer);
					timer = setTimeout(() => end(false), ms);
				};
				const look = () => {
					if (test())
						end(true);
					else if (sinceLast)
						wind();
				};

				wind();
				this.#waiters.add(look);
				look();
			});
		}

		get isOpen() { return this.socket?.readyState === 1; }

		get isOver() { return this.socket === null; }

		#connect() {
			const number = ++this.count;
			const socket = new globalThis.SockJS(`${this.plan.url}/visit-${this.plan.id}.${number}`);

			this.socket = socket;
			this.came = { e: 0, p: 0 };
			this.note('connect');
			socket.onopen = () => this.note('open', { transport: socket.transport });
			socket.onheartbeat = () => this.note('heartbeat');
			socket.onmessage = (m) => {
				this.came[m.data[0]]++;
				this.note('message', { text: m.data.slice(0, 40) });
			};
			socket.onclose = (e) => {
				if (this.socket !== socket)
					return;
				this.socket = null;
				this.note('close', { code: e.code, reason: e.reason });
			};
		}

		send(text) {
			this.note('send', { text: text.slice(0, 40) });
			this.socket.send(text);
		}

		/* Until a connection is open; one that is closed is followed by another. */
		async open() {
			const end = now() + this.plan.open_ms;

			for (let tries = 0; !this.isOpen && tries < this.plan.tries && now() < end; tries++) {
				if (this.isOver)
					this.#connect();
				await this.#until(() => this.isOpen || this.isOver, end - now());
				if (this.isOver)
					await sleep(this.plan.again_ms);
			}
			return this.isOpen;
		}

		/* Whether so many have come of a kind. Without an end of the connection, nobody waits for ever. */
		async #has(kind, count, socket) {
			await this.#until(() => this.came[kind] >= count || this.socket !== socket, this.plan.patience_ms, true);
			return this.came[kind] >= count && this.socket === socket;
		}

		/* Echoes, then pushes, and one more echo, so that silence begins on both sides at the same time. A message
		 * says of which connection it is, and which. Whether it is worth another try, since the connection has ended. */
		async #talkOnce() {
			const { echoes, pad, pace_ms, pushes, push_ms } = this.plan;
			const { socket } = this;

			for (let i = 0; i < echoes && this.socket === socket; i++) {
				this.send(`e ${this.count} ${i} ${noise(pad)}`);
				await sleep(pace_ms);
			}
			if (!await this.#has('e', echoes, socket))
				return this.socket !== socket;
			this.send(`P ${this.count} ${pushes} ${push_ms}`);
			if (!await this.#has('p', pushes, socket))
				return this.socket !== socket;
			this.note('talked');
			this.send(`e ${this.count} done`);
			await this.#has('e', echoes + 1, socket);
			return this.socket !== socket;
		}

		/* Again, as long as connections end: but not for ever. */
		async talk() {
			for (let tries = 0; tries < this.plan.tries; tries++)
				if (!await this.open() || !await this.#talkOnce())
					break;
		}

		/* The application says nothing for so long. */
		async rest(ms) {
			const end = now() + ms;

			this.note('rest');
			while (now() < end) {
				if (this.isOver) {
					await sleep(this.plan.again_ms);
					this.#connect();
				}
				await this.#until(() => this.isOver, end - now());
			}
		}

		/* An echo; if it never comes, how long until the client learns why. */
		async ask() {
			this.plan.tries += this.count;
			if (!await this.open()) {
				this.note('unopened');
				return;
			}
			const before = this.came.e, { socket } = this;
			this.send(`e ${this.count} last`);
			const done = () => this.came.e > before || this.socket !== socket;
			if (!await this.#until(done, this.plan.patience_ms) && !await this.#until(done, this.plan.linger_ms))
				this.note('unanswered');
		}

		end() {
			const { socket } = this;

			this.note('end');
			this.socket = null;
			socket?.close();
			return this.events;
		}
	}

	globalThis.Visit = Visit;
})();
