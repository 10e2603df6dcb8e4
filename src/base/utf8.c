/*
 * base/utf8.c - UTF-8 validation; see utf8.h.
 *
 * ASCII in front is skipped many octets at a time. What follows is judged by
 * utf8_simd.c where the processor can, but for a sequence that is cut at either end: that
 * one, and everything where it cannot, goes through an
 * automaton without branches: an octet has a class, a class has a row, and a
 * row is a word that holds, at the bit position that *is* the present state, the
 * six bits of the next state. "No such transition" is zero, and zero is the
 * failed state, from which no row leads out.
 */
#include "base/utf8.h"

#include "base/utf8_simd.h"
#include "base/simd.h"

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
static const uint64_t simd_rows[CLASSES] = ROWS(TAIL2); /* surrogates are like any other */

/* --- octet by octet -------------------------------------------------------- */

/* Only the low six bits of `s` count: a shift by a register looks at no others anyway. */
static inline unsigned run_octets(const uint64_t *rows, unsigned state, const uint8_t *p, size_t n)
{
	uint64_t s = state;

	for (size_t i = 0; i < n; i++)
		s = rows[class_of[p[i]]] >> (s & 63);
	return s & 63;
}

/* --- ASCII ----------------------------------------------------------------- */

enum { ASCII_BLOCK = 4 * SIMD_OCTETS, ASCII_LONG = 512 };

static inline bool is_ascii(simd_vec v)
{
	return simd_marks(v) == 0;
}

static inline bool block_is_ascii(const uint8_t *p)
{
	return is_ascii(simd_or(simd_or(simd_load(p), simd_load(p + SIMD_OCTETS)),
	    simd_or(simd_load(p + 2 * SIMD_OCTETS), simd_load(p + 3 * SIMD_OCTETS))));
}

/* How many octets come before the first that is not ASCII; or somewhat fewer. */
static inline size_t skip_ascii(const uint8_t *p, size_t n)
{
	size_t at = 0;

	for (; at + ASCII_BLOCK <= n && block_is_ascii(p + at); at += ASCII_BLOCK)
		;
	for (; at + SIMD_OCTETS <= n && is_ascii(simd_load(p + at)); at += SIMD_OCTETS)
		;
	/* The last one overlaps what has been seen already */
	if (at < n && n - at < SIMD_OCTETS && n >= SIMD_OCTETS &&
	    is_ascii(simd_load(p + n - SIMD_OCTETS)))
		return n;
	return at;
}

/* --- runs of both ------------------------------------------------------------ */

static unsigned run(const uint64_t *rows, unsigned state, const uint8_t *p, size_t n)
{
	for (; n >= ASCII_BLOCK; p += ASCII_BLOCK, n -= ASCII_BLOCK) {
		if (state == START && block_is_ascii(p))
			continue;
		state = run_octets(rows, state, p, ASCII_BLOCK);
		if (state == FAILED)
			return FAILED;
	}
	return run_octets(rows, state, p, n);
}

#if UTF8_SIMD
enum { WIDE_MIN = 12 }; /* fewer are faster octet by octet */

/* How many octets at the end begin a sequence that needs more of them. */
static inline size_t begun_at_end(const uint8_t *p, size_t n)
{
	if (p[n - 1] >= 0xc0)
		return 1;
	if (p[n - 2] >= 0xe0)
		return 2;
	return p[n - 3] >= 0xf0 ? 3 : 0;
}

/* From START over n >= WIDE_MIN octets. */
static unsigned run_wide(const uint8_t *p, size_t n)
{
	size_t begun = begun_at_end(p, n);

	n -= begun;
	/* What is begun must not cut off another one */
	if (begun > 0 && begun_at_end(p, n) > 0)
		return FAILED;
	if (!utf8_simd_is_valid(p, n))
		return FAILED;
	return run_octets(strict_rows, START, p + n, begun);
}
#endif

/* Ends the sequence that `state` is in the middle of. The octets that took. */
static size_t run_to_start(unsigned *state, const uint8_t *p, size_t n)
{
	size_t at = 0;

	for (; at < n && *state != START && *state != FAILED; at++)
		*state = run_octets(strict_rows, *state, p + at, 1);
	return at;
}

/* Not inlined, so that utf8_check() has nothing to save on its shortest way. */
static __attribute__((noinline)) unsigned run_strict(unsigned state, const uint8_t *p, size_t n)
{
	size_t at = run_to_start(&state, p, n);

	if (state != START || at == n)
		return state;
#if UTF8_SIMD
	if (utf8_simd_works()) {
		if (n - at >= ASCII_LONG)
			at += utf8_simd_ascii(p + at, n - at);
		if (n - at >= WIDE_MIN)
			return run_wide(p + at, n - at);
	}
#endif
	return run(strict_rows, START, p + at, n - at);
}

/* To a caller the start is zero, so that a zeroed struct begins rightly. */
utf8_state utf8_check(utf8_state state, const void *p, size_t n)
{
	size_t at = 0;
	unsigned end;

	if (state == UTF8_INVALID)
		return UTF8_INVALID;
	if (state == UTF8_START && n < ASCII_LONG) {
		at = skip_ascii(p, n);
		if (at == n)
			return UTF8_START;
	}
	end = run_strict(state == UTF8_START ? START : state, (const uint8_t *)p + at, n - at);
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
	if (run(simd_rows, START, p, n) != START)
		return false;
	if (has_surrogates)
		*has_surrogates = true; /* nothing else could have failed the strict reading */
	return true;
}
