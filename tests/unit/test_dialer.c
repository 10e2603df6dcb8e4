/*
 * tests/unit/test_dialer.c - connecting, on loopback and in a directory of its
 * own. A place that never answers is a listener whose backlog is full.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/dialer.h"

/* --- places to connect to ------------------------------------------------- */

static int listener = -1;
static int crowd[64]; /* fills a backlog */
static unsigned crowd_n;
static char dir[] = "/tmp/test_dialer.XXXXXX";
static char path[64];

static struct addr addr_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	ck_assert_int_eq(getsockname(fd, (void *)&sa, &len), 0);
	return addr_from_sockaddr((const void *)&sa);
}

static struct addr loopback(int family)
{
	struct addr a;

	ck_assert_int_eq(
	    addr_parse_ip(family == AF_INET ? BYTES("127.0.0.1") : BYTES("::1"), &a), 0);
	return a;
}

/* A bound socket: listening, or (backlog -1) only keeping the port. */
static int new_listener(const struct sockaddr *sa, socklen_t len, int backlog)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, sa, len), 0);
	if (backlog >= 0)
		ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

static struct addr listen_at(int family, int backlog)
{
	struct addr a = loopback(family);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&a, &sa);

	listener = new_listener((const void *)&sa, len, backlog);
	return addr_of(listener);
}

static void listen_at_path(int backlog)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	listener = new_listener((const void *)&un, sizeof(un), backlog);
}

/* Connects until nobody more gets in. */
static void fill_backlog(void)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int err = 0;

	getsockname(listener, (void *)&sa, &len);
	while (err == 0 && crowd_n < 64) {
		int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		err = connect(fd, (const void *)&sa, len) < 0 ? errno : 0;
		crowd[crowd_n++] = fd;
		if (err == EINPROGRESS) /* TCP: it gets in as long as the kernel answers */
			err = 0;
	}
}

/* --- the dial ------------------------------------------------------------- */

static struct loop *loop;

static struct {
	struct dial d;
	struct stream s;
	unsigned done, hangup;
	int err;
	bool starting;
	bool leave; /* does not take the stream */
	char got[16];
} e;

static void on_readable(struct stream *s)
{
	stream_read(s, e.got, sizeof(e.got) - 1);
}

static void on_writable(struct stream *s)
{
	(void)s;
}

static void on_hangup(struct stream *s, int err)
{
	(void)s, (void)err;
	e.hangup++;
}

static const struct stream_events events = { on_readable, on_writable, on_hangup, NULL };

static void on_done(struct dial *d, struct stream *s, int err)
{
	ck_assert_ptr_eq(d, &e.d);
	ck_assert(!e.starting);
	ck_assert_int_eq(s == NULL, err < 0);
	e.done++;
	e.err = err;
	if (s && !e.leave)
		stream_move(&e.s, s, loop, &events);
}

static void setup(void)
{
	memset(&e, 0, sizeof(e));
	stream_init_empty(&e.s);
	crowd_n = 0;
	ck_assert_int_eq(loop_new(&loop), 0);
}

static void teardown(void)
{
	stream_close(&e.s);
	loop_free(loop);
	while (crowd_n > 0)
		close(crowd[--crowd_n]);
	if (listener >= 0)
		close(listener);
	listener = -1;
	unlink(path);
}

static void start(const struct addr *addr, unsigned timeout_ms)
{
	e.starting = true;
	dial_start(&e.d, loop, addr, timeout_ms, on_done);
	e.starting = false;
}

static void start_unix(const char *to, unsigned timeout_ms)
{
	e.starting = true;
	dial_start_unix(&e.d, loop, to, timeout_ms, on_done);
	e.starting = false;
}

static void turns(int n)
{
	while (n-- > 0)
		ck_assert_int_eq(loop_turn(loop, 1), 0);
}

