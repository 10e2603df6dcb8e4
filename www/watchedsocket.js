/*
 * watchedsocket.js - a socket as @stomp/stompjs wants it, around a WebSocket or a SockJS,
 * and somebody who sees what passes.
 *
 * The watcher is told first, whoever else listens to the same socket: so what is seen of
 * a frame stands before what follows from it.
 */
export class WatchedSocket {
	onopen = null;
	onmessage = null;
	onclose = null;
	onerror = null;
	#socket;
	#watcher;

	/* watcher: { opened(transport), sent(data), received(data) } */
	constructor(socket, watcher) {
		this.#socket = socket;
		this.#watcher = watcher;
		socket.onopen = (e) => {
			watcher.opened(socket.transport ?? 'websocket');
			this.onopen?.(e);
		};
		socket.onmessage = (e) => {
			watcher.received(e.data);
			this.onmessage?.(e);
		};
		socket.onclose = (e) => this.onclose?.(e);
		socket.onerror = (e) => this.onerror?.(e);
	}

	get url() {
		return this.#socket.url;
	}

	get readyState() {
		return this.#socket.readyState;
	}

	set binaryType(type) {
		this.#socket.binaryType = type;
	}

	send(data) {
		this.#watcher.sent(data);
		this.#socket.send(data);
	}

	close() {
		this.#socket.close();
	}
}
