/*
 * server/metrics.c - /metrics of the internal address: counters, as text for Prometheus.
 *
 * Counters belong to their reactors and are never shared. So a request for them is
 * detached, and a piece of mail walks from reactor to reactor, adds up, and comes
 * back to answer it.
 */
#include "base/mem.h"
#include "http/http_detach.h"
#include "server/api.h"

/* X(name, type, help, expression of one reactor `r`) */
#define METRICS(X)                                                                                 \
	X(sockjs_sessions, "gauge", "Sessions open now.", r->base.sessions.counters.now)           \
	X(sockjs_sessions_connecting, "gauge",                                                     \
	    "Sessions that wait for their application or their 101, now.",                         \
	    r->base.sessions.counters.connecting)                                                  \
	X(sockjs_sessions_opened_total, "counter", "Sessions opened.",                             \
	    r->base.sessions.counters.opened)                                                      \
	X(sockjs_sessions_unopened_total, "counter",                                               \
	    "Sessions that ended before they opened: refused, or left by their client.",           \
	    r->base.sessions.counters.unopened)                                                    \
	X(sockjs_connect_failures_total, "counter",                                                \
	    "Sessions that opened and were lost without a sign that their client heard of it.",    \
	    r->base.sessions.counters.connect_failures)                                            \
	X(sockjs_receivers, "gauge", "Connections that carry a session now.",                      \
	    r->base.sessions.counters.receivers)                                                   \
	X(sockjs_messages_in_total, "counter", "Messages from clients.",                           \
	    r->base.sessions.counters.messages_in)                                                 \
	X(sockjs_bytes_in_total, "counter", "Octets of these.",                                    \
	    r->base.sessions.counters.bytes_in)                                                    \
	X(sockjs_messages_out_total, "counter", "Messages to clients.",                            \
	    r->base.sessions.counters.messages_out)                                                \
	X(sockjs_bytes_out_total, "counter", "Octets of these.",                                   \
	    r->base.sessions.counters.bytes_out)                                                   \
	X(sockjs_http_connections, "gauge", "Connections in the HTTP layer now.",                  \
	    http_server_counters(r->base.http)->connections)                                       \
	X(sockjs_http_lingering, "gauge", "Connections closing now.",                              \
	    http_server_counters(r->base.http)->lingering)                                         \
	X(sockjs_http_requests_total, "counter", "HTTP requests.",                                 \
	    http_server_counters(r->base.http)->requests)                                          \
	X(sockjs_http_requests_recognised_total, "counter",                                        \
	    "HTTP requests whose head was the last one of their connection.",                      \
	    http_server_counters(r->base.http)->repeated)                                          \
	X(sockjs_http_heads_known_total, "counter",                                                \
	    "Heads of HTTP requests like one that libmicrohttpd has read before.",                 \
	    http_server_counters(r->base.http)->known)                                             \
	X(sockjs_commands_total, "counter",                                                        \
	    "Commands of the internal address that were answered.",                                \
	    r->index == 0 ? r->server->api->answered : 0)                        \
	X(sockjs_http_bad_requests_total, "counter",                                               \
	    "HTTP requests refused as malformed or too large.",                                    \
	    http_server_counters(r->base.http)->bad_requests)

enum {
#define X(name, type, help, value) ROW_##name,
	METRICS(X)
#undef X
	    ROWS
};

struct gathering {
	struct mail mail;
	struct stream stream; /* of who asks */
	struct addr peer;
	const void *listener;
	bool keep_alive;
	struct sockjs_server *server;
	struct server_config *config; /* of when it was asked for; held */
	unsigned next;
	uint64_t values[ROWS];
	uint64_t closed[CLOSE_CODE_ROWS];
	uint64_t refused[HTTP_REFUSAL_ROWS];
	struct sockjs_metrics *apps;
};

static void add_up(struct gathering *g, const struct reactor *r)
{
#define X(name, type, help, value) g->values[ROW_##name] += value;
	METRICS(X)
#undef X
	for (unsigned i = 0; i < CLOSE_CODE_ROWS; i++)
		g->closed[i] += r->base.sessions.counters.closed[i];
	for (unsigned i = 0; i < HTTP_REFUSAL_ROWS; i++)
		g->refused[i] += http_server_counters(r->base.http)->refused[i];
	app_metrics_gather(g->apps, g->config);
}

/* A counter with a row for each reason. */
static int add_reason(struct buf *out, const char *name, const char *reason, uint64_t value)
{
	return buf_printf(out, "%s{reason=\"%s\"} %llu\n", name, reason, (unsigned long long)value);
}

static int add_reasons(const struct gathering *g, struct buf *out)
{
	int err = buf_add_str(out,
	    "# HELP sockjs_sessions_closed_total Sessions closed that had been open, by reason.\n"
	    "# TYPE sockjs_sessions_closed_total counter\n");

	for (unsigned i = 0; i < CLOSE_CODE_ROWS && err == 0; i++)
		err = add_reason(
		    out, "sockjs_sessions_closed_total", close_code_counter_name(i), g->closed[i]);
	if (err == 0)
		err = buf_add_str(out,
		    "# HELP sockjs_refusals_total Connections, requests and sessions refused, by "
		    "reason.\n"
		    "# TYPE sockjs_refusals_total counter\n");
	for (unsigned i = 0; i < HTTP_REFUSAL_ROWS && err == 0; i++)
		err = add_reason(out, "sockjs_refusals_total",
		    http_refusal_label((enum http_refusal)i), g->refused[i]);
	return err;
}

