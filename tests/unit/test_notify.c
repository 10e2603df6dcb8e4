/*
 * What the service manager hears: datagrams to the socket it named, and nothing
 * when it named none.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"

/* Plays systemd: a datagram socket at this path, '@' for an abstract one. */
static int manager(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(sa.sun_path, path, strlen(path));
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa,
	                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
	    0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static void hears(int fd, const char *wanted)
{
	char text[64];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, wanted);
}

static void tells(const char *path)
{
	int fd = manager(path);

	ck_assert_int_eq(notify_open(), 0);
	notify("READY=1");
	hears(fd, "READY=1");
	notify("STOPPING=1");
	hears(fd, "STOPPING=1");
	notify_close();
	notify("READY=1");
	ck_assert_int_lt(recv(fd, (char[8]){ 0 }, 8, MSG_DONTWAIT), 0);
	close(fd);
}

START_TEST(state_reaches_a_socket_in_the_file_system)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/test_notify.%d", (int)getpid());
	tells(path);
	unlink(path);
}
END_TEST

START_TEST(state_reaches_an_abstract_socket)
{
	char path[64];

	snprintf(path, sizeof(path), "@test_notify.%d", (int)getpid());
	tells(path);
}
END_TEST

START_TEST(without_a_manager_nothing_is_said)
{
	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_open(), 0);
	notify("READY=1");
	notify_close();
}
END_TEST

START_TEST(a_manager_that_cannot_be_reached_is_an_error)
{
	char path[256];

	setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
	ck_assert_int_eq(notify_open(), -ENOENT);
	setenv("NOTIFY_SOCKET", "relative", 1);
	ck_assert_int_eq(notify_open(), -EINVAL);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	setenv("NOTIFY_SOCKET", path, 1);
	ck_assert_int_eq(notify_open(), -EINVAL);
	notify("READY=1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify");
	TCase *tc = tcase_create("notify");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, state_reaches_a_socket_in_the_file_system);
	tcase_add_test(tc, state_reaches_an_abstract_socket);
	tcase_add_test(tc, without_a_manager_nothing_is_said);
	tcase_add_test(tc, a_manager_that_cannot_be_reached_is_an_error);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
