/*
 * tests/unit/presence_fixture.c - parts stepped by hand, and who watches them; see
 * presence_fixture.h.
 */
#include "presence_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* --- the carrier ----------------------------------------------------------------------- */

/* `fn` is for a call; else it is a leg of a message, the first one with `order`. */
struct letter {
	struct letter *next;
	void (*fn)(void *arg);
	void (*drop)(void *arg);
	void *arg;
	struct broker_message *m;
	broker_step_fn order, deliver;
};

struct alarm {
	struct alarm *next;
	uint64_t at;
	unsigned part;
	void (*fn)(void *arg);
	void (*drop)(void *arg);
	void *arg;
};

static struct letter *boxes[PARTS];
static struct alarm *alarms;
static uint64_t now;

struct broker *broker;
unsigned parts, messages, said, largest;
int here;
bool post_fails, later_fails, say_fails, is_late;

static int fake_here(void *arg)
{
	(void)arg;
	return here;
}

static void put(unsigned part, struct letter letter)
{
	struct letter *l = malloc(sizeof(*l)), **end = &boxes[part];

	*l = letter;
	l->next = NULL;
	while (*end)
		end = &(*end)->next;
	*end = l;
}

static void spread_from_owner(struct letter l)
{
	l.order(l.m, broker_part(broker, (unsigned)here));
	l.order = NULL;
	for (unsigned i = 0; i < parts; i++)
		if (i != (unsigned)here) {
			broker_message_ref(l.m);
			put(i, l);
		}
	l.deliver(l.m, broker_part(broker, (unsigned)here));
	broker_message_unref(l.m);
}

static int fake_spread(void *arg, unsigned owner, broker_step_fn order, broker_step_fn deliver,
    struct broker_message *m)
{
	struct letter l = { .m = m, .order = order, .deliver = deliver };

	(void)arg;
	ck_assert_int_eq(here, (int)owner); /* who says it owns where it is said */
	if (post_fails)
		return -ENOMEM;
	spread_from_owner(l);
	return 0;
}

static int fake_post(
    void *arg, unsigned part, void (*fn)(void *arg2), void (*drop)(void *arg2), void *arg2)
{
	(void)arg;
	if (post_fails)
		return -ENOMEM;
	put(part, (struct letter){ .fn = fn, .drop = drop, .arg = arg2 });
	return 0;
}

static int fake_later(
    void *arg, unsigned ms, void (*fn)(void *arg2), void (*drop)(void *arg2), void *arg2)
{
	struct alarm *a = malloc(sizeof(*a)), **end = &alarms;

	(void)arg;
	if (later_fails) {
		free(a);
		return -ENOMEM;
	}
	*a = (struct alarm){ NULL, now + ms, (unsigned)here, fn, drop, arg2 };
	while (*end)
		end = &(*end)->next;
	*end = a;
	return 0;
}

static bool fake_is_late(void *arg)
{
	(void)arg;
	return is_late;
}

bool step(unsigned part)
{
	struct letter *l = boxes[part];

	if (!l)
		return false;
	boxes[part] = l->next;
	here = (int)part;
	if (l->fn) {
		l->fn(l->arg);
	} else if (l->order) {
		spread_from_owner(*l);
	} else {
		l->deliver(l->m, broker_part(broker, part));
		broker_message_unref(l->m);
	}
	free(l);
	return true;
}

void settle(void)
{
	for (bool some = true; some;) {
		some = false;
		for (unsigned i = 0; i < parts; i++)
			some |= step(i);
	}
}

/* Time goes on, and what is due is done. */
void pass(unsigned ms)
{
	struct alarm *due = alarms, *next;

	now += ms;
	clock_set(now);
	alarms = NULL;
	for (; due; due = next) {
		struct alarm **end = &alarms;

		next = due->next;
		if (due->at <= now) {
			here = (int)due->part;
			due->fn(due->arg);
			free(due);
			continue;
		}
		while (*end)
			end = &(*end)->next;
		due->next = NULL;
		*end = due;
	}
}

/* --- what is said ---------------------------------------------------------------------- */

struct roll_message {
	struct broker_message base;
	bool is_whole, is_cut;
	size_t count, anonymous;
	struct names joined, left;
	char destination[64];
};

static void free_message(struct broker_message *m)
{
	messages--;
	free(m);
}

static void copy_names(struct names *to, const struct bytes *names, size_t count)
{
	ck_assert_uint_le(count, NAMES_MAX);
	to->count = count;
	for (size_t i = 0; i < count; i++)
		snprintf(to->text[i], sizeof(to->text[i]), "%.*s", (int)names[i].n, names[i].p);
}

static struct broker_message *say(void *arg, const struct broker_roll *roll)
{
	struct roll_message *m = say_fails ? NULL : calloc(1, sizeof(*m));

	(void)arg;
	if (!m)
		return NULL;
	snprintf(m->destination, sizeof(m->destination), "%.*s", (int)roll->destination.n,
	    roll->destination.p);
	broker_message_init(&m->base, bytes_of(m->destination), free_message);
	m->is_whole = roll->is_whole;
	m->is_cut = roll->is_cut;
	m->count = roll->count;
	m->anonymous = roll->anonymous;
	copy_names(&m->joined, roll->joined, roll->joined_count);
	copy_names(&m->left, roll->left, roll->left_count);
	if (roll->joined_count + roll->left_count > largest)
		largest = (unsigned)(roll->joined_count + roll->left_count);
	said += !roll->is_whole;
	messages++;
	return &m->base;
}

