/*
 * tests/unit/test_sockjs_refs.c - what sockjs.h promises of references, which other threads
 * hold, of groups, and of calls that come later.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sockjs_fixture.h"

/* --- from other threads ----------------------------------------------------------- */

static void tell_whether_over(struct sockjs_session *s, void *arg)
{
	tell("[%s %s]", s ? "session" : "over", (char *)arg);
}

START_TEST(another_thread_sends_calls_and_closes_in_order)
{
	static char first[] = "1", second[] = "2";

	start();
	open_raw(&a);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(sockjs_ref_send(last, &"0123456789"[i % 10], 1), 0);
	in_reactor(tell_whether_over, first);
	sockjs_ref_call(last, tell_whether_over, second);
	ck_assert_int_eq(sockjs_ref_close(last, 4321, "from afar"), 0);
	for (int i = 0; i < 100; i++)
		raw_ws_expect(&a, 1, &"0123456789"[i % 10], 1);
	raw_ws_expect_close(&a, 4321, "from afar");
	hear("[session 1][session 2][close 4321 from afar]");
}
END_TEST

START_TEST(a_reference_to_a_session_that_is_over_says_so)
{
	static char word[] = "now";
	struct sockjs_ref *ref;

	start();
	open_raw(&a);
	ref = last;
	last = NULL;
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	ck_assert_int_eq(sockjs_ref_send(ref, "x", 1), -EPIPE);
	ck_assert_int_eq(sockjs_ref_close(ref, 1000, NULL), -EPIPE);
	ck_assert_int_eq(sockjs_ref_call(ref, tell_whether_over, word), 0);
	hear("[over now]");
	sockjs_ref_free(ref);
}
END_TEST

static struct sockjs_ref *of_the_dead;

static void refer_to_it(struct sockjs_session *s)
{
	of_the_dead = sockjs_session_ref(s);
}

/* An application that has no reference until then, for the first is made anew. */
static void open_without_reference(struct sockjs_session *s, void *arg)
{
	(void)s, (void)arg;
	tell("[open]");
}

START_TEST(a_reference_taken_in_the_close_callback_is_over)
{
	struct sockjs_callbacks bare = telling_app;
	static char word[] = "already";

	bare.open = open_without_reference;
	react.close = refer_to_it;
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &bare, app_arg, usual);
	gateway_start(&gateway);
	open_raw(&a);
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	usleep(20000); /* its memory is gone */
	sockjs_ref_send(of_the_dead, "x", 1);
	ck_assert_int_eq(sockjs_ref_call(of_the_dead, tell_whether_over, word), 0);
	hear("[over already]");
	ck_assert_int_eq(sockjs_ref_send(of_the_dead, "x", 1), -EPIPE);
	sockjs_ref_free(of_the_dead);
}
END_TEST

START_TEST(a_reference_refuses_what_is_not_text_or_too_long_or_too_much_at_a_time)
{
	static char large[65536 + 1];
	int err = 0, sent = 0;

	memset(large, 'x', sizeof(large));
	start();
	open_raw(&a);
	ck_assert_int_eq(sockjs_ref_send(last, "\xff", 1), -EILSEQ);
	ck_assert_int_eq(sockjs_ref_send(last, large, sizeof(large)), -EMSGSIZE);
	for (; err == 0 && sent < 1000000; sent++)
		err = sockjs_ref_send(last, large, 40000); /* faster than it can be written */
	ck_assert(err == -ENOBUFS || err == -EPIPE);
}
END_TEST

START_TEST(a_message_that_a_reference_took_and_the_session_cannot_closes_it)
{
	static char large[65536];

	memset(large, 'x', sizeof(large));
	start();
	open_raw(&a);
	ck_assert_int_eq(
	    sockjs_ref_send(last, large, sizeof(large)), 0); /* and there is a cost beside it */
	raw_ws_expect_close(&a, 1009, "Message too big");
	hear("[close 1009 Message too big]");
}
END_TEST

START_TEST(references_may_outlive_the_server)
{
	start();
	open_raw(&a);
	sockjs_server_stop(gateway.server);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	ck_assert_int_eq(sockjs_ref_send(last, "x", 1), -EPIPE);
	hear("[close 1001 Going away]");
}
END_TEST

/* --- later ------------------------------------------------------------------------ */

static void tell_later(void *arg)
{
	tell("[later %s]", *(char **)arg);
}

static void tell_done(void *arg)
{
	tell("[done %s]", *(char **)arg);
}

static int call_later(unsigned ms, char *word)
{
	return sockjs_reactor_later(
	    gateway.server, ms, tell_later, tell_done, &word, sizeof(char *));
}

static void call_two(struct sockjs_session *s, void *arg)
{
	static char first[] = "first", second[] = "second";

	(void)s;
	ck_assert_int_eq(call_later(60, second), 0);
	ck_assert_int_eq(call_later(20, first), 0);
	ck_assert_int_eq(call_later(1000000, arg), 0);
}

START_TEST(a_reactor_calls_later_or_says_that_it_ends)
{
	static char never[] = "never";

	start();
	open_raw(&a);
	ck_assert_int_eq(call_later(1, never), -EINVAL); /* not from here */
	in_reactor(call_two, never);
	hear("[later first][done first][later second][done second]");
	sockjs_server_stop(gateway.server);
	sockjs_server_stop(gateway.server);
	gateway_wait(&gateway);
	hear("[close 1001 Going away][done never]");
}
END_TEST

