/*
 * tests/unit/test_sockjs_server.c - what sockjs.h promises of a server: how it is built, runs,
 * drains and stops.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sockjs_fixture.h"

/* --- the server ------------------------------------------------------------------- */

static void say_goodbye_and_stop(struct sockjs_session *s, void *arg)
{
	(void)arg;
	say(s, "one more thing");
	sockjs_server_stop(gateway.server);
}

START_TEST(a_stop_flushes_each_session_and_closes_it_in_due_form)
{
	struct raw_client c, d;

	start();
	open_stream(&a, "s");
	open_raw(&b);
	raw_open(&c, gateway.port);
	raw_get(&c, "/app/0/e/eventsource");
	raw_expect(&c, "data: o\r\n\r\n");
	raw_open(&d, gateway.port);
	raw_post(&d, "/app/0/p/xhr", "");
	raw_expect(&d, "o\n");
	hear("[open][open]");
	raw_post(&d, "/app/0/p/xhr", "");
	usleep(50000); /* it waits there */
	in_reactor(say_goodbye_and_stop, NULL);
	raw_expect(&a, "c[3000,\"Go away!\"]\n\r\n0\r\n\r\n");
	raw_ws_expect_close(&b, 1001, "Going away");
	raw_ws_close(&b, 1001, "");
	raw_expect(&c, "data: c[3000,\"Go away!\"]\r\n\r\n");
	raw_expect(&d, "a[\"one more thing\"]\n");
	raw_close(&c);
	raw_close(&d);
	hear("[close 3000 Go away!][close 1001 Going away][close 3000 Go away!][close 3000 Go "
	     "away!]");
	sockjs_server_stop(gateway.server); /* else the last poll would be waited for */
	gateway_wait(&gateway);
}
END_TEST

START_TEST(a_stop_ends_by_itself_when_all_are_gone)
{
	start();
	open_raw(&a);
	open_stream(&b, "s");
	sockjs_server_stop(gateway.server);
	raw_expect(&b, "c[3000,\"Go away!\"]\n");
	raw_ws_expect_close(&a, 1001, "Going away");
	raw_ws_close(&a, 1001, "");
	raw_expect_end(&a);
	raw_close(&a);
	raw_close(&b);
	gateway_wait(&gateway);
}
END_TEST

START_TEST(a_second_stop_is_at_once_whoever_has_not_answered)
{
	start();
	open_raw(&a);
	open_stream(&b, "s");
	sockjs_server_stop(gateway.server);
	raw_ws_expect_close(&a, 1001, "Going away"); /* and gets no answer */
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	raw_expect_end(&a);
	ck_assert_uint_eq(count_in_story("[close "), 2);
}
END_TEST

START_TEST(a_stop_before_the_run_is_not_forgotten)
{
	start_with(usual);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
}
END_TEST

START_TEST(a_server_runs_once_and_takes_nothing_while_it_runs)
{
	struct sockjs_server *s;

	start();
	open_raw(&a);
	s = gateway.server;
	ck_assert_int_eq(sockjs_server_add(s, "/late", &telling_app, NULL, NULL), -EBUSY);
	ck_assert_int_eq(sockjs_server_listen(s, "127.0.0.1:0", NULL), -EBUSY);
	ck_assert_int_eq(sockjs_server_run(s), -EBUSY);
	ck_assert_str_ne(sockjs_server_error(s), "");
}
END_TEST

START_TEST(a_prefix_has_a_form_and_is_taken_once)
{
	static const char *const bad[] = { "", "/", "app", "/app/", "//app", "/a.b", "/a?b", "/a#b",
		"/a b", "/a%20", "/\xc3\xa4" };

	gateway_init(&gateway, one_thread);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_int_eq(
		    sockjs_server_add(gateway.server, bad[i], &telling_app, NULL, NULL), -EINVAL);
	ck_assert_int_eq(
	    sockjs_server_add(gateway.server, "/a/b-c_d", &telling_app, NULL, NULL), 0);
	ck_assert_int_eq(
	    sockjs_server_add(gateway.server, "/a/b-c_d", &telling_app, NULL, NULL), -EEXIST);
	ck_assert_ptr_null(sockjs_server_url(gateway.server, 0));
}
END_TEST

