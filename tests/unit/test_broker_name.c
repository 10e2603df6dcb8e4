/*
 * tests/unit/test_broker_name.c - destinations and patterns as text: what is one, what matches,
 * and who is meant by "/user/NAME/rest".
 */
#include "broker/broker_name.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>

static char text[BROKER_DESTINATION_MAX];

static bool is_destination(const char *name)
{
	return broker_name_is_destination(bytes_of(name), '/');
}

static bool is_pattern(const char *name)
{
	return broker_name_is_pattern(bytes_of(name), '/');
}

static bool matches(const char *pattern, const char *destination)
{
	return broker_name_matches(bytes_of(pattern), bytes_of(destination), '/');
}

static bool matches_by_dots(const char *pattern, const char *destination)
{
	return broker_name_matches(bytes_of(pattern), bytes_of(destination), '.');
}

/* The destination with `count` segments. */
static const char *segments(int count)
{
	static char name[BROKER_DESTINATION_MAX];
	size_t n = 0;

	while (count-- > 0)
		n += (size_t)snprintf(name + n, sizeof(name) - n, "/s%d", count);
	return name;
}

/* What it is in "NAME SHOWN", or "-". */
static const char *split(const char *destination, char separator)
{
	static char answer[2 * BROKER_DESTINATION_MAX];
	struct bytes name, shown;
	int err = broker_name_split(bytes_of(destination), separator, text, &name, &shown);

	ck_assert(err == 0 || err == -EINVAL);
	if (err < 0)
		return "-";
	snprintf(answer, sizeof(answer), "%.*s %.*s", (int)name.n, name.p, (int)shown.n, shown.p);
	return answer;
}

START_TEST(a_destination_is_a_path_of_segments_that_are_not_empty)
{
	ck_assert(is_destination("/topic"));
	ck_assert(is_destination("/topic/prices/eur"));
	ck_assert(is_destination("/topic/pr\xc3\xa9vu/a b/%2F/a.b"));
	ck_assert(!is_destination(""));
	ck_assert(!is_destination("/"));
	ck_assert(!is_destination("topic/a"));
	ck_assert(!is_destination("//topic"));
	ck_assert(!is_destination("/topic/"));
	ck_assert(!is_destination("/topic//a"));
	ck_assert(!broker_name_is_destination((struct bytes){ NULL, 0 }, '/'));
}
END_TEST

START_TEST(a_destination_has_no_stars_and_no_control_characters_and_is_utf8)
{
	ck_assert(!is_destination("/topic/*"));
	ck_assert(!is_destination("/topic/**"));
	ck_assert(!is_destination("/topic/a*"));
	ck_assert(!is_destination("/topic/a\n"));
	ck_assert(!is_destination("/topic/a\x7f"));
	ck_assert(!is_destination("/topic/\xc3"));
	ck_assert(!is_destination("/topic/\xed\xa0\x80"));
	ck_assert(!broker_name_is_destination(BYTES("/topic/a\0b"), '/'));
}
END_TEST

START_TEST(a_destination_is_as_long_as_the_limits_say)
{
	char name[BROKER_DESTINATION_MAX + 2];

	memset(name, 'a', sizeof(name));
	name[0] = '/';
	ck_assert(broker_name_is_destination((struct bytes){ name, BROKER_DESTINATION_MAX }, '/'));
	ck_assert(
	    !broker_name_is_destination((struct bytes){ name, BROKER_DESTINATION_MAX + 1 }, '/'));
	ck_assert(is_destination(segments(BROKER_SEGMENTS_MAX)));
	ck_assert(is_pattern(segments(BROKER_SEGMENTS_MAX)));
	ck_assert(!is_destination(segments(BROKER_SEGMENTS_MAX + 1)));
	ck_assert(!is_pattern(segments(BROKER_SEGMENTS_MAX + 1)));
}
END_TEST

START_TEST(stars_in_a_pattern_are_whole_segments_and_two_are_the_last)
{
	ck_assert(is_pattern("/topic/*/eur"));
	ck_assert(is_pattern("/topic/*/*/**"));
	ck_assert(is_pattern("/**"));
	ck_assert(is_pattern("/*"));
	ck_assert(!is_pattern("/topic/a*"));
	ck_assert(!is_pattern("/topic/**/a"));
	ck_assert(!is_pattern("/topic/***"));
	ck_assert(!is_pattern("/topic/**/"));
	ck_assert(!is_pattern("/topic/**/**"));
	ck_assert(!is_pattern("**"));
}
END_TEST

