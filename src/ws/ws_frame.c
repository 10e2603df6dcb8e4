/*
 * ws/ws_frame.c - frame header and masking; see ws_frame.h.
 */
#include "ws/ws_frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

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
static inline uint64_t turned_key(const uint8_t mask[4], size_t offset)
{
	unsigned turn = (unsigned)(offset & 3) * 8;
	uint32_t half;
	uint64_t key;

	memcpy(&half, mask, sizeof(half));
	key = le32toh(half) * UINT64_C(0x100000001);
	return key >> turn | key << (-turn & 63);
}

static inline void xor_word(uint8_t *p, uint64_t key)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	w ^= key;
	memcpy(p, &w, sizeof(w));
}

void ws_mask(void *p, size_t n, const uint8_t mask[4], size_t offset)
{
	uint8_t *b = p;
	uint64_t key = turned_key(mask, offset), word = htole64(key);

	for (; n >= 32; b += 32, n -= 32) { /* the compiler makes wide registers of these */
		xor_word(b, word);
		xor_word(b + 8, word);
		xor_word(b + 16, word);
		xor_word(b + 24, word);
	}
	for (; n >= 8; b += 8, n -= 8)
		xor_word(b, word);
	for (; n > 0; b++, n--, key >>= 8)
		*b ^= (uint8_t)key;
}
