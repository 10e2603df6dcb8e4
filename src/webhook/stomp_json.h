/*
 * webhook/stomp_json.h - messages of a broker as JSON: {"destination":..., "headers":{...},
 * "body":...}, where a body is a string or {"base64":"..."}.
 */
#ifndef WEBHOOK_STOMP_JSON_H
#define WEBHOOK_STOMP_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "sockjs.h"

enum { STOMP_JSON_HEADERS_MAX = 128, STOMP_JSON_ROLES_MAX = 64 };

/* The first of each name; without the destination. NULL when memory is out. */
json_t *stomp_json_pairs(const struct sockjs_header *pairs, size_t count);
json_t *stomp_json_headers(const struct sockjs_publication *p);

struct stomp_json_message {
	struct sockjs_publication publication; /* strings are the JSON's, or this structure's */
	struct sockjs_header headers[STOMP_JSON_HEADERS_MAX];
	char *octets;
};

/* False: it is none, or memory is out. NULL is an empty one. stomp_json_free() follows in any case.
 */
bool stomp_json_read(struct stomp_json_message *m, const json_t *json);
void stomp_json_free(struct stomp_json_message *m);

/* A list of strings; none is an empty one. False: it is something else, or too long. */
bool stomp_json_roles(const json_t *json, const char **roles, size_t *count);

#endif
