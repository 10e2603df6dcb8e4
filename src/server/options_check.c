/*
 * server/options_check.c - what no single value shows: values of one scope that do not go
 * together.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "server/listener_tls.h"
#include "server/options_private.h"

#define ALLOWED_ORIGINS_MAX 8000 /* octets of all together */

bool options_is_said(const struct sockjs_options *o, const struct option *opt)
{
	char text[64];

	return options_is_marked(o, opt) && options_get(o, opt, text, sizeof(text)) >= 0 &&
	       strcmp(text, opt->default_value ? opt->default_value : "") != 0;
}

/* Of a plain address: whoever wrote it believes that there is TLS. */
static int check_no_tls(struct sockjs_options *o)
{
	const struct option *opt;

	options_foreach (opt)
		if (opt->scope == OPTION_LISTENER && strncmp(opt->key, "tls.", 4) == 0 &&
		    options_is_said(o, opt))
			return options_fail(o, -EINVAL,
			    "%s: means nothing without tls.certificate and tls.key", opt->key);
	return 0;
}

static int check_client_certificates(struct sockjs_options *o)
{
	const struct listener_options *l = &o->listener;
	bool asks = strcmp(l->tls_client_certificate, "none") != 0;

	if (asks && !l->tls_client_ca)
		return options_fail(o, -EINVAL,
		    "tls.client_ca: missing; with tls.client_certificate \"%s\" it says who may "
		    "sign them",
		    l->tls_client_certificate);
	if (l->tls_client_ca && !asks)
		return options_fail(o, -EINVAL,
		    "tls.client_ca: means nothing with tls.client_certificate \"none\", which asks "
		    "no client for one");
	return 0;
}

static int check_tls(struct sockjs_options *o)
{
	struct listener_tls tls;
	char why[400];
	int err;

	if (!o->listener.tls_certificate && !o->listener.tls_certificates)
		return check_no_tls(o);
	err = listener_tls_read(&tls, &o->listener, why, sizeof(why));
	if (err < 0)
		return options_fail(o, err, "%s", why);
	listener_tls_fini(&tls);
	return check_client_certificates(o);
}

static int check_listener(struct sockjs_options *o)
{
	const struct listener_options *l = &o->listener;
	bool stomp = strcmp(l->protocol, "stomp") == 0;

	if (stomp && !l->endpoint)
		return options_fail(o, -EINVAL,
		    "endpoint: missing; with protocol \"stomp\" it is the prefix of the endpoint "
		    "that serves this address");
	if (l->endpoint && !stomp)
		return options_fail(o, -EINVAL,
		    "endpoint: means nothing with protocol \"%s\"; it is for \"stomp\"",
		    l->protocol);
	if (l->tls_certificate && !l->tls_key)
		return options_fail(
		    o, -EINVAL, "tls.key: missing; tls.certificate needs its private key");
	if (l->tls_key && !l->tls_certificate)
		return options_fail(
		    o, -EINVAL, "tls.certificate: missing; tls.key needs its certificate");
	return check_tls(o);
}

int options_check_internal(struct sockjs_options *o)
{
	const struct option *opt;

	options_foreach (opt)
		if (opt->is_public && options_is_said(o, opt))
			return options_fail(
			    o, -EINVAL, "%s: means nothing at the internal address", opt->key);
	return 0;
}

/* The line that says who may frame the iframe page has to fit into a response. */
static int check_ancestors(struct sockjs_options *o)
{
	const struct string_list *list = &o->endpoint.allowed_origins;
	size_t n = 0;

	for (size_t i = 0; i < list->count; i++)
		n += strlen(list->items[i]) + 1;
	if (n <= ALLOWED_ORIGINS_MAX)
		return 0;
	return options_fail(o, -EINVAL,
	    "allowed_origins: %zu octets in all are too many for the Content-Security-Policy of "
	    "the "
	    "iframe page; allowed: %d (scheme://*.domain stands for many)",
	    n, ALLOWED_ORIGINS_MAX);
}

static int check_cookie(struct sockjs_options *o)
{
	const struct endpoint_options *e = &o->endpoint;

	if (strcmp(e->session_cookie_same_site, "none") == 0 &&
	    strcmp(e->session_cookie_secure, "false") == 0)
		return options_fail(o, -EINVAL,
		    "session_cookie_same_site: \"none\" needs session_cookie_secure; without it "
		    "browsers refuse the cookie");
	return 0;
}

static int check_server(struct sockjs_options *o)
{
	if (o->server.token && o->server.token_file)
		return options_fail(o, -EINVAL,
		    "internal.token_file: means nothing with internal.token, which is the token");
	return 0;
}

/* What one transport can carry the others must carry too, or an application would see the
 * transport. */
