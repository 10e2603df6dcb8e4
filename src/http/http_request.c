/*
 * http/http_request.c - a request's view, and the checks of what two readers have agreed on: each
 * is against a way to make two servers mean different things by one request.
 */
#include <errno.h>

#include "base/field.h"
#include "base/mem.h"
#include "http/http_private.h"

/* --- life --------------------------------------------------------------- */

struct http_request *http_request_new(
    struct http_conn *conn, const char *head, const struct http_frame *frame)
{
	size_t fields = frame->fields * sizeof(struct http_field);
	struct http_request *r = mem_alloc(sizeof(*r) + fields + frame->octets);

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->conn = conn;
	r->begun = loop_now(conn->server->loop);
	r->frame = *frame;
	r->head = (char *)(r->fields + frame->fields);
	memcpy(r->head, head, frame->octets);
	r->method_name = (struct bytes){ r->head, frame->target_at - 1 };
	r->target = (struct bytes){ r->head + frame->target_at, frame->target_n };
	http_frame_fields(frame, r->head, r->fields);
	return r;
}

void http_request_free(struct http_request *r)
{
	buf_fini(&r->joined);
	buf_fini(&r->body);
	mem_free(r);
}

/* --- the target --------------------------------------------------------- */

/* Drops "http://authority" of the absolute form (RFC 9112 section 3.2.2). */
static struct bytes strip_authority(struct bytes target)
{
	size_t i;

	if (target.n >= 7 && strncasecmp(target.p, "http://", 7) == 0)
		i = 7;
	else if (target.n >= 8 && strncasecmp(target.p, "https://", 8) == 0)
		i = 8;
	else
		return target;
	while (i < target.n && target.p[i] != '/' && target.p[i] != '?')
		i++;
	if (i == target.n || target.p[i] == '?')
		return (struct bytes){ "/", 1 };
	return (struct bytes){ target.p + i, target.n - i };
}

static const char *read_target(struct http_request *r)
{
	struct bytes target = strip_authority(r->target);
	const char *mark = memchr(target.p, '?', target.n);

	r->path = target;
	if (mark) {
		r->path.n = (size_t)(mark - target.p);
		r->query = (struct bytes){ mark + 1, target.n - r->path.n - 1 };
	}
	if (r->path.n == 0 || (r->path.p[0] != '/' && !bytes_equal(r->path, BYTES("*"))))
		return "The request target is not a path.";
	if (memmem(r->path.p, r->path.n, "%00", 3))
		return "A NUL in the path.";
	return NULL;
}

/* --- the headers -------------------------------------------------------- */

/* What several lines of one name come to: of a list, one list; of what may stand once only, a 400,
 * for a second line is an attempt to be read differently by somebody else. */
enum field_kind { FIELD_LIST, FIELD_COOKIES, FIELD_SINGLE };

static const struct known_field {
	struct bytes name;
	enum field_kind kind;
} known[HTTP_HEADERS] = {
	[HTTP_ACCESS_CONTROL_REQUEST_HEADERS] = { BYTES("Access-Control-Request-Headers"),
	    FIELD_LIST },
	[HTTP_AUTHORIZATION] = { BYTES("Authorization"), FIELD_SINGLE },
	[HTTP_CONNECTION] = { BYTES("Connection"), FIELD_LIST },
	[HTTP_CONTENT_LENGTH] = { BYTES("Content-Length"), FIELD_SINGLE },
	[HTTP_CONTENT_TYPE] = { BYTES("Content-Type"), FIELD_SINGLE },
	[HTTP_COOKIE] = { BYTES("Cookie"), FIELD_COOKIES },
	[HTTP_EXPECT] = { BYTES("Expect"), FIELD_LIST },
	[HTTP_FORWARDED] = { BYTES("Forwarded"), FIELD_LIST },
	[HTTP_HOST] = { BYTES("Host"), FIELD_SINGLE },
	[HTTP_IF_NONE_MATCH] = { BYTES("If-None-Match"), FIELD_LIST },
	[HTTP_ORIGIN] = { BYTES("Origin"), FIELD_SINGLE },
	[HTTP_REFERER] = { BYTES("Referer"), FIELD_SINGLE },
	[HTTP_SEC_FETCH_SITE] = { BYTES("Sec-Fetch-Site"), FIELD_SINGLE },
	[HTTP_SOCKJSD_PEER] = { BYTES("Sockjsd-Peer"), FIELD_SINGLE },
	[HTTP_TRANSFER_ENCODING] = { BYTES("Transfer-Encoding"), FIELD_SINGLE },
	[HTTP_X_FORWARDED_FOR] = { BYTES("X-Forwarded-For"), FIELD_LIST },
	[HTTP_X_FORWARDED_HOST] = { BYTES("X-Forwarded-Host"), FIELD_LIST },
	[HTTP_X_FORWARDED_PROTO] = { BYTES("X-Forwarded-Proto"), FIELD_LIST },
};

/* Its place in the table, or HTTP_HEADERS. */
static enum http_header known_header(struct bytes name)
{
	unsigned h = 0;

	while (h < HTTP_HEADERS && !bytes_equal_nocase(name, known[h].name))
		h++;
	return (enum http_header)h;
}

/* *again gets a bit for each known header that came on several lines. */
static const char *find_known(struct http_request *r, uint32_t *again)
{
	for (size_t i = 0; i < r->frame.fields; i++) {
		enum http_header h = known_header(r->fields[i].name);

		if (h == HTTP_HEADERS)
			continue;
		if (!r->headers[h].p)
			r->headers[h] = r->fields[i].value;
		else if (known[h].kind == FIELD_SINGLE)
			return "A header stands twice that may stand once only.";
		else
			*again |= UINT32_C(1) << h;
	}
	return NULL;
}

