/*
 * http/http_private.h - what the files of this folder share; for them alone.
 *
 *	http_server.c    the daemon in our loop; connections and their deadlines
 *	http_request.c   a request's view, and the checks libmicrohttpd leaves out
 *	http_errors.c    what libmicrohttpd refuses by itself: one answer for each
 *	http_response.c  answers through libmicrohttpd
 *	http_file.c      and with a file
 *	http_detach.c    connections that leave; http_held.c those that cannot
 *	http_postpone.c  those with so much in them that they have to wait for a turn
 *	http_again.c     and those that wait outside for the same request again
 *	http_memo.c      how that is recognised
 *	http_relay.c     a socket pair before libmicrohttpd, for TLS and unix sockets
 *	http_linger.c    closing so that the last answer arrives
 */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include <microhttpd.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/http_detach.h"
#include "http/http_server.h"
#include "http/http_upgrade.h"

/* MHD_USE_NO_THREAD_SAFETY of libmicrohttpd 1.0, without which MHD_add_connection() returns before
 * the connection was announced; older versions never do, and do not know the flag. The number is
 * part of the ABI: who was built with 0.9.75 may run with 1.0. */
#define HTTP_NO_THREAD_SAFETY (1u << 19)

#define HTTP_READY 4

/* A response without a body, kept for the next request that is answered so. */
struct http_ready {
	struct MHD_Response *response; /* NULL: none */
	struct http_head head;
};

struct http_server {
	struct loop *loop;
	struct MHD_Daemon *mhd;
	struct watch watch; /* libmicrohttpd's epoll descriptor */
	const struct http_limits *limits;
	const struct http_handler *handler;
	void *arg;
	struct http_counters counters;
	struct list conns;
	struct list reading; /* struct http_request: the head is coming in */
	struct list lingering;
	struct list postponed;      /* struct http_request: to be served in one of the next turns */
	struct list waiting, ready; /* struct http_again: for their next request; it may be here */
	struct list files;          /* struct http_file: those that are being sent */
	struct list readers;        /* struct file_reader: of these, and their wire is full */
	struct list free_readers;   /* or takes more */
	struct http_memo_key memo_key;
	struct http_ready ready_responses[HTTP_READY];
	unsigned ready_next;
	size_t looked_at;         /* octets of the request that is being looked at */
	struct http_conn *adding; /* the one MHD_add_connection() is being called for */
	bool due;                 /* libmicrohttpd has something to do */
	unsigned runs;            /* of libmicrohttpd */
	unsigned error_run;       /* the last one in which it answered an error by itself */
	bool overrun;             /* a head has just filled libmicrohttpd's buffer */
	bool draining;
};

/* What libmicrohttpd gets for a request beyond header_bytes: for records of 50 headers, and for the
 * head of the response. */
#define HTTP_POOL_EXTRA 7680

/* What a request was taken for before libmicrohttpd read it. */
struct http_guess {
	struct http_memo memo; /* of no octets: for nothing */
	struct http_shape shape;
	uint8_t misses;
};

/* From 1.0 on libmicrohttpd is asked to be strict, for then it refuses what it would otherwise skip
 * (a first header that begins with a blank, one without a name); before, that adds nothing to our
 * own checks but refusals without our sentence. */
bool http_library_is_strict(void);

/* A connection while libmicrohttpd reads it, or is about to. */
struct http_conn {
	struct list node; /* server->conns */
	struct deferred deferred;
	struct http_server *server;
	struct MHD_Connection *mhd; /* NULL before it was handed over */
	struct http_relay *relay;   /* NULL: libmicrohttpd has the true descriptor */
	struct http_request *request;
	struct timer timer; /* the one deadline that applies now */
	struct watch
	    watch; /* of the descriptor: for the first bytes, then for the client's end alone */
	bool half_closed; /* the client has ended */
	struct addr peer;
	const void *door;
	struct quota_row *visitor; /* as long as it is not with a stream */
	int fd;                    /* the descriptor libmicrohttpd has */
	uint64_t base;             /* bytes the kernel had received before libmicrohttpd got it */
	uint64_t consumed; /* bytes of complete requests since, and of empty lines before them */
	uint64_t response_taken; /* by the client, all in all, when last looked at; 0: not yet */
	const char *first; /* where libmicrohttpd's buffer begins: its first request was there */
	struct http_guess guess;
	bool uncounted; /* a chunked body: consumed is not exact any more */
	bool taken;     /* detached or upgraded: the connection goes on without libmicrohttpd */
	bool refused;   /* libmicrohttpd, or we in its place, have answered with an error */
	bool sending;   /* a request whose end libmicrohttpd has not seen */
	bool lingers;   /* that was we: a copy of the descriptor sees to the rest */
	bool responds;  /* the request is whole, and its answer has its time */
	bool timed_out;
	bool cut;       /* a deadline has shut the reading side down */
	bool broke_off; /* in the middle of a request */
	bool is_tls;
};

