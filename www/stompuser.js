/*
 * stompuser.js - one user of the page of STOMP: wires a panel to a client.
 *
 * The panel is a copy of <template id="user">; its elements are found by [data-part].
 * What the user wants to hear (the chips) outlives connections: it is subscribed
 * again each time, but for what the broker has refused.
 */
import { humanMs } from './framelog.js';
import { StompClient } from './stompclient.js';
import { header } from './stompframes.js';
import { StompLog } from './stomplog.js';
import { Track } from './track.js';
import { transportNamed, transports } from './transports.js';

const BROKER = 'stomp';
const CHAT = '/topic/chat';
/* A pattern, to which nobody can send. */
const MISTAKE = '/topic/*';
const MOST_CHIPS = 16;
const HEARD_CHARS = 120;
/* Who listens to the page is not told more often. */
const HEARD_MS = 1000;
const MISSING = 'stomp.umd.min.js is missing here; into the directory of these pages it comes by curl -O '
	+ 'https://cdn.jsdelivr.net/npm/@stomp/stompjs/bundles/stomp.umd.min.js';

const STATES = {
	off: 'Not connected',
	connecting: 'Connecting',
	open: 'Connected',
	waiting: 'No connection, trying again',
	leaving: 'Disconnecting',
};
const BUTTONS = { off: 'Connect', connecting: 'Stop', open: 'Disconnect', waiting: 'Stop', leaving: 'Leave at once' };

const hasStomp = typeof StompJs !== 'undefined';
const hasSockJS = typeof SockJS !== 'undefined';

/* Both of the raw ones are the same to a broker: one is enough. */
const bare = transports.filter(({ name }) => name === 'raw-prefix');
const framed = transports.filter(({ raw }) => raw === undefined);

function option(value, label, disabled) {
	return Object.assign(document.createElement('option'), { value, textContent: label, disabled });
}

function buildTransports(select) {
	const group = document.createElement('optgroup');

	group.label = 'SockJS';
	group.append(...framed.map(({ name, label }) => option(name, label, !hasSockJS)));
	select.append(...bare.map(({ name }) => option(name, 'WebSocket')), group);
}

function every(ms) {
	return ms ? `${ms / 1000} s` : 'never';
}

function button(className, label, text, onClick) {
	const b = Object.assign(document.createElement('button'), { type: 'button', className, textContent: text });

	b.setAttribute('aria-label', label);
	b.addEventListener('click', onClick);
	return b;
}

export class UserPanel extends EventTarget {
	id;
	element;
	works = hasStomp;
	#client = new StompClient();
	#log;
	#track;
	#other = null;
	/* What to hear, and its chip. */
	#chips = new Map();
	#changing = false;
	#heard = { text: '', timer: 0 };

