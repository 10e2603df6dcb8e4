/*
 * tests/unit/test_buf.c - the growable buffer, and the allocator below it.
 */
#include "base/buf.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static struct buf b;

static void setup(void)
{
	b = BUF_INIT;
}

static void teardown(void)
{
	mem_fail_at(0);
	buf_fini(&b);
}

static void assert_has(const char *text)
{
	ck_assert_uint_eq(buf_len(&b), strlen(text));
	ck_assert_mem_eq(buf_data(&b), text, strlen(text));
}

START_TEST(an_empty_buffer_has_no_memory)
{
	ck_assert_uint_eq(buf_len(&b), 0);
	ck_assert_ptr_null(buf_data(&b));
	buf_fini(&b);
	buf_fini(&b);
}
END_TEST

START_TEST(bytes_come_out_as_they_went_in)
{
	ck_assert_int_eq(buf_add_str(&b, "hello "), 0);
	ck_assert_int_eq(buf_add(&b, "world", 5), 0);
	ck_assert_int_eq(buf_add(&b, NULL, 0), 0);
	assert_has("hello world");
	buf_consume(&b, 6);
	assert_has("world");
	buf_consume(&b, 5);
	assert_has("");
	ck_assert_uint_eq(b.start, 0);
	ck_assert_ptr_nonnull(b.data);
}
END_TEST

START_TEST(reserving_nothing_still_gives_a_place)
{
	ck_assert_ptr_nonnull(buf_reserve(&b, 0));
	ck_assert_uint_eq(buf_len(&b), 0);
}
END_TEST

START_TEST(a_stream_of_any_step_keeps_its_order)
{
	unsigned seed = 5;
	unsigned char in = 0, out = 0;
	size_t wrong = 0;

	for (int step = 0; step < 5000; step++) {
		size_t n = (size_t)rand_r(&seed) % 700;
		char *to = buf_reserve(&b, n);

		ck_assert_ptr_nonnull(to);
		for (size_t i = 0; i < n; i++)
			to[i] = (char)in++;
		buf_commit(&b, n);
		n = step % 100 ? (size_t)rand_r(&seed) % 720 : SIZE_MAX;
		if (n > buf_len(&b))
			n = buf_len(&b);
		for (size_t i = 0; i < n; i++)
			wrong += (unsigned char)buf_data(&b)[i] != out++;
		buf_consume(&b, n);
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq((unsigned char)(in - out), (unsigned char)buf_len(&b));
}
END_TEST

START_TEST(a_full_buffer_is_not_moved_for_every_byte)
{
	size_t moves = 0;
	char *data;

	ck_assert_ptr_nonnull(buf_reserve(&b, 4096));
	buf_commit(&b, b.cap - b.end);
	data = b.data;
	for (int i = 0; i < 100000; i++) {
		size_t start;

		buf_consume(&b, 1);
		start = b.start;
		ck_assert_int_eq(buf_add(&b, "x", 1), 0);
		moves += b.data != data || b.start != start;
		data = b.data;
	}
	ck_assert_uint_lt(moves, 100);
	ck_assert_uint_le(b.cap, 8192); /* nor does it grow without need */
}
END_TEST

START_TEST(consumed_room_is_used_again)
{
	size_t cap;

	ck_assert_int_eq(buf_add_str(&b, "0123456789"), 0);
	cap = b.cap;
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(buf_add_str(&b, "0123456789"), 0);
		buf_consume(&b, 10);
	}
	ck_assert_uint_eq(b.cap, cap);
	assert_has("0123456789");
}
END_TEST

START_TEST(printing_appends_whatever_its_length)
{
	char expected[3000];

	for (int n = 0; n < 600; n++) {
		buf_clear(&b);
		ck_assert_int_eq(buf_printf(&b, "%d:%*s.", 7, n, ""), 0);
		snprintf(expected, sizeof(expected), "7:%*s.", n, "");
		assert_has(expected);
		buf_fini(&b);
	}
	ck_assert_int_eq(buf_printf(&b, "%s", "a"), 0);
	ck_assert_int_eq(buf_printf(&b, "%2000d", 5), 0);
	snprintf(expected, sizeof(expected), "a%2000d", 5);
	assert_has(expected);
}
END_TEST

