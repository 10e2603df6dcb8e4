/*
 * tests/unit/test_relay_hub.c - what many share of one link: topics that are merged and linger, receipts,
 * streams, and what becomes of them when the link is lost. The broker is the test; time is its own.
 */
#include "relay/relay_hub.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "broker_socket.h"
#include "loop_fixture.h"

enum { STEP = 10, MEMBERS = 3, LINGER = 300, TOPICS_MOST = 2000 };

static struct stomp_frame scratch;
static struct relay_hub hub;
static const struct relay_hub_settings settings = {
	.link = { .connector = { .connect_timeout_ms = 500, .retry_ms = 100, .retry_max_ms = 100 },
	    .login = { .login = "guest" },
	    .limits = { 20, 1000, 4000, 1 << 20 },
	    .connect_timeout_ms = 500,
	    .name = "a test" },
	.members = MEMBERS,
	.linger_ms = LINGER,
	.max_topics = TOPICS_MOST,
	.stream_max_bytes = 1000,
};

/* --- the broker ------------------------------------------------------------------------ */

/* And all of that has come. */
static void tell_hub(const char *text)
{
	say(text);
	turns(5);
}

static void cut(void)
{
	hang_up();
	turns(3);
}

static bool has_heard(const char *what)
{
	return strstr(heard, what) != NULL;
}

