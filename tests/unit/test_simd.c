/*
 * tests/unit/test_simd.c - what reads many octets at a time says what a loop over
 * octets says, at every length and place, and touches nothing beyond.
 *
 * Texts end at the last octet of a page or begin at the first, and the pages around
 * cannot be read or written. Built twice: as test_simd with what the processor has,
 * as test_simd_portable with SIMD_PORTABLE.
 */
#include "base/simd.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/utf8.h"
#include "session/sockjs_frame.h"
#include "session/sockjs_payload.h"
#include "ws/ws_frame.h"

enum { LENGTHS = 200, ROOM = 8192, ROUNDS = 20000 };

static unsigned seed = 1;

static unsigned below(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

/* --- places ------------------------------------------------------------------- */

/* ROOM octets between two pages that must not be touched. */
static char *guarded(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_assert_int_eq(mprotect(p + page, ROOM, PROT_READ | PROT_WRITE), 0);
	return p + page;
}

static char *room, *other_room;

static void setup(void)
{
	room = guarded();
	other_room = guarded();
}

/* n octets up to the end of the room, or from its beginning. */
static char *place(char *in, size_t n, bool at_end)
{
	return at_end ? in + ROOM - n : in;
}

/* --- texts ---------------------------------------------------------------------- */

static const char *const pieces[] = { "a", "b", " ", "plain text of some length, ", "\xc3\xa9",
	"\xd1\x8f", "\xdf\xbf", "\xe0\xa0\x80", "\xe2\x80\x8d", "\xe2\x80\x94", "\xe2\x80\xa8",
	"\xe2\x81\xa0", "\xe2\x82\xac", "\xe6\x97\xa5", "\xed\x9f\xbf", "\xee\x80\x80",
	"\xef\xbc\x8c", "\xef\xbf\xaf", "\xef\xbf\xb0", "\xf0\x90\x80\x80", "\xf0\x9f\x98\x80",
	"\xf4\x8f\xbf\xbf", "\"", "\\", "\n", "\x1f", "<", "%", "\x7f" };
enum { PIECES = sizeof(pieces) / sizeof(*pieces) };

/* Exactly n octets of UTF-8, sometimes with something broken in it. */
static void random_text(char *out, size_t n, bool may_be_broken)
{
	unsigned from = below(PIECES), kinds = 1 + below(PIECES);
	size_t at = 0;

	while (at < n) {
		const char *piece = pieces[(from + below(kinds)) % PIECES];
		size_t len = strlen(piece);

		if (len > n - at)
			piece = "x", len = 1;
		memcpy(out + at, piece, len);
		at += len;
	}
	if (may_be_broken && n > 0 && below(2))
		out[below((unsigned)n)] = (char)below(256);
	if (may_be_broken && n > 0 && below(4) == 0)
		out[n - 1 - below(n < 4 ? (unsigned)n : 4)] = (char)(0x80 + below(128));
}

/* --- slow and obvious ------------------------------------------------------------ */

/* The octets of the character at p; 0: none. */
static size_t char_len(const char *p, size_t n, uint32_t *cp, bool surrogates)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)p;
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (len == 0 || len > n || s[0] > 0xf7)
		return 0;
	*cp = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[len] || *cp > 0x10ffff)
		return 0;
	return !surrogates && *cp >= 0xd800 && *cp <= 0xdfff ? 0 : len;
}

static bool slow_is_valid(const char *p, size_t n, bool surrogates)
{
	uint32_t cp;
	size_t len;

	for (; n > 0; p += len, n -= len) {
		len = char_len(p, n, &cp, surrogates);
		if (len == 0)
			return false;
	}
	return true;
}

static size_t slow_quote(char *out, const char *p, size_t n)
{
	static const char brief[] = "\b\t\n\f\r", letters[] = "btnfr";
	char *start = out;
	uint32_t cp;

	*out++ = '"';
	while (n > 0) {
		size_t len = char_len(p, n, &cp, true);

		if (len == 0)
			out += sprintf(out, "\\ufffd"), len = 1;
		else if (cp == '"' || cp == '\\')
			out += sprintf(out, "\\%c", (int)cp);
		else if (cp > 0 && strchr(brief, (int)cp) && cp < 0x20)
			out += sprintf(out, "\\%c", letters[strchr(brief, (int)cp) - brief]);
		else if (cp >= 0x10000)
			out += sprintf(
			    out, "\\u%04x\\u%04x", 0xd7c0 + (cp >> 10), 0xdc00 | (cp & 0x3ff));
		else if (cp < 0x20 || (cp >= 0x200c && cp <= 0x200f) ||
		         (cp >= 0x2028 && cp <= 0x202f) || (cp >= 0x2060 && cp <= 0x206f) ||
		         (cp >= 0xd800 && cp <= 0xdfff) || cp >= 0xfff0)
			out += sprintf(out, "\\u%04x", cp);
		else
			memcpy(out, p, len), out += len;
		p += len;
		n -= len;
	}
	*out++ = '"';
	return (size_t)(out - start);
}

