/*
 * tests/unit/test_connector.c - a connection that is kept, to servers on loopback that accept,
 * refuse, keep silent or have the wrong certificate. Time is the test's own.
 */
#include "net/connector.h"

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
#include "fakes/fake_dns.h"
#include "loop_fixture.h"
#include "tests/certificate.h"

enum {
	STEP = 10,
	TIMEOUT = 400,
	RETRY = 100,
	RETRY_MAX = 1000,
	PLACES = 4,
	TURNS = 30
};

static struct connector connector;
static struct connector_settings settings;
static char dir[] = "/tmp/test_connector.XXXXXX";
static char path[64], good_pem[64], good_key[64];
static struct tls_context *client_context, *server_context;

/* --- servers ------------------------------------------------------------------------ */

static struct {
	int listener; /* -1: nobody listens, and the port is kept free */
	uint16_t port;
	int accepted; /* descriptor; -1: none */
	unsigned connections;
	bool is_tls;
	struct stream tls;
} places[PLACES];

static int new_socket(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_int_eq(bind(fd, (void *)&sa, sizeof(sa)), 0);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	ck_assert_int_eq(getsockname(fd, (void *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

/* A port of nobody's: bound, and not listened at. */
static void close_place(int i)
{
	if (places[i].listener >= 0)
		close(places[i].listener);
	if (places[i].accepted >= 0)
		close(places[i].accepted);
	stream_close(&places[i].tls);
	places[i].accepted = places[i].listener = -1;
}

static void open_place(int i)
{
	places[i].listener = new_socket(places[i].port);
	places[i].port = port_of(places[i].listener);
	ck_assert_int_eq(listen(places[i].listener, 16), 0);
}

static void on_server_hangup(struct stream *s, int err)
{
	(void)err;
	stream_close(s);
}

static const struct stream_events server_events = { .hangup = on_server_hangup };

static void on_server_tls(struct stream *s, int err)
{
	if (err < 0)
		stream_close(s);
}

static void accept_at(int i)
{
	int fd =
	    places[i].listener < 0 ? -1 : accept4(places[i].listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		return;
	places[i].connections++;
	if (places[i].is_tls) {
		stream_close(&places[i].tls);
		stream_init(&places[i].tls, loop, fd, &server_events);
		if (stream_tls_accept(&places[i].tls, server_context, on_server_tls) < 0)
			stream_close(&places[i].tls);
		return;
	}
	if (places[i].accepted >= 0)
		close(places[i].accepted);
	places[i].accepted = fd;
}

static void serve(void)
{
	for (int i = 0; i < PLACES; i++)
		accept_at(i);
	fake_dns_serve();
}

/* --- the owner ---------------------------------------------------------------------- */

static struct {
	struct stream s;
	unsigned connected, failed, hangups;
	char server[300], why[200]; /* of the last failure */
	uint64_t retry_in;
	bool refuses;       /* whatever it is connected to */
	bool leaves;        /* does not take the stream */
	void (*upon)(void); /* in callbacks */
	bool calling;
} owner;

static void on_readable(struct stream *s)
{
	(void)s;
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	owner.hangups++;
	stream_close(s);
}

static const struct stream_events stream_events = { .readable = on_readable, .hangup = on_hangup };

static void on_connected(struct connector *c, struct stream *s)
{
	ck_assert_ptr_eq(c, &connector);
	ck_assert(!owner.calling);
	ck_assert_ptr_nonnull(connector_server(c));
	owner.connected++;
	if (!owner.leaves)
		stream_move(&owner.s, s, loop, &stream_events);
	if (owner.refuses) {
		stream_close(&owner.s);
		connector_lost(c);
		owner.retry_in = connector_retry_in(c);
	}
	if (owner.upon)
		owner.upon();
}

static void on_failed(struct connector *c, const char *server, const char *why)
{
	ck_assert(!owner.calling);
	owner.failed++;
	snprintf(owner.server, sizeof(owner.server), "%s", server);
	snprintf(owner.why, sizeof(owner.why), "%s", why);
	owner.retry_in = connector_retry_in(c);
	if (owner.upon)
		owner.upon();
}

static const struct connector_events events = { on_connected, on_failed };

static void lose(void)
{
	stream_close(&owner.s);
	owner.calling = true;
	connector_lost(&connector);
	owner.calling = false;
}

/* --- beginnings --------------------------------------------------------------------- */

static void new_connector(void)
{
	connector_init(&connector, loop, resolver, &settings, &events);
}

static void setup(void)
{
	memset(&owner, 0, sizeof(owner));
	stream_init_empty(&owner.s);
	fake_dns_start();
	loop_up(STEP, serve, fake_dns.address);
	memset(places, 0, sizeof(places));
	for (int i = 0; i < PLACES; i++) {
		places[i].accepted = -1;
		stream_init_empty(&places[i].tls);
		open_place(i);
	}
	settings = (struct connector_settings){ TIMEOUT, RETRY, RETRY_MAX, false };
	new_connector();
}

static void teardown(void)
{
	connector_fini(&connector);
	stream_close(&owner.s);
	for (int i = 0; i < PLACES; i++)
		close_place(i);
	loop_down();
	fake_dns_stop();
}

static struct connector_server at_place(int i)
{
	return (struct connector_server){ .host = "127.0.0.1", .port = places[i].port };
}

static struct connector_server with_tls(struct connector_server s, const char *tls_host)
{
	s.tls = client_context;
	s.tls_host = tls_host;
	return s;
}

/* Places first to last. */
static void list_places(int first, int last)
{
	struct connector_server servers[PLACES];
	size_t n = 0;

	for (int i = first; i <= last; i++)
		servers[n++] = at_place(i);
	ck_assert_int_eq(connector_set_servers(&connector, servers, n), 0);
}

static void list_one(struct connector_server s)
{
	ck_assert_int_eq(connector_set_servers(&connector, &s, 1), 0);
}

static void start(void)
{
	owner.calling = true;
	connector_start(&connector);
	owner.calling = false;
}

/* Whose is the connection? */
static void ck_connected_to(int i)
{
	ck_assert_int_eq(connector.state, CONNECTOR_CONNECTED);
	ck_assert_uint_eq(connector_server(&connector)->port, places[i].port);
	turns(2);
	ck_assert_uint_ge(places[i].connections, 1);
}

/* --- connecting --------------------------------------------------------------------- */

START_TEST(the_first_server_is_connected_and_handed_over)
{
	char buf[8] = "";

	list_places(0, 1);
	start();
	wait_for(&owner.connected, 1);
	ck_connected_to(0);
	ck_assert_int_eq(stream_write(&owner.s, &(struct stream_piece){ "hello", 5, NULL }, 1), 0);
	ck_assert_int_eq(recv(places[0].accepted, buf, sizeof(buf), 0), 5);
	ck_assert_uint_eq(owner.failed, 0);
	ck_assert_uint_eq(places[1].connections, 0);
	turns(200);
	ck_assert_uint_eq(owner.connected, 1);
}
END_TEST

START_TEST(a_unix_socket_is_a_server_too)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct connector_server s = { .path = path };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	list_one(s);
	start();
	wait_for(&owner.failed, 1);
	ck_assert_str_eq(owner.why, "No such file or directory");
	ck_assert_int_eq(strncmp(owner.server, "unix:/tmp/", 10), 0);
	ck_assert_int_eq(bind(fd, (void *)&un, sizeof(un)), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	wait_for(&owner.connected, 1);
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(a_server_that_refuses_is_followed_by_the_next)
{
	char name[64];

	close_place(0);
	close_place(1);
	list_places(0, 2);
	start();
	wait_for(&owner.connected, 1);
	ck_connected_to(2);
	ck_assert_uint_eq(owner.failed, 2);
	snprintf(name, sizeof(name), "127.0.0.1:%u", places[1].port);
	ck_assert_str_eq(owner.server, name);
	ck_assert_str_eq(owner.why, "Connection refused");
	ck_assert_uint_eq(owner.retry_in, 0);
}
END_TEST

START_TEST(tls_is_spoken_with_the_host_that_is_expected)
{
	places[0].is_tls = true;
	list_one(with_tls(at_place(0), "good.test"));
	start();
	wait_for(&owner.connected, 1);
	ck_assert(stream_is_tls(&owner.s));
	ck_assert_uint_eq(owner.failed, 0);
}
END_TEST

START_TEST(a_certificate_for_somebody_else_is_a_failure)
{
	struct connector_server servers[2];

	places[0].is_tls = true;
	servers[0] = with_tls(at_place(0), NULL); /* 127.0.0.1, which is not in it */
	servers[1] = at_place(1);
	ck_assert_int_eq(connector_set_servers(&connector, servers, 2), 0);
	start();
	wait_for(&owner.connected, 1);
	ck_connected_to(1);
	ck_assert_uint_eq(owner.failed, 1);
	ck_assert_ptr_nonnull(strstr(owner.why, "TLS: "));
	ck_assert_ptr_nonnull(strstr(owner.why, "mismatch"));
}
END_TEST

START_TEST(a_server_that_is_silent_has_its_time_and_no_more)
{
	struct connector_server servers[2];
	uint64_t begun = now;

	servers[0] = with_tls(at_place(0), "good.test");
	servers[1] = at_place(1);
	ck_assert_int_eq(connector_set_servers(&connector, servers, 2), 0);
	start();
	wait_for(&owner.connected, 1);
	ck_connected_to(1);
	ck_assert_str_eq(owner.why, "it did not answer in time");
	ck_assert_uint_ge(now - begun, TIMEOUT);
	ck_assert_uint_le(now - begun, TIMEOUT + 20 * STEP);
}
END_TEST

START_TEST(all_addresses_of_a_name_are_tried)
{
	struct connector_server s = { .host = "app.test", .port = places[0].port };

	fake_dns.app.ttl = 60;
	fake_dns.app.addresses[0] = "127.0.0.9"; /* there our port is nobody's */
	fake_dns.app.addresses[1] = "127.0.0.1";
	list_one(s);
	start();
	wait_for(&owner.connected, 1);
	ck_connected_to(0);
	ck_assert_uint_le(owner.failed, 1);
	for (int i = 0; i < 4; i++) {
		connector_well(&connector);
		lose();
		wait_for(&owner.connected, owner.connected + 1);
	}
	ck_assert_uint_ge(owner.failed, 1);
	ck_assert_str_eq(owner.why, "127.0.0.9: Connection refused");
}
END_TEST

START_TEST(a_name_is_asked_for_when_its_time_is_over_and_kept_when_nobody_can_tell)
{
	struct connector_server s = { .host = "app.test", .port = places[0].port };
	unsigned asked;

	fake_dns.app.ttl = 2;
	fake_dns.app.addresses[0] = "127.0.0.1";
	fake_dns.app.addresses[1] = NULL;
	list_one(s);
	start();
	wait_for(&owner.connected, 1);
	asked = fake_dns.asked;
	connector_well(&connector);
	lose();
	wait_for(&owner.connected, 2);
	ck_assert_uint_eq(fake_dns.asked, asked);
	connector_well(&connector);
	turns(3000 / STEP);
	fake_dns.app.silent = true;
	lose();
	wait_for(&owner.connected, 3);
	ck_assert_uint_gt(fake_dns.asked, asked);
	ck_assert_uint_eq(owner.failed, 0);
}
END_TEST

START_TEST(a_name_that_is_none_is_a_failure_with_a_sentence)
{
	struct connector_server s = { .host = "app.test", .port = 1 };

	fake_dns.app.addresses[0] = fake_dns.app.addresses[1] = NULL;
	list_one(s);
	start();
	wait_for(&owner.failed, 2);
	ck_assert_str_eq(owner.server, "app.test:1");
	ck_assert_uint_gt(strlen(owner.why), 5);
}
END_TEST

/* --- waiting ------------------------------------------------------------------------ */

START_TEST(waits_grow_up_to_their_bound_each_within_its_half)
{
	uint64_t whole = RETRY;

	close_place(0);
	list_places(0, 0);
	start();
	for (unsigned i = 1; i <= 8; i++) {
		uint64_t begun;

		wait_for(&owner.failed, i);
		ck_assert_uint_ge(owner.retry_in, whole / 2);
		ck_assert_uint_le(owner.retry_in, whole);
		begun = now;
		wait_for(&owner.failed, i + 1);
		ck_assert_uint_ge(now - begun + STEP, whole / 2);
		ck_assert_uint_le(now - begun, whole + 10 * STEP);
		whole = 2 * whole < RETRY_MAX ? 2 * whole : RETRY_MAX;
	}
}
END_TEST

START_TEST(a_login_that_is_refused_is_a_failure_and_waits_grow)
{
	owner.refuses = true;
	list_places(0, 1);
	start();
	wait_for(&owner.connected, 1);
	ck_assert_uint_eq(owner.retry_in, 0); /* the other one comes at once */
	wait_for(&owner.connected, 2);
	ck_assert_uint_ge(owner.retry_in, RETRY / 2);
	wait_for(&owner.connected, 9);
	ck_assert_uint_eq(owner.retry_in, 0);
	wait_for(&owner.connected, 10);
	ck_assert_uint_ge(owner.retry_in, RETRY_MAX / 2);
	owner.refuses = false;
	wait_for(&owner.connected, 11);
	connector_well(&connector);
	lose();
	ck_assert_uint_le(connector_retry_in(&connector), RETRY);
}
END_TEST

START_TEST(a_connection_that_was_well_is_followed_by_the_next_server_after_a_short_wait)
{
	list_places(0, 2);
	start();
	for (unsigned i = 0; i < 4; i++) {
		wait_for(&owner.connected, i + 1);
		ck_connected_to((int)(i % 3));
		connector_well(&connector);
		lose();
		ck_assert_int_eq(connector.state, CONNECTOR_WAITING);
		ck_assert_uint_ge(connector_retry_in(&connector), RETRY / 2);
		ck_assert_uint_le(connector_retry_in(&connector), RETRY);
	}
	ck_assert_uint_eq(owner.failed, 0);
}
END_TEST

START_TEST(a_wait_can_be_cut_short)
{
	settings.retry_ms = settings.retry_max_ms = 1000000;
	close_place(0);
	list_places(0, 0);
	start();
	wait_for(&owner.failed, 1);
	turns(50);
	ck_assert_uint_eq(owner.failed, 1);
	owner.calling = true;
	connector_try_now(&connector);
	owner.calling = false;
	turns(3);
	ck_assert_uint_eq(owner.failed, 2);
}
END_TEST

START_TEST(a_stream_that_is_not_taken_is_lost)
{
	owner.leaves = true;
	list_places(0, 0);
	start();
	wait_for(&owner.connected, 2);
	turns(2);
	ck_assert_int_eq(connector.state, CONNECTOR_WAITING);
}
END_TEST

/* Descriptors are out: the others would fare no better. */
START_TEST(a_failure_of_our_own_is_one_of_all_servers)
{
	struct rlimit before, none;

	settings.retry_ms = settings.retry_max_ms = 1000;
	list_places(0, 2);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	start();
	for (int i = 0; i < 5; i++) {
		clock_set(now += STEP);
		ck_assert_int_eq(loop_turn(loop, 1), 0);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_uint_eq(owner.failed, 1);
	ck_assert_str_eq(owner.why, "Too many open files");
	ck_assert_uint_ge(owner.retry_in, 500);
	wait_for(&owner.connected, 1);
	ck_assert_uint_eq(owner.failed, 1);
}
END_TEST

START_TEST(a_name_whose_addresses_all_fail_is_asked_for_again)
{
	struct connector_server s = { .host = "app.test", .port = places[0].port };

	fake_dns.app.ttl = 300;
	fake_dns.app.addresses[0] = "127.0.0.9";
	fake_dns.app.addresses[1] = NULL;
	list_one(s);
	start();
	wait_for(&owner.failed, 1);
	fake_dns.app.addresses[0] = "127.0.0.1"; /* it has moved */
	wait_for(&owner.connected, 1);
	ck_assert_uint_le(owner.failed, 2);
}
END_TEST

/* --- another list ------------------------------------------------------------------- */

START_TEST(a_new_server_does_not_wait_and_the_others_do)
{
	settings.retry_ms = settings.retry_max_ms = 1000000;
	for (int i = 0; i < 3; i++)
		close_place(i);
	list_places(0, 1);
	start();
	wait_for(&owner.failed, 2);
	list_places(0, 2);
	turns(5);
	ck_assert_uint_eq(owner.failed, 3);
	ck_assert_int_eq(connector.state, CONNECTOR_WAITING);
	list_places(0, 1); /* nothing new */
	turns(5);
	ck_assert_uint_eq(owner.failed, 3);
	list_places(3, 3);
	wait_for(&owner.connected, 1);
	ck_connected_to(3);
}
END_TEST

/* The list of who is led by others: another server each time that one has failed. */
static void list_one_more(void)
{
	char host[32];
	struct connector_server servers[2] = { at_place(0), { .host = host, .port = 1 } };

	snprintf(host, sizeof(host), "127.0.%u.%u", owner.failed / 200 + 1, owner.failed % 200 + 1);
	ck_assert_int_eq(connector_set_servers(&connector, servers, 2), 0);
}

START_TEST(a_list_that_always_has_a_new_server_does_not_put_off_the_wait)
{
	settings.retry_ms = settings.retry_max_ms = 1000000;
	owner.upon = list_one_more;
	close_place(0);
	list_places(0, 0);
	start();
	turns(500);
	ck_assert_uint_ge(owner.failed, 3);
	ck_assert_uint_le(owner.failed, CONNECTOR_SERVERS_MAX + 1);
	ck_assert_int_eq(connector.state, CONNECTOR_WAITING);
}
END_TEST

START_TEST(an_attempt_goes_on_if_its_server_is_still_there)
{
	struct connector_server servers[2] = { with_tls(at_place(0), "good.test"), at_place(1) };

	list_one(servers[0]);
	start();
	turns(5);
	ck_assert_uint_eq(places[0].connections, 1);
	ck_assert_int_eq(connector_set_servers(&connector, servers + _i, 2 - (size_t)_i), 0);
	turns(5);
	ck_assert_uint_eq(places[0].connections, 1);
	ck_assert_uint_eq(places[1].connections, _i ? 1 : 0);
}
END_TEST

/* The address that it speaks of is one of a list that is gone. */
START_TEST(an_attempt_that_goes_on_knows_its_address)
{
	struct connector_server s = { .host = "app.test", .port = places[0].port };

	fake_dns.app.ttl = 60;
	fake_dns.app.addresses[0] = "127.0.0.1";
	fake_dns.app.addresses[1] = NULL;
	s = with_tls(s, "good.test");
	list_one(s);
	start();
	for (int i = 0; places[0].connections == 0 && i < 50; i++)
		turn();
	for (int i = 0; i < 3; i++)
		list_one(s);
	wait_for(&owner.failed, 1);
	ck_assert_str_eq(owner.why, "127.0.0.1: it did not answer in time");
}
END_TEST

/* Its certificate is for somebody else. */
START_TEST(a_server_whose_tls_has_changed_is_another_one)
{
	struct connector_server plain = at_place(0);

	settings.retry_ms = settings.retry_max_ms = 1000000;
	places[0].is_tls = true;
	list_one(with_tls(at_place(0), "bad.test"));
	start();
	wait_for(&owner.failed, 1);
	list_one(with_tls(at_place(0), "bad.test"));
	turns(20);
	ck_assert_uint_eq(owner.failed, 1);
	plain.tls_host = "bad.test";
	list_one(_i ? plain : with_tls(at_place(0), "good.test"));
	wait_for(&owner.connected, 1);
	ck_assert_int_eq(stream_is_tls(&owner.s), !_i);
}
END_TEST

START_TEST(whether_there_is_another_server_is_known)
{
	list_places(0, 0);
	start();
	wait_for(&owner.connected, 1);
	ck_assert(!connector_has_other(&connector));
	list_one(with_tls(at_place(0), "good.test")); /* the same place */
	ck_assert(!connector_has_other(&connector));
	list_places(0, 1);
	ck_assert(connector_has_other(&connector));
	list_places(1, 1);
	ck_assert(connector_has_other(&connector));
}
END_TEST

START_TEST(a_connection_outlives_its_place_in_the_list)
{
	list_places(0, 1);
	start();
	wait_for(&owner.connected, 1);
	connector_well(&connector);
	list_places(2, 3);
	turns(100);
	ck_assert_uint_eq(owner.connected, 1);
	ck_connected_to(0);
	lose();
	wait_for(&owner.connected, 2);
	ck_connected_to(2);
	list_places(0, 3); /* the one it is connected to is among them: then those behind it */
	lose();
	wait_for(&owner.connected, 3);
	ck_connected_to(3);
}
END_TEST

START_TEST(an_empty_list_waits_for_one_that_is_not)
{
	start();
	turns(100);
	ck_assert_uint_eq(owner.failed, 0);
	list_places(0, 0);
	wait_for(&owner.connected, 1);
	connector_well(&connector);
	ck_assert_int_eq(connector_set_servers(&connector, NULL, 0), 0);
	lose();
	turns(100);
	ck_assert_int_eq(connector.state, CONNECTOR_WAITING);
	ck_assert_uint_eq(connector_retry_in(&connector), 0);
	connector_try_now(&connector);
	list_places(1, 1);
	wait_for(&owner.connected, 2);
	ck_connected_to(1);
}
END_TEST

START_TEST(what_can_be_no_server_is_refused)
{
	const struct connector_server wrong[] = {
		{ 0 },
		{ .host = "a" },
		{ .host = "", .port = 1 },
		{ .path = "" },
		{ .path = "/a", .host = "a", .port = 1 },
		{ .path = "/a", .tls = client_context },
	};
	struct connector_server many[CONNECTOR_SERVERS_MAX + 1];

	list_places(0, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(connector_set_servers(&connector, &wrong[i], 1), -EINVAL);
	for (size_t i = 0; i <= CONNECTOR_SERVERS_MAX; i++)
		many[i] = at_place(0);
	ck_assert_int_eq(
	    connector_set_servers(&connector, many, CONNECTOR_SERVERS_MAX + 1), -EINVAL);
	start();
	wait_for(&owner.connected, 1);
	ck_connected_to(0);
}
END_TEST

START_TEST(an_order_of_chance_puts_each_first_sometimes)
{
	unsigned first[PLACES] = { 0 };

	settings.shuffle = true;
	for (int i = 0; i < 200; i++) {
		list_places(0, PLACES - 1);
		connector_start(&connector);
		for (int k = 0; k < PLACES; k++)
			first[k] += connector_server(&connector)->port == places[k].port;
		connector_stop(&connector);
		turn();
	}
	for (int k = 0; k < PLACES; k++)
		ck_assert_uint_ge(first[k], 20);
}
END_TEST

/* --- the end ------------------------------------------------------------------------ */

static int kind;

/* It resolves, dials, shakes hands, is connected, waits. */
static void list_all_kinds(void)
{
	struct connector_server servers[3] = { { .host = "app.test", .port = places[0].port } };

	places[0].is_tls = true;
	servers[0] = with_tls(servers[0], kind ? "bad.test" : "good.test");
	servers[1] = at_place(1);
	servers[2] = with_tls(at_place(2), "good.test");
	ck_assert_int_eq(connector_set_servers(&connector, servers, 3), 0);
}

START_TEST(it_may_be_stopped_at_any_moment)
{
	kind = _i;
	fake_dns.app.ttl = 0;
	fake_dns.app.addresses[0] = "127.0.0.9";
	fake_dns.app.addresses[1] = "127.0.0.1";
	owner.refuses = true;
	for (int stop = 0; stop < TURNS; stop++) {
		unsigned before;

		list_all_kinds();
		connector_start(&connector);
		turns(stop);
		before = owner.connected + owner.failed;
		connector_stop(&connector);
		ck_assert_str_eq(connector_name(&connector), "");
		turns(5);
		ck_assert_uint_eq(owner.connected + owner.failed, before);
		if (stop % 3 == 0) {
			connector_fini(&connector);
			turn();
			new_connector();
		}
	}
}
END_TEST

static void stop_it(void)
{
	connector_stop(&connector);
}

static void end_it(void)
{
	connector_fini(&connector);
}

static void list_another(void)
{
	list_places(3, 3);
}

START_TEST(a_callback_may_do_anything)
{
	static void (*const does[])(void) = { stop_it, end_it, list_another };

	owner.upon = does[_i];
	owner.leaves = true;
	close_place(0);
	list_places(0, 1);
	start();
	turns(20);
	ck_assert_uint_eq(owner.failed, 1);
	if (_i < 2) {
		ck_assert_uint_eq(owner.connected, 0);
		owner.failed = 0;
		connector_fini(&connector);
		turn();
		new_connector();
		list_places(1, 1);
		start();
		turns(20);
	}
	ck_assert_uint_ge(owner.connected, 1);
}
END_TEST

START_TEST(memory_that_is_out_is_survived)
{
	unsigned long nth = 0;
	int has_failed = 1;

	fake_dns.app.ttl = 0;
	fake_dns.app.addresses[0] = "127.0.0.1";
	places[0].is_tls = true;
	while (has_failed && nth < 300) {
		struct connector_server s = { .host = "app.test", .port = places[0].port };
		int err;

		s = with_tls(s, "good.test");
		mem_fail_at(++nth);
		err = connector_set_servers(&connector, &s, 1);
		connector_start(&connector);
		turns(TURNS);
		has_failed = mem_failed();
		mem_fail_at(0);
		if (err < 0)
			list_one(s);
		wait_for(&owner.connected, 1);
		owner.connected = 0;
		stream_close(&owner.s);
		connector_stop(&connector);
		ck_assert_int_eq(connector_set_servers(&connector, NULL, 0), 0);
		turn();
	}
	ck_assert_uint_gt(nth, 3);
	ck_assert_uint_lt(nth, 300);
}
END_TEST

/* --- all of them -------------------------------------------------------------------- */

static bool make_files(void)
{
	struct certificate_wish wish = {
		.subject = "good", .names = "DNS:good.test", .ends_in = 3600
	};
	struct tls_client_options options = { .ca_file = good_pem };
	char why[256];

	if (!mkdtemp(dir))
		return false;
	snprintf(path, sizeof(path), "%s/socket", dir);
	snprintf(good_pem, sizeof(good_pem), "%s/good.pem", dir);
	snprintf(good_key, sizeof(good_key), "%s/good.key", dir);
	if (!certificate_write_as(&wish, good_pem, good_key))
		return false;
	server_context = tls_context_new(good_pem, good_key, why, sizeof(why));
	client_context = tls_client_context_new(&options, why, sizeof(why));
	return server_context && client_context;
}

static void remove_files(void)
{
	tls_context_free(server_context);
	tls_context_free(client_context);
	unlink(good_pem);
	unlink(good_key);
	unlink(path);
	rmdir(dir);
}

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, the_first_server_is_connected_and_handed_over);
	tcase_add_test(tc, a_unix_socket_is_a_server_too);
	tcase_add_test(tc, a_server_that_refuses_is_followed_by_the_next);
	tcase_add_test(tc, tls_is_spoken_with_the_host_that_is_expected);
	tcase_add_test(tc, a_certificate_for_somebody_else_is_a_failure);
	tcase_add_test(tc, a_server_that_is_silent_has_its_time_and_no_more);
	tcase_add_test(tc, all_addresses_of_a_name_are_tried);
	tcase_add_test(tc, a_name_is_asked_for_when_its_time_is_over_and_kept_when_nobody_can_tell);
	tcase_add_test(tc, a_name_that_is_none_is_a_failure_with_a_sentence);
	tcase_add_test(tc, waits_grow_up_to_their_bound_each_within_its_half);
	tcase_add_test(tc, a_login_that_is_refused_is_a_failure_and_waits_grow);
	tcase_add_test(
	    tc, a_connection_that_was_well_is_followed_by_the_next_server_after_a_short_wait);
	tcase_add_test(tc, a_wait_can_be_cut_short);
	tcase_add_test(tc, a_stream_that_is_not_taken_is_lost);
	tcase_add_test(tc, a_failure_of_our_own_is_one_of_all_servers);
	tcase_add_test(tc, a_name_whose_addresses_all_fail_is_asked_for_again);
	tcase_add_test(tc, a_new_server_does_not_wait_and_the_others_do);
	tcase_add_test(tc, a_list_that_always_has_a_new_server_does_not_put_off_the_wait);
	tcase_add_loop_test(tc, an_attempt_goes_on_if_its_server_is_still_there, 0, 2);
	tcase_add_test(tc, an_attempt_that_goes_on_knows_its_address);
	tcase_add_loop_test(tc, a_server_whose_tls_has_changed_is_another_one, 0, 2);
	tcase_add_test(tc, whether_there_is_another_server_is_known);
	tcase_add_test(tc, a_connection_outlives_its_place_in_the_list);
	tcase_add_test(tc, an_empty_list_waits_for_one_that_is_not);
	tcase_add_test(tc, what_can_be_no_server_is_refused);
	tcase_add_test(tc, an_order_of_chance_puts_each_first_sometimes);
	tcase_add_loop_test(tc, it_may_be_stopped_at_any_moment, 0, 2);
	tcase_add_loop_test(tc, a_callback_may_do_anything, 0, 3);
	tcase_add_test(tc, memory_that_is_out_is_survived);
}

int main(void)
{
	Suite *suite = suite_create("connector");
	TCase *tc = tcase_create("connector");
	SRunner *runner = srunner_create(suite);
	int bad;

	if (!make_files())
		return EXIT_FAILURE;
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_files();
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
