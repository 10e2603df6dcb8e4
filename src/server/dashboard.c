/*
 * server/dashboard.c - the dashboard as a whole: its endpoint, its time, and the configuration that
 * it goes by.
 *
 * Its feed is an application of ours like any other (dashboard_watchers.c), but the endpoint is on
 * the internal address alone, and in no configuration: what is set for the public does not hold for
 * it.
 */
#include "server/dashboard_private.h"

#include <errno.h>

#include "base/log.h"

#define PREFIX    "/dashboard/feed"
#define PROBE_MS  100
#define SECOND_MS 1000
#define CROWD_MS  5000

/* --- what was gathered ----------------------------------------------------------------- */

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
		watchers_tell(d, p, buf_len(&text));
	sockjs_prepared_free(p);
	buf_fini(&text);
}

/* --- the configuration of the moment ------------------------------------------------ */

static void take_operators(struct dashboard *d)
{
	operators_unref(d->operators);
	d->operators = operators_ref(d->reactor->config->operators);
}

/* Others may watch: whoever does shows anew who he is. */
void dashboard_follow_config(struct dashboard *d)
{
	const struct server_config *config = d->reactor->config;
	bool is_other = !operators_are_same(config->operators, d->operators);

	if (!is_other && config->options.server.dashboard)
		return;
	watchers_send_away(d);
	take_operators(d);
}

/* --- time ---------------------------------------------------------------------------- */

static void start_tick(struct dashboard *d)
{
	timer_start(loop_timers(d->reactor->loop), &d->tick,
	    d->watcher_count > 0 ? PROBE_MS : HISTORY_STEP_MS);
}

void dashboard_hurry(struct dashboard *d)
{
	d->second_at = 0;
	start_tick(d);
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

	dashboard_follow_config(d);
	is_watched = d->watcher_count > 0;
	if (is_watched)
		waits_ask_all(d);
	if (is_due(&d->second_at, now, SECOND_MS))
		figures_gather(d);
	if (is_watched && d->operators && is_due(&d->crowd_at, now, CROWD_MS))
		crowd_gather(&d->crowd);
	start_tick(d);
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
		.prefix = PREFIX, .callbacks = &watchers_callbacks, .app = d, .options = o
	};

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
	take_operators(d);
	if (!d->waits || make_feed(d) < 0) {
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
	operators_unref(d->operators);
	mem_free(d->waits);
	mem_free(d);
}
