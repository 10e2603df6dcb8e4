/*
 * pubsub/pubsub.c - life of a broker: from its options to its parts, one in each reactor; and what
 * it has counted.
 */
#include "pubsub/pubsub.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/quotas.h"
#include "base/random.h"
#include "pubsub/broker_open.h"
#include "pubsub/keep.h"
#include "pubsub/relayed.h"
#include "pubsub/joined.h"
#include "server/json_text.h"
#include "server/options.h"

#define FAILURES_REMEMBERED 65536 /* addresses */
#define HISTORY_RULES_MOST  100

/* --- settings ------------------------------------------------------------------ */

static void read_settings(struct sockjs_broker *b, const struct stomp_options *o)
{
	b->settings = (struct stomp_settings){
		.ops = &client_conn_ops,
		.limits = { (size_t)o->max_headers, (size_t)o->max_line_bytes,
		    (size_t)o->max_head_bytes, (size_t)o->max_body_bytes },
		.send_heart_beat_ms = (uint32_t)o->heartbeat_ms[0],
		.receive_heart_beat_ms = (uint32_t)o->heartbeat_ms[1],
		.keeps_on_error = strcmp(o->errors, "keep") == 0,
		.server = "sockjsd/" SOCKJS_VERSION,
	};
	b->separator = o->separator[0];
	b->connect_timeout_ms = (unsigned)o->connect_timeout_ms;
	b->max_subscriptions = (size_t)o->max_subscriptions;
	b->max_transactions = (size_t)o->max_transactions;
	b->max_transaction_bytes = (size_t)o->max_transaction_bytes;
	b->prefetch = (unsigned)o->prefetch;
}

static int no_memory(char *why, size_t size)
{
	snprintf(why, size, "out of memory");
	return -ENOMEM;
}

static int read_limits(
    struct sockjs_broker *b, const struct stomp_options *o, char *why, size_t size)
{
	struct quota sessions = { o->max_sessions_per_user, 0 };

	random_bytes(b->user_seeds, sizeof(b->user_seeds));
	if (sessions.most && !(b->users = quotas_new(&sessions, 1)))
		return no_memory(why, size);
	if ((o->max_messages_per_second_per_user || o->max_bytes_per_second_per_user) &&
	    !(b->meters = user_meters_new(
	          o->max_messages_per_second_per_user, o->max_bytes_per_second_per_user)))
		return no_memory(why, size);
	if (o->max_failures_per_minute &&
	    !(b->failures =
	            failures_new((unsigned)o->max_failures_per_minute, FAILURES_REMEMBERED)))
		return no_memory(why, size);
	if (o->dead_letters && !(b->dead_letters = mem_strdup(o->dead_letters)))
		return no_memory(why, size);
	return 0;
}

/* After the broker has been made, for it knows what a pattern is. */
static int check_pattern(const struct sockjs_broker *b, const char *option, size_t i,
    const char *pattern, char *why, size_t size)
{
	if (broker_pattern_is_valid(b->topics, bytes_of(pattern)))
		return 0;
	snprintf(why, size, "stomp.%s[%zu]: \"%.80s\" is not a pattern", option, i, pattern);
	return -EINVAL;
}

static int read_conflated(
    struct sockjs_broker *b, const struct stomp_options *o, char *why, size_t size)
{
	b->conflated = mem_zalloc((o->conflate.count + 1) * sizeof(*b->conflated));
	if (!b->conflated)
		return no_memory(why, size);
	for (size_t i = 0; i < o->conflate.count; i++) {
		const char *pattern = o->conflate.items[i];
		int err = check_pattern(b, "conflate", i, pattern, why, size);

		if (err < 0)
			return err;
		if (!(b->conflated[i] = mem_strdup(pattern)))
			return no_memory(why, size);
	}
	return 0;
}

/* --- parts ------------------------------------------------------------------------ */

static struct broker_limits queue_limits(struct sockjs_broker *b, const struct stomp_options *o)
{
	struct broker_limits limits = { .died = queues_on_death, .arg = b };

