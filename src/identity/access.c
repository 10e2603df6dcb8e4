/*
 * identity/access.c - rules in their order; see access.h, and access_pattern.h for what they fit.
 */
#include "identity/access.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "identity/access_pattern.h"

#define RULES_MAX      1000
#define CONDITIONS_MAX 64

/* All that is said must hold. */
struct condition {
	json_t *roles, *users; /* lists: one of them; NULL: not said */
	json_t *claims;        /* an object: all of them; NULL: not said */
};

/* WHO of the configuration. */
struct audience {
	enum { UNSAID, NOBODY, EVERYBODY, AUTHENTICATED, SOME } kind;
	struct condition *conditions; /* one of them must hold */
	size_t count;
};

struct rule {
	struct access_pattern pattern;
	struct audience send, subscribe;
};

struct access {
	bool is_open;
	char separator;
	struct rule *rules;
	size_t count;
};

/* --- who ------------------------------------------------------------------------- */

static bool has_one_role(const json_t *roles, const struct identity *who)
{
	const json_t *role;
	size_t i;

	json_array_foreach (roles, i, role)
		if (identity_has_role(who, json_string_value(role)))
			return true;
	return false;
}

static bool is_one_of(const json_t *users, const struct identity *who)
{
	const json_t *user;
	size_t i;

	json_array_foreach (users, i, user)
		if (strcmp(json_string_value(user), who->name) == 0)
			return true;
	return false;
}

/* A claim that is a list has each of its members. */
static bool has_value(const json_t *claim, const json_t *value)
{
	const json_t *each;
	size_t i;

	if (!json_is_array(claim))
		return json_equal(claim, value);
	json_array_foreach (claim, i, each)
		if (json_equal(each, value))
			return true;
	return false;
}

static bool has_claims(const json_t *claims, const struct identity *who)
{
	const char *name;
	const json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)claims, name, value) {
		const json_t *claim = identity_claim(who->claims, name);

		if (!claim || !has_value(claim, value))
			return false;
	}
	return true;
}

static bool holds(const struct condition *c, const struct identity *who)
{
	return (!c->users || is_one_of(c->users, who)) &&
	       (!c->roles || has_one_role(c->roles, who)) &&
	       (!c->claims || has_claims(c->claims, who));
}

static bool is_in(const struct audience *a, const struct identity *who)
{
	if (a->kind == EVERYBODY)
		return true;
	if (a->kind == NOBODY || identity_is_anonymous(who))
		return false;
	if (a->kind == AUTHENTICATED)
		return true;
	for (size_t i = 0; i < a->count; i++)
		if (holds(&a->conditions[i], who))
			return true;
	return false;
}

/* --- the decision ---------------------------------------------------------------------- */

/* Of a pattern some may be decided by one rule, and the rest by another: all must allow. */
static bool decide(const struct access *a, enum access_verb verb, const struct access_target *t,
    const struct identity *who)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct rule *rule = &a->rules[i];
		const struct audience *to = verb == ACCESS_SEND ? &rule->send : &rule->subscribe;

		if (to->kind == UNSAID)
			continue;
		if (access_pattern_covers(&rule->pattern, t, who))
			return is_in(to, who);
		if (access_target_is_pattern(t) &&
		    access_pattern_overlaps(&rule->pattern, t, who) && !is_in(to, who))
			return false;
	}
	return false;
}

bool access_allows(const struct access *a, enum access_verb verb, struct bytes destination,
    const struct identity *who)
{
	struct access_target target;

	if (a->is_open)
		return true;
	if (!access_target_read(&target, destination, a->separator))
		return false;
	if (verb == ACCESS_SEND && access_target_is_pattern(&target))
		return false;
	return decide(a, verb, &target, who);
}

/* --- the configuration ------------------------------------------------------------------ */

static bool is_scalar(const json_t *value)
{
	return json_is_string(value) || json_is_integer(value) || json_is_boolean(value);
}

static int read_claims(
    const struct reading *r, const char *path, const json_t *config, json_t **out)
{
	json_t *claims = json_object_get(config, "claims");
	const char *name;
	json_t *value;

	if (!claims)
		return 0;
	if (json_object_size(claims) == 0)
		return reading_fail(r, -EINVAL, "%s.claims: is not an object, or empty", path);
	json_object_foreach (claims, name, value)
		if (!is_scalar(value))
			return reading_fail(r, -EINVAL,
			    "%s.claims.%.64s: is not a string, a whole number or a boolean", path,
			    name);
	*out = json_incref(claims);
	return 0;
}

static int read_condition(
    const struct reading *r, const char *path, const json_t *config, struct condition *c)
{
	static const char *const words[] = { "roles", "users", "claims", NULL };
	int err = reading_keys(r, path, config, words);

	if (err == 0)
		err = reading_list(r, path, config, "roles", &c->roles);
	if (err == 0)
		err = reading_list(r, path, config, "users", &c->users);
	if (err == 0)
		err = read_claims(r, path, config, &c->claims);
	if (err == 0 && !c->roles && !c->users && !c->claims)
		err = reading_fail(r, -EINVAL, "%s: has neither roles nor users nor claims", path);
	return err;
}

