/*
 * tests/unit/test_network_stories.c - what is counted of networks for people: families of browsers, by
 * what clients were reached and how late, what failed; and that it can be forgotten.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/visitors.h"
#include "networks/networks.h"

#define CHROME                                                                                     \
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 " \
	"Safari/537.36"
#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"

enum { WEBSOCKET_PLACE, STREAM_PLACE };

static const struct network_settings settings = {
	.adapts = true,
	.refuses_websocket = true,
	.half_life_ms = 1800000,
	.first_silence_ms = 10000,
	.most_silence_ms = 25000,
};

static struct networks *all;
static uint64_t now;

static void set_up(void)
{
	all = networks_new();
	now = 1000;
}

static void tear_down(void)
{
	mem_fail_at(0);
	networks_free(all);
}

static struct network_client client(const char *address, const char *agent, const char *number)
{
	struct addr a;

	ck_assert_int_eq(addr_parse_ip(bytes_of(address), &a), 0);
	return network_client(&a, bytes_of(agent), bytes_of(number));
}

static enum network_answer opens(
    const struct network_client *c, enum network_way way, const char *session)
{
	struct network_attempt before;
	struct network_policy policy;

	enum network_answer answer = networks_open(all, &settings,
	    &(struct network_visit){ c, way, bytes_of(session), now }, &policy, &before);

	networks_said(all, c, now);
	return answer;
}

static void is_reached(const struct network_client *c, unsigned transport)
{
	networks_reached(all, &settings, c, transport, networks_heard(all, c), now);
}

/* --- looking ------------------------------------------------------------------------------ */

struct search {
	const char *network;
	bool is_found;
	unsigned count;
	struct network_story of[NETWORK_BROWSER_ROWS];
};

static bool look(const struct network_view *view, void *arg)
{
	struct search *s = arg;
	char text[ADDR_TEXT_MAX];

	s->count++;
	if (strcmp(visitor_print(view->key, text), s->network) != 0)
		return true;
	s->is_found = true;
	for (unsigned i = 0; i < NETWORK_BROWSER_ROWS; i++)
		if (view->stories->of[i])
			s->of[i] = *view->stories->of[i];
	return true;
}

static struct search search(const char *network)
{
	struct search s = { .network = network };

	for (unsigned share = 0; share < NETWORKS_SHARDS; share++)
		networks_each_of(all, &settings, share, now, look, &s);
	return s;
}

/* --- browsers ------------------------------------------------------------------------------- */

static const struct {
	const char *agent;
	enum network_browser browser;
} agents[] = {
	{ CHROME, NETWORK_BROWSER_CHROME },
	{ CHROME " OPR/106.0.0.0", NETWORK_BROWSER_CHROME },
	{ CHROME " Edg/120.0.0.0", NETWORK_BROWSER_EDGE },
	{ "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/64.0 Safari/537.36 "
	  "Edge/17.17134", NETWORK_BROWSER_EDGE },
	{ FIREFOX, NETWORK_BROWSER_FIREFOX },
	{ "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/120.0 "
	  "Mobile/15E148 Safari/605.1.15", NETWORK_BROWSER_FIREFOX },
	{ "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/120.0 "
	  "Mobile/15E148 Safari/604.1", NETWORK_BROWSER_CHROME },
	{ "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
	  NETWORK_BROWSER_SAFARI },
	{ "Mozilla/5", NETWORK_BROWSER_OTHER },
	{ "curl/8.5.0 Chrome/1", NETWORK_BROWSER_OTHER },
	{ "", NETWORK_BROWSER_OTHER },
};

START_TEST(a_browser_is_told_by_its_marks)
{
	struct network_client c = client("192.0.2.1", agents[_i].agent, "1");

	ck_assert_int_eq(network_browser(bytes_of(agents[_i].agent)), agents[_i].browser);
	ck_assert_int_eq(network_client_browser(&c), agents[_i].browser);
}
END_TEST

