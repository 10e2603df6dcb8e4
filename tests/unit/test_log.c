/*
 * tests/unit/test_log.c - lines that are whole and cannot be forged.
 */
#include "base/log.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

static char last[8192];
static enum log_level last_level;
static int lines;

static void keep(enum log_level level, const char *line, void *arg)
{
	ck_assert_ptr_eq(arg, &lines);
	ck_assert_uint_lt(strlen(line), sizeof(last));
	strcpy(last, line);
	last_level = level;
	lines++;
}

static void setup(void)
{
	lines = 0;
	last[0] = '\0';
	log_set_sink(keep, &lines);
	log_set_level(LOG_INFO);
	log_set_format(LOG_TEXT);
}

static void teardown(void)
{
	log_set_sink(NULL, NULL);
}

/* The line behind its time stamp. */
static void assert_text(const char *expected)
{
	ck_assert_uint_gt(strlen(last), 25);
	ck_assert_int_eq(last[10], 'T');
	ck_assert_int_eq(last[23], 'Z');
	ck_assert_str_eq(last + 25, expected);
}

static void assert_json(const char *expected)
{
	static const char head[] = "{\"time\":\"2026-01-31T12:00:00.123Z\",";

	ck_assert_uint_gt(strlen(last), sizeof(head));
	ck_assert_mem_eq(last, head, 9);
	ck_assert_str_eq(last + sizeof(head) - 1, expected);
}

START_TEST(a_line_has_level_message_and_fields)
{
	log_info("session closed", LOG_INT("code", 3000), LOG_STR("reason", "Go away!"));
	assert_text("info  session closed code=3000 reason=\"Go away!\"");
	log_error("bad");
	assert_text("error bad");
	ck_assert_int_eq(last_level, LOG_ERROR);
	log_warn("x", LOG_INT("n", -1), LOG_BYTES("b", ((struct bytes){ "abcdef", 3 })));
	assert_text("warn  x n=-1 b=\"abc\"");
}
END_TEST

START_TEST(json_lines_carry_the_same)
{
	log_set_format(LOG_JSON);
	log_info("session closed", LOG_INT("code", 3000), LOG_STR("reason", "Go \"away\""));
	assert_json("\"level\":\"info\",\"message\":\"session closed\",\"code\":3000,"
	            "\"reason\":\"Go \\\"away\\\"\"}");
	log_error("bad");
	assert_json("\"level\":\"error\",\"message\":\"bad\"}");
}
END_TEST

START_TEST(lines_below_the_level_are_not_even_evaluated)
{
	int evaluated = 0;

	log_debug("x", LOG_INT("n", ++evaluated));
	ck_assert_int_eq(lines + evaluated, 0);
	log_set_level(LOG_DEBUG);
	log_debug("x", LOG_INT("n", ++evaluated));
	ck_assert_int_eq(lines, 1);
	ck_assert_int_eq(evaluated, 1);
	log_set_level(LOG_SILENT);
	log_error("x");
	ck_assert_int_eq(lines, 1);
}
END_TEST

START_TEST(no_value_can_forge_a_line_or_reach_a_terminal)
{
	log_info("x", LOG_STR("v", "a\"\\\r\n\t\x1b[2J\x7f"
	                           "b"));
	assert_text("info  x v=\"a\\\"\\\\\\u000d\\u000a\\u0009\\u001b[2J\\u007fb\"");
	log_info("x", LOG_STR("v", "\xc2\x9b"
	                           "2J\xc2\xa0\xc3\xa9\xf0\x9f\x98\x80"));
	assert_text("info  x v=\"\\u009b2J\xc2\xa0\xc3\xa9\xf0\x9f\x98\x80\"");
	log_info("x", LOG_BYTES("v", ((struct bytes){ "a\0b", 3 })));
	assert_text("info  x v=\"a\\u0000b\"");
}
END_TEST

START_TEST(a_line_is_always_utf8)
{
	log_info("x", LOG_STR("v", "\xff\xc3(\xed\xa0\x80\xe2\x82"));
	assert_text("info  x v=\"\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\"");
}
END_TEST

START_TEST(a_missing_string_is_empty)
{
	const char *none = NULL;

	log_info("x", LOG_STR("v", none), LOG_BYTES("w", ((struct bytes){ NULL, 0 })));
	assert_text("info  x v=\"\" w=\"\"");
}
END_TEST

