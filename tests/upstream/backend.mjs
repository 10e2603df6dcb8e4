/*
 * backend.mjs - the applications behind the gateway: good ones, on `ws`, and hostile ones, which
 * speak to the socket by hand. Which, says the query of the request: ?do=NAME&n=NUMBER.
 *
 * Owns: one server, its sockets. Knows: what each connection was asked and has heard.
 */
import { createHash } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { WebSocketServer } from 'ws';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

function accept(req, socket, more = '') {
	const key = createHash('sha1').update(req.headers['sec-websocket-key'] + GUID).digest('base64');

	socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n${more}\r\n`);
}

/* A frame of a server; `first` is FIN, RSV and opcode. */
export function frame(first, payload = Buffer.alloc(0)) {
	const body = Buffer.from(payload);
	const n = body.length;
	const head = n < 126 ? Buffer.from([first, n]) : n < 65536 ? Buffer.alloc(4) : Buffer.alloc(10);

	if (n >= 126) {
		head[0] = first;
		head[1] = n < 65536 ? 126 : 127;
		if (n < 65536)
			head.writeUInt16BE(n, 2);
		else
			head.writeBigUInt64BE(BigInt(n), 2);
	}
	return Buffer.concat([head, body]);
}

export function closeFrame(code, reason = '') {
	const body = Buffer.alloc(2 + Buffer.byteLength(reason));

	body.writeUInt16BE(code, 0);
	body.write(reason, 2);
	return frame(0x88, body);
}

/* The wire takes more again, or never will. */
function drained(socket) {
	return new Promise((resolve) => {
		const done = () => {
			socket.off('drain', done).off('close', done);
			resolve();
		};

		if (socket.destroyed)
			setImmediate(resolve); /* its owner has to hear of it, too */
		else
			socket.on('drain', done).on('close', done);
	});
}

/* Writes as fast as the other end takes it, until it is gone. */
async function pour(socket, piece, limit = Infinity) {
	let sent = 0;

	while (!socket.destroyed && sent < limit) {
		sent += piece.length;
		socket.poured = sent;
		if (!socket.write(piece))
			await drained(socket);
		else
			await new Promise(setImmediate);
	}
}

/* --- those that behave, on an open WebSocket -------------------------------- */

const GOOD = {
	echo(ws) {
		ws.on('message', (data, binary) => ws.send(data, { binary }));
	},
	/* What it was asked, as JSON */
	mirror(ws, { req }) {
		ws.send(JSON.stringify({ url: req.url, headers: req.headers, raw: req.rawHeaders, protocol: ws.protocol }));
		GOOD.echo(ws);
	},
	/* n numbered messages, waiting for the wire to take them */
	async count(ws, { n, pad }) {
		for (let i = 0; i < n && ws.readyState === 1; i++) {
			ws.send(pad ? `${i} ${'p'.repeat(pad)}` : String(i));
			if (ws.bufferedAmount > 65536)
				await drained(ws._socket);
		}
	},
	/* Counts what it hears, and says when all of it came in order */
	tally(ws, { n }) {
		let next = 0, wrong = null;

		ws.on('message', (data) => {
			const number = parseInt(data.toString(), 10);
			if (number !== next && wrong === null)
				wrong = `${number} instead of ${next}`;
			if (++next === n)
				ws.send(wrong ?? `all ${n}`);
		});
	},
	/* The first words and the end, in one go */
	goodbye(ws, { n }) {
		ws.send('first words');
		ws.close(n, 'goodbye');
	},
	closeLater(ws, { n }) {
		ws.on('message', () => ws.close(n, 'as asked'));
	},
	closeWithout(ws) {
		ws.on('message', () => ws.close());
	},
	/* An end without a Close frame, by FIN or by RST */
	hangUp(ws) {
		ws.on('message', () => ws._socket.end());
	},
	reset(ws) {
		ws.on('message', () => ws._socket.resetAndDestroy());
	},
	binary(ws) {
		ws.send(Buffer.from([0, 1, 2, 250, 255]));
		GOOD.echo(ws);
	},
	emptyBinary(ws) {
		ws.send(Buffer.alloc(0));
	},
	big(ws, { n }) {
		ws.send('b'.repeat(n));
	},
	/* Reads `pad` octets in a second, and says when it has heard n messages */
	crawl(ws, { n, pad }) {
		const socket = ws._socket;

		socket.prependListener('data', (chunk) => {
			socket.pause();
			setTimeout(() => socket.resume(), (chunk.length / pad) * 1000);
		});
		ws.heard = 0;
		ws.on('message', () => {
			if (++ws.heard === n)
				ws.send(`all ${n}`);
		});
	},
	/* Reads nothing until told by the test */
	stalled(ws) {
		ws._socket.pause();
	},
	quoted(ws, { n }) {
		for (let i = 0; i < n; i++)
			ws.send(`{"n":${i},"text":"${'\\"\u0001'.repeat(300)}"}`);
	},
	async flood(ws, { n }) {
		const text = 'f'.repeat(n || 1000);

		/* A wire that takes everything at once would never let anybody else have a turn */
		for (let i = 1; ws.readyState === 1; i++) {
			ws.send(text);
			if (ws.bufferedAmount > 65536)
				await drained(ws._socket);
			else if (i % 64 === 0)
				await new Promise(setImmediate);
		}
	},
	silent() {},
	/* Reads, and answers no Close */
	deaf(ws) {
		ws._receiver.removeAllListeners('conclude');
	},
};

