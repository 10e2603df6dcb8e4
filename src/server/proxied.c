/*
 * server/proxied.c - connections that a proxy announces by a header; see proxied.h.
 *
 * Only the header's own octets are taken from the socket, for what stands behind it may be TLS.
 */
#include "server/proxied.h"

#include <errno.h>

#include "base/mem.h"
#include "net/proxy_header.h"
#include "server/server_private.h"

struct proxied {
	struct list node; /* reactor->proxied */
	struct watch watch;
	struct timer timer;
	struct deferred deferred;
	struct reactor *reactor;
	struct server_listener *from; /* held */
	struct addr proxy;
	size_t taken;
	char header[PROXY_HEADER_MAX];
};

/* --- the end ------------------------------------------------------------------------ */

static void proxied_free(struct deferred *d)
{
	struct proxied *p = container_of(d, struct proxied, deferred);

	server_listener_unref(p->from);
	mem_free(p);
}

/* The descriptor is the caller's. */
static int leave(struct proxied *p)
{
	struct loop *loop = p->reactor->loop;
	int fd = p->watch.fd;

	loop_unwatch(loop, &p->watch);
	timer_stop(loop_timers(loop), &p->timer);
	list_remove(&p->node);
	p->reactor->proxied_count--;
	loop_defer(loop, &p->deferred, proxied_free);
	return fd;
}

static void refuse(struct proxied *p, const char *why)
{
	http_refused(p->reactor->base.http, HTTP_REFUSED_PROXY, &p->proxy,
	    HTTP_REFUSED_FIELDS(LOG_STR("why", why)));
	loop_close(p->reactor->loop, leave(p));
}

/* --- the header --------------------------------------------------------------------- */

/* Takes what is the header's. 0; -EAGAIN; another error, or -EPIPE at the end. */
static int take(struct proxied *p)
{
	char waiting[PROXY_HEADER_MAX];
	size_t room = sizeof(p->header) - p->taken, n;
	ssize_t there = recv(p->watch.fd, waiting, room, MSG_PEEK | MSG_DONTWAIT);

	if (there <= 0)
		return there == 0 ? -EPIPE : errno == EINTR ? -EAGAIN : -errno;
	n = proxy_header_take((struct bytes){ p->header, p->taken },
	    (struct bytes){ waiting, (size_t)there });
	if (n == 0)
		return -EPROTO;
	there = recv(p->watch.fd, p->header + p->taken, n, MSG_DONTWAIT);
	if (there > 0)
		p->taken += (size_t)there;
	return there > 0 ? 0 : -EPIPE;
}

/* A proxy that speaks for itself (to see how we are) is its own client. */
static void let_in(struct proxied *p, const struct addr *client)
{
	struct addr peer = client->family ? *client : p->proxy;
	struct reactor *r = p->reactor;
	struct server_listener *from = server_listener_ref(p->from);

	reactor_admit(r, from, leave(p), &peer);
	server_listener_unref(from);
}

static void on_event(struct watch *w, uint32_t events)
{
	struct proxied *p = container_of(w, struct proxied, watch);
	struct proxy_header header;
	int err;

	(void)events;
	for (;;) {
		err = take(p);
		if (err == -EAGAIN)
			return;
		if (err < 0) {
			refuse(p, err == -EPROTO ? "this is no header of the PROXY protocol"
			                         : "the connection ended before its header");
			return;
		}
		switch (proxy_header_read((struct bytes){ p->header, p->taken }, &header)) {
		case PROXY_HEADER_BAD:
			refuse(p, "this is no header of the PROXY protocol");
			return;
		case PROXY_HEADER_WHOLE:
			let_in(p, &header.client);
			return;
		case PROXY_HEADER_MORE:
			break;
		}
	}
}

static void on_timer(struct timer *t)
{
	refuse(container_of(t, struct proxied, timer), "the header did not come in time");
}

/* --- the beginning ------------------------------------------------------------------ */

void proxied_wait(
    struct reactor *r, struct server_listener *from, int fd, const struct addr *proxy)
{
	struct proxied *p = NULL;

	if (!http_trusts(&r->config->trust, proxy)) {
		http_refused(r->base.http, HTTP_REFUSED_PROXY, proxy,
		    HTTP_REFUSED_FIELDS(LOG_STR("why", "it is not in trusted_proxies")));
		loop_close(r->loop, fd);
		return;
	}
	p = mem_zalloc(sizeof(*p));
	if (!p) {
		http_refused(r->base.http, HTTP_REFUSED_NO_MEMORY, proxy, HTTP_REFUSED_FIELDS());
		loop_close(r->loop, fd);
		return;
	}
	p->reactor = r;
	p->from = server_listener_ref(from);
	p->proxy = *proxy;
	p->watch.fd = fd;
	p->watch.fn = on_event;
	list_append(&r->proxied, &p->node);
	r->proxied_count++;
	timer_init(&p->timer, on_timer);
	timer_start(loop_timers(r->loop), &p->timer, r->config->http_limits.header_timeout_ms);
	if (loop_watch(r->loop, &p->watch, EPOLLIN) < 0)
		refuse(p, "out of memory");
}

void proxied_end_all(struct reactor *r)
{
	struct list *node;

	while ((node = list_first(&r->proxied)))
		loop_close(r->loop, leave(container_of(node, struct proxied, node)));
}
