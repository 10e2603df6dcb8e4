/*
 * upstream/upstream_command.c - how the backends of an endpoint are doing, and what is to become of
 * one, for operators; see upstream_command.h.
 *
 * What is shown is what the balancer goes by, which other threads change meanwhile: each number is
 * true, all together are a moment's.
 */
#include "upstream/upstream_command.h"

#include <string.h>

#include "base/log.h"
#include "server/command.h"

#define OVER_MOST_MS  86400000
#define OVER_USUAL_MS 10000 /* sessions are closed */

const char *const upstream_commands[] = { "backends", "backend", NULL };

static json_t *ago(uint64_t then, uint64_t now)
{
	return then ? json_integer((json_int_t)(now > then ? now - then : 0)) : json_null();
}

static json_t *left(uint64_t until, uint64_t now)
{
	return json_integer((json_int_t)(until > now ? until - now : 0));
}

static const char *check_of(const struct target *t)
{
	static const char *const words[] = {
		[TARGET_UNCHECKED] = NULL,
		[TARGET_PASSES] = "passed",
		[TARGET_FAILS] = "failed",
	};

	return words[target_load_word(&t->health)];
}

static json_t *describe(struct target *t, uint64_t now)
{
	char why[TARGET_WHY_MAX + 1];
	uint64_t since = target_noted(t, why);

	return json_pack("{s:s,s:s,s:s,s:s?,s:s?,s:o,s:I,s:I,s:b,s:I,s:I,s:I,s:I,s:o,s:o,s:o}",
	    "url", t->name, "state", balancer_state_of(t, now), "mode",
	    target_mode_name((enum target_mode)target_load_word(&t->mode)), "check", check_of(t),
	    "why", *why ? why : NULL, "since_ms_ago", ago(since, now), "weight",
	    (json_int_t)target_load_count(&t->weight), "max_sessions", (json_int_t)t->max_sessions,
	    "backup", t->is_backup, "connections", (json_int_t)target_load_count(&t->connections),
	    "failures", (json_int_t)target_load_count(&t->failures), "unavailable",
	    (json_int_t)target_load_count(&t->unavailable), "unanswered",
	    (json_int_t)target_load_count(&t->unanswered), "rests_ms",
	    left(target_load(&t->rests_until), now), "worked_ms_ago",
	    ago(target_load(&t->worked_at), now), "failed_ms_ago",
	    ago(target_load(&t->failed_at), now));
}

/* --- all of them ---------------------------------------------------------------- */

static void list_all(struct sockjs_command *c, const struct balancer *balancer, uint64_t now)
{
	static const char *const known[] = { NULL };
	static const char *const methods[] = {
		[BALANCER_ROUND_ROBIN] = "round_robin",
		[BALANCER_LEAST_CONNECTIONS] = "least_connections",
		[BALANCER_HASH] = "hash",
	};
	json_t *list;

	if (!command_has_only(c, known))
		return;
	list = json_array();
	for (size_t i = 0; i < balancer->count; i++) {
		if (json_array_append_new(list, describe(&balancer->targets[i], now)) < 0) {
			json_decref(list);
			command_no_memory(c);
			return;
		}
	}
	command_answer(
	    c, json_pack("{s:s,s:o}", "balance", methods[balancer->method], "backends", list));
}

/* --- one of them ---------------------------------------------------------------- */

/* What is to become of it; -1 where nothing is said. */
struct wish {
	struct target *target;
	int mode;
	int64_t weight;
	bool closes;
	int64_t over_ms;
};

static struct target *find(const struct balancer *balancer, const char *name)
{
	for (size_t i = 0; i < balancer->count; i++) {
		struct target *t = &balancer->targets[i];

		if (strcmp(t->name, name) == 0 || strcmp(t->url, name) == 0)
			return t;
	}
	return NULL;
}

static bool take_target(struct sockjs_command *c, const struct balancer *balancer, struct wish *w)
{
	const char *name;

	if (!command_string(c, "backend", true, &name))
		return false;
	w->target = find(balancer, name);
	if (!w->target)
		sockjs_command_refuse(c, 404, "no_backend", "backend",
		    "There is no such backend; /api/backends has their URLs.");
	return w->target != NULL;
}

static bool take_mode(struct sockjs_command *c, struct wish *w)
{
	const char *name;

	if (!command_string(c, "state", false, &name))
		return false;
	w->mode = name ? TARGET_DOWN : -1;
	while (w->mode >= 0 && strcmp(target_mode_name((enum target_mode)w->mode), name) != 0)
		w->mode--;
	if (!name || w->mode >= 0)
		return true;
	command_refuse_argument(c, "state", "must be ready, drain or down");
	return false;
}

/* Who closes sessions of a backend that takes new ones would only move them about. */
static bool take_close(struct sockjs_command *c, struct wish *w)
{
	const json_t *value = json_object_get(command_arguments(c), "close");
	int mode = w->mode >= 0 ? w->mode : target_load_word(&w->target->mode);

	w->closes = json_is_true(value);
	if (value && !json_is_boolean(value))
		command_refuse_argument(c, "close", "must be true or false");
	else if (w->closes && mode == TARGET_READY)
		command_refuse_argument(
		    c, "close", "is for a backend whose state is drain or down");
	else if (!w->closes && json_object_get(command_arguments(c), "over_ms"))
		command_refuse_argument(c, "over_ms", "means nothing without close");
	else
		return command_integer(c, "over_ms", 0, OVER_MOST_MS, &w->over_ms);
	return false;
}

/* The deadline is there before the spreading begins; none is 0. */
static void obey(struct balancer *balancer, const struct wish *w, uint64_t now)
{
	struct target *t = w->target;

	if (w->mode >= 0)
		balancer_set_mode(t, (enum target_mode)w->mode, "a command", now);
	if (w->weight >= 0 && (unsigned)w->weight != target_load_count(&t->weight)) {
		log_warn("the weight of an upstream was set by a command",
		    LOG_STR("upstream", t->url), LOG_INT("weight", w->weight),
		    LOG_INT("before", target_load_count(&t->weight)));
		balancer_set_weight(balancer, t, (unsigned)w->weight);
	}
	if (w->closes)
		atomic_store(&t->parting_until, now + (uint64_t)w->over_ms);
}

static bool command_one(struct sockjs_command *c, struct balancer *balancer, uint64_t now)
{
	static const char *const known[] = { "backend", "state", "weight", "close", "over_ms",
		NULL };
	struct wish w = { .weight = -1, .over_ms = OVER_USUAL_MS };

	if (!command_has_only(c, known) || !take_target(c, balancer, &w) || !take_mode(c, &w) ||
	    !command_integer(c, "weight", 0, BALANCER_WEIGHT_MAX, &w.weight) || !take_close(c, &w))
		return false;
	obey(balancer, &w, now);
	command_answer(c, describe(w.target, now));
	return w.closes;
}

bool upstream_command(struct sockjs_command *c, struct balancer *balancer, uint64_t now)
{
	if (strcmp(sockjs_command_name(c), "backend") == 0)
		return command_one(c, balancer, now);
	list_all(c, balancer, now);
	return false;
}
