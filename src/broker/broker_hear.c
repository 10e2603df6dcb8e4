/*
 * broker/broker_hear.c - what peers say of who is present with them, in the part of the owner here, and what they are
 * asked for; see broker_presence.h, and broker_tell.c, which says the same from the other side.
 *
 * A room has a share of each peer that has told something of it: the version up to which that is known, and the
 * stays of its users. A change whose `before` is another version than that says that something was lost: then the
 * peer is asked for all of it, and what is not in the answer is gone when its last page has come. So who stays is
 * never told to have gone meanwhile.
 *
 * A room whose first pages are awaited is not known yet; who asks for it waits for that, for two seconds.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker_shares.h"

#define AGAIN_MS   2000 /* what was not answered is asked for again, */
#define TRIES_MOST 3    /* and after that when there is news of it */
#define PEERS_MOST 1024

/* --- what is not known ---------------------------------------------------------------------- */

static bool is_lacking(const struct broker_share *share)
{
	return !share->is_known;
}

bool broker_shares_lack(const struct broker_room *room)
{
	struct list *pos;

	list_foreach (pos, &room->shares) {
		const struct broker_share *share = container_of(pos, struct broker_share, of_room);

		if (is_lacking(share) && share->tries < TRIES_MOST)
			return true;
	}
	return false;
}

void broker_shares_count(
    const struct broker_part *part, const struct broker_room *room, size_t *known, size_t *missing)
{
	const struct list *pos;

	*missing = 0;
	list_foreach (pos, &room->shares)
		*missing += is_lacking(container_of(pos, struct broker_share, of_room));
	if (!room->was_asked)
		*missing = part->peer_count;
	*known = part->peer_count > *missing ? part->peer_count - *missing : 0;
}

/* --- asking ------------------------------------------------------------------------------------ */

static int say(struct broker_part *part, const struct broker_room *room, uint64_t peer)
{
	const struct broker_peers *peers = &part->broker->peers;
	const struct broker_words w = { .kind = BROKER_WORD_ASK, .source = part->index };
	struct buf out = BUF_INIT;
	int err = broker_words_write(&out, &w);

	if (err == 0)
		err = peers->say(peers->arg, part->index, broker_room_destination(room), peer,
		    (struct bytes){ buf_data(&out), buf_len(&out) });
	buf_fini(&out);
	return err;
}

static void ask(struct broker_part *part, struct broker_share *share, uint64_t now)
{
	share->asked_at = now;
	share->tries++;
	(void)say(part, share->room, share->peer);
}

/* What came last does not go together with what is known. */
static void lose(struct broker_part *part, struct broker_share *share)
{
	uint64_t now = clock_now();

	if (!is_lacking(share)) {
		share->is_known = false;
		share->tries = 0;
		ask(part, share, now);
	} else if (now - share->asked_at >= AGAIN_MS) {
		share->tries = 0;
		ask(part, share, now);
	}
	share->is_loading = false;
	broker_presence_rest(part, share->room);
}

static bool is_awaited(const struct broker_room *room)
{
	struct list *pos;

	list_foreach (pos, &room->shares)
		if (is_lacking(container_of(pos, struct broker_share, of_room)))
			return true;
	return false;
}

static void become_known(struct broker_part *part, struct broker_room *room)
{
	room->is_known = true;
	broker_presence_catch_up(part, room);
	broker_roll_answer(room);
	broker_presence_rest(part, room);
}

static void join(struct broker_part *part, struct broker_room *room)
{
	const struct broker_peers *peers = &part->broker->peers;

	if (broker_tells_peers(part->broker) && !room->is_joined)
		room->is_joined =
		    peers->roll_interest(peers->arg, part->index, broker_room_destination(room), true) == 0;
}

void broker_shares_look(struct broker_part *part, struct broker_room *room, uint64_t now)
{
	struct list *pos;

	join(part, room);
	list_foreach (pos, &room->shares) {
		struct broker_share *share = container_of(pos, struct broker_share, of_room);

		if (is_lacking(share) && share->tries < TRIES_MOST && now - share->asked_at >= AGAIN_MS)
			ask(part, share, now);
	}
	if (!room->is_known && now >= room->known_by)
		become_known(part, room);
}

