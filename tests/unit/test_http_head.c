/*
 * tests/unit/test_http_head.c - heads of responses as text.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/http_head.h"

static char out[HTTP_HEAD_MAX + HTTP_HEAD_EXTRA + 1];

static const char *render(unsigned status, struct bytes lines, struct http_framing framing)
{
	size_t n = http_head_render(out, status, lines, framing);

	ck_assert_uint_le(n, lines.n + HTTP_HEAD_EXTRA);
	out[n] = '\0';
	ck_assert_str_eq(out + n - 4, "\r\n\r\n");
	ck_assert_ptr_eq(strstr(out, "\r\n\r\n"), out + n - 4);
	return out;
}

START_TEST(a_line_is_name_colon_value)
{
	struct http_head head;

	http_head_init(&head, 200);
	http_head_add(&head, "A", "b");
	http_head_add_bytes(&head, "Empty", (struct bytes){ NULL, 0 });
	http_head_add_lines(&head, BYTES("C: d\r\n"));
	http_head_add_lines(&head, (struct bytes){ NULL, 0 });
	ck_assert_uint_eq(head.len, 6 + 9 + 6);
	ck_assert_mem_eq(head.text, "A: b\r\nEmpty: \r\nC: d\r\n", head.len);
}
END_TEST

START_TEST(a_head_knows_that_a_line_did_not_fit)
{
	static char value[HTTP_HEAD_MAX];
	struct http_head head;

	memset(value, 'v', sizeof(value));
	http_head_init(&head, 200);
	http_head_add_bytes(&head, "N", (struct bytes){ value, HTTP_HEAD_MAX - 4 });
	ck_assert(head.is_cut);
	http_head_init(&head, 200);
	http_head_add_bytes(&head, "N", (struct bytes){ value, HTTP_HEAD_MAX - 5 });
	ck_assert_uint_eq(head.len, HTTP_HEAD_MAX);
	ck_assert(!head.is_cut);
	http_head_add_lines(&head, BYTES("Y: 1\r\n"));
	ck_assert_uint_eq(head.len, HTTP_HEAD_MAX);
	ck_assert(head.is_cut);
}
END_TEST

START_TEST(a_head_has_status_date_lines_and_framing)
{
	const char *text = render(200, BYTES("A: b\r\n"), (struct http_framing){ .keep_alive = true, .length = 12 });

	ck_assert_int_eq(strncmp(text, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
	ck_assert_ptr_nonnull(strstr(text, " GMT\r\nA: b\r\nContent-Length: 12\r\n\r\n"));
	ck_assert_ptr_null(strstr(text, "Connection"));
	text = render(404, BYTES(""), (struct http_framing){ .length = 0 });
	ck_assert_int_eq(strncmp(text, "HTTP/1.1 404 Not Found\r\n", 24), 0);
	ck_assert_ptr_nonnull(strstr(text, "Connection: close\r\nContent-Length: 0\r\n"));
	text = render(200, BYTES(""), (struct http_framing){ .keep_alive = true, .chunked = true, .length = -1 });
	ck_assert_ptr_nonnull(strstr(text, "Transfer-Encoding: chunked\r\n"));
	ck_assert_ptr_null(strstr(text, "Content-Length"));
	text = render(200, BYTES(""), (struct http_framing){ .length = -1 });
	ck_assert_ptr_null(strstr(text, "Transfer-Encoding"));
	ck_assert_ptr_null(strstr(text, "Content-Length"));
	text = render(200, BYTES(""),
	    (struct http_framing){ .keep_alive = true, .is_1_0 = true, .length = 0 });
	ck_assert_ptr_nonnull(strstr(text, "Connection: keep-alive\r\n"));
}
END_TEST

START_TEST(the_longest_head_fits_the_room_promised)
{
	for (unsigned status = 0; status < 1100; status++)
		render(
		    status, BYTES(""), (struct http_framing){ .length = 0x7fffffffffffffff });
}
END_TEST

START_TEST(every_status_has_a_reason)
{
	ck_assert_str_eq(http_reason(503), "Service Unavailable");
	ck_assert_str_eq(http_reason(426), "Upgrade Required");
	ck_assert_str_eq(http_reason(799), "Unknown");
}
END_TEST

START_TEST(caching_is_a_year_or_never_or_with_a_question)
{
	struct http_head head;

	http_head_init(&head, 200);
	http_head_never_cache(&head);
	head.text[head.len] = '\0';
	ck_assert_ptr_nonnull(strstr(head.text, "no-store"));
	ck_assert_ptr_nonnull(strstr(head.text, "no-transform"));
	http_head_init(&head, 200);
	http_head_cache_but_ask(&head);
	head.text[head.len] = '\0';
	ck_assert_ptr_nonnull(
	    strstr(head.text, "Cache-Control: public, max-age=31536000, no-cache\r\nExpires: "));
	http_head_init(&head, 200);
	http_head_cache_for_a_year(&head);
	head.text[head.len] = '\0';
	ck_assert_ptr_nonnull(
	    strstr(head.text, "Cache-Control: public, max-age=31536000\r\nExpires: "));
	ck_assert_str_eq(head.text + head.len - 6, " GMT\r\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_head");
	TCase *tc = tcase_create("head");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_line_is_name_colon_value);
	tcase_add_test(tc, a_head_knows_that_a_line_did_not_fit);
	tcase_add_test(tc, a_head_has_status_date_lines_and_framing);
	tcase_add_test(tc, the_longest_head_fits_the_room_promised);
	tcase_add_test(tc, every_status_has_a_reason);
	tcase_add_test(tc, caching_is_a_year_or_never_or_with_a_question);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