	/* user: { id, name, transport, subscriptions } */
	constructor({ id, name, transport, subscriptions }) {
		super();
		this.id = id;
		this.element = document.getElementById('user').content.cloneNode(true).firstElementChild;
		this.element.id = id;
		this.#log = new StompLog(this.#part('log'));
		this.#track = new Track(this.#part('rail'));
		buildTransports(this.#part('transport'));
		this.#part('transport').value = [...bare, ...framed].includes(transportNamed(transport)) ? transport : bare[0].name;
		this.#part('name').value = name;
		this.#part('destination').value = CHAT;
		subscriptions.forEach((destination) => this.#want(destination));
		this.#listenToUser();
		this.#listenToClient();
		this.#showName();
		this.#showState();
		if (!hasStomp)
			this.#part('trouble').textContent = MISSING;
	}

	get state() {
		return this.#client.state;
	}

	get name() {
		return this.#part('name').value.trim();
	}

	get transport() {
		return this.#part('transport').value;
	}

	/* Where others reach this session alone; null while there is none. */
	get address() {
		return this.#client.agreed && `/user/${this.#client.agreed.session}/queue/notes`;
	}

	meet(other) {
		const show = () => {
			this.#part('to-other').textContent = `${other.name} alone`;
			this.#part('to-other').disabled = !other.address;
		};

		this.#other = other;
		other.addEventListener('state', show);
		other.addEventListener('name', show);
		show();
	}

	toggle() {
		if (!this.works)
			return;
		if (this.state === 'off')
			this.#connect();
		else
			this.#client.disconnect();
	}

	#part(name) {
		return this.element.querySelector(`[data-part="${name}"]`);
	}

	#connect() {
		const { name, raw } = transportNamed(this.transport);

		this.#part('trouble').textContent = '';
		this.#client.connect({
			url: new URL(BROKER, new URL('./', location.href)).href,
			transport: name,
			raw,
			login: this.name,
			passcode: this.#part('passcode').value,
		});
	}

	/* ---- what the user does ---- */

	#listenToUser() {
		const on = (part, event, act) => this.#part(part).addEventListener(event, act);
		const submit = (part, act) => on(part, 'submit', (e) => {
			e.preventDefault();
			act();
		});

		submit('connection', () => this.toggle());
		submit('subscribe', () => this.#add());
		submit('compose', () => this.#send());
		on('transport', 'change', () => this.#changeTrains());
		on('name', 'input', () => this.#showName());
		on('clear', 'click', () => this.#log.clear());
		on('to-topic', 'click', () => this.#address(CHAT));
		on('to-other', 'click', () => this.#address(this.#other.address));
		on('to-nobody', 'click', () => this.#address(MISTAKE));
	}

	async #changeTrains() {
		this.#showState();
		this.dispatchEvent(new Event('choice'));
		if (this.state === 'off' || this.#changing)
			return;
		this.#changing = true;
		await this.#client.disconnect();
		this.#changing = false;
		this.#connect();
	}

	#address(destination) {
		this.#part('destination').value = destination;
		this.#part('message').focus();
	}

	#send() {
		const from = this.name ? { from: this.name } : {};

		this.#part('trouble').textContent = '';
		this.#client.send(this.#part('destination').value.trim(), this.#part('message').value, from,
			this.#part('wants-receipt').checked);
		this.#part('message').value = '';
	}

	/* ---- subscriptions ---- */

	#add() {
		const destination = this.#part('pattern').value.trim();

		if (!destination || this.#chips.size >= MOST_CHIPS)
			return;
		if (this.#chips.has(destination))
			this.#forget(destination); /* a refused one may be tried again */
		this.#part('trouble').textContent = '';
		this.#want(destination);
		this.#part('pattern').value = '';
	}

	#want(destination) {
		const chip = document.createElement('li');
		const name = Object.assign(document.createElement('code'), { textContent: destination });

		chip.className = 'chip';
		chip.dataset.state = 'wanted';
		chip.append(name, button('', `Unsubscribe ${destination}`, '×', () => this.#forget(destination)));
		this.#chips.set(destination, chip);
		this.#part('chips').append(chip);
		if (this.state === 'open')
			this.#subscribe(destination, chip);
	}

	#forget(destination) {
		const chip = this.#chips.get(destination);

		if (this.state === 'open' && chip.dataset.state !== 'refused')
			this.#client.unsubscribe(destination);
		this.#chips.delete(destination);
		if (chip.contains(document.activeElement))
			this.#part('pattern').focus();
		chip.remove();
	}

	#subscribe(destination, chip) {
		this.#client.subscribe(destination, (message) => this.#hear(message), () => {
			chip.dataset.state = 'active';
		});
	}

	#subscribeAll() {
		for (const [destination, chip] of this.#chips)
			if (chip.dataset.state !== 'refused')
				this.#subscribe(destination, chip);
	}

	#noneIsActive() {
		for (const chip of this.#chips.values())
			if (chip.dataset.state === 'active')
				chip.dataset.state = 'wanted';
	}

	/* ---- what the client says ---- */

	#listenToClient() {
		this.#client.addEventListener('state', () => this.#onState());
		this.#client.addEventListener('frame', ({ detail: frame }) => this.#onFrame(frame));
		this.#client.addEventListener('receipt', ({ detail: frame }) => this.#onReceipt(frame));
		this.#client.addEventListener('refused', ({ detail: refusal }) => this.#onRefused(refusal));
	}

	#onState() {
		if (this.state === 'open')
			this.#subscribeAll();
		else
			this.#noneIsActive();
		this.#showState();
		this.dispatchEvent(new Event('state'));
	}

	#onFrame(frame) {
		this.#log.add(frame);
		this.#track.run(frame.dir);
		if (frame.beat)
			this.#showBeats();
	}

	#onReceipt(frame) {
		this.#log.answered(frame);
		this.#part('receipt').textContent = `${humanMs(frame.answeredAfter)} ms`;
		this.#part('receipts').textContent = this.#client.receipts === 1 ? '1 receipt' : `${this.#client.receipts} receipts`;
	}

	/* A subscription that was refused is not tried again. */
	#onRefused({ code, message, sentence, answers }) {
		this.#part('trouble').textContent = `${code ?? ''} ${message}: ${sentence}`;
		if (answers?.command === 'SUBSCRIBE' && this.#chips.has(header(answers, 'destination')))
			this.#chips.get(header(answers, 'destination')).dataset.state = 'refused';
	}

	/* For those who hear the page: a message, and not the frames. */
	#hear({ headers, body }) {
		this.#heard.text = `${headers.from ?? 'Somebody'} to ${headers.destination}: ${body.slice(0, HEARD_CHARS)}`;
		this.#heard.timer ||= setTimeout(() => {
			this.#heard.timer = 0;
			this.#part('heard').textContent = this.#heard.text;
		}, HEARD_MS);
	}

	/* ---- what is to be seen ---- */

	#showName() {
		this.#part('who').textContent = this.name || 'you';
		this.#part('heading').textContent = this.name;
		this.dispatchEvent(new Event('name'));
	}

	#showState() {
		const { state, transport } = this.#client;
		const open = state === 'open';

		this.element.dataset.state = state;
		this.element.dataset.line = transportNamed(this.#lineTaken()).line;
		this.#part('state').textContent = STATES[state];
		this.#part('used').textContent = open ? `by ${transport}` : '';
		this.#part('connect').textContent = BUTTONS[state];
		this.#part('connect').disabled = !hasStomp;
		this.#part('send').disabled = !open;
		this.#showAgreement();
		this.#showBeats();
	}

	/* SockJS says which one it took; until then, and of a bare WebSocket, the choice counts. */
	#lineTaken() {
		const { raw } = transportNamed(this.transport);

		return (raw === undefined && this.#client.transport) || this.transport;
	}

	#showAgreement() {
		const { agreed } = this.#client;

		this.#part('session').textContent = agreed?.session || '–';
		this.#part('session').title = agreed?.session ?? '';
		this.#part('identity').textContent = !agreed ? '–' : agreed.user ? `user ${agreed.user}` : 'anonymous';
		this.#part('version').textContent = agreed ? `STOMP ${agreed.version}` : '–';
		this.#part('server').textContent = agreed?.server || '–';
		this.#part('beats').textContent = agreed ? `→ ${every(agreed.beats.out)} ← ${every(agreed.beats.in)}` : '–';
		if (!agreed)
			for (const part of ['receipt', 'receipts'])
				this.#part(part).textContent = '–';
	}

	#showBeats() {
		const { agreed, beats } = this.#client;

		this.#part('beat-counts').textContent = agreed ? `→ ${beats.out} ← ${beats.in} so far` : '–';
	}
}
