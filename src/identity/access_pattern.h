/*
 * identity/access_pattern.h - patterns of access rules against destinations, and against the
 * patterns that clients subscribe to. For src/identity/ alone.
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

enum access_segment_kind { SEGMENT_TEXT, SEGMENT_NAMED, SEGMENT_ANY };

/* A part of a segment that names somebody. */
struct access_piece {
	enum { PIECE_TEXT, PIECE_USER, PIECE_CLAIM } kind;
	struct bytes text; /* with a NUL behind it; what stands there, or the claim's name */
};

/* A text and its first octets: most comparisons need no more than these. */
struct access_text {
	struct bytes text;
	uint64_t head;
};

struct access_segment {
	enum access_segment_kind kind;
	struct access_text text; /* decoded */
	struct access_piece *pieces;
	size_t piece_count;
};

/* Of a rule. */
struct access_pattern {
	struct access_segment *segments;
	struct access_piece *pieces; /* of all segments */
	char *room;                  /* their texts */
	size_t count;                /* of segments before "**" */
	bool has_rest;               /* it ends with "**" */
};

/* What somebody wants to send or subscribe to, taken apart. */
struct access_target {
	struct access_text segments[ACCESS_SEGMENTS_MAX];
	size_t count;
	uint64_t any;    /* a bit for each segment that is "*" */
	bool has_rest;   /* it ends with "**", which is no segment here */
	bool is_escaped; /* there is a "%" in it */
};

/* Whatever it returns, access_pattern_fini() is called. */
int access_pattern_read(struct access_pattern *p, const struct reading *r, const char *path,
    const char *text, char separator);
void access_pattern_fini(struct access_pattern *p);

/* False: it is neither a destination nor a pattern. */
bool access_target_read(struct access_target *t, struct bytes text, char separator);

/* Whether it stands for more than one destination. */
static inline bool access_target_is_pattern(const struct access_target *t)
{
	return t->any != 0 || t->has_rest;
}

/* Whether the rule's pattern fits all that `t` can match, for this one. */
bool access_pattern_covers(
    const struct access_pattern *p, const struct access_target *t, const struct identity *who);
/* Whether there is something that both can match. */
bool access_pattern_overlaps(
    const struct access_pattern *p, const struct access_target *t, const struct identity *who);

#endif
