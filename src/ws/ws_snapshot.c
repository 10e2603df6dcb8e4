/*
 * ws/ws_snapshot.c - a connection as octets, for another process; see ws_conn.h.
 *
 * What is kept between two calls of ws_conn_feed() goes along: the beginning of a header, of a
 * frame, of a message. A compressed message that waits to be inflated goes as it came, and is
 * inflated there. But where it may refer to those before, and has been begun, the window is in its
 * midst already: then what comes of it goes along, or why nothing does.
 *
 * Reading, all that the other files take for granted of a partial message is checked here. The
 * limits may be others than they were; what is beyond them fails as if it had come now.
 */
#include "base/mem.h"
#include "base/snapshot.h"
#include "ws/ws_conn_private.h"

/* --- before it is written --------------------------------------------------------------- */

/* In the midst of a message that refers to others. To go on in this process is as it would have
 * been. */
static bool is_being_inflated(const struct ws_conn *c)
{
	const struct ws_partial *m = c->partial;

	return m && (c->deflate & PEER_TAKES_OVER) && m->inflated.p && !m->inflated.is_whole;
}

static void inflate_to_the_end(struct ws_conn *c)
{
	struct ws_partial *m = c->partial;
	struct budget unlimited = { INT64_MAX };
	struct ws_feed in = { .budget = &unlimited };
	int err;

	do {
		err = ws_conn_inflate(c, &in, m->data, m->size, &m->inflated);
	} while (err == WS_INFLATE_MORE);
	if (err < 0)
		m->failure = (uint8_t)-err;
}

/* --- a frame ------------------------------------------------------------------------------ */

static void header_snapshot(struct ws_partial *m, struct snapshot *s)
{
	struct ws_frame f;

	m->header_len = (uint8_t)snapshot_below(s, m->header_len, sizeof(m->header));
	snapshot_raw(s, m->header, m->header_len);
	if (snapshot_reads(s))
		snapshot_check(s, ws_frame_parse(&f, m->header, m->header_len) == 0);
}

/* As check_frame() and begin_payload() leave it. */
static bool payload_is_sound(const struct ws_conn *c, const struct ws_partial *m)
{
	const struct ws_frame *f = &m->frame;

	if (m->left == 0 || m->left > f->length || f->length > INT64_MAX ||
	    f->masked != (c->role == WS_SERVER))
		return false;
	if (is_control(f))
		return f->opcode >= WS_CLOSE && f->opcode <= WS_PONG && f->fin &&
		       f->length <= CONTROL_MAX;
	return f->opcode <= WS_BINARY && m->type != 0 && m->fragments > 0;
}

static void payload_snapshot(struct ws_conn *c, struct snapshot *s)
{
	struct ws_partial *m = c->partial;
	struct ws_frame *f = &m->frame;

	SNAPSHOT(s, bool, f->fin);
	f->opcode = (uint8_t)snapshot_below(s, f->opcode, 16);
	SNAPSHOT(s, bool, f->masked);
	snapshot_raw(s, f->mask, sizeof(f->mask));
	SNAPSHOT(s, u64, f->length);
	SNAPSHOT(s, u64, m->left);
	if (snapshot_check(s, payload_is_sound(c, m)) && is_control(f))
		snapshot_raw(s, m->control, (size_t)(f->length - m->left));
}

/* --- a message ----------------------------------------------------------------------------- */

static void pace_snapshot(struct pace_watch *w, struct snapshot *s)
{
	SNAPSHOT(s, u64, w->began);
	SNAPSHOT(s, u64, w->look_at);
	SNAPSHOT(s, u64, w->octets);
}

static int keep_inflated(struct ws_inflated *out, struct bytes b)
{
	out->capacity = b.n + 1; /* from nothing no buffer can grow */
	out->p = mem_alloc(out->capacity);
	if (!out->p)
		return -ENOMEM;
	bytes_put(out->p, b);
	out->n = b.n;
	out->is_whole = true;
	return 0;
}

static void inflated_snapshot(struct ws_partial *m, struct snapshot *s)
{
	struct bytes b = snapshot_bytes(s, (struct bytes){ m->inflated.p, m->inflated.n });

	if (snapshot_reads(s) && snapshot_check(s, b.p && m->deflated && m->whole) &&
	    keep_inflated(&m->inflated, b) < 0)
		snapshot_fail(s, -ENOMEM);
}

