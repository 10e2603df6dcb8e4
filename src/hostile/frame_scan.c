/*
 * hostile/frame_scan.c - frames and their ends; see frame_scan.h.
 */
#include "hostile/frame_scan.h"

#include "ws/ws_frame.h"

static ssize_t begin_frame(struct frame_scan *scan, struct bytes in)
{
	struct ws_frame f;
	ssize_t header = ws_frame_parse(&f, in.p, in.n);

	if (header <= 0)
		return header;
	scan->is_within = true;
	scan->left = f.length + (uint64_t)header;
	return header;
}

ssize_t frame_scan_next(struct frame_scan *scan, struct bytes in, struct frame_piece *out)
{
	ssize_t header;

	out->begins = !scan->is_within;
	if (out->begins && (header = begin_frame(scan, in)) <= 0)
		return header;
	out->octets = (struct bytes){ in.p, in.n < scan->left ? in.n : (size_t)scan->left };
	scan->left -= out->octets.n;
	scan->is_within = scan->left > 0;
	out->ends = !scan->is_within;
	return (ssize_t)out->octets.n;
}
