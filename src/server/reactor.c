/*
 * server/reactor.c - one thread of the server: its loop, HTTP side, sessions and
 * listeners; and how it comes to an end.
 *
 * Everything is made and freed in the thread that calls sockjs_server_run(), before
 * the others start and after they have ended; in between each reactor is touched by
 * its own thread only, and by mail.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/api.h"
#include "server/dashboard.h"
#include "server/proxied.h"
#include "server/turn.h"
#include "transports/tcp.h"

#define DRAIN_TICK_MS 20
#define PACED_TICK_MS 50
#define LIMIT_TICK_MS 100
#define LOG_TICK_MS   1000
#define LAST_TURNS    4

struct reactor_listener {
	struct listen_socket *socket; /* the server made it for us */
	struct listener *listener;
	const struct server_listener *from;
	struct reactor *reactor;
};

/* --- accepting ---------------------------------------------------------- */

/* Connections this reactor has, whatever they are doing. */
static uint64_t connections(const struct reactor *r)
{
	const struct http_counters *http = http_server_counters(r->base.http);

	return http->connections + http->lingering + r->base.sessions.counters.receivers +
	       r->proxied_count;
}

/* Its share of what all reactors may have together, but at least one, for the kernel does not ask who
 * has room when it picks a listener. */
static uint64_t share_of(const struct reactor *r, uint64_t all)
{
	uint64_t n = r->server->reactor_count, share = all / n + (r->index < all % n);

	return share ? share : 1;
}

static uint64_t connection_limit(const struct reactor *r)
{
	return share_of(r, r->server->options.server.limit_connections);
}

/* Operators may come at any time. (And the internal listener is in one reactor alone.) */
static void pause_listeners(struct reactor *r)
{
	for (size_t i = 0; i < r->listener_count; i++)
		if (r->listeners[i].listener && !r->listeners[i].from->is_internal)
			listener_pause(r->listeners[i].listener);
}

static void turn_away(struct reactor *r, const struct reactor_listener *rl, int fd,
    const struct addr *peer, enum http_refusal why, uint64_t limit)
{
	http_refused(r->base.http, why, peer, HTTP_REFUSED_FIELDS(LOG_INT("limit", limit)));
	if (rl->from->endpoint)
		close(fd); /* who does not speak HTTP is told nothing */
	else
		http_server_turn_away(r->base.http, fd, rl->from->tls != NULL);
}

/* Whether there is a place for one more connection of this address. A proxy speaks for many, and
 * operators are not limited. */
static bool admit(struct reactor *r, const struct reactor_listener *rl, int fd,
    const struct addr *peer, struct quota_row **visitor)
{
	const struct sockjs_server *server = r->server;
	const struct server_options *o = &server->options.server;

	*visitor = NULL;
	if (rl->from->tls && !rl->from->is_internal && !tls_has_room(server)) {
		turn_away(r, rl, fd, peer, HTTP_REFUSED_TLS_HANDSHAKES, o->limit_tls_handshakes);
		return false;
	}
	if (!server->visitors || rl->from->is_internal || http_trusts(&server->trust, peer))
		return true;
	switch (visitor_enter(server->visitors, peer, VISITOR_CONNECTION, visitor)) {
	case QUOTA_TOO_MANY:
		turn_away(r, rl, fd, peer, HTTP_REFUSED_CONNECTIONS_PER_ADDRESS,
		    o->limit_connections_per_address);
		return false;
	case QUOTA_TOO_FAST:
		turn_away(r, rl, fd, peer, HTTP_REFUSED_CONNECTION_RATE,
		    o->limit_connection_rate_per_address);
		return false;
	case QUOTA_NO_MEMORY:
		turn_away(r, rl, fd, peer, HTTP_REFUSED_NO_MEMORY, 0);
		return false;
	case QUOTA_GRANTED:
		break;
	}
	return true;
}

