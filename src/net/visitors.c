/*
 * net/visitors.c - an address as a key of quotas; see visitors.h.
 */
#include "net/visitors.h"

#include <string.h>
#include <sys/socket.h>

#define KEY_MAX 9

/* The first octet keeps the families apart, and leaves room for visitors of another sort. */
size_t visitor_key(const struct addr *a, char *key)
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

	return quota_take(q, (struct bytes){ key, visitor_key(who, key) }, kind, row);
}

const char *visitor_print(struct bytes key, char text[ADDR_TEXT_MAX])
{
	struct addr a = { .family = key.n > 0 && key.p[0] == '4' ? AF_INET : AF_INET6 };

	if (key.n < 5 || key.n > KEY_MAX)
		return strcpy(text, "unknown");
	memcpy(a.ip, key.p + 1, key.n - 1);
	addr_print(&a, false, text);
	return a.family == AF_INET ? text : strcat(text, "/64");
}
