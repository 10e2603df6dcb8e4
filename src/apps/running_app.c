/*
 * apps/running_app.c - from its start to its end; see running_app.h.
 */
#include "apps/running_app.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "webhook/guard.h"

#define LOOK_MS 100 /* whether what is under way has ended */

static const struct sockjs_callbacks *own_callbacks(const struct app *app)
{
	return app->get_callbacks ? app->get_callbacks() : app->callbacks;
}

/* --- the end -------------------------------------------------------------------- */

static void stop(struct running_app *r)
{
	if (r->is_stopped)
		return;
	r->is_stopped = true;
	if (r->hooked)
		r->app->unhook(r->hooked);
	guard_free(r->guard);
	if (r->state && r->app->stop) /* nothing has started: nothing is there */
		r->app->stop(r->state);
}

static void running_app_free(struct running_app *r)
{
	options_fini(&r->own);
	mem_free(r->prefix);
	mem_free(r);
}

/* Nobody refers to it, and no reactor has anything of it. */
static void end(struct running_app *r)
{
	struct running_apps *all = r->all;

	pthread_mutex_lock(&all->lock);
	list_remove(&r->node);
	pthread_mutex_unlock(&all->lock);
	stop(r);
	running_app_free(r);
}

/* In a reactor: whether nothing of it is under way there. */
static bool is_idle(const struct running_app *r)
{
	const struct sockjs_callbacks *callbacks;
	void *arg;

	callbacks = running_app_callbacks(r, &arg);
	return (!callbacks->busy || !callbacks->busy(arg)) &&
	       (!r->state || !r->app->is_idle || r->app->is_idle(r->state));
}

/* It is idle there: what it has is freed. */
static void leave_reactor(struct running_app *r)
{
	const struct sockjs_callbacks *callbacks;
	void *arg;

	callbacks = running_app_callbacks(r, &arg);
	if (r->is_taken && callbacks->end)
		callbacks->end(arg);
	if (r->guard)
		guard_leave(r->guard);
}

/* Whatever ends is looked at once more before it is freed: some of it goes with the end of the turn. */
static void leave(void *arg)
{
	struct running_app *r = *(struct running_app **)arg;
	struct sockjs_server *server = r->all->server;
	unsigned count = sockjs_reactors(server);
	bool was_idle = r->is_idle;
	int err;

	if (r->reactor == count) {
		end(r);
		return;
	}
	r->is_idle = is_idle(r);
	if (r->is_idle && was_idle) {
		leave_reactor(r);
		r->is_idle = false;
		r->reactor++;
	}
	if (r->reactor < count && !r->is_idle && r->reactor != (unsigned)sockjs_reactor(server))
		err = sockjs_reactor_call(server, r->reactor, leave, NULL, arg, sizeof(r));
	else
		err = sockjs_reactor_later(server, LOOK_MS, leave, NULL, arg, sizeof(r));
	if (err < 0)
		log_warn("an application stays in memory: out of memory",
		    LOG_STR("application", r->app->name));
}

static bool is_over(struct running_apps *all)
{
	bool over;

	pthread_mutex_lock(&all->lock);
	over = all->is_over;
	pthread_mutex_unlock(&all->lock);
	return over;
}

