/*
 * journal/journal_disk.c - writes and syncs; see journal_disk.h.
 *
 * In the ring an operation is a chain: write, then sync of the file, then sync of the directory. A
 * link that fails, or writes less than it should, cancels those behind it.
 *
 * Owns: the ring and its eventfd. The descriptors of files are the journal's.
 */
#include "config.h"

#include "journal/journal_disk.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"

#ifdef HAVE_LIBURING
#include <liburing.h>
#include <sys/eventfd.h>
#endif

enum { LINKS_MAX = 3, TRIES_MAX = 1000 };

enum link { WRITE, SYNC, SYNC_DIRECTORY };

struct journal_disk {
	struct disk_op op; /* what is left of it */
	bool has_ring, busy;
	int result;
	int event_fd;
	unsigned tries, links; /* submitted and not ended */
#ifdef HAVE_LIBURING
	struct io_uring uring;
	int results[LINKS_MAX];
#endif
};

static unsigned long fail_countdown; /* 0: never fail */
static int fail_with;

void disk_fail_at(unsigned long nth, int err)
{
	fail_countdown = nth;
	fail_with = err;
}

/* --- without a ring ----------------------------------------------------------- */

static int write_all(struct disk_op *op)
{
	while (op->n > 0) {
		ssize_t n = pwrite(op->fd, op->p, op->n, (off_t)op->offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		op->p += n;
		op->n -= (size_t)n;
		op->offset += (uint64_t)n;
	}
	return 0;
}

static int run_blocking(struct disk_op *op)
{
	int err = write_all(op);

	if (err == 0 && op->sync && fdatasync(op->fd) < 0)
		err = -errno;
	if (err == 0 && op->sync_directory >= 0 && fsync(op->sync_directory) < 0)
		err = -errno;
	return err;
}

static void run_failing(struct journal_disk *d)
{
	d->op.n /= 2;
	d->op.sync = false;
	d->op.sync_directory = -1;
	run_blocking(&d->op);
	d->result = -fail_with;
	d->busy = false;
}

/* --- with a ring --------------------------------------------------------------- */

#ifdef HAVE_LIBURING

static int open_ring(struct journal_disk *d)
{
	int err = io_uring_queue_init(LINKS_MAX + 1, &d->uring, 0);

	if (err < 0)
		return err;
	d->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->event_fd < 0 || io_uring_register_eventfd(&d->uring, d->event_fd) < 0) {
		err = -errno;
		if (d->event_fd >= 0)
			close(d->event_fd);
		d->event_fd = -1;
		io_uring_queue_exit(&d->uring);
		return err;
	}
	d->has_ring = true;
	return 0;
}

static void close_ring(struct journal_disk *d)
{
	if (!d->has_ring)
		return;
	io_uring_queue_exit(&d->uring);
	close(d->event_fd);
}

static void prepare(struct journal_disk *d, enum link link, bool last)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&d->uring);

	if (link == WRITE)
		io_uring_prep_write(sqe, d->op.fd, d->op.p,
		    d->op.n < (1u << 30) ? (unsigned)d->op.n : 1u << 30, d->op.offset);
	else if (link == SYNC)
		io_uring_prep_fsync(sqe, d->op.fd, IORING_FSYNC_DATASYNC);
	else
		io_uring_prep_fsync(sqe, d->op.sync_directory, 0);
	sqe->user_data = link;
	if (!last)
		sqe->flags |= IOSQE_IO_LINK;
	d->results[link] = -ECANCELED;
	d->links++;
}

static void submit(struct journal_disk *d)
{
	bool sync = d->op.sync, directory = d->op.sync_directory >= 0;
	unsigned accepted = 0;

	d->links = 0;
	if (d->op.n > 0)
		prepare(d, WRITE, !sync && !directory);
	if (sync)
		prepare(d, SYNC, !directory);
	if (directory)
		prepare(d, SYNC_DIRECTORY, true);
	for (int tries = 0; accepted < d->links && tries < TRIES_MAX; tries++) {
		int n = io_uring_submit(&d->uring);

		if (n > 0)
			accepted += (unsigned)n;
	}
	if (accepted < d->links)
		d->result = -EIO; /* what was accepted is waited for */
	d->links = accepted;
}

static int result_of_write(struct journal_disk *d)
{
	int n = d->results[WRITE];

	if (n == -EINTR || n == -EAGAIN)
		return ++d->tries < TRIES_MAX ? 0 : n;
	if (n <= 0)
		return n < 0 ? n : -EIO;
	d->op.p += n;
	d->op.n -= (size_t)n;
	d->op.offset += (uint64_t)n;
	return 0;
}

/* All links have ended. Whether there is more to do. */
static bool go_on(struct journal_disk *d)
{
	int err = d->result;

	if (err == 0 && d->op.n > 0) {
		err = result_of_write(d);
		if (err == 0 && d->op.n > 0)
			return true;
	}
	if (err == 0 && d->op.sync)
		err = d->results[SYNC];
	if (err == 0 && d->op.sync_directory >= 0)
		err = d->results[SYNC_DIRECTORY];
	d->result = err;
	return false;
}

static void reap(struct journal_disk *d)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&d->uring, head, cqe)
	{
		d->results[cqe->user_data] = cqe->res;
		n++;
	}
	io_uring_cq_advance(&d->uring, n);
	d->links -= n;
}

static void run_ring(struct journal_disk *d, bool wait)
{
	struct io_uring_cqe *cqe;

	for (;;) {
		reap(d);
		if (d->links == 0) {
			d->busy = go_on(d);
			if (!d->busy)
				return;
			submit(d);
		} else if (wait) {
			io_uring_wait_cqe(&d->uring, &cqe);
		} else {
			return;
		}
	}
}

#else

static int open_ring(struct journal_disk *d)
{
	(void)d;
	return -ENOSYS;
}

static void close_ring(struct journal_disk *d)
{
	(void)d;
}

static void submit(struct journal_disk *d)
{
	(void)d;
}

static void run_ring(struct journal_disk *d, bool wait)
{
	(void)d, (void)wait;
}

#endif

/* --- either -------------------------------------------------------------------- */

struct journal_disk *disk_new(bool blocking)
{
	struct journal_disk *d = mem_zalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->event_fd = -1;
	if (!blocking)
		open_ring(d); /* or do without */
	return d;
}

void disk_free(struct journal_disk *d)
{
	int result;

	if (!d)
		return;
	disk_ended(d, true, &result);
	close_ring(d);
	mem_free(d);
}

int disk_fd(const struct journal_disk *d)
{
	return d->event_fd;
}

void disk_clear_event(struct journal_disk *d)
{
	uint64_t count;

	while (d->event_fd >= 0 && read(d->event_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

void disk_start(struct journal_disk *d, const struct disk_op *op)
{
	d->op = *op;
	d->result = 0;
	d->tries = 0;
	d->busy = true;
	if (fail_countdown > 0 && --fail_countdown == 0) {
		run_failing(d);
	} else if (d->has_ring) {
		submit(d);
	} else {
		d->result = run_blocking(&d->op);
		d->busy = false;
	}
}

bool disk_ended(struct journal_disk *d, bool wait, int *result)
{
	if (d->busy)
		run_ring(d, wait);
	*result = d->result;
	return !d->busy;
}
