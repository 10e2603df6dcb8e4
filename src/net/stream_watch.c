/*
 * net/stream_watch.c - what a stream is watched for, and how it fails; what the wire did
 * not take. The files of the stream call it, it calls none but the queue.
 *
 * An error found inside a call is only noted, and the watch is poked: the owner
 * hears of it as hangup from the loop, where it may destroy what it likes.
 */
#include <errno.h>

#include "net/stream_private.h"

static uint32_t interest(const struct stream *s)
{
	uint32_t events = 0;

	if (s->flags & STREAM_HANDSHAKE)
		return s->flags & STREAM_READ_WANTS_WRITE ? EPOLLOUT : EPOLLIN;
	if (wants_input(s) || awaits_goodbye(s))
		events |= s->flags & STREAM_READ_WANTS_WRITE ? EPOLLOUT : EPOLLIN;
	if (s->want == STREAM_HANGUP)
		events |= EPOLLRDHUP;
	if (has_to_write(s))
		events |= s->flags & STREAM_WRITE_WANTS_READ ? EPOLLIN : EPOLLOUT;
	return events;
}

/* A stream that wants nothing for now stays watched for errors; one that never wanted anything is
 * not watched at all. */
int stream_rewatch(struct stream *s)
{
	uint32_t events;

	if (!s->loop || (s->flags & STREAM_FAILED))
		return 0;
	events = interest(s);
	if (events == 0 && s->watch.events == 0)
		return 0;
	return loop_watch(s->loop, &s->watch, events ? events : EPOLLERR | EPOLLHUP);
}

void stream_drop_queue(struct stream *s)
{
	if (s->queue)
		s->written -= (uint32_t)s->queue->bytes;
	stream_queue_free(&s->queue);
}

int stream_fail(struct stream *s, int err)
{
	if (!(s->flags & STREAM_FAILED)) {
		s->flags |= STREAM_FAILED;
		s->error = (uint8_t)-err;
		stream_drop_queue(s);
		if (s->loop)
			loop_poke(s->loop, &s->watch);
	}
	return err;
}

void stream_settle(struct stream *s)
{
	int err;

	if (!stream_is_open(s) || !s->loop)
		return;
	if (s->flags & STREAM_FAILED)
		loop_poke(s->loop, &s->watch);
	else if ((err = stream_rewatch(s)) < 0)
		stream_fail(s, err);
	else
		poke_if_more(s);
}

int stream_want(struct stream *s, unsigned want)
{
	uint8_t before = s->want;
	int err;

	if (!stream_is_open(s))
		return -EBADF;
	s->want = (uint8_t)want;
	if ((err = stream_rewatch(s)) < 0) {
		s->want = before;
		return err;
	}
	poke_if_more(s);
	return 0;
}

/* --- what the wire did not take ------------------------------------------ */

static int enqueue(struct stream *s, const struct stream_piece *pieces, unsigned n, size_t skip)
{
	bool arm = s->queue == NULL;
	int err = stream_queue_add(&s->queue, pieces, n, skip);

	if (err == 0 && arm)
		err = stream_rewatch(s);
	return err < 0 ? stream_fail(s, err) : 0;
}

int stream_enqueue_rest(
    struct stream *s, const struct stream_piece *pieces, unsigned n, ssize_t sent)
{
	if (sent == -EAGAIN)
		sent = 0;
	return sent < 0 ? stream_fail(s, (int)sent) : enqueue(s, pieces, n, (size_t)sent);
}
