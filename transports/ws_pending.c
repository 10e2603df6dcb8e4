/*
 * transports/ws_pending.c - an opening handshake whose answer waits for the application:
 * the 101, or the refusal, composed when it has decided.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "transports/ws_receiver_private.h"

#define RETRY_AFTER 5 /* seconds, if nobody knows better */

int ws_pending_keep(struct ws_receiver *r, const char accept[WS_ACCEPT_LEN + 1],
    const struct ws_deflate_params *deflate)
{
	struct ws_extras *extras = ws_receiver_extras(r);
	struct ws_pending *pending = extras ? mem_zalloc(sizeof(*pending)) : NULL;

	if (!pending)
		return -ENOMEM;
	memcpy(pending->accept, accept, sizeof(pending->accept));
	if (deflate->agreed)
		ws_deflate_response(deflate, pending->extensions);
	extras->pending = pending;
	return 0;
}

/* A head, the application's own lines, and what follows the empty line, in one piece. */
static int add_answer(const struct ws_receiver *r, struct buf *out, const struct http_head *head,
    struct http_framing framing, const struct session *of, struct bytes body)
{
	struct bytes more = of ? r->endpoint->ops->headers(of) : (struct bytes){ 0 };
	char *to = buf_reserve(out, HTTP_HEAD_MAX + HTTP_HEAD_EXTRA);

	if (!to)
		return -ENOMEM;
	buf_commit(out,
	    http_head_render(to, head->status, (struct bytes){ head->text, head->len }, framing) -
	        2);
	if (buf_add(out, more.p, more.n) < 0 || buf_add(out, "\r\n", 2) < 0 ||
	    buf_add(out, body.p, body.n) < 0)
		return -ENOMEM;
	return 0;
}

static void tell(const struct ws_receiver *r, unsigned status, size_t octets)
{
	struct ws_pending *pending = r->extras->pending;

	http_access_end(pending->access, r->reactor->http, status, octets);
	pending->access = NULL;
}

void ws_pending_free(struct ws_receiver *r)
{
	if (!ws_receiver_is_pending(r))
		return;
	if (r->extras->pending->access)
		r->extras->pending->access->is_aborted = true;
	tell(r, 499, 0);
	mem_free(r->extras->pending);
	r->extras->pending = NULL;
}

static void forget(struct ws_receiver *r)
{
	tell(r, 101, 0);
	mem_free(r->extras->pending);
	r->extras->pending = NULL;
	if (!r->extras->compressor && !r->extras->rest.data) { /* most need none of it again */
		mem_free(r->extras);
		r->extras = NULL;
	}
}

int ws_pending_add_101(struct ws_receiver *r, struct buf *out)
{
	const struct ws_pending *pending = r->extras->pending;
	const struct session *session = r->base.session;
	const char *subprotocol = session ? r->endpoint->ops->subprotocol(session) : NULL;
	struct http_framing framing = { .keep_alive = true, .length = -1 };
	struct http_head head;

	http_head_init(&head, 101);
	http_head_add(&head, "Connection", "Upgrade");
	http_head_add(&head, "Upgrade", "websocket");
	http_head_add(&head, "Sec-WebSocket-Accept", pending->accept);
	if (subprotocol)
		http_head_add(&head, "Sec-WebSocket-Protocol", subprotocol);
	if (pending->extensions[0])
		http_head_add(&head, "Sec-WebSocket-Extensions", pending->extensions);
	forget(r);
	return add_answer(r, out, &head, framing, session, (struct bytes){ 0 });
}

int ws_pending_add_refusal(const struct ws_receiver *r, struct buf *out, const struct session *of,
    unsigned status, unsigned retry_after, const char *reason)
{
	char body[WS_REASON_MAX + 2], seconds[16];
	struct http_framing framing = { .length = snprintf(body, sizeof(body), "%s\n", reason) };
	struct http_head head;

	tell(r, status, (size_t)framing.length);
	http_head_init(&head, status);
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	snprintf(seconds, sizeof(seconds), "%u", retry_after ? retry_after : RETRY_AFTER);
	if (status == 503 || (status == 429 && retry_after))
		http_head_add(&head, "Retry-After", seconds);
	return add_answer(
	    r, out, &head, framing, of, (struct bytes){ body, (size_t)framing.length });
}
