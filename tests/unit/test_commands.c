/*
 * tests/unit/test_commands.c - what sockjs.h promises of commands to applications in C: who is
 * asked, when and from where it may answer, and what becomes of a command that nobody answers. And
 * every allocation on the way of a command fails once.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fakes/gateway.h"
#include "fakes/raw_client.h"
#include "sockjs.h"

#define TOKEN "0123456789abcdef"

static struct gateway gateway;
static struct sockjs_broker *broker;
static struct raw_client client;
static unsigned internal_port;

/* --- an application with commands of its own ------------------------------------ */

static struct sockjs_command *kept; /* whoever is to be answered by another thread, or never */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void keep(struct sockjs_command *c)
{
	pthread_mutex_lock(&lock);
	kept = c;
	pthread_mutex_unlock(&lock);
}

/* Waits until a command has come. */
static struct sockjs_command *take(void)
{
	struct sockjs_command *c = NULL;

	for (int i = 0; i < 5000 && !c; i++) {
		usleep(1000);
		pthread_mutex_lock(&lock);
		c = kept;
		kept = NULL;
		pthread_mutex_unlock(&lock);
	}
	ck_assert_ptr_nonnull(c);
	return c;
}

static const char *const names[] = { "mirror", "wait", "refuse", NULL };

static void on_command(struct sockjs_command *c, void *app)
{
	size_t len;
	const char *body;

	ck_assert_str_eq(app, "mine");
	if (strcmp(sockjs_command_name(c), "wait") == 0) {
		keep(c);
		return;
	}
	if (strcmp(sockjs_command_name(c), "refuse") == 0) {
		sockjs_command_refuse(c, 418, "teapot", NULL, "No coffee here.");
		return;
	}
	body = sockjs_command_body(c, &len);
	if (!body) {
		sockjs_command_refuse(c, 503, "no_memory", NULL, "Out of memory.");
		return;
	}
	ck_assert_uint_eq(strlen(body), len);
	sockjs_command_reply(c, 200, body, len);
}

static const struct sockjs_callbacks app = { .commands = names, .command = on_command };
static const struct sockjs_callbacks silent = { 0 };

/* --- the world ---------------------------------------------------------------------- */

