/*
 * history.js - what has been told so far: half an hour, a sample each second, and before that what the
 * server has remembered.
 *
 * A sample has the counters as they stand; what the charts draw is made of two of them. Where the
 * server began anew, or was not there, nothing is drawn.
 */
const KEEP_S = 1800;
/* Two samples further apart than this have nothing to do with each other. */
const GAP_S = 12;

/* Counters, of which rates are made. */
const COUNTED = ['opened', 'closed', 'refused', 'messages_in', 'bytes_in', 'messages_out', 'bytes_out', 'processor_ms'];

function sum(rows) {
	return rows.reduce((all, row) => all + row.at(-1), 0);
}

export class History {
	#samples = [];
	#began = null;

	hello({ began, history }) {
		const known = began === this.#began ? this.#samples : [];
		const oldest = known[0]?.at ?? Infinity;
		const latest = known.at(-1)?.at ?? 0;
		const told = history.at.map((at, i) => History.#row(history, at, i));

		/* Of the server's own what the page has not seen: before it came, and while it was cut off. */
		this.#began = began;
		this.#samples = [...told.filter((s) => s.at < oldest), ...known, ...(known.length ? told.filter((s) => s.at > latest) : [])];
		this.#derive();
	}

	static #row(history, at, i) {
		const row = { at, transports: history.transports[i] };

		for (const name of ['sessions', 'connections', 'resident', 'wait_us', ...COUNTED])
			row[name] = history[name][i];
		return row;
	}

	add(now) {
		const row = {
			...now,
			closed: sum(now.closed),
			refused: sum(now.refused),
			reasons: { closed: now.closed, refused: now.refused },
		};

		if (row.at <= (this.#samples.at(-1)?.at ?? 0))
			this.#samples.pop(); /* the same second again */
		this.#samples.push(row);
		while (this.#samples[0].at < row.at - KEEP_S)
			this.#samples.shift();
		this.#rate(this.#samples.length - 1);
	}

	#derive() {
		for (let i = 0; i < this.#samples.length; i++)
			this.#rate(i);
	}

	/* What has happened a second since the sample before; null: nobody knows. */
	#rate(i) {
		const [before, s] = [this.#samples[i - 1], this.#samples[i]];
		const seconds = before ? (s.at_ms && before.at_ms ? (s.at_ms - before.at_ms) / 1000 : s.at - before.at) : 0;
		const goesOn = seconds > 0 && seconds <= GAP_S && COUNTED.every((name) => s[name] >= before[name]);

		s.follows = goesOn;
		s.rates = goesOn ? Object.fromEntries(COUNTED.map((name) => [name, (s[name] - before[name]) / seconds])) : null;
	}

	get last() {
		return this.#samples.at(-1) ?? null;
	}

	/* Those of the last so many seconds. */
	since(seconds) {
		const from = (this.last?.at ?? 0) - seconds;
		const first = this.#samples.findIndex((s) => s.at >= from);

		return first < 0 ? [] : this.#samples.slice(first);
	}

	/* By how much a reason has grown in so many seconds. */
	growth(kind, seconds) {
		const recent = this.since(seconds).filter((s) => s.reasons && this.#isOfThis(s));
		const [then, now] = [recent[0]?.reasons[kind] ?? [], recent.at(-1)?.reasons[kind] ?? []];
		const before = new Map(then.map((row) => [row[0], row.at(-1)]));

		return new Map(now.map((row) => [row[0], row.at(-1) - (before.get(row[0]) ?? 0)]));
	}

	/* A server that began anew counts anew. */
	#isOfThis(s) {
		return s.opened <= this.last.opened && s.closed <= this.last.closed;
	}
}
