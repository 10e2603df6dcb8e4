/*
 * net/stream.c - a non-blocking byte stream: its life, its bytes, and who is told; see
 * stream.h. What it is watched for is the affair of stream_watch.c, how bytes get on
 * and off the wire that of stream_fd.c and stream_tls.c.
 *
 * Owns: the descriptor, the TLS state, the queue.
 */
#include "net/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/stream_private.h"
#include "net/stream_witness.h"
#include "net/visitors.h"

static const struct stream_ops *ops(const struct stream *s)
{
	return s->tls ? &stream_tls_ops : &stream_fd_ops;
}

/* --- events ------------------------------------------------------------- */

/* Most owners close it at once, which costs less than to unwatch it before. */
static void say_hangup(struct stream *s, int err)
{
	if (!(s->flags & STREAM_GONE)) {
		s->flags |= STREAM_FAILED | STREAM_GONE;
		s->error = (uint8_t)-err;
		stream_drop_queue(s);
		s->on->hangup(s, err);
	}
	if (stream_is_open(s) && s->loop)
		loop_unwatch(s->loop, &s->watch);
}

static void say_blocked(struct stream *s)
{
	s->flags &= (uint16_t)~STREAM_BLOCKED;
	if (s->queue && s->on->blocked)
		s->on->blocked(s);
}

static int socket_error(const struct stream *s, uint32_t events)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (!(events & EPOLLERR)) /* there is none to be had */
		return 0;
	if (getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err != 0)
		return -err;
	return -EPIPE;
}

static int finish_shutdown(struct stream *s)
{
	int err = ops(s)->shutdown(s);

	if (err == 0)
		s->flags |= STREAM_SHUT_DONE;
	return err;
}

static int flush(struct stream *s)
{
	ssize_t sent;

	if (s->queue) {
		struct stream_queue *q = s->queue;

		sent = ops(s)->write(s, q->pieces + q->first, q->last - q->first);
		if (sent < 0)
			return (int)sent;
		stream_queue_consume(&s->queue, (size_t)sent);
	}
	return !s->queue && has_to_write(s) ? finish_shutdown(s) : 0;
}

/* The owner may write again in `writable`, so interest is settled after it: a receiver that is just
 * slow enough does not cost two system calls each time. */
static void on_writable(struct stream *s)
{
	bool waited = s->queue != NULL;
	int err = flush(s);

	if (err < 0 && err != -EAGAIN) {
		say_hangup(s, err);
		return;
	}
	if (waited && !s->queue)
		s->on->writable(s);
	if (goes_on(s))
		stream_settle(s);
}

static void on_readable(struct stream *s)
{
	s->on->readable(s);
	if (goes_on(s) && (s->tls || (s->flags & (STREAM_ENDED | STREAM_MORE))))
		stream_settle(s);
}

/* The owner has his next slice of time. */
static void on_later(struct stream *s)
{
	s->flags &= (uint16_t)~STREAM_LATER;
	if (s->want & STREAM_READ)
		s->on->readable(s);
	if (goes_on(s) && !(s->flags & STREAM_LATER))
		stream_settle(s);
}

/* True: it was said. */
static bool on_goodbye(struct stream *s)
{
	int found = stream_tls_peek(s);

	if (found <= 0 && found != -EAGAIN) {
		say_hangup(s, found);
		return true;
	}
	if (found > 0)
		s->flags |= STREAM_UNREAD;
	return false;
}

static bool may_write(const struct stream *s, uint32_t events)
{
	return has_to_write(s) &&
	       (events & (s->flags & STREAM_WRITE_WANTS_READ ? EPOLLIN : EPOLLOUT));
}

