/*
 * The applications of the daemon over a fake of sockjs.h: links nothing but
 * them, which shows that the public header is all they need.
 */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/apps.h"

/* --- a fake library: one session, one group, everything written down ------------------------ */

struct sockjs_session {
	bool paused, binary, joined;
	size_t sent;   /* messages */
	size_t len;    /* of the last one */
	char text[64]; /* its beginning */
	unsigned timer, code;
	const char *reason;
	void *user;
};

struct sockjs_saved {
	char octets[64];
	size_t len;
	int result;
};

struct sockjs_group {
	size_t sent;
	char text[64];
};

static struct sockjs_session s;
static struct sockjs_group group;
static struct sockjs_saved saved;
static int send_result, timer_result, join_result;

static void note(char text[64], const void *data, size_t len)
{
	size_t n = len < 63 ? len : 63;

	memcpy(text, data, n);
	text[n] = '\0';
}

int sockjs_send(struct sockjs_session *to, const void *text, size_t len)
{
	to->binary = false;
	to->sent++;
	to->len = len;
	note(to->text, text, len);
	return send_result;
}

int sockjs_send_binary(struct sockjs_session *to, const void *data, size_t len)
{
	sockjs_send(to, data, len);
	to->binary = true;
	return send_result;
}

void sockjs_close(struct sockjs_session *to, unsigned code, const char *reason)
{
	to->code = code;
	to->reason = reason;
}

void sockjs_pause(struct sockjs_session *to)
{
	to->paused = true;
}

void sockjs_resume(struct sockjs_session *to)
{
	to->paused = false;
}

int sockjs_set_timer(struct sockjs_session *to, unsigned ms)
{
	to->timer = ms;
	return timer_result;
}

void sockjs_set_user(struct sockjs_session *of, void *user)
{
	of->user = user;
}

void *sockjs_user(const struct sockjs_session *of)
{
	return of->user;
}

int sockjs_saved_put(struct sockjs_saved *to, const void *data, size_t len)
{
	ck_assert_uint_le(len, sizeof(to->octets) - to->len);
	memcpy(to->octets + to->len, data, len);
	to->len += len;
	return to->result;
}

const void *sockjs_saved_get(struct sockjs_saved *from, size_t *len)
{
	*len = from->len;
	return from->octets;
}

struct sockjs_group *sockjs_group_new(struct sockjs_server *server)
{
	(void)server;
	return join_result < 0 ? NULL : &group;
}

void sockjs_group_free(struct sockjs_group *g)
{
	memset(g, 0, sizeof(*g));
}

int sockjs_group_share(struct sockjs_group *g, const char *name)
{
	ck_assert_ptr_eq(g, &group);
	ck_assert_str_eq(name, "/room");
	return join_result;
}

int sockjs_group_join(struct sockjs_group *g, struct sockjs_session *member)
{
	ck_assert_ptr_eq(g, &group);
	member->joined = join_result == 0;
	return join_result;
}

int sockjs_group_send(struct sockjs_group *g, const void *text, size_t len)
{
	g->sent++;
	note(g->text, text, len);
	return 0;
}

static void setup(void)
{
	memset(&s, 0, sizeof(s));
	memset(&group, 0, sizeof(group));
	memset(&saved, 0, sizeof(saved));
	send_result = timer_result = join_result = 0;
}

static void say(const struct app *app, void *state, const char *text, int is_binary)
{
	app->callbacks->message(
	    &s, &(struct sockjs_message){ text, strlen(text), is_binary }, state);
}

/* --- tests ------------------------------------------------------------------------ */

START_TEST(echo_answers_in_kind)
{
	say(&echo_app, NULL, "hello", 0);
	ck_assert_str_eq(s.text, "hello");
	ck_assert(!s.binary);
	say(&echo_app, NULL, "bits", 1);
	ck_assert_str_eq(s.text, "bits");
	ck_assert(s.binary);
	ck_assert(!s.paused);
}
END_TEST

