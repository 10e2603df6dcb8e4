/*
 * server/options_parts.c - what may stand behind an item of a list: "ws://a weight=3 backup". In
 * JSON it is an object then: { "url": "ws://a", "weight": 3, "backup": true }.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/options_private.h"

size_t options_item_len(const char *item)
{
	return strcspn(item, " ");
}

const char *options_item_member(const struct option *opt)
{
	const char *dot = strrchr(opt->key, '.');

	return dot ? dot + 1 : opt->key;
}

/* Behind an item or a part; NULL: there is none. *n is its length. */
static const char *next_part(const char *p, size_t *n)
{
	p += strcspn(p, " ");
	p += strspn(p, " ");
	*n = strcspn(p, " ");
	return *n ? p : NULL;
}

static bool is_named(const char *part, size_t n, const char *name)
{
	return strcspn(part, "= ") == strlen(name) && strncmp(part, name, strlen(name)) == 0 &&
	       strlen(name) <= n;
}

const struct option_part *options_find_part(const struct option *opt, const char *name)
{
	for (const struct option_part *p = opt->parts; p && p->name; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

bool options_item_part(const char *item, const char *name, uint64_t *value)
{
	size_t n;

	for (const char *p = next_part(item, &n); p; p = next_part(p, &n)) {
		if (!is_named(p, n, name))
			continue;
		*value = p[strlen(name)] == '=' ? strtoull(p + strlen(name) + 1, NULL, 10) : 1;
		return true;
	}
	return false;
}

/* --- whether they are what they may be ------------------------------------------- */

/* About the part at `part`, of which n octets at `shown` are what is wrong. */
static int fail(struct sockjs_options *o, const struct option *opt, size_t i, const char *part,
    const char *shown, size_t n, const char *complaint)
{
	size_t name = strcspn(part, "= ");

	return options_fail(o, -EINVAL, "%s[%zu].%.*s: %.*s %s", opt->key, i,
	    (int)(name < SHOWN_VALUE ? name : SHOWN_VALUE), part,
	    (int)(n < SHOWN_VALUE ? n : SHOWN_VALUE), shown, complaint);
}

static int check_number(struct sockjs_options *o, const struct option *opt, size_t i,
    const struct option_part *known, const char *part, size_t n)
{
	size_t name = strlen(known->name) + 1, digits = n - (n < name ? n : name);
	const char *value = part + name;
	char complaint[80];
	uint64_t number;

	if (digits == 0 || strspn(value, "0123456789") != digits || digits > 18)
		return fail(o, opt, i, part, part, n, "is not a whole number");
	number = strtoull(value, NULL, 10);
	if (number >= known->min && number <= known->max)
		return 0;
	snprintf(complaint, sizeof(complaint), "is out of range; allowed: %" PRIu64 " to %" PRIu64,
	    known->min, known->max);
	return fail(o, opt, i, part, value, digits, complaint);
}

static int check_part(
    struct sockjs_options *o, const struct option *opt, size_t i, const char *part, size_t n)
{
	const struct option_part *known = opt->parts;

	while (known && known->name && !is_named(part, n, known->name))
		known++;
	if (!known || !known->name)
		return fail(o, opt, i, part, part, n, "is not known here");
	if (!known->is_flag)
		return check_number(o, opt, i, known, part, n);
	return n == strlen(known->name) ? 0 : fail(o, opt, i, part, part, n, "has no value");
}

static bool is_there_before(const char *item, const char *part)
{
	size_t n, name = strcspn(part, "= ");

	for (const char *p = next_part(item, &n); p && p < part; p = next_part(p, &n))
		if (strcspn(p, "= ") == name && strncmp(p, part, name) == 0)
			return true;
	return false;
}

int options_check_parts(
    struct sockjs_options *o, const struct option *opt, size_t i, const char *item)
{
	size_t n;
	int err = 0;

	for (const char *p = next_part(item, &n); p && err == 0; p = next_part(p, &n))
		err = is_there_before(item, p) ? fail(o, opt, i, p, p, n, "is there twice")
		                               : check_part(o, opt, i, p, n);
	return err;
}
