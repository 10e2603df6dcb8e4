/*
 * upstream/upstream_command.c - how the backends of an endpoint are doing, for operators; see
 * upstream_command.h.
 *
 * It only reads what the balancer goes by, which other threads change meanwhile: each number is
 * true, all together are a moment's.
 */
#include "upstream/upstream_command.h"

#include "base/buf.h"
#include "server/command.h"
#include "server/options.h"

const char *const upstream_commands[] = { "backends", NULL };

static uint64_t load(const atomic_uint_fast64_t *p)
{
	return atomic_load_explicit((atomic_uint_fast64_t *)(uintptr_t)p, memory_order_relaxed);
}

static json_int_t load_count(const atomic_uint *p)
{
	return atomic_load_explicit((atomic_uint *)(uintptr_t)p, memory_order_relaxed);
}

/* What balancer_pick() makes of it. */
static const char *state_of(const struct target *t, uint64_t now)
{
	uint64_t rests = load(&t->rests_until);

	if (rests == 0)
		return load(&t->worked_at) ? "up" : "untried";
	if (rests <= now)
		return "trial";
	return load(&t->barred_until) > now ? "down" : "resting";
}

static json_t *ago(uint64_t then, uint64_t now)
{
	return then ? json_integer((json_int_t)(now > then ? now - then : 0)) : json_null();
}

static json_t *left(uint64_t until, uint64_t now)
{
	return json_integer((json_int_t)(until > now ? until - now : 0));
}

static json_t *shown_url(const char *url)
{
	struct buf shown = BUF_INIT;
	json_t *text = NULL;

	if (options_print_url(url, &shown) == 0)
		text = json_stringn(buf_data(&shown), buf_len(&shown));
	buf_fini(&shown);
	return text;
}

static json_t *describe(const struct target *t, uint64_t now)
{
	return json_pack("{s:o,s:s,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "url", shown_url(t->url), "state",
	    state_of(t, now), "connections", load_count(&t->connections), "failures",
	    load_count(&t->failures), "unavailable", load_count(&t->unavailable), "unanswered",
	    load_count(&t->unanswered), "rests_ms", left(load(&t->rests_until), now),
	    "worked_ms_ago", ago(load(&t->worked_at), now), "failed_ms_ago",
	    ago(load(&t->failed_at), now));
}

void upstream_command(struct sockjs_command *c, const struct balancer *balancer, uint64_t now)
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