static void start(const char *threads, const char *token)
{
	const char *const options[] = { "threads", threads, token ? "internal.token" : NULL, token,
		NULL };
	static const char hello[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
	static char mine[] = "mine";
	struct sockjs_options *o = sockjs_options_new();
	char why[200];

	gateway_init(&gateway, options);
	sockjs_options_set(o, "stomp.access", "\"open\"");
	ck_assert_int_eq(sockjs_broker_new(&broker, gateway.server, o, why, sizeof(why)), 0);
	sockjs_options_free(o);
	gateway_add(&gateway, "/mine", &app, mine, NULL);
	gateway_add(&gateway, "/mine2", &app, mine, NULL);
	gateway_add(&gateway, "/silent", &silent, NULL, NULL);
	gateway_add(&gateway, "/stomp", sockjs_broker_callbacks(), broker, NULL);
	ck_assert_ptr_null(sockjs_server_internal_url(gateway.server));
	ck_assert_int_eq(sockjs_server_listen_internal(gateway.server, "127.0.0.1:0", NULL), 0);
	internal_port =
	    (unsigned)atoi(strrchr(sockjs_server_internal_url(gateway.server), ':') + 1);
	gateway_start(&gateway);
	raw_open(&client, internal_port);
	raw_write(&client, hello, sizeof(hello) - 1); /* it runs */
	raw_expect(&client, "ok\n");
}

static void setup(void)
{
	start("2", TOKEN);
}

static void teardown(void)
{
	raw_close(&client);
	if (gateway.runs) {
		sockjs_server_stop(gateway.server);
		sockjs_server_stop(gateway.server);
		gateway_wait(&gateway);
	}
	sockjs_broker_free(broker);
	gateway_fini(&gateway);
	kept = NULL;
}

static void ask(struct raw_client *c, const char *name, const char *body)
{
	char text[4096];
	int n = snprintf(text, sizeof(text),
	    "POST /api/%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN
	    "\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    name, strlen(body), body);

	raw_write(c, text, (size_t)n);
}

/* --- applications ---------------------------------------------------------------------- */

START_TEST(an_application_is_given_what_was_asked)
{
	ask(&client, "mirror", "{ \"a\": [1, \"\\u00e9\"] }");
	raw_expect(&client, "HTTP/1.1 200 OK\r\n");
	raw_expect(&client, "\r\n\r\n{\"a\":[1,\"\xc3\xa9\"]}");
	ask(&client, "mirror", "");
	raw_expect(&client, "\r\n\r\n{}");
	ask(&client, "mirror", "{\"endpoint\":\"/mine2\"}");
	raw_expect(&client, "\r\n\r\n{\"endpoint\":\"/mine2\"}");
}
END_TEST

START_TEST(it_may_refuse)
{
	ask(&client, "refuse", "{}");
	raw_expect(&client, "HTTP/1.1 418 ");
	raw_expect(&client, "{\"error\":{\"code\":\"teapot\",\"message\":\"No coffee here.\"}}\n");
}
END_TEST

START_TEST(one_that_does_not_know_the_command_is_not_asked)
{
	ask(&client, "mirror", "{\"endpoint\":\"/silent\"}");
	raw_expect(&client, "HTTP/1.1 404 ");
	raw_expect(&client, "\"no_application\"");
}
END_TEST

START_TEST(it_may_answer_later_from_another_thread)
{
	ask(&client, "wait", "{}");
	sockjs_command_reply(take(), 202, "{\"later\":true}", 14);
	raw_expect(&client, "HTTP/1.1 202 ");
	raw_expect(&client, "{\"later\":true}");
	ask(&client, "mirror", "{}");
	raw_expect(&client, "HTTP/1.1 200 ");
}
END_TEST

START_TEST(who_left_meanwhile_is_answered_to_nobody)
{
	struct sockjs_command *c;

	ask(&client, "wait", "{}");
	c = take();
	raw_reset(&client);
	usleep(20000);
	sockjs_command_reply(c, 200, "{}", 2);
	raw_open(&client, internal_port);
	ask(&client, "mirror", "{}");
	raw_expect(&client, "HTTP/1.1 200 ");
}
END_TEST

START_TEST(a_key_is_busy_while_its_command_waits_and_then_answered_as_that)
{
	struct sockjs_command *c;
	struct raw_client other;

	ask(&client, "wait", "{\"idempotency_key\":\"k\"}");
	c = take();
	raw_open(&other, internal_port);
	ask(&other, "wait", "{\"idempotency_key\":\"k\"}");
	raw_expect(&other, "HTTP/1.1 409 ");
	sockjs_command_reply(c, 200, "{\"n\":1}", 7);
	raw_expect(&client, "{\"n\":1}");
	ask(&other, "wait", "{\"idempotency_key\":\"k\"}");
	raw_expect(&other, "{\"n\":1}");
	raw_close(&other);
}
END_TEST

START_TEST(one_that_is_never_answered_is_gone_with_the_server)
{
	ask(&client, "wait", "{}");
	take();
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	raw_expect_end(&client);
}
END_TEST

START_TEST(one_may_be_answered_when_the_server_has_stopped)
{
	struct sockjs_command *c;

	ask(&client, "wait", "{\"idempotency_key\":\"k\"}");
	c = take();
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	sockjs_command_reply(c, 200, "{}", 2);
}
END_TEST

START_TEST(there_are_no_more_under_way_than_there_may_be)
{
	struct raw_client crowd[256];

	for (int i = 0; i < 256; i++) {
		raw_open(&crowd[i], internal_port);
		ask(&crowd[i], "wait", "{}");
		take();
	}
	ask(&client, "mirror", "{}");
	raw_expect(&client, "HTTP/1.1 503 ");
	raw_expect(&client, "\"busy\"");
	for (int i = 0; i < 256; i++)
		raw_close(&crowd[i]);
}
END_TEST

START_TEST(without_a_token_there_are_no_commands)
{
	start("1", NULL);
	ask(&client, "mirror", "{}");
	raw_expect(&client, "HTTP/1.1 404 ");
	raw_expect(&client, "internal.token_file");
	teardown();
}
END_TEST

/* --- the server's own -------------------------------------------------------------- */

START_TEST(what_only_a_daemon_knows_is_not_made_up)
{
	ask(&client, "config", "{}");
	raw_expect(&client, "HTTP/1.1 404 ");
	raw_expect(&client, "\"no_config\"");
	ask(&client, "endpoints", "{\"endpoint\":\"/mine\"}");
	raw_expect(&client, "\"prefix\":\"/mine\",\"application\":null");
	raw_expect(&client, "\"commands\":[\"mirror\",\"wait\",\"refuse\"]");
}
END_TEST

START_TEST(a_stop_is_begun_by_a_command_and_answered_before_it_is_over)
{
	ask(&client, "drain", "{}");
	raw_expect(&client, "{\"draining\":true,\"sessions\":0}");
	gateway_wait(&gateway);
}
END_TEST

/* --- memory ---------------------------------------------------------------------------------- */

static const char *const conversations[][2] = {
	{ "publish", "{\"destination\":\"/topic/a\",\"body\":\"x\"}" },
	{ "publish", "{\"messages\":[{\"destination\":\"/topic/a\",\"headers\":{\"a\":\"b:c\"}},"
	             "{\"destination\":\"/user/a/b\",\"body_base64\":\"AAAA\"}]}" },
	{ "publish", "{\"destination\":\"/topic/a\",\"idempotency_key\":\"k@\"}" },
	{ "users", "{\"limit\":1}" },
	{ "disconnect", "{\"user\":\"a\"}" },
	{ "broadcast", "{\"endpoint\":\"/mine\",\"message\":\"x\"}" },
	{ "send", "{\"session\":1,\"message\":\"x\"}" },
	{ "sessions", "{\"endpoint\":\"/mine\",\"address\":\"10.0.0.0/8\"}" },
	{ "session", "{\"session\":1}" },
	{ "endpoints", "{}" },
	{ "limited", "{}" },
	{ "networks", "{\"network\":\"10.0.0.0/8\",\"limit\":2}" },
	{ "forget_networks", "{\"network\":\"all\"}" },
	{ "log", "{}" },
	{ "mirror", "{\"a\":1}" },
};

/* '@' stands for a number. */
static void compose(char *body, size_t size, const char *text, unsigned number)
{
	const char *at = strchr(text, '@');

	if (at)
		snprintf(body, size, "%.*s%u%s", (int)(at - text), text, number, at + 1);
	else
		snprintf(body, size, "%s", text);
}

/* An answer of whatever kind, or the end; not silence. */
START_TEST(each_allocation_may_fail_and_somebody_hears_of_it)
{
	char body[300];
	unsigned nth = 0;
	int failed = 1;

	while (failed && ++nth < 200) {
		struct raw_client c;

		compose(body, sizeof(body), conversations[_i][1], nth);
		raw_open(&c, internal_port);
		c.careless = true;
		usleep(2000);
		mem_fail_at(nth);
		ask(&c, conversations[_i][0], body);
		for (int i = 0; i < 5000 && !c.ended && !raw_wait(&c, "HTTP/1.1 ", 1); i++)
			;
		failed = mem_failed();
		mem_fail_at(0);
		raw_close(&c);
	}
	ck_assert_uint_gt(nth, 5);
	ck_assert_uint_lt(nth, 200);
	ask(&client, conversations[_i][0], body);
	raw_expect(&client, "HTTP/1.1 ");
}
END_TEST

static void setup_one(void)
{
	start("1", TOKEN);
}

int main(void)
{
	Suite *suite = suite_create("commands");
	TCase *tc = tcase_create("applications"), *bare = tcase_create("no token"),
	      *memory = tcase_create("memory");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_set_timeout(memory, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_application_is_given_what_was_asked);
	tcase_add_test(tc, it_may_refuse);
	tcase_add_test(tc, one_that_does_not_know_the_command_is_not_asked);
	tcase_add_test(tc, it_may_answer_later_from_another_thread);
	tcase_add_test(tc, who_left_meanwhile_is_answered_to_nobody);
	tcase_add_test(tc, a_key_is_busy_while_its_command_waits_and_then_answered_as_that);
	tcase_add_test(tc, one_that_is_never_answered_is_gone_with_the_server);
	tcase_add_test(tc, one_may_be_answered_when_the_server_has_stopped);
	tcase_add_test(tc, there_are_no_more_under_way_than_there_may_be);
	tcase_add_test(tc, what_only_a_daemon_knows_is_not_made_up);
	tcase_add_test(tc, a_stop_is_begun_by_a_command_and_answered_before_it_is_over);
	tcase_add_test(bare, without_a_token_there_are_no_commands);
	tcase_add_checked_fixture(memory, setup_one, teardown);
	tcase_add_loop_test(memory, each_allocation_may_fail_and_somebody_hears_of_it, 0,
	    sizeof(conversations) / sizeof(*conversations));
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, bare);
	suite_add_tcase(suite, memory);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
