/*
 * tests/unit/test_quotas.c - token buckets, and the table of what each of many has.
 */
#include "base/quotas.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>

#include "base/bucket.h"
#include "base/clock.h"

enum { CONNECTION, SESSION };

static struct quotas *quotas;
static struct quota_row *row;

static void setup(void)
{
	clock_set(1000000);
}

static void teardown(void)
{
	quotas_free(quotas);
	quotas = NULL;
	clock_set(0);
}

static void make(struct quota connection, struct quota session)
{
	quotas = quotas_new((struct quota[]){ connection, session }, 2);
	ck_assert_ptr_nonnull(quotas);
}

static enum quota_verdict take(const char *key, unsigned kind)
{
	return quota_take(quotas, bytes_of(key), kind, &row);
}

/* --- buckets ---------------------------------------------------------------------- */

START_TEST(a_bucket_gives_a_second_s_worth_at_once_and_no_more)
{
	struct bucket b = { 0 };

	for (int i = 0; i < 10; i++)
		ck_assert(bucket_take(&b, 10, 5000));
	ck_assert(!bucket_take(&b, 10, 5000));
	ck_assert(!bucket_take(&b, 10, 5099));
	ck_assert(bucket_take(&b, 10, 5100));
	ck_assert(!bucket_take(&b, 10, 5100));
}
END_TEST

START_TEST(a_bucket_of_one_a_second_gives_one_a_second)
{
	struct bucket b = { 0 };

	ck_assert(bucket_take(&b, 1, 5000));
	ck_assert(!bucket_take(&b, 1, 5999));
	ck_assert(bucket_take(&b, 1, 6000));
}
END_TEST

START_TEST(an_unused_bucket_does_not_save_up)
{
	struct bucket b = { 0 };
	int n = 0;

	ck_assert(bucket_take(&b, 5, 1000));
	while (bucket_take(&b, 5, 1000000))
		n++;
	ck_assert_int_eq(n, 5);
}
END_TEST

START_TEST(what_is_charged_beyond_a_bucket_is_owed)
{
	struct bucket b = { 0 };

	ck_assert_uint_eq(bucket_charge(&b, 1000, 1000, 5000), 0);
	ck_assert_uint_eq(bucket_charge(&b, 1000, 1, 5000), 1);
	ck_assert_uint_eq(bucket_charge(&b, 1000, 2000, 5000), 2001);
	ck_assert_uint_eq(bucket_charge(&b, 1000, 0, 7000), 1);
	ck_assert_uint_eq(bucket_charge(&b, 1000, 0, 7001), 0);
}
END_TEST

START_TEST(a_gigabyte_at_one_octet_a_second_does_not_overflow)
{
	struct bucket b = { 0 };

	ck_assert_uint_eq(
	    bucket_charge(&b, 1, UINT64_C(1) << 30, 5000), ((UINT64_C(1) << 30) - 1) * 1000);
}
END_TEST

/* --- the table -------------------------------------------------------------------- */

START_TEST(each_key_may_hold_as_many_as_the_limit_says)
{
	struct quota_row *first;

	make((struct quota){ .most = 2 }, (struct quota){ 0 });
	ck_assert_int_eq(take("a", CONNECTION), QUOTA_GRANTED);
	first = row;
	ck_assert_int_eq(take("a", CONNECTION), QUOTA_GRANTED);
	ck_assert_int_eq(take("a", CONNECTION), QUOTA_TOO_MANY);
	ck_assert_ptr_null(row);
	ck_assert_int_eq(take("b", CONNECTION), QUOTA_GRANTED);
	quota_release(first, CONNECTION);
	ck_assert_int_eq(take("a", CONNECTION), QUOTA_GRANTED);
}
END_TEST

