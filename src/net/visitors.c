/*
 * net/visitors.c - an address as a key of quotas; see visitors.h.
 */
#include "net/visitors.h"

#include <sys/socket.h>

#define KEY_MAX 9

/* The first octet keeps the families apart, and leaves room for visitors of another sort. */
static size_t make_key(const struct addr *a, char key[KEY_MAX])
{
	size_t n = a->family == AF_INET ? 4 : a->family == AF_INET6 ? 8 : 0;

	if (n == 0)
		return 0;
	key[0] = a->family == AF_INET ? '4' : '6';
	memcpy(key + 1, a->ip, n);
	return n + 1;
}

enum quota_verdict visitor_enter(
    struct quotas *q, const struct addr *who, enum visitor_kind kind, struct quota_row **row)
{
	char key[KEY_MAX];

	return quota_take(q, (struct bytes){ key, make_key(who, key) }, kind, row);
}
