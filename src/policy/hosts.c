/*
 * policy/hosts.c - which hosts may be asked for; see hosts.h.
 */
#include "policy/hosts.h"

#include <ctype.h>

#include "net/addr.h"

/* An IPv6 address stands in brackets, so what follows the last colon is a port if it is a number.
 */
static struct bytes without_port(struct bytes host)
{
	size_t n = host.n;

	while (n > 0 && isdigit((unsigned char)host.p[n - 1]))
		n--;
	if (n > 0 && host.p[n - 1] == ':')
		host.n = n - 1;
	return host;
}

static struct bytes name_of(struct bytes host)
{
	struct bytes name = without_port(host);

	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

/* "*.example.com" is any name below it, but not the domain itself. */
static bool matches(struct bytes rule, struct bytes name, const struct addr *ip)
{
	struct addr allowed;

	if (bytes_equal(rule, BYTES("*")))
		return true;
	if (ip)
		return addr_parse_ip(rule, &allowed) == 0 && addr_same_ip(&allowed, ip);
	if (rule.n > 2 && rule.p[0] == '*')
		return name.n > rule.n - 1 &&
		       strncasecmp(name.p + name.n - (rule.n - 1), rule.p + 1, rule.n - 1) == 0;
	return bytes_equal_nocase(rule, name);
}

bool http_host_is_allowed(const struct http_hosts *hosts, struct bytes host)
{
	struct bytes name = name_of(host);
	struct addr ip;
	bool is_ip = addr_parse_ip(name, &ip) == 0;

	if (hosts->any || host.n == 0)
		return true;
	if (hosts->local && (is_ip || bytes_equal_nocase(name, BYTES("localhost"))))
		return true;
	for (size_t i = 0; i < hosts->count; i++)
		if (matches(hosts->allowed[i], name, is_ip ? &ip : NULL))
			return true;
	return false;
}

static bool is_name(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!isalnum((unsigned char)text.p[i]) && !memchr("-._", text.p[i], 3))
			return false;
	return text.n > 0 && text.n < 256 && text.p[0] != '.' && text.p[text.n - 1] != '.';
}

bool http_host_is_valid(struct bytes text)
{
	struct addr ip;

	if (bytes_equal(text, BYTES("*")) || addr_parse_ip(text, &ip) == 0)
		return true;
	if (text.n > 2 && memcmp(text.p, "*.", 2) == 0)
		text = (struct bytes){ text.p + 2, text.n - 2 };
	return is_name(text);
}
