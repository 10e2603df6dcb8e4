/*
 * fake_manners.mjs - how a fake broker behaves: strictly ('plain'), or as RabbitMQ 3.10 and ActiveMQ 5.17 were seen to by
 * probe.mjs, where a relay can tell the difference. What they have in common comes first.
 */
import { randomBytes } from 'node:crypto';

/* Names with dots; `many` stands for the rest: any number of words for RabbitMQ (anywhere), and for ActiveMQ too. */
function matchesWords(pattern, words, many) {
	const [first, ...rest] = pattern;

	if (first === undefined)
		return words.length === 0;
	if (first === many)
		return many === '>' || Array.from({ length: words.length + 1 }, (_, n) => n).some((n) => matchesWords(rest, words.slice(n), many));
	return words.length > 0 && (first === '*' || first === words[0]) && matchesWords(rest, words.slice(1), many);
}

const base = {
	blocks: false, /* a slow subscriber stops publishers */
	firstPasses: false, /* under an alarm a link is stopped by its second SEND only */
	beatFactor: 2,
	many: '#',
	escapesIn: (version) => version,
	escapesOut: (version) => version,

	isTopic: (destination) => destination.startsWith('/topic/'),

	matches(pattern, destination) {
		const words = (name) => name.slice('/topic/'.length).split('.');

		return pattern === destination || (this.isTopic(pattern) && matchesWords(words(pattern), words(destination), this.many));
	},

	/* The first that both speak; who offers none speaks 1.0. */
	version(link, frame) {
		const offered = (frame.get('accept-version') ?? '1.0').split(',');

		return link.broker.versions.find((v) => offered.includes(v));
	},

	/* Zero of either side is none. */
	grant(link, [x, y]) {
		const [sends, wants] = link.broker.heartBeat;

		return [sends && y ? Math.max(sends, y) : 0, wants && x ? Math.max(wants, x) : 0, `${sends},${wants}`];
	},

	welcome: (link, version, beats) => ({ version, 'heart-beat': beats, server: 'fake/1', session: link.session }),

	connect(link, frame) {
		const { users, hosts } = link.broker;
		const [login, passcode, host] = ['login', 'passcode', 'host'].map((n) => frame.get(n));
		const version = this.version(link, frame);
		const beats = (frame.get('heart-beat') ?? '0,0').split(',').map(Number);

		if (!version)
			return this.refuse(link, 'version', `supported versions are ${link.broker.versions}`);
		if (users && (users[this.login(login)] === undefined || users[this.login(login)] !== this.passcode(passcode)))
			return this.refuse(link, 'login', this.login(login));
		if (hosts && host !== undefined && !hosts.includes(host))
			return this.refuse(link, 'host', host);
		if (beats.length !== 2 || !beats.every(Number.isInteger))
			return this.refuse(link, 'beats', frame.get('heart-beat'));
		const [sends, wants, text] = this.grant(link, beats);
		Object.assign(link, { connected: true, version, user: this.login(login) ?? null });
		link.send('CONNECTED', { ...this.welcome(link, version, text), ...link.fault().headers });
		return link.beat(sends, wants);
	},

	login: (login) => login,
	passcode: (passcode) => passcode,

	handle(link, frame) {
		const handler = this[frame.command];

		return /^(SEND|SUBSCRIBE|UNSUBSCRIBE|ACK|NACK|BEGIN|COMMIT|ABORT|DISCONNECT)$/.test(frame.command) ? handler.call(this, link, frame)
			: this.fail(link, frame, 'unknown', `unknown command ${frame.command}`);
	},

	/* Whether it may; else it has been told so. */
	allowed(link, frame, verb, destination) {
		if (!link.broker.denies(link.user, verb, destination))
			return true;
		this.fail(link, frame, 'denied', `${verb} of ${destination} denied`, destination);
		return false;
	},

	/* At once, or with its transaction; false if there is none of that name. */
	later(link, frame, act) {
		const name = frame.get('transaction');

		if (name === undefined) {
			act();
			return true;
		}
		if (!link.transactions.has(name))
			this.fail(link, frame, 'transaction', `unknown transaction ${name}`, name);
		else
			link.transactions.get(name).push(act);
		return link.transactions.has(name);
	},

	SEND(link, frame) {
		const sent = link.value(frame, 'destination');
		const destination = sent === undefined ? undefined : this.destination(link, frame, sent);

			if (sent === undefined)
			return this.fail(link, frame, 'missing', 'SEND without destination');
		if (destination === null || !this.mayHave(link, frame) || !this.allowed(link, frame, 'write', destination))
			return undefined;
		const taken = this.later(link, frame, () => {
			const headers = frame.headers.filter(([n], i) => frame.headers.findIndex(([m]) => m === n) === i)
				.map(([n]) => [n, link.value(frame, n)]).filter(([n]) => !this.dropped.includes(n));
			this.send(link, frame, link.broker.message(destination, frame.body, headers, frame.get('content-length') !== undefined));
		});
		return taken && this.receiptOfSend(link, link.value(frame, 'receipt'));
	},

	send: (link, frame, message) => link.broker.route(message),
	receiptOfSend: (link, id) => link.receipt(id),
	dropped: ['destination', 'content-length', 'receipt', 'transaction', 'login', 'passcode'],
	mayHave: () => true,
	destination: (link, frame, sent) => sent,

	SUBSCRIBE(link, frame) {
		const sent = link.value(frame, 'destination');
		const id = link.value(frame, 'id') ?? (link.version === '1.0' ? sent : undefined);
		const destination = sent === undefined ? undefined : this.destination(link, frame, sent);

		if (sent === undefined || id === undefined)
			return this.fail(link, frame, 'missing', 'SUBSCRIBE wants destination and id');
		if (destination === null)
			return undefined;
		if (link.subscriptions.has(id) && !this.again(link, frame, id))
			return undefined;
		if (!this.allowed(link, frame, 'read', destination))
			return undefined;
		const key = link.subscriptions.has(id) ? Symbol(id) : id;
		link.subscriptions.set(key, { id, destination, ack: link.value(frame, 'ack') ?? 'auto', prefetch: Number(frame.get(this.prefetch) || Infinity), headers: frame.headers });
		link.receipt(link.value(frame, 'receipt'));
		return link.broker.drain(destination);
	},

	prefetch: 'prefetch-count',

	again(link, frame, id) {
		this.fail(link, frame, 'again', `a subscription ${id} exists`, id);
		return false;
	},

	UNSUBSCRIBE(link, frame) {
		const id = link.value(frame, 'id') ?? (link.version === '1.0' ? link.value(frame, 'destination') : undefined);
		const keys = [...link.subscriptions].filter(([, s]) => s.id === id).map(([key]) => key);

		if (!keys.length)
			return this.fail(link, frame, 'unsubscribe', 'no such subscription', id);
		const lost = [...link.unacked].filter(([, u]) => keys.some((k) => link.subscriptions.get(k) === u.subscription));
		lost.forEach(([ack]) => link.unacked.delete(ack));
		keys.forEach((k) => link.subscriptions.delete(k));
		link.receipt(link.value(frame, 'receipt'));
		return link.broker.requeue(lost.map(([, u]) => u.message));
	},

	/* What this ACK or NACK is about, with all before it where that is so. */
	acked(link, frame) {
		const id = link.value(frame, link.version === '1.2' ? 'id' : 'message-id');
		const found = link.unacked.get(id);

		if (!found)
			return null;
		const all = [...link.unacked].filter(([, u]) => u.subscription === found.subscription);
		const upTo = found.subscription.ack === 'client' ? all.slice(0, all.findIndex(([a]) => a === id) + 1) : [[id, found]];

		return upTo.map(([ack, { message }]) => { link.unacked.delete(ack); return message; });
	},

	ACK(link, frame) {
		const done = this.acked(link, frame);

		if (!done)
			return this.fail(link, frame, 'ack', `unknown ${frame.command}`);
		link.receipt(link.value(frame, 'receipt'));
		return new Set(done.map((m) => m.destination)).forEach((d) => link.broker.drain(d));
	},

	NACK(link, frame) {
		const done = this.acked(link, frame);

		if (!done)
			return this.fail(link, frame, 'ack', `unknown ${frame.command}`);
		link.receipt(link.value(frame, 'receipt'));
		return this.refused(link, done);
	},

	refused: (link, messages) => link.broker.requeue(messages),

	BEGIN(link, frame) {
		const name = frame.get('transaction');

		if (link.transactions.has(name) && !this.beginsAgain)
			return this.fail(link, frame, 'begin', `transaction ${name} exists`, name);
		link.transactions.set(name, []);
		return link.receipt(link.value(frame, 'receipt'));
	},

	COMMIT(link, frame) {
		return this.finish(link, frame, (acts) => acts.forEach((act) => act()));
	},

	ABORT(link, frame) {
		return this.finish(link, frame, () => {});
	},

	finish(link, frame, fn) {
		const name = frame.get('transaction');
		const acts = link.transactions.get(name);

		if (!acts)
			return this.fail(link, frame, 'transaction', `unknown transaction ${name}`, name);
		link.transactions.delete(name);
		fn(acts);
		return link.receipt(link.value(frame, 'receipt'));
	},

	DISCONNECT(link, frame) {
		link.receipt(link.value(frame, 'receipt'));
		link.end();
	},

	messageId: (link, subscription, message) => `${link.session}-${message.number}`,
	ackId: (link, subscription, message) => `ack-${link.number}-${message.number}`,
};

