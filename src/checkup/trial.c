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
#include "checkup/trial.h"

#include <stdlib.h>

#include "base/clock.h"
#include "checkup/talk.h"

#define ANSWER_SHARE 10 /* of the time-out of a step: what an answer may take besides round trips  \
	                 */
#define OPEN_SHARE    4 /* to open; who is slower is left by clients long before */
#define LISTEN_MS     27000 /* SockJS servers say something each 25 s */
#define FILL_FIRST    1024
#define FILL_MOST     ((size_t)256 << 10)
#define LOAD_OCTETS   1536
#define PUSH_EVERY_MS 100
#define SILENT_MOST   2 /* questions in a row without a sign */

static struct trial *trial_of(struct channel *c)
{
	return container_of(c, struct trial, channel);
}

static void wait_for(struct trial *t, unsigned ms)
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

static unsigned patience(const struct trial *t)
{
	return share_of_time(t, ANSWER_SHARE);
}

static void say(
    struct trial *t, int (*compose)(struct buf *, unsigned, unsigned), unsigned a, unsigned b)
{
	struct buf text = BUF_INIT;

	if (compose(&text, a, b) == 0)
		channel_send(&t->channel, (struct bytes){ buf_data(&text), buf_len(&text) });
	buf_fini(&text);
}

/* --- the end -----------------------------------------------------------------------------------
 */

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
static bool came_at_end(const struct channel *c)
{
	return c->first_end_at != FACT_UNKNOWN && c->heard_at != FACT_UNKNOWN &&
	       c->first_end_at - c->heard_at < 50;
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
		t->way->flow = came_at_end(&t->channel) ? FLOW_AT_END : FLOW_AFTER_OCTETS;
}

static void finish(struct trial *t)
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

/* --- asking ------------------------------------------------------------------------------------
 */

static int compose_question(struct buf *out, unsigned id, unsigned unused)
{
	(void)unused;
	return id == TALK_FIRST ? talk_seen(out, id) : talk_echo(out, id, 0);
}

static void begin_load(struct trial *t);

static void ask(struct trial *t)
{
	if (t->questions == TRIAL_QUESTIONS) {
		begin_load(t);
		return;
	}
	t->step = TRIAL_ASKING;
	t->is_waiting = true;
	t->is_ponged = !way_is_websocket(t->channel.way);
	t->asked_at = clock_now();
	t->confirmed_at = 0;
	t->way->sent++;
	wait_for(t, patience(t));
	say(t, compose_question, TALK_FIRST + t->questions++, 0);
	if (channel_ping(&t->channel))
		t->way->asked++;
	t->changed(t);
}

static void listen_on(struct trial *t)
{
	t->step = TRIAL_LISTENING;
	wait_for(t, LISTEN_MS);
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
		finish(t);
}

/* Whoever answers pings is there, and may just not be an echo: then it is asked no more. */
static void answer_is_late(struct trial *t)
{
	bool has_pong = way_is_websocket(t->channel.way) && t->is_ponged;

	t->silent = has_pong ? 0 : t->silent + 1;
	if (t->silent >= SILENT_MOST)
		fell_silent(t);
	else if (!way_is_websocket(t->channel.way) && t->way->came == 0 && t->questions >= 2)
		finish(t);
	else
		ask(t);
}

/* --- filling: what is held is let go when there is enough of it
 * ----------------------------------- */

static void fill(struct trial *t)
{
	unsigned octets = t->filled ? (unsigned)t->filled : FILL_FIRST;

	t->step = TRIAL_FILLING;
	t->was_held = true;
	if (octets > 16384)
		octets = 16384;
	if (t->filled > FILL_MOST) {
		channel_end(&t->channel, FATE_TIMEOUT, 0, "nothing came of what was sent");
		return;
	}
	t->filled += octets;
	wait_for(t, t->net->timeout_ms);
	say(t, talk_echo, TALK_FILL, octets);
	t->changed(t);
}

static void let_go(struct trial *t)
{
	/* The end of the response, if it is that, is about to come */
	t->step = TRIAL_LISTENING;
	wait_for(t, 100);
}

/* --- loading
 * --------------------------------------------------------------------------------------- */

static void hear_pushes(struct trial *t)
{
	if (!t->is_doctor || !(way_is_websocket(t->channel.way) || way_is_stream(t->channel.way))) {
		finish(t);
		return;
	}
	t->step = TRIAL_HEARING;
	t->way->pushed = TRIAL_PUSHES;
	wait_for(t, patience(t) + TRIAL_PUSHES * PUSH_EVERY_MS);
	say(t, talk_push, TRIAL_PUSHES, PUSH_EVERY_MS);
	t->changed(t);
}