START_TEST(echo_stops_listening_to_a_client_that_does_not_listen)
{
	send_result = SOCKJS_FULL;
	say(&echo_app, NULL, "x", 0);
	ck_assert(s.paused);
	echo_app.callbacks->writable(&s, NULL);
	ck_assert(!s.paused);
	send_result = -EPIPE;
	say(&echo_app, NULL, "x", 0);
	ck_assert(!s.paused);
}
END_TEST

START_TEST(close_sends_everybody_away)
{
	close_app.callbacks->open(&s, NULL);
	ck_assert_uint_eq(s.code, 3000);
	ck_assert_str_eq(s.reason, "Go away!");
}
END_TEST

START_TEST(broadcast_speaks_to_the_group)
{
	void *state = NULL;

	ck_assert_int_eq(broadcast_app.start(NULL, NULL, &state, NULL, 0), 0);
	broadcast_app.callbacks->open(&s, state);
	ck_assert(s.joined);
	say(&broadcast_app, state, "all", 0);
	ck_assert_uint_eq(group.sent, 1);
	ck_assert_str_eq(group.text, "all");
	ck_assert_uint_eq(s.sent, 0); /* it comes through the group */
	say(&broadcast_app, state, "bits", 1);
	ck_assert_uint_eq(group.sent, 1);
	ck_assert_uint_ge(s.code, 3000);
	broadcast_app.stop(state);
}
END_TEST

START_TEST(broadcast_without_memory_is_said)
{
	void *state = NULL;

	join_result = -ENOMEM;
	ck_assert_int_eq(broadcast_app.start(NULL, NULL, &state, NULL, 0), -ENOMEM);
	broadcast_app.callbacks->open(&s, &group);
	ck_assert_uint_ge(s.code, 3000);
}
END_TEST

static const struct {
	const char *text;
	size_t len;
} powers[] = {
	{ "1", 2 },
	{ "2", 4 },
	{ "10", 1024 },
	{ "18", 262144 },
	{ "5.9", 32 },
	{ " 3 ", 8 },
	{ "1e1", 1024 },
	{ "0", 2 },
	{ "19", 2 },
	{ "18.9", 262144 },
	{ "-3", 2 },
	{ "0.5", 2 },
	{ "", 2 },
	{ "x", 2 },
	{ "3x", 2 },
	{ "nan", 2 },
	{ "inf", 2 },
	{ "1e999", 2 },
	{ "3                                                                              ", 2 },
};

START_TEST(amplify_answers_with_a_power_of_two)
{
	void *state = NULL;

	ck_assert_int_eq(amplify_app.start(NULL, NULL, &state, NULL, 0), 0);
	say(&amplify_app, state, powers[_i].text, 0);
	ck_assert_uint_eq(s.len, powers[_i].len);
	ck_assert_uint_eq(strspn(s.text, "x"), s.len < 63 ? s.len : 63);
	amplify_app.stop(state);
}
END_TEST

START_TEST(amplify_knows_back_pressure_too)
{
	void *state = NULL;

	ck_assert_int_eq(amplify_app.start(NULL, NULL, &state, NULL, 0), 0);
	send_result = SOCKJS_FULL;
	say(&amplify_app, state, "18", 0);
	ck_assert(s.paused);
	amplify_app.callbacks->writable(&s, state);
	ck_assert(!s.paused);
	amplify_app.stop(state);
}
END_TEST

START_TEST(ticker_ticks_each_second_until_nobody_hears_it)
{
	ticker_app.callbacks->open(&s, NULL);
	ck_assert_uint_eq(s.timer, 1000);
	ck_assert_uint_eq(s.sent, 0);
	s.timer = 0;
	ticker_app.callbacks->timer(&s, NULL);
	ck_assert_str_eq(s.text, "tick!");
	ck_assert_uint_eq(s.timer, 1000);
	s.timer = 0;
	send_result = -EPIPE;
	ticker_app.callbacks->timer(&s, NULL);
	ck_assert_uint_eq(s.timer, 0);
}
END_TEST

START_TEST(ticker_without_memory_is_said)
{
	timer_result = -ENOMEM;
	ticker_app.callbacks->open(&s, NULL);
	ck_assert_uint_ge(s.code, 3000);
}
END_TEST

