/*
 * server/options_table.c - the table of options: the one place that knows a
 * default or a range; see options.h. What a text may look like is in options_valid.c.
 */
#include <stddef.h>
#include <string.h>

#include "net/server_address.h"
#include "server/options.h"
#include "server/options_valid.h"

#define DAY_MS         UINT64_C(86400000)
#define MEGABYTE       UINT64_C(1048576)
#define GIGABYTE       UINT64_C(1073741824)
#define ALL_TRANSPORTS "websocket,websocket_raw,xhr_streaming,eventsource,htmlfile,xhr,jsonp"

/* clang-format off */
#define TOKEN  "letters, digits and !#$%&'*+-.^_`|~"
#define URL    "a path that begins with /, or an http:// or https:// URL"
#define HOST   "a host name, *.domain, an IP address, each without a port, or \"*\" for any"
#define CIPHERS "names and words of OpenSSL with \":\" between them"
#define SUBJECT "a subject as RFC 2253 has it, such as CN=ann,O=Example, or \"*\""
#define FINGERPRINT "64 hexadecimal digits, with or without colons"
#define NATS_SERVER "nats://HOST, nats://HOST:PORT, or tls://... likewise; an IPv6 address stands in brackets"
#define SECRET "16 to 512 letters, digits and -._~+/="
#define ORIGIN "scheme://host[:port] as browsers send it (lower case, no default port, no path), " \
	       "scheme://*.domain, \"null\", or \"*\" for any"

#define SERVER(k, t, lo, hi, def, f) \
	.key = k, .scope = OPTION_SERVER, .type = t, .min = lo, .max = hi, .default_value = def, \
	.offset = offsetof(struct server_options, f)
#define LISTENER(k, t, lo, hi, def, f) \
	.key = k, .scope = OPTION_LISTENER, .type = t, .min = lo, .max = hi, .default_value = def, \
	.offset = offsetof(struct listener_options, f)
#define ENDPOINT(k, t, lo, hi, def, f) \
	.key = k, .scope = OPTION_ENDPOINT, .type = t, .min = lo, .max = hi, .default_value = def, \
	.offset = offsetof(struct endpoint_options, f)

#define UPSTREAM(k, t, lo, hi, def, f) \
	.key = "upstream." k, .scope = OPTION_UPSTREAM, .type = t, .min = lo, .max = hi, \
	.default_value = def, .offset = offsetof(struct upstream_options, f)

#define STOMP(k, t, lo, hi, def, f) \
	.key = "stomp." k, .scope = OPTION_STOMP, .type = t, .min = lo, .max = hi, \
	.default_value = def, .offset = offsetof(struct stomp_options, f)

#define HOOKS(k, t, lo, hi, def, f) \
	.key = "hooks." k, .scope = OPTION_HOOKS, .type = t, .min = lo, .max = hi, \
	.default_value = def, .offset = offsetof(struct hooks_options, f)

static const struct option_part backend_parts[] = {
	{ "weight", .min = 0, .max = 256 },
	{ "max_sessions", .min = 0, .max = 100000000 },
	{ "backup", .is_flag = true },
	{ NULL },
};

