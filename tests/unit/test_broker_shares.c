/*
 * Presence over several brokers: whoever watches at any of them knows in the end who is there at all, without a
 * hole and nothing twice, whatever becomes of what they say to each other: it is lost, comes twice, or late; and
 * brokers go, come back, and are cut off. Brokers of two parts each, a clock and a network stepped by hand.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/broker_words.h"

#define TEA     "/topic/rooms/tea"
#define SAID_AT BROKER_PRESENCE TEA

enum { GATEWAYS = 3, PARTS = 2, GUESTS = 12, USERS = 7, NAMES_MAX = 4000 };

/* --- who is there, by this test ------------------------------------------------------------------ */

struct guest {
	struct broker_member *member;
	struct broker_subscription *sub;
	unsigned user;
};

struct watcher {
	struct broker_member *member;
	struct broker_subscription *sub;
	bool is_open, is_cut;
	size_t names, count, anonymous, first; /* the first: of the state */
	char (*there)[16];
};

struct gateway {
	struct broker *broker;
	uint64_t id;
	unsigned index;
	bool listens;
	struct guest guests[GUESTS];
	struct watcher watcher;
};

static struct gateway gateways[GATEWAYS];
static unsigned count; /* of these */
static struct gateway *at; /* whose thread runs, */
static int here;           /* in this part */
static uint64_t now, ids;
static size_t max_present;
static unsigned messages, packets, asks, states;
static bool later_fails;

/* --- mail, alarms, packets ----------------------------------------------------------------------- */

enum kind { CALL, LEG, ALARM, PACKET };

struct item {
	struct item *next;
	enum kind kind;
	uint64_t due;
	struct gateway *to;
	unsigned part;
	void (*fn)(void *arg);
	void (*drop)(void *arg);
	void *arg;
	struct broker_message *m;
	broker_step_fn deliver;
	uint64_t id, from; /* of packets: of whom it is for when it was sent, and who has sent it */
	size_t destination_len, words_len;
	char text[];
};

static struct item *items;

static struct item *put(struct item like, struct bytes destination, struct bytes words)
{
	struct item *i = malloc(sizeof(*i) + destination.n + words.n), **end = &items;

	*i = like;
	i->next = NULL;
	i->destination_len = destination.n;
	i->words_len = words.n;
	bytes_put(bytes_put(i->text, destination), words);
	while (*end)
		end = &(*end)->next;
	*end = i;
	return i;
}

static int fake_here(void *arg)
{
	(void)arg;
	return here;
}

static int fake_spread(void *arg, unsigned owner, broker_step_fn order, broker_step_fn deliver,
    struct broker_message *m)
{
	struct gateway *g = arg;

	ck_assert(g == at && here == (int)owner);
	order(m, broker_part(g->broker, owner));
	for (unsigned i = 0; i < PARTS; i++)
		if (i != owner) {
			broker_message_ref(m);
			put((struct item){ .kind = LEG, .to = g, .part = i, .m = m, .deliver = deliver }, BYTES(""),
			    BYTES(""));
		}
	deliver(m, broker_part(g->broker, owner));
	broker_message_unref(m);
	return 0;
}

static int fake_post(void *arg, unsigned part, void (*fn)(void *arg2), void (*drop)(void *arg2), void *arg2)
{
	put((struct item){ .kind = CALL, .to = arg, .part = part, .fn = fn, .drop = drop, .arg = arg2 }, BYTES(""),
	    BYTES(""));
	return 0;
}

static int fake_later(
    void *arg, unsigned ms, void (*fn)(void *arg2), void (*drop)(void *arg2), void *arg2)
{
	if (later_fails)
		return -ENOMEM;
	put((struct item){ .kind = ALARM, .due = now + ms, .to = arg, .part = (unsigned)here, .fn = fn, .drop = drop,
	        .arg = arg2 },
	    BYTES(""), BYTES(""));
	return 0;
}

