/*
 * hostile/conn_request.c - a request: what rules do to it, its new head, where it goes; see
 * conn_private.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "hostile/conn_private.h"
#include "net/server_address.h"

#define COPY_MOST (1024 * 1024)

/* --- passing on ---------------------------------------------------------------------------- */

static void keep_copy(struct conn *c, struct bytes b)
{
	struct buf *copy = &c->x.copy;

	if (!c->x.duplicates)
		return;
	c->x.duplicates = buf_len(copy) + b.n <= COPY_MOST && buf_add(copy, b.p, b.n) == 0;
	if (!c->x.duplicates)
		conn_say(
		    c, "a request is too long to be sent twice", LOG_STR("path", c->facts.path));
}

static void pass_request(struct conn *c, struct bytes b)
{
	keep_copy(c, b);
	conn_pass(c, FROM_CLIENT, b);
}

static void request_is_done(struct conn *c)
{
	struct exchange *x = &c->x;

	x->request_done = true;
	conn_pass_end(c, FROM_CLIENT);
	if (x->duplicates)
		copy_start(c->proxy, c->host, c->port,
		    (struct bytes){ buf_data(&x->copy), buf_len(&x->copy) });
	x->duplicates = false;
	buf_fini(&x->copy);
	if (x->response_done && c->phase == CONN_EXCHANGE)
		c->phase = CONN_IDLE;
}

void exchange_fini(struct exchange *x)
{
	buf_fini(&x->head);
	buf_fini(&x->gathered);
	buf_fini(&x->copy);
	memset(x, 0, sizeof(*x));
}

/* A chunked body is sent on as HTTP/1.0 knows it: whole, behind its length. */
static void send_gathered(struct conn *c)
{
	struct buf *head = &c->x.head, *body = &c->x.gathered;

	if (buf_printf(head, "Content-Length: %zu\r\n\r\n", buf_len(body)) < 0) {
		conn_no_memory(c);
		return;
	}
	pass_request(c, (struct bytes){ buf_data(head), buf_len(head) });
	pass_request(c, (struct bytes){ buf_data(body), buf_len(body) });
	buf_fini(head);
	buf_fini(body);
}

static bool gather(struct conn *c, struct bytes data)
{
	if (buf_len(&c->x.gathered) + data.n > GATHERED_MOST) {
		conn_answer(c, 413, "This proxy speaks HTTP/1.0, and cannot gather so much.");
		return false;
	}
	if (buf_add(&c->x.gathered, data.p, data.n) < 0) {
		conn_no_memory(c);
		return false;
	}
	return true;
}

bool conn_take_request_body(struct conn *c)
{
	struct side *client = &c->side[FROM_CLIENT];
	struct bytes data;
	size_t used;
	enum http_frame_result result =
	    message_body_next(&c->x.request, side_in(client), &used, &data);

	if (result == HTTP_FRAME_BAD) {
		conn_say(c, "the body of a request is malformed", LOG_STR("path", c->facts.path));
		conn_cut(c, CUT_RST, (const bool[WAYS]){ true, true });
		return false;
	}
	if (!c->x.gathers)
		pass_request(c, (struct bytes){ buf_data(&client->in), used });
	else if (!gather(c, data))
		return false;
	buf_consume(&client->in, used);
	if (result == HTTP_FRAME_WHOLE && c->x.gathers)
		send_gathered(c);
	if (result == HTTP_FRAME_WHOLE)
		request_is_done(c);
	return used > 0 || result == HTTP_FRAME_WHOLE;
}

/* --- what rules do --------------------------------------------------------------------------- */

static void change_field(struct message_head *m, const struct rule *r, struct bytes value)
{
	if (r->header != HEADER_ADD)
		message_remove(m, r->name);
	if (r->header != HEADER_REMOVE)
		message_add(m, r->name, value);
}

static void strip_upgrade(struct conn *c, struct message_head *m)
{
	c->x.asks_upgrade = false;
	message_remove(m, "Upgrade");
	message_remove(m, "Connection");
}