/* --- attempts -------------------------------------------------------------------------------- */

START_TEST(who_is_heard_at_once_has_lost_no_time)
{
	struct network_client c = client("192.0.2.1", CHROME, "123");

	opens(&c, NETWORK_BY_WEBSOCKET, "a");
	now += 5000; /* until it has something to say */
	ck_assert_int_eq(networks_heard(all, &c), 0);
	ck_assert_int_eq(networks_heard(all, &c), -1);
}
END_TEST

START_TEST(time_is_lost_from_the_first_attempt_to_the_one_that_was_heard)
{
	struct network_client c = client("192.0.2.1", CHROME, "123");

	opens(&c, NETWORK_BY_WEBSOCKET, "a");
	now += 3000;
	ck_assert_int_eq(opens(&c, NETWORK_BY_STREAM, "b"), NETWORK_GAVE_UP);
	now += 1500;
	ck_assert_int_eq(opens(&c, NETWORK_BY_POLL, "c"), NETWORK_GAVE_UP);
	now += 100;
	ck_assert_int_eq(networks_heard(all, &c), 4500);
}
END_TEST

START_TEST(what_was_refused_takes_time_and_is_no_failure)
{
	struct network_client c = client("192.0.2.1", CHROME, "7");
	struct search s;

	networks_learn(all, &settings, &c, NETWORK_WEBSOCKET_SILENT, now);
	ck_assert_int_eq(opens(&c, NETWORK_BY_WEBSOCKET, "a"), NETWORK_REFUSED);
	now += 800;
	ck_assert_int_eq(opens(&c, NETWORK_BY_STREAM, "b"), NETWORK_WELCOME);
	ck_assert_int_eq(networks_heard(all, &c), 800);
	s = search("192.0.2.0/24");
	ck_assert_uint_eq(s.of[NETWORK_BROWSER_CHROME].refused, 1);
	ck_assert_uint_eq(s.of[NETWORK_BROWSER_CHROME].evidence[NETWORK_WEBSOCKET_SILENT], 1);
	ck_assert_uint_eq(networks_learned(all, NETWORK_WEBSOCKET_SILENT), 1);
}
END_TEST

START_TEST(a_handshake_that_lost_its_upgrade_is_told_and_changes_nothing)
{
	struct network_client c = client("192.0.2.1", CHROME, "7"),
	                      program = client("198.51.100.1", CHROME, "000");

	for (unsigned i = 0; i < 10; i++)
		networks_stripped(all, &settings, &c, now);
	networks_stripped(all, &settings, &program, now);
	now += 300;
	ck_assert_int_eq(opens(&c, NETWORK_BY_STREAM, "b"), NETWORK_WELCOME);
	ck_assert_int_eq(networks_heard(all, &c), 300);
	ck_assert_int_eq(opens(&c, NETWORK_BY_WEBSOCKET, "c"), NETWORK_WELCOME);
	ck_assert_uint_eq(search("192.0.2.0/24").of[NETWORK_BROWSER_CHROME].evidence[NETWORK_WEBSOCKET_STRIPPED], 10);
	ck_assert(!search("198.51.100.0/24").is_found);
}
END_TEST

START_TEST(a_refusal_of_long_ago_is_no_beginning)
{
	struct network_client c = client("192.0.2.1", CHROME, "7");

	networks_learn(all, &settings, &c, NETWORK_WEBSOCKET_SILENT, now);
	ck_assert_int_eq(opens(&c, NETWORK_BY_WEBSOCKET, "a"), NETWORK_REFUSED);
	now += 60000;
	opens(&c, NETWORK_BY_STREAM, "b");
	ck_assert_int_eq(networks_heard(all, &c), 0);
}
END_TEST

/* --- stories ----------------------------------------------------------------------------------- */

