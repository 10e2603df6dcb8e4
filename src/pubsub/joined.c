/*
 * pubsub/joined.c - one broker over several gateways: settings, and what is shared; see joined.h.
 */
#include "pubsub/joined.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/first_line.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/server_address.h"
#include "net/stream.h"
#include "pubsub/relayed.h"

#define PORT 4222

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

static int read_secret(const char *value, const char *file, const char *option, char *to, size_t to_size,
    char *why, size_t size)
{
	int err = 0;

	if (value)
		snprintf(to, to_size, "%s", value);
	else if (file && (err = first_line(file, to, to_size)) < 0)
		snprintf(why, size, "stomp.engine.%s: cannot read \"%.200s\": %s", option, file, strerror(-err));
	return err;
}

/* The option's check says what is allowed. */
static int add_server(struct joined *j, const char *url)
{
	const char *address = strstr(url, "://");
	struct server_address read;
	struct engine_server *to = &j->servers[j->settings.server_count];

	if (!address || !server_address_read(address + 3, &read))
		return -EINVAL;
	snprintf(to->host, sizeof(to->host), "%s", read.host);
	to->port = read.port ? read.port : PORT;
	j->settings.server_count++;
	j->settings.tls_required |= strncmp(url, "tls://", 6) == 0;
	return 0;
}

/* There is always one: a server may want TLS. */
static int add_tls(struct joined *j, char *why, size_t size)
{
	const struct stomp_options *o = &j->options.stomp;
	struct tls_client_options tls = {
		.ca_file = o->engine_tls_ca,
		.certificate = o->engine_tls_certificate,
		.key = o->engine_tls_key,
		.insecure = !o->engine_tls_verify,
	};
	char sentence[400];

	j->settings.tls_required |= o->engine_tls_ca || o->engine_tls_name || o->engine_tls_certificate ||
	                            o->engine_tls_key || !o->engine_tls_verify;
	j->settings.tls_host = o->engine_tls_name;
	j->settings.tls = tls_client_context_new(&tls, sentence, sizeof(sentence));
	if (j->settings.tls)
		return 0;
	snprintf(why, size, "stomp.engine.tls: %s", sentence);
	return -EINVAL;
}

/* The stream keeps what the most generous of them wants; what each says is observed by who reads it. */
static void read_rules(struct joined *j)
{
	const struct sockjs_broker *b = j->broker;
	struct engine_settings *s = &j->settings;
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

static void read_settings(struct joined *j)
{
	const struct stomp_options *o = &j->options.stomp;

	j->goes_on = strcmp(o->engine_lost, "local") == 0;
	j->settings = (struct engine_settings){
		.servers = j->servers,
		.prefix = o->engine_prefix,
		.separator = j->broker->separator,
		.gateway = engine_number(random_u64()),
		.user = o->engine_user,
		.password = *j->password ? j->password : NULL,
		.token = *j->token ? j->token : NULL,
		.seed_file = o->engine_nkey_file,
		.creds_file = o->engine_credentials_file,
		.connect_timeout_ms = (unsigned)o->engine_connect_timeout_ms,
		.retry_ms = (unsigned)o->engine_retry_delay_ms,
		.retry_max_ms = (unsigned)o->engine_retry_delay_max_ms,
		.ping_interval_ms = (unsigned)o->engine_ping_interval_ms,
		.queue_bytes = (size_t)o->engine_queue_bytes,
		.max_bytes = (size_t)o->engine_max_message_bytes,
		.keep_in_memory = strcmp(o->engine_storage, "memory") == 0,
		.keep_bytes = o->engine_stream_bytes,
		.replicas = (unsigned)o->engine_replicas,
	};
	read_rules(j);
}

/* What one gateway alone would know, and tell as if it were all. */
static int check_kept(const struct sockjs_broker *b, char *why, size_t size)
{
	if (!b->keeper)
		return 0;
	snprintf(why, size, "stomp.journal: is of one gateway alone, and cannot be had with stomp.engine.kind \"%s\"",
	    b->joined->kind->name);
	return -EINVAL;
}

static int read_all(struct joined *j, char *why, size_t size)
{
	const struct stomp_options *o = &j->options.stomp;
	int err = read_secret(o->engine_password, o->engine_password_file, "password_file", j->password,
	    sizeof(j->password), why, size);

	if (err == 0)
		err = read_secret(
		    o->engine_token, o->engine_token_file, "token_file", j->token, sizeof(j->token), why, size);
	if (err < 0)
		return err;
	read_settings(j);
	for (size_t i = 0; i < o->engine_servers.count && err == 0; i++)
		err = add_server(j, o->engine_servers.items[i]);
	return err < 0 ? err : add_tls(j, why, size);
}

int joined_new(struct joined **out, struct sockjs_broker *b, const struct sockjs_options *o, char *why, size_t size)
{
	const struct engine_kind *kind = engine_kind_find(o->stomp.engine_kind);
	struct joined *j;
	int err;

	if (!kind || !engine_is_between(kind))
		return 0;
	j = mem_zalloc(sizeof(*j));
	if (!j)
		return no_memory(why, size);
	*out = j;
	j->broker = b;
	j->kind = kind;
	if (options_copy(&j->options, o) < 0)
		return no_memory(why, size);
	err = check_kept(b, why, size);
	if (err == 0)
		err = read_all(j, why, size);
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
	if (j->settings.keeps) {
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
	tls_context_free(j->settings.tls);
	options_fini(&j->options);
	explicit_bzero(j->password, sizeof(j->password));
	explicit_bzero(j->token, sizeof(j->token));
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
