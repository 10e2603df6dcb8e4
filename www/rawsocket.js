/*
 * rawsocket.js - a bare WebSocket behind the interface of sockjs-client.
 *
 * No frames of SockJS here: a message is a message, and nobody tells of heartbeats,
 * which are the browser's own affair (Ping and Pong).
 */
export class RawSocket {
	onopen = null;
	onmessage = null;
	onclose = null;
	transport;
	#socket;

	/* `url` is http: or https:, as for SockJS; `transport` is the name to go by. */
	constructor(url, transport) {
		this.transport = transport;
		this.#socket = new WebSocket(url.replace(/^http/, 'ws'));
		this.#socket.onopen = () => this.onopen();
		this.#socket.onmessage = (e) => this.onmessage(e);
		this.#socket.onclose = (e) => this.onclose(e);
	}

	send(text) {
		this.#socket.send(text);
	}

	close(code, reason) {
		this.#socket.close(code, reason);
	}
}
