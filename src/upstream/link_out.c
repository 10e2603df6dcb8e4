/*
 * upstream/link_out.c - messages to a backend. What a turn has for one backend is one
 * send; when the backend takes nothing the client is paused.
 */
#include <errno.h>

#include "base/text.h"
#include "upstream/link_private.h"

#define OUT_MAX  (256 * 1024)  /* then it is sent before the end of the turn */
#define OUT_KEEP (1024 * 1024) /* a larger buffer is given back */

static void slow_client_down(struct link *l)
{
	if (l->client_paused || !l->session ||
	    stream_queued(&l->stream) <= l->part->settings->send_buffer_bytes / 2)
		return;
	l->client_paused = true;
	sockjs_pause(l->session);
}

void link_write(struct link *l, const char *p, size_t n)
{
	struct stream_piece piece = { p, n, NULL };

	if (!l->ended)
		stream_write(&l->stream, &piece, 1);
}

void link_flush(struct upstream_part *part)
{
	struct link *l = part->out_link;

	part->out_link = NULL;
	if (l) {
		link_write(l, buf_data(&part->out), buf_len(&part->out));
		slow_client_down(l);
	}
	buf_clear(&part->out);
	if (part->out.cap > OUT_KEEP)
		buf_fini(&part->out);
}

static void on_turn_end(struct deferred *d)
{
	link_flush(container_of(d, struct upstream_part, out_deferred));
}

/* From now on frames for this link are composed; it may end by what was composed before. */
static void compose_for(struct link *l)
{
	struct upstream_part *part = l->part;

	if (part->out_link != l || buf_len(&part->out) > OUT_MAX)
		link_flush(part);
	if (l->ended)
		return;
	part->out_link = l;
	loop_defer(part->loop, &part->out_deferred, on_turn_end);
}

/* A frame around n octets, compressed if that pays. 0 or -ENOMEM. */
static int add_frame(struct link *l, enum ws_opcode opcode, const char *p, size_t n)
{
	struct buf *out = &l->part->out;
	struct ws_deflate_how how;
	char header[WS_HEADER_MAX], *to = buf_reserve(out, WS_HEADER_MAX + n + WS_DEFLATE_ROOM);
	ssize_t len = 0;
	size_t header_len;

	if (!to)
		return -ENOMEM;
	/* Room for the longest header; what it does not need is closed up */
	if (n >= l->part->settings->deflate.min_bytes &&
	    ws_conn_deflates(&l->conn, &l->part->settings->deflate, false, &how)) {
		budget_spend(loop_budget(l->part->loop), cost_of_deflating(n));
		len = ws_deflate(&how, p, n, to + WS_HEADER_MAX);
	}
	if (len < 0)
		return -ENOMEM;
	if (len == 0 && n > 0)
		memcpy(to + WS_HEADER_MAX, p, n);
	if (opcode == WS_TEXT && len == 0)
		text_replace_surrogates(to + WS_HEADER_MAX, n);
	header_len = ws_conn_data_header(&l->conn, header, len > 0 ? WS_RSV1 : 0, opcode,
	    to + WS_HEADER_MAX, len > 0 ? (size_t)len : n);
	n = len > 0 ? (size_t)len : n;
	memcpy(to, header, header_len);
	memmove(to + header_len, to + WS_HEADER_MAX, n);
	buf_commit(out, header_len + n);
	return 0;
}

void link_send(struct link *l, const struct sockjs_message *m)
{
	if (l->ended || l->closing || l->broken)
		return;
	compose_for(l);
	if (!l->ended && add_frame(l, m->is_binary ? WS_BINARY : WS_TEXT, m->data, m->len) < 0)
		link_lost(l, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}
