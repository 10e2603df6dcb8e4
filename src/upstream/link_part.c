/*
 * upstream/link_part.c - a reactor's share of an upstream, and how a link in it ends.
 */
#include <errno.h>

#include "base/mem.h"
#include "upstream/link_private.h"

static void free_link(struct deferred *d)
{
	struct link *l = container_of(d, struct link, deferred);

	link_opening_free(l);
	ws_conn_fini(&l->conn);
	ws_deflate_free(l->compressor);
	if (l->rest)
		buf_fini(l->rest);
	mem_free(l->rest);
	mem_free(l);
}

void link_end(struct link *l)
{
	if (l->ended)
		return;
	l->ended = true;
	if (l->part->out_link == l)
		l->part->out_link = NULL;
	if (l->target)
		link_release_target(l);
	list_remove(&l->node);
	timer_stop(loop_timers(l->part->loop), &l->timer);
	link_opening_stop(l);
	stream_close(&l->stream);
	loop_defer(l->part->loop, &l->deferred, free_link);
}

void link_close_session(struct link *l, unsigned code, const char *reason)
{
	struct sockjs_session *s = l->session;

	l->session = NULL;
	if (!s)
		return;
	sockjs_set_user(s, NULL);
	sockjs_close(s, code, reason);
}

void link_lost(struct link *l, unsigned code, const char *reason)
{
	link_close_session(l, code, reason);
	link_end(l);
}

/* --- a reactor's share ---------------------------------------------------------- */

int upstream_part_init(struct upstream_part *part, struct upstream_settings *settings)
{
	*part = (struct upstream_part){ .settings = settings, .loop = loop_current() };
	list_init(&part->links);
	part->known = mem_zalloc(settings->pool.count * sizeof(*part->known));
	return part->known ? 0 : -ENOMEM;
}

void upstream_part_fini(struct upstream_part *part)
{
	while (!list_empty(&part->links)) {
		struct link *l = container_of(list_first(&part->links), struct link, node);

		if (l->session)
			sockjs_set_user(l->session, NULL); /* it may outlive the link */
		link_end(l);
	}
	resolver_free(part->resolver);
	ws_deflate_free(part->deflate);
	buf_fini(&part->out);
	buf_fini(&part->pongs);
	mem_free(part->known);
}
