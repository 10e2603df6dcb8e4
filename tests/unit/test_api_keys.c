/*
 * tests/unit/test_api_keys.c - idempotency keys: what is remembered, for how long, and how much.
 */
#include "server/api_keys.h"

#include <check.h>
#include <stdio.h>

static struct api_keys keys;
static struct api_key *entry;

static void setup(void)
{
	api_keys_init(&keys);
}

static void teardown(void)
{
	api_keys_fini(&keys);
}

static enum api_key_found begin(
    const char *command, const char *key, const char *body, uint64_t now)
{
	return api_keys_begin(&keys, command, key, bytes_of(body), now, &entry);
}

static void done(const char *answer)
{
	api_key_done(&keys, entry, bytes_of(answer));
}

START_TEST(a_command_that_is_done_is_answered_as_before)
{
	ck_assert_int_eq(begin("publish", "k", "{}", 1000), API_KEY_NEW);
	done("{1}");
	ck_assert_int_eq(begin("publish", "k", "{}", 2000), API_KEY_DONE);
	ck_assert_uint_eq(entry->answer_len, 3);
	ck_assert_int_eq(memcmp(entry->answer, "{1}", 3), 0);
}
END_TEST

START_TEST(a_key_is_another_for_another_command)
{
	ck_assert_int_eq(begin("publish", "k", "{}", 1000), API_KEY_NEW);
	done("");
	ck_assert_int_eq(begin("send", "k", "{}", 1000), API_KEY_NEW);
	ck_assert_int_eq(begin("publis", "hk", "{}", 1000), API_KEY_NEW);
}
END_TEST

START_TEST(one_with_another_body_is_told_apart)
{
	ck_assert_int_eq(begin("publish", "k", "{}", 1000), API_KEY_NEW);
	ck_assert_int_eq(begin("publish", "k", "{ }", 1000), API_KEY_OTHER);
	done("");
	ck_assert_int_eq(begin("publish", "k", "{ }", 1000), API_KEY_OTHER);
}
END_TEST

START_TEST(one_under_way_is_busy_until_it_is_forgotten)
{
	ck_assert_int_eq(begin("publish", "k", "{}", 1000), API_KEY_NEW);
	ck_assert_int_eq(begin("publish", "k", "{}", 1000 + 2 * API_KEYS_MS), API_KEY_BUSY);
	api_key_forget(&keys, entry);
	ck_assert_int_eq(begin("publish", "k", "{}", 1000), API_KEY_NEW);
}
END_TEST

START_TEST(after_five_minutes_it_is_new_again)
{
	ck_assert_int_eq(begin("publish", "k", "{}", 1000), API_KEY_NEW);
	done("");
	ck_assert_int_eq(begin("publish", "k", "{}", 1000 + API_KEYS_MS - 1), API_KEY_DONE);
	ck_assert_int_eq(begin("publish", "k", "{}", 1000 + API_KEYS_MS), API_KEY_NEW);
}
END_TEST

START_TEST(there_are_no_more_than_there_is_room_for_and_the_oldest_goes)
{
	char key[32];

	ck_assert_int_eq(begin("publish", "busy", "{}", 1000), API_KEY_NEW);
	for (int i = 0; i < 2 * API_KEYS_MOST; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ck_assert_int_eq(begin("publish", key, "{}", 1000), API_KEY_NEW);
		done("{}");
		ck_assert_uint_le(map_count(&keys.by_name), API_KEYS_MOST);
	}
	ck_assert_int_eq(begin("publish", key, "{}", 1000), API_KEY_DONE);
	ck_assert_int_eq(begin("publish", "0", "{}", 1000), API_KEY_NEW);
	ck_assert_int_eq(begin("publish", "busy", "{}", 1000), API_KEY_BUSY);
}
END_TEST

START_TEST(answers_have_no_more_room_than_all_together)
{
	static char large[1 << 20];
	char key[32];

	memset(large, 'x', sizeof(large) - 1);
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ck_assert_int_eq(begin("publish", key, "{}", 1000), API_KEY_NEW);
		ck_assert_uint_le(keys.bytes, API_KEYS_BYTES + sizeof(large));
		done(large);
	}
	ck_assert_uint_le(map_count(&keys.by_name), 17);
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "%d", i);
		begin("publish", key, "{}", 1000 + API_KEYS_MS);
		if (!entry->is_done)
			api_key_forget(&keys, entry);
	}
	ck_assert_uint_eq(keys.bytes, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_keys");
	TCase *tc = tcase_create("keys");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_command_that_is_done_is_answered_as_before);
	tcase_add_test(tc, a_key_is_another_for_another_command);
	tcase_add_test(tc, one_with_another_body_is_told_apart);
	tcase_add_test(tc, one_under_way_is_busy_until_it_is_forgotten);
	tcase_add_test(tc, after_five_minutes_it_is_new_again);
	tcase_add_test(tc, there_are_no_more_than_there_is_room_for_and_the_oldest_goes);
	tcase_add_test(tc, answers_have_no_more_room_than_all_together);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
