/*
 * tests/fakes/fake_dns.c - a DNS server that knows a few names; see fake_dns.h.
 */
#include "fakes/fake_dns.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { A = 1, CNAME = 5, AAAA = 28, NXDOMAIN = 3, SERVFAIL = 2, REFUSED = 5, TRUNCATED = 0x0200 };

static int udp = -1, tcp = -1, tcp_conn = -1;
struct fake_dns fake_dns;

struct answer {
	uint8_t p[4096];
	size_t n;
	unsigned records;
	unsigned owner; /* of the records to come: where their name stands */
};

static void put16(struct answer *a, unsigned v)
{
	a->p[a->n++] = (uint8_t)(v >> 8);
	a->p[a->n++] = (uint8_t)v;
}

static void put_record(struct answer *a, unsigned type, uint32_t ttl, const void *data, size_t n)
{
	put16(a, 0xc000 | a->owner);
	put16(a, type);
	put16(a, 1);
	put16(a, ttl >> 16);
	put16(a, ttl & 0xffff);
	put16(a, (unsigned)n);
	memcpy(a->p + a->n, data, n);
	a->n += n;
	a->records++;
}

static void put_a(struct answer *a, uint32_t ttl, const char *ip)
{
	uint8_t binary[4];

	ck_assert_int_eq(inet_pton(AF_INET, ip, binary), 1);
	put_record(a, A, ttl, binary, 4);
}

static void put_aaaa(struct answer *a, uint32_t ttl, const char *ip)
{
	uint8_t binary[16];

	ck_assert_int_eq(inet_pton(AF_INET6, ip, binary), 1);
	put_record(a, AAAA, ttl, binary, 16);
}

static void put_both(struct answer *a, unsigned type, uint32_t ttl)
{
	if (type == A)
		put_a(a, ttl, "192.0.2.1");
	else
		put_aaaa(a, 2 * ttl, "2001:db8::1");
}

static void put_many(struct answer *a, unsigned type)
{
	char ip[20];

	for (unsigned i = 1; type == A && i <= 40; i++) {
		snprintf(ip, sizeof(ip), "127.0.0.%u", i);
		put_a(a, 300, ip);
	}
}

/* No address: there is no such name. */
static unsigned put_app(struct answer *a, unsigned type)
{
	bool known = false;

	for (unsigned i = 0; i < 2; i++) {
		const char *ip = fake_dns.app.addresses[i];
		bool is_v6 = ip && strchr(ip, ':');

		known = known || ip;
		if (ip && type == A && !is_v6)
			put_a(a, fake_dns.app.ttl, ip);
		else if (ip && type == AAAA && is_v6)
			put_aaaa(a, fake_dns.app.ttl, ip);
	}
	return known ? 0 : NXDOMAIN;
}

/* The name as text, and what follows it; false if this is no question. */
static bool read_question(
    const uint8_t *p, size_t n, char name[256], unsigned *type, size_t *question_end)
{
	size_t at = 12, out = 0;

	while (at < n && p[at]) {
		size_t len = p[at];

		if (len > 63 || at + len + 1 >= n || out + len + 1 >= 256)
			return false;
		memcpy(name + out, p + at + 1, len);
		out += len;
		name[out++] = '.';
		at += len + 1;
	}
	if (out == 0 || at + 5 > n)
		return false;
	name[out - 1] = '\0';
	*type = (unsigned)(p[at + 1] << 8 | p[at + 2]);
	*question_end = at + 5;
	return true;
}

static bool is(const char *name, const char *other)
{
	return strcasecmp(name, other) == 0;
}

static unsigned fill(struct answer *a, const char *name, unsigned type, bool by_tcp)
{
	static const uint8_t to_v4[] = "\x02v4\x04test"; /* with the root's 0 */

	if (is(name, "both.test"))
		put_both(a, type, 300);
	else if (is(name, "zero.test"))
		put_both(a, type, 0);
	else if (is(name, "v4.test") && type == A)
		put_a(a, 120, "192.0.2.4");
	else if (is(name, "v6.test") && type == AAAA)
		put_aaaa(a, 60, "2001:db8::6");
	else if (is(name, "half.test") && type == A)
		put_a(a, 60, "192.0.2.5");
	else if (is(name, "half.test"))
		return SERVFAIL;
	else if (is(name, "short.test") && type == A)
		put_record(a, A, 60, "abc", 3);
	else if (is(name, "large.test") && !by_tcp)
		return TRUNCATED;
	else if (is(name, "large.test"))
		put_many(a, type);
	else if (is(name, "app.test"))
		return put_app(a, type);
	else if (is(name, "none.test"))
		return NXDOMAIN;
	else if (is(name, "fails.test"))
		return SERVFAIL;
	else if (is(name, "refused.test"))
		return REFUSED;
	else if (is(name, "alias.test")) {
		put_record(a, CNAME, 30, to_v4, sizeof(to_v4));
		a->owner = (unsigned)(a->n - sizeof(to_v4));
		if (type == A)
			put_a(a, 120, "192.0.2.4");
	}
	return 0;
}