/* --- who watches ------------------------------------------------------------------------ */

static size_t find(const struct names *names, const char *name)
{
	size_t i = 0;

	while (i < names->count && strcmp(names->text[i], name) != 0)
		i++;
	return i;
}

bool has(const struct watcher *w, const char *name)
{
	return find(&w->there, name) < w->there.count;
}

static void take(struct watcher *w, const struct roll_message *m)
{
	for (size_t i = 0; i < m->left.count; i++) {
		size_t at = find(&w->there, m->left.text[i]);

		ck_assert_uint_lt(at, w->there.count); /* nobody goes who was not there, */
		memcpy(w->there.text[at], w->there.text[--w->there.count], 16);
	}
	for (size_t i = 0; i < m->joined.count; i++) {
		ck_assert(!has(w, m->joined.text[i])); /* nor comes who is */
		memcpy(w->there.text[w->there.count++], m->joined.text[i], 16);
	}
	w->count = m->count;
	w->anonymous = m->anonymous;
	w->is_cut = m->is_cut;
	ck_assert(m->is_cut || m->count == w->there.count);
}

static void on_deliver(
    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	struct watcher *w = receiver;

	(void)label, (void)fan;
	if (w && w->is_open)
		take(w, (struct roll_message *)m);
}

static const struct broker_ops ops = { .deliver = on_deliver };

void on_answer(void *arg, struct broker_message *const *m, size_t count, bool is_there)
{
	struct watcher *w = arg;

	ck_assert_int_eq(here, (int)w->part);
	w->answers++;
	if (!is_there) {
		ck_assert_uint_eq(count, 0);
		return;
	}
	ck_assert_uint_eq(count, 1);
	ck_assert(((struct roll_message *)m[0])->is_whole);
	w->there.count = 0;
	take(w, (struct roll_message *)m[0]);
	w->is_open = true;
}

void on_drop(void *arg)
{
	(void)arg;
}

/* --- who is there --------------------------------------------------------------------------- */

struct broker_member *join(unsigned part, const char *user)
{
	static unsigned number;
	char name[16];
	struct broker_member *m;

	here = (int)part;
	snprintf(name, sizeof(name), "session%u", number++);
	m = broker_join(broker_part(broker, part), &ops, bytes_of(name), bytes_of(user));
	ck_assert_ptr_nonnull(m);
	return m;
}

struct broker_subscription *attend(struct broker_member *m, const char *destination)
{
	struct broker_subscription *s;

	ck_assert_int_eq(broker_subscribe(m, bytes_of(destination), NULL, 0, &s), 0);
	ck_assert_int_ge(broker_attend(s), 0);
	return s;
}

void watch(struct watcher *w, unsigned part)
{
	here = (int)part;
	w->part = part;
	if (!w->member)
		w->member = join(part, "");
	if (w->sub)
		broker_unsubscribe(w->sub);
	w->is_open = false;
	ck_assert_int_eq(broker_subscribe(w->member, BYTES(SAID_AT), w, 0, &w->sub), 0);
	ck_assert_int_eq(
	    broker_call_roll(broker_part(broker, part), BYTES(TEA), on_answer, on_drop, w), 0);
}

void start(unsigned n, size_t max_present, size_t max_named)
{
	static const struct bytes patterns[] = { { "/topic/rooms/*", 14 }, { "/*/topic/**", 11 } };
	const struct broker_carrier carrier = { .parts = n,
		.here = fake_here,
		.spread = fake_spread,
		.post = fake_post,
		.later = fake_later,
		.is_late = fake_is_late };
	const struct broker_limits limits = { .presence = patterns,
		.presence_count = 2,
		.max_present = max_present,
		.max_named = max_named,
		.presence_interval_ms = 100,
		.say = say };

	parts = n;
	here = 0;
	messages = said = largest = 0;
	post_fails = later_fails = say_fails = is_late = false;
	now = 1000;
	clock_set(now);
	broker = broker_new(&carrier, '/', &limits);
	ck_assert_ptr_nonnull(broker);
}

uint64_t present(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < parts; i++)
		sum += broker_counters(broker_part(broker, i))->present;
	return sum;
}

/* Nothing is under way any more. */
void calm_down(void)
{
	settle();
	for (int i = 0; i < 20; i++) {
		pass(100);
		settle();
	}
}

/* Everybody has left: nothing is left of them, not even a timer. */
void stop(void)
{
	calm_down();
	ck_assert_uint_eq(present(), 0);
	ck_assert_ptr_null(alarms);
	broker_free(broker);
	ck_assert_uint_eq(messages, 0);
	clock_set(0);
}

void leave_watcher(struct watcher *w)
{
	here = (int)w->part;
	broker_leave(w->member);
	*w = (struct watcher){ 0 };
}

struct watcher watchers[WATCHERS];

void setup(void)
{
	memset(watchers, 0, sizeof(watchers));
}
