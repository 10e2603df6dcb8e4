/*
 * identity/tokens.h - bearer tokens: JSON Web Tokens (RFC 7519), signed (RFC 7515) with HS256,
 * RS256, ES256 or EdDSA.
 *
 * The algorithm is what the configuration says of the key, never what the token says. Keys are read
 * once, at the start.
 */
#ifndef IDENTITY_TOKENS_H
#define IDENTITY_TOKENS_H

#include "identity/identity.h"
#include "stomp/stomp_errors.h"

struct tokens;

#define TOKENS_OCTETS_MAX 8192 /* of a token */
/* No token is good for longer, whatever it says: the end of the year 9999, in seconds since 1970.
 */
#define TOKENS_EXPIRES_MAX INT64_C(253402300799)

/* From the object "tokens" of the configuration; relative file names are relative to `directory`.
 * 0, or -errno with a sentence that names the key and what is wrong with it. */
int tokens_new(
    struct tokens **out, const json_t *config, const char *directory, char *why, size_t size);
void tokens_free(struct tokens *t);

/* Whether a token is good at `now` (seconds since 1970). STOMP_OK and an identity (the caller's);
 * STOMP_E_UNAUTHENTICATED or STOMP_E_EXPIRED with a sentence in *why that tells nothing secret;
 * STOMP_E_INTERNAL when memory is out. Any thread, and bounded work whatever the token is. The
 * identity's expires_at has the leeway in it: from that second on this says STOMP_E_EXPIRED. */
enum stomp_error tokens_check(const struct tokens *t, struct bytes token, uint64_t now,
    struct identity **out, const char **why);

#endif
