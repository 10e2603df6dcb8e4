/*
 * tests/unit/test_session_ids.c - sessions by their number: the table against one that cannot be
 * wrong.
 */
#include "server/session_ids.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "session/session.h"

#define SESSIONS 3000

static struct session *sessions;
static struct session_ids ids;

static void setup(void)
{
	sessions = calloc(SESSIONS, sizeof(*sessions));
	ids = (struct session_ids){ 0 };
}

static void teardown(void)
{
	session_ids_fini(&ids);
	free(sessions);
}

START_TEST(an_empty_table_has_nobody)
{
	sessions[0].id = 7;
	ck_assert_ptr_null(session_ids_find(&ids, 7));
	session_ids_remove(&ids, &sessions[0]);
	ck_assert_uint_eq(ids.count, 0);
}
END_TEST

/* Whoever is in is found, whoever is not is not, after each of many changes. */
START_TEST(who_comes_is_found_and_who_leaves_is_not)
{
	bool is_in[SESSIONS] = { false };
	unsigned seed = 1;

	for (int i = 0; i < SESSIONS; i++)
		sessions[i].id = (uint64_t)i * (_i ? 0x100000001 : 1) + 1;
	for (int step = 0; step < 40000; step++) {
		int i = rand_r(&seed) % SESSIONS, looked = rand_r(&seed) % SESSIONS;

		if (is_in[i])
			session_ids_remove(&ids, &sessions[i]);
		else
			ck_assert_int_eq(session_ids_add(&ids, &sessions[i]), 0);
		is_in[i] = !is_in[i];
		ck_assert_ptr_eq(session_ids_find(&ids, sessions[looked].id),
		    is_in[looked] ? &sessions[looked] : NULL);
	}
	for (int i = 0; i < SESSIONS; i++)
		ck_assert_ptr_eq(
		    session_ids_find(&ids, sessions[i].id), is_in[i] ? &sessions[i] : NULL);
}
END_TEST

START_TEST(a_crowd_that_has_left_leaves_no_large_table)
{
	for (int i = 0; i < SESSIONS; i++) {
		sessions[i].id = (uint64_t)i + 1;
		ck_assert_int_eq(session_ids_add(&ids, &sessions[i]), 0);
	}
	ck_assert_uint_le(ids.size, 8192);
	for (int i = 0; i < SESSIONS; i++)
		session_ids_remove(&ids, &sessions[i]);
	ck_assert_uint_eq(ids.count, 0);
	ck_assert_uint_le(ids.size, 128);
}
END_TEST

START_TEST(without_memory_one_is_not_in_and_the_others_are)
{
	int refused = 0;

	for (int i = 0; i < 200; i++) {
		sessions[i].id = (uint64_t)i + 1;
		mem_fail_at(1);
		refused += session_ids_add(&ids, &sessions[i]) < 0;
		mem_fail_at(0);
	}
	ck_assert_int_eq(refused, 200);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(session_ids_add(&ids, &sessions[i]), 0);
	mem_fail_at(1);
	for (int i = 0; i < 200; i++)
		session_ids_remove(&ids, &sessions[i]);
	mem_fail_at(0);
	ck_assert_uint_eq(ids.count, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session_ids");
	TCase *tc = tcase_create("ids");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_empty_table_has_nobody);
	tcase_add_loop_test(tc, who_comes_is_found_and_who_leaves_is_not, 0, 2);
	tcase_add_test(tc, a_crowd_that_has_left_leaves_no_large_table);
	tcase_add_test(tc, without_memory_one_is_not_in_and_the_others_are);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
