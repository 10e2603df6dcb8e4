/*
 * transports/incoming.h - messages that come by a request of their own (xhr_send,
 * jsonp_send) to the session they are for, whichever reactor has it.
 */
#ifndef TRANSPORTS_INCOMING_H
#define TRANSPORTS_INCOMING_H

#include "transports/sender.h"

/* Decodes JSON text (in place), delivers its messages and answers: with success once the
 * application can take more, else with a refusal. `answer` must be static. */
void incoming_serve(
    const struct transport_request *t, char *text, size_t n, const struct incoming_answer *answer);

/* Messages of a request that has come again: for senders. */
bool incoming_serve_again(struct sender *s, char *text, size_t n);

#endif
