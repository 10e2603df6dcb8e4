/*
 * relay/relay_hub_stream.c - topics that a stream of RabbitMQ keeps: what was missed while the link was away comes
 * from there; see relay_hub.h, and doc/relay-facts.md for what such a subscription must say.
 */
#include <errno.h>
#include <inttypes.h>

#include "relay/relay_hub_private.h"

#define PREFETCH  1000 /* messages that the broker sends ahead of our acknowledgement */
#define ACK_EVERY 250
#define STALLS    10   /* links on which nothing came */
#define TRIES     40 /* of a stream that is not there yet, when its broker has just begun */

/* A message that the link cannot take costs the link each time: some time it is passed over, with all that is
 * there by then. */
void relay_stream_resume(struct relay_topic *t)
{
	if (!t->has_offset)
		return;
	t->stalls = t->next_offset == t->resumed_at ? t->stalls + 1 : 0;
	t->resumed_at = t->next_offset;
	if (t->stalls < STALLS)
		return;
	t->has_offset = false;
	t->has_gap = true;
	t->stalls = 0;
}

/* Where it goes on: behind the last one that has come; or with what comes from now on. */
static int add_offset(struct buf *out, const struct relay_topic *t)
{
	if (!t->has_offset)
		return buf_add_str(out, "x-stream-offset:next\n");
	return buf_printf(out, "x-stream-offset:offset=%" PRIu64 "\n", t->next_offset);
}

int relay_stream_add_headers(const struct relay_hub *h, struct buf *out, const struct relay_topic *t)
{
	int err = buf_printf(out,
	    "ack:client\nprefetch-count:%d\nx-queue-type:stream\ndurable:true\nauto-delete:false\n"
	    "x-max-length-bytes:%" PRIu64 "\n",
	    PREFETCH, h->settings->stream_max_bytes);

	if (err == 0)
		err = stomp_write_header(out, STOMP_1_2, BYTES("x-queue-name"), t->stream);
	return err ? err : add_offset(out, t);
}

/* What an ACK means is all that came before, too. Without memory for one the next is as good. */
static void acknowledge(struct relay_hub *h, struct relay_topic *t, struct bytes ack)
{
	struct buf *out = relay_link_out(&h->link);
	size_t before = buf_len(out);
	int err;

	if (++t->unacknowledged < ACK_EVERY)
		return;
	err = stomp_write_begin(out, STOMP_ACK);
	if (err == 0)
		err = stomp_write_header(out, STOMP_1_2, BYTES("id"), ack);
	if (err == 0)
		err = stomp_write_end(out, (struct bytes){ 0 });
	if (err < 0) {
		buf_cut(out, before);
		return;
	}
	t->unacknowledged = 0;
	relay_link_said(&h->link);
}

static bool read_offset(struct bytes text, uint64_t *offset)
{
	*offset = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9' || i > 18)
			return false;
		*offset = *offset * 10 + (uint64_t)(text.p[i] - '0');
	}
	return text.n > 0;
}

/* A chunk may begin before what was asked for; one that begins behind it says that the stream has dropped some. */
bool relay_stream_take(struct relay_hub *h, struct relay_topic *t, const struct stomp_frame *f)
{
	uint64_t offset;

	acknowledge(h, t, stomp_header_get(f, "ack"));
	if (!read_offset(stomp_header_get(f, "x-stream-offset"), &offset))
		return true;
	if (t->has_offset && offset < t->next_offset)
		return false;
	if (t->has_offset && offset > t->next_offset)
		t->has_gap = true;
	t->has_offset = true;
	t->next_offset = offset + 1;
	t->tries = 0;
	return true;
}

bool relay_stream_may_come(struct relay_topic *t, const char *error)
{
	return t->stream.n > 0 && strstr(error, "NOT_FOUND") && t->tries++ < TRIES;
}
