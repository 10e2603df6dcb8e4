/*
 * tests/unit/test_http_static.c - files, and what is no business of a client's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/http_static.h"
#include "http_fixture.h"

static struct http_static *files;
static char dir[] = "/tmp/test_http_static.XXXXXX";

static void path_in(char out[200], const char *name)
{
	snprintf(out, 200, "%s/%s", dir, name);
}

static void write_file(const char *name, const char *text)
{
	char path[200];
	FILE *f;

	path_in(path, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void make_dir(const char *name)
{
	char path[200];

	path_in(path, name);
	ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void serve(struct http_request *r)
{
	if (!http_static_serve(files, r))
		http_respond_text(r, 404, "not here");
}

/* The tree: root/ is served, secret and what begins with a dot are not. */
static void setup(void)
{
	char path[200];

	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_dir("root");
	make_dir("root/sub");
	make_dir("root/.git");
	write_file("secret", "secret");
	write_file("root/index.html", "<p>index");
	write_file("root/a.js", "a();");
	write_file("root/empty.txt", "");
	write_file("root/with space", "spaced");
	write_file("root/.hidden", "hidden");
	write_file("root/.git/config", "hidden");
	write_file("root/sub/index.html", "<p>sub");
	path_in(path, "root/fifo");
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	path_in(path, "root");
	ck_assert_int_eq(http_static_new(&files, path), 0);
	http_setup();
	serving = serve;
}

static void teardown(void)
{
	char command[200];

	http_teardown();
	http_static_free(files);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static unsigned status_for(const char *method, const char *target, const char *headers)
{
	char request[1500];

	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, target,
	    headers);
	return status_of(request);
}

static const char *get(const char *target, const char *headers)
{
	char request[1500];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", target, headers);
	return ask(request);
}

START_TEST(a_file_is_served_with_its_type)
{
	const char *response = get("/a.js", "");

	ck_assert_ptr_nonnull(strstr(response, "HTTP/1.1 200"));
	ck_assert_ptr_nonnull(strstr(response, "Content-Type: text/javascript; charset=UTF-8\r\n"));
	ck_assert_ptr_nonnull(strstr(response, "X-Content-Type-Options: nosniff\r\n"));
	ck_assert_ptr_nonnull(strstr(response, "\r\n\r\na();"));
	ck_assert_ptr_nonnull(strstr(get("/with%20space", ""), "\r\n\r\nspaced"));
	ck_assert_ptr_nonnull(strstr(get("/empty.txt?x=y", ""), "Content-Length: 0\r\n"));
	ck_assert_ptr_nonnull(strstr(get("/", ""), "<p>index"));
	ck_assert_ptr_nonnull(strstr(get("/sub/", ""), "<p>sub"));
}
END_TEST

START_TEST(a_head_request_gets_the_length_alone)
{
	const char *response = ask("HEAD /a.js HTTP/1.1\r\nHost: x\r\n\r\n");

	ck_assert_ptr_nonnull(strstr(response, "Content-Length: 4\r\n"));
	ck_assert_ptr_null(strstr(response, "a();"));
	ck_assert_uint_eq(status_for("POST", "/a.js", "Content-Length: 0\r\n"), 405);
}
END_TEST

START_TEST(nobody_climbs_out_of_the_directory)
{
	static const char *const bad[] = { "/../secret", "/sub/../../secret", "/..%2fsecret",
		"/%2e%2e/secret", "/%2e%2e%2fsecret", "/.%2e/secret", "/sub/%2e%2e/%2e%2e/secret",
		"//secret", "/%2fetc/passwd", "//etc/passwd", "/sub//index.html",
		"/sub/./index.html", "/./a.js", "/..", "/.", "/sub/..", "/..\\secret", "/a.js/",
		"/a.js%", "/a.js%2", "/%", "/a.js%00", "/sub", "*" };
	char climb[400] = "";

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		unsigned status = status_for("GET", bad[i], "");

		ck_assert_msg(status == 404 || status == 400, "%s: %u", bad[i], status);
	}
	for (int i = 0; i < 60; i++)
		strcat(climb, "/..");
	strcat(climb, "/etc/passwd");
	ck_assert_uint_eq(status_for("GET", climb, ""), 404);
}
END_TEST

START_TEST(hidden_files_and_what_is_no_file_are_not_there)
{
	ck_assert_uint_eq(status_for("GET", "/.hidden", ""), 404);
	ck_assert_uint_eq(status_for("GET", "/%2ehidden", ""), 404);
	ck_assert_uint_eq(status_for("GET", "/.git/config", ""), 404);
	ck_assert_uint_eq(status_for("GET", "/fifo", ""), 404);
	ck_assert_uint_eq(status_for("GET", "/none", ""), 404);
}
END_TEST

