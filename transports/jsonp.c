/*
 * transports/jsonp.c - callback polling for pages that have script elements and
 * forms only: .../jsonp answers with a call, .../jsonp_send takes a form.
 */
#include "base/percent.h"
#include "session/sockjs_frame.h"
#include "transports/http_receiver.h"
#include "transports/incoming.h"

static int wrap(struct buf *out, struct bytes callback, const char *frame, size_t n)
{
	return sockjs_frame_jsonp_add(out, callback.p, callback.n, frame, n);
}

static const struct http_wire wire = {
	.transport = &jsonp_transport,
	.content_type = "application/javascript; charset=UTF-8",
	.more_headers = "X-Content-Type-Options: nosniff\r\n", /* a script, and nothing else */
	.wrap = wrap,
};

static void jsonp_serve(const struct transport_request *t)
{
	char callback[CALLBACK_MAX];
	size_t n = http_receiver_callback(t, callback);

	if (n > 0)
		http_receiver_serve(t, &wire, (struct bytes){ callback, n });
}

const struct transport jsonp_transport = {
	.name = "jsonp",
	.option = "jsonp",
	.methods = HTTP_GET,
	.evidence = HTTP_ORIGIN_IF_SHOWN,
	.serve = jsonp_serve,
	.http = &wire,
};

/* The media type alone, without parameters. */
static bool is_form(const struct http_request *r)
{
	struct bytes type = http_request_header(r, HTTP_CONTENT_TYPE);
	const char *semicolon = type.n ? memchr(type.p, ';', type.n) : NULL;

	if (semicolon)
		type.n = (size_t)(semicolon - type.p);
	while (type.n && type.p[type.n - 1] == ' ')
		type.n--;
	return bytes_equal_nocase(type, BYTES("application/x-www-form-urlencoded"));
}

/* The JSON text: field `d` of a form, decoded in place, or the body itself. */
static char *read_payload(const struct transport_request *t, size_t *n, bool *bad)
{
	char *body = http_request_body(t->http, n), *d;
	struct bytes raw;
	ssize_t len;

	*bad = false;
	if (!is_form(t->http))
		return body;
	raw = query_parameter((struct bytes){ body, *n }, "d");
	*n = 0;
	if (raw.n == 0)
		return NULL;
	d = body + (raw.p - body);
	len = percent_decode(raw, true, d, raw.n);
	*bad = len < 0;
	*n = len < 0 ? 0 : (size_t)len;
	return d;
}

/* Konqueror cannot live with a 204 */
const struct incoming_answer jsonp_send_answer = { .status = 200, .body = { "ok", 2 } };

static void jsonp_send_serve(const struct transport_request *t)
{
	size_t n;
	bool bad;
	char *text = read_payload(t, &n, &bad);

	if (bad)
		transport_refuse(t, HTTP_REFUSED_PAYLOAD, 500, "Broken JSON encoding.");
	else
		incoming_serve(t, text, n, &jsonp_send_answer);
}

const struct transport jsonp_send_transport = {
	.name = "jsonp_send",
	.methods = HTTP_POST,
	.has_body = true,
	.evidence = HTTP_ORIGIN_IF_SHOWN, /* any page can send a form */
	.serve = jsonp_send_serve,
};