/* --- in another process ------------------------------------------------------------- */

static const struct app *const small[] = { &echo_app, &amplify_app, &close_app, &broadcast_app, &ticker_app };
enum { SMALL = sizeof(small) / sizeof(*small) };

/* The session as it is there: new, and its application has written of it. */
static int go_on(const struct app *app, void *state)
{
	memset(&saved, 0, sizeof(saved));
	ck_assert_int_eq(app->callbacks->save(&s, &saved, state), 0);
	memset(&s, 0, sizeof(s));
	return app->callbacks->restore(&s, &saved, state);
}

START_TEST(a_session_goes_on_with_its_own_application_alone)
{
	const struct app *from = small[_i / SMALL], *to = small[_i % SMALL];

	ck_assert_int_eq(from->callbacks->save(&s, &saved, &group), 0);
	ck_assert_int_eq(to->callbacks->restore(&s, &saved, &group) == 0, from == to);
	ck_assert_uint_eq(s.sent, 0);
	for (size_t len = saved.len; saved.len-- > 0;)
		ck_assert_msg(from->callbacks->restore(&s, &saved, &group) != 0, "%zu of %zu octets are enough", saved.len, len);
	saved.result = -ENOMEM;
	saved.len = 0;
	ck_assert_int_eq(from->callbacks->save(&s, &saved, &group), -ENOMEM);
}
END_TEST

START_TEST(without_sessions_the_small_ones_keep_nothing)
{
	ck_assert_int_eq(small[_i]->callbacks->save(NULL, &saved, &group), 0);
	ck_assert_int_eq(small[_i]->callbacks->restore(NULL, &saved, &group), 0);
}
END_TEST

START_TEST(broadcast_joins_again_whoever_was_a_member)
{
	ck_assert_int_eq(go_on(&broadcast_app, &group), 0);
	ck_assert(!s.joined);
	broadcast_app.callbacks->open(&s, &group);
	ck_assert(s.joined);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(go_on(&broadcast_app, &group), 0);
		ck_assert(s.joined);
		ck_assert_uint_eq(s.code, 0);
	}
	join_result = -ENOMEM;
	ck_assert_int_eq(go_on(&broadcast_app, &group), -ENOMEM);
}
END_TEST

START_TEST(ticker_ticks_when_it_would_have)
{
	unsigned before;

	ck_assert_int_eq(go_on(&ticker_app, NULL), 0);
	ck_assert_uint_eq(s.timer, 0); /* it has not opened */
	ticker_app.callbacks->open(&s, NULL);
	for (before = s.timer; s.timer > 900; before = s.timer) {
		ck_assert_int_eq(go_on(&ticker_app, NULL), 0);
		ck_assert_uint_ge(s.timer, 1);
		ck_assert_uint_le(s.timer, before + 1); /* times are rounded */
		usleep(10000);
	}
	timer_result = -ENOMEM;
	ck_assert_int_eq(go_on(&ticker_app, NULL), -ENOMEM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("apps");
	TCase *tc = tcase_create("apps");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, echo_answers_in_kind);
	tcase_add_test(tc, echo_stops_listening_to_a_client_that_does_not_listen);
	tcase_add_test(tc, close_sends_everybody_away);
	tcase_add_test(tc, broadcast_speaks_to_the_group);
	tcase_add_test(tc, broadcast_without_memory_is_said);
	tcase_add_loop_test(
	    tc, amplify_answers_with_a_power_of_two, 0, sizeof(powers) / sizeof(*powers));
	tcase_add_test(tc, amplify_knows_back_pressure_too);
	tcase_add_test(tc, ticker_ticks_each_second_until_nobody_hears_it);
	tcase_add_test(tc, ticker_without_memory_is_said);
	tcase_add_loop_test(tc, a_session_goes_on_with_its_own_application_alone, 0, SMALL * SMALL);
	tcase_add_loop_test(tc, without_sessions_the_small_ones_keep_nothing, 0, SMALL);
	tcase_add_test(tc, broadcast_joins_again_whoever_was_a_member);
	tcase_add_test(tc, ticker_ticks_when_it_would_have);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
