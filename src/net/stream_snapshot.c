/*
 * net/stream_snapshot.c - a stream as octets and a descriptor, for another process; see stream.h.
 *
 * What the kernel has of it goes with the descriptor. What it has not: the queue, what was put back, and how far the
 * stream has come in its life. Under TLS a socket stands for it (tls_carrier.h), and the queue stays where the records
 * are made; there a handshake that is under way comes to its end, and nothing is heard of it meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "net/stream_private.h"
#include "net/stream_witness.h"
#include "net/tls_carrier.h"
#include "net/visitors.h"

/* What means something elsewhere: the others are of TLS, or of a batch that is out. */
#define LASTING                                                                                    \
	(STREAM_FAILED | STREAM_GONE | STREAM_ENDED | STREAM_SHUT_ASKED | STREAM_SHUT_DONE |       \
	    STREAM_MORE | STREAM_BLOCKED | STREAM_UNREAD | STREAM_LATER)

/* --- octets that wait ----------------------------------------------------------------------------- */

static size_t write_length(struct stream *s, struct snapshot *snapshot)
{
	return snapshot_size(snapshot, s->tls ? 0 : stream_queued(s));
}

static void write_queue(struct stream *s, struct snapshot *snapshot)
{
	const struct stream_queue *q = s->queue;

	if (write_length(s, snapshot) == 0)
		return;
	for (unsigned i = q->first; i < q->last; i++)
		snapshot_raw(snapshot, (void *)(uintptr_t)q->pieces[i].p, q->pieces[i].n);
}

static void read_queue(struct stream *s, struct snapshot *snapshot)
{
	size_t n = snapshot_size(snapshot, 0);
	struct stream_piece piece = { snapshot->in.p + snapshot->at, n, NULL };

	if (n == 0 || !snapshot_check(snapshot, n <= snapshot_left(snapshot)))
		return;
	snapshot->at += n;
	if (stream_queue_add(&s->queue, &piece, 1, 0) < 0)
		snapshot_fail(snapshot, -ENOMEM);
}

static void write_unread(struct stream *s, struct snapshot *snapshot)
{
	const struct stream_unread *u = s->unread;
	struct bytes b = { NULL, 0 };

	if (u)
		b = (struct bytes){ u->octets + u->at, u->end - u->at };
	snapshot_bytes(snapshot, b);
}

static void read_unread(struct stream *s, struct snapshot *snapshot)
{
	struct bytes b = snapshot_bytes(snapshot, (struct bytes){ NULL, 0 });

	if (b.n == 0)
		return;
	s->unread = mem_alloc(sizeof(*s->unread) + b.n);
	if (!s->unread) {
		snapshot_fail(snapshot, -ENOMEM);
		return;
	}
	s->unread->at = 0;
	s->unread->end = b.n;
	bytes_put(s->unread->octets, b);
}

/* --- writing ---------------------------------------------------------------------------------------- */

static void write_stream(struct stream *s, struct snapshot *snapshot)
{
	int witness = stream_witness(s);
	int fd = s->tls ? tls_carrier_offer(snapshot, s, &witness) : s->watch.fd;
	unsigned flags = s->flags & LASTING;

	if (fd < 0)
		snapshot_fail(snapshot, fd);
	/* What TLS holds comes by the socket, and so does its end */
	if (s->tls && !s->unread)
		flags &= ~(unsigned)(STREAM_MORE | STREAM_UNREAD);
	if (s->tls)
		flags &= ~(unsigned)STREAM_ENDED;
	snapshot_fd(snapshot, fd);
	if (snapshot_bool(snapshot, witness >= 0))
		snapshot_fd(snapshot, witness);
	snapshot_u16(snapshot, (uint16_t)flags);
	snapshot_u8(snapshot, s->want);
	snapshot_bool(snapshot, s->watch.events != 0);
	snapshot_u8(snapshot, s->error);
	snapshot_u32(snapshot, s->written);
	write_queue(s, snapshot);
	write_unread(s, snapshot);
	quota_row_snapshot(s->visitor, snapshot, VISITOR_CONNECTION);
}

/* --- reading ---------------------------------------------------------------------------------------- */

/* Whether it was watched. */
static bool read_state(struct stream *s, struct snapshot *snapshot)
{
	unsigned flags = snapshot_u16(snapshot, 0);
	bool was_watched;

	s->want = (uint8_t)snapshot_below(snapshot, 0, 4);
	was_watched = snapshot_bool(snapshot, false);
	s->error = snapshot_u8(snapshot, 0);
	s->written = snapshot_u32(snapshot, 0);
	if (snapshot_check(snapshot, (flags & ~(unsigned)LASTING) == 0))
		s->flags |= (uint16_t)flags; /* else it could not even be closed */
	read_queue(s, snapshot);
	read_unread(s, snapshot);
	s->visitor = quota_row_snapshot(NULL, snapshot, VISITOR_CONNECTION);
	snapshot_check(snapshot, !(s->flags & STREAM_FAILED) || !s->queue);
	if (s->unread)
		s->flags |= STREAM_MORE | STREAM_UNREAD;
	return was_watched;
}

/* One that wants nothing hears of a wire that breaks, if it did before. */
static void watch(struct stream *s)
{
	int err = 0;

	if (s->loop && s->watch.events == 0 && goes_on(s))
		err = loop_watch(s->loop, &s->watch, EPOLLERR | EPOLLHUP);
	if (err < 0)
		stream_fail(s, err);
}

static void read_witness(struct stream *s, struct snapshot *snapshot)
{
	int fd = snapshot_bool(snapshot, false) ? snapshot_fd(snapshot, -1) : -1;

	if (fd >= 0 && stream_witness_add(s, fd) < 0)
		snapshot_fail(snapshot, -ENOMEM);
}

/* What was to be called in the next turn is. */
static void go_on(struct stream *s, bool was_watched)
{
	stream_settle(s);
	if (was_watched)
		watch(s);
	if (s->loop && (s->flags & (STREAM_BLOCKED | STREAM_LATER)))
		loop_poke(s->loop, &s->watch);
}

/* Whatever it is, nobody may be kept waiting by it. */
static bool is_usable(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && ((flags & O_NONBLOCK) || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
}

static void read_stream(
    struct stream *s, struct snapshot *snapshot, struct loop *loop, const struct stream_events *on)
{
	int fd = snapshot_fd(snapshot, -1);
	bool was_watched;

	stream_init_empty(s);
	if (!snapshot_check(snapshot, fd >= 0 && is_usable(fd))) {
		if (fd >= 0)
			close(fd);
		return;
	}
	stream_init(s, loop, fd, on);
	read_witness(s, snapshot);
	was_watched = read_state(s, snapshot);
	if (snapshot_error(snapshot))
		stream_close(s);
	else
		go_on(s, was_watched);
}

void stream_snapshot(struct stream *s, struct snapshot *snapshot, struct loop *loop,
    const struct stream_events *on)
{
	bool is_there;

	if (snapshot->is_reading)
		stream_init_empty(s);
	if (!snapshot_enter(snapshot, "STRM", 1))
		return;
	is_there = snapshot_bool(snapshot, !snapshot->is_reading && stream_is_open(s));
	if (is_there && snapshot->is_reading)
		read_stream(s, snapshot, loop, on);
	else if (is_there)
		write_stream(s, snapshot);
	snapshot_leave(snapshot);
}
