/*
 * tests/fuzz/fuzz_utf8.c - the validator against a decoder that is slow and
 * obvious; cut anywhere, it must say the same.
 */
#include "base/utf8.h"
#include "tests/fuzz/must.h"

#include <stdlib.h>
#include <string.h>

/* The octets of the sequence at p, 0 if it is none. */
static size_t sequence(const uint8_t *p, size_t n, bool wide)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t cp = len < 2 ? p[0] : p[0] & (0xffu >> (len + 1));

	if (len == 0 || len > n || p[0] > 0xf7)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if (cp < least[len] || cp > 0x10ffff)
		return 0;
	return !wide && cp >= 0xd800 && cp <= 0xdfff ? 0 : len;
}

static bool reference(const uint8_t *p, size_t n, bool wide)
{
	while (n > 0) {
		size_t len = sequence(p, n, wide);

		if (len == 0)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	utf8_state whole, cut, octets = UTF8_START;
	size_t at = n > 0 ? p[0] % n : 0;
	bool surrogates;

	whole = utf8_check(UTF8_START, p, n);
	cut = utf8_check(utf8_check(UTF8_START, p, at), p + at, n - at);
	for (size_t i = 0; i < n; i++)
		octets = utf8_check(octets, p + i, 1);
	must(whole == cut && whole == octets);
	must((whole == UTF8_START) == reference(p, n, false));
	must(utf8_is_valid_wide(p, n, &surrogates) == reference(p, n, true));
	must(surrogates == (reference(p, n, true) && !reference(p, n, false)));
	return 0;
}