static int add_endpoints(const struct server_config *config, struct buf *out)
{
	int err = buf_add_str(out,
	    "# HELP sockjs_endpoint_sessions Sessions that an endpoint has now; those count that are "
	    "not open yet.\n"
	    "# TYPE sockjs_endpoint_sessions gauge\n");

	for (size_t i = 0; i < config->endpoint_count && err == 0; i++) {
		const struct server_endpoint *ep = config->endpoints[i];

		err = buf_printf(out, "sockjs_endpoint_sessions{endpoint=\"%s\"} %llu\n",
		    ep->prefix, (unsigned long long)atomic_load(&ep->place->sessions));
	}
	return err;
}

/* As Prometheus tells of its own. */
static int add_reloads(const struct sockjs_server *server, struct buf *out)
{
	return buf_printf(out,
	    "# HELP sockjs_config_reloads_total How often the configuration was read again, by "
	    "result.\n"
	    "# TYPE sockjs_config_reloads_total counter\n"
	    "sockjs_config_reloads_total{result=\"done\"} %llu\n"
	    "sockjs_config_reloads_total{result=\"failed\"} %llu\n"
	    "# HELP sockjs_config_last_reload_successful Whether the last time it was good.\n"
	    "# TYPE sockjs_config_last_reload_successful gauge\n"
	    "sockjs_config_last_reload_successful %d\n"
	    "# HELP sockjs_config_last_reload_success_timestamp_seconds When the configuration in "
	    "effect was read, in seconds since 1970.\n"
	    "# TYPE sockjs_config_last_reload_success_timestamp_seconds gauge\n"
	    "sockjs_config_last_reload_success_timestamp_seconds %lld\n",
	    (unsigned long long)server->reloads[true], (unsigned long long)server->reloads[false],
	    !server->is_reload_failed,
	    (long long)(server->reloaded_at ? server->reloaded_at : server->began_at));
}

static int compose(const struct gathering *g, struct buf *out)
{
	int err = 0;

#define X(name, type, help, value)                                                                 \
	err = err ? err                                                                            \
	          : buf_printf(out,                                                                \
	                "# HELP " #name " " help "\n# TYPE " #name " " type "\n" #name " %llu\n",  \
	                (unsigned long long)g->values[ROW_##name]);
	METRICS(X)
#undef X
	if (err == 0)
		err = add_reasons(g, out);
	if (err == 0)
		err = add_endpoints(g->config, out);
	if (err == 0)
		err = add_reloads(g->server, out);
	if (err == 0)
		err = process_metrics_add(out, g->server);
	if (err == 0)
		err = tls_print_metrics(g->config, out);
	return err ? err : app_metrics_print(g->apps, out);
}

static void answer(struct gathering *g)
{
	struct buf body = BUF_INIT;
	char head[HTTP_HEAD_EXTRA + 128];
	struct stream_piece pieces[2] = { { head, 0, NULL }, { "", 0, NULL } };
	unsigned status = compose(g, &body) < 0 ? 503 : 200;
	struct http_server *http = reactor_current()->base.http;
	struct stream *s = &g->stream;

	if (status == 200)
		pieces[1] = (struct stream_piece){ buf_data(&body), buf_len(&body), NULL };
	pieces[0].n = http_head_render(head, status,
	    BYTES("Content-Type: text/plain; version=0.0.4; charset=UTF-8\r\n"),
	    (struct http_framing){
	        .keep_alive = g->keep_alive, .length = (long long)pieces[1].n });
	if (stream_write(s, pieces, 2) == 0 && g->keep_alive && stream_queued(s) == 0)
		http_server_give_back(http, s, &g->peer, g->listener);
	else
		http_server_end(http, s);
	buf_fini(&body);
}

static void gathering_free(struct gathering *g)
{
	if (!g)
		return;
	app_metrics_free(g->apps);
	server_config_unref(g->config);
	mem_free(g);
}

/* In each reactor in turn, and at last in the first again. */
static void on_gathering(struct mail *mail, struct loop *loop)
{
	struct gathering *g = container_of(mail, struct gathering, mail);
	struct reactor *r = reactor_current();

	(void)loop;
	if (!r || !r->base.http) { /* the server has stopped meanwhile */
		stream_close(&g->stream);
		gathering_free(g);
		return;
	}
	if (g->next < g->server->reactor_count) {
		add_up(g, r);
		g->next++;
		loop_post(g->server->reactors[g->next % g->server->reactor_count]->loop, &g->mail,
		    on_gathering);
		return;
	}
	answer(g);
	gathering_free(g);
}

static void on_nothing(struct stream *s)
{
	(void)s;
}

/* The asker left before the answer: it is written to nobody. */
static void on_hangup(struct stream *s, int err)
{
	(void)s, (void)err;
}

static const struct stream_events gathering_events = {
	.readable = on_nothing,
	.writable = on_nothing,
	.hangup = on_hangup,
};

void metrics_serve(struct reactor *reactor, struct http_request *r)
{
	struct gathering *g = mem_zalloc(sizeof(*g));

	if (g) {
		g->config = server_config_ref(reactor->config);
		g->apps = app_metrics_new();
		g->listener = http_request_listener(r);
		g->peer = *http_request_peer(r);
		g->keep_alive = http_comes_back(r);
	}
	if (!g || !g->apps ||
	    http_detach(r, &g->stream, reactor->loop, &gathering_events) < 0) {
		gathering_free(g);
		http_respond_text(r, 503, "Out of memory or descriptors.");
		return;
	}
	g->server = reactor->server;
	loop_post(reactor->loop, &g->mail, on_gathering);
}
