/*
 * tests/unit/test_ws_deflate.c - messages to DEFLATE and back. What comes out is
 * also read by zlib's own inflate with the window that was agreed, and what goes in
 * is written by zlib's own deflate.
 */
#include "ws/ws_deflate.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"

enum { BIG = 200000 };

static struct ws_deflate *codec;
static char text[BIG], noise[BIG], packed[BIG + WS_DEFLATE_ROOM];

static void setup(void)
{
	unsigned r = 1;

	codec = ws_deflate_new();
	for (size_t i = 0; i < BIG; i++) {
		r = r * 1664525 + 1013904223;
		noise[i] = (char)(r >> 24);
		text[i] = "the quick brown fox "[(i + (r >> 30)) % 20];
	}
}

static void teardown(void)
{
	ws_deflate_free(codec);
}

static struct ws_deflate_how how(uint8_t bits, bool takes_over)
{
	return (struct ws_deflate_how){ codec, bits, 6, takes_over, 1, NULL };
}

static size_t deflated(uint8_t bits, const char *p, size_t n)
{
	struct ws_deflate_how h = how(bits, false);
	ssize_t len = ws_deflate(&h, p, n, packed);

	ck_assert_int_ge(len, 0);
	ck_assert_uint_lt((size_t)len, n);
	return (size_t)len;
}

/* Appends the tail and inflates with zlib alone. */
static void zlib_reads(z_stream *z, size_t len, const char *p, size_t n)
{
	static unsigned char out[BIG + 1];

	memcpy(packed + len, "\x00\x00\xff\xff", 4);
	z->next_in = (unsigned char *)packed;
	z->avail_in = (uInt)len + 4;
	z->next_out = out;
	z->avail_out = sizeof(out);
	ck_assert_int_eq(inflate(z, Z_SYNC_FLUSH), Z_OK);
	ck_assert_uint_eq(z->avail_in, 0);
	ck_assert_uint_eq(sizeof(out) - z->avail_out, n);
	ck_assert_mem_eq(out, p, n);
}

static void inflates_to(bool takes_over, const char *p, size_t n, const char *want, size_t len)
{
	struct ws_inflated out = { 0 };

	ck_assert_int_eq(ws_inflate(codec, takes_over, p, n, len, SIZE_MAX, &out), 0);
	ck_assert_uint_eq(out.n, len);
	if (len)
		ck_assert_mem_eq(out.p, want, len);
	ws_inflated_done(codec, &out);
}

static int inflate_error(const char *p, size_t n, size_t limit)
{
	struct ws_inflated out = { 0 };
	int err = ws_inflate(codec, false, p, n, limit, SIZE_MAX, &out);

	if (err == 0)
		ws_inflated_done(codec, &out);
	return err;
}

/* --- the examples of RFC 7692 section 7.2.3 ------------------------------- */

