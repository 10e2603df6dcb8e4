/*
 * broker/broker_tell.c - what other brokers are told of who is present with this one: what has changed, all of a
 * destination for who asks, and digests; see broker_presence.h.
 *
 * What is told of a room has versions. A change names the version before it, so that who has missed one knows,
 * and asks for all of it. As nobody hears of a last one that was lost, its version is said again when the room has
 * been quiet for a while; and digests say the versions of all rooms now and then. Numbers of a part never come
 * again; a room where nobody is has none.
 *
 * All of a room is what was told of it (name->told), so a page and the changes around it go together.
 */
#include "broker/broker_presence.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define FACTS_MOST    500 /* of one message */
#define REPEAT_MS     2000
#define RECITALS_MOST 4096 /* under way: whoever is left out asks again */
#define ENTRIES_MOST  2000 /* of one message of a digest */

static int say(struct broker_part *part, struct bytes destination, uint64_t peer, const struct buf *words)
{
	const struct broker_peers *peers = &part->broker->peers;

	return peers->say(peers->arg, part->index, destination, peer,
	    (struct bytes){ buf_data(words), buf_len(words) });
}

/* --- what has changed ----------------------------------------------------------------------- */

void broker_tell_note(struct broker_name *name)
{
	list_remove(&name->untold);
	if (name->here != name->told)
		list_append(&name->room->untold, &name->untold);
}

bool broker_tell_has_news(const struct broker_room *room)
{
	return room->is_joined &&
	       (!list_empty(&room->untold) || room->here.anonymous != room->told_counts.anonymous ||
	           room->here.unnamed != room->told_counts.unnamed);
}

/* As many as one message has room for. */
static int write_changes(struct buf *out, const struct broker_room *room, size_t *count)
{
	const struct list *pos;
	int err = 0;

	*count = 0;
	list_foreach (pos, &room->untold) {
		const struct broker_name *name = container_of(pos, struct broker_name, untold);
		struct broker_fact f = { broker_name_text(name), name->told, name->here };

		if (err < 0 || *count == FACTS_MOST || buf_len(out) > BROKER_WORDS_MOST)
			break;
		err = broker_fact_write(out, &f);
		++*count;
	}
	return err;
}

static void note_told(struct broker_part *part, struct broker_room *room, size_t count)
{
	for (; count > 0; count--) {
		struct broker_name *name =
		    container_of(list_first(&room->untold), struct broker_name, untold);

		list_remove(&name->untold);
		if (name->told == 0) {
			list_append(&room->told, &name->of_told);
		} else if (name->here == 0) {
			broker_tell_pass(name);
			list_remove(&name->of_told);
		}
		name->told = name->here;
		broker_name_let_go(part, name);
	}
	room->told_counts.anonymous = room->here.anonymous;
	room->told_counts.unnamed = room->here.unnamed;
}

/* Whether nobody is here once so many of those who are not told of are. */
static bool will_be_empty(const struct broker_room *room, size_t count)
{
	const struct list *pos;
	size_t left = 0;

	if (room->here.anonymous > 0 || room->here.unnamed > 0)
		return false;
	list_foreach (pos, &room->told)
		if (++left > count)
			return false;
	list_foreach (pos, &room->untold) {
		const struct broker_name *name = container_of(pos, struct broker_name, untold);

		if (count-- == 0)
			break;
		if (name->here > 0)
			return false;
		left--;
	}
	return left == 0;
}

/* If memory is out, all stays as it is, and is told later. */
void broker_tell(struct broker_part *part, struct broker_room *room)
{
	struct broker_words w = { .kind = BROKER_WORD_CHANGE, .source = part->index };
	struct buf facts = BUF_INIT, out = BUF_INIT;
	size_t count;
	int err = write_changes(&facts, room, &count);

	w.before = room->version;
	w.version = part->versions + 1;
	w.anonymous = room->here.anonymous;
	w.unnamed = room->here.unnamed;
	w.is_last = will_be_empty(room, count);
	if (err == 0)
		err = broker_words_write(&out, &w);
	if (err == 0)
		err = buf_add(&out, buf_data(&facts), buf_len(&facts));
	if (err == 0)
		err = say(part, broker_room_destination(room), BROKER_LISTENERS, &out);
	if (err == 0) {
		note_told(part, room, count);
		part->versions++;
		room->version = w.is_last ? 0 : w.version;
		room->repeat_at = clock_now() + REPEAT_MS;
	}
	buf_fini(&facts);
	buf_fini(&out);
}

