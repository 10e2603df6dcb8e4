/*
 * tests/unit/test_resolver.c - the resolver, against a DNS server of our own on
 * loopback (UDP and TCP) that answers, says no, keeps silent or talks rubbish,
 * depending on the name it is asked for.
 *
 * The server is served between turns of the loop: no threads. c-ares is given our
 * heap, so that its allocations can be made to fail, too: up to 1.18, because 1.34
 * itself leaks or crashes when its memory is out.
 */
#include <ares.h>
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/resolver.h"

enum { A = 1, CNAME = 5, AAAA = 28, NXDOMAIN = 3, SERVFAIL = 2, REFUSED = 5, TRUNCATED = 0x0200 };

/* --- the DNS server ----------------------------------------------------- */

static int udp = -1, tcp = -1, tcp_conn = -1;
static char servers[32];
static unsigned asked, asked_by_tcp;
static bool held_back; /* what is asked stays in the socket */

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

	asked++;
	asked_by_tcp += by_tcp;
	if (!read_question(p, n, name, &type, &end) || is(name, "silent.test"))
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

static void serve(void)
{
	if (held_back)
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
static void start_server(void)
{
	uint16_t port, same;

	do {
		udp = bound(SOCK_DGRAM, 0, &port);
		tcp = bound(SOCK_STREAM, port, &same);
		if (tcp < 0)
			close(udp);
	} while (tcp < 0);
	ck_assert_int_eq(listen(tcp, 8), 0);
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	asked = asked_by_tcp = 0;
	held_back = false;
}

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void stop_server(void)
{
	close_if_open(&udp);
	close_if_open(&tcp);
	close_if_open(&tcp_conn);
}

/* --- the resolver ------------------------------------------------------- */

static struct loop *loop;
static struct resolver *resolver;
static char conf_path[] = "/tmp/test_resolver.conf.XXXXXX";
static const char *const conf_text = "options ndots:1\n";

struct outcome {
	struct resolution r;
	unsigned done;
	int err;
	size_t n;
	unsigned ttl;
	struct addr addrs[RESOLVER_ADDRS_MAX];
	char why[100];
};

static bool starting;

static void on_done(struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl)
{
	struct outcome *o = container_of(r, struct outcome, r);

	ck_assert(!starting);
	ck_assert(err < 0 ? n == 0 : n > 0);
	ck_assert_uint_le(n, RESOLVER_ADDRS_MAX);
	ck_assert_int_eq(err == 0, strcmp(resolution_why(r), "") == 0);
	o->done++;
	o->err = err;
	o->n = n;
	o->ttl = ttl;
	memcpy(o->addrs, addrs, n * sizeof(*addrs));
	snprintf(o->why, sizeof(o->why), "%s", resolution_why(r));
}

static int new_resolver(const char *at, unsigned timeout_ms, unsigned tries)
{
	struct resolver_options options = {
		.servers = at,
		.timeout_ms = timeout_ms,
		.tries = tries,
		.conf = conf_path,
	};

	return resolver_new(&resolver, loop, &options);
}

static void setup(void)
{
	start_server();
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(new_resolver(servers, 1000, 2), 0);
}

static void teardown(void)
{
	resolver_free(resolver);
	loop_free(loop);
	stop_server();
}

static void start(struct outcome *o, const char *host)
{
	starting = true;
	memset(o, 0, sizeof(*o));
	resolver_start(resolver, &o->r, host, 8080, on_done);
	starting = false;
}

static void turns(int n)
{
	while (n-- > 0) {
		ck_assert_int_eq(loop_turn(loop, 1), 0);
		serve();
	}
}

static void wait_for(const struct outcome *o)
{
	uint64_t end = clock_now() + 20000;

	while (!o->done && clock_now() < end)
		turns(1);
	ck_assert_uint_eq(o->done, 1);
}

static struct outcome resolve(const char *host)
{
	static struct outcome o; /* cancelled resolutions of a test before are not ours */

	start(&o, host);
	wait_for(&o);
	turns(2);
	ck_assert_uint_eq(o.done, 1);
	return o;
}

static bool has(const struct outcome *o, const char *ip)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < o->n; i++)
		if (strcmp(addr_print(&o->addrs[i], true, text), ip) == 0)
			return true;
	return false;
}

