/*
 * net/stream_queue.c - what waits for a slow receiver; see stream_private.h.
 *
 * A large piece of shared bytes is queued as a reference. Everything else is
 * copied into blocks, which are shared bytes too, so that all pieces look alike
 * when they are sent and dropped; copies in a row fill one block as one piece.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "net/stream_private.h"

enum {
	FIRST_PIECES = 4,
	REFER_FROM = 65, /* below, a copy is smaller and cheaper than a piece with a reference */
	BLOCK_MIN = 256,
	BLOCK_MAX = 16 * 1024,
};

/* Makes room for one more piece. */
static int reserve(struct stream_queue **q)
{
	struct stream_queue *old = *q, *grown;
	unsigned cap = old ? old->cap * 2 : FIRST_PIECES;

	if (old && old->last < old->cap)
		return 0;
	if (old && old->first >= old->cap / 2) {
		memmove(old->pieces, old->pieces + old->first,
		    (old->last - old->first) * sizeof(*old->pieces));
		old->last -= old->first;
		old->first = 0;
		return 0;
	}
	grown = mem_realloc(old, sizeof(*grown) + cap * sizeof(*grown->pieces));
	if (!grown)
		return -ENOMEM;
	if (!old)
		memset(grown, 0, sizeof(*grown));
	grown->cap = cap;
	*q = grown;
	return 0;
}

static void append(struct stream_queue *q, const char *p, size_t n, struct shared *owner)
{
	q->pieces[q->last++] = (struct stream_piece){ p, n, owner };
	q->bytes += n;
}

/* Blocks grow with the queue: a short hold-up costs little, a long one few allocations. */
static size_t block_size(const struct stream_queue *q, size_t n)
{
	size_t size = q->bytes < BLOCK_MIN ? BLOCK_MIN : q->bytes;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	return n > size ? n : size;
}

/* As much as fits goes to the end of the last block; returns how much. */
static size_t fill_block(struct stream_queue *q, const char *p, size_t n)
{
	struct stream_piece *last;
	size_t used, room;

	if (!q->block)
		return 0;
	last = &q->pieces[q->last - 1];
	used = (size_t)((const char *)last->p + last->n - q->block->data);
	room = q->block->len - used;
	if (n > room)
		n = room;
	memcpy(q->block->data + used, p, n);
	last->n += n;
	q->bytes += n;
	return n;
}

static int add_copy(struct stream_queue **q, const char *p, size_t n)
{
	struct shared *block;
	size_t filled = *q ? fill_block(*q, p, n) : 0;

	p += filled;
	n -= filled;
	if (n == 0)
		return 0;
	if (reserve(q) < 0 || !(block = shared_new(block_size(*q, n))))
		return -ENOMEM;
	memcpy(block->data, p, n);
	append(*q, block->data, n, block);
	(*q)->block = block;
	return 0;
}

static int add_reference(struct stream_queue **q, const char *p, size_t n, struct shared *owner)
{
	if (reserve(q) < 0)
		return -ENOMEM;
	append(*q, p, n, shared_ref(owner));
	(*q)->block = NULL;
	return 0;
}

int stream_queue_add(
    struct stream_queue **q, const struct stream_piece *pieces, unsigned n, size_t skip)
{
	int err = 0;

	for (unsigned i = 0; i < n && err == 0; i++) {
		const char *p = pieces[i].p;
		size_t len = pieces[i].n;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		p += skip;
		len -= skip;
		skip = 0;
		if (pieces[i].owner && len >= REFER_FROM)
			err = add_reference(q, p, len, pieces[i].owner);
		else
			err = add_copy(q, p, len);
	}
	return err;
}

void stream_queue_consume(struct stream_queue **queue, size_t n)
{
	struct stream_queue *q = *queue;

	if (n >= q->bytes) {
		stream_queue_free(queue);
		return;
	}
	q->bytes -= n;
	while (n >= q->pieces[q->first].n) {
		n -= q->pieces[q->first].n;
		shared_unref(q->pieces[q->first++].owner);
	}
	q->pieces[q->first].p = (const char *)q->pieces[q->first].p + n;
	q->pieces[q->first].n -= n;
}

void stream_queue_free(struct stream_queue **queue)
{
	struct stream_queue *q = *queue;

	if (!q)
		return;
	for (unsigned i = q->first; i < q->last; i++)
		shared_unref(q->pieces[i].owner);
	mem_free(q);
	*queue = NULL;
}
