/*
 * tests/unit/test_cluster_hop.c - requests that are passed on to another gateway, which the test plays: whoever of the
 * three ends, and whenever; connections that are kept; who does not read; and all that without memory.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "cluster/hop.h"
#include "http_fixture.h"

#define SECRET     "0123456789abcdef0123456789abcdef"
#define TIMEOUT_MS 2000
#define HEAD       "HTTP/1.1 200 OK\r\n"
#define CHUNKED    HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define HELLO      HEAD "Content-Length: 5\r\n\r\nhello"

/* --- one end of a connection, without our heap ------------------------------------------------------ */

struct wire {
	int fd; /* -1: none */
	char in[16384];
	size_t n;
	bool ended, was_reset;
};

enum { PEERS = 8 };

static struct wire client, peers[PEERS];
static unsigned peer_count; /* accepted so far */
static int listening;

static void wire_read(struct wire *w)
{
	ssize_t n;

	if (w->fd < 0 || w->ended)
		return;
	n = recv(w->fd, w->in + w->n, sizeof(w->in) - 1 - w->n, MSG_DONTWAIT);
	if (n > 0)
		w->n += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		w->ended = true;
	w->was_reset |= n < 0 && errno != EAGAIN;
	w->in[w->n] = '\0';
}

static void wire_open(struct wire *w, int fd)
{
	ck_assert_int_ge(fd, 0);
	*w = (struct wire){ .fd = fd };
}

static void wire_close(struct wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static void wire_reset(struct wire *w)
{
	struct linger hard = { .l_onoff = 1 };

	setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	wire_close(w);
}

static void wire_clear(struct wire *w)
{
	w->n = 0;
	w->in[0] = '\0';
}

static void accept_peer(void)
{
	int fd = peer_count < PEERS ? accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;

	if (fd >= 0)
		wire_open(&peers[peer_count++], fd);
}

/* Turns the loop, and takes what has come. */
static void turn(int ms)
{
	ck_assert_int_eq(loop_turn(loop, ms), 0);
	accept_peer();
	for (unsigned i = 0; i < peer_count; i++)
		wire_read(&peers[i]);
	wire_read(&client);
}

#define until(truth)                                                                               \
	do {                                                                                       \
		for (int tries_ = 0; !(truth) && tries_ < 3000; tries_++)                          \
			turn(tries_ < 100 ? 0 : 1);                                                \
		ck_assert_msg(truth, "never: %s; the client has \"%s\"", #truth, client.in);       \
	} while (0)

static bool has(const struct wire *w, const char *text)
{
	return strstr(w->in, text) != NULL;
}

/* --- the world ------------------------------------------------------------------------------------------ */

static struct hop_desk desk;
static struct hop_pool pool;
static enum hop_failure failure; /* the last one */
static unsigned failures;
static unsigned answers;
static bool is_here; /* requests are served by us from now on */

static void on_failed(struct hop_desk *d, const struct hop_pool *p, enum hop_failure why, const char *reason)
{
	ck_assert_ptr_eq(d, &desk);
	ck_assert_ptr_eq(p, &pool);
	ck_assert_ptr_nonnull(reason);
	failure = why;
	failures++;
	is_here = why == HOP_REFUSED;
}

static void on_answered(struct hop_desk *d, const struct hop_pool *p, struct bytes name)
{
	ck_assert_ptr_eq(d, &desk);
	ck_assert_ptr_eq(p, &pool);
	ck_assert(bytes_equal(name, BYTES("a name")));
	answers++;
}

static void pass_on(struct http_request *r)
{
	bool brings_messages = bytes_equal(http_request_path(r), BYTES("/send"));
	const struct hop_client whose = { .address = *http_request_peer(r), .host = BYTES("app.example") };
	const char *in_vain = http_hold_was_in_vain(r);

	if (in_vain)
		http_respond_text(r, 503, in_vain);
	else if (is_here)
		http_respond_text(r, 200, "served here");
	else if (hop_start(&desk, &pool, r, &whose, brings_messages ? (struct bytes){ 0 } : BYTES("a name")) < 0)
		http_respond_text(r, 503, "Out of memory.");
}

static void make_pool(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct gateway gateway = { .id = 7, .card = { .secret = SECRET, .idle_ms = 20000 } };
	socklen_t len = sizeof(at);

	listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(listening, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(listening, 100), 0);
	ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&at, &len), 0);
	gateway.card.at = addr_from_sockaddr((struct sockaddr *)&at);
	hop_pool_init(&pool, loop, &gateway);
	pool.timeout_ms = TIMEOUT_MS;
}

