/*
 * tls.mjs - backends behind TLS: name and chain are verified unless told otherwise.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, equal } from '../e2e/harness.mjs';
import { KINDS, open, refused, start } from './clients.mjs';
import { resetBehindSlowClient } from './messages.mjs';

/* An authority of our own; one good certificate, two that are not, one for a client, and one for a
 * client of somebody else's authority. */
export function makeCertificates(folder) {
	const at = (name) => join(folder, name);
	const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
	const made = { files: {}, ca: at('ca.pem') };

	openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=Test CA',
		'-addext', 'basicConstraints=critical,CA:TRUE', '-keyout', at('ca.key'), '-out', at('ca.pem'));
	writeFileSync(at('db'), '');
	writeFileSync(at('ca.cnf'), `[ca]\ndefault_ca=d\n[d]\ndatabase=${at('db')}\nnew_certs_dir=${folder}\nrand_serial=yes\n`
		+ 'default_md=sha256\npolicy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n');
	for (const [name, san, dates] of [
		['good', 'DNS:localhost,IP:127.0.0.1', []],
		['wrongName', 'DNS:elsewhere.example', []],
		['client', 'DNS:gateway.example', []],
		['expired', 'DNS:localhost,IP:127.0.0.1', ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z']],
	]) {
		const file = (end) => at(`${name}.${end}`);

		openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost',
			'-addext', `subjectAltName=${san}`, '-keyout', file('key'), '-out', file('csr'));
		openssl('ca', '-batch', '-config', at('ca.cnf'), '-cert', at('ca.pem'), '-keyfile', at('ca.key'), '-in', file('csr'),
			'-out', file('pem'), '-days', '2', '-notext', ...dates);
		made.files[name] = { cert: file('pem'), key: file('key') };
		made[name] = { cert: readFileSync(file('pem')), key: readFileSync(file('key')) };
	}
	openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=stranger',
		'-keyout', at('stranger.key'), '-out', at('stranger.pem'));
	made.files.stranger = { cert: at('stranger.pem'), key: at('stranger.key') };
	return made;
}

async function echoes(url, kind) {
	const line = await open(url, kind);

	for (const text of ['over TLS', 't'.repeat(60000), 'end']) {
		line.send(text);
		equal(await line.next(), text, 'echo');
	}
	await line.close();
}

export async function testTls(world) {
	const { suite, url, gateway } = world;

	for (const kind of KINDS)
		await suite.test(`wss, ${kind}: a good certificate`, () => echoes(url('/wss'), kind));
	await suite.test('wss: a backend that is reset while its client is away', () => resetBehindSlowClient(world, '/wss-away'));
	await suite.test('wss: by address', () => echoes(url('/wss-address'), 'raw'));
	await suite.test('wss: anything goes where that is configured', () => echoes(url('/wss-anything'), 'raw'));
	for (const [what, prefix, why] of [
		['an unknown authority', '/wss-unknown', /unable to get local issuer|self.signed/i],
		['another name', '/wss-name', /hostname mismatch/i],
		['an expired certificate', '/wss-expired', /expired/i],
	])
		await suite.test(`wss: ${what} is refused, and the log says why`, async () => {
			equal((await refused(url(prefix), 'raw')).status, 502, 'status');
			equal((await start(url(prefix), 'xhr').over()).code, 1013, 'code');
			check(gateway.said(why), 'the log does not say why');
		});
	for (const version of ['TLSv1.3', 'TLSv1.2']) {
		const prefix = `/wss-mutual-${version.replace('.', '')}`;

		for (const kind of KINDS)
			await suite.test(`wss, ${kind}, ${version}: a backend that wants to know us`, () => echoes(url(prefix), kind));
		for (const [what, suffix] of [['no certificate', '-none'], ['a stranger\'s certificate', '-stranger']])
			await suite.test(`wss, ${version}: ${what} where one is wanted is refused`, async () => {
				equal((await refused(url(prefix + suffix), 'raw')).status, 502, 'status');
				equal((await start(url(prefix + suffix), 'xhr').over()).code, 1013, 'code');
			});
	}
	await suite.test('wss: a certificate where none is wanted', () => echoes(url('/wss-offered'), 'raw'));
	await suite.test('wss: no TLS at the other end', async () => {
		const { status } = await refused(url('/wss-plain'), 'raw');

		check(status === 502 || status === 504, `status ${status}`);
	});
	await suite.test('wss: TLS where none is expected', async () => {
		const { status } = await refused(url('/ws-tls'), 'raw');

		check(status === 502 || status === 504, `status ${status}`);
	});
	await suite.test('wss: 2,000 numbers each way', async () => {
		const line = await open(url('/wss'), 'raw', { query: '?do=count&n=2000' });
		for (let i = 0; i < 2000; i++)
			equal(await line.next(), String(i), 'number');
		await line.close();
		const other = await open(url('/wss'), 'xhr_streaming', { query: '?do=tally&n=2000' });
		for (let i = 0; i < 2000; i++)
			other.send(String(i));
		equal(await other.next(), 'all 2000', 'tally');
		await other.close();
	});
}
