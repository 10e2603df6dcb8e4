/*
 * hostile/pipe.c - octets on their way; see pipe.h.
 */
#include "hostile/pipe.h"

#include <errno.h>

#include "base/mem.h"

enum { PARCEL_BYTES = 512 };

/* Octets that are due at one time. */
struct parcel {
	struct list node;
	uint64_t due;
	size_t at, end, capacity;
	char octets[];
};

static struct parcel *parcel_of(struct list *node)
{
	return container_of(node, struct parcel, node);
}

static void parcel_free(struct pipe *p, struct parcel *parcel)
{
	p->memory -= sizeof(*parcel) + parcel->capacity;
	list_remove(&parcel->node);
	mem_free(parcel);
}

void pipe_init(struct pipe *p)
{
	memset(p, 0, sizeof(*p));
	list_init(&p->parcels);
}

void pipe_clear(struct pipe *p)
{
	struct list *node;

	while ((node = list_first(&p->parcels)) != NULL)
		parcel_free(p, parcel_of(node));
	p->queued = p->held = 0;
}

void pipe_fini(struct pipe *p)
{
	pipe_clear(p);
}

void pipe_release(struct pipe *p)
{
	p->held = 0;
}

void pipe_set(struct pipe *p, const struct pipe_settings *set)
{
	if (p->set.holds && !set->holds)
		pipe_release(p);
	p->set = *set;
}

/* --- in ------------------------------------------------------------------------------------- */

static uint64_t due_of(struct pipe *p, uint64_t jitter_ms, uint64_t now)
{
	uint64_t due = now + p->set.delay_ms + jitter_ms;

	if (p->set.coalesce_ms) {
		if (p->batch_due <= now)
			p->batch_due = now + p->set.coalesce_ms;
		if (due < p->batch_due)
			due = p->batch_due;
	}
	if (due < p->last_due)
		due = p->last_due;
	p->last_due = due;
	return due;
}

static struct parcel *last_for(struct pipe *p, uint64_t due)
{
	struct parcel *last = list_empty(&p->parcels) ? NULL : parcel_of(p->parcels.prev);

	if (last && p->set.holds && p->held >= last->end - last->at)
		last->due = due; /* it waits in any case */
	return last && last->due == due && last->end < last->capacity ? last : NULL;
}

static struct parcel *parcel_new(struct pipe *p, uint64_t due, size_t n)
{
	size_t least = p->queued > PARCEL_BYTES ? 8 * PARCEL_BYTES : PARCEL_BYTES;
	size_t capacity = n > least ? n : least;
	struct parcel *parcel = mem_alloc(sizeof(*parcel) + capacity);

	if (!parcel)
		return NULL;
	parcel->due = due;
	parcel->at = parcel->end = 0;
	parcel->capacity = capacity;
	list_append(&p->parcels, &parcel->node);
	p->memory += sizeof(*parcel) + capacity;
	return parcel;
}

/* So many more are held; a block that is full is let go. */
static void hold(struct pipe *p, size_t n)
{
	p->held += n;
	if (p->set.hold && p->held >= p->set.hold)
		p->held %= p->set.hold;
	if (p->held > PIPE_HOLD_MOST) {
		p->overflowed = true;
		pipe_release(p);
	}
}

int pipe_push(struct pipe *p, struct bytes b, uint64_t jitter_ms, uint64_t now)
{
	uint64_t due = due_of(p, jitter_ms, now);
	size_t all = b.n;

	while (b.n > 0) {
		struct parcel *to = last_for(p, due);
		size_t n;

		if (!to && !(to = parcel_new(p, due, b.n)))
			return -ENOMEM;
		n = to->capacity - to->end < b.n ? to->capacity - to->end : b.n;
		memcpy(to->octets + to->end, b.p, n);
		to->end += n;
		p->queued += n;
		b.p += n;
		b.n -= n;
	}
	if (p->set.holds)
		hold(p, all);
	return 0;
}

void pipe_finish(struct pipe *p, enum pipe_end how, uint64_t now)
{
	if (p->end != PIPE_OPEN)
		return;
	pipe_release(p);
	p->end_due = due_of(p, 0, now);
	p->end = how;
}

/* --- out ------------------------------------------------------------------------------------ */

/* At most a twentieth of what a second lets through, so that it flows evenly. */
static uint64_t most_at_once(const struct pipe *p)
{
	uint64_t most = UINT64_MAX;

	if (p->set.rate)
		most = p->set.rate < 20 ? 1 : p->set.rate / 20;
	if (p->set.piece && p->set.piece < most)
		most = p->set.piece;
	return most;
}

static bool may_flow(const struct pipe *p, uint64_t now)
{
	return !p->set.stalled && ((!p->set.rate && !p->set.piece) || p->free_us <= now * 1000);
}

struct bytes pipe_peek(const struct pipe *p, uint64_t now)
{
	struct list *node = list_first(&p->parcels);
	struct parcel *first = node ? parcel_of(node) : NULL;
	uint64_t most = p->queued - p->held;
	struct bytes b = { NULL, 0 };

	if (!first || first->due > now || !may_flow(p, now))
		return b;
	if (most_at_once(p) < most)
		most = most_at_once(p);
	b.p = first->octets + first->at;
	b.n = first->end - first->at < most ? first->end - first->at : (size_t)most;
	return b;
}

static void spend(struct pipe *p, size_t n, uint64_t now)
{
	uint64_t us = p->set.piece ? (p->set.every_ms ? p->set.every_ms : 1) * 1000 : 0;

	if (p->free_us < now * 1000)
		p->free_us = now * 1000;
	if (p->set.rate && n * 1000000 / p->set.rate > us)
		us = n * 1000000 / p->set.rate;
	p->free_us += us;
}

void pipe_take(struct pipe *p, size_t n, uint64_t now)
{
	struct parcel *first = parcel_of(list_first(&p->parcels));

	first->at += n;
	p->queued -= n;
	spend(p, n, now);
	if (first->at == first->end)
		parcel_free(p, first);
}

enum pipe_end pipe_ended(const struct pipe *p, uint64_t now)
{
	bool is_due = p->queued == 0 && p->end_due <= now && !p->set.stalled;

	return is_due ? p->end : PIPE_OPEN;
}

static uint64_t later_of(uint64_t due, uint64_t free_ms, uint64_t now)
{
	if (due < free_ms)
		due = free_ms;
	return due > now ? due - now : 0;
}

uint64_t pipe_wait(const struct pipe *p, uint64_t now)
{
	struct list *node = list_first(&p->parcels);
	bool is_limited = p->set.rate || p->set.piece;

	if (p->set.stalled)
		return UINT64_MAX;
	if (p->queued > p->held)
		return later_of(
		    parcel_of(node)->due, is_limited ? (p->free_us + 999) / 1000 : 0, now);
	return p->queued == 0 && p->end != PIPE_OPEN ? later_of(p->end_due, 0, now) : UINT64_MAX;
}
