/*
 * tests/unit/test_broker_presence.c - presence: whoever watches knows in the end who is there, from
 * a state and what follows on it, without a hole and nothing twice, whatever the parts do before or
 * after one another; and what it costs is bounded.
 *
 * The parts are threads that the test steps by hand; its clock, too.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker.h"

enum { PARTS = 3, USERS = 8, WATCHERS = 6, MEMBERS = 16, NAMES_MAX = 3000 };

#define TEA     "/topic/rooms/tea"
#define SAID_AT BROKER_PRESENCE TEA

/* --- the engine ----------------------------------------------------------------------- */

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
static struct broker *broker;
static unsigned parts, messages, said, largest;
static int here;
static uint64_t now;
static bool post_fails, later_fails, say_fails, is_late;

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

static bool step(unsigned part)
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

static void settle(void)
{
	for (bool some = true; some;) {
		some = false;
		for (unsigned i = 0; i < parts; i++)
			some |= step(i);
	}
}

/* Time goes on, and what is due is done. */
static void pass(unsigned ms)
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

struct names {
	size_t count;
	char text[NAMES_MAX][16];
};

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

struct watcher {
	struct broker_member *member;
	struct broker_subscription *sub;
	unsigned part;
	bool is_open, is_cut;
	struct names there;
	size_t count, anonymous;
	unsigned answers;
};

static size_t find(const struct names *names, const char *name)
{
	size_t i = 0;

	while (i < names->count && strcmp(names->text[i], name) != 0)
		i++;
	return i;
}

static bool has(const struct watcher *w, const char *name)
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

static void on_answer(void *arg, struct broker_message *const *m, size_t count, bool is_there)
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

static void drop(void *arg)
{
	(void)arg;
}

/* --- who is there --------------------------------------------------------------------------- */

static struct broker_member *join(unsigned part, const char *user)
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

static struct broker_subscription *attend(struct broker_member *m, const char *destination)
{
	struct broker_subscription *s;

	ck_assert_int_eq(broker_subscribe(m, bytes_of(destination), NULL, 0, &s), 0);
	ck_assert_int_ge(broker_attend(s), 0);
	return s;
}

static void watch(struct watcher *w, unsigned part)
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
	    broker_call_roll(broker_part(broker, part), BYTES(TEA), on_answer, drop, w), 0);
}

static void start(unsigned n, size_t max_present, size_t max_named)
{
	static const struct bytes patterns[] = { { "/topic/rooms/*", 14 }, { "/*/topic/**", 11 } };
	const struct broker_engine engine = { .parts = n,
		.here = fake_here,
		.spread = fake_spread,
		.post = fake_post,
		.later = fake_later,
		.is_late = fake_is_late };
	const struct broker_limits limits = { .presence = patterns,
		.presence_count = 2,
		.max_present = max_present,
		.max_named = max_named,
		.say = say };

	parts = n;
	here = 0;
	messages = said = largest = 0;
	post_fails = later_fails = say_fails = is_late = false;
	now = 1000;
	clock_set(now);
	broker = broker_new(&engine, '/', &limits);
	ck_assert_ptr_nonnull(broker);
}

static uint64_t present(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < parts; i++)
		sum += broker_counters(broker_part(broker, i))->present;
	return sum;
}

/* Nothing is under way any more. */
static void calm_down(void)
{
	settle();
	for (int i = 0; i < 20; i++) {
		pass(100);
		settle();
	}
}

/* Everybody has left: nothing is left of them, not even a timer. */
static void stop(void)
{
	calm_down();
	ck_assert_uint_eq(present(), 0);
	ck_assert_ptr_null(alarms);
	broker_free(broker);
	ck_assert_uint_eq(messages, 0);
	clock_set(0);
}

static void leave_watcher(struct watcher *w)
{
	here = (int)w->part;
	broker_leave(w->member);
	*w = (struct watcher){ 0 };
}

static struct watcher watchers[WATCHERS];

static void setup(void)
{
	memset(watchers, 0, sizeof(watchers));
}

/* --- tests ---------------------------------------------------------------------------------- */

