/*
 * doctor_line.js - one connection to the application `doctor`, by whatever carries it.
 *
 * Takes a socket with the interface of sockjs-client and speaks the protocol of
 * doc/doctor.md: questions with a number, answers, and what comes unasked.  All times
 * are milliseconds since the line was made.
 */
let serial = 0;

export function sessionId() {
	return `doctor-${Math.random().toString(36).slice(2, 10)}-${++serial}`;
}

/* Waits for what `look` says, which is asked again after whatever happens; undefined: it took too long. */
export class Line {
	openMs = null;
	closed = null;
	#socket;
	#began = performance.now();
	#numbers = 0;
	#handlers = new Map();
	#waiting = new Set();

	constructor(socket) {
		this.#socket = socket;
		socket.onopen = () => {
			this.openMs = this.now();
			this.#look();
		};
		socket.onmessage = (e) => this.#received(e.data);
		socket.onclose = (e) => {
			this.closed ??= { code: e.code, reason: e.reason, ms: this.now() };
			this.#look();
		};
	}

	now() {
		return performance.now() - this.#began;
	}

	get isOpen() {
		return this.openMs !== null && this.closed === null;
	}

	/* Answers to this order go to onAnswer(answer, ms), also if there are many. */
	order(order, onAnswer = () => {}) {
		const id = ++this.#numbers;

		this.#handlers.set(id, onAnswer);
		if (this.isOpen)
			this.#socket.send(JSON.stringify({ id, ...order }));
		return id;
	}

	/* The first answer, with `ms`: how long it took; undefined if there is none in time. */
	async ask(order, patienceMs) {
		const began = this.now();
		let answer;

		this.order(order, (a, ms) => { answer ??= { ...a, ms: ms - began }; });
		await this.until(() => answer !== undefined || !this.isOpen, patienceMs);
		return answer;
	}

	/* Whether `look` has become true in time. */
	until(look, patienceMs) {
		if (look())
			return Promise.resolve(true);
		return new Promise((resolve) => {
			const waiter = { look, done: () => { clearTimeout(timer); this.#waiting.delete(waiter); resolve(Boolean(look())); } };
			const timer = setTimeout(waiter.done, patienceMs);

			this.#waiting.add(waiter);
		});
	}

	close() {
		this.closed ??= { code: 1000, reason: 'Closed by the page', ms: this.now() };
		this.#socket.close();
	}

	#look() {
		for (const waiter of [...this.#waiting])
			if (waiter.look())
				waiter.done();
	}

	#received(text) {
		let answer;

		try {
			answer = JSON.parse(text);
		} catch {
			return; /* whoever says that is not the doctor */
		}
		this.#handlers.get(answer?.id)?.(answer, this.now());
		this.#look();
	}
}
