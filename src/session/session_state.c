/*
 * session/session_state.c - the states of a session and the ways into the last of them;
 * when its timer has to fire. The other files of the session call it.
 */
#include "base/mem.h"
#include "session/session_private.h"

void session_mark_dirty(struct session *s)
{
	if (!list_empty(&s->dirty))
		return;
	list_append(&s->reactor->dirty, &s->dirty);
	loop_want(s->reactor->loop, LOOP_STAGE_FLUSH);
}

/* Other reactors see these bits. */
void session_publish(const struct session *s)
{
	if (s->entry)
		session_entry_publish(
		    s->entry, session_is_open(s), s->stopped || s->fails_sends);
}

void session_set_state(struct session *s, enum session_state state)
{
	s->state = (uint8_t)state;
	session_publish(s);
}

void session_set_reason(struct session *s, unsigned code, const char *reason)
{
	char **own = s->is_recorded ? &s->record->reason : &s->reason;

	s->code = (uint16_t)code;
	if (reason && strcmp(reason, close_reason(code)) != 0)
		*own = mem_strdup(reason); /* without memory the code has to do */
	if (s->is_recorded)
		session_record_add(s, SESSION_EVENT_CLOSING, s->record->cause, code);
}

const char *session_reason(const struct session *s)
{
	const char *own = s->is_recorded ? s->record->reason : s->reason;

	return own ? own : close_reason(s->code);
}

/* --- the nearest deadline ------------------------------------------------- */

static void consider(uint64_t *nearest, uint64_t deadline)
{
	if (*nearest == 0 || deadline < *nearest)
		*nearest = deadline;
}

/* Half of it, then the client is asked; it has the other half to answer. */
uint64_t session_time_to_be_heard(const struct session *s)
{
	uint64_t all = s->limits->first_message_timeout_ms;

	return s->asked ? all : all / 2;
}

/* Looks are at fixed times, which need not be kept. */
static uint64_t next_look(const struct session *s)
{
	uint64_t now = session_now(s);

	return now + session_look_ms(s) - session_age(s) % session_look_ms(s);
}

static uint64_t nearest_deadline(const struct session *s)
{
	const struct session_limits *l = s->limits;
	uint64_t nearest = s->deadline;

	if (s->blocked_since && l->send_timeout_ms)
		consider(&nearest, s->blocked_since + l->send_timeout_ms);
	if (s->state != SESSION_OPEN)
		return nearest; /* what nobody looks at when it fires would fire for ever */
	if (s->receiver && l->heartbeat_delay_ms && !s->quiet)
		consider(&nearest, s->last_sent + session_silence_ms(s));
	if (s->receiver)
		consider(&nearest, next_look(s));
	if (!s->heard && l->first_message_timeout_ms)
		consider(&nearest, session_now(s) - session_age(s) + session_time_to_be_heard(s));
	return nearest;
}

void session_arm(struct session *s)
{
	uint64_t nearest = nearest_deadline(s), now = session_now(s);
	struct timer_wheel *wheel = loop_timers(s->reactor->loop);

	if (nearest == 0 || (timer_is_active(&s->timer) && s->timer.deadline <= nearest))
		return;
	timer_start(wheel, &s->timer, nearest > now ? nearest - now : 0);
}

/* --- a response on its way ------------------------------------------------ */

struct receiver *session_arriving(const struct session *s)
{
	return s->entry ? *session_entry_arriving(s->entry) : NULL;
}

void session_forget_arriving(struct session *s)
{
	struct receiver *r = session_arriving(s);

	if (!r)
		return;
	r->session = NULL;
	*session_entry_arriving(s->entry) = NULL;
}

void session_leave_table(struct session *s)
{
	session_forget_arriving(s);
	session_entry_remove(s->entry);
	s->entry = NULL;
}

unsigned session_patience(const struct session *s)
{
	const struct session_limits *l = s->limits;

	if (session_arriving(s) && l->send_timeout_ms > l->disconnect_delay_ms)
		return l->send_timeout_ms;
	/* Its response has ended for our sake alone; on a bad line it takes long to hear of that */
	if (s->is_idle && l->first_silence_ms > l->disconnect_delay_ms)
		return l->first_silence_ms;
	return l->disconnect_delay_ms;
}

/* A slow client reads what was said to it for a while yet, and only then can it come back. */
void session_await_next(struct session *s, struct receiver *r, bool arriving)
{
	if (s->state == SESSION_CLOSED)
		return;
	if (arriving && s->entry) {
		*session_entry_arriving(s->entry) = r;
		r->session = s;
		s->blocked_at = (uint32_t)r->ops->progress(r);
	}
	s->deadline = session_now(s) + session_patience(s);
	session_arm(s);
}

/* --- endings ------------------------------------------------------------ */

/* Over: nothing more is delivered or sent. In a table the id stays for a while, to answer late
 * receivers. */
void session_become_closed(struct session *s)
{
	if (s->state == SESSION_CLOSED)
		return;
	session_set_state(s, SESSION_CLOSED);
	session_note(s, SESSION_EVENT_CLOSED);
	session_settle(s);
	session_forget_arriving(s);
	session_end_inbox(s);
	message_ring_fini(&s->out, &s->reactor->freelist);
	s->out_bytes = 0;
	s->blocked_since = 0;
	if (s->entry && s->deadline == 0)
		s->deadline = session_now(s) + s->limits->disconnect_delay_ms;
	session_arm(s);
	session_mark_dirty(s);
}

/* The wire is not there any more, for better or worse. */
void session_forget_receiver(struct session *s)
{
	if (s->receiver) {
		s->receiver->session = NULL;
		session_note_transport(s, SESSION_EVENT_DETACHED);
	}
	s->receiver = NULL;
	s->blocked_since = 0;
	s->doubted = false;
}

/* Ends at once, whatever waits; `code` is what the application and late receivers are told. */
void session_end_now(struct session *s, unsigned code, const char *reason)
{
	if (s->state == SESSION_CLOSED)
		return;
	session_blame(s, SESSION_CAUSE_BROKEN);
	if (s->state != SESSION_CLOSING) {
		s->lost = code == CLOSE_INTERRUPTED || code == CLOSE_SLOW;
		session_set_reason(s, code, reason);
	}
	session_become_closed(s);
}

void session_abort_receiver(struct session *s)
{
	struct receiver *r = s->receiver;

	if (!r)
		return;
	session_settle(s);
	session_forget_receiver(s);
	r->ops->abort(r);
}

void session_cut(struct session *s, unsigned code)
{
	session_blame(s, SESSION_CAUSE_LIMIT);
	session_abort_receiver(s);
	session_end_now(s, code, NULL);
}

void session_close(struct session *s, unsigned code, const char *reason)
{
	if (!session_is_open(s))
		return;
	session_blame(s, SESSION_CAUSE_APPLICATION);
	session_set_reason(s, code, reason ? reason : close_reason(code));
	session_set_state(s, SESSION_CLOSING);
	if (!s->receiver)
		session_end_inbox(s); /* else the close frame goes before: deliver_close() */
	if (!s->receiver && s->deadline == 0)
		s->deadline = session_now(s) + s->limits->disconnect_delay_ms;
	session_arm(s);
	session_mark_dirty(s);
}
