/*
 * webhook/webhook_new.c - a webhook from its options; see webhook.h.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/first_line.h"
#include "base/mem.h"
#include "webhook/webhook_private.h"

static int read_secret_file(struct webhook *w, const char *path, char *why, size_t size)
{
	int err = first_line(path, w->secret, sizeof(w->secret));

	if (err < 0 && err != -EINVAL) {
		snprintf(why, size, "hooks.secret_file: cannot read \"%.200s\": %s", path,
		    strerror(-err));
		return err == -ENOMEM ? err : -EAGAIN;
	}
	if (err == 0 && options_find("hooks.secret")->valid(w->secret))
		return 0;
	snprintf(why, size,
	    "hooks.secret_file: the first line of \"%.200s\" is no secret; allowed: %s", path,
	    options_find("hooks.secret")->allowed);
	return -EINVAL;
}

static int read_secret(struct webhook *w, const struct hooks_options *o, char *why, size_t size)
{
	if (o->secret)
		snprintf(w->secret, sizeof(w->secret), "%s", o->secret);
	return o->secret_file ? read_secret_file(w, o->secret_file, why, size) : 0;
}

static int read_target(struct webhook *w, const struct hooks_options *o, char *why, size_t size)
{
	struct http_target *t = &w->target;
	int err = o->url ? http_target_init(t, o->url) : -EINVAL;

	if (err == -EINVAL)
		snprintf(why, size, "hooks.url: %s%s%s; allowed: %s", o->url ? "\"" : "missing",
		    o->url ? o->url : "", o->url ? "\" is no URL of a backend" : "",
		    options_find("hooks.url")->allowed);
	if (err < 0)
		return err;
	t->max_connections = (unsigned)o->max_connections;
	t->max_waiting = (unsigned)o->max_waiting;
	t->max_answer_bytes = (size_t)o->max_answer_bytes;
	t->verifies = o->tls_verify;
	w->ca_file = o->tls_ca ? mem_strdup(o->tls_ca) : NULL;
	t->ca_file = w->ca_file;
	return o->tls_ca && !w->ca_file ? -ENOMEM : 0;
}

int webhook_new(struct webhook **out, const struct hooks_options *o, char *why, size_t why_size)
{
	struct webhook *w = mem_zalloc(sizeof(*w));
	int err;

	snprintf(why, why_size, "out of memory");
	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	w->timeout_ms = (unsigned)o->timeout_ms;
	w->retries = (unsigned)o->retries;
	for (size_t i = 0; i < o->events.count; i++)
		w->events |= webhook_event_bit(o->events.items[i]);
	err = read_target(w, o, why, why_size);
	if (err == 0)
		err = read_secret(w, o, why, why_size);
	if (err < 0) {
		webhook_free(w);
		return err;
	}
	*out = w;
	return 0;
}

void webhook_free(struct webhook *w)
{
	unsigned n = w ? atomic_load(&w->part_count) : 0;

	if (!w)
		return;
	w->is_over = true;
	for (unsigned i = 0; i < n; i++) {
		webhook_fail_all(w->parts[i]);
		if (w->parts[i]->client)
			http_client_free(w->parts[i]->client);
		mem_free(w->parts[i]);
	}
	http_target_fini(&w->target);
	mem_free(w->ca_file);
	OPENSSL_cleanse(w->secret, sizeof(w->secret));
	pthread_mutex_destroy(&w->lock);
	mem_free(w);
}
