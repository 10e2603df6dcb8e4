/*
 * ws/ws_conn.c - frames to messages, control frames, closing handshake; see
 * ws_conn.h.
 *
 * Two paths lead to the same ops. A message that lies whole in the caller's
 * buffer (nearly all do) is unmasked, checked and delivered right there. What is
 * cut - a header, a frame, a message in fragments - goes through c->partial, which
 * lives from the first octet that has to be kept until its message is delivered.
 *
 * Inner functions return octets consumed (or 0), or a negated enum failure;
 * ws_conn_feed() alone turns that into a Close frame. After a failure or a Close
 * c->partial is gone, so nobody looks at it on the way back.
 *
 * A compressed message (RFC 7692) is inflated when it is whole, so that those who
 * inflate can be shared; its frames go the same two paths until then. It is inflated in steps, as
 * far as the budget of a call goes; until it is delivered it waits in c->partial, and so does any
 * other that is too long for what is left of the budget.
 *
 * Owns: c->partial. Calls: ws_frame, ws_deflate, utf8, mem, random. Never: I/O, time.
 */
#include "ws/ws_conn.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"

/* The most a control frame may carry (RFC 6455 section 5.5). */
enum { CONTROL_MAX = 125 };

/* The least that an inflater is set to work for. */
enum { INFLATE_LEAST = 4096 };

/* The first step of growth; a message shorter than this is allocated as it is cut. */
enum { FIRST_CAPACITY = 512 };

/* All the ways in which a connection fails. The reason goes out in our Close frame. */
enum failure {
	BAD_LENGTH = 1,
	BAD_RSV,
	BAD_OPCODE,
	NOT_MASKED,
	MASKED,
	CONTROL_FRAGMENTED,
	CONTROL_TOO_LONG,
	NOTHING_TO_CONTINUE,
	MESSAGE_UNFINISHED,
	TOO_MANY_FRAGMENTS,
	TOO_BIG,
	INFLATES_TOO_MUCH,
	BAD_TEXT,
	BAD_DEFLATE,
	CLOSE_TOO_SHORT,
	BAD_CLOSE_CODE,
	BAD_CLOSE_REASON,
	NO_MEMORY,
};

static const struct {
	unsigned code;
	const char *reason;
} failures[] = {
	[BAD_LENGTH] = { WS_CLOSE_PROTOCOL_ERROR, "frame length is not minimal or too large" },
	[BAD_RSV] = { WS_CLOSE_PROTOCOL_ERROR, "reserved bit set without an extension" },
	[BAD_OPCODE] = { WS_CLOSE_PROTOCOL_ERROR, "unknown opcode" },
	[NOT_MASKED] = { WS_CLOSE_PROTOCOL_ERROR, "frame from a client is not masked" },
	[MASKED] = { WS_CLOSE_PROTOCOL_ERROR, "frame from a server is masked" },
	[CONTROL_FRAGMENTED] = { WS_CLOSE_PROTOCOL_ERROR, "control frame is fragmented" },
	[CONTROL_TOO_LONG] = { WS_CLOSE_PROTOCOL_ERROR, "control frame is over 125 octets" },
	[NOTHING_TO_CONTINUE] = { WS_CLOSE_PROTOCOL_ERROR, "continuation without a message" },
	[MESSAGE_UNFINISHED] = { WS_CLOSE_PROTOCOL_ERROR, "message begun within another" },
	[TOO_MANY_FRAGMENTS] = { WS_CLOSE_TOO_BIG, "message has too many fragments" },
	[TOO_BIG] = { WS_CLOSE_TOO_BIG, "message is too big" },
	[INFLATES_TOO_MUCH] = { WS_CLOSE_TOO_BIG, "message was compressed too much" },
	[BAD_TEXT] = { WS_CLOSE_INVALID_DATA, "text is not UTF-8" },
	[BAD_DEFLATE] = { WS_CLOSE_INVALID_DATA, "compressed message is damaged" },
	[CLOSE_TOO_SHORT] = { WS_CLOSE_PROTOCOL_ERROR, "close frame of one octet" },
	[BAD_CLOSE_CODE] = { WS_CLOSE_PROTOCOL_ERROR, "invalid close code" },
	[BAD_CLOSE_REASON] = { WS_CLOSE_INVALID_DATA, "close reason is not UTF-8" },
	[NO_MEMORY] = { WS_CLOSE_INTERNAL_ERROR, "out of memory" },
};

