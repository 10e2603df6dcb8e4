/*
 * tests/unit/test_base64.c - RFC 4648 section 10 and everything a strict decoder refuses.
 */
#include "base/base64.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *plain, *coded;
} vectors[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xef\xbe\xff\xff\xff", "++++////" },
};

START_TEST(encodes_the_vectors_of_the_rfc)
{
	char out[64];
	size_t n = strlen(vectors[_i].plain);

	memset(out, '#', sizeof(out));
	base64_encode(out, vectors[_i].plain, n);
	ck_assert_uint_eq(BASE64_LEN(n), strlen(vectors[_i].coded));
	ck_assert_mem_eq(out, vectors[_i].coded, BASE64_LEN(n));
	ck_assert_int_eq(out[BASE64_LEN(n)], '#');
}
END_TEST

START_TEST(decodes_the_vectors_of_the_rfc)
{
	char out[64];
	size_t n = strlen(vectors[_i].plain);

	memset(out, '#', sizeof(out));
	ck_assert_int_eq(base64_decode(out, vectors[_i].coded, strlen(vectors[_i].coded)), (int)n);
	ck_assert_mem_eq(out, vectors[_i].plain, n);
}
END_TEST

START_TEST(every_octet_at_every_place_comes_back)
{
	for (unsigned v = 0; v < 256; v++)
		for (size_t at = 0; at < 5; at++)
			for (size_t n = at + 1; n <= 5; n++) {
				unsigned char in[5] = { 1, 2, 3, 4, 5 }, back[6];
				char coded[8];

				in[at] = (unsigned char)v;
				base64_encode(coded, in, n);
				ck_assert_int_eq(base64_decode(back, coded, BASE64_LEN(n)), (int)n);
				ck_assert_mem_eq(back, in, n);
			}
}
END_TEST

static const char *malformed[] = {
	"Z",
	"Zg",
	"Zg=",
	"Zm9vY",
	"Zg==Zg==",
	"Zg=a",
	"Z===",
	"====",
	"=Zg=",
	"Zm=v",
	"Zm9v====",
	"Zh==", /* pad bits are not zero */
	"Zm9=",
	"Zm9v\n",
	"Zm 9",
	"Zm9-",
	"Zm9_",
	"Zm\x80v",
	"*m8=",
	"Z*8=",
	"Zm*=",
};

START_TEST(whatever_is_not_base64_is_refused)
{
	char out[16];

	ck_assert_int_eq(base64_decode(out, malformed[_i], strlen(malformed[_i])), -EINVAL);
}
END_TEST

START_TEST(only_the_characters_of_the_alphabet_are_accepted)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char out[3];

	for (int c = 0; c < 256; c++)
		for (int at = 0; at < 4; at++) {
			char in[4] = { 'A', 'A', 'A', 'A' };
			bool ok = c != 0 && strchr(alphabet, c);

			in[at] = (char)c;
			if (at == 3 && c == '=')
				ok = true; /* padding */
			ck_assert_int_eq(base64_decode(out, in, 4) >= 0, ok);
		}
}
END_TEST

/* Into exactly as much memory as it needs: the sanitizer sees an octet more. */
START_TEST(without_padding_every_length_comes_back)
{
	unsigned char in[20];
	char text[BASE64_LEN(sizeof(in)) + 1];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)(251 * (i + 1));
	for (size_t n = 0; n <= sizeof(in); n++) {
		size_t len = base64_encode_unpadded(text, in, n);
		char *out = malloc(n ? n : 1);

		ck_assert_uint_eq(strlen(text), len);
		ck_assert_ptr_null(strchr(text, '='));
		ck_assert_uint_eq(BASE64_DECODED(len), n);
		ck_assert_int_eq(base64_decode_unpadded(out, text, len, BASE64_PLAIN), (int)n);
		ck_assert_mem_eq(out, in, n);
		free(out);
	}
}
END_TEST

START_TEST(without_padding_it_is_as_strict)
{
	/* padding, a lonely character, bits that are left over, the other alphabet */
	static const char *const wrong[] = { "Zg==", "Zm8=", "Z", "Zm9vZ", "Zh", "Zm9", "-_8",
		"Zg\n" };
	char *out = malloc(6);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ck_assert_int_eq(
		    base64_decode_unpadded(out, wrong[i], strlen(wrong[i]), BASE64_PLAIN), -EINVAL);
	ck_assert_int_eq(base64_decode_unpadded(out, "-_8", 3, BASE64_URL), 2);
	ck_assert_mem_eq(out, "\xfb\xff", 2);
	ck_assert_int_eq(base64_decode_unpadded(out, "+/8", 3, BASE64_URL), -EINVAL);
	free(out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base64");
	TCase *tc = tcase_create("base64");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(
	    tc, encodes_the_vectors_of_the_rfc, 0, sizeof(vectors) / sizeof(vectors[0]));
	tcase_add_loop_test(
	    tc, decodes_the_vectors_of_the_rfc, 0, sizeof(vectors) / sizeof(vectors[0]));
	tcase_add_test(tc, every_octet_at_every_place_comes_back);
	tcase_add_loop_test(
	    tc, whatever_is_not_base64_is_refused, 0, sizeof(malformed) / sizeof(malformed[0]));
	tcase_add_test(tc, only_the_characters_of_the_alphabet_are_accepted);
	tcase_add_test(tc, without_padding_every_length_comes_back);
	tcase_add_test(tc, without_padding_it_is_as_strict);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
