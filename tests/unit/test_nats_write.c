/*
 * tests/unit/test_nats_write.c - what a client says, subjects, headers, and keys.
 */
#include "nats/nats_write.h"

#include <check.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "nats/nats_nkey.h"
#include "nats/nats_parse.h"
#include "nats/nats_subject.h"

static struct buf out;

static void setup(void)
{
	out = BUF_INIT;
}

static void teardown(void)
{
	buf_fini(&out);
}

static void ck_said(const char *wire)
{
	ck_assert_uint_eq(buf_len(&out), strlen(wire));
	ck_assert_mem_eq(buf_data(&out), wire, strlen(wire));
	buf_clear(&out);
}

/* --- subjects ----------------------------------------------------------------------- */

START_TEST(subjects_and_patterns_are_told_from_what_is_neither)
{
	static const struct {
		const char *text;
		bool subject, pattern;
	} table[] = {
		{ "a", true, true },
		{ "a.b.c", true, true },
		{ "$JS.API.INFO", true, true },
		{ "a*.b>", true, true }, /* no token of its own */
		{ "\xc3\xa4", true, true },
		{ "*", false, true },
		{ "a.*.c", false, true },
		{ ">", false, true },
		{ "a.>", false, true },
		{ "a.>.b", false, false },
		{ "", false, false },
		{ ".", false, false },
		{ ".a", false, false },
		{ "a.", false, false },
		{ "a..b", false, false },
		{ "a b", false, false },
		{ "a\tb", false, false },
		{ "a\r\nPING", false, false },
		{ "a\x7f", false, false },
	};
	char long_one[NATS_SUBJECT_MAX + 2];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		ck_assert_int_eq(nats_subject_is_valid(bytes_of(table[i].text)), table[i].subject);
		ck_assert_int_eq(nats_pattern_is_valid(bytes_of(table[i].text)), table[i].pattern);
	}
	memset(long_one, 'a', sizeof(long_one));
	ck_assert(nats_subject_is_valid((struct bytes){ long_one, NATS_SUBJECT_MAX }));
	ck_assert(!nats_subject_is_valid((struct bytes){ long_one, NATS_SUBJECT_MAX + 1 }));
	ck_assert(!nats_subject_is_valid((struct bytes){ "a\0b", 3 }));
}
END_TEST

START_TEST(patterns_match_token_by_token)
{
	static const struct {
		const char *pattern, *subject;
		bool matches;
	} table[] = {
		{ "a.b", "a.b", true },
		{ "a.b", "a", false },
		{ "a", "a.b", false },
		{ "*", "a", true },
		{ "*", "a.b", false },
		{ "a.*", "a.b", true },
		{ "a.*", "a", false },
		{ "*.b", "a.b", true },
		{ "*.b", "a.c", false },
		{ "a.*.c", "a.b.c", true },
		{ ">", "a", true },
		{ ">", "a.b.c", true },
		{ "a.>", "a.b.c", true },
		{ "a.>", "a", false },
		{ "a.>", "ab.c", false },
		{ "ab", "a", false },
		{ "a*", "ab", false },
		{ "a*", "a*", true },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_int_eq(
		    nats_subject_matches(bytes_of(table[i].pattern), bytes_of(table[i].subject)),
		    table[i].matches);
}
END_TEST

/* --- lines -------------------------------------------------------------------------- */

START_TEST(lines_are_written_as_the_protocol_has_them)
{
	ck_assert_int_eq(nats_write_subscribe(&out, BYTES("a.*"), BYTES(""), 7), 0);
	ck_said("SUB a.* 7\r\n");
	ck_assert_int_eq(nats_write_subscribe(&out, BYTES("a.>"), BYTES("q"), UINT64_MAX), 0);
	ck_said("SUB a.> q 18446744073709551615\r\n");
	ck_assert_int_eq(nats_write_unsubscribe(&out, 7, 0), 0);
	ck_said("UNSUB 7\r\n");
	ck_assert_int_eq(nats_write_unsubscribe(&out, 10, 100), 0);
	ck_said("UNSUB 10 100\r\n");
	ck_assert_int_eq(nats_write_ping(&out), 0);
	ck_assert_int_eq(nats_write_pong(&out), 0);
	ck_said("PING\r\nPONG\r\n");
	ck_assert_int_eq(nats_write_connect(&out, BYTES("{}")), 0);
	ck_said("CONNECT {}\r\n");
}
END_TEST

START_TEST(messages_have_headers_or_not)
{
	const struct nats_header headers[] = { { BYTES("A"), BYTES("1") },
		{ BYTES("A"), BYTES("") } };
	struct nats_message m = { .subject = BYTES("a"), .payload = BYTES("hello") };

	ck_assert_uint_eq(nats_message_size(&m), 5);
	ck_assert_int_eq(nats_write_publish(&out, &m), 0);
	ck_said("PUB a 5\r\nhello\r\n");
	m.reply = BYTES("r.s");
	m.payload = (struct bytes){ NULL, 0 };
	ck_assert_int_eq(nats_write_publish(&out, &m), 0);
	ck_said("PUB a r.s 0\r\n\r\n");
	m.headers = headers;
	m.header_count = 2;
	m.payload = BYTES("hi");
	ck_assert_uint_eq(nats_message_size(&m), 25);
	ck_assert_int_eq(nats_write_publish(&out, &m), 0);
	ck_said("HPUB a r.s 23 25\r\nNATS/1.0\r\nA: 1\r\nA: \r\n\r\nhi\r\n");
}
END_TEST

START_TEST(what_would_say_something_else_is_refused)
{
	static const struct nats_header wrong[] = {
		{ BYTES(""), BYTES("1") },
		{ BYTES("a b"), BYTES("1") },
		{ BYTES("a:"), BYTES("1") },
		{ BYTES("a\r"), BYTES("1") },
		{ BYTES("a"), BYTES("1\n") },
		{ BYTES("a"), BYTES("1\r\nb: 2") },
		{ BYTES("a"), BYTES("1\0") },
	};
	struct nats_message m = { .subject = BYTES("a.*") };

	ck_assert_int_eq(nats_write_publish(&out, &m), -EINVAL);
	m.subject = BYTES("a");
	m.reply = BYTES("a b");
	ck_assert_int_eq(nats_write_publish(&out, &m), -EINVAL);
	m.reply = BYTES("");
	m.header_count = 1;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		m.headers = &wrong[i];
		ck_assert_int_eq(nats_write_publish(&out, &m), -EINVAL);
	}
	ck_assert_int_eq(nats_write_subscribe(&out, BYTES("a."), BYTES(""), 1), -EINVAL);
	ck_assert_int_eq(nats_write_subscribe(&out, BYTES("a"), BYTES("q q"), 1), -EINVAL);
	ck_assert_int_eq(nats_write_subscribe(&out, BYTES("a"), BYTES("*"), 1), -EINVAL);
	ck_assert_int_eq(nats_write_connect(&out, BYTES("{}\r\nPING")), -EINVAL);
	ck_assert_uint_eq(buf_len(&out), 0);
	mem_fail_at(1);
	ck_assert_int_eq(nats_write_subscribe(&out, BYTES("a"), BYTES(""), 1), -ENOMEM);
	mem_fail_at(0);
}
END_TEST

