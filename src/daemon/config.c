/*
 * daemon/config.c - the structure itself: grow it, free it, put its errors into words; see
 * config.h. Reading JSON is config_json.c, checking config_check.c, writing print_config.c.
 */
#include "daemon/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/config_error.h"
#include "net/addr.h"

int config_fail(struct config *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
	return err;
}

int config_blame(struct config *c, int err, const char *key, const char *fmt, ...)
{
	char sentence[sizeof(c->error)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	if (!c->source || *key == '-')
		return config_fail(c, err, "%s: %s", key, sentence);
	return config_fail(c, err, "%s: %s: %s", c->source, key, sentence);
}

void config_listener_path(const struct config *c, size_t i, char path[CONFIG_WHERE])
{
	if (c->listeners_given)
		snprintf(path, CONFIG_WHERE, "-l");
	else
		snprintf(path, CONFIG_WHERE, "listen[%zu]", i);
}

int config_no_memory(struct config *c)
{
	return config_fail(c, -ENOMEM, "out of memory");
}

int config_init(struct config *c)
{
	memset(c, 0, sizeof(*c));
	c->log_level = LOG_INFO;
	c->log_format = LOG_TEXT;
	if (options_init(&c->options) < 0)
		return config_no_memory(c);
	if (options_init(&c->internal_options) == 0)
		return 0;
	options_fini(&c->options);
	return config_no_memory(c);
}

uint64_t config_longest_stop_ms(const struct config *c)
{
	const struct server_options *o = &c->options.server;

	return o->drain_delay_ms + o->drain_ms + o->shutdown_timeout_ms;
}

static void endpoints_free(struct config *c)
{
	for (size_t i = 0; i < c->endpoint_count; i++) {
		mem_free(c->endpoints[i].prefix);
		options_fini(&c->endpoints[i].options);
	}
	mem_free(c->endpoints);
	c->endpoints = NULL;
	c->endpoint_count = 0;
}

void config_clear_listeners(struct config *c)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		mem_free(c->listeners[i].address);
		options_fini(&c->listeners[i].options);
	}
	mem_free(c->listeners);
	c->listeners = NULL;
	c->listener_count = 0;
}

void config_fini(struct config *c)
{
	config_clear_listeners(c);
	endpoints_free(c);
	options_fini(&c->options);
	options_fini(&c->internal_options);
	if (c->engine)
		options_fini(c->engine);
	mem_free(c->engine);
	c->engine = NULL;
	mem_free(c->internal);
	mem_free(c->user);
	mem_free(c->group);
	c->internal = c->user = c->group = NULL;
}

/* Its form: a name is looked up by who listens, for another day it may be known. */
static int check_address(struct config *c, const char *address)
{
	const char *why = "";

	if (listen_addr_check(address, &why) < 0)
		return config_fail(
		    c, -EINVAL, "\"%.*s\" is not an address: %s", CONFIG_SHOWN, address, why);
	return 0;
}

/* The kernel would not notice (SO_REUSEPORT). Port 0 is another port each time. */
static bool is_repeated(const struct config *c, const char *address)
{
	size_t n = strlen(address);

	if (n > 2 && strcmp(address + n - 2, ":0") == 0)
		return false;
	for (size_t i = 0; i < c->listener_count; i++)
		if (strcmp(c->listeners[i].address, address) == 0)
			return true;
	return false;
}

int config_add_listener(struct config *c, const char *address)
{
	struct config_listener *grown, *l;
	int err = check_address(c, address);

	if (err < 0)
		return err;
	if (is_repeated(c, address))
		return config_fail(c, -EINVAL, "\"%.*s\" is there twice", CONFIG_SHOWN, address);
	grown = mem_realloc(c->listeners, (c->listener_count + 1) * sizeof(*grown));
	if (!grown)
		return config_no_memory(c);
	c->listeners = grown;
	l = &grown[c->listener_count];
	if (!(l->address = mem_strdup(address)))
		return config_no_memory(c);
	if (options_init(&l->options) < 0) {
		mem_free(l->address);
		return config_no_memory(c);
	}
	c->listener_count++;
	return 0;
}

int config_set_internal(struct config *c, const char *address)
{
	char *copy;
	int err = check_address(c, address);

	if (err < 0)
		return err;
	if (!(copy = mem_strdup(address)))
		return config_no_memory(c);
	mem_free(c->internal);
	c->internal = copy;
	return 0;
}

static int check_prefix(struct config *c, const char *prefix)
{
	if (!options_is_prefix(prefix))
		return config_fail(c, -EINVAL, "prefix: \"%.*s\" is not allowed; allowed: %s",
		    CONFIG_SHOWN, prefix, OPTIONS_PREFIX);
	for (size_t i = 0; i < c->endpoint_count; i++)
		if (strcmp(c->endpoints[i].prefix, prefix) == 0)
			return config_fail(c, -EINVAL,
			    "prefix: \"%.*s\" is taken by endpoints[%zu]", CONFIG_SHOWN, prefix, i);
	return 0;
}

static int unknown_application(struct config *c, const char *name)
{
	const struct app *const *apps;
	char names[256];
	size_t count, len = 0;

	apps = apps_table(&count);
	for (size_t i = 0; i < count && len < sizeof(names); i++)
		len += (size_t)snprintf(
		    names + len, sizeof(names) - len, "%s%s", i ? ", " : "", apps[i]->name);
	return config_fail(c, -EINVAL, "application: \"%.*s\" is not an application; allowed: %s",
	    CONFIG_SHOWN, name, names);
}

unsigned config_endpoint_scopes(const struct config_endpoint *e)
{
	return 1u << OPTION_ENDPOINT | 1u << OPTION_HOOKS | e->app->scopes;
}

int config_add_endpoint(struct config *c, const char *prefix, const char *application)
{
	struct config_endpoint *grown, *e;
	int err = check_prefix(c, prefix);

	if (err < 0)
		return err;
	if (!app_find(application))
		return unknown_application(c, application);
	grown = mem_realloc(c->endpoints, (c->endpoint_count + 1) * sizeof(*grown));
	if (!grown)
		return config_no_memory(c);
	c->endpoints = grown;
	e = &grown[c->endpoint_count];
	e->app = app_find(application);
	if (!(e->prefix = mem_strdup(prefix)))
		return config_no_memory(c);
	if (options_init(&e->options) < 0) {
		mem_free(e->prefix);
		return config_no_memory(c);
	}
	c->endpoint_count++;
	return 0;
}
