/*
 * server/session_notes.h - what the server and its own applications note in the record of a
 * session, where one is kept (session_record.h); nothing is done where none is.
 */
#ifndef SERVER_SESSION_NOTES_H
#define SERVER_SESSION_NOTES_H

#include "base/bytes.h"
#include "session/session_events.h"

struct session_record;
struct sockjs_handshake;
struct sockjs_session;

/* A record is begun, if anybody could ever see it. */
void session_notes_begin(struct sockjs_session *s, const struct sockjs_handshake *h);
/* What it has of the reactor is given back: the session is being freed. */
void session_notes_end(struct sockjs_session *s);

/* For applications, who do not look into sessions. `code`: of a close, else 0. */
void sockjs_note(struct sockjs_session *s, enum session_event_kind kind, unsigned code);
/* Who is to blame for the close that follows. */
void sockjs_blame(struct sockjs_session *s, enum session_cause cause);

/* Whence the client came, as it said; empty: not known. */
struct bytes session_notes_origin(const struct session_record *record);
struct bytes session_notes_agent(const struct session_record *record);

#endif