static void setup(void)
{
	http_setup();
	serving = pass_on;
	is_here = false;
	failures = answers = peer_count = 0;
	client.fd = -1;
	desk = (struct hop_desk){
		.loop = loop,
		.http = server,
		.timeout_ms = TIMEOUT_MS,
		.failed = on_failed,
		.answered = on_answered,
	};
	list_init(&desk.hops);
	make_pool();
}

static void teardown(void)
{
	hop_end_all(&desk, NULL);
	ck_assert_uint_eq(desk.counters.now, 0);
	hop_pool_fini(&pool);
	wire_close(&client);
	for (unsigned i = 0; i < peer_count; i++)
		wire_close(&peers[i]);
	close(listening);
	http_teardown();
}

/* A client's request arrives at the other gateway by its connection `peer`. */
static void ask_by(unsigned peer, const char *request)
{
	if (client.fd < 0)
		wire_open(&client, client_new());
	say(client.fd, request);
	until(peer_count > peer && has(&peers[peer], "\r\n\r\n"));
	ck_assert_uint_eq(desk.counters.now, 1);
}

static void answer(unsigned peer, const char *text)
{
	say(peers[peer].fd, text);
}

static unsigned idle_count(void)
{
	unsigned n = 0;
	struct list *pos;

	list_foreach (pos, &pool.idle)
		n++;
	return n;
}

/* --- that goes well ------------------------------------------------------------------------------------- */

START_TEST(a_request_and_its_answer_pass)
{
	ask_by(0, GET("/poll"));
	ck_assert(has(&peers[0], "GET /poll HTTP/1.1\r\nHost: app.example\r\nSockjsd-Peer: " SECRET " client=127.0.0.1:"));
	answer(0, HEAD "Connection: keep-alive\r\nX: y\r\nContent-Length: 5\r\n\r\nhello");
	until(has(&client, "hello"));
	ck_assert_str_eq(client.in, HEAD "X: y\r\nContent-Length: 5\r\n\r\nhello");
	ck_assert_uint_eq(desk.counters.now, 0);
	ck_assert_uint_eq(desk.counters.passed_on, 1);
	ck_assert_uint_eq(answers, 1);
	ck_assert_uint_eq(idle_count(), 1);
	ck_assert_uint_eq(counters()->connections, 1); /* the client's is back */
}
END_TEST

START_TEST(both_connections_serve_again)
{
	for (unsigned i = 0; i < 5; i++) {
		ask_by(0, POST("/send", "2\r\n\r\n[]"));
		wire_clear(&peers[0]);
		answer(0, "HTTP/1.1 204 No Content\r\n\r\n");
		until(has(&client, "204") && desk.counters.now == 0);
		wire_clear(&client);
	}
	ck_assert_uint_eq(peer_count, 1);
	ck_assert_uint_eq(idle_count(), 1);
	ck_assert_uint_eq(answers, 0); /* who sends has no name */
}
END_TEST

static void say_slowly(unsigned peer, const char *text)
{
	for (; *text; text++) {
		say_bytes(peers[peer].fd, text, 1);
		turn(0);
	}
}

START_TEST(an_answer_may_come_octet_by_octet)
{
	static const char text[] = CHUNKED "3;a=b\r\nabc\r\n0\r\nT: railer\r\n\r\n";

	ask_by(0, GET("/poll"));
	say_slowly(0, text);
	until(desk.counters.now == 0 && client.n == strlen(text));
	ck_assert_str_eq(client.in, text);
	ck_assert_uint_eq(idle_count(), 1);
	ck_assert(!client.ended);
}
END_TEST

