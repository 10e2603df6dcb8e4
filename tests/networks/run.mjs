#!/usr/bin/env node
/*
 * run.mjs - the laboratory of bad networks: sockjs-client in Chromium and in Node, through real proxies,
 * the hostile one, and bad lines, before the gateway without and with each of its levers.
 *
 *	run.mjs --server ./sockjsd [--hostile ./sockjs-hostile] [--only REGEXP] [--short yes]
 *	        [--clients chromium,node] [--levers off,on,NAME...] [--table FILE] [--json FILE]
 *
 * A short run has the rows that show most, little silence, and no times to keep. What a machine cannot do is
 * skipped, with a sentence, and counted as that.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { check, readArguments, Suite, together } from '../e2e/harness.mjs';
import { launch } from '../e2e/browser.mjs';
import { Proxy as Hostile } from '../hostile/proxy.mjs';
import { makeCertificate, certificateIn } from '../proxies/proxies.mjs';
import { Application } from './application.mjs';
import { complaints } from './facts.mjs';
import { runRow, Slots, warm } from './laboratory.mjs';
import { knows, NAMES, optionsOf } from './levers.mjs';
import { Line } from './line.mjs';
import { expected, ROWS, shortened } from './rows.mjs';
import { testItself } from './self_test.mjs';
import { missing, Software } from './software.mjs';
import { document, line } from './table.mjs';

const AT_ONCE = 28; /* networks, of each client */
const ROW_MS = 700000;

const args = readArguments(['server', 'hostile', 'only', 'short', 'clients', 'levers', 'table', 'json']);
const suite = new Suite(args.only);
const began = performance.now();
const isShort = args.short === 'yes';
const server = resolve(args.server ?? './sockjsd');
const folder = mkdtempSync(join(tmpdir(), 'networks-'));
const results = [];
let skipped = 0;

process.setMaxListeners(0);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
chmodSync(folder, 0o755);
Hostile.program = resolve(args.hostile ?? join(dirname(server), 'sockjs-hostile'));

const known = optionsOf(server, folder);
const adapts = known.networks.has('adapt');
const wanted = (args.levers ?? (!adapts ? 'off' : isShort ? 'on' : 'off,on')).split(',');
const clients = (args.clients ?? 'chromium,node').split(',');
const levers = wanted.filter((name) => {
	check(NAMES.includes(name), `no such lever: ${name}; there are ${NAMES}`);
	if (!knows(known, name))
		console.log(`skipped levers ${name}: the server does not know the option`);
	return knows(known, name);
});

/* --- what is to be done ---------------------------------------------------------------- */

/* Node has no proxy in its settings, nor an origin, nor trusts a certificate of ours. */
const nodeCan = ({ via, quick, isOfPages }) => (!isShort || quick.node) && !isOfPages && !via.some((link) => ['squid', 'mitmproxy', 'tinyproxy', 'privoxy'].includes(link.kind) || link.tls);

const troubles = new Map();

/* A sentence why not, or null. */
function cannot(row) {
	const absent = missing(row.via);

	if (absent.length)
		return `${absent.join(', ')} not installed`;
	if (!row.line)
		return null;
	const kind = Object.keys(row.line).join();
	if (!troubles.has(kind))
		troubles.set(kind, Line.trouble(row.line));
	return troubles.get(kind);
}

const rows = isShort ? ROWS.filter((row) => row.quick).map(shortened) : ROWS;
const jobs = levers.flatMap((lever) => clients.flatMap((client) => rows.filter((row) => client !== 'node' || nodeCan(row)).map((row) => ({ row, lever, client }))))
	.map((job) => ({ ...job, name: `${job.row.kind}: ${job.row.name} (${job.client}, levers ${job.lever})` })).filter((job) => suite.wants(job.name));

const world = { server, folder, known, isShort, slots: Object.fromEntries(clients.map((client) => [client, new Slots(isShort ? 2 : 1)])) };

/* With every lever a row promises how soon it opens, and how few ghosts there are; a short run keeps no times. */
function unkept(row, lever, facts, promised) {
	return lever !== 'on' ? [] : [!isShort && promised && facts.openMs > promised && `it opens after ${Math.round(facts.openMs)} ms, not ${promised}`,
		facts.ghosts.atEnd > 1 && `${facts.ghosts.atEnd} ghosts`].filter(Boolean);
}

async function measure({ row, lever, client, name }) {
	const result = { kind: row.kind, name: row.name, client, levers: lever, promise: row.promise, software: row.via.map((l) => l.kind).filter((k) => k !== 'hostile') };
	const reason = cannot(row);

	if (reason) {
		console.log(`skipped ${name}: ${reason}`);
		skipped++;
		results.push({ ...result, software: [], skipped: reason });
		return;
	}
	await suite.step(name, async () => {
		const expect = (isLater) => ({ ...expected(row, lever, isLater), ...(client === 'node' && { by: nodeBy(expected(row, lever, isLater).by) }) });
		const { first, later } = await runRow(world, row, lever, client, expect);
		const wrong = [['first', first, false], ['later', later, true]].flatMap(([who, facts, isLater]) =>
			[...complaints(facts, expect(isLater)), ...unkept(row, lever, facts, row.promise?.[who])].map((what) => `${who} visitor: ${what}`));
		if (expect(false).eventually && !first.isAnswered && !later.isAnswered)
			wrong.push('no visitor is answered after the silence');

		results.push({ ...result, first, later });
		console.log(`        ${name}\n          first: ${line(first)}\n          later: ${line(later)}`);
		check(!wrong.length, wrong.join('; '));
	}, ROW_MS);
}

/* Where Chromium goes by eventsource or an iframe, Node has xhr-streaming and xhr-polling alone. */
function nodeBy(by) {
	return by && by.length ? [...by, ...(by.includes('eventsource') ? ['xhr-streaming', 'xhr-polling'] : [])] : by;
}

/* In the order of the rows, whoever came first. */
function inOrder() {
	const place = (r) => jobs.findIndex((job) => job.row.kind === r.kind && job.row.name === r.name && job.client === r.client && job.lever === r.levers);

	return results.sort((a, b) => place(a) - place(b));
}

await testItself(suite);
await suite.step('the application listens', async () => { world.application = await new Application().start(folder); });
if (clients.includes('chromium'))
	await suite.step('Chromium starts', async () => { world.browser = await launch(['--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,HttpsUpgrades']); });
for (const client of clients)
	await suite.step(`a visitor by ${client} opens`, () => warm(world, client));
makeCertificate(folder);
Object.assign(Software.certificate, certificateIn(folder));
await Promise.all(clients.map((client) => together(AT_ONCE, jobs.filter((job) => job.client === client).map((job) => () => measure(job)))));
await world.browser?.close();
const took = (performance.now() - began) / 1000;
if (args.json)
	writeFileSync(args.json, JSON.stringify(inOrder(), null, '\t'));
if (args.table)
	writeFileSync(args.table, document(inOrder(), { levers, clients, seconds: took }));
console.log(`${skipped} skipped, ${Math.round(took)} s`);
suite.finish();
