/*
 * tests/unit/test_stomp_peer.c - a STOMP client of ours without a wire: what it says, and what it makes of
 * what its server says.
 */
#include "stomp/stomp_peer.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct stomp_peer peer;
static struct stomp_frame scratch;
static const struct stomp_limits limits = { 20, 400, 2000, 5000 };
static const struct stomp_login login = { .host = "/",
	.login = "a:b",
	.passcode = "c\\d",
	.send_heart_beat_ms = 1000,
	.receive_heart_beat_ms = 2000 };
static char said[2048], story[1024]; /* what was written, NUL as '@'; what the owner was told */

static void tell(const char *text, const char *more, size_t n)
{
	size_t at = strlen(story);

	snprintf(story + at, sizeof(story) - at, "%s%.*s;", text, (int)n, more ? more : "");
}

static void on_write(struct stomp_peer *p, const char *octets, size_t n)
{
	size_t at = strlen(said);

	(void)p;
	ck_assert_uint_lt(at + n + 1, sizeof(said));
	for (size_t i = 0; i < n; i++)
		said[at + i] = octets[i] ? octets[i] : '@';
	said[at + n] = '\0';
}

static void on_connected(struct stomp_peer *p, const struct stomp_frame *f)
{
	struct bytes session = stomp_header_get(f, "session");

	(void)p;
	tell("connected ", session.p, session.n);
}

static void on_frame(struct stomp_peer *p, const struct stomp_frame *f)
{
	struct bytes x = stomp_header_get(f, "x");

	(void)p;
	tell(stomp_command_name(f->command), f->body.p, f->body.n);
	if (x.p)
		tell("x=", x.p, x.n);
}

static void on_failed(struct stomp_peer *p, const char *why)
{
	(void)p;
	tell("failed: ", why, strlen(why));
}

static bool late;

static bool is_late(struct stomp_peer *p)
{
	(void)p;
	return late;
}

static const struct stomp_peer_ops ops = { on_write, on_connected, on_frame, on_failed, is_late };

static void setup(void)
{
	stomp_frame_init(&scratch);
	stomp_peer_init(&peer, &ops, &limits);
	said[0] = story[0] = '\0';
	late = false;
}

static void teardown(void)
{
	stomp_peer_fini(&peer);
	stomp_frame_fini(&scratch);
}

/* '@' is NUL. */
static void feed(const char *text)
{
	char octets[2048];
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		octets[i] = text[i] == '@' ? '\0' : text[i];
	stomp_peer_feed(&peer, octets, n, &scratch);
}

static void connect_with(const char *connected)
{
	ck_assert_int_eq(stomp_peer_connect(&peer, &login), 0);
	said[0] = '\0';
	feed(connected);
}

START_TEST(connect_says_what_the_login_has)
{
	stomp_peer_connect(&peer, &login);
	ck_assert_str_eq(said, "CONNECT\naccept-version:1.0,1.1,1.2\nheart-beat:1000,2000\nhost:/\n"
	                       "login:a:b\npasscode:c\\d\n\n@");
}
END_TEST

START_TEST(who_unescapes_connect_gets_it_escaped)
{
	struct stomp_login escaped = login;

	escaped.is_unescaped = true;
	escaped.host = NULL;
	stomp_peer_connect(&peer, &escaped);
	ck_assert_ptr_nonnull(strstr(said, "\nlogin:a\\cb\npasscode:c\\\\d\n"));
	ck_assert_ptr_null(strstr(said, "host"));
}
END_TEST

START_TEST(no_line_can_be_smuggled_into_connect)
{
	stomp_peer_connect(&peer, &(struct stomp_login){ .login = "a\nhost:evil" });
	ck_assert_ptr_nonnull(strstr(said, "\nlogin:a host:evil\n"));
}
END_TEST

START_TEST(version_and_heart_beats_are_agreed_on)
{
	connect_with("CONNECTED\nversion:1.2\nheart-beat:3000,500\nsession:s1\n\n@");
	ck_assert_str_eq(story, "connected s1;");
	ck_assert_int_eq(peer.version, STOMP_1_2);
	ck_assert_uint_eq(peer.send_every_ms, 1000);
	ck_assert_uint_eq(peer.receive_every_ms, 3000);
}
END_TEST

START_TEST(a_server_of_1_0_has_no_heart_beats)
{
	connect_with("CONNECTED\nsession:s1\nheart-beat:10,10\n\n@");
	ck_assert_int_eq(peer.version, STOMP_1_0);
	ck_assert_uint_eq(peer.send_every_ms, 0);
	ck_assert_uint_eq(stomp_peer_beat(&peer, 99999999, 99999999), 0);
}
END_TEST

START_TEST(a_refusal_is_told_with_its_sentence)
{
	connect_with("ERROR\nmessage:Bad CONNECT\n\nAccess\nrefused@MESSAGE\n\n@");
	ck_assert_str_eq(story, "failed: CONNECT was refused: Bad CONNECT: Access refused;");
}
END_TEST

