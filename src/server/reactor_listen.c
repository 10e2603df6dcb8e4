/*
 * server/reactor_listen.c - who comes into a reactor: its listeners, whatever configuration they are
 * from; limits on connections; and where those who are let in go.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cluster/cluster.h"
#include "server/proxied.h"
#include "server/server_private.h"
#include "transports/tcp.h"

#define LIMIT_TICK_MS 100

struct reactor_listener {
	struct list node; /* reactor->listeners */
	struct reactor *reactor;
	struct listener *listener;
	struct listen_socket *socket; /* that of its place for us */
	struct server_listener *from; /* as the configuration of the moment has it; held */
};

/* --- accepting ---------------------------------------------------------- */

/* Connections this reactor has, whatever they are doing. */
uint64_t reactor_connections(const struct reactor *r)
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
	return share_of(r, r->config->options.server.limit_connections);
}

/* Operators may come at any time. (And the internal listener is in one reactor alone.) */
static void pause_listeners(struct reactor *r)
{
	struct list *pos;

	list_foreach (pos, &r->listeners) {
		struct reactor_listener *rl = container_of(pos, struct reactor_listener, node);

		if (!rl->from->is_internal)
			listener_pause(rl->listener);
	}
}

static void turn_away(struct reactor *r, const struct server_listener *from, int fd,
    const struct addr *peer, enum http_refusal why, uint64_t limit)
{
	http_refused(r->base.http, why, peer, HTTP_REFUSED_FIELDS(LOG_INT("limit", limit)));
	if (from->endpoint)
		close(fd); /* who does not speak HTTP is told nothing */
	else
		http_server_turn_away(r->base.http, fd, from->tls != NULL);
}

/* Whether there is a place for one more connection of this address. A proxy speaks for many, and
 * operators are not limited. */
static bool admit(struct reactor *r, const struct server_listener *from, int fd,
    const struct addr *peer, struct quota_row **visitor)
{
	const struct server_config *config = r->config;
	const struct server_options *o = &config->options.server;

	*visitor = NULL;
	if (from->tls && !from->is_internal && !tls_has_room(config)) {
		turn_away(r, from, fd, peer, HTTP_REFUSED_TLS_HANDSHAKES, o->limit_tls_handshakes);
		return false;
	}
	if (!config->visitors || from->is_internal || http_trusts(&config->trust, peer) ||
	    (r->peers && cluster_is_gateway(r->peers, peer)))
		return true;
	switch (visitor_enter(
	    config->visitors, peer, config->prefixes, VISITOR_CONNECTION, visitor)) {
	case QUOTA_TOO_MANY:
		turn_away(r, from, fd, peer, HTTP_REFUSED_CONNECTIONS_PER_ADDRESS,
		    o->limit_connections_per_address);
		return false;
	case QUOTA_TOO_FAST:
		turn_away(r, from, fd, peer, HTTP_REFUSED_CONNECTION_RATE,
		    o->limit_connection_rate_per_address);
		return false;
	case QUOTA_NO_MEMORY:
		turn_away(r, from, fd, peer, HTTP_REFUSED_NO_MEMORY, 0);
		return false;
	case QUOTA_GRANTED:
		break;
	}
	return true;
}

static void serve(struct reactor *r, const struct server_listener *from, int fd,
    const struct addr *peer, struct quota_row *visitor)
{
	struct tls_context *tls = from->tls ? tls_server_take(from->tls) : NULL;
	struct tcp_arrival arrival = {
		.fd = fd,
		.peer = *peer,
		.tls = tls,
		.tls_timeout_ms = r->config->http_limits.header_timeout_ms,
		.visitor = visitor,
	};

	if (from->endpoint)
		tcp_serve(&r->base, &from->endpoint->base, &arrival);
	else
		http_server_add(r->base.http, fd, peer, tls,
		    from->is_internal ? &internal_address : NULL, visitor);
	tls_context_free(tls);
}

void reactor_admit(struct reactor *r, const struct server_listener *from, int fd,
    const struct addr *client)
{
	struct quota_row *visitor;

	if (admit(r, from, fd, client, &visitor))
		serve(r, from, fd, client, visitor);
}

static void wait_with_others(struct reactor *r, uint64_t ms)
{
	pause_listeners(r);
	timer_start(loop_timers(r->loop), &r->limit_timer, ms);
}

/* How many milliseconds others have to wait behind this one; 0: they need not. */
static uint64_t count_arrival(struct reactor *r)
{
	uint64_t rate = r->config->options.server.limit_connection_rate;

	return rate ? bucket_charge(&r->arrivals, share_of(r, rate), 1, loop_now(r->loop)) : 0;
}

