/*
 * tests/unit/test_journal_crash.c - a journal after a crash: what it tells is the state after some
 * put or drop, and everything that was durable is in it.
 *
 * Crashes are made by cutting the files at every octet, by a disk that fails at every operation,
 * and by kill -9; damage by turning bits.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal_fixture.h"

/* --- cuts ------------------------------------------------------------------------------ */

/* Where the files ended when the last segment was removed: no crash comes before that, since it was
 * removed only when this was durable. */
static uint64_t floor_sequence, floor_end;

static void flush_and_note(void)
{
	do {
		uint64_t oldest = journal_oldest(journal)->sequence;

		journal_flush(journal);
		if (journal_oldest(journal)->sequence > oldest) {
			floor_sequence = journal_tail(journal)->sequence;
			floor_end = journal_tail(journal)->written;
		}
	} while (journal_due_ms(journal) == 0);
}

static void work(uint64_t *state, unsigned rounds, unsigned steps, unsigned live_about)
{
	floor_sequence = 1;
	floor_end = JOURNAL_HEADER;
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned k = 0; k < steps; k++) {
			uint64_t random = next_random(state);

			if (random / 128 % (2 * live_about) >=
			    journal_counters(journal)->live_records)
				put();
			else
				drop(any_live(random >> 32));
		}
		flush_and_note();
	}
}

static bool is_before_floor(uint64_t sequence, size_t cut)
{
	return sequence < floor_sequence || (sequence == floor_sequence && cut < floor_end);
}

static void check_cut(const struct image *image, unsigned last, size_t cut)
{
	uint64_t sequence = image->files[last].sequence;

	restore_image(image, last, cut);
	must_open();
	if (!told_is_state_after(ops_before(sequence, cut)))
		ck_abort_msg("cut at %zu of segment %lu: %zu told", cut, (unsigned long)sequence,
		    told_count);
	must_close();
}

/* With the segments behind it gone, as if they had not begun. */
static unsigned cut_everywhere(const struct image *image, unsigned last)
{
	unsigned cuts = 0;

	for (size_t cut = 0; cut <= image->files[last].n; cut++)
		if (!is_before_floor(image->files[last].sequence, cut)) {
			check_cut(image, last, cut);
			cuts++;
		}
	return cuts;
}

START_TEST(a_cut_at_any_octet_leaves_the_state_before_it)
{
	uint64_t state = (uint64_t)_i;
	unsigned cuts = 0;
	struct image image;

	length_most = 40;
	must_open();
	work(&state, 12, 6, 5 + 10 * (unsigned)_i);
	for (int i = 0; i < 12; i++) {
		put();
		if (i % 3)
			flush_and_note();
	}
	take_image(&image);
	crash();
	for (unsigned i = image.count; i > 0 && i + 3 > image.count; i--)
		cuts += cut_everywhere(&image, i - 1);
	must(cuts > 200);
	free_image(&image);
}
END_TEST

/* Whatever a sector holds that was not written: here, octets of before, and zeros. */
START_TEST(a_torn_end_may_hold_anything)
{
	uint64_t state = 77;
	struct image image;
	size_t n, written;
	char *p;

	options.segment_bytes = 1 << 20;
	length_most = 60;
	must_open();
	work(&state, 3, 6, 20);
	written = journal_tail(journal)->written;
	for (int i = 0; i < 4; i++)
		put();
	disk_fail_at(1, EIO);
	journal_flush(journal);
	take_image(&image);
	crash();
	p = image.files[image.count - 1].p;
	n = image.files[image.count - 1].n;
	must(n > written);
	for (int i = 0; i < 500; i++) {
		for (size_t at = written; at < n; at++)
			p[at] = i == 0 ? 0 : (char)next_random(&state);
		restore_image(&image, image.count - 1, n);
		must_open();
		must(told_is_state_after(
		    ops_before(image.files[image.count - 1].sequence, written)));
		must_close();
	}
	free_image(&image);
}
END_TEST

