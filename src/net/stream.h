/*
 * net/stream.h - a non-blocking byte stream over a descriptor, plain or TLS.
 *
 * What the kernel does not take at once waits in a queue that exists only
 * then; a queued piece is a copy, or a reference to shared bytes. One object
 * owns the descriptor; it moves between owners and loops by stream_move().
 *
 * Returns: counts or 0 for success, -errno for errors (-EAGAIN: later).
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/shared.h"
#include "net/loop.h"

struct stream;
struct stream_queue;
struct stream_tls;
struct stream_unread;
struct tls_context;
struct quota_row;

struct stream_events {
	void (*readable)(struct stream *s);
	void (*writable)(struct stream *s); /* the queue has just become empty */
	/* The peer is gone, or reading or writing failed; err is 0 for an orderly end, else -errno.
	 * At most once, never from inside a stream_*() call, and nothing is called after it. The
	 * owner closes the stream. */
	void (*hangup)(struct stream *s, int err);
	/* What stream_write_soon() took did not all go out, and waits in the queue. May be NULL. */
	void (*blocked)(struct stream *s);
};

enum { STREAM_READ = 1, STREAM_HANGUP = 2 };

/* The memory must stay until the end of the turn in which the stream was closed or moved away:
 * loop_defer() what holds it. */
struct stream {
	struct watch watch; /* watch.fd is the descriptor; -1: none */
	uint8_t want;       /* STREAM_* */
	uint8_t error;      /* what broke the wire, an errno */
	uint16_t flags;     /* stream_private.h */
	uint32_t written;   /* octets, modulo 2^32: stream_written() */
	struct loop *loop;  /* NULL between two loops */
	const struct stream_events *on;
	struct stream_tls *tls;       /* NULL when plain */
	struct stream_queue *queue;   /* NULL: nothing waits */
	struct stream_unread *unread; /* what was put back; NULL: nothing */
	struct quota_row *visitor; /* whose connection it is, as long as it lasts; NULL: nobody's */
};

/* Takes a connected, non-blocking descriptor over. Watches nothing until stream_want(). */
void stream_init(struct stream *s, struct loop *loop, int fd, const struct stream_events *on);
/* Nothing here yet, or not any more. */
void stream_init_empty(struct stream *s);
static inline bool stream_is_open(const struct stream *s)
{
	return s->watch.fd >= 0;
}

/* What to be told of: STREAM_READ calls readable (and hangup on a broken wire; an orderly end is
 * readable and stream_read() says 0; hangup follows when both directions have ended). STREAM_HANGUP
 * without STREAM_READ calls hangup as soon as the peer ends or resets, without reading what it
 * sent (under TLS, as soon as it says goodbye before any bytes, too). With nothing wanted, a stream
 * that has been watched before still hears of a broken wire. */
int stream_want(struct stream *s, unsigned want);

/* Up to n bytes; 0 at the orderly end; -EAGAIN; another error is followed by hangup in the next
 * turn, so the owner may leave it to that. If it fills the whole buffer there may be more,
 * and readable is called again (for TLS too, where the kernel does not know of it). */
ssize_t stream_read(struct stream *s, void *p, size_t n);
/* The owner has more to do with what was read than his budget allows (loop_budget()): `readable` is
 * called again when the loop has time for it, whatever the wire says, and the kernel is not asked
 * for more meanwhile. `first`: before others who wait like this. Not without STREAM_READ. */
void stream_read_later(struct stream *s, bool first);
/* Puts back what was read and is not for this owner: whoever reads next, here or after a move, gets
 * it first. Copied. 0 or -ENOMEM. */
int stream_unread(struct stream *s, struct bytes b);
/* Within `hangup` or after it: what the wire brought before it broke, or could not be written to
 * any more. 0 or -errno when there is nothing. */
ssize_t stream_read_rest(struct stream *s, void *p, size_t n);

struct stream_piece {
	const void *p;
	size_t n;
	struct shared *owner; /* the bytes are within these (the stream takes a reference if it has
	                       * to queue); NULL: copied if they have to be queued */
};

/* Takes all or nothing: what the kernel does not take now is queued behind what is queued
 * already. One system call (for each 64 pieces, or TLS record) when the queue is empty, none
 * otherwise. 0, or -errno when the wire broke or memory is out (the stream is useless then: hangup
 * follows in the next turn, unless the owner closes it first). */
