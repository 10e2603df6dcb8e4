#!/usr/bin/env node
/*
 * run.mjs - `sockjsd doctor` against a gateway: directly, through the hostile proxy with one rule for each
 * cause, through forward proxies, real proxies, and against servers that talk nonsense.
 *
 *	run.mjs --server ./sockjsd [--proxy ./sockjs-hostile] [--only REGEXP]
 *		[--gateway PROGRAM] [--application echo|doctor]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readArguments, Server, Suite } from '../e2e/harness.mjs';
import { Proxy } from '../hostile/proxy.mjs';
import { Doctor } from './doctor.mjs';
import { testCommandLine } from './cmdline.mjs';
import { testNetworks } from './networks.mjs';
import { testNonsense } from './nonsense.mjs';
import { testProxies } from './proxies.mjs';

const args = readArguments(['server', 'proxy', 'only', 'gateway', 'application']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'doctor-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

Doctor.program = args.server ?? './sockjsd';
Proxy.program = args.proxy ?? join(dirname(Doctor.program), 'sockjs-hostile');
const application = args.application ?? 'echo';
/* All networks here have one address, and what is seen of one is not to change the next. */
writeFileSync(join(folder, 'gateway.json'), JSON.stringify({ endpoints: [
	{ prefix: '/echo', application, allowed_origins: ['*'] },
	{ prefix: '/own', application },
	{ prefix: '/plain', application, allowed_origins: ['*'], transports: ['xhr_streaming', 'xhr'] },
	{ prefix: '/close', application: 'close', allowed_origins: ['*'] },
].map((endpoint) => ({ ...endpoint, networks: { adapt: false } })) }));
const server = new Server({ server: `${args.gateway ?? Doctor.program} -c ${join(folder, 'gateway.json')} -l 127.0.0.1:0 --log-level error` });
await suite.step('the gateway starts', () => server.start());

const world = { suite, folder, url: server.url, target: server.url?.replace('http://', '') };

await testCommandLine(world);
await testNetworks(world);
await testProxies(world);
await testNonsense(world);
await suite.step('the gateway has lived, and stops', async () => {
	if (server.died || await server.stop() !== 0)
		throw new Error('it has ended otherwise');
});
suite.finish();
