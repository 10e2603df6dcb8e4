/*
 * clients.mjs - a gateway under test and clients of its broker: what suites of several processes say again and again.
 */
import { equal } from '../e2e/harness.mjs';
import { Gateway, until } from '../reload/gateway.mjs';
import { Line } from './frames.mjs';

/* A gateway whose addresses behind the first are for STOMP: `stomp` is the first of these, `stomps` are all. */
export async function startGateway(program, folder, name, config) {
	const gateway = await new Gateway(program, folder, name).start(config);

	gateway.stomps = gateway.urls.slice(1).map((url) => `stomp://127.0.0.1:${/:(\d+)$/.exec(url)[1]}`);
	[gateway.stomp] = gateway.stomps;
	return gateway;
}

export async function finish(gateway) {
	equal(await gateway.stop(), 0, 'exit code');
	equal(gateway.log.filter((l) => /Sanitizer|runtime error/.test(l)), [], 'nothing is said by a sanitizer');
}

export async function readyz(gateway) {
	return (await fetch(`${gateway.internal}/readyz`)).status;
}

export function ready(gateway, what) {
	return until(async () => await readyz(gateway) === 200, what);
}

export async function client({ stomp }, headers = {}) {
	const line = new Line(stomp);

	line.answer = await line.connect(headers);
	equal(line.answer.command, 'CONNECTED', `the answer to CONNECT: ${line.answer}`);
	return line;
}

export async function subscribe(line, id, destination, headers = {}) {
	line.send('SUBSCRIBE', { id, destination, receipt: `s-${id}`, ...headers });
	await line.receipt(`s-${id}`);
}

let receipts = 0;
export async function send(line, destination, body, headers = {}) {
	const receipt = `r-${receipts++}`;

	line.send('SEND', { destination, receipt, ...headers }, body);
	await line.receipt(receipt);
}