START_TEST(a_user_is_there_from_its_first_subscription_to_its_last)
{
	struct watcher *w = &watchers[0];
	struct broker_subscription *s[3];
	struct broker_member *a, *b;

	start(1, 100, 100);
	watch(w, 0);
	settle();
	a = join(0, "ann");
	b = join(0, "ann");
	s[0] = attend(a, TEA);
	s[1] = attend(a, TEA);
	s[2] = attend(b, TEA);
	ck_assert(has(w, "ann")); /* at once */
	ck_assert_uint_eq(present(), 1);
	broker_unsubscribe(s[0]);
	broker_unsubscribe(s[2]);
	calm_down();
	ck_assert_uint_eq(said, 1);
	broker_unsubscribe(s[1]);
	ck_assert(has(w, "ann")); /* it might be back */
	pass(100);
	ck_assert(!has(w, "ann"));
	broker_leave(a);
	broker_leave(b);
	leave_watcher(w);
	stop();
}
END_TEST

START_TEST(other_subscriptions_make_nobody_present)
{
	struct broker_member *m;

	start(1, 100, 100);
	m = join(0, "ann");
	attend(m, "/topic/rooms/*");
	attend(m, "/topic/other");
	attend(m, "/user/topic/rooms/tea");
	ck_assert_uint_eq(present(), 0);
	ck_assert(broker_has_presence(broker, BYTES(TEA)));
	ck_assert(!broker_has_presence(broker, BYTES("/topic/rooms/*")));
	ck_assert(!broker_has_presence(broker, BYTES("/topic/rooms")));
	ck_assert(!broker_has_presence(broker, BYTES("")));
	ck_assert(!broker_has_presence(broker, BYTES(SAID_AT)));
	ck_assert(broker_has_presence(broker, BYTES("/presences/topic/rooms/tea")));
	ck_assert_int_eq(broker_call_roll(broker_part(broker, 0), BYTES("/topic/other"), on_answer,
	                     drop, &watchers[0]),
	    -EINVAL);
	broker_leave(m);
	stop();
}
END_TEST

/* "/presence" and it would be longer than a destination may be: nobody could ask. */
START_TEST(where_it_could_not_be_said_none_is_kept)
{
	char name[BROKER_DESTINATION_MAX];

	start(1, 100, 100);
	memset(name, 'x', sizeof(name));
	memcpy(name, "/topic/rooms/", 13);
	ck_assert(!broker_has_presence(broker, (struct bytes){ name, sizeof(name) }));
	ck_assert(!broker_has_presence(broker, (struct bytes){ name, sizeof(name) - 8 }));
	ck_assert(broker_has_presence(broker, (struct bytes){ name, sizeof(name) - 9 }));
	stop();
}
END_TEST

START_TEST(a_thousand_who_come_and_go_cost_a_few_messages)
{
	static struct broker_member *crowd[2000];
	struct watcher *w = &watchers[0];
	char user[16];

	start(1, 10000, 10000);
	watch(w, 0);
	settle();
	for (int i = 0; i < 2000; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		crowd[i] = join(0, user);
		attend(crowd[i], TEA);
	}
	calm_down();
	ck_assert_uint_eq(w->there.count, 2000);
	ck_assert_uint_le(said, 6);
	ck_assert_uint_le(largest, 500);
	for (int i = 0; i < 2000; i++)
		broker_leave(crowd[i]);
	calm_down();
	ck_assert_uint_eq(w->there.count, 0);
	ck_assert_uint_le(said, 11);
	leave_watcher(w);
	stop();
}
END_TEST

START_TEST(who_comes_and_goes_all_the_time_is_said_ten_times_a_second)
{
	struct watcher *w = &watchers[0];
	struct broker_member *m;

	start(1, 100, 100);
	watch(w, 0);
	settle();
	m = join(0, "ann");
	for (int i = 0; i < 1000; i++) {
		struct broker_subscription *s = attend(m, TEA);

		pass(1);
		broker_unsubscribe(s);
		pass(1);
	}
	ck_assert_uint_le(said, 21);
	broker_leave(m);
	leave_watcher(w);
	stop();
}
END_TEST

