/*
 * session/session_deadlines.c - the one timer of a session.
 *
 * It is armed for the nearest of all deadlines, and when it fires everything is looked
 * at. So what happens per message is one store of a time.
 */
#include "base/log.h"
#include "session/session_private.h"

#define LOOK_LEAST_MS 5000

unsigned session_silence_ms(const struct session *s)
{
	return network_silence_ms(
	    s->network, s->limits->first_silence_ms, s->limits->heartbeat_delay_ms);
}

bool session_is_on_rung(const struct session *s)
{
	return s->network.is_trial ||
	       (s->network.rung != NETWORK_RUNG_TOP &&
	           session_silence_ms(s) < s->limits->heartbeat_delay_ms);
}

/* As often as heartbeats, so that after two of them it is known that none arrived. */
unsigned session_look_ms(const struct session *s)
{
	unsigned silence = session_silence_ms(s);

	if (silence == 0 || silence > LOOK_MS)
		return LOOK_MS;
	return silence > LOOK_LEAST_MS ? silence : LOOK_LEAST_MS;
}

static bool has_progressed(struct session *s, const struct receiver *r)
{
	uint32_t progress = (uint32_t)r->ops->progress(r), before = s->blocked_at;

	s->blocked_at = progress;
	return (int32_t)(progress - before) > 0;
}

/* Slow is not dead: what the client has acknowledged counts, for what waits here does not become
 * less before the kernel has room for it again. */
static void check_progress(struct session *s, uint64_t now)
{
	if (!s->receiver || !s->blocked_since || !s->limits->send_timeout_ms ||
	    now < s->blocked_since + s->limits->send_timeout_ms)
		return;
	if (has_progressed(s, s->receiver)) {
		s->blocked_since = now;
		return;
	}
	session_blame(s, SESSION_CAUSE_SLOW);
	session_cut(s, CLOSE_SLOW);
}

static void vanished(struct session *s)
{
	log_debug("a client vanished: it acknowledges nothing", LOG_INT("session", s->id),
	    LOG_STR("transport", s->transport));
	session_blame(s, SESSION_CAUSE_VANISHED);
	session_abort_receiver(s);
	session_end_now(s, CLOSE_INTERRUPTED, NULL);
}

/* Few octets that wait for no room here, but for their acknowledgement. */
static void look(struct session *s)
{
	const struct receiver *r = s->receiver;
	uint8_t number = (uint8_t)(session_age(s) / session_look_ms(s));

	if (!r || s->state != SESSION_OPEN || number == s->looks)
		return;
	s->looks = number;
	if (s->blocked_since || r->ops->unacked(r) == 0) {
		s->doubted = false;
	} else if (!s->doubted) {
		s->doubted = true;
		s->blocked_at = (uint32_t)r->ops->progress(r);
	} else if (!has_progressed(s, r)) {
		vanished(s);
	}
}

/* That it acknowledges what we say is no sign: so does a proxy that holds a stream back. */
static void ask_receiver(struct session *s)
{
	enum recv_status status = RECV_MORE;

	if (s->receiver && s->receiver->ops->ask)
		status = s->receiver->ops->ask(s->receiver);
	if (status != RECV_MORE)
		session_went_on(s, status);
}

static void ask(struct session *s)
{
	s->asked = true;
	session_note(s, SESSION_EVENT_ASKED);
	ask_receiver(s);
}

void session_doubt(struct session *s)
{
	if (s->state != SESSION_OPEN || s->heard || s->asked)
		return;
	ask(s);
	session_arm(s);
}

/* A wire that is not read, because the application has paused, brings no sign either. */
static bool is_deaf(const struct session *s)
{
	return s->stopped && s->receiver && s->receiver->ops->pause;
}

static void check_silence(struct session *s, uint64_t now)
{
	if (s->heard || s->state != SESSION_OPEN || !s->limits->first_message_timeout_ms ||
	    session_age(s) < session_time_to_be_heard(s))
		return;
	if (is_deaf(s)) {
		s->born = (uint32_t)now;
		s->doubted = false;
		return;
	}
	if (!s->asked)
		ask(s);
	if (s->state == SESSION_OPEN && session_age(s) >= session_time_to_be_heard(s)) {
		log_debug("connect failure: the client never answered", LOG_INT("session", s->id),
		    LOG_STR("transport", s->transport));
		s->lost = true;
		session_blame(s, SESSION_CAUSE_SILENT);
		session_close(s, CLOSE_SILENT, NULL);
	}
}

/* As long as it is not known what the network makes of silences, a client has to show that he has
 * heard of us after each: who streams comes back for the next response. */
static void beat(struct session *s)
{
	bool has_to_answer = session_is_on_rung(s);

	session_mark(s); /* whether it arrives is another question than whether the messages before it have */
	s->is_idle = has_to_answer;
	if (session_went_on(s, s->receiver->ops->heartbeat(s->receiver)) && has_to_answer)
		ask_receiver(s);
}

void session_beat(struct session *s)
{
	if (s->receiver && s->state == SESSION_OPEN && s->limits->heartbeat_delay_ms && !s->quiet &&
	    !session_is_blocked(s))
		beat(s);
}

static void check_heartbeat(struct session *s, uint64_t now)
{
	if (s->receiver && s->state == SESSION_OPEN && s->limits->heartbeat_delay_ms && !s->quiet &&
	    now >= s->last_sent + session_silence_ms(s)) {
		if (session_is_blocked(s))
			s->last_sent = now; /* what is on its way is sign of life enough */
		else
			beat(s);
	}
}

/* Whether the client cannot come back yet, for it has to read first what was said to it. */
static bool is_still_arriving(struct session *s)
{
	struct receiver *r = session_arriving(s);

	return r && has_progressed(s, r);
}

/* The client did not come back, or nobody asks any more why the session has ended. */
static void check_deadline(struct session *s, uint64_t now)
{
	if (s->deadline == 0 || now < s->deadline)
		return;
	if (is_still_arriving(s)) {
		s->deadline = now + session_patience(s);
		return;
	}
	session_blame(s, SESSION_CAUSE_AWAY);
	session_settle(s);
	session_leave_table(s);
	if (s->receiver)
		session_abort_receiver(s);
	session_end_now(s, CLOSE_INTERRUPTED, NULL);
	s->deadline = 0;
	session_mark_dirty(s);
}

void session_on_timer(struct timer *t)
{
	struct session *s = container_of(t, struct session, timer);
	uint64_t now = session_now(s);

	check_progress(s, now);
	look(s);
	check_silence(s, now);
	check_heartbeat(s, now);
	check_deadline(s, now);
	session_arm(s);
}
