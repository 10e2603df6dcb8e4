/*
 * net/stream_batch.c - the sends of many streams in one system call.
 *
 * A broadcast is thousands of small sends of the same bytes, one after another, and
 * the way into the kernel and back is a good part of what each costs. They collect
 * here and go out together when the batch is full or the turn comes to
 * LOOP_STAGE_SEND. Nothing outlives the call that sends: afterwards each stream is
 * as if it had written by itself.
 *
 * Owns: a reference to the bytes of each entry.
 */
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/send_ring.h"
#include "net/stream_private.h"

enum {
	BATCH_MOST = 256,
	BATCH_FEW = 4, /* fewer are sent one by one: the ring costs more than it saves */
};

struct entry {
	struct stream *stream;
	struct shared *owner;
};

struct stream_batch {
	struct loop *loop;
	struct send_ring *ring; /* NULL: the kernel has refused it meanwhile */
	unsigned n;
	struct entry entries[BATCH_MOST];
	struct send_op sends[BATCH_MOST]; /* of the same index */
};

/* --- sending ------------------------------------------------------------ */

/* Streams write by themselves from now on. */
static void give_up(struct stream_batch *b, int err)
{
	log_warn("io_uring fails; sends go one by one from now on", LOG_ERR(err));
	send_ring_free(b->ring);
	b->ring = NULL;
	loop_set_hook(b->loop, LOOP_STAGE_SEND, NULL, NULL);
}

static void settle(struct stream_batch *b, unsigned i)
{
	struct stream *s = b->entries[i].stream;
	struct send_op *op = &b->sends[i];
	struct stream_piece piece = { op->p, op->n, b->entries[i].owner };

	if (op->result == SEND_NOT_TRIED)
		op->result = stream_fd_ops.write(s, &piece, 1);
	else if (op->result == -EINTR)
		op->result = -EAGAIN;
	s->flags &= (uint16_t)~STREAM_BATCHED;
	stream_sent(s, &piece, op->result);
	shared_unref(piece.owner);
}

static void submit(struct stream_batch *b)
{
	int err = 0;

	if (b->n >= BATCH_FEW)
		err = send_ring_send(b->ring, b->sends, b->n);
	for (unsigned i = 0; i < b->n; i++)
		settle(b, i);
	b->n = 0;
	if (err < 0)
		give_up(b, err);
}

static void on_stage(struct loop *loop, void *arg)
{
	(void)loop;
	submit(arg);
}

void stream_batch_submit(struct loop *loop)
{
	submit(loop_hook_arg(loop, LOOP_STAGE_SEND));
}

/* --- collecting --------------------------------------------------------- */

struct stream_batch *stream_batch_of(struct loop *loop)
{
	return loop_is_ahead(loop, LOOP_STAGE_SEND) ? loop_hook_arg(loop, LOOP_STAGE_SEND) : NULL;
}

void stream_batch_add(struct stream_batch *b, struct stream *s, const struct stream_piece *piece)
{
	b->entries[b->n] = (struct entry){ s, shared_ref(piece->owner) };
	b->sends[b->n] =
	    (struct send_op){ s->watch.fd, piece->p, piece->n, .result = SEND_NOT_TRIED };
	s->flags |= STREAM_BATCHED;
	if (++b->n == BATCH_MOST)
		submit(b);
}

/* --- life --------------------------------------------------------------- */

int stream_batch_new(struct stream_batch **out, struct loop *loop)
{
	struct stream_batch *b = mem_zalloc(sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	if ((err = send_ring_new(&b->ring, BATCH_MOST)) < 0) {
		mem_free(b);
		return err;
	}
	b->loop = loop;
	loop_set_hook(loop, LOOP_STAGE_SEND, on_stage, b);
	*out = b;
	return 0;
}

void stream_batch_free(struct stream_batch *b)
{
	if (!b)
		return;
	submit(b);
	if (b->ring)
		loop_set_hook(b->loop, LOOP_STAGE_SEND, NULL, NULL);
	send_ring_free(b->ring);
	mem_free(b);
}