void broker_tell_again(struct broker_part *part, struct broker_room *room, uint64_t now)
{
	struct broker_words w = { .kind = BROKER_WORD_STILL, .source = part->index, .version = room->version };
	struct buf out = BUF_INIT;

	if (room->repeat_at == 0 || now < room->repeat_at || broker_tell_has_news(room))
		return;
	room->repeat_at = 0;
	if (broker_words_write(&out, &w) == 0)
		(void)say(part, broker_room_destination(room), BROKER_LISTENERS, &out);
	buf_fini(&out);
}

/* --- all of a destination ---------------------------------------------------------------------- */

struct recital {
	struct list node; /* part->recitals */
	struct list of_room;
	struct broker_room *room;
	uint64_t peer;
	const struct list *next; /* in room->told; its head: there is no other */
	bool has_begun;
};

static void recital_free(struct broker_part *part, struct recital *r)
{
	list_remove(&r->node);
	list_remove(&r->of_room);
	part->recital_count--;
	mem_free(r);
}

/* Who was not told of it is not in it, and nobody misses it who reads on. */
void broker_tell_pass(struct broker_name *name)
{
	struct list *pos;

	list_foreach (pos, &name->room->recitals) {
		struct recital *r = container_of(pos, struct recital, of_room);

		if (r->next == &name->of_told)
			r->next = name->of_told.next;
	}
}

/* Where the next page begins. */
static int write_page(struct buf *out, const struct broker_room *room, const struct list **next)
{
	size_t count = 0;
	int err = 0;

	while (err == 0 && *next != &room->told && count++ < FACTS_MOST && buf_len(out) <= BROKER_WORDS_MOST) {
		const struct broker_name *name = container_of(*next, struct broker_name, of_told);

		err = broker_fact_write(out, &(struct broker_fact){ broker_name_text(name), 0, name->told });
		*next = (*next)->next;
	}
	return err;
}

/* 0, or -errno: the peer asks again. */
static int say_page(struct broker_part *part, const struct broker_room *room, struct bytes destination,
    struct recital *r)
{
	struct broker_words w = { .kind = BROKER_WORD_STATE, .source = part->index, .is_first = !r->has_begun };
	struct buf facts = BUF_INIT, out = BUF_INIT;
	int err = room ? write_page(&facts, room, &r->next) : 0;

	r->has_begun = true;
	w.is_last = !room || r->next == &room->told;
	if (room) {
		w.version = room->version;
		w.anonymous = room->told_counts.anonymous;
		w.unnamed = room->told_counts.unnamed;
	}
	if (err == 0)
		err = broker_words_write(&out, &w);
	if (err == 0)
		err = buf_add(&out, buf_data(&facts), buf_len(&facts));
	if (err == 0)
		err = say(part, destination, r->peer, &out);
	buf_fini(&facts);
	buf_fini(&out);
	return err < 0 ? err : w.is_last;
}

static void run_recite(void *arg)
{
	struct broker_part *part = arg;

	part->recites = false;
	broker_tell_recite(part);
}

static void drop_recite(void *part)
{
	(void)part; /* the server has ended */
}

/* In a turn of its own. Without memory for it: with what is said next. */
static void go_on(struct broker_part *part)
{
	const struct broker_carrier *carrier = &part->broker->carrier;

	if (!part->recites && !list_empty(&part->recitals))
		part->recites =
		    carrier->post(carrier->arg, part->index, run_recite, drop_recite, part) == 0;
}

static void go_on_later(struct broker_part *part, struct broker_room *room, const struct recital *like)
{
	struct recital *r = part->recital_count < RECITALS_MOST ? mem_alloc(sizeof(*r)) : NULL;

	if (!r)
		return;
	*r = *like;
	list_append(&part->recitals, &r->node);
	list_append(&room->recitals, &r->of_room);
	part->recital_count++;
	go_on(part);
}