int stream_write(struct stream *s, const struct stream_piece *pieces, unsigned n);
/* As stream_write() of one piece, but it may go out at LOOP_STAGE_SEND of this turn only, in one
 * system call with those of other streams (if the loop has a batch and expects many). Until
 * then stream_queued() takes it for sent. Afterwards, a wire that was full is told by `blocked`,
 * one that broke by `hangup`. Whatever else is done with the stream comes after it. */
int stream_write_soon(struct stream *s, const struct stream_piece *piece);
/* The same when something more is to be written in this turn, which may then go out with it. */
int stream_write_ahead(struct stream *s, const struct stream_piece *piece);
/* Sends what the wire takes of the queue now, without waiting for it to say so; for an owner that
 * has just made room at the other end. 0 also when some is left; -errno as stream_write().
 * `writable` is not called. */
int stream_flush(struct stream *s);
/* Bytes that wait in the queue. */
size_t stream_queued(const struct stream *s);
/* Octets that it has taken since it began, modulo 2^32, without those that were dropped because the
 * wire broke: a place in what was written. */
static inline uint32_t stream_written(const struct stream *s)
{
	return s->written;
}

/* --- what the peer has taken (stream_progress.c); each is a system call: for deadlines --- */

/* Octets that the peer's kernel has acknowledged since the connection began (TCP), or that it has
 * taken (unix); for watching whether it makes progress. (On a unix socket nothing counts them:
 * there it is a number that rises as they are taken, and falls as more are written.) */
uint64_t stream_acked(const struct stream *s);
/* Octets written and not acknowledged, queued or with the kernel. */
size_t stream_unacked(const struct stream *s);
/* Rises as the kernel takes what is queued, or the peer what the kernel has; falls as more is
 * queued. Compare two of them, for the sign of their difference. */
uint64_t stream_progress(const struct stream *s);
/* How far what was written has come, as places of stream_written(). What waited in the loop's batch
 * goes out before. */
struct stream_reach {
	uint32_t written;
	uint32_t sent;  /* at least so far the kernel has it */
	uint32_t acked; /* at least so far the peer's kernel has it, if `is_known`; by TLS, whose octets
	                 * are more than those that were written, some less than in truth */
	bool is_known;
};
void stream_measure(struct stream *s, struct stream_reach *reach);
/* stream_acked() of a socket that is no stream. */
uint64_t socket_acked(int fd);
/* It is about to be closed, and its peer takes nothing: the kernel need not try for ever to deliver
 * what it has. */
void stream_give_up(struct stream *s);

/* Moves the descriptor, its TLS state and queue to `to` (uninitialised memory), in `loop`, which is
 * the loop of the current thread or NULL (then it watches nothing until stream_adopt()). `from`
 * is empty afterwards. Wants nothing until stream_want(). */
void stream_move(
    struct stream *to, struct stream *from, struct loop *loop, const struct stream_events *on);
/* In the new loop's thread, after a move with loop NULL. */
void stream_adopt(struct stream *s, struct loop *loop);

/* Writes the stream down, or makes it from what was (`s` is uninitialised then): it wants what it wanted, and nothing is
 * said or read. Empty if it had gone, or if the snapshot is wrong. Under TLS what is handed over is one of a pair of
 * sockets: tls_carrier.h. */
struct snapshot;
void stream_snapshot(struct stream *s, struct snapshot *snapshot, struct loop *loop,
    const struct stream_events *on);

/* No more writing (TLS: close_notify first), once the queue is empty. Reading goes on. */
int stream_shutdown(struct stream *s);
/* Drops the queue and the TLS state (saying goodbye if nothing waits); the descriptor is closed at
 * the end of the turn. Idempotent. */
void stream_close(struct stream *s);
/* As stream_close(), but the peer gets a reset. */
void stream_reset(struct stream *s);

/* --- sends in batches (stream_batch.c) -------------------------------------------------- */

struct stream_batch;

#define STREAM_BATCH_FEW 4 /* so many writers in a turn are worth a batch, fewer are not */

/* Many calls of stream_write_soon() are to come; or no more, or only a few: these write at once. */
void stream_batch_expect(struct loop *loop, bool many);

