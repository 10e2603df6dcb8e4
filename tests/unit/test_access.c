/*
 * tests/unit/test_access.c - who may send where, and subscribe to what.
 */
#include "identity/access.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define LONGEST 1024 /* octets of a destination */

static struct access *access_rules;
static struct identity *alice, *bob;
static char why[300];

static struct identity *make_identity(const char *name, const char *role, const char *claims)
{
	json_t *object = claims ? json_loads(claims, 0, NULL) : NULL;
	struct identity *i = identity_new(name, (const char *const[]){ role, NULL }, object, 0);

	json_decref(object);
	ck_assert_ptr_nonnull(i);
	return i;
}

static void setup(void)
{
	alice = make_identity("alice", "admin",
	    "{\"tenant\": \"acme\", \"level\": 7, \"groups\": [\"dev\", \"ops\"],"
	    " \"realm\": {\"unit\": \"north\"}, \"empty\": \"\", \"none\": null}");
	bob = make_identity("bob", NULL, NULL);
}

static void teardown(void)
{
	access_free(access_rules);
	access_rules = NULL;
	identity_unref(alice);
	identity_unref(bob);
}

static int try_config(const char *text, char separator)
{
	json_t *config = json_loads(text, JSON_DECODE_ANY, NULL);
	int err;

	ck_assert_msg(config != NULL, "%s", text);
	access_free(access_rules);
	access_rules = NULL;
	err = access_new(&access_rules, config, separator, why, sizeof(why));
	json_decref(config);
	return err;
}

static void rules(const char *text)
{
	ck_assert_msg(try_config(text, '/') == 0, "%s", why);
}

static bool sends(const struct identity *who, const char *destination)
{
	return access_allows(access_rules, ACCESS_SEND, bytes_of(destination), who);
}

static bool subscribes(const struct identity *who, const char *destination)
{
	return access_allows(access_rules, ACCESS_SUBSCRIBE, bytes_of(destination), who);
}

static void refused(const char *config, const char *sentence)
{
	why[0] = '\0';
	ck_assert_msg(try_config(config, '/') < 0, "accepted: %s", config);
	ck_assert_msg(strstr(why, sentence) != NULL, "%s: %s", config, why);
	ck_assert_ptr_null(access_rules);
}

#define nobody identity_anonymous()

/* --- identities ---------------------------------------------------------------------- */

START_TEST(roles_are_found_whatever_their_order)
{
	const char *const roles[] = { "z", "b", "a", "b", "", NULL };
	struct identity *i = identity_new("x", roles, NULL, 5);

	ck_assert(identity_has_role(i, "a") && identity_has_role(i, "b"));
	ck_assert(identity_has_role(i, "z") && identity_has_role(i, ""));
	ck_assert(!identity_has_role(i, "c") && !identity_has_role(nobody, "a"));
	ck_assert_uint_eq(i->expires_at, 5);
	identity_unref(identity_ref(i));
	identity_unref(i);
}
END_TEST

START_TEST(the_anonymous_identity_cannot_be_freed)
{
	for (int i = 0; i < 10; i++)
		identity_unref(nobody);
	identity_unref(identity_ref(nobody));
	ck_assert(identity_is_anonymous(nobody));
	ck_assert(!identity_is_anonymous(bob));
}
END_TEST

START_TEST(a_name_has_no_control_characters)
{
	char longest[IDENTITY_NAME_MAX + 1];

	memset(longest, 'x', sizeof(longest));
	ck_assert(identity_name_is_valid(BYTES("alice@example.com")));
	ck_assert(identity_name_is_valid(BYTES("J\xc3\xbcrgen * / %2F")));
	ck_assert(!identity_name_is_valid(BYTES("")));
	ck_assert(!identity_name_is_valid(BYTES("a\nb")));
	ck_assert(!identity_name_is_valid(BYTES("a\0b")));
	ck_assert(!identity_name_is_valid(BYTES("a\x7f")));
	ck_assert(!identity_name_is_valid(BYTES("a\xc2\x85")));
	ck_assert(identity_name_is_valid((struct bytes){ longest, IDENTITY_NAME_MAX }));
	ck_assert(!identity_name_is_valid((struct bytes){ longest, IDENTITY_NAME_MAX + 1 }));
}
END_TEST

/* --- decisions ------------------------------------------------------------------------- */