/* --- headers ------------------------------------------------------------------------ */

START_TEST(headers_are_found_repeated_and_trimmed)
{
	struct bytes block = BYTES("NATS/1.0\r\nA: 1\r\na:2\r\nA:  3 4 \r\nB:\r\n\r\n");
	struct nats_header h;
	size_t at = 0, n = 0;

	ck_assert(bytes_equal(nats_headers_get(block, "A"), BYTES("1")));
	ck_assert(bytes_equal(nats_headers_get(block, "a"), BYTES("2")));
	ck_assert_ptr_nonnull(nats_headers_get(block, "B").p);
	ck_assert_uint_eq(nats_headers_get(block, "B").n, 0);
	ck_assert_ptr_null(nats_headers_get(block, "C").p);
	ck_assert_ptr_null(nats_headers_get((struct bytes){ NULL, 0 }, "A").p);
	while (nats_headers_next(block, &at, &h))
		n++;
	ck_assert_uint_eq(n, 4);
	ck_assert_uint_eq(nats_headers_status(block, NULL), 0);
}
END_TEST

START_TEST(a_status_stands_in_the_first_line)
{
	static const struct {
		const char *block;
		unsigned status;
		const char *text;
	} table[] = {
		{ "NATS/1.0 503\r\n\r\n", 503, "" },
		{ "NATS/1.0 404 No Messages\r\n\r\n", 404, "No Messages" },
		{ "NATS/1.0 100  Idle Heartbeat \r\nA: 1\r\n\r\n", 100, "Idle Heartbeat" },
		{ "NATS/1.0\r\n\r\n", 0, "" },
		{ "NATS/1.0 50\r\n\r\n", 0, "" },
		{ "NATS/1.0 5031\r\n\r\n", 0, "" },
		{ "NATS/1.0 -12\r\n\r\n", 0, "" },
		{ "NATS/2.0 503\r\n\r\n", 0, "" },
		{ "NATS/1.0 503", 0, "" },
		{ "", 0, "" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bytes text = { NULL, 0 };

		ck_assert_uint_eq(
		    nats_headers_status(bytes_of(table[i].block), &text), table[i].status);
		ck_assert(bytes_equal(text, bytes_of(table[i].text)));
	}
}
END_TEST

START_TEST(what_is_written_is_read)
{
	const struct nats_header headers[] = { { BYTES("Nats-Msg-Id"), BYTES("x y") } };
	struct nats_message m = { .subject = BYTES("a.b"),
		.reply = BYTES("r"),
		.headers = headers,
		.header_count = 1,
		.payload = BYTES("\r\n\0") };
	struct nats_parser p;
	struct nats_event e;
	struct buf wire = BUF_INIT;

	ck_assert_int_eq(nats_write_publish(&out, &m), 0);
	/* a server says the same to subscribers, with a sid */
	ck_assert_int_eq(buf_add_str(&wire, "HMSG a.b 5 r"), 0);
	ck_assert_int_eq(buf_add(&wire, buf_data(&out) + strlen("HPUB a.b r"),
	                     buf_len(&out) - strlen("HPUB a.b r")),
	    0);
	nats_parser_init(&p, 1000);
	ck_assert_int_eq(nats_parse(&p, buf_data(&wire), buf_len(&wire), &e), (int)buf_len(&wire));
	ck_assert_int_eq(e.op, NATS_MSG);
	ck_assert(bytes_equal(e.payload, m.payload));
	ck_assert(bytes_equal(nats_headers_get(e.headers, NATS_MSG_ID), BYTES("x y")));
	nats_parser_reset(&p);
	buf_fini(&wire);
}
END_TEST

/* --- keys --------------------------------------------------------------------------- */

#define SEED   "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
#define PUBLIC "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"

START_TEST(a_seed_has_its_public_key)
{
	struct nats_nkey *key = NULL;
	const char *why;

	ck_assert_int_eq(nats_nkey_new(&key, BYTES(SEED), &why), 0);
	ck_assert_str_eq(nats_nkey_public(key), PUBLIC);
	nats_nkey_free(key);
}
END_TEST

/* From the public key in its base32, so by what a server knows. */
static void public_octets(unsigned char raw[32])
{
	unsigned bits = 0, have = 0;
	size_t n = 0;

	for (const char *at = PUBLIC; *at && n < 33; at++) {
		bits = bits << 5 | (unsigned)(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", *at) -
		                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
		for (have += 5; have >= 8; have -= 8, n++)
			if (n > 0 && n < 33)
				raw[n - 1] = (unsigned char)(bits >> (have - 8));
	}
}

START_TEST(a_signature_is_verified_by_the_public_key)
{
	struct nats_nkey *key = NULL;
	char signature[NATS_NKEY_SIGNATURE_LEN + 1];
	unsigned char raw[32], octets[64];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY *pkey;
	const char *why;

	public_octets(raw);
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, 32);
	ck_assert_int_eq(nats_nkey_new(&key, BYTES(SEED), &why), 0);
	ck_assert_int_eq(nats_nkey_sign(key, BYTES("a nonce"), signature), 0);
	ck_assert_uint_eq(strlen(signature), NATS_NKEY_SIGNATURE_LEN);
	ck_assert_int_eq(
	    base64_decode_unpadded(octets, signature, strlen(signature), BASE64_URL), 64);
	ck_assert_int_eq(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey), 1);
	ck_assert_int_eq(EVP_DigestVerify(ctx, octets, 64, (const unsigned char *)"a nonce", 7), 1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	nats_nkey_free(key);
}
END_TEST

START_TEST(a_seed_that_is_none_is_refused_with_a_sentence)
{
	static const char *const wrong[] = {
		"",
		PUBLIC,
		"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3V",
		"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VYA",
		"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VZ",
		"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU4VY",
		"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU1VY",
		"suACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
		"SAACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct nats_nkey *key = NULL;
		const char *why = NULL;

		ck_assert_int_eq(nats_nkey_new(&key, bytes_of(wrong[i]), &why), -EINVAL);
		ck_assert_ptr_null(key);
		ck_assert_uint_gt(strlen(why), 10);
	}
}
END_TEST

START_TEST(a_file_of_credentials_has_two_parts)
{
	static const char *const good[] = {
		"-----BEGIN NATS USER JWT-----\nab.cd\n------END NATS USER JWT------\n\nsome "
		"words\n\n"
		"-----BEGIN USER NKEY SEED-----\nSU123\n------END USER NKEY SEED------\n",
		"---x---\r\nab.cd\r\n---\r\n---\r\nSU123\r\n---",
	};
	static const char *const bad[] = { "", "SU123", "---\nab.cd\n---\n",
		"---\nab.cd\n---\n---\nSU123\n", "---\n---\n---\n---\n---\n---\n" };
	struct bytes jwt, seed;

	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(nats_creds_parse(bytes_of(good[i]), &jwt, &seed), 0);
		ck_assert(bytes_equal(jwt, BYTES("ab.cd")));
		ck_assert(bytes_equal(seed, BYTES("SU123")));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(nats_creds_parse(bytes_of(bad[i]), &jwt, &seed), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nats_write");
	TCase *tc = tcase_create("write");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, subjects_and_patterns_are_told_from_what_is_neither);
	tcase_add_test(tc, patterns_match_token_by_token);
	tcase_add_test(tc, lines_are_written_as_the_protocol_has_them);
	tcase_add_test(tc, messages_have_headers_or_not);
	tcase_add_test(tc, what_would_say_something_else_is_refused);
	tcase_add_test(tc, headers_are_found_repeated_and_trimmed);
	tcase_add_test(tc, a_status_stands_in_the_first_line);
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_test(tc, a_seed_has_its_public_key);
	tcase_add_test(tc, a_signature_is_verified_by_the_public_key);
	tcase_add_test(tc, a_seed_that_is_none_is_refused_with_a_sentence);
	tcase_add_test(tc, a_file_of_credentials_has_two_parts);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
