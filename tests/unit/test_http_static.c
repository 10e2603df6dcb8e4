/*
 * tests/unit/test_http_static.c - files, and what is no business of a client's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "files/static_files.h"
#include "http_fixture.h"
#include "tls_fixture.h"

#define LONG  200000             /* octets of a file that is sent in pieces */
#define HUGE  (50 * 1024 * 1024) /* of one that nobody wants to keep in memory */
#define CROWD 200
#define END   "<end>"

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

static void link_to(const char *target, const char *name)
{
	char path[200];

	path_in(path, name);
	ck_assert_int_eq(symlink(target, path), 0);
}

static void make_links(void)
{
	char secret[200];

	path_in(secret, "secret");
	link_to("../secret", "root/out.txt");
	link_to(secret, "root/absolute.txt");
	link_to("..", "root/up");
	link_to("/", "root/everything");
	link_to("up/secret", "root/chain.txt");
	link_to("loop.txt", "root/loop.txt");
}

static void check_links_lead_nowhere(void)
{
	static const char *const out[] = { "/out.txt", "/absolute.txt", "/up/secret",
		"/everything/etc/passwd", "/chain.txt", "/loop.txt", "/up/", "/up" };

	for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++)
		ck_assert_msg(status_for("GET", out[i], "") == 404, "%s", out[i]);
}

START_TEST(a_symbolic_link_is_followed_within_the_directory_alone)
{
	make_links();
	check_links_lead_nowhere();
	link_to("sub/index.html", "root/in.html");
	link_to("sub", "root/sub2");
	ck_assert_ptr_nonnull(strstr(get("/in.html", ""), "<p>sub"));
	ck_assert_ptr_nonnull(strstr(get("/sub2/", ""), "<p>sub"));
}
END_TEST