/* --- those that do not ------------------------------------------------------- */

const BAD = {
	refuse(req, socket, { n }) {
		socket.end(`HTTP/1.1 ${n} Whatever\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
	},
	redirect(req, socket) {
		socket.end('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n');
	},
	ok(req, socket) {
		socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
	},
	never() {},
	async slow(req, socket, { n, server }) {
		await new Promise((resolve) => { setTimeout(resolve, n); });
		server.welcome(req, socket, 'echo', {});
	},
	/* 101, or a refusal, with two cookies */
	cookies(req, socket, { n }) {
		const lines = 'Set-Cookie: sid=abc; Path=/; HttpOnly\r\nset-cookie:other="x y"; Max-Age=5\r\n';

		if (n === 101)
			accept(req, socket, lines);
		else
			socket.end(`HTTP/1.1 ${n} Whatever\r\n${lines}Content-Length: 0\r\n\r\n`);
	},
	manyCookies(req, socket) {
		accept(req, socket, Array.from({ length: 100 }, (_, i) => `Set-Cookie: c${i}=1\r\n`).join(''));
	},
	longCookies(req, socket) {
		accept(req, socket, Array.from({ length: 7 }, (_, i) => `Set-Cookie: c${i}=${'l'.repeat(2000)}\r\n`).join(''));
	},
	refuseUntil(req, socket, { n, bytes }) {
		socket.end(`HTTP/1.1 ${n} Whatever\r\n${bytes && `Retry-After: ${bytes}\r\n`}Content-Length: 0\r\n\r\n`);
	},
	refuseLater(req, socket, { n }) {
		setTimeout(() => BAD.refuse(req, socket, { n }), 600);
	},
	/* The 101 in pieces of one octet, with 100s before it, and the first frame right behind */
	async drip(req, socket) {
		const wire = [];
		accept(req, { write: (text) => wire.push(Buffer.from(`HTTP/1.1 100 Continue\r\n\r\n${text}`)) });
		for (const byte of Buffer.concat([...wire, frame(0x81, 'dripped')])) {
			socket.write(Buffer.from([byte]));
			await new Promise((resolve) => { setTimeout(resolve, 1); });
		}
	},
	hangUpAtOnce(req, socket) {
		socket.end();
	},
	resetAtOnce(req, socket) {
		socket.resetAndDestroy();
	},
	resetAfter101(req, socket) {
		accept(req, socket);
		setImmediate(() => socket.resetAndDestroy());
	},
	hangUpIn101(req, socket) {
		socket.end('HTTP/1.1 101 Switching Proto');
	},
	badAccept(req, socket) {
		socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n');
	},
	badExtension(req, socket) {
		accept(req, socket, 'Sec-WebSocket-Extensions: permessage-deflate\r\n');
	},
	badSubprotocol(req, socket) {
		accept(req, socket, 'Sec-WebSocket-Protocol: never.asked.for\r\n');
	},
	garbage(req, socket) {
		socket.write(Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 31) & 255)));
	},
	bigHead(req, socket) {
		socket.on('error', () => {});
		socket.write(`HTTP/1.1 101 Switching Protocols\r\nX-Big: ${'x'.repeat(1 << 20)}\r\n`);
	},
	manyHeaders(req, socket) {
		socket.on('error', () => {});
		socket.write(`HTTP/1.1 101 Switching Protocols\r\n${'X-Many: y\r\n'.repeat(20000)}`);
	},
	frames(req, socket, { bytes }) {
		accept(req, socket);
		socket.write(Buffer.from(bytes, 'hex'));
	},
	giantFrame(req, socket) {
		accept(req, socket);
		socket.write(Buffer.from('817f0000000800000000', 'hex'));
		pour(socket, Buffer.alloc(65536, 'g'));
	},
	fragments(req, socket) {
		accept(req, socket);
		socket.write(frame(0x01, 'x'));
		pour(socket, Buffer.concat(Array.from({ length: 1000 }, () => frame(0x00, ''))));
	},
	/* Pings without end; never reads, so that the pongs pile up */
	pings(req, socket) {
		accept(req, socket);
		socket.pause();
		pour(socket, Buffer.concat(Array.from({ length: 500 }, () => frame(0x89, 'p'.repeat(125)))));
	},
	/* Says Close, and then never stops */
	floodAfterClose(req, socket) {
		accept(req, socket);
		socket.write(closeFrame(1000, 'enough'));
		pour(socket, Buffer.alloc(65536, 'z'));
	},
	floodOfText(req, socket) {
		accept(req, socket);
		pour(socket, Buffer.concat(Array.from({ length: 64 }, () => frame(0x81, 't'.repeat(1000)))));
	},
	/* All it has to say, its Close, and the end of the connection: nothing is waited for */
	sayAndGo(req, socket, { n }) {
		accept(req, socket);
		for (let i = 0; i < n; i++)
			socket.write(frame(0x81, String(i)));
		socket.write(closeFrame(4321, 'said it all'));
		socket.end();
	},
	/* The same, but leaves unread what it was sent: the system resets the connection */
	sayAndReset(req, socket, { n }) {
		const words = Array.from({ length: n }, (_, i) => frame(0x81, String(i)));

		accept(req, socket);
		socket.pause();
		setTimeout(() => socket.write(Buffer.concat([...words, closeFrame(4321, 'said it all')]), () => socket.destroy()), 100);
	},
	/* More than the client takes at once, its Close, and a reset; `n` messages of 1000 octets */
	pourAndReset(req, socket, { n, server }) {
		accept(req, socket);
		socket.write(Buffer.concat([...Array.from({ length: n }, (_, i) => frame(0x81, `${i} ${'p'.repeat(1000)}`)), closeFrame(4321, 'said it all')]));
		setTimeout(() => server.plainOf(socket).resetAndDestroy(), 150);
	},
	neverReads(req, socket) {
		accept(req, socket);
		socket.pause();
	},
	neverAnswersClose(req, socket) {
		accept(req, socket);
		socket.on('data', () => {});
	},
	/* Shuts its own side down, and goes on listening */
	halfClose(req, socket) {
		accept(req, socket);
		socket.end();
		socket.on('data', () => {});
	},
};

export class Backend {
	sockets = new Set();
	lines = new Set(); /* open WebSockets that behave */
	asked = 0;
	accepted = 0; /* connections */
	#server = null;
	#tls;
	#plain = new Map(); /* by port, the connection under TLS that last had it */
	port = 0;

	constructor({ tls, name } = {}) {
		this.#tls = tls;
		this.name = name;
		this.wss = new WebSocketServer({ noServer: true, maxPayload: 1 << 26, perMessageDeflate: { threshold: 0 },
			handleProtocols: (offered) => ['second', 'only', ...[...offered].filter((p) => p.length > 1000)].find((p) => offered.has(p)) ?? false });
	}

	/* On a port, or on the file of a unix socket. */
	async start(where = this.port) {
		const server = this.#tls ? https.createServer(this.#tls) : http.createServer();

		server.on(this.#tls ? 'secureConnection' : 'connection', (socket) => {
			this.accepted++;
			socket.setNoDelay();
			socket.on('error', () => {});
			this.sockets.add(socket);
			socket.on('close', () => this.sockets.delete(socket));
			if (this.onconnection)
				this.onconnection(socket);
		});
		server.on('tlsClientError', () => {});
		if (this.#tls)
			server.on('connection', (socket) => this.#plain.set(socket.remotePort, socket));
		server.on('upgrade', (req, socket) => this.#serve(req, socket));
		await new Promise((resolve, reject) => {
			server.on('error', reject);
			server.listen(where, typeof where === 'string' ? undefined : '127.0.0.1', 1024, resolve);
		});
		this.#server = this.server = server;
		if (typeof where !== 'string')
			this.port = server.address().port;
	}

	/* As a process that is killed: everything is gone at once. */
	async stop() {
		const server = this.#server;

		this.#server = null;
		for (const socket of this.sockets)
			(socket.resetAndDestroy ? socket.resetAndDestroy() : socket.destroy());
		if (server)
			await new Promise((resolve) => { server.close(resolve); });
	}

	/* What is under a connection: it alone can be reset. */
	plainOf(socket) {
		return this.#tls ? this.#plain.get(socket.remotePort) : socket;
	}

	get url() {
		return `${this.#tls ? 'wss' : 'ws'}://127.0.0.1:${this.port}`;
	}

	#serve(req, socket) {
		const query = new URL(req.url, 'http://x').searchParams;
		const name = query.get('do') ?? this.habit ?? 'echo';
		const ask = { n: Number(query.get('n') ?? this.number ?? 0), bytes: query.get('bytes') ?? '', pad: Number(query.get('pad') ?? 0), req, server: this };

		this.asked++;
		this.last = req;
		this.lastSocket = socket;
		if (BAD[name])
			BAD[name](req, socket, ask);
		else
			this.welcome(req, socket, name, ask);
	}

	welcome(req, socket, name, ask) {
		this.wss.handleUpgrade(req, socket, Buffer.alloc(0), (ws) => {
			ws.name = this.name;
			this.lastWs = ws;
			this.lines.add(ws);
			ws.on('error', () => {});
			ws.on('close', (code, reason) => {
				this.lines.delete(ws);
				this.closedWith = { code, reason: reason.toString() };
				ws.closedWith = this.closedWith;
			});
			GOOD[name](ws, { ...ask, req });
		});
	}
}
