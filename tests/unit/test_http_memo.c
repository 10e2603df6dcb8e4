/*
 * tests/unit/test_http_memo.c - recognising a request: the same but for its gaps, or not.
 */
#include <check.h>
#include <ctype.h>
#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/http_memo.h"

static const struct http_memo_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static struct bytes text(const char *s)
{
	return (struct bytes){ s, strlen(s) };
}

/* As who has read the head knows it. */
static struct http_shape shape_of(const char *request)
{
	const char *mark = strchr(request, '?'), *end = strstr(request, " HTTP/"),
	           *length = strcasestr(request, "\nContent-Length:");
	struct http_shape shape = {
		.head = (uint32_t)(strstr(request, "\r\n\r\n") + 4 - request),
	};

	if (mark && mark < end) {
		shape.query_at = (uint32_t)(mark + 1 - request);
		shape.query_n = (uint32_t)(end - mark - 1);
	}
	if (length) {
		length += 16;
		length += strspn(length, " ");
		shape.digits_at = (uint32_t)(length - request);
		shape.digits_n = (uint32_t)strcspn(length, "\r");
	}
	return shape;
}

static bool make(struct http_memo *m, const char *request)
{
	struct http_shape shape = shape_of(request);

	return http_memo_make(m, &key, request, &shape);
}

static struct http_memo remember(const char *request)
{
	struct http_memo m;

	ck_assert(make(&m, request));
	return m;
}

static bool matches(const struct http_memo *m, struct bytes raw)
{
	struct bytes query, body;

	return http_memo_matches(m, &key, raw, &query, &body);
}

static bool is_same(const struct http_memo *m, const char *request, const char *body)
{
	const char *mark = strchr(request, '?');
	struct bytes found, query;

	if (!http_memo_matches(m, &key, text(request), &query, &found))
		return false;
	if (mark)
		ck_assert_ptr_eq(query.p, mark + 1);
	ck_assert_uint_eq(query.n, mark ? strcspn(mark + 1, " ") : 0);
	ck_assert_uint_eq(found.n, strlen(body));
	ck_assert_mem_eq(found.p, body, found.n);
	return true;
}

#define POLL                                                                                       \
	"POST /echo/000/abc/xhr?t=1700000000000 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
#define SEND(query, length, body)                                                                  \
	"POST /echo/000/abc/xhr_send" query " HTTP/1.1\r\nHost: a\r\n"                             \
	"content-length:  " length "\r\nOrigin: http://a\r\n\r\n" body

/* --- the hash ------------------------------------------------------------------------------ */

