/*
 * session/session.c - the states of a session, from its making to its end; see
 * session.h.
 *
 *	session.c            states, receivers, endings; the reactor's list of dirty sessions
 *	session_out.c        to the client: the bounded send buffer, batches, back-pressure
 *	session_in.c         from the client: delivery, pause and resume
 *	session_deadlines.c  the one timer
 */
#include "session/session.h"

#include <errno.h>

#include "base/mem.h"
#include "base/random.h"
#include "net/stream.h"
#include "session/session_private.h"

#define LATE_ANSWERS_MAX 16        /* then 404, so that a client cannot spin on a dead id */
#define SCRATCH_KEEP     (1 << 20) /* a larger scratch buffer is given back */
#define FLUSH_MOST       512 /* sessions in one turn, some milliseconds; then I/O has its turn */

/* --- the reactor's part ------------------------------------------------- */

static void process(struct session *s);

/* So many at most, and as many as there is time for, but one in any case; or all at the very end,
 * for the turns are numbered then. */
static unsigned flush_some(
    struct session_reactor *r, struct list *from, unsigned most, int64_t least_left)
{
	const struct budget *budget = r->budget;
	unsigned n = 0;

	while (!list_empty(from)) {
		struct session *s = container_of(list_first(from), struct session, dirty);

		if (!r->aborted && (n >= most || (n > 0 && budget->left <= least_left)))
			break;
		list_remove(&s->dirty);
		process(s);
		n++;
	}
	return n;
}

/* Who comes new need not stand behind all that an earlier turn has left: a broadcast to thousands
 * must not keep everybody else waiting. */
static void flush_crowd(struct session_reactor *r, struct list *now)
{
	int64_t half = r->budget->left / 2;
	unsigned n;

	stream_batch_expect(r->loop, true);
	n = flush_some(r, now, FLUSH_MOST / 2, half);
	n += flush_some(r, &r->late, FLUSH_MOST - n, 0);
	if (n < FLUSH_MOST && !budget_is_spent(r->budget))
		flush_some(r, now, FLUSH_MOST - n, 0);
	stream_batch_expect(r->loop, false);
	list_splice(&r->late, now);
}

/* LOOP_STAGE_FLUSH. What becomes dirty meanwhile waits for the next turn, and so does the rest of a
 * great many. */
static void flush_dirty(struct loop *loop, void *arg)
{
	struct session_reactor *r = arg;
	struct list now;

	r->copied = 0;
	list_init(&now);
	list_splice(&now, &r->dirty);
	if (list_empty(&r->late) && !list_has(&now, STREAM_BATCH_FEW))
		flush_some(r, &now, STREAM_BATCH_FEW, INT64_MIN);
	else
		flush_crowd(r, &now);
	if (!list_empty(&r->dirty) || !list_empty(&r->late))
		loop_again(loop);
}

void session_reactor_init(struct session_reactor *r, struct loop *loop)
{
	memset(r, 0, sizeof(*r));
	r->loop = loop;
	r->budget = loop_budget(loop);
	list_init(&r->sessions);
	list_init(&r->dirty);
	list_init(&r->late);
	loop_set_hook(loop, LOOP_STAGE_FLUSH, flush_dirty, r);
}

void session_reactor_fini(struct session_reactor *r)
{
	loop_set_hook(r->loop, LOOP_STAGE_FLUSH, NULL, NULL);
	buf_fini(&r->scratch);
	stash_fini(&r->stash);
}

struct buf *session_scratch(struct session_reactor *r)
{
	if (r->scratch.cap > SCRATCH_KEEP)
		buf_fini(&r->scratch);
	buf_clear(&r->scratch);
	return &r->scratch;
}

/* --- life --------------------------------------------------------------- */

void session_mark_dirty(struct session *s)
{
	if (!list_empty(&s->dirty))
		return;
	list_append(&s->reactor->dirty, &s->dirty);
	loop_want(s->reactor->loop, LOOP_STAGE_FLUSH);
}

