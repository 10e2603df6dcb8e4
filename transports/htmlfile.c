/*
 * transports/htmlfile.c - a page that never ends, in a hidden frame: one script
 * block for each frame, which calls back into the page around it.
 */
#include "session/sockjs_frame.h"
#include "transports/http_receiver.h"

/* A constant of the protocol, to the byte; padded so that Safari begins to read. */
#define PRELUDE_MIN 1024
static const char before_callback[] =
    "<!doctype html>\n"
    "<html><head>\n"
    "  <meta http-equiv=\"X-UA-Compatible\" content=\"IE=edge\" />\n"
    "  <meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n"
    "</head><body><h2>Don't panic!</h2>\n"
    "  <script>\n"
    "    document.domain = document.domain;\n"
    "    var c = parent.";
static const char after_callback[] = ";\n"
                                     "    c.start();\n"
                                     "    function p(d) {c.message(d);};\n"
                                     "    window.onload = function() {c.stop();};\n"
                                     "  </script>\n";

static int prelude(struct buf *out, struct bytes callback)
{
	size_t before = buf_len(out), n;
	char *to;

	if (buf_add(out, before_callback, sizeof(before_callback) - 1) < 0 ||
	    buf_add(out, callback.p, callback.n) < 0 ||
	    buf_add(out, after_callback, sizeof(after_callback) - 1) < 0)
		return -1;
	n = buf_len(out) - before;
	n = n < PRELUDE_MIN ? PRELUDE_MIN - n : 0;
	to = buf_reserve(out, n + 4);
	if (!to)
		return -1;
	memset(to, ' ', n);
	memcpy(to + n, "\r\n\r\n", 4);
	buf_commit(out, n + 4);
	return 0;
}

static int wrap(struct buf *out, struct bytes callback, const char *frame, size_t n)
{
	(void)callback;
	return sockjs_frame_script_add(out, frame, n);
}

static struct shared *encode(const struct message *m);

static const struct http_wire wire = {
	.transport = &htmlfile_transport,
	.content_type = "text/html; charset=UTF-8",
	.more_headers = "X-Content-Type-Options: nosniff\r\n",
	.is_streaming = true,
	.prelude = prelude,
	.wrap = wrap,
	.form = MESSAGE_HTMLFILE,
	.encode = encode,
};

static struct shared *encode(const struct message *m)
{
	return http_wire_encode(&wire, m);
}

static void serve(const struct transport_request *t)
{
	char callback[CALLBACK_MAX];
	size_t n = http_receiver_callback(t, callback);

	if (n > 0)
		http_receiver_serve(t, &wire, (struct bytes){ callback, n });
}

const struct transport htmlfile_transport = {
	.name = "htmlfile",
	.option = "htmlfile",
	.methods = HTTP_GET,
	.evidence = HTTP_ORIGIN_IF_SHOWN,
	.serve = serve,
	.http = &wire,
};
