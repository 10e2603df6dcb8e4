/*
 * hostile/conn.c - the life of a connection: events, what is written, its end; see conn_private.h.
 *
 * Whatever happens, conn_run() does all there is to do then: it looks at the rules, at what has
 * come, writes what is due, and sets the one timer for what will be.
 */
#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "hostile/conn_private.h"

enum { READ_MOST = 16 * 1024, PARTING_MS = 5000 };

const char *conn_phase_name(enum conn_phase phase)
{
	static const char *const names[] = { "idle", "connect", "exchange", "frames", "opaque",
		"hung", "ending" };

	return names[phase];
}

/* --- input ---------------------------------------------------------------------------------- */

static enum way way_of(const struct side *s)
{
	return s == &s->conn->side[FROM_CLIENT] ? FROM_CLIENT : FROM_SERVER;
}

static void on_readable(struct stream *stream)
{
	struct side *s = container_of(stream, struct side, stream);
	struct conn *c = s->conn;
	char *room = buf_reserve(&s->in, READ_MOST);
	ssize_t n;

	if (!room) {
		conn_no_memory(c);
		return;
	}
	n = stream_read(stream, room, READ_MOST);
	if (n > 0) {
		buf_commit(&s->in, (size_t)n);
		c->at.heard_ms = loop_now(c->proxy->loop);
	} else if (n == 0) {
		s->has_ended = true;
	}
	if (n >= 0)
		conn_run(c);
}

static void on_writable(struct stream *stream)
{
	conn_run(container_of(stream, struct side, stream)->conn);
}

/* What it has brought before comes first. */
static void on_hangup(struct stream *stream, int err)
{
	struct side *s = container_of(stream, struct side, stream);
	struct conn *c = s->conn;
	ssize_t n = 1;

	while (n > 0 && buf_len(&s->in) < SIDE_IN_MOST) {
		char *room = buf_reserve(&s->in, READ_MOST);

		n = room ? stream_read_rest(stream, room, READ_MOST) : 0;
		if (n > 0)
			buf_commit(&s->in, (size_t)n);
	}
	s->was_reset = err < 0 && !s->has_ended;
	s->has_ended = true;
	stream_close(stream);
	s->state = SIDE_CLOSED;
	conn_run(c);
}

static const struct stream_events events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
};

/* --- output --------------------------------------------------------------------------------- */

static void close_side(struct side *s)
{
	stream_close(&s->stream);
	s->state = SIDE_CLOSED;
	s->has_ended = true;
}

static void shut(struct conn *c, struct side *s, enum pipe_end how)
{
	s->was_shut = true;
	if (how == PIPE_RST) {
		stream_reset(&s->stream);
		s->state = SIDE_CLOSED;
		s->has_ended = true;
		return;
	}
	stream_shutdown(&s->stream);
	if (c->phase == CONN_ENDING || c->side[way_back(way_of(s))].state != SIDE_OPEN)
		c->parting_until = c->at.now + PARTING_MS;
}

static bool write_some(struct conn *c, struct side *s)
{
	struct bytes b = pipe_peek(&s->out, c->at.now);
	struct stream_piece piece = { b.p, b.n, NULL };

	if (b.n == 0 || stream_write(&s->stream, &piece, 1) < 0)
		return false;
	pipe_take(&s->out, b.n, c->at.now);
	return true;
}

static bool can_write(const struct side *s)
{
	return s->state == SIDE_OPEN && !s->was_shut && stream_queued(&s->stream) == 0;
}

static bool write_side(struct conn *c, enum way to)
{
	struct side *s = &c->side[to];
	enum pipe_end end;
	bool wrote = false;

	while (can_write(s) && write_some(c, s))
		wrote = true;
	if (can_write(s) && (end = pipe_ended(&s->out, c->at.now)) != PIPE_OPEN)
		shut(c, s, end);
	return wrote;
}

/* --- the end -------------------------------------------------------------------------------- */

/* Neither side hears of the other any more. */
static bool is_cut_off(const struct conn *c)
{
	return c->is_forgotten || (c->side[FROM_CLIENT].is_black && c->side[FROM_SERVER].is_black);
}

static void settle_side(struct conn *c, enum way way)
{
	struct side *s = &c->side[way], *other = &c->side[way_back(way)];
	bool waits_for_nobody = is_cut_off(c) || c->phase == CONN_HUNG || c->phase == CONN_CONNECT;

	if (s->state == SIDE_OPENING && other->state == SIDE_CLOSED && !other->out.queued) {
		reach_cancel(&c->reach);
		s->state = SIDE_CLOSED;
	}
	if (s->state != SIDE_OPEN)
		return;
	if (s->has_ended && (s->was_shut || waits_for_nobody))
		close_side(s);
	else if (s->was_shut && c->parting_until && c->at.now >= c->parting_until)
		close_side(s);
}

static bool is_gone(const struct side *s)
{
	return s->state == SIDE_CLOSED || s->state == SIDE_NONE;
}

static void release(struct deferred *d)
{
	struct conn *c = container_of(d, struct conn, deferred);

	for (int way = 0; way < WAYS; way++) {
		buf_fini(&c->side[way].in);
		pipe_fini(&c->side[way].out);
	}
	exchange_fini(&c->x);
	mem_free(c);
}

