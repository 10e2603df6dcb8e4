/*
 * server/engine_setup.c - what an engine is started with; see engine_setup.h.
 */
#include "server/engine_setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/first_line.h"
#include "base/random.h"
#include "net/server_address.h"
#include "net/stream.h"

#define PORT 4222

bool engine_setup_is_wanted(const struct sockjs_options *o)
{
	const struct engine_kind *kind = engine_kind_find(o->stomp.engine_kind);

	return kind && engine_is_between(kind);
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
static int add_server(struct engine_setup *s, const char *url)
{
	const char *address = strstr(url, "://");
	struct server_address read;
	struct engine_server *to = &s->servers[s->settings.server_count];

	if (!address || !server_address_read(address + 3, &read))
		return -EINVAL;
	snprintf(to->host, sizeof(to->host), "%s", read.host);
	to->port = read.port ? read.port : PORT;
	s->settings.server_count++;
	s->settings.tls_required |= strncmp(url, "tls://", 6) == 0;
	return 0;
}

/* There is always one: a server may want TLS. */
static int add_tls(struct engine_setup *s, char *why, size_t size)
{
	const struct stomp_options *o = &s->options.stomp;
	struct tls_client_options tls = {
		.ca_file = o->engine_tls_ca,
		.certificate = o->engine_tls_certificate,
		.key = o->engine_tls_key,
		.insecure = !o->engine_tls_verify,
	};
	char sentence[400];

	s->settings.tls_required |= o->engine_tls_ca || o->engine_tls_name || o->engine_tls_certificate ||
	                            o->engine_tls_key || !o->engine_tls_verify;
	s->settings.tls_host = o->engine_tls_name;
	s->settings.tls = tls_client_context_new(&tls, sentence, sizeof(sentence));
	if (s->settings.tls)
		return 0;
	snprintf(why, size, "stomp.engine.tls: %s", sentence);
	return -EINVAL;
}

static void fill(struct engine_setup *s)
{
	const struct stomp_options *o = &s->options.stomp;

	s->settings = (struct engine_settings){
		.servers = s->servers,
		.prefix = o->engine_prefix,
		.separator = '/',
		.gateway = engine_number(random_u64()),
		.user = o->engine_user,
		.password = *s->password ? s->password : NULL,
		.token = *s->token ? s->token : NULL,
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
}

int engine_setup_read(struct engine_setup *s, const struct sockjs_options *given, char *why, size_t size)
{
	const struct stomp_options *o = &s->options.stomp;
	int err = options_copy(&s->options, given);

	if (err < 0) {
		snprintf(why, size, "out of memory");
		return err;
	}
	s->kind = engine_kind_find(o->engine_kind);
	err = read_secret(o->engine_password, o->engine_password_file, "password_file", s->password,
	    sizeof(s->password), why, size);
	if (err == 0)
		err = read_secret(
		    o->engine_token, o->engine_token_file, "token_file", s->token, sizeof(s->token), why, size);
	if (err < 0)
		return err;
	fill(s);
	for (size_t i = 0; i < o->engine_servers.count && err == 0; i++)
		err = add_server(s, o->engine_servers.items[i]);
	return err < 0 ? err : add_tls(s, why, size);
}

void engine_setup_fini(struct engine_setup *s)
{
	tls_context_free(s->settings.tls);
	options_fini(&s->options);
	explicit_bzero(s->password, sizeof(s->password));
	explicit_bzero(s->token, sizeof(s->token));
}
