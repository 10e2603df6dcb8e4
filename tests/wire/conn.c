/*
 * tests/wire/conn.c - one client connection with deadlines.
 *
 * A non-blocking socket, plain or TLS (the certificate is not verified: the
 * tests make their own), and one buffer of bytes received. Shared by the
 * scenario player and by the hostile client. Uses POSIX and OpenSSL, and
 * nothing of the code under test, so that both cannot share a mistake.
 */
#include "wire/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	READ_SIZE = 65536,
	NARROW = 8192, /* receive buffer of a slow client */
	SIP = 512,
	SIP_MS = 10,
};

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t patient(int64_t ms)
{
	const char *patience = getenv("PATIENCE");
	double factor = patience ? atof(patience) : 1;

	return factor > 1 ? (int64_t)((double)ms * factor) : ms;
}

int address_parse(struct address *address, const char *url)
{
	const char *host, *colon;
	size_t n;

	memset(address, 0, sizeof(*address));
	if (!strncmp(url, "unix:", 5)) {
		snprintf(address->host, sizeof(address->host), "%s", url + 5);
		return 0;
	}
	host = strstr(url, "://");
	if (!host || (strncmp(url, "http", 4) != 0 && strncmp(url, "stomp", 5) != 0))
		return -EINVAL;
	address->tls = host[-1] == 's';
	host += 3;
	n = strcspn(host, "/\r\n ");
	colon = memrchr(host, ':', n);
	if (!colon || (size_t)(colon - host) >= sizeof(address->host))
		return -EINVAL;
	snprintf(address->port, sizeof(address->port), "%.*s",
	    (int)(n - (size_t)(colon - host) - 1), colon + 1);
	if (*host == '[' && colon[-1] == ']')
		snprintf(address->host, sizeof(address->host), "%.*s", (int)(colon - host - 2),
		    host + 1);
	else
		snprintf(address->host, sizeof(address->host), "%.*s", (int)(colon - host), host);
	return 0;
}

void conn_init(struct conn *c)
{
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

/* > 0 when ready, -ETIMEDOUT, or -errno. */
static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = deadline - now_ms();
	int n;

	do
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? p.revents : -ETIMEDOUT;
}

static int connect_to(const struct sockaddr *sa, socklen_t len, int narrow, int64_t deadline)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, err = 0;
	socklen_t size = sizeof(err);

	if (fd < 0)
		return -errno;
	if (sa->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (narrow)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
	if (connect(fd, sa, len) < 0 && errno != EINPROGRESS)
		err = errno;
	else if (wait_for(fd, POLLOUT, deadline) < 0)
		err = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
	if (!err)
		return fd;
	close(fd);
	return -err;
}

static int connect_unix(const char *path, int narrow, int64_t deadline)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path) + 1);
	return connect_to((struct sockaddr *)&un, sizeof(un), narrow, deadline);
}

static int connect_tcp(const char *host, const char *port, int narrow, int64_t deadline)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list;
	int fd;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		return -EADDRNOTAVAIL;
	fd = connect_to(list->ai_addr, list->ai_addrlen, narrow, deadline);
	freeaddrinfo(list);
	return fd;
}

/* What to poll for after an incomplete TLS call; -errno when it failed. */
static int tls_wants(struct conn *c, int result)
{
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return POLLIN;
	case SSL_ERROR_WANT_WRITE:
		return POLLOUT;
	default:
		return -ECONNRESET;
	}
}

int conn_start_tls(struct conn *c, int64_t deadline)
{
	static SSL_CTX *ctx;
	int n, events;

	if (!ctx)
		ctx = SSL_CTX_new(TLS_client_method());
	c->ssl = ctx ? SSL_new(ctx) : NULL;
	if (!c->ssl)
		return -ENOMEM;
	SSL_set_fd(c->ssl, c->fd);
	while ((n = SSL_connect(c->ssl)) != 1) {
		events = tls_wants(c, n);
		if (events < 0)
			return events;
		n = wait_for(c->fd, (short)events, deadline);
		if (n < 0)
			return n;
	}
	return 0;
}

int conn_open(struct conn *c, const struct address *to, int64_t deadline)
{
	int err = 0, narrow = c->rate ? NARROW : 0;

	conn_close(c);
	c->len = c->at = 0;
	c->received = c->sent = 0;
	c->paced = 0;
	c->paced_since = now_ms();
	c->fd = to->host[0] == '/' ? connect_unix(to->host, narrow, deadline)
	                           : connect_tcp(to->host, to->port, narrow, deadline);
	if (c->fd < 0) {
		err = c->fd;
		c->fd = -1;
		return err;
	}
	if (to->tls)
		err = conn_start_tls(c, deadline);
	if (err)
		conn_close(c);
	else
		c->state = CONN_OPEN;
	return err;
}