START_TEST(a_path_of_any_length_is_bounded)
{
	char target[1300] = "/";

	for (size_t n = 400; n < 1200; n++) {
		memset(target + 1, 'a', n);
		target[n + 1] = '\0';
		if (n % 97 == 0 || (n > 480 && n < 520))
			ck_assert_uint_eq(status_for("GET", target, ""), 404);
	}
	memset(target + 1, '/', 1200);
	ck_assert_uint_eq(status_for("GET", target, ""), 404);
}
END_TEST

START_TEST(what_the_client_has_is_not_sent_again)
{
	char etag[100], header[300];
	const char *response = get("/a.js", ""), *at = strstr(response, "ETag: ");

	ck_assert_ptr_nonnull(at);
	snprintf(etag, sizeof(etag), "%.*s", (int)strcspn(at + 6, "\r"), at + 6);
	snprintf(header, sizeof(header), "If-None-Match: \"x\", W/%s\r\n", etag);
	ck_assert_uint_eq(status_for("GET", "/a.js", header), 304);
	ck_assert_uint_eq(status_for("GET", "/a.js", "If-None-Match: *\r\n"), 304);
	ck_assert_uint_eq(status_for("GET", "/a.js", "If-None-Match: \"x\"\r\n"), 200);
	write_file("root/a.js", "changed();");
	ck_assert_uint_eq(status_for("GET", "/a.js", header), 200);
}
END_TEST

START_TEST(an_alias_is_a_path_of_its_own)
{
	char path[200];

	path_in(path, "secret");
	ck_assert_int_eq(http_static_alias(files, "/lib.js", path), 0);
	ck_assert_ptr_nonnull(strstr(get("/lib.js", ""), "\r\n\r\nsecret"));
	ck_assert_uint_eq(status_for("GET", "/lib.js/", ""), 404);
	ck_assert_uint_eq(status_for("GET", "/lib%2ejs", ""), 404);
	ck_assert_int_eq(http_static_alias(files, "/none.js", "/nonexistent/file"), -ENOENT);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(http_static_alias(files, "/more.js", path), 0);
	ck_assert_int_eq(http_static_alias(files, "/much.js", path), -ENOSPC);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_an_error)
{
	struct http_static *none = NULL;

	ck_assert_int_eq(http_static_new(&none, "/nonexistent"), -ENOENT);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(http_static_new(&none, NULL), 0);
	http_static_free(none);
	http_static_free(NULL);
}
END_TEST

static bool matches(const char *list)
{
	char *exact = strdup(list); /* so that a sanitizer sees a step too far */
	size_t n = strlen(list);
	char *copy = malloc(n ? n : 1);
	bool yes;

	memcpy(copy, exact, n);
	free(exact);
	yes = http_etag_matches((struct bytes){ copy, n }, BYTES("\"abc\""));
	free(copy);
	return yes;
}

START_TEST(a_list_of_etags_is_read_by_the_rules)
{
	ck_assert(matches("\"abc\""));
	ck_assert(matches("W/\"abc\""));
	ck_assert(matches("\"x\",\"abc\""));
	ck_assert(matches("\"x\" , W/\"abc\" , \"y\""));
	ck_assert(matches("\"a,b\", \"abc\""));
	ck_assert(matches(",,\"abc\""));
	ck_assert(matches("*"));
	ck_assert(!matches(""));
	ck_assert(!matches("abc"));
	ck_assert(!matches("\"abc"));
	ck_assert(!matches("\"abcd\""));
	ck_assert(!matches("\"xabc\""));
	ck_assert(!matches("\"x,\"abc\"\""));
	ck_assert(!matches("w/\"abc\""));
	ck_assert(!matches("W/"));
	ck_assert(!matches("W"));
	ck_assert(!matches("\"abc\"d"));
	ck_assert(!matches("\", \""));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_static");
	TCase *tc = tcase_create("files"), *etag = tcase_create("etag");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_file_is_served_with_its_type);
	tcase_add_test(tc, a_head_request_gets_the_length_alone);
	tcase_add_test(tc, nobody_climbs_out_of_the_directory);
	tcase_add_test(tc, hidden_files_and_what_is_no_file_are_not_there);
	tcase_add_test(tc, a_path_of_any_length_is_bounded);
	tcase_add_test(tc, what_the_client_has_is_not_sent_again);
	tcase_add_test(tc, an_alias_is_a_path_of_its_own);
	tcase_add_test(tc, a_directory_that_is_not_there_is_an_error);
	suite_add_tcase(suite, tc);
	tcase_add_test(etag, a_list_of_etags_is_read_by_the_rules);
	suite_add_tcase(suite, etag);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