static unsigned count_heard(const char *what)
{
	unsigned n = 0;

	for (const char *at = heard; (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* --- the owner --------------------------------------------------------------------------- */

static unsigned ups, aways, restorations;
static char story[4000]; /* what was said to it */
static bool holds;       /* messages, on the next links */

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	size_t n = strlen(story);
	va_list args;

	va_start(args, format);
	vsnprintf(story + n, sizeof(story) - n, format, args);
	va_end(args);
}

static void on_settled(
    struct relay_hub *h, struct relay_topic *t, unsigned member, uint32_t serial, const char *why)
{
	ck_assert_ptr_eq(h, &hub);
	note("%s %s/%u/%u;", why ? "refused" : "settled", t->here.p, member, serial);
}

static void on_message(struct relay_hub *h, struct relay_topic *t, const struct stomp_frame *f)
{
	(void)h;
	note("%s=%.*s%s;", t->here.p, (int)f->body.n, f->body.p, t->has_gap ? "+gap" : "");
}

static void on_sent(struct relay_hub *h, unsigned member, uint64_t number, const char *why)
{
	(void)h;
	note("%s %u/%" PRIu64 ";", why ? "unsent" : "sent", member, number);
}

static void on_up(struct relay_hub *h)
{
	ups++;
	if (!holds)
		relay_hub_release(h);
}

static void on_restored(struct relay_hub *h)
{
	(void)h;
	restorations++;
}

static void on_away(struct relay_hub *h, const char *why)
{
	(void)why;
	ck_assert(!relay_hub_is_up(h));
	aways++;
}

static void on_drained(struct relay_hub *h)
{
	(void)h;
}

static const struct relay_hub_ops ops = {
	.settled = on_settled,
	.message = on_message,
	.sent = on_sent,
	.up = on_up,
	.restored = on_restored,
	.away = on_away,
	.drained = on_drained,
};

/* --- beginnings ---------------------------------------------------------------------------- */

static void setup(void)
{
	struct connector_server server = { .host = "127.0.0.1" };

	log_set_level(LOG_SILENT);
	loop_up(STEP, broker_serve, NULL);
	server.port = broker_up();
	ups = aways = restorations = 0;
	story[0] = '\0';
	holds = false;
	stomp_frame_init(&scratch);
	ck_assert_int_eq(
	    relay_hub_init(&hub, loop, resolver, &settings, &server, 1, &ops, &scratch), 0);
}

static void teardown(void)
{
	relay_hub_fini(&hub);
	turns(2);
	broker_down();
	stomp_frame_fini(&scratch);
	loop_down();
}

static void log_in(void)
{
	unsigned before = ups;

	for (int i = 0; i < 500 && !has_heard("CONNECT\n"); i++)
		turn();
	ck_assert(has_heard("CONNECT\n"));
	tell_hub("CONNECTED\nversion:1.2\n\n@");
	wait_for(&ups, before + 1);
}

static void come_up(void)
{
	relay_hub_start(&hub);
	log_in();
}

static int join(unsigned member, uint32_t serial, const char *name)
{
	char there[300];

	snprintf(there, sizeof(there), "/topic/%s", name);
	return relay_hub_join(
	    &hub, member, serial, bytes_of(name), bytes_of(there), (struct bytes){ "", 0 });
}

static void tell(const char *expected)
{
	ck_assert_str_eq(story, expected);
	story[0] = '\0';
}

/* --- topics ---------------------------------------------------------------------------------- */

START_TEST(a_topic_is_subscribed_once_for_all_who_join)
{
	come_up();
	ck_assert_int_eq(join(0, 1, "a"), 0);
	ck_assert_int_eq(join(1, 2, "a"), 0);
	turns(2);
	ck_assert_uint_eq(count_heard("SUBSCRIBE\n"), 1);
	ck_assert(has_heard("id:1\nreceipt:s1\nack:auto\ndestination:/topic/a\n"));
	tell("");
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@");
	tell("settled a/0/1;settled a/1/2;");
	ck_assert_int_eq(join(2, 3, "a"), 0);
	tell("settled a/2/3;");
	tell_hub("MESSAGE\nsubscription:1\n\nhi@MESSAGE\nsubscription:7\n\nnobody@");
	tell("a=hi;");
}
END_TEST

START_TEST(a_topic_lingers_and_comes_back_or_ends)
{
	come_up();
	join(0, 1, "a");
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@");
	relay_hub_leave(&hub, 0, BYTES("a"));
	relay_hub_leave(&hub, 1, BYTES("a")); /* who has not joined */
	turns(LINGER / STEP - 5);
	join(1, 2, "a");
	tell("settled a/0/1;settled a/1/2;");
	turns(2 * LINGER / STEP);
	ck_assert(!has_heard("UNSUBSCRIBE"));
	relay_hub_leave(&hub, 1, BYTES("a"));
	tell_hub("MESSAGE\nsubscription:1\n\nlate@");
	turns(2 * LINGER / STEP);
	ck_assert(has_heard("UNSUBSCRIBE\nid:1\n"));
	tell("");
	ck_assert_uint_eq(relay_hub_topics(&hub), 0);
	join(0, 3, "a");
	turns(2);
	ck_assert(has_heard("id:2\nreceipt:s2\n"));
}
END_TEST

/* Each may cost the broker a lot. */
START_TEST(few_topics_linger)
{
	char name[20];

	come_up();
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		ck_assert_int_eq(join(0, 1, name), 0);
		if (i % 100 == 99) /* there is time for so many in a turn */
			turn();
	}
	turns(10);
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		relay_hub_leave(&hub, 0, bytes_of(name));
	}
	turns(10);
	ck_assert_uint_eq(relay_hub_topics(&hub), 1000);
	ck_assert_uint_eq(count_heard("UNSUBSCRIBE\n"), 500);
	turns(2 * LINGER / STEP);
	ck_assert_uint_eq(relay_hub_topics(&hub), 0);
	ck_assert_uint_eq(count_heard("\nUNSUBSCRIBE\n") + count_heard("@UNSUBSCRIBE\n"), 1500);
}
END_TEST

START_TEST(there_may_be_so_many_topics)
{
	char name[20];

	come_up();
	for (int i = 0; i < TOPICS_MOST; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		ck_assert_int_eq(join(0, 1, name), 0);
	}
	turns(20);
	ck_assert_int_eq(join(0, 1, "more"), -ENOSPC);
	ck_assert_int_eq(join(1, 1, "t7"), 0);
	relay_hub_leave(&hub, 0, BYTES("t1"));
	ck_assert_int_eq(join(0, 1, "more"), 0); /* in place of one that lingers */
	turns(50);
	ck_assert_uint_eq(relay_hub_topics(&hub), TOPICS_MOST);
	ck_assert_uint_eq(count_heard("receipt:s"), TOPICS_MOST + 1);
}
END_TEST

