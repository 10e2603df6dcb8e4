/*
 * http/http_parse.h - libmicrohttpd as a function: a head goes in, a view of it comes out.
 *
 * It is the second reader of each head that http_frame.h has framed: what it refuses is refused,
 * and if it does not find the same end and as many fields, the request is not believed. Its own
 * answers, time-outs and connections are nobody's affair: it sees one end of a pair of
 * sockets that serves all requests of a reactor (a lane), and is run to the end for each.
 *
 * It gets the head alone: a Content-Length of zeros, or an empty chunked body. So bodies, their
 * limits and their time are ours, and a request costs one run whatever its size.
 *
 * What is known of versions, here and nowhere else:
 *	0.9.75	says nothing at all to some heads (NULs alone, an unknown coding): three runs without a
 *		word are a refusal. Its query parser takes 60 octets of its pool for each parameter, so
 *		the query is cut off before it looks.
 *	1.0	announces an added connection only in its next run, unless it is told that there are no
 *		threads.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "http/http_frame.h"

struct http_field {
	struct bytes name, value;
};

/* All views point into the head that was given. */
struct http_parsed {
	struct bytes method, target, version;
	const struct http_field *fields; /* the parser's own, until its next call */
	size_t field_count;
	/* If it was refused: the answer */
	unsigned status;
	const char *sentence;
};

struct http_parser;

/* For heads of up to `header_bytes`. 0; -ENOMEM; -ENOTSUP: the installed libmicrohttpd does not
 * work like this. Belongs to one thread. */
int http_parser_new(struct http_parser **out, size_t header_bytes);
void http_parser_free(struct http_parser *p);

/* Reads a head, whole and framed. False: it is refused. */
bool http_parse(struct http_parser *p, struct bytes head, const struct http_frame *frame,
    struct http_parsed *out);

#endif