/* As an old kernel, or a sandbox. (Each test is a process of its own.) */
static void forbid_openat2(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		                          offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(without_openat2_no_symbolic_link_is_followed)
{
	make_links();
	link_to("a.js", "root/in.js");
	forbid_openat2();
	check_links_lead_nowhere();
	ck_assert_uint_eq(status_for("GET", "/in.js", ""), 404);
	ck_assert_ptr_nonnull(strstr(get("/a.js", ""), "\r\n\r\na();"));
	ck_assert_ptr_nonnull(strstr(get("/sub/", ""), "<p>sub"));
	ck_assert_uint_eq(status_for("GET", "/sub/none", ""), 404);
	ck_assert_uint_eq(status_for("GET", "/none/a.js", ""), 404);
}
END_TEST

/* --- long files ------------------------------------------------------------------- */

/* Each octet tells its place. */
static char octet_at(size_t i)
{
	return (char)('a' + i % 26 + (i / 1000) % 3 * -32);
}

static void write_long_file(void)
{
	static char text[LONG + 1];

	for (size_t i = 0; i < LONG - strlen(END); i++)
		text[i] = octet_at(i);
	strcpy(text + LONG - strlen(END), END);
	write_file("root/long.txt", text);
}

static void check_long_body(const char *body)
{
	for (size_t i = 0; i < LONG - strlen(END); i++)
		ck_assert_msg(body[i] == octet_at(i), "octet %zu", i);
	ck_assert_int_eq(strncmp(body + LONG - strlen(END), END, strlen(END)), 0);
}

static const char *long_body_of(const char *response)
{
	const char *body = strstr(response, "\r\n\r\n");

	ck_assert_uint_eq(strncmp(response, "HTTP/1.1 200 ", 13), 0);
	ck_assert_ptr_nonnull(strstr(response, "Content-Length: 200000\r\n"));
	ck_assert_ptr_nonnull(strstr(response, "Content-Type: text/plain; charset=UTF-8\r\n"));
	ck_assert_ptr_nonnull(body);
	return body + 4;
}

/* What is pipelined behind a file waits for its end. */
START_TEST(a_long_file_arrives_whole_and_the_connection_goes_on)
{
	int fds[2];

	write_long_file();
	fds[0] = client_new();
	fds[1] = client_new_unix();
	for (int i = 0; i < 2; i++) {
		const char *heard;

		say(fds[i], GET("/long.txt") GET("/a.js"));
		heard = hear(fds[i], "\r\n\r\na();");
		check_long_body(long_body_of(heard));
		hear_anew(fds[i]);
		say(fds[i], "GET /long.txt HTTP/1.1\r\nHost: x\r\n\r\n");
		check_long_body(long_body_of(hear(fds[i], END)));
		say(fds[i], GET("/a.js"));
		hear(fds[i], "\r\n\r\na();");
		close(fds[i]);
	}
	settle();
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

START_TEST(who_wants_no_more_gets_a_long_file_and_the_end)
{
	int fd = client_new();
	const char *heard;

	write_long_file();
	say(fd, "GET /long.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	shutdown(fd, SHUT_WR);
	heard = hear_end(fd);
	ck_assert_ptr_nonnull(strstr(heard, "Connection: close\r\n"));
	check_long_body(long_body_of(heard));
	ck_assert_uint_eq(strlen(long_body_of(heard)), LONG);
	close(fd);
	fd = client_new();
	say(fd, "HEAD /long.txt HTTP/1.1\r\nHost: x\r\n\r\n" GET("/a.js"));
	heard = hear(fd, "\r\n\r\na();");
	ck_assert_ptr_nonnull(strstr(heard, "Content-Length: 200000\r\n"));
	ck_assert_uint_lt(strlen(heard), 1000);
	close(fd);
}
END_TEST

START_TEST(a_long_file_arrives_whole_under_tls)
{
	size_t got = 0;
	char some[65536];
	int fd;
	SSL *ssl;

	write_long_file();
	tls_up();
	ssl = tls_client(&fd);
	tls_say(ssl, GET("/long.txt"));
	tls_hear(ssl, "\r\n\r\n");
	for (int i = 0; i < 100000 && got < LONG / 2; i++) {
		int n = SSL_read(ssl, some, sizeof(some));

		got += n > 0 ? (size_t)n : 0;
		ck_assert_int_eq(loop_turn(loop, 0), 0);
	}
	ck_assert_uint_ge(got, LONG / 2);
	tls_end(ssl, fd);
	settle();
	ck_assert_uint_eq(counters()->connections, 0);
	tls_down();
}
END_TEST

static void make_huge_file(void)
{
	char path[200];

	path_in(path, "root/huge");
	write_file("root/huge", "");
	ck_assert_int_eq(truncate(path, HUGE), 0);
}

static size_t resident(void)
{
	unsigned long total, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%lu %lu", &total, &pages), 2);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t open_descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 2000; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* None of them reads more than its kernel does by itself. */
START_TEST(a_crowd_of_slow_readers_costs_no_memory_and_one_descriptor)
{
	int fds[CROWD];
	size_t before, descriptors;

	make_huge_file();
	for (int i = 0; i < CROWD; i++)
		fds[i] = _i ? client_new_unix() : client_new();
	settle();
	before = resident();
	descriptors = open_descriptors();
	for (int i = 0; i < CROWD; i++)
		say(fds[i], GET("/huge"));
	for (int i = 0; i < 20; i++)
		settle();
	ck_assert_uint_eq(counters()->connections, CROWD);
	ck_assert_uint_lt(resident(), before + HUGE / 2);
	ck_assert_uint_le(open_descriptors(), descriptors + 1);
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
	for (int i = 0; i < 5; i++)
		settle();
	ck_assert_uint_eq(counters()->connections, 0);
	ck_assert_uint_le(open_descriptors(), descriptors - CROWD);
}
END_TEST

static void read_some(int fd)
{
	static char some[1 << 20];

	for (int i = 0; i < 5; i++) {
		settle();
		ck_assert_int_ne(recv(fd, some, sizeof(some), 0), 0);
	}
}

START_TEST(slow_is_not_dead_and_who_takes_nothing_is_sent_away)
{
	int slow = client_new(), dead = client_new();

	make_huge_file();
	say(slow, GET("/huge"));
	say(dead, GET("/huge"));
	for (int minute = 0; minute < 10 && counters()->connections > 1; minute++) {
		read_some(slow);
		pass_ms(59000);
	}
	ck_assert_uint_eq(counters()->connections, 1);
	read_some(slow);
	pass_ms(59000);
	ck_assert_uint_eq(counters()->connections, 1);
	for (int minute = 0; minute < 10; minute++)
		pass_ms(59000);
	ck_assert_uint_eq(counters()->connections, 0);
	close(slow);
	close(dead);
}
END_TEST

START_TEST(a_file_that_becomes_shorter_breaks_off)
{
	int fd = client_new();
	char path[200];

	make_huge_file();
	say(fd, GET("/huge"));
	settle();
	path_in(path, "root/huge");
	ck_assert_int_eq(truncate(path, 100), 0);
	ck_assert_ptr_nonnull(strstr(hear_end(fd), "Content-Length: 52428800\r\n"));
	ck_assert_uint_eq(counters()->connections, 0);
	close(fd);
	ck_assert_ptr_nonnull(strstr(get("/huge", ""), "Content-Length: 100\r\n"));
}
END_TEST

/* Whatever cannot be had while it is begun: an answer, or the end, and nothing left. */
START_TEST(without_memory_a_long_file_fails_alone)
{
	bool failed = true;
	unsigned long nth;

	write_long_file();
	for (nth = 1; failed && nth < 30; nth++) {
		int fd = client_new();
		const char *heard;

		settle();
		mem_fail_at(nth);
		say(fd, "GET /long.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
		settle();
		failed = mem_failed();
		mem_fail_at(0);
		heard = hear_end(fd);
		if (!failed)
			check_long_body(long_body_of(heard));
		close(fd);
		settle();
		ck_assert_uint_eq(counters()->connections, 0);
	}
	ck_assert_uint_gt(nth, 3);
	ck_assert(!failed);
}
END_TEST

START_TEST(a_server_may_end_while_files_are_on_their_way)
{
	int fd = client_new(), another = client_new();

	make_huge_file();
	say(fd, GET("/huge"));
	say(another, GET("/huge") GET("/"));
	settle();
	close(fd);
	close(another);
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
	tcase_add_test(tc, a_symbolic_link_is_followed_within_the_directory_alone);
	tcase_add_test(tc, without_openat2_no_symbolic_link_is_followed);
	tcase_add_test(tc, a_long_file_arrives_whole_and_the_connection_goes_on);
	tcase_add_test(tc, who_wants_no_more_gets_a_long_file_and_the_end);
	tcase_add_test(tc, a_long_file_arrives_whole_under_tls);
	tcase_add_loop_test(tc, a_crowd_of_slow_readers_costs_no_memory_and_one_descriptor, 0, 2);
	tcase_add_test(tc, slow_is_not_dead_and_who_takes_nothing_is_sent_away);
	tcase_add_test(tc, a_file_that_becomes_shorter_breaks_off);
	tcase_add_test(tc, without_memory_a_long_file_fails_alone);
	tcase_add_test(tc, a_server_may_end_while_files_are_on_their_way);
	suite_add_tcase(suite, tc);
	tcase_add_test(etag, a_list_of_etags_is_read_by_the_rules);
	suite_add_tcase(suite, etag);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
