/*
 * hostile/conn_response.c - a response: what rules do to its head, its body, its end; see
 * conn_private.h.
 */
#include "hostile/conn_private.h"

static void change_head(struct conn *c, struct message_head *m)
{
	struct rules *rules = &c->proxy->rules;

	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *r = rules->rule[i];

		if (r->kind != RULE_HEADER || !r->of_response || !conn_rule_acts(c, i))
			continue;
		if (r->header != HEADER_ADD)
			message_remove(m, r->name);
		if (r->header != HEADER_REMOVE)
			message_add(m, r->name, bytes_of(r->value));
	}
}

static void end_by_close(struct conn *c, struct message_head *m)
{
	c->x.dechunks = true;
	message_remove(m, "Transfer-Encoding");
	message_remove(m, "Trailer");
	message_remove(m, "Connection");
	message_remove(m, "Keep-Alive");
	message_add(m, "Connection", BYTES("close"));
}

static bool closes(const struct message_head *m)
{
	return m->body == BODY_CLOSE || message_has(m, "Connection", "close") ||
	       (m->is_1_0 && !message_has(m, "Connection", "keep-alive"));
}

static void pass_head(struct conn *c, const struct message_head *m)
{
	struct buf text = BUF_INIT;

	if (message_write_response(m, &text) < 0)
		conn_no_memory(c);
	else
		conn_pass(c, FROM_SERVER, (struct bytes){ buf_data(&text), buf_len(&text) });
	buf_fini(&text);
}

/* --- the end ------------------------------------------------------------------------------- */

static void response_is_done(struct conn *c)
{
	struct exchange *x = &c->x;

	x->response_done = true;
	conn_pass_end(c, FROM_SERVER);
	conn_say(c, "response", LOG_INT("request", c->at.requests), LOG_INT("status", x->status),
	    LOG_INT("octets", c->at.here.bytes[FROM_SERVER]));
	if (x->closes && !c->is_forgotten && !c->side[FROM_SERVER].is_black) {
		conn_finish(c, FROM_SERVER, PIPE_FIN);
		conn_leave_server(c);
		c->phase = CONN_ENDING;
	} else if (x->request_done) {
		c->phase = CONN_IDLE;
	}
}

void conn_response_ends(struct conn *c)
{
	if (c->x.has_response && c->x.response.kind == BODY_CLOSE &&
	    !c->side[FROM_SERVER].was_reset) {
		response_is_done(c);
		return;
	}
	conn_say(c, "the server ended within a response", LOG_INT("request", c->at.requests));
	conn_finish(c, FROM_SERVER, c->side[FROM_SERVER].was_reset ? PIPE_RST : PIPE_FIN);
}

/* --- the head ------------------------------------------------------------------------------ */

static void switch_protocols(struct conn *c, const struct message_head *m)
{
	bool is_websocket = message_has(m, "Upgrade", "websocket");

	pass_head(c, m);
	if (c->is_over)
		return;
	conn_pass_end(c, FROM_SERVER);
	c->x.request_done = true;
	if (c->phase == CONN_EXCHANGE)
		c->phase = is_websocket ? CONN_FRAMES : CONN_OPAQUE;
	c->at.upgraded = true;
	conn_say(c, "response", LOG_INT("request", c->at.requests), LOG_INT("status", 101));
	conn_apply_rules(c);
}

static void begin_response(struct conn *c, struct message_head *m)
{
	c->x.has_response = true;
	c->x.status = m->status;
	message_body_begin(&c->x.response, m);
	change_head(c, m);
	c->x.closes = closes(m);
	if (m->body == BODY_CHUNKED)
		message_remove(m, "Content-Length"); /* RFC 9112 section 6.3: it means nothing */
	if (c->x.close_delimited && m->body == BODY_CHUNKED) {
		end_by_close(c, m);
		c->x.closes = true;
	}
	pass_head(c, m);
	if (!c->is_over && c->phase == CONN_EXCHANGE && m->body == BODY_NONE)
		response_is_done(c);
}

static bool take_head(struct conn *c)
{
	struct side *server = &c->side[FROM_SERVER];
	struct message_head m;
	enum http_frame_result result = message_read_response(&m, side_in(server), c->x.is_head);
	size_t octets = m.octets;

	if (result == HTTP_FRAME_MORE)
		return false;
	if (result == HTTP_FRAME_BAD) {
		conn_say(c, "a response is malformed", LOG_STR("why", m.sentence));
		conn_answer(c, 502, m.sentence);
		return false;
	}
	if (m.status == 101 && c->x.asks_upgrade)
		switch_protocols(c, &m);
	else if (m.status < 200)
		pass_head(c, &m);
	else
		begin_response(c, &m);
	/* It may have been left meanwhile, with all its input */
	if (buf_len(&server->in) >= octets)
		buf_consume(&server->in, octets);
	return !c->is_over;
}

/* --- the body ------------------------------------------------------------------------------ */

static bool take_body(struct conn *c)
{
	struct side *server = &c->side[FROM_SERVER];
	struct bytes in = side_in(server), data;
	size_t used;
	enum http_frame_result result = message_body_next(&c->x.response, in, &used, &data);

	if (result == HTTP_FRAME_BAD) {
		conn_say(c, "the body of a response is malformed", LOG_STR("path", c->facts.path));
		conn_cut(c, CUT_RST, (const bool[WAYS]){ true, true });
		return false;
	}
	conn_pass(c, FROM_SERVER, c->x.dechunks ? data : (struct bytes){ in.p, used });
	buf_consume(&server->in, used);
	if (result == HTTP_FRAME_WHOLE && c->phase == CONN_EXCHANGE)
		response_is_done(c);
	return used > 0 || result == HTTP_FRAME_WHOLE;
}

bool conn_take_response(struct conn *c)
{
	if (c->x.response_done)
		return false;
	return c->x.has_response ? take_body(c) : take_head(c);
}
