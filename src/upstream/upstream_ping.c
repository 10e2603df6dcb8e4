/*
 * upstream/upstream_ping.c - whether a backend is alive (RFC 6455 section 5.5.2), and whether
 * its Close comes.
 *
 * Slow is not dead. A ping, or a Close, stands behind all that the backend has not taken yet: as
 * long as its system acknowledges some of that, the answer is not overdue. Once the line has come
 * to its end there is what the backend has not read out of its own system's buffer, which nobody
 * here can see; that may take as long again.
 */
#include "base/log.h"
#include "upstream/upstream_private.h"

static void wait_for(struct upstream_conn *uc, uint64_t ms)
{
	timer_start(loop_timers(uc->reactor->loop), &uc->timer, ms);
}

/* As long as nothing need be said at all, nothing need move either. */
static void wait_for_pong(struct upstream_conn *uc, uint64_t waited)
{
	const struct upstream_settings *settings = uc->reactor->settings;
	unsigned timeout = settings->pong_timeout_ms;

	if (uc->line_end)
		wait_for(uc, (uint64_t)settings->ping_interval_ms + timeout);
	else
		wait_for(uc, waited > timeout ? waited : timeout);
}

static void ping(struct upstream_conn *uc)
{
	bool has_to_wait = stream_unacked(&uc->stream) > 0;

	upstream_conn_has_moved(uc); /* from here on */
	uc->pinged = true;
	uc->pinged_at = loop_now(uc->reactor->loop);
	ws_conn_ping(&uc->conn, NULL, 0);
	if (uc->ended)
		return;
	uc->line_end = has_to_wait ? uc->acked + stream_unacked(&uc->stream) : 0;
	wait_for_pong(uc, 0);
}

/* What was written behind the ping proves nothing: a system takes it for an application that
 * hangs, too. */
static void pong_is_due(struct upstream_conn *uc)
{
	if (uc->line_end && upstream_conn_has_moved(uc)) {
		if (uc->acked >= uc->line_end || stream_unacked(&uc->stream) == 0)
			uc->line_end = 0;
		wait_for_pong(uc, loop_now(uc->reactor->loop) - uc->pinged_at);
		return;
	}
	tally_failure(&uc->target->tally, TALLY_LOST);
	log_warn_limited("an upstream answers no ping", LOG_STR("upstream", uc->target->url));
	upstream_conn_lost(uc, SOCKJS_CLOSE_RESTART, UPSTREAM_WENT_AWAY);
}

static void close_is_due(struct upstream_conn *uc)
{
	if (!uc->broken && stream_unacked(&uc->stream) > 0 && upstream_conn_has_moved(uc))
		wait_for(uc, uc->reactor->settings->close_timeout_ms);
	else
		upstream_conn_end(uc);
}

void upstream_conn_on_timer(struct timer *t)
{
	struct upstream_conn *uc = container_of(t, struct upstream_conn, timer);
	const struct upstream_settings *settings = uc->reactor->settings;
	uint64_t silent = loop_now(uc->reactor->loop) - uc->last_heard;

	if (uc->closing)
		close_is_due(uc);
	else if (uc->pinged && !uc->choked && !upstream_conn_is_behind(uc))
		pong_is_due(uc);
	else if (silent < settings->ping_interval_ms)
		wait_for(uc, settings->ping_interval_ms - silent);
	else if (uc->pinged || uc->choked) /* nobody would see the pong */
		wait_for(uc, settings->pong_timeout_ms);
	else
		ping(uc);
}
