/*
 * tests/unit/test_sockjs_broker.c - what sockjs.h promises of publish-subscribe to applications in
 * C: publishing, handlers, hooks, subscriptions from inside, users and attributes.
 */
#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stomp_fixture.h"

/* --- publishing ------------------------------------------------------------------------- */

START_TEST(what_another_thread_publishes_comes_to_subscribers_in_its_order)
{
	char text[40];

	start_with_hooks(NULL);
	come_in(&a, "");
	come_in(&b, "");
	subscribe(&a, "one", "/topic/*");
	subscribe(&b, "two", "/topic/news");
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "number %d.", i);
		ck_assert_int_eq(publish("/topic/news", text), 0);
	}
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "\n\nnumber %d.", i);
		raw_expect(&a, "subscription:one\n");
		raw_expect(&a, "destination:/topic/news\nkind:test\\c1\n");
		raw_expect(&a, text);
		raw_expect(&b, text);
	}
}
END_TEST

START_TEST(what_has_no_destination_is_not_published)
{
	struct sockjs_header nameless = { "", "x" };
	struct sockjs_publication p = {
		.destination = "/topic/a", .headers = &nameless, .header_count = 1
	};

	start_with_hooks(NULL);
	ck_assert_int_eq(publish("", "x"), -EINVAL);
	ck_assert_int_eq(publish("/topic/*", "x"), -EINVAL);
	ck_assert_int_eq(publish("/topic//a", "x"), -EINVAL);
	ck_assert_int_eq(publish("/user/ann", "x"), -EINVAL);
	ck_assert_int_eq(sockjs_broker_publish(broker, &p), -EINVAL);
	p = (struct sockjs_publication){ .destination = NULL };
	ck_assert_int_eq(sockjs_broker_publish(broker, &p), -EINVAL);
}
END_TEST

/* --- handlers ----------------------------------------------------------------------------- */

static int on_ask(struct sockjs_client *from, const struct sockjs_publication *p, void *arg)
{
	char name[32], destination[64];

	ck_assert_ptr_eq(arg, story);
	tell("[%s %.*s]", p->destination, (int)p->len, p->body);
	if (strncmp(p->body, "forbid", p->len) == 0)
		return -EACCES;
	snprintf(destination, sizeof(destination), "/user/%s/queue/answers",
	    sockjs_client_name(from, name));
	return publish(destination, "the answer");
}

START_TEST(a_handler_has_what_is_sent_to_it_and_answers_the_sender_alone)
{
	prepare(NULL);
	ck_assert_int_eq(sockjs_broker_handle(broker, "/app/ask/**", on_ask, story), 0);
	ck_assert_int_eq(sockjs_broker_handle(broker, "app", on_ask, story), -EINVAL);
	run(NULL);
	come_in(&a, "");
	come_in(&b, "");
	subscribe(&a, "s", "/user/queue/answers");
	subscribe(&b, "s", "/user/queue/answers");
	say(&a, "SEND\ndestination:/app/ask/me\n\nquestion@");
	raw_expect(&a, "destination:/user/queue/answers\n");
	raw_expect(&a, "the answer");
	hear("[/app/ask/me question]");
	ck_assert(!raw_wait(&b, "the answer", 50));
	say(&a, "SEND\ndestination:/app/ask\nreceipt:r\n\nforbid@");
	raw_expect(&a, "ERROR\nmessage:Access denied\ncode:4630\nreceipt-id:r\n");
	say(&b, "SEND\ndestination:/app/other\nreceipt:r\n\nx@");
	raw_expect(&b, "ERROR\nmessage:No such destination\ncode:4632\n");
}
END_TEST

static int on_say(struct sockjs_client *from, const struct sockjs_publication *p, void *arg)
{
	(void)from, (void)arg;
	ck_assert_uint_eq(p->variable_count, 2);
	tell("[%s=%s %s=%s %.*s]", p->variables[0].name, p->variables[0].value,
	    p->variables[1].name, p->variables[1].value, (int)p->len, p->body);
	return 0;
}

static int on_state(struct sockjs_client *from, const struct sockjs_publication *p,
    struct sockjs_publication *answer, void *arg)
{
	static const struct sockjs_header kind = { "kind", "state" };

