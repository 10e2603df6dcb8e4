#!/usr/bin/env node
/*
 * run.mjs - sockjs-hostile between real clients and a real sockjsd, or a server that tells what
 * reaches it: every rule, the control address, the log, and hostile input.
 *
 *	run.mjs --server ./sockjsd [--proxy ./sockjs-hostile] [--only REGEXP]
 */
import { dirname, join } from 'node:path';
import { readArguments, Server, Suite } from '../e2e/harness.mjs';
import { testBrowser } from './browser.mjs';
import { testCommandLine } from './cmdline.mjs';
import { testControl } from './control.mjs';
import { testExamples } from './examples.mjs';
import { testForward } from './forward.mjs';
import { testFlow } from './flow.mjs';
import { testInput } from './input.mjs';
import { testNetworks } from './networks.mjs';
import { Proxy } from './proxy.mjs';
import { testRequests } from './requests.mjs';
import { testStorm } from './storm.mjs';

const args = readArguments(['server', 'proxy', 'only']);
const suite = new Suite(args.only);
const program = args.server ?? './sockjsd';
const server = new Server({ server: `${program} --demo -l 127.0.0.1:0 --www www --log-level warn` });

Proxy.program = args.proxy ?? join(dirname(program), 'sockjs-hostile');
await suite.step('the server starts', () => server.start());

const world = { suite, server: program, program: Proxy.program, target: server.url?.replace('http://', '') };

/* Runs a test with a proxy before `target`, which must stop well, without a report of a sanitizer. */
world.with = (name, rules, body, { target = () => world.target, options = [] } = {}) => suite.test(name, async () => {
	const behind = await target();
	const proxy = await Proxy.start(behind.target ?? behind, rules, options);

	try {
		await body(proxy, behind);
	} finally {
		await proxy.stop();
		behind.stop?.();
	}
});

await testCommandLine(world);
await testRequests(world);
await testFlow(world);
await testForward(world);
await testInput(world);
await testControl(world);
await testNetworks(world);
await testStorm(world);
await testBrowser(world);
await testExamples(world);
await suite.step('the server has lived, and stops', async () => {
	if (server.died || await server.stop() !== 0)
		throw new Error('it has ended otherwise');
});
suite.finish();
