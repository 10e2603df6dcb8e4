/*
 * server/reactor.c - one thread of the server: its loop, HTTP side and sessions; and how it comes to
 * an end. reactor_listen.c lets connections in.
 *
 * Everything is made and freed in the thread that calls sockjs_server_run(), before
 * the others start and after they have ended; in between each reactor is touched by
 * its own thread only, and by mail.
 */
#include <errno.h>
#include <signal.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/api.h"
#include "server/dashboard.h"
#include "server/peers.h"
#include "server/proxied.h"
#include "server/restart.h"
#include "server/turn.h"
#include "transports/tcp.h"

#define DRAIN_TICK_MS 20
#define PACED_TICK_MS 50
#define LOG_TICK_MS   1000
#define LAST_TURNS    4

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
	reactor_close_listeners(r);
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

static bool are_apps_busy(const struct reactor *r)
{
	const struct server_config *config = r->config;
	const struct server_host *host = &r->server->host;

	for (size_t i = 0; i < config->endpoint_count; i++) {
		const struct server_endpoint *ep = config->endpoints[i];

		if (ep->callbacks.busy && ep->callbacks.busy(ep->app))
			return true;
	}
	return host->busy && host->busy(host->arg);
}

/* Closes what is open (again, for what came late) and looks whether anybody is still being served.
 */
static void drain_finally(struct reactor *r)
{
	bool is_over;

	if (r->drain_deadline == 0)
		r->drain_deadline =
		    loop_now(r->loop) + r->config->options.server.shutdown_timeout_ms;
	is_over = loop_now(r->loop) >= r->drain_deadline;
	if (are_sessions_gone(r) || is_over)
		let_nobody_in(r);
	if (is_over || (r->is_shut && reactor_connections(r) == 0 && !are_apps_busy(r)))
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
	const struct server_options *o = &r->config->options.server;

	r->draining = true;
	if (r->index == 0)
		restart_cancel(r->server);
	if (r->peers && r->index == 0)
		cluster_drain(r->server->joined->cluster);
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
	r->config = server_config_ref(server->config);
	r->index = index;
	list_init(&r->turns);
	list_init(&r->laters);
	list_init(&r->proxied);
	timer_init(&r->drain_timer, on_drain_timer);
	reactor_listen_init(r);
	timer_init(&r->log_timer, on_log_timer);
	log_set_suppressed_hook(on_line_left_out);
	err = loop_new(&r->loop);
	if (err < 0) {
		server_config_unref(r->config);
		mem_free(r);
		return err;
	}
	use_io_uring(r);
	transport_reactor_init(&r->base, r->loop);
	names_init(r);
	err =
	    http_server_new(&r->base.http, r->loop, &r->config->http_limits,
	    reactor_handler(r->config), r);
	if (err == 0)
		err = reactor_listen(r);
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
	reactor_close_listeners(r);
	proxied_end_all(r);
	http_server_free(r->base.http);
	transport_reactor_fini(&r->base);
	map_fini(&r->names);
	session_ids_fini(&r->session_ids);
	stream_batch_free(r->sends);
	loop_free(r->loop);
	server_config_unref(r->config);
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
		api_abort(r->server->api);
	}
	session_reactor_abort(&r->base.sessions);
	if (r->peers)
		cluster_end(r->peers);
	http_server_free(r->base.http);
	r->base.http = NULL;
	transport_reactor_abort(&r->base); /* among them those whose sessions have let go of them */
	for (int i = 0; i < LAST_TURNS; i++)
		loop_turn(r->loop, 0);
	endpoints_end(r->config);
	later_abort(r);
	turns_end(r);
}

void reactor_run(struct reactor *r)
{
	transport_reactor_set_current(&r->base);
	loop_enter(r->loop);
	if (r->peers)
		cluster_begin(r->peers);
	endpoints_begin(r->config, NULL);
	if (r->index == 0)
		dashboard_start(r);
	if (restart_take(r) < 0)
		return;
	while (!r->drained) {
		unsigned stops = atomic_load(&r->server->stops);

		if (r->index == 0 && r->server->on_wake)
			r->server->on_wake(r->server->wake_arg);
		if (stops >= 2)
			break;
		if (stops == 1 && !r->draining)
			start_drain(r);
		loop_run(r->loop);
		if (restart_stops(r->server) && restart_stand_still(r))
			return;
	}
	reactor_close_listeners(r);
	finish(r);
	transport_reactor_set_current(NULL);
}
