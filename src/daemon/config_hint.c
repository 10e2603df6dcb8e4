/*
 * daemon/config_hint.c - where a key belongs; see config_hint.h.
 *
 * The table of options knows most of them; the few words of the daemon's own stand here.
 */
#include "daemon/config_hint.h"

#include <stdio.h>
#include <string.h>

#include "server/options.h"

static const char *const scopes[] = {
	[OPTION_SERVER] = "",
	[OPTION_LISTENER] = "listen[].",
	[OPTION_ENDPOINT] = "endpoints[].",
	[OPTION_UPSTREAM] = "endpoints[].",
	[OPTION_STOMP] = "endpoints[].",
	[OPTION_HOOKS] = "endpoints[].",
};

static const char *const belongs[] = {
	[OPTION_SERVER] = "to the top level",
	[OPTION_LISTENER] = "into an object of listen",
	[OPTION_ENDPOINT] = "into an endpoint",
	[OPTION_UPSTREAM] = "into an endpoint whose application is \"upstream\"",
	[OPTION_STOMP] = "into an endpoint whose application is \"stomp\"",
	[OPTION_HOOKS] = "into an endpoint",
};

static const struct {
	const char *key;
	enum option_scope scope;
	const char *path;
} words[] = {
	{ "listen", OPTION_SERVER, "listen" },
	{ "internal", OPTION_SERVER, "internal.listen" },
	{ "endpoints", OPTION_SERVER, "endpoints" },
	{ "engine", OPTION_SERVER, "engine" },
	{ "user", OPTION_SERVER, "user" },
	{ "group", OPTION_SERVER, "group" },
	{ "log_level", OPTION_SERVER, "log_level" },
	{ "log_format", OPTION_SERVER, "log_format" },
	{ "address", OPTION_LISTENER, "address" },
	{ "prefix", OPTION_ENDPOINT, "prefix" },
	{ "application", OPTION_ENDPOINT, "application" },
};

/* How far a key is from being this option: 0 it is its name, 1 it begins its path, 2 it ends it.
 * -1: it has nothing to do with it. */
static int distance(const char *option, const char *key)
{
	size_t n = strlen(option), m = strlen(key);

	if (strcmp(option, key) == 0)
		return 0;
	if (n > m && strncmp(option, key, m) == 0 && option[m] == '.')
		return 1;
	return n > m && strcmp(option + n - m, key) == 0 && option[n - m - 1] == '.' ? 2 : -1;
}

/* The nearest of all, those of the scopes at hand before others, and of these those of the group at
 * hand; its distance in *nearest. */
static const struct option *find_option(
    const char *key, const char *group, unsigned scopes_here, int *nearest)
{
	size_t count;
	const struct option *table = options_table(&count), *found = NULL;
	int best = 0;

	for (size_t i = 0; i < count; i++) {
		int d = distance(table[i].key, key),
		    here = (int)(scopes_here >> table[i].scope & 1);

		if (here && *group && strncmp(table[i].key, group, strlen(group)) == 0)
			here = 2;
		if (d >= 0 && (!found || 3 * d - here < best)) {
			found = &table[i];
			best = 3 * d - here;
			*nearest = d;
		}
	}
	return found;
}

static bool say(char *hint, size_t size, enum option_scope scope, const char *path, size_t n)
{
	snprintf(hint, size, "it belongs %s: %s%.*s", belongs[scope], scopes[scope], (int)n, path);
	return true;
}

/* As the manual writes it, "limits.connections"; in JSON that is an object in an object. */
static bool say_nested(char *hint, size_t size, const char *key)
{
	int group = (int)strcspn(key, ".");

	snprintf(hint, size, "a dot stands for an object: \"%.*s\": { \"%s\": ... }", group, key,
	    key + group + 1);
	return true;
}

/* At the top level they stand without the word before the first dot. */
#define OF_STOMP (sizeof("stomp.") - 1)

static bool is_of_engine(const struct option *opt)
{
	return strncmp(opt->key, "stomp.engine.", 13) == 0;
}

bool config_hint(const char *path, const char *group, unsigned scopes_here, const char *key,
    char *hint, size_t size)
{
	const struct option *opt;
	int d = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i].key, key) == 0)
			return say(
			    hint, size, words[i].scope, words[i].path, strlen(words[i].path));
	if (*key == '\0' || strlen(key) > 60 || !(opt = find_option(key, group, scopes_here, &d)))
		return false;
	if (d == 0 && strchr(key, '.') && *group == '\0' &&
	    strncmp(path, scopes[opt->scope], strcspn(path, "[")) == 0)
		return say_nested(hint, size, key);
	if (*path == '\0' && *group == '\0' && is_of_engine(opt) &&
	    strcmp(opt->key + OF_STOMP, key) == 0)
		return say_nested(hint, size, key);
	if (*path == '\0' && strncmp(group, "stomp.engine.", 13) == 0 && is_of_engine(opt) &&
	    d == 2)
		return say(
		    hint, size, OPTION_SERVER, opt->key + OF_STOMP, strlen(opt->key + OF_STOMP));
	return say(hint, size, opt->scope, opt->key, d == 1 ? strlen(key) : strlen(opt->key));
}
