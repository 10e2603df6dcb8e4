/*
 * apps/apps.c - the list of applications; the one place that names them all. And how one is started
 * for an endpoint.
 */
#include "apps/apps.h"

#include <errno.h>
#include <string.h>

#include "webhook/guard.h"

static const struct app *const table[] = {
	&echo_app,
	&broadcast_app,
	&close_app,
	&amplify_app,
	&ticker_app,
	&upstream_app,
	&stomp_app,
	&hooks_app,
};

const struct app *const *apps_table(size_t *count)
{
	*count = sizeof(table) / sizeof(*table);
	return table;
}

const struct app *app_find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(table[i]->name, name) == 0)
			return table[i];
	return NULL;
}

/* --- for an endpoint ------------------------------------------------------------------------- */

static const struct sockjs_callbacks *own_callbacks(const struct app *app)
{
	return app->get_callbacks ? app->get_callbacks() : app->callbacks;
}

int app_start(struct running_app *r, const struct app *app, struct sockjs_server *server,
    struct sockjs_options *options, char *why, size_t why_size)
{
	int err = 0;

	*r = (struct running_app){ .app = app };
	if (app->start)
		err = app->start(server, options, &r->state, why, why_size);
	if (err == 0 && options->hooks.url)
		err = guard_new(
		    &r->guard, options, own_callbacks(app), r->state, app->asks, why, why_size);
	if (err == 0 && r->guard && app->hook)
		err = app->hook(
		    r->state, guard_webhook(r->guard), options, &r->hooked, why, why_size);
	if (err == 0)
		options_taken(options, OPTION_HOOKS);
	return err;
}

int app_check(const struct app *app, struct sockjs_server *server,
    const struct sockjs_options *options, char *why, size_t why_size)
{
	int err = app->check ? app->check(server, options, why, why_size) : 0;

	if (err == 0 && options->hooks.url)
		err = guard_check(&options->hooks, app->asks, why, why_size);
	return err;
}

const struct sockjs_callbacks *app_callbacks(const struct running_app *r, void **arg)
{
	*arg = r->guard ? (void *)r->guard : r->state;
	return r->guard ? guard_callbacks(r->guard) : own_callbacks(r->app);
}

int app_open(struct running_app *r, char *why, size_t why_size)
{
	return r->app->open ? r->app->open(r->state, why, why_size) : 0;
}

void app_stop(struct running_app *r)
{
	if (r->hooked)
		r->app->unhook(r->hooked);
	guard_free(r->guard);
	if (r->state && r->app->stop) /* nothing has started: nothing is there */
		r->app->stop(r->state);
}
