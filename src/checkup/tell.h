/*
 * checkup/tell.h - tells a gateway with the application "doctor" what was found (doc/doctor.md,
 * "report").
 */
#ifndef CHECKUP_TELL_H
#define CHECKUP_TELL_H

#include "checkup/channel.h"

struct tell {
	const struct net *net;
	struct facts *facts;
	struct channel channel;
	struct way_facts way;
	struct timer timer;
	bool is_over;
	void (*done)(struct tell *t);
};

/* By the best way; `done` is called once, perhaps from within. What became of it is in facts->told.
 */
void tell_start(
    struct tell *t, const struct net *net, struct facts *facts, void (*done)(struct tell *t));
void tell_fini(struct tell *t);

#endif