	if (strcmp(o->queues, "topics") == 0)
		return limits;
	limits.max_queues = (size_t)o->max_queues;
	limits.max_queue_messages = (size_t)o->queue_max_messages;
	limits.max_queue_bytes = (size_t)o->queue_max_bytes;
	limits.max_queues_bytes = (size_t)o->queues_max_bytes / sockjs_reactors(b->server);
	limits.queue_expires_ms = o->queue_expires_ms;
	limits.max_deliveries = (unsigned)o->max_deliveries;
	return limits;
}

/* --- history ---------------------------------------------------------------------- */

static int bad_history(size_t i, const char *what, char *why, size_t size)
{
	snprintf(why, size, "stomp.history[%zu]%s", i, what);
	return -EINVAL;
}

/* A whole number that is not negative; false: it is none. */
static bool read_count(json_t *value, uint64_t *to)
{
	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) <= 0)
		return false;
	*to = (uint64_t)json_integer_value(value);
	return true;
}

static int read_rule(struct sockjs_broker *b, size_t i, json_t *o, char *why, size_t size)
{
	json_t *destination = json_object_get(o, "destination");
	struct broker_history_rule *rule = &b->history[i];
	uint64_t messages = 0, seconds = 0;
	const char *key;
	json_t *value;

	if (!json_is_object(o) || !json_is_string(destination))
		return bad_history(i, ": not an object with a destination", why, size);
	json_object_foreach (o, key, value)
		if (strcmp(key, "destination") != 0 && strcmp(key, "messages") != 0 &&
		    strcmp(key, "seconds") != 0)
			return bad_history(
			    i, ": allowed keys: destination, messages, seconds", why, size);
	if (!read_count(json_object_get(o, "messages"), &messages) ||
	    !read_count(json_object_get(o, "seconds"), &seconds) || seconds > UINT32_MAX)
		return bad_history(
		    i, ": messages and seconds are whole numbers above 0", why, size);
	if (messages == 0 && seconds == 0)
		return bad_history(i, ": says neither how many messages nor how long", why, size);
	rule->messages = (size_t)messages;
	rule->ms = seconds * 1000;
	rule->pattern.p = mem_strdup(json_string_value(destination));
	if (!rule->pattern.p)
		return no_memory(why, size);
	rule->pattern.n = strlen(rule->pattern.p);
	b->history_count = i + 1;
	return 0;
}

static int read_history(
    struct sockjs_broker *b, const struct stomp_options *o, char *why, size_t size)
{
	json_t *list = json_text_value(o->history), *rule;
	size_t i;
	int err = 0;

	if (list && (!json_is_array(list) || json_array_size(list) > HISTORY_RULES_MOST))
		err = bad_history(0, ": a list of at most 100 rules is allowed", why, size);
	if (err == 0 && list) {
		b->history = mem_zalloc((json_array_size(list) + 1) * sizeof(*b->history));
		if (!b->history)
			err = no_memory(why, size);
	}
	if (err == 0)
		json_array_foreach (list, i, rule)
			if (err == 0)
				err = read_rule(b, i, rule, why, size);
	json_decref(list);
	return err;
}

/* The broker knows what a pattern is. */
static int check_history(const struct sockjs_broker *b, char *why, size_t size)
{
	for (size_t i = 0; i < b->history_count; i++)
		if (!broker_pattern_is_valid(b->topics, b->history[i].pattern))
			return bad_history(
			    i, ".destination: is no pattern of destinations", why, size);
	return 0;
}

/* --- presence --------------------------------------------------------------------- */

static int read_presence(
    struct sockjs_broker *b, const struct stomp_options *o, char *why, size_t size)
{
	b->presence = mem_zalloc((o->presence.count + 1) * sizeof(*b->presence));
	if (!b->presence)
		return no_memory(why, size);
	for (size_t i = 0; i < o->presence.count; i++) {
		const char *pattern = mem_strdup(o->presence.items[i]);

		if (!pattern)
			return no_memory(why, size);
		b->presence[b->presence_count++] = bytes_of(pattern);
	}
	return 0;
}

