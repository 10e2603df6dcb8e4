/*
 * daemon/config.c - the structure itself: grow it, check it, free it; see
 * config.h. Reading JSON is config_json.c, writing it print_config.c.
 */
#include "daemon/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/config_error.h"
#include "net/addr.h"
#include "net/stream.h"

int config_fail(struct config *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
	return err;
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
	return options_init(&c->options) < 0 ? config_no_memory(c) : 0;
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
	mem_free(c->internal);
	mem_free(c->user);
	mem_free(c->group);
	c->internal = c->user = c->group = NULL;
}

static int check_address(struct config *c, const char *address)
{
	struct listen_addr parsed;
	const char *why = "";

	if (listen_addr_parse(address, &parsed, &why) < 0)
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

/* sockjs_server_add() has the last word; here it is said with the key's path. */
static bool valid_prefix(const char *s)
{
	size_t n = strlen(s);

	if (n < 2 || n > 255 || s[0] != '/' || s[n - 1] == '/' || strstr(s, "//"))
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s == 0x7f || strchr(".?#%\"<>\\", *s))
			return false;
	return true;
}

static int check_prefix(struct config *c, const char *prefix)
{
	if (!valid_prefix(prefix))
		return config_fail(c, -EINVAL,
		    "prefix: \"%.*s\" is not allowed; allowed: a path such as /echo, without a "
		    "slash at "
		    "the end and without blanks and . ? # %% \" < > \\",
		    CONFIG_SHOWN, prefix);
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

static int check_file(struct config *c, const char *key, const char *path)
{
	if (path && access(path, R_OK) < 0)
		return config_fail(c, -EINVAL, "%s: cannot read \"%.*s\": %s", key, CONFIG_SHOWN,
		    path, strerror(errno));
	return 0;
}

/* A pipe can be read but once, by who starts. */
static bool may_be_read_twice(const char *path)
{
	struct stat st;

	return !path || (stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)));
}

/* Files of TLS, listeners' and upstreams' alike. `where` is the path of the options they are in;
 * indexed by enum tls_file. */
static int check_tls_files(struct config *c, const char *where, const char *const files[3])
{
	static const char *const names[] = {
		[TLS_CERTIFICATE] = "certificate",
		[TLS_KEY] = "key",
		[TLS_CA] = "ca",
	};
	struct tls_trouble trouble;
	bool twice = true;
	int err = 0;

	for (size_t k = 0; k < sizeof(names) / sizeof(*names) && err == 0; k++) {
		char key[72];

		snprintf(key, sizeof(key), "%s.tls.%s", where, names[k]);
		err = check_file(c, key, files[k]);
		twice = twice && may_be_read_twice(files[k]);
	}
	if (err == 0 && twice && (files[TLS_CERTIFICATE] || files[TLS_CA])) {
		err = tls_check_files(
		    files[TLS_CERTIFICATE], files[TLS_KEY], files[TLS_CA], &trouble);
		if (err == -EINVAL)
			config_fail(c, err, "%s.tls.%s: cannot use \"%.*s\": %s", where,
			    names[trouble.file], CONFIG_SHOWN, files[trouble.file], trouble.why);
		else if (err < 0)
			config_no_memory(c);
	}
	return err;
}

static int check_listener_files(struct config *c, size_t i)
{
	const struct listener_options *l = &c->listeners[i].options.listener;
	char where[48];

	snprintf(where, sizeof(where), "listen[%zu]", i);
	return check_tls_files(c, where, (const char *[]){ l->tls_certificate, l->tls_key, NULL });
}

static int check_upstream_files(struct config *c, size_t i)
{
	const struct upstream_options *u = &c->endpoints[i].options.upstream;
	char where[48];

	snprintf(where, sizeof(where), "endpoints[%zu].upstream", i);
	return check_tls_files(
	    c, where, (const char *[]){ u->tls_certificate, u->tls_key, u->tls_ca });
}

int config_check(struct config *c)
{
	int err;

	if (c->listener_count == 0)
		return config_fail(c, -EINVAL,
		    "listen: missing; allowed: a list of addresses such as \"127.0.0.1:8081\"");
	if (c->endpoint_count == 0)
		return config_fail(c, -EINVAL,
		    "endpoints: missing; allowed: a list of objects, each with \"prefix\" and "
		    "\"application\"");
	for (size_t i = 0; i < c->listener_count; i++)
		if ((err = check_listener_files(c, i)) < 0)
			return err;
	for (size_t i = 0; i < c->endpoint_count; i++)
		if ((err = check_upstream_files(c, i)) < 0)
			return err;
	if ((err = check_file(c, "www", c->options.server.www)) < 0)
		return err;
	return check_file(c, "client_library", c->options.server.client_library);
}
