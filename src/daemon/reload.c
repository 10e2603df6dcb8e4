/*
 * daemon/reload.c - from a signal or a command to a configuration in effect; see reload.h.
 */
#include "daemon/reload.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/log_file.h"
#include "base/mem.h"
#include "daemon/config_changes.h"
#include "daemon/notify.h"
#include "daemon/signals.h"
#include "server/command.h"
#include "server/internal.h"
#include "server/reload.h"

struct reloader {
	struct sockjs_server *server;
	struct running_apps *apps;
	const struct cmdline *cmd;
	struct deployment *now;
	uint64_t generation; /* 1: as it was started */
	enum log_level log_level; /* when it began: a command may have set it */
	/* What is under way */
	bool is_busy, is_again; /* once more when it is done */
	bool has_thread;
	pthread_t thread;
	struct sockjs_command *asker;
	struct server_config *elder, *config; /* the server's own, of `now` and of `next` */
	struct deployment *next;
	json_t *changes;
	int err;
	bool is_usage;
};

/* --- the end of it ------------------------------------------------------------------------- */

static void begin(struct reloader *r);

static void finish(struct reloader *r)
{
	server_config_unref(r->elder);
	json_decref(r->changes);
	r->elder = NULL;
	r->changes = NULL;
	r->asker = NULL;
	r->is_busy = false;
	notify("READY=1");
	if (r->is_again)
		begin(r);
}

static const char *sentence_of(const struct reloader *r)
{
	return r->next && r->next->config.error[0] ? r->next->config.error : strerror(-r->err);
}

static void fail(struct reloader *r)
{
	bool is_stopping = r->err == -ESHUTDOWN;
	const char *why = is_stopping ? "The server is about to stop." : sentence_of(r);

	server_count_reload(r->server, false);
	log_error("the configuration was not reloaded, nothing has changed", LOG_STR("why", why));
	if (r->asker)
		sockjs_command_refuse(r->asker, r->is_usage ? 422 : 503,
		    is_stopping ? "stopping" : "configuration", NULL, why);
	reload_abandon(r->config);
	r->config = NULL;
	deployment_free(r->next);
	r->next = NULL;
	finish(r);
}

/* "a, b" of a list; the caller frees it. NULL: it is empty, or memory is out. */
static char *join(const json_t *list)
{
	struct buf text = BUF_INIT;
	int err = 0;

	for (size_t i = 0; i < json_array_size(list) && err == 0; i++)
		err = buf_printf(&text, "%s%s", i ? ", " : "",
		    json_string_value(json_array_get(list, i)));
	if (err == 0)
		err = buf_add(&text, "", 1);
	if (err < 0 || buf_len(&text) == 1) {
		buf_fini(&text);
		return NULL;
	}
	return buf_data(&text);
}

static void say(const struct reloader *r)
{
	char *later = join(json_object_get(r->changes, "restart")),
	     *changed = join(json_object_get(r->changes, "changed")),
	     *new_sessions = join(json_object_get(r->changes, "new_sessions"));

	log_info("the configuration was reloaded", LOG_INT("generation", r->generation),
	    LOG_STR("changed", changed ? changed : ""),
	    LOG_STR("new_sessions", new_sessions ? new_sessions : ""),
	    LOG_INT("sessions", server_session_count(r->server)));
	if (later)
		log_warn("these need a restart and stay as they are", LOG_STR("options", later));
	mem_free(later);
	mem_free(changed);
	mem_free(new_sessions);
}

/* Where clients can come. */
static json_t *listening(const struct sockjs_server *server)
{
	json_t *urls = json_array();
	const char *url;

	for (size_t i = 0; (url = sockjs_server_url(server, i)) != NULL; i++)
		json_array_append_new(urls, json_string(url));
	return urls;
}

static void answer(struct reloader *r)
{
	json_t *body = r->changes;

	r->changes = NULL;
	if (json_object_set_new(body, "listening", listening(r->server)) < 0 ||
	    json_object_set_new(body, "generation", json_integer((json_int_t)r->generation)) < 0 ||
	    json_object_set_new(body, "sessions",
	        json_integer((json_int_t)server_session_count(r->server))) < 0) {
		json_decref(body);
		body = NULL;
	}
	command_answer(r->asker, body);
}