START_TEST(an_answer_passes_as_it_comes)
{
	ask_by(0, GET("/stream"));
	answer(0, CHUNKED);
	until(has(&client, "\r\n\r\n"));
	answer(0, "2\r\no\n\r\n");
	until(has(&client, "2\r\no\n\r\n"));
	ck_assert_uint_eq(desk.counters.now, 1);
	answer(0, "0\r\n\r\n");
	until(desk.counters.now == 0);
}
END_TEST

START_TEST(an_answer_may_end_with_its_connection)
{
	ask_by(0, GET("/poll"));
	answer(0, HEAD "\r\nabc");
	until(has(&client, "abc"));
	ck_assert_str_eq(client.in, HEAD "Connection: close\r\n\r\nabc");
	wire_close(&peers[0]);
	until(client.ended);
	ck_assert(!client.was_reset);
	ck_assert_uint_eq(failures, 0);
	ck_assert_uint_eq(idle_count(), 0);
}
END_TEST

START_TEST(an_old_client_is_told_that_it_ends)
{
	ask_by(0, "GET /poll HTTP/1.0\r\n\r\n");
	ck_assert(has(&peers[0], "GET /poll HTTP/1.0\r\n"));
	answer(0, HELLO);
	until(client.ended);
	ck_assert_str_eq(client.in, HEAD "Content-Length: 5\r\nConnection: close\r\n\r\nhello");
}
END_TEST

START_TEST(what_comes_behind_a_request_waits_for_its_answer)
{
	ask_by(0, POST("/send", "2\r\n\r\n[]") GET("/poll"));
	ck_assert(!has(&peers[0], "/poll"));
	wire_clear(&peers[0]);
	answer(0, "HTTP/1.1 204 No Content\r\n\r\n");
	until(has(&peers[0], "GET /poll "));
	answer(0, HELLO);
	until(has(&client, "hello"));
	ck_assert_uint_eq(desk.counters.passed_on, 2);
	ck_assert_uint_eq(peer_count, 1);
}
END_TEST

/* --- the client leaves ------------------------------------------------------------------------------------ */

START_TEST(a_client_that_leaves_takes_its_request_back)
{
	static const char *const said[] = { NULL, "HTTP/1.1 2", CHUNKED, CHUNKED "1\r\na\r\n" };
	unsigned when = (unsigned)_i / 2;

	ask_by(0, GET("/poll"));
	if (said[when])
		answer(0, said[when]);
	if (when > 1)
		until(has(&client, "\r\n\r\n"));
	else
		settle();
	if (_i & 1)
		wire_reset(&client);
	else
		wire_close(&client);
	until(desk.counters.now == 0 && peers[0].ended);
	ck_assert_uint_eq(failures, 0);
	ck_assert_uint_eq(idle_count(), 0);
	ck_assert_uint_eq(counters()->connections, 0);
}
END_TEST

START_TEST(a_client_may_leave_before_anybody_is_connected_to)
{
	wire_open(&client, client_new());
	say(client.fd, GET("/poll"));
	while (desk.counters.now == 0)
		ck_assert_int_eq(loop_turn(loop, 1), 0);
	wire_close(&client);
	until(desk.counters.now == 0);
	ck_assert_uint_eq(failures, 0);
}
END_TEST

/* --- the other gateway leaves --------------------------------------------------------------------------- */

START_TEST(where_nobody_listens_it_is_served_by_somebody_else)
{
	close(listening);
	listening = -1;
	wire_open(&client, client_new());
	say(client.fd, GET("/poll"));
	until(has(&client, "served here"));
	ck_assert_uint_eq(desk.counters.failed[HOP_REFUSED], 1);
	ck_assert_uint_eq(answers, 0);
	ck_assert_uint_eq(desk.counters.now, 0);
}
END_TEST

static void leave(unsigned peer, bool hard)
{
	if (hard)
		wire_reset(&peers[peer]);
	else
		wire_close(&peers[peer]);
}

/* Without an answer, or with half a head: it may have been taken there. */
START_TEST(one_that_leaves_before_its_answer_leaves_a_503)
{
	ask_by(0, GET("/poll"));
	if (_i & 2) {
		answer(0, "HTTP/1.1 200 OK\r\nConte");
		settle();
	}
	leave(0, _i & 1);
	until(has(&client, "503 "));
	ck_assert(has(&client, "has not answered"));
	ck_assert_uint_eq(desk.counters.failed[HOP_NO_ANSWER], 1);
	ck_assert_uint_eq(desk.counters.now, 0);
	ck_assert_uint_eq(peer_count, 1); /* a new connection would have told it by now */
}
END_TEST

