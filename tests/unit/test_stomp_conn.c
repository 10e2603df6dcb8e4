/*
 * tests/unit/test_stomp_conn.c - one STOMP client without a wire: what it is answered, and when it
 * ends.
 *
 * The fake owner accepts at once, unless it is told to wait; frames are told as their command and a
 * header, and refused if their destination is /no.
 */
#include "stomp/stomp_conn.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct stomp_conn conn;
static struct stomp_frame scratch;
static struct stomp_settings settings;
static bool decides_later, is_late;
static char said[8192], story[1024]; /* what was written, NUL as '@'; what the owner was told */
static int ended;                    /* -1: not yet */

static void tell(const char *text, struct bytes more)
{
	size_t n = strlen(story);

	snprintf(story + n, sizeof(story) - n, "%s%.*s;", text, (int)more.n, more.p ? more.p : "");
}

static void on_write(struct stomp_conn *c, const char *p, size_t n)
{
	size_t at = strlen(said);

	(void)c;
	ck_assert_uint_lt(at + n + 1, sizeof(said));
	for (size_t i = 0; i < n; i++)
		said[at + i] = p[i] ? p[i] : '@';
	said[at + n] = '\0';
}

static void on_connect(struct stomp_conn *c, const struct stomp_frame *f)
{
	(void)f;
	tell("connect", (struct bytes){ 0 });
	if (!decides_later)
		stomp_conn_accept(c, BYTES("s1"), BYTES("ann"));
}

static enum stomp_error on_frame(
    struct stomp_conn *c, const struct stomp_frame *f, const char **why)
{
	struct bytes destination = stomp_header_get(f, "destination");

	(void)c;
	tell(stomp_command_name(f->command), destination);
	if (!bytes_equal(destination, BYTES("/no")))
		return STOMP_OK;
	*why = "Not that one.";
	return STOMP_E_FORBIDDEN;
}

static bool on_late(struct stomp_conn *c)
{
	(void)c;
	return is_late;
}

static void on_end(struct stomp_conn *c, enum stomp_error why)
{
	(void)c;
	ck_assert_int_eq(ended, -1);
	ended = (int)why;
}

static const struct stomp_conn_ops ops = {
	.write = on_write,
	.connect = on_connect,
	.frame = on_frame,
	.is_late = on_late,
	.end = on_end,
};

static void setup(void)
{
	memset(&scratch, 0, sizeof(scratch));
	stomp_frame_init(&scratch);
	settings = (struct stomp_settings){
		.ops = &ops,
		.limits = { 64, 1000, 4000, 10000 },
		.send_heart_beat_ms = 10000,
		.receive_heart_beat_ms = 10000,
		.server = "test/1",
	};
	memset(&conn, 0, sizeof(conn));
	stomp_conn_init(&conn, &settings);
	decides_later = is_late = false;
	said[0] = story[0] = '\0';
	ended = -1;
}

static void teardown(void)
{
	stomp_conn_fini(&conn);
	stomp_frame_fini(&scratch);
}

static void again(void)
{
	teardown();
	setup();
}

/* '@' stands for NUL. */
static void feed(const char *text)
{
	char *copy = strdup(text);
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (copy[i] == '@')
			copy[i] = '\0';
	stomp_conn_feed(&conn, copy, n, &scratch);
	free(copy);
}

static void connect_with(const char *headers)
{
	char text[1000];

	snprintf(text, sizeof(text), "CONNECT\n%s\n@", headers);
	feed(text);
}

static void connected(void)
{
	connect_with("accept-version:1.2\n");
	ck_assert_int_eq(ended, -1);
	said[0] = story[0] = '\0';
}

static void ck_said(const char *text)
{
	ck_assert_msg(strstr(said, text) != NULL, "\"%s\" is not in \"%s\"", text, said);
}

/* --- CONNECT ---------------------------------------------------------------------- */

