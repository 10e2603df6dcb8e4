/*
 * journal/journal_reader.c - reads records back from their segments: when the journal opens, and
 * for compaction.
 *
 * Whoever asks for one record after the other gets them from a window; a single one is read alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "journal/journal_private.h"

enum { WINDOW = 64 * 1024 };

void journal_reader_close(struct journal_reader *reader)
{
	if (reader->sequence)
		close(reader->fd);
	mem_free(reader->window);
	*reader = (struct journal_reader){ .fd = -1 };
}

static int open_segment(struct journal *j, uint64_t sequence)
{
	char name[JOURNAL_NAME];

	if (j->reader.sequence == sequence)
		return 0;
	journal_reader_close(&j->reader);
	journal_name(sequence, name);
	j->reader.fd = openat(j->directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (j->reader.fd < 0)
		return -errno;
	j->reader.sequence = sequence;
	return 0;
}

static int grow(struct journal_reader *reader, size_t size)
{
	char *window;

	if (size <= reader->cap)
		return 0;
	window = mem_realloc(reader->window, size);
	if (!window)
		return -ENOMEM;
	reader->window = window;
	reader->cap = size;
	return 0;
}

/* Fills the window with what begins at `offset`: `most` octets, at the end of the file fewer. */
static int fill(struct journal_reader *reader, uint64_t offset, size_t most)
{
	int err = grow(reader, most);

	reader->start = reader->end = offset;
	while (err == 0 && reader->end - offset < most) {
		size_t have = (size_t)(reader->end - offset);
		ssize_t n =
		    pread(reader->fd, reader->window + have, most - have, (off_t)(offset + have));

		if (n == 0)
			break;
		if (n > 0)
			reader->end += (uint64_t)n;
		else if (errno != EINTR)
			err = -errno;
	}
	return err;
}

/* So many octets from there on are in the window. */
static int show(struct journal_reader *reader, uint64_t offset, size_t size)
{
	bool near = offset >= reader->start && offset < reader->end + WINDOW;
	int err;

	if (offset >= reader->start && offset + size <= reader->end)
		return 0;
	if ((err = fill(reader, offset, near && size < WINDOW ? WINDOW : size)) < 0)
		return err;
	return reader->end - offset < size ? -EBADMSG : 0;
}

int journal_reader_get(struct journal *j, const struct journal_segment *s, uint64_t offset,
    uint32_t length, struct bytes *body)
{
	size_t size = (size_t)journal_entry_size(length);
	struct journal_entry e;
	const char *head;
	int err;

	if ((err = open_segment(j, s->sequence)) < 0 || (err = show(&j->reader, offset, size)) < 0)
		return err;
	head = j->reader.window + (offset - j->reader.start);
	if (!journal_head_read(head, s->epoch, offset, &e) || e.length != length ||
	    e.body_crc != crc32c(0, head + JOURNAL_HEAD, size - JOURNAL_HEAD))
		return -EBADMSG;
	*body = (struct bytes){ head + JOURNAL_HEAD, length };
	return 0;
}