static void reference(const struct http_memo_key *k, struct bytes b, uint64_t hash[2])
{
	uint64_t secret[2] = { htole64(k->k0), htole64(k->k1) }, out[2];
	size_t size = sizeof(out), n;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

	ck_assert_int_eq(EVP_MAC_init(ctx, (unsigned char *)secret, sizeof(secret), params), 1);
	ck_assert_int_eq(EVP_MAC_update(ctx, (const unsigned char *)b.p, b.n), 1);
	ck_assert_int_eq(EVP_MAC_final(ctx, (unsigned char *)out, &n, sizeof(out)), 1);
	ck_assert_uint_eq(n, sizeof(out));
	hash[0] = le64toh(out[0]);
	hash[1] = le64toh(out[1]);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

START_TEST(the_hash_is_siphash_2_4_128)
{
	char input[600];
	uint64_t ours[2], theirs[2];

	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (char)i;
	/* The first of the vectors its authors have published */
	http_memo_hash(&key, (struct bytes){ input, 0 }, ours);
	ck_assert_uint_eq(ours[0], 0xe6a825ba047f81a3);
	ck_assert_uint_eq(ours[1], 0x930255c71472f66d);
	for (size_t n = 0; n <= sizeof(input); n++) {
		struct http_memo_key other = { key.k0 + n, key.k1 ^ n << 40 };

		http_memo_hash(&other, (struct bytes){ input, n }, ours);
		reference(&other, (struct bytes){ input, n }, theirs);
		ck_assert_uint_eq(ours[0], theirs[0]);
		ck_assert_uint_eq(ours[1], theirs[1]);
	}
}
END_TEST

/* --- the same ------------------------------------------------------------------------------- */

START_TEST(the_same_request_is_recognised)
{
	struct http_memo m = remember(POLL);

	ck_assert(is_same(&m, POLL, ""));
	m = remember("POST /x HTTP/1.1\r\nHost: a\r\n\r\n");
	ck_assert(is_same(&m, "POST /x HTTP/1.1\r\nHost: a\r\n\r\n", ""));
	m = remember("POST /x? HTTP/1.1\r\nHost: a\r\n\r\n");
	ck_assert(is_same(&m, "POST /x? HTTP/1.1\r\nHost: a\r\n\r\n", ""));
	ck_assert(is_same(&m, "POST /x?t=1 HTTP/1.1\r\nHost: a\r\n\r\n", ""));
}
END_TEST

START_TEST(query_length_and_body_may_differ)
{
	struct http_memo m = remember(SEND("?t=99", "5", "[\"a\"]"));

	ck_assert(is_same(&m, SEND("?t=99", "5", "[\"b\"]"), "[\"b\"]"));
	ck_assert(is_same(&m, SEND("?t=100", "5", "[\"b\"]"), "[\"b\"]"));
	ck_assert(is_same(&m, SEND("?", "10", "[\"123456\"]"), "[\"123456\"]"));
	ck_assert(is_same(&m, SEND("?a=1&b=2&c.d_e-f~", "0", ""), ""));
	ck_assert(is_same(&m, SEND("?t=1", "0000005", "[\"b\"]"), "[\"b\"]"));
}
END_TEST

/* --- not the same ----------------------------------------------------------------------------- */

START_TEST(one_octet_of_the_head_makes_a_difference)
{
	static const char request[] = SEND("?t=99", "5", "[\"a\"]");
	struct http_memo m = remember(request);
	const char *query = strchr(request, '?') + 1, *end = strstr(request, "\r\n\r\n") + 4;
	char changed[sizeof(request)];

	for (const char *at = request; at < end; at++) {
		size_t i = (size_t)(at - request);

		for (unsigned c = 0; c < 256; c++) {
			bool in_query = at >= query && at < query + 4, ok = c == (unsigned char)*at;

			if (in_query)
				ok = (c < 128 && c != 0 &&
				      (isalnum((int)c) || strchr("=&_-.~", (int)c)));
			memcpy(changed, request, sizeof(request));
			changed[i] = (char)c;
			ck_assert_msg(
			    matches(&m, (struct bytes){ changed, sizeof(request) - 1 }) == ok,
			    "octet %zu as 0x%02x", i, c);
		}
	}
}
END_TEST

START_TEST(less_or_more_than_one_request_is_none)
{
	static const char request[] = SEND("?t=99", "5", "[\"a\"]");
	char twice[2 * sizeof(request)];
	struct http_memo m = remember(request);
	size_t n = sizeof(request) - 1;

	snprintf(twice, sizeof(twice), "%s%s", request, request);
	for (size_t i = 0; i <= 2 * n; i++) {
		/* In memory of its own length, so that a sanitizer sees a look beyond it */
		char *part = malloc(i ? i : 1);

		memcpy(part, twice, i);
		ck_assert(matches(&m, (struct bytes){ part, i }) == (i == n));
		free(part);
	}
}
END_TEST

START_TEST(lengths_that_are_no_numbers_are_not_recognised)
{
	struct http_memo m = remember(SEND("", "5", "[\"a\"]"));

	ck_assert(!is_same(&m, SEND("", "", "[\"a\"]"), ""));
	ck_assert(!is_same(&m, SEND("", "+5", "[\"a\"]"), ""));
	ck_assert(!is_same(&m, SEND("", "-5", "[\"a\"]"), ""));
	ck_assert(!is_same(&m, SEND("", "5,5", "[\"a\"]"), ""));
	ck_assert(!is_same(&m, SEND("", "0x5", "[\"a\"]"), ""));
	ck_assert(!is_same(&m, SEND("", "00000005", "[\"a\"]"), ""));
	ck_assert(!is_same(&m, SEND("", "4294967301", "[\"a\"]"), "")); /* 2^32 + 5 */
	ck_assert(!is_same(&m, SEND("", "4", "[\"a\"]"), ""));
	ck_assert(!is_same(&m, SEND("", "6", "[\"a\"]"), ""));
}
END_TEST

START_TEST(what_could_be_misread_is_not_remembered)
{
	static char long_head[HTTP_MEMO_MAX + 200], long_query[400];
	static const char *const not_these[] = {
		"POST /x?a=%20 HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /x?a?b HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /x HTTP/1.1\r\nContent-Length: x\r\n\r\n",
		"POST /x HTTP/1.1\r\nContent-Length: 12345678\r\n\r\n",
	};
	struct http_memo m;

	for (size_t i = 0; i < sizeof(not_these) / sizeof(*not_these); i++) {
		ck_assert_msg(!make(&m, not_these[i]), "%zu", i);
		ck_assert(!matches(&m, text(not_these[i])));
	}
	snprintf(long_head, sizeof(long_head), "POST / HTTP/1.1\r\nCookie: %0*d\r\n\r\n",
	    HTTP_MEMO_MAX, 0);
	ck_assert(!make(&m, long_head));
	snprintf(long_query, sizeof(long_query), "POST /?%0*d HTTP/1.1\r\n\r\n", 200, 0);
	ck_assert(!make(&m, long_query));
	ck_assert(!matches(&m, text("")));
}
END_TEST

START_TEST(another_key_is_another_hash)
{
	struct http_memo_key other = { key.k0, key.k1 + 1 };
	struct http_memo m = remember(POLL);
	struct bytes query, body;

	ck_assert(!http_memo_matches(&m, &other, text(POLL), &query, &body));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_memo");
	TCase *tc = tcase_create("memo");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, the_hash_is_siphash_2_4_128);
	tcase_add_test(tc, the_same_request_is_recognised);
	tcase_add_test(tc, query_length_and_body_may_differ);
	tcase_add_test(tc, one_octet_of_the_head_makes_a_difference);
	tcase_add_test(tc, less_or_more_than_one_request_is_none);
	tcase_add_test(tc, lengths_that_are_no_numbers_are_not_recognised);
	tcase_add_test(tc, what_could_be_misread_is_not_remembered);
	tcase_add_test(tc, another_key_is_another_hash);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
