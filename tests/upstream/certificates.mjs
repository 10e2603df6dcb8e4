/*
 * certificates.mjs - clients that show a certificate: what the backend is told of them, and that nobody says it
 * of himself. With a gateway of its own, which believes no proxy.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { equal } from '../e2e/harness.mjs';
import { KINDS, open } from './clients.mjs';
import { Gateway } from './gateway.mjs';

const FORGED = { 'x-client-subject': 'CN=forged', 'x-client-fingerprint': 'forged', 'X-CLIENT-SUBJECT': 'CN=forged' };

/* A backend of hooks that lets everybody in, as somebody else; what it was asked. */
class Guard {
	asked = [];

	start() {
		this.server = createServer(async (request, response) => {
			let body = '';

			for await (const chunk of request)
				body += chunk;
			this.asked.push(JSON.parse(body));
			response.end(JSON.stringify({ headers: { 'X-Client-Subject': 'CN=granted', 'x-granted': 'yes' } }));
		});
		return new Promise((resolve) => { this.server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${this.server.address().port}/`)); });
	}

	stop() {
		this.server.close();
		this.server.closeAllConnections();
	}
}

function configuration({ main, certificates: c }, trusted_proxies, guard) {
	const told = { client_subject_header: 'x-client-subject', client_fingerprint_header: 'X-Client-Fingerprint' };
	const endpoint = (prefix, upstream) => ({ prefix, application: 'upstream', allowed_origins: ['*'],
		request_headers: ['x-client-subject'], upstream: { url: `${main.url}/base`, ...upstream } });

	return {
		threads: 1, trusted_proxies,
		listen: [{ address: '127.0.0.1:0', tls: { certificate: c.files.good.cert, key: c.files.good.key,
			client_ca: c.ca, client_certificate: 'optional' } }],
		internal: { listen: '127.0.0.1:0' },
		endpoints: [endpoint('/told', told), endpoint('/untold', {}),
			{ ...endpoint('/guarded', told), hooks: { url: guard } }],
	};
}

async function mirror(url, kind, agent) {
	const line = await open(url, kind, { query: '?do=mirror', agent, headers: FORGED });
	const { headers } = JSON.parse(await line.next());

	await line.close();
	agent.destroy();
	return headers;
}

function expect(headers, subject, fingerprint) {
	equal(headers['x-client-subject'], subject, 'subject');
	equal(headers['x-client-fingerprint'], fingerprint, 'fingerprint');
}

export async function testCertificates(world) {
	const { suite, folder, program, certificates: c } = world;
	const gateway = new Gateway(program, join(folder, 'certificates.json'));
	const fingerprint = new X509Certificate(readFileSync(c.files.client.cert)).fingerprint256.replaceAll(':', '').toLowerCase();
	const showing = () => new Agent({ ...c.client, rejectUnauthorized: false });
	const without = () => new Agent({ rejectUnauthorized: false });

	const guard = new Guard();
	const url = await guard.start();

	await gateway.start(configuration(world, [], url));
	for (const kind of KINDS) {
		await suite.test(`client certificates, ${kind}: the backend is told whose it is`, async () =>
			expect(await mirror(`${gateway.url}/told`, kind, showing()), 'CN=localhost', fingerprint));
		await suite.test(`client certificates, ${kind}: who shows none cannot say that he has one`, async () =>
			expect(await mirror(`${gateway.url}/told`, kind, without())));
	}
	await suite.test('client certificates: nothing is told that is not asked for', async () =>
		expect(await mirror(`${gateway.url}/untold`, 'raw', showing())));
	for (const kind of ['raw', 'xhr'])
		await suite.test(`client certificates, ${kind}: whoever guards the endpoint is told, and cannot say otherwise`, async () => {
			guard.asked = [];
			const headers = await mirror(`${gateway.url}/guarded`, kind, showing());

			expect(headers, 'CN=localhost', fingerprint);
			equal(headers['x-granted'], 'yes', 'what the guard may say');
			equal([guard.asked[0].client_subject, guard.asked[0].client_fingerprint], ['CN=localhost', fingerprint], 'what the guard is told');
			expect(await mirror(`${gateway.url}/guarded`, kind, without()));
			equal('client_subject' in guard.asked.at(-1), false, 'of nobody nothing');
		});
	await gateway.stop();
	await gateway.start(configuration(world, ['127.0.0.1'], url));
	await suite.test('client certificates: a trusted proxy\'s is not its clients\'', async () =>
		expect(await mirror(`${gateway.url}/told`, 'raw', showing())));
	guard.stop();
	equal(await gateway.stop(), 0, 'exit code');
}
