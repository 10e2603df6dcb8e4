/*
 * transports/transport.h - what a transport is, and what it sees of an endpoint.
 *
 * A transport turns requests of one kind of URL into receivers and messages of a
 * session. It knows the session and HTTP, never the application: a new session
 * comes from the endpoint, by the one call upwards in endpoint_ops.
 */
#ifndef TRANSPORTS_TRANSPORT_H
#define TRANSPORTS_TRANSPORT_H

#include <stdatomic.h>

#include "base/pace.h"
#include "base/snapshot.h"
#include "networks/network.h"
#include "policy/origin.h"
#include "http/http_server.h"
#include "session/session.h"
#include "session/session_record.h"
#include "session/session_table.h"
#include "session/sockjs_payload.h"
#include "ws/ws_conn.h"

struct endpoint;
struct http_wire;
struct transport;
struct ws_wire;

/* What transports need of a reactor. */
struct transport_reactor {
	struct session_reactor sessions;
	const char *carriers[SESSION_TRANSPORTS_MAX + 1]; /* names of transports, for sessions */
	struct http_server *http;      /* NULL when it has ended */
	struct list receivers;         /* that have a wire, attached or ending it */
	struct buf wire;               /* for composing what is written next */
	struct buf pongs;              /* of the WebSocket that is being read */
	struct sockjs_payload payload; /* for decoding */
	struct ws_deflate
	    *deflate; /* for messages that stand for themselves; NULL: not yet needed */
	/* For reading snapshots: that of this prefix, with a reference; NULL: there is none */
	struct endpoint *(*find_endpoint)(struct transport_reactor *r, struct bytes prefix);
};

/* transport_reactor.c */
void transport_reactor_init(struct transport_reactor *r, struct loop *loop);
void transport_reactor_fini(struct transport_reactor *r);
/* Drops every wire at once; the HTTP server has ended, and no new ones come. */
void transport_reactor_abort(struct transport_reactor *r);
/* The buffer for composing, empty; it is not kept beyond the call that asked for it. */
struct buf *transport_wire(struct transport_reactor *r);
/* What compresses for every WebSocket that does not need its own; NULL when memory is out. */
struct ws_deflate *transport_deflate(struct transport_reactor *r);
/* The one of this thread; what mail from other reactors is for. */
struct transport_reactor *transport_reactor_current(void);
void transport_reactor_set_current(struct transport_reactor *r);

struct ws_subprotocols;

/* One request for a transport, routed and decoded. */
struct transport_request {
	struct http_request *http; /* NULL: a connection without HTTP, */
	const struct stream *wire; /* which is this; NULL with HTTP */
	struct endpoint *endpoint;
	const struct transport *transport;
	struct bytes path; /* of the application's own, between prefix and session; raw */
	struct bytes server_id; /* both of the URL; empty: it has none */
	struct bytes session_id;
	struct http_client client;         /* behind trusted proxies */
	bool is_lost; /* its session was at a gateway that is gone: who receives is told so */
	struct transport_reactor *reactor; /* of this thread */
	/* Of a WebSocket, what it offers; NULL: others offer none */
	const struct ws_subprotocols *offers;
};

#define SUBPROTOCOL_MAX                                                                            \
	2048 /* octets of one that is chosen, so that any response has room for it */

struct transport_accept {
	struct session *session;  /* CONNECTING, in this reactor */
	struct bytes subprotocol; /* one of the request's; empty: none */
	bool held;            /* the application decides later; `subprotocol` says nothing yet */
	unsigned retry_after; /* of a refusal, in seconds; 0: nothing to be said of it */
};

struct endpoint_ops {
	/* Asks the application for a session. 0, or the HTTP status of the refusal, which has
	 * been counted then: transport_answer_refusal(). */
	unsigned (*accept)(const struct transport_request *t, struct transport_accept *accepted);
	/* The subprotocol of a session that has been accepted, or NULL. */
	const char *(*subprotocol)(const struct session *s);
	/* Header lines that the application has for the answer to a bare WebSocket. */
	struct bytes (*headers)(const struct session *s);
	/* A handshake of a WebSocket was refused, for it is none. NULL: nobody wants to know. */
	void (*no_handshake)(const struct transport_request *t);
	/* Nobody has a reference any more. */
	void (*free)(struct endpoint *e);
};

/* An attribute of the session cookie. */
enum cookie_rule {
	COOKIE_AUTO, /* Secure if the client has come by TLS; then SameSite=None if pages of others
	              * may connect */
	COOKIE_YES,  /* these two for Secure */
	COOKIE_NO,
	COOKIE_LAX, /* and these for SameSite */
	COOKIE_STRICT,
	COOKIE_NONE,
};

