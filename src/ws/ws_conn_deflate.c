/*
 * ws/ws_conn_deflate.c - compressed messages of a connection (RFC 7692).
 *
 * One is inflated when it is whole, so that those who inflate can be shared; its frames go the
 * same two paths as others until then. It is inflated in steps, as far as the budget of a call
 * goes; until it is delivered it waits in c->partial.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "ws/ws_conn_private.h"

/* The least that an inflater is set to work for. */
enum { INFLATE_LEAST = 4096 };

void ws_conn_use_deflate(struct ws_conn *c, const struct ws_deflate_params *params)
{
	bool server = c->role == WS_SERVER;
	bool server_takes_over = !params->server_no_context_takeover,
	     client_takes_over = !params->client_no_context_takeover;

	c->deflate = AGREED;
	if (server ? server_takes_over : client_takes_over)
		c->deflate |= WE_TAKE_OVER;
	if (server ? client_takes_over : server_takes_over)
		c->deflate |= PEER_TAKES_OVER;
	c->window_bits = server ? params->server_max_window_bits : params->client_max_window_bits;
}

/* --- what the peer sends ----------------------------------------------------- */

/* What n octets may become, and what it means if there is more. */
static size_t inflation_limit(const struct ws_conn *c, size_t n, enum ws_failure *why)
{
	size_t limit = c->limits->max_message_bytes, factor = c->limits->max_inflation, most;

	*why = TOO_BIG;
	if (factor == 0)
		return limit;
	most = n < SIZE_MAX / factor ? n * factor : SIZE_MAX;
	if (most < WS_INFLATES_FREELY)
		most = WS_INFLATES_FREELY;
	if (limit && limit <= most)
		return limit;
	*why = INFLATES_TOO_MUCH;
	return most;
}

static int failure_of(int err, enum ws_failure too_long)
{
	if (err == -ENOMEM)
		return -NO_MEMORY;
	return err == -EMSGSIZE ? -(int)too_long : -BAD_DEFLATE;
}

int ws_conn_inflate(
    struct ws_conn *c, struct ws_feed *in, const char *p, size_t n, struct ws_inflated *out)
{
	bool takes_over = c->deflate & PEER_TAKES_OVER;
	struct ws_deflate *codec = c->ops->deflate(c, takes_over);
	int64_t left = in->budget->left / (int64_t)cost_of_inflating(1);
	size_t most = left > INFLATE_LEAST ? (size_t)left : INFLATE_LEAST, before = out->n;
	enum ws_failure too_long;
	size_t limit = inflation_limit(c, n, &too_long);
	int err = codec ? ws_inflate(codec, takes_over, p, n, limit, most, out) : -ENOMEM;

	if (err < 0)
		return failure_of(err, too_long);
	budget_spend(in->budget, cost_of_inflating(out->n - before));
	return err;
}

int ws_conn_deliver_inflated(
    struct ws_conn *c, struct ws_feed *in, uint8_t type, struct ws_inflated *out)
{
	struct ws_deflate *codec = c->ops->deflate(c, c->deflate & PEER_TAKES_OVER);
	int err = 0;

	budget_spend(in->budget, cost_of_octets(out->n));
	if (type == WS_TEXT && !utf8_is_valid(out->p, out->n))
		err = -BAD_TEXT;
	else
		c->ops->message(c, (enum ws_opcode)type, out->p, out->n);
	ws_inflated_done(codec, out);
	return err;
}

/* A compressed message that was whole in the caller's buffer, and could not be inflated in this
 * call: it waits as one that came in pieces. */
static int keep_inflating(
    struct ws_conn *c, uint8_t type, const char *p, size_t n, const struct ws_inflated *inflated)
{
	struct ws_partial *m = mem_zalloc(sizeof(*m) + n);

	if (!m)
		return -NO_MEMORY;
	m->type = type;
	m->deflated = m->whole = true;
	m->size = m->capacity = n;
	m->inflated = *inflated;
	memcpy(m->data, p, n);
	c->partial = m;
	return 0;
}

int ws_conn_inflate_in_place(struct ws_conn *c, struct ws_feed *in, uint8_t type, char *p, size_t n)
{
	struct ws_inflated out = { 0 };
	int err = ws_conn_inflate(c, in, p, n, &out);

	if (err == 0 && feed_may_deliver(in, out.n))
		return ws_conn_deliver_inflated(c, in, type, &out);
	if (err >= 0)
		err = keep_inflating(c, type, p, n, &out);
	if (err < 0 && out.p)
		ws_inflated_done(c->ops->deflate(c, c->deflate & PEER_TAKES_OVER), &out);
	return err;
}

/* --- what we send ------------------------------------------------------------ */

bool ws_conn_deflates(struct ws_conn *c, const struct ws_deflate_config *config, bool for_many,
    struct ws_deflate_how *how)
{
	bool takes_over = c->deflate & WE_TAKE_OVER && !for_many;

	if (!c->deflate)
		return false;
	*how = (struct ws_deflate_how){
		.codec = c->ops->deflate(c, takes_over),
		.window_bits = c->window_bits,
		.level = config->level,
		.takes_over = takes_over,
		.min_bytes = config->min_bytes,
		.luck = for_many ? NULL : &c->luck,
	};
	return how->codec != NULL;
}

void ws_conn_sent_for_many(struct ws_conn *c)
{
	struct ws_deflate *own = c->deflate & WE_TAKE_OVER ? c->ops->deflate(c, true) : NULL;

	if (own)
		ws_deflate_forget(own);
}
