/*
 * upstream/upstream_snapshot.c - connections to backends, for another process; see upstream_conn.h.
 *
 * An open one goes along with what is under way in it. One in the making does not: what was asked is asked anew there,
 * within the time that is left, and the backend that is asked just now sees one that hangs up. What its
 * client has said meanwhile waits with the session, as ever. One that has outlived its session goes on, too, so that
 * the last messages and the Close come to the backend whole.
 *
 * A backend is found by its URL. Where it is not configured any more its connections stay, and count nowhere.
 */
#include <errno.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "upstream/upstream_private.h"

enum kind { NOTHING, OPENING, OPEN, KINDS };

static uint64_t deadline_of(const struct timer *t)
{
	return timer_is_active(t) ? t->deadline : 0;
}

static uint64_t earlier_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* --- in the making ------------------------------------------------------------------ */

static void write_opening(struct upstream_conn *uc, struct snapshot *s)
{
	struct upstream_opening *o = uc->opening;

	upstream_request_snapshot(o->request, s);
	snapshot_u64(s, o->deadline);
	snapshot_u64(s, deadline_of(&o->early));
	snapshot_bool(s, uc->client_paused);
}

static struct upstream_conn *read_opening(
    struct snapshot *s, struct upstream_reactor *reactor, struct sockjs_session *session)
{
	struct upstream_request *request = upstream_request_snapshot(NULL, s);
	uint64_t deadline = snapshot_u64(s, 0), early = snapshot_u64(s, 0);
	bool is_paused = snapshot_bool(s, false);
	struct upstream_conn *uc;

	if (!snapshot_check(s, request && session && (!early || request->may_open_early))) {
		upstream_request_free(request);
		return NULL;
	}
	uc = upstream_conn_new_again(reactor, session, request, deadline, early);
	if (uc)
		uc->client_paused = is_paused;
	else
		snapshot_fail(s, -ENOMEM);
	return uc;
}

/* --- an open one ---------------------------------------------------------------------- */

static void flags_snapshot(struct upstream_conn *uc, struct snapshot *s)
{
	SNAPSHOT(s, bool, uc->client_paused);
	SNAPSHOT(s, bool, uc->choked);
	SNAPSHOT(s, bool, uc->asks_again);
	SNAPSHOT(s, bool, uc->closing);
	SNAPSHOT(s, bool, uc->shut);
	SNAPSHOT(s, bool, uc->broken);
	SNAPSHOT(s, bool, uc->pinged);
	SNAPSHOT(s, bool, uc->moved);
	SNAPSHOT(s, bool, uc->parting);
}

static void times_snapshot(struct upstream_conn *uc, struct snapshot *s)
{
	SNAPSHOT(s, u64, uc->last_heard);
	SNAPSHOT(s, u64, uc->pinged_at);
	SNAPSHOT(s, u64, uc->line_end);
	SNAPSHOT(s, u64, uc->acked);
}

static void rest_snapshot(struct upstream_conn *uc, struct snapshot *s)
{
	struct bytes rest = { NULL, 0 };

	if (uc->rest)
		rest = (struct bytes){ buf_data(uc->rest), buf_len(uc->rest) };
	rest = snapshot_bytes(s, rest);
	if (!s->is_reading || rest.n == 0)
		return;
	uc->rest = mem_zalloc(sizeof(*uc->rest));
	if (!uc->rest || buf_add(uc->rest, rest.p, rest.n) < 0)
		snapshot_fail(s, -ENOMEM);
}

static void fields_snapshot(struct upstream_conn *uc, struct snapshot *s)
{
	stream_snapshot(&uc->stream, s, uc->reactor->loop, &upstream_conn_events);
	ws_conn_snapshot(&uc->conn, s);
	ws_deflate_snapshot(&uc->compressor, s);
	rest_snapshot(uc, s);
	flags_snapshot(uc, s);
	times_snapshot(uc, s);
}