/* --- options ---------------------------------------------------------------------- */

START_TEST(endpoint_options_of_the_server_are_the_defaults_of_its_endpoints)
{
	static const char *const of_the_server[] = { "threads", "1", "allowed_origins",
		"https://a.example", "max_sessions", "7", NULL };
	static const char *const of_the_endpoint[] = { "allowed_origins", "https://b.example",
		NULL };
	static const char ask[] =
	    "GET /%s/info HTTP/1.1\r\nHost: x\r\nOrigin: https://%s.example\r\n\r\n";

	gateway_init(&gateway, of_the_server);
	gateway_add(&gateway, "/plain", &telling_app, NULL, NULL);
	gateway_add(&gateway, "/own", &telling_app, NULL, of_the_endpoint);
	gateway_start(&gateway);
	for (int i = 0; i < 4; i++) {
		char text[200];
		bool own = i >= 2, from_b = i & 1;

		snprintf(text, sizeof(text), ask, own ? "own" : "plain", from_b ? "b" : "a");
		raw_open(&a, gateway.port);
		raw_write(&a, text, strlen(text));
		raw_expect_next(&a, own == from_b ? "HTTP/1.1 200 " : "HTTP/1.1 403 ");
		raw_close(&a);
	}
}
END_TEST

static int add_with(const char *key, const char *value)
{
	struct sockjs_options *o = sockjs_options_new();
	int err;

	ck_assert_int_eq(sockjs_options_set(o, key, value), 0);
	err = sockjs_server_add(gateway.server, "/with", &telling_app, NULL, o);
	sockjs_options_free(o);
	return err;
}

START_TEST(options_of_something_else_are_refused_by_an_endpoint)
{
	gateway_init(&gateway, one_thread);
	ck_assert_int_eq(add_with("threads", "2"), -EINVAL);
	ck_assert_str_eq(sockjs_server_error(gateway.server),
	    "threads: not an option of an endpoint; it is one for sockjs_server_new()");
	ck_assert_int_eq(add_with("www", NULL), -EINVAL);
	ck_assert_int_eq(add_with("mode", "0600"), -EINVAL);
	ck_assert_int_eq(add_with("upstream.url", "ws://127.0.0.1:9"), -EINVAL);
	ck_assert_int_eq(add_with("heartbeat_delay_ms", "1000"), 0);
}
END_TEST

static int listen_with(const char *address, const char *key, const char *value)
{
	struct sockjs_options *o = sockjs_options_new();
	int err;

	ck_assert_int_eq(sockjs_options_set(o, key, value), 0);
	err = sockjs_server_listen(gateway.server, address, o);
	sockjs_options_free(o);
	return err;
}

START_TEST(options_of_something_else_are_refused_by_an_address)
{
	gateway_init(&gateway, one_thread);
	ck_assert_int_eq(listen_with("127.0.0.1:0", "threads", "2"), -EINVAL);
	ck_assert_int_eq(listen_with("127.0.0.1:0", "max_sessions", "2"), -EINVAL);
	ck_assert_str_eq(sockjs_server_error(gateway.server),
	    "max_sessions: not an option of an address; it is one for sockjs_server_new() or "
	    "sockjs_server_add()");
	ck_assert_int_eq(listen_with("127.0.0.1:0", "mode", "0600"), -EINVAL);
	ck_assert_str_eq(sockjs_server_error(gateway.server),
	    "127.0.0.1:0: mode: means nothing here; it is for unix:PATH");
	ck_assert_int_eq(listen_with("127.0.0.1:0", "tls.key", "k.pem"), -EINVAL);
	ck_assert_ptr_null(sockjs_server_url(gateway.server, 0));
}
END_TEST

START_TEST(an_error_about_an_address_names_it_once)
{
	char expected[100];

	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &telling_app, NULL, NULL);
	gateway_start(&gateway);
	snprintf(expected, sizeof(expected), "127.0.0.1:%u", gateway.port);
	{
		struct sockjs_server *other = sockjs_server_new(NULL);

		ck_assert_int_eq(sockjs_server_listen(other, expected, NULL), -EADDRINUSE);
		strcat(expected, ": cannot listen: Address already in use");
		ck_assert_str_eq(sockjs_server_error(other), expected);
		sockjs_server_free(other);
	}
}
END_TEST