/* --- names that are --------------------------------------------------------- */

START_TEST(a_name_has_addresses_of_both_families_and_the_least_ttl)
{
	struct outcome o = resolve("both.test");

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 2);
	ck_assert(has(&o, "192.0.2.1:8080"));
	ck_assert(has(&o, "[2001:db8::1]:8080"));
	ck_assert_uint_eq(o.ttl, 300);
	ck_assert_uint_eq(asked, 2);
}
END_TEST

START_TEST(a_name_with_one_family_has_that)
{
	struct outcome o = resolve("v6.test");

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 1);
	ck_assert(has(&o, "[2001:db8::6]:8080"));
	ck_assert_uint_eq(o.ttl, 60);
	o = resolve("v4.test");
	ck_assert_uint_eq(o.n, 1);
	ck_assert(has(&o, "192.0.2.4:8080"));
	ck_assert_uint_eq(o.ttl, 120);
}
END_TEST

START_TEST(a_server_that_knows_only_one_kind_of_record_is_enough)
{
	struct outcome o = resolve("half.test");

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 1);
	ck_assert(has(&o, "192.0.2.5:8080"));
}
END_TEST

START_TEST(the_ttl_of_an_alias_counts)
{
	struct outcome o = resolve("alias.test");

	ck_assert_int_eq(o.err, 0);
	ck_assert(has(&o, "192.0.2.4:8080"));
	ck_assert_uint_eq(o.ttl, 30);
	o = resolve("zero.test");
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.ttl, 0);
}
END_TEST

START_TEST(a_literal_is_itself_and_nobody_is_asked)
{
	static const char *const literals[][2] = {
		{ "192.0.2.7", "192.0.2.7:8080" },
		{ "2001:db8::7", "[2001:db8::7]:8080" },
		{ "[::1]", "[::1]:8080" },
		{ "::ffff:192.0.2.7", "192.0.2.7:8080" },
	};
	struct outcome o = resolve(literals[_i][0]);

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 1);
	ck_assert(has(&o, literals[_i][1]));
	ck_assert_uint_eq(o.ttl, 0);
	ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(localhost_comes_from_the_hosts_file)
{
	struct outcome o = resolve("localhost");

	ck_assert_int_eq(o.err, 0);
	ck_assert(has(&o, "127.0.0.1:8080") || has(&o, "[::1]:8080"));
	ck_assert_uint_eq(o.ttl, 0);
	ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(a_truncated_answer_is_asked_for_again_by_tcp_and_bounded)
{
	struct outcome o = resolve("large.test");

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_gt(asked_by_tcp, 0);
	ck_assert_uint_eq(o.n, RESOLVER_ADDRS_MAX);
	ck_assert_uint_eq(o.ttl, 300);
}
END_TEST

START_TEST(names_are_asked_for_side_by_side)
{
	struct outcome o[4];

	start(&o[0], "silent.test");
	start(&o[1], "both.test");
	start(&o[2], "none.test");
	start(&o[3], "192.0.2.7");
	for (int i = 1; i < 4; i++)
		wait_for(&o[i]);
	ck_assert_uint_eq(o[0].done, 0);
	ck_assert_uint_eq(o[1].n, 2);
	ck_assert_int_eq(o[2].err, -ENOENT);
	ck_assert(has(&o[3], "192.0.2.7:8080"));
	resolution_cancel(&o[0].r);
}
END_TEST

START_TEST(those_who_ask_for_one_name_share_the_question_and_not_the_port)
{
	struct outcome o[20];
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < 20; i++) {
		memset(&o[i], 0, sizeof(o[i]));
		resolver_start(resolver, &o[i].r, i % 2 ? "V4.test" : "v4.TEST",
		    (uint16_t)(1000 + i), on_done);
	}
	for (unsigned i = 0; i < 20; i++) {
		char expected[ADDR_TEXT_MAX];

		wait_for(&o[i]);
		snprintf(expected, sizeof(expected), "192.0.2.4:%u", 1000 + i);
		ck_assert_str_eq(addr_print(&o[i].addrs[0], true, text), expected);
	}
	ck_assert_uint_eq(asked, 2);
}
END_TEST

