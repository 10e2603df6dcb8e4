// bench/peers/sockjs.mjs - npm "sockjs" (sockjs-node), as its README would have it used.
//
// /echo returns what it gets to the sender, /broadcast to all, /ticker takes it and is silent.

import { createServer } from 'node:http';
import sockjs from 'sockjs';

const server = createServer();
const quiet = { log: () => {} };

function serve(prefix, onConnection) {
	const service = sockjs.createServer(quiet);
	service.on('connection', onConnection);
	service.installHandlers(server, { prefix });
}

serve('/echo', (connection) => {
	connection.on('data', (message) => connection.write(message));
});

const members = new Set();
serve('/broadcast', (connection) => {
	members.add(connection);
	connection.on('data', (message) => {
		for (const member of members) member.write(message);
	});
	connection.on('close', () => members.delete(connection));
});

serve('/ticker', () => {});

server.listen(0, '127.0.0.1', 4096, () => {
	console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
