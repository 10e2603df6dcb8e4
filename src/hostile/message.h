/*
 * hostile/message.h - the heads and bodies of HTTP/1.1, of requests and of responses, as far as a
 * proxy has to know them. No I/O.
 *
 * What can be read in two ways is refused (http/http_frame.h, which reads requests and chunks).
 */
#ifndef HOSTILE_MESSAGE_H
#define HOSTILE_MESSAGE_H

#include "base/buf.h"
#include "http/http_frame.h"

#define MESSAGE_HEAD_MOST   32768
#define MESSAGE_FIELDS_MOST 128
#define MESSAGE_LINE_MOST   8192 /* of the size of a chunk, or of all trailers */

struct message_head {
	struct http_field field[MESSAGE_FIELDS_MOST];
	unsigned count;
	size_t octets; /* with its empty line */
	bool is_1_0;
	/* of a request */
	struct bytes method, target;
	/* of a response */
	unsigned status;
	struct bytes status_line; /* without its end */
	/* where its body ends, if it has one */
	enum { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_CLOSE } body;
	uint64_t length;
	/* what was wrong */
	unsigned bad_status;
	const char *sentence;
};

/* Reads a head from the front of `in`, into which the fields are views. `is_last`: of a response to
 * HEAD or CONNECT, which has no body. */
enum http_frame_result message_read_request(struct message_head *m, struct bytes in);
enum http_frame_result message_read_response(
    struct message_head *m, struct bytes in, bool has_no_body);

/* The value of the first field of this name; no bytes (p is NULL): there is none. */
struct bytes message_field(const struct message_head *m, const char *name);
/* Whether a token stands in the lists of all fields of this name. */
bool message_has(const struct message_head *m, const char *name, const char *token);
/* All fields of this name are gone. */
void message_remove(struct message_head *m, const char *name);
/* One more, whose text the caller keeps; dropped if there are too many. */
void message_add(struct message_head *m, const char *name, struct bytes value);

/* As text. 0 or -ENOMEM. */
int message_write_request(const struct message_head *m, struct bytes target, struct buf *out);
int message_write_response(const struct message_head *m, struct buf *out);

/* A body under way. */
struct message_body {
	int kind; /* as message_head.body */
	uint64_t left;
	struct http_chunks chunks;
};

void message_body_begin(struct message_body *b, const struct message_head *m);
/* Takes what it can from the front of `in`: *used octets, of which *data are what it carries. As
 * http_chunks_next(); a body that ends with the connection never ends here. */
enum http_frame_result message_body_next(
    struct message_body *b, struct bytes in, size_t *used, struct bytes *data);

#endif