START_TEST(a_name_is_asked_for_again_once_it_was_answered)
{
	resolve("v4.test");
	resolve("v4.test");
	ck_assert_uint_eq(asked, 4);
}
END_TEST

/* --- names that are not --------------------------------------------------- */

START_TEST(a_failure_has_its_errno_and_a_sentence)
{
	static const struct {
		const char *host;
		int err;
	} failures[] = {
		{ "none.test", -ENOENT },
		{ "empty.test", -ENOENT },
		{ "", -EINVAL },
		{ "a-label-that-has-more-than-63-octets-is-none-that-dns-can-carry-at-all.test",
		    -EINVAL },
		{ "1.2.3.4.5", -ENOENT },
	};
	struct outcome o = resolve(failures[_i].host);

	ck_assert_msg(o.err == failures[_i].err, "%s: %d, %s", failures[_i].host, o.err, o.why);
	ck_assert_uint_eq(o.ttl, 0);
}
END_TEST

START_TEST(what_is_no_name_does_not_exist_or_is_refused)
{
	static const char *const hosts[] = { "[::1", "%\\032 \t\xff.test", "a..test", " " };
	struct outcome o = resolve(hosts[_i]);

	ck_assert_msg(o.err == -ENOENT || o.err == -EINVAL, "%d, %s", o.err, o.why);
}
END_TEST

/* Versions of c-ares differ in what they make of it once they have tried all servers. */
START_TEST(a_server_that_fails_or_refuses_is_named_so)
{
	struct outcome o = resolve("fails.test");

	ck_assert_msg(o.err == -EREMOTEIO || o.err == -ECONNREFUSED, "%d, %s", o.err, o.why);
	o = resolve("refused.test");
	ck_assert_msg(o.err == -EREMOTEIO || o.err == -ECONNREFUSED, "%d, %s", o.err, o.why);
}
END_TEST

START_TEST(a_name_that_is_too_long_is_refused)
{
	char host[300];
	struct outcome o;

	for (size_t i = 0; i < sizeof(host); i++)
		host[i] = i % 10 == 9 ? '.' : 'a';
	host[sizeof(host) - 1] = '\0';
	o = resolve(host);
	ck_assert_int_eq(o.err, -EINVAL);
	ck_assert_uint_eq(asked, 0);
}
END_TEST

/* c-ares asks again after rubbish, so it ends in time, by whatever name. */
START_TEST(rubbish_ends_in_an_error)
{
	static const char *const hosts[] = { "garbage0.test", "garbage1.test", "garbage2.test",
		"garbage3.test", "garbage4.test", "garbage5.test", "short.test" };
	struct outcome o;

	resolver_free(resolver);
	ck_assert_int_eq(new_resolver(servers, 50, 2), 0);
	o = resolve(hosts[_i]);
	ck_assert_int_lt(o.err, 0);
}
END_TEST

START_TEST(silence_and_forged_answers_end_in_a_time_out)
{
	uint64_t begun = clock_now();
	struct outcome o;

	resolver_free(resolver);
	ck_assert_int_eq(new_resolver(servers, 50, 2), 0);
	o = resolve(_i ? "forged.test" : "silent.test");
	ck_assert_msg(o.err == -ETIMEDOUT, "%d, %s", o.err, o.why);
	ck_assert_uint_ge(clock_now() - begun, 100);
	ck_assert_uint_ge(asked, 4);
}
END_TEST

