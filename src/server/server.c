/*
 * server/server.c - the server: its endpoints and addresses, start and stop
 * (include/sockjs.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/first_line.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/internal.h"
#include "server/api.h"

#define THREADS_MAX  256
#define KEEP_ALIVE_S 60

int server_fail(struct sockjs_server *server, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(server->error, sizeof(server->error), format, ap);
	va_end(ap);
	return err;
}

const char *sockjs_server_error(const struct sockjs_server *server)
{
	return server->error;
}

/* --- making one --------------------------------------------------------- */

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

static void listener_forget(struct server_listener *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < l->socket_count; i++)
		if (l->sockets[i].fd >= 0)
			listen_socket_close(&l->sockets[i], i == 0);
	mem_free(l->sockets);
	tls_context_free(l->tls);
	mem_free(l);
}

static void free_reactors(struct sockjs_server *server)
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
	free_reactors(server);
	api_free(server->api);
	for (size_t i = 0; i < server->listener_count; i++)
		listener_forget(server->listeners[i]);
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

/* --- options ------------------------------------------------------------ */

static int refuse_stray(
    struct sockjs_server *server, const struct option *stray, enum option_scope scope)
{
	static const char *const takers[] = {
		[OPTION_SERVER] = "sockjs_server_new()",
		[OPTION_LISTENER] = "sockjs_server_new() or sockjs_server_listen()",
		[OPTION_ENDPOINT] = "sockjs_server_new() or sockjs_server_add()",
		[OPTION_UPSTREAM] = "sockjsd alone",
		[OPTION_STOMP] = "sockjs_broker_new()",
		[OPTION_HOOKS] = "sockjsd alone",
	};

	return server_fail(server, -EINVAL, "%s: not an option of %s; it is one for %s", stray->key,
	    scope == OPTION_LISTENER ? "an address" : "an endpoint", takers[stray->scope]);
}

/* What one endpoint or address goes by: what the server was given for all, and over it `o`. */
static int merge_options(struct sockjs_server *server, struct sockjs_options *out,
    const struct sockjs_options *o, enum option_scope scope)
{
	const struct option *stray = o ? options_stray(o, 1u << scope) : NULL;
	int err;

	if (stray)
		return refuse_stray(server, stray, scope);
	if (options_copy(out, &server->options) < 0)
		return server_fail(server, -ENOMEM, "out of memory");
	err = o ? options_overlay(out, o, scope) : 0;
	if (err < 0)
		server_fail(server, err, "out of memory");
	else if ((err = options_check(out, scope)) < 0)
		server_fail(server, err, "%s", out->error);
	if (err < 0)
		options_fini(out);
	return err;
}

/* --- endpoints ---------------------------------------------------------- */

/* Makes room for one more pointer. */
static int grow(void *array, size_t count)
{
	void **p = array, *grown;

	if (count & (count - 1))
		return 0; /* the next power of two is not full yet */
	grown = mem_realloc(*p, (count ? count * 2 : 1) * sizeof(void *));
	if (!grown)
		return -ENOMEM;
	*p = grown;
	return 0;
}

/* Whether an endpoint may come here; its prefix is free then. */
static int check_place(struct sockjs_server *server, const char *prefix)
{
	if (server->started)
		return server_fail(
		    server, -EBUSY, "endpoints cannot be added to a server that runs");
	if (!options_is_prefix(prefix))
		return server_fail(server, -EINVAL, "\"%.80s\" is not a prefix; allowed: %s",
		    prefix, OPTIONS_PREFIX);
	for (size_t i = 0; i < server->endpoint_count; i++)
		if (strcmp(server->endpoints[i]->prefix, prefix) == 0)
			return server_fail(
			    server, -EEXIST, "the prefix \"%s\" is taken already", prefix);
	return 0;
}

int sockjs_server_add(struct sockjs_server *server, const char *prefix,
    const struct sockjs_callbacks *callbacks, void *app, const struct sockjs_options *o)
{
	struct sockjs_options *own;
	struct server_endpoint *ep;
	int err = check_place(server, prefix);

	if (err < 0)
		return err;
	own = mem_alloc(sizeof(*own));
	if (!own || grow(&server->endpoints, server->endpoint_count) < 0) {
		mem_free(own);
		return server_fail(server, -ENOMEM, "out of memory");
	}
	err = merge_options(server, own, o, OPTION_ENDPOINT);
	if (err < 0) {
		mem_free(own);
		return err;
	}
	ep = endpoint_new(server, prefix, callbacks, app, own);
	if (!ep) {
		sockjs_options_free(own);
		return server_fail(server, -ENOMEM, "out of memory");
	}
	server->endpoints[server->endpoint_count++] = ep;
	return 0;
}

