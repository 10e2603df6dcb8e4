/*
 * pubsub/relayed.c - what is relayed, and to whom: settings and names; see relayed.h.
 */
#include "pubsub/relayed.h"

#include <errno.h>
#include <stdio.h>

#include "base/first_line.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker_name.h"
#include "net/server_address.h"

#define PORT     61613
#define PORT_TLS 61614
#define KEY      "/relay"

/* --- names -------------------------------------------------------------------------------- */

static struct broker_segments segments_of(const struct sockjs_broker *b, struct bytes path)
{
	return broker_segments_of(path, b->separator);
}

/* Whether all segments of `prefix` begin the path. */
static bool begins_with(const struct sockjs_broker *b, struct bytes path, const char *prefix)
{
	struct broker_segments of_path = segments_of(b, path),
	                       of_prefix = segments_of(b, bytes_of(prefix));
	struct bytes want, have;

	while (broker_segments_next(&of_prefix, &want))
		if (!broker_segments_next(&of_path, &have) || !bytes_equal(want, have))
			return false;
	return true;
}

/* Whether something that it stands for does, though not all of it. */
static bool reaches_into(const struct sockjs_broker *b, struct bytes pattern, const char *prefix)
{
	struct broker_segments of_pattern = segments_of(b, pattern),
	                       of_prefix = segments_of(b, bytes_of(prefix));
	struct bytes want, have;

	while (broker_segments_next(&of_prefix, &want)) {
		if (!broker_segments_next(&of_pattern, &have))
			return false;
		if (broker_segment_is_rest(have))
			return true;
		if (!broker_segment_is_any(have) && !bytes_equal(want, have))
			return false;
	}
	return true;
}

/* What a broker makes for one client, or calls what it has made. */
static bool is_for_replies(const struct relayed *r, struct bytes destination)
{
	static const char *const kinds[][5] = {
		[RELAY_RABBITMQ] = { "/temp-queue/", "/reply-queue/", NULL },
		[RELAY_ACTIVEMQ] = { "/temp-queue/", "/temp-topic/", "/remote-temp-queue/", "/remote-temp-topic/",
		    NULL },
	};

	for (const char *const *kind = kinds[r->names.kind]; *kind; kind++)
		if (bytes_begin(destination, *kind))
			return true;
	return false;
}

bool relayed_has(const struct sockjs_broker *b, struct bytes destination)
{
	const struct string_list *prefixes;

	if (!b->relayed)
		return false;
	prefixes = &b->relayed->options.stomp.relay_prefixes;
	for (size_t i = 0; i < prefixes->count; i++)
		if (begins_with(b, destination, prefixes->items[i]))
			return true;
	return b->relayed->way != RELAYED_SHARED && is_for_replies(b->relayed, destination);
}

bool relayed_is_key(struct bytes destination)
{
	return bytes_begin(destination, KEY "/");
}

bool relayed_is_between(const struct sockjs_broker *b, struct bytes pattern)
{
	const struct string_list *prefixes;

	if (!b->relayed || relayed_has(b, pattern))
		return false;
	if (reaches_into(b, pattern, KEY))
		return true;
	prefixes = &b->relayed->options.stomp.relay_prefixes;
	for (size_t i = 0; i < prefixes->count; i++)
		if (reaches_into(b, pattern, prefixes->items[i]))
			return true;
	return false;
}

bool relayed_is_kept(const struct sockjs_broker *b, struct bytes pattern)
{
	const struct string_list *list = &b->relayed->options.stomp.relay_streams;

	for (size_t i = 0; i < list->count; i++)
		if (broker_pattern_matches(b->topics, bytes_of(list->items[i]), pattern))
			return true;
	return false;
}

/* A star would stand for others, so it is escaped, and what escapes it. */
int relayed_key(struct bytes pattern, struct buf *out)
{
	int err = buf_add(out, KEY, sizeof(KEY) - 1);

	for (size_t i = 0; i < pattern.n && err == 0; i++) {
		if (pattern.p[i] == '*')
			err = buf_add(out, "%2A", 3);
		else if (pattern.p[i] == '%')
			err = buf_add(out, "%25", 3);
		else
			err = buf_add(out, pattern.p + i, 1);
	}
	return err;
}

int relayed_pattern(struct bytes key, struct buf *out)
{
	int err = 0;

	for (size_t i = sizeof(KEY) - 1; i < key.n && err == 0; i++) {
		char c = key.p[i];

		if (c == '%') {
			c = key.p[i + 1] == '2' && key.p[i + 2] == 'A' ? '*' : '%';
			i += 2;
		}
		err = buf_add(out, &c, 1);
	}
	return err;
}