static bool fake_is_late(void *arg)
{
	(void)arg;
	return false;
}

/* --- the network ------------------------------------------------------------------------------------ */

static uint64_t dice_state;
static unsigned loss, repeat, disorder; /* of a hundred */
static bool is_cut[GATEWAYS][GATEWAYS];

static unsigned dice(unsigned n)
{
	dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(dice_state >> 33) % n;
}

static void send_to(struct gateway *to, const struct gateway *from, struct bytes destination, struct bytes words)
{
	struct item like = { .kind = PACKET, .to = to, .id = to->id, .from = from->id };

	if (is_cut[from->index][to->index] || dice(100) < loss)
		return;
	like.due = now + (dice(100) < disorder ? dice(300) : 0);
	put(like, destination, words);
	if (dice(100) < repeat) {
		like.due = now + dice(2000);
		put(like, destination, words);
	}
}

static int fake_say(void *arg, unsigned part, struct bytes destination, uint64_t peer, struct bytes words)
{
	const struct gateway *from = arg;

	ck_assert_uint_lt(part, PARTS);
	ck_assert_uint_le(words.n, 40000);
	packets++;
	asks += words.p[0] == BROKER_WORD_ASK;
	states += words.p[0] == BROKER_WORD_STATE;
	for (unsigned i = 0; i < count; i++) {
		struct gateway *to = &gateways[i];

		if (to != from && to->broker &&
		    (peer == BROKER_ALL_PEERS || (peer == BROKER_LISTENERS ? to->listens : to->id == peer)))
			send_to(to, from, destination, words);
	}
	return 0;
}

static void run_heard(void *arg)
{
	struct gateway *g = arg;

	broker_is_heard(broker_part(g->broker, (unsigned)here), BYTES(TEA));
}

static void nothing(void *arg)
{
	(void)arg;
}

static int fake_interest(void *arg, unsigned part, struct bytes destination, bool begins)
{
	struct gateway *g = arg;

	if (!bytes_equal(destination, BYTES(TEA)))
		return 0;
	ck_assert(g->listens != begins);
	g->listens = begins;
	return begins ? fake_post(arg, part, run_heard, nothing, g) : 0;
}

static void take_packet(const struct item *i)
{
	struct bytes destination = { i->text, i->destination_len },
	             words = { i->text + i->destination_len, i->words_len };

	if (i->to->id != i->id) /* it has ended since */
		return;
	for (unsigned p = 0; p < PARTS; p++) {
		here = (int)p;
		if (destination.n == 0 || broker_presence_owner(i->to->broker, destination) == p)
			broker_hear(broker_part(i->to->broker, p), i->from, destination, words);
	}
}

static void run_item(struct item *i)
{
	at = i->to;
	here = (int)i->part;
	if (i->kind == PACKET) {
		take_packet(i);
	} else if (i->kind == LEG) {
		i->deliver(i->m, broker_part(at->broker, i->part));
		broker_message_unref(i->m);
	} else {
		i->fn(i->arg);
	}
	free(i);
}

/* What is due, in order; what came into being meanwhile, too. */
static void settle(void)
{
	struct item **i = &items;

	while (*i) {
		struct item *one = *i;

		if (one->due > now) {
			i = &one->next;
			continue;
		}
		*i = one->next;
		run_item(one);
		i = &items;
	}
}

static void pass(unsigned ms)
{
	for (; ms > 0; ms -= ms < 20 ? ms : 20) {
		now += ms < 20 ? ms : 20;
		clock_set(now);
		settle();
	}
}

/* --- what is said ------------------------------------------------------------------------------------- */

struct roll_message {
	struct broker_message base;
	bool is_whole, is_cut;
	size_t count, anonymous, joined, left;
	char names[][16];
};

static void free_message(struct broker_message *m)
{
	messages--;
	free(container_of(m, struct roll_message, base));
}

static struct broker_message *say(void *arg, const struct broker_roll *roll)
{
	size_t all = roll->joined_count + roll->left_count;
	struct roll_message *m = calloc(1, sizeof(*m) + all * 16);