START_TEST(the_best_common_version_is_chosen)
{
	static const struct {
		const char *accept, *version;
	} rows[] = {
		{ "accept-version:1.0\n", "1.0" },
		{ "accept-version:1.0,1.1\n", "1.1" },
		{ "accept-version:1.2,1.1,1.0\n", "1.2" },
		{ "accept-version:1.1, 1.2, 2.0\n", "1.2" },
		{ "accept-version:9.9,1.1\n", "1.1" },
		{ "", "1.0" },
	};
	char expected[40];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		again();
		connect_with(rows[i].accept);
		snprintf(expected, sizeof(expected), "CONNECTED\nversion:%s\n", rows[i].version);
		ck_said(expected);
		/* 1.0 has none */
		ck_said(strcmp(rows[i].version, "1.0") ? "heart-beat:10000,10000\n"
		                                       : "heart-beat:0,0\n");
		ck_said("session:s1\nuser-name:ann\n");
	}
}
END_TEST

START_TEST(who_has_no_common_version_is_told_which_there_are)
{
	static const char *const rows[] = { "accept-version:2.0\n", "accept-version:\n",
		"accept-version:1\n", "accept-version:1.20\n", "accept-version:,,\n" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		again();
		connect_with(rows[i]);
		ck_assert_int_eq(ended, STOMP_E_VERSION);
		ck_said("ERROR\nmessage:No common version\ncode:4604\nversion:1.0,1.1,1.2\n");
		ck_assert_str_eq(story, "");
	}
}
END_TEST

START_TEST(nothing_goes_before_connect)
{
	feed("SEND\ndestination:/a\nreceipt:r\n\nx@");
	ck_assert_int_eq(ended, STOMP_E_NOT_CONNECTED);
	ck_said("receipt-id:r\n");
	ck_assert_str_eq(story, "");
	said[0] = '\0';
	feed("CONNECT\n\n@");
	ck_assert_str_eq(said, ""); /* nor after the end */
}
END_TEST

START_TEST(a_second_connect_ends_it)
{
	connected();
	feed("STOMP\naccept-version:1.2\n\n@");
	ck_assert_int_eq(ended, STOMP_E_ALREADY_CONNECTED);
}
END_TEST

START_TEST(what_comes_behind_a_connect_waits_for_its_decision)
{
	decides_later = true;
	feed("CONNECT\naccept-version:1.2\n\n@SEND\ndestination:/a\nreceipt:1\n\n@SEND\ndest");
	feed("ination:/b\n\n@");
	ck_assert_str_eq(story, "connect;");
	ck_assert_str_eq(said, "");
	stomp_conn_accept(&conn, BYTES("s"), BYTES(""));
	ck_assert(stomp_conn_is_behind(&conn));
	ck_said("CONNECTED\n");
	stomp_conn_go_on(&conn, &scratch);
	ck_assert(!stomp_conn_is_behind(&conn));
	ck_assert_str_eq(story, "connect;SEND/a;SEND/b;");
	ck_said("RECEIPT\nreceipt-id:1\n\n@");
	ck_assert_uint_eq(stomp_conn_held(&conn), 0);
}
END_TEST

START_TEST(who_is_refused_later_is_told_and_nothing_else_is_looked_at)
{
	decides_later = true;
	feed("CONNECT\naccept-version:1.2\n\n@SEND\ndestination:/a\n\n@");
	stomp_conn_refuse(&conn, STOMP_E_UNAUTHENTICATED, "The passcode is wrong.");
	ck_assert_int_eq(ended, STOMP_E_UNAUTHENTICATED);
	ck_said("message:Not authenticated\ncode:4620\n");
	ck_said("\n\nThe passcode is wrong.@");
	stomp_conn_go_on(&conn, &scratch);
	stomp_conn_accept(&conn, BYTES("s"), BYTES(""));
	ck_assert_str_eq(story, "connect;");
}
END_TEST

