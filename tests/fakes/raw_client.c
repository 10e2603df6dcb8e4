/*
 * fakes/raw_client.c - see raw_client.h.
 */
#include "fakes/raw_client.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 60000 /* sanitizers on a busy machine are slow */

/* --- connections ------------------------------------------------------------------------------ */

static void open_with(struct raw_client *c, unsigned port, int receive_buffer)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int one = 1;

	memset(c, 0, sizeof(*c));
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(c->fd, 0);
	if (receive_buffer)
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ck_assert_int_eq(connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	c->cap = 4096;
	c->in = calloc(1, c->cap + 1);
	ck_assert_ptr_nonnull(c->in);
}

void raw_open(struct raw_client *c, unsigned port)
{
	open_with(c, port, 0);
}

void raw_open_narrow(struct raw_client *c, unsigned port)
{
	open_with(c, port, 4096);
}

void raw_close(struct raw_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free(c->in);
	c->in = NULL;
}

void raw_reset(struct raw_client *c)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	raw_close(c);
}

/* --- octets ----------------------------------------------------------------------- */

void raw_write(struct raw_client *c, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t sent = send(c->fd, at, n, MSG_NOSIGNAL);

		if (sent <= 0 && c->careless)
			return;
		ck_assert_int_gt(sent, 0);
		at += sent;
		n -= (size_t)sent;
	}
}

/* Whether anything came, the end included. */
static bool read_more(struct raw_client *c, int ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	ssize_t n;

	if (c->ended || poll(&p, 1, ms) <= 0)
		return false;
	if (c->len == c->cap) {
		c->cap *= 2;
		c->in = realloc(c->in, c->cap + 1);
		ck_assert_ptr_nonnull(c->in);
	}
	n = recv(c->fd, c->in + c->len, c->cap - c->len, 0);
	if (n <= 0)
		c->ended = true;
	else
		c->len += (size_t)n;
	c->in[c->len] = '\0';
	return true;
}

static void drop(struct raw_client *c, size_t n)
{
	c->len -= n;
	memmove(c->in, c->in + n, c->len + 1);
}

static void need(struct raw_client *c, size_t n)
{
	while (c->len < n)
		ck_assert_msg(read_more(c, PATIENCE_MS),
		    "%zu octets expected, %zu have come%s: %.200s", n, c->len,
		    c->ended ? " and the end" : "", c->in);
}

void raw_expect(struct raw_client *c, const char *text)
{
	char *at;

	while ((at = memmem(c->in, c->len, text, strlen(text))) == NULL)
		ck_assert_msg(read_more(c, PATIENCE_MS),
		    "\"%s\" expected, and this has come%s: %.300s", text,
		    c->ended ? " and the end" : "", c->in);
	drop(c, (size_t)(at - c->in) + strlen(text));
}

bool raw_wait(struct raw_client *c, const char *text, int ms)
{
	char *at;

	while ((at = memmem(c->in, c->len, text, strlen(text))) == NULL)
		if (!read_more(c, ms))
			return false;
	drop(c, (size_t)(at - c->in) + strlen(text));
	return true;
}

bool raw_wait_unless(struct raw_client *c, const char *text, int ms, int (*given_up)(void))
{
	for (int i = 0; i < 100 && !c->ended; i++) {
		int failed = given_up();

		if (raw_wait(c, text, ms))
			return true;
		if (failed)
			return false;
	}
	return false;
}

void raw_expect_next(struct raw_client *c, const char *text)
{
	size_t n = strlen(text);

	need(c, n);
	ck_assert_msg(
	    memcmp(c->in, text, n) == 0, "\"%s\" expected next, and not: %.300s", text, c->in);
	drop(c, n);
}

bool raw_has(struct raw_client *c, size_t n)
{
	while (c->len < n && read_more(c, 0))
		;
	return c->len >= n;
}

void raw_expect_more(struct raw_client *c, size_t n)
{
	need(c, n);
}

char raw_peek(struct raw_client *c)
{
	need(c, 1);
	return c->in[0];
}

void raw_expect_end(struct raw_client *c)
{
	while (!c->ended)
		ck_assert_msg(read_more(c, PATIENCE_MS),
		    "the end expected, and this has come: %.300s", c->in);
}

void raw_expect_silence(struct raw_client *c, int ms)
{
	ck_assert_msg(
	    c->len == 0 && !read_more(c, ms), "nothing expected, and this has come: %.300s", c->in);
}

