/*
 * upstream/upstream.c - the application "upstream": in front of any WebSocket
 * application, one connection to it for each session; see upstream_conn.h.
 *
 * What is here: what a backend is told of a client, and the session's callbacks.
 */
#include "upstream/upstream.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/handshake.h"
#include "server/options.h"
#include "upstream/upstream_command.h"
#include "upstream/upstream_conn.h"
#include "upstream/upstream_metrics.h"

#define REACTORS_MAX 1024 /* as many reactors as there can be */

struct upstream {
	struct sockjs_server *server;
	struct upstream_settings settings;
	struct sockjs_options options; /* a copy */
	const struct string_list *forward_headers, *subprotocols;
	pthread_mutex_t lock; /* for adding a reactor's share */
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

/* --- what a backend is told ------------------------------------------------------------- */

/* The parameter that sockjs-client itself adds is not the application's: c for the callback of
 * jsonp and htmlfile, t (the time, against caches) where it uses XMLHttpRequest. It is the last
 * one; what the page has called so comes before. */
static bool is_clients_own(const char *transport, const char *p, size_t n)
{
	if (p[n] != '\0' || n <= 2 || p[1] != '=')
		return false;
	if (strcmp(transport, "jsonp") == 0 || strcmp(transport, "htmlfile") == 0)
		return p[0] == 'c';
	return p[0] == 't' && strncmp(transport, "xhr", 3) == 0 &&
	       strspn(p + 2, "0123456789") == n - 2;
}

static char *clean_query(const char *transport, const char *query)
{
	char *clean = mem_alloc(strlen(query) + 1), *to = clean;

	if (!clean)
		return NULL;
	while (*query) {
		size_t n = strcspn(query, "&");

		if (n > 0 && !is_clients_own(transport, query, n)) {
			if (to > clean)
				*to++ = '&';
			memcpy(to, query, n);
			to += n;
		}
		query += n + (query[n] == '&');
	}
	*to = '\0';
	return clean;
}

/* RFC 7239; an IPv6 address and a host with a port are quoted. */
static int add_forwarded(
    struct upstream_request *r, const char *remote, const char *proto, const char *host)
{
	struct buf value = BUF_INIT;
	bool v6 = strchr(remote, ':'), known = strcmp(remote, "unix") != 0;
	int err = buf_printf(&value, "for=%s%s%s;proto=%s",
	    !known ? "unknown"
	    : v6   ? "\"["
	           : "",
	    known ? remote : "", v6 ? "]\"" : "", proto);

	if (err == 0 && *host && !strpbrk(host, "\"\\"))
		err = buf_printf(&value, ";host=\"%s\"", host);
	if (err == 0)
		err = buf_add(&value, "", 1);
	if (err == 0)
		err = upstream_request_header(r, "Forwarded", buf_data(&value));
	buf_fini(&value);
	return err;
}

static int add_who(struct upstream_request *r, const struct sockjs_handshake *h)
{
	const char *remote = sockjs_handshake_remote(h), *host = sockjs_handshake_host(h),
	           *proto = sockjs_handshake_is_tls(h) ? "https" : "http";
	int err = 0;

	if (strcmp(remote, "unix") != 0) /* that is no address */
		err = upstream_request_header(r, "X-Forwarded-For", remote);
	if (err == 0)
		err = upstream_request_header(r, "X-Forwarded-Proto", proto);
	if (err == 0 && *host)
		err = upstream_request_header(r, "X-Forwarded-Host", host);
	if (err == 0)
		err = add_forwarded(r, remote, proto, host);
	if (err == 0)
		err =
		    upstream_request_header(r, "X-Sockjs-Transport", sockjs_handshake_transport(h));
	return err;
}

static int add_forwarded_headers(
    struct upstream_request *r, const struct upstream *u, const struct sockjs_handshake *h)
{
	int err = 0;

	for (size_t i = 0; i < u->forward_headers->count && err == 0; i++) {
		const char *name = u->forward_headers->items[i],
		           *value = sockjs_handshake_header(h, name);

		if (value && !handshake_is_granted(h, name))
			err = upstream_request_header(r, name, value);
	}
	return err;
}

static bool is_certificate_header(const struct upstream *u, const char *name)
{
	const struct upstream_options *o = &u->options.upstream;

	return (o->client_subject_header && strcasecmp(name, o->client_subject_header) == 0) ||
	       (o->client_fingerprint_header &&
	           strcasecmp(name, o->client_fingerprint_header) == 0);
}

/* Nobody else says these: not the client, as options_check.c sees to it. */
static int add_certificate_headers(
    struct upstream_request *r, const struct upstream *u, const struct sockjs_handshake *h)
{
	const struct upstream_options *o = &u->options.upstream;
	const char *subject = o->client_subject_header ? sockjs_handshake_client_subject(h) : NULL,
	           *fingerprint =
	               o->client_fingerprint_header ? sockjs_handshake_client_fingerprint(h) : NULL;
	int err = 0;

	if (subject)
		err = upstream_request_header(r, o->client_subject_header, subject);
	if (err == 0 && fingerprint)
		err = upstream_request_header(r, o->client_fingerprint_header, fingerprint);
	return err;
}

/* What whoever guards the endpoint has given the client, which goes before the client's own. */
static int add_granted_headers(
    struct upstream_request *r, const struct upstream *u, const struct sockjs_handshake *h)
{
	const struct sockjs_header *granted;
	int err = 0;

