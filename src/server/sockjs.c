/*
 * server/sockjs.c - handshakes and sessions as applications see them
 * (include/sockjs.h).
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "server/handshake.h"
#include "server/server_private.h"
#include "ws/ws_answer.h"
#include "ws/ws_handshake.h"

const char *sockjs_version(void)
{
	return SOCKJS_VERSION;
}

/* --- the session's callbacks -------------------------------------------- */

static struct sockjs_session *of(struct session *base)
{
	return container_of(base, struct sockjs_session, base);
}

/* That is decided, and the answer has gone. */
static void drop_hold(struct session_extra *extra)
{
	struct session_hold *hold = extra ? extra->hold : NULL;

	if (!hold)
		return;
	extra->hold = NULL;
	mem_free(hold->offers);
	buf_fini(&hold->headers);
	mem_free(hold);
}

static struct session_hold *hold_of(struct sockjs_session *s)
{
	struct session_extra *extra = session_extra(s);

	if (extra && !extra->hold)
		extra->hold = mem_zalloc(sizeof(*extra->hold));
	return extra ? extra->hold : NULL;
}

static void on_open(struct session *base)
{
	struct sockjs_session *s = of(base);
	char remote[ADDR_TEXT_MAX];

	drop_hold(s->extra);
	log_debug("session open", LOG_INT("session", base->id),
	    LOG_STR("endpoint", s->endpoint->prefix), LOG_STR("transport", base->transport),
	    LOG_STR("remote", addr_print(&s->client, false, remote)));
	if (s->endpoint->callbacks.open)
		s->endpoint->callbacks.open(s, s->endpoint->app);
}

static void on_message(struct session *base, const char *data, size_t n, bool binary)
{
	struct sockjs_session *s = of(base);
	struct sockjs_message m = { data, n, binary };

	if (s->endpoint->callbacks.message)
		s->endpoint->callbacks.message(s, &m, s->endpoint->app);
}

static void on_metered_message(struct session *base, const char *data, size_t n, bool binary)
{
	on_message(base, data, n, binary);
	meter_charge(of(base), n);
}

static void on_writable(struct session *base)
{
	struct sockjs_session *s = of(base);

	if (s->endpoint->callbacks.writable)
		s->endpoint->callbacks.writable(s, s->endpoint->app);
}

static void on_close(struct session *base, unsigned code, const char *reason)
{
	struct sockjs_session *s = of(base);

	log_debug("session closed", LOG_INT("session", base->id), LOG_INT("code", code),
	    LOG_STR("reason", reason));
	atomic_fetch_sub_explicit(&s->endpoint->sessions, 1, memory_order_relaxed);
	meter_stop(s->extra);
	if (s->extra) {
		quota_release(s->extra->visitor, VISITOR_SESSION);
		s->extra->visitor = NULL;
		timer_stop(loop_timers(base->reactor->loop), &s->extra->timer);
		group_leave_all(s->extra);
		ref_session_closed(s->extra->ref);
	}
	if (s->endpoint->callbacks.close)
		s->endpoint->callbacks.close(s, code, reason, s->endpoint->app);
	if (s->extra) { /* what the close callback may have started again */
		timer_stop(loop_timers(base->reactor->loop), &s->extra->timer);
		ref_session_closed(s->extra->ref);
	}
}

static struct reactor *reactor_of(const struct sockjs_session *s)
{
	return container_of(s->base.reactor, struct reactor, base.sessions);
}

static void on_free(struct session *base)
{
	struct sockjs_session *s = of(base);

	session_ids_remove(&reactor_of(s)->session_ids, base);
	if (s->extra) {
		sockjs_ref_free(s->extra->ref);
		subprotocol_drop(reactor_of(s), s->extra->subprotocol);
		drop_hold(s->extra);
		mem_free(s->extra);
	}
	mem_free(s);
}

static const struct session_ops session_ops = {
	.open = on_open,
	.message = on_message,
	.writable = on_writable,
	.close = on_close,
	.free = on_free,
};

static const struct session_ops metered_session_ops = {
	.open = on_open,
	.message = on_metered_message,
	.writable = on_writable,
	.close = on_close,
	.free = on_free,
};

static void on_user_timer(struct timer *t);

struct session_extra *session_extra(struct sockjs_session *s)
{
	struct session_extra *extra = s->extra;

	if (extra)
		return extra;
	extra = mem_zalloc(sizeof(*extra));
	if (!extra)
		return NULL;
	extra->owner = s;
	timer_init(&extra->timer, on_user_timer);
	s->extra = extra;
	return extra;
}

