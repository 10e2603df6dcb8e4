/*
 * server/dashboard.c - the feed of the dashboard: who watches, and what he is told each second.
 *
 * It is an application of ours like any other, but its endpoint is on the internal address alone. A
 * page cannot add headers to a WebSocket, so the token is the first message, and a page of another
 * origin does not come so far. Who does not say it in time is closed, who says another one is closed
 * and counted as he would be for a command. What strangers can have is bounded: so many may be
 * about to say it, and one more makes the oldest go, so that nobody keeps an operator out.
 *
 * All watchers get one message, made and encoded once. Who is slow gets the next one when he has
 * taken the last: nothing piles up for him.
 */
#include "server/dashboard_private.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/api.h"
#include "session/session_record.h"

#define PREFIX        "/dashboard/feed"
#define PENDING_MOST  64
#define WATCHERS_MOST 32
#define LOGIN_MS      10000
#define PROBE_MS      100
#define SECOND_MS     1000
#define CROWD_MS      5000

/* Closes that are ours, for the page to know what to do. */
enum {
	NOT_ALLOWED = 4401,
	TOO_LATE = 4408,
	TOO_MANY = 4429,
};

enum standing { PENDING, IN, SENT_AWAY };

struct watcher {
	struct list node; /* of the dashboard: pending, watchers, or leaving */
	struct sockjs_session *session;
	enum standing standing;
};

/* --- saying ----------------------------------------------------------------------- */

static void count_said(struct dashboard *d, size_t octets)
{
	d->own.messages_out++;
	d->own.bytes_out += octets;
}

/* So that the page need not guess whether there is one. */
static void ask_for_token(struct dashboard *d, struct watcher *w)
{
	static const char question[] = "{\"type\":\"token\"}";

	if (sockjs_send(w->session, question, sizeof(question) - 1) >= 0)
		count_said(d, sizeof(question) - 1);
}

static void say_hello(struct dashboard *d, struct watcher *w)
{
	struct buf text = BUF_INIT;

	if (dashboard_print_hello(d, &text) == 0 &&
	    sockjs_send(w->session, buf_data(&text), buf_len(&text)) >= 0)
		count_said(d, buf_len(&text));
	else
		sockjs_close(w->session, SOCKJS_CLOSE_INTERNAL_ERROR, NULL);
	buf_fini(&text);
}

static void tell_all(struct dashboard *d, struct sockjs_prepared *p, size_t octets)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &d->watchers) {
		const struct watcher *w = container_of(pos, struct watcher, node);

		if (sockjs_buffered(w->session) <= octets && /* one that is under way */
		    sockjs_offer_prepared(w->session, p) >= 0)
			count_said(d, octets);
	}
}

void dashboard_gathered(struct dashboard *d)
{
	struct sockjs_prepared *p = NULL;
	struct buf text = BUF_INIT;

	if (d->now.at_ms >= d->history_at) {
		history_add(&d->history, &d->now);
		d->history_at = d->now.at_ms + HISTORY_STEP_MS;
	}
	if (d->watcher_count > 0 && dashboard_print_figures(d, &text) == 0)
		p = sockjs_prepare(buf_data(&text), buf_len(&text), 0);
	if (p)
		tell_all(d, p, buf_len(&text));
	sockjs_prepared_free(p);
	buf_fini(&text);
}

/* --- the configuration of the moment ------------------------------------------------ */

static void forget_token(struct dashboard *d)
{
	if (d->token)
		explicit_bzero(d->token, strlen(d->token));
	mem_free(d->token);
	d->token = NULL;
}

/* 0 or -ENOMEM; then it is the one before, for without any everybody would come in. */
static int take_token(struct dashboard *d)
{
	const char *token = d->reactor->config->token;
	char *copy = token ? mem_strdup(token) : NULL;

	if (token && !copy)
		return -ENOMEM;
	forget_token(d);
	d->token = copy;
	return 0;
}

static void send_all_away(struct list *watchers)
{
	struct list *pos;

	list_foreach (pos, watchers)
		sockjs_close(container_of(pos, struct watcher, node)->session,
		    SOCKJS_CLOSE_GOING_AWAY, "The configuration has changed");
}

/* Another token: whoever has said the old one says the new one. */
static void follow_config(struct dashboard *d)
{
	const struct server_config *config = d->reactor->config;
	const char *now = config->token ? config->token : "", *then = d->token ? d->token : "";
	bool is_other = strcmp(now, then) != 0;

	if (!is_other && config->options.server.dashboard)
		return;
	send_all_away(&d->pending);
	send_all_away(&d->watchers);
	if (is_other && take_token(d) < 0)
		log_warn_limited("the dashboard does not know the new token yet: out of memory");
}

/* --- time ---------------------------------------------------------------------------- */

static void start_tick(struct dashboard *d)
{
	timer_start(loop_timers(d->reactor->loop), &d->tick,
	    d->watcher_count > 0 ? PROBE_MS : HISTORY_STEP_MS);
}