static void serve(struct reactor *r, const struct reactor_listener *rl, int fd,
    const struct addr *peer, struct quota_row *visitor)
{
	const struct server_listener *from = rl->from;
	struct tls_context *tls = from->tls ? tls_server_take(from->tls) : NULL;
	struct tcp_arrival arrival = {
		.fd = fd,
		.peer = *peer,
		.tls = tls,
		.tls_timeout_ms = r->server->http_limits.header_timeout_ms,
		.visitor = visitor,
	};

	if (from->endpoint)
		tcp_serve(&r->base, &from->endpoint->base, &arrival);
	else
		http_server_add(r->base.http, fd, peer, tls, from, visitor);
	tls_context_free(tls);
}

void reactor_admit(struct reactor *r, const struct reactor_listener *rl, int fd,
    const struct addr *client)
{
	struct quota_row *visitor;

	if (admit(r, rl, fd, client, &visitor))
		serve(r, rl, fd, client, visitor);
}

static void wait_with_others(struct reactor *r, uint64_t ms)
{
	pause_listeners(r);
	timer_start(loop_timers(r->loop), &r->limit_timer, ms);
}

/* How many milliseconds others have to wait behind this one; 0: they need not. */
static uint64_t count_arrival(struct reactor *r)
{
	uint64_t rate = r->server->options.server.limit_connection_rate;

	return rate ? bucket_charge(&r->arrivals, share_of(r, rate), 1, loop_now(r->loop)) : 0;
}

static void limit_arrivals(struct reactor *r)
{
	uint64_t wait = count_arrival(r);

	if (timer_is_active(&r->limit_timer))
		return;
	if (connections(r) >= connection_limit(r)) {
		log_warn_limited("limits.connections is reached; new connections wait",
		    LOG_INT("reactor", r->index), LOG_INT("limit", connection_limit(r)));
		wait_with_others(r, LIMIT_TICK_MS);
	} else if (wait > 0) {
		log_warn_limited("limits.connection_rate is reached; new connections wait",
		    LOG_INT("reactor", r->index), LOG_INT("milliseconds", wait));
		wait_with_others(r, wait);
	}
}

static void on_accept(struct listener *l, int fd, const struct addr *peer, void *arg)
{
	struct reactor_listener *rl = arg;
	struct reactor *r = rl->reactor;

	(void)l;
	if (rl->from->is_proxied)
		proxied_wait(r, rl, fd, peer);
	else
		reactor_admit(r, rl, fd, peer);
	if (!rl->from->is_internal)
		limit_arrivals(r);
}

static void on_limit_timer(struct timer *t)
{
	struct reactor *r = container_of(t, struct reactor, limit_timer);

	if (connections(r) >= connection_limit(r)) {
		timer_start(loop_timers(r->loop), t, LIMIT_TICK_MS);
		return;
	}
	for (size_t i = 0; i < r->listener_count; i++)
		if (r->listeners[i].listener)
			listener_resume(r->listeners[i].listener);
}

static int add_listener(
    struct reactor *r, struct reactor_listener *rl, const struct server_listener *from)
{
	if (r->index >= from->socket_count)
		return 0; /* the internal address is reactor 0's alone */
	rl->socket = &from->sockets[r->index];
	rl->from = from;
	rl->reactor = r;
	return listener_new(&rl->listener, r->loop, rl->socket, on_accept, rl);
}

static int add_listeners(struct reactor *r)
{
	const struct sockjs_server *server = r->server;
	int err = 0;

	r->listeners = mem_zalloc(
	    (server->listener_count ? server->listener_count : 1) * sizeof(*r->listeners));
	if (!r->listeners)
		return -ENOMEM;
	for (size_t i = 0; i < server->listener_count && err == 0; i++) {
		r->listener_count = i + 1;
		err = add_listener(r, &r->listeners[i], server->listeners[i]);
	}
	return err;
}

