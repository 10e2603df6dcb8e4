/*
 * transports/incoming.h - messages that come by a request of their own (xhr_send,
 * jsonp_send) to the session they are for, whichever reactor has it.
 */
#ifndef TRANSPORTS_INCOMING_H
#define TRANSPORTS_INCOMING_H

#include "transports/transport.h"

/* Decodes JSON text (in place) and delivers its messages. true: they are accepted, answer with success; false: the
 * request was answered with a refusal. */
bool incoming_deliver(const struct transport_request *t, char *text, size_t n);

#endif
