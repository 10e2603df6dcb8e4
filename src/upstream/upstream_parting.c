/*
 * upstream/upstream_parting.c - sessions of a backend that is to be free of them are closed, a few
 * at a time, so that their clients do not come back all at once wherever they go.
 */
#include "base/random.h"
#include "upstream/upstream_private.h"

#define TICK_MS 50
#define TICK_MAX                                                                                   \
	200 /* sessions in a tick, of one target: it is not all that a reactor has to do           \
	     */

/* Operators may have changed their minds. */
static bool is_to_part(const struct target *t)
{
	return target_load(&t->parting_until) != 0 && target_load_word(&t->mode) != TARGET_READY;
}

/* Where there are fewer than ticks, it is one by chance. */
static size_t share_of_this_tick(const struct target_share *share, uint64_t until, uint64_t now)
{
	uint64_t ticks = until > now ? (until - now) / TICK_MS + 1 : 1, n = share->count / ticks;
	uint32_t chance;

	random_bytes(&chance, sizeof(chance));
	n += chance % ticks < share->count % ticks;
	return n < TICK_MAX ? (size_t)n : TICK_MAX;
}

static void part_some(struct target_share *share, size_t n)
{
	while (n-- > 0 && !list_empty(&share->conns)) {
		struct upstream_conn *uc =
		    container_of(list_first(&share->conns), struct upstream_conn, node);

		upstream_conn_delist(uc);
		upstream_conn_part(uc);
	}
}

/* As long as there are connections anywhere: one that is being opened may come here yet. */
void upstream_on_parting(struct timer *t)
{
	struct upstream_reactor *reactor = container_of(t, struct upstream_reactor, parting);
	const struct balancer *balancer = &reactor->settings->balancer;
	uint64_t now = loop_now(reactor->loop);
	bool is_over = true;

	for (size_t i = 0; i < balancer->count; i++) {
		const struct target *target = &balancer->targets[i];
		struct target_share *share = &reactor->targets[i];

		if (!is_to_part(target))
			continue;
		part_some(
		    share, share_of_this_tick(share, target_load(&target->parting_until), now));
		is_over = is_over && target_load_count(&target->connections) == 0;
	}
	if (!is_over)
		timer_start(loop_timers(reactor->loop), t, TICK_MS);
}

void upstream_reactor_part(struct upstream_reactor *reactor)
{
	if (reactor->targets && !timer_is_active(&reactor->parting))
		timer_start(loop_timers(reactor->loop), &reactor->parting, 1);
}
