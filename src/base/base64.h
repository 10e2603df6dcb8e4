/*
 * base/base64.h - RFC 4648 section 4, with padding, as RFC 6455 uses it.
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

#endif