enum request_state {
	REQUEST_READING,   /* head seen, body on its way */
	REQUEST_ANSWERED,  /* libmicrohttpd has a response */
	REQUEST_TAKEN,     /* the connection has left */
	REQUEST_HELD,      /* suspended */
	REQUEST_POSTPONED, /* suspended, complete, and not yet served */
	REQUEST_UPGRADING, /* 101 queued */
	REQUEST_FAILED,    /* no response could be made: the connection ends */
};

struct http_held;

struct http_request {
	struct list node; /* server->reading, or ->postponed */
	struct http_conn *conn;
	enum request_state state;
	enum http_method method;
	const char *method_name;
	bool is_1_1;
	bool chunked;
	bool head_read;    /* the first call of the handler was made */
	bool is_sound;     /* and found nothing wrong with the head */
	bool has_waited;   /* was postponed */
	bool is_oversized; /* the head, or the trailer of a chunked body */
	bool no_memory;    /* for joining lines */
	size_t header_bytes;
	size_t pool_octets;  /* what libmicrohttpd keeps besides the text of the head */
	size_t field_octets; /* in names and values of the head */
	uint64_t body_received;
	struct pace_watch pace; /* of the body */
	size_t body_limit;
	struct bytes path, query;
	struct bytes headers[HTTP_HEADERS];
	struct buf joined; /* the values of those that came on several lines */
	struct buf body;
	struct http_held *held;
	http_upgraded_fn upgraded;
	void *upgraded_arg;
	size_t target_len;
	char target[]; /* as sent */
};

/* http_server.c */
void http_server_run_again(struct http_server *server);
struct http_conn *http_conn_new(struct http_server *server, const struct addr *peer);
/* Gives the descriptor to libmicrohttpd; on error it is closed and the connection ends. */
int http_conn_hand_over(struct http_conn *conn, int fd);
/* The same for a TCP connection, but as soon as the next request begins. */
void http_conn_wait_for_first_bytes(struct http_conn *conn, int fd);
/* From now on the deadline for a response to leave applies. */
void http_conn_wait_for_response(struct http_conn *conn);
/* From now on the deadline for the next request applies. */
void http_conn_wait_for_next(struct http_conn *conn);
/* The client has shut its side down, or vanished. */
void http_conn_client_ended(struct http_conn *conn);
/* For a connection libmicrohttpd does not know (yet). */
void http_conn_end(struct http_conn *conn);

/* http_errors.c */
/* A line of libmicrohttpd's log. */
void http_errors_heard(struct http_server *server, const char *text);
void http_errors_look_at_the_overrun(struct http_server *server);
/* A request ended before it was complete. */
void http_errors_broke_off(struct http_conn *conn);
/* Whether a connection that libmicrohttpd is closing still owes its client an answer. */
bool http_conn_is_unanswered(const struct http_conn *conn);
void http_conn_answer_the_unanswered(struct http_conn *conn);

/* http_response.c */
/* Why a request with this status was refused by this layer. */
enum http_refusal http_refusal_of(unsigned status);

/* http_request.c */
/* Octets of empty lines that these begin with. A request may come behind some (RFC 9112 section
 * 2.2): they are no request, and no part of one. */
size_t http_empty_lines(const char *p, size_t n);
struct http_request *http_request_new(struct http_conn *conn, const char *target);
void http_request_free(struct http_request *r);
/* Reads the head and applies the checks: NULL, or the sentence of a 400. */
const char *http_request_read_head(struct http_request *r, const char *method, const char *version);
/* Whether the head is still the same when a chunked body is complete: libmicrohttpd folds the first
 * line of its trailer into a header. */
