/*
 * tests/unit/test_relay_names.c - destinations here and there: one name here is one there, and nothing else.
 */
#include "relay/relay_names.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct relay_names rabbit = { RELAY_RABBITMQ, '/' }, active = { RELAY_ACTIVEMQ, '/' },
                                dotted = { RELAY_RABBITMQ, '.' };
static char text[1024];

/* "!" and the sentence's beginning, if it is refused. */
static const char *there(const struct relay_names *names, const char *here, bool is_pattern)
{
	struct buf out = BUF_INIT;
	const char *why;
	int err = relay_name_there(names, bytes_of(here), is_pattern, &out, &why);

	if (err < 0)
		snprintf(text, sizeof(text), "!%s", why);
	else
		snprintf(text, sizeof(text), "%.*s", (int)buf_len(&out), buf_data(&out));
	buf_fini(&out);
	return text;
}

static const char *here(const struct relay_names *names, const char *name)
{
	struct buf out = BUF_INIT;
	int err = relay_name_here(names, bytes_of(name), &out);

	snprintf(text, sizeof(text), "%.*s", err < 0 ? 1 : (int)buf_len(&out), err < 0 ? "!" : buf_data(&out));
	buf_fini(&out);
	return text;
}

START_TEST(a_path_becomes_words)
{
	ck_assert_str_eq(there(&rabbit, "/topic/prices/eur", false), "/topic/prices.eur");
	ck_assert_str_eq(there(&active, "/topic/prices/eur", false), "/topic/prices.eur");
	ck_assert_str_eq(there(&rabbit, "/queue/jobs", false), "/queue/jobs");
	ck_assert_str_eq(there(&dotted, "/topic/prices.eur", false), "/topic/prices.eur");
}
END_TEST

START_TEST(patterns_are_those_of_the_broker)
{
	ck_assert_str_eq(there(&rabbit, "/topic/*/eur/**", true), "/topic/*.eur.#");
	ck_assert_str_eq(there(&active, "/topic/prices/*/**", true), "/topic/prices.*.>");
	ck_assert_str_eq(there(&dotted, "/topic/a.*.**", true), "/topic/a.*.#");
	ck_assert_str_eq(there(&rabbit, "/topic/**", true), "/topic/#");
}
END_TEST

START_TEST(what_means_something_there_is_refused)
{
	static const char *const rabbits[] = { "/topic/a.b", "/topic/a/#", "/topic/a#b", "/topic/x.", "/topic/*",
		"/topic" };
	static const char *const actives[] = { "/topic/a,/queue/b", "/topic/a?x=1", "/topic/a/>",
		"/topic/ a", "/topic/a ", "/topic/a/b\t", "/topic/a.b", "/topic/ActiveMQ/Advisory",
		"/topic/activemq", "/topic/*" };

	for (size_t i = 0; i < sizeof(rabbits) / sizeof(*rabbits); i++)
		ck_assert_msg(*there(&rabbit, rabbits[i], false) == '!', "%s: %s", rabbits[i], text);
	for (size_t i = 0; i < sizeof(actives) / sizeof(*actives); i++)
		ck_assert_msg(*there(&active, actives[i], false) == '!', "%s: %s", actives[i], text);
	ck_assert_int_eq(*there(&dotted, "/topic/a/b", false), '!');
}
END_TEST

START_TEST(patterns_do_not_fit_what_the_broker_says_of_itself)
{
	ck_assert_int_eq(*there(&active, "/topic/**", true), '!');
	ck_assert_int_eq(*there(&active, "/topic/*/Advisory/**", true), '!');
	ck_assert_int_eq(*there(&active, "/topic/ActiveMQ/**", true), '!');
	ck_assert_str_eq(there(&active, "/topic/a/**", true), "/topic/a.>");
}
END_TEST

START_TEST(a_name_that_is_too_long_there_is_refused)
{
	char name[400] = "/topic/";

	memset(name + 7, 'a', 255);
	name[7 + 255] = '\0';
	ck_assert_int_eq(*there(&rabbit, name, false), '/');
	name[7 + 255] = 'a';
	name[7 + 256] = '\0';
	ck_assert_int_eq(*there(&rabbit, name, false), '!');
}
END_TEST

