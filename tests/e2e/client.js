/*
 * client.js - the SockJS side of the tests, the same in a page and in Node.
 *
 * A classic script that defines `e2e`: a page gets it by a script tag after
 * sockjs.min.js, Node by import after it has set the global SockJS.  Messages
 * are made and compared here and never leave: a lone surrogate would not
 * survive the way to the test program.  Every function returns null when all
 * is well, or a sentence that says what is not, or throws.
 */
globalThis.e2e = (() => {
	const WAIT_MS = 20000;
	const RETRY_MS = 100;
	/* Longer than the client would give a transport: on a busy machine slow is not broken. */
	const TRANSPORT_MS = 10000;

	const clients = new Map();
	let serial = 0;

	function later(ms) {
		return new Promise((resolve) => setTimeout(resolve, ms));
	}

	/* One connection, with its messages in a list and waiting as a promise. */
	class Client {
		received = [];
		closed = null;
		#changed = [];

		constructor(url, transport, sessionId) {
			const options = { timeout: TRANSPORT_MS };

			if (transport !== 'auto')
				options.transports = [transport];
			if (sessionId)
				options.sessionId = () => sessionId;
			this.opened = false;
			this.socket = new SockJS(url, null, options);
			this.socket.onopen = () => { this.opened = true; this.transport = this.socket.transport; this.#change(); };
			this.socket.onmessage = (e) => { this.received.push(e.data); this.#change(); };
			this.socket.onclose = (e) => { this.closed = { code: e.code, reason: e.reason, wasClean: e.wasClean }; this.#change(); };
		}

		#change() {
			for (const wake of this.#changed.splice(0))
				wake();
		}

		async until(condition, what, ms = WAIT_MS) {
			const end = Date.now() + ms;

			while (!condition()) {
				const left = end - Date.now();
				if (left <= 0)
					throw new Error(`${what}: not within ${ms} ms; received ${this.received.length}, closed ${JSON.stringify(this.closed)}`);
				let timer;
				await Promise.race([new Promise((resolve) => this.#changed.push(resolve)),
					new Promise((resolve) => { timer = setTimeout(resolve, left); })]);
				clearTimeout(timer);
			}
		}

		async open() {
			await this.until(() => this.opened || this.closed, 'open');
			if (!this.opened)
				throw new Error(`closed instead of opened: ${JSON.stringify(this.closed)}`);
			return this;
		}

		async count(n) {
			await this.until(() => this.received.length >= n || this.closed, `${n} messages`);
			if (this.received.length < n)
				throw new Error(`closed after ${this.received.length} of ${n} messages: ${JSON.stringify(this.closed)}`);
		}

		async end() {
			this.socket.close();
			await this.until(() => this.closed, 'close');
		}
	}

	/* ---- what is sent ---- */

	function units(from, to) {
		let text = '';

		for (let u = from; u < to; u++)
			text += String.fromCharCode(u);
		return text;
	}

	const samples = {
		plain: () => ['a', 'Hello, world!', 'x'.repeat(127), 'y'.repeat(128), '"\\/', '[]', 'a["x"]', '<script></script><!--', '100%25 %zz +&='],
		/* Every UTF-16 unit once, lone surrogates included, and the awkward ends and pairs. */
		unicode: () => {
			const all = [];

			for (let from = 0; from < 0x10000; from += 0x1000)
				all.push(units(from, from + 0x1000));
			return [...all, '\u0000', '\u0000a\u0000', '\ud800', '\udfff', '\udc00\ud800', 'a\ud83d', '\ude80b', '🚂👩‍🚀𝔘\u{10ffff}',
				'Grüße, 世界, Ελλάδα, שלום', '\u2028\u2029', '\ufeffbom', '\r\n\r\n\n', '\ufffe\uffff', '\u007f\u0080\u009f'];
		},
		'100 KiB': () => ['0123456789'.repeat(10240), 'é€🚂"\\\u0001'.repeat(102400 / 8), 'z'.repeat(102400)],
		/* As long as a message may be where nothing is configured. */
		'64 KiB': () => ['0123456789'.repeat(6553), 'é€🚂"\\\u0001'.repeat(5461), 'z'.repeat(65536)],
		'1,000 ordered': () => Array.from({ length: 1000 }, (_, i) => `message ${i}`),
	};

	function firstDifference(sent, received) {
		const i = sent.findIndex((text, k) => text !== received[k]);

		if (i < 0)
			return received.length > sent.length ? `${received.length - sent.length} messages too many` : null;
		const [s, r] = [sent[i], String(received[i])];
		let at = 0;
		while (at < s.length && s[at] === r[at])
			at++;
		return `message ${i} of ${sent.length} differs at unit ${at} of ${s.length}: `
			+ `sent U+${(s.charCodeAt(at) || 0).toString(16)}, got U+${(r.charCodeAt(at) || 0).toString(16)} (length ${r.length})`;
	}

	/* ---- scenarios ---- */

	async function echo(url, transport, kind) {
		const client = await new Client(url, transport).open();
		const sent = samples[kind]();

		for (const text of sent)
			client.socket.send(text);
		await client.count(sent.length);
		/* One more, so that a message too many before it would be seen. */
		client.socket.send('last');
		await client.count(sent.length + 1);
		const used = client.transport;
		await client.end();
		if (transport !== 'auto' && used !== transport)
			return `used ${used} instead of ${transport}`;
		return firstDifference([...sent, 'last'], client.received);
	}

	async function chosen(url) {
		const client = await new Client(url, 'auto').open();

		await client.end();
		return client.transport;
	}

	async function serverClose(url, transport) {
		const client = new Client(url, transport);

		await client.until(() => client.closed, 'close by the server');
		return JSON.stringify(client.closed);
	}

	async function clientClose(url, transport, sessionId) {
		const client = await new Client(url, transport, sessionId).open();

		client.socket.send('before');
		await client.count(1);
		client.socket.close(3001, 'Enough');
		client.socket.send('after');
		await client.until(() => client.closed, 'close by the client');
		return JSON.stringify(client.closed);
	}

	/* One that says nothing for so long and is still there, and heard. */
	async function listen(url, transport, ms) {
		const client = await new Client(url, transport).open();

		await client.until(() => client.closed, 'close', ms).catch(() => {});
		if (client.closed)
			return `closed: ${JSON.stringify(client.closed)}`;
		client.socket.send('still here');
		await client.count(1);
		await client.end();
		return client.transport === transport ? null : `used ${client.transport}`;
	}

	/* ---- named connections, for tests with more than one page ---- */

	async function join(name, url, transport) {
		clients.set(name, await new Client(url, transport).open());
		return clients.get(name).transport;
	}

	function say(name, text) {
		clients.get(name).socket.send(text);
	}

	async function heard(name, text) {
		const client = clients.get(name);

		await client.until(() => client.received.includes(text) || client.closed, `hears ${text}`);
		if (client.closed)
			throw new Error(`closed while waiting for ${text}: ${JSON.stringify(client.closed)}`);
		return client.received.filter((t) => t === text).length;
	}

	async function leave(name) {
		await clients.get(name).end();
		clients.delete(name);
	}

	/*
	 * Resolves once the connection is gone.  It keeps sending: htmlfile is not
	 * told by the browser when its stream breaks, so only a refused send shows it.
	 */
	async function gone(name) {
		const client = clients.get(name);
		const end = Date.now() + WAIT_MS;

		while (!client.closed && Date.now() < end) {
			client.socket.send('still there?');
			await later(RETRY_MS);
		}
		return client.closed;
	}

	/* Tries until a connection opens and echoes. */
	async function comeBack(url, transport) {
		const end = Date.now() + WAIT_MS;
		let last = 'never tried';

		while (Date.now() < end) {
			const client = new Client(url, transport);
			const text = `back ${++serial}`;
			try {
				await client.open();
				client.socket.send(text);
				await client.count(1);
				await client.end();
				return client.received[0] === text && client.transport === transport ? null : `got ${client.received[0]} by ${client.transport}`;
			} catch (e) {
				last = e.message;
			}
			await later(RETRY_MS);
		}
		return `never came back: ${last}`;
	}

	return { echo, chosen, listen, serverClose, clientClose, join, say, heard, leave, gone, comeBack, samples, firstDifference };
})();
