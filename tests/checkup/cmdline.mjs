/*
 * cmdline.mjs - the command line of the doctor, and what it shows.
 */
import { check, equal } from '../e2e/harness.mjs';
import { freePort } from '../proxies/proxies.mjs';
import { Doctor } from './doctor.mjs';

const WRONG = [
	[[], /of which endpoint/],
	[['example.com/echo'], /is no endpoint; allowed/],
	[['http://a/?b'], /is no endpoint/],
	[['http://a', 'http://b'], /unexpected argument 'http:\/\/b'/],
	[['http://a', '--idle', '0'], /--idle is 1 to 600 seconds, not '0'/],
	[['http://a', '--idle', '601'], /--idle is 1 to 600/],
	[['http://a', '--timeout', '1x'], /--timeout is 1 to 120 seconds/],
	[['http://a', '--proxy', 'https://p'], /is no proxy/],
	[['http://a', '--proxy'], /a value is missing/],
	[['http://a', '--nonsense'], /unknown option/],
	[['http://a', '--insecure'], /are for https/],
	[['https://a', '--ca', '/nonexistent/ca.pem'], /ca\.pem/],
];

export async function testCommandLine({ suite, url }) {
	await suite.test('--help teaches', async () => {
		const said = await Doctor.run(['--help']);

		equal([said.code, said.stderr], [0, ''], 'exit code and errors');
		for (const word of ['--proxy', '--idle', '--json', '--report', '--ca', '--insecure', '--timeout', 'Examples:', 'Exit status:', 'streams_held'])
			check(said.stdout.includes(word), `${word} is missing`);
		check(said.stdout.split('\n').every((l) => l.length <= 100), 'a line is too long');
	});
	await suite.test('a command line that is wrong is 2, and why', async () => {
		for (const [args, pattern] of WRONG) {
			const said = await Doctor.run(args);

			equal([said.code, said.stdout], [2, ''], args.join(' '));
			check(pattern.test(said.stderr), `${args.join(' ')}: ${said.stderr}`);
		}
	});
	await suite.test('elsewhere than on a terminal each transport is one line, and the table is on standard output', async () => {
		const said = await Doctor.run([`${url}/echo`]);

		equal(said.code, 0, 'exit code');
		for (const name of ['websocket_raw', 'websocket', 'xhr_streaming', 'eventsource', 'htmlfile', 'xhr', 'jsonp']) {
			equal(said.stderr.split('\n').filter((l) => l.startsWith(`${name}: open after `)).length, 1, `lines about ${name}`);
			check(new RegExp(`^${name} +open after \\d+ ms, echo \\d+ ms$`, 'm').test(said.stdout), `${name} in ${said.stdout}`);
		}
		check(/^cause +ok$/m.test(said.stdout) && /^for you /m.test(said.stdout) && /^for admins /m.test(said.stdout), said.stdout);
		check(!said.stderr.includes('\x1b'), 'it redraws');
	});
	await suite.test('where nobody listens it is unreachable', async () => {
		const found = await Doctor.json(`http://127.0.0.1:${await freePort()}/echo`);

		equal([found.causes, found.line.failure.kind], [['unreachable'], 'unconnected'], 'cause');
	});
	await suite.test('a name that does not exist is unreachable, and so is a proxy that is not there', async () => {
		const nobody = await Doctor.json('http://nobody.invalid/echo', ['--timeout', '1']);
		const noProxy = await Doctor.json(`${url}/echo`, ['--proxy', `127.0.0.1:${await freePort()}`]);

		equal([nobody.causes, nobody.line.failure.kind], [['unreachable'], 'unresolved'], 'of a name');
		equal([noProxy.causes, noProxy.line.failure.kind], [['unreachable'], 'unconnected'], 'of a proxy');
	});
	await suite.test('TLS where none is spoken is unreachable', async () => {
		const found = await Doctor.json(`${url.replace('http:', 'https:')}/echo`);

		equal([found.causes, found.line.failure.kind], [['unreachable'], 'tls'], 'cause');
	});
	await suite.test('where there is no endpoint, /info is missing', async () => {
		const found = await Doctor.json(`${url}/nowhere`);

		equal([found.causes, found.info.failure.status], [['info_unreachable'], 404], 'cause');
	});
	await suite.test('a name is looked up, and each of its addresses tried', async () => {
		equal((await Doctor.json(`${url.replace('127.0.0.1', 'localhost')}/echo`)).causes, ['ok'], 'cause');
	});
}
