/*
 * tests/unit/test_broker_keep.c - what the broker puts into its store and when, and what it makes
 * of it after a restart.
 *
 * The store is a list in memory, which says that all is safe when the test wants it.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "broker_fixture.h"

enum { RECORDS = 200, BLOCK = 8 };

/* --- the store ------------------------------------------------------------------------ */

struct record {
	bool is_live;
	struct broker_message *message; /* only as long as it is live */
	uint64_t sequence, before;
	unsigned number, deliveries;
	char destination[40];
};

static struct record records[RECORDS];
static unsigned record_count;
static int put_fails;
static uint64_t reserved[PARTS_MAX];
static struct list waits;
static struct broker_identity identity;

static struct record *record_of(const struct broker_message *m)
{
	for (unsigned i = 0; i < record_count; i++)
		if (records[i].is_live && records[i].message == m)
			return &records[i];
	return NULL;
}

static int on_put(void *arg, struct broker_message *m, uint64_t before, struct broker_wait *w)
{
	struct record *r = &records[record_count];

	(void)arg;
	if (put_fails)
		return put_fails;
	record_count++;
	*r = (struct record){ .is_live = true,
		.message = m,
		.sequence = m->sequence,
		.before = before,
		.number = message_number(m) };
	snprintf(r->destination, sizeof(r->destination), "%.*s", (int)m->destination.n,
	    m->destination.p);
	if (w)
		list_append(&waits, &w->node);
	return 0;
}

static void on_follow(void *arg, struct broker_wait *w)
{
	(void)arg;
	if (list_empty(&waits))
		w->then(w, 0);
	else
		list_append(&waits, &w->node);
}

static void on_count(void *arg, struct broker_message *m, unsigned deliveries)
{
	(void)arg;
	if (record_of(m))
		record_of(m)->deliveries = deliveries;
}

static void on_drop(void *arg, struct broker_message *m)
{
	struct record *r = record_of(m);

	(void)arg;
	if (r)
		r->is_live = false;
}

static void on_reserve(void *arg, unsigned part, uint64_t end)
{
	(void)arg;
	reserved[part] = end;
}

static const struct broker_store store = { on_put, on_follow, on_count, on_drop, on_reserve, NULL,
	BLOCK };

static void safe(int verdict)
{
	struct list *first;

	while ((first = list_first(&waits)) != NULL) {
		struct broker_wait *w = container_of(first, struct broker_wait, node);

		list_remove(first);
		w->then(w, verdict);
	}
}

/* "1 2 3": numbers of what is live, as it was put. */
static const char *live(void)
{
	static char text[1000];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < record_count; i++)
		if (records[i].is_live)
			n += (size_t)snprintf(
			    text + n, sizeof(text) - n, "%s%u", n ? " " : "", records[i].number);
	return text;
}

/* --- life ----------------------------------------------------------------------------- */

static unsigned died, last_death_deliveries;
static bool buries;

static void on_died(void *arg, struct broker_message *m, enum broker_death why, unsigned deliveries)
{
	(void)arg, (void)why;
	died++;
	last_death_deliveries = deliveries;
	if (buries)
		on_drop(NULL, m);
}

static struct broker_history_rule history = { { "/topic/*", 8 }, 3, 0 };
static struct broker_limits limits;

static void begin_at(unsigned parts, uint64_t first)
{
	limits = (struct broker_limits){
		.max_queues = 2,
		.max_queue_messages = 4,
		.max_queue_bytes = 100000,
		.max_queues_bytes = 100000,
		.queue_expires_ms = 1000,
		.max_deliveries = 2,
		.died = on_died,
		.history = &history,
		.history_rules = 1,
		.max_history_bytes = 100000,
	};
	start_within(parts, '/', &limits);
	list_init(&waits);
	broker_use_store(broker, &store, &identity, first);
}

static void setup(void)
{
	clock_set(5000);
	record_count = died = 0;
	put_fails = 0;
	buries = true;
	memset(reserved, 0, sizeof(reserved));
	identity = (struct broker_identity){ 77, { 1, 2 } };
	begin_at(1, 100);
}

static void teardown(void)
{
	safe(-EPIPE);
	stop();
	clock_set(0);
}

