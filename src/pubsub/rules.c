/*
 * pubsub/rules.c - a set of rules from its options; see rules.h.
 */
#include "pubsub/rules.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/json_text.h"
#include "server/options.h"

/* Sentences about a value begin with its path in there. */
static int blame(int err, char *why, size_t size)
{
	char sentence[400];

	snprintf(sentence, sizeof(sentence), "%s", why);
	snprintf(why, size, "stomp.%.380s", sentence);
	return err;
}

static int read_access(
    struct pubsub_rules *r, const struct stomp_options *o, char *why, size_t size)
{
	json_t *value = json_text_value(o->access);
	int err = access_new(&r->access, value, o->separator[0], why, size);

	json_decref(value);
	return err < 0 ? blame(err, why, size) : 0;
}

static int read_users(struct pubsub_rules *r, const struct stomp_options *o, char *why, size_t size)
{
	json_t *value = json_text_value(o->users);
	int err = value ? passwords_new(&r->passwords, value, o->directory, why, size) : 0;

	json_decref(value);
	return err < 0 ? blame(err, why, size) : 0;
}

static int read_tokens(
    struct pubsub_rules *r, const struct stomp_options *o, char *why, size_t size)
{
	json_t *value = json_text_value(o->tokens);
	int err = value ? tokens_new(&r->tokens, value, o->directory, why, size) : 0;

	json_decref(value);
	return err < 0 ? blame(err, why, size) : 0;
}

static int read_names(struct pubsub_rules *r, const struct stomp_options *o, char *why, size_t size)
{
	r->anonymous = o->anonymous;
	if (strcmp(o->client_certificate, "subject") == 0)
		r->certificate_names = CERTIFICATE_SUBJECT;
	else if (strcmp(o->client_certificate, "fingerprint") == 0)
		r->certificate_names = CERTIFICATE_FINGERPRINT;
	if ((!o->user_header || (r->user_header = mem_strdup(o->user_header))) &&
	    (!o->token_query || (r->token_query = mem_strdup(o->token_query))))
		return 0;
	snprintf(why, size, "out of memory");
	return -ENOMEM;
}

int pubsub_rules_new(
    struct pubsub_rules **out, const struct stomp_options *o, char *why, size_t size)
{
	struct pubsub_rules *r = mem_zalloc(sizeof(*r));
	int err;

	if (!r) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	atomic_init(&r->refs, 1);
	list_init(&r->node);
	err = read_access(r, o, why, size);
	if (err == 0)
		err = read_users(r, o, why, size);
	if (err == 0)
		err = read_tokens(r, o, why, size);
	if (err == 0)
		err = read_names(r, o, why, size);
	if (err < 0)
		pubsub_rules_unref(r);
	else
		*out = r;
	return err;
}

struct pubsub_rules *pubsub_rules_ref(struct pubsub_rules *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void pubsub_rules_unref(struct pubsub_rules *r)
{
	if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
		return;
	passwords_free(r->passwords);
	tokens_free(r->tokens);
	access_free(r->access);
	mem_free(r->user_header);
	mem_free(r->token_query);
	mem_free(r);
}
