/*
 * upstream/upstream_metrics.c - what is counted of backends, by endpoint and backend; see
 * upstream_metrics.h.
 */
#include "upstream/upstream_metrics.h"

#include <string.h>

#include "server/app_metric.h"

/* A row of this backend; `label` may be NULL. */
static void row(struct sockjs_metrics *m, const struct target *t, struct app_metric what,
    const char *label, const char *value_of_label, uint64_t value)
{
	what.label = "backend";
	what.value_of_label = t->name;
	what.other_label = label;
	what.value_of_other = value_of_label;
	app_metric_row(m, &what, value);
}

/* --- how it is now ------------------------------------------------------------------ */

static void add_states(struct sockjs_metrics *m, const struct target *t, uint64_t now)
{
	static const struct app_metric up = { .type = "gauge",
		.name = "sockjs_upstream_up",
		.help = "Whether a backend may get sessions now." },
	                           state = { .type = "gauge",
		                           .name = "sockjs_upstream_state",
		                           .help = "1 for the state that a backend is in." };
	const char *word = balancer_state_of(t, now);

	row(m, t, up, NULL, NULL, target_takes(t) && strcmp(word, "down") != 0);
	for (const char *const *each = balancer_states; *each; each++)
		row(m, t, state, "state", *each, strcmp(*each, word) == 0);
}

static void add_gauges(struct sockjs_metrics *m, const struct target *t)
{
	static const struct app_metric weight = { .type = "gauge",
		.name = "sockjs_upstream_weight",
		.help = "The share of a backend." },
	                           sessions = { .type = "gauge",
		                           .name = "sockjs_upstream_sessions",
		                           .help =
		                               "Connections to a backend that are open or being "
		                               "opened." };

	row(m, t, weight, NULL, NULL, target_load_count(&t->weight));
	row(m, t, sessions, NULL, NULL, target_load_count(&t->connections));
}

/* --- what has happened -------------------------------------------------------------- */

static void add_counters(struct sockjs_metrics *m, const struct target *t)
{
	static const struct app_metric opened = { .type = "counter",
		.name = "sockjs_upstream_opened_total",
		.help = "Sessions that a backend has accepted." },
	                           failures = { .type = "counter",
		                           .name = "sockjs_upstream_failures_total",
		                           .help = "Sessions that a backend could not take, or has "
		                                   "lost, by reason." },
	                           checks = { .type = "counter",
		                           .name = "sockjs_upstream_checks_total",
		                           .help = "Checks of a backend, by result." };
	static const char *const reasons[] = {
#define X(name, word) [TALLY_##name] = (word),
		TALLY_FAILURES(X)
#undef X
	};
	const struct tally *tally = &t->tally;

	row(m, t, opened, NULL, NULL, target_load(&tally->opened));
	for (unsigned i = 0; i < TALLY_FAILURE_ROWS; i++)
		row(m, t, failures, "reason", reasons[i], target_load(&tally->failures[i]));
	row(m, t, checks, "result", "passed", target_load(&tally->checks_passed));
	row(m, t, checks, "result", "failed", target_load(&tally->checks_failed));
}

static void add_connect_times(struct sockjs_metrics *m, const struct target *t)
{
	struct app_metric what = { .type = "histogram",
		.name = "sockjs_upstream_connect_seconds",
		.help = "Time until a backend has accepted a session." };
	uint64_t count = 0;

	what.suffix = "_bucket";
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		row(m, t, what, "le", histogram_bound(i), count += target_load(&t->tally.connects[i]));
	what.suffix = "_count";
	row(m, t, what, NULL, NULL, count);
	what.suffix = "_sum";
	what.is_time = true;
	row(m, t, what, NULL, NULL, target_load(&t->tally.connect_ms));
}

void upstream_metrics(struct sockjs_metrics *m, const struct balancer *balancer, uint64_t now)
{
	for (size_t i = 0; i < balancer->count; i++) {
		const struct target *t = &balancer->targets[i];

		add_states(m, t, now);
		add_gauges(m, t);
		add_counters(m, t);
		add_connect_times(m, t);
	}
}
