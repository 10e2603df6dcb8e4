/*
 * daemon/deployment.c - from a configuration to what runs; see deployment.h.
 */
#include "daemon/deployment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/assets.h"
#include "daemon/config_error.h"
#include "server/server_config.h"
#include "sockjs.h"

#define LONGEST_KEY 128 /* octets of a path within an endpoint */

/* --- reading ---------------------------------------------------------------------------------- */

/* What the configuration is from, for messages. */
static const char *source_of(const struct cmdline *cmd)
{
	return cmd->file ? cmd->file : cmd->upstream ? "--upstream" : "--demo";
}

static int load(struct config *c, const struct cmdline *cmd)
{
	char why[sizeof(c->error)];
	int err;

	if (cmd->file) /* what is said of a file begins with its name */
		return config_read_file(c, cmd->file);
	err = cmd->upstream ? config_upstream(c, cmd->upstream) : config_demo(c);
	if (err == 0)
		return 0;
	snprintf(why, sizeof(why), "%s", c->error);
	return config_fail(c, err, "%s: %s", source_of(cmd), why);
}

/* What nobody has named is looked for. */
static int find_assets(struct config *c, const struct cmdline *cmd)
{
	int err = cmd->demo ? assets_find_pages(c) : 0;

	if (err == 0 && !cmd->file)
		err = assets_find_library(c);
	return err < 0 ? config_no_memory(c) : 0;
}

static int make_room(struct deployment *d)
{
	size_t n = d->config.endpoint_count + 1;

	d->renewals = mem_zalloc(n * sizeof(*d->renewals));
	d->apps = d->renewals ? mem_zalloc(n * sizeof(struct running_app *)) : NULL;
	return d->apps ? 0 : config_no_memory(&d->config);
}

int deployment_read(struct deployment **out, const struct cmdline *cmd, bool sets_log)
{
	struct deployment *d = mem_zalloc(sizeof(*d));
	struct config *c;
	int err;

	*out = d;
	if (!d)
		return -ENOMEM;
	c = &d->config;
	err = config_init(c);
	if (err == 0)
		err = load(c, cmd);
	c->source = source_of(cmd);
	if (err == 0)
		err = cmdline_apply(cmd, c);
	if (err == 0 && sets_log) {
		log_set_level(c->log_level);
		log_set_format(c->log_format);
	}
	if (err == 0)
		err = find_assets(c, cmd);
	if (err == 0)
		err = config_check(c);
	return err < 0 ? err : make_room(d);
}

void deployment_free(struct deployment *d)
{
	if (!d)
		return;
	for (size_t i = 0; d->apps && i < d->config.endpoint_count; i++) {
		if (d->renewals[i])
			d->config.endpoints[i].app->drop(d->renewals[i]);
		running_app_unref(d->apps[i]);
	}
	mem_free(d->apps);
	mem_free(d->renewals);
	config_fini(&d->config);
	mem_free(d);
}

/* --- blame ------------------------------------------------------------------------------------ */

bool deployment_is_lasting(int err)
{
	return err != -EAGAIN && err != -ENOMEM;
}

/* The sentence may begin with a key of the endpoint, whose path this completes. */
static int blame_endpoint(struct deployment *d, size_t i, int err, const char *why, bool *is_usage)
{
	char key[CONFIG_WHERE + LONGEST_KEY];
	size_t n = strspn(why, "abcdefghijklmnopqrstuvwxyz0123456789_.[]");

	if (n > 0 && n < LONGEST_KEY && strncmp(why + n, ": ", 2) == 0) {
		snprintf(key, sizeof(key), "endpoints[%zu].%.*s", i, (int)n, why);
		why += n + 2;
	} else {
		snprintf(key, sizeof(key), "endpoints[%zu]", i);
	}
	*is_usage = deployment_is_lasting(err);
	return config_blame(&d->config, err, key, "%s", *why ? why : strerror(-err));
}

/* Of what the kernel says little is written in the configuration. `key`: NULL for an address of the
 * command line, with which the sentence begins anyway. */
static int blame_address(
    struct deployment *d, const char *key, int err, const char *why, bool *is_usage)
{
	*is_usage = err == -EINVAL;
	if (!key)
		return config_fail(&d->config, err, "%s", why);
	return config_blame(&d->config, err, key, "%s", why);
}

