/*
 * net/stream_witness.c - which socket is the witness of which stream; see stream_witness.h.
 *
 * They are few, and there are none as long as nobody restarts: so they stand in a table of the process, by the stream's
 * descriptor, and not in each stream.
 */
#include "net/stream_witness.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/stream_private.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int *witnesses; /* by descriptor; -1: none */
static size_t room, count;

static int make_room(size_t fd)
{
	size_t more = fd + fd / 2 + 16;
	int *p;

	if (fd < room)
		return 0;
	p = mem_realloc(witnesses, more * sizeof(*p));
	if (!p)
		return -ENOMEM;
	for (size_t i = room; i < more; i++)
		p[i] = -1;
	witnesses = p;
	room = more;
	return 0;
}

int stream_witness_add(struct stream *s, int fd)
{
	int err;

	pthread_mutex_lock(&lock);
	err = make_room((size_t)s->watch.fd);
	if (err == 0) {
		witnesses[s->watch.fd] = fd;
		count++;
		s->flags |= STREAM_CARRIED;
	}
	pthread_mutex_unlock(&lock);
	if (err < 0)
		close(fd);
	return err;
}

int stream_witness(const struct stream *s)
{
	int fd;

	if (!(s->flags & STREAM_CARRIED))
		return -1;
	pthread_mutex_lock(&lock);
	fd = witnesses[s->watch.fd];
	pthread_mutex_unlock(&lock);
	return fd;
}

void stream_witness_drop(struct stream *s)
{
	if (!(s->flags & STREAM_CARRIED))
		return;
	pthread_mutex_lock(&lock);
	close(witnesses[s->watch.fd]);
	witnesses[s->watch.fd] = -1;
	if (--count == 0) {
		mem_free(witnesses);
		witnesses = NULL;
		room = 0;
	}
	pthread_mutex_unlock(&lock);
	s->flags &= (uint16_t)~STREAM_CARRIED;
}
