/*
 * fake_broker.mjs - a broker of STOMP 1.0 to 1.2 that does what a test tells it, for what real ones cannot be made to
 * do on request. It notes every frame, works by itself as far as a relay needs it, and its manners are those of
 * RabbitMQ or ActiveMQ (fake_manners.mjs), or strict ones.
 *
 *	const broker = await new FakeBroker({ manners: 'rabbitmq' }).start();
 *	broker.url, broker.port, broker.links (all, in order), broker.open (those there are)
 *	broker.frames, broker.got('SEND'), await broker.heard('SEND', 3)     what came; frame.link is whose
 *	broker.on.SUBSCRIBE = (frame, link) => true                          true: that was all, do nothing more
 *	broker.publish('/topic/a.b', 'body', { 'x-own': 'v' })               as if from a link elsewhere; how many got it
 *	broker.faults = { ... }, link.faults = { ... }                       see FAULTS
 *	broker.hold(), broker.release()                                      an alarm: who publishes is not read any more, by
 *	                                                                     'rabbitmq' from the second SEND on
 *	link.send(command, headers, body), link.write(octets), link.deliver(id, body, headers), link.error(text)
 *	link.reset(), link.end(), link.stall(), link.flow(), link.flood(kind, octets)
 *	await broker.stop(), await broker.start()                            the same port
 */
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { until } from '../upstream/gateway.mjs';
import { encode, escape, FrameReader, unescape } from './frames.mjs';
import { MANNERS } from './fake_manners.mjs';

/*
 * FAULTS, of a broker or of a link, which come first; all may be set at any time.
 *
 *	accept    'reset', 'close': before a word; 'stall': the connection is there, and nothing is ever read
 *	connect   what CONNECT is answered with: 'silent', 'close', 'reset', 'error', 'garbage', 'http', 'message' (a MESSAGE
 *	          in place of CONNECTED), 'half' (CONNECTED without its end), 'unknown version', or octets
 *	delay     ms before CONNECTED
 *	headers   more or other headers of CONNECTED: { version: '9.9', 'heart-beat': 'abc' }
 *	pieces    everything is written in pieces of so many octets, each by itself
 *	at        { frame: 3, does: 'reset' }: when the third frame has come (CONNECT is the first), and in its place;
 *	          'reset', 'close', 'error' (and close), 'error and stay', 'stall', 'ignore', 'garbage', or a function of the link
 *	beats     'none', or ms after which they stop
 *	receipts  'none', 'twice', 'unknown' (another id first), ms of delay
 *	escapes   'undefined' (\t in a value), 'cut' (a backslash at the end), 'none' (LF and colons as they are)
 *	strangers before each MESSAGE one for a subscription that nobody has
 *	omits     headers that no MESSAGE has: ['subscription']
 *	adds      headers that each MESSAGE has too: [['subscription', 'other']], behind the others
 *	length    content-length of each MESSAGE differs by so much from the truth
 */

const GARBAGE = Buffer.from('\x16\x03\x01\xff\xfe garbage that never ends \xff\xff', 'latin1');
const HTTP = 'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nWhat?\n';

export class Link {
	frames = [];
	subscriptions = new Map(); /* id to { id, destination, ack, prefetch } */
	unacked = new Map(); /* what an ACK names to { subscription, message, destination } */
	transactions = new Map();
	faults = {};
	connected = false;
	closed = false;
	user = null;
	version = '1.2';
	sentWhileHeld = false;
	#reader = new FrameReader();
	#waiting = []; /* frames that have come and are not served yet */
	#chain = null; /* of pieces */
	#timers = new Set();
	#heard = Date.now();
	#count = 0;

