// bench/peers/ws.mjs - npm "ws", as its README would have it used.
//
// /echo/... returns what it gets to the sender, /broadcast/... to all.

import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';

const server = createServer();
const echo = new WebSocketServer({ noServer: true });
const broadcast = new WebSocketServer({ noServer: true });

echo.on('connection', (ws) => {
	ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});

broadcast.on('connection', (ws) => {
	ws.on('message', (data, isBinary) => {
		for (const client of broadcast.clients)
			if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary });
	});
});

server.on('upgrade', (request, socket, head) => {
	const wss = request.url.startsWith('/broadcast') ? broadcast : echo;
	wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, request));
});

server.listen(0, '127.0.0.1', 4096, () => {
	console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
