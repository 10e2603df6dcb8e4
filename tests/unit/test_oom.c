/*
 * tests/unit/test_oom.c - every allocation of a server is made to fail once, while it
 * is set up and while it serves on each transport: nothing crashes, nothing leaks
 * (AddressSanitizer looks), and only what was touched fails.
 *
 * The client does not use our heap, so that the count of allocations is the server's
 * alone; and failures are asked for only while the server sleeps.
 */
#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fakes/gateway.h"
#include "fakes/raw_client.h"
#include "sockjs.h"

#define PATIENCE_MS  60 /* for what may have been lost; the rest has 100 times that */
#define FAILURES_MAX 1000

static struct gateway gateway;
static struct raw_client bystander;
static struct sockjs_group *group;
static atomic_uint handshakes, opened, closed;

/* --- an application that uses everything and minds nothing ------------------------ */

static int on_handshake(struct sockjs_handshake *h, void *arg)
{
	(void)arg;
	sockjs_handshake_header(h, "X-Seen");
	sockjs_handshake_origin(h);
	sockjs_handshake_query(h);
	sockjs_handshake_subprotocol(h, 0);
	sockjs_handshake_select(h, "v1");
	handshakes++;
	return 0;
}

static void on_open(struct sockjs_session *s, void *arg)
{
	(void)arg;
	opened++;
	sockjs_group_join(group, s);
	sockjs_remote(s);
}

static bool is(const struct sockjs_message *m, const char *text)
{
	return m->len == strlen(text) && memcmp(m->data, text, m->len) == 0;
}

static void send_by_reference(struct sockjs_session *s, const struct sockjs_message *m)
{
	struct sockjs_ref *ref = sockjs_session_ref(s);

	if (!ref || sockjs_ref_send(ref, m->data, m->len) < 0)
		sockjs_close(s, 4001, "no reference");
	sockjs_ref_free(ref);
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *arg)
{
	int err = 0;

	(void)arg;
	if (is(m, "all"))
		err = sockjs_group_send(group, m->data, m->len);
	else if (is(m, "ref"))
		send_by_reference(s, m);
	else if (is(m, "bye"))
		sockjs_close(s, 4000, "a reason that is not in the table");
	else
		err = sockjs_send(s, m->data, m->len);
	if (is(m, "pause") && sockjs_set_timer(s, 10) == 0)
		sockjs_pause(s);
	if (err < 0)
		sockjs_close(s, 4002, "an echo was lost");
}

static void on_timer(struct sockjs_session *s, void *arg)
{
	(void)arg;
	sockjs_resume(s);
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *arg)
{
	(void)s, (void)code, (void)reason, (void)arg;
	closed++;
}

static const struct sockjs_callbacks app = {
	.handshake = on_handshake,
	.open = on_open,
	.message = on_message,
	.close = on_close,
	.timer = on_timer,
};

/* --- the world -------------------------------------------------------------------- */

static const char *const server_options[] = { "threads", "1", "shutdown_timeout_ms", "1000",
	"limits.connections_per_address", "1000", "limits.sessions_per_address", "1000", NULL };
static const char *const endpoint_options[] = { "allowed_origins",
	"https://a.example,https://b.example", "request_headers", "x-seen", "disconnect_delay_ms",
	"200", "session_cookie", "JSESSIONID", "subprotocols", "v2", "max_messages_per_second",
	"1000000", NULL };

static const char *const without_http[] = { "protocol", "stomp", "endpoint", "/app", NULL };
static unsigned tcp_port;

static void setup(void)
{
	gateway_init(&gateway, server_options);
	gateway_add(&gateway, "/app", &app, NULL, endpoint_options);
	group = sockjs_group_new(gateway.server);
	ck_assert_ptr_nonnull(group);
	tcp_port = gateway_listen(&gateway, without_http);
	gateway_start(&gateway);
	raw_open(&bystander, gateway.port);
	raw_ws_open(&bystander, "/app/websocket");
}

