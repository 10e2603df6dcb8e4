/*
 * server/saved.c - what an application writes down for the process that goes on (include/sockjs.h; saved.h).
 */
#include "server/saved.h"

#include <errno.h>

#include "server/restart.h"

int sockjs_saved_put(struct sockjs_saved *to, const void *data, size_t len)
{
	struct snapshot *s = to->snapshot;

	if (s->is_reading)
		return -EINVAL;
	snapshot_raw(s, (void *)(uintptr_t)data, len);
	return snapshot_error(s);
}

const void *sockjs_saved_get(struct sockjs_saved *from, size_t *len)
{
	struct snapshot *s = from->snapshot;

	*len = s->is_reading ? snapshot_left(s) : 0;
	return s->is_reading ? s->in.p + s->at : NULL;
}

/* --- around it ---------------------------------------------------------------------------------- */

/* To whom a session is closed already, it may have freed what it had of it. */
static bool is_asked(const struct server_endpoint *ep, const struct sockjs_session *session)
{
	return ep->callbacks.save && !(session && session->base.reported);
}

bool saved_write(
    const struct server_endpoint *ep, struct sockjs_session *session, struct snapshot *s)
{
	struct snapshot_mark before = snapshot_mark(s);
	struct sockjs_saved to = { s };
	int err = -ENOTSUP;

	if (is_asked(ep, session)) {
		snapshot_bool(s, true);
		if (!snapshot_enter(s, "KEPT", 1))
			return false;
		err = ep->callbacks.save(session, &to, ep->app);
		snapshot_leave(s);
	}
	if (err == 0 || snapshot_error(s))
		return err == 0;
	snapshot_rewind(s, before);
	snapshot_bool(s, false);
	return false;
}

bool saved_read(const struct server_endpoint *ep, struct sockjs_session *session, struct snapshot *s)
{
	struct sockjs_saved from = { s };
	int err = -ENOTSUP;

	if (!snapshot_bool(s, false) || !snapshot_enter(s, "KEPT", 1))
		return false;
	if (ep && ep->callbacks.restore)
		err = ep->callbacks.restore(session, &from, ep->app);
	snapshot_skip(s); /* whoever did not want all of it */
	snapshot_leave(s);
	return err == 0;
}
