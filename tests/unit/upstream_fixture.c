/*
 * tests/unit/upstream_fixture.c - a session, its backend, and what is between them; see upstream_fixture.h.
 */
#include "upstream_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/session_notes.h"
#include "ws/ws_frame.h"
#include "ws/ws_handshake.h"

enum { MESSAGE_MAX = 3000, NARROW = 4096 };

struct sockjs_session session;
struct backend backend;
struct process *here;
uint64_t now;
struct upstream_settings configured;
bool knows_backend;

/* --- messages -------------------------------------------------------------------------------- */

/* The ith of whoever says it, `from`; its length. */
static size_t compose(char from, unsigned i, char text[MESSAGE_MAX])
{
	size_t n = (size_t)snprintf(text, MESSAGE_MAX, "%c%u:", from, i),
	       len = n + (i * 2654435761u >> 16) % (i % 4 == 0 ? MESSAGE_MAX - n : 40);

	for (; n < len; n++)
		text[n] = (char)('a' + (i + n / 7 + n % 5) % 26);
	return len;
}

static void must_be(char from, unsigned i, const char *data, size_t len)
{
	char text[MESSAGE_MAX];
	size_t n = compose(from, i, text);

	ck_assert_msg(len == n && memcmp(data, text, n) == 0, "message %u of %c is \"%.*s\"", i, from,
	    len < 40 ? (int)len : 40, data);
}

/* --- the session ------------------------------------------------------------------------------ */

void sockjs_set_user(struct sockjs_session *s, void *user)
{
	s->conn = user;
}

int sockjs_accept(struct sockjs_session *s, const char *subprotocol)
{
	(void)subprotocol;
	if (s->state != WAITS)
		return -EALREADY;
	s->state = ACCEPTED;
	return 0;
}

int sockjs_add_header(struct sockjs_session *s, const char *name, const char *value)
{
	(void)s, (void)name, (void)value;
	return -ENOTSUP;
}

int sockjs_refuse(struct sockjs_session *s, unsigned status, unsigned code, const char *reason)
{
	(void)code, (void)reason;
	if (s->state != WAITS)
		return -EALREADY;
	s->state = REFUSED;
	s->status = status;
	return 0;
}

void sockjs_note(struct sockjs_session *s, enum session_event_kind kind, unsigned code)
{
	(void)s, (void)kind, (void)code;
}

void sockjs_blame(struct sockjs_session *s, enum session_cause cause)
{
	(void)s, (void)cause;
}

void sockjs_set_retry_after(struct sockjs_session *s, unsigned seconds)
{
	(void)s, (void)seconds;
}

void sockjs_close(struct sockjs_session *s, unsigned code, const char *reason)
{
	(void)reason;
	s->state = CLOSED;
	s->code = code;
}

/* As session_send() does: half of the buffer is full. */
int sockjs_send(struct sockjs_session *s, const void *text, size_t len)
{
	if (s->state != OPEN)
		return -EPIPE;
	must_be('b', s->heard++, text, len);
	s->buffered += len;
	s->is_full = s->buffered > configured.client_buffer_bytes / 2;
	return s->is_full ? SOCKJS_FULL : 0;
}

int sockjs_send_binary(struct sockjs_session *s, const void *data, size_t len)
{
	(void)s, (void)data, (void)len;
	return -ENOTSUP;
}

void sockjs_pause(struct sockjs_session *s)
{
	s->is_paused = true;
}

void sockjs_resume(struct sockjs_session *s)
{
	s->is_paused = false;
}

int sockjs_set_timer(struct sockjs_session *s, unsigned ms)
{
	s->timer = ms ? now + ms : 0;
	return 0;
}

size_t sockjs_buffered(const struct sockjs_session *s)
{
	return s->buffered;
}

int sockjs_delivery(const struct sockjs_session *s, struct sockjs_delivery *d)
{
	*d = (struct sockjs_delivery){ s->heard, s->heard, 0, 0 };
	return 0;
}