	constructor(broker, socket, number) {
		Object.assign(this, { broker, socket, number, session: `session-${number}`, opened: Date.now() });
		this.ended = new Promise((resolve) => { socket.on('close', resolve); });
		socket.setNoDelay(true);
		socket.on('error', (e) => { this.why ??= e.code; });
		socket.on('end', () => { this.why ??= 'EOF'; });
		socket.on('drain', () => broker.serveAll());
		socket.on('data', (piece) => {
			this.#heard = Date.now();
			if (this.ending)
				return;
			for (const frame of this.#reader.push(piece)) {
				frame.link = this;
				this.frames.push(frame);
				broker.frames.push(frame);
				this.#waiting.push(frame);
			}
			this.serve();
		});
		socket.on('close', () => this.#gone());
		const { accept } = this.fault();
		if (accept === 'reset')
			this.reset();
		if (accept === 'close')
			this.end();
		if (accept === 'stall')
			this.stall();
	}

	fault() {
		return { ...this.broker.faults, ...this.faults };
	}

	get manners() {
		return this.broker.manners;
	}

	/* How many line ends between frames have come. */
	get beats() {
		return this.#reader.beats;
	}

	/* Octets that wait to be written. */
	get pending() {
		return this.socket.writableLength;
	}

	#gone() {
		this.closed = true;
		this.#timers.forEach((t) => clearInterval(t));
		this.broker.queuesLose(this);
		this.subscriptions.clear();
		this.broker.serveAll();
	}

	/* --- what comes ------------------------------------------------------------------------------- */

