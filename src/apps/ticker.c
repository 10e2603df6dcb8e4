/*
 * apps/ticker.c - says "tick!" once a second, so that a page shows life without
 * anybody typing.
 *
 * When the next one is due is the user data of a session, so that in another process it comes when it would have.
 */
#include "apps/apps.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "apps/kept.h"

#define INTERVAL_MS 1000

/* Milliseconds, modulo 2^32; not 0. */
static uint32_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000) | 1;
}

static int wait_for(struct sockjs_session *s, uint32_t ms)
{
	sockjs_set_user(s, (void *)(uintptr_t)((now() + ms) | 1));
	return sockjs_set_timer(s, ms);
}

static void wait_for_next(struct sockjs_session *s)
{
	if (wait_for(s, INTERVAL_MS) < 0)
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

static int on_save(struct sockjs_session *s, struct sockjs_saved *to, void *state)
{
	uint32_t due = s ? (uint32_t)(uintptr_t)sockjs_user(s) : 0;

	(void)state;
	return kept_put(to, "ticker", &due, sizeof(due));
}

/* 0: it has not opened yet. */
static int on_restore(struct sockjs_session *s, struct sockjs_saved *from, void *state)
{
	uint32_t due, left;

	(void)state;
	if (!kept_get(from, "ticker", &due, sizeof(due)))
		return -ENOENT;
	left = due - now();
	return !s || due == 0 ? 0 : wait_for(s, left > 0 && left <= INTERVAL_MS ? left : 1);
}

static const struct sockjs_callbacks callbacks = {
	.open = on_open,
	.timer = on_timer,
	.save = on_save,
	.restore = on_restore,
};

const struct app ticker_app = {
	.name = "ticker",
	.sentence = "Sends \"tick!\" once a second.",
	.callbacks = &callbacks,
};