START_TEST(errors_are_spelt_out_and_errno_is_left_alone)
{
	errno = EAGAIN;
	log_info("x", LOG_ERR(-ENOENT));
	assert_text("info  x error=\"No such file or directory\"");
	log_info("x", LOG_ERR(ENOENT));
	assert_text("info  x error=\"No such file or directory\"");
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(a_long_string_is_cut_and_the_line_goes_on)
{
	char big[5000];

	memset(big, 'x', sizeof(big));
	log_set_format(LOG_JSON);
	log_info("m", LOG_BYTES("big", ((struct bytes){ big, sizeof(big) })), LOG_INT("n", 1));
	ck_assert_uint_lt(strlen(last), 1200);
	ck_assert_str_eq(last + strlen(last) - 18, "xxxxxxx...\",\"n\":1}");
}
END_TEST

START_TEST(fields_without_room_are_left_out_whole)
{
	char big[5000];

	memset(big, '\n', sizeof(big)); /* six octets each */
	log_set_format(LOG_JSON);
	for (size_t n = 0; n < 1100; n++) {
		struct bytes v = { big, n };
		size_t len;

		log_info("m", LOG_BYTES("a", v), LOG_BYTES("b", v), LOG_BYTES("c", v),
		    LOG_BYTES("d", v), LOG_BYTES("e", v));
		len = strlen(last);
		ck_assert_uint_lt(len, 4096);
		if (n == 0)
			ck_assert_str_eq(last + len - 7, "\"e\":\"\"}");
		else
			ck_assert(strcmp(last + len - 4, "00a\"}") == 0 ||
			          strcmp(last + len - 3, "a\"}") == 0 ||
			          strcmp(last + len - 5, "...\"}") == 0);
	}
	ck_assert_ptr_nonnull(strstr(last, "\"c\":"));
	ck_assert_ptr_null(strstr(last, "\"e\":"));
}
END_TEST

START_TEST(without_a_sink_a_line_is_one_write_to_standard_error)
{
	int fds[2], saved = dup(STDERR_FILENO);
	char line[256];
	ssize_t n;

	ck_assert_int_eq(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log_set_sink(NULL, NULL);
	log_info("to the terminal");
	dup2(saved, STDERR_FILENO);
	n = read(fds[0], line, sizeof(line) - 1);
	ck_assert_int_gt(n, 25);
	line[n] = '\0';
	ck_assert_str_eq(line + 25, "info  to the terminal\n");
	close(fds[0]);
	close(fds[1]);
	close(saved);
}
END_TEST

START_TEST(levels_and_formats_have_names)
{
	for (int level = LOG_DEBUG; level <= LOG_SILENT; level++)
		ck_assert_int_eq(log_level_by_name(log_level_name((enum log_level)level)), level);
	ck_assert_int_eq(log_level_by_name("warning"), -1);
	ck_assert_int_eq(log_level_by_name(""), -1);
	ck_assert_int_eq(log_format_by_name("json"), LOG_JSON);
	ck_assert_int_eq(log_format_by_name("text"), LOG_TEXT);
	ck_assert_int_eq(log_format_by_name("xml"), -1);
}
END_TEST

/* --- limits --------------------------------------------------------------- */

static unsigned hooked;

static void count_hook(void)
{
	hooked++;
}

static void say_often(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		log_info_limited("a stranger knocks", LOG_INT("i", i));
}

START_TEST(what_strangers_cause_is_said_ten_times_a_second)
{
	clock_set(50000);
	say_often(1000);
	ck_assert_int_eq(lines, LOG_LIMIT_LINES);
	assert_text("info  a stranger knocks i=9");
	clock_set(51000);
	say_often(1);
	ck_assert_int_eq(lines, LOG_LIMIT_LINES + 1);
	assert_text("info  a stranger knocks i=0 suppressed=990");
	say_often(1);
	assert_text("info  a stranger knocks i=0");
	log_tell_suppressed(true);
	clock_set(0);
}
END_TEST

START_TEST(what_was_left_out_is_told_even_if_nothing_follows)
{
	hooked = 0;
	log_set_suppressed_hook(count_hook);
	clock_set(60000);
	say_often(15);
	ck_assert_uint_eq(hooked, 1);
	ck_assert(!log_tell_suppressed(false)); /* the second is not over */
	ck_assert_int_eq(lines, LOG_LIMIT_LINES);
	clock_set(61000);
	ck_assert(log_tell_suppressed(false));
	assert_text("info  a stranger knocks suppressed=5");
	ck_assert(log_tell_suppressed(true));
	ck_assert_int_eq(lines, LOG_LIMIT_LINES + 1);
	log_set_suppressed_hook(NULL);
	clock_set(0);
}
END_TEST

START_TEST(places_in_the_code_have_limits_of_their_own)
{
	clock_set(70000);
	say_often(100);
	log_info_limited("another one");
	assert_text("info  another one");
	log_tell_suppressed(true);
	clock_set(0);
}
END_TEST

START_TEST(a_limited_line_below_the_level_is_not_counted)
{
	log_set_level(LOG_WARN);
	say_often(100);
	log_set_level(LOG_INFO);
	ck_assert(log_tell_suppressed(true));
	ck_assert_int_eq(lines, 0);
}
END_TEST

static void *knock(void *arg)
{
	(void)arg;
	say_often(1000);
	return NULL;
}

static long long told;

static void add_up(enum log_level level, const char *line, void *arg)
{
	const char *at = strstr(line, "suppressed=");

	(void)level, (void)arg;
	__atomic_fetch_add(
	    &told, (strstr(line, " i=") ? 1 : 0) + (at ? atoll(at + 11) : 0), __ATOMIC_RELAXED);
}

START_TEST(every_line_is_either_said_or_counted_whichever_the_thread)
{
	pthread_t threads[4];

	told = 0;
	log_set_sink(add_up, NULL);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, knock, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	log_tell_suppressed(true);
	ck_assert_int_eq(told, 4000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_line_has_level_message_and_fields);
	tcase_add_test(tc, json_lines_carry_the_same);
	tcase_add_test(tc, lines_below_the_level_are_not_even_evaluated);
	tcase_add_test(tc, no_value_can_forge_a_line_or_reach_a_terminal);
	tcase_add_test(tc, a_line_is_always_utf8);
	tcase_add_test(tc, a_missing_string_is_empty);
	tcase_add_test(tc, errors_are_spelt_out_and_errno_is_left_alone);
	tcase_add_test(tc, a_long_string_is_cut_and_the_line_goes_on);
	tcase_add_test(tc, fields_without_room_are_left_out_whole);
	tcase_add_test(tc, without_a_sink_a_line_is_one_write_to_standard_error);
	tcase_add_test(tc, levels_and_formats_have_names);
	tcase_add_test(tc, what_strangers_cause_is_said_ten_times_a_second);
	tcase_add_test(tc, what_was_left_out_is_told_even_if_nothing_follows);
	tcase_add_test(tc, places_in_the_code_have_limits_of_their_own);
	tcase_add_test(tc, a_limited_line_below_the_level_is_not_counted);
	tcase_add_test(tc, every_line_is_either_said_or_counted_whichever_the_thread);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
