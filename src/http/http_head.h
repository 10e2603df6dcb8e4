/*
 * http/http_head.h - the head of a response: status and header lines as text.
 *
 * Whoever answers renders it: http_respond(), or who has detached the connection.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* For three values of HTTP_ECHO_MAX, and what else stands in any head. */
#define HTTP_HEAD_MAX 4096

/* A value taken from a request comes back in a response if it is no longer than this. */
#define HTTP_ECHO_MAX 1024

struct http_head {
	unsigned status;
	bool is_cut;       /* a line did not fit: it must not be sent */
	struct bytes more; /* ready-made lines that live as long as the server, of any length; for
	                    * http_respond() only */
	size_t len;
	char text[HTTP_HEAD_MAX]; /* "Name: value\r\n"...; no status line, no empty line */
};

void http_head_init(struct http_head *head, unsigned status);
/* Adds one line. Values are trusted to hold no CR or LF; libmicrohttpd never lets one through. If
 * it does not fit the head is cut, and whoever would send it refuses instead. */
void http_head_add(struct http_head *head, const char *name, const char *value);
void http_head_add_bytes(struct http_head *head, const char *name, struct bytes value);
/* Adds ready-made lines. */
void http_head_add_lines(struct http_head *head, struct bytes lines);

/* The caching rules of the SockJS protocol. */
void http_head_never_cache(struct http_head *head);
void http_head_cache_for_a_year(struct http_head *head);
/* The same in words, for those that look for them; but whoever keeps it asks each time whether it
 * is still good (RFC 9111 section 5.2.2.4), so it needs an ETag. */
void http_head_cache_but_ask(struct http_head *head);

/* Status line, Date, `lines`, `more`, Connection (close; or keep-alive, for a client of HTTP/1.0),
 * Content-Length (if `length` is not negative) or Transfer-Encoding (if `chunked`), and the empty
 * line. Returns the length written; `out` must have room for lines.n + more.n + HTTP_HEAD_EXTRA. */
#define HTTP_HEAD_EXTRA 224
struct http_framing {
	bool keep_alive;
	bool chunked;
	bool is_1_0;
	long long length; /* -1: none */
};
size_t http_head_render_parts(char *out, unsigned status, struct bytes lines, struct bytes more,
    struct http_framing framing);
/* The same without `more`. */
size_t http_head_render(
    char *out, unsigned status, struct bytes lines, struct http_framing framing);

const char *http_reason(unsigned status);

#endif
