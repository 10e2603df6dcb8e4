/*
 * fakes/fake_endpoint.c - see fake_endpoint.h.
 */
#include "fakes/fake_endpoint.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

struct fake_endpoint fake;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	size_t len = strlen(fake.told);
	va_list ap;

	va_start(ap, format);
	vsnprintf(fake.told + len, sizeof(fake.told) - len, format, ap);
	va_end(ap);
}

/* --- the application -------------------------------------------------------------- */

static void on_open(struct session *s)
{
	note("[open]");
	if (fake.on_open)
		fake.on_open(s);
}

static void on_message(struct session *s, const char *data, size_t n, bool binary)
{
	(void)s;
	note("[%s %.*s]", binary ? "binary" : "message", n < 100 ? (int)n : 100, data);
}

static void on_writable(struct session *s)
{
	(void)s;
	note("[writable]");
}

static void on_close(struct session *s, unsigned code, const char *reason)
{
	(void)s;
	note("[close %u %s]", code, reason);
}

static void on_free(struct session *s)
{
	if (fake.last == s)
		fake.last = NULL;
	mem_free(s);
}

static const struct session_ops app = {
	.open = on_open,
	.message = on_message,
	.writable = on_writable,
	.close = on_close,
	.free = on_free,
};

static unsigned on_accept(const struct transport_request *t, struct transport_accept *accepted)
{
	struct session *s;

	if (fake.refuse_with)
		return fake.refuse_with;
	s = mem_zalloc(sizeof(*s));
	ck_assert_ptr_nonnull(s);
	session_init(s, &fake.reactor.sessions, &fake.base.limits, &app, t->transport->name,
	    t->transport->is_raw);
	s->network.is_short = fake.is_short;
	accepted->session = fake.last = s;
	accepted->held = fake.hold;
	if (fake.hold)
		session_hold(s);
	return 0;
}

static const struct endpoint_ops endpoint_ops = { .accept = on_accept };

/* --- HTTP ------------------------------------------------------------------------- */

static size_t body_limit(struct http_request *r, void *arg)
{
	(void)r, (void)arg;
	return fake.base.max_body_bytes;
}

static void serve(struct http_request *r, void *arg)
{
	struct bytes path = http_request_path(r);
	const char *slash = memchr(path.p + 1, '/', path.n - 1);
	struct transport_request t = {
		.http = r, .endpoint = &fake.base, .reactor = &fake.reactor
	};

	(void)arg;
	ck_assert_ptr_nonnull(slash);
	t.session_id = (struct bytes){ path.p + 1, (size_t)(slash - path.p - 1) };
	t.transport =
	    transport_find((struct bytes){ slash + 1, (size_t)(path.p + path.n - slash - 1) });
	if (!t.transport)
		t.transport = &websocket_raw_transport;
	t.transport->serve(&t);
}

static const struct http_limits http_limits = { .header_bytes = 16384,
	.header_timeout_ms = 10000,
	.body = { 10000, 1000 },
	.idle_timeout_ms = 10000 };
static const struct http_handler http_handler = { .body_limit = body_limit, .serve = serve };

/* --- life ------------------------------------------------------------------------- */

static void fill_endpoint(struct endpoint *e)
{
	atomic_init(&e->refs, 1);
	e->prefix = "";
	e->ops = &endpoint_ops;
	e->table = session_table_new();
	ck_assert_ptr_nonnull(e->table);
	e->limits = (struct session_limits){ .heartbeat_delay_ms = 25000,
		.disconnect_delay_ms = 60000,
		.send_timeout_ms = 10000,
		.send_buffer_bytes = 65536,
		.receive_buffer_bytes = 65536 };
	e->origins.any = true;
	e->response_limit_bytes = 4096;
	e->whole_streams = NETWORK_NEVER;
	e->max_message_bytes = 65536;
	e->max_body_bytes = 65536;
	e->ws = e->ws_raw = (struct ws_conn_limits){ 65536, 16, 0 };
	e->max_frame_messages = 1024;
	e->pace = (struct pace){ 30000, 1000 };
	e->close_timeout_ms = 60000;
}

