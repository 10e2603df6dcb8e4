/*
 * server/handshake_snapshot.c - the copy of a handshake, for another process; see handshake.h.
 *
 * What it was granted is not told: that is the last that happens to a copy.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "server/handshake_private.h"
#include "ws/ws_answer.h"
#include "ws/ws_handshake.h"

/* A text, or NULL. What is read is a scrap. */
static const char *text_snapshot(struct sockjs_handshake *h, const char *text, struct snapshot *s)
{
	struct bytes b = snapshot_bytes(s, bytes_of(text));

	if (!s->is_reading)
		return text;
	if (!b.p || !snapshot_check(s, !memchr(b.p, '\0', b.n)))
		return NULL;
	text = handshake_scrap(h, b);
	if (!text)
		snapshot_fail(s, -ENOMEM);
	return text;
}

static void remote_snapshot(struct sockjs_handshake *h, struct snapshot *s)
{
	struct bytes remote = snapshot_bytes(s, bytes_of(h->remote));

	if (s->is_reading && snapshot_check(s, remote.p && remote.n < sizeof(h->remote)))
		*bytes_put(h->remote, remote) = '\0';
}

/* Each takes octets of what there is: so many there can be. */
static size_t count_snapshot(size_t count, struct snapshot *s)
{
	SNAPSHOT(s, size, count);
	return !s->is_reading || snapshot_check(s, count <= snapshot_left(s)) ? count : 0;
}

static void *array(size_t count, size_t size, struct snapshot *s)
{
	void *p = mem_zalloc((count + 1) * size);

	if (!p)
		snapshot_fail(s, -ENOMEM);
	return p;
}

static void offers_snapshot(struct sockjs_handshake *h, struct snapshot *s)
{
	struct kept_handshake *k = h->kept;
	size_t n = 0;

	while (!s->is_reading && k->offers[n])
		n++;
	n = count_snapshot(n, s);
	if (s->is_reading && (!snapshot_check(s, n <= WS_SUBPROTOCOLS_MAX) ||
	                         !(k->offers = array(n, sizeof(*k->offers), s))))
		return;
	for (size_t i = 0; i < n; i++) {
		k->offers[i] = text_snapshot(h, k->offers[i], s);
		if (!snapshot_check(s, k->offers[i] && ws_token_length(bytes_of(k->offers[i])) ==
		                                           strlen(k->offers[i])))
			return;
	}
}

static void headers_snapshot(struct sockjs_handshake *h, struct snapshot *s)
{
	struct kept_handshake *k = h->kept;
	size_t n = count_snapshot(k->header_count, s);

	if (s->is_reading && !(k->headers = array(n, sizeof(*k->headers), s)))
		return;
	for (size_t i = 0; i < n; i++) {
		k->headers[i].name = text_snapshot(h, k->headers[i].name, s);
		k->headers[i].value = text_snapshot(h, k->headers[i].value, s);
		if (!snapshot_check(s, k->headers[i].name && k->headers[i].value))
			return;
		if (s->is_reading)
			k->header_count++;
	}
}

static void fields_snapshot(struct sockjs_handshake *h, struct snapshot *s)
{
	struct kept_handshake *k = h->kept;

	k->transport = text_snapshot(h, k->transport, s);
	k->path = text_snapshot(h, k->path, s);
	k->query = text_snapshot(h, k->query, s);
	k->origin = text_snapshot(h, k->origin, s);
	k->host = text_snapshot(h, k->host, s);
	SNAPSHOT(s, bool, k->is_tls);
	SNAPSHOT(s, bool, k->is_trusted);
	k->subject = text_snapshot(h, k->subject, s);
	k->fingerprint = text_snapshot(h, k->fingerprint, s);
	snapshot_check(s, k->transport && k->path && k->query && k->host);
	remote_snapshot(h, s);
	offers_snapshot(h, s);
	headers_snapshot(h, s);
}

struct sockjs_handshake *handshake_snapshot(
    struct sockjs_handshake *kept, struct snapshot *s, struct server_endpoint *ep)
{
	if (!snapshot_enter(s, "HAND", 1))
		return NULL;
	if (s->is_reading && !(kept = handshake_new_copy(ep)))
		snapshot_fail(s, -ENOMEM);
	if (kept)
		fields_snapshot(kept, s);
	snapshot_leave(s);
	if (!s->is_reading || !snapshot_error(s))
		return kept;
	handshake_free(kept);
	return NULL;
}
