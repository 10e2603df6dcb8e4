/*
 * net/timer.c - hierarchical wheel of deadlines; see timer.h.
 *
 * Eleven levels of 64 slots cover 64-bit milliseconds. A timer lives at the
 * level of the highest 6-bit group in which its deadline differs from the
 * wheel's cursor, in the slot that this group of the deadline names. So a slot
 * of level L stands for 64^L ms, all of it in the future, and the lowest
 * occupied level holds the earliest slot. When the cursor enters a slot, its
 * timers move down, in order; at level 0 they are due.
 *
 * Equal deadlines stay in the order they were started: a later timer can only
 * be put lower than an earlier one of the same deadline if the cursor has
 * entered the earlier one's slot meanwhile, and then that has moved down too.
 *
 * Owns nothing but the slots: timers are embedded in their owners' objects.
 */
#include "net/timer.h"

#include <errno.h>
#include <limits.h>

#include "base/mem.h"

#define SLOT_BITS 6
#define SLOTS     (1u << SLOT_BITS)
#define LEVELS    ((64 + SLOT_BITS - 1) / SLOT_BITS)

struct timer_wheel {
	uint64_t cursor;           /* all slots up to here have been emptied */
	uint64_t now;              /* what timer_start() counts from; never behind the cursor */
	uint64_t occupied[LEVELS]; /* one bit for each slot that is not empty */
	uint32_t levels;           /* one bit for each level that is not empty */
	uint64_t next;             /* no occupied slot begins before; UINT64_MAX: there is none */
	bool is_stale;             /* a slot has become empty: `next` may be too early */
	struct list due;           /* taken out of the slots, about to fire */
	struct list slots[LEVELS * SLOTS];
};

int timer_wheel_new(struct timer_wheel **out, uint64_t now)
{
	struct timer_wheel *wheel = mem_zalloc(sizeof(*wheel));

	if (!wheel)
		return -ENOMEM;
	wheel->cursor = wheel->now = now;
	wheel->next = UINT64_MAX;
	list_init(&wheel->due);
	for (unsigned i = 0; i < LEVELS * SLOTS; i++)
		list_init(&wheel->slots[i]);
	*out = wheel;
	return 0;
}

void timer_wheel_free(struct timer_wheel *wheel)
{
	mem_free(wheel);
}

void timer_init(struct timer *t, timer_fn fn)
{
	list_init(&t->node);
	t->deadline = 0;
	t->fn = fn;
}

/* Puts the timer where its deadline belongs as seen from the cursor. One that is due already goes
 * into the cursor's own slot, which the next advance empties first. */
static void place(struct timer_wheel *wheel, struct timer *t)
{
	uint64_t differ = t->deadline ^ wheel->cursor;
	unsigned level = differ ? (unsigned)(63 - __builtin_clzll(differ)) / SLOT_BITS : 0;
	unsigned slot = (unsigned)(t->deadline >> (level * SLOT_BITS)) & (SLOTS - 1);
	uint64_t begins = t->deadline >> (level * SLOT_BITS) << (level * SLOT_BITS);

	if (begins < wheel->next)
		wheel->next = begins;
	list_append(&wheel->slots[level * SLOTS + slot], &t->node);
	wheel->occupied[level] |= 1ull << slot;
	wheel->levels |= 1u << level;
}

static void mark_empty(struct timer_wheel *wheel, unsigned level, unsigned slot)
{
	wheel->occupied[level] &= ~(1ull << slot);
	if (!wheel->occupied[level])
		wheel->levels &= ~(1u << level);
}

void timer_start(struct timer_wheel *wheel, struct timer *t, uint64_t delay_ms)
{
	timer_stop(wheel, t);
	if (__builtin_add_overflow(wheel->now, delay_ms, &t->deadline))
		t->deadline = UINT64_MAX;
	else if (t->deadline == 0)
		t->deadline = 1; /* 0 means stopped */
	place(wheel, t);
}

void timer_stop(struct timer_wheel *wheel, struct timer *t)
{
	struct list *head = t->node.next;

	if (!timer_is_active(t))
		return;
	t->deadline = 0;
	list_remove(&t->node);
	if (list_empty(head) && head != &wheel->due) {
		unsigned i = (unsigned)(head - wheel->slots);

		mark_empty(wheel, i / SLOTS, i % SLOTS);
		wheel->is_stale = true;
	}
}

void timer_wheel_set_now(struct timer_wheel *wheel, uint64_t now)
{
	if (now > wheel->now)
		wheel->now = now;
}

/* The earliest occupied slot and the time it begins; false when no timer is started. */
static bool earliest(
    const struct timer_wheel *wheel, unsigned *level, unsigned *slot, uint64_t *begins)
{
	unsigned shift;
	uint64_t above;

	if (!wheel->levels)
		return false;
	*level = (unsigned)__builtin_ctz(wheel->levels);
	*slot = (unsigned)__builtin_ctzll(wheel->occupied[*level]);
	shift = *level * SLOT_BITS;
	above = shift + SLOT_BITS < 64 ? wheel->cursor >> (shift + SLOT_BITS) << (shift + SLOT_BITS)
	                               : 0;
	*begins = above | (uint64_t)*slot << shift;
	return true;
}

static void find_next(struct timer_wheel *wheel)
{
	unsigned level, slot;

	if (!earliest(wheel, &level, &slot, &wheel->next))
		wheel->next = UINT64_MAX;
	wheel->is_stale = false;
}

/* Moves the cursor to the beginning of a slot and empties it downwards. */
static void enter(struct timer_wheel *wheel, unsigned level, unsigned slot, uint64_t begins)
{
	struct list timers, *node;

	wheel->cursor = begins;
	list_init(&timers);
	list_splice(&timers, &wheel->slots[level * SLOTS + slot]);
	mark_empty(wheel, level, slot);
	if (level == 0) {
		list_splice(&wheel->due, &timers);
		return;
	}
	while ((node = list_first(&timers))) {
		list_remove(node);
		place(wheel, container_of(node, struct timer, node));
	}
}

/* All that is due is taken out before anything fires: what a callback starts, even with no delay,
 * cannot fire in the same advance, so an advance always ends. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now)
{
	unsigned level, slot;
	uint64_t begins;
	struct list *node;

	timer_wheel_set_now(wheel, now);
	if (wheel->next > wheel->now) {
		wheel->cursor = wheel->now;
		return;
	}
	while (earliest(wheel, &level, &slot, &begins) && begins <= wheel->now)
		enter(wheel, level, slot, begins);
	wheel->cursor = wheel->now;
	find_next(wheel);

	while ((node = list_first(&wheel->due))) {
		struct timer *t = container_of(node, struct timer, node);

		list_remove(node);
		t->deadline = 0;
		t->fn(t);
	}
}

int timer_wheel_timeout(struct timer_wheel *wheel, uint64_t now)
{
	if (wheel->is_stale)
		find_next(wheel);
	if (wheel->next == UINT64_MAX)
		return -1;
	if (wheel->next <= now)
		return 0;
	return wheel->next - now > INT_MAX ? INT_MAX : (int)(wheel->next - now);
}
