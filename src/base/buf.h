/*
 * base/buf.h - growable byte buffer with a read mark.
 *
 * Bytes are appended at the end and consumed at the front; each is moved a
 * bounded number of times however small the steps. Functions return 0
 * or -errno (-ENOMEM but for a bad format); on error the buffer is as it was.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <string.h>

struct buf {
	char *data;   /* NULL until the first byte */
	size_t start; /* read mark: bytes before it are consumed */
	size_t end;   /* one past the last byte */
	size_t cap;
};

#define BUF_INIT ((struct buf){ 0 })

void buf_fini(struct buf *b);

/* For buf_reserve(): when they do not fit behind what is there. */
char *buf_make_room(struct buf *b, size_t n);
/* Room for n more bytes: a pointer to write at, or NULL when memory is out. Call buf_commit()
 * with the number actually written. */
static inline char *buf_reserve(struct buf *b, size_t n)
{
	return b->data && b->cap - b->end >= n ? b->data + b->end : buf_make_room(b, n);
}

/* p must not point into the buffer itself. */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_add_str(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* n bytes, at most as many as were reserved, have been written. */
static inline void buf_commit(struct buf *b, size_t n)
{
	b->end += n;
}

static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline char *buf_data(const struct buf *b)
{
	return b->start ? b->data + b->start : b->data; /* NULL + 0 is not defined in C */
}

/* Drops n <= buf_len() bytes from the front. The memory stays for re-use. */
static inline void buf_consume(struct buf *b, size_t n)
{
	b->start += n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

/* The first n <= buf_len() bytes stay. */
static inline void buf_cut(struct buf *b, size_t n)
{
	b->end = b->start + n;
}

static inline void buf_clear(struct buf *b)
{
	b->start = b->end = 0;
}

#endif
