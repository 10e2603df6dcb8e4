/*
 * tests/unit/test_sockjs_later.c - what sockjs.h promises an application that decides later
 * whether it wants a session.
 */
#include <errno.h>
#include <stdio.h>

#include "sockjs_fixture.h"

static int later(struct sockjs_handshake *h)
{
	(void)h;
	return SOCKJS_LATER;
}

static void start_later(void)
{
	react.handshake = later;
	start();
}

static void accept_it(struct sockjs_session *s, void *subprotocol)
{
	ck_assert_int_eq(sockjs_accept(s, subprotocol), 0);
	ck_assert_int_eq(sockjs_accept(s, NULL), -EALREADY);
	ck_assert_int_eq(sockjs_refuse(s, 403, 4403, "No"), -EALREADY);
}

static void refuse_it(struct sockjs_session *s, void *reason)
{
	ck_assert_int_eq(sockjs_refuse(s, 403, 4403, reason), 0);
	ck_assert_int_eq(sockjs_accept(s, NULL), -EALREADY);
}

static void accept_at_once(struct sockjs_session *s)
{
	accept_it(s, NULL);
}

static void refuse_at_once(struct sockjs_session *s)
{
	char reason[] = "No entry";

	refuse_it(s, reason);
}

START_TEST(a_web_socket_waits_for_its_101_until_it_is_accepted)
{
	static char two[] = "two";

	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "Sec-WebSocket-Protocol: one, two\r\n");
	hear("[connecting]");
	raw_expect_silence(&a, 100);
	in_reactor(accept_it, two);
	raw_expect_next(&a, "HTTP/1.1 101 ");
	raw_expect(&a, "Sec-WebSocket-Protocol: two\r\n\r\n");
	hear("[open]");
	raw_ws_text(&a, "hello");
	hear("[message hello]");
	raw_ws_close(&a, 1000, "bye");
	hear("[close 1000 bye]");
}
END_TEST

static void accept_what_was_not_offered(struct sockjs_session *s, void *arg)
{
	(void)arg;
	ck_assert_int_eq(sockjs_accept(s, "three"), -EINVAL);
	ck_assert_int_eq(sockjs_accept(s, ""), -EINVAL);
	ck_assert_int_eq(sockjs_accept(s, NULL), 0);
}

START_TEST(only_what_was_offered_can_be_chosen)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "Sec-WebSocket-Protocol: one, two\r\n");
	hear("[connecting]");
	in_reactor(accept_what_was_not_offered, NULL);
	raw_expect(&a, "\r\n\r\n");
	hear("[open]");
}
END_TEST

START_TEST(a_web_socket_that_is_refused_later_gets_the_status)
{
	static char reason[] = "No entry";

	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	hear("[connecting]");
	in_reactor(refuse_it, reason);
	raw_expect_next(&a, "HTTP/1.1 403 ");
	raw_expect(&a, "\r\n\r\nNo entry\n");
	raw_expect_end(&a);
	hear("[close 403 No entry]");
}
END_TEST

/* --- headers for the answer ------------------------------------------------------------ */

