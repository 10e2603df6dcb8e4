/*
 * http/http_chars.h - which octets may stand where (RFC 9110 section 5).
 */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/simd.h"

/* Section 5.6.2: 1*tchar. */
static inline bool http_is_token(struct bytes b)
{
	/* A bit for each character of ASCII: controls; !#$%&'*+-. and digits; letters and ^_;
	 * `, letters and |~ */
	static const uint32_t tchars[4] = { 0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff };

	for (size_t i = 0; i < b.n; i++) {
		unsigned char c = (unsigned char)b.p[i];

		if (c >= 128 || !(tchars[c / 32] >> c % 32 & 1))
			return false;
	}
	return b.n > 0;
}

/* Section 5.5: no control character but the tab. */
static inline bool http_is_field_value(struct bytes b)
{
	size_t i = 0;

	while (i < b.n) {
		unsigned char c;

		if (b.n - i >= SIMD_OCTETS) {
			simd_vec v = simd_load(b.p + i);
			simd_mark controls =
			    simd_marks(simd_or(simd_under(v, 0x20), simd_is(v, 0x7f)));

			i += controls ? simd_first(controls) : SIMD_OCTETS;
			if (!controls)
				continue;
		}
		c = (unsigned char)b.p[i++];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
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
