/*
 * tests/unit/test_resolver.c - the resolver, against a DNS server of our own.
 *
 * c-ares is given our heap, so that its allocations can be made to fail, too: up to 1.18,
 * because 1.34 itself leaks or crashes when its memory is out.
 */
#include <ares.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fakes/fake_dns.h"
#include "net/resolver.h"

/* --- the resolver ------------------------------------------------------- */

static struct loop *loop;
static struct resolver *resolver;
static char conf_path[] = "/tmp/test_resolver.conf.XXXXXX";
static const char *const conf_text = "options ndots:1\n";

struct outcome {
	struct resolution r;
	unsigned done;
	int err;
	size_t n;
	unsigned ttl;
	struct addr addrs[RESOLVER_ADDRS_MAX];
	char why[100];
};

static bool starting;

static void on_done(struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl)
{
	struct outcome *o = container_of(r, struct outcome, r);

	ck_assert(!starting);
	ck_assert(err < 0 ? n == 0 : n > 0);
	ck_assert_uint_le(n, RESOLVER_ADDRS_MAX);
	ck_assert_int_eq(err == 0, strcmp(resolution_why(r), "") == 0);
	o->done++;
	o->err = err;
	o->n = n;
	o->ttl = ttl;
	memcpy(o->addrs, addrs, n * sizeof(*addrs));
	snprintf(o->why, sizeof(o->why), "%s", resolution_why(r));
}

static int new_resolver(const char *at, unsigned timeout_ms, unsigned tries)
{
	struct resolver_options options = {
		.servers = at,
		.timeout_ms = timeout_ms,
		.tries = tries,
		.conf = conf_path,
	};

	return resolver_new(&resolver, loop, &options);
}

static void setup(void)
{
	fake_dns_start();
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(new_resolver(fake_dns.address, 1000, 2), 0);
}

static void teardown(void)
{
	resolver_free(resolver);
	loop_free(loop);
	fake_dns_stop();
}

static void start(struct outcome *o, const char *host)
{
	starting = true;
	memset(o, 0, sizeof(*o));
	resolver_start(resolver, &o->r, host, 8080, on_done);
	starting = false;
}

static void turns(int n)
{
	while (n-- > 0) {
		ck_assert_int_eq(loop_turn(loop, 1), 0);
		fake_dns_serve();
	}
}

static void wait_for(const struct outcome *o)
{
	uint64_t end = clock_now() + 20000;

	while (!o->done && clock_now() < end)
		turns(1);
	ck_assert_uint_eq(o->done, 1);
}

static struct outcome resolve(const char *host)
{
	static struct outcome o; /* cancelled resolutions of a test before are not ours */

	start(&o, host);
	wait_for(&o);
	turns(2);
	ck_assert_uint_eq(o.done, 1);
	return o;
}

static bool has(const struct outcome *o, const char *ip)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < o->n; i++)
		if (strcmp(addr_print(&o->addrs[i], true, text), ip) == 0)
			return true;
	return false;
}

/* --- names that are --------------------------------------------------------- */

START_TEST(a_name_has_addresses_of_both_families_and_the_least_ttl)
{
	struct outcome o = resolve("both.test");

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 2);
	ck_assert(has(&o, "192.0.2.1:8080"));
	ck_assert(has(&o, "[2001:db8::1]:8080"));
	ck_assert_uint_eq(o.ttl, 300);
	ck_assert_uint_eq(fake_dns.asked, 2);
}
END_TEST

START_TEST(a_name_with_one_family_has_that)
{
	struct outcome o = resolve("v6.test");

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 1);
	ck_assert(has(&o, "[2001:db8::6]:8080"));
	ck_assert_uint_eq(o.ttl, 60);
	o = resolve("v4.test");
	ck_assert_uint_eq(o.n, 1);
	ck_assert(has(&o, "192.0.2.4:8080"));
	ck_assert_uint_eq(o.ttl, 120);
}
END_TEST

START_TEST(a_server_that_knows_only_one_kind_of_record_is_enough)
{
	struct outcome o = resolve("half.test");

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 1);
	ck_assert(has(&o, "192.0.2.5:8080"));
}
END_TEST

START_TEST(the_ttl_of_an_alias_counts)
{
	struct outcome o = resolve("alias.test");

	ck_assert_int_eq(o.err, 0);
	ck_assert(has(&o, "192.0.2.4:8080"));
	ck_assert_uint_eq(o.ttl, 30);
	o = resolve("zero.test");
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.ttl, 0);
}
END_TEST

