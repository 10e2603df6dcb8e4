/*
 * tests/unit/test_upstream_oom.c - every allocation of a gateway is made to fail once, while a
 * session goes through it to a backend: nothing crashes, nothing leaks (AddressSanitizer looks),
 * the client is told, and the next one gets through.
 *
 * Client and backend do not use our heap; failures are asked for only while the gateway sleeps.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fakes/fake_backend.h"
#include "fakes/gateway.h"
#include "fakes/raw_client.h"
#include "upstream/upstream.h"

#define PATIENCE_MS  15000 /* until whoever waits is told */
#define FAILURES_MAX 400

static struct gateway gateway;
static struct fake_backend backend;
static struct upstream *upstream;
static unsigned round_no; /* each has a session of its own */

static const char *const server_options[] = { "threads", "1", "shutdown_timeout_ms", "1000", NULL };

static struct sockjs_options *make_options(void)
{
	struct sockjs_options *o = sockjs_options_new();
	char url[64];

	if (!o)
		return NULL;
	snprintf(url, sizeof(url), "ws://127.0.0.1:%u/chat", backend.port ? backend.port : 1);
	if (sockjs_options_set(o, "allowed_origins", "https://a.example") == 0 &&
	    sockjs_options_set(o, "disconnect_delay_ms", "100") == 0 &&
	    sockjs_options_set(o, "websocket.close_timeout_ms", "100") == 0 &&
	    sockjs_options_set(o, "upstream.url", url) == 0 &&
	    sockjs_options_set(o, "upstream.forward_headers", "authorization") == 0 &&
	    sockjs_options_set(o, "upstream.subprotocols", "chat") == 0 &&
	    sockjs_options_set(o, "upstream.close_timeout_ms", "100") == 0)
		return o;
	sockjs_options_free(o);
	return NULL;
}

static void setup(void)
{
	struct sockjs_options *o;
	char why[200];

	ck_assert(fake_backend_start(&backend, "127.0.0.1", 0));
	gateway_init(&gateway, server_options);
	o = make_options();
	ck_assert_int_eq(upstream_new(&upstream, NULL, o, why, sizeof(why)), 0);
	ck_assert_int_eq(
	    sockjs_server_add(gateway.server, "/app", &upstream_callbacks, upstream, o), 0);
	sockjs_options_free(o);
	gateway_start(&gateway);
}

static void teardown(void)
{
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	upstream_free(upstream);
	gateway_fini(&gateway);
	fake_backend_stop(&backend);
}

/* --- conversations: whether all went well; if not, the client has been told ------------------ */

/* False if the connection ends instead: nobody is asked to keep it for more. */
static bool hear(struct raw_client *c, const char *text)
{
	return raw_wait(c, text, PATIENCE_MS);
}

static bool told(const struct raw_client *c)
{
	return c->ended;
}

static bool talk_raw(struct raw_client *c)
{
	raw_ws_ask(c, "/app/websocket?q=1",
	    "Origin: https://a.example\r\nAuthorization: Bearer x\r\nConnection: close\r\n");
	if (!hear(c, " 101 ") || !hear(c, "\r\n\r\n"))
		return false;
	raw_ws_text(c, "hello");
	if (!hear(c, "\x81\x05"
	             "hello"))
		return false;
	raw_ws_close(c, 1000, "");
	return hear(c, "\x88");
}

static bool talk_framed(struct raw_client *c)
{
	char path[64];

	snprintf(path, sizeof(path), "/app/0/%u/websocket", round_no);
	raw_ws_ask(c, path, "Origin: https://a.example\r\nConnection: close\r\n");
	if (!hear(c, "\x81\x01o"))
		return false;
	raw_ws_text(c, "[\"hello\"]");
	return hear(c, "a[\"hello\"]");
}

static void post(struct raw_client *c, const char *what, const char *body)
{
	char text[256];
	int n = snprintf(text, sizeof(text),
	    "POST /app/0/%u/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    round_no, what, strlen(body), body);

	raw_write(c, text, (size_t)n);
}

static bool talk_stream(struct raw_client *c)
{
	struct raw_client sender;
	bool ok;

	post(c, "xhr_streaming", "");
	if (!hear(c, "\no\n"))
		return false;
	raw_open(&sender, gateway.port);
	sender.careless = true;
	post(&sender, "xhr_send", "[\"hello\"]");
	ok = hear(&sender, " 204 ");
	ck_assert(ok || told(&sender));
	if (!ok)
		c->ended = true; /* whoever cannot send does not wait for an echo */
	raw_close(&sender);
	return ok && hear(c, "a[\"hello\"]");
}

/* --- the loop ----------------------------------------------------------------------------- */

static void check_the_next(void)
{
	struct raw_client c;

	round_no++;
	raw_open(&c, gateway.port);
	ck_assert(talk_raw(&c));
	raw_close(&c);
}

static void fail_each_allocation_of(bool (*talk)(struct raw_client *c))
{
	unsigned long nth = 0;
	bool failed = true;

	check_the_next(); /* what is made once is there */
	while (failed && nth < FAILURES_MAX) {
		struct raw_client c;
		bool ok;

		usleep(5000);
		round_no++;
		raw_open(&c, gateway.port);
		c.careless = true;
		mem_fail_at(++nth);
		ok = talk(&c);
		failed = mem_failed();
		mem_fail_at(0);
		if (!failed)
			ck_assert_msg(ok, "nothing has failed, but not all went well (%lu)", nth);
		ck_assert_msg(ok || told(&c), "the client waits for ever (%lu) after %.*s", nth,
		    (int)c.len, c.in);
		raw_close(&c);
		check_the_next();
	}
	ck_assert_uint_gt(nth, 10);
	ck_assert_uint_lt(nth, FAILURES_MAX);
}

START_TEST(without_memory_a_raw_websocket_is_told)
{
	fail_each_allocation_of(talk_raw);
}
END_TEST

START_TEST(without_memory_a_sockjs_websocket_is_told)
{
	fail_each_allocation_of(talk_framed);
}
END_TEST

START_TEST(without_memory_an_xhr_stream_is_told)
{
	fail_each_allocation_of(talk_stream);
}
END_TEST

START_TEST(without_memory_the_application_cannot_be_set_up_and_nothing_is_left_of_it)
{
	unsigned long nth = 0;
	bool failed = true;

	while (failed && nth < FAILURES_MAX) {
		struct upstream *another = NULL;
		struct sockjs_options *o;
		char why[200];
		int err = -ENOMEM;

		mem_fail_at(++nth);
		o = make_options();
		if (o)
			err = upstream_new(&another, NULL, o, why, sizeof(why));
		failed = mem_failed();
		mem_fail_at(0);
		ck_assert_msg(err == (failed ? -ENOMEM : 0), "%d at %lu: %s", err, nth, why);
		upstream_free(another);
		sockjs_options_free(o);
	}
	ck_assert_uint_gt(nth, 10);
	ck_assert_uint_lt(nth, FAILURES_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("upstream_oom");
	TCase *tc = tcase_create("gateway"), *alone = tcase_create("setting up");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, without_memory_a_raw_websocket_is_told);
	tcase_add_test(tc, without_memory_a_sockjs_websocket_is_told);
	tcase_add_test(tc, without_memory_an_xhr_stream_is_told);
	suite_add_tcase(suite, tc);
	tcase_add_test(
	    alone, without_memory_the_application_cannot_be_set_up_and_nothing_is_left_of_it);
	suite_add_tcase(suite, alone);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