START_TEST(one_that_leaves_within_its_answer_ends_the_client)
{
	static const char *const said[] = { CHUNKED, CHUNKED "3\r\nab", CHUNKED "3", HEAD "Content-Length: 9\r\n\r\nab" };

	ask_by(0, GET("/poll"));
	answer(0, said[_i / 2]);
	until(has(&client, "\r\n\r\n"));
	leave(0, _i & 1);
	until(client.ended);
	ck_assert(!has(&client, "503"));
	ck_assert_uint_eq(desk.counters.failed[HOP_CUT], 1);
	ck_assert_uint_eq(desk.counters.now, 0);
}
END_TEST

/* Or half of it would be taken for all. */
START_TEST(an_answer_without_a_length_that_is_cut_is_cut_for_the_client)
{
	ask_by(0, GET("/poll"));
	answer(0, HEAD "\r\nabc");
	until(has(&client, "abc"));
	leave(0, true);
	until(client.ended);
	ck_assert(client.was_reset);
	ck_assert_uint_eq(desk.counters.failed[HOP_CUT], 1);
}
END_TEST

START_TEST(one_that_leaves_after_its_answer_harms_nobody)
{
	ask_by(0, GET("/poll"));
	answer(0, HELLO);
	leave(0, false);
	until(has(&client, "hello"));
	until(idle_count() == 0);
	wire_clear(&client);
	ask_by(1, GET("/poll"));
	answer(1, HELLO);
	until(has(&client, "hello"));
	ck_assert_uint_eq(failures, 0);
}
END_TEST

