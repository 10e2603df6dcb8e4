/*
 * tests/unit/test_relay_link.c - a link to a broker on loopback that says what the test wants. Time
 * is the test's own.
 */
#include "relay/relay_link.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "broker_socket.h"
#include "loop_fixture.h"

enum { STEP = 10, TIMEOUT = 500, RETRY = 100, BEAT = 1000, PATIENCE = 3000 };

static struct stomp_frame scratch;
static struct relay_link link_;
static const struct relay_link_settings settings = {
	.connector = { .connect_timeout_ms = TIMEOUT,
	    .retry_ms = RETRY,
	    .retry_max_ms = 10 * RETRY },
	.login = { .host = "/",
	    .login = "guest",
	    .send_heart_beat_ms = BEAT,
	    .receive_heart_beat_ms = BEAT },
	.limits = { 20, 1000, 4000, 1 << 20 },
	.connect_timeout_ms = TIMEOUT,
	.name = "a test",
};

/* --- the owner --------------------------------------------------------------------------- */

static unsigned ups, frames, aways, drains;
static char story[500];
static bool ends_it;    /* in whatever callback */
static uint64_t spends; /* with each frame, nanoseconds */

static void maybe_end(void)
{
	if (ends_it)
		relay_link_fini(&link_);
}

static void on_up(struct relay_link *l)
{
	ck_assert_ptr_eq(l, &link_);
	ck_assert(relay_link_is_up(l));
	ups++;
	maybe_end();
}

static void on_frame(struct relay_link *l, const struct stomp_frame *f)
{
	size_t n = strlen(story);

	budget_spend(loop_budget(l->loop), spends);
	frames++;
	snprintf(story + n, sizeof(story) - n, "%s:%.*s;", stomp_command_name(f->command),
	    (int)f->body.n, f->body.n ? f->body.p : "");
	maybe_end();
}

static void on_away(struct relay_link *l, const char *why)
{
	(void)why;
	ck_assert(!relay_link_is_up(l));
	aways++;
	maybe_end();
}

static void on_drained(struct relay_link *l)
{
	ck_assert_uint_eq(relay_link_queued(l), 0);
	drains++;
}

static const struct relay_link_ops ops = {
	.up = on_up,
	.frame = on_frame,
	.away = on_away,
	.drained = on_drained,
};

/* --- beginnings ---------------------------------------------------------------------------- */

static void come_up(const char *beats)
{
	char connected[100];
	unsigned before = ups;

	wait_for(&connections, before + 1);
	hear("CONNECT\n");
	hear("@");
	snprintf(connected, sizeof(connected), "CONNECTED\nversion:1.2\nheart-beat:%s\n\n@", beats);
	say(connected);
	wait_for(&ups, before + 1);
}

static void write_frame(const char *body, size_t n)
{
	struct buf *out = relay_link_out(&link_);

	ck_assert_int_eq(stomp_write_begin(out, STOMP_SEND), 0);
	ck_assert_int_eq(stomp_write_end(out, (struct bytes){ body, n }), 0);
	relay_link_said(&link_);
}

static void setup(void)
{
	struct connector_server server = { .host = "127.0.0.1" };

	log_set_level(LOG_SILENT);
	ups = frames = aways = drains = 0;
	ends_it = false;
	spends = 0;
	story[0] = '\0';
	server.port = broker_up();
	loop_up(STEP, broker_serve, NULL);
	stomp_frame_init(&scratch);
	ck_assert_int_eq(
	    relay_link_init(&link_, loop, resolver, &settings, &server, 1, &ops, &scratch), 0);
	relay_link_start(&link_);
}

static void teardown(void)
{
	relay_link_fini(&link_);
	broker_down();
	loop_down();
	stomp_frame_fini(&scratch);
}

/* --- tests ------------------------------------------------------------------------------------ */

START_TEST(it_logs_in_and_frames_go_both_ways)
{
	come_up("0,0");
	ck_assert_ptr_nonnull(strstr(heard, "\nlogin:guest\n"));
	write_frame("one", 3);
	write_frame("two", 3);
	hear("SEND\ncontent-length:3\n\none@SEND\ncontent-length:3\n\ntwo@");
	say("MESSAGE\n\nhello@\n\nRECEIPT\nreceipt-id:1\n\n@ERROR\n\nno@");
	wait_for(&frames, 3);
	ck_assert_str_eq(story, "MESSAGE:hello;RECEIPT:;ERROR:no;");
	ck_assert_uint_eq(aways, 0);
}
END_TEST

START_TEST(a_link_that_is_cut_comes_back)
{
	come_up("0,0");
	hang_up();
	wait_for(&aways, 1);
	come_up("0,0");
	ck_assert_uint_eq(connections, 2);
	ck_assert_uint_eq(link_.connects, 2);
}
END_TEST

START_TEST(who_refuses_is_asked_again_less_and_less_often)
{
	uint64_t begun = now, first;

	hear("CONNECT\n");
	say("ERROR\nmessage:no\n\n@");
	wait_for(&connections, 2);
	first = now - begun;
	for (unsigned i = 2; i < 7; i++) {
		hear("CONNECT\n");
		say("ERROR\nmessage:no\n\n@");
		begun = now;
		wait_for(&connections, i + 1);
	}
	ck_assert_uint_gt(now - begun, 2 * first);
	ck_assert_uint_eq(ups + aways, 0);
}
END_TEST

START_TEST(who_does_not_answer_connect_is_left)
{
	uint64_t begun = now;

	wait_for(&connections, 2);
	ck_assert_uint_ge(now, begun + TIMEOUT);
	ck_assert_uint_eq(aways, 0);
}
END_TEST

