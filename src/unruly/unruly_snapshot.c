/*
 * unruly/unruly_snapshot.c - sessions that misbehave do so in another process, too; see unruly.h.
 *
 * What they wish is read from their path again. Of those with a name all that they have received goes along, as long as they
 * are open; nothing is known there of those that are over.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/saved.h"
#include "unruly/unruly_private.h"

static void state_snapshot(struct unruly_session *us, struct snapshot *s)
{
	SNAPSHOT(s, u64, us->count);
	SNAPSHOT(s, u64, us->resume_at);
	SNAPSHOT(s, u64, us->close_at);
	SNAPSHOT(s, u64, us->decide_at);
	SNAPSHOT(s, bool, us->is_held);
	SNAPSHOT(s, bool, us->is_full);
	SNAPSHOT(s, bool, us->is_paused);
	SNAPSHOT(s, bool, us->is_over);
	answers_snapshot(&us->answers, s);
}

static void record_of(struct unruly_session *us, struct snapshot *s, struct sockjs_session *session)
{
	struct records *r = &us->unruly->records;
	int err = 0;

	if (!snapshot_bool(s, us->record != NULL))
		return;
	if (s->is_reading)
		err = record_begin(r, &us->record, us->wishes.name, sockjs_id(session), sockjs_transport(session));
	if (err < 0)
		snapshot_fail(s, err);
	else
		record_snapshot(r, us->record, s);
}

/* --- in the other process ------------------------------------------------------------- */

static uint64_t wait_for(uint64_t at, uint64_t now)
{
	return at > now && at - now <= WISHES_MS_MAX ? at - now : 1;
}

/* Whatever is late is looked for soon. */
static int go_on(struct unruly_session *us)
{
	uint64_t now = clock_now();

	if (us->is_over || !us->session)
		return 0;
	if (us->is_held)
		return sockjs_set_timer(us->session, (unsigned)wait_for(us->decide_at, now));
	if (us->count >= us->wishes.fail_after)
		sockjs_fail_sends(us->session, 1);
	return sockjs_set_timer(us->session, 1);
}

static void drop(struct unruly_session *us)
{
	if (us->record)
		record_end(&us->unruly->records, us->record, SOCKJS_CLOSE_GOING_AWAY, "");
	unruly_session_free(us);
}

static struct unruly_session *read_path(struct unruly *u, struct snapshot *s)
{
	char *path = snapshot_text(s, NULL);
	struct unruly_session *us = NULL;

	if (snapshot_check(s, path != NULL) && !(us = unruly_session_new(u, path)))
		snapshot_fail(s, -ENOMEM);
	mem_free(path);
	return us;
}

/* NULL: memory is out, or the snapshot is wrong. */
static struct unruly_session *read_session(
    struct unruly *u, struct snapshot *s, struct sockjs_session *session)
{
	struct unruly_session *us = read_path(u, s);

	if (!us)
		return NULL;
	if (snapshot_bool(s, false))
		us->session = session;
	state_snapshot(us, s);
	record_of(us, s, session);
	if (!snapshot_error(s) && go_on(us) == 0)
		return us;
	drop(us);
	return NULL;
}

static void write_session(struct unruly_session *us, struct snapshot *s)
{
	snapshot_text(s, us->path);
	snapshot_bool(s, us->session != NULL);
	state_snapshot(us, s);
	record_of(us, s, us->session);
}

/* --- the callbacks ------------------------------------------------------------------------ */

int unruly_save(struct sockjs_session *s, struct sockjs_saved *to, void *app)
{
	struct snapshot *snapshot = to->snapshot;

	(void)app;
	if (!s)
		return 0;
	if (!snapshot_enter(snapshot, "UNRU", 1))
		return snapshot_error(snapshot);
	write_session(sockjs_user(s), snapshot);
	snapshot_leave(snapshot);
	return snapshot_error(snapshot);
}

int unruly_restore(struct sockjs_session *s, struct sockjs_saved *from, void *app)
{
	struct snapshot *snapshot = from->snapshot;
	struct unruly_session *us;

	if (!s)
		return 0;
	if (!snapshot_follows(snapshot, "UNRU"))
		return -ENOENT;
	if (!snapshot_enter(snapshot, "UNRU", 1))
		return snapshot_error(snapshot);
	us = read_session(app, snapshot, s);
	sockjs_set_user(s, us);
	snapshot_leave(snapshot);
	return us ? 0 : -ENOMEM;
}
