#!/usr/bin/env node
/*
 * run.mjs - the dashboard of the internal address: its feed, and its page in a real Chromium.
 *
 *	run.mjs --server ./sockjsd [--threads N] [--only REGEXP] [--screenshots DIR]
 */
import { launch } from '../e2e/browser.mjs';
import { check, equal, readArguments, Suite, WHOLE_MS, withDeadline } from '../e2e/harness.mjs';
import { testFeed } from './feed.mjs';
import { testPage } from './page.mjs';
import { Server } from './server.mjs';

const args = readArguments(['server', 'threads', 'only', 'screenshots']);
const suite = new Suite(args.only);
const program = args.server ?? './sockjsd';

async function main() {
	const server = await new Server(program, { threads: Number(args.threads ?? 2) }).start();

	await testFeed(suite, server, program);
	const browser = await launch();
	try {
		await testPage(suite, browser, server, program, args.screenshots);
	} finally {
		await withDeadline(browser.close(), 10000, 'the browser closes').catch((e) => console.log(e.message));
	}
	await suite.step('the server stops when asked', async () => equal(await server.stop(), 0, 'exit code'));
}

await suite.step('the tests run to their end', main, WHOLE_MS);
check(suite.passed > 0, 'something was tested');
suite.finish();
