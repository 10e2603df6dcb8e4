/*
 * journal/journal_recover.c - what is in the directory: segments and their records.
 *
 * Segments are read from the last to the first, since it is the last one that knows which are gone.
 * The order makes no difference to what is live: what was put, under numbers that never come again,
 * and not dropped. Of several copies the last one counts.
 *
 * Owns: the contents of one segment at a time, and lists of what was put and dropped, until it
 * ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "journal/journal_private.h"

/* No segment of ours is larger: all but one record, and the longest one. */
#define FILE_MAX (UINT64_C(3) << 30)

#define NOT_KNOWN UINT64_MAX

struct found {
	uint64_t number;
	struct journal_segment *segment;
	uint32_t offset, length;
};

/* An array that grows. */
struct numbers {
	uint64_t *at;
	size_t count, cap;
};

struct recovery {
	struct journal *j;
	char *why;
	size_t why_size;
	struct numbers sequences, drops;
	struct found *puts;
	size_t put_count, put_cap;
	char *file; /* the segment at hand */
	size_t file_size, file_cap;
	uint64_t oldest;             /* segments before are gone */
	struct journal_header after; /* of the segment behind the one at hand; 0: there is none */
	uint64_t cut;                /* the tail ends here */
};

/* --- arrays ------------------------------------------------------------------------ */

static int room_for_one(void *array, size_t count, size_t *cap, size_t size)
{
	void **at = array, *more;
	size_t want = *cap ? *cap * 2 : 64;

	if (count < *cap)
		return 0;
	more = mem_realloc_array(*at, want, size);
	if (!more)
		return -ENOMEM;
	*at = more;
	*cap = want;
	return 0;
}

