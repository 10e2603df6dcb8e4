/*
 * checkup/report.h - facts and a diagnosis for people, or as JSON for programs.
 */
#ifndef CHECKUP_REPORT_H
#define CHECKUP_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "checkup/diagnosis.h"
#include "checkup/facts.h"

/* NULL: memory is out. */
json_t *report_json(const char *url, const struct facts *f, const struct diagnosis *d);
/* A table, and what is to be done. */
void report_print(FILE *to, const struct facts *f, const struct diagnosis *d);
/* One way in a few words, which nothing in it makes a terminal obey: "open after 23 ms, ...". */
void report_way(char *out, size_t size, const struct facts *f, enum way way);

#endif
