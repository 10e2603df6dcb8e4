/*
 * test_doctor_diagnosis.c - for each network that is known to be bad, the facts that a check-up
 * brings home, and what they are called.
 */
#include <check.h>
#include <string.h>

#include "checkup/diagnosis.h"

/* --- facts, as good networks have them ----------------------------------------------------- */

static struct facts good(void)
{
	struct facts f;

	facts_init(&f);
	f.connect_ms = 1;
	f.rtt_ms = f.info.ms = 2;
	f.info.websocket = f.is_echo = true;
	for (int i = 0; i < WAYS; i++) {
		struct way_facts *w = &f.way[i];

		w->is_tried = w->is_open = w->is_done = true;
		w->open_ms = 5;
		w->sent = w->came = 6;
		w->echo_ms = w->worst_ms = 3;
		if (way_is_websocket((enum way)i)) {
			w->answer.status = 101;
			w->asked = w->answered = 12;
			w->is_alive = true;
		} else {
			w->answer.status = 200;
			w->delivered = 6;
			w->lag_ms = 1;
			w->flow = way_is_stream((enum way)i) ? FLOW_AT_ONCE : FLOW_UNKNOWN;
		}
	}
	return f;
}

static void fail_way(struct facts *f, enum way way, enum fate fate, unsigned status)
{
	struct way_facts *w = &f->way[way];

	*w = (struct way_facts){ .is_tried = true, .is_done = true };
	w->connect_ms = w->head_ms = w->open_ms = w->echo_ms = w->worst_ms = w->lag_ms =
	    FACT_UNKNOWN;
	w->answer.status = status;
	failure_set(&w->failure, fate, status, "why");
}

static void fail_websockets(struct facts *f, enum fate fate, unsigned status)
{
	fail_way(f, WAY_RAW, fate, status);
	fail_way(f, WAY_WEBSOCKET, fate, status);
}

static void hold_streams(struct facts *f, enum flow flow)
{
	for (int i = WAY_XHR_STREAMING; i <= WAY_HTMLFILE; i++) {
		f->way[i].flow = flow;
		f->way[i].held_octets = 65536;
		f->way[i].came = 0;
	}
}

/* Of the last messages and pings by WebSocket nothing came back. */
static void lose(struct facts *f, unsigned came, unsigned answered, bool is_alive)
{
	for (int i = WAY_RAW; i <= WAY_WEBSOCKET; i++) {
		f->way[i].came = came;
		f->way[i].answered = answered;
		f->way[i].is_alive = is_alive;
	}
}

/* --- networks that are known to be bad -------- ----------------------------------------------- */

static void direct(struct facts *f)
{
	(void)f;
}

static void stripped(struct facts *f)
{
	fail_websockets(f, FATE_STATUS, 400);
}

static void refused(struct facts *f)
{
	fail_websockets(f, FATE_STATUS, 403);
}

static void reset(struct facts *f)
{
	fail_websockets(f, FATE_RESET, 0);
}

static void connect_refused(struct facts *f)
{
	f->by_proxy = true;
	fail_websockets(f, FATE_PROXY, 403);
}

static void held(struct facts *f)
{
	hold_streams(f, FLOW_AT_END);
}

static void held_and_stripped(struct facts *f)
{
	hold_streams(f, FLOW_AFTER_OCTETS);
	stripped(f);
}

static void held_for_ever_and_hanging(struct facts *f)
{
	hold_streams(f, FLOW_NEVER);
	for (int i = WAY_XHR_STREAMING; i <= WAY_HTMLFILE; i++)
		f->way[i].is_open = false;
	fail_websockets(f, FATE_TIMEOUT, 0);
}

static void only_xhr_held(struct facts *f)
{
	f->way[WAY_XHR_STREAMING].flow = FLOW_AT_END;
}

static void hanging(struct facts *f)
{
	fail_websockets(f, FATE_TIMEOUT, 0);
}

static void silent(struct facts *f)
{
	fail_websockets(f, FATE_TIMEOUT, 101);
}

static void first_frame_lost(struct facts *f)
{
	lose(f, 5, 12, true);
}

static void black_after_open(struct facts *f)
{
	lose(f, 0, 0, false);
}

static void client_frames_dropped(struct facts *f)
{
	lose(f, 0, 0, false);
	f->way[WAY_WEBSOCKET].heard_alone = true;
}

static void black_after_ten(struct facts *f)
{
	lose(f, 2, 2, false);
}

static void cut(struct facts *f, int survived_s, int cut_s, bool is_silent)
{
	f->idle_s = 24;
	f->idle[0].is_tried = true;
	f->idle[0].survived_s = survived_s;
	f->idle[0].cut_s = cut_s;
	f->idle[0].is_silent = is_silent;
}

static void idle_cut(struct facts *f)
{
	cut(f, 18, 24, false);
}

static void idle_cut_and_stripped(struct facts *f)
{
	cut(f, FACT_UNKNOWN, 6, false);
	stripped(f);
}

static void nat(struct facts *f)
{
	cut(f, 18, 24, true);
}

