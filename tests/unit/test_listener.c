/*
 * tests/unit/test_listener.c - listening sockets and accepting, on loopback and
 * in a directory of its own.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"

static struct loop *loop;
static struct listen_socket ls;
static struct listener *listener;
static char why[300];
static char dir[32];
static char unix_text[64];
static const char *path; /* of the unix socket */

static int accepted[256];
static unsigned accepted_n;
static struct addr last_peer;
static bool pause_at_first;

static void on_accept(struct listener *l, int fd, const struct addr *peer, void *arg)
{
	ck_assert_ptr_eq(arg, &accepted_n);
	accepted[accepted_n++] = fd;
	last_peer = *peer;
	if (pause_at_first)
		listener_pause(l);
}

static struct listen_addr at(const char *text)
{
	struct listen_addr addr;
	const char *error = "";

	ck_assert_msg(listen_addr_parse(text, &addr, &error) == 0, "%s", error);
	return addr;
}

static int open_at(const char *text, struct listen_socket *out)
{
	struct listen_addr addr = at(text);

	return listen_socket_open(out, &addr, 0, why, sizeof(why));
}

static void setup(void)
{
	ck_assert_int_eq(loop_new(&loop), 0);
	ls.fd = -1;
	accepted_n = 0;
	strcpy(dir, "/tmp/test_listener.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(unix_text, sizeof(unix_text), "unix:%s/s", dir);
	path = unix_text + 5;
}

static void teardown(void)
{
	listener_free(listener);
	listen_socket_close(&ls, true);
	while (accepted_n > 0)
		close(accepted[--accepted_n]);
	loop_free(loop);
	unlink(path);
	rmdir(dir);
}

static void start(const char *text)
{
	ck_assert_msg(open_at(text, &ls) == 0, "%s", why);
	ck_assert_int_eq(listener_new(&listener, loop, &ls, on_accept, &accepted_n), 0);
}

static uint16_t port_of(const struct listen_socket *s)
{
	return addr_from_sockaddr((const void *)&s->addr.sa).port;
}

static int connect_to(const struct listen_socket *s)
{
	int fd = socket(s->addr.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (const void *)&s->addr.sa, s->addr.len), 0);
	return fd;
}

static void turns(int n)
{
	while (n-- > 0)
		ck_assert_int_eq(loop_turn(loop, 0), 0);
}

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

