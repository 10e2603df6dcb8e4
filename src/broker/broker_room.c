/*
 * broker/broker_room.c - rooms and the names in them, in the part of their owner, and who comes and goes here;
 * see broker_presence.h.
 *
 * Names are bounded in all. Who finds no room for his is counted by sessions, and the rolls say
 * that they are cut.
 */
#include "broker/broker_presence.h"

#include "base/clock.h"
#include "base/fnv.h"
#include "base/mem.h"
#include "base/utf8.h"

#define NAME_MOST 1024 /* octets of one */

struct bytes broker_presence_name(struct bytes destination, char text[PRESENCE_NAME_MAX])
{
	char *end;

	if (destination.n > BROKER_DESTINATION_MAX)
		return (struct bytes){ 0 };
	end = bytes_put(bytes_put(text, BYTES(BROKER_PRESENCE)), destination);
	return (struct bytes){ text, (size_t)(end - text) };
}

/* --- names ------------------------------------------------------------------------ */

static struct bytes name_key(const struct map_node *n)
{
	const struct broker_name *name = container_of(n, struct broker_name, node);

	return (struct bytes){ (const char *)&name->room, sizeof(name->room) + name->name_len };
}

struct broker_name *broker_room_find(
    const struct broker_part *part, const struct broker_room *room, struct bytes user)
{
	char key[sizeof(room) + NAME_MOST];
	struct map_node *node;

	if (user.n > NAME_MOST)
		return NULL;
	bytes_put(key, (struct bytes){ (const char *)&room, sizeof(room) });
	bytes_put(key + sizeof(room), user);
	node = map_find(&part->names, (struct bytes){ key, sizeof(room) + user.n });
	return node ? container_of(node, struct broker_name, node) : NULL;
}

/* Whether there is room for one more. */
static bool take_place(struct broker *b)
{
	if (atomic_fetch_add_explicit(&b->present, 1, memory_order_relaxed) < b->limits.max_present)
		return true;
	atomic_fetch_sub_explicit(&b->present, 1, memory_order_relaxed);
	return false;
}

static void give_place_back(struct broker *b)
{
	atomic_fetch_sub_explicit(&b->present, 1, memory_order_relaxed);
}

static struct broker_name *name_new(struct broker_room *room, struct bytes user)
{
	struct broker_name *name = mem_zalloc(sizeof(*name) + user.n);

	if (!name)
		return NULL;
	list_init(&name->changed);
	list_init(&name->of_told);
	list_init(&name->untold);
	list_init(&name->stays);
	name->room = room;
	name->name_len = (uint16_t)user.n;
	bytes_put(name->name, user);
	return name;
}

/* Nor is there a place for what is no text, which nobody could be told. */
struct broker_name *broker_room_add_name(
    struct broker_part *part, struct broker_room *room, struct bytes user)
{
	struct broker_name *name;

	if (user.n == 0 || user.n > NAME_MOST || !utf8_is_valid(user.p, user.n) ||
	    !take_place(part->broker))
		return NULL;
	name = name_new(room, user);
	if (!name || map_insert(&part->names, &name->node) < 0) {
		give_place_back(part->broker);
		mem_free(name);
		return NULL;
	}
	list_append(&room->users, &name->of_room);
	part->counters.present++;
	return name;
}

static void name_free(struct broker_part *part, struct broker_name *name)
{
	broker_tell_pass(name);
	map_remove(&part->names, &name->node);
	list_remove(&name->of_room);
	list_remove(&name->changed);
	list_remove(&name->of_told);
	list_remove(&name->untold);
	part->counters.present--;
	give_place_back(part->broker);
	mem_free(name);
}

void broker_name_let_go(struct broker_part *part, struct broker_name *name)
{
	if (name->sessions == 0 && !name->is_said && name->told == 0 && list_empty(&name->untold))
		name_free(part, name);
}

/* Whether it is there has changed: that is to be said, unless it was not said before it changed. */
static void turn(struct broker_name *name)
{
	struct broker_room *room = name->room;

	if (name->sessions > 0)
		room->present++;
	else
		room->present--;
	if (list_empty(&name->changed))
		list_append(&room->changed, &name->changed);
	else
		list_remove(&name->changed);
}

void broker_name_change(struct broker_part *part, struct broker_name *name, size_t sessions)
{
	bool was_there = name->sessions > 0;

	name->sessions = sessions;
	if (was_there != (sessions > 0))
		turn(name);
	broker_name_let_go(part, name);
}

/* --- rooms ---------------------------------------------------------------------------- */

static struct bytes room_key(const struct map_node *n)
{
	return broker_room_name(container_of(n, struct broker_room, node));
}

struct bytes broker_room_name(const struct broker_room *room)
{
	return (struct bytes){ room->name, room->name_len };
}

struct bytes broker_room_destination(const struct broker_room *room)
{
	const size_t skip = sizeof(BROKER_PRESENCE) - 1;

	return (struct bytes){ room->name + skip, room->name_len - skip };
}

struct broker_room *broker_presence_room(struct broker_part *part, struct bytes name)
{
	struct map_node *node = map_find(&part->rooms, name);

	return node ? container_of(node, struct broker_room, node) : NULL;
}

static void init_lists(struct broker_room *room)
{
	struct list *all[] = { &room->restless, &room->users, &room->changed, &room->told, &room->untold,
		&room->recitals, &room->shares, &room->waiting };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		list_init(all[i]);
}

