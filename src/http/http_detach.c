/*
 * http/http_detach.c - connections that leave libmicrohttpd; see http_detach.h.
 */
#include "http/http_detach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* for tcpi_bytes_received, which <netinet/tcp.h> lacks */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/http_private.h"

/* tcpi_state; the name is in <netinet/tcp.h>, which cannot be included beside <linux/tcp.h>. */
#define CLOSE_WAIT 8
#define MAX_HELD   1024 /* each resume walks all of them */

/* --- how much has libmicrohttpd read? ----------------------------------- */

/* Bytes taken out of the kernel's receive buffer since the connection began; 0 if it will not say.
 * Bytes that arrive between two questions must not be counted on one side only, so the first is
 * asked again. */
static uint64_t tcp_read_so_far(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int unread = 0, before;

	memset(&info, 0, sizeof(info));
	if (ioctl(fd, SIOCINQ, &unread) < 0)
		return 0;
	do {
		before = unread;
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
		    ioctl(fd, SIOCINQ, &unread) < 0)
			return 0;
	} while (unread != before); /* it ends: the receive window does */
	/* A FIN counts as an octet received, but is never unread */
	if (info.tcpi_state == CLOSE_WAIT)
		info.tcpi_bytes_received--;
	return info.tcpi_bytes_received - (uint64_t)unread;
}

bool http_has_said_nothing(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int queued = 0;

	memset(&info, 0, sizeof(info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       ioctl(fd, SIOCOUTQ, &queued) == 0 &&
	       info.tcpi_bytes_acked + (uint64_t)queued <= 1; /* the handshake may count as one */
}

uint64_t http_surplus(const struct http_request *r)
{
	const struct http_conn *conn = r->conn;
	uint64_t known = conn->consumed + r->header_bytes + r->body_received, seen;

	if (conn->uncounted || r->chunked)
		return 1;
	/* With a relay, what waits in the pair counts too: it would be lost with the pair. */
	seen =
	    conn->relay ? http_relay_received(conn->relay) : tcp_read_so_far(conn->fd) - conn->base;
	return seen > known ? seen - known : 0;
}

bool http_is_followed(const struct http_request *r)
{
	return http_surplus(r) > 0;
}

/* --- leaving ------------------------------------------------------------ */

int http_take(struct http_request *r, struct stream *out)
{
	struct http_conn *conn = r->conn;
	int fd;

	if (conn->relay) {
		http_relay_take(conn->relay, out);
		conn->relay = NULL;
	} else {
		fd = fcntl(conn->fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return -errno;
		stream_init(out, conn->server->loop, fd, NULL);
		out->visitor = conn->visitor;
		conn->visitor = NULL;
	}
	timer_stop(loop_timers(conn->server->loop), &conn->timer);
	loop_unwatch(conn->server->loop, &conn->watch);
	conn->taken = true;
	r->state = REQUEST_TAKEN;
	conn->server->counters.detached++;
	return 0;
}

int http_detach_stream(struct http_request *r, struct http_detached *out)
{
	out->peer = r->conn->peer;
	out->keep_alive = http_request_keeps_alive(r) && http_surplus(r) == 0;
	out->bare = false;
	http_again_remember(r, out);
	return http_take(r, &out->stream);
}

int http_detach_poll(
    struct http_request *r, const struct http_head *head, struct http_detached *out)
{
	struct http_server *server = r->conn->server;

	if (http_surplus(r) > 0 && server->counters.held < MAX_HELD)
		return http_hold(r, head, out);
	return http_detach_stream(r, out);
}

void http_give_back(struct http_server *server, struct stream *s, const struct addr *peer,
    const void *door, const struct http_guess *guess, struct bytes early)
{
	struct http_conn *conn = http_conn_new(server, peer);
	int fd;

	if (!conn) {
		stream_close(s);
		return;
	}
	conn->door = door;
	if (guess)
		conn->guess = *guess;
	http_conn_wait_for_next(conn);
	if (stream_is_tls(s) || peer->family == AF_UNIX) {
		conn->is_tls = stream_is_tls(s);
		if (http_relay_give_back(conn, s, early) < 0)
			http_conn_end(conn);
		return;
	}
	/* The stream closes its descriptor at the end of the turn; libmicrohttpd gets a copy now.
	 */
	fd = fcntl(s->watch.fd, F_DUPFD_CLOEXEC, 3);
	conn->visitor = s->visitor;
	s->visitor = NULL;
	stream_close(s);
	if (fd < 0) {
		http_conn_end(conn);
		return;
	}
	conn->base = tcp_read_so_far(fd);
	http_conn_wait_for_first_bytes(conn, fd);
}

void http_server_give_back(struct http_server *server, struct stream *s, const struct addr *peer)
{
	http_give_back(server, s, peer, NULL, NULL, (struct bytes){ 0 });
}

void http_server_give_back_at(
    struct http_server *server, struct stream *s, const struct addr *peer, const void *door)
{
	http_give_back(server, s, peer, door, NULL, (struct bytes){ 0 });
}

/* --- self-test ---------------------------------------------------------- */

struct self_test {
	int fd;
	bool announced;
};

static void test_connection(
    void *arg, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct self_test *test = arg;

	(void)mhd, (void)context, (void)what;
	test->announced = true;
}

static enum MHD_Result test_request(void *arg, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size, void **ctx)
{
	struct self_test *test = arg;

	(void)url, (void)method, (void)version, (void)upload, (void)upload_size, (void)ctx;
	test->fd =
	    fcntl(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
	        F_DUPFD_CLOEXEC, 3);
	return MHD_NO;
}

static void test_log(void *arg, const char *format, va_list ap)
{
	(void)arg, (void)format, (void)ap;
}

/* Is a connection announced at once? It is detached from a daemon that then closes its copy; do
 * bytes still pass both ways? */
static bool detached_survives(int pair[2])
{
	struct self_test test = { -1, false };
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct MHD_Daemon *mhd = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET | HTTP_NO_THREAD_SAFETY, 0,
	    NULL, NULL, test_request, &test, MHD_OPTION_EXTERNAL_LOGGER, test_log, NULL,
	    MHD_OPTION_NOTIFY_CONNECTION, test_connection, &test, MHD_OPTION_END);
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	char c;
	bool ok;

	if (!mhd)
		return false;
	ok = write(pair[0], request, sizeof(request) - 1) == (ssize_t)sizeof(request) - 1 &&
	     MHD_add_connection(mhd, pair[1], (struct sockaddr *)&sa, sizeof(sa)) == MHD_YES &&
	     test.announced;
	pair[1] = -1; /* libmicrohttpd's now */
	for (int i = 0; ok && i < 4; i++)
		MHD_run(mhd);
	MHD_stop_daemon(mhd);
	ok = ok && test.fd >= 0 && write(test.fd, "a", 1) == 1 && read(pair[0], &c, 1) == 1 &&
	     c == 'a' && write(pair[0], "b", 1) == 1 && read(test.fd, &c, 1) == 1 && c == 'b';
	if (test.fd >= 0)
		close(test.fd);
	return ok;
}

int http_detach_self_test(char *why, size_t why_size)
{
	int pair[2];
	bool ok;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		snprintf(why, why_size, "socketpair: %s", strerror(errno));
		return -errno;
	}
	ok = detached_survives(pair);
	close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	if (ok)
		return 0;
	snprintf(why, why_size,
	    "libmicrohttpd %s does not announce a connection at once or keep a detached one open; "
	    "use a version from 0.9.75 to 1.0",
	    MHD_get_version());
	return -ENOTSUP;
}
