/*
 * tests/unit/test_upstream_checks.c - checks of backends: how many in a row count, what one that is
 * on its way says when it is given up, and what DNS has to do with it.
 *
 * What hostile backends answer is in tests/upstream/backends.mjs. Time is the test's own.
 */
#include "upstream/checks.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "fakes/fake_backend.h"
#include "fakes/fake_dns.h"
#include "loop_fixture.h"

enum { INTERVAL = 1000, TIMEOUT = 600, RISE = 2, FALL = 3, STEP = 20, PATIENCE = 20000, TURNS = 40 };

static struct fake_backend backend;
static struct target target;
static struct balancer balancer;
static struct string_list none;
static struct check_settings settings;
static struct checks *checks;

static uint64_t passed(void)
{
	return target_load(&target.tally.checks_passed);
}

static uint64_t failed(void)
{
	return target_load(&target.tally.checks_failed);
}

static int health(void)
{
	return atomic_load(&target.health);
}

/* So many more checks have had a result. */
static void wait_for_checks(uint64_t n)
{
	uint64_t wanted = passed() + failed() + n;

	for (int i = 0; passed() + failed() < wanted && i < PATIENCE; i++)
		turn();
	ck_assert_uint_eq(passed() + failed(), wanted);
}

static void begin(void)
{
	ck_assert_int_eq(
	    checks_new(&checks, &settings, &balancer, loop, loop_resolver_options()), 0);
}

/* What begins with `kind`, at `host`, where the fake backend listens. */
static void aim(enum probe_kind kind, const char *host)
{
	char url[64];

	snprintf(url, sizeof(url), "ws://%s:%u/", host, backend.port);
	ck_assert_int_eq(target_init(&target, url), 0);
	settings.probe.kind = kind;
}

static void setup(void)
{
	log_set_level(LOG_SILENT);
	memset(&target, 0, sizeof(target));
	ck_assert(fake_backend_start(&backend, "127.0.0.1", 0));
	fake_dns_start();
	loop_up(STEP, fake_dns_serve, fake_dns.address);
	balancer = (struct balancer){ .targets = &target, .count = 1, .rest_ms = 1000, .rest_max_ms = 1000 };
	settings = (struct check_settings){
		.is_on = true,
		.probe = { .subprotocols = &none, .statuses = &none, .timeout_ms = TIMEOUT },
		.interval_ms = INTERVAL,
		.rise = RISE,
		.fall = FALL,
	};
	checks = NULL;
}

static void teardown(void)
{
	checks_free(checks);
	loop_down();
	target_fini(&target);
	fake_dns_stop();
	fake_backend_stop(&backend);
}

static void go_away(void)
{
	fake_backend_stop(&backend);
}

static void come_back(void)
{
	ck_assert(fake_backend_start(&backend, "127.0.0.1", backend.port));
}

/* --- how many in a row ------------------------------------------------------------------ */

START_TEST(the_first_check_decides_alone)
{
	aim((enum probe_kind)_i, "127.0.0.1");
	if (_i == PROBE_HTTP)
		go_away(); /* it speaks WebSocket alone */
	begin();
	ck_assert_int_eq(health(), TARGET_UNCHECKED);
	ck_assert(target_takes(&target));
	wait_for_checks(1);
	ck_assert_int_eq(health(), _i == PROBE_HTTP ? TARGET_FAILS : TARGET_PASSES);
	if (_i == PROBE_HTTP)
		come_back();
}
END_TEST

START_TEST(so_many_in_a_row_make_it_fall_and_rise)
{
	aim(PROBE_WEBSOCKET, "127.0.0.1");
	begin();
	wait_for_checks(1);
	go_away();
	for (int i = 1; i <= FALL; i++) {
		ck_assert_int_eq(health(), TARGET_PASSES);
		wait_for_checks(1);
	}
	ck_assert_int_eq(health(), TARGET_FAILS);
	ck_assert_uint_eq(failed(), FALL);
	wait_for_checks(3);
	come_back();
	for (int i = 1; i <= RISE; i++) {
		ck_assert_int_eq(health(), TARGET_FAILS);
		wait_for_checks(1);
	}
	ck_assert_int_eq(health(), TARGET_PASSES);
}
END_TEST

/* Two failures, a success, two failures. */
START_TEST(a_success_between_failures_begins_the_row_anew)
{
	aim(PROBE_TCP, "127.0.0.1");
	begin();
	wait_for_checks(1);
	for (int i = 0; i < 2; i++) {
		go_away();
		wait_for_checks(FALL - 1);
		come_back();
		wait_for_checks(1);
		ck_assert_int_eq(health(), TARGET_PASSES);
	}
}
END_TEST

START_TEST(checks_have_their_interval_give_or_take_a_tenth)
{
	uint64_t began, times[8];

	aim(PROBE_TCP, "127.0.0.1");
	begin();
	wait_for_checks(1);
	began = now;
	for (int i = 0; i < 8; i++) {
		wait_for_checks(1);
		times[i] = now - began;
		began = now;
	}
	for (int i = 0; i < 8; i++) /* our clock goes in steps, and a check takes some */
		ck_assert_uint_ge(times[i], INTERVAL * 9 / 10 - 5 * STEP);
}
END_TEST

/* --- operators --------------------------------------------------------------------------- */

