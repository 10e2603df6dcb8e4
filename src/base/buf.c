/*
 * base/buf.c - growable byte buffer; see buf.h.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

void buf_fini(struct buf *b)
{
	mem_free(b->data);
	*b = BUF_INIT;
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t used = buf_len(b), cap = b->cap ? b->cap : 256;
	char *data;

	if (b->cap - b->end >= n && b->data)
		return b->data + b->end;
	if (n > (size_t)-1 / 4 - used)
		return NULL;
	if (b->start > 0 && used + n <= b->cap && b->start >= used) {
		memcpy(b->data, buf_data(b), used);
	} else {
		while (cap < used + n)
			cap *= 2;
		data = mem_alloc(cap);
		if (!data)
			return NULL;
		if (used)
			memcpy(data, buf_data(b), used);
		mem_free(b->data);
		b->data = data;
		b->cap = cap;
	}
	b->start = 0;
	b->end = used;
	return b->data + used;
}

int buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_reserve(b, n);

	if (!to)
		return -ENOMEM;
	if (n)
		memcpy(to, p, n);
	buf_commit(b, n);
	return 0;
}

int buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;
	char *to;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	to = buf_reserve(b, (size_t)n + 1);
	if (!to)
		return -ENOMEM;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_commit(b, (size_t)n);
	return 0;
}
