/*
 * tests/unit/test_sockjs_payload.c - what clients send, right and wrong.
 */
#include "session/sockjs_payload.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/mem.h"

#define N(array) (sizeof(array) / sizeof(*(array)))

static struct sockjs_payload payload;
static char *text; /* a block of exactly the text's length, so that ASan sees every octet too far */

static void setup(void)
{
	sockjs_payload_init(&payload);
	text = NULL;
}

static void teardown(void)
{
	sockjs_payload_fini(&payload);
	free(text);
}

static enum sockjs_payload_status decode_limited(
    const char *p, size_t n, bool allow_string, size_t max_bytes, size_t max_messages)
{
	free(text);
	text = malloc(n ? n : 1);
	memcpy(text, p, n);
	return sockjs_payload_decode(&payload, text, n, allow_string, max_bytes, max_messages);
}

static enum sockjs_payload_status decode(const char *p)
{
	return decode_limited(p, strlen(p), false, 0, 0);
}

static void assert_message(size_t i, const char *expected, size_t n)
{
	ck_assert_uint_lt(i, payload.count);
	ck_assert_uint_eq(payload.messages[i].n, n);
	ck_assert_mem_eq(payload.messages[i].p, expected, n);
}

static void assert_status(const char *p, bool allow_string, enum sockjs_payload_status expected)
{
	enum sockjs_payload_status got = decode_limited(p, strlen(p), allow_string, 0, 0);

	ck_assert_msg(got == expected, "%s: status %d, not %d", p, got, expected);
	if (got != SOCKJS_PAYLOAD_OK)
		ck_assert_uint_eq(payload.count, 0);
}

START_TEST(messages_come_in_order)
{
	ck_assert_int_eq(decode("[\"one\",\"\",\"three\"]"), SOCKJS_PAYLOAD_OK);
	ck_assert_uint_eq(payload.count, 3);
	assert_message(0, "one", 3);
	assert_message(1, "", 0);
	assert_message(2, "three", 5);
}
END_TEST

START_TEST(white_space_is_allowed_around_every_token)
{
	ck_assert_int_eq(decode(" \t\r\n[ \n\"a\"\t,\r\"b\" ] \r\n"), SOCKJS_PAYLOAD_OK);
	ck_assert_uint_eq(payload.count, 2);
	assert_message(1, "b", 1);
	ck_assert_int_eq(decode("[ ]"), SOCKJS_PAYLOAD_OK);
	ck_assert_uint_eq(payload.count, 0);
}
END_TEST

START_TEST(no_text_is_empty_but_white_space_is_broken)
{
	assert_status("", false, SOCKJS_PAYLOAD_EMPTY);
	assert_status(" ", false, SOCKJS_PAYLOAD_BROKEN);
	assert_status("\n", true, SOCKJS_PAYLOAD_BROKEN);
}
END_TEST

START_TEST(escapes_mean_what_json_says)
{
	static const char expected[] = "\"\\/\b\f\n\r\t\0A\xc3\xa9\xe2\x82\xac";

	ck_assert_int_eq(decode("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u0041\\u00E9\\u20aC\"]"),
	    SOCKJS_PAYLOAD_OK);
	assert_message(0, expected, sizeof(expected) - 1);
}
END_TEST

START_TEST(an_escaped_pair_is_one_character)
{
	ck_assert_int_eq(decode("[\"\\ud83d\\ude00\",\"\\uDBFF\\uDFFF\",\"\\ud800\\udc00\"]"),
	    SOCKJS_PAYLOAD_OK);
	assert_message(0, "\xf0\x9f\x98\x80", 4);
	assert_message(1, "\xf4\x8f\xbf\xbf", 4);
	assert_message(2, "\xf0\x90\x80\x80", 4);
}
END_TEST

START_TEST(lone_surrogates_become_three_octets)
{
	ck_assert_int_eq(
	    decode("[\"\\ud800\",\"\\udfff\",\"\\ude00\\ud83d\",\"\\ud83dx\"]"), SOCKJS_PAYLOAD_OK);
	assert_message(0, "\xed\xa0\x80", 3);
	assert_message(1, "\xed\xbf\xbf", 3);
	assert_message(2, "\xed\xb8\x80\xed\xa0\xbd", 6);
	assert_message(3, "\xed\xa0\xbdx", 4);
	ck_assert_int_eq(decode("[\"\\ud83d\\ud83d\\ude00\",\"\\ud83d\\u0041\",\"\\ud83d\\n\"]"),
	    SOCKJS_PAYLOAD_OK);
	assert_message(0, "\xed\xa0\xbd\xf0\x9f\x98\x80", 7);
	assert_message(1,
	    "\xed\xa0\xbd"
	    "A",
	    4);
	assert_message(2, "\xed\xa0\xbd\n", 4);
}
END_TEST

