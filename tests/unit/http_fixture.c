/*
 * tests/unit/http_fixture.c - an HTTP server in a loop; see http_fixture.h.
 */
#include "http_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/visitors.h"

#define FDS   1024
#define START 1000000

struct loop *loop;
struct http_server *server;
struct http_limits limits;
size_t body_limit;
void (*serving)(struct http_request *r);
unsigned served;

static struct buf heard[FDS];
static bool ended[FDS];
static int listening;
static struct sockaddr_in here;
static uint64_t now;

/* --- the handler -------------------------------------------------------------------------- */

static size_t on_body_limit(struct http_request *r, void *arg)
{
	ck_assert_ptr_eq(arg, &served);
	ck_assert_ptr_eq(http_request_server(r), server);
	return body_limit;
}

static void answer(struct http_request *r)
{
	struct bytes method = http_request_method_name(r), path = http_request_path(r),
	             query = http_request_query(r);
	struct http_head head;
	struct buf out = BUF_INIT;
	size_t n;
	const char *body = http_request_body(r, &n);

	ck_assert_int_eq(buf_add(&out, method.p, method.n), 0);
	ck_assert_int_eq(buf_add(&out, " ", 1), 0);
	ck_assert_int_eq(buf_add(&out, path.p, path.n), 0);
	ck_assert_int_eq(buf_add(&out, "?", 1), 0);
	ck_assert_int_eq(buf_add(&out, query.p, query.n), 0);
	ck_assert_int_eq(buf_add(&out, " ", 1), 0);
	ck_assert_int_eq(buf_add(&out, body, n), 0);
	http_head_init(&head, 200);
	http_head_add(&head, "X-Test", "yes");
	http_respond(r, &head, (struct bytes){ buf_data(&out), buf_len(&out) });
	buf_fini(&out);
}

static void on_serve(struct http_request *r, void *arg)
{
	(void)arg;
	served++;
	(serving ? serving : answer)(r);
}

static const struct http_handler handler = { .body_limit = on_body_limit, .serve = on_serve };

/* --- setting up ----------------------------------------------------------------------------- */

/* Every connection is counted, so that each test shows that none is forgotten. */
static struct quotas *visitors;

static struct quota_row *visitor(void)
{
	struct quota_row *row;

	quota_take(visitors, BYTES("client"), VISITOR_CONNECTION, &row);
	return row;
}

void http_setup(void)
{
	socklen_t len = sizeof(here);

	visitors = quotas_new(&(struct quota){ .most = 1000000 }, 1);
	ck_assert_ptr_nonnull(visitors);
	clock_set(now = START);
	limits = (struct http_limits){ .header_bytes = 16384,
		.header_timeout_ms = 10000,
		.body = { 30000, 1000 },
		.idle_timeout_ms = 20000 };
	body_limit = 1 << 20;
	serving = NULL;
	served = 0;
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(http_server_new(&server, loop, &limits, &handler, &served), 0);
	ck_assert_ptr_eq(http_server_loop(server), loop);
	ck_assert_ptr_eq(http_server_arg(server), &served);
	listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	here = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_eq(bind(listening, (struct sockaddr *)&here, len), 0);
	ck_assert_int_eq(listen(listening, 100), 0);
	ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&here, &len), 0);
}

static void forget(int fd)
{
	buf_fini(&heard[fd]);
	ended[fd] = false;
}

void http_teardown(void)
{
	http_server_free(server);
	loop_free(loop);
	ck_assert_uint_eq(quotas_count(visitors), 0);
	quotas_free(visitors);
	close(listening);
	for (int fd = 0; fd < FDS; fd++)
		forget(fd);
	clock_set(0);
}

/* --- clients ---------------------------------------------------------------------- */

