/*
 * identity/token_claims.c - the claims that RFC 7519 section 4.1 knows, and those that the
 * configuration names; see token_claims.h.
 */
#include "identity/token_claims.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "identity/tokens.h"

#define ROLES_MAX 256

/* --- times --------------------------------------------------------------------- */

/* Times are kept between these, so that sums of them cannot overflow. */
#define DATE_MAX TOKENS_EXPIRES_MAX
#define DATE_MIN (-DATE_MAX)

static int64_t bounded(int64_t date)
{
	if (date < DATE_MIN)
		return DATE_MIN;
	return date > DATE_MAX ? DATE_MAX : date;
}

static int64_t whole_seconds(double date)
{
	if (!(date > (double)DATE_MIN))
		return DATE_MIN;
	return date < (double)DATE_MAX ? (int64_t)date : DATE_MAX;
}

struct date {
	bool is_there;
	int64_t at;
};

/* False if it is there, and not a number. */
static bool read_date(const json_t *claims, const char *name, struct date *out)
{
	const json_t *value = json_object_get(claims, name);

	*out = (struct date){ .is_there = value != NULL };
	if (json_is_integer(value))
		out->at = bounded(json_integer_value(value));
	else if (json_is_real(value))
		out->at = whole_seconds(json_real_value(value));
	else
		return value == NULL;
	return true;
}

static enum stomp_error refuse(const char **why, const char *sentence)
{
	*why = sentence;
	return STOMP_E_UNAUTHENTICATED;
}

static enum stomp_error expired(const char **why, const char *sentence)
{
	*why = sentence;
	return STOMP_E_EXPIRED;
}

/* The end of a time that begins at `from`. */
static int64_t end_of(const struct token_rules *rules, int64_t from, int64_t seconds)
{
	return bounded(from + seconds + rules->leeway_seconds);
}

static enum stomp_error check_age(const struct token_rules *rules, const struct date *iat,
    int64_t now, int64_t *until, const char **why)
{
	int64_t end = end_of(rules, iat->at, rules->max_age_seconds);

	if (!iat->is_there)
		return refuse(why, "The token has no time at which it was issued.");
	if (now < iat->at - rules->leeway_seconds)
		return refuse(why, "The token was issued in the future.");
	if (now >= end)
		return expired(why, "The token is too old.");
	*until = *until == 0 || end < *until ? end : *until;
	return STOMP_OK;
}

/* Until when the token is good, in *until; 0: for ever. */
static enum stomp_error check_times(const struct token_rules *rules, const json_t *claims,
    int64_t now, int64_t *until, const char **why)
{
	struct date exp, nbf, iat;

	if (!read_date(claims, "exp", &exp) || !read_date(claims, "nbf", &nbf) ||
	    !read_date(claims, "iat", &iat))
		return refuse(why, "The token has a time that is not a number.");
	if (rules->require_exp && !exp.is_there)
		return refuse(why, "The token has no time at which it expires.");
	*until = exp.is_there ? end_of(rules, exp.at, 0) : 0;
	if (exp.is_there && now >= *until)
		return expired(why, "The token has expired.");
	if (nbf.is_there && now < nbf.at - rules->leeway_seconds)
		return refuse(why, "The token is not good yet.");
	return rules->max_age_seconds < 0 ? STOMP_OK : check_age(rules, &iat, now, until, why);
}

/* --- from whom, for whom ----------------------------------------------------------- */

static bool has_string(const json_t *list, const json_t *string)
{
	const json_t *value;
	size_t i;

	json_array_foreach (list, i, value)
		if (json_equal(value, string))
			return true;
	return false;
}

static bool is_among(const json_t *value, const json_t *list)
{
	return json_is_string(value) && has_string(list, value);
}

/* Whether the lists have a string in common, the first being one of a token or a string alone. */
static bool is_one_among(const json_t *value, const json_t *list)
{
	const json_t *each;
	size_t i;

	if (!json_is_array(value))
		return is_among(value, list);
	json_array_foreach (value, i, each)
		if (is_among(each, list))
			return true;
	return false;
}

static enum stomp_error check_parties(
    const struct token_rules *rules, const json_t *claims, const char **why)
{
	const json_t *aud = json_object_get(claims, "aud");

	if (rules->issuers && !is_among(json_object_get(claims, "iss"), rules->issuers))
		return refuse(why, "The token is of another issuer.");
	if (rules->audiences && !is_one_among(aud, rules->audiences))
		return refuse(why, "The token is for another audience.");
	if (!rules->audiences && aud) /* RFC 7519 section 4.1.3 */
		return refuse(why, "The token is for an audience, and none is configured here.");
	return STOMP_OK;
}

