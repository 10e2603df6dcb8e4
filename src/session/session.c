/*
 * session/session.c - states, buffers and deadlines of a session; see session.h.
 *
 * One timer serves all deadlines of a session: it is armed for the nearest, and
 * when it fires everything is looked at. So what happens per message is one
 * store of a time.
 */
#include "session/session.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "session/session_private.h"

#define LATE_ANSWERS_MAX 16       /* then 404, so that a client cannot spin on a dead id */
#define MESSAGE_COST     64       /* what a waiting message costs beside its bytes */
#define BATCH_MESSAGES   256      /* in one frame */
#define BATCH_BYTES      131072   /* likewise, unless one message is larger */
#define SCRATCH_KEEP     (1 << 20) /* a larger scratch buffer is given back */

static void on_timer(struct timer *t);
static void flush(struct session *s);
static void drop_inbox(struct session *s, bool taken);

/* --- the reactor's part ------------------------------------------------------------------------- */

static void process(struct session *s);

/* LOOP_STAGE_FLUSH. What becomes dirty meanwhile waits for the next turn. */
static void flush_dirty(struct loop *loop, void *arg)
{
	struct session_reactor *r = arg;
	struct list now;

	list_init(&now);
	list_splice(&now, &r->dirty);
	while (!list_empty(&now)) {
		struct session *s = container_of(list_first(&now), struct session, dirty);

		list_remove(&s->dirty);
		process(s);
	}
	if (!list_empty(&r->dirty))
		loop_again(loop);
}

void session_reactor_init(struct session_reactor *r, struct loop *loop)
{
	memset(r, 0, sizeof(*r));
	r->loop = loop;
	list_init(&r->sessions);
	list_init(&r->dirty);
	loop_set_hook(loop, LOOP_STAGE_FLUSH, flush_dirty, r);
}

void session_reactor_fini(struct session_reactor *r)
{
	loop_set_hook(r->loop, LOOP_STAGE_FLUSH, NULL, NULL);
	buf_fini(&r->scratch);
}

struct buf *session_scratch(struct session_reactor *r)
{
	if (r->scratch.cap > SCRATCH_KEEP)
		buf_fini(&r->scratch);
	buf_clear(&r->scratch);
	return &r->scratch;
}

/* --- rings of messages ---------------------------------------------------------------------------- */

static int ring_push(struct message_ring *ring, struct message *m)
{
	if (ring->count == ring->cap) {
		uint32_t cap = ring->cap ? ring->cap * 2 : 4;
		struct message **items = mem_alloc(cap * sizeof(*items));

		if (!items)
			return -ENOMEM;
		for (uint32_t i = 0; i < ring->count; i++)
			items[i] = ring->items[(ring->head + i) & (ring->cap - 1)];
		mem_free(ring->items);
		ring->items = items;
		ring->head = 0;
		ring->cap = cap;
	}
	ring->items[(ring->head + ring->count++) & (ring->cap - 1)] = m;
	return 0;
}

static struct message *ring_at(const struct message_ring *ring, uint32_t i)
{
	return ring->items[(ring->head + i) & (ring->cap - 1)];
}

static void ring_drop(struct message_ring *ring, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		message_unref(ring_at(ring, i));
	ring->head = (ring->head + count) & (ring->cap - 1);
	ring->count -= count;
}

static void ring_fini(struct message_ring *ring)
{
	if (ring->count)
		ring_drop(ring, ring->count);
	mem_free(ring->items);
	*ring = (struct message_ring){ 0 };
}

/* An idle session keeps no more than a handful of slots. */
static void ring_rest(struct message_ring *ring)
{
	if (ring->count == 0 && ring->cap > 4)
		ring_fini(ring);
}

/* --- life --------------------------------------------------------------------------------------------- */

static void mark_dirty(struct session *s)
{
	if (!list_empty(&s->dirty))
		return;
	list_append(&s->reactor->dirty, &s->dirty);
	loop_want(s->reactor->loop, LOOP_STAGE_FLUSH);
}

static uint64_t now_of(const struct session *s)
{
	return loop_now(s->reactor->loop);
}

/* Other reactors see these bits. */
static void publish(const struct session *s)
{
	if (s->entry)
		session_entry_publish(s->entry, session_is_open(s), s->receiver != NULL, s->paused);
}

static void set_state(struct session *s, enum session_state state)
{
	s->state = (uint8_t)state;
	publish(s);
}

