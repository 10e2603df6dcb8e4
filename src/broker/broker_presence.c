/*
 * broker/broker_presence.c - who is present at the destinations that a part owns, and what is said
 * of it; see broker_presence.h.
 *
 * The first who comes to a room is told of at once. After that, and after somebody has gone, what
 * happens within an interval (a tenth of a second) is one message: so a room of thousands that fills
 * or empties costs its watchers ten messages a second, and who goes and is back in that time, as a
 * page that its next connection replaces, has never been away. Whoever asks gets what was said last, even if
 * more is known by now: then what is said next follows on it, without a hole and nothing twice.
 *
 * Names are bounded in all. Who finds no room for his is counted by sessions, and the rolls say
 * that they are cut.
 */
#include "broker/broker_presence.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"

#define REPORT_MS     100 /* what could not be reported is tried again after it */
#define NAMES_MOST    500   /* of one message about changes; the others come with the next */
#define OCTETS_MOST   16384 /* of these */
#define NAME_MOST     1024  /* octets of one */

struct bytes broker_presence_name(struct bytes destination, char text[PRESENCE_NAME_MAX])
{
	char *end;

	if (destination.n > BROKER_DESTINATION_MAX)
		return (struct bytes){ 0 };
	end = bytes_put(bytes_put(text, BYTES(BROKER_PRESENCE)), destination);
	return (struct bytes){ text, (size_t)(end - text) };
}

/* --- names and rooms ------------------------------------------------------------ */

static struct bytes room_key(const struct map_node *n)
{
	const struct broker_room *r = container_of(n, struct broker_room, node);

	return (struct bytes){ r->name, r->name_len };
}

static struct bytes name_key(const struct map_node *n)
{
	const struct broker_name *name = container_of(n, struct broker_name, node);

	return (struct bytes){ (const char *)&name->room, sizeof(name->room) + name->name_len };
}

static struct bytes text_of(const struct broker_name *name)
{
	return (struct bytes){ name->name, name->name_len };
}

static struct broker_name *find_name(
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

/* NULL: there is no room for it; nor is there for what is no text, which nobody could be told. */
static struct broker_name *add_name(
    struct broker_part *part, struct broker_room *room, struct bytes user)
{
	struct broker_name *name;

	if (user.n > NAME_MOST || !utf8_is_valid(user.p, user.n) || !take_place(part->broker))
		return NULL;
	name = mem_zalloc(sizeof(*name) + user.n);
	if (name) {
		name->room = room;
		name->name_len = (uint16_t)user.n;
		bytes_put(name->name, user);
	}
	if (!name || map_insert(&part->names, &name->node) < 0) {
		give_place_back(part->broker);
		mem_free(name);
		return NULL;
	}
	list_append(&room->users, &name->of_room);
	list_init(&name->changed);
	part->counters.present++;
	return name;
}

static void name_free(struct broker_part *part, struct broker_name *name)
{
	map_remove(&part->names, &name->node);
	list_remove(&name->of_room);
	list_remove(&name->changed);
	part->counters.present--;
	give_place_back(part->broker);
	mem_free(name);
}

struct broker_room *broker_presence_room(struct broker_part *part, struct bytes name)
{
	struct map_node *node = map_find(&part->rooms, name);

	return node ? container_of(node, struct broker_room, node) : NULL;
}

static struct broker_room *add_room(struct broker_part *part, struct bytes name)
{
	struct broker_room *room = mem_zalloc(sizeof(*room) + name.n);

	if (!room)
		return NULL;
	list_init(&room->restless);
	list_init(&room->users);
	list_init(&room->changed);
	room->name_len = (uint16_t)name.n;
	bytes_put(room->name, name);
	if (map_insert(&part->rooms, &room->node) == 0)
		return room;
	mem_free(room);
	return NULL;
}

static void room_free(struct broker_part *part, struct broker_room *room)
{
	struct list *first;

	while ((first = list_first(&room->users)) != NULL)
		name_free(part, container_of(first, struct broker_name, of_room));
	map_remove(&part->rooms, &room->node);
	list_remove(&room->restless);
	broker_message_unref(room->state);
	mem_free(room);
}

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
			names[NAMES_MOST - ++roll->left_count] = text_of(name);
		else
			names[roll->joined_count++] = text_of(name);
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
		if (name->sessions == 0)
			name_free(part, name);
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
	struct broker_roll roll = { .destination = room_key(&room->node) };
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
	room->due = now + part->broker->limits.presence_interval_ms;
	list_append(&part->restless, &room->restless);
}

