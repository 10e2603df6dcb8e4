/*
 * journal/journal_flush.c - from memory to disk, one operation at a time and in order.
 *
 * A segment is begun only when the one before it is durable, and gets its first entries only when
 * its header and its name are; under every policy. So it is always the end of the last segment that
 * a crash cuts, and where a segment has a successor whatever is wrong in it is no crash's doing.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal/journal_private.h"

/* Larger buffers are not kept for the next flush. */
enum { KEEP_BUFFER = 1 << 20 };

static bool is_sync_due(const struct journal *j)
{
	return clock_now() >= j->synced_at + j->options.interval_ms;
}

static bool wants_sync(const struct journal *j, const struct journal_segment *s)
{
	return s != journal_tail(j) || j->options.sync == JOURNAL_SYNC_ALWAYS ||
	       j->synced < j->sync_to ||
	       (j->options.sync == JOURNAL_SYNC_INTERVAL && is_sync_due(j));
}

static bool wants_write(const struct journal *j, const struct journal_segment *s)
{
	return buf_len(&s->pending) > 0 && (s != journal_tail(j) || j->written < j->flush_to);
}

/* --- what is begun ------------------------------------------------------------- */

static void start(struct journal *j, enum journal_flight flight, const struct disk_op *op)
{
	j->flight = flight;
	j->flight_syncs = op->sync;
	disk_start(j->disk, op);
}

static uint64_t size_before(const struct journal *j, const struct journal_segment *s)
{
	if (s == journal_oldest(j))
		return 0;
	return container_of(s->link.prev, struct journal_segment, link)->size;
}

static void start_create(struct journal *j, struct journal_segment *s)
{
	const struct journal_header header = { s->sequence, s->epoch, journal_oldest(j)->sequence,
		j->next, size_before(j, s) };
	char name[JOURNAL_NAME];

	journal_name(s->sequence, name);
	s->fd = openat(j->directory_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s->fd < 0) {
		journal_fail(j, -errno, "cannot create the segment", s->sequence);
		return;
	}
	journal_header_write(j->header, &header);
	start(j, FLIGHT_CREATE,
	    &(struct disk_op){ .fd = s->fd,
	        .p = j->header,
	        .n = JOURNAL_HEADER,
	        .sync = true,
	        .sync_directory = j->directory_fd });
}

static void start_write(struct journal *j, struct journal_segment *s)
{
	struct buf empty = j->flying;

	journal_tell_synced(j, s);
	j->flying = s->pending;
	s->pending = empty;
	j->flight_mark = s->mark;
	start(j, FLIGHT_WRITE,
	    &(struct disk_op){ .fd = s->fd,
	        .p = buf_data(&j->flying),
	        .n = buf_len(&j->flying),
	        .offset = s->written,
	        .sync = wants_sync(j, s),
	        .sync_directory = -1 });
}

static void start_sync(struct journal *j, struct journal_segment *s)
{
	j->flight_mark = j->written;
	start(
	    j, FLIGHT_WRITE, &(struct disk_op){ .fd = s->fd, .sync = true, .sync_directory = -1 });
}

/* All of it is durable, and nothing will be added. */
static void finish(struct journal *j, struct journal_segment *s)
{
	close(s->fd);
	s->fd = -1;
	buf_fini(&s->pending);
	j->writing = journal_after(s);
}

/* False: there is nothing to do for the disk. */
static bool start_next(struct journal *j)
{
	for (;;) {
		struct journal_segment *s = j->writing;

		if (!s->created)
			start_create(j, s);
		else if (wants_write(j, s))
			start_write(j, s);
		else if (s->synced < s->written && wants_sync(j, s))
			start_sync(j, s);
		else if (s != journal_tail(j))
			finish(j, s);
		else
			return false;
		if (j->err || j->flight != FLIGHT_NONE)
			return j->err == 0;
	}
}

/* --- what has ended -------------------------------------------------------------- */

static void created(struct journal_segment *s)
{
	s->created = true;
	s->written = s->synced = s->told = JOURNAL_HEADER;
}

static void synced(struct journal *j, struct journal_segment *s)
{
	s->synced = s->written;
	j->synced = j->written;
	j->synced_at = clock_now();
	j->counters.syncs++;
}

static void landed(struct journal *j, struct journal_segment *s)
{
	size_t n = buf_len(&j->flying);

	s->written += n;
	j->pending_bytes -= n;
	j->written = j->flight_mark;
	j->counters.writes += n > 0;
	if (j->flight_syncs)
		synced(j, s);
}

static void empty_flying(struct journal *j)
{
	if (j->flying.cap > KEEP_BUFFER)
		buf_fini(&j->flying);
	buf_clear(&j->flying);
}

/* A sync that has failed is not tried again: the kernel may have dropped what it could not write,
 * and a second one would say that all is well. */
static void on_ended(struct journal *j, int result)
{
	enum journal_flight flight = j->flight;

	j->flight = FLIGHT_NONE;
	if (result < 0)
		journal_fail(j, result, "cannot write or sync", j->writing->sequence);
	if (!j->err && flight == FLIGHT_CREATE)
		created(j->writing);
	else if (!j->err)
		landed(j, j->writing);
	empty_flying(j);
}

static void drive(struct journal *j, bool wait)
{
	int result;

	do {
		if (j->flight != FLIGHT_NONE) {
			if (!disk_ended(j->disk, wait, &result))
				return;
			on_ended(j, result);
		}
	} while (!j->err && start_next(j));
}

/* --- what the owner calls ----------------------------------------------------------- */

int journal_flush(struct journal *j)
{
	if (j->err)
		return j->err;
	journal_compact(j);
	j->flush_to = j->mark;
	drive(j, false);
	journal_remove_trimmed(j);
	return j->err;
}

int journal_poll(struct journal *j)
{
	disk_clear_event(j->disk);
	drive(j, false);
	journal_remove_trimmed(j);
	if (j->flight == FLIGHT_NONE && journal_wants_compaction(j))
		return journal_flush(j);
	return j->err;
}

int journal_wait(struct journal *j)
{
	j->flush_to = j->sync_to = j->mark;
	drive(j, true);
	journal_remove_trimmed(j);
	return j->err;
}

uint64_t journal_due_ms(const struct journal *j)
{
	if (j->err || j->flight != FLIGHT_NONE)
		return UINT64_MAX;
	if (j->written < j->mark || journal_wants_compaction(j))
		return 0;
	if (j->options.sync == JOURNAL_SYNC_INTERVAL && j->synced < j->written)
		return j->synced_at + j->options.interval_ms;
	return UINT64_MAX;
}
