/*
 * identity/tokens.c - takes a token apart, and asks of its parts what RFC 7515 and RFC 8725 ask;
 * see tokens.h.
 *
 * The payload is not looked at before the signature is good, so what strangers can reach is the
 * three parts, base64, and one small JSON object.
 */
#include "identity/tokens.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "identity/token_claims.h"
#include "identity/token_keys.h"

#define DEPTH_MAX 16 /* of JSON: the parser calls itself for each level */

struct tokens {
	struct token_keys keys;
	struct token_rules rules;
};

/* A token taken apart; what is decoded lies in `room`. */
struct parts {
	struct bytes signed_text; /* header "." payload, as they came */
	struct bytes header, payload, signature;
	char room[TOKENS_OCTETS_MAX];
	size_t used;
};

static enum stomp_error refuse(const char **why, const char *sentence)
{
	*why = sentence;
	return STOMP_E_UNAUTHENTICATED;
}

/* --- the three parts -------------------------------------------------------------- */

static bool decode(struct parts *parts, const char *from, const char *to, struct bytes *out)
{
	char *at = parts->room + parts->used;
	ssize_t n = base64_decode_unpadded(at, from, (size_t)(to - from), BASE64_URL);

	if (n <= 0)
		return false;
	*out = (struct bytes){ at, (size_t)n };
	parts->used += (size_t)n;
	return true;
}

/* A second dot is none of the alphabet, so a fourth part cannot hide in the third. */
static bool split(struct parts *parts, struct bytes token)
{
	const char *end = token.p + token.n, *first, *second;

	parts->used = 0;
	if (token.n == 0 || token.n > TOKENS_OCTETS_MAX || !(first = memchr(token.p, '.', token.n)))
		return false;
	second = memchr(first + 1, '.', (size_t)(end - first - 1));
	if (!second)
		return false;
	parts->signed_text = (struct bytes){ token.p, (size_t)(second - token.p) };
	return decode(parts, token.p, first, &parts->header) &&
	       decode(parts, first + 1, second, &parts->payload) &&
	       decode(parts, second + 1, end, &parts->signature);
}

/* --- JSON --------------------------------------------------------------------------- */

/* How deep it is nested, at most, whether or not it is JSON. */
static bool is_shallow(struct bytes text)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < text.n && depth <= DEPTH_MAX; i++) {
		char c = text.p[i];

		if (c == '"')
			in_string = !in_string;
		else if (in_string)
			i += c == '\\';
		else if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
	}
	return depth <= DEPTH_MAX;
}

/* NULL: it is no object, or not written well; *verdict says whether memory is out. */
static json_t *read_object(struct bytes text, enum stomp_error *verdict)
{
	json_error_t error;
	json_t *object;

	*verdict = STOMP_E_UNAUTHENTICATED;
	if (!is_shallow(text))
		return NULL;
	object = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);
	if (!object && json_error_code(&error) == json_error_out_of_memory)
		*verdict = STOMP_E_INTERNAL;
	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}

/* --- the header ---------------------------------------------------------------------- */

static enum stomp_error check_signature(
    const struct tokens *t, const struct parts *parts, const json_t *header, const char **why)
{
	const json_t *alg = json_object_get(header, "alg"), *kid = json_object_get(header, "kid");
	int err;

	if (json_object_get(header, "crit"))
		return refuse(why, "The token needs extensions that are not known here.");
	if (!json_is_string(alg) || (kid && !json_is_string(kid)))
		return refuse(why, "The token's header is not good.");
	err = token_keys_verify(&t->keys, token_algorithm_of(json_string_value(alg)),
	    json_string_value(kid), parts->signed_text, parts->signature);
	if (err == -ENOMEM)
		return STOMP_E_INTERNAL;
	if (err == -ENOKEY)
		return refuse(why, "The token is not signed with a key that is known here.");
	return err < 0 ? refuse(why, "The token's signature is not good.") : STOMP_OK;
}

static enum stomp_error check_header(
    const struct tokens *t, const struct parts *parts, const char **why)
{
	enum stomp_error verdict;
	json_t *header = read_object(parts->header, &verdict);

	*why = "The token's header is not good.";
	if (header)
		verdict = check_signature(t, parts, header, why);
	json_decref(header);
	return verdict;
}

enum stomp_error tokens_check(const struct tokens *t, struct bytes token, uint64_t now,
    struct identity **out, const char **why)
{
	enum stomp_error verdict;
	struct parts parts;
	json_t *claims;

	if (!split(&parts, token))
		return refuse(why, "This is not a token: three parts in base64url.");
	verdict = check_header(t, &parts, why);
	if (verdict != STOMP_OK)
		return verdict;
	claims = read_object(parts.payload, &verdict);
	*why = "The token's claims are not a JSON object.";
	if (claims)
		verdict = token_claims_check(&t->rules, claims, now, out, why);
	json_decref(claims);
	return verdict;
}

/* --- life ------------------------------------------------------------------------------ */

static int read_config(struct tokens *t, const struct reading *r, const json_t *config)
{
	static const char *const words[] = { TOKEN_KEY_WORDS, "keys", TOKEN_RULE_WORDS, NULL };
	int err = reading_keys(r, "tokens", config, words);

	if (err == 0)
		err = token_rules_read(&t->rules, r, "tokens", config);
	return err < 0 ? err : token_keys_read(&t->keys, r, "tokens", config);
}

int tokens_new(
    struct tokens **out, const json_t *config, const char *directory, char *why, size_t size)
{
	const struct reading r = { directory, why, size };
	struct tokens *t = mem_zalloc(sizeof(*t));
	int err;

	if (!t)
		return reading_no_memory(&r);
	err = read_config(t, &r, config);
	if (err < 0) {
		tokens_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void tokens_free(struct tokens *t)
{
	if (!t)
		return;
	token_keys_fini(&t->keys);
	token_rules_fini(&t->rules);
	mem_free(t);
}
