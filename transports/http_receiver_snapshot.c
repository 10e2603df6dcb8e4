/*
 * transports/http_receiver_snapshot.c - a response that carries SockJS frames, for another process; see
 * transport_snapshot.h.
 *
 * Those that wait for the same request again (HTTP_WAITING) are idle connections to the HTTP layer, and go with it.
 */
#include <errno.h>

#include "base/mem.h"
#include "transports/http_receiver_private.h"
#include "transports/transport_snapshot.h"

static size_t texts_length(const struct http_receiver *r)
{
	return (size_t)r->lines_len + r->callback_len + r->id_len;
}

/* --- its texts ------------------------------------------------------------------------------------- */

/* The lines of its head, its callback, its session's id; and the client's address behind them. */
static void write_texts(const struct http_receiver *r, struct snapshot *s)
{
	struct addr client = { 0 };
	const char *at = r->text;

	snapshot_bytes(s, (struct bytes){ at, r->lines_len });
	snapshot_bytes(s, (struct bytes){ at + r->lines_len, r->callback_len });
	snapshot_bytes(s, (struct bytes){ at + r->lines_len + r->callback_len, r->id_len });
	snapshot_bool(s, r->has_address);
	if (!r->has_address)
		return;
	memcpy(&client, at + texts_length(r), sizeof(client));
	addr_snapshot(s, client);
}

static struct http_receiver *read_texts(struct snapshot *s)
{
	struct bytes none = { NULL, 0 }, lines = snapshot_bytes(s, none),
	             callback = snapshot_bytes(s, none), id = snapshot_bytes(s, none);
	bool has_address = snapshot_bool(s, false);
	struct addr client = { 0 };
	struct http_receiver *r;

	if (has_address)
		client = addr_snapshot(s, client);
	if (!snapshot_check(s, lines.n <= HTTP_HEAD_MAX && callback.n <= CALLBACK_MAX && id.n <= UINT16_MAX))
		return NULL;
	r = mem_zalloc(offsetof(struct http_receiver, text) + lines.n + callback.n + id.n + sizeof(client));
	if (!r) {
		snapshot_fail(s, -ENOMEM);
		return NULL;
	}
	http_receiver_init(r);
	r->lines_len = (uint16_t)lines.n;
	r->callback_len = (uint16_t)callback.n;
	r->id_len = (uint16_t)id.n;
	r->has_address = has_address;
	memcpy(bytes_put(bytes_put(bytes_put(r->text, lines), callback), id), &client, sizeof(client));
	return r;
}

/* --- its state -------------------------------------------------------------------------- */

static void state_snapshot(struct http_receiver *r, struct snapshot *s)
{
	r->phase = (uint8_t)snapshot_below(s, r->phase, HTTP_WAITING);
	r->again.peer = addr_snapshot(s, r->again.peer);
	SNAPSHOT(s, u8, r->again.misses);
	SNAPSHOT(s, bool, r->again.keep_alive);
	SNAPSHOT(s, u64, r->progress); /* or octets framed: they share their place */
	SNAPSHOT(s, u32, r->mark.query);
	SNAPSHOT(s, u32, r->mark.connection);
	SNAPSHOT(s, bool, r->is_1_1);
	SNAPSHOT(s, bool, r->chunked);
	SNAPSHOT(s, bool, r->head_sent);
	SNAPSHOT(s, bool, r->complete);
	SNAPSHOT(s, bool, r->is_whole);
	SNAPSHOT(s, bool, r->is_short);
}

/* Whether a wire of this use is in such a phase, with a timer or without. */
static bool phase_fits(const struct http_receiver *r, enum wire_use use, bool has_timer)
{
	switch ((enum http_phase)r->phase) {
	case HTTP_DETACHED:
	case HTTP_LEAVING:
		return use == WIRE_SPEAKS && !has_timer;
	case HTTP_ARRIVING:
		return use != WIRE_SPEAKS && has_timer;
	case HTTP_FINISHED:
		return use == WIRE_ENDS && has_timer;
	case HTTP_IN_REQUEST:
	case HTTP_WAITING:
		break;
	}
	return false;
}

static bool head_fits(const struct http_receiver *r)
{
	struct http_head head;

	http_wire_make_head(r, &head);
	return !head.is_cut;
}

static void timer_snapshot(struct http_receiver *r, struct snapshot *s, enum wire_use use)
{
	uint64_t now = loop_now(r->reactor->sessions.loop),
	         due = timer_is_active(&r->again.timer) ? r->again.timer.deadline : 0;

	due = snapshot_u64(s, due);
	if (!snapshot_reads(s) || !snapshot_check(s, phase_fits(r, use, due != 0) && head_fits(r)))
		return;
	http_receiver_set_timer(r);
	if (due)
		timer_start(loop_timers(r->reactor->sessions.loop), &r->again.timer,
		    due > now ? due - now : 0);
}

void http_receiver_measure_anew(struct http_receiver *r)
{
	if (r->phase == HTTP_FINISHED)
		r->progress = stream_progress(&r->again.stream);
}

/* --- both directions -------------------------------------------------------------------- */

static void all_snapshot(struct http_receiver *r, struct snapshot *s, enum wire_use use)
{
	state_snapshot(r, s);
	timer_snapshot(r, s, use);
	stream_snapshot(&r->again.stream, s, r->reactor->sessions.loop, &http_receiver_events);
}

static struct http_receiver *receiver_again(
    struct snapshot *s, struct endpoint *e, const struct http_wire *wire)
{
	struct http_receiver *r = read_texts(s);

	if (!r)
		return NULL;
	r->wire = wire;
	r->endpoint = endpoint_ref(e);
	r->reactor = transport_reactor_current();
	r->again.ops = &http_receiver_again_ops;
	r->reactor->sessions.counters.receivers++;
	list_append(&r->reactor->receivers, &r->base.node);
	return r;
}

struct receiver *http_receiver_snapshot(struct receiver *base, struct snapshot *s,
    struct endpoint *e, enum wire_use use, const struct http_wire *wire)
{
	struct http_receiver *r;

	if (base) {
		r = container_of(base, struct http_receiver, base);
		write_texts(r, s);
		all_snapshot(r, s, use);
		return base;
	}
	r = receiver_again(s, e, wire);
	if (!r)
		return NULL;
	all_snapshot(r, s, use);
	if (snapshot_check(s, stream_is_open(&r->again.stream)))
		return &r->base;
	http_receiver_end(r);
	return NULL;
}
