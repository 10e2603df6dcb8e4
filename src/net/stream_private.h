/*
 * net/stream_private.h - what the files of the stream share among themselves. Each calls
 * those below it:
 *
 *	stream_progress.c  what the peer has taken
 *	stream.c        life, events, bytes
 *	stream_batch.c  the sends of many streams at once
 *	stream_tls.c    the wire under TLS, and its handshake
 *	stream_watch.c  what is watched, and how a stream fails
 *	stream_queue.c, stream_fd.c
 */
#ifndef NET_STREAM_PRIVATE_H
#define NET_STREAM_PRIVATE_H

#include "net/stream.h"

enum stream_flags {
	STREAM_FAILED = 1 << 0,           /* the wire broke; `error` says how */
	STREAM_GONE = 1 << 1,             /* hangup has been called: nothing more is said */
	STREAM_ENDED = 1 << 2,            /* stream_read() has said 0 */
	STREAM_SHUT_ASKED = 1 << 3,       /* no more writing once the queue is empty */
	STREAM_SHUT_DONE = 1 << 4,        /* and so it was */
	STREAM_HANDSHAKE = 1 << 5,        /* TLS: not yet a stream for its owner */
	STREAM_READ_WANTS_WRITE = 1 << 6, /* TLS: it cannot read before the wire takes bytes */
	STREAM_WRITE_WANTS_READ = 1 << 7, /* TLS: and the other way round */
	STREAM_MORE = 1 << 8,             /* there may be more to read than the kernel knows of */
	STREAM_BATCHED = 1 << 9,          /* a piece of it is in the loop's batch */
	STREAM_BLOCKED = 1 << 10,         /* `blocked` is to be called */
	STREAM_UNREAD = 1 << 11,          /* bytes are known to wait, before any goodbye of TLS */
	STREAM_LATER = 1 << 12,           /* the owner goes on with what he has before he reads */
	STREAM_CARRIED = 1 << 13,         /* another process has its TLS: stream_witness.h */
};

/* The wire under a stream: stream_fd.c and stream_tls.c. Counts or 0, or -errno. */
struct stream_ops {
	ssize_t (*read)(struct stream *s, void *p, size_t n);
	/* What it takes of the pieces at once; -EAGAIN: nothing. */
	ssize_t (*write)(struct stream *s, const struct stream_piece *pieces, unsigned n);
	int (*shutdown)(struct stream *s);
	/* Frees the wire's own state. `politely`: may still say goodbye. */
	void (*release)(struct stream *s, bool politely);
};

extern const struct stream_ops stream_fd_ops, stream_tls_ops;

/* --- what its state says ---------------------------------------------------------------- */

/* Whether a callback has left the stream here and whole. */
static inline bool goes_on(const struct stream *s)
{
	return stream_is_open(s) && !(s->flags & STREAM_FAILED);
}

static inline bool has_to_write(const struct stream *s)
{
	return s->queue || (s->flags & (STREAM_SHUT_ASKED | STREAM_SHUT_DONE)) == STREAM_SHUT_ASKED;
}

/* Whoever says goodbye under TLS may leave the TCP stream open, until we say it too; and a goodbye
 * is a record among others. So they are looked at as long as no bytes are among them. */
static inline bool awaits_goodbye(const struct stream *s)
{
	return s->tls && s->want == STREAM_HANGUP && !(s->flags & (STREAM_UNREAD | STREAM_ENDED));
}

static inline bool wants_input(const struct stream *s)
{
	return (s->want & STREAM_READ) && !(s->flags & (STREAM_ENDED | STREAM_LATER));
}

/* What broke the wire, -errno; 0: nothing has. */
static inline int stream_error(const struct stream *s)
{
	return -(int)s->error;
}

/* Calls readable soon if bytes may wait where the kernel cannot see them. */
static inline void poke_if_more(struct stream *s)
{
	if ((s->flags & STREAM_MORE) && ((s->want & STREAM_READ) || awaits_goodbye(s)) && s->loop)
		loop_poke(s->loop, &s->watch);
}

/* --- stream_batch.c --------------------------------------------------------------------- */

/* The loop's batch, if what is put into it now still goes out in this turn, and many are expected
 * (or `if_few`: that does not matter); or NULL. */
struct stream_batch *stream_batch_of(struct loop *loop, bool if_few);
/* The stream is plain, has nothing queued and is not in it yet. False: it is not for the batch. */
bool stream_batch_add(
    struct stream_batch *batch, struct stream *s, const struct stream_piece *piece);
/* Appends to what the batch has of the stream. False: it is not the last in it, or has no room. */
bool stream_batch_extend(struct stream *s, const struct stream_piece *piece);
/* Sends what the loop's batch holds. The owners of the streams are not called. */
void stream_batch_submit(struct loop *loop);
/* What waits in the loop's batch comes before anything else. */
static inline void stream_batch_settle(struct stream *s)
{
	if (s->flags & STREAM_BATCHED)
		stream_batch_submit(s->loop);
}

/* --- stream_tls.c ----------------------------------------------------------------------- */

/* Whether anything has come, without taking it: 1 for bytes, 0 for the orderly end, -EAGAIN for
 * neither; -errno. */
int stream_tls_peek(struct stream *s);
/* The next step of a TLS handshake. */
void stream_tls_handshake(struct stream *s);

/* --- stream_watch.c --------------------------------------------------------------------- */

/* Watches what the state of the stream asks for. */
int stream_rewatch(struct stream *s);
/* The same after a callback or a move, with a failure to do so noted in the stream; does nothing to
 * a stream that is closed by now. */
void stream_settle(struct stream *s);
/* What waits in the queue will never be sent. */
void stream_drop_queue(struct stream *s);
/* Notes what broke; hangup is called in the next turn. Returns `err`. */
int stream_fail(struct stream *s, int err);
/* Queues what the wire did not take when it said `sent`. 0, or -errno: then it has failed. */
int stream_enqueue_rest(
    struct stream *s, const struct stream_piece *pieces, unsigned n, ssize_t sent);

/* What was put back (stream_unread()). */
struct stream_unread {
	size_t at, end; /* octets[at...end) are still to be read */
	char octets[];
};

/* --- the queue (stream_queue.c): pieces that wait for the kernel, oldest first ------------ */

struct stream_queue {
	size_t bytes;         /* in all pieces */
	unsigned first, last; /* the pieces that wait are [first, last) */
	unsigned cap;
	struct shared *block; /* the last piece's owner, if that is a block of copies; or NULL */
	struct stream_piece pieces[]; /* each has an owner: copies live in blocks of our own */
};

/* Appends the pieces without their first `skip` bytes, making the queue if there is none. On
 * -ENOMEM part of them may have been appended. */
int stream_queue_add(
    struct stream_queue **q, const struct stream_piece *pieces, unsigned n, size_t skip);
/* Drops n bytes from the front; the queue is freed and NULL when that was all. */
void stream_queue_consume(struct stream_queue **q, size_t n);
void stream_queue_free(struct stream_queue **q);

#endif