static const struct option table[] = {
	{ SERVER("threads", OPTION_INT, 0, 1024, "0", threads), .needs_restart = true,
	  .sentence = "Reactors, each a thread of its own; 0 is one for each processor." },
	{ SERVER("www", OPTION_STRING, 0, 0, NULL, www),
	  .sentence = "Directory whose files are served at /, but hidden ones and those that symbolic "
		      "links lead to outside it; with it, /version.txt tells the version of the "
		      "server. null serves none." },
	{ SERVER("client_library", OPTION_STRING, 0, 0, NULL, client_library),
	  .sentence = "File served as /sockjs.min.js, the browser's half of SockJS; null leaves it to "
		      "www." },
	{ SERVER("stomp_library", OPTION_STRING, 0, 0, NULL, stomp_library),
	  .sentence = "File served as /stomp.umd.min.js, a client of STOMP for pages (@stomp/stompjs); null "
		      "leaves it to www." },
	{ SERVER("trusted_proxies", OPTION_LIST, 0, 1000, NULL, trusted_proxies),
	  .valid = valid_cidr, .allowed = "an IP address, a network such as 10.0.0.0/8, or unix",
	  .sentence = "Peers that are believed who the client is, by which scheme it came and for which "
		      "host it asked." },
	{ SERVER("proxy_headers", OPTION_STRING, 0, 0, "auto", proxy_headers),
	  .allowed = "auto x_forwarded forwarded",
	  .sentence = "Where they say it: in X-Forwarded-For, -Proto and -Host, or in Forwarded (RFC "
		      "7239). The other is not read, since a client may have sent it. auto: X-Forwarded-* "
		      "if a request has one of them, else Forwarded." },
	{ SERVER("allowed_hosts", OPTION_LIST, 0, 1000, NULL, allowed_hosts),
	  .valid = valid_host_rule, .allowed = HOST,
	  .sentence = "Hosts that may be asked for; others are answered with 421, against DNS rebinding. "
		      "Empty: any." },
	{ SERVER("internal.allowed_hosts", OPTION_LIST, 0, 1000, NULL, internal_allowed_hosts),
	  .valid = valid_host_rule, .allowed = HOST,
	  .sentence = "Hosts that the internal listener may be asked for, besides localhost and any IP "
		      "address." },
	{ SERVER("limits.connections", OPTION_INT, 1, 10000000, "100000", limit_connections),
	  .sentence = "Connections open at a time, shared out evenly among the threads; further clients wait." },
	{ SERVER("limits.connection_rate", OPTION_INT, 0, 10000000, "0", limit_connection_rate),
	  .sentence = "New connections a second, of all clients together, and as many at once as a second "
		      "brings; further clients wait, so that those who come back all at once after a "
		      "fault are served one after another; 0: no limit." },
	{ SERVER("limits.connections_per_address", OPTION_INT, 0, 10000000, "0",
	      limit_connections_per_address),
	  .sentence = "Connections that one address (limits.ipv4_prefix, limits.ipv6_prefix) may have open; further ones are "
		      "closed, with 429 where it can be said; 0: no limit. Those of trusted proxies and of "
		      "unix sockets do not count." },
	{ SERVER("limits.connection_rate_per_address", OPTION_INT, 0, 1000000, "0",
	      limit_connection_rate_per_address),
	  .sentence = "Connections that one address may open in a second; likewise." },
	{ SERVER("limits.sessions_per_address", OPTION_INT, 0, 10000000, "0",
	      limit_sessions_per_address),
	  .sentence = "Sessions that one client's address (behind trusted proxies: the one they forward) may "
		      "have open at all endpoints; further ones are answered with 429; 0: no limit." },
	{ SERVER("limits.handshake_rate_per_address", OPTION_INT, 0, 1000000, "0",
	      limit_handshake_rate_per_address),
	  .sentence = "Sessions that one client's address may ask for in a second; likewise." },
	{ SERVER("limits.ipv4_prefix", OPTION_INT, 8, 32, "32", limit_ipv4_prefix),
	  .sentence = "How many bits of an IPv4 address limits by address go by: with 24 all of "
		      "198.51.100.0/24 count as one. What is open stays counted as it was." },
	{ SERVER("limits.ipv6_prefix", OPTION_INT, 16, 128, "64", limit_ipv6_prefix),
	  .sentence = "Likewise of an IPv6 address. One customer gets a /64 at least, and often a /56 or "
		      "a /48." },
	{ SERVER("limits.header_bytes", OPTION_INT, 4096, 1048576, "16384", limit_header_bytes),
	  .sentence = "Longest head of a request, cookies counted twice; a longer one is answered with 431." },
	{ SERVER("limits.header_timeout_ms", OPTION_INT, 10, DAY_MS, "10000", limit_header_timeout_ms),
	  .sentence = "Time for the whole head of a request, and for a TLS handshake." },
	{ SERVER("limits.tls_handshakes", OPTION_INT, 0, 10000000, "10000", limit_tls_handshakes),
	  .sentence = "TLS handshakes under way at a time; further connections by TLS are closed; 0: no "
		      "limit." },
	{ SERVER("limits.body_timeout_ms", OPTION_INT, 10, DAY_MS, "30000", limit_body_timeout_ms),
	  .sentence = "Time for the body of a request, or a message by WebSocket, before it has to have come "
		      "at limits.min_bytes_per_second." },
	{ SERVER("limits.min_bytes_per_second", OPTION_INT, 1, GIGABYTE, "1000", limit_min_rate),
	  .sentence = "How fast a body or a message that is under way has to come on the average: looked at "
		      "after limits.body_timeout_ms, and then after each half of that." },
	{ SERVER("limits.memory_bytes", OPTION_INT, 0, UINT64_MAX / 2, "1073741824", limit_memory),
	  .sentence = "What all clients together may make the server hold in buffers; beyond, the sessions "
		      "and requests that hold most end; 0: no limit." },
	{ SERVER("limits.idle_timeout_ms", OPTION_INT, 10, DAY_MS, "10000", limit_idle_timeout_ms),
	  .sentence = "How long a kept-alive connection may stay without a request." },
	{ SERVER("session_log.file", OPTION_STRING, 0, 0, NULL, session_log),
	  .sentence = "File that gets a line for each session when it has ended; -: standard error, where "
		      "the log goes; null: none. SIGUSR1 opens it anew, for rotation." },
	{ SERVER("session_log.format", OPTION_STRING, 0, 0, "text", session_log_format),
	  .allowed = "text json",
	  .sentence = "How such a line is written." },
	{ SERVER("access_log.file", OPTION_STRING, 0, 0, NULL, access_log),
	  .sentence = "File that gets a line for each HTTP request when its answer has ended; likewise." },
	{ SERVER("access_log.format", OPTION_STRING, 0, 0, "text", access_log_format),
	  .allowed = "text json",
	  .sentence = "How such a line is written: text is the combined format of other servers, with more "
		      "behind it." },
	{ SERVER("io_uring", OPTION_STRING, 0, 0, "auto", io_uring), .needs_restart = true,
	  .valid = valid_auto, .allowed = "auto, off",
	  .sentence = "Sends to many clients go to the kernel together where it has io_uring, and nobody waits "
		      "for the disk of stomp.journal; off: one by one, and a thread waits." },
	{ SERVER("drain_delay_ms", OPTION_INT, 0, DAY_MS, "0", drain_delay_ms),
	  .sentence = "Between the signal to stop, when /readyz, /info and new sessions get 503, and the "
		      "first session that is closed." },
	{ SERVER("drain_ms", OPTION_INT, 0, DAY_MS, "0", drain_ms),
	  .sentence = "Time over which sessions are then closed, a few at a time and picked at random; 0: "
		      "all at once." },
	{ SERVER("shutdown_timeout_ms", OPTION_INT, 0, DAY_MS, "10000", shutdown_timeout_ms),
	  .sentence = "How long an orderly stop then waits for clients to take what was sent to them." },
	{ SERVER("restart_drain_ms", OPTION_INT, 0, DAY_MS, "3600000", restart_drain_ms),
	  .sentence = "How long connections under TLS that came before a restart stay with the process that "
		      "had them; 0: as long as they last." },

	{ SERVER("internal.ready_needs_backends", OPTION_BOOL, 0, 0, "false", ready_needs_backends),
	  .sentence = "Whether /readyz says 503 as well while no backend of an endpoint can be reached, as "
		      "far as the last attempts have shown." },
	{ SERVER("internal.dashboard", OPTION_BOOL, 0, 0, "true", dashboard),
	  .sentence = "Whether the internal listener has a page for operators, /dashboard/. What it shows of "
		      "single clients, and that it closes sessions, needs internal.token, internal.client_subjects "
		      "or internal.client_fingerprints." },
	{ SERVER("internal.token", OPTION_STRING, 0, 0, NULL, token),
	  .valid = valid_secret, .allowed = SECRET, .hiding = HIDE_VALUE,
	  .sentence = "Who says it in Authorization: Bearer may give commands at /api of the internal "
		      "listener; null: nobody by a token, unless internal.token_file has one." },
	{ SERVER("internal.token_file", OPTION_STRING, 0, 0, NULL, token_file),
	  .sentence = "File whose first line is that token, so that it need not stand here. It is read at "
		      "the start." },
	{ SERVER("internal.client_subjects", OPTION_LIST, 0, 1000, NULL, client_subjects),
	  .valid = valid_subject, .allowed = SUBJECT,
	  .sentence = "Who shows a certificate with one of these subjects, signed by internal.tls.client_ca, "
		      "may give commands, too, without a token. \"*\" is every certificate that it has "
		      "signed; empty: none." },
	{ SERVER("internal.client_fingerprints", OPTION_LIST, 0, 1000, NULL, client_fingerprints),
	  .valid = valid_fingerprint, .allowed = FINGERPRINT,
	  .sentence = "Likewise, single certificates, each by its SHA-256." },
	{ SERVER("internal.max_body_bytes", OPTION_INT, 1024, GIGABYTE, "1048576", max_command_bytes),
	  .sentence = "Longest body of such a command." },
	{ SERVER("peers.sessions", OPTION_BOOL, 0, 0, "true", peers_sessions), .needs_restart = true,
	  .sentence = "Whether sessions are shared with the gateways that the same engine joins: a request "
		      "that comes to another gateway than that of its session is passed on there, so that a "
		      "balancer may send requests anywhere. Without an engine for all endpoints it means "
		      "nothing." },
	{ SERVER("peers.address", OPTION_STRING, 0, 0, NULL, peers_address), .needs_restart = true,
	  .valid = valid_peer_address, .allowed = "IP:PORT or tls://IP:PORT; an IPv6 address stands in brackets",
	  .sentence = "Where other gateways reach this one; null: where it listens first, by HTTP, with the "
		      "address that it has at the engine if it listens at all." },
	{ SERVER("peers.connect_timeout_ms", OPTION_INT, 10, 60000, "2000", peers_timeout_ms), .needs_restart = true,
	  .sentence = "How long a connection to another gateway may take." },
	{ SERVER("peers.name", OPTION_STRING, 0, 0, NULL, peers_name), .needs_restart = true,
	  .valid = valid_cookie, .allowed = "at most 128 " TOKEN,
	  .sentence = "What a balancer calls this gateway: the value of the cookie peers.cookie." },
	{ SERVER("peers.cookie", OPTION_STRING, 0, 0, NULL, peers_cookie), .needs_restart = true,
	  .valid = valid_cookie, .allowed = "at most 128 " TOKEN,
	  .sentence = "Name of a cookie that answers of a session carry, with peers.name of the gateway that has "
		      "it: a balancer that goes by it sends further requests straight there. null: none." },
	{ SERVER("peers.tls.ca", OPTION_STRING, 0, 0, NULL, peers_tls_ca), .needs_restart = true,
	  .sentence = "Whom to trust, where other gateways speak TLS (PEM); null: whom the system trusts." },
	{ SERVER("peers.tls.verify", OPTION_BOOL, 0, 0, "true", peers_tls_verify), .needs_restart = true,
	  .sentence = "Whether their certificates must be good. false lets anybody in between read and write." },
	{ SERVER("peers.tls.name", OPTION_STRING, 0, 0, NULL, peers_tls_name), .needs_restart = true,
	  .valid = valid_host, .allowed = "a host name or an IP address",
	  .sentence = "Whom their certificates must be for; null: their addresses." },

	{ LISTENER("protocol", OPTION_STRING, 0, 0, "http", protocol), .is_public = true,
	  .allowed = "http stomp",
	  .sentence = "What is spoken there: HTTP, for all endpoints; or STOMP over TCP without HTTP, for "
		      "one. With tls.certificate, within TLS." },
	{ LISTENER("endpoint", OPTION_STRING, 0, 0, NULL, endpoint), .is_public = true,
	  .valid = options_is_prefix, .allowed = OPTIONS_PREFIX,
	  .sentence = "The prefix of the endpoint that serves an address of the protocol stomp, which must "
		      "name one. Its limits hold there too; its transports and allowed_origins are for "
		      "HTTP." },
	{ LISTENER("tls.certificate", OPTION_STRING, 0, 0, NULL, tls_certificate),
	  .sentence = "PEM file of the certificate and its chain; null: no TLS." },
	{ LISTENER("tls.key", OPTION_STRING, 0, 0, NULL, tls_key),
	  .sentence = "PEM file of the private key." },
	{ LISTENER("tls.certificates", OPTION_JSON, 0, 0, NULL, tls_certificates), .has_files = true,
	  .allowed = "a list of objects with certificate and key, names of files",
	  .sentence = "Further certificates. A client gets the one that has the name that it asks for "
		      "(SNI) in its subjectAltName, exactly or as *.domain; otherwise tls.certificate, or "
		      "without that the first of these." },
	{ LISTENER("tls.min_version", OPTION_STRING, 0, 0, "1.2", tls_min_version), .allowed = "1.2 1.3",
	  .sentence = "The oldest version of TLS that is spoken." },
	{ LISTENER("tls.ciphers", OPTION_STRING, 0, 0, NULL, tls_ciphers),
	  .valid = valid_ciphers, .allowed = CIPHERS,
	  .sentence = "Ciphers of TLS 1.2, the preferred first; null: those with forward secrecy and AEAD." },
	{ LISTENER("tls.ciphersuites", OPTION_STRING, 0, 0, NULL, tls_ciphersuites),
	  .valid = valid_ciphers, .allowed = CIPHERS,
	  .sentence = "Ciphers of TLS 1.3, the preferred first, such as TLS_AES_128_GCM_SHA256; null: "
		      "OpenSSL's." },
	{ LISTENER("tls.groups", OPTION_STRING, 0, 0, NULL, tls_groups),
	  .valid = valid_ciphers, .allowed = CIPHERS,
	  .sentence = "Groups of key exchange, the preferred first, such as X25519:P-256; null: OpenSSL's." },
	{ LISTENER("tls.client_ca", OPTION_STRING, 0, 0, NULL, tls_client_ca),
	  .sentence = "PEM file of those who may sign certificates of clients." },
	{ LISTENER("tls.client_certificate", OPTION_STRING, 0, 0, "none", tls_client_certificate),
	  .allowed = "none optional required",
	  .sentence = "Whether clients are asked for a certificate, and must have one. One that is shown must "
		      "be good, or the handshake fails." },
	{ LISTENER("tls.ticket_lifetime_ms", OPTION_INT, 0, 7 * DAY_MS, "7200000", tls_ticket_lifetime_ms),
	  .sentence = "How long a client may resume a session with a ticket, in whole seconds; the key of "
		      "tickets is replaced as often, and read for as long again. 0: never, as if clients are "
		      "asked for certificates." },
	{ LISTENER("proxy_protocol", OPTION_BOOL, 0, 0, "false", proxy_protocol), .is_public = true,
	  .sentence = "Every connection begins with a header of the PROXY protocol, version 1 or 2, by which "
		      "a proxy says who its client is (HAProxy: send-proxy-v2; nginx: proxy_protocol on). "
		      "Only those in trusted_proxies may come then; TLS, if there is any, begins behind "
		      "the header." },
	{ LISTENER("owner", OPTION_STRING, 0, 0, NULL, owner), .needs_restart = true,
	  .valid = valid_token, .allowed = "the name of a user",
	  .sentence = "User who owns a unix socket; null: who runs sockjsd. Only root can give it away." },
	{ LISTENER("group", OPTION_STRING, 0, 0, NULL, group), .needs_restart = true,
	  .valid = valid_token, .allowed = "the name of a group",
	  .sentence = "Group of a unix socket, such as that of the proxy in front; null: as the system says." },
	{ LISTENER("mode", OPTION_MODE, 1, 0777, NULL, mode), .needs_restart = true,
	  .sentence = "Permissions of a unix socket, in octal; null: as the umask says." },

	{ ENDPOINT("transports", OPTION_LIST, 1, 7, ALL_TRANSPORTS, transports), .at_once = true,
	  .allowed = "websocket websocket_raw xhr_streaming eventsource htmlfile xhr jsonp",
	  .sentence = "The ways a client may come." },
	{ ENDPOINT("allowed_origins", OPTION_LIST, 0, 1000, NULL, allowed_origins), .at_once = true,
	  .valid = valid_origin, .allowed = ORIGIN,
	  .sentence = "Web pages that may connect, by their Origin; empty: only those of the same host "
		      "as the endpoint." },
	{ ENDPOINT("request_headers", OPTION_LIST, 0, 100, NULL, request_headers), .at_once = true,
	  .valid = valid_token, .allowed = "header names: " TOKEN,
	  .sentence = "Request headers an application may see; cookies only if Cookie is listed." },
	{ ENDPOINT("subprotocols", OPTION_LIST, 0, 100, NULL, subprotocols), .at_once = true,
	  .valid = valid_subprotocol, .allowed = TOKEN,
	  .sentence = "WebSocket subprotocols offered, the preferred first; the application may choose "
		      "another." },
	{ ENDPOINT("client_url", OPTION_STRING, 0, 0, "/sockjs.min.js", client_url), .at_once = true,
	  .valid = valid_url, .allowed = URL,
	  .sentence = "The client library that the iframe page loads." },
	{ ENDPOINT("base_url", OPTION_STRING, 0, 0, NULL, base_url), .at_once = true,
	  .valid = valid_base_url, .allowed = "an http:// or https:// URL without a query",
	  .sentence = "Where clients go for their sessions, as /info tells them; null: where they asked." },
	{ ENDPOINT("session_cookie", OPTION_STRING, 0, 0, NULL, session_cookie), .at_once = true,
	  .valid = valid_cookie, .allowed = "at most 128 " TOKEN,
	  .sentence = "Name of the cookie (usually JSESSIONID) a load balancer needs to keep a session on "
		      "one server; null: none." },
	{ ENDPOINT("session_cookie_secure", OPTION_STRING, 0, 0, "auto", session_cookie_secure), .at_once = true,
	  .allowed = "auto true false", .or_bool = true,
	  .sentence = "Whether browsers may send this cookie by TLS alone; auto: if the client has come by "
		      "TLS." },
	{ ENDPOINT("session_cookie_same_site", OPTION_STRING, 0, 0, "auto", session_cookie_same_site), .at_once = true,
	  .allowed = "auto lax strict none",
	  .sentence = "From whose pages browsers send it; auto: none if it is Secure and allowed_origins is "
		      "not empty, else as the browser likes. none is said only if it is Secure." },
	{ ENDPOINT("bind_address", OPTION_BOOL, 0, 0, "false", bind_address),
	  .sentence = "Whether later requests of a session must come from the network of its first." },
	{ ENDPOINT("subpaths", OPTION_BOOL, 0, 0, "false", subpaths), .at_once = true,
	  .sentence = "Whether clients may add a path to the prefix, as in /chat/rooms/7; the application "
		      "sees it." },
	{ ENDPOINT("heartbeat_delay_ms", OPTION_INT, 10, DAY_MS, "25000", heartbeat_delay_ms),
	  .sentence = "A heartbeat is sent after this long without anything else to send." },
	{ ENDPOINT("disconnect_delay_ms", OPTION_INT, 10, DAY_MS, "5000", disconnect_delay_ms),
	  .sentence = "A session ends when its client has had no receiving request for this long." },
	{ ENDPOINT("response_limit_bytes", OPTION_INT, 1, GIGABYTE, "131072", response_limit_bytes),
	  .sentence = "A streaming response ends after this much, so that browsers free its memory." },
	{ ENDPOINT("first_message_timeout_ms", OPTION_INT, 0, DAY_MS, "60000", first_message_timeout_ms),
	  .sentence = "A session whose client has sent nothing, not even an answer to a ping, for this "
		      "long since it opened is closed; 0: never. After half of it the client is asked: "
		      "a WebSocket is pinged, and a stream ends once, so that its client comes back." },
	{ ENDPOINT("max_message_bytes", OPTION_INT, 1, GIGABYTE, "65536", max_message_bytes),
	  .sentence = "Longest message a client may send." },
	{ ENDPOINT("max_body_bytes", OPTION_INT, 1, GIGABYTE, "1048576", max_body_bytes),
	  .sentence = "Longest request body, which may carry several messages; at least "
		      "max_message_bytes." },
	{ ENDPOINT("max_sessions", OPTION_INT, 0, 10000000, "0", max_sessions), .at_once = true,
	  .sentence = "Sessions open at a time; further clients are answered with 503; 0: no limit." },
	{ ENDPOINT("max_messages_per_second", OPTION_INT, 0, 10000000, "0", max_messages_per_second),
	  .sentence = "Messages a client may send in one session; who sends more is read more slowly, and "
		      "nothing is lost; 0: no limit." },
	{ ENDPOINT("max_bytes_per_second", OPTION_INT, 0, GIGABYTE, "0", max_bytes_per_second),
	  .sentence = "Octets of these; likewise." },
	{ ENDPOINT("send_buffer_bytes", OPTION_INT, 256, GIGABYTE, "524288", send_buffer_bytes),
	  .sentence = "What may wait for one slow client before its session is closed; also the "
		      "longest message an application can send." },
	{ ENDPOINT("send_timeout_ms", OPTION_INT, 10, DAY_MS, "10000", send_timeout_ms),
	  .sentence = "How long a client may take none of what waits for it. One that reads slowly is not cut "
		      "off, as long as it acknowledges anything." },
	{ ENDPOINT("websocket.ping_interval_ms", OPTION_INT, 0, DAY_MS, "25000",
	      websocket_ping_interval_ms),
	  .sentence = "A silent WebSocket is pinged this often; 0: never." },
	{ ENDPOINT("websocket.pong_timeout_ms", OPTION_INT, 10, DAY_MS, "10000",
	      websocket_pong_timeout_ms),
	  .sentence = "Time for the answer to a ping, once what stood before it has arrived." },
	{ ENDPOINT("websocket.max_fragments", OPTION_INT, 1, 1048576, "131072", websocket_max_fragments),
	  .sentence = "Frames one WebSocket message may be cut into." },
	{ ENDPOINT("websocket.max_messages", OPTION_INT, 1, 1048576, "1024", websocket_max_messages),
	  .sentence = "SockJS messages that one WebSocket message may carry." },
	{ ENDPOINT("websocket.max_inflation", OPTION_INT, 0, 1000000, "0", websocket_max_inflation),
	  .sentence = "How many times longer than what was sent a compressed message may become, beyond "
		      "65536 octets; DEFLATE can do 1032; 0: as it likes." },
	{ ENDPOINT("websocket.compression", OPTION_BOOL, 0, 0, "true", websocket_compression),
	  .sentence = "Whether to agree on permessage-deflate (RFC 7692) with clients that offer it." },
	{ ENDPOINT("websocket.compression_min_bytes", OPTION_INT, 1, GIGABYTE, "1024",
	      websocket_compression_min_bytes),
	  .sentence = "Shorter messages are sent as they are." },
	{ ENDPOINT("websocket.compression_level", OPTION_INT, 1, 9, "1", websocket_compression_level),
	  .sentence = "From 1, quick, to 9, dense." },
	{ ENDPOINT("websocket.compression_window_bits", OPTION_INT, 9, 15, "15", websocket_window_bits),
	  .sentence = "A compressed message refers back by at most 2 to the power of this many octets." },
	{ ENDPOINT("websocket.compression_context_takeover", OPTION_BOOL, 0, 0, "false",
	      websocket_context_takeover),
	  .sentence = "Messages may refer to those before: denser, but each connection has compressors of "
		      "its own, of up to 300 KiB with 15 window bits. Without it clients are told to do "
		      "without, too (client_no_context_takeover); some overlook that, as those of Tornado "
		      "6.2 and Mojolicious 9.31, and are closed with 1007 at their second long message: "
		      "they need this, or no compression." },
	{ ENDPOINT("websocket.close_timeout_ms", OPTION_INT, 10, DAY_MS, "3000",
	      websocket_close_timeout_ms),
	  .sentence = "Time for the client's part of the closing handshake." },
	{ ENDPOINT("websocket.prove", OPTION_STRING, 0, 0, "auto", websocket_prove),
	  .allowed = "auto always never",
	  .sentence = "Whether a SockJS WebSocket opens only once its client has answered a ping, which takes a "
		      "round trip, so that one that is dead from the start never seems to be open; auto: in "
		      "networks where WebSockets have failed of late." },
	{ ENDPOINT("networks.adapt", OPTION_BOOL, 0, 0, "true", networks_adapt),
	  .sentence = "Whether it is learned what the networks of clients break, and clients from there are served "
		      "so that it does not matter. A network is 256 addresses of IPv4, or a /48 of IPv6." },
	{ ENDPOINT("networks.half_life_ms", OPTION_INT, 1000, DAY_MS, "1800000", networks_half_life_ms),
	  .sentence = "What was learned counts half after so long." },
	{ ENDPOINT("networks.streams", OPTION_STRING, 0, 0, "auto", networks_streams),
	  .allowed = "auto long short",
	  .sentence = "How much a streaming response carries. long: response_limit_bytes; short: one message; "
		      "auto: short where streams are held back until they end." },
	{ ENDPOINT("networks.close_delimited", OPTION_STRING, 0, 0, "auto", networks_close_delimited),
	  .allowed = "auto always never",
	  .sentence = "Whether a streaming response has no chunks and ends with its connection, so that no proxy "
		      "waits for the rest (HAProxy without http-no-delay does, for 0.2 s); auto: where a proxy "
		      "has left its name in a header." },
	{ ENDPOINT("networks.first_heartbeat_ms", OPTION_INT, 0, DAY_MS, "10000", networks_first_heartbeat_ms),
	  .sentence = "Heartbeats and pings to a network that is not known come this often at first, and more seldom, "
		      "up to heartbeat_delay_ms and websocket.ping_interval_ms, as silences are survived there; 0: "
		      "as these say from the start." },
	{ ENDPOINT("networks.ping_unacknowledged_ms", OPTION_INT, 0, DAY_MS, "3000",
	      networks_ping_unacknowledged_ms),
	  .sentence = "In a network that is not known, or where WebSockets have failed, one that was sent something is "
		      "pinged if nothing has come from it for this long, and given up if there is no answer for "
		      "twice as long; 0: as anywhere else." },
	{ ENDPOINT("networks.refuse_websocket", OPTION_BOOL, 0, 0, "true", networks_refuse_websocket),
	  .sentence = "Whether a client whose WebSockets have failed of late, and one from a network where most do, is "
		      "refused a WebSocket, so that he takes another transport at once." },

	{ UPSTREAM("url", OPTION_LIST, 0, 64, NULL, url), .or_one = true,
	  .valid = valid_upstream, .allowed = "ws://host[:port][/path], wss://..., or unix:/file[:/path]",
	  .parts = backend_parts, .hiding = HIDE_IN_URL,
	  .sentence = "The backends; one WebSocket is opened to one of them for each session. One may be an "
		      "object, {\"url\": ..., \"weight\": 3, \"backup\": true} (as text: \"ws://... "
		      "weight=3 backup\"): weight, from 0 to 256 and 1 by default, is its share of the "
		      "sessions, with 0 it gets no new ones; max_sessions is how many it has at a time, 0: as "
		      "many as come; a backup gets some only while no other can." },
	{ UPSTREAM("balance", OPTION_STRING, 0, 0, "round_robin", balance),
	  .allowed = "round_robin least_connections hash",
	  .sentence = "How a backend is chosen for a new session; hash brings a client's address to the "
		      "same one." },
	{ UPSTREAM("check.kind", OPTION_STRING, 0, 0, "none", check_kind),
	  .allowed = "none http websocket tcp",
	  .sentence = "How each backend is asked whether it does well, as long as the server runs: by a GET of "
		      "upstream.check.path; by the opening handshake of a WebSocket; by a connection alone, "
		      "with TLS for wss. One that fails gets no new sessions; those it has stay." },
	{ UPSTREAM("check.path", OPTION_STRING, 0, 0, NULL, check_path), .valid = valid_path,
	  .allowed = "a path such as /health, with a query if need be",
	  .sentence = "What is asked for; null: path and query of the backend's URL." },
	{ UPSTREAM("check.status", OPTION_LIST, 1, 20, "200-399", check_status), .valid = valid_statuses,
	  .allowed = "a status such as 200, or a range such as 200-299",
	  .sentence = "What the backend has to answer to a GET." },
	{ UPSTREAM("check.interval_ms", OPTION_INT, 100, DAY_MS, "5000", check_interval_ms),
	  .sentence = "From one check of a backend to the next, give or take a tenth." },
	{ UPSTREAM("check.timeout_ms", OPTION_INT, 10, DAY_MS, "2000", check_timeout_ms),
	  .sentence = "A check that takes longer has failed." },
	{ UPSTREAM("check.rise", OPTION_INT, 1, 1000, "2", check_rise),
	  .sentence = "So many checks in a row have to pass before a backend that has failed gets sessions "
		      "again." },
	{ UPSTREAM("check.fall", OPTION_INT, 1, 1000, "3", check_fall),
	  .sentence = "So many in a row have to fail before it gets none. The very first one decides alone, "
		      "either way." },
	{ UPSTREAM("host", OPTION_STRING, 0, 0, "client", host),
	  .valid = valid_host, .allowed = "client, own, or host[:port]",
	  .sentence = "The Host header that a backend gets: what the client asked for, what stands in the "
		      "backend's URL, or a fixed one." },
	{ UPSTREAM("origin", OPTION_STRING, 0, 0, "client", origin),
	  .valid = valid_one_origin, .allowed = "client, own, or scheme://host[:port]",
	  .sentence = "The Origin header that a backend gets: the client's; own, which agrees with the Host "
		      "header, for applications that compare the two behind a gateway that has another "
		      "name than the page; or a fixed one." },
	{ UPSTREAM("forward_headers", OPTION_LIST, 0, 50, NULL, forward_headers),
	  .valid = valid_forwarded, .allowed = "names of headers that are not the gateway's own (Host, Origin, "
		      "Upgrade, Connection, Sec-WebSocket-*, X-Forwarded-*...)",
	  .sentence = "Headers of the client's request that the backend gets too, such as authorization "
		      "or cookie." },
	{ UPSTREAM("client_subject_header", OPTION_STRING, 0, 0, NULL, client_subject_header),
	  .valid = valid_forwarded, .allowed = "a header name that is not the gateway's own",
	  .sentence = "Header in which the backend is told the subject of the client's certificate "
		      "(tls.client_certificate), as RFC 2253 writes it. Clients cannot send it. null: none." },
	{ UPSTREAM("client_fingerprint_header", OPTION_STRING, 0, 0, NULL, client_fingerprint_header),
	  .valid = valid_forwarded, .allowed = "a header name that is not the gateway's own",
	  .sentence = "Likewise, its SHA-256 in hexadecimal digits." },
	{ UPSTREAM("forward_path", OPTION_BOOL, 0, 0, "false", forward_path),
	  .sentence = "Whether clients may add a path to the prefix (see subpaths), which is then added to "
		      "that of the backend's URL." },
	{ UPSTREAM("subprotocols", OPTION_LIST, 0, 50, NULL, subprotocols),
	  .valid = valid_token, .allowed = TOKEN,
	  .sentence = "Offered to the backend for clients that offer none themselves, as SockJS ones." },
	{ UPSTREAM("binary", OPTION_STRING, 0, 0, "close", binary), .allowed = "close base64",
	  .sentence = "What becomes of a backend's binary message for a SockJS client: the end of the "
		      "session (1003), or text." },
	{ UPSTREAM("compression", OPTION_BOOL, 0, 0, "false", compression),
	  .sentence = "Whether to offer permessage-deflate to the backend." },
	{ UPSTREAM("report_delivery", OPTION_BOOL, 0, 0, "false", report_delivery),
	  .sentence = "Whether the Close that a backend gets when its client is gone says in its reason, as "
		      "JSON, how many of the backend's messages were accepted, sent, acknowledged by TCP, "
		      "and confirmed by the client." },
	{ UPSTREAM("open_after_ms", OPTION_INT, 0, DAY_MS, "250", open_after_ms),
	  .sentence = "A SockJS session is opened after this time, if no backend has answered yet; 0: never "
		      "before one has." },
	{ UPSTREAM("connect_timeout_ms", OPTION_INT, 10, DAY_MS, "5000", connect_timeout_ms),
	  .sentence = "Time until a backend has accepted a session, whatever had to be tried." },
	{ UPSTREAM("close_timeout_ms", OPTION_INT, 10, DAY_MS, "3000", close_timeout_ms),
	  .sentence = "Time for the backend's part of the closing handshake." },
	{ UPSTREAM("ping_interval_ms", OPTION_INT, 0, DAY_MS, "25000", ping_interval_ms),
	  .sentence = "A silent backend is pinged this often; 0: never." },
	{ UPSTREAM("pong_timeout_ms", OPTION_INT, 10, DAY_MS, "10000", pong_timeout_ms),
	  .sentence = "Time for the answer to a ping." },
	{ UPSTREAM("send_buffer_bytes", OPTION_INT, 1024, GIGABYTE, "131072", send_buffer_bytes),
	  .sentence = "When half of this waits for a slow backend its client is slowed down." },
	{ UPSTREAM("retry_delay_ms", OPTION_INT, 1, DAY_MS, "1000", retry_delay_ms),
	  .sentence = "A backend that cannot be reached is left alone for so long, then for twice as long "
		      "each time." },
	{ UPSTREAM("retry_delay_max_ms", OPTION_INT, 1, DAY_MS, "30000", retry_delay_max_ms),
	  .sentence = "But no longer than this." },
	{ UPSTREAM("tls.ca", OPTION_STRING, 0, 0, NULL, tls_ca),
	  .sentence = "PEM file of those whose certificates are believed; null: the system's." },
	{ UPSTREAM("tls.verify", OPTION_BOOL, 0, 0, "true", tls_verify),
	  .sentence = "Whether a wss backend must prove its name; false is for tests alone." },
	{ UPSTREAM("tls.certificate", OPTION_STRING, 0, 0, NULL, tls_certificate),
	  .sentence = "PEM file of our own certificate and its chain, for backends that ask for it." },
	{ UPSTREAM("tls.key", OPTION_STRING, 0, 0, NULL, tls_key),
	  .sentence = "PEM file of its private key." },

	{ STOMP("broker", OPTION_STRING, 0, 0, "memory", broker), .allowed = "memory",
	  .sentence = "Who brings messages to subscribers: memory is a broker within the process, which "
		      "keeps none." },
	{ STOMP("access", OPTION_JSON, 0, 0, NULL, access), .at_once = true,
	  .allowed = "\"open\" (with the quotes), or a list of rules",
	  .sentence = "Who may send to which destinations and subscribe to them. \"open\": everybody, to "
		      "all of them; null: nobody, to none." },
	{ STOMP("users", OPTION_JSON, 0, 0, NULL, users), .at_once = true,
	  .allowed = "a list of objects, or a string, the name of a file with such a list",
	  .hiding = HIDE_MEMBERS,
	  .sentence = "Those who log in with login and passcode; null: nobody does." },
	{ STOMP("tokens", OPTION_JSON, 0, 0, NULL, tokens), .at_once = true, .allowed = "an object",
	  .hiding = HIDE_MEMBERS,
	  .sentence = "Which JSON Web Tokens are believed, by whose key they are signed; null: none." },
	{ STOMP("directory", OPTION_STRING, 0, 0, NULL, directory), .at_once = true,
	  .sentence = "Names of files in users and tokens are relative to it; null: to the directory of "
		      "the configuration file, in a program with the library to its current one." },
	{ STOMP("user_header", OPTION_STRING, 0, 0, NULL, user_header), .at_once = true,
	  .valid = valid_token, .allowed = "a header name: " TOKEN,
	  .sentence = "Request header in which a trusted proxy (see trusted_proxies), and nobody else, "
		      "names the user; null: none." },
	{ STOMP("client_certificate", OPTION_STRING, 0, 0, "none", client_certificate), .at_once = true,
	  .allowed = "none subject fingerprint",
	  .sentence = "What of a client's certificate (tls.client_certificate) names the user, if neither a "
		      "token nor a trusted proxy does: its subject, as RFC 2253 writes it, or its SHA-256 in "
		      "hexadecimal digits." },
	{ STOMP("token_query", OPTION_STRING, 0, 0, NULL, token_query), .at_once = true,
	  .valid = valid_parameter, .allowed = "at most 64 letters, digits and -._~",
	  .sentence = "Parameter of the URL's query that may carry a token, for clients that can send it "
		      "no other way; what stands in URLs gets into the logs of proxies. null: none." },
	{ STOMP("anonymous", OPTION_BOOL, 0, 0, "true", anonymous), .at_once = true,
	  .sentence = "Whether a client may come without saying who it is; access says what such a one may "
		      "do." },
	{ STOMP("separator", OPTION_STRING, 0, 0, "/", separator), 
	  .valid = valid_separator, .allowed = "\"/\" or \".\"",
	  .sentence = "What parts a destination behind its first word, as in /topic/prices/eur or "
		      "/topic/prices.eur." },
	{ STOMP("heartbeat_ms", OPTION_PAIR, 100, 3600000, "10000,10000", heartbeat_ms),
	  .sentence = "How often we send a heart-beat at least, and how often a client must; what holds is "
		      "the longer of this and what the client says; 0: never." },
	{ STOMP("errors", OPTION_STRING, 0, 0, "close", errors), .allowed = "close keep",
	  .sentence = "What follows an ERROR frame: the end of the connection, as STOMP has it, or, where "
		      "nothing but the one frame is wrong, as one that access denies, nothing." },
	{ STOMP("connect_timeout_ms", OPTION_INT, 100, DAY_MS, "10000", connect_timeout_ms),
	  .sentence = "Time for the CONNECT frame." },
	{ STOMP("max_headers", OPTION_INT, 1, 128, "64", max_headers),
	  .sentence = "Headers that a frame of a client may have." },
	{ STOMP("max_line_bytes", OPTION_INT, 64, 65536, "16384", max_line_bytes),
	  .sentence = "Longest header line." },
	{ STOMP("max_head_bytes", OPTION_INT, 64, 1048576, "32768", max_head_bytes),
	  .sentence = "All lines of a frame before its body together; at least max_line_bytes." },
	{ STOMP("max_body_bytes", OPTION_INT, 1, GIGABYTE, "262144", max_body_bytes),
	  .sentence = "Longest body of a frame." },
	{ STOMP("max_subscriptions", OPTION_INT, 1, 100000, "256", max_subscriptions),
	  .sentence = "Subscriptions that one client may have." },
	{ STOMP("max_transactions", OPTION_INT, 0, 1000, "16", max_transactions),
	  .sentence = "Transactions that one client may have begun; 0: none." },
	{ STOMP("max_transaction_bytes", OPTION_INT, 0, GIGABYTE, "262144", max_transaction_bytes),
	  .sentence = "What may wait in them until they are committed, all of one client together." },
	{ STOMP("max_sessions_per_user", OPTION_INT, 0, 1000000, "0", max_sessions_per_user),
	  .sentence = "Clients that may be connected at a time as one user; 0: no limit." },
	{ STOMP("max_messages_per_second_per_user", OPTION_INT, 0, 10000000, "0",
	      max_messages_per_second_per_user),
	  .sentence = "Messages that all clients of one user together may send in a second, and as many at "
		      "once; who sends more is read more slowly. 0: no limit." },
	{ STOMP("max_bytes_per_second_per_user", OPTION_INT, 0, GIGABYTE, "0",
	      max_bytes_per_second_per_user),
	  .sentence = "The same for the octets of their bodies; 0: no limit." },
	{ STOMP("max_failures_per_minute", OPTION_INT, 0, 10000, "10", max_failures_per_minute),
	  .sentence = "Logins from one address (of IPv6: one /64) that may fail in a minute; further ones "
		      "are refused unseen; 0: no limit." },
	{ STOMP("queues", OPTION_STRING, 0, 0, "queues", queues), .allowed = "queues topics",
	  .sentence = "What destinations /queue/... are: queues give each message to one consumer and keep it "
		      "until there is one; topics, as for Spring's simple broker, to all who have subscribed." },
	{ STOMP("max_queues", OPTION_INT, 1, 10000000, "10000", max_queues),
	  .sentence = "Queues at a time in each thread." },
	{ STOMP("queue_max_messages", OPTION_INT, 1, 100000000, "100000", queue_max_messages),
	  .sentence = "Messages in a queue, delivered or not; a SEND to a full one is refused." },
	{ STOMP("queue_max_bytes", OPTION_INT, 1024, 64 * GIGABYTE, "67108864", queue_max_bytes),
	  .sentence = "Octets of these, with 128 for each message." },
	{ STOMP("queues_max_bytes", OPTION_INT, 1024, 64 * GIGABYTE, "268435456", queues_max_bytes),
	  .sentence = "Octets in all queues together, in equal shares for all threads." },
	{ STOMP("queue_expires_ms", OPTION_INT, 0, 1000 * DAY_MS, "0", queue_expires_ms),
	  .sentence = "How long a message waits in a queue; 0: for ever." },
	{ STOMP("max_deliveries", OPTION_INT, 1, 1000000, "5", max_deliveries),
	  .sentence = "How often a message of a queue is delivered, when consumers give it back or leave "
		      "before they acknowledge it." },
	{ STOMP("dead_letters", OPTION_STRING, 0, 0, "/queue/dead-letters", dead_letters),
	  .valid = valid_destinations, .allowed = "a destination such as /queue/dead-letters",
	  .sentence = "Where a message of a queue goes that has expired, or was delivered too often; null: it is "
		      "dropped." },
	{ STOMP("prefetch", OPTION_INT, 1, 65535, "32", prefetch),
	  .sentence = "Messages that a consumer of a queue may have got and not acknowledged, unless its SUBSCRIBE "
		      "says prefetch-count." },
	{ STOMP("history", OPTION_JSON, 0, 0, NULL, history),
	  .allowed = "a list of objects with destination (a pattern), messages, seconds",
	  .sentence = "Of which destinations the last messages are kept, for subscribers that name the last one they "
		      "have got: so many of each, so long; null: of none." },
	{ STOMP("history_max_bytes", OPTION_INT, 1024, 64 * GIGABYTE, "67108864", history_max_bytes),
	  .sentence = "Octets of all that is kept, with 128 for each message, in equal shares for all threads; the "
		      "oldest go first." },
	{ STOMP("journal", OPTION_STRING, 0, 0, NULL, journal),
	  .sentence = "Directory, of this endpoint alone, in which queues and histories are kept over a restart; "
		      "null: they are memory, and empty then." },
	{ STOMP("journal_sync", OPTION_STRING, 0, 0, "interval", journal_sync),
	  .allowed = "always interval never",
	  .sentence = "When the journal survives a crash of the machine, too: always before a SEND to a queue is "
		      "answered, at intervals, or when the kernel likes. The end of the process it survives in any "
		      "case." },
	{ STOMP("journal_interval_ms", OPTION_INT, 10, 3600000, "1000", journal_interval_ms),
	  .sentence = "The interval of journal_sync." },
	{ STOMP("journal_max_bytes", OPTION_INT, 1048576, 1024 * GIGABYTE, "1073741824", journal_max_bytes),
	  .sentence = "Octets of all files of the journal, in equal shares for all threads (of at least 65536); "
		      "twice as much as is to be kept in it. A SEND to a queue beyond it is refused." },
	{ STOMP("journal_repair", OPTION_BOOL, 0, 0, "false", journal_repair),
	  .sentence = "Whether a damaged journal is opened without what is damaged, instead of refused." },
	{ STOMP("conflate", OPTION_LIST, 0, 100, NULL, conflate),
	  .valid = valid_destinations,
	  .allowed = "a pattern of destinations such as /topic/prices/** (* is one segment, ** at the end "
		     "all that follow)",
	  .sentence = "Destinations of which a subscriber that reads too slowly gets the latest message "
		      "alone, in place of all that it has not read yet." },
	{ STOMP("presence", OPTION_LIST, 0, 100, NULL, presence),
	  .valid = valid_destinations,
	  .allowed = "a pattern of destinations such as /topic/rooms/* (* is one segment, ** at the end "
		     "all that follow)",
	  .sentence = "Destinations of which it is known who has subscribed them; who may subscribe to "
		      "/presence/topic/rooms/tea is told who is at /topic/rooms/tea, who comes and who goes." },
	{ STOMP("presence_max_users", OPTION_INT, 1, 100000000, "100000", presence_max_users),
	  .sentence = "Users that are known by name, all destinations together, those of other gateways too; "
		      "who comes beyond that is counted and not named." },
	{ STOMP("presence_max_named", OPTION_INT, 1, 10000, "1000", presence_max_named),
	  .sentence = "Names that a subscriber gets at first; those who come and go later are all named." },
	{ STOMP("presence_interval_ms", OPTION_INT, 10, 60000, "100", presence_interval_ms),
	  .sentence = "Time within which all that come and go at a destination are one message, and who "
		      "goes and is back was never away." },
	{ STOMP("relay.servers", OPTION_LIST, 0, 16, NULL, relay_servers), .or_one = true,
	  .valid = valid_server, .allowed = SERVER_ADDRESS,
	  .sentence = "A STOMP broker that has the destinations of stomp.relay.prefixes: where it is, without "
		      "a port at 61613 or, by TLS, 61614. The second and later ones are for when those "
		      "before cannot be reached. Empty: nothing is relayed." },
	{ STOMP("relay.prefixes", OPTION_LIST, 1, 100, "/topic,/queue", relay_prefixes), .or_one = true,
	  .valid = valid_relayed, .allowed = "the beginning of a destination, such as /topic/prices",
	  .sentence = "What is relayed: destinations that begin with these segments. Others are those of the "
		      "broker within." },
	{ STOMP("relay.kind", OPTION_STRING, 0, 0, "rabbitmq", relay_kind), .allowed = "rabbitmq activemq",
	  .sentence = "Which broker that is; by this its names and ways are known: /topic/a/b and /topic/a/** "
		      "here are /topic/a.b and /topic/a.# there, or /topic/a.> at ActiveMQ." },
	{ STOMP("relay.mode", OPTION_STRING, 0, 0, "mixed", relay_mode),
	  .allowed = "mixed shared per-client",
	  .sentence = "By which connections: shared, a few that all clients have together, which takes plain "
		      "topics; per-client, one for each client that needs it; mixed, shared for plain topics "
		      "and one of its own for a client that wants more (queues, acknowledgements, "
		      "transactions, replies)." },
	{ STOMP("relay.login", OPTION_STRING, 0, 0, NULL, relay_login), .valid = valid_line,
	  .allowed = "a text without control characters",
	  .sentence = "Who logs in there; null: nobody, which a broker may take for a guest." },
	{ STOMP("relay.passcode", OPTION_STRING, 0, 0, NULL, relay_passcode), .hiding = HIDE_VALUE, .valid = valid_line,
	  .allowed = "a text without control characters",
	  .sentence = "The passcode for it." },
	{ STOMP("relay.passcode_file", OPTION_STRING, 0, 0, NULL, relay_passcode_file),
	  .sentence = "A file whose first line is that passcode." },
	{ STOMP("relay.system_login", OPTION_STRING, 0, 0, NULL, relay_system_login), .valid = valid_line,
	  .allowed = "a text without control characters",
	  .sentence = "Who logs in on connections that are no single client's: those that clients share, and that of "
		      "commands and applications; null: as stomp.relay.login." },
	{ STOMP("relay.system_passcode", OPTION_STRING, 0, 0, NULL, relay_system_passcode), .hiding = HIDE_VALUE,
	  .valid = valid_line, .allowed = "a text without control characters",
	  .sentence = "The passcode for it." },
	{ STOMP("relay.client_login", OPTION_STRING, 0, 0, "rewrite", relay_client_login), .allowed = "rewrite pass",
	  .sentence = "Who logs in on a connection of one client: stomp.relay.login; or, with pass, the login and "
		      "passcode of the client's own CONNECT, which the broker then judges." },
	{ STOMP("relay.max_client_links", OPTION_INT, 1, 10000000, "10000", relay_max_client_links),
	  .sentence = "Connections of single clients at a time; whoever needs one more is refused." },
	{ STOMP("relay.vhost", OPTION_STRING, 0, 0, "/", relay_vhost), .valid = valid_line,
	  .allowed = "a text without control characters",
	  .sentence = "The virtual host there (header host of CONNECT); null: not said." },
	{ STOMP("relay.headers", OPTION_LIST, 0, 100, "*", relay_headers),
	  .valid = valid_header_rule, .allowed = "a header name, or its beginning and *",
	  .sentence = "Headers of clients that go along with a message on a connection that clients share; "
		      "others stay behind. Never those by which one client could have that connection "
		      "closed, or that mean something to the broker." },
	{ STOMP("relay.streams", OPTION_LIST, 0, 100, NULL, relay_streams), .valid = valid_destinations,
	  .allowed = "a pattern of destinations such as /topic/prices/**",
	  .sentence = "Topics of RabbitMQ that a stream of it keeps (sockjsd.NAME, made when it is first "
		      "subscribed): what was missed while the connection was away comes from there, and there "
		      "is no gap. A stream stays until somebody deletes it." },
	{ STOMP("relay.stream_max_bytes", OPTION_INT, 1048576, 1024 * GIGABYTE, "134217728", relay_stream_max_bytes),
	  .sentence = "What a new stream keeps; older messages go." },
	{ STOMP("relay.when_down", OPTION_STRING, 0, 0, "close", relay_when_down), .allowed = "close wait",
	  .sentence = "What becomes of clients with such subscriptions while the broker is away: they get an "
		      "ERROR and are closed; or they wait, and what they send does, within "
		      "stomp.relay.queue_bytes. When it is back, the next message of each topic says gap:true." },
	{ STOMP("relay.links", OPTION_INT, 0, 8, "0", relay_links),
	  .sentence = "Connections that clients share; 0: one for each thread, but at most 8." },
	{ STOMP("relay.queue_bytes", OPTION_INT, 65536, GIGABYTE, "16777216", relay_queue_bytes),
	  .sentence = "What may wait for the broker on each of them; beyond, clients who send are read more "
		      "slowly." },
	{ STOMP("relay.linger_ms", OPTION_INT, 0, 3600000, "5000", relay_linger_ms),
	  .sentence = "How long a topic stays subscribed there when its last subscriber here has left." },
	{ STOMP("relay.max_topics", OPTION_INT, 1, 10000000, "100000", relay_max_topics),
	  .sentence = "Topics and patterns subscribed there at a time, on each connection." },
	{ STOMP("relay.max_body_bytes", OPTION_INT, 1024, GIGABYTE, "16777216", relay_max_body_bytes),
	  .sentence = "Longest body of a message that the broker may send; a longer one costs the connection." },
	{ STOMP("relay.heartbeat_ms", OPTION_PAIR, 100, 3600000, "10000,10000", relay_heartbeat_ms),
	  .sentence = "How often the broker gets a heart-beat, and how often it must send one; what holds is "
		      "the longer of this and what it says; 0: never." },
	{ STOMP("relay.connect_timeout_ms", OPTION_INT, 10, 3600000, "5000", relay_connect_timeout_ms),
	  .sentence = "Time to reach one of the servers, and as much for its CONNECTED." },
	{ STOMP("relay.retry_delay_ms", OPTION_INT, 10, DAY_MS, "500", relay_retry_delay_ms),
	  .sentence = "When all of them have failed, they are tried again after half to all of this time, which "
		      "is doubled with each round, up to stomp.relay.retry_delay_max_ms." },
	{ STOMP("relay.retry_delay_max_ms", OPTION_INT, 10, DAY_MS, "10000", relay_retry_delay_max_ms),
	  .sentence = "The longest of these times." },
	{ STOMP("relay.tls.enabled", OPTION_STRING, 0, 0, "auto", relay_tls), .or_bool = true,
	  .allowed = "auto true false",
	  .sentence = "Whether the broker is spoken to by TLS; auto: if any other of stomp.relay.tls is set. In "
		      "a configuration, \"tls\": {} and \"tls\": true enable it." },
	{ STOMP("relay.tls.ca", OPTION_STRING, 0, 0, NULL, relay_tls_ca),
	  .sentence = "PEM file of those whose certificates are believed; null: the system's." },
	{ STOMP("relay.tls.verify", OPTION_BOOL, 0, 0, "true", relay_tls_verify),
	  .sentence = "Whether the broker must prove its name; false is for tests alone." },
	{ STOMP("relay.tls.name", OPTION_STRING, 0, 0, NULL, relay_tls_name), .valid = valid_host,
	  .allowed = "a host name or an IP address",
	  .sentence = "Whom its certificate must be for; null: the host by which it is called." },
	{ STOMP("relay.tls.certificate", OPTION_STRING, 0, 0, NULL, relay_tls_certificate),
	  .sentence = "PEM file of our own certificate and its chain, for brokers that ask for it." },
	{ STOMP("relay.tls.key", OPTION_STRING, 0, 0, NULL, relay_tls_key),
	  .sentence = "PEM file of its private key." },
	{ STOMP("engine.kind", OPTION_STRING, 0, 0, "memory", engine_kind), .allowed = "memory nats",
	  .sentence = "What joins the brokers of several gateways into one: memory, nothing: this process "
		      "alone; nats, servers of NATS." },
	{ STOMP("engine.servers", OPTION_LIST, 0, 16, NULL, engine_servers), .or_one = true,
	  .valid = valid_nats_server, .allowed = NATS_SERVER,
	  .sentence = "Where they are, without a port at 4222. The second and later ones are for when those "
		      "before cannot be reached; others of a cluster are learned from the one that is "
		      "reached. If one of them is tls:// or any of stomp.engine.tls is set, all must speak "
		      "TLS. Whoever has the kind nats must name one." },
	{ STOMP("engine.prefix", OPTION_STRING, 0, 0, "sockjsd", engine_prefix), .valid = valid_engine_prefix,
	  .allowed = "1 to 64 letters, digits, - and _",
	  .sentence = "What all subjects begin with there. Gateways with the same one are one broker." },
	{ STOMP("engine.user", OPTION_STRING, 0, 0, NULL, engine_user), .valid = valid_line,
	  .allowed = "a text without control characters",
	  .sentence = "Who logs in there; null: nobody by a name. Of the ways to log in (this, "
		      "stomp.engine.token, stomp.engine.nkey_file and stomp.engine.credentials_file) there "
		      "may be one; without any, the servers must let in everybody." },
	{ STOMP("engine.password", OPTION_STRING, 0, 0, NULL, engine_password), .hiding = HIDE_VALUE,
	  .valid = valid_line, .allowed = "a text without control characters",
	  .sentence = "The password for it." },
	{ STOMP("engine.password_file", OPTION_STRING, 0, 0, NULL, engine_password_file),
	  .sentence = "A file whose first line is that password." },
	{ STOMP("engine.token", OPTION_STRING, 0, 0, NULL, engine_token), .hiding = HIDE_VALUE,
	  .valid = valid_line, .allowed = "a text without control characters",
	  .sentence = "A token that the servers know, in place of a user." },
	{ STOMP("engine.token_file", OPTION_STRING, 0, 0, NULL, engine_token_file),
	  .sentence = "A file whose first line is that token." },
	{ STOMP("engine.nkey_file", OPTION_STRING, 0, 0, NULL, engine_nkey_file),
	  .sentence = "A file with the seed of an NKey that the servers know." },
	{ STOMP("engine.credentials_file", OPTION_STRING, 0, 0, NULL, engine_credentials_file),
	  .sentence = "A file with a JWT and the seed of its NKey, as nsc writes it (.creds)." },
	{ STOMP("engine.lost", OPTION_STRING, 0, 0, "refuse", engine_lost), .allowed = "refuse local",
	  .sentence = "What becomes of what is published while the engine cannot be reached: refuse: it is "
		      "refused (4644); local: it goes to the subscribers of this gateway alone." },
	{ STOMP("engine.lost_after_ms", OPTION_INT, 0, 3600000, "3000", engine_lost_after_ms),
	  .sentence = "How long the engine may be away before that; what is published meanwhile waits for it, up to "
		      "stomp.engine.queue_bytes, and is late for other gateways." },
	{ STOMP("engine.queue_bytes", OPTION_INT, 65536, GIGABYTE, "16777216", engine_queue_bytes),
	  .sentence = "What may wait for the engine, also while it is away for a moment; beyond, clients who "
		      "publish are read more slowly." },
	{ STOMP("engine.max_message_bytes", OPTION_INT, 1024, 64 * MEGABYTE, "8388608", engine_max_message_bytes),
	  .sentence = "The largest message that may come from the engine, with its headers; a larger one costs "
		      "the connection." },
	{ STOMP("engine.connect_timeout_ms", OPTION_INT, 10, 3600000, "5000", engine_connect_timeout_ms),
	  .sentence = "Time to reach one of the servers, and as much until we are logged in." },
	{ STOMP("engine.retry_delay_ms", OPTION_INT, 10, DAY_MS, "250", engine_retry_delay_ms),
	  .sentence = "When all of them have failed, they are tried again after half to all of this time, which "
		      "is doubled with each round, up to stomp.engine.retry_delay_max_ms." },
	{ STOMP("engine.retry_delay_max_ms", OPTION_INT, 10, DAY_MS, "10000", engine_retry_delay_max_ms),
	  .sentence = "The longest of these times." },
	{ STOMP("engine.ping_interval_ms", OPTION_INT, 100, 3600000, "30000", engine_ping_interval_ms),
	  .sentence = "How often a server is asked whether it is still there; one that has left two of these "
		      "unanswered is given up." },
	{ STOMP("engine.storage", OPTION_STRING, 0, 0, "file", engine_storage), .allowed = "file memory",
	  .sentence = "Where the engine keeps what stomp.history says, in a stream called as stomp.engine.prefix; "
		      "memory: it is lost with its server." },
	{ STOMP("engine.replicas", OPTION_INT, 1, 5, "1", engine_replicas),
	  .sentence = "How many servers of its cluster keep it; 3 outlast one that fails." },
	{ STOMP("engine.stream_bytes", OPTION_INT, 0, 1024 * GIGABYTE, "1073741824", engine_stream_bytes),
	  .sentence = "What it keeps of all destinations together; the oldest goes first. 0: as much as the "
		      "servers let it." },
	{ STOMP("engine.tls.ca", OPTION_STRING, 0, 0, NULL, engine_tls_ca),
	  .sentence = "PEM file of those whose certificates are believed; null: the system's." },
	{ STOMP("engine.tls.verify", OPTION_BOOL, 0, 0, "true", engine_tls_verify),
	  .sentence = "Whether the servers must prove their names; false is for tests alone." },
	{ STOMP("engine.tls.name", OPTION_STRING, 0, 0, NULL, engine_tls_name), .valid = valid_host,
	  .allowed = "a host name or an IP address",
	  .sentence = "Whom their certificates must be for; null: the host by which each is called." },
	{ STOMP("engine.tls.certificate", OPTION_STRING, 0, 0, NULL, engine_tls_certificate),
	  .sentence = "PEM file of our own certificate and its chain, for servers that ask for it." },
	{ STOMP("engine.tls.key", OPTION_STRING, 0, 0, NULL, engine_tls_key),
	  .sentence = "PEM file of its private key." },

	{ HOOKS("url", OPTION_STRING, 0, 0, NULL, url),
	  .valid = valid_backend, .allowed = "http://host[:port][/path], or https://...",
	  .hiding = HIDE_IN_URL,
	  .sentence = "A backend that is asked by HTTP, a POST of JSON for each event: whether a client may "
		      "come in and who it is, and whatever else hooks.events names." },
	{ HOOKS("events", OPTION_LIST, 0, 5, NULL, events),
	  .allowed = "connect subscribe publish message disconnect",
	  .sentence = "What it is asked or told; empty: connect alone, or, with the application hooks, "
		      "connect, message and disconnect. subscribe and publish are of the application "
		      "stomp." },
	{ HOOKS("destinations", OPTION_LIST, 0, 100, NULL, destinations),
	  .valid = valid_destinations,
	  .allowed = "a pattern of destinations such as /app/**",
	  .sentence = "Destinations of the application stomp that belong to the backend: it gets what is "
		      "sent to them (message), and answers those who subscribe to them (subscribe)." },
	{ HOOKS("secret", OPTION_STRING, 0, 0, NULL, secret), .valid = valid_secret, .allowed = SECRET,
	  .hiding = HIDE_VALUE,
	  .sentence = "Key of the signature (HMAC-SHA256) that each request has in Sockjsd-Signature; null: "
		      "none, unless hooks.secret_file has one." },
	{ HOOKS("secret_file", OPTION_STRING, 0, 0, NULL, secret_file),
	  .sentence = "A file whose first line is that key." },
	{ HOOKS("timeout_ms", OPTION_INT, 10, DAY_MS, "5000", timeout_ms),
	  .sentence = "Time for an answer, with all that is tried again." },
	{ HOOKS("open_after_ms", OPTION_INT, 0, DAY_MS, "250", open_after_ms),
	  .sentence = "A SockJS session is opened after this time, if the backend has not answered yet, for "
		      "sockjs-client gives up soon; it is closed if the answer is no. Not so with the "
		      "applications stomp and upstream. 0: never before." },
	{ HOOKS("retries", OPTION_INT, 0, 10, "2", retries),
	  .sentence = "How often a request is tried again that has failed, where that is safe." },
	{ HOOKS("max_connections", OPTION_INT, 1, 10000, "32", max_connections),
	  .sentence = "Requests at a time, of each reactor." },
	{ HOOKS("max_waiting", OPTION_INT, 0, 1000000, "1000", max_waiting),
	  .sentence = "Requests that wait for those, of each reactor; more fail at once." },
	{ HOOKS("max_batch_bytes", OPTION_INT, 1, GIGABYTE, "262144", max_batch_bytes),
	  .sentence = "With the application hooks: messages of a session that wait for the answer to those "
		      "before go out as one request; beyond this much its client is slowed down." },
	{ HOOKS("max_answer_bytes", OPTION_INT, 64, GIGABYTE, "1048576", max_answer_bytes),
	  .sentence = "A longer answer is a failure." },
	{ HOOKS("tls.ca", OPTION_STRING, 0, 0, NULL, tls_ca),
	  .sentence = "PEM file of those whose certificates are believed; null: the system's." },
	{ HOOKS("tls.verify", OPTION_BOOL, 0, 0, "true", tls_verify),
	  .sentence = "Whether an https backend must prove its name; false is for tests alone." },
};
/* clang-format on */
_Static_assert(sizeof(table) / sizeof(*table) <= OPTIONS_MAX, "struct sockjs_options has no room");

const struct option *options_table(size_t *count)
{
	*count = sizeof(table) / sizeof(*table);
	return table;
}

const struct option *options_find(const char *key)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(table[i].key, key) == 0)
			return &table[i];
	return NULL;
}
