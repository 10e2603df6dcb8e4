/*
 * server/dashboard_text.c - what a watcher is told, as JSON.
 *
 * Two objects: `hello`, once, with the history in columns; then `now` each second. Counters are
 * told as they stand, since the server began: rates are for the page to make. Nothing here needs to
 * be escaped: a prefix has no quotes and no backslashes, and the other texts are ours.
 */
#include "server/attempts.h"
#include "server/dashboard_private.h"
#include "server/session_notes.h"
#include "session/session_record.h"

#define ENDPOINTS_TOLD 100
#define LOOPS_TOLD     256

typedef unsigned long long ull;

/* --- pieces ------------------------------------------------------------------------ */

/* Those that have any. */
static int add_carried(struct buf *out, const struct dashboard *d, const uint64_t *carried)
{
	const struct session_reactor *r = &d->reactor->base.sessions;
	const char *comma = "";
	int err = buf_add_str(out, "{");

	for (unsigned i = 0; i < SESSION_TRANSPORTS_MAX && err == 0; i++) {
		if (carried[i] == 0)
			continue;
		err = buf_printf(
		    out, "%s\"%s\":%llu", comma, session_transport_name(r, i), (ull)carried[i]);
		comma = ",";
	}
	return err < 0 ? err : buf_add_str(out, "}");
}

static int add_fallback(struct buf *out, const struct dashboard *d, unsigned from, unsigned to,
    enum attempt_failure why, const char **comma)
{
	const struct session_reactor *r = &d->reactor->base.sessions;
	uint64_t count = attempts_fallbacks(d->server->attempts, from, to, why);
	int err;

	if (count == 0)
		return 0;
	err = buf_printf(out, "%s{\"from\":\"%s\",\"to\":\"%s\",\"why\":\"%s\",\"count\":%llu}",
	    *comma, session_transport_name(r, from), session_transport_name(r, to),
	    attempt_failure_word(why), (ull)count);
	*comma = ",";
	return err;
}

/* From what to what clients have fallen back, and how the first has failed. Known only where sessions have
 * records. */
static int add_fallbacks(struct buf *out, const struct dashboard *d)
{
	const struct session_reactor *r = &d->reactor->base.sessions;
	const char *comma = "";
	int err;

	if (!session_notes_are_wanted(d->reactor->config))
		return buf_add_str(out, "null");
	err = buf_add_str(out, "[");
	for (unsigned from = 0; session_transport_name(r, from); from++)
		for (unsigned to = 0; session_transport_name(r, to); to++)
			for (unsigned i = 0; i < ATTEMPT_FAILURE_ROWS && err == 0; i++)
				err = add_fallback(
				    out, d, from, to, (enum attempt_failure)i, &comma);
	return err < 0 ? err : buf_add_str(out, "]");
}

static int add_endpoints(struct buf *out, const struct server_config *config)
{
	size_t count = config->endpoint_count;
	int err = buf_add_str(out, "[");

	for (size_t i = 0; i < count && i < ENDPOINTS_TOLD && err == 0; i++) {
		const struct endpoint_place *place = config->endpoints[i]->place;

		err = buf_printf(out, "%s[\"%s\",%llu]", i ? "," : "", place->prefix,
		    (ull)atomic_load_explicit(&place->sessions, memory_order_relaxed));
	}
	return err < 0 ? err : buf_add_str(out, "]");
}

/* Those that there are: [name, code, count]. */
static int add_closed(struct buf *out, const uint64_t *closed)
{
	const char *comma = "";
	int err = buf_add_str(out, "[");

	for (unsigned i = 0; i < CLOSE_CODE_ROWS && err == 0; i++) {
		if (closed[i] == 0)
			continue;
		err = buf_printf(out, "%s[\"%s\",%u,%llu]", comma, close_code_counter_name(i),
		    close_code_of_row(i), (ull)closed[i]);
		comma = ",";
	}
	return err < 0 ? err : buf_add_str(out, "]");
}

/* Likewise: [reason, count]. */
static int add_refused(struct buf *out, const uint64_t *refused)
{
	const char *comma = "";
	int err = buf_add_str(out, "[");

	for (unsigned i = 0; i < HTTP_REFUSAL_ROWS && err == 0; i++) {
		if (refused[i] == 0)
			continue;
		err = buf_printf(out, "%s[\"%s\",%llu]", comma,
		    http_refusal_label((enum http_refusal)i), (ull)refused[i]);
		comma = ",";
	}
	return err < 0 ? err : buf_add_str(out, "]");
}

/* Of each: [worst, mean], in microseconds. */
static int add_loops(struct buf *out, const struct dashboard *d)
{
	int err = buf_add_str(out, "[");

	for (unsigned i = 0; i < d->server->reactor_count && i < LOOPS_TOLD && err == 0; i++)
		err = buf_printf(out, "%s[%llu,%llu]", i ? "," : "", (ull)d->waits[i].worst_us,
		    (ull)d->waits[i].mean_us);
	return err < 0 ? err : buf_add_str(out, "]");
}

