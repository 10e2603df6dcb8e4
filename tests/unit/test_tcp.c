/*
 * tests/unit/test_tcp.c - a connection without HTTP as a receiver, with a fake endpoint above.
 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certificate.h"
#include "fakes/fake_endpoint.h"
#include "net/visitors.h"
#include "transports/tcp.h"

static struct raw_client a;

static void setup(void)
{
	fake_endpoint_up();
	a.fd = -1;
}

static void teardown(void)
{
	raw_close(&a);
	fake_endpoint_down();
}

/* What a listener does. `arrival` needs no descriptor and no peer. */
static void take(struct tcp_arrival arrival, int send_buffer)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	arrival.fd =
	    accept4(fake.listener, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(arrival.fd, 0);
	if (send_buffer)
		setsockopt(arrival.fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
	arrival.peer = addr_from_sockaddr((struct sockaddr *)&sa);
	tcp_serve(&fake.reactor, &fake.base, &arrival);
	fake_turns(1);
}

static void connect_it(void)
{
	raw_open(&a, fake.port);
	take((struct tcp_arrival){ 0 }, 0);
}

static void open_it(void)
{
	connect_it();
	fake_expect_told("[open]");
}

/* Little fits between the two. */
static void open_narrow(void)
{
	raw_open_narrow(&a, fake.port);
	take((struct tcp_arrival){ 0 }, 4096);
	fake_expect_told("[open]");
}

static uint64_t receivers(void)
{
	return fake.reactor.sessions.counters.receivers;
}

static uint64_t refusals(enum http_refusal why)
{
	return http_server_counters(fake.reactor.http)->refused[why];
}

/* --- octets ----------------------------------------------------------------------- */

START_TEST(octets_are_binary_messages_and_what_is_sent_goes_as_it_is)
{
	open_it();
	raw_write(&a, "[\"one\"]", 7);
	fake_expect_told("[binary [\"one\"]]");
	fake_send(fake.last, "a");
	fake_send(fake.last, "");
	fake_send(fake.last, "bc");
	fake_expect_next(&a, "abc");
	session_close(fake.last, 3000, "Go away!");
	fake_expect_end(&a);
	ck_assert_uint_eq(a.len, 0);
	fake_expect_told("[close 3000 Go away!]");
}
END_TEST

START_TEST(a_surrogate_is_no_trouble_to_a_wire_of_octets)
{
	struct message *m = message_new("x\xed\xa0\x80y", 5, false, true);

	m->has_surrogates = true;
	open_it();
	session_send(fake.last, m);
	session_send(fake.last, m);
	fake_expect_next(&a, "x\xed\xa0\x80yx\xed\xa0\x80y");
	message_unref(m);
}
END_TEST

START_TEST(no_message_is_longer_than_the_endpoint_takes)
{
	fake.base.max_message_bytes = 4;
	open_it();
	raw_write(&a, "one two three", 13);
	fake_expect_told("[binary one ][binary two ][binary thre][binary e]");
}
END_TEST

/* More than fits into one call, long and short, with none lost on the way. */
START_TEST(long_and_short_messages_keep_their_order)
{
	char text[5001];

	open_it();
	for (int round = 0; round < 12; round++) {
		memset(text, 'a' + round, 5000);
		text[5000] = '\0';
		fake_send(fake.last, text);
		if (round % 3 == 0)
			fake_send(fake.last, "short");
	}
	for (int round = 0; round < 12; round++) {
		memset(text, 'a' + round, 5000);
		fake_expect_next(&a, text);
		if (round % 3 == 0)
			fake_expect_next(&a, "short");
	}
}
END_TEST

START_TEST(many_short_messages_keep_their_order_too)
{
	char text[16];

	open_it();
	for (int i = 0; i < 600; i++) {
		snprintf(text, sizeof(text), "<%d>", i);
		ck_assert_int_ge(fake_send(fake.last, text), 0);
	}
	for (int i = 0; i < 600; i++) {
		snprintf(text, sizeof(text), "<%d>", i);
		fake_expect_next(&a, text);
	}
}
END_TEST

START_TEST(a_heartbeat_is_not_said)
{
	fake.base.limits.heartbeat_delay_ms = 10;
	open_it();
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(loop_turn(fake.loop, 10), 0);
	ck_assert(!raw_has(&a, 1));
	fake_expect_told("");
}
END_TEST

/* --- ends ------------------------------------------------------------------------- */

START_TEST(who_says_no_more_gets_what_is_owed_and_an_end)
{
	open_it();
	raw_write(&a, "one", 3);
	fake_expect_told("[binary one]");
	fake_send(fake.last, "two");
	shutdown(a.fd, SHUT_WR);
	fake_expect_told("[close 1005 No status received]");
	fake_expect_next(&a, "two");
	fake_expect_end(&a);
}
END_TEST

START_TEST(a_reset_is_an_interruption)
{
	open_it();
	raw_write(&a, "one", 3);
	fake_expect_told("[binary one]");
	raw_reset(&a);
	fake_expect_told("[close 1002 Connection interrupted]");
	ck_assert_uint_eq(receivers(), 0);
}
END_TEST

START_TEST(a_reset_is_heard_by_who_has_paused)
{
	open_it();
	session_pause(fake.last);
	raw_reset(&a);
	fake_expect_told("[close 1002 Connection interrupted]");
	ck_assert_uint_eq(receivers(), 0);
}
END_TEST

START_TEST(a_paused_session_learns_of_the_end_after_the_octets_before_it)
{
	open_it();
	session_pause(fake.last);
	raw_write(&a, "one", 3);
	raw_close(&a);
	fake_turns(30);
	fake_expect_told("");
	session_resume(fake.last);
	fake_expect_told("[binary one][close 1005 No status received]");
}
END_TEST

static void pause_it(struct session *s)
{
	session_pause(s);
}

START_TEST(a_session_paused_while_it_opens_is_not_read)
{
	fake.on_open = pause_it;
	open_it();
	raw_write(&a, "one", 3);
	fake_turns(30);
	fake_expect_told("");
	session_resume(fake.last);
	fake_expect_told("[binary one]");
}
END_TEST

START_TEST(who_never_says_anything_is_not_kept)
{
	fake.base.limits.first_message_timeout_ms = 30;
	connect_it(); /* on a busy machine it may be over before anybody looks */
	fake_expect_told("[open][close 4501 The client never answered]");
	fake_expect_end(&a);
}
END_TEST

/* A client that waits to be spoken to, and one that has said so much. */
START_TEST(a_wire_is_dropped_with_its_reactor_whatever_it_is_doing)
{
	if (_i == 0)
		open_narrow();
	else
		open_it();
	fake_send(fake.last, "x");
	raw_write(&a, "y", 1);
	/* teardown() checks that none is left */
}
END_TEST

/* --- pressure --------------------------------------------------------------------- */

/* Into the stream's own queue; how much that is. */
static size_t fill(void)
{
	char text[1001];
	size_t n = 0;

	memset(text, 'x', 1000);
	text[1000] = '\0';
	for (; session_buffered(fake.last) < 40000; n += 1000) {
		ck_assert_int_ge(fake_send(fake.last, text), 0);
		fake_turns(1);
	}
	return n;
}

START_TEST(what_was_accepted_arrives_before_the_end)
{
	size_t n, got = 0;

	open_narrow();
	n = fill();
	session_close(fake.last, 1000, "");
	while (!a.ended) {
		ck_assert_int_eq(loop_turn(fake.loop, 1), 0);
		raw_has(&a, SIZE_MAX);
		got += a.len;
		a.len = 0;
	}
	ck_assert_uint_eq(got, n);
}
END_TEST

START_TEST(who_says_no_more_and_reads_slowly_gets_what_is_owed)
{
	size_t n, got = 0;

	open_narrow();
	n = fill();
	shutdown(a.fd, SHUT_WR);
	while (!a.ended) {
		ck_assert_int_eq(loop_turn(fake.loop, 1), 0);
		raw_has(&a, SIZE_MAX);
		got += a.len;
		a.len = 0;
	}
	ck_assert_uint_eq(got, n);
}
END_TEST

START_TEST(who_takes_nothing_is_cut_off)
{
	fake.base.limits.send_timeout_ms = 50;
	open_narrow();
	fill();
	strcpy(fake.told, "");
	fake_expect_told("[close 4500 The client reads too slowly]");
	ck_assert_uint_eq(receivers(), 0);
	fake_expect_end(&a);
}
END_TEST

START_TEST(who_is_sent_more_than_may_wait_is_cut_off)
{
	int err = 0;

	open_narrow();
	fill();
	strcpy(fake.told, "");
	for (int i = 0; i < 100 && err >= 0; i++) {
		err = fake_send(fake.last, "0123456789 0123456789 0123456789 0123456789");
		if (err >= 0 && i == 99)
			i = 0;
	}
	ck_assert_int_eq(err, -ENOBUFS);
	fake_expect_told("[close 4500 The client reads too slowly]");
	fake_expect_end(&a);
}
END_TEST

/* --- an application that has to think --------------------------------------------- */

START_TEST(octets_wait_for_the_decision)
{
	fake.hold = true;
	connect_it();
	raw_write(&a, "early", 5);
	fake_turns(30);
	fake_expect_told("");
	session_accept(fake.last);
	fake_expect_told("[open][binary early]");
	fake_send(fake.last, "x");
	fake_expect_next(&a, "x");
}
END_TEST

START_TEST(who_is_refused_later_gets_nothing_but_the_end)
{
	fake.hold = true;
	connect_it();
	raw_write(&a, "early", 5);
	session_refuse(fake.last, 403, 4403, "No");
	fake_expect_end(&a);
	ck_assert_uint_eq(a.len, 0);
	fake_expect_told("[close 403 No]");
}
END_TEST

START_TEST(who_leaves_before_the_decision_leaves_no_open)
{
	fake.hold = true;
	connect_it();
	raw_close(&a);
	fake_expect_told("[close 1002 Connection interrupted]");
	ck_assert_uint_eq(receivers(), 0);
}
END_TEST

START_TEST(who_is_refused_at_once_gives_its_place_back)
{
	struct quota most = { 1, 0 };
	struct quotas *visitors = quotas_new(&most, 1);
	struct addr peer = { .family = AF_INET };
	struct tcp_arrival arrival = { 0 };

	ck_assert_int_eq(visitor_enter(visitors, &peer, (struct visitor_prefixes){ 32, 64 },
	                     VISITOR_CONNECTION, &arrival.visitor),
	    QUOTA_GRANTED);
	fake.refuse_with = 503;
	raw_open(&a, fake.port);
	take(arrival, 0);
	fake_expect_end(&a);
	ck_assert_uint_eq(a.len, 0);
	fake_expect_told("");
	ck_assert_uint_eq(receivers(), 0);
	ck_assert_uint_eq(quotas_count(visitors), 0);
	quotas_free(visitors);
}
END_TEST

/* --- TLS -------------------------------------------------------------------------- */

static char cert_path[] = "/tmp/test_tcp.cert.XXXXXX";
static char key_path[] = "/tmp/test_tcp.key.XXXXXX";
static struct tls_context *tls;

static void connect_tls(unsigned timeout_ms)
{
	struct tcp_arrival arrival = { .tls = tls, .tls_timeout_ms = timeout_ms };

	raw_open(&a, fake.port);
	take(arrival, 0);
}

static void tls_setup(void)
{
	char why[300];

	close(mkstemp(cert_path));
	close(mkstemp(key_path));
	ck_assert(certificate_write(cert_path, key_path));
	tls = tls_context_new(cert_path, key_path, why, sizeof(why));
	ck_assert_msg(tls != NULL, "%s", why);
	setup();
}

static void tls_teardown(void)
{
	teardown();
	tls_context_free(tls);
	unlink(cert_path);
	unlink(key_path);
}

static const struct {
	const char *octets;
	size_t n;
} garbage[] = {
	{ "CONNECT\naccept-version:1.2\n\n", 28 },
	{ "GET / HTTP/1.1\r\n\r\n", 18 },
	{ "\0\0\0\0\0\0\0\0", 8 },
	{ "\x16\x03\x01\xff\xff\x01\x00\x00\x00", 9 },
	{ "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10 },
	{ "\x15\x03\x01\x00\x02\x02\x00", 7 },
};

START_TEST(garbage_in_place_of_tls_is_refused_in_time_and_never_a_session)
{
	connect_tls(100);
	raw_write(&a, garbage[_i].octets, garbage[_i].n);
	fake_expect_end(&a);
	fake_expect_told("");
	ck_assert_uint_eq(receivers(), 0);
	ck_assert_uint_eq(refusals(HTTP_REFUSED_TLS), 1);
	ck_assert_uint_eq(fake.reactor.sessions.counters.connecting, 0);
}
END_TEST

START_TEST(who_does_not_begin_tls_is_left_after_the_timeout)
{
	connect_tls(30);
	fake_expect_end(&a);
	ck_assert_uint_eq(receivers(), 0);
	ck_assert_uint_eq(refusals(HTTP_REFUSED_TLS), 1);
}
END_TEST

START_TEST(who_leaves_in_the_midst_of_tls_leaves_nothing)
{
	connect_tls(10000);
	raw_write(&a, garbage[3].octets, garbage[3].n);
	if (_i)
		raw_reset(&a);
	else
		raw_close(&a);
	fake_turns(30);
	ck_assert_uint_eq(receivers(), 0);
	ck_assert_uint_eq(refusals(HTTP_REFUSED_TLS), 1);
}
END_TEST

START_TEST(a_drain_ends_handshakes_and_not_sessions)
{
	struct raw_client b;

	connect_tls(10000);
	b = a;
	open_it();
	tcp_drain(&fake.reactor);
	fake_expect_end(&b);
	ck_assert_uint_eq(receivers(), 1);
	raw_write(&a, "x", 1);
	fake_expect_told("[binary x]");
	raw_close(&b);
}
END_TEST

START_TEST(a_handshake_is_dropped_with_its_reactor)
{
	connect_tls(10000);
	ck_assert_uint_eq(receivers(), 1);
	/* teardown() checks that none is left */
}
END_TEST

static void add_octets(TCase *tc)
{
	tcase_add_test(tc, octets_are_binary_messages_and_what_is_sent_goes_as_it_is);
	tcase_add_test(tc, a_surrogate_is_no_trouble_to_a_wire_of_octets);
	tcase_add_test(tc, no_message_is_longer_than_the_endpoint_takes);
	tcase_add_test(tc, long_and_short_messages_keep_their_order);
	tcase_add_test(tc, many_short_messages_keep_their_order_too);
	tcase_add_test(tc, a_heartbeat_is_not_said);
	tcase_add_test(tc, who_says_no_more_gets_what_is_owed_and_an_end);
	tcase_add_test(tc, a_reset_is_an_interruption);
	tcase_add_test(tc, a_reset_is_heard_by_who_has_paused);
	tcase_add_test(tc, a_paused_session_learns_of_the_end_after_the_octets_before_it);
	tcase_add_test(tc, a_session_paused_while_it_opens_is_not_read);
	tcase_add_test(tc, who_never_says_anything_is_not_kept);
	tcase_add_loop_test(tc, a_wire_is_dropped_with_its_reactor_whatever_it_is_doing, 0, 2);
}

static void add_pressure(TCase *tc)
{
	tcase_add_test(tc, what_was_accepted_arrives_before_the_end);
	tcase_add_test(tc, who_says_no_more_and_reads_slowly_gets_what_is_owed);
	tcase_add_test(tc, who_takes_nothing_is_cut_off);
	tcase_add_test(tc, who_is_sent_more_than_may_wait_is_cut_off);
	tcase_add_test(tc, octets_wait_for_the_decision);
	tcase_add_test(tc, who_is_refused_later_gets_nothing_but_the_end);
	tcase_add_test(tc, who_leaves_before_the_decision_leaves_no_open);
	tcase_add_test(tc, who_is_refused_at_once_gives_its_place_back);
}

static void add_tls(TCase *tc)
{
	tcase_add_loop_test(tc, garbage_in_place_of_tls_is_refused_in_time_and_never_a_session, 0,
	    (int)(sizeof(garbage) / sizeof(*garbage)));
	tcase_add_test(tc, who_does_not_begin_tls_is_left_after_the_timeout);
	tcase_add_loop_test(tc, who_leaves_in_the_midst_of_tls_leaves_nothing, 0, 2);
	tcase_add_test(tc, a_drain_ends_handshakes_and_not_sessions);
	tcase_add_test(tc, a_handshake_is_dropped_with_its_reactor);
}

int main(void)
{
	Suite *suite = suite_create("tcp");
	TCase *plain = tcase_create("tcp"), *secure = tcase_create("tcp over TLS");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(plain, setup, teardown);
	tcase_set_timeout(plain, 60);
	add_octets(plain);
	add_pressure(plain);
	suite_add_tcase(suite, plain);
	tcase_add_checked_fixture(secure, tls_setup, tls_teardown);
	tcase_set_timeout(secure, 60);
	add_tls(secure);
	suite_add_tcase(suite, secure);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
