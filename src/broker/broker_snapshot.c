/*
 * broker/broker_snapshot.c - what a broker has, for another process; see broker.h.
 *
 * There may be more parts there, or fewer. So everything is put where it belongs there, by its name; and numbers go on
 * behind all that were ever given: (owner, sequence) is never given twice.
 */
#include <errno.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "broker/broker_name.h"
#include "broker/broker_past.h"
#include "broker/broker_presence.h"
#include "broker/broker_queue.h"

static uint64_t larger_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* --- numbers --------------------------------------------------------------------------------------- */

static void go_on_behind(struct broker_part *part, uint64_t sequence, uint64_t consumer, uint64_t forgotten)
{
	part->sequence = larger_of(part->sequence, sequence);
	part->last_consumer = larger_of(part->last_consumer, consumer);
	part->forgotten = larger_of(part->forgotten, forgotten);
}

/* Where there are as many parts as before each owns what it did. */
static void read_numbers(struct broker *b, struct snapshot *s)
{
	uint32_t parts = snapshot_u32(s, 0), index = snapshot_u32(s, 0);
	uint64_t sequence = snapshot_u64(s, 0), consumer = snapshot_u64(s, 0), forgotten = snapshot_u64(s, 0);
	bool is_same = parts == b->carrier.parts;

	if (!snapshot_check(s, index < parts && sequence < UINT64_MAX / 2 && consumer < UINT64_MAX / 2))
		return;
	for (unsigned i = 0; i < b->carrier.parts; i++) {
		go_on_behind(b->parts[i], sequence, consumer, !is_same || i == index ? forgotten : 0);
		if (!is_same)
			b->parts[i]->first = b->parts[i]->sequence + 1;
	}
}

static void write_numbers(const struct broker *b, unsigned part, struct snapshot *s)
{
	const struct broker_part *p = b->parts[part];

	snapshot_u32(s, b->carrier.parts);
	snapshot_u32(s, part);
	snapshot_u64(s, p->sequence);
	snapshot_u64(s, p->last_consumer);
	snapshot_u64(s, p->forgotten);
}

/* --- histories --------------------------------------------------------------------------------------- */

static void write_pasts(const struct broker_part *part, struct snapshot *s)
{
	const struct list *pos;

	list_foreach (pos, &part->pasts_by_use) {
		const struct past *past = container_of(pos, struct past, by_use);

		snapshot_more(s, true);
		snapshot_bytes(s, (struct bytes){ past->name, past->name_len });
		snapshot_u64(s, past->gone);
	}
	snapshot_more(s, false);
}

static void read_past(struct broker *b, struct bytes name, uint64_t gone, struct snapshot *s)
{
	struct broker_part *part;
	struct past *past;

	if (!snapshot_check(s, broker_name_is_destination(name, b->separator)) || !broker_history_rule(b, name))
		return;
	part = b->parts[broker_owner_of(b, name)];
	past = broker_past_find(part, name);
	if (!past)
		past = broker_past_add(part, name, gone);
	if (past)
		past->gone = past->last = gone;
	else
		snapshot_fail(s, -ENOMEM);
}

static void read_pasts(struct broker *b, struct snapshot *s)
{
	while (snapshot_more(s, false)) {
		struct bytes name = snapshot_bytes(s, (struct bytes){ NULL, 0 });

		read_past(b, name, snapshot_u64(s, 0), s);
	}
}

/* Of all destinations of a part, as they were published. */
static void write_kept(const struct broker_part *part, struct snapshot *s, const struct broker_codec *codec)
{
	const struct list *pos;

	list_foreach (pos, &part->kept) {
		const struct kept *k = container_of(pos, struct kept, of_part);

		snapshot_more(s, true);
		codec->message(codec->arg, k->message, s);
		snapshot_u64(s, k->at);
	}
	snapshot_more(s, false);
}

/* There may be less room than there was. */
static void put_back(struct broker *b, struct broker_message *m, uint64_t at, struct snapshot *s)
{
	struct broker_part *part = b->parts[broker_owner_of(b, m->destination)];
	struct past *past = broker_past_find(part, m->destination);

	m->shown = m->destination;
	if (!past || !snapshot_check(s, m->sequence > broker_past_last(past)))
		return;
	past->last = m->sequence;
	if (broker_past_append(part, past, m, at))
		broker_past_trim(part, past);
	else
		past->gone = m->sequence;
}

static void read_kept(struct broker *b, struct snapshot *s, const struct broker_codec *codec)
{
	while (snapshot_more(s, false)) {
		struct broker_message *m = codec->message(codec->arg, NULL, s);
		uint64_t at = snapshot_u64(s, 0);

		if (!m)
			return;
		put_back(b, m, at, s);
		broker_message_unref(m);
	}
}

static void histories_snapshot(
    struct broker *b, unsigned part, struct snapshot *s, const struct broker_codec *codec)
{
	if (s->is_reading) {
		read_pasts(b, s);
		read_kept(b, s, codec);
	} else {
		write_pasts(b->parts[part], s);
		write_kept(b->parts[part], s, codec);
	}
}

/* --- who is present -------------------------------------------------------------------------------------- */

