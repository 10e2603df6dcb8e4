/*
 * bench/load/message.c - contents that can be checked.
 */
#include "load/message.h"

#include <string.h>

enum { LETTERS = 26 };

static char filler[MESSAGE_MAX + LETTERS];

void message_init(void)
{
	for (size_t i = 0; i < sizeof(filler); i++)
		filler[i] = (char)('a' + i % LETTERS);
}

static void hex(char *out, uint32_t n)
{
	for (int i = 7; i >= 0; i--, n >>= 4)
		out[i] = "0123456789abcdef"[n & 15];
}

static const char *filler_of(uint32_t sender, uint64_t number)
{
	return filler + (sender + number) % LETTERS;
}

void message_write(char *out, size_t size, uint32_t sender, uint64_t number)
{
	hex(out, sender);
	hex(out + 8, (uint32_t)number);
	memcpy(out + MESSAGE_MIN, filler_of(sender, number), size - MESSAGE_MIN);
}

bool message_is(const char *data, size_t len, size_t size, uint32_t sender, uint64_t number)
{
	char head[MESSAGE_MIN];

	if (len != size)
		return false;
	hex(head, sender);
	hex(head + 8, (uint32_t)number);
	return memcmp(data, head, MESSAGE_MIN) == 0 &&
	       memcmp(data + MESSAGE_MIN, filler_of(sender, number), size - MESSAGE_MIN) == 0;
}
