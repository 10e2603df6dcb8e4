/*
 * identity/access_pattern.h - patterns of access rules against destinations, and against the patterns
 * that clients subscribe to. For src/identity/ alone.
 *
 * Segments are compared as what they mean, not as they are written: "%61" is "a". So a rule cannot
 * be passed by with another spelling, wherever destinations are decoded later. "{user}" and
 * "{claim.NAME}" are compared with what stands in the destination, never put into the pattern: a
 * name is a name, whatever it is made of.
 */
#ifndef IDENTITY_ACCESS_PATTERN_H
#define IDENTITY_ACCESS_PATTERN_H

#include "identity/identity.h"
#include "identity/reading.h"

#define ACCESS_DESTINATION_MAX 1024 /* octets */
#define ACCESS_SEGMENTS_MAX    64

enum access_segment_kind { SEGMENT_TEXT, SEGMENT_NAMED, SEGMENT_ANY, SEGMENT_REST };

/* A part of a segment that names somebody. */
struct access_piece {
	enum { PIECE_TEXT, PIECE_USER, PIECE_CLAIM } kind;
	struct bytes text; /* with a NUL behind it; what stands there, or the claim's name */
};

struct access_segment {
	enum access_segment_kind kind;
	struct bytes text; /* decoded */
	struct access_piece *pieces;
	size_t piece_count;
};

/* Of a rule. */
struct access_pattern {
	struct access_segment *segments;
	struct access_piece *pieces; /* of all segments */
	char *room;                  /* their texts */
	size_t count;
};

/* What somebody wants to send or subscribe to, taken apart. */
struct access_target {
	struct bytes segments[ACCESS_SEGMENTS_MAX];
	size_t count;
	bool has_rest;   /* it ended with "**", which is no segment here */
	bool is_pattern; /* that, or one of the segments is "*" */
	bool is_escaped; /* there is a "%" in it */
};

/* Whatever it returns, access_pattern_fini() is called. */
int access_pattern_read(struct access_pattern *p, const struct reading *r, const char *path,
    const char *text, char separator);
void access_pattern_fini(struct access_pattern *p);

/* False: it is neither a destination nor a pattern. */
bool access_target_read(struct access_target *t, struct bytes text, char separator);

/* Whether the rule's pattern fits all that `t` can match, for this one. */
bool access_pattern_covers(
    const struct access_pattern *p, const struct access_target *t, const struct identity *who);
/* Whether there is something that both can match. */
bool access_pattern_overlaps(
    const struct access_pattern *p, const struct access_target *t, const struct identity *who);

#endif