START_TEST(a_silent_peer_is_asked_if_so_it_was_told)
{
	int client;

	start("127.0.0.1:0");
	listen_socket_keep_alive(&ls, 77);
	client = connect_to(&ls);
	turns(2);
	ck_assert_uint_eq(accepted_n, 1);
	ck_assert_int_eq(option_of(accepted[0], SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(option_of(accepted[0], IPPROTO_TCP, TCP_KEEPIDLE), 77);
	ck_assert_int_eq(option_of(accepted[0], IPPROTO_TCP, TCP_KEEPCNT), 3);
	close(client);
}
END_TEST

START_TEST(a_connection_is_accepted_non_blocking_close_on_exec_and_without_nagle)
{
	int fd, value = 0;
	socklen_t len = sizeof(value);
	char text[ADDR_TEXT_MAX];

	start("127.0.0.1:0");
	ck_assert_uint_ne(port_of(&ls), 0);
	fd = connect_to(&ls);
	turns(1);
	ck_assert_uint_eq(accepted_n, 1);
	ck_assert(fcntl(accepted[0], F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(accepted[0], F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(getsockopt(accepted[0], IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	ck_assert_int_eq(value, 1);
	ck_assert_str_eq(addr_print(&last_peer, false, text), "127.0.0.1");
	ck_assert_uint_ne(last_peer.port, 0);
	close(fd);
}
END_TEST

START_TEST(a_port_that_is_taken_is_refused_even_to_ourselves)
{
	struct listen_socket second = { .fd = -1 };
	char text[32];

	start("127.0.0.1:0");
	snprintf(text, sizeof(text), "127.0.0.1:%u", port_of(&ls));
	ck_assert_int_eq(open_at(text, &second), -EADDRINUSE);
	ck_assert_str_eq(why, "cannot listen: Address already in use");
	ck_assert_int_eq(second.fd, -1); /* untouched */
	ck_assert_int_eq(listen_socket_share(&ls, &second), 0);
	ck_assert_int_eq(open_at(text, &(struct listen_socket){ 0 }), -EADDRINUSE);
	listen_socket_close(&second, true);
}
END_TEST

START_TEST(a_port_just_left_can_be_taken_again)
{
	struct listen_socket second;
	char text[32];
	int fd;

	start("127.0.0.1:0");
	fd = connect_to(&ls);
	turns(1);
	close(accepted[--accepted_n]); /* our side ends first: TIME-WAIT */
	close(fd);
	snprintf(text, sizeof(text), "127.0.0.1:%u", port_of(&ls));
	listener_free(listener);
	listener = NULL;
	turns(1);
	listen_socket_close(&ls, true);
	ck_assert_msg(open_at(text, &second) == 0, "%s", why);
	listen_socket_close(&second, true);
}
END_TEST

START_TEST(shared_tcp_sockets_listen_at_one_port_and_all_get_connections)
{
	struct listen_socket shares[2];
	int fds[120];
	unsigned got[3] = { 0 };

	ck_assert_msg(open_at("127.0.0.1:0", &ls) == 0, "%s", why);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(listen_socket_share(&ls, &shares[i]), 0);
		ck_assert_uint_eq(port_of(&shares[i]), port_of(&ls));
		ck_assert_int_ne(shares[i].fd, ls.fd);
	}
	for (int i = 0; i < 120; i++)
		fds[i] = connect_to(&ls);
	for (int i = 0; i < 3; i++) {
		int from = i == 0 ? ls.fd : shares[i - 1].fd, fd;

		for (; (fd = accept(from, NULL, NULL)) >= 0; got[i]++)
			close(fd);
		ck_assert_uint_gt(got[i], 10);
	}
	ck_assert_uint_eq(got[0] + got[1] + got[2], 120);
	for (int i = 0; i < 120; i++)
		close(fds[i]);
	for (int i = 0; i < 2; i++)
		listen_socket_close(&shares[i], true);
}
END_TEST

START_TEST(all_addresses_take_ipv4_and_ipv6_and_explicit_ipv6_does_not)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	char text[ADDR_TEXT_MAX];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (open_at(_i == 0 ? "*:0" : "[::]:0", &ls) < 0)
		return; /* no IPv6 here */
	ck_assert_int_eq(listener_new(&listener, loop, &ls, on_accept, &accepted_n), 0);
	in.sin_port = htons(port_of(&ls));
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r = connect(fd, (void *)&in, sizeof(in));
	if (_i == 0) {
		ck_assert_int_eq(r, 0);
		turns(1);
		ck_assert_uint_eq(accepted_n, 1);
		ck_assert_str_eq(addr_print(&last_peer, false, text), "127.0.0.1");
	} else {
		ck_assert_int_eq(r, -1);
	}
	close(fd);
}
END_TEST

START_TEST(a_flood_is_accepted_in_portions)
{
	int fds[100];

	start("127.0.0.1:0");
	for (int i = 0; i < 100; i++)
		fds[i] = connect_to(&ls);
	turns(1);
	ck_assert_uint_gt(accepted_n, 0);
	ck_assert_uint_lt(accepted_n, 100);
	turns(1);
	ck_assert_uint_eq(accepted_n, 100);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
}
END_TEST

START_TEST(a_paused_listener_lets_connections_wait)
{
	int fds[3];

	start("127.0.0.1:0");
	pause_at_first = true;
	for (int i = 0; i < 3; i++)
		fds[i] = connect_to(&ls);
	turns(3);
	ck_assert_uint_eq(accepted_n, 1);
	pause_at_first = false;
	listener_resume(listener);
	listener_resume(listener);
	turns(1);
	ck_assert_uint_eq(accepted_n, 3);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}
END_TEST

static void free_at_once(struct listener *l, int fd, const struct addr *peer, void *arg)
{
	(void)peer;
	(void)arg;
	accepted[accepted_n++] = fd;
	listener_free(l);
	listener = NULL;
}

START_TEST(a_listener_may_be_freed_in_its_callback)
{
	int fds[2];

	ck_assert_msg(open_at("127.0.0.1:0", &ls) == 0, "%s", why);
	ck_assert_int_eq(listener_new(&listener, loop, &ls, free_at_once, NULL), 0);
	for (int i = 0; i < 2; i++)
		fds[i] = connect_to(&ls);
	turns(2);
	ck_assert_uint_eq(accepted_n, 1);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
}
END_TEST

static unsigned logged;

static void count_lines(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	logged += strstr(line, "cannot accept") != NULL;
}

START_TEST(without_descriptors_the_listener_steps_back_and_comes_again)
{
	struct rlimit few, before;
	int client;

	clock_set(10000);
	teardown();
	setup();
	log_set_sink(count_lines, NULL);
	start("127.0.0.1:0");
	client = connect_to(&ls);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = (rlim_t)client + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	turns(5);
	ck_assert_uint_eq(accepted_n, 0);
	ck_assert_uint_eq(logged, 1);
	for (uint64_t now = 10100; now <= 10900; now += 100) {
		clock_set(now);
		turns(2);
	}
	ck_assert_uint_eq(logged, 1);
	clock_set(11050);
	turns(2);
	ck_assert_uint_eq(logged, 2);
	setrlimit(RLIMIT_NOFILE, &before);
	turns(2);
	ck_assert_uint_eq(accepted_n, 0);
	clock_set(11150);
	turns(2);
	ck_assert_uint_eq(accepted_n, 1);
	close(client);
	log_set_sink(NULL, NULL);
}
END_TEST

/* --- unix sockets ------------------------------------------------------- */

START_TEST(a_unix_socket_has_its_mode_and_goes_with_its_owner)
{
	struct listen_addr addr = at(unix_text);
	mode_t mask = umask(022);
	struct stat st;
	int fd;

	ck_assert_int_eq(listen_socket_open(&ls, &addr, 0666, why, sizeof(why)), 0);
	ck_assert_int_eq(umask(mask), 022); /* given back */
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
	ck_assert_int_eq(listener_new(&listener, loop, &ls, on_accept, &accepted_n), 0);
	fd = connect_to(&ls);
	turns(1);
	ck_assert_uint_eq(accepted_n, 1);
	ck_assert_uint_eq(last_peer.family, AF_UNIX);
	close(fd);
	listener_free(listener);
	listener = NULL;
	listen_socket_close(&ls, true);
	ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(a_stale_unix_socket_is_replaced)
{
	ck_assert_int_eq(open_at(unix_text, &ls), 0);
	listen_socket_close(&ls, false);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_msg(open_at(unix_text, &ls) == 0, "%s", why);
}
END_TEST

START_TEST(a_unix_socket_in_use_or_another_file_is_left_alone)
{
	struct listen_socket second;
	struct stat st;

	if (_i == 0)
		ck_assert_int_eq(open_at(unix_text, &ls), 0);
	else
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ck_assert_int_eq(open_at(unix_text, &second), -EADDRINUSE);
	ck_assert_str_eq(why, "cannot listen: Address already in use");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(S_ISSOCK(st.st_mode), _i == 0);
}
END_TEST

START_TEST(a_shared_unix_socket_serves_two_loops)
{
	struct listen_socket share;
	struct listener *second;
	struct loop *other;
	int fds[2];

	start(unix_text);
	ck_assert_int_eq(loop_new(&other), 0);
	ck_assert_int_eq(listen_socket_share(&ls, &share), 0);
	ck_assert_int_eq(listener_new(&second, other, &share, on_accept, &accepted_n), 0);
	fds[0] = connect_to(&ls);
	loop_turn(other, 0);
	turns(1);
	ck_assert_uint_eq(accepted_n, 1);
	listener_pause(listener);
	fds[1] = connect_to(&ls);
	loop_turn(other, 0);
	ck_assert_uint_eq(accepted_n, 2);
	listener_free(second);
	loop_free(other);
	listen_socket_close(&share, false);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(an_address_that_is_not_ours_is_refused_with_the_reason)
{
	ck_assert_int_eq(open_at("192.0.2.1:80", &ls), -EADDRNOTAVAIL);
	ck_assert_str_eq(why, "cannot listen: Cannot assign requested address");
	ck_assert_int_eq(open_at("unix:/nonexistent/dir/s", &ls), -ENOENT);
	ck_assert_str_eq(why, "cannot listen: No such file or directory");
	ls.fd = -1;
}
END_TEST

START_TEST(no_memory_no_listener)
{
	struct listener *none = NULL;

	ck_assert_int_eq(open_at("127.0.0.1:0", &ls), 0);
	mem_fail_at(1);
	ck_assert_int_eq(listener_new(&none, loop, &ls, on_accept, NULL), -ENOMEM);
	mem_fail_at(0);
	ck_assert_ptr_null(none);
	listener_free(none);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tc = tcase_create("listener");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_connection_is_accepted_non_blocking_close_on_exec_and_without_nagle);
	tcase_add_test(tc, a_port_that_is_taken_is_refused_even_to_ourselves);
	tcase_add_test(tc, a_port_just_left_can_be_taken_again);
	tcase_add_test(tc, shared_tcp_sockets_listen_at_one_port_and_all_get_connections);
	tcase_add_loop_test(tc, all_addresses_take_ipv4_and_ipv6_and_explicit_ipv6_does_not, 0, 2);
	tcase_add_test(tc, a_flood_is_accepted_in_portions);
	tcase_add_test(tc, a_paused_listener_lets_connections_wait);
	tcase_add_test(tc, a_listener_may_be_freed_in_its_callback);
	tcase_add_test(tc, without_descriptors_the_listener_steps_back_and_comes_again);
	tcase_add_test(tc, a_unix_socket_has_its_mode_and_goes_with_its_owner);
	tcase_add_test(tc, a_stale_unix_socket_is_replaced);
	tcase_add_loop_test(tc, a_unix_socket_in_use_or_another_file_is_left_alone, 0, 2);
	tcase_add_test(tc, a_shared_unix_socket_serves_two_loops);
	tcase_add_test(tc, an_address_that_is_not_ours_is_refused_with_the_reason);
	tcase_add_test(tc, a_silent_peer_is_asked_if_so_it_was_told);
	tcase_add_test(tc, no_memory_no_listener);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* none leaves anything to another */
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