/* Everybody gone: sessions were closed as often as opened, and that is once for each handshake at
 * most. */
static void teardown(void)
{
	raw_close(&bystander);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	ck_assert_uint_eq(opened, closed);
	ck_assert_uint_le(opened, handshakes);
	sockjs_group_free(group);
	gateway_fini(&gateway);
}

/* --- conversations: whether all went as it should --------------------------------- */

static unsigned round_no; /* each has a session of its own: the last one's may still answer that it
                             has closed */

/* "/app/0/<round>/<last>"; good until the next but three. */
static const char *url(const char *last)
{
	static char paths[4][64];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "/app/0/%u/%s", round_no, last);
	return path;
}

static bool hear(struct raw_client *c, const char *text)
{
	return raw_wait_unless(c, text, PATIENCE_MS, mem_failed);
}

static void open_careless(struct raw_client *c)
{
	raw_open(c, gateway.port);
	c->careless = true;
}

static bool post(struct raw_client *c, const char *path, const char *body, const char *answer)
{
	raw_post(c, path, body);
	return hear(c, answer);
}

static bool talk_raw_websocket(struct raw_client *c)
{
	static char large[20000];

	memset(large, 'x', sizeof(large));
	raw_ws_ask(c, "/app/websocket?q=1",
	    "Origin: https://a.example\r\nX-Seen: yes\r\nSec-WebSocket-Protocol: v0, v1\r\n");
	if (!hear(c, "\r\n\r\n"))
		return false;
	raw_ws_text(c, "echo");
	if (!hear(c, "\x81\x04"
	             "echo"))
		return false;
	raw_write(c,
	    "\x01\x83"
	    "\0\0\0\0"
	    "one",
	    9); /* a message in two frames, with a pause */
	usleep(5000);
	raw_write(c,
	    "\x80\x83"
	    "\0\0\0\0"
	    "two",
	    9);
	if (!hear(c, "\x81\x06"
	             "onetwo"))
		return false;
	raw_ws_send(c, 1, large, sizeof(large));
	if (!hear(c, "xxxxxxxx"))
		return false;
	raw_ws_text(c, "pause");
	raw_ws_text(c, "all");
	raw_ws_text(c, "ref");
	if (!hear(c, "\x81\x03"
	             "all") ||
	    !hear(c, "\x81\x03"
	             "ref"))
		return false;
	raw_ws_text(c, "bye");
	if (!hear(c, "a reason"))
		return false;
	raw_ws_close(c, 4000, "");
	return true;
}

static bool talk_tcp(struct raw_client *c)
{
	static char large[20000];
	static const char *const words[] = { "echo", "all", "ref", "pause" };
	bool ok = true;

	memset(large, 'x', sizeof(large));
	raw_close(c);
	raw_open(c, tcp_port);
	c->careless = true;
	for (size_t i = 0; ok && i < sizeof(words) / sizeof(*words); i++) {
		raw_write(c, words[i], strlen(words[i]));
		ok = hear(c, words[i]);
	}
	if (!ok)
		return false;
	raw_write(c, large, sizeof(large));
	if (!hear(c, "xxxxxxxx"))
		return false;
	raw_write(c, "bye", 3);
	return true;
}

static bool talk_sockjs_websocket(struct raw_client *c)
{
	raw_ws_ask(c, url("websocket"), "");
	if (!hear(c, "\x81\x01o"))
		return false;
	raw_ws_text(c, "[\"one\",\"t\\u0077o\"]");
	if (!hear(c, "a[\"one\",\"two\"]"))
		return false;
	raw_ws_text(c, "[\"pause\",\"all\",\"ref\"]");
	return hear(c, "\"all\"") && hear(c, "\"ref\"");
}

