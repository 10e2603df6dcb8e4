/*
 * Two configurations side by side: each difference stands in the list of what becomes of it, and
 * what only a restart can change is taken back.
 */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/config_changes.h"

static struct config now, next;

static void read_both(const char *a, const char *b)
{
	ck_assert_int_eq(config_init(&now), 0);
	ck_assert_int_eq(config_init(&next), 0);
	ck_assert_msg(config_read_text(&now, "a.json", a, strlen(a)) == 0, "%s", now.error);
	ck_assert_msg(config_read_text(&next, "b.json", b, strlen(b)) == 0, "%s", next.error);
}

/* The lists that are not empty, as JSON with sorted keys; the caller frees it. */
static char *changes(void)
{
	json_t *all = config_changes(&next, &now, now.log_level), *list, *some = json_object();
	const char *key;
	char *text;

	ck_assert_ptr_nonnull(all);
	json_object_foreach (all, key, list)
		if (json_array_size(list) > 0)
			json_object_set(some, key, list);
	text = json_dumps(some, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(some);
	json_decref(all);
	return text;
}

static void finish(void)
{
	config_fini(&now);
	config_fini(&next);
}

static void says(const char *a, const char *b, const char *wanted)
{
	char *text;

	read_both(a, b);
	text = changes();
	ck_assert_str_eq(text, wanted);
	free(text);
	finish();
}

#define WITH(more) "{\"listen\":[\"127.0.0.1:0\"]" more "}"
#define ENDPOINTS(list) WITH(",\"endpoints\":[" list "]")
#define ECHO_AT(prefix, more) "{\"prefix\":\"" prefix "\",\"application\":\"echo\"" more "}"
#define STOMP_AT(prefix, more) \
	"{\"prefix\":\"" prefix "\",\"application\":\"stomp\"" more "}"

START_TEST(nothing_is_different)
{
	says(ENDPOINTS(ECHO_AT("/a", "")), ENDPOINTS(ECHO_AT("/a", "")), "{}");
	/* A default that is said is no difference. */
	says(WITH(""), WITH(",\"limits\":{\"connections\":100000}"), "{}");
}
END_TEST

START_TEST(each_difference_stands_in_its_list)
{
	says(WITH(""), WITH(",\"limits\":{\"connections\":7},\"log_level\":\"warn\""),
	    "{\"changed\":[\"limits.connections\",\"log_level\"]}");
	says(ENDPOINTS(ECHO_AT("/a", "")),
	    ENDPOINTS(ECHO_AT("/a", ",\"heartbeat_delay_ms\":9000,\"max_sessions\":3")),
	    "{\"changed\":[\"endpoints[\\\"/a\\\"].max_sessions\"],"
	    "\"new_sessions\":[\"endpoints[\\\"/a\\\"].heartbeat_delay_ms\"]}");
	says(ENDPOINTS(ECHO_AT("/a", "")), ENDPOINTS(ECHO_AT("/b", "")),
	    "{\"added\":[\"/b\"],\"removed\":[\"/a\"]}");
	says("{\"listen\":[\"127.0.0.1:1\"],\"internal\":{\"listen\":\"127.0.0.1:2\"}}",
	    "{\"listen\":[\"127.0.0.1:3\"]}",
	    "{\"closed\":[\"127.0.0.1:1\",\"127.0.0.1:2\"],\"opened\":[\"127.0.0.1:3\"]}");
}
END_TEST

START_TEST(another_application_is_for_new_sessions)
{
	says(ENDPOINTS(ECHO_AT("/a", "")), ENDPOINTS(STOMP_AT("/a", "")),
	    "{\"new_sessions\":[\"endpoints[\\\"/a\\\"].application\"]}");
}
END_TEST

START_TEST(what_needs_a_restart_is_taken_back)
{
	char *text;

	read_both(ENDPOINTS(STOMP_AT("/s", ",\"stomp\":{\"prefetch\":5,\"anonymous\":true}")),
	    WITH(",\"threads\":3,\"user\":\"nobody\",\"endpoints\":[" STOMP_AT(
	        "/s", ",\"stomp\":{\"prefetch\":9,\"anonymous\":false}") "]"));
	text = changes();
	ck_assert_str_eq(text,
	    "{\"changed\":[\"endpoints[\\\"/s\\\"].stomp.anonymous\"],"
	    "\"restart\":[\"threads\",\"user\",\"endpoints[\\\"/s\\\"].stomp.prefetch\"]}");
	free(text);
	ck_assert_uint_eq(next.options.server.threads, 0);
	ck_assert_ptr_null(next.user);
	ck_assert_uint_eq(next.endpoints[0].options.stomp.prefetch, 5);
	ck_assert(!next.endpoints[0].options.stomp.anonymous);
	/* And so it is said each time. */
	finish();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("config_changes");
	TCase *c = tcase_create("config_changes");

	tcase_add_test(c, nothing_is_different);
	tcase_add_test(c, each_difference_stands_in_its_list);
	tcase_add_test(c, another_application_is_for_new_sessions);
	tcase_add_test(c, what_needs_a_restart_is_taken_back);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
