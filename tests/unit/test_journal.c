/*
 * tests/unit/test_journal.c - what is put into a journal and not dropped is there again.
 *
 * What crashes leave is in test_journal_crash.c.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "journal_fixture.h"

/* --- checksums ------------------------------------------------------------------- */

START_TEST(the_checksum_is_crc32c)
{
	char zeros[32] = { 0 }, ones[32];

	memset(ones, 0xff, sizeof(ones));
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(crc32c(0, zeros, 32), 0x8a9136aa); /* RFC 3720 B.4 */
	ck_assert_uint_eq(crc32c(0, ones, 32), 0x62a8ab43);
	ck_assert_uint_eq(crc32c(0, "", 0), 0);
}
END_TEST

START_TEST(the_table_says_what_the_instruction_says_of_any_length_and_in_pieces)
{
	unsigned char text[300];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(i * i + 7 * i);
	for (size_t n = 0; n < sizeof(text); n++) {
		uint32_t whole = crc32c(0, text, n), half = crc32c(0, text, n / 2);

		ck_assert_uint_eq(whole, crc32c_by_table(0, text, n));
		ck_assert_uint_eq(whole, crc32c(half, text + n / 2, n - n / 2));
	}
}
END_TEST

/* --- put and drop ------------------------------------------------------------------ */

START_TEST(a_new_journal_is_empty_and_its_directory_is_made)
{
	char deep[sizeof(directory)];

	snprintf(deep, sizeof(deep), "%s", directory);
	ck_assert_int_eq(rmdir(directory), 0);
	must_open();
	ck_assert_uint_eq(told_count, 0);
	ck_assert_int_eq(access(deep, R_OK), 0);
	must_close();
}
END_TEST

START_TEST(what_is_put_is_told_again_in_order)
{
	must_open();
	for (int i = 0; i < 50; i++)
		put();
	must_close();
	must_open();
	ck_assert_uint_eq(told_count, 50);
	ck_assert(told_is_state_after(50));
	must_close();
}
END_TEST

START_TEST(what_is_dropped_is_not_told_again)
{
	must_open();
	for (int i = 0; i < 50; i++)
		put();
	for (uint64_t n = 1; n <= 50; n += 2)
		drop(n);
	must_close();
	must_open();
	ck_assert_uint_eq(told_count, 25);
	ck_assert(told_is_state_after(op_count));
}
END_TEST

START_TEST(a_record_may_be_empty_or_longer_than_a_segment)
{
	must_open();
	length_most = 0;
	put();
	length_most = 20000;
	put();
	ck_assert_uint_gt(records[2].length, options.segment_bytes);
	put();
	put();
	must_close();
	length_most = 0; /* the first one is of that */
	ck_assert_uint_eq(length_of_number(1), 0);
	length_most = 20000;
	options.recovered = NULL;
	must_open();
	ck_assert_uint_eq(journal_counters(journal)->recovered, 4);
}
END_TEST

START_TEST(a_record_that_is_too_long_is_refused)
{
	const struct iovec pieces[] = { { why, SIZE_MAX / 2 }, { why, SIZE_MAX / 2 }, { why, 2 } };
	const struct iovec piece = { why, JOURNAL_RECORD_MAX + (size_t)1 };

	must_open();
	ck_assert_int_eq(journal_put(journal, &records[1], pieces, 3), -EMSGSIZE);
	ck_assert_int_eq(journal_put(journal, &records[1], &piece, 1), -EMSGSIZE);
	ck_assert_uint_eq(journal_counters(journal)->live_records, 0);
}
END_TEST

/* Sometimes no record and no drop is left in any segment. */
START_TEST(numbers_rise_over_restarts_even_if_nothing_is_left)
{
	for (uint64_t count = 1; count <= 100; count++) {
		clean();
		op_count = 0;
		must_open();
		for (uint64_t n = 0; n < count; n++)
			put();
		for (uint64_t n = 1; n <= count; n++)
			drop(n);
		while (journal_due_ms(journal) == 0)
			journal_flush(journal);
		must_close();
		must_open();
		ck_assert_uint_eq(told_count, 0);
		ck_assert_uint_eq(journal->next, count + 1);
		must_close();
	}
}
END_TEST