START_TEST(cuts_of_a_large_journal_leave_the_state_before_them)
{
	uint64_t state = 4711;
	struct image image;

	options.segment_bytes = 64 << 10;
	length_most = 2000;
	must_open();
	work(&state, 60, 50, 100);
	take_image(&image);
	crash();
	for (int i = 0; i < 150; i++) {
		unsigned last = image.count - 1 - (unsigned)(next_random(&state) % 2) % image.count;
		size_t cut = (size_t)(next_random(&state) % (image.files[last].n + 1));

		if (!is_before_floor(image.files[last].sequence, cut))
			check_cut(&image, last, cut);
	}
	free_image(&image);
}
END_TEST

/* A segment that was removed may be there again: its name is gone from the directory only when the
 * directory is synced. */
START_TEST(a_removed_segment_that_comes_back_is_not_taken_up)
{
	struct image before, after;
	uint64_t state = 3;

	must_open();
	for (int i = 0; i < 60; i++)
		put();
	flush_and_note();
	take_image(&before);
	for (uint64_t n = 1; n <= 60; n++)
		drop(n);
	work(&state, 5, 5, 10);
	take_image(&after);
	must_close();
	must(after.files[0].sequence > before.files[2].sequence);
	/* one of them, so that there is a gap behind it */
	memmove(after.files + 1, after.files, after.count * sizeof(after.files[0]));
	after.files[0] = before.files[1];
	after.count++;
	restore_image(&after, after.count - 1, after.files[after.count - 1].n);
	must_open();
	must(told_is_state_after(op_count));
	must_close();
	after.files[0].p = NULL;
	free_image(&after);
	free_image(&before);
}
END_TEST

/* --- a disk that fails -------------------------------------------------------------------- */

/* How many ops were durable. */
static size_t count_safe(void)
{
	uint64_t durable = journal_durable(journal);
	size_t safe = 0;

	while (safe < op_count && ops[safe].mark <= durable)
		safe++;
	return safe;
}

static void check_failed(int err)
{
	const char *sentence;

	must(journal_error(journal, &sentence) == -err);
	must(strstr(sentence, strerror(err)));
	must(strstr(sentence, directory));
	must(try_put() == -err);
	must(journal_flush(journal) == -err);
	must(journal_due_ms(journal) == UINT64_MAX);
	must(journal_close(journal) == -err);
	journal = NULL;
}

static bool fail_once(unsigned long nth, int err, uint64_t seed)
{
	bool failed;
	size_t safe;

	must_open();
	disk_fail_at(nth, err);
	random_steps(&seed, 300, 12);
	journal_wait(journal);
	disk_fail_at(0, 0);
	safe = count_safe();
	failed = journal_error(journal, NULL) < 0;
	if (failed) {
		check_failed(err);
	} else {
		must(safe == op_count);
		must_close();
	}
	must_open();
	if (!told_is_state_after_at_least(safe))
		ck_abort_msg("operation %lu failed: %zu told, %zu of %zu were safe", nth,
		    told_count, safe, op_count);
	must_close();
	return failed;
}

/* Half of what it should write is there. Nothing is tried again. */
START_TEST(a_disk_that_fails_at_any_operation_loses_nothing_that_was_durable)
{
	unsigned failed = 0;

	options.blocking = _i;
	for (unsigned long n = 1; n <= 150; n++) {
		clean();
		op_count = 0;
		failed += fail_once(n, n % 3 ? EIO : ENOSPC, n % 5);
	}
	must(failed > 20);
}
END_TEST

START_TEST(a_file_that_may_not_grow_ends_the_journal_and_loses_nothing)
{
	struct rlimit limit, before;
	size_t safe;
	int err = 0;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 5000;
	options.blocking = _i;
	options.segment_bytes = 1 << 20;
	must_open();
	setrlimit(RLIMIT_FSIZE, &limit);
	for (int i = 0; i < 1000 && err == 0; i++) {
		err = try_put();
		if (err == 0 && i % 3 == 0)
			err = journal_wait(journal);
	}
	setrlimit(RLIMIT_FSIZE, &before);
	must(err == -EFBIG);
	safe = count_safe();
	must(safe > 10);
	must(journal_close(journal) == -EFBIG);
	must_open();
	must(told_is_state_after_at_least(safe));
	must(journal_counters(journal)->cut_bytes > 0);
}
END_TEST

