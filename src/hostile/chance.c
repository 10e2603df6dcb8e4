/*
 * hostile/chance.c - SipHash-2-4 of the occasion, keyed by the seed; see chance.h.
 */
#include "hostile/chance.h"

#include "base/siphash.h"

uint64_t chance_draw(
    uint64_t seed, uint64_t connection, unsigned way, uint64_t what, uint64_t which)
{
	struct siphash s = siphash_start(seed, 0x686f7374696c65);

	siphash_word(&s, connection, 2);
	siphash_word(&s, way, 2);
	siphash_word(&s, what, 2);
	siphash_word(&s, which, 2);
	s.v2 ^= 0xff;
	siphash_rounds(&s, 4);
	return siphash_fold(&s);
}
