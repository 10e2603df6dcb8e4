/*
 * upstream/link_ping.c - whether a backend is alive (RFC 6455 section 5.5.2), and whether
 * its Close comes.
 *
 * Slow is not dead. A ping, or a Close, stands behind all that the backend has not taken yet: as
 * long as its system acknowledges some of that, the answer is not overdue. Once the line has come
 * to its end there is what the backend has not read out of its own system's buffer, which nobody
 * here can see; that may take as long again.
 */
#include "base/log.h"
#include "upstream/link_private.h"

static void wait_for(struct link *l, uint64_t ms)
{
	timer_start(loop_timers(l->part->loop), &l->timer, ms);
}

/* As long as nothing need be said at all, nothing need move either. */
static void wait_for_pong(struct link *l, uint64_t waited)
{
	const struct upstream_settings *settings = l->part->settings;
	unsigned timeout = settings->pong_timeout_ms;

	if (l->line_end)
		wait_for(l, (uint64_t)settings->ping_interval_ms + timeout);
	else
		wait_for(l, waited > timeout ? waited : timeout);
}

static void ping(struct link *l)
{
	bool has_to_wait = stream_unacked(&l->stream) > 0;

	link_has_moved(l); /* from here on */
	l->pinged = true;
	l->pinged_at = loop_now(l->part->loop);
	ws_conn_ping(&l->conn, NULL, 0);
	if (l->ended)
		return;
	l->line_end = has_to_wait ? l->acked + stream_unacked(&l->stream) : 0;
	wait_for_pong(l, 0);
}

/* What was written behind the ping proves nothing: a system takes it for an application that
 * hangs, too. */
static void pong_is_due(struct link *l)
{
	if (l->line_end && link_has_moved(l)) {
		if (l->acked >= l->line_end || stream_unacked(&l->stream) == 0)
			l->line_end = 0;
		wait_for_pong(l, loop_now(l->part->loop) - l->pinged_at);
		return;
	}
	log_warn_limited("an upstream answers no ping", LOG_STR("upstream", l->target->url));
	link_lost(l, SOCKJS_CLOSE_RESTART, UPSTREAM_WENT_AWAY);
}

static void close_is_due(struct link *l)
{
	if (!l->broken && stream_unacked(&l->stream) > 0 && link_has_moved(l))
		wait_for(l, l->part->settings->close_timeout_ms);
	else
		link_end(l);
}

void link_on_timer(struct timer *t)
{
	struct link *l = container_of(t, struct link, timer);
	const struct upstream_settings *settings = l->part->settings;
	uint64_t silent = loop_now(l->part->loop) - l->last_heard;

	if (l->closing)
		close_is_due(l);
	else if (l->pinged && !l->choked && !link_is_behind(l))
		pong_is_due(l);
	else if (silent < settings->ping_interval_ms)
		wait_for(l, settings->ping_interval_ms - silent);
	else if (l->pinged || l->choked) /* nobody would see the pong */
		wait_for(l, settings->pong_timeout_ms);
	else
		ping(l);
}
