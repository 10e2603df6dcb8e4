/*
 * identity/password_cache.h - logins and passcodes whose answer is known, by a keyed digest of
 * both: the passcode is not here, and nobody without the key can make a digest. For src/identity/
 * alone.
 *
 * Good ones are known for some minutes from when they were last used, wrong ones for seconds. Both
 * are bounded apart, so that wrong ones do not push out good ones. No lock inside.
 */
#ifndef IDENTITY_PASSWORD_CACHE_H
#define IDENTITY_PASSWORD_CACHE_H

#include "base/list.h"
#include "base/map.h"
#include "identity/identity.h"

#define PASSWORD_DIGEST       32
#define PASSWORD_VERIFIED_MAX 4096
#define PASSWORD_VERIFIED_MS  600000
#define PASSWORD_REFUSED_MAX  1024
#define PASSWORD_REFUSED_MS   5000

/* Of one kind; all live equally long, so the order is that in which they end. */
struct password_known {
	struct list order;
	size_t count;
};

struct password_cache {
	struct map map;
	struct password_known verified, refused;
};

void password_cache_init(struct password_cache *c);
void password_cache_fini(struct password_cache *c);

/* Whether the answer is known: *who is NULL if the passcode is wrong, else not the caller's. */
bool password_cache_find(struct password_cache *c, const unsigned char digest[PASSWORD_DIGEST],
    uint64_t now, struct identity **who);
/* Is not kept when memory is out. */
void password_cache_add(struct password_cache *c, const unsigned char digest[PASSWORD_DIGEST],
    uint64_t now, struct identity *who);

#endif