START_TEST(a_server_without_an_address_does_not_run)
{
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &telling_app, NULL, NULL);
	ck_assert_int_eq(sockjs_server_run(gateway.server), -EINVAL);
	ck_assert_str_eq(sockjs_server_error(gateway.server),
	    "there is no address to listen on: call sockjs_server_listen() first");
}
END_TEST

START_TEST(the_header_and_the_library_say_one_version)
{
	char text[40];

	snprintf(text, sizeof(text), "%d.%d.%d", SOCKJS_VERSION_MAJOR, SOCKJS_VERSION_MINOR,
	    SOCKJS_VERSION_PATCH);
	ck_assert_str_eq(sockjs_version(), text);
	ck_assert_str_eq(SOCKJS_VERSION, text);
	ck_assert_int_eq(SOCKJS_VERSION_NUMBER,
	    SOCKJS_VERSION_MAJOR * 10000 + SOCKJS_VERSION_MINOR * 100 + SOCKJS_VERSION_PATCH);
}
END_TEST

START_TEST(an_application_without_callbacks_is_an_application)
{
	static const struct sockjs_callbacks none;

	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &none, NULL, usual);
	gateway_start(&gateway);
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/app/websocket");
	raw_ws_text(&a, "hello");
	raw_ws_close(&a, 1000, "");
	raw_ws_expect_close(&a, 1000, "");
}
END_TEST

static atomic_int begun, sessions_before, ended;

static void on_begin(void *app)
{
	(void)app;
	atomic_fetch_add(&begun, 1);
}

static void on_end(void *app)
{
	(void)app;
	atomic_fetch_add(&ended, 1);
}

static void on_open(struct sockjs_session *s, void *app)
{
	(void)s, (void)app;
	atomic_fetch_add(&sessions_before, ended == 0);
}

START_TEST(an_application_is_told_of_the_beginning_and_the_end_of_each_reactor)
{
	static const struct sockjs_callbacks callbacks = { .open = on_open,
		.begin = on_begin,
		.end = on_end };
	static const char *const options[] = { "threads", "3", "shutdown_timeout_ms", "5000", NULL };

	gateway_init(&gateway, options);
	gateway_add(&gateway, "/app", &callbacks, NULL, usual);
	gateway_start(&gateway);
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/app/websocket");
	raw_ws_close(&a, 1000, "");
	raw_ws_expect_close(&a, 1000, "");
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	ck_assert_int_eq(atomic_load(&begun), 3);
	ck_assert_int_eq(atomic_load(&ended), 3);
	ck_assert_int_eq(atomic_load(&sessions_before), 1);
}
END_TEST

START_TEST(a_thread_that_cannot_be_started_is_an_error_and_nothing_more)
{
	static const char *const four[] = { "threads", "4", NULL };
	pthread_attr_t usual_attr, huge;

	gateway_init(&gateway, four);
	ck_assert_int_eq(sockjs_server_listen(gateway.server, "127.0.0.1:0", NULL), 0);
	ck_assert_int_eq(pthread_getattr_default_np(&usual_attr), 0);
	pthread_attr_init(&huge);
	if (pthread_attr_setstacksize(&huge, (size_t)1 << 46) == 0 &&
	    pthread_setattr_default_np(&huge) == 0) {
		ck_assert_int_lt(sockjs_server_run(gateway.server), 0);
		ck_assert_ptr_nonnull(strstr(sockjs_server_error(gateway.server), "thread"));
		pthread_setattr_default_np(&usual_attr);
	}
}
END_TEST

/* --- draining ----------------------------------------------------------------- */

enum { CLIENTS = 40 };

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start_draining_slowly(void)
{
	static const char *const options[] = { "threads", "1", "drain_delay_ms", "200", "drain_ms",
		"1000", "shutdown_timeout_ms", "5000", NULL };

	gateway_init(&gateway, options);
	gateway_add(&gateway, "/app", &telling_app, app_arg, usual);
	gateway_start(&gateway);
}

