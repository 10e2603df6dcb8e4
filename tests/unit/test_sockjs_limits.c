/*
 * tests/unit/test_sockjs_limits.c - what one address may have, and what one session may send.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sockjs_fixture.h"

/* --- by address ------------------------------------------------------------------- */

static void start_limited(const char *key, const char *value, const char *proxies)
{
	const char *options[] = { "threads", "2", key, value, "trusted_proxies", proxies, NULL };

	gateway_init(&gateway, options);
	gateway_add(&gateway, "/app", &telling_app, app_arg, usual);
	gateway_start(&gateway);
}

/* Asks for a session by a poll, through a proxy that says who for (NULL: directly). */
static void ask_as(struct raw_client *c, const char *id, const char *client)
{
	char text[300];
	int n = snprintf(text, sizeof(text),
	    "POST /app/0/%s/xhr HTTP/1.1\r\nHost: x\r\n%s%s%sContent-Length: 0\r\n\r\n", id,
	    client ? "X-Forwarded-For: " : "", client ? client : "", client ? "\r\n" : "");

	raw_write(c, text, (size_t)n);
	raw_expect_next(c, "HTTP/1.1 ");
}

static void open_as(struct raw_client *c, const char *id, const char *client, const char *status)
{
	ask_as(c, id, client);
	raw_expect_next(c, status);
	raw_expect(c, "\r\n\r\n");
	raw_expect(c, "\n");
}

START_TEST(one_address_has_so_many_sessions_and_a_place_when_one_ends)
{
	start_limited("limits.sessions_per_address", "2", "");
	open_raw(&a);
	raw_open(&b, gateway.port);
	open_as(&b, "one", NULL, "200");
	hear("[open]");
	open_as(&b, "two", NULL, "429");
	raw_post(&b, "/app/0/one/xhr_send", "[\"served on\"]");
	raw_expect_sent(&b);
	hear("[message served on]");
	raw_ws_close(&a, 1000, "");
	hear("[close 1000 ]");
	open_as(&b, "two", NULL, "200");
	hear("[open]");
	open_as(&b, "three", NULL, "429");
}
END_TEST

START_TEST(who_has_too_many_sessions_is_told_when_to_come_again)
{
	start_limited("limits.sessions_per_address", "1", "");
	open_raw(&a);
	raw_open(&b, gateway.port);
	raw_ws_ask(&b, "/app/websocket", "");
	raw_expect_next(&b, "HTTP/1.1 429 ");
	raw_expect(&b, "Retry-After: 1\r\n");
}
END_TEST

static int refuse_all(struct sockjs_handshake *h)
{
	(void)h;
	return 403;
}

START_TEST(a_session_that_the_application_refuses_takes_no_place)
{
	start_limited("limits.sessions_per_address", "1", "");
	react.handshake = refuse_all;
	raw_open(&a, gateway.port);
	open_as(&a, "a", NULL, "403");
	open_as(&a, "b", NULL, "403");
	react.handshake = NULL;
	open_as(&a, "c", NULL, "200");
	hear("[open]");
}
END_TEST

START_TEST(behind_a_trusted_proxy_its_client_counts)
{
	start_limited("limits.sessions_per_address", "1", "127.0.0.1");
	raw_open(&a, gateway.port);
	open_as(&a, "a", "192.0.2.1", "200");
	open_as(&a, "b", "192.0.2.1", "429");
	open_as(&a, "c", "192.0.2.2", "200");
	open_as(&a, "d", "2001:db8::1", "200");
	open_as(&a, "e", "2001:db8::ffff", "429"); /* the same /64 */
	open_as(&a, "f", "2001:db8:0:1::1", "200");
	hear("[open][open][open][open]");
}
END_TEST

START_TEST(a_trusted_proxy_that_names_nobody_is_nobody)
{
	start_limited("limits.sessions_per_address", "1", "127.0.0.1");
	raw_open(&a, gateway.port);
	open_as(&a, "a", NULL, "200");
	open_as(&a, "b", NULL, "200");
	hear("[open][open]");
}
END_TEST

/* However slow the machine is, it does not take a second for each. */
START_TEST(one_address_asks_for_so_many_sessions_a_second)
{
	unsigned refused = 0;
	char id[16];

	start_limited("limits.handshake_rate_per_address", "1", "127.0.0.1");
	raw_open(&a, gateway.port);
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "%d", i);
		ask_as(&a, id, "192.0.2.1");
		refused += raw_peek(&a) == '4';
		raw_expect(&a, "\r\n\r\n");
		raw_expect(&a, "\n");
	}
	ck_assert_uint_gt(refused, 0);
	ck_assert_uint_eq(count_in_story("[open]"), 40 - refused);
	open_as(&a, "other", "192.0.2.2", "200");
}
END_TEST

START_TEST(one_address_has_so_many_connections_and_a_place_when_one_ends)
{
	struct raw_client c;

	start_limited("limits.connections_per_address", "2", "");
	open_raw(&a);
	open_poll(&b, "p");
	raw_post(&b, "/app/0/p/xhr", ""); /* it waits, outside of the HTTP server */
	usleep(50000);
	raw_open(&c, gateway.port);
	raw_expect(&c, "HTTP/1.1 429 ");
	raw_expect(&c, "Retry-After: 1\r\n");
	raw_expect_end(&c);
	raw_close(&c);
	raw_ws_close(&a, 1000, "");
	raw_expect_end(&a);
	raw_close(&a);
	hear("[close 1000 ]");
	/* The server sees the end a moment later than we */
	for (int i = 0; i < 100; i++) {
		raw_open(&a, gateway.port);
		a.careless = true;
		raw_get(&a, "/app");
		if (raw_wait(&a, "Welcome", 1000))
			break;
		raw_close(&a);
		usleep(20000);
		ck_assert_int_lt(i, 99);
	}
}
END_TEST

