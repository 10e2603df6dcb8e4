/*
 * base/base64.h - RFC 4648 sections 4 and 5: with padding, as RFC 6455 uses it, and without, as
 * tokens (in the alphabet for URLs) and PHC strings do.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_LEN(n) characters and no NUL. */
void base64_encode(char *out, const void *p, size_t n);
/* Strict: padding, no white space, zero pad bits. Bytes written (at most n / 4 * 3), or -EINVAL. */
ssize_t base64_decode(void *out, const char *p, size_t n);

/* The characters for 62 and 63. */
#define BASE64_PLAIN "+/"
#define BASE64_URL   "-_"

/* Bytes that n characters without padding decode to. */
#define BASE64_DECODED(n) ((n) / 4 * 3 + (n) % 4 * 3 / 4)

/* In the plain alphabet; writes a NUL behind it, so needs BASE64_LEN(n) + 1. Characters written. */
size_t base64_encode_unpadded(char *out, const void *p, size_t n);
/* As strict, without padding. BASE64_DECODED(n), or -EINVAL; no more is written then, either. */
ssize_t base64_decode_unpadded(void *out, const char *p, size_t n, const char *last_two);

#endif