/* In a namespace of its own; where that is not allowed, nothing is tried. */
static int fill_a_small_disk(void)
{
	size_t safe;
	int err = 0;

	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", directory, "tmpfs", 0, "size=64k") < 0)
		return 77;
	options.segment_bytes = 16 << 10;
	if (try_open() < 0)
		return 1;
	for (int i = 0; i < 10000 && err == 0; i++) {
		err = try_put();
		if (err == 0)
			err = journal_wait(journal);
	}
	safe = count_safe();
	if (err != -ENOSPC || safe < 100 || journal_close(journal) != -ENOSPC)
		return 2;
	if (try_open() < 0 || !told_is_state_after_at_least(safe))
		return 3;
	return 0;
}

START_TEST(a_full_disk_ends_the_journal_and_loses_nothing)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fill_a_small_disk());
	must(waitpid(pid, &status, 0) == pid);
	must(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		fprintf(stderr, "no namespace to mount a small disk in\n");
	else
		must(WEXITSTATUS(status) == 0);
}
END_TEST

/* --- a machine that dies ----------------------------------------------------------------- */

/* Of what was not synced anything may be there: a part, none, or zeros. */
static void lose_unsynced(struct image *image, unsigned i, uint64_t *state)
{
	const struct journal_segment *s = journal_oldest(journal);
	size_t n = image->files[i].n, lost;

	while (s->sequence != image->files[i].sequence && s != journal_tail(journal))
		s = journal_after(s);
	if (s->sequence != image->files[i].sequence || s->synced >= n)
		return;
	lost = (size_t)(next_random(state) % (n - s->synced + 1));
	if (next_random(state) % 2)
		image->files[i].n -= lost;
	else
		memset(image->files[i].p + s->synced, 0, lost);
}

static size_t count_synced(void)
{
	size_t safe = 0;

	while (safe < op_count && ops[safe].mark <= journal->synced)
		safe++;
	return safe;
}

static void die_and_recover(uint64_t *state)
{
	size_t safe = count_synced();
	struct image image;

	take_image(&image);
	for (unsigned i = 0; i < image.count; i++)
		lose_unsynced(&image, i, state);
	crash();
	restore_image(&image, image.count - 1, image.files[image.count - 1].n);
	free_image(&image);
	must_open();
	must(told_is_state_after_at_least(safe));
	for (size_t i = 0; i < op_count; i++)
		ops[i].mark = 0;
}

START_TEST(a_machine_that_dies_at_any_time_keeps_what_was_synced)
{
	uint64_t state = (uint64_t)_i;

	options.sync = _i % 3;
	options.interval_ms = 2;
	must_open();
	for (int i = 0; i < 150; i++) {
		random_steps(&state, (unsigned)(next_random(&state) % 60), 15);
		die_and_recover(&state);
	}
	must(op_count > 500);
}
END_TEST

/* --- damage ------------------------------------------------------------------------------------
 */

static void check_told_is_part(void)
{
	for (size_t i = 0; i < told_count; i++) {
		size_t k = 0;

		while (k < op_count && ops[k].number != told[i])
			k++;
		must(k < op_count);
	}
}

static void check_repair(void)
{
	size_t count;

	options.repair = true;
	must_open();
	options.repair = false;
	must(journal_counters(journal)->damaged >= 1);
	check_told_is_part();
	count = told_count;
	put();
	must_close();
	must_open(); /* nothing is damaged any more */
	must(told_count == count + 1);
	must_close();
	op_count--;
}

static bool is_refused(const struct image *image)
{
	int err;

	restore_image(image, image->count - 1, image->files[image->count - 1].n);
	err = try_open();
	if (err < 0) {
		must(err == -EBADMSG);
		must(strstr(why, ".segment: offset "));
		return true;
	}
	must(told_is_state_after(op_count));
	must_close();
	return false;
}

