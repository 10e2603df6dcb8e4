/*
 * tests/unit/test_proxy_header.c - the PROXY protocol: who the client is, and not an octet more.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "net/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        "\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\x12\x34\0\x50"
#define V6                                                                                         \
	"\x21\x21\0\x24\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2" \
	"\x12\x34\0\x50"

static char client[ADDR_TEXT_MAX];

static enum proxy_header_result read_it(struct bytes in)
{
	struct proxy_header h;
	enum proxy_header_result result = proxy_header_read(in, &h);

	strcpy(client, "nobody");
	if (result == PROXY_HEADER_WHOLE && h.client.family)
		addr_print(&h.client, true, client);
	return result;
}

/* As a connection would bring it, in pieces, with something behind it: what was taken of it all. */
static size_t taken_in_pieces(struct bytes in, size_t piece, enum proxy_header_result *result)
{
	size_t taken = 0, there = 0, n;

	*result = PROXY_HEADER_MORE;
	while (*result == PROXY_HEADER_MORE && there < in.n) {
		there = there + piece < in.n ? there + piece : in.n;
		while (*result == PROXY_HEADER_MORE && taken < there) {
			n = proxy_header_take((struct bytes){ in.p, taken },
			    (struct bytes){ in.p + taken, there - taken });
			if (n == 0) {
				*result = PROXY_HEADER_BAD;
				break;
			}
			taken += n;
			*result = read_it((struct bytes){ in.p, taken });
		}
	}
	return taken;
}

/* With all sizes of pieces. */
static void is_header(struct bytes header, const char *expected)
{
	char all[2048];
	enum proxy_header_result result;

	ck_assert_int_eq(read_it(header), PROXY_HEADER_WHOLE);
	ck_assert_str_eq(client, expected);
	memcpy(all, header.p, header.n);
	memcpy(all + header.n, "\x16\3\1\n\r\n", 6);
	for (size_t piece = 1; piece <= header.n + 6; piece++) {
		size_t n = taken_in_pieces((struct bytes){ all, header.n + 6 }, piece, &result);

		ck_assert_int_eq(result, PROXY_HEADER_WHOLE);
		ck_assert_uint_eq(n, header.n);
		ck_assert_str_eq(client, expected);
	}
	for (size_t n = 0; n < header.n; n++)
		ck_assert_int_eq(
		    read_it((struct bytes){ header.p, n }), PROXY_HEADER_MORE);
}

START_TEST(a_line_says_who_it_is)
{
	is_header(BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 4660 80\r\n"), "192.0.2.7:4660");
	is_header(BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n"), "[2001:db8::1]:65535");
	is_header(BYTES("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), "192.0.2.7:1");
	is_header(BYTES("PROXY UNKNOWN\r\n"), "nobody");
	is_header(BYTES("PROXY UNKNOWN ffff::1 what ever\r\n"), "nobody");
}
END_TEST

START_TEST(a_line_that_is_not_as_it_should_be_is_refused)
{
	static const char *const lines[] = { "GET / HTTP/1.1\r\n", "PROXY\r\n", "PROXY \r\n",
		"proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n", "PROXY TCP5 192.0.2.7 198.51.100.1 1 2\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n", "PROXY TCP4 192.0.2.7  198.51.100.1 1 2\r\n",
		"PROXY TCP4 ::1 ::2 1 2\r\n", "PROXY TCP4 example.com 198.51.100.1 1 2\r\n",
		"PROXY TCP6 [::1] ::2 1 2\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n", "\n", "\r\n\n" };
	char lengthy[200] = "PROXY UNKNOWN ";

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		ck_assert_msg(read_it(bytes_of(lines[i])) == PROXY_HEADER_BAD, "%s", lines[i]);
	memset(lengthy + 14, 'x', 120);
	ck_assert_int_eq(read_it((struct bytes){ lengthy, 106 }), PROXY_HEADER_MORE);
	ck_assert_int_eq(read_it((struct bytes){ lengthy, 107 }), PROXY_HEADER_BAD);
	memcpy(lengthy + 105, "\r\n", 2);
	ck_assert_int_eq(read_it((struct bytes){ lengthy, 107 }), PROXY_HEADER_WHOLE);
	memcpy(lengthy + 105, "x\r\n", 3);
	ck_assert_int_eq(read_it((struct bytes){ lengthy, 108 }), PROXY_HEADER_BAD);
}
END_TEST

START_TEST(version_2_says_who_it_is)
{
	is_header(BYTES(SIGNATURE V4), "192.0.2.7:4660");
	is_header(BYTES(SIGNATURE V6), "[2001:db8::1]:4660");
	/* Extensions are passed over */
	is_header(BYTES(SIGNATURE "\x21\x11\0\x11\xc0\0\2\7\xc6\x33\x64\1\x12\x34\0\x50\4\0\2ab"),
	    "192.0.2.7:4660");
	/* The proxy itself, and what has no address that we know */
	is_header(BYTES(SIGNATURE "\x20\0\0\0"), "nobody");
	is_header(BYTES(SIGNATURE "\x20\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\x12\x34\0\x50"), "nobody");
	is_header(BYTES(SIGNATURE "\x21\0\0\0"), "nobody");
	is_header(BYTES(SIGNATURE "\x21\x12\0\x0c\xc0\0\2\7\xc6\x33\x64\1\x12\x34\0\x50"), "nobody");
}
END_TEST

START_TEST(version_2_that_is_not_as_it_should_be_is_refused)
{
	ck_assert_int_eq(read_it(BYTES(SIGNATURE "\x31\x11\0\0")), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_it(BYTES(SIGNATURE "\x22\x11\0\0")), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_it(BYTES(SIGNATURE "\x21\x11\0\x02" "ab")), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_it(BYTES(SIGNATURE "\x21\x21\0\x0c" "abcdefghijkl")), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_it(BYTES(SIGNATURE "\x21\x11\xff\xff")), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_it(BYTES(SIGNATURE V4 "x")), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_it(BYTES("\r\n\r\n\0\r\nQUIET")), PROXY_HEADER_BAD);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy_header");
	TCase *tc = tcase_create("proxy_header");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_line_says_who_it_is);
	tcase_add_test(tc, a_line_that_is_not_as_it_should_be_is_refused);
	tcase_add_test(tc, version_2_says_who_it_is);
	tcase_add_test(tc, version_2_that_is_not_as_it_should_be_is_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