START_TEST(a_heart_beat_header_must_be_two_numbers)
{
	static const char *const bad[] = { "1", "1,", ",1", "a,b", "1,2,3", "-1,0", "1.5,2", "" };
	char header[60];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		again();
		snprintf(header, sizeof(header), "accept-version:1.2\nheart-beat:%s\n", bad[i]);
		connect_with(header);
		ck_assert_msg(ended == STOMP_E_BAD_HEADER, "%s: %d", bad[i], ended);
	}
	again();
	connect_with("accept-version:1.2\nheart-beat:99999999999999999999, 0\n");
	ck_assert_int_eq(ended, -1);
}
END_TEST

/* --- the other frames ------------------------------------------------------------- */

START_TEST(whatever_asks_for_a_receipt_gets_it)
{
	connected();
	feed("SUBSCRIBE\nid:0\ndestination:/a\nreceipt:one\n\n@"
	     "SEND\ndestination:/a\nreceipt:two\\cx\n\n@"
	     "BEGIN\ntransaction:t\nreceipt:3\n\n@"
	     "DISCONNECT\nreceipt:bye\n\n@SEND\ndestination:/late\nreceipt:no\n\n@");
	ck_assert_str_eq(said, "RECEIPT\nreceipt-id:one\n\n@RECEIPT\nreceipt-id:two\\cx\n\n@"
	                       "RECEIPT\nreceipt-id:3\n\n@RECEIPT\nreceipt-id:bye\n\n@");
	ck_assert_int_eq(ended, STOMP_OK);
	ck_assert_str_eq(story, "SUBSCRIBE/a;SEND/a;BEGIN;");
}
END_TEST

START_TEST(a_refused_frame_ends_it_and_nothing_behind_it_counts)
{
	connected();
	feed("SEND\ndestination:/no\nreceipt:r\n\n@SEND\ndestination:/b\nreceipt:s\n\n@");
	ck_assert_int_eq(ended, STOMP_E_FORBIDDEN);
	ck_assert_str_eq(said, "ERROR\nmessage:Access denied\ncode:4630\nreceipt-id:r\n"
	                       "content-type:text/plain\ncontent-length:13\n\nNot that one.@");
	ck_assert_str_eq(story, "SEND/no;");
}
END_TEST

START_TEST(a_refused_frame_alone_is_refused_where_errors_keep)
{
	settings.keeps_on_error = true;
	connected();
	feed("SEND\ndestination:/no\nreceipt:r\n\n@SEND\nreceipt:m\n\n@"
	     "SEND\ndestination:/b\nreceipt:s\n\n@");
	ck_assert_int_eq(ended, -1);
	ck_said("code:4630\nreceipt-id:r\n");
	ck_said("code:4606\nreceipt-id:m\n");
	ck_said("RECEIPT\nreceipt-id:s\n\n@");
	feed("NONSENSE\n\n@"); /* after this nobody knows where a frame begins */
	ck_assert_int_eq(ended, STOMP_E_UNKNOWN_COMMAND);
}
END_TEST