/* The part of an endpoint that transports need; server/endpoint.c makes it. Read-only once running.
 */
struct endpoint {
	atomic_uint refs;
	const char *prefix;
	const struct endpoint_ops *ops;
	struct session_table *table;
	struct session_limits limits;
	struct http_origins origins;
	size_t response_limit_bytes;
	enum network_choice whole_streams; /* without chunks; auto: where there are proxies */
	size_t max_message_bytes;
	size_t max_body_bytes;
	const char *session_cookie; /* NULL: none */
	enum cookie_rule cookie_secure, cookie_same_site;
	const char *gateway_cookie, *gateway_name; /* for balancers; NULL: none */
	struct ws_conn_limits ws, ws_raw;
	struct ws_deflate_config deflate;
	unsigned ping_interval_ms, pong_timeout_ms, close_timeout_ms;
	unsigned answer_ms; /* to what is said to a WebSocket that is watched; 0: as to pings */
	struct pace pace;            /* of a WebSocket message that is under way */
	unsigned max_frame_messages; /* SockJS messages in one WebSocket frame */
};

/* It may be replaced while the server runs: whoever keeps it beyond a call has a reference, whatever
 * the thread. */
static inline struct endpoint *endpoint_ref(struct endpoint *e)
{
	atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
	return e;
}

static inline void endpoint_unref(struct endpoint *e)
{
	if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1)
		e->ops->free(e);
}

struct transport {
	const char *name;   /* the last segment of the URL */
	const char *option; /* the word in the endpoint's list of transports that enables it */
	unsigned methods;   /* HTTP_* */
	bool is_cors;       /* answers OPTIONS, and cross-origin requests with Access-Control-* */
	/* What a request without an Origin must show */
	enum http_origin_evidence evidence;
	bool has_body;
	bool is_raw; /* its sessions have no SockJS frames, and binary messages as well */
	void (*serve)(const struct transport_request *t); /* NULL: it has no URL */
	/* How it says what it says, if it is by one of these; for snapshots */
	const struct http_wire *http;
	const struct ws_wire *ws;
};

extern const struct transport websocket_transport, websocket_raw_transport;
extern const struct transport xhr_transport, xhr_send_transport, xhr_streaming_transport;
extern const struct transport eventsource_transport, htmlfile_transport;
extern const struct transport jsonp_transport, jsonp_send_transport;
extern const struct transport tcp_transport;

/* By the last segment of a session URL; NULL if there is none of that name. */
const struct transport *transport_find(struct bytes name);
/* Of those that can carry a session. Likewise. */
const struct transport *transport_find_carrier(struct bytes name);
/* The names of those that can carry a session, and a NULL. */
void transport_list_carriers(const char *names[SESSION_TRANSPORTS_MAX + 1]);

/* --- for another process, see base/snapshot.h ----------------------------- */

/* Whether another process may go on with it: not with one that is in the midst of a TLS handshake, and is for no HTTP. */
bool transport_receiver_may_go_on(const struct receiver *r);
/* What a session speaks through, and what brings its last response to a slow client: its wires. */
void transport_wires_snapshot(struct session *session, struct snapshot *s, struct endpoint *e);
/* Requests whose messages the session's application has not taken yet, in their order. */
void transport_senders_snapshot(struct session *session, struct snapshot *s, struct endpoint *e);
/* A wire that no session has any more, and that comes to its end by itself. Reading, `r` is NULL, and the endpoint is looked
 * for; if that is not there any more the wire is cut. */
void transport_receiver_snapshot(struct receiver *r, struct snapshot *s);

/* --- transport_answer.c: shared by transports and endpoint --------------- */

/* Whether what the answer repeats of the request is short enough for every head. */
bool transport_can_answer(const struct transport_request *t);
/* A head with what every answer of a session URL carries: cookie, and CORS where it applies. */
void transport_head(const struct transport_request *t, struct http_head *head, unsigned status);
/* One sentence and a newline as text/plain, never cached; counted, and said in the log. */
void transport_refuse(const struct transport_request *t, enum http_refusal why, unsigned status,
    const char *sentence);
/* The answer alone; `retry_after` in seconds, 0: not said. */
void transport_answer_refusal(
    const struct transport_request *t, unsigned status, unsigned retry_after, const char *sentence);
/* The log and the counter alone, with more to say. */
void transport_refused(
    const struct transport_request *t, enum http_refusal why, const struct log_field *fields);

#endif
