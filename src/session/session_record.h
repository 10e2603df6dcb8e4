/*
 * session/session_record.h - what is kept of a session for the people who look after it: what went
 * in and out, the transports it has had, why it ended, and a short time line of its life.
 *
 * A block of its own, made only where somebody can see it, so that the millions whom nobody looks
 * at pay a bit in their session and nothing more. It is bounded: of the time line the last
 * SESSION_EVENTS events are kept, and what was undone within a second is no event at all, or a
 * client that polls would fill it.
 */
#ifndef SESSION_SESSION_RECORD_H
#define SESSION_SESSION_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "session/session.h"
#include "session/session_events.h"

#define SESSION_EVENTS 14

struct session_event {
	uint32_t at;   /* hundredths of a second since the session began */
	uint16_t code; /* of a close */
	uint8_t kind;  /* enum session_event_kind */
	uint8_t of;    /* a transport's place, or a cause */
};

struct session_record {
	char *reason;   /* of the close, if not the table's */
	uint64_t began; /* by the loop's clock */
	uint64_t messages_in, bytes_in, messages_out, bytes_out;
	const char *from;   /* the server's: where the client comes from; NULL: not known */
	const char *user;   /* likewise: who it is */
	uint32_t count;     /* of events, also of those that are not kept any more */
	uint8_t cause;      /* enum session_cause */
	uint8_t transports; /* that have carried it: a bit for each place */
	uint8_t tried;      /* that the server believes the client to have tried before */
	uint8_t kept;       /* events */
	struct session_event events[SESSION_EVENTS]; /* a ring */
};

/* The place of a transport among those of the reactor; SESSION_TRANSPORTS_MAX: it is not there. */
unsigned session_transport_place(const struct session_reactor *r, const char *name);
/* The name at a place; NULL beyond the last. */
const char *session_transport_name(const struct session_reactor *r, unsigned place);

/* From now on a record is kept of this session. 0 or -ENOMEM. */
int session_record_begin(struct session *s);
/* NULL: none is kept. */
static inline struct session_record *session_record(const struct session *s)
{
	return s->is_recorded ? s->record : NULL;
}

void session_record_add(
    struct session *s, enum session_event_kind kind, unsigned of, unsigned code);
/* These do nothing where no record is kept. */
static inline void session_note(struct session *s, enum session_event_kind kind)
{
	if (s->is_recorded)
		session_record_add(s, kind, 0, 0);
}
void session_note_code(struct session *s, enum session_event_kind kind, unsigned code);
void session_note_transport(struct session *s, enum session_event_kind kind);
/* Why it ends; who says so first counts. */
static inline void session_blame(struct session *s, enum session_cause cause)
{
	if (s->is_recorded && s->record->cause == SESSION_CAUSE_UNKNOWN)
		s->record->cause = (uint8_t)cause;
}

/* The i-th of the events that are kept, the oldest first. */
const struct session_event *session_record_event(const struct session_record *r, unsigned i);

#endif
