/*
 * hostile/message_body.c - where a body ends; see message.h.
 */
#include "hostile/message.h"

void message_body_begin(struct message_body *b, const struct message_head *m)
{
	*b = (struct message_body){ .kind = m->body, .left = m->length };
}

static enum http_frame_result take_counted(
    struct message_body *b, struct bytes in, size_t *used, struct bytes *data)
{
	*data = (struct bytes){ in.p, in.n < b->left ? in.n : (size_t)b->left };
	*used = data->n;
	b->left -= data->n;
	return b->left ? HTTP_FRAME_MORE : HTTP_FRAME_WHOLE;
}

/* A stream may have extensions for ever, if none of them is long. */
static enum http_frame_result take_chunks(
    struct message_body *b, struct bytes in, size_t *used, struct bytes *data)
{
	if (in.n == 0)
		return HTTP_FRAME_MORE;
	if (b->chunks.at != CHUNK_TRAILER)
		b->chunks.framed = 0;
	return http_chunks_next(&b->chunks, in, MESSAGE_LINE_MOST, used, data);
}

enum http_frame_result message_body_next(
    struct message_body *b, struct bytes in, size_t *used, struct bytes *data)
{
	*used = 0;
	*data = (struct bytes){ in.p, 0 };
	switch (b->kind) {
	case BODY_LENGTH:
		return take_counted(b, in, used, data);
	case BODY_CHUNKED:
		return take_chunks(b, in, used, data);
	case BODY_CLOSE:
		*data = in;
		*used = in.n;
		return HTTP_FRAME_MORE;
	default:
		return HTTP_FRAME_WHOLE;
	}
}
