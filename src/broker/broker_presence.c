/*
 * broker/broker_presence.c - what is said of who is present at the destinations that a part owns; see
 * broker_presence.h.
 *
 * The first who comes to a room is told of at once. After that, and after somebody has gone, what
 * happens within an interval (a tenth of a second) is one message: so a room of thousands that fills
 * or empties costs its watchers ten messages a second, and who goes and is back in that time, as a
 * page that its next connection replaces, has never been away. Whoever asks gets what was said last, even if
 * more is known by now: then what is said next follows on it, without a hole and nothing twice.
 *
 * Peers are told in the same intervals. Nothing is said before it is known who is there with them, for whoever
 * asks first waits for that.
 */
#include "broker/broker_presence.h"

#include "base/clock.h"
#include "base/mem.h"

#define REPORT_MS     100 /* what could not be reported is tried again after it */
#define NAMES_MOST    500   /* of one message about changes; the others come with the next */
#define OCTETS_MOST   16384 /* of these */
#define CATCH_UP_MOST 20    /* messages, at once */

/* --- saying what has changed ------------------------------------------------------- */

static bool has_news(const struct broker_room *room)
{
	return !list_empty(&room->changed) || room->anonymous != room->said.anonymous ||
	       room->unnamed != room->said.unnamed;
}

/* As many of those who have come or gone as one message has room for, those who came from the front
 * on, those who went from the back on. Returns how many these are together. */
static size_t collect(
    const struct broker_room *room, struct bytes names[NAMES_MOST], struct broker_roll *roll)
{
	size_t count = 0, octets = 0;
	const struct list *pos;

	list_foreach (pos, &room->changed) {
		const struct broker_name *name = container_of(pos, struct broker_name, changed);

		octets += name->name_len;
		if (count == NAMES_MOST || octets > OCTETS_MOST)
			break;
		count++;
		if (name->is_said)
			names[NAMES_MOST - ++roll->left_count] = broker_name_text(name);
		else
			names[roll->joined_count++] = broker_name_text(name);
	}
	roll->joined = names;
	roll->left = names + NAMES_MOST - roll->left_count;
	return count;
}

/* The first so many of those who have come or gone are known to be so. */
static void note_said(struct broker_part *part, struct broker_room *room, size_t count)
{
	for (; count > 0; count--) {
		struct list *first = list_first(&room->changed);
		struct broker_name *name = container_of(first, struct broker_name, changed);

		list_remove(first);
		name->is_said = !name->is_said;
		if (name->is_said)
			room->said.users++;
		else
			room->said.users--;
		broker_name_let_go(part, name);
	}
	room->said.anonymous = room->anonymous;
	room->said.unnamed = room->unnamed;
	broker_message_unref(room->state);
	room->state = NULL;
}

/* If memory is out, all stays as it is, and is said later. */
static void say(struct broker_part *part, struct broker_room *room)
{
	const struct broker_limits *limits = &part->broker->limits;
	struct bytes names[NAMES_MOST];
	struct broker_roll roll = { .destination = broker_room_name(room) };
	struct broker_message *m;
	size_t count = collect(room, names, &roll);

	roll.count = room->said.users + roll.joined_count - roll.left_count + room->unnamed;
	roll.anonymous = room->anonymous;
	roll.is_cut = room->unnamed > 0;
	m = limits->say(limits->arg, &roll);
	if (m && broker_publish(part->broker, m) == 0)
		note_said(part, room, count);
	broker_message_unref(m);
}

/* --- in time -------------------------------------------------------------------------- */

/* What happens from now on is said when that time is over. */
static void let_rest(struct broker_part *part, struct broker_room *room, uint64_t now)
{
	list_remove(&room->restless);
	room->due = now + part->broker->limits.presence_interval_ms;
	list_append(&part->restless, &room->restless);
}

static bool has_any_news(const struct broker_room *room)
{
	return (room->is_known && has_news(room)) || broker_tell_has_news(room);
}

static void utter(struct broker_part *part, struct broker_room *room)
{
	if (room->is_known && has_news(room))
		say(part, room);
	if (broker_tell_has_news(room))
		broker_tell(part, room);
}

/* Gates of those who wait are shut: others get what they would have got. */
void broker_presence_catch_up(struct broker_part *part, struct broker_room *room)
{
	for (unsigned i = 0; i < CATCH_UP_MOST && has_news(room); i++)
		say(part, room);
}

static struct broker_room *first_restless(const struct broker_part *part)
{
	struct list *first = list_first(&part->restless);

	return first ? container_of(first, struct broker_room, restless) : NULL;
}

