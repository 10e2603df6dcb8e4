/*
 * transports/ws_deadlines.c - what a WebSocket has time for, with one timer: an answer to
 * a ping (RFC 6455 section 5.5.2), the rest of a message, a Close.
 */
#include "base/log.h"
#include "transports/ws_receiver_private.h"

void ws_receiver_watch_unfinished(struct ws_receiver *r)
{
	uint64_t now = loop_now(ws_receiver_loop(r)), octets;
	struct pace_watch *w = ws_conn_unfinished(&r->conn, &octets);

	if (!w || r->closing || r->conn.paused || r->choked)
		return;
	if (pace_is_too_slow(w, &r->endpoint->pace, now, octets))
		ws_receiver_fail(r, CLOSE_LATE, close_reason(CLOSE_LATE));
	else if (!timer_is_active(&r->timer) || r->timer.deadline > w->look_at)
		timer_start(loop_timers(ws_receiver_loop(r)), &r->timer, w->look_at - now);
}

static bool is_watched(const struct ws_receiver *r)
{
	return r->base.session && r->base.session->network.is_watched && r->endpoint->answer_ms;
}

static unsigned pong_timeout(const struct ws_receiver *r)
{
	unsigned ms = r->endpoint->pong_timeout_ms, watched = 2 * r->endpoint->answer_ms;

	return is_watched(r) && watched < ms ? watched : ms;
}

static void fire_within(struct ws_receiver *r, unsigned ms)
{
	uint64_t at = loop_now(ws_receiver_loop(r)) + ms;

	if (!timer_is_active(&r->timer) || r->timer.deadline > at)
		timer_start(loop_timers(ws_receiver_loop(r)), &r->timer, ms);
}

void ws_receiver_ping(struct ws_receiver *r)
{
	r->ping++;
	if (r->base.session && session_asks_for_proof(r->base.session))
		r->proof = r->ping;
	ws_conn_ping(&r->conn, &r->ping, 1);
}

/* A client may leave out pings that came before others (RFC 6455 section 5.5.3). */
void ws_receiver_answered(struct ws_receiver *r, uint8_t ping)
{
	if ((int8_t)(ping - r->proof) >= 0 && (int8_t)(r->ping - ping) >= 0)
		session_proves(r->base.session);
}

/* Behind what the kernel has not even taken it would prove nothing. */
static void ping(struct ws_receiver *r)
{
	if (r->pinged || stream_queued(&r->stream) > 0)
		return;
	r->pinged = true;
	r->ping_waits = stream_unacked(&r->stream) > 0;
	r->progress = (uint32_t)stream_progress(&r->stream);
	ws_receiver_ping(r);
}

/* One that says something now and then need not be asked whether it lives, but nothing of that
 * shows that it has what it was sent. Who is about to be pinged anyway is not pinged twice. */
static void ask_for_proof(struct ws_receiver *r, uint64_t silent)
{
	if (r->base.session && !r->pinged && silent < r->endpoint->ping_interval_ms / 2 &&
	    stream_queued(&r->stream) == 0 && session_has_to_prove(r->base.session))
		ws_receiver_ping(r);
}

/* The first thing that is said, behind the 101, which may not have left yet. */
void ws_receiver_ping_first(struct ws_receiver *r)
{
	r->pinged = true;
	r->ping_waits = false;
	ws_receiver_ping(r);
	timer_start(loop_timers(ws_receiver_loop(r)), &r->timer, pong_timeout(r));
}

void ws_receiver_ping_and_wait(struct ws_receiver *r)
{
	ping(r);
	timer_start(loop_timers(ws_receiver_loop(r)), &r->timer, pong_timeout(r));
}

void ws_receiver_watch_answer(struct ws_receiver *r)
{
	if (!is_watched(r) || !r->endpoint->ping_interval_ms || r->closing || r->pinged)
		return;
	r->is_unanswered = true;
	fire_within(r, r->endpoint->answer_ms);
}

/* Whether there was time to answer. A client on a slow line has to read first what stands before
 * the ping: as long as it does, it is alive, and then it has its time. */
static bool is_unanswered(struct ws_receiver *r)
{
	uint32_t progress, before = r->progress;

	if (!r->pinged || r->conn.paused || ws_receiver_is_behind(r) ||
	    stream_queued(&r->stream) > 0)
		return false;
	if (!r->ping_waits)
		return true;
	r->ping_waits = stream_unacked(&r->stream) > 0;
	r->progress = progress = (uint32_t)stream_progress(&r->stream);
	return (int32_t)(progress - before) <= 0;
}

static void give_up(struct ws_receiver *r, uint64_t silent)
{
	log_debug("a WebSocket answers no ping", LOG_INT("silent_ms", silent));
	if (r->base.session && stream_unacked(&r->stream) == 0)
		r->base.session->is_black = true;
	stream_reset(&r->stream);
	ws_receiver_lost(r);
}

/* A ping and a heartbeat that is nearly due are one, so that silences end for both sides at the
 * same time. */
static void ping_in_time(struct ws_receiver *r)
{
	struct session *s = r->base.session;

	if (s && !r->pinged && session_said_ago(s) >= session_silence_ms(s) / 2)
		session_beat(s);
	if (!r->ended)
		ping(r);
}

static void check_liveness(struct ws_receiver *r)
{
	struct timer_wheel *wheel = loop_timers(ws_receiver_loop(r));
	uint64_t silent = loop_now(ws_receiver_loop(r)) - r->last_heard,
	         interval =
	             r->is_unanswered ? r->endpoint->answer_ms : r->endpoint->ping_interval_ms;

	if (is_unanswered(r)) {
		give_up(r, silent);
	} else if (r->pinged || silent >= interval) {
		ping_in_time(r);
		if (!r->ended)
			timer_start(wheel, &r->timer, pong_timeout(r));
	} else {
		ask_for_proof(r, silent);
		timer_start(wheel, &r->timer, interval - silent);
	}
}

void ws_receiver_on_timer(struct timer *t)
{
	struct ws_receiver *r = container_of(t, struct ws_receiver, timer);

	if (r->parting) {
		ws_receiver_parting_late(r);
		return;
	}
	if (r->closing) {
		ws_receiver_finish(r); /* no Close came in time */
		return;
	}
	ws_receiver_watch_unfinished(r);
	if (r->closing || r->ended)
		return;
	if (r->endpoint->ping_interval_ms || r->pinged)
		check_liveness(r);
	if (!r->ended)
		ws_receiver_watch_unfinished(r); /* the timer is one */
}
