/*
 * net/connector.c - keeps one connection to one of several servers; see connector.h.
 *
 * A round is one attempt at each server. Those that have failed in it are marked, so the next one
 * is the first behind the last that is not; when there is none the round is over. Marks are wiped
 * when the next round begins, not when the wait does: so a server that is new in the list is the
 * only one that a wait which it cuts short is followed by.
 *
 * Who reports a failure has first gone on to what comes next, for the owner may do what it likes
 * with a connector that calls it. Sentences are copied before, since they lie in what goes.
 *
 * Owns: the connection, until it is handed over. The list is connector_servers.c.
 */
#include "net/connector_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"

enum { WHY_BYTES = 200 };

static void next_address(struct connector *c);
static void dial_first(struct connector *c);

/* --- what is under way ends --------------------------------------------------------- */

static void drop_stream(struct connector *c)
{
	stream_close(&c->stream);
	stream_init_empty(&c->stream);
}

static void stop_attempt(struct connector *c)
{
	timer_stop(loop_timers(c->loop), &c->timer);
	if (c->dialling)
		dial_cancel(&c->dial);
	if (c->resolving)
		resolution_cancel(&c->resolution);
	c->dialling = c->resolving = false;
	c->addr = NULL;
	drop_stream(c);
}

/* --- rounds ------------------------------------------------------------------------- */

static unsigned time_left(const struct connector *c)
{
	uint64_t now = loop_now(c->loop);

	return c->deadline > now ? (unsigned)(c->deadline - now) : 1;
}

/* Of several addresses one may be silent, and so may a name server: then there must be time for
 * what else can be tried. */
static void start_patience(struct connector *c)
{
	unsigned left = time_left(c);
	bool has_more = c->addresses > 0 || (c->resolving && c->at->known.count > 0);

	timer_start(loop_timers(c->loop), &c->timer, has_more ? (left + 1) / 2 : left);
}

static uint64_t some_of(uint64_t delay)
{
	return delay - random_u64() % (delay / 2 + 1);
}

static void wait(struct connector *c)
{
	const struct connector_settings *s = c->settings;
	uint64_t delay = some_of(c->delay_ms);

	c->state = CONNECTOR_WAITING;
	c->deadline = loop_now(c->loop) + delay;
	c->delay_ms = 2 * c->delay_ms < s->retry_max_ms ? 2 * c->delay_ms : s->retry_max_ms;
	if (!list_empty(&c->places))
		timer_start(loop_timers(c->loop), &c->timer, delay);
}

static void on_dialled(struct dial *d, struct stream *s, int err);
static void on_resolved(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl_seconds);

static void try_place(struct connector *c, struct connector_place *place)
{
	const struct connector_server *s = &place->server;

	if (c->at != place)
		connector_leave_place(c);
	c->at = place;
	c->state = CONNECTOR_CONNECTING;
	c->deadline = loop_now(c->loop) + c->settings->connect_timeout_ms;
	c->addresses = 0;
	c->dialling = s->path != NULL;
	c->resolving = !s->path && place->known.until <= loop_now(c->loop);
	start_patience(c);
	if (c->dialling)
		dial_start_unix(&c->dial, c->loop, s->path, time_left(c), on_dialled);
	else if (c->resolving)
		resolver_start(c->resolver, &c->resolution, s->host, s->port, on_resolved);
	else
		dial_first(c);
}

static bool has_tried_enough(const struct connector *c)
{
	return c->attempts >= CONNECTOR_SERVERS_MAX;
}

static void go_on(struct connector *c)
{
	struct connector_place *place = connector_next_place(c);

	if (!place || has_tried_enough(c)) {
		wait(c);
		return;
	}
	c->attempts++;
	try_place(c, place);
}

static void next_round(struct connector *c)
{
	timer_stop(loop_timers(c->loop), &c->timer);
	connector_mark_all(c, false);
	c->attempts = 0;
	go_on(c);
}

/* --- failures ----------------------------------------------------------------------- */

struct failure {
	char server[CONNECTOR_NAME_BYTES], why[WHY_BYTES];
};

static void note(struct failure *f, const struct connector *c, const char *why)
{
	char text[ADDR_TEXT_MAX];
	const char *from = c->addr ? addr_print(c->addr, false, text) : "";

	if (c->addr && strcmp(from, c->at->server.host) == 0)
		from = "";
	snprintf(f->server, sizeof(f->server), "%s", c->at->name);
	snprintf(f->why, sizeof(f->why), "%s%s%s", from, from[0] ? ": " : "", why);
}

static void server_failed(struct connector *c, const char *why)
{
	struct failure f;

	note(&f, c, why);
	stop_attempt(c);
	c->at->has_failed = true;
	go_on(c);
	c->on->failed(c, f.server, f.why);
}

/* Descriptors, ports or memory are out here: no other server is better, now. */
static void we_failed(struct connector *c, int err)
{
	connector_mark_all(c, true);
	server_failed(c, strerror(-err));
}

/* Of one address; the next, if its name has more. */
static void address_failed(struct connector *c, const char *why)
{
	struct failure f;

	if (c->addresses == 0 || loop_now(c->loop) >= c->deadline) {
		c->at->known.until = 0; /* perhaps it has moved */
		server_failed(c, why);
		return;
	}
	note(&f, c, why);
	stop_attempt(c);
	next_address(c);
	c->on->failed(c, f.server, f.why);
}