/* --- UTF-8 --------------------------------------------------------------------------- */

static utf8_state by_octets(const char *p, size_t n)
{
	utf8_state state = UTF8_START;

	for (size_t i = 0; i < n; i++)
		state = utf8_check(state, p + i, 1);
	return state;
}

static void assert_judged(const char *p, size_t n)
{
	utf8_state state = utf8_check(UTF8_START, p, n);

	if (state != by_octets(p, n) || (state == UTF8_START) != slow_is_valid(p, n, false))
		ck_abort_msg("%zu octets: state %u, octet by octet %u", n, state, by_octets(p, n));
}

START_TEST(utf8_of_every_length_is_judged_as_octet_by_octet)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t n = (size_t)i % (LENGTHS + 1);
		char *p = place(room, n, i & 1);

		random_text(p, n, true);
		assert_judged(p, n);
		ck_assert_int_eq(utf8_is_valid_wide(p, n, NULL), slow_is_valid(p, n, true));
	}
}
END_TEST

START_TEST(long_utf8_is_judged_as_octet_by_octet)
{
	for (int i = 0; i < ROUNDS / 20; i++) {
		size_t n = 400 + below(ROOM - 400);
		char *p = place(room, n, i & 1);

		random_text(p, n, i % 4 != 0);
		assert_judged(p, n);
	}
}
END_TEST

START_TEST(every_pair_of_octets_is_judged_rightly_at_every_place_of_a_block)
{
	static const char *const around[] = { "aaaa", "\xd1\x8f\xd1\x8f", "\xf0\x9f\x98\x80" };
	const size_t n = 72;
	char *p = place(room, n, true);

	for (size_t at = 0; at + 2 <= n; at++) {
		for (size_t i = 0; i < n; i++)
			p[i] = around[_i][i % 4];
		for (unsigned pair = 0x8000 >> (_i == 0 ? 0 : 15); pair < 0x10000;
		     pair += 1 + (unsigned)at % 3) {
			p[at] = (char)(pair >> 8);
			p[at + 1] = (char)pair;
			if (utf8_is_valid(p, n) != slow_is_valid(p, n, false))
				ck_abort_msg("%04x at %zu", pair, at);
		}
	}
}
END_TEST

START_TEST(every_four_octets_of_note_are_judged_rightly_across_borders_of_blocks)
{
	static const unsigned char note[] = { 'a', 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
		0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff };
	const size_t k = sizeof(note);
	size_t n = 40 + (size_t)_i; /* so that they end it, or lie anywhere before */
	char *p = place(room, n, true);

	memset(p, 'a', n);
	p[0] = (char)0xc3, p[1] = (char)0xa9; /* not ASCII from the start */
	for (size_t at = 26; at + 4 <= n; at += 1 + (at < 34 ? 0 : n - at - 4))
		for (size_t i = 0; i < k * k * k * k; i++) {
			p[at] = (char)note[i / k / k / k];
			p[at + 1] = (char)note[i / k / k % k];
			p[at + 2] = (char)note[i / k % k];
			p[at + 3] = (char)note[i % k];
			if (utf8_check(UTF8_START, p, n) !=
			    utf8_check(utf8_check(UTF8_START, p, at + 2), p + at + 2, n - at - 2))
				ck_abort_msg("%02x%02x%02x%02x at %zu of %zu", p[at] & 255,
				    p[at + 1] & 255, p[at + 2] & 255, p[at + 3] & 255, at, n);
			if (utf8_is_valid(p, n) != slow_is_valid(p, n, false))
				ck_abort_msg("%02x%02x%02x%02x at %zu of %zu", p[at] & 255,
				    p[at + 1] & 255, p[at + 2] & 255, p[at + 3] & 255, at, n);
		}
}
END_TEST

/* --- the search for what is not plain -------------------------------------------------- */

static size_t slow_plain(const char *p, size_t n, struct text_stops s)
{
	size_t i = 0;

	while (i < n && text_is_plain(p[i], s))
		i++;
	return i;
}

