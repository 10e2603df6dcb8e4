/*
 * engine/engine.c - which kinds of engines there are, and how members of gateways are called; see engine.h.
 */
#include "engine/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

static const struct engine_kind engine_memory = { .name = "memory" };

const struct engine_kind *engine_kind_find(const char *name)
{
	static const struct engine_kind *const kinds[] = { &engine_memory, &engine_nats };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

void engine_member_name(uint64_t gateway, uint64_t member, char name[ENGINE_MEMBER_BYTES])
{
	snprintf(name, ENGINE_MEMBER_BYTES, "%015" PRIx64 "-%015" PRIx64, gateway, member);
}

bool engine_pair_read(struct bytes text, uint64_t *first, uint64_t *second)
{
	return hex_take(&text, first) && hex_take_dash(&text) && hex_take(&text, second) && text.n == 0;
}

bool engine_member_gateway(struct bytes name, uint64_t *gateway)
{
	uint64_t member;

	return name.n == ENGINE_MEMBER_BYTES - 1 && engine_pair_read(name, gateway, &member);
}
