/*
 * tests/unit/test_sockjs_broker_later.c - hooks of a broker that decide later (SOCKJS_LATER): what
 * waits for it, what comes of it, and in which order.
 */
#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "thinker_fixture.h"

/* --- each stage -------------------------------------------------------------- */

START_TEST(every_stage_may_be_decided_later_and_what_was_sent_behind_waits_in_order)
{
	static const struct sockjs_header kind = { "kind", "state" };
	const struct sockjs_publication other = { .destination = "/topic/y",
		.headers = &kind,
		.header_count = 1,
		.body = "new",
		.len = 3 };
	const struct sockjs_publication to_handler = {
		.destination = "/app/say/more", .body = "more", .len = 4
	};

	start(63, NULL);
	come(&a, "login:ann\npasscode:secret\n");
	say(&a, "SUBSCRIBE\nid:1\ndestination:/topic/*\nreceipt:r1\n\n@SEND\ndestination:/topic/"
	        "x\nreceipt:r2\n\nold@");
	say(&a, "SEND\ndestination:/topic/x\nreceipt:r3\n\nthird@");
	say(&a, "SUBSCRIBE\nid:2\ndestination:/app/state/now\nreceipt:r4\n\n@DISCONNECT\nreceipt:"
	        "r5\n\n@");
	hear("[authenticate ann secret]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.who = &(struct sockjs_identity){ .user = "ann" }), 0);
	hear("[connect ann]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.status = 0), 0);
	expect_frame(&a, "CONNECTED\n");
	hear("[connected ann][subscribe /topic/* 1]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.status = 0), 0);
	expect_frame(&a, "RECEIPT\nreceipt-id:r1\n");
	hear("[incoming /topic/x old]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.p = &other), 0);
	raw_expect(&a, "destination:/topic/y\nkind:state\ncontent-length:3\n\nnew");
	hear("[incoming /topic/x third]");
	ck_assert_int_eq(GIVE(.p = &to_handler), 0);
	hear("[handler /app/say/more more]");
	ck_assert_int_eq(GIVE(.status = 0), 0);
	raw_expect(&a, "RECEIPT\nreceipt-id:r3\n");
	hear("[subscribe /app/state/now 2]");
	ck_assert_int_eq(GIVE(.status = 0), 0);
	hear("[answer /app/state/now]");
	ck_assert_int_eq(GIVE(.p = &other), 0);
	raw_expect(&a, "subscription:2\n");
	raw_expect(&a, "destination:/app/state/now\nkind:state\ncontent-length:3\n\nnew");
	raw_expect(&a, "RECEIPT\nreceipt-id:r4\n");
	raw_expect(&a, "RECEIPT\nreceipt-id:r5\n");
	raw_close(&a);
	hear("[disconnected 1000 ][gone 1000 -]");
}
END_TEST

static const struct refusal {
	unsigned about;
	int status;
	const char *sentence, *error, *body;
} refusals[] = {
	{ AUTHENTICATE, -EACCES, "Who?", "message:Not authenticated\ncode:4620\n", "\n\nWho?" },
	{ AUTHENTICATE, -EHOSTUNREACH, NULL, "message:Backend failed\ncode:4643\n",
	    "\n\nBackend failed" },
	{ CONNECT, -EACCES, "Not today.", "message:Access denied\ncode:4630\n", "\n\nNot today." },
	{ CONNECT, -EAGAIN, NULL, "message:Busy\ncode:4641\n", "\n\nBusy" },
	{ SUBSCRIBE, -ENOENT, "No such room.",
	    "message:No such destination\ncode:4632\nreceipt-id:r\n", "\n\nNo such room." },
	{ INCOMING, -EPERM, "Rude.",
	    "message:Refused by the application\ncode:4631\nreceipt-id:r\n", "\n\nRude." },
	{ HANDLER, -EHOSTUNREACH, "It sleeps.", "message:Backend failed\ncode:4643\nreceipt-id:r\n",
	    "\n\nIt sleeps." },
	{ ANSWER, -ENOMEM, NULL, "message:Internal error\ncode:4642\nreceipt-id:r\n",
	    "\n\nInternal" },
};
#define REFUSALS (int)(sizeof(refusals) / sizeof(*refusals))

static const char *const frames[] = {
	[SUBSCRIBE] = "SUBSCRIBE\nid:1\ndestination:/topic/x\nreceipt:r\n\n@",
	[INCOMING] = "SEND\ndestination:/topic/x\nreceipt:r\n\nx@",
	[HANDLER] = "SEND\ndestination:/app/say/x\nreceipt:r\n\nx@",
	[ANSWER] = "SUBSCRIBE\nid:1\ndestination:/app/state/x\nreceipt:r\n\n@",
};

START_TEST(each_stage_may_be_refused_later_with_a_sentence)
{
	const struct refusal *r = &refusals[_i];

	start(r->about, NULL);
	come(&a, "");
	if (r->about > CONNECT) {
		hear("[authenticate - -][connect ][connected ]");
		say(&a, frames[r->about]);
	}
	hear_of(questions[r->about]);
	ck_assert_int_eq(GIVE(.status = r->status, .sentence = r->sentence), 0);
	raw_expect(&a, "ERROR\n");
	raw_expect(&a, r->error);
	raw_expect(&a, r->body);
	ck_assert_int_ne(GIVE(.status = 0), 0); /* once */
}
END_TEST

START_TEST(with_errors_kept_a_refusal_concerns_its_frame_alone)
{
	static const char *const options[] = { "stomp.errors", "keep", NULL };

	start(INCOMING, options);
	come_in(&a, "");
	hear("[authenticate - -][connect ][connected ]");
	say(&a, "SEND\ndestination:/topic/x\nreceipt:1\n\none@SEND\ndestination:/topic/"
	        "x\nreceipt:2\n\ntwo@");
	hear("[incoming /topic/x one]");
	ck_assert_int_eq(GIVE(.status = -EPERM, .sentence = "Not one."), 0);
	raw_expect(&a, "ERROR\nmessage:Refused by the application\ncode:4631\nreceipt-id:1\n");
	raw_expect(&a, "Not one.");
	hear("[incoming /topic/x two]");
	ck_assert_int_eq(GIVE(.status = 0), 0);
	raw_expect(&a, "RECEIPT\nreceipt-id:2\n");
}
END_TEST

START_TEST(what_is_no_decision_decides_nothing)
{
	const struct sockjs_header nameless = { "", "x" };
	const struct sockjs_publication bad = { .headers = &nameless, .header_count = 1 },
	                                worse = { .body = NULL, .len = 3 },
	                                good = { .body = "new", .len = 3 };

	start(INCOMING, NULL);
	come_in(&a, "");
	subscribe(&a, "1", "/topic/x");
	hear("[authenticate - -][connect ][connected ][subscribe /topic/x 1]");
	say(&a, "SEND\ndestination:/topic/x\n\nold@");
	hear("[incoming /topic/x old]");
	ck_assert_int_eq(GIVE(.p = &bad), -EINVAL);
	ck_assert_int_eq(GIVE(.p = &worse), -EINVAL);
	ck_assert_int_eq(GIVE(.status = SOCKJS_LATER), -EINVAL);
	ck_assert_int_eq(GIVE(.status = 0, .sentence = "no refusal"), -EINVAL);
	ck_assert_int_eq(GIVE(.p = &good), 0); /* without a destination: its own */
	raw_expect(&a, "destination:/topic/x\ncontent-length:3\n\nnew");
	ck_assert_int_eq(GIVE(.status = 0), -EALREADY);
	ck_assert_int_eq(GIVE(.status = 0, .sentence = "no refusal"), -EALREADY);
}
END_TEST

START_TEST(a_transaction_commits_what_was_decided_later)
{
	const struct sockjs_publication other = { .body = "second", .len = 6 };

	start(INCOMING, NULL);
	come_in(&a, "");
	subscribe(&a, "1", "/topic/x");
	hear("[authenticate - -][connect ][connected ][subscribe /topic/x 1]");
	say(&a,
	    "BEGIN\ntransaction:t\n\n@SEND\ndestination:/topic/x\ntransaction:t\n\nfirst@SEND"
	    "\ndestination:/topic/x\ntransaction:t\n\nnext@COMMIT\ntransaction:t\nreceipt:c\n\n@");
	hear("[incoming /topic/x first]");
	ck_assert_int_eq(GIVE(.status = 0), 0);
	hear("[incoming /topic/x next]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.p = &other), 0);
	raw_expect(&a, "\n\nfirst");
	raw_expect(&a, "\n\nsecond");
}
END_TEST

START_TEST(a_queue_gives_its_receipt_for_what_was_decided_later)
{
	start(INCOMING, NULL);
	come_in(&a, "");
	subscribe(&a, "1", "/queue/x");
	hear("[authenticate - -][connect ][connected ][subscribe /queue/x 1]");
	say(&a, "SEND\ndestination:/queue/x\nreceipt:q\n\nhello@");
	hear("[incoming /queue/x hello]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.status = 0), 0);
	raw_expect(&a, "receipt-id:q\n");
}
END_TEST

static int decide_for_other(
    struct sockjs_client *from, const struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	ck_assert_ptr_ne(guests[0].c, from);
	ck_assert_int_eq(sockjs_client_decide(guests[0].c, 0, NULL), 0);
	return 0;
}

/* Both are in one reactor. */
START_TEST(one_client_may_decide_about_another_within_its_own_frame)
{
	static const struct sockjs_broker_hooks hooks = { .subscribe = on_subscribe };
	static const char *const one_thread[] = { "threads", "1", NULL };
	struct sockjs_options *o = sockjs_options_new();
	char why[100];

	slow = SUBSCRIBE;
	story[0] = '\0';
	gateway_init(&gateway, one_thread);
	sockjs_options_set(o, "stomp.access", "\"open\"");
	ck_assert_int_eq(sockjs_broker_new(&broker, gateway.server, o, why, sizeof(why)), 0);
	sockjs_options_free(o);
	sockjs_broker_set_hooks(broker, &hooks, NULL);
	ck_assert_int_eq(sockjs_broker_handle(broker, "/app/decide", decide_for_other, NULL), 0);
	run(NULL);
	come_in(&a, "");
	come_in(&b, "");
	say(&a, "SUBSCRIBE\nid:1\ndestination:/topic/x\nreceipt:a1\n\n@SEND\ndestination:/topic/"
	        "x\nheader:wrapped\nreceipt:a2\n\nhello@");
	hear("[subscribe /topic/x 1]");
	say(&b, "SEND\ndestination:/app/decide\nreceipt:b\n\n@SEND\ndestination:/topic/"
	        "y\nreceipt:b2\n\n@");
	raw_expect(&b, "RECEIPT\nreceipt-id:b\n");
	raw_expect(&b, "RECEIPT\nreceipt-id:b2\n");
	raw_expect(&a, "RECEIPT\nreceipt-id:a1\n");
	raw_expect(&a, "\n\nhello");
	raw_expect(&a, "RECEIPT\nreceipt-id:a2\n");
}
END_TEST

/* --- time -------------------------------------------------------------------- */

START_TEST(heart_beats_go_on_while_a_frame_waits_and_its_client_is_not_silent)
{
	static const char *const options[] = { "stomp.heartbeat_ms", "100,100", NULL };

	start(INCOMING, options);
	come_in(&a, "heart-beat:100,100\n");
	say(&a, "SEND\ndestination:/topic/x\nreceipt:1\n\nx@");
	hear("[authenticate - -][connect ][connected ][incoming /topic/x x]");
	for (int i = 0; i < 6; i++)
		raw_ws_expect_text(&a, "\n");
	ck_assert_int_eq(GIVE(.status = 0), 0);
	raw_expect(&a, "RECEIPT\nreceipt-id:1\n");
	raw_expect(&a, "No"); /* but now it is: "Nothing came" */
}
END_TEST

START_TEST(an_application_has_all_the_time_for_connect)
{
	static const char *const options[] = { "stomp.connect_timeout_ms", "100", NULL };

	start(AUTHENTICATE | CONNECT, options);
	come(&a, "");
	hear("[authenticate - -]");
	raw_expect_silence(&a, 250);
	ck_assert_int_eq(GIVE(.status = 0), 0);
	hear("[connect ]");
	raw_expect_silence(&a, 250);
	ck_assert_int_eq(GIVE(.status = 0), 0);
	expect_frame(&a, "CONNECTED\n");
}
END_TEST

/* --- many -------------------------------------------------------------------- */

struct question {
	struct sockjs_client *c;
	struct sockjs_ref *ref;
};

static void answer_question(struct sockjs_session *s, void *arg)
{
	struct question *q = arg;

	if (s)
		ck_assert_int_eq(sockjs_client_decide(q->c, 0, NULL), 0);
	sockjs_ref_free(q->ref);
	free(q);
}

/* In the next turn. */
static int soon(struct sockjs_client *c)
{
	struct question *q = malloc(sizeof(*q));

	*q = (struct question){ c, sockjs_session_ref(sockjs_client_session(c)) };
	ck_assert_int_eq(sockjs_ref_call(q->ref, answer_question, q), 0);
	return SOCKJS_LATER;
}

static int soon_connect(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	return soon(c);
}

static int soon_subscribe(
    struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	(void)destination, (void)id, (void)arg;
	return soon(c);
}

static int soon_incoming(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	return soon(c);
}

static atomic_uint here, left;

static void count_here(struct sockjs_client *c, void *arg)
{
	(void)c, (void)arg;
	here++;
}

static void count_left(struct sockjs_client *c, void *arg)
{
	(void)c, (void)arg;
	left++;
}

START_TEST(in_several_reactors_nothing_is_lost_nor_out_of_order)
{
	static const struct sockjs_broker_hooks hooks = { .authenticate = soon_connect,
		.connect = soon_connect,
		.connected = count_here,
		.subscribe = soon_subscribe,
		.incoming = soon_incoming,
		.gone = count_left };
	static struct raw_client crowd[12];
	char text[80];

	here = left = 0;
	start_with_hooks(&hooks);
	come_in(&b, "");
	subscribe(&b, "1", "/topic/**");
	for (int i = 0; i < 12; i++) {
		come(&crowd[i], "");
		for (int j = 0; j < 30; j++) {
			snprintf(
			    text, sizeof(text), "SEND\ndestination:/topic/%d\n\n%d.%d;@", i, i, j);
			say(&crowd[i], text);
		}
		say(&crowd[i], "DISCONNECT\nreceipt:bye\n\n@");
	}
	for (int i = 0; i < 12; i++)
		raw_expect(&crowd[i], "RECEIPT\nreceipt-id:bye\n");
	for (int n = 0, next[12] = { 0 }; n < 12 * 30; n++) {
		char frame[500], *body;
		unsigned opcode;
		int i, j;

		frame[raw_ws_next(&b, &opcode, frame, sizeof(frame) - 1)] = '\0';
		body = strstr(frame, "\n\n");
		ck_assert_ptr_nonnull(body);
		ck_assert_int_eq(sscanf(body, "\n\n%d.%d;", &i, &j), 2);
		ck_assert_int_eq(j, next[i]++);
	}
	for (int i = 0; i < 12; i++)
		raw_close(&crowd[i]);
	for (int i = 0; i < 5000 && left < 12; i++)
		usleep(1000);
	ck_assert_uint_eq(here, 13);
	ck_assert_uint_eq(left, 12);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sockjs_broker_later");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, end);
	tcase_add_test(
	    tc, every_stage_may_be_decided_later_and_what_was_sent_behind_waits_in_order);
	tcase_add_loop_test(tc, each_stage_may_be_refused_later_with_a_sentence, 0, REFUSALS);
	tcase_add_test(tc, with_errors_kept_a_refusal_concerns_its_frame_alone);
	tcase_add_test(tc, what_is_no_decision_decides_nothing);
	tcase_add_test(tc, a_transaction_commits_what_was_decided_later);
	tcase_add_test(tc, a_queue_gives_its_receipt_for_what_was_decided_later);
	tcase_add_test(tc, one_client_may_decide_about_another_within_its_own_frame);
	tcase_add_test(tc, heart_beats_go_on_while_a_frame_waits_and_its_client_is_not_silent);
	tcase_add_test(tc, an_application_has_all_the_time_for_connect);
	tcase_add_test(tc, in_several_reactors_nothing_is_lost_nor_out_of_order);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