START_TEST(who_asks_gets_what_was_said_last_and_the_rest_follows)
{
	struct broker_member *a, *b;
	struct watcher *w = &watchers[0];

	start(1, 100, 100);
	a = join(0, "ann");
	b = join(0, "bob");
	attend(a, TEA);
	attend(b, TEA); /* within the tenth of a second: not said yet */
	watch(w, 0);
	settle();
	ck_assert(has(w, "ann") && !has(w, "bob"));
	ck_assert_uint_eq(w->count, 1);
	pass(100);
	ck_assert(has(w, "bob"));
	broker_leave(a);
	broker_leave(b);
	leave_watcher(w);
	stop();
}
END_TEST

START_TEST(many_who_ask_get_one_message)
{
	struct broker_member *a;

	start(1, 100, 100);
	a = join(0, "ann");
	attend(a, TEA);
	for (int i = 0; i < WATCHERS; i++) {
		watch(&watchers[i], 0);
	}
	settle();
	ck_assert_uint_eq(messages, 1);
	for (int i = 0; i < WATCHERS; i++)
		ck_assert(has(&watchers[i], "ann"));
	broker_leave(a);
	for (int i = 0; i < WATCHERS; i++)
		leave_watcher(&watchers[i]);
	stop();
}
END_TEST

START_TEST(the_silent_are_gone_until_they_are_heard)
{
	struct watcher *w = &watchers[0];
	struct broker_subscription *s;
	struct broker_member *m;

	start(1, 100, 100);
	watch(w, 0);
	settle();
	m = join(0, "ann");
	attend(m, TEA);
	s = attend(m, TEA);
	ck_assert_int_eq(broker_set_silent(m, true), 0);
	ck_assert_int_eq(broker_set_silent(m, true), 0);
	calm_down();
	ck_assert(!has(w, "ann"));
	broker_unsubscribe(s);
	s = attend(m, "/topic/rooms/coffee"); /* in silence */
	ck_assert_uint_eq(present(), 0);
	ck_assert_int_eq(broker_set_silent(m, false), 0);
	ck_assert_uint_eq(present(), 2);
	calm_down();
	ck_assert(has(w, "ann"));
	ck_assert_int_eq(broker_set_silent(m, true), 0);
	broker_leave(m);
	leave_watcher(w);
	stop();
}
END_TEST

START_TEST(beyond_the_bound_users_are_counted_only)
{
	struct broker_member *m[6];
	struct watcher *w = &watchers[0], *late = &watchers[1];
	char user[16];

	start(1, 4, 2);
	watch(w, 0);
	settle();
	for (int i = 0; i < 6; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		m[i] = join(0, user);
		attend(m[i], TEA);
	}
	calm_down();
	ck_assert_uint_eq(present(), 4);
	ck_assert_uint_eq(w->there.count, 4);
	ck_assert_uint_eq(w->count, 6);
	ck_assert(w->is_cut);
	watch(late, 0);
	settle();
	ck_assert_uint_eq(late->there.count, 2);
	ck_assert_uint_eq(late->count, 6);
	ck_assert(late->is_cut);
	leave_watcher(late);
	broker_leave(m[5]);
	broker_leave(m[4]);
	calm_down();
	ck_assert_uint_eq(w->count, 4);
	ck_assert(!w->is_cut);
	for (int i = 0; i < 4; i++)
		broker_leave(m[i]);
	calm_down();
	ck_assert_uint_eq(w->count, 0);
	leave_watcher(w);
	stop();
}
END_TEST

START_TEST(what_is_no_text_or_too_long_is_counted_only)
{
	char name[1026];
	struct broker_member *m[3];
	struct watcher *w = &watchers[0];

	start(1, 100, 100);
	watch(w, 0);
	settle();
	memset(name, 'x', sizeof(name));
	name[1025] = '\0';
	m[0] = join(0, name);
	m[1] = join(0, "\xff\xfe");
	m[2] = join(0, "ann");
	for (int i = 0; i < 3; i++)
		attend(m[i], TEA);
	calm_down();
	ck_assert_uint_eq(w->count, 3);
	ck_assert_uint_eq(w->there.count, 1);
	for (int i = 0; i < 3; i++)
		broker_leave(m[i]);
	calm_down();
	ck_assert_uint_eq(w->count, 0);
	leave_watcher(w);
	stop();
}
END_TEST

/* --- pages -------------------------------------------------------------------------------- */

static char listed[1000];
static bool has_more;

