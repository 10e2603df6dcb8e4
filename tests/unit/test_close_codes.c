/*
 * tests/unit/test_close_codes.c - the table of closes, and that the public header
 * tells the same.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "session/close_codes.h"
#include "sockjs.h"

START_TEST(a_code_of_the_table_has_its_reason_and_another_has_none)
{
	ck_assert_str_eq(close_reason(1000), "Normal closure");
	ck_assert_str_eq(close_reason(1002), "Connection interrupted");
	ck_assert_str_eq(close_reason(2010), "Another connection still open");
	ck_assert_str_eq(close_reason(3000), "Go away!");
	ck_assert_str_eq(close_reason(0), "");
	ck_assert_str_eq(close_reason(3999), "");
}
END_TEST

START_TEST(every_code_has_a_row_of_its_own_and_the_rest_share_one)
{
	ck_assert_uint_eq(close_code_row(1000), CLOSE_ROW_NORMAL);
	ck_assert_uint_eq(close_code_row(4501), CLOSE_ROW_SILENT);
	ck_assert_uint_eq(close_code_row(4504), CLOSE_CODE_OTHER);
	ck_assert_uint_eq(close_code_row(65536 + 1000), CLOSE_CODE_OTHER);
	ck_assert_str_eq(close_code_counter_name(CLOSE_ROW_GOING_AWAY), "going_away");
	ck_assert_str_eq(close_code_counter_name(CLOSE_CODE_OTHER), "other");
}
END_TEST

START_TEST(the_names_of_the_counters_differ)
{
	for (unsigned i = 0; i < CLOSE_CODE_ROWS; i++)
		for (unsigned j = 0; j < i; j++)
			ck_assert_str_ne(close_code_counter_name(i), close_code_counter_name(j));
}
END_TEST

/* A reason must fit into a Close frame (RFC 6455 section 5.5), and stand in JSON as it is. */
START_TEST(every_reason_fits_into_a_close_frame)
{
#define X(name, code, reason, counter)                                                             \
	ck_assert_uint_le(strlen(reason), 123);                                                    \
	ck_assert_ptr_null(strpbrk(reason, "\"\\"));                                               \
	ck_assert_uint_lt(strspn(counter, "abcdefghijklmnopqrstuvwxyz_"), 32);
	CLOSE_CODES(X)
#undef X
}
END_TEST

START_TEST(the_public_header_has_the_same_codes)
{
#define X(name, code, reason, counter) ck_assert_uint_eq(SOCKJS_CLOSE_##name, CLOSE_##name);
	CLOSE_CODES(X)
#undef X
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("close_codes");
	TCase *tc = tcase_create("close_codes");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_code_of_the_table_has_its_reason_and_another_has_none);
	tcase_add_test(tc, every_code_has_a_row_of_its_own_and_the_rest_share_one);
	tcase_add_test(tc, the_names_of_the_counters_differ);
	tcase_add_test(tc, every_reason_fits_into_a_close_frame);
	tcase_add_test(tc, the_public_header_has_the_same_codes);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
