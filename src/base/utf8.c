/*
 * base/utf8.c - UTF-8 validation; see utf8.h.
 *
 * Runs of ASCII are skipped 32 bytes at a time. Everything else goes through an
 * automaton without branches: an octet has a class, a class has a row, and a
 * row is a word that holds, at the bit position that *is* the present state, the
 * six bits of the next state. "No such transition" is zero, and zero is the
 * failed state, from which no row leads out.
 */
#include "base/utf8.h"

#include <string.h>

/* What has been read so far, and so what may follow. Bit positions in a row. */
enum {
	FAILED = 0,
	START = 6,  /* between sequences */
	TAIL1 = 12, /* one more 80..BF */
	TAIL2 = 18,
	TAIL3 = 24,
	AFTER_E0 = 30, /* A0..BF, then one: not overlong */
	AFTER_ED = 36, /* 80..9F, then one: no surrogate */
	AFTER_F0 = 42, /* 90..BF, then two: not overlong */
	AFTER_F4 = 48, /* 80..8F, then two: not over U+10FFFF */
};

enum octet_class {
	NEVER, /* C0, C1, F5..FF */
	ASCII,
	TAIL_80_8F,
	TAIL_90_9F,
	TAIL_A0_BF,
	LEAD2,
	LEAD3,
	LEAD3_E0,
	LEAD3_ED,
	LEAD4,
	LEAD4_F0,
	LEAD4_F4,
	CLASSES
};

static const uint8_t class_of[256] = {
	[0x00 ... 0x7f] = ASCII,
	[0x80 ... 0x8f] = TAIL_80_8F,
	[0x90 ... 0x9f] = TAIL_90_9F,
	[0xa0 ... 0xbf] = TAIL_A0_BF,
	[0xc2 ... 0xdf] = LEAD2,
	[0xe0] = LEAD3_E0,
	[0xe1 ... 0xec] = LEAD3,
	[0xed] = LEAD3_ED,
	[0xee ... 0xef] = LEAD3,
	[0xf0] = LEAD4_F0,
	[0xf1 ... 0xf3] = LEAD4,
	[0xf4] = LEAD4_F4,
};

#define GO(from, to) ((uint64_t)(to) << (from))
#define ANY_TAIL     (GO(TAIL1, START) | GO(TAIL2, TAIL1) | GO(TAIL3, TAIL2))

/* The table of RFC 3629 section 4; `after_lead_ed` is the only row in which two readings differ. */
#define ROWS(after_lead_ed)                                                                        \
	{                                                                                          \
		[ASCII] = GO(START, START),                                                        \
		[TAIL_80_8F] = ANY_TAIL | GO(AFTER_ED, TAIL1) | GO(AFTER_F4, TAIL2),               \
		[TAIL_90_9F] = ANY_TAIL | GO(AFTER_ED, TAIL1) | GO(AFTER_F0, TAIL2),               \
		[TAIL_A0_BF] = ANY_TAIL | GO(AFTER_E0, TAIL1) | GO(AFTER_F0, TAIL2),               \
		[LEAD2] = GO(START, TAIL1), [LEAD3] = GO(START, TAIL2),                            \
		[LEAD3_E0] = GO(START, AFTER_E0), [LEAD3_ED] = GO(START, after_lead_ed),           \
		[LEAD4] = GO(START, TAIL3), [LEAD4_F0] = GO(START, AFTER_F0),                      \
		[LEAD4_F4] = GO(START, AFTER_F4),                                                  \
	}

static const uint64_t strict_rows[CLASSES] = ROWS(AFTER_ED);
static const uint64_t wide_rows[CLASSES] = ROWS(TAIL2); /* surrogates are like any other */

enum { BLOCK = 32 };

static inline uint64_t load(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static inline bool block_is_ascii(const uint8_t *p)
{
	uint64_t all = load(p) | load(p + 8) | load(p + 16) | load(p + 24);

	return (all & 0x8080808080808080u) == 0;
}

/* Only the low six bits of `s` count: a shift by a register looks at no others anyway. */
static inline unsigned run_octets(const uint64_t *rows, unsigned state, const uint8_t *p, size_t n)
{
	uint64_t s = state;

	for (size_t i = 0; i < n; i++)
		s = rows[class_of[p[i]]] >> (s & 63);
	return s & 63;
}

static unsigned run(const uint64_t *rows, unsigned state, const uint8_t *p, size_t n)
{
	for (; n >= BLOCK; p += BLOCK, n -= BLOCK) {
		if (state == START && block_is_ascii(p))
			continue;
		state = run_octets(rows, state, p, BLOCK);
		if (state == FAILED)
			return FAILED;
	}
	return run_octets(rows, state, p, n);
}

/* To a caller the start is zero, so that a zeroed struct begins rightly. */
utf8_state utf8_check(utf8_state state, const void *p, size_t n)
{
	unsigned end;

	if (state == UTF8_INVALID)
		return UTF8_INVALID;
	end = run(strict_rows, state == UTF8_START ? START : state, p, n);
	if (end == FAILED)
		return UTF8_INVALID;
	return end == START ? UTF8_START : (utf8_state)end;
}

bool utf8_is_valid_wide(const void *p, size_t n, bool *has_surrogates)
{
	bool strict = utf8_is_valid(p, n);

	if (has_surrogates)
		*has_surrogates = false;
	if (strict)
		return true;
	if (run(wide_rows, START, p, n) != START)
		return false;
	if (has_surrogates)
		*has_surrogates = true; /* nothing else could have failed the strict reading */
	return true;
}