static bool send_and_hear(struct raw_client *c)
{
	const char *path = url("xhr_send");
	struct raw_client sender;
	bool ok;

	open_careless(&sender);
	ok = post(&sender, path, "[\"one\",\"t\\u0077o\"]", " 204 ") && hear(c, "one") &&
	     post(&sender, path, "[\"pause\",\"all\"]", " 204 ") &&
	     post(&sender, path, "[\"ref\"]", " 204 ") && hear(c, "all") && hear(c, "ref") &&
	     post(&sender, path, "[\"bye\"]", " 204 ") && hear(c, "c[4000,");
	raw_close(&sender);
	return ok;
}

static bool talk_xhr_streaming(struct raw_client *c)
{
	return post(c, url("xhr_streaming"), "", "\r\no\n") && send_and_hear(c);
}

static bool talk_eventsource(struct raw_client *c)
{
	raw_get(c, url("eventsource"));
	return hear(c, "data: o\r\n") && send_and_hear(c);
}

static bool talk_htmlfile(struct raw_client *c)
{
	raw_get(c, url("htmlfile?c=f"));
	return hear(c, "p(\"o\");") && send_and_hear(c);
}

static bool talk_xhr(struct raw_client *c)
{
	struct raw_client sender;
	bool ok;

	open_careless(&sender);
	ok = post(c, url("xhr"), "", "\r\n\r\no\n");
	raw_post(c, url("xhr"), ""); /* it waits */
	ok = ok && post(&sender, url("xhr_send"), "[\"one\"]", " 204 ") &&
	     hear(c, "a[\"one\"]\n") && post(&sender, url("xhr_send"), "[\"bye\"]", " 204 ") &&
	     post(c, url("xhr"), "", "c[4000,");
	raw_close(&sender);
	return ok;
}

static bool talk_jsonp(struct raw_client *c)
{
	raw_get(c, url("jsonp?c=f"));
	if (!hear(c, "f(\"o\");\r\n") || !post(c, url("jsonp_send"), "[\"one\"]", "\r\n\r\nok"))
		return false;
	raw_get(c, url("jsonp?c=f"));
	return hear(c, "f(\"a[\\\"one\\\"]\");\r\n");
}

static bool talk_of_pages(struct raw_client *c)
{
	raw_get(c, "/app/info");
	if (!hear(c, "\"websocket\":true"))
		return false;
	raw_get(c, "/app/iframe.html");
	if (!hear(c, "</html>"))
		return false;
	raw_get(c, "/app");
	return hear(c, "Welcome");
}

/* --- the loop --------------------------------------------------------------------- */

/* The server sleeps again, and whatever it put off is done. */
static void let_it_rest(void)
{
	for (int i = 0; i < 400 && opened != closed + 1; i++)
		usleep(2000);
	usleep(2000);
}

static void check_bystander(void)
{
	char got[32];
	unsigned opcode;

	raw_ws_text(&bystander, "still here");
	do /* what came for the whole group */
		ck_assert_uint_lt(raw_ws_next(&bystander, &opcode, got, sizeof(got)), 32);
	while (memcmp(got, "all", 3) == 0);
	ck_assert_mem_eq(got, "still here", 10);
}

static void fail_each_allocation_of(bool (*talk)(struct raw_client *c))
{
	unsigned long nth;

	for (nth = 1; nth < FAILURES_MAX; nth++) {
		struct raw_client c;
		bool ok, failed;

		let_it_rest();
		round_no++;
		open_careless(&c);
		mem_fail_at(nth);
		ok = talk(&c);
		raw_close(&c);
		let_it_rest();
		failed = mem_failed();
		mem_fail_at(0);
		if (!failed)
			ck_assert_msg(ok, "nothing has failed, but not all went well (%lu)", nth);
		check_bystander();
		if (!failed)
			break;
	}
	ck_assert_uint_gt(nth, 3);
	ck_assert_uint_lt(nth, FAILURES_MAX);
}

#define OOM_TEST(name, talk)                                                                       \
	START_TEST(name)                                                                           \
	{                                                                                          \
		fail_each_allocation_of(talk);                                                     \
	}                                                                                          \
	END_TEST

