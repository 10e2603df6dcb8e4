/*
 * tests/rules/subject_codec.c - the codec of src/ws as what is tested; see subject.h.
 *
 * Every piece is fed from memory of just its size, so that a sanitizer sees each
 * octet read too many.
 */
#include "rules/subject.h"

#include <stdlib.h>
#include <string.h>

#include "rules/cut.h"
#include "rules/deflate.h"
#include "ws/ws_conn.h"

static const struct ws_conn_limits limits = {
	.max_message_bytes = MESSAGE_MAX,
	.max_fragments = FRAGMENTS_MAX,
};

/* Everything that shrinks is compressed, however short. */
static const struct ws_deflate_config config = {
	.enabled = true,
	.context_takeover = true,
	.window_bits = 15,
	.level = 1,
	.min_bytes = 1,
};

struct subject {
	struct ws_conn conn;
	struct outcome *outcome;
	struct ws_deflate *deflate;
	bool pauses, over;
};

/* --- the ops ---------------------------------------------------------------------------- */

static struct subject *of(struct ws_conn *c)
{
	return (struct subject *)((char *)c - offsetof(struct subject, conn));
}

static void on_write(struct ws_conn *c, const void *frame, size_t n)
{
	if (of(c)->over)
		of(c)->outcome->wrong = "something is written behind the end";
	octets_add(&of(c)->outcome->got, frame, n);
}

/* Compresses N octets; how many came out, 0 if they stay as they are. */
static size_t compress(struct ws_conn *c, const char *data, size_t n, char *room)
{
	struct ws_deflate_how how;
	ssize_t len;

	if (!ws_conn_deflates(c, &config, false, &how))
		return 0;
	len = ws_deflate(&how, data, n, room);
	return len > 0 ? (size_t)len : 0;
}

static void echo_back(struct ws_conn *c, enum ws_opcode type, char *data, size_t n, bool compressed)
{
	char header[WS_HEADER_MAX];
	size_t header_len = ws_conn_data_header(c, header, compressed ? WS_RSV1 : 0, type, data, n);

	on_write(c, header, header_len);
	octets_add(&of(c)->outcome->got, data, n);
}

static void on_message(struct ws_conn *c, enum ws_opcode type, char *data, size_t n)
{
	char *room = malloc(n + WS_DEFLATE_ROOM);
	size_t len;

	if (!room)
		abort();
	len = compress(c, data, n, room);
	if (len > 0)
		echo_back(c, type, room, len, true);
	else
		echo_back(c, type, data, n, false);
	free(room);
	memset(data, '!', n); /* it is ours to change */
	if (of(c)->pauses)
		ws_conn_pause(c);
}

/* The connections without context takeover of a thread share one. */
static struct ws_deflate *on_deflate(struct ws_conn *c, bool own)
{
	static struct ws_deflate *shared;
	struct ws_deflate **which = own ? &of(c)->deflate : &shared;

	if (!*which)
		*which = ws_deflate_new();
	return *which;
}

static void on_close(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	(void)code, (void)reason, (void)n;
	if (of(c)->over)
		of(c)->outcome->wrong = "it ends twice";
	of(c)->over = true;
	of(c)->outcome->end = failed ? FAILED : CLOSED;
}

static const struct ws_conn_ops ops = {
	.message = on_message,
	.write = on_write,
	.close = on_close,
	.deflate = on_deflate,
};

/* --- the opening handshake, as far as it is about extensions ------------------------- */

enum { LINES_MAX = 16 };

struct lines {
	struct ws_request_header headers[LINES_MAX];
	struct ws_request request;
};

static void split_lines(struct lines *l, const char *text)
{
	static const char name[] = "Sec-WebSocket-Extensions";

	l->request = (struct ws_request){ .headers = l->headers };
	while (text && l->request.header_count < LINES_MAX) {
		size_t n = strcspn(text, "\n");

		l->headers[l->request.header_count++] = (struct ws_request_header){
			{ name, sizeof(name) - 1 },
			{ text, n },
		};
		text = text[n] ? text + n + 1 : NULL;
	}
}

bool codec_open(enum side side, const char *offered, const char *answered, char **extensions)
{
	struct ws_deflate_params params;
	char text[WS_EXTENSIONS_MAX];
	struct lines lines;
	int err;

	*extensions = NULL;
	split_lines(&lines, side == AS_SERVER ? offered : answered);
	err = side == AS_SERVER ? ws_deflate_negotiate(&lines.request, &config, &params)
	                        : ws_deflate_accept(&lines.request, &config, &params);
	if (err < 0)
		return false;
	if (params.agreed && side == AS_SERVER)
		ws_deflate_response(&params, text);
	if (params.agreed)
		*extensions = strdup(side == AS_SERVER ? text : answered);
	return true;
}

static void use_deflate(struct ws_conn *c, const struct agreed *a)
{
	struct ws_deflate_params params = {
		.agreed = true,
		.server_no_context_takeover = a->server_no_context_takeover,
		.client_no_context_takeover = a->client_no_context_takeover,
		.server_max_window_bits = (uint8_t)a->server_bits,
		.client_max_window_bits = (uint8_t)a->client_bits,
	};

	ws_conn_use_deflate(c, &params);
}

/* --- the conversation ---------------------------------------------------------------- */

/* Octets that are left over because of a pause; -1: fewer were taken for no reason. */
static ssize_t feed(struct subject *t, const unsigned char *p, size_t n)
{
	char *copy = malloc(n);
	ssize_t taken;

	if (!copy)
		abort();
	memcpy(copy, p, n);
	taken = ws_conn_feed(&t->conn, copy, n, NULL);
	free(copy);
	if (taken < 0 || (size_t)taken > n || ((size_t)taken < n && !t->conn.paused))
		return -1;
	return (ssize_t)n - taken;
}

static void feed_all(struct subject *t, const unsigned char *p, size_t n)
{
	ssize_t left;

	while (n > 0) {
		left = feed(t, p, n);
		if (left < 0) {
			t->outcome->wrong = "not everything that was fed is taken";
			return;
		}
		p += n - (size_t)left;
		n = (size_t)left;
		ws_conn_resume(&t->conn);
	}
}

void codec_play(
    struct outcome *o, const struct script *s, enum side side, enum cut cut, uint32_t seed)
{
	struct subject t = { .outcome = o, .pauses = cut == CUT_BY_PAUSES };
	struct cutter cutter = { .cut = cut, .seed = seed };
	size_t at = 0, n;

	*o = (struct outcome){ .end = STILL_OPEN };
	ws_conn_init(&t.conn, side == AS_SERVER ? WS_SERVER : WS_CLIENT, &ops, &limits);
	if (s->agreed)
		use_deflate(&t.conn, s->agreed);
	for (; at < s->sent.n && !o->wrong; at += n) {
		n = cut_next(&cutter, s->sent.n - at);
		feed_all(&t, s->sent.p + at, n);
	}
	ws_conn_fini(&t.conn);
	ws_deflate_free(t.deflate);
}
