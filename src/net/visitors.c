/*
 * net/visitors.c - an address as a key of quotas; see visitors.h.
 *
 * A key is the family ('4' or '6'), the length of the prefix, and the octets of the prefix with
 * what stands behind it cleared. So prefixes of different lengths are different visitors.
 */
#include "net/visitors.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define KEY_HEAD 2
#define KEY_MAX  (KEY_HEAD + 16)

_Static_assert(KEY_MAX <= QUOTA_KEY_MAX, "a whole IPv6 address fits");

/* The first octet keeps the families apart, and leaves room for visitors of another sort. */
size_t visitor_key(const struct addr *a, struct visitor_prefixes prefixes, char *key)
{
	unsigned bits = a->family == AF_INET ? prefixes.ipv4 : prefixes.ipv6;
	size_t n = (bits + 7) / 8;

	if (a->family != AF_INET && a->family != AF_INET6)
		return 0;
	key[0] = a->family == AF_INET ? '4' : '6';
	key[1] = (char)bits;
	memcpy(key + KEY_HEAD, a->ip, n);
	if (bits % 8)
		key[KEY_HEAD + n - 1] &= (char)(0xff00u >> bits % 8);
	return KEY_HEAD + n;
}

enum quota_verdict visitor_enter(struct quotas *q, const struct addr *who,
    struct visitor_prefixes prefixes, enum visitor_kind kind, struct quota_row **row)
{
	char key[KEY_MAX];

	return quota_take(q, (struct bytes){ key, visitor_key(who, prefixes, key) }, kind, row);
}

/* How many bits of its address a key has, which is put to *a; 0: it is no key. */
static unsigned read_key(struct bytes key, struct addr *a)
{
	unsigned bits = key.n > KEY_HEAD ? (unsigned char)key.p[1] : 0;
	size_t n = (bits + 7) / 8;

	*a = (struct addr){ .family = key.n > 0 && key.p[0] == '4' ? AF_INET : AF_INET6 };
	if (key.n < KEY_HEAD + n || n > sizeof(a->ip))
		return 0;
	memcpy(a->ip, key.p + KEY_HEAD, n);
	return bits;
}

/* Of two prefixes one is within the other, or they have nothing in common. */
bool visitor_key_meets(struct bytes key, const struct cidr *network)
{
	struct cidr wide = *network;
	struct addr a;
	unsigned bits = read_key(key, &a);

	if (wide.prefix > bits)
		wide.prefix = bits;
	return bits > 0 && cidr_contains(&wide, &a);
}

size_t visitor_key_widen(struct bytes key, struct visitor_prefixes prefixes, char *wide)
{
	struct addr a;

	return read_key(key, &a) > 0 ? visitor_key(&a, prefixes, wide) : 0;
}

const char *visitor_print(struct bytes key, char text[ADDR_TEXT_MAX])
{
	struct addr a = { .family = key.n > 0 && key.p[0] == '4' ? AF_INET : AF_INET6 };
	unsigned bits, all = a.family == AF_INET ? 32 : 128;
	size_t n;

	if (key.n <= KEY_HEAD || key.n > KEY_MAX)
		return strcpy(text, "unknown");
	bits = (unsigned char)key.p[1];
	memcpy(a.ip, key.p + KEY_HEAD, key.n - KEY_HEAD);
	addr_print(&a, false, text);
	n = strlen(text);
	if (bits < all)
		snprintf(text + n, ADDR_TEXT_MAX - n, "/%u", bits);
	return text;
}