static bool is_due(uint64_t *at, uint64_t now, uint64_t step)
{
	if (now < *at)
		return false;
	*at = now + step;
	return true;
}

static void on_tick(struct timer *t)
{
	struct dashboard *d = container_of(t, struct dashboard, tick);
	uint64_t now = loop_now(d->reactor->loop);
	bool is_watched;

	follow_config(d);
	is_watched = d->watcher_count > 0;
	if (is_watched)
		waits_ask_all(d);
	if (is_due(&d->second_at, now, SECOND_MS))
		figures_gather(d);
	if (is_watched && d->token && is_due(&d->crowd_at, now, CROWD_MS))
		crowd_gather(&d->crowd);
	start_tick(d);
}

/* --- who comes in --------------------------------------------------------------------- */

/* Whatever it was, it is no more. */
static void leave(struct dashboard *d, struct watcher *w)
{
	if (w->standing == IN)
		d->watcher_count--;
	else if (w->standing == PENDING)
		d->pending_count--;
	list_remove(&w->node);
	list_append(&d->leaving, &w->node);
	w->standing = SENT_AWAY;
}

static void let_in(struct dashboard *d, struct watcher *w)
{
	if (d->watcher_count == WATCHERS_MOST) {
		leave(d, w);
		sockjs_close(w->session, TOO_MANY, "Too many watch already");
		return;
	}
	leave(d, w);
	list_remove(&w->node);
	list_append(&d->watchers, &w->node);
	d->watcher_count++;
	w->standing = IN;
	sockjs_set_timer(w->session, 0);
	say_hello(d, w);
	if (d->watcher_count == 1) {
		d->second_at = 0; /* the first figures come at once */
		start_tick(d);
	}
}

static void refuse(struct dashboard *d, struct watcher *w)
{
	leave(d, w);
	http_refused(reactor_current()->base.http, HTTP_REFUSED_TOKEN, &w->session->client,
	    HTTP_REFUSED_FIELDS(LOG_STR("endpoint", PREFIX), LOG_INT("code", NOT_ALLOWED)));
	sockjs_close(w->session, NOT_ALLOWED, "The token of internal.token is needed");
}

static bool says_token(const struct dashboard *d, const struct sockjs_message *m)
{
	json_t *said = json_loadb(m->data, m->len, JSON_REJECT_DUPLICATES, NULL),
	       *token = json_object_get(said, "token");
	bool is_right = d->token && json_is_string(token) &&
	                api_is_token(d->token, (struct bytes){ json_string_value(token),
	                                           json_string_length(token) });

	json_decref(said);
	return is_right;
}

/* The one who has waited longest is the least likely to be an operator. */
static void make_room(struct dashboard *d)
{
	struct watcher *oldest;

	if (d->pending_count <= PENDING_MOST)
		return;
	oldest = container_of(list_first(&d->pending), struct watcher, node);
	leave(d, oldest);
	session_cut(&oldest->session->base, CLOSE_TOO_MUCH_HELD);
}

/* --- the application -------------------------------------------------------------------- */

