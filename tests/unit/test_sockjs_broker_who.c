/*
 * tests/unit/test_sockjs_broker_who.c - who a client is by the application's word, and that the
 * application hears of its end, whatever it was waiting for.
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

/* --- who it is --------------------------------------------------------------- */

static const char *const closed[] = { "stomp.access",
	"[{\"destination\":\"/topic/{claim.team}/*\",\"subscribe\":{\"roles\":[\"editor\"]}}]",
	"stomp.users",
	"[{\"login\":\"bob\",\"password\":\"$pbkdf2-sha256$i=1000$c2FsdHNhbHQ$"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]",
	"stomp.anonymous", "false", NULL };

START_TEST(access_rules_see_the_roles_and_claims_that_the_application_gives)
{
	static const char *const roles[] = { "writer", "editor" };
	static const struct sockjs_identity who = {
		.user = "ann", .roles = roles, .role_count = 2, .claims = "{\"team\":\"red\"}"
	};

	start(AUTHENTICATE, closed);
	come(&a, "login:ann\npasscode:known elsewhere\n");
	hear("[authenticate ann known elsewhere]");
	ck_assert_int_eq(GIVE(.who = &who), 0);
	expect_frame(&a, "CONNECTED\n");
	hear("[connect ann][connected ann]");
	subscribe(&a, "1", "/topic/red/x");
	say(&a, "SUBSCRIBE\nid:2\ndestination:/topic/blue/x\n\n@");
	raw_expect(&a, "ERROR\nmessage:Access denied\n");
}
END_TEST

START_TEST(without_a_name_it_is_as_if_nobody_had_been_asked)
{
	start(_i ? AUTHENTICATE : 0, closed);
	come(&a, "login:bob\npasscode:wrong\n");
	if (_i) {
		hear("[authenticate bob wrong]");
		ck_assert_int_eq(GIVE(.who = &(struct sockjs_identity){ .user = "" }), 0);
	}
	raw_expect(&a, "ERROR\nmessage:Not authenticated\ncode:4620\n");
	raw_close(&a);
	/* Where nobody is waited for, one follows the other at once */
	hear(_i ? "[gone 4620 -]" : "[authenticate bob wrong][gone 4620 -]");
}
END_TEST

static int refuse_all(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)c, (void)p, (void)arg;
	tell("[asked]");
	return -EACCES;
}

START_TEST(who_was_refused_too_often_is_not_asked_about_again)
{
	static const struct sockjs_broker_hooks hooks = { .authenticate = refuse_all };
	static const char *const options[] = { "stomp.max_failures_per_minute", "2", NULL };

	prepare(options);
	sockjs_broker_set_hooks(broker, &hooks, NULL);
	run(NULL);
	for (int i = 0; i < 2; i++) {
		come(&a, "");
		raw_expect(&a, "ERROR\nmessage:Not authenticated\ncode:4620\n");
		raw_close(&a);
		hear("[asked]");
	}
	come(&a, "");
	raw_expect(&a, "ERROR\nmessage:Too many failures\ncode:4622\n");
	hear("");
}
END_TEST

START_TEST(a_session_ends_with_the_identity_that_the_application_gave_it)
{
	const struct sockjs_identity who = { .user = "ann",
		.expires_at = (unsigned long long)time(NULL) + 2 };

	start(CONNECT, NULL);
	come(&a, "");
	hear("[authenticate - -][connect ]");
	ck_assert_int_eq(GIVE(.who = &who), 0);
	expect_frame(&a, "CONNECTED\n");
	raw_expect(&a, "ERROR\nmessage:Token expired\ncode:4621\n");
	raw_close(&a);
	hear("[connected ann][disconnected 4621 Token expired][gone 4621 -]");
	come(&a, ""); /* and one that is over already does not begin */
	hear("[authenticate - -][connect ]");
	ck_assert_int_eq(
	    GIVE(.who = &(struct sockjs_identity){ .user = "ann", .expires_at = 1 }), 0);
	raw_expect(&a, "ERROR\nmessage:Token expired\ncode:4621\n");
	raw_close(&a);
	hear("[gone 4621 -]");
}
END_TEST

