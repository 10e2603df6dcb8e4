/*
 * session/session_events.h - what can happen to a session and why it can end, in the words that
 * people read.
 */
#ifndef SESSION_SESSION_EVENTS_H
#define SESSION_SESSION_EVENTS_H

/* What happens to a session. X(NAME, word) */
#define SESSION_EVENT_KINDS(X)                                                                     \
	X(BEGAN, "began")                                                                          \
	X(OPENED, "opened")                                                                        \
	X(ATTACHED, "attached") /* a connection of this transport carries it */                    \
	X(DETACHED, "detached") /* none does, for a second or more */                              \
	X(BLOCKED, "blocked")   /* its client takes nothing, likewise */                           \
	X(UNBLOCKED, "unblocked")                                                                  \
	X(PAUSED, "paused") /* its input, likewise */                                              \
	X(RESUMED, "resumed")                                                                      \
	X(FIRST_MESSAGE, "first_message") /* of its client */                                      \
	X(ASKED, "asked")                 /* for a sign that its client hears us */                \
	X(IDENTIFIED, "identified")       /* its client has a name */                              \
	X(BACKEND_DIALLED, "backend_dialled")                                                      \
	X(BACKEND_OPENED, "backend_opened")                                                        \
	X(BACKEND_FAILED, "backend_failed") /* this attempt */                                     \
	X(BACKEND_CLOSED, "backend_closed") /* with this code */                                   \
	X(CLOSING, "closing")               /* likewise */                                         \
	X(CLOSED, "closed")

enum session_event_kind {
#define X(name, word) SESSION_EVENT_##name,
	SESSION_EVENT_KINDS(X)
#undef X
};

/* Who or what ended it, as far as is known. X(NAME, word) */
#define SESSION_CAUSES(X)                                                                          \
	X(UNKNOWN, "unknown")         /* it has not ended */                                       \
	X(APPLICATION, "application") /* the application closed it */                              \
	X(CLIENT, "client")           /* its client did, in due form */                            \
	X(OPERATOR, "operator")       /* a command of the internal address did */                  \
	X(BACKEND, "backend")         /* its backend closed, broke, or could not be reached */     \
	X(REFUSED, "refused")         /* the application has decided against it */                 \
	X(STOP, "stop")               /* the server stops */                                       \
	X(BROKEN, "broken")     /* its connection broke, or its client went without a word */      \
	X(AWAY, "away")         /* its client did not come back: disconnect_delay_ms */            \
	X(SILENT, "silent")     /* it was never heard: first_message_timeout_ms */                 \
	X(VANISHED, "vanished") /* it acknowledged nothing that was sent */                        \
	X(SLOW, "slow")         /* it took nothing for long: send_timeout_ms */                    \
	X(OVERFLOW, "overflow") /* more waited for it than send_buffer_bytes */                    \
	X(LIMIT, "limit")       /* another limit */                                                \
	X(NO_MEMORY, "no_memory")

enum session_cause {
#define X(name, word) SESSION_CAUSE_##name,
	SESSION_CAUSES(X)
#undef X
};

const char *session_event_word(unsigned kind);
const char *session_cause_word(unsigned cause);

#endif
