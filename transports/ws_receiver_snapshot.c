/*
 * transports/ws_receiver_snapshot.c - a WebSocket, for another process; see transport_snapshot.h.
 */
#include <errno.h>

#include "transports/transport_snapshot.h"
#include "transports/ws_receiver_private.h"

/* --- what few have ----------------------------------------------------------------------------------- */

static void pending_snapshot(struct ws_extras *extras, struct snapshot *s)
{
	bool is_there = snapshot_bool(s, extras->pending != NULL);

	if (!is_there)
		return;
	if (s->is_reading && !(extras->pending = mem_zalloc(sizeof(*extras->pending)))) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	snapshot_raw(s, extras->pending->accept, sizeof(extras->pending->accept));
	snapshot_raw(s, extras->pending->extensions, sizeof(extras->pending->extensions));
	snapshot_check(s, memchr(extras->pending->accept, '\0', sizeof(extras->pending->accept)) &&
	                      memchr(extras->pending->extensions, '\0', sizeof(extras->pending->extensions)));
}

static void extras_snapshot(struct ws_receiver *r, struct snapshot *s)
{
	if (!snapshot_bool(s, r->extras != NULL))
		return;
	if (!ws_receiver_extras(r)) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	snapshot_buf(s, &r->extras->rest);
	ws_deflate_snapshot(&r->extras->compressor, s);
	pending_snapshot(r->extras, s);
}

/* --- its state -------------------------------------------------------------------------------------------- */

static void state_snapshot(struct ws_receiver *r, struct snapshot *s)
{
	SNAPSHOT(s, u64, r->last_heard);
	SNAPSHOT(s, u32, r->progress);
	SNAPSHOT(s, bool, r->pinged);
	SNAPSHOT(s, bool, r->ping_waits);
	SNAPSHOT(s, bool, r->choked);
	SNAPSHOT(s, bool, r->closing);
	SNAPSHOT(s, bool, r->shut);
	SNAPSHOT(s, bool, r->is_answered);
	SNAPSHOT(s, bool, r->parting);
	SNAPSHOT(s, bool, r->is_unanswered);
	SNAPSHOT(s, u8, r->ping);
	SNAPSHOT(s, u8, r->proof);
}

static void timer_snapshot(struct ws_receiver *r, struct snapshot *s)
{
	uint64_t due = timer_is_active(&r->timer) ? r->timer.deadline : 0, now;

	due = snapshot_u64(s, due);
	if (!s->is_reading || due == 0)
		return;
	now = loop_now(loop_current());
	timer_start(loop_timers(loop_current()), &r->timer, due > now ? due - now : 0);
}

void ws_receiver_measure_anew(struct ws_receiver *r)
{
	r->progress = (uint32_t)stream_progress(&r->stream);
}

/* What its session has let go of ends, and not without a time for that. */
static bool is_sound(const struct ws_receiver *r, enum wire_use use)
{
	bool ends = r->closing || r->parting;

	if (use == WIRE_SPEAKS)
		return !ends && !r->shut && !r->is_answered;
	return use == WIRE_ENDS && ends && timer_is_active(&r->timer) && !ws_receiver_is_pending(r);
}

/* The codec before what compresses for it: a message that is half inflated is brought to its end first. */
static void all_snapshot(struct ws_receiver *r, struct snapshot *s)
{
	state_snapshot(r, s);
	timer_snapshot(r, s);
	ws_conn_snapshot(&r->conn, s);
	extras_snapshot(r, s);
	stream_snapshot(&r->stream, s, ws_receiver_loop(r), &ws_receiver_stream_events);
}

/* --- both directions ------------------------------------------------------------------------------------- */

/* What it has to do before it may read is not announced by anything else. */
static void go_on(struct ws_receiver *r)
{
	if (ws_receiver_is_behind(r) && !r->conn.paused && (r->stream.want & STREAM_READ))
		stream_read_later(&r->stream, false);
}

struct receiver *ws_receiver_snapshot(struct receiver *base, struct snapshot *s, struct endpoint *e,
    enum wire_use use, const struct ws_wire *wire)
{
	struct ws_receiver *r = base ? container_of(base, struct ws_receiver, base)
	                             : ws_receiver_new(transport_reactor_current(), e, wire);

	if (!r) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	all_snapshot(r, s);
	if (base)
		return base;
	list_append(&r->reactor->receivers, &r->base.node);
	if (!snapshot_check(s, stream_is_open(&r->stream) && is_sound(r, use))) {
		ws_receiver_end(r);
		return NULL;
	}
	go_on(r);
	return &r->base;
}
