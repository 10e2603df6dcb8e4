/*
 * tests/unit/test_attempts.c - what clients have tried before: who is the same, and for how long.
 */
#include <check.h>
#include <stdlib.h>

#include "net/addr.h"
#include "server/attempts.h"

static struct attempts *attempts;
static const struct addr here = { .family = AF_INET, .ip = { 192, 0, 2, 1 } },
                         there = { .family = AF_INET, .ip = { 192, 0, 2, 2 } };
static const char endpoint, other_endpoint;

enum { WEBSOCKET, STREAM, POLL };

static void set_up(void)
{
	attempts = attempts_new();
	ck_assert_ptr_nonnull(attempts);
}

static void tear_down(void)
{
	attempts_free(attempts);
}

static uint64_t key(const struct addr *client, const void *at, const char *agent)
{
	return attempts_key(attempts, client, at, bytes_of(agent));
}

START_TEST(what_failed_before_is_known_of_the_same_client_alone)
{
	uint64_t me = key(&here, &endpoint, "A");

	attempts_failed(attempts, me, WEBSOCKET, ATTEMPT_UNOPENED, 1000);
	ck_assert_uint_eq(attempts_before(attempts, key(&there, &endpoint, "A"), POLL, 0, 1000), 0);
	ck_assert_uint_eq(attempts_before(attempts, key(&here, &other_endpoint, "A"), POLL, 0, 1000), 0);
	ck_assert_uint_eq(attempts_before(attempts, key(&here, &endpoint, "B"), POLL, 0, 1000), 0);
	ck_assert_uint_eq(attempts_before(attempts, me, WEBSOCKET, 0, 1000), 0);
	ck_assert_uint_eq(attempts_before(attempts, me, POLL, 0, 1000), 1u << WEBSOCKET);
	ck_assert_uint_eq(attempts_fallbacks(attempts, WEBSOCKET, POLL, ATTEMPT_UNOPENED), 1);
	ck_assert_uint_eq(attempts_fallbacks(attempts, WEBSOCKET, POLL, ATTEMPT_UNHEARD), 0);
}
END_TEST

START_TEST(what_is_known_is_not_counted_again)
{
	uint64_t me = key(&here, &endpoint, "A");

	attempts_failed(attempts, me, WEBSOCKET, ATTEMPT_UNOPENED, 1000);
	attempts_failed(attempts, me, WEBSOCKET, ATTEMPT_UNHEARD, 1500);
	ck_assert_uint_eq(attempts_before(attempts, me, POLL, 0, 2000), 1u << WEBSOCKET);
	attempts_failed(attempts, me, STREAM, ATTEMPT_UNHEARD, 2500);
	ck_assert_uint_eq(attempts_before(attempts, me, POLL, 1u << WEBSOCKET, 3000),
	    1u << WEBSOCKET | 1u << STREAM);
	ck_assert_uint_eq(attempts_fallbacks(attempts, WEBSOCKET, POLL, ATTEMPT_UNOPENED), 1);
	ck_assert_uint_eq(attempts_fallbacks(attempts, WEBSOCKET, POLL, ATTEMPT_UNHEARD), 0);
	ck_assert_uint_eq(attempts_fallbacks(attempts, STREAM, POLL, ATTEMPT_UNHEARD), 1);
}
END_TEST

START_TEST(what_was_long_ago_is_forgotten)
{
	uint64_t me = key(&here, &endpoint, "A");

	attempts_failed(attempts, me, WEBSOCKET, ATTEMPT_UNOPENED, 1000);
	ck_assert_uint_eq(attempts_before(attempts, me, POLL, 0, 61000), 0);
	/* A reactor whose clock is behind by a turn */
	ck_assert_uint_eq(attempts_before(attempts, me, POLL, 0, 990), 1u << WEBSOCKET);
	attempts_failed(attempts, me, STREAM, ATTEMPT_UNOPENED, 61000);
	ck_assert_uint_eq(attempts_before(attempts, me, POLL, 0, 61000), 1u << STREAM);
}
END_TEST

START_TEST(a_transport_that_is_not_known_is_left_out)
{
	uint64_t me = key(&here, &endpoint, "A");

	attempts_failed(attempts, me, SESSION_TRANSPORTS_MAX, ATTEMPT_UNOPENED, 1000);
	ck_assert_uint_eq(attempts_before(attempts, me, POLL, 0, 1000), 0);
	attempts_failed(attempts, me, WEBSOCKET, ATTEMPT_UNOPENED, 1000);
	ck_assert_uint_eq(attempts_before(attempts, me, SESSION_TRANSPORTS_MAX, 0, 1000), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("attempts");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, what_failed_before_is_known_of_the_same_client_alone);
	tcase_add_test(tc, what_is_known_is_not_counted_again);
	tcase_add_test(tc, what_was_long_ago_is_forgotten);
	tcase_add_test(tc, a_transport_that_is_not_known_is_left_out);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
