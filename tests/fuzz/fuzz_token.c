/*
 * tests/fuzz/fuzz_token.c - hostile tokens against keys of each algorithm.
 *
 * Input: one octet, whose low bits choose the algorithm and whether what follows is a whole token
 * (which nobody has signed, so it must not be good, but one that this program made) or a header
 * and, behind the first NUL, claims, which it signs well: then all that is said of a good token
 * must hold.
 */
#include "identity/tokens.h"
#include "tests/fuzz/must.h"

#include <stdlib.h>
#include <string.h>

#include "fakes/token_maker.h"

#define NOW 1700000000

enum { ALGORITHM = 3, SIGNED = 4, LENIENT = 8 }; /* bits of the settings */

static const char *const algorithms[] = { "HS256", "RS256", "ES256", "EdDSA" };
static const char *const key_files[] = { "secret", "rsa.pem", "ec.pem", "ed25519.pem" };
static struct token_maker maker;
static struct tokens *tokens[4][2]; /* strict, lenient */

static struct tokens *configure(int i, int is_lenient)
{
	json_t *config =
	    json_pack("{s:s, s:s, s:b, s:s}", "algorithm", algorithms[i], "key_file", key_files[i],
	        "require_exp", !is_lenient, "roles_claim", is_lenient ? "a.roles" : "roles");
	struct tokens *t = NULL;
	char why[300];

	if (is_lenient)
		json_object_set_new(config, "max_age_seconds", json_integer(600));
	must(tokens_new(&t, config, maker.directory, why, sizeof(why)) == 0);
	json_decref(config);
	return t;
}

static void end(void)
{
	for (int i = 0; i < 8; i++)
		tokens_free(tokens[i / 2][i % 2]);
	token_maker_fini(&maker);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	token_maker_init(&maker);
	for (int i = 0; i < 8; i++)
		tokens[i / 2][i % 2] = configure(i / 2, i % 2);
	return atexit(end);
}

static void must_be_proper(const struct identity *who, const struct tokens *t, struct bytes token)
{
	struct identity *again = NULL;
	const char *why;

	must(identity_name_is_valid(bytes_of(who->name)) && !identity_is_anonymous(who));
	must(who->role_count <= 256 && !who->roles[who->role_count]);
	for (size_t i = 0; i < who->role_count; i++)
		must(identity_has_role(who, who->roles[i]));
	must(json_is_object(who->claims));
	must(who->expires_at > NOW && who->expires_at <= TOKENS_EXPIRES_MAX);
	must(tokens_check(t, token, who->expires_at, &again, &why) == STOMP_E_EXPIRED);
}

static enum stomp_error check(const struct tokens *t, struct bytes token)
{
	struct identity *who = NULL;
	const char *why = NULL;
	enum stomp_error verdict = tokens_check(t, token, NOW, &who, &why);

	must((verdict == STOMP_OK) == (who != NULL));
	must(verdict == STOMP_OK || verdict == STOMP_E_UNAUTHENTICATED ||
	     verdict == STOMP_E_EXPIRED);
	must(verdict == STOMP_OK || why);
	if (who)
		must_be_proper(who, t, token);
	identity_unref(who);
	return verdict;
}

/* Changed in the least way, and cut short. */
static void must_not_bend(const struct tokens *t, char *token, size_t n)
{
	size_t at = n / 2;

	must(check(t, (struct bytes){ token, n - 1 }) == STOMP_E_UNAUTHENTICATED);
	for (int i = 0; i < 2; i++, at = n - 2) {
		char was = token[at];

		token[at] = was == 'x' ? 'y' : 'x';
		must(check(t, (struct bytes){ token, n }) == STOMP_E_UNAUTHENTICATED);
		token[at] = was;
	}
}

static void check_signed(const struct tokens *t, int algorithm, const char *text, size_t n)
{
	const char *alg = algorithms[algorithm];
	size_t header = strlen(text);
	char *token = token_make(alg, token_maker_key(&maker, alg), TOKEN_MAKER_SECRET, text,
	    header < n ? text + header + 1 : "{}");

	if (check(t, bytes_of(token)) == STOMP_OK)
		must_not_bend(t, token, strlen(token));
	free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct tokens *t;
	char *text;

	if (n < 1 || n > 2 * TOKENS_OCTETS_MAX)
		return 0;
	t = tokens[p[0] & ALGORITHM][p[0] & LENIENT ? 1 : 0];
	text = malloc(n); /* exactly, so that reading beyond is seen */
	must(text != NULL);
	memcpy(text, p + 1, n - 1);
	text[n - 1] = '\0';
	if (p[0] & SIGNED)
		check_signed(t, p[0] & ALGORITHM, text, n - 1);
	else
		must(check(t, (struct bytes){ text, n - 1 }) == STOMP_E_UNAUTHENTICATED);
	free(text);
	return 0;
}
