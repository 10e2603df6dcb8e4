/*
 * tests/unit/test_sockjs_tcp.c - what sockjs.h promises of sessions without HTTP.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sockjs_fixture.h"

static int listen_with(const char *address, const char *protocol, const char *endpoint)
{
	struct sockjs_options *o = sockjs_options_new();
	int err;

	ck_assert_ptr_nonnull(o);
	ck_assert_int_eq(sockjs_options_set(o, "protocol", protocol), 0);
	ck_assert_int_eq(sockjs_options_set(o, "endpoint", endpoint), 0);
	err = sockjs_server_listen(gateway.server, address, o);
	sockjs_options_free(o);
	return err;
}

static const char *const without_http[] = { "protocol", "stomp", "endpoint", "/app", NULL };
static unsigned tcp_port;

static void start_with_both(const char *const *server, const char *const *endpoint)
{
	gateway_init(&gateway, server);
	gateway_add(&gateway, "/app", &telling_app, app_arg, endpoint);
	tcp_port = gateway_listen(&gateway, without_http);
	gateway_start(&gateway);
}

static void start_tcp(const char *const *options)
{
	start_with_both(one_thread, options);
}

static void open_tcp(struct raw_client *c)
{
	raw_open(c, tcp_port);
	hear("[open]");
}

/* --- addresses -------------------------------------------------------------------- */

START_TEST(an_address_is_for_an_endpoint_that_is_there)
{
	gateway_init(&gateway, one_thread);
	ck_assert_int_eq(listen_with("127.0.0.1:0", "stomp", "/app"), -EINVAL);
	ck_assert_str_eq(sockjs_server_error(gateway.server),
	    "127.0.0.1:0: endpoint: \"/app\" is not an endpoint of this server");
	gateway_add(&gateway, "/app", &telling_app, app_arg, NULL);
	ck_assert_int_eq(listen_with("127.0.0.1:0", "stomp", "/ap"), -EINVAL);
	ck_assert_int_eq(listen_with("127.0.0.1:0", "stomp", "/app"), 0);
	ck_assert_int_eq(
	    strncmp(sockjs_server_url(gateway.server, 0), "stomp://127.0.0.1:", 18), 0);
}
END_TEST

START_TEST(protocol_and_endpoint_go_together)
{
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &telling_app, app_arg, NULL);
	ck_assert_int_eq(listen_with("127.0.0.1:0", "stomp", NULL), -EINVAL);
	ck_assert_str_eq(sockjs_server_error(gateway.server),
	    "endpoint: missing; with protocol \"stomp\" it is the prefix of the endpoint that "
	    "serves "
	    "this address");
	ck_assert_int_eq(listen_with("127.0.0.1:0", "http", "/app"), -EINVAL);
	ck_assert_str_eq(sockjs_server_error(gateway.server),
	    "endpoint: means nothing with protocol \"http\"; it is for \"stomp\"");
	ck_assert_ptr_null(sockjs_server_url(gateway.server, 0));
}
END_TEST

/* --- a handshake ------------------------------------------------------------------ */

static int look_at_all(struct sockjs_handshake *h)
{
	ck_assert_str_eq(sockjs_handshake_transport(h), "tcp");
	ck_assert_str_eq(sockjs_handshake_prefix(h), "/app");
	ck_assert_str_eq(sockjs_handshake_path(h), "");
	ck_assert_str_eq(sockjs_handshake_query(h), "");
	ck_assert_ptr_null(sockjs_handshake_origin(h));
	ck_assert_str_eq(sockjs_handshake_remote(h), "127.0.0.1");
	ck_assert_str_eq(sockjs_handshake_host(h), "");
	ck_assert_ptr_null(sockjs_handshake_client_subject(h));
	ck_assert_ptr_null(sockjs_handshake_client_fingerprint(h));
	ck_assert_int_eq(sockjs_handshake_is_tls(h), 0);
	ck_assert_ptr_null(sockjs_handshake_header(h, "X-Seen"));
	ck_assert_ptr_null(sockjs_handshake_header(h, "Cookie"));
	ck_assert_ptr_null(sockjs_handshake_subprotocol(h, 0));
	ck_assert_int_eq(sockjs_handshake_select(h, "v1"), -EINVAL);
	sockjs_handshake_set_user(h, app_arg);
	return 0;
}