/* The files of a journal that was closed. Only the mark at the end is not missed. */
START_TEST(a_bit_that_turns_anywhere_is_noticed)
{
	unsigned refused = 0, harmless = 0;
	uint64_t state = 9;
	struct image image;

	length_most = 40;
	must_open();
	work(&state, 8, 6, 12);
	must_close();
	take_image(&image);
	for (unsigned i = 0; i < image.count; i++)
		for (size_t at = 0; at < image.files[i].n; at++) {
			char bit = (char)(1 << next_random(&state) % 8);

			image.files[i].p[at] ^= bit;
			if (!is_refused(&image))
				harmless++;
			else if (++refused % 8 == 0)
				check_repair();
			image.files[i].p[at] ^= bit;
		}
	must(refused > 500);
	must(harmless == JOURNAL_HEAD);
	free_image(&image);
}
END_TEST

/* Behind it lies what was durable, so that no crash did it. */
START_TEST(damage_before_what_was_durable_is_not_taken_for_torn)
{
	uint64_t state = 9;
	struct image image;
	char *p;

	options.segment_bytes = 1 << 20;
	must_open();
	work(&state, 8, 6, 12);
	take_image(&image);
	crash();
	p = image.files[0].p;
	for (size_t at = JOURNAL_HEADER; at < ops[36].end; at++) {
		p[at] ^= 1;
		restore_image(&image, 0, image.files[0].n);
		must(try_open() == -EBADMSG);
		p[at] ^= 1;
	}
	free_image(&image);
}
END_TEST

START_TEST(repair_loses_only_what_is_damaged)
{
	struct image image;

	length_most = 60;
	must_open();
	for (int i = 0; i < 60; i++)
		put();
	must_close();
	take_image(&image);
	/* the body of record 2, and the head of record 4 */
	image.files[0].p[records[2].offset + JOURNAL_HEAD] ^= 1;
	image.files[0].p[records[4].offset + 9] ^= 1;
	must(records[2].length > 0);
	restore_image(&image, image.count - 1, image.files[image.count - 1].n);
	must(try_open() == -EBADMSG);
	options.repair = true;
	must_open();
	must(told_count == 58);
	must(!is_live(2) && is_live(3) && !is_live(4));
	must(journal_counters(journal)->damaged == 2);
	must_close();
	options.repair = false;
	must_open();
	must(told_count == 58);
	free_image(&image);
}
END_TEST

/* Every second record of a large tail; a walk to its end for each would take minutes. */
START_TEST(repair_takes_as_long_as_the_files_are)
{
	struct image image;

	options.segment_bytes = 16 << 20;
	length_most = 20;
	must_open();
	for (int i = 0; i < 100000; i++)
		put();
	must_close();
	take_image(&image);
	for (int i = 1; i <= 100000; i += 2)
		image.files[0].p[records[i].offset + 9] ^= 1;
	restore_image(&image, 0, image.files[0].n);
	options.repair = true;
	must_open();
	must(told_count == 50000);
	must(journal_counters(journal)->damaged == 50000);
	free_image(&image);
}
END_TEST

START_TEST(a_missing_segment_is_noticed)
{
	struct image image;

	length_most = 60;
	must_open();
	for (int i = 0; i < 100; i++)
		put();
	must_close();
	take_image(&image);
	must(image.count > 3);
	for (unsigned i = 0; i + 1 < image.count; i++) {
		char path[128];

		restore_image(&image, image.count - 1, image.files[image.count - 1].n);
		snprintf(path, sizeof(path), "%s/%016lx.segment", directory,
		    (unsigned long)image.files[i].sequence);
		must(unlink(path) == 0);
		must(try_open() == -EBADMSG);
		must(strstr(why, "missing"));
		options.repair = true;
		must_open();
		must(told_count < 100);
		must(told_count > 50);
		must_close();
		options.repair = false;
		must_open();
		must_close();
	}
	free_image(&image);
}
END_TEST

