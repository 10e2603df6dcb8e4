/*
 * doctor/reports.h - reports of visitors, by their networks, for whoever runs the server.
 *
 * Bounded: so many networks, of which the one goes that was silent for longest, and so many reports
 * of each, of which the oldest goes first. Sessions of all threads bring them.
 */
#ifndef DOCTOR_REPORTS_H
#define DOCTOR_REPORTS_H

#include <jansson.h>
#include <pthread.h>
#include <stdint.h>

#include "base/list.h"
#include "sockjs.h"

#define REPORTS_NETWORKS 256
#define REPORTS_OF_EACH  8

extern const char *const reports_commands[];

struct reports {
	pthread_mutex_t lock;
	struct list networks; /* who has reported last comes last */
	unsigned count;
};

/* Who brings it. */
struct reporter {
	const char *network, *address, *agent, *transport; /* agent may be NULL */
};

void reports_init(struct reports *r);
void reports_fini(struct reports *r);
/* Of a report that report_read() has made. 0; -EMSGSIZE: it is too long; -ENOMEM. */
int reports_add(struct reports *r, const struct reporter *who, const json_t *report);
/* Writes all of them down; what is read is added. */
struct snapshot;
void reports_snapshot(struct reports *r, struct snapshot *s);
/* Answers POST /api/doctor. */
void reports_command(struct reports *r, struct sockjs_command *c);

#endif