START_TEST(each_key_may_begin_as_many_in_a_second_as_the_limit_says)
{
	make((struct quota){ .per_second = 2 }, (struct quota){ 0 });
	ck_assert_int_eq(take("a", CONNECTION), QUOTA_GRANTED);
	quota_release(row, CONNECTION); /* that it ends makes no difference */
	ck_assert_int_eq(take("a", CONNECTION), QUOTA_GRANTED);
	quota_release(row, CONNECTION);
	ck_assert_int_eq(take("a", CONNECTION), QUOTA_TOO_FAST);
	ck_assert_int_eq(take("b", CONNECTION), QUOTA_GRANTED);
	clock_set(1000500);
	ck_assert_int_eq(take("a", CONNECTION), QUOTA_GRANTED);
}
END_TEST

START_TEST(kinds_are_counted_apart)
{
	make((struct quota){ .most = 1 }, (struct quota){ .most = 1 });
	ck_assert_int_eq(take("a", CONNECTION), QUOTA_GRANTED);
	ck_assert_int_eq(take("a", SESSION), QUOTA_GRANTED);
	ck_assert_int_eq(take("a", SESSION), QUOTA_TOO_MANY);
}
END_TEST

START_TEST(a_kind_without_a_limit_has_no_row)
{
	make((struct quota){ .most = 1 }, (struct quota){ 0 });
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(take("a", SESSION), QUOTA_GRANTED);
	ck_assert_ptr_null(row);
	ck_assert_uint_eq(quotas_count(quotas), 0);
}
END_TEST

START_TEST(nobody_is_not_counted)
{
	make((struct quota){ .most = 1, .per_second = 1 }, (struct quota){ 0 });
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(take("", CONNECTION), QUOTA_GRANTED);
	ck_assert_uint_eq(quotas_count(quotas), 0);
}
END_TEST

START_TEST(a_row_that_says_no_more_than_a_new_one_is_forgotten)
{
	make((struct quota){ .most = 5 }, (struct quota){ 0 });
	ck_assert_int_eq(take("a", CONNECTION), QUOTA_GRANTED);
	ck_assert_uint_eq(quotas_count(quotas), 1);
	quota_release(row, CONNECTION);
	ck_assert_uint_eq(quotas_count(quotas), 0);
}
END_TEST

START_TEST(rows_are_swept_as_their_buckets_are_full_again)
{
	char key[16];

	make((struct quota){ .per_second = 1 }, (struct quota){ 0 });
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ck_assert_int_eq(take(key, CONNECTION), QUOTA_GRANTED);
		quota_release(row, CONNECTION);
	}
	ck_assert_uint_eq(quotas_count(quotas), 1000);
	clock_set(1002000);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "x%d", i);
		take(key, CONNECTION);
	}
	ck_assert_uint_le(quotas_count(quotas), 1000);
}
END_TEST

/* Else who has many addresses could fill the memory by coming from one after the other. */
START_TEST(rows_that_hold_nothing_are_bounded)
{
	char key[16];

	make((struct quota){ .per_second = 1 }, (struct quota){ 0 });
	for (int i = 0; i < QUOTAS_IDLE_MOST + 5000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ck_assert_int_eq(take(key, CONNECTION), QUOTA_GRANTED);
		quota_release(row, CONNECTION);
	}
	ck_assert_uint_le(quotas_count(quotas), QUOTAS_IDLE_MOST);
}
END_TEST

START_TEST(what_is_held_is_never_forgotten)
{
	char key[16];

	make((struct quota){ .most = 1, .per_second = 1 }, (struct quota){ 0 });
	ck_assert_int_eq(take("held", CONNECTION), QUOTA_GRANTED);
	for (int i = 0; i < QUOTAS_IDLE_MOST + 5000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		take(key, CONNECTION);
		quota_release(row, CONNECTION);
	}
	clock_set(2000000);
	ck_assert_int_eq(take("held", CONNECTION), QUOTA_TOO_MANY);
}
END_TEST

/* --- who is at a limit -------------------------------------------------------------- */

static struct quota_use seen[4];
static char seen_keys[4][8];
static unsigned seen_count;

