/*
 * checkup/info.h - asks for /info, thrice: what it says, and how long a request and its answer
 * take.
 */
#ifndef CHECKUP_INFO_H
#define CHECKUP_INFO_H

#include "checkup/exchange.h"

struct info_test {
	const struct net *net;
	struct facts *facts;
	struct exchange *exchange;
	struct buf text; /* what the first one says */
	unsigned asked;
	void (*done)(struct info_test *t);
};

/* `done` is called once; what became of it is in facts->info and facts->rtt_ms. */
void info_start(struct info_test *t, const struct net *net, struct facts *facts,
    void (*done)(struct info_test *t));
void info_fini(struct info_test *t);

#endif
