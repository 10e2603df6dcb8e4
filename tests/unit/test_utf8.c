/*
 * tests/unit/test_utf8.c - UTF-8 validation against a plain reading of RFC 3629.
 */
#include "base/utf8.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The code point at p (n octets are there), and its length; 0 if it is not UTF-8. Slow and obvious.
 */
static size_t decode(const uint8_t *p, size_t n, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80       ? 1
	             : p[0] >> 5 == 6  ? 2
	             : p[0] >> 4 == 14 ? 3
	             : p[0] >> 3 == 30 ? 4
	                               : 0;

	if (len == 0 || len > n)
		return 0;
	*cp = len == 1 ? p[0] : p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	return *cp >= least[len] && *cp <= 0x10ffff ? len : 0;
}

static bool reference(const uint8_t *p, size_t n, bool wide)
{
	size_t i = 0, len;
	uint32_t cp;

	while (i < n) {
		len = decode(p + i, n - i, &cp);
		if (len == 0 || (!wide && cp >= 0xd800 && cp <= 0xdfff))
			return false;
		i += len;
	}
	return true;
}

START_TEST(every_sequence_of_three_octets_is_judged_rightly)
{
	uint8_t s[3];

	for (unsigned i = 0x800000; i < 1u << 24; i++) { /* an ASCII octet changes nothing */
		s[0] = (uint8_t)(i >> 16), s[1] = (uint8_t)(i >> 8), s[2] = (uint8_t)i;
		if (utf8_is_valid(s, 3) != reference(s, 3, false))
			ck_abort_msg("%02x %02x %02x", s[0], s[1], s[2]);
	}
}
END_TEST

START_TEST(every_pair_of_octets_is_judged_rightly)
{
	for (unsigned i = 0; i < 1u << 16; i++) {
		uint8_t s[2] = { (uint8_t)(i >> 8), (uint8_t)i };

		ck_assert_int_eq(utf8_is_valid(s, 2), reference(s, 2, false));
		ck_assert_int_eq(utf8_is_valid_wide(s, 2, NULL), reference(s, 2, true));
	}
}
END_TEST

START_TEST(every_four_octet_lead_and_border_is_judged_rightly)
{
	static const uint8_t border[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
		0xff };
	const size_t n = sizeof(border);

	for (unsigned lead = 0xe0; lead <= 0xff; lead++)
		for (size_t i = 0; i < n * n * n; i++) {
			uint8_t s[4] = { (uint8_t)lead, border[i / n / n], border[i / n % n],
				border[i % n] };

			ck_assert_int_eq(utf8_is_valid(s, 4), reference(s, 4, false));
			ck_assert_int_eq(utf8_is_valid_wide(s, 4, NULL), reference(s, 4, true));
		}
}
END_TEST

static const struct {
	const char *text;
	size_t bad_at; /* the octet that cannot stand there */
} offenders[] = {
	{ "\x80", 0 },
	{ "\xc0\x80", 0 },
	{ "\xc1\xbf", 0 },
	{ "\xc3(", 1 },
	{ "\xe0\x9f\xbf", 1 }, /* overlong */
	{ "\xed\xa0\x80", 1 }, /* surrogate */
	{ "\xe2\x82(", 2 },
	{ "\xf0\x8f\xbf\xbf", 1 }, /* overlong */
	{ "\xf4\x90\x80\x80", 1 }, /* over U+10FFFF */
	{ "\xf5\x80\x80\x80", 0 },
	{ "\xff", 0 },
	{ "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80", 12 },
};

