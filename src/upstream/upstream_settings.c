/*
 * upstream/upstream_settings.c - what an endpoint's options say, as the parts of an upstream need
 * it: its backends above all; see upstream_settings.h.
 */
#include "upstream/upstream_settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define MESSAGE_COST 64 /* of one that waits, beside its bytes: sockjs_buffered() */

static enum balancer_method method_of(const char *word)
{
	if (strcmp(word, "hash") == 0)
		return BALANCER_HASH;
	return strcmp(word, "least_connections") == 0 ? BALANCER_LEAST_CONNECTIONS
	                                              : BALANCER_ROUND_ROBIN;
}

/* A backend is read until half of its client's buffer is taken: so whatever it says has to fit into
 * the other half. */
static size_t longest_message(const struct endpoint_options *e)
{
	size_t half = e->send_buffer_bytes / 2;

	return half > MESSAGE_COST ? half - MESSAGE_COST : 1;
}

static enum probe_kind probe_of(const char *kind)
{
	if (strcmp(kind, "http") == 0)
		return PROBE_HTTP;
	return strcmp(kind, "tcp") == 0 ? PROBE_TCP : PROBE_WEBSOCKET;
}

/* What sessions say in the name of their clients has nobody to speak for here: the backend's own.
 */
static void read_checks(struct check_settings *checks, const struct upstream_options *o)
{
	bool has_host = strcmp(o->host, "client") != 0 && strcmp(o->host, "own") != 0,
	     has_origin = strcmp(o->origin, "client") != 0 && strcmp(o->origin, "own") != 0;

	*checks = (struct check_settings){
		.is_on = strcmp(o->check_kind, "none") != 0,
		.probe = { .kind = probe_of(o->check_kind),
		    .path = o->check_path,
		    .host = has_host ? o->host : NULL,
		    .origin = has_origin ? o->origin : NULL,
		    .subprotocols = &o->subprotocols,
		    .statuses = &o->check_status,
		    .timeout_ms = (unsigned)o->check_timeout_ms },
		.interval_ms = (unsigned)o->check_interval_ms,
		.rise = (unsigned)o->check_rise,
		.fall = (unsigned)o->check_fall,
	};
}

static void read_settings(struct upstream_settings *settings, const struct upstream_options *o,
    const struct endpoint_options *e)
{
	*settings = (struct upstream_settings){
		.balancer = { .method = method_of(o->balance),
		    .rest_ms = (unsigned)o->retry_delay_ms,
		    .rest_max_ms = (unsigned)o->retry_delay_max_ms },
		.limits = { longest_message(e), (unsigned)e->websocket_max_fragments },
		.deflate = { o->compression, e->websocket_context_takeover,
		    (uint8_t)e->websocket_window_bits, (uint8_t)e->websocket_compression_level,
		    e->websocket_compression_min_bytes },
		.binary = strcmp(o->binary, "base64") == 0 ? BINARY_BASE64 : BINARY_CLOSE,
		.reports_delivery = o->report_delivery,
		.send_buffer_bytes = o->send_buffer_bytes,
		.client_buffer_bytes = e->send_buffer_bytes,
		.open_after_ms = (unsigned)o->open_after_ms,
		.connect_timeout_ms = (unsigned)o->connect_timeout_ms,
		.close_timeout_ms = (unsigned)o->close_timeout_ms,
		.ping_interval_ms = (unsigned)o->ping_interval_ms,
		.pong_timeout_ms = (unsigned)o->pong_timeout_ms,
	};
}

/* A context for each, since it remembers the session of one server. */
static int add_tls(struct target *t, const struct upstream_options *o, char *why, size_t why_size)
{
	struct tls_client_options tls = {
		.ca_file = o->tls_ca,
		.certificate = o->tls_certificate,
		.key = o->tls_key,
		.insecure = !o->tls_verify,
	};

	if (!t->is_tls)
		return 0;
	t->tls = tls_client_context_new(&tls, why, why_size);
	return t->tls ? 0 : -EINVAL;
}

static bool is_name_taken(const struct balancer *balancer, const char *name)
{
	for (size_t i = 0; i < balancer->count; i++)
		if (balancer->targets[i].name && strcmp(balancer->targets[i].name, name) == 0)
			return true;
	return false;
}

static int print_name(const struct target *t, unsigned number, struct buf *name)
{
	int err = options_print_url(t->url, name);

	if (err == 0 && number > 1)
		err = buf_printf(name, "#%u", number);
	return err < 0 ? err : buf_add(name, "", 1);
}

/* Two whose URLs differ in what is not shown have a number behind them. */
static int name_target(const struct balancer *balancer, struct target *t)
{
	struct buf name = BUF_INIT;
	unsigned number = 0;
	int err;

	do {
		buf_clear(&name);
		err = print_name(t, ++number, &name);
	} while (err == 0 && is_name_taken(balancer, buf_data(&name)));
	t->name = err == 0 ? mem_strdup(buf_data(&name)) : NULL;
	buf_fini(&name);
	return t->name ? 0 : -ENOMEM;
}

/* What stands behind the URL. */
static void read_parts(struct balancer *balancer, struct target *t, const char *item)
{
	uint64_t weight = 1, most = 0, backup;

	options_item_part(item, "weight", &weight);
	t->own_weight = (unsigned)weight;
	balancer_set_weight(balancer, t, t->own_weight);
	options_item_part(item, "max_sessions", &most);
	t->max_sessions = (unsigned)most;
	t->is_backup = options_item_part(item, "backup", &backup);
}

static int init_target(struct target *t, size_t i, const char *item, char *why, size_t why_size)
{
	char *url = mem_strndup(item, options_item_len(item));
	int err = url ? target_init(t, url) : -ENOMEM;

	if (err == -EINVAL)
		snprintf(why, why_size, "upstream.url[%zu]: \"%s\" is no URL of a backend", i, url);
	mem_free(url);
	return err;
}

static int add_targets(
    struct balancer *balancer, const struct upstream_options *o, char *why, size_t why_size)
{
	const struct string_list *urls = &o->url;
	int err = 0;

	balancer->targets = mem_zalloc(urls->count * sizeof(*balancer->targets));
	if (!balancer->targets)
		return -ENOMEM;
	for (size_t i = 0; i < urls->count && err == 0; i++) {
		struct target *t = &balancer->targets[i];

		err = init_target(t, i, urls->items[i], why, why_size);
		if (err < 0)
			return err;
		read_parts(balancer, t, urls->items[i]);
		err = name_target(balancer, t);
		balancer->count++;
		if (err == 0)
			err = add_tls(t, o, why, why_size);
	}
	return err;
}

int upstream_settings_init(struct upstream_settings *settings, const struct sockjs_options *options,
    char *why, size_t why_size)
{
	read_settings(settings, &options->upstream, &options->endpoint);
	strays_init(&settings->strays);
	read_checks(&settings->checks, &options->upstream);
	return add_targets(&settings->balancer, &options->upstream, why, why_size);
}

void upstream_settings_fini(struct upstream_settings *settings)
{
	struct balancer *balancer = &settings->balancer;

	for (size_t i = 0; i < balancer->count; i++) {
		tls_context_free(balancer->targets[i].tls);
		target_fini(&balancer->targets[i]);
	}
	mem_free(balancer->targets);
	balancer->targets = NULL;
	balancer->count = 0;
	strays_fini(&settings->strays);
}