	(void)arg;
	broker_message_init(&m->base, BYTES(SAID_AT), free_message);
	m->is_whole = roll->is_whole;
	m->is_cut = roll->is_cut;
	m->count = roll->count;
	m->anonymous = roll->anonymous;
	m->joined = roll->joined_count;
	m->left = roll->left_count;
	for (size_t i = 0; i < all; i++) {
		struct bytes name = i < m->joined ? roll->joined[i] : roll->left[i - m->joined];

		snprintf(m->names[i], 16, "%.*s", (int)name.n, name.p);
	}
	messages++;
	return &m->base;
}

static size_t find(const struct watcher *w, const char *name)
{
	size_t i = 0;

	while (i < w->names && strcmp(w->there[i], name) != 0)
		i++;
	return i;
}

static void take(struct watcher *w, const struct roll_message *m)
{
	for (size_t i = 0; i < m->left; i++) {
		size_t place = find(w, m->names[m->joined + i]);

		ck_assert_uint_lt(place, w->names); /* nobody goes who was not there, */
		memmove(w->there[place], w->there[--w->names], 16);
	}
	for (size_t i = 0; i < m->joined; i++) {
		ck_assert(find(w, m->names[i]) == w->names); /* nor comes who is */
		ck_assert_uint_lt(w->names, NAMES_MAX);
		memcpy(w->there[w->names++], m->names[i], 16);
	}
	w->count = m->count;
	w->anonymous = m->anonymous;
	w->is_cut = m->is_cut;
	ck_assert(m->is_cut || m->count == w->names);
}

static void on_deliver(void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	struct watcher *w = receiver;

	(void)label, (void)fan;
	if (w && w->is_open)
		take(w, (struct roll_message *)m);
}

static const struct broker_ops ops = { .deliver = on_deliver };

static void on_answer(void *arg, struct broker_message *const *m, size_t n, bool is_there)
{
	struct watcher *w = arg;

	if (!is_there || !w->member)
		return;
	ck_assert_uint_eq(n, 1);
	w->names = 0;
	take(w, (struct roll_message *)m[0]);
	w->first = w->names;
	w->is_open = true;
}

/* --- gateways -------------------------------------------------------------------------------------------- */

static void begin(struct gateway *g)
{
	static const struct bytes pattern = { "/topic/rooms/*", 14 };
	const struct broker_carrier carrier = { .parts = PARTS,
		.here = fake_here,
		.spread = fake_spread,
		.post = fake_post,
		.later = fake_later,
		.is_late = fake_is_late,
		.arg = g };
	const struct broker_limits limits = { .presence = &pattern,
		.presence_count = 1,
		.max_present = max_present,
		.max_named = 100000,
		.presence_interval_ms = 100,
		.say = say };
	const struct broker_peers peers = { .roll_interest = fake_interest, .say = fake_say, .arg = g };

	g->id = ++ids;
	g->listens = false;
	g->broker = broker_new(&carrier, '/', &limits);
	ck_assert_ptr_nonnull(g->broker);
	broker_use_peers(g->broker, &peers);
}

static void each_part(struct gateway *g, void (*fn)(struct broker_part *part, uint64_t peer), uint64_t peer)
{
	at = g;
	for (unsigned i = 0; i < PARTS && g->broker; i++) {
		here = (int)i;
		fn(broker_part(g->broker, i), peer);
	}
}

static void is_there(struct broker_part *part, uint64_t peer)
{
	broker_note_peer(part, peer, true);
}

static void is_gone(struct broker_part *part, uint64_t peer)
{
	broker_note_peer(part, peer, false);
}

static void say_digest(struct broker_part *part, uint64_t peer)
{
	(void)peer;
	broker_say_digest(part);
}

/* As the hub does it when beats are heard. */
static void meet(struct gateway *one, struct gateway *other)
{
	each_part(one, is_there, other->id);
	each_part(other, say_digest, 0);
}