/* --- HTTP ------------------------------------------------------------------------- */

void raw_get(struct raw_client *c, const char *path)
{
	char text[1024];
	int n = snprintf(
	    text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\nReferer: http://x/\r\n\r\n", path);

	raw_write(c, text, (size_t)n);
}

void raw_post(struct raw_client *c, const char *path, const char *body)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
	    "POST %s HTTP/1.1\r\nHost: x\r\nReferer: http://x/\r\nContent-Length: %zu\r\n\r\n",
	    path, strlen(body));

	raw_write(c, text, (size_t)n);
	raw_write(c, body, strlen(body));
}

void raw_expect_sent(struct raw_client *c)
{
	raw_expect(c, "HTTP/1.1 204 ");
	raw_expect(c, "\r\n\r\n");
}

/* --- WebSocket -------------------------------------------------------------------- */

void raw_ws_ask(struct raw_client *c, const char *path, const char *more)
{
	char text[2048];
	int n = snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
	    path, more);

	raw_write(c, text, (size_t)n);
}

void raw_ws_open(struct raw_client *c, const char *path)
{
	raw_ws_ask(c, path, "");
	raw_expect(c, "HTTP/1.1 101 ");
	raw_expect(c, "\r\n\r\n");
}

void raw_ws_send(struct raw_client *c, unsigned opcode, const void *p, size_t n)
{
	unsigned char head[14] = { (unsigned char)(0x80 | opcode) };
	size_t len = 2;
	char *masked = malloc(n + 1);

	ck_assert_ptr_nonnull(masked);
	ck_assert_uint_lt(n, 65536);
	if (n < 126) {
		head[1] = (unsigned char)(0x80 | n);
	} else {
		head[1] = 0x80 | 126;
		head[2] = (unsigned char)(n >> 8);
		head[3] = (unsigned char)n;
		len = 4;
	}
	memcpy(head + len, "\x11\x22\x33\x44", 4);
	for (size_t i = 0; i < n; i++)
		masked[i] = (char)(((const char *)p)[i] ^ head[len + i % 4]);
	raw_write(c, head, len + 4);
	raw_write(c, masked, n);
	free(masked);
}

void raw_ws_text(struct raw_client *c, const char *text)
{
	raw_ws_send(c, 1, text, strlen(text));
}

void raw_ws_close(struct raw_client *c, unsigned code, const char *reason)
{
	char payload[128] = { (char)(code >> 8), (char)code };

	memcpy(payload + 2, reason, strlen(reason));
	raw_ws_send(c, 8, payload, strlen(reason) + 2);
}

static size_t big_endian(const unsigned char *p, size_t n)
{
	size_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | p[i];
	return value;
}

size_t raw_ws_next(struct raw_client *c, unsigned *opcode, char *out, size_t size)
{
	const unsigned char *head;
	size_t n, len = 2;

	need(c, 2);
	head = (const unsigned char *)c->in;
	ck_assert_uint_eq(head[0] & 0xf0, 0x80);
	*opcode = head[0] & 0x0f;
	n = head[1];
	ck_assert_uint_lt(n, 128);
	if (n >= 126) {
		len += n == 126 ? 2 : 8;
		need(c, len);
		n = big_endian((const unsigned char *)c->in + 2, len - 2);
	}
	need(c, len + n);
	memcpy(out, c->in + len, n < size ? n : size);
	drop(c, len + n);
	return n;
}

void raw_ws_expect(struct raw_client *c, unsigned opcode, const void *p, size_t n)
{
	char got[4096];
	unsigned type;
	size_t len = raw_ws_next(c, &type, got, sizeof(got));

	ck_assert_uint_le(n, sizeof(got));
	ck_assert_msg(type == opcode && len == n && memcmp(got, p, n) == 0,
	    "frame %u \"%.*s\" expected, and not %u \"%.*s\"", opcode, (int)n, (const char *)p,
	    type, (int)(len < 200 ? len : 200), got);
}

void raw_ws_expect_text(struct raw_client *c, const char *text)
{
	raw_ws_expect(c, 1, text, strlen(text));
}

void raw_ws_expect_close(struct raw_client *c, unsigned code, const char *reason)
{
	char payload[128] = { (char)(code >> 8), (char)code };

	memcpy(payload + 2, reason, strlen(reason));
	raw_ws_expect(c, 8, payload, strlen(reason) + 2);
}
