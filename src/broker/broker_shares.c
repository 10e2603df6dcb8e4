/*
 * broker/broker_shares.c - who is present at a peer, as it has told it: users, who stay there, and counts; see
 * broker_presence.h.
 *
 * A user for whose name, or stay, there is no place here is counted with his sessions. Facts say how many these were
 * before, so that they can be taken away again.
 */
#include "broker/broker_shares.h"

#include "base/mem.h"

#define STAYS_PER_NAME 4 /* on average, within limits.max_present */

/* A user, at a peer. */
struct stay {
	struct list of_share, of_name;
	struct broker_share *share;
	struct broker_name *name;
	uint32_t sessions, turn;
};

/* --- stays -------------------------------------------------------------------------------- */

static struct stay *find_stay(const struct broker_name *name, const struct broker_share *share)
{
	struct list *pos;

	if (name)
		list_foreach (pos, &name->stays) {
			struct stay *s = container_of(pos, struct stay, of_name);

			if (s->share == share)
				return s;
		}
	return NULL;
}

static void stay_free(struct broker_part *part, struct stay *s)
{
	list_remove(&s->of_share);
	list_remove(&s->of_name);
	mem_free(s);
	atomic_fetch_sub_explicit(&part->broker->stays, 1, memory_order_relaxed);
}

static struct stay *stay_new(struct broker *b)
{
	struct stay *s = NULL;

	if (atomic_fetch_add_explicit(&b->stays, 1, memory_order_relaxed) / STAYS_PER_NAME < b->limits.max_present)
		s = mem_zalloc(sizeof(*s));
	if (!s)
		atomic_fetch_sub_explicit(&b->stays, 1, memory_order_relaxed);
	return s;
}

/* NULL: there is no place for it. */
static struct stay *add_stay(struct broker_part *part, struct broker_share *share, struct bytes user)
{
	struct broker_name *name = broker_room_find(part, share->room, user);
	struct stay *s = stay_new(part->broker);

	if (!name && s)
		name = broker_room_add_name(part, share->room, user);
	if (!s)
		return NULL;
	s->share = share;
	s->name = name;
	list_init(&s->of_share);
	list_init(&s->of_name);
	if (!name) {
		stay_free(part, s);
		return NULL;
	}
	list_append(&share->stays, &s->of_share);
	list_append(&name->stays, &s->of_name);
	return s;
}

static void set_stay(struct broker_part *part, struct stay *s, uint32_t sessions)
{
	struct broker_name *name = s->name;
	size_t all = name->sessions - s->sessions + sessions;

	s->sessions = sessions;
	s->turn = s->share->turn;
	if (sessions == 0)
		stay_free(part, s);
	broker_name_change(part, name, all);
}

static void count_nameless(struct broker_share *share, uint32_t before, uint32_t sessions)
{
	size_t gone = before < share->nameless ? before : share->nameless;

	share->nameless += sessions - gone;
	share->room->unnamed += sessions - gone;
}

static void take_fact(struct broker_part *part, struct broker_share *share, const struct broker_fact *f)
{
	struct stay *s = find_stay(broker_room_find(part, share->room, f->user), share);

	if (!s) {
		count_nameless(share, f->before, 0);
		s = f->sessions > 0 ? add_stay(part, share, f->user) : NULL;
		if (!s)
			count_nameless(share, 0, f->sessions);
	}
	if (s)
		set_stay(part, s, f->sessions);
}

/* Those who were there before this state, and are not in it. */
void broker_share_sweep(struct broker_part *part, struct broker_share *share)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &share->stays) {
		struct stay *s = container_of(pos, struct stay, of_share);

		if (s->turn != share->turn)
			set_stay(part, s, 0);
	}
}

static void set_counts(struct broker_share *share, size_t anonymous, size_t unnamed)
{
	share->room->anonymous += anonymous - share->anonymous;
	share->room->unnamed += unnamed - share->unnamed;
	share->anonymous = anonymous;
	share->unnamed = unnamed;
}

/* Whether somebody has come. */
bool broker_share_take(struct broker_part *part, struct broker_share *share, const struct broker_words *w)
{
	struct bytes rest = w->rest;
	struct broker_fact f;
	bool joins = false;

	set_counts(share, w->anonymous, w->unnamed);
	while (broker_fact_next(&rest, &f)) {
		take_fact(part, share, &f);
		joins |= f.sessions > 0;
	}
	return joins;
}

/* --- shares ------------------------------------------------------------------------------- */

struct broker_share *broker_share_find(const struct broker_room *room, uint64_t peer)
{
	struct list *pos;

	list_foreach (pos, &room->shares) {
		struct broker_share *share = container_of(pos, struct broker_share, of_room);

		if (share->peer == peer)
			return share;
	}
	return NULL;
}

struct broker_share *broker_share_get(struct broker_room *room, uint64_t peer)
{
	struct broker_share *share = broker_share_find(room, peer);

	if (share)
		return share;
	share = mem_zalloc(sizeof(*share));
	if (!share)
		return NULL;
	share->room = room;
	share->peer = peer;
	list_init(&share->stays);
	list_append(&room->shares, &share->of_room);
	return share;
}

void broker_share_forget_nameless(struct broker_share *share)
{
	share->room->unnamed -= share->nameless;
	share->nameless = 0;
}

/* All that it has is gone. */
void broker_share_empty(struct broker_part *part, struct broker_share *share)
{
	share->turn++;
	broker_share_forget_nameless(share);
	set_counts(share, 0, 0);
	broker_share_sweep(part, share);
}

void broker_share_free(struct broker_share *share)
{
	list_remove(&share->of_room);
	mem_free(share);
}

/* --- life ------------------------------------------------------------------------------------------ */

static void forget(struct broker_part *part, struct broker_share *share)
{
	struct list *first;

	while ((first = list_first(&share->stays)) != NULL)
		stay_free(part, container_of(first, struct stay, of_share));
	broker_share_free(share);
}

void broker_shares_forget(struct broker_part *part, struct broker_room *room)
{
	while (!list_empty(&room->shares))
		forget(part, container_of(list_first(&room->shares), struct broker_share, of_room));
}
