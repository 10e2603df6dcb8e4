/*
 * journal/journal.c - put and drop: entries in the memory of their segment; see journal.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "journal/journal_private.h"

/* --- segments ---------------------------------------------------------------- */

void journal_name(uint64_t sequence, char name[JOURNAL_NAME])
{
	snprintf(name, JOURNAL_NAME, "%016llx.segment", (unsigned long long)sequence);
}

int journal_refuse(struct journal *j, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(j->why, sizeof(j->why), fmt, args);
	va_end(args);
	return err;
}

int journal_refuse_segment(struct journal *j, int err, uint64_t sequence, const char *what)
{
	char name[JOURNAL_NAME];

	journal_name(sequence, name);
	return journal_refuse(j, err, "%s/%s: %s: %s", j->directory, name, what, strerror(-err));
}

struct journal_segment *journal_segment_new(uint64_t sequence)
{
	struct journal_segment *s = mem_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	list_init(&s->link);
	list_init(&s->records);
	s->sequence = sequence;
	s->epoch = random_u64();
	s->size = JOURNAL_HEADER;
	s->fd = -1;
	return s;
}

void journal_segment_add(struct journal *j, struct journal_segment *s)
{
	list_append(&j->segments, &s->link);
	j->counters.file_bytes += s->size;
	j->counters.segments++;
}

void journal_segment_free(struct journal *j, struct journal_segment *s)
{
	list_remove(&s->link);
	j->counters.file_bytes -= s->size;
	j->counters.segments--;
	if (s->fd >= 0)
		close(s->fd);
	buf_fini(&s->pending);
	mem_free(s);
}

/* The tail with room for so many octets, or a new one. An entry that no segment has room for has
 * one of its own. */
static struct journal_segment *tail_with_room(struct journal *j, uint64_t size)
{
	struct journal_segment *tail = journal_tail(j);

	if (tail->size == JOURNAL_HEADER || tail->size + size <= j->options.segment_bytes)
		return tail;
	tail = journal_segment_new(tail->sequence + 1);
	if (tail)
		journal_segment_add(j, tail);
	return tail;
}

/* --- entries ------------------------------------------------------------------ */

static char *copy_pieces(char *to, const struct iovec *pieces, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (pieces[i].iov_len > 0) {
			memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
			to += pieces[i].iov_len;
		}
	return to;
}

static int append_to(struct journal *j, struct journal_segment *s, struct journal_entry *e,
    const struct iovec *pieces, unsigned count)
{
	size_t size = (size_t)journal_entry_size(e->length);
	char *head = buf_reserve(&s->pending, size), *end;

	if (!head)
		return -ENOMEM;
	end = copy_pieces(head + JOURNAL_HEAD, pieces, count);
	memset(end, 0, (size_t)(head + size - end));
	e->body_crc = crc32c(0, head + JOURNAL_HEAD, size - JOURNAL_HEAD);
	journal_head_write(head, s->epoch, s->size, e);
	buf_commit(&s->pending, size);
	s->size += size;
	j->pending_bytes += size;
	j->counters.file_bytes += size;
	return 0;
}

int journal_append(struct journal *j, struct journal_entry *e, const struct iovec *pieces,
    unsigned count, uint64_t *offset)
{
	struct journal_segment *s = tail_with_room(j, journal_entry_size(e->length));
	uint64_t at;
	int err;

	if (!s)
		return -ENOMEM;
	at = s->size;
	if ((err = append_to(j, s, e, pieces, count)) < 0)
		return err;
	s->mark = ++j->mark;
	if (offset)
		*offset = at;
	return 0;
}

void journal_tell_synced(struct journal *j, struct journal_segment *s)
{
	struct journal_entry e = { .type = JOURNAL_MARK, .number = s->synced };

	if (s->synced > s->told && append_to(j, s, &e, NULL, 0) == 0)
		s->told = s->synced;
}

/* --- records ------------------------------------------------------------------ */

void journal_record_add(struct journal *j, struct journal_segment *s, struct journal_record *r)
{
	r->segment = s;
	list_append(&s->records, &r->link);
	j->counters.live_records++;
	j->counters.live_bytes += journal_entry_size(r->length);
}