static int check_endpoint(struct sockjs_options *o)
{
	const struct endpoint_options *e = &o->endpoint;

	if (e->max_body_bytes < e->max_message_bytes)
		return options_fail(o, -EINVAL,
		    "max_body_bytes: %" PRIu64 " is less than max_message_bytes (%" PRIu64
		    "): such a message could come by WebSocket, but by no other transport",
		    e->max_body_bytes, e->max_message_bytes);
	for (size_t i = 0; i < e->allowed_origins.count && e->allowed_origins.count > 1; i++)
		if (strcmp(e->allowed_origins.items[i], "*") == 0)
			return options_fail(o, -EINVAL,
			    "allowed_origins[%zu]: \"*\" allows every origin; it must stand alone",
			    i);
	return check_ancestors(o) < 0 ? -EINVAL : check_cookie(o);
}

/* Backends that are told of headers by way of CGI and its like see no difference between "-" and
 * "_". */
static bool is_header(const char *name, const char *other)
{
	if (!name)
		return false;
	for (; *name && *other; name++, other++)
		if (tolower((unsigned char)(*name == '_' ? '-' : *name)) !=
		    tolower((unsigned char)(*other == '_' ? '-' : *other)))
			return false;
	return *name == *other;
}

/* Whether checks of this kind look at it. */
static bool is_of_check(const char *key, const char *kind)
{
	bool is_http = strcmp(kind, "http") == 0;

	if (strcmp(key, "upstream.check.path") == 0)
		return is_http || strcmp(kind, "websocket") == 0;
	if (strcmp(key, "upstream.check.status") == 0)
		return is_http;
	return strcmp(kind, "none") != 0;
}

/* Whoever wrote it believes that it is looked at. */
static int check_checks(struct sockjs_options *o)
{
	const char *kind = o->upstream.check_kind;
	const struct option *opt;

	options_foreach (opt)
		if (strncmp(opt->key, "upstream.check.", 15) == 0 && options_is_said(o, opt) &&
		    strcmp(opt->key, "upstream.check.kind") != 0 && !is_of_check(opt->key, kind))
			return options_fail(o, -EINVAL,
			    "%s: means nothing with upstream.check.kind \"%s\"", opt->key, kind);
	return 0;
}

static int check_upstream(struct sockjs_options *o)
{
	const struct upstream_options *u = &o->upstream;

	if (u->url.count == 0)
		return options_fail(o, -EINVAL,
		    "upstream.url: missing; allowed: %s, or a list of them",
		    options_find("upstream.url")->allowed);
	for (size_t i = 0; i < u->forward_headers.count; i++)
		if (is_header(u->client_subject_header, u->forward_headers.items[i]) ||
		    is_header(u->client_fingerprint_header, u->forward_headers.items[i]))
			return options_fail(o, -EINVAL,
			    "upstream.forward_headers[%zu]: \"%s\" is the gateway's own word on "
			    "the client's certificate; a client must not send it",
			    i, u->forward_headers.items[i]);
	if (u->client_subject_header &&
	    is_header(u->client_fingerprint_header, u->client_subject_header))
		return options_fail(o, -EINVAL,
		    "upstream.client_fingerprint_header: \"%s\" is client_subject_header, too",
		    u->client_fingerprint_header);
	if (!u->tls_certificate != !u->tls_key)
		return options_fail(o, -EINVAL,
		    "upstream.tls.%s: missing; certificate and key go together",
		    u->tls_key ? "certificate" : "key");
	if (u->retry_delay_max_ms < u->retry_delay_ms)
		return options_fail(o, -EINVAL,
		    "upstream.retry_delay_max_ms: %" PRIu64 " is less than retry_delay_ms (%" PRIu64
		    ")",
		    u->retry_delay_max_ms, u->retry_delay_ms);
	return check_checks(o);
}

/* Who may come, and whether anybody can. */
static int check_stomp_users(struct sockjs_options *o)
{
	const struct stomp_options *s = &o->stomp;

	if (s->token_query && !s->tokens)
		return options_fail(o, -EINVAL,
		    "stomp.token_query: means nothing without stomp.tokens, which says what "
		    "a token must be");
	return 0;
}

/* Whoever wrote it believes that something is relayed. */
static int check_relay(struct sockjs_options *o)
{
	const struct option *opt;

	options_foreach (opt)
		if (o->stomp.relay_servers.count == 0 && strncmp(opt->key, "stomp.relay.", 12) == 0 && options_is_said(o, opt))
			return options_fail(
			    o, -EINVAL, "%s: means nothing without stomp.relay.servers", opt->key);
	if (o->stomp.relay_servers.count > 0 && o->stomp.relay_max_body_bytes < o->stomp.max_body_bytes)
		return options_fail(o, -EINVAL,
		    "stomp.relay.max_body_bytes: %" PRIu64 " is less than stomp.max_body_bytes (%" PRIu64
		    "): what a client may send could not come back",
		    o->stomp.relay_max_body_bytes, o->stomp.max_body_bytes);
	if (o->stomp.relay_retry_delay_max_ms < o->stomp.relay_retry_delay_ms)
		return options_fail(o, -EINVAL,
		    "stomp.relay.retry_delay_max_ms: %" PRIu64 " is less than retry_delay_ms (%" PRIu64 ")",
		    o->stomp.relay_retry_delay_max_ms, o->stomp.relay_retry_delay_ms);
	return 0;
}

