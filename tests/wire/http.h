/*
 * tests/wire/http.h - HTTP/1.x responses as a strict client reads them; see http.c.
 */
#ifndef WIRE_HTTP_H
#define WIRE_HTTP_H

#include <stdbool.h>

#include "wire/conn.h"

enum { HTTP_MAX_HEADERS = 64 };

enum http_framing {
	HTTP_NO_BODY, /* HEAD, 1xx, 204, 304 */
	HTTP_LENGTH,
	HTTP_CHUNKED,
	HTTP_UNTIL_CLOSE,
};

struct http_header {
	const char *name, *value;
};

struct http_response {
	int status, minor; /* HTTP/1.minor */
	bool last;         /* the server will close behind it */
	bool ended;        /* its body has been consumed to its end */
	enum http_framing framing;
	size_t left; /* of an HTTP_LENGTH body */
	char *head;  /* the text the headers point into */
	struct http_header header[HTTP_MAX_HEADERS];
	int headers;
};

/*
 * All return NULL when all is well, else what is wrong with what the server
 * sent, in words. "timeout", "closed" and "reset" stand for themselves.
 */
extern const char http_timeout[], http_closed[], http_reset[];

/* Reads a response head. HEAD: it answers a HEAD request, so it has no body. */
const char *http_read_head(struct http_response *r, struct conn *c, bool head, int64_t deadline);

/* The next piece of the body: a whole chunk, or what is there. N = 0: the body has ended. */
const char *http_read_piece(struct http_response *r, struct conn *c, const unsigned char **piece,
    size_t *n, int64_t deadline);

/* The next occurrence of a header after *AT (start with -1), or NULL. */
const char *http_header(const struct http_response *r, const char *name, int *at);

void http_free(struct http_response *r);

#endif