/* Gives the loop a batch for stream_write_soon(); it belongs to the loop's thread and is freed
 * before the loop. 0, or -errno: there is no io_uring here; all goes well without. */
int stream_batch_new(struct stream_batch **out, struct loop *loop);
/* What is in it is sent. NULL is fine. */
void stream_batch_free(struct stream_batch *batch);

/* --- TLS: both sides of OpenSSL (tls_context.c, stream_tls.c) --------------------------- */

/* One certificate chain and key (PEM files). On error NULL and a sentence in `why`, which names the
 * file and what OpenSSL says of it. TLS 1.2 and later. Shared by all threads. */
struct tls_context *tls_context_new(
    const char *certificate, const char *key, char *why, size_t why_size);
/* Connections that exist keep what they need of it. NULL is fine. */
void tls_context_free(struct tls_context *ctx);

/* Makes a plain stream speak TLS as a server. done(s, 0) once the handshake has ended; done(s,
 * -errno) when it failed (the caller closes). Until then the stream's own events are not called.
 * `deadline` is the caller's affair. */
int stream_tls_accept(
    struct stream *s, struct tls_context *ctx, void (*done)(struct stream *s, int err));

/* Which of a context's files cannot be used, or else which setting of a server, and why ("it is
 * encrypted"). */
struct tls_trouble {
	enum tls_file {
		TLS_CERTIFICATE,
		TLS_KEY,
		TLS_CA,
		TLS_CIPHERS,
		TLS_CIPHERSUITES,
		TLS_GROUPS,
		TLS_NOTHING /* memory is out */
	} file;
	size_t pair; /* of a server: which certificate, or whose key */
	char why[128];
};

/* Whether a context could be made of these, of either side, without making one: for checking a
 * configuration. Each may be NULL; certificate and key count together. 0; -EINVAL; -ENOMEM, with
 * `trouble->why` alone. */
int tls_check_files(
    const char *certificate, const char *key, const char *ca_file, struct tls_trouble *trouble);

/* As a client. All fields may be 0. */
struct tls_client_options {
	const char *ca_file;     /* whom to trust, PEM; NULL: the system's store */
	const char *certificate; /* our own chain for servers that ask, PEM; NULL: none */
	const char *key;         /* goes with it */
	bool insecure;           /* takes any certificate for any name: for tests */
};

/* For connections as a client; errors as tls_context_new(). TLS 1.2 and later, ALPN http/1.1.
 * Sessions are resumed with the host that the context was first used for, so there is best one
 * context for each server. Shared by all threads, freed by tls_context_free(). */
struct tls_context *tls_client_context_new(
    const struct tls_client_options *options, char *why, size_t why_size);

/* Makes a plain, connected stream speak TLS as a client. `host`, a name or an IP address, is whom
 * the certificate must be for (subjectAltName alone counts, as in browsers), and is sent as SNI if
 * it is a name. done() as for stream_tls_accept(), never from within this call; -EKEYREJECTED is a
 * certificate that is not good, and stream_tls_why() says why. 0, or -ENOMEM or -EINVAL (this can
 * be no host): then the stream is as it was. What is written before the handshake has ended follows
 * it. With TLS 1.3 a server that does not like our certificate says so after the handshake: hangup.
 */
int stream_tls_connect(struct stream *s, struct tls_context *ctx, const char *host,
    void (*done)(struct stream *s, int err));
/* Why TLS failed, for a log ("certificate has expired"), until the stream is closed; "" if it did
 * not. */
const char *stream_tls_why(const struct stream *s);

/* The certificate that the peer has shown, and that was found good. */
struct tls_peer {
	char
	    subject[1024]; /* as RFC 2253 has it, in ASCII: "CN=alice,O=Example"; "": it has none */
	char fingerprint[65]; /* SHA-256 of the whole certificate, in hexadecimal digits */
};

/* Once the handshake has ended. 0; -ENOENT: there is none, or it was not asked for; -EMSGSIZE: its
 * subject is too long; -ENOMEM. */
int stream_tls_peer(const struct stream *s, struct tls_peer *peer);

/* Whether the peer began with plain text, as a client of HTTP does that does not know that TLS is
 * spoken here; until the stream is closed. */
bool stream_tls_met_text(const struct stream *s);

static inline bool stream_is_tls(const struct stream *s)
{
	return s->tls != NULL;
}

#endif
