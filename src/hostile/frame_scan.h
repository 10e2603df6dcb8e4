/*
 * hostile/frame_scan.h - where the frames of a WebSocket begin and end in one direction (RFC 6455
 * section 5.2). No I/O, and nothing is unmasked.
 */
#ifndef HOSTILE_FRAME_SCAN_H
#define HOSTILE_FRAME_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"

struct frame_scan {
	uint64_t left;  /* of the frame under way, to come yet */
	bool is_within; /* a frame has begun and not ended */
};

struct frame_piece {
	struct bytes octets; /* of one frame, from the front of the input */
	bool begins, ends;
};

/* Takes what is of one frame from the front of `in`. Octets taken; 0: a header is not whole yet;
 * -EPROTO: no frame begins so. */
ssize_t frame_scan_next(struct frame_scan *scan, struct bytes in, struct frame_piece *out);

#endif
