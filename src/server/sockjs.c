/*
 * server/sockjs.c - a session as its application sees it: closing, pausing, its timer,
 * what is known of it (include/sockjs.h).
 */
#include <errno.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "server/server_private.h"

const char *sockjs_version(void)
{
	return SOCKJS_VERSION;
}

/* --- closing --------------------------------------------------------------- */

bool close_code_is_allowed(unsigned code)
{
	return code == 1000 ||
	       (code >= 1001 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

const char *close_reason_cut(const char *reason, char out[124])
{
	size_t n = reason ? strlen(reason) : 0;

	if (n >= 124) {
		n = 123;
		while (n > 0 && ((unsigned char)reason[n] & 0xc0) == 0x80)
			n--; /* not in the middle of a character */
	}
	if (n)
		memcpy(out, reason, n);
	out[n] = '\0';
	return reason && utf8_is_valid(out, n) ? out : NULL;
}

void sockjs_close(struct sockjs_session *s, unsigned code, const char *reason)
{
	char text[124];

	session_close(&s->base, close_code_is_allowed(code) ? code : CLOSE_NORMAL,
	    close_reason_cut(reason, text));
}

void sockjs_pause(struct sockjs_session *s)
{
	session_pause(&s->base);
}

void sockjs_resume(struct sockjs_session *s)
{
	session_resume(&s->base);
}

void sockjs_fail_sends(struct sockjs_session *s, int on)
{
	session_fail_sends(&s->base, on != 0);
}

/* --- its timer, and what few sessions have ----------------------------------- */

static void on_user_timer(struct timer *t)
{
	struct session_extra *extra = container_of(t, struct session_extra, timer);
	struct sockjs_session *s = extra->owner;

	if (session_is_open(&s->base) && s->endpoint->callbacks.timer)
		s->endpoint->callbacks.timer(s, s->endpoint->app);
}

struct session_extra *session_extra(struct sockjs_session *s)
{
	struct session_extra *extra = s->extra;

	if (extra)
		return extra;
	extra = mem_zalloc(sizeof(*extra));
	if (!extra)
		return NULL;
	extra->owner = s;
	timer_init(&extra->timer, on_user_timer);
	s->extra = extra;
	return extra;
}

int sockjs_set_timer(struct sockjs_session *s, unsigned ms)
{
	struct timer_wheel *wheel = loop_timers(s->base.reactor->loop);
	struct session_extra *extra;

	if (ms == 0 && !s->extra)
		return 0;
	extra = session_extra(s);
	if (!extra)
		return -ENOMEM;
	timer_stop(wheel, &extra->timer);
	if (ms)
		timer_start(wheel, &extra->timer, ms);
	return 0;
}

/* --- what is known of it --------------------------------------------------- */

void *sockjs_user(const struct sockjs_session *s)
{
	return s->user;
}

void sockjs_set_user(struct sockjs_session *s, void *user)
{
	s->user = user;
}

unsigned long long sockjs_id(const struct sockjs_session *s)
{
	return s->base.id;
}

const char *sockjs_transport(const struct sockjs_session *s)
{
	return s->base.transport;
}

const char *sockjs_subprotocol(const struct sockjs_session *s)
{
	return s->extra ? s->extra->subprotocol : NULL;
}

const char *sockjs_remote(const struct sockjs_session *s)
{
	static _Thread_local char text[ADDR_TEXT_MAX];

	return addr_print(&s->client, false, text);
}

unsigned long sockjs_heard_ago(const struct sockjs_session *s)
{
	return session_heard_ago(&s->base);
}

unsigned long sockjs_said_ago(const struct sockjs_session *s)
{
	return (unsigned long)session_said_ago(&s->base);
}

void sockjs_set_heartbeat(struct sockjs_session *s, unsigned every_ms)
{
	session_set_heartbeat(
	    &s->base, every_ms == 0 || every_ms > s->base.limits->heartbeat_delay_ms);
}

size_t sockjs_buffered(const struct sockjs_session *s)
{
	return session_buffered(&s->base);
}

int sockjs_delivery(const struct sockjs_session *s, struct sockjs_delivery *d)
{
	struct session_delivery known;

	*d = (struct sockjs_delivery){ 0 };
	if (!s->base.reported)
		return -EBUSY;
	session_delivery(&s->base, &known);
	d->accepted = known.accepted;
	d->sent = known.sent;
	d->acknowledged = known.acknowledged;
	d->confirmed = known.confirmed;
	return 0;
}
