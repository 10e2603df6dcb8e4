/*
 * daemon/api_client.c - a few lines of HTTP over a blocking socket; see api_client.h.
 *
 * The connection is for one request, so an answer ends where its Content-Length says or where the
 * connection does. What is on the other side may be anything: an answer has its limit, and each
 * wait a deadline.
 */
#include "daemon/api_client.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"

#define WAIT_S     30
#define ANSWER_MAX ((size_t)4 << 20)

__attribute__((format(printf, 4, 5))) static int fail(
    char *why, size_t size, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, size, format, ap);
	va_end(ap);
	return err;
}

/* --- where ------------------------------------------------------------------- */

static int copy(char *to, size_t size, const char *from, size_t n)
{
	if (n == 0 || n >= size)
		return -EINVAL;
	memcpy(to, from, n);
	to[n] = '\0';
	return 0;
}

/* HOST:PORT, with what may follow in a URL. */
static int parse_host(struct api_target *out, const char *text)
{
	const char *slash = strchr(text, '/'), *end = slash ? slash : text + strlen(text), *colon;

	if (text[0] == '[') {
		colon = memchr(text, ']', (size_t)(end - text));
		if (!colon ||
		    copy(out->host, sizeof(out->host), text + 1, (size_t)(colon - text - 1)) < 0)
			return -EINVAL;
		colon++;
	} else {
		colon = memchr(text, ':', (size_t)(end - text));
		if (!colon || copy(out->host, sizeof(out->host), text, (size_t)(colon - text)) < 0)
			return -EINVAL;
	}
	if (colon == end || *colon != ':' ||
	    copy(out->port, sizeof(out->port), colon + 1, (size_t)(end - colon - 1)) < 0 ||
	    out->port[strspn(out->port, "0123456789")] || atoi(out->port) == 0 ||
	    atoi(out->port) > 65535)
		return -EINVAL;
	if (!slash || slash[1] == '\0')
		return 0;
	return strpbrk(slash, " ?#\r\n\t")
	           ? -EINVAL
	           : copy(out->prefix, sizeof(out->prefix), slash, strlen(slash));
}

int api_target_parse(struct api_target *out, const char *text, char *why, size_t size)
{
	struct sockaddr_un un;
	int err;

	memset(out, 0, sizeof(*out));
	if (strncmp(text, "unix:", 5) == 0)
		err = copy(out->host, sizeof(un.sun_path), text + 5, strlen(text + 5));
	else
		err = parse_host(out, strncmp(text, "http://", 7) == 0 ? text + 7 : text);
	if (err == 0)
		return 0;
	return fail(why, size, err,
	    "\"%.200s\" is no internal address; allowed: http://HOST:PORT, HOST:PORT, [V6]:PORT or "
	    "unix:PATH",
	    text);
}

/* --- connecting ----------------------------------------------------------------- */

