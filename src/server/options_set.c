/*
 * server/options_set.c - one option: from text into its field, and back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/json_text.h"
#include "server/options_private.h"

/* --- setting ---------------------------------------------------------------------------------- */

/* "KEY: VALUE COMPLAINT; allowed: ..."; a number stands without quotes. */
static int refuse(struct sockjs_options *o, const struct option *opt, int err, const char *value,
    const char *complaint)
{
	const char *quote = opt->type == OPTION_INT && err == -ERANGE ? "" : "\"";
	char allowed[320];

	options_describe(opt, allowed, sizeof(allowed));
	return options_fail(o, err, "%s: %s%.*s%s %s; allowed: %s", opt->key, quote, SHOWN_VALUE,
	    value, quote, complaint, allowed);
}

static bool is_whole_number(const char *value)
{
	const char *digits = value + (*value == '-');

	return *digits != '\0' && digits[strspn(digits, "0123456789")] == '\0';
}

/* Of a whole number. 0, or -ERANGE: no uint64_t. */
static int parse_number(const char *value, uint64_t *n)
{
	errno = 0;
	*n = strtoull(value, NULL, 10);
	return *value == '-' || errno == ERANGE ? -ERANGE : 0;
}

static int set_int(struct sockjs_options *o, const struct option *opt, const char *value)
{
	uint64_t n;

	if (!is_whole_number(value))
		return refuse(o, opt, -EINVAL, value, "is not a whole number");
	if (parse_number(value, &n) < 0 || n < opt->min || n > opt->max)
		return refuse(o, opt, -ERANGE, value, "is out of range");
	*(uint64_t *)options_field(o, opt) = n;
	return 0;
}

static int set_null(struct sockjs_options *o, const struct option *opt)
{
	if (!options_nullable(opt))
		return options_fail(o, -EINVAL, "%s: null is not allowed", opt->key);
	options_field_free(o, opt);
	if (opt->type == OPTION_MODE)
		*(uint64_t *)options_field(o, opt) = 0;
	return 0;
}

static int set_mode(struct sockjs_options *o, const struct option *opt, const char *value)
{
	uint64_t mode;

	if (*value == '\0' || strlen(value) > 4 || value[strspn(value, "01234567")] != '\0')
		return refuse(o, opt, -EINVAL, value, "is not an octal file mode");
	mode = strtoul(value, NULL, 8);
	if (mode < opt->min || mode > opt->max)
		return refuse(o, opt, -ERANGE, value, "is out of range");
	*(uint64_t *)options_field(o, opt) = mode;
	return 0;
}

static int set_bool(struct sockjs_options *o, const struct option *opt, const char *value)
{
	bool yes = strcmp(value, "true") == 0;

	if (!yes && strcmp(value, "false") != 0)
		return refuse(o, opt, -EINVAL, value, "is not a truth value");
	*(bool *)options_field(o, opt) = yes;
	return 0;
}

