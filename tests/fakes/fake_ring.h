/*
 * fakes/fake_ring.h - in place of net/send_ring.c: a kernel that takes what a test
 * says, and is asked when the test looks.
 */
#ifndef FAKES_FAKE_RING_H
#define FAKES_FAKE_RING_H

#include <stdbool.h>

#include "net/send_ring.h"

struct fake_ring {
	int refuse_new;     /* what send_ring_new() says; 0: yes */
	unsigned calls;     /* of send_ring_send() */
	unsigned last;      /* how many sends the last one had */
	bool exists;        /* made and not yet freed */
	int odd;            /* the fd whose send does not do as it should; -1: none */
	ssize_t odd_result; /* -errno, or fewer bytes than asked for */
	int break_at;       /* the call fails at this send; -1: never */
	int break_error;    /* and says so */
};

extern struct fake_ring fake_ring;

void fake_ring_reset(void);

#endif
