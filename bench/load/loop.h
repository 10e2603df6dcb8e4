/*
 * bench/load/loop.h - connections of a single thread over epoll.
 *
 * One buffer is shared by all for reading; a connection keeps bytes of its own only for what
 * its owner could not yet take, or the kernel could not.
 */
#ifndef LOAD_LOOP_H
#define LOAD_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/place.h"

struct link;

struct link_ops {
	void (*connected)(struct link *l);
	/* Returns how many of the bytes were taken; the others come again with more. */
	size_t (*bytes)(struct link *l, char *data, size_t len);
	void (*ended)(struct link *l); /* by the other side; the link is closed already */
};

struct kept {
	char *data;
	size_t len;
};

struct loop {
	int epoll;
	struct place to;
	int64_t now; /* nanoseconds; of the last time that something was read */
	uint64_t batch;
	unsigned sources; /* connections made so far */
	char *buffer;
};

struct link {
	struct loop *loop;
	const struct link_ops *ops;
	void *owner;
	int fd;          /* negative: closed */
	bool connecting; /* until there is a connection, and its TLS has shaken hands */
	struct tls *tls;
	uint64_t born; /* in which batch of events */
	struct kept untaken, unsent;
};

void loop_init(struct loop *loop, const struct place *to);
int64_t loop_clock(void);

/* Waits for events until the time given at most, and handles one batch. */
void loop_turn(struct loop *loop, int64_t until);

void link_init(struct link *l, struct loop *loop, const struct link_ops *ops, void *owner);
void link_open(struct link *l);
void link_send(struct link *l, const void *data, size_t len);
void link_close(struct link *l);

static inline bool link_is_open(const struct link *l)
{
	return l->fd >= 0;
}

#endif