START_TEST(without_rules_everything_is_denied)
{
	ck_assert_int_eq(access_new(&access_rules, NULL, '/', why, sizeof(why)), 0);
	ck_assert(!sends(alice, "/topic/a") && !subscribes(alice, "/topic/a"));
	rules("null");
	ck_assert(!sends(alice, "/topic/a") && !subscribes(alice, "/topic/a"));
	rules("[]");
	ck_assert(!sends(alice, "/topic/a") && !subscribes(alice, "/topic/a"));
}
END_TEST

START_TEST(open_allows_everything)
{
	rules("\"open\"");
	ck_assert(sends(nobody, "/topic/a") && subscribes(nobody, "/**"));
}
END_TEST

START_TEST(the_first_rule_that_fits_decides)
{
	rules("[{\"destination\": \"/topic/secret\", \"subscribe\": \"nobody\"},"
	      " {\"destination\": \"/topic/*\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/topic/late\", \"subscribe\": \"nobody\"}]");
	ck_assert(!subscribes(alice, "/topic/secret"));
	ck_assert(subscribes(nobody, "/topic/other"));
	ck_assert(subscribes(nobody, "/topic/late"));
	ck_assert(!subscribes(nobody, "/topic") && !subscribes(nobody, "/topic/a/b"));
}
END_TEST

START_TEST(a_rule_says_nothing_about_a_verb_it_does_not_name)
{
	rules("[{\"destination\": \"/topic/a\", \"send\": \"nobody\"},"
	      " {\"destination\": \"/topic/**\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/topic/**\", \"send\": \"authenticated\"}]");
	ck_assert(!sends(alice, "/topic/a") && subscribes(alice, "/topic/a"));
	ck_assert(sends(alice, "/topic/b") && !sends(nobody, "/topic/b"));
}
END_TEST

START_TEST(who_may_is_said_by_roles_users_and_claims)
{
	rules("[{\"destination\": \"/r\", \"send\": {\"roles\": [\"x\", \"admin\"]}},"
	      " {\"destination\": \"/u\", \"send\": {\"users\": \"bob\"}},"
	      " {\"destination\": \"/c\", \"send\": {\"claims\": {\"tenant\": \"acme\"}}},"
	      " {\"destination\": \"/g\", \"send\": {\"claims\": {\"groups\": \"ops\"}}},"
	      " {\"destination\": \"/n\", \"send\": {\"claims\": {\"level\": 7}}},"
	      " {\"destination\": \"/d\", \"send\": {\"claims\": {\"realm.unit\": \"north\"}}},"
	      " {\"destination\": \"/both\","
	      "  \"send\": {\"roles\": \"admin\", \"users\": [\"bob\"]}},"
	      " {\"destination\": \"/either\","
	      "  \"send\": [{\"roles\": \"admin\"}, {\"users\": \"bob\"}]}]");
	ck_assert(sends(alice, "/r") && !sends(bob, "/r") && !sends(nobody, "/r"));
	ck_assert(!sends(alice, "/u") && sends(bob, "/u") && !sends(nobody, "/u"));
	ck_assert(sends(alice, "/c") && !sends(bob, "/c") && !sends(nobody, "/c"));
	ck_assert(sends(alice, "/g") && sends(alice, "/n") && sends(alice, "/d"));
	ck_assert(!sends(bob, "/g") && !sends(bob, "/n") && !sends(bob, "/d"));
	ck_assert(!sends(alice, "/both") && !sends(bob, "/both"));
	ck_assert(sends(alice, "/either") && sends(bob, "/either"));
	ck_assert(!sends(nobody, "/either"));
}
END_TEST

START_TEST(user_in_a_pattern_is_who_asks)
{
	rules("[{\"destination\": \"/user/{user}/**\", \"send\": \"authenticated\","
	      "  \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/topic/room-{user}-x\", \"subscribe\": \"everybody\"}]");
	ck_assert(sends(alice, "/user/alice/queue") && sends(alice, "/user/alice"));
	ck_assert(!sends(alice, "/user/bob/queue") && !sends(alice, "/user/alic/queue"));
	ck_assert(!sends(alice, "/user/alicex/queue") && !sends(alice, "/user/*/queue"));
	ck_assert(subscribes(bob, "/topic/room-bob-x") && !subscribes(bob, "/topic/room-bob-"));
	ck_assert(!subscribes(bob, "/topic/room-bo-x") && !subscribes(bob, "/topic/*"));
	ck_assert(!subscribes(nobody, "/user//queue") && !subscribes(nobody, "/topic/room--x"));
	ck_assert(!subscribes(nobody, "/user/{user}/x"));
}
END_TEST

