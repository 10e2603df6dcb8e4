/*
 * server/accept.c - a new session: limits, then what the application says; and one on
 * hold, about which it decides later.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/handshake.h"
#include "server/server_private.h"
#include "server/session_network.h"
#include "server/session_notes.h"
#include "ws/ws_answer.h"
#include "ws/ws_handshake.h"

struct session_hold *session_hold_get(struct sockjs_session *s)
{
	struct session_extra *extra = session_extra(s);

	if (extra && !extra->hold)
		extra->hold = mem_zalloc(sizeof(*extra->hold));
	return extra ? extra->hold : NULL;
}

static unsigned ask_application(struct sockjs_handshake *h)
{
	int status = 0;

	if (h->endpoint->callbacks.handshake)
		status = h->endpoint->callbacks.handshake(h, h->endpoint->app);
	if (status != 0 && status != SOCKJS_LATER && (status < 400 || status > 599))
		status = 500;
	return (unsigned)status;
}

/* From here on the application will see open and close, whatever happens. */
static void begin_session(struct sockjs_session *s, const struct sockjs_handshake *h)
{
	s->endpoint = h->endpoint;
	endpoint_hold(s->endpoint);
	s->user = h->user;
	session_init(&s->base, &h->t->reactor->sessions, &h->endpoint->base.limits,
	    s->extra && s->extra->meter ? &app_metered_session_ops : &app_session_ops,
	    h->t->transport->name, h->t->transport->is_raw);
	session_network_begin(s, h->network);
	if (h->subprotocol.n && session_extra(s))
		/* Without memory it is not remembered */
		s->extra->subprotocol = name_take(session_reactor_of(s), h->subprotocol);
	if (server_config_takes_commands(session_reactor_of(s)->config) &&
	    session_ids_add(&session_reactor_of(s)->session_ids, &s->base) < 0)
		log_warn_limited("a session cannot be found by its number: out of memory",
		    LOG_INT("session", s->base.id));
	session_notes_begin(s, h);
	atomic_fetch_add_explicit(&h->endpoint->place->sessions, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->endpoint->server->sessions, 1, memory_order_relaxed);
}

/* The application decides later, and may want to choose then. Most clients offer nothing, and
 * nothing is kept for them. */
static int hold_session(struct sockjs_session *s, const struct sockjs_handshake *h)
{
	struct buf offers = BUF_INIT;
	struct bytes token;
	int err = 0;

	if (!handshake_offer(h, 0).p)
		return 0;
	for (size_t i = 0; err == 0 && (token = handshake_offer(h, i)).p; i++)
		if (buf_add(&offers, token.p, token.n) < 0 || buf_add(&offers, "", 1) < 0)
			err = -ENOMEM;
	if (err < 0 || buf_add(&offers, "", 1) < 0 || !session_hold_get(s)) {
		buf_fini(&offers);
		return -ENOMEM;
	}
	s->extra->hold->offers =
	    buf_data(&offers); /* not consumed from: it is where it was allocated */
	return 0;
}

static unsigned begin_held(
    struct sockjs_session *s, struct sockjs_handshake *h, struct transport_accept *accepted)
{
	begin_session(s, h);
	session_hold(&s->base);
	accepted->session = &s->base;
	accepted->held = true;
	if (hold_session(s, h) < 0)
		sockjs_refuse(s, 503, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
	if (h->endpoint->callbacks.connecting)
		h->endpoint->callbacks.connecting(s, h->endpoint->app);
	return 0;
}

/* Counts and says a refusal; its status. */
static unsigned refuse(const struct transport_request *t, struct transport_accept *accepted,
    enum http_refusal why, unsigned status, uint64_t limit)
{
	accepted->retry_after = status == 503 || status == 429;
	transport_refused(t, why,
	    HTTP_REFUSED_FIELDS(LOG_INT("status", status),
	        limit ? LOG_INT("limit", limit) : (struct log_field){ 0 }));
	return status;
}

/* What does not depend on the application; 0 or the status of a refusal. */
static unsigned admit(const struct transport_request *t, struct transport_accept *accepted,
    struct quota_row **visitor)
{
	struct server_endpoint *ep = container_of(t->endpoint, struct server_endpoint, base);
	const struct server_config *config = config_here(ep->server);
	const struct server_options *o = &config->options.server;
	uint64_t most = ep->options.max_sessions;

