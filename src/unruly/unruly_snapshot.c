/*
 * unruly/unruly_snapshot.c - sessions that misbehave do so in another process, too; see unruly.h.
 *
 * What they wish is read from their path again. What those with a name have received goes along; who
 * waits for that with a command is not answered.
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

	if (us->is_over || !us->has_begun)
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
	us->session = session;
	SNAPSHOT(s, bool, us->has_begun);
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
	SNAPSHOT(s, bool, us->has_begun);
	state_snapshot(us, s);
	record_of(us, s, NULL);
}

static int of_session(struct unruly *u, struct sockjs_session *session, struct snapshot *s)
{
	struct unruly_session *us = s->is_reading ? NULL : sockjs_user(session);

	if (!snapshot_enter(s, "UNRU", 1))
		return snapshot_error(s);
	if (s->is_reading) {
		us = read_session(u, s, session);
		sockjs_set_user(session, us);
	} else {
		write_session(us, s);
	}
	snapshot_leave(s);
	return us ? 0 : -ENOMEM;
}

/* Records are of all reactors: one of them says those of sessions that are over. */
static int without_session(struct unruly *u, struct snapshot *s)
{
	if (!snapshot_enter(s, "UNRE", 1))
		return snapshot_error(s);
	if (snapshot_bool(s, !s->is_reading && sockjs_reactor(u->received.server) == 0))
		records_snapshot(&u->records, s);
	snapshot_leave(s);
	return snapshot_error(s);
}

/* --- the callbacks ------------------------------------------------------------------------ */

int unruly_save(struct sockjs_session *s, struct sockjs_saved *to, void *app)
{
	return s ? of_session(app, s, to->snapshot) : without_session(app, to->snapshot);
}

int unruly_restore(struct sockjs_session *s, struct sockjs_saved *from, void *app)
{
	if (!snapshot_follows(from->snapshot, s ? "UNRU" : "UNRE"))
		return -ENOENT;
	return s ? of_session(app, s, from->snapshot) : without_session(app, from->snapshot);
}