START_TEST(a_name_is_a_name_whatever_it_is_made_of)
{
	static const char *const names[] = { "*", "**", "a/b", "..", "%2A", "{user}", "a%2Fb",
		"*b" };
	static const char *const own[] = { "/u/%2a/x", "/u/%2A%2a/x", "/u/a%2Fb/x", "/u/../x",
		"/u/%252A/x", "/u/{user}/x", "/u/a%252Fb/x", "/u/%2ab/x" };
	static const char *const others[] = { "/u/*/x", "/u/**", "/u/**/x", "/u/a/b/x", "/u/bob/x",
		"/u/x", "/u/*", "/u/*b/x", "/u//x", "/u/%/x", "/u/%2/x" };

	rules("[{\"destination\": \"/u/{user}/x\", \"send\": \"authenticated\","
	      "  \"subscribe\": \"authenticated\"}]");
	for (size_t i = 0; i < 8; i++) {
		struct identity *who = make_identity(names[i], NULL, NULL);

		for (size_t j = 0; j < 8; j++) {
			ck_assert_msg(sends(who, own[j]) == (i == j), "%s %s", names[i], own[j]);
			ck_assert(subscribes(who, own[j]) == (i == j));
		}
		for (size_t j = 0; j < 11; j++) {
			ck_assert_msg(!sends(who, others[j]), "%s %s", names[i], others[j]);
			ck_assert(!subscribes(who, others[j]));
		}
		identity_unref(who);
	}
}
END_TEST

START_TEST(a_claim_in_a_pattern_is_of_who_asks)
{
	rules("[{\"destination\": \"/t/{claim.tenant}/**\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/l/{claim.level}\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/n/{claim.realm.unit}\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/e/x{claim.empty}\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/e/y{claim.none}\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/g/{claim.groups}\", \"subscribe\": \"everybody\"}]");
	ck_assert(subscribes(alice, "/t/acme/**") && !subscribes(alice, "/t/other/**"));
	ck_assert(subscribes(alice, "/l/7") && subscribes(alice, "/n/north"));
	ck_assert(!subscribes(alice, "/e/x") && !subscribes(alice, "/e/y"));
	ck_assert(!subscribes(alice, "/g/dev") && !subscribes(bob, "/t//**"));
	ck_assert(!subscribes(bob, "/t/acme/x") && !subscribes(nobody, "/t/acme/x"));
}
END_TEST

START_TEST(another_spelling_does_not_pass_a_rule_by)
{
	rules("[{\"destination\": \"/topic/admin/**\", \"send\": \"nobody\"},"
	      " {\"destination\": \"/topic/50%25/x\", \"send\": \"nobody\"},"
	      " {\"destination\": \"/topic/**\", \"send\": \"everybody\"}]");
	ck_assert(!sends(alice, "/topic/admin/x") && !sends(alice, "/topic/%61dmin/x"));
	ck_assert(!sends(alice, "/topic/adm%69n") && sends(alice, "/topic/Admin/x"));
	ck_assert(!sends(alice, "/topic/50%25/x") && !sends(alice, "/topic/50%/x"));
	ck_assert(!sends(alice, "/%74opic/admin/x"));
	ck_assert(sends(alice, "/topic/%zz/x") && sends(alice, "/topic/%"));
}
END_TEST

/* --- subscriptions with wildcards --------------------------------------------------------- */

START_TEST(a_pattern_needs_a_rule_that_covers_all_of_it)
{
	rules("[{\"destination\": \"/a/*\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/b/**\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/c/x\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/d/*/x\", \"subscribe\": \"everybody\"}]");
	ck_assert(subscribes(bob, "/a/*") && subscribes(bob, "/a/x"));
	ck_assert(!subscribes(bob, "/a/**") && !subscribes(bob, "/*/x") && !subscribes(bob, "/**"));
	ck_assert(subscribes(bob, "/b/**") && subscribes(bob, "/b/*/x/**"));
	ck_assert(subscribes(bob, "/b") && !subscribes(bob, "/*/**"));
	ck_assert(subscribes(bob, "/c/x") && !subscribes(bob, "/c/*") && !subscribes(bob, "/c/**"));
	ck_assert(subscribes(bob, "/d/*/x") && !subscribes(bob, "/d/*/*"));
	ck_assert(!subscribes(bob, "/c/x/**"));
}
END_TEST

