/*
 * upstream/upstream.c - the application "upstream": in front of any WebSocket
 * application, one connection to it for each session; see upstream_conn.h.
 *
 * What is here: what an endpoint has, and its callbacks.
 */
#include "upstream/upstream.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/options.h"
#include "server/saved.h"
#include "upstream/upstream_command.h"
#include "upstream/upstream_conn.h"
#include "upstream/upstream_introduce.h"
#include "upstream/upstream_metrics.h"

#define REACTORS_MAX 1024 /* as many reactors as there can be */

struct upstream {
	struct sockjs_server *server;
	struct upstream_settings settings;
	struct sockjs_options options; /* a copy */
	pthread_mutex_t lock;          /* for adding a reactor's share */
	atomic_uint reactor_count;
	atomic_bool has_checks; /* somebody has begun them */
	struct upstream_reactor *reactors[REACTORS_MAX];
};

/* --- a reactor's share ------------------------------------------------------------------ */

static struct upstream_reactor *find_reactor(struct upstream *u)
{
	struct loop *loop = loop_current();
	unsigned n = atomic_load_explicit(&u->reactor_count, memory_order_acquire);

	for (unsigned i = 0; i < n; i++)
		if (u->reactors[i]->loop == loop)
			return u->reactors[i];
	return NULL;
}

static struct upstream_reactor *add_reactor(struct upstream *u)
{
	struct upstream_reactor *reactor = mem_alloc(sizeof(*reactor));
	unsigned n;

	if (!reactor || upstream_reactor_init(reactor, &u->settings) < 0) {
		mem_free(reactor);
		return NULL;
	}
	pthread_mutex_lock(&u->lock);
	n = atomic_load_explicit(&u->reactor_count, memory_order_relaxed);
	u->reactors[n] = reactor;
	atomic_store_explicit(&u->reactor_count, n + 1, memory_order_release);
	pthread_mutex_unlock(&u->lock);
	return reactor;
}

static struct upstream_reactor *get_reactor(struct upstream *u)
{
	struct upstream_reactor *reactor = find_reactor(u);

	return reactor ? reactor : add_reactor(u);
}

/* --- the session's callbacks ------------------------------------------------------------ */

static int on_handshake(struct sockjs_handshake *h, void *state)
{
	const struct upstream *u = state;
	struct upstream_request *r;

	if (!upstream_offers_well(h))
		return 400;
	r = upstream_introduce(&u->options.upstream, h);
	if (!r)
		return 503;
	sockjs_handshake_set_user(h, r);
	return SOCKJS_LATER;
}

