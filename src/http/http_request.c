/*
 * http/http_request.c - a request's view; the checks that libmicrohttpd leaves
 * to us (two Content-Lengths, Content-Length with chunked, white space before a
 * colon, %00 in a path, a missing Host...), since each of them is a way to
 * make two servers read one request differently.
 */
#include "http/http_private.h"

#include <errno.h>

#include "base/field.h"
#include "base/mem.h"

#define FIELD_RECORD 64 /* of libmicrohttpd, for each header and each cookie */

/* --- life --------------------------------------------------------------- */

struct http_request *http_request_new(struct http_conn *conn, const char *target)
{
	size_t n = strlen(target);
	struct http_request *r = mem_alloc(sizeof(*r) + n + 1);

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->conn = conn;
	r->target_len = n;
	memcpy(r->target, target, n + 1);
	return r;
}

void http_request_free(struct http_request *r)
{
	buf_fini(&r->joined);
	buf_fini(&r->body);
	mem_free(r);
}

int http_request_add_body(struct http_request *r, const char *p, size_t n)
{
	r->body_received += n;
	if (r->body_received > r->body_limit)
		return -E2BIG;
	return buf_add(&r->body, p, n);
}

size_t http_empty_lines(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == '\r' || p[i] == '\n'))
		i++;
	return i;
}

/* Of empty lines libmicrohttpd says nothing; but it reads each request from the beginning of its
 * buffer, and the first one on a connection has none before it. */
