/*
 * stomp/stomp_frame.h - octets to STOMP frames (STOMP 1.0, 1.1, 1.2).
 *
 * No I/O, and no knowledge of who is connected: whoever owns a parser feeds it what came, cut
 * wherever it was cut, and gets one frame at a time. A connection that is between frames costs the
 * parser's struct and nothing else; memory is taken only while a frame is incomplete, and never
 * from an announced length.
 */
#ifndef STOMP_STOMP_FRAME_H
#define STOMP_STOMP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "stomp/stomp_errors.h"

/* What both sides have agreed on; before that, what a CONNECT frame is read by: lines may end as in
 * 1.2, nothing is unescaped, and heads are UTF-8. */
enum stomp_version { STOMP_UNDECIDED, STOMP_1_0, STOMP_1_1, STOMP_1_2 };

/* In the order of the table in stomp_frame.c. The first is "no frame yet". */
enum stomp_command {
	STOMP_NONE,
	/* from a client */
	STOMP_CONNECT,
	STOMP_STOMP,
	STOMP_SEND,
	STOMP_SUBSCRIBE,
	STOMP_UNSUBSCRIBE,
	STOMP_ACK,
	STOMP_NACK,
	STOMP_BEGIN,
	STOMP_COMMIT,
	STOMP_ABORT,
	STOMP_DISCONNECT,
	/* from a server */
	STOMP_CONNECTED,
	STOMP_MESSAGE,
	STOMP_RECEIPT,
	STOMP_ERROR,
	STOMP_COMMANDS
};

/* "SEND"; "" for STOMP_NONE. */
const char *stomp_command_name(enum stomp_command command);

struct stomp_partial;

struct stomp_header {
	struct bytes name, value; /* unescaped as the version wants it */
};

/* No limit may be larger than this. */
#define STOMP_HEADERS_MAX 128

struct stomp_limits {
	size_t max_headers;    /* lines of a head, up to STOMP_HEADERS_MAX */
	size_t max_line_bytes; /* of a header's line, and of the command's */
	size_t max_head_bytes; /* of the command and all headers */
	size_t max_body_bytes;
};

/* A frame, as stomp_parse() has found it; views into the bytes that were fed, or into `kept`.
 * One for each thread is enough. */
struct stomp_frame {
	enum stomp_command command;
	size_t header_count;
	struct stomp_header headers[STOMP_HEADERS_MAX];
	struct bytes body;
	enum stomp_error error; /* after a failure: which, */
	const char *why;        /* a sentence for people, */
	struct bytes receipt; /* and the receipt header of the faulty frame, where it was read; else
	                       * empty */
	/* of the codec */
	struct stomp_partial *kept; /* what came in pieces lives as long as the views into it */
	struct buf unescaped;       /* of headers that had escapes */
	struct buf answer;          /* where a RECEIPT is composed */
	char odd;                   /* an escape that is none, */
	char sentence[80];          /* and `why`, where it names that */
};

/* In zeroed memory. */
void stomp_frame_init(struct stomp_frame *f);
void stomp_frame_fini(struct stomp_frame *f);

/* The value of the first header of this name (STOMP 1.2, "Repeated Header Entries"); p is NULL if
 * there is none. */
struct bytes stomp_header_find(const struct stomp_frame *f, struct bytes name);
static inline struct bytes stomp_header_get(const struct stomp_frame *f, const char *name)
{
	return stomp_header_find(f, bytes_of(name));
}

struct stomp_parser {
	const struct stomp_limits *limits;
	struct stomp_partial *partial; /* an incomplete frame; else NULL */
	uint8_t version;               /* enum stomp_version; its owner sets it */
	bool after_cr;                 /* between frames: half of a line end has come */
	/* Of a server that is to be understood rather than corrected: heads need not be UTF-8, and what
	 * is no escape stands for itself. Its owner sets it */
	bool lenient;
};

void stomp_parser_init(struct stomp_parser *p, const struct stomp_limits *limits);
void stomp_parser_fini(struct stomp_parser *p);

/* Takes octets as they came. Returns how many were taken; then either f->command is a frame, whole
 * and well-formed, valid until the next call (and until the bytes that were fed go), and the rest
 * is to be fed again; or it is STOMP_NONE, and all were taken: line ends between frames
 * (heart-beats) and the beginning of a frame. -1: f->error and f->why say what is wrong; nothing
 * may be fed any more. Where memory is out that is STOMP_E_INTERNAL. */
ssize_t stomp_parse(struct stomp_parser *p, const char *data, size_t n, struct stomp_frame *f);

/* What is known of a frame that is not whole, so that its owner can say what its client has done
 * wrong: nothing is under way; a head that has not ended; a head is whole, and its body is not. */
enum stomp_progress { STOMP_BETWEEN_FRAMES, STOMP_IN_HEAD, STOMP_IN_BODY };
enum stomp_progress stomp_parser_progress(const struct stomp_parser *p);
/* The command of the frame under way, once its head is whole; else STOMP_NONE. */
enum stomp_command stomp_parser_command(const struct stomp_parser *p);
/* Octets of memory that it holds for a frame under way. */
size_t stomp_parser_held(const struct stomp_parser *p);
/* The octets of that frame so far, from its command on; empty: none is under way. */
struct bytes stomp_parser_partial(const struct stomp_parser *p);

/* --- writing ------------------------------------------------------------ */

/* A frame into `out`: begin, headers, end. 0 or -ENOMEM; after a failure `out` is to be thrown
 * away. Headers are escaped as the version wants it; those of CONNECT and CONNECTED are written
 * with STOMP_UNDECIDED, which escapes as little as 1.0. What cannot be escaped (NUL; a line end and
 * a colon in a name in 1.0; a carriage return in 1.0 and 1.1) becomes a blank, so that no header
 * can be smuggled in. */
int stomp_write_begin(struct buf *out, enum stomp_command command);
int stomp_write_header(
    struct buf *out, enum stomp_version version, struct bytes name, struct bytes value);
/* As it is: the caller knows that nothing of it needs an escape. */
int stomp_write_plain(struct buf *out, const char *name, struct bytes value);
/* content-length if there is a body, the blank line, the body, and NUL. */
int stomp_write_end(struct buf *out, struct bytes body);

#endif
