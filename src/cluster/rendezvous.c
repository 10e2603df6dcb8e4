/*
 * cluster/rendezvous.c - scores of gateways; see rendezvous.h.
 *
 * The functions are part of what gateways have agreed on: another one would find other owners.
 */
#include "cluster/rendezvous.h"

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)

static uint64_t add(uint64_t hash, struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		hash = (hash ^ (unsigned char)text.p[i]) * FNV_PRIME;
	return hash;
}

/* A NUL stands in no prefix, so that the two cannot be taken for two others. */
uint64_t rendezvous_key(struct bytes prefix, struct bytes session_id)
{
	return add(add(add(FNV_OFFSET, prefix), (struct bytes){ "", 1 }), session_id);
}

/* The finisher of splitmix64: each bit of what goes in changes half of those that come out. */
uint64_t rendezvous_score(uint64_t gateway, uint64_t key)
{
	uint64_t x = key ^ (gateway * UINT64_C(0x9e3779b97f4a7c15));

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}