/* --- endpoints -------------------------------------------------------------------------------- */

/* Its place among the endpoints of an earlier one, with the same application; -1: none. */
static long find_before(const struct deployment *now, const struct config_endpoint *e)
{
	for (size_t i = 0; now && i < now->config.endpoint_count; i++)
		if (strcmp(now->config.endpoints[i].prefix, e->prefix) == 0)
			return now->config.endpoints[i].app == e->app ? (long)i : -1;
	return -1;
}

static bool are_same(const struct config_endpoint *a, const struct config_endpoint *b)
{
	for (int scope = OPTION_ENDPOINT; scope < OPTION_SCOPES; scope++)
		if (!options_are_same(&a->options, &b->options, (enum option_scope)scope))
			return false;
	return true;
}

/* What all endpoints have of the server's own options. */
static bool have_same_base(const struct deployment *d, const struct deployment *now)
{
	const struct sockjs_options *a = &d->config.options, *b = &now->config.options;

	return options_are_same(a, b, OPTION_ENDPOINT) &&
	       a->server.limit_body_timeout_ms == b->server.limit_body_timeout_ms &&
	       a->server.limit_min_rate == b->server.limit_min_rate;
}

static void leave(void *app)
{
	running_app_unref(app);
}

static int add_to_server(struct deployment *d, size_t i, struct server_config *c,
    const struct server_config *elder, const struct sockjs_options *o, bool *is_usage)
{
	struct endpoint_wish wish = { .prefix = d->config.endpoints[i].prefix,
		.options = o,
		.keeper = { leave, running_app_ref(d->apps[i]) } };
	int err;

	wish.callbacks = running_app_callbacks(d->apps[i], &wish.app);
	err = server_config_add_endpoint(c, &wish, elder);
	if (err == 0)
		return 0;
	running_app_unref(d->apps[i]);
	return blame_endpoint(d, i, err, sockjs_server_error(c->server), is_usage);
}

/* It starts, or goes on: the options of its endpoint are completed. */
static int find_app(struct deployment *d, size_t i, struct running_apps *apps,
    struct sockjs_options *o, bool *is_usage)
{
	const struct config_endpoint *e = &d->config.endpoints[i];
	char why[512] = "";
	int err = running_app_start(&d->apps[i], apps, e->app, e->prefix, o, why, sizeof(why));

	return err < 0 ? blame_endpoint(d, i, err, why, is_usage) : 0;
}

/* Of one that goes on. */
static int renew(struct deployment *d, size_t i, bool *is_usage)
{
	const struct config_endpoint *e = &d->config.endpoints[i];
	char why[512] = "";
	int err;

	if (!d->apps[i]->is_taken || !e->app->renew)
		return 0;
	err = e->app->renew(&e->options, &d->renewals[i], why, sizeof(why));
	return err < 0 ? blame_endpoint(d, i, err, why, is_usage) : 0;
}

static int add_endpoint(struct deployment *d, size_t i, struct running_apps *apps,
    struct server_config *c, const struct deployment *now, const struct server_config *elder,
    bool *is_usage)
{
	const struct config_endpoint *e = &d->config.endpoints[i];
	long j = find_before(now, e);
	struct sockjs_options own;
	int err;

	if (j >= 0 && have_same_base(d, now) && are_same(e, &now->config.endpoints[j])) {
		d->apps[i] = running_app_ref(now->apps[j]);
		err = server_config_share_endpoint(c, server_config_endpoint(elder, e->prefix));
		return err < 0 ? config_no_memory(&d->config) : 0;
	}
	if (options_copy(&own, &e->options) < 0)
		return config_no_memory(&d->config);
	err = find_app(d, i, apps, &own, is_usage);
	if (err == 0)
		err = add_to_server(d, i, c, elder, &own, is_usage);
	options_fini(&own);
	return err;
}

/* --- addresses -------------------------------------------------------------------------------- */