START_TEST(each_version_demands_its_headers)
{
	static const struct {
		const char *version, *frame;
		bool good;
	} rows[] = {
		{ "1.2", "SEND\n\n@", false },
		{ "1.2", "SUBSCRIBE\nid:1\n\n@", false },
		{ "1.2", "SUBSCRIBE\ndestination:/a\n\n@", false },
		{ "1.0", "SUBSCRIBE\ndestination:/a\n\n@", true },
		{ "1.2", "UNSUBSCRIBE\ndestination:/a\n\n@", false },
		{ "1.0", "UNSUBSCRIBE\ndestination:/a\n\n@", true },
		{ "1.0", "UNSUBSCRIBE\n\n@", false },
		{ "1.2", "ACK\nid:1\n\n@", true },
		{ "1.2", "ACK\nmessage-id:1\nsubscription:1\n\n@", false },
		{ "1.1", "ACK\nmessage-id:1\nsubscription:1\n\n@", true },
		{ "1.1", "ACK\nmessage-id:1\n\n@", false },
		{ "1.0", "ACK\nmessage-id:1\n\n@", true },
		{ "1.1", "NACK\nmessage-id:1\nsubscription:1\n\n@", true },
		{ "1.0", "NACK\nmessage-id:1\nsubscription:1\n\n@", false },
		{ "1.2", "BEGIN\n\n@", false },
		{ "1.2", "COMMIT\n\n@", false },
		{ "1.2", "ABORT\n\n@", false },
		{ "1.2", "SUBSCRIBE\nid:1\ndestination:/a\nack:client-individual\n\n@", true },
		{ "1.0", "SUBSCRIBE\nid:1\ndestination:/a\nack:client-individual\n\n@", false },
		{ "1.2", "SUBSCRIBE\nid:1\ndestination:/a\nack:sometimes\n\n@", false },
		{ "1.2", "MESSAGE\ndestination:/a\n\n@", false },
		{ "1.2", "RECEIPT\n\n@", false },
	};
	char headers[40];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		again();
		snprintf(headers, sizeof(headers), "accept-version:%s\n", rows[i].version);
		connect_with(headers);
		feed(rows[i].frame);
		ck_assert_msg((ended == -1) == rows[i].good, "%s: %s: %d", rows[i].version,
		    rows[i].frame, ended);
	}
}
END_TEST

START_TEST(who_has_a_lot_to_do_lets_others_go_first)
{
	connected();
	is_late = true;
	feed("SEND\ndestination:/1\n\n@SEND\ndestination:/2\n\n@SEND\ndestination:/3\n\n@");
	ck_assert_str_eq(story, "SEND/1;");
	feed("SEND\ndestination:/4\n\n@"); /* behind what waits */
	ck_assert_str_eq(story, "SEND/1;");
	stomp_conn_go_on(&conn, &scratch);
	ck_assert_str_eq(story, "SEND/1;SEND/2;");
	is_late = false;
	stomp_conn_go_on(&conn, &scratch);
	ck_assert_str_eq(story, "SEND/1;SEND/2;SEND/3;SEND/4;");
	ck_assert(!stomp_conn_is_behind(&conn));
}
END_TEST

/* --- time ------------------------------------------------------------------------- */

static void connected_beating(const char *heart_beat)
{
	char headers[80];

	again();
	snprintf(headers, sizeof(headers), "accept-version:1.2\nheart-beat:%s\n", heart_beat);
	connect_with(headers);
	said[0] = '\0';
}