	(void)from, (void)arg;
	if (strcmp(p->variables[0].value, "secret") == 0)
		return -EACCES;
	answer->headers = &kind;
	answer->header_count = 1;
	answer->body = p->variables[0].value;
	answer->len = strlen(answer->body);
	return 0;
}

START_TEST(a_handler_knows_what_stands_for_its_variables_and_answers_subscribers_once)
{
	prepare(NULL);
	ck_assert_int_eq(
	    sockjs_broker_handle(broker, "/app/rooms/{room}/say/{how}", on_say, NULL), 0);
	ck_assert_int_eq(sockjs_broker_answer(broker, "/app/rooms/{room}", on_state, NULL), 0);
	ck_assert_int_eq(sockjs_broker_answer(broker, "/app/{}//x", on_state, NULL), -EINVAL);
	run(NULL);
	come_in(&a, "");
	say(&a, "SEND\ndestination:/app/rooms/tea/say/loudly\n\nhello@");
	hear("[room=tea how=loudly hello]");
	say(&a, "SUBSCRIBE\nid:s\ndestination:/app/rooms/tea\nreceipt:1\n\n@");
	expect_frame(&a, "MESSAGE\nsubscription:s\n");
	expect_frame(&a, "RECEIPT\nreceipt-id:1\n");
	subscribe(&a, "s", "/topic/x"); /* the id is free again */
	say(&a, "SUBSCRIBE\nid:t\ndestination:/app/rooms/secret\n\n@");
	expect_frame(&a, "ERROR\nmessage:Access denied\n");
}
END_TEST

/* --- hooks ---------------------------------------------------------------------------------- */

static int on_connect(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	const char *who = NULL;

	(void)arg;
	for (size_t i = 0; i < p->header_count; i++) {
		ck_assert_str_ne(p->headers[i].name, "passcode");
		if (strcmp(p->headers[i].name, "who") == 0)
			who = p->headers[i].value;
	}
	tell("[connect %s]", who ? who : "nobody");
	if (who && strcmp(who, "stranger") == 0)
		return -EPERM;
	return who ? sockjs_client_set_user(c, who) : 0;
}

static void on_connected(struct sockjs_client *c, void *arg)
{
	(void)arg;
	tell("[connected %s]", sockjs_client_user(c));
	ck_assert_int_eq(sockjs_client_set_user(c, "other"), -EBUSY);
	ck_assert_ptr_null(sockjs_client_get(c, "room"));
	ck_assert_int_eq(sockjs_client_set(c, "room", "1"), 0);
	ck_assert_int_eq(sockjs_client_set(c, "room", "2"), 0);
	ck_assert_int_eq(sockjs_client_set(c, "gone", "x"), 0);
	ck_assert_int_eq(sockjs_client_set(c, "gone", NULL), 0);
}

static int on_subscribe(struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	(void)arg;
	tell("[subscribe %s %s %s]", destination, id, sockjs_client_get(c, "room"));
	ck_assert_ptr_null(sockjs_client_get(c, "gone"));
	return strcmp(destination, "/topic/secret") == 0 ? -EACCES : 0;
}

static void on_unsubscribe(
    struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	(void)c, (void)arg;
	tell("[unsubscribe %s %s]", destination, id);
}

static void on_disconnected(struct sockjs_client *c, void *arg)
{
	(void)arg;
	tell("[disconnected %s]", sockjs_client_user(c));
}

static const struct sockjs_broker_hooks events = {
	.connect = on_connect,
	.connected = on_connected,
	.subscribe = on_subscribe,
	.unsubscribe = on_unsubscribe,
	.disconnected = on_disconnected,
};

START_TEST(an_application_hears_of_all_that_happens_and_may_refuse)
{
	start_with_hooks(&events);
	come_in(&a, "who:ann\npasscode:secret\n");
	hear("[connect ann][connected ann]");
	subscribe(&a, "1", "/topic/x");
	hear("[subscribe /topic/x 1 2]");
	say(&a, "UNSUBSCRIBE\nid:1\nreceipt:u\n\n@");
	raw_expect(&a, "RECEIPT\nreceipt-id:u\n");
	hear("[unsubscribe /topic/x 1]");
	say(&a, "SUBSCRIBE\nid:2\ndestination:/topic/secret\n\n@");
	raw_expect(&a, "ERROR\nmessage:Access denied\n");
	hear("[subscribe /topic/secret 2 2][disconnected ann]");
	come(&b, "who:stranger\n");
	raw_expect(&b, "ERROR\nmessage:Refused by the application\ncode:4631\n");
	hear("[connect stranger]");
}
END_TEST