static int try_connect(int wait_s, int family, const struct sockaddr *addr, socklen_t len)
{
	struct timeval wait = { wait_s ? wait_s : WAIT_S, 0 };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (connect(fd, addr, len) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int connect_unix(const struct api_target *to)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memcpy(addr.sun_path, to->host, strnlen(to->host, sizeof(addr.sun_path) - 1));
	return try_connect(
	    to->wait_s, AF_UNIX, (const struct sockaddr *)(const void *)&addr, sizeof(addr));
}

static int connect_tcp(const struct api_target *to, const char **why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int status = getaddrinfo(to->host, to->port, &hints, &list), fd = -ENOENT;

	if (status != 0) {
		*why = gai_strerror(status);
		return -ENOENT;
	}
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = try_connect(to->wait_s, a->ai_family, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(list);
	return fd;
}

static int connect_to(const struct api_target *to, char *why, size_t size)
{
	const char *reason = NULL;
	int fd = to->port[0] ? connect_tcp(to, &reason) : connect_unix(to);

	if (fd >= 0)
		return fd;
	return fail(why, size, fd, "cannot connect to %s%s%s: %s", to->host, to->port[0] ? ":" : "",
	    to->port, reason ? reason : strerror(-fd));
}

/* --- asking -------------------------------------------------------------------------- */

static int write_head(struct buf *out, const struct api_target *to, const char *method,
    const char *path, const char *token)
{
	bool is_v6 = strchr(to->host, ':') != NULL;
	int err = buf_printf(out, "%s %s%s HTTP/1.1\r\n", method, to->prefix, path);

	if (err == 0 && to->port[0])
		err = buf_printf(out, "Host: %s%s%s:%s\r\n", is_v6 ? "[" : "", to->host,
		    is_v6 ? "]" : "", to->port);
	else if (err == 0)
		err = buf_add_str(out, "Host: localhost\r\n");
	if (err == 0 && token)
		err = buf_printf(out, "Authorization: Bearer %s\r\n", token);
	return err ? err : buf_add_str(out, "Connection: close\r\n");
}

/* Its end: a GET has no body. */
static int end_head(struct buf *out, const struct buf *body)
{
	if (!body)
		return buf_add_str(out, "\r\n");
	return buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	    buf_len(body));
}

/* A server that refuses a large body does not read it to its end: what it says counts. */
static void send_all(int fd, const struct buf *b)
{
	const char *p = buf_data(b);
	size_t left = buf_len(b);

	while (left > 0) {
		ssize_t n = send(fd, p, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		left -= (size_t)n;
	}
}

/* --- the answer --------------------------------------------------------------------------- */

/* Where the body begins; NULL: not yet. */
static const char *find_body(const struct buf *in)
{
	const char *end = memmem(buf_data(in), buf_len(in), "\r\n\r\n", 4);

	return end ? end + 4 : NULL;
}

/* Whether all of it is here. */
static bool is_whole(const struct buf *in)
{
	const char *body = buf_len(in) ? find_body(in) : NULL, *line;
	size_t length, head;

	if (!body)
		return false;
	head = (size_t)(body - buf_data(in));
	line = memmem(buf_data(in), head, "\r\nContent-Length:", 17);
	if (!line)
		return false;
	length = strtoul(line + 17, NULL, 10);
	return buf_len(in) - head >= length;
}

/* What is in `in` then has a NUL behind it: the numbers in it end, whoever sent them. */
static int receive(int fd, struct buf *in, char *why, size_t size)
{
	while (!is_whole(in)) {
		char *to = buf_reserve(in, 4096 + 1);
		ssize_t n = to ? recv(fd, to, 4096, 0) : -1;

		if (!to || buf_len(in) > ANSWER_MAX)
			return fail(why, size, -ENOMEM, "the answer is too large");
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(why, size, -errno, "no answer: %s",
			    errno == EAGAIN ? "it takes too long" : strerror(errno));
		to[n] = '\0';
		if (n == 0)
			return 0;
		buf_commit(in, (size_t)n);
	}
	return 0;
}

/* The status; the head goes. */
static int take_head(struct buf *in, char *why, size_t size)
{
	const char *body = buf_len(in) ? find_body(in) : NULL;
	int status = 0;

	if (body && buf_len(in) > 12 && memcmp(buf_data(in), "HTTP/1.", 7) == 0)
		status = atoi(buf_data(in) + 9);
	if (status < 100 || status > 599)
		return fail(why, size, -EPROTO, "what answers there does not speak HTTP");
	buf_consume(in, (size_t)(body - buf_data(in)));
	return status;
}

static int ask(int fd, const struct buf *head, const struct buf *body, struct buf *answer,
    char *why, size_t size)
{
	int err;

	send_all(fd, head);
	if (body)
		send_all(fd, body);
	err = receive(fd, answer, why, size);
	return err < 0 ? err : take_head(answer, why, size);
}

static int request(const struct api_target *to, const struct buf *head, const struct buf *body,
    struct buf *answer, char *why, size_t size)
{
	int fd = connect_to(to, why, size), status;

	if (fd < 0)
		return fd;
	status = ask(fd, head, body, answer, why, size);
	close(fd);
	return status;
}

int api_post(const struct api_target *to, const char *path, const char *token,
    const struct buf *body, struct buf *answer, char *why, size_t size)
{
	struct buf head = BUF_INIT;
	int status;

	if (write_head(&head, to, "POST", path, token) < 0 || end_head(&head, body) < 0)
		status = fail(why, size, -ENOMEM, "out of memory");
	else
		status = request(to, &head, body, answer, why, size);
	buf_fini(&head);
	return status;
}

int api_get(
    const struct api_target *to, const char *path, struct buf *answer, char *why, size_t size)
{
	struct buf head = BUF_INIT;
	int status;

	if (write_head(&head, to, "GET", path, NULL) < 0 || end_head(&head, NULL) < 0)
		status = fail(why, size, -ENOMEM, "out of memory");
	else
		status = request(to, &head, NULL, answer, why, size);
	buf_fini(&head);
	return status;
}
