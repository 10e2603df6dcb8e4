/*
 * stomp_client.js - the STOMP side of the tests in a page: @stomp/stompjs over a WebSocket
 * or over sockjs-client.
 *
 * A classic script behind sockjs.min.js, stomp.umd.min.js and client.js; it adds to `e2e`.
 * Like there, functions return null when all is well, or a sentence that says what is not.
 */
(() => {
	const WAIT_MS = 20000;
	/* Longer than the client would give a transport: on a busy machine slow is not broken. */
	const TRANSPORT_MS = 10000;
	const MESSAGES = 200;
	/* In a header of STOMP 1.2 these are escaped.  No c, n or r behind the backslash: stompjs 7.5 would
	 * take what it has escaped for another escape. */
	const AWKWARD = 'a:b\nd\\ 世界 🚂';

	function within(promise, what) {
		let timer;
		const late = new Promise((_, reject) => {
			timer = setTimeout(() => reject(new Error(`not within ${WAIT_MS} ms: ${what}`)), WAIT_MS);
		});

		return Promise.race([promise, late]).finally(() => clearTimeout(timer));
	}

	function newClient(url, transport, config) {
		const { Client, Versions } = StompJs;
		const socket = () => (transport === null
			? new WebSocket(url.replace('http', 'ws'), Versions.default.protocolVersions())
			: new SockJS(url, null, { transports: [transport], timeout: TRANSPORT_MS }));

		return new Client({ webSocketFactory: socket, reconnectDelay: 0, ...config });
	}

	function connected(client) {
		return within(new Promise((resolve, reject) => {
			client.onConnect = resolve;
			client.onStompError = (frame) => reject(new Error(`${frame.headers.code} ${frame.headers.message}: ${frame.body}`));
			client.onWebSocketClose = (e) => reject(new Error(`closed: ${e.code} ${e.reason}`));
			client.activate();
		}), 'CONNECTED');
	}

	function receipt(client, id) {
		return within(new Promise((resolve) => client.watchForReceipt(id, resolve)), `the receipt ${id}`);
	}

	/* STOMP's text is UTF-8, so without lone surrogates; NULs are what content-length is for. */
	function bodies() {
		const ends = ['', '\u0000', 'a\u0000b\u0000', '\n', '\r\n', '\\', '"\u2028', '\u{10ffff}', '\ufeff', 'x'.repeat(5000), '世'.repeat(3000)];

		return Array.from({ length: MESSAGES }, (_, i) => `${i} Grüße, 世界 🚂 ${ends[i % ends.length]}`);
	}

	function collect(client, destination, count) {
		const heard = [];
		const all = within(new Promise((resolve) => {
			client.subscribe(destination, (message) => {
				heard.push(message);
				if (heard.length === count)
					resolve(heard);
			}, { receipt: 'subscribed' });
		}), `${count} messages`);

		return { heard, all: all.catch((e) => { throw new Error(`${e.message}; heard ${heard.length}`); }) };
	}

	/* All of a conversation: connects, subscribes, hears what it says, and leaves in order. */
	async function conversation(url, transport) {
		const destination = `/topic/e2e/${transport ?? 'bare'}`;
		const client = newClient(url, transport);
		const sent = bodies();

		await connected(client);
		const used = client.webSocket.transport ?? null;
		const { all } = collect(client, destination, sent.length);
		await receipt(client, 'subscribed');
		const last = receipt(client, 'last');
		sent.forEach((body, i) => client.publish({
			destination, body, headers: i < sent.length - 1 ? { note: AWKWARD } : { note: AWKWARD, receipt: 'last' },
		}));
		await last;
		const heard = await all;
		await within(client.deactivate(), 'the end of deactivate()');
		if (used !== transport)
			return `used ${used} instead of ${transport}`;
		if (heard.some(({ headers }) => headers.note !== AWKWARD))
			return 'a header came back another one';
		return client.active ? 'it is still active' : e2e.firstDifference(sent, heard.map(({ body }) => body));
	}

	/* Both sides' heart-beats, on a line on which nothing else is said. */
	async function heartBeats(url, transport, interval) {
		const client = newClient(url, transport, { heartbeatIncoming: interval, heartbeatOutgoing: interval });
		let beats = 0;
		let lost = false;
		const enough = new Promise((resolve) => {
			client.onHeartbeatReceived = () => ++beats === 2 && resolve();
		});

		client.onHeartbeatLost = () => { lost = true; };
		await connected(client);
		await within(enough, 'two heart-beats');
		const alive = client.connected;
		await within(client.deactivate(), 'the end of deactivate()');
		return lost || !alive ? 'the connection did not last' : null;
	}

	/* A refused SUBSCRIBE: what ERROR says, and that the connection ends. */
	async function refusal(url, transport, destination) {
		const client = newClient(url, transport);

		await connected(client);
		const closed = new Promise((resolve) => { client.onWebSocketClose = resolve; });
		const error = new Promise((resolve) => { client.onStompError = resolve; });
		client.subscribe(destination, () => {}, { receipt: 'never' });
		const { headers } = await within(error, 'ERROR');
		const { code } = await within(closed, 'the end of the connection');
		await client.deactivate();
		return { code: headers.code, receipt: headers['receipt-id'], closed: code };
	}

	Object.assign(e2e, { conversation, heartBeats, refusal });
})();