static struct broker_room *room_of(struct broker_part *part, struct bytes destination)
{
	char text[PRESENCE_NAME_MAX];

	return broker_presence_room(part, broker_presence_name(destination, text));
}

/* One question for all of them. */
void broker_is_heard(struct broker_part *part, struct bytes destination)
{
	struct broker_room *room = room_of(part, destination);
	uint64_t now = clock_now();

	if (!room || room->was_asked)
		return;
	room->was_asked = true;
	for (size_t i = 0; i < part->peer_count; i++) {
		struct broker_share *share = broker_share_get(room, part->peers[i]);

		if (!share || share->is_known)
			continue;
		share->asked_at = now;
		share->tries++;
	}
	if (is_awaited(room))
		(void)say(part, room, BROKER_ALL_PEERS);
	else if (!room->is_known)
		become_known(part, room);
}

/* --- hearing ------------------------------------------------------------------------------------ */

/* All of it is known. One who has never told anything needs no share. */
static void answered(struct broker_part *part, struct broker_share *share)
{
	struct broker_room *room = share->room;

	share->is_known = true;
	share->is_loading = false;
	share->tries = 0;
	if (share->version == 0 && share->seen == 0)
		broker_share_free(share);
	if (!room->is_known && room->was_asked && !is_awaited(room))
		become_known(part, room);
}

/* It was said before something that has come. */
static bool is_old(const struct broker_share *share, const struct broker_words *w)
{
	return w->version > 0 && w->version < share->seen;
}

static void note_version(struct broker_share *share, const struct broker_words *w)
{
	share->source = w->source;
	share->version = w->version;
	if (w->version > share->seen)
		share->seen = w->version;
}

static void begin_state(struct broker_share *share, const struct broker_words *w)
{
	share->is_known = false;
	share->is_loading = true;
	share->turn++;
	broker_share_forget_nameless(share);
	note_version(share, w);
}

static void hear_state(struct broker_part *part, struct broker_share *share, const struct broker_words *w)
{
	struct broker_room *room = share->room;
	bool joins;

	if (is_old(share, w) || (!w->is_first && (!share->is_loading || w->version != share->version))) {
		lose(part, share);
		return;
	}
	if (w->is_first)
		begin_state(share, w);
	joins = w->version > 0 && broker_share_take(part, share, w);
	if (w->version == 0)
		broker_share_empty(part, share);
	if (w->is_last || w->version == 0) {
		broker_share_sweep(part, share);
		answered(part, share);
	} else {
		broker_presence_rest(part, room); /* where it is seen if the others do not come */
	}
	broker_presence_changed(part, room, joins);
}

/* The first of a room begins anew, whatever was there. */
static void hear_change(struct broker_part *part, struct broker_share *share, const struct broker_words *w)
{
	struct broker_room *room = share->room;
	bool joins;

	if (w->version <= share->seen) /* late, or twice */
		return;
	if (w->before > 0 && ((!share->is_known && !share->is_loading) || w->before != share->version)) {
		lose(part, share);
		return;
	}
	if (w->before == 0)
		begin_state(share, w);
	note_version(share, w);
	joins = broker_share_take(part, share, w);
	if (w->before == 0) {
		broker_share_sweep(part, share);
		answered(part, share);
	}
	if (w->is_last)
		share->version = 0;
	broker_presence_changed(part, room, joins);
}

/* What this peer knows to be the last: whether it is the last here. */
static void compare(struct broker_part *part, struct broker_room *room, uint64_t peer, uint64_t version)
{
	struct broker_share *share = broker_share_find(room, peer);

	if (share ? (share->is_known || share->is_loading) && share->version == version : version == 0)
		return;
	if (!share)
		share = broker_share_get(room, peer);
	if (share)
		lose(part, share);
}

