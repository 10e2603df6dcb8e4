#!/usr/bin/env node
/*
 * run.mjs - /metrics as Prometheus wants it: a scrape of a server with every application is checked by
 * promtool, is what the table and doc/metrics.md say, and a real Prometheus finds data for the
 * dashboard and the alert rules of packaging/.
 *
 *	run.mjs --server ./sockjsd [--only REGEXP]
 *
 * With UPDATE=1 doc/metrics.md is written anew.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import WebSocket, { WebSocketServer } from 'ws';
import { check, equal, patient, readArguments, Suite, withDeadline } from '../e2e/harness.mjs';

const args = readArguments(['server', 'only']);
const suite = new Suite(args.only);
const folder = mkdtempSync(join(tmpdir(), 'metrics-'));
const here = (name) => new URL(`../../${name}`, import.meta.url);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const children = [];

process.on('exit', () => {
	for (const child of children)
		child.kill('SIGKILL');
	rmSync(folder, { recursive: true, force: true });
});

/* --- a server with everything ------------------------------------------------------------ */

execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=localhost',
	'-addext', 'subjectAltName=DNS:localhost', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'certificate.pem')], { stdio: 'ignore' });
const backend = new WebSocketServer({ host: '127.0.0.1', port: 0 });
const hooks = createServer((r, answer) => r.resume().on('end', () => answer.writeHead(200, { 'Content-Type': 'application/json' }).end('{}')));

