/*
 * hostile/conn_feed.c - what has come from a side, by what it is; see conn_private.h.
 */
#include "hostile/conn_private.h"

static void consume(struct side *s, size_t n)
{
	buf_consume(&s->in, n);
}

static bool drop_input(struct conn *c, enum way way)
{
	struct side *s = &c->side[way];
	size_t n = buf_len(&s->in);

	c->lost[way] += n;
	c->proxy->stats.lost_bytes[way] += n;
	consume(s, n);
	return false;
}

void conn_go_opaque(struct conn *c)
{
	c->phase = CONN_OPAQUE;
	conn_reach(c);
}

/* --- frames --------------------------------------------------------------------------------- */

static void begin_frame(struct conn *c, enum way way)
{
	struct side *s = &c->side[way];

	conn_apply_rules(c);
	s->loses_frame = s->is_black || conn_drops_frame(c, way);
}

static void end_frame(struct conn *c, enum way way)
{
	struct side *s = &c->side[way];

	c->at.total.frames[way]++;
	c->at.here.frames[way]++;
	c->proxy->stats.frames[way]++;
	c->proxy->stats.lost_frames[way] += s->loses_frame;
	s->loses_frame = false;
	conn_apply_rules(c);
}

/* Whoever speaks so is passed on as he is. */
static bool not_frames(struct conn *c, enum way way)
{
	conn_say(c, "this is no WebSocket frame", LOG_STR("way", way_name(way)));
	c->phase = CONN_OPAQUE;
	return true;
}

static bool take_frame(struct conn *c, enum way way)
{
	struct side *s = &c->side[way];
	struct frame_piece piece;
	ssize_t n = frame_scan_next(&s->scan, side_in(s), &piece);

	if (n < 0)
		return not_frames(c, way);
	if (n == 0)
		return false;
	if (piece.begins)
		begin_frame(c, way);
	conn_pass(c, way, piece.octets);
	if (piece.ends)
		end_frame(c, way);
	consume(s, (size_t)n);
	return true;
}

/* --- others ----------------------------------------------------------------------------------- */

static bool take_octets(struct conn *c, enum way way)
{
	struct side *s = &c->side[way];
	size_t n = buf_len(&s->in);

	conn_pass(c, way, side_in(s));
	consume(s, n);
	return n > 0;
}

static bool take_message(struct conn *c, enum way way)
{
	if (way == FROM_SERVER)
		return conn_take_response(c);
	return !c->x.request_done && conn_take_request_body(c);
}

/* A server that speaks first in a tunnel speaks no HTTP. */
static bool take_unasked(struct conn *c)
{
	if (!c->is_tunnel || c->at.requests > 1)
		return drop_input(c, FROM_SERVER);
	conn_go_opaque(c);
	return true;
}

static bool take(struct conn *c, enum way way)
{
	switch (c->phase) {
	case CONN_IDLE:
		return way == FROM_CLIENT ? conn_take_request(c) : take_unasked(c);
	case CONN_EXCHANGE:
		return take_message(c, way);
	case CONN_FRAMES:
		return take_frame(c, way);
	case CONN_OPAQUE:
		return take_octets(c, way);
	case CONN_CONNECT:
		return false;
	default:
		return drop_input(c, way);
	}
}

/* --- the end of one direction
 * --------------------------------------------------------------------- */

static enum pipe_end how_ended(const struct side *s)
{
	return s->was_reset ? PIPE_RST : PIPE_FIN;
}

static void client_ends(struct conn *c)
{
	struct side *client = &c->side[FROM_CLIENT];

	if (c->phase == CONN_IDLE && client->is_black) {
		c->is_forgotten = true; /* the server never hears of it */
	} else if (c->phase == CONN_IDLE) {
		pipe_finish(&client->out, PIPE_FIN, c->at.now);
		c->phase = CONN_ENDING;
	}
	conn_finish(c, FROM_CLIENT, how_ended(client));
}

/* An idle connection to a server may end without the client's knowledge. */
static void server_ends(struct conn *c)
{
	if (c->is_forgotten || c->side[FROM_SERVER].is_black)
		return;
	if (c->phase == CONN_IDLE && !c->is_tunnel)
		conn_leave_server(c);
	else if (c->phase == CONN_EXCHANGE)
		conn_response_ends(c);
	else
		conn_finish(c, FROM_SERVER, how_ended(&c->side[FROM_SERVER]));
}

/* What is left of the input is the beginning of something. */
static void know_end(struct conn *c, enum way way)
{
	struct side *s = &c->side[way];

	if (!s->has_ended || s->end_is_known)
		return;
	s->end_is_known = true;
	conn_say(c, s->was_reset ? "a side has broken" : "a side has ended",
	    LOG_STR("way", way_name(way)));
	if (way == FROM_CLIENT)
		client_ends(c);
	else
		server_ends(c);
}

/* A client that has gone does not come back. To a server there may be another connection, as soon
 * as all that this one has said is known. */
static bool is_for_nobody(const struct side *to, enum way way)
{
	return to->state == SIDE_CLOSED && (way == FROM_SERVER || to->end_is_known);
}

bool conn_feed(struct conn *c, enum way way)
{
	struct side *s = &c->side[way], *to = &c->side[way_back(way)];

	if (c->is_over)
		return false;
	if (c->is_forgotten || is_for_nobody(to, way))
		drop_input(c, way);
	else if (buf_len(&s->in) > 0 && pipe_is_full(conn_pipe(c, way)) && c->phase < CONN_HUNG &&
	         conn_pipe(c, way)->end == PIPE_OPEN)
		return false;
	else if (buf_len(&s->in) > 0 && take(c, way))
		return true;
	know_end(c, way);
	return false;
}
