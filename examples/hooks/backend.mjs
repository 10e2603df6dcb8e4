/*
 * backend.mjs - a backend by web-hooks, with nothing but Node.
 *
 *	node backend.mjs	http://127.0.0.1:9000/sockjsd
 *
 * PORT, API, SECRET_FILE and TOKEN_FILE of the environment say otherwise. What is asked and
 * answered is described in README.md; backend.py and backend.php are the same program.
 */
import { createHmac, randomInt, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const env = { PORT: 9000, API: 'http://127.0.0.1:8082', SECRET_FILE: 'hooks.secret', TOKEN_FILE: 'api.token', ...process.env };
const here = dirname(fileURLToPath(import.meta.url));
const firstLine = (file) => readFileSync(resolve(here, file), 'utf8').split('\n')[0];
const SECRET = firstLine(env.SECRET_FILE);
const TOKEN = firstLine(env.TOKEN_FILE);

const SIGNATURE_MAX_AGE_S = 300;
const BODY_MAX_BYTES = 1 << 20;
const TEXT_MAX = 200;
const RESERVED = ['admin', 'root', 'system'];
const EDITORS = ['ann'];

const topics = { tea: 'Milk first?', coffee: 'Beans', attic: 'What is in that box?' };

/* The gateway tells the client the reason. */
class Refusal extends Error {
	constructor(status, reason) {
		super(reason);
		this.status = status;
	}
}

/* --- what is asked ----------------------------------------------------------------- */

function nameOf(value) {
	const name = (value ?? '').trim();

	if (!/^[\p{L}\p{N}]{1,15}$/u.test(name)) /* a session has a name of 16, which shall not be anybody's */
		throw new Refusal(403, 'A name has 1 to 15 letters and digits.');
	if (RESERVED.includes(name.toLowerCase()))
		throw new Refusal(403, `The name ${name} is reserved.`);
	return name;
}

function textOf(body) {
	const text = typeof body === 'string' ? body.trim() : ''; /* what is no text is an object */
	const length = [...text].length;

	if (length < 1 || length > TEXT_MAX)
		throw new Refusal(422, `A text has 1 to ${TEXT_MAX} characters.`);
	return text.replace(/\bheck\b/gi, '****');
}

function setTopic({ user, variables: { room }, body }) {
	if (!Object.hasOwn(topics, room))
		throw new Refusal(404, 'There is no such room.');
	topics[room] = textOf(body);
	return {
		messages: [{ destination: `/topic/rooms/${room}`, headers: { from: user, kind: 'topic' }, body: topics[room] }],
		reply: { body: `You have set the topic of ${room}.` },
	};
}

function listRooms() {
	const rooms = Object.entries(topics).map(([name, topic]) => ({ name, topic }));

	return { reply: { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ rooms }) } };
}

/* All that has come from one player since the last time, in order. */
async function play({ id, user, messages }) {
	const answer = { messages: [] }, news = [];

	for (const message of messages) {
		if (message === 'quit') {
			answer.close = { code: 4000, reason: 'Good night.' };
			break;
		}
		if (message !== 'roll') {
			answer.messages.push('Say roll or quit.');
			continue;
		}
		const rolled = randomInt(1, 7);
		answer.messages.push(`You have rolled ${rolled}.`);
		news.push(`${user} has rolled ${rolled}.`);
	}
	await publishNews(id, news);
	return answer;
}

/* By endpoint and event; each returns the answer, or throws a Refusal. */
const answers = {
	'/stomp connect': ({ connect }) => {
		const user = nameOf(connect.login);

		return { user, roles: EDITORS.includes(user) ? ['editor'] : [] };
	},
	'/stomp publish': ({ user, body }) => ({ message: { headers: { from: user }, body: textOf(body) } }),
	'/stomp message': setTopic,
	'/stomp subscribe': listRooms,
	'/stomp disconnect': ({ id, user }) => publishNews(id, [`${user} has left.`]),
	'/dice connect': ({ query }) => {
		const user = nameOf(new URLSearchParams(query).get('name'));

		return { user, messages: [`Welcome, ${user}. Say roll or quit.`] };
	},
	'/dice message': play,
	'/dice disconnect': ({ id, user }) => publishNews(id, [`${user} has left the table.`]),
};

/* --- telling the gateway something by ourselves ------------------------------------- */

async function publishNews(id, texts) {
	const messages = texts.map((body) => ({ destination: '/topic/news', body }));

	if (!messages.length)
		return;
	try {
		const answer = await fetch(`${env.API}/api/publish`, {
			method: 'POST',
			headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
			body: JSON.stringify({ messages, idempotency_key: id }),
		});

		if (!answer.ok)
			console.error(`backend: ${await answer.text()}`);
	} catch (err) {
		console.error(`backend: ${env.API}: ${err.message}`); /* that it happened is true all the same */
	}
}

/* --- being asked --------------------------------------------------------------------- */

function isSigned(header, body) {
	const [, time, mac] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? [];

	if (!mac || Math.abs(Date.now() / 1000 - time) > SIGNATURE_MAX_AGE_S)
		return false;
	return timingSafeEqual(Buffer.from(mac, 'hex'), createHmac('sha256', SECRET).update(`${time}.`).update(body).digest());
}

async function bodyOf(request) {
	const chunks = [];
	let length = 0;

	for await (const chunk of request) {
		chunks.push(chunk);
		if ((length += chunk.length) > BODY_MAX_BYTES)
			throw new Refusal(413, 'This is too long.');
	}
	return Buffer.concat(chunks);
}

async function answer(request) {
	const body = await bodyOf(request);

	if (!isSigned(request.headers['sockjsd-signature'], body))
		throw new Refusal(401, 'This is not signed.');
	const event = JSON.parse(body), key = `${event.endpoint} ${event.event}`;
	if (!Object.hasOwn(answers, key))
		throw new Refusal(404, 'This is not known here.');
	return await answers[key](event) ?? {};
}

/* What is no Refusal is a fault of ours: 500, and the gateway lets nobody pass. */
const server = createServer(async (request, response) => {
	let status = 200, json;

	try {
		json = await answer(request);
	} catch (err) {
		if (!(err instanceof Refusal))
			console.error(err);
		status = err.status ?? 500;
		json = err instanceof Refusal ? { reason: err.message } : {};
	}
	response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
});

server.on('error', (err) => {
	console.error(`backend: ${err.message}`);
	process.exit(1);
});
server.listen(env.PORT, '127.0.0.1', () => {
	console.log(`backend: listening on http://127.0.0.1:${server.address().port}/sockjsd`);
});