/* Whoever wrote it believes that gateways are joined. */
static int check_engine_is_meant(struct sockjs_options *o)
{
	bool is_joined = strcmp(o->stomp.engine_kind, "memory") != 0;
	const struct option *opt;

	if (o->stomp.engine_servers.count == 0 && is_joined)
		return options_fail(o, -EINVAL,
		    "stomp.engine.servers: missing; with stomp.engine.kind \"%s\" it says where they are; allowed: a "
		    "list, each %s",
		    o->stomp.engine_kind, options_find("stomp.engine.servers")->allowed);
	options_foreach (opt)
		if (!is_joined && strncmp(opt->key, "stomp.engine.", 13) == 0 && options_is_said(o, opt))
			return options_fail(o, -EINVAL,
			    "%s: means nothing without stomp.engine.kind \"nats\"", opt->key);
	return 0;
}

/* Servers look at one of them, and nobody would know at which. */
static int check_engine_login(struct sockjs_options *o)
{
	const struct stomp_options *s = &o->stomp;
	const char *password = s->engine_password ? "password" : s->engine_password_file ? "password_file" : NULL;
	const char *const ways[] = {
		s->engine_user ? "user" : NULL,
		s->engine_token        ? "token"
		: s->engine_token_file ? "token_file"
		                       : NULL,
		s->engine_nkey_file ? "nkey_file" : NULL,
		s->engine_credentials_file ? "credentials_file" : NULL,
	};
	const char *way = NULL;

	if (s->engine_password && s->engine_password_file)
		return options_fail(o, -EINVAL,
		    "stomp.engine.password_file: means nothing with stomp.engine.password, which is the password");
	if (s->engine_token && s->engine_token_file)
		return options_fail(o, -EINVAL,
		    "stomp.engine.token_file: means nothing with stomp.engine.token, which is the token");
	if (password && !s->engine_user)
		return options_fail(o, -EINVAL,
		    "stomp.engine.%s: means nothing without stomp.engine.user, whose password it is", password);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (way && ways[i])
			return options_fail(o, -EINVAL,
			    "stomp.engine.%s: means nothing with stomp.engine.%s, by which we log in", ways[i], way);
		way = way ? way : ways[i];
	}
	return 0;
}

static int check_engine(struct sockjs_options *o)
{
	const struct stomp_options *s = &o->stomp;

	if (check_engine_is_meant(o) < 0 || check_engine_login(o) < 0)
		return -EINVAL;
	if (s->engine_servers.count > 0 && s->engine_max_message_bytes < s->max_body_bytes)
		return options_fail(o, -EINVAL,
		    "stomp.engine.max_message_bytes: %" PRIu64 " is less than stomp.max_body_bytes (%" PRIu64
		    "): what a client may send could not come to other gateways",
		    s->engine_max_message_bytes, s->max_body_bytes);
	if (s->engine_retry_delay_max_ms < s->engine_retry_delay_ms)
		return options_fail(o, -EINVAL,
		    "stomp.engine.retry_delay_max_ms: %" PRIu64 " is less than retry_delay_ms (%" PRIu64 ")",
		    s->engine_retry_delay_max_ms, s->engine_retry_delay_ms);
	if (!s->engine_tls_certificate != !s->engine_tls_key)
		return options_fail(o, -EINVAL,
		    "stomp.engine.tls.%s: missing; certificate and key go together",
		    s->engine_tls_key ? "certificate" : "key");
	return 0;
}

static int check_stomp(struct sockjs_options *o)
{
	const struct stomp_options *s = &o->stomp;
	int err;

	if (s->max_head_bytes < s->max_line_bytes)
		return options_fail(o, -EINVAL,
		    "stomp.max_head_bytes: %" PRIu64 " is less than max_line_bytes (%" PRIu64
		    "): the head is all lines together",
		    s->max_head_bytes, s->max_line_bytes);
	err = check_relay(o);
	if (err == 0)
		err = check_engine(o);
	return err < 0 ? err : check_stomp_users(o);
}

static int check_hooks(struct sockjs_options *o)
{
	const struct hooks_options *h = &o->hooks;

	if (!h->url && (h->events.count || h->destinations.count || h->secret || h->secret_file))
		return options_fail(o, -EINVAL, "hooks.url: missing; allowed: %s",
		    options_find("hooks.url")->allowed);
	if (h->secret && h->secret_file)
		return options_fail(o, -EINVAL,
		    "hooks.secret_file: means nothing with hooks.secret, which is the secret");
	return 0;
}

int options_check(struct sockjs_options *o, enum option_scope scope)
{
	static int (*const checks[])(struct sockjs_options *) = {
		[OPTION_SERVER] = check_server,
		[OPTION_LISTENER] = check_listener,
		[OPTION_ENDPOINT] = check_endpoint,
		[OPTION_UPSTREAM] = check_upstream,
		[OPTION_STOMP] = check_stomp,
		[OPTION_HOOKS] = check_hooks,
	};

	o->error[0] = '\0';
	return checks[scope] ? checks[scope](o) : 0;
}