START_TEST(what_is_taken_down_is_not_asked_and_returns_unknown)
{
	uint64_t before;

	aim(PROBE_TCP, "127.0.0.1");
	begin();
	wait_for_checks(1);
	balancer_set_mode(&target, TARGET_DOWN, "a test", now);
	before = passed() + failed();
	turns(5 * INTERVAL / STEP);
	ck_assert_uint_le(passed() + failed(), before + 1); /* one may have been on its way */
	ck_assert_int_eq(health(), TARGET_UNCHECKED);
	balancer_set_mode(&target, TARGET_READY, "a test", now);
	wait_for_checks(1);
	ck_assert_int_eq(health(), TARGET_PASSES);
}
END_TEST

START_TEST(nobody_is_asked_while_no_sessions_may_come)
{
	uint64_t before;

	aim(PROBE_TCP, "127.0.0.1");
	begin();
	wait_for_checks(1);
	atomic_store(&balancer.is_withdrawn, true);
	before = passed() + failed();
	turns(5 * INTERVAL / STEP);
	ck_assert_uint_le(passed() + failed(), before + 1); /* one may have been on its way */
	atomic_store(&balancer.is_withdrawn, false);
	wait_for_checks(1);
	ck_assert_int_eq(health(), TARGET_PASSES);
}
END_TEST

START_TEST(what_is_drained_is_asked)
{
	aim(PROBE_TCP, "127.0.0.1");
	begin();
	balancer_set_mode(&target, TARGET_DRAIN, "a test", now);
	wait_for_checks(3);
	ck_assert_int_eq(health(), TARGET_PASSES);
	ck_assert(!target_takes(&target));
}
END_TEST

/* --- names --------------------------------------------------------------------------------- */

static void resolve_to(const char *a, const char *b)
{
	fake_dns.app.ttl = 1;
	fake_dns.app.addresses[0] = a;
	fake_dns.app.addresses[1] = b;
}

START_TEST(one_address_of_a_name_that_works_is_enough)
{
	resolve_to("127.0.0.7", "127.0.0.1");
	aim(PROBE_TCP, "app.test");
	begin();
	wait_for_checks(4);
	ck_assert_uint_eq(failed(), 0);
}
END_TEST

/* Else all backends would be down when a name server is. */
START_TEST(a_name_server_that_is_silent_speaks_against_nobody)
{
	resolve_to("127.0.0.1", NULL);
	aim(PROBE_TCP, "app.test");
	begin();
	wait_for_checks(1);
	fake_dns.app.silent = true;
	wait_for_checks(3 * FALL);
	ck_assert_uint_eq(failed(), 0);
	fake_dns.app.silent = false;
}
END_TEST

START_TEST(a_name_without_an_address_has_failed)
{
	resolve_to(NULL, NULL);
	aim(PROBE_TCP, "app.test");
	begin();
	wait_for_checks(1);
	ck_assert_int_eq(health(), TARGET_FAILS);
}
END_TEST

/* --- the end ----------------------------------------------------------------------------------- */

/* After so many turns: it waits, resolves, dials, has asked, leaves. */
START_TEST(checks_may_be_given_up_at_any_moment)
{
	resolve_to("127.0.0.1", NULL);
	aim(_i % 2 ? PROBE_WEBSOCKET : PROBE_TCP, "app.test");
	for (int stop = 0; stop < TURNS; stop++) {
		uint64_t before;

		begin();
		turns(stop);
		checks_free(checks);
		checks = NULL;
		before = passed() + failed();
		turns(5);
		ck_assert_uint_eq(passed() + failed(), before);
	}
}
END_TEST

/* Whatever it was that there was no memory for: the next one is fine. */
START_TEST(memory_that_is_out_is_survived)
{
	unsigned long nth = 0;
	int has_failed = 1;

	resolve_to("127.0.0.1", NULL);
	aim(_i ? PROBE_WEBSOCKET : PROBE_TCP, "app.test");
	while (has_failed && nth < 200) {
		int err;

		mem_fail_at(++nth);
		err = checks_new(&checks, &settings, &balancer, loop, loop_resolver_options());
		turns(err == 0 ? 2 * INTERVAL / STEP : 0);
		has_failed = mem_failed();
		mem_fail_at(0);
		if (err == 0)
			wait_for_checks(RISE + 2);
		ck_assert(err < 0 || health() == TARGET_PASSES);
		checks_free(err == 0 ? checks : NULL);
		checks = NULL;
		turn();
		balancer_forget_health(&target);
	}
	ck_assert_uint_lt(nth, 200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("upstream_checks");
	TCase *tc = tcase_create("checks");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, the_first_check_decides_alone, PROBE_HTTP, PROBE_TCP + 1);
	tcase_add_test(tc, so_many_in_a_row_make_it_fall_and_rise);
	tcase_add_test(tc, a_success_between_failures_begins_the_row_anew);
	tcase_add_test(tc, checks_have_their_interval_give_or_take_a_tenth);
	tcase_add_test(tc, what_is_taken_down_is_not_asked_and_returns_unknown);
	tcase_add_test(tc, what_is_drained_is_asked);
	tcase_add_test(tc, nobody_is_asked_while_no_sessions_may_come);
	tcase_add_test(tc, one_address_of_a_name_that_works_is_enough);
	tcase_add_test(tc, a_name_server_that_is_silent_speaks_against_nobody);
	tcase_add_test(tc, a_name_without_an_address_has_failed);
	tcase_add_loop_test(tc, checks_may_be_given_up_at_any_moment, 0, 2);
	tcase_add_loop_test(tc, memory_that_is_out_is_survived, 0, 2);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