/* --- strict: an ERROR is the end ------------------------------------------------------------------------ */

const plain = {
	...base,

	fail(link, frame, kind, text) {
		link.error(text, { 'receipt-id': link.value(frame, 'receipt') });
		link.end();
	},

	refuse(link, kind, text) {
		link.error(`${kind}: ${text}`);
		link.end();
	},

	notConnected(link, frame) {
		this.fail(link, frame, 'not connected', 'not connected');
	},

	connectedTwice(link, frame) {
		this.fail(link, frame, 'connected', 'connected already');
	},

	messageHeaders(link, s, message) {
		return [['subscription', s.id], ['message-id', this.messageId(link, s, message)], ['destination', message.destination], ...(message.ackId ? [['ack', message.ackId]] : []),
			...message.headers, ['content-length', String(message.body.length)]];
	},
};

/* --- as RabbitMQ ------------------------------------------------------------------------------------------ */

/* The detail of what it says; those whose link does not outlive them are in `ENDS`. */
const RABBIT = {
	denied: (what) => ['access_refused', `access to topic '${what.replace(/^\/\w+\//, '')}' in exchange 'amq.topic' in vhost '/' refused for user`],
	missing: () => ['Missing destination', '"SEND" must include a \'destination\' header\n'],
	unknown: () => ['Bad command', 'Could not interpret command\n'],
	transaction: (what) => ['Bad transaction', `Invalid transaction identifier: "${what}"\n`],
	again: (what) => ['Duplicated subscription identifier', `A subscription identified by 'T_${what}' already exists.`],
	unsubscribe: (what) => ['No subscription found', `UNSUBSCRIBE must refer to an existing subscription.\nSubscription to "id='${what}'" not found.\n`],
	ack: () => ['Invalid header', '"ACK" must include a valid "id" header\n'],
	'unknown destination': (what) => ['Unknown destination', `'${what}' is not a valid destination.\nValid destination types are: /temp-queue, /exchange, /topic, /queue, /amq/queue, /reply-queue/.\n`],
	'invalid destination': (what) => ['Invalid destination', `'${what.replace(/^\/\w+/, '')}' is not a valid ${/^\/(\w+)/.exec(what)[1]} destination\n`],
	'not found': (what) => ['not_found', `NOT_FOUND - no exchange '${what}' in vhost '/'`],
	precondition: (what) => ['precondition_failed', `PRECONDITION_FAILED - ${what}`],
	'not allowed': (what) => ['Invalid header', `'${what}' is not allowed on 'SEND'.\n`],
	processing: () => ['Processing error', 'Processing error'],
};
const ENDS = ['denied', 'again', 'not found', 'precondition'];