START_TEST(examples_of_the_standard_are_inflated)
{
	inflates_to(true, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello", 5);
	inflates_to(true, "\xf2\x00\x11\x00\x00", 5, "Hello", 5); /* in the same window */
	inflates_to(false, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "Hello", 5);
	inflates_to(false, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello", 5); /* BFINAL */
	inflates_to(false, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, "Hello", 5);
	inflates_to(false, "\x00", 1, "", 0);
	inflates_to(false, "", 0, "", 0);
}
END_TEST

START_TEST(the_first_example_is_what_we_send)
{
	struct ws_deflate_how h = how(15, false);
	static const char hellos[] = "HelloHelloHelloHello";
	size_t len = deflated(15, hellos, 20);

	inflates_to(false, packed, len, hellos, 20);
	ck_assert_int_eq(ws_deflate(&h, "Hello", 5, packed), 0); /* 7 octets are more than 5 */
}
END_TEST

/* --- there and back --------------------------------------------------------- */

START_TEST(every_window_is_kept)
{
	static const size_t sizes[] = { 60, 255, 256, 257, 511, 512, 513, 5000, 70000, BIG };
	uint8_t bits = (uint8_t)_i;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct ws_deflate_how h = how(bits, false);
		ssize_t len = ws_deflate(&h, text, sizes[i], packed);
		z_stream z = { 0 };

		ck_assert_int_gt(len, 0);
		inflates_to(false, packed, (size_t)len, text, sizes[i]);
		ck_assert_int_eq(inflateInit2(&z, -bits), Z_OK);
		zlib_reads(&z, (size_t)len, text, sizes[i]);
		inflateEnd(&z);
	}
}
END_TEST

/* The distances alone tell whether a window is kept: zlib checks them only across calls, so the
 * output is taken octet by octet. */
START_TEST(no_distance_is_larger_than_the_window)
{
	uint8_t bits = (uint8_t)_i;
	struct ws_deflate_how h = how(bits, false);
	size_t n = 20000;
	z_stream z = { 0 };
	size_t got = 0;
	ssize_t len;
	char c;

	for (size_t i = 0; i < n; i++) /* repeats at a distance of 300, and of 3000 */
		text[i] = i >= 3000             ? text[i - 3000]
		          : i >= 300 && i < 600 ? text[i - 300]
		                                : "abcdefghijklmnop"[noise[i] & 15];
	len = ws_deflate(&h, text, n, packed);
	ck_assert_int_gt(len, 0);
	memcpy(packed + len, "\x00\x00\xff\xff", 4);
	ck_assert_int_eq(inflateInit2(&z, -bits), Z_OK);
	z.next_in = (unsigned char *)packed;
	z.avail_in = (uInt)len + 4;
	while (got < n) {
		z.next_out = (unsigned char *)&c;
		z.avail_out = 1;
		ck_assert_int_eq(inflate(&z, Z_SYNC_FLUSH), Z_OK);
		ck_assert_int_eq(c, text[got++]);
	}
	inflateEnd(&z);
}
END_TEST

START_TEST(takeover_refers_to_the_message_before)
{
	struct ws_deflate_how h = how(15, true);
	ssize_t first = ws_deflate(&h, noise, 10000, packed), second;
	z_stream z = { 0 };

	ck_assert_int_eq(first, 0); /* noise does not shrink; it was never sent */
	inflateInit2(&z, -15);
	first = ws_deflate(&h, text, 5000, packed);
	zlib_reads(&z, (size_t)first, text, 5000);
	second = ws_deflate(&h, text, 5000, packed);
	ck_assert_int_lt(second, first / 4);
	zlib_reads(&z, (size_t)second, text, 5000);
	ws_deflate_forget(codec);
	second = ws_deflate(&h, text, 5000, packed);
	ck_assert_int_eq(second, first);
	zlib_reads(&z, (size_t)second, text, 5000);
	inflateEnd(&z);
}
END_TEST

START_TEST(without_takeover_each_message_stands_for_itself)
{
	size_t first = deflated(15, text, 5000);

	ck_assert_uint_eq(deflated(15, text, 5000), first);
	ck_assert_int_eq(inflate_error("\xf2\x00\x11\x00\x00", 5, 0), -EPROTO);
	inflates_to(false, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello", 5);
	ck_assert_int_eq(inflate_error("\xf2\x00\x11\x00\x00", 5, 0), -EPROTO);
}
END_TEST

START_TEST(levels_may_change)
{
	struct ws_deflate_how h = how(15, false);

	for (uint8_t level = 1; level <= 9; level++) {
		h.level = (uint8_t)(level * 5 % 9 + 1);
		inflates_to(false, packed, (size_t)ws_deflate(&h, text, 9000, packed), text, 9000);
	}
}
END_TEST

/* --- what does not pay ------------------------------------------------------ */

START_TEST(what_does_not_shrink_is_not_compressed)
{
	struct ws_deflate_how h = how(15, false);

	ck_assert_int_eq(ws_deflate(&h, noise, BIG, packed), 0);
	ck_assert_int_eq(ws_deflate(&h, "", 0, packed), 0);
	ck_assert_int_eq(ws_deflate(&h, "a", 1, packed), 0);
	h.min_bytes = 100;
	ck_assert_int_eq(ws_deflate(&h, text, 99, packed), 0);
	ck_assert_int_gt(ws_deflate(&h, text, 100, packed), 0);
}
END_TEST

START_TEST(bad_luck_is_tried_less_often)
{
	struct ws_deflate_luck luck = { 0 };
	struct ws_deflate_how h = how(15, false);
	int tried = 0;

	h.luck = &luck;
	for (int i = 0; i < 1000; i++) {
		uint8_t before = luck.skip;

		ck_assert_int_eq(ws_deflate(&h, noise, 1000, packed), 0);
		tried += before == 0;
	}
	ck_assert_int_ge(tried, 8);
	ck_assert_int_le(tried, 16);
	while (luck.skip > 0)
		ck_assert_int_eq(ws_deflate(&h, text, 1000, packed), 0);
	ck_assert_int_gt(ws_deflate(&h, text, 1000, packed), 0);
	ck_assert_int_gt(ws_deflate(&h, text, 1000, packed), 0); /* all is forgiven */
}
END_TEST

/* --- hostile ---------------------------------------------------------------- */

START_TEST(a_bomb_is_cut_off)
{
	static char zeros[BIG];
	size_t len = deflated(15, zeros, BIG);
	struct ws_inflated out = { 0 };

	ck_assert_uint_lt(len, 1000);
	ck_assert_int_eq(inflate_error(packed, len, BIG - 1), -EMSGSIZE);
	ck_assert_int_eq(inflate_error(packed, len, 1), -EMSGSIZE);
	ck_assert_int_eq(inflate_error(packed, len, 4095), -EMSGSIZE);
	ck_assert_int_eq(inflate_error(packed, len, 4096), -EMSGSIZE);
	ck_assert_int_eq(ws_inflate(codec, false, packed, len, BIG, SIZE_MAX, &out), 0);
	ck_assert_uint_le(out.capacity, BIG + 1);
	ws_inflated_done(codec, &out);
}
END_TEST

START_TEST(damage_is_noticed)
{
	size_t len = deflated(15, text, 5000);

	for (size_t cut = 1; cut < len; cut++)
		ck_assert_int_ne(inflate_error(packed, cut, 0), -ENOMEM);
	ck_assert_int_eq(inflate_error("\xff\xff\xff\xff", 4, 0), -EPROTO);
	ck_assert_int_eq(inflate_error("\x07", 1, 0), -EPROTO); /* a type of block that is none */
	ck_assert_int_eq(inflate_error("\x00\x05\x00\x00\x00hello", 10, 0), -EPROTO);
	ck_assert_int_eq(inflate_error("\x00\x05\x00\xfa\xffhel", 8, 0), -EPROTO); /* unfinished */
	inflates_to(false, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello", 5);
}
END_TEST

START_TEST(many_last_blocks_are_no_trouble)
{
	char blocks[3000];
	size_t n = 0;

	while (n + 2 < sizeof(blocks)) { /* empty, fixed codes, BFINAL */
		blocks[n++] = '\x03';
		blocks[n++] = '\x00';
	}
	blocks[n++] = '\x00';
	inflates_to(false, blocks, n, "", 0);
}
END_TEST

START_TEST(several_loans_at_a_time)
{
	struct ws_inflated a = { 0 }, b = { 0 };

	ck_assert_int_eq(
	    ws_inflate(codec, false, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, 9, SIZE_MAX, &a), 0);
	ck_assert_int_eq(ws_inflate(codec, false, "\x00", 1, 9, SIZE_MAX, &b), 0);
	ck_assert_ptr_ne(a.p, b.p);
	ck_assert_mem_eq(a.p, "Hello", 5);
	ws_inflated_done(codec, &a);
	ws_inflated_done(codec, &b);
}
END_TEST

START_TEST(running_out_of_memory_is_said_and_survived)
{
	static const char hello[] = "\xf2\x48\xcd\xc9\xc9\x07\x00";
	struct ws_deflate_how h;

	for (unsigned long nth = 1;; nth++) {
		int err;

		teardown();
		setup();
		h = how(12, false);
		mem_fail_at(nth);
		err = inflate_error(hello, 7, 0);
		if (err == 0)
			err = ws_deflate(&h, text, 4000, packed) < 0 ? -ENOMEM : 0;
		if (!mem_failed())
			break;
		mem_fail_at(0);
		ck_assert_int_eq(err, -ENOMEM);
		inflates_to(false, hello, 7, "Hello", 5);
		ck_assert_int_gt(ws_deflate(&h, text, 4000, packed), 0);
	}
	mem_fail_at(0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ws_deflate");
	TCase *tc = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, examples_of_the_standard_are_inflated);
	tcase_add_test(tc, the_first_example_is_what_we_send);
	tcase_add_loop_test(tc, every_window_is_kept, 8, 16);
	tcase_add_loop_test(tc, no_distance_is_larger_than_the_window, 8, 16);
	tcase_add_test(tc, takeover_refers_to_the_message_before);
	tcase_add_test(tc, without_takeover_each_message_stands_for_itself);
	tcase_add_test(tc, levels_may_change);
	tcase_add_test(tc, what_does_not_shrink_is_not_compressed);
	tcase_add_test(tc, bad_luck_is_tried_less_often);
	tcase_add_test(tc, a_bomb_is_cut_off);
	tcase_add_test(tc, damage_is_noticed);
	tcase_add_test(tc, many_last_blocks_are_no_trouble);
	tcase_add_test(tc, several_loans_at_a_time);
	tcase_add_test(tc, running_out_of_memory_is_said_and_survived);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