/* What has to be kept between two calls of ws_conn_feed(). One allocation. */
struct ws_partial {
	/* The frame under way: first octets of its header, then its payload. */
	uint8_t header[WS_HEADER_MAX];
	uint8_t header_len; /* 0: no header has begun */
	bool in_payload;
	struct ws_frame frame;
	uint64_t left; /* octets of its payload still to come */

	/* The message under way. Control frames, which may stand within it, leave this alone. */
	uint8_t type; /* WS_TEXT or WS_BINARY; 0: no message has begun */
	bool deflated;
	bool whole; /* all its frames are here, and it is to be delivered */
	utf8_state utf8;
	unsigned fragments;
	struct pace_watch pace; /* the owner's */
	struct ws_inflated inflated;
	size_t size;
	size_t capacity;

	char control[CONTROL_MAX]; /* payload of a control frame under way */
	char data[];               /* `capacity` octets, of which the message has `size` */
};

/* One call of ws_conn_feed(). */
struct feed {
	struct budget *budget;
	bool fresh; /* nothing was done in it yet */
	unsigned pings;
	uint8_t last_ping_len;
	char last_ping[CONTROL_MAX]; /* of those beyond WS_PINGS_ANSWERED */
};

/* of c->deflate */
enum { AGREED = 1, PEER_TAKES_OVER = 2, WE_TAKE_OVER = 4 };

/* --- what is kept ----------------------------------------------------------- */

static struct ws_partial *partial_get(struct ws_conn *c)
{
	if (!c->partial)
		c->partial = mem_zalloc(sizeof(*c->partial));
	return c->partial;
}

static void partial_free(struct ws_conn *c, struct ws_partial *m)
{
	if (m && m->inflated.p)
		ws_inflated_done(c->ops->deflate(c, c->deflate & PEER_TAKES_OVER), &m->inflated);
	mem_free(m);
}

static void partial_drop(struct ws_conn *c)
{
	partial_free(c, c->partial);
	c->partial = NULL;
}

/* Once a header or a control frame is whole, nothing but a message is worth keeping. */
static void partial_drop_unless_message(struct ws_conn *c)
{
	if (c->partial && c->partial->type == 0)
		partial_drop(c);
}

static bool message_has_begun(const struct ws_conn *c)
{
	return c->partial && c->partial->type != 0;
}

/* The most octets that the frames of a message may carry. What is compressed may be somewhat larger
 * than what it stands for. */
static uint64_t payload_limit(const struct ws_conn *c, bool deflated)
{
	uint64_t limit = c->limits->max_message_bytes;

	if (limit == 0)
		return UINT64_MAX;
	return deflated ? limit + limit / 8 + 1024 : limit;
}

/* The size up to which growing makes sense. The announced length bounds it and never raises it. */
static uint64_t capacity_bound(const struct ws_conn *c, const struct ws_partial *m)
{
	return m->frame.fin ? m->size + m->left : payload_limit(c, m->deflated);
}

