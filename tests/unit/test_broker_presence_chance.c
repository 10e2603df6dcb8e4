/*
 * tests/unit/test_broker_presence_chance.c - presence: whoever watches knows in the end who is
 * there, from a state and what follows on it, without a hole and nothing twice, whatever the parts
 * do before or after one another, and whether or not there is memory now and then.
 */
#include <stdio.h>

#include "presence_fixture.h"

enum { USERS = 8, MEMBERS = 16 };

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

int main(void)
{
	Suite *s = suite_create("broker_presence_chance");
	TCase *tc = tcase_create("presence");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, by_whatever_chance_all_watchers_know_in_the_end_who_is_there, 0, 4);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
