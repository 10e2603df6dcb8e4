/*
 * tests/handover/pulse.c - see pulse.h.
 */
#include "handover/pulse.h"

#include <stdbool.h>
#include <time.h>

static struct pulse restart, otherwise;
static int64_t began, over, last;
static bool is_resting = true;

int64_t pulse_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void lengthen(int64_t *longest, int64_t time)
{
	*longest = time > *longest ? time : *longest;
}

static bool is_of_restart(int64_t from)
{
	return began > 0 && (over == 0 || from <= over);
}

void pulse_heard(int64_t due)
{
	int64_t now = pulse_now();
	struct pulse *p = is_of_restart(last) ? &restart : &otherwise;

	if (last > 0 && !is_resting)
		lengthen(&p->still, now - last);
	last = now;
	if (due <= 0)
		return;
	p = is_of_restart(due) ? &restart : &otherwise;
	lengthen(&p->silence, now - due);
	p->answers++;
}

void pulse_rest(bool is_wanted)
{
	is_resting = is_wanted;
	last = 0;
}

void pulse_restart_begins(void)
{
	began = pulse_now();
	over = 0;
	restart = (struct pulse){ .silence = 0 };
}

void pulse_restart_ends(void)
{
	over = pulse_now();
}

struct pulse pulse_of_restart(void)
{
	return restart;
}

struct pulse pulse_otherwise(void)
{
	return otherwise;
}