/* In RabbitMQ's way, and in ActiveMQ's. */
START_TEST(a_topic_that_is_refused_is_not_asked_for_again_at_once)
{
	come_up();
	join(0, 1, "a");
	join(0, 2, "b");
	join(1, 3, "a");
	tell_hub(_i ? "ERROR\nmessage:no\nreceipt-id:s1\n\n@" : "ERROR\nmessage:no\n\n@RECEIPT\nreceipt-id:s1\n\n@");
	tell("refused a/0/1;refused a/1/3;");
	tell_hub("RECEIPT\nreceipt-id:s2\n\n@");
	tell("settled b/0/2;");
	join(2, 4, "a");
	tell("refused a/2/4;");
	relay_hub_leave(&hub, 2, BYTES("a"));
	turns(29000 / STEP);
	join(2, 5, "a");
	tell("refused a/2/5;");
	turns(2000 / STEP);
	join(2, 6, "a");
	turns(2);
	ck_assert_uint_eq(count_heard("destination:/topic/a\n"), 2);
}
END_TEST

/* Long ago, or before something else, it was about something else. */
START_TEST(an_error_is_blamed_on_what_comes_at_once_behind_it)
{
	come_up();
	join(0, 1, "a");
	tell_hub("ERROR\nmessage:no\n\n@");
	turns(200 / STEP);
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@");
	tell("settled a/0/1;");
	join(0, 2, "b");
	tell_hub("ERROR\nmessage:no\n\n@MESSAGE\nsubscription:1\n\nx@RECEIPT\nreceipt-id:s2\n\n@");
	tell("a=x;settled b/0/2;");
}
END_TEST

START_TEST(topics_that_are_refused_make_room_for_others)
{
	char name[20], error[60];

	come_up();
	for (int i = 1; i <= TOPICS_MOST; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		ck_assert_int_eq(join(0, 1, name), 0);
		snprintf(error, sizeof(error), "ERROR\nmessage:no\nreceipt-id:s%d\n\n@", i);
		say(error);
		if (i % 20 == 0) /* they are refused for 30 s */
			turns(2);
		story[0] = '\0';
	}
	turns(10);
	ck_assert_int_eq(join(0, 1, "more"), 0);
	ck_assert_uint_eq(relay_hub_topics(&hub), TOPICS_MOST);
}
END_TEST

START_TEST(what_was_subscribed_is_so_again_and_tells_of_a_gap)
{
	come_up();
	join(0, 1, "a");
	join(0, 2, "b");
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@");
	tell("settled a/0/1;");
	ck_assert_uint_eq(restorations, 1); /* of no topics */
	cut();
	ck_assert_uint_eq(aways, 1);
	join(1, 3, "c");
	log_in();
	turns(3);
	ck_assert_uint_eq(count_heard("SUBSCRIBE\n"), 3);
	ck_assert_uint_eq(restorations, 1);
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@RECEIPT\nreceipt-id:s2\n\n@RECEIPT\nreceipt-id:s3\n\n@");
	ck_assert_uint_eq(restorations, 2);
	tell("settled a/0/1;settled b/0/2;settled c/1/3;");
	tell_hub("MESSAGE\nsubscription:1\n\nx@MESSAGE\nsubscription:1\n\ny@MESSAGE\nsubscription:2\n\nz@");
	tell("a=x+gap;a=y;b=z;");
}
END_TEST

START_TEST(a_topic_that_lingered_is_forgotten_with_its_link)
{
	come_up();
	join(0, 1, "a");
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@");
	relay_hub_leave(&hub, 0, BYTES("a"));
	cut();
	log_in();
	turns(3);
	ck_assert_uint_eq(count_heard("SUBSCRIBE\n"), 0);
	story[0] = '\0';
	join(0, 2, "a");
	turns(3);
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@MESSAGE\nsubscription:1\n\nx@");
	tell("settled a/0/2;a=x;");
	turns(2 * LINGER / STEP);
	ck_assert(!has_heard("UNSUBSCRIBE"));
}
END_TEST

START_TEST(an_older_version_is_not_for_this)
{
	relay_hub_start(&hub);
	for (int i = 0; i < 500 && !has_heard("CONNECT\n"); i++)
		turn();
	tell_hub("CONNECTED\nversion:1.1\n\n@");
	turns(5);
	ck_assert_uint_eq(ups, 0);
	ck_assert(!relay_hub_is_up(&hub));
}
END_TEST

/* --- streams ---------------------------------------------------------------------------------- */

