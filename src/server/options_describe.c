/*
 * server/options_describe.c - what an option takes, in words, for messages and the manual.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "server/options.h"

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

const char *options_unit(const struct option *opt)
{
	if (ends_with(opt->key, "_ms"))
		return "milliseconds";
	return ends_with(opt->key, "_bytes") ? "bytes" : "";
}

bool options_is_file(const struct option *opt)
{
	return opt->type == OPTION_STRING && !opt->allowed;
}

bool options_nullable(const struct option *opt)
{
	return !opt->default_value && opt->type != OPTION_LIST;
}

enum option_reload options_reload(const struct option *opt)
{
	static const enum option_reload usual[] = {
		[OPTION_SERVER] = RELOAD_AT_ONCE,
		[OPTION_LISTENER] = RELOAD_AT_ONCE,
		[OPTION_ENDPOINT] = RELOAD_NEW,
		[OPTION_UPSTREAM] = RELOAD_NEW,
		[OPTION_STOMP] = RELOAD_NEVER,
		[OPTION_HOOKS] = RELOAD_NEW,
	};

	if (opt->needs_restart)
		return RELOAD_NEVER;
	return opt->at_once ? RELOAD_AT_ONCE : usual[opt->scope];
}

int options_describe_item(const struct option *opt, char *text, size_t size)
{
	const char *unit = options_unit(opt);

	return snprintf(text, size, "%s%" PRIu64 " to %" PRIu64 "%s%s",
	    opt->type == OPTION_PAIR ? "0, or " : "", opt->min, opt->max, *unit ? " " : "", unit);
}

/* "two numbers, each 0, or ..." */
static int describe_pair(const struct option *opt, char *text, size_t size)
{
	char item[80];

	options_describe_item(opt, item, sizeof(item));
	return snprintf(text, size, "two numbers, each %s", item);
}

int options_describe(const struct option *opt, char *text, size_t size)
{
	const char *null = options_nullable(opt) ? ", or null" : "";

	switch (opt->type) {
	case OPTION_BOOL:
		return snprintf(text, size, "true, false");
	case OPTION_INT:
		return options_describe_item(opt, text, size);
	case OPTION_PAIR:
		return describe_pair(opt, text, size);
	case OPTION_JSON:
		return snprintf(
		    text, size, "%s%s", opt->allowed ? opt->allowed : "any JSON value", null);
	case OPTION_MODE:
		return snprintf(text, size, "\"%04" PRIo64 "\" to \"%04" PRIo64 "\"%s", opt->min,
		    opt->max, null);
	case OPTION_STRING:
		return snprintf(
		    text, size, "%s%s", options_is_file(opt) ? "a file name" : opt->allowed, null);
	case OPTION_LIST:
		break;
	}
	return snprintf(text, size, "a list, each %s%s", opt->valid ? "" : "one of ", opt->allowed);
}

/* Who asks stands before the last @ of the authority; what stands behind a blank is no URL. */
int options_print_url(const char *url, struct buf *out)
{
	const char *host = strstr(url, "://"), *at, *query;
	int err;

	host = host ? host + 3 : url;
	at = memrchr(host, '@', strcspn(host, "/? "));
	err = buf_add(out, url, (size_t)(host - url));
	if (err == 0 && at)
		err = buf_add_str(out, "***");
	host = at ? at : host;
	query = strchr(host, '?');
	if (err == 0)
		err = buf_add(out, host, strcspn(host, "?"));
	if (err == 0 && query)
		err = buf_add_str(out, "?***");
	return err == 0 && query ? buf_add_str(out, query + strcspn(query, " ")) : err;
}