static int on_handshake(struct sockjs_handshake *h, struct sockjs_client *c, void *arg)
{
	const char *query = sockjs_handshake_query(h);

	(void)arg;
	if (strcmp(query, "nobody") == 0)
		return 403;
	return sockjs_client_set_user(c, query) == 0 ? 0 : 500;
}

static atomic_uint count;

static void count_it(struct sockjs_client *c, void *arg)
{
	ck_assert_str_eq(sockjs_client_user(c), arg);
	count++;
}

static void count_anns(void *arg)
{
	static char ann[] = "ann";

	(void)arg;
	sockjs_broker_each_of_user(broker, ann, count_it, ann);
}

START_TEST(the_handshake_may_say_who_it_is_or_refuse)
{
	static const struct sockjs_broker_hooks hooks = { .handshake = on_handshake };
	int nothing = 0;

	start_with_hooks(&hooks);
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/stomp/websocket?nobody", "");
	raw_expect(&a, "HTTP/1.1 403 ");
	raw_close(&a);
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/stomp?ann");
	say(&a, "CONNECT\naccept-version:1.2\n\n@");
	raw_expect(&a, "user-name:ann\n");
	raw_open(&b, gateway.port);
	raw_ws_open(&b, "/stomp?bob");
	say(&b, "CONNECT\naccept-version:1.2\n\n@");
	raw_expect(&b, "user-name:bob\n");
	count = 0;
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(sockjs_reactor_call(gateway.server, i, count_anns, NULL, &nothing,
		                     sizeof(nothing)),
		    0);
	for (int i = 0; i < 1000 && count == 0; i++)
		usleep(1000);
	usleep(20000);
	ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(who_was_named_by_the_application_gets_what_is_for_that_user)
{
	start_with_hooks(&events);
	come_in(&a, "who:ann/x\n");
	come_in(&b, "who:ann/x\n");
	subscribe(&a, "1", "/user/queue/q");
	subscribe(&b, "1", "/user/queue/q");
	ck_assert_int_eq(publish("/user/ann%2Fx/queue/q", "for ann"), 0);
	raw_expect(&a, "destination:/user/queue/q\n");
	raw_expect(&a, "for ann");
	raw_expect(&b, "for ann");
	ck_assert_int_eq(publish("/user/ann/queue/q", "for another"), 0);
	ck_assert(!raw_wait(&a, "for another", 50));
}
END_TEST

static int change_incoming(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	static __thread char body[100];

	(void)c, (void)arg;
	if (p->len > 10)
		return -EINVAL;
	p->len = (size_t)snprintf(body, sizeof(body), "<%.*s>", (int)p->len, p->body);
	p->body = body;
	return 0;
}

/* Each subscriber gets its own; b gets nothing of what begins with "<a". */
static int change_outgoing(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	static __thread char body[100];

	(void)arg;
	if (strcmp(sockjs_client_user(c), "b") == 0 && strncmp(p->body, "<a", 2) == 0)
		return 1;
	p->len = (size_t)snprintf(
	    body, sizeof(body), "%.*s to %s", (int)p->len, p->body, sockjs_client_user(c));
	p->body = body;
	return 0;
}

static int name_it(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)arg;
	return sockjs_client_set_user(c, p->headers[p->header_count - 1].value);
}

START_TEST(interceptors_change_messages_both_ways_and_veto)
{
	static const struct sockjs_broker_hooks hooks = {
		.connect = name_it, .incoming = change_incoming, .outgoing = change_outgoing
	};

	start_with_hooks(&hooks);
	come_in(&a, "who:a\n");
	come_in(&b, "who:b\n");
	subscribe(&a, "1", "/topic/x");
	subscribe(&b, "1", "/topic/x");
	say(&a, "SEND\ndestination:/topic/x\n\naha@");
	say(&a, "SEND\ndestination:/topic/x\n\nhello@");
	raw_expect(&a, "\n\n<aha> to a");
	raw_expect(&a, "content-length:12\n\n<hello> to a");
	expect_frame(&b, "MESSAGE\nsubscription:1\n");
	say(&a, "SEND\ndestination:/topic/x\n\nthis is too long@");
	raw_expect(&a, "ERROR\nmessage:Refused by the application\n");
}
END_TEST

