/*
 * networks/network_client.c - who a client is; see network_client.h.
 */
#include "networks/network_client.h"

#include <string.h>

#define BROWSER_AT 13 /* the lowest of its bits */
_Static_assert(NETWORK_BROWSER_ROWS <= 1u << (16 - BROWSER_AT), "all browsers have a number");

/* As in FNV-1a, but a word at a time: it is made whenever a session opens. */
static uint16_t short_hash(struct bytes text)
{
	uint64_t h = text.n, word;

	for (; text.n >= sizeof(word); text.p += sizeof(word), text.n -= sizeof(word)) {
		memcpy(&word, text.p, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	for (; text.n > 0; text.p++, text.n--)
		h = (h ^ (unsigned char)*text.p) * UINT64_C(0x100000001b3);
	return (uint16_t)(h ^ h >> 16 ^ h >> 32 ^ h >> 48);
}

/* 000 is what programs write that have no library, and those of tests: it says nothing. Of browsers
 * one in a thousand has it. */
bool network_number_tells(struct bytes number)
{
	return number.n > 0 && !bytes_equal(number, BYTES("000"));
}

static uint16_t number_of(struct bytes number)
{
	uint16_t hash = short_hash(number);

	if (!network_number_tells(number))
		return 0;
	return hash ? hash : 1;
}

struct network_client network_client(
    const struct addr *address, struct bytes agent, struct bytes number)
{
	uint16_t browser = (uint16_t)(network_browser(agent) << BROWSER_AT);

	return (struct network_client){
		*address,
		(uint16_t)(browser | (short_hash(agent) & ((1u << BROWSER_AT) - 1))),
		number_of(number),
	};
}

enum network_browser network_client_browser(const struct network_client *client)
{
	return (enum network_browser)(client->agent >> BROWSER_AT);
}