START_TEST(a_pattern_is_denied_if_a_rule_before_denies_some_of_it)
{
	rules("[{\"destination\": \"/t/secret/**\", \"subscribe\": {\"roles\": \"admin\"}},"
	      " {\"destination\": \"/t/**\", \"subscribe\": \"everybody\"}]");
	ck_assert(subscribes(alice, "/t/**") && subscribes(alice, "/t/secret/**"));
	ck_assert(!subscribes(bob, "/t/**") && !subscribes(bob, "/t/*"));
	ck_assert(!subscribes(bob, "/t/*/x") && !subscribes(bob, "/t/secret/x"));
	ck_assert(subscribes(bob, "/t/other/**") && subscribes(bob, "/t"));
	ck_assert(!subscribes(bob, "/t/sec%72et/**"));
}
END_TEST

START_TEST(a_denying_rule_after_the_one_that_covers_does_not_count)
{
	rules("[{\"destination\": \"/t/**\", \"subscribe\": \"everybody\"},"
	      " {\"destination\": \"/t/secret\", \"subscribe\": \"nobody\"}]");
	ck_assert(subscribes(bob, "/t/**") && subscribes(bob, "/t/secret"));
}
END_TEST

START_TEST(a_rule_for_oneself_denies_others_nothing)
{
	rules("[{\"destination\": \"/t/{user}/**\", \"subscribe\": \"nobody\"},"
	      " {\"destination\": \"/t/*/{claim.tenant}\", \"subscribe\": \"nobody\"},"
	      " {\"destination\": \"/t/**\", \"subscribe\": \"everybody\"}]");
	ck_assert(!subscribes(bob, "/t/*") && !subscribes(bob, "/t/**"));
	ck_assert(!subscribes(bob, "/t/bob/x") && subscribes(bob, "/t/x/**"));
	ck_assert(!subscribes(alice, "/t/x/**") && subscribes(alice, "/t/x/*/**") == false);
	ck_assert(subscribes(alice, "/t/x/other/**"));
	ck_assert(subscribes(nobody, "/t/**") && subscribes(nobody, "/t/*"));
}
END_TEST

/* --- all patterns against all destinations of a small world --------------------------------------
 */

static uint32_t state = 1;

static uint32_t roll(uint32_t sides)
{
	state = state * 1103515245 + 12345;
	return (state >> 16) % sides;
}

/* A path of at most three segments of `words`, and perhaps "**" behind them. */
static void roll_path(char *out, size_t size, const char *const *words, uint32_t count, bool rest)
{
	size_t n = 0;

	for (uint32_t i = roll(4); i > 0; i--)
		n += (size_t)snprintf(out + n, size - n, "/%s", words[roll(count)]);
	if (n == 0 || (rest && roll(3) == 0))
		snprintf(out + n, size - n, "/**");
}

/* As the broker has it. */
static bool matches(const char *pattern, const char *destination)
{
	size_t n, m;

	if (strcmp(pattern, "/**") == 0)
		return true;
	if (!*pattern || !*destination)
		return !*pattern && !*destination;
	n = strcspn(pattern + 1, "/") + 1;
	m = strcspn(destination + 1, "/") + 1;
	if (strncmp(pattern, "/*", n) != 0 && (n != m || strncmp(pattern, destination, n) != 0))
		return false;
	return matches(pattern + n, destination + m);
}

static void roll_rules(void)
{
	static const char *const words[] = { "a", "b", "c", "*", "{user}", "x{claim.tenant}" };
	static const char *const who[] = { "everybody", "nobody", "authenticated", "everybody" };
	json_t *list = json_array();
	char path[100];

	for (uint32_t i = 1 + roll(5); i > 0; i--) {
		roll_path(path, sizeof(path), words, 6, true);
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "destination", path, "subscribe", who[roll(4)]));
	}
	access_free(access_rules);
	ck_assert_msg(access_new(&access_rules, list, '/', why, sizeof(why)) == 0, "%s", why);
	json_decref(list);
}

/* Returns whether somebody may have the pattern, and then he may have all that it matches. */
static bool check_pattern(const struct identity *who, const char *pattern)
{
	static const char *const words[] = { "", "/a", "/b", "/alice", "/xacme", "/other" };
	char path[100];

	if (!subscribes(who, pattern))
		return false;
	for (int i = 1; i < 6 * 6 * 6; i++) {
		snprintf(
		    path, sizeof(path), "%s%s%s", words[i % 6], words[i / 6 % 6], words[i / 36]);
		if (matches(pattern, path))
			ck_assert_msg(subscribes(who, path), "%s of %s", path, pattern);
	}
	return true;
}