static int add_addresses(struct deployment *d, struct server_config *c,
    const struct server_config *elder, bool *is_usage)
{
	char key[CONFIG_WHERE];
	int err;

	for (size_t i = 0; i < d->config.listener_count; i++) {
		const struct config_listener *l = &d->config.listeners[i];

		err = server_config_listen(c, l->address, &l->options, elder);
		config_listener_path(&d->config, i, key);
		if (err < 0)
			return blame_address(d, d->config.listeners_given ? NULL : key, err,
			    sockjs_server_error(c->server), is_usage);
	}
	return 0;
}

static int blame_token(
    struct deployment *d, int err, const struct sockjs_server *server, bool *is_usage)
{
	*is_usage = err != -ENOMEM;
	return config_blame(
	    &d->config, err, "internal.token_file", "%s", sockjs_server_error(server));
}

static int add_internal(struct deployment *d, struct server_config *c,
    const struct server_config *elder, bool *is_usage)
{
	const char *address = d->config.internal;
	int err;

	if (!address)
		return 0;
	err = server_config_read_operators(c);
	if (err < 0)
		return blame_token(d, err, c->server, is_usage);
	err = server_config_listen_internal(c, address, &d->config.internal_options, elder);
	if (err == 0)
		return 0;
	return blame_address(d, d->config.internal_given ? NULL : "internal.listen", err,
	    sockjs_server_error(c->server), is_usage);
}

int deployment_build(struct deployment *d, struct running_apps *apps, struct server_config *c,
    const struct deployment *now, const struct server_config *elder, bool *is_usage)
{
	int err = 0;

	*is_usage = false;
	for (size_t i = 0; i < d->config.endpoint_count && err == 0; i++)
		if ((err = add_endpoint(d, i, apps, c, now, elder, is_usage)) == 0)
			err = renew(d, i, is_usage);
	if (err == 0)
		err = add_addresses(d, c, elder, is_usage);
	if (err == 0)
		err = add_internal(d, c, elder, is_usage);
	return err;
}

/* --- what is written, and what could be -------------------------------------------------------- */

int deployment_open(struct deployment *d, struct server_config *c,
    const struct server_config *elder, bool *is_usage)
{
	char why[512] = "";
	int err = server_config_open_logs(c, elder);

	*is_usage = deployment_is_lasting(err);
	if (err < 0)
		return config_fail(&d->config, err, "%s%s%s", d->config.source ? d->config.source : "",
		    d->config.source ? ": " : "", sockjs_server_error(c->server));

	for (size_t i = 0; i < d->config.endpoint_count; i++) {
		err = running_app_open(d->apps[i], why, sizeof(why));
		if (err < 0)
			return blame_endpoint(d, i, err, why, is_usage);
	}
	return 0;
}

void deployment_succeed(struct deployment *d, const struct deployment *before)
{
	for (size_t i = 0; i < d->config.endpoint_count; i++) {
		long j = find_before(before, &d->config.endpoints[i]);

		if (j >= 0)
			running_app_succeed(d->apps[i], before->apps[j]);
	}
}

static bool has_app(const struct deployment *d, const struct running_app *r)
{
	for (size_t i = 0; i < d->config.endpoint_count; i++)
		if (d->apps[i] == r)
			return true;
	return false;
}

void deployment_taken(struct deployment *d, const struct deployment *before)
{
	for (size_t i = 0; before && i < before->config.endpoint_count; i++)
		if (!has_app(d, before->apps[i]))
			running_app_set_offered(before->apps[i], false);
	for (size_t i = 0; i < d->config.endpoint_count; i++) {
		running_app_set_offered(d->apps[i], true);
		if (!d->renewals[i])
			continue;
		d->apps[i]->app->take(d->apps[i]->state, d->renewals[i]);
		d->renewals[i] = NULL;
	}
}

int deployment_check(struct deployment *d, struct sockjs_server *server, bool *is_usage)
{
	char why[512] = "";
	int err;

	for (size_t i = 0; i < d->config.endpoint_count; i++) {
		const struct config_endpoint *e = &d->config.endpoints[i];

		err = app_check(e->app, server, &e->options, why, sizeof(why));
		if (err < 0)
			return blame_endpoint(d, i, err, why, is_usage);
	}
	err = d->config.internal ? server_config_check_operators(server, &d->config.options) : 0;
	return err < 0 ? blame_token(d, err, server, is_usage) : 0;
}
