/*
 * server/options_field.c - the fields that the rows of the table name.
 *
 * Owns: the strings and lists inside a struct sockjs_options.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/options_private.h"

void *options_field(struct sockjs_options *o, const struct option *opt)
{
	static const size_t scopes[] = {
		[OPTION_SERVER] = offsetof(struct sockjs_options, server),
		[OPTION_LISTENER] = offsetof(struct sockjs_options, listener),
		[OPTION_ENDPOINT] = offsetof(struct sockjs_options, endpoint),
		[OPTION_UPSTREAM] = offsetof(struct sockjs_options, upstream),
		[OPTION_STOMP] = offsetof(struct sockjs_options, stomp),
		[OPTION_HOOKS] = offsetof(struct sockjs_options, hooks),
	};

	return (char *)o + scopes[opt->scope] + opt->offset;
}

const void *options_const_field(const struct sockjs_options *o, const struct option *opt)
{
	return options_field((struct sockjs_options *)(uintptr_t)o, opt);
}

const struct string_list *options_list(const struct sockjs_options *o, const struct option *opt)
{
	return options_const_field(o, opt);
}

const uint64_t *options_pair(const struct sockjs_options *o, const struct option *opt)
{
	return options_const_field(o, opt);
}

void string_list_free(struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		mem_free(list->items[i]);
	mem_free(list->items);
	*list = (struct string_list){ 0 };
}

int string_list_dup(struct string_list *out, const char *const *items, size_t count)
{
	struct string_list list = { 0 };

	if (count > 0 && !(list.items = mem_alloc(count * sizeof(*list.items))))
		return -ENOMEM;
	for (; list.count < count; list.count++) {
		if (!(list.items[list.count] = mem_strdup(items[list.count]))) {
			string_list_free(&list);
			return -ENOMEM;
		}
	}
	*out = list;
	return 0;
}

bool string_lists_are_same(const struct string_list *a, const struct string_list *b)
{
	size_t i = 0;

	while (i < a->count && i < b->count && strcmp(a->items[i], b->items[i]) == 0)
		i++;
	return i == a->count && i == b->count;
}

void options_field_free(struct sockjs_options *o, const struct option *opt)
{
	if (opt->type == OPTION_LIST) {
		string_list_free(options_field(o, opt));
	} else if (options_is_text(opt)) {
		char **s = options_field(o, opt);

		mem_free(*s);
		*s = NULL;
	}
}

bool *options_mark(struct sockjs_options *o, const struct option *opt)
{
	size_t count;

	return &o->is_set[opt - options_table(&count)];
}

bool options_is_marked(const struct sockjs_options *o, const struct option *opt)
{
	return *options_mark((struct sockjs_options *)(uintptr_t)o, opt);
}

const struct option *options_next(const struct option *opt)
{
	size_t count;
	const struct option *table = options_table(&count);

	if (!opt)
		return table;
	return opt + 1 < table + count ? opt + 1 : NULL;
}

/* --- what is wrong ---------------------------------------------------------- */

int options_fail(struct sockjs_options *o, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(o->error, sizeof(o->error), fmt, ap);
	va_end(ap);
	return err;
}

int options_no_memory(struct sockjs_options *o)
{
	return options_fail(o, -ENOMEM, "out of memory");
}
