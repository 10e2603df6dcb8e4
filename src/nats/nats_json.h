/*
 * nats/nats_json.h - the JSON of a server, read; and what can be said in JSON.
 */
#ifndef NATS_JSON_H
#define NATS_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"

/* 0; -EBADMSG: this is none; -ENOMEM. */
int nats_json_read(json_t **out, struct bytes text);

/* As text, to be given back by mem_free(); NULL: memory is out. */
char *nats_json_write(const json_t *value);

/* Whether it is UTF-8. NULL is, for it is left out. */
bool nats_json_can_say(const char *text);

#endif
