/*
 * tests/fuzz/fuzz_ws_conn.c - the connection under bytes of every kind.
 *
 * The same bytes are fed twice: whole, and cut, paused, short of time and from process to process at random. What
 * happened must be the same, and legal: text is UTF-8, limits hold, what is
 * written are whole control frames, and after the close op nothing happens.
 *
 * Input: one octet of settings, one of seed, then the wire.
 */
#include "ws/ws_conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/snapshot.h"
#include "tests/fuzz/must.h"

enum {
	CLIENT = 1,
	SMALL = 2,
	FEW = 4,
	CLOSING = 8,
	DEFLATE = 16,
	TAKEOVER = 32
}; /* bits of the settings */

struct run {
	struct ws_conn conn;
	struct ws_deflate *codec;
	struct buf events;
	uint32_t random;
	unsigned pongs;
	bool pausing;
	bool closed;
};

static uint32_t next_random(struct run *r)
{
	r->random = r->random * 1664525 + 1013904223;
	return r->random >> 16;
}

static void record(struct run *r, char what, const void *p, size_t n)
{
	must(!r->closed);
	must(buf_add(&r->events, &what, 1) == 0);
	must(buf_add(&r->events, &n, sizeof(n)) == 0);
	must(buf_add(&r->events, p, n) == 0);
	if (r->pausing && next_random(r) % 3 == 0)
		ws_conn_pause(&r->conn);
}

static void on_message(struct ws_conn *c, enum ws_opcode type, char *data, size_t n)
{
	must(type == WS_TEXT || type == WS_BINARY);
	must(type == WS_BINARY || utf8_is_valid(data, n));
	must(c->limits->max_message_bytes == 0 || n <= c->limits->max_message_bytes);
	record(container_of(c, struct run, conn), type == WS_TEXT ? 't' : 'b', data, n);
	memset(data, 0xff, n);
}

static void on_write(struct ws_conn *c, const void *frame, size_t n)
{
	char copy[WS_HEADER_MAX + 125];
	struct ws_frame f;
	ssize_t header = ws_frame_parse(&f, frame, n);

	must(header > 0 && (size_t)header + f.length == n && n <= sizeof(copy));
	must(f.fin && f.rsv == 0 && f.length <= 125);
	must(f.opcode == WS_CLOSE || f.opcode == WS_PONG);
	must(f.masked == (c->role == WS_CLIENT));
	memcpy(copy, frame, n);
	if (f.masked)
		ws_mask(copy + header, (size_t)f.length, f.mask, 0);
	if (f.opcode == WS_PONG)
		container_of(c, struct run, conn)->pongs++;
	record(container_of(c, struct run, conn), f.opcode == WS_CLOSE ? 'C' : 'P', copy + header,
	    (size_t)f.length);
}

static void on_pong(struct ws_conn *c, const char *data, size_t n)
{
	must(n <= 125);
	record(container_of(c, struct run, conn), 'p', data, n);
}

static void on_close(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	struct run *r = container_of(c, struct run, conn);

	must(c->close_sent && c->close_received && !c->partial);
	must(ws_close_code_is_valid(code) || (code == WS_CLOSE_NO_STATUS && !failed));
	must(n <= WS_REASON_MAX && utf8_is_valid(reason, n));
	record(r, failed ? 'F' : 'c', reason, n);
	must(buf_add(&r->events, &code, sizeof(code)) == 0);
	r->closed = true;
}

static struct ws_deflate *on_deflate(struct ws_conn *c, bool own)
{
	struct run *r = container_of(c, struct run, conn);

	(void)own;
	if (!r->codec)
		r->codec = ws_deflate_new();
	return r->codec;
}

static const struct ws_conn_ops ops = { on_message, on_write, on_pong, on_close, on_deflate };

/* Another process goes on with it. */
static void hand_over(struct run *r)
{
	const struct ws_conn_limits *limits = r->conn.limits;
	enum ws_role role = r->conn.role;
	struct snapshot out, in;

	snapshot_init_write(&out);
	ws_conn_snapshot(&r->conn, &out);
	ws_deflate_snapshot(&r->codec, &out);
	must(snapshot_error(&out) == 0);
	ws_conn_fini(&r->conn);
	ws_deflate_free(r->codec);
	ws_conn_init(&r->conn, role, &ops, limits);
	must(snapshot_init_read(
	         &in, (struct bytes){ buf_data(&out.out), buf_len(&out.out) }, NULL, 0) == 0);
	ws_conn_snapshot(&r->conn, &in);
	ws_deflate_snapshot(&r->codec, &in);
	must(snapshot_error(&in) == 0);
	snapshot_fini(&in);
	snapshot_fini(&out);
}

/* One read: a copy of just its size, and what a pause, or a budget that is spent, leaves of it is
 * fed again. */
static void feed(struct run *r, const uint8_t *p, size_t n)
{
	while (n > 0 || ws_conn_is_behind(&r->conn)) {
		char *copy = malloc(n + (n == 0));
		struct budget budget = { r->pausing ? next_random(r) % 4096 : INT64_MAX };
		ssize_t used;

		must(copy != NULL);
		memcpy(copy, p, n);
		used = ws_conn_feed(&r->conn, copy, n, &budget);
		must(used >= 0 && (size_t)used <= n);
		must((size_t)used == n || r->conn.paused || budget_is_spent(&budget));
		must(memcmp(copy + used, p + used, n - (size_t)used) == 0);
		free(copy);
		if (r->pausing && next_random(r) % 8 == 0)
			hand_over(r);
		ws_conn_resume(&r->conn);
		p += used;
		n -= (size_t)used;
	}
}

static void begin(struct run *r, unsigned settings, const struct ws_conn_limits *limits)
{
	ws_conn_init(&r->conn, settings & CLIENT ? WS_CLIENT : WS_SERVER, &ops, limits);
	if (settings & DEFLATE) {
		bool forget = !(settings & TAKEOVER);
		struct ws_deflate_params params = { true, forget, forget, 15, 15, false, false };

		ws_conn_use_deflate(&r->conn, &params);
	}
	if (settings & CLOSING)
		ws_conn_close(&r->conn, 1001, "first", 5);
	ws_conn_resume(&r->conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct run whole = { 0 }, cut = { .pausing = true };
	struct ws_conn_limits limits = { 0 };
	unsigned settings;

	if (n < 2)
		return 0;
	settings = p[0];
	cut.random = p[1];
	limits.max_message_bytes = settings & SMALL ? 100 : 0;
	limits.max_fragments = settings & FEW ? 4 : 0;
	p += 2;
	n -= 2;
	begin(&whole, settings, &limits);
	feed(&whole, p, n);
	begin(&cut, settings, &limits);
	for (size_t at = 0, piece; at < n; at += piece) {
		piece = 1 + next_random(&cut) % (cut.random & 0x1000 ? 4 : 40);
		piece = piece < n - at ? piece : n - at;
		feed(&cut, p + at, piece);
	}
	/* Of more pings in one call not all are answered */
	must(whole.pongs > WS_PINGS_ANSWERED || buf_len(&whole.events) == buf_len(&cut.events));
	must(whole.pongs > WS_PINGS_ANSWERED || buf_len(&cut.events) == 0 ||
	     memcmp(buf_data(&whole.events), buf_data(&cut.events), buf_len(&cut.events)) == 0);
	ws_conn_fini(&whole.conn);
	ws_conn_fini(&cut.conn);
	ws_deflate_free(whole.codec);
	ws_deflate_free(cut.codec);
	buf_fini(&whole.events);
	buf_fini(&cut.events);
	return 0;
}
