/*
 * journal/journal_open.c - a journal begins with its directory and its lock, and ends with all it
 * has on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "journal/journal_private.h"

enum {
	INTERVAL_MS = 1000,
	SEGMENT_LEAST = 1024,
	SEGMENT_BYTES = 16 << 20,
	PENDING_BYTES = 16 << 20,
};

#define SEGMENT_MOST (UINT32_C(1) << 30)

/* --- the directory --------------------------------------------------------------- */

static int refuse_directory(struct journal *j, int err)
{
	return journal_refuse(j, err, "%s: %s", j->directory, strerror(-err));
}

/* That there is such a directory must survive too. */
static int sync_parent(int directory_fd)
{
	int fd = openat(directory_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int open_directory(struct journal *j)
{
	bool is_new = mkdir(j->directory, 0700) == 0;

	if (!is_new && errno != EEXIST)
		return -errno;
	j->directory_fd = open(j->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->directory_fd < 0)
		return -errno;
	return is_new ? sync_parent(j->directory_fd) : 0;
}

static void write_pid(int fd)
{
	char pid[16];
	int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) < 0)
		return; /* it is only told to who finds it locked */
}

static int refuse_lock(struct journal *j)
{
	char pid[16] = "";
	ssize_t n;

	if (errno != EWOULDBLOCK)
		return refuse_directory(j, -errno);
	n = pread(j->lock_fd, pid, sizeof(pid) - 1, 0);
	return journal_refuse(j, -EBUSY, "%s: the journal is in use by process %ld", j->directory,
	    n > 0 ? strtol(pid, NULL, 10) : 0);
}

static int lock(struct journal *j)
{
	j->lock_fd =
	    openat(j->directory_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->lock_fd < 0)
		return refuse_directory(j, -errno);
	if (flock(j->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return refuse_lock(j);
	write_pid(j->lock_fd);
	return 0;
}

/* --- the beginning ------------------------------------------------------------------ */

static void set_defaults(struct journal_options *o)
{
	if (o->interval_ms == 0)
		o->interval_ms = INTERVAL_MS;
	if (o->segment_bytes == 0)
		o->segment_bytes = SEGMENT_BYTES;
	if (o->max_pending_bytes == 0)
		o->max_pending_bytes = PENDING_BYTES;
}

static int check_options(const struct journal_options *o, char *why, size_t size)
{
	const char *wrong = NULL;

	if (o->segment_bytes < SEGMENT_LEAST || o->segment_bytes > SEGMENT_MOST)
		wrong = "segment_bytes is not between 1 KiB and 1 GiB";
	else if (o->max_bytes && o->max_bytes < 4 * (uint64_t)o->segment_bytes)
		wrong = "max_bytes is less than four segments";
	if (wrong)
		snprintf(why, size, "%s", wrong);
	return wrong ? -EINVAL : 0;
}

/* The disk first, which may still read from `flying`. */
static void journal_free(struct journal *j)
{
	disk_free(j->disk);
	while (!list_empty(&j->segments))
		journal_segment_free(j, journal_oldest(j));
	buf_fini(&j->flying);
	journal_reader_close(&j->reader);
	if (j->lock_fd >= 0)
		close(j->lock_fd);
	if (j->directory_fd >= 0)
		close(j->directory_fd);
	mem_free(j->directory);
	mem_free(j);
}

static struct journal *journal_new(const char *directory, const struct journal_options *options)
{
	struct journal *j = mem_zalloc(sizeof(*j));

	if (!j)
		return NULL;
	j->options = *options;
	j->directory_fd = j->lock_fd = j->reader.fd = -1;
	list_init(&j->segments);
	j->directory = mem_strdup(directory);
	j->disk = disk_new(options->blocking);
	if (j->directory && j->disk)
		return j;
	journal_free(j);
	return NULL;
}

/* What `repair` has skipped is left behind, or the next start would find it again. */
static int leave_damage_behind(struct journal *j)
{
	int err = 0;

	while (err == 0 && journal_oldest(j)->sequence <= j->compact_through) {
		uint64_t mark = j->mark, segments = j->counters.segments;

		if ((err = journal_flush(j)) == 0)
			err = journal_wait(j);
		if (err == 0 && mark == j->mark && segments == j->counters.segments)
			err = -ENOMEM; /* nothing else keeps it from going on */
	}
	return err;
}

static int begin(struct journal *j)
{
	int err;

	if ((err = open_directory(j)) < 0)
		return refuse_directory(j, err);
	if ((err = lock(j)) < 0 || (err = journal_recover(j)) < 0)
		return err;
	if (fsync(j->directory_fd) < 0)
		return refuse_directory(j, -errno);
	if ((err = journal_wait(j)) < 0)
		return err;
	err = leave_damage_behind(j);
	return err < 0 && !j->err ? refuse_directory(j, err) : err;
}

int journal_open(struct journal **out, const char *directory, const struct journal_options *options,
    char *why, size_t size)
{
	struct journal_options o = *options;
	struct journal *j;
	int err;

	set_defaults(&o);
	if ((err = check_options(&o, why, size)) < 0)
		return err;
	j = journal_new(directory, &o);
	if (!j) {
		snprintf(why, size, "%s: %s", directory, strerror(ENOMEM));
		return -ENOMEM;
	}
	if ((err = begin(j)) < 0) {
		snprintf(why, size, "%s", j->why);
		journal_free(j);
		return err;
	}
	*out = j;
	return 0;
}

/* --- the end -------------------------------------------------------------------------- */

/* The last entry says that all before it is durable, so that what is damaged there afterwards is
 * not taken for torn. */
static int write_last_mark(struct journal *j)
{
	struct journal_segment *tail = journal_tail(j);
	uint64_t size = tail->size;

	journal_tell_synced(j, tail);
	if (tail->size == size)
		return 0;
	tail->mark = ++j->mark;
	return journal_wait(j);
}

int journal_close(struct journal *j)
{
	int err;

	if (!j)
		return 0;
	if ((err = journal_wait(j)) == 0)
		err = write_last_mark(j);
	journal_free(j);
	return err;
}