struct running_app *running_app_ref(struct running_app *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

/* If it cannot leave in due form, it stays until all do. */
void running_app_unref(struct running_app *r)
{
	if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (is_over(r->all) || (r->app->stays && r->is_taken))
		return;
	if (!r->is_taken) /* no reactor knows of it */
		end(r);
	else
		sockjs_reactor_call(r->all->server, 0, leave, NULL, &r, sizeof(struct running_app *));
}

/* --- the beginning --------------------------------------------------------------- */

static int start(struct running_app *r, struct sockjs_options *options, char *why, size_t why_size)
{
	const struct app *app = r->app;
	int err = 0;

	if (app->start)
		err = app->start(r->all->server, options, &r->state, why, why_size);
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

/* Unless it has begun to leave. */
static bool try_ref(struct running_app *r)
{
	unsigned refs = atomic_load_explicit(&r->refs, memory_order_relaxed);

	while (refs > 0)
		if (atomic_compare_exchange_weak(&r->refs, &refs, refs + 1))
			return true;
	if (r->app->stays)
		running_app_ref(r);
	return r->app->stays;
}

/* What it has begun with is what it would begin with now. */
static bool may_go_on(const struct running_app *r, const struct sockjs_options *options)
{
	const struct app *app = r->app;

	if (app->stays)
		return true;
	for (int scope = OPTION_UPSTREAM; scope < OPTION_SCOPES; scope++)
		if ((scope == OPTION_HOOKS || app->scopes & 1u << scope) &&
		    !options_are_same(options, &r->own, (enum option_scope)scope))
			return false;
	for (const char *const *key = app->copies; key && *key; key++)
		if (!options_is_same(options, &r->own, options_find(*key)))
			return false;
	return true;
}

/* One that is here since an earlier configuration had it; with a reference. */
static struct running_app *find_running(struct running_apps *all, const struct app *app,
    const char *prefix, const struct sockjs_options *options)
{
	struct running_app *found = NULL;
	struct list *pos;

	pthread_mutex_lock(&all->lock);
	list_foreach (pos, &all->list) {
		struct running_app *r = container_of(pos, struct running_app, node);

		if (!found && r->app == app && r->is_taken && strcmp(r->prefix, prefix) == 0 &&
		    may_go_on(r, options) && try_ref(r))
			found = r;
	}
	pthread_mutex_unlock(&all->lock);
	return found;
}

static int resume(struct running_app *r, struct sockjs_options *options, char *why, size_t why_size)
{
	const struct option *table;
	size_t count;

	table = options_table(&count);
	for (size_t i = 0; i < count; i++) {
		bool stays = table[i].scope == OPTION_HOOKS ||
		             options_reload(&table[i]) == RELOAD_NEVER;

		if (table[i].scope < OPTION_UPSTREAM || !stays ||
		    options_is_same(options, &r->own, &table[i]))
			continue;
		snprintf(why, why_size,
		    "%s: the application that has stayed at this prefix has another value; it can "
		    "be changed by a restart only",
		    table[i].key);
		return -EINVAL;
	}
	for (int scope = OPTION_UPSTREAM; scope < OPTION_SCOPES; scope++)
		options_taken(options, (enum option_scope)scope);
	return r->app->complete ? r->app->complete(options, why, why_size) : 0;
}

static struct running_app *running_app_new(struct running_apps *all, const struct app *app,
    const char *prefix, const struct sockjs_options *options)
{
	struct running_app *r = mem_zalloc(sizeof(*r));

	if (!r)
		return NULL;
	r->all = all;
	r->app = app;
	atomic_init(&r->refs, 1);
	if (options_copy(&r->own, options) < 0 || !(r->prefix = mem_strdup(prefix))) {
		running_app_free(r);
		return NULL;
	}
	return r;
}

int running_app_start(struct running_app **out, struct running_apps *all, const struct app *app,
    const char *prefix, struct sockjs_options *options, char *why, size_t why_size)
{
	struct running_app *r = find_running(all, app, prefix, options);
	int err;

	if (r) {
		err = resume(r, options, why, why_size);
		if (err < 0)
			running_app_unref(r);
		else
			*out = r;
		return err;
	}
	r = running_app_new(all, app, prefix, options);
	if (!r) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	err = start(r, options, why, why_size);
	if (err == 0 && app->place && (err = app->place(r->state, prefix)) < 0)
		snprintf(why, why_size, "%s", strerror(-err));
	if (err < 0) { /* no reactor knows of it */
		stop(r);
		running_app_free(r);
		return err;
	}
	pthread_mutex_lock(&all->lock);
	list_append(&all->list, &r->node);
	pthread_mutex_unlock(&all->lock);
	*out = r;
	return 0;
}

void running_app_succeed(struct running_app *r, struct running_app *before)
{
	if (r != before && r->app == before->app && r->app->succeed)
		r->app->succeed(r->state, before->state);
}

void running_app_set_offered(struct running_app *r, bool is_offered)
{
	r->is_taken = true;
	if (r->app->set_offered)
		r->app->set_offered(r->state, is_offered);
}

int app_check(const struct app *app, struct sockjs_server *server,
    const struct sockjs_options *options, char *why, size_t why_size)
{
	int err = app->check ? app->check(server, options, why, why_size) : 0;

	if (err == 0 && options->hooks.url)
		err = guard_check(&options->hooks, app->asks, why, why_size);
	return err;
}

const struct sockjs_callbacks *running_app_callbacks(const struct running_app *r, void **arg)
{
	*arg = r->guard ? (void *)r->guard : r->state;
	return r->guard ? guard_callbacks(r->guard) : own_callbacks(r->app);
}

int running_app_open(struct running_app *r, char *why, size_t why_size)
{
	int err = r->app->open && !r->is_open ? r->app->open(r->state, why, why_size) : 0;

	r->is_open = r->is_open || err == 0;
	return err;
}

/* --- all of them ------------------------------------------------------------------ */

void running_apps_init(struct running_apps *all, struct sockjs_server *server)
{
	all->server = server;
	all->is_over = false;
	list_init(&all->list);
	pthread_mutex_init(&all->lock, NULL);
}

bool running_apps_are_busy(struct running_apps *all)
{
	struct list *pos;
	bool busy = false;

	pthread_mutex_lock(&all->lock);
	list_foreach (pos, &all->list) {
		struct running_app *r = container_of(pos, struct running_app, node);
		const struct sockjs_callbacks *callbacks;
		void *arg;

		callbacks = running_app_callbacks(r, &arg);
		busy = busy || (callbacks->busy && callbacks->busy(arg) != 0);
	}
	pthread_mutex_unlock(&all->lock);
	return busy;
}

void running_apps_stop(struct running_apps *all)
{
	struct list *pos;

	pthread_mutex_lock(&all->lock);
	all->is_over = true;
	pthread_mutex_unlock(&all->lock);
	list_foreach (pos, &all->list)
		stop(container_of(pos, struct running_app, node));
}

void running_apps_fini(struct running_apps *all)
{
	struct list *first;

	while ((first = list_first(&all->list)) != NULL) {
		list_remove(first);
		running_app_free(container_of(first, struct running_app, node));
	}
	pthread_mutex_destroy(&all->lock);
}