/* --- settings --------------------------------------------------------------------------------- */

static int no_memory(char *why, size_t size)
{
	snprintf(why, size, "out of memory");
	return -ENOMEM;
}

static int read_passcode(struct relayed *r, char *why, size_t size)
{
	const struct stomp_options *o = &r->options.stomp;
	int err;

	if (o->relay_passcode && o->relay_passcode_file) {
		snprintf(why, size, "stomp.relay.passcode_file: means nothing beside stomp.relay.passcode");
		return -EINVAL;
	}
	if (o->relay_passcode)
		snprintf(r->passcode, sizeof(r->passcode), "%s", o->relay_passcode);
	if (!o->relay_passcode_file)
		return 0;
	err = first_line(o->relay_passcode_file, r->passcode, sizeof(r->passcode));
	if (err < 0)
		snprintf(why, size, "stomp.relay.passcode_file: cannot read \"%.200s\": %s",
		    o->relay_passcode_file, strerror(-err));
	return err;
}

static bool has_tls(const struct stomp_options *o)
{
	if (strcmp(o->relay_tls, "auto") != 0)
		return strcmp(o->relay_tls, "true") == 0;
	return o->relay_tls_ca || o->relay_tls_name || o->relay_tls_certificate || o->relay_tls_key ||
	       !o->relay_tls_verify;
}

/* A context for each, since it remembers the session of one server. */
static int add_tls(
    struct connector_server *s, const struct stomp_options *o, char *why, size_t size)
{
	struct tls_client_options tls = {
		.ca_file = o->relay_tls_ca,
		.certificate = o->relay_tls_certificate,
		.key = o->relay_tls_key,
		.insecure = !o->relay_tls_verify,
	};
	char sentence[400];

	s->tls = tls_client_context_new(&tls, sentence, sizeof(sentence));
	if (s->tls) {
		s->tls_host = o->relay_tls_name ? o->relay_tls_name : s->path ? "localhost" : NULL;
		return 0;
	}
	snprintf(why, size, "stomp.relay.tls: %s", sentence);
	return -EINVAL;
}

static int add_server(struct relayed *r, const char *text, char *why, size_t size)
{
	const struct stomp_options *o = &r->options.stomp;
	struct connector_server *s = &r->servers[r->server_count];
	struct server_address address;

	if (!server_address_read(text, &address))
		return -EINVAL; /* the option's check says what is allowed */
	s->port = address.port ? address.port : has_tls(o) ? PORT_TLS : PORT;
	s->path = address.path;
	if (!s->path && !(s->host = mem_strdup(address.host)))
		return no_memory(why, size);
	r->server_count++;
	return has_tls(o) ? add_tls(s, o, why, size) : 0;
}

static int add_servers(struct relayed *r, char *why, size_t size)
{
	const struct string_list *list = &r->options.stomp.relay_servers;
	int err = 0;

	r->servers = mem_zalloc(list->count * sizeof(*r->servers));
	if (!r->servers)
		return no_memory(why, size);
	for (size_t i = 0; i < list->count && err == 0; i++)
		err = add_server(r, list->items[i], why, size);
	return err;
}

static struct relay_link_settings link_settings(const struct relayed *r)
{
	const struct stomp_options *o = &r->options.stomp;

	return (struct relay_link_settings){
		.connector = { .connect_timeout_ms = (unsigned)o->relay_connect_timeout_ms,
		    .retry_ms = (unsigned)o->relay_retry_delay_ms,
		    .retry_max_ms = (unsigned)o->relay_retry_delay_max_ms },
		.login = { .host = o->relay_vhost,
		    .login = o->relay_login,
		    .passcode = *r->passcode ? r->passcode : NULL,
		    .send_heart_beat_ms = (uint32_t)o->relay_heartbeat_ms[0],
		    .receive_heart_beat_ms = (uint32_t)o->relay_heartbeat_ms[1],
		    .is_unescaped = r->names.kind == RELAY_ACTIVEMQ },
		/* Room for what clients may send and a broker adds, escaped */
		.limits = { STOMP_HEADERS_MAX, 2 * (size_t)o->max_line_bytes + 65536,
		    2 * (size_t)o->max_head_bytes + 262144, (size_t)o->relay_max_body_bytes },
		.connect_timeout_ms = (unsigned)o->relay_connect_timeout_ms,
		.name = o->relay_servers.items[0],
	};
}

static struct relay_link_settings system_settings(const struct relayed *r)
{
	const struct stomp_options *o = &r->options.stomp;
	struct relay_link_settings s = link_settings(r);

