/*
 * server/metrics.c - /metrics of the internal address: the figures of metrics_table.h, as text for
 * Prometheus.
 *
 * Counters belong to their reactors and are never shared. So a request for them is
 * detached, and a piece of mail walks from reactor to reactor, adds up, and comes
 * back to answer it.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "cluster/cluster.h"
#include "http/http_access.h"
#include "http/http_detach.h"
#include "server/api.h"
#include "server/attempts.h"
#include "server/metrics_table.h"

/* Those of one number, which is that of all reactors `r` together. X(name, expression) */
#define SUMS(X)                                                                                    \
	X(sockjs_sessions, r->base.sessions.counters.now)                                          \
	X(sockjs_sessions_connecting, r->base.sessions.counters.connecting)                        \
	X(sockjs_sessions_opened_total, r->base.sessions.counters.opened)                          \
	X(sockjs_sessions_unopened_total, r->base.sessions.counters.unopened)                      \
	X(sockjs_connect_failures_total, r->base.sessions.counters.connect_failures)               \
	X(sockjs_receivers, r->base.sessions.counters.receivers)                                   \
	X(sockjs_messages_in_total, r->base.sessions.counters.messages_in)                         \
	X(sockjs_bytes_in_total, r->base.sessions.counters.bytes_in)                               \
	X(sockjs_messages_out_total, r->base.sessions.counters.messages_out)                       \
	X(sockjs_bytes_out_total, r->base.sessions.counters.bytes_out)                             \
	X(sockjs_http_connections, http_server_counters(r->base.http)->connections)                \
	X(sockjs_http_lingering, http_server_counters(r->base.http)->lingering)                    \
	X(sockjs_http_requests_total, http_server_counters(r->base.http)->requests)                \
	X(sockjs_http_requests_recognised_total, http_server_counters(r->base.http)->repeated)     \
	X(sockjs_http_heads_known_total, http_server_counters(r->base.http)->known)                \
	X(sockjs_http_bad_requests_total, http_server_counters(r->base.http)->bad_requests)        \
	X(sockjs_peers_up, peers_counters(r).is_up)                                                \
	X(sockjs_peers_gateways, peers_counters(r).gateways)                                       \
	X(sockjs_peers_settled, peers_counters(r).is_calm)                                         \
	X(sockjs_peers_strays, peers_counters(r).strays)                                           \
	X(sockjs_peers_hops, peers_counters(r).hops.now)                                           \
	X(sockjs_peers_passed_on_total, peers_counters(r).hops.passed_on)                          \
	X(sockjs_peers_received_total, peers_counters(r).received)                                 \
	X(sockjs_peers_asked_total, peers_counters(r).asked)                                       \
	X(sockjs_peers_lost_total, peers_counters(r).lost)                                         \
	X(sockjs_commands_total, r->index == 0 ? r->server->api->answered : 0)

/* Histograms, likewise. X(name, pointer) */
#define HISTOGRAMS(X)                                                                              \
	X(sockjs_session_opening_seconds, &r->base.sessions.counters.opening)                      \
	X(sockjs_network_fallback_seconds, &r->base.sessions.counters.fallback)                    \
	X(sockjs_http_request_seconds, &http_server_counters(r->base.http)->took)                  \
	X(sockjs_loop_turn_seconds, loop_turns(r->loop))

enum {
#define X(name, value) ROW_##name,
	SUMS(X)
#undef X
	    ROWS
};

/* Of a server that is alone, nothing. */
static struct cluster_counters peers_counters(const struct reactor *r)
{
	static const struct cluster_counters none;

	return r->peers ? cluster_counters(r->peers) : none;
}

struct gathering {
	struct mail mail;
	struct stream stream; /* of who asks */
	struct addr peer;
	const void *listener;
	bool keep_alive;
	struct http_access *access;
	struct sockjs_server *server;
	struct server_config *config; /* of when it was asked for; held */
	unsigned next;
	uint64_t values[ROWS];
#define X(name, value) struct histogram name;
	HISTOGRAMS(X)
#undef X
	uint64_t closed[CLOSE_CODE_ROWS];
	uint64_t unconfirmed[DELIVERY_ROWS];
	uint64_t hop_failures[HOP_FAILURES];
	uint64_t refused[HTTP_REFUSAL_ROWS];
	struct sockjs_metrics *apps;
	const char *const *names; /* of transports */
};