static bool word_in(const char *words, const char *word)
{
	size_t n = strlen(word);

	if (strchr(word, ' '))
		return false;
	for (const char *p = words; (p = strstr(p, word)) != NULL; p += n)
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static bool acceptable(const struct option *opt, const char *item)
{
	if (*item == '\0')
		return false;
	if (opt->valid)
		return opt->valid(item);
	return !opt->allowed || word_in(opt->allowed, item);
}

static int keep_text(struct sockjs_options *o, const struct option *opt, const char *value)
{
	char **s = options_field(o, opt), *copy = mem_strdup(value);

	if (!copy)
		return options_no_memory(o);
	mem_free(*s);
	*s = copy;
	return 0;
}

static int set_string(struct sockjs_options *o, const struct option *opt, const char *value)
{
	if (!acceptable(opt, value))
		return refuse(o, opt, -EINVAL, value, "is not allowed");
	return keep_text(o, opt, value);
}

/* The value is not repeated: there may be secrets in it. */
static int set_json(struct sockjs_options *o, const struct option *opt, const char *value)
{
	char why[200], allowed[320];
	bool is_null = false;
	int err = json_text_check(value, &is_null, why, sizeof(why));

	if (err == -ENOMEM)
		return options_no_memory(o);
	if (is_null)
		return set_null(o, opt);
	if (err == 0)
		return keep_text(o, opt, value);
	options_describe(opt, allowed, sizeof(allowed));
	return options_fail(o, err,
	    "%s: this is not JSON (%s), in which a string stands in quotes; "
	    "allowed: %s",
	    opt->key, why, allowed);
}

/* 0 is nothing, whatever the range. */
static int set_pair_item(
    struct sockjs_options *o, const struct option *opt, size_t i, const char *item, uint64_t *n)
{
	char allowed[100];
	bool is_number = is_whole_number(item);

	if (is_number && parse_number(item, n) == 0 &&
	    (*n == 0 || (*n >= opt->min && *n <= opt->max)))
		return 0;
	options_describe_item(opt, allowed, sizeof(allowed));
	if (is_number)
		return options_fail(o, -ERANGE, "%s[%zu]: %.*s is out of range; allowed: %s",
		    opt->key, i, SHOWN_VALUE, item, allowed);
	return options_fail(o, -EINVAL, "%s[%zu]: \"%.*s\" is not a whole number; allowed: %s",
	    opt->key, i, SHOWN_VALUE, item, allowed);
}

static int set_pair(
    struct sockjs_options *o, const struct option *opt, const char *const *items, size_t count)
{
	uint64_t n[2];
	char allowed[200];
	int err = 0;

	if (count != 2) {
		options_describe(opt, allowed, sizeof(allowed));
		return options_fail(o, -ERANGE, "%s: a list of %zu is not a pair; allowed: %s",
		    opt->key, count, allowed);
	}
	for (size_t i = 0; i < 2 && err == 0; i++)
		err = set_pair_item(o, opt, i, items[i], &n[i]);
	if (err == 0)
		memcpy(options_field(o, opt), n, sizeof(n));
	return err;
}

static int refuse_item(struct sockjs_options *o, const struct option *opt, size_t i,
    const char *item, const char *complaint)
{
	return options_fail(o, -EINVAL, "%s[%zu]: \"%.*s\" %s; allowed: %s", opt->key, i,
	    SHOWN_VALUE, item, complaint, opt->allowed);
}

/* What stands behind them does not make two of one. */
static bool is_repeated(const struct option *opt, const char *const *items, size_t i)
{
	size_t n = opt->parts ? options_item_len(items[i]) : strlen(items[i]);

	for (size_t j = 0; j < i; j++)
		if (strncmp(items[i], items[j], n) == 0 &&
		    (items[j][n] == '\0' || (opt->parts && items[j][n] == ' ')))
			return true;
	return false;
}

/* Of an item with parts, each of them is looked at. */
static int check_item(
    struct sockjs_options *o, const struct option *opt, size_t i, const char *item)
{
	char *bare;
	bool ok;

	if (!opt->parts)
		return acceptable(opt, item) ? 0
		                             : refuse_item(o, opt, i, item, "is not allowed");
	bare = mem_strndup(item, options_item_len(item));
	if (!bare)
		return options_no_memory(o);
	ok = acceptable(opt, bare);
	mem_free(bare);
	return ok ? options_check_parts(o, opt, i, item)
	          : refuse_item(o, opt, i, item, "is not allowed");
}

static int set_list(
    struct sockjs_options *o, const struct option *opt, const char *const *items, size_t count)
{
	struct string_list list;
	int err;

	if (count < opt->min || count > opt->max)
		return options_fail(o, -ERANGE,
		    "%s: a list of %zu is out of range; allowed: %" PRIu64 " to %" PRIu64 " items",
		    opt->key, count, opt->min, opt->max);
	for (size_t i = 0; i < count; i++) {
		if ((err = check_item(o, opt, i, items[i])) < 0)
			return err;
		if (is_repeated(opt, items, i))
			return refuse_item(o, opt, i, items[i], "is there twice");
	}
	if (string_list_dup(&list, items, count) < 0)
		return options_no_memory(o);
	string_list_free(options_field(o, opt));
	*(struct string_list *)options_field(o, opt) = list;
	return 0;
}

int options_set_list(
    struct sockjs_options *o, const struct option *opt, const char *const *items, size_t count)
{
	int err = (opt->type == OPTION_PAIR ? set_pair : set_list)(o, opt, items, count);

	if (err == 0)
		*options_mark(o, opt) = true;
	return err;
}

/* Cuts `text` at its commas in place; blanks around an item do not count. Returns how many. */
static size_t split(char *text, const char **items)
{
	size_t count = 0;
	char *item, *rest = text;

	if (text[strspn(text, " ")] == '\0')
		return 0;
	while ((item = strsep(&rest, ",")) != NULL) {
		size_t n;

		item += strspn(item, " ");
		for (n = strlen(item); n > 0 && item[n - 1] == ' '; n--)
			item[n - 1] = '\0';
		items[count++] = item;
	}
	return count;
}

static int set_list_text(struct sockjs_options *o, const struct option *opt, const char *value)
{
	char *text = mem_strdup(value);
	const char **items = mem_alloc((strlen(value) + 1) * sizeof(*items));
	int err = -ENOMEM;

	if (text && items)
		err = options_set_list(o, opt, items, split(text, items));
	else
		options_no_memory(o);
	mem_free(text);
	mem_free(items);
	return err;
}

int options_set(struct sockjs_options *o, const struct option *opt, const char *value)
{
	static int (*const setters[])(
	    struct sockjs_options *, const struct option *, const char *) = {
		[OPTION_BOOL] = set_bool,
		[OPTION_INT] = set_int,
		[OPTION_STRING] = set_string,
		[OPTION_LIST] = set_list_text,
		[OPTION_MODE] = set_mode,
		[OPTION_PAIR] = set_list_text,
		[OPTION_JSON] = set_json,
	};
	int err;

	o->error[0] = '\0';
	err = value ? setters[opt->type](o, opt, value) : set_null(o, opt);
	if (err == 0)
		*options_mark(o, opt) = true;
	return err;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int get_list(const struct string_list *list, char *text, size_t size)
{
	size_t len = 0;

	if (size > 0)
		text[0] = '\0';
	for (size_t i = 0; i < list->count; i++)
		len += (size_t)snprintf(text + (len < size ? len : size),
		    len < size ? size - len : 0, "%s%s", i ? "," : "", list->items[i]);
	return (int)len;
}

int options_get(const struct sockjs_options *o, const struct option *opt, char *text, size_t size)
{
	const void *f = options_const_field(o, opt);

	switch (opt->type) {
	case OPTION_BOOL:
		return snprintf(text, size, "%s", *(const bool *)f ? "true" : "false");
	case OPTION_INT:
		return snprintf(text, size, "%" PRIu64, *(const uint64_t *)f);
	case OPTION_MODE:
		return *(const uint64_t *)f
		           ? snprintf(text, size, "%04" PRIo64, *(const uint64_t *)f)
		           : -1;
	case OPTION_PAIR:
		return snprintf(text, size, "%" PRIu64 ",%" PRIu64, ((const uint64_t *)f)[0],
		    ((const uint64_t *)f)[1]);
	case OPTION_LIST:
		return get_list(f, text, size);
	case OPTION_STRING:
	case OPTION_JSON:
		break;
	}
	return *(char *const *)f ? snprintf(text, size, "%s", *(char *const *)f) : -1;
}
