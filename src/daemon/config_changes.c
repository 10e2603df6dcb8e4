/*
 * daemon/config_changes.c - two configurations side by side; see config_changes.h.
 */
#include "daemon/config_changes.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char *const lists[] = { "changed", "new_sessions", "restart", "added", "removed",
	"opened", "closed" };

static const char *list_of(enum option_reload reload)
{
	return lists[reload];
}

/* 0, or -1: memory is out. */
static int note(json_t *changes, const char *list, const char *where, const char *what)
{
	char path[400];

	snprintf(path, sizeof(path), "%s%s%s", where, *where ? "." : "", what);
	return json_array_append_new(json_object_get(changes, list), json_string(path));
}

/* --- options ---------------------------------------------------------------------------------- */

/* What a broker asks of its backend, it asks as long as it is there. */
static enum option_reload reload_of(const struct option *opt, const struct app *app)
{
	return opt->scope == OPTION_HOOKS && app && app->stays ? RELOAD_NEVER : options_reload(opt);
}

static int compare(json_t *changes, const char *where, const struct app *app,
    struct sockjs_options *next, const struct sockjs_options *now)
{
	size_t count;
	const struct option *table = options_table(&count);
	int err = 0;

	for (size_t i = 0; i < count && err == 0; i++) {
		enum option_reload reload = reload_of(&table[i], app);

		if (options_is_same(next, now, &table[i]))
			continue;
		err = note(changes, list_of(reload), where, table[i].key);
		if (err == 0 && reload == RELOAD_NEVER)
			err = options_assign(next, now, &table[i]);
	}
	return err;
}

/* --- users ------------------------------------------------------------------------------------ */

static int keep_name(json_t *changes, const char *key, char **next, const char *now)
{
	char *copy = now ? mem_strdup(now) : NULL;

	if (*next == now || (*next && now && strcmp(*next, now) == 0)) {
		mem_free(copy);
		return 0;
	}
	if (now && !copy)
		return -1;
	mem_free(*next);
	*next = copy;
	return note(changes, "restart", "", key);
}

/* --- endpoints -------------------------------------------------------------------------------- */

static struct config_endpoint *find_endpoint(const struct config *c, const char *prefix)
{
	for (size_t i = 0; i < c->endpoint_count; i++)
		if (strcmp(c->endpoints[i].prefix, prefix) == 0)
			return &c->endpoints[i];
	return NULL;
}

static int compare_endpoint(
    json_t *changes, struct config_endpoint *next, const struct config_endpoint *now)
{
	char where[300];

	snprintf(where, sizeof(where), "endpoints[\"%s\"]", next->prefix);
	if (!now)
		return note(changes, "added", "", next->prefix);
	if (next->app != now->app)
		return note(changes, list_of(RELOAD_NEW), where, "application");
	return compare(changes, where, next->app, &next->options, &now->options);
}

static int compare_endpoints(json_t *changes, struct config *next, const struct config *now)
{
	int err = 0;

	for (size_t i = 0; i < next->endpoint_count && err == 0; i++)
		err = compare_endpoint(changes, &next->endpoints[i],
		    find_endpoint(now, next->endpoints[i].prefix));
	for (size_t i = 0; i < now->endpoint_count && err == 0; i++)
		if (!find_endpoint(next, now->endpoints[i].prefix))
			err = note(changes, "removed", "", now->endpoints[i].prefix);
	return err;
}

/* --- addresses -------------------------------------------------------------------------------- */

static struct config_listener *find_listener(const struct config *c, const char *address)
{
	for (size_t i = 0; i < c->listener_count; i++)
		if (strcmp(c->listeners[i].address, address) == 0)
			return &c->listeners[i];
	return NULL;
}

static int compare_listener(
    json_t *changes, struct config_listener *next, const struct config_listener *now)
{
	char where[300];

	if (!now)
		return note(changes, "opened", "", next->address);
	snprintf(where, sizeof(where), "listen[\"%s\"]", next->address);
	return compare(changes, where, NULL, &next->options, &now->options);
}

static int compare_internal(json_t *changes, struct config *next, const struct config *now)
{
	const char *address = next->internal, *before = now->internal;

	if (address && before && strcmp(address, before) == 0)
		return compare(
		    changes, "internal", NULL, &next->internal_options, &now->internal_options);
	if (before && note(changes, "closed", "", before) < 0)
		return -1;
	return address ? note(changes, "opened", "", address) : 0;
}

static int compare_listeners(json_t *changes, struct config *next, const struct config *now)
{
	int err = 0;

	for (size_t i = 0; i < next->listener_count && err == 0; i++)
		err = compare_listener(changes, &next->listeners[i],
		    find_listener(now, next->listeners[i].address));
	for (size_t i = 0; i < now->listener_count && err == 0; i++)
		if (!find_listener(next, now->listeners[i].address))
			err = note(changes, "closed", "", now->listeners[i].address);
	return err < 0 ? err : compare_internal(changes, next, now);
}

/* --- all -------------------------------------------------------------------------------------- */

static int compare_log(
    json_t *changes, const struct config *next, const struct config *now, enum log_level level)
{
	int err = 0;

	if (next->log_level != level)
		err = note(changes, "changed", "", "log_level");
	if (err == 0 && next->log_format != now->log_format)
		err = note(changes, "changed", "", "log_format");
	return err;
}

static json_t *make_lists(void)
{
	json_t *changes = json_object();

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		if (json_object_set_new(changes, lists[i], json_array()) < 0) {
			json_decref(changes);
			return NULL;
		}
	return changes;
}

json_t *config_changes(struct config *next, const struct config *now, enum log_level level)
{
	json_t *changes = make_lists();

	if (changes && compare(changes, "", NULL, &next->options, &now->options) == 0 &&
	    keep_name(changes, "user", &next->user, now->user) == 0 &&
	    keep_name(changes, "group", &next->group, now->group) == 0 &&
	    compare_endpoints(changes, next, now) == 0 &&
	    compare_listeners(changes, next, now) == 0 && compare_log(changes, next, now, level) == 0)
		return changes;
	json_decref(changes);
	return NULL;
}
