/*
 * tests/unit/test_hostile_proxy.c - the proxy in a loop, between a client and a server of the test:
 * what passes, and what becomes of it when memory is out at any moment.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "hostile/control_answers.h"
#include "hostile/proxy.h"

enum { TURNS_MOST = 400 };

static const char upgrade[] = "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                              "Connection: upgrade\r\n\r\n\x81\x01"
                              "a"
                              "\x81\x01"
                              "b";
static const char switched[] = "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
                               "\x81\x02ok";

static struct proxy proxy;
static int client, server, listening;
static char got_by_client[4096], got_by_server[4096];

/* --- both ends ------------------------------------------------------------------------ */

static uint16_t port_of(int fd)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	ck_assert_int_eq(getsockname(fd, (void *)&sin, &len), 0);
	return ntohs(sin.sin_port);
}

static int listen_somewhere(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(bind(fd, (void *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (void *)&sin, sizeof(sin)), 0);
	return fd;
}

/* Adds what has come. False: it has ended. */
static bool hear(int fd, char *text, size_t size)
{
	size_t len = strlen(text);
	ssize_t n = recv(fd, text + len, size - 1 - len, MSG_DONTWAIT);

	if (n > 0)
		text[len + (size_t)n] = '\0';
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void begin(const char *rules)
{
	struct listen_addr address;
	struct rule_error error;
	const char *wrong;
	char why[128];

	memset(&proxy, 0, sizeof(proxy));
	got_by_client[0] = got_by_server[0] = '\0';
	server = -1;
	listening = listen_somewhere();
	strcpy(proxy.settings.target_host, "127.0.0.1");
	proxy.settings.target_port = port_of(listening);
	proxy.settings.connections = 10;
	ck_assert_int_eq(loop_new(&proxy.loop), 0);
	deeds_init(&proxy.deeds, 0);
	ck_assert_int_eq(resolver_new(&proxy.resolver, proxy.loop, NULL), 0);
	ck_assert_int_eq(rules_add(&proxy.rules, bytes_of(rules), &error), 0);
	ck_assert_int_eq(listen_addr_parse("127.0.0.1:0", &address, &wrong), 0);
	ck_assert_int_eq(proxy_open(&proxy, &address, why, sizeof(why)), 0);
	client = connect_to(port_of(proxy.socket.fd));
}

static void end(void)
{
	mem_fail_at(0);
	close(client);
	if (server >= 0)
		close(server);
	close(listening);
	proxy_close(&proxy);
	loop_turn(proxy.loop, 0);
	resolver_free(proxy.resolver);
	loop_free(proxy.loop);
	rules_fini(&proxy.rules);
	deeds_fini(&proxy.deeds);
}

/* The server answers the first request that is whole. */
static void serve(const char *answer)
{
	static bool has_answered;

	if (server < 0) {
		server = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
		has_answered = false;
		return;
	}
	hear(server, got_by_server, sizeof(got_by_server));
	if (!has_answered && strstr(got_by_server, "\r\n\r\n")) {
		ck_assert_int_gt(send(server, answer, strlen(answer), MSG_NOSIGNAL), 0);
		has_answered = true;
	}
}

/* Until the client has `wanted`, or its connection has ended. */
static bool run(const char *answer, const char *wanted)
{
	for (int i = 0; i < TURNS_MOST; i++) {
		loop_turn(proxy.loop, 5);
		serve(answer);
		if (!hear(client, got_by_client, sizeof(got_by_client)))
			return false;
		if (strstr(got_by_client, wanted))
			return true;
	}
	return false;
}

static void ask(const char *text, size_t n)
{
	ck_assert_int_eq(send(client, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* --- tests ------------------------------------------------------------------------------ */

START_TEST(a_websocket_passes_but_for_what_rules_take)
{
	begin("drop first client frame; after 3 frames: black");
	ask(upgrade, sizeof(upgrade) - 1);
	ck_assert(run(switched, "\x81\x02ok"));
	for (int i = 0; i < 20 && !strstr(got_by_server, "\x81\x01"
	                                                 "b");
	     i++) {
		loop_turn(proxy.loop, 5);
		serve(switched);
	}
	ck_assert_ptr_nonnull(strstr(got_by_server, "\r\n\r\n\x81\x01"
	                                            "b"));
	ck_assert_uint_eq(proxy.stats.lost_frames[FROM_CLIENT], 1);
	end();
}
END_TEST

static const struct {
	const char *rules, *request, *answer, *wanted;
} scenes[] = {
	{ "delay 1ms; set request A b; set response C d",
	    "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n",
	    "0\r\n\r\n" },
	{ "http 1.0; duplicate; hold",
	    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello" },
	{ "502", "GET / HTTP/1.1\r\n\r\n", "", "502" },
	{ "rate 1MiB", "CONNECT a:1 HTTP/1.1\r\n\r\n\x16\x03\r\n\r\n", "x", "200" },
	{ "corrupt byte 3; drop 50% of frames", upgrade, switched, "upgrade" },
};

START_TEST(when_memory_is_out_a_connection_ends_and_no_other)
{
	unsigned survived = 0;

	for (unsigned long nth = 1; survived < 2 && nth < 200; nth++) {
		begin(scenes[_i].rules);
		ask(scenes[_i].request, strlen(scenes[_i].request));
		mem_fail_at(nth);
		run(scenes[_i].answer, scenes[_i].wanted);
		survived += !mem_failed();
		end();
	}
	ck_assert_uint_eq(survived, 2);
}
END_TEST

START_TEST(the_control_address_says_when_memory_is_out)
{
	static const char *const paths[] = { "/", "/rules", "/log", "/connections", "/stats" };
	bool has_failed = true;

	for (unsigned long nth = 1; has_failed && nth < 100; nth++) {
		begin("black; delay 5");
		loop_turn(proxy.loop, 5);
		mem_fail_at(nth);
		has_failed = false;
		for (size_t i = 0; i < 5; i++) {
			struct control_request r = { .method = BYTES("GET"),
				.path = bytes_of(paths[i]) };
			struct control_answer a;

			ck_assert(control_answer(&proxy, &r, &a) == 0 || mem_failed());
			buf_fini(&a.body);
		}
		has_failed = mem_failed();
		end();
	}
	ck_assert(!has_failed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hostile_proxy");
	TCase *tc = tcase_create("hostile_proxy");
	SRunner *sr = srunner_create(s);
	int failed;

	log_set_level(LOG_SILENT);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, a_websocket_passes_but_for_what_rules_take);
	tcase_add_loop_test(tc, when_memory_is_out_a_connection_ends_and_no_other, 0,
	    sizeof(scenes) / sizeof(*scenes));
	tcase_add_test(tc, the_control_address_says_when_memory_is_out);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