static void on_connecting(struct sockjs_session *s, void *state)
{
	struct upstream *u = state;
	struct upstream_reactor *reactor = get_reactor(u);
	struct upstream_request *r = sockjs_user(s);
	struct upstream_conn *uc;

	if (reactor)
		uc = upstream_conn_new(reactor, s, r);
	else
		upstream_request_free(r), uc = NULL;
	sockjs_set_user(s, uc);
	if (!uc)
		sockjs_refuse(s, 503, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *state)
{
	struct upstream_conn *uc = sockjs_user(s);

	(void)state;
	if (uc)
		upstream_conn_send(uc, m);
}

static void on_open(struct sockjs_session *s, void *state)
{
	struct upstream_conn *uc = sockjs_user(s);

	(void)state;
	if (uc)
		upstream_conn_client_open(uc);
}

/* It has room again, or may have. */
static void go_on_reading(struct sockjs_session *s, void *state)
{
	struct upstream_conn *uc = sockjs_user(s);

	(void)state;
	if (uc)
		upstream_conn_client_writable(uc);
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *state)
{
	struct upstream_conn *uc = sockjs_user(s);

	(void)state;
	if (uc)
		upstream_conn_client_closed(uc, code, reason);
}

/* What the backend has not taken, and what of it the client has no room for. */
static size_t on_held(const struct sockjs_session *s, void *state)
{
	const struct upstream_conn *uc = sockjs_user(s);

	(void)state;
	return uc ? upstream_conn_held(uc) : 0;
}

static int is_ready(void *state)
{
	struct upstream *u = state;

	return !balancer_is_down(&u->settings.balancer, clock_now());
}

static void part_here(void *arg)
{
	struct upstream_reactor *reactor = find_reactor(*(struct upstream **)arg);

	if (reactor)
		upstream_reactor_part(reactor);
}

static void on_command(struct sockjs_command *c, void *state)
{
	struct upstream *u = state;
	int err;

	if (!upstream_command(c, &u->settings.balancer, clock_now()))
		return;
	err = sockjs_reactor_spread(u->server, (unsigned)sockjs_reactor(u->server), NULL, part_here,
	    NULL, &u, sizeof(struct upstream *));
	if (err < 0)
		log_error("sessions of an upstream cannot be closed", LOG_ERR(err));
}

static void on_metrics(struct sockjs_metrics *m, void *state)
{
	const struct upstream *u = state;

	if (sockjs_reactor(u->server) == 0)
		upstream_metrics(m, &u->settings.balancer, clock_now());
}

/* One reactor checks for all: the first that comes. */
static void on_begin(void *state)
{
	struct upstream *u = state;
	struct upstream_reactor *reactor;
	int err;

	if (!u->settings.checks.is_on || atomic_exchange(&u->has_checks, true))
		return;
	reactor = add_reactor(u);
	err = reactor ? upstream_reactor_check(reactor) : -ENOMEM;
	if (err < 0)
		log_error("upstreams are not checked", LOG_ERR(err));
}

bool upstream_is_idle(struct upstream *u)
{
	const struct upstream_reactor *reactor = find_reactor(u);

	return !reactor || upstream_reactor_is_idle(reactor);
}

static void on_end(void *state)
{
	struct upstream_reactor *reactor = find_reactor(state);

	if (reactor)
		upstream_reactor_fini(reactor);
}

/* --- for another process ---------------------------------------------------------------- */

/* How the backends do is known to all reactors: one of them says it. */
static void backends_snapshot(struct upstream *u, struct snapshot *s)
{
	bool is_mine = !s->is_reading && sockjs_reactor(u->server) == 0;

	if (snapshot_bool(s, is_mine))
		balancer_snapshot(&u->settings.balancer, s, u->settings.checks.is_on, clock_now());
}

static void share_snapshot(struct upstream *u, struct snapshot *s)
{
	struct upstream_reactor *reactor = s->is_reading ? NULL : find_reactor(u);

	if (!snapshot_bool(s, reactor != NULL))
		return;
	if (s->is_reading)
		reactor = get_reactor(u);
	if (reactor)
		upstream_reactor_snapshot(reactor, s);
	else
		snapshot_fail(s, -ENOMEM);
}

static int without_session(struct upstream *u, struct snapshot *s)
{
	if (!snapshot_enter(s, "UPST", 1))
		return snapshot_error(s);
	backends_snapshot(u, s);
	share_snapshot(u, s);
	snapshot_leave(s);
	return snapshot_error(s);
}

static int on_save(struct sockjs_session *s, struct sockjs_saved *to, void *state)
{
	struct upstream_conn *uc = s ? sockjs_user(s) : NULL;

	if (!s)
		return without_session(state, to->snapshot);
	return upstream_conn_snapshot(&uc, to->snapshot, NULL, s);
}

/* What is of another application cannot go on here. */
static int on_restore(struct sockjs_session *s, struct sockjs_saved *from, void *state)
{
	struct upstream *u = state;
	struct upstream_reactor *reactor;
	struct upstream_conn *uc = NULL;
	int err;

	if (!snapshot_follows(from->snapshot, s ? "UPCN" : "UPST"))
		return -ENOENT;
	if (!s)
		return without_session(u, from->snapshot);
	reactor = get_reactor(u);
	if (!reactor)
		return -ENOMEM;
	err = upstream_conn_snapshot(&uc, from->snapshot, reactor, s);
	sockjs_set_user(s, uc);
	return err;
}

const struct sockjs_callbacks upstream_callbacks = {
	.handshake = on_handshake,
	.connecting = on_connecting,
	.open = on_open,
	.message = on_message,
	.writable = go_on_reading,
	.timer = go_on_reading,
	.close = on_close,
	.ready = is_ready,
	.held = on_held,
	.metrics = on_metrics,
	.commands = upstream_commands,
	.command = on_command,
	.begin = on_begin,
	.end = on_end,
	.save = on_save,
	.restore = on_restore,
};

/* --- life ------------------------------------------------------------------------------- */

/* The headers that are forwarded have to be seen. */
static int show_headers(struct sockjs_options *options)
{
	const struct string_list *forward = &options->upstream.forward_headers,
	                         *seen = &options->endpoint.request_headers;
	const char **all = mem_alloc((forward->count + seen->count + 1) * sizeof(*all));
	size_t n = 0;
	int err;

	if (!all)
		return -ENOMEM;
	for (; n < seen->count; n++)
		all[n] = seen->items[n];
	for (size_t i = 0; i < forward->count; i++) {
		size_t j = 0;

		while (j < seen->count && strcasecmp(seen->items[j], forward->items[i]) != 0)
			j++;
		if (j == seen->count)
			all[n++] = forward->items[i];
	}
	err = options_set_list(options, options_find("request_headers"), all, n);
	mem_free(all);
	return err;
}

int upstream_complete(struct sockjs_options *options)
{
	int err = show_headers(options);

	if (err == 0 && options->upstream.forward_path)
		err = options_set(options, options_find("subpaths"), "true");
	return err;
}

int upstream_new(struct upstream **out, struct sockjs_server *server,
    struct sockjs_options *options, char *why, size_t why_size)
{
	struct upstream *u = mem_zalloc(sizeof(*u));
	int err;

	snprintf(why, why_size, "out of memory");
	if (!u)
		return -ENOMEM;
	u->server = server;
	pthread_mutex_init(&u->lock, NULL);
	err = upstream_complete(options);
	if (err == 0)
		err = options_copy(&u->options, options);
	if (err == 0) {
		options_taken(options, OPTION_UPSTREAM);
		err = upstream_settings_init(&u->settings, &u->options, why, why_size);
	}
	if (err < 0) {
		upstream_free(u);
		return err;
	}
	*out = u;
	return 0;
}

/* upstream_settings.c reads them. */
const char *const upstream_copies[] = { "send_buffer_bytes", "websocket.max_fragments",
	"websocket.compression_context_takeover", "websocket.compression_window_bits",
	"websocket.compression_level", "websocket.compression_min_bytes", NULL };

void upstream_succeed(struct upstream *u, struct upstream *before)
{
	balancer_succeed(&u->settings.balancer, &before->settings.balancer);
}

void upstream_set_offered(struct upstream *u, bool is_offered)
{
	atomic_store(&u->settings.balancer.is_withdrawn, !is_offered);
}

void upstream_free(struct upstream *u)
{
	unsigned n = u ? atomic_load(&u->reactor_count) : 0;

	if (!u)
		return;
	for (unsigned i = 0; i < n; i++)
		upstream_reactor_fini(u->reactors[i]);
	upstream_settings_fini(&u->settings);
	for (unsigned i = 0; i < n; i++)
		mem_free(u->reactors[i]);
	options_fini(&u->options);
	pthread_mutex_destroy(&u->lock);
	mem_free(u);
}