START_TEST(each_browser_of_a_network_has_its_own)
{
	struct network_client a = client("192.0.2.1", CHROME, "1"),
	                      b = client("192.0.2.2", FIREFOX, "2");
	struct search s;

	opens(&a, NETWORK_BY_WEBSOCKET, "a");
	is_reached(&a, WEBSOCKET_PLACE);
	opens(&b, NETWORK_BY_STREAM, "b");
	now += 700;
	opens(&b, NETWORK_BY_STREAM, "c"); /* the one before was held */
	is_reached(&b, STREAM_PLACE);
	s = search("192.0.2.0/24");
	ck_assert(s.is_found);
	ck_assert_uint_eq(s.of[NETWORK_BROWSER_CHROME].reached[WEBSOCKET_PLACE], 1);
	ck_assert_uint_eq(s.of[NETWORK_BROWSER_CHROME].delays[NETWORK_DELAY_0], 1);
	ck_assert_uint_eq(s.of[NETWORK_BROWSER_FIREFOX].reached[STREAM_PLACE], 1);
	ck_assert_uint_eq(s.of[NETWORK_BROWSER_FIREFOX].delays[NETWORK_DELAY_1000], 1);
	ck_assert_uint_eq(s.of[NETWORK_BROWSER_FIREFOX].evidence[NETWORK_STREAM_HELD], 1);
	ck_assert_uint_eq(s.of[NETWORK_BROWSER_CHROME].evidence[NETWORK_STREAM_HELD], 0);
	ck_assert_uint_eq(network_counted(&networks_tally(all)->of[NETWORK_BROWSER_FIREFOX].reached[STREAM_PLACE]), 1);
}
END_TEST

START_TEST(the_median_is_the_bound_of_half_of_them)
{
	struct network_story s = { 0 };

	ck_assert_uint_eq(network_story_median(&s), NETWORK_DELAY_ROWS);
	network_story_reached(&s, WEBSOCKET_PLACE, 0);
	ck_assert_uint_eq(network_delay_bound(network_story_median(&s)), 0);
	network_story_reached(&s, STREAM_PLACE, 3999);
	network_story_reached(&s, STREAM_PLACE, 4000);
	ck_assert_uint_eq(network_delay_bound(network_story_median(&s)), 4000);
	for (unsigned i = 0; i < 5; i++)
		network_story_reached(&s, 200, UINT32_MAX); /* no such transport */
	ck_assert_uint_eq(network_story_median(&s), NETWORK_DELAY_BEYOND);
}
END_TEST

START_TEST(sessions_are_counted_by_how_they_are_served)
{
	const struct network_tally *tally = networks_tally(all);
	struct network_client a = client("192.0.2.1", CHROME, "1"), bare = client("192.0.2.1", CHROME, "");

	opens(&a, NETWORK_BY_STREAM, "a");
	now += 700;
	opens(&a, NETWORK_BY_STREAM, "b");
	opens(&bare, NETWORK_BY_WEBSOCKET, "");
	networks_learn(all, &settings, &a, NETWORK_WEBSOCKET_SILENT, now);
	opens(&a, NETWORK_BY_WEBSOCKET, "c");
	ck_assert_uint_eq(network_counted(&tally->served[NETWORK_SERVICE_AS_USUAL]), 2);
	ck_assert_uint_eq(network_counted(&tally->served[NETWORK_SERVICE_SHORT_STREAM]), 1);
	ck_assert_uint_eq(network_counted(&tally->served[NETWORK_SERVICE_NOT_SERVED]), 1);
	ck_assert_uint_eq(network_counted(&tally->served[NETWORK_SERVICE_PROVED]), 0);
}
END_TEST

START_TEST(without_memory_nothing_is_counted_and_nothing_breaks)
{
	struct network_client c = client("192.0.2.1", CHROME, "1");

	for (unsigned nth = 1; nth < 6; nth++) {
		mem_fail_at(nth);
		networks_learn(all, &settings, &c, NETWORK_STREAM_HELD, now);
		is_reached(&c, STREAM_PLACE);
		mem_fail_at(0);
	}
	ck_assert_uint_ge(networks_learned(all, NETWORK_STREAM_HELD), 5);
}
END_TEST

