/*
 * doctor_reach.js - whether plain requests reach the server: GET, /info, POST, and how long a round trip takes.
 */
import { sessionId } from './doctor_line.js';

const PATIENCE_MS = 8000;
const ROUNDS = 5;
const FOREIGN = /origin is not allowed/;
const GREETING_MS = 4000;

async function get(url) {
	const began = performance.now();

	try {
		const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
		const text = await response.text();

		return { state: response.ok ? 'ok' : 'failed', status: response.status, ms: performance.now() - began, text };
	} catch (e) {
		return { state: e.name === 'TimeoutError' ? 'hangs' : 'failed', status: 0, ms: performance.now() - began, text: '' };
	}
}

export async function askInfo(base) {
	const answer = await get(`${base}/info?t=${Date.now()}`);

	if (answer.state !== 'ok')
		return answer;
	try {
		return { ...answer, websocket: JSON.parse(answer.text).websocket === true };
	} catch {
		return { ...answer, state: 'foreign' };
	}
}

/* Something else of this server: whether it is /info alone that does not work. */
export function askElse(base) {
	return get(`${base}?t=${Date.now()}`);
}

/* The median of some small requests on connections that are there already. */
export async function roundTrip(base) {
	const times = [];

	for (let i = 0; i < ROUNDS; i++) {
		const answer = await get(`${base}/info?t=${Date.now()}${i}`);

		if (answer.state === 'ok')
			times.push(answer.ms);
		if (answer.ms > 1500 && times.length >= 2)
			break;
	}
	return times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
}

/* A POST with a body that the server answers at once, as each send of a page. */
export async function tryPost(base) {
	const url = `${base}/000/${sessionId()}`;
	const post = (what, body) => fetch(`${url}/${what}`, { method: 'POST', body, cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });

	try {
		const opened = await post('xhr');
		const text = await opened.text();

		if (!opened.ok)
			return { state: opened.status === 403 && FOREIGN.test(text) ? 'origin' : 'refused', status: opened.status };
		const sent = await post('xhr_send', '["{\\"do\\":\\"close\\"}"]');

		return { state: sent.ok ? 'ok' : 'refused', status: sent.status };
	} catch (e) {
		return { state: e.name === 'TimeoutError' ? 'hangs' : 'refused', status: 0 };
	}
}

/* What the server saw of a GET, where nothing that is sent arrives: it says so unasked. */
export async function askGreeting(base) {
	const abort = new AbortController();
	const timer = setTimeout(() => abort.abort(), GREETING_MS);

	try {
		const response = await fetch(`${base}/000/${sessionId()}/eventsource?greet=0`, { signal: abort.signal, cache: 'no-store' });
		const reader = response.body.getReader();
		const decoder = new TextDecoder();
		let text = '';

		for (;;) {
			const { value, done } = await reader.read();
			const match = /^data: a(\[.*\])\r?$/m.exec(text += decoder.decode(value ?? new Uint8Array(), { stream: true }));

			if (match)
				return JSON.parse(JSON.parse(match[1])[0]);
			if (done)
				return null;
		}
	} catch {
		return null;
	} finally {
		clearTimeout(timer);
		abort.abort();
	}
}
