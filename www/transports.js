/*
 * transports.js - what the pages know about transports and services.
 *
 * One row each; the live page builds its choices from these tables, and a
 * transport's `line` is its colour on the map of the start page (style.css).
 * The names are those of sockjs-client's `transports` option, but for those with
 * `raw`: a bare WebSocket, without sockjs-client, at that path behind the service's.
 */
export const transports = [
	{ name: 'auto', line: 'auto', label: 'auto', note: 'best that works' },
	{ name: 'websocket', line: 'ws', label: 'websocket', note: 'full duplex' },
	{ name: 'xhr-streaming', line: 'xs', label: 'xhr-streaming', note: 'endless response' },
	{ name: 'eventsource', line: 'es', label: 'eventsource', note: 'server-sent events' },
	{ name: 'iframe-eventsource', line: 'es', label: 'iframe-eventsource', note: 'from a frame', framed: true },
	{ name: 'htmlfile', line: 'hf', label: 'htmlfile', note: 'script after script' },
	{ name: 'iframe-htmlfile', line: 'hf', label: 'iframe-htmlfile', note: 'from a frame', framed: true },
	{ name: 'xhr-polling', line: 'xp', label: 'xhr-polling', note: 'ask, wait, repeat' },
	{ name: 'iframe-xhr-polling', line: 'xp', label: 'iframe-xhr-polling', note: 'from a frame', framed: true },
	{ name: 'jsonp-polling', line: 'jp', label: 'jsonp-polling', note: 'by script tags' },
	{ name: 'raw-websocket', line: 'raw', label: 'raw websocket', note: 'at …/websocket', raw: '/websocket' },
	{ name: 'raw-prefix', line: 'raw', label: 'raw at prefix', note: 'as with Spring', raw: '' },
];

/*
 * `answers` says how a reply is matched to what was sent: `same` text in the
 * same order, a `tagged` envelope among other people's, `next` message
 * whatever it is, or not at all.  After a service that hangs up there is no
 * new attempt.
 */
export const services = [
	{
		name: 'echo', label: 'Echo', answers: 'same',
		hint: 'Whatever you send comes back.', placeholder: 'Say something',
	}, {
		name: 'broadcast', label: 'Chat', answers: 'tagged',
		hint: 'Open this page twice: everyone connected hears everyone.', placeholder: 'Write to everyone',
	}, {
		name: 'ticker', label: 'Ticker', answers: null,
		hint: 'One tick a second; nothing to send.', placeholder: 'The ticker does not listen',
	}, {
		name: 'close', label: 'Close', answers: null, hangsUp: true,
		hint: 'Says “Go away!” (code 3000) at once.', placeholder: 'This service hangs up first',
	}, {
		name: 'amplify', label: 'Amplify', answers: 'next',
		hint: 'Send n from 1 to 18, get 2ⁿ letters back.', placeholder: 'A number from 1 to 18',
	},
];

export function transportNamed(name) {
	return transports.find((t) => t.name === name) ?? transports[0];
}

export function serviceNamed(name) {
	return services.find((s) => s.name === name) ?? services[0];
}
