/*
 * hostile/control.h - the control address: rules, log, connections and counters, by HTTP, while the
 * proxy runs.
 *
 *	GET /            what there is, and the settings
 *	GET /rules       as text; PUT replaces them, POST adds to them, DELETE takes all away
 *	GET /log         JSON lines; ?after=N: those behind number N
 *	GET /connections
 *	GET /stats
 *	POST /cut        all, or ?connection=N; how=fin|rst|silent
 *
 * It is for programs on this machine: requests of pages (with an Origin) are refused, and so is a
 * Host that is a name other than localhost.
 */
#ifndef HOSTILE_CONTROL_H
#define HOSTILE_CONTROL_H

#include "hostile/proxy.h"

struct control {
	struct proxy *proxy;
	struct listen_socket socket;
	struct listener *listener;
	struct list conns;
	size_t conn_count;
};

int control_open(struct control *k, struct proxy *p, const struct listen_addr *address, char *why,
    size_t why_size);
void control_close(struct control *k);

#endif
