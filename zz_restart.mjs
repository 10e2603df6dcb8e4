import { spawn } from 'node:child_process'; import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { WebSocketServer, WebSocket } from 'ws';
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true });
let conns = 0; const closes = [];
wss.on('connection', (w) => { conns++; w.on('message', (d, b) => w.send(d, { binary: b })); w.on('close', (c, r) => closes.push([c, String(r)])); });
await new Promise((r) => wss.on('listening', r));
const asked = [];
const http = createServer(async (q, a) => { let b = ''; for await (const c of q) b += c; const e = JSON.parse(b); asked.push(e);
  if (e.event === 'connect') await sleep(300 * Math.random());
  if (e.event === 'message') await sleep(50 * Math.random());
  a.setHeader('content-type', 'application/json').end(JSON.stringify(e.event === 'message' ? { messages: e.messages } : {})); });
await new Promise((r) => http.listen(0, '127.0.0.1', r));
const hurl = `http://127.0.0.1:${http.address().port}/`;
const port = 18000 + Math.floor(Math.random() * 1000);
writeFileSync('/tmp/h3t/c.json', JSON.stringify({ listen: [`127.0.0.1:${port}`], threads: 2, log_level: 'info', shutdown_timeout_ms: 1000,
 endpoints: [ { prefix: '/up', application: 'upstream', allowed_origins: ['*'], upstream: { url: `ws://127.0.0.1:${wss.address().port}/` } },
 { prefix: '/hk', application: 'hooks', allowed_origins: ['*'], hooks: { url: hurl } },
 { prefix: '/gu', application: 'upstream', allowed_origins: ['*'], upstream: { url: `ws://127.0.0.1:${wss.address().port}/` }, hooks: { url: hurl } },
 { prefix: '/bc', application: 'broadcast', allowed_origins: ['*'] }, { prefix: '/tick', application: 'ticker', allowed_origins: ['*'] }, { prefix: '/echo', application: 'echo', allowed_origins: ['*'] } ] }));
const p = spawn(process.argv[2], ['-c', '/tmp/h3t/c.json'], { stdio: ['ignore', 'inherit', 'inherit'] });
await sleep(1500);
class C { constructor(path) { this.path = path; this.got = []; this.sent = 0; this.ws = new WebSocket(`ws://127.0.0.1:${port}${path}/websocket`); this.ws.on('message', (d) => this.got.push(String(d))); this.ws.on('close', (c, r) => { this.closed = [c, String(r)]; }); this.ws.on('error', (e) => { this.error = e.message; }); }
 get open() { return this.ws.readyState === 1; } say() { if (this.open) this.ws.send(`m${this.sent++}`); } 
 get ok() { return this.got.length === this.sent && this.got.every((g, i) => g === `m${i}`); } }
const all = []; const paths = ['/up', '/hk', '/gu', '/echo'];
for (let i = 0; i < 40; i++) all.push(new C(paths[i % 4]));
const bc = [new C('/bc'), new C('/bc')]; const tick = new C('/tick');
let saying = true;
(async () => { while (saying) { for (const c of all) c.say(); await sleep(10); } })();
await sleep(700);
const pids = () => p.pid;
let restarts = 0;
for (let i = 0; i < 3; i++) { 
  for (let k = 0; k < 12; k++) all.push(new C(paths[k % 3]));
  await sleep(50);
  const { execSync } = await import('node:child_process');
  const pid = execSync(`ss -ltnp 'sport = :${port}' | grep -o 'pid=[0-9]*' | sort -u | tail -1`).toString().trim().slice(4);
  console.log('USR2', pid); process.kill(Number(pid), 'SIGUSR2'); await sleep(1500); restarts++; }
bc[0].ws.send('all'); await sleep(300);
saying = false; await sleep(1500);
let bad = 0; for (const c of all) if (!c.ok) { bad++; if (bad < 12) console.log(c.path, 'sent', c.sent, 'got', c.got.length, c.got.findIndex((g, i) => g !== `m${i}`), c.closed, c.error); }
console.log('bad', bad, 'of', all.length, 'bc', bc.map((b) => b.got), 'ticks', tick.got.length, 'backend conns', conns, 'closes', closes.length, 'dups', asked.length - new Set(asked.map((e) => e.id)).size);
for (const c of all) c.ws.close(3001, 'bye'); await sleep(1000);
console.log('closes', closes.length, closes.filter((c) => c[0] === 3001).length, 'disconnects', asked.filter((e) => e.event === 'disconnect').length, 'connects', new Set(asked.filter((e) => e.event === 'connect').map((e) => e.id)).size);
const { execSync } = await import('node:child_process');
const pid = execSync(`ss -ltnp 'sport = :${port}' | grep -o 'pid=[0-9]*' | sort -u | tail -1`).toString().trim().slice(4); process.kill(Number(pid), 'SIGTERM'); await sleep(1500); process.exit(0);