START_TEST(who_may_have_a_pattern_may_have_all_that_it_matches)
{
	static const char *const words[] = { "a", "b", "*", "alice", "xacme", "*" };
	const struct identity *const all[] = { alice, bob, nobody };
	unsigned allowed = 0;
	char pattern[100];

	for (int i = 0; i < 1000; i++) {
		roll_rules();
		for (int j = 0; j < 20; j++) {
			roll_path(pattern, sizeof(pattern), words, 6, true);
			allowed += check_pattern(all[roll(3)], pattern);
		}
	}
	ck_assert_uint_gt(allowed, 300);
	ck_assert_uint_lt(allowed, 15000);
}
END_TEST

START_TEST(an_asterisk_that_is_meant_is_no_wildcard)
{
	rules("[{\"destination\": \"/t/%2A\", \"send\": \"everybody\", \"subscribe\": "
	      "\"everybody\"}]");
	ck_assert(sends(bob, "/t/%2a") && subscribes(bob, "/t/%2A"));
	ck_assert(!sends(bob, "/t/*") && !subscribes(bob, "/t/*") && !subscribes(bob, "/t/**"));
	ck_assert(!subscribes(bob, "/t/x"));
}
END_TEST

START_TEST(a_wildcard_is_nothing_to_send_to)
{
	rules("[{\"destination\": \"/**\", \"send\": \"everybody\"}]");
	ck_assert(sends(bob, "/a/b") && !sends(bob, "/a/*") && !sends(bob, "/a/**"));
	ck_assert(!sends(bob, "/**") && !sends(bob, "/*/b"));
}
END_TEST

START_TEST(what_is_no_destination_is_denied)
{
	static const char *const bad[] = { "", "/", "a", "topic/a", "//", "/a/", "//a", "/a//b",
		"/a/**/b", "/**/a" };
	char longest[LONGEST + 2];

	rules("[{\"destination\": \"/**\", \"subscribe\": \"everybody\"}]");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!subscribes(alice, bad[i]), "%s", bad[i]);
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[LONGEST + 1] = '\0';
	ck_assert(!subscribes(alice, longest));
	longest[LONGEST] = '\0';
	ck_assert(subscribes(alice, longest));
	for (int i = 0; i < 2 * 65; i++)
		longest[i] = i % 2 ? 'x' : '/';
	longest[2 * 65] = '\0';
	ck_assert(!subscribes(alice, longest));
	longest[2 * 64] = '\0';
	ck_assert(subscribes(alice, longest));
}
END_TEST

START_TEST(another_separator_counts_behind_the_first_segment)
{
	ck_assert_int_eq(
	    try_config("[{\"destination\": \"/topic/a.{claim.tenant}.*\","
	               " \"subscribe\": \"everybody\"},"
	               " {\"destination\": \"/queue/**\", \"subscribe\": \"everybody\"}]",
	        '.'),
	    0);
	ck_assert(subscribes(alice, "/topic/a.acme.x") && subscribes(alice, "/topic/a.acme.*"));
	ck_assert(subscribes(alice, "/topic/a.acme.x/y"));
	ck_assert(!subscribes(alice, "/topic/a/acme/x") && !subscribes(bob, "/topic/a..x"));
	ck_assert(!subscribes(alice, "/topic.a.acme.x"));
	ck_assert(subscribes(alice, "/queue/a.b") && subscribes(alice, "/queue"));
}
END_TEST

/* --- the configuration ---------------------------------------------------------------------- */

START_TEST(a_wrong_configuration_is_refused_by_name)
{
	refused("\"closed\"", "access: ");
	refused("{}", "access: ");
	refused("7", "access: ");
	refused("[7]", "access[0]: ");
	refused("[{}]", "access[0].destination: ");
	refused("[{\"destination\": 7}]", "access[0].destination: ");
	refused("[{\"destination\": \"/a\"}]", "access[0]: ");
	refused("[{\"destination\": \"/a\", \"sned\": \"nobody\"}]", "access[0].sned: ");
	refused("[{\"destination\": \"/a\", \"send\": \"anybody\"}]", "access[0].send: ");
	refused("[{\"destination\": \"/a\", \"send\": null}]", "access[0].send: ");
	refused("[{\"destination\": \"/a\", \"send\": []}]", "access[0].send: ");
	refused("[{\"destination\": \"/a\", \"send\": {}}]", "access[0].send: ");
	refused("[{\"destination\": \"/a\", \"send\": [\"everybody\"]}]", "access[0].send[0]: ");
	refused("[{\"destination\": \"/a\", \"send\": {\"roles\": []}}]", "access[0].send.roles: ");
	refused("[{\"destination\": \"/a\", \"send\": {\"users\": [\"\"]}}]", "send.users: ");
	refused("[{\"destination\": \"/a\", \"send\": {\"user\": \"x\"}}]", "send.user: ");
	refused("[{\"destination\": \"/a\", \"send\": {\"claims\": []}}]", "send.claims: ");
	refused("[{\"destination\": \"/a\", \"send\": {\"claims\": {}}}]", "send.claims: ");
	refused("[{\"destination\": \"/a\", \"send\": {\"claims\": {\"x\": [1]}}}]", "claims.x: ");
	refused("[{\"destination\": \"/a\", \"send\": {\"claims\": {\"x\": null}}}]", "claims.x: ");
}
END_TEST

