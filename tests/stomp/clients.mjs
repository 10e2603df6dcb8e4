/*
 * clients.mjs - the STOMP clients of JavaScript under Node, as their users have them, behind one
 * interface, so that one list of tests fits all:
 *
 *	open(options)        the headers of CONNECTED; else it throws a Refused
 *	subscribe(destination, fn, headers), send(destination, body, headers)
 *	receipt(id)          settles when it has come
 *	begin(id), commit(id), abort(id)
 *	error                settles with the ERROR frame
 *	ended                settles when the connection has
 *	close()              DISCONNECT in due form, with a receipt
 */
import { createRequire } from 'node:module';
import { Client, Versions } from '@stomp/stompjs';
import WebSocket from 'ws';
import { withDeadline } from '../e2e/harness.mjs';

const require = createRequire(import.meta.url);
const SockJS = require('sockjs-client');
const Stomp = require('stompjs');
const webstomp = require('webstomp-client');

export const WAIT_MS = 15000;
export const SOCKJS = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'];

/* An ERROR frame in place of what was wanted. */
export class Refused extends Error {
	constructor(frame) {
		super(`refused: ${frame.headers.code} ${frame.headers.message} (${frame.body})`);
		this.frame = frame;
	}
}

function later() {
	let settle;
	const promise = new Promise((resolve) => { settle = resolve; });

	promise.settle = settle;
	return promise;
}

/* A socket as browsers have it. Transports are "ws", "tcp" and what sockjs-client calls its own. */
function connect(url, transport, protocols) {
	if (transport === 'ws')
		return new WebSocket(`${url.replace('http', 'ws')}/websocket`, protocols);
	return new SockJS(url, null, { transports: [transport], timeout: WAIT_MS });
}

class Common {
	error = later();
	ended = later();
	socket = null;
	#receipts = new Map();
	#names = 0;

	constructor(transport) {
		this.transport = transport;
	}

	/* One for each name, whoever asks first. */
	awaited(id) {
		if (!this.#receipts.has(id))
			this.#receipts.set(id, later());
		return this.#receipts.get(id);
	}

	receipt(id) {
		const ended = this.ended.then((event) => { throw new Error(`ended before the receipt ${id}: ${event?.code} ${event?.reason}`); });

		ended.catch(() => {});
		return withDeadline(Promise.race([this.awaited(id), ended]), WAIT_MS, `the receipt ${id}`);
	}

	name(what) {
		return `${what}-${++this.#names}`;
	}

	async subscribed(destination, fn, headers = {}) {
		const id = this.name('subscribe');
		const subscription = this.subscribe(destination, fn, { ...headers, receipt: id });

		await this.receipt(id);
		return subscription;
	}

	async sent(destination, body, headers = {}) {
		const id = this.name('send');

		this.send(destination, body, { ...headers, receipt: id });
		await this.receipt(id);
	}
}

export class Stompjs7 extends Common {
	static library = '@stomp/stompjs';
	static version = '1.2';
	connections = 0;

	open({ url, login, passcode, beat = 0, versions, reconnect = 0, headers = {} }) {
		this.client = new Client({
			brokerURL: this.transport === 'ws' ? `${url.replace('http', 'ws')}/websocket` : undefined,
			webSocketFactory: this.transport === 'ws' ? undefined : () => connect(url, this.transport),
			connectHeaders: { ...(login ? { login, passcode } : {}), ...headers },
			stompVersions: versions ? new Versions(versions) : Versions.default,
			heartbeatIncoming: beat,
			heartbeatOutgoing: beat,
			reconnectDelay: reconnect,
		});
		const connected = new Promise((resolve, reject) => {
			this.client.onConnect = (frame) => {
				this.connections++;
				this.ended = later();
				this.onConnect?.();
				resolve(frame.headers);
			};
			this.client.onStompError = (frame) => {
				this.error.settle(frame);
				reject(new Refused(frame));
			};
			this.client.onWebSocketClose = (event) => {
				this.ended.settle(event);
				if (!reconnect)
					reject(new Error(`closed: ${event.code} ${event.reason}`));
			};
		});
		connected.catch(() => {});
		this.client.activate();
		return withDeadline(connected, WAIT_MS, 'CONNECTED');
	}

	get canBinary() {
		return this.transport === 'ws';
	}

