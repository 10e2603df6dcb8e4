/*
 * session/session_reactor.c - the sessions of one loop: the flush stage, in which those
 * that became dirty say what they have to say, and how all of them end.
 */
#include "base/random.h"
#include "net/stream.h"
#include "session/session_private.h"

#define SCRATCH_KEEP (1 << 20) /* a larger scratch buffer is given back */
#define FLUSH_MOST   512       /* sessions in one turn, some milliseconds; then I/O has its turn */

/* --- the flush stage ---------------------------------------------------- */

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
		session_process(s);
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

/* --- life --------------------------------------------------------------- */

void session_reactor_init(struct session_reactor *r, struct loop *loop)
{
	memset(r, 0, sizeof(*r));
	r->loop = loop;
	r->budget = loop_budget(loop);
	list_init(&r->sessions);
	list_init(&r->walks);
	list_init(&r->dirty);
	list_init(&r->late);
	loop_set_hook(loop, LOOP_STAGE_FLUSH, flush_dirty, r);
}

void session_reactor_fini(struct session_reactor *r)
{
	loop_set_hook(r->loop, LOOP_STAGE_FLUSH, NULL, NULL);
	buf_fini(&r->scratch);
	freelist_fini(&r->freelist);
}

struct buf *session_scratch(struct session_reactor *r)
{
	if (r->scratch.cap > SCRATCH_KEEP)
		buf_fini(&r->scratch);
	buf_clear(&r->scratch);
	return &r->scratch;
}

/* --- the end of the server ---------------------------------------------- */

void session_send_away(struct session *s)
{
	bool is_unproven = s->state == SESSION_CONNECTING && s->decision == SESSION_UNPROVEN;

	if (s->state == SESSION_OPEN || s->decision == SESSION_HELD || is_unproven)
		session_blame(s, SESSION_CAUSE_STOP);
	if (s->state == SESSION_OPEN || is_unproven)
		session_close(s, s->is_raw ? CLOSE_GOING_AWAY : CLOSE_GO_AWAY, NULL);
	session_refuse(s, 503, CLOSE_GO_AWAY, NULL);
}

void session_reactor_close_some(struct session_reactor *r, uint32_t chance)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &r->sessions)
		if (random_u32() <= chance)
			session_send_away(container_of(pos, struct session, node));
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
		session_send_away(s);
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
		session_settle(s);
		session_leave_table(s);
		session_abort_receiver(s);
		session_blame(s, SESSION_CAUSE_STOP);
		session_end_now(s, s->is_raw ? CLOSE_GOING_AWAY : CLOSE_GO_AWAY, NULL);
		session_mark_dirty(s);
	}
}
