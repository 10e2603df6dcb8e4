/*
 * server/info.c - /info: what the client may expect of this endpoint (SockJS
 * protocol 0.3, "Info test"). It is also how the client measures the round trip,
 * so it is answered at once and never cached.
 */
#include <stdio.h>

#include "base/random.h"
#include "server/server_private.h"

/* A string option is checked when it is set: it holds nothing that JSON would have to escape but
 * these. */
static int add_string(struct buf *out, struct bytes text)
{
	if (buf_add(out, "\"", 1) < 0)
		return -1;
	for (size_t i = 0; i < text.n; i++)
		if ((text.p[i] == '"' || text.p[i] == '\\' ? buf_add(out, "\\", 1) : 0) < 0 ||
		    buf_add(out, text.p + i, 1) < 0)
			return -1;
	return buf_add(out, "\"", 1);
}

/* Clients put "/SERVER/SESSION/..." behind it. */
static struct bytes without_slash(const char *url)
{
	struct bytes b = bytes_of(url);

	while (b.n > 0 && b.p[b.n - 1] == '/')
		b.n--;
	return b;
}

static int compose(const struct server_endpoint *ep, struct buf *out)
{
	const struct string_list *list = &ep->options.transports;
	int err = buf_printf(out,
	    "{\"websocket\":%s,\"origins\":[\"*:*\"],\"cookie_needed\":%s,\"entropy\":%u,"
	    "\"transports\":[",
	    endpoint_offers(ep, "websocket") ? "true" : "false",
	    ep->base.session_cookie ? "true" : "false", random_u32());

	for (size_t i = 0; i < list->count && err == 0; i++)
		if ((i ? buf_add(out, ",", 1) : 0) < 0 ||
		    add_string(out, bytes_of(list->items[i])) < 0)
			err = -1;
	if (err == 0)
		err = buf_add(out, "]", 1);
	if (err == 0 && ep->options.base_url)
		err = buf_add_str(out, ",\"base_url\":") < 0
		          ? -1
		          : add_string(out, without_slash(ep->options.base_url));
	return err == 0 ? buf_add(out, "}", 1) : err;
}

static void answer(struct server_endpoint *ep, struct http_request *r, struct http_head *head)
{
	struct buf body = BUF_INIT;

	if (compose(ep, &body) < 0) {
		http_respond_text(r, 503, "Out of memory.");
	} else {
		http_head_add(head, "Content-Type", "application/json; charset=UTF-8");
		http_head_never_cache(head);
		http_respond(r, head, (struct bytes){ buf_data(&body), buf_len(&body) });
	}
	buf_fini(&body);
}

/* Newcomers are to look elsewhere. */
static void answer_draining(
    const struct server_endpoint *ep, struct http_request *r, struct http_head *head)
{
	endpoint_count_refusal(ep, r, HTTP_REFUSED_DRAINING, 503);
	head->status = 503;
	http_head_add(head, "Content-Type", "text/plain; charset=UTF-8");
	http_head_add(head, "Retry-After", "1");
	http_head_never_cache(head);
	http_respond(r, head, BYTES("The server is about to stop.\n"));
}

static void refuse_method(
    const struct server_endpoint *ep, struct http_request *r, struct http_head *head)
{
	endpoint_count_refusal(ep, r, HTTP_REFUSED_METHOD, 405);
	head->status = 405;
	http_head_add(head, "Allow", "OPTIONS, GET, HEAD");
	http_respond(r, head, (struct bytes){ 0 });
}

void info_serve(struct server_endpoint *ep, const struct http_client *client,
    struct http_request *r, bool draining)
{
	enum http_method method = http_request_method(r);
	struct http_head head;

	http_head_init(&head, 200);
	http_origin_add_headers(&ep->base.origins, client, r, &head);
	if (method == HTTP_OPTIONS)
		answer_preflight(r, "OPTIONS, GET", &head);
	else if ((method & (HTTP_GET | HTTP_HEAD)) == 0)
		refuse_method(ep, r, &head);
	else if (draining)
		answer_draining(ep, r, &head);
	else
		answer(ep, r, &head);
}
