/*
 * levers.mjs - what the gateway may do about bad networks, each alone, all, and none: patches of the
 * options of an endpoint. A server that does not know an option is not given it.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from '../e2e/harness.mjs';

/* It learns, and does nothing with it. */
const NEUTRAL = {
	networks: { adapt: true, streams: 'long', first_heartbeat_ms: 0, close_delimited: 'never', refuse_websocket: false, ping_unacknowledged_ms: 0 },
	websocket: { prove: 'never' },
};

const alone = (group, key, value) => ({ needs: [group, key], patch: { ...NEUTRAL, [group]: { ...NEUTRAL[group], [key]: value } } });

const LEVERS = {
	off: { patch: { networks: { adapt: false } }, says: 'the gateway does not adapt' },
	on: { needs: ['networks', 'adapt'], patch: {}, says: 'every default' },
	streams: { ...alone('networks', 'streams', 'auto'), says: 'streams that are held get short responses' },
	short: { ...alone('networks', 'streams', 'short'), says: 'each response ends after one message, for everybody' },
	prove: { ...alone('websocket', 'prove', 'auto'), says: 'no `o` by WebSocket before a pong, where there have been failures' },
	prove_always: { ...alone('websocket', 'prove', 'always'), says: 'no `o` by WebSocket before a pong, for everybody' },
	unacknowledged: { ...alone('networks', 'ping_unacknowledged_ms', 3000), says: 'pings speed up while something is unacknowledged' },
	refuse: { ...alone('networks', 'refuse_websocket', true), says: 'WebSocket is refused where it has failed' },
	heartbeat: { ...alone('networks', 'first_heartbeat_ms', 10000), says: 'heartbeats begin at 10 s' },
	close_delimited: { ...alone('networks', 'close_delimited', 'auto'), says: 'responses end with their connection' },
};

export const NAMES = Object.keys(LEVERS);
export const sentence = (name) => LEVERS[name].says;

/* Of an endpoint: { networks: Set, websocket: Set }. */
export function optionsOf(server, folder) {
	const file = join(folder, 'probe.json');

	writeFileSync(file, JSON.stringify({ listen: ['127.0.0.1:0'], endpoints: [{ prefix: '/app', application: 'echo' }] }));
	const { status, stdout, stderr } = spawnSync(server, ['-c', file, '--print-config'], { encoding: 'utf8' });
	check(status === 0, `${server} --print-config: ${stderr}`);
	const [endpoint] = JSON.parse(stdout).endpoints;
	return Object.fromEntries(['networks', 'websocket'].map((group) => [group, new Set(Object.keys(endpoint[group] ?? {}))]));
}

export const knows = (known, name) => !LEVERS[name].needs || known[LEVERS[name].needs[0]].has(LEVERS[name].needs[1]);

/* What of them the server knows. */
function trim(known, patch) {
	const groups = Object.entries(patch).map(([group, options]) =>
		[group, Object.fromEntries(Object.entries(options).filter(([key]) => known[group].has(key)))]);

	return Object.fromEntries(groups.filter(([, options]) => Object.keys(options).length));
}

/* An endpoint with a lever. What a row sets itself, such as times of a short run, counts unless that lever is not in use. */
export function withLever(known, endpoint, name) {
	const { patch } = LEVERS[name];
	const isUsed = (group, key) => known[group].has(key) && (group !== 'networks' || (patch.networks?.adapt !== false && patch.networks?.[key] !== 0));
	const groups = Object.keys(known).map((group) =>
		[group, { ...trim(known, patch)[group], ...Object.fromEntries(Object.entries(endpoint[group] ?? {}).filter(([key]) => isUsed(group, key))) }]);
	const { networks, websocket, ...others } = endpoint;

	return { ...others, ...Object.fromEntries(groups.filter(([, options]) => Object.keys(options).length)) };
}
