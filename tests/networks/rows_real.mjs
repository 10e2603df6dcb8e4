/*
 * rows_real.mjs - networks of real proxies, with configurations as people write them.
 */
const ws = ['websocket'], streaming = ['xhr-streaming'], eventsource = ['eventsource'], polling = ['xhr-polling'];
/* What may come when streams that are held become short: the first that a client tries. */
const held = { by: ['xhr-streaming', 'eventsource', 'htmlfile', 'xhr-polling'], later: { by: ['xhr-streaming', 'xhr-polling'] } };
const UNDER_A_SECOND = { first: 1000, later: 1000 };
/* An idle cut in seconds, not in twenty: heartbeats, too. */
const SOON = { heartbeat_delay_ms: 4000, websocket: { ping_interval_ms: 4000 }, networks: { first_heartbeat_ms: 1000 } };
const nginx = (options = {}) => ({ kind: 'nginx', ...options });
const idle = (kind, timeout = '20s') => ({ kind, upgrade: true, timeout });
/* With a heartbeat each 25 s a connection of 20 s is cut. Where they begin sooner they rise until one is cut, and then no other. */
const cut = { expect: { by: ws, cut: true }, adapts: { cut: null, later: { cut: false } } };

export const rows = {
	'direct': { expect: { by: ws }, quick: { node: true } },
	'nginx as it comes': { via: [nginx()], expect: { by: streaming }, quick: {} },
	'nginx with Upgrade, buffering on': { via: [nginx({ upgrade: true })], expect: { by: ws } },
	'nginx with Upgrade, buffering off': { via: [nginx({ upgrade: true, buffering: false })], expect: { by: ws } },
	'nginx that ignores X-Accel-Buffering, HTTP/1.0 behind it': { via: [nginx({ ignore: true })], expect: { by: polling }, adapts: held, promise: UNDER_A_SECOND },
	'nginx that ignores X-Accel-Buffering, HTTP/1.1 behind it': { via: [nginx({ ignore: true, http11: true })], expect: { by: [...streaming, ...polling] } },
	'two nginx in a row': { via: [nginx(), nginx()], expect: { by: polling }, adapts: held, promise: UNDER_A_SECOND, quick: {} },
	'nginx as it comes, endpoint for its own origin only': { via: [nginx()], endpoint: { allowed_origins: [] }, isOfPages: true,
		expect: { by: [...eventsource, 'iframe-eventsource', 'htmlfile'], echoes: 'none', pushes: false, answer: false, cut: null } },
	'nginx with a read time-out of 20 s': { via: [idle('nginx')], ...cut, quick: { via: [idle('nginx', '2s')], endpoint: SOON, rest_ms: 6000 } },
	'HAProxy with a read time-out of 20 s': { via: [idle('haproxy')], ...cut },
	'HAProxy with a read time-out of 20 s, and timeout tunnel': { via: [{ ...idle('haproxy'), tunnel: '1h' }], expect: { by: ws } },
	'HAProxy without Upgrade': { via: [{ kind: 'haproxy' }], expect: { by: streaming }, quick: { node: true } },
	'HAProxy without Upgrade, option http-no-delay': { via: [{ kind: 'haproxy', noDelay: true }], expect: { by: streaming } },
	'Apache, mod_proxy': { via: [{ kind: 'apache' }], expect: { by: streaming } },
	'Apache, upgrade=websocket': { via: [{ kind: 'apache', upgrade: true }], expect: { by: ws } },
	'Apache, mod_proxy_wstunnel': { via: [{ kind: 'apache', wstunnel: true }], expect: { by: ws } },
	'Squid, CONNECT to 443 only': { via: [{ kind: 'squid', connect: 443 }], expect: { by: streaming } },
	'Squid, CONNECT to any port': { via: [{ kind: 'squid' }], expect: { by: ws } },
	'Squid, CONNECT to 443 only, a read time-out of 20 s': { via: [{ kind: 'squid', connect: 443, timeout: '20 seconds' }], ...cut, expect: { by: streaming, cut: true } },
	'Varnish': { via: [{ kind: 'varnish' }], expect: { by: streaming } },
	'Varnish with pipe': { via: [{ kind: 'varnish', pipe: true }], expect: { by: ws } },
	'mitmproxy': { via: [{ kind: 'mitmproxy' }], expect: { by: ws } },
	'mitmproxy, Upgrade stripped': { via: [{ kind: 'mitmproxy', strip: true }], expect: { by: polling }, adapts: held, promise: UNDER_A_SECOND },
	'mitmproxy, Upgrade stripped, bodies streamed': { via: [{ kind: 'mitmproxy', strip: true, stream: true }], expect: { by: streaming } },
	'Caddy with TLS': { via: [{ kind: 'caddy', tls: true }], expect: { by: ws } },
	'Caddy without Upgrade': { via: [{ kind: 'caddy', strip: true }], expect: { by: streaming } },
	'Caddy without Upgrade, gzip': { via: [{ kind: 'caddy', strip: true, gzip: true }], expect: { by: [...eventsource, ...streaming, ...polling] }, adapts: { by: null } },
	'tinyproxy, CONNECT to any port': { via: [{ kind: 'tinyproxy' }], expect: { by: ws } },
	'tinyproxy, CONNECT to 443 only': { via: [{ kind: 'tinyproxy', connect: 443 }], expect: { by: streaming } },
	'privoxy, CONNECT to any port': { via: [{ kind: 'privoxy' }], expect: { by: ws } },
	'privoxy, CONNECT to 443 only': { via: [{ kind: 'privoxy', connect: 443 }], expect: { by: polling }, adapts: held, promise: UNDER_A_SECOND },
	'lighttpd': { via: [{ kind: 'lighttpd' }], expect: { by: polling }, adapts: held, promise: UNDER_A_SECOND },
	'lighttpd with Upgrade': { via: [{ kind: 'lighttpd', upgrade: true }], expect: { by: ws } },
};
