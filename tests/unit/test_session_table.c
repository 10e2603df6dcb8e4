/*
 * tests/unit/test_session_table.c - sessions by id: who finds what, and from which
 * thread.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fakes/fake_loop.h"
#include "session/session.h"
#include "session/session_table.h"

static struct loop *loop;
static struct session_reactor reactor;
static struct session_limits limits;
static struct session_table *table;
static struct addr peer;

static void nothing(struct session *s)
{
	(void)s;
}

static void no_close(struct session *s, unsigned code, const char *reason)
{
	(void)s, (void)code, (void)reason;
}

static void free_it(struct session *s)
{
	mem_free(s);
}

static const struct session_ops ops = { .open = nothing, .close = no_close, .free = free_it };

static void setup(void)
{
	loop = fake_loop_new();
	session_reactor_init(&reactor, loop);
	limits = (struct session_limits){ .disconnect_delay_ms = 5000 };
	ck_assert_int_eq(addr_parse_ip(BYTES("192.0.2.1"), &peer), 0);
	table = session_table_new();
	ck_assert_ptr_nonnull(table);
}

static void end_all(void)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &reactor.sessions)
		session_discard(container_of(pos, struct session, node));
	session_reactor_abort(&reactor);
	fake_loop_turn(loop);
	ck_assert(list_empty(&reactor.sessions));
}

static void teardown(void)
{
	end_all();
	session_reactor_fini(&reactor);
	session_table_free(table);
	fake_loop_free(loop);
}

static struct session *new_session(void)
{
	struct session *s = mem_zalloc(sizeof(*s));

	ck_assert_ptr_nonnull(s);
	session_init(s, &reactor, &limits, &ops, "xhr", false);
	return s;
}

static struct session *insert(const char *id)
{
	struct session *s = new_session();

	ck_assert_int_eq(session_table_insert(table, bytes_of(id), s, &peer), 0);
	return s;
}

static bool find(const char *id, struct session_found *found)
{
	return session_table_find(table, bytes_of(id), &peer, found);
}

START_TEST(a_session_is_found_by_its_id_and_by_no_other)
{
	struct session *s = insert("abc");
	struct session_found found;

	ck_assert(find("abc", &found));
	ck_assert_ptr_eq(found.session, s);
	ck_assert_ptr_eq(found.owner, loop);
	ck_assert(found.open);
	ck_assert(!found.paused);
	ck_assert(!find("ABC", &found));
	ck_assert(!find("ab", &found));
	ck_assert(!find("abcd", &found));
	ck_assert(!find("", &found));
}
END_TEST

START_TEST(an_id_is_octets_and_a_nul_does_not_end_it)
{
	struct bytes with_nul = { "ab\0c", 4 };
	struct session_found found;
	struct session *s = new_session();

	ck_assert_int_eq(session_table_insert(table, with_nul, s, &peer), 0);
	ck_assert(!find("ab", &found));
	ck_assert(session_table_find(table, with_nul, &peer, &found));
}
END_TEST

START_TEST(an_id_is_given_once)
{
	struct session *first = insert("abc"), *second = new_session();
	struct session_found found;

	ck_assert_int_eq(session_table_insert(table, BYTES("abc"), second, &peer), -EEXIST);
	ck_assert(find("abc", &found));
	ck_assert_ptr_eq(found.session, first);
}
END_TEST

START_TEST(tables_do_not_know_each_other)
{
	struct session_table *other = session_table_new();
	struct session_found found;

	insert("abc");
	ck_assert(!session_table_find(other, BYTES("abc"), &peer, &found));
	session_table_free(other);
}
END_TEST

START_TEST(many_sessions_are_found_and_leave_when_they_end)
{
	struct session_found found;
	char id[16];

	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		insert(id);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		ck_assert(find(id, &found));
	}
	end_all();
	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		ck_assert(!find(id, &found));
	}
}
END_TEST

START_TEST(what_a_session_does_is_published)
{
	struct session *s = insert("abc");
	struct session_found found;

	session_pause(s);
	ck_assert(find("abc", &found));
	ck_assert(found.paused);
	session_resume(s);
	fake_loop_turn(loop);
	ck_assert(find("abc", &found));
	ck_assert(!found.paused);
	session_close(s, 1000, NULL);
	ck_assert(find("abc", &found));
	ck_assert(!found.open);
}
END_TEST

/* --- bound to a network ----------------------------------------------------------- */

