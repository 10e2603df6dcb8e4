/*
 * relay/relay_hub_send.c - messages to the broker: what waits for a link, and what its receipts say; see
 * relay_hub.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "relay/relay_hub_private.h"

#define COST_OF_SEND  500       /* nanoseconds, beside its octets */
#define LINK_MOST     (1 << 20) /* octets in the link, while more waits here */
#define UNANSWERED_MOST 65536
#define RING_LEAST    64
#define OVERTAKEN_MOST 1000 /* answers that came before an earlier one: that never will */

/* Before the octets of a message that waits; not aligned there. */
struct waiting {
	uint32_t n;
	uint32_t member;
	uint64_t number;
};

/* --- receipts ------------------------------------------------------------------------ */

static struct relay_unanswered *at(const struct relay_hub *h, size_t i)
{
	return &h->unanswered[(h->ring_head + i) & (h->ring_size - 1)];
}

static int grow(struct relay_hub *h)
{
	size_t size = h->ring_size ? 2 * h->ring_size : RING_LEAST;
	struct relay_unanswered *ring = mem_realloc_array(NULL, size, sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	for (size_t i = 0; i < h->unanswered_count; i++)
		ring[i] = *at(h, i);
	mem_free(h->unanswered);
	h->unanswered = ring;
	h->ring_size = size;
	h->ring_head = 0;
	return 0;
}

static int make_room(struct relay_hub *h)
{
	return h->unanswered_count < h->ring_size ? 0 : grow(h);
}

/* There is room. Returns what the receipt is called. */
static uint64_t await(struct relay_hub *h, unsigned member, uint64_t number)
{
	*at(h, h->unanswered_count++) = (struct relay_unanswered){ number, member };
	return h->first + h->unanswered_count - 1;
}

static void forget_answered(struct relay_hub *h)
{
	while (h->unanswered_count > 0 && at(h, 0)->number == 0) {
		h->ring_head = (h->ring_head + 1) & (h->ring_size - 1);
		h->unanswered_count--;
		h->overtaken_by--;
		h->first++;
	}
}

static void answer(struct relay_hub *h, uint64_t receipt, const char *why)
{
	struct relay_unanswered *entry = at(h, receipt - h->first), u = *entry;

	if (u.number == 0)
		return;
	entry->number = 0;
	h->overtaken_by++;
	forget_answered(h);
	h->ops->sent(h, u.member, u.number, why);
}

void relay_sends_answered(struct relay_hub *h, uint64_t receipt, const char *why)
{
	if (receipt < h->first || receipt - h->first >= h->unanswered_count)
		return;
	answer(h, receipt, why);
	while (h->unanswered_count > 0 && h->overtaken_by > OVERTAKEN_MOST) {
		h->lost++;
		answer(h, h->first, "The broker has not answered.");
	}
}

void relay_sends_lose(struct relay_hub *h, const char *why)
{
	while (h->unanswered_count > 0) {
		h->lost++;
		relay_sends_answered(h, h->first, why);
	}
}

bool relay_hub_has_too_many(const struct relay_hub *h)
{
	return h->unanswered_count >= UNANSWERED_MOST;
}

/* --- sending --------------------------------------------------------------------------- */

static int compose(struct relay_hub *h, struct buf *out, unsigned member, uint64_t number,
    struct bytes rest)
{
	size_t before = buf_len(out);
	int err = number ? make_room(h) : 0;

	if (err == 0)
		err = stomp_write_begin(out, STOMP_SEND);
	if (err == 0 && number)
		err = buf_printf(out, "receipt:r%" PRIu64 "\n", h->first + h->unanswered_count);
	if (err == 0)
		err = buf_add(out, rest.p, rest.n);
	if (err < 0)
		buf_cut(out, before);
	else if (number)
		await(h, member, number);
	return err;
}

static int say(struct relay_hub *h, unsigned member, uint64_t number, struct bytes rest)
{
	int err = compose(h, relay_link_out(&h->link), member, number, rest);

	if (err < 0)
		return err;
	h->messages_out++;
	budget_spend(loop_budget(h->loop), COST_OF_SEND + cost_of_octets(rest.n));
	relay_link_said(&h->link);
	return 0;
}

static int keep(struct relay_hub *h, unsigned member, uint64_t number, struct bytes rest)
{
	struct waiting w = { (uint32_t)rest.n, member, number };
	char *to = buf_reserve(&h->waiting, sizeof(w) + rest.n);

	if (!to)
		return -ENOMEM;
	memcpy(to, &w, sizeof(w));
	bytes_put(to + sizeof(w), rest);
	buf_commit(&h->waiting, sizeof(w) + rest.n);
	return 0;
}

int relay_hub_send(struct relay_hub *h, unsigned member, uint64_t number, struct bytes rest)
{
	if (relay_hub_is_clear(h) && buf_len(&h->waiting) == 0)
		return say(h, member, number, rest);
	return keep(h, member, number, rest);
}

/* Memory may be out: then what waits goes on waiting. */
static bool say_next(struct relay_hub *h)
{
	struct waiting w;

	memcpy(&w, buf_data(&h->waiting), sizeof(w));
	if (say(h, w.member, w.number,
	        (struct bytes){ buf_data(&h->waiting) + sizeof(w), w.n }) < 0)
		return false;
	buf_consume(&h->waiting, sizeof(w) + w.n);
	return true;
}

bool relay_sends_go_on(struct relay_hub *h)
{
	bool had_some = buf_len(&h->waiting) > 0;

	for (int left = RELAY_HUB_SLICE; buf_len(&h->waiting) > 0; left--) {
		if (relay_link_queued(&h->link) > LINK_MOST)
			return true; /* drained() follows */
		if (left == 0 || !say_next(h))
			return false;
	}
	if (had_some) {
		buf_fini(&h->waiting);
		h->ops->drained(h);
	}
	return true;
}

size_t relay_hub_queued(const struct relay_hub *h)
{
	return buf_len(&h->waiting) + relay_link_queued(&h->link);
}

void relay_sends_fini(struct relay_hub *h)
{
	buf_fini(&h->waiting);
	mem_free(h->unanswered);
	h->unanswered = NULL;
}
