/*
 * http/http_server.h - the HTTP side of one reactor.
 *
 * A connection is a stream of ours from accept to close (http_conn.c). Each request ends in exactly
 * one of: http_respond(), http_refuse(), http_detach() (or http_again_detach()), http_upgrade(). All
 * of a server belongs to its loop's thread.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"
#include "http/http_head.h"
#include "http/http_refusals.h"
#include "http/http_request.h"
#include "net/loop.h"
#include "base/pace.h"
#include "net/stream.h"

struct http_access;

/* Whoever has something to read for this layer, and waits for LOOP_STAGE_HTTP; a member of it. */
struct http_turn {
	struct list node;
	void (*fn)(struct http_turn *turn);
};

struct http_limits {
	size_t header_bytes;
	unsigned header_timeout_ms; /* from the connection to the end of the first request's head */
	struct pace body;           /* from the end of the head to the end of the body */
	unsigned idle_timeout_ms;   /* from a response to the end of the next request's head */
};

/* Above us: who answers. */
struct http_handler {
	/* The head is here: how many bytes of body to accept (more are answered with 413). */
	size_t (*body_limit)(struct http_request *r, void *arg);
	/* The request is complete: answer it. */
	void (*serve)(struct http_request *r, void *arg);
	/* It is refused before it came to that: adds what lets the page behind it see the refusal.
	 * May be NULL. */
	void (*refusal)(struct http_request *r, struct http_head *head, void *arg);
	/* Who the client is, for the log, if a proxy may stand between. May be NULL. */
	struct addr (*client)(const struct http_request *r, void *arg);
	/* The answer to a request has ended, so many milliseconds after its head was here
	 * (http_access.h). NULL: nobody wants to know. */
	void (*answered)(const struct http_access *a, uint64_t ms, void *arg);
};

struct http_counters {
	uint64_t connections; /* now between accept and close, and nobody else's */
	uint64_t requests;
	uint64_t bad_requests; /* refused by this layer */
	uint64_t detached;
	uint64_t repeated;  /* requests recognised without being read (http_again.h) */
	uint64_t known;     /* heads that libmicrohttpd had not to read again (http_known.h) */
	uint64_t lingering; /* now closing, so that a last answer arrives */
	uint64_t refused[HTTP_REFUSAL_ROWS];
	struct histogram took; /* from the head of a request to its answer, where that is at once */
};

/* Who serves something by connections of this server that takes long: files/long_files.c. */
struct http_service {
	void (*run)(struct http_service *s); /* in LOOP_STAGE_HTTP */
	void (*end)(struct http_service *s); /* the server ends, and with it all that it holds */
};

/* Whether the installed libmicrohttpd reads requests as it has to (http_parse.h). 0, or -errno and a
 * sentence with its version in `why`. Takes less than a millisecond; once at start. */
int http_server_check_library(char *why, size_t why_size);

/* `limits` and `handler` must outlive the server. 0 or -errno. */
int http_server_new(struct http_server **out, struct loop *loop, const struct http_limits *limits,
    const struct http_handler *handler, void *arg);
/* Others from now on, also for those who are connected; likewise. 0, or -ENOMEM: heads that are longer
 * than before are refused. */
int http_server_configure(struct http_server *server, const struct http_limits *limits,
    const struct http_handler *handler);
/* Closes all connections it has. */
void http_server_free(struct http_server *server);
struct loop *http_server_loop(const struct http_server *server);
void *http_server_arg(const struct http_server *server);
const struct http_counters *http_server_counters(const struct http_server *server);

/* Takes over an accepted connection. With `tls` the handshake comes first. `listener` is for the
 * handler: where the connection came in (http_request_listener()). `visitor` is whose it is
 * (net/visitors.h), released when it ends; NULL: nobody's. The descriptor is closed on error. */
void http_server_add(struct http_server *server, int fd, const struct addr *peer,
    struct tls_context *tls, const void *listener, struct quota_row *visitor);
/* Closes an accepted connection instead, with a 429 if HTTP is spoken at once: not under TLS, whose
 * handshake is what costs, and not if there are many such already. */
void http_server_turn_away(struct http_server *server, int fd, bool is_tls);
/* Takes back a connection whose response has ended completely: the next request may come. `listener` as
 * for http_server_add(). `s` is empty afterwards. */
void http_server_give_back(
    struct http_server *server, struct stream *s, const struct addr *peer, const void *listener);
/* Ends a connection that was detached so that its last bytes arrive: what is queued is written,
 * then what still comes is read and dropped for a bounded time. `s` is empty afterwards. */
void http_server_end(struct http_server *server, struct stream *s);
/* Calls fn with the length of each body that is coming in; those for which it says true end, with
 * their connections. */
void http_server_each_body(
    struct http_server *server, bool (*fn)(size_t octets, void *arg), void *arg);
bool http_server_is_draining(const struct http_server *server);
/* One for a server; NULL: there is none yet. */
struct http_service *http_server_service(const struct http_server *server);
void http_server_set_service(struct http_server *server, struct http_service *service);
/* All connections it has, for another process; read into one that has none yet. `internal` is what
 * http_request_listener() says of those of operators. */
struct snapshot;
void http_server_snapshot(struct http_server *server, struct snapshot *s, const void *internal);
/* So many connections more are held by it, or less. */
void http_server_hold(struct http_server *server, int connections);
/* From now on every response says Connection: close, and idle connections are closed. */
void http_server_drain(struct http_server *server);

/* --- answers ------------------------------------------------------------ */

/* None of them cuts a head: one that has not room for its lines is answered with 500 instead. */

/* Sends a response in one piece. `body` need not outlive the call; for HEAD only its length is told,
 * and it may be nowhere. */
void http_respond(struct http_request *r, const struct http_head *head, struct bytes body);
/* Sends one plain sentence and a newline as text/plain. Keeps the connection where that is sound.
 */
void http_respond_text(struct http_request *r, unsigned status, const char *sentence);
/* As http_respond_text(), then closes: for requests after whose head or body the wire cannot be
 * trusted. The answer arrives even if the client is still sending. */
void http_refuse(struct http_request *r, unsigned status, const char *sentence);

#endif