START_TEST(a_bound_session_is_hidden_from_other_networks)
{
	struct session_found found;
	struct addr elsewhere;

	limits.bind_address = true;
	insert("bound");
	limits.bind_address = false;
	insert("free");
	ck_assert_int_eq(addr_parse_ip(BYTES("198.51.100.7"), &elsewhere), 0);
	ck_assert(find("bound", &found));
	ck_assert(!session_table_find(table, BYTES("bound"), &elsewhere, &found));
	ck_assert(session_table_find(table, BYTES("free"), &elsewhere, &found));
}
END_TEST

/* --- from other threads ----------------------------------------------------------- */

static void *look_from_afar(void *arg)
{
	struct loop *mine;
	struct session_found found;

	ck_assert_int_eq(loop_new(&mine), 0);
	loop_turn(mine, 0);
	ck_assert(find("abc", &found));
	ck_assert_ptr_null(found.session); /* not ours to touch */
	ck_assert_ptr_eq(found.owner, arg);
	loop_free(mine);
	return NULL;
}

START_TEST(another_thread_learns_the_owner_and_gets_no_pointer)
{
	pthread_t thread;

	insert("abc");
	ck_assert_int_eq(pthread_create(&thread, NULL, look_from_afar, loop), 0);
	pthread_join(thread, NULL);
}
END_TEST

static void *look_again_and_again(void *arg)
{
	struct session_found found;
	char id[16];

	(void)arg;
	for (int i = 0; i < 20000; i++) {
		snprintf(id, sizeof(id), "s%d", i % 16);
		if (find(id, &found))
			ck_assert(found.owner == loop);
	}
	return NULL;
}

START_TEST(sessions_may_come_and_go_while_other_threads_look)
{
	pthread_t threads[2];
	char id[16];

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, look_again_and_again, NULL), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(id, sizeof(id), "s%d", i % 16);
		insert(id);
		if (i % 16 == 15)
			end_all();
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(without_memory_there_is_no_table_or_no_entry_and_nothing_leaks)
{
	struct session *s = new_session();
	struct session_found found;
	unsigned long nth = 1;
	int err;

	mem_fail_at(1);
	ck_assert_ptr_null(session_table_new());
	do {
		mem_fail_at(nth++);
		err = session_table_insert(table, BYTES("abc"), s, &peer);
		ck_assert(err == 0 || err == -ENOMEM);
		ck_assert_int_eq(find("abc", &found), err == 0);
	} while (err < 0);
	mem_fail_at(0);
	ck_assert_uint_gt(nth, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session_table");
	TCase *tc = tcase_create("session_table");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_session_is_found_by_its_id_and_by_no_other);
	tcase_add_test(tc, an_id_is_octets_and_a_nul_does_not_end_it);
	tcase_add_test(tc, an_id_is_given_once);
	tcase_add_test(tc, tables_do_not_know_each_other);
	tcase_add_test(tc, many_sessions_are_found_and_leave_when_they_end);
	tcase_add_test(tc, what_a_session_does_is_published);
	tcase_add_test(tc, a_bound_session_is_hidden_from_other_networks);
	tcase_add_test(tc, another_thread_learns_the_owner_and_gets_no_pointer);
	tcase_add_test(tc, sessions_may_come_and_go_while_other_threads_look);
	tcase_add_test(tc, without_memory_there_is_no_table_or_no_entry_and_nothing_leaks);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