uint64_t session_now(const struct session *s)
{
	return loop_now(s->reactor->loop);
}

uint32_t session_age(const struct session *s)
{
	return (uint32_t)session_now(s) - s->born;
}

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

/* Other reactors see these bits. */
void session_publish(const struct session *s)
{
	if (s->entry)
		session_entry_publish(s->entry, session_is_open(s), s->stopped);
}

static void set_state(struct session *s, enum session_state state)
{
	s->state = (uint8_t)state;
	session_publish(s);
}

void session_init(struct session *s, struct session_reactor *reactor,
    const struct session_limits *limits, const struct session_ops *ops, const char *transport,
    bool is_raw)
{
	static _Atomic uint64_t last_id;

	s->reactor = reactor;
	s->limits = limits;
	s->ops = ops;
	s->transport = transport;
	s->is_raw = is_raw;
	s->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	s->last_sent = session_now(s);
	s->born = s->last_heard = (uint32_t)s->last_sent;
	timer_init(&s->timer, session_on_timer);
	list_init(&s->dirty);
	list_append(&reactor->sessions, &s->node);
	reactor->counters.connecting++;
}

/* --- last words on their way ---------------------------------------------- */

struct receiver *session_arriving(const struct session *s)
{
	return s->entry ? *session_entry_arriving(s->entry) : NULL;
}

static void forget_arriving(struct session *s)
{
	struct receiver *r = session_arriving(s);

	if (!r)
		return;
	r->session = NULL;
	*session_entry_arriving(s->entry) = NULL;
}

void session_leave_table(struct session *s)
{
	forget_arriving(s);
	session_entry_remove(s->entry);
	s->entry = NULL;
}

