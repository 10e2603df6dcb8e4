/*
 * http/http_private.h - what the files of this folder share; for them alone. In the order of calls,
 * which point downwards:
 *
 *	http_snapshot.c  all of it, for another process
 *	http_server.c    a reactor's HTTP: who comes, whose turn it is, the end
 *	http_again.c     connections that wait outside for the same request again (http_memo.c)
 *	http_upgrade.c   101, and the connection is somebody else's
 *	http_conn.c      the life of a connection
 *	http_response.c  answers
 *	http_request.c   a request's view, and its checks
 *	http_known.c     heads that were read before
 *	http_parse.c     libmicrohttpd as a function, which reads the others once more
 *	http_frame.c     where a request ends (http_chunks.c: a chunked one)
 *	http_access.c    what is told of a request
 *	http_linger.c    closing so that the last answer arrives
 */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/snapshot.h"
#include "http/http_access.h"
#include "http/http_again.h"
#include "http/http_detach.h"
#include "http/http_known.h"
#include "http/http_parse.h"
#include "http/http_server.h"

struct http_server {
	struct loop *loop;
	struct http_parser *parser;
	const struct http_limits *limits;
	const struct http_handler *handler;
	void *arg;
	struct http_counters counters;
	struct list conns;
	struct list lingering;
	struct list turns;        /* struct http_turn: those who have something to read */
	struct list waiting;      /* struct http_again: for their next request */
	struct http_service *service; /* NULL: there is none */
	struct http_memo_key memo_key;
	struct http_known known;
	struct buf out; /* for the answer in hand */
	enum http_refusal why; /* of the request in hand; HTTP_REFUSAL_ROWS: it is not refused */
	bool draining;
};

/* Requests are read and served in LOOP_STAGE_HTTP alone, behind what other reactors have sent, as
 * far as the budget goes, and in turn. */
static inline void http_want_turn(struct http_server *server, struct http_turn *turn)
{
	list_remove(&turn->node);
	list_append(&server->turns, &turn->node);
	loop_want(server->loop, LOOP_STAGE_HTTP);
}

enum http_conn_state {
	HTTP_CONN_HANDSHAKE, /* of TLS */
	HTTP_CONN_IDLE,      /* nothing of a request has come */
	HTTP_CONN_HEAD,      /* some of its head has */
	HTTP_CONN_BODY,
	HTTP_CONN_SERVED,   /* the request is whole: its answer is being looked for */
	HTTP_CONN_HELD,     /* elsewhere: http_hold.h */
	HTTP_CONN_ANSWERED, /* and was given to the stream */
	HTTP_CONN_SENDING,  /* which the wire has not taken yet */
	HTTP_CONN_GONE,     /* the stream has another owner, or is closed */
};

/* What has come and was not used yet. */
struct http_input {
	struct buf buf;
	struct http_frame frame; /* of the head that is coming in, in HTTP_CONN_HEAD */
};

/* A connection, but while somebody has taken its stream. */
struct http_conn {
	struct list node; /* server->conns */
	struct http_turn turn;
	struct http_server *server;
	struct stream stream;
	union {
		struct timer timer;       /* the one deadline that applies now */
		struct deferred deferred; /* when it is gone */
	};
	struct http_request *request;
	struct http_input *input; /* NULL: nothing */
	const void *listener;
	uint64_t progress; /* of the client in taking its answer, when last looked at; 0: not yet */
	struct addr peer;
	uint8_t state;  /* enum http_conn_state */
	uint8_t misses; /* see http_again.h */
	bool is_tls;
	bool is_ready;     /* it waits for its turn */
	bool has_served;   /* a request before this one */
	bool keep_alive;   /* once its answer has left */
	bool is_last;      /* it may not be: http_request_end() */
	bool is_pipelined; /* what is in `input` may be a whole request */
};

struct http_request {
	struct http_conn *conn;
	struct http_frame frame;
	enum http_method method;
	bool is_sound; /* nothing was found wrong with the head */
	struct bytes method_name, target, path, query;
	struct bytes headers[HTTP_HEADERS];
	struct buf joined; /* the values of those that came on several lines */
	struct buf body;
	struct http_hold *hold; /* NULL: it is not held */
	const char *in_vain;    /* it was, and that came to nothing */
	struct http_chunks chunks;
	uint64_t body_received; /* as it stands on the wire, with the framing of chunks */
	struct pace_watch pace;
	size_t body_limit;
	uint64_t begun; /* when its head was here */
	char *head; /* a copy, behind the fields */
	struct http_field fields[]; /* frame.fields of them */
};

/* --- http_conn.c ---------------------------------------------------------------------------- */

/* `s` is taken over; it is empty afterwards. */
void http_conn_new(struct http_server *server, struct stream *s, const struct addr *peer,
    struct tls_context *tls, const void *listener);
/* One that has served before, and whose last requests were not those expected. */
void http_conn_give_back(struct http_server *server, struct stream *s, const struct addr *peer,
    const void *listener, unsigned misses);
/* One of a snapshot, that nothing is known of yet; NULL: out of memory, and the stream is closed. It wants what it
 * wanted. */
struct http_conn *http_conn_restore(
    struct http_server *server, struct stream *s, const struct addr *peer);
/* It has something to do, though its wire may say nothing. */
void http_conn_want_turn(struct http_conn *c);
/* The server stops. */
void http_conn_drain(struct http_conn *conn);
/* At once. */
void http_conn_end(struct http_conn *conn);

/* --- http_request.c --------------------------------------------------------------------------- */

/* NULL: out of memory. */
struct http_request *http_request_new(
    struct http_conn *conn, const char *head, const struct http_frame *frame);
void http_request_free(struct http_request *r);
/* Applies the checks: 0; -EINVAL, and *wrong is the sentence of a 400; -ENOMEM. */
int http_request_read(struct http_request *r, const char **wrong);

/* --- http_response.c -------------------------------------------------------------------------- */

/* As http_refuse(), of what is no request. */
void http_refuse_unread(struct http_conn *conn, unsigned status, const char *sentence);

/* --- http_linger.c ---------------------------------------------------------------------------- */

/* A last text/plain answer on a stream, which then ends. */
void http_close_with(
    struct http_server *server, struct stream *s, unsigned status, const char *sentence);
void http_linger_end_all(struct http_server *server);
/* Those that linger, for another process. */
void http_linger_snapshot(struct http_server *server, struct snapshot *s);

/* --- http_again.c ---------------------------------------------------------------- */

/* Who waits for this turn; NULL: it is not one of these. */
struct http_again *http_again_of_turn(struct http_turn *turn);
void http_again_drain(struct http_server *server);
void http_again_end_all(struct http_server *server);

/* http_request.c: who the client is, for the log. Of a head that is not sound nothing is believed: then
 * it is the proxy, if there is one. */
struct addr http_request_client(const struct http_request *r);

#endif