const rabbitmq = {
	...base,
	beatFactor: 3,
	firstPasses: true,
	beginsAgain: true,
	dropped: ['destination', 'content-length', 'transaction'], /* `receipt` is not among them */
	escapesIn: () => '1.2',
	escapesOut: () => '1.2',
	login: (login) => login ?? 'guest',
	passcode: (passcode) => passcode ?? 'guest',

	says(link, [message, detail]) {
		link.send('ERROR', [['message', message], ['content-type', 'text/plain'], ['version', '1.0,1.1,1.2'], ['content-length', String(Buffer.byteLength(detail))]], detail);
	},

	/* Never a receipt-id. Whoever loses the link over a SUBSCRIBE gets its RECEIPT after the ERROR. */
	fail(link, frame, kind, text, what = '') {
		this.says(link, RABBIT[kind](what));
		if (!ENDS.includes(kind))
			return;
		if (frame.command === 'SUBSCRIBE')
			link.receipt(link.value(frame, 'receipt'));
		link.end();
	},

	/* And the link stays. */
	refuse(link, kind, what) {
		this.says(link, { version: ['Version mismatch', 'Supported versions are 1.0,1.1,1.2\n'], login: ['Bad CONNECT', `Access refused for user '${what}'\n`],
			host: ['Bad CONNECT', `Virtual host '${what}' access denied`], beats: RABBIT.processing() }[kind]);
	},

	notConnected(link) {
		this.says(link, ['Illegal command', 'You must log in using CONNECT first\n']);
	},

	connectedTwice(link) {
		link.end();
	},

	/* None faster than a second. */
	grant(link, [x, y]) {
		const [sends, wants] = [y && Math.max(1000, y), x && Math.max(1000, x)];

		return [sends, wants, `${sends},${wants}`];
	},

	welcome: (link, version, beats) => ({ server: 'RabbitMQ/3.10.8', session: link.session, 'heart-beat': beats, version }),

	/* A frame that it cannot parse is the end, without a word. */
	handle(link, frame) {
		const bad = frame.headers.some(([, v]) => /\\(?![nrc\\])/.test(v.replace(/\\\\/g, '')) || /\r./.test(v))
			|| !/^\d*$/.test(frame.get('content-length') ?? '') || frame.raw.toString('latin1').split('\n\n')[0].split('\n').slice(1).some((l) => !l.includes(':'));

		return bad ? link.end() : base.handle.call(this, link, frame);
	},

	/* In MESSAGE: what is not printable ASCII, and a percent sign, by their octets. Nothing of it is read that way but %2F. */
	spell: (destination) => [...Buffer.from(destination)].map((c) => (c > 126 || c < 32 || c === 37 ? `%${c.toString(16).toUpperCase().padStart(2, '0')}` : String.fromCharCode(c))).join(''),

	destination(link, frame, sent) {
		const [, kind, rest] = /^\/(topic|queue|exchange|amq\/queue|temp-queue|reply-queue)(\/.*)?$/s.exec(sent) ?? [];

		if (!sent.startsWith('/'))
			return `/queue/${sent}`;
		if (!kind)
			this.fail(link, frame, 'unknown destination', '', sent);
		else if (kind === 'exchange' && !/^\/amq\./.test(rest ?? ''))
			this.fail(link, frame, 'not found', '', (rest ?? '').split('/')[1]);
		else if (/^(topic|queue)$/.test(kind) && (!rest || rest === '/' || rest.slice(1).includes('/')))
			this.fail(link, frame, 'invalid destination', '', sent);
		else
			return sent;
		return null;
	},

	mayHave(link, frame) {
		const wrong = (name, good) => frame.get(name) !== undefined && !good(frame.get(name));
		const number = (v) => /^[+-]?\d+$/.test(v);

		if (wrong('message-id', () => false))
			this.fail(link, frame, 'not allowed', '', 'message-id');
		else if (wrong('priority', number) || wrong('timestamp', number))
			this.fail(link, frame, 'processing');
		else if (wrong('expiration', number))
			this.fail(link, frame, 'precondition', '', `invalid expiration '${frame.get('expiration')}': no_integer`);
		else if (wrong('user-id', (v) => v === link.user))
			this.fail(link, frame, 'precondition', '', `user_id property set to '${frame.get('user-id')}' but authenticated user was '${link.user}'`);
		else if (frame.get('CC') !== undefined || frame.get('BCC') !== undefined)
			this.fail(link, frame, 'precondition', '', `invalid message: {unacceptable_type_in_header,"${frame.get('CC') === undefined ? 'BCC' : 'CC'}",longstr}`);
		else
			return true;
		return false;
	},

	/* A reply to /temp-queue/x comes to who sent the request, as of a subscription of that name. */
	send(link, frame, message) {
		message.headers = message.headers.filter(([n, v]) => n !== 'persistent' || v === 'true');
		const reply = message.headers.find(([n, v]) => n === 'reply-to' && v.startsWith('/temp-queue/'));

		if (reply) {
			const name = reply[1];
			link.temporary ??= new Map();
			if (!link.temporary.has(name)) {
				const queue = `/reply-queue/amq.gen-${randomBytes(16).toString('base64url')}`;
				link.temporary.set(name, queue);
				link.subscriptions.set(name, { id: name, destination: queue, ack: 'auto', prefetch: Infinity, headers: [] });
			}
			reply[1] = link.temporary.get(name);
		}
		link.broker.route(message);
	},

	/* They come with the confirmations, a little later; what is on its way at DISCONNECT is lost. */
	receiptOfSend(link, id) {
		setImmediate(() => link.ending || link.receipt(id));
	},

	messageId(link, s, message) {
		return this.ackId(link, s, message);
	},
	ackId: (link, s, message) => `T_${s.id}@@${link.session}@@${message.number}`,

	messageHeaders(link, s, message) {
		const id = this.ackId(link, s, message);

		return [['subscription', s.id], ['destination', this.spell(message.destination)], ['message-id', id], ['redelivered', String(message.redelivered)],
			...(message.ackId ? [['ack', message.ackId]] : []), ...message.headers, ...(message.body.length ? [['content-length', String(message.body.length)]] : [])];
	},
};

