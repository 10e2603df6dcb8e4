/*
 * stomp/stomp_conn.h - one STOMP client: from CONNECT to DISCONNECT (STOMP 1.0, 1.1, 1.2).
 *
 * Octets in, octets out, no I/O: the owner feeds what it read, and gets the client's frames,
 * checked against the rules of the version that was agreed on; it decides who the client is and
 * what its frames do. Receipts, errors and heart-beats are written here.
 */
#ifndef STOMP_STOMP_CONN_H
#define STOMP_STOMP_CONN_H

#include <stdarg.h>

#include "stomp/stomp_frame.h"

struct stomp_conn;

#define STOMP_PENDING ((enum stomp_error)STOMP_ERROR_ROWS)

struct stomp_conn_ops {
	/* One whole frame, or a line end, to be written now. */
	void (*write)(struct stomp_conn *c, const char *p, size_t n);
	/* CONNECT came. stomp_conn_accept() or stomp_conn_refuse() follows, from within this call
	 * or later; until then nothing else of the client is looked at. */
	void (*connect)(struct stomp_conn *c, const struct stomp_frame *f);
	/* SEND, SUBSCRIBE, UNSUBSCRIBE, ACK, NACK, BEGIN, COMMIT or ABORT, with all headers that
	 * its version demands. STOMP_OK: it is done, and gets its receipt. Or why it is refused,
	 * with a sentence in *why if there is more to say than the table does. STOMP_PENDING: that
	 * is said by stomp_conn_settle() later, whatever else the client sends meanwhile. */
	enum stomp_error (*frame)(
	    struct stomp_conn *c, const struct stomp_frame *f, const char **why);
	/* An ERROR frame was written; may be NULL. */
	void (*error)(struct stomp_conn *c, enum stomp_error why);
	/* Whether it is others' turn: what is left of the client's octets is kept, and looked at in
	 * stomp_conn_go_on(). May be NULL. */
	bool (*is_late)(struct stomp_conn *c);
	/* The end, once: DISCONNECT came (STOMP_OK), or an ERROR frame was written. What was
	 * written is to arrive; then the connection closes, with the code of that error. Nothing of
	 * the client is looked at any more. */
	void (*end)(struct stomp_conn *c, enum stomp_error why);
};

struct stomp_settings {
	const struct stomp_conn_ops *ops;
	struct stomp_limits limits;
	uint32_t send_heart_beat_ms;    /* we can send one so often; 0: none */
	uint32_t receive_heart_beat_ms; /* we want one so often; 0: none */
	bool keeps_on_error;            /* a frame that is refused does not end the connection */
	const char *server;             /* "sockjsd/0.1.0" */
};

enum stomp_conn_state { STOMP_CONN_NEW, STOMP_CONN_DECIDING, STOMP_CONN_OPEN, STOMP_CONN_ENDED };

struct stomp_conn {
	const struct stomp_settings *settings;
	struct stomp_parser parser;
	struct buf *waiting; /* what came and was not yet looked at; NULL: nothing */
	/* Agreed on; 0: no heart-beats in this direction. Until it is decided, what its CONNECT
	 * said that it wants to get, and can send. */
	uint32_t send_every_ms, receive_every_ms;
	uint8_t state;   /* enum stomp_conn_state */
	uint8_t version; /* enum stomp_version */
};

/* In zeroed memory. */
void stomp_conn_init(struct stomp_conn *c, const struct stomp_settings *settings);
void stomp_conn_fini(struct stomp_conn *c);

/* Takes octets as they came, all of them; what cannot be looked at now is kept. `f` is scratch
 * space, one for each thread. -ENOMEM: there was no memory to keep them, and the connection has
 * ended. */
int stomp_conn_feed(struct stomp_conn *c, const char *p, size_t n, struct stomp_frame *f);

/* Whether there is something left that can be looked at, by stomp_conn_go_on(). */
bool stomp_conn_is_behind(const struct stomp_conn *c);
void stomp_conn_go_on(struct stomp_conn *c, struct stomp_frame *f);

/* The client is welcome: CONNECTED goes out, with the names of the session and the user (empty:
 * none). What it has sent meanwhile is looked at in stomp_conn_go_on(), unless this is called from
 * within the connect op. */
void stomp_conn_accept(struct stomp_conn *c, struct bytes session, struct bytes user);
/* It is not: ERROR goes out, with a sentence (NULL: the table's). */
void stomp_conn_refuse(struct stomp_conn *c, enum stomp_error why, const char *sentence);

/* What has become of a frame that was STOMP_PENDING: its receipt (empty: it asked for none), or why
 * it is refused. */
void stomp_conn_settle(
    struct stomp_conn *c, enum stomp_error why, struct bytes receipt, const char *sentence);
/* Likewise, done; the RECEIPT has these headers, too. */
void stomp_conn_receipt(
    struct stomp_conn *c, struct bytes receipt, const struct stomp_header *more, size_t count);
/* The owner ends it, with an ERROR frame: nothing more of the client is looked at. `receipt` as in
 * the frame that is to blame, or empty. */
void stomp_conn_fail(
    struct stomp_conn *c, enum stomp_error why, struct bytes receipt, const char *sentence);
/* The time for CONNECT is over: says what the client has done wrong. */
void stomp_conn_timeout(struct stomp_conn *c);

/* To be called when a heart-beat may be due: `heard_ago` and `said_ago` are milliseconds since the
 * client was heard, and since it was last sent anything (what waits to be sent counts as sent).
 * Sends a heart-beat, or ends the connection. Returns in how many milliseconds it wants to be
 * called again; 0: never. */
uint32_t stomp_conn_beat(struct stomp_conn *c, uint64_t heard_ago, uint64_t said_ago);
/* A client is dead after so many of its intervals: a page in the background has one timer a
 * minute, and networks stall. */
#define STOMP_HEART_BEAT_TOLERANCE 3

/* Octets of memory that it holds for what is not whole, or not yet looked at. */
size_t stomp_conn_held(const struct stomp_conn *c);

struct snapshot;
/* For another process (base/snapshot.h). Reading: into one that was just initialised. */
void stomp_conn_snapshot(struct stomp_conn *c, struct snapshot *s);

/* The version that is best of those in a list as accept-version has it; STOMP_UNDECIDED: none. An
 * empty list is 1.0's (which did not have that header). */
enum stomp_version stomp_version_best(struct bytes accept_version);
/* "1.2" */
const char *stomp_version_name(enum stomp_version version);

#endif