static void on_timer(struct timer *t)
{
	struct connector *c = container_of(t, struct connector, timer);

	if (c->state == CONNECTOR_WAITING) {
		next_round(c);
	} else if (c->resolving &&
	           addresses_keep_stale(&c->at->known, -ETIMEDOUT, loop_now(c->loop))) {
		stop_attempt(c);
		dial_first(c);
	} else {
		address_failed(c, c->resolving ? "its name was not resolved in time"
		                               : "it did not answer in time");
	}
}

/* --- connecting --------------------------------------------------------------------- */

static void hand_over(struct connector *c)
{
	timer_stop(loop_timers(c->loop), &c->timer);
	c->addr = NULL;
	c->state = CONNECTOR_CONNECTED;
	c->is_well = false;
	c->on->connected(c, &c->stream);
	if (c->state == CONNECTOR_CONNECTED && stream_is_open(&c->stream))
		connector_lost(c);
}

static void on_tls(struct stream *s, int err)
{
	struct connector *c = container_of(s, struct connector, stream);
	char why[WHY_BYTES];

	if (err == 0) {
		hand_over(c);
		return;
	}
	snprintf(
	    why, sizeof(why), "TLS: %s", stream_tls_why(s)[0] ? stream_tls_why(s) : strerror(-err));
	address_failed(c, why);
}

static void on_hangup(struct stream *s, int err)
{
	address_failed(container_of(s, struct connector, stream), strerror(-err));
}

/* While TLS shakes hands nothing else is called. */
static const struct stream_events stream_events = { .hangup = on_hangup };

static void on_dialled(struct dial *d, struct stream *s, int err)
{
	struct connector *c = container_of(d, struct connector, dial);
	const struct connector_server *server = &c->at->server;

	c->dialling = false;
	if (err < 0 && dial_is_our_own(err)) {
		we_failed(c, err);
	} else if (err < 0) {
		address_failed(c, strerror(-err));
	} else {
		stream_move(&c->stream, s, c->loop, &stream_events);
		if (!server->tls)
			hand_over(c);
		else if ((err = stream_tls_connect(
		              &c->stream, server->tls, server->tls_host, on_tls)) < 0)
			we_failed(c, err);
	}
}

static void next_address(struct connector *c)
{
	c->addresses--;
	c->dialling = true;
	c->addr = addresses_next(&c->at->known);
	start_patience(c);
	dial_start(&c->dial, c->loop, c->addr, time_left(c), on_dialled);
}

static void dial_first(struct connector *c)
{
	c->addresses = c->at->known.count;
	next_address(c);
}

static void on_resolved(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl_seconds)
{
	struct connector *c = container_of(r, struct connector, resolution);
	struct known_addresses *known = &c->at->known;
	uint64_t now = loop_now(c->loop);

	c->resolving = false;
	if (err == 0)
		addresses_take(known, addrs, n, ttl_seconds, now);
	if (err == 0 || addresses_keep_stale(known, err, now))
		dial_first(c);
	else if (dial_is_our_own(err))
		we_failed(c, err);
	else
		server_failed(c, resolution_why(r));
}

/* --- what the owner says ------------------------------------------------------------ */

void connector_start(struct connector *c)
{
	if (c->state != CONNECTOR_STOPPED)
		return;
	c->delay_ms = c->settings->retry_ms;
	next_round(c);
}

void connector_stop(struct connector *c)
{
	if (!c->loop)
		return;
	stop_attempt(c);
	connector_leave_place(c);
	c->state = CONNECTOR_STOPPED;
}

void connector_well(struct connector *c)
{
	if (c->state != CONNECTOR_CONNECTED)
		return;
	c->is_well = true;
	c->attempts = 0;
	c->delay_ms = c->settings->retry_ms;
	connector_mark_all(c, false);
}

void connector_lost(struct connector *c)
{
	if (c->state != CONNECTOR_CONNECTED)
		return;
	drop_stream(c);
	if (c->is_well) {
		connector_mark_all(c, true);
		wait(c);
	} else {
		c->at->has_failed = true;
		go_on(c);
	}
}

void connector_try_now(struct connector *c)
{
	if (c->state == CONNECTOR_WAITING && !list_empty(&c->places))
		next_round(c);
}

const struct connector_server *connector_server(const struct connector *c)
{
	return c->state >= CONNECTOR_CONNECTING ? &c->at->server : NULL;
}

const char *connector_name(const struct connector *c)
{
	return c->state >= CONNECTOR_CONNECTING ? c->at->name : "";
}

uint64_t connector_retry_in(const struct connector *c)
{
	return c->state == CONNECTOR_WAITING && !list_empty(&c->places) ? time_left(c) : 0;
}

/* An attempt at a server that is not listed any more is given up. */
void connector_settle(struct connector *c, bool has_new)
{
	bool is_strange = c->at && !c->at->is_listed;

	if (c->state == CONNECTOR_CONNECTING && is_strange) {
		stop_attempt(c);
		go_on(c);
	} else if (c->state == CONNECTOR_WAITING && has_new && !has_tried_enough(c)) {
		timer_stop(loop_timers(c->loop), &c->timer);
		go_on(c);
	}
}

/* --- life --------------------------------------------------------------------------- */

void connector_init(struct connector *c, struct loop *loop, struct resolver *resolver,
    const struct connector_settings *settings, const struct connector_events *on)
{
	*c = (struct connector){
		.loop = loop,
		.resolver = resolver,
		.settings = settings,
		.on = on,
	};
	list_init(&c->places);
	stream_init_empty(&c->stream);
	timer_init(&c->timer, on_timer);
}

void connector_fini(struct connector *c)
{
	if (!c->loop)
		return;
	connector_stop(c);
	connector_drop_places(c);
	c->loop = NULL;
}