START_TEST(bad_escapes_are_broken)
{
	static const char *const bad[] = { "[\"\\x\"]", "[\"\\u12\"]", "[\"\\u123g\"]",
		"[\"\\U0041\"]", "[\"\\", "[\"\\u", "[\"\\u004", "[\"\\\"]", "[\"\\'\"]",
		"[\"\\ud83d\\u12\"]", "[\"\\ud83d\\", "[\"\\u 041\"]", "[\"\\u+041\"]" };

	for (size_t i = 0; i < N(bad); i++)
		assert_status(bad[i], false, SOCKJS_PAYLOAD_BROKEN);
}
END_TEST

START_TEST(every_control_character_has_to_be_escaped)
{
	char p[] = "[\"a?b\"]";

	for (int c = 0; c < 0x20; c++) {
		p[3] = (char)c;
		ck_assert_int_eq(
		    decode_limited(p, sizeof(p) - 1, false, 0, 0), SOCKJS_PAYLOAD_BROKEN);
	}
	p[3] = 0x7f;
	ck_assert_int_eq(decode(p), SOCKJS_PAYLOAD_OK);
}
END_TEST

START_TEST(characters_of_every_length_pass_at_their_bounds)
{
	static const char *const good[] = { "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf" };

	for (size_t i = 0; i < N(good); i++) {
		char p[16];

		snprintf(p, sizeof(p), "[\"%s\"]", good[i]);
		ck_assert_int_eq(decode(p), SOCKJS_PAYLOAD_OK);
		assert_message(0, good[i], strlen(good[i]));
	}
}
END_TEST

START_TEST(what_is_not_utf8_is_broken)
{
	static const char *const bad[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2",
		"\xc2\x41", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80",
		"\xed\xbf\xbf", "\xed\xa0\xbd\xed\xb8\x80", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
		"\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe",
		"\xc3\xa9\x80" };

	for (size_t i = 0; i < N(bad); i++) {
		char p[32];

		snprintf(p, sizeof(p), "[\"%s\"]", bad[i]);
		assert_status(p, false, SOCKJS_PAYLOAD_BROKEN);
		snprintf(p, sizeof(p), "[\"\\n%s", bad[i]);
		assert_status(p, false, SOCKJS_PAYLOAD_BROKEN);
		snprintf(p, sizeof(p), "[1, \"%s\"]", bad[i]);
		assert_status(p, false, SOCKJS_PAYLOAD_BROKEN);
		assert_status(bad[i], false, SOCKJS_PAYLOAD_BROKEN);
	}
}
END_TEST

START_TEST(nothing_but_white_space_may_follow)
{
	assert_status("[\"a\"]x", false, SOCKJS_PAYLOAD_BROKEN);
	assert_status("[\"a\"][]", false, SOCKJS_PAYLOAD_BROKEN);
	assert_status("\"a\"\"b\"", true, SOCKJS_PAYLOAD_BROKEN);
	assert_status("[\"a\"]\v", false, SOCKJS_PAYLOAD_BROKEN);
	ck_assert_int_eq(decode_limited("[\"a\"]\0", 6, false, 0, 0), SOCKJS_PAYLOAD_BROKEN);
	ck_assert_int_eq(decode_limited("\0[]", 3, false, 0, 0), SOCKJS_PAYLOAD_BROKEN);
}
END_TEST

START_TEST(a_text_cut_anywhere_is_broken)
{
	static const char whole[] =
	    " [ \"a\\n\\ud83d\\ude00\" , \"\xf0\x9f\x98\x80\xc3\xa9 0123456789abcdef\" ]";

	for (size_t n = 1; n < sizeof(whole) - 1; n++)
		ck_assert_int_eq(decode_limited(whole, n, true, 0, 0), SOCKJS_PAYLOAD_BROKEN);
	ck_assert_int_eq(decode(whole), SOCKJS_PAYLOAD_OK);
}
END_TEST

START_TEST(commas_stand_between_members_only)
{
	static const char *const bad[] = { "[,]", "[\"a\",]", "[,\"a\"]", "[\"a\",,\"b\"]",
		"[\"a\" \"b\"]", "[", "[\"a\"", "[\"a\",", "[\"a", "]", "[\"a\"}",
		"[\"a\":\"b\"]" };

	for (size_t i = 0; i < N(bad); i++)
		assert_status(bad[i], false, SOCKJS_PAYLOAD_BROKEN);
}
END_TEST

