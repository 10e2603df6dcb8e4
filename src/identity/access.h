/*
 * identity/access.h - who may send to a destination, and who may subscribe to it.
 *
 * An ordered list of rules; the first whose pattern and verb fit decides, and what none fits is
 * denied.
 */
#ifndef IDENTITY_ACCESS_H
#define IDENTITY_ACCESS_H

#include "identity/identity.h"

enum access_verb { ACCESS_SEND = 1, ACCESS_SUBSCRIBE = 2 };

struct access;

/* From the value "access" of the configuration: "open", or an array of rules {"destination":
 * "/topic/rooms/{user}/x", "send": WHO, "subscribe": WHO}; WHO is "everybody", "authenticated",
 * "nobody", or an object or a list of objects: {"roles": […], "users": […], "claims": {"tenant":
 * "x"}}. What an object says must all hold (one of the roles, one of the users, all claims), and of
 * a list one object. A rule that does not name the verb says nothing about it. In the pattern
 * "{user}" is the name of the one who asks, "{claim.tenant}" a claim of his token (a string or a
 * whole number), as a segment or in one; a rule that names what he has not does not fit. NULL (or
 * JSON null): everything is denied. 0, or -errno with a sentence. */
int access_new(struct access **out, const json_t *config, char separator, char *why, size_t size);
void access_free(struct access *a);
/* `destination` may be a pattern when the verb is ACCESS_SUBSCRIBE: it is allowed only if one rule
 * allows all that it can match, and no rule before that denies some of it. Any thread. */
bool access_allows(const struct access *a, enum access_verb verb, struct bytes destination,
    const struct identity *who);

#endif