backend.on('connection', (socket) => socket.on('message', (data) => socket.send(data.toString())));
await once(backend, 'listening');
await once(hooks.listen(0, '127.0.0.1'), 'listening');
writeFileSync(join(folder, 'server.json'), JSON.stringify({
	listen: ['127.0.0.1:0', { address: '127.0.0.1:0', tls: { certificate: 'certificate.pem', key: 'key.pem' } }], threads: 2, log_level: 'error',
	shutdown_timeout_ms: 200, internal: { listen: '127.0.0.1:0', token: 'correct-horse-battery' }, session_log: { file: 'sessions.log' }, access_log: { file: 'access.log' },
	endpoints: [
		{ prefix: '/echo', application: 'echo', allowed_origins: ['https://page.example'] },
		{ prefix: '/app', application: 'upstream', upstream: { url: `ws://127.0.0.1:${backend.address().port}/` } },
		{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open', journal: 'journal', relay: { servers: '127.0.0.1:1', prefixes: '/topic/far' } } },
		{ prefix: '/joined', application: 'stomp', stomp: { access: 'open', engine: { kind: 'nats', servers: 'nats://127.0.0.1:1' } } },
		{ prefix: '/hooks', application: 'hooks', hooks: { url: `http://127.0.0.1:${hooks.address().port}/`, timeout_ms: 2000 } },
	],
}));
const server = await new Promise((resolve, reject) => {
	const child = spawn(args.server ?? './sockjsd', ['-c', join(folder, 'server.json')], { stdio: ['ignore', 'pipe', 'inherit'] });
	const found = { child };

	children.push(child);
	child.on('exit', (code) => reject(new Error(`the server has ended with ${code}`)));
	createInterface({ input: child.stdout }).on('line', (line) => {
		found.plain ??= /^listening on http:(\S+)/.exec(line)?.[1];
		found.tls ??= /^listening on https:(\S+)/.exec(line)?.[1];
		found.internal = /^internal on (\S+)/.exec(line)?.[1];
		if (found.internal)
			resolve(found);
	});
});
const scrape = async () => (await fetch(`${server.internal}/metrics`)).text();

/* Something of each kind: sessions that stay, one that fell back, a refusal, a handshake by TLS. */
async function useAll() {
	const open = async (path, options) => {
		const socket = new WebSocket(`ws:${server.plain}${path}`, options);
		await withDeadline(once(socket, 'open'), 15000, path);
		return socket;
	};
	const ask = (path, options) => withDeadline(new Promise((resolve, reject) => {
		httpRequest(`http:${server.plain}${path}`, { agent: false, ...options }, (answer) => answer.resume().on('end', resolve)).on('error', reject).end();
	}), 15000, path);
	const headers = { 'User-Agent': 'Falls back' };
	const failed = await open('/echo/000/first/websocket', { headers });

	failed.terminate();
	for (let waited = 0; !/^sockjs_connect_failures_total 1$/m.test(await scrape()) && waited < patient(15000); waited += 50)
		await sleep(50);
	const stream = httpRequest(`http:${server.plain}/echo/000/second/xhr_streaming`, { method: 'POST', agent: false, headers }).on('error', () => {});
	stream.end();
	await withDeadline(once(stream, 'response'), 15000, 'a stream');
	const heard = await open('/echo/123/third/websocket', { headers: { 'User-Agent': 'Mozilla/5.0 (X11; rv:121.0) Gecko/20100101 Firefox/121.0' } });
	heard.send('["x"]');
	await withDeadline(once(heard, 'message'), 15000, 'a session of a browser');
	const sockets = [await open('/echo/websocket'), await open('/app/websocket'), await open('/stomp/websocket'), await open('/hooks/websocket')];
	sockets[0].send('x');
	sockets[1].send('x');
	sockets[2].send('CONNECT\naccept-version:1.2\nhost:x\n\n\0SEND\ndestination:/topic/a\n\nx\0');
	sockets[3].send('x');
	await ask('/echo/info', { headers: { Origin: 'https://evil.example' } });
	await withDeadline(new Promise((resolve, reject) => {
		httpsRequest(`https:${server.tls}/echo/info`, { agent: false, rejectUnauthorized: false }, (answer) => answer.resume().on('end', resolve)).on('error', reject).end();
	}), 15000, 'a request by TLS');
	return [...sockets, heard];
}

/* --- the text ------------------------------------------------------------------------------- */

/* name -> { type, help, labels } in the order of the scrape. */
function families(text) {
	const all = new Map();
	let last;

	for (const line of text.trimEnd().split('\n')) {
		const [, help, name, words] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];

		if (help === 'HELP')
			all.set(name, last = { name, help: words, labels: new Set() });
		else if (help === 'TYPE')
			last.type = words;
		else
			for (const [, label] of line.matchAll(/[{,](\w+)="/g))
				if (label !== 'le')
					last.labels.add(label);
	}
	return all;
}

/* The rows of src/server/metrics_table.h. */
function table() {
	const source = readFileSync(here('src/server/metrics_table.h'), 'utf8').replace(/\\\n/g, ' ');
	const rows = [...source.matchAll(/X\((\w+), (gauge|counter|histogram), "([^"]*)",((?:\s*"[^"]*")+)\)/g)];

	return new Map(rows.map(([, name, type, labels, help]) =>
		[name, { name, type, labels: labels ? labels.split(',') : [], help: [...help.matchAll(/"([^"]*)"/g)].map((m) => m[1]).join('') }]));
}

function document(found, ours) {
	const row = ({ name, type, labels, help }) =>
		`| \`${name}${[...labels].length ? `{${[...labels].join(',')}}` : ''}\` | ${type} | ${help} |\n`;
	const head = '| name | kind | what |\n|---|---|---|\n';
	const rest = [...found.values()].filter((f) => !ours.has(f.name));
	const of = (beginning) => rest.filter((f) => f.name.startsWith(beginning)).map(row).sort().join('');

	return `# Metrics

What \`/metrics\` of the internal address says, for Prometheus. This page is made from the table of the server
(\`src/server/metrics_table.h\`) and a scrape by \`UPDATE=1 node tests/metrics/run.mjs\`, and the tests compare them.
Each figure is that of all threads together. A histogram has the buckets \`_bucket{le}\`, and \`_sum\` and \`_count\`.

\`packaging/grafana-dashboard.json\` is a dashboard for Grafana, \`packaging/alerts.yml\` are rules for alerts.

## The server

${head}${[...ours.values()].map(row).join('')}
## Brokers (application \`stomp\`)

All with the label \`endpoint\`.

${head}${of('sockjs_stomp_')}${of('sockjs_relay_')}${of('sockjs_engine_')}
## Hooks

${head}${of('sockjs_hook_')}${of('sockjs_upstream_') ? `
## Backends (application \`upstream\`)

${head}${of('sockjs_upstream_')}` : ''}`;
}

const sockets = await useAll();
let text = await scrape();

await suite.test('promtool finds nothing to complain about', async () => {
	const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });

	equal([status, stdout + stderr], [0, ''], 'promtool check metrics');
});

await suite.test('what is scraped is what the table says, and the page is made of both', async () => {
	const found = families(text), ours = table();

	check(ours.size > 40, `${ours.size} rows`);
	for (const row of ours.values())
		if (row.name !== 'process_open_fds') { /* of newer kernels */
			const f = found.get(row.name);

			check(f, `${row.name} is in the table, and not scraped`);
			equal([f.type, f.help], [row.type, row.help], row.name);
			check([...f.labels].every((l) => row.labels.includes(l)), `${row.name}: labels ${[...f.labels]}`);
		}
	for (const f of found.values())
		check(ours.has(f.name) || /^sockjs_(stomp|relay|engine|hook|upstream)_/.test(f.name), `${f.name} is scraped, and in no table`);
	const page = document(found, ours), file = here('doc/metrics.md');
	if (process.env.UPDATE === '1')
		writeFileSync(file, page);
	check(readFileSync(file, 'utf8') === page, 'doc/metrics.md is old: UPDATE=1 node tests/metrics/run.mjs --server ./sockjsd');
});

await suite.test('sessions are counted by endpoint and transport, and what took time is in histograms', async () => {
	const value = (row) => Number(text.split('\n').find((l) => l.startsWith(`${row} `))?.split(' ')[1]);

	equal(value('sockjs_transport_sessions{endpoint="/echo",transport="websocket_raw"}'), 1, 'a WebSocket');
	equal(value('sockjs_transport_sessions{endpoint="/echo",transport="xhr_streaming"}'), 1, 'a stream');
	equal(value('sockjs_transport_sessions{endpoint="/echo",transport="websocket"}'), 1, 'one of two, for the other has gone');
	equal(value('sockjs_transport_opened_total{endpoint="/echo",transport="websocket"}'), 2, 'but was there');
	equal(value('sockjs_fallbacks_total{from="websocket",to="xhr_streaming",failure="unheard"}'), 1, 'one that fell back');
	equal(value('sockjs_networks{endpoint="/echo"}'), 1, 'networks that are known');
	equal(value('sockjs_network_reached_total{endpoint="/echo",browser="firefox",transport="websocket"}'), 1, 'one whose client was heard');
	equal(value('sockjs_network_evidence_total{endpoint="/echo",browser="firefox",evidence="websocket_speaks"}'), 1, 'what that says of its network');
	equal(value('sockjs_network_sessions_total{endpoint="/echo",service="usual"}'), 4, 'served as usual');
	equal([value('sockjs_network_fallback_seconds_count'), value('sockjs_network_fallback_seconds_sum')], [1, 0], 'and it was heard at once');
	equal(value('sockjs_refusals_total{reason="origin"}'), 1, 'a refusal');
	equal(value('sockjs_tls_handshake_seconds_count'), 1, 'a handshake');
	check(value('sockjs_loop_turn_seconds_count') > 10 && value('sockjs_loop_turn_seconds_bucket{le="+Inf"}') === value('sockjs_loop_turn_seconds_count'), 'turns');
	equal(value('sockjs_session_opening_seconds_count'), value('sockjs_sessions_opened_total'), 'each that opened has waited, or not');
	check(value('sockjs_http_request_seconds_count') > 0, 'requests');
});

/* --- a real Prometheus -------------------------------------------------------------------------- */

const freePort = () => new Promise((resolve) => {
	const probe = createTcp().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => resolve(port)); });
});
let prometheus;

