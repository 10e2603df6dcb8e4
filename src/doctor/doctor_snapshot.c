/*
 * doctor/doctor_snapshot.c - what clients have ordered is done in another process, too, at the time at which it is due; and
 * what they have found is known there. See doctor.h.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "doctor/doctor_private.h"
#include "server/saved.h"

/* A number from `least` to `most`. */
static int64_t number_snapshot(int64_t n, int64_t least, int64_t most, struct snapshot *s)
{
	SNAPSHOT(s, i64, n);
	return snapshot_check(s, n >= least && n <= most) ? n : least;
}

static void push_snapshot(struct push *p, struct snapshot *s)
{
	SNAPSHOT(s, bool, p->is_on);
	SNAPSHOT(s, bool, p->is_unasked);
	p->id = number_snapshot(p->id, -1, ORDER_NUMBER_MAX, s);
	p->of = number_snapshot(p->of, 0, ORDER_NUMBER_MAX, s);
	p->seq = number_snapshot(p->seq, 0, p->of, s);
	p->bytes = number_snapshot(p->bytes, 0, ORDER_PUSH_OCTETS, s);
	p->every_ms = number_snapshot(p->every_ms, 0, ORDER_PUSH_MS, s);
	SNAPSHOT(s, u64, p->due);
}

static void silence_snapshot(struct silence *i, struct snapshot *s)
{
	SNAPSHOT(s, bool, i->is_on);
	i->id = number_snapshot(i->id, -1, ORDER_NUMBER_MAX, s);
	i->ms = number_snapshot(i->ms, 0, ORDER_NUMBER_MAX, s);
	SNAPSHOT(s, u64, i->due);
}

static void agent_snapshot(struct doctor_session *ds, struct snapshot *s)
{
	struct bytes agent = snapshot_bytes(s, bytes_of(ds->agent));

	if (s->is_reading && snapshot_check(s, agent.n <= AGENT_MOST && utf8_is_valid(agent.p, agent.n)))
		*bytes_put(ds->agent, agent) = '\0';
}

static void fields_snapshot(struct doctor_session *ds, struct snapshot *s)
{
	SNAPSHOT(s, text, ds->sight);
	agent_snapshot(ds, s);
	SNAPSHOT(s, u64, ds->opened);
	ds->count = number_snapshot(ds->count, 0, ORDER_NUMBER_MAX, s);
	SNAPSHOT(s, u32, ds->errors);
	SNAPSHOT(s, u32, ds->reports);
	push_snapshot(&ds->push, s);
	silence_snapshot(&ds->silence, s);
	ds->greetings = (int)number_snapshot(ds->greetings, -1, GREETINGS_MOST, s);
	SNAPSHOT(s, bool, ds->is_full);
	SNAPSHOT(s, bool, ds->is_over);
}

/* --- in the other process ---------------------------------------------------------------------- */

/* Heartbeats of the server are not wanted, and what is late is looked for soon. */
static int go_on(struct doctor_session *ds)
{
	sockjs_set_heartbeat(ds->session, 1);
	return ds->is_over ? 0 : sockjs_set_timer(ds->session, 1);
}

/* NULL: memory is out, or the snapshot is wrong. */
static struct doctor_session *read_session(
    struct doctor *d, struct snapshot *s, struct sockjs_session *session)
{
	struct doctor_session *ds = mem_zalloc(sizeof(*ds));
	bool has_opened = snapshot_bool(s, false);

	if (!ds) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	ds->doctor = d;
	ds->session = session;
	fields_snapshot(ds, s);
	if (!snapshot_error(s) && (!has_opened || go_on(ds) == 0))
		return ds;
	doctor_session_free(ds);
	return NULL;
}

static int of_session(struct doctor *d, struct sockjs_session *session, struct snapshot *s)
{
	struct doctor_session *ds = s->is_reading ? NULL : sockjs_user(session);

	if (!snapshot_enter(s, "DOCT", 1))
		return snapshot_error(s);
	if (s->is_reading) {
		ds = read_session(d, s, session);
		sockjs_set_user(session, ds);
	} else {
		snapshot_bool(s, ds->opened != 0);
		fields_snapshot(ds, s);
	}
	snapshot_leave(s);
	return ds ? 0 : -ENOMEM;
}

/* Reports are of all reactors: one of them says them. */
static int without_session(struct doctor *d, struct snapshot *s)
{
	if (!snapshot_enter(s, "REPO", 1))
		return snapshot_error(s);
	if (snapshot_bool(s, !s->is_reading && sockjs_reactor(d->server) == 0))
		reports_snapshot(&d->reports, s);
	snapshot_leave(s);
	return snapshot_error(s);
}

/* --- the callbacks -------------------------------------------------------------------------------- */

int doctor_save(struct sockjs_session *s, struct sockjs_saved *to, void *app)
{
	return s ? of_session(app, s, to->snapshot) : without_session(app, to->snapshot);
}

int doctor_restore(struct sockjs_session *s, struct sockjs_saved *from, void *app)
{
	if (!snapshot_follows(from->snapshot, s ? "DOCT" : "REPO"))
		return -ENOENT;
	return s ? of_session(app, s, from->snapshot) : without_session(app, from->snapshot);
}
