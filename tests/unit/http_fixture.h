/*
 * tests/unit/http_fixture.h - an HTTP server in a loop, and clients on loopback
 * that the test drives by hand; for the tests of http/.
 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <check.h>

#include "http/http_server.h"

/* Requests; `body` is "LENGTH\r\n\r\nOCTETS". */
#define GET(target)        "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(target, body) "POST " target " HTTP/1.1\r\nHost: x\r\nContent-Length: " body

/* What the tests may look at and change. */
extern struct loop *loop;
extern struct http_server *server;
extern struct http_limits limits;
extern size_t body_limit;
/* Answers a request; NULL: 200 with "METHOD PATH?QUERY BODY". */
extern void (*serving)(struct http_request *r);
extern unsigned served;

void http_setup(void);
/* Frees it all, and checks that no connection is left, nor counted for its visitor. */
void http_teardown(void);

/* A connection over TCP that the server has got. */
int client_new(void);
/* Over a unix socket, or (with `tls`) over TCP with TLS. */
int client_new_unix(void);
int client_new_tls(struct tls_context *tls);
void say(int fd, const char *text);
void say_bytes(int fd, const void *bytes, size_t n);

/* Turns the loop until `text` has come on fd (or the end): all that came so far, with a NUL. What
 * was heard of a descriptor is kept until hear_anew(). */
const char *hear(int fd, const char *text);
void hear_anew(int fd);
/* Turns the loop until fd has ended; all that came. */
const char *hear_end(int fd);
/* Turns the loop until nothing happens any more for a moment. */
void settle(void);
/* Moves the clock on, and settles. */
void pass_ms(unsigned ms);

/* A group of tests, each between `setup` and `teardown` (NULL: nothing). */
TCase *group(Suite *suite, const char *name, void (*setup)(void), void (*teardown)(void));
/* Runs all groups; the program's exit status. */
int run_groups(Suite *suite);

/* How often `what` stands in `text`. */
unsigned count_of(const char *text, const char *what);

const struct http_counters *counters(void);

/* A request by a new client with Connection: close; the whole response. */
const char *ask(const char *request);
/* The same, its status. */
unsigned status_of(const char *request);
unsigned status_of_bytes(const char *request, size_t n);

#endif