async function query(expression) {
	const answer = await (await fetch(`${prometheus}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query: expression }) })).json();

	equal([answer.status, answer.error], ['success', undefined], expression);
	return answer.data.result;
}

await suite.step('a Prometheus scrapes it, with the alert rules', async () => {
	const port = await freePort();

	writeFileSync(join(folder, 'prometheus.yml'), `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [ ${JSON.stringify(here('packaging/alerts.yml').pathname)} ]
scrape_configs: [ { job_name: sockjsd, static_configs: [ { targets: [ "${new URL(server.internal).host}" ] } ] } ]
`);
	equal(spawnSync('promtool', ['check', 'config', join(folder, 'prometheus.yml')]).status, 0, 'promtool check config');
	const child = spawn('prometheus', [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`,
		`--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], { stdio: ['ignore', 'ignore', 'inherit'] });
	children.push(child);
	prometheus = `http://127.0.0.1:${port}`;
	for (let waited = 0; waited < patient(30000); waited += 200) {
		const ready = await fetch(`${prometheus}/-/ready`).then((r) => r.ok, () => false);

		if (ready && Number((await query('count_over_time(up{job="sockjsd"}[1m])'))[0]?.value[1]) >= 4)
			return;
		await sleep(200);
		sockets[0].send('x'); /* so that there is something in a second */
		sockets[2].send('SEND\ndestination:/topic/a\n\nx\0');
	}
	throw new Error('Prometheus has not scraped');
}, 40000);

/* What a healthy server has nothing of. */
const mayBeEmpty = /^(Closed in a second|Refusals in a second, by reason)/;

await suite.test('each query of the dashboard is answered, and finds data', async () => {
	const dashboard = JSON.parse(readFileSync(here('packaging/grafana-dashboard.json')));
	const panels = dashboard.panels.filter((p) => p.targets);
	const filled = (e) => e.replaceAll('$__rate_interval', '1m').replaceAll('$job', 'sockjsd').replaceAll('$instance', '.*');

	check(panels.length > 20, `${panels.length} panels`);
	equal(new Set(dashboard.panels.map((p) => p.id)).size, dashboard.panels.length, 'numbers of panels');
	for (const panel of panels)
		for (const { expr } of panel.targets) {
			if (panel.title === 'Descriptors' && expr.includes('process_open_fds'))
				continue; /* of newer kernels */
			const result = await query(filled(expr));
			check(result.length > 0 || mayBeEmpty.test(panel.title), `${panel.title}: nothing for ${expr}`);
		}
	await query(filled(dashboard.annotations.list[0].expr));
});

await suite.test('each alert rule is valid, looks at figures that there are, and is silent', async () => {
	const { data } = await (await fetch(`${prometheus}/api/v1/rules`)).json();
	const rules = data.groups.flatMap((g) => g.rules);

	equal(spawnSync('promtool', ['check', 'rules', here('packaging/alerts.yml').pathname]).status, 0, 'promtool check rules');
	check(rules.length >= 15, `${rules.length} rules`);
	for (const rule of rules) {
		check(rule.health !== 'err', `${rule.name}: ${rule.lastError}`);
		const figure = rule.query.replace(/ (?:==|<|>) [\d.e* ]+$/, '');
		check(figure !== rule.query, `${rule.name} compares: ${rule.query}`);
		if (!/process_open_fds/.test(figure))
			check((await query(figure)).length > 0, `${rule.name}: nothing for ${figure}`);
		check(rule.labels.severity && rule.annotations.summary, `${rule.name} says how bad it is`);
	}
	equal((await query('ALERTS{alertstate="firing"}')).map((r) => r.metric.alertname), [], 'alerts of a healthy server');
});

await suite.test('a server that has gone is noticed', async () => {
	for (const socket of sockets)
		socket.terminate();
	server.child.removeAllListeners('exit');
	server.child.kill('SIGTERM');
	await withDeadline(once(server.child, 'exit'), 15000, 'it ends');
	for (let waited = 0; waited < patient(15000); waited += 200) {
		if ((await query('ALERTS{alertname="SockjsdDown"}')).length > 0)
			return;
		await sleep(200);
	}
	throw new Error('SockjsdDown is not even pending');
});

suite.finish();