static void close_listeners(struct reactor *r)
{
	for (size_t i = 0; i < r->listener_count; i++) {
		struct reactor_listener *rl = &r->listeners[i];

		listener_free(rl->listener);
		rl->listener = NULL;
		if (rl->socket && rl->socket->fd >= 0) {
			listen_socket_close(rl->socket, r->index == 0);
			rl->socket->fd = -1;
		}
	}
}

/* --- draining ----------------------------------------------------------- */

static void stop_loop(struct reactor *r)
{
	r->drained = true;
	loop_stop(r->loop);
}

/* Nobody is served any more but those who are here. */
static void let_nobody_in(struct reactor *r)
{
	if (r->is_shut)
		return;
	r->is_shut = true;
	timer_stop(loop_timers(r->loop), &r->limit_timer);
	close_listeners(r);
	proxied_end_all(r);
	http_server_drain(r->base.http);
	tcp_drain(&r->base);
}

/* A client that polls comes by a new request for what it is still to get, and over whichever
 * reactor: as long as there are sessions anywhere, all doors stay open. */
static bool are_sessions_gone(struct reactor *r)
{
	if (session_reactor_drain(&r->base.sessions) && !r->is_empty) {
		r->is_empty = true;
		atomic_fetch_add(&r->server->empty_reactors, 1);
	}
	return atomic_load(&r->server->empty_reactors) == r->server->reactor_count;
}

static bool are_apps_busy(const struct sockjs_server *server)
{
	for (size_t i = 0; i < server->endpoint_count; i++) {
		const struct server_endpoint *ep = server->endpoints[i];

		if (ep->callbacks.busy && ep->callbacks.busy(ep->app))
			return true;
	}
	return false;
}

/* Closes what is open (again, for what came late) and looks whether anybody is still being served.
 */
static void drain_finally(struct reactor *r)
{
	bool is_over;

	if (r->drain_deadline == 0)
		r->drain_deadline =
		    loop_now(r->loop) + r->server->options.server.shutdown_timeout_ms;
	is_over = loop_now(r->loop) >= r->drain_deadline;
	if (are_sessions_gone(r) || is_over)
		let_nobody_in(r);
	if (is_over || (r->is_shut && connections(r) == 0 && !are_apps_busy(r->server)))
		stop_loop(r);
	else
		timer_start(loop_timers(r->loop), &r->drain_timer, DRAIN_TICK_MS);
}

/* Sessions are closed in small batches, picked at random, so that their clients do not come back
 * all at once wherever they go. */
static void on_drain_timer(struct timer *t)
{
	struct reactor *r = container_of(t, struct reactor, drain_timer);
	uint64_t now = loop_now(r->loop), left;

	/* With nobody to be sent away there is nothing to be slow about. The delay before is for
	 * those who send newcomers. */
	if (now >= r->paced_until || (now >= r->paced_from && server_sessions(r->server) == 0)) {
		r->paced_until = 0;
		drain_finally(r);
		return;
	}
	left = (r->paced_until - now) / PACED_TICK_MS + 1;
	if (now >= r->paced_from)
		session_reactor_close_some(&r->base.sessions, UINT32_MAX / (uint32_t)left);
	timer_start(loop_timers(r->loop), t, PACED_TICK_MS);
}

/* First of all newcomers go elsewhere: /readyz fails, /info and new sessions are answered with 503.
 */
static void start_drain(struct reactor *r)
{
	const struct server_options *o = &r->server->options.server;

	r->draining = true;
	r->base.sessions.draining = true;
	r->paced_from = loop_now(r->loop) + o->drain_delay_ms;
	r->paced_until = r->paced_from + o->drain_ms;
	if (r->paced_until > loop_now(r->loop))
		timer_start(loop_timers(r->loop), &r->drain_timer, 1);
	else
		drain_finally(r);
}

/* --- the log ------------------------------------------------------------- */

/* In the thread that has just left out a line: in a second it says how many there were. */
static void on_line_left_out(void)
{
	struct reactor *r = reactor_current();

	if (r && !timer_is_active(&r->log_timer))
		timer_start(loop_timers(r->loop), &r->log_timer, LOG_TICK_MS);
}