	serve() {
		if (this.#waiting.length)
			this.#heard = Date.now(); /* as long as it was not read it could not be heard */
		while (this.#waiting.length && !this.closed && !this.ending && !this.stalled && !this.broker.mustWait(this, this.#waiting[0]))
			this.#serve(this.#waiting.shift());
		if (this.closed || this.stalled)
			return;
		if (this.#waiting.length && !this.ending)
			this.socket.pause();
		else
			this.socket.resume();
	}

	#serve(frame) {
		const { at } = this.fault();

		this.#count++;
		this.sentWhileHeld ||= this.broker.held && frame.command === 'SEND';
		if (at && at.frame === this.#count)
			return this.#does(at.does);
		if (this.broker.on[frame.command]?.(frame, this) === true)
			return undefined;
		if (frame.command === 'CONNECT' || frame.command === 'STOMP')
			return this.#connect(frame);
		if (!this.connected)
			return this.manners.notConnected(this, frame);
		return this.manners.handle(this, frame);
	}

	#does(what) {
		if (typeof what === 'function')
			return what(this);
		const ways = {
			reset: () => this.reset(), close: () => this.end(), stall: () => this.stall(), ignore: () => {}, garbage: () => this.write(GARBAGE),
			error: () => { this.error('told to fail'); this.end(); }, 'error and stay': () => this.error('told to fail'),
		};

		return ways[what]();
	}

	#connect(frame) {
		const { connect, delay } = this.fault();
		const ways = {
			silent: () => {}, close: () => this.end(), reset: () => this.reset(), garbage: () => this.write(GARBAGE),
			http: () => { this.write(HTTP); this.end(); },
			error: () => { this.error('no'); this.end(); },
			message: () => this.send('MESSAGE', { subscription: '0', 'message-id': '0', destination: '/topic/a' }, 'too early'),
			half: () => this.write('CONNECTED\nversion:1.2\n'),
			'unknown version': () => this.send('CONNECTED', { version: '9.9' }),
		};

		if (this.connected)
			return this.manners.connectedTwice(this, frame);
		if (Buffer.isBuffer(connect))
			return this.write(connect);
		if (connect)
			return ways[connect]();
		if (delay) {
			this.after(delay, () => this.manners.connect(this, frame));
			return undefined;
		}
		return this.manners.connect(this, frame);
	}

	value(frame, name) {
		const value = frame.get(name);

		return value === undefined ? undefined : unescape(value, this.manners.escapesIn(this.version));
	}

	/* --- what goes --------------------------------------------------------------------------------- */

	after(ms, fn) {
		const timer = setTimeout(() => {
			this.#timers.delete(timer);
			if (!this.closed)
				fn();
		}, ms);

		this.#timers.add(timer);
	}

	write(octets) {
		const { pieces } = this.fault();

		if (this.closed)
			return;
		if (!pieces && !this.#chain) {
			this.socket.write(octets);
			return;
		}
		const all = Buffer.from(octets);
		const write = async () => {
			for (let i = 0; i < all.length && !this.closed; i += pieces || all.length) {
				this.socket.write(all.subarray(i, i + (pieces || all.length)));
				await new Promise(setImmediate);
			}
		};
		this.#chain = (this.#chain ?? Promise.resolve()).then(write);
	}

	/* Values are escaped as the version wants, unless it is told to do it wrong. */
	send(command, headers = {}, body = '') {
		const list = (Array.isArray(headers) ? headers : Object.entries(headers)).filter(([, v]) => v !== undefined);
		const { escapes } = this.fault();
		const plain = command === 'CONNECTED' || (escapes === 'none' && command === 'MESSAGE');
		const version = this.manners.escapesOut(this.version);

		this.write(encode(command, list.map(([n, v]) => (plain ? [n, v] : [escape(String(n), version), escape(String(v), version)])), body));
	}

	receipt(id) {
		const { receipts } = this.fault();

		if (id === undefined || receipts === 'none')
			return;
		if (receipts === 'unknown')
			this.send('RECEIPT', { 'receipt-id': 'nobody-asked' });
		const send = () => this.send('RECEIPT', { 'receipt-id': id });
		if (typeof receipts === 'number')
			return this.after(receipts, send);
		send();
		if (receipts === 'twice')
			send();
	}

	error(text, more = {}) {
		this.send('ERROR', { message: text, 'content-type': 'text/plain', ...more }, text);
	}

	/* A MESSAGE for one of its subscriptions, or for any name at all. */
	deliver(id, body, headers = {}) {
		const message = this.broker.message(this.subscriptions.get(id)?.destination ?? '/topic/any', body, headers);

		return this.pass({ id, ack: 'auto', ...this.subscriptions.get(id) }, message);
	}

	pass(subscription, message) {
		const { strangers, escapes, omits = [], adds = [], length } = this.fault();
		const head = this.manners.messageHeaders(this, subscription, message).filter(([n]) => !omits.includes(n));
		const at = head.findIndex(([n]) => n === 'content-length');

		if (strangers)
			this.send('MESSAGE', { subscription: 'nobody-has-this', destination: message.destination, 'message-id': `x-${message.number}` }, 'for a stranger');
		if (length && at >= 0)
			head[at][1] = String(Number(head[at][1]) + length);
		head.push(...adds);
		if (escapes === 'undefined' || escapes === 'cut') {
			const bad = escapes === 'cut' ? 'value\\' : 'a\\tb';
			this.write(encode('MESSAGE', [...head.map(([n, v]) => [escape(n, this.version), escape(v, this.version)]), ['x-bad', bad]], message.body));
			return;
		}
		this.send('MESSAGE', head, message.body);
	}

	/* Heart-beats: of ours every `sends` ms, and how long it waits for theirs. */
	beat(sends, wants) {
		const { beats } = this.fault();

		if (sends && beats !== 'none') {
			const timer = setInterval(() => this.write('\n'), sends);
			this.#timers.add(timer);
			if (typeof beats === 'number')
				this.after(beats, () => clearInterval(timer));
		}
		if (wants) {
			this.#heard = Date.now();
			this.#timers.add(setInterval(() => {
				if (!this.stalled && !this.#waiting.length && Date.now() - this.#heard > wants * this.manners.beatFactor) {
					this.why = 'no heart-beat';
					this.end();
				}
			}, Math.max(20, wants / 10)));
		}
	}

	/* --- how it ends ---------------------------------------------------------------------------------- */

	/* A last word may be on its way still. */
	end() {
		this.ending = true;
		(this.#chain ?? Promise.resolve()).then(() => {
			this.socket.end();
			setTimeout(() => this.socket.destroy(), 200).unref();
		});
	}

	reset() {
		this.ending = true;
		if (this.socket.resetAndDestroy && !this.socket.encrypted)
			this.socket.resetAndDestroy();
		else
			(this.socket._parent?.resetAndDestroy ?? this.socket.destroy).call(this.socket._parent ?? this.socket);
	}

	/* Half open: it reads nothing any more, and what it has to say it still says. */
	stall() {
		this.stalled = true;
		this.socket.pause();
	}

	flow() {
		this.stalled = false;
		this.serve();
	}

	/* What never ends, or not before so many octets: 'header', 'headers', 'command', 'body', 'promise', 'beats'. */
	async flood(kind, octets = 1 << 26) {
		const [head, piece] = {
			header: ['MESSAGE\nsubscription:0\nx-own:', 'v'.repeat(8192)], headers: ['MESSAGE\n', 'name:value\n'.repeat(700)], command: ['', 'M'.repeat(8192)],
			body: ['MESSAGE\nsubscription:0\nmessage-id:0\ndestination:/topic/a\n\n', 'b'.repeat(8192)],
			promise: [`MESSAGE\nsubscription:0\nmessage-id:0\ndestination:/topic/a\ncontent-length:${octets}\n\n`, '\0'.repeat(8192)], beats: ['', '\n'.repeat(8192)],
		}[kind];

		this.write(head);
		let sent = 0;
		for (; sent < octets && !this.closed; sent += piece.length) {
			if (!this.socket.write(piece))
				await Promise.race([new Promise((r) => { this.socket.once('drain', r); }), this.ended]);
			else
				await new Promise(setImmediate);
		}
		return sent;
	}
}