static int want_even(void *arg, uint64_t number, struct bytes body, struct journal_record **record)
{
	(void)arg, (void)body;
	*record = number % 2 ? NULL : &records[number];
	return 0;
}

START_TEST(what_nobody_wants_at_the_start_is_dropped)
{
	journal_recovered_fn normally = options.recovered;

	must_open();
	for (int i = 0; i < 20; i++)
		put();
	must_close();
	options.recovered = want_even;
	must_open();
	ck_assert_uint_eq(journal_counters(journal)->recovered, 20);
	ck_assert_uint_eq(journal_counters(journal)->live_records, 10);
	must_close();
	options.recovered = normally;
	must_open();
	ck_assert_uint_eq(told_count, 10);
	ck_assert_uint_eq(told[0], 2);
}
END_TEST

static int refuse_all(void *arg, uint64_t number, struct bytes body, struct journal_record **record)
{
	(void)arg, (void)number, (void)body, (void)record;
	return -ENOBUFS;
}

START_TEST(who_is_told_may_refuse_and_nothing_is_lost)
{
	journal_recovered_fn normally = options.recovered;

	must_open();
	put();
	must_close();
	options.recovered = refuse_all;
	ck_assert_int_eq(try_open(), -ENOBUFS);
	ck_assert_ptr_nonnull(strstr(why, "record 1"));
	options.recovered = normally;
	must_open();
	ck_assert_uint_eq(told_count, 1);
}
END_TEST

START_TEST(a_restart_that_changes_nothing_makes_no_file_larger)
{
	uint64_t bytes;

	must_open();
	put();
	must_close();
	must_open();
	bytes = journal_counters(journal)->file_bytes;
	for (int i = 0; i < 5; i++) {
		must_close();
		must_open();
		ck_assert_uint_eq(journal_counters(journal)->file_bytes, bytes);
	}
}
END_TEST

START_TEST(two_cannot_have_a_journal_at_a_time)
{
	struct journal *other = NULL;
	char text[64];

	must_open();
	ck_assert_int_eq(journal_open(&other, directory, &options, why, sizeof(why)), -EBUSY);
	snprintf(text, sizeof(text), "in use by process %d", (int)getpid());
	ck_assert_ptr_nonnull(strstr(why, text));
	ck_assert_ptr_null(other);
	put();
	must_close();
	must_open();
}
END_TEST

START_TEST(options_out_of_range_are_refused)
{
	options.segment_bytes = 1023;
	ck_assert_int_eq(try_open(), -EINVAL);
	options.segment_bytes = 1024;
	options.max_bytes = 4095;
	ck_assert_int_eq(try_open(), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "max_bytes"));
}
END_TEST

START_TEST(a_directory_that_cannot_be_is_refused_by_name)
{
	char file[sizeof(directory)];

	snprintf(file, sizeof(file), "%s", directory);
	snprintf(directory, sizeof(directory), "%.40s/no/such", file);
	ck_assert_int_eq(try_open(), -ENOENT);
	ck_assert_ptr_nonnull(strstr(why, directory));
	snprintf(directory, sizeof(directory), "/dev/null");
	ck_assert_int_eq(try_open(), -ENOTDIR);
	memcpy(directory, file, sizeof(file));
}
END_TEST

START_TEST(other_files_in_the_directory_are_left_alone)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/1.segment", directory);
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	fputs("somebody's", f);
	fclose(f);
	must_open();
	put();
	must_close();
	must_open();
	ck_assert_uint_eq(told_count, 1);
	ck_assert_int_eq(access(path, R_OK), 0);
}
END_TEST

START_TEST(a_segment_that_is_no_file_is_refused)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/0000000000000001.segment", directory);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(try_open(), -EINVAL);
	unlink(path);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(try_open(), -ELOOP);
	ck_assert_ptr_nonnull(strstr(why, path));
}
END_TEST

/* --- what is durable ------------------------------------------------------------------ */

