/*
 * transports/ws_frames.c - messages as frames of a WebSocket. A message for many is
 * framed, and compressed, once for all receivers that agreed on the same; a long one is
 * written from where it is.
 */
#include <errno.h>

#include "transports/ws_receiver_private.h"

/* --- around a payload --------------------------------------------------- */

int ws_frame_begin(struct buf *out, size_t *mark)
{
	if (!buf_reserve(out, WS_HEADER_MAX))
		return -ENOMEM;
	*mark = buf_len(out);
	buf_commit(out, WS_HEADER_MAX);
	return 0;
}

/* Makes the payload behind the header's place smaller, if that can be: 1, 0 or -ENOMEM. */
static int compress(struct buf *out, size_t mark, const struct ws_deflate_how *how)
{
	size_t n = buf_len(out) - mark - WS_HEADER_MAX;
	char *room, *payload;
	ssize_t len;

	if (!how || n < how->min_bytes)
		return 0;
	room = buf_reserve(out, n + WS_DEFLATE_ROOM);
	if (!room)
		return -ENOMEM;
	payload = buf_data(out) + mark + WS_HEADER_MAX;
	len = ws_deflate(how, payload, n, room);
	if (len <= 0)
		return (int)len;
	memcpy(payload, room, (size_t)len);
	out->end -= n - (size_t)len;
	return 1;
}

int ws_frame_end(
    struct buf *out, size_t mark, enum ws_opcode opcode, const struct ws_deflate_how *how)
{
	int compressed = compress(out, mark, how);
	size_t n = buf_len(out) - mark - WS_HEADER_MAX, len, unused;
	char header[WS_HEADER_MAX], *at = buf_data(out) + mark;

	if (compressed < 0)
		return compressed;
	len = ws_frame_header(header, true, compressed ? WS_RSV1 : 0, opcode, n, NULL);
	unused = WS_HEADER_MAX - len;
	if (mark == 0) {
		out->start += unused;
		memcpy(at + unused, header, len);
	} else {
		memcpy(at, header, len);
		memmove(at + len, at + WS_HEADER_MAX, n);
		out->end -= unused;
	}
	return 0;
}

struct shared *ws_wire_encode(
    const struct ws_wire *wire, const struct message *m, const struct ws_deflate_how *how)
{
	struct message *one = (struct message *)(uintptr_t)m; /* read only all the way down */
	size_t count;
	struct message *const *parts = message_parts(&one, &count);
	struct buf out = BUF_INIT;
	struct shared *shared = NULL;

	if (wire->outgoing(&out, parts, count, how) == 0)
		shared = shared_new(buf_len(&out));
	if (shared)
		memcpy(shared->data, buf_data(&out), buf_len(&out));
	buf_fini(&out);
	return shared;
}

/* --- for many, and in place --------------------------------------------- */

struct shared *ws_frames_deflated(
    struct ws_receiver *r, struct message *m, const struct ws_deflate_how *how)
{
	const struct ws_wire *wire = r->wire;
	enum message_form form = wire->deflated + how->window_bits - 8u;
	struct shared *frame = message_form_find(m, form);

	if (!frame) {
		budget_spend(ws_receiver_budget(r), cost_of_deflating(m->len));
		frame = ws_wire_encode(wire, m, how);
		frame = frame ? message_form_keep(m, form, frame) : NULL;
	}
	/* Of several the first need not be compressed, and another may be */
	if (frame && (m->is_joined || frame->data[0] & WS_RSV1))
		ws_conn_sent_for_many(&r->conn);
	return frame;
}

int ws_frames_write_in_place(struct stream *s, struct message *const *messages, size_t count)
{
	struct stream_piece pieces[2 * WS_IN_PLACE_MOST];
	char headers[WS_IN_PLACE_MOST][WS_HEADER_MAX];

	for (size_t i = 0; i < count; i++) {
		const struct message *m = messages[i];
		size_t n = ws_frame_header(
		    headers[i], true, 0, m->binary ? WS_BINARY : WS_TEXT, m->len, NULL);

		pieces[2 * i] = (struct stream_piece){ headers[i], n, NULL };
		pieces[2 * i + 1] = (struct stream_piece){ m->data, m->len, NULL };
	}
	return stream_write(s, pieces, (unsigned)(2 * count));
}