START_TEST(the_connections_of_a_trusted_proxy_do_not_count)
{
	struct raw_client many[8];

	start_limited("limits.connections_per_address", "1", "127.0.0.1");
	for (int i = 0; i < 8; i++) {
		raw_open(&many[i], gateway.port);
		raw_get(&many[i], "/app");
		raw_expect(&many[i], "Welcome");
	}
	for (int i = 0; i < 8; i++)
		raw_close(&many[i]);
}
END_TEST

START_TEST(one_address_opens_so_many_connections_a_second)
{
	struct raw_client c;
	int refused = 0;

	start_limited("limits.connection_rate_per_address", "1", "");
	for (int i = 0; i < 40; i++) {
		raw_open(&c, gateway.port);
		c.careless = true;
		raw_get(&c, "/app");
		refused += !raw_wait(&c, "Welcome", 5000);
		raw_close(&c);
	}
	ck_assert_int_gt(refused, 0);
	usleep(1100000); /* the bucket is full again */
	raw_open(&c, gateway.port);
	raw_get(&c, "/app");
	raw_expect(&c, "Welcome");
	raw_close(&c);
}
END_TEST

/* --- of a session ----------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start_metered(const char *key, const char *value)
{
	const char *options[] = { "allowed_origins", "*", "disconnect_delay_ms", "60000", key,
		value, NULL };

	start_with(options);
}

static void hear_in_order(int from, int to)
{
	char text[32];

	for (int i = from; i < to; i++) {
		snprintf(text, sizeof(text), "[message %d]", i);
		hear(text);
	}
}

START_TEST(messages_beyond_the_rate_come_later_and_in_order)
{
	double began;
	char text[16];

	start_metered("max_messages_per_second", "20");
	open_raw(&a);
	began = seconds();
	for (int i = 0; i < 30; i++) {
		snprintf(text, sizeof(text), "%d", i);
		raw_ws_text(&a, text);
	}
	hear_in_order(0, 30);
	ck_assert(seconds() - began >= 0.4); /* 20 at once, 10 in half a second */
	raw_ws_close(&a, 1000, "");
	hear("[close 1000 ]");
}
END_TEST

START_TEST(one_request_with_many_messages_is_answered_when_they_are_taken)
{
	char body[400] = "[\"0\"";
	size_t n = strlen(body);
	double began;

	start_metered("max_messages_per_second", "20");
	open_poll(&a, "s");
	for (int i = 1; i < 30; i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, ",\"%d\"", i);
	snprintf(body + n, sizeof(body) - n, "]");
	began = seconds();
	raw_open(&b, gateway.port);
	raw_post(&b, "/app/0/s/xhr_send", body);
	raw_expect_sent(&b);
	ck_assert(seconds() - began >= 0.4);
	hear_in_order(0, 30);
}
END_TEST

START_TEST(a_message_of_more_octets_than_a_second_brings_makes_the_next_one_wait)
{
	static char large[3000];
	double began;

	start_metered("max_bytes_per_second", "2000");
	open_raw(&a);
	memset(large, 'x', sizeof(large));
	began = seconds();
	raw_ws_send(&a, 1, large, sizeof(large));
	raw_ws_text(&a, "then");
	while (count_in_story("[message then]") == 0)
		usleep(10000);
	ck_assert(seconds() - began >= 0.45);
}
END_TEST

START_TEST(who_is_held_back_may_leave)
{
	start_metered("max_messages_per_second", "1");
	open_raw(&a);
	raw_ws_text(&a, "1");
	raw_ws_text(&a, "2");
	hear_in_order(1, 3);
	raw_reset(&a);
	hear("[close 1002 Connection interrupted]");
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, one_address_has_so_many_sessions_and_a_place_when_one_ends);
	tcase_add_test(tc, who_has_too_many_sessions_is_told_when_to_come_again);
	tcase_add_test(tc, a_session_that_the_application_refuses_takes_no_place);
	tcase_add_test(tc, behind_a_trusted_proxy_its_client_counts);
	tcase_add_test(tc, a_trusted_proxy_that_names_nobody_is_nobody);
	tcase_add_test(tc, one_address_asks_for_so_many_sessions_a_second);
	tcase_add_test(tc, one_address_has_so_many_connections_and_a_place_when_one_ends);
	tcase_add_test(tc, the_connections_of_a_trusted_proxy_do_not_count);
	tcase_add_test(tc, one_address_opens_so_many_connections_a_second);
	tcase_add_test(tc, messages_beyond_the_rate_come_later_and_in_order);
	tcase_add_test(tc, one_request_with_many_messages_is_answered_when_they_are_taken);
	tcase_add_test(tc, a_message_of_more_octets_than_a_second_brings_makes_the_next_one_wait);
	tcase_add_test(tc, who_is_held_back_may_leave);
}

int main(void)
{
	return sockjs_tests_run("sockjs_limits", add);
}