/* The one place where lines of one name become one value. Those of Cookie, which HTTP/2 has cut
 * apart, are joined as RFC 9113 section 8.2.3 says. */
static int join(const struct http_request *r, struct bytes name, struct buf *out)
{
	bool is_cookie = bytes_equal_nocase(name, known[HTTP_COOKIE].name);
	int lines = 0;

	for (size_t i = 0; i < r->frame.fields; i++) {
		const struct http_field *f = &r->fields[i];

		if (!bytes_equal_nocase(f->name, name))
			continue;
		if ((lines > 0 && buf_add(out, is_cookie ? "; " : ", ", 2) < 0) ||
		    buf_add(out, f->value.p, f->value.n) < 0)
			return -ENOMEM;
		lines++;
	}
	return lines;
}

/* There is room for all from the beginning, so that the views stay good: a separator is no longer
 * than the line end in its place. */
static int join_known(struct http_request *r, uint32_t again)
{
	if (again && !buf_reserve(&r->joined, r->frame.octets))
		return -ENOMEM;
	for (unsigned h = 0; again && h < HTTP_HEADERS; h++) {
		size_t before = buf_len(&r->joined);

		if (!(again >> h & 1))
			continue;
		if (join(r, known[h].name, &r->joined) < 0)
			return -ENOMEM;
		r->headers[h] =
		    (struct bytes){ buf_data(&r->joined) + before, buf_len(&r->joined) - before };
	}
	return 0;
}

static enum http_method method_of(struct bytes name)
{
	if (bytes_equal(name, BYTES("GET")))
		return HTTP_GET;
	if (bytes_equal(name, BYTES("POST")))
		return HTTP_POST;
	if (bytes_equal(name, BYTES("HEAD")))
		return HTTP_HEAD;
	if (bytes_equal(name, BYTES("OPTIONS")))
		return HTTP_OPTIONS;
	return HTTP_OTHER;
}

int http_request_read(struct http_request *r, const char **wrong)
{
	uint32_t again = 0;

	r->method = method_of(r->method_name);
	*wrong = read_target(r);
	if (!*wrong)
		*wrong = find_known(r, &again);
	if (!*wrong && !r->frame.is_1_0 && !r->headers[HTTP_HOST].p)
		*wrong = "The Host header is missing.";
	return *wrong ? -EINVAL : join_known(r, again);
}

/* --- the view ----------------------------------------------------------- */

struct http_server *http_request_server(const struct http_request *r)
{
	return r->conn->server;
}

enum http_method http_request_method(const struct http_request *r)
{
	return r->method;
}

struct bytes http_request_method_name(const struct http_request *r)
{
	return r->method_name;
}

struct bytes http_request_path(const struct http_request *r)
{
	return r->path;
}

struct bytes http_request_query(const struct http_request *r)
{
	return r->query;
}

bool http_request_is_1_1(const struct http_request *r)
{
	return !r->frame.is_1_0;
}

void http_request_end(struct http_request *r)
{
	r->conn->is_last = true;
}

bool http_request_keeps_alive(const struct http_request *r)
{
	struct bytes connection = r->headers[HTTP_CONNECTION];

	if (r->conn->server->draining || r->conn->is_last || field_has_token(connection, BYTES("close")))
		return false;
	return !r->frame.is_1_0 || field_has_token(connection, BYTES("keep-alive"));
}

int http_request_tls_peer(const struct http_request *r, struct tls_peer *peer)
{
	return stream_tls_peer(&r->conn->stream, peer);
}

bool http_request_is_tls(const struct http_request *r)
{
	return r->conn->is_tls;
}

struct addr http_request_client(const struct http_request *r)
{
	const struct http_server *server = r->conn->server;

	return server->handler->client && r->is_sound ? server->handler->client(r, server->arg)
	                                              : r->conn->peer;
}

const void *http_request_listener(const struct http_request *r)
{
	return r->conn->listener;
}

const struct addr *http_request_peer(const struct http_request *r)
{
	return &r->conn->peer;
}

struct bytes http_request_header(const struct http_request *r, enum http_header h)
{
	return r->headers[h];
}

int http_request_join_header(const struct http_request *r, const char *name, struct buf *out)
{
	return join(r, bytes_of(name), out);
}

void http_request_each_header(const struct http_request *r, http_header_fn fn, void *arg)
{
	for (size_t i = 0; i < r->frame.fields; i++)
		fn(r->fields[i].name, r->fields[i].value, arg);
}

bool http_request_has_element(
    const struct http_request *r, const char *name, bool (*is_it)(struct bytes element))
{
	for (size_t i = 0; i < r->frame.fields; i++) {
		struct bytes list = r->fields[i].value, element;

		if (!bytes_equal_nocase(r->fields[i].name, bytes_of(name)))
			continue;
		while (field_next(&list, ',', &element))
			if (is_it(element))
				return true;
	}
	return false;
}

struct bytes http_request_cookie(const struct http_request *r, const char *name)
{
	struct bytes all = r->headers[HTTP_COOKIE], pair;
	size_t len = strlen(name);

	while (field_next(&all, ';', &pair))
		if (pair.n > len && memcmp(pair.p, name, len) == 0 && pair.p[len] == '=')
			return (struct bytes){ pair.p + len + 1, pair.n - len - 1 };
	return (struct bytes){ 0 };
}

char *http_request_body(struct http_request *r, size_t *n)
{
	*n = buf_len(&r->body);
	return *n ? buf_data(&r->body) : NULL;
}
