/*
 * server/meter.c - a client that sends more than its endpoint allows is read more slowly
 * (max_messages_per_second, max_bytes_per_second).
 *
 * What came is always delivered; then its input waits until it owes nothing any more. A WebSocket
 * is not read meanwhile, a request not answered, so it is the client who waits, as with an
 * application that has paused. The buckets are charged where messages are handed to the
 * application, by a callback that only sessions with a limit have: others pay nothing.
 */
#include <errno.h>

#include "base/mem.h"
#include "server/server_private.h"

bool meter_is_wanted(const struct server_endpoint *ep)
{
	return ep->options.max_messages_per_second || ep->options.max_bytes_per_second;
}

static struct timer_wheel *wheel_of(const struct sockjs_session *s)
{
	return loop_timers(s->base.reactor->loop);
}

static void on_paid(struct timer *t)
{
	struct session_meter *meter = container_of(t, struct session_meter, timer);

	session_let_go_on(&meter->owner->base);
}

int meter_start(struct sockjs_session *s)
{
	struct session_extra *extra = session_extra(s);
	struct session_meter *meter = extra ? mem_zalloc(sizeof(*meter)) : NULL;

	if (!meter)
		return -ENOMEM;
	meter->owner = s;
	timer_init(&meter->timer, on_paid);
	extra->meter = meter;
	return 0;
}

/* How long this rate makes it wait. */
static uint64_t owed(struct bucket *b, uint64_t per_second, uint64_t n, uint64_t now)
{
	return per_second ? bucket_charge(b, per_second, n, now) : 0;
}

void meter_charge(struct sockjs_session *s, size_t n)
{
	const struct endpoint_options *o = &s->endpoint->options;
	struct session_meter *meter = s->extra->meter;
	uint64_t now = loop_now(s->base.reactor->loop),
	         messages = owed(&meter->messages, o->max_messages_per_second, 1, now),
	         bytes = owed(&meter->bytes, o->max_bytes_per_second, n, now),
	         wait = messages > bytes ? messages : bytes;

	if (wait == 0 || !session_is_open(&s->base))
		return;
	session_hold_back(&s->base);
	timer_start(wheel_of(s), &meter->timer, wait);
}

void meter_stop(struct session_extra *extra)
{
	if (!extra || !extra->meter)
		return;
	if (timer_is_active(&extra->meter->timer))
		timer_stop(wheel_of(extra->owner), &extra->meter->timer);
	mem_free(extra->meter);
	extra->meter = NULL;
}
