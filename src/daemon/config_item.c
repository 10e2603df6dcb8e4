/*
 * daemon/config_item.c - see config_item.h.
 */
#include "daemon/config_item.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- from JSON ---------------------------------------------------------------- */

static int unknown(const struct option *opt, const char *key, char *why, size_t size)
{
	size_t n = (size_t)snprintf(
	    why, size, ".%.60s: unknown key; allowed: %s", key, options_item_member(opt));

	for (const struct option_part *p = opt->parts; p->name && n < size; p++)
		n += (size_t)snprintf(why + n, size - n, ", %s", p->name);
	return -EINVAL;
}

static int add_flag(const char *key, json_t *value, struct buf *text, char *why, size_t size)
{
	if (!json_is_boolean(value)) {
		snprintf(why, size, ".%s: this is not a truth value; allowed: true, false", key);
		return -EINVAL;
	}
	return json_is_true(value) ? buf_printf(text, " %s", key) : 0;
}

static int add_number(
    const struct option_part *part, json_t *value, struct buf *text, char *why, size_t size)
{
	if (json_is_integer(value))
		return buf_printf(
		    text, " %s=%" JSON_INTEGER_FORMAT, part->name, json_integer_value(value));
	snprintf(why, size, ".%s: this is not a whole number; allowed: %llu to %llu", part->name,
	    (unsigned long long)part->min, (unsigned long long)part->max);
	return -EINVAL;
}

int config_item_read(
    const struct option *opt, json_t *object, struct buf *text, char *why, size_t why_size)
{
	const char *member = options_item_member(opt), *key;
	const char *item = json_string_value(json_object_get(object, member));
	json_t *value;
	int err = item ? buf_add_str(text, item) : -EINVAL;

	if (!item || strchr(item, ' '))
		snprintf(why, why_size, ".%s: %s; allowed: %s", member,
		    item                              ? "this has blanks"
		    : json_object_get(object, member) ? "this is not a string"
		                                      : "missing",
		    opt->allowed);
	if (item && strchr(item, ' '))
		err = -EINVAL;
	json_object_foreach (object, key, value) {
		const struct option_part *part = options_find_part(opt, key);

		if (err < 0)
			return err;
		if (strcmp(key, member) == 0)
			continue;
		if (!part)
			err = unknown(opt, key, why, why_size);
		else if (part->is_flag)
			err = add_flag(key, value, text, why, why_size);
		else
			err = add_number(part, value, text, why, why_size);
	}
	return err < 0 ? err : buf_add(text, "", 1);
}

/* --- to JSON ------------------------------------------------------------------ */

json_t *config_item_json(const struct option *opt, const char *item)
{
	json_t *object;
	int err;

	if (!opt->parts || !strchr(item, ' '))
		return json_string(item);
	object = json_object();
	err = json_object_set_new(
	    object, options_item_member(opt), json_stringn(item, options_item_len(item)));
	for (const struct option_part *p = opt->parts; p->name && err == 0; p++) {
		uint64_t value;

		if (options_item_part(item, p->name, &value))
			err = json_object_set_new(object, p->name,
			    p->is_flag ? json_true() : json_integer((json_int_t)value));
	}
	if (err == 0)
		return object;
	json_decref(object);
	return NULL;
}
