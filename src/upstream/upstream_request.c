/*
 * upstream/upstream_request.c - what a backend is asked for one session; see upstream_request.h.
 */
#include "upstream/upstream_request.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/snapshot.h"

enum { HEADERS_MAX = 64 };

struct upstream_request *upstream_request_new(void)
{
	return mem_zalloc(sizeof(struct upstream_request));
}

void upstream_request_free(struct upstream_request *r)
{
	if (!r)
		return;
	buf_fini(&r->headers);
	buf_fini(&r->subprotocols);
	mem_free(r->host);
	mem_free(r->origin);
	mem_free(r->path);
	mem_free(r->query);
	mem_free(r);
}

static int add_text(struct buf *to, const char *text)
{
	return buf_add(to, text, strlen(text) + 1);
}

int upstream_request_header(struct upstream_request *r, const char *name, const char *value)
{
	int err = add_text(&r->headers, name);

	return err < 0 ? err : add_text(&r->headers, value);
}

int upstream_request_subprotocol(struct upstream_request *r, const char *token)
{
	return add_text(&r->subprotocols, token);
}

/* --- for another process ----------------------------------------------------------------- */

/* Whether it holds whole texts, and so many at a time. What they may be is looked at when they are sent. */
static bool has_texts(const struct buf *b, unsigned at_a_time)
{
	const char *p = buf_data(b);
	unsigned n = 0;

	for (size_t i = 0; i < buf_len(b); i++)
		n += p[i] == '\0';
	return buf_len(b) == 0 || (p[buf_len(b) - 1] == '\0' && n % at_a_time == 0);
}

static void fields_snapshot(struct upstream_request *r, struct snapshot *s)
{
	snapshot_buf(s, &r->headers);
	snapshot_buf(s, &r->subprotocols);
	SNAPSHOT(s, text, r->host);
	SNAPSHOT(s, text, r->origin);
	SNAPSHOT(s, text, r->path);
	SNAPSHOT(s, text, r->query);
	SNAPSHOT(s, u64, r->hash);
	SNAPSHOT(s, bool, r->own_origin);
	SNAPSHOT(s, bool, r->offers);
	SNAPSHOT(s, bool, r->may_open_early);
}

struct upstream_request *upstream_request_snapshot(struct upstream_request *r, struct snapshot *s)
{
	if (s->is_reading && !(r = upstream_request_new())) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	fields_snapshot(r, s);
	if (!s->is_reading ||
	    snapshot_check(s, r->query && has_texts(&r->headers, 2) && has_texts(&r->subprotocols, 1)))
		return r;
	upstream_request_free(r);
	return NULL;
}

/* --- for one backend ------------------------------------------------------------------- */

/* The next of the texts that stand in a buffer one behind the other. */
static bool next_text(const struct buf *from, size_t *at, struct bytes *text)
{
	if (*at >= buf_len(from))
		return false;
	*text = bytes_of(buf_data(from) + *at);
	*at += text->n + 1;
	return true;
}

/* Path and query of the target, each with the client's behind its own. */
static int add_resource(struct buf *to, const struct target *t, const struct upstream_request *r)
{
	const char *query = strchr(t->resource, '?'), *path = r->path ? r->path : "";
	size_t n = query ? (size_t)(query - t->resource) : strlen(t->resource);

	if (*path && t->resource[n - 1] == '/')
		n--; /* the client's brings one */
	if (!query)
		query = *r->query ? "?" : "";
	else if (*r->query)
		return buf_printf(to, "%.*s%s%s&%s", (int)n, t->resource, path, query, r->query);
	return buf_printf(to, "%.*s%s%s%s", (int)n, t->resource, path, query, r->query);
}

static const char *host_for(const struct upstream_request *r, const struct target *t)
{
	return r->host ? r->host : t->authority;
}

/* A backend takes for its own what has the host that it was asked for. */
static int add_origin(struct buf *to, const struct target *t, const struct upstream_request *r)
{
	if (!r->own_origin)
		return r->origin ? buf_add(to, r->origin, strlen(r->origin)) : 0;
	return buf_printf(to, "%s://%s", t->is_tls ? "https" : "http", host_for(r, t));
}

static struct bytes whole(const struct buf *b)
{
	return (struct bytes){ buf_data(b), buf_len(b) };
}

static int begin(const struct upstream_request *r, struct ws_client_request *req,
    struct ws_client **handshake, struct buf *out)
{
	struct ws_request_header headers[HEADERS_MAX];
	struct bytes subprotocols[WS_SUBPROTOCOLS_MAX];
	size_t at = 0;

	req->headers = headers;
	req->subprotocols = subprotocols;
	while (req->header_count < HEADERS_MAX &&
	       next_text(&r->headers, &at, &headers[req->header_count].name)) {
		next_text(&r->headers, &at, &headers[req->header_count].value);
		req->header_count++;
	}
	at = 0;
	while (req->subprotocol_count < WS_SUBPROTOCOLS_MAX &&
	       next_text(&r->subprotocols, &at, &subprotocols[req->subprotocol_count]))
		req->subprotocol_count++;
	return ws_client_begin(handshake, req, out);
}

int upstream_request_begin(const struct upstream_request *r, const struct target *t,
    const struct ws_deflate_config *deflate, struct ws_client **handshake, struct buf *out)
{
	struct ws_client_request req = { .host = bytes_of(host_for(r, t)), .deflate = deflate };
	struct buf resource = BUF_INIT, origin = BUF_INIT;
	int err = add_resource(&resource, t, r);

	if (err == 0)
		err = add_origin(&origin, t, r);
	req.target = whole(&resource);
	req.origin = whole(&origin);
	if (err == 0)
		err = begin(r, &req, handshake, out);
	buf_fini(&resource);
	buf_fini(&origin);
	return err;
}
