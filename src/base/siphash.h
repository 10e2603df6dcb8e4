/*
 * base/siphash.h - the rounds of SipHash (Aumasson and Bernstein), for who needs a hash
 * that nobody without the key can steer: map.c (1-3, short and quick) and
 * http/http_memo.c (2-4, 128 bits).
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <endian.h>
#include <stdint.h>

#include "base/bytes.h"

struct siphash {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t siphash_rotl(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline struct siphash siphash_start(uint64_t k0, uint64_t k1)
{
	return (struct siphash){
		k0 ^ 0x736f6d6570736575,
		k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573,
	};
}

static inline void siphash_rounds(struct siphash *s, int n)
{
	while (n-- > 0) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = siphash_rotl(s->v1, 13) ^ s->v0;
		s->v3 = siphash_rotl(s->v3, 16) ^ s->v2;
		s->v0 = siphash_rotl(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = siphash_rotl(s->v1, 17) ^ s->v2;
		s->v3 = siphash_rotl(s->v3, 21) ^ s->v0;
		s->v2 = siphash_rotl(s->v2, 32);
	}
}

/* One word of the message, in `n` compression rounds. */
static inline void siphash_word(struct siphash *s, uint64_t word, int n)
{
	s->v3 ^= word;
	siphash_rounds(s, n);
	s->v0 ^= word;
}

/* The whole message, each word in `n` rounds; the last one holds what is left of it, and its
 * length in the high octet. What is done to the state after that is finalization. */
static inline void siphash_message(struct siphash *s, struct bytes text, int n)
{
	uint64_t word, last = (uint64_t)text.n << 56;
	size_t i;

	for (i = 0; i + 8 <= text.n; i += 8) {
		memcpy(&word, text.p + i, 8);
		siphash_word(s, le64toh(word), n);
	}
	for (unsigned shift = 0; i < text.n; i++, shift += 8)
		last |= (uint64_t)(unsigned char)text.p[i] << shift;
	siphash_word(s, last, n);
}

static inline uint64_t siphash_fold(const struct siphash *s)
{
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#endif
