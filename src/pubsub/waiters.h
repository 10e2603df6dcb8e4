/*
 * pubsub/waiters.h - SUBSCRIBEs that are not answered yet: an outside broker, or the engine that joins
 * gateways, has to say first that messages come.
 */
#ifndef PUBSUB_WAITERS_H
#define PUBSUB_WAITERS_H

#include "pubsub/pubsub.h"

/* One more in a list of those who wait for the same; `receipt` as the frame has it. 0 or -ENOMEM. */
int waiters_add(
    struct list *waiters, struct sockjs_client *c, struct subscription *s, struct bytes receipt);
/* They are answered, as far as there is time: with STOMP_OK, or with an error, which ends their
 * subscriptions. False: others are left. */
bool waiters_answer(struct list *waiters, enum stomp_error verdict, const char *why);
/* A subscription ends before it was answered: it need not wait for its receipt any more. Harmless if it does
 * not wait. */
void waiters_forget(struct sockjs_client *c, const struct subscription *s);

#endif