START_TEST(a_literal_is_itself_and_nobody_is_asked)
{
	static const char *const literals[][2] = {
		{ "192.0.2.7", "192.0.2.7:8080" },
		{ "2001:db8::7", "[2001:db8::7]:8080" },
		{ "[::1]", "[::1]:8080" },
		{ "::ffff:192.0.2.7", "192.0.2.7:8080" },
	};
	struct outcome o = resolve(literals[_i][0]);

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 1);
	ck_assert(has(&o, literals[_i][1]));
	ck_assert_uint_eq(o.ttl, 0);
	ck_assert_uint_eq(fake_dns.asked, 0);
}
END_TEST

START_TEST(localhost_comes_from_the_hosts_file)
{
	struct outcome o = resolve("localhost");

	ck_assert_int_eq(o.err, 0);
	ck_assert(has(&o, "127.0.0.1:8080") || has(&o, "[::1]:8080"));
	ck_assert_uint_eq(o.ttl, 0);
	ck_assert_uint_eq(fake_dns.asked, 0);
}
END_TEST

START_TEST(a_truncated_answer_is_asked_for_again_by_tcp_and_bounded)
{
	struct outcome o = resolve("large.test");

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_gt(fake_dns.asked_by_tcp, 0);
	ck_assert_uint_eq(o.n, RESOLVER_ADDRS_MAX);
	ck_assert_uint_eq(o.ttl, 300);
}
END_TEST

START_TEST(names_are_asked_for_side_by_side)
{
	struct outcome o[4];

	start(&o[0], "silent.test");
	start(&o[1], "both.test");
	start(&o[2], "none.test");
	start(&o[3], "192.0.2.7");
	for (int i = 1; i < 4; i++)
		wait_for(&o[i]);
	ck_assert_uint_eq(o[0].done, 0);
	ck_assert_uint_eq(o[1].n, 2);
	ck_assert_int_eq(o[2].err, -ENOENT);
	ck_assert(has(&o[3], "192.0.2.7:8080"));
	resolution_cancel(&o[0].r);
}
END_TEST

START_TEST(those_who_ask_for_one_name_share_the_question_and_not_the_port)
{
	struct outcome o[20];
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < 20; i++) {
		memset(&o[i], 0, sizeof(o[i]));
		resolver_start(resolver, &o[i].r, i % 2 ? "V4.test" : "v4.TEST",
		    (uint16_t)(1000 + i), on_done);
	}
	for (unsigned i = 0; i < 20; i++) {
		char expected[ADDR_TEXT_MAX];

		wait_for(&o[i]);
		snprintf(expected, sizeof(expected), "192.0.2.4:%u", 1000 + i);
		ck_assert_str_eq(addr_print(&o[i].addrs[0], true, text), expected);
	}
	ck_assert_uint_eq(fake_dns.asked, 2);
}
END_TEST

START_TEST(a_name_is_asked_for_again_once_it_was_answered)
{
	resolve("v4.test");
	resolve("v4.test");
	ck_assert_uint_eq(fake_dns.asked, 4);
}
END_TEST

/* --- names that are not --------------------------------------------------- */

START_TEST(a_failure_has_its_errno_and_a_sentence)
{
	static const struct {
		const char *host;
		int err;
	} failures[] = {
		{ "none.test", -ENOENT },
		{ "empty.test", -ENOENT },
		{ "", -EINVAL },
		{ "a-label-that-has-more-than-63-octets-is-none-that-dns-can-carry-at-all.test",
		    -EINVAL },
		{ "1.2.3.4.5", -ENOENT },
	};
	struct outcome o = resolve(failures[_i].host);

	ck_assert_msg(o.err == failures[_i].err, "%s: %d, %s", failures[_i].host, o.err, o.why);
	ck_assert_uint_eq(o.ttl, 0);
}
END_TEST

START_TEST(what_is_no_name_does_not_exist_or_is_refused)
{
	static const char *const hosts[] = { "[::1", "%\\032 \t\xff.test", "a..test", " " };
	struct outcome o = resolve(hosts[_i]);

	ck_assert_msg(o.err == -ENOENT || o.err == -EINVAL, "%d, %s", o.err, o.why);
}
END_TEST