void journal_record_remove(struct journal *j, struct journal_record *r)
{
	list_remove(&r->link);
	r->segment = NULL;
	j->counters.live_records--;
	j->counters.live_bytes -= journal_entry_size(r->length);
}

/* What is live can always be dropped and compacted: room for that is kept. */
static uint64_t reserve(const struct journal *j)
{
	return j->options.segment_bytes + (j->counters.live_records + 1) * JOURNAL_HEAD;
}

static int admit(const struct journal *j, size_t length)
{
	uint64_t size = journal_entry_size((uint32_t)length);

	if (j->err)
		return j->err;
	if (j->pending_bytes > 0 && j->pending_bytes + size > j->options.max_pending_bytes)
		return -EAGAIN;
	if (j->options.max_bytes &&
	    j->counters.file_bytes + size + reserve(j) > j->options.max_bytes)
		return -ENOSPC;
	return 0;
}

/* More than a record may have if it does not fit. */
static size_t length_of(const struct iovec *pieces, unsigned count)
{
	size_t n = 0;

	for (unsigned i = 0; i < count && n <= JOURNAL_RECORD_MAX; i++)
		n = pieces[i].iov_len > JOURNAL_RECORD_MAX ? SIZE_MAX : n + pieces[i].iov_len;
	return n;
}

int journal_put(
    struct journal *j, struct journal_record *record, const struct iovec *pieces, unsigned count)
{
	size_t length = length_of(pieces, count);
	struct journal_entry e = { .type = JOURNAL_PUT, .number = j->next };
	uint64_t offset;
	int err;

	if (length > JOURNAL_RECORD_MAX)
		return -EMSGSIZE;
	e.length = (uint32_t)length;
	if ((err = admit(j, length)) < 0 ||
	    (err = journal_append(j, &e, pieces, count, &offset)) < 0)
		return err;
	record->number = j->next++;
	record->offset = (uint32_t)offset;
	record->length = e.length;
	journal_record_add(j, journal_tail(j), record);
	j->appended += journal_entry_size(e.length);
	j->counters.puts++;
	return 0;
}

int journal_drop(struct journal *j, struct journal_record *record)
{
	struct journal_entry e = { .type = JOURNAL_DROP, .number = record->number };

	journal_record_remove(j, record);
	if (j->err)
		return j->err;
	j->appended += journal_entry_size(record->length);
	j->counters.drops++;
	return journal_append(j, &e, NULL, 0, NULL);
}

/* --- what happened ------------------------------------------------------------- */

void journal_give_up_pending(struct journal *j)
{
	struct list *at;

	list_foreach (at, &j->segments)
		buf_fini(&container_of(at, struct journal_segment, link)->pending);
	j->pending_bytes = 0;
}

int journal_fail(struct journal *j, int err, const char *what, uint64_t sequence)
{
	char name[JOURNAL_NAME];

	if (j->err)
		return j->err;
	j->err = err;
	journal_name(sequence, name);
	snprintf(j->why, sizeof(j->why), "%s/%s: %s: %s; nothing more is kept until a restart",
	    j->directory, name, what, strerror(-err));
	log_error("journal failed", LOG_STR("directory", j->directory), LOG_STR("segment", name),
	    LOG_STR("what", what), LOG_ERR(err));
	journal_give_up_pending(j);
	return err;
}

int journal_error(const struct journal *j, const char **sentence)
{
	if (sentence)
		*sentence = j->why;
	return j->err;
}

uint64_t journal_mark(const struct journal *j)
{
	return j->mark;
}

uint64_t journal_written(const struct journal *j)
{
	return j->written;
}

uint64_t journal_durable(const struct journal *j)
{
	return j->options.sync == JOURNAL_SYNC_NEVER ? j->written : j->synced;
}

int journal_fd(const struct journal *j)
{
	return disk_fd(j->disk);
}

const struct journal_counters *journal_counters(const struct journal *j)
{
	return &j->counters;
}
