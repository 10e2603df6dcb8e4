/*
 * tests/unit/ws_conn_fixture.c - one connection, and what its ops say; see
 * ws_conn_fixture.h.
 */
#include "ws_conn_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world w;
static struct ws_deflate *shared_codec;
struct ws_deflate_params agreed;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	size_t n = strlen(w.said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w.said + n, sizeof(w.said) - n, fmt, ap);
	va_end(ap);
}

static void on_message(struct ws_conn *c, enum ws_opcode type, char *data, size_t n)
{
	w.delivered += n;
	if (n <= 200) {
		say("%s(%.*s)", type == WS_TEXT ? "text" : "binary", (int)n, data);
	} else { /* long ones are made of x */
		say("%s[%zu]", type == WS_TEXT ? "text" : "binary", n);
		ck_assert(data[0] == 'x' && memcmp(data, data + 1, n - 1) == 0);
	}
	memset(data, '!', n); /* it is ours to change */
	if (w.close_on_message)
		ws_conn_close(c, WS_CLOSE_NORMAL, "bye", 3);
	if (w.pause_on_message)
		ws_conn_pause(c);
}

static const char *close_text(const char *p, size_t n)
{
	static char text[WS_REASON_MAX + 16];

	if (n < 2)
		return n == 0 ? "" : "?";
	snprintf(text, sizeof(text), "%u%s%.*s", (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1],
	    n > 2 ? " " : "", (int)n - 2, p + 2);
	return text;
}

/* Reads a frame that the connection wrote; it must be one whole frame, masked as its role asks. */
static void on_write(struct ws_conn *c, const void *frame, size_t n)
{
	char copy[WS_HEADER_MAX + 125];
	struct ws_frame f;
	ssize_t header = ws_frame_parse(&f, frame, n);
	char *p = copy + header;

	ck_assert_int_gt(header, 0);
	ck_assert_uint_eq((size_t)header + f.length, n);
	ck_assert_uint_le(f.length, 125);
	ck_assert(f.fin && f.rsv == 0);
	ck_assert_int_eq(f.masked, c->role == WS_CLIENT);
	memcpy(copy, frame, n);
	if (f.masked)
		ws_mask(p, (size_t)f.length, f.mask, 0);
	if (f.opcode == WS_CLOSE)
		say("write(close %s)", close_text(p, (size_t)f.length));
	else
		say("write(%s %.*s)", f.opcode == WS_PING ? "ping" : "pong", (int)f.length, p);
	if (w.pause_on_write)
		ws_conn_pause(c);
}

static void on_pong(struct ws_conn *c, const char *data, size_t n)
{
	(void)c;
	say("pong(%.*s)", (int)n, data);
}

static void on_close(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	ck_assert(c->close_sent);
	if (failed)
		say("failed(%u)", code);
	else
		say("close(%u%s%.*s)", code, n ? " " : "", (int)n, reason);
}

static struct ws_deflate *on_deflate(struct ws_conn *c, bool own)
{
	struct ws_deflate **d = own ? &w.own : &shared_codec;

	(void)c;
	if (!*d)
		*d = ws_deflate_new();
	return *d;
}

const struct ws_conn_ops ops = { on_message, on_write, on_pong, on_close, on_deflate };

void begin(enum ws_role role)
{
	ws_conn_fini(&w.conn);
	ws_deflate_free(w.own);
	memset(&w, 0, offsetof(struct world, wire));
	ws_conn_init(&w.conn, role, &ops, &w.limits);
	if (agreed.agreed)
		ws_conn_use_deflate(&w.conn, &agreed);
}

void setup(void)
{
	agreed = (struct ws_deflate_params){ 0 };
	begin(WS_SERVER);
}

void teardown(void)
{
	ws_conn_fini(&w.conn);
	ws_deflate_free(w.own);
	w.own = NULL;
	ws_deflate_free(shared_codec);
	shared_codec = NULL;
}

void put_n(unsigned first, const void *payload, size_t n)
{
	static const uint8_t key[4] = { 0xa1, 0x5e, 0x00, 0x93 };
	char *to = w.wire + w.n;
	size_t header = ws_frame_header(
	    to, first & FIN, first & 0x70, first & 0x0f, n, w.conn.role == WS_SERVER ? key : NULL);

	ck_assert_uint_le(w.n + header + n, sizeof(w.wire));
	memcpy(to + header, payload, n);
	if (w.conn.role == WS_SERVER)
		ws_mask(to + header, n, key, 0);
	w.n += header + n;
}

void put(unsigned first, const char *payload)
{
	put_n(first, payload, strlen(payload));
}

void put_raw(const void *p, size_t n)
{
	memcpy(w.wire + w.n, p, n);
	w.n += n;
}

void feed_all(void)
{
	ck_assert_int_eq(ws_conn_feed(&w.conn, w.wire, w.n, NULL), (ssize_t)w.n);
	w.n = 0;
}

void feed_copy(const char *p, size_t n)
{
	char *copy = malloc(n + (n == 0));

	memcpy(copy, p, n);
	ck_assert_int_eq(ws_conn_feed(&w.conn, copy, n, NULL), (ssize_t)n);
	free(copy);
}

void expect(const char *events)
{
	static char raw[1024];
	size_t n = w.n;
	struct ws_conn_limits limits = w.limits;
	enum ws_role role = w.conn.role;

	ck_assert_uint_le(n, sizeof(raw));
	memcpy(raw, w.wire, n);
	for (size_t cut = 0; cut <= n; cut++) {
		begin(role);
		w.limits = limits;
		feed_copy(raw, cut);
		feed_copy(raw + cut, n - cut);
		ck_assert_msg(strcmp(w.said, events) == 0, "cut at %zu: %s", cut, w.said);
	}
	begin(role);
	w.limits = limits;
	for (size_t i = 0; i < n; i++)
		feed_copy(raw + i, 1);
	ck_assert_str_eq(w.said, events);
}

int run_ws_groups(const char *name, const struct ws_group *groups, int count)
{
	Suite *s = suite_create(name);
	SRunner *sr = srunner_create(s);
	int failed;

	for (int i = 0; i < count; i++) {
		TCase *tc = tcase_create(groups[i].name);

		tcase_add_checked_fixture(tc, setup, teardown);
		groups[i].add(tc);
		suite_add_tcase(s, tc);
	}
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