static void limit_arrivals(struct reactor *r)
{
	uint64_t wait = count_arrival(r);

	if (timer_is_active(&r->limit_timer))
		return;
	if (reactor_connections(r) >= connection_limit(r)) {
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
		proxied_wait(r, rl->from, fd, peer);
	else
		reactor_admit(r, rl->from, fd, peer);
	if (!rl->from->is_internal)
		limit_arrivals(r);
}

void reactor_accept_all(struct reactor *r, const char *address, int fd)
{
	struct server_listener *from = NULL;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr peer;
	int accepted;

	for (size_t i = 0; i < r->config->listener_count && !from; i++)
		if (strcmp(r->config->listeners[i]->place->address, address) == 0)
			from = r->config->listeners[i];
	while (from && (accepted = accept4(fd, (void *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		peer = addr_from_sockaddr((const void *)&sa);
		if (from->is_proxied)
			proxied_wait(r, from, accepted, &peer);
		else
			reactor_admit(r, from, accepted, &peer);
		len = sizeof(sa);
	}
}

static void on_limit_timer(struct timer *t)
{
	struct reactor *r = container_of(t, struct reactor, limit_timer);
	struct list *pos;

	if (reactor_connections(r) >= connection_limit(r)) {
		timer_start(loop_timers(r->loop), t, LIMIT_TICK_MS);
		return;
	}
	list_foreach (pos, &r->listeners)
		listener_resume(container_of(pos, struct reactor_listener, node)->listener);
}

/* --- listeners ---------------------------------------------------------- */

/* In this reactor nobody listens there any more. Who waits to be let in comes in, if it is asked. */
static void remove_listener(struct reactor_listener *rl, bool lets_in)
{
	struct reactor *r = rl->reactor;

	if (lets_in)
		listener_accept_all(rl->listener);
	list_remove(&rl->node);
	listener_free(rl->listener);
	listen_socket_close(rl->socket, r->index == 0);
	rl->socket->fd = -1;
	server_listener_unref(rl->from);
	mem_free(rl);
}

static int add_listener(struct reactor *r, struct server_listener *from)
{
	struct reactor_listener *rl = mem_zalloc(sizeof(*rl));
	int err;

	if (!rl)
		return -ENOMEM;
	rl->reactor = r;
	rl->socket = &from->place->sockets[r->index];
	err = listener_new(&rl->listener, r->loop, rl->socket, on_accept, rl);
	if (err < 0) {
		mem_free(rl);
		return err;
	}
	rl->from = server_listener_ref(from);
	list_append(&r->listeners, &rl->node);
	return 0;
}

static struct reactor_listener *find_listener(struct reactor *r, const struct listen_place *place)
{
	struct list *pos;

	list_foreach (pos, &r->listeners) {
		struct reactor_listener *rl = container_of(pos, struct reactor_listener, node);

		if (rl->from->place == place)
			return rl;
	}
	return NULL;
}

static void remove_others(struct reactor *r)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &r->listeners) {
		struct reactor_listener *rl = container_of(pos, struct reactor_listener, node);

		if (!server_config_has_place(r->config, rl->from->place))
			remove_listener(rl, true);
	}
}

int reactor_listen(struct reactor *r)
{
	const struct server_config *c = r->config;
	int err = 0;

	for (size_t i = 0; i < c->listener_count; i++) {
		struct server_listener *from = c->listeners[i];
		struct reactor_listener *rl = find_listener(r, from->place);

		if (rl) {
			server_listener_ref(from);
			server_listener_unref(rl->from);
			rl->from = from;
		} else if (r->index < from->place->socket_count) {
			/* else it is the internal address, which is reactor 0's alone */
			err = add_listener(r, from);
			if (err < 0)
				return err;
		}
	}
	remove_others(r);
	return 0;
}

void reactor_listen_init(struct reactor *r)
{
	list_init(&r->listeners);
	timer_init(&r->limit_timer, on_limit_timer);
}

void reactor_drop_listeners(struct reactor *r)
{
	struct list *pos;

	list_foreach (pos, &r->listeners)
		close(container_of(pos, struct reactor_listener, node)->socket->fd);
}

void reactor_close_listeners(struct reactor *r)
{
	struct list *first;

	while ((first = list_first(&r->listeners)) != NULL)
		remove_listener(container_of(first, struct reactor_listener, node), false);
}
