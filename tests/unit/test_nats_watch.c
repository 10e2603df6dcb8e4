/*
 * tests/unit/test_nats_watch.c - a stream that is looked after: what makes its topics look for what was lost, and what
 * does not; and when it is not there any more. The server is played by the test.
 */
#include "engine/nats_history.h"

#include <stdio.h>
#include <string.h>

#include "loop_fixture.h"
#include "nats_fixture.h"

#define LOOK    "PUB $JS.API.STREAM.INFO.p"
#define MESSAGE "PUB $JS.API.STREAM.MSG.GET.p"

static struct nats_history h;
static struct engine_settings settings;
static struct engine_counters counters;
static unsigned suspicions, unready, asked_whose;
static uint64_t sound;
static bool wanted;

static void on_trouble(struct nats_history *history, const char *why)
{
	(void)history, (void)why;
}

static void on_unready(struct nats_history *history, const char *why)
{
	(void)history;
	ck_assert_uint_gt(strlen(why), 0);
	unready++;
}

static void on_suspect(struct nats_history *history, uint64_t from)
{
	(void)history;
	sound = from;
	suspicions++;
}

static bool is_wanted(struct nats_history *history, struct bytes subject)
{
	(void)history;
	ck_assert(bytes_equal(subject, BYTES("p.h.topic.tea")));
	asked_whose++;
	return wanted;
}

static const struct nats_history_events events = {
	.trouble = on_trouble,
	.unready = on_unready,
	.suspect = on_suspect,
	.is_wanted = is_wanted,
};

static const char *info(const char *leader, unsigned last)
{
	static char text[200];

	snprintf(text, sizeof(text),
	    "{\"created\":\"then\",\"state\":{\"last_seq\":%u},\"cluster\":{\"leader\":\"%s\"}}", last, leader);
	return text;
}

/* What was asked, but not where answers go. */
static void forget_heard(void)
{
	char *at;

	while ((at = strstr(servers[0].heard, "PUB $JS")) != NULL)
		*at = '-';
}

/* It looks, and this is what it sees. */
static void look(const char *leader, unsigned last)
{
	answer(0, LOOK, info(leader, last));
	forget_heard();
	turns(3);
}

static void begin(unsigned last)
{
	json_t *first = json_loads(info("n1", last), 0, NULL);

	memset(&h, 0, sizeof(h));
	suspicions = unready = asked_whose = 0;
	wanted = false;
	come_up();
	settings.prefix = "p";
	settings.separator = '/';
	ck_assert_int_eq(nats_history_init(&h, client, &settings, &counters, &events), 0);
	h.epoch = nats_history_epoch_of(first);
	h.is_up = h.is_ready = true;
	h.last = last;
	nats_watch_begin(&h, first, true);
	json_decref(first);
	forget_heard();
}

static void end(void)
{
	struct list joining;

	list_init(&joining);
	nats_history_down(&h, &joining);
	nats_history_fini(&h);
}

START_TEST(where_all_is_well_nothing_is_looked_for)
{
	begin(10);
	for (unsigned i = 0; i < 4; i++)
		look("n1", 10);
	for (unsigned i = 1; i < 5; i++) /* of which some is of others */
		look("n1", 10 + i * 100);
	ck_assert_uint_eq(suspicions + unready + asked_whose, 0);
	ck_assert_ptr_null(strstr(servers[0].heard, "STREAM.MSG.GET"));
	end();
}
END_TEST

START_TEST(with_another_leader_topics_look_twice_from_where_all_was_well)
{
	begin(10);
	look("n1", 20);
	look("n1", 30);
	ck_assert_uint_eq(suspicions, 0);
	look("n2", 40);
	ck_assert_uint_eq(suspicions, 1);
	ck_assert_uint_eq(sound, 20);
	look("n2", 41);
	ck_assert_uint_eq(suspicions, 2);
	ck_assert_uint_eq(sound, 20);
	look("n2", 42);
	look("n2", 43);
	ck_assert_uint_eq(suspicions, 2);
	look("n1", 43);
	ck_assert_uint_eq(suspicions, 3);
	ck_assert_uint_ge(sound, 41);
	end();
}
END_TEST

