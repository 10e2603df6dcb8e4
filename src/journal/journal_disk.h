/*
 * journal/journal_disk.h - one write, with what makes it durable, at a time; by io_uring, or
 * blocking.
 *
 * A short write is gone on with. There is one result for all of an operation.
 */
#ifndef JOURNAL_JOURNAL_DISK_H
#define JOURNAL_JOURNAL_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal_disk;

struct disk_op {
	int fd;
	const char *p; /* stays where it is until the operation has ended */
	size_t n;      /* 0: nothing to write */
	uint64_t offset;
	bool sync;
	int sync_directory; /* a descriptor; -1: none */
};

/* `blocking`, or where the kernel has no io_uring for us: operations end within disk_start(). NULL
 * when memory is out. */
struct journal_disk *disk_new(bool blocking);
/* Waits for what is under way. NULL is fine. */
void disk_free(struct journal_disk *d);
/* Readable when disk_ended() may be true; -1: never. */
int disk_fd(const struct journal_disk *d);
/* It is not readable any more; to be called before disk_ended(). */
void disk_clear_event(struct journal_disk *d);

/* Begins an operation; none is under way. */
void disk_start(struct journal_disk *d, const struct disk_op *op);
/* Whether it has ended; then *result is 0 or -errno. With `wait` it is true. */
bool disk_ended(struct journal_disk *d, bool wait, int *result);

/* For tests: the nth operation from now on (1 is the next one) fails with `err` (EIO), and half
 * of its octets are written; 0 turns it off. */
void disk_fail_at(unsigned long nth, int err);

#endif