static void assert_search(const char *p, size_t n)
{
	static const struct text_stops script = { '"', '\\', '<', false },
	                               event = { '%', '%', '%', false };

	ck_assert_uint_eq(text_plain(p, n, TEXT_STRING_STOPS), slow_plain(p, n, TEXT_STRING_STOPS));
	ck_assert_uint_eq(text_plain(p, n, TEXT_UTF8_STOPS), slow_plain(p, n, TEXT_UTF8_STOPS));
	ck_assert_uint_eq(text_plain(p, n, script), slow_plain(p, n, script));
	ck_assert_uint_eq(text_plain(p, n, event), slow_plain(p, n, event));
}

START_TEST(every_octet_is_found_at_every_place_of_every_length)
{
	for (size_t n = 0; n <= 100; n++)
		for (size_t at = 0; at < n; at++) {
			char *p = place(room, n, n & 1);

			memset(p, 'x', n);
			for (unsigned c = 0; c < 256; c += 1 + (c > 0x22 && c != 0x5b) * 3) {
				p[at] = (char)c;
				assert_search(p, n);
			}
		}
}
END_TEST

START_TEST(the_first_of_many_is_found)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t n = (size_t)i % (LENGTHS + 1);
		char *p = place(room, n, i & 1);

		random_text(p, n, true);
		assert_search(p, n);
	}
}
END_TEST

/* --- masking -------------------------------------------------------------------------------- */

START_TEST(masking_touches_its_octets_and_no_others)
{
	static const uint8_t key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	unsigned char want[1300];

	for (size_t n = 0; n <= 1200; n += 1 + (n > LENGTHS) * 13)
		for (size_t offset = 0; offset < 8; offset++)
			for (int end = 0; end < 2; end++) {
				size_t gap = offset * 3; /* at every alignment, too */
				unsigned char *p =
				    (unsigned char *)place(room, n + gap, end) + (end ? 0 : gap);

				for (size_t i = 0; i < n; i++) {
					p[i] = (unsigned char)(i * 7 + n);
					want[i] = (unsigned char)(p[i] ^ key[(offset + i) % 4]);
				}
				ws_mask(p, n, key, offset);
				ck_assert(memcmp(p, want, n) == 0);
			}
}
END_TEST

/* --- JSON strings --------------------------------------------------------------------------- */

static void assert_quoted(const char *p, size_t n, bool at_end)
{
	static char want[6 * ROOM + 2];
	size_t len = slow_quote(want, p, n);
	char *out;

	ck_assert_uint_eq(sockjs_frame_quote_len(p, n), len);
	if (len > ROOM)
		return;
	out = place(other_room, len, at_end);
	ck_assert_ptr_eq(sockjs_frame_quote(out, p, n), out + len);
	if (memcmp(out, want, len) != 0)
		ck_abort_msg("%.*s\nnot %.*s", (int)len, out, (int)len, want);
}

START_TEST(quoting_is_what_it_is_character_by_character)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t n = (size_t)i % (LENGTHS + 1);
		char *p = place(room, n, i & 1);

		random_text(p, n, i & 2);
		assert_quoted(p, n, i & 4);
	}
}
END_TEST

START_TEST(every_octet_is_quoted_at_every_place)
{
	for (size_t n = 1; n <= 70; n += 3)
		for (size_t at = 0; at < n; at++)
			for (unsigned c = 0; c < 256; c++) {
				char *p = place(room, n, true);

				memset(p, 'x', n);
				p[at] = (char)c;
				assert_quoted(p, n, true);
			}
}
END_TEST

/* A long message goes into a buffer slice by slice; some of them are cut within characters. */
START_TEST(what_goes_into_a_buffer_in_slices_is_what_goes_at_once)
{
	static char text[40000], want[6 * sizeof(text) + 6];

	for (int i = 0; i < 300; i++) {
		size_t n = 600 + below(sizeof(text) - 600), len = 0;
		struct message *m[2];
		struct buf b = BUF_INIT;

		random_text(text, n, i & 1);
		m[0] = m[1] = message_new(text, n, false, false);
		ck_assert_int_eq(buf_add(&b, "before", below(7)), 0);
		size_t before = buf_len(&b);
		ck_assert_int_eq(sockjs_frame_array_add(&b, m, 2), 0);
		memcpy(want, "a[", 2);
		len = 2 + slow_quote(want + 2, text, n);
		ck_assert_uint_eq(buf_len(&b) - before, 2 * len);
		ck_assert(memcmp(buf_data(&b) + before, want, len) == 0);
		want[1] = ',';
		ck_assert(memcmp(buf_data(&b) + before + len, want + 1, len - 1) == 0);
		ck_assert(buf_data(&b)[before + 2 * len - 1] == ']');
		buf_fini(&b);
		message_unref(m[0]);
	}
}
END_TEST

