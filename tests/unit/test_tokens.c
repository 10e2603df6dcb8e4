/*
 * tests/unit/test_tokens.c - tokens of four algorithms: which are good, and the many ways to make
 * one that is not.
 */
#include "identity/tokens.h"

#include <check.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "fakes/token_maker.h"

#define NOW 1700000000

static const char *const algorithms[] = { "HS256", "RS256", "ES256", "EdDSA" };
static const char *const key_files[] = { "secret", "rsa.pem", "ec.pem", "ed25519.pem" };

static struct token_maker maker; /* made once: a key of RSA takes its time */
static struct tokens *tokens;
static struct identity *who;
static char why[500];
static const char *sentence;

static void teardown(void)
{
	tokens_free(tokens);
	tokens = NULL;
	identity_unref(who);
	who = NULL;
}

/* --- making ---------------------------------------------------------------------------- */

static int try_text(const char *text)
{
	json_t *config = json_loads(text, JSON_DECODE_ANY, NULL);
	int err;

	ck_assert_msg(config != NULL, "%s", text);
	tokens_free(tokens);
	tokens = NULL;
	err = tokens_new(&tokens, config, maker.directory, why, sizeof(why));
	json_decref(config);
	return err;
}

static void configure(const char *text)
{
	ck_assert_msg(try_text(text) == 0, "%s: %s", text, why);
}

/* The i-th algorithm from its file, and more of the configuration. */
static void configure_with(int i, const char *more)
{
	char text[500];

	snprintf(text, sizeof(text), "{\"algorithm\": \"%s\", \"key_file\": \"%s\"%s}",
	    algorithms[i], key_files[i], more);
	configure(text);
}

static enum stomp_error check_bytes(struct bytes token)
{
	enum stomp_error verdict;

	identity_unref(who);
	who = NULL;
	sentence = NULL;
	verdict = tokens_check(tokens, token, NOW, &who, &sentence);
	ck_assert((who != NULL) == (verdict == STOMP_OK));
	ck_assert(verdict == STOMP_OK || sentence != NULL);
	return verdict;
}

static enum stomp_error check(const char *token)
{
	return check_bytes(bytes_of(token));
}

/* Signed with the i-th algorithm. */
static enum stomp_error check_signed(int i, const char *header, const char *payload)
{
	char *token = token_make(algorithms[i], token_maker_key(&maker, algorithms[i]),
	    TOKEN_MAKER_SECRET, header, payload);
	enum stomp_error verdict = check(token);

	free(token);
	return verdict;
}

/* Under HS256. */
static enum stomp_error check_claims(const char *payload)
{
	return check_signed(0, "{\"alg\":\"HS256\"}", payload);
}

static enum stomp_error check_header(const char *header)
{
	return check_signed(0, header, "{\"sub\":\"alice\",\"exp\":1700000100}");
}

static void header_of(int i, const char *more, char *out, size_t size)
{
	snprintf(out, size, "{\"alg\":\"%s\"%s}", algorithms[i], more);
}

#define GOOD "{\"sub\":\"alice\",\"exp\":1700000100}"

static enum stomp_error check_good(int i, const char *more)
{
	char header[300];

	header_of(i, more, header, sizeof(header));
	return check_signed(i, header, GOOD);
}

/* --- good ones -------------------------------------------------------------------------- */

START_TEST(a_token_of_each_algorithm_is_good)
{
	for (int i = 0; i < 4; i++) {
		configure_with(i, "");
		for (int j = 0; j < 20; j++) { /* numbers of a signature may be short */
			ck_assert_int_eq(check_good(i, ",\"typ\":\"JWT\""), STOMP_OK);
			ck_assert_str_eq(who->name, "alice");
			ck_assert_uint_eq(who->expires_at, 1700000130);
		}
	}
}
END_TEST

/* RFC 7515, appendices A.1 and A.3. */
START_TEST(the_examples_of_the_rfc_are_good)
{
	token_maker_write(&maker, "keys.json",
	    "{\"keys\": [{\"kty\": \"oct\", \"alg\": \"HS256\", \"k\": "
	    "\"AyM1SysPpbyDfgZld3umj1qzKObwV"
	    "MkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"},"
	    "{\"kty\": \"EC\", \"crv\": \"P-256\", \"x\": "
	    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVE"
	    "U\", \"y\": \"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}");
	configure("{\"algorithm\": \"ES256\", \"jwks_file\": \"keys.json\","
	          " \"user_claim\": \"iss\", \"leeway_seconds\": 3600}");
	identity_unref(who);
	ck_assert_int_eq(tokens_check(tokens,
	                     BYTES("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0K"
	                           "ICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb2"
	                           "90Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
	                     1300819379, &who, &sentence),
	    STOMP_OK);
	ck_assert_str_eq(who->name, "joe");
	identity_unref(who);
	ck_assert_int_eq(tokens_check(tokens,
	                     BYTES("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkz"
	                           "ODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3l"
	                           "jbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQx"
	                           "fKTUJqPP3-Kg6NU1Q"),
	                     1300819379, &who, &sentence),
	    STOMP_OK);
	ck_assert_str_eq(who->name, "joe");
	ck_assert(json_is_true(identity_claim(who->claims, "http://example.com/is_root")));
}
END_TEST

