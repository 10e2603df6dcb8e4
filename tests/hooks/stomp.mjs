/*
 * stomp.mjs - web-hooks of the application stomp: the backend decides who clients are, what they may do,
 * and answers what is its own.
 */
import WebSocket from 'ws';
import { check, equal, withDeadline } from '../e2e/harness.mjs';
import { sleep } from '../upstream/gateway.mjs';

const PATIENCE_MS = 10000;

/* A STOMP 1.2 client whose every frame the test sees. */
class Stomp {
	frames = [];
	closed = null;
	#wake = () => {};

	constructor(base, connect = {}, handshake = {}) {
		this.socket = new WebSocket(base.replace('http', 'ws'), ['v12.stomp'], { headers: handshake });
		this.socket.on('open', () => this.send('CONNECT', { 'accept-version': '1.2', 'heart-beat': '0,0', ...connect }));
		this.socket.on('message', (data) => {
			const [head, body] = data.toString().split('\n\n');
			const [command, ...lines] = head.split('\n');

			if (command)
				this.frames.push({ command, headers: Object.fromEntries(lines.map((l) => l.split(/:(.*)/s).slice(0, 2))), body: body.replace(/\0$/, '') });
			this.#wake();
		});
		this.socket.on('error', () => {});
		this.socket.on('close', (code) => {
			this.closed = code;
			this.#wake();
		});
	}

	send(command, headers = {}, body = '') {
		const lines = Object.entries(headers).map(([n, v]) => `${n}:${v}\n`).join('');

		this.socket.send(`${command}\n${lines}\n${body}\0`);
	}

