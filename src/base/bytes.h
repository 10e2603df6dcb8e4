/*
 * base/bytes.h - a view of bytes that somebody else owns.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct bytes {
	const char *p;
	size_t n;
};

#define BYTES(literal) ((struct bytes){ (literal), sizeof(literal) - 1 })

static inline struct bytes bytes_of(const char *s)
{
	return (struct bytes){ s, s ? strlen(s) : 0 };
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static inline bool bytes_begin(struct bytes b, const char *beginning)
{
	size_t n = strlen(beginning);

	return b.n >= n && (n == 0 || memcmp(b.p, beginning, n) == 0);
}

/* Copies them to where there is room for them, and gives the place behind. What is empty may be
 * nowhere (a header that is missing), which memcpy(3) does not allow. */
static inline char *bytes_put(void *to, struct bytes b)
{
	if (b.n > 0)
		memcpy(to, b.p, b.n);
	return (char *)to + b.n;
}

/* The same with a NUL behind them; `*at` moves on, and the text's place is given. */
static inline char *bytes_put_text(char **at, struct bytes b)
{
	char *to = *at;

	*at = bytes_put(to, b);
	*(*at)++ = '\0';
	return to;
}

/* The structure that holds `member`, given a pointer to that member. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