/* Breaks the answer in the ways of garbage0.test to garbage5.test. */
static void spoil(struct answer *a, char how, size_t question_end)
{
	switch (how) {
	case '0': /* cut in the middle of a record */
		put_a(a, 60, "192.0.2.9");
		a->n -= 7;
		break;
	case '1': /* a name that points at itself */
		a->p[a->n] = 0xc0;
		a->p[a->n + 1] = (uint8_t)a->n;
		memset(a->p + a->n + 2, 0, 14);
		a->n += 16;
		a->records = 1;
		break;
	case '2': /* nothing but the header */
		a->n = 12;
		break;
	case '3': /* records that are not there */
		a->records = 65535;
		break;
	case '4': /* data longer than the packet */
		put_a(a, 60, "192.0.2.9");
		a->p[question_end + 10] = 0xff;
		break;
	default:
		memset(a->p + 2, 0xff, 200);
		a->n = 202;
	}
}

/* False: there is no answer to this. */
static bool answer(const uint8_t *p, size_t n, struct answer *a, bool by_tcp)
{
	char name[256];
	unsigned type, flags;
	size_t end;

	fake_dns.asked++;
	fake_dns.asked_by_tcp += by_tcp;
	if (!read_question(p, n, name, &type, &end) || is(name, "silent.test") ||
	    (is(name, "app.test") && fake_dns.app.silent))
		return false;
	memcpy(a->p, p, end);
	a->n = end;
	a->records = 0;
	a->owner = 12; /* the name of the question */
	flags = fill(a, name, type, by_tcp);
	if (strncmp(name, "garbage", 7) == 0)
		spoil(a, name[7], end);
	a->p[2] = (uint8_t)(0x81 | flags >> 8);
	a->p[3] = (uint8_t)(0x80 | flags);
	memset(a->p + 4, 0, 8);
	a->p[5] = 1;
	a->p[6] = (uint8_t)(a->records >> 8);
	a->p[7] = (uint8_t)a->records;
	if (is(name, "forged.test"))
		a->p[0] ^= 0xff; /* somebody else's id */
	return true;
}

static void serve_udp(void)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	uint8_t question[2048];
	struct answer a;
	ssize_t n;

	while ((n = recvfrom(udp, question, sizeof(question), MSG_DONTWAIT, (void *)&from, &len)) >
	       0) {
		if (answer(question, (size_t)n, &a, false))
			sendto(udp, a.p, a.n, 0, (void *)&from, len);
		len = sizeof(from);
	}
}

static void serve_tcp(void)
{
	uint8_t question[2048], *p = question;
	struct answer a;
	ssize_t n;

	if (tcp_conn < 0)
		tcp_conn = accept4(tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (tcp_conn < 0)
		return;
	n = recv(tcp_conn, question, sizeof(question), 0);
	for (; n > 2; n -= 2 + (p[0] << 8 | p[1]), p += 2 + (p[0] << 8 | p[1])) {
		uint8_t length[2];

		if (!answer(p + 2, (size_t)n - 2, &a, true))
			continue;
		length[0] = (uint8_t)(a.n >> 8);
		length[1] = (uint8_t)a.n;
		send(tcp_conn, length, 2, MSG_NOSIGNAL);
		send(tcp_conn, a.p, a.n, MSG_NOSIGNAL);
	}
	if (n == 0) {
		close(tcp_conn);
		tcp_conn = -1;
	}
}

void fake_dns_serve(void)
{
	if (fake_dns.held_back)
		return;
	serve_udp();
	serve_tcp();
}

static int bound(int type, uint16_t port, uint16_t *got)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (void *)&in, sizeof(in)) < 0) {
		close(fd);
		return -1;
	}
	getsockname(fd, (void *)&in, &len);
	*got = ntohs(in.sin_port);
	return fd;
}

/* The same port for both. */
void fake_dns_start(void)
{
	uint16_t port, same;

	do {
		udp = bound(SOCK_DGRAM, 0, &port);
		tcp = bound(SOCK_STREAM, port, &same);
		if (tcp < 0)
			close(udp);
	} while (tcp < 0);
	ck_assert_int_eq(listen(tcp, 8), 0);
	snprintf(fake_dns.address, sizeof(fake_dns.address), "127.0.0.1:%u", port);
	fake_dns.asked = fake_dns.asked_by_tcp = 0;
	fake_dns.held_back = false;
	memset(&fake_dns.app, 0, sizeof(fake_dns.app));
}

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void fake_dns_stop(void)
{
	close_if_open(&udp);
	close_if_open(&tcp);
	close_if_open(&tcp_conn);
}
