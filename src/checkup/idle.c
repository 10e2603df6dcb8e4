/*
 * checkup/idle.c - silences; see idle.h.
 *
 * Each connection is asked when it is open, is quiet, and is asked again. Where the server knows us
 * it is asked to be quiet too (its heartbeats would hide what the network does).
 */
#include "checkup/idle.h"

#include "checkup/diagnosis.h"
#include "checkup/talk.h"

#define USE_EVERY_MS 500

static struct quiet *quiet_of(struct channel *c)
{
	return container_of(c, struct quiet, channel);
}

static void wait_for(struct quiet *q, unsigned ms)
{
	timer_start(loop_timers(q->channel.net->loop), &q->timer, ms);
}

static void say(struct quiet *q, bool is_silence)
{
	struct buf text = BUF_INIT;
	int err = is_silence ? talk_silence(&text, q->quiet_ms)
	                     : talk_echo(&text, TALK_FIRST + q->asked++, 0);

	if (err == 0)
		channel_send(&q->channel, (struct bytes){ buf_data(&text), buf_len(&text) });
	buf_fini(&text);
}

static void ask(struct quiet *q)
{
	q->is_waiting = true;
	say(q, false);
}

/* --- the verdict --------------------------------------------------------------------------- */

static void note_quiet(struct idle_facts *f, const struct quiet *q)
{
	int s = (int)((q->quiet_ms + 999) / 1000);

	if (q->has_survived) {
		f->survived_s = s > f->survived_s ? s : f->survived_s;
	} else if (q->is_quiet && (f->cut_s == FACT_UNKNOWN || s < f->cut_s)) {
		f->cut_s = s;
		f->is_silent = !q->was_told;
	}
}

static void finish(struct quiet *q)
{
	struct idle_test *t = q->kind->test;

	if (q->is_over)
		return;
	q->is_over = true;
	timer_stop(loop_timers(t->net->loop), &q->timer);
	if (q->quiet_ms > 0)
		note_quiet(q->kind->facts, q);
	else if (!q->has_survived && q->asked > 1)
		q->kind->facts->age_s = (channel_ms(&q->channel) + 500) / 1000;
	channel_stop(&q->channel);
	if (--t->waits == 0)
		t->done(t);
}

/* --- one connection ------------------------------------------------------------------------ */

static void begin_silence(struct quiet *q)
{
	q->is_quiet = true;
	if (q->kind->test->facts->is_doctor)
		say(q, true);
	wait_for(q, q->quiet_ms);
}

static void on_message(struct channel *c, struct bytes text)
{
	struct quiet *q = quiet_of(c);
	struct idle_test *t = q->kind->test;
	struct reply r = talk_read(text, &t->facts->saw);

	if (q->is_over || r.id != q->asked)
		return;
	q->is_waiting = false;
	if (q->quiet_ms == 0) {
		q->has_survived = channel_ms(c) >= t->facts->idle_s * 1000;
		wait_for(q, USE_EVERY_MS);
	} else if (q->asked == 1) {
		begin_silence(q);
		return;
	} else {
		q->has_survived = true;
	}
	if (q->has_survived)
		finish(q);
}

static unsigned patience(const struct quiet *q)
{
	const struct facts *f = q->kind->test->facts;

	return 2000 + 4 * (unsigned)(f->rtt_ms > 0 ? f->rtt_ms : 0);
}

/* Silence is over, or what came of it is late. */
static void on_timer(struct timer *timer)
{
	struct quiet *q = container_of(timer, struct quiet, timer);

	if (q->is_waiting || !q->way.is_open) {
		finish(q);
		return;
	}
	ask(q);
	wait_for(q, patience(q));
}

static void on_open(struct channel *c)
{
	struct quiet *q = quiet_of(c);

	ask(q);
	wait_for(q, 2 * c->net->timeout_ms);
}

static void on_ended(struct channel *c)
{
	struct quiet *q = quiet_of(c);

	q->was_told = true;
	finish(q);
}

static const struct channel_events events = {
	.open = on_open,
	.message = on_message,
	.ended = on_ended,
};

/* --- all of them --------------------------------------------------------------------------- */

/* What opens now is in the loop's next turn, so that `waits` counts all of them before one is over.
 */
static void on_begin(struct timer *timer)
{
	struct quiet *q = container_of(timer, struct quiet, timer);

	timer_init(&q->timer, on_timer);
	timer_start(
	    loop_timers(q->kind->test->net->loop), &q->timer, 2 * q->kind->test->net->timeout_ms);
	channel_start(&q->channel, q->kind->test->net, q->kind->facts->way, &q->way, &events);
}

static void start_quiet(struct idle_kind *k, size_t i)
{
	struct quiet *q = &k->quiet[i];

	q->kind = k;
	q->quiet_ms = (unsigned)k->test->facts->idle_s * 1000 * (unsigned)i / IDLE_STEPS;
	timer_init(&q->timer, on_begin);
	timer_start(loop_timers(k->test->net->loop), &q->timer, 0);
}

/* A WebSocket, and the best that is none. */
static int choose(const struct facts *f, size_t kind)
{
	if (kind == 0)
		return way_works(f, WAY_WEBSOCKET) ? WAY_WEBSOCKET : -1;
	for (int i = WAY_XHR_STREAMING; i < WAYS; i++)
		if (way_works(f, (enum way)i))
			return i;
	return -1;
}

static void start_kind(struct idle_test *t, size_t i)
{
	struct idle_kind *k = &t->kinds[i];
	int way = choose(t->facts, i);

	*k = (struct idle_kind){ .test = t, .facts = &t->facts->idle[i] };
	if (way < 0)
		return;
	k->facts->is_tried = true;
	k->facts->way = (enum way)way;
	for (size_t n = 0; n <= IDLE_STEPS; n++) {
		t->waits++;
		start_quiet(k, n);
	}
}

void idle_start(struct idle_test *t, const struct net *net, struct facts *facts,
    void (*done)(struct idle_test *t))
{
	*t = (struct idle_test){ .net = net, .facts = facts, .done = done };
	for (size_t i = 0; i < IDLE_KINDS; i++)
		start_kind(t, i);
	if (t->waits == 0)
		done(t);
}

void idle_fini(struct idle_test *t)
{
	for (size_t i = 0; t->net && i < IDLE_KINDS; i++)
		for (size_t n = 0; n <= IDLE_STEPS; n++) {
			struct quiet *q = &t->kinds[i].quiet[n];

			if (!q->kind)
				continue;
			timer_stop(loop_timers(t->net->loop), &q->timer);
			q->is_over = true;
			channel_fini(&q->channel);
		}
}
