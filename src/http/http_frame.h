/*
 * http/http_frame.h - where a request ends (RFC 9112 sections 2 to 7).
 *
 * The strict half of two readers that must agree: libmicrohttpd reads what was framed here, and
 * only if it finds the same end is the request believed (http_parse.h). So this refuses whatever
 * any two servers are known to read differently: bare line ends, folded lines, blanks around a
 * name, two lengths, a length beside chunks. It decides nothing else.
 *
 * Both readers go on where they stopped, so a client that sends octet by octet makes no work of it.
 */
#ifndef HTTP_FRAME_H
#define HTTP_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum http_frame_result { HTTP_FRAME_MORE, HTTP_FRAME_WHOLE, HTTP_FRAME_BAD };

enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED };

/* A head. Zeroed before its first octets are looked at. */
struct http_frame {
	uint32_t octets; /* of the head, with the empty line; before that, of the lines read so far */
	uint32_t fields;
	uint32_t target_at, target_n; /* between method and version, a blank from each */
	enum http_body_kind body;
	bool is_1_0;
	uint32_t length_at, length_n; /* the value of Content-Length, with the blanks behind it */
	uint64_t length;
	/* HTTP_FRAME_BAD: the answer */
	unsigned status;
	const char *sentence;
};

struct http_field {
	struct bytes name, value; /* the value without the blanks around it */
};

/* Looks at what has come of a head; `in` begins with its first octet, and there may be more behind
 * it. A head longer than `most` octets is 431. */
enum http_frame_result http_frame_head(struct http_frame *f, struct bytes in, size_t most);

/* The fields of a whole head, views into it: as many as f->fields. */
void http_frame_fields(const struct http_frame *f, const char *head, struct http_field *out);

/* Octets of empty lines that these begin with. A request may come behind some (RFC 9112 section
 * 2.2): they are no request, and no part of one. */
size_t http_empty_lines(struct bytes in);

/* --- a chunked body (http_chunks.c) -------------------------------------------------------- */

/* Zeroed at the body's beginning. */
struct http_chunks {
	enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER } at;
	uint64_t left;   /* of the chunk's data */
	uint32_t framed; /* octets of extensions and trailer so far; beyond `most`: too many */
};

/* Takes what it can from the front of `in`: *used octets of it are done with. What it finds is
 * *data, of no octets if it was no data; then there may be more to find in the rest. MORE: nothing
 * is to be found in what is left before more comes. A line of a size with its extensions, and the
 * trailer, are no longer than `most`. */
enum http_frame_result http_chunks_next(
    struct http_chunks *c, struct bytes in, size_t most, size_t *used, struct bytes *data);

#endif