/* --- a new session ------------------------------------------------------ */

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
	s->user = h->user;
	s->client = h->t->client.address;
	session_init(&s->base, &h->t->reactor->sessions, &h->endpoint->base.limits,
	    s->extra && s->extra->meter ? &metered_session_ops : &session_ops,
	    h->t->transport->name, h->t->transport->is_raw);
	if (h->subprotocol.n && session_extra(s))
		/* Without memory it is not remembered */
		s->extra->subprotocol = subprotocol_take(reactor_of(s), h->subprotocol);
	if (h->endpoint->server->api && session_ids_add(&reactor_of(s)->session_ids, &s->base) < 0)
		log_warn_limited("a session cannot be found by its number: out of memory",
		    LOG_INT("session", s->base.id));
	atomic_fetch_add_explicit(&h->endpoint->sessions, 1, memory_order_relaxed);
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
	if (err < 0 || buf_add(&offers, "", 1) < 0 || !hold_of(s)) {
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
	const struct server_options *o = &ep->server->options.server;
	uint64_t most = ep->options.max_sessions;

	*visitor = NULL;
	if (t->reactor->sessions.draining)
		return refuse(t, accepted, HTTP_REFUSED_DRAINING, 503, 0);
	if (most && atomic_load(&ep->sessions) >= most)
		return refuse(t, accepted, HTTP_REFUSED_MAX_SESSIONS, 503, most);
	if (!ep->server->visitors || http_trusts(&ep->server->trust, &t->client.address))
		return 0;
	switch (visitor_enter(ep->server->visitors, &t->client.address, VISITOR_SESSION, visitor)) {
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
	struct sockjs_handshake h = { .t = t, .endpoint = ep };
	struct quota_row *visitor;
	struct sockjs_session *s;
	unsigned status;

	status = admit(t, accepted, &visitor);
	if (status)
		return status;
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

const char *endpoint_subprotocol(const struct session *s)
{
	return sockjs_subprotocol(container_of(s, struct sockjs_session, base));
}

static bool is_on_hold(const struct sockjs_session *s)
{
	return s->base.state == SESSION_CONNECTING && s->base.decision == SESSION_HELD;
}

static bool was_offered(const char *offers, const char *subprotocol)
{
	for (; *offers; offers += strlen(offers) + 1)
		if (strcmp(offers, subprotocol) == 0)
			return true;
	return false;
}

int sockjs_accept(struct sockjs_session *s, const char *subprotocol)
{
	if (!is_on_hold(s))
		return -EALREADY;
	if (subprotocol) {
		if (!s->extra || !s->extra->hold || !s->extra->hold->offers ||
		    !was_offered(s->extra->hold->offers, subprotocol))
			return -EINVAL;
		if (strlen(subprotocol) > SUBPROTOCOL_MAX)
			return -EMSGSIZE;
		subprotocol_drop(reactor_of(s), s->extra->subprotocol);
		s->extra->subprotocol = subprotocol_take(reactor_of(s), bytes_of(subprotocol));
		if (!s->extra->subprotocol)
			return -ENOMEM;
	}
	session_accept(&s->base);
	return 0;
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
	if (!is_on_hold(s))
		return -EALREADY;
	if (strcmp(s->base.transport, websocket_raw_transport.name) != 0)
		return -ENOTSUP;
	if (!is_header(name, value))
		return -EINVAL;
	return hold_of(s) ? add_line(&s->extra->hold->headers, name, value) : -ENOMEM;
}

struct bytes endpoint_headers(const struct session *base)
{
	const struct session_extra *extra = container_of(base, struct sockjs_session, base)->extra;

	if (!extra || !extra->hold)
		return (struct bytes){ 0 };
	return (struct bytes){ buf_data(&extra->hold->headers), buf_len(&extra->hold->headers) };
}

/* --- session ------------------------------------------------------------ */

int message_from_app(struct message **out, const void *text, size_t n, bool for_many)
{
	bool surrogates = false;
	struct message *m;

	if (!utf8_is_valid_wide(text, n, &surrogates))
		return -EILSEQ;
	m = message_new(text, n, false, for_many);
	if (!m)
		return -ENOMEM;
	m->has_surrogates = surrogates;
	*out = m;
	return 0;
}

static int send_message(struct sockjs_session *s, const void *data, size_t n, bool binary)
{
	bool surrogates = false;
	struct message *m;
	int err;

	if (!session_is_open(&s->base))
		return -EPIPE;
	if (!binary && !utf8_is_valid_wide(data, n, &surrogates))
		return -EILSEQ;
	m = message_new_in(&s->base.reactor->stash, data, n, binary);
	if (!m)
		return -ENOMEM;
	m->has_surrogates = surrogates;
	err = session_send(&s->base, m);
	message_unref(m);
	return err;
}

void send_accepted(struct sockjs_session *s, struct message *m)
{
	int err = session_send(&s->base, m);

	if (err == -EMSGSIZE)
		session_close(&s->base, CLOSE_TOO_BIG, NULL);
	else if (err == -ENOMEM)
		session_close(&s->base, CLOSE_INTERNAL_ERROR, "Out of memory");
}

int sockjs_send(struct sockjs_session *s, const void *text, size_t len)
{
	return send_message(s, text, len, false);
}

int sockjs_send_binary(struct sockjs_session *s, const void *data, size_t len)
{
	return s->base.is_raw ? send_message(s, data, len, true) : -ENOTSUP;
}

/* --- prepared messages ---------------------------------------------------- */

/* One is a message that was made for many, under the name that applications know. */
static struct message *message_of(struct sockjs_prepared *p)
{
	return (struct message *)(void *)p;
}

struct sockjs_prepared *sockjs_prepare(const void *data, size_t len, int is_binary)
{
	struct message *m = NULL;

	if (is_binary)
		m = message_new(data, len, true, true);
	else if (message_from_app(&m, data, len, true) < 0)
		return NULL;
	return (struct sockjs_prepared *)(void *)m;
}

struct sockjs_prepared *sockjs_prepared_ref(struct sockjs_prepared *p)
{
	message_ref(message_of(p));
	return p;
}

void sockjs_prepared_free(struct sockjs_prepared *p)
{
	message_unref(message_of(p));
}

int sockjs_send_prepared(struct sockjs_session *s, struct sockjs_prepared *p)
{
	struct message *m = message_of(p);

	return m->binary && !s->base.is_raw ? -ENOTSUP : session_send(&s->base, m);
}

int sockjs_offer_prepared(struct sockjs_session *s, struct sockjs_prepared *p)
{
	struct message *m = message_of(p);

	return m->binary && !s->base.is_raw ? -ENOTSUP : session_offer(&s->base, m);
}

/* --- closing --------------------------------------------------------------- */

/* The codes an application may close with. */
static bool is_code(unsigned code)
{
	return code == 1000 ||
	       (code >= 1001 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

/* As much of a reason as fits and is UTF-8; NULL: none worth sending. */
static const char *cut_reason(const char *reason, char out[124])
{
	size_t n = reason ? strlen(reason) : 0;

	if (n >= 124) {
		n = 123;
		while (n > 0 && ((unsigned char)reason[n] & 0xc0) == 0x80)
			n--; /* not in the middle of a character */
	}
	if (n)
		memcpy(out, reason, n);
	out[n] = '\0';
	return reason && utf8_is_valid(out, n) ? out : NULL;
}

void sockjs_close(struct sockjs_session *s, unsigned code, const char *reason)
{
	char text[124];

	session_close(&s->base, is_code(code) ? code : CLOSE_NORMAL, cut_reason(reason, text));
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

	if (!is_on_hold(s))
		return -EALREADY;
	count_refusal(s, status, code, reason);
	session_refuse(&s->base, status >= 400 && status <= 599 ? status : 500,
	    is_code(code) ? code : CLOSE_NORMAL, cut_reason(reason, text));
	return 0;
}

void sockjs_set_retry_after(struct sockjs_session *s, unsigned seconds)
{
	if (is_on_hold(s))
		s->base.retry_after = seconds;
}

void sockjs_pause(struct sockjs_session *s)
{
	session_pause(&s->base);
}

void sockjs_resume(struct sockjs_session *s)
{
	session_resume(&s->base);
}

static void on_user_timer(struct timer *t)
{
	struct session_extra *extra = container_of(t, struct session_extra, timer);
	struct sockjs_session *s = extra->owner;

	if (session_is_open(&s->base) && s->endpoint->callbacks.timer)
		s->endpoint->callbacks.timer(s, s->endpoint->app);
}

int sockjs_set_timer(struct sockjs_session *s, unsigned ms)
{
	struct timer_wheel *wheel = loop_timers(s->base.reactor->loop);
	struct session_extra *extra;

	if (ms == 0 && !s->extra)
		return 0;
	extra = session_extra(s);
	if (!extra)
		return -ENOMEM;
	timer_stop(wheel, &extra->timer);
	if (ms)
		timer_start(wheel, &extra->timer, ms);
	return 0;
}

void *sockjs_user(const struct sockjs_session *s)
{
	return s->user;
}

void sockjs_set_user(struct sockjs_session *s, void *user)
{
	s->user = user;
}

unsigned long long sockjs_id(const struct sockjs_session *s)
{
	return s->base.id;
}

const char *sockjs_transport(const struct sockjs_session *s)
{
	return s->base.transport;
}

const char *sockjs_subprotocol(const struct sockjs_session *s)
{
	return s->extra ? s->extra->subprotocol : NULL;
}

const char *sockjs_remote(const struct sockjs_session *s)
{
	static _Thread_local char text[ADDR_TEXT_MAX];

	return addr_print(&s->client, false, text);
}

unsigned long sockjs_heard_ago(const struct sockjs_session *s)
{
	return session_heard_ago(&s->base);
}

unsigned long sockjs_said_ago(const struct sockjs_session *s)
{
	return (unsigned long)session_said_ago(&s->base);
}

void sockjs_set_heartbeat(struct sockjs_session *s, unsigned every_ms)
{
	session_set_heartbeat(
	    &s->base, every_ms == 0 || every_ms > s->base.limits->heartbeat_delay_ms);
}

size_t sockjs_buffered(const struct sockjs_session *s)
{
	return session_buffered(&s->base);
}
