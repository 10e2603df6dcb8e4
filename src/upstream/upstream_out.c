/*
 * upstream/upstream_out.c - messages to a backend. What a turn has for one backend is one
 * send; when the backend takes nothing the client is paused.
 */
#include <errno.h>

#include "base/text.h"
#include "upstream/upstream_private.h"

#define OUT_MAX  (256 * 1024)  /* then it is sent before the end of the turn */
#define OUT_KEEP (1024 * 1024) /* a larger buffer is given back */

static void slow_client_down(struct upstream_conn *uc)
{
	if (uc->client_paused || !uc->session ||
	    stream_queued(&uc->stream) <= uc->reactor->settings->send_buffer_bytes / 2)
		return;
	uc->client_paused = true;
	sockjs_pause(uc->session);
}

void upstream_conn_write(struct upstream_conn *uc, const char *p, size_t n)
{
	struct stream_piece piece = { p, n, NULL };

	if (!uc->ended)
		stream_write(&uc->stream, &piece, 1);
}

void upstream_conn_flush(struct upstream_reactor *reactor)
{
	struct upstream_conn *uc = reactor->out_conn;

	reactor->out_conn = NULL;
	if (uc) {
		upstream_conn_write(uc, buf_data(&reactor->out), buf_len(&reactor->out));
		slow_client_down(uc);
	}
	buf_clear(&reactor->out);
	if (reactor->out.cap > OUT_KEEP)
		buf_fini(&reactor->out);
}

static void on_turn_end(struct deferred *d)
{
	upstream_conn_flush(container_of(d, struct upstream_reactor, out_deferred));
}

/* From now on frames for this connection are composed; it may end by what was composed before. */
static void compose_for(struct upstream_conn *uc)
{
	struct upstream_reactor *reactor = uc->reactor;

	if (reactor->out_conn != uc || buf_len(&reactor->out) > OUT_MAX)
		upstream_conn_flush(reactor);
	if (uc->ended)
		return;
	reactor->out_conn = uc;
	loop_defer(reactor->loop, &reactor->out_deferred, on_turn_end);
}

/* A frame around n octets, compressed if that pays. 0 or -ENOMEM. */
static int add_frame(struct upstream_conn *uc, enum ws_opcode opcode, const char *p, size_t n)
{
	struct buf *out = &uc->reactor->out;
	struct ws_deflate_how how;
	char header[WS_HEADER_MAX], *to = buf_reserve(out, WS_HEADER_MAX + n + WS_DEFLATE_ROOM);
	ssize_t len = 0;
	size_t header_len;

	if (!to)
		return -ENOMEM;
	/* Room for the longest header; what it does not need is closed up */
	if (n >= uc->reactor->settings->deflate.min_bytes &&
	    ws_conn_deflates(&uc->conn, &uc->reactor->settings->deflate, false, &how)) {
		budget_spend(loop_budget(uc->reactor->loop), cost_of_deflating(n));
		len = ws_deflate(&how, p, n, to + WS_HEADER_MAX);
	}
	if (len < 0)
		return -ENOMEM;
	if (len == 0 && n > 0)
		memcpy(to + WS_HEADER_MAX, p, n);
	if (opcode == WS_TEXT && len == 0)
		text_replace_surrogates(to + WS_HEADER_MAX, n);
	header_len = ws_conn_data_header(&uc->conn, header, len > 0 ? WS_RSV1 : 0, opcode,
	    to + WS_HEADER_MAX, len > 0 ? (size_t)len : n);
	n = len > 0 ? (size_t)len : n;
	memcpy(to, header, header_len);
	memmove(to + header_len, to + WS_HEADER_MAX, n);
	buf_commit(out, header_len + n);
	return 0;
}

void upstream_conn_send(struct upstream_conn *uc, const struct sockjs_message *m)
{
	if (uc->ended || uc->closing || uc->broken)
		return;
	compose_for(uc);
	if (!uc->ended && add_frame(uc, m->is_binary ? WS_BINARY : WS_TEXT, m->data, m->len) < 0)
		upstream_conn_lost(uc, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}
