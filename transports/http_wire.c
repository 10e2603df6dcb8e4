/*
 * transports/http_wire.c - what an HTTP receiver writes: heads, chunks, wrapped
 * frames. It composes; http_receiver.c sends.
 */
#include <errno.h>

#include "session/sockjs_frame.h"
#include "transports/http_receiver_private.h"

#define CHUNK_GAP (2 * sizeof(size_t) + 2) /* room for a size in hexadecimal, and "\r\n" */

static struct bytes lines_of(const struct http_receiver *r)
{
	return (struct bytes){ r->text, r->lines_len };
}

static struct bytes callback_of(const struct http_receiver *r)
{
	return (struct bytes){ r->text + r->lines_len, r->callback_len };
}

/* --- the head ----------------------------------------------------------- */

/* The lines that are the same for every request of a wire. */
static void add_fixed_lines(struct http_head *head, const struct http_wire *wire)
{
	http_head_add(head, "Content-Type", wire->content_type);
	http_head_never_cache(head);
	http_head_add(head, "X-Accel-Buffering", "no"); /* nginx must not collect what we say */
	if (wire->more_headers)
		http_head_add_lines(head, bytes_of(wire->more_headers));
}

void http_wire_make_head(const struct http_receiver *r, struct http_head *head)
{
	http_head_init(head, 200);
	add_fixed_lines(head, r->wire);
	http_head_add_lines(head, lines_of(r));
}

int http_wire_add_head(const struct http_receiver *r, struct buf *out, long long length)
{
	struct http_head head;
	char *to = buf_reserve(out, HTTP_HEAD_MAX + HTTP_HEAD_EXTRA);

	if (!to)
		return -ENOMEM;
	http_wire_make_head(r, &head);
	if (head.is_cut)
		return -E2BIG;
	buf_commit(out, http_head_render(to, 200, (struct bytes){ head.text, head.len },
	                    (struct http_framing){ .keep_alive = r->again.keep_alive,
	                        .chunked = r->chunked,
	                        .length = length }));
	return 0;
}

/* --- chunks ------------------------------------------------------------- */

/* Leaves room for the length of a chunk; the payload is appended next. */
static int chunk_begin(struct buf *out, size_t *mark)
{
	if (!buf_reserve(out, CHUNK_GAP))
		return -ENOMEM;
	*mark = buf_len(out);
	buf_commit(out, CHUNK_GAP);
	return 0;
}

/* The length of a chunk and its line end, so that they end at `end`; where they begin. */
static char *chunk_size(char *end, size_t n)
{
	char *at = end - 2;

	memcpy(at, "\r\n", 2);
	do {
		*--at = "0123456789abcdef"[n & 15];
		n >>= 4;
	} while (n);
	return at;
}

/* Writes the length, closes the gap and ends the chunk. */
static int chunk_end(struct buf *out, size_t mark)
{
	size_t n = buf_len(out) - mark - CHUNK_GAP, unused;
	char *gap, *size;

	if (buf_add(out, "\r\n", 2) < 0)
		return -ENOMEM;
	gap = buf_data(out) + mark;
	size = chunk_size(gap + CHUNK_GAP, n);
	unused = (size_t)(size - gap);
	if (mark == 0) {
		out->start += unused; /* nothing stands before: begin later */
	} else {
		memmove(gap, size, CHUNK_GAP - unused + n + 2);
		out->end -= unused;
	}
	return 0;
}

int http_wire_add_prelude(const struct http_receiver *r, struct buf *out)
{
	size_t mark = 0;
	int err = 0;

	if (!r->wire->prelude || (r->is_short && r->wire->prelude_is_padding))
		return 0;
	if (r->chunked)
		err = chunk_begin(out, &mark);
	if (err == 0)
		err = r->wire->prelude(out, callback_of(r));
	if (err == 0 && r->chunked)
		err = chunk_end(out, mark);
	return err;
}

int http_wire_add_frame(struct http_receiver *r, struct buf *out, struct bytes frame)
{
	size_t mark = 0, before;
	int err = 0;

	if (r->chunked)
		err = chunk_begin(out, &mark);
	before = buf_len(out);
	if (err == 0)
		err = r->wire->wrap(out, callback_of(r), frame.p, frame.n);
	r->framed += buf_len(out) - before;
	if (err == 0 && r->chunked)
		err = chunk_end(out, mark);
	return err;
}

struct shared *http_wire_encode(const struct http_wire *wire, const struct message *m)
{
	struct message *one = (struct message *)(uintptr_t)m; /* read only all the way down */
	size_t mark = 0, count;
	struct message *const *parts = message_parts(&one, &count);
	struct buf frame = BUF_INIT, out = BUF_INIT;
	struct shared *shared = NULL;

	if (sockjs_frame_array_add(&frame, parts, count) == 0 && chunk_begin(&out, &mark) == 0 &&
	    wire->wrap(&out, (struct bytes){ 0 }, buf_data(&frame), buf_len(&frame)) == 0 &&
	    chunk_end(&out, mark) == 0)
		shared = shared_new(buf_len(&out));
	if (shared)
		memcpy(shared->data, buf_data(&out), buf_len(&out));
	buf_fini(&frame);
	buf_fini(&out);
	return shared;
}

size_t http_wire_chunk_payload(size_t total)
{
	size_t digits = 1;

	while (((total - digits - 4) >> (4 * digits)) != 0)
		digits++;
	return total - digits - 4;
}