/* Its UTF-8 is checked anew. */
static void keep_octets(struct ws_conn *c, struct snapshot *s, struct bytes b)
{
	struct ws_partial *m;

	if (ws_partial_grow(c, b.n) < 0) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	m = c->partial;
	bytes_put(m->data, b);
	m->size = b.n;
	if (m->type == WS_TEXT && !m->deflated)
		m->utf8 = utf8_check(UTF8_START, m->data, m->size);
	snapshot_check(s, m->utf8 != UTF8_INVALID && (!m->whole || m->utf8 == UTF8_START));
}

static void octets_snapshot(struct ws_conn *c, struct snapshot *s)
{
	struct ws_partial *m = c->partial;
	struct bytes b = snapshot_bytes(s, (struct bytes){ m->data, m->size });

	if (snapshot_reads(s))
		keep_octets(c, s, b);
}

/* Its limits are exceeded already. */
static bool is_too_big(const struct ws_conn *c, const struct ws_partial *m)
{
	uint64_t limit = ws_payload_limit(c, m->deflated), whole = c->limits->max_message_bytes;

	if (m->size > limit || (whole && m->inflated.n > whole))
		return true;
	return m->in_payload && !is_control(&m->frame) && m->left > limit - m->size;
}

static void message_snapshot(struct ws_conn *c, struct snapshot *s)
{
	struct ws_partial *m = c->partial;
	bool is_inflated = (c->deflate & PEER_TAKES_OVER) && m->inflated.p;

	SNAPSHOT(s, bool, m->deflated);
	SNAPSHOT(s, bool, m->whole);
	m->failure = (uint8_t)snapshot_below(s, m->failure, NO_MEMORY + 1);
	SNAPSHOT(s, u32, m->fragments);
	pace_snapshot(&m->pace, s);
	snapshot_check(s, (c->deflate || !m->deflated) && (m->whole || !m->failure));
	if (snapshot_bool(s, is_inflated))
		inflated_snapshot(m, s);
	else if (!m->failure)
		octets_snapshot(c, s);
}

/* Nobody waits for the rest of it. */
static void fail_as_too_big(struct ws_partial *m)
{
	m->whole = true;
	m->failure = TOO_BIG;
	m->in_payload = false;
	m->header_len = 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool partial_is_sound(const struct ws_partial *m)
{
	if (m->whole)
		return !m->in_payload && m->header_len == 0;
	return m->in_payload || m->header_len > 0 || m->type != 0;
}

static void partial_snapshot(struct ws_conn *c, struct snapshot *s)
{
	c->partial->type = (uint8_t)snapshot_below(s, c->partial->type, WS_BINARY + 1);
	if (c->partial->type)
		message_snapshot(c, s);
	if (SNAPSHOT(s, bool, c->partial->in_payload))
		payload_snapshot(c, s);
	else
		header_snapshot(c->partial, s);
	snapshot_check(s, partial_is_sound(c->partial));
	if (snapshot_reads(s) && !c->partial->failure && is_too_big(c, c->partial))
		fail_as_too_big(c->partial);
}

static void agreement_snapshot(struct ws_conn *c, struct snapshot *s)
{
	c->deflate = (uint8_t)snapshot_below(s, c->deflate, 2 * WE_TAKE_OVER);
	SNAPSHOT(s, u8, c->window_bits);
	c->luck.bad = (uint8_t)snapshot_below(s, c->luck.bad, 8);
	SNAPSHOT(s, u8, c->luck.skip);
	snapshot_check(s,
	    !c->deflate || ((c->deflate & AGREED) && c->window_bits >= 8 && c->window_bits <= 15));
}

static void conn_snapshot(struct ws_conn *c, struct snapshot *s)
{
	bool has_partial;

	snapshot_check(s, snapshot_below(s, c->role, 2) == c->role);
	SNAPSHOT(s, bool, c->paused);
	SNAPSHOT(s, bool, c->close_sent);
	SNAPSHOT(s, bool, c->close_received);
	agreement_snapshot(c, s);
	has_partial = snapshot_bool(s, c->partial != NULL);
	snapshot_check(s, !c->close_received || (c->close_sent && !has_partial));
	if (!has_partial || snapshot_error(s))
		return;
	if (ws_partial_get(c))
		partial_snapshot(c, s);
	else
		snapshot_fail(s, -ENOMEM);
}

void ws_conn_snapshot(struct ws_conn *c, struct snapshot *s)
{
	if (!snapshot_enter(s, "WSCN", 1))
		return;
	if (!s->is_reading && is_being_inflated(c))
		inflate_to_the_end(c);
	conn_snapshot(c, s);
	snapshot_leave(s);
}