START_TEST(heart_beats_go_out_and_a_silent_broker_is_left)
{
	come_up("1000,1000");
	turns(BEAT / STEP);
	hear("@\n");
	say("\n");
	turns(15 * BEAT / STEP / 10);
	ck_assert_uint_eq(aways, 0);
	turns(BEAT / STEP);
	ck_assert_uint_eq(aways, 1);
}
END_TEST

START_TEST(what_the_broker_does_not_take_waits_and_is_known)
{
	static char body[1 << 20];

	come_up("0,0");
	is_deaf = true;
	for (int i = 0; i < 20; i++) {
		write_frame(body, sizeof(body));
		turn();
	}
	ck_assert_uint_gt(relay_link_queued(&link_), 1 << 20);
	is_deaf = false;
	wait_for(&drains, 1);
	for (int i = 0; heard_octets < 20 * sizeof(body) && i < PATIENCE; i++)
		turn();
	ck_assert_uint_ge(heard_octets, 20 * sizeof(body));
}
END_TEST

START_TEST(garbage_ends_the_connection)
{
	come_up("0,0");
	say("HELLO\n\n@");
	wait_for(&aways, 1);
	wait_for(&connections, 2);
}
END_TEST

START_TEST(a_good_login_makes_the_wait_short_again)
{
	uint64_t begun;

	for (unsigned i = 1; i < 8; i++) {
		hear("CONNECT\n");
		say("ERROR\nmessage:no\n\n@");
		wait_for(&connections, i + 1);
	}
	hear("CONNECT\n");
	say("CONNECTED\nversion:1.2\n\n@");
	wait_for(&ups, 1);
	turns(2500 / STEP);
	begun = now;
	hang_up();
	wait_for(&connections, 9);
	ck_assert_uint_lt(now - begun, 2 * RETRY);
}
END_TEST

/* One that lets us in and closes at once has failed. */
START_TEST(a_link_that_does_not_last_is_tried_less_and_less_often)
{
	uint64_t begun = 0;

	for (unsigned i = 1; i < 8; i++) {
		hear("CONNECT\n");
		say("CONNECTED\nversion:1.2\n\n@");
		wait_for(&ups, i);
		begun = now;
		hang_up();
		wait_for(&connections, i + 1);
	}
	ck_assert_uint_ge(now - begun, 10 * RETRY / 2);
}
END_TEST

/* A flood has its slices, and all of it is taken, in its order. */
START_TEST(a_flood_is_read_in_slices)
{
	char flood[60000];
	size_t n = 0;

	come_up("0,0");
	spends = 100000000;
	while (n + 16 < sizeof(flood))
		n += (size_t)snprintf(flood + n, sizeof(flood) - n, "MESSAGE\n\n%c", '\0');
	ck_assert_int_eq(send(peer, flood, n, MSG_NOSIGNAL), (ssize_t)n);
	turns(3);
	ck_assert_uint_gt(frames, 0);
	ck_assert_uint_lt(frames, 10);
	spends = 0;
	wait_for(&frames, (unsigned)(n / 10));
	ck_assert_uint_eq(frames, n / 10);
	say("RECEIPT\nreceipt-id:1\n\n@");
	wait_for(&frames, (unsigned)(n / 10) + 1);
}
END_TEST

START_TEST(an_owner_may_drop_it)
{
	come_up("0,0");
	write_frame("stale", 5);
	relay_link_drop(&link_, "a test");
	come_up("0,0");
	ck_assert_uint_eq(aways, 0);
	ck_assert_ptr_eq(strstr(heard, "CONNECT"), heard); /* nothing of before */
}
END_TEST

START_TEST(it_may_end_in_any_callback)
{
	hear("@");
	ends_it = true;
	say("CONNECTED\nversion:1.2\n\n@MESSAGE\n\n1@MESSAGE\n\n2@");
	wait_for(&ups, 1);
	turns(50);
	ck_assert_uint_eq(frames, 0);
	ck_assert_uint_eq(connections, 1);
}
END_TEST

START_TEST(it_may_end_with_a_frame)
{
	come_up("0,0");
	ends_it = true;
	say("MESSAGE\n\n1@MESSAGE\n\n2@");
	wait_for(&frames, 1);
	turns(50);
	ck_assert_uint_eq(frames, 1);
	hear("DISCONNECT");
}
END_TEST

START_TEST(it_may_end_when_it_is_away)
{
	come_up("0,0");
	ends_it = true;
	hang_up();
	wait_for(&aways, 1);
	turns(50);
	ck_assert_uint_eq(connections, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("relay_link");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, it_logs_in_and_frames_go_both_ways);
	tcase_add_test(tc, a_link_that_is_cut_comes_back);
	tcase_add_test(tc, who_refuses_is_asked_again_less_and_less_often);
	tcase_add_test(tc, who_does_not_answer_connect_is_left);
	tcase_add_test(tc, heart_beats_go_out_and_a_silent_broker_is_left);
	tcase_add_test(tc, what_the_broker_does_not_take_waits_and_is_known);
	tcase_add_test(tc, garbage_ends_the_connection);
	tcase_add_test(tc, a_good_login_makes_the_wait_short_again);
	tcase_add_test(tc, a_link_that_does_not_last_is_tried_less_and_less_often);
	tcase_add_test(tc, a_flood_is_read_in_slices);
	tcase_add_test(tc, an_owner_may_drop_it);
	tcase_add_test(tc, it_may_end_in_any_callback);
	tcase_add_test(tc, it_may_end_with_a_frame);
	tcase_add_test(tc, it_may_end_when_it_is_away);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