/* Versions of c-ares differ in what they make of it once they have tried all servers. */
START_TEST(a_server_that_fails_or_refuses_is_named_so)
{
	struct outcome o = resolve("fails.test");

	ck_assert_msg(o.err == -EREMOTEIO || o.err == -ECONNREFUSED, "%d, %s", o.err, o.why);
	o = resolve("refused.test");
	ck_assert_msg(o.err == -EREMOTEIO || o.err == -ECONNREFUSED, "%d, %s", o.err, o.why);
}
END_TEST

START_TEST(a_name_that_is_too_long_is_refused)
{
	char host[300];
	struct outcome o;

	for (size_t i = 0; i < sizeof(host); i++)
		host[i] = i % 10 == 9 ? '.' : 'a';
	host[sizeof(host) - 1] = '\0';
	o = resolve(host);
	ck_assert_int_eq(o.err, -EINVAL);
	ck_assert_uint_eq(fake_dns.asked, 0);
}
END_TEST

/* c-ares asks again after rubbish, so it ends in time, by whatever name. */
START_TEST(rubbish_ends_in_an_error)
{
	static const char *const hosts[] = { "garbage0.test", "garbage1.test", "garbage2.test",
		"garbage3.test", "garbage4.test", "garbage5.test", "short.test" };
	struct outcome o;

	resolver_free(resolver);
	ck_assert_int_eq(new_resolver(fake_dns.address, 50, 2), 0);
	o = resolve(hosts[_i]);
	ck_assert_int_lt(o.err, 0);
}
END_TEST

START_TEST(silence_and_forged_answers_end_in_a_time_out)
{
	uint64_t begun = clock_now();
	struct outcome o;

	resolver_free(resolver);
	ck_assert_int_eq(new_resolver(fake_dns.address, 50, 2), 0);
	o = resolve(_i ? "forged.test" : "silent.test");
	ck_assert_msg(o.err == -ETIMEDOUT, "%d, %s", o.err, o.why);
	ck_assert_uint_ge(clock_now() - begun, 100);
	ck_assert_uint_ge(fake_dns.asked, 4);
}
END_TEST

START_TEST(where_nobody_listens_the_question_is_refused)
{
	struct outcome o;

	fake_dns_stop();
	o = resolve("both.test");
	ck_assert_msg(o.err == -ECONNREFUSED, "%d, %s", o.err, o.why);
}
END_TEST

START_TEST(a_loop_that_has_nothing_to_do_sleeps_while_a_server_is_silent)
{
	struct outcome o;
	uint64_t end;
	unsigned n;

	start(&o, "silent.test");
	turns(3);
	end = clock_now() + 200;
	for (n = 0; clock_now() < end; n++)
		ck_assert_int_eq(loop_turn(loop, 100), 0);
	ck_assert_uint_lt(
	    n, 50); /* the resolver's own timers may end some; not to sleep is 10,000s */
	resolution_cancel(&o.r);
}
END_TEST

/* --- cancelling ----------------------------------------------------------- */

START_TEST(a_resolution_can_be_cancelled_in_each_phase)
{
	static const char *const hosts[] = { "both.test", "192.0.2.7", "localhost", "" };
	struct outcome o;

	for (int phase = 0; phase < 3; phase++) {
		fake_dns.held_back = true;
		start(&o, hosts[_i]);
		if (phase > 0)
			turns(1);
		if (o.done)
			break;
		fake_dns.held_back = false;
		if (phase > 1)
			fake_dns_serve(); /* the answer waits in the socket */
		resolution_cancel(&o.r);
		memset(&o.r, 0xee, sizeof(o.r)); /* its memory is the owner's again */
		turns(5);
		ck_assert_uint_eq(o.done, 0);
	}
}
END_TEST

START_TEST(cancelling_one_leaves_the_others_and_twice_is_harmless)
{
	struct outcome o[3];

	for (int i = 0; i < 3; i++)
		start(&o[i], "both.test");
	resolution_cancel(&o[1].r);
	resolution_cancel(&o[1].r);
	wait_for(&o[0]);
	wait_for(&o[2]);
	ck_assert_uint_eq(o[1].done, 0);
	resolution_cancel(&o[0].r);
	ck_assert_uint_eq(o[0].n, 2);
	memset(&o[1], 0, sizeof(o[1]));
	resolution_cancel(&o[1].r);
}
END_TEST

START_TEST(a_question_that_nobody_waits_for_any_more_is_joined_by_the_next)
{
	struct outcome o[2];

	fake_dns.held_back = true;
	start(&o[0], "both.test");
	turns(1);
	resolution_cancel(&o[0].r);
	start(&o[1], "both.test");
	fake_dns.held_back = false;
	wait_for(&o[1]);
	ck_assert_uint_eq(o[1].n, 2);
	ck_assert_uint_eq(fake_dns.asked, 2);
}
END_TEST