static int check_presence(const struct sockjs_broker *b, char *why, size_t size)
{
	int err = 0;

	for (size_t i = 0; i < b->presence_count && err == 0; i++)
		err = check_pattern(b, "presence", i, b->presence[i].p, why, size);
	return err;
}

static void free_presence(struct sockjs_broker *b)
{
	for (size_t i = 0; i < b->presence_count; i++)
		mem_free((char *)(uintptr_t)b->presence[i].p);
	mem_free(b->presence);
}

/* --- parts ------------------------------------------------------------------------ */

static int make_parts(
    struct sockjs_broker *b, const struct stomp_options *o, char *why, size_t size)
{
	struct broker_limits limits = queue_limits(b, o);
	int err = read_history(b, o, why, size);

	if (err == 0)
		err = read_presence(b, o, why, size);
	if (err < 0)
		return err;
	limits.presence = b->presence;
	limits.presence_count = b->presence_count;
	limits.max_present = (size_t)o->presence_max_users;
	limits.max_named = (size_t)o->presence_max_named;
	limits.presence_interval_ms = (unsigned)o->presence_interval_ms;
	limits.say = presence_say;
	limits.history = b->history;
	limits.history_rules = b->history_count;
	limits.max_history_bytes = (size_t)o->history_max_bytes / sockjs_reactors(b->server);
	pubsub_carrier_init(&b->carrier, b);
	b->part_count = b->carrier.parts;
	b->topics = broker_new(&b->carrier, b->separator, &limits);
	b->parts = mem_zalloc(b->part_count * sizeof(*b->parts));
	if (!b->topics || !b->parts)
		return no_memory(why, size);
	for (unsigned i = 0; i < b->part_count; i++) {
		struct pubsub_part *part = &b->parts[i];

		part->broker = b;
		part->topics = broker_part(b->topics, i);
		map_init(&part->labels, label_key, NULL);
		map_init(&part->client_ids, takeover_client_id_key, NULL);
		map_init(&part->arriving, takeover_arrival_key, NULL);
		list_init(&part->clients);
		list_init(&part->commits);
		list_init(&part->waiting);
		list_init(&part->insiders);
		stomp_frame_init(&part->frame);
	}
	return 0;
}

/* They are among the subscribers of what is relayed. */
static void free_insiders(struct sockjs_broker *b)
{
	for (unsigned i = 0; b->parts && i < b->part_count && b->parts[i].broker; i++)
		hooks_forget_insiders(&b->parts[i]);
}

static void free_parts(struct sockjs_broker *b)
{
	for (unsigned i = 0; b->parts && i < b->part_count && b->parts[i].broker; i++) {
		transactions_forget_commits(&b->parts[i]);
		map_fini(&b->parts[i].labels);
		map_fini(&b->parts[i].client_ids);
		map_fini(&b->parts[i].arriving);
		stomp_frame_fini(&b->parts[i].frame);
		buf_fini(&b->parts[i].scratch);
		pubsub_rules_unref(b->parts[i].rules);
	}
	mem_free(b->parts);
}

struct broker_member *pubsub_join(
    struct pubsub_part *part, const struct broker_ops *ops, struct bytes user)
{
	const struct joined *joined = part->broker->joined;
	char name[ENGINE_MEMBER_BYTES];

	if (joined)
		engine_member_name(joined->setup.settings.gateway, engine_number(random_u64()), name);
	else
		snprintf(name, sizeof(name), "%016" PRIx64, random_u64());
	return broker_join(part->topics, ops, bytes_of(name), user);
}

/* --- rules -------------------------------------------------------------------------- */

/* Those that nobody has any more go. */
static void remember_rules(struct sockjs_broker *b, struct pubsub_rules *rules)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &b->rules) {
		struct pubsub_rules *r = container_of(pos, struct pubsub_rules, node);

		if (atomic_load_explicit(&r->refs, memory_order_acquire) > 1)
			continue;
		list_remove(&r->node);
		pubsub_rules_unref(r);
	}
	list_append(&b->rules, &rules->node);
}

/* Who waits for an answer gets one before anything is freed. */
static void end_rules(struct sockjs_broker *b)
{
	struct list *first;

	while ((first = list_first(&b->rules)) != NULL) {
		struct pubsub_rules *r = container_of(first, struct pubsub_rules, node);

		list_remove(first);
		passwords_end(r->passwords);
		pubsub_rules_unref(r);
	}
}

