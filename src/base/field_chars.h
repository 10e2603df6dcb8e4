/*
 * base/field_chars.h - which octets may stand where (RFC 9110 section 5).
 */
#ifndef BASE_FIELD_CHARS_H
#define BASE_FIELD_CHARS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/simd.h"

/* Section 5.6.2: 1*tchar. */
static inline bool http_is_token(struct bytes b)
{
	/* clang-format off: a row for sixteen octets */
	static const unsigned char tchar[256] = {
		[0x20] = 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, /* ! #$%&' *+ -. */
		[0x30] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, /* 0 to 9 */
		[0x40] = 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* A to O */
		[0x50] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, /* P to Z ^_ */
		[0x60] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* ` a to o */
		[0x70] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0, /* p to z | ~ */
	};
	/* clang-format on */
	unsigned ok = b.n > 0;

	for (size_t i = 0; i < b.n; i++)
		ok &= tchar[(unsigned char)b.p[i]];
	return ok;
}

static inline bool http_is_value_octet(char c)
{
	return ((unsigned char)c >= 0x20 && c != 0x7f) || c == '\t';
}

/* Section 5.5: no control character but the tab. */
static inline bool http_is_field_value(struct bytes b)
{
	size_t i = 0;

	while (i < b.n) {
		if (b.n - i >= SIMD_OCTETS) {
			simd_vec v = simd_load(b.p + i);
			simd_mark controls =
			    simd_marks(simd_or(simd_under(v, 0x20), simd_is(v, 0x7f)));

			if (!controls) {
				i += SIMD_OCTETS;
				continue;
			}
			i += simd_first(controls);
		}
		if (!http_is_value_octet(b.p[i++]))
			return false;
	}
	return true;
}

static inline bool http_has_control_or_blank(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if ((unsigned char)b.p[i] <= 0x20 || b.p[i] == 0x7f)
			return true;
	return false;
}

#endif
