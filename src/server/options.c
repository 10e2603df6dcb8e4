/*
 * server/options.c - whole sets of options, and the public functions; see options.h. The
 * rows are in options_table.c.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "server/options_private.h"

/* --- whole sets ------------------------------------------------------------------------------- */

int options_init(struct sockjs_options *o)
{
	const struct option *opt;

	memset(o, 0, sizeof(*o));
	options_foreach (opt) {
		if (opt->default_value && options_set(o, opt, opt->default_value) < 0) {
			options_fini(o);
			return -ENOMEM;
		}
	}
	memset(o->is_set, 0, sizeof(o->is_set));
	return 0;
}

void options_fini(struct sockjs_options *o)
{
	const struct option *opt;

	options_foreach (opt)
		options_field_free(o, opt);
}

/* Points the strings and lists of `to` at copies of their own; on failure none is left. */
static int dup_field(
    struct sockjs_options *to, const struct sockjs_options *from, const struct option *opt)
{
	if (opt->type == OPTION_LIST) {
		const struct string_list *list = options_const_field(from, opt);

		return string_list_dup(
		    options_field(to, opt), (const char *const *)list->items, list->count);
	}
	if (options_is_text(opt)) {
		const char *s = *(char *const *)options_const_field(from, opt);

		if (s && !(*(char **)options_field(to, opt) = mem_strdup(s)))
			return -ENOMEM;
	} else if (opt->type == OPTION_BOOL) {
		*(bool *)options_field(to, opt) = *(const bool *)options_const_field(from, opt);
	} else if (opt->type == OPTION_PAIR) {
		memcpy(
		    options_field(to, opt), options_const_field(from, opt), 2 * sizeof(uint64_t));
	} else {
		*(uint64_t *)options_field(to, opt) =
		    *(const uint64_t *)options_const_field(from, opt);
	}
	return 0;
}

int options_copy(struct sockjs_options *to, const struct sockjs_options *from)
{
	const struct option *opt;

	memset(to, 0, sizeof(*to));
	options_foreach (opt) {
		if (dup_field(to, from, opt) < 0) {
			options_fini(to);
			return -ENOMEM;
		}
	}
	memcpy(to->is_set, from->is_set, sizeof(to->is_set));
	return 0;
}

int options_assign(
    struct sockjs_options *to, const struct sockjs_options *from, const struct option *opt)
{
	options_field_free(to, opt);
	if (dup_field(to, from, opt) < 0)
		return -ENOMEM;
	*options_mark(to, opt) = options_is_marked(from, opt);
	return 0;
}

int options_overlay(
    struct sockjs_options *to, const struct sockjs_options *from, enum option_scope scope)
{
	const struct option *opt;

	options_foreach (opt) {
		if (opt->scope != scope || !options_is_marked(from, opt))
			continue;
		if (options_assign(to, from, opt) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool texts_are_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool options_is_same(
    const struct sockjs_options *a, const struct sockjs_options *b, const struct option *opt)
{
	const void *x = options_const_field(a, opt), *y = options_const_field(b, opt);

	if (opt->type == OPTION_LIST)
		return string_lists_are_same(x, y);
	if (options_is_text(opt))
		return texts_are_same(*(char *const *)x, *(char *const *)y);
	if (opt->type == OPTION_BOOL)
		return *(const bool *)x == *(const bool *)y;
	return memcmp(x, y, (opt->type == OPTION_PAIR ? 2 : 1) * sizeof(uint64_t)) == 0;
}

bool options_are_same(
    const struct sockjs_options *a, const struct sockjs_options *b, enum option_scope scope)
{
	const struct option *opt;

	options_foreach (opt)
		if (opt->scope == scope && !options_is_same(a, b, opt))
			return false;
	return true;
}

const struct option *options_stray(const struct sockjs_options *o, unsigned scopes)
{
	const struct option *opt;

	options_foreach (opt)
		if (options_is_marked(o, opt) && !(scopes >> opt->scope & 1))
			return opt;
	return NULL;
}

void options_taken(struct sockjs_options *o, enum option_scope scope)
{
	const struct option *opt;

	options_foreach (opt)
		if (opt->scope == scope)
			*options_mark(o, opt) = false;
}

/* --- the public face (sockjs.h) --------------------------------------------------------------- */

struct sockjs_options *sockjs_options_new(void)
{
	struct sockjs_options *o = mem_alloc(sizeof(*o));

	if (o && options_init(o) < 0) {
		mem_free(o);
		return NULL;
	}
	return o;
}

void sockjs_options_free(struct sockjs_options *o)
{
	if (!o)
		return;
	options_fini(o);
	mem_free(o);
}

int sockjs_options_set(struct sockjs_options *o, const char *key, const char *value)
{
	const struct option *opt = options_find(key);

	if (!opt)
		return options_fail(o, -ENOENT, "%.*s: no such option", SHOWN_VALUE, key);
	return options_set(o, opt, value);
}

const char *sockjs_options_error(const struct sockjs_options *o)
{
	return o->error;
}