struct broker_room *broker_room_add(struct broker_part *part, struct bytes name)
{
	struct broker_room *room = mem_zalloc(sizeof(*room) + name.n);

	if (!room)
		return NULL;
	init_lists(room);
	room->is_known = !broker_tells_peers(part->broker);
	room->name_len = (uint16_t)name.n;
	bytes_put(room->name, name);
	room->hash = fnv1a_bytes(broker_room_destination(room));
	if (map_insert(&part->rooms, &room->node) < 0) {
		mem_free(room);
		return NULL;
	}
	if (!room->is_known) {
		room->known_by = clock_now() + BROKER_PEERS_MS;
		broker_shares_look(part, room, clock_now());
		broker_presence_rest(part, room);
	}
	return room;
}

void broker_room_free(struct broker_part *part, struct broker_room *room)
{
	const struct broker_peers *peers = &part->broker->peers;
	struct list *first;

	broker_roll_drop(room);
	broker_tell_forget(part, room);
	broker_shares_forget(part, room);
	if (room->is_joined)
		(void)peers->roll_interest(peers->arg, part->index, broker_room_destination(room), false);
	while ((first = list_first(&room->users)) != NULL)
		name_free(part, container_of(first, struct broker_name, of_room));
	map_remove(&part->rooms, &room->node);
	list_remove(&room->restless);
	broker_message_unref(room->state);
	mem_free(room);
}

/* Those who are at peers alone do not keep it. */
bool broker_room_is_idle(const struct broker_room *room, uint64_t now)
{
	return room->here.unnamed == 0 && room->here.anonymous == 0 && list_empty(&room->told) &&
	       list_empty(&room->untold) && room->repeat_at == 0 && room->watchers == 0 &&
	       list_empty(&room->waiting) && room->kept_until <= now &&
	       (!list_empty(&room->shares) || list_empty(&room->users));
}

/* --- coming and going -------------------------------------------------------------------- */

static void join(struct broker_part *part, struct broker_room *room, struct bytes user)
{
	struct broker_name *name = broker_room_find(part, room, user);

	if (!name)
		name = broker_room_add_name(part, room, user);
	if (!name) {
		room->unnamed++;
		room->here.unnamed++;
		return;
	}
	name->here++;
	if (broker_tells_peers(part->broker))
		broker_tell_note(name);
	broker_name_change(part, name, name->sessions + 1);
}

/* Somebody for whom there was no memory is not known to have come. */
static void leave(struct broker_part *part, struct broker_room *room, struct bytes user)
{
	struct broker_name *name = broker_room_find(part, room, user);

	if (name && name->here > 0) {
		name->here--;
		if (broker_tells_peers(part->broker))
			broker_tell_note(name);
		broker_name_change(part, name, name->sessions - 1);
	} else if (room->here.unnamed > 0) {
		room->unnamed--;
		room->here.unnamed--;
	}
}

static void count_anonymous(struct broker_room *room, bool joins)
{
	if (joins) {
		room->anonymous++;
		room->here.anonymous++;
	} else if (room->here.anonymous > 0) {
		room->anonymous--;
		room->here.anonymous--;
	}
}

static void count_watchers(struct broker_part *part, struct broker_room *room, bool begins)
{
	if (begins)
		room->watchers++;
	else if (room->watchers > 0)
		room->watchers--;
	broker_presence_rest(part, room);
}

static void count(struct broker_part *part, struct broker_room *room, const struct broker_report *report)
{
	struct bytes user = { report->text + report->destination_len, report->user_len };
	bool joins = report->kind == BROKER_JOINS;

	if (user.n == 0)
		count_anonymous(room, joins);
	else if (joins)
		join(part, room, user);
	else
		leave(part, room, user);
}

void broker_presence_put_back(struct broker_part *part, const struct broker_report *join)
{
	struct bytes name = { join->text, join->destination_len };
	struct broker_room *room = broker_presence_room(part, name);

	if (!room)
		room = broker_room_add(part, name);
	if (room)
		count(part, room, join);
}

void broker_presence_take(struct broker_part *part, const struct broker_report *report)
{
	struct bytes name = { report->text, report->destination_len };
	struct broker_room *room = broker_presence_room(part, name);
	bool begins = report->kind == BROKER_JOINS || report->kind == BROKER_WATCHES;

	if (!room && begins)
		room = broker_room_add(part, name);
	if (!room)
		return;
	if (report->kind == BROKER_WATCHES || report->kind == BROKER_UNWATCHES)
		count_watchers(part, room, begins);
	else {
		count(part, room, report);
		broker_presence_changed(part, room, begins);
	}
}

/* --- life ------------------------------------------------------------------------------- */

void broker_rooms_init(struct broker_part *part)
{
	map_init(&part->rooms, room_key, &part->broker->seed);
	map_init(&part->names, name_key, &part->broker->seed);
}

static bool forget_room(struct map_node *node, void *part)
{
	struct broker_room *room = container_of(node, struct broker_room, node);

	room->is_joined = false; /* nobody listens any more */
	broker_room_free(part, room);
	return true;
}

void broker_rooms_fini(struct broker_part *part)
{
	map_each(&part->rooms, forget_room, part);
	map_fini(&part->rooms);
	map_fini(&part->names);
}
