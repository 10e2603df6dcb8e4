/*
 * session/session_trail_snapshot.c - what is known of the messages that were said, for another process; see
 * session_trail.h. Places are those of the wire, which counts on.
 */
#include "base/snapshot.h"
#include "session/session_private.h"
#include "session/session_trail.h"

#define SAID_MOST (UINT64_MAX / 4) /* nobody has said so many */

/* More than was said cannot have come anywhere; what is subtracted from it would be a lie. */
static bool trail_is_sound(const struct session *s)
{
	const struct session_trail *t = s->trail;
	uint64_t all = session_said(s);

	if (t->before > SAID_MOST || t->stride == 0 || t->acknowledged > all || t->asked > all)
		return false;
	if (s->is_settled && t->acknowledged > t->sent)
		return false;
	for (uint16_t i = 0; i < t->count; i++)
		if ((uint32_t)all - t->marks[i].said > all)
			return false;
	return true;
}

static bool make_trail_for(struct session *s, size_t marks)
{
	size_t bytes = TRAIL_BYTES_MIN;

	while (session_trail_marks(bytes) < marks)
		bytes *= 2;
	return session_trail_make(s, bytes);
}

static void trail_snapshot(struct session *s, struct snapshot *snapshot)
{
	uint32_t most = (uint32_t)session_trail_marks(TRAIL_BYTES_MAX),
	         n = snapshot_below(snapshot, s->has_trail ? s->trail->count : 0, most + 1);
	struct session_trail *t;

	if (snapshot->is_reading && !make_trail_for(s, n)) {
		snapshot_fail(snapshot, -ENOMEM);
		return;
	}
	t = s->trail;
	t->count = (uint16_t)n;
	SNAPSHOT(snapshot, u64, t->before);
	SNAPSHOT(snapshot, u64, t->acknowledged);
	SNAPSHOT(snapshot, u64, t->asked); /* or sent: they share their place */
	SNAPSHOT(snapshot, u16, t->stride);
	SNAPSHOT(snapshot, u16, t->skipped);
	for (uint32_t i = 0; i < n; i++) {
		SNAPSHOT(snapshot, u32, t->marks[i].at);
		SNAPSHOT(snapshot, u32, t->marks[i].said);
	}
	if (snapshot_reads(snapshot))
		snapshot_check(snapshot, trail_is_sound(s));
}

void session_trail_snapshot(struct session *s, struct snapshot *snapshot)
{
	bool has_trail = snapshot_bool(snapshot, s->has_trail);

	SNAPSHOT(snapshot, u32, s->unconfirmed);
	SNAPSHOT(snapshot, u16, s->marked_at);
	SNAPSHOT(snapshot, bool, s->is_settled);
	SNAPSHOT(snapshot, bool, s->is_blurred);
	SNAPSHOT(snapshot, bool, s->has_arrived);
	SNAPSHOT(snapshot, bool, s->has_gap);
	if (has_trail)
		trail_snapshot(s, snapshot);
	else
		snapshot_check(snapshot, SNAPSHOT(snapshot, u64, s->before) <= SAID_MOST);
}