static void load_is_over(struct trial *t)
{
	if (t->way->is_alive)
		hear_pushes(t);
	else
		finish(t);
}

/* More frames and octets than many a network lets pass before it has had enough. */
static void begin_load(struct trial *t)
{
	if (!way_is_websocket(t->channel.way)) {
		t->way->is_alive = t->way->came > 0;
		hear_pushes(t);
		return;
	}
	t->step = TRIAL_LOADING;
	t->way->is_alive = false;
	wait_for(t, patience(t));
	for (unsigned i = 0; i < TRIAL_LOAD && !t->channel.is_over; i++) {
		if (t->way->came > 0) {
			t->way->sent++;
			say(t, talk_echo, TALK_FIRST + t->questions + i, LOAD_OCTETS);
		}
		if (i % 4 == 3 && channel_ping(&t->channel))
			t->way->asked++;
	}
	t->changed(t);
}

static void load_came(struct trial *t)
{
	const struct way_facts *w = t->way;

	if (w->answered == w->asked && (w->came == 0 || t->loaded == TRIAL_LOAD)) {
		t->way->is_alive = true;
		load_is_over(t);
	} else {
		wait_for(t, patience(t));
	}
}

/* What is missing is lost if the last ping has come back, for it was behind. */
static void load_is_late(struct trial *t)
{
	t->way->is_alive = t->way->answered == t->way->asked;
	load_is_over(t);
}

/* --- answers
 * --------------------------------------------------------------------------------------- */

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
		load_came(t);
	} else if (t->step == TRIAL_FILLING && r->id <= t->questions) {
		t->way->came++;
		let_go(t);
	}
}

static void pushed(struct trial *t, const struct reply *r)
{
	long long late = (long long)clock_now() - r->at_ms;

	if (t->step != TRIAL_HEARING || r->at_ms < 0 || r->at_ms > (1LL << 40))
		return;
	if (t->way->pushes++ == 0)
		t->quickest = t->latest = late;
	t->quickest = late < t->quickest ? late : t->quickest;
	t->latest = late > t->latest ? late : t->latest;
	t->way->push_late_ms = (int)(t->latest - t->quickest);
	if (t->way->pushes == t->way->pushed)
		finish(t);
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
		pushed(t, &r);
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
		load_came(t);
}

static void on_open(struct channel *c)
{
	struct trial *t = trial_of(c);

	if (t->step == TRIAL_FILLING)
		let_go(t);
	else if (t->step == TRIAL_OPENING)
		ask(t);
}

static void on_heard(struct channel *c)
{
	struct trial *t = trial_of(c);

	if (t->step != TRIAL_LISTENING || t->was_held)
		return;
	t->way->heard_alone = true;
	finish(t);
}

/* The one that answers a question lets the clock of its echo begin; what fills is followed by more.
 */
static void on_confirmed(struct channel *c)
{
	struct trial *t = trial_of(c);

	if (t->way->send_failure.fate != FATE_NONE && t->step != TRIAL_DONE) {
		if (!t->channel.is_open)
			failure_set(&t->way->failure, FATE_TIMEOUT, 0, "no answer");
		finish(t);
		return;
	}
	if (t->step == TRIAL_FILLING)
		wait_for(t, patience(t) / 4);
	if (t->step != TRIAL_ASKING)
		return;
	if (!t->confirmed_at)
		t->confirmed_at = clock_now();
	wait_for(t, patience(t));
	ask_next_if_done(t);
}

static void on_ended(struct channel *c)
{
	struct trial *t = trial_of(c);

	t->way->is_alive = false;
	if (t->step == TRIAL_LOADING || t->step == TRIAL_HEARING)
		t->way->cut_octets = (unsigned)(c->octets * 2);
	finish(t);
}

static const struct channel_events channel_events = {
	.open = on_open,
	.message = on_message,
	.heard = on_heard,
	.confirmed = on_confirmed,
	.pong = on_pong,
	.ended = on_ended,
};

/* --- time
 * ------------------------------------------------------------------------------------------- */

static void opens_late(struct trial *t)
{
	if (way_is_stream(t->channel.way))
		fill(t);
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
			fill(t);
		else
			answer_is_late(t);
		break;
	case TRIAL_FILLING:
		fill(t);
		break;
	case TRIAL_LOADING:
		load_is_late(t);
		break;
	default:
		finish(t);
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
	wait_for(t, share_of_time(t, way_is_stream(way) ? ANSWER_SHARE : OPEN_SHARE));
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