bool session_says(void)
{
	char text[MESSAGE_MAX];
	struct sockjs_message m = { .data = text };

	if (session.state != OPEN || session.is_paused || !session.conn)
		return false;
	m.len = compose('c', session.said++, text);
	upstream_conn_send(session.conn, &m);
	return true;
}

void session_takes(size_t n)
{
	session.buffered -= n < session.buffered ? n : session.buffered;
	if (!session.is_full || session.buffered > configured.client_buffer_bytes / 4)
		return;
	session.is_full = false;
	if (session.conn)
		upstream_conn_client_writable(session.conn);
}

void session_leaves(unsigned code, const char *reason)
{
	struct upstream_conn *uc = session.conn;

	session.conn = NULL;
	session.state = CLOSED;
	if (uc)
		upstream_conn_client_closed(uc, code, reason);
}

/* --- the backend's codec --------------------------------------------------------------------------- */

static void on_message(struct ws_conn *c, enum ws_opcode type, char *data, size_t n)
{
	(void)c;
	ck_assert_int_eq(type, WS_TEXT);
	must_be('c', backend.heard++, data, n);
}

static void on_write(struct ws_conn *c, const void *frame, size_t n)
{
	(void)c;
	backend.pings += (*(const uint8_t *)frame & 0x0f) == WS_PONG;
	ck_assert_int_eq(buf_add(&backend.out, frame, n), 0);
}

static void on_close(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	(void)c;
	ck_assert_msg(!failed, "the gateway broke the rules: %.*s", (int)n, reason);
	backend.code = code;
	memcpy(backend.reason, n ? reason : "", n);
	backend.reason[n] = '\0';
}

static struct ws_deflate *on_deflate(struct ws_conn *c, bool own)
{
	(void)c, (void)own;
	if (!backend.codec)
		backend.codec = ws_deflate_new();
	return backend.codec;
}

static const struct ws_conn_ops ops = {
	.message = on_message,
	.write = on_write,
	.close = on_close,
	.deflate = on_deflate,
};

/* --- the backend's connection ------------------------------------------------------------------------ */

static void hang_up(void)
{
	if (backend.fd >= 0)
		close(backend.fd);
	backend.fd = -1;
	backend.is_open = false;
	buf_clear(&backend.request);
	buf_clear(&backend.out);
	ws_conn_fini(&backend.conn);
	ws_deflate_free(backend.codec);
	backend.codec = NULL;
	memset(&backend.conn, 0, sizeof(backend.conn));
}

static void open_conn(bool deflates)
{
	static const struct ws_conn_limits limits = { 65536, 100, 0 };
	struct ws_deflate_params params = {
		.agreed = deflates, .server_max_window_bits = 15, .client_max_window_bits = 15 };

	backend.is_open = true;
	backend.accepted++;
	ws_conn_init(&backend.conn, WS_SERVER, &ops, &limits);
	if (deflates)
		ws_conn_use_deflate(&backend.conn, &params);
}

