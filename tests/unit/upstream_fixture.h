/*
 * tests/unit/upstream_fixture.h - one session, its backend, and the gateway between them, which goes on in another process
 * whenever a test wants it to. Time is the test's own.
 *
 * The session is a fake: sockjs_*() as a connection calls it stands here. The backend is the test's: a listener, and the
 * codec of frames as a server. What both say are numbered messages, so that whoever hears them knows whether
 * one is lost, twice, or another than it was.
 */
#ifndef TESTS_UPSTREAM_FIXTURE_H
#define TESTS_UPSTREAM_FIXTURE_H

#include <check.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/snapshot.h"
#include "upstream/upstream_conn.h"
#include "ws/ws_conn.h"

/* --- the session ---------------------------------------------------------------------- */

enum session_state { WAITS, ACCEPTED, OPEN, REFUSED, CLOSED };

struct sockjs_session {
	struct upstream_conn *conn; /* NULL: it will not call us, nor we it */
	enum session_state state;
	unsigned status, code;
	bool is_paused, is_full;
	size_t buffered; /* octets that its client has not taken */
	uint64_t timer;  /* 0: none */
	unsigned said, heard; /* messages */
};

extern struct sockjs_session session;

/* It says its next message, if it may. */
bool session_says(void);
/* Its client takes what waits. */
void session_takes(size_t n);
void session_leaves(unsigned code, const char *reason);

/* --- the backend ------------------------------------------------------------------------ */

struct backend {
	int listener, fd; /* -1: nobody is there */
	unsigned accepted; /* handshakes */
	bool is_mute;      /* it answers no handshake */
	bool is_open, has_ended; /* the gateway has closed the connection */
	struct buf request;      /* what came of it */
	struct buf out;          /* what is to be written */
	struct ws_conn conn;
	struct ws_deflate *codec;
	unsigned said, heard;
	unsigned code; /* that it was closed with */
	char reason[WS_REASON_MAX + 1];
	unsigned pings;
	bool has_closed; /* it says no more */
};

extern struct backend backend;

void backend_says(void);
/* Reads so much, and writes so much of what it has said. */
void backend_reads(size_t most);
void backend_writes(size_t most);
void backend_closes(unsigned code, const char *reason);
/* It breaks off, with a reset. */
void backend_dies(void);

/* --- the gateway --------------------------------------------------------------------------- */

struct process {
	struct loop *loop;
	struct upstream_settings settings;
	struct target targets[2];
	struct upstream_reactor reactor;
};

extern struct process *here;
extern uint64_t now;
/* What the next process is configured with. */
extern struct upstream_settings configured;
extern bool knows_backend; /* its URL is among them */

void world_begin(void);
void world_end(void);
struct process *process_new(void);
void process_free(struct process *p);
/* The session asks for a backend. */
void session_begins(void);
/* One turn, in which `ms` pass; sessions that are accepted open. */
void turn(unsigned ms);
/* Until it is so; the test fails if that never comes. */
#define turn_until(what)                                                                           \
	do {                                                                                       \
		for (int patience_ = 0; !(what) && patience_ < 20000; patience_++)                 \
			turn(0);                                                                   \
		ck_assert(what);                                                                   \
	} while (0)

/* Nothing is under way in this process, as when it is about to be written down. */
void settle(void);
/* Writes all down, as another process would be told it. */
void write_down(struct snapshot *s);
/* Reads that, with descriptors of its own, in a new process, which is here from now on; the former is freed before, without a
 * word. 0 or what the session was told. */
int read_up(struct bytes octets, const struct snapshot *of, int *without_session);
/* Both: the gateway goes on in another process. */
void move(void);

#endif
