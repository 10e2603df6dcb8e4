/*
 * tests/unit/test_inherited.c - sockets from who has started us: what the variables say, who gets which,
 * and what is no listening socket.
 */
#include "net/inherited.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST 200 /* not 3, which the test program has itself */
#define SELF  4711

static struct inherited *in;
static struct listen_socket got[4];
static char why[400];
static char dir[32], path[64];

static void setup(void)
{
	strcpy(dir, "/tmp/test_inherited.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	*why = '\0';
	for (int i = 0; i < 4; i++)
		got[i].fd = -1;
}

static void teardown(void)
{
	for (int i = 0; i < 4; i++)
		listen_socket_close(&got[i], true);
	inherited_free(in);
	in = NULL;
	for (int i = 0; i < 8; i++)
		close(FIRST + i);
	unlink(path);
	rmdir(dir);
}

static void put(int fd, int at)
{
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dup2(fd, FIRST + at), FIRST + at);
	close(fd);
}

/* `at` is FIRST + so many; port 0: any. Returns the port. */
static unsigned tcp_at(int at, unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	a.sin_port = htons((uint16_t)port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (void *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (void *)&a, &len), 0);
	put(fd, at);
	return ntohs(a.sin_port);
}

static void unix_at(int at)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	ck_assert_int_eq(bind(fd, (void *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	put(fd, at);
}

static void inherit(const char *fds, const char *names)
{
	in = inherited_new(FIRST, SELF, "4711", fds, names);
	ck_assert_ptr_nonnull(in);
}

static int take(const char *name, unsigned wanted)
{
	return inherited_take(in, name, got, wanted, why, sizeof(why));
}

START_TEST(a_socket_is_found_by_its_name_and_by_its_number)
{
	char text[16];
	unsigned port = tcp_at(0, 0);

	unix_at(1);
	inherit("2", "web:local");
	ck_assert_msg(take("web", 1) == 0, "%s", why);
	ck_assert(!got[0].is_unix && got[0].users && !got[0].is_shared);
	ck_assert_uint_eq(addr_from_sockaddr((void *)&got[0].addr.sa).port, port);
	ck_assert(fcntl(got[0].fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(got[0].fd, F_GETFD) & FD_CLOEXEC);
	ck_assert(fcntl(FIRST, F_GETFD) & FD_CLOEXEC);
	listen_socket_close(&got[0], true);
	snprintf(text, sizeof(text), "%d", FIRST + 1);
	ck_assert_msg(take(text, 1) == 0, "%s", why);
	ck_assert(got[0].is_unix);
}
END_TEST

START_TEST(the_path_of_an_inherited_socket_stays)
{
	unix_at(0);
	inherit("1", "local");
	ck_assert_int_eq(take("local", 1), 0);
	listen_socket_close(&got[0], true);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(several_reactors_share_one_socket)
{
	tcp_at(0, 0);
	inherit("1", "web");
	ck_assert_int_eq(take("web", 3), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_ge(got[i].fd, 0);
		ck_assert(got[i].is_shared);
	}
	ck_assert_int_ne(got[0].fd, got[1].fd);
}
END_TEST

START_TEST(sockets_of_one_port_are_shared_out)
{
	unsigned port = tcp_at(0, 0);

	tcp_at(1, port);
	inherit("2", "web:web");
	ck_assert_msg(take("web", 2) == 0, "%s", why);
	ck_assert(!got[0].is_shared && !got[1].is_shared);
	listen_socket_close(&got[0], false);
	listen_socket_close(&got[1], false);
	/* One would have nobody who listens */
	ck_assert_int_eq(take("web", 1), -EINVAL);
	ck_assert_str_eq(why,
	    "2 sockets have this name, and 1 thread listens here; each needs one of its own");
}
END_TEST

START_TEST(sockets_of_several_places_are_to_be_named_one_by_one)
{
	char wanted[200];
	unsigned a = tcp_at(0, 0), b = tcp_at(1, 0);

	inherit("2", "web:web");
	ck_assert_int_eq(take("web", 2), -EINVAL);
	snprintf(wanted, sizeof(wanted),
	    "this is several places, to be named one by one: fd:%d \"web\" (127.0.0.1:%u), "
	    "fd:%d \"web\" (127.0.0.1:%u)",
	    FIRST, a, FIRST + 1, b);
	ck_assert_str_eq(why, wanted);
}
END_TEST

START_TEST(a_socket_has_one_address_at_a_time)
{
	struct listen_socket mine;

	tcp_at(0, 0);
	inherit("1", "web");
	ck_assert_int_eq(take("web", 1), 0);
	mine = got[0];
	got[0].fd = -1;
	ck_assert_int_eq(take("200", 1), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "another address listens at this socket: fd:200 \"web\""));
	listen_socket_close(&mine, false);
	ck_assert_int_eq(take("200", 1), 0);
}
END_TEST

START_TEST(who_takes_none_is_told_which_there_are)
{
	char text[200];

	unix_at(0);
	inherit("1", NULL);
	ck_assert_int_eq(take("web", 1), -EINVAL);
	snprintf(text, sizeof(text),
	    "nothing of this name was inherited, but fd:200 \"unknown\" (unix:%s)", path);
	ck_assert_str_eq(why, text);
	ck_assert(inherited_unused(in, why, sizeof(why)));
	ck_assert_str_eq(why, strchr(text, ':') - 2);
	ck_assert_int_eq(take("unknown", 1), 0);
	ck_assert(!inherited_unused(in, why, sizeof(why)));
}
END_TEST

static const struct {
	const char *pid, *fds, *why;
} variables[] = {
	{ NULL, NULL, "no socket was inherited: $LISTEN_PID is not set" },
	{ "4711", NULL, "no socket was inherited: $LISTEN_FDS is not set" },
	{ "4712", "1", "no socket was inherited: $LISTEN_PID is \"4712\", and this is process 4711" },
	{ "4711x", "1", "no socket was inherited: $LISTEN_PID is \"4711x\", and this is process 4711" },
	{ "", "1", "no socket was inherited: $LISTEN_PID is \"\", and this is process 4711" },
	{ "4711", "0", "no socket was inherited: $LISTEN_FDS is \"0\"; allowed: 1 to 64" },
	{ "4711", "-1", "no socket was inherited: $LISTEN_FDS is \"-1\"; allowed: 1 to 64" },
	{ "4711", "65", "no socket was inherited: $LISTEN_FDS is \"65\"; allowed: 1 to 64" },
	{ "4711", "99999999999999999999",
	    "no socket was inherited: $LISTEN_FDS is \"99999999999999999999\"; allowed: 1 to 64" },
};

START_TEST(variables_that_are_not_for_us_or_wrong_are_told_by_name)
{
	in = inherited_new(FIRST, SELF, variables[_i].pid, variables[_i].fds, "web");
	ck_assert_ptr_nonnull(in);
	ck_assert_int_eq(take("web", 1), -EINVAL);
	ck_assert_str_eq(why, variables[_i].why);
	ck_assert(!inherited_unused(in, why, sizeof(why)));
}
END_TEST

START_TEST(names_may_be_fewer_or_more_or_empty)
{
	tcp_at(0, 0);
	tcp_at(1, 0);
	tcp_at(2, 0);
	inherit("3", "web:");
	ck_assert_int_eq(take("web", 1), 0);
	listen_socket_close(&got[0], false);
	inherited_free(in);
	inherit("1", "a:b:c:d");
	ck_assert_int_eq(take("a", 1), 0);
	ck_assert_int_eq(take("b", 1), -EINVAL);
}
END_TEST

START_TEST(what_does_not_listen_is_told)
{
	put(socket(AF_INET, SOCK_DGRAM, 0), 0);
	put(socket(AF_INET, SOCK_STREAM, 0), 1);
	put(open("/dev/null", O_RDONLY), 2);
	close(FIRST + 3);
	inherit("4", "datagram:idle:file:closed");
	ck_assert_int_eq(take("datagram", 1), -EINVAL);
	ck_assert_str_eq(
	    why, "descriptor 200, which was inherited, is not a stream (ListenStream=)");
	ck_assert_int_eq(take("idle", 1), -EINVAL);
	ck_assert_str_eq(why, "descriptor 201, which was inherited, does not listen (Accept=no)");
	ck_assert_int_eq(take("file", 1), -EINVAL);
	ck_assert_str_eq(why, "descriptor 202, which was inherited, is not a socket");
	ck_assert_int_eq(take("closed", 1), -EINVAL);
	ck_assert_str_eq(why, "descriptor 203, which was inherited, is not open");
	/* Nobody has taken it */
	ck_assert_int_eq(take("closed", 1), -EINVAL);
}
END_TEST

START_TEST(no_child_sees_the_variables)
{
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "web", 1);
	ck_assert_ptr_nonnull(inherited_here());
	ck_assert_ptr_null(getenv("LISTEN_PID"));
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_ptr_null(getenv("LISTEN_FDNAMES"));
	ck_assert_ptr_eq(inherited_here(), inherited_here());
}
END_TEST

static const struct {
	const char *address;
	bool is_right;
} addresses[] = {
	{ "fd:web", true },
	{ "fd:sockjsd.socket", true },
	{ "fd:3", true },
	{ "fd:", false },
	{ "fd:0", false },
	{ "fd:2", false },
	{ "fd:a:b", false },
	{ "fd:a b", false },
	{ "fd:\xc3\xa4", false },
};

START_TEST(an_address_names_an_inherited_socket)
{
	const char *sentence = "";
	int err = listen_addr_check(addresses[_i].address, &sentence);

	ck_assert_int_eq(err, addresses[_i].is_right ? 0 : -EINVAL);
	ck_assert_str_eq(sentence, addresses[_i].is_right
	                               ? ""
	                               : "fd: must be followed by the name of an inherited socket, "
	                                 "or its number from 3 on");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inherited");
	TCase *tc = tcase_create("inherited");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_socket_is_found_by_its_name_and_by_its_number);
	tcase_add_test(tc, the_path_of_an_inherited_socket_stays);
	tcase_add_test(tc, several_reactors_share_one_socket);
	tcase_add_test(tc, sockets_of_one_port_are_shared_out);
	tcase_add_test(tc, sockets_of_several_places_are_to_be_named_one_by_one);
	tcase_add_test(tc, a_socket_has_one_address_at_a_time);
	tcase_add_test(tc, who_takes_none_is_told_which_there_are);
	tcase_add_loop_test(tc, variables_that_are_not_for_us_or_wrong_are_told_by_name, 0,
	    sizeof(variables) / sizeof(*variables));
	tcase_add_test(tc, names_may_be_fewer_or_more_or_empty);
	tcase_add_test(tc, what_does_not_listen_is_told);
	tcase_add_test(tc, no_child_sees_the_variables);
	tcase_add_loop_test(
	    tc, an_address_names_an_inherited_socket, 0, sizeof(addresses) / sizeof(*addresses));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
