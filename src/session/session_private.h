/*
 * session/session_private.h - what the files of the session share; for them alone. Each
 * calls those below it:
 *
 *	session_reactor.c    all sessions of a loop: the flush stage, the end of the server
 *	session.c            one, from its making to its end; its receivers
 *	session_deadlines.c  what its one timer finds
 *	session_out.c        to the client: the bounded send buffer, batches, back-pressure
 *	session_in.c         from the client: delivery, pause and resume
 *	session_state.c      states and endings
 *	session_delivery.c   what is known of the messages that were said
 *	session_inbox.c      what a paused application has not taken
 *	session_table.c      who is where, for all reactors
 *	session_walk.c       all sessions of a loop, one after the other and in several turns
 *	session_record.c     what is kept for people
 *	session_snapshot.c   one, for another process; with session_record_snapshot.c and
 *	                     session_trail_snapshot.c
 */
#ifndef SESSION_PRIVATE_H
#define SESSION_PRIVATE_H

#include "session/session.h"
#include "session/session_record.h"
#include "session/session_table.h"

#define MESSAGE_COST 64 /* what a waiting message costs beside its bytes */
#define INBOX_COST   80 /* likewise, of a client's: a block of its own and its slot */

/* A client that vanished without a word is noticed after once or twice so long at most, if it was sent
 * anything. */
#define LOOK_MS 30000

/* session_table.c: what other reactors may see of a session; out of its table and freed (NULL is
 * fine) */
void session_entry_publish(struct session_entry *e, bool open, bool paused);
void session_entry_remove(struct session_entry *e);
/* A session's place in its table, for another process. */
void session_entry_snapshot(struct session *session, struct snapshot *s, struct session_table *t);
/* Its owner's own: the receiver whose last response is arriving, or NULL */
struct receiver **session_entry_arriving(struct session_entry *e);
/* Likewise: the last request that brought a receiver */
struct request_mark *session_entry_request(struct session_entry *e);

static inline uint64_t session_now(const struct session *s)
{
	return loop_now(s->reactor->loop);
}

/* Milliseconds since it was born. */
static inline uint32_t session_age(const struct session *s)
{
	return (uint32_t)session_now(s) - s->born;
}

/* session_walk.c: no walk stands at it any more */
void session_walks_pass(const struct session *s);

/* session.c */
/* No new session gets this number, or one below it. */
void session_raise_id(uint64_t id);
/* What a dirty session has to do, in the flush stage; it may be freed. */
void session_process(struct session *s);

/* session_out.c */
/* Says what can be said now: messages first, then the close. */
void session_flush(struct session *s);
/* Whether the session may go on after what a receiver said of its work. */
bool session_went_on(struct session *s, enum recv_status status);
bool session_is_blocked(struct session *s);
void session_tell_writable(struct session *s);

/* session_in.c */
/* The application goes on: what waited first, then the wire. */
void session_take_up(struct session *s);

/* session_deadlines.c */
/* How often it is looked at. */
unsigned session_look_ms(const struct session *s);
void session_on_timer(struct timer *t);

/* session_state.c */
/* It is looked at in the flush stage. */
void session_mark_dirty(struct session *s);
/* Other reactors see its bits. */
void session_publish(const struct session *s);
void session_set_state(struct session *s, enum session_state state);
void session_set_reason(struct session *s, unsigned code, const char *reason);
const char *session_reason(const struct session *s);
/* Arms the timer unless it fires early enough anyway. */
void session_arm(struct session *s);
/* How old it may be before its client is asked whether it hears us, or given up. */
uint64_t session_time_to_be_heard(const struct session *s);
/* Over: nothing more is delivered or sent. */
void session_become_closed(struct session *s);
/* Ends at once, whatever waits; `code` is what the application and late receivers are told. */
void session_end_now(struct session *s, unsigned code, const char *reason);
/* The wire is not there any more, for better or worse. */
void session_forget_receiver(struct session *s);
void session_abort_receiver(struct session *s);
/* All was said to this receiver; from now on its client has to come back */
void session_await_next(struct session *s, struct receiver *r, bool arriving);
void session_forget_arriving(struct session *s);
/* How long it may take to come back, or to take more of what is arriving */
unsigned session_patience(const struct session *s);
/* Nobody can find it any more */
void session_leave_table(struct session *s);

/* session_record_snapshot.c, session_trail_snapshot.c */
void session_record_snapshot(struct session *session, struct snapshot *s);
/* What is known of messages that were said. */
void session_trail_snapshot(struct session *s, struct snapshot *snapshot);

/* session_delivery.c */
#define MARK_MS 20 /* what goes out within this time is known as one */
/* Notes where what was said so far ends on the wire, before more is said. */
void session_mark(struct session *s);
/* The client has all that was said. */
void session_confirm(struct session *s);
/* It has come back for more, by this receiver. */
void session_came_back(struct session *s, const struct receiver *r);
/* Memory for the trail, and that it goes. */
size_t session_trail_held(const struct session *s);
void session_drop_trail(struct session *s);

/* session_inbox.c */
/* NULL when memory is out. */
struct session_inbox *session_inbox_get(struct session *s);
/* Nothing waits any more: either all was taken, or nobody is left to take it. */
void session_drop_inbox(struct session *s, bool taken);
/* The session ends. Who brought what has been taken to the last message, of which the end may have
 * come, is told so. */
void session_end_inbox(struct session *s);

#endif