/* At the end of a record, too, where all that is left is whole. */
START_TEST(a_segment_with_a_successor_that_is_too_short_is_noticed)
{
	struct image image;
	size_t whole;

	must_open();
	for (int i = 0; i < 60; i++)
		put();
	must_close();
	take_image(&image);
	whole = image.files[1].n;
	for (size_t n = 0; n < whole; n++) {
		image.files[1].n = n;
		restore_image(&image, image.count - 1, image.files[image.count - 1].n);
		must(try_open() == -EBADMSG);
	}
	free_image(&image);
}
END_TEST

START_TEST(a_record_is_one_only_where_it_was_written)
{
	struct image image;
	size_t n, again;
	char *p;

	options.segment_bytes = 1 << 20;
	must_open();
	for (int i = 0; i < 10; i++)
		put();
	journal_wait(journal);
	take_image(&image);
	crash();
	n = image.files[0].n;
	again = records[2].offset - records[1].offset;
	p = realloc(image.files[0].p, n + again);
	must(p);
	memcpy(p + n, p + records[1].offset, again);
	image.files[0].p = p;
	restore_image(&image, 0, n + again);
	must_open();
	must(told_is_state_after(10));
	must(journal_counters(journal)->cut_bytes == again);
	free_image(&image);
}
END_TEST

START_TEST(a_segment_under_another_name_is_noticed)
{
	struct image image;

	must_open();
	for (int i = 0; i < 100; i++)
		put();
	must_close();
	take_image(&image);
	image.files[1].sequence = image.files[image.count - 1].sequence + 1;
	restore_image(&image, image.count - 1, image.files[image.count - 1].n);
	must(try_open() == -EBADMSG);
	free_image(&image);
}
END_TEST

/* Records inside of records, whole with heads: whoever sends may put there what he likes. */
START_TEST(what_looks_like_a_record_inside_of_one_is_none)
{
	struct journal_record inner;
	struct image image;
	struct iovec piece;
	char path[128];
	int fd;

	must_open();
	for (int i = 0; i < 8; i++)
		put();
	journal_flush(journal);
	take_image(&image);
	piece = (struct iovec){ image.files[0].p, image.files[0].n };
	must(journal_put(journal, &inner, &piece, 1) == 0);
	put();
	must_close();
	snprintf(path, sizeof(path), "%s/%016lx.segment", directory, 2ul);
	fd = open(path, O_RDWR);
	must(fd >= 0);
	must(pwrite(fd, "\xff\xff", 2, inner.offset + 6) == 2); /* its head */
	close(fd);
	options.repair = true;
	must_open();
	must(journal_counters(journal)->recovered == 9);
	free_image(&image);
}
END_TEST

/* --- kill -9 ------------------------------------------------------------------------------------
 */

enum event_kind { PUT_DURABLE = 1, DROP_ASKED, DROP_DURABLE };

struct event {
	uint64_t kind, number;
};

static void say(int fd, uint64_t kind, uint64_t number)
{
	struct event e = { kind, number };

	if (write(fd, &e, sizeof(e)) != sizeof(e))
		_exit(0); /* the other side has gone */
}

static void say_durable(int fd, size_t *said)
{
	uint64_t durable = journal_durable(journal);

	for (; *said < op_count && ops[*said].mark <= durable; ++*said)
		say(fd, ops[*said].is_drop ? DROP_DURABLE : PUT_DURABLE, ops[*said].number);
}

/* Until it is killed. */
static void put_under_load(int fd, uint64_t state)
{
	size_t said = 0;

	must_open();
	op_count = 0;
	while (op_count + 100 < OPS_MAX && journal->next + 100 < NUMBERS_MAX) {
		for (uint64_t i = next_random(&state) % 20; i > 0; i--) {
			uint64_t random = next_random(&state), number = any_live(random >> 32);

			if (random % 100 >= journal_counters(journal)->live_records || !number) {
				put();
			} else {
				say(fd, DROP_ASKED, number);
				drop(number);
			}
		}
		if (journal_flush(journal) < 0 || journal_poll(journal) < 0)
			_exit(1);
		say_durable(fd, &said);
	}
}

/* 0: nothing was said; PUT_DURABLE: must be there; DROP_ASKED: may; DROP_DURABLE: must not. */
static unsigned char fate[NUMBERS_MAX];

