/*
 * http/http_refusals.h - why somebody was turned away, in one table: the enum, the counter's label,
 * the line of the log and the option that decides all come from these rows.
 *
 * Whatever is refused, by whichever layer, is counted and said here, once: who it was, what he
 * asked for, what was expected; but no path, for the id of a session is a secret. Strangers cause
 * these lines, so they are limited for each reason (base/log.h); the counters are not.
 */
#ifndef HTTP_REFUSALS_H
#define HTTP_REFUSALS_H

#include <stdint.h>

#include "base/log.h"
#include "net/addr.h"

/* X(name, label, message, option that decides; "" if none does) */
#define HTTP_REFUSALS(X)                                                                           \
	X(BAD_REQUEST, "bad_request", "refused: a malformed request", "")                          \
	X(HEAD_TOO_LARGE, "head_too_large", "refused: the head of a request is too large",         \
	    "limits.header_bytes")                                                                 \
	X(BODY_TOO_LARGE, "body_too_large", "refused: the body of a request is too large",         \
	    "max_body_bytes")                                                                      \
	X(TIMEOUT, "timeout", "refused: a request did not come in time",                           \
	    "limits.header_timeout_ms, limits.body_timeout_ms")                                    \
	X(TLS, "tls", "refused: a TLS handshake failed", "")                                       \
	X(PROXY, "proxy", "refused: a connection without a proxy's header",                        \
	    "proxy_protocol, trusted_proxies")                                                     \
	X(TLS_HANDSHAKES, "tls_handshakes", "refused: too many TLS handshakes are under way",      \
	    "limits.tls_handshakes")                                                               \
	X(CONNECTIONS_PER_ADDRESS, "connections_per_address",                                      \
	    "refused: too many connections of one address", "limits.connections_per_address")      \
	X(CONNECTION_RATE, "connection_rate_per_address",                                          \
	    "refused: too many new connections of one address",                                    \
	    "limits.connection_rate_per_address")                                                  \
	X(ORIGIN, "origin", "refused: a page of another origin", "allowed_origins")                \
	X(HOST, "host", "refused: a host that is not served here",                                 \
	    "allowed_hosts, internal.allowed_hosts")                                               \
	X(METHOD, "method", "refused: the method is not allowed here", "")                         \
	X(NOT_FOUND, "not_found", "refused: no such URL at this endpoint", "transports")           \
	X(HANDSHAKE, "handshake", "refused: a malformed WebSocket handshake", "")                  \
	X(NO_SESSION, "no_session", "refused: there is no such session", "disconnect_delay_ms")    \
	X(MAX_SESSIONS, "max_sessions", "refused: the endpoint has all sessions it may have",      \
	    "max_sessions")                                                                        \
	X(SESSIONS_PER_ADDRESS, "sessions_per_address",                                            \
	    "refused: too many sessions of one address", "limits.sessions_per_address")            \
	X(HANDSHAKE_RATE, "handshake_rate_per_address",                                            \
	    "refused: too many new sessions of one address", "limits.handshake_rate_per_address")  \
	X(DRAINING, "draining", "refused: the server is about to stop", "")                        \
	X(APPLICATION, "application", "refused: the application does not want a session", "")      \
	X(NETWORK, "network",                                                                      \
	    "refused: WebSockets of this client or network have failed of late",                   \
	    "networks.refuse_websocket")                                                           \
	X(PAYLOAD, "payload", "refused: a body is not what SockJS sends", "")                      \
	X(MESSAGE_TOO_LARGE, "message_too_large",                                                  \
	    "refused: a message is too large, or there are too many in a body",                    \
	    "max_message_bytes")                                                                   \
	X(BUSY, "busy", "refused: too much waits for the application already", "max_body_bytes")   \
	X(FAILED_SEND, "failed_send", "refused: the application lets sends fail", "")              \
	X(CALLBACK, "callback", "refused: the callback parameter is missing or malformed", "")     \
	X(TOKEN, "token", "refused: a command without the right token or certificate",             \
	    "internal.token, internal.token_file, internal.client_subjects")                       \
	X(COMMAND, "command", "refused: a command that cannot be carried out", "")                 \
	X(GATEWAY, "gateway", "refused: the gateway of a session does not answer", "engine, peers") \
	X(PEER, "peer", "refused: somebody who says to be another gateway, and is not", "")         \
	X(NO_MEMORY, "no_memory", "refused: out of memory or descriptors", "")

enum http_refusal {
#define X(name, label, message, option) HTTP_REFUSED_##name,
	HTTP_REFUSALS(X)
#undef X
	    HTTP_REFUSAL_ROWS
};

const char *http_refusal_label(enum http_refusal why);

struct http_server;
/* Counts, and says it. `client` NULL: nobody knows. `fields` end with a NULL key. */
void http_refused(struct http_server *server, enum http_refusal why, const struct addr *client,
    const struct log_field *fields);
#define HTTP_REFUSED_FIELDS(...) ((const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })

#endif
