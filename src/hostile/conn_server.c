/*
 * hostile/conn_server.c - the connection to the server: reached, left; see conn_private.h.
 */
#include <string.h>

#include "hostile/conn_private.h"

static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";

static void tunnel_is_open(struct conn *c)
{
	struct bytes text = { established, sizeof(established) - 1 };

	c->is_tunnel = true;
	c->phase = CONN_IDLE;
	if (pipe_push(&c->side[FROM_CLIENT].out, text, 0, c->at.now) < 0)
		conn_no_memory(c);
}

static void on_failed(struct conn *c, int err)
{
	struct side *server = &c->side[FROM_SERVER];

	server->state = SIDE_CLOSED;
	server->has_ended = server->end_is_known = true;
	c->proxy->stats.failed++;
	conn_say(c, "the server cannot be reached", LOG_STR("host", c->host),
	    LOG_INT("port", c->port), LOG_ERR(err));
	if (c->phase == CONN_CONNECT || c->phase == CONN_EXCHANGE)
		conn_answer(c, 502, "The server cannot be reached.");
	else
		conn_finish(c, FROM_SERVER, PIPE_RST);
}

static void on_reached(struct reach *r, struct stream *s, int err)
{
	struct conn *c = container_of(r, struct conn, reach);

	c->at.now = loop_now(c->proxy->loop);
	if (!s) {
		on_failed(c, err);
	} else {
		conn_serve_side(c, FROM_SERVER, s);
		if (c->phase == CONN_CONNECT)
			tunnel_is_open(c);
	}
	conn_run(c);
}

void conn_reach(struct conn *c)
{
	struct side *server = &c->side[FROM_SERVER];

	if (server->state == SIDE_OPEN || server->state == SIDE_OPENING)
		return;
	server->state = SIDE_OPENING;
	reach_start(&c->reach, c->proxy->loop, c->proxy->resolver, c->host, c->port, on_reached);
}

void conn_leave_server(struct conn *c)
{
	struct side *server = &c->side[FROM_SERVER];

	reach_cancel(&c->reach);
	stream_close(&server->stream);
	pipe_fini(&server->out);
	pipe_init(&server->out);
	buf_clear(&server->in);
	server->state = SIDE_NONE;
	server->has_ended = server->end_is_known = server->was_shut = false;
	server->loses_frame = false;
	memset(&server->scan, 0, sizeof(server->scan));
}
