#!/usr/bin/env node
/*
 * run.mjs - the doctor: its diagnosis by table, and its page in Chromium on good networks and bad ones.
 *
 *	run.mjs --server ./sockjsd [--proxy ./sockjs-hostile] [--only REGEXP]
 */
import { dirname, join } from 'node:path';
import { readArguments, Server, Suite } from '../e2e/harness.mjs';
import { Proxy } from '../hostile/proxy.mjs';
import { testDiagnosis } from './diagnosis.mjs';
import { testPage } from './page.mjs';

const args = readArguments(['server', 'proxy', 'only']);
const suite = new Suite(args.only);
const program = args.server ?? './sockjsd';
const server = new Server({ server: `${program} --demo -l 127.0.0.1:0 --www www --log-level warn` });

Proxy.program = args.proxy ?? join(dirname(program), 'sockjs-hostile');
await testDiagnosis(suite);
await suite.step('the server starts', () => server.start());
await testPage(suite, server);
await suite.step('the server has lived, and stops', async () => {
	if (server.died || await server.stop() !== 0)
		throw new Error('it has ended otherwise');
});
suite.finish();
