/*
 * hostile/reach.c - resolve, then dial; see reach.h.
 */
#include "hostile/reach.h"

#include <errno.h>
#include <string.h>

enum { DIAL_MS = 10000 };

static void on_dialed(struct dial *d, struct stream *s, int err)
{
	struct reach *r = container_of(d, struct reach, dial);

	if (!s && r->next < r->count) {
		dial_start(&r->dial, r->loop, &r->addrs[r->next++], DIAL_MS, on_dialed);
		return;
	}
	r->loop = NULL;
	r->done(r, s, err);
}

static void on_resolved(
    struct resolution *res, int err, const struct addr *addrs, size_t n, unsigned ttl_seconds)
{
	struct reach *r = container_of(res, struct reach, resolution);

	(void)ttl_seconds;
	if (n == 0) {
		r->loop = NULL;
		r->done(r, NULL, err);
		return;
	}
	r->count = n < RESOLVER_ADDRS_MAX ? n : RESOLVER_ADDRS_MAX;
	memcpy(r->addrs, addrs, r->count * sizeof(*addrs));
	r->next = 1;
	dial_start(&r->dial, r->loop, &r->addrs[0], DIAL_MS, on_dialed);
}

void reach_start(struct reach *r, struct loop *loop, struct resolver *resolver, const char *host,
    uint16_t port, reached_fn done)
{
	r->loop = loop;
	r->done = done;
	resolver_start(resolver, &r->resolution, host, port, on_resolved);
}

void reach_cancel(struct reach *r)
{
	if (!r->loop)
		return;
	resolution_cancel(&r->resolution);
	dial_cancel(&r->dial);
	r->loop = NULL;
}