	subscribe(destination, fn, headers = {}) {
		if (headers.receipt)
			this.client.watchForReceipt(headers.receipt, () => this.awaited(headers.receipt).settle());
		return this.client.subscribe(destination, fn, headers);
	}

	send(destination, body, headers = {}) {
		if (headers.receipt)
			this.client.watchForReceipt(headers.receipt, () => this.awaited(headers.receipt).settle());
		const frame = { destination, headers };

		if (body instanceof Uint8Array)
			frame.binaryBody = body;
		else
			frame.body = body;
		this.client.publish(frame);
	}

	begin(id) { this.client.begin(id); }
	commit(id) { this.client.commit(id); }
	abort(id) { this.client.abort(id); }

	/* What the network does: it is cut without a word. */
	cut() {
		this.client.forceDisconnect();
	}

	async close() {
		await withDeadline(this.client.deactivate(), WAIT_MS, 'deactivate() resolves');
	}
}

/* What stompjs and webstomp-client have in common, for one came from the other. */
class Older extends Common {
	canBinary = false;

	open({ url, login, passcode, beat = 0, headers = {} }) {
		this.make(url, beat);
		this.client.onreceipt = (frame) => this.awaited(frame.headers['receipt-id']).settle();
		const connected = new Promise((resolve, reject) => {
			this.client.connect({ ...(login ? { login, passcode } : {}), ...headers }, (frame) => resolve(frame.headers), (what) => {
				if (what?.command === 'ERROR') {
					this.error.settle(what);
					reject(new Refused(what));
				} else {
					this.ended.settle(what);
					reject(new Error(`closed: ${what?.code ?? what}`));
				}
			});
		});
		connected.catch(() => {});
		return withDeadline(connected, WAIT_MS, 'CONNECTED');
	}

	subscribe(destination, fn, headers = {}) {
		return this.client.subscribe(destination, fn, headers);
	}

	begin(id) { this.client.begin(id); }
	commit(id) { this.client.commit(id); }
	abort(id) { this.client.abort(id); }

	/* Its own disconnect() does not wait for a receipt, and ends the socket at once. */
	async close() {
		const gone = later();

		this.client._transmit('DISCONNECT', { receipt: 'bye' });
		await this.receipt('bye');
		this.client.ws.onclose = () => gone.settle();
		this.client._cleanUp();
		await withDeadline(gone, WAIT_MS, 'the server closes after DISCONNECT');
	}
}

export class Stompjs2 extends Older {
	static library = 'stompjs 2';
	static version = '1.1';

	make(url, beat) {
		const { hostname, port } = new URL(url);

		this.client = this.transport === 'tcp' ? Stomp.overTCP(hostname, port) : Stomp.over(connect(url, this.transport, ['v11.stomp', 'v10.stomp']));
		/* as overTCP() sets it, and over() does not */
		Stomp.setInterval = (ms, fn) => setInterval(fn, ms);
		Stomp.clearInterval = (id) => clearInterval(id);
		this.client.debug = null;
		this.client.heartbeat = { outgoing: beat, incoming: beat };
	}

	send(destination, body, headers = {}) {
		this.client.send(destination, { ...headers }, body);
	}
}

export class Webstomp extends Older {
	static library = 'webstomp-client';
	static version = '1.2';

	make(url, beat) {
		const socket = connect(url, this.transport, webstomp.VERSIONS.supportedProtocols());

		this.client = webstomp.over(socket, { debug: false, heartbeat: { outgoing: beat, incoming: beat } });
	}

	send(destination, body, headers = {}) {
		this.client.send(destination, body, headers);
	}
}

/* @stomp/stompjs looks for it there, as in a browser. */
globalThis.WebSocket = WebSocket;

/* Every library on every transport that it has. */
export const KINDS = [
	...['ws', ...SOCKJS].map((transport) => ({ Kind: Stompjs7, transport })),
	...['ws', 'tcp', ...SOCKJS].map((transport) => ({ Kind: Stompjs2, transport })),
	...['ws', ...SOCKJS].map((transport) => ({ Kind: Webstomp, transport })),
].map((k) => ({ ...k, name: `${k.Kind.library}, ${k.transport === 'ws' ? 'WebSocket' : k.transport === 'tcp' ? 'TCP' : `SockJS ${k.transport}`}` }));
