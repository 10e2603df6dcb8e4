/*
 * ws/ws_conn.c - frames to messages; see ws_conn.h.
 *
 * Two paths lead to the same ops. A message that lies whole in the caller's
 * buffer (nearly all do) is unmasked, checked and delivered right there. What is
 * cut - a header, a frame, a message in fragments - goes through c->partial, which
 * lives from the first octet that has to be kept until its message is delivered. There waits
 * what is too long for the rest of the budget, too.
 *
 * After a failure or a Close c->partial is gone, so nobody looks at it on the way back.
 *
 * Owns: c->partial. Calls: ws_frame, ws_deflate, utf8, mem, random. Never: I/O, time.
 */
#include <errno.h>
#include <string.h>

#include "ws/ws_conn_private.h"

/* --- the rules on a frame's header ------------------------------------------ */

/* The reserved bits that mean something on this frame: with permessage-deflate WS_RSV1, on the
 * first frame of a message (RFC 7692 section 6.1). */
static uint8_t rsv_in_use(const struct ws_conn *c, const struct ws_frame *f)
{
	return c->deflate && (f->opcode == WS_TEXT || f->opcode == WS_BINARY) ? WS_RSV1 : 0;
}

static int check_any(const struct ws_conn *c, const struct ws_frame *f)
{
	if (f->rsv & ~rsv_in_use(c, f))
		return -BAD_RSV;
	if (c->role == WS_SERVER && !f->masked)
		return -NOT_MASKED;
	if (c->role == WS_CLIENT && f->masked)
		return -MASKED;
	return 0;
}

static int check_control(const struct ws_frame *f)
{
	if (f->opcode > WS_PONG)
		return -BAD_OPCODE;
	if (!f->fin)
		return -CONTROL_FRAGMENTED;
	if (f->length > CONTROL_MAX)
		return -CONTROL_TOO_LONG;
	return 0;
}

static int check_limits(const struct ws_conn *c, const struct ws_frame *f)
{
	const struct ws_conn_limits *limits = c->limits;
	unsigned fragments = c->partial ? c->partial->fragments : 0;
	size_t size = c->partial ? c->partial->size : 0;
	bool deflated = message_has_begun(c) ? c->partial->deflated : f->rsv & WS_RSV1;

	if (limits->max_fragments && fragments >= limits->max_fragments)
		return -TOO_MANY_FRAGMENTS;
	if (f->length > ws_payload_limit(c, deflated) - size)
		return -TOO_BIG;
	return 0;
}

static int check_data(const struct ws_conn *c, const struct ws_frame *f)
{
	if (f->opcode > WS_BINARY)
		return -BAD_OPCODE;
	if (f->opcode == WS_CONTINUATION && !message_has_begun(c))
		return -NOTHING_TO_CONTINUE;
	if (f->opcode != WS_CONTINUATION && message_has_begun(c))
		return -MESSAGE_UNFINISHED;
	return check_limits(c, f);
}

static int check_frame(const struct ws_conn *c, const struct ws_frame *f)
{
	int err = check_any(c, f);

	if (err < 0)
		return err;
	return is_control(f) ? check_control(f) : check_data(c, f);
}

/* --- frames that are cut, messages in fragments ------------------------------ */

static int end_control(struct ws_conn *c, struct ws_feed *in)
{
	struct ws_partial *m = c->partial;
	uint8_t opcode = m->frame.opcode;
	size_t n = (size_t)m->frame.length;
	char payload[CONTROL_MAX];

	memcpy(payload, m->control, n);
	ws_partial_drop_unless_message(c);
	return ws_conn_take_control(c, in, opcode, payload, n);
}

bool ws_conn_is_behind(const struct ws_conn *c)
{
	return c->partial && c->partial->whole;
}

static int end_message(struct ws_conn *c)
{
	if (c->partial->utf8 != UTF8_START)
		return -BAD_TEXT;
	c->partial->whole = true;
	return 0;
}