START_TEST(a_put_is_durable_after_a_flush_and_not_before)
{
	uint64_t mark;

	must_open();
	put();
	mark = journal_mark(journal);
	ck_assert_uint_lt(journal_durable(journal), mark);
	ck_assert_uint_eq(journal_due_ms(journal), 0);
	journal_flush(journal);
	ck_assert_uint_eq(journal_durable(journal), mark);
	ck_assert_uint_eq(journal_due_ms(journal), UINT64_MAX);
}
END_TEST

START_TEST(all_of_a_turn_is_one_write_and_one_sync)
{
	uint64_t writes, syncs;

	options.segment_bytes = 1 << 20;
	must_open();
	writes = journal_counters(journal)->writes;
	syncs = journal_counters(journal)->syncs;
	for (int i = 0; i < 1000; i++)
		put();
	journal_flush(journal);
	ck_assert_uint_eq(journal_counters(journal)->writes, writes + 1);
	ck_assert_uint_eq(journal_counters(journal)->syncs, syncs + 1);
}
END_TEST

START_TEST(with_an_interval_syncs_come_no_oftener_than_that)
{
	uint64_t mark;

	clock_set(1000000);
	options.sync = JOURNAL_SYNC_INTERVAL;
	options.interval_ms = 500;
	must_open();
	put();
	journal_flush(journal);
	put();
	journal_flush(journal);
	mark = journal_mark(journal);
	ck_assert_uint_eq(journal_written(journal), mark);
	ck_assert_uint_lt(journal_durable(journal), mark);
	ck_assert_uint_eq(journal_due_ms(journal), 1000500);
	clock_set(1000500);
	journal_flush(journal);
	ck_assert_uint_eq(journal_durable(journal), mark);
	ck_assert_uint_eq(journal_due_ms(journal), UINT64_MAX);
	clock_set(0);
}
END_TEST

START_TEST(without_syncs_what_is_written_counts)
{
	uint64_t syncs;

	options.sync = JOURNAL_SYNC_NEVER;
	must_open();
	syncs = journal_counters(journal)->syncs;
	put();
	journal_flush(journal);
	ck_assert_uint_eq(journal_durable(journal), journal_mark(journal));
	ck_assert_uint_eq(journal_counters(journal)->syncs, syncs);
	ck_assert_int_eq(journal_wait(journal), 0);
	ck_assert_uint_eq(journal_counters(journal)->syncs, syncs + 1);
}
END_TEST

/* As a loop does it. */
static void poll_until_durable(uint64_t mark)
{
	for (int i = 0; i < 1000 && journal_durable(journal) < mark; i++) {
		struct pollfd p = { journal_fd(journal), POLLIN, 0 };

		ck_assert_int_eq(poll(&p, 1, 10000), 1);
		ck_assert_int_eq(journal_poll(journal), 0);
	}
	ck_assert_uint_ge(journal_durable(journal), mark);
}

START_TEST(the_ring_says_by_its_descriptor_when_something_is_durable)
{
	struct pollfd p = { .events = POLLIN };

	options.blocking = false;
	must_open();
	if (journal_fd(journal) < 0)
		return; /* no io_uring here */
	for (int i = 0; i < 200; i++) {
		put();
		put();
		journal_flush(journal);
		put(); /* while the others are under way */
		journal_flush(journal);
		poll_until_durable(journal_mark(journal));
	}
	journal_poll(journal);
	p.fd = journal_fd(journal);
	ck_assert_int_eq(poll(&p, 1, 0), 0); /* or a loop would spin */
	must_close();
	must_open();
	ck_assert_uint_eq(told_count, 600);
}
END_TEST

/* --- limits ----------------------------------------------------------------------------- */

START_TEST(a_put_that_exceeds_the_limit_is_refused_and_drops_make_room)
{
	int err = 0;
	uint64_t n = 0;

	options.max_bytes = 16 * 1024;
	must_open();
	while (err == 0 && n++ < 1000) {
		err = try_put();
		journal_flush(journal);
		ck_assert_uint_le(journal_counters(journal)->file_bytes, options.max_bytes);
	}
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_uint_gt(n, 100);
	for (uint64_t i = 1; i < n; i++)
		drop(i);
	for (int i = 0; i < 5; i++)
		journal_flush(journal);
	ck_assert_uint_le(journal_counters(journal)->file_bytes, options.max_bytes);
	put();
	must_close();
	must_open();
	ck_assert_uint_eq(told_count, 1);
}
END_TEST

