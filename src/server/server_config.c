/*
 * server/server_config.c - a configuration from its options: whom it believes, whom it answers, its
 * pages, its limits; see server_config.h.
 */
#include "server/server_config.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/operators.h"
#include "server/server_private.h"

/* --- whom it believes, and answers --------------------------------------------------- */

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

static int read_policy(struct server_config *c, const struct server_options *o)
{
	c->hosts.any = o->allowed_hosts.count == 0;
	c->internal_hosts.local = true;
	if (read_trust(&c->trust, o) < 0 ||
	    read_hosts(&c->hosts, &o->allowed_hosts) < 0 ||
	    read_hosts(&c->internal_hosts, &o->internal_allowed_hosts) < 0)
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
static int open_files(struct server_config *c, const struct server_options *o)
{
	bool has_library = o->client_library || o->stomp_library;
	int err;

	if (!o->www && !has_library)
		return 0;
	err = http_static_new(&c->files, o->www);
	if (err < 0) {
		log_warn("the directory of pages cannot be opened", LOG_STR("www", o->www),
		    LOG_ERR(err));
		err = has_library ? http_static_new(&c->files, NULL) : 0;
	}
	if (err < 0 || !c->files)
		return 0;
	add_library(c->files, "/sockjs.min.js", "client_library", o->client_library);
	add_library(c->files, "/stomp.umd.min.js", "stomp_library", o->stomp_library);
	return 0;
}

static void fill_http(struct server_config *c, const struct server_options *o)
{
	c->http_limits = (struct http_limits){
		.header_bytes = o->limit_header_bytes,
		.header_timeout_ms = (unsigned)o->limit_header_timeout_ms,
		.body = { (unsigned)o->limit_body_timeout_ms, (unsigned)o->limit_min_rate },
		.idle_timeout_ms = (unsigned)o->limit_idle_timeout_ms,
	};
}

/* --- who may give commands ------------------------------------------------------------ */

int server_config_read_operators(struct server_config *c)
{
	return c->operators ? 0 : operators_new(&c->operators, c->server, &c->options.server);
}

int server_config_check_operators(struct sockjs_server *server, const struct sockjs_options *o)
{
	struct operators *operators = NULL;
	int err = operators_new(&operators, server, &o->server);

	operators_unref(operators);
	return err;
}

/* --- life ----------------------------------------------------------------------------- */

int server_config_new(
    struct server_config **out, struct sockjs_server *server, const struct sockjs_options *o)
{
	struct server_config *c = mem_zalloc(sizeof(*c));

	if (!c)
		return server_fail(server, -ENOMEM, "out of memory");
	atomic_init(&c->refs, 1);
	c->server = server;
	if (options_copy(&c->options, o) < 0) {
		mem_free(c);
		return server_fail(server, -ENOMEM, "out of memory");
	}
	fill_http(c, &c->options.server);
	if (read_policy(c, &c->options.server) < 0 || server_visitors(c) < 0 ||
	    open_files(c, &c->options.server) < 0) {
		server_config_unref(c);
		return server_fail(server, -ENOMEM, "out of memory");
	}
	*out = c;
	return 0;
}

struct server_config *server_config_ref(struct server_config *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void server_config_unref(struct server_config *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < c->listener_count; i++)
		server_listener_unref(c->listeners[i]);
	mem_free(c->listeners);
	for (size_t i = 0; i < c->endpoint_count; i++)
		endpoint_release(c->endpoints[i]);
	mem_free(c->endpoints);
	for (size_t i = 0; i < c->elder_count; i++)
		endpoint_unref(&c->elders[i]->base);
	mem_free(c->elders);
	http_static_free(c->files);
	server_logs_close(&c->logs, !reactor_current());
	mem_free(c->trust.proxies);
	mem_free(c->hosts.allowed);
	mem_free(c->internal_hosts.allowed);
	operators_unref(c->operators);
	options_fini(&c->options);
	mem_free(c);
}