static int keep(int fd)
{
	ck_assert_int_ge(fd, 0);
	ck_assert_int_lt(fd, FDS);
	forget(fd);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static int connect_tcp(struct tls_context *tls)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted, one = 1;
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	struct addr addr;

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&here, sizeof(here)), 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	accepted = accept4(listening, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(accepted, 0);
	setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* as listener.c does */
	addr = addr_from_sockaddr((struct sockaddr *)&peer);
	http_server_add(server, accepted, &addr, tls, NULL, visitor());
	return keep(fd);
}

int client_new(void)
{
	return connect_tcp(NULL);
}

int client_new_tls(struct tls_context *tls)
{
	return connect_tcp(tls);
}

int client_new_unix(void)
{
	struct addr addr = { .family = AF_UNIX };
	int pair[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	http_server_add(server, pair[1], &addr, NULL, NULL, visitor());
	return keep(pair[0]);
}

void say_bytes(int fd, const void *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

		if (sent < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			ck_assert_int_eq(loop_turn(loop, 1), 0);
			continue;
		}
		bytes = (const char *)bytes + sent;
		n -= (size_t)sent;
	}
}

void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

/* Takes what has come; whether anything has. */
static bool listen_to(int fd)
{
	char some[65536];
	ssize_t n = recv(fd, some, sizeof(some), 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		ended[fd] = true;
	else
		ck_assert_int_eq(buf_add(&heard[fd], some, (size_t)n), 0);
	return n > 0;
}

static const char *text_of(int fd)
{
	ck_assert_int_eq(buf_add(&heard[fd], "", 1), 0);
	heard[fd].end--;
	return buf_data(&heard[fd]);
}

const char *hear(int fd, const char *text)
{
	for (int i = 0; i < 2000 && !ended[fd] && !strstr(text_of(fd), text); i++)
		if (!listen_to(fd))
			ck_assert_int_eq(loop_turn(loop, i < 100 ? 0 : 1), 0);
	ck_assert_msg(
	    strstr(text_of(fd), text) != NULL, "not heard: \"%s\", but: \"%s\"", text, text_of(fd));
	return text_of(fd);
}

void hear_anew(int fd)
{
	buf_clear(&heard[fd]);
}

const char *hear_end(int fd)
{
	for (int i = 0; i < 2000 && !ended[fd]; i++)
		if (!listen_to(fd))
			ck_assert_int_eq(loop_turn(loop, i < 100 ? 0 : 1), 0);
	ck_assert_msg(ended[fd], "no end, but: \"%s\"", text_of(fd));
	return text_of(fd);
}

void settle(void)
{
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(loop_turn(loop, i < 15 ? 0 : 1), 0);
}

void pass_ms(unsigned ms)
{
	clock_set(now += ms);
	settle();
}

unsigned count_of(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

/* --- whole requests --------------------------------------------------------------- */

static const char *ask_bytes(const char *request, size_t n)
{
	static char response[70000];
	int fd = client_new();

	say_bytes(fd, request, n);
	shutdown(fd, SHUT_WR);
	settle();
	pass_ms(1500); /* the end that came with the request is looked for */
	snprintf(response, sizeof(response), "%s", hear_end(fd));
	close(fd);
	return response;
}

const char *ask(const char *request)
{
	return ask_bytes(request, strlen(request));
}

unsigned status_of_bytes(const char *request, size_t n)
{
	const char *response = ask_bytes(request, n);

	ck_assert_msg(
	    strncmp(response, "HTTP/1.1 ", 9) == 0 && count_of(response, "\nHTTP/1.1 ") == 0,
	    "not one answer to \"%s\": \"%s\"", request, response);
	return (unsigned)atoi(response + 9);
}

unsigned status_of(const char *request)
{
	return status_of_bytes(request, strlen(request));
}

const struct http_counters *counters(void)
{
	return http_server_counters(server);
}

/* --- programs ---------------------------------------------------------------------- */

TCase *group(Suite *suite, const char *name, void (*setup)(void), void (*teardown)(void))
{
	TCase *tc = tcase_create(name);

	if (setup)
		tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return tc;
}

int run_groups(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