static void listen_somewhere(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fake.listener, 0);
	ck_assert_int_eq(bind(fake.listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fake.listener, 16), 0);
	ck_assert_int_eq(getsockname(fake.listener, (struct sockaddr *)&sa, &len), 0);
	fake.port = ntohs(sa.sin_port);
}

void fake_endpoint_up(void)
{
	memset(&fake, 0, sizeof(fake));
	ck_assert_int_eq(loop_new(&fake.loop), 0);
	transport_reactor_init(&fake.reactor, fake.loop);
	transport_reactor_set_current(&fake.reactor);
	ck_assert_int_eq(
	    http_server_new(&fake.reactor.http, fake.loop, &http_limits, &http_handler, &fake), 0);
	fill_endpoint(&fake.base);
	listen_somewhere();
}

void fake_endpoint_down(void)
{
	session_reactor_abort(&fake.reactor.sessions);
	http_server_free(fake.reactor.http);
	fake.reactor.http = NULL;
	transport_reactor_abort(&fake.reactor);
	fake_turns(3);
	ck_assert(list_empty(&fake.reactor.sessions.sessions));
	ck_assert(list_empty(&fake.reactor.receivers));
	ck_assert_uint_eq(fake.reactor.sessions.counters.receivers, 0);
	transport_reactor_set_current(NULL);
	transport_reactor_fini(&fake.reactor);
	loop_free(fake.loop);
	ck_assert_uint_eq(atomic_load(&fake.base.refs), 1); /* who held it has let go */
	session_table_free(fake.base.table);
	close(fake.listener);
}

void fake_turns(unsigned n)
{
	while (n-- > 0)
		ck_assert_int_eq(loop_turn(fake.loop, 0), 0);
}

void fake_connect(struct raw_client *c)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	struct addr peer;
	int fd;

	raw_open(c, fake.port);
	fd = accept4(fake.listener, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	peer = addr_from_sockaddr((struct sockaddr *)&sa);
	http_server_add(fake.reactor.http, fd, &peer, NULL, NULL, NULL);
	fake_turns(2);
}

/* --- waiting ---------------------------------------------------------------------- */

#define TURNS_MAX 800 /* of up to 10 ms */

void fake_expect(struct raw_client *c, const char *text)
{
	for (int i = 0; i < TURNS_MAX && !raw_wait(c, text, 0); i++) {
		if (i == TURNS_MAX - 1 || c->ended)
			raw_expect(c, text); /* which fails, and says so */
		ck_assert_int_eq(loop_turn(fake.loop, 10), 0);
	}
}

void fake_expect_next(struct raw_client *c, const char *text)
{
	for (int i = 0; i < TURNS_MAX && !raw_has(c, strlen(text)) && !c->ended; i++)
		ck_assert_int_eq(loop_turn(fake.loop, 10), 0);
	raw_expect_next(c, text);
}

void fake_expect_end(struct raw_client *c)
{
	for (int i = 0; i < TURNS_MAX && !c->ended; i++) {
		raw_has(c, SIZE_MAX);
		ck_assert_int_eq(loop_turn(fake.loop, 10), 0);
	}
	ck_assert(c->ended);
}

void fake_expect_told(const char *text)
{
	for (int i = 0; i < TURNS_MAX && strlen(fake.told) < strlen(text); i++)
		ck_assert_int_eq(loop_turn(fake.loop, 10), 0);
	ck_assert_str_eq(fake.told, text);
	fake.told[0] = '\0';
}

int fake_send(struct session *s, const char *text)
{
	struct message *m = message_new(text, strlen(text), false, false);
	int err;

	ck_assert_ptr_nonnull(m);
	err = session_send(s, m);
	message_unref(m);
	return err;
}
