/*
 * test_doctor_memory.c - whole check-ups of a small server, in which each allocation fails once:
 * each ends, and nothing leaks.
 *
 * The server is a process of its own, that answers one request after the other: /info well, polls
 * and streams by an opening frame, sends by 204, and a WebSocket by 400.
 */
#include <arpa/inet.h>
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "checkup/checkup.h"
#include "checkup/diagnosis.h"

#define ALLOCATIONS_LEAST 50 /* a check-up has more than that */
#define ALLOCATIONS_MOST  5000

/* --- the server --------------------------------------------------------------------------------
 */

static const char *answer_to(const char *request)
{
	if (strstr(request, "/info "))
		return "HTTP/1.1 200 OK\r\nContent-Length: 18\r\nVia: 1.1 "
		       "x\r\n\r\n{\"websocket\":true}";
	if (strstr(request, "_send "))
		return "HTTP/1.1 204 No Content\r\n\r\n";
	if (strstr(request, "/websocket "))
		return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	if (strstr(request, "/eventsource "))
		return "HTTP/1.1 200 OK\r\n\r\ndata: o\r\n\r\ndata: c[3000,\"\"]\r\n\r\n";
	if (strstr(request, "/htmlfile?"))
		return "HTTP/1.1 200 OK\r\n\r\np(\"o\");\np(\"c[3000]\");\n";
	if (strstr(request, "/jsonp"))
		return "HTTP/1.1 200 OK\r\n\r\n/**/c(\"o\");\r\n/**/c(\"c[3000]\");\r\n";
	return "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n2\r\no\n\r\nb\r\nc[3000,\"\"]\n\r\n0\r\n\r\n";
}

static void serve(int listener)
{
	char request[16384];
	ssize_t n;

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(1);
		n = read(fd, request, sizeof(request) - 1);
		if (n > 0) {
			const char *text;

			request[n] = '\0';
			text = answer_to(request);
			n = write(fd, text, strlen(text));
		}
		shutdown(fd, SHUT_WR);
		close(fd);
	}
}

static pid_t start_server(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, size), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listener);
	}
	close(listener);
	*port = ntohs(at.sin_port);
	return pid;
}

/* --- the check-ups ------------------------------------------------------------------------------
 */

static void settings_for(struct checkup_settings *s, uint16_t port)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", port);
	*s = (struct checkup_settings){ .timeout_ms = 1000, .tells = true };
	ck_assert_int_eq(place_parse(&s->place, url), 0);
}

static void ignore(void *arg, const struct checkup_view *view)
{
	(void)arg;
	(void)view;
}

START_TEST(with_memory_it_sees_what_is_there)
{
	struct checkup_settings settings;
	struct facts facts;
	uint16_t port;
	pid_t pid = start_server(&port);

	settings_for(&settings, port);
	ck_assert_int_eq(checkup_run(&settings, &facts, NULL), 0);
	ck_assert_int_eq(facts.reach.fate, FATE_NONE);
	ck_assert_int_eq(facts.info.failure.fate, FATE_NONE);
	ck_assert_str_eq(facts.info.answer.headers[0].value, "1.1 x");
	for (int i = WAY_XHR_STREAMING; i < WAYS; i++)
		ck_assert_msg(facts.way[i].is_open, "%s: %s", way_name((enum way)i),
		    facts.way[i].failure.why);
	ck_assert_int_eq(facts.way[WAY_WEBSOCKET].failure.status, 400);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(without_memory_it_ends_as_well)
{
	struct checkup_watcher watcher = { ignore, NULL };
	struct checkup_settings settings;
	struct facts facts;
	uint16_t port;
	pid_t pid = start_server(&port);
	unsigned long nth = 1;

	settings_for(&settings, port);
	for (; nth < ALLOCATIONS_MOST; nth++) {
		mem_fail_at(nth);
		if (checkup_run(&settings, &facts, &watcher) == 0)
			ck_assert_uint_gt(diagnose(&facts).count, 0);
		if (!mem_failed())
			break;
	}
	mem_fail_at(0);
	ck_assert_uint_gt(nth, ALLOCATIONS_LEAST);
	ck_assert_uint_lt(nth, ALLOCATIONS_MOST);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("doctor_memory");
	TCase *tc = tcase_create("memory");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, with_memory_it_sees_what_is_there);
	tcase_add_test(tc, without_memory_it_ends_as_well);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
