/*
 * checkup/trial_load.c - what a trial sends in masses: to fill what is held, to see whether much
 * gets through, and pushes that it asks for; see trial.h.
 */
#include "checkup/trial_private.h"

#include "base/clock.h"
#include "checkup/talk.h"

#define FILL_FIRST    1024
#define LOAD_OCTETS   1536
#define PUSH_EVERY_MS 100

/* --- filling: what is held is let go when there is enough of it ---------------------------- */

void trial_fill(struct trial *t)
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
	trial_wait(t, t->net->timeout_ms);
	trial_say(t, talk_echo, TALK_FILL, octets);
	t->changed(t);
}

void trial_let_go(struct trial *t)
{
	int rtt = t->facts->rtt_ms > 0 ? t->facts->rtt_ms : 0;

	/* The end of the response, if it is that, is about to come */
	t->step = TRIAL_LISTENING;
	trial_wait(t, 100 + (unsigned)rtt);
}

/* --- loading ------------------------------------------------------------------------------- */

static void hear_pushes(struct trial *t)
{
	if (!t->is_doctor || !(way_is_websocket(t->channel.way) || way_is_stream(t->channel.way))) {
		trial_finish(t);
		return;
	}
	t->step = TRIAL_HEARING;
	t->way->pushed = TRIAL_PUSHES;
	trial_wait(t, trial_patience(t) + TRIAL_PUSHES * PUSH_EVERY_MS);
	trial_say(t, talk_push, TRIAL_PUSHES, PUSH_EVERY_MS);
	t->changed(t);
}

static void load_is_over(struct trial *t)
{
	if (t->way->is_alive)
		hear_pushes(t);
	else
		trial_finish(t);
}

/* More frames and octets than many a network lets pass before it has had enough. */
void trial_load(struct trial *t)
{
	if (!way_is_websocket(t->channel.way)) {
		t->way->is_alive = t->way->came > 0;
		hear_pushes(t);
		return;
	}
	t->step = TRIAL_LOADING;
	t->way->is_alive = false;
	trial_wait(t, trial_patience(t));
	for (unsigned i = 0; i < TRIAL_LOAD && !t->channel.is_over; i++) {
		if (t->way->came > 0) {
			t->way->sent++;
			trial_say(t, talk_echo, TALK_FIRST + t->questions + i, LOAD_OCTETS);
		}
		if (i % 4 == 3 && channel_ping(&t->channel))
			t->way->asked++;
	}
	t->changed(t);
}

void trial_load_came(struct trial *t)
{
	const struct way_facts *w = t->way;

	if (w->answered == w->asked && (w->came == 0 || t->loaded == TRIAL_LOAD)) {
		t->way->is_alive = true;
		load_is_over(t);
	} else {
		trial_wait(t, trial_patience(t));
	}
}

/* What is missing is lost if the last ping has come back, for it was behind. */
void trial_load_is_late(struct trial *t)
{
	t->way->is_alive = t->way->answered == t->way->asked;
	load_is_over(t);
}

/* --- pushes --------------------------------------------------------------------------------- */

void trial_pushed(struct trial *t, long long at_ms)
{
	long long late = (long long)clock_now() - at_ms;

	if (t->step != TRIAL_HEARING || at_ms < 0 || at_ms > (1LL << 40))
		return;
	if (t->way->pushes++ == 0)
		t->quickest = t->latest = late;
	t->quickest = late < t->quickest ? late : t->quickest;
	t->latest = late > t->latest ? late : t->latest;
	t->way->push_late_ms = (int)(t->latest - t->quickest);
	if (t->way->pushes == t->way->pushed)
		trial_finish(t);
}
