/*
 * identity/token_claims.h - what a token whose signature is good says, and whether that is enough.
 * For src/identity/ alone.
 */
#ifndef IDENTITY_TOKEN_CLAIMS_H
#define IDENTITY_TOKEN_CLAIMS_H

#include "identity/identity.h"
#include "identity/reading.h"
#include "stomp/stomp_errors.h"

struct token_rules {
	json_t *issuers, *audiences; /* lists of strings; NULL: any issuer; no audience */
	json_t *user_claim, *roles_claim;
	int64_t leeway_seconds;
	int64_t max_age_seconds; /* -1: any age */
	bool require_exp;
};

/* The words of the configuration that token_rules_read() reads. */
#define TOKEN_RULE_WORDS                                                                           \
	"issuer", "audience", "user_claim", "roles_claim", "leeway_seconds", "max_age_seconds",    \
	    "require_exp"

/* Whatever it returns, token_rules_fini() is called. */
int token_rules_read(
    struct token_rules *rules, const struct reading *r, const char *path, const json_t *config);
void token_rules_fini(struct token_rules *rules);

/* As tokens_check(). */
enum stomp_error token_claims_check(const struct token_rules *rules, json_t *claims, uint64_t now,
    struct identity **out, const char **why);

#endif