START_TEST(a_wrapping_in_slices_is_the_wrapping_at_once)
{
	static char frame[20000], want[6 * sizeof(frame) + 100];

	for (int i = 0; i < 300; i++) {
		size_t n = 600 + below(sizeof(frame) - 600);
		struct buf b = BUF_INIT;

		random_text(frame, n, false);
		ck_assert_int_eq(sockjs_frame_event_add(&b, frame, n), 0);
		ck_assert_uint_eq(buf_len(&b), sockjs_frame_event_len(frame, n));
		sockjs_frame_event(want, frame, n);
		ck_assert(memcmp(buf_data(&b), want, buf_len(&b)) == 0);
		buf_fini(&b);
		ck_assert_int_eq(sockjs_frame_script_add(&b, frame, n), 0);
		ck_assert_uint_eq(buf_len(&b), sockjs_frame_script_len(frame, n));
		sockjs_frame_script(want, frame, n);
		ck_assert(memcmp(buf_data(&b), want, buf_len(&b)) == 0);
		buf_fini(&b);
		ck_assert_int_eq(sockjs_frame_jsonp_add(&b, "cb", 2, frame, n), 0);
		ck_assert_uint_eq(buf_len(&b), sockjs_frame_jsonp_len(2, frame, n));
		sockjs_frame_jsonp(want, "cb", 2, frame, n);
		ck_assert(memcmp(buf_data(&b), want, buf_len(&b)) == 0);
		buf_fini(&b);
	}
}
END_TEST

START_TEST(a_long_frame_that_finds_no_memory_leaves_the_buffer_as_it_was)
{
	static char text[30000];
	struct message *m;
	unsigned failed = 0;

	memset(text, '\n', sizeof(text));
	m = message_new(text, sizeof(text), false, false);
	for (unsigned long nth = 1;; nth++) {
		struct buf b = BUF_INIT;
		int err;

		ck_assert_int_eq(buf_add(&b, "before", 6), 0);
		mem_fail_at(nth);
		err = sockjs_frame_array_add(&b, &m, 1);
		mem_fail_at(0);
		if (err == 0) {
			buf_fini(&b);
			break;
		}
		failed++;
		ck_assert_uint_eq(buf_len(&b), 6);
		ck_assert_mem_eq(buf_data(&b), "before", 6);
		buf_fini(&b);
	}
	ck_assert_uint_gt(failed, 1);
	message_unref(m);
}
END_TEST

/* What a JSON string says, octet by octet; -1 if it is none. */
static long slow_decode(char *out, const char *p, size_t n)
{
	static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *end = p + n;
	char *start = out;
	uint32_t cp;

	if (n < 2 || *p++ != '"' || !slow_is_valid(p, n - 1, false))
		return -1;
	while (p < end && *p != '"') {
		const char *letter;
		unsigned unit, low;
		int used = 0;

		if ((unsigned char)*p < 0x20)
			return -1;
		if (*p != '\\') {
			*out++ = *p++;
			continue;
		}
		if (end - p < 2 || p[1] == '\0')
			return -1;
		letter = strchr(letters, p[1]);
		if (letter) {
			*out++ = means[letter - letters];
			p += 2;
			continue;
		}
		if (p[1] != 'u' || end - p < 6 || strspn(p + 2, "0123456789abcdefABCDEF") < 4)
			return -1;
		sscanf(p + 2, "%4x", &unit);
		p += 6;
		cp = unit;
		if (unit >= 0xd800 && unit < 0xdc00 && end - p >= 6 && p[0] == '\\' &&
		    p[1] == 'u' && strspn(p + 2, "0123456789abcdefABCDEF") >= 4 &&
		    sscanf(p + 2, "%4x%n", &low, &used) == 1 && low >= 0xdc00 && low < 0xe000) {
			cp = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
			p += 6;
		}
		if (cp < 0x80)
			*out++ = (char)cp;
		else if (cp < 0x800)
			*out++ = (char)(0xc0 | cp >> 6);
		else if (cp < 0x10000)
			*out++ = (char)(0xe0 | cp >> 12);
		else
			*out++ = (char)(0xf0 | cp >> 18);
		if (cp >= 0x10000)
			*out++ = (char)(0x80 | (cp >> 12 & 0x3f));
		if (cp >= 0x800)
			*out++ = (char)(0x80 | (cp >> 6 & 0x3f));
		if (cp >= 0x80)
			*out++ = (char)(0x80 | (cp & 0x3f));
	}
	return p == end - 1 ? (long)(out - start) : -1;
}

static const char *const escapes[] = { "\\\"", "\\\\", "\\/", "\\n", "\\t", "\\u0041", "\\u00e9",
	"\\u20AC", "\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\u0000", "\\x", "\\u12g4", "\\",
	"\x01", "\"" };