static void start(unsigned n, size_t most)
{
	memset(gateways, 0, sizeof(gateways));
	memset(is_cut, 0, sizeof(is_cut));
	count = n;
	max_present = most;
	loss = repeat = disorder = 0;
	later_fails = false;
	messages = packets = asks = states = 0;
	now = 10000;
	clock_set(now);
	for (unsigned i = 0; i < n; i++) {
		gateways[i].index = i;
		gateways[i].watcher.there = calloc(NAMES_MAX, 16);
		begin(&gateways[i]);
	}
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < n; j++)
			if (i != j)
				meet(&gateways[i], &gateways[j]);
}

static void unwatch(struct gateway *g)
{
	struct watcher *w = &g->watcher;

	at = g;
	here = 0;
	if (w->member)
		broker_leave(w->member);
	w->member = NULL;
	w->sub = NULL;
	w->is_open = false;
}

static struct broker_member *join(struct gateway *g, unsigned part, const char *user)
{
	static unsigned number;
	char name[24];
	struct broker_member *m;

	at = g;
	here = (int)part;
	snprintf(name, sizeof(name), "session%u", number++);
	m = broker_join(broker_part(g->broker, part), &ops, bytes_of(name), bytes_of(user));
	ck_assert_ptr_nonnull(m);
	return m;
}

static void watch(struct gateway *g)
{
	struct watcher *w = &g->watcher;

	unwatch(g);
	w->member = join(g, 0, "");
	ck_assert_int_eq(broker_subscribe(w->member, BYTES(SAID_AT), w, 0, &w->sub), 0);
	ck_assert_int_eq(broker_call_roll(broker_part(g->broker, 0), BYTES(TEA), on_answer, nothing, w), 0);
}

static void come(struct gateway *g, struct guest *guest, unsigned user)
{
	char name[16] = "";

	if (user > 0)
		snprintf(name, sizeof(name), "user%u", user);
	guest->user = user;
	guest->member = join(g, (unsigned)(guest - g->guests) % PARTS, name);
	ck_assert_int_eq(broker_subscribe(guest->member, BYTES(TEA), NULL, 0, &guest->sub), 0);
	ck_assert_int_eq(broker_attend(guest->sub), 1);
}

static void go(struct gateway *g, struct guest *guest)
{
	at = g;
	here = (int)((guest - g->guests) % PARTS);
	if (guest->member)
		broker_leave(guest->member);
	guest->member = NULL;
}

/* Nobody hears of it. */
static void end(struct gateway *g)
{
	struct item **i = &items;

	for (unsigned k = 0; k < count; k++)
		is_cut[g->index][k] = true;
	unwatch(g);
	for (unsigned k = 0; k < GUESTS; k++)
		go(g, &g->guests[k]);
	while (*i) {
		struct item *one = *i;

		if (one->to != g) {
			i = &one->next;
			continue;
		}
		*i = one->next;
		if (one->kind == LEG)
			broker_message_unref(one->m);
		else if (one->kind != PACKET)
			one->drop(one->arg);
		free(one);
	}
	broker_free(g->broker);
	g->broker = NULL;
	g->listens = false;
}

static void stop(void)
{
	for (unsigned i = 0; i < count; i++) {
		end(&gateways[i]);
		free(gateways[i].watcher.there);
	}
	ck_assert_ptr_null(items);
	ck_assert_uint_eq(messages, 0);
	clock_set(0);
}

/* --- the truth ----------------------------------------------------------------------------------------------- */

static size_t sessions_of(unsigned user)
{
	size_t n = 0;

	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < GUESTS; k++)
			n += gateways[i].guests[k].member && gateways[i].guests[k].user == user;
	return n;
}