static bool note_use(const struct quota_use *use, void *arg)
{
	(void)arg;
	ck_assert_uint_lt(seen_count, 4);
	seen[seen_count] = *use;
	bytes_put(seen_keys[seen_count], use->key);
	seen_keys[seen_count++][use->key.n] = '\0';
	return true;
}

static size_t look(void)
{
	size_t rows = 0;

	seen_count = 0;
	for (unsigned i = 0; i < QUOTAS_PARTS; i++)
		rows += quotas_each_limited(quotas, i, note_use, NULL);
	return rows;
}

START_TEST(who_is_at_a_limit_or_was_refused_is_told)
{
	struct quota_row *rows[3];

	make((struct quota){ .most = 2 }, (struct quota){ .per_second = 3 });
	for (int i = 0; i < 2; i++) {
		take("a", CONNECTION);
		rows[i] = row;
	}
	take("b", CONNECTION);
	rows[2] = row;
	ck_assert_uint_eq(look(), 2);
	ck_assert_uint_eq(seen_count, 1);
	ck_assert_str_eq(seen_keys[0], "a");
	ck_assert(seen[0].is_at_most[CONNECTION] && !seen[0].is_too_fast[SESSION]);
	ck_assert_uint_eq(seen[0].held[CONNECTION], 2);
	ck_assert_uint_eq(seen[0].refused, 0);

	ck_assert_int_eq(take("a", CONNECTION), QUOTA_TOO_MANY);
	quota_release(rows[0], CONNECTION);
	look();
	ck_assert_uint_eq(seen_count, 1);
	ck_assert(!seen[0].is_at_most[CONNECTION]);
	ck_assert_uint_eq(seen[0].refused, 1);

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(take("b", SESSION), QUOTA_GRANTED);
		quota_release(row, SESSION);
	}
	look();
	ck_assert_uint_eq(seen_count, 2); /* a still, and b, who would be too fast now */
	clock_set(1001000);
	quota_release(rows[1], CONNECTION);
	look();
	ck_assert_uint_eq(seen_count, 0); /* a is forgotten, and b's bucket is full */
	quota_release(rows[2], CONNECTION);
}
END_TEST

/* --- several threads -------------------------------------------------------------- */

static void *take_and_release(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++) {
		struct quota_row *mine;
		char key[2] = { (char)('a' + i % 7), '\0' };

		if (quota_take(quotas, bytes_of(key), i % 2, &mine) == QUOTA_GRANTED)
			quota_release(mine, i % 2);
	}
	return NULL;
}

START_TEST(threads_leave_nothing_held)
{
	pthread_t threads[4];

	make((struct quota){ .most = 2 }, (struct quota){ .most = 1 });
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_release, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(quotas_count(quotas), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quotas");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60); /* a machine may be busy */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_bucket_gives_a_second_s_worth_at_once_and_no_more);
	tcase_add_test(tc, a_bucket_of_one_a_second_gives_one_a_second);
	tcase_add_test(tc, an_unused_bucket_does_not_save_up);
	tcase_add_test(tc, what_is_charged_beyond_a_bucket_is_owed);
	tcase_add_test(tc, a_gigabyte_at_one_octet_a_second_does_not_overflow);
	tcase_add_test(tc, each_key_may_hold_as_many_as_the_limit_says);
	tcase_add_test(tc, each_key_may_begin_as_many_in_a_second_as_the_limit_says);
	tcase_add_test(tc, kinds_are_counted_apart);
	tcase_add_test(tc, a_kind_without_a_limit_has_no_row);
	tcase_add_test(tc, nobody_is_not_counted);
	tcase_add_test(tc, a_row_that_says_no_more_than_a_new_one_is_forgotten);
	tcase_add_test(tc, rows_are_swept_as_their_buckets_are_full_again);
	tcase_add_test(tc, rows_that_hold_nothing_are_bounded);
	tcase_add_test(tc, what_is_held_is_never_forgotten);
	tcase_add_test(tc, who_is_at_a_limit_or_was_refused_is_told);
	tcase_add_test(tc, threads_leave_nothing_held);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