/* All reactors have it. */
static void taken(void *arg)
{
	struct reloader *r = arg;

	deployment_free(r->now);
	r->now = r->next;
	r->next = NULL;
	r->generation++;
	log_set_level(r->now->config.log_level);
	log_set_format(r->now->config.log_format);
	log_reopen();
	signals_stop_takes(config_longest_stop_ms(&r->now->config));
	server_count_reload(r->server, true);
	say(r);
	if (r->asker)
		answer(r);
	finish(r);
}

/* In the server's first thread: what was prepared is given to it. */
static void commit(void *arg)
{
	struct reloader *r = *(struct reloader **)arg;

	pthread_join(r->thread, NULL);
	r->has_thread = false;
	if (r->err == 0) {
		deployment_succeed(r->next, r->now);
		r->err = reload_commit(r->config, taken, r);
		r->config = NULL; /* given away */
	}
	if (r->err < 0)
		fail(r);
	else
		deployment_taken(r->next, r->now);
}

/* --- in a thread of its own ------------------------------------------------------------------ */

static int prepare(struct reloader *r)
{
	struct deployment *next;
	int err = deployment_read(&r->next, r->cmd, false);

	r->is_usage = err == -EINVAL || err == -ERANGE || err == -ENOENT;
	if (err < 0)
		return err;
	next = r->next;
	r->changes = config_changes(&next->config, &r->now->config, r->log_level);
	if (!r->changes)
		return -ENOMEM;
	err = reload_begin(&r->config, r->server, &next->config.options);
	if (err < 0)
		return err;
	err = deployment_build(next, r->apps, r->config, r->now, r->elder, &r->is_usage);
	return err < 0 ? err : deployment_open(next, r->config, r->elder, &r->is_usage);
}

static void *thread_main(void *arg)
{
	struct reloader *r = arg;

	r->err = prepare(r);
	if (sockjs_reactor_call(r->server, 0, commit, NULL, &r, sizeof(struct reloader *)) < 0)
		log_error("a reload cannot be finished: out of memory");
	return NULL;
}

/* --- the beginning --------------------------------------------------------------------------- */

static void tell_beginning(void)
{
	struct timespec now;
	char state[96];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	notify(state);
}

static void begin(struct reloader *r)
{
	int err;

	r->is_busy = true;
	r->is_again = false;
	r->is_usage = false;
	r->log_level = (enum log_level)log_get_threshold();
	tell_beginning();
	r->elder = reload_elder(r->server);
	r->has_thread = true;
	err = -pthread_create(&r->thread, NULL, thread_main, r);
	if (err == 0)
		return;
	r->has_thread = false;
	r->err = err;
	fail(r);
}

void reloader_begin(struct reloader *r, struct sockjs_command *asker)
{
	if (r->is_busy && asker) {
		sockjs_command_refuse(
		    asker, 409, "in_progress", NULL, "Another reload is under way.");
	} else if (r->is_busy) {
		r->is_again = true;
	} else {
		r->asker = asker;
		begin(r);
	}
}

struct deployment *reloader_now(struct reloader *r)
{
	return r->now;
}

struct reloader *reloader_new(struct sockjs_server *server, struct running_apps *apps,
    const struct cmdline *cmd, struct deployment *now)
{
	struct reloader *r = mem_zalloc(sizeof(*r));

	if (!r)
		return NULL;
	r->server = server;
	r->apps = apps;
	r->cmd = cmd;
	r->now = now;
	r->generation = 1;
	return r;
}

void reloader_join(struct reloader *r)
{
	if (!r || !r->has_thread)
		return;
	pthread_join(r->thread, NULL);
	r->has_thread = false;
}

void reloader_free(struct reloader *r)
{
	if (!r)
		return;
	reload_abandon(r->config);
	server_config_unref(r->elder);
	json_decref(r->changes);
	deployment_free(r->next);
	deployment_free(r->now);
	mem_free(r);
}