START_TEST(where_nobody_listens_the_question_is_refused)
{
	struct outcome o;

	stop_server();
	o = resolve("both.test");
	ck_assert_msg(o.err == -ECONNREFUSED, "%d, %s", o.err, o.why);
}
END_TEST

START_TEST(a_loop_that_has_nothing_to_do_sleeps_while_a_server_is_silent)
{
	struct outcome o;
	uint64_t begun;

	start(&o, "silent.test");
	turns(3);
	begun = clock_now();
	ck_assert_int_eq(loop_turn(loop, 100), 0);
	ck_assert_uint_ge(clock_now() - begun, 90);
	resolution_cancel(&o.r);
}
END_TEST

/* --- cancelling ----------------------------------------------------------- */

START_TEST(a_resolution_can_be_cancelled_in_each_phase)
{
	static const char *const hosts[] = { "both.test", "192.0.2.7", "localhost", "" };
	struct outcome o;

	for (int phase = 0; phase < 3; phase++) {
		held_back = true;
		start(&o, hosts[_i]);
		if (phase > 0)
			turns(1);
		if (o.done)
			break;
		if (phase > 1)
			serve_udp(); /* the answer waits in the socket */
		resolution_cancel(&o.r);
		memset(&o.r, 0xee, sizeof(o.r)); /* its memory is the owner's again */
		held_back = false;
		turns(5);
		ck_assert_uint_eq(o.done, 0);
	}
}
END_TEST

START_TEST(cancelling_one_leaves_the_others_and_twice_is_harmless)
{
	struct outcome o[3];

	for (int i = 0; i < 3; i++)
		start(&o[i], "both.test");
	resolution_cancel(&o[1].r);
	resolution_cancel(&o[1].r);
	wait_for(&o[0]);
	wait_for(&o[2]);
	ck_assert_uint_eq(o[1].done, 0);
	resolution_cancel(&o[0].r);
	ck_assert_uint_eq(o[0].n, 2);
	memset(&o[1], 0, sizeof(o[1]));
	resolution_cancel(&o[1].r);
}
END_TEST

START_TEST(a_question_that_nobody_waits_for_any_more_is_joined_by_the_next)
{
	struct outcome o[2];

	held_back = true;
	start(&o[0], "both.test");
	turns(1);
	resolution_cancel(&o[0].r);
	start(&o[1], "both.test");
	held_back = false;
	wait_for(&o[1]);
	ck_assert_uint_eq(o[1].n, 2);
	ck_assert_uint_eq(asked, 2);
}
END_TEST

START_TEST(a_resolver_may_go_while_all_phases_are_present)
{
	struct outcome o[4];

	start(&o[0], "silent.test");
	turns(2);
	start(&o[1], "both.test");
	start(&o[2], "192.0.2.7");
	start(&o[3], "localhost");
	resolver_free(resolver);
	resolver = NULL;
	turns(5);
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_eq(o[i].done, 0);
		resolution_cancel(&o[i].r);
	}
	resolver_free(NULL);
}
END_TEST

static struct outcome chain[3];
static unsigned chained;

/* What a callback may do: start again, cancel another, free the resolver. */
static void on_chain(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl)
{
	(void)addrs, (void)n, (void)ttl;
	ck_assert_int_eq(err, 0);
	chained++;
	if (chained == 1) {
		resolution_cancel(&chain[1].r);
		resolver_start(resolver, r, "both.test", 80, on_chain);
	} else if (chained == 3) {
		resolver_free(resolver);
		resolver = NULL;
		memset(r, 0xee, sizeof(*r));
	}
}

