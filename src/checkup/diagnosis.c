/*
 * checkup/diagnosis.c - what is wrong, and what can be done about it; see diagnosis.h.
 *
 * Each cause has its own test, which knows nothing of the others; the order of CAUSES() does the
 * rest.
 */
#include "checkup/diagnosis.h"

#include "checkup/advice.h"

static const char *const words[] = {
#define CAUSE_WORD(name, word) word,
	CAUSES(CAUSE_WORD)
#undef CAUSE_WORD
};

const char *cause_word(enum cause cause)
{
	return words[cause];
}

/* --- WebSockets ---------------------------------------------------------------------------- */

enum websocket {
	WS_UNTRIED,
	WS_WORKS,
	WS_REFUSED,
	WS_HANGS,
	WS_SILENT,
	WS_ONE_WAY,
	WS_BLACK,
	WS_ENDED /* while it was in use */
};

/* After it was open: what was asked, and what came of it. A pong proves that a frame went there and
 * came back; a lost echo counts where others are echoed, for not every service is an echo. */
static enum websocket of_traffic(const struct facts *f, const struct way_facts *w)
{
	bool never = w->answered == 0 && w->came == 0;

	if (w->failure.fate == FATE_GOODBYE)
		return WS_WORKS; /* it is the server that has said so */
	if (w->failure.fate != FATE_NONE)
		return WS_ENDED;
	if (never)
		return w->heard_alone ? WS_ONE_WAY : WS_BLACK;
	if (!w->is_alive)
		return WS_BLACK;
	return f->is_echo && w->came < w->sent ? WS_ONE_WAY : WS_WORKS;
}

static enum websocket websocket_of(const struct facts *f, enum way way)
{
	const struct way_facts *w = &f->way[way];

	if (!w->is_tried || w->failure.fate == FATE_OURS)
		return WS_UNTRIED;
	if (w->is_open)
		return of_traffic(f, w);
	if (w->failure.fate != FATE_TIMEOUT)
		return WS_REFUSED;
	return w->answer.status == 101 ? WS_SILENT : WS_HANGS;
}

/* That with SockJS says more than the bare one: it is spoken to first. */
static bool websocket_is(const struct facts *f, enum websocket state)
{
	enum websocket sockjs = websocket_of(f, WAY_WEBSOCKET);

	return (sockjs == WS_UNTRIED ? websocket_of(f, WAY_RAW) : sockjs) == state;
}

/* --- HTTP ---------------------------------------------------------------------------------- */

/* What opened at once, and was not an echo to anybody, may have had nothing to say. */
static bool is_held(const struct facts *f, const struct way_facts *w)
{
	return w->flow > FLOW_AT_ONCE && (f->is_echo || !w->is_open || w->came > 0);
}

static bool was_closed(const struct way_facts *w)
{
	return w->failure.fate == FATE_GOODBYE;
}

bool way_works(const struct facts *f, enum way way)
{
	const struct way_facts *w = &f->way[way];

	if (!w->is_tried || !w->is_open || w->send_failure.fate != FATE_NONE)
		return false;
	if (way_is_websocket(way))
		return websocket_of(f, way) == WS_WORKS && w->came + w->answered > 0;
	return !is_held(f, w) && w->failure.fate == FATE_NONE && (w->came > 0 || !f->is_echo);
}

static bool any_way(const struct facts *f, bool (*test)(const struct way_facts *w))
{
	for (int i = WAY_XHR_STREAMING; i < WAYS; i++)
		if (f->way[i].is_tried && test(&f->way[i]))
			return true;
	return false;
}

static bool has_delivered(const struct way_facts *w)
{
	return w->delivered > 0;
}

static bool has_lost_send(const struct way_facts *w)
{
	return w->is_open && w->send_failure.fate == FATE_STATUS && w->send_failure.status == 404;
}

static bool has_refused_send(const struct way_facts *w)
{
	return w->is_open && w->send_failure.fate != FATE_NONE && !has_lost_send(w);
}

static bool has_opened(const struct way_facts *w)
{
	return w->is_open;
}

/* --- causes -------------------------------------------------------------------------------- */

static bool is_unreachable(const struct facts *f)
{
	return f->reach.fate != FATE_NONE;
}

static bool is_origin_rewritten(const struct facts *f)
{
	return f->refuses_origin;
}

static bool is_info_unreachable(const struct facts *f)
{
	return f->info.failure.fate != FATE_NONE;
}

/* Whatever has a body is refused: sends, and the transports that begin with a POST. */
static bool is_post_refused(const struct facts *f)
{
	return !any_way(f, has_delivered) &&
	       (any_way(f, has_refused_send) ||
	           (f->way[WAY_XHR].is_tried && f->way[WAY_XHR].failure.fate == FATE_STATUS &&
	               f->way[WAY_XHR_STREAMING].failure.fate == FATE_STATUS &&
	               any_way(f, has_opened)));
}

static bool is_websocket_black(const struct facts *f)
{
	return websocket_is(f, WS_BLACK);
}

static bool is_websocket_one_way(const struct facts *f)
{
	return websocket_is(f, WS_ONE_WAY);
}

static bool is_idle(const struct facts *f, bool is_silent)
{
	for (size_t i = 0; i < IDLE_KINDS; i++)
		if (f->idle[i].cut_s != FACT_UNKNOWN && f->idle[i].age_s == FACT_UNKNOWN &&
		    f->idle[i].is_silent == is_silent)
			return true;
	return false;
}

static bool is_idle_silent(const struct facts *f)
{
	return is_idle(f, true);
}

static bool is_idle_cut(const struct facts *f)
{
	return is_idle(f, false);
}

static bool is_cut_by_octets(const struct facts *f)
{
	return websocket_is(f, WS_ENDED) && f->way[WAY_WEBSOCKET].cut_octets > 0;
}

