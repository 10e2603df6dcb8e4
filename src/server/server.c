/*
 * server/server.c - a server's endpoints; start and stop (include/sockjs.h).
 */
#include <errno.h>
#include <signal.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/internal.h"
#include "server/api.h"
#include "server/peers.h"
#include "server/restart.h"

/* --- endpoints ---------------------------------------------------------- */

int sockjs_server_add(struct sockjs_server *server, const char *prefix,
    const struct sockjs_callbacks *callbacks, void *app, const struct sockjs_options *o)
{
	const struct endpoint_wish wish = {
		.prefix = prefix,
		.callbacks = callbacks,
		.app = app,
		.options = o,
	};

	if (server->started)
		return server_fail(
		    server, -EBUSY, "endpoints cannot be added to a server that runs");
	return server_config_add_endpoint(server->config, &wish, NULL);
}

/* --- running ------------------------------------------------------------ */

static void *thread_main(void *arg)
{
	struct reactor *r = arg;
	bool cancelled;

	pthread_mutex_lock(&r->server->gate);
	cancelled = r->server->cancelled;
	pthread_mutex_unlock(&r->server->gate);
	if (!cancelled)
		reactor_run(r);
	return NULL;
}

static int make_reactors(struct sockjs_server *server)
{
	int err = 0;

	server->reactors = mem_zalloc(server->reactor_count * sizeof(*server->reactors));
	if (!server->reactors)
		return -ENOMEM;
	for (unsigned i = 0; i < server->reactor_count && err == 0; i++)
		err = reactor_new(&server->reactors[i], server, i);
	return err;
}

/* Signals are for the caller's thread: a handler there may call sockjs_server_stop(). As few
 * threads as there are could not meet at the barrier, so none begins before all are there. */
static int start_threads(struct sockjs_server *server)
{
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_mutex_lock(&server->gate);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 1; i < server->reactor_count && err == 0; i++) {
		struct reactor *r = server->reactors[i];

		err = -pthread_create(&r->thread, NULL, thread_main, r);
		r->has_thread = err == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	server->cancelled = err < 0;
	pthread_mutex_unlock(&server->gate);
	return err;
}

static void join_threads(struct sockjs_server *server)
{
	for (unsigned i = 1; i < server->reactor_count; i++)
		if (server->reactors[i]->has_thread)
			pthread_join(server->reactors[i]->thread, NULL);
}

static int prepare(struct sockjs_server *server)
{
	char why[256];
	int err = http_server_check_library(why, sizeof(why));

	if (err < 0)
		return server_fail(server, err, "%s", why);
	err = server_config_open_logs(server->config, NULL);
	if (err < 0)
		return err;
	err = make_reactors(server);
	if (err < 0)
		return server_fail(server, err, "cannot start a reactor: %s", strerror(-err));
	return peers_attach(server);
}

int sockjs_server_run(struct sockjs_server *server)
{
	int err;

	if (server->started)
		return server_fail(server, -EBUSY, "a server runs once");
	if (server->config->listener_count == 0)
		return server_fail(server, -EINVAL,
		    "there is no address to listen on: call sockjs_server_listen() first");
	err = prepare(server);
	if (err < 0) {
		server_free_reactors(server);
		return err;
	}
	pthread_barrier_init(&server->finished, NULL, server->reactor_count);
	server->began_at = time(NULL);
	server->started = true;
	pthread_mutex_init(&server->gate, NULL);
	err = start_threads(server);
	if (err < 0)
		server_fail(server, err, "cannot start a thread: %s", strerror(-err));
	else
		reactor_run(server->reactors[0]);
	join_threads(server);
	if (err == 0 && restart_is_over(server)) {
		restart_carry(server);
		return SOCKJS_HANDED_OVER;
	}
	if (err == 0)
		err = restart_in_error(server);
	atomic_store(&server->ended, true);
	log_tell_suppressed(true);
	pthread_mutex_destroy(&server->gate);
	pthread_barrier_destroy(&server->finished);
	return err;
}

unsigned long long server_session_count(const struct sockjs_server *server)
{
	return server_sessions(server);
}

unsigned server_reactors(const struct sockjs_server *server)
{
	return server->reactor_count;
}

void server_on_wake(struct sockjs_server *server, void (*fn)(void *arg), void *arg)
{
	server->on_wake = fn;
	server->wake_arg = arg;
}

void server_wake(struct sockjs_server *server)
{
	if (server->started)
		loop_stop(server->reactors[0]->loop);
}

void server_count_reload(struct sockjs_server *server, bool is_done)
{
	server->reloads[is_done]++;
	server->is_reload_failed = !is_done;
	if (is_done)
		server->reloaded_at = time(NULL);
}

void server_set_host(struct sockjs_server *server, const struct server_host *host)
{
	server->host = *host;
}

static void wake_all(struct sockjs_server *server)
{
	for (unsigned i = 0; server->started && i < server->reactor_count; i++)
		loop_stop(server->reactors[i]->loop);
}

void sockjs_server_stop(struct sockjs_server *server)
{
	atomic_fetch_add(&server->stops, 1);
	wake_all(server);
}

/* A signal may come at any moment, and together they must not be the two that stop at once. */
bool server_begin_stop(struct sockjs_server *server)
{
	unsigned none = 0;

	if (!atomic_compare_exchange_strong(&server->stops, &none, 1))
		return false;
	wake_all(server);
	return true;
}
