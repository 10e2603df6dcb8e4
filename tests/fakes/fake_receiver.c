/*
 * fakes/fake_receiver.c - see fake_receiver.h.
 */
#include "fakes/fake_receiver.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "net/stream.h"
#include "session/session.h"

static struct fake_receiver *of(struct receiver *base)
{
	return container_of(base, struct fake_receiver, base);
}

static void note(struct fake_receiver *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void note(struct fake_receiver *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	r->len += (size_t)vsnprintf(r->said + r->len, sizeof(r->said) - r->len, format, ap);
	va_end(ap);
	ck_assert_uint_lt(r->len, sizeof(r->said));
}

static enum recv_status outcome(const struct fake_receiver *r)
{
	ck_assert_uint_eq(r->aborts + r->closes, 0); /* nothing is said after the end */
	if (r->broken)
		return RECV_GONE;
	return !r->polling ? RECV_MORE : r->arriving ? RECV_ARRIVING : RECV_DONE;
}

static enum recv_status fake_open(struct receiver *base)
{
	note(of(base), "o");
	return outcome(of(base));
}

static enum recv_status fake_heartbeat(struct receiver *base)
{
	note(of(base), "h");
	return outcome(of(base));
}

static enum recv_status fake_messages(
    struct receiver *base, struct message *const *messages, size_t count)
{
	struct fake_receiver *r = of(base);

	ck_assert_uint_gt(count, 0);
	r->frames++;
	for (size_t i = 0; i < count; i++) {
		int n =
		    messages[i]->len < 32 ? (int)messages[i]->len : 32; /* the beginning will do */

		note(r, "%s%.*s", i ? "," : "a[", n, messages[i]->data);
		if (!r->broken)
			r->written += messages[i]->len;
		if (r->clogged)
			r->queued += messages[i]->len;
	}
	note(r, "]");
	if (r->broken)
		session_settle(base->session);
	return outcome(r);
}

static enum recv_status fake_ask(struct receiver *base)
{
	struct fake_receiver *r = of(base);

	r->asked++;
	return r->ends_when_asked ? RECV_DONE : outcome(r);
}

/* Only who is asked for one has to give a sign. */
static enum recv_status fake_prove(struct receiver *base)
{
	note(of(base), "?");
	return outcome(of(base));
}

static void fake_close(struct receiver *base, unsigned code, const char *reason)
{
	struct fake_receiver *r = of(base);

	ck_assert_ptr_null(base->session);
	ck_assert_uint_eq(r->aborts + r->closes, 0);
	note(r, "c[%u,%s]", code, reason);
	r->closes++;
}

static void fake_refuse(struct receiver *base, const struct session *by, unsigned status,
    unsigned retry_after, const char *reason)
{
	struct fake_receiver *r = of(base);

	ck_assert_ptr_nonnull(by);
	ck_assert_ptr_null(base->session);
	ck_assert_uint_eq(r->len, 0); /* in place of o */
	note(r, "%u %s", status, reason);
	if (retry_after)
		note(r, " [%u s]", retry_after);
	r->closes++;
}

static void fake_abort(struct receiver *base)
{
	ck_assert_ptr_null(base->session);
	of(base)->aborts++;
}

static size_t fake_buffered(const struct receiver *base)
{
	return container_of(base, const struct fake_receiver, base)->queued;
}

static uint64_t fake_progress(const struct receiver *base)
{
	const struct fake_receiver *r = container_of(base, const struct fake_receiver, base);

	return r->acknowledged - r->queued;
}

static void fake_pause(struct receiver *base, bool paused)
{
	of(base)->paused = paused;
}

static size_t fake_unacked(const struct receiver *base)
{
	const struct fake_receiver *r = container_of(base, const struct fake_receiver, base);

	return r->queued + r->unacked;
}

static uint32_t fake_written(const struct receiver *base)
{
	return container_of(base, const struct fake_receiver, base)->written;
}

static void fake_measure(struct receiver *base, struct stream_reach *reach)
{
	struct fake_receiver *r = of(base);

	r->measured++;
	*reach = (struct stream_reach){
		.written = r->written,
		.sent = r->written - (uint32_t)r->queued,
		.acked = r->written - (uint32_t)(r->queued + r->unacked),
		.is_known = !r->blind,
	};
}

static const char *fake_transport(const struct receiver *base)
{
	return container_of(base, const struct fake_receiver, base)->transport;
}

static const struct receiver_ops fake_ops = {
	.open = fake_open,
	.messages = fake_messages,
	.heartbeat = fake_heartbeat,
	.ask = fake_ask,
	.prove = fake_prove,
	.close = fake_close,
	.refuse = fake_refuse,
	.abort = fake_abort,
	.buffered = fake_buffered,
	.progress = fake_progress,
	.unacked = fake_unacked,
	.written = fake_written,
	.measure = fake_measure,
	.transport = fake_transport,
	.pause = fake_pause,
};

void fake_receiver_init(struct fake_receiver *r)
{
	memset(r, 0, sizeof(*r));
	r->base.ops = &fake_ops;
	r->paused = -1;
	r->transport = "xhr_streaming";
}

void fake_receiver_init_polling(struct fake_receiver *r)
{
	fake_receiver_init(r);
	r->polling = true;
	r->transport = "xhr";
}

void fake_receiver_drain(struct fake_receiver *r, size_t left)
{
	ck_assert_uint_le(left, r->queued);
	r->queued = left;
	if (left == 0 && r->base.session)
		session_writable(r->base.session);
}
