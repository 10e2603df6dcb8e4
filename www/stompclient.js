/*
 * stompclient.js - one STOMP client, watched.
 *
 * Wraps a Client of @stomp/stompjs (the global StompJs) and adds what the page shows:
 * what was agreed on in CONNECTED, every frame and heart-beat as it passes, and how
 * long each RECEIPT took.  Knows nothing of the page; it speaks by events: `state`,
 * `frame` (detail: see stompframes.js; with dir, time, and of which frame it is the
 * receipt), `receipt` (detail: the frame that was answered), `refused` (detail: what
 * ERROR says, and of which frame).
 *
 * States: off, connecting, open, waiting (for the next attempt), leaving.  After an
 * ERROR there is no next attempt: what was refused once would be refused again.
 */
import { FrameReader, header } from './stompframes.js';
import { WatchedSocket } from './watchedsocket.js';

const RECONNECT_MS = 2000;
/* As in connection.js: what the client grants by itself is too short for a busy machine. */
const PATIENCE_MS = 3000;
/* What holds is the longer interval of both sides: so this leaves it to the broker. */
const BEAT_MS = 1000;

/* What CONNECTED says.  `beats` are the intervals in ms that hold, 0: none. */
function agreementOf(frame) {
	const [theirs, ours] = (header(frame, 'heart-beat') ?? '0,0').split(',').map(Number);

	return {
		version: header(frame, 'version') ?? '1.0',
		server: header(frame, 'server') ?? '',
		session: header(frame, 'session') ?? '',
		user: header(frame, 'user-name') ?? '',
		beats: { in: theirs && Math.max(theirs, BEAT_MS), out: ours && Math.max(ours, BEAT_MS) },
	};
}

export class StompClient extends EventTarget {
	state = 'off';
	transport = null;
	/* What CONNECTED has said; null without a connection. */
	agreed = null;
	beats = { in: 0, out: 0 };
	receipts = 0;
	#client = null;
	#options = null;
	#subscriptions = new Map();
	/* Frames sent that have asked for a receipt, by its id. */
	#awaited = new Map();
	#serial = 0;
	#failed = false;

	/* options: { url, transport, raw, login, passcode }; `raw` is the path, behind the broker's,
	 * of a bare WebSocket (undefined: by SockJS); login and passcode may be empty */
	connect(options) {
		const { login, passcode } = options;

		this.#options = options;
		this.#failed = false;
		this.beats = { in: 0, out: 0 };
		this.receipts = 0;
		this.#client = new StompJs.Client({
			webSocketFactory: () => this.#watched(this.#newSocket()),
			connectHeaders: passcode ? { login, passcode } : {},
			heartbeatIncoming: BEAT_MS,
			heartbeatOutgoing: BEAT_MS,
			reconnectDelay: RECONNECT_MS,
			beforeConnect: () => this.#setState('connecting'),
			onConnect: () => this.#setState('open'),
			onWebSocketClose: (e) => this.#onClose(e),
		});
		this.#client.activate();
	}

	/* DISCONNECT, its RECEIPT, and the end.  The second time nobody is waited for. */
	disconnect() {
		const force = this.state === 'leaving';

		this.#setState('leaving');
		return this.#client.deactivate({ force }).then(() => this.#setState('off'));
	}

	/* onActive() is called when the broker has said so. */
	subscribe(destination, onMessage, onActive) {
		const receipt = this.#nextReceipt(onActive);

		this.#subscriptions.set(destination, this.#client.subscribe(destination, onMessage, { receipt }));
	}

	unsubscribe(destination) {
		this.#subscriptions.get(destination)?.unsubscribe({ receipt: this.#nextReceipt() });
		this.#subscriptions.delete(destination);
	}

	send(destination, body, headers, wantsReceipt) {
		const receipt = wantsReceipt ? { receipt: this.#nextReceipt() } : {};

		this.#client.publish({ destination, body, headers: { ...headers, ...receipt } });
	}

	#nextReceipt(onReceipt = () => {}) {
		const id = `receipt-${++this.#serial}`;

		this.#client.watchForReceipt(id, onReceipt);
		return id;
	}

	/* ---- the socket ---- */

	#newSocket() {
		const { url, transport, raw } = this.#options;
		const transports = transport === 'auto' ? undefined : [transport];

		if (raw === undefined)
			return new SockJS(url, null, { transports, timeout: PATIENCE_MS });
		return new WebSocket(url.replace(/^http/, 'ws') + raw, StompJs.Versions.default.protocolVersions());
	}

	#watched(socket) {
		const out = new FrameReader((frame) => this.#sent(frame));
		const into = new FrameReader((frame) => this.#received(frame));

		return new WatchedSocket(socket, {
			opened: (transport) => {
				this.transport = transport;
			},
			sent: (data) => out.read(data),
			received: (data) => into.read(data),
		});
	}

	#sent(frame) {
		const receipt = frame.beat ? undefined : header(frame, 'receipt');

		if (receipt !== undefined)
			this.#awaited.set(receipt, frame);
		this.#pass(frame, 'out');
	}

	#received(frame) {
		if (frame.command === 'CONNECTED')
			this.agreed = agreementOf(frame);
		if (frame.command === 'RECEIPT' || frame.command === 'ERROR')
			frame.answers = this.#answered(header(frame, 'receipt-id'));
		this.#pass(frame, 'in');
		this.#failed = frame.command === 'ERROR'; /* where "errors" is "keep", others follow */
		if (frame.command === 'RECEIPT' && frame.answers)
			this.#emit('receipt', frame.answers);
		if (frame.command === 'ERROR')
			this.#refused(frame);
	}

	#answered(receipt) {
		const sent = this.#awaited.get(receipt);

		this.#awaited.delete(receipt);
		if (sent) {
			sent.answeredAfter = performance.now() - sent.at;
			this.receipts++;
		}
		return sent;
	}

	#refused(frame) {
		this.#emit('refused', {
			code: header(frame, 'code'),
			message: header(frame, 'message'),
			sentence: frame.body.trim(),
			answers: frame.answers,
		});
	}

	#pass(frame, dir) {
		frame.dir = dir;
		frame.time = new Date();
		frame.at = performance.now();
		if (frame.beat)
			this.beats[dir]++;
		this.#emit('frame', frame);
	}

	/* ---- what the library says ---- */

	#onClose({ code, reason }) {
		const wasOpen = this.agreed !== null;

		this.agreed = null;
		this.transport = null;
		this.#awaited.clear();
		this.#subscriptions.clear();
		this.#emit('frame', {
			dir: 'in', closed: true, time: new Date(),
			text: `${wasOpen ? 'closed' : 'not reached'}: ${code ?? ''} ${reason ?? ''}`,
		});
		if (this.#failed)
			this.#client.deactivate();
		if (this.state !== 'leaving')
			this.#setState(this.#failed ? 'off' : 'waiting');
	}

	#setState(state) {
		this.state = state;
		this.#emit('state', state);
	}

	#emit(type, detail) {
		this.dispatchEvent(new CustomEvent(type, { detail }));
	}
}