/* --- addresses ---------------------------------------------------------- */

/* That the two go together has been checked. */
static int make_tls(
    struct sockjs_server *server, struct server_listener *l, const struct listener_options *o)
{
	char why[400];

	if (!o->tls_certificate)
		return 0;
	l->tls = tls_context_new(o->tls_certificate, o->tls_key, why, sizeof(why));
	return l->tls ? 0 : server_fail(server, -EINVAL, "%s", why);
}

/* Binds for every reactor now: later the right to do so may be gone. */
static int bind_all(struct sockjs_server *server, struct server_listener *l,
    const struct listen_addr *addr, unsigned mode)
{
	unsigned wanted = l->is_internal ? 1 : server->reactor_count;
	char why[400];
	int err;

	l->sockets = mem_zalloc(wanted * sizeof(*l->sockets));
	if (!l->sockets)
		return server_fail(server, -ENOMEM, "out of memory");
	err = listen_socket_open(&l->sockets[0], addr, mode, why, sizeof(why));
	if (err < 0)
		return server_fail(server, err, "%s", why);
	for (l->socket_count = 1; l->socket_count < wanted; l->socket_count++) {
		err = listen_socket_share(&l->sockets[0], &l->sockets[l->socket_count]);
		if (err < 0)
			return server_fail(
			    server, err, "cannot listen once for each thread: %s", strerror(-err));
	}
	return 0;
}

static void print_url(struct server_listener *l, const char *address)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;

	if (l->sockets[0].is_unix) {
		snprintf(l->url, sizeof(l->url), "%s", address);
		return;
	}
	a = addr_from_sockaddr((const struct sockaddr *)&l->sockets[0].addr.sa);
	snprintf(l->url, sizeof(l->url), "%s%s://%s", l->endpoint ? "stomp" : "http",
	    l->tls ? "s" : "", addr_print(&a, true, text));
}

/* The endpoint that it is for; an address that names none is for all, by HTTP. */
static int find_endpoint(
    struct sockjs_server *server, struct server_listener *l, const struct listener_options *lo)
{
	for (size_t i = 0; lo->endpoint && i < server->endpoint_count; i++)
		if (strcmp(server->endpoints[i]->prefix, lo->endpoint) == 0)
			l->endpoint = server->endpoints[i];
	if (!lo->endpoint || l->endpoint)
		return 0;
	return server_fail(
	    server, -EINVAL, "endpoint: \"%.80s\" is not an endpoint of this server", lo->endpoint);
}

/* Who is silent and vanishes is found out by nothing else, where there is neither ping nor
 * heartbeat. */
static void keep_alive(const struct server_listener *l)
{
	for (unsigned i = 0; i < l->socket_count; i++)
		listen_socket_keep_alive(&l->sockets[i], KEEP_ALIVE_S);
}

static int open_listener(struct sockjs_server *server, const char *address,
    const struct listener_options *lo, bool is_internal)
{
	struct server_listener *l;
	struct listen_addr addr;
	const char *sentence = "";
	int err = listen_addr_parse(address, &addr, &sentence);

	if (err < 0)
		return server_fail(server, err, "%s", sentence);
	l = mem_zalloc(sizeof(*l));
	if (!l || grow(&server->listeners, server->listener_count) < 0) {
		mem_free(l);
		return server_fail(server, -ENOMEM, "out of memory");
	}
	l->is_internal = is_internal;
	err = find_endpoint(server, l, lo);
	if (err == 0)
		err = make_tls(server, l, lo);
	if (err == 0)
		err = bind_all(server, l, &addr, (unsigned)lo->mode);
	if (err < 0) {
		listener_forget(l);
		return err;
	}
	if (l->endpoint)
		keep_alive(l);
	print_url(l, address);
	server->listeners[server->listener_count++] = l;
	return 0;
}

