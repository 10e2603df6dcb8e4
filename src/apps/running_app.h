/*
 * apps/running_app.h - an application at work: for an endpoint, behind a guard if a backend is to be
 * asked; counted, since the sessions of an endpoint that is gone still have it.
 *
 * When nobody refers to it any more it leaves: each reactor in turn lets go of what it has of it, as
 * soon as what is under way there has come to its end; then it is freed.
 */
#ifndef APPS_RUNNING_APP_H
#define APPS_RUNNING_APP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "apps/apps.h"
#include "base/list.h"
#include "server/options.h"

struct guard;

/* All of a server. */
struct running_apps {
	struct sockjs_server *server;
	pthread_mutex_t lock;
	struct list list;
	bool is_over; /* the server has ended */
};

struct running_app {
	struct list node;
	struct running_apps *all;
	atomic_uint refs;
	const struct app *app;
	struct sockjs_options own; /* what it has begun with */
	char *prefix;              /* likewise */
	void *state;
	struct guard *guard; /* NULL: there is no backend to ask */
	void *hooked;
	bool is_open;     /* app->open() was called */
	bool is_taken;    /* reactors have it, or soon will */
	bool is_idle;     /* in the reactor that it is about to leave, as of the last look */
	unsigned reactor; /* that is to let go of it next */
	bool is_stopped;
};

void running_apps_init(struct running_apps *all, struct sockjs_server *server);
/* After the server has ended: all stop, whoever refers to them. */
void running_apps_stop(struct running_apps *all);
/* After the server was freed. */
void running_apps_fini(struct running_apps *all);
/* Whether any of them has something to do yet in this reactor; other than those of endpoints, which
 * are asked for themselves. */
bool running_apps_are_busy(struct running_apps *all);

/* Starts one, with one reference, behind a guard if the options name a backend that is to be asked. One
 * that is there from an earlier configuration with this prefix goes on instead, if it would begin with the
 * same options, or stays. As app->start(). */
int running_app_start(struct running_app **out, struct running_apps *all, const struct app *app,
    const char *prefix, struct sockjs_options *options, char *why, size_t why_size);
/* It is about to be where another is, unless it is the same. In the server's first thread. */
void running_app_succeed(struct running_app *r, struct running_app *before);
/* Reactors have it, or soon will; or no configuration has it any more. In the server's first thread. */
void running_app_set_offered(struct running_app *r, bool is_offered);
/* Whether that would succeed; leaves no trace. As app->check(). */
int app_check(const struct app *app, struct sockjs_server *server,
    const struct sockjs_options *options, char *why, size_t why_size);
struct running_app *running_app_ref(struct running_app *r);
void running_app_unref(struct running_app *r); /* NULL is fine; any thread */
/* What an endpoint is given; *arg of it. */
const struct sockjs_callbacks *running_app_callbacks(const struct running_app *r, void **arg);
/* As app->open(). */
int running_app_open(struct running_app *r, char *why, size_t why_size);

#endif