static void on_open(struct sockjs_session *s, void *app)
{
	struct dashboard *d = app;
	struct watcher *w = mem_zalloc(sizeof(*w));

	follow_config(d);
	if (!w || sockjs_set_timer(s, LOGIN_MS) < 0) {
		mem_free(w);
		sockjs_close(s, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
		return;
	}
	w->session = s;
	sockjs_set_user(s, w);
	list_append(&d->pending, &w->node);
	d->pending_count++;
	if (!d->token) {
		let_in(d, w);
		return;
	}
	ask_for_token(d, w);
	make_room(d);
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
{
	struct dashboard *d = app;
	struct watcher *w = sockjs_user(s);

	d->own.messages_in++;
	d->own.bytes_in += m->len;
	if (!w || w->standing != PENDING)
		return;
	if (says_token(d, m))
		let_in(d, w);
	else
		refuse(d, w);
}

static void on_timer(struct sockjs_session *s, void *app)
{
	(void)app;
	sockjs_close(s, TOO_LATE, "The token did not come in time");
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *app)
{
	struct dashboard *d = app;
	struct watcher *w = sockjs_user(s);

	(void)reason;
	if (s->base.opened) {
		d->own.closed[close_code_row(code)]++;
		d->own.all_closed++;
	}
	if (!w)
		return;
	leave(d, w);
	list_remove(&w->node);
	sockjs_set_user(s, NULL);
	mem_free(w);
}

static const struct sockjs_callbacks callbacks = {
	.open = on_open,
	.message = on_message,
	.timer = on_timer,
	.close = on_close,
};

/* --- what is its own ---------------------------------------------------------------------- */

static void take_away(uint64_t *from, uint64_t n)
{
	*from -= n < *from ? n : *from;
}

static void take_away_open(const struct list *watchers, struct session_counters *c)
{
	const struct list *pos;
	unsigned place;

	list_foreach (pos, watchers) {
		const struct session *s =
		    &container_of(pos, const struct watcher, node)->session->base;

		if (!s->opened)
			continue;
		take_away(&c->now, 1);
		take_away(&c->opened, 1);
		place = session_transport_place(s->reactor, s->transport);
		if (place < SESSION_TRANSPORTS_MAX)
			take_away(&c->carried[place], 1);
	}
}

void dashboard_take_away_own(const struct dashboard *d, struct session_counters *c)
{
	const struct own_figures *own = &d->own;

	take_away_open(&d->pending, c);
	take_away_open(&d->watchers, c);
	take_away_open(&d->leaving, c);
	take_away(&c->opened, own->all_closed);
	for (unsigned i = 0; i < CLOSE_CODE_ROWS; i++)
		take_away(&c->closed[i], own->closed[i]);
	take_away(&c->messages_in, own->messages_in);
	take_away(&c->bytes_in, own->bytes_in);
	take_away(&c->messages_out, own->messages_out);
	take_away(&c->bytes_out, own->bytes_out);
}

/* --- the endpoint --------------------------------------------------------------------------- */

/* What is set for the public does not hold for operators: every default but these. */
static struct sockjs_options *feed_options(void)
{
	static const char *const own[][2] = {
		{ "max_message_bytes", "4096" },
		{ "max_body_bytes", "16384" },
		{ "max_messages_per_second", "10" },
		{ "send_buffer_bytes", "262144" },
		{ "client_url", "/dashboard/sockjs.min.js" },
	};
	struct sockjs_options *o = sockjs_options_new();

	for (size_t i = 0; o && i < sizeof(own) / sizeof(*own); i++) {
		if (sockjs_options_set(o, own[i][0], own[i][1]) == 0)
			continue;
		sockjs_options_free(o);
		o = NULL;
	}
	return o;
}

static int make_feed(struct dashboard *d)
{
	struct sockjs_options *o = feed_options();
	struct endpoint_wish wish = {
		.prefix = PREFIX, .callbacks = &callbacks, .app = d, .options = o };

	d->feed = o ? endpoint_new_apart(d->reactor->config, &wish) : NULL;
	sockjs_options_free(o);
	if (!d->feed)
		return -ENOMEM;
	d->feed->is_internal = true;
	return 0;
}

struct server_endpoint *dashboard_feed(
    struct reactor *reactor, struct bytes path, struct bytes *rest)
{
	size_t n = sizeof(PREFIX) - 1;
	struct dashboard *d;

	if (path.n < n || memcmp(path.p, PREFIX, n) != 0 || (path.n > n && path.p[n] != '/'))
		return NULL;
	d = dashboard_of(reactor);
	*rest = (struct bytes){ path.p + n, path.n - n };
	return d ? d->feed : NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

/* The page can do without: by a plain WebSocket. */
static void find_client(struct dashboard *d)
{
	const char *file = d->reactor->config->options.server.client_library;

	if (!file)
		file = d->server->client;
	if (!file || http_static_new(&d->client, NULL) < 0)
		return;
	if (http_static_alias(d->client, "/dashboard/sockjs.min.js", file) < 0)
		log_warn("the dashboard does without a client library, which cannot be read",
		    LOG_STR("client_library", file));
}

static struct dashboard *dashboard_new(struct reactor *reactor)
{
	struct dashboard *d = mem_zalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->server = reactor->server;
	d->reactor = reactor;
	list_init(&d->pending);
	list_init(&d->watchers);
	list_init(&d->leaving);
	timer_init(&d->tick, on_tick);
	crowd_init(&d->crowd, d);
	find_client(d);
	d->waits = mem_zalloc(d->server->reactor_count * sizeof(*d->waits));
	if (!d->waits || make_feed(d) < 0 || take_token(d) < 0) {
		dashboard_free(d);
		return NULL;
	}
	return d;
}

struct dashboard *dashboard_of(struct reactor *reactor)
{
	struct sockjs_server *server = reactor->server;

	if (!reactor->config->options.server.dashboard)
		return NULL;
	if (!server->dashboard && (server->dashboard = dashboard_new(reactor)) != NULL) {
		figures_gather(server->dashboard);
		start_tick(server->dashboard);
	}
	return server->dashboard;
}

void dashboard_start(struct reactor *reactor)
{
	const struct server_config *config = reactor->config;

	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i]->is_internal) {
			dashboard_of(reactor);
			return;
		}
}

void dashboard_stop(struct dashboard *d)
{
	if (d)
		timer_stop(loop_timers(d->reactor->loop), &d->tick);
}

void dashboard_free(struct dashboard *d)
{
	if (!d)
		return;
	if (d->feed)
		endpoint_unref(&d->feed->base);
	http_static_free(d->client);
	crowd_fini(&d->crowd);
	forget_token(d);
	mem_free(d->waits);
	mem_free(d);
}
