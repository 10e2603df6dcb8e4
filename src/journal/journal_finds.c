/*
 * journal/journal_finds.c - what was put and dropped according to the segments, and what is live of
 * it.
 *
 * Live is what was put, under numbers that never come again, and not dropped. So it makes no
 * difference in which order that was found; of several copies the last one counts.
 *
 * Owns: lists of all of it, until it is told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal_private.h"

struct find {
	uint64_t number;
	struct journal_segment *segment;
	uint32_t offset, length;
};

int journal_finds_put(struct journal_finds *f, uint64_t number, struct journal_segment *s,
    uint64_t offset, uint32_t length)
{
	const struct find find = { number, s, (uint32_t)offset, length };

	return buf_add(&f->puts, &find, sizeof(find));
}

int journal_finds_drop(struct journal_finds *f, uint64_t number)
{
	return buf_add(&f->drops, &number, sizeof(number));
}

void journal_finds_fini(struct journal_finds *f)
{
	buf_fini(&f->puts);
	buf_fini(&f->drops);
}

/* --- in their order ----------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* By number; of those with the same the last one first. */
static int compare_finds(const void *a, const void *b)
{
	const struct find *x = a, *y = b;
	uint64_t in_x = x->segment->sequence, in_y = y->segment->sequence;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	if (in_x != in_y)
		return in_x > in_y ? -1 : 1;
	return (x->offset < y->offset) - (x->offset > y->offset);
}

static void sort(struct buf *b, size_t size, int (*compare)(const void *, const void *))
{
	if (buf_len(b) > 0)
		qsort(buf_data(b), buf_len(b) / size, size, compare);
}

void journal_sort_numbers(struct buf *numbers)
{
	sort(numbers, sizeof(uint64_t), compare_numbers);
}

/* --- what is live --------------------------------------------------------------------- */

/* Nobody wants it. It is as if it had been put and dropped by now. */
static int drop_unwanted(struct journal *j, const struct find *f)
{
	struct journal_entry e = { .type = JOURNAL_DROP, .number = f->number };

	return journal_append(j, &e, NULL, 0, NULL);
}

static int tell_one(struct journal *j, const struct find *f)
{
	struct journal_record *record = NULL;
	struct bytes body;
	int err = journal_reader_get(j, f->segment, f->offset, f->length, &body);

	if (err < 0)
		return journal_refuse_segment(j, err, f->segment->sequence, "cannot read it again");
	if (j->options.recovered)
		err = j->options.recovered(j->options.arg, f->number, body, &record);
	if (err < 0)
		return journal_refuse(j, err, "%s: record %llu: %s", j->directory,
		    (unsigned long long)f->number, strerror(-err));
	j->counters.recovered++;
	if (!record)
		return drop_unwanted(j, f);
	record->number = f->number;
	record->offset = f->offset;
	record->length = f->length;
	journal_record_add(j, f->segment, record);
	return 0;
}

/* Whether it was dropped; for numbers that rise from call to call. */
static bool pass_drop(struct buf *drops, uint64_t number)
{
	uint64_t first;

	while (buf_len(drops) > 0) {
		memcpy(&first, buf_data(drops), sizeof(first));
		if (first >= number)
			return first == number;
		buf_consume(drops, sizeof(first));
	}
	return false;
}

int journal_finds_tell(struct journal_finds *f, struct journal *j)
{
	const struct find *puts;
	uint64_t last = 0; /* no number is */
	int err = 0;

	sort(&f->puts, sizeof(struct find), compare_finds);
	journal_sort_numbers(&f->drops);
	puts = (const void *)buf_data(&f->puts);
	for (size_t i = 0; i < buf_len(&f->puts) / sizeof(*puts) && err == 0; i++) {
		uint64_t number = puts[i].number;

		if (number != last && !pass_drop(&f->drops, number))
			err = tell_one(j, &puts[i]);
		last = number;
	}
	return err;
}
