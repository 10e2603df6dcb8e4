/*
 * webhook/guard_snapshot.c - guests, for another process; see guard.h.
 *
 * Of one for whom the backend was asked, it is asked again there. One who was let in goes on if the
 * application within can go on with him. That others have gone is told there, too.
 *
 * Whoever came when there was no guard yet, or goes to where there is none any more, cannot go on.
 */
#include <errno.h>

#include "base/mem.h"
#include "server/json_text.h"
#include "server/saved.h"
#include "webhook/guard_private.h"

/* --- the application within: a section of its own -------------------------------------------- */

/* As the callback; if it cannot, nothing is written but that. */
static int save_inner(const struct guard *guard, struct sockjs_session *session, struct snapshot *s)
{
	struct snapshot_mark before = snapshot_mark(s);
	struct sockjs_saved to = { s };
	int err = -ENOTSUP;

	if (guard->inner.save) {
		snapshot_bool(s, true);
		if (!snapshot_enter(s, "WITH", 1))
			return snapshot_error(s);
		err = guard->inner.save(session, &to, guard->app);
		snapshot_leave(s);
	}
	if (err == 0 || snapshot_error(s))
		return err;
	snapshot_rewind(s, before);
	snapshot_bool(s, false);
	return err;
}

static int restore_inner(const struct guard *guard, struct sockjs_session *session, struct snapshot *s)
{
	struct sockjs_saved from = { s };
	int err = -ENOTSUP;

	if (!snapshot_bool(s, false) || !snapshot_enter(s, "WITH", 1))
		return -ENOTSUP;
	if (guard->inner.restore)
		err = guard->inner.restore(session, &from, guard->app);
	snapshot_skip(s); /* whoever did not want all of it */
	snapshot_leave(s);
	return err;
}

/* --- a guest ------------------------------------------------------------------------------------ */

/* What it says was done, or will be. */
static bool can_be_done(const json_t *answer)
{
	return !answer || (json_is_object(answer) && !guest_trouble_with(answer));
}

static void fields_snapshot(struct guest *g, struct snapshot *s)
{
	g->state = (enum guest_state)snapshot_below(s, g->state, GUEST_LEAVING);
	SNAPSHOT(s, bool, g->is_open);
	SNAPSHOT(s, u64, g->opens_at);
	g->answer = json_text_snapshot(g->answer, s);
	snapshot_check(s, g->state != GUEST_NEW && can_be_done(g->answer));
	if (g->state != GUEST_ASKED)
		return;
	g->handshake = handshake_snapshot(g->handshake, s, g->session->endpoint);
	webhook_call_snapshot(g->guard->webhook, &g->call, s, guest_on_answer);
}

static int write_guest(struct guest *g, struct snapshot *s)
{
	if (!snapshot_bool(s, g != NULL))
		return 0;
	fields_snapshot(g, s);
	return g->state == GUEST_IN ? save_inner(g->guard, g->session, s) : snapshot_error(s);
}

static int write_section(struct guest *g, struct snapshot *s)
{
	int err;

	if (!snapshot_enter(s, "GUES", 1))
		return snapshot_error(s);
	err = write_guest(g, s);
	snapshot_leave(s);
	return err;
}

/* --- in the other process ------------------------------------------------------------------------- */

static struct guest *add_guest(struct guard *guard, struct sockjs_session *session)
{
	struct session_extra *extra = session_extra(session);
	struct guest *g = extra ? mem_zalloc(sizeof(*g)) : NULL;

	if (!g)
		return NULL;
	g->guard = guard;
	g->session = session;
	extra->guest = g;
	return g;
}

static void drop_guest(struct guest *g)
{
	webhook_cancel(&g->call);
	g->session->extra->guest = NULL;
	guest_free(g);
}

/* It waits as it has. */
static void wait_again(struct guest *g, struct snapshot *s)
{
	uint64_t now = loop_now(loop_current());
	unsigned ms = g->opens_at > now ? (unsigned)(g->opens_at - now) : 1;

	g->session->extra->is_outside = true;
	if (g->opens_at && !g->is_open && sockjs_set_timer(g->session, ms) < 0)
		snapshot_fail(s, -ENOMEM);
}

static int read_guest(struct guard *guard, struct sockjs_session *session, struct snapshot *s)
{
	struct guest *g;
	int err = 0;

	if (!snapshot_bool(s, false))
		return snapshot_error(s); /* nobody has heard of it, nor will */
	g = add_guest(guard, session);
	if (!g)
		return -ENOMEM;
	fields_snapshot(g, s);
	if (!snapshot_error(s) && g->state == GUEST_IN)
		err = restore_inner(guard, session, s);
	else if (!snapshot_error(s))
		wait_again(g, s);
	err = snapshot_error(s) ? snapshot_error(s) : err;
	if (err != 0)
		drop_guest(g);
	return err;
}

static int read_section(struct guard *guard, struct sockjs_session *session, struct snapshot *s)
{
	int err;

	if (!snapshot_follows(s, "GUES"))
		return -ENOENT;
	if (!snapshot_enter(s, "GUES", 1))
		return snapshot_error(s);
	err = read_guest(guard, session, s);
	snapshot_skip(s);
	snapshot_leave(s);
	return err;
}

/* --- the callbacks ---------------------------------------------------------------------------------- */

static int without_session(struct guard *guard, struct snapshot *s)
{
	if (s->is_reading && !snapshot_follows(s, "GUAR"))
		return -ENOENT;
	if (!snapshot_enter(s, "GUAR", 1))
		return snapshot_error(s);
	webhook_farewells_snapshot(guard->webhook, s);
	if (s->is_reading)
		restore_inner(guard, NULL, s);
	else
		save_inner(guard, NULL, s);
	snapshot_leave(s);
	return snapshot_error(s);
}

int guard_save(struct sockjs_session *s, struct sockjs_saved *to, void *app)
{
	struct guard *guard = app;

	if (!s)
		return without_session(guard, to->snapshot);
	if (guard->stands_aside)
		return save_inner(guard, s, to->snapshot);
	return write_section(guest_of(s), to->snapshot);
}

int guard_restore(struct sockjs_session *s, struct sockjs_saved *from, void *app)
{
	struct guard *guard = app;

	if (!s)
		return without_session(guard, from->snapshot);
	if (guard->stands_aside)
		return restore_inner(guard, s, from->snapshot);
	return read_section(guard, s, from->snapshot);
}
