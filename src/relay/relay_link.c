/*
 * relay/relay_link.c - one connection to a STOMP broker; see relay_link.h.
 *
 * Owns: the stream, once the connector has handed it over.
 */
#include "relay/relay_link.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

#define COST_FRAME_READ 1000 /* nanoseconds */
/* A link that is lost sooner has failed, though it was let in: it is tried less and less often */
#define WELL_MS  2000
#define OUT_MAX  (256 * 1024) /* then it is written before the end of the turn */
#define OUT_KEEP (1024 * 1024)

static struct relay_link *of_peer(struct stomp_peer *p)
{
	return container_of(p, struct relay_link, peer);
}

static struct relay_link *of_stream(struct stream *s)
{
	return container_of(s, struct relay_link, stream);
}

/* --- the end of a connection ------------------------------------------------------- */

static void close_stream(struct relay_link *l)
{
	if (!l->is_open)
		return;
	l->is_open = l->is_up = l->was_full = false;
	timer_stop(loop_timers(l->loop), &l->timer);
	stomp_peer_fini(&l->peer);
	stream_close(&l->stream);
	buf_clear(&l->out);
}

static void lose(struct relay_link *l, const char *why)
{
	bool was_up = l->is_up;

	l->failures++;
	if (was_up && l->settings->is_quiet)
		log_info_limited("a client's link to a broker is lost", LOG_STR("broker", l->settings->name),
		    LOG_STR("reason", why));
	else if (was_up)
		log_warn("the link to a broker is lost", LOG_STR("broker", l->settings->name),
		    LOG_STR("server", connector_name(&l->connector)), LOG_STR("reason", why));
	else
		log_warn_limited("a broker does not let us in", LOG_STR("broker", l->settings->name),
		    LOG_STR("server", connector_name(&l->connector)), LOG_STR("reason", why));
	if (was_up && loop_now(l->loop) - l->up_at >= WELL_MS)
		connector_well(&l->connector);
	close_stream(l);
	connector_lost(&l->connector);
}

void relay_link_drop(struct relay_link *l, const char *why)
{
	if (l->is_open)
		lose(l, why);
}

/* The owner is told last: it may do what it likes with the link. */
static void go_away(struct relay_link *l, const char *why)
{
	bool was_up = l->is_up;

	if (!l->is_open)
		return;
	lose(l, why);
	if (was_up)
		l->ops->away(l, why);
	else if (l->ops->failed)
		l->ops->failed(l, why, true);
}

/* --- writing ------------------------------------------------------------------------- */

/* A wire that broke is followed by a hang-up. */
static void write_out(struct relay_link *l)
{
	struct stream_piece piece = { buf_data(&l->out), buf_len(&l->out), NULL };

	if (piece.n == 0 || !l->is_open)
		return;
	l->said_at = loop_now(l->loop);
	stream_write(&l->stream, &piece, 1);
	l->was_full |= stream_queued(&l->stream) > 0;
	if (!l->is_up) /* CONNECT has a secret in it */
		explicit_bzero(l->out.data, l->out.cap);
	buf_clear(&l->out);
	if (l->out.cap > OUT_KEEP)
		buf_fini(&l->out);
}

static void on_turn_end(struct deferred *d)
{
	write_out(container_of(d, struct relay_link, flush));
}

void relay_link_said(struct relay_link *l)
{
	if (buf_len(&l->out) > OUT_MAX)
		write_out(l);
	else
		loop_defer(l->loop, &l->flush, on_turn_end);
}

size_t relay_link_queued(const struct relay_link *l)
{
	return l->is_open ? stream_queued(&l->stream) : 0;
}

/* --- what the codec says ------------------------------------------------------------ */

static void on_write(struct stomp_peer *p, const char *octets, size_t n)
{
	struct relay_link *l = of_peer(p);

	if (buf_add(&l->out, octets, n) == 0)
		relay_link_said(l);
	else
		go_away(l, "out of memory");
}

/* In how long heart-beats are to be looked at. What has come in a turn is read before its timers. */
static void arm(struct relay_link *l)
{
	uint64_t now = loop_now(l->loop);
	uint64_t heard_ago = l->is_paused ? 0 : now - l->heard_at;
	uint32_t next = stomp_peer_beat(&l->peer, heard_ago, now - l->said_at);

	if (l->is_open && next > 0)
		timer_start(loop_timers(l->loop), &l->timer, next);
}

static void on_connected(struct stomp_peer *p, const struct stomp_frame *f)
{
	struct relay_link *l = of_peer(p);

	(void)f;
	timer_stop(loop_timers(l->loop), &l->timer);
	l->is_up = true;
	l->up_at = loop_now(l->loop);
	l->connects++;
	if (!l->settings->is_quiet)
		log_info("a link to a broker is up", LOG_STR("broker", l->settings->name),
		    LOG_STR("server", connector_name(&l->connector)));
	arm(l);
	if (l->is_up)
		l->ops->up(l);
}

static void on_frame(struct stomp_peer *p, const struct stomp_frame *f)
{
	struct relay_link *l = of_peer(p);

	budget_spend(loop_budget(l->loop), COST_FRAME_READ + f->body.n / 4);
	l->ops->frame(l, f);
}