static bool has_come(const struct stream *s, uint32_t events)
{
	uint32_t awaited = s->flags & STREAM_READ_WANTS_WRITE ? EPOLLOUT : EPOLLIN;

	return (events & (awaited | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) || (s->flags & STREAM_MORE);
}

static bool may_read(const struct stream *s, uint32_t events)
{
	return wants_input(s) && has_come(s, events);
}

/* The end of one direction alone is no news for who wants nothing. */
static bool has_broken(const struct stream *s, uint32_t events)
{
	return events & (EPOLLHUP | EPOLLERR | (s->want ? EPOLLRDHUP : 0u));
}

static void on_event(struct watch *w, uint32_t events)
{
	struct stream *s = container_of(w, struct stream, watch);

	if (s->flags & STREAM_FAILED) {
		say_hangup(s, stream_error(s));
		return;
	}
	if (s->flags & STREAM_HANDSHAKE) {
		stream_tls_handshake(s);
		return;
	}
	if (s->flags & STREAM_BLOCKED) {
		say_blocked(s);
		if (!goes_on(s))
			return;
	}
	if (may_write(s, events)) {
		on_writable(s);
		if (!goes_on(s))
			return;
	}
	if (s->flags & STREAM_LATER) {
		on_later(s); /* a broken wire, too: first what it has brought */
		return;
	}
	if (awaits_goodbye(s) && has_come(s, events) && on_goodbye(s))
		return;
	if (may_read(s, events))
		on_readable(s);
	else if (has_broken(s, events))
		say_hangup(s, socket_error(s, events));
	else
		stream_settle(s); /* a record was looked at, the end read elsewhere, or nobody wants it */
}

/* --- life --------------------------------------------------------------- */

void stream_init_empty(struct stream *s)
{
	memset(s, 0, sizeof(*s));
	s->watch.fd = -1;
}

void stream_init(struct stream *s, struct loop *loop, int fd, const struct stream_events *on)
{
	memset(s, 0, sizeof(*s));
	s->watch.fd = fd;
	s->watch.fn = on_event;
	s->loop = loop;
	s->on = on;
}

/* Within a loop it stays watched for what it was: its new owner may well want the same, and an
 * event that nobody wants is answered by watching for less. */
static void move_watch(struct stream *to, struct stream *from, struct loop *loop)
{
	if (from->loop && from->loop == loop) {
		loop_move_watch(loop, &to->watch, &from->watch);
		return;
	}
	if (from->loop)
		loop_unwatch(from->loop, &from->watch);
	to->watch = from->watch;
	memset(&to->watch.poked, 0, sizeof(to->watch.poked));
}

void stream_move(
    struct stream *to, struct stream *from, struct loop *loop, const struct stream_events *on)
{
	stream_batch_settle(from);
	*to = *from;
	move_watch(to, from, loop);
	to->want = 0;
	/* What the old owner was told, the new one was not. */
	if (to->flags & STREAM_ENDED)
		to->flags |= STREAM_MORE;
	to->flags &= (uint16_t) ~(STREAM_GONE | STREAM_ENDED | STREAM_BLOCKED | STREAM_LATER);
	to->loop = loop;
	to->on = on;
	stream_init_empty(from);
	if ((to->flags & (STREAM_FAILED | STREAM_HANDSHAKE)) || has_to_write(to))
		stream_settle(to);
}

void stream_adopt(struct stream *s, struct loop *loop)
{
	s->loop = loop;
	stream_settle(s);
}

static void forget_unread(struct stream *s)
{
	mem_free(s->unread);
	s->unread = NULL;
}

static void stream_end(struct stream *s, bool politely)
{
	if (!stream_is_open(s))
		return;
	stream_batch_settle(s);
	stream_witness_drop(s);
	ops(s)->release(s, politely && !s->queue && !(s->flags & STREAM_FAILED));
	stream_queue_free(&s->queue);
	forget_unread(s);
	quota_release(s->visitor, VISITOR_CONNECTION);
	s->visitor = NULL;
	if (s->loop) {
		loop_close_watch(s->loop, &s->watch);
	} else {
		close(s->watch.fd);
		s->watch.fd = -1;
	}
}

void stream_close(struct stream *s)
{
	stream_end(s, true);
}

void stream_reset(struct stream *s)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	int witness = stream_witness(s);

	stream_batch_settle(s);
	if (stream_is_open(s))
		setsockopt(witness < 0 ? s->watch.fd : witness, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	stream_end(s, false);
}

/* --- bytes -------------------------------------------------------------- */

/* What is left here, or behind it in the TLS layer, the kernel does not announce. */
static ssize_t read_unread(struct stream *s, void *p, size_t n)
{
	struct stream_unread *u = s->unread;

	if (n > u->end - u->at)
		n = u->end - u->at;
	memcpy(p, u->octets + u->at, n);
	u->at += n;
	if (u->at == u->end)
		forget_unread(s);
	if (s->unread)
		s->flags |= STREAM_MORE | STREAM_UNREAD;
	else if (s->tls)
		s->flags |= STREAM_MORE;
	return (ssize_t)n;
}

ssize_t stream_read(struct stream *s, void *p, size_t n)
{
	ssize_t got;

	if (!goes_on(s))
		return stream_is_open(s) ? stream_error(s) : -EBADF;
	s->flags &= (uint16_t) ~(STREAM_MORE | STREAM_UNREAD);
	if (s->unread)
		return read_unread(s, p, n);
	got = ops(s)->read(s, p, n);
	if (got > 0)
		return got;
	if (got == 0)
		s->flags |= STREAM_ENDED;
	else if (got != -EAGAIN)
		stream_fail(s, (int)got);
	else if (s->flags & STREAM_READ_WANTS_WRITE)
		stream_settle(s);
	return got;
}

int stream_unread(struct stream *s, struct bytes b)
{
	struct stream_unread *before = s->unread, *u;
	size_t left = before ? before->end - before->at : 0;

	if (b.n == 0)
		return 0;
	u = mem_alloc(sizeof(*u) + b.n + left);
	if (!u)
		return -ENOMEM;
	u->at = 0;
	u->end = b.n + left;
	memcpy(u->octets, b.p, b.n);
	if (left)
		memcpy(u->octets + b.n, before->octets + before->at, left);
	mem_free(before);
	s->unread = u;
	s->flags |= STREAM_MORE | STREAM_UNREAD;
	poke_if_more(s);
	return 0;
}

void stream_read_later(struct stream *s, bool first)
{
	if (!goes_on(s) || !s->loop)
		return;
	s->flags |= STREAM_LATER;
	stream_settle(s);
	if (first)
		loop_poke_first(s->loop, &s->watch);
	else
		loop_poke(s->loop, &s->watch);
}

ssize_t stream_read_rest(struct stream *s, void *p, size_t n)
{
	if (!stream_is_open(s))
		return -EBADF;
	if (s->flags & STREAM_HANDSHAKE)
		return stream_error(s);
	return s->unread ? read_unread(s, p, n) : ops(s)->read(s, p, n);
}

static size_t total_of(const struct stream_piece *pieces, unsigned n)
{
	size_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += pieces[i].n;
	return total;
}

int stream_write(struct stream *s, const struct stream_piece *pieces, unsigned n)
{
	size_t total = total_of(pieces, n);
	ssize_t sent = 0;
	int err;

	stream_batch_settle(s);
	if (!goes_on(s) || (s->flags & STREAM_SHUT_ASKED))
		return stream_is_open(s) && s->error ? stream_error(s) : -EPIPE;
	if (total == 0)
		return 0;
	if (!s->queue && !(s->flags & STREAM_HANDSHAKE)) {
		sent = ops(s)->write(s, pieces, n);
		if (sent == (ssize_t)total) {
			s->written += (uint32_t)total;
			return 0;
		}
	}
	err = stream_enqueue_rest(s, pieces, n, sent);
	if (err == 0)
		s->written += (uint32_t)total;
	return err;
}

static bool may_wait(const struct stream *s)
{
	const unsigned never = STREAM_FAILED | STREAM_SHUT_ASKED | STREAM_HANDSHAKE;

	return stream_is_open(s) && !(s->flags & never) && !s->tls && !s->queue;
}

/* What waits already is a reason to wait. */
static int write_soon(struct stream *s, const struct stream_piece *piece, bool if_few)
{
	struct stream_batch *batch;

	if (s->flags & STREAM_BATCHED)
		return stream_batch_extend(s, piece) ? 0 : stream_write(s, piece, 1);
	batch = s->loop ? stream_batch_of(s->loop, if_few) : NULL;
	if (batch && piece->n > 0 && may_wait(s) && stream_batch_add(batch, s, piece))
		return 0;
	return stream_write(s, piece, 1);
}

int stream_write_soon(struct stream *s, const struct stream_piece *piece)
{
	return write_soon(s, piece, false);
}

int stream_write_ahead(struct stream *s, const struct stream_piece *piece)
{
	return write_soon(s, piece, true);
}

int stream_flush(struct stream *s)
{
	int err;

	stream_batch_settle(s);
	if (!goes_on(s))
		return stream_is_open(s) && s->error ? stream_error(s) : -EPIPE;
	if (!s->queue || (s->flags & STREAM_HANDSHAKE))
		return 0;
	err = flush(s);
	if (err < 0 && err != -EAGAIN)
		return stream_fail(s, err);
	err = stream_rewatch(s);
	return err < 0 ? stream_fail(s, err) : 0;
}

size_t stream_queued(const struct stream *s)
{
	return s->queue ? s->queue->bytes : 0;
}

int stream_shutdown(struct stream *s)
{
	int err;

	stream_batch_settle(s);
	if (!goes_on(s))
		return stream_is_open(s) && s->error ? stream_error(s) : -EPIPE;
	if (s->flags & STREAM_SHUT_ASKED)
		return 0;
	s->flags |= STREAM_SHUT_ASKED;
	if (s->queue || (s->flags & STREAM_HANDSHAKE))
		return 0;
	err = finish_shutdown(s);
	if (err == -EAGAIN)
		err = stream_rewatch(s);
	return err < 0 ? stream_fail(s, err) : 0;
}