static void look_at_session(struct sockjs_session *s)
{
	ck_assert_str_eq(sockjs_transport(s), "tcp");
	ck_assert_str_eq(sockjs_remote(s), "127.0.0.1");
	ck_assert_ptr_null(sockjs_subprotocol(s));
	ck_assert_ptr_eq(sockjs_user(s), app_arg);
	ck_assert_int_eq(sockjs_add_header(s, "X-A", "b"), -EALREADY);
	ck_assert_int_eq(sockjs_send(s, "text\n", 5), 0);
	ck_assert_int_eq(sockjs_send_binary(s, "\xff\0\xc3(", 4), 0);
	ck_assert_int_eq(sockjs_send(s, "\xff", 1), -EILSEQ);
}

START_TEST(a_handshake_without_a_request_has_nothing_of_one)
{
	react.handshake = look_at_all;
	react.open = look_at_session;
	start_tcp(usual);
	open_tcp(&a);
	raw_expect_more(&a, 9);
	ck_assert_int_eq(memcmp(a.in, "text\n\xff\0\xc3(", 9), 0);
	raw_write(&a, "hello", 5);
	hear("[binary hello]");
	shutdown(a.fd, SHUT_WR);
	hear("[close 1005 No status received]");
}
END_TEST

static int no(struct sockjs_handshake *h)
{
	(void)h;
	return 403;
}

START_TEST(who_is_refused_gets_nothing_but_the_end)
{
	react.handshake = no;
	start_tcp(usual);
	raw_open(&a, tcp_port);
	raw_expect_end(&a);
	ck_assert_uint_eq(a.len, 0);
	hear_nothing_more();
}
END_TEST

/* --- later ------------------------------------------------------------------------ */

static int later(struct sockjs_handshake *h)
{
	(void)h;
	return SOCKJS_LATER;
}

static void accept_it(struct sockjs_session *s, void *arg)
{
	(void)arg;
	ck_assert_int_eq(sockjs_add_header(s, "X-A", "b"), -ENOTSUP);
	ck_assert_int_eq(sockjs_accept(s, "v1"), -EINVAL);
	ck_assert_int_eq(sockjs_accept(s, NULL), 0);
}

static void refuse_it(struct sockjs_session *s, void *arg)
{
	(void)arg;
	ck_assert_int_eq(sockjs_refuse(s, 403, 4403, "No entry"), 0);
}

START_TEST(what_an_eager_client_sends_waits_for_the_decision)
{
	react.handshake = later;
	start_tcp(usual);
	raw_open(&a, tcp_port);
	raw_write(&a, "eager", 5);
	hear("[connecting]");
	raw_expect_silence(&a, 100);
	hear_nothing_more();
	in_reactor(accept_it, NULL);
	hear("[open][binary eager]");
}
END_TEST

START_TEST(who_is_refused_later_gets_no_words_either)
{
	react.handshake = later;
	start_tcp(usual);
	raw_open(&a, tcp_port);
	raw_write(&a, "eager", 5);
	hear("[connecting]");
	in_reactor(refuse_it, NULL);
	raw_expect_end(&a);
	ck_assert_uint_eq(a.len, 0);
	hear("[close 403 No entry]");
}
END_TEST

START_TEST(a_stop_refuses_who_waits)
{
	react.handshake = later;
	start_tcp(usual);
	raw_open(&a, tcp_port);
	hear("[connecting]");
	sockjs_server_stop(gateway.server);
	raw_expect_end(&a);
	ck_assert_uint_eq(a.len, 0);
	gateway_wait(&gateway);
	hear("[close 503 ]");
}
END_TEST

