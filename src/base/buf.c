/*
 * base/buf.c - growable byte buffer; see buf.h.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"

#define CAP_MIN 256

void buf_fini(struct buf *b)
{
	mem_free(b->data);
	*b = BUF_INIT;
}

/* Moves what is unread to the front. */
static void compact(struct buf *b)
{
	b->end = buf_len(b);
	memmove(b->data, b->data + b->start, b->end);
	b->start = 0;
}

/* Makes the capacity `cap`; nothing is read from memory that was consumed. */
static int enlarge(struct buf *b, size_t cap)
{
	size_t used = buf_len(b);
	char *data;

	if (b->start == 0) {
		data = mem_realloc(b->data, cap); /* large blocks need not be copied */
		if (!data)
			return -ENOMEM;
	} else {
		data = mem_alloc(cap);
		if (!data)
			return -ENOMEM;
		memcpy(data, b->data + b->start, used);
		mem_free(b->data);
	}
	*b = (struct buf){ .data = data, .end = used, .cap = cap };
	return 0;
}

char *buf_make_room(struct buf *b, size_t n)
{
	size_t used = buf_len(b), cap = b->cap;

	if (n > SIZE_MAX / 4 - used)
		return NULL;
	/* A quarter of the capacity must have been consumed before it is worth a move, or a full
	 * buffer read and written by single bytes would move all of itself for each. */
	if (b->data && used + n <= cap && b->start >= cap / 4) {
		compact(b);
		return b->data + b->end;
	}
	cap = cap ? cap * 2 : CAP_MIN;
	while (cap < used + n)
		cap *= 2;
	return enlarge(b, cap) == 0 ? b->data + b->end : NULL;
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
	size_t room;
	char *to;
	int n;

	to = buf_reserve(b, 1);
	if (!to)
		return -ENOMEM;
	room = b->cap - b->end;
	va_start(ap, fmt);
	n = vsnprintf(to, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	if ((size_t)n >= room) { /* it also wants to write a NUL */
		to = buf_reserve(b, (size_t)n + 1);
		if (!to)
			return -ENOMEM;
		va_start(ap, fmt);
		vsnprintf(to, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	buf_commit(b, (size_t)n);
	return 0;
}