static int give_rules(struct sockjs_broker *b, const struct stomp_options *o, char *why, size_t size)
{
	struct pubsub_rules *rules = NULL;
	int err = pubsub_rules_new(&rules, o, why, size);

	for (unsigned i = 0; err == 0 && i < b->part_count; i++)
		b->parts[i].rules = pubsub_rules_ref(rules);
	if (err == 0)
		remember_rules(b, rules);
	return err;
}

struct renewal {
	struct sockjs_broker *broker;
	struct pubsub_rules *rules;
};

static void renew_here(void *arg)
{
	const struct renewal *r = arg;
	struct pubsub_part *part = pubsub_here(r->broker);
	struct pubsub_rules *before = part->rules;

	part->rules = pubsub_rules_ref(r->rules);
	pubsub_rules_unref(before);
}

static void renewed(void *arg)
{
	const struct renewal *r = arg;

	pubsub_rules_unref(r->rules);
}

int broker_renew(struct sockjs_broker *b, struct pubsub_rules *rules)
{
	struct renewal r = { b, rules };
	int err;

	pubsub_rules_ref(rules); /* on its way */
	remember_rules(b, rules);
	err = sockjs_reactor_spread(b->server, 0, NULL, renew_here, renewed, &r, sizeof(r));
	if (err < 0)
		pubsub_rules_unref(rules);
	return err;
}

/* --- life --------------------------------------------------------------------------- */

static int build(struct sockjs_broker *b, const struct sockjs_options *all, char *why, size_t size)
{
	const struct stomp_options *o = &all->stomp;
	int err;

	read_settings(b, o);
	err = make_parts(b, o, why, size);
	if (err == 0)
		err = check_history(b, why, size);
	if (err == 0)
		err = check_presence(b, why, size);
	if (err == 0)
		err = give_rules(b, o, why, size);
	if (err == 0)
		err = read_limits(b, o, why, size);
	if (err == 0)
		err = read_conflated(b, o, why, size);
	if (err == 0 && keep_new(&b->keeper, b, o) < 0)
		err = no_memory(why, size);
	if (err == 0)
		err = relayed_new(&b->relayed, b, all, why, size);
	if (err == 0 && b->relayed && relayed_share(b->relayed) < 0)
		err = no_memory(why, size);
	if (err == 0)
		err = joined_new(&b->joined, b, all, why, size);
	if (err == 0 && b->joined && joined_give(b->joined) < 0)
		err = no_memory(why, size);
	return err;
}

/* What it was given, if that goes together and is for a broker. */
static int check_options(
    struct sockjs_options *own, const struct sockjs_options *o, char *why, size_t size)
{
	const struct option *stray = o ? options_stray(o, 1u << OPTION_STOMP) : NULL;
	int err;

	if (stray) {
		snprintf(why, size, "%s: is no option of a broker", stray->key);
		return -EINVAL;
	}
	if (o && options_overlay(own, o, OPTION_STOMP) < 0)
		return no_memory(why, size);
	err = options_check(own, OPTION_STOMP);
	if (err < 0)
		snprintf(why, size, "%s", own->error);
	return err;
}

int broker_prepare(struct sockjs_broker **out, struct sockjs_server *server,
    const struct sockjs_options *o, char *why, size_t why_size)
{
	struct sockjs_broker *b = mem_zalloc(sizeof(*b));
	struct sockjs_options *own = sockjs_options_new();
	int err = 0;

	if (b) {
		list_init(&b->handlers);
		list_init(&b->rules);
		pthread_mutex_init(&b->restoring, NULL);
	}
	if (!b || !own)
		err = no_memory(why, why_size);
	if (err == 0) {
		b->server = server;
		err = check_options(own, o, why, why_size);
	}
	if (err == 0)
		err = build(b, own, why, why_size);
	sockjs_options_free(own);
	if (err < 0)
		sockjs_broker_free(b);
	else
		*out = b;
	return err;
}

