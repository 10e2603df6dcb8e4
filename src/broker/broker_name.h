/*
 * broker/broker_name.h - the texts: destinations and patterns, their segments, and the names in
 * "/user/NAME/rest".
 *
 * Everything here reads text that clients choose; nothing here allocates.
 */
#ifndef BROKER_BROKER_NAME_H
#define BROKER_BROKER_NAME_H

#include "broker/broker.h"

/* One segment after the other. */
struct broker_segments {
	struct bytes rest; /* empty, or beginning with what separates */
	char separator;
	char until; /* where the next segment ends: the first one always at a slash */
};

struct broker_segments broker_segments_of(struct bytes name, char separator);
/* False: that was all. */
bool broker_segments_next(struct broker_segments *s, struct bytes *segment);

static inline bool broker_segment_is_any(struct bytes segment)
{
	return segment.n == 1 && segment.p[0] == '*';
}

static inline bool broker_segment_is_rest(struct bytes segment)
{
	return segment.n == 2 && segment.p[0] == '*' && segment.p[1] == '*';
}

/* Whether the first segment is "user". */
bool broker_name_is_private(struct bytes name);

/* These take names that are not private, or what is left of one without its NAME. */
bool broker_name_is_destination(struct bytes name, char separator);
bool broker_name_is_pattern(struct bytes name, char separator);
/* Of two valid ones, segment by segment. */
bool broker_name_matches(struct bytes pattern, struct bytes destination, char separator);

/* Takes "/user/NAME/rest" apart into the NAME, decoded, and "/user/rest"; both are written into
 * `text`, which has room for destination.n octets. 0 or -EINVAL. */
int broker_name_split(
    struct bytes destination, char separator, char *text, struct bytes *name, struct bytes *shown);

#endif
