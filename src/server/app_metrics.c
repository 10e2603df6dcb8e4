/*
 * server/app_metrics.c - figures that applications have counted, for /metrics.
 *
 * Each reactor's are added to those of the reactors before it.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "server/app_metric.h"
#include "server/metrics_table.h"
#include "server/server_private.h"

struct figure {
	struct app_metric what;
	const char *endpoint;
	uint64_t value;
};

struct sockjs_metrics {
	const char *endpoint; /* that is being asked */
	struct figure *figures;
	size_t count, cap;
};

struct sockjs_metrics *app_metrics_new(void)
{
	return mem_zalloc(sizeof(struct sockjs_metrics));
}

void app_metrics_free(struct sockjs_metrics *m)
{
	if (m)
		mem_free(m->figures);
	mem_free(m);
}

void app_metrics_gather(struct sockjs_metrics *m, const struct server_config *config)
{
	for (size_t i = 0; i < config->endpoint_count; i++) {
		const struct server_endpoint *ep = config->endpoints[i];

		m->endpoint = ep->prefix;
		if (ep->callbacks.metrics)
			ep->callbacks.metrics(m, ep->app);
	}
}

static bool texts_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static struct figure *find(const struct sockjs_metrics *m, const struct figure *like)
{
	for (size_t i = 0; i < m->count; i++) {
		struct figure *f = &m->figures[i];

		if (texts_equal(f->what.name, like->what.name) && f->endpoint == like->endpoint &&
		    texts_equal(f->what.label, like->what.label) &&
		    texts_equal(f->what.value_of_label, like->what.value_of_label))
			return f;
	}
	return NULL;
}

static struct figure *add(struct sockjs_metrics *m, const struct figure *like)
{
	if (m->count == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 64;
		struct figure *grown = mem_realloc(m->figures, cap * sizeof(*grown));

		if (!grown)
			return NULL;
		m->figures = grown;
		m->cap = cap;
	}
	m->figures[m->count] = *like;
	return &m->figures[m->count++];
}

void sockjs_metric(struct sockjs_metrics *m, enum sockjs_metric_kind kind, const char *name,
    const char *help, const char *label, const char *value_of_label, unsigned long long value)
{
	struct figure like = { .what = { .type = kind == SOCKJS_GAUGE ? "gauge" : "counter",
		                   .name = name,
		                   .help = help,
		                   .label = label,
		                   .value_of_label = value_of_label,
		                   .is_time = kind == SOCKJS_TIME },
		.endpoint = m->endpoint };
	struct figure *f = find(m, &like);

	if (!f)
		f = add(m, &like);
	if (f)
		f->value += value;
}

void app_metric_row(struct sockjs_metrics *m, const struct app_metric *what, uint64_t value)
{
	add(m, &(struct figure){ *what, m->endpoint, value });
}

static int print_label(const char *name, const char *value, struct buf *out)
{
	int err = name ? buf_printf(out, ",%s=\"", name) : 0;

	if (name && err == 0)
		err = metric_label(out, value);
	return name && err == 0 ? buf_add(out, "\"", 1) : err;
}

static int print_figure(const struct figure *f, struct buf *out)
{
	const struct app_metric *what = &f->what;
	unsigned long long value = f->value;
	int err = buf_printf(
	    out, "%s%s{endpoint=\"%s\"", what->name, what->suffix ? what->suffix : "", f->endpoint);

	if (err == 0)
		err = print_label(what->label, what->value_of_label, out);
	if (err == 0)
		err = print_label(what->other_label, what->value_of_other, out);
	if (err < 0)
		return err;
	return what->is_time ? buf_printf(out, "} %llu.%03llu\n", value / 1000, value % 1000)
	                     : buf_printf(out, "} %llu\n", value);
}

/* All of one name stand together, under one head, as the format wants it. */
static int print_all_of(const struct sockjs_metrics *m, size_t first, struct buf *out)
{
	const struct app_metric *what = &m->figures[first].what;
	int err = buf_printf(
	    out, "# HELP %s %s\n# TYPE %s %s\n", what->name, what->help, what->name, what->type);

	for (size_t i = first; i < m->count && err == 0; i++)
		if (strcmp(m->figures[i].what.name, what->name) == 0)
			err = print_figure(&m->figures[i], out);
	return err;
}

static bool is_first_of_name(const struct sockjs_metrics *m, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(m->figures[j].what.name, m->figures[i].what.name) == 0)
			return false;
	return true;
}

int app_metrics_print(const struct sockjs_metrics *m, struct buf *out)
{
	int err = 0;

	for (size_t i = 0; i < m->count && err == 0; i++)
		if (is_first_of_name(m, i))
			err = print_all_of(m, i, out);
	return err;
}