void conn_end(struct conn *c)
{
	if (c->is_over)
		return;
	c->is_over = true;
	reach_cancel(&c->reach);
	timer_stop(loop_timers(c->proxy->loop), &c->timer);
	stream_close(&c->side[FROM_CLIENT].stream);
	stream_close(&c->side[FROM_SERVER].stream);
	conn_say(c, "connection ended", LOG_INT("requests", c->at.requests),
	    LOG_INT("client_octets", c->at.total.bytes[FROM_CLIENT]),
	    LOG_INT("server_octets", c->at.total.bytes[FROM_SERVER]));
	proxy_conn_ended(c->proxy, c);
	loop_defer(c->proxy->loop, &c->deferred, release);
}

static void cut_side(struct conn *c, enum way way, enum cut_how how)
{
	struct side *s = &c->side[way];

	pipe_clear(&s->out);
	if (s->state == SIDE_OPENING) {
		reach_cancel(&c->reach);
		s->state = SIDE_CLOSED;
	}
	if (s->state == SIDE_OPEN && !s->was_shut)
		shut(c, s, how == CUT_RST ? PIPE_RST : PIPE_FIN);
	c->parting_until = c->at.now + PARTING_MS;
}

/* If one side alone is cut the other one never hears of it. */
void conn_cut(struct conn *c, enum cut_how how, const bool ways[WAYS])
{
	static const char *const names[] = { "fin", "rst", "silent" };
	bool both = ways[FROM_CLIENT] && ways[FROM_SERVER];

	if (c->phase == CONN_ENDING || (c->is_forgotten && how == CUT_SILENT))
		return;
	c->proxy->stats.cuts++;
	conn_say(c, "cut", LOG_STR("how", names[how]));
	c->is_forgotten |= how == CUT_SILENT || !both;
	if (how == CUT_SILENT)
		return;
	if (both)
		c->phase = CONN_ENDING;
	for (int way = 0; way < WAYS; way++)
		if (ways[way])
			cut_side(c, way, how);
}

/* --- what is to be done ----------------------------------------------------------------------- */

static void want(struct conn *c, enum way way)
{
	struct side *s = &c->side[way];
	bool reads = !s->has_ended && buf_len(&s->in) < SIDE_IN_MOST;

	if (s->state == SIDE_OPEN && stream_want(&s->stream, reads ? STREAM_READ : 0) < 0)
		close_side(s);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void set_timer(struct conn *c)
{
	uint64_t wait = c->rule_wait;

	for (int way = 0; way < WAYS; way++)
		if (can_write(&c->side[way]))
			wait = least(wait, pipe_wait(&c->side[way].out, c->at.now));
	if (c->parting_until)
		wait = least(wait, c->parting_until > c->at.now ? c->parting_until - c->at.now : 0);
	timer_stop(loop_timers(c->proxy->loop), &c->timer);
	if (wait != NEVER)
		timer_start(loop_timers(c->proxy->loop), &c->timer, wait ? wait : 1);
}

static void on_timer(struct timer *t)
{
	conn_run(container_of(t, struct conn, timer));
}

/* The server first: its end may make room for another connection to it. */
static bool feed_all(struct conn *c)
{
	bool fed = false;

	while (conn_feed(c, FROM_SERVER) || conn_feed(c, FROM_CLIENT))
		fed = true;
	return fed;
}

void conn_run(struct conn *c)
{
	bool goes_on = !c->is_over;

	if (!goes_on)
		return;
	c->at.now = loop_now(c->proxy->loop);
	conn_apply_rules(c);
	while (goes_on) {
		goes_on = feed_all(c) && !c->is_over;
		if (c->is_over)
			return;
		goes_on |= write_side(c, FROM_CLIENT);
		goes_on |= write_side(c, FROM_SERVER);
	}
	settle_side(c, FROM_CLIENT);
	settle_side(c, FROM_SERVER);
	if (is_gone(&c->side[FROM_CLIENT]) && is_gone(&c->side[FROM_SERVER])) {
		conn_end(c);
		return;
	}
	want(c, FROM_CLIENT);
	want(c, FROM_SERVER);
	set_timer(c);
}

/* --- the beginning ------------------------------------------------------------------------------
 */

void conn_serve_side(struct conn *c, enum way way, struct stream *s)
{
	struct side *side = &c->side[way];

	stream_move(&side->stream, s, c->proxy->loop, &events);
	side->state = SIDE_OPEN;
}

static void init_side(struct conn *c, enum way way)
{
	struct side *s = &c->side[way];

	s->conn = c;
	stream_init_empty(&s->stream);
	pipe_init(&s->out);
}

int conn_new(struct proxy *p, int fd, const struct addr *peer)
{
	struct conn *c = mem_zalloc(sizeof(*c));

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->proxy = p;
	c->peer = *peer;
	init_side(c, FROM_CLIENT);
	init_side(c, FROM_SERVER);
	timer_init(&c->timer, on_timer);
	stream_init(&c->side[FROM_CLIENT].stream, p->loop, fd, &events);
	c->side[FROM_CLIENT].state = SIDE_OPEN;
	memcpy(c->host, p->settings.target_host, sizeof(c->host));
	c->port = p->settings.target_port;
	c->generation = p->rules.generation;
	c->at.now = c->at.heard_ms = c->at.total.began_ms = loop_now(p->loop);
	c->at.connection = ++p->last_number;
	proxy_conn_began(p, c);
	conn_run(c);
	return 0;
}
