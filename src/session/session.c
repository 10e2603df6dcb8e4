/*
 * session/session.c - a session from its making to its end, and its receivers; see
 * session.h.
 */
#include <errno.h>

#include "base/mem.h"
#include "net/stream.h"
#include "session/session_private.h"

#define LATE_ANSWERS_MAX 16 /* then 404, so that a client cannot spin on a dead id */

/* --- life --------------------------------------------------------------- */

uint32_t session_heard_ago(const struct session *s)
{
	return (uint32_t)session_now(s) - s->last_heard;
}

uint64_t session_said_ago(const struct session *s)
{
	return session_now(s) - s->last_sent;
}

void session_set_heartbeat(struct session *s, bool on)
{
	s->quiet = !on;
	session_arm(s);
}

static _Atomic uint64_t last_id;

void session_raise_id(uint64_t id)
{
	uint64_t last = atomic_load(&last_id);

	while (last < id && !atomic_compare_exchange_weak(&last_id, &last, id))
		;
}

void session_init(struct session *s, struct session_reactor *reactor,
    const struct session_limits *limits, const struct session_ops *ops, const char *transport,
    bool is_raw)
{
	s->reactor = reactor;
	s->limits = limits;
	s->ops = ops;
	s->transport = transport;
	s->is_raw = is_raw;
	s->network = NETWORK_POLICY_NONE;
	s->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	s->last_sent = session_now(s);
	s->born = s->last_heard = (uint32_t)s->last_sent;
	timer_init(&s->timer, session_on_timer);
	list_init(&s->dirty);
	list_append(&reactor->sessions, &s->node);
	reactor->counters.connecting++;
}

static void free_session(struct session *s)
{
	struct session_record *record = session_record(s);

	session_leave_table(s);
	session_walks_pass(s);
	timer_stop(loop_timers(s->reactor->loop), &s->timer);
	list_remove(&s->node);
	list_remove(&s->dirty);
	message_ring_fini(&s->out, &s->reactor->freelist);
	session_drop_trail(s);
	mem_free(record ? record->reason : s->reason);
	s->ops->free(s); /* it may look into the record */
	mem_free(record);
}

/* --- endings ------------------------------------------------------------ */

static void count_opening(struct session *s)
{
	s->opened = true;
	s->reactor->counters.connecting--;
	s->reactor->counters.now++;
	s->reactor->counters.opened++;
}

/* What a client was never told of was no session to him, and nothing can have failed with it. */
static void count_close(const struct session *s)
{
	struct session_counters *c = &s->reactor->counters;

	if (!s->opened) {
		c->connecting--;
		c->unopened++;
		return;
	}
	c->now--;
	c->closed[close_code_row(s->code)]++;
	if (s->lost && !s->heard)
		c->connect_failures++;
}

/* Each by the most that is known of it. */
static void count_delivery(const struct session *s)
{
	struct session_counters *c = &s->reactor->counters;
	struct session_delivery d;

	session_delivery(s, &d);
	c->unconfirmed[DELIVERY_UNSENT] += d.accepted - d.sent;
	c->unconfirmed[DELIVERY_SENT] += d.sent - d.acknowledged;
	c->unconfirmed[DELIVERY_ACKNOWLEDGED] += d.acknowledged - d.confirmed;
}

/* The application hears of it in the flush stage. */
static void report_close(struct session *s)
{
	if (s->reported)
		return;
	s->reported = true;
	count_close(s);
	count_delivery(s);
	if (s->decision >= SESSION_UNPROVEN && !s->was_held)
		s->ops->open(s); /* what it set up in its handshake is to be undone */
	s->ops->close(s, s->code, session_reason(s));
}

void session_discard(struct session *s)
{
	if (s->decision == SESSION_WELCOME)
		s->ops->open(s);
	session_end_now(s, CLOSE_INTERRUPTED, NULL);
}

void session_receiver_gone(struct session *s, struct receiver *r)
{
	if (s->receiver != r && session_arriving(s) != r)
		return;
	session_settle(s);
	if (s->receiver == r)
		session_forget_receiver(s);
	session_end_now(s, CLOSE_INTERRUPTED, NULL);
}

static void receiver_done(struct session *s, struct receiver *r, bool arriving)
{
	if (s->receiver != r)
		return;
	session_note_reach(s, r);
	session_forget_receiver(s);
	session_await_next(s, r, arriving);
	session_mark_dirty(s);
}

void session_receiver_done(struct session *s, struct receiver *r)
{
	receiver_done(s, r, false);
}

void session_receiver_arriving(struct session *s, struct receiver *r)
{
	receiver_done(s, r, true);
}

void session_receiver_arrived(struct session *s, struct receiver *r)
{
	struct stream_reach reach;

	if (session_arriving(s) != r)
		return;
	r->ops->measure(r, &reach); /* a client that just ends its side has not */
	s->has_arrived = reach.is_known && reach.acked == reach.written;
	session_note_reach(s, r);
	session_forget_arriving(s);
	session_await_next(s, r, false);
}

void session_client_closed(struct session *s, struct receiver *r, unsigned code, const char *reason)
{
	if (s->receiver != r)
		return;
	session_blame(s, SESSION_CAUSE_CLIENT);
	session_heard(s);
	session_settle(s);
	session_forget_receiver(s);
	session_end_now(s, code, reason);
}

/* --- receivers ---------------------------------------------------------- */