unsigned session_patience(const struct session *s)
{
	const struct session_limits *l = s->limits;

	if (session_arriving(s) && l->send_timeout_ms > l->disconnect_delay_ms)
		return l->send_timeout_ms;
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

static void free_session(struct session *s)
{
	session_leave_table(s);
	timer_stop(loop_timers(s->reactor->loop), &s->timer);
	list_remove(&s->node);
	list_remove(&s->dirty);
	message_ring_fini(&s->out, &s->reactor->stash);
	mem_free(s->reason);
	s->ops->free(s);
}

/* --- endings ------------------------------------------------------------ */

static void set_reason(struct session *s, unsigned code, const char *reason)
{
	s->code = (uint16_t)code;
	if (reason && strcmp(reason, close_reason(code)) != 0)
		s->reason = mem_strdup(reason); /* without memory the code has to do */
}

const char *session_reason(const struct session *s)
{
	return s->reason ? s->reason : close_reason(s->code);
}

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

/* The application hears of it in the flush stage. */
static void report_close(struct session *s)
{
	if (s->reported)
		return;
	s->reported = true;
	count_close(s);
	s->ops->close(s, s->code, session_reason(s));
}

/* Over: nothing more is delivered or sent. In a table the id stays for a while, to answer late
 * receivers. */
void session_become_closed(struct session *s)
{
	if (s->state == SESSION_CLOSED)
		return;
	set_state(s, SESSION_CLOSED);
	forget_arriving(s);
	session_end_inbox(s);
	message_ring_fini(&s->out, &s->reactor->stash);
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
	if (s->receiver)
		s->receiver->session = NULL;
	s->receiver = NULL;
	s->blocked_since = 0;
	s->doubted = false;
}

/* Ends at once, whatever waits; `code` is what the application and late receivers are told. */
void session_end_now(struct session *s, unsigned code, const char *reason)
{
	if (s->state == SESSION_CLOSED)
		return;
	if (s->state != SESSION_CLOSING) {
		s->lost = code == CLOSE_INTERRUPTED || code == CLOSE_SLOW;
		set_reason(s, code, reason);
	}
	session_become_closed(s);
}

void session_abort_receiver(struct session *s)
{
	struct receiver *r = s->receiver;

	session_forget_receiver(s);
	if (r)
		r->ops->abort(r);
}

void session_cut(struct session *s, unsigned code)
{
	session_abort_receiver(s);
	session_end_now(s, code, NULL);
}

void session_close(struct session *s, unsigned code, const char *reason)
{
	if (!session_is_open(s))
		return;
	set_reason(s, code, reason ? reason : close_reason(code));
	set_state(s, SESSION_CLOSING);
	if (!s->receiver)
		session_end_inbox(s); /* else the close frame goes before: deliver_close() */
	if (!s->receiver && s->deadline == 0)
		s->deadline = session_now(s) + s->limits->disconnect_delay_ms;
	session_arm(s);
	session_mark_dirty(s);
}

void session_discard(struct session *s)
{
	if (s->decision == SESSION_WELCOME)
		s->ops->open(s);
	session_end_now(s, CLOSE_INTERRUPTED, NULL);
}

void session_receiver_gone(struct session *s, struct receiver *r)
{
	if (s->receiver == r)
		session_forget_receiver(s);
	else if (session_arriving(s) != r)
		return;
	session_end_now(s, CLOSE_INTERRUPTED, NULL);
}

static void receiver_done(struct session *s, struct receiver *r, bool arriving)
{
	if (s->receiver != r)
		return;
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
	if (session_arriving(s) != r)
		return;
	forget_arriving(s);
	session_await_next(s, r, false);
}

void session_client_closed(struct session *s, struct receiver *r, unsigned code, const char *reason)
{
	if (s->receiver != r)
		return;
	session_forget_receiver(s);
	s->heard = true;
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

	set_state(s, SESSION_OPEN);
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
	session_close(s, s->is_raw ? status : code, reason);
}

/* The application has accepted: in a turn of its own, since it must not be called from within its
 * call. */
static void open_accepted(struct session *s)
{
	if (s->state != SESSION_CONNECTING || s->decision != SESSION_ACCEPTED || !s->receiver)
		return;
	s->decision = SESSION_WELCOME;
	s->paused = 0; /* what it says in its open callback counts */
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
	forget_arriving(s);
	s->receiver = r;
	r->session = s;
	if (r->ops->transport)
		s->transport = r->ops->transport(r);
	if (s->state == SESSION_CONNECTING && s->decision == SESSION_WELCOME) {
		open_session(s, r);
	} else if (s->state == SESSION_CONNECTING) {
		session_mark_dirty(s); /* it may have been accepted before it came here */
		return 0;
	} else {
		session_heard(s);
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

static void process(struct session *s)
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

/* --- the end of the server ---------------------------------------------- */

static void send_away(struct session *s)
{
	if (s->state == SESSION_OPEN)
		session_close(s, s->is_raw ? CLOSE_GOING_AWAY : CLOSE_GO_AWAY, NULL);
	session_refuse(s, 503, CLOSE_GO_AWAY, NULL);
}

void session_reactor_thin_out(struct session_reactor *r, uint32_t chance)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &r->sessions)
		if (random_u32() <= chance)
			send_away(container_of(pos, struct session, node));
}

bool session_reactor_drain(struct session_reactor *r)
{
	struct list *pos, *next;
	bool done = true;

	r->draining = true;
	list_foreach_safe (pos, next, &r->sessions) {
		struct session *s = container_of(pos, struct session, node);

		done = done && s->state == SESSION_CLOSED;
		/* A WebSocket on its way through 101 is met next time */
		send_away(s);
	}
	return done;
}

void session_reactor_abort(struct session_reactor *r)
{
	struct list *pos, *next;

	r->draining = r->aborted = true;
	list_foreach_safe (pos, next, &r->sessions) {
		struct session *s = container_of(pos, struct session, node);

		if (s->state == SESSION_CONNECTING && !s->receiver)
			continue; /* whoever waits for its 101 discards or attaches it */
		session_leave_table(s);
		session_abort_receiver(s);
		session_end_now(s, s->is_raw ? CLOSE_GOING_AWAY : CLOSE_GO_AWAY, NULL);
		session_mark_dirty(s);
	}
}