/* --- who ------------------------------------------------------------------------------ */

struct roles {
	const char *names[ROLES_MAX + 1];
	size_t count;
	char *copy; /* that they point into */
};

static bool add_role(struct roles *to, const char *name)
{
	if (!name || to->count == ROLES_MAX)
		return false;
	to->names[to->count++] = name;
	return true;
}

static bool list_roles(struct roles *to, const json_t *list)
{
	const json_t *value;
	size_t i;

	json_array_foreach (list, i, value)
		if (!add_role(to, json_string_value(value)))
			return false;
	return true;
}

static bool split_roles(struct roles *to)
{
	char *rest = NULL;

	for (char *name = strtok_r(to->copy, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
		if (!add_role(to, name))
			return false;
	return true;
}

/* Who has no roles, or null for them, has none. */
static enum stomp_error read_roles(struct roles *to, const json_t *value, const char **why)
{
	static const char sentence[] = "The token's roles are no list of strings, or too many.";

	if (!value || json_is_null(value))
		return STOMP_OK;
	if (json_is_array(value))
		return list_roles(to, value) ? STOMP_OK : refuse(why, sentence);
	if (!json_is_string(value))
		return refuse(why, sentence);
	to->copy = mem_strdup(json_string_value(value));
	if (!to->copy)
		return STOMP_E_INTERNAL;
	return split_roles(to) ? STOMP_OK : refuse(why, sentence);
}

static enum stomp_error make_identity(const struct token_rules *rules, json_t *claims,
    int64_t until, struct identity **out, const char **why)
{
	const json_t *user = identity_claim(claims, json_string_value(rules->user_claim));
	const json_t *list = identity_claim(claims, json_string_value(rules->roles_claim));
	struct roles roles = { .count = 0 };
	enum stomp_error verdict;

	if (!json_is_string(user) || !identity_name_is_valid((struct bytes){
	                                 json_string_value(user), json_string_length(user) }))
		return refuse(why, "The token names no user, or not by a proper name.");
	verdict = read_roles(&roles, list, why);
	if (verdict == STOMP_OK) {
		roles.names[roles.count] = NULL;
		*out = identity_new(json_string_value(user), roles.names, claims, (uint64_t)until);
		verdict = *out ? STOMP_OK : STOMP_E_INTERNAL;
	}
	mem_free(roles.copy);
	return verdict;
}

enum stomp_error token_claims_check(const struct token_rules *rules, json_t *claims, uint64_t now,
    struct identity **out, const char **why)
{
	int64_t at = now < (uint64_t)DATE_MAX ? (int64_t)now : DATE_MAX, until;
	enum stomp_error verdict = check_times(rules, claims, at, &until, why);

	if (verdict == STOMP_OK)
		verdict = check_parties(rules, claims, why);
	return verdict == STOMP_OK ? make_identity(rules, claims, until, out, why) : verdict;
}

/* --- the configuration -------------------------------------------------------------- */

/* A claim's name, or the one it has if none is configured. */
static int read_claim_name(const struct reading *r, const char *path, const json_t *config,
    const char *key, const char *otherwise, json_t **out)
{
	int err = reading_string(r, path, config, key, &otherwise);

	if (err < 0)
		return err;
	*out = json_string(otherwise);
	return *out ? 0 : reading_no_memory(r);
}

static int read_periods(
    struct token_rules *rules, const struct reading *r, const char *path, const json_t *config)
{
	int err = reading_integer(r, path, config, "leeway_seconds", 3600, &rules->leeway_seconds);

	if (err == 0)
		err = reading_integer(
		    r, path, config, "max_age_seconds", INT32_MAX, &rules->max_age_seconds);
	return err < 0 ? err : reading_bool(r, path, config, "require_exp", &rules->require_exp);
}

int token_rules_read(
    struct token_rules *rules, const struct reading *r, const char *path, const json_t *config)
{
	int err;

	*rules = (struct token_rules){
		.leeway_seconds = 30, .max_age_seconds = -1, .require_exp = true
	};
	err = reading_list(r, path, config, "issuer", &rules->issuers);
	if (err == 0)
		err = reading_list(r, path, config, "audience", &rules->audiences);
	if (err == 0)
		err = read_claim_name(r, path, config, "user_claim", "sub", &rules->user_claim);
	if (err == 0)
		err = read_claim_name(r, path, config, "roles_claim", "roles", &rules->roles_claim);
	return err < 0 ? err : read_periods(rules, r, path, config);
}

void token_rules_fini(struct token_rules *rules)
{
	json_decref(rules->issuers);
	json_decref(rules->audiences);
	json_decref(rules->user_claim);
	json_decref(rules->roles_claim);
}
