/*
 * tests/unit/test_ws_frame.c - frame headers, lengths and masking.
 */
#include "ws/ws_frame.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[4] = { 0x37, 0xfa, 0x21, 0x3d };

START_TEST(reads_the_examples_of_the_rfc)
{
	struct ws_frame f;

	ck_assert_int_eq(ws_frame_parse(&f, "\x81\x05Hello", 7), 2);
	ck_assert(f.fin && !f.masked && f.rsv == 0);
	ck_assert_uint_eq(f.opcode, WS_TEXT);
	ck_assert_uint_eq(f.length, 5);

	ck_assert_int_eq(ws_frame_parse(&f, "\x01\x85\x37\xfa\x21\x3d", 6), 6);
	ck_assert(!f.fin && f.masked);
	ck_assert_mem_eq(f.mask, key, 4);

	ck_assert_int_eq(ws_frame_parse(&f, "\x82\x7e\x01\x00", 4), 4);
	ck_assert_uint_eq(f.length, 256);
	ck_assert_int_eq(ws_frame_parse(&f, "\x82\x7f\0\0\0\0\0\1\0\0", 10), 10);
	ck_assert_uint_eq(f.length, 65536);
}
END_TEST

START_TEST(every_header_comes_back_as_written_and_not_before_it_is_whole)
{
	static const uint64_t lengths[] = { 0, 1, 125, 126, 127, 128, 65535, 65536, 1u << 31,
		UINT64_C(1) << 32, INT64_MAX };
	char out[WS_HEADER_MAX];
	struct ws_frame f;

	for (unsigned bits = 0; bits < 256; bits++)
		for (int masked = 0; masked < 2; masked++) {
			uint64_t length = lengths[_i];
			size_t n = ws_frame_header(out, bits & 0x80, bits & 0x70, bits & 0x0f,
			    length, masked ? key : NULL);

			for (size_t i = 0; i < n; i++)
				ck_assert_int_eq(ws_frame_parse(&f, out, i), 0);
			ck_assert_int_eq(ws_frame_parse(&f, out, n), (int)n);
			ck_assert_uint_eq(f.length, length);
			ck_assert_uint_eq(f.opcode, bits & 0x0f);
			ck_assert_uint_eq(f.rsv, bits & 0x70);
			ck_assert_int_eq(f.fin, bits >> 7);
			ck_assert_int_eq(f.masked, masked);
			if (masked)
				ck_assert_mem_eq(f.mask, key, 4);
		}
}
END_TEST

START_TEST(a_length_that_is_not_minimal_is_refused)
{
	struct ws_frame f;

	ck_assert_int_eq(ws_frame_parse(&f, "\x82\x7e\x00\x7d", 4), -EPROTO);
	ck_assert_int_eq(ws_frame_parse(&f, "\x82\x7e\x00\x00", 4), -EPROTO);
	ck_assert_int_eq(ws_frame_parse(&f, "\x82\x7e\x00\x7e", 4), 4);
	ck_assert_int_eq(ws_frame_parse(&f, "\x82\x7f\0\0\0\0\0\0\xff\xff", 10), -EPROTO);
	ck_assert_int_eq(ws_frame_parse(&f, "\x82\x7f\0\0\0\0\0\0\0\x05", 10), -EPROTO);
	ck_assert_int_eq(ws_frame_parse(&f, "\x82\x7f\0\0\0\0\0\1\0\0", 10), 10);
}
END_TEST

START_TEST(a_length_with_its_top_bit_set_is_refused)
{
	struct ws_frame f;

	ck_assert_int_eq(ws_frame_parse(&f, "\x82\x7f\x80\0\0\0\0\0\0\0", 10), -EPROTO);
	ck_assert_int_eq(
	    ws_frame_parse(&f, "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10), -EPROTO);
	ck_assert_int_eq(ws_frame_parse(&f, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10), 10);
}
END_TEST

START_TEST(masking_is_xor_with_the_key_at_every_length_and_offset)
{
	uint8_t data[110], want[110];

	for (size_t n = 0; n < 100; n++)
		for (size_t offset = 0; offset < 5; offset++)
			for (size_t at = 0; at < 3; at++) { /* unaligned, too */
				for (size_t i = 0; i < sizeof(data); i++)
					data[i] = want[i] = (uint8_t)(i * 7);
				for (size_t i = 0; i < n; i++)
					want[at + i] ^= key[(offset + i) % 4];
				ws_mask(data + at, n, key, offset);
				ck_assert_mem_eq(data, want, sizeof(data));
			}
}
END_TEST

START_TEST(masking_in_pieces_is_masking_whole)
{
	char whole[64], pieces[64];

	memset(whole, 'x', sizeof(whole));
	memset(pieces, 'x', sizeof(pieces));
	ws_mask(whole, sizeof(whole), key, 0);
	for (size_t i = 0, step = 1; i < sizeof(pieces); i += step, step = step % 7 + 1)
		ws_mask(pieces + i, step < 64 - i ? step : 64 - i, key, i);
	ck_assert_mem_eq(whole, pieces, sizeof(whole));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ws_frame");
	TCase *tc = tcase_create("ws_frame");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, reads_the_examples_of_the_rfc);
	tcase_add_loop_test(
	    tc, every_header_comes_back_as_written_and_not_before_it_is_whole, 0, 11);
	tcase_add_test(tc, a_length_that_is_not_minimal_is_refused);
	tcase_add_test(tc, a_length_with_its_top_bit_set_is_refused);
	tcase_add_test(tc, masking_is_xor_with_the_key_at_every_length_and_offset);
	tcase_add_test(tc, masking_in_pieces_is_masking_whole);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