const char *http_request_read_trailer(struct http_request *r);
/* Appends body bytes; 0, -E2BIG or -ENOMEM. */
int http_request_add_body(struct http_request *r, const char *p, size_t n);

/* http_postpone.c */
/* Of a request that is complete: true if it is to wait for a later turn; then it is suspended. */
bool http_postpone(struct http_request *r);
/* Those that have waited longest go on in the next run of libmicrohttpd, if there is time. */
void http_postponed_take_up(struct http_server *server);
/* The server ends: all fail. */
void http_postponed_end(struct http_server *server);

/* http_response.c */
/* Answers with a response of its own, which is taken over; NULL (no memory) ends the connection. */
void http_response_queue(
    struct http_request *r, const struct http_head *head, struct MHD_Response *response);
/* Gives the lines of a head to a response, one by one; false when memory is out. */
bool http_response_add_lines(struct MHD_Response *response, const struct http_head *head);
void http_response_forget_ready(struct http_server *server);

/* http_detach.c */
/* Bytes the client has sent beyond this request, as far as they have left the kernel; 1 if unknown.
 */
uint64_t http_surplus(const struct http_request *r);
/* Whether nothing was ever written to a TCP connection. */
bool http_has_said_nothing(int fd);
/* Takes the stream of a request's connection out. */
int http_take(struct http_request *r, struct stream *out);

/* As http_server_give_back(), with what is known of the next request (NULL: nothing), and what has
 * been read of it already, which is possible with TLS only. */
void http_give_back(struct http_server *server, struct stream *s, const struct addr *peer,
    const void *door, const struct http_guess *guess, struct bytes early);

/* http_again.c */
/* Looks at the requests that have come. */
void http_again_run(struct http_server *server);
void http_again_drain(struct http_server *server);
void http_again_end_all(struct http_server *server);
/* Fills in what is to be remembered of a request that leaves. */
void http_again_remember(const struct http_request *r, struct http_detached *out);

/* http_file.c */
/* Gives the readers their turn. */
void http_file_run(struct http_server *server);
void http_file_end_all(struct http_server *server);

/* http_held.c */
int http_hold(struct http_request *r, const struct http_head *head, struct http_detached *out);
/* The client has gone. */
void http_held_hangup(struct http_held *held);
/* libmicrohttpd drops the request. */
void http_held_end(struct http_held *held);

/* http_relay.c */
/* Puts a pair between a new connection and libmicrohttpd, after the TLS handshake if any. */
int http_relay_accept(struct http_conn *conn, int fd, struct tls_context *tls);
/* The same for a connection that comes back, of which `early` has been read already; `s` is empty
 * afterwards (and closed on error). */
int http_relay_give_back(struct http_conn *conn, struct stream *s, struct bytes early);
uint64_t http_relay_received(const struct http_relay *relay);
uint64_t http_relay_sent(const struct http_relay *relay);
/* What its client takes of that: stream_progress(). */
uint64_t http_relay_progress(const struct http_relay *relay);
/* Takes the outer stream out, with everything libmicrohttpd has said so far on its way; the relay
 * ends. */
void http_relay_take(struct http_relay *relay, struct stream *out);
/* What is in the pair or before it and not yet read by libmicrohttpd; appended to `early`. 0 or
 * -ENOMEM. */
int http_relay_unread(struct http_relay *relay, int mhd_fd, struct buf *early);
/* libmicrohttpd is done with its end; the relay delivers the rest and closes. */
void http_relay_finish(struct http_relay *relay);
/* Ends at once. */
void http_relay_abort(struct http_relay *relay);

/* http_linger.c */
/* libmicrohttpd is about to close the descriptor: if input is unread, or may be on its way, the
 * close is made a lingering one on a dup. */
void http_linger_if_unread(struct http_conn *conn);
/* Sends a last response on a dup of the descriptor and lingers. */
void http_last_words(struct http_conn *conn, unsigned status, const char *sentence);
void http_linger_end_all(struct http_server *server);
/* A whole text/plain response with Connection: close. Its length. */
#define HTTP_LAST_WORDS_MAX 512
size_t http_render_last_words(char out[HTTP_LAST_WORDS_MAX], unsigned status, const char *sentence);

#endif
