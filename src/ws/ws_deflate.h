/*
 * ws/ws_deflate.h - messages to DEFLATE and back, as permessage-deflate wants them
 * (RFC 7692 section 7.2). No frames, no I/O.
 *
 * The memory behind it is large (10 KiB to inflate, up to 256 KiB to deflate), so an
 * object of this kind serves many connections of one thread: each message
 * stands for itself then. Who has agreed on context takeover needs one of his own.
 * Everything is allocated on first use.
 */
#ifndef WS_DEFLATE_H
#define WS_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct snapshot;
struct ws_deflate;

/* NULL when memory is out. */
struct ws_deflate *ws_deflate_new(void);
void ws_deflate_free(struct ws_deflate *d); /* NULL is fine */

/* One that is for a connection alone, between two messages (ws_conn_snapshot() comes before): what the peer may refer
 * to. What is compressed afterwards refers to nothing before. NULL is none; what is read is the caller's. */
void ws_deflate_snapshot(struct ws_deflate **d, struct snapshot *s);

/* --- inflating ---------------------------------------------------------- */

/* A message on its way to being whole. What it holds is the codec's, on loan until
 * ws_inflated_done(); several loans of one codec may be out at a time. Zeroed before the first
 * call. */
struct ws_inflated {
	char *p;
	size_t n;
	size_t capacity;
	struct z_stream_s *z; /* who is at work on it; NULL before and after */
	size_t taken;         /* octets of the payload, and of what stands for its tail */
	bool is_whole;
};

enum { WS_INFLATE_MORE = 1 };

/* Inflates the payload of one message (all its frames, without the 00 00 ff ff that its sender has
 * taken off), or goes on with it: about `most` octets come out in this call. `takes_over`: it may
 * refer to the messages before. Memory grows with what comes out, never beyond `limit` octets (0:
 * no limit). 0: it is whole; WS_INFLATE_MORE: call again with the same payload, which may lie
 * elsewhere by then; -EMSGSIZE: more would come out; -EPROTO: this is not DEFLATE, or ends within a
 * block; -ENOMEM. On an error nothing is on loan. */
int ws_inflate(struct ws_deflate *d, bool takes_over, const char *p, size_t n, size_t limit,
    size_t most, struct ws_inflated *out);
/* At any time; harmless when nothing is on loan. NULL: there is no codec any more, or not yet. */
void ws_inflated_done(struct ws_deflate *d, struct ws_inflated *out);

/* --- deflating ---------------------------------------------------------- */

/* What does not shrink is tried ever less often: after one, two, three... messages in a row that
 * did not, the next 1, 3, 7... up to 127 are not tried. */
struct ws_deflate_luck {
	uint8_t bad;  /* in a row */
	uint8_t skip; /* not to be tried */
};

/* How the messages of a connection are compressed. */
struct ws_deflate_how {
	struct ws_deflate *codec;
	uint8_t window_bits;          /* 8 to 15: how far back may be referred to */
	uint8_t level;                /* 1 to 9, zlib's */
	bool takes_over;              /* a message may refer to those before */
	size_t min_bytes;             /* shorter ones are not worth it */
	struct ws_deflate_luck *luck; /* NULL: always try */
};

/* Compresses n octets to `out`, which has room for n + WS_DEFLATE_ROOM and may not overlap. How
 * many came out, at most n - 1; 0 if it does not pay (send the message as it is); -ENOMEM. */
#define WS_DEFLATE_ROOM 4
ssize_t ws_deflate(const struct ws_deflate_how *how, const char *p, size_t n, char *out);

/* The next message refers to none before it, since the peer has inflated something that this
 * codec does not know of. */
void ws_deflate_forget(struct ws_deflate *d);

#endif
