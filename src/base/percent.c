/*
 * base/percent.c - pieces of a URL; see percent.h.
 */
#include "base/percent.h"

#include <errno.h>

#include "base/hex.h"

ssize_t percent_decode(struct bytes raw, bool plus, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if (c == '%') {
			int high = i + 2 < raw.n ? hex_digit(raw.p[i + 1]) : -1;
			int low = i + 2 < raw.n ? hex_digit(raw.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (n == size)
			return -E2BIG;
		out[n++] = c;
	}
	return (ssize_t)n;
}

struct bytes query_parameter(struct bytes query, const char *name)
{
	size_t len = strlen(name), i = 0;

	while (i < query.n) {
		size_t from = i;
		const char *equals;

		while (i < query.n && query.p[i] != '&')
			i++;
		equals = memchr(query.p + from, '=', i - from);
		if ((equals ? (size_t)(equals - query.p) - from : i - from) == len &&
		    memcmp(query.p + from, name, len) == 0) {
			from += equals ? len + 1 : len;
			return (struct bytes){ query.p + from, i - from };
		}
		i++;
	}
	return (struct bytes){ 0 };
}