/* The process dies: what it has had in memory is gone, and so are all consumers. */
static void restart(unsigned parts, uint64_t first, uint64_t age_ms, int expected)
{
	unsigned n = record_count;

	safe(-EPIPE);
	stop();
	begin_at(parts, first);
	for (unsigned i = 0; i < n; i++) {
		struct record *r = &records[i];
		struct broker_kept kept = { .is_queued = r->destination[1] == 'q',
			.before = r->before,
			.age_ms = age_ms,
			.deliveries = r->deliveries };

		if (!r->is_live)
			continue;
		kept.message = r->message = message_new(r->destination, r->number);
		r->message->sequence = r->sequence;
		r->message->owner = broker_owner_of(broker, r->message->destination);
		ck_assert_int_eq(broker_restore(broker, &kept), expected);
		if (expected < 0)
			r->is_live = false;
		broker_message_unref(kept.message);
	}
}

/* --- senders and consumers ---------------------------------------------------------------- */

static char verdicts[100];
static char taken[400];
static struct broker_place last_taken;

static void on_settled(struct broker_message *m, int verdict)
{
	size_t n = strlen(verdicts);

	snprintf(verdicts + n, sizeof(verdicts) - n, "%s%u:%d", n ? " " : "", message_number(m),
	    verdict);
}

static void send(const char *queue, unsigned number)
{
	struct broker_message *m = message_new(queue, number);

	m->settled = on_settled;
	ck_assert_int_eq(broker_publish(broker, m), 0);
	broker_message_unref(m);
}

/* "1 2+ 3*1": again, and how often before. */
static enum broker_taken on_take(
    void *receiver, uintptr_t label, struct broker_message *m, unsigned deliveries)
{
	size_t n = strlen(taken);

	(void)receiver, (void)label;
	n += (size_t)snprintf(taken + n, sizeof(taken) - n, "%s%u%s", n ? " " : "",
	    message_number(m), m->again ? "+" : "");
	if (deliveries)
		snprintf(taken + n, sizeof(taken) - n, "*%u", deliveries);
	last_taken = (struct broker_place){ m->owner, m->sequence };
	return BROKER_TAKEN;
}

static const struct broker_ops consuming = { .take = on_take };

static struct broker_member *consumer(
    const char *queue, enum broker_ack ack, struct broker_subscription **s)
{
	struct broker_member *m =
	    broker_join(broker_part(broker, 0), &consuming, BYTES("consumer"), BYTES(""));

	taken[0] = '\0';
	ck_assert_int_eq(broker_consume(m, bytes_of(queue), NULL, 0, ack, 10, s), 0);
	return m;
}

/* --- queues --------------------------------------------------------------------------------- */

START_TEST(a_sender_is_answered_when_its_message_is_safe)
{
	verdicts[0] = '\0';
	send("/queue/a", 1);
	send("/queue/a", 2);
	ck_assert_str_eq(live(), "1 2");
	ck_assert_str_eq(verdicts, "");
	safe(0);
	ck_assert_str_eq(verdicts, "1:0 2:0");
}
END_TEST

START_TEST(what_the_store_does_not_take_is_not_in_the_queue)
{
	struct broker_subscription *s;
	struct broker_member *m;
	char expected[40];

	verdicts[0] = '\0';
	put_fails = -EDQUOT;
	send("/queue/a", 1);
	put_fails = 0;
	snprintf(expected, sizeof(expected), "1:%d", -EDQUOT);
	ck_assert_str_eq(verdicts, expected);
	m = consumer("/queue/a", BROKER_AUTO, &s);
	ck_assert_str_eq(taken, "");
	broker_leave(m);
}
END_TEST

START_TEST(a_disk_that_fails_later_is_told_too_and_the_message_is_delivered)
{
	struct broker_subscription *s;
	struct broker_member *m;
	char expected[40];

	verdicts[0] = '\0';
	send("/queue/a", 1);
	safe(-EIO);
	snprintf(expected, sizeof(expected), "1:%d", -EIO);
	ck_assert_str_eq(verdicts, expected);
	m = consumer("/queue/a", BROKER_AUTO, &s);
	ck_assert_str_eq(taken, "1");
	broker_leave(m);
}
END_TEST

