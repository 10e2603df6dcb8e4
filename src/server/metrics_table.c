/*
 * server/metrics_table.c - the table of metrics as text for Prometheus; see metrics_table.h.
 */
#include "server/metrics_table.h"

#include <stdbool.h>

#include "base/buf.h"

static const struct {
	const char *name, *type, *help;
} table[] = {
#define X(name, type, labels, help) { #name, #type, help },
	METRICS(X)
#undef X
};

int metric_head(struct buf *out, enum metric m)
{
	return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", table[m].name, table[m].help,
	    table[m].name, table[m].type);
}

int metric_row(struct buf *out, enum metric m, const char *labels, double value)
{
	const char *open = labels ? "{" : "", *close = labels ? "}" : "";
	bool is_whole = value == (double)(int64_t)value;

	return buf_printf(out, "%s%s%s%s %.*f\n", table[m].name, open, labels ? labels : "", close,
	    is_whole ? 0 : 6, value);
}

int metric_print(struct buf *out, enum metric m, double value)
{
	int err = metric_head(out, m);

	return err ? err : metric_row(out, m, NULL, value);
}

int metric_print_histogram(struct buf *out, enum metric m, const struct histogram *h)
{
	unsigned long long count = 0;
	int err = metric_head(out, m);

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS && err == 0; i++) {
		count += h->counts[i];
		err =
		    buf_printf(out, "%s_bucket{le=\"%s\"} %llu\n", table[m].name, histogram_bound(i), count);
	}
	return err ? err
	           : buf_printf(out, "%s_sum %.6f\n%s_count %llu\n", table[m].name,
	                 (double)h->sum_us / 1e6, table[m].name, count);
}

int metric_label(struct buf *out, const char *text)
{
	int err = 0;

	for (; *text && err == 0; text++)
		if (*text == '\n')
			err = buf_add_str(out, "\\n");
		else if (*text == '"' || *text == '\\')
			err = buf_printf(out, "\\%c", *text);
		else
			err = buf_add(out, text, 1);
	return err;
}
