/*
 * broker.mjs - a gateway whose broker is not the demo's: it beats quickly, knows two people, and
 * not everybody may do everything.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { equal, Server } from './harness.mjs';

const root = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

/* The client gives up after twice as long, and that on a machine with other work. */
export const BEAT_MS = 500;
export const STAFF = '/topic/staff/rota';
export const PASSCODES = { Ada: 'analytical', Bob: 'bricks' };

function configuration(program) {
	const password = (text) => execFileSync(program, ['--hash-password'], { input: `${text}\n`, encoding: 'utf8' }).trim();

	return {
		listen: ['127.0.0.1:0'],
		www: root('www'),
		client_library: root('node_modules/sockjs-client/dist/sockjs.min.js'),
		stomp_library: root('node_modules/@stomp/stompjs/bundles/stomp.umd.min.js'),
		endpoints: [
			{ prefix: '/echo', application: 'echo', allowed_origins: ['*'] },
			/* A stop waits that long for clients that poll. */
			{ prefix: '/stomp', application: 'stomp', allowed_origins: ['*'], disconnect_delay_ms: 2000, stomp: {
				heartbeat_ms: [BEAT_MS, BEAT_MS],
				users: Object.entries(PASSCODES).map(([login, passcode]) => ({ login, password: password(passcode) })),
				access: [
					{ destination: STAFF, send: 'authenticated', subscribe: 'authenticated' },
					{ destination: '/topic/e2e/*', send: 'everybody', subscribe: 'everybody' },
					{ destination: '/topic/chat', send: 'everybody', subscribe: 'everybody' },
					{ destination: '/user/**', send: 'everybody', subscribe: 'everybody' },
				],
			} },
		],
	};
}

/* `program` is that of the gateway; `tests` are given its address. */
export async function withBroker(program, suite, tests) {
	const folder = mkdtempSync(join(tmpdir(), 'broker-'));
	const file = join(folder, 'sockjsd.json');

	writeFileSync(file, JSON.stringify(configuration(program)));
	const server = new Server({ server: `${program} -c ${file} --log-level error` });

	try {
		await server.start();
		await tests(server.url);
	} finally {
		await suite.step('the gateway with a broker of its own stops when asked', async () => equal(await server.stop(), 0, 'exit code'));
		rmSync(folder, { recursive: true });
	}
}
