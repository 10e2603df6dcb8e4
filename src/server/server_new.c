/*
 * server/server_new.c - a server from its options, and its end: whom it believes, whom it
 * answers, its pages, its quotas.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/api.h"
#include "server/dashboard.h"

#define THREADS_MAX 256

static int read_trust(struct http_trust *trust, const struct server_options *o)
{
	const struct string_list *list = &o->trusted_proxies;

	if (strcmp(o->proxy_headers, "x_forwarded") == 0)
		trust->headers = HTTP_PROXY_X_FORWARDED;
	else if (strcmp(o->proxy_headers, "forwarded") == 0)
		trust->headers = HTTP_PROXY_FORWARDED;
	trust->proxies = mem_zalloc((list->count ? list->count : 1) * sizeof(*trust->proxies));
	if (!trust->proxies)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++)
		if (cidr_parse(bytes_of(list->items[i]), &trust->proxies[trust->count]) == 0)
			trust->count++;
	return 0;
}

static int read_hosts(struct http_hosts *hosts, const struct string_list *list)
{
	hosts->allowed = mem_zalloc((list->count ? list->count : 1) * sizeof(*hosts->allowed));
	if (!hosts->allowed)
		return -ENOMEM;
	for (; hosts->count < list->count; hosts->count++)
		hosts->allowed[hosts->count] = bytes_of(list->items[hosts->count]);
	return 0;
}

/* Whom we believe, and whom we answer. */
static int read_policy(struct sockjs_server *server, const struct server_options *o)
{
	server->hosts.any = o->allowed_hosts.count == 0;
	server->internal_hosts.local = true;
	if (read_trust(&server->trust, o) < 0 ||
	    read_hosts(&server->hosts, &o->allowed_hosts) < 0 ||
	    read_hosts(&server->internal_hosts, &o->internal_allowed_hosts) < 0)
		return -ENOMEM;
	return 0;
}

/* A library for pages, at a path of its own. */
static void add_library(
    struct http_static *files, const char *path, const char *key, const char *file)
{
	int err = file ? http_static_alias(files, path, file) : 0;

	if (err < 0)
		log_warn("a library for pages cannot be read", LOG_STR(key, file), LOG_ERR(err));
}

/* A directory of pages is not worth failing for: the endpoints do not need it. */
static int open_files(struct sockjs_server *server, const struct server_options *o)
{
	bool has_library = o->client_library || o->stomp_library;
	int err;

	if (!o->www && !has_library)
		return 0;
	err = http_static_new(&server->files, o->www);
	if (err < 0) {
		log_warn("the directory of pages cannot be opened", LOG_STR("www", o->www),
		    LOG_ERR(err));
		err = has_library ? http_static_new(&server->files, NULL) : 0;
	}
	if (err < 0 || !server->files)
		return 0;
	add_library(server->files, "/sockjs.min.js", "client_library", o->client_library);
	add_library(server->files, "/stomp.umd.min.js", "stomp_library", o->stomp_library);
	return 0;
}

static unsigned count_cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

/* None at all if nothing is limited. */
static int make_visitors(struct sockjs_server *server, const struct server_options *o)
{
	struct quota kinds[VISITOR_KINDS] = {
		[VISITOR_CONNECTION] = { o->limit_connections_per_address,
		    o->limit_connection_rate_per_address },
		[VISITOR_SESSION] = { o->limit_sessions_per_address,
		    o->limit_handshake_rate_per_address },
	};
	bool limited = false;

	for (int i = 0; i < VISITOR_KINDS; i++)
		limited = limited || kinds[i].most || kinds[i].per_second;
	if (!limited)
		return 0;
	server->visitors = quotas_new(kinds, VISITOR_KINDS);
	return server->visitors ? 0 : -ENOMEM;
}

static void fill_http(struct sockjs_server *server, const struct server_options *o)
{
	server->http_limits = (struct http_limits){
		.header_bytes = o->limit_header_bytes,
		.header_timeout_ms = (unsigned)o->limit_header_timeout_ms,
		.body = { (unsigned)o->limit_body_timeout_ms, (unsigned)o->limit_min_rate },
		.idle_timeout_ms = (unsigned)o->limit_idle_timeout_ms,
		.trust = &server->trust,
	};
	server->http_handler = (struct http_handler){
		.body_limit = route_body_limit, .serve = route_serve, .refusal = route_refusal
	};
	server->reactor_count = o->threads ? (unsigned)o->threads : count_cores();
}

struct sockjs_server *sockjs_server_new(const struct sockjs_options *o)
{
	struct sockjs_server *server = mem_zalloc(sizeof(*server));
	struct sockjs_options defaults;
	int err;

	if (!server)
		return NULL;
	err = options_init(&defaults);
	if (err == 0)
		err = options_copy(&server->options, o ? o : &defaults);
	options_fini(&defaults);
	if (err < 0) {
		mem_free(server);
		return NULL;
	}
	list_init(&server->turns);
	server->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	fill_http(server, &server->options.server);
	if (read_policy(server, &server->options.server) < 0 ||
	    make_visitors(server, &server->options.server) < 0 ||
	    open_files(server, &server->options.server) < 0) {
		sockjs_server_free(server);
		return NULL;
	}
	return server;
}

/* --- the end -------------------------------------------------------------- */

void server_listener_free(struct server_listener *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < l->socket_count; i++)
		if (l->sockets[i].fd >= 0)
			listen_socket_close(&l->sockets[i], i == 0);
	mem_free(l->sockets);
	tls_server_free(l->tls);
	mem_free(l);
}

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
	dashboard_free(server->dashboard);
	api_free(server->api);
	mem_free(server->client);
	for (size_t i = 0; i < server->listener_count; i++)
		server_listener_free(server->listeners[i]);
	mem_free(server->listeners);
	for (size_t i = 0; i < server->endpoint_count; i++)
		endpoint_free(server->endpoints[i]);
	mem_free(server->endpoints);
	http_static_free(server->files);
	mem_free(server->trust.proxies);
	mem_free(server->hosts.allowed);
	mem_free(server->internal_hosts.allowed);
	if (server->statm >= 0)
		close(server->statm);
	quotas_free(server->visitors);
	options_fini(&server->options);
	mem_free(server);
}
