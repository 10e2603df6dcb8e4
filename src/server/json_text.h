/*
 * server/json_text.h - JSON as text: whether it is any, what is wrong with it in words of ours.
 *
 * Of configurations and commands: what clients send is read by session/sockjs_payload.c.
 */
#ifndef SERVER_JSON_TEXT_H
#define SERVER_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Any value, in which no key is twice. 0; -EINVAL with half a sentence in `why`; -ENOMEM. */
int json_text_check(const char *text, bool *is_null, char *why, size_t size);
/* The value of an option of JSON, which was checked when it was set: the caller's. NULL for NULL,
 * and where there is no memory. */
json_t *json_text_value(const char *text);
/* The value behind what is in `out`; `flags` are jansson's. 0 or -ENOMEM. */
int json_text_dump(const json_t *value, size_t flags, struct buf *out);
/* Writes an object or a list down, or NULL; what is read is the caller's, and NULL if the snapshot is wrong. */
struct snapshot;
json_t *json_text_snapshot(json_t *value, struct snapshot *s);
/* What jansson says in words of its own library, in ours; "" if it had no memory to say anything.
 */
const char *json_text_complaint(const json_error_t *error);

#endif