static void nat_and_held(struct facts *f)
{
	nat(f);
	held_and_stripped(f);
}

static void aged(struct facts *f)
{
	cut(f, 45, 60, false);
	f->idle[0].age_s = 60;
}

static void cut_by_octets(struct facts *f)
{
	for (int i = WAY_RAW; i <= WAY_WEBSOCKET; i++) {
		f->way[i].is_alive = false;
		f->way[i].cut_octets = 65536;
		failure_set(&f->way[i].failure, FATE_CLOSED, 0, "closed");
	}
}

static void late(struct facts *f)
{
	stripped(f);
	f->way[WAY_XHR_STREAMING].lag_ms = f->way[WAY_EVENTSOURCE].lag_ms = 207;
}

static void late_as_polls(struct facts *f)
{
	for (int i = WAY_XHR_STREAMING; i < WAYS; i++)
		f->way[i].lag_ms = 207;
	f->rtt_ms = 800;
}

static void far_off(struct facts *f)
{
	f->rtt_ms = 1600;
}

static void far_off_and_held(struct facts *f)
{
	f->rtt_ms = 1600;
	held_and_stripped(f);
}

static void info_hangs(struct facts *f)
{
	failure_set(&f->info.failure, FATE_TIMEOUT, 0, "no answer");
}

static void nothing_there(struct facts *f)
{
	facts_init(f);
	failure_set(&f->info.failure, FATE_STATUS, 404, "not found");
}

static void no_connection(struct facts *f)
{
	facts_init(f);
	failure_set(&f->reach, FATE_UNCONNECTED, 0, "Connection refused");
}

static void other_origin(struct facts *f)
{
	for (int i = 0; i < WAYS; i++)
		fail_way(f, (enum way)i, FATE_STATUS, 403);
	f->is_echo = false;
	f->refuses_origin = true;
	failure_set(&f->info.failure, FATE_STATUS, 403, "not allowed");
}

static void no_post(struct facts *f)
{
	stripped(f);
	for (int i = WAY_XHR_STREAMING; i < WAYS; i++) {
		f->way[i].delivered = f->way[i].came = 0;
		failure_set(&f->way[i].send_failure, FATE_STATUS, 403, "no");
	}
	fail_way(f, WAY_XHR_STREAMING, FATE_STATUS, 403);
	fail_way(f, WAY_XHR, FATE_STATUS, 403);
	f->is_echo = false;
}

static void not_sticky(struct facts *f)
{
	for (int i = WAY_XHR_STREAMING; i < WAYS; i++) {
		f->way[i].delivered = f->way[i].came = 0;
		failure_set(&f->way[i].send_failure, FATE_STATUS, 404, "no session");
	}
}

static void one_stream_refused(struct facts *f)
{
	fail_way(f, WAY_XHR_STREAMING, FATE_STATUS, 502);
}

static void no_echo(struct facts *f)
{
	f->is_echo = false;
	for (int i = 0; i < WAYS; i++)
		f->way[i].came = 0;
	hold_streams(f, FLOW_NEVER);
}

static void closes_all(struct facts *f)
{
	f->is_echo = false;
	for (int i = 0; i < WAYS; i++) {
		f->way[i].came = f->way[i].answered = f->way[i].delivered = 0;
		failure_set(&f->way[i].failure, FATE_GOODBYE, 3000, "Go away!");
	}
}

