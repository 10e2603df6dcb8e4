/*
 * net/addr.c - parse and print addresses; see addr.h.
 */
#include "net/addr.h"
#include "base/snapshot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

/* --- peers -------------------------------------------------------------- */

static struct addr addr_v4(const void *ip, uint16_t port)
{
	struct addr a = { .family = AF_INET, .port = port };

	memcpy(a.ip, ip, 4);
	return a;
}

static struct addr addr_v6(const void *ip, uint16_t port)
{
	struct addr a = { .family = AF_INET6, .port = port };

	if (memcmp(ip, v4_mapped, sizeof(v4_mapped)) == 0)
		return addr_v4((const uint8_t *)ip + sizeof(v4_mapped), port);
	memcpy(a.ip, ip, 16);
	return a;
}

struct addr addr_snapshot(struct snapshot *s, struct addr a)
{
	SNAPSHOT(s, u16, a.family);
	SNAPSHOT(s, u16, a.port);
	snapshot_raw(s, a.ip, sizeof(a.ip));
	snapshot_check(s, a.family == 0 || a.family == AF_INET || a.family == AF_INET6 || a.family == AF_UNIX);
	return a;
}

struct addr addr_from_sockaddr(const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof(in));
		return addr_v4(&in.sin_addr, ntohs(in.sin_port));
	case AF_INET6:
		memcpy(&in6, sa, sizeof(in6));
		return addr_v6(&in6.sin6_addr, ntohs(in6.sin6_port));
	case AF_UNIX:
		return (struct addr){ .family = AF_UNIX };
	default:
		return (struct addr){ 0 };
	}
}

static socklen_t sockaddr_v4(const void *ip, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	memcpy(&in.sin_addr, ip, 4);
	memcpy(out, &in, sizeof(in));
	return sizeof(in);
}

static socklen_t sockaddr_v6(const void *ip, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memcpy(&in6.sin6_addr, ip, 16);
	memcpy(out, &in6, sizeof(in6));
	return sizeof(in6);
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	out->ss_family = a->family;
	switch (a->family) {
	case AF_INET:
		return sockaddr_v4(a->ip, a->port, out);
	case AF_INET6:
		return sockaddr_v6(a->ip, a->port, out);
	default:
		return sizeof(out->ss_family);
	}
}

const char *addr_print(const struct addr *a, bool with_port, char text[ADDR_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN];

	if (a->family != AF_INET && a->family != AF_INET6)
		return strcpy(text, a->family == AF_UNIX ? "unix" : "unknown");
	inet_ntop(a->family, a->ip, ip, sizeof(ip));
	if (!with_port)
		return strcpy(text, ip);
	snprintf(text, ADDR_TEXT_MAX, a->family == AF_INET ? "%s:%u" : "[%s]:%u", ip, a->port);
	return text;
}

/* Copies a token that a C function wants NUL-terminated; false if it cannot be one. */
static bool terminate(struct bytes text, char *out, size_t size)
{
	if (text.n >= size || memchr(text.p, '\0', text.n))
		return false;
	bytes_put(out, text);
	out[text.n] = '\0';
	return true;
}

int addr_parse_ip(struct bytes text, struct addr *out)
{
	char ip[INET6_ADDRSTRLEN];
	uint8_t binary[16];
	bool brackets = text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';

	if (brackets)
		text = (struct bytes){ text.p + 1, text.n - 2 };
	if (text.n == 0 || !terminate(text, ip, sizeof(ip)))
		return -EINVAL;
	if (!brackets && inet_pton(AF_INET, ip, binary) == 1)
		*out = addr_v4(binary, 0);
	else if (inet_pton(AF_INET6, ip, binary) == 1)
		*out = addr_v6(binary, 0);
	else
		return -EINVAL;
	return 0;
}

/* Whether the first `bits` bits are equal. */
static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static unsigned ip_bits(uint16_t family)
{
	return family == AF_INET ? 32 : family == AF_INET6 ? 128 : 0;
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
	return a->family != 0 && a->family == b->family &&
	       same_prefix(a->ip, b->ip, ip_bits(a->family));
}

bool addr_same_class(const struct addr *a, const struct addr *b)
{
	unsigned bits = a->family == AF_INET6 ? 64 : ip_bits(a->family);

	return a->family != 0 && a->family == b->family && same_prefix(a->ip, b->ip, bits);
}

/* --- networks ----------------------------------------------------------- */

/* Decimal digits alone, no more than five; -1 if it is something else. */
static int parse_number(struct bytes text, int max)
{
	int value = 0;

	if (text.n == 0 || text.n > 5)
		return -1;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return -1;
		value = value * 10 + (text.p[i] - '0');
	}
	return value <= max ? value : -1;
}

static bool is_mapped_text(struct bytes ip, const struct addr *a)
{
	return a->family == AF_INET && memchr(ip.p, ':', ip.n);
}

/* Octets behind the prefix are not part of a network and are cleared, so that equal networks
 * are equal. */
