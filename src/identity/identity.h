/*
 * identity/identity.h - who a STOMP client is: a name, its roles, the claims of its token, and
 * until when that holds. Immutable and counted; any thread.
 */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define IDENTITY_NAME_MAX 256 /* octets */

struct identity {
	atomic_uint refs;
	char *name;   /* "": anonymous */
	char **roles; /* in order, NULL-terminated; of the anonymous one NULL */
	size_t role_count;
	json_t *claims;      /* of a token; NULL: none. Read-only */
	uint64_t expires_at; /* seconds since 1970; 0: never */
};

/* Copies all of it (a new reference to the claims). NULL when memory is out. */
struct identity *identity_new(
    const char *name, const char *const *roles, json_t *claims, uint64_t expires_at);
/* Nobody knows who; shared, never NULL. */
struct identity *identity_anonymous(void);
struct identity *identity_ref(struct identity *i);
void identity_unref(struct identity *i); /* NULL is fine */
bool identity_is_anonymous(const struct identity *i);
bool identity_has_role(const struct identity *i, const char *role);

/* Whether somebody may be called so: not empty, not too long, no control characters. */
bool identity_name_is_valid(struct bytes name);
/* The claim of that name; if there is none, "a.b" is the member b of the claim a, and so on. NULL:
 * neither. */
json_t *identity_claim(const json_t *claims, const char *path);

#endif