/* [address, sessions]; null: not looked at yet, or not for everybody. */
static int add_addresses(struct buf *out, const struct dashboard *d)
{
	const struct crowd *c = &d->crowd;
	char address[ADDR_TEXT_MAX];
	int err;

	if (!c->is_known || !d->operators)
		return buf_add_str(out, "null");
	err = buf_printf(out, "{\"at_most_missing\":%llu,\"top\":[", (ull)c->told_lost);
	for (size_t i = 0; i < c->told_count && err == 0; i++)
		err = buf_printf(out, "%s[\"%s\",%llu]", i ? "," : "",
		    visitor_print((struct bytes){ c->told[i].key, c->told[i].key_len }, address),
		    (ull)c->told[i].sessions);
	return err < 0 ? err : buf_add_str(out, "]}");
}

/* --- now ------------------------------------------------------------------------------ */

static int add_sessions(struct buf *out, const struct session_counters *c)
{
	return buf_printf(out,
	    "\"sessions\":%llu,\"connecting\":%llu,\"opened\":%llu,\"unopened\":%llu,"
	    "\"lost\":%llu,\"messages_in\":%llu,\"bytes_in\":%llu,\"messages_out\":%llu,"
	    "\"bytes_out\":%llu,",
	    (ull)c->now, (ull)c->connecting, (ull)c->opened, (ull)c->unopened,
	    (ull)c->connect_failures, (ull)c->messages_in, (ull)c->bytes_in, (ull)c->messages_out,
	    (ull)c->bytes_out);
}

static int add_process(struct buf *out, const struct dashboard *d)
{
	const struct figures *f = &d->now;

	return buf_printf(out,
	    "\"connections\":%llu,\"requests\":%llu,\"resident\":%llu,\"processor_ms\":%llu,"
	    "\"wait_us\":%llu,\"watchers\":%u,\"draining\":%s,",
	    (ull)f->connections, (ull)f->requests, (ull)f->resident, (ull)f->processor_ms,
	    (ull)f->wait_us, d->watcher_count, d->reactor->draining ? "true" : "false");
}

int dashboard_print_figures(const struct dashboard *d, struct buf *out)
{
	const struct figures *f = &d->now;
	int err = buf_printf(
	    out, "{\"type\":\"now\",\"at\":%llu,\"at_ms\":%llu,", (ull)f->at, (ull)f->at_ms);

	err = err ? err : add_sessions(out, &f->sessions);
	err = err ? err : add_process(out, d);
	err = err ? err : buf_add_str(out, "\"transports\":");
	err = err ? err : add_carried(out, d, f->carried);
	err = err ? err : buf_add_str(out, ",\"endpoints\":");
	err = err ? err : add_endpoints(out, d->reactor->config);
	err = err ? err : buf_add_str(out, ",\"closed\":");
	err = err ? err : add_closed(out, f->sessions.closed);
	err = err ? err : buf_add_str(out, ",\"refused\":");
	err = err ? err : add_refused(out, f->refused);
	err = err ? err : buf_add_str(out, ",\"fallbacks\":");
	err = err ? err : add_fallbacks(out, d);
	err = err ? err : buf_add_str(out, ",\"loops\":");
	err = err ? err : add_loops(out, d);
	err = err ? err : buf_add_str(out, ",\"addresses\":");
	err = err ? err : add_addresses(out, d);
	return err ? err : buf_add_str(out, "}");
}

/* --- hello ------------------------------------------------------------------------------ */

/* X(name of a column, member of a sample) */
#define COLUMNS(X)                                                                                 \
	X(at)                                                                                      \
	X(sessions)                                                                                \
	X(opened) X(closed) X(refused) X(messages_in) X(bytes_in) X(messages_out) X(bytes_out)     \
	    X(connections) X(resident) X(wait_us) X(processor_ms)

static int add_column(struct buf *out, const struct history *h, const char *name, size_t offset)
{
	int err = buf_printf(out, "\"%s\":[", name);

	for (unsigned i = 0; i < h->count && err == 0; i++) {
		const char *s = (const char *)history_at(h, i) + offset;

		err = buf_printf(out, "%s%llu", i ? "," : "", (ull) * (const uint64_t *)s);
	}
	return err < 0 ? err : buf_add_str(out, "],");
}

static int add_history(struct buf *out, const struct dashboard *d)
{
	const struct history *h = &d->history;
	int err = buf_add_str(out, "{");

#define X(name) err = err ? err : add_column(out, h, #name, offsetof(struct sample, name));
	COLUMNS(X)
#undef X
	err = err ? err : buf_add_str(out, "\"transports\":[");
	for (unsigned i = 0; i < h->count && err == 0; i++) {
		err = i ? buf_add_str(out, ",") : 0;
		err = err ? err : add_carried(out, d, history_at(h, i)->carried);
	}
	return err < 0 ? err : buf_add_str(out, "]}");
}

int dashboard_print_hello(const struct dashboard *d, struct buf *out)
{
	const struct sockjs_server *server = d->server;
	const struct server_options *o = &d->reactor->config->options.server;
	int err = buf_printf(out,
	    "{\"type\":\"hello\",\"version\":\"%s\",\"began\":%llu,\"threads\":%u,"
	    "\"memory_limit\":%llu,\"connection_limit\":%llu,\"commands\":%s,\"history\":",
	    sockjs_version(), (ull)server->began_at, server->reactor_count, (ull)o->limit_memory,
	    (ull)o->limit_connections, d->operators ? "true" : "false");

	err = err ? err : add_history(out, d);
	return err < 0 ? err : buf_add_str(out, "}");
}