/* --- groups ----------------------------------------------------------------------- */

static struct sockjs_group *group;

static void join(struct sockjs_session *s)
{
	ck_assert_int_eq(sockjs_group_join(group, s), 0);
	ck_assert_int_eq(sockjs_group_join(group, s), -EEXIST);
}

static void leave(struct sockjs_session *s, void *arg)
{
	(void)arg;
	ck_assert_int_eq(sockjs_group_leave(group, s), 0);
	ck_assert_int_eq(sockjs_group_leave(group, s), -ENOENT);
	tell("[left]");
}

static void join_too_late(struct sockjs_session *s)
{
	ck_assert_int_eq(sockjs_group_join(group, s), -EPIPE);
}

START_TEST(a_group_spans_endpoints_and_transports)
{
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &telling_app, app_arg, usual);
	gateway_add(&gateway, "/app/two", &telling_app, app_arg, usual);
	group = sockjs_group_new(gateway.server);
	ck_assert_ptr_nonnull(group);
	ck_assert_int_eq(sockjs_group_send(group, "nobody hears", 12), 0);
	react.open = join;
	gateway_start(&gateway);
	open_raw(&a);
	raw_open(&b, gateway.port);
	raw_ws_open(&b, "/app/two/0/x/websocket");
	raw_ws_expect_text(&b, "o");
	hear("[open]");
	ck_assert_uint_eq(sockjs_group_size(group), 2);
	ck_assert_int_eq(sockjs_group_send(group, "\xff", 1), -EILSEQ);
	ck_assert_int_eq(sockjs_group_send(group, "all", 3), 0);
	raw_ws_expect_text(&a, "all");
	raw_ws_expect_text(&b, "a[\"all\"]");
	in_reactor(leave, NULL); /* b */
	hear("[left]");
	ck_assert_uint_eq(sockjs_group_size(group), 1);
	ck_assert_int_eq(sockjs_group_send(group, "one", 3), 0);
	raw_ws_expect_text(&a, "one");
	raw_expect_silence(&b, 20);
	sockjs_group_free(group);
}
END_TEST

START_TEST(a_session_leaves_its_groups_when_it_closes_and_joins_none_after_that)
{
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &telling_app, app_arg, usual);
	group = sockjs_group_new(gateway.server);
	react.open = join;
	react.close = join_too_late;
	gateway_start(&gateway);
	open_raw(&a);
	raw_close(&a);
	hear("[close 1002 Connection interrupted]");
	ck_assert_uint_eq(sockjs_group_size(group), 0);
	react.close = NULL;
	open_raw(&b); /* the group can go before its members */
	sockjs_group_free(group);
	raw_close(&b);
	hear("[close 1002 Connection interrupted]");
}
END_TEST

static void join_the_wrong_group(struct sockjs_session *s)
{
	ck_assert_int_eq(sockjs_group_join(group, s), -EINVAL);
}

START_TEST(a_group_is_for_the_sessions_of_its_own_server)
{
	struct sockjs_server *other = sockjs_server_new(NULL);

	group = sockjs_group_new(other);
	react.open = join_the_wrong_group;
	start();
	open_raw(&a);
	sockjs_group_free(group);
	sockjs_server_free(other);
}
END_TEST

START_TEST(a_member_that_does_not_read_is_closed_and_the_others_get_everything)
{
	static char text[4096];
	unsigned opcode, n = 0;
	char got[1];

	memset(text, 'g', sizeof(text));
	gateway_init(&gateway, one_thread);
	gateway_add(&gateway, "/app", &telling_app, app_arg, usual);
	group = sockjs_group_new(gateway.server);
	react.open = join;
	gateway_start(&gateway);
	open_raw(&a);
	raw_open_narrow(&b, gateway.port);
	raw_ws_open(&b, "/app/websocket");
	hear("[open]");
	while (sockjs_group_size(group) == 2 && n < 100000) {
		ck_assert_int_eq(sockjs_group_send(group, text, sizeof(text)), 0);
		ck_assert_uint_eq(raw_ws_next(&a, &opcode, got, 1), sizeof(text));
		n++;
	}
	hear("[close 4500 The client reads too slowly]");
	ck_assert_uint_eq(sockjs_group_size(group), 1);
	ck_assert_int_eq(sockjs_group_send(group, "still here", 10), 0);
	raw_ws_expect_text(&a, "still here");
	sockjs_group_free(group);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, another_thread_sends_calls_and_closes_in_order);
	tcase_add_test(tc, a_reference_to_a_session_that_is_over_says_so);
	tcase_add_test(tc, a_reference_taken_in_the_close_callback_is_over);
	tcase_add_test(tc, a_reference_refuses_what_is_not_text_or_too_long_or_too_much_at_a_time);
	tcase_add_test(tc, a_message_that_a_reference_took_and_the_session_cannot_closes_it);
	tcase_add_test(tc, references_may_outlive_the_server);
	tcase_add_test(tc, a_reactor_calls_later_or_says_that_it_ends);
	tcase_add_test(tc, a_group_spans_endpoints_and_transports);
	tcase_add_test(tc, a_session_leaves_its_groups_when_it_closes_and_joins_none_after_that);
	tcase_add_test(tc, a_group_is_for_the_sessions_of_its_own_server);
	tcase_add_test(tc, a_member_that_does_not_read_is_closed_and_the_others_get_everything);
}

int main(void)
{
	return sockjs_tests_run("sockjs_refs", add);
}
