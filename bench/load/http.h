/*
 * bench/load/http.h - reading responses.
 */
#ifndef LOAD_HTTP_H
#define LOAD_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum http_event {
	HTTP_MORE, /* nothing can be said before more bytes are there */
	HTTP_HEAD, /* status and the rest of the reader are set */
	HTTP_BODY, /* a whole body, or a whole chunk of one */
	HTTP_END,  /* of a response; what follows is the next one */
	HTTP_BAD,
};

enum http_state { HTTP_IN_HEAD, HTTP_IN_BODY, HTTP_IN_CHUNKS, HTTP_AT_END };

/* All zero before the first response. */
struct http_reader {
	enum http_state state;
	unsigned status;
	size_t length; /* of the body, if it is not chunked */
	bool is_chunked, closes;
	const char *body; /* of HTTP_BODY, valid until more is read */
	size_t body_len;
};

/* Reads one thing and says in *USED how many bytes it took. */
enum http_event http_next(struct http_reader *r, const char *data, size_t len, size_t *used);

#endif