static int read_conditions(
    const struct reading *r, const char *path, json_t *list, struct audience *a)
{
	char at[READING_PATH];
	const json_t *value;
	size_t i;
	int err = 0;

	if (json_array_size(list) == 0 || json_array_size(list) > CONDITIONS_MAX)
		return reading_fail(r, -EINVAL, "%s: has none, or more than 64", path);
	a->conditions = mem_zalloc(json_array_size(list) * sizeof(*a->conditions));
	if (!a->conditions)
		return reading_no_memory(r);
	a->kind = SOME;
	json_array_foreach (list, i, value) {
		reading_path(at, "%s[%zu]", path, i);
		if (err == 0)
			err = read_condition(r, at, value, &a->conditions[a->count++]);
	}
	return err;
}

static int read_word(
    const struct reading *r, const char *path, const char *word, struct audience *a)
{
	if (strcmp(word, "everybody") == 0)
		a->kind = EVERYBODY;
	else if (strcmp(word, "authenticated") == 0)
		a->kind = AUTHENTICATED;
	else if (strcmp(word, "nobody") == 0)
		a->kind = NOBODY;
	else
		return reading_fail(r, -EINVAL,
		    "%s: is none of \"everybody\", \"authenticated\" and \"nobody\"", path);
	return 0;
}

static int read_audience(
    const struct reading *r, const char *path, json_t *value, struct audience *a)
{
	if (!value)
		return 0;
	if (json_is_string(value))
		return read_word(r, path, json_string_value(value), a);
	if (json_is_array(value))
		return read_conditions(r, path, value, a);
	a->conditions = mem_zalloc(sizeof(*a->conditions));
	if (!a->conditions)
		return reading_no_memory(r);
	a->kind = SOME;
	a->count = 1;
	return read_condition(r, path, value, a->conditions);
}

static int read_both(
    const struct reading *r, const char *path, const json_t *config, struct rule *rule)
{
	char at[READING_PATH];
	int err;

	reading_path(at, "%s.send", path);
	err = read_audience(r, at, json_object_get(config, "send"), &rule->send);
	reading_path(at, "%s.subscribe", path);
	if (err == 0)
		err = read_audience(r, at, json_object_get(config, "subscribe"), &rule->subscribe);
	if (err == 0 && rule->send.kind == UNSAID && rule->subscribe.kind == UNSAID)
		err = reading_fail(r, -EINVAL, "%s: has neither send nor subscribe", path);
	return err;
}

static int read_rule(const struct access *a, const struct reading *r, const char *path,
    const json_t *config, struct rule *rule)
{
	static const char *const words[] = { "destination", "send", "subscribe", NULL };
	const char *destination = NULL;
	char at[READING_PATH];
	int err = reading_keys(r, path, config, words);

	if (err == 0)
		err = reading_string(r, path, config, "destination", &destination);
	if (err < 0)
		return err;
	reading_path(at, "%s.destination", path);
	if (!destination)
		return reading_fail(r, -EINVAL, "%s: is needed", at);
	err = access_pattern_read(&rule->pattern, r, at, destination, a->separator);
	return err < 0 ? err : read_both(r, path, config, rule);
}

static int read_rules(struct access *a, const struct reading *r, const json_t *list)
{
	char path[READING_PATH];
	const json_t *value;
	size_t i;
	int err = 0;

	if (json_array_size(list) > RULES_MAX)
		return reading_fail(r, -E2BIG, "access: has more than %d rules", RULES_MAX);
	a->rules = mem_zalloc(json_array_size(list) * sizeof(*a->rules));
	if (!a->rules)
		return reading_no_memory(r);
	json_array_foreach (list, i, value) {
		reading_path(path, "access[%zu]", i);
		if (err == 0)
			err = read_rule(a, r, path, value, &a->rules[a->count++]);
	}
	return err;
}

static int read_config(struct access *a, const struct reading *r, const json_t *config)
{
	if (!config || json_is_null(config))
		return 0;
	if (json_is_array(config))
		return read_rules(a, r, config);
	a->is_open = json_is_string(config) && strcmp(json_string_value(config), "open") == 0;
	return a->is_open ? 0
	                  : reading_fail(r, -EINVAL, "access: is not \"open\" or a list of rules");
}

int access_new(struct access **out, const json_t *config, char separator, char *why, size_t size)
{
	const struct reading r = { NULL, why, size };
	struct access *a = mem_zalloc(sizeof(*a));
	int err;

	if (!a)
		return reading_no_memory(&r);
	a->separator = separator;
	err = read_config(a, &r, config);
	if (err < 0) {
		access_free(a);
		return err;
	}
	*out = a;
	return 0;
}

static void audience_fini(struct audience *a)
{
	for (size_t i = 0; i < a->count; i++) {
		json_decref(a->conditions[i].roles);
		json_decref(a->conditions[i].users);
		json_decref(a->conditions[i].claims);
	}
	mem_free(a->conditions);
}

void access_free(struct access *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->count; i++) {
		access_pattern_fini(&a->rules[i].pattern);
		audience_fini(&a->rules[i].send);
		audience_fini(&a->rules[i].subscribe);
	}
	mem_free(a->rules);
	mem_free(a);
}