static int numbers_add(struct numbers *n, uint64_t number)
{
	int err = room_for_one(&n->at, n->count, &n->cap, sizeof(*n->at));

	if (err == 0)
		n->at[n->count++] = number;
	return err;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void numbers_sort(struct numbers *n)
{
	if (n->count > 0)
		qsort(n->at, n->count, sizeof(*n->at), compare_numbers);
}

/* --- what is wrong ------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static int refuse(
    struct recovery *r, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->why, r->why_size, fmt, args);
	va_end(args);
	return err;
}

static int refuse_segment(struct recovery *r, int err, uint64_t sequence, const char *what)
{
	char name[JOURNAL_NAME];

	journal_name(sequence, name);
	return refuse(r, err, "%s/%s: %s: %s", r->j->directory, name, what, strerror(-err));
}

/* No crash of ours leaves this. */
static int damage(struct recovery *r, uint64_t sequence, uint64_t offset, const char *what)
{
	char name[JOURNAL_NAME];

	journal_name(sequence, name);
	if (!r->j->options.repair)
		return refuse(r, -EBADMSG, "%s/%s: offset %llu: %s", r->j->directory, name,
		    (unsigned long long)offset, what);
	log_warn_limited("journal skips damage", LOG_STR("directory", r->j->directory),
	    LOG_STR("segment", name), LOG_INT("offset", offset), LOG_STR("what", what));
	r->j->counters.damaged++;
	if (sequence > r->j->compact_through)
		r->j->compact_through = sequence;
	return 0;
}

/* --- files --------------------------------------------------------------------------- */

/* 0: no segment has such a name. */
static uint64_t sequence_of(const char *name)
{
	char again[JOURNAL_NAME];
	uint64_t sequence = strtoull(name, NULL, 16);

	journal_name(sequence, again);
	return strcmp(name, again) == 0 ? sequence : 0;
}

static int list_segments(struct recovery *r)
{
	int fd = openat(r->j->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t sequence;

	if (!dir) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return refuse(r, err, "%s: %s", r->j->directory, strerror(-err));
	}
	while (err == 0 && (entry = readdir(dir)) != NULL)
		if ((sequence = sequence_of(entry->d_name)) > 0)
			err = numbers_add(&r->sequences, sequence);
	closedir(dir);
	numbers_sort(&r->sequences);
	return err;
}

static int remove_segment(struct recovery *r, uint64_t sequence)
{
	char name[JOURNAL_NAME];

	journal_name(sequence, name);
	if (unlinkat(r->j->directory_fd, name, 0) < 0)
		return refuse_segment(r, -errno, sequence, "cannot remove it");
	return 0;
}

static int read_all(struct recovery *r, int fd)
{
	size_t have = 0;
	ssize_t n;

	while (have < r->file_size) {
		n = pread(fd, r->file + have, r->file_size - have, (off_t)have);
		if (n == 0)
			return -EIO;
		if (n > 0)
			have += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int load_from(struct recovery *r, int fd)
{
	struct stat st;
	char *file;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > FILE_MAX)
		return -EFBIG;
	r->file_size = (size_t)st.st_size;
	if (r->file_size > r->file_cap) {
		file = mem_realloc(r->file, r->file_size);
		if (!file)
			return -ENOMEM;
		r->file = file;
		r->file_cap = r->file_size;
	}
	return read_all(r, fd);
}

static int load(struct recovery *r, uint64_t sequence)
{
	char name[JOURNAL_NAME];
	int fd, err;

	journal_name(sequence, name);
	fd = openat(r->j->directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	err = fd < 0 ? -errno : load_from(r, fd);
	if (fd >= 0)
		close(fd);
	return err < 0 ? refuse_segment(r, err, sequence, "cannot read it") : 0;
}

/* --- entries -------------------------------------------------------------------------- */

static int found_put(
    struct recovery *r, struct journal_segment *s, const struct journal_entry *e, uint64_t offset)
{
	int err = room_for_one(&r->puts, r->put_count, &r->put_cap, sizeof(*r->puts));

	if (err == 0)
		r->puts[r->put_count++] =
		    (struct found){ e->number, s, (uint32_t)offset, e->length };
	return err;
}

static int found_entry(
    struct recovery *r, struct journal_segment *s, const struct journal_entry *e, uint64_t offset)
{
	bool tells_all = e->type == JOURNAL_MARK && e->number == offset;

	s->told = tells_all ? offset + JOURNAL_HEAD : JOURNAL_HEADER;
	if (e->type == JOURNAL_TRIM && e->number > r->oldest && e->number <= s->sequence)
		r->oldest = e->number;
	if (e->type == JOURNAL_TRIM || e->type == JOURNAL_MARK)
		return 0;
	if (e->number >= r->j->next)
		r->j->next = e->number + 1;
	if (e->type == JOURNAL_DROP)
		return numbers_add(&r->drops, e->number);
	return found_put(r, s, e, offset);
}

/* The end of the tail, as a crash may leave it. */
static void cut(struct recovery *r, const struct journal_segment *s, size_t at)
{
	char name[JOURNAL_NAME];

	journal_name(s->sequence, name);
	log_warn("journal ends in a torn record, which is cut off",
	    LOG_STR("directory", r->j->directory), LOG_STR("segment", name), LOG_INT("offset", at),
	    LOG_INT("bytes", r->file_size - at));
	r->j->counters.cut_bytes += r->file_size - at;
	r->cut = at;
}

/* Goes on behind what is damaged, or not. */
static int on_damaged(struct recovery *r, struct journal_segment *s, struct journal_scan *scan)
{
	bool is_tail = r->after.sequence == 0;
	int err;

	if (is_tail && !journal_scan_was_durable(scan)) {
		cut(r, s, scan->at);
		scan->at = scan->file.n;
		return 0;
	}
	if ((err = damage(r, s->sequence, scan->at, "this is no record, or a damaged one")) == 0)
		journal_scan_skip(scan);
	return err;
}

static int read_entries(struct recovery *r, struct journal_segment *s)
{
	struct journal_scan scan = { { r->file, r->file_size }, s->epoch, JOURNAL_HEADER };
	enum journal_found found;
	struct journal_entry e;
	struct bytes body;
	int err = 0;

	while (err == 0 && (found = journal_scan_next(&scan, &e, &body)) != JOURNAL_END) {
		if (found == JOURNAL_ENTRY)
			err = found_entry(r, s, &e, scan.at - (size_t)journal_entry_size(e.length));
		else
			err = on_damaged(r, s, &scan);
	}
	return err;
}

/* --- segments --------------------------------------------------------------------------- */

/* When it began, the one before it had its size for good. */
static int check_size(struct recovery *r, uint64_t sequence)
{
	if (r->after.sequence != sequence + 1 || r->after.previous == NOT_KNOWN ||
	    r->after.previous == r->file_size)
		return 0;
	return damage(r, sequence,
	    r->after.previous < r->file_size ? r->after.previous : r->file_size,
	    "the segment does not end where it should");
}

static int check_neighbour(struct recovery *r, uint64_t sequence)
{
	if (r->after.sequence == 0 || r->after.sequence == sequence + 1)
		return 0;
	return damage(r, r->after.sequence, 0, "the segment before this one is missing");
}

static int read_header(struct recovery *r, struct journal_segment *s)
{
	struct journal_header h;
	int err;

	if (!journal_header_read((struct bytes){ r->file, r->file_size }, &h) ||
	    h.sequence != s->sequence) {
		r->after =
		    (struct journal_header){ .sequence = s->sequence, .previous = NOT_KNOWN };
		return damage(r, s->sequence, 0, "this is no header of this segment");
	}
	if (h.oldest > r->oldest)
		r->oldest = h.oldest;
	if (h.next > r->j->next)
		r->j->next = h.next;
	s->epoch = h.epoch;
	if ((err = read_entries(r, s)) == 0)
		r->after = h;
	return err;
}

static int read_segment(struct recovery *r, uint64_t sequence)
{
	struct journal *j = r->j;
	struct journal_segment *s;
	int err;

	if ((err = check_neighbour(r, sequence)) < 0 || (err = check_size(r, sequence)) < 0)
		return err;
	s = journal_segment_new(sequence);
	if (!s)
		return -ENOMEM;
	s->created = true;
	s->size = s->written = s->synced = r->file_size;
	s->told = JOURNAL_HEADER;
	list_prepend(&j->segments, &s->link);
	j->counters.segments++;
	j->counters.file_bytes += s->size;
	return read_header(r, s);
}

/* A crash while the last segment began: no entry can have followed. */
static bool is_torn_header(const struct recovery *r)
{
	struct journal_header h;

	return list_empty(&r->j->segments) && r->file_size <= JOURNAL_HEADER &&
	       !journal_header_read((struct bytes){ r->file, r->file_size }, &h);
}

static int read_one(struct recovery *r, uint64_t sequence)
{
	int err;

	if (sequence < r->oldest)
		return remove_segment(r, sequence);
	if ((err = load(r, sequence)) < 0)
		return err;
	if (is_torn_header(r)) {
		log_warn("journal ends in a segment that had not begun, which is removed",
		    LOG_STR("directory", r->j->directory), LOG_INT("sequence", sequence));
		r->j->counters.cut_bytes += r->file_size;
		return remove_segment(r, sequence);
	}
	return read_segment(r, sequence);
}

static int read_segments(struct recovery *r)
{
	int err = 0;

	for (size_t i = r->sequences.count; i > 0 && err == 0; i--)
		err = read_one(r, r->sequences.at[i - 1]);
	if (err == 0 && r->after.sequence > r->oldest && r->oldest > 0)
		return damage(r, r->after.sequence, 0, "the segment before this one is missing");
	return err;
}

/* --- what is live ------------------------------------------------------------------------ */

/* By number; of those with the same the last one first. */
static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	uint64_t in_x = x->segment->sequence, in_y = y->segment->sequence;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	if (in_x != in_y)
		return in_x > in_y ? -1 : 1;
	return (x->offset < y->offset) - (x->offset > y->offset);
}

static void sort(struct recovery *r)
{
	numbers_sort(&r->drops);
	if (r->put_count > 0)
		qsort(r->puts, r->put_count, sizeof(*r->puts), compare_found);
}

/* Nobody wants it. It is as if it had been put and dropped by now. */
static int drop_unwanted(struct journal *j, const struct found *f)
{
	struct journal_entry e = { .type = JOURNAL_DROP, .number = f->number };

	return journal_append(j, &e, NULL, 0, NULL);
}

static int tell_one(struct recovery *r, const struct found *f)
{
	struct journal *j = r->j;
	struct journal_record *record = NULL;
	struct bytes body;
	int err = journal_reader_get(j, f->segment, f->offset, f->length, &body);

	if (err < 0)
		return refuse_segment(r, err, f->segment->sequence, "cannot read it again");
	if (j->options.recovered)
		err = j->options.recovered(j->options.arg, f->number, body, &record);
	if (err < 0)
		return refuse(r, err, "%s: record %llu: %s", j->directory,
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

static int tell_all(struct recovery *r)
{
	const struct numbers *drops = &r->drops;
	uint64_t last = 0; /* no number is */
	size_t drop = 0;
	int err = 0;

	sort(r);
	for (size_t i = 0; i < r->put_count && err == 0; i++) {
		const struct found *f = &r->puts[i];

		while (drop < drops->count && drops->at[drop] < f->number)
			drop++;
		if (f->number != last && (drop == drops->count || drops->at[drop] != f->number))
			err = tell_one(r, f);
		last = f->number;
	}
	return err;
}

/* --- the tail ------------------------------------------------------------------------------ */

/* What was read from the tail may not have come further than the memory of the kernel. */
static int cut_and_sync(struct recovery *r, struct journal_segment *tail)
{
	char name[JOURNAL_NAME];

	journal_name(tail->sequence, name);
	tail->fd = openat(r->j->directory_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (tail->fd < 0 || (r->cut && ftruncate(tail->fd, (off_t)r->cut) < 0) ||
	    fsync(tail->fd) < 0)
		return refuse_segment(r, -errno, tail->sequence, "cannot go on with it");
	if (r->cut) {
		r->j->counters.file_bytes -= tail->size - r->cut;
		tail->size = tail->written = tail->synced = r->cut;
	}
	return 0;
}

/* The tail that was, or a new one behind it if that is damaged, or the first one. */
static int find_tail(struct recovery *r)
{
	struct journal *j = r->j;
	struct journal_segment *s;
	uint64_t sequence = r->oldest > 0 ? r->oldest : 1;
	int err;

	if (!list_empty(&j->segments)) {
		j->writing = s = journal_tail(j);
		if ((err = cut_and_sync(r, s)) < 0)
			return err;
		sequence = s->sequence + 1;
		if (s->sequence > j->compact_through)
			return 0;
	}
	s = journal_segment_new(sequence);
	if (!s)
		return -ENOMEM;
	journal_segment_add(j, s);
	if (!j->writing)
		j->writing = s;
	return 0;
}

static int recover(struct recovery *r)
{
	int err;

	if ((err = list_segments(r)) < 0 || (err = read_segments(r)) < 0 ||
	    (err = find_tail(r)) < 0)
		return err;
	return tell_all(r);
}

int journal_recover(struct journal *j, char *why, size_t size)
{
	struct recovery r = { .j = j, .why = why, .why_size = size };
	int err;

	j->next = 1;
	refuse(&r, 0, "%s: %s", j->directory, strerror(ENOMEM)); /* what else it may be */
	err = recover(&r);
	journal_reader_close(&j->reader);
	mem_free(r.sequences.at);
	mem_free(r.drops.at);
	mem_free(r.puts);
	mem_free(r.file);
	return err;
}
