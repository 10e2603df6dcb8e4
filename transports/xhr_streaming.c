/*
 * transports/xhr_streaming.c - one long response, a frame and a newline in each
 * chunk; begins anew after response_limit_bytes, since the browser keeps all of it.
 */
#include "transports/http_receiver.h"

/* Internet Explorer shows nothing of a response before this much has come. */
static int prelude(struct buf *out, struct bytes callback)
{
	char *to = buf_reserve(out, 2049);

	(void)callback;
	if (!to)
		return -1;
	memset(to, 'h', 2048);
	to[2048] = '\n';
	buf_commit(out, 2049);
	return 0;
}

static int wrap(struct buf *out, struct bytes callback, const char *frame, size_t n)
{
	(void)callback;
	return buf_add(out, frame, n) < 0 ? -1 : buf_add(out, "\n", 1);
}

static struct shared *encode(const struct message *m);

static const struct http_wire wire = {
	.transport = &xhr_streaming_transport,
	.content_type = "application/javascript; charset=UTF-8",
	.is_streaming = true,
	.prelude_is_padding = true,
	.prelude = prelude,
	.wrap = wrap,
	.form = MESSAGE_XHR,
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

const struct transport xhr_streaming_transport = {
	.name = "xhr_streaming",
	.option = "xhr_streaming",
	.methods = HTTP_POST,
	.is_cors = true,
	.has_body = true,
	.serve = serve,
	.http = &wire,
};