START_TEST(fails_at_the_very_octet_that_cannot_follow)
{
	const char *text = offenders[_i].text;
	utf8_state state = UTF8_START;
	char padded[96];

	for (size_t i = 0; i <= offenders[_i].bad_at; i++) {
		ck_assert_int_ne(state, UTF8_INVALID);
		state = utf8_check(state, text + i, 1);
	}
	ck_assert_int_eq(state, UTF8_INVALID);
	ck_assert_int_eq(utf8_check(state, "a", 1), UTF8_INVALID);
	ck_assert_int_eq(utf8_check(state, "", 0), UTF8_INVALID);

	for (size_t pad = 0; pad < 70; pad++) { /* wherever it stands in a block */
		memset(padded, 'a', sizeof(padded));
		memcpy(padded + pad, text, strlen(text));
		ck_assert_int_eq(
		    utf8_check(UTF8_START, padded, pad + offenders[_i].bad_at + 1), UTF8_INVALID);
		ck_assert_int_ne(
		    utf8_check(UTF8_START, padded, pad + offenders[_i].bad_at), UTF8_INVALID);
	}
}
END_TEST

START_TEST(a_cut_sequence_is_neither_valid_nor_invalid)
{
	static const char *cut[] = { "\xc3", "\xe2", "\xe2\x82", "\xed\x9f", "\xf0\x9f",
		"\xf0\x9f\x98", "\xf4\x8f" };
	utf8_state state = utf8_check(UTF8_START, cut[_i], strlen(cut[_i]));
	char ascii[64];

	ck_assert_int_ne(state, UTF8_START);
	ck_assert_int_ne(state, UTF8_INVALID);
	ck_assert(!utf8_is_valid(cut[_i], strlen(cut[_i])));
	memset(ascii, 'a', sizeof(ascii));
	ck_assert_int_eq(utf8_check(state, ascii, sizeof(ascii)), UTF8_INVALID);
}
END_TEST

START_TEST(splitting_text_anywhere_changes_nothing)
{
	static const char text[] =
	    "k\xc3\xb4sm\xe2\x82\xac \xf0\x9f\x98\x80 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf the end of this text is plain again";
	const size_t n = sizeof(text) - 1;

	ck_assert(utf8_is_valid(text, n));
	for (size_t i = 0; i <= n; i++)
		for (size_t j = i; j <= n; j++) {
			utf8_state s = utf8_check(UTF8_START, text, i);

			s = utf8_check(s, text + i, j - i);
			ck_assert_int_eq(utf8_check(s, text + j, n - j), UTF8_START);
		}
}
END_TEST

START_TEST(nothing_is_valid_text)
{
	ck_assert(utf8_is_valid(NULL, 0));
	ck_assert(utf8_is_valid_wide("", 0, NULL));
	ck_assert(utf8_is_valid("\0", 1));
}
END_TEST

START_TEST(wide_text_may_hold_surrogates_and_says_so)
{
	bool has = false;

	ck_assert(utf8_is_valid_wide("a\xed\xa0\x80z", 5, &has));
	ck_assert(has);
	ck_assert(utf8_is_valid_wide("a\xed\xbf\xbfz", 5, &has));
	ck_assert(has);
	ck_assert(utf8_is_valid_wide("a\xed\x9f\xbfz", 5, &has));
	ck_assert(!has);
	ck_assert(!utf8_is_valid_wide("a\xed\xc0\x80z", 5, &has));
	ck_assert(!has);
	ck_assert(!utf8_is_valid_wide("\xed\xa0\x80\xff", 4, &has));
	ck_assert(!has);
	ck_assert(!utf8_is_valid_wide("\xed\xa0", 2, NULL));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("utf8");
	TCase *tc = tcase_create("utf8");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_pair_of_octets_is_judged_rightly);
	tcase_add_test(tc, every_sequence_of_three_octets_is_judged_rightly);
	tcase_add_test(tc, every_four_octet_lead_and_border_is_judged_rightly);
	tcase_add_loop_test(tc, fails_at_the_very_octet_that_cannot_follow, 0,
	    sizeof(offenders) / sizeof(offenders[0]));
	tcase_add_loop_test(tc, a_cut_sequence_is_neither_valid_nor_invalid, 0, 7);
	tcase_add_test(tc, splitting_text_anywhere_changes_nothing);
	tcase_add_test(tc, nothing_is_valid_text);
	tcase_add_test(tc, wide_text_may_hold_surrogates_and_says_so);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
