/*
 * operators.mjs - who may give commands at an internal address with TLS: by a certificate that is listed, or by
 * the token; and sockjsd ctl and publish over it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import WebSocket from 'ws';
import { check, equal, withDeadline } from '../e2e/harness.mjs';

/* An authority with a server, two clients and one whose certificate has ended; and somebody else who calls
 * himself as one of them. */
function makeCertificates(folder) {
	const at = (name) => join(folder, name);
	const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
	const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
	const made = { ca: at('ca.pem') };

	mkdirSync(folder);
	openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=Operators', '-addext', 'basicConstraints=critical,CA:TRUE', '-keyout', at('ca.key'), '-out', at('ca.pem'));
	writeFileSync(at('db'), '');
	writeFileSync(at('ca.cnf'), `[ca]\ndefault_ca=d\n[d]\ndatabase=${at('db')}\nnew_certs_dir=${folder}\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n`
		+ 'copy_extensions=copy\nunique_subject=no\n[p]\norganizationName=optional\ncommonName=supplied\n');
	const keep = (name) => {
		made[name] = { cert: readFileSync(at(`${name}.pem`)), key: readFileSync(at(`${name}.key`)), files: { cert: at(`${name}.pem`), key: at(`${name}.key`) } };
	};
	for (const [name, subject, ...dates] of [
		['server', '/CN=gateway'], ['ann', '/O=Example, Inc./CN=ann'], ['bob', '/CN=bob'],
		['expired', '/O=Example, Inc./CN=ann', '-startdate', '20200101000000Z', '-enddate', '20200201000000Z'],
	]) {
		openssl('req', ...key, '-subj', subject, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`));
		openssl('ca', '-batch', '-config', at('ca.cnf'), '-cert', at('ca.pem'), '-keyfile', at('ca.key'), '-in', at(`${name}.csr`), '-out', at(`${name}.pem`), '-days', '2', '-notext', ...dates);
		keep(name);
	}
	openssl('req', '-x509', ...key, '-days', '2', '-subj', '/O=Example, Inc./CN=ann', '-keyout', at('stranger.key'), '-out', at('stranger.pem'));
	keep('stranger');
	return made;
}

const ANN = 'CN=ann,O=Example\\, Inc.';
const NEEDED = /internal\.client_subjects/;

export async function testOperators({ suite, Server, configuration, run, folder, program, token }) {
	const made = makeCertificates(join(folder, 'operators'));
	const ca = readFileSync(made.ca);
	const tls = (more = {}) => ({ certificate: made.server.files.cert, key: made.server.files.key, client_ca: made.ca, client_certificate: 'optional', ...more });
	const start = (name, internal, more = {}) => new Server().start(name, { ...configuration({ tls: tls(), ...internal }), ...more });
	const tokenFile = join(folder, 'token');

	/* As somebody (a name of `made`, or nobody); resolves to { status, json, head }, or { code } of what went wrong. */
	const ask = (server, who, { path = '/api/endpoints', body = '{}', method = 'POST', token: said = null, headers = {}, agent = false } = {}) =>
		withDeadline(new Promise((resolve) => {
			const { cert, key } = made[who] ?? {};
			const all = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...headers };

			if (said)
				all.Authorization = `Bearer ${said}`;
			const r = request(server.internal + path, { method, headers: all, agent, ca, cert, key }, (answer) => {
				let text = '';

				answer.setEncoding('utf8').on('data', (d) => { text += d; }).on('end', () => {
					let json = null;

					try { json = JSON.parse(text); } catch { /* not all is JSON */ }
					resolve({ status: answer.statusCode, json, text, head: answer.headers });
				});
			});

			r.on('error', ({ code }) => resolve({ code }));
			r.end(body);
		}), 15000, `an answer for ${who}`);
	const isRefused = async (answer, status, code, pattern) => {
		const { status: got, json } = await answer;

		equal([got, json?.error?.code], [status, code], 'the refusal');
		check(pattern.test(json.error.message), json.error.message);
	};
	const failsHandshake = async (answer, what) => check((await answer).code !== undefined, `no handshake: ${what}`);

	const server = await start('operators.json', { client_subjects: [ANN] });

	await suite.test('operators: a certificate that is listed gives commands, and so does the token', async () => {
		check(server.internal.startsWith('https://'), server.internal);
		equal((await ask(server, 'ann')).status, 200, 'listed');
		equal((await ask(server, 'ann', { token: 'wrong-horse-battery' })).status, 200, 'whatever is said besides');
		equal((await ask(server, 'bob', { token })).status, 200, 'the token with any certificate');
		equal((await ask(server, null, { token })).status, 200, 'or with none');
		await isRefused(ask(server, 'bob'), 401, 'unauthorized', /The certificate "CN=bob" \(SHA-256 [0-9a-f]{64}\) is not among .*nor is there the token/);
		await isRefused(ask(server, null), 401, 'unauthorized', NEEDED);
		await isRefused(ask(server, null, { token: 'wrong-horse-battery' }), 401, 'unauthorized', NEEDED);
		equal((await ask(server, null)).head['www-authenticate'], 'Bearer', 'what could be said');
		equal((await ask(server, null, { path: '/healthz', method: 'GET', body: '' })).status, 200, 'the rest is for all');
		check(Number(/^sockjs_refusals_total\{reason="token"\} (\d+)$/m.exec((await ask(server, null, { path: '/metrics', method: 'GET', body: '' })).text)[1]) >= 4, 'they are counted');
	});

	await suite.test('operators: somebody else of the same name, or who has been one, does not come in', async () => {
		await failsHandshake(ask(server, 'stranger', { token }), 'another authority');
		await failsHandshake(ask(server, 'expired', { token }), 'a certificate that has ended');
		const [status] = await withDeadline(new Promise((resolve, reject) => {
			plainRequest(server.internal.replace('https:', 'http:'), (answer) => resolve([answer.resume().statusCode])).on('error', reject).end();
		}), 15000, 'an answer without TLS');
		equal(status, 400, 'without TLS');
	});

	await suite.test('operators: a page of another origin gives none with the certificate of who looks at it', async () => {
		const foreign = [{ Origin: 'https://evil.example' }, { Origin: 'null' }, { Origin: server.internal.replace('https:', 'http:') },
			{ 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-site' }];

		for (const headers of foreign) {
			await isRefused(ask(server, 'ann', { headers }), 403, 'origin', /another origin/);
			await isRefused(ask(server, 'ann', { headers, path: '/api/drain', body: '' }), 403, 'origin', /another origin/);
			equal((await ask(server, 'ann', { headers, token })).status, 200, 'a token is no page\'s by itself');
		}
		equal((await ask(server, 'ann', { headers: { Origin: server.internal, 'Sec-Fetch-Site': 'same-origin' } })).status, 200, 'our own');
		equal((await ask(server, 'ann', { headers: { 'Sec-Fetch-Site': 'none' } })).status, 200, 'nobody\'s page');
	});

	await suite.test('operators: by fingerprint, and by "*"; without a token a stranger is not asked for one', async () => {
		const { fingerprint256 } = new X509Certificate(made.bob.cert);
		const single = await start('fingerprint.json', { token_file: null, client_fingerprints: [fingerprint256] });

		equal([(await ask(single, 'bob')).status, (await ask(single, 'ann')).status], [200, 403], 'the one that is listed');
		await isRefused(ask(single, null), 403, 'forbidden', /^a certificate of .* is needed\.$/i);
		equal((await ask(single, null)).head['www-authenticate'], undefined, 'nothing could be said');
		equal(await single.stop(), 0, 'exit code');

		const any = await start('any.json', { token_file: null, client_subjects: ['*'], tls: tls({ client_certificate: 'required' }) });
		equal([(await ask(any, 'bob')).status, (await ask(any, 'ann')).status], [200, 200], 'whoever it has signed');
		await failsHandshake(ask(any, null), 'none');
		await failsHandshake(ask(any, 'stranger'), 'another authority');
		equal(await any.stop(), 0, 'exit code');

		const nobody = await start('nobody.json', { token_file: null, tls: tls({ client_certificate: 'required' }) });
		await isRefused(ask(nobody, 'ann'), 404, 'disabled', NEEDED);
		equal((await ask(nobody, 'ann', { path: '/readyz', method: 'GET', body: '' })).status, 200, 'the rest');
		equal(await nobody.stop(), 0, 'exit code');
	});

	await suite.test('operators: the dashboard lets in who shows one, and asks others for the token', async () => {
		const watch = (of, who, origin) => withDeadline(new Promise((resolve) => {
			const { cert, key } = made[who] ?? {};
			const socket = new WebSocket(`${of.internal.replace(/^http/, 'ws')}/dashboard/feed/websocket`, { ca, cert, key, headers: origin ? { Origin: origin } : {} });

			socket.on('message', (data) => { resolve(JSON.parse(data)); socket.close(); });
			socket.on('close', (code) => resolve(code));
			socket.on('unexpected-response', (_, answer) => { resolve(answer.resume().statusCode); socket.terminate(); });
			socket.on('error', () => {});
		}), 15000, 'the feed');
		const hello = await watch(server, 'ann', server.internal);

		equal([hello.type, hello.commands], ['hello', true], 'who is listed');
		equal([(await watch(server, 'bob')).type, (await watch(server, null)).type], ['token', 'token'], 'others');
		equal(await watch(server, 'ann', 'https://evil.example'), 403, 'a page of another origin');
		const single = await start('watched.json', { token_file: null, client_subjects: [ANN] });
		equal([(await watch(single, 'ann')).type, await watch(single, 'bob'), await watch(single, null)], ['hello', 4403, 4403], 'without a token');
		equal(await single.stop(), 0, 'exit code');
	});

	await suite.test('operators: sockjsd ctl and publish speak TLS', async () => {
		const ctl = (...argv) => run(argv, { command: 'ctl' });
		const fixed = (name, internal) => {
			const file = join(folder, name);

			writeFileSync(file, JSON.stringify(configuration({ tls: tls(), ...internal, listen: new URL(server.internal).host })));
			return file;
		};
		const mine = fixed('ctl-tls.json', {}), other = fixed('ctl-other.json', { tls: tls({ certificate: made.bob.files.cert, key: made.bob.files.key }) });
		const closed = fixed('ctl-closed.json', { token_file: null });
		const [https, byName] = [server.internal, server.internal.replace('127.0.0.1', 'localhost')];
		const says = async (out, ...argv) => equal(await ctl(...argv, 'log'), { code: 0, out, err: '' }, argv.join(' '));
		const fails = async (code, pattern, ...argv) => {
			const answer = await ctl(...argv, 'log');

			check(answer.code === code && pattern.test(answer.err), `${argv.join(' ')}: ${JSON.stringify(answer)}`);
		};

		await says('error\n', '-c', mine);
		await says('error\n', '-c', mine, '--ca', made.ca);
		await says('error\n', '-c', closed, '--cert', made.ann.files.cert, '--cert-key', made.ann.files.key);
		await says('error\n', '--api', https, '--ca', made.ca, '--token-file', tokenFile);
		await says('error\n', '--api', byName, '--ca', made.ca, '--cert', made.ann.files.cert, '--cert-key', made.ann.files.key);
		await says('error\n', '--api', new URL(https).host, '--ca', made.ca, '--cert', made.ann.files.cert, '--cert-key', made.ann.files.key);
		equal(await run(['--api', https, '--ca', made.ca, '--token-file', tokenFile, '/topic/none', 'hello']), { code: 0, out: '0\n', err: '' }, 'publish');

		await fails(1, /has another certificate than the configuration says/, '-c', other);
		await fails(1, /the certificate of 127\.0\.0\.1:\d+ is not believed: .*--ca/, '--api', https, '--token-file', tokenFile);
		await fails(1, /is not believed/, '--api', https, '--ca', made.stranger.files.cert, '--token-file', tokenFile);
		await fails(1, /cannot use --ca \/nowhere/, '--api', https, '--ca', '/nowhere', '--token-file', tokenFile);
		await fails(1, /cannot use --cert \/nowhere/, '--api', https, '--ca', made.ca, '--cert', '/nowhere');
		await fails(1, /refused with 401: The certificate "CN=bob"/, '--api', https, '--ca', made.ca, '--cert', made.bob.files.cert, '--cert-key', made.bob.files.key);
		await fails(1, /no answer: .*alert/, '--api', https, '--ca', made.ca, '--cert', made.expired.files.cert, '--cert-key', made.expired.files.key);
		await fails(2, /is an address without TLS; say https/, '--api', https.replace('https', 'http'), '--ca', made.ca, '--token-file', tokenFile);
		await fails(2, /which token\? .*--cert/, '--api', https, '--ca', made.ca);
		await fails(2, /--cert is missing/, '--api', https, '--cert-key', made.ann.files.key);
		const plain = fixed('ctl-plain.json', { tls: undefined });
		await fails(2, /--ca means nothing: .*ctl-plain\.json: internal\.tls/, '-c', plain, '--ca', made.ca);
	});

	await suite.test('operators: a unix socket has TLS and a mode, too', async () => {
		const path = join(folder, 'operators.sock');
		const local = await start('unix.json', { listen: `unix:${path}`, mode: '0600', client_subjects: [ANN] });

		equal((statSync(path).mode & 0o777).toString(8), '600', 'its mode');
		equal(await run(['-c', local.file, 'log'], { command: 'ctl' }), { code: 0, out: 'error\n', err: '' }, 'by the configuration');
		equal((await run(['--api', `unix:${path}`, '--ca', made.ca, '--cert', made.ann.files.cert, '--cert-key', made.ann.files.key, 'log'], { command: 'ctl' })).out, 'error\n', 'by a certificate');
		equal(await local.stop(), 0, 'exit code');
	});

	await suite.test('operators: a reload takes another list, and other TLS, for connections that are there, too', async () => {
		const agent = new Agent({ keepAlive: true, maxSockets: 1 });
		const reload = async (internal) => {
			writeFileSync(server.file, JSON.stringify(configuration({ tls: tls(), ...internal })));
			const { status, json } = await ask(server, null, { path: '/api/reload', token });

			equal(status, 200, JSON.stringify(json));
			return json.changed.filter((key) => key.startsWith('internal.'));
		};

		equal((await ask(server, 'ann', { agent })).status, 200, 'before');
		equal(await reload({ client_subjects: ['CN=bob'] }), ['internal.client_subjects'], 'what has changed');
		equal([(await ask(server, 'ann', { agent })).status, (await ask(server, 'bob')).status], [401, 200], 'after');
		agent.destroy();
		equal(await reload({ client_subjects: ['CN=bob'], tls: tls({ client_certificate: 'required' }) }), ['internal.tls.client_certificate'], 'of TLS');
		await failsHandshake(ask(server, null, { token }), 'none');
		equal((await ask(server, 'bob')).status, 200, 'who shows one');
		writeFileSync(server.file, JSON.stringify(configuration({ client_subjects: ['CN=bob'] })));
		const wrong = await ask(server, 'bob', { path: '/api/reload' });
		equal(wrong.status, 422, 'a list that nobody asks for');
		check(/internal\.client_subjects: means nothing without internal\.tls\.client_ca/.test(wrong.json.error.message), wrong.json.error.message);
	});

	await suite.test('operators: what the configuration says is checked, and printed', async () => {
		const sockjsd = (flag, internal) => {
			const file = join(folder, 'check.json');

			writeFileSync(file, JSON.stringify(configuration(internal)));
			const { status, stdout, stderr } = spawnSync(program, [flag, '-c', file], { encoding: 'utf8' });
			return { status, stdout, stderr };
		};
		const fails = (pattern, internal) => {
			const { status, stderr } = sockjsd('--check-config', internal);

			check(status === 2 && pattern.test(stderr), `${pattern}: ${status} ${stderr}`);
		};

		fails(/internal\.protocol: unknown key here; it belongs into an object of listen/, { protocol: 'http' });
		fails(/internal\.proxy_protocol: unknown key here/, { proxy_protocol: true });
		fails(/internal\.tls\.key: missing/, { tls: { certificate: made.server.files.cert } });
		fails(/internal\.tls\.certificate: cannot read "\/nowhere"/, { tls: { certificate: '/nowhere', key: '/nowhere' } });
		fails(/internal\.tls\.min_version: "1" is not allowed/, { tls: tls({ min_version: '1' }) });
		fails(/internal\.tls\.client_ca: means nothing with tls\.client_certificate "none"/, { tls: tls({ client_certificate: 'none' }) });
		fails(/internal\.tls\.nonsense: unknown key; allowed: certificate, key/, { tls: tls({ nonsense: 1 }) });
		fails(/internal\.mode: means nothing for "127\.0\.0\.1:0"/, { mode: '0600' });
		fails(/internal\.client_subjects: means nothing without internal\.tls\.client_ca/, { client_subjects: ['*'] });
		fails(/internal\.client_subjects\[0\]: "ann" is not allowed; allowed: a subject/, { client_subjects: ['ann'], tls: tls() });
		fails(/internal\.client_fingerprints\[0\]: "ab:cd" is not allowed; allowed: 64/, { client_fingerprints: ['ab:cd'], tls: tls() });
		const printed = sockjsd('--print-config', { tls: tls(), client_subjects: [ANN] });
		const { internal } = JSON.parse(printed.stdout);
		equal([internal.tls.client_certificate, internal.client_subjects, internal.mode, 'protocol' in internal], ['optional', [ANN], null, false], 'what is printed');
		writeFileSync(join(folder, 'printed.json'), printed.stdout);
		equal(spawnSync(program, ['--print-config', '-c', join(folder, 'printed.json')], { encoding: 'utf8' }).stdout, printed.stdout, 'and read again');
	});

	equal(await server.stop(), 0, 'exit code');
}