static void count_empty_lines(struct http_conn *conn, const char *method)
{
	if (!conn->first)
		conn->first = method;
	else if (method > conn->first)
		conn->consumed += (uint64_t)(method - conn->first);
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

static bool has_control_or_space(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if ((unsigned char)b.p[i] <= 0x20 || b.p[i] == 0x7f)
			return true;
	return false;
}

/* `version` stands one octet behind the target, unless libmicrohttpd took a NUL for its end. */
static const char *read_target(struct http_request *r, const char *version)
{
	struct bytes target = { r->target, r->target_len };
	const char *mark;

	if (has_control_or_space(target))
		return "White space in the request target.";
	if (r->method_name + strlen(r->method_name) + 1 + target.n + 1 != version)
		return "The request line is malformed.";
	target = strip_authority(target);
	mark = memchr(target.p, '?', target.n);
	r->path = target;
	if (mark) {
		r->path.n = (size_t)(mark - target.p);
		r->query = (struct bytes){ mark + 1, target.n - r->path.n - 1 };
	}
	if (r->path.n == 0 || (r->path.p[0] != '/' && !bytes_equal(r->path, BYTES("*"))))
		return "The request target is not a path.";
	for (size_t i = 0; i + 3 <= r->path.n; i++)
		if (memcmp(r->path.p + i, "%00", 3) == 0)
			return "A NUL in the path.";
	return NULL;
}

/* --- the headers -------------------------------------------------------- */

/* What several lines of one name come to: of a list, one list; of what may stand once only, a 400,
 * for a second line is an attempt to be read differently by somebody else. */
enum field_kind { FIELD_LIST, FIELD_COOKIES, FIELD_SINGLE };

static const struct field {
	struct bytes name;
	enum field_kind kind;
} fields[HTTP_HEADERS] = {
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
	[HTTP_TRANSFER_ENCODING] = { BYTES("Transfer-Encoding"), FIELD_SINGLE },
	[HTTP_X_FORWARDED_FOR] = { BYTES("X-Forwarded-For"), FIELD_LIST },
	[HTTP_X_FORWARDED_HOST] = { BYTES("X-Forwarded-Host"), FIELD_LIST },
	[HTTP_X_FORWARDED_PROTO] = { BYTES("X-Forwarded-Proto"), FIELD_LIST },
};

/* Its place in the table, or HTTP_HEADERS. */
static enum http_header known_header(struct bytes name)
{
	unsigned h = 0;

	while (h < HTTP_HEADERS &&
	       (name.n != fields[h].name.n || strncasecmp(name.p, fields[h].name.p, name.n) != 0))
		h++;
	return (enum http_header)h;
}

/* RFC 9110 section 5.6.2: tchar, a bit for each of the 128 characters of ASCII. */
static bool is_token(struct bytes b)
{
	/* controls; !#$%&'*+-. and digits; letters and ^_; `, letters and |~ */
	static const uint32_t tchars[4] = { 0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff };

	for (size_t i = 0; i < b.n; i++) {
		unsigned char c = (unsigned char)b.p[i];

		if (c >= 128 || !(tchars[c / 32] >> c % 32 & 1))
			return false;
	}
	return b.n > 0;
}

static bool is_field_value(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++) {
		unsigned char c = (unsigned char)b.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

struct head_check {
	struct http_request *r;
	const char *end; /* of what was read of the head; NULL: does not matter */
	size_t octets;   /* in names and values */
	uint32_t again;  /* a bit for each known header that came on several lines */
	size_t cookies;  /* what the largest line of cookies costs libmicrohttpd */
	const char *wrong;
};

/* libmicrohttpd unfolds a header elsewhere (behind its name even, if the value was empty so far);
 * all others stay where they were received. */
static bool is_in_place(const struct http_request *r, struct bytes b)
{
	return b.p >= r->method_name && b.p + b.n <= r->method_name + r->header_bytes;
}

/* Between a value and the next name stands one line end, and between the last value and the end of
 * the head two. Whatever else is there, libmicrohttpd has skipped, and another server would not: it
 * takes a NUL for the end of a value; and if it is not strict, a line that begins with a colon for
 * the end of the head, and the lines behind it for something else. */
static bool is_line_end(const char *at, const char *stop, unsigned line_ends)
{
	unsigned octets = 0;

	if (http_library_is_strict())
		return true;
	for (; at < stop; at++) {
		if (*at == '\0' || *at == '\r' || *at == '\n')
			octets++;
		else if (*at != ' ' && *at != '\t')
			return false;
	}
	return octets <= 2 * line_ends;
}

static enum MHD_Result check_field(void *arg, enum MHD_ValueKind kind, const char *key,
    size_t key_size, const char *value, size_t value_size)
{
	struct head_check *check = arg;
	struct bytes name = { key, key_size }, v = { value ? value : "", value ? value_size : 0 };

	(void)kind;
	if (!is_token(name))
		check->wrong = "A header name is malformed.";
	else if (!is_field_value(v))
		check->wrong = "A header value has a control character.";
	else if (!is_in_place(check->r, name) || (value && !is_in_place(check->r, v)))
		check->wrong = "A header is folded.";
	else if (check->end && !is_line_end(check->end, name.p, 1))
		check->wrong = "A header line is malformed.";
	else if (check->end)
		check->end = v.n ? v.p + v.n : name.p + name.n + 1;
	check->octets += name.n + v.n;
	return check->wrong ? MHD_NO : MHD_YES;
}

/* libmicrohttpd takes one of the Cookie headers apart, in a copy. */
static size_t pool_of_cookies(struct bytes cookies)
{
	size_t n = cookies.n + FIELD_RECORD;

	for (size_t i = 0; i < cookies.n; i++)
		if (cookies.p[i] == ';' || cookies.p[i] == ',')
			n += FIELD_RECORD;
	return n;
}

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *key,
    size_t key_size, const char *value, size_t value_size)
{
	struct head_check *check = arg;
	struct http_request *r = check->r;
	struct bytes name = { key, key_size }, v = { value ? value : "", value ? value_size : 0 };
	enum http_header h;

	if (check_field(arg, kind, key, key_size, value, value_size) != MHD_YES)
		return MHD_NO;
	r->pool_octets += FIELD_RECORD;
	h = known_header(name);
	if (h == HTTP_HEADERS)
		return MHD_YES;
	if (h == HTTP_COOKIE && check->cookies < pool_of_cookies(v))
		check->cookies = pool_of_cookies(v);
	if (!r->headers[h].p) {
		r->headers[h] = v;
	} else if (fields[h].kind == FIELD_SINGLE) {
		check->wrong = "A header stands twice that may stand once only.";
		return MHD_NO;
	} else {
		check->again |= UINT32_C(1) << h;
	}
	return MHD_YES;
}

/* --- several lines are one ---------------------------------------------- */

struct joining {
	struct bytes name;
	struct buf *out;
	int lines; /* or -ENOMEM */
};

static enum MHD_Result on_line(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_size,
    const char *value, size_t value_size)
{
	struct joining *j = arg;
	struct bytes line =
	    field_trim((struct bytes){ value ? value : "", value ? value_size : 0 });
	/* Those that HTTP/2 has cut apart are joined as RFC 9113 section 8.2.3 says */
	bool is_cookie = bytes_equal_nocase(j->name, fields[HTTP_COOKIE].name);

	(void)kind;
	if (!bytes_equal_nocase((struct bytes){ key, key_size }, j->name))
		return MHD_YES;
	if ((j->lines > 0 && buf_add(j->out, is_cookie ? "; " : ", ", 2) < 0) ||
	    buf_add(j->out, line.p, line.n) < 0) {
		j->lines = -ENOMEM;
		return MHD_NO;
	}
	j->lines++;
	return MHD_YES;
}

/* The one place where lines of one name become one value. */
static int join(const struct http_request *r, struct bytes name, struct buf *out)
{
	struct joining j = { name, out, 0 };

	MHD_get_connection_values_n(r->conn->mhd, MHD_HEADER_KIND, on_line, &j);
	return j.lines;
}

/* There is room for all from the beginning, so that the views stay good: a separator is no longer
 * than the line end in its place. */
static void join_known(struct http_request *r, uint32_t again)
{
	if (!again)
		return;
	r->no_memory = !buf_reserve(&r->joined, r->header_bytes);
	for (unsigned h = 0; h < HTTP_HEADERS && !r->no_memory; h++) {
		size_t before = buf_len(&r->joined);

		if (!(again >> h & 1))
			continue;
		r->no_memory = join(r, fields[h].name, &r->joined) < 0;
		r->headers[h] =
		    (struct bytes){ buf_data(&r->joined) + before, buf_len(&r->joined) - before };
	}
}

int http_request_join_header(const struct http_request *r, const char *name, struct buf *out)
{
	return join(r, bytes_of(name), out);
}

/* Whether the head is as long as it may be at most, and leaves room for a response: without that
 * libmicrohttpd would close without a word, after the request has been served. */
static bool fits(const struct http_request *r)
{
	size_t limit = r->conn->server->limits->header_bytes;

	return r->header_bytes <= limit &&
	       r->header_bytes + r->pool_octets + HTTP_HEAD_MAX + HTTP_HEAD_EXTRA <=
	           limit + HTTP_POOL_EXTRA;
}

static const char *check_framing(struct http_request *r)
{
	struct bytes length = r->headers[HTTP_CONTENT_LENGTH],
	             encoding = r->headers[HTTP_TRANSFER_ENCODING];

	if (length.p && encoding.p)
		return "Content-Length and Transfer-Encoding exclude each other.";
	if (encoding.p && (!bytes_equal_nocase(encoding, BYTES("chunked")) || !r->is_1_1))
		return "This Transfer-Encoding is not supported.";
	if (length.p && (length.n == 0 || length.n > 18))
		return "Content-Length is not a number.";
	for (size_t i = 0; i < length.n; i++)
		if (length.p[i] < '0' || length.p[i] > '9')
			return "Content-Length is not a number.";
	r->chunked = encoding.p != NULL;
	return NULL;
}

static enum http_method method_of(const char *name)
{
	if (strcmp(name, "GET") == 0)
		return HTTP_GET;
	if (strcmp(name, "POST") == 0)
		return HTTP_POST;
	if (strcmp(name, "HEAD") == 0)
		return HTTP_HEAD;
	if (strcmp(name, "OPTIONS") == 0)
		return HTTP_OPTIONS;
	return HTTP_OTHER;
}

const char *http_request_read_head(struct http_request *r, const char *method, const char *version)
{
	struct head_check check = { .r = r, .end = version + strlen(version) };
	const char *wrong;

	count_empty_lines(r->conn, method);
	r->method_name = method;
	r->method = method_of(method);
	r->is_1_1 = strcmp(version, "HTTP/1.0") != 0;
	r->header_bytes =
	    MHD_get_connection_info(r->conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
	        ->header_size;
	wrong = read_target(r, version);
	if (wrong)
		return wrong;
	if (!is_token(bytes_of(method)))
		return "The method is malformed.";
	MHD_get_connection_values_n(r->conn->mhd, MHD_HEADER_KIND, on_header, &check);
	if (check.wrong)
		return check.wrong;
	r->field_octets = check.octets;
	if (!is_line_end(check.end, method + r->header_bytes, 2))
		return "A header line is malformed.";
	if (r->is_1_1 && !r->headers[HTTP_HOST].p)
		return "The Host header is missing.";
	join_known(r, check.again);
	r->pool_octets += check.cookies ? check.cookies : pool_of_cookies((struct bytes){ 0 });
	r->is_oversized = !fits(r);
	return check_framing(r);
}

static enum MHD_Result weigh_field(void *arg, enum MHD_ValueKind kind, const char *key,
    size_t key_size, const char *value, size_t value_size)
{
	struct http_request *r = arg;

	(void)kind, (void)key, (void)value;
	r->pool_octets += FIELD_RECORD + key_size + value_size;
	return MHD_YES;
}

const char *http_request_read_trailer(struct http_request *r)
{
	struct head_check check = { .r = r };

	MHD_get_connection_values_n(r->conn->mhd, MHD_HEADER_KIND, check_field, &check);
	if (check.octets != r->field_octets)
		return "A trailer is folded.";
	MHD_get_connection_values_n(r->conn->mhd, MHD_FOOTER_KIND, weigh_field, r);
	r->is_oversized = !fits(r);
	return check.wrong;
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
	return bytes_of(r->method_name);
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
	return r->is_1_1;
}

bool http_request_keeps_alive(const struct http_request *r)
{
	struct bytes connection = r->headers[HTTP_CONNECTION];

	if (r->conn->server->draining || field_has_token(connection, BYTES("close")))
		return false;
	return r->is_1_1 || field_has_token(connection, BYTES("keep-alive"));
}

bool http_request_is_tls(const struct http_request *r)
{
	return r->conn->is_tls;
}

const void *http_request_door(const struct http_request *r)
{
	return r->conn->door;
}

const struct addr *http_request_peer(const struct http_request *r)
{
	return &r->conn->peer;
}

struct bytes http_request_header(const struct http_request *r, enum http_header h)
{
	return r->headers[h];
}

struct each {
	http_header_fn fn;
	void *arg;
};

static enum MHD_Result on_each(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_size,
    const char *value, size_t value_size)
{
	struct each *each = arg;

	(void)kind;
	each->fn((struct bytes){ key, key_size },
	    (struct bytes){ value ? value : "", value ? value_size : 0 }, each->arg);
	return MHD_YES;
}

void http_request_each_header(const struct http_request *r, http_header_fn fn, void *arg)
{
	struct each each = { fn, arg };

	MHD_get_connection_values_n(r->conn->mhd, MHD_HEADER_KIND, on_each, &each);
}

struct search {
	struct bytes name;
	bool (*is_it)(struct bytes element);
	bool found;
};

static void search_line(struct bytes name, struct bytes value, void *arg)
{
	struct search *search = arg;
	struct bytes element;

	if (search->found || !bytes_equal_nocase(name, search->name))
		return;
	while (!search->found && field_next(&value, ',', &element))
		search->found = search->is_it(element);
}

bool http_request_has_element(
    const struct http_request *r, const char *name, bool (*is_it)(struct bytes element))
{
	struct search search = { bytes_of(name), is_it, false };

	http_request_each_header(r, search_line, &search);
	return search.found;
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

/* --- URL pieces --------------------------------------------------------- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

ssize_t http_percent_decode(struct bytes raw, bool plus, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if (c == '%') {
			int high = i + 2 < raw.n ? hex_value(raw.p[i + 1]) : -1;
			int low = i + 2 < raw.n ? hex_value(raw.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (n == size)
			return -E2BIG;
		out[n++] = c;
	}
	return (ssize_t)n;
}

struct bytes http_parameter(struct bytes query, const char *name)
{
	size_t len = strlen(name), i = 0;

	while (i < query.n) {
		size_t from = i;
		const char *equals;

		while (i < query.n && query.p[i] != '&')
			i++;
		equals = memchr(query.p + from, '=', i - from);
		if ((equals ? (size_t)(equals - query.p) - from : i - from) == len &&
		    memcmp(query.p + from, name, len) == 0) {
			from += equals ? len + 1 : len;
			return (struct bytes){ query.p + from, i - from };
		}
		i++;
	}
	return (struct bytes){ 0 };
}