START_TEST(where_nothing_is_new_there_is_nothing_to_look_for)
{
	begin(10);
	look("n2", 10);
	look("n3", 10);
	ck_assert_uint_eq(suspicions, 0);
	end();
}
END_TEST

START_TEST(another_cluster_is_a_trace_too)
{
	begin(10);
	look("n1", 20);
	look("n1", 20 + 5);
	nats_history_suspect(&h);
	ck_assert_uint_eq(nats_history_sound(&h), 10);
	look("n1", 30);
	look("n1", 30);
	look("n1", 30);
	ck_assert_uint_eq(suspicions, 2);
	end();
}
END_TEST

/* Once: whose it is does not change. */
START_TEST(the_last_message_of_a_quiet_stream_is_looked_for_if_it_is_wanted)
{
	wanted = false;
	begin(10);
	wanted = _i;
	look("n1", 11);
	look("n1", 11);
	answer(0, MESSAGE, "{\"message\":{\"subject\":\"p.h.topic.tea\",\"seq\":11,\"data\":\"\"}}");
	forget_heard();
	turns(3);
	ck_assert_uint_eq(asked_whose, 1);
	for (unsigned i = 0; i < 4; i++)
		look("n1", 11);
	ck_assert_uint_eq(suspicions, _i ? 2 : 0);
	ck_assert_uint_eq(asked_whose, 1);
	ck_assert(!_i || sound == 10);
	end();
}
END_TEST

START_TEST(one_that_cannot_be_had_is_nobodys)
{
	begin(10);
	look("n1", 11);
	look("n1", 11);
	answer(0, MESSAGE, "{\"error\":{\"code\":404,\"err_code\":10037,\"description\":\"no message found\"}}");
	forget_heard();
	turns(3);
	look("n1", 11);
	look("n1", 11);
	ck_assert_uint_eq(suspicions + unready + asked_whose, 0);
	end();
}
END_TEST

START_TEST(without_jetstream_it_is_not_ready)
{
	static const char *const errors[] = {
		"{\"error\":{\"code\":503,\"err_code\":10039,\"description\":\"JetStream not enabled for account\"}}",
		"{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}",
		"{\"created\":\"now\",\"state\":{\"last_seq\":1}}",
	};

	begin(10);
	look("n1", 10);
	answer(0, LOOK, errors[_i]);
	wait_for(&unready, 1);
	ck_assert(!h.is_ready && h.was_lost);
	forget_heard();
	wait_to_hear(0, LOOK); /* whether it is there again */
	ck_assert_uint_eq(unready, 1);
	end();
}
END_TEST

START_TEST(without_an_answer_it_is_not_ready_at_the_second_time)
{
	begin(10);
	wait_to_hear(0, LOOK);
	forget_heard();
	wait_to_hear(0, LOOK); /* again, and soon */
	ck_assert_uint_eq(unready, 0);
	if (_i) {
		look("n1", 12);
		ck_assert_uint_eq(suspicions, 1); /* what was lost meanwhile? */
		ck_assert_uint_eq(unready, 0);
	} else {
		wait_for(&unready, 1);
	}
	end();
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, where_all_is_well_nothing_is_looked_for);
	tcase_add_test(tc, with_another_leader_topics_look_twice_from_where_all_was_well);
	tcase_add_test(tc, where_nothing_is_new_there_is_nothing_to_look_for);
	tcase_add_test(tc, another_cluster_is_a_trace_too);
	tcase_add_loop_test(tc, the_last_message_of_a_quiet_stream_is_looked_for_if_it_is_wanted, 0, 2);
	tcase_add_test(tc, one_that_cannot_be_had_is_nobodys);
	tcase_add_loop_test(tc, without_jetstream_it_is_not_ready, 0, 3);
	tcase_add_loop_test(tc, without_an_answer_it_is_not_ready_at_the_second_time, 0, 2);
}

int main(void)
{
	return nats_tests_run("nats_watch", add);
}