START_TEST(a_callback_may_start_cancel_and_free)
{
	memset(chain, 0, sizeof(chain));
	for (int i = 0; i < 3; i++)
		resolver_start(resolver, &chain[i].r, "192.0.2.7", 80, on_chain);
	turns(1);
	ck_assert_uint_eq(chained, 2); /* the third of them was cancelled by the first */
	start(&chain[1], "localhost");
	for (int i = 0; i < 100 && chained < 3; i++)
		turns(1);
	turns(3);
	ck_assert_uint_eq(chained, 3);
	ck_assert_ptr_null(resolver);
}
END_TEST

static unsigned told;

static void on_done_free(
    struct resolution *r, int err, const struct addr *addrs, size_t n, unsigned ttl)
{
	(void)r, (void)err, (void)addrs, (void)n, (void)ttl;
	told++;
	resolver_free(resolver);
	resolver = NULL;
}

START_TEST(who_is_ready_when_the_resolver_goes_is_not_told)
{
	struct outcome o[3];

	for (int i = 0; i < 3; i++) {
		memset(&o[i], 0, sizeof(o[i]));
		resolver_start(resolver, &o[i].r, "192.0.2.7", 80, on_done_free);
	}
	turns(3);
	ck_assert_uint_eq(told, 1);
}
END_TEST

/* --- configuration, memory, descriptors ----------------------------------- */

static void write_conf(const char *text)
{
	FILE *f = fopen(conf_path, "w");

	fputs(text, f);
	fclose(f);
}

START_TEST(a_changed_configuration_is_read_again)
{
	struct outcome o = resolve("both");

	ck_assert_int_eq(o.err, -ENOENT);
	write_conf("options ndots:1\nsearch nowhere.test test\n");
	o = resolve("both");
	write_conf(conf_text);
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 2);
}
END_TEST

START_TEST(servers_that_make_no_sense_are_refused)
{
	resolver_free(resolver);
	resolver = NULL;
	ck_assert_int_eq(new_resolver("not an address", 0, 0), -EINVAL);
	ck_assert_ptr_null(resolver);
}
END_TEST

START_TEST(the_systems_configuration_is_the_default)
{
	resolver_free(resolver);
	ck_assert_int_eq(resolver_new(&resolver, loop, NULL), 0);
	ck_assert_int_eq(resolve("localhost").err, 0);
}
END_TEST

START_TEST(without_descriptors_it_fails_and_recovers)
{
	struct rlimit limit, none;
	struct outcome o;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){ 3, limit.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	start(&o, "both.test");
	turns(3);
	setrlimit(RLIMIT_NOFILE, &limit);
	wait_for(&o);
	ck_assert_int_lt(o.err, 0);
	ck_assert_uint_eq(resolve("both.test").n, 2);
}
END_TEST

/* The second allocation is what watches the socket; c-ares has a heap of its own here. */
START_TEST(a_socket_that_cannot_be_watched_fails_the_question_at_once)
{
	uint64_t begun = clock_now();
	struct outcome o;

	ares_library_init_mem(ARES_LIB_INIT_ALL, malloc, free, realloc);
	mem_fail_at(2);
	start(&o, "both.test");
	wait_for(&o);
	ck_assert(mem_failed());
	mem_fail_at(0);
	ck_assert_int_eq(o.err, -ENOMEM);
	ck_assert_uint_lt(clock_now() - begun, 900); /* no time-out of 1000 */
	ck_assert_uint_eq(resolve("both.test").n, 2);
}
END_TEST

/* Whether the failure has come about; whatever failed, everybody is told, and it works again. */
static bool survives_failure_of(unsigned long nth, const char *host)
{
	struct outcome o = { 0 };
	bool failed;

	resolver = NULL;
	mem_fail_at(nth);
	if (new_resolver(servers, 250, 3) == 0) {
		start(&o, host);
		wait_for(&o);
	} else {
		ck_assert_ptr_null(resolver);
	}
	failed = mem_failed();
	mem_fail_at(0);
	if (!failed)
		ck_assert_int_eq(o.err, 0);
	if (resolver)
		ck_assert_int_eq(resolve(host).err, 0);
	resolver_free(resolver);
	resolver = NULL;
	turns(1);
	return failed;
}

