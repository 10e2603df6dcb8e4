/*
 * checkup/trial.c - the course of a trial; see trial.h.
 *
 *	opening --> asking --> loading --> hearing --> done     (loading: WebSockets alone)
 *	   |           |
 *	   +-----------+--> filling --> done       a stream that brings nothing in time
 *	               +--> listening --> done     a WebSocket that gives no answer
 *
 * A step ends by its last answer, or by a timer; so all of it is bounded, whatever comes.
 */
#include "checkup/trial_private.h"

#include <stdlib.h>

#include "base/clock.h"
#include "checkup/talk.h"

/* Of the time-out of a step: what an answer may take besides round trips, and what opening may; who
 * is slower is left by clients long before. */
#define ANSWER_SHARE 10
#define OPEN_SHARE   4
#define LISTEN_MS    27000 /* SockJS servers say something each 25 s */
#define SILENT_MOST  2     /* questions in a row without a sign */

static struct trial *trial_of(struct channel *c)
{
	return container_of(c, struct trial, channel);
}

void trial_wait(struct trial *t, unsigned ms)
{
	timer_start(loop_timers(t->net->loop), &t->timer, ms);
}

/* Some round trips, and a share of what is granted to a step. */
static unsigned share_of_time(const struct trial *t, unsigned share)
{
	unsigned rtt = t->facts->rtt_ms > 0 ? (unsigned)t->facts->rtt_ms : 0;
	unsigned ms = t->net->timeout_ms / share + 4 * rtt;

	return ms < t->net->timeout_ms ? ms : t->net->timeout_ms;
}

unsigned trial_patience(const struct trial *t)
{
	return share_of_time(t, ANSWER_SHARE);
}

void trial_say(
    struct trial *t, int (*compose)(struct buf *, unsigned, unsigned), unsigned a, unsigned b)
{
	struct buf text = BUF_INIT;

	if (compose(&text, a, b) == 0)
		channel_send(&t->channel, (struct bytes){ buf_data(&text), buf_len(&text) });
	buf_fini(&text);
}

/* --- the end ------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int median(int *values, unsigned n)
{
	if (n == 0)
		return FACT_UNKNOWN;
	qsort(values, n, sizeof(*values), by_size);
	return values[n / 2];
}

/* What was held came, and its response ended with it. */
static bool came_at_end(const struct trial *t)
{
	const struct channel *c = &t->channel;
	int rtt = t->facts->rtt_ms > 0 ? t->facts->rtt_ms : 0;

	return c->first_end_at != FACT_UNKNOWN && c->heard_at != FACT_UNKNOWN &&
	       c->first_end_at - c->heard_at < 50 + rtt;
}

static void judge_flow(struct trial *t)
{
	if (!way_is_stream(t->channel.way))
		return;
	t->way->held_octets = t->was_held ? t->filled : 0;
	if (!t->way->is_open && (t->filled == 0 || t->way->send_failure.fate != FATE_NONE))
		t->way->flow = FLOW_UNKNOWN; /* its request did not even arrive */
	else if (!t->was_held)
		t->way->flow = FLOW_AT_ONCE;
	else if (!t->way->is_open || t->filled > FILL_MOST)
		t->way->flow = FLOW_NEVER;
	else
		t->way->flow = came_at_end(t) ? FLOW_AT_END : FLOW_AFTER_OCTETS;
}

void trial_finish(struct trial *t)
{
	if (t->step == TRIAL_DONE)
		return;
	judge_flow(t);
	t->step = TRIAL_DONE;
	timer_stop(loop_timers(t->net->loop), &t->timer);
	channel_stop(&t->channel);
	t->way->worst_ms = FACT_UNKNOWN;
	for (unsigned i = 0; i < t->echo_count; i++)
		if (t->echoes[i] > t->way->worst_ms)
			t->way->worst_ms = t->echoes[i];
	t->way->echo_ms = median(t->echoes, t->echo_count);
	t->way->lag_ms = median(t->lags, t->lag_count);
	t->way->is_done = true;
	t->facts->refuses_origin |= t->channel.refuses_origin;
	t->changed(t);
}

/* --- asking -------------------------------------------------------------------------------- */

static int compose_question(struct buf *out, unsigned id, unsigned unused)
{
	(void)unused;
	return id == TALK_FIRST ? talk_seen(out, id) : talk_echo(out, id, 0);
}

static void ask(struct trial *t)
{
	if (t->questions == TRIAL_QUESTIONS) {
		trial_load(t);
		return;
	}
	t->step = TRIAL_ASKING;
	t->is_waiting = true;
	t->is_ponged = !way_is_websocket(t->channel.way);
	t->asked_at = clock_now();
	t->confirmed_at = 0;
	t->way->sent++;
	trial_wait(t, trial_patience(t));
	trial_say(t, compose_question, TALK_FIRST + t->questions++, 0);
	if (channel_ping(&t->channel))
		t->way->asked++;
	t->changed(t);
}

static void listen_on(struct trial *t)
{
	t->step = TRIAL_LISTENING;
	trial_wait(t, LISTEN_MS);
	t->changed(t);
}

/* Neither an echo nor a pong came to the last questions. */
static void fell_silent(struct trial *t)
{
	bool never_spoke = t->way->answered == 0 && t->way->came == 0;

	t->way->is_alive = false;
	if (never_spoke && t->channel.way == WAY_WEBSOCKET)
		listen_on(t);
	else
		trial_finish(t);
}

/* Whoever answers pings is there, and may just not be an echo: then it is asked no more. */
static void answer_is_late(struct trial *t)
{
	bool has_pong = way_is_websocket(t->channel.way) && t->is_ponged;

	t->silent = has_pong ? 0 : t->silent + 1;
	if (t->silent >= SILENT_MOST)
		fell_silent(t);
	else if (!way_is_websocket(t->channel.way) && t->way->came == 0 && t->questions >= 2)
		trial_finish(t);
	else
		ask(t);
}