export class FakeBroker {
	links = [];
	frames = [];
	on = {};
	faults = {};
	held = false;
	#number = 0;
	#queues = new Map(); /* destination to messages that nobody has taken */
	#turns = new Map(); /* of consumers */

	/*
	 * manners    'plain', 'rabbitmq', 'activemq'
	 * users      { NAME: passcode }; anybody may come without
	 * denies     (user, 'read' or 'write', destination) => true
	 * hosts      those there are; any will do without
	 * versions   that it speaks
	 * heartBeat  what it offers: [it can send, it wants], of 'plain' alone: the others have their own way
	 * memory     octets that may wait for slow subscribers before publishers are held up ('activemq')
	 * tls        { cert, key, ca, requestCert } as Node takes them
	 */
	constructor({ manners = 'plain', users = null, denies = () => false, hosts = null, versions = ['1.2', '1.1', '1.0'], heartBeat = [0, 0], memory = 1 << 24, tls = null } = {}) {
		Object.assign(this, { users, denies, hosts, versions, heartBeat, memory, tls });
		this.manners = MANNERS[manners];
	}

	get open() {
		return this.links.filter((l) => !l.closed);
	}

	get url() {
		return `stomp${this.tls ? 's' : ''}://127.0.0.1:${this.port}`;
	}

