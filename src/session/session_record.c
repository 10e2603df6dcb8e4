/*
 * session/session_record.c - the record of a session and its time line; see session_record.h.
 */
#include "session/session_record.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "session/session_private.h"

#define BRIEFLY 100 /* hundredths of a second: what is undone so soon was nothing */

_Static_assert(sizeof(struct session_record) <= 184, "with malloc's own it has to fit 192 octets");

/* --- transports ------------------------------------------------------------------ */

unsigned session_transport_place(const struct session_reactor *r, const char *name)
{
	unsigned i = 0;

	for (; r->transports && i < SESSION_TRANSPORTS_MAX && r->transports[i]; i++)
		if (r->transports[i] == name || strcmp(r->transports[i], name) == 0)
			return i;
	return SESSION_TRANSPORTS_MAX;
}

const char *session_transport_name(const struct session_reactor *r, unsigned place)
{
	for (unsigned i = 0; r->transports && i < SESSION_TRANSPORTS_MAX && r->transports[i]; i++)
		if (i == place)
			return r->transports[i];
	return NULL;
}

/* --- the record ------------------------------------------------------------------ */

int session_record_begin(struct session *s)
{
	struct session_record *record = mem_zalloc(sizeof(*record));

	if (!record)
		return -ENOMEM;
	record->began = session_now(s);
	record->reason = s->reason;
	s->record = record;
	s->is_recorded = true;
	session_note_transport(s, SESSION_EVENT_BEGAN);
	return 0;
}

/* --- the time line --------------------------------------------------------------- */

/* What may be undone by this. */
static int opposite(enum session_event_kind kind)
{
	switch (kind) {
	case SESSION_EVENT_ATTACHED:
		return SESSION_EVENT_DETACHED;
	case SESSION_EVENT_UNBLOCKED:
		return SESSION_EVENT_BLOCKED;
	case SESSION_EVENT_RESUMED:
		return SESSION_EVENT_PAUSED;
	default:
		return -1;
	}
}

static struct session_event *last_of(struct session_record *r)
{
	return r->kept ? &r->events[(r->count - 1) % SESSION_EVENTS] : NULL;
}

void session_record_add(struct session *s, enum session_event_kind kind, unsigned of, unsigned code)
{
	struct session_record *r = s->record;
	struct session_event *last = last_of(r);
	uint32_t at = (uint32_t)((session_now(s) - r->began) / 10);

	if (last && last->kind == opposite(kind) && last->of == of && at - last->at < BRIEFLY) {
		r->count--;
		r->kept--;
		return;
	}
	r->events[r->count++ % SESSION_EVENTS] =
	    (struct session_event){ at, (uint16_t)code, (uint8_t)kind, (uint8_t)of };
	if (r->kept < SESSION_EVENTS)
		r->kept++;
}

void session_note_code(struct session *s, enum session_event_kind kind, unsigned code)
{
	if (s->is_recorded)
		session_record_add(s, kind, 0, code);
}

void session_note_transport(struct session *s, enum session_event_kind kind)
{
	unsigned place;

	if (!s->is_recorded)
		return;
	place = session_transport_place(s->reactor, s->transport);
	if (kind == SESSION_EVENT_ATTACHED)
		s->record->transports |= (uint8_t)(1u << place); /* an unknown one has no bit */
	session_record_add(s, kind, place, 0);
}

const struct session_event *session_record_event(const struct session_record *r, unsigned i)
{
	return &r->events[(r->count - r->kept + i) % SESSION_EVENTS];
}

const char *session_event_word(unsigned kind)
{
	static const char *const words[] = {
#define X(name, word) word,
		SESSION_EVENT_KINDS(X)
#undef X
	};

	return words[kind];
}

const char *session_cause_word(unsigned cause)
{
	static const char *const words[] = {
#define X(name, word) word,
		SESSION_CAUSES(X)
#undef X
	};

	return words[cause];
}
