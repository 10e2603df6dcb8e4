/*
 * server/app_metrics.c - figures that applications have counted, for /metrics.
 *
 * Each reactor's are added to those of the reactors before it.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "server/server_private.h"

struct figure {
	const char *name, *help, *endpoint, *label, *label_value;
	enum sockjs_metric_kind kind;
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

		if (texts_equal(f->name, like->name) && f->endpoint == like->endpoint &&
		    texts_equal(f->label, like->label) &&
		    texts_equal(f->label_value, like->label_value))
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
	struct figure like = { name, help, m->endpoint, label, value_of_label, kind, 0 };
	struct figure *f = find(m, &like);

	if (!f)
		f = add(m, &like);
	if (f)
		f->value += value;
}

static int print_figure(const struct figure *f, struct buf *out)
{
	unsigned long long value = f->value;
	int err = buf_printf(out, "%s{endpoint=\"%s\"", f->name, f->endpoint);

	if (err == 0 && f->label)
		err = buf_printf(out, ",%s=\"%s\"", f->label, f->label_value);
	if (err < 0)
		return err;
	return f->kind == SOCKJS_TIME ? buf_printf(out, "} %llu.%03llu\n", value / 1000, value % 1000)
	                              : buf_printf(out, "} %llu\n", value);
}

/* All of one name stand together, under one head, as the format wants it. */
static int print_all_of(const struct sockjs_metrics *m, size_t first, struct buf *out)
{
	const struct figure *f = &m->figures[first];
	int err = buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name,
	    f->kind == SOCKJS_GAUGE ? "gauge" : "counter");

	for (size_t i = first; i < m->count && err == 0; i++)
		if (strcmp(m->figures[i].name, f->name) == 0)
			err = print_figure(&m->figures[i], out);
	return err;
}

static bool is_first_of_name(const struct sockjs_metrics *m, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(m->figures[j].name, m->figures[i].name) == 0)
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
