/*
 * pubsub/rules.h - by what a client says who it is, and what it may then do: options that can be other
 * ones while the broker runs. Such a set does not change; each part has one, and gets another.
 */
#ifndef PUBSUB_RULES_H
#define PUBSUB_RULES_H

#include <stdatomic.h>

#include "base/list.h"
#include "identity/access.h"
#include "identity/passwords.h"
#include "identity/tokens.h"

struct stomp_options;

struct pubsub_rules {
	struct list node; /* broker->rules */
	atomic_uint refs;
	struct access *access;
	struct tokens *tokens;       /* NULL: none are taken */
	struct passwords *passwords; /* likewise */
	char *user_header, *token_query;
	/* What of a client's certificate is its name */
	enum { CERTIFICATE_NOBODY, CERTIFICATE_SUBJECT, CERTIFICATE_FINGERPRINT } certificate_names;
	bool anonymous;
};

/* One reference. 0, or -errno with a sentence that begins with the option's key. */
int pubsub_rules_new(
    struct pubsub_rules **out, const struct stomp_options *o, char *why, size_t size);
struct pubsub_rules *pubsub_rules_ref(struct pubsub_rules *r);
/* Not by who is called by passwords_check(). NULL is fine. */
void pubsub_rules_unref(struct pubsub_rules *r);

#endif