static void go_down(struct conn *c, struct message_head *m)
{
	strip_upgrade(c, m);
	message_remove(m, "Keep-Alive");
	message_add(m, "Connection", BYTES("close"));
	c->x.gathers = m->body == BODY_CHUNKED;
	if (c->x.gathers)
		message_remove(m, "Transfer-Encoding");
	m->is_1_0 = true;
}

static bool is_connect(const struct message_head *m)
{
	return bytes_equal(m->method, BYTES("CONNECT"));
}

static bool names_other_port(const struct rule *r, const struct message_head *m)
{
	const char *colon = memrchr(m->target.p, ':', m->target.n);
	uint64_t port = 0;

	if (!is_connect(m))
		return false;
	if (colon)
		word_number(
		    (struct bytes){ colon + 1, (size_t)(m->target.p + m->target.n - colon) - 1 },
		    &port);
	for (unsigned i = 0; i < r->port_count; i++)
		if (r->ports[i] == port)
			return false;
	return true;
}

/* What it does is nothing to this request. */
static bool is_moot(const struct conn *c, const struct rule *r, const struct message_head *m)
{
	switch (r->kind) {
	case RULE_STRIP_UPGRADE:
		return !c->x.asks_upgrade;
	case RULE_DUPLICATE:
		return c->x.asks_upgrade || is_connect(m) ||
		       (r->target_count == 0 && !bytes_equal(m->method, BYTES("POST")));
	case RULE_CONNECT_ONLY:
		return !names_other_port(r, m);
	case RULE_HEADER:
		return r->of_response;
	case RULE_CLOSE_DELIMITED:
	case RULE_HTTP_1_0:
		return is_connect(m);
	default:
		return !rule_is_of_request(r);
	}
}

/* False: the request goes no further. */
static bool apply_rule(struct conn *c, const struct rule *r, struct message_head *m, char *client)
{
	if (r->kind == RULE_STATUS) {
		conn_answer(c, r->status, "A rule has answered this request.");
		return false;
	}
	if (r->kind == RULE_CONNECT_ONLY) {
		conn_answer(c, 403, "CONNECT is for other ports.");
		return false;
	}
	if (r->kind == RULE_HANG) {
		c->phase = CONN_HUNG;
		return false;
	}
	if (r->kind == RULE_HTTP_1_0)
		go_down(c, m);
	else if (r->kind == RULE_STRIP_UPGRADE)
		strip_upgrade(c, m);
	else if (r->kind == RULE_HEADER)
		change_field(
		    m, r, strcmp(r->value, "$client") == 0 ? bytes_of(client) : bytes_of(r->value));
	c->x.duplicates |= r->kind == RULE_DUPLICATE;
	c->x.close_delimited |= r->kind == RULE_CLOSE_DELIMITED;
	return true;
}

static bool apply_rules(struct conn *c, struct message_head *m, char *client)
{
	struct rules *rules = &c->proxy->rules;

	for (size_t i = 0; i < rules->count; i++)
		if (!is_moot(c, rules->rule[i], m) && conn_rule_acts(c, i) &&
		    !apply_rule(c, rules->rule[i], m, client))
			return false;
	return true;
}

/* --- where it goes -----------------------------------------------------------------------------
 */

/* To the target, whoever is named, unless it may go anywhere. */
static bool set_server(struct conn *c, struct bytes authority, uint16_t default_port)
{
	struct server_address address;
	char text[300];

	if (!c->proxy->settings.anywhere)
		return true;
	if (authority.n >= sizeof(text))
		return false;
	*bytes_put(text, authority) = '\0';
	if (!server_address_read(text, &address) || address.path)
		return false;
	if (address.port == 0)
		address.port = default_port;
	if (strcmp(c->host, address.host) != 0 || c->port != address.port)
		conn_leave_server(c);
	memcpy(c->host, address.host, sizeof(c->host));
	c->port = address.port;
	return true;
}

/* http://host:port/path?query: its authority, and what is asked of that. */
static bool split_absolute(struct bytes target, struct bytes *authority, struct bytes *path)
{
	const char *slash;

	*authority = (struct bytes){ target.p + 7, target.n - 7 };
	slash = memchr(authority->p, '/', authority->n);
	*path = BYTES("/");
	if (slash) {
		*path = (struct bytes){ slash, (size_t)(authority->p + authority->n - slash) };
		authority->n = (size_t)(slash - authority->p);
	}
	return authority->n > 0 && !memchr(authority->p, '@', authority->n);
}