static void join_stream(void)
{
	relay_hub_join(
	    &hub, 0, 1, BYTES("a"), BYTES("/topic/a"), BYTES("kept.a"));
	turns(2);
	ck_assert(has_heard("x-queue-type:stream\n"));
	ck_assert(has_heard("x-queue-name:kept.a\nx-stream-offset:next\n"));
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@");
	tell("settled a/0/1;");
}

static void say_offset(unsigned offset)
{
	char text[100];

	snprintf(text, sizeof(text), "MESSAGE\nsubscription:1\nack:k%u\nx-stream-offset:%u\n\n%u@", offset, offset, offset);
	tell_hub(text);
}

START_TEST(a_stream_goes_on_where_it_was)
{
	come_up();
	join_stream();
	say_offset(7);
	say_offset(8);
	tell("a=7;a=8;");
	cut();
	log_in();
	turns(3);
	ck_assert(has_heard("x-stream-offset:offset=9\n"));
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@");
	tell("settled a/0/1;");
	say_offset(8); /* its chunk begins earlier */
	say_offset(9);
	tell("a=9;");
	say_offset(12); /* it has dropped some */
	tell("a=12+gap;");
}
END_TEST

START_TEST(a_stream_is_acknowledged_now_and_then)
{
	come_up();
	join_stream();
	for (unsigned i = 0; i < 500; i++)
		say_offset(i);
	ck_assert_uint_eq(count_heard("ACK\n"), 2);
	ck_assert(has_heard("ACK\nid:k249\n"));
	ck_assert(has_heard("ACK\nid:k499\n"));
}
END_TEST

/* As when one message of it is more than the link can take. */
START_TEST(a_stream_that_leads_nowhere_is_passed_over)
{
	come_up();
	join_stream();
	say_offset(7);
	tell("a=7;");
	for (int i = 0; i < 10; i++) {
		cut();
		log_in();
		turns(3);
		ck_assert(has_heard("x-stream-offset:offset=8\n"));
		turns(2500 / STEP);
	}
	cut();
	log_in();
	turns(3);
	ck_assert(has_heard("x-stream-offset:next\n"));
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@");
	story[0] = '\0';
	say_offset(20);
	tell("a=20+gap;");
}
END_TEST

START_TEST(a_stream_that_is_not_there_yet_is_asked_for_again)
{
	come_up();
	join_stream();
	cut();
	log_in();
	turns(3);
	tell_hub("ERROR\nmessage:not_found\n\nNOT_FOUND - home node is down@RECEIPT\nreceipt-id:s1\n\n@");
	tell("");
	cut();
	log_in();
	turns(3);
	tell_hub("RECEIPT\nreceipt-id:s1\n\n@");
	tell("settled a/0/1;");
}
END_TEST

/* --- messages ----------------------------------------------------------------------------------- */

static void send_one(unsigned member, uint64_t number, const char *body)
{
	char rest[200];
	int n = snprintf(rest, sizeof(rest), "destination:/topic/a\n\n%s", body);

	ck_assert_int_eq(relay_hub_send(&hub, member, number, (struct bytes){ rest, (size_t)n + 1 }), 0);
}

START_TEST(receipts_go_to_whom_they_belong)
{
	come_up();
	send_one(0, 10, "one");
	send_one(1, 0, "two");
	send_one(2, 10, "three");
	send_one(0, 11, "four");
	turns(2);
	ck_assert(has_heard("SEND\nreceipt:r1\ndestination:/topic/a\n\none@SEND\ndestination:/topic/a\n\ntwo@SEND\nreceipt:r2\n"));
	tell_hub("RECEIPT\nreceipt-id:r2\n\n@RECEIPT\nreceipt-id:r2\n\n@RECEIPT\nreceipt-id:r1\n\n@");
	tell("sent 2/10;sent 0/10;");
	tell_hub("RECEIPT\nreceipt-id:r9\n\n@RECEIPT\nreceipt-id:r\n\n@RECEIPT\nreceipt-id:x\n\n@RECEIPT\n\n@"
	    "RECEIPT\nreceipt-id:r99999999999999999999\n\n@");
	tell("");
	tell_hub("ERROR\nmessage:no\nreceipt-id:r3\n\n@");
	tell("unsent 0/11;");
}
END_TEST

