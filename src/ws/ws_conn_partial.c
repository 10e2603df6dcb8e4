/*
 * ws/ws_conn_partial.c - what has to be kept between two calls of ws_conn_feed(): a
 * header, a frame or a message that has begun. Memory is taken for octets that are here,
 * never for those that were announced.
 */
#include "base/mem.h"
#include "ws/ws_conn_private.h"

/* The first step of growth; a message shorter than this is allocated as it is cut. */
enum { FIRST_CAPACITY = 512 };

struct ws_partial *ws_partial_get(struct ws_conn *c)
{
	if (!c->partial)
		c->partial = mem_zalloc(sizeof(*c->partial));
	return c->partial;
}

void ws_partial_free(struct ws_conn *c, struct ws_partial *m)
{
	if (m && m->inflated.p)
		ws_inflated_done(c->ops->deflate(c, c->deflate & PEER_TAKES_OVER), &m->inflated);
	mem_free(m);
}

void ws_partial_drop(struct ws_conn *c)
{
	ws_partial_free(c, c->partial);
	c->partial = NULL;
}

/* The size up to which growing makes sense. The announced length bounds it and never raises it. */
static uint64_t capacity_bound(const struct ws_conn *c, const struct ws_partial *m)
{
	return m->frame.fin ? m->size + m->left : ws_payload_limit(c, m->deflated);
}

int ws_partial_grow(struct ws_conn *c, size_t n)
{
	struct ws_partial *m = c->partial;
	size_t need = m->size + n, capacity = 2 * m->capacity;
	uint64_t bound = capacity_bound(c, m);

	if (n <= m->capacity - m->size)
		return 0;
	if (need > SIZE_MAX / 4)
		return -NO_MEMORY;
	if (capacity < FIRST_CAPACITY)
		capacity = FIRST_CAPACITY;
	if (capacity > bound)
		capacity = (size_t)bound;
	if (capacity < need)
		capacity = need;
	m = mem_realloc(m, sizeof(*m) + capacity);
	if (!m)
		return -NO_MEMORY;
	m->capacity = capacity;
	c->partial = m;
	return 0;
}
