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

struct recovery {
	struct journal *j;
	struct buf sequences; /* of the files, rising */
	struct journal_finds finds;
	char *file; /* the segment at hand */
	size_t file_size, file_cap;
	uint64_t oldest;             /* segments before are gone */
	struct journal_header after; /* of the segment behind the one at hand; 0: there is none */
	uint64_t durable;            /* offset in the tail; NOT_KNOWN: nothing was damaged */
	uint64_t cut;                /* the tail ends here */
};

/* --- what is wrong ------------------------------------------------------------------ */

/* No crash of ours leaves this. */
static int damage(struct recovery *r, uint64_t sequence, uint64_t offset, const char *what)
{
	char name[JOURNAL_NAME];

	journal_name(sequence, name);
	if (!r->j->options.repair)
		return journal_refuse(r->j, -EBADMSG, "%s/%s: offset %llu: %s", r->j->directory,
		    name, (unsigned long long)offset, what);
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
		return journal_refuse(r->j, err, "%s: %s", r->j->directory, strerror(-err));
	}
	while (err == 0 && (entry = readdir(dir)) != NULL)
		if ((sequence = sequence_of(entry->d_name)) > 0)
			err = buf_add(&r->sequences, &sequence, sizeof(sequence));
	closedir(dir);
	journal_sort_numbers(&r->sequences);
	return err;
}

static int remove_segment(struct recovery *r, uint64_t sequence)
{
	char name[JOURNAL_NAME];

	journal_name(sequence, name);
	if (unlinkat(r->j->directory_fd, name, 0) < 0)
		return journal_refuse_segment(r->j, -errno, sequence, "cannot remove it");
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
	return err < 0 ? journal_refuse_segment(r->j, err, sequence, "cannot read it") : 0;
}

/* --- entries -------------------------------------------------------------------------- */

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
		return journal_finds_drop(&r->finds, e->number);
	return journal_finds_put(&r->finds, e->number, s, offset, e->length);
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

	if (is_tail && r->durable == NOT_KNOWN)
		r->durable = journal_scan_durable(scan);
	if (is_tail && scan->at >= r->durable) {
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
	const uint64_t *sequences = (const void *)buf_data(&r->sequences);
	int err = 0;

	for (size_t i = buf_len(&r->sequences) / sizeof(*sequences); i > 0 && err == 0; i--)
		err = read_one(r, sequences[i - 1]);
	if (err == 0 && r->after.sequence > r->oldest && r->oldest > 0)
		return damage(r, r->after.sequence, 0, "the segment before this one is missing");
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
		return journal_refuse_segment(r->j, -errno, tail->sequence, "cannot go on with it");
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
	return journal_finds_tell(&r->finds, r->j);
}

int journal_recover(struct journal *j)
{
	struct recovery r = { .j = j, .durable = NOT_KNOWN };
	int err;

	j->next = 1;
	journal_refuse(
	    j, 0, "%s: %s", j->directory, strerror(ENOMEM)); /* unless it is something else */
	err = recover(&r);
	if (err == 0)
		j->why[0] = '\0';
	journal_reader_close(&j->reader);
	journal_finds_fini(&r.finds);
	buf_fini(&r.sequences);
	mem_free(r.file);
	return err;
}