void session_init(struct session *s, struct session_reactor *reactor, const struct session_limits *limits,
    const struct session_ops *ops, const char *transport, bool is_raw)
{
	static _Atomic uint64_t last_id;

	s->reactor = reactor;
	s->limits = limits;
	s->ops = ops;
	s->transport = transport;
	s->is_raw = is_raw;
	s->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	s->born = now_of(s);
	s->last_sent = s->born;
	timer_init(&s->timer, on_timer);
	list_init(&s->dirty);
	list_append(&reactor->sessions, &s->node);
	reactor->counters.now++;
	reactor->counters.opened++;
}

static void free_session(struct session *s)
{
	session_entry_remove(s->entry);
	s->entry = NULL;
	timer_stop(loop_timers(s->reactor->loop), &s->timer);
	list_remove(&s->node);
	list_remove(&s->dirty);
	ring_fini(&s->out);
	mem_free(s->reason);
	s->ops->free(s);
}

/* --- deadlines ----------------------------------------------------------------------------------------- */

static void consider(uint64_t *nearest, uint64_t deadline)
{
	if (*nearest == 0 || deadline < *nearest)
		*nearest = deadline;
}

static uint64_t nearest_deadline(const struct session *s)
{
	const struct session_limits *l = s->limits;
	uint64_t nearest = s->deadline;

	if (s->blocked_since && l->send_timeout_ms)
		consider(&nearest, s->blocked_since + l->send_timeout_ms);
	if (s->state != SESSION_OPEN)
		return nearest; /* what nobody looks at when it fires would fire for ever */
	if (s->receiver && l->heartbeat_delay_ms)
		consider(&nearest, s->last_sent + l->heartbeat_delay_ms);
	if (!s->heard && l->first_message_timeout_ms)
		consider(&nearest, s->born + l->first_message_timeout_ms);
	return nearest;
}

/* Arms the timer unless it fires early enough anyway. */
static void arm(struct session *s)
{
	uint64_t nearest = nearest_deadline(s), now = now_of(s);
	struct timer_wheel *wheel = loop_timers(s->reactor->loop);

	if (nearest == 0 || (timer_is_active(&s->timer) && s->timer.deadline <= nearest))
		return;
	timer_start(wheel, &s->timer, nearest > now ? nearest - now : 0);
}

/* --- endings -------------------------------------------------------------------------------------------- */

static void set_reason(struct session *s, unsigned code, const char *reason)
{
	s->code = (uint16_t)code;
	if (reason && strcmp(reason, close_reason(code)) != 0)
		s->reason = mem_strdup(reason); /* without memory the code has to do */
}

static const char *reason_of(const struct session *s)
{
	return s->reason ? s->reason : close_reason(s->code);
}

/* The application hears of it in the flush stage. */
static void report_close(struct session *s)
{
	if (s->reported)
		return;
	s->reported = true;
	s->reactor->counters.now--;
	s->reactor->counters.closed[close_code_row(s->code)]++;
	if (!s->heard)
		s->reactor->counters.connect_failures++;
	s->ops->close(s, s->code, reason_of(s));
}

/* Over: nothing more is delivered or sent. In a table the id stays for a while, to answer late receivers. */
static void become_closed(struct session *s)
{
	if (s->state == SESSION_CLOSED)
		return;
	set_state(s, SESSION_CLOSED);
	drop_inbox(s, false);
	ring_fini(&s->out);
	s->out_bytes = 0;
	s->blocked_since = 0;
	if (s->entry && s->deadline == 0)
		s->deadline = now_of(s) + s->limits->disconnect_delay_ms;
	arm(s);
	mark_dirty(s);
}

/* The wire is not there any more, for better or worse. */
static void forget_receiver(struct session *s)
{
	if (s->receiver)
		s->receiver->session = NULL;
	s->receiver = NULL;
	s->blocked_since = 0;
	publish(s);
}

/* Ends at once, whatever waits; `code` is what the application and late receivers are told. */
static void end_now(struct session *s, unsigned code, const char *reason)
{
	if (s->state == SESSION_CLOSED)
		return;
	if (s->state != SESSION_CLOSING)
		set_reason(s, code, reason);
	become_closed(s);
}

static void abort_receiver(struct session *s)
{
	struct receiver *r = s->receiver;

	forget_receiver(s);
	if (r)
		r->ops->abort(r);
}

