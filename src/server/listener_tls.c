/*
 * server/listener_tls.c - from the options tls.* of an address; see listener_tls.h.
 */
#include "server/listener_tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static int no_memory(char *why, size_t why_size)
{
	snprintf(why, why_size, "out of memory");
	return -ENOMEM;
}

/* The name of a file; the key before it is that of the object. NULL: what is wrong is said. */
static const char *file_in(json_t *pair, size_t i, const char *key, char *why, size_t why_size)
{
	json_t *value = json_object_get(pair, key);
	const char *name = json_string_value(value);

	if (name && *name)
		return name;
	snprintf(why, why_size, "tls.certificates[%zu].%s: %s; allowed: a file name", i, key,
	    value ? "this is none" : "missing");
	return NULL;
}

static int read_pair(struct tls_pair *out, json_t *pair, size_t i, char *why, size_t why_size)
{
	const char *key;
	json_t *value;

	if (!json_is_object(pair)) {
		snprintf(why, why_size,
		    "tls.certificates[%zu]: this is not an object; allowed: {\"certificate\": "
		    "FILE, "
		    "\"key\": FILE}",
		    i);
		return -EINVAL;
	}
	json_object_foreach (pair, key, value) {
		if (strcmp(key, "certificate") == 0 || strcmp(key, "key") == 0)
			continue;
		snprintf(why, why_size,
		    "tls.certificates[%zu].%.80s: unknown key; allowed: certificate, key", i, key);
		return -EINVAL;
	}
	out->certificate = file_in(pair, i, "certificate", why, why_size);
	if (!out->certificate)
		return -EINVAL;
	out->key = file_in(pair, i, "key", why, why_size);
	return out->key ? 0 : -EINVAL;
}

/* What is JSON has been seen to already. */
static int parse_list(struct listener_tls *out, const char *text, char *why, size_t why_size)
{
	if (!text)
		return 0;
	out->further = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (!out->further)
		return no_memory(why, why_size);
	if (json_array_size(out->further) > 0 &&
	    json_array_size(out->further) <= LISTENER_CERTIFICATES_MAX)
		return 0;
	snprintf(why, why_size,
	    "tls.certificates: this is not a list of 1 to %d objects; allowed: [{\"certificate\": "
	    "FILE, \"key\": FILE}, ...]",
	    LISTENER_CERTIFICATES_MAX);
	return -EINVAL;
}

static int read_pairs(
    struct listener_tls *out, const struct listener_options *o, char *why, size_t why_size)
{
	size_t n = 0, i;
	json_t *pair;
	int err = parse_list(out, o->tls_certificates, why, why_size);

	if (err < 0)
		return err;
	out->pairs = mem_alloc((json_array_size(out->further) + 1) * sizeof(*out->pairs));
	if (!out->pairs)
		return no_memory(why, why_size);
	if (o->tls_certificate)
		out->pairs[n++] = (struct tls_pair){ o->tls_certificate, o->tls_key };
	json_array_foreach (out->further, i, pair)
		if ((err = read_pair(&out->pairs[n++], pair, i, why, why_size)) < 0)
			return err;
	out->options.pairs = out->pairs;
	out->options.pair_count = n;
	return 0;
}

static enum tls_client_certificate wish_of(const char *word)
{
	if (strcmp(word, "required") == 0)
		return TLS_CLIENT_REQUIRED;
	return strcmp(word, "optional") == 0 ? TLS_CLIENT_OPTIONAL : TLS_CLIENT_NONE;
}

int listener_tls_read(
    struct listener_tls *out, const struct listener_options *o, char *why, size_t why_size)
{
	int err;

	*out = (struct listener_tls){
		.options = {
			.tls13_only = strcmp(o->tls_min_version, "1.3") == 0,
			.ciphers = o->tls_ciphers,
			.ciphersuites = o->tls_ciphersuites,
			.groups = o->tls_groups,
			.client_ca = o->tls_client_ca,
			.client_certificate = wish_of(o->tls_client_certificate),
			.ticket_lifetime_ms = o->tls_ticket_lifetime_ms,
		},
	};
	err = read_pairs(out, o, why, why_size);
	if (err < 0)
		listener_tls_fini(out);
	return err;
}

void listener_tls_fini(struct listener_tls *tls)
{
	json_decref(tls->further);
	mem_free(tls->pairs);
	*tls = (struct listener_tls){ 0 };
}
