/*
 * tests/unit/ws_conn_fixture.h - one connection of RFC 6455 without a socket, as its peer
 * on the wire would see it; for the tests of ws_conn.
 *
 * A world holds one connection and writes down what its ops say, one line an
 * event: "text(abc)", "binary(..)", "write(ping hello)", "pong(x)",
 * "close(1000 bye)", "failed(1002)". Frames to feed are built by put().
 */
#ifndef TESTS_WS_CONN_FIXTURE_H
#define TESTS_WS_CONN_FIXTURE_H

#include <check.h>

#include "ws/ws_conn.h"

enum { FIN = 0x80 };

struct world {
	struct ws_conn conn;
	struct ws_conn_limits limits;
	char said[4096];
	size_t delivered; /* octets of all messages */
	bool pause_on_message, pause_on_write, close_on_message;
	struct ws_deflate *own;
	size_t n;
	char wire[1 << 17]; /* frames to feed */
};

extern struct world w;
extern const struct ws_conn_ops ops;
extern struct ws_deflate_params agreed; /* on permessage-deflate, or not */

/* A new connection in place of the old one. */
void begin(enum ws_role role);
/* Around each test: a server's connection, without compression. */
void setup(void);
void teardown(void);

/* Appends a frame as the peer would send it: masked if the peer is a client. */
void put_n(unsigned first, const void *payload, size_t n);
void put(unsigned first, const char *payload);
void put_raw(const void *p, size_t n);
void feed_all(void);
/* Feeds from memory of just that size, so that the sanitizers see each octet read too many. */
void feed_copy(const char *p, size_t n);
/* Feeds the wire whole, then anew cut at every place, then octet by octet: always the same is
 * said. */
void expect(const char *events);

#define FAILED_1002(reason) "write(close 1002 " reason ")failed(1002)"
#define BAD_TEXT            "write(close 1007 text is not UTF-8)failed(1007)"

/* --- programs --------------------------------------------------------------------- */

struct ws_group {
	const char *name;
	void (*add)(TCase *tc);
};

/* Returns the program's exit status. */
int run_ws_groups(const char *name, const struct ws_group *groups, int count);

#define ADD(test)         tcase_add_test(tc, test)
#define ADD_LOOP(test, n) tcase_add_loop_test(tc, test, 0, n)
#define COUNT(array)      (int)(sizeof(array) / sizeof((array)[0]))

#endif