static void close_slow(struct session *s)
{
	abort_receiver(s);
	end_now(s, CLOSE_SLOW, NULL);
}

void session_close(struct session *s, unsigned code, const char *reason)
{
	if (!session_is_open(s))
		return;
	set_reason(s, code, reason ? reason : close_reason(code));
	set_state(s, SESSION_CLOSING);
	drop_inbox(s, false);
	if (!s->receiver && s->deadline == 0)
		s->deadline = now_of(s) + s->limits->disconnect_delay_ms;
	arm(s);
	mark_dirty(s);
}

void session_discard(struct session *s)
{
	s->ops->open(s);
	end_now(s, CLOSE_INTERRUPTED, NULL);
}

void session_receiver_gone(struct session *s, struct receiver *r)
{
	if (s->receiver != r)
		return;
	forget_receiver(s);
	end_now(s, CLOSE_INTERRUPTED, NULL);
}

void session_receiver_done(struct session *s, struct receiver *r)
{
	if (s->receiver != r)
		return;
	forget_receiver(s);
	if (s->state != SESSION_CLOSED) {
		s->deadline = now_of(s) + s->limits->disconnect_delay_ms;
		arm(s);
	}
	mark_dirty(s);
}

void session_client_closed(struct session *s, struct receiver *r, unsigned code, const char *reason)
{
	if (s->receiver != r)
		return;
	forget_receiver(s);
	s->heard = true;
	end_now(s, code, reason);
}

/* --- out ---------------------------------------------------------------------------------------------------- */

size_t session_buffered(const struct session *s)
{
	return s->out_bytes + (s->receiver ? s->receiver->ops->buffered(s->receiver) : 0);
}

int session_send(struct session *s, struct message *m)
{
	size_t cost = m->len + MESSAGE_COST, waiting, limit = s->limits->send_buffer_bytes;

	if (!session_is_open(s))
		return -EPIPE;
	if (cost > limit)
		return -EMSGSIZE;
	waiting = session_buffered(s) + cost;
	if (waiting > limit) {
		close_slow(s);
		return -ENOBUFS;
	}
	if (ring_push(&s->out, m) < 0)
		return -ENOMEM;
	message_ref(m);
	s->out_bytes += cost;
	mark_dirty(s);
	if (waiting > limit / 2)
		s->full = true;
	return s->full ? SESSION_FULL : 0;
}

/* Whether the session may go on after what a receiver said of its work. */
static bool went_on(struct session *s, enum recv_status status)
{
	s->last_sent = now_of(s);
	if (status == RECV_MORE)
		return true;
	forget_receiver(s);
	if (status == RECV_GONE) {
		end_now(s, CLOSE_INTERRUPTED, NULL);
	} else if (s->state != SESSION_CLOSED) {
		s->deadline = now_of(s) + s->limits->disconnect_delay_ms;
		arm(s);
	}
	return false;
}

/* One frame of what waits. */
static bool send_batch(struct session *s)
{
	struct message *batch[BATCH_MESSAGES];
	struct receiver *r = s->receiver;
	size_t bytes = 0;
	uint32_t n = 0;
	enum recv_status status;

	while (n < s->out.count && n < BATCH_MESSAGES && (n == 0 || bytes < BATCH_BYTES)) {
		batch[n] = ring_at(&s->out, n);
		bytes += batch[n++]->len;
	}
	status = r->ops->messages(r, batch, n);
	s->reactor->counters.messages_out += n;
	s->reactor->counters.bytes_out += bytes;
	ring_drop(&s->out, n);
	s->out_bytes -= bytes + (size_t)n * MESSAGE_COST;
	return went_on(s, status);
}

static bool is_blocked(struct session *s)
{
	size_t waiting = s->receiver->ops->buffered(s->receiver);

	if (waiting == 0) {
		s->blocked_since = 0;
		return false;
	}
	if (s->blocked_since == 0) {
		s->blocked_since = now_of(s);
		s->blocked_bytes = waiting;
		arm(s);
	}
	return true;
}

static void deliver_close(struct session *s)
{
	struct receiver *r = s->receiver;

	forget_receiver(s);
	become_closed(s);
	r->ops->close(r, s->code, reason_of(s));
}

