/*
 * transports/eventsource.c - text/event-stream: one frame in each event.
 */
#include "session/sockjs_frame.h"
#include "transports/http_receiver.h"

/* Opera wants a line before the first event. */
static int prelude(struct buf *out, struct bytes callback)
{
	(void)callback;
	return buf_add(out, "\r\n", 2);
}

static int wrap(struct buf *out, struct bytes callback, const char *frame, size_t n)
{
	(void)callback;
	return sockjs_frame_event_add(out, frame, n);
}

static struct shared *encode(const struct message *m);

static const struct http_wire wire = {
	.transport = &eventsource_transport,
	.content_type = "text/event-stream",
	/* "data: a[...]" is a script, too: one that looks a message up in what the page calls a */
	.more_headers = "X-Content-Type-Options: nosniff\r\n",
	.is_streaming = true,
	.prelude = prelude,
	.wrap = wrap,
	.form = MESSAGE_EVENTSOURCE,
	.encode = encode,
};

static struct shared *encode(const struct message *m)
{
	return http_wire_encode(&wire, m);
}

static void serve(const struct transport_request *t)
{
	http_receiver_serve(t, &wire, (struct bytes){ 0 });
}

const struct transport eventsource_transport = {
	.name = "eventsource",
	.option = "eventsource",
	.methods = HTTP_GET,
	.is_cors = true,
	.serve = serve,
	.http = &wire,
};
