/*
 * slow_line.mjs SERVER - the two clients of slow_line.sh.
 */
import { spawn } from 'node:child_process';
import http from 'node:http';
import WebSocket from 'ws';

const OCTETS = 262144, LEAST_MS = 10000, MOST_MS = 60000; /* send_timeout_ms is 10,000 */
const server = spawn(process.argv[2], ['-c', 'tests/production.json', '-l', '127.0.0.1:0', '--log-level', 'warn'], { stdio: ['ignore', 'pipe', 'inherit'] });
const port = await new Promise((found) => server.stdout.on('data', (data) => found(Number(String(data).match(/:(\d+)\n/)[1]))));
const path = '/amplify/000/slowline';

function byWebSocket() {
	return new Promise((got, failed) => {
		const ws = new WebSocket(`ws://127.0.0.1:${port}/amplify/websocket`, { perMessageDeflate: false });
		ws.on('open', () => ws.send('18'));
		ws.on('message', (data) => got(data.length));
		ws.on('close', (code) => failed(new Error(`closed with ${code}`)));
		ws.on('error', failed);
	});
}

function post(path, body, onData) {
	return new Promise((ended, failed) => {
		const request = http.request({ port, path, method: 'POST', headers: { 'Content-Length': body.length } }, (response) => {
			response.on('data', (data) => onData?.(data));
			response.on('end', ended);
			response.on('error', failed);
		});
		request.on('error', failed);
		request.end(body);
	});
}

/* Until the whole array frame is there; the prelude of 2 KiB counts too. */
async function byStream() {
	let octets = 0, opened, text = '';
	const open = new Promise((yes) => { opened = yes; });
	const stream = post(`${path}/xhr_streaming`, '', (data) => {
		octets += data.length;
		text += octets < 8192 ? data : '';
		if (text.includes('o\n'))
			opened();
	});
	await open;
	await post(`${path}/xhr_send`, '["18"]');
	await stream; /* response_limit_bytes is less than the message */
	return octets - 2051 - 'a[""]\n'.length;
}

let failed = 0;
async function check(name, client) {
	const began = Date.now();
	let octets;
	try {
		octets = await Promise.race([client(), new Promise((_, no) => setTimeout(() => no(new Error('it took too long')), MOST_MS).unref())]);
	} catch (e) {
		console.log(`FAILED slow line: ${name}: ${e.message} after ${Date.now() - began} ms`);
		failed++;
		return;
	}
	const ms = Date.now() - began;
	if (Math.abs(octets - OCTETS) > 64 || ms < LEAST_MS) {
		console.log(`FAILED slow line: ${name}: ${octets} octets in ${ms} ms`);
		failed++;
	}
}

await Promise.all([check('a WebSocket', byWebSocket), check('a stream', byStream)]);
server.kill('SIGKILL');
console.log(`${2 - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
