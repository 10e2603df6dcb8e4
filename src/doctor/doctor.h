/*
 * doctor/doctor.h - an application that helps a client to find out what the network does to its
 * connections: it tells what the server saw (sight.h), echoes, pushes at given times and is silent for
 * a given time, as it is asked to (orders.h), and keeps what clients have found (reports.h).
 *
 * The protocol is doc/doctor.md.
 */
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

#include "doctor/reports.h"
#include "sockjs.h"

enum doctor_close {
	DOCTOR_NONSENSE = 4400, /* too many orders that made no sense */
	DOCTOR_TIME_IS_UP = 4408,
	DOCTOR_TOO_MANY = 4429,
};

struct doctor {
	const struct sockjs_server *server;
	struct reports reports;
};

/* NULL when memory is out. */
struct doctor *doctor_new(const struct sockjs_server *server);
/* After its server has stopped, or when no session is left. */
void doctor_free(struct doctor *d);

/* Their `app` is the doctor. */
extern const struct sockjs_callbacks doctor_callbacks;

#endif
