/*
 * server/options_valid.c - what the strings of options may look like; the table says
 * which option is which.
 */
#include "server/options_valid.h"

#include <stdlib.h>
#include <string.h>

#include "policy/hosts.h"
#include "net/addr.h"
#include "net/server_address.h"
#include "server/options.h"

static bool only_of(const char *s, const char *set)
{
	return *s && s[strspn(s, set)] == '\0';
}

/* RFC 9110 section 5.6.2; header names, subprotocols and cookie names are tokens. */
bool valid_token(const char *s)
{
	return only_of(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
	                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* One that is chosen stands in a response; see SUBPROTOCOL_MAX. */
bool valid_subprotocol(const char *s)
{
	return valid_token(s) && strlen(s) <= 2048;
}

bool valid_cookie(const char *s)
{
	return valid_token(s) && strlen(s) <= 128;
}

bool valid_host_rule(const char *s)
{
	return http_host_is_valid(bytes_of(s));
}

bool valid_cidr(const char *s)
{
	struct cidr cidr;

	return cidr_parse((struct bytes){ s, strlen(s) }, &cidr) == 0;
}

/* Whether the text begins with this scheme and something like a host. */
static bool has_host(const char *s, const char *scheme)
{
	size_t n = strlen(scheme);

	return strncmp(s, scheme, n) == 0 && s[n] && !strchr("/?#:", s[n]);
}

/* It is written into pages and JSON: a path or an http URL without anything that could end a
 * string. */
bool valid_url(const char *s)
{
	if (s[0] != '/' && !has_host(s, "http://") && !has_host(s, "https://"))
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s == 0x7f || strchr("\"'<>\\`", *s))
			return false;
	return true;
}

/* A path would be taken for one below the endpoint by some clients and break others; what stands
 * behind a "?" or "#" would be in the middle of what they make of it. */
bool valid_base_url(const char *s)
{
	const char *host = strstr(s, "://");

	return valid_url(s) && s[0] != '/' && host[3] && !strchr("/:?#", host[3]) &&
	       !strpbrk(s, "?#");
}

static bool valid_port(const char *s, const char *never)
{
	char *end;
	unsigned long port;

	if (!only_of(s, "0123456789") || *s == '0' || strlen(s) > 5)
		return false;
	port = strtoul(s, &end, 10);
	return port <= 65535 && strcmp(s, never) != 0;
}

static bool valid_origin_host(const char *s, size_t len)
{
	char host[256];

	if (len >= 2 && s[0] == '*' && s[1] == '.') {
		s += 2;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(host))
		return false;
	memcpy(host, s, len);
	host[len] = '\0';
	if (host[0] == '[')
		return len > 3 && host[len - 1] == ']' &&
		       strspn(host + 1, "0123456789abcdef:.") == len - 2;
	return host[0] != '.' && only_of(host, "abcdefghijklmnopqrstuvwxyz0123456789-._");
}

/* An origin is compared as browsers write it (RFC 6454 section 6.2), and they write no default
 * port: one that could never match is an error, not a trap. */
bool valid_origin(const char *s)
{
	const char *host = strstr(s, "://"), *end, *port, *default_port = "";
	size_t scheme;

	if (strcmp(s, "*") == 0 || strcmp(s, "null") == 0)
		return true;
	if (!host)
		return false;
	scheme = (size_t)(host - s);
	if (scheme == 0 || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != scheme)
		return false;
	if (strncmp(s, "http:", 5) == 0)
		default_port = "80";
	else if (strncmp(s, "https:", 6) == 0)
		default_port = "443";
	host += 3;
	end = host[0] == '[' ? strchr(host, ']') : host;
	if (!end)
		return false;
	port = strchr(end, ':');
	end = port ? port : host + strlen(host);
	return valid_origin_host(host, (size_t)(end - host)) &&
	       (!port || valid_port(port + 1, default_port));
}

bool valid_auto(const char *s)
{
	return strcmp(s, "auto") == 0 || strcmp(s, "off") == 0;
}

/* OpenSSL says more when they are used. */
bool valid_ciphers(const char *s)
{
	return strlen(s) <= 1024 && only_of(s, "!+-@=_.:0123456789abcdefghijklmnopqrstuvwxyz"
	                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* What webhook/http_client.c reads; likewise. */
bool valid_backend(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == '#' || *p == '@')
			return false;
	return (strncmp(s, "http://", 7) == 0 && s[7] && s[7] != '/') ||
	       (strncmp(s, "https://", 8) == 0 && s[8] && s[8] != '/');
}

/* What upstream/target.c reads; here only what could go wrong in a file by hand. */
bool valid_upstream(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == '#')
			return false;
	if (strncmp(s, "unix:/", 6) == 0)
		return s[6] != '\0';
	return (strncmp(s, "ws://", 5) == 0 && s[5] && s[5] != '/') ||
	       (strncmp(s, "wss://", 6) == 0 && s[6] && s[6] != '/');
}

/* What may stand in the line of a request. */
bool valid_path(const char *s)
{
	size_t n = 0;

	while (s[n] > ' ' && s[n] < 0x7f && s[n] != '#')
		n++;
	return s[0] == '/' && s[n] == '\0' && n <= 2000;
}

static bool is_status(const char *s)
{
	return s[0] >= '2' && s[0] <= '5' && strspn(s, "0123456789") == 3;
}

/* "200", or "200-299" from the lower to the higher. */
bool valid_statuses(const char *s)
{
	if (!is_status(s))
		return false;
	return s[3] == '\0' ||
	       (s[3] == '-' && is_status(s + 4) && s[7] == '\0' && strncmp(s, s + 4, 3) <= 0);
}

/* host[:port], as it stands in a Host header; brackets and colons are for IPv6. "client" and "own"
 * look like one, and have a meaning of their own. */
bool valid_host(const char *s)
{
	return only_of(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]");
}

/* One origin, and no pattern for many. */
bool valid_one_origin(const char *s)
{
	if (strcmp(s, "client") == 0 || strcmp(s, "own") == 0)
		return true;
	return valid_origin(s) && !strchr(s, '*');
}

/* Not those by which the gateway itself speaks to a backend. */
bool valid_forwarded(const char *s)
{
	static const char *const own[] = { "host", "origin", "upgrade", "connection", "forwarded",
		"content-length", "transfer-encoding", "x-sockjs-transport" };

	if (!valid_token(s) || strncasecmp(s, "sec-websocket-", 14) == 0 ||
	    strncasecmp(s, "x-forwarded-", 12) == 0)
		return false;
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (strcasecmp(s, own[i]) == 0)
			return false;
	return true;
}

/* As query strings have it without escapes. */
bool valid_parameter(const char *s)
{
	return strlen(s) <= 64 && only_of(s, "-._~0123456789abcdefghijklmnopqrstuvwxyz"
	                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

bool valid_separator(const char *s)
{
	return strcmp(s, "/") == 0 || strcmp(s, ".") == 0;
}

/* What broker/broker.h takes; here only what could go wrong in a file by hand. */
bool valid_destinations(const char *s)
{
	size_t n = strlen(s);

	if (n < 2 || n > 1024 || s[0] != '/' || s[n - 1] == '/' || strstr(s, "//"))
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* What stands before the destinations that are relayed. */
bool valid_relayed(const char *s)
{
	return valid_destinations(s) && !strchr(s, '*');
}

/* Whatever fits in one line of a protocol. */
bool valid_line(const char *s)
{
	for (size_t i = 0; s[i]; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f || i == 500)
			return false;
	return true;
}

bool valid_server(const char *s)
{
	struct server_address address;

	return server_address_read(s, &address);
}

/* Who logs in stands in options of its own, where it can be hidden, and NATS has no unix sockets. */
bool valid_nats_server(const char *s)
{
	struct server_address address;
	size_t n = strncmp(s, "nats://", 7) == 0 ? 7 : strncmp(s, "tls://", 6) == 0 ? 6 : 0;

	return n > 0 && server_address_read(s + n, &address) && !address.path;
}

/* It is a token of subjects, of which a dot would make two. */
bool valid_peer_address(const char *s)
{
	struct server_address read;
	struct addr ip;

	if (strncmp(s, "tls://", 6) == 0)
		s += 6;
	return server_address_read(s, &read) && read.port > 0 && addr_parse_ip(bytes_of(read.host), &ip) == 0;
}

bool valid_engine_prefix(const char *s)
{
	return strlen(s) <= 64 && only_of(s, "-_0123456789abcdefghijklmnopqrstuvwxyz"
	                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* The name of a STOMP header, or how it begins and a star. */
bool valid_header_rule(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 255)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] == 0x7f || s[i] == ':' || (s[i] == '*' && i < n - 1))
			return false;
	return true;
}

/* What goes through "Authorization: Bearer" as it is (RFC 6750 section 2.1), and nobody guesses. */
bool valid_secret(const char *s)
{
	size_t n = strlen(s);

	return n >= 16 && n <= 512 &&
	       only_of(s, "-._~+/=0123456789abcdefghijklmnopqrstuvwxyz"
	                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* As stream_tls_peer() tells it: in ASCII, with whatever else escaped. */
bool valid_subject(const char *s)
{
	if (strcmp(s, "*") == 0)
		return true;
	if (!strchr(s, '=') || strlen(s) > 1023)
		return false;
	for (; *s; s++)
		if (*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* With or without the colons that openssl(1) writes between octets. */
bool valid_fingerprint(const char *s)
{
	size_t digits = 0;

	for (size_t i = 0; s[i]; i++) {
		if (s[i] == ':' && i > 1 && digits % 2 == 0 && s[i - 1] != ':')
			continue;
		if (!strchr("0123456789abcdefABCDEF", s[i]))
			return false;
		digits++;
	}
	return digits == 64 && s[strlen(s) - 1] != ':';
}

bool options_is_prefix(const char *s)
{
	size_t n = strlen(s);

	if (n < 2 || n > 255 || s[0] != '/' || s[n - 1] == '/' || strstr(s, "//"))
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s == 0x7f || strchr(".?#%;\"<>\\", *s))
			return false;
	return true;
}