START_TEST(a_wrong_pattern_is_refused)
{
	static const char *const bad[] = { "a", "/", "//", "/a/", "/a/**/b", "/a*", "/a/x**", "/{",
		"/{user", "/{users}", "/{claim.}", "/{claim}", "/{}", "/{user}}/*x", "/{{user}}" };
	char config[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(config, sizeof(config),
		    "[{\"destination\": \"%s\", \"send\": \"everybody\"}]", bad[i]);
		refused(config, "access[0].destination: ");
	}
}
END_TEST

START_TEST(rules_are_bounded)
{
	json_t *list = json_array();

	for (int i = 0; i < 1000; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "destination", "/a/{user}", "send", "nobody"));
	ck_assert_int_eq(access_new(&access_rules, list, '/', why, sizeof(why)), 0);
	access_free(access_rules);
	access_rules = NULL;
	json_array_append_new(list, json_pack("{s:s, s:s}", "destination", "/a", "send", "nobody"));
	ck_assert_int_lt(access_new(&access_rules, list, '/', why, sizeof(why)), 0);
	json_decref(list);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	const char *text = "[{\"destination\": \"/a/{user}\", \"send\": {\"roles\": \"x\"}},"
	                   " {\"destination\": \"/b\", \"send\": [{\"users\": \"x\"}]}]";
	unsigned long n = 0;
	int err;

	do {
		mem_fail_at(++n);
		err = try_config(text, '/');
		ck_assert_int_eq(err, mem_failed() ? -12 : 0);
	} while (mem_failed());
	mem_fail_at(0);
	ck_assert_uint_gt(n, 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60); /* a machine may be busy */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, roles_are_found_whatever_their_order);
	tcase_add_test(tc, the_anonymous_identity_cannot_be_freed);
	tcase_add_test(tc, a_name_has_no_control_characters);
	tcase_add_test(tc, without_rules_everything_is_denied);
	tcase_add_test(tc, open_allows_everything);
	tcase_add_test(tc, the_first_rule_that_fits_decides);
	tcase_add_test(tc, a_rule_says_nothing_about_a_verb_it_does_not_name);
	tcase_add_test(tc, who_may_is_said_by_roles_users_and_claims);
	tcase_add_test(tc, user_in_a_pattern_is_who_asks);
	tcase_add_test(tc, a_name_is_a_name_whatever_it_is_made_of);
	tcase_add_test(tc, a_claim_in_a_pattern_is_of_who_asks);
	tcase_add_test(tc, another_spelling_does_not_pass_a_rule_by);
	tcase_add_test(tc, a_pattern_needs_a_rule_that_covers_all_of_it);
	tcase_add_test(tc, a_pattern_is_denied_if_a_rule_before_denies_some_of_it);
	tcase_add_test(tc, a_denying_rule_after_the_one_that_covers_does_not_count);
	tcase_add_test(tc, a_rule_for_oneself_denies_others_nothing);
	tcase_add_test(tc, who_may_have_a_pattern_may_have_all_that_it_matches);
	tcase_add_test(tc, an_asterisk_that_is_meant_is_no_wildcard);
	tcase_add_test(tc, a_wildcard_is_nothing_to_send_to);
	tcase_add_test(tc, what_is_no_destination_is_denied);
	tcase_add_test(tc, another_separator_counts_behind_the_first_segment);
	tcase_add_test(tc, a_wrong_configuration_is_refused_by_name);
	tcase_add_test(tc, a_wrong_pattern_is_refused);
	tcase_add_test(tc, rules_are_bounded);
	tcase_add_test(tc, every_allocation_may_fail);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