static void make_room(struct conn *c)
{
	if (c->at && c->len)
		memmove(c->in, c->in + c->at, c->len);
	c->at = 0;
	if (c->cap - c->len >= READ_SIZE)
		return;
	c->cap = c->cap ? c->cap * 2 : (size_t)2 * READ_SIZE;
	c->in = realloc(c->in, c->cap);
	if (!c->in)
		abort();
}

/* How much may be read now; what was not read in its time is not made up for. */
static size_t allowance(struct conn *c)
{
	uint64_t due;

	if (!c->rate)
		return READ_SIZE;
	due = (uint64_t)(now_ms() - c->paced_since) * c->rate / 1000;
	if (due > c->paced + NARROW) {
		c->paced_since = now_ms();
		c->paced = 0;
		due = NARROW;
	}
	due -= c->paced < due ? c->paced : due;
	if (due < SIP) {
		usleep(SIP_MS * 1000);
		return 0;
	}
	return due < READ_SIZE ? due : READ_SIZE;
}

/* One read: bytes, 0 at EOF, -EAGAIN, -errno. */
static int read_some(struct conn *c)
{
	size_t most = allowance(c);
	ssize_t n;

	if (most == 0)
		return -EAGAIN;
	make_room(c);
	if (c->ssl) {
		n = SSL_read(c->ssl, c->in + c->len, (int)most);
		if (n <= 0 && SSL_get_error(c->ssl, (int)n) == SSL_ERROR_ZERO_RETURN)
			n = 0;
		else if (n <= 0)
			n = tls_wants(c, (int)n) < 0 ? -ECONNRESET : -EAGAIN;
	} else {
		n = recv(c->fd, c->in + c->len, most, 0);
		if (n < 0)
			n = errno == EINTR ? -EAGAIN : -errno;
	}
	if (n > 0) {
		c->len += (size_t)n;
		c->received += (uint64_t)n;
		c->paced += (uint64_t)n;
	} else if (n == 0) {
		c->state = CONN_EOF;
	} else if (n != -EAGAIN) {
		c->state = CONN_RESET;
	}
	return (int)n;
}

int conn_fill(struct conn *c, int64_t deadline)
{
	int n;

	if (c->state == CONN_EOF)
		return 0;
	if (c->state != CONN_OPEN)
		return -ECONNRESET;
	while ((n = read_some(c)) == -EAGAIN) {
		n = wait_for(c->fd, POLLIN, deadline);
		if (n < 0)
			return n;
	}
	return n;
}

int conn_need(struct conn *c, size_t n, int64_t deadline)
{
	int r;

	while (c->len < n) {
		r = conn_fill(c, deadline);
		if (r <= 0)
			return r ? r : -ENODATA;
	}
	return 0;
}

static ssize_t write_some(struct conn *c, const char *p, size_t n)
{
	ssize_t sent;

	if (c->ssl) {
		sent = SSL_write(c->ssl, p, (int)(n > 1 << 20 ? 1 << 20 : n));
		if (sent <= 0)
			return tls_wants(c, (int)sent) < 0 ? -ECONNRESET : -EAGAIN;
		return sent;
	}
	sent = send(c->fd, p, n, MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

int conn_send(struct conn *c, const void *bytes, size_t n, int64_t deadline)
{
	const char *p = bytes;
	ssize_t sent;
	int r;

	while (n) {
		if (c->state != CONN_OPEN && c->state != CONN_EOF)
			return -ECONNRESET;
		sent = write_some(c, p, n);
		if (sent >= 0) {
			p += sent;
			n -= (size_t)sent;
			c->sent += (uint64_t)sent;
			continue;
		}
		if (sent != -EAGAIN)
			return (int)sent;
		r = wait_for(c->fd, c->state == CONN_OPEN ? POLLIN | POLLOUT : POLLOUT, deadline);
		if (r < 0)
			return r;
		if (r & POLLIN && c->state == CONN_OPEN)
			read_some(c);
	}
	return 0;
}

void conn_consume(struct conn *c, size_t n)
{
	c->at += n;
	c->len -= n;
}

void conn_shutdown(struct conn *c)
{
	if (c->ssl)
		SSL_shutdown(c->ssl);
	else if (c->fd >= 0)
		shutdown(c->fd, SHUT_WR);
}

void conn_close(struct conn *c)
{
	SSL_free(c->ssl);
	c->ssl = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->state = CONN_CLOSED;
}

void conn_abort(struct conn *c)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (c->fd >= 0)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn_close(c);
}

long conn_find(const struct conn *c, const char *needle, size_t n)
{
	const unsigned char *p = c->len ? memmem(conn_bytes(c), c->len, needle, n) : NULL;

	return p ? p - conn_bytes(c) : -1;
}
