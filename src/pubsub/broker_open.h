/*
 * pubsub/broker_open.h - sockjs_broker_new() in two steps, for the daemon: it reads its files as
 * who it is, and writes as who it becomes.
 */
#ifndef PUBSUB_BROKER_OPEN_H
#define PUBSUB_BROKER_OPEN_H

#include "sockjs.h"

/* As sockjs_broker_new(), but nothing is opened that would be written. */
int broker_prepare(struct sockjs_broker **out, struct sockjs_server *server,
    const struct sockjs_options *o, char *why, size_t why_size);
/* The rest, before the server runs. 0, or -errno and a sentence, as there; -EBUSY: another process
 * has the journal. */
int broker_open(struct sockjs_broker *b, char *why, size_t why_size);

struct pubsub_rules;

/* While it runs: other rules (rules.h) for who comes, and for what is done from now on. Takes the
 * reference. 0 or -ENOMEM. */
int broker_renew(struct sockjs_broker *b, struct pubsub_rules *rules);

#endif
