/*
 * bench/load/transport_idle.c - connections that are no sessions (yet): `silent` ones, as browsers
 * open in advance, and those that are `kept` after a short answer.
 */
#include "load/fail.h"
#include "load/transport.h"

static void on_ended(struct link *l)
{
	session_closed(l->owner);
}

static void close_connection(struct session *s)
{
	link_close(&s->down);
	session_closed(s);
}

static void open_connection(struct session *s, const struct link_ops *ops)
{
	link_init(&s->down, &s->load->loop, ops, s);
	link_open(&s->down);
}

/* --- silent ------------------------------------------------------------------------- */

static void on_silent_connected(struct link *l)
{
	session_opened(l->owner);
}

static size_t on_silent_bytes(struct link *l, char *data, size_t len)
{
	struct session *s = l->owner;

	(void)data;
	fail("connection %u: %zu octets that were not asked for", s->number, len);
	return len;
}

static const struct link_ops silent_ops = { on_silent_connected, on_silent_bytes, on_ended };

static void open_silent(struct session *s)
{
	open_connection(s, &silent_ops);
}

const struct transport transport_silent = {
	.name = "silent",
	.open = open_silent,
	.close = close_connection,
};

/* --- kept --------------------------------------------------------------------------- */

static void on_kept_connected(struct link *l)
{
	struct session *s = l->owner;
	char *out = s->load->scratch;

	out = put(out, "GET ");
	out = put(out, s->load->options.prefix);
	out = put(out, "/info HTTP/1.1\r\n");
	out = put(out, s->load->fields);
	out = put(out, "\r\n");
	link_send(l, s->load->scratch, (size_t)(out - s->load->scratch));
}

static size_t on_kept_bytes(struct link *l, char *data, size_t len)
{
	struct session *s = l->owner;
	enum http_event event;
	size_t taken = 0, used;

	while ((event = http_next(&s->down_http, data + taken, len - taken, &used)) != HTTP_MORE) {
		taken += used;
		if (event == HTTP_BAD || s->is_open || s->down_http.status != 200)
			fail(
			    "connection %u: the server answers %u", s->number, s->down_http.status);
		if (event == HTTP_END)
			session_opened(s);
	}
	return taken;
}

static const struct link_ops kept_ops = { on_kept_connected, on_kept_bytes, on_ended };

static void open_kept(struct session *s)
{
	open_connection(s, &kept_ops);
}

const struct transport transport_kept = {
	.name = "kept",
	.open = open_kept,
	.close = close_connection,
};