static void hear(const struct event *e)
{
	if (e->number < NUMBERS_MAX && e->kind > fate[e->number])
		fate[e->number] = (unsigned char)e->kind;
}

static void run_and_kill(uint64_t seed, unsigned ms)
{
	uint64_t until = clock_now() + ms;
	struct pollfd p = { .events = POLLIN };
	struct event e;
	int fds[2], status;
	pid_t pid;

	must(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		put_under_load(fds[1], seed);
		_exit(0);
	}
	close(fds[1]);
	p.fd = fds[0];
	while (clock_now() < until) {
		if (poll(&p, 1, 1) == 1 && read(fds[0], &e, sizeof(e)) == sizeof(e))
			hear(&e);
	}
	kill(pid, SIGKILL);
	while (read(fds[0], &e, sizeof(e)) == sizeof(e))
		hear(&e);
	close(fds[0]);
	must(waitpid(pid, &status, 0) == pid);
	must(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

static void check_fates(void)
{
	for (uint64_t n = 1; n < NUMBERS_MAX; n++) {
		if (fate[n] == PUT_DURABLE && !is_live(n))
			ck_abort_msg("record %lu was durable and is gone", (unsigned long)n);
		if (fate[n] == DROP_DURABLE && is_live(n))
			ck_abort_msg("record %lu was dropped and is back", (unsigned long)n);
	}
}

/* Those of before it need not be said again; those that came back may be dropped again. */
static void begin_fates(void)
{
	memset(fate, 0, sizeof(fate));
	for (size_t i = 0; i < told_count; i++)
		fate[told[i]] = PUT_DURABLE;
}

START_TEST(kill_9_loses_nothing_that_was_durable)
{
	uint64_t state = (uint64_t)_i, recovered = 0;

	options.segment_bytes = 16 << 10;
	options.sync = _i % 3;
	options.blocking = _i / 3;
	options.interval_ms = 1;
	length_most = 300;
	for (int i = 0; i < 12; i++) {
		run_and_kill(state + (uint64_t)i, (unsigned)(next_random(&state) % 100));
		must_open();
		check_fates();
		recovered += told_count;
		begin_fates();
		if (journal->next > NUMBERS_MAX / 2)
			break;
		must_close();
	}
	must(recovered > 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("journal_crash");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 180); /* a machine may be busy */
	tcase_add_checked_fixture(tc, journal_setup, journal_teardown);
	tcase_add_loop_test(tc, a_cut_at_any_octet_leaves_the_state_before_it, 0, 4);
	tcase_add_test(tc, a_torn_end_may_hold_anything);
	tcase_add_test(tc, cuts_of_a_large_journal_leave_the_state_before_them);
	tcase_add_test(tc, a_removed_segment_that_comes_back_is_not_taken_up);
	tcase_add_loop_test(
	    tc, a_disk_that_fails_at_any_operation_loses_nothing_that_was_durable, 0, 2);
	tcase_add_loop_test(tc, a_file_that_may_not_grow_ends_the_journal_and_loses_nothing, 0, 2);
	tcase_add_test(tc, a_full_disk_ends_the_journal_and_loses_nothing);
	tcase_add_loop_test(tc, a_machine_that_dies_at_any_time_keeps_what_was_synced, 0, 6);
	tcase_add_test(tc, a_bit_that_turns_anywhere_is_noticed);
	tcase_add_test(tc, damage_before_what_was_durable_is_not_taken_for_torn);
	tcase_add_test(tc, repair_loses_only_what_is_damaged);
	tcase_add_test(tc, repair_takes_as_long_as_the_files_are);
	tcase_add_test(tc, a_missing_segment_is_noticed);
	tcase_add_test(tc, a_segment_with_a_successor_that_is_too_short_is_noticed);
	tcase_add_test(tc, a_record_is_one_only_where_it_was_written);
	tcase_add_test(tc, a_segment_under_another_name_is_noticed);
	tcase_add_test(tc, what_looks_like_a_record_inside_of_one_is_none);
	tcase_add_loop_test(tc, kill_9_loses_nothing_that_was_durable, 0, 6);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* none leaves anything to another */
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