/* Says what can be said now: messages first, then the close. */
static void flush(struct session *s)
{
	while (s->receiver && !is_blocked(s)) {
		if (s->out.count > 0) {
			if (!send_batch(s))
				break;
		} else if (s->state == SESSION_CLOSING) {
			deliver_close(s);
			return;
		} else {
			break;
		}
	}
	ring_rest(&s->out);
}

void session_say_the_rest(struct session *s)
{
	while (s->receiver && s->out.count > 0 && send_batch(s))
		;
}

static void tell_writable(struct session *s)
{
	if (!s->full || s->state != SESSION_OPEN || session_buffered(s) > s->limits->send_buffer_bytes / 4)
		return;
	s->full = false;
	s->ops->writable(s);
}

void session_writable(struct session *s)
{
	s->blocked_since = 0;
	mark_dirty(s);
}

/* --- in ------------------------------------------------------------------------------------------------------- */

void session_heard(struct session *s)
{
	s->heard = true;
}

bool session_has_room(const struct session *s, size_t n)
{
	return (s->in ? s->in->bytes : 0) + n <= s->limits->receive_buffer_bytes;
}

bool session_is_behind(const struct session *s)
{
	return s->in != NULL;
}

void session_wait(struct session *s, struct session_waiter *w)
{
	list_append(&s->in->waiters, &w->node);
}

static struct session_inbox *inbox_of(struct session *s)
{
	if (!s->in) {
		s->in = mem_zalloc(sizeof(*s->in));
		if (s->in)
			list_init(&s->in->waiters);
	}
	return s->in;
}

/* Nothing waits any more: either all was taken, or nobody is left to take it. */
static void drop_inbox(struct session *s, bool taken)
{
	struct session_inbox *in = s->in;

	if (!in)
		return;
	s->in = NULL;
	ring_fini(&in->ring);
	while (!list_empty(&in->waiters)) {
		struct session_waiter *w = container_of(list_first(&in->waiters), struct session_waiter, node);

		list_remove(&w->node);
		w->done(w, taken);
	}
	mem_free(in);
}

static int keep_for_later(struct session *s, const char *data, size_t n, bool binary)
{
	struct message *m = message_new(data, n, binary, false);
	struct session_inbox *in = m ? inbox_of(s) : NULL;

	if (in && ring_push(&in->ring, m) == 0) {
		in->bytes += n + MESSAGE_COST;
		return 0;
	}
	message_unref(m);
	session_close(s, CLOSE_INTERNAL_ERROR, "Out of memory");
	return -ENOMEM;
}

static void pass_on(struct session *s, const char *data, size_t n, bool binary)
{
	s->reactor->counters.messages_in++;
	s->reactor->counters.bytes_in += n;
	s->ops->message(s, data, n, binary);
}

int session_deliver(struct session *s, const char *data, size_t n, bool binary)
{
	if (s->state != SESSION_OPEN)
		return 0;
	s->heard = true;
	if (s->paused || s->in)
		return keep_for_later(s, data, n, binary);
	pass_on(s, data, n, binary);
	return 0;
}

void session_pause(struct session *s)
{
	if (s->paused)
		return;
	s->paused = s->stopped = true;
	publish(s);
	if (s->receiver && s->receiver->ops->pause)
		s->receiver->ops->pause(s->receiver, true);
}

void session_resume(struct session *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	publish(s);
	mark_dirty(s); /* not from within a callback of the application */
}

/* The application goes on: what waited first, then the wire. */
static void take_up(struct session *s)
{
	while (s->in && s->in->ring.count > 0 && !s->paused && s->state == SESSION_OPEN) {
		struct message *m = message_ref(ring_at(&s->in->ring, 0));

		ring_drop(&s->in->ring, 1);
		s->in->bytes -= m->len + MESSAGE_COST;
		pass_on(s, m->data, m->len, m->binary);
		message_unref(m);
	}
	if (s->in && s->in->ring.count == 0)
		drop_inbox(s, true);
	if (s->paused)
		return;
	s->stopped = false;
	if (s->receiver && s->receiver->ops->pause)
		s->receiver->ops->pause(s->receiver, false);
}

/* --- receivers ------------------------------------------------------------------------------------------------- */

/* A receiver that comes after the end gets the close frame again, but not for ever. */
static int answer_late(struct session *s, struct receiver *r)
{
	if (s->late >= LATE_ANSWERS_MAX)
		return -ENOENT;
	s->late++;
	r->ops->close(r, s->code, reason_of(s));
	return 0;
}