enum { ESCAPES = sizeof(escapes) / sizeof(*escapes), RIGHT_ESCAPES = 12 };

static size_t random_string(char *out, size_t most)
{
	unsigned dense = 1 + below(12), which = below(20) ? RIGHT_ESCAPES : ESCAPES;
	size_t n = 1;

	*out = '"';
	while (n + 40 < most) {
		const char *piece = below(dense) ? pieces[below(22)] : escapes[below(which)];

		memcpy(out + n, piece, strlen(piece));
		n += strlen(piece);
		if (below(40) == 0)
			break;
	}
	out[n++] = '"';
	if (below(16) == 0)
		out[below((unsigned)n)] = (char)below(256);
	if (below(16) == 0)
		n -= below((unsigned)n);
	return n;
}

START_TEST(decoding_is_what_it_is_octet_by_octet)
{
	static char source[1200 + 8], want[1200], *p;
	struct sockjs_payload payload;
	unsigned right = 0;

	sockjs_payload_init(&payload);
	for (int i = 0; i < ROUNDS * 2; i++) {
		size_t n = random_string(source, 1 + below(i % 8 ? 200 : 1000) + 60);
		long len;
		enum sockjs_payload_status status;

		source[n] = '\0';
		len = slow_decode(want, source, n);
		p = place(room, n, i & 1);
		memcpy(p, source, n);
		status = sockjs_payload_decode(&payload, p, n, true, 0, 0);
		if (*source == '"')
			ck_assert_msg((status == SOCKJS_PAYLOAD_OK) == (len >= 0), "%d for %.*s",
			    status, (int)n, source);
		if (status != SOCKJS_PAYLOAD_OK || *source != '"')
			continue;
		right++;
		ck_assert_uint_eq(payload.messages[0].n, (size_t)len);
		ck_assert(memcmp(payload.messages[0].p, want, (size_t)len) == 0);
	}
	ck_assert_uint_gt(right, ROUNDS);
	sockjs_payload_fini(&payload);
}
END_TEST

/* The second member is reached after UTF-8 has been made sure of, or not. */
START_TEST(octets_that_are_not_utf8_are_refused_in_every_member)
{
	static const char *const before[] = { "[\"", "[\"a\",\"", "[\"\xc3\xa9\",\"",
		"[\"\\n\",\"\\n", "[\"\\n\xc3\xa9\",\"\\n" };
	static const char *const bad[] = { "\x80", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xe2\x82", "\xff" };
	char text[64];
	struct sockjs_payload payload;

	sockjs_payload_init(&payload);
	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < 6; j++) {
			size_t n =
			    (size_t)snprintf(text, sizeof(text), "%s%s\"]", before[i], bad[j]);

			ck_assert_int_eq(sockjs_payload_decode(&payload, text, n, false, 0, 0),
			    SOCKJS_PAYLOAD_BROKEN);
			n = (size_t)snprintf(text, sizeof(text), "%s\xe2\x82\xac\"]", before[i]);
			ck_assert_int_eq(sockjs_payload_decode(&payload, text, n, false, 0, 0),
			    SOCKJS_PAYLOAD_OK);
		}
	sockjs_payload_fini(&payload);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("simd");
	TCase *tc = tcase_create("simd");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, utf8_of_every_length_is_judged_as_octet_by_octet);
	tcase_add_test(tc, long_utf8_is_judged_as_octet_by_octet);
	tcase_add_loop_test(
	    tc, every_pair_of_octets_is_judged_rightly_at_every_place_of_a_block, 0, 3);
	tcase_add_loop_test(
	    tc, every_four_octets_of_note_are_judged_rightly_across_borders_of_blocks, 0, 4);
	tcase_add_test(tc, every_octet_is_found_at_every_place_of_every_length);
	tcase_add_test(tc, the_first_of_many_is_found);
	tcase_add_test(tc, masking_touches_its_octets_and_no_others);
	tcase_add_test(tc, quoting_is_what_it_is_character_by_character);
	tcase_add_test(tc, every_octet_is_quoted_at_every_place);
	tcase_add_test(tc, what_goes_into_a_buffer_in_slices_is_what_goes_at_once);
	tcase_add_test(tc, a_wrapping_in_slices_is_the_wrapping_at_once);
	tcase_add_test(tc, a_long_frame_that_finds_no_memory_leaves_the_buffer_as_it_was);
	tcase_add_test(tc, decoding_is_what_it_is_octet_by_octet);
	tcase_add_test(tc, octets_that_are_not_utf8_are_refused_in_every_member);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