static void check_watcher(const struct watcher *w)
{
	size_t all = 0;
	char name[16];

	ck_assert(w->is_open);
	for (unsigned user = 1; user < USERS; user++) {
		snprintf(name, sizeof(name), "user%u", user);
		ck_assert_msg((find(w, name) < w->names) == (sessions_of(user) > 0), "%s", name);
		all += sessions_of(user) > 0;
	}
	ck_assert_uint_eq(w->names, all);
	ck_assert_uint_eq(w->count, all);
	ck_assert_uint_eq(w->anonymous, sessions_of(0));
	ck_assert(!w->is_cut);
}

static struct {
	unsigned answers;
	size_t count, all, anonymous, unnamed, peers, missing, sessions[10];
} page;

static void on_page(void *arg, const struct broker_page *p)
{
	(void)arg;
	page.answers++;
	page.count = p->count;
	page.all = p->all;
	page.anonymous = p->anonymous;
	page.unnamed = p->unnamed;
	page.peers = p->peers;
	page.missing = p->missing;
	for (size_t i = 0; i < p->count; i++) {
		struct bytes name = p->users[i].user;

		if (name.n == 5) /* "user1" */
			page.sessions[name.p[4] - '0'] = p->users[i].sessions;
	}
}

static void list(struct gateway *g)
{
	memset(&page, 0, sizeof(page));
	at = g;
	here = 1;
	ck_assert_int_eq(
	    broker_list_present(broker_part(g->broker, 1), BYTES(TEA), BYTES(""), 1000, on_page, nothing, NULL), 0);
	settle();
}

static void check_page(struct gateway *g)
{
	list(g);
	ck_assert_uint_eq(page.answers, 1);
	ck_assert_uint_eq(page.anonymous, sessions_of(0));
	for (unsigned user = 1; user < USERS; user++)
		ck_assert_uint_eq(page.sessions[user], sessions_of(user));
	ck_assert_uint_eq(page.peers, count - 1);
	ck_assert_uint_eq(page.missing, 0);
}

/* --- tests ----------------------------------------------------------------------------------------------------- */

START_TEST(who_comes_to_one_is_there_at_all_and_goes_with_the_last_session)
{
	start(3, 1000);
	for (unsigned i = 0; i < 3; i++)
		watch(&gateways[i]);
	settle();
	come(&gateways[0], &gateways[0].guests[0], 1);
	come(&gateways[1], &gateways[1].guests[1], 1);
	come(&gateways[1], &gateways[1].guests[0], 2);
	come(&gateways[2], &gateways[2].guests[0], 0);
	pass(300);
	for (unsigned i = 0; i < 3; i++) {
		check_watcher(&gateways[i].watcher);
		check_page(&gateways[i]);
	}
	go(&gateways[0], &gateways[0].guests[0]);
	pass(300);
	ck_assert_uint_lt(find(&gateways[2].watcher, "user1"), gateways[2].watcher.names);
	go(&gateways[1], &gateways[1].guests[1]);
	pass(300);
	for (unsigned i = 0; i < 3; i++)
		check_watcher(&gateways[i].watcher);
	stop();
}
END_TEST

START_TEST(who_asks_first_gets_all_in_one_state)
{
	static struct broker_member *crowd[2500];

	start(3, 100000);
	for (unsigned i = 0; i < 2500; i++) {
		struct gateway *g = &gateways[i % 2];

		come(g, &g->guests[0], 100 + i);
		crowd[i] = g->guests[0].member;
		g->guests[0].member = NULL;
	}
	pass(1000);
	watch(&gateways[2]);
	settle();
	ck_assert(gateways[2].watcher.is_open);
	ck_assert_uint_eq(gateways[2].watcher.first, 2500);
	list(&gateways[2]);
	ck_assert_uint_eq(page.all, 2500);
	ck_assert_uint_ge(states, 6); /* in pages */
	for (unsigned i = 0; i < 2500; i++) {
		at = &gateways[i % 2];
		here = 0;
		broker_leave(crowd[i]);
	}
	pass(3000);
	ck_assert_uint_eq(gateways[2].watcher.count, 0);
	stop();
}
END_TEST

