/*
 * server/options_private.h - between options.c (whole sets), options_set.c (one value),
 * options_check.c (values together) and what they stand on, options_field.c and the table.
 */
#ifndef SERVER_OPTIONS_PRIVATE_H
#define SERVER_OPTIONS_PRIVATE_H

#include "server/options.h"

#define SHOWN_VALUE 80 /* octets of a wrong value that an error repeats */

/* --- options_field.c -------------------------------------------------------- */

/* The field that a row of the table names. */
void *options_field(struct sockjs_options *o, const struct option *opt);
const void *options_const_field(const struct sockjs_options *o, const struct option *opt);
void options_field_free(struct sockjs_options *o, const struct option *opt);
/* Whether it was set. */
bool *options_mark(struct sockjs_options *o, const struct option *opt);
bool options_is_marked(const struct sockjs_options *o, const struct option *opt);

/* Notes a sentence, and returns `err`. */
__attribute__((format(printf, 3, 4))) int options_fail(
    struct sockjs_options *o, int err, const char *fmt, ...);
int options_no_memory(struct sockjs_options *o);

/* Whether an item, the i-th of a list, has parts behind it that may be there. 0 or -EINVAL, with a
 * sentence. */
int options_check_parts(
    struct sockjs_options *o, const struct option *opt, size_t i, const char *item);

/* The row after `opt`, NULL after the last; the first for NULL. */
const struct option *options_next(const struct option *opt);

#define options_foreach(opt) for ((opt) = options_next(NULL); (opt); (opt) = options_next(opt))

/* Whether its field is a char *. */
static inline bool options_is_text(const struct option *opt)
{
	return opt->type == OPTION_STRING || opt->type == OPTION_JSON;
}

#endif