static void write_open(struct upstream_conn *uc, struct snapshot *s)
{
	snapshot_bytes(s, bytes_of(uc->target->url));
	snapshot_bool(s, stream_is_tls(&uc->stream));
	snapshot_u64(s, deadline_of(&uc->timer));
	fields_snapshot(uc, s);
}

/* What holds of each that is not about to be freed: with a session it has not ended, without one it is about to. */
static bool is_sound(const struct upstream_conn *uc)
{
	if (!stream_is_open(&uc->stream) || (uc->broken && !uc->choked))
		return false;
	return uc->session ? !uc->closing && !uc->shut : uc->closing;
}

/* Under TLS what was written is counted in another way than before (net/stream_witness.h), so whether the backend is alive
 * is asked anew, and of one whose Close is awaited nobody says that it has taken nothing since it was last looked at. */
static void begin_counting(struct upstream_conn *uc)
{
	uc->acked = stream_acked(&uc->stream);
	uc->line_end = 0;
	uc->pinged = false;
	uc->moved = uc->closing;
}

static void restart_timer(struct upstream_conn *uc, uint64_t deadline)
{
	const struct upstream_settings *settings = uc->reactor->settings;
	uint64_t now = upstream_conn_now(uc), left = deadline > now ? deadline - now : 0;

	if (uc->closing)
		left = deadline ? earlier_of(left, settings->close_timeout_ms) : settings->close_timeout_ms;
	else if (settings->ping_interval_ms == 0)
		return; /* and nobody has pinged, from now on */
	else if (deadline == 0)
		left = settings->ping_interval_ms;
	timer_start(loop_timers(uc->reactor->loop), &uc->timer, left);
}

/* Whoever was to be called soon is. */
static void go_on(struct upstream_conn *uc, struct snapshot *s, uint64_t deadline)
{
	uc->last_heard = earlier_of(uc->last_heard, upstream_conn_now(uc));
	uc->pinged_at = earlier_of(uc->pinged_at, upstream_conn_now(uc));
	restart_timer(uc, deadline);
	if ((uc->stream.want & STREAM_READ) && upstream_conn_is_behind(uc))
		stream_read_later(&uc->stream, ws_conn_is_behind(&uc->conn));
	if (uc->session && uc->asks_again && sockjs_set_timer(uc->session, UPSTREAM_ASK_AGAIN_MS) < 0)
		snapshot_fail(s, -ENOMEM);
}

static int find_target(struct upstream_conn *uc, struct bytes url)
{
	struct upstream_settings *settings = uc->reactor->settings;
	int err = 0;

	uc->target = balancer_find(&settings->balancer, url);
	if (!uc->target)
		err = strays_find(&settings->strays, url, &uc->target);
	if (uc->target)
		balancer_adopt(uc->target);
	return err;
}

/* As after upstream_conn_opened(), if its target has not told it to part yet. */
static void enlist(struct upstream_conn *uc)
{
	if (!uc->session || uc->parting || !balancer_has(&uc->reactor->settings->balancer, uc->target))
		return;
	upstream_conn_enlist(uc);
	if (target_load(&uc->target->parting_until))
		upstream_reactor_part(uc->reactor);
}

static struct upstream_conn *alloc(struct upstream_reactor *reactor, struct sockjs_session *session)
{
	struct upstream_conn *uc = mem_zalloc(sizeof(*uc));

	if (!uc)
		return NULL;
	upstream_conn_join(uc, reactor, session);
	ws_conn_init(&uc->conn, WS_CLIENT, &upstream_conn_ops, &reactor->settings->limits);
	timer_init(&uc->timer, upstream_conn_on_timer);
	return uc;
}

static void read_fields(struct upstream_conn *uc, struct snapshot *s)
{
	bool was_tls = snapshot_bool(s, false);
	uint64_t deadline = snapshot_u64(s, 0);

	fields_snapshot(uc, s);
	if (!snapshot_check(s, is_sound(uc)))
		return;
	if (was_tls)
		begin_counting(uc);
	enlist(uc);
	go_on(uc, s, deadline);
}