START_TEST(a_string_alone_is_taken_only_where_it_is_allowed)
{
	assert_status("\"a\"", false, SOCKJS_PAYLOAD_NOT_ARRAY);
	assert_status(" \"a\\u0062\" ", true, SOCKJS_PAYLOAD_OK);
	ck_assert_uint_eq(payload.count, 1);
	assert_message(0, "ab", 2);
	assert_status("\"\"", true, SOCKJS_PAYLOAD_OK);
	ck_assert_uint_eq(payload.count, 1);
	assert_status("\"a", true, SOCKJS_PAYLOAD_BROKEN);
}
END_TEST

static const char *const other_values[] = { "0", "-0", "1", "-12", "1.5", "0.25", "1e5", "1E+5",
	"-1.5e-10", "true", "false", "null", "{}", "{ }", "{\"a\":1}",
	"{\"a\":{\"b\":[]},\"c\":\"\\ud800\"}",
	"{ \"a\" : [ 1 , { \"b\" : null } , [ ] ] , \"a\" : \"\xc3\xa9\" }", "1e999" };

static const char *const no_values[] = { "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x10", "-a",
	"tru", "True", "nul", "truefalse", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}",
	"{,}", "{\"a\" 1}", "{a:1}", "{1:1}", "{\"a\":1]", "{\"a\":1 \"b\":2}", "{\"\x1f\":1}",
	"{\"\\x\":1}", "'a'", "NaN", "Infinity", "[}", "[1", "[1,]", "[[]", "\xef\xbb\xbf[]",
	"// x", "1 2", "[1]]" };

START_TEST(json_that_is_no_array_is_told_from_what_is_no_json)
{
	for (size_t i = 0; i < N(other_values); i++)
		assert_status(other_values[i], true, SOCKJS_PAYLOAD_NOT_ARRAY);
	for (size_t i = 0; i < N(no_values); i++)
		assert_status(no_values[i], true, SOCKJS_PAYLOAD_BROKEN);
}
END_TEST

START_TEST(members_that_are_no_strings_are_refused)
{
	char p[128];

	for (size_t i = 0; i < N(other_values); i++) {
		snprintf(p, sizeof(p), "[\"a\", %s , \"b\"]", other_values[i]);
		assert_status(p, false, SOCKJS_PAYLOAD_NOT_STRING);
	}
	assert_status("[[]]", false, SOCKJS_PAYLOAD_NOT_STRING);
	assert_status("[[\"a\"],\"b\"]", false, SOCKJS_PAYLOAD_NOT_STRING);
	for (size_t i = 0; i < N(no_values); i++) {
		snprintf(p, sizeof(p), "[\"a\", %s , \"b\"]", no_values[i]);
		assert_status(p, false, SOCKJS_PAYLOAD_BROKEN);
	}
	assert_status("[1", false, SOCKJS_PAYLOAD_BROKEN);
	assert_status("[1]x", false, SOCKJS_PAYLOAD_BROKEN);
	assert_status("[1}", false, SOCKJS_PAYLOAD_BROKEN);
}
END_TEST

/* Arrays and objects in turn, `depth` of them; closed if `whole`. */
static enum sockjs_payload_status decode_nested(size_t depth, bool whole)
{
	char *p = malloc(depth * 6 + 1);
	size_t n = 0;
	enum sockjs_payload_status status;

	for (size_t i = 0; i < depth; i++) {
		if (i % 3 == 2) {
			memcpy(p + n, "{\"\":", 4);
			n += 4;
		} else {
			p[n++] = '[';
		}
	}
	p[n++] = '0';
	for (size_t i = depth; whole && i-- > 0;)
		p[n++] = i % 3 == 2 ? '}' : ']';
	status = decode_limited(p, n, false, 0, 0);
	free(p);
	return status;
}

START_TEST(nesting_is_bounded)
{
	ck_assert_int_eq(decode_nested(SOCKJS_PAYLOAD_MAX_DEPTH, true), SOCKJS_PAYLOAD_NOT_STRING);
	ck_assert_int_eq(decode_nested(SOCKJS_PAYLOAD_MAX_DEPTH, false), SOCKJS_PAYLOAD_BROKEN);
	ck_assert_int_eq(decode_nested(SOCKJS_PAYLOAD_MAX_DEPTH + 1, true), SOCKJS_PAYLOAD_BROKEN);
	ck_assert_int_eq(decode_nested(1000000, true), SOCKJS_PAYLOAD_BROKEN);
}
END_TEST

