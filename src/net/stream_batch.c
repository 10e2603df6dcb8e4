/*
 * net/stream_batch.c - the sends of many streams in one system call.
 *
 * A broadcast is thousands of small sends, the answers of a busy turn are hundreds,
 * and the way into the kernel and back is a good part of what each costs. They collect
 * here and go out together when the batch is full or the turn comes to
 * LOOP_STAGE_SEND. Nothing outlives the call that sends: afterwards each stream is
 * as if it had written by itself.
 *
 * Owns: a reference to shared bytes, a copy of others.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/send_ring.h"
#include "net/stream_private.h"

enum {
	BATCH_MOST = 512, /* more gain nothing, and overflow the backlog of a loopback device */
	BATCH_BYTES = 64 * 1024, /* copies */
	COPY_MOST = 4096,        /* of a piece; what is longer is sent at once */
};

struct entry {
	struct stream *stream;
	struct shared *owner; /* NULL: a copy */
};

struct stream_batch {
	struct loop *loop;
	struct send_ring *ring; /* NULL: the kernel has refused it meanwhile */
	bool expects_many;      /* worth collecting */
	unsigned n;
	size_t copied; /* bytes */
	struct entry entries[BATCH_MOST];
	struct send_op sends[BATCH_MOST]; /* of the same index */
	char copies[BATCH_BYTES];
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

/* What became of a piece: how much the kernel took, or -errno. The owner hears from the loop that
 * something was left, for it was told that all is well. */
static void sent(struct stream *s, const struct stream_piece *piece, ssize_t taken)
{
	if (taken == (ssize_t)piece->n)
		return;
	if (!goes_on(s) || stream_enqueue_rest(s, piece, 1, taken) < 0) {
		s->written -= (uint32_t)piece->n - (taken > 0 ? (uint32_t)taken : 0);
		return;
	}
	s->flags |= STREAM_BLOCKED;
	loop_poke(s->loop, &s->watch);
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
	sent(s, &piece, op->result);
	shared_unref(piece.owner);
}

static void submit(struct stream_batch *b)
{
	int err = 0;

	if (b->n >= STREAM_BATCH_FEW)
		err = send_ring_send(b->ring, b->sends, b->n);
	for (unsigned i = 0; i < b->n; i++)
		settle(b, i);
	b->n = 0;
	b->copied = 0;
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

struct stream_batch *stream_batch_of(struct loop *loop, bool if_few)
{
	struct stream_batch *b = loop_hook_arg(loop, LOOP_STAGE_SEND);

	return b && (if_few || b->expects_many) && loop_is_ahead(loop, LOOP_STAGE_SEND) ? b : NULL;
}

void stream_batch_expect(struct loop *loop, bool many)
{
	struct stream_batch *b = loop_hook_arg(loop, LOOP_STAGE_SEND);

	if (b)
		b->expects_many = many;
}

/* Whether the batch can take a piece, now that what it held may have been sent. */
static bool make_room(struct stream_batch *b, const struct stream_piece *piece)
{
	if (!piece->owner && piece->n > COPY_MOST)
		return false;
	if (b->n == BATCH_MOST || (!piece->owner && piece->n > BATCH_BYTES - b->copied))
		submit(b);
	return b->ring != NULL;
}

bool stream_batch_add(struct stream_batch *b, struct stream *s, const struct stream_piece *piece)
{
	const void *p = piece->p;

	if (!make_room(b, piece))
		return false;
	if (piece->owner) {
		shared_ref(piece->owner);
	} else {
		p = memcpy(b->copies + b->copied, p, piece->n);
		b->copied += piece->n;
	}
	b->entries[b->n] = (struct entry){ s, piece->owner };
	b->sends[b->n++] = (struct send_op){ s->watch.fd, p, piece->n, SEND_NOT_TRIED };
	s->flags |= STREAM_BATCHED;
	s->written += (uint32_t)piece->n;
	return true;
}

/* Shared bytes stay where they are, so that nothing can stand behind them. */
bool stream_batch_extend(struct stream *s, const struct stream_piece *piece)
{
	struct stream_batch *b = loop_hook_arg(s->loop, LOOP_STAGE_SEND);
	struct entry *last = &b->entries[b->n - 1];

	if (last->stream != s || last->owner || piece->n > COPY_MOST ||
	    piece->n > BATCH_BYTES - b->copied)
		return false;
	bytes_put(b->copies + b->copied, (struct bytes){ piece->p, piece->n });
	b->copied += piece->n;
	b->sends[b->n - 1].n += piece->n;
	s->written += (uint32_t)piece->n;
	return true;
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
