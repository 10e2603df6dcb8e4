/*
 * server/app_metric.h - figures with more than sockjs_metric() gives them: a second label, or the rows
 * of a histogram. For applications that stand within.
 */
#ifndef SERVER_APP_METRIC_H
#define SERVER_APP_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "sockjs.h"

/* Texts live as long as the application. Values of labels may be any text. */
struct app_metric {
	const char *type; /* "counter", "gauge" or "histogram" */
	const char *name, *help;
	const char *suffix; /* of a row of a histogram, "_bucket"; else NULL */
	const char *label, *value_of_label;
	const char *other_label, *value_of_other; /* NULL: there is none */
	bool is_time;                             /* milliseconds, shown in seconds */
};

/* A row; those of one name may come in any order, those of one histogram come in theirs. It is not
 * added to another: who reports for all reactors does so in one. */
void app_metric_row(struct sockjs_metrics *m, const struct app_metric *what, uint64_t value);

#endif
