/*
 * hostile/deeds.h - what the proxy has done: the latest lines of its log, in JSON, for the control
 * address; and each line to the program's own log.
 */
#ifndef HOSTILE_DEEDS_H
#define HOSTILE_DEEDS_H

#include "base/buf.h"
#include "base/log.h"

#define DEEDS_KEPT 2000

struct deeds {
	char *line[DEEDS_KEPT]; /* the line with the number n at n % DEEDS_KEPT */
	uint64_t count;         /* lines so far */
	uint64_t begun_ms;
};

void deeds_init(struct deeds *d, uint64_t now);
void deeds_fini(struct deeds *d);

/* One line; `fields` as for log_write(), but for negative numbers, which are left out. It has its
 * number, "n", and "ms" since the beginning. */
void deeds_tell(struct deeds *d, uint64_t now, const char *message, const struct log_field *fields);
/* The lines behind number `after`, as far as they are kept. 0 or -ENOMEM. */
int deeds_print(const struct deeds *d, uint64_t after, struct buf *out);

#define deeds_say(d, now, message, ...)                                                            \
	deeds_tell(d, now, message, (const struct log_field[]){ __VA_ARGS__, { 0 } })

#endif