/* Makes room for n octets that are here; doubles, so that a message costs O(size) altogether. */
static int partial_grow(struct ws_conn *c, size_t n)
{
	struct ws_partial *m = c->partial;
	size_t need = m->size + n, capacity = 2 * m->capacity;
	uint64_t bound = capacity_bound(c, m);

	if (n <= m->capacity - m->size)
		return 0;
	if (need > SIZE_MAX / 4)
		return -NO_MEMORY;
	if (capacity < FIRST_CAPACITY)
		capacity = FIRST_CAPACITY;
	if (capacity > bound)
		capacity = (size_t)bound;
	if (capacity < need)
		capacity = need;
	m = mem_realloc(m, sizeof(*m) + capacity);
	if (!m)
		return -NO_MEMORY;
	m->capacity = capacity;
	c->partial = m;
	return 0;
}

/* --- sending ---------------------------------------------------------------- */

size_t ws_conn_data_header(struct ws_conn *c, char out[WS_HEADER_MAX], uint8_t rsv,
    enum ws_opcode opcode, char *data, size_t n)
{
	uint8_t key[4];

	if (c->role == WS_SERVER)
		return ws_frame_header(out, true, rsv, opcode, n, NULL);
	random_bytes(key, sizeof(key));
	ws_mask(data, n, key, 0);
	return ws_frame_header(out, true, rsv, opcode, n, key);
}

static void send_control(struct ws_conn *c, enum ws_opcode opcode, const void *data, size_t n)
{
	char frame[WS_HEADER_MAX + CONTROL_MAX], *payload = frame + WS_HEADER_MAX;
	char header[WS_HEADER_MAX];
	size_t header_len;

	if (n > 0)
		memcpy(payload, data, n);
	header_len = ws_conn_data_header(c, header, 0, opcode, payload, n);
	memcpy(payload - header_len, header, header_len);
	c->ops->write(c, payload - header_len, header_len + n);
}

void ws_conn_ping(struct ws_conn *c, const void *data, size_t n)
{
	if (!c->close_sent)
		send_control(c, WS_PING, data, n < CONTROL_MAX ? n : CONTROL_MAX);
}