/* Of a room its watchers know so much. Who is there comes with those who are; what has changed is said then. */
static bool write_room(struct map_node *node, void *arg)
{
	const struct broker_room *room = container_of(node, struct broker_room, node);
	struct snapshot *s = arg;
	const struct list *pos;

	snapshot_more(s, true);
	snapshot_bytes(s, broker_room_name(room));
	snapshot_size(s, room->said.unnamed);
	snapshot_size(s, room->said.anonymous);
	list_foreach (pos, &room->users) {
		const struct broker_name *name = container_of(pos, struct broker_name, of_room);

		if (!name->is_said)
			continue;
		snapshot_more(s, true);
		snapshot_bytes(s, broker_name_text(name));
	}
	snapshot_more(s, false);
	return true;
}

static struct broker_room *read_room(struct broker *b, struct snapshot *s)
{
	struct bytes name = snapshot_bytes(s, (struct bytes){ NULL, 0 });
	struct broker_part *part;
	struct broker_room *room;

	if (!snapshot_check(s, bytes_begin(name, BROKER_PRESENCE "/") && broker_name_is_destination(name, b->separator)))
		return NULL;
	part = b->parts[broker_owner_of(b, name)];
	if (!snapshot_check(s, !broker_presence_room(part, name)))
		return NULL;
	room = broker_room_add(part, name);
	if (!room)
		snapshot_fail(s, -ENOMEM);
	return room;
}

/* As one who has gone, until he comes. Who finds no place will be said not to be known by name. */
static void read_said(struct broker_part *part, struct broker_room *room, struct snapshot *s)
{
	while (snapshot_more(s, false)) {
		struct bytes user = snapshot_bytes(s, (struct bytes){ NULL, 0 });
		struct broker_name *name;

		if (!snapshot_check(s, !broker_room_find(part, room, user)) ||
		    !(name = broker_room_add_name(part, room, user)))
			continue;
		name->is_said = true;
		room->said.users++;
		list_append(&room->changed, &name->changed);
	}
}

static void rooms_snapshot(struct broker *b, unsigned part, struct snapshot *s)
{
	struct broker_room *room;

	if (!s->is_reading) {
		map_each(&b->parts[part]->rooms, write_room, s);
		snapshot_more(s, false);
		return;
	}
	while (snapshot_more(s, false) && (room = read_room(b, s)) != NULL) {
		SNAPSHOT(s, size, room->said.unnamed);
		SNAPSHOT(s, size, room->said.anonymous);
		read_said(b->parts[broker_owner_of(b, broker_room_name(room))], room, s);
	}
}

static bool let_rest(struct map_node *node, void *part)
{
	broker_presence_rest(part, container_of(node, struct broker_room, node));
	return true;
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

void broker_snapshot(struct broker *b, unsigned part, struct snapshot *s, const struct broker_codec *codec)
{
	if (!snapshot_enter(s, "BRKR", 1))
		return;
	SNAPSHOT(s, u64, b->identity.epoch);
	snapshot_raw(s, &b->identity.owners, sizeof(b->identity.owners));
	if (s->is_reading)
		read_numbers(b, s);
	else
		write_numbers(b, part, s);
	histories_snapshot(b, part, s, codec);
	broker_queues_snapshot(b, part, s, codec);
	rooms_snapshot(b, part, s);
	snapshot_leave(s);
}

void broker_restored(struct broker_part *part)
{
	broker_queues_restored(part);
	map_each(&part->rooms, let_rest, part);
}

/* --- subscriptions ----------------------------------------------------------------------------------------------- */

static void write_subscription(const struct broker_subscription *sub, struct snapshot *s)
{
	snapshot_bool(s, sub->is_consumer);
	snapshot_bool(s, sub->attends);
	snapshot_bytes(s, broker_subscription_pattern(sub));
	if (sub->is_consumer)
		broker_consumer_write(sub, s);
}

static struct broker_subscription *read_consumer(
    struct broker_member *m, struct bytes queue, struct broker_entry entry, struct snapshot *s)
{
	struct broker_subscription *sub = broker_consumer_read(m, queue, entry, s);

	if (!sub)
		return NULL;
	list_append(&m->subscriptions, &sub->of_member);
	m->count++;
	m->kind->part->counters.subscriptions++;
	return sub;
}

static struct broker_subscription *read_subscription(
    struct broker_member *m, struct broker_entry entry, struct snapshot *s)
{
	bool is_consumer = snapshot_bool(s, false), attends = snapshot_bool(s, false);
	struct bytes pattern = snapshot_bytes(s, (struct bytes){ NULL, 0 });
	struct broker_subscription *sub = NULL;
	int err;

	if (snapshot_error(s))
		return NULL;
	if (is_consumer)
		return read_consumer(m, pattern, entry, s);
	err = broker_subscribe(m, pattern, entry.receiver, entry.label, &sub);
	if (err == 0 && attends)
		err = broker_attend_again(sub);
	if (err < 0)
		snapshot_fail(s, err == -ENOMEM ? err : -EPROTO);
	return sub;
}

void broker_subscription_snapshot(struct broker_subscription **sub, struct broker_member *m, void *receiver,
    uintptr_t label, struct snapshot *s)
{
	if (!snapshot_enter(s, "SUBS", 1))
		return;
	if (s->is_reading)
		*sub = read_subscription(m, (struct broker_entry){ .receiver = receiver, .label = label }, s);
	else
		write_subscription(*sub, s);
	snapshot_leave(s);
}