START_TEST(roles_are_a_list_or_words)
{
	configure_with(0, ", \"roles_claim\": \"realm.roles\"");
	ck_assert_int_eq(check_claims("{\"sub\":\"a\",\"exp\":1800000000,"
	                              "\"realm\":{\"roles\":[\"x\",\"y z\"]}}"),
	    STOMP_OK);
	ck_assert(identity_has_role(who, "x") && identity_has_role(who, "y z"));
	ck_assert_int_eq(
	    check_claims("{\"sub\":\"a\",\"exp\":1800000000,\"realm.roles\":\" x  y \"}"),
	    STOMP_OK);
	ck_assert(identity_has_role(who, "x") && identity_has_role(who, "y"));
	ck_assert(!identity_has_role(who, ""));
	ck_assert_int_eq(
	    check_claims("{\"sub\":\"a\",\"exp\":1800000000,\"realm\":{\"roles\":null}}"),
	    STOMP_OK);
	ck_assert_int_eq(check_claims("{\"sub\":\"a\",\"exp\":1800000000}"), STOMP_OK);
	ck_assert_int_eq(
	    check_claims("{\"sub\":\"a\",\"exp\":1800000000,\"realm.roles\":[\"x\",7]}"),
	    STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_claims("{\"sub\":\"a\",\"exp\":1800000000,\"realm.roles\":7}"),
	    STOMP_E_UNAUTHENTICATED);
}
END_TEST

START_TEST(roles_are_bounded)
{
	char payload[2000] = "{\"sub\":\"a\",\"exp\":1800000000,\"roles\":\"r";

	configure_with(0, "");
	for (int i = 1; i < 256; i++)
		strcat(payload, " r");
	strcat(payload, "\"}");
	ck_assert_int_eq(check_claims(payload), STOMP_OK);
	strcpy(payload + strlen(payload) - 2, " r\"}");
	ck_assert_int_eq(check_claims(payload), STOMP_E_UNAUTHENTICATED);
}
END_TEST

START_TEST(the_claims_are_kept)
{
	configure_with(0, ", \"user_claim\": \"email\"");
	ck_assert_int_eq(
	    check_claims("{\"email\":\"a@b\",\"exp\":1800000000,\"tenant\":\"x\"}"), STOMP_OK);
	ck_assert_str_eq(who->name, "a@b");
	ck_assert_str_eq(json_string_value(identity_claim(who->claims, "tenant")), "x");
}
END_TEST

/* --- the algorithm is pinned ----------------------------------------------------------------- */

START_TEST(each_algorithm_refuses_the_others)
{
	for (int i = 0; i < 4; i++) {
		configure_with(i, "");
		for (int j = 0; j < 4; j++)
			ck_assert_int_eq(
			    check_good(j, ""), i == j ? STOMP_OK : STOMP_E_UNAUTHENTICATED);
	}
}
END_TEST

/* What libraries have fallen for: the public key, as a file or in DER, is taken for a secret. */
START_TEST(a_public_key_is_no_secret)
{
	static const char *const headers[] = { "{\"alg\":\"HS256\"}", "{\"alg\":\"RS256\"}" };
	char pem[4096] = "", path[128];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/rsa.pem", maker.directory);
	file = fopen(path, "r");
	n = fread(pem, 1, sizeof(pem) - 1, file);
	fclose(file);
	configure_with(1, "");
	for (int i = 0; i < 2; i++) {
		for (size_t len = n; len + 2 > n; len--) {
			char *token;

			pem[len] = '\0';
			token = token_make("HS256", NULL, pem, headers[i], GOOD);
			ck_assert_int_eq(check(token), STOMP_E_UNAUTHENTICATED);
			free(token);
		}
	}
}
END_TEST

START_TEST(none_is_never_an_algorithm)
{
	static const char *const names[] = { "none", "None", "NONE", "", "hs256", "HS256 ", "HS384",
		"RS384", "PS256", "ES384" };
	char header[100], *first, *second, token[1000];

	second = token_part(GOOD, strlen(GOOD));
	for (int i = 0; i < 4; i++) {
		configure_with(i, "");
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[j]);
			ck_assert_int_eq(check_signed(i, header, GOOD), STOMP_E_UNAUTHENTICATED);
			first = token_part(header, strlen(header));
			snprintf(token, sizeof(token), "%s.%s.", first, second);
			ck_assert_int_eq(check(token), STOMP_E_UNAUTHENTICATED);
			free(first);
		}
	}
	free(second);
}
END_TEST

