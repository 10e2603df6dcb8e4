/*
 * http/http_access.c - what is kept of a request until its answer has ended; see http_access.h.
 */
#include "http/http_access.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http/http_private.h"

/* The first of this name; who sends several has to live with it. */
static struct bytes header(const struct http_request *r, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < r->frame.fields; i++)
		if (r->fields[i].name.n == n && strncasecmp(r->fields[i].name.p, name, n) == 0)
			return r->fields[i].value;
	return (struct bytes){ 0 };
}

/* A target that was refused before it was read is taken apart here: what stands behind a "?" may be secret. */
static void split(struct bytes target, struct bytes *path, struct bytes *query)
{
	const char *mark = target.n ? memchr(target.p, '?', target.n) : NULL;

	*path = target;
	if (!mark)
		return;
	path->n = (size_t)(mark - target.p);
	*query = (struct bytes){ mark + 1, target.n - path->n - 1 };
}

static void look_at(struct http_access *a, const struct http_request *r)
{
	*a = (struct http_access){
		.client = http_request_client(r),
		.method = r->method_name,
		.path = r->path,
		.query = r->query,
		.referer = header(r, "Referer"),
		.agent = header(r, "User-Agent"),
		.request_id = header(r, "X-Request-ID"),
		.is_1_0 = r->frame.is_1_0,
		.status = 200,
		.begun = r->begun ? r->begun : loop_now(r->conn->server->loop),
		.why = HTTP_REFUSAL_ROWS,
	};
	if (r->path.n == 0)
		split(r->target, &a->path, &a->query);
}

static char *move(char *to, struct bytes *text)
{
	char *end = bytes_put(to, *text);

	text->p = to;
	return end;
}

struct http_access *http_access_keep(const struct http_request *r)
{
	struct http_access seen, *a;
	char *to;

	if (!r->conn->server->handler->answered)
		return NULL;
	look_at(&seen, r);
	a = mem_alloc(sizeof(*a) + seen.method.n + seen.path.n + seen.query.n + seen.referer.n +
	              seen.agent.n + seen.request_id.n);
	if (!a)
		return NULL;
	*a = seen;
	to = move(a->text, &a->method);
	to = move(to, &a->path);
	to = move(to, &a->query);
	to = move(to, &a->referer);
	to = move(to, &a->agent);
	move(to, &a->request_id);
	return a;
}

/* Who refuses says why just before he answers. */
static enum http_refusal take_reason(struct http_server *server, unsigned status)
{
	enum http_refusal why = status >= 400 ? server->why : HTTP_REFUSAL_ROWS;

	server->why = HTTP_REFUSAL_ROWS;
	return why;
}

void http_access_tell(struct http_access *a, struct http_server *server)
{
	if (!a || a->is_over || !server)
		return;
	a->is_over = true;
	if (!server->handler->answered)
		return; /* somebody wanted to know, and does not any more */
	a->why = take_reason(server, a->status);
	server->handler->answered(a, loop_now(server->loop) - a->begun, server->arg);
}

void http_access_end(
    struct http_access *a, struct http_server *server, unsigned status, uint64_t octets)
{
	if (!a)
		return;
	a->status = status;
	a->octets = octets;
	http_access_tell(a, server);
	mem_free(a);
}

void http_access_again(struct http_access *a, uint64_t now)
{
	if (!a)
		return;
	a->begun = now;
	a->octets = 0;
	a->status = 200;
	a->is_over = a->is_aborted = false;
}

void http_access_free(struct http_access *a)
{
	mem_free(a);
}

void http_access_answered(const struct http_request *r, unsigned status, uint64_t octets)
{
	struct http_access a;

	look_at(&a, r);
	a.status = status;
	a.octets = octets;
	http_access_tell(&a, r->conn->server);
}