/* A receiver that comes after the end gets the close frame again, but not for ever. */
static int answer_late(struct session *s, struct receiver *r)
{
	if (s->late >= LATE_ANSWERS_MAX)
		return -ENOENT;
	s->late++;
	r->ops->close(r, s->code, session_reason(s));
	return 0;
}

static void open_session(struct session *s, struct receiver *r)
{
	enum recv_status status;

	session_set_state(s, SESSION_OPEN);
	session_note(s, SESSION_EVENT_OPENED);
	status = r->ops->open(r);
	if (!session_went_on(s, status) && s->state == SESSION_CLOSED) {
		session_discard(s);
		return;
	}
	count_opening(s);
	s->ops->open(s);
}

/* --- an application that has to think ------------------------------------ */

void session_hold(struct session *s)
{
	s->decision = SESSION_HELD;
	s->was_held = true;
	s->paused = SESSION_PAUSED_BY_APP; /* so what comes waits, as for any who has paused */
	s->stopped = true;
	session_publish(s);
}

void session_accept(struct session *s)
{
	if (s->state != SESSION_CONNECTING || s->decision != SESSION_HELD)
		return;
	s->decision = SESSION_ACCEPTED;
	session_mark_dirty(s);
}

void session_refuse(struct session *s, unsigned status, unsigned code, const char *reason)
{
	if (s->state != SESSION_CONNECTING || s->decision != SESSION_HELD)
		return;
	s->decision = SESSION_REFUSED;
	session_blame(s, SESSION_CAUSE_REFUSED);
	session_close(s, s->is_raw ? status : code, reason);
}

/* --- a client that has to give a sign ------------------------------------- */

static bool has_to_prove(const struct session *s)
{
	return s->network.is_proved && !s->is_raw && s->receiver->ops->prove;
}

/* What it says before it is open waits; but it is read, for it may be the sign. */
static void ask_for_proof(struct session *s)
{
	struct receiver *r = s->receiver;

	s->decision = SESSION_UNPROVEN;
	if (s->ops->sign)
		s->ops->sign(s, SESSION_SIGN_ASKED);
	s->paused = SESSION_PAUSED_BY_APP;
	s->stopped = true;
	session_publish(s);
	if (s->was_held && r->ops->pause)
		r->ops->pause(r, false);
	session_went_on(s, r->ops->prove(r));
}

/* The application has accepted, or the client has given its sign: in a turn of its own, since the
 * application must not be called from within its call. */
static void open_accepted(struct session *s)
{
	if (s->state != SESSION_CONNECTING || !s->receiver ||
	    (s->decision != SESSION_ACCEPTED && s->decision != SESSION_PROVEN))
		return;
	if (s->decision == SESSION_ACCEPTED && has_to_prove(s)) {
		ask_for_proof(s);
		return;
	}
	s->decision = SESSION_WELCOME;
	s->paused = 0; /* what it says in its open callback counts */
	histogram_add(&s->reactor->counters.opening, (uint64_t)session_age(s) * 1000);
	s->born = (uint32_t)session_now(s);
	open_session(s, s->receiver);
	session_arm(s);
}

/* Nobody attends to it any more. */
static int refuse_aborted(struct session *s, struct receiver *r)
{
	session_discard(s);
	r->ops->abort(r);
	return 0;
}

static void carry_by(struct session *s, const char *transport)
{
	const char *before = s->transport;

	s->transport = transport;
	if (before != transport && s->opened && s->ops->moved)
		s->ops->moved(s, before);
}

/* A receiver after the first: its client has had the end of the one before. */
static void come_back(struct session *s)
{
	if (!s->heard) {
		s->heard = true;
		if (s->ops->sign)
			s->ops->sign(s, SESSION_SIGN_CAME_BACK);
	}
	session_heard(s);
	session_answered(s);
}

int session_attach(struct session *s, struct receiver *r)
{
	if (s->state == SESSION_CLOSED || (s->state == SESSION_CLOSING && s->receiver))
		return answer_late(s, r);
	if (s->reactor->aborted)
		return refuse_aborted(s, r);
	if (s->receiver) {
		r->ops->close(r, CLOSE_BUSY, close_reason(CLOSE_BUSY));
		return 0;
	}
	session_forget_arriving(s);
	session_came_back(s, r);
	s->receiver = r;
	r->session = s;
	if (r->ops->transport)
		carry_by(s, r->ops->transport(r));
	session_note_transport(s, SESSION_EVENT_ATTACHED);
	if (s->state == SESSION_CONNECTING && s->decision == SESSION_WELCOME && has_to_prove(s)) {
		ask_for_proof(s);
		return 0;
	} else if (s->state == SESSION_CONNECTING && s->decision == SESSION_WELCOME) {
		histogram_add(&s->reactor->counters.opening, 0);
		open_session(s, r);
	} else if (s->state == SESSION_CONNECTING) {
		session_mark_dirty(s); /* it may have been accepted before it came here */
		return 0;
	} else {
		come_back(s);
		s->deadline = 0;
		s->last_sent = session_now(s);
		session_flush(s);
		if (s->full)
			/* There may be room now; not said from within this call */
			session_mark_dirty(s);
	}
	if (s->stopped && s->receiver && r->ops->pause)
		r->ops->pause(r, true);
	session_arm(s);
	return 0;
}

/* --- what a dirty session has to do ------------------------------------- */

void session_process(struct session *s)
{
	open_accepted(s);
	if (s->stopped && !s->paused)
		session_take_up(s);
	session_flush(s);
	session_tell_writable(s);
	if (!session_is_open(s))
		report_close(s);
	if (s->state == SESSION_CLOSED && !s->entry)
		free_session(s);
}
