/*
 * tests/wire/conn.h - one client connection with deadlines; see conn.c.
 *
 * Nothing here decides whether a test passes: every call says what happened
 * and the caller judges. Times are milliseconds; a deadline is a point of
 * the monotonic clock as now_ms() tells it.
 */
#ifndef WIRE_CONN_H
#define WIRE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address {
	bool tls;
	char host[256]; /* a name or number; a path (leading '/') is a Unix socket */
	char port[8];
};

enum conn_state {
	CONN_CLOSED, /* not connected, or closed by us */
	CONN_OPEN,
	CONN_EOF,   /* the peer shut its side down in order */
	CONN_RESET, /* the peer, or the kernel for it, broke the connection */
};

struct conn {
	int fd;
	enum conn_state state;
	void *ssl;
	unsigned char *in; /* bytes received and not yet consumed: in[at .. at + len) */
	size_t at, len, cap;
	uint64_t received, sent;
	unsigned
	    rate; /* octets a second that are read, from a small buffer; 0: as fast as they come */
	uint64_t paced; /* read since `paced_since` */
	int64_t paced_since;
};

int64_t now_ms(void);
/* So many milliseconds times $PATIENCE, for a deadline: a machine may be slow, or busy. */
int64_t patient(int64_t ms);

/* "http://HOST:PORT", "https://...", "stomp://...", "stomps://...", "unix:PATH"; 0 or -EINVAL. */
int address_parse(struct address *address, const char *url);

void conn_init(struct conn *c);

/* 0 or -errno. Any earlier connection of C is closed, what it received dropped. */
int conn_open(struct conn *c, const struct address *to, int64_t deadline);

/* Goes on by TLS, where the address did not say so. 0 or -errno. */
int conn_start_tls(struct conn *c, int64_t deadline);

/*
 * Sends everything; what arrives meanwhile is kept for later, so that two
 * sides which both talk do not wait for each other. 0 or -errno; after
 * -EPIPE or -ECONNRESET what was received before can still be consumed.
 */
int conn_send(struct conn *c, const void *bytes, size_t n, int64_t deadline);

/* Waits for more: the number of new bytes, 0 for EOF, -ETIMEDOUT, -ECONNRESET, ... */
int conn_fill(struct conn *c, int64_t deadline);

/* Until at least N bytes are there: 0, or what conn_fill() said (EOF: -ENODATA). */
int conn_need(struct conn *c, size_t n, int64_t deadline);

static inline const unsigned char *conn_bytes(const struct conn *c)
{
	return c->in + c->at;
}

void conn_consume(struct conn *c, size_t n);
void conn_shutdown(struct conn *c); /* half-close: FIN, and keep reading */
void conn_close(struct conn *c);
void conn_abort(struct conn *c); /* RST */

/* Offset of NEEDLE in the received bytes, or -1. */
long conn_find(const struct conn *c, const char *needle, size_t n);

#endif