START_TEST(what_is_acknowledged_is_dropped)
{
	struct broker_subscription *s;
	struct broker_member *m = consumer("/queue/a", BROKER_INDIVIDUAL, &s);

	send("/queue/a", 1);
	send("/queue/a", 2);
	ck_assert_str_eq(taken, "1 2");
	broker_acknowledge(s, last_taken, true);
	ck_assert_str_eq(live(), "1");
	broker_leave(m);
	m = consumer("/queue/a", BROKER_AUTO, &s);
	ck_assert_str_eq(taken, "1*1");
	ck_assert_str_eq(live(), "");
	broker_leave(m);
}
END_TEST

START_TEST(what_comes_in_vain_is_counted_and_the_dead_is_kept_until_its_letter_is_safe)
{
	struct broker_subscription *s;
	struct broker_member *m = consumer("/queue/a", BROKER_INDIVIDUAL, &s);

	buries = false;
	send("/queue/a", 1);
	broker_acknowledge(s, last_taken, false);
	ck_assert_uint_eq(records[0].deliveries, 1);
	ck_assert_uint_eq(died, 0);
	broker_acknowledge(s, last_taken, false);
	ck_assert_uint_eq(died, 1);
	ck_assert_uint_eq(last_death_deliveries, 2);
	ck_assert_str_eq(live(), "1");
	broker_leave(m);
}
END_TEST

START_TEST(who_leaves_because_the_server_ends_is_not_to_blame)
{
	struct broker_subscription *s;
	struct broker_member *m = consumer("/queue/a", BROKER_INDIVIDUAL, &s);

	send("/queue/a", 1);
	ending = true;
	for (unsigned i = 0; i < 5; i++) {
		broker_leave(m);
		m = consumer("/queue/a", BROKER_INDIVIDUAL, &s);
		ck_assert_str_eq(taken, "1+");
	}
	ck_assert_uint_eq(died, 0);
	ck_assert_uint_eq(records[0].deliveries, 0);
	broker_leave(m);
}
END_TEST

START_TEST(a_queue_is_there_again_in_its_order_marked_and_counted)
{
	struct broker_subscription *s;
	struct broker_member *m = consumer("/queue/a", BROKER_INDIVIDUAL, &s);

	for (unsigned i = 1; i <= 3; i++)
		send("/queue/a", i);
	broker_acknowledge(s, last_taken, false); /* 3 */
	broker_leave(m);
	send("/queue/b", 4);
	send("/queue/c", 5); /* is one too many */
	restart(1, 200, 0, 0);
	send("/queue/a", 6);
	send("/queue/a", 7);
	send("/queue/a", 8); /* is one too many */
	m = consumer("/queue/a", BROKER_AUTO, &s);
	ck_assert_str_eq(taken, "1+*1 2+*1 6 7");
	ck_assert_str_eq(live(), "4");
	ck_assert_uint_eq(died, 1); /* 3 had come back twice */
	broker_leave(m);
}
END_TEST

START_TEST(time_goes_on_while_nobody_is_there)
{
	struct broker_subscription *s;
	struct broker_member *m;

	send("/queue/a", 1);
	restart(1, 200, 999, 0);
	m = consumer("/queue/a", BROKER_AUTO, &s);
	ck_assert_str_eq(taken, "1+");
	broker_leave(m);
}
END_TEST

START_TEST(what_has_expired_meanwhile_dies)
{
	struct broker_subscription *s;
	struct broker_member *m;

	send("/queue/a", 1);
	restart(1, 200, 1000000, 0);
	m = consumer("/queue/a", BROKER_AUTO, &s);
	ck_assert_str_eq(taken, "");
	ck_assert_uint_eq(died, 1);
	broker_leave(m);
}
END_TEST

START_TEST(a_queue_that_is_none_any_more_is_refused)
{
	struct broker_kept kept = { .is_queued = true };

	stop();
	limits.max_queues = 0;
	start_within(1, '/', &limits);
	broker_use_store(broker, &store, &identity, 100);
	kept.message = message_new("/queue/a", 1);
	ck_assert_int_eq(broker_restore(broker, &kept), -ENOTSUP);
	broker_message_unref(kept.message);
}
END_TEST

/* --- histories ------------------------------------------------------------------------------- */