static void clear_host_bits(struct cidr *c)
{
	for (unsigned bit = c->prefix; bit < ip_bits(c->base.family); bit++)
		c->base.ip[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
}

int cidr_parse(struct bytes text, struct cidr *out)
{
	struct cidr c = { 0 };
	const char *slash;
	struct bytes ip = text;
	int prefix;

	if (bytes_equal(text, BYTES("unix"))) {
		*out = (struct cidr){ .base.family = AF_UNIX };
		return 0;
	}
	slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	if (slash)
		ip.n = (size_t)(slash - text.p);
	if (addr_parse_ip(ip, &c.base) < 0)
		return -EINVAL;
	c.prefix = ip_bits(c.base.family);
	if (slash) {
		bool mapped = is_mapped_text(ip, &c.base);

		prefix = parse_number(
		    (struct bytes){ slash + 1, text.n - ip.n - 1 }, mapped ? 128 : (int)c.prefix);
		if (mapped)
			prefix -= 96; /* the prefix counts from the front of the IPv6 form */
		if (prefix < 0)
			return -EINVAL;
		c.prefix = (unsigned)prefix;
	}
	clear_host_bits(&c);
	*out = c;
	return 0;
}

bool cidr_contains(const struct cidr *c, const struct addr *a)
{
	return c->base.family == a->family && same_prefix(c->base.ip, a->ip, c->prefix);
}

/* --- places to listen at ------------------------------------------------ */

static int parse_unix(struct bytes path, struct listen_addr *out, const char **why)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (path.n == 0) {
		*why = "unix: must be followed by the path of a socket";
		return -EINVAL;
	}
	if (!terminate(path, un.sun_path, sizeof(un.sun_path))) {
		*why = "the path of a unix socket may have at most 107 octets";
		return -EINVAL;
	}
	memcpy(&out->sa, &un, sizeof(un));
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
	return 0;
}

#define FD_NAME_MAX 255

const char *listen_addr_inherited(const char *text)
{
	return strncmp(text, "fd:", 3) == 0 ? text + 3 : NULL;
}

/* As FileDescriptorName= has it; a number is that of a descriptor behind the standard ones. */
static int check_inherited(const char *name, const char **why)
{
	size_t n = strlen(name);
	int number = parse_number(bytes_of(name), 65535);

	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == ':')
			n = 0;
	if (n > 0 && n <= FD_NAME_MAX && (number < 0 || number > 2))
		return 0;
	*why = "fd: must be followed by the name of an inherited socket, or its number from 3 on";
	return -EINVAL;
}

#define HOST_NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

static int resolve(const char *host, int port, struct listen_addr *out, const char **why)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	struct addr a;

	if (getaddrinfo(host, NULL, &hints, &found) != 0) {
		*why = "no address is known for this host name";
		return -ENOENT;
	}
	a = addr_from_sockaddr(found->ai_addr);
	freeaddrinfo(found);
	a.port = (uint16_t)port;
	out->len = addr_to_sockaddr(&a, &out->sa);
	return 0;
}

/* `names`: whether a host name is looked up; else its form will do. */
static int parse_host(
    struct bytes host, int port, bool names, struct listen_addr *out, const char **why)
{
	struct addr a = { .family = AF_INET6 };
	char name[256];

	if (memmem(host.p, host.n, "://", 3)) {
		*why = "an address to listen at is no URL: HOST:PORT, [IPv6]:PORT, unix:PATH or fd:NAME";
		return -EINVAL;
	}
	if (host.n > 0 && host.p[0] != '[' && memchr(host.p, ':', host.n)) {
		*why = "an IPv6 address must be put in brackets: [::1]:8080";
		return -EINVAL;
	}
	out->dual_stack = host.n == 0 || bytes_equal(host, BYTES("*"));
	if (out->dual_stack || addr_parse_ip(host, &a) == 0) {
		a.port = (uint16_t)port;
		out->len = addr_to_sockaddr(&a, &out->sa);
		return 0;
	}
	if (host.p[0] == '[') {
		*why = "between [ and ] must stand an IPv6 address";
		return -EINVAL;
	}
	if (!terminate(host, name, sizeof(name))) {
		*why = "the host name is too long";
		return -EINVAL;
	}
	if (name[strspn(name, HOST_NAME)] != '\0') {
		*why = "a host name has letters, digits, dots and hyphens";
		return -EINVAL;
	}
	return names ? resolve(name, port, out, why) : 0;
}

static int parse_place(const char *text, bool names, struct listen_addr *out, const char **why)
{
	struct listen_addr parsed = { 0 };
	const char *colon = strrchr(text, ':');
	int port, err;

	if (strncmp(text, "unix:", 5) == 0) {
		err = parse_unix(bytes_of(text + 5), &parsed, why);
	} else if (listen_addr_inherited(text)) {
		err = check_inherited(listen_addr_inherited(text), why);
	} else if (!colon) {
		*why = "an address to listen at is HOST:PORT, [IPv6]:PORT, unix:PATH or fd:NAME";
		return -EINVAL;
	} else if ((port = parse_number(bytes_of(colon + 1), 65535)) < 0) {
		*why = "the port must be a number from 0 to 65535";
		return -EINVAL;
	} else {
		err = parse_host(
		    (struct bytes){ text, (size_t)(colon - text) }, port, names, &parsed, why);
	}
	if (err == 0)
		*out = parsed;
	return err;
}

int listen_addr_parse(const char *text, struct listen_addr *out, const char **why)
{
	return parse_place(text, true, out, why);
}

int listen_addr_check(const char *text, const char **why)
{
	struct listen_addr unused;

	return parse_place(text, false, &unused, why);
}

static bool is_any(const struct addr *a)
{
	static const uint8_t zeros[16];

	return memcmp(a->ip, zeros, ip_bits(a->family) / 8) == 0;
}

static bool takes(const struct listen_addr *at, const struct addr *whole, const struct addr *part)
{
	bool all = is_any(whole);

	return addr_same_ip(whole, part) ||
	       (all && (at->dual_stack || whole->family == part->family));
}

bool listen_addr_overlaps(const struct listen_addr *a, const struct listen_addr *b)
{
	struct addr x = addr_from_sockaddr((const void *)&a->sa),
	            y = addr_from_sockaddr((const void *)&b->sa);

	if (x.family == AF_UNIX || y.family == AF_UNIX || x.port != y.port || x.port == 0)
		return false;
	return takes(a, &x, &y) || takes(b, &y, &x);
}
