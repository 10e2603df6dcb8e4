/*
 * tests/wire/http.c - HTTP/1.x responses as a strict client reads them.
 *
 * Strict on purpose: a browser forgives bare line feeds or a length beside
 * chunks, but proxies do not all forgive the same things, so each is an
 * error here and every scenario checks it in passing.
 */
#include "wire/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_HEAD = 65536 };

const char http_timeout[] = "nothing within the deadline";
const char http_closed[] = "end of the connection";
const char http_reset[] = "connection reset";

static const char *io_error(int n)
{
	if (n == -ETIMEDOUT)
		return http_timeout;
	return n == 0 || n == -ENODATA ? http_closed : http_reset;
}

const char *http_header(const struct http_response *r, const char *name, int *at)
{
	int i;

	for (i = at ? *at + 1 : 0; i < r->headers; i++) {
		if (strcasecmp(r->header[i].name, name) != 0)
			continue;
		if (at)
			*at = i;
		return r->header[i].value;
	}
	return NULL;
}

void http_free(struct http_response *r)
{
	free(r->head);
	memset(r, 0, sizeof(*r));
	r->ended = true;
}

static const char *parse_status(struct http_response *r, const char *line)
{
	if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
	    line[8] != ' ')
		return "status line does not begin with HTTP/1.0 or HTTP/1.1 and a space";
	r->minor = line[7] - '0';
	if (strspn(line + 9, "0123456789") != 3 || line[12] != ' ')
		return "status line without three digits and a space";
	r->status = atoi(line + 9);
	return r->status < 100 || r->status > 599 ? "status out of range" : NULL;
}

static bool is_token(const char *s)
{
	size_t n = strspn(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
	                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return n && !s[n];
}

static const char *parse_header(struct http_response *r, char *line)
{
	char *colon = strchr(line, ':'), *end;

	if (!colon)
		return "header line without a colon";
	*colon = '\0';
	if (!is_token(line))
		return "header name is not a token";
	if (r->headers == HTTP_MAX_HEADERS)
		return "too many headers";
	for (colon++; *colon == ' ' || *colon == '\t'; colon++)
		;
	for (end = colon + strlen(colon); end > colon && isblank((unsigned char)end[-1]);)
		*--end = '\0';
	r->header[r->headers].name = line;
	r->header[r->headers++].value = colon;
	return NULL;
}

/* RFC 9112 section 6.3, for a client. */
static const char *find_framing(struct http_response *r, bool head)
{
	int at = -1;
	const char *length = http_header(r, "Content-Length", &at);
	const char *coding = http_header(r, "Transfer-Encoding", NULL);
	const char *connection = http_header(r, "Connection", NULL);

	if (length && http_header(r, "Content-Length", &at))
		return "two Content-Length headers";
	if (length && coding)
		return "Content-Length beside Transfer-Encoding";
	if (length && (!*length || length[strspn(length, "0123456789")]))
		return "Content-Length is not a number";
	if (coding && (strcasecmp(coding, "chunked") != 0 || r->minor == 0))
		return "Transfer-Encoding other than chunked, or in HTTP/1.0";
	if (coding && (r->status == 204 || r->status < 200))
		return "Transfer-Encoding in a response without a body";
	if (head || r->status < 200 || r->status == 204 || r->status == 304)
		r->framing = HTTP_NO_BODY;
	else if (coding)
		r->framing = HTTP_CHUNKED;
	else
		r->framing = length ? HTTP_LENGTH : HTTP_UNTIL_CLOSE;
	r->left = r->framing == HTTP_LENGTH ? strtoull(length, NULL, 10) : 0;
	r->ended = r->framing == HTTP_NO_BODY || (r->framing == HTTP_LENGTH && !r->left);
	r->last = r->framing == HTTP_UNTIL_CLOSE ||
	          (connection && strcasestr(connection, "close")) ||
	          (r->minor == 0 && !(connection && strcasestr(connection, "keep-alive")));
	return NULL;
}

static const char *parse_head(struct http_response *r, bool head)
{
	char *line = r->head, *end;
	const char *wrong = NULL;
	int i;

	for (i = 0; !wrong && *line; i++, line = end + 2) {
		end = strstr(line, "\r\n");
		*end = '\0';
		if (strpbrk(line, "\r\n"))
			return "bare CR or LF in the response head";
		wrong = i ? parse_header(r, line) : parse_status(r, line);
	}
	return wrong ? wrong : find_framing(r, head);
}

const char *http_read_head(struct http_response *r, struct conn *c, bool head, int64_t deadline)
{
	long end;
	int n;

	http_free(r);
	while ((end = conn_find(c, "\r\n\r\n", 4)) < 0) {
		if (c->len > MAX_HEAD)
			return "response head without an end";
		n = conn_fill(c, deadline);
		if (n <= 0)
			return c->len && n != -ETIMEDOUT ? "half a response head" : io_error(n);
	}
	if (memchr(conn_bytes(c), '\0', (size_t)end))
		return "NUL in the response head";
	r->head = strndup((const char *)conn_bytes(c), (size_t)end + 2);
	conn_consume(c, (size_t)end + 4);
	return parse_head(r, head);
}

static const char *read_line(struct conn *c, char line[256], int64_t deadline)
{
	long end;
	int n;

	while ((end = conn_find(c, "\r\n", 2)) < 0) {
		if (c->len > 255)
			return "chunk-size line without an end";
		n = conn_fill(c, deadline);
		if (n <= 0)
			return io_error(n);
	}
	if (end > 255)
		return "chunk-size line without an end";
	memcpy(line, conn_bytes(c), (size_t)end);
	line[end] = '\0';
	conn_consume(c, (size_t)end + 2);
	return NULL;
}

static const char *read_trailers(struct http_response *r, struct conn *c, int64_t deadline)
{
	char line[256];
	const char *wrong;

	do
		wrong = read_line(c, line, deadline);
	while (!wrong && line[0]);
	r->ended = !wrong;
	return wrong;
}

static const char *read_chunk(struct http_response *r, struct conn *c, const unsigned char **piece,
    size_t *n, int64_t deadline)
{
	char line[256];
	const char *wrong = read_line(c, line, deadline);
	int got;

	if (wrong)
		return wrong;
	if (!line[0] || line[strspn(line, "0123456789abcdefABCDEF")])
		return "chunk size is not a hexadecimal number";
	*n = strtoull(line, NULL, 16);
	if (!*n)
		return read_trailers(r, c, deadline);
	got = conn_need(c, *n + 2, deadline);
	if (got < 0)
		return io_error(got);
	*piece = conn_bytes(c);
	if (memcmp(*piece + *n, "\r\n", 2) != 0)
		return "no CRLF behind a chunk";
	conn_consume(c, *n + 2);
	return NULL;
}

const char *http_read_piece(struct http_response *r, struct conn *c, const unsigned char **piece,
    size_t *n, int64_t deadline)
{
	int got;

	*n = 0;
	if (r->ended)
		return NULL;
	if (r->framing == HTTP_CHUNKED)
		return read_chunk(r, c, piece, n, deadline);
	if (!c->len) {
		got = conn_fill(c, deadline);
		if (got == 0 && r->framing == HTTP_UNTIL_CLOSE) {
			r->ended = true;
			return NULL;
		}
		if (got <= 0)
			return got ? io_error(got) : "the connection ended within the body";
	}
	*n = r->framing == HTTP_LENGTH && c->len > r->left ? r->left : c->len;
	*piece = conn_bytes(c);
	conn_consume(c, *n);
	if (r->framing == HTTP_LENGTH) {
		r->left -= *n;
		r->ended = !r->left;
	}
	return NULL;
}
