/*
 * bench/load/http.c - an incremental reader of HTTP/1.1 responses.
 *
 * It keeps no bytes: what is incomplete is read again when there is more. A chunk is
 * handed out whole, because every server sends a SockJS frame in one, and this way
 * one that does not is found out.
 */
#include "load/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- the head ----------------------------------------------------------------------- */

static bool is_named(const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);

	return len > n && strncasecmp(line, name, n) == 0;
}

/* Does the rest of the line begin with WORD? */
static bool says(const char *line, const char *end, const char *word)
{
	while (line < end && *line == ' ')
		line++;
	return (size_t)(end - line) >= strlen(word) && strncasecmp(line, word, strlen(word)) == 0;
}

static void read_field(struct http_reader *r, const char *line, const char *end)
{
	size_t len = (size_t)(end - line);

	if (is_named(line, len, "content-length:"))
		r->length = strtoul(line + 15, NULL, 10);
	else if (is_named(line, len, "transfer-encoding:"))
		r->is_chunked = says(line + 18, end, "chunked");
	else if (is_named(line, len, "connection:"))
		r->closes = says(line + 11, end, "close");
}

static enum http_event read_head(struct http_reader *r, const char *data, size_t len, size_t *used)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4), *line, *eol;

	if (!end)
		return len < 9 || memcmp(data, "HTTP/1.", 7) == 0 ? HTTP_MORE : HTTP_BAD;
	*r = (struct http_reader){ 0 };
	r->status = (unsigned)strtoul(data + 9, NULL, 10);
	for (line = (const char *)memchr(data, '\n', len) + 1; line < end; line = eol + 2) {
		eol = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
		read_field(r, line, eol);
	}
	if (r->is_chunked)
		r->state = HTTP_IN_CHUNKS;
	else if (r->length > 0 && r->status != 204)
		r->state = HTTP_IN_BODY;
	else
		r->state = HTTP_AT_END;
	*used = (size_t)(end + 4 - data);
	return HTTP_HEAD;
}

/* --- the body ----------------------------------------------------------------------- */

static enum http_event read_body(struct http_reader *r, const char *data, size_t len, size_t *used)
{
	if (len < r->length)
		return HTTP_MORE;
	r->body = data;
	r->body_len = *used = r->length;
	r->state = HTTP_AT_END;
	return HTTP_BODY;
}

static enum http_event read_chunk(struct http_reader *r, const char *data, size_t len, size_t *used)
{
	const char *eol = memmem(data, len < 32 ? len : 32, "\r\n", 2);
	size_t size, head;

	if (!eol)
		return len < 32 ? HTTP_MORE : HTTP_BAD;
	size = strtoul(data, NULL, 16);
	head = (size_t)(eol + 2 - data);
	if (len < head + size + 2)
		return HTTP_MORE;
	if (memcmp(data + head + size, "\r\n", 2) != 0)
		return HTTP_BAD;
	*used = head + size + 2;
	if (size == 0) {
		r->state = HTTP_IN_HEAD;
		return HTTP_END;
	}
	r->body = data + head;
	r->body_len = size;
	return HTTP_BODY;
}

enum http_event http_next(struct http_reader *r, const char *data, size_t len, size_t *used)
{
	*used = 0;
	switch (r->state) {
	case HTTP_IN_HEAD:
		return len ? read_head(r, data, len, used) : HTTP_MORE;
	case HTTP_IN_BODY:
		return read_body(r, data, len, used);
	case HTTP_IN_CHUNKS:
		return len ? read_chunk(r, data, len, used) : HTTP_MORE;
	case HTTP_AT_END:
		break;
	}
	r->state = HTTP_IN_HEAD;
	return HTTP_END;
}
