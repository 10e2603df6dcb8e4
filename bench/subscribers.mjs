/*
 * bench/subscribers.mjs - clients of STOMP over TCP who count octets: no more than they must, so that what is measured is not
 * themselves.
 */
import { readFileSync } from 'node:fs';
import { until } from '../tests/reload/gateway.mjs';
import { Line } from '../tests/relay/frames.mjs';

/* Seconds of processor that a process has used. */
export function cpuOf(pid) {
	const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');

	return (Number(fields[11]) + Number(fields[12])) / 100;
}

/* Reads frames until it is subscribed, and from then on their octets. */
export class Subscriber extends Line {
	octets = 0;

	async begin(credentials, destination) {
		await this.connect(credentials);
		this.send('SUBSCRIBE', { id: 'x', destination, receipt: 'r' });
		await this.receipt('r');
		this.socket.removeAllListeners('data');
		this.socket.on('data', (piece) => { this.octets += piece.length; });
		return this;
	}
}

/* So many of one destination, fifty at a time. */
export async function subscribers(count, url, credentials, destination) {
	const all = [];

	while (all.length < count)
		all.push(...await Promise.all(Array.from({ length: Math.min(50, count - all.length) }, () => new Subscriber(url).begin(credentials, destination))));
	return all;
}

/* One client sends, as fast as it can or one message every so many milliseconds; until all of it has come to all. Each message is as
 * long as the first, which has come. */
export async function sendToAll(all, sender, destination, body, messages, everyMs = 0) {
	const each = all[0].octets, begun = performance.now();

	for (let i = 0; i < messages; i++) {
		while (everyMs > 0 && performance.now() < begun + i * everyMs)
			await new Promise((resolve) => setTimeout(resolve, 1));
		sender.send('SEND', { destination }, body);
	}
	/* Ids grow by a digit: so many octets at least, and those are within a hundredth of all */
	await until(() => all.every((s) => s.octets >= each * (messages + 1) * 0.99), 'all have come', 240000);
	await until(() => { const n = all[0].octets; return all.every((s) => Math.abs(s.octets - n) < 2000); }, 'all alike', 60000);
}