static void add_headers(struct sockjs_session *s)
{
	static const char *const bad[][2] = { { "", "x" }, { "Set Cookie", "x" }, { "X:", "x" },
		{ "X-A", "a\r\nX-B: b" }, { "X-A", "a\nb" }, { "X-A", "\x7f" },
		{ "connection", "close" }, { "Content-Length", "5" },
		{ "content-encoding", "gzip" }, { "Upgrade", "h2c" },
		{ "Transfer-Encoding", "chunked" }, { "Sec-WebSocket-Protocol", "x" },
		{ "Sec-WebSocket-Accept", "x" }, { "Retry-After", "1" }, { "Date", "now" } };
	char big[8200];

	memset(big, 'b', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_int_eq(sockjs_add_header(s, bad[i][0], bad[i][1]), -EINVAL);
	ck_assert_int_eq(sockjs_add_header(s, "X-Big", big), -ENOBUFS);
	ck_assert_int_eq(sockjs_add_header(s, "Set-Cookie", "a=b; Path=/"), 0);
	ck_assert_int_eq(sockjs_add_header(s, "Set-Cookie", "c=\"d\te\""), 0);
	ck_assert_int_eq(sockjs_add_header(s, "X-Empty", ""), 0);
}

#define ADDED "Set-Cookie: a=b; Path=/\r\nSet-Cookie: c=\"d\te\"\r\nX-Empty: \r\n"

static void accept_with_headers(struct sockjs_session *s, void *arg)
{
	(void)arg;
	add_headers(s);
	ck_assert_int_eq(sockjs_accept(s, NULL), 0);
	ck_assert_int_eq(sockjs_add_header(s, "Set-Cookie", "late=1"), -EALREADY);
}

static void refuse_with_headers(struct sockjs_session *s, void *arg)
{
	(void)arg;
	add_headers(s);
	sockjs_set_retry_after(s, 60);
	ck_assert_int_eq(sockjs_refuse(s, 429, 4429, "Slowly"), 0);
	ck_assert_int_eq(sockjs_add_header(s, "Set-Cookie", "late=1"), -EALREADY);
}

START_TEST(a_101_has_the_headers_that_were_added)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	hear("[connecting]");
	in_reactor(accept_with_headers, NULL);
	raw_expect_next(&a, "HTTP/1.1 101 ");
	raw_expect(&a, "\r\n" ADDED "\r\n");
	hear("[open]");
	raw_ws_text(&a, "hello");
	hear("[message hello]");
}
END_TEST

START_TEST(a_refusal_has_the_headers_that_were_added)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	hear("[connecting]");
	in_reactor(refuse_with_headers, NULL);
	raw_expect_next(&a, "HTTP/1.1 429 ");
	raw_expect(&a, "\r\nRetry-After: 60\r\n");
	raw_expect(&a, ADDED "\r\nSlowly\n");
	raw_expect_end(&a);
}
END_TEST

static void accept_without_headers(struct sockjs_session *s, void *arg)
{
	(void)arg;
	ck_assert_int_eq(sockjs_add_header(s, "Set-Cookie", "a=b"), -ENOTSUP);
	ck_assert_int_eq(sockjs_accept(s, NULL), 0);
}

START_TEST(a_sockjs_wire_has_no_headers_to_add)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/0/s/websocket", "");
	hear("[connecting]");
	in_reactor(accept_without_headers, NULL);
	raw_expect(&a, "\x81\x01o");
	hear("[open]");
}
END_TEST

START_TEST(sockjs_wires_that_are_refused_later_get_code_and_reason)
{
	static const char *const transports[] = { "xhr", "xhr_streaming", "websocket" };
	static char reason[] = "No entry";
	char path[64];

	start_later();
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/app/0/s%d/%s", i, transports[i]);
		raw_open(&a, gateway.port);
		if (i < 2)
			raw_post(&a, path, "");
		else
			raw_ws_ask(&a, path, "");
		hear("[connecting]");
		in_reactor(refuse_it, reason);
		raw_expect(&a, "c[4403,\"No entry\"]");
		hear("[close 4403 No entry]");
		raw_close(&a);
	}
}
END_TEST

START_TEST(every_sockjs_wire_opens_when_it_is_accepted)
{
	static const struct {
		const char *transport, *open;
	} wires[] = {
		{ "xhr", "\r\n\r\no\n" },
		{ "jsonp?c=cb", "cb(\"o\")" },
		{ "xhr_streaming", "\r\no\n\r\n" },
		{ "eventsource", "data: o\r\n" },
		{ "htmlfile?c=cb", "p(\"o\")" },
		{ "websocket", "\x81\x01o" },
	};
	char path[64];

	start_later();
	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "/app/0/s%d/%s", i, wires[i].transport);
		raw_open(&a, gateway.port);
		if (i == 0 || i == 2)
			raw_post(&a, path, "");
		else if (i < 5)
			raw_get(&a, path);
		else
			raw_ws_ask(&a, path, "");
		hear("[connecting]");
		ck_assert(!raw_wait(&a, wires[i].open, 50));
		hear_nothing_more();
		in_reactor(accept_it, NULL);
		raw_expect(&a, wires[i].open);
		hear("[open]");
		raw_close(&a);
		if (i > 1) /* a poll was over, and its session waits for the next */
			hear("[close 1002 Connection interrupted]");
	}
}
END_TEST