int broker_open(struct sockjs_broker *b, char *why, size_t why_size)
{
	return b->keeper ? keep_open(b->keeper, why, why_size) : 0;
}

int sockjs_broker_new(struct sockjs_broker **out, struct sockjs_server *server,
    const struct sockjs_options *o, char *why, size_t why_size)
{
	struct sockjs_broker *b;
	int err = broker_prepare(&b, server, o, why, why_size);

	if (err < 0)
		return err;
	err = broker_open(b, why, why_size);
	if (err < 0)
		sockjs_broker_free(b);
	else
		*out = b;
	return err;
}

void sockjs_broker_free(struct sockjs_broker *b)
{
	if (!b)
		return;
	keep_close(b->keeper);
	end_rules(b);
	failures_free(b->failures);
	quotas_free(b->users);
	user_meters_free(b->meters);
	hooks_forget_handlers(b);
	for (char **p = b->conflated; p && *p; p++)
		mem_free(*p);
	mem_free(b->conflated);
	mem_free(b->dead_letters);
	for (size_t i = 0; i < b->history_count; i++)
		mem_free((char *)(uintptr_t)b->history[i].pattern.p);
	mem_free(b->history);
	free_presence(b);
	free_insiders(b);
	relayed_free(b->relayed);
	joined_free(b->joined);
	free_parts(b);
	broker_free(b->topics);
	keep_free(b->keeper);
	pthread_mutex_destroy(&b->restoring);
	mem_free(b);
}

/* --- what was counted ------------------------------------------------------------------- */

static void say_rows(struct sockjs_metrics *m, const struct pubsub_counters *n)
{
	static const char *const drops[DROP_ROWS] = {
#define X(name, text) text,
		DROPS(X)
#undef X
	};

	for (unsigned i = 1; i < STOMP_ERROR_ROWS; i++)
		sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_errors_total",
		    "ERROR frames, by reason.", "reason", stomp_error_counter((enum stomp_error)i),
		    n->errors[i]);
	for (unsigned i = 0; i < DROP_ROWS; i++)
		sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_messages_dropped_total",
		    "Messages that did not come to a subscriber, by reason.", "reason", drops[i],
		    n->dropped[i]);
}

void pubsub_metrics(struct sockjs_metrics *m, void *broker)
{
	const struct pubsub_part *part = pubsub_here(broker);
	const struct pubsub_counters *n = &part->counters;
	const struct broker_counters *topics = broker_counters(part->topics);

	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_stomp_clients", "STOMP clients connected now.", NULL,
	    NULL, n->clients);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_connects_total", "STOMP clients connected.",
	    NULL, NULL, n->connects);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_stomp_subscriptions", "Subscriptions now.", NULL,
	    NULL, topics->subscriptions);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_messages_in_total",
	    "Messages sent by clients, and accepted.", NULL, NULL, n->messages_in);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_messages_out_total",
	    "Messages handed to the sessions of subscribers; what a session still had when it "
	    "ended is among them.",
	    NULL, NULL, n->messages_out);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_published_total",
	    "Messages published, by clients and applications.", NULL, NULL, topics->published);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_stomp_history_messages",
	    "Messages kept for those who have missed them, now.", NULL, NULL, topics->kept);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_stomp_presence_users",
	    "Users known to be present, at each destination one, now.", NULL, NULL,
	    topics->present);
	sockjs_metric(
	    m, SOCKJS_GAUGE, "sockjs_stomp_queues", "Queues now.", NULL, NULL, topics->queues);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_stomp_queued_messages",
	    "Messages in queues now, waiting or not yet acknowledged.", NULL, NULL, topics->queued);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_redelivered_total",
	    "Messages of queues that waited again.", NULL, NULL, topics->redelivered);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_dead_letters_total",
	    "Messages that queues have given up.", "reason", "expired", topics->expired);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_dead_letters_total",
	    "Messages that queues have given up.", "reason", "rejected", topics->rejected);
	say_rows(m, n);
	keep_metrics(m, part);
	if (part->relayed)
		relayed_metrics(m, part);
	if (part->joined)
		joined_metrics(m, part);
}