START_TEST(without_memory_the_buffer_stays_as_it_was)
{
	char big[5000];

	memset(big, 'x', sizeof(big));
	mem_fail_at(1);
	ck_assert_int_eq(buf_add_str(&b, "a"), -ENOMEM);
	mem_fail_at(1);
	ck_assert_int_eq(buf_printf(&b, "a"), -ENOMEM);
	ck_assert_int_eq(buf_add_str(&b, "abc"), 0);
	for (int consumed = 0; consumed < 2; consumed++) {
		mem_fail_at(1);
		ck_assert_int_eq(buf_add(&b, big, sizeof(big)), -ENOMEM);
		mem_fail_at(1);
		ck_assert_int_eq(buf_printf(&b, "%5000d", 1), -ENOMEM);
		ck_assert(mem_failed());
		assert_has(consumed ? "bc" : "abc");
		if (!consumed)
			buf_consume(&b, 1);
	}
}
END_TEST

START_TEST(absurd_sizes_are_refused)
{
	ck_assert_int_eq(buf_add_str(&b, "abc"), 0);
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX));
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX - 2));
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX / 2));
	assert_has("abc");
}
END_TEST

/* --- base/mem.h -------------------------------------------------------------- */

START_TEST(only_the_allocation_asked_for_fails)
{
	void *p;

	mem_fail_at(2);
	p = mem_alloc(1);
	ck_assert_ptr_nonnull(p);
	ck_assert(!mem_failed());
	ck_assert_ptr_null(mem_realloc(p, 100));
	ck_assert(mem_failed());
	p = mem_realloc(p, 100);
	ck_assert_ptr_nonnull(p);
	mem_free(p);
	mem_free(NULL);
}
END_TEST

START_TEST(a_size_of_zero_is_no_failure)
{
	void *p = mem_alloc(0), *q = mem_zalloc(0);

	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_nonnull(q);
	p = mem_realloc(p, 0);
	ck_assert_ptr_nonnull(p);
	mem_free(p);
	mem_free(q);
}
END_TEST

START_TEST(an_array_beyond_size_t_is_refused)
{
	ck_assert_ptr_null(mem_realloc_array(NULL, SIZE_MAX / 8 + 1, 8));
	ck_assert_ptr_null(mem_realloc_array(NULL, 3, SIZE_MAX / 2));
}
END_TEST

START_TEST(a_copy_of_a_string_ends_where_it_was_told)
{
	char *s = mem_strndup("abcdef", 3), *t = mem_strdup("");

	ck_assert_str_eq(s, "abc");
	ck_assert_str_eq(t, "");
	mem_free(s);
	mem_free(t);
	mem_fail_at(1);
	ck_assert_ptr_null(mem_strdup("a"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("buf");
	TCase *tc = tcase_create("buf");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_empty_buffer_has_no_memory);
	tcase_add_test(tc, bytes_come_out_as_they_went_in);
	tcase_add_test(tc, reserving_nothing_still_gives_a_place);
	tcase_add_test(tc, a_stream_of_any_step_keeps_its_order);
	tcase_add_test(tc, a_full_buffer_is_not_moved_for_every_byte);
	tcase_add_test(tc, consumed_room_is_used_again);
	tcase_add_test(tc, printing_appends_whatever_its_length);
	tcase_add_test(tc, without_memory_the_buffer_stays_as_it_was);
	tcase_add_test(tc, absurd_sizes_are_refused);
	tcase_add_test(tc, only_the_allocation_asked_for_fails);
	tcase_add_test(tc, a_size_of_zero_is_no_failure);
	tcase_add_test(tc, an_array_beyond_size_t_is_refused);
	tcase_add_test(tc, a_copy_of_a_string_ends_where_it_was_told);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