START_TEST(an_answer_that_is_malformed_is_none)
{
	static const char *const said[] = { "nonsense\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "\r\n\r\n",
		HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\n" };

	ask_by(0, GET("/poll"));
	answer(0, said[_i]);
	until(has(&client, "503 ") && peers[0].ended);
	ck_assert_uint_eq(desk.counters.failed[HOP_NO_ANSWER], 1);
}
END_TEST

START_TEST(chunks_that_are_malformed_cut_the_answer)
{
	ask_by(0, GET("/poll"));
	answer(0, CHUNKED "1\r\na\r\nx\r\n");
	until(client.ended && peers[0].ended);
	ck_assert_uint_eq(desk.counters.failed[HOP_CUT], 1);
	ck_assert_uint_eq(desk.counters.now, 0);
}
END_TEST

START_TEST(one_that_says_more_than_it_was_asked_is_not_asked_again)
{
	ask_by(0, GET("/poll"));
	answer(0, _i ? CHUNKED "0\r\n\r\n" HELLO : HELLO HELLO);
	until(client.n > 0 && desk.counters.now == 0 && peers[0].ended);
	ck_assert_uint_eq(idle_count(), 0);
	ck_assert(!client.ended);
	ck_assert_uint_le(client.n, sizeof(CHUNKED "0\r\n\r\n"));
}
END_TEST

/* It takes the connection, but does not speak TLS, nor anything else. */
START_TEST(one_that_cannot_be_connected_to_in_time_leaves_a_503)
{
	const struct tls_client_options insecure = { .insecure = true };
	char why[400];

	pool.tls = tls_client_context_new(&insecure, why, sizeof(why));
	ck_assert_msg(pool.tls, "%s", why);
	wire_open(&client, client_new());
	say(client.fd, GET("/poll"));
	until(peer_count == 1 && peers[0].n > 0);
	pass_ms(TIMEOUT_MS);
	until(has(&client, "503 ") && peers[0].ended);
	ck_assert_uint_eq(desk.counters.failed[HOP_UNREACHABLE], 1);
	hop_end_all(&desk, NULL);
	settle();
	tls_context_free(pool.tls);
}
END_TEST

START_TEST(one_that_does_not_speak_tls_leaves_a_503)
{
	const struct tls_client_options insecure = { .insecure = true };
	char why[400];

	pool.tls = tls_client_context_new(&insecure, why, sizeof(why));
	ck_assert_msg(pool.tls, "%s", why);
	wire_open(&client, client_new());
	say(client.fd, GET("/poll"));
	until(peer_count == 1 && peers[0].n > 0);
	answer(0, "HTTP/1.1 400 Bad Request\r\n\r\n");
	until(has(&client, "503 ") && peers[0].ended);
	ck_assert_uint_eq(desk.counters.failed[HOP_UNREACHABLE], 1);
	settle();
	tls_context_free(pool.tls);
}
END_TEST

/* --- connections that are kept ---------------------------------------------------------------------------- */

static void use_once(void)
{
	ask_by(0, GET("/poll"));
	wire_clear(&peers[0]);
	answer(0, HELLO);
	until(has(&client, "hello") && desk.counters.now == 0);
	wire_clear(&client);
	ck_assert_uint_eq(idle_count(), 1);
}

/* Its end has crossed the request, or the other gateway is another process now. */
START_TEST(a_poll_by_a_connection_that_was_closed_is_repeated)
{
	use_once();
	ask_by(0, GET("/poll"));
	leave(0, _i);
	until(peer_count == 2 && has(&peers[1], "GET /poll "));
	answer(1, HELLO);
	until(has(&client, "hello"));
	ck_assert_uint_eq(failures, 0);
	ck_assert_uint_eq(desk.counters.passed_on, 2);
}
END_TEST

START_TEST(a_poll_is_repeated_once)
{
	use_once();
	ask_by(0, GET("/poll"));
	leave(0, _i);
	until(peer_count == 2 && has(&peers[1], "GET /poll "));
	leave(1, _i);
	until(has(&client, "503 "));
	ck_assert_uint_eq(desk.counters.failed[HOP_NO_ANSWER], 1);
	ck_assert_uint_eq(peer_count, 2);
}
END_TEST

START_TEST(a_send_by_a_connection_that_was_closed_is_not_repeated)
{
	use_once();
	ask_by(0, POST("/send", "2\r\n\r\n[]"));
	leave(0, _i);
	until(has(&client, "503 "));
	settle();
	accept_peer();
	ck_assert_uint_eq(peer_count, 1);
	ck_assert_uint_eq(desk.counters.failed[HOP_NO_ANSWER], 1);
}
END_TEST

START_TEST(a_poll_whose_answer_has_begun_is_not_repeated)
{
	use_once();
	ask_by(0, GET("/poll"));
	answer(0, "HTTP");
	settle();
	leave(0, _i);
	until(has(&client, "503 "));
	ck_assert_uint_eq(peer_count, 1);
}
END_TEST

START_TEST(a_poll_is_repeated_where_nobody_listens_any_more)
{
	use_once();
	ask_by(0, GET("/poll"));
	close(listening);
	listening = -1;
	leave(0, _i);
	until(has(&client, "served here"));
	ck_assert_uint_eq(desk.counters.failed[HOP_REFUSED], 1);
}
END_TEST

START_TEST(one_that_waits_is_let_go_when_it_is_closed_or_says_something)
{
	use_once();
	if (_i == 2)
		answer(0, "HTTP/1.1 408 Request Timeout\r\n\r\n");
	else
		leave(0, _i);
	until(idle_count() == 0);
	ck_assert_uint_eq(failures, 0);
}
END_TEST

/* Half as long as the other end would wait. */
START_TEST(one_that_waits_too_long_is_closed_by_us)
{
	use_once();
	pass_ms(9999);
	ck_assert_uint_eq(idle_count(), 1);
	pass_ms(100);
	until(idle_count() == 0 && peers[0].ended);
}
END_TEST

START_TEST(so_many_at_once_have_a_connection_each)
{
	int others[5];

	for (unsigned i = 0; i < 5; i++) {
		others[i] = client_new();
		say(others[i], GET("/poll"));
		until(peer_count == i + 1 && has(&peers[i], "\r\n\r\n"));
	}
	ck_assert_uint_eq(desk.counters.now, 5);
	for (unsigned i = 0; i < 5; i++)
		answer(i, HELLO);
	for (unsigned i = 0; i < 5; i++)
		hear(others[i], "hello");
	until(idle_count() == 5);
	for (unsigned i = 0; i < 5; i++)
		close(others[i]);
}
END_TEST

/* --- the end ------------------------------------------------------------------------------------------------ */

START_TEST(when_all_end_those_that_wait_are_served_again)
{
	ask_by(0, GET("/poll"));
	is_here = true;
	hop_end_all(&desk, &pool);
	ck_assert_uint_eq(desk.counters.now, 0);
	until(has(&client, "served here") && peers[0].ended);
	ck_assert_uint_eq(failures, 0);
}
END_TEST

START_TEST(when_all_end_those_that_are_answered_end)
{
	ask_by(0, GET("/poll"));
	answer(0, CHUNKED "1\r\na\r\n");
	until(has(&client, "a\r\n"));
	hop_end_all(&desk, &pool);
	until(client.ended && peers[0].ended);
}
END_TEST

START_TEST(those_of_another_gateway_go_on)
{
	struct hop_pool other = { 0 };

	ask_by(0, GET("/poll"));
	hop_end_all(&desk, &other);
	ck_assert_uint_eq(desk.counters.now, 1);
	answer(0, HELLO);
	until(has(&client, "hello"));
}
END_TEST

/* Also one that is connected to in this very turn. */
START_TEST(they_may_end_at_any_time)
{
	for (int n = 0; n < 6; n++) {
		is_here = false;
		wire_clear(&client);
		if (client.fd < 0)
			wire_open(&client, client_new());
		say(client.fd, GET("/poll"));
		for (int i = 0; i < n; i++)
			ck_assert_int_eq(loop_turn(loop, 0), 0);
		is_here = true;
		hop_end_all(&desk, NULL);
		until(has(&client, "served here"));
	}
}
END_TEST

/* --- who does not read ------------------------------------------------------------------------------------ */

enum { MUCH = 64 << 20, BOUND = 24 << 20 };

static const char octets[65536];

/* As much as goes into it while the loop turns; no more than `most`. */
static size_t pour(int fd, size_t most)
{
	size_t all = 0;

	for (int quiet = 0; quiet < 30 && all < most;) {
		size_t n = most - all < sizeof(octets) ? most - all : sizeof(octets);
		ssize_t sent = send(fd, octets, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0)
			all += (size_t)sent;
		quiet = sent > 0 ? 0 : quiet + 1;
		ck_assert_int_eq(loop_turn(loop, sent > 0 ? 0 : 1), 0);
	}
	return all;
}

/* The rest is poured while it reads. */
static size_t drain(int from, int fd, size_t left)
{
	static char in[1 << 20];
	size_t all = 0;

	for (int quiet = 0; quiet < 200;) {
		ssize_t n = recv(from, in, sizeof(in), MSG_DONTWAIT), sent = 0;

		if (left > 0)
			sent = send(fd, octets, left < sizeof(octets) ? left : sizeof(octets), MSG_NOSIGNAL | MSG_DONTWAIT);
		left -= sent > 0 ? (size_t)sent : 0;
		all += n > 0 ? (size_t)n : 0;
		quiet = n > 0 || sent > 0 ? 0 : quiet + 1;
		ck_assert_int_eq(loop_turn(loop, quiet ? 1 : 0), 0);
	}
	return all;
}

/* What the kernels hold is some megabytes; what we hold is next to nothing. */
START_TEST(for_a_client_that_does_not_read_nothing_is_read)
{
	char head[100];
	size_t poured;

	ask_by(0, GET("/poll"));
	snprintf(head, sizeof(head), HEAD "Content-Length: %u\r\n\r\n", (unsigned)MUCH);
	answer(0, head);
	poured = pour(peers[0].fd, MUCH);
	ck_assert_uint_lt(poured, BOUND);
	ck_assert_uint_eq(desk.counters.now, 1);
	ck_assert_uint_eq(drain(client.fd, peers[0].fd, MUCH - poured), strlen(head) + MUCH);
	until(desk.counters.now == 0);
	ck_assert_uint_eq(failures, 0);
}
END_TEST

START_TEST(a_client_that_does_not_read_may_leave)
{
	char head[100];

	ask_by(0, GET("/poll"));
	snprintf(head, sizeof(head), HEAD "Content-Length: %u\r\n\r\n", (unsigned)MUCH);
	answer(0, head);
	pour(peers[0].fd, MUCH);
	if (_i < 2) {
		leave(0, _i); /* the other gateway, that is */
		settle();
	}
	wire_reset(&client);
	until(desk.counters.now == 0);
}
END_TEST

/* Before the answer begins, and within it: it is its next request, and nobody's affair yet. */
START_TEST(what_a_client_sends_meanwhile_is_not_read)
{
	ask_by(0, GET("/poll"));
	if (_i) {
		answer(0, CHUNKED);
		until(has(&client, "\r\n\r\n"));
	}
	ck_assert_uint_lt(pour(client.fd, MUCH), BOUND);
	answer(0, _i ? "1\r\na\r\n0\r\n\r\n" : CHUNKED "1\r\na\r\n0\r\n\r\n");
	until(has(&client, "1\r\na\r\n0\r\n\r\n"));
}
END_TEST

/* The other one does not take a long request; its answer passes all the same. */
START_TEST(a_request_may_be_answered_before_it_is_taken)
{
	static char body[1 << 20];

	wire_open(&client, client_new());
	say(client.fd, "POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n");
	say_bytes(client.fd, body, sizeof(body));
	for (int i = 0; peer_count == 0 && i < 1000; i++) {
		ck_assert_int_eq(loop_turn(loop, 1), 0);
		accept_peer();
	}
	settle();
	answer(0, HEAD "Connection: close\r\nContent-Length: 5\r\n\r\nhello");
	for (int i = 0; !has(&client, "hello") && i < 1000; i++) {
		ck_assert_int_eq(loop_turn(loop, 1), 0);
		wire_read(&client);
	}
	ck_assert(has(&client, "hello"));
	ck_assert_uint_eq(desk.counters.now, 0);
}
END_TEST

/* --- without memory ------------------------------------------------------------------------------------------- */

/* Answers whatever has come, in pieces that fit no line. */
static void play_peer(void)
{
	static const char *const pieces[] = { CHUNKED "2;", "x\r\nab", "\r", "\n0\r\n\r\n" };

	for (unsigned i = 0; i < peer_count; i++) {
		struct wire *w = &peers[i];

		if (w->fd < 0 || !has(w, "\r\n\r\n"))
			continue;
		wire_clear(w);
		for (unsigned k = 0; k < 4 && !w->ended; k++) {
			(void)!send(w->fd, pieces[k], strlen(pieces[k]), MSG_NOSIGNAL | MSG_DONTWAIT);
			turn(0);
		}
	}
}

static unsigned answers_in(const char *text)
{
	return count_of(text, "HTTP/1.1 ");
}

/* Three requests, two of them at once: each is answered, or their connection ends. */
static void ask_all(void)
{
	static const char *const requests[] = { POST("/send", "2\r\n\r\n[]") GET("/poll"), GET("/poll") };
	unsigned asked = 0;

	for (unsigned i = 0; i < 2 && !client.ended; i++) {
		say(client.fd, requests[i]);
		asked += i ? 1 : 2;
		for (int tries = 0; answers_in(client.in) < asked && !client.ended && tries < 3000; tries++) {
			turn(tries < 100 ? 0 : 1);
			play_peer();
		}
		ck_assert_msg(client.ended || answers_in(client.in) == asked, "%s", client.in);
		for (int tries = 0; desk.counters.now > 0 && !client.ended && tries < 3000; tries++)
			turn(1);
	}
}

static void end_round(void)
{
	wire_close(&client);
	client.ended = false;
	until(desk.counters.now == 0);
	hop_pool_fini(&pool);
	settle();
	accept_peer();
	for (unsigned i = 0; i < peer_count; i++)
		wire_close(&peers[i]);
	peer_count = 0;
}

START_TEST(without_memory_a_request_is_answered_or_its_connection_ends)
{
	bool has_failed = true;
	unsigned rounds = 0, whole;

	for (unsigned long nth = 1; has_failed; nth++, rounds++) {
		wire_open(&client, client_new());
		mem_fail_at(nth);
		ask_all();
		has_failed = mem_failed();
		mem_fail_at(0);
		whole = count_of(client.in, "0\r\n\r\n");
		ck_assert_msg(has_failed || whole == 3, "%s", client.in);
		end_round();
	}
	ck_assert_uint_gt(rounds, 20);
}
END_TEST

/* --- all -------------------------------------------------------------------------------------------------------- */

static void add_passing(TCase *tc)
{
	tcase_add_test(tc, a_request_and_its_answer_pass);
	tcase_add_test(tc, both_connections_serve_again);
	tcase_add_test(tc, an_answer_may_come_octet_by_octet);
	tcase_add_test(tc, an_answer_passes_as_it_comes);
	tcase_add_test(tc, an_answer_may_end_with_its_connection);
	tcase_add_test(tc, an_old_client_is_told_that_it_ends);
	tcase_add_test(tc, what_comes_behind_a_request_waits_for_its_answer);
}

static void add_leaving(TCase *tc)
{
	tcase_add_loop_test(tc, a_client_that_leaves_takes_its_request_back, 0, 8);
	tcase_add_test(tc, a_client_may_leave_before_anybody_is_connected_to);
	tcase_add_test(tc, where_nobody_listens_it_is_served_by_somebody_else);
	tcase_add_loop_test(tc, one_that_leaves_before_its_answer_leaves_a_503, 0, 4);
	tcase_add_loop_test(tc, one_that_leaves_within_its_answer_ends_the_client, 0, 8);
	tcase_add_test(tc, an_answer_without_a_length_that_is_cut_is_cut_for_the_client);
	tcase_add_test(tc, one_that_leaves_after_its_answer_harms_nobody);
	tcase_add_loop_test(tc, an_answer_that_is_malformed_is_none, 0, 4);
	tcase_add_test(tc, chunks_that_are_malformed_cut_the_answer);
	tcase_add_loop_test(tc, one_that_says_more_than_it_was_asked_is_not_asked_again, 0, 2);
	tcase_add_test(tc, one_that_cannot_be_connected_to_in_time_leaves_a_503);
	tcase_add_test(tc, one_that_does_not_speak_tls_leaves_a_503);
}

static void add_kept(TCase *tc)
{
	tcase_add_loop_test(tc, a_poll_by_a_connection_that_was_closed_is_repeated, 0, 2);
	tcase_add_loop_test(tc, a_poll_is_repeated_once, 0, 2);
	tcase_add_loop_test(tc, a_send_by_a_connection_that_was_closed_is_not_repeated, 0, 2);
	tcase_add_loop_test(tc, a_poll_whose_answer_has_begun_is_not_repeated, 0, 2);
	tcase_add_loop_test(tc, a_poll_is_repeated_where_nobody_listens_any_more, 0, 2);
	tcase_add_loop_test(tc, one_that_waits_is_let_go_when_it_is_closed_or_says_something, 0, 3);
	tcase_add_test(tc, one_that_waits_too_long_is_closed_by_us);
	tcase_add_test(tc, so_many_at_once_have_a_connection_each);
}

static void add_ends(TCase *tc)
{
	tcase_add_test(tc, when_all_end_those_that_wait_are_served_again);
	tcase_add_test(tc, when_all_end_those_that_are_answered_end);
	tcase_add_test(tc, those_of_another_gateway_go_on);
	tcase_add_test(tc, they_may_end_at_any_time);
}

static void add_pressure(TCase *tc)
{
	tcase_add_test(tc, for_a_client_that_does_not_read_nothing_is_read);
	tcase_add_loop_test(tc, a_client_that_does_not_read_may_leave, 0, 3);
	tcase_add_loop_test(tc, what_a_client_sends_meanwhile_is_not_read, 0, 2);
	tcase_add_test(tc, a_request_may_be_answered_before_it_is_taken);
}

int main(void)
{
	Suite *suite = suite_create("cluster_hop");

	add_passing(group(suite, "passing", setup, teardown));
	add_leaving(group(suite, "leaving", setup, teardown));
	add_kept(group(suite, "kept", setup, teardown));
	add_ends(group(suite, "ends", setup, teardown));
	add_pressure(group(suite, "pressure", setup, teardown));
	tcase_add_test(group(suite, "memory", setup, teardown),
	    without_memory_a_request_is_answered_or_its_connection_ends);
	return run_groups(suite);
}