/* --- from inside ------------------------------------------------------------------------------ */

static void on_publication(const struct sockjs_publication *p, void *arg)
{
	tell("[%s %s %.*s]", (char *)arg, p->destination, (int)p->len, p->body);
}

START_TEST(an_application_subscribes_from_inside)
{
	static char name[] = "inside";
	struct sockjs_subscription *s;

	prepare(NULL);
	ck_assert_int_eq(sockjs_broker_subscribe(broker, "/topic/**", on_publication, name, &s), 0);
	ck_assert_int_eq(
	    sockjs_broker_subscribe(broker, "topic", on_publication, name, &s), -EINVAL);
	run(NULL);
	come_in(&a, "");
	say(&a, "SEND\ndestination:/topic/a/b\n\nhello@");
	hear("[inside /topic/a/b hello]");
	teardown();
	memset(&gateway, 0, sizeof(gateway));
	broker = NULL;
}
END_TEST

static void disconnect_all(struct sockjs_client *c, void *arg)
{
	(void)arg;
	sockjs_client_disconnect(c, "Go home.");
}

static void in_each(void *arg)
{
	(void)arg;
	sockjs_broker_each_client(broker, disconnect_all, NULL);
}

START_TEST(an_application_ends_clients_with_a_sentence)
{
	int nothing = 0;

	start_with_hooks(NULL);
	come_in(&a, "");
	come_in(&b, "");
	ck_assert_int_eq(sockjs_reactor_spread(
	                     gateway.server, 1, NULL, in_each, NULL, &nothing, sizeof(nothing)),
	    0);
	raw_expect(&a, "ERROR\nmessage:Disconnected by the operator\ncode:4624\n");
	raw_expect(&a, "Go home.");
	raw_expect(&b, "Go home.");
}
END_TEST

static int end_in_connect(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	sockjs_client_disconnect(c, "No.");
	return 0;
}

static int end_in_subscribe(
    struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	(void)destination, (void)id, (void)arg;
	sockjs_client_disconnect(c, "No.");
	return 0;
}

static void end_in_unsubscribe(
    struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	(void)destination, (void)id, (void)arg;
	sockjs_client_disconnect(c, "No.");
}

static int end_in_incoming(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	sockjs_client_disconnect(c, "No.");
	return 0;
}

START_TEST(an_application_may_end_a_client_within_any_hook)
{
	static const struct sockjs_broker_hooks rows[] = {
		{ .connect = end_in_connect },
		{ .subscribe = end_in_subscribe },
		{ .unsubscribe = end_in_unsubscribe },
		{ .incoming = end_in_incoming },
	};

	start_with_hooks(&rows[_i]);
	come(&a, "");
	say(&a, "SUBSCRIBE\nid:1\ndestination:/topic/x\n\n@");
	say(&a, "UNSUBSCRIBE\nid:1\n\n@");
	say(&a, "BEGIN\ntransaction:t\n\n@");
	say(&a, "SEND\ndestination:/topic/x\ntransaction:t\n\nx@");
	raw_expect(&a, "ERROR\nmessage:Disconnected by the operator\n");
	raw_expect(&a, "No.");
	raw_expect(&a, "\x12\x10"
	               "Disconnected by the operator"); /* 4624 */
}
END_TEST

/* --- slow subscribers ---------------------------------------------------------------------------
 */

static const char *const small_buffer[] = { "send_buffer_bytes", "200000", "websocket.compression",
	"false", NULL };

START_TEST(a_slow_subscriber_of_a_conflated_destination_gets_the_latest)
{
	static const char *const options[] = { "stomp.conflate", "/topic/price/*", NULL };
	static char body[4000];
	unsigned got = 0;

	prepare(options);
	run(small_buffer);
	raw_open_narrow(&a, gateway.port);
	raw_ws_open(&a, "/stomp");
	say(&a, "CONNECT\naccept-version:1.2\n\n@");
	expect_frame(&a, "CONNECTED\n");
	subscribe(&a, "p", "/topic/price/eur");
	memset(body, 'x', sizeof(body) - 1);
	for (int i = 0; i < 5000; i++) {
		body[snprintf(body, 20, "price %d;", i)] = 'x';
		ck_assert_int_eq(publish("/topic/price/eur", body), 0);
	}
	while (!raw_wait(&a, "price 4999;", 20))
		ck_assert_uint_lt(++got, 500);
}
END_TEST

