/*
 * pubsub/joined.c - one broker over several gateways: settings, and what is shared; see joined.h.
 */
#include "pubsub/joined.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/relayed.h"

const char joined_away[] = "The engine that joins the gateways cannot be reached.";

bool joined_has(const struct sockjs_broker *b, struct bytes destination)
{
	return b->joined && !relayed_is_key(destination) && !relayed_has(b, destination) &&
	       !bytes_begin(destination, BROKER_PRESENCE "/") && !broker_is_queue(b->topics, destination);
}

bool joined_is_refused(const struct sockjs_broker *b, struct bytes destination)
{
	return joined_is_refusing(b->joined) && joined_has(b, destination) &&
	       (!b->joined->goes_on || joined_keeps(b, destination));
}

bool joined_lacks(const struct sockjs_broker *b, struct bytes destination)
{
	return b->joined && broker_is_queue(b->topics, destination) && !relayed_has(b, destination);
}

/* --- settings ------------------------------------------------------------------------------- */

static int no_memory(char *why, size_t size)
{
	snprintf(why, size, "out of memory");
	return -ENOMEM;
}

/* The stream keeps what the most generous of them wants; what each says is observed by who reads it. */
static void read_rules(struct joined *j)
{
	const struct sockjs_broker *b = j->broker;
	struct engine_settings *s = &j->setup.settings;
	bool all_messages = false, all_times = false;

	s->keeps = b->history_count > 0;
	for (size_t i = 0; i < b->history_count; i++) {
		const struct broker_history_rule *rule = &b->history[i];

		all_messages |= rule->messages == 0;
		all_times |= rule->ms == 0;
		s->keep_messages = rule->messages > s->keep_messages ? rule->messages : s->keep_messages;
		s->keep_ms = rule->ms > s->keep_ms ? rule->ms : s->keep_ms;
	}
	s->keep_messages = all_messages ? 0 : s->keep_messages;
	s->keep_ms = all_times ? 0 : s->keep_ms;
}

/* What one gateway alone would know, and tell as if it were all. */
static int check_kept(const struct sockjs_broker *b, char *why, size_t size)
{
	if (!b->keeper)
		return 0;
	snprintf(why, size, "stomp.journal: is of one gateway alone, and cannot be had with stomp.engine.kind \"%s\"",
	    b->joined->setup.kind->name);
	return -EINVAL;
}

static int read_all(struct joined *j, const struct sockjs_options *o, char *why, size_t size)
{
	int err = engine_setup_read(&j->setup, o, why, size);

	if (err < 0)
		return err;
	j->goes_on = strcmp(j->setup.options.stomp.engine_lost, "local") == 0;
	j->setup.settings.separator = j->broker->separator;
	read_rules(j);
	return check_kept(j->broker, why, size);
}

int joined_new(struct joined **out, struct sockjs_broker *b, const struct sockjs_options *o, char *why, size_t size)
{
	struct joined *j;
	int err;

	if (!engine_setup_is_wanted(o))
		return 0;
	j = mem_zalloc(sizeof(*j));
	if (!j)
		return no_memory(why, size);
	*out = j;
	j->broker = b;
	err = read_all(j, o, why, size);
	return err < 0 ? err : joined_hub_new(j) < 0 ? no_memory(why, size) : 0;
}

int joined_give(struct joined *j)
{
	struct sockjs_broker *b = j->broker;
	struct broker_peers peers = joined_peers;

	for (unsigned i = 0; i < b->part_count; i++)
		if (!(b->parts[i].joined = joined_part_new(j, &b->parts[i])))
			return -ENOMEM;
	peers.arg = b;
	if (j->setup.settings.keeps) {
		peers.keep = joined_keep;
		peers.load = joined_load;
	}
	if (b->presence_count > 0)
		joined_rolls_give(&peers);
	broker_use_peers(b->topics, &peers);
	return 0;
}

void joined_free(struct joined *j)
{
	if (!j)
		return;
	for (unsigned i = 0; j->broker->parts && i < j->broker->part_count; i++)
		joined_part_free(j->broker->parts[i].joined);
	joined_hub_free(j->hub);
	engine_setup_fini(&j->setup);
	mem_free(j);
}

/* --- life ------------------------------------------------------------------------------------ */

void joined_begin(struct sockjs_broker *b)
{
	struct pubsub_part *part = pubsub_here(b);

	if (part == b->parts)
		joined_hub_begin(b->joined->hub);
	joined_part_begin(part->joined);
}

void joined_end(struct sockjs_broker *b)
{
	struct pubsub_part *part = pubsub_here(b);

	broker_end_loads(part->topics);
	if (part == b->parts)
		joined_hub_end(b->joined->hub);
}

void joined_metrics(struct sockjs_metrics *m, const struct pubsub_part *part)
{
	const struct joined *j = part->broker->joined;
	const struct engine_counters *n;
	size_t pending;

	if (part != part->broker->parts || !(n = joined_hub_counters(j->hub, &pending)))
		return;
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_engine_up", "Whether the engine that joins gateways is there, and keeps what has a history, now.", NULL,
	    NULL, joined_is_up(j));
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_engine_connected",
	    "Whether there is a connection to the engine, whether or not it keeps what has a history, now.", NULL, NULL,
	    atomic_load_explicit(&j->is_connected, memory_order_relaxed));
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_engine_gateways", "Other gateways that are there, now.", NULL, NULL,
	    joined_hub_gateways(j->hub));
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_engine_connects_total", "Connections to the engine that came up.", NULL,
	    NULL, n->connects);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_engine_losses_total", "Connections to the engine that were lost.", NULL,
	    NULL, n->losses);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_engine_messages_in_total",
	    "Messages of other gateways that came by the engine.", NULL, NULL, n->messages_in);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_engine_messages_out_total", "Messages for other gateways.", NULL, NULL,
	    n->messages_out);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_engine_messages_dropped_total",
	    "Messages for other gateways that the engine could not take, or of it that made no sense.", "reason",
	    "refused", n->refused);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_engine_messages_dropped_total",
	    "Messages for other gateways that the engine could not take, or of it that made no sense.", "reason",
	    "nonsense", n->nonsense);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_engine_stored_total", "Messages that the engine has taken to keep.",
	    NULL, NULL, n->stored);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_engine_filled_total",
	    "Messages that had not come, and were found where the engine keeps them.", NULL, NULL, n->filled);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_engine_repeated_total",
	    "Messages that came again, by another subscription that they fit.", NULL, NULL, n->repeated);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_engine_queued_bytes", "Octets that wait for the engine, now.", NULL, NULL,
	    pending);
}
