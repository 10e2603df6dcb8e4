/*
 * server/restart_state.c - all that a reactor has, for another process: what applications keep without a session,
 * connections, sessions with their wires, and wires that sessions have let go of; see restart.h.
 */
#include "files/long_files.h"
#include "server/restart.h"

struct server_endpoint *restart_find_endpoint(const struct reactor *r, struct bytes prefix)
{
	const struct server_config *c = r->config;

	for (size_t i = 0; i < c->endpoint_count; i++)
		if (bytes_equal(prefix, bytes_of(c->endpoints[i]->prefix)))
			return c->endpoints[i];
	return NULL;
}

/* For the transports. */
static struct endpoint *refer_endpoint(struct transport_reactor *base, struct bytes prefix)
{
	struct server_endpoint *ep = restart_find_endpoint(container_of(base, struct reactor, base), prefix);

	return ep ? endpoint_ref(&ep->base) : NULL;
}

/* --- applications -------------------------------------------------------------------------------- */

/* One may be that of several endpoints. */
static bool was_before(const struct server_config *c, size_t i)
{
	const struct server_endpoint *ep = c->endpoints[i];

	for (size_t j = 0; j < i; j++)
		if (c->endpoints[j]->app == ep->app &&
		    c->endpoints[j]->callbacks.save == ep->callbacks.save)
			return true;
	return false;
}

static void write_applications(struct reactor *r, struct snapshot *s)
{
	const struct server_config *c = r->config;

	for (size_t i = 0; i < c->endpoint_count; i++) {
		const struct server_endpoint *ep = c->endpoints[i];

		if (!ep->callbacks.save || was_before(c, i))
			continue;
		snapshot_more(s, true);
		snapshot_bytes(s, bytes_of(ep->prefix));
		saved_write(ep, NULL, s);
	}
	snapshot_more(s, false);
}

static void read_applications(struct reactor *r, struct snapshot *s)
{
	while (snapshot_more(s, false)) {
		struct bytes prefix = snapshot_bytes(s, (struct bytes){ NULL, 0 });

		saved_read(restart_find_endpoint(r, prefix), NULL, s);
	}
}

/* --- sessions --------------------------------------------------------------------------------------- */

static void write_sessions(struct reactor *r, struct snapshot *s)
{
	struct list *pos;

	list_foreach (pos, &r->base.sessions.sessions) {
		struct session *session = container_of(pos, struct session, node);

		if (!restart_may_go_on(session))
			continue;
		snapshot_more(s, true);
		sockjs_session_snapshot(container_of(session, struct sockjs_session, base), s, r);
	}
	snapshot_more(s, false);
}

static void read_sessions(struct reactor *r, struct snapshot *s)
{
	while (snapshot_more(s, false))
		sockjs_session_snapshot(NULL, s, r);
}

/* --- wires that end on their own ---------------------------------------------------------------------- */

static void write_receivers(struct reactor *r, struct snapshot *s)
{
	struct list *pos;

	list_foreach (pos, &r->base.receivers) {
		struct receiver *receiver = container_of(pos, struct receiver, node);

		if (receiver->session || !transport_receiver_may_go_on(receiver))
			continue;
		snapshot_more(s, true);
		transport_receiver_snapshot(receiver, s);
	}
	snapshot_more(s, false);
}

static void read_receivers(struct snapshot *s)
{
	while (snapshot_more(s, false))
		transport_receiver_snapshot(NULL, s);
}

/* --- all of it ------------------------------------------------------------------------------------------- */

void reactor_applications_snapshot(struct reactor *r, struct snapshot *s)
{
	if (!snapshot_enter(s, "APPS", 1))
		return;
	(s->is_reading ? read_applications : write_applications)(r, s);
	snapshot_leave(s);
}

void reactor_snapshot(struct reactor *r, struct snapshot *s)
{
	if (!snapshot_enter(s, "REAC", 1))
		return;
	r->base.find_endpoint = refer_endpoint;
	http_server_snapshot(r->base.http, s, &internal_address);
	long_files_snapshot(r->base.http, s);
	(s->is_reading ? read_sessions : write_sessions)(r, s);
	if (s->is_reading)
		read_receivers(s);
	else
		write_receivers(r, s);
	snapshot_leave(s);
}

/* Who was told nothing of another process loses his connection. */
static void cut_sessions(struct reactor *r)
{
	struct list *pos;

	list_foreach (pos, &r->base.sessions.sessions) {
		struct session *session = container_of(pos, struct session, node);

		if (!restart_may_go_on(session) && session->receiver)
			session->receiver->ops->abort(session->receiver);
	}
}

void reactor_forget(struct reactor *r)
{
	reactor_drop_listeners(r);
	cut_sessions(r);
	loop_deliver(r->loop);
}