/* A message that is here is inflated, and delivered, as far as the budget goes. */
static int go_on_with_whole(struct ws_conn *c, struct ws_feed *in)
{
	struct ws_partial *m = c->partial;
	int err = 0;

	if (m->failure)
		return -(int)m->failure;
	if (m->deflated && !m->inflated.is_whole) {
		err = ws_conn_inflate(c, in, m->data, m->size, &m->inflated);
		if (err != 0)
			return err < 0 ? err : 0;
		in->fresh = false;
	}
	if (!feed_may_deliver(in, m->deflated ? m->inflated.n : m->size)) {
		in->budget->left = 0; /* what is left is not enough */
		return 0;
	}
	c->partial = NULL; /* the op may close the connection */
	if (m->deflated)
		err = ws_conn_deliver_inflated(c, in, m->type, &m->inflated);
	else
		c->ops->message(c, (enum ws_opcode)m->type, m->data, m->size);
	ws_partial_free(c, m);
	return err;
}

static int end_frame(struct ws_conn *c, struct ws_feed *in)
{
	struct ws_partial *m = c->partial;

	m->in_payload = false;
	if (is_control(&m->frame))
		return end_control(c, in);
	return m->frame.fin ? end_message(c) : 0;
}

/* The header is whole and allowed; its payload is not here, or belongs to a longer message. */
static int begin_payload(struct ws_conn *c, struct ws_feed *in, const struct ws_frame *f)
{
	struct ws_partial *m = ws_partial_get(c);

	if (!m)
		return -NO_MEMORY;
	m->in_payload = true;
	m->frame = *f;
	m->left = f->length;
	if (!is_control(f)) {
		if (f->opcode != WS_CONTINUATION) {
			m->type = f->opcode;
			m->deflated = f->rsv & WS_RSV1;
		}
		m->fragments++;
	}
	return m->left == 0 ? end_frame(c, in) : 0;
}

/* UTF-8 is checked as it comes, so that a bad octet fails the connection at once. */
static int keep_data(struct ws_conn *c, const char *p, size_t n)
{
	struct ws_partial *m = c->partial;
	int err;

	if (m->type == WS_TEXT && !m->deflated) {
		m->utf8 = utf8_check(m->utf8, p, n);
		if (m->utf8 == UTF8_INVALID)
			return -BAD_TEXT;
	}
	err = ws_partial_grow(c, n);
	if (err < 0)
		return err;
	m = c->partial;
	memcpy(m->data + m->size, p, n);
	m->size += n;
	return 0;
}

static ssize_t take_payload(struct ws_conn *c, struct ws_feed *in, char *p, size_t n)
{
	struct ws_partial *m = c->partial;
	size_t here = m->left < n ? (size_t)m->left : n;
	size_t offset = (size_t)(m->frame.length - m->left);
	int err = 0;

	budget_spend(in->budget, cost_of_octets(here));
	if (m->frame.masked)
		ws_mask(p, here, m->frame.mask, offset);
	if (is_control(&m->frame))
		memcpy(m->control + offset, p, here);
	else
		err = keep_data(c, p, here);
	if (err < 0)
		return err;
	c->partial->left -= here;
	if (c->partial->left == 0)
		err = end_frame(c, in);
	return err < 0 ? err : (ssize_t)here;
}

/* --- frames ----------------------------------------------------------------- */

static ssize_t begin_header(struct ws_conn *c, const char *p, size_t n)
{
	struct ws_partial *m = ws_partial_get(c);

	if (!m)
		return -NO_MEMORY;
	memcpy(m->header, p, n);
	m->header_len = (uint8_t)n;
	return 0;
}

static ssize_t go_on_with_header(struct ws_conn *c, struct ws_frame *f, const char *p, size_t n)
{
	struct ws_partial *m = c->partial;
	size_t had = m->header_len, here = sizeof(m->header) - had;
	ssize_t header;

	if (here > n)
		here = n;
	memcpy(m->header + had, p, here);
	header = ws_frame_parse(f, m->header, had + here);
	m->header_len = header == 0 ? (uint8_t)(had + here) : 0;
	if (header < 0)
		return -BAD_LENGTH;
	return header == 0 ? 0 : header - (ssize_t)had;
}

/* Octets of p that belong to a header which is now whole in *f; 0: all, and it is not. */
static ssize_t take_header(struct ws_conn *c, struct ws_frame *f, const char *p, size_t n)
{
	ssize_t header;

	if (c->partial && c->partial->header_len > 0)
		return go_on_with_header(c, f, p, n);
	header = ws_frame_parse(f, p, n);
	if (header < 0)
		return -BAD_LENGTH;
	return header == 0 ? begin_header(c, p, n) : header;
}

