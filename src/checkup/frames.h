/*
 * checkup/frames.h - what a SockJS server says, out of what each transport wraps around it. No I/O.
 */
#ifndef CHECKUP_FRAMES_H
#define CHECKUP_FRAMES_H

#include "base/buf.h"
#include "base/bytes.h"

enum wrapping { WRAPPED_LINES, WRAPPED_EVENTS, WRAPPED_SCRIPTS, WRAPPED_CALLS };

/* Longer lines are nobody's: then it is no SockJS. */
#define FRAMES_LINE_MAX ((size_t)1 << 20)

struct frames {
	enum wrapping wrapping;
	struct buf line;  /* what has come of one */
	size_t seen;      /* octets of it without an end */
	struct buf frame; /* the last that was unwrapped */
};

void frames_fini(struct frames *f);
/* 0; -E2BIG, -ENOMEM. */
int frames_feed(struct frames *f, struct bytes data);
/* The next frame, until the next call. False: there is none yet. */
bool frames_next(struct frames *f, struct bytes *frame);
/* All that came belongs to a response that has ended. */
void frames_reset(struct frames *f);

#endif