static const struct network {
	const char *name;
	void (*facts)(struct facts *f);
	const char *causes; /* with a blank behind each */
	int best;           /* a way; -1: none */
} networks[] = {
	{ "direct", direct, "ok ", WAY_WEBSOCKET },
	{ "nginx as it comes", stripped, "upgrade_refused ", WAY_XHR_STREAMING },
	{ "Upgrade refused", refused, "upgrade_refused ", WAY_XHR_STREAMING },
	{ "Upgrade reset", reset, "upgrade_refused ", WAY_XHR_STREAMING },
	{ "Squid, CONNECT to 443 only", connect_refused, "upgrade_refused ", WAY_XHR_STREAMING },
	{ "mitmproxy", held, "streams_held ", WAY_WEBSOCKET },
	{ "two nginx, privoxy, lighttpd", held_and_stripped, "streams_held upgrade_refused ",
	    WAY_XHR },
	{ "hold, and Upgrade hangs", held_for_ever_and_hanging, "streams_held upgrade_hangs ",
	    WAY_XHR },
	{ "caddy with gzip", only_xhr_held, "streams_held ", WAY_WEBSOCKET },
	{ "Upgrade hangs", hanging, "upgrade_hangs ", WAY_XHR_STREAMING },
	{ "101, then no frames", silent, "websocket_silent ", WAY_XHR_STREAMING },
	{ "first frame of the client lost", first_frame_lost, "websocket_one_way ",
	    WAY_XHR_STREAMING },
	{ "101 and o, then black", black_after_open, "websocket_black ", WAY_XHR_STREAMING },
	{ "client frames dropped", client_frames_dropped, "websocket_one_way ", WAY_XHR_STREAMING },
	{ "black after ten frames", black_after_ten, "websocket_black ", WAY_XHR_STREAMING },
	{ "read time-out of 20 s", idle_cut, "idle_cut ", WAY_WEBSOCKET },
	{ "read time-out, and no Upgrade", idle_cut_and_stripped, "idle_cut upgrade_refused ",
	    WAY_XHR_STREAMING },
	{ "NAT", nat, "idle_silent ", WAY_WEBSOCKET },
	{ "NAT and hold", nat_and_held, "idle_silent streams_held upgrade_refused ", WAY_XHR },
	{ "age 60 s", aged, "cut_by_age ", WAY_WEBSOCKET },
	{ "64 KiB", cut_by_octets, "cut_by_octets ", WAY_XHR_STREAMING },
	{ "HAProxy without Upgrade", late, "streams_late upgrade_refused ", WAY_XHR_STREAMING },
	{ "far, and polls are as late", late_as_polls, "far ", WAY_WEBSOCKET },
	{ "800 ms each way", far_off, "far ", WAY_WEBSOCKET },
	{ "800 ms each way, and hold", far_off_and_held, "streams_held upgrade_refused far ",
	    WAY_XHR },
	{ "/info hangs", info_hangs, "info_unreachable ", WAY_WEBSOCKET },
	{ "no such endpoint", nothing_there, "info_unreachable ", -1 },
	{ "no connection", no_connection, "unreachable ", -1 },
	{ "Host rewritten", other_origin, "origin_rewritten ", -1 },
	{ "POST 403 and Upgrade stripped", no_post, "post_refused upgrade_refused ", -1 },
	{ "balancer that is not sticky", not_sticky, "sessions_lost ", WAY_WEBSOCKET },
	{ "502 on one stream", one_stream_refused, "streams_refused ", WAY_WEBSOCKET },
	{ "a service that is no echo", no_echo, "ok ", WAY_WEBSOCKET },
	{ "a service that closes all sessions", closes_all, "unclear ", -1 },
};

START_TEST(each_network_has_its_causes)
{
	const struct network *n = &networks[_i];
	struct facts f = good();
	struct diagnosis d;
	char causes[400] = "";

	n->facts(&f);
	d = diagnose(&f);
	for (size_t i = 0; i < d.count; i++) {
		strcat(causes, cause_word(d.causes[i]));
		strcat(causes, " ");
	}
	ck_assert_msg(strcmp(causes, n->causes) == 0, "%s: \"%s\" instead of \"%s\"", n->name,
	    causes, n->causes);
	ck_assert_msg(
	    d.best == n->best, "%s: clients use %d instead of %d", n->name, d.best, n->best);
}
END_TEST

START_TEST(each_cause_has_two_lines_of_advice)
{
	struct facts f = good();

	networks[_i].facts(&f);
	ck_assert(diagnose(&f).for_user[0] != '\0');
	ck_assert(diagnose(&f).for_administrator[0] != '\0');
}
END_TEST

START_TEST(who_has_a_websocket_need_not_care_about_streams)
{
	struct facts f = good();
	struct diagnosis d;

	held(&f);
	d = diagnose(&f);
	ck_assert_ptr_nonnull(strstr(d.for_user, "Nothing to do"));
	held_and_stripped(&f);
	d = diagnose(&f);
	ck_assert_ptr_null(strstr(d.for_user, "Nothing to do"));
}
END_TEST

/* What is asked of memory that was never written, as trials leave it that were cut short. */
START_TEST(any_facts_come_to_some_cause)
{
	struct facts f;
	struct diagnosis d;
	unsigned x = 1;

	for (int round = 0; round < 2000; round++) {
		facts_init(&f);
		for (int i = 0; i < WAYS; i++) {
			struct way_facts *w = &f.way[i];

			x = x * 1103515245u + 12345u;
			w->is_tried = x >> 8 & 1;
			w->is_open = x >> 9 & 1;
			w->is_alive = x >> 10 & 1;
			w->failure.fate = (enum fate)((x >> 11) % 12);
			w->flow = (enum flow)((x >> 15) % 5);
			w->came = x >> 19 & 3;
			w->sent = x >> 21 & 3;
			w->answered = x >> 23 & 3;
		}
		f.is_echo = x >> 25 & 1;
		d = diagnose(&f);
		ck_assert_uint_gt(d.count, 0);
		ck_assert_uint_le(d.count, CAUSE_COUNT);
		ck_assert(d.best >= -1 && d.best < WAYS);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("doctor_diagnosis");
	TCase *tc = tcase_create("diagnosis");
	SRunner *runner = srunner_create(suite);
	int failed, count = sizeof(networks) / sizeof(*networks);

	tcase_add_loop_test(tc, each_network_has_its_causes, 0, count);
	tcase_add_loop_test(tc, each_cause_has_two_lines_of_advice, 0, count);
	tcase_add_test(tc, who_has_a_websocket_need_not_care_about_streams);
	tcase_add_test(tc, any_facts_come_to_some_cause);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
