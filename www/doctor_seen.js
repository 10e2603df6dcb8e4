/*
 * doctor_seen.js - what was sent and what the server saw, side by side.
 *
 * A page does not know all that its browser sends; what it knows is compared.
 */
const PROXIES = /^(via|forwarded|x-forwarded.*|x-real-ip|x-client-ip|client-ip|true-client-ip|x-cluster-client-ip|cf-.*|cdn-loop|fastly-client-ip|x-varnish|x-bluecoat-via|x-imforwards|x-proxy-id|proxy-connection|x-original-host|x-scheme|front-end-https|max-forwards)$/i;

function headerOf(seen, name) {
	return seen.headers.find((h) => h.name.toLowerCase() === name)?.value ?? null;
}

/* What any browser sends with such a request. */
function expected(seen, page) {
	const list = [['host', page.host], ['user-agent', page.agent], ['accept-encoding', null]];

	if (seen.transport.startsWith('websocket'))
		list.push(['upgrade', 'websocket'], ['connection', null], ['sec-websocket-version', '13'], ['origin', page.origin]);
	return list;
}

/* [ { name, value, what: added | changed | lost | same, sent } ], the remarkable ones first */
export function compareHeaders(seen, page) {
	const rows = [];

	for (const [name, sent] of expected(seen, page)) {
		const value = headerOf(seen, name);

		if (value === null)
			rows.push({ name, value: '', what: 'lost', sent: sent ?? '' });
		else if (sent !== null && value.toLowerCase() !== sent.toLowerCase())
			rows.push({ name, value, what: 'changed', sent });
	}
	for (const h of seen.headers) {
		const known = rows.some((r) => r.name === h.name.toLowerCase());

		if (!known)
			rows.push({ name: h.name.toLowerCase(), value: h.value ?? `${h.octets} octets, not shown`, what: PROXIES.test(h.name) ? 'added' : 'same', sent: '' });
	}
	const order = ['lost', 'changed', 'added', 'same'];

	return rows.sort((a, b) => order.indexOf(a.what) - order.indexOf(b.what));
}

/* [ [ what, value, remark ] ] */
export function describeRequest(seen, page) {
	const rows = [
		['Request', `${seen.method ?? '?'} by HTTP/${seen.http ?? '?'}`, seen.http === '1.0' ? 'a proxy on the way speaks an old HTTP' : ''],
		['Your address', seen.address, seen.peer && seen.peer !== seen.address ? `by way of ${seen.peer}` : 'with no proxy that this server knows of'],
		['Your network', seen.network, 'what operators see results by'],
		['Asked for', `${seen.scheme}://${seen.host ?? '?'}`, ''],
	];

	if (seen.host !== page.host)
		rows[3][2] = `this page is at ${page.scheme}://${page.host}`;
	else if (seen.scheme !== page.scheme)
		rows[3][2] = `this page came by ${page.scheme}: something on the way takes TLS off`;
	return rows;
}

export function viaOf(seen) {
	return (seen && headerOf(seen, 'via')) ?? null;
}
