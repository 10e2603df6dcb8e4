/*
 * http/http_parse.h - libmicrohttpd as a function: a head goes in, a verdict comes out.
 *
 * It is the second reader of each head that http_frame.h has framed: what it refuses is refused,
 * and if it does not find the same method, target, fields and end, the request is not believed. Its
 * own answers, time-outs and connections are nobody's affair: it sees one end of a pair of
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

/* Of a head. */
struct http_verdict {
	unsigned status;      /* 0: both readers have found the same. Else the answer */
	const char *sentence; /* to it */
};

struct http_parser;

/* For heads of up to `header_bytes`. 0; -ENOMEM; -ENOTSUP: the installed libmicrohttpd does not
 * work like this. Belongs to one thread. */
int http_parser_new(struct http_parser **out, size_t header_bytes);
void http_parser_free(struct http_parser *p);

/* Has a head read once more that is whole, and framed, and has these fields. */
struct http_verdict http_parse(struct http_parser *p, const char *head,
    const struct http_frame *frame, const struct http_field *fields);

#endif