/* Who asks again begins anew. */
static void stop_recital(struct broker_part *part, struct broker_room *room, uint64_t peer)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &room->recitals) {
		struct recital *r = container_of(pos, struct recital, of_room);

		if (r->peer == peer)
			recital_free(part, r);
	}
}

/* Most rooms are one page. */
void broker_tell_state(struct broker_part *part, struct bytes destination, uint64_t peer)
{
	char text[PRESENCE_NAME_MAX];
	struct broker_room *room = broker_presence_room(part, broker_presence_name(destination, text));
	struct recital r = { .room = room, .peer = peer };

	if (room) {
		stop_recital(part, room, peer);
		r.next = room->told.next;
	}
	if (say_page(part, room, destination, &r) == 0)
		go_on_later(part, room, &r);
}

/* A page for each, in turn. */
void broker_tell_recite(struct broker_part *part)
{
	const struct broker_carrier *carrier = &part->broker->carrier;

	while (!list_empty(&part->recitals)) {
		struct recital *r = container_of(list_first(&part->recitals), struct recital, node);

		list_remove(&r->node);
		list_append(&part->recitals, &r->node);
		if (say_page(part, r->room, broker_room_destination(r->room), r) != 0)
			recital_free(part, r);
		if (carrier->is_late(carrier->arg))
			break;
	}
	go_on(part);
}

void broker_tell_forget(struct broker_part *part, struct broker_room *room)
{
	while (!list_empty(&room->recitals))
		recital_free(part, container_of(list_first(&room->recitals), struct recital, of_room));
}

/* --- digests ------------------------------------------------------------------------------------- */

struct entry {
	uint64_t hash, version;
};

struct digest {
	struct entry *entries;
	size_t count, size;
};

static bool collect(struct map_node *node, void *arg)
{
	const struct broker_room *room = container_of(node, struct broker_room, node);
	struct digest *d = arg;

	if (room->version > 0 && d->count < d->size)
		d->entries[d->count++] = (struct entry){ room->hash, room->version };
	return true;
}

static int by_hash(const void *a, const void *b)
{
	const struct entry *one = a, *other = b;

	return (one->hash > other->hash) - (one->hash < other->hash);
}

/* Those of one hash are in one message. */
static size_t end_of(const struct digest *d, size_t from)
{
	size_t to = from + ENTRIES_MOST < d->count ? from + ENTRIES_MOST : d->count;

	while (to < d->count && d->entries[to].hash == d->entries[to - 1].hash)
		to++;
	return to;
}

/* Up to the hash before that of the next message. */
static int say_entries(struct broker_part *part, const struct digest *d, size_t i, size_t end)
{
	struct broker_words w = { .kind = BROKER_WORD_DIGEST, .source = part->index };
	struct buf out = BUF_INIT;
	int err;

	w.from = i > 0 ? d->entries[i].hash : 0;
	w.to = end < d->count ? d->entries[end].hash - 1 : UINT64_MAX;
	err = broker_words_write(&out, &w);
	for (; i < end && err == 0; i++)
		err = broker_entry_write(&out, d->entries[i].hash, d->entries[i].version);
	if (err == 0)
		err = say(part, BYTES(""), BROKER_ALL_PEERS, &out);
	buf_fini(&out);
	return err;
}

void broker_say_digest(struct broker_part *part)
{
	struct digest d = { .size = map_count(&part->rooms) };
	size_t i = 0, end;

	if (!broker_tells_peers(part->broker))
		return;
	d.entries = mem_alloc((d.size + 1) * sizeof(*d.entries));
	if (!d.entries)
		return;
	map_each(&part->rooms, collect, &d);
	qsort(d.entries, d.count, sizeof(*d.entries), by_hash);
	do {
		end = end_of(&d, i);
		if (say_entries(part, &d, i, end) < 0)
			break;
		i = end;
	} while (i < d.count);
	mem_free(d.entries);
}

/* --- life ------------------------------------------------------------------------------------------ */

void broker_tell_init(struct broker_part *part)
{
	list_init(&part->recitals);
}

void broker_tell_fini(struct broker_part *part)
{
	while (!list_empty(&part->recitals))
		recital_free(part, container_of(list_first(&part->recitals), struct recital, node));
}