/* --- forgetting ----------------------------------------------------------------------------------- */

static bool is_in(struct bytes key, void *arg)
{
	return visitor_key_meets(key, arg);
}

static size_t forget(const char *network)
{
	struct cidr c;
	size_t count = 0;

	ck_assert_int_eq(cidr_parse(bytes_of(network), &c), 0);
	for (unsigned share = 0; share < NETWORKS_SHARDS; share++)
		count += networks_forget_of(all, share, is_in, &c);
	return count;
}

START_TEST(a_network_is_forgotten_with_its_clients_and_no_other)
{
	struct network_client here = client("192.0.2.1", CHROME, "1"),
	                      there = client("198.51.100.1", CHROME, "2"),
	                      another = client("192.0.2.9", CHROME, "3");

	for (unsigned i = 0; i < 4; i++) {
		networks_learn(all, &settings, &here, NETWORK_WEBSOCKET_SILENT, now);
		networks_learn(all, &settings, &there, NETWORK_WEBSOCKET_SILENT, now);
	}
	ck_assert_uint_eq(network_counted(&networks_tally(all)->known), 2);
	ck_assert_int_eq(opens(&here, NETWORK_BY_WEBSOCKET, "a"), NETWORK_REFUSED);
	ck_assert_uint_eq(forget("192.0.2.77"), 1);
	ck_assert_uint_eq(network_counted(&networks_tally(all)->known), 1);
	ck_assert(!search("192.0.2.0/24").is_found);
	ck_assert_int_eq(opens(&here, NETWORK_BY_WEBSOCKET, "b"), NETWORK_WELCOME);
	ck_assert_int_eq(opens(&there, NETWORK_BY_WEBSOCKET, "c"), NETWORK_REFUSED);
	/* His own row has gone, too: once would be enough for that */
	networks_learn(all, &settings, &another, NETWORK_WEBSOCKET_SILENT, now);
	ck_assert_int_eq(opens(&here, NETWORK_BY_WEBSOCKET, "d"), NETWORK_WELCOME);
}
END_TEST

START_TEST(all_are_forgotten)
{
	char address[32];

	for (unsigned i = 0; i < 500; i++) {
		struct network_client c;

		snprintf(address, sizeof(address), "10.%u.%u.1", i / 250, i % 250);
		c = client(address, CHROME, "1");
		networks_learn(all, &settings, &c, NETWORK_WEBSOCKET_SPEAKS, now);
	}
	ck_assert_uint_eq(search("").count, 500);
	ck_assert_uint_eq(forget("10.1.0.0/16"), 250);
	ck_assert_uint_eq(forget("0.0.0.0/0"), 250);
	ck_assert_uint_eq(search("").count, 0);
	ck_assert_uint_eq(network_counted(&networks_tally(all)->known), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("network_stories");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, a_browser_is_told_by_its_marks, 0, sizeof(agents) / sizeof(*agents));
	tcase_add_test(tc, who_is_heard_at_once_has_lost_no_time);
	tcase_add_test(tc, time_is_lost_from_the_first_attempt_to_the_one_that_was_heard);
	tcase_add_test(tc, what_was_refused_takes_time_and_is_no_failure);
	tcase_add_test(tc, a_handshake_that_lost_its_upgrade_is_told_and_changes_nothing);
	tcase_add_test(tc, a_refusal_of_long_ago_is_no_beginning);
	tcase_add_test(tc, each_browser_of_a_network_has_its_own);
	tcase_add_test(tc, the_median_is_the_bound_of_half_of_them);
	tcase_add_test(tc, sessions_are_counted_by_how_they_are_served);
	tcase_add_test(tc, without_memory_nothing_is_counted_and_nothing_breaks);
	tcase_add_test(tc, a_network_is_forgotten_with_its_clients_and_no_other);
	tcase_add_test(tc, all_are_forgotten);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