static bool read_target(struct conn *c, struct message_head *m, struct bytes *path)
{
	struct bytes authority;

	*path = m->target;
	if (m->target.n < 7 || strncasecmp(m->target.p, "http://", 7) != 0)
		return m->target.p[0] == '/' || m->target.p[0] == '*';
	if (!split_absolute(m->target, &authority, path))
		return false;
	message_remove(m, "Proxy-Connection");
	return c->is_tunnel || set_server(c, authority, 80);
}

static void open_tunnel(struct conn *c, const struct message_head *m)
{
	if (c->is_tunnel || !set_server(c, m->target, 443)) {
		conn_answer(c, 400, "This is no place to connect to.");
		return;
	}
	c->phase = CONN_CONNECT;
	conn_reach(c);
}

static void send_on(struct conn *c, struct message_head *m, struct bytes path)
{
	struct buf *head = &c->x.head;

	c->x.is_head = bytes_equal(m->method, BYTES("HEAD"));
	message_body_begin(&c->x.request, m);
	c->phase = CONN_EXCHANGE;
	if (message_write_request(m, path, head) < 0) {
		conn_no_memory(c);
		return;
	}
	conn_reach(c);
	if (c->x.gathers) {
		buf_cut(head, buf_len(head) - 2); /* one more field is to come */
		return;
	}
	pass_request(c, (struct bytes){ buf_data(head), buf_len(head) });
	buf_fini(head);
	if (m->body == BODY_NONE)
		request_is_done(c);
}

/* --- a head is here -------------------------------------------------------------------------- */

static void begin(struct conn *c, const struct message_head *m, struct bytes path)
{
	bool asks =
	    message_has(m, "Upgrade", "websocket") && message_has(m, "Connection", "upgrade");

	exchange_fini(&c->x);
	c->x.asks_upgrade = message_has(m, "Connection", "upgrade");
	request_facts_read(&c->facts, m->method, path, asks);
	c->at.request = &c->facts;
	c->at.requests++;
	c->at.upgraded = false;
	c->at.here = (struct counts){ .began_ms = c->at.now };
	c->proxy->stats.requests++;
	conn_say(c, "request", LOG_INT("request", c->at.requests),
	    LOG_STR("method", c->facts.method), LOG_STR("path", c->facts.path),
	    LOG_STR("transport", c->facts.transport));
}

static void serve(struct conn *c, struct message_head *m)
{
	char client[ADDR_TEXT_MAX];
	struct bytes path;

	if (is_connect(m)) {
		path = m->target;
	} else if (!read_target(c, m, &path)) {
		conn_answer(c, 400, "This target makes no sense.");
		return;
	}
	begin(c, m, path);
	conn_apply_rules(c);
	addr_print(&c->peer, false, client);
	if (c->phase != CONN_IDLE || c->is_over || !apply_rules(c, m, client))
		return;
	if (is_connect(m))
		open_tunnel(c, m);
	else
		send_on(c, m, path);
}

/* In a tunnel anything may be spoken. */
static bool not_a_request(struct conn *c, const struct message_head *m)
{
	if (c->is_tunnel && c->at.requests <= 1) {
		conn_go_opaque(c);
		return true;
	}
	conn_say(c, "a request is malformed", LOG_STR("why", m->sentence));
	c->proxy->stats.refused++;
	conn_answer(c, m->bad_status, m->sentence);
	return false;
}

bool conn_take_request(struct conn *c)
{
	struct side *client = &c->side[FROM_CLIENT];
	struct message_head m;
	enum http_frame_result result;

	buf_consume(&client->in, http_empty_lines(side_in(client)));
	if (buf_len(&client->in) == 0)
		return false;
	result = message_read_request(&m, side_in(client));
	if (result == HTTP_FRAME_BAD)
		return not_a_request(c, &m);
	if (result == HTTP_FRAME_MORE)
		return false;
	serve(c, &m);
	buf_consume(&client->in, m.octets);
	return !c->is_over;
}
