/*
 * bench/keep.mjs - what a journal costs a queue: messages a second from SEND to RECEIPT, and the server's
 * processor time for each.
 *
 *	node bench/keep.mjs --server build/o2/sockjsd --directory /on/the/disk/that/is/meant [--seconds 3]
 *
 * Four senders by TCP have 64 messages of 256 octets under way each; two consumers take them as they
 * come. One thread.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';

const options = { server: 'build/o2/sockjsd', directory: '.', seconds: '3' };
for (let i = 2; i < process.argv.length; i += 2)
	options[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];

const WINDOW = 64, BODY = 'x'.repeat(256);
const sleep = (ms) => new Promise((later) => setTimeout(later, ms));
const connect = 'CONNECT\naccept-version:1.2\nheart-beat:0,0\n\n\0';

function open(port, hello, on) {
	const s = net.connect(port, '127.0.0.1', () => s.write(connect + hello));
	s.on('data', (data) => {
		let frames = 0;
		for (let at = data.indexOf(0); at >= 0; at = data.indexOf(0, at + 1))
			frames++;
		on(s, frames);
	});
	s.on('error', () => {});
	return s;
}

function processorMs(pid) {
	const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
	return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function measure(name, more) {
	const directory = mkdtempSync(join(options.directory, 'keep-')), file = join(directory, 'sockjsd.json');
	writeFileSync(file, JSON.stringify({ threads: 1, listen: [{ address: '127.0.0.1:0', protocol: 'stomp', endpoint: '/stomp' }],
		endpoints: [{ prefix: '/stomp', application: 'stomp', stomp: { access: 'open', ...(more && { journal: join(directory, 'journal'), ...more }) } }] }));
	const server = spawn(options.server, ['-c', file, '--log-level', 'error'], { stdio: ['ignore', 'pipe', 'inherit'] });
	const port = await new Promise((ready) => server.stdout.on('data', (data) => ready(Number(String(data).match(/:(\d+)\n/)[1]))));
	const send = `SEND\ndestination:/queue/bench\nreceipt:r\n\n${BODY}\0`;
	let receipts = 0, ends = false;
	const all = [0, 1].map(() => open(port, 'SUBSCRIBE\nid:q\ndestination:/queue/bench\n\n\0', () => {}));
	for (let i = 0; i < 4; i++) {
		let first = 1; /* CONNECTED */
		all.push(open(port, send.repeat(WINDOW), (s, frames) => {
			const n = frames - first;
			first = 0;
			receipts += n;
			if (n > 0 && !ends)
				s.write(send.repeat(n));
		}));
	}
	await sleep(500);
	const [then, before, began] = [receipts, processorMs(server.pid), performance.now()];
	await sleep(Number(options.seconds) * 1000);
	const n = receipts - then, ms = performance.now() - began, cpu = processorMs(server.pid) - before;
	ends = true;
	for (const s of all)
		s.destroy();
	const ended = new Promise((gone) => server.on('exit', gone));
	server.kill('SIGTERM');
	await ended;
	rmSync(directory, { recursive: true });
	console.log(`${name.padEnd(24)} ${Math.round(n / ms * 1000)} messages/s, ${(cpu * 1000 / n).toFixed(1)} us each`);
}

await measure('memory', null);
for (const journal_sync of ['never', 'interval', 'always'])
	await measure(`journal, ${journal_sync}`, { journal_sync });