START_TEST(a_peer_that_goes_takes_its_users_with_it_and_brings_them_back)
{
	struct gateway *a, *b;

	start(2, 1000);
	a = &gateways[0];
	b = &gateways[1];
	watch(a);
	come(a, &a->guests[0], 1);
	come(b, &b->guests[0], 1);
	come(b, &b->guests[1], 2);
	come(b, &b->guests[2], 0);
	pass(300);
	check_watcher(&a->watcher);
	is_cut[0][1] = is_cut[1][0] = true;
	each_part(a, is_gone, b->id);
	pass(300);
	ck_assert_uint_eq(a->watcher.count, 1);
	ck_assert_uint_eq(a->watcher.anonymous, 0);
	go(b, &b->guests[2]);
	come(b, &b->guests[3], 3);
	pass(300);
	is_cut[0][1] = is_cut[1][0] = false;
	meet(a, b);
	pass(300);
	check_watcher(&a->watcher);
	check_page(b);
	stop();
}
END_TEST

START_TEST(the_last_change_that_is_lost_is_found_without_a_digest)
{
	struct gateway *a, *b;

	start(2, 1000);
	a = &gateways[0];
	b = &gateways[1];
	watch(a);
	come(b, &b->guests[0], 1);
	pass(3000);
	is_cut[1][0] = true;
	go(b, &b->guests[0]);
	pass(500);
	is_cut[1][0] = false;
	ck_assert_uint_eq(a->watcher.count, 1);
	pass(3000);
	ck_assert_uint_eq(a->watcher.count, 0);
	is_cut[1][0] = true; /* and with one, if that is lost, too */
	come(b, &b->guests[0], 1);
	pass(5000);
	is_cut[1][0] = false;
	ck_assert_uint_eq(a->watcher.count, 0);
	each_part(b, say_digest, 0);
	settle();
	pass(300);
	ck_assert_uint_eq(a->watcher.count, 1);
	is_cut[1][0] = true;
	go(b, &b->guests[0]);
	pass(5000);
	is_cut[1][0] = false;
	ck_assert_uint_eq(a->watcher.count, 1);
	each_part(b, say_digest, 0);
	settle();
	pass(300);
	ck_assert_uint_eq(a->watcher.count, 0);
	stop();
}
END_TEST

START_TEST(who_does_not_answer_is_waited_for_two_seconds_and_said_to_be_missing)
{
	struct gateway *a, *b;

	start(2, 1000);
	a = &gateways[0];
	b = &gateways[1];
	come(b, &b->guests[0], 1);
	pass(300);
	is_cut[1][0] = true;
	watch(a);
	come(a, &a->guests[0], 2);
	pass(1500);
	ck_assert(!a->watcher.is_open);
	pass(1000);
	ck_assert(a->watcher.is_open);
	ck_assert_uint_eq(a->watcher.first, 1);
	list(a);
	ck_assert_uint_eq(page.peers, 0);
	ck_assert_uint_eq(page.missing, 1);
	is_cut[1][0] = false;
	pass(4000);
	check_watcher(&a->watcher);
	check_page(a);
	stop();
}
END_TEST

START_TEST(where_nobody_is_and_nobody_asks_nothing_is_kept_or_said)
{
	struct gateway *a, *b;

	start(2, 1000);
	a = &gateways[0];
	b = &gateways[1];
	come(b, &b->guests[0], 1);
	pass(5000);
	list(a);
	ck_assert_uint_eq(page.all, 1);
	ck_assert(a->listens);
	pass(5000);
	ck_assert(!a->listens);
	packets = 0;
	pass(60000);
	ck_assert_uint_eq(packets, 0);
	go(b, &b->guests[0]);
	pass(5000);
	ck_assert(!b->listens);
	stop();
}
END_TEST

