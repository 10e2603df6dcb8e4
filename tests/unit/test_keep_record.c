/*
 * tests/unit/test_keep_record.c - records are read as they were written; cut anywhere, or with any
 * octet changed, they are refused or mean something else, and nothing worse.
 */
#include <check.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pubsub/keep_record.h"

static struct keep_record out;
static struct buf scratch;

/* Exactly as long as it is, so that whoever reads beyond it is found out. */
static const char *read_copy(const char *p, size_t n)
{
	char *copy = malloc(n ? n : 1);
	const char *wrong;

	memcpy(copy, p, n);
	wrong = keep_read((struct bytes){ copy, n }, &out);
	free(copy);
	return wrong;
}

static void write_message(enum keep_kind kind)
{
	struct keep_message m = { .lasts = true,
		.sequence = UINT64_C(0x1234567890abcdef),
		.before = 7,
		.at_ms = UINT64_C(1700000000123),
		.destination = BYTES("/queue/a"),
		.body = BYTES("a body\0with anything"),
		.header_count = 3 };

	m.headers[0] = (struct stomp_header){ BYTES("name"), BYTES("value") };
	m.headers[1] = (struct stomp_header){ BYTES("empty"), BYTES("") };
	m.headers[2] = (struct stomp_header){ BYTES("name"), BYTES("again") };
	buf_clear(&scratch);
	ck_assert_int_eq(keep_write_message(&scratch, kind, &m), 0);
	ck_assert_int_eq(buf_add(&scratch, m.body.p, m.body.n), 0);
}

static void write_run(void)
{
	const struct keep_run run = { { 1, { 2, 3 } }, 4, "machine", true, false };

	buf_clear(&scratch);
	ck_assert_int_eq(keep_write_run(&scratch, &run), 0);
}

static void write_count(void)
{
	const struct keep_count count = { UINT64_MAX, 3 };

	buf_clear(&scratch);
	ck_assert_int_eq(keep_write_count(&scratch, &count), 0);
}

static const char *read_it(void)
{
	return keep_read((struct bytes){ buf_data(&scratch), buf_len(&scratch) }, &out);
}

START_TEST(a_message_is_read_as_it_was_written)
{
	const struct keep_message *m = &out.message;

	write_message(KEEP_HISTORY);
	ck_assert_ptr_null(read_it());
	ck_assert_int_eq(out.kind, KEEP_HISTORY);
	ck_assert(m->lasts);
	ck_assert_uint_eq(m->sequence, UINT64_C(0x1234567890abcdef));
	ck_assert_uint_eq(m->before, 7);
	ck_assert_uint_eq(m->at_ms, UINT64_C(1700000000123));
	ck_assert(bytes_equal(m->destination, BYTES("/queue/a")));
	ck_assert(bytes_equal(m->body, BYTES("a body\0with anything")));
	ck_assert_uint_eq(m->header_count, 3);
	ck_assert(bytes_equal(m->headers[0].name, BYTES("name")));
	ck_assert(bytes_equal(m->headers[1].value, BYTES("")));
	ck_assert(bytes_equal(m->headers[2].value, BYTES("again")));
}
END_TEST

START_TEST(a_run_and_a_count_are_read_as_they_were_written)
{
	write_run();
	ck_assert_ptr_null(read_it());
	ck_assert_int_eq(out.kind, KEEP_RUN);
	ck_assert_uint_eq(out.run.identity.epoch, 1);
	ck_assert_uint_eq(out.run.identity.owners.k1, 3);
	ck_assert_uint_eq(out.run.reserved, 4);
	ck_assert_str_eq(out.run.boot, "machine");
	ck_assert(out.run.in_order && !out.run.is_durable);
	write_count();
	ck_assert_ptr_null(read_it());
	ck_assert_uint_eq(out.count.sequence, UINT64_MAX);
	ck_assert_uint_eq(out.count.deliveries, 3);
}
END_TEST

static void (*const writers[])(void) = { write_run, write_count };

static void write_one(int which)
{
	if (which < 2)
		writers[which]();
	else
		write_message(which == 2 ? KEEP_QUEUED : KEEP_HISTORY);
}

START_TEST(a_record_that_is_cut_or_has_a_tail_is_refused)
{
	write_one(_i);
	for (size_t n = 0; n < buf_len(&scratch); n++)
		ck_assert_ptr_nonnull(read_copy(buf_data(&scratch), n));
	ck_assert_int_eq(buf_add(&scratch, "x", 1), 0);
	ck_assert_ptr_nonnull(read_copy(buf_data(&scratch), buf_len(&scratch)));
}
END_TEST

START_TEST(whatever_octet_is_another_nothing_is_read_beyond)
{
	write_one(_i);
	for (size_t at = 0; at < buf_len(&scratch); at++)
		for (unsigned v = 0; v < 256; v += v < 4 || v > 250 ? 1 : 41) {
			char *p = buf_data(&scratch) + at, old = *p;

			*p = (char)v;
			read_copy(buf_data(&scratch), buf_len(&scratch));
			*p = old;
		}
}
END_TEST

START_TEST(another_version_or_kind_is_refused)
{
	write_count();
	buf_data(&scratch)[0] = 2;
	ck_assert_str_eq(read_it(), "a record of another version");
	write_count();
	buf_data(&scratch)[1] = 9;
	ck_assert_str_eq(read_it(), "a record of a kind that is not known here");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keep_record");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_message_is_read_as_it_was_written);
	tcase_add_test(tc, a_run_and_a_count_are_read_as_they_were_written);
	tcase_add_loop_test(tc, a_record_that_is_cut_or_has_a_tail_is_refused, 0, 4);
	tcase_add_loop_test(tc, whatever_octet_is_another_nothing_is_read_beyond, 0, 4);
	tcase_add_test(tc, another_version_or_kind_is_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