	async start() {
		const take = (socket) => this.links.push(new Link(this, socket, ++this.#number));

		this.server = this.tls ? createTlsServer(this.tls, take) : createServer(take);
		this.server.on('tlsClientError', () => {});
		await new Promise((resolve, reject) => {
			this.server.once('error', reject);
			this.server.listen(this.port ?? 0, '127.0.0.1', resolve);
		});
		this.port = this.server.address().port;
		return this;
	}

	/* All links go too, in order or by reset. Queues are kept. */
	async stop({ reset = false } = {}) {
		const closed = new Promise((resolve) => { this.server.close(resolve); });

		for (const link of this.open)
			reset ? link.reset() : link.end();
		await closed;
	}

	/* --- what a test asks --------------------------------------------------------------------------- */

	got(command) {
		return this.frames.filter((f) => f.command === command);
	}

	async heard(command, count = 1, ms = 10000) {
		await until(`${count} times ${command}`, () => (this.got(command).length >= count ? null : `${this.got(command).length} so far`), ms);
		return this.got(command)[count - 1];
	}

	forget() {
		this.frames.length = 0;
	}

	/* Of all links: destinations that somebody subscribes to, each as often. */
	subscribed() {
		return this.open.flatMap((l) => [...l.subscriptions.values()].map((s) => s.destination)).sort();
	}

	/* --- who must wait -------------------------------------------------------------------------------- */

	hold() {
		this.held = true;
	}

	release() {
		this.held = false;
		for (const link of this.open)
			link.sentWhileHeld = false;
		this.serveAll();
	}

	/* Nothing behind what must wait is read either. */
	mustWait(link, frame) {
		const sends = frame.command === 'SEND';

		if (this.held && (link.sentWhileHeld || (sends && !this.manners.firstPasses)))
			return true;
		return sends && this.manners.blocks && this.open.reduce((sum, l) => sum + l.pending, 0) > this.memory;
	}

	serveAll() {
		for (const link of this.open)
			link.serve();
	}

	/* --- topics and queues ------------------------------------------------------------------------------ */

	message(destination, body, headers = {}, length = true) {
		const list = Array.isArray(headers) ? headers : Object.entries(headers);

		return { destination, body: Buffer.from(body), headers: list, length, number: ++this.#number, at: Date.now(), redelivered: false };
	}

	publish(destination, body, headers) {
		return this.route(this.message(destination, body, headers));
	}

	route(message) {
		if (!this.manners.isTopic(message.destination)) {
			if (!this.#queues.has(message.destination))
				this.#queues.set(message.destination, []);
			this.#queues.get(message.destination).push(message);
			return this.drain(message.destination);
		}
		let count = 0;
		for (const link of this.open)
			for (const subscription of link.subscriptions.values())
				if (this.manners.matches(subscription.destination, message.destination)) {
					this.hand(link, subscription, message);
					count++;
				}
		return count;
	}

	hand(link, subscription, message) {
		if (subscription.ack !== 'auto') {
			message = { ...message, ackId: this.manners.ackId(link, subscription, message) };
			/* Before 1.2 it is the message that is named */
			link.unacked.set(link.version === '1.2' ? message.ackId : this.manners.messageId(link, subscription, message), { subscription, message });
		}
		link.pass(subscription, message);
	}

	/* In turns, to who has room. */
	drain(queue) {
		const messages = this.#queues.get(queue) ?? [];
		let count = 0;

		while (messages.length) {
			const consumers = this.open.flatMap((link) => [...link.subscriptions.values()].filter((s) => s.destination === queue
				&& [...link.unacked.values()].filter((u) => u.subscription === s).length < s.prefetch).map((s) => [link, s]));

			if (!consumers.length)
				break;
			const turn = (this.#turns.get(queue) ?? 0) % consumers.length;
			this.#turns.set(queue, turn + 1);
			this.hand(...consumers[turn], messages.shift());
			count++;
		}
		return count;
	}

	/* Back to the front, as redelivered. */
	requeue(messages) {
		for (const message of messages.reverse()) {
			if (this.manners.isTopic(message.destination))
				continue;
			this.#queues.get(message.destination)?.unshift({ ...message, ackId: undefined, redelivered: true });
		}
		for (const queue of new Set(messages.map((m) => m.destination)))
			this.drain(queue);
	}

	queuesLose(link) {
		const lost = [...link.unacked.values()].map((u) => u.message);

		link.unacked.clear();
		link.subscriptions.clear();
		this.requeue(lost);
	}

	queued(queue) {
		return this.#queues.get(queue)?.length ?? 0;
	}
}
