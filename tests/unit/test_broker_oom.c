/*
 * tests/unit/test_broker_oom.c - every allocation is made to fail once while an application decides
 * later about all that a STOMP client does: nothing crashes, nothing leaks (AddressSanitizer
 * looks), only what was touched fails, and everybody is gone in the end.
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
#define FAILURES_MAX 400

static struct gateway gateway;
static struct sockjs_broker *broker;
static struct raw_client bystander;
static atomic_uint asked, gone;

/* --- an application that decides in the next turn ---------------------------- */

struct question {
	struct sockjs_client *c;
	struct sockjs_ref *ref;
	bool who, instead;
};

static void name_it(struct sockjs_client *c)
{
	static const char *const roles[] = { "guest" };
	static const struct sockjs_identity ann = {
		.user = "ann", .roles = roles, .role_count = 1, .claims = "{\"a\":1}"
	};

	if (sockjs_client_set_identity(c, &ann) < 0)
		sockjs_client_refuse(c, -ENOMEM, NULL);
}

static void answer(struct sockjs_session *s, void *arg)
{
	static const struct sockjs_header kind = { "kind", "other" };
	static const struct sockjs_publication p = {
		.headers = &kind, .header_count = 1, .body = "other", .len = 5
	};
	struct question *q = arg;

	if (s && q->who)
		name_it(q->c);
	if (s)
		sockjs_client_decide(q->c, 0, q->instead ? &p : NULL);
	sockjs_ref_free(q->ref);
	free(q);
}

static int ask(struct sockjs_client *c, bool who, bool instead)
{
	struct question *q = malloc(sizeof(*q));

	*q = (struct question){ c, sockjs_session_ref(sockjs_client_session(c)), who, instead };
	if (q->ref && sockjs_ref_call(q->ref, answer, q) == 0)
		return SOCKJS_LATER;
	sockjs_ref_free(q->ref);
	free(q);
	return -ENOMEM;
}

static int on_authenticate(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	asked++;
	return ask(c, true, false);
}

static int on_connect(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	return ask(c, false, false);
}

static int on_subscribe(struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	(void)destination, (void)id, (void)arg;
	return ask(c, false, false);
}

static int on_incoming(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	return ask(c, false, true);
}

static int on_sent(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	return ask(c, false, false);
}

static int on_state(struct sockjs_client *c, const struct sockjs_publication *p,
    struct sockjs_publication *state, void *arg)
{
	(void)p, (void)state, (void)arg;
	return ask(c, false, true);
}

static void on_gone(struct sockjs_client *c, void *arg)
{
	(void)c, (void)arg;
	gone++;
}

static const struct sockjs_broker_hooks hooks = {
	.authenticate = on_authenticate,
	.connect = on_connect,
	.subscribe = on_subscribe,
	.incoming = on_incoming,
	.gone = on_gone,
};

/* --- the world --------------------------------------------------------------- */

static void say(struct raw_client *c, const char *text)
{
	char copy[400];
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		copy[i] = text[i] == '@' ? '\0' : text[i];
	raw_ws_send(c, 1, copy, n);
}

static void setup(void)
{
	static const char *const one_thread[] = { "threads", "1", NULL };
	struct sockjs_options *o = sockjs_options_new();
	char why[200] = "";

	gateway_init(&gateway, one_thread);
	sockjs_options_set(o, "stomp.access", "\"open\"");
	ck_assert_msg(
	    sockjs_broker_new(&broker, gateway.server, o, why, sizeof(why)) == 0, "%s", why);
	sockjs_options_free(o);
	sockjs_broker_set_hooks(broker, &hooks, NULL);
	ck_assert_int_eq(sockjs_broker_handle(broker, "/app/say", on_sent, NULL), 0);
	ck_assert_int_eq(sockjs_broker_answer(broker, "/app/state", on_state, NULL), 0);
	gateway_add(&gateway, "/stomp", sockjs_broker_callbacks(), broker, NULL);
	gateway_start(&gateway);
	raw_open(&bystander, gateway.port);
	raw_ws_open(&bystander, "/stomp");
	say(&bystander, "CONNECT\naccept-version:1.2\n\n@");
	raw_expect(&bystander, "CONNECTED\n");
}

static void teardown(void)
{
	raw_close(&bystander);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	ck_assert_uint_eq(asked, gone);
	sockjs_broker_free(broker);
	gateway_fini(&gateway);
}

/* --- the conversation -------------------------------------------------------- */

static bool hear(struct raw_client *c, const char *text)
{
	return raw_wait_unless(c, text, PATIENCE_MS, mem_failed);
}

static bool talk(struct raw_client *c)
{
	raw_ws_ask(c, "/stomp", "");
	if (!hear(c, "\r\n\r\n"))
		return false;
	say(c, "CONNECT\naccept-version:1.2\nlogin:x\npasscode:y\nclient-id:tab\n\n@"
	       "SUBSCRIBE\nid:1\ndestination:/topic/x\nreceipt:1\n\n@");
	say(c, "SEND\ndestination:/topic/x\n\nhello@"
	       "BEGIN\ntransaction:t\n\n@SEND\ndestination:/topic/x\ntransaction:t\n\nhello@"
	       "COMMIT\ntransaction:t\n\n@SUBSCRIBE\nid:2\ndestination:/app/state\n\n@");
	say(c, "SEND\ndestination:/app/say\nreceipt:2\n\nhello@DISCONNECT\nreceipt:3\n\n@");
	return hear(c, "user-name:ann\n") && hear(c, "receipt-id:1\n") && hear(c, "\n\nother") &&
	       hear(c, "\n\nother") && hear(c, "subscription:2\n") && hear(c, "\n\nother") &&
	       hear(c, "receipt-id:2\n") && hear(c, "receipt-id:3\n");
}

static void check_bystander(void)
{
	say(&bystander, "SEND\ndestination:/topic/y\nreceipt:here\n\nx@");
	raw_expect(&bystander, "receipt-id:here\n");
}

START_TEST(without_memory_a_client_that_is_decided_about_later_fails_alone)
{
	unsigned long nth;

	for (nth = 1; nth < FAILURES_MAX; nth++) {
		struct raw_client c;
		bool ok, failed;

		usleep(5000);
		raw_open(&c, gateway.port);
		c.careless = true;
		mem_fail_at(nth);
		ok = talk(&c);
		raw_close(&c);
		for (int i = 0; i < 1000 && asked > gone + 1; i++)
			usleep(1000);
		usleep(5000);
		failed = mem_failed();
		mem_fail_at(0);
		check_bystander();
		if (!failed) {
			ck_assert_msg(ok, "nothing has failed, but not all went well (%lu)", nth);
			break;
		}
	}
	ck_assert_uint_gt(nth, 30);
	ck_assert_uint_lt(nth, FAILURES_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker_oom");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, without_memory_a_client_that_is_decided_about_later_fails_alone);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