START_TEST(what_waits_for_a_slow_disk_is_bounded)
{
	int err = 0;

	options.max_pending_bytes = 4096;
	must_open();
	for (int i = 0; i < 1000 && err == 0; i++)
		err = try_put();
	ck_assert_int_eq(err, -EAGAIN);
	ck_assert_uint_le(journal->pending_bytes, 4096);
	drop(1);
	journal_flush(journal);
	put();
}
END_TEST

/* --- compaction ----------------------------------------------------------------------------- */

static void check_bound(void)
{
	const struct journal_counters *c = journal_counters(journal);

	journal_flush(journal);
	for (int i = 0; i < 1000 && journal_due_ms(journal) == 0; i++)
		journal_flush(journal);
	ck_assert(!journal_wants_compaction(journal));
	ck_assert_uint_le(c->file_bytes, 2 * c->live_bytes + 2 * options.segment_bytes);
}

START_TEST(segments_of_which_nothing_is_live_are_removed)
{
	struct image image;

	must_open();
	for (int i = 0; i < 200; i++)
		put();
	for (uint64_t n = 1; n <= 200; n++)
		drop(n);
	check_bound();
	ck_assert_uint_le(journal_counters(journal)->segments, 2);
	take_image(&image);
	ck_assert_uint_eq(image.count, journal_counters(journal)->segments);
	free_image(&image);
	ck_assert_uint_eq(journal_counters(journal)->copied_bytes, 0);
}
END_TEST

START_TEST(few_live_records_in_many_segments_are_copied_forward)
{
	must_open();
	for (int i = 0; i < 1000; i++) {
		put();
		if (i % 10 == 0)
			journal_flush(journal);
	}
	for (uint64_t n = 1; n <= 1000; n++)
		if (n % 50)
			drop(n);
	check_bound();
	ck_assert_uint_gt(journal_counters(journal)->copied_bytes, 0);
	ck_assert_uint_le(journal_counters(journal)->segments, 7);
	must_close();
	must_open();
	ck_assert_uint_eq(told_count, 20);
	ck_assert(told_is_state_after(op_count));
}
END_TEST

/* While a queue flows past a record that nobody takes. */
START_TEST(the_disk_holds_no_more_than_a_factor_of_what_is_live)
{
	const struct journal_counters *c;
	uint64_t state = 1, most = 0;

	options.segment_bytes = 4096;
	must_open();
	c = journal_counters(journal);
	for (int i = 0; i < 2000; i++) {
		uint64_t bound;

		random_steps(&state, 20, i < 1000 ? 300 : 30);
		journal_flush(journal);
		bound = 2 * c->live_bytes + 2 * options.segment_bytes;
		if (i != 1000 && c->file_bytes > bound && c->file_bytes - bound > most)
			most = c->file_bytes - bound;
	}
	ck_assert_uint_le(most, 20 * 128); /* what a step appends before it is flushed */
	check_bound();
	ck_assert_uint_lt(c->copied_bytes, 4 * 2000 * 20 * 80);
	must_close();
	must_open();
	ck_assert(told_is_state_after(op_count));
}
END_TEST

START_TEST(a_flush_copies_a_bounded_amount)
{
	uint64_t before;

	options.segment_bytes = 8 << 20;
	length_most = 2000;
	must_open();
	for (int i = 0; i < 20000; i++) {
		put();
		if (i % 100 == 0)
			journal_flush(journal);
	}
	for (uint64_t n = 1; n <= 20000; n++)
		if (n % 5)
			drop(n);
	journal_flush(journal);
	for (int i = 0; i < 200; i++) {
		before = journal_counters(journal)->copied_bytes;
		journal_flush(journal);
		ck_assert_uint_le(
		    journal_counters(journal)->copied_bytes - before, (256 << 10) + 2048);
	}
	check_bound();
}
END_TEST