/* NULL: the snapshot is wrong, or there is no place for it. */
static struct upstream_conn *read_open(
    struct snapshot *s, struct upstream_reactor *reactor, struct sockjs_session *session)
{
	struct upstream_conn *uc = alloc(reactor, session);
	int err;

	if (!uc) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	err = find_target(uc, snapshot_bytes(s, (struct bytes){ NULL, 0 }));
	if (err == 0)
		read_fields(uc, s);
	else if (err != -ENOSPC)
		snapshot_fail(s, err == -ENOMEM ? err : -EPROTO);
	if (err == 0 && !snapshot_error(s))
		return uc;
	upstream_conn_end(uc);
	return NULL;
}

/* --- either, or none ------------------------------------------------------------------- */

static enum kind kind_of(const struct upstream_conn *uc)
{
	if (!uc)
		return NOTHING;
	return uc->opening ? OPENING : OPEN;
}

static void write_kind(enum kind kind, struct upstream_conn *uc, struct snapshot *s)
{
	if (kind == OPENING)
		write_opening(uc, s);
	else if (kind == OPEN)
		write_open(uc, s);
}

static int read_kind(enum kind kind, struct upstream_conn **uc, struct snapshot *s,
    struct upstream_reactor *reactor, struct sockjs_session *session)
{
	*uc = NULL;
	if (kind == OPENING)
		*uc = read_opening(s, reactor, session);
	else if (kind == OPEN)
		*uc = read_open(s, reactor, session);
	if (kind != NOTHING && !*uc)
		snapshot_skip(s);
	return kind == NOTHING || *uc ? 0 : -ENOSPC;
}

int upstream_conn_snapshot(struct upstream_conn **uc, struct snapshot *s,
    struct upstream_reactor *reactor, struct sockjs_session *session)
{
	enum kind kind = s->is_reading ? NOTHING : kind_of(*uc);
	int err = 0;

	if (!snapshot_enter(s, "UPCN", 1))
		return snapshot_error(s);
	kind = (enum kind)snapshot_below(s, kind, KINDS);
	if (s->is_reading)
		err = read_kind(kind, uc, s, reactor, session);
	else
		write_kind(kind, *uc, s);
	snapshot_leave(s);
	return snapshot_error(s) ? snapshot_error(s) : err;
}

/* --- a reactor's share ------------------------------------------------------------------ */

static void write_outliving(const struct list *conns, struct snapshot *s)
{
	const struct list *pos;

	list_foreach (pos, conns) {
		struct upstream_conn *uc = container_of(pos, struct upstream_conn, node);

		if (uc->session || uc->opening)
			continue;
		snapshot_more(s, true);
		upstream_conn_snapshot(&uc, s, uc->reactor, NULL);
	}
}

static void write_all_outliving(const struct upstream_reactor *reactor, struct snapshot *s)
{
	write_outliving(&reactor->conns, s);
	for (size_t i = 0; i < reactor->settings->balancer.count; i++)
		write_outliving(&reactor->targets[i].conns, s);
	snapshot_more(s, false);
}

static void read_all_outliving(struct upstream_reactor *reactor, struct snapshot *s)
{
	struct upstream_conn *uc;

	while (snapshot_more(s, false))
		upstream_conn_snapshot(&uc, s, reactor, NULL);
}

void upstream_reactor_snapshot(struct upstream_reactor *reactor, struct snapshot *s)
{
	bool is_parting = !s->is_reading && timer_is_active(&reactor->parting);

	if (!snapshot_enter(s, "UPRE", 1))
		return;
	if (snapshot_bool(s, is_parting) && s->is_reading)
		upstream_reactor_part(reactor);
	if (s->is_reading)
		read_all_outliving(reactor, s);
	else
		write_all_outliving(reactor, s);
	snapshot_leave(s);
}