/* A control frame, or a message in one frame, whole in the caller's buffer: no copy. */
static int take_in_place(struct ws_conn *c, struct ws_feed *in, const struct ws_frame *f, char *p)
{
	size_t n = (size_t)f->length;

	ws_partial_drop_unless_message(c);
	budget_spend(in->budget, cost_of_octets(n));
	if (f->masked)
		ws_mask(p, n, f->mask, 0);
	if (is_control(f))
		return ws_conn_take_control(c, in, f->opcode, p, n);
	if (f->rsv & WS_RSV1)
		return ws_conn_inflate_in_place(c, in, f->opcode, p, n);
	if (f->opcode == WS_TEXT && !utf8_is_valid(p, n))
		return -BAD_TEXT;
	c->ops->message(c, f->opcode, p, n);
	return 0;
}

static bool stands_alone(const struct ws_frame *f)
{
	return is_control(f) || (f->fin && f->opcode != WS_CONTINUATION);
}

static ssize_t take_frame(struct ws_conn *c, struct ws_feed *in, char *p, size_t n)
{
	struct ws_frame f;
	ssize_t header = take_header(c, &f, p, n);
	int err;

	if (header < 0)
		return header;
	if (header == 0)
		return (ssize_t)n;
	budget_spend(in->budget, COST_FRAME);
	err = check_frame(c, &f);
	if (err < 0)
		return err;
	if (f.length <= n - (size_t)header && stands_alone(&f)) {
		err = take_in_place(c, in, &f, p + header);
		return err < 0 ? err : header + (ssize_t)f.length;
	}
	err = begin_payload(c, in, &f);
	return err < 0 ? err : header;
}

/* One step: how many octets it took, or a failure. */
static ssize_t take_step(struct ws_conn *c, struct ws_feed *in, char *p, size_t n)
{
	if (ws_conn_is_behind(c))
		return go_on_with_whole(c, in);
	if (c->partial && c->partial->in_payload)
		return take_payload(c, in, p, n);
	return take_frame(c, in, p, n);
}

ssize_t ws_conn_feed(struct ws_conn *c, char *p, size_t n, struct budget *budget)
{
	struct budget unlimited = { INT64_MAX };
	struct ws_feed in;
	size_t done = 0;

	in.budget = budget ? budget : &unlimited;
	in.fresh = true;
	in.pings = 0;
	while ((done < n || ws_conn_is_behind(c)) && !c->paused && !c->close_received &&
	       (in.fresh || !budget_is_spent(in.budget))) {
		ssize_t r = take_step(c, &in, p + done, n - done);

		if (r < 0) {
			ws_conn_answer_last_ping(c, &in);
			ws_conn_fail(c, (enum ws_failure)(-r));
			return r == -NO_MEMORY ? -ENOMEM : (ssize_t)n;
		}
		done += (size_t)r;
		in.fresh = false;
	}
	ws_conn_answer_last_ping(c, &in);
	return c->close_received ? (ssize_t)n : (ssize_t)done;
}

/* --- what is under way -------------------------------------------------------- */

struct pace_watch *ws_conn_unfinished(struct ws_conn *c, uint64_t *octets)
{
	struct ws_partial *m = c->partial;

	if (!m || m->whole)
		return NULL;
	*octets = m->size;
	return &m->pace;
}

size_t ws_conn_held(const struct ws_conn *c)
{
	const struct ws_partial *m = c->partial;

	return m ? sizeof(*m) + m->capacity + m->inflated.capacity : 0;
}

/* --- life ------------------------------------------------------------------- */

void ws_conn_init(struct ws_conn *c, enum ws_role role, const struct ws_conn_ops *ops,
    const struct ws_conn_limits *limits)
{
	*c = (struct ws_conn){ .ops = ops, .limits = limits, .role = (uint8_t)role };
}

void ws_conn_fini(struct ws_conn *c)
{
	ws_partial_drop(c);
}

void ws_conn_pause(struct ws_conn *c)
{
	c->paused = true;
}

void ws_conn_resume(struct ws_conn *c)
{
	c->paused = false;
	if (c->partial)
		c->partial->pace = (struct pace_watch){ 0 };
}