/* --- memory ------------------------------------------------------------------------------------
 */

static void live_a_little(void)
{
	uint64_t state = 5;

	if (try_open() < 0) {
		ck_assert_uint_gt(strlen(why), 0);
		return;
	}
	random_steps(&state, 120, 10);
	journal_flush(journal);
	ck_assert_int_eq(journal_error(journal, NULL), 0);
}

/* A drop that was not written down may come back. */
static bool told_is_right(void)
{
	if (unsure)
		ops[op_count] = (struct op){ .is_drop = true, .number = unsure };
	return told_is_state_after(op_count) || (unsure && told_is_state_after(op_count + 1));
}

static bool run_out_at(unsigned long nth)
{
	bool failed;

	clean();
	op_count = 0;
	unsure = 0;
	must_open();
	for (int i = 0; i < 40; i++)
		put();
	must_close();
	mem_fail_at(nth);
	live_a_little();
	failed = mem_failed();
	mem_fail_at(0);
	if (journal)
		must_close();
	must_open();
	ck_assert(told_is_right());
	must_close();
	return failed;
}

/* Puts fail, compaction waits, and openings say why; nothing else changes. */
START_TEST(memory_may_run_out_at_any_time)
{
	unsigned long n = 1;

	options.blocking = _i;
	while (n < 2000 && run_out_at(n))
		n++;
	ck_assert_uint_lt(n, 2000);
	ck_assert_uint_gt(n, 25);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120); /* a machine may be busy */
	tcase_add_checked_fixture(tc, journal_setup, journal_teardown);
	tcase_add_test(tc, the_checksum_is_crc32c);
	tcase_add_test(tc, the_table_says_what_the_instruction_says_of_any_length_and_in_pieces);
	tcase_add_test(tc, a_new_journal_is_empty_and_its_directory_is_made);
	tcase_add_test(tc, what_is_put_is_told_again_in_order);
	tcase_add_test(tc, what_is_dropped_is_not_told_again);
	tcase_add_test(tc, a_record_may_be_empty_or_longer_than_a_segment);
	tcase_add_test(tc, a_record_that_is_too_long_is_refused);
	tcase_add_test(tc, numbers_rise_over_restarts_even_if_nothing_is_left);
	tcase_add_test(tc, what_nobody_wants_at_the_start_is_dropped);
	tcase_add_test(tc, who_is_told_may_refuse_and_nothing_is_lost);
	tcase_add_test(tc, a_restart_that_changes_nothing_makes_no_file_larger);
	tcase_add_test(tc, two_cannot_have_a_journal_at_a_time);
	tcase_add_test(tc, options_out_of_range_are_refused);
	tcase_add_test(tc, a_directory_that_cannot_be_is_refused_by_name);
	tcase_add_test(tc, other_files_in_the_directory_are_left_alone);
	tcase_add_test(tc, a_segment_that_is_no_file_is_refused);
	tcase_add_test(tc, a_put_is_durable_after_a_flush_and_not_before);
	tcase_add_test(tc, all_of_a_turn_is_one_write_and_one_sync);
	tcase_add_test(tc, with_an_interval_syncs_come_no_oftener_than_that);
	tcase_add_test(tc, without_syncs_what_is_written_counts);
	tcase_add_test(tc, the_ring_says_by_its_descriptor_when_something_is_durable);
	tcase_add_test(tc, a_put_that_exceeds_the_limit_is_refused_and_drops_make_room);
	tcase_add_test(tc, what_waits_for_a_slow_disk_is_bounded);
	tcase_add_test(tc, segments_of_which_nothing_is_live_are_removed);
	tcase_add_test(tc, few_live_records_in_many_segments_are_copied_forward);
	tcase_add_test(tc, the_disk_holds_no_more_than_a_factor_of_what_is_live);
	tcase_add_test(tc, a_flush_copies_a_bounded_amount);
	tcase_add_loop_test(tc, memory_may_run_out_at_any_time, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