START_TEST(a_resolver_may_go_while_all_phases_are_present)
{
	struct outcome o[4];

	start(&o[0], "silent.test");
	turns(2);
	start(&o[1], "both.test");
	start(&o[2], "192.0.2.7");
	start(&o[3], "localhost");
	resolver_free(resolver);
	resolver = NULL;
	turns(5);
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_eq(o[i].done, 0);
		resolution_cancel(&o[i].r);
	}
	resolver_free(NULL);
}
END_TEST

static struct outcome chain[3];
static unsigned chained;

/* What a callback may do: start again, cancel another, free the resolver. */
static void on_chain(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl)
{
	(void)addrs, (void)n, (void)ttl;
	ck_assert_int_eq(err, 0);
	chained++;
	if (chained == 1) {
		resolution_cancel(&chain[1].r);
		resolver_start(resolver, r, "both.test", 80, on_chain);
	} else if (chained == 3) {
		resolver_free(resolver);
		resolver = NULL;
		memset(r, 0xee, sizeof(*r));
	}
}

START_TEST(a_callback_may_start_cancel_and_free)
{
	memset(chain, 0, sizeof(chain));
	for (int i = 0; i < 3; i++)
		resolver_start(resolver, &chain[i].r, "192.0.2.7", 80, on_chain);
	turns(1);
	ck_assert_uint_eq(chained, 2); /* the third of them was cancelled by the first */
	start(&chain[1], "localhost");
	for (int i = 0; i < 100 && chained < 3; i++)
		turns(1);
	turns(3);
	ck_assert_uint_eq(chained, 3);
	ck_assert_ptr_null(resolver);
}
END_TEST

static unsigned told;

static void on_done_free(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl)
{
	(void)r, (void)err, (void)addrs, (void)n, (void)ttl;
	told++;
	resolver_free(resolver);
	resolver = NULL;
}

START_TEST(who_is_ready_when_the_resolver_goes_is_not_told)
{
	struct outcome o[3];

	for (int i = 0; i < 3; i++) {
		memset(&o[i], 0, sizeof(o[i]));
		resolver_start(resolver, &o[i].r, "192.0.2.7", 80, on_done_free);
	}
	turns(3);
	ck_assert_uint_eq(told, 1);
}
END_TEST

/* --- configuration, memory, descriptors ----------------------------------- */

static void write_conf(const char *text)
{
	FILE *f = fopen(conf_path, "w");

	fputs(text, f);
	fclose(f);
}

START_TEST(a_changed_configuration_is_read_again)
{
	struct outcome o = resolve("both");

	ck_assert_int_eq(o.err, -ENOENT);
	write_conf("options ndots:1\nsearch nowhere.test test\n");
	o = resolve("both");
	write_conf(conf_text);
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 2);
}
END_TEST

START_TEST(servers_that_make_no_sense_are_refused)
{
	resolver_free(resolver);
	resolver = NULL;
	ck_assert_int_eq(new_resolver("not an address", 0, 0), -EINVAL);
	ck_assert_ptr_null(resolver);
}
END_TEST

START_TEST(the_systems_configuration_is_the_default)
{
	resolver_free(resolver);
	ck_assert_int_eq(resolver_new(&resolver, loop, NULL), 0);
	ck_assert_int_eq(resolve("localhost").err, 0);
}
END_TEST

START_TEST(without_descriptors_it_fails_and_recovers)
{
	struct rlimit limit, none;
	struct outcome o;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){ 3, limit.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	start(&o, "both.test");
	turns(3);
	setrlimit(RLIMIT_NOFILE, &limit);
	wait_for(&o);
	ck_assert_int_lt(o.err, 0);
	ck_assert_uint_eq(resolve("both.test").n, 2);
}
END_TEST

/* The second allocation is what watches the socket; c-ares has a heap of its own here. */
START_TEST(a_socket_that_cannot_be_watched_fails_the_question_at_once)
{
	struct outcome o;

	ares_library_init_mem(ARES_LIB_INIT_ALL, malloc, free, realloc);
	mem_fail_at(2);
	start(&o, "both.test");
	wait_for(&o);
	ck_assert(mem_failed());
	mem_fail_at(0);
	ck_assert_int_eq(o.err, -ENOMEM); /* and not -ETIMEDOUT, later */
	ck_assert_uint_eq(resolve("both.test").n, 2);
}
END_TEST

