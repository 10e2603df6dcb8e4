/*
 * daemon/hide_secrets.c - which values of a configuration are not shown, as the table of options
 * has it; see hide_secrets.h.
 *
 * It goes over what was made for printing, so that the printer is the same for both. That there is
 * a secret can be seen, and null stays null.
 */
#include "daemon/hide_secrets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "server/options.h"

#define HIDDEN "***"

static int hide_value(json_t *value)
{
	return json_is_string(value) ? json_string_set(value, HIDDEN) : 0;
}

/* --- members -------------------------------------------------------------------- */

static bool is_secret(const char *member)
{
	return strcmp(member, "password") == 0 || strcmp(member, "secret") == 0;
}

/* Jansson reads no deeper than some thousands, and so deep this goes. */
static int hide_members(json_t *value)
{
	const char *name;
	json_t *item;
	size_t i;
	int err = 0;

	json_array_foreach (value, i, item)
		err |= hide_members(item);
	json_object_foreach (value, name, item)
		err |= is_secret(name) ? hide_value(item) : hide_members(item);
	return err;
}

/* --- URLs ----------------------------------------------------------------------- */

/* One that has something behind it is an object, with the URL as `member`. */
static int hide_in_one_url(json_t *value, const char *member)
{
	const char *url;
	struct buf shown = BUF_INIT;
	int err;

	if (json_is_object(value))
		value = json_object_get(value, member);
	url = json_string_value(value);
	err = url ? options_print_url(url, &shown) : 0;
	if (url && err == 0)
		err = json_string_setn(value, buf_data(&shown), buf_len(&shown));
	buf_fini(&shown);
	return err;
}

static int hide_in_url(json_t *value, const char *member)
{
	json_t *item;
	size_t i;
	int err = hide_in_one_url(value, member);

	json_array_foreach (value, i, item)
		err |= hide_in_one_url(item, member);
	return err;
}

/* --- all ------------------------------------------------------------------------ */

/* The value that a dotted key leads to; NULL: there is none. */
static json_t *value_of(const json_t *object, const char *key)
{
	const char *dot;
	char name[64];

	while (object && (dot = strchr(key, '.')) != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)(dot - key), key);
		object = json_object_get(object, name);
		key = dot + 1;
	}
	return json_object_get(object, key);
}

static int hide_at(const json_t *object, const struct option *opt, const char *key)
{
	json_t *value = value_of(object, key);

	switch (opt->hiding) {
	case HIDE_VALUE:
		return hide_value(value);
	case HIDE_MEMBERS:
		return hide_members(value);
	case HIDE_IN_URL:
		return hide_in_url(value, options_item_member(opt));
	case HIDE_NOTHING:
		break;
	}
	return 0;
}

static int hide(const json_t *object, const struct option *opt)
{
	return hide_at(object, opt, opt->key);
}

/* An engine for all stands at the top level without the first word of its keys. */
static int hide_in_engine(const json_t *root, const struct option *opt)
{
	const size_t skip = sizeof("stomp.") - 1;

	return strncmp(opt->key, "stomp.engine.", skip + 7) == 0 ? hide_at(root, opt, opt->key + skip) : 0;
}

static int hide_in_each(const json_t *array, const struct option *opt)
{
	json_t *item;
	size_t i;
	int err = 0;

	json_array_foreach (array, i, item)
		err |= hide(item, opt);
	return err;
}

/* Wherever it is: an option has its place by its scope, and no two have the same key. */
int hide_secrets(json_t *root)
{
	size_t count;
	const struct option *table = options_table(&count);
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		err |= hide(root, &table[i]);
		err |= hide_in_engine(root, &table[i]);
		err |= hide_in_each(json_object_get(root, "listen"), &table[i]);
		err |= hide_in_each(json_object_get(root, "endpoints"), &table[i]);
	}
	return err ? -ENOMEM : 0;
}