START_TEST(many_receipts_are_awaited)
{
	char text[60];

	come_up();
	for (unsigned i = 1; i <= 5000; i++)
		send_one(0, i, "x");
	turns(5);
	for (unsigned i = 1; i <= 5000; i += 2) { /* every other one is lost */
		snprintf(text, sizeof(text), "RECEIPT\nreceipt-id:r%u\n\n@", i);
		ck_assert_int_gt(send(peer, text, strlen(text) - 1, MSG_NOSIGNAL), 0);
		ck_assert_int_gt(send(peer, "", 1, MSG_NOSIGNAL), 0);
		story[0] = '\0';
		if (i % 100 == 1)
			turns(2);
	}
	turns(5);
	ck_assert_uint_le(hub.unanswered_count, 2002); /* who is overtaken so often is given up */
	cut();
	ck_assert_uint_eq(hub.lost, 2500);
	ck_assert_uint_eq(hub.unanswered_count, 0);
}
END_TEST

START_TEST(messages_wait_for_a_link_and_for_topics)
{
	holds = true;
	send_one(0, 1, "early");
	ck_assert_uint_gt(relay_hub_queued(&hub), 0);
	join(0, 1, "a");
	come_up();
	send_one(0, 2, "later");
	turns(5);
	ck_assert(has_heard("SUBSCRIBE\n"));
	ck_assert(!has_heard("SEND\n"));
	relay_hub_release(&hub);
	turns(3);
	ck_assert(has_heard("early@SEND\nreceipt:r2\ndestination:/topic/a\n\nlater@"));
	ck_assert_uint_eq(relay_hub_queued(&hub), 0);
	cut();
	tell("unsent 0/1;unsent 0/2;");
	send_one(0, 3, "again");
	log_in();
	relay_hub_release(&hub);
	turns(3);
	ck_assert(!has_heard("early"));
	ck_assert(has_heard("receipt:r3\ndestination:/topic/a\n\nagain@"));
}
END_TEST

/* --- memory -------------------------------------------------------------------------------------- */

START_TEST(without_memory_nothing_is_half_done)
{
	come_up();
	for (unsigned long nth = 1; nth < 30; nth++) {
		char name[20];
		int err;

		snprintf(name, sizeof(name), "m%lu", nth);
		mem_fail_at(nth);
		err = join(0, 1, name);
		mem_fail_at(0);
		ck_assert(err == 0 || err == -ENOMEM);
		mem_fail_at(nth);
		err = relay_hub_send(&hub, 0, nth, (struct bytes){ "\n", 2 });
		mem_fail_at(0);
		ck_assert(err == 0 || err == -ENOMEM);
		relay_hub_leave(&hub, 0, bytes_of(name));
		turns(2);
	}
	ck_assert_uint_eq(count_heard("SEND\n"), hub.messages_out);
	cut();
	log_in();
	turns(3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("relay_hub");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_topic_is_subscribed_once_for_all_who_join);
	tcase_add_test(tc, a_topic_lingers_and_comes_back_or_ends);
	tcase_add_test(tc, few_topics_linger);
	tcase_add_test(tc, there_may_be_so_many_topics);
	tcase_add_loop_test(tc, a_topic_that_is_refused_is_not_asked_for_again_at_once, 0, 2);
	tcase_add_test(tc, an_error_is_blamed_on_what_comes_at_once_behind_it);
	tcase_add_test(tc, topics_that_are_refused_make_room_for_others);
	tcase_add_test(tc, what_was_subscribed_is_so_again_and_tells_of_a_gap);
	tcase_add_test(tc, a_topic_that_lingered_is_forgotten_with_its_link);
	tcase_add_test(tc, an_older_version_is_not_for_this);
	tcase_add_test(tc, a_stream_goes_on_where_it_was);
	tcase_add_test(tc, a_stream_is_acknowledged_now_and_then);
	tcase_add_test(tc, a_stream_that_leads_nowhere_is_passed_over);
	tcase_add_test(tc, a_stream_that_is_not_there_yet_is_asked_for_again);
	tcase_add_test(tc, receipts_go_to_whom_they_belong);
	tcase_add_test(tc, many_receipts_are_awaited);
	tcase_add_test(tc, messages_wait_for_a_link_and_for_topics);
	tcase_add_test(tc, without_memory_nothing_is_half_done);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
