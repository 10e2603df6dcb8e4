/*
 * tests/unit/test_sockjs_frame.c - frames and wrappings, to the octet.
 */
#include "session/sockjs_frame.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "session/sockjs_payload.h"

#define N(array) (sizeof(array) / sizeof(*(array)))

struct text {
	char *p;
	size_t n;
};

/* A block of exactly n octets, so that ASan sees every octet too far. */
static struct text exactly(size_t n)
{
	return (struct text){ malloc(n ? n : 1), n };
}

static void assert_text(struct text t, const char *end, const char *expected, size_t n)
{
	ck_assert_ptr_eq(end, t.p + t.n); /* what was measured is what was written */
	ck_assert_uint_eq(t.n, n);
	ck_assert_mem_eq(t.p, expected, n);
	free(t.p);
}

static void assert_quoted(const char *source, size_t n, const char *expected)
{
	struct text t = exactly(sockjs_frame_quote_len(source, n));

	ck_assert_uint_le(t.n, sockjs_frame_quote_max(n));
	assert_text(t, sockjs_frame_quote(t.p, source, n), expected, strlen(expected));
}

#define assert_quotes(source, expected) assert_quoted((source), sizeof(source) - 1, (expected))

START_TEST(ordinary_text_is_only_put_in_quotes)
{
	assert_quotes("", "\"\"");
	assert_quotes("a", "\"a\"");
	assert_quotes("/<>&'%\x7f", "\"/<>&'%\x7f\"");
	assert_quotes("0123456789abcdef0123456789abcdef", "\"0123456789abcdef0123456789abcdef\"");
	assert_quotes("\xc2\x80\xc3\xa9\xdf\xbf\xe2\x82\xac\xef\xbf\xaf",
	    "\"\xc2\x80\xc3\xa9\xdf\xbf\xe2\x82\xac\xef\xbf\xaf\"");
}
END_TEST

START_TEST(json_escapes_have_their_short_forms)
{
	assert_quotes("\"\\", "\"\\\"\\\\\"");
	assert_quotes("\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\"");
	assert_quotes("\0\x01\x0b\x0e\x1f", "\"\\u0000\\u0001\\u000b\\u000e\\u001f\"");
	assert_quotes("{\"a\":\"b\",\"long enough for a block\":1}",
	    "\"{\\\"a\\\":\\\"b\\\",\\\"long enough for a block\\\":1}\"");
}
END_TEST

/* Three octets for a character of the BMP from U+0800. */
static void spell(char *p, unsigned cp)
{
	p[0] = (char)(0xe0 | cp >> 12);
	p[1] = (char)(0x80 | (cp >> 6 & 0x3f));
	p[2] = (char)(0x80 | (cp & 0x3f));
}