static void add_up(struct gathering *g, const struct reactor *r)
{
#define X(name, value) g->values[ROW_##name] += value;
	SUMS(X)
#undef X
#define X(name, value) histogram_add_up(&g->name, value);
	HISTOGRAMS(X)
#undef X
	for (unsigned i = 0; i < HOP_FAILURES; i++)
		g->hop_failures[i] += peers_counters(r).hops.failed[i];
	for (unsigned i = 0; i < CLOSE_CODE_ROWS; i++)
		g->closed[i] += r->base.sessions.counters.closed[i];
	for (unsigned i = 0; i < DELIVERY_ROWS; i++)
		g->unconfirmed[i] += r->base.sessions.counters.unconfirmed[i];
	for (unsigned i = 0; i < HTTP_REFUSAL_ROWS; i++)
		g->refused[i] += http_server_counters(r->base.http)->refused[i];
	app_metrics_gather(g->apps, g->config);
}

/* A counter with a row for each word of a label. */
static int add_by(struct buf *out, enum metric m, const char *by, const uint64_t *values,
    unsigned rows, const char *(*name)(unsigned row))
{
	int err = metric_head(out, m);
	char label[64];

	for (unsigned i = 0; i < rows && err == 0; i++) {
		snprintf(label, sizeof(label), "%s=\"%s\"", by, name(i));
		err = metric_row(out, m, label, (double)values[i]);
	}
	return err;
}

static int add_reasons(struct buf *out, enum metric m, const uint64_t *values, unsigned rows,
    const char *(*name)(unsigned row))
{
	return add_by(out, m, "reason", values, rows, name);
}

static const char *delivery_name(unsigned row)
{
	static const char *const names[] = {
		[DELIVERY_UNSENT] = "unsent",
		[DELIVERY_SENT] = "sent",
		[DELIVERY_ACKNOWLEDGED] = "acknowledged",
	};

	return names[row];
}

static const char *refusal_name(unsigned row)
{
	return http_refusal_label((enum http_refusal)row);
}

static const char *hop_failure_name(unsigned row)
{
	static const char *const names[] = { "refused", "unreachable", "no_answer", "cut" };

	return names[row];
}

static int add_endpoints(const struct server_config *config, struct buf *out)
{
	int err = metric_head(out, METRIC_sockjs_endpoint_sessions);
	char label[512];

	for (size_t i = 0; i < config->endpoint_count && err == 0; i++) {
		const struct server_endpoint *ep = config->endpoints[i];

		snprintf(label, sizeof(label), "endpoint=\"%s\"", ep->prefix);
		err = metric_row(out, METRIC_sockjs_endpoint_sessions, label,
		    (double)atomic_load(&ep->place->sessions));
	}
	return err;
}

/* As Prometheus tells of its own. */
static int add_reloads(const struct sockjs_server *server, struct buf *out)
{
	time_t at = server->reloaded_at ? server->reloaded_at : server->began_at;
	int err = metric_head(out, METRIC_sockjs_config_reloads_total);

	err |= metric_row(out, METRIC_sockjs_config_reloads_total, "result=\"done\"",
	    (double)server->reloads[true]);
	err |= metric_row(out, METRIC_sockjs_config_reloads_total, "result=\"failed\"",
	    (double)server->reloads[false]);
	err |= metric_print(out, METRIC_sockjs_config_last_reload_successful,
	    server->is_reload_failed ? 0 : 1);
	err |= metric_print(
	    out, METRIC_sockjs_config_last_reload_success_timestamp_seconds, (double)at);
	return err ? -ENOMEM : 0;
}

/* --- by transport ------------------------------------------------------------------- */

typedef uint64_t (*carried_fn)(const struct server_endpoint *ep, unsigned place);

static uint64_t carried_now(const struct server_endpoint *ep, unsigned place)
{
	return atomic_load_explicit(&ep->place->carried[place].now, memory_order_relaxed);
}

static uint64_t carried_opened(const struct server_endpoint *ep, unsigned place)
{
	return atomic_load_explicit(&ep->place->carried[place].opened, memory_order_relaxed);
}

/* Only of transports that have been used, or there would be many rows of nothing. */
static int add_carried(const struct gathering *g, struct buf *out, enum metric m, carried_fn of)
{
	const char *const *names = g->names;
	int err = metric_head(out, m);
	char label[512];

	for (size_t i = 0; i < g->config->endpoint_count; i++) {
		const struct server_endpoint *ep = g->config->endpoints[i];

		for (unsigned k = 0; names[k] && err == 0; k++) {
			snprintf(label, sizeof(label), "endpoint=\"%s\",transport=\"%s\"",
			    ep->prefix, names[k]);
			if (carried_opened(ep, k) || carried_now(ep, k))
				err = metric_row(out, m, label, (double)of(ep, k));
		}
	}
	return err;
}

