/*
 * stomp/stomp_list.h - values of headers that are lists with commas.
 */
#ifndef STOMP_STOMP_LIST_H
#define STOMP_STOMP_LIST_H

#include <string.h>

#include "base/bytes.h"

static inline struct bytes stomp_list_trim(struct bytes b)
{
	while (b.n > 0 && b.p[0] == ' ') {
		b.p++;
		b.n--;
	}
	while (b.n > 0 && b.p[b.n - 1] == ' ')
		b.n--;
	return b;
}

/* The next item; `rest` is what stands behind it. */
static inline struct bytes stomp_list_next(struct bytes *rest)
{
	const char *comma = rest->n ? memchr(rest->p, ',', rest->n) : NULL;
	struct bytes item = { rest->p, comma ? (size_t)(comma - rest->p) : rest->n };
	size_t used = item.n + (comma != NULL);

	rest->p += used;
	rest->n -= used;
	return stomp_list_trim(item);
}

#endif