static int outcome(void)
{
	uint64_t end = clock_now() + 20000;

	while (!e.done && clock_now() < end)
		ck_assert_int_eq(loop_turn(loop, 10), 0);
	turns(2);
	ck_assert_uint_eq(e.done, 1);
	return e.err;
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
	return n;
}

static int option(int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(e.s.watch.fd, level, name, &value, &len);
	return value;
}

static void echo_through(int accepted)
{
	char buf[8] = "";

	ck_assert_int_ge(accepted, 0);
	ck_assert_int_eq(stream_want(&e.s, STREAM_READ), 0);
	ck_assert_int_eq(stream_write(&e.s, &(struct stream_piece){ "hello", 5, NULL }, 1), 0);
	ck_assert_int_eq(recv(accepted, buf, sizeof(buf), 0), 5);
	ck_assert_int_eq(send(accepted, buf, 5, 0), 5);
	turns(2);
	ck_assert_str_eq(e.got, "hello");
	close(accepted);
}

/* --- connections that come about ------------------------------------------ */

START_TEST(a_connection_is_a_plain_stream_without_delay)
{
	struct addr a = listen_at(_i ? AF_INET6 : AF_INET, 8);

	start(&a, 1000);
	ck_assert_int_eq(outcome(), 0);
	ck_assert(!stream_is_tls(&e.s));
	ck_assert_int_eq(option(IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_gt(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	echo_through(accept(listener, NULL, NULL));
}
END_TEST

START_TEST(a_unix_socket_is_connected_to)
{
	listen_at_path(8);
	start_unix(path, 1000);
	ck_assert_int_eq(outcome(), 0);
	echo_through(accept(listener, NULL, NULL));
}
END_TEST

START_TEST(a_stream_that_is_not_taken_is_closed)
{
	struct addr a = listen_at(AF_INET, 8);
	unsigned before = open_descriptors();
	char buf[8];
	int fd;

	e.leave = true;
	start(&a, 1000);
	ck_assert_int_eq(outcome(), 0);
	ck_assert_uint_eq(open_descriptors(), before);
	fd = accept(listener, NULL, NULL);
	ck_assert_int_eq(recv(fd, buf, sizeof(buf), 0), 0);
	close(fd);
}
END_TEST

START_TEST(a_unix_socket_with_a_full_backlog_is_waited_for)
{
	int fd;

	listen_at_path(0);
	fill_backlog();
	start_unix(path, 5000);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_turn(loop, 20), 0);
	ck_assert_uint_eq(e.done, 0);
	while ((fd = accept4(listener, NULL, NULL, 0)) >= 0 && crowd_n > 0) {
		close(fd);
		close(crowd[--crowd_n]);
		if (crowd_n <= 1)
			break;
	}
	ck_assert_int_eq(outcome(), 0);
}
END_TEST

/* --- those that do not ---------------------------------------------------- */

START_TEST(where_nobody_listens_is_refused)
{
	struct addr a = listen_at(_i ? AF_INET6 : AF_INET, -1);

	start(&a, 1000);
	ck_assert_int_eq(outcome(), -ECONNREFUSED);
}
END_TEST

START_TEST(a_unix_socket_may_be_missing_dead_or_impossible)
{
	char long_path[200];

	start_unix(path, 1000);
	ck_assert_int_eq(outcome(), -ENOENT);
	listen_at_path(-1);
	e.done = 0;
	start_unix(path, 1000);
	ck_assert_int_eq(outcome(), -ECONNREFUSED);
	memset(long_path, 'a', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	e.done = 0;
	start_unix(long_path, 1000);
	ck_assert_int_eq(outcome(), -ENAMETOOLONG);
	e.done = 0;
	start_unix("", 1000);
	ck_assert_int_lt(outcome(), 0);
}
END_TEST

START_TEST(an_address_of_no_family_is_refused)
{
	struct addr a = { .family = _i ? AF_UNIX : 0, .port = 80 };

	start(&a, 1000);
	ck_assert_int_lt(outcome(), 0);
}
END_TEST

START_TEST(what_does_not_answer_in_time_has_timed_out)
{
	struct addr a = { 0 };
	uint64_t begun;
	unsigned before;

	if (_i == 0)
		a = listen_at(AF_INET, 0);
	else
		listen_at_path(0);
	fill_backlog();
	before = open_descriptors();
	turns(1); /* time is that of the turn */
	begun = clock_now();
	if (_i == 0)
		start(&a, 150);
	else
		start_unix(path, 150);
	ck_assert_int_eq(outcome(), -ETIMEDOUT);
	ck_assert_uint_ge(clock_now() - begun, 145);
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(while_it_waits_the_loop_sleeps)
{
	struct addr a = listen_at(AF_INET, 0);
	uint64_t begun;

	fill_backlog();
	start(&a, 5000);
	turns(3);
	begun = clock_now();
	ck_assert_int_eq(loop_turn(loop, 100), 0);
	ck_assert_uint_ge(clock_now() - begun, 60); /* a cascade of the timers may come between */
	ck_assert_uint_eq(e.done, 0);
	dial_cancel(&e.d);
}
END_TEST

START_TEST(without_descriptors_it_fails_and_the_next_succeeds)
{
	struct addr a = listen_at(AF_INET, 8);
	struct rlimit limit, none;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){ 3, limit.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	start(&a, 1000);
	turns(3);
	setrlimit(RLIMIT_NOFILE, &limit);
	ck_assert_int_eq(outcome(), -EMFILE);
	e.done = 0;
	start(&a, 1000);
	ck_assert_int_eq(outcome(), 0);
}
END_TEST

/* Only those turns that the dial is asked for, since the kernel has most of the connections of
 * loopback ready at once. */
START_TEST(a_dial_can_be_cancelled_in_each_phase)
{
	struct addr a = { 0 };
	unsigned before;

	if (_i == 0)
		a = listen_at(AF_INET, 0); /* gets stuck */
	else if (_i == 1)
		a = listen_at(AF_INET, 8); /* has happened, but was not heard of */
	else
		listen_at_path(0);
	if (_i != 1)
		fill_backlog();
	before = open_descriptors();
	for (int phase = 0; phase < 3; phase++) {
		if (_i < 2)
			start(&a, 1000);
		else
			start_unix(path, 1000);
		for (int i = 0; i < phase && !(_i == 1 && i > 0); i++)
			ck_assert_int_eq(loop_turn(loop, 15), 0);
		dial_cancel(&e.d);
		dial_cancel(&e.d);
		turns(2);
		ck_assert_uint_eq(open_descriptors(), before);
	}
	ck_assert_uint_eq(e.done, 0);
}
END_TEST

START_TEST(cancelling_what_is_zeroed_or_done_is_harmless)
{
	struct addr a = listen_at(AF_INET, 8);

	dial_cancel(&e.d);
	start(&a, 1000);
	ck_assert_int_eq(outcome(), 0);
	dial_cancel(&e.d);
	turns(1);
	echo_through(accept(listener, NULL, NULL));
}
END_TEST

static struct addr good;
static unsigned attempts;

static void on_refused(struct dial *d, struct stream *s, int err)
{
	attempts++;
	if (!s) {
		ck_assert_int_eq(err, -ECONNREFUSED);
		dial_start(d, loop, &good, 1000, on_refused);
	} else {
		on_done(d, s, err);
	}
}

START_TEST(the_next_address_may_be_tried_from_within_done)
{
	struct addr bad = listen_at(AF_INET, -1);
	int keep = listener;

	good = listen_at(AF_INET, 8);
	dial_start(&e.d, loop, &bad, 1000, on_refused);
	ck_assert_int_eq(outcome(), 0);
	ck_assert_uint_eq(attempts, 2);
	echo_through(accept(listener, NULL, NULL));
	close(keep);
}
END_TEST

/* An event of the connection before, in the same batch, is not taken for one of the next. */
static struct dial pair[2];

static void on_first_of_pair(struct dial *d, struct stream *s, int err)
{
	struct dial *other = d == &pair[0] ? &pair[1] : &pair[0];
	struct addr bad = { .family = AF_INET, .port = 1, .ip = { 127, 0, 0, 1 } };

	ck_assert_int_eq(err, 0);
	ck_assert_ptr_nonnull(s);
	attempts++;
	dial_cancel(other);
	e.starting = true;
	dial_start(&e.d, loop, &bad, 1000, on_done);
	*other = (struct dial){ 0 };
	e.starting = false;
}

START_TEST(a_dial_may_cancel_another_of_the_same_batch)
{
	good = listen_at(AF_INET, 8);
	for (int i = 0; i < 2; i++)
		dial_start(&pair[i], loop, &good, 1000, on_first_of_pair);
	ck_assert_int_eq(outcome(), -ECONNREFUSED);
	ck_assert_uint_eq(attempts, 1);
}
END_TEST

/* Nobody listens at the ports that the kernel gives to those who connect, and after some thousand
 * attempts it gives the very port that is being connected to. By chance: without the dialer's
 * precaution this fails most of the time, with it never. */
START_TEST(a_connection_to_itself_is_refused)
{
	struct addr a = loopback(AF_INET);
	uint64_t end = clock_now() + 2000;

	a.port = 40002; /* Linux prefers even ports */
	while (clock_now() < end) {
		e.done = 0;
		start(&a, 1000);
		while (!e.done)
			ck_assert_int_eq(loop_turn(loop, 100), 0);
		ck_assert_int_eq(e.err, -ECONNREFUSED);
	}
}
END_TEST

/* Whether the failure has come about. The dialer itself allocates nothing. */
static bool survives_failure_of(unsigned long nth, const struct addr *a)
{
	bool failed;

	e.done = 0;
	mem_fail_at(nth);
	start(a, 1000);
	ck_assert_int_eq(outcome(), 0);
	stream_close(&e.s);
	turns(1);
	failed = mem_failed();
	mem_fail_at(0);
	return failed;
}

START_TEST(each_allocation_may_fail_once)
{
	struct addr a = listen_at(AF_INET, 8);
	unsigned before = open_descriptors();
	unsigned long n = 0;

	while (survives_failure_of(++n, &a))
		ck_assert_uint_lt(n, 10);
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dialer");
	TCase *tc = tcase_create("dialer");
	SRunner *runner;
	int failed;

	if (!mkdtemp(dir))
		return EXIT_FAILURE;
	snprintf(path, sizeof(path), "%s/socket", dir);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_connection_is_a_plain_stream_without_delay, 0, 2);
	tcase_add_test(tc, a_unix_socket_is_connected_to);
	tcase_add_test(tc, a_stream_that_is_not_taken_is_closed);
	tcase_add_test(tc, a_unix_socket_with_a_full_backlog_is_waited_for);
	tcase_add_loop_test(tc, where_nobody_listens_is_refused, 0, 2);
	tcase_add_test(tc, a_unix_socket_may_be_missing_dead_or_impossible);
	tcase_add_loop_test(tc, an_address_of_no_family_is_refused, 0, 2);
	tcase_add_loop_test(tc, what_does_not_answer_in_time_has_timed_out, 0, 2);
	tcase_add_test(tc, while_it_waits_the_loop_sleeps);
	tcase_add_test(tc, without_descriptors_it_fails_and_the_next_succeeds);
	tcase_add_loop_test(tc, a_dial_can_be_cancelled_in_each_phase, 0, 3);
	tcase_add_test(tc, cancelling_what_is_zeroed_or_done_is_harmless);
	tcase_add_test(tc, the_next_address_may_be_tried_from_within_done);
	tcase_add_test(tc, a_dial_may_cancel_another_of_the_same_batch);
	tcase_add_test(tc, a_connection_to_itself_is_refused);
	tcase_add_test(tc, each_allocation_may_fail_once);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* none leaves anything to another */
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(path);
	rmdir(dir);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