START_TEST(a_decision_may_be_made_at_once)
{
	react.connecting = accept_at_once;
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/app/websocket");
	hear("[connecting][open]");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr", "");
	raw_expect(&b, "\r\n\r\no\n");
	hear("[connecting][open]");
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	react.connecting = refuse_at_once;
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	raw_expect_next(&a, "HTTP/1.1 403 ");
	hear("[connecting][close 403 No entry]");
}
END_TEST

START_TEST(a_client_that_leaves_before_the_decision_is_told)
{
	start_later();
	for (int i = 0; i < 2; i++) {
		raw_open(&a, gateway.port);
		if (i == 0)
			raw_ws_ask(&a, "/app/websocket", "");
		else
			raw_post(&a, "/app/0/x/xhr_streaming", "");
		hear("[connecting]");
		raw_close(&a);
		hear("[close 1002 Connection interrupted]");
	}
}
END_TEST

START_TEST(what_an_eager_client_sends_waits_and_keeps_its_order)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/x/xhr", "");
	hear("[connecting]");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr_send", "[\"one\",\"two\"]");
	raw_expect_silence(&b, 100);
	hear_nothing_more();
	in_reactor(accept_it, NULL);
	raw_expect(&a, "\r\n\r\no\n");
	raw_expect_sent(&b);
	hear("[open][message one][message two]");
}
END_TEST

START_TEST(frames_before_the_101_wait_too)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	hear("[connecting]");
	raw_ws_text(&a, "eager");
	raw_expect_silence(&a, 100);
	in_reactor(accept_it, NULL);
	hear("[open][message eager]");
}
END_TEST

START_TEST(a_stop_refuses_who_waits)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	hear("[connecting]");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr_streaming", "");
	hear("[connecting]");
	sockjs_server_stop(gateway.server);
	raw_expect_next(&a, "HTTP/1.1 503 ");
	raw_expect(&b, "c[3000,\"Go away!\"]");
	gateway_wait(&gateway);
}
END_TEST

START_TEST(a_second_stop_drops_who_waits)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/app/websocket", "");
	hear("[connecting]");
	sockjs_server_stop(gateway.server);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	ck_assert_uint_eq(count_in_story("[close "), 1);
}
END_TEST

START_TEST(a_session_on_hold_cannot_be_opened_by_a_second_receiver)
{
	start_later();
	raw_open(&a, gateway.port);
	raw_post(&a, "/app/0/x/xhr", "");
	hear("[connecting]");
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/x/xhr", "");
	raw_expect(&b, "c[2010,\"Another connection still open\"]");
	in_reactor(accept_it, NULL);
	raw_expect(&a, "\r\n\r\no\n");
	hear("[open]");
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, a_web_socket_waits_for_its_101_until_it_is_accepted);
	tcase_add_test(tc, only_what_was_offered_can_be_chosen);
	tcase_add_test(tc, a_web_socket_that_is_refused_later_gets_the_status);
	tcase_add_test(tc, a_101_has_the_headers_that_were_added);
	tcase_add_test(tc, a_refusal_has_the_headers_that_were_added);
	tcase_add_test(tc, a_sockjs_wire_has_no_headers_to_add);
	tcase_add_test(tc, sockjs_wires_that_are_refused_later_get_code_and_reason);
	tcase_add_test(tc, every_sockjs_wire_opens_when_it_is_accepted);
	tcase_add_test(tc, a_decision_may_be_made_at_once);
	tcase_add_test(tc, a_client_that_leaves_before_the_decision_is_told);
	tcase_add_test(tc, what_an_eager_client_sends_waits_and_keeps_its_order);
	tcase_add_test(tc, frames_before_the_101_wait_too);
	tcase_add_test(tc, a_stop_refuses_who_waits);
	tcase_add_test(tc, a_second_stop_drops_who_waits);
	tcase_add_test(tc, a_session_on_hold_cannot_be_opened_by_a_second_receiver);
}

int main(void)
{
	return sockjs_tests_run("sockjs_later", add);
}