START_TEST(what_the_header_brings_along_is_not_trusted)
{
	configure_with(0, "");
	ck_assert_int_eq(check_header("{\"alg\":\"HS256\",\"crit\":[]}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_header("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}"),
	    STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(
	    check_header("{\"alg\":\"HS256\",\"crit\":null}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_header("{\"alg\":[\"HS256\"]}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_header("{\"alg\":null}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_header("{}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_header("[\"HS256\"]"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_header("\"HS256\""), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(
	    check_header("{\"alg\":\"HS256\",\"alg\":\"HS256\"}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_header("{\"alg\":\"HS256\"}x"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_header("{\"alg\":\"HS256\\u0000\"}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_header("{\"alg\":\"HS256\",\"kid\":7}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_header("{\"alg\":\"HS256\",\"kid\":\"whatever\"}"), STOMP_OK);
	ck_assert_int_eq(check_header("{\"alg\":\"HS256\",\"jku\":\"http://evil\",\"x5u\":7}"),
	    STOMP_OK); /* it is not looked at */
}
END_TEST

/* --- the signature ------------------------------------------------------------------------------
 */

START_TEST(any_change_spoils_a_token)
{
	for (int i = 0; i < 4; i++) {
		char header[100], *token;

		configure_with(i, "");
		header_of(i, "", header, sizeof(header));
		token = token_make(algorithms[i], token_maker_key(&maker, algorithms[i]),
		    TOKEN_MAKER_SECRET, header, GOOD);
		for (size_t at = 0; token[at]; at++) {
			char was = token[at];

			token[at] = was == 'A' ? 'B' : 'A';
			ck_assert_int_eq(check(token), STOMP_E_UNAUTHENTICATED);
			token[at] = was;
			ck_assert_int_eq(
			    check_bytes((struct bytes){ token, at }), STOMP_E_UNAUTHENTICATED);
		}
		ck_assert_int_eq(check(token), STOMP_OK);
		free(token);
	}
}
END_TEST

/* What lay in the same place before does not complete it. */
START_TEST(half_a_signature_is_not_good)
{
	for (int i = 0; i < 4; i++) {
		char header[100], *token;

		configure_with(i, "");
		header_of(i, "", header, sizeof(header));
		token = token_make(algorithms[i], token_maker_key(&maker, algorithms[i]),
		    TOKEN_MAKER_SECRET, header, GOOD);
		for (size_t n = strlen(token); n > 0 && token[n - 1] != '.'; n--) {
			ck_assert_int_eq(check(token), STOMP_OK);
			ck_assert_int_eq(
			    check_bytes((struct bytes){ token, n - 1 }), STOMP_E_UNAUTHENTICATED);
		}
		free(token);
	}
}
END_TEST

START_TEST(a_signature_of_another_length_is_not_good)
{
	char *second = token_part(GOOD, strlen(GOOD)), *first, *third, token[2000];
	unsigned char octets[600];

	for (int i = 0; i < 8; i++) {
		char header[100];

		memset(octets, i < 4 ? 0 : 0xff, sizeof(octets));
		header_of(i % 4, "", header, sizeof(header));
		first = token_part(header, strlen(header));
		configure_with(i % 4, "");
		for (size_t n = 0; n < sizeof(octets); n += n < 80 || n > 250 ? 1 : 50) {
			third = token_part(octets, n);
			snprintf(token, sizeof(token), "%s.%s.%s", first, second, third);
			ck_assert_int_eq(check(token), STOMP_E_UNAUTHENTICATED);
			free(third);
		}
		free(first);
	}
	free(second);
}
END_TEST

START_TEST(a_key_of_somebody_else_is_not_good)
{
	struct token_maker other;

	token_maker_init(&other);
	for (int i = 0; i < 4; i++) {
		char header[100], *token;

		configure_with(i, "");
		header_of(i, "", header, sizeof(header));
		token = token_make(algorithms[i], token_maker_key(&other, algorithms[i]),
		    "another secret of thirty-two octets", header, GOOD);
		ck_assert_int_eq(check(token), STOMP_E_UNAUTHENTICATED);
		ck_assert_str_eq(sentence, "The token's signature is not good.");
		free(token);
	}
	token_maker_fini(&other);
}
END_TEST

/* --- the form
 * --------------------------------------------------------------------------------------- */

START_TEST(a_token_is_three_parts_in_strict_base64url)
{
	static const char *const bad[] = { "", ".", "..", "...", "a", "a.b", "a.b.c", "e30.e30.",
		"e30..e30", ".e30.e30", "e30.e30.e30.e30", "e30=.e30.e30", "e31.e30.e30",
		"e30.e30.e3+", "e30.e30.e3/", "e30.e30.e", "e30.e30.e30\n", " e30.e30.e30",
		"e30.e30.e30 ", "e30.\xff.e30", "e30.e30.e30." };
	char *token;

	configure_with(0, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(check(bad[i]), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_bytes((struct bytes){ NULL, 0 }), STOMP_E_UNAUTHENTICATED);
	/* 32 octets are 43 characters, whose last has two bits that mean nothing */
	token = token_make("HS256", NULL, TOKEN_MAKER_SECRET, "{\"alg\":\"HS256\"}", GOOD);
	ck_assert_int_eq(check(token), STOMP_OK);
	token[strlen(token) - 1]++;
	ck_assert_int_eq(check(token), STOMP_E_UNAUTHENTICATED);
	ck_assert_str_eq(sentence, "This is not a token: three parts in base64url.");
	free(token);
}
END_TEST

START_TEST(a_token_has_8_kib_at_most)
{
	char *payload = malloc(8000), *token;

	configure_with(0, "");
	for (int spaces = 5000; spaces < 7000; spaces++) {
		bool fits;

		snprintf(payload, 8000, "%*s" GOOD, spaces, "");
		token =
		    token_make("HS256", NULL, TOKEN_MAKER_SECRET, "{\"alg\":\"HS256\"}", payload);
		fits = strlen(token) <= TOKENS_OCTETS_MAX;
		ck_assert_int_eq(check(token), fits ? STOMP_OK : STOMP_E_UNAUTHENTICATED);
		free(token);
	}
	free(payload);
}
END_TEST

START_TEST(deep_claims_are_refused)
{
	char payload[7000];

	configure_with(0, "");
	for (int depth = 1; depth < 2500; depth += depth < 20 ? 1 : 500) {
		size_t n = (size_t)snprintf(
		    payload, sizeof(payload), "{\"sub\":\"a\",\"exp\":1800000000,\"x\":");

		memset(payload + n, '[', (size_t)depth);
		memset(payload + n + depth, ']', (size_t)depth);
		strcpy(payload + n + 2 * depth, "}");
		ck_assert_int_eq(
		    check_claims(payload), depth < 16 ? STOMP_OK : STOMP_E_UNAUTHENTICATED);
	}
	ck_assert_int_eq(
	    check_claims("{\"sub\":\"[[[[[[[[[[[[[[[[[[[[\\\"[[[\",\"exp\":1800000000}"), STOMP_OK);
}
END_TEST

START_TEST(claims_are_one_json_object_without_duplicates)
{
	configure_with(0, "");
	ck_assert_int_eq(check_claims("[]"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_claims("{"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_claims(GOOD GOOD), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_claims("{\"sub\":\"alice\",\"exp\":1800000000,\"sub\":\"bob\"}"),
	    STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(
	    check_claims("{\"sub\":\"a\xff\",\"exp\":1800000000}"), STOMP_E_UNAUTHENTICATED);
}
END_TEST

/* --- the claims
 * ----------------------------------------------------------------------------------------- */

static enum stomp_error check_times(const char *times)
{
	char payload[300];

	snprintf(payload, sizeof(payload), "{\"sub\":\"a\"%s}", times);
	return check_claims(payload);
}

START_TEST(a_token_expires)
{
	configure_with(0, "");
	ck_assert_int_eq(check_times(",\"exp\":1699999970"), STOMP_E_EXPIRED);
	ck_assert_int_eq(check_times(",\"exp\":1699999971"), STOMP_OK);
	ck_assert_uint_eq(who->expires_at, NOW + 1);
	ck_assert_int_eq(check_times(",\"exp\":1699999971.9"), STOMP_OK);
	ck_assert_int_eq(check_times(",\"exp\":1.699999971e9"), STOMP_OK);
	ck_assert_int_eq(check_times(",\"exp\":0"), STOMP_E_EXPIRED);
	ck_assert_int_eq(check_times(",\"exp\":-1"), STOMP_E_EXPIRED);
	ck_assert_int_eq(check_times(",\"exp\":-1e308"), STOMP_E_EXPIRED);
	ck_assert_int_eq(check_times(",\"exp\":-9223372036854775808"), STOMP_E_EXPIRED);
	ck_assert_int_eq(check_times(",\"exp\":1e308"), STOMP_OK);
	ck_assert_uint_eq(who->expires_at, TOKENS_EXPIRES_MAX);
	ck_assert_int_eq(check_times(",\"exp\":9223372036854775807"), STOMP_OK);
	ck_assert_uint_eq(who->expires_at, TOKENS_EXPIRES_MAX);
	ck_assert_int_eq(check_times(",\"exp\":9223372036854775808"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"exp\":1e309"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"exp\":\"1800000000\""), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"exp\":null"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"exp\":true"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(""), STOMP_E_UNAUTHENTICATED);
}
END_TEST

START_TEST(a_token_that_never_expires_needs_permission)
{
	configure_with(0, ", \"require_exp\": false, \"leeway_seconds\": 0");
	ck_assert_int_eq(check_times(""), STOMP_OK);
	ck_assert_uint_eq(who->expires_at, 0);
	ck_assert_int_eq(check_times(",\"exp\":1700000000"), STOMP_E_EXPIRED);
	ck_assert_int_eq(check_times(",\"exp\":1700000001"), STOMP_OK);
	ck_assert_uint_eq(who->expires_at, 1700000001);
}
END_TEST

START_TEST(a_token_is_not_good_before_its_time)
{
	configure_with(0, ", \"require_exp\": false");
	ck_assert_int_eq(check_times(",\"nbf\":1700000030"), STOMP_OK);
	ck_assert_int_eq(check_times(",\"nbf\":1700000031"), STOMP_E_UNAUTHENTICATED);
	ck_assert_str_eq(sentence, "The token is not good yet.");
	ck_assert_int_eq(check_times(",\"nbf\":1e308"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"nbf\":-1e308"), STOMP_OK);
	ck_assert_int_eq(check_times(",\"nbf\":\"0\""), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"iat\":[]"), STOMP_E_UNAUTHENTICATED);
}
END_TEST

START_TEST(a_token_may_be_too_old)
{
	configure_with(0, ", \"require_exp\": false, \"max_age_seconds\": 600");
	ck_assert_int_eq(check_times(""), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"iat\":1699999370"), STOMP_E_EXPIRED);
	ck_assert_int_eq(check_times(",\"iat\":1699999371"), STOMP_OK);
	ck_assert_uint_eq(who->expires_at, NOW + 1);
	ck_assert_int_eq(check_times(",\"iat\":1699999371,\"exp\":1800000000"), STOMP_OK);
	ck_assert_uint_eq(who->expires_at, NOW + 1);
	ck_assert_int_eq(check_times(",\"iat\":1700000000,\"exp\":1700000010"), STOMP_OK);
	ck_assert_uint_eq(who->expires_at, NOW + 40);
	ck_assert_int_eq(check_times(",\"iat\":1700000031"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"iat\":1e308"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"iat\":-1e308"), STOMP_E_EXPIRED);
}
END_TEST

START_TEST(issuer_and_audience_are_those_configured)
{
	configure_with(0, ", \"issuer\": [\"i\", \"j\"], \"audience\": \"a\"");
	ck_assert_int_eq(check_times(",\"exp\":1800000000,\"iss\":\"j\",\"aud\":\"a\""), STOMP_OK);
	ck_assert_int_eq(
	    check_times(",\"exp\":1800000000,\"iss\":\"i\",\"aud\":[7,\"b\",\"a\"]"), STOMP_OK);
	ck_assert_int_eq(check_times(",\"exp\":1800000000,\"iss\":\"i\",\"aud\":[\"b\"]"),
	    STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"exp\":1800000000,\"iss\":\"i\""), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"exp\":1800000000,\"aud\":\"a\""), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"exp\":1800000000,\"iss\":\"k\",\"aud\":\"a\""),
	    STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"exp\":1800000000,\"iss\":[\"i\"],\"aud\":\"a\""),
	    STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"exp\":1800000000,\"iss\":\"i\",\"aud\":{\"a\":1}"),
	    STOMP_E_UNAUTHENTICATED);
}
END_TEST

/* RFC 7519 section 4.1.3. */
START_TEST(a_token_for_an_audience_is_not_for_who_has_none)
{
	configure_with(0, "");
	ck_assert_int_eq(check_times(",\"exp\":1800000000,\"aud\":\"a\""), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_times(",\"exp\":1800000000,\"iss\":\"any\""), STOMP_OK);
}
END_TEST

START_TEST(a_token_names_a_user_by_a_proper_name)
{
	char payload[400], name[300];

	configure_with(0, "");
	ck_assert_int_eq(check_claims("{\"exp\":1800000000}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(
	    check_claims("{\"exp\":1800000000,\"sub\":\"\"}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_claims("{\"exp\":1800000000,\"sub\":7}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(
	    check_claims("{\"exp\":1800000000,\"sub\":\"a\\nb\"}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(
	    check_claims("{\"exp\":1800000000,\"sub\":\"a\\u0000b\"}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(
	    check_claims("{\"exp\":1800000000,\"sub\":\"a\\u0085b\"}"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(
	    check_claims("{\"exp\":1800000000,\"sub\":\"a\\ud800b\"}"), STOMP_E_UNAUTHENTICATED);
	for (int n = 255; n < 258; n++) {
		memset(name, 'n', (size_t)n);
		name[n] = '\0';
		snprintf(payload, sizeof(payload), "{\"exp\":1800000000,\"sub\":\"%s\"}", name);
		ck_assert_int_eq(
		    check_claims(payload), n <= 256 ? STOMP_OK : STOMP_E_UNAUTHENTICATED);
	}
}
END_TEST

/* --- keys
 * --------------------------------------------------------------------------------------------------
 */

/* A set of four keys, one for each algorithm, and some that are not for us. */
static void write_set(void)
{
	char rsa[1000], ec[400], ed[400], all[4000];

	token_maker_jwk(maker.rsa, ", \"kid\": \"r\", \"use\": \"sig\"", rsa, sizeof(rsa));
	token_maker_jwk(maker.ec, ", \"kid\": \"e\", \"alg\": \"ES256\"", ec, sizeof(ec));
	token_maker_jwk(maker.ed25519, ", \"kid\": \"d\", \"alg\": \"EdDSA\"", ed, sizeof(ed));
	snprintf(all, sizeof(all),
	    "{\"keys\": [{\"kty\": \"RSA\", \"use\": \"enc\", \"n\": \"x\"}, %s, %s, %s,"
	    " {\"kty\": \"oct\", \"k\": \"YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBvY3RldHMsIG9yIG1vcmU\","
	    " \"alg\": \"HS256\", \"kid\": \"h\"}, {\"kty\": \"EC\", \"crv\": \"P-384\"},"
	    " {\"kty\": \"new\"}, {\"kty\": \"RSA\", \"alg\": \"PS512\"}]}",
	    rsa, ec, ed);
	token_maker_write(&maker, "keys.json", all);
}

START_TEST(the_key_of_a_set_is_chosen_by_its_kid)
{
	static const char *const kids[] = { ",\"kid\":\"h\"", ",\"kid\":\"r\"", ",\"kid\":\"e\"",
		",\"kid\":\"d\"" };

	write_set();
	configure("{\"algorithm\": \"RS256\", \"jwks_file\": \"keys.json\"}");
	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 4; j++)
			ck_assert_int_eq(
			    check_good(i, kids[j]), i == j ? STOMP_OK : STOMP_E_UNAUTHENTICATED);
		ck_assert_int_eq(check_good(i, ""), STOMP_E_UNAUTHENTICATED);
		ck_assert_int_eq(check_good(i, ",\"kid\":\"x\""), STOMP_E_UNAUTHENTICATED);
		ck_assert_str_eq(
		    sentence, "The token is not signed with a key that is known here.");
	}
}
END_TEST

START_TEST(a_set_of_one_key_needs_no_kid)
{
	char ec[400], all[500];

	token_maker_jwk(maker.ec, ", \"kid\": \"e\"", ec, sizeof(ec));
	snprintf(all, sizeof(all), "{\"keys\": [%s]}", ec);
	token_maker_write(&maker, "keys.json", all);
	configure("{\"algorithm\": \"ES256\", \"jwks_file\": \"keys.json\"}");
	ck_assert_int_eq(check_good(2, ""), STOMP_OK);
	ck_assert_int_eq(check_good(2, ",\"kid\":\"e\""), STOMP_OK);
	ck_assert_int_eq(check_good(2, ",\"kid\":\"f\""), STOMP_E_UNAUTHENTICATED);
}
END_TEST

START_TEST(keys_may_be_several)
{
	configure(
	    "{\"algorithm\": \"RS256\", \"keys\": [{\"key_file\": \"rsa.pem\"},"
	    " {\"algorithm\": \"EdDSA\", \"key_file\": \"ed25519.pem\", \"kid\": \"d\"},"
	    " {\"algorithm\": \"HS256\", \"secret\": \"an old secret of thirty-two octets.\"},"
	    " {\"algorithm\": \"HS256\", \"key_file\": \"secret\"}]}");
	ck_assert_int_eq(check_good(0, ""), STOMP_OK);
	ck_assert_int_eq(check_good(1, ",\"kid\":\"any\""), STOMP_OK);
	ck_assert_int_eq(check_good(2, ""), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check_good(3, ",\"kid\":\"d\""), STOMP_OK);
	ck_assert_int_eq(check_good(3, ",\"kid\":\"e\""), STOMP_E_UNAUTHENTICATED);
}
END_TEST

/* --- the configuration
 * ------------------------------------------------------------------------------------- */

static void refused(const char *config, const char *words)
{
	why[0] = '\0';
	ck_assert_msg(try_text(config) < 0, "accepted: %s", config);
	ck_assert_msg(strstr(why, words) != NULL, "%s: %s", config, why);
	ck_assert_ptr_null(tokens);
}

#define SECRET "\"secret\": \"" TOKEN_MAKER_SECRET "\""
#define HS     "{\"algorithm\": \"HS256\", " SECRET

START_TEST(a_wrong_configuration_is_refused_by_name)
{
	refused("7", "tokens: ");
	refused("{}", "tokens: exactly one of key_file");
	refused("{\"algorithm\": \"none\"}", "tokens.algorithm: ");
	refused("{\"algorithm\": 7}", "tokens.algorithm: ");
	refused("{\"algorithm\": \"HS512\"}", "tokens.algorithm: ");
	refused("{\"algorithm\": \"RS256\"}", "tokens: exactly one of key_file");
	refused("{" SECRET "}", "tokens.algorithm: is needed");
	refused("{\"algorithm\": \"RS256\", " SECRET "}", "tokens.secret: is for HS256 alone");
	refused(HS ", \"key_file\": \"secret\"}", "tokens: exactly one of key_file");
	refused(HS ", \"kid\": \"x\"}", "tokens.kid: there is no such key");
	refused(HS ", \"isuer\": \"x\"}", "tokens.isuer: there is no such key");
	refused(HS ", \"issuer\": 7}", "tokens.issuer: ");
	refused(HS ", \"issuer\": []}", "tokens.issuer: ");
	refused(HS ", \"audience\": [\"a\", 7]}", "tokens.audience: ");
	refused(HS ", \"user_claim\": \"\"}", "tokens.user_claim: ");
	refused(HS ", \"roles_claim\": []}", "tokens.roles_claim: ");
	refused(HS ", \"leeway_seconds\": -1}", "tokens.leeway_seconds: ");
	refused(HS ", \"leeway_seconds\": 1e3}", "tokens.leeway_seconds: ");
	refused(HS ", \"max_age_seconds\": 9223372036854775807}", "tokens.max_age_seconds: ");
	refused(HS ", \"require_exp\": 0}", "tokens.require_exp: ");
	refused(HS ", \"keys\": []}", "tokens.keys: ");
	refused("{\"keys\": []}", "tokens.keys: ");
	refused("{\"keys\": {}}", "tokens.keys: ");
	refused("{\"keys\": [7]}", "tokens.keys[0]: ");
	refused("{\"keys\": [{" SECRET "}]}", "tokens.keys[0].algorithm: ");
	refused("{\"keys\": [" HS ", \"use\": \"x\"}]}", "tokens.keys[0].use: ");
	refused(
	    "{\"keys\": [{\"jwks_file\": \"keys.json\", \"kid\": \"x\"}]}", "tokens.keys[0].kid: ");
	refused("{\"keys\": [" HS ", \"kid\": \"x\"}, " HS ", \"kid\": \"x\"}]}",
	    "tokens: two keys have the kid");
	refused("{\"keys\": [" HS "}, " HS "}, " HS "}, " HS "}, " HS "}]}",
	    "tokens: more than 4 keys have no kid");
	ck_assert_ptr_null(strstr(why, TOKEN_MAKER_SECRET));
}
END_TEST

START_TEST(a_secret_is_not_short)
{
	refused("{\"algorithm\": \"HS256\", \"secret\": \"thirty-one octets are too short\"}",
	    "tokens.secret: a secret has 32");
	token_maker_write(&maker, "other", "thirty-one octets are too short\n");
	refused("{\"algorithm\": \"HS256\", \"key_file\": \"other\"}", "tokens.key_file: a secret");
	token_maker_write(&maker, "other", "");
	refused("{\"algorithm\": \"HS256\", \"key_file\": \"other\"}", "tokens.key_file: a secret");
	refused("{\"algorithm\": \"HS256\", \"key_file\": \"rsa.pem\"}", "needs a secret");
	token_maker_write(&maker, "other", "thirty-two octets are enough now\r\n");
	configure("{\"algorithm\": \"HS256\", \"key_file\": \"other\"}");
	refused("{\"algorithm\": \"HS256\", \"key_file\": \"missing\"}",
	    "tokens.key_file: cannot read missing: No such file");
	refused("{\"algorithm\": \"HS256\", \"key_file\": \"/\"}", "Is a directory");
	refused("{\"algorithm\": \"HS256\", \"key_file\": \"/dev/zero\"}", "cannot read");
}
END_TEST

START_TEST(a_key_is_for_its_algorithm)
{
	char config[200], pem[2000] = "";
	FILE *file = fmemopen(pem, sizeof(pem), "w");
	EVP_PKEY *other = EVP_RSA_gen(1024);

	for (int i = 1; i < 4; i++) {
		for (int j = 0; j < 4; j++) {
			snprintf(config, sizeof(config),
			    "{\"algorithm\": \"%s\", \"key_file\": \"%s\"}", algorithms[i],
			    key_files[j]);
			if (i != j)
				refused(config, "tokens.key_file: is not ");
		}
	}
	PEM_write_PUBKEY(file, other);
	EVP_PKEY_free(other);
	other = EVP_EC_gen("P-384");
	fflush(file);
	token_maker_write(&maker, "other", pem);
	refused("{\"algorithm\": \"RS256\", \"key_file\": \"other\"}", "2048 bits");
	rewind(file);
	PEM_write_PUBKEY(file, other);
	EVP_PKEY_free(other);
	fclose(file);
	token_maker_write(&maker, "other", pem);
	refused("{\"algorithm\": \"ES256\", \"key_file\": \"other\"}", "P-256");
	token_maker_write(&maker, "other",
	    "-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
	    "00000000000000000000000000000000\n\nAAAA\n-----END PUBLIC KEY-----\n");
	refused("{\"algorithm\": \"ES256\", \"key_file\": \"other\"}", "is not a public key");
}
END_TEST

START_TEST(a_broken_set_is_refused)
{
	static const struct {
		const char *keys, *words;
	} sets[] = {
		{ "", "line 1" },
		{ "[]", "has no list \"keys\"" },
		{ "{\"keys\": {}}", "has no list \"keys\"" },
		{ "{\"keys\": []}", "has no key for signatures" },
		{ "{\"keys\": [7]}", "keys[0]: is not an object" },
		{ "{\"keys\": [{\"kty\": \"RSA\", \"alg\": \"RS256\"}]}",
		    "keys[0]: is not a public" },
		{ "{\"keys\": [{\"kty\": \"RSA\", \"n\": \"AQAB\", \"e\": \"AQAB\"}]}",
		    "no algorithm" },
		{ "{\"keys\": [{\"kty\": \"RSA\", \"alg\": \"RS256\", \"n\": \"AQAB\", \"e\": "
		  "\"AQAB\"}"
		  "]}",
		    "too short" },
		{ "{\"keys\": [{\"kty\": \"RSA\", \"alg\": \"HS256\"}]}", "another kind" },
		{ "{\"keys\": [{\"kty\": \"EC\", \"crv\": \"P-256\", \"alg\": \"ES256\", \"x\": "
		  "\"AAAA\""
		  ", \"y\": \"AAAA\"}]}",
		    "is not a public key" },
		{ "{\"keys\": [{\"kty\": \"EC\", \"crv\": \"P-256\", \"alg\": \"ES256\","
		  "\"x\": \"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		  "\"y\": \"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
		    "is not a public key" },
		{ "{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"alg\": \"EdDSA\","
		  "\"x\": \"AAAA\"}]}",
		    "is not a public key" },
		{ "{\"keys\": [{\"kty\": \"oct\", \"alg\": \"HS256\", \"k\": \"AAAA\"}]}",
		    "32 to" },
		{ "{\"keys\": [{\"kty\": \"oct\", \"kty\": \"RSA\"}]}", "duplicate" },
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		token_maker_write(&maker, "keys.json", sets[i].keys);
		refused("{\"jwks_file\": \"keys.json\"}", "tokens.jwks_file: ");
		ck_assert_msg(strstr(why, sets[i].words) != NULL, "%s: %s", sets[i].keys, why);
	}
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	const char *config = "{\"algorithm\": \"HS256\", \"keys\": [" HS ", \"kid\": \"x\"}]}";
	unsigned long n = 0;

	do {
		mem_fail_at(++n);
		ck_assert_int_eq(try_text(config), mem_failed() ? -ENOMEM : 0);
	} while (mem_failed());
	ck_assert_uint_gt(n, 3);
	for (n = 1; n < 10; n++) {
		enum stomp_error verdict;

		mem_fail_at(n);
		verdict = check_claims("{\"sub\":\"a\",\"exp\":1800000000,\"roles\":\"x\"}");
		ck_assert_int_eq(verdict, mem_failed() ? STOMP_E_INTERNAL : STOMP_OK);
	}
	mem_fail_at(0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tokens");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	token_maker_init(&maker);
	tcase_set_timeout(tc, 60); /* a machine may be busy */
	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, a_token_of_each_algorithm_is_good);
	tcase_add_test(tc, the_examples_of_the_rfc_are_good);
	tcase_add_test(tc, roles_are_a_list_or_words);
	tcase_add_test(tc, roles_are_bounded);
	tcase_add_test(tc, the_claims_are_kept);
	tcase_add_test(tc, each_algorithm_refuses_the_others);
	tcase_add_test(tc, a_public_key_is_no_secret);
	tcase_add_test(tc, none_is_never_an_algorithm);
	tcase_add_test(tc, what_the_header_brings_along_is_not_trusted);
	tcase_add_test(tc, any_change_spoils_a_token);
	tcase_add_test(tc, half_a_signature_is_not_good);
	tcase_add_test(tc, a_signature_of_another_length_is_not_good);
	tcase_add_test(tc, a_key_of_somebody_else_is_not_good);
	tcase_add_test(tc, a_token_is_three_parts_in_strict_base64url);
	tcase_add_test(tc, a_token_has_8_kib_at_most);
	tcase_add_test(tc, deep_claims_are_refused);
	tcase_add_test(tc, claims_are_one_json_object_without_duplicates);
	tcase_add_test(tc, a_token_expires);
	tcase_add_test(tc, a_token_that_never_expires_needs_permission);
	tcase_add_test(tc, a_token_is_not_good_before_its_time);
	tcase_add_test(tc, a_token_may_be_too_old);
	tcase_add_test(tc, issuer_and_audience_are_those_configured);
	tcase_add_test(tc, a_token_for_an_audience_is_not_for_who_has_none);
	tcase_add_test(tc, a_token_names_a_user_by_a_proper_name);
	tcase_add_test(tc, the_key_of_a_set_is_chosen_by_its_kid);
	tcase_add_test(tc, a_set_of_one_key_needs_no_kid);
	tcase_add_test(tc, keys_may_be_several);
	tcase_add_test(tc, a_wrong_configuration_is_refused_by_name);
	tcase_add_test(tc, a_secret_is_not_short);
	tcase_add_test(tc, a_key_is_for_its_algorithm);
	tcase_add_test(tc, a_broken_set_is_refused);
	tcase_add_test(tc, every_allocation_may_fail);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	token_maker_fini(&maker);
	return failed ? 1 : 0;
}