START_TEST(limits_hold_for_decoded_octets_and_for_the_number_of_messages)
{
	static const char p[] = "[\"\\u0041\\u0041\\u0041\",\"b\"]";
	size_t n = sizeof(p) - 1;

	ck_assert_int_eq(decode_limited(p, n, false, 3, 2), SOCKJS_PAYLOAD_OK);
	ck_assert_int_eq(decode_limited(p, n, false, 2, 2), SOCKJS_PAYLOAD_TOO_BIG);
	ck_assert_uint_eq(payload.count, 0);
	ck_assert_int_eq(decode_limited(p, n, false, 3, 1), SOCKJS_PAYLOAD_TOO_BIG);
	ck_assert_int_eq(decode_limited("\"abc\"", 5, true, 2, 0), SOCKJS_PAYLOAD_TOO_BIG);
	ck_assert_int_eq(decode_limited("[]", 2, true, 1, 1), SOCKJS_PAYLOAD_OK);
}
END_TEST

/* ["0","1",...] */
static enum sockjs_payload_status decode_numbers(size_t count)
{
	char *p = malloc(count * 10 + 2);
	size_t n = 1;
	enum sockjs_payload_status status;

	p[0] = '[';
	for (size_t i = 0; i < count; i++)
		n += (size_t)sprintf(p + n, "%s\"%zu\"", i ? "," : "", i);
	p[n++] = ']';
	status = decode_limited(p, n, false, 0, 0);
	free(p);
	return status;
}

static void assert_numbers(size_t count)
{
	char expected[24];

	ck_assert_uint_eq(payload.count, count);
	for (size_t i = 0; i < count; i++)
		assert_message(i, expected, (size_t)sprintf(expected, "%zu", i));
}

START_TEST(any_number_of_messages_fits_and_memory_is_given_back)
{
	static const size_t counts[] = { 15, 16, 17, 1000, 5000, 3 };

	for (size_t i = 0; i < N(counts); i++) {
		ck_assert_int_eq(decode_numbers(counts[i]), SOCKJS_PAYLOAD_OK);
		assert_numbers(counts[i]);
	}
	ck_assert_ptr_eq(payload.messages, payload.few);
}
END_TEST

START_TEST(running_out_of_memory_loses_the_text_but_not_the_decoder)
{
	unsigned long nth = 1;

	for (;; nth++) {
		enum sockjs_payload_status status;

		sockjs_payload_fini(&payload);
		mem_fail_at(nth);
		status = decode_numbers(100);
		if (!mem_failed())
			break;
		ck_assert_int_eq(status, SOCKJS_PAYLOAD_NO_MEMORY);
		ck_assert_uint_eq(payload.count, 0);
		mem_fail_at(0);
		ck_assert_int_eq(decode_numbers(100), SOCKJS_PAYLOAD_OK);
		assert_numbers(100);
	}
	mem_fail_at(0);
	ck_assert_uint_eq(nth, 4); /* 16 to 128 in three steps, then nothing failed */
}
END_TEST

START_TEST(a_few_messages_allocate_nothing)
{
	mem_fail_at(1);
	ck_assert_int_eq(decode_numbers(16), SOCKJS_PAYLOAD_OK);
	ck_assert(!mem_failed());
	mem_fail_at(0);
}
END_TEST

/* A text of random pieces, most of it right. */
static size_t random_text(char *p, unsigned *seed)
{
	static const char *const pieces[] = { "a", "0123456789abcdefghijklmn", "\\n", "\\\"",
		"\\u00e9", "\\ud83d", "\\ude00", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
		"\\u0000", "\",\"", "\" , \"", "\\/", " ", "\"]", "\x1f", "\xed\xa0\x80",
		"\",1,\"" };
	size_t n = (size_t)sprintf(p, "[\"");
	int count = rand_r(seed) % 40;

	for (int i = 0; i < count; i++) {
		size_t which = (size_t)rand_r(seed) % (rand_r(seed) % 100 ? 15 : N(pieces));

		n += (size_t)sprintf(p + n, "%s", pieces[which]);
	}
	return n + (size_t)sprintf(p + n, "\"]");
}

static bool has_surrogates(struct bytes m)
{
	for (size_t i = 0; i + 1 < m.n; i++)
		if ((unsigned char)m.p[i] == 0xed && (unsigned char)m.p[i + 1] >= 0xa0)
			return true;
	return false;
}