START_TEST(beyond_the_bound_users_of_peers_are_counted_only)
{
	struct gateway *a, *b;

	start(2, 1000);
	a = &gateways[0];
	b = &gateways[1];
	at = a;
	max_present = 3;
	end(a);
	is_cut[0][1] = is_cut[0][0] = is_cut[1][0] = false;
	begin(a);
	meet(a, b);
	meet(b, a);
	watch(a);
	for (unsigned i = 1; i < USERS; i++)
		come(b, &b->guests[i], i);
	come(b, &b->guests[USERS], 1);
	pass(1000);
	ck_assert_uint_eq(a->watcher.names, 3);
	ck_assert_uint_ge(a->watcher.count, USERS - 1);
	ck_assert_uint_le(a->watcher.count, USERS);
	ck_assert(a->watcher.is_cut);
	for (unsigned i = 0; i < GUESTS; i++)
		go(b, &b->guests[i]);
	pass(1000);
	ck_assert_uint_eq(a->watcher.names, 0);
	ck_assert_uint_eq(a->watcher.count, 0);
	ck_assert(!a->watcher.is_cut);
	stop();
}
END_TEST

/* --- by chance --------------------------------------------------------------------------------------------------- */

static void act(struct gateway *g)
{
	struct guest *guest = &g->guests[dice(GUESTS)];

	if (!g->broker)
		return;
	if (dice(12) == 0)
		watch(g);
	else if (dice(40) == 0)
		unwatch(g);
	else if (guest->member)
		go(g, guest);
	else
		come(g, guest, dice(USERS));
}

/* One is cut off from another, or ends; and later it is as it was. */
static void fail_or_mend(void)
{
	struct gateway *one = &gateways[dice(count)], *other = &gateways[dice(count)];
	unsigned i = one->index, k = other->index;

	if (one == other || !one->broker || !other->broker)
		return;
	if (is_cut[i][k]) {
		is_cut[i][k] = is_cut[k][i] = false;
		meet(one, other);
		meet(other, one);
	} else if (dice(3) > 0) {
		is_cut[i][k] = is_cut[k][i] = true;
		if (dice(2)) {
			each_part(one, is_gone, other->id);
			each_part(other, is_gone, one->id);
		}
	} else {
		uint64_t gone = one->id;

		end(one);
		for (unsigned n = 0; n < count; n++) {
			is_cut[i][n] = is_cut[n][i] = false;
			each_part(&gateways[n], is_gone, gone);
		}
		begin(one);
		for (unsigned n = 0; n < count; n++)
			if (n != i) {
				meet(one, &gateways[n]);
				meet(&gateways[n], one);
			}
	}
}

static void mend_all(void)
{
	loss = repeat = disorder = 0;
	memset(is_cut, 0, sizeof(is_cut));
	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < count; k++)
			if (i != k)
				meet(&gateways[i], &gateways[k]);
	pass(5000);
	for (unsigned i = 0; i < count; i++)
		each_part(&gateways[i], say_digest, 0);
	pass(5000);
}

static void live_a_while(void)
{
	for (unsigned i = 0; i < 400; i++) {
		later_fails = dice(10) == 0;
		act(&gateways[dice(count)]);
		if (dice(30) == 0)
			fail_or_mend();
		if (dice(60) == 0)
			each_part(&gateways[dice(count)], say_digest, 0);
		if (dice(3) == 0)
			pass(dice(200));
	}
	later_fails = false;
}

START_TEST(by_whatever_chance_all_know_in_the_end_who_is_there)
{
	for (unsigned seed = 0; seed < 12; seed++) {
		dice_state = (unsigned)_i * 1000 + seed;
		start(2 + dice(2), 1000);
		loss = dice(2) * 20;
		repeat = dice(2) * 20;
		disorder = dice(2) * 20;
		live_a_while();
		for (unsigned i = 0; i < count; i++) /* who has no timer has one now */
			for (unsigned k = 0; k < 2; k++)
				act(&gateways[i]);
		mend_all();
		for (unsigned i = 0; i < count; i++) {
			if (gateways[i].watcher.member)
				check_watcher(&gateways[i].watcher);
			check_page(&gateways[i]);
		}
		asks = states = 0;
		for (unsigned i = 0; i < count; i++)
			each_part(&gateways[i], say_digest, 0);
		pass(1000);
		ck_assert_uint_eq(asks + states, 0); /* where all is well nobody asks */
		stop();
	}
}
END_TEST