/* --- answers ------------------------------------------------------------------------------- */

static void note_echo(struct trial *t)
{
	uint64_t now = clock_now();

	t->way->came++;
	t->is_waiting = false;
	if (t->echo_count < TRIAL_QUESTIONS)
		t->echoes[t->echo_count++] = (int)(now - t->asked_at);
	if (!way_is_websocket(t->channel.way) && t->lag_count < TRIAL_QUESTIONS)
		t->lags[t->lag_count++] = t->confirmed_at ? (int)(now - t->confirmed_at) : 0;
	t->silent = 0;
}

/* An echo may overtake the confirmation of what was sent, which would be taken for the next one's.
 */
static void ask_next_if_done(struct trial *t)
{
	if (!t->is_waiting && t->is_ponged && !t->channel.sending)
		ask(t);
}

static void answered(struct trial *t, const struct reply *r)
{
	if (t->step == TRIAL_ASKING && r->id == t->questions) {
		note_echo(t);
		ask_next_if_done(t);
	} else if (t->step == TRIAL_LOADING && r->id > t->questions) {
		t->way->came++;
		t->loaded++;
		trial_load_came(t);
	} else if (t->step == TRIAL_FILLING && r->id <= t->questions) {
		t->way->came++;
		trial_let_go(t);
	}
}

static void on_message(struct channel *c, struct bytes text)
{
	struct trial *t = trial_of(c);
	struct reply r = talk_read(text, &t->facts->saw);

	if (t->step == TRIAL_DONE)
		return;
	if (r.id < 0) {
		t->way->heard_alone = true;
		return;
	}
	t->is_doctor |= r.is_doctor;
	t->facts->is_doctor |= r.is_doctor;
	t->facts->is_echo = true;
	if (r.is_push)
		trial_pushed(t, r.at_ms);
	else
		answered(t, &r);
}

static void on_pong(struct channel *c)
{
	struct trial *t = trial_of(c);

	t->way->answered++;
	t->is_ponged = true;
	t->silent = 0;
	if (t->step == TRIAL_ASKING)
		ask_next_if_done(t);
	else if (t->step == TRIAL_LOADING)
		trial_load_came(t);
}

static void on_open(struct channel *c)
{
	struct trial *t = trial_of(c);

	if (t->step == TRIAL_FILLING)
		trial_let_go(t);
	else if (t->step == TRIAL_OPENING)
		ask(t);
}

static void on_heard(struct channel *c)
{
	struct trial *t = trial_of(c);

	if (t->step != TRIAL_LISTENING || t->was_held)
		return;
	t->way->heard_alone = true;
	trial_finish(t);
}

/* The one that answers a question lets the clock of its echo begin; what fills is followed by more.
 */
static void on_confirmed(struct channel *c)
{
	struct trial *t = trial_of(c);

	if (t->way->send_failure.fate != FATE_NONE && t->step != TRIAL_DONE) {
		if (!t->channel.is_open)
			failure_set(&t->way->failure, FATE_TIMEOUT, 0, "no answer");
		trial_finish(t);
		return;
	}
	if (t->step == TRIAL_FILLING)
		trial_wait(t, trial_patience(t) / 4);
	if (t->step != TRIAL_ASKING)
		return;
	if (!t->confirmed_at)
		t->confirmed_at = clock_now();
	trial_wait(t, trial_patience(t));
	ask_next_if_done(t);
}

static void on_ended(struct channel *c)
{
	struct trial *t = trial_of(c);

	t->way->is_alive = false;
	if (t->step == TRIAL_LOADING || t->step == TRIAL_HEARING)
		t->way->cut_octets = (unsigned)(c->octets * 2);
	trial_finish(t);
}

static const struct channel_events channel_events = {
	.open = on_open,
	.message = on_message,
	.heard = on_heard,
	.confirmed = on_confirmed,
	.pong = on_pong,
	.ended = on_ended,
};

/* --- time ---------------------------------------------------------------------------------- */

static void opens_late(struct trial *t)
{
	if (way_is_stream(t->channel.way))
		trial_fill(t);
	else
		channel_end(&t->channel, FATE_TIMEOUT, 0,
		    t->channel.switched ? "101, and then nothing" : "no answer");
}

static void on_timer(struct timer *timer)
{
	struct trial *t = container_of(timer, struct trial, timer);

	switch (t->step) {
	case TRIAL_OPENING:
		opens_late(t);
		break;
	case TRIAL_ASKING:
		if (way_is_stream(t->channel.way) && t->confirmed_at)
			trial_fill(t);
		else
			answer_is_late(t);
		break;
	case TRIAL_FILLING:
		trial_fill(t);
		break;
	case TRIAL_LOADING:
		trial_load_is_late(t);
		break;
	default:
		trial_finish(t);
	}
}

/* A stream is given less time: it is then tried whether it is held. */
void trial_start(struct trial *t, const struct net *net, enum way way, struct facts *facts,
    void (*changed)(struct trial *t), void *owner)
{
	*t = (struct trial){ .net = net, .facts = facts, .way = &facts->way[way] };
	t->changed = changed;
	t->owner = owner;
	t->step = TRIAL_OPENING;
	timer_init(&t->timer, on_timer);
	trial_wait(t, share_of_time(t, way_is_stream(way) ? ANSWER_SHARE : OPEN_SHARE));
	channel_start(&t->channel, net, way, t->way, &channel_events);
}

void trial_fini(struct trial *t)
{
	if (!t->net)
		return;
	timer_stop(loop_timers(t->net->loop), &t->timer);
	t->step = TRIAL_DONE;
	channel_fini(&t->channel);
}
