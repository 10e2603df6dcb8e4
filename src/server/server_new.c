/*
 * server/server_new.c - a server from its options, and its end; what it counts by address.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/api.h"
#include "server/attempts.h"
#include "server/dashboard.h"
#include "server/peers.h"
#include "server/restart.h"

#define THREADS_MAX 256

static unsigned count_cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

/* None at all if nothing is limited. */
static bool read_quotas(const struct server_options *o, struct quota kinds[VISITOR_KINDS])
{
	bool limited = false;

	kinds[VISITOR_CONNECTION] = (struct quota){ o->limit_connections_per_address,
		o->limit_connection_rate_per_address };
	kinds[VISITOR_SESSION] = (struct quota){ o->limit_sessions_per_address,
		o->limit_handshake_rate_per_address };
	for (int i = 0; i < VISITOR_KINDS; i++)
		limited = limited || kinds[i].most || kinds[i].per_second;
	return limited;
}

int server_visitors(struct server_config *c)
{
	const struct server_options *o = &c->options.server;
	struct quota kinds[VISITOR_KINDS];
	bool limited = read_quotas(o, kinds);

	if (limited && !c->server->visitors &&
	    !(c->server->visitors = quotas_new(kinds, VISITOR_KINDS)))
		return -ENOMEM;
	c->visitors = limited ? c->server->visitors : NULL;
	c->prefixes = (struct visitor_prefixes){ (uint8_t)o->limit_ipv4_prefix,
		(uint8_t)o->limit_ipv6_prefix };
	return 0;
}

void server_limit_visitors(const struct server_config *c)
{
	struct quota kinds[VISITOR_KINDS];

	if (read_quotas(&c->options.server, kinds))
		quotas_set_limits(c->visitors, kinds);
}

struct sockjs_server *sockjs_server_new(const struct sockjs_options *o)
{
	struct sockjs_server *server = mem_zalloc(sizeof(*server));
	struct sockjs_options defaults;
	int err;

	if (!server)
		return NULL;
	list_init(&server->turns);
	list_init(&server->shared_groups);
	pthread_mutex_init(&server->groups_lock, NULL);
	pthread_mutex_init(&server->turns_lock, NULL);
	server->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	err = options_init(&defaults);
	if (err == 0)
		err = server_config_new(&server->config, server, o ? o : &defaults);
	options_fini(&defaults);
	map_seed_random(&server->log_seed);
	server->attempts = attempts_new();
	if (err < 0 || !server->attempts || !(server->api = api_new(server))) {
		sockjs_server_free(server);
		return NULL;
	}
	server->avoids_io_uring =
	    strcmp(server->config->options.server.io_uring, "off") == 0;
	server->reactor_count = server->config->options.server.threads
	                            ? (unsigned)server->config->options.server.threads
	                            : count_cores();
	return server;
}

/* --- the end -------------------------------------------------------------- */

void server_free_reactors(struct sockjs_server *server)
{
	for (unsigned i = 0; server->reactors && i < server->reactor_count; i++)
		reactor_free(server->reactors[i]);
	mem_free(server->reactors);
	server->reactors = NULL;
}

void sockjs_server_free(struct sockjs_server *server)
{
	if (!server)
		return;
	server_free_reactors(server);
	restart_in_free(server);
	peers_free(server->joined);
	attempts_free(server->attempts);
	dashboard_free(server->dashboard);
	api_free(server->api);
	mem_free(server->client);
	server_config_unref(server->config);
	if (server->statm >= 0)
		close(server->statm);
	quotas_free(server->visitors);
	pthread_mutex_destroy(&server->turns_lock);
	pthread_mutex_destroy(&server->groups_lock);
	mem_free(server);
}