START_TEST(each_allocation_may_fail_once)
{
	static const char *const hosts[] = { "both.test", "large.test", "alias.test", "localhost",
		"192.0.2.7" };
	unsigned long n = 0;

	resolver_free(resolver);
	while (survives_failure_of(++n, hosts[_i]))
		;
	ck_assert_uint_ge(n, 4);
	ck_assert_uint_lt(n, 2000);
}
END_TEST

static void add_failures(TCase *tc)
{
	tcase_add_loop_test(tc, a_failure_has_its_errno_and_a_sentence, 0, 5);
	tcase_add_loop_test(tc, what_is_no_name_does_not_exist_or_is_refused, 0, 4);
	tcase_add_test(tc, a_server_that_fails_or_refuses_is_named_so);
	tcase_add_test(tc, a_name_that_is_too_long_is_refused);
	tcase_add_loop_test(tc, rubbish_ends_in_an_error, 0, 7);
	tcase_add_loop_test(tc, silence_and_forged_answers_end_in_a_time_out, 0, 2);
	tcase_add_test(tc, where_nobody_listens_the_question_is_refused);
	tcase_add_test(tc, a_loop_that_has_nothing_to_do_sleeps_while_a_server_is_silent);
	tcase_add_loop_test(tc, a_resolution_can_be_cancelled_in_each_phase, 0, 4);
	tcase_add_test(tc, cancelling_one_leaves_the_others_and_twice_is_harmless);
	tcase_add_test(tc, a_question_that_nobody_waits_for_any_more_is_joined_by_the_next);
	tcase_add_test(tc, a_resolver_may_go_while_all_phases_are_present);
	tcase_add_test(tc, a_callback_may_start_cancel_and_free);
	tcase_add_test(tc, who_is_ready_when_the_resolver_goes_is_not_told);
	tcase_add_test(tc, a_changed_configuration_is_read_again);
	tcase_add_test(tc, servers_that_make_no_sense_are_refused);
	tcase_add_test(tc, the_systems_configuration_is_the_default);
	tcase_add_test(tc, without_descriptors_it_fails_and_recovers);
	tcase_add_test(tc, a_socket_that_cannot_be_watched_fails_the_question_at_once);
	tcase_add_loop_test(tc, each_allocation_may_fail_once, 0, 5);
}

static void share_heap(void)
{
	int version;

	ares_version(&version);
	if (version < 0x011300)
		ares_library_init_mem(ARES_LIB_INIT_ALL, mem_alloc, mem_free, mem_realloc);
}

int main(void)
{
	Suite *suite = suite_create("resolver");
	TCase *tc = tcase_create("resolver");
	SRunner *runner;
	int failed;

	share_heap();
	close(mkstemp(conf_path));
	write_conf(conf_text);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_name_has_addresses_of_both_families_and_the_least_ttl);
	tcase_add_test(tc, a_name_with_one_family_has_that);
	tcase_add_test(tc, a_server_that_knows_only_one_kind_of_record_is_enough);
	tcase_add_test(tc, the_ttl_of_an_alias_counts);
	tcase_add_loop_test(tc, a_literal_is_itself_and_nobody_is_asked, 0, 4);
	tcase_add_test(tc, localhost_comes_from_the_hosts_file);
	tcase_add_test(tc, a_truncated_answer_is_asked_for_again_by_tcp_and_bounded);
	tcase_add_test(tc, names_are_asked_for_side_by_side);
	tcase_add_test(tc, those_who_ask_for_one_name_share_the_question_and_not_the_port);
	tcase_add_test(tc, a_name_is_asked_for_again_once_it_was_answered);
	add_failures(tc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(conf_path);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
