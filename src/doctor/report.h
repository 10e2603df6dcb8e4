/*
 * doctor/report.h - what somebody says the network is like between him and us: read member by
 * member, since he may say anything. No I/O.
 */
#ifndef DOCTOR_REPORT_H
#define DOCTOR_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define REPORT_OCTETS_MAX 8192

/* A new object of what is known, in an order of ours; NULL: it is wrong, and `why` says so in one
 * sentence, or memory is out ("" then). */
json_t *report_read(const json_t *said, char *why, size_t size);
/* Whether there is such a cause. */
bool report_is_cause(const char *word);

#endif