static int check_names(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	static const char *const roles[] = { "editor", NULL };
	static char longest[300];
	struct sockjs_identity who = { .user = longest };

	(void)p, (void)arg;
	memset(longest, 'x', sizeof(longest) - 1);
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EINVAL);
	who.user = NULL;
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EINVAL);
	who.user = "ann";
	who.claims = "[1]";
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EINVAL);
	who.claims = "{";
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EINVAL);
	who.claims = "{}";
	who.roles = roles;
	who.role_count = 2;
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EINVAL);
	who.role_count = 1;
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), 0);
	ck_assert_int_eq(sockjs_client_set_user(c, "eve"), 0); /* the roles stay */
	ck_assert(sockjs_client_has_role(c, "editor"));
	return 0;
}

static int check_too_late(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	struct sockjs_identity who = { .user = "eve" };

	(void)p, (void)arg;
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EBUSY);
	tell("[incoming %s]", sockjs_client_user(c));
	return 0;
}

START_TEST(an_identity_is_checked_and_given_only_where_it_is_asked_for)
{
	static const struct sockjs_broker_hooks hooks = { .connect = check_names,
		.incoming = check_too_late };

	start_with_hooks(&hooks);
	come_in(&a, "");
	say(&a, "SEND\ndestination:/topic/x\n\nx@");
	hear("[incoming eve]");
}
END_TEST

/* --- the end of those who wait ----------------------------------------------- */

START_TEST(who_leaves_while_it_waits_is_gone_once_and_needs_no_decision)
{
	unsigned about = _i ? CONNECT : AUTHENTICATE;

	start(about, NULL);
	come(&a, "");
	hear_of(questions[about]);
	raw_reset(&a);
	raw_close(&a);
	hear("[gone 1002 -]");
	ck_assert_int_eq(GIVE(.status = 0), -EPIPE);
}
END_TEST

START_TEST(who_leaves_amid_a_frame_has_been_connected)
{
	start(SUBSCRIBE, NULL);
	come_in(&a, "");
	say(&a, "SUBSCRIBE\nid:1\ndestination:/topic/x\n\n@");
	hear("[authenticate - -][connect ][connected ][subscribe /topic/x 1]");
	raw_reset(&a);
	raw_close(&a);
	hear("[disconnected 1002 Connection interrupted][gone 1002 -]");
	ck_assert_int_eq(GIVE(.status = 0), -EPIPE);
}
END_TEST

static void send_home(struct sockjs_session *s, void *arg)
{
	(void)s;
	sockjs_client_disconnect(guests[0].c, "Go home.");
	*(atomic_bool *)arg = true;
}

START_TEST(who_is_sent_away_while_it_waits_needs_no_decision)
{
	static atomic_bool sent;

	start(INCOMING, NULL);
	come_in(&a, "");
	say(&a, "SEND\ndestination:/topic/x\n\nx@");
	hear("[authenticate - -][connect ][connected ][incoming /topic/x x]");
	sent = false;
	ck_assert_int_eq(sockjs_ref_call(guests[0].ref, send_home, &sent), 0);
	raw_expect(&a, "Go home.");
	ck_assert_int_ne(GIVE(.status = 0), 0);
	raw_close(&a);
	hear("[disconnected 4624 Disconnected by the operator][gone 4624 -]");
}
END_TEST

static int name_ann(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	return sockjs_client_set_user(c, "ann");
}

