/*
 * tests/unit/test_supervise.c - what a service manager hears while all threads have their turns, and
 * while one has none.
 */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "daemon/supervise.h"
#include "server/internal.h"

enum { LONG_MS = 60000, SILENCE_MS = 300 };

static struct sockjs_server *server;
static pthread_t thread;
static sem_t may_go_on;
static int manager;
static bool has_begun;
static char path[64];

static void on_wake(void *arg)
{
	(void)arg;
	if (!has_begun)
		supervise_begin(server);
	has_begun = true;
}

static void *run(void *arg)
{
	(void)arg;
	ck_assert_int_eq(sockjs_server_run(server), 0);
	return NULL;
}

static void setup(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct sockjs_options *o = sockjs_options_new();

	snprintf(path, sizeof(path), "/tmp/test_supervise.%d", (int)getpid());
	strcpy(sa.sun_path, path);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&sa, sizeof(sa)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "40000", 1);
	unsetenv("WATCHDOG_PID");
	has_begun = false;
	ck_assert_int_eq(notify_open(), 0);
	sem_init(&may_go_on, 0, 0);
	ck_assert_int_eq(sockjs_options_set(o, "threads", "2"), 0);
	server = sockjs_server_new(o);
	sockjs_options_free(o);
	ck_assert_int_eq(sockjs_server_listen(server, "127.0.0.1:0", NULL), 0);
	server_on_wake(server, on_wake, NULL);
}

static void teardown(void)
{
	sockjs_server_stop(server);
	pthread_join(thread, NULL);
	sockjs_server_free(server);
	notify_close();
	close(manager);
	unlink(path);
}

/* The next that the manager hears within this time; "": nothing. */
static const char *heard(int ms)
{
	static char text[128];
	struct pollfd p = { .fd = manager, .events = POLLIN };
	ssize_t n = poll(&p, 1, ms) > 0 ? recv(manager, text, sizeof(text) - 1, 0) : 0;

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void hang(void *arg)
{
	(void)arg;
	sem_wait(&may_go_on);
}

START_TEST(who_works_is_heard_and_who_hangs_is_not)
{
	char nothing = 0;

	ck_assert_int_eq(pthread_create(&thread, NULL, run, NULL), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(heard(LONG_MS), "WATCHDOG=1\nSTATUS=0 sessions");
	/* One thread of two */
	ck_assert_int_eq(sockjs_reactor_call(server, 1, hang, NULL, &nothing, 1), 0);
	while (*heard(SILENCE_MS)) {
	}
	ck_assert_str_eq(heard(SILENCE_MS), "");
	sem_post(&may_go_on);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(heard(LONG_MS), "WATCHDOG=1\nSTATUS=0 sessions");
}
END_TEST

START_TEST(without_a_watchdog_it_hears_the_status_alone)
{
	unsetenv("WATCHDOG_USEC");
	ck_assert_int_eq(pthread_create(&thread, NULL, run, NULL), 0);
	ck_assert_str_eq(heard(LONG_MS), "STATUS=0 sessions");
}
END_TEST

START_TEST(a_watchdog_of_another_process_is_none_of_ours)
{
	setenv("WATCHDOG_PID", "1", 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, run, NULL), 0);
	ck_assert_str_eq(heard(LONG_MS), "STATUS=0 sessions");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("supervise");
	TCase *tc = tcase_create("supervise");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, LONG_MS / 1000 * 4);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, who_works_is_heard_and_who_hangs_is_not);
	tcase_add_test(tc, without_a_watchdog_it_hears_the_status_alone);
	tcase_add_test(tc, a_watchdog_of_another_process_is_none_of_ours);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