static bool needs_another_look(const struct broker_part *part, const struct broker_room *room, uint64_t now)
{
	return !room->is_known || (!room->is_joined && broker_tells_peers(part->broker)) || room->repeat_at > 0 || room->kept_until > now || broker_shares_lack(room);
}

static void on_due(struct broker_part *part, struct broker_room *room, uint64_t now)
{
	list_remove(&room->restless);
	broker_shares_look(part, room, now);
	broker_tell_again(part, room, now);
	if (has_any_news(room)) {
		utter(part, room);
		let_rest(part, room, now);
	} else if (broker_room_is_idle(room, now)) {
		broker_room_free(part, room);
	} else if (needs_another_look(part, room, now)) {
		let_rest(part, room, now);
	}
}

static void on_tick(void *arg)
{
	struct broker_part *part = arg;
	const struct broker_carrier *carrier = &part->broker->carrier;
	struct broker_room *room;
	uint64_t now;

	part->ticks = false;
	broker_attend_send_reports(part);
	now = clock_now();
	while ((room = first_restless(part)) != NULL && room->due <= now) {
		on_due(part, room, now);
		if (carrier->is_late(carrier->arg))
			break;
	}
	broker_tell_recite(part);
	broker_presence_tick(part);
}

static void drop_tick(void *part)
{
	(void)part; /* the server has ended, and the part may be gone */
}

static unsigned wait_of(const struct broker_room *room)
{
	uint64_t now = clock_now(), due = room ? room->due : now + REPORT_MS;

	return due > now ? (unsigned)(due - now) : 0;
}

/* Those who rest are in the order in which their time is over, for all rest as long. */
void broker_presence_tick(struct broker_part *part)
{
	const struct broker_carrier *carrier = &part->broker->carrier;
	const struct broker_room *room = first_restless(part);

	if (part->ticks || (!room && list_empty(&part->reports)))
		return;
	part->ticks = carrier->later(carrier->arg, wait_of(room), on_tick, drop_tick, part) == 0;
}

void broker_presence_rest(struct broker_part *part, struct broker_room *room)
{
	if (list_empty(&room->restless))
		let_rest(part, room, clock_now());
	broker_presence_tick(part);
}

/* Who goes is not told of at once: he may be back. */
void broker_presence_changed(struct broker_part *part, struct broker_room *room, bool joins)
{
	bool rests = !list_empty(&room->restless);

	if (!has_news(room) && !broker_tell_has_news(room))
		return;
	if (!rests && joins)
		utter(part, room);
	broker_presence_rest(part, room);
	if (!part->ticks) /* without memory for a timer it cannot wait */
		utter(part, room);
}

/* --- what was said last --------------------------------------------------------------------- */

/* Returns how many are named. */
static size_t name_all(const struct broker_room *room, struct bytes *names, size_t most)
{
	size_t count = 0;
	const struct list *pos;

	list_foreach (pos, &room->users) {
		const struct broker_name *name = container_of(pos, struct broker_name, of_room);

		if (count == most)
			break;
		if (name->is_said)
			names[count++] = broker_name_text(name);
	}
	return count;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static struct broker_message *make_state(
    struct broker_part *part, const struct broker_room *room, struct bytes name)
{
	const struct broker_limits *limits = &part->broker->limits;
	size_t most = room ? least(room->said.users, limits->max_named) : 0;
	struct bytes *names = mem_alloc((most + 1) * sizeof(*names));
	struct broker_roll roll = { .destination = name, .is_whole = true, .joined = names };
	struct broker_message *m;

	if (!names)
		return NULL;
	if (room) {
		roll.joined_count = name_all(room, names, most);
		roll.count = room->said.users + room->said.unnamed;
		roll.anonymous = room->said.anonymous;
		roll.is_cut = roll.joined_count < roll.count;
	}
	m = limits->say(limits->arg, &roll);
	mem_free(names);
	if (!m)
		return NULL;
	m->shown = m->destination;
	m->owner = part->index;
	m->sequence = ++part->sequence;
	return m;
}

struct broker_message *broker_presence_state(
    struct broker_part *part, struct broker_room *room, struct bytes name)
{
	if (!room)
		return make_state(part, NULL, name);
	if (!room->state)
		room->state = make_state(part, room, name);
	return room->state ? broker_message_ref(room->state) : NULL;
}

/* --- life --------------------------------------------------------------------------------------- */

void broker_presence_init(struct broker_part *part)
{
	list_init(&part->restless);
	broker_rooms_init(part);
	broker_tell_init(part);
}

void broker_presence_fini(struct broker_part *part)
{
	broker_rooms_fini(part);
	broker_tell_fini(part);
	mem_free(part->peers);
}
