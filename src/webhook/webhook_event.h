/*
 * webhook/webhook_event.h - what a backend is told, and what its answers are made of, as JSON.
 */
#ifndef WEBHOOK_WEBHOOK_EVENT_H
#define WEBHOOK_WEBHOOK_EVENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "sockjs.h"

/* Functions that make JSON give NULL when memory is out, and take NULL for such. */

/* Sets a member; frees the object and gives NULL if that does not work. Takes the value. */
json_t *event_with(json_t *object, const char *name, json_t *value);
json_t *event_with_text(json_t *object, const char *name, const char *text); /* NULL: left out */

/* The members of a connect event: the client's request, with those headers that its endpoint shows. */
json_t *event_of_handshake(const struct sockjs_handshake *h);
/* What all later events of a session have. */
json_t *event_of_session(const struct sockjs_session *s, const char *prefix);

/* What became of a session's messages. */
json_t *event_of_delivery(const struct sockjs_delivery *d);

/* A message or a body: a string, or {"base64":"..."} for what JSON has no string for. */
json_t *event_text(struct bytes body, bool is_binary);
/* A string of an answer, for who needs one that ends where it seems to; NULL: it is none, or has a
 * NUL in it, behind which the rest would be lost ("root\0 of all evil"). */
const char *event_string(const json_t *value);
/* null, or the list for which PHP takes an empty object; or it is not there. */
bool event_is_nothing(const json_t *value);
/* As event_text(), the other way round. `fn` is called with the octets; false: it is neither, or
 * there is no memory. */
bool event_read_text(
    const json_t *value, void (*fn)(void *arg, struct bytes body, bool is_binary), void *arg);

#endif
