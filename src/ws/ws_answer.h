/*
 * ws/ws_answer.h - the head of an HTTP response, as a client gets it: read piece by
 * piece, judged line by line (RFC 9112 sections 2, 4 and 5).
 *
 * Strict: what two readers might take for different things is an error. So is
 * a line that ends in a bare LF, which section 2.2 leaves to us: no server of
 * WebSockets needs that favour, and where a proxy in between does not grant it, the
 * two of us would disagree about where the head ends and the frames begin.
 *
 * A line is judged when it is complete, and the first one from its first octet on, so that
 * a server of something else is found out although it waits for us to speak.
 */
#ifndef WS_ANSWER_H
#define WS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "ws/ws_handshake.h"

#define WS_ANSWER_MAX       16384 /* octets in all, interim answers included */
#define WS_ANSWER_LINES_MAX 128   /* header lines of one head */

struct ws_answer {
	struct buf text;  /* the head as far as it is here */
	size_t line;      /* where the line begins that is being read */
	size_t octets;    /* taken in all */
	unsigned lines;   /* of headers, complete ones */
	unsigned minor;   /* HTTP/1.? */
	unsigned status;  /* 100 to 599; 0 while the status line is not here */
	bool is_complete; /* up to its blank line */
};

#define WS_ANSWER_INIT ((struct ws_answer){ 0 })

void ws_answer_fini(struct ws_answer *a);

/* Takes of n bytes those that belong to the head, *taken of them. NULL, or a sentence that says why
 * it can be none; no more may be fed then. */
const char *ws_answer_feed(struct ws_answer *a, const char *p, size_t n, size_t *taken);

/* Of a complete head: the reason phrase, and the headers, whose number is returned. Both point
 * into it. */
struct bytes ws_answer_phrase(const struct ws_answer *a);
size_t ws_answer_headers(
    const struct ws_answer *a, struct ws_request_header headers[WS_ANSWER_LINES_MAX]);

/* That was not the last head: another will follow. */
void ws_answer_again(struct ws_answer *a);

/* Whether all octets may stand in a header's value or in a reason phrase: no control characters but
 * the tab. */
bool ws_is_field_text(struct bytes b);

#endif
