/*
 * tests/handover/echoers.c - sessions that want back what they have sent: each message once, in order.
 *
 * A few of them are slow: they stop reading for a while, with many messages under way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handover/later.h"
#include "handover/population.h"
#include "handover/pulse.h"
#include "handover/text.h"
#include "wire/conn.h"

enum { WINDOW = 4, SLOW_WINDOW = 200, SLOW_ONE_IN = 64, DEAF_MS = 1500, SOURCES = 64 };

struct echoer {
	struct channel *c;
	unsigned k, who; /* the latter in its messages */
	unsigned due, sent, got;
	unsigned measured_from; /* messages before it are no measure: something was held up */
	int64_t due_at[WINDOW]; /* of those that are under way or wait, if that is less */
	int64_t turn;           /* who is slow hears again, or no longer */
	bool is_slow, is_in, is_over, is_leaving;
};

static const struct channel_target *target;
static const enum wire *wires;
static unsigned wire_count, count;
static struct echoer *all;

static void populate(
    const struct channel_target *at, unsigned n, const enum wire *of, unsigned of_count)
{
	target = at;
	wires = of;
	wire_count = of_count;
	count = n;
	all = must_have(calloc(n, sizeof(*all)));
}

/* --- what comes ----------------------------------------------------------------------------- */

static void go_on(struct echoer *e);

static void on_opened(struct channel *c)
{
	struct echoer *e = c->owner;

	e->is_in = true;
	findings.in++;
}

static bool is_measured(const struct echoer *e)
{
	return !e->is_slow && !e->c->is_cut && e->c->cut == 0 && e->got >= e->measured_from;
}

static void on_message(struct channel *c, const char *text, size_t n)
{
	struct echoer *e = c->owner;

	pulse_heard(is_measured(e) ? e->due_at[e->got % WINDOW] : 0);
	e->got = findings_message(e->k, c, text, n, e->who, e->got);
	go_on(e);
}

static void on_ended(struct channel *c, unsigned code, const char *why)
{
	struct echoer *e = c->owner;

	e->is_over = true;
	if (e->is_leaving && code == 1000) {
		findings.left++;
		return;
	}
	findings.ended++;
	complain(e->k, c, "ended: %u %s; %u messages sent, %u came back", code, why, e->sent, e->got);
}

static void on_lost(struct channel *c)
{
	struct echoer *e = c->owner;

	findings.cut_off++;
	complain(e->k, c, "a connection has ended, though nothing was under way");
}

static const struct channel_events events = { on_opened, on_message, on_ended, on_lost };

static void begin(unsigned k)
{
	struct echoer *e = &all[k];

	e->k = k;
	e->is_slow = k % SLOW_ONE_IN == SLOW_ONE_IN / 2;
	e->who = k | (e->is_slow ? TEXT_LONG : 0);
	peers_are_narrow = e->is_slow;
	e->c = channel_new(target, wires[k % wire_count], k % SOURCES, &events, e);
	peers_are_narrow = false;
}

/* --- what is said ----------------------------------------------------------------------------- */

static void release(void *of, const char *nothing)
{
	struct echoer *e = of;

	(void)nothing;
	e->c->cut = 0;
	e->measured_from = e->sent;
	channel_release(e->c);
}

static void go_on(struct echoer *e)
{
	unsigned window = e->is_slow ? SLOW_WINDOW : WINDOW;
	char text[TEXT_MAX];

	while (!e->is_over && e->sent < e->due && e->sent - e->got < window) {
		maybe_cut(e->c, release, e);
		channel_send(e->c, text, text_write(text, e->who, e->sent));
		e->sent++;
	}
}

/* Who is far behind is not asked for more: what he waits for tells how long that is. */
static void say(unsigned k, int64_t due)
{
	struct echoer *e = &all[k];
	unsigned more = e->is_slow ? 16 : 1;

	if (e->is_over || (!e->is_slow && e->due - e->got >= WINDOW))
		return;
	e->due_at[e->due % WINDOW] = due;
	e->due += more;
	go_on(e);
}

static void turn(int64_t now)
{
	for (unsigned k = SLOW_ONE_IN / 2; k < count; k += SLOW_ONE_IN) {
		struct echoer *e = &all[k];

		if (!e->is_in || e->is_over || e->is_leaving || now < e->turn)
			continue;
		channel_set_deaf(e->c, !e->c->is_deaf && e->got < e->due);
		e->turn = now + DEAF_MS;
	}
}

/* --- the end ----------------------------------------------------------------------------------- */

static bool is_quiet(unsigned k)
{
	const struct echoer *e = &all[k];

	return e->is_over || (e->is_in && e->got == e->due && channel_is_quiet(e->c));
}

static void describe(unsigned k, char *out, size_t size)
{
	const struct echoer *e = &all[k];

	snprintf(out, size, "%u messages were due, %u are sent, %u have come back%s%s%s", e->due, e->sent,
	    e->got, e->is_slow ? ", it is slow" : "", e->c->is_sending ? ", a send has no answer" : "",
	    e->c->is_cut ? ", something is held up" : "");
}

static const struct channel *channel(unsigned k)
{
	return all[k].c;
}

static void leave(unsigned k)
{
	struct echoer *e = &all[k];

	if (e->is_over)
		return;
	e->is_leaving = true;
	channel_leave(e->c);
	if (!e->c->is_over)
		return;
	e->is_over = true;
	findings.left++;
}

static void discard(void)
{
	for (unsigned k = 0; k < count; k++)
		if (all[k].c)
			channel_free(all[k].c);
	free(all);
}

const struct population echoers = { populate, begin, say, turn, is_quiet, describe, channel, leave, discard,
	false };