static void hear_of(struct broker_part *part, uint64_t peer, struct broker_room *room, const struct broker_words *w)
{
	struct broker_share *share;

	if (w->kind == BROKER_WORD_STILL) {
		compare(part, room, peer, w->version);
		return;
	}
	share = broker_share_get(room, peer);
	if (share && w->kind == BROKER_WORD_STATE)
		hear_state(part, share, w);
	else if (share && w->kind == BROKER_WORD_CHANGE)
		hear_change(part, share, w);
}

/* --- digests ---------------------------------------------------------------------------------- */

struct digest {
	struct broker_part *part;
	const struct broker_words *words;
	uint64_t peer;
};

/* What this part of the peer does not name it does not have. */
static bool look_up(struct map_node *node, void *arg)
{
	const struct digest *d = arg;
	struct broker_room *room = container_of(node, struct broker_room, node);
	const struct broker_share *share = broker_share_find(room, d->peer);
	uint64_t known = share ? share->version : 0, version;

	if (room->hash < d->words->from || room->hash > d->words->to)
		return true;
	version = broker_entry_find(d->words->rest, room->hash, known);
	if (version > 0 || (share && share->source == d->words->source))
		compare(d->part, room, d->peer, version);
	return true;
}

/* --- peers -------------------------------------------------------------------------------------- */

static size_t place_of(const struct broker_part *part, uint64_t peer)
{
	size_t i = 0;

	while (i < part->peer_count && part->peers[i] != peer)
		i++;
	return i;
}

void broker_hear(struct broker_part *part, uint64_t peer, struct bytes destination, struct bytes words)
{
	struct broker_words w;
	struct broker_room *room;

	if (!broker_words_read(words, &w) || place_of(part, peer) == part->peer_count)
		return;
	if (destination.n == 0) {
		if (w.kind == BROKER_WORD_DIGEST)
			map_each(&part->rooms, look_up, &(struct digest){ part, &w, peer });
	} else if (w.kind == BROKER_WORD_ASK) {
		broker_tell_state(part, destination, peer); /* if it is none of ours, that nobody is there */
	} else if ((room = room_of(part, destination)) != NULL) {
		hear_of(part, peer, room, &w);
	}
}

struct leaving {
	struct broker_part *part;
	uint64_t peer;
};

static bool forget_share(struct map_node *node, void *arg)
{
	const struct leaving *l = arg;
	struct broker_room *room = container_of(node, struct broker_room, node);
	struct broker_share *share = broker_share_find(room, l->peer);

	if (!share)
		return true;
	broker_share_empty(l->part, share);
	broker_share_free(share);
	if (room->was_asked && !is_awaited(room))
		room->known_by = 0; /* not from within: those who are answered may change the map */
	broker_presence_changed(l->part, room, false);
	return true;
}

static void add_peer(struct broker_part *part, uint64_t peer)
{
	uint64_t *more = part->peer_count < PEERS_MOST
	                     ? mem_realloc_array(part->peers, part->peer_count + 1, sizeof(*part->peers))
	                     : NULL;

	if (!more)
		return;
	part->peers = more;
	part->peers[part->peer_count++] = peer;
}

void broker_note_peer(struct broker_part *part, uint64_t peer, bool is_there)
{
	size_t at = place_of(part, peer);

	if (is_there && at == part->peer_count) {
		add_peer(part, peer);
	} else if (!is_there && at < part->peer_count) {
		part->peers[at] = part->peers[--part->peer_count];
		map_each(&part->rooms, forget_share, &(struct leaving){ part, peer });
	}
}

static bool is_among(uint64_t peer, const uint64_t *peers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (peers[i] == peer)
			return true;
	return false;
}

void broker_set_peers(struct broker_part *part, const uint64_t *peers, size_t count)
{
	for (size_t i = part->peer_count; i-- > 0;)
		if (!is_among(part->peers[i], peers, count))
			broker_note_peer(part, part->peers[i], false);
	for (size_t i = 0; i < count; i++)
		broker_note_peer(part, peers[i], true);
}

unsigned broker_presence_owner(const struct broker *b, struct bytes destination)
{
	char text[PRESENCE_NAME_MAX];

	return broker_owner_of(b, broker_presence_name(destination, text));
}