/* --- as ActiveMQ ------------------------------------------------------------------------------------------- */

const TRACE = (text) => `org.apache.activemq.transport.stomp.ProtocolException: ${text}\n\tat org.apache.activemq.transport.stomp.ProtocolConverter.onStompCommand(ProtocolConverter.java:237)\n`
	+ '\tat org.apache.activemq.transport.tcp.TcpTransport.run(TcpTransport.java:215)\n\tat java.base/java.lang.Thread.run(Thread.java:840)\n';

const activemq = {
	...base,
	blocks: true,
	beatFactor: 3,
	many: '>',
	prefetch: 'activemq.prefetchSize',
	dropped: ['destination', 'content-length', 'receipt', 'transaction', 'message-id', 'subscription', 'priority', 'expires', 'timestamp', 'redelivered', 'persistent', 'JMSXGroupID', 'JMSXUserID'],
	escapesIn: (version) => (version === '1.2' ? '1.2' : '1.1'), /* in 1.0 too */
	escapesOut: (version) => version,

	fail(link, frame, kind, text) {
		const denied = kind === 'denied';

		link.send('ERROR', [['content-type', 'text/plain'], ...(frame.get('receipt') !== undefined ? [['receipt-id', link.value(frame, 'receipt')]] : []), ['message', text]],
			denied ? text : TRACE(text));
		if (kind === 'unknown')
			link.end();
	},

	allowed(link, frame, verb, destination) {
		if (!link.broker.denies(link.user, verb, destination))
			return true;
		this.fail(link, frame, 'denied', `User ${link.user} is not authorized to ${verb === 'read' ? 'read from' : 'write to'}: ${destination.replace(/^\/(\w+)\//, '$1://')}`);
		return false;
	},

	refuse(link, kind, what) {
		const text = { login: `User name [${what ?? 'null'}] or password is invalid.`, beats: `Invalid heart-beat header:${what}`,
			version: `Invalid Protocol version, supported versions are: [${link.broker.versions.join(', ')}]`, host: what }[kind];

		link.write(`ERROR\ncontent-type:text/plain\nmessage:${text}\n\n${kind === 'login' ? text : TRACE(text)}\0`);
		link.end();
	},

	notConnected(link, frame) {
		this.fail(link, frame, 'not connected', 'Not connected.');
	},

	connectedTwice(link, frame) {
		this.fail(link, frame, 'connected', 'Already connected.');
	},

	/* Whatever is asked for. */
	grant: (link, [x, y]) => [y, x, `${y},${x}`],

	welcome: (link, version, beats) => ({ server: 'ActiveMQ/5.17.2', 'heart-beat': beats, session: `ID:fake-${link.broker.port}-3:${link.number}`, version }),

	/* Its parser has limits, and Java exceptions that end the link without a word. */
	handle(link, frame) {
		const wrong = (name, good) => frame.get(name) !== undefined && !good.test(frame.get(name));

		const names = new Set(frame.headers.map(([n]) => n)).size;

		if (names > 1000 || frame.headers.some(([n, v]) => n.length + 1 + v.length > 10240)) {
			link.error(`The maximum ${names > 1000 ? 'number of headers' : 'header length'} was exceeded`);
			return link.end();
		}
		if (frame.command === 'SEND' && (wrong('priority', /^[+-]?\d+$/) || wrong('expires', /^-?\d+$/) || wrong('timestamp', /^-?\d+$/) || wrong('AMQ_SCHEDULED_DELAY', /^\d+$/)
			|| frame.get('') !== undefined))
			return link.end();
		return base.handle.call(this, link, frame);
	},

	/* What is no topic is a queue, with its whole name. */
	destination(link, frame, sent) {
		if (sent === '/topic/' || sent === '/queue/') {
			link.end();
			return null;
		}
		return /^\/(topic|queue|temp-queue|temp-topic|remote-temp-queue)\/./.test(sent) ? sent : `/queue/${sent}`;
	},

	/* Twice the same is twice. */
	again: () => true,

	refused(link, messages) {
		for (const message of messages)
			if (!this.isTopic(message.destination))
				link.broker.route({ ...message, ackId: undefined, destination: '/queue/ActiveMQ.DLQ' });
	},

	messageId: (link, s, message) => `ID:fake-${link.broker.port}-3:1:-1:1:${message.number}`,
	ackId: (link, s, message) => `ID:fake-${link.broker.port}-4:${message.number}`,

	messageHeaders(link, s, message) {
		const given = (name) => message.given?.[name];

		return [['expires', given('expires') ?? '0'], ...message.headers, ['destination', message.destination], ...(message.ackId ? [['ack', message.ackId]] : []), ['subscription', s.id],
			['priority', given('priority') ?? '4'], ['message-id', this.messageId(link, s, message)], ...(message.redelivered ? [['redelivered', 'true']] : []),
			['timestamp', given('timestamp') ?? String(message.at)], ...(message.length ? [['content-length', String(message.body.length)]] : [])];
	},

	send(link, frame, message) {
		const number = (v) => (v === undefined ? undefined : String(Math.min(9, Math.max(0, Number(v)))));

		message.given = { priority: number(frame.get('priority')), expires: frame.get('expires'), timestamp: frame.get('timestamp') };
		if (frame.get('transformation')?.startsWith('jms-map-')) /* as if the body were no map */
			message.headers.push(['transformation-error', '']);
		if (frame.get('persistent') === 'true')
			message.headers.push(['persistent', 'true']);
		link.broker.route(message);
	},
};

export const MANNERS = { plain, rabbitmq, activemq };
