/*
 * hostile/conn_private.h - between the files of a connection. In the order of calls:
 *
 *	conn.c            events, ends, what is to be done next
 *	conn_feed.c       input to requests, responses, frames or plain octets
 *	conn_request.c    a request: rules, its new head, where it goes
 *	conn_response.c   a response
 *	conn_server.c     reaching the server
 *	conn_pass.c       octets into the pipes, counted, lost or spoilt
 *	conn_rules.c      which rules act, and what that means
 */
#ifndef HOSTILE_CONN_PRIVATE_H
#define HOSTILE_CONN_PRIVATE_H

#include "hostile/conn.h"

#define SIDE_IN_MOST (64 * 1024)
#define CONNECTION   UINT64_MAX /* the scope of a rule that is about no request */

static inline enum way way_back(enum way way)
{
	return way == FROM_CLIENT ? FROM_SERVER : FROM_CLIENT;
}

/* Where octets of this direction go. */
static inline struct pipe *conn_pipe(struct conn *c, enum way way)
{
	return &c->side[way_back(way)].out;
}

static inline struct bytes side_in(const struct side *s)
{
	return (struct bytes){ buf_data(&s->in), buf_len(&s->in) };
}

static inline const char *way_name(enum way way)
{
	return way == FROM_CLIENT ? "client" : "server";
}

#define conn_say(c, message, ...)                                                                  \
	proxy_say((c)->proxy, message, LOG_INT("connection", (c)->at.connection), __VA_ARGS__)

/* --- conn_rules.c ----------------------------------------------------------------------- */

/* Black, stalled, delayed and so on: as the rules have it now. May cut. */
void conn_apply_rules(struct conn *c);
/* Whether this rule, decided by the head of a request, acts on the one that is under way. */
bool conn_rule_acts(struct conn *c, size_t i);
/* Whether the frame that begins in this direction is lost. */
bool conn_drops_frame(struct conn *c, enum way way);
/* Whether the next octet in this direction is spoilt. */
bool conn_corrupts(struct conn *c, enum way way, uint8_t *by);
/* How many octets may pass before rules have to be looked at. */
uint64_t conn_edge(const struct conn *c, enum way way);
/* What is added to the delay of what passes now. */
uint64_t conn_jitter(struct conn *c, enum way way);

/* --- conn_pass.c ------------------------------------------------------------------------- */

void conn_pass(struct conn *c, enum way way, struct bytes b);
/* A message in this direction has ended. */
void conn_pass_end(struct conn *c, enum way way);
/* Nothing more comes in this direction. */
void conn_finish(struct conn *c, enum way way, enum pipe_end how);
/* A response of our own, which is the last one. */
void conn_answer(struct conn *c, unsigned status, const char *sentence);
void conn_no_memory(struct conn *c);

/* --- conn_server.c ----------------------------------------------------------------------- */

/* Sees to it that the server is connected, or will be. */
void conn_reach(struct conn *c);
/* Another host, or another connection. */
void conn_leave_server(struct conn *c);
void conn_serve_side(struct conn *c, enum way way, struct stream *s);

/* --- conn_request.c, conn_response.c -------------------------------------------------------- */

/* Each takes what it can of the input of one side. False: not before more comes. */
bool conn_take_request(struct conn *c);
bool conn_take_request_body(struct conn *c);
bool conn_take_response(struct conn *c);
/* The response ends with the connection of the server. */
void conn_response_ends(struct conn *c);
void conn_go_opaque(struct conn *c);
void exchange_fini(struct exchange *x);

/* --- conn_feed.c ----------------------------------------------------------------------------- */

/* Looks at what has come from this side. False: there is nothing to be done now. */
bool conn_feed(struct conn *c, enum way way);

/* --- copy.c ------------------------------------------------------------------------------------
 */

/* Sends a request once more, by a connection of its own, whose answer nobody gets. */
void copy_start(struct proxy *p, const char *host, uint16_t port, struct bytes request);
void copy_end_all(struct proxy *p);

#endif
