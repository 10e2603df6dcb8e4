#!/usr/bin/env node
/*
 * balanced.mjs - two gateways that share sessions, behind a real balancer that sends each request to the next one and
 * knows nothing of sessions; for programs that take the command of one server.
 *
 *	balanced.mjs --server ./sockjsd --balancer nginx|haproxy [--count N] [--listen 127.0.0.1:0] [--www DIR] [--production yes]
 *
 * It says "listening on http://..." when all are there, and ends them on SIGTERM.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readArguments } from '../e2e/harness.mjs';
import { Nats } from '../relay/brokers.mjs';
import { Gateway, until } from '../reload/gateway.mjs';
import { Balancer } from './balancers.mjs';

const args = readArguments(['server', 'balancer', 'count', 'listen', 'www', 'production']);
const folder = mkdtempSync(join(tmpdir(), 'balanced-'));
const running = [];

/* What --demo serves (or, for production, with what an endpoint has that says nothing). */
function configOf(engine) {
	const demo = JSON.parse(spawnSync(args.server, ['--demo', '--print-config'], { encoding: 'utf8' }).stdout);
	const plain = ({ prefix, application, websocket }) => ({ prefix, application, ...websocket?.enabled === false && { websocket } });

	for (const e of demo.endpoints)
		if (e.stomp)
			e.stomp.engine = {};
	return {
		listen: ['127.0.0.1:0'], internal: { listen: '127.0.0.1:0' }, log_level: 'warn', threads: 2,
		trusted_proxies: ['127.0.0.1'], client_library: demo.client_library && resolve(demo.client_library),
		stomp_library: demo.stomp_library && resolve(demo.stomp_library),
		...args.www && { www: resolve(args.www) }, engine,
		endpoints: args.production ? demo.endpoints.map((e) => ({ ...plain(e), transports: e.transports, allowed_origins: ['*'] })) : demo.endpoints,
	};
}

async function stop(code) {
	for (const one of running.reverse())
		await one.stop();
	rmSync(folder, { recursive: true, force: true });
	process.exit(code);
}

async function start() {
	const nats = await new Nats({}).start();

	running.push(nats);
	const config = configOf({ kind: 'nats', servers: nats.url });
	const gateways = [];

	for (let i = 0; i < Number(args.count ?? 2); i++)
		gateways.push(await new Gateway(args.server, folder, `g${i}`).start(config));
	running.push(...gateways);
	for (const g of gateways)
		await until(async () => await g.metric('sockjs_peers_settled') === 1 && await g.metric('sockjs_peers_gateways') === gateways.length,
			'the gateways know one another');
	const balancer = new Balancer(args.balancer ?? 'haproxy', folder, gateways.map((g) => g.port));

	running.push(await balancer.start(Number((args.listen ?? '').split(':')[1] ?? 0)));
	console.log(`listening on http://127.0.0.1:${balancer.port}`);
}

process.on('SIGTERM', () => stop(0));
process.on('SIGINT', () => stop(0));
start().catch((e) => {
	console.error(e.message);
	stop(1);
});