struct recalled {
	bool recovered;
	char numbers[200];
};

static void on_recalled(void *arg, struct broker_message *const *all, size_t count, bool recovered,
    const struct broker_place *until)
{
	struct recalled *r = arg;
	size_t n = 0;

	(void)until;
	r->recovered = recovered;
	r->numbers[0] = '\0';
	for (size_t i = 0; i < count; i++)
		n += (size_t)snprintf(r->numbers + n, sizeof(r->numbers) - n, "%s%u", i ? " " : "",
		    message_number(all[i]));
}

static struct recalled recall(uint32_t owner, uint64_t sequence)
{
	const struct broker_place since = { owner, sequence };
	struct recalled r = { 0 };

	ck_assert_int_eq(broker_recall(broker_part(broker, 0), BYTES("/topic/a"),
	                     sequence ? &since : NULL, on_recalled, NULL, &r),
	    0);
	return r;
}

static uint64_t sequence_of(unsigned number)
{
	for (unsigned i = 0; i < record_count; i++)
		if (records[i].number == number)
			return records[i].sequence;
	ck_abort_msg("there is no such message");
	return 0;
}

static void publish_all(unsigned from, unsigned to)
{
	for (unsigned i = from; i <= to; i++)
		ck_assert_int_eq(publish_numbered("/topic/a", i), 0);
}

START_TEST(nobody_gets_what_is_not_safe)
{
	struct hearer h = { 0 };
	struct broker_member *m = join(0, "ann", "");

	subscribe(m, "/topic/a", &h, 0);
	publish_all(1, 2);
	ck_assert_uint_eq(h.count, 0);
	ck_assert_str_eq(recall(0, 0).numbers, "");
	safe(0);
	ck_assert_uint_eq(h.count, 2);
	ck_assert_uint_eq(h.heard[0].number, 1);
	ck_assert_str_eq(recall(0, 0).numbers, "1 2");
	broker_leave(m);
}
END_TEST

START_TEST(what_nothing_keeps_does_not_wait)
{
	struct hearer h = { 0 };
	struct broker_member *m = join(0, "ann", "");

	subscribe(m, "/topic/a/b", &h, 0);
	publish("/topic/a/b");
	ck_assert_uint_eq(h.count, 1);
	ck_assert_uint_eq(record_count, 0);
	broker_leave(m);
}
END_TEST