OOM_TEST(without_memory_a_raw_websocket_fails_alone, talk_raw_websocket)
OOM_TEST(without_memory_raw_tcp_fails_alone, talk_tcp)
OOM_TEST(without_memory_a_sockjs_websocket_fails_alone, talk_sockjs_websocket)
OOM_TEST(without_memory_an_xhr_stream_fails_alone, talk_xhr_streaming)
OOM_TEST(without_memory_an_event_source_fails_alone, talk_eventsource)
OOM_TEST(without_memory_an_htmlfile_fails_alone, talk_htmlfile)
OOM_TEST(without_memory_a_poll_fails_alone, talk_xhr)
OOM_TEST(without_memory_a_jsonp_poll_fails_alone, talk_jsonp)
OOM_TEST(without_memory_a_page_fails_alone, talk_of_pages)

/* --- setting up ------------------------------------------------------------------- */

static int listen_without_http(struct sockjs_server *server)
{
	struct sockjs_options *o = sockjs_options_new();
	int err = -ENOMEM;

	if (o && sockjs_options_set(o, "protocol", "stomp") == 0 &&
	    sockjs_options_set(o, "endpoint", "/app") == 0)
		err = sockjs_server_listen(server, "127.0.0.1:0", o);
	sockjs_options_free(o);
	return err;
}

static int set_up_and_run(void)
{
	struct sockjs_options *o = sockjs_options_new();
	struct sockjs_server *server = NULL;
	struct sockjs_group *g = NULL;
	int err = -ENOMEM;

	if (o &&
	    sockjs_options_set(o, "allowed_origins", "https://a.example,https://b.example") == 0 &&
	    sockjs_options_set(o, "threads", "1") == 0 &&
	    sockjs_options_set(o, "trusted_proxies", "127.0.0.1") == 0)
		server = sockjs_server_new(o);
	if (server)
		g = sockjs_group_new(server);
	if (g)
		err = sockjs_server_add(server, "/app", &app, NULL, NULL);
	if (err == 0)
		err = sockjs_server_listen(server, "127.0.0.1:0", NULL);
	if (err == 0)
		err = listen_without_http(server);
	if (err == 0) {
		sockjs_server_stop(server);
		err = sockjs_server_run(server);
	}
	sockjs_group_free(g);
	sockjs_server_free(server);
	sockjs_options_free(o);
	return err;
}

START_TEST(without_memory_a_server_cannot_be_set_up_and_nothing_is_left_of_it)
{
	unsigned long nth = 0;
	bool failed;

	do {
		int err;

		mem_fail_at(++nth);
		err = set_up_and_run();
		failed = mem_failed();
		mem_fail_at(0);
		ck_assert(err == 0 || err == -ENOMEM);
		if (!failed)
			ck_assert_int_eq(err, 0);
	} while (failed && nth < FAILURES_MAX);
	ck_assert_uint_gt(nth, 10);
	ck_assert_uint_lt(nth, FAILURES_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("oom");
	TCase *tc = tcase_create("serving"), *alone = tcase_create("setting up");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, without_memory_a_raw_websocket_fails_alone);
	tcase_add_test(tc, without_memory_raw_tcp_fails_alone);
	tcase_add_test(tc, without_memory_a_sockjs_websocket_fails_alone);
	tcase_add_test(tc, without_memory_an_xhr_stream_fails_alone);
	tcase_add_test(tc, without_memory_an_event_source_fails_alone);
	tcase_add_test(tc, without_memory_an_htmlfile_fails_alone);
	tcase_add_test(tc, without_memory_a_poll_fails_alone);
	tcase_add_test(tc, without_memory_a_jsonp_poll_fails_alone);
	tcase_add_test(tc, without_memory_a_page_fails_alone);
	suite_add_tcase(suite, tc);
	tcase_add_test(alone, without_memory_a_server_cannot_be_set_up_and_nothing_is_left_of_it);
	suite_add_tcase(suite, alone);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