/* Every sentence about an address begins with it. */
static int listen_at(struct sockjs_server *server, const char *address,
    const struct listener_options *lo, bool is_internal)
{
	char why[sizeof(server->error)];
	int err;

	if (server->started)
		return server_fail(
		    server, -EBUSY, "addresses cannot be added to a server that runs");
	err = open_listener(server, address, lo, is_internal);
	if (err == 0)
		return 0;
	snprintf(why, sizeof(why), "%s", server->error);
	return server_fail(server, err, "%.150s: %s", address, why);
}

static bool is_unix_address(const char *address)
{
	return strncmp(address, "unix:", 5) == 0;
}

int sockjs_server_listen(
    struct sockjs_server *server, const char *address, const struct sockjs_options *o)
{
	struct sockjs_options own;
	int err;

	if (o && o->listener.mode && !is_unix_address(address))
		return server_fail(server, -EINVAL,
		    "%.150s: mode: means nothing here; it is for unix:PATH", address);
	err = merge_options(server, &own, o, OPTION_LISTENER);
	if (err < 0)
		return err;
	err = listen_at(server, address, &own.listener, false);
	options_fini(&own);
	return err;
}

int server_listen_internal(struct sockjs_server *server, const char *address)
{
	static const struct listener_options plain;

	return listen_at(server, address, &plain, true);
}

static int read_token_file(struct sockjs_server *server, const char *path, char *token, int size)
{
	const struct option *opt = options_find("internal.token");
	int err = first_line(path, token, (size_t)size);

	if (err < 0 && err != -EINVAL)
		return server_fail(server, err, "cannot read \"%.200s\": %s", path, strerror(-err));
	if (err == 0 && opt->valid(token))
		return 0;
	return server_fail(server, -EINVAL,
	    "the first line of \"%.200s\" is not a token; allowed: %s", path, opt->allowed);
}

int server_take_commands(struct sockjs_server *server)
{
	const struct server_options *o = &server->options.server;
	const char *token = o->token;
	char line[1024];
	int err = 0;

	if (server->api || (!token && !o->token_file))
		return 0;
	if (!token) {
		err = read_token_file(server, o->token_file, line, sizeof(line));
		token = line;
	}
	if (err == 0 && !(server->api = api_new(server, token)))
		err = server_fail(server, -ENOMEM, "out of memory");
	explicit_bzero(line, sizeof(line));
	return err;
}

static const char *url_of(const struct sockjs_server *server, size_t i, bool is_internal)
{
	for (size_t j = 0; j < server->listener_count; j++)
		if (server->listeners[j]->is_internal == is_internal && i-- == 0)
			return server->listeners[j]->url;
	return NULL;
}

const char *sockjs_server_url(const struct sockjs_server *server, size_t i)
{
	return url_of(server, i, false);
}

const char *server_internal_url(const struct sockjs_server *server)
{
	return url_of(server, 0, true);
}

int sockjs_server_listen_internal(struct sockjs_server *server, const char *address)
{
	int err = server_take_commands(server);

	return err < 0 ? err : server_listen_internal(server, address);
}

const char *sockjs_server_internal_url(const struct sockjs_server *server)
{
	return server_internal_url(server);
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
	err = make_reactors(server);
	if (err < 0)
		return server_fail(server, err, "cannot start a reactor: %s", strerror(-err));
	return 0;
}

int sockjs_server_run(struct sockjs_server *server)
{
	int err;

	if (server->started)
		return server_fail(server, -EBUSY, "a server runs once");
	if (server->listener_count == 0)
		return server_fail(server, -EINVAL,
		    "there is no address to listen on: call sockjs_server_listen() first");
	err = prepare(server);
	if (err < 0) {
		free_reactors(server);
		return err;
	}
	pthread_barrier_init(&server->finished, NULL, server->reactor_count);
	server->started = true;
	pthread_mutex_init(&server->gate, NULL);
	err = start_threads(server);
	if (err < 0)
		server_fail(server, err, "cannot start a thread: %s", strerror(-err));
	else
		reactor_run(server->reactors[0]);
	join_threads(server);
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

void sockjs_server_stop(struct sockjs_server *server)
{
	atomic_fetch_add(&server->stops, 1);
	for (unsigned i = 0; server->started && i < server->reactor_count; i++)
		loop_stop(server->reactors[i]->loop);
}