START_TEST(what_the_store_does_not_take_is_delivered_in_its_order_and_ends_what_it_has)
{
	struct hearer h = { 0 };
	struct broker_member *m = join(0, "ann", "");

	subscribe(m, "/topic/a", &h, 0);
	publish_all(1, 2);
	put_fails = -EDQUOT;
	publish_all(3, 3);
	put_fails = 0;
	ck_assert_uint_eq(h.count, 0);
	safe(0);
	ck_assert_uint_eq(h.count, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(h.heard[i].number, i + 1);
	ck_assert_str_eq(live(), "");
	ck_assert_str_eq(recall(0, 0).numbers, "1 2 3");
	publish_all(4, 4);
	safe(0);
	ck_assert_str_eq(live(), "4");
	ck_assert_uint_eq(records[2].before, records[1].sequence + 1);
	broker_leave(m);
}
END_TEST

START_TEST(what_falls_out_of_the_history_is_dropped)
{
	publish_all(1, 5);
	safe(0);
	ck_assert_str_eq(live(), "3 4 5");
}
END_TEST

START_TEST(a_history_goes_on_after_a_restart)
{
	uint64_t second, third;

	publish_all(1, 5);
	safe(0);
	second = sequence_of(2);
	third = sequence_of(3);
	restart(1, 200, 0, 0);
	publish_all(6, 6);
	safe(0);
	ck_assert_str_eq(recall(0, third).numbers, "4 5 6");
	ck_assert(recall(0, third).recovered);
	ck_assert(!recall(0, second).recovered);
	ck_assert_uint_ge(sequence_of(6), 200);
}
END_TEST

START_TEST(who_had_the_one_before_the_oldest_has_missed_nothing)
{
	uint64_t second;

	publish_all(1, 2);
	publish("/topic/other"); /* has a number between */
	publish_all(3, 5);
	safe(0);
	second = sequence_of(2);
	restart(1, 200, 0, 0);
	ck_assert(recall(0, second).recovered);
	ck_assert_str_eq(recall(0, second).numbers, "3 4 5");
}
END_TEST

START_TEST(a_hole_is_found)
{
	uint64_t first;

	publish_all(1, 3);
	safe(0);
	first = sequence_of(1);
	records[1].is_live = false;
	restart(1, 200, 0, 0);
	ck_assert(!recall(0, first).recovered);
	ck_assert_str_eq(recall(0, first).numbers, "3");
}
END_TEST

START_TEST(a_destination_whose_owner_has_changed_knows_its_own_alone)
{
	uint64_t second;

	publish_all(1, 3);
	safe(0);
	second = sequence_of(2);
	restart(1, 200, 0, 0);
	ck_assert(recall(3, second).recovered);
	ck_assert_str_eq(recall(3, second).numbers, "3");
	ck_assert(!recall(3, second + 50).recovered);
	publish_all(4, 4);
	safe(0);
	/* In this life there was no such owner */
	ck_assert(!recall(3, sequence_of(4)).recovered);
}
END_TEST

START_TEST(what_no_rule_keeps_any_more_is_refused)
{
	publish_all(1, 1);
	safe(0);
	history.pattern = BYTES("/topic/b");
	restart(1, 200, 0, -ENOENT);
	history.pattern = BYTES("/topic/*");
	ck_assert_str_eq(recall(0, 0).numbers, "");
}
END_TEST

/* --- numbers -----------------------------------------------------------------------------------
 */

START_TEST(numbers_are_reserved_before_they_are_given_and_apart_from_those_of_others)
{
	uint64_t last = 0;

	stop();
	begin_at(3, 100);
	for (unsigned i = 0; i < 50; i++) {
		struct broker_message *m = message_new("/topic/a", 1);
		uint64_t block;

		ck_assert_int_eq(broker_publish(broker, m), 0);
		settle();
		safe(0);
		settle();
		ck_assert_uint_gt(m->sequence, last);
		last = m->sequence;
		block = (last - 100) / BLOCK;
		ck_assert_uint_eq(block % 3, m->owner);
		ck_assert(last < 100 + 3 * BLOCK || last < reserved[m->owner]);
		ck_assert_uint_lt(last, broker_reserved(broker_part(broker, m->owner)));
		broker_message_unref(m);
	}
	ck_assert_uint_gt(last, 100 + 6 * 3 * BLOCK - BLOCK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("broker_keep");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_sender_is_answered_when_its_message_is_safe);
	tcase_add_test(tc, what_the_store_does_not_take_is_not_in_the_queue);
	tcase_add_test(tc, a_disk_that_fails_later_is_told_too_and_the_message_is_delivered);
	tcase_add_test(tc, what_is_acknowledged_is_dropped);
	tcase_add_test(
	    tc, what_comes_in_vain_is_counted_and_the_dead_is_kept_until_its_letter_is_safe);
	tcase_add_test(tc, who_leaves_because_the_server_ends_is_not_to_blame);
	tcase_add_test(tc, a_queue_is_there_again_in_its_order_marked_and_counted);
	tcase_add_test(tc, time_goes_on_while_nobody_is_there);
	tcase_add_test(tc, what_has_expired_meanwhile_dies);
	tcase_add_test(tc, a_queue_that_is_none_any_more_is_refused);
	tcase_add_test(tc, nobody_gets_what_is_not_safe);
	tcase_add_test(tc, what_nothing_keeps_does_not_wait);
	tcase_add_test(
	    tc, what_the_store_does_not_take_is_delivered_in_its_order_and_ends_what_it_has);
	tcase_add_test(tc, what_falls_out_of_the_history_is_dropped);
	tcase_add_test(tc, a_history_goes_on_after_a_restart);
	tcase_add_test(tc, who_had_the_one_before_the_oldest_has_missed_nothing);
	tcase_add_test(tc, a_hole_is_found);
	tcase_add_test(tc, a_destination_whose_owner_has_changed_knows_its_own_alone);
	tcase_add_test(tc, what_no_rule_keeps_any_more_is_refused);
	tcase_add_test(
	    tc, numbers_are_reserved_before_they_are_given_and_apart_from_those_of_others);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