START_TEST(a_slow_subscriber_is_cut_off_elsewhere_and_delays_nobody)
{
	static char body[4000];

	prepare(NULL);
	run(small_buffer);
	raw_open_narrow(&a, gateway.port);
	a.careless = true;
	raw_ws_open(&a, "/stomp");
	say(&a, "CONNECT\naccept-version:1.2\n\n@");
	expect_frame(&a, "CONNECTED\n");
	subscribe(&a, "p", "/topic/price/eur");
	come_in(&b, "");
	subscribe(&b, "q", "/topic/price/eur");
	memset(body, 'x', sizeof(body) - 1);
	for (int i = 0; i < 3000; i++) {
		body[snprintf(body, 20, "price %d;", i)] = 'x';
		ck_assert_int_eq(publish("/topic/price/eur", body), 0);
		if (i % 20 == 19)
			raw_expect(&b, body + 0);
	}
}
END_TEST

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Ten at once, and ten a second: thirty take two seconds, whatever sessions they come by. */
START_TEST(all_sessions_of_a_user_together_are_read_as_slowly_as_the_limit_says)
{
	static const char *const options[] = { "stomp.max_messages_per_second_per_user", "10",
		NULL };
	uint64_t began;

	prepare(options);
	sockjs_broker_set_hooks(broker, &events, story);
	run(NULL);
	come_in(&a, "who:ann\n");
	come_in(&b, "who:ann\n");
	began = now_ms();
	for (int i = 0; i < 15; i++) {
		say(&a, "SEND\ndestination:/topic/x\n\nx@");
		say(&b, "SEND\ndestination:/topic/x\n\nx@");
	}
	say(&a, "SEND\ndestination:/topic/x\nreceipt:last\n\nx@");
	say(&b, "SEND\ndestination:/topic/x\nreceipt:last\n\nx@");
	raw_expect(&a, "RECEIPT\nreceipt-id:last\n");
	raw_expect(&b, "RECEIPT\nreceipt-id:last\n");
	ck_assert_uint_ge(now_ms() - began, 1500);
}
END_TEST

START_TEST(a_client_id_takes_over_the_session_of_the_same_user)
{
	start_with_hooks(&events);
	come_in(&a, "who:ann\nclient-id:tab\n");
	come_in(&b, "who:bob\nclient-id:tab\n"); /* another's tab */
	raw_expect_silence(&a, 50);
	raw_close(&b);
	come_in(&b, "who:ann\nclient-id:tab\n");
	raw_expect(&a, "ERROR\nmessage:Replaced by a newer connection\ncode:4623\n");
	subscribe(&b, "1", "/topic/x");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sockjs_broker");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, what_another_thread_publishes_comes_to_subscribers_in_its_order);
	tcase_add_test(tc, what_has_no_destination_is_not_published);
	tcase_add_test(tc, a_handler_has_what_is_sent_to_it_and_answers_the_sender_alone);
	tcase_add_test(
	    tc, a_handler_knows_what_stands_for_its_variables_and_answers_subscribers_once);
	tcase_add_test(tc, an_application_hears_of_all_that_happens_and_may_refuse);
	tcase_add_test(tc, the_handshake_may_say_who_it_is_or_refuse);
	tcase_add_test(tc, who_was_named_by_the_application_gets_what_is_for_that_user);
	tcase_add_test(tc, interceptors_change_messages_both_ways_and_veto);
	tcase_add_test(tc, an_application_subscribes_from_inside);
	tcase_add_test(tc, an_application_ends_clients_with_a_sentence);
	tcase_add_loop_test(tc, an_application_may_end_a_client_within_any_hook, 0, 4);
	tcase_add_test(tc, a_slow_subscriber_of_a_conflated_destination_gets_the_latest);
	tcase_add_test(tc, a_slow_subscriber_is_cut_off_elsewhere_and_delays_nobody);
	tcase_add_test(tc, all_sessions_of_a_user_together_are_read_as_slowly_as_the_limit_says);
	tcase_add_test(tc, a_client_id_takes_over_the_session_of_the_same_user);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
