/*
 * session/session_record_snapshot.c - the record of a session, for another process; see session_record.h.
 *
 * Transports are places in a list there; it is their names that last.
 */
#include "base/snapshot.h"
#include "session/session_private.h"

enum {
#define X(name, word) +1
	EVENT_KINDS = SESSION_EVENT_KINDS(X),
	CAUSES = SESSION_CAUSES(X)
#undef X
};

/* --- transports ------------------------------------------------------------------ */

/* Where each place of the other process is here; SESSION_TRANSPORTS_MAX: nowhere. */
struct places {
	uint8_t here[SESSION_TRANSPORTS_MAX + 1];
};

static uint8_t place_of(const struct session_reactor *r, struct bytes name)
{
	const char *here;

	for (unsigned i = 0; (here = session_transport_name(r, i)) != NULL; i++)
		if (bytes_equal(name, bytes_of(here)))
			return (uint8_t)i;
	return SESSION_TRANSPORTS_MAX;
}

static void places_snapshot(
    struct places *p, const struct session_reactor *r, struct snapshot *s)
{
	memset(p->here, SESSION_TRANSPORTS_MAX, sizeof(p->here));
	for (unsigned i = 0; i < SESSION_TRANSPORTS_MAX; i++) {
		const char *name = s->is_reading ? NULL : session_transport_name(r, i);

		if (!snapshot_more(s, name != NULL))
			break;
		p->here[i] = place_of(r, snapshot_bytes(s, bytes_of(name)));
	}
}

/* A bit for each place. */
static uint8_t bits_snapshot(uint8_t bits, const struct places *p, struct snapshot *s)
{
	uint8_t there = snapshot_u8(s, bits), here = 0;

	for (unsigned i = 0; i < SESSION_TRANSPORTS_MAX; i++)
		if (there & 1u << i)
			here |= (uint8_t)(1u << p->here[i]); /* an unknown one has no bit */
	return s->is_reading ? here : bits;
}

/* --- the time line --------------------------------------------------------------- */

/* What an event is of: a transport, a cause, or nothing. */
static uint8_t of_snapshot(const struct session_event *e, const struct places *p, struct snapshot *s)
{
	uint32_t of;

	switch (e->kind) {
	case SESSION_EVENT_BEGAN:
	case SESSION_EVENT_ATTACHED:
	case SESSION_EVENT_DETACHED:
		of = snapshot_below(s, e->of, SESSION_TRANSPORTS_MAX + 1);
		return s->is_reading ? p->here[of] : e->of;
	case SESSION_EVENT_CLOSING:
		return (uint8_t)snapshot_below(s, e->of, CAUSES);
	default:
		return snapshot_u8(s, e->of);
	}
}

/* All of the ring, also those that are not kept any more. */
static void event_snapshot(struct session_event *e, const struct places *p, struct snapshot *s)
{
	SNAPSHOT(s, u32, e->at);
	SNAPSHOT(s, u16, e->code);
	e->kind = (uint8_t)snapshot_below(s, e->kind, EVENT_KINDS);
	e->of = of_snapshot(e, p, s);
}

/* --- the record ------------------------------------------------------------------ */

static void all_snapshot(struct session_record *r, const struct places *p, struct snapshot *s)
{
	SNAPSHOT(s, u64, r->began);
	SNAPSHOT(s, u64, r->messages_in);
	SNAPSHOT(s, u64, r->bytes_in);
	SNAPSHOT(s, u64, r->messages_out);
	SNAPSHOT(s, u64, r->bytes_out);
	r->cause = (uint8_t)snapshot_below(s, r->cause, CAUSES);
	r->transports = bits_snapshot(r->transports, p, s);
	r->tried = bits_snapshot(r->tried, p, s);
	SNAPSHOT(s, u32, r->count);
	r->kept = (uint8_t)snapshot_below(s, r->kept, SESSION_EVENTS + 1);
	snapshot_check(s, r->kept <= r->count);
	for (unsigned i = 0; i < SESSION_EVENTS; i++)
		event_snapshot(&r->events[i], p, s);
}

void session_record_snapshot(struct session *session, struct snapshot *s)
{
	struct places places;

	if (!snapshot_bool(s, session->is_recorded))
		return;
	if (s->is_reading && session_record_begin(session) < 0) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	places_snapshot(&places, session->reactor, s);
	all_snapshot(session->record, &places, s);
}