	for (size_t i = 0; err == 0 && (granted = handshake_granted(h, i)); i++)
		if (!is_certificate_header(u, granted->name))
			err = upstream_request_header(r, granted->name, granted->value);
	return err;
}

static int add_subprotocols(
    struct upstream_request *r, const struct upstream *u, const struct sockjs_handshake *h)
{
	const char *token;
	int err = 0;

	for (size_t i = 0; err == 0 && (token = sockjs_handshake_subprotocol(h, i)); i++) {
		err = upstream_request_subprotocol(r, token);
		r->offers = true;
	}
	for (size_t i = 0; err == 0 && !r->offers && i < u->subprotocols->count; i++)
		err = upstream_request_subprotocol(r, u->subprotocols->items[i]);
	return err;
}

/* A token that stands twice is the client's fault, and no backend needs to hear of it. */
static bool offers_well(const struct sockjs_handshake *h)
{
	const char *tokens[WS_SUBPROTOCOLS_MAX];
	size_t n = 0;

	while (n < WS_SUBPROTOCOLS_MAX && (tokens[n] = sockjs_handshake_subprotocol(h, n)) != NULL)
		for (size_t i = 0, last = n++; i < last; i++)
			if (strcmp(tokens[i], tokens[last]) == 0)
				return false;
	return true;
}

/* FNV-1a: the same client comes to the same backend. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

static int copy_text(char **to, const char *text)
{
	*to = text ? mem_strdup(text) : NULL;
	return text && !*to ? -ENOMEM : 0;
}

static int add_path(
    struct upstream_request *r, const struct upstream *u, const struct sockjs_handshake *h)
{
	return copy_text(
	    &r->path, u->options.upstream.forward_path ? sockjs_handshake_path(h) : NULL);
}

/* Whom the backend is asked for, and who asks: applications compare the two. */
static int add_names(
    struct upstream_request *r, const struct upstream *u, const struct sockjs_handshake *h)
{
	const char *host = u->options.upstream.host, *origin = u->options.upstream.origin;

	r->own_origin = strcmp(origin, "own") == 0;
	if (strcmp(host, "client") == 0)
		host = sockjs_handshake_host(h);
	else if (strcmp(host, "own") == 0)
		host = "";
	if (strcmp(origin, "client") == 0)
		origin = sockjs_handshake_origin(h);
	if (*host && copy_text(&r->host, host) < 0)
		return -ENOMEM;
	return copy_text(&r->origin, origin);
}

/* A bare WebSocket waits for the backend's 101, as does who wants to hear a subprotocol with it. */
static bool may_open_early(const struct upstream_request *r, const char *transport)
{
	return strcmp(transport, "websocket_raw") != 0 && !r->offers;
}

static struct upstream_request *make_request(
    const struct upstream *u, const struct sockjs_handshake *h)
{
	struct upstream_request *r = upstream_request_new();
	const char *transport = sockjs_handshake_transport(h);

	if (!r)
		return NULL;
	r->hash = hash_of(sockjs_handshake_remote(h));
	r->query = clean_query(transport, sockjs_handshake_query(h));
	if (r->query && add_path(r, u, h) == 0 && add_names(r, u, h) == 0 && add_who(r, h) == 0 &&
	    add_forwarded_headers(r, u, h) == 0 && add_granted_headers(r, u, h) == 0 &&
	    add_certificate_headers(r, u, h) == 0 && add_subprotocols(r, u, h) == 0) {
		r->may_open_early = may_open_early(r, transport);
		return r;
	}
	upstream_request_free(r);
	return NULL;
}

/* --- the session's callbacks ------------------------------------------------------------ */

static int on_handshake(struct sockjs_handshake *h, void *state)
{
	struct upstream_request *r;

	if (!offers_well(h))
		return 400;
	r = make_request(state, h);
	if (!r)
		return 503;
	sockjs_handshake_set_user(h, r);
	return SOCKJS_LATER;
}

static void on_connecting(struct sockjs_session *s, void *state)
{
	struct upstream *u = state;
	struct upstream_reactor *reactor = find_reactor(u);
	struct upstream_request *r = sockjs_user(s);
	struct upstream_conn *uc;

	if (!reactor)
		reactor = add_reactor(u);
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

static void on_end(void *state)
{
	struct upstream_reactor *reactor = find_reactor(state);

	if (reactor)
		upstream_reactor_fini(reactor);
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
	err = show_headers(options);
	if (err == 0 && options->upstream.forward_path)
		err = options_set(options, options_find("subpaths"), "true");
	if (err == 0)
		err = options_copy(&u->options, options);
	if (err == 0) {
		options_taken(options, OPTION_UPSTREAM);
		u->forward_headers = &u->options.upstream.forward_headers;
		u->subprotocols = &u->options.upstream.subprotocols;
		err = upstream_settings_init(&u->settings, &u->options, why, why_size);
	}
	if (err < 0) {
		upstream_free(u);
		return err;
	}
	*out = u;
	return 0;
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