	*visitor = NULL;
	if (!ep->is_internal &&
	    (ep->is_leaving || server_config_endpoint(config, ep->prefix) != ep))
		return refuse(t, accepted, HTTP_REFUSED_NOT_FOUND, 404, 0);
	if (t->reactor->sessions.draining)
		return refuse(t, accepted, HTTP_REFUSED_DRAINING, 503, 0);
	if (most && atomic_load(&ep->place->sessions) >= most)
		return refuse(t, accepted, HTTP_REFUSED_MAX_SESSIONS, 503, most);
	if (!config->visitors || ep->is_internal ||
	    http_trusts(&config->trust, &t->client.address))
		return 0;
	switch (visitor_enter(config->visitors, &t->client.address, config->prefixes,
	    VISITOR_SESSION, visitor)) {
	case QUOTA_GRANTED:
		return 0;
	case QUOTA_TOO_MANY:
		return refuse(t, accepted, HTTP_REFUSED_SESSIONS_PER_ADDRESS, 429,
		    o->limit_sessions_per_address);
	case QUOTA_TOO_FAST:
		return refuse(t, accepted, HTTP_REFUSED_HANDSHAKE_RATE, 429,
		    o->limit_handshake_rate_per_address);
	case QUOTA_NO_MEMORY:
		break;
	}
	return refuse(t, accepted, HTTP_REFUSED_NO_MEMORY, 503, 0);
}

/* Not yet known to anybody. */
static void session_drop(struct sockjs_session *s)
{
	meter_stop(s->extra);
	mem_free(s->extra);
	mem_free(s);
}

static struct sockjs_session *session_new(struct server_endpoint *ep, struct quota_row *visitor)
{
	struct sockjs_session *s = mem_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	if ((visitor && !session_extra(s)) || (meter_is_wanted(ep) && meter_start(s) < 0)) {
		session_drop(s);
		return NULL;
	}
	if (visitor)
		s->extra->visitor = visitor;
	return s;
}

unsigned endpoint_accept(const struct transport_request *t, struct transport_accept *accepted)
{
	struct server_endpoint *ep = container_of(t->endpoint, struct server_endpoint, base);
	struct network_begin network;
	struct sockjs_handshake h = { .t = t, .endpoint = ep, .network = &network };
	struct quota_row *visitor;
	struct sockjs_session *s;
	unsigned status;

	status = admit(t, accepted, &visitor);
	if (status)
		return status;
	if (!session_network_admits(ep, t, &network)) {
		quota_release(visitor, VISITOR_SESSION);
		return refuse(t, accepted, HTTP_REFUSED_NETWORK, 403, 0);
	}
	/* Before the application is asked: its answer must not get lost */
	s = session_new(ep, visitor);
	if (!s) {
		quota_release(visitor, VISITOR_SESSION);
		return refuse(t, accepted, HTTP_REFUSED_NO_MEMORY, 503, 0);
	}
	status = ask_application(&h);
	if (status == 0) {
		handshake_select_by_list(&h);
		begin_session(s, &h);
		accepted->session = &s->base;
		accepted->subprotocol = h.subprotocol;
	} else if (status == SOCKJS_LATER) {
		status = begin_held(s, &h, accepted);
	} else {
		refuse(t, accepted, HTTP_REFUSED_APPLICATION, status, 0);
		quota_release(visitor, VISITOR_SESSION);
		session_drop(s);
	}
	handshake_fini(&h);
	return status;
}

/* --- on hold -------------------------------------------------------------- */

static bool was_offered(const char *offers, const char *subprotocol)
{
	for (; *offers; offers += strlen(offers) + 1)
		if (strcmp(offers, subprotocol) == 0)
			return true;
	return false;
}

int sockjs_accept(struct sockjs_session *s, const char *subprotocol)
{
	if (!session_is_on_hold(s))
		return -EALREADY;
	if (subprotocol) {
		if (!s->extra || !s->extra->hold || !s->extra->hold->offers ||
		    !was_offered(s->extra->hold->offers, subprotocol))
			return -EINVAL;
		if (strlen(subprotocol) > SUBPROTOCOL_MAX)
			return -EMSGSIZE;
		name_drop(session_reactor_of(s), s->extra->subprotocol);
		s->extra->subprotocol =
		    name_take(session_reactor_of(s), bytes_of(subprotocol));
		if (!s->extra->subprotocol)
			return -ENOMEM;
	}
	session_accept(&s->base);
	return 0;
}

/* In the reactor of the session, as all its affairs are. */
static void count_refusal(
    const struct sockjs_session *s, unsigned status, unsigned code, const char *reason)
{
	struct transport_reactor *reactor = transport_reactor_current();

	if (!reactor || !reactor->http)
		return;
	http_refused(reactor->http, HTTP_REFUSED_APPLICATION, &s->client,
	    HTTP_REFUSED_FIELDS(LOG_STR("endpoint", s->endpoint->prefix),
	        LOG_STR("transport", s->base.transport), LOG_INT("status", status),
	        LOG_INT("code", code), LOG_STR("answer", reason)));
}

int sockjs_refuse(struct sockjs_session *s, unsigned status, unsigned code, const char *reason)
{
	char text[124];

	if (!session_is_on_hold(s))
		return -EALREADY;
	count_refusal(s, status, code, reason);
	session_refuse(&s->base, status >= 400 && status <= 599 ? status : 500,
	    close_code_is_allowed(code) ? code : CLOSE_NORMAL, close_reason_cut(reason, text));
	return 0;
}

void sockjs_set_retry_after(struct sockjs_session *s, unsigned seconds)
{
	if (session_is_on_hold(s))
		s->base.retry_after = seconds;
}

/* --- headers for the answer ---------------------------------------------- */

#define ADDED_HEADERS_MAX 8192

static bool begins_with(const char *name, const char *beginning)
{
	return strncasecmp(name, beginning, strlen(beginning)) == 0;
}

/* What the answer says of itself, or what would make another one of it. */
static bool is_our_own(const char *name)
{
	static const char *const own[] = { "connection", "date", "keep-alive", "retry-after",
		"server", "trailer", "transfer-encoding", "upgrade" };

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (strcasecmp(name, own[i]) == 0)
			return true;
	return begins_with(name, "content-") || begins_with(name, "proxy-") ||
	       begins_with(name, "sec-websocket-");
}

static bool is_header(const char *name, const char *value)
{
	struct bytes n = bytes_of(name);

	return n.n > 0 && ws_token_length(n) == n.n && !is_our_own(name) &&
	       ws_is_field_text(bytes_of(value));
}

static int add_line(struct buf *to, const char *name, const char *value)
{
	size_t n = strlen(name) + strlen(value) + 4;
	char *line;

	if (buf_len(to) + n > ADDED_HEADERS_MAX)
		return -ENOBUFS;
	line = buf_reserve(to, n + 1);
	if (!line)
		return -ENOMEM;
	snprintf(line, n + 1, "%s: %s\r\n", name, value);
	buf_commit(to, n);
	return 0;
}

int sockjs_add_header(struct sockjs_session *s, const char *name, const char *value)
{
	if (!session_is_on_hold(s))
		return -EALREADY;
	if (strcmp(s->base.transport, websocket_raw_transport.name) != 0)
		return -ENOTSUP;
	if (!is_header(name, value))
		return -EINVAL;
	return session_hold_get(s) ? add_line(&s->extra->hold->headers, name, value) : -ENOMEM;
}

const char *endpoint_subprotocol(const struct session *s)
{
	return sockjs_subprotocol(container_of(s, struct sockjs_session, base));
}

struct bytes endpoint_headers(const struct session *base)
{
	const struct session_extra *extra = container_of(base, struct sockjs_session, base)->extra;

	if (!extra || !extra->hold)
		return (struct bytes){ 0 };
	return (struct bytes){ buf_data(&extra->hold->headers), buf_len(&extra->hold->headers) };
}