	async take(command, headers = {}) {
		const come = (async () => {
			while (!this.frames.length && this.closed === null)
				await new Promise((resolve) => { this.#wake = resolve; });
		})();

		await withDeadline(come, PATIENCE_MS, `a ${command}`);
		const frame = this.frames.shift();
		check(frame, `a ${command}, but it is closed: ${this.closed}`);
		equal(frame.command, command, JSON.stringify(frame));
		for (const [name, value] of Object.entries(headers))
			equal(frame.headers[name], value, `${name} of ${JSON.stringify(frame)}`);
		return frame;
	}

	close() {
		this.socket.close();
	}
}

const RULES = [
	{ destination: '/topic/admin/**', send: { roles: ['admin'] }, subscribe: { roles: ['admin'] } },
	{ destination: '/topic/**', send: 'authenticated', subscribe: 'authenticated' },
	{ destination: '/app/**', send: 'authenticated', subscribe: 'authenticated' },
	{ destination: '/user/**', subscribe: 'authenticated' },
];

export async function stompTests(suite, { withBackend, figure }) {
	const endpoint = (hooks, stomp = {}) => ({ application: 'stomp', stomp: { access: RULES, anonymous: false, ...stomp },
		hooks: { events: ['connect', 'subscribe', 'publish', 'disconnect'], destinations: ['/app/**'], ...hooks } });
	const people = { ann: { user: 'ann', roles: ['admin'], attributes: { plan: 'gold' } }, bob: { user: 'bob' } };
	const connects = (e) => (people[e.connect.login] && e.connect.passcode === 'secret' ? { json: people[e.connect.login] } : { status: 401, json: { reason: 'Who are you?' } });
	const only = (answers) => (e) => (e.event === 'connect' ? connects(e) : answers[e.event]?.(e) ?? {});
	const join = async (gateway, login = 'ann', handshake = {}) => {
		const client = new Stomp(gateway.endpoint, { login, passcode: 'secret' }, handshake);

		client.name = (await client.take('CONNECTED', { 'user-name': login })).headers.session;
		return client;
	};

	await suite.test('stomp: the backend decides who a client is, with the roles that rules ask for', async () => {
		await withBackend(only({}), endpoint(), async (gateway, backend) => {
			const ann = await join(gateway, 'ann', { cookie: 'sid=1' }), bob = await join(gateway, 'bob');
			const [first] = backend.events('connect');

			equal([first.headers, first.connect.passcode, first.transport, first.connect['accept-version']], [{ cookie: 'sid=1' }, 'secret', 'websocket_raw', '1.2'], 'what it is told');
			for (const [client, allowed] of [[ann, true], [bob, false]]) {
				client.send('SUBSCRIBE', { id: 0, destination: '/topic/admin/x', receipt: 1 });
				if (allowed)
					await client.take('RECEIPT');
				else
					await client.take('ERROR', { code: '4630' });
			}
			const nobody = new Stomp(gateway.endpoint, { login: 'ann', passcode: 'wrong' });
			equal((await nobody.take('ERROR', { code: '4620' })).body, 'Who are you?', 'the reason');
			ann.close();
			const end = await backend.heard('disconnect', 2);
			equal(backend.events('disconnect').map((e) => e.user).sort(), ['ann', 'bob'], 'ends');
			check(end.name.length === 16, 'the name');
			equal(backend.events('disconnect').find((e) => e.user === 'ann').attributes, { plan: 'gold' }, 'attributes');
		});
	});

	await suite.test('stomp: failures count by address, and are then refused unasked', async () => {
		await withBackend(only({}), endpoint({}, { max_failures_per_minute: 3 }), async (gateway, backend) => {
			for (const code of ['4620', '4620', '4620', '4622', '4622'])
				await new Stomp(gateway.endpoint, { login: 'eve', passcode: 'x' }).take('ERROR', { code });
			equal(backend.events('connect').length, 3, 'asked');
		});
	});

	await suite.test('stomp: what expires ends', async () => {
		await withBackend((e) => (e.event === 'connect' ? { json: { user: 'ann', expires_in: 1 } } : {}), endpoint(), async (gateway) => {
			const client = await join(gateway);

			await client.take('ERROR', { code: '4621' });
		});
	});

	await suite.test('stomp: what is over has ended, and does not hold for ever', async () => {
		for (const end of [{ expires_in: 0 }, { expires_in: -5 }, { expires_in: 0.25 }, { expires_at: 0 }, { expires_at: 1 }, { expires_at: -1 }])
			await withBackend((e) => (e.event === 'connect' ? { json: { user: 'ann', ...end } } : {}), endpoint(), async (gateway) => {
				await new Stomp(gateway.endpoint).take('ERROR', { code: '4621' });
			});
		for (const end of [{ expires_in: 9223372036854775807n }, { expires_at: 1e300 }, { expires_at: null }, { expires_in: 3600.5 }])
			await withBackend((e) => (e.event === 'connect' ? { text: `{"user":"ann","${Object.keys(end)[0]}":${String(Object.values(end)[0])}}` } : {}), endpoint(), async (gateway) => {
				const client = await join(gateway);

				client.close();
			});
	});

	await suite.test('stomp: subscribe and publish are asked, in order, and what is behind waits', async () => {
		const answers = {
			subscribe: async (e) => { await sleep(50); return e.destination.endsWith('/no') ? { status: 403, json: { reason: 'Not this one.' } } : {}; },
			publish: async (e) => {
				await sleep(10);
				if (e.body === 'bad')
					return { status: 422, json: { reason: 'Language!' } };
				return e.body === 'loud' ? { json: { message: { headers: { 'content-type': 'text/plain', changed: 'yes' }, body: 'quiet' } } } : {};
			},
		};

		await withBackend(only(answers), endpoint({}, { errors: 'keep' }), async (gateway, backend) => {
			const ann = await join(gateway);

			ann.send('SUBSCRIBE', { id: 0, destination: '/topic/no', receipt: 's0' });
			ann.send('SUBSCRIBE', { id: 1, destination: '/topic/x', receipt: 's1' });
			for (const [i, body] of ['one', 'bad', 'loud', 'four'].entries())
				ann.send('SEND', { destination: '/topic/x', receipt: `m${i}`, own: i }, body);
			equal((await ann.take('ERROR', { code: '4630', 'receipt-id': 's0' })).body, 'Not this one.', 'the reason');
			await ann.take('RECEIPT', { 'receipt-id': 's1' });
			const got = [];
			while (got.length < 7) {
				const f = ann.frames.shift();
				if (f)
					got.push(f);
				else
					await sleep(5);
			}
			equal(got.filter((f) => f.command !== 'MESSAGE').map((f) => [f.command, f.headers['receipt-id']]), [['RECEIPT', 'm0'], ['ERROR', 'm1'], ['RECEIPT', 'm2'], ['RECEIPT', 'm3']], 'verdicts');
			equal(got.filter((f) => f.command === 'MESSAGE').map((f) => [f.body, f.headers.changed, f.headers.own]), [['one', undefined, '0'], ['quiet', 'yes', undefined], ['four', undefined, '3']], 'messages');
			equal([got.find((f) => f.command === 'ERROR').body, got.find((f) => f.command === 'ERROR').headers.code], ['Language!', '4631'], 'its words');
			equal(backend.events('publish').map((e) => [e.body, e.destination, e.headers.own, e.user]), ['one', 'bad', 'loud', 'four'].map((b, i) => [b, '/topic/x', String(i), 'ann']), 'what it was asked');
			ann.close();
		});
	});

	await suite.test('stomp: what is sent to /app is the backend\'s, which answers the sender, others, or both', async () => {
		const answers = {
			message: (e) => {
				if (e.destination === '/app/no')
					return { status: 404 };
				return { json: { reply: { body: `you said ${e.body.base64 ?? e.body}`, headers: { kind: 'reply' } },
					messages: [{ destination: '/topic/x', headers: { from: e.user }, body: e.body }] } };
			},
			subscribe: (e) => (e.destination.startsWith('/app/') ? { json: { reply: { headers: { kind: 'state' }, body: JSON.stringify({ at: e.destination }) } } } : {}),
		};

		await withBackend(only(answers), endpoint({}, { errors: 'keep' }), async (gateway, backend) => {
			const ann = await join(gateway), bob = await join(gateway, 'bob');

			bob.send('SUBSCRIBE', { id: 7, destination: '/topic/x', receipt: 1 });
			await bob.take('RECEIPT');
			ann.send('SUBSCRIBE', { id: 'r', destination: '/user/queue/replies', receipt: 1 });
			await ann.take('RECEIPT');
			ann.send('SUBSCRIBE', { id: 'state', destination: '/app/rooms/tea' });
			equal(JSON.parse((await ann.take('MESSAGE', { subscription: 'state', kind: 'state' })).body), { at: '/app/rooms/tea' }, 'the first state');
			ann.send('UNSUBSCRIBE', { id: 'state', receipt: 2 }); /* libraries do that, though it is over already */
			await ann.take('RECEIPT', { 'receipt-id': '2' });
			ann.send('UNSUBSCRIBE', { id: 'state' });
			await ann.take('ERROR', { code: '4635' });
			ann.send('SEND', { destination: '/app/rooms/tea/say' }, 'hello');
			equal((await ann.take('MESSAGE', { subscription: 'r', kind: 'reply' })).body, 'you said hello', 'the reply');
			equal((await bob.take('MESSAGE', { subscription: '7', from: 'ann' })).body, 'hello', 'what others get');
			ann.send('SEND', { destination: '/app/no', receipt: 9 }, 'x');
			await ann.take('ERROR', { code: '4632', 'receipt-id': '9' });
			equal(backend.events('publish').length, 0, 'the backend\'s own is not asked about twice');
			equal(backend.events('message')[0].name, ann.name, 'by whom');
			ann.close();
			bob.close();
		});
	});

	await suite.test('stomp: a backend that fails is an ERROR 4643, or a refused frame', async () => {
		let alive = true;

		await withBackend((e) => (alive ? only({})(e) : { text: 'x' }), endpoint({ timeout_ms: 1000 }, { errors: 'keep' }), async (gateway) => {
			const ann = await join(gateway);

			alive = false;
			ann.send('SEND', { destination: '/topic/x', receipt: 1 }, 'a');
			await ann.take('ERROR', { code: '4643', 'receipt-id': '1' });
			ann.send('SUBSCRIBE', { id: 1, destination: '/topic/x', receipt: 2 });
			await ann.take('ERROR', { code: '4643', 'receipt-id': '2' });
			ann.send('SEND', { destination: '/app/x', receipt: 3 }, 'a');
			await ann.take('ERROR', { code: '4643', 'receipt-id': '3' });
			await new Stomp(gateway.endpoint, { login: 'ann', passcode: 'secret' }).take('ERROR', { code: '4643' });
			alive = true;
			ann.send('SEND', { destination: '/topic/x', receipt: 4 }, 'a');
			await ann.take('RECEIPT', { 'receipt-id': '4' });
			check(await figure(gateway, 'sockjs_hook_failures_total', '"answer"') === 4, 'counted');
			ann.close();
		});
	});

	await suite.test('stomp: answers that make no sense are failures, too', async () => {
		const nonsense = [{ reply: 3 }, { reply: { body: 3 } }, { reply: { headers: [] } }, { reply: { headers: { a: 1 } } }, { reply: { body: { base64: '?' } } }, { reply: { destination: 3 } }, { reply: { destination: '/queue/x\0y' } }];
		let i = 0;

		await withBackend(only({ subscribe: () => ({ json: nonsense[i++] }) }), endpoint({}, { errors: 'keep' }), async (gateway) => {
			const ann = await join(gateway);

			for (const n of nonsense) {
				ann.send('SUBSCRIBE', { id: JSON.stringify(n).replace(/\W/g, ''), destination: '/app/x', receipt: 'r' });
				await ann.take('ERROR', { code: '4643', 'receipt-id': 'r' });
			}
			check(await figure(gateway, 'sockjs_hook_failures_total', '"answer"') === nonsense.length, 'counted');
			ann.close();
		});
		const sent = [...nonsense.filter((n) => !n.reply?.destination), { reply: 'x' }, { messages: 'x' }, { messages: { a: 1 } }, { messages: ['x'] },
			{ messages: [{ body: 'without a destination' }] }, { messages: [{ destination: '/topic/told', body: 'x' }, { destination: '/topic/told', body: 3 }] },
			{ messages: [{ destination: 'nope', body: 'x' }] }];
		let j = 0;

		await withBackend(only({ message: () => ({ json: sent[j++] ?? { messages: null, reply: [] } }) }), endpoint({}, { errors: 'keep' }), async (gateway) => {
			const ann = await join(gateway);

			ann.send('SUBSCRIBE', { id: 's', destination: '/topic/told', receipt: 's' });
			await ann.take('RECEIPT', { 'receipt-id': 's' });
			for (const n of sent) {
				ann.send('SEND', { destination: '/app/x', receipt: 'r' }, JSON.stringify(n));
				await ann.take('ERROR', { code: '4643', 'receipt-id': 'r' }); /* and no MESSAGE before it: none of it is done */
			}
			check(await figure(gateway, 'sockjs_hook_failures_total', '"answer"') === sent.length, 'counted');
			ann.send('SEND', { destination: '/app/x', receipt: 'well' }, 'nothing is an answer');
			await ann.take('RECEIPT', { 'receipt-id': 'well' });
			ann.close();
		});
		for (const json of [{ user: 3 }, { user: 'ann', roles: 'admin' }, { user: 'ann', roles: [1] }, { user: 'ann', claims: [] }, { user: 'ann', expires_in: '60' }, { user: 'ann', expires_at: false }, { user: 'ann\0eve' }, { user: 'ann', roles: ['admin\0istrator'] }, { user: '' }, { user: 'x'.repeat(300) }])
			await withBackend((e) => (e.event === 'connect' ? { json } : {}), endpoint(), async (gateway) => {
				const client = new Stomp(gateway.endpoint, {});
				const { headers } = await client.take('ERROR');

				check(json.user === '' ? headers.code === '4620' : headers.code === '4643', `${JSON.stringify(json)}: ${headers.code}`);
			});
	});

	await suite.test('stomp: clients that leave in the midst of a question', async () => {
		await withBackend(async (e) => { await sleep(e.event === 'connect' ? 0 : 200); return only({})(e); }, endpoint(), async (gateway, backend) => {
			const clients = await Promise.all(Array.from({ length: 20 }, () => join(gateway)));

			clients.forEach((c) => c.send('SEND', { destination: '/topic/x' }, 'a'));
			await backend.heard('publish', 20);
			clients.forEach((c) => c.socket.terminate());
			await backend.heard('disconnect', 20);
			const late = Array.from({ length: 20 }, () => new Stomp(gateway.endpoint, { login: 'ann', passcode: 'secret' }));
			await sleep(30);
			late.forEach((c) => c.socket.terminate());
			await sleep(500);
		});
	});
}