	if (!o->relay_system_login)
		return s;
	s.login.login = o->relay_system_login;
	s.login.passcode = o->relay_system_passcode;
	return s;
}

static void read_settings(struct relayed *r)
{
	const struct stomp_options *o = &r->options.stomp;

	r->names.kind = strcmp(o->relay_kind, "activemq") == 0 ? RELAY_ACTIVEMQ : RELAY_RABBITMQ;
	r->names.separator = r->broker->separator;
	r->closes = strcmp(o->relay_when_down, "close") == 0;
	r->way = strcmp(o->relay_mode, "shared") == 0       ? RELAYED_SHARED
	         : strcmp(o->relay_mode, "per-client") == 0 ? RELAYED_PER_CLIENT
	                                                    : RELAYED_MIXED;
	r->passes_login = strcmp(o->relay_client_login, "pass") == 0;
	r->own = link_settings(r);
	r->own.is_quiet = true;
	r->hub = (struct relay_hub_settings){
		.link = system_settings(r),
		.members = r->broker->part_count,
		.linger_ms = (unsigned)o->relay_linger_ms,
		.max_topics = (size_t)o->relay_max_topics,
		.stream_max_bytes = o->relay_stream_max_bytes,
	};
}

/* What our own broker keeps of destinations it keeps of its own. */
static int check_kept(const struct sockjs_broker *b, char *why, size_t size)
{
	for (size_t i = 0; i < b->history_count; i++)
		if (relayed_has(b, b->history[i].pattern)) {
			snprintf(why, size, "stomp.history[%zu].destination: is relayed: no history is kept here", i);
			return -EINVAL;
		}
	for (size_t i = 0; i < b->presence_count; i++)
		if (relayed_has(b, b->presence[i])) {
			snprintf(why, size, "stomp.presence[%zu]: is relayed: no presence is kept here", i);
			return -EINVAL;
		}
	return 0;
}

static int check_streams(const struct relayed *r, char *why, size_t size)
{
	const struct string_list *list = &r->options.stomp.relay_streams;

	for (size_t i = 0; i < list->count; i++) {
		const char *wrong = r->names.kind != RELAY_RABBITMQ      ? "only RabbitMQ has streams"
		                    : r->way == RELAYED_PER_CLIENT       ? "means nothing with stomp.relay.mode \"per-client\""
		                    : !broker_pattern_is_valid(r->broker->topics, bytes_of(list->items[i]))
		                        ? "is no pattern"
		                        : NULL;

		if (!wrong)
			continue;
		snprintf(why, size, "stomp.relay.streams[%zu]: %s", i, wrong);
		return -EINVAL;
	}
	return 0;
}

static int make_hubs(struct relayed *r, char *why, size_t size)
{
	unsigned parts = r->broker->part_count, most = (unsigned)r->options.stomp.relay_links;

	r->hub_count = r->way == RELAYED_PER_CLIENT ? 1 : most ? most : RELAYED_HUBS_MAX;
	if (r->hub_count > parts)
		r->hub_count = parts;
	r->hubs = mem_zalloc(r->hub_count * sizeof(*r->hubs));
	if (!r->hubs)
		return no_memory(why, size);
	for (unsigned i = 0; i < r->hub_count; i++) {
		r->hubs[i].relayed = r;
		r->hubs[i].index = r->hubs[i].part = i;
	}
	return 0;
}

int relayed_new(struct relayed **out, struct sockjs_broker *b, const struct sockjs_options *o, char *why,
    size_t size)
{
	struct relayed *r;
	int err;

	if (o->stomp.relay_servers.count == 0)
		return 0;
	r = mem_zalloc(sizeof(*r));
	if (!r)
		return no_memory(why, size);
	*out = r;
	r->broker = b;
	err = options_copy(&r->options, o);
	if (err < 0)
		return no_memory(why, size);
	err = read_passcode(r, why, size);
	if (err < 0)
		return err;
	read_settings(r);
	err = check_kept(b, why, size);
	if (err == 0)
		err = check_streams(r, why, size);
	if (err == 0)
		err = add_servers(r, why, size);
	return err < 0 ? err : make_hubs(r, why, size);
}

int relayed_share(struct relayed *r)
{
	struct sockjs_broker *b = r->broker;

	for (unsigned i = 0; i < b->part_count; i++) {
		struct relayed_part *share = mem_zalloc(sizeof(*share));

		if (!share)
			return -ENOMEM;
		share->relayed = r;
		share->part = &b->parts[i];
		map_init(&share->interests, relayed_interest_key, NULL);
		map_init(&share->receipts, relayed_receipt_key, NULL);
		list_init(&share->waiting);
		list_init(&share->owns);
		stomp_frame_init(&share->frame);
		b->parts[i].relayed = share;
	}
	return 0;
}