bool ws_close_code_is_valid(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

/* The longest beginning of a reason that is UTF-8 and fits into a Close frame. */
static size_t reason_prefix(const char *reason, size_t n)
{
	utf8_state state = UTF8_START;
	size_t good = 0;

	for (size_t i = 0; i < n && i < WS_REASON_MAX; i++) {
		state = utf8_check(state, reason + i, 1);
		if (state == UTF8_INVALID)
			break;
		if (state == UTF8_START)
			good = i + 1;
	}
	return good;
}

void ws_conn_close(struct ws_conn *c, unsigned code, const char *reason, size_t n)
{
	char payload[CONTROL_MAX];

	if (c->close_sent)
		return;
	c->close_sent = true;
	if (code == WS_CLOSE_NO_STATUS) {
		send_control(c, WS_CLOSE, NULL, 0);
		return;
	}
	if (!ws_close_code_is_valid(code))
		code = WS_CLOSE_NORMAL;
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	n = reason_prefix(reason, n);
	if (n > 0)
		memcpy(payload + 2, reason, n);
	send_control(c, WS_CLOSE, payload, 2 + n);
}

/* --- the end ---------------------------------------------------------------- */

/* Here, and nowhere else, input ends. */
static void end_input(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	c->close_received = true;
	partial_drop(c);
	c->ops->close(c, code, reason, n, failed);
}

static void fail(struct ws_conn *c, enum failure why)
{
	const char *reason = failures[why].reason;

	ws_conn_close(c, failures[why].code, reason, strlen(reason));
	end_input(c, failures[why].code, reason, strlen(reason), true);
}

/* --- control frames --------------------------------------------------------- */

/* At most so many pongs in a call; then the last ping speaks for all. */
static void on_ping(struct ws_conn *c, struct feed *in, const char *p, size_t n)
{
	if (in->pings++ < WS_PINGS_ANSWERED) {
		send_control(c, WS_PONG, p, n); /* also while closing: section 5.5.2 */
		return;
	}
	if (n > 0)
		memcpy(in->last_ping, p, n);
	in->last_ping_len = (uint8_t)n;
}

static void answer_last_ping(struct ws_conn *c, struct feed *in)
{
	if (in->pings > WS_PINGS_ANSWERED)
		send_control(c, WS_PONG, in->last_ping, in->last_ping_len);
	in->pings = 0;
}

static int on_close(struct ws_conn *c, struct feed *in, const char *p, size_t n)
{
	unsigned code;

	answer_last_ping(c, in);
	if (n == 0) {
		ws_conn_close(c, WS_CLOSE_NO_STATUS, NULL, 0);
		end_input(c, WS_CLOSE_NO_STATUS, "", 0, false);
		return 0;
	}
	if (n == 1)
		return -CLOSE_TOO_SHORT;
	code = (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];
	if (!ws_close_code_is_valid(code))
		return -BAD_CLOSE_CODE;
	if (!utf8_is_valid(p + 2, n - 2))
		return -BAD_CLOSE_REASON;
	ws_conn_close(c, code, NULL, 0);
	end_input(c, code, p + 2, n - 2, false);
	return 0;
}

static int on_control(struct ws_conn *c, struct feed *in, uint8_t opcode, const char *p, size_t n)
{
	switch (opcode) {
	case WS_CLOSE:
		return on_close(c, in, p, n);
	case WS_PING:
		on_ping(c, in, p, n);
		return 0;
	default:
		if (c->ops->pong)
			c->ops->pong(c, p, n);
		return 0;
	}
}

/* --- the rules on a frame's header ------------------------------------------ */

static bool is_control(const struct ws_frame *f)
{
	return f->opcode & 0x8;
}

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
	if (f->length > payload_limit(c, deflated) - size)
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

/* --- compressed messages ------------------------------------------------------ */

/* What n octets may become, and what it means if there is more. */
static size_t inflation_limit(const struct ws_conn *c, size_t n, enum failure *why)
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

static int failure_of(int err, enum failure too_long)
{
	if (err == -ENOMEM)
		return -NO_MEMORY;
	return err == -EMSGSIZE ? -(int)too_long : -BAD_DEFLATE;
}

/* 0: it is whole; WS_INFLATE_MORE; or a failure. */
static int inflate_within_budget(
    struct ws_conn *c, struct feed *in, const char *p, size_t n, struct ws_inflated *out)
{
	bool takes_over = c->deflate & PEER_TAKES_OVER;
	struct ws_deflate *codec = c->ops->deflate(c, takes_over);
	int64_t left = in->budget->left / (int64_t)cost_of_inflating(1);
	size_t most = left > INFLATE_LEAST ? (size_t)left : INFLATE_LEAST, before = out->n;
	enum failure too_long;
	size_t limit = inflation_limit(c, n, &too_long);
	int err = codec ? ws_inflate(codec, takes_over, p, n, limit, most, out) : -ENOMEM;

	if (err < 0)
		return failure_of(err, too_long);
	budget_spend(in->budget, cost_of_inflating(out->n - before));
	return err;
}

/* Hands an inflated message over and gives its memory back. */
static int deliver_inflated(
    struct ws_conn *c, struct feed *in, uint8_t type, struct ws_inflated *out)
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

/* Whether a message may be delivered in this call. A long one had better come first in it: nobody
 * can stop an application in its midst. */
static bool may_deliver(const struct feed *in, size_t n)
{
	return in->fresh ||
	       cost_of_json(n) <= (uint64_t)(in->budget->left > 0 ? in->budget->left : 0);
}

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

/* --- frames that are cut, messages in fragments ------------------------------ */

static int end_control(struct ws_conn *c, struct feed *in)
{
	struct ws_partial *m = c->partial;
	uint8_t opcode = m->frame.opcode;
	size_t n = (size_t)m->frame.length;
	char payload[CONTROL_MAX];

	memcpy(payload, m->control, n);
	partial_drop_unless_message(c);
	return on_control(c, in, opcode, payload, n);
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
static int go_on_with_whole(struct ws_conn *c, struct feed *in)
{
	struct ws_partial *m = c->partial;
	int err = 0;

	if (m->deflated && !m->inflated.is_whole) {
		err = inflate_within_budget(c, in, m->data, m->size, &m->inflated);
		if (err != 0)
			return err < 0 ? err : 0;
		in->fresh = false;
	}
	if (!may_deliver(in, m->deflated ? m->inflated.n : m->size)) {
		in->budget->left = 0; /* what is left is not enough */
		return 0;
	}
	c->partial = NULL; /* the op may close the connection */
	if (m->deflated)
		err = deliver_inflated(c, in, m->type, &m->inflated);
	else
		c->ops->message(c, (enum ws_opcode)m->type, m->data, m->size);
	partial_free(c, m);
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

static int inflate_in_place(struct ws_conn *c, struct feed *in, uint8_t type, char *p, size_t n)
{
	struct ws_inflated out = { 0 };
	int err = inflate_within_budget(c, in, p, n, &out);

	if (err == 0 && may_deliver(in, out.n))
		return deliver_inflated(c, in, type, &out);
	if (err >= 0)
		err = keep_inflating(c, type, p, n, &out);
	if (err < 0 && out.p)
		ws_inflated_done(c->ops->deflate(c, c->deflate & PEER_TAKES_OVER), &out);
	return err;
}

static int end_frame(struct ws_conn *c, struct feed *in)
{
	struct ws_partial *m = c->partial;

	m->in_payload = false;
	if (is_control(&m->frame))
		return end_control(c, in);
	return m->frame.fin ? end_message(c) : 0;
}

/* The header is whole and allowed; its payload is not here, or belongs to a longer message. */
static int begin_payload(struct ws_conn *c, struct feed *in, const struct ws_frame *f)
{
	struct ws_partial *m = partial_get(c);

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
	err = partial_grow(c, n);
	if (err < 0)
		return err;
	m = c->partial;
	memcpy(m->data + m->size, p, n);
	m->size += n;
	return 0;
}

static ssize_t take_payload(struct ws_conn *c, struct feed *in, char *p, size_t n)
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
	struct ws_partial *m = partial_get(c);

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
static int take_in_place(struct ws_conn *c, struct feed *in, const struct ws_frame *f, char *p)
{
	size_t n = (size_t)f->length;

	partial_drop_unless_message(c);
	budget_spend(in->budget, cost_of_octets(n));
	if (f->masked)
		ws_mask(p, n, f->mask, 0);
	if (is_control(f))
		return on_control(c, in, f->opcode, p, n);
	if (f->rsv & WS_RSV1)
		return inflate_in_place(c, in, f->opcode, p, n);
	if (f->opcode == WS_TEXT && !utf8_is_valid(p, n))
		return -BAD_TEXT;
	c->ops->message(c, f->opcode, p, n);
	return 0;
}

static bool stands_alone(const struct ws_frame *f)
{
	return is_control(f) || (f->fin && f->opcode != WS_CONTINUATION);
}

static ssize_t take_frame(struct ws_conn *c, struct feed *in, char *p, size_t n)
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
static ssize_t take_step(struct ws_conn *c, struct feed *in, char *p, size_t n)
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
	struct feed in;
	size_t done = 0;

	in.budget = budget ? budget : &unlimited;
	in.fresh = true;
	in.pings = 0;
	while ((done < n || ws_conn_is_behind(c)) && !c->paused && !c->close_received &&
	       (in.fresh || !budget_is_spent(in.budget))) {
		ssize_t r = take_step(c, &in, p + done, n - done);

		if (r < 0) {
			answer_last_ping(c, &in);
			fail(c, (enum failure)(-r));
			return r == -NO_MEMORY ? -ENOMEM : (ssize_t)n;
		}
		done += (size_t)r;
		in.fresh = false;
	}
	answer_last_ping(c, &in);
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
	partial_drop(c);
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