static int add_fallbacks_to(const struct gathering *g, struct buf *out, unsigned from, unsigned to)
{
	char label[192];
	int err = 0;

	for (unsigned i = 0; i < ATTEMPT_FAILURE_ROWS && err == 0; i++) {
		enum attempt_failure failure = (enum attempt_failure)i;
		uint64_t n = attempts_fallbacks(g->server->attempts, from, to, failure);

		snprintf(label, sizeof(label), "from=\"%s\",to=\"%s\",failure=\"%s\"",
		    g->names[from], g->names[to], attempt_failure_word(failure));
		if (n)
			err = metric_row(out, METRIC_sockjs_fallbacks_total, label, (double)n);
	}
	return err;
}

static int add_fallbacks(const struct gathering *g, struct buf *out)
{
	int err;

	err = metric_head(out, METRIC_sockjs_fallbacks_total);
	for (unsigned from = 0; g->names[from]; from++)
		for (unsigned to = 0; g->names[to] && err == 0; to++)
			err = add_fallbacks_to(g, out, from, to);
	return err;
}

/* --- all ---------------------------------------------------------------------------- */

static int add_log_counts(const struct server_config *config, struct buf *out)
{
	struct log_file_counts sessions = log_file_counts(config->logs.sessions.file),
	                       accesses = log_file_counts(config->logs.accesses.file);
	int err = metric_head(out, METRIC_sockjs_log_lines_total);

	err |= metric_row(
	    out, METRIC_sockjs_log_lines_total, "log=\"session\"", (double)sessions.written);
	err |= metric_row(
	    out, METRIC_sockjs_log_lines_total, "log=\"access\"", (double)accesses.written);
	err |= metric_head(out, METRIC_sockjs_log_lines_dropped_total);
	err |= metric_row(out, METRIC_sockjs_log_lines_dropped_total, "log=\"session\"",
	    (double)sessions.dropped);
	err |= metric_row(
	    out, METRIC_sockjs_log_lines_dropped_total, "log=\"access\"", (double)accesses.dropped);
	return err ? -ENOMEM : 0;
}

static int add_limits(const struct server_config *config, struct buf *out)
{
	const struct server_options *o = &config->options.server;
	int err = metric_print(out, METRIC_sockjs_memory_limit_bytes, (double)o->limit_memory);

	if (err == 0)
		err = metric_print(
		    out, METRIC_sockjs_connections_limit, (double)o->limit_connections);
	return err ? err : metric_print(out, METRIC_sockjs_threads, config->server->reactor_count);
}

static int add_all_reasons(const struct gathering *g, struct buf *out)
{
	int err = add_reasons(out, METRIC_sockjs_sessions_closed_total, g->closed, CLOSE_CODE_ROWS,
	    close_code_counter_name);

	if (err == 0)
		err = add_reasons(
		    out, METRIC_sockjs_refusals_total, g->refused, HTTP_REFUSAL_ROWS, refusal_name);
	if (err == 0)
		err = add_reasons(out, METRIC_sockjs_peers_failures_total, g->hop_failures,
		    HOP_FAILURES, hop_failure_name);
	return err;
}

static int compose(const struct gathering *g, struct buf *out)
{
	int err = 0;

#define X(name, value)                                                                             \
	err = err ? err : metric_print(out, METRIC_##name, (double)g->values[ROW_##name]);
	SUMS(X)
#undef X
#define X(name, value) err = err ? err : metric_print_histogram(out, METRIC_##name, &g->name);
	HISTOGRAMS(X)
#undef X
	if (err == 0)
		err = add_all_reasons(g, out);
	if (err == 0)
		err = add_by(out, METRIC_sockjs_messages_unconfirmed_total, "known", g->unconfirmed,
		    DELIVERY_ROWS, delivery_name);
	if (err == 0)
		err = add_endpoints(g->config, out);
	if (err == 0)
		err = add_reloads(g->server, out);
	if (err == 0)
		err = add_carried(g, out, METRIC_sockjs_transport_sessions, carried_now);
	if (err == 0)
		err = add_carried(g, out, METRIC_sockjs_transport_opened_total, carried_opened);
	if (err == 0)
		err = add_fallbacks(g, out);
	if (err == 0)
		err = network_metrics_add(out, g->config, g->names);
	if (err == 0)
		err = add_limits(g->config, out);
	if (err == 0)
		err = add_log_counts(g->config, out);
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
	    (struct http_framing){ .keep_alive = g->keep_alive, .length = (long long)pieces[1].n });
	http_access_end(g->access, http, status, pieces[1].n);
	g->access = NULL;
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
	http_access_free(g->access);
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
		g->access = http_access_keep(r);
	}
	if (!g || !g->apps || http_detach(r, &g->stream, reactor->loop, &gathering_events) < 0) {
		gathering_free(g);
		http_respond_text(r, 503, "Out of memory or descriptors.");
		return;
	}
	g->server = reactor->server;
	g->names = reactor->base.carriers;
	loop_post(reactor->loop, &g->mail, on_gathering);
}