START_TEST(frames_come_in_pieces_and_with_beats_between)
{
	const char *text = "CONNECTED\nversion:1.2\n\n@\n\nMESSAGE\nx:a\\cb\ncontent-length:3\n\nq\nq@\r\n"
	                   "RECEIPT\nreceipt-id:1\n\n@ERROR\n\nwhy@";

	ck_assert_int_eq(stomp_peer_connect(&peer, &login), 0);
	for (; *text; text++)
		feed((char[2]){ *text, '\0' });
	ck_assert_str_eq(story, "connected ;MESSAGEq\nq;x=a:b;RECEIPT;ERRORwhy;");
	ck_assert_int_eq(peer.state, STOMP_PEER_OPEN);
}
END_TEST

START_TEST(when_it_is_others_turn_the_rest_is_its_owners)
{
	static const char two[] = "RECEIPT\n\n\0RECEIPT\n\n";

	connect_with("CONNECTED\nversion:1.2\n\n@");
	late = true;
	ck_assert_uint_eq(stomp_peer_feed(&peer, two, sizeof(two), &scratch), sizeof(two) / 2);
	ck_assert_str_eq(story, "connected ;RECEIPT;");
	ck_assert_uint_eq(stomp_peer_feed(&peer, two, sizeof(two) / 2, &scratch), sizeof(two) / 2);
	ck_assert_str_eq(story, "connected ;RECEIPT;RECEIPT;");
}
END_TEST

START_TEST(an_odd_header_does_no_harm)
{
	connect_with("CONNECTED\nversion:1.2\n\n@MESSAGE\nx:a\\qb\\\nz:\xff\\n\n\n1@MESSAGE\nx:\\\\\\c\\\n\n2@");
	ck_assert_str_eq(story, "connected ;MESSAGE1;x=a\\qb\\;MESSAGE2;x=\\:\\;");
}
END_TEST

START_TEST(what_is_no_stomp_is_the_end)
{
	connect_with("HTTP/1.1 400 Bad Request\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(story, "failed: what came is no STOMP: "));
	story[0] = '\0';
	feed("CONNECTED\n\n@");
	ck_assert_str_eq(story, "");
}
END_TEST

START_TEST(what_is_out_of_place_is_the_end)
{
	static const char *const odd[] = { "MESSAGE\n\n@", "CONNECTED\nversion:1.3\n\n@",
		"CONNECTED\nversion:1.2\nheart-beat:1\n\n@", "CONNECTED\n\n@CONNECTED\n\n@",
		"CONNECTED\n\n@SEND\ndestination:/a\n\n@" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		teardown();
		setup();
		connect_with(odd[i]);
		ck_assert_msg(strstr(story, "failed: "), "%s: %s", odd[i], story);
		ck_assert_int_eq(peer.state, STOMP_PEER_ENDED);
	}
}
END_TEST

START_TEST(a_silent_server_is_dead_after_two_intervals)
{
	connect_with("CONNECTED\nversion:1.1\nheart-beat:2000,0\n\n@");
	ck_assert_uint_eq(stomp_peer_beat(&peer, 100, 0), 3900);
	ck_assert_uint_eq(stomp_peer_beat(&peer, 3999, 0), 1);
	ck_assert_uint_eq(stomp_peer_beat(&peer, 4000, 0), 0);
	ck_assert_ptr_nonnull(strstr(story, "failed: nothing came"));
}
END_TEST

START_TEST(our_beats_come_a_little_early)
{
	connect_with("CONNECTED\nversion:1.1\nheart-beat:0,2000\n\n@");
	ck_assert_uint_eq(stomp_peer_beat(&peer, 9999999, 100), 1700);
	ck_assert_str_eq(said, "");
	ck_assert_uint_eq(stomp_peer_beat(&peer, 9999999, 1800), 1800);
	ck_assert_str_eq(said, "\n");
}
END_TEST

START_TEST(nothing_is_told_after_the_end)
{
	connect_with("CONNECTED\nversion:1.2\nheart-beat:10,10\n\n@");
	story[0] = '\0';
	stomp_peer_end(&peer);
	feed("MESSAGE\n\n@");
	ck_assert_uint_eq(stomp_peer_beat(&peer, 99999, 99999), 0);
	ck_assert_str_eq(story, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stomp_peer");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, connect_says_what_the_login_has);
	tcase_add_test(tc, who_unescapes_connect_gets_it_escaped);
	tcase_add_test(tc, no_line_can_be_smuggled_into_connect);
	tcase_add_test(tc, version_and_heart_beats_are_agreed_on);
	tcase_add_test(tc, a_server_of_1_0_has_no_heart_beats);
	tcase_add_test(tc, a_refusal_is_told_with_its_sentence);
	tcase_add_test(tc, frames_come_in_pieces_and_with_beats_between);
	tcase_add_test(tc, when_it_is_others_turn_the_rest_is_its_owners);
	tcase_add_test(tc, an_odd_header_does_no_harm);
	tcase_add_test(tc, what_is_no_stomp_is_the_end);
	tcase_add_test(tc, what_is_out_of_place_is_the_end);
	tcase_add_test(tc, a_silent_server_is_dead_after_two_intervals);
	tcase_add_test(tc, our_beats_come_a_little_early);
	tcase_add_test(tc, nothing_is_told_after_the_end);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