static void on_page(void *arg, const struct broker_page *page)
{
	size_t n = 0;

	*(bool *)arg = true;
	listed[0] = '\0';
	for (size_t i = 0; i < page->count; i++)
		n += (size_t)snprintf(listed + n, sizeof(listed) - n, "%.*s:%zu ",
		    (int)page->users[i].user.n, page->users[i].user.p, page->users[i].sessions);
	snprintf(listed + n, sizeof(listed) - n, "of %zu and %zu", page->all, page->anonymous);
	has_more = page->has_more;
}

static const char *list(const char *after, size_t limit)
{
	bool is_answered = false;

	here = 0;
	ck_assert_int_eq(broker_list_present(broker_part(broker, 0), BYTES(TEA), bytes_of(after),
	                     limit, on_page, drop, &is_answered),
	    0);
	settle();
	ck_assert(is_answered);
	return listed;
}

START_TEST(pages_are_in_the_order_of_names)
{
	static const char *const users[] = { "d", "b", "bb", "a", "c", "b", "" };
	struct broker_member *m[7];

	start(PARTS, 100, 100);
	ck_assert_str_eq(list("", 10), "of 0 and 0");
	for (unsigned i = 0; i < 7; i++) {
		m[i] = join(i % PARTS, users[i]);
		attend(m[i], TEA);
	}
	settle();
	ck_assert_str_eq(list("", 10), "a:1 b:2 bb:1 c:1 d:1 of 5 and 1");
	ck_assert(!has_more);
	ck_assert_str_eq(list("", 2), "a:1 b:2 of 5 and 1");
	ck_assert(has_more);
	ck_assert_str_eq(list("b", 2), "bb:1 c:1 of 5 and 1");
	ck_assert(has_more);
	ck_assert_str_eq(list("c", 1), "d:1 of 5 and 1");
	ck_assert(!has_more);
	here = 0;
	broker_leave(m[0]); /* as it is, not as it was said */
	settle();
	ck_assert_str_eq(list("bb", 5), "c:1 of 4 and 1");
	for (unsigned i = 1; i < 7; i++) {
		here = (int)(i % PARTS);
		broker_leave(m[i]);
	}
	stop();
}
END_TEST

/* --- chance ---------------------------------------------------------------------------------- */

static uint64_t dice_state;

static unsigned dice(unsigned n)
{
	dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(dice_state >> 33) % n;
}

struct guest {
	struct broker_member *member;
	struct broker_subscription *subs[3];
	unsigned part, user;
	bool is_silent;
};

static struct guest guests[MEMBERS];

static bool is_there(unsigned user)
{
	for (unsigned i = 0; i < MEMBERS; i++)
		for (unsigned j = 0; j < 3 && guests[i].member; j++)
			if (guests[i].user == user && guests[i].subs[j] && !guests[i].is_silent)
				return true;
	return false;
}

static size_t nobodies(void)
{
	size_t count = 0;

	for (unsigned i = 0; i < MEMBERS; i++) {
		const struct guest *g = &guests[i];

		count += g->member && g->user == 0 && !g->is_silent &&
		         (g->subs[0] || g->subs[1] || g->subs[2]);
	}
	return count;
}

static void act(struct guest *g)
{
	unsigned what = dice(10);

	here = (int)g->part;
	if (!g->member) {
		char user[16] = "";

		*g = (struct guest){ .part = dice(parts), .user = dice(USERS) };
		if (g->user > 0)
			snprintf(user, sizeof(user), "user%u", g->user);
		g->member = join(g->part, user);
	} else if (what == 0) {
		broker_leave(g->member);
		g->member = NULL;
	} else if (what <= 2) {
		if (broker_set_silent(g->member, !g->is_silent) == 0)
			g->is_silent = !g->is_silent;
	} else if (g->subs[what % 3]) {
		broker_unsubscribe(g->subs[what % 3]);
		g->subs[what % 3] = NULL;
	} else {
		g->subs[what % 3] = attend(g->member, TEA);
	}
}

static void check_watcher(const struct watcher *w)
{
	char user[16];
	size_t count = 0;

	ck_assert(w->is_open);
	for (unsigned i = 1; i < USERS; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		ck_assert_msg(
		    has(w, user) == is_there(i), "%s: %d %d", user, has(w, user), is_there(i));
		count += is_there(i);
	}
	ck_assert_uint_eq(w->count, count);
	ck_assert_uint_eq(w->anonymous, nobodies());
}

