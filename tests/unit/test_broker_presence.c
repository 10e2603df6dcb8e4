/*
 * tests/unit/test_broker_presence.c - presence: who is there and who is not, what is said of it and
 * how often, by pages, and without memory.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "presence_fixture.h"

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
	                     on_drop, &watchers[0]),
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
	                     limit, on_page, on_drop, &is_answered),
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
	tcase_add_test(tc, without_memory_nobody_comes_but_whoever_came_can_go);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