START_TEST(a_takeover_ends_one_that_waits)
{
	static const struct sockjs_broker_hooks hooks = { .authenticate = name_ann,
		.incoming = on_incoming,
		.disconnected = on_disconnected,
		.gone = on_gone };

	slow = INCOMING;
	start_with_hooks(&hooks);
	come_in(&a, "client-id:tab\n");
	say(&a, "SEND\ndestination:/topic/x\n\nx@");
	hear("[incoming /topic/x x]");
	come_in(&b, "client-id:tab\n");
	raw_expect(&a, "ERROR\nmessage:Replaced by a newer connection\ncode:4623\n");
	ck_assert_int_ne(GIVE(.status = 0), 0);
	raw_close(&a);
	hear("[disconnected 4623 Replaced by a newer connection][gone 4623 -]");
}
END_TEST

START_TEST(a_server_that_stops_waits_for_nobodys_word)
{
	static const unsigned stages[] = { AUTHENTICATE, CONNECT, INCOMING };

	start(stages[_i], NULL);
	come(&a, "");
	say(&a, "SEND\ndestination:/topic/x\n\nx@");
	hear_of(questions[stages[_i]]);
	sockjs_server_stop(gateway.server);
	raw_expect_end(&a);
	gateway_wait(&gateway);
	hear_of("[gone 1001 ");
}
END_TEST

static int keep_data(struct sockjs_handshake *h, struct sockjs_client *c, void *arg)
{
	(void)arg;
	ck_assert_ptr_null(sockjs_client_data(c));
	sockjs_client_set_data(c, (void *)(uintptr_t) "kept");
	tell("[handshake]");
	return *sockjs_handshake_query(h) ? 403 : 0;
}

START_TEST(everybody_whom_the_application_has_heard_of_is_gone_once)
{
	static const struct sockjs_broker_hooks hooks = { .handshake = keep_data, .gone = on_gone };
	static const char *const options[] = { "stomp.connect_timeout_ms", "100", NULL };

	prepare(options);
	sockjs_broker_set_hooks(broker, &hooks, NULL);
	run(NULL);
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/stomp/websocket?refused", "");
	raw_expect(&a, "HTTP/1.1 403 ");
	hear("[handshake][gone 0 kept]");
	raw_close(&a);
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/stomp");
	raw_expect(&a, "No CONNECT frame came.");
	raw_close(&a);
	hear("[handshake][gone 4602 kept]");
	come_in(&a, "");
	raw_ws_close(&a, 3333, "tired");
	raw_close(&a);
	hear("[handshake][gone 3333 kept]");
}
END_TEST

START_TEST(who_was_never_asked_about_is_not_gone)
{
	static const struct sockjs_broker_hooks hooks = { .incoming = on_incoming,
		.gone = on_gone };

	slow = 0;
	start_with_hooks(&hooks);
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/stomp");
	say(&a, "SEND\ndestination:/topic/x\n\n@");
	raw_expect(&a, "ERROR\nmessage:Not connected\n");
	raw_close(&a);
	come_in(&b, "");
	raw_ws_close(&b, 1000, "");
	raw_close(&b);
	hear("[gone 1000 -]");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sockjs_broker_who");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, end);
	tcase_add_test(tc, access_rules_see_the_roles_and_claims_that_the_application_gives);
	tcase_add_loop_test(tc, without_a_name_it_is_as_if_nobody_had_been_asked, 0, 2);
	tcase_add_test(tc, who_was_refused_too_often_is_not_asked_about_again);
	tcase_add_test(tc, a_session_ends_with_the_identity_that_the_application_gave_it);
	tcase_add_test(tc, an_identity_is_checked_and_given_only_where_it_is_asked_for);
	tcase_add_loop_test(tc, who_leaves_while_it_waits_is_gone_once_and_needs_no_decision, 0, 2);
	tcase_add_test(tc, who_leaves_amid_a_frame_has_been_connected);
	tcase_add_test(tc, who_is_sent_away_while_it_waits_needs_no_decision);
	tcase_add_test(tc, a_takeover_ends_one_that_waits);
	tcase_add_loop_test(tc, a_server_that_stops_waits_for_nobodys_word, 0, 3);
	tcase_add_test(tc, everybody_whom_the_application_has_heard_of_is_gone_once);
	tcase_add_test(tc, who_was_never_asked_about_is_not_gone);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