/* Whether jansson is of our opinion where it has one: it knows no lone surrogates. */
static bool agrees(json_t *root, enum sockjs_payload_status status)
{
	if (!root) {
		bool surrogates = status == SOCKJS_PAYLOAD_NOT_STRING;

		for (size_t i = 0; i < payload.count; i++)
			surrogates |= has_surrogates(payload.messages[i]);
		return status == SOCKJS_PAYLOAD_BROKEN || surrogates;
	}
	if (status == SOCKJS_PAYLOAD_NOT_STRING)
		return true;
	if (status != SOCKJS_PAYLOAD_OK || json_array_size(root) != payload.count)
		return false;
	for (size_t i = 0; i < payload.count; i++) {
		json_t *s = json_array_get(root, i);

		if (!bytes_equal(payload.messages[i],
		        (struct bytes){ json_string_value(s), json_string_length(s) }))
			return false;
	}
	return true;
}

START_TEST(jansson_reads_the_same)
{
	unsigned seed = 7, agreed = 0;
	char p[2048];

	for (int i = 0; i < 5000; i++) {
		size_t n = random_text(p, &seed);
		json_t *root = json_loadb(p, n, JSON_ALLOW_NUL, NULL);
		enum sockjs_payload_status status = decode_limited(p, n, false, 0, 0);

		ck_assert_msg(agrees(root, status), "status %d for %s", status, p);
		agreed += status == SOCKJS_PAYLOAD_OK && root;
		json_decref(root);
	}
	ck_assert_uint_gt(agreed, 500);
}
END_TEST

/* --- base/text.h -------------------------------------------------------- */

static void assert_stops(struct text_stops s)
{
	char block[40];

	for (unsigned c = 0; c < 256; c++) {
		for (size_t at = 0; at < sizeof(block); at++) {
			size_t expected = text_is_plain((char)c, s) ? sizeof(block) : at;

			memset(block, 'x', sizeof(block));
			block[at] = (char)c;
			if (at + 1 < sizeof(block) && expected == at)
				block[at + 1] = 0x01; /* the one a borrow could hide behind */
			ck_assert_uint_eq(text_plain(block, sizeof(block), s), expected);
		}
	}
}

START_TEST(the_wide_search_finds_every_stop_at_every_place)
{
	ck_assert(
	    !text_is_plain('"', TEXT_STRING_STOPS) && !text_is_plain('\\', TEXT_STRING_STOPS));
	ck_assert(
	    !text_is_plain('\x1f', TEXT_STRING_STOPS) && !text_is_plain('\x80', TEXT_STRING_STOPS));
	ck_assert(
	    text_is_plain(' ', TEXT_STRING_STOPS) && text_is_plain('\x7f', TEXT_STRING_STOPS));
	assert_stops(TEXT_STRING_STOPS);
	assert_stops((struct text_stops){ '"', '\\', '<', false });
	assert_stops((struct text_stops){ '%', '%', '%', false });
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sockjs_payload");
	TCase *tc = tcase_create("sockjs_payload");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, messages_come_in_order);
	tcase_add_test(tc, white_space_is_allowed_around_every_token);
	tcase_add_test(tc, no_text_is_empty_but_white_space_is_broken);
	tcase_add_test(tc, escapes_mean_what_json_says);
	tcase_add_test(tc, an_escaped_pair_is_one_character);
	tcase_add_test(tc, lone_surrogates_become_three_octets);
	tcase_add_test(tc, bad_escapes_are_broken);
	tcase_add_test(tc, every_control_character_has_to_be_escaped);
	tcase_add_test(tc, characters_of_every_length_pass_at_their_bounds);
	tcase_add_test(tc, what_is_not_utf8_is_broken);
	tcase_add_test(tc, nothing_but_white_space_may_follow);
	tcase_add_test(tc, a_text_cut_anywhere_is_broken);
	tcase_add_test(tc, commas_stand_between_members_only);
	tcase_add_test(tc, a_string_alone_is_taken_only_where_it_is_allowed);
	tcase_add_test(tc, json_that_is_no_array_is_told_from_what_is_no_json);
	tcase_add_test(tc, members_that_are_no_strings_are_refused);
	tcase_add_test(tc, nesting_is_bounded);
	tcase_add_test(tc, limits_hold_for_decoded_octets_and_for_the_number_of_messages);
	tcase_add_test(tc, any_number_of_messages_fits_and_memory_is_given_back);
	tcase_add_test(tc, running_out_of_memory_loses_the_text_but_not_the_decoder);
	tcase_add_test(tc, a_few_messages_allocate_nothing);
	tcase_add_test(tc, jansson_reads_the_same);
	tcase_add_test(tc, the_wide_search_finds_every_stop_at_every_place);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