START_TEST(exactly_the_ranges_of_the_protocol_are_escaped)
{
	unsigned wrong = 0;

	for (unsigned cp = 0x800; cp <= 0xffff; cp++) {
		bool escaped = (cp >= 0x200c && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202f) ||
		               (cp >= 0x2060 && cp <= 0x206f) || (cp >= 0xd800 && cp <= 0xdfff) ||
		               cp >= 0xfff0;
		char source[4] = "", expected[16], got[32];

		spell(source, cp);
		if (escaped)
			snprintf(expected, sizeof(expected), "\"\\u%04x\"", cp);
		else
			snprintf(expected, sizeof(expected), "\"%s\"", source);
		*sockjs_frame_quote(got, source, 3) = '\0';
		wrong += strcmp(got, expected) != 0;
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(characters_beyond_the_bmp_go_out_as_pairs)
{
	assert_quotes("\xf0\x90\x80\x80", "\"\\ud800\\udc00\"");
	assert_quotes("\xf0\x9f\x98\x80", "\"\\ud83d\\ude00\"");
	assert_quotes("\xf4\x8f\xbf\xbf", "\"\\udbff\\udfff\"");
	assert_quotes(
	    "\xed\xa0\xbd\xed\xb8\x80", "\"\\ud83d\\ude00\""); /* two lone ones, side by side */
}
END_TEST

START_TEST(octets_that_are_not_utf8_cannot_break_a_frame)
{
	assert_quotes("\x80", "\"\\ufffd\"");
	assert_quotes("a\xc3", "\"a\\ufffd\"");
	assert_quotes("\xc3\"", "\"\\ufffd\\\"\"");
	assert_quotes("\xe2\x82x", "\"\\ufffd\\ufffdx\"");
	assert_quotes("\xc0\x80", "\"\\ufffd\\ufffd\"");
	assert_quotes("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	assert_quotes("\xf0\x9f\x98", "\"\\ufffd\\ufffd\\ufffd\"");
}
END_TEST

/* The reverse of quoting. */
static void assert_comes_back(const char *source, size_t n)
{
	struct text t = exactly(sockjs_frame_quote_len(source, n));
	struct sockjs_payload p;

	ck_assert_ptr_eq(sockjs_frame_quote(t.p, source, n), t.p + t.n);
	sockjs_payload_init(&p);
	ck_assert_int_eq(sockjs_payload_decode(&p, t.p, t.n, true, 0, 0), SOCKJS_PAYLOAD_OK);
	ck_assert_uint_eq(p.count, 1);
	ck_assert_uint_eq(p.messages[0].n, n);
	ck_assert_mem_eq(p.messages[0].p, source, n);
	sockjs_payload_fini(&p);
	free(t.p);
}

START_TEST(what_was_quoted_decodes_to_itself)
{
	static const char *const pieces[] = { "a", "0123456789abcdefghijklm", "\n", "\"", "\\",
		"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xe2\x80\xa8", "\x7f", "\x1f",
		"x\xed\xa0\xbdx" };
	unsigned seed = 11;
	char source[1024];

	for (int i = 0; i < 3000; i++) {
		int count = rand_r(&seed) % 40;
		size_t n = 0;

		while (count-- > 0)
			n += (size_t)sprintf(
			    source + n, "%s", pieces[(unsigned)rand_r(&seed) % N(pieces)]);
		if (n > 0 && rand_r(&seed) % 4 == 0)
			source[n - 1] = source[n - 1] < 0 ? source[n - 1] : '\0';
		assert_comes_back(source, n);
	}
}
END_TEST

START_TEST(the_worst_case_is_never_exceeded)
{
	char source[64];

	for (unsigned c = 0; c < 256; c++) {
		memset(source, (int)c, sizeof(source));
		for (size_t n = 0; n <= sizeof(source); n += 1 + n / 4) {
			struct text t = exactly(sockjs_frame_quote_max(n));
			char *end = sockjs_frame_quote(t.p, source, n);

			ck_assert(end <= t.p + t.n);
			ck_assert_uint_eq((size_t)(end - t.p), sockjs_frame_quote_len(source, n));
			free(t.p);
		}
	}
}
END_TEST

/* --- frames ------------------------------------------------------------------ */

static struct message *message(const char *text)
{
	return message_new(text, strlen(text), false, false);
}

START_TEST(messages_of_an_array_are_quoted_in_order)
{
	static const char expected[] = "a[\"x\",\"\",\"\\\"y\\\"\"]";
	struct message *m[] = { message("x"), message(""), message("\"y\"") };
	struct text t = exactly(sockjs_frame_array_len(m, 3));

	ck_assert_uint_le(t.n, sockjs_frame_array_max(m, 3));
	assert_text(t, sockjs_frame_array(t.p, m, 3), expected, sizeof(expected) - 1);
	t = exactly(sockjs_frame_array_len(m, 1));
	assert_text(t, sockjs_frame_array(t.p, m, 1), "a[\"x\"]", 6);
	t = exactly(sockjs_frame_array_len(m, 0));
	assert_text(t, sockjs_frame_array(t.p, m, 0), "a[]", 3);
	for (size_t i = 0; i < N(m); i++)
		message_unref(m[i]);
}
END_TEST

START_TEST(a_close_frame_has_code_and_reason)
{
	struct text t = exactly(sockjs_frame_close_max(8));
	char *end = sockjs_frame_close(t.p, 3000, "Go away!", 8);

	ck_assert_uint_eq((size_t)(end - t.p), 18);
	ck_assert_mem_eq(t.p, "c[3000,\"Go away!\"]", 18);
	free(t.p);
	t = exactly(sockjs_frame_close_max(1));
	end = sockjs_frame_close(t.p, 4294967295u, "\x01", 1);
	assert_text(t, end, "c[4294967295,\"\\u0001\"]", 22);
}
END_TEST

static void assert_event(const char *frame, size_t n, const char *expected)
{
	struct text t = exactly(sockjs_frame_event_len(frame, n));

	ck_assert_uint_le(t.n, sockjs_frame_event_max(n));
	assert_text(t, sockjs_frame_event(t.p, frame, n), expected, strlen(expected));
}

START_TEST(an_event_escapes_what_would_end_it_and_what_the_client_decodes)
{
	assert_event("o", 1, "data: o\r\n\r\n");
	assert_event("a[\"100%\"]", 9, "data: a[\"100%25\"]\r\n\r\n");
	assert_event("%41%%", 5, "data: %2541%25%25\r\n\r\n");
	assert_event("\r\n\0", 3, "data: %0D%0A%00\r\n\r\n");
	assert_event("\t\x01\xc3\xa9", 4, "data: \t\x01\xc3\xa9\r\n\r\n");
	assert_event("", 0, "data: \r\n\r\n");
}
END_TEST

static void assert_script(const char *frame, const char *expected)
{
	struct text t = exactly(sockjs_frame_script_len(frame, strlen(frame)));

	ck_assert_uint_le(t.n, sockjs_frame_script_max(strlen(frame)));
	assert_text(t, sockjs_frame_script(t.p, frame, strlen(frame)), expected, strlen(expected));
}

START_TEST(a_script_block_holds_the_frame_as_a_string)
{
	assert_script("a[\"x\"]", "<script>\np(\"a[\\\"x\\\"]\");\n</script>\r\n");
	assert_script("o", "<script>\np(\"o\");\n</script>\r\n");
	assert_script("a[\"\\n\"]", "<script>\np(\"a[\\\"\\\\n\\\"]\");\n</script>\r\n");
	assert_script("\xc3\xa9", "<script>\np(\"\xc3\xa9\");\n</script>\r\n");
}
END_TEST

START_TEST(no_message_can_end_a_script_or_open_a_comment)
{
	assert_script("a[\"</script><!--\"]",
	    "<script>\np(\"a[\\\"\\u003c/script>\\u003c!--\\\"]\");\n</script>\r\n");
}
END_TEST

static void assert_jsonp(const char *callback, const char *frame, const char *expected)
{
	size_t c = strlen(callback), n = strlen(frame);
	struct text t = exactly(sockjs_frame_jsonp_len(c, frame, n));

	ck_assert_uint_le(t.n, sockjs_frame_jsonp_max(c, n));
	assert_text(t, sockjs_frame_jsonp(t.p, callback, c, frame, n), expected, strlen(expected));
}

START_TEST(jsonp_calls_back_with_the_frame_as_a_string)
{
	assert_jsonp("callback", "a[\"x\"]", "/**/callback(\"a[\\\"x\\\"]\");\r\n");
	assert_jsonp("_jp.a", "o", "/**/_jp.a(\"o\");\r\n");
	assert_jsonp("f", "a[\"\\u2028<\"]", "/**/f(\"a[\\\"\\\\u2028<\\\"]\");\r\n");
}
END_TEST

/* --- into a buffer ----------------------------------------------------------- */

/* Everything that can be added, one behind the other. */
static int add_all(struct buf *b, struct message *const *m)
{
	int err = sockjs_frame_array_add(b, m, 1);

	if (err == 0)
		err = sockjs_frame_event_add(b, "%", 1);
	if (err == 0)
		err = sockjs_frame_script_add(b, "<", 1);
	if (err == 0)
		err = sockjs_frame_jsonp_add(b, "f", 1, "o", 1);
	return err;
}

START_TEST(everything_can_be_added_to_a_buffer)
{
	static const char expected[] = "a[\"x\"]data: %25\r\n\r\n"
	                               "<script>\np(\"\\u003c\");\n</script>\r\n/**/f(\"o\");\r\n";
	struct message *m = message("x");
	struct buf b = BUF_INIT;

	ck_assert_int_eq(add_all(&b, &m), 0);
	ck_assert_uint_eq(buf_len(&b), sizeof(expected) - 1);
	ck_assert_mem_eq(buf_data(&b), expected, sizeof(expected) - 1);
	buf_fini(&b);
	message_unref(m);
}
END_TEST

START_TEST(a_long_message_does_not_cost_its_worst_case)
{
	size_t n = 1 << 20;
	char *text = malloc(n);
	struct message *m;
	struct buf array = BUF_INIT, event = BUF_INIT, script = BUF_INIT, jsonp = BUF_INIT;

	memset(text, 'x', n);
	m = message_new(text, n, false, false);
	ck_assert_int_eq(sockjs_frame_array_add(&array, &m, 1), 0);
	ck_assert_int_eq(sockjs_frame_event_add(&event, text, n), 0);
	ck_assert_int_eq(sockjs_frame_script_add(&script, text, n), 0);
	ck_assert_int_eq(sockjs_frame_jsonp_add(&jsonp, "f", 1, text, n), 0);
	ck_assert_uint_eq(buf_len(&array), n + 5);
	ck_assert_uint_le(array.cap, 2 * n);
	ck_assert_uint_le(event.cap, 2 * n);
	ck_assert_uint_le(script.cap, 2 * n);
	ck_assert_uint_le(jsonp.cap, 2 * n);
	buf_fini(&array);
	buf_fini(&event);
	buf_fini(&script);
	buf_fini(&jsonp);
	message_unref(m);
	free(text);
}
END_TEST

START_TEST(adding_without_memory_changes_nothing)
{
	char text[200];
	struct message *m;
	struct buf b = BUF_INIT;

	memset(text, 'x', sizeof(text));
	m = message_new(text, sizeof(text), false, false);
	mem_fail_at(1);
	ck_assert_int_eq(sockjs_frame_array_add(&b, &m, 1), -ENOMEM);
	mem_fail_at(1);
	ck_assert_int_eq(sockjs_frame_event_add(&b, text, sizeof(text)), -ENOMEM);
	mem_fail_at(1);
	ck_assert_int_eq(sockjs_frame_script_add(&b, text, sizeof(text)), -ENOMEM);
	mem_fail_at(1);
	ck_assert_int_eq(sockjs_frame_jsonp_add(&b, "f", 1, text, sizeof(text)), -ENOMEM);
	mem_fail_at(0);
	ck_assert_uint_eq(buf_len(&b), 0);
	message_unref(m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sockjs_frame");
	TCase *tc = tcase_create("sockjs_frame");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, ordinary_text_is_only_put_in_quotes);
	tcase_add_test(tc, json_escapes_have_their_short_forms);
	tcase_add_test(tc, exactly_the_ranges_of_the_protocol_are_escaped);
	tcase_add_test(tc, characters_beyond_the_bmp_go_out_as_pairs);
	tcase_add_test(tc, octets_that_are_not_utf8_cannot_break_a_frame);
	tcase_add_test(tc, what_was_quoted_decodes_to_itself);
	tcase_add_test(tc, the_worst_case_is_never_exceeded);
	tcase_add_test(tc, messages_of_an_array_are_quoted_in_order);
	tcase_add_test(tc, a_close_frame_has_code_and_reason);
	tcase_add_test(tc, an_event_escapes_what_would_end_it_and_what_the_client_decodes);
	tcase_add_test(tc, a_script_block_holds_the_frame_as_a_string);
	tcase_add_test(tc, no_message_can_end_a_script_or_open_a_comment);
	tcase_add_test(tc, jsonp_calls_back_with_the_frame_as_a_string);
	tcase_add_test(tc, everything_can_be_added_to_a_buffer);
	tcase_add_test(tc, a_long_message_does_not_cost_its_worst_case);
	tcase_add_test(tc, adding_without_memory_changes_nothing);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