static struct broker_room *first_restless(const struct broker_part *part)
{
	struct list *first = list_first(&part->restless);

	return first ? container_of(first, struct broker_room, restless) : NULL;
}

static void on_due(struct broker_part *part, struct broker_room *room, uint64_t now)
{
	list_remove(&room->restless);
	if (has_news(room)) {
		say(part, room);
		let_rest(part, room, now);
	} else if (list_empty(&room->users) && room->unnamed == 0 && room->anonymous == 0) {
		room_free(part, room);
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
	broker_presence_tick(part);
}

static void drop_tick(void *part)
{
	(void)part; /* the server has ended, and the part may be gone */
}

/* Those who rest are in the order in which their time is over, for all rest as long. */
void broker_presence_tick(struct broker_part *part)
{
	const struct broker_carrier *carrier = &part->broker->carrier;
	const struct broker_room *room = first_restless(part);
	uint64_t now = clock_now(), due = room ? room->due : now + REPORT_MS;

	if (part->ticks || (!room && list_empty(&part->reports)))
		return;
	part->ticks = carrier->later(carrier->arg, due > now ? (unsigned)(due - now) : 0, on_tick,
	                  drop_tick, part) == 0;
}

/* Who goes is not told of at once: he may be back. */
static void on_change(struct broker_part *part, struct broker_room *room, bool joins)
{
	bool rests = !list_empty(&room->restless);

	if (!rests && joins)
		say(part, room);
	if (!rests)
		let_rest(part, room, clock_now());
	broker_presence_tick(part);
	if (!part->ticks && has_news(room)) /* without memory for a timer it cannot wait */
		say(part, room);
}

/* --- coming and going -------------------------------------------------------------------- */

/* Whether it is there has changed: that is to be said, unless it was not said before it changed. */
static void turn(struct broker_part *part, struct broker_name *name)
{
	struct broker_room *room = name->room;

	if (list_empty(&name->changed))
		list_append(&room->changed, &name->changed);
	else
		list_remove(&name->changed);
	if (name->sessions == 0 && !name->is_said)
		name_free(part, name);
}

static void join(struct broker_part *part, struct broker_room *room, struct bytes user)
{
	struct broker_name *name = find_name(part, room, user);

	if (!name)
		name = add_name(part, room, user);
	if (!name) {
		room->unnamed++;
	} else if (name->sessions++ == 0) {
		room->present++;
		turn(part, name);
	}
}

/* Somebody for whom there was no memory is not known to have come. */
static void leave(struct broker_part *part, struct broker_room *room, struct bytes user)
{
	struct broker_name *name = find_name(part, room, user);

	if (name && name->sessions > 0) {
		if (--name->sessions > 0)
			return;
		room->present--;
		turn(part, name);
	} else if (room->unnamed > 0) {
		room->unnamed--;
	}
}

static void count_anonymous(struct broker_room *room, bool joins)
{
	if (joins)
		room->anonymous++;
	else if (room->anonymous > 0)
		room->anonymous--;
}

void broker_presence_take(struct broker_part *part, const struct broker_report *report)
{
	struct bytes destination = { report->text, report->destination_len },
	             user = { report->text + report->destination_len, report->user_len };
	struct broker_room *room = broker_presence_room(part, destination);

	if (!room && report->joins)
		room = add_room(part, destination);
	if (!room)
		return;
	if (user.n == 0)
		count_anonymous(room, report->joins);
	else if (report->joins)
		join(part, room, user);
	else
		leave(part, room, user);
	if (has_news(room))
		on_change(part, room, report->joins);
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
			names[count++] = text_of(name);
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

/* --- life ---------------------------------------------------------------------------------------
 */

void broker_presence_init(struct broker_part *part)
{
	map_init(&part->rooms, room_key, &part->broker->seed);
	map_init(&part->names, name_key, &part->broker->seed);
	list_init(&part->restless);
}

static bool forget_room(struct map_node *node, void *part)
{
	room_free(part, container_of(node, struct broker_room, node));
	return true;
}

void broker_presence_fini(struct broker_part *part)
{
	map_each(&part->rooms, forget_room, part);
	map_fini(&part->rooms);
	map_fini(&part->names);
}
