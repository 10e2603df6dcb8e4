/*
 * session/sockjs_payload.h - what a SockJS client sends: JSON text with an
 * array of strings, or (WebSocket only) one string.
 *
 * Strict (RFC 8259) and single-pass; strings are decoded in place (the result
 * is never longer than the source), into message text: \u0000 is an octet of
 * zero, a lone surrogate becomes three octets. All or nothing: no message is
 * seen unless the whole text is right.
 */
#ifndef SESSION_SOCKJS_PAYLOAD_H
#define SESSION_SOCKJS_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* Deeper nesting counts as broken. It matters only for the choice between "broken" and "not
 * strings": a right payload is one level deep. */
#define SOCKJS_PAYLOAD_MAX_DEPTH 512

enum sockjs_payload_status {
	SOCKJS_PAYLOAD_OK = 0,
	SOCKJS_PAYLOAD_EMPTY,      /* no text at all (only white space counts as broken) */
	SOCKJS_PAYLOAD_BROKEN,     /* not JSON, or not UTF-8, or something after the array */
	SOCKJS_PAYLOAD_NOT_ARRAY,  /* JSON, but no array (nor a string where one is allowed) */
	SOCKJS_PAYLOAD_NOT_STRING, /* an array with a member that is not a string */
	SOCKJS_PAYLOAD_TOO_BIG,    /* one message over max_message_bytes, or too many messages */
	SOCKJS_PAYLOAD_NO_MEMORY,
};

/* Points into itself: do not copy or move it once initialised. One per reactor is enough. */
struct sockjs_payload {
	struct bytes *messages; /* views into the caller's text */
	size_t count;
	size_t cap;
	struct bytes few[16]; /* enough for most; messages points here until it is not */
};

void sockjs_payload_init(struct sockjs_payload *p);
void sockjs_payload_fini(struct sockjs_payload *p);

/* Decodes `text` in place. May be called again for another text: the memory is re-used, unless it
 * was unusually much. On any error count is 0; the text may have been changed.
 *
 * Limits of 0 mean none, but a message costs as little as three octets of text and a view of it
 * sixteen, so who bounds only the text should bound the messages too. A text that breaks a limit is
 * not read to its end: TOO_BIG says nothing about what follows. */
enum sockjs_payload_status sockjs_payload_decode(struct sockjs_payload *p, char *text, size_t n,
    bool allow_string, size_t max_message_bytes, size_t max_messages);

#endif
