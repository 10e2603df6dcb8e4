/*
 * upstream/checks.h - how the backends of an upstream do, asked at regular times as long as new
 * sessions may come; the balancer is told. In one reactor for all of them.
 *
 * All functions belong to the loop's own thread.
 */
#ifndef UPSTREAM_CHECKS_H
#define UPSTREAM_CHECKS_H

#include "upstream/balancer.h"
#include "upstream/probe.h"

struct check_settings {
	bool is_on;
	struct probe_settings probe;
	unsigned interval_ms;
	unsigned rise, fall; /* so many in a row */
};

struct checks;

/* Begins; the settings stay. `options` of the resolver may be NULL. 0 or -errno. */
int checks_new(struct checks **out, const struct check_settings *settings,
    struct balancer *balancer, struct loop *loop, const struct resolver_options *options);
/* Whatever is under way is given up; the memory goes at the end of the turn, when nothing points at
 * settings and balancer any more. NULL is fine. */
void checks_free(struct checks *checks);

#endif