static void answer(void)
{
	static const char name[] = "Sec-WebSocket-Key: ";
	char accept[WS_ACCEPT_LEN + 1];
	const char *key = strstr(buf_data(&backend.request), name) + strlen(name);
	bool deflates = strstr(buf_data(&backend.request), "permessage-deflate") != NULL;

	ck_assert_int_eq(ws_accept_key(accept, (struct bytes){ key, strcspn(key, "\r\n") }), 0);
	buf_printf(&backend.out,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n%s\r\n",
	    accept, deflates ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
	open_conn(deflates);
}

static void take_request(const char *p, size_t n)
{
	buf_add(&backend.request, p, n);
	buf_add(&backend.request, "", 1);
	if (strstr(buf_data(&backend.request), "\r\n\r\n") && !backend.is_mute)
		answer();
	else
		buf_cut(&backend.request, buf_len(&backend.request) - 1);
}

static void take(char *p, size_t n)
{
	if (!backend.is_open)
		take_request(p, n);
	else
		ck_assert_int_eq(ws_conn_feed(&backend.conn, p, n, NULL), (ssize_t)n);
}

/* The one that came last counts: what was begun in a process that has gone is begun anew in the next. */
static void take_connection(void)
{
	int fd = accept4(backend.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	hang_up();
	backend.fd = fd;
}

void backend_reads(size_t most)
{
	char octets[16384];
	ssize_t n;

	take_connection();
	if (backend.fd < 0)
		return;
	n = recv(backend.fd, octets, most < sizeof(octets) ? most : sizeof(octets), 0);
	if (n > 0)
		take(octets, (size_t)n);
	else if (n == 0)
		backend.has_ended = backend.is_open;
}

void backend_writes(size_t most)
{
	size_t n = buf_len(&backend.out);
	ssize_t written;

	if (backend.fd < 0 || n == 0)
		return;
	written = send(backend.fd, buf_data(&backend.out), n < most ? n : most, MSG_NOSIGNAL);
	if (written > 0)
		buf_consume(&backend.out, (size_t)written);
}

void backend_says(void)
{
	static const struct ws_deflate_config config = { true, true, 15, 6, 16 };
	char text[MESSAGE_MAX], small[MESSAGE_MAX + WS_DEFLATE_ROOM], header[WS_HEADER_MAX];
	size_t n = compose('b', backend.said, text);
	struct ws_deflate_how how;
	ssize_t len = 0;

	if (!backend.is_open || backend.has_closed)
		return;
	backend.said++;
	if (n >= config.min_bytes && ws_conn_deflates(&backend.conn, &config, false, &how))
		len = ws_deflate(&how, text, n, small);
	ck_assert_int_ge(len, 0);
	buf_add(&backend.out, header,
	    ws_frame_header(header, true, len ? WS_RSV1 : 0, WS_TEXT, len ? (size_t)len : n, NULL));
	buf_add(&backend.out, len ? small : text, len ? (size_t)len : n);
}

void backend_closes(unsigned code, const char *reason)
{
	backend.has_closed = true;
	ws_conn_close(&backend.conn, code, reason, strlen(reason));
}

void backend_dies(void)
{
	struct linger at_once = { 1, 0 };

	setsockopt(backend.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	hang_up();
}

/* It takes little at a time, so that what is said to it waits. */
static void listen_here(char url[64])
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int narrow = NARROW;

	backend = (struct backend){ .fd = -1 };
	backend.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(backend.listener, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
	ck_assert_int_eq(bind(backend.listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(backend.listener, 16), 0);
	ck_assert_int_eq(getsockname(backend.listener, (struct sockaddr *)&sa, &len), 0);
	snprintf(url, 64, "ws://127.0.0.1:%u/", ntohs(sa.sin_port));
}

/* --- the gateway ------------------------------------------------------------------------------------- */

static char url[64];

struct process *process_new(void)
{
	static const struct resolver_options options = { .timeout_ms = 100, .tries = 1, .conf = "/dev/null" };
	struct process *p = calloc(1, sizeof(*p));

	ck_assert_int_eq(loop_new(&p->loop), 0);
	loop_enter(p->loop);
	p->settings = configured;
	p->settings.balancer.targets = p->targets;
	p->settings.balancer.count = 2;
	strays_init(&p->settings.strays);
	ck_assert_int_eq(target_init(&p->targets[0], "ws://127.0.0.1:1/"), 0);
	ck_assert_int_eq(target_init(&p->targets[1], knows_backend ? url : "ws://127.0.0.1:2/"), 0);
	for (int i = 0; i < 2; i++) {
		p->targets[i].own_weight = (unsigned)i;
		balancer_set_weight(&p->settings.balancer, &p->targets[i], (unsigned)i);
	}
	ck_assert_int_eq(upstream_reactor_init(&p->reactor, &p->settings), 0);
	ck_assert_int_eq(resolver_new(&p->reactor.resolver, p->loop, &options), 0);
	return p;
}

void process_free(struct process *p)
{
	upstream_reactor_fini(&p->reactor);
	loop_free(p->loop);
	strays_fini(&p->settings.strays);
	target_fini(&p->targets[0]);
	target_fini(&p->targets[1]);
	free(p);
}

void world_begin(void)
{
	clock_set(now = 1000000);
	listen_here(url);
	session = (struct sockjs_session){ .state = WAITS };
	knows_backend = true;
	configured = (struct upstream_settings){
		.balancer = { .rest_ms = 1000, .rest_max_ms = 10000 },
		.limits = { 65536, 100, 0 },
		.deflate = { false, true, 15, 6, 16 },
		.send_buffer_bytes = 16384,
		.client_buffer_bytes = 8192,
		.connect_timeout_ms = 5000,
		.close_timeout_ms = 1000,
	};
	here = process_new();
}

void world_end(void)
{
	process_free(here);
	hang_up();
	buf_fini(&backend.request);
	buf_fini(&backend.out);
	close(backend.listener);
	clock_set(0);
}

void session_begins(void)
{
	struct upstream_request *r = upstream_request_new();

	ck_assert_ptr_nonnull(r);
	r->query = mem_strdup("");
	r->may_open_early = true;
	ck_assert_int_eq(upstream_request_header(r, "X-Test", "yes"), 0);
	session.conn = upstream_conn_new(&here->reactor, &session, r);
	ck_assert_ptr_nonnull(session.conn);
}

static void open_if_accepted(void)
{
	if (session.state != ACCEPTED)
		return;
	session.state = OPEN;
	if (session.conn)
		upstream_conn_client_open(session.conn);
}

void turn(unsigned ms)
{
	clock_set(now += ms);
	ck_assert_int_eq(loop_turn(here->loop, ms ? 0 : 1), 0);
	open_if_accepted();
	if (session.timer && session.timer <= now) {
		session.timer = 0;
		if (session.conn)
			upstream_conn_client_writable(session.conn);
	}
}

/* --- from process to process ---------------------------------------------------------------------------- */

void settle(void)
{
	while (loop_settle(here->loop))
		;
}

void write_down(struct snapshot *s)
{
	settle();
	snapshot_init_write(s);
	upstream_reactor_snapshot(&here->reactor, s);
	ck_assert_int_eq(upstream_conn_snapshot(&session.conn, s, NULL, &session), 0);
	ck_assert_int_eq(snapshot_error(s), 0);
}

static int read_session(struct bytes octets, const int *fds, size_t count, int *without_session)
{
	struct upstream_conn *uc = NULL;
	struct snapshot read;
	int err = -EPROTO;

	here = process_new();
	ck_assert_int_eq(snapshot_init_read(&read, octets, fds, count), 0);
	upstream_reactor_snapshot(&here->reactor, &read);
	*without_session = snapshot_error(&read);
	if (*without_session == 0)
		err = upstream_conn_snapshot(&uc, &read, &here->reactor, &session);
	session.conn = uc;
	if (err == 0)
		ck_assert_uint_eq(snapshot_left(&read), 0);
	snapshot_fini(&read);
	return err;
}

int read_up(struct bytes octets, const struct snapshot *of, int *without_session)
{
	int *fds = calloc(of->fd_count + 1, sizeof(*fds)), err;

	for (size_t i = 0; i < of->fd_count; i++)
		fds[i] = fcntl(of->fds[i], F_DUPFD_CLOEXEC, 0);
	if (here)
		process_free(here);
	session.timer = 0; /* is its application's */
	err = read_session(octets, fds, of->fd_count, without_session);
	free(fds);
	return err;
}

void move(void)
{
	struct snapshot written;
	int without;

	write_down(&written);
	ck_assert_int_eq(
	    read_up((struct bytes){ buf_data(&written.out), buf_len(&written.out) }, &written, &without), 0);
	ck_assert_int_eq(without, 0);
	snapshot_fini(&written);
}
