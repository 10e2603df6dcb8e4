/*
 * hostile/deeds.c - a ring of lines; see deeds.h.
 */
#include "hostile/deeds.h"

#include <errno.h>

#include "base/mem.h"

enum { FIELDS_MOST = 16, OWN = 2 };

void deeds_init(struct deeds *d, uint64_t now)
{
	memset(d, 0, sizeof(*d));
	d->begun_ms = now;
}

void deeds_fini(struct deeds *d)
{
	for (size_t i = 0; i < DEEDS_KEPT; i++)
		mem_free(d->line[i]);
}

/* When memory is out the line is missing there, and no other. */
static void keep(struct deeds *d, const char *message, const struct log_field *fields)
{
	char **place = &d->line[d->count % DEEDS_KEPT];
	struct log_line line;

	log_line_print(&line, LOG_JSON, LOG_INFO, message, fields);
	mem_free(*place);
	*place = mem_strndup(line.text, line.len);
}

void deeds_tell(struct deeds *d, uint64_t now, const char *message, const struct log_field *fields)
{
	struct log_field all[FIELDS_MOST + 1];
	size_t n = OWN;

	d->count++;
	all[0] = LOG_INT("n", d->count);
	all[1] = LOG_INT("ms", now - d->begun_ms);
	for (; fields->key && n < FIELDS_MOST; fields++)
		if (fields->str || fields->num >= 0)
			all[n++] = *fields;
	all[n] = (struct log_field){ 0 };
	keep(d, message, all);
	log_write(LOG_INFO, message, all + OWN);
}

int deeds_print(const struct deeds *d, uint64_t after, struct buf *out)
{
	uint64_t first = d->count > DEEDS_KEPT ? d->count - DEEDS_KEPT + 1 : 1;
	int err = 0;

	if (after >= d->count)
		return 0;
	for (uint64_t n = after + 1 > first ? after + 1 : first; n <= d->count && err == 0; n++)
		if (d->line[n % DEEDS_KEPT])
			err = buf_add_str(out, d->line[n % DEEDS_KEPT]);
	return err;
}
