/*
 * bench/floor_wire.c - what carries the floor's octets.
 *
 * TLS is OpenSSL with its defaults on the descriptor itself, which shakes hands when it is first
 * read. It reads ahead, for one recv for each readiness, and has no cache of sessions: who
 * comes again does so by a ticket. Certificates are looked at as little as anywhere.
 */
#include "floor_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static SSL_CTX *context;      /* NULL: no TLS */
static SSL *tls[CONNECTIONS]; /* by descriptor */

void die(const char *what)
{
	perror(what);
	exit(1);
}

/* --- listening ---------------------------------------------------------------------- */

static int listen_at_port(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	socklen_t len = sizeof(a);

	a.sin_port = htons((uint16_t)(port ? atoi(port) : 0));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* is inherited */
	if (bind(listener, (struct sockaddr *)&a, len) < 0 || listen(listener, 4096) < 0)
		die("listen");
	getsockname(listener, (struct sockaddr *)&a, &len);
	printf("listening on http%s://127.0.0.1:%u\n", context ? "s" : "", ntohs(a.sin_port));
	return listener;
}

static int listen_at_path(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 4096) < 0)
		die("listen");
	printf("listening on unix:%s\n", path);
	return listener;
}

int wire_listen(const char *where)
{
	int listener = where && strncmp(where, "unix:", 5) == 0 ? listen_at_path(where + 5)
	                                                        : listen_at_port(where);

	fflush(stdout);
	return listener;
}

/* --- TLS ---------------------------------------------------------------------------- */

void wire_secure(const char *certificate, const char *key)
{
	context = SSL_CTX_new(TLS_server_method());
	if (!context || SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_mode(
	    context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static void begin(int fd)
{
	tls[fd] = SSL_new(context);
	if (!tls[fd] || SSL_set_fd(tls[fd], fd) != 1)
		die("memory");
	SSL_set_accept_state(tls[fd]);
}

/* 0 for an end, or -1 and errno. */
static ssize_t verdict(int fd, int result)
{
	int why = SSL_get_error(tls[fd], result);

	if (why == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
	return -1;
}

/* What was read ahead is not announced again. */
static ssize_t tls_recv(int fd, char *to, size_t room)
{
	size_t got = 0;
	int n;

	ERR_clear_error();
	do {
		n = SSL_read(tls[fd], to + got, (int)(room - got));
		if (n > 0)
			got += (size_t)n;
	} while (n > 0 && got < room && SSL_has_pending(tls[fd]));
	return got ? (ssize_t)got : verdict(fd, n);
}

static ssize_t tls_send(int fd, const void *data, size_t len)
{
	int n;

	ERR_clear_error();
	n = SSL_write(tls[fd], data, (int)len);
	return n > 0 ? n : verdict(fd, n);
}

/* --- connections -------------------------------------------------------------------- */

int wire_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= CONNECTIONS)
		die("too many connections");
	if (fd >= 0 && context)
		begin(fd);
	return fd;
}

ssize_t wire_recv(int fd, void *to, size_t room)
{
	return context ? tls_recv(fd, to, room) : recv(fd, to, room, 0);
}

ssize_t wire_send(int fd, const void *data, size_t len)
{
	return context ? tls_send(fd, data, len) : send(fd, data, len, MSG_NOSIGNAL);
}

void wire_close(int fd)
{
	SSL_free(tls[fd]);
	tls[fd] = NULL;
	close(fd);
}
