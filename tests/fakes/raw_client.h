/*
 * fakes/raw_client.h - a client that writes octets and waits for octets: just
 * enough HTTP and WebSocket to talk to a server from a test. Whatever does not
 * come in time fails the test.
 */
#ifndef FAKES_RAW_CLIENT_H
#define FAKES_RAW_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct raw_client {
	int fd;
	char *in; /* read and not yet expected; NUL-terminated */
	size_t len, cap;
	bool ended;
	bool careless; /* what cannot be written is no failure */
};

/* To 127.0.0.1. */
void raw_open(struct raw_client *c, unsigned port);
/* A receive buffer that soon fills up. */
void raw_open_narrow(struct raw_client *c, unsigned port);
void raw_close(struct raw_client *c);
/* The server sees a reset. */
void raw_reset(struct raw_client *c);

void raw_write(struct raw_client *c, const void *p, size_t n);
/* As a page of the server's own would ask. */
void raw_get(struct raw_client *c, const char *path);
void raw_post(struct raw_client *c, const char *path, const char *body);

/* Waits until `text` comes; drops everything up to its end. */
void raw_expect(struct raw_client *c, const char *text);
/* Whether it comes within so long, and before the end. */
bool raw_wait(struct raw_client *c, const char *text, int ms);
/* Waits for what must come, but no longer than `ms` if it need not any more (mem_failed()). */
bool raw_wait_unless(struct raw_client *c, const char *text, int ms, int (*given_up)(void));
/* As raw_expect(), but nothing may come before it. */
void raw_expect_next(struct raw_client *c, const char *text);
/* Whether n octets are here, without waiting. */
bool raw_has(struct raw_client *c, size_t n);
/* Waits until n octets are here; they stay. */
void raw_expect_more(struct raw_client *c, size_t n);
/* The octet that comes next; it stays. */
char raw_peek(struct raw_client *c);
/* The answer to an xhr_send. */
void raw_expect_sent(struct raw_client *c);
/* The server closes. */
void raw_expect_end(struct raw_client *c);
/* Nothing comes for so long. */
void raw_expect_silence(struct raw_client *c, int ms);

/* Asks for a WebSocket; `more` are header lines, or "". */
void raw_ws_ask(struct raw_client *c, const char *path, const char *more);
/* And waits for the 101. */
void raw_ws_open(struct raw_client *c, const char *path);
void raw_ws_send(struct raw_client *c, unsigned opcode, const void *p, size_t n);
void raw_ws_text(struct raw_client *c, const char *text);
void raw_ws_close(struct raw_client *c, unsigned code, const char *reason);
/* The next frame is this one, whole and final. */
void raw_ws_expect(struct raw_client *c, unsigned opcode, const void *p, size_t n);
void raw_ws_expect_text(struct raw_client *c, const char *text);
void raw_ws_expect_close(struct raw_client *c, unsigned code, const char *reason);
/* Length of the next frame, which is dropped; its payload's beginning goes to `out`. */
size_t raw_ws_next(struct raw_client *c, unsigned *opcode, char *out, size_t size);

#endif