static void open_session(struct session *s, struct receiver *r)
{
	enum recv_status status;

	set_state(s, SESSION_OPEN);
	status = r->ops->open(r);
	if (!went_on(s, status) && s->state == SESSION_CLOSED) {
		session_discard(s);
		return;
	}
	s->ops->open(s);
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
	s->receiver = r;
	r->session = s;
	if (s->state == SESSION_CONNECTING) {
		open_session(s, r);
	} else {
		s->heard = true;
		s->deadline = 0;
		s->last_sent = now_of(s);
		publish(s);
		flush(s);
		if (s->full)
			mark_dirty(s); /* there may be room now; not said from within this call */
	}
	if (s->paused && s->receiver && r->ops->pause)
		r->ops->pause(r, true);
	arm(s);
	return 0;
}

/* --- the two engines: dirty sessions, and the timer ------------------------------------------------------------- */

static void process(struct session *s)
{
	if (s->stopped && !s->paused)
		take_up(s);
	flush(s);
	tell_writable(s);
	if (!session_is_open(s))
		report_close(s);
	if (s->state == SESSION_CLOSED && !s->entry)
		free_session(s);
}

static void check_progress(struct session *s, uint64_t now)
{
	size_t waiting;

	if (!s->receiver || !s->blocked_since || !s->limits->send_timeout_ms ||
	    now < s->blocked_since + s->limits->send_timeout_ms)
		return;
	waiting = s->receiver->ops->buffered(s->receiver);
	if (waiting < s->blocked_bytes) {
		s->blocked_bytes = waiting;
		s->blocked_since = now;
		return;
	}
	close_slow(s);
}

static void check_silence(struct session *s, uint64_t now)
{
	if (!s->heard && s->state == SESSION_OPEN && s->limits->first_message_timeout_ms &&
	    now >= s->born + s->limits->first_message_timeout_ms) {
		log_debug("connect failure: the client never answered", LOG_INT("session", s->id),
		    LOG_STR("transport", s->transport));
		session_close(s, CLOSE_SILENT, NULL);
	}
}

static void check_heartbeat(struct session *s, uint64_t now)
{
	if (s->receiver && s->state == SESSION_OPEN && s->limits->heartbeat_delay_ms &&
	    now >= s->last_sent + s->limits->heartbeat_delay_ms) {
		if (is_blocked(s))
			s->last_sent = now; /* what is on its way is sign of life enough */
		else
			went_on(s, s->receiver->ops->heartbeat(s->receiver));
	}
}

/* The client did not come back, or nobody asks any more why the session has ended. */
static void check_deadline(struct session *s, uint64_t now)
{
	if (s->deadline == 0 || now < s->deadline)
		return;
	session_entry_remove(s->entry);
	s->entry = NULL;
	if (s->receiver)
		abort_receiver(s);
	end_now(s, CLOSE_INTERRUPTED, NULL);
	s->deadline = 0;
	mark_dirty(s);
}

static void on_timer(struct timer *t)
{
	struct session *s = container_of(t, struct session, timer);
	uint64_t now = now_of(s);

	check_progress(s, now);
	check_silence(s, now);
	check_heartbeat(s, now);
	check_deadline(s, now);
	arm(s);
}

/* --- the end of the server --------------------------------------------------------------------------------------- */

bool session_reactor_drain(struct session_reactor *r)
{
	struct list *pos, *next;
	bool done = true;

	r->draining = true;
	list_foreach_safe (pos, next, &r->sessions) {
		struct session *s = container_of(pos, struct session, node);

		done = done && s->state == SESSION_CLOSED;
		if (s->state == SESSION_OPEN) /* a WebSocket on its way through 101 is met next time */
			session_close(s, s->is_raw ? CLOSE_GOING_AWAY : CLOSE_GO_AWAY, NULL);
	}
	return done;
}

void session_reactor_abort(struct session_reactor *r)
{
	struct list *pos, *next;

	r->draining = r->aborted = true;
	list_foreach_safe (pos, next, &r->sessions) {
		struct session *s = container_of(pos, struct session, node);

		if (s->state == SESSION_CONNECTING)
			continue; /* whoever waits for its 101 discards or attaches it */
		session_entry_remove(s->entry);
		s->entry = NULL;
		abort_receiver(s);
		end_now(s, s->is_raw ? CLOSE_GOING_AWAY : CLOSE_GO_AWAY, NULL);
		mark_dirty(s);
	}
}
