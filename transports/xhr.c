/*
 * transports/xhr.c - long polling: one response carries one SockJS frame.
 *
 * POST .../xhr waits until the session has something to say; the first frame
 * completes it. .../xhr_send brings messages the other way, for every transport
 * but WebSocket and jsonp.
 */
#include "transports/http_receiver.h"
#include "transports/incoming.h"

/* A frame and a newline; also the streaming form's. */
static int wrap(struct buf *out, struct bytes callback, const char *frame, size_t n)
{
	char *to = buf_reserve(out, n + 1);

	(void)callback;
	if (!to)
		return -1;
	memcpy(to, frame, n);
	to[n] = '\n';
	buf_commit(out, n + 1);
	return 0;
}

static const struct http_wire wire = {
	.transport = &xhr_transport,
	.content_type = "application/javascript; charset=UTF-8",
	.wrap = wrap,
};

static void xhr_serve(const struct transport_request *t)
{
	http_receiver_serve(t, &wire, (struct bytes){ 0 });
}

const struct transport xhr_transport = {
	.name = "xhr",
	.option = "xhr",
	.methods = HTTP_POST,
	.is_cors = true,
	.has_body = true,
	.serve = xhr_serve,
	.http = &wire,
};

const struct incoming_answer xhr_send_answer = { .status = 204, .repeats = true };

static void xhr_send_serve(const struct transport_request *t)
{
	size_t n;
	char *text = http_request_body(t->http, &n);

	incoming_serve(t, text, n, &xhr_send_answer);
}

const struct transport xhr_send_transport = {
	.name = "xhr_send",
	.methods = HTTP_POST,
	.is_cors = true,
	.has_body = true,
	.serve = xhr_send_serve,
};
