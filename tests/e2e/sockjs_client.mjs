/*
 * sockjs_client.mjs - sockjs-client in Node, which hears of an answer that is cut off.
 *
 * As it is it waits for the `end` of an answer. Node, as it is today, says `error` instead where the connection breaks
 * in the middle: the client hears nothing, and if it waits for a message by then it waits for ever. A browser's
 * XMLHttpRequest is done with a status of 0 there, and so is this one.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const place = require.resolve('sockjs-client/lib/transport/driver/xhr');

/* What sockjs-client requests by, as it is. */
export const Deaf = require(place);

function Hearing(...args) {
	Deaf.apply(this, args);
	this.req.on('response', (answer) => answer.on('error', () => this.emit('finish', 0, '')));
}

Hearing.prototype = Deaf.prototype;
Object.assign(Hearing, Deaf);
require.cache[place].exports = Hearing; /* before anybody else asks for it */

export const SockJS = require('sockjs-client');
export { Hearing };
