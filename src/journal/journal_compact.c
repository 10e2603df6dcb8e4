/*
 * journal/journal_compact.c - old segments go, so that the disk holds little that is not live.
 *
 * It is always the oldest that goes: at once when nothing in it is live, and when too much of all
 * is not, after its live records were copied to the tail. Going round like this meets all that is
 * dead, and copies what is live once for each time that as much again was dead. That a segment is
 * gone is an entry, and its file is removed when that is durable; and with it, all copies.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "journal/journal_private.h"

enum {
	STEP = 256 * 1024, /* octets copied with a flush, and twice what was appended meanwhile */
	REMOVE_MOST = 16,  /* files, in a call */
};

/* The oldest that has not been given up; at the latest the tail. */
static struct journal_segment *oldest_kept(const struct journal *j)
{
	struct journal_segment *s = journal_oldest(j);

	while (s->trim_mark)
		s = journal_after(s);
	return s;
}

/* Only what is durable to its end. */
static bool may_go(const struct journal *j, const struct journal_segment *s)
{
	return s->sequence < j->writing->sequence;
}

/* More than one and a half of what is live, and a segment. */
static bool is_crowded(const struct journal *j, const struct journal_segment *s)
{
	const struct journal_counters *c = &j->counters;

	return s->sequence <= j->compact_through ||
	       c->file_bytes > c->live_bytes + c->live_bytes / 2 + j->options.segment_bytes;
}

static bool can_remove(const struct journal *j)
{
	const struct journal_segment *s = journal_oldest(j);

	return s->trim_mark && s->trim_mark <= j->synced;
}

bool journal_wants_compaction(const struct journal *j)
{
	const struct journal_segment *s = oldest_kept(j);

	if (j->err)
		return false;
	if (can_remove(j))
		return true;
	return may_go(j, s) && (list_empty(&s->records) || (j->trims == 0 && is_crowded(j, s)));
}

/* Those before `s` are gone. */
static int trim_before(struct journal *j, const struct journal_segment *s)
{
	struct journal_entry e = { .type = JOURNAL_TRIM, .number = s->sequence };
	struct journal_segment *gone;
	int err = journal_append(j, &e, NULL, 0, NULL);

	if (err < 0)
		return err;
	for (gone = oldest_kept(j); gone != s; gone = journal_after(gone)) {
		gone->trim_mark = j->mark;
		j->trims++;
	}
	j->sync_to = j->mark;
	return 0;
}

static int trim_dead(struct journal *j)
{
	struct journal_segment *first = oldest_kept(j), *s = first;

	while (may_go(j, s) && list_empty(&s->records))
		s = journal_after(s);
	return s == first ? 0 : trim_before(j, s);
}

static int copy(struct journal *j, struct journal_segment *s, struct journal_record *r)
{
	struct journal_entry e = { .type = JOURNAL_COPY, .number = r->number, .length = r->length };
	struct iovec piece;
	struct bytes body;
	uint64_t offset;
	int err = journal_reader_get(j, s, r->offset, r->length, &body);

	if (err == -ENOMEM)
		return err;
	if (err < 0)
		return journal_fail(j, err, "a record cannot be read again", s->sequence);
	piece = (struct iovec){ (void *)(uintptr_t)body.p, body.n };
	if ((err = journal_append(j, &e, &piece, 1, &offset)) < 0)
		return err;
	list_remove(&r->link);
	r->segment = journal_tail(j);
	r->offset = (uint32_t)offset;
	list_append(&r->segment->records, &r->link);
	j->counters.copied_bytes += journal_entry_size(r->length);
	return 0;
}

/* Copies until the oldest segment is empty, which must be durable before the next one's turn. */
static int copy_some(struct journal *j, uint64_t budget)
{
	struct journal_segment *s = oldest_kept(j);
	uint64_t until = j->counters.copied_bytes + budget;
	int err = 0;

	while (err == 0 && !list_empty(&s->records) && j->counters.copied_bytes < until)
		err =
		    copy(j, s, container_of(list_first(&s->records), struct journal_record, link));
	return err < 0 ? err : trim_dead(j);
}

/* When memory is out it goes on another time. */
void journal_compact(struct journal *j)
{
	const struct journal_segment *s;
	uint64_t budget = STEP + 2 * j->appended;

	if (trim_dead(j) < 0)
		return;
	s = oldest_kept(j);
	j->appended = 0;
	if (j->trims == 0 && may_go(j, s) && is_crowded(j, s))
		copy_some(j, budget);
}

static void remove_oldest(struct journal *j)
{
	struct journal_segment *s = journal_oldest(j);
	char name[JOURNAL_NAME];

	journal_name(s->sequence, name);
	if (j->reader.sequence == s->sequence)
		journal_reader_close(&j->reader);
	if (unlinkat(j->directory_fd, name, 0) < 0 && errno != ENOENT)
		log_warn("journal cannot remove a segment", LOG_STR("directory", j->directory),
		    LOG_STR("segment", name), LOG_ERR(errno));
	journal_segment_free(j, s);
	j->trims--;
}

void journal_remove_trimmed(struct journal *j)
{
	for (int i = 0; i < REMOVE_MOST && can_remove(j); i++)
		remove_oldest(j);
}