/* Even when there is no memory now and then. */
static void live_a_while(bool with_failures)
{
	for (int i = 0; i < 3000; i++) {
		unsigned what = dice(20);

		post_fails = later_fails = say_fails = false;
		if (what == 0) {
			struct watcher *w = &watchers[dice(WATCHERS)];

			watch(w, w->member ? w->part : dice(parts));
		} else if (with_failures && what < 5) {
			post_fails = dice(2);
			later_fails = dice(2);
			say_fails = dice(2);
			pass(dice(60));
			act(&guests[dice(MEMBERS)]);
		} else if (what < 8) {
			pass(dice(60));
		} else if (what < 14) {
			act(&guests[dice(MEMBERS)]);
		} else {
			step(dice(parts));
		}
		is_late = dice(2);
	}
	post_fails = later_fails = say_fails = false;
}

static void leave_all(void)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		here = (int)guests[i].part;
		if (guests[i].member)
			broker_leave(guests[i].member);
		guests[i].member = NULL;
	}
	for (int i = 0; i < WATCHERS; i++)
		if (watchers[i].member)
			leave_watcher(&watchers[i]);
}

/* What could not be said for want of memory is said when something happens again. */
static void wake_all(void)
{
	for (unsigned i = 0; i < parts; i++) {
		struct broker_member *m = join(i, "waker");

		attend(m, TEA);
		settle();
		here = (int)i;
		broker_leave(m);
	}
}

START_TEST(by_whatever_chance_all_watchers_know_in_the_end_who_is_there)
{
	for (unsigned seed = 0; seed < 20; seed++) {
		dice_state = (unsigned)_i * 1000 + seed;
		start(_i % 2 ? PARTS : 1, 100, 100);
		live_a_while(_i >= 2);
		wake_all();
		calm_down();
		for (int i = 0; i < WATCHERS; i++)
			if (watchers[i].member && watchers[i].is_open)
				check_watcher(&watchers[i]);
		leave_all();
		wake_all();
		stop();
	}
}
END_TEST

/* --- memory ------------------------------------------------------------------------------------
 */

START_TEST(without_memory_nobody_comes_but_whoever_came_can_go)
{
	struct watcher *w = &watchers[0];
	struct broker_subscription *s;
	struct broker_member *m;

	start(1, 100, 100);
	watch(w, 0);
	settle();
	m = join(0, "ann");
	for (unsigned i = 1;; i++) {
		int err = -ENOMEM;

		ck_assert_int_eq(broker_subscribe(m, BYTES(TEA), NULL, 0, &s), 0);
		mem_fail_at(i);
		err = broker_attend(s);
		if (!mem_failed() && err == 1) {
			mem_fail_at(0);
			break;
		}
		mem_fail_at(1); /* and none to leave */
		broker_unsubscribe(s);
		mem_fail_at(0);
		calm_down();
		ck_assert_uint_eq(present(), 0);
		ck_assert_uint_eq(w->count, 0);
	}
	broker_leave(m);
	leave_watcher(w);
	stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker_presence");
	TCase *tc = tcase_create("presence");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_user_is_there_from_its_first_subscription_to_its_last);
	tcase_add_test(tc, other_subscriptions_make_nobody_present);
	tcase_add_test(tc, where_it_could_not_be_said_none_is_kept);
	tcase_add_test(tc, a_thousand_who_come_and_go_cost_a_few_messages);
	tcase_add_test(tc, who_comes_and_goes_all_the_time_is_said_ten_times_a_second);
	tcase_add_test(tc, who_asks_gets_what_was_said_last_and_the_rest_follows);
	tcase_add_test(tc, many_who_ask_get_one_message);
	tcase_add_test(tc, the_silent_are_gone_until_they_are_heard);
	tcase_add_test(tc, beyond_the_bound_users_are_counted_only);
	tcase_add_test(tc, what_is_no_text_or_too_long_is_counted_only);
	tcase_add_test(tc, pages_are_in_the_order_of_names);
	tcase_add_loop_test(tc, by_whatever_chance_all_watchers_know_in_the_end_who_is_there, 0, 4);
	tcase_add_test(tc, without_memory_nobody_comes_but_whoever_came_can_go);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
