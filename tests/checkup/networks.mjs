/*
 * networks.mjs - the networks of the hostile proxy, one for each cause, and which the doctor names.
 */
import { check, equal, together } from '../e2e/harness.mjs';
import { Proxy } from '../hostile/proxy.mjs';
import { Doctor, shown, way } from './doctor.mjs';

const held = (name) => (found) => check(/^(held-|never)/.test(way(found, name).flow), `${name} is held: ${shown(found)}`);
const best = (name) => (found) => equal(found.best, name, 'what clients use');

const AT_A_TIME = 4; /* they mostly wait */

/* What it is called, the rules, the causes in their order, and what else must be so. */
const NETWORKS = [
	['no rules', [], ['ok'], { more: best('websocket') }],
	['Upgrade is stripped', ['strip upgrade'], ['upgrade_refused'], { more: best('xhr_streaming') }],
	['Upgrade is refused by 403', ['403 on upgrade'], ['upgrade_refused'], {}],
	['Upgrade is refused by 502', ['502 on upgrade'], ['upgrade_refused'], {}],
	['HTTP/1.0', ['http 1.0'], ['upgrade_refused'], {}],
	['Upgrade hangs', ['hang on upgrade'], ['upgrade_hangs'], {}],
	['101, then no frames', ['after 101: black'], ['websocket_silent'], {}],
	['101 and o, then black', ['after open: black'], ['websocket_black'], { options: ['--timeout', '2'] }],
	['frames of clients are dropped', ['drop client frames'], ['websocket_one_way'], { slow: true }],
	['the first frame of a client is lost', ['drop first client frame'], ['websocket_one_way'], {}],
	['black after ten frames', ['after 10 frames: black'], ['websocket_black'], {}],
	['cut after 64 KiB', ['on websocket: cut after 64KiB'], ['cut_by_octets'], {}],
	['streams are held until their end', ['hold'], ['streams_held'], { more: (found) => { held('xhr_streaming')(found); best('websocket')(found); } }],
	['streams are held until their end, no Upgrade', ['strip upgrade', 'hold'], ['streams_held', 'upgrade_refused'], { more: best('xhr') }],
	['streams are held until their end, on a long line', ['strip upgrade', 'hold', 'delay 100ms'], ['streams_held', 'upgrade_refused'], { more: (found) => equal(way(found, 'eventsource').flow, 'held-to-end', 'flow') }],
	['streams are held by 3 KiB', ['strip upgrade', 'hold 3KiB'], ['streams_held', 'upgrade_refused'], { more: held('xhr_streaming') }],
	['streams are held by 64 KiB', ['strip upgrade', 'hold 64KiB'], ['streams_held', 'upgrade_refused'], { more: held('eventsource') }],
	['streams are held, and Upgrade hangs', ['hang on upgrade', 'hold'], ['streams_held', 'upgrade_hangs'], {}],
	['what comes within 200 ms goes out together', ['strip upgrade', 'on xhr_streaming, eventsource, htmlfile: coalesce 200ms server'], ['streams_late', 'upgrade_refused'], {}],
	['a long line', ['delay 250ms'], ['far'], { more: best('websocket') }],
	['/info hangs', ['hang on /info'], ['info_unreachable'], { options: ['--timeout', '2'] }],
	['/info is refused', ['403 on /info'], ['info_unreachable'], {}],
	['POST is refused, and Upgrade stripped', ['strip upgrade', '403 on POST /*'], ['post_refused', 'upgrade_refused'], { more: best(null) }],
	['xhr_streaming is refused', ['502 on xhr_streaming'], ['streams_refused'], { more: best('websocket') }],
	['sends reach a server that has no such session', ['404 on xhr_send', '404 on jsonp_send'], ['sessions_lost'], { more: best('websocket') }],
	['a service that closes all sessions', [], ['unclear'], { path: '/close' }],
	['a server that offers two transports', [], ['ok'], { path: '/plain', more: best('xhr_streaming') }],
	['Host is rewritten, and the endpoint is for its own origin', ['set request Host elsewhere.example'], ['origin_rewritten'], { path: '/own' }],
	['Origin is rewritten', ['set request Origin http://elsewhere.example'], ['origin_rewritten'], { path: '/own' }],
	['idle connections are cut', ['cut idle 3s'], ['idle_cut'], { options: ['--idle', '8'], more: (found) => equal(found.idle.map((i) => [i.survived_s, i.cut_s, i.silent]), [[2, 4, false], [2, 4, false]], 'silence') }],
	['idle connections are forgotten', ['cut idle 3s silent'], ['idle_silent'], { options: ['--idle', '8'], more: (found) => equal(found.idle.map((i) => [i.survived_s, i.cut_s, i.silent]), [[2, 4, true], [2, 4, true]], 'silence') }],
	['connections are cut at an age', ['age 3s: cut'], ['cut_by_age'], { options: ['--idle', '8'] }],
	['silence does no harm', [], ['ok'], { options: ['--idle', '2'], more: (found) => equal(found.idle.map((i) => [i.survived_s, i.cut_s, i.cut_in_use_s]), [[2, null, null], [2, null, null]], 'silence') }],
];

export async function testNetworks(world) {
	await together(AT_A_TIME, NETWORKS.map(([name, rules, causes, { path = '/echo', options = [], more = () => {}, slow }]) => () =>
		world.suite.test(`${name}: ${causes.join(', ')}`, async () => {
			const proxy = await Proxy.start(world.target, rules);

			try {
				const found = await Doctor.json(proxy.url + path, options);

				check(JSON.stringify(found.causes.slice(0, causes.length)) === JSON.stringify(causes), `${found.causes}: ${shown(found)}`);
				check(causes.length > 1 || found.causes.length === 1 || causes[0] !== 'ok', `more causes: ${found.causes}`);
				more(found);
			} finally {
				await proxy.stop();
			}
		}, slow ? 60000 : undefined)));
}