/* --- what comes from outside ---------------------------------------------------------------------------------------- */

START_TEST(nonsense_harms_nobody)
{
	struct gateway *a;
	char text[200];

	start(2, 10);
	a = &gateways[0];
	watch(a);
	come(a, &a->guests[0], 1);
	pass(300);
	dice_state = (unsigned)_i;
	for (unsigned n = 0; n < 20000; n++) {
		static const char kinds[] = "?scvd";
		size_t len = dice(sizeof(text));

		for (size_t i = 0; i < len; i++)
			text[i] = dice(3) ? 0 : (char)dice(256);
		if (len > 0 && dice(10))
			text[0] = kinds[dice(5)];
		if (len > BROKER_WORDS_HEAD + 4)
			text[BROKER_WORDS_HEAD] = (char)dice(100);
		at = a;
		here = (int)broker_presence_owner(a->broker, BYTES(TEA));
		broker_hear(broker_part(a->broker, (unsigned)here), gateways[dice(2)].id, dice(5) ? BYTES(TEA) : BYTES(""),
		    (struct bytes){ text, len });
		if (dice(50) == 0)
			pass(dice(300));
	}
	each_part(a, is_gone, gateways[1].id);
	pass(3000);
	check_watcher(&a->watcher);
	stop();
}
END_TEST

START_TEST(without_memory_things_are_late_or_missing_but_never_wrong_for_good)
{
	for (unsigned long nth = 1; nth < 400; nth++) {
		struct gateway *a, *b;

		start(2, 1000);
		a = &gateways[0];
		b = &gateways[1];
		watch(a);
		settle();
		come(b, &b->guests[0], 1);
		settle();
		mem_fail_at(nth);
		each_part(b, is_gone, a->id);
		each_part(b, is_there, a->id);
		pass(500);
		is_cut[1][0] = true;
		each_part(b, say_digest, 0);
		is_cut[1][0] = false;
		each_part(b, say_digest, 0);
		pass(500);
		each_part(a, is_gone, b->id);
		each_part(a, is_there, b->id);
		each_part(b, say_digest, 0);
		pass(500);
		mem_fail_at(0);
		each_part(b, is_there, a->id); /* as the hub does now and then */
		each_part(a, is_gone, b->id);
		each_part(a, is_there, b->id);
		each_part(b, say_digest, 0);
		pass(3000);
		each_part(b, say_digest, 0);
		pass(3000);
		check_watcher(&a->watcher);
		stop();
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker_shares");
	TCase *tc = tcase_create("presence of all");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, who_comes_to_one_is_there_at_all_and_goes_with_the_last_session);
	tcase_add_test(tc, who_asks_first_gets_all_in_one_state);
	tcase_add_test(tc, a_peer_that_goes_takes_its_users_with_it_and_brings_them_back);
	tcase_add_test(tc, the_last_change_that_is_lost_is_found_without_a_digest);
	tcase_add_test(tc, who_does_not_answer_is_waited_for_two_seconds_and_said_to_be_missing);
	tcase_add_test(tc, where_nobody_is_and_nobody_asks_nothing_is_kept_or_said);
	tcase_add_test(tc, beyond_the_bound_users_of_peers_are_counted_only);
	tcase_add_loop_test(tc, by_whatever_chance_all_know_in_the_end_who_is_there, 0, 8);
	tcase_add_loop_test(tc, nonsense_harms_nobody, 0, 3);
	tcase_add_test(tc, without_memory_things_are_late_or_missing_but_never_wrong_for_good);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