/* --- the end ---------------------------------------------------------------------- */

static void say_goodbye(struct sockjs_session *s)
{
	say(s, "so long");
}

START_TEST(a_stop_flushes_and_ends_in_order)
{
	react.open = say_goodbye;
	start_tcp(usual);
	open_tcp(&a);
	sockjs_server_stop(gateway.server);
	raw_expect_next(&a, "so long");
	raw_expect_end(&a);
	raw_close(&a);
	gateway_wait(&gateway);
	hear("[close 1001 Going away]");
}
END_TEST

START_TEST(newcomers_are_refused_before_anybody_is_closed)
{
	static const char *const slowly[] = { "threads", "1", "drain_delay_ms", "1000", NULL };

	start_with_both(slowly, usual);
	open_tcp(&a);
	sockjs_server_stop(gateway.server);
	raw_expect_silence(&a, 100);
	raw_open(&b, tcp_port);
	raw_expect_end(&b);
	raw_write(&a, "still here", 10);
	hear("[binary still here]");
	raw_expect_end(&a);
	hear("[close 1001 Going away]");
}
END_TEST

static void close_it(struct sockjs_session *s, const char *text, size_t n)
{
	(void)text, (void)n;
	say(s, "last words");
	sockjs_close(s, 4000, "enough");
}

/* A client that sends on is no reason for a reset, by which the last words would get lost. */
START_TEST(the_last_words_arrive_though_the_client_sends_on)
{
	static char much[1000000];

	react.message = close_it;
	start_tcp(usual);
	open_tcp(&a);
	a.careless = true;
	raw_write(&a, "x", 1);
	hear("[binary x]");
	raw_write(&a, much, sizeof(much));
	raw_expect_next(&a, "last words");
	raw_expect_end(&a);
	hear("[close 4000 enough]");
}
END_TEST

static void close_while_opening(struct sockjs_session *s)
{
	sockjs_close(s, 4000, "too late");
}

START_TEST(a_session_may_be_closed_while_it_opens)
{
	react.open = close_while_opening;
	start_tcp(usual);
	open_tcp(&a);
	raw_expect_end(&a);
	hear("[close 4000 too late]");
}
END_TEST

/* --- limits ----------------------------------------------------------------------- */

START_TEST(octets_beyond_the_rate_come_later)
{
	static const char *const slowly[] = { "max_bytes_per_second", "10", NULL };

	start_tcp(slowly);
	open_tcp(&a);
	raw_write(&a, "0123456789abcdefghij", 20);
	hear("[binary 0123456789abcdefghij]");
	raw_write(&a, "x", 1);
	raw_expect_silence(&a, 300);
	hear_nothing_more();
	hear("[binary x]");
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, an_address_is_for_an_endpoint_that_is_there);
	tcase_add_test(tc, protocol_and_endpoint_go_together);
	tcase_add_test(tc, a_handshake_without_a_request_has_nothing_of_one);
	tcase_add_test(tc, who_is_refused_gets_nothing_but_the_end);
	tcase_add_test(tc, what_an_eager_client_sends_waits_for_the_decision);
	tcase_add_test(tc, who_is_refused_later_gets_no_words_either);
	tcase_add_test(tc, a_stop_refuses_who_waits);
	tcase_add_test(tc, a_stop_flushes_and_ends_in_order);
	tcase_add_test(tc, newcomers_are_refused_before_anybody_is_closed);
	tcase_add_test(tc, the_last_words_arrive_though_the_client_sends_on);
	tcase_add_test(tc, a_session_may_be_closed_while_it_opens);
	tcase_add_test(tc, octets_beyond_the_rate_come_later);
}

int main(void)
{
	return sockjs_tests_run("sockjs_tcp", add);
}