static void share_free(struct relayed_part *share)
{
	if (!share)
		return;
	relayed_topics_fini(share);
	relayed_receipts_fini(share);
	stomp_frame_fini(&share->frame);
	buf_fini(&share->scratch);
	mem_free(share);
}

void relayed_free(struct relayed *r)
{
	if (!r)
		return;
	for (unsigned i = 0; r->broker->parts && i < r->broker->part_count; i++)
		share_free(r->broker->parts[i].relayed);
	mem_free(r->hubs);
	for (size_t i = 0; i < r->server_count; i++) {
		tls_context_free(r->servers[i].tls);
		mem_free((char *)(uintptr_t)r->servers[i].host);
	}
	mem_free(r->servers);
	options_fini(&r->options);
	explicit_bzero(r->passcode, sizeof(r->passcode));
	mem_free(r);
}

/* --- life ------------------------------------------------------------------------------------ */

void relayed_begin(struct sockjs_broker *b)
{
	struct pubsub_part *part = pubsub_here(b);
	struct relayed_part *share = part->relayed;
	int err = share->resolver ? 0 : resolver_new(&share->resolver, loop_current(), NULL);

	if (err < 0)
		log_error("a broker cannot be looked for", LOG_STR("broker", b->relayed->own.name),
		    LOG_STR("reason", strerror(-err)));
	for (unsigned i = 0; err == 0 && i < b->relayed->hub_count; i++)
		if (b->relayed->hubs[i].part == (unsigned)(part - b->parts))
			relayed_hub_begin(&b->relayed->hubs[i], share);
	relayed_join_all(share);
}

void relayed_end(struct sockjs_broker *b)
{
	struct pubsub_part *part = pubsub_here(b);

	for (unsigned i = 0; i < b->relayed->hub_count; i++)
		if (b->relayed->hubs[i].part == (unsigned)(part - b->parts))
			relayed_hub_end(&b->relayed->hubs[i]);
	relayed_own_end_all(part->relayed);
	resolver_free(part->relayed->resolver);
	part->relayed->resolver = NULL;
}

bool relayed_is_busy(struct sockjs_broker *b)
{
	struct pubsub_part *part = pubsub_here(b);

	return part && !list_empty(&part->relayed->owns);
}

bool relayed_is_up(const struct relayed *r)
{
	for (unsigned i = 0; i < r->hub_count; i++)
		if (!relayed_hub_is_up(&r->hubs[i]))
			return false;
	return true;
}

static void say_hub(struct sockjs_metrics *m, const struct relayed_hub *h)
{
	const struct relay_hub *hub = &h->hub;

	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_relay_links", "Shared connections to a broker, by state, now.",
	    "state", "up", relay_hub_is_up(hub));
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_relay_links", "Shared connections to a broker, by state, now.",
	    "state", "away", !relay_hub_is_up(hub));
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_relay_connects_total",
	    "Shared connections to a broker that came up.", NULL, NULL, hub->link.connects);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_relay_failures_total",
	    "Shared connections to a broker that were lost, or never came up.", NULL, NULL, hub->link.failures);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_relay_topics",
	    "Topics and patterns subscribed at a broker, or to be, now.", NULL, NULL, relay_hub_topics(hub));
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_relay_messages_in_total",
	    "Messages that a broker has sent for subscribers.", NULL, NULL, hub->messages_in);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_relay_messages_out_total", "Messages sent to a broker.", NULL,
	    NULL, hub->messages_out);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_relay_unanswered_total",
	    "Messages of which nobody knows whether the broker has them: the connection broke.", NULL, NULL,
	    hub->lost);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_relay_nameless_total",
	    "Messages of a broker whose destination has no name here.", NULL, NULL, h->nameless);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_relay_queued_bytes", "Octets that wait for a broker, now.", NULL,
	    NULL, relay_hub_queued(hub));
}

void relayed_metrics(struct sockjs_metrics *m, const struct pubsub_part *part)
{
	const struct sockjs_broker *b = part->broker;

	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_relay_client_links", "Connections of single clients to a broker, now.",
	    NULL, NULL, part->relayed->own_count);
	for (unsigned i = 0; i < b->relayed->hub_count; i++)
		if (b->relayed->hubs[i].part == (unsigned)(part - b->parts) && b->relayed->hubs[i].has_begun)
			say_hub(m, &b->relayed->hubs[i]);
}
