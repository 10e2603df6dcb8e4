/*
 * broker/broker_roll.c - who is present, for those who ask the owner of a destination: as a
 * subscriber is to know it (what was said last), or as an operator wants it (by pages, as it is);
 * see broker_presence.h.
 *
 * A question goes to the owner and comes back as its answer, by the way of all mail; so it stands
 * between what the owner has published before and after it.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker_presence.h"

#define KEPT_MS 2000 /* for who asks for the next page */

struct question {
	struct list node; /* room->waiting */
	struct broker *broker;
	unsigned asker, owner; /* parts */
	void (*answer)(struct question *q);
	void (*drop)(void *arg);
	void *arg;
	struct bytes name, after; /* behind this */
	/* Of one who asks for the message */
	broker_called_fn called_fn;
	struct broker_message *message;
	/* Of one who asks for a page */
	broker_page_fn page_fn;
	size_t limit;
	struct broker_page *page;
};

static void question_free(struct question *q)
{
	broker_message_unref(q->message);
	mem_free(q->page);
	mem_free(q);
}

static void drop_question(void *arg)
{
	struct question *q = arg;

	q->drop(q->arg);
	question_free(q);
}

static void run_answer(void *arg)
{
	struct question *q = arg;

	if (q->page_fn)
		q->page_fn(q->arg, q->page);
	else
		q->called_fn(q->arg, &q->message, q->message != NULL, q->message != NULL);
	question_free(q);
}

static int post(struct question *q, unsigned part, void (*fn)(void *arg))
{
	const struct broker_carrier *carrier = &q->broker->carrier;

	return carrier->post(carrier->arg, part, fn, drop_question, q);
}

static void answer(struct question *q)
{
	q->answer(q);
	if (q->asker == q->owner)
		run_answer(q);
	else if (post(q, q->asker, run_answer) < 0)
		drop_question(q);
}

/* The room that is asked for, if peers may know of it; it stays for a while. */
static struct broker_room *room_of(const struct question *q)
{
	struct broker_part *part = q->broker->parts[q->owner];
	struct broker_room *room = broker_presence_room(part, q->name);

	if (!broker_tells_peers(q->broker))
		return room;
	if (!room)
		room = broker_room_add(part, q->name);
	if (room) {
		room->kept_until = clock_now() + KEPT_MS;
		broker_presence_rest(part, room);
	}
	return room;
}

static void run_question(void *arg)
{
	struct question *q = arg;
	struct broker_room *room = room_of(q);

	if (room && !room->is_known)
		list_append(&room->waiting, &q->node);
	else
		answer(q);
}

static struct question *first_of(const struct broker_room *room)
{
	struct list *first = list_first(&room->waiting);

	return first ? container_of(first, struct question, node) : NULL;
}

void broker_roll_answer(struct broker_room *room)
{
	struct question *q;

	while ((q = first_of(room)) != NULL) {
		list_remove(&q->node);
		answer(q);
	}
}

void broker_roll_drop(struct broker_room *room)
{
	struct question *q;

	while ((q = first_of(room)) != NULL) {
		list_remove(&q->node);
		drop_question(q);
	}
}

static struct question *question_new(
    const struct broker_part *part, struct bytes destination, struct bytes after)
{
	char text[PRESENCE_NAME_MAX];
	struct bytes name = broker_presence_name(destination, text);
	struct question *q = mem_zalloc(sizeof(*q) + name.n + after.n);

	if (!q)
		return NULL;
	q->broker = part->broker;
	q->asker = part->index;
	q->owner = broker_owner_of(part->broker, name);
	q->name = (struct bytes){ (char *)(q + 1), name.n };
	q->after = (struct bytes){ (char *)(q + 1) + name.n, after.n };
	bytes_put(bytes_put(q + 1, name), after);
	return q;
}

/* By mail even to this part, so that nobody is answered before the question is asked. */
static int ask(struct question *q)
{
	if (post(q, q->owner, run_question) == 0)
		return 0;
	question_free(q);
	return -ENOMEM;
}

