/*
 * base/percent.h - pieces of a URL (RFC 3986 section 2.1; the URL standard's form encoding).
 */
#ifndef BASE_PERCENT_H
#define BASE_PERCENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"

/* Decodes %XX into `out` (as long as `raw` or shorter); '+' becomes a space if asked. The length,
 * or -EINVAL for a bad escape, -E2BIG if it does not fit. */
ssize_t percent_decode(struct bytes raw, bool plus, char *out, size_t size);
/* The raw value of a parameter in a query string or form; .p is NULL if absent. */
struct bytes query_parameter(struct bytes query, const char *name);

#endif
