/*
 * ws/ws_frame.c - frame header and masking; see ws_frame.h.
 */
#include "ws/ws_frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/simd.h"

#if defined(__x86_64__) && !defined(SIMD_PORTABLE)
#include <immintrin.h>
#endif

enum { FIN = 0x80, RSV = 0x70, OPCODE = 0x0f, MASK = 0x80, LENGTH = 0x7f };

/* The values of the seven bits of length that announce a longer one. */
enum { LENGTH_16 = 126, LENGTH_64 = 127 };

static uint64_t load_be(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

static size_t length_octets(uint8_t length7)
{
	if (length7 < LENGTH_16)
		return 0;
	return length7 == LENGTH_16 ? 2 : 8;
}

static bool length_is_minimal(size_t octets, uint64_t length)
{
	if (octets == 2)
		return length >= LENGTH_16;
	return length > UINT16_MAX && length <= INT64_MAX;
}

ssize_t ws_frame_parse(struct ws_frame *f, const void *p, size_t n)
{
	const uint8_t *b = p;
	size_t octets, header;

	if (n < 2)
		return 0;
	octets = length_octets(b[1] & LENGTH);
	header = 2 + octets + (b[1] & MASK ? 4 : 0);
	if (n < header)
		return 0;
	f->fin = b[0] & FIN;
	f->rsv = b[0] & RSV;
	f->opcode = b[0] & OPCODE;
	f->masked = b[1] & MASK;
	f->length = b[1] & LENGTH;
	if (octets > 0) {
		f->length = load_be(b + 2, octets);
		if (!length_is_minimal(octets, f->length))
			return -EPROTO;
	}
	if (f->masked)
		memcpy(f->mask, b + header - 4, 4);
	return (ssize_t)header;
}

size_t ws_frame_header(char out[WS_HEADER_MAX], bool fin, uint8_t rsv, enum ws_opcode opcode,
    uint64_t length, const uint8_t mask[4])
{
	uint8_t *b = (uint8_t *)out;
	size_t n = 2, octets = length < LENGTH_16 ? 0 : length <= UINT16_MAX ? 2 : 8;

	b[0] = (uint8_t)((fin ? FIN : 0) | rsv | opcode);
	if (octets == 0)
		b[1] = (uint8_t)length;
	else
		b[1] = octets == 2 ? LENGTH_16 : LENGTH_64;
	while (octets-- > 0)
		b[n++] = (uint8_t)(length >> (8 * octets));
	if (mask) {
		b[1] |= MASK;
		memcpy(b + n, mask, 4);
		n += 4;
	}
	return n;
}

/* The key as the octets it meets from `offset` on, the first in the lowest bits. */
static inline uint32_t turned_key(const uint8_t mask[4], size_t offset)
{
	unsigned turn = (unsigned)(offset & 3) * 8;
	uint32_t key;

	memcpy(&key, mask, sizeof(key));
	key = le32toh(key);
	return key >> turn | key << (-turn & 31);
}

/* n < SIMD_OCTETS octets. What overlaps is read before any of it is written, and written twice
 * alike. */
static inline void mask_few(uint8_t *b, size_t n, uint32_t key)
{
	uint64_t key8 = key * UINT64_C(0x100000001), first, last;
	size_t turn = (n & 3) * 8;

	if (n >= 8) { /* the last block meets the key where it is after n octets */
		memcpy(&first, b, 8);
		memcpy(&last, b + n - 8, 8);
		first ^= htole64(key8);
		last ^= htole64(key8 >> turn | key8 << (-turn & 63));
		memcpy(b, &first, 8);
		memcpy(b + n - 8, &last, 8);
		return;
	}
	for (; n > 0; b++, n--, key8 >>= 8)
		*b ^= (uint8_t)key8;
}

static inline void mask_block(uint8_t *b, simd_vec key)
{
	simd_store(b, simd_xor(simd_load(b), key));
}

#if defined(__x86_64__) && !defined(SIMD_PORTABLE)
enum { LONG = 256, LONG_BLOCK = 128 }; /* worth a call and a question */

#define AVX2 __attribute__((target("avx2")))

static inline AVX2 void mask_block_avx2(uint8_t *b, __m256i key)
{
	__m256i *p = (__m256i *)(void *)b;

	_mm256_storeu_si256(p, _mm256_xor_si256(_mm256_loadu_si256(p), key));
}

/* As many whole LONG_BLOCKs as there are. */
static AVX2 __attribute__((noinline)) void mask_avx2(uint8_t *b, size_t n, uint32_t key)
{
	__m256i key8 = _mm256_set1_epi32((int)key);

	for (; n >= LONG_BLOCK; b += LONG_BLOCK, n -= LONG_BLOCK) {
		mask_block_avx2(b, key8);
		mask_block_avx2(b + 32, key8);
		mask_block_avx2(b + 64, key8);
		mask_block_avx2(b + 96, key8);
	}
}

/* The number of octets it has masked. */
static inline size_t mask_long(uint8_t *b, size_t n, uint32_t key)
{
	if (n < LONG || !__builtin_cpu_supports("avx2"))
		return 0;
	mask_avx2(b, n, key);
	return n - n % LONG_BLOCK;
}
#else
static inline size_t mask_long(uint8_t *b, size_t n, uint32_t key)
{
	(void)b, (void)n, (void)key;
	return 0;
}
#endif

/* Blocks are multiples of four octets: the key does not turn between them. */
void ws_mask(void *p, size_t n, const uint8_t mask[4], size_t offset)
{
	uint32_t key = turned_key(mask, offset);
	simd_vec block_key = simd_splat4(htole32(key));
	uint8_t *b = p;
	size_t done = mask_long(b, n, key);

	b += done;
	n -= done;
	for (; n >= 4 * SIMD_OCTETS; b += 4 * SIMD_OCTETS, n -= 4 * SIMD_OCTETS) {
		mask_block(b, block_key);
		mask_block(b + SIMD_OCTETS, block_key);
		mask_block(b + 2 * SIMD_OCTETS, block_key);
		mask_block(b + 3 * SIMD_OCTETS, block_key);
	}
	for (; n >= SIMD_OCTETS; b += SIMD_OCTETS, n -= SIMD_OCTETS)
		mask_block(b, block_key);
	if (n > 0)
		mask_few(b, n, key);
}
