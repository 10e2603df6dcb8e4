/*
 * way.mjs - a way to a server, which can be closed and opened again.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Way {
	sockets = new Set();

	constructor(to) {
		this.to = to;
	}

	async open() {
		this.server = createServer((from) => {
			const to = connect(this.to, '127.0.0.1');

			for (const [socket, other] of [[from, to], [to, from]]) {
				this.sockets.add(socket);
				socket.on('error', () => {});
				socket.on('close', () => { this.sockets.delete(socket); other.destroy(); });
			}
			from.pipe(to);
			this.pass(to, from);
		}).listen(this.port ?? 0, '127.0.0.1');
		await once(this.server, 'listening');
		this.port = this.server.address().port;
		return this;
	}

	/* What the server says. */
	pass(from, to) {
		from.pipe(to);
	}

	close() {
		this.server.close();
		this.sockets.forEach((s) => s.destroy());
	}
}