START_TEST(one_star_is_one_segment_and_two_are_any_number_of_them)
{
	ck_assert(matches("/topic/a", "/topic/a"));
	ck_assert(!matches("/topic/a", "/topic/ab"));
	ck_assert(!matches("/topic/a", "/topic/a/b"));
	ck_assert(!matches("/topic/a/b", "/topic/a"));
	ck_assert(matches("/topic/*", "/topic/a"));
	ck_assert(!matches("/topic/*", "/topic"));
	ck_assert(!matches("/topic/*", "/topic/a/b"));
	ck_assert(matches("/*/*/c", "/a/b/c"));
	ck_assert(matches("/topic/**", "/topic"));
	ck_assert(matches("/topic/**", "/topic/a"));
	ck_assert(matches("/topic/**", "/topic/a/b"));
	ck_assert(!matches("/topic/**", "/topics/a"));
	ck_assert(matches("/topic/*/**", "/topic/a"));
	ck_assert(!matches("/topic/*/**", "/topic"));
}
END_TEST

START_TEST(with_dots_a_slash_ends_only_the_first_segment)
{
	ck_assert(matches_by_dots("/topic/*", "/topic/prices"));
	ck_assert(!matches_by_dots("/topic/*", "/topic/prices.eur"));
	ck_assert(matches_by_dots("/topic/*.eur", "/topic/prices.eur"));
	ck_assert(matches_by_dots("/topic/**", "/topic/prices.eur"));
	ck_assert(matches_by_dots("/topic/*", "/topic/a/b"));
	ck_assert(!matches_by_dots("/topic/*", "/topic.a/b.c"));
	ck_assert(broker_name_is_pattern(BYTES("/topic/*.a.**"), '.'));
	ck_assert(!broker_name_is_pattern(BYTES("/topic/*/a"), '.'));
	ck_assert(!broker_name_is_destination(BYTES("/topic/a..b"), '.'));
	ck_assert(!broker_name_is_destination(BYTES("/topic/.a"), '.'));
	ck_assert(!broker_name_is_destination(BYTES("/topic/a."), '.'));
}
END_TEST

START_TEST(only_the_segment_user_is_private)
{
	ck_assert(broker_name_is_private(BYTES("/user")));
	ck_assert(broker_name_is_private(BYTES("/user/a")));
	ck_assert(!broker_name_is_private(BYTES("/users/a")));
	ck_assert(!broker_name_is_private(BYTES("/use")));
	ck_assert(!broker_name_is_private(BYTES("/topic/user")));
	ck_assert(!broker_name_is_private(BYTES("/user.a/b")));
}
END_TEST

START_TEST(a_private_destination_is_a_name_and_what_its_subscribers_see)
{
	ck_assert_str_eq(split("/user/anna/queue/x", '/'), "anna /user/queue/x");
	ck_assert_str_eq(split("/user/anna/q", '/'), "anna /user/q");
	ck_assert_str_eq(split("/user/a%2Fb%2f%25/q", '/'), "a/b/% /user/q");
	ck_assert_str_eq(split("/user/%2a+%C3%A9/q", '/'), "*+\xc3\xa9 /user/q");
	ck_assert_str_eq(split("/user/a.b@c.d/queue.x", '.'), "a.b@c.d /user/queue.x");
	ck_assert_str_eq(split("/user/a..b/queue.x", '.'), "a..b /user/queue.x");
}
END_TEST

START_TEST(a_private_destination_without_a_rest_or_with_a_bad_name_is_none)
{
	const char *const bad[] = { "/user", "/user/", "/user/anna", "/user/anna/", "/user//q",
		"/user/anna//q", "/user/%/q", "/user/%2/q", "/user/%2", "/user/%g0/q",
		"/user/%0g/q", "/user/a%00b/q", "/user/%0a/q", "/user/%ff/q", "/user/*/q",
		"/user/anna/*", "/user/anna/a\x01" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_str_eq(split(bad[i], '/'), "-");
	ck_assert_str_eq(split("/user/anna/.x", '.'), "-");
	ck_assert_str_eq(split("/user/anna.queue", '.'), "-");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("broker_name");
	TCase *tc = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_destination_is_a_path_of_segments_that_are_not_empty);
	tcase_add_test(tc, a_destination_has_no_stars_and_no_control_characters_and_is_utf8);
	tcase_add_test(tc, a_destination_is_as_long_as_the_limits_say);
	tcase_add_test(tc, stars_in_a_pattern_are_whole_segments_and_two_are_the_last);
	tcase_add_test(tc, one_star_is_one_segment_and_two_are_any_number_of_them);
	tcase_add_test(tc, with_dots_a_slash_ends_only_the_first_segment);
	tcase_add_test(tc, only_the_segment_user_is_private);
	tcase_add_test(tc, a_private_destination_is_a_name_and_what_its_subscribers_see);
	tcase_add_test(tc, a_private_destination_without_a_rest_or_with_a_bad_name_is_none);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
