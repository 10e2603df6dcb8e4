/*
 * checkup/idle.h - how long silence is survived: of two kinds, several connections that are quiet
 * for different times, and one that is not, at once.
 */
#ifndef CHECKUP_IDLE_H
#define CHECKUP_IDLE_H

#include "checkup/channel.h"

#define IDLE_STEPS 4 /* a quarter of the time, a half... */

struct idle_kind;

/* One connection. */
struct quiet {
	struct idle_kind *kind;
	struct channel channel;
	struct way_facts way;
	struct timer timer;
	unsigned quiet_ms, asked; /* 0 ms: it is in use */
	bool is_over, is_waiting, is_quiet, has_survived, was_told;
};

struct idle_kind {
	struct idle_test *test;
	struct idle_facts *facts;
	struct quiet quiet[IDLE_STEPS + 1];
};

struct idle_test {
	const struct net *net;
	struct facts *facts;
	struct idle_kind kinds[IDLE_KINDS];
	unsigned waits; /* connections */
	void (*done)(struct idle_test *t);
};

/* Of ways that work; `done` is called once, perhaps from within. */
void idle_start(struct idle_test *t, const struct net *net, struct facts *facts,
    void (*done)(struct idle_test *t));
void idle_fini(struct idle_test *t);

#endif
