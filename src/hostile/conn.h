/*
 * hostile/conn.h - one connection of a client, and ours to the server behind it.
 */
#ifndef HOSTILE_CONN_H
#define HOSTILE_CONN_H

#include "base/buf.h"
#include "hostile/frame_scan.h"
#include "hostile/message.h"
#include "hostile/pipe.h"
#include "hostile/proxy.h"
#include "hostile/reach.h"
#include "hostile/situation.h"
#include "net/stream.h"

enum conn_phase {
	CONN_IDLE,     /* a request may come */
	CONN_CONNECT,  /* the server of a tunnel is being reached */
	CONN_EXCHANGE, /* a request is under way, or its response */
	CONN_FRAMES,   /* a WebSocket */
	CONN_OPAQUE,   /* octets that nobody here understands */
	CONN_HUNG,     /* a request that is never answered */
	CONN_ENDING,   /* what is queued goes out, what comes in is dropped */
};

enum side_state { SIDE_NONE, SIDE_OPENING, SIDE_OPEN, SIDE_CLOSED };

/* One of the two peers. */
struct side {
	struct conn *conn;
	struct stream stream;
	enum side_state state;
	struct buf in;          /* what came from it and was not looked at */
	struct pipe out;        /* what goes to it */
	struct frame_scan scan; /* of what comes from it */
	bool has_ended;         /* it says no more */
	bool was_reset;         /* since its connection broke */
	bool end_is_known;      /* and that was dealt with */
	bool was_shut;          /* we say no more to it */
	bool is_black;          /* what comes from it is lost */
	bool loses_frame;       /* the frame under way is lost, or some of it */
};

#define GATHERED_MOST (1024 * 1024)

/* What a rule means to a connection. */
struct rule_use {
	uint64_t
	    scope; /* the request, or CONNECTION, for which it has acted or was refused; 0: none */
	uint64_t began_ms;
	bool is_refused, is_over;
};

/* A request and its response. */
struct exchange {
	struct message_body request, response;
	bool request_done, response_done, has_response;
	bool asks_upgrade, is_head, closes, dechunks, close_delimited, duplicates;
	bool gathers; /* the body is sent on when it is all here, with its length */
	struct buf head, gathered;
	struct buf copy; /* of the request, if it is sent twice */
	unsigned status;
};

struct conn {
	struct list node;
	struct deferred deferred;
	struct proxy *proxy;
	struct addr peer;
	struct situation at;
	struct request_facts facts;
	enum conn_phase phase;
	struct side side[WAYS]; /* by who speaks: side[FROM_CLIENT] is the client */
	struct exchange x;
	struct reach reach;
	char host[256]; /* of the server */
	uint16_t port;
	bool is_tunnel;    /* by CONNECT */
	bool is_forgotten; /* as by a NAT: both say what they like */
	bool is_over;
	struct timer timer;
	uint64_t rule_wait;     /* milliseconds until a rule may become due, or over */
	uint64_t parting_until; /* 0: nobody is waited for */
	uint64_t generation;    /* of the rules that `use` is about */
	uint64_t lost[WAYS];    /* octets */
	struct rule_use use[RULES_MOST];
};

/* Takes the descriptor over. -ENOMEM: it is closed. */
int conn_new(struct proxy *p, int fd, const struct addr *peer);
/* Does what there is to do: rules, input, output. */
void conn_run(struct conn *c);
void conn_cut(struct conn *c, enum cut_how how, const bool ways[WAYS]);
/* At once, without goodbye. */
void conn_end(struct conn *c);

const char *conn_phase_name(enum conn_phase phase);

#endif