START_TEST(newcomers_are_sent_elsewhere_before_anybody_is_closed)
{
	start_draining_slowly();
	open_raw(&a);
	sockjs_server_stop(gateway.server);
	usleep(50000);
	raw_open(&b, gateway.port);
	raw_get(&b, "/app/info");
	raw_expect_next(&b, "HTTP/1.1 503 ");
	raw_expect(&b, "Retry-After: ");
	raw_close(&b);
	raw_open(&b, gateway.port);
	raw_ws_ask(&b, "/app/websocket", "");
	raw_expect_next(&b, "HTTP/1.1 503 ");
	raw_ws_text(&a, "still served");
	hear("[message still served]");
	raw_ws_expect_close(&a, 1001, "Going away");
	raw_ws_close(&a, 1001, "");
	gateway_wait(&gateway);
}
END_TEST

START_TEST(sessions_are_closed_a_few_at_a_time)
{
	static struct raw_client many[CLIENTS];
	double began, first = 0, now = 0;

	start_draining_slowly();
	for (int i = 0; i < CLIENTS; i++)
		open_raw(&many[i]);
	sockjs_server_stop(gateway.server);
	began = seconds();
	for (int left = CLIENTS; left > 0;) {
		for (int i = 0; i < CLIENTS; i++) {
			if (many[i].fd < 0 || !raw_has(&many[i], 2))
				continue;
			raw_ws_expect_close(&many[i], 1001, "Going away");
			raw_ws_close(&many[i], 1001, "");
			raw_close(&many[i]);
			many[i].fd = -1;
			now = seconds() - began;
			first = first > 0 ? first : now;
			left--;
		}
		usleep(5000);
	}
	gateway_wait(&gateway);
	ck_assert(first >= 0.15);
	ck_assert(now - first >= 0.4);
}
END_TEST

START_TEST(with_no_session_left_a_slow_drain_is_over)
{
	static const char *const options[] = { "threads", "2", "drain_ms", "3600000", NULL };

	gateway_init(&gateway, options);
	gateway_add(&gateway, "/app", &telling_app, app_arg, usual);
	gateway_start(&gateway);
	open_raw(&a);
	sockjs_server_stop(gateway.server);
	usleep(200000);
	raw_ws_text(&a, "still served");
	hear("[message still served]");
	raw_ws_close(&a, 1000, "");
	gateway_wait(&gateway);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, with_no_session_left_a_slow_drain_is_over);
	tcase_add_test(tc, a_stop_flushes_each_session_and_closes_it_in_due_form);
	tcase_add_test(tc, a_stop_ends_by_itself_when_all_are_gone);
	tcase_add_test(tc, a_second_stop_is_at_once_whoever_has_not_answered);
	tcase_add_test(tc, a_stop_before_the_run_is_not_forgotten);
	tcase_add_test(tc, a_server_runs_once_and_takes_nothing_while_it_runs);
	tcase_add_test(tc, a_prefix_has_a_form_and_is_taken_once);
	tcase_add_test(tc, endpoint_options_of_the_server_are_the_defaults_of_its_endpoints);
	tcase_add_test(tc, options_of_something_else_are_refused_by_an_endpoint);
	tcase_add_test(tc, options_of_something_else_are_refused_by_an_address);
	tcase_add_test(tc, an_error_about_an_address_names_it_once);
	tcase_add_test(tc, a_server_without_an_address_does_not_run);
	tcase_add_test(tc, the_header_and_the_library_say_one_version);
	tcase_add_test(tc, an_application_without_callbacks_is_an_application);
	tcase_add_test(
	    tc, an_application_is_told_of_the_beginning_and_the_end_of_each_reactor);
	tcase_add_test(tc, a_thread_that_cannot_be_started_is_an_error_and_nothing_more);
	tcase_add_test(tc, newcomers_are_sent_elsewhere_before_anybody_is_closed);
	tcase_add_test(tc, sessions_are_closed_a_few_at_a_time);
}

int main(void)
{
	return sockjs_tests_run("sockjs_server", add);
}
