/*
 * bench/load/websocket.c - the keys of a handshake; frames: masked ones out, plain ones in.
 */
#include "load/websocket.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

/* --- handshake ---------------------------------------------------------------------- */

void ws_key(char key[WS_KEY_BYTES], const void *octets)
{
	EVP_EncodeBlock((unsigned char *)key, octets, 16);
}

void ws_accept(char accept[WS_ACCEPT_BYTES], const char key[WS_KEY_BYTES])
{
	unsigned char digest[SHA_DIGEST_LENGTH];
	char text[WS_KEY_BYTES + 36];
	int n = snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);

	SHA1((unsigned char *)text, (size_t)n, digest);
	EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest));
}

/* --- in ----------------------------------------------------------------------------- */

static size_t big_endian(const unsigned char *p, int n)
{
	size_t value = 0;

	while (n-- > 0)
		value = value << 8 | *p++;
	return value;
}

long ws_read(struct ws_frame *frame, char *data, size_t len)
{
	const unsigned char *p = (unsigned char *)data;
	size_t head = 2;

	if (len < 2)
		return 0;
	if ((p[0] & 0xf0) != 0x80 || p[1] > 127)
		return -1; /* fragments and extensions were not asked for, masks are ours */
	if (p[1] == 126)
		head = 4;
	else if (p[1] == 127)
		head = 10;
	if (len < head)
		return 0;
	frame->opcode = p[0] & 15;
	frame->len = head == 2 ? p[1] : big_endian(p + 2, (int)head - 2);
	frame->payload = data + head;
	return len - head < frame->len ? 0 : (long)(head + frame->len);
}

/* --- out ---------------------------------------------------------------------------- */

/* It need not be unpredictable here, only different each time. */
static uint32_t next_mask(void)
{
	static uint32_t state = 2463534242;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void mask(char *data, size_t len, uint32_t key)
{
	uint64_t wide = (uint64_t)key << 32 | key, word;
	size_t i = 0;

	for (; i + 8 <= len; i += 8) {
		memcpy(&word, data + i, 8);
		word ^= wide;
		memcpy(data + i, &word, 8);
	}
	for (; i < len; i++)
		data[i] ^= ((char *)&key)[i & 3];
}

char *ws_wrap(char *out, unsigned opcode, size_t len)
{
	int extended = len < 126 ? 0 : len < 65536 ? 2 : 8;
	char *frame = out + WS_HEAD_MAX - (2 + extended + 4);
	uint32_t key = next_mask();

	frame[0] = (char)(0x80 | opcode);
	frame[1] = (char)(0x80 | (extended == 0 ? len : extended == 2 ? 126 : 127));
	for (int i = 0; i < extended; i++)
		frame[2 + i] = (char)(len >> 8 * (extended - 1 - i));
	memcpy(frame + 2 + extended, &key, 4);
	mask(out + WS_HEAD_MAX, len, key);
	return frame;
}
