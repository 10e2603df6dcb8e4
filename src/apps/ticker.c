/*
 * apps/ticker.c - says "tick!" once a second, so that a page shows life without
 * anybody typing.
 */
#include "apps/apps.h"

#include <string.h>

#define INTERVAL_MS 1000

static void wait_for_next(struct sockjs_session *s)
{
	if (sockjs_set_timer(s, INTERVAL_MS) < 0)
		sockjs_close(s, 4011, "Out of memory");
}

static void on_open(struct sockjs_session *s, void *state)
{
	(void)state;
	wait_for_next(s);
}

static void on_timer(struct sockjs_session *s, void *state)
{
	static const char tick[] = "tick!";

	(void)state;
	if (sockjs_send(s, tick, strlen(tick)) >= 0)
		wait_for_next(s);
}

static const struct sockjs_callbacks callbacks = { .open = on_open, .timer = on_timer };

const struct app ticker_app = {
	.name = "ticker",
	.sentence = "Sends \"tick!\" once a second.",
	.callbacks = &callbacks,
};
