/*
 * commands.js - commands of the same address, /api/NAME, with the token that the feed was given, or with
 * the certificate that the browser shows.
 */
import { token } from './feed.js';

const PATIENCE_MS = 10000;

export class Refusal extends Error {
	constructor(status, error) {
		super(error?.message ?? `The server answered ${status}.`);
		this.status = status;
		this.code = error?.code;
	}
}

/* The answer, an object; throws a Refusal, or what fetch() throws when nobody answers. */
export async function command(name, body = {}) {
	const known = token.get();
	const response = await fetch(new URL(`../api/${name}`, location.href.split('#')[0]), {
		method: 'POST',
		headers: { 'Content-Type': 'application/json', ...(known !== null && { Authorization: `Bearer ${known}` }) },
		body: JSON.stringify(body),
		cache: 'no-store',
		credentials: 'same-origin', /* without them no certificate is shown */
		signal: AbortSignal.timeout(PATIENCE_MS),
	});
	const answer = await response.json().catch(() => ({}));

	if (!response.ok)
		throw new Refusal(response.status, answer.error);
	return answer;
}

/* For people, whatever was thrown. */
export function sentence(e) {
	return e instanceof Refusal ? e.message : 'The server does not answer.';
}