static void on_log_timer(struct timer *t)
{
	struct reactor *r = container_of(t, struct reactor, log_timer);

	if (!log_tell_suppressed(false))
		timer_start(loop_timers(r->loop), t, LOG_TICK_MS);
}

/* --- life --------------------------------------------------------------- */

/* Without it all is the same, only slower. */
static void use_io_uring(struct reactor *r)
{
	int err;

	if (server_avoids_io_uring(r->server))
		return;
	if ((err = stream_batch_new(&r->sends, r->loop)) < 0)
		log_debug("sends go one by one: no io_uring", LOG_ERR(err));
}

int reactor_new(struct reactor **out, struct sockjs_server *server, unsigned index)
{
	struct reactor *r = mem_zalloc(sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->server = server;
	r->index = index;
	list_init(&r->laters);
	list_init(&r->proxied);
	timer_init(&r->drain_timer, on_drain_timer);
	timer_init(&r->limit_timer, on_limit_timer);
	timer_init(&r->log_timer, on_log_timer);
	log_set_suppressed_hook(on_line_left_out);
	err = loop_new(&r->loop);
	if (err < 0) {
		mem_free(r);
		return err;
	}
	use_io_uring(r);
	transport_reactor_init(&r->base, r->loop);
	subprotocols_init(r);
	err =
	    http_server_new(&r->base.http, r->loop, &server->http_limits, &server->http_handler, r);
	if (err == 0)
		err = add_listeners(r);
	if (err == 0)
		err = turns_begin(r);
	if (err == 0) {
		memory_watch(r);
		tls_watch(r);
	}
	if (err < 0) {
		reactor_free(r);
		return err;
	}
	*out = r;
	return 0;
}

void reactor_free(struct reactor *r)
{
	if (!r)
		return;
	close_listeners(r);
	proxied_end_all(r);
	mem_free(r->listeners);
	http_server_free(r->base.http);
	transport_reactor_fini(&r->base);
	map_fini(&r->subprotocols);
	session_ids_fini(&r->session_ids);
	stream_batch_free(r->sends);
	loop_free(r->loop);
	mem_free(r);
}

/* All reactors have stopped to work for each other: what they sent last is delivered, and what is
 * left ends. */
static void finish(struct reactor *r)
{
	proxied_end_all(r);
	pthread_barrier_wait(&r->server->finished);
	for (int i = 0; i < LAST_TURNS; i++)
		loop_turn(r->loop, 0);
	pthread_barrier_wait(&r->server->finished);
	timer_stop(loop_timers(r->loop), &r->drain_timer);
	timer_stop(loop_timers(r->loop), &r->limit_timer);
	timer_stop(loop_timers(r->loop), &r->memory_timer);
	timer_stop(loop_timers(r->loop), &r->tls_timer);
	timer_stop(loop_timers(r->loop), &r->log_timer);
	if (r->index == 0) {
		dashboard_stop(r->server->dashboard);
		if (r->server->api)
			api_abort(r->server->api);
	}
	session_reactor_abort(&r->base.sessions);
	http_server_free(r->base.http);
	r->base.http = NULL;
	transport_reactor_abort(&r->base); /* among them those whose sessions have let go of them */
	for (int i = 0; i < LAST_TURNS; i++)
		loop_turn(r->loop, 0);
	later_abort(r);
	turns_end(r);
}

void reactor_run(struct reactor *r)
{
	transport_reactor_set_current(&r->base);
	if (r->index == 0)
		dashboard_start(r->server->dashboard);
	while (!r->drained) {
		unsigned stops = atomic_load(&r->server->stops);

		if (r->index == 0 && r->server->on_wake)
			r->server->on_wake(r->server->wake_arg);
		if (stops >= 2)
			break;
		if (stops == 1 && !r->draining)
			start_drain(r);
		loop_run(r->loop);
	}
	close_listeners(r);
	finish(r);
	transport_reactor_set_current(NULL);
}