/* Whether the failure has come about; whatever failed, everybody is told, and it works again. */
static bool survives_failure_of(unsigned long nth, const char *host)
{
	struct outcome o = { 0 };
	bool failed;

	resolver = NULL;
	mem_fail_at(nth);
	if (new_resolver(fake_dns.address, 250, 3) == 0) {
		start(&o, host);
		wait_for(&o);
	} else {
		ck_assert_ptr_null(resolver);
	}
	failed = mem_failed();
	mem_fail_at(0);
	if (!failed)
		ck_assert_int_eq(o.err, 0);
	if (resolver)
		ck_assert_int_eq(resolve(host).err, 0);
	resolver_free(resolver);
	resolver = NULL;
	turns(1);
	return failed;
}

START_TEST(each_allocation_may_fail_once)
{
	static const char *const hosts[] = { "both.test", "large.test", "alias.test", "localhost",
		"192.0.2.7" };
	unsigned long n = 0;

	resolver_free(resolver);
	while (survives_failure_of(++n, hosts[_i]))
		;
	ck_assert_uint_ge(n, 4);
	ck_assert_uint_lt(n, 2000);
}
END_TEST

static void add_failures(TCase *tc)
{
	tcase_add_loop_test(tc, a_failure_has_its_errno_and_a_sentence, 0, 5);
	tcase_add_loop_test(tc, what_is_no_name_does_not_exist_or_is_refused, 0, 4);
	tcase_add_test(tc, a_server_that_fails_or_refuses_is_named_so);
	tcase_add_test(tc, a_name_that_is_too_long_is_refused);
	tcase_add_loop_test(tc, rubbish_ends_in_an_error, 0, 7);
	tcase_add_loop_test(tc, silence_and_forged_answers_end_in_a_time_out, 0, 2);
	tcase_add_test(tc, where_nobody_listens_the_question_is_refused);
	tcase_add_test(tc, a_loop_that_has_nothing_to_do_sleeps_while_a_server_is_silent);
	tcase_add_loop_test(tc, a_resolution_can_be_cancelled_in_each_phase, 0, 4);
	tcase_add_test(tc, cancelling_one_leaves_the_others_and_twice_is_harmless);
	tcase_add_test(tc, a_question_that_nobody_waits_for_any_more_is_joined_by_the_next);
	tcase_add_test(tc, a_resolver_may_go_while_all_phases_are_present);
	tcase_add_test(tc, a_callback_may_start_cancel_and_free);
	tcase_add_test(tc, who_is_ready_when_the_resolver_goes_is_not_told);
	tcase_add_test(tc, a_changed_configuration_is_read_again);
	tcase_add_test(tc, servers_that_make_no_sense_are_refused);
	tcase_add_test(tc, the_systems_configuration_is_the_default);
	tcase_add_test(tc, without_descriptors_it_fails_and_recovers);
	tcase_add_test(tc, a_socket_that_cannot_be_watched_fails_the_question_at_once);
	tcase_add_loop_test(tc, each_allocation_may_fail_once, 0, 5);
}

static void share_heap(void)
{
	int version;

	ares_version(&version);
	if (version < 0x011300)
		ares_library_init_mem(ARES_LIB_INIT_ALL, mem_alloc, mem_free, mem_realloc);
}

int main(void)
{
	Suite *suite = suite_create("resolver");
	TCase *tc = tcase_create("resolver");
	SRunner *runner;
	int failed;

	share_heap();
	close(mkstemp(conf_path));
	write_conf(conf_text);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_name_has_addresses_of_both_families_and_the_least_ttl);
	tcase_add_test(tc, a_name_with_one_family_has_that);
	tcase_add_test(tc, a_server_that_knows_only_one_kind_of_record_is_enough);
	tcase_add_test(tc, the_ttl_of_an_alias_counts);
	tcase_add_loop_test(tc, a_literal_is_itself_and_nobody_is_asked, 0, 4);
	tcase_add_test(tc, localhost_comes_from_the_hosts_file);
	tcase_add_test(tc, a_truncated_answer_is_asked_for_again_by_tcp_and_bounded);
	tcase_add_test(tc, names_are_asked_for_side_by_side);
	tcase_add_test(tc, those_who_ask_for_one_name_share_the_question_and_not_the_port);
	tcase_add_test(tc, a_name_is_asked_for_again_once_it_was_answered);
	add_failures(tc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(conf_path);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
