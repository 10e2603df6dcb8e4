/*
 * tests/fuzz/fuzz_ws_snapshot.c - what is read in place of a connection and its codec. Whatever is
 * believed can be written down again, is believed then, too, and goes on with what its peer sends.
 *
 * Input: one octet of settings, then the snapshot.
 */
#include <stdlib.h>
#include <string.h>

#include "base/snapshot.h"
#include "tests/fuzz/must.h"
#include "ws/ws_conn.h"

enum { CLIENT = 1, SMALL = 2 };

struct end {
	struct ws_conn conn;
	struct ws_deflate *own, *shared;
};

static void on_message(struct ws_conn *c, enum ws_opcode type, char *data, size_t n)
{
	must(type == WS_TEXT || type == WS_BINARY);
	must(type == WS_BINARY || utf8_is_valid(data, n));
	must(c->limits->max_message_bytes == 0 || n <= c->limits->max_message_bytes);
	memset(data, 0xff, n);
}

static void on_write(struct ws_conn *c, const void *frame, size_t n)
{
	struct ws_frame f;

	must(ws_frame_parse(&f, frame, n) > 0 && f.masked == (c->role == WS_CLIENT));
}

static void on_close(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	(void)code, (void)failed;
	must(c->close_sent && c->close_received && utf8_is_valid(reason, n));
}

static struct ws_deflate *on_deflate(struct ws_conn *c, bool own)
{
	struct end *e = container_of(c, struct end, conn);
	struct ws_deflate **d = own ? &e->own : &e->shared;

	if (!*d)
		*d = ws_deflate_new();
	return *d;
}

static const struct ws_conn_ops ops = {
	.message = on_message,
	.write = on_write,
	.close = on_close,
	.deflate = on_deflate,
};

static bool end_read(
    struct end *e, unsigned settings, const struct ws_conn_limits *limits, struct bytes in)
{
	struct snapshot s;
	bool well;

	*e = (struct end){ 0 };
	ws_conn_init(&e->conn, settings & CLIENT ? WS_CLIENT : WS_SERVER, &ops, limits);
	must(snapshot_init_read(&s, in, NULL, 0) == 0);
	ws_conn_snapshot(&e->conn, &s);
	ws_deflate_snapshot(&e->own, &s);
	well = snapshot_error(&s) == 0;
	snapshot_fini(&s);
	return well;
}

static void end_write(struct end *e, struct snapshot *s)
{
	snapshot_init_write(s);
	ws_conn_snapshot(&e->conn, s);
	ws_deflate_snapshot(&e->own, s);
	must(snapshot_error(s) == 0);
}

static void end_fini(struct end *e)
{
	ws_conn_fini(&e->conn);
	ws_deflate_free(e->own);
	ws_deflate_free(e->shared);
}

/* A message as it came, and one that is compressed, and may refer to what was before. */
static void end_feed(struct end *e)
{
	static const char masked[] = "\x82\x83\0\0\0\0abc\xc2\x85\0\0\0\0\xf2\x00\x11\x00\x00",
	                  plain[] = "\x82\x03"
	                            "abc\xc2\x05\xf2\x00\x11\x00\x00";
	bool server = e->conn.role == WS_SERVER;
	struct bytes wire = server ? BYTES(masked) : BYTES(plain);
	char *copy = malloc(wire.n);
	ssize_t taken;

	memcpy(copy, wire.p, wire.n);
	ws_conn_resume(&e->conn);
	taken = ws_conn_feed(&e->conn, copy, wire.n, NULL);
	must(taken == -ENOMEM ||
	     (taken >= 0 && (size_t)taken <= wire.n)); /* as it says that it was */
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct ws_conn_limits limits = { .max_message_bytes = 1 << 20 };
	struct snapshot again;
	struct end e, other;

	if (n < 1)
		return 0;
	if (p[0] & SMALL)
		limits.max_message_bytes = 16;
	if (end_read(&e, p[0], &limits, (struct bytes){ (const char *)p + 1, n - 1 })) {
		end_write(&e, &again);
		must(end_read(&other, p[0], &limits,
		    (struct bytes){ buf_data(&again.out), buf_len(&again.out) }));
		snapshot_fini(&again);
		end_feed(&other);
		end_fini(&other);
		end_feed(&e);
	}
	end_fini(&e);
	return 0;
}
