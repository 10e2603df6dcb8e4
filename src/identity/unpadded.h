/*
 * identity/unpadded.h - base64 without padding (RFC 4648 sections 4 and 5): tokens have the
 * alphabet for URLs, PHC strings the other.
 */
#ifndef IDENTITY_UNPADDED_H
#define IDENTITY_UNPADDED_H

#include <stddef.h>
#include <sys/types.h>

#include "base/bytes.h"

#define UNPADDED_PLAIN "+/"
#define UNPADDED_URL   "-_"

/* Octets that n characters decode to at most; n characters that n octets encode to at most. */
#define UNPADDED_DECODED(n) ((n) / 4 * 3 + 2)
#define UNPADDED_ENCODED(n) (((n) + 2) / 3 * 4)

/* Strict: one text only stands for the same octets, so the bits that are left over are zero.
 * `last_two` are the characters for 62 and 63. Octets written, or -EINVAL. */
ssize_t unpadded_decode(void *out, struct bytes text, const char *last_two);

/* With the plain alphabet; writes a NUL behind it. Characters written. */
size_t unpadded_encode(char *out, const void *p, size_t n);

#endif
