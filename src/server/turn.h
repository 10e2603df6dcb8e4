/*
 * server/turn.h - for applications of ours that do something once in each turn of a reactor: when
 * all that came in it was taken, and before what is said goes out (LOOP_STAGE_KEEP). So a journal
 * writes all of a turn at a time, and who waited for it is answered in the same turn.
 */
#ifndef SERVER_TURN_H
#define SERVER_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

struct sockjs_server;

/* Embedded in what its owner has in that reactor. */
struct server_turn {
	/* In each turn, in the reactor. Returns when there must be another one at the latest: 0: at
	 * once; a time of clock_now(); UINT64_MAX: nothing is to be done. It says what it costs
	 * (sockjs_spend()), and stops when it is late (sockjs_is_late()). */
	uint64_t (*fn)(struct server_turn *t);
	int fd;           /* there is a turn when this is readable, which fn() sees to; -1: none */
	bool is_readable; /* that it was */
	/* The server's own */
	struct list node;
	struct sockjs_server *server;
	unsigned index;
	struct watch watch;
	struct timer timer;
};

/* Before the server runs, or beside it for a configuration that is to come (reload.h); with fn and fd
 * set. */
void server_add_turn(struct sockjs_server *server, unsigned reactor, struct server_turn *t);
/* After the server has run, or if it was not begun in it; harmless if it was never added. */
void server_remove_turn(struct server_turn *t);
/* Whether it is about to stop. Any thread. */
bool server_is_stopping(const struct sockjs_server *server);
/* Whether it does without io_uring. */
bool server_avoids_io_uring(const struct sockjs_server *server);

#endif