START_TEST(heart_beats_are_what_both_want)
{
	static const struct {
		const char *client;
		uint32_t ours, theirs;
	} rows[] = {
		{ "0,0", 0, 0 },
		{ "10000,10000", 10000, 10000 },
		{ "1,1", 10000, 10000 },
		{ "20000,30000", 30000, 20000 },
		{ "0,500", 10000, 0 },
		{ "500,0", 0, 10000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		connected_beating(rows[i].client);
		ck_assert_uint_eq(conn.send_every_ms, rows[i].ours);
		ck_assert_uint_eq(conn.receive_every_ms, rows[i].theirs);
	}
	settings.send_heart_beat_ms = 0;
	connected_beating("10000,10000");
	settings.send_heart_beat_ms = 0;
}
END_TEST

START_TEST(a_heart_beat_goes_out_within_its_interval_unless_something_else_did)
{
	uint32_t next;

	connected_beating("0,10000");
	next = stomp_conn_beat(&conn, 0, 0);
	ck_assert_uint_gt(next, 0);
	ck_assert_uint_le(next, 10000);
	ck_assert_str_eq(said, "");
	ck_assert_uint_le(stomp_conn_beat(&conn, 100000, 4000), 6000);
	ck_assert_str_eq(said, "");
	next = stomp_conn_beat(&conn, 100000, 9900);
	ck_assert_str_eq(said, "\n");
	ck_assert_uint_le(next, 10000);
}
END_TEST

START_TEST(silence_of_three_intervals_ends_it)
{
	connected_beating("10000,0");
	ck_assert_uint_le(stomp_conn_beat(&conn, 0, 0), 30000);
	ck_assert_uint_le(stomp_conn_beat(&conn, 29999, 999999), 1);
	ck_assert_int_eq(ended, -1);
	ck_assert_str_eq(said, "");
	stomp_conn_beat(&conn, 30000, 0);
	ck_assert_int_eq(ended, STOMP_E_NO_HEART_BEAT);
	ck_said("code:4611\n");
}
END_TEST

START_TEST(who_wants_no_heart_beats_gets_none)
{
	connected_beating("0,0");
	ck_assert_uint_eq(stomp_conn_beat(&conn, 1u << 30, 1u << 30), 0);
	ck_assert_int_eq(ended, -1);
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(who_never_connects_is_told_what_is_wrong)
{
	static const struct {
		const char *came;
		enum stomp_error why;
		const char *sentence;
	} rows[] = {
		{ "", STOMP_E_NOT_CONNECTED, "No CONNECT frame came." },
		{ "\n\n", STOMP_E_NOT_CONNECTED, "No CONNECT frame came." },
		{ "CONNECT\naccept-version:1.2\n", STOMP_E_NOT_CONNECTED,
		    "a blank line is missing" },
		{ "CONNECT\naccept-version:1.2\n\n", STOMP_E_MISSING_NUL, "React Native" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		again();
		feed(rows[i].came);
		stomp_conn_timeout(&conn);
		ck_assert_int_eq(ended, (int)rows[i].why);
		ck_said(rows[i].sentence);
	}
	again();
	connected();
	stomp_conn_timeout(&conn);
	ck_assert_int_eq(ended, -1);
}
END_TEST

START_TEST(any_allocation_may_fail)
{
	bool failed = true;

	for (unsigned long nth = 1; failed; nth++) {
		again();
		decides_later = true;
		mem_fail_at(nth);
		feed("CONNECT\naccept-version:1.2\n\n@SEND\ndestination:/a\nreceipt:1\n\n@");
		stomp_conn_accept(&conn, BYTES("s"), BYTES("u"));
		stomp_conn_go_on(&conn, &scratch);
		feed("SEND\ndestination:/no\nreceipt:a\\nb\n\n@");
		failed = mem_failed();
		mem_fail_at(0);
		ck_assert_int_ne(ended, -1);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stomp_conn");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_best_common_version_is_chosen);
	tcase_add_test(tc, who_has_no_common_version_is_told_which_there_are);
	tcase_add_test(tc, nothing_goes_before_connect);
	tcase_add_test(tc, a_second_connect_ends_it);
	tcase_add_test(tc, what_comes_behind_a_connect_waits_for_its_decision);
	tcase_add_test(tc, who_is_refused_later_is_told_and_nothing_else_is_looked_at);
	tcase_add_test(tc, a_heart_beat_header_must_be_two_numbers);
	tcase_add_test(tc, whatever_asks_for_a_receipt_gets_it);
	tcase_add_test(tc, a_refused_frame_ends_it_and_nothing_behind_it_counts);
	tcase_add_test(tc, a_refused_frame_alone_is_refused_where_errors_keep);
	tcase_add_test(tc, each_version_demands_its_headers);
	tcase_add_test(tc, who_has_a_lot_to_do_lets_others_go_first);
	tcase_add_test(tc, heart_beats_are_what_both_want);
	tcase_add_test(tc, a_heart_beat_goes_out_within_its_interval_unless_something_else_did);
	tcase_add_test(tc, silence_of_three_intervals_ends_it);
	tcase_add_test(tc, who_wants_no_heart_beats_gets_none);
	tcase_add_test(tc, who_never_connects_is_told_what_is_wrong);
	tcase_add_test(tc, any_allocation_may_fail);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