/* --- the message ------------------------------------------------------------------ */

static void find_message(struct question *q)
{
	struct broker_part *part = q->broker->parts[q->owner];

	q->message = broker_presence_state(part, broker_presence_room(part, q->name), q->name);
}

int broker_call_roll(struct broker_part *part, struct bytes destination, broker_called_fn fn,
    void (*drop)(void *arg), void *arg)
{
	struct question *q;

	if (!broker_has_presence(part->broker, destination))
		return -EINVAL;
	q = question_new(part, destination, (struct bytes){ 0 });
	if (!q)
		return -ENOMEM;
	q->answer = find_message;
	q->called_fn = fn;
	q->drop = drop;
	q->arg = arg;
	return ask(q);
}

/* --- a page --------------------------------------------------------------------------- */

/* The names that come next, in order; one more than are wanted, to know whether there are more. */
struct next {
	struct bytes after;
	size_t limit, count;
	const struct broker_name **names;
};

static int compare(struct bytes a, struct bytes b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* The first place whose name is not before this one. */
static size_t place_of(const struct next *next, struct bytes name)
{
	size_t from = 0, to = next->count;

	while (from < to) {
		size_t middle = (from + to) / 2;

		if (compare(broker_name_text(next->names[middle]), name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void consider(struct next *next, const struct broker_name *name)
{
	size_t at, behind;

	if (name->sessions == 0 || (next->after.n > 0 && compare(broker_name_text(name), next->after) <= 0))
		return;
	at = place_of(next, broker_name_text(name));
	if (at > next->limit)
		return;
	if (next->count <= next->limit)
		next->count++;
	behind = next->count - 1 - at;
	memmove(&next->names[at + 1], &next->names[at], behind * sizeof(next->names[0]));
	next->names[at] = name;
}

/* The names as they are, in one block. */
static struct broker_page *copy_page(const struct next *next)
{
	size_t count = next->count < next->limit ? next->count : next->limit, octets = 0;
	struct broker_attendee *users;
	struct broker_page *page;
	char *at;

	for (size_t i = 0; i < count; i++)
		octets += next->names[i]->name_len;
	page = mem_zalloc(sizeof(*page) + count * sizeof(*users) + octets);
	if (!page)
		return NULL;
	users = (struct broker_attendee *)(void *)(page + 1);
	at = (char *)(users + count);
	for (size_t i = 0; i < count; i++) {
		struct bytes name = broker_name_text(next->names[i]);

		users[i] = (struct broker_attendee){ { at, name.n }, next->names[i]->sessions };
		at = bytes_put(at, name);
	}
	page->users = users;
	page->count = count;
	page->has_more = next->count > count;
	return page;
}

static void find_page(struct question *q)
{
	struct broker_part *part = q->broker->parts[q->owner];
	const struct broker_room *room = broker_presence_room(part, q->name);
	struct next next = { q->after, q->limit, 0, NULL };
	const struct list *pos;

	next.names = mem_alloc((q->limit + 1) * sizeof(*next.names));
	if (!next.names)
		return;
	if (room)
		list_foreach (pos, &room->users)
			consider(&next, container_of(pos, struct broker_name, of_room));
	q->page = copy_page(&next);
	mem_free(next.names);
	if (!q->page || !room)
		return;
	q->page->all = room->present + room->unnamed;
	q->page->unnamed = room->unnamed;
	q->page->anonymous = room->anonymous;
	broker_shares_count(part, room, &q->page->peers, &q->page->missing);
}

int broker_list_present(struct broker_part *part, struct bytes destination, struct bytes after,
    size_t limit, broker_page_fn fn, void (*drop)(void *arg), void *arg)
{
	struct question *q;

	if (!broker_has_presence(part->broker, destination))
		return -EINVAL;
	q = question_new(part, destination, after);
	if (!q)
		return -ENOMEM;
	q->answer = find_page;
	q->page_fn = fn;
	q->limit = limit;
	q->drop = drop;
	q->arg = arg;
	return ask(q);
}