static bool is_late(struct stomp_peer *p)
{
	const struct relay_link *l = of_peer(p);

	return l->is_open && (l->is_paused || budget_is_spent(loop_budget(l->loop)));
}

static void on_failed(struct stomp_peer *p, const char *why)
{
	go_away(of_peer(p), why);
}

static const struct stomp_peer_ops peer_ops = {
	.write = on_write,
	.connected = on_connected,
	.frame = on_frame,
	.failed = on_failed,
	.is_late = is_late,
};

/* --- the stream's events --------------------------------------------------------------- */

static void on_readable(struct stream *s)
{
	struct relay_link *l = of_stream(s);
	char *octets = loop_scratch(l->loop);
	ssize_t n = stream_read(s, octets, LOOP_SCRATCH_BYTES);
	size_t used;

	if (n == 0)
		go_away(l, "the broker has closed the connection");
	if (n <= 0)
		return;
	l->heard_at = loop_now(l->loop);
	used = stomp_peer_feed(&l->peer, octets, (size_t)n, l->scratch);
	if (used == (size_t)n)
		return;
	if (stream_unread(&l->stream, (struct bytes){ octets + used, (size_t)n - used }) < 0)
		go_away(l, "out of memory");
	else if (!l->is_paused)
		stream_read_later(&l->stream, false);
}

void relay_link_pause(struct relay_link *l, bool pauses)
{
	if (l->is_paused == pauses)
		return;
	l->is_paused = pauses;
	if (!l->is_open)
		return;
	l->heard_at = loop_now(l->loop);
	if (stream_want(&l->stream, pauses ? 0 : STREAM_READ) < 0)
		return; /* out of memory: it goes on as it was, and so bounded as it was */
	if (!pauses)
		stream_read_later(&l->stream, false);
}

static void on_writable(struct stream *s)
{
	struct relay_link *l = of_stream(s);

	if (!l->was_full)
		return;
	l->was_full = false;
	if (l->is_up)
		l->ops->drained(l);
}

static void on_hangup(struct stream *s, int err)
{
	go_away(of_stream(s), err ? strerror(-err) : "the broker has closed the connection");
}

static const struct stream_events stream_events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
};

static void on_timer(struct timer *t)
{
	struct relay_link *l = container_of(t, struct relay_link, timer);

	if (l->is_up)
		arm(l);
	else
		go_away(l, "CONNECT was not answered in time");
}

/* --- the connector's events -------------------------------------------------------------- */

static void on_stream(struct connector *c, struct stream *s)
{
	struct relay_link *l = container_of(c, struct relay_link, connector);

	stream_move(&l->stream, s, l->loop, &stream_events);
	l->is_open = true;
	l->heard_at = l->said_at = loop_now(l->loop);
	stomp_peer_init(&l->peer, &peer_ops, &l->settings->limits);
	timer_start(loop_timers(l->loop), &l->timer, l->settings->connect_timeout_ms);
	if (stream_want(&l->stream, l->is_paused ? 0 : STREAM_READ) < 0 ||
	    stomp_peer_connect(&l->peer, l->login) < 0)
		go_away(l, "out of memory");
}

static void on_unreachable(struct connector *c, const char *server, const char *why)
{
	struct relay_link *l = container_of(c, struct relay_link, connector);

	l->failures++;
	log_warn_limited("a broker cannot be reached", LOG_STR("broker", l->settings->name),
	    LOG_STR("server", server), LOG_STR("reason", why));
	if (l->ops->failed && connector_retry_in(c) > 0)
		l->ops->failed(l, why, false);
}

static const struct connector_events connector_events = {
	.connected = on_stream,
	.failed = on_unreachable,
};

/* --- life ------------------------------------------------------------------------------------ */

int relay_link_init(struct relay_link *l, struct loop *loop, struct resolver *resolver,
    const struct relay_link_settings *settings, const struct connector_server *servers, size_t count,
    const struct relay_link_ops *ops, struct stomp_frame *scratch)
{
	memset(l, 0, sizeof(*l));
	l->loop = loop;
	l->settings = settings;
	l->login = &settings->login;
	l->ops = ops;
	l->scratch = scratch;
	timer_init(&l->timer, on_timer);
	connector_init(&l->connector, loop, resolver, &settings->connector, &connector_events);
	return connector_set_servers(&l->connector, servers, count);
}

void relay_link_start(struct relay_link *l)
{
	connector_start(&l->connector);
}

static void say_goodbye(struct relay_link *l)
{
	if (l->is_up && relay_link_queued(l) == 0 &&
	    stomp_write_begin(&l->out, STOMP_DISCONNECT) == 0 &&
	    stomp_write_end(&l->out, (struct bytes){ 0 }) == 0)
		write_out(l);
}

void relay_link_fini(struct relay_link *l)
{
	if (!l->loop)
		return;
	say_goodbye(l);
	close_stream(l);
	connector_fini(&l->connector);
	buf_fini(&l->out);
}