static bool is_cut_by_age(const struct facts *f)
{
	for (size_t i = 0; i < IDLE_KINDS; i++)
		if (f->idle[i].age_s != FACT_UNKNOWN)
			return true;
	return websocket_is(f, WS_ENDED) && f->way[WAY_WEBSOCKET].cut_octets == 0;
}

static bool is_websocket_silent(const struct facts *f)
{
	return websocket_is(f, WS_SILENT);
}

static bool is_streams_held(const struct facts *f)
{
	for (int i = WAY_XHR_STREAMING; i <= WAY_HTMLFILE; i++)
		if (f->way[i].is_tried && is_held(f, &f->way[i]))
			return true;
	return false;
}

static bool is_late(const struct way_facts *w)
{
	return w->flow == FLOW_AT_ONCE && w->lag_ms >= LATE_MS;
}

/* Where all is far, and late by that, polls are as late as streams. */
static bool is_streams_late(const struct facts *f)
{
	const struct way_facts *poll = &f->way[WAY_XHR];

	return any_way(f, is_late) && (poll->lag_ms == FACT_UNKNOWN || poll->lag_ms < LATE_MS);
}

static bool is_upgrade_hanging(const struct facts *f)
{
	return websocket_is(f, WS_HANGS);
}

static bool is_upgrade_refused(const struct facts *f)
{
	return websocket_is(f, WS_REFUSED);
}

/* A server that has never heard of the session answers so: another one has it. */
static bool is_sessions_lost(const struct facts *f)
{
	return any_way(f, has_lost_send) && !any_way(f, has_delivered) && !any_way(f, was_closed) &&
	       !was_closed(&f->way[WAY_WEBSOCKET]);
}

static bool is_streams_refused(const struct facts *f)
{
	for (int i = WAY_XHR_STREAMING; i < WAYS; i++) {
		const struct way_facts *w = &f->way[i];

		if (w->is_tried && !w->is_open && !is_held(f, w) && w->failure.fate != FATE_NONE &&
		    w->failure.fate != FATE_OURS)
			return true;
	}
	return false;
}

static bool is_far(const struct facts *f)
{
	return f->rtt_ms >= FAR_MS;
}

static bool is_unclear(const struct facts *f)
{
	for (int i = 0; i < WAYS; i++)
		if (way_works(f, (enum way)i))
			return false;
	return true;
}

static bool is_ok(const struct facts *f)
{
	(void)f;
	return true;
}

static bool (*const tests[CAUSE_COUNT])(const struct facts *) = {
	[CAUSE_UNREACHABLE] = is_unreachable,
	[CAUSE_INFO_UNREACHABLE] = is_info_unreachable,
	[CAUSE_ORIGIN_REWRITTEN] = is_origin_rewritten,
	[CAUSE_POST_REFUSED] = is_post_refused,
	[CAUSE_WEBSOCKET_BLACK] = is_websocket_black,
	[CAUSE_WEBSOCKET_ONE_WAY] = is_websocket_one_way,
	[CAUSE_IDLE_SILENT] = is_idle_silent,
	[CAUSE_CUT_BY_OCTETS] = is_cut_by_octets,
	[CAUSE_CUT_BY_AGE] = is_cut_by_age,
	[CAUSE_IDLE_CUT] = is_idle_cut,
	[CAUSE_WEBSOCKET_SILENT] = is_websocket_silent,
	[CAUSE_STREAMS_HELD] = is_streams_held,
	[CAUSE_STREAMS_LATE] = is_streams_late,
	[CAUSE_UPGRADE_HANGS] = is_upgrade_hanging,
	[CAUSE_UPGRADE_REFUSED] = is_upgrade_refused,
	[CAUSE_SESSIONS_LOST] = is_sessions_lost,
	[CAUSE_STREAMS_REFUSED] = is_streams_refused,
	[CAUSE_FAR] = is_far,
	[CAUSE_UNCLEAR] = is_unclear,
	[CAUSE_OK] = is_ok,
};

/* What follows from another cause is none of its own. */
static bool follows(const struct diagnosis *d, enum cause cause)
{
	if (d->count == 0)
		return false;
	switch (d->causes[0]) {
	case CAUSE_UNREACHABLE:
		return true;
	case CAUSE_ORIGIN_REWRITTEN:
		return cause == CAUSE_INFO_UNREACHABLE || cause == CAUSE_POST_REFUSED ||
		       cause == CAUSE_UPGRADE_REFUSED || cause == CAUSE_STREAMS_REFUSED ||
		       cause >= CAUSE_UNCLEAR;
	case CAUSE_POST_REFUSED:
		return cause == CAUSE_STREAMS_REFUSED || cause >= CAUSE_UNCLEAR;
	default:
		return cause == CAUSE_OK || (cause == CAUSE_UNCLEAR && d->causes[0] != CAUSE_FAR);
	}
}

/* --- all of it ----------------------------------------------------------------------------- */

/* In the order of sockjs-client. */
static int best_of(const struct facts *f)
{
	static const enum way order[] = { WAY_WEBSOCKET, WAY_XHR_STREAMING, WAY_EVENTSOURCE,
		WAY_HTMLFILE, WAY_XHR, WAY_JSONP };

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (way_works(f, order[i]))
			return (int)order[i];
	return -1;
}

struct diagnosis diagnose(const struct facts *f)
{
	struct diagnosis d = { .best = best_of(f) };

	for (int i = 0; i < CAUSE_COUNT; i++)
		if (tests[i](f) && !follows(&d, (enum cause)i))
			d.causes[d.count++] = (enum cause)i;
	d.for_user = advice_for_user(d.causes[0], d.best);
	d.for_administrator = advice_for_administrator(d.causes[0]);
	return d;
}
