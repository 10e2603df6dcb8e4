/*
 * base/utf8.h - incremental UTF-8 validation (RFC 3629, RFC 6455 section 8.1).
 *
 * Fails at the very octet that cannot continue a valid sequence: overlong
 * forms, surrogates and values over U+10FFFF are refused at their second octet.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t utf8_state; /* small, so that a connection can keep it */
enum { UTF8_START = 0, UTF8_INVALID = 0xff };

/* Goes on from `state` over n bytes. UTF8_START: valid and complete; UTF8_INVALID: cannot become
 * valid; anything else: ends within a sequence. */
utf8_state utf8_check(utf8_state state, const void *p, size_t n);

static inline bool utf8_is_valid(const void *p, size_t n)
{
	return utf8_check(UTF8_START, p, n) == UTF8_START;
}

/* As utf8_is_valid(), but surrogates in three octets (ED A0..BF 80..BF) are allowed; message text,
 * see message.h. *has_surrogates (may be NULL) tells whether there were any. */
bool utf8_is_valid_wide(const void *p, size_t n, bool *has_surrogates);

#endif