START_TEST(percent_is_itself)
{
	ck_assert_str_eq(there(&rabbit, "/topic/a%2Eb", false), "/topic/a%2Eb");
	ck_assert_int_eq(*there(&rabbit, "/topic/a%2Fb", false), '!');
	ck_assert_int_eq(*there(&rabbit, "/topic/a%2f", false), '!');
	ck_assert_str_eq(there(&active, "/topic/a%2Fb", false), "/topic/a%2Fb");
	ck_assert_str_eq(there(&active, "/topic/a%2Eb", false), "/topic/a%2Eb");
	ck_assert_str_eq(here(&rabbit, "/topic/a%252Eb"), "/topic/a%2Eb");
	ck_assert_str_eq(here(&active, "/topic/a%2Eb"), "/topic/a%2Eb");
}
END_TEST

START_TEST(words_become_a_path)
{
	ck_assert_str_eq(here(&rabbit, "/topic/prices.eur"), "/topic/prices/eur");
	ck_assert_str_eq(here(&dotted, "/topic/prices.eur"), "/topic/prices.eur");
	ck_assert_str_eq(here(&rabbit, "/topic/a%C3%A9"), "/topic/a\xc3\xa9");
}
END_TEST

START_TEST(what_can_be_no_name_here_is_none)
{
	static const char *const odd[] = { "", "/", "topic/a", "/topic", "/topic/", "/topic/a..b", "/topic/.a",
		"/topic/a.*", "/topic/a%00", "/topic/a%0Ab", "/topic/a%2Fb", "/topic/a/b", "/topic/a%2Eb", "/topic/a%23" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		ck_assert_msg(*here(&rabbit, odd[i]) == '!', "%s: %s", odd[i], text);
}
END_TEST

/* As the broker says a name that it has heard. */
static const char *said(const struct relay_names *names, const char *name)
{
	static char octets[3 * sizeof(text)];
	char *to = octets;

	for (; *name; name++)
		if (*name == '%' && names == &rabbit)
			to += sprintf(to, "%%25");
		else
			*to++ = *name;
	*to = '\0';
	return octets;
}

/* Every name of a few octets: it comes back as it went, or is refused. */
START_TEST(there_and_back_is_the_same)
{
	static const char octets[] = "a%2/ .#*>,?E";
	const struct relay_names *const all[] = { &rabbit, &active };
	char name[16] = "/topic/";
	size_t n = sizeof(octets) - 1, tried = 0;

	for (size_t i = 0; i < n * n * n * n; i++) {
		size_t rest = i;

		for (int j = 0; j < 4; j++, rest /= n)
			name[7 + j] = octets[rest % n];
		name[11] = '\0';
		for (int k = 0; k < 2; k++) {
			char went[sizeof(text)];

			/* What a broker says of itself: either it has no name here, or that leads back to it */
			if (*here(all[k], name) != '!') {
				snprintf(went, sizeof(went), "%s", text);
				ck_assert_msg(*there(all[k], went, false) == '/', "%s: %s: %s", name, went, text);
				ck_assert_str_eq(here(all[k], said(all[k], there(all[k], went, false))), went);
			}
			if (name[7] == '/' || name[10] == '/' || strstr(name + 7, "//") || strchr(name, '*') ||
			    *there(all[k], name, false) == '!')
				continue;
			snprintf(went, sizeof(went), "%s", text);
			ck_assert_msg(strcmp(here(all[k], said(all[k], went)), name) == 0, "%s: %s: %s", name, went, text);
			tried++;
		}
	}
	ck_assert_uint_gt(tried, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("relay_names");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_path_becomes_words);
	tcase_add_test(tc, patterns_are_those_of_the_broker);
	tcase_add_test(tc, what_means_something_there_is_refused);
	tcase_add_test(tc, patterns_do_not_fit_what_the_broker_says_of_itself);
	tcase_add_test(tc, a_name_that_is_too_long_there_is_refused);
	tcase_add_test(tc, percent_is_itself);
	tcase_add_test(tc, words_become_a_path);
	tcase_add_test(tc, what_can_be_no_name_here_is_none);
	tcase_add_test(tc, there_and_back_is_the_same);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
