/*
 * plans.mjs - what a backend made up by chance does with one session: its answer to the
 * handshake, its frames, in what pieces and pauses it says them, and how it ends.
 *
 * A plan is a function of a seed alone; what it needs of the request (the key) it is told
 * when it is played.
 */
import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { closeFrame, frame } from './backend.mjs';
import { sleep } from './gateway.mjs';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/* Numbers by chance that a seed repeats (mulberry32), and what is picked with them. */
export class Chance {
	#state;

	constructor(seed) {
		this.#state = seed >>> 0;
	}

	next() {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let t = this.#state;
		t = Math.imul(t ^ (t >>> 15), t | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	}

	/* From 0 to n - 1 */
	below(n) {
		return Math.floor(this.next() * n);
	}

	between(a, b) {
		return a + this.below(b - a + 1);
	}

	/* Once in n times */
	once(n) {
		return this.below(n) === 0;
	}

	of(list) {
		return list[this.below(list.length)];
	}

	octets(n) {
		return Buffer.from(Array.from({ length: n }, () => this.below(256)));
	}
}

/* --- octets gone wrong ---------------------------------------------------------- */

const NASTY = ['\0', '\r', '\n', '\r\n', '\r\n\r\n', ' ', '\t', ':', '\x7f', '\xff', ',', ';', '"', 'HTTP/1.1 101 x\r\n'];

const CHANGES = {
	change(c, b) {
		const copy = Buffer.from(b);

		if (copy.length)
			copy[c.below(copy.length)] = c.below(256);
		return copy;
	},
	flip(c, b) {
		const copy = Buffer.from(b);

		if (copy.length)
			copy[c.below(copy.length)] ^= 1 << c.below(8);
		return copy;
	},
	insert(c, b) {
		const at = c.below(b.length + 1);

		return Buffer.concat([b.subarray(0, at), c.once(2) ? c.octets(c.between(1, 8)) : Buffer.from(c.of(NASTY), 'latin1'), b.subarray(at)]);
	},
	remove(c, b) {
		const at = c.below(b.length + 1);

		return Buffer.concat([b.subarray(0, at), b.subarray(at + c.between(1, 6))]);
	},
	cut(c, b) {
		return b.subarray(0, c.below(b.length + 1));
	},
	repeat(c, b) {
		const at = c.below(b.length + 1), end = at + c.below(80);

		return Buffer.concat([b.subarray(0, end), b.subarray(at)]);
	},
};

function mutate(c, b) {
	let result = b;

	for (let i = c.between(1, 3); i > 0; i--)
		result = CHANGES[c.of(Object.keys(CHANGES))](c, result);
	return result;
}

/* --- the answer ----------------------------------------------------------------- */

function good(key, more = []) {
	return ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${key}`, ...more];
}

function head(lines) {
	return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/* `lines` with one more at any place behind the first. */
function withLine(c, lines, line) {
	const copy = [...lines];

	copy.splice(c.between(1, copy.length), 0, line);
	return copy;
}

const STATUSES = [401, 403, 404, 429, 500, 501, 502, 503, 200, 204, 301, 302, 304, 400, 426, 0, 99, 600, 999];
const AGREED = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const DEFLATE = [AGREED, 'permessage-deflate',
	'permessage-deflate; client_max_window_bits=9', 'permessage-deflate; server_max_window_bits=16', 'permessage-deflate; nonsense',
	'permessage-deflate, permessage-deflate', 'x-webkit-deflate-frame', ''];
const NEARLY = ['Upgrade: WebSocket', 'Upgrade: h2c', 'Connection: close', 'Connection: keep-alive, Upgrade', 'Sec-WebSocket-Version: 8',
	'Sec-WebSocket-Protocol: never.asked.for', 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'Transfer-Encoding: chunked',
	'Content-Length: 5', 'Content-Length: 18446744073709551616', ' folded', 'no colon', ': no name', 'two words: x', 'Retry-After: 99999999999'];

const VERSIONS = ['HTTP/1.0 101 x', 'HTTP/2 101 x', 'HTTP/1.1 101', 'HTTP/1.1 101 ', 'ICY 101 x', 'HTTP/1.1 1011 x'];

const ANSWERS = {
	refused(c) {
		const body = c.octets(c.of([0, 5, 300, 9000]));
		const length = c.of([[], [`Content-Length: ${body.length}`], ['Content-Length: 7'], ['Transfer-Encoding: chunked']]);

		return Buffer.concat([head([`HTTP/1.1 ${c.of(STATUSES)} Whatever`, ...length, `Retry-After: ${c.of([0, 1, 60, 'soon'])}`]), body]);
	},
	changed: (c, key) => mutate(c, head(good(key))),
	nearly: (c, key) => head(withLine(c, good(key), c.of(NEARLY))),
	twice(c, key) {
		const lines = good(key);

		return head(withLine(c, lines, c.of(lines)));
	},
	without: (c, key) => head(good(key).filter((_, i) => i !== c.between(1, 3))),
	many: (c, key) => head(good(key, Array.from({ length: c.between(1, 300) }, (_, i) => `X-${i}: ${'v'.repeat(c.below(40))}`))),
	long: (c, key) => head(withLine(c, good(key), `X-Long: ${'v'.repeat(c.of([100, 4000, 8150, 8192, 16384, 70000]))}`)),
	longName: (c, key) => head(withLine(c, good(key), `${'n'.repeat(c.of([100, 8192, 20000]))}: x`)),
	bare: (c, key) => Buffer.from(head(good(key)).toString('latin1').replaceAll('\r\n', c.of(['\n', '\r', '\n\r', '\r\r\n'])), 'latin1'),
	nul: (c, key) => head(withLine(c, good(key), `X-Nul: ${'\0'.repeat(c.between(1, 3))}`)),
	version: (c, key) => head([c.of(VERSIONS), ...good(key).slice(1)]),
	interim: (c, key) => Buffer.concat([...Array.from({ length: c.between(1, 12) },
		() => head([`HTTP/1.1 ${c.of([100, 102, 103, 199])} Wait`, ...(c.once(3) ? ['X: y', 'Content-Length: 3'] : [])])), head(good(key))]),
	extension: (c, key) => head(good(key, [`Sec-WebSocket-Extensions: ${c.of(DEFLATE)}`])),
	garbage: (c) => c.octets(c.between(1, 3000)),
	empty: () => Buffer.alloc(0),
};

/* --- frames --------------------------------------------------------------------- */

const CODES = [0, 999, 1000, 1001, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1014, 1015, 1016, 2999, 3000, 4321, 4999, 5000, 65535];
const SIZES = [0, 1, 5, 100, 125, 126, 127, 1000, 10000];
const LENGTHS = ['817e000141', '817f000000000000000141', '817f8000000000000000', '817fffffffffffffffff', '897e0001', '0900', '817e'];
const NO_UTF8 = ['ff', 'c080', 'eda080', 'f4908080', 'e282'];
const TOO_BIG = [32704, 32705, 40000, 65535, 65536, 100000];

function text(c, n) {
	return Buffer.from(Array.from({ length: n }, () => c.of(['a', 'Z', '"', '\\', '\n', '\x00', ' '])).join(''));
}

/* As permessage-deflate wants it: without the 00 00 ff ff at the end. */
function deflated(payload) {
	return deflateRawSync(payload, { finishFlush: 2 }).subarray(0, -4);
}

const FRAMES = {
	text: (c) => frame(0x81, text(c, c.of(SIZES))),
	unicode: () => frame(0x81, 'h\u00e4\u{1f600}\u2028\ufeff\u0000'),
	fragments(c) {
		const parts = Array.from({ length: c.between(1, 6) }, () => frame(0x00, text(c, c.below(50))));

		return Buffer.concat([frame(c.of([0x01, 0x02]), 'begin'), ...parts, ...(c.once(2) ? [frame(0x89, 'between')] : []), frame(0x80, 'end')]);
	},
	ping: (c) => frame(0x89, c.octets(c.of([0, 4, 125]))),
	pong: (c) => frame(0x8a, c.octets(c.of([0, 4, 125]))),
	binary: (c) => frame(0x82, c.octets(c.of([0, 1, 300]))),
	big: (c) => frame(c.of([0x81, 0x01]), Buffer.alloc(c.of(TOO_BIG), 'b')),
	utf8: (c) => frame(c.of([0x81, 0x01]), Buffer.concat([text(c, 3), Buffer.from(c.of(NO_UTF8), 'hex')])),
	opcode: (c) => frame(c.below(256), c.octets(c.of([0, 1, 20]))),
	reserved: (c) => frame(0x81 | c.of([0x10, 0x20, 0x40, 0x70]), text(c, 5)),
	masked: (c) => Buffer.concat([Buffer.from([0x81, 0x85]), c.octets(9)]),
	length: (c) => Buffer.from(c.of(LENGTHS), 'hex'),
	close: (c) => closeFrame(c.of(CODES), c.of(['', 'a reason', 'r'.repeat(123)])),
	badClose: (c) => c.of([frame(0x88, '\x03'), frame(0x88, Buffer.from([3, 232, 255])), frame(0x88, 'c'.repeat(126)), frame(0x08, '')]),
	deflated: (c) => frame(0xc1, deflated(text(c, c.of([0, 50, 3000])))),
	bomb: (c) => frame(0xc1, deflated(Buffer.alloc(c.of([40000, 3000000]), 'z'))),
	badDeflated: (c) => frame(0xc1, c.once(2) ? c.octets(c.between(0, 60)) : mutate(c, deflated(text(c, 500)))),
	deflatedFragments(c) {
		const all = deflated(text(c, 2000)), half = c.below(all.length);

		return Buffer.concat([frame(0x41, all.subarray(0, half)), frame(c.of([0x80, 0x80, 0xc0]), all.subarray(half))]);
	},
	changed: (c) => mutate(c, frame(0x81, text(c, c.of(SIZES)))),
	garbage: (c) => c.octets(c.between(1, 200)),
};
const HARMLESS = ['text', 'text', 'unicode', 'fragments', 'ping', 'pong'];

/* --- the whole ------------------------------------------------------------------ */

const ENDS = ['fin', 'reset', 'half', 'silence', 'close', 'closeAndWait', 'closeAndReset'];

export function makePlan(seed) {
	const c = new Chance(seed);
	const answer = c.once(3) ? c.of(Object.keys(ANSWERS)) : null;
	const kinds = c.once(3) ? HARMLESS : Object.keys(FRAMES);
	const names = Array.from({ length: c.of([0, 1, 1, 3, 8]) }, () => (c.once(2) ? c.of(HARMLESS) : c.of(kinds)));

	return { answer, names, end: c.of(ENDS), reads: !c.once(8), asDeflate: c.once(2), pieces: c.of([1, 1, 2, 5, 40]), pause: c.of([0, 0, 3, 20]),
		before: c.once(8) ? c.between(1, 100) : 0, rest: c.between(0, 1 << 30) };
}

export function tell(plan) {
	return `${plan.answer ?? '101'}; ${plan.names.join(' ')}; ${plan.end}${plan.reads ? '' : ', reads nothing'}`;
}

function compose(plan, request) {
	const c = new Chance(plan.rest);
	const nonce = /^sec-websocket-key: *(\S+)/im.exec(request)?.[1];
	const key = createHash('sha1').update(nonce + GUID).digest('base64');
	const more = plan.asDeflate && /permessage-deflate/.test(request) ? [`Sec-WebSocket-Extensions: ${AGREED}`] : [];
	const answer = plan.answer ? ANSWERS[plan.answer](c, key) : head(good(key, more));
	const frames = plan.names.map((name) => FRAMES[name](c));
	const goodbye = plan.end.startsWith('close') ? [closeFrame(4000 + c.below(999), 'goodbye')] : [];

	return { c, wire: Buffer.concat([answer, ...frames, ...goodbye]) };
}

/* What a frame of one piece carries. */
function payload(bytes) {
	return bytes.subarray(bytes[1] < 126 ? 2 : 4).toString();
}

/* What a client must hear, word for word, of a backend that does nothing wrong and says Close; null for others.
 * A reset, or an end that answers a pong with one, overtakes what has not left: behind TLS, what Node has yet to
 * encrypt; of many pieces, those beyond TCP's first window of ten. */
export function promised(plan, isTls) {
	const c = new Chance(plan.rest);
	const tame = plan.names.every((name) => ['text', 'unicode', 'ping', 'pong'].includes(name));
	const leaves = plan.pieces > 5 ? [] : isTls ? ['close'] : ['close', 'closeAndReset'];

	if (plan.answer || !tame || !plan.reads || !['closeAndWait', ...leaves].includes(plan.end))
		return null;
	const frames = plan.names.map((name) => FRAMES[name](c));
	return { messages: frames.filter((f) => f[0] === 0x81).map(payload), code: 4000 + c.below(999) };
}

function finish(socket, end, reset) {
	if (end === 'reset' || end === 'closeAndReset')
		reset();
	else if (end === 'fin' || end === 'close')
		socket.destroySoon();
	else if (end === 'half')
		socket.end();
	/* else it waits for the gateway to lose its patience */
}

/* Says on `socket` what the plan says, in its pieces; `reset` cuts the connection. */
export async function play(plan, socket, request, reset) {
	const { c, wire } = compose(plan, request);
	const cuts = Array.from({ length: plan.pieces - 1 }, () => c.below(wire.length + 1)).sort((a, b) => a - b);

	if (!plan.reads)
		socket.pause();
	await sleep(plan.before);
	for (let i = 0, from = 0; i < plan.pieces && !socket.destroyed; i++) {
		const to = cuts[i] ?? wire.length;

		if (to > from)
			socket.write(wire.subarray(from, to));
		from = to;
		if (plan.pause && i + 1 < plan.pieces)
			await sleep(c.below(plan.pause));
	}
	if (!socket.destroyed)
		finish(socket, plan.end, reset);
}
